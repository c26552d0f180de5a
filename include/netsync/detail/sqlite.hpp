// netsync: SQLite's connections and prepared statements, and what its result codes mean here.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <netsync/error.hpp>
#include <span>
#include <string>
#include <string_view>

namespace netsync::detail {

inline std::error_code sqlite_error(int result) {
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return {};
    case SQLITE_FULL: return errc::store_full;
    case SQLITE_READONLY:
    case SQLITE_PERM: return errc::store_read_only;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return errc::store_in_use;
    case SQLITE_CORRUPT: return errc::store_damaged;
    case SQLITE_NOTADB: return errc::not_a_store;
    case SQLITE_NOMEM: return std::make_error_code(std::errc::not_enough_memory);
    default: return errc::store_io;
    }
}

/// One connection, for one thread at a time.
class SqliteConnection {
   public:
    /// `flags` beside those that every connection here has. An SQLite result code; closed after an error.
    int open(const std::string& file, int flags, const std::string& vfs) {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open_v2(file.c_str(), &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                           vfs.empty() ? nullptr : vfs.c_str());
        connection_.reset(opened);
        if (result != SQLITE_OK) close();
        return result;
    }

    /// For those who share a file within this program, and are in each other's way for moments.
    void be_patient() const noexcept { sqlite3_busy_timeout(get(), 5000); }

    /// What the last connection to a file does, unless it is told not to touch it.
    void checkpoint_at_close(bool does) const noexcept {
        sqlite3_db_config(get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, does ? 0 : 1, nullptr);
    }

    void close() { connection_.reset(); }
    bool is_open() const noexcept { return connection_ != nullptr; }
    bool is_read_only() const noexcept { return sqlite3_db_readonly(get(), "main") == 1; }
    sqlite3* get() const noexcept { return connection_.get(); }

    /// Constant text, whose rows nobody wants.
    int run(const char* text) const noexcept { return sqlite3_exec(get(), text, nullptr, nullptr, nullptr); }

   private:
    struct Close {
        void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
    };
    std::unique_ptr<sqlite3, Close> connection_;
};

/// Prepared once. Blobs and texts are bound without a copy: they stay where they are until the statement is reset.
class SqliteStatement {
   public:
    int prepare(const SqliteConnection& connection, const char* text) {
        sqlite3_stmt* prepared = nullptr;
        const int result =
            sqlite3_prepare_v3(connection.get(), text, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
        statement_.reset(prepared);
        return result;
    }

    /// Binds the values from the first parameter on.
    template <class... Values>
    SqliteStatement& with(const Values&... values) noexcept {
        sqlite3_reset(statement_.get());
        int at = 0;
        (bind(++at, values), ...);
        return *this;
    }

    /// True with a row. `result` says how it went.
    bool step(int& result) noexcept {
        result = sqlite3_step(statement_.get());
        if (result == SQLITE_ROW) return true;
        sqlite3_reset(statement_.get());
        return false;
    }

    /// For statements without rows. An SQLite result code.
    template <class... Values>
    int run(const Values&... values) noexcept {
        int result = SQLITE_OK;
        if (with(values...).step(result)) return reset(), SQLITE_OK;
        return result == SQLITE_DONE ? SQLITE_OK : result;
    }

    void reset() noexcept { sqlite3_reset(statement_.get()); }

    std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(statement_.get(), column); }
    std::uint64_t counter(int column) const noexcept { return static_cast<std::uint64_t>(integer(column)); }
    /// Until the next step or reset.
    std::span<const std::byte> blob(int column) const noexcept {
        const void* data = sqlite3_column_blob(statement_.get(), column);
        const int size = sqlite3_column_bytes(statement_.get(), column);
        return {static_cast<const std::byte*>(data), data ? static_cast<std::size_t>(size) : 0};
    }
    std::string_view text(int column) const noexcept {
        const std::span<const std::byte> bytes = blob(column);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

   private:
    void bind(int at, std::integral auto value) noexcept {
        sqlite3_bind_int64(statement_.get(), at, static_cast<std::int64_t>(value));
    }
    void bind(int at, std::span<const std::byte> bytes) noexcept {
        if (bytes.empty())
            sqlite3_bind_zeroblob(statement_.get(), at, 0);
        else
            sqlite3_bind_blob64(statement_.get(), at, bytes.data(), bytes.size(), SQLITE_STATIC);
    }
    void bind(int at, std::string_view text) noexcept {
        sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    }

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace netsync::detail
