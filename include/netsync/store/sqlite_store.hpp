// netsync: the store on disk: one SQLite file. Frames come in and become durable, those that wait together, on a thread of
// the store's own.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <netsync/store/sqlite_log.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// A file belongs to one pool and to one replica at a time. `LanReplica<T, SqliteStore>{{.file = "library.db"}}` is all
/// that a program writes.
///
/// Errors of the opening are thrown, as a std::system_error, or come with `open`: errc::wrong_pool, not_a_store,
/// store_version, store_in_use, store_io. Where the file can be read and not written, or a row of it is damaged, the
/// store opens, tells what it holds, and commits fail: with store_read_only until that has changed, with store_damaged for
/// good. A damaged row is never told. A commit fails with store_full or store_io for as long as that is so.
///
/// Writes frames of 100 bytes at about what SQLite takes for rows of that size. Memory: options.waiting, SQLite's cache
/// and a snapshot that is being written.
class SqliteStore {
   public:
    explicit SqliteStore(SqliteOptions options) : log_(std::make_unique<detail::SqliteLog>(std::move(options))) {
        if (const std::error_code error = log_->open())
            throw std::system_error(error, "netsync: cannot open " + log_->options.file);
    }
    template <std::same_as<Options> Given>  // a template, so that `{.file = ...}` stands for SqliteOptions
    explicit SqliteStore(const Given& options)
        : SqliteStore(SqliteOptions{.file = options.file, .pool = options.pool}) {}

    static Result<SqliteStore> open(SqliteOptions options) {
        SqliteStore store{std::make_unique<detail::SqliteLog>(std::move(options))};
        if (const std::error_code error = store.log_->open()) return error;
        return store;
    }

    std::error_code append(const Frame& frame) { return log_->append(frame); }
    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        return log_->adopt(snapshot, heads);
    }
    std::error_code cut(const std::vector<ReplicaCounter>& counters) { return log_->cut(counters); }
    std::error_code clear() { return log_->clear(); }
    std::error_code put(std::string_view key, ByteView value) { return log_->put(key, value); }
    /// Also waits for what is done between commits.
    std::error_code commit() { return log_->commit(); }
    void commit_later(std::function<void(std::error_code)> done) { log_->commit_later(std::move(done)); }
    bool is_behind() const { return log_->waiting > log_->options.waiting; }

    std::optional<Bytes> get(std::string_view key) const { return log_->get(key); }
    SharedBytes snapshot() const { return log_->snapshot(); }
    void replay(const FrameVisitor& visit) const { log_->replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const { return log_->frames(range, visit); }

   private:
    explicit SqliteStore(std::unique_ptr<detail::SqliteLog> log) : log_(std::move(log)) {}

    std::unique_ptr<detail::SqliteLog> log_;
};

static_assert(asynchronous_store<SqliteStore>);

}  // namespace netsync
