// netsync/sqlite.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <condition_variable>
#include <filesystem>
#include <thread>

// ---- netsync/detail/sqlite.hpp ----

// netsync: SQLite's connections and prepared statements, and what its result codes mean here.

#include <sqlite3.h>

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

// ---- netsync/store/sqlite_schema.hpp ----

// netsync: what an SQLite file of a replica looks like: its tables, its rows, and who may open it.
//
//     file      one row: the pool, where the valid frames begin, which snapshot counts
//     origin    a number for each replica that made frames, and where its valid frames begin
//     frame     the log: frames in the order of append, some to a row, found by (origin, first counter)
//     chunk     snapshots in pieces, those of one under its generation
//     value     small values under their names
//
// Rows that are not valid any more are as good as gone, and deleted in the background.

namespace netsync {

/// What a commit waits for. `full`: it survives a power cut. `normal`: it survives the end of the program; a power cut may
/// take the latest, and then others know more of this replica's history than itself: it takes a new incarnation. `off`:
/// for tests.
enum class Synchronous : std::uint8_t { off, normal, full };

struct SqliteOptions {
    std::string file{};            ///< beside it there will be others: file-wal, file-shm, file-lock
    std::string pool = "netsync";  ///< a file belongs to one pool
    Synchronous synchronous = Synchronous::full;
    std::size_t waiting =
        4u << 20;                 ///< memory of what waits to be written, beyond which changes are refused for a while
    std::size_t step = 1u << 20;  ///< bytes of a snapshot that one transaction writes
    std::string vfs{};            ///< of SQLite, by name; empty: its default
};

}  // namespace netsync

namespace netsync::detail {

struct FrameRow {
    std::int64_t sequence;
    std::int64_t origin;
    std::uint64_t first;
    std::uint64_t count;
    SharedBytes bytes;
};
/// Valid are its frames that begin after `cut`, and were appended after `since`.
struct OriginRow {
    std::int64_t number;
    ReplicaId replica;
    std::uint64_t cut;
    std::int64_t since;
};
/// The same for an origin that is known.
struct CutRow {
    OriginRow origin;
};
struct ValueRow {
    std::string key;
    Bytes bytes;
};
/// A snapshot takes the place of the one before. One that tells nothing new may come later than what follows it.
struct SnapshotRow {
    std::int64_t generation;
    SharedBytes bytes;
    std::vector<Head> heads;
    bool may_wait;
};
/// All frames up to here go, and the snapshot.
struct ClearRow {
    std::int64_t since;
    std::int64_t generation;
};
using SqliteOperation = std::variant<FrameRow, OriginRow, CutRow, ValueRow, SnapshotRow, ClearRow>;

/// The row of the table `file`.
struct FileRow {
    std::string pool;
    std::int64_t since = 0;
    std::int64_t generation = 0;
    std::uint64_t size = 0;  ///< of the snapshot, and 1 more; 0: there is none
    Bytes heads{};           ///< of the snapshot, encoded
};

inline constexpr std::int64_t sqlite_application = 0x6e73796e;  // "nsyn"
inline constexpr std::size_t sqlite_chunk = 64u << 10;
inline constexpr std::int64_t sqlite_generation = std::int64_t{1}
                                                  << 24;  // chunks of one snapshot are numbered below this

/// What makes each version of the tables of the one before: the first of nothing. Never changed, only added to: files of
/// all versions are about, and each is brought to the last when it is opened.
inline constexpr std::array sqlite_versions{
    "CREATE TABLE file(one INTEGER PRIMARY KEY CHECK(one = 1), pool TEXT NOT NULL, since INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, size INTEGER NOT NULL, heads BLOB NOT NULL, checksum INTEGER NOT NULL);"
    "CREATE TABLE origin(number INTEGER PRIMARY KEY, owner INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
    " cut INTEGER NOT NULL, since INTEGER NOT NULL, checksum INTEGER NOT NULL);"
    "CREATE TABLE frame(sequence INTEGER PRIMARY KEY, origin INTEGER NOT NULL, first INTEGER NOT NULL,"
    " count INTEGER NOT NULL, checksum INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE INDEX frame_by_dot ON frame(origin, first);"
    "CREATE TABLE chunk(number INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB NOT NULL);"
    "CREATE TABLE value(key TEXT PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB NOT NULL) WITHOUT ROWID;"
    "PRAGMA application_id = 0x6e73796e;",
    "ALTER TABLE frame ADD COLUMN parts BLOB;",
};

/// SQLite has none of its own. 31 bits, which are four bytes in the file.
template <class... Numbers>
std::int64_t sqlite_checksum(ByteView bytes, Numbers... numbers) noexcept {
    std::uint64_t seed = sizeof...(numbers);
    ((seed = mix(seed, static_cast<std::uint64_t>(numbers))), ...);
    return static_cast<std::int64_t>(hash_bytes(bytes.data(), bytes.size(), seed) & 0x7fffffff);
}

inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::int64_t checksum_of(const FileRow& row) noexcept {
    return sqlite_checksum(row.heads, sqlite_checksum(as_bytes(row.pool)), row.since, row.generation, row.size);
}
inline std::int64_t checksum_of(const OriginRow& row) noexcept {
    return sqlite_checksum({}, row.number, row.replica.owner_bits, row.replica.incarnation, row.cut, row.since);
}

/// Of a statement that is prepared: where it does not fit the tables, these are not what they were.
inline std::error_code schema_error(int result) {
    return (result & 0xff) == SQLITE_ERROR ? make_error_code(errc::store_damaged) : sqlite_error(result);
}

/// A PRAGMA or a SELECT of one number.
inline int sqlite_number(const SqliteConnection& connection, const char* text, std::int64_t& number) {
    SqliteStatement statement;
    int result = statement.prepare(connection, text);
    if (result != SQLITE_OK) return result;
    if (!statement.step(result)) return result == SQLITE_DONE ? SQLITE_CORRUPT : result;
    number = statement.integer(0);
    return SQLITE_OK;
}

/// Reads the one row of `file`.
inline std::error_code read_file_row(const SqliteConnection& connection, FileRow& row) {
    SqliteStatement statement;
    int result =
        statement.prepare(connection, "SELECT pool, since, generation, size, heads, checksum FROM file WHERE one = 1");
    if (result != SQLITE_OK) return schema_error(result);
    if (!statement.step(result))
        return result == SQLITE_DONE ? make_error_code(errc::store_damaged) : sqlite_error(result);
    const ByteView heads = statement.blob(4);
    row = {std::string(statement.text(0)), statement.integer(1), statement.integer(2), statement.counter(3),
           Bytes(heads.begin(), heads.end())};
    if (statement.integer(5) != checksum_of(row)) return errc::store_damaged;
    return {};
}

/// Keeps others away from a file: other processes, and other stores of this one. The system lets go of it when a process
/// ends, however it ends.
class SqliteLock {
   public:
    std::error_code take(const SqliteOptions& options) {
        if (held_.is_open()) return {};
        const std::string file = options.file + "-lock";
        int result = held_.open(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options.vfs);
        if (result == SQLITE_OK && held_.is_read_only()) result = SQLITE_READONLY;
        if (result == SQLITE_OK) result = held_.run("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
        if (result != SQLITE_OK) held_.close();
        return sqlite_error(result);
    }
    void release() { held_.close(); }

   private:
    SqliteConnection held_;
};

/// Makes the tables of the last version from those of another, or of none: all of them, or nothing.
inline int bring_up(const SqliteConnection& connection, std::span<const char* const> versions, std::size_t version,
                    const SqliteOptions& options) {
    const FileRow row{.pool = options.pool};
    SqliteStatement insert;
    int result = connection.run("BEGIN IMMEDIATE");
    for (; version < versions.size() && result == SQLITE_OK; ++version) {
        result = connection.run(versions[version]);
        if (version > 0 || result != SQLITE_OK) continue;
        result = insert.prepare(connection, "INSERT INTO file VALUES(1, ?, 0, 0, 0, x'', ?)");
        if (result == SQLITE_OK) result = insert.run(std::string_view{row.pool}, checksum_of(row));
    }
    const std::string number = "PRAGMA user_version = " + std::to_string(versions.size());
    if (result == SQLITE_OK) result = connection.run(number.c_str());
    if (result == SQLITE_OK) result = connection.run("COMMIT");
    if (result != SQLITE_OK) connection.run("ROLLBACK");
    return result;
}

/// The column `pool` of `file` is in every version.
inline std::error_code check_pool(const SqliteConnection& connection, const SqliteOptions& options) {
    SqliteStatement pool;
    int result = pool.prepare(connection, "SELECT pool FROM file WHERE one = 1");
    if (result != SQLITE_OK) return schema_error(result);
    if (!pool.step(result)) return result == SQLITE_DONE ? make_error_code(errc::store_damaged) : sqlite_error(result);
    return pool.text(0) == options.pool ? std::error_code{} : errc::wrong_pool;
}

/// Checks whose file this is; makes the tables in one that is new, and brings those of an older program up to date. Where
/// none may be made, one without tables has lost them.
inline std::error_code open_schema(const SqliteConnection& connection, const SqliteOptions& options,
                                   std::span<const char* const> versions = sqlite_versions, bool may_create = true) {
    std::int64_t application = 0, version = 0, tables = 0;
    int result = sqlite_number(connection, "PRAGMA application_id", application);
    if (result == SQLITE_OK) result = sqlite_number(connection, "PRAGMA user_version", version);
    if (result == SQLITE_OK) result = sqlite_number(connection, "SELECT count(*) FROM sqlite_schema", tables);
    if (result != SQLITE_OK) return sqlite_error(result);
    const bool is_new = application == 0 && tables == 0;
    if (is_new && !may_create) return errc::store_damaged;
    if (!is_new && application != sqlite_application) return errc::not_a_store;
    const auto last = static_cast<std::int64_t>(versions.size());
    if (!is_new && (version < 1 || version > last)) return errc::store_version;
    if (!is_new)
        if (const std::error_code error = check_pool(connection, options)) return error;
    if (connection.is_read_only())
        return is_new ? errc::store_read_only : version < last ? errc::store_version : std::error_code{};
    // A rollback journal that a power cut brings back would undo what the write-ahead log holds.
    if (is_new) result = connection.run("PRAGMA synchronous = EXTRA");
    if (result != SQLITE_OK) return sqlite_error(result);
    SqliteStatement wal;
    result = wal.prepare(connection, "PRAGMA journal_mode = WAL");
    if (result == SQLITE_OK && (!wal.step(result) || wal.text(0) != "wal"))
        return result == SQLITE_ROW ? make_error_code(errc::store_io) : sqlite_error(result);
    wal.reset();
    if (result != SQLITE_ROW) return sqlite_error(result);
    if (version == last) return {};
    return sqlite_error(bring_up(connection, versions, is_new ? 0 : static_cast<std::size_t>(version), options));
}

}  // namespace netsync::detail

// ---- netsync/store/sqlite_frames.hpp ----

// netsync: rows of the table `frame`: one frame, or some of one origin that were committed together and follow each other.
// A row costs SQLite about as much as 500 bytes, and each has an entry in the index.

namespace netsync::detail {

/// Sequence and first counter are those of its first frame, `count` is that of all. `parts`: the count and the size of
/// each, or nothing where it is one.
struct FramesRow {
    std::int64_t sequence;
    std::int64_t origin;
    std::uint64_t first;
    std::uint64_t count;
    ByteView parts;
    ByteView bytes;
};

/// Three bytes in the file: a frame has a hash of its own, too.
inline std::int64_t checksum_of(const FramesRow& row) noexcept {
    const std::int64_t checksum =
        row.parts.empty()
            ? sqlite_checksum(row.bytes, row.sequence, row.origin, row.first, row.count)
            : sqlite_checksum(row.bytes, row.sequence, row.origin, row.first, row.count, sqlite_checksum(row.parts));
    return checksum & 0x7fffff;
}

/// Calls `visit(count, size)` for each part. False where they are not well formed.
template <class F>
bool for_each_part(ByteView parts, F&& visit) {
    Input in{parts, parts.size()};
    while (in.ok() && in.remaining() > 0) {
        std::uint64_t count = 0, size = 0;
        in(count, size);
        if (in.ok()) visit(count, size);
    }
    return in.ok();
}

/// How many frames a row holds.
inline std::int64_t frames_in(ByteView parts) {
    std::int64_t frames = 0;
    const bool whole = for_each_part(parts, [&](std::uint64_t, std::uint64_t) { ++frames; });
    return whole && frames > 0 ? frames : 1;
}

/// Calls `visit(const FrameRow&)` for each frame of a row, until it returns false. False, with nothing visited, where the
/// row does not hold what it says.
template <class F>
bool for_each_frame(const FramesRow& row, F&& visit) {
    const auto frame = [](std::int64_t sequence, std::int64_t origin, std::uint64_t first, std::uint64_t count,
                          ByteView bytes) { return FrameRow{sequence, origin, first, count, SharedBytes{bytes}}; };
    if (row.parts.empty()) return visit(frame(row.sequence, row.origin, row.first, row.count, row.bytes)), true;
    std::uint64_t counts = 0, sizes = 0;
    const bool whole = for_each_part(row.parts, [&](std::uint64_t count, std::uint64_t size) {
        counts += count;
        sizes += size;
    });
    if (!whole || counts != row.count || sizes != row.bytes.size()) return false;
    std::int64_t sequence = row.sequence;
    std::uint64_t first = row.first;
    ByteView left = row.bytes;
    bool more = true;
    for_each_part(row.parts, [&](std::uint64_t count, std::uint64_t size) {
        if (!more || size > left.size()) return;
        more = visit(frame(sequence++, row.origin, std::exchange(first, first + count), count, left.first(size)));
        left = left.subspan(size);
    });
    return true;
}

/// Frames that follow each other, on their way into one row.
class FramesToWrite {
   public:
    static constexpr std::size_t most_bytes = 16u << 10;  ///< of frames that share a row: to read one all are read
    static constexpr std::size_t least = 10;              ///< fewer have each a row of their own

    /// Those that may share a row, from the first one on.
    static std::size_t together(const std::deque<SqliteOperation>& operations, std::size_t at) {
        const auto* before = std::get_if<FrameRow>(&operations[at]);
        std::size_t bytes = before->bytes->size(), next = at + 1;
        for (; next < operations.size(); ++next) {
            const auto* row = std::get_if<FrameRow>(&operations[next]);
            if (!row || row->origin != before->origin || row->first != before->first + before->count ||
                row->sequence != before->sequence + 1 || (bytes += row->bytes->size()) > most_bytes)
                break;
            before = row;
        }
        return next - at;
    }

    /// Until the next call.
    FramesRow gather(const std::deque<SqliteOperation>& operations, std::size_t at, std::size_t count) {
        const auto& first = std::get<FrameRow>(operations[at]);
        if (count == 1) return {first.sequence, first.origin, first.first, first.count, {}, *first.bytes};
        parts_.restart({}, 1);
        bytes_.clear();
        std::uint64_t counters = 0;
        for (std::size_t end = at + count; at < end; ++at) {
            const auto& row = std::get<FrameRow>(operations[at]);
            parts_(row.count, static_cast<std::uint64_t>(row.bytes->size()));
            bytes_.insert(bytes_.end(), row.bytes->begin(), row.bytes->end());
            counters += row.count;
        }
        return {first.sequence, first.origin, first.first, counters, parts_.view(), bytes_};
    }

   private:
    Output parts_;
    Bytes bytes_;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_reader.hpp ----

// netsync: reads a replica's SQLite file, on a connection that never writes.

namespace netsync::detail {

/// A row is damaged that is not what was written: errc::store_damaged.
class SqliteReader {
   public:
    using RowVisitor = std::function<bool(const FrameRow&)>;

    std::error_code open(const SqliteOptions& options) {
        int result = connection_.open(options.file, SQLITE_OPEN_READWRITE, options.vfs);
        if (result != SQLITE_OK) return sqlite_error(result);
        connection_.be_patient();
        connection_.checkpoint_at_close(false);
        result = connection_.run("PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = 0;"
                                 "PRAGMA cell_size_check = 1; PRAGMA locking_mode = NORMAL; PRAGMA cache_size = -256");
        for (auto [statement, text] : {
                 std::pair{&covering_, "SELECT sequence, origin, first, count, checksum, bytes, parts FROM frame"
                                       " WHERE origin = ? AND first <= ? AND first + count - 1 > ? AND sequence > ?"
                                       " ORDER BY first DESC LIMIT 1"},
                 std::pair{&range_,
                           "SELECT sequence, origin, first, count, checksum, bytes, parts FROM frame WHERE origin = ?1"
                           " AND first >= ifnull((SELECT first FROM frame WHERE origin = ?1 AND first <= ?2"
                           " AND sequence > ?4 ORDER BY first DESC LIMIT 1), ?2)"
                           " AND first <= ?3 AND sequence > ?4 ORDER BY first"},
                 std::pair{&all_, "SELECT sequence, origin, first, count, checksum, bytes, parts FROM frame"
                                  " WHERE sequence > ? AND sequence < ? ORDER BY sequence"},
                 std::pair{&last_, "SELECT sequence, parts FROM frame ORDER BY sequence DESC LIMIT 1"},
                 std::pair{&origins_, "SELECT number, owner, incarnation, cut, since, checksum FROM origin"},
                 std::pair{&values_, "SELECT key, bytes, checksum FROM value"},
                 std::pair{&chunks_, "SELECT number, bytes, checksum FROM chunk WHERE number >= ? AND number < ?"
                                     " ORDER BY number"},
             })
            if (result == SQLITE_OK) result = statement->prepare(connection_, text);
        if (result != SQLITE_OK) close();
        return schema_error(result);
    }

    bool is_open() const noexcept { return connection_.is_open(); }
    /// Whether the file that is open is still the one of that name.
    bool is_in_place() const noexcept {
        int moved = 1;
        return is_open() &&
               sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
               moved == 0;
    }
    void close() {
        for (SqliteStatement* statement : {&covering_, &range_, &all_, &last_, &origins_, &values_, &chunks_})
            *statement = {};
        connection_.close();
    }

    std::error_code file(FileRow& row) const { return read_file_row(connection_, row); }

    std::error_code last_sequence(std::int64_t& sequence) {
        int result = SQLITE_OK;
        sequence = 0;
        if (last_.with().step(result)) {
            sequence = last_.integer(0) + frames_in(last_.blob(1)) - 1;
            last_.reset();
        }
        return sqlite_error(result);
    }

    template <class F>
    std::error_code origins(F&& visit) {
        int result = SQLITE_OK;
        bool whole = true;
        origins_.with();
        while (origins_.step(result)) {
            const OriginRow row{origins_.integer(0),
                                {origins_.counter(1), origins_.counter(2)},
                                origins_.counter(3),
                                origins_.integer(4)};
            if (origins_.integer(5) == checksum_of(row))
                visit(row);
            else
                whole = false;
        }
        return whole ? sqlite_error(result) : errc::store_damaged;
    }

    template <class F>
    std::error_code values(F&& visit) {
        int result = SQLITE_OK;
        bool whole = true;
        values_.with();
        while (values_.step(result)) {
            const std::string_view key = values_.text(0);
            const ByteView bytes = values_.blob(1);
            if (values_.integer(2) == sqlite_checksum(bytes, sqlite_checksum(as_bytes(key))))
                visit(key, bytes);
            else
                whole = false;
        }
        return whole ? sqlite_error(result) : errc::store_damaged;
    }

    /// The valid frame that begins last at or before a counter; false where there is none.
    Result<bool> covering(const OriginRow& origin, std::int64_t since, std::uint64_t counter, FrameRow& row) {
        int result = SQLITE_OK;
        const bool found = covering_.with(origin.number, counter, origin.cut, since).step(result);
        if (!found) return result == SQLITE_DONE ? Result<bool>{false} : Result<bool>{sqlite_error(result)};
        bool valid = false;
        const bool whole = read(covering_, [&](const FrameRow& frame) {
            if (frame.first > counter) return false;
            if (frame.first > origin.cut) row = frame, valid = true;
            return true;
        });
        covering_.reset();
        return whole ? Result<bool>{valid} : Result<bool>{errc::store_damaged};
    }

    /// Valid frames that begin from `from` to `to`, in order, until one is damaged or `visit` has enough.
    std::error_code frames(const OriginRow& origin, std::int64_t since, std::uint64_t from, std::uint64_t to,
                           const RowVisitor& visit) {
        from = std::max(from, origin.cut + 1);
        return walk(
            range_.with(origin.number, from, to, since),
            [&](const FrameRow& row) { return row.first < from || (row.first <= to && visit(row)); }, false);
    }

    /// All frames appended after `since` and before `until`, in order, but those that are damaged.
    std::error_code all(std::int64_t since, std::int64_t until, const RowVisitor& visit) {
        return walk(all_.with(since, until), visit, true);
    }

    /// Null where there is none.
    std::error_code snapshot(SharedBytes& snapshot) {
        snapshot = nullptr;
        if (const int result = connection_.run("BEGIN"); result != SQLITE_OK) return sqlite_error(result);
        const std::error_code error = read_snapshot(snapshot);
        connection_.run("COMMIT");
        return error;
    }

   private:
    /// The frames of a row, until `visit` has enough; false, with nothing visited, where it is damaged.
    template <class F>
    static bool read(SqliteStatement& statement, F&& visit) {
        const FramesRow row{statement.integer(0), statement.integer(1), statement.counter(2),
                            statement.counter(3), statement.blob(6),    statement.blob(5)};
        return statement.integer(4) == checksum_of(row) && for_each_frame(row, visit);
    }

    static std::error_code walk(SqliteStatement& statement, const RowVisitor& visit, bool over_damage) {
        int result = SQLITE_OK;
        bool whole = true, enough = false;
        while (!enough && statement.step(result))
            if (!read(statement, [&](const FrameRow& row) { return enough = !visit(row), !enough; })) {
                whole = false;
                if (!over_damage) break;
            }
        statement.reset();
        return whole ? sqlite_error(result) : errc::store_damaged;
    }

    std::error_code read_snapshot(SharedBytes& snapshot) {
        FileRow row;
        if (const std::error_code error = file(row)) return error;
        if (row.generation == 0 || row.size == 0) return {};
        Bytes bytes;
        const std::int64_t first = row.generation * sqlite_generation;
        int result = SQLITE_OK;
        chunks_.with(first, first + sqlite_generation);
        for (std::int64_t next = first; bytes.size() < row.size - 1 && chunks_.step(result); ++next) {
            const ByteView chunk = chunks_.blob(1);
            if (chunks_.integer(0) != next || chunks_.integer(2) != sqlite_checksum(chunk, next)) break;
            if (next == first) bytes.reserve(row.size - 1);
            bytes.insert(bytes.end(), chunk.begin(), chunk.end());
        }
        chunks_.reset();
        if (const std::error_code error = sqlite_error(result)) return error;
        if (bytes.size() != row.size - 1) return errc::store_damaged;
        snapshot = SharedBytes{std::move(bytes)};
        return {};
    }

    SqliteConnection connection_;
    SqliteStatement covering_, range_, all_, last_, origins_, values_, chunks_;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_replacement.hpp ----

// netsync: a whole SQLite file takes the place of one that SQLite does not open any more. For whoever has the lock of a
// file.

namespace netsync::detail {

/// The old write-ahead log must not be read as that of the new file, and the two do not go in one step. So the new file
/// gets a name first that says that it is the one that counts; with that it is decided, and what is left to do is done
/// at once, or at the next opening.
class SqliteReplacement {
   public:
    explicit SqliteReplacement(const SqliteOptions& options)
        : file_(options.file), whole_(options.file + "-whole"),
          vfs_(sqlite3_vfs_find(options.vfs.empty() ? nullptr : options.vfs.c_str())) {}

    /// `file`: on disk, all of it, and closed; its lock lies beside it.
    std::error_code replace_by(const std::string& file) const {
        if (const std::error_code error = move(file, whole_)) return error;
        if (const std::error_code error = remove(file + "-lock")) return error;
        return finish();
    }

    /// Where it was decided and not done.
    std::error_code finish() const {
        std::error_code none;
        if (!std::filesystem::exists(whole_, none)) return {};
        if (const std::error_code error = remove(file_ + "-wal")) return error;
        if (const std::error_code error = move(whole_, file_)) return error;
        static_cast<void>(remove(file_ + "-shm"));  // is made anew
        return {};
    }

   private:
    static std::error_code move(const std::string& from, const std::string& to) {
        std::error_code failed;
        std::filesystem::rename(from, to, failed);
        if (!failed) return {};
        return failed == std::errc::permission_denied || failed == std::errc::read_only_file_system
                   ? errc::store_read_only
                   : errc::store_io;
    }

    /// The folder is synced with it, and so what was moved before.
    std::error_code remove(const std::string& file) const {
        if (!vfs_) return errc::store_io;
        const int result = vfs_->xDelete(vfs_, file.c_str(), 1);
        return result == SQLITE_IOERR_DELETE_NOENT ? std::error_code{} : sqlite_error(result);
    }

    const std::string file_, whole_;
    sqlite3_vfs* const vfs_;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_writer.hpp ----

// netsync: writes a replica's SQLite file: whole commits, and between them, in bounded steps, what may wait.

namespace netsync::detail {

/// The only connection that writes and checkpoints (SQLite before 3.51.3 may damage a file whose log is reset by one of
/// several). For one thread at a time. Whatever fails is rolled back, and may be tried again: no operation minds being
/// done twice.
class SqliteWriter {
   public:
    explicit SqliteWriter(SqliteOptions options) : options_(std::move(options)) {}

    std::error_code open(bool may_create) {
        close();
        const std::error_code locked = lock_.take(options_);
        if (locked && locked != errc::store_read_only) return locked;
        if (!locked)
            if (const std::error_code error = SqliteReplacement{options_}.finish()) return error;
        const int flags = SQLITE_OPEN_READWRITE | (may_create ? SQLITE_OPEN_CREATE : 0);
        int result = connection_.open(options_.file, flags, options_.vfs);
        if (result == SQLITE_OK) protect(), connection_.be_patient();
        if (result == SQLITE_OK) result = connection_.run("PRAGMA trusted_schema = 0; PRAGMA cell_size_check = 1");
        if (result == SQLITE_OK) connection_.checkpoint_at_close(false);
        std::error_code error = sqlite_error(result);
        if (!error) error = open_schema(connection_, options_, sqlite_versions, may_create);
        if (!error) connection_.checkpoint_at_close(true);
        if (!error) error = read_file_row(connection_, file_);
        if (!error) error = locked ? locked : prepare();
        if (error) close();
        return error;
    }

    /// The file is free for others.
    void leave() {
        close();
        lock_.release();
        later_ = {};
        garbage_ = true;
    }

    void close() {
        for (SqliteStatement* statement : {&begin_, &commit_, &frame_, &origin_, &value_, &chunk_, &file_statement_,
                                           &uncut_, &old_chunks_, &cleared_, &cut_, &emptied_})
            *statement = {};
        connection_.close();
    }

    /// All of it, or nothing; but a snapshot that may wait, and the cuts that it holds, come later. What another snapshot
    /// follows is not written.
    std::error_code write(const std::deque<SqliteOperation>& operations) {
        if (const std::error_code error = reopen()) return error;
        Later later = later_;
        FileRow file = file_;
        const auto at = std::find_if(operations.rbegin(), operations.rend(),
                                     [this](const SqliteOperation& operation) { return is_final(operation); });
        const SqliteOperation* final = at == operations.rend() ? nullptr : &*at;
        if (const auto* snapshot = final ? std::get_if<SnapshotRow>(final) : nullptr)
            if (const std::error_code error = prepare_snapshot(*snapshot)) return error;
        bool behind = final != nullptr;  // what was said of a snapshot before the final word does not count
        std::int64_t sequence = last_;
        const std::error_code error = transact([&] {
            int result = SQLITE_OK;
            std::size_t next = 0;
            for (std::size_t place = 0; place < operations.size() && result == SQLITE_OK; place = next) {
                const SqliteOperation& operation = operations[place];
                next = place + 1;
                result = std::visit(Overloaded{
                                        [&](const FrameRow&) {
                                            next = place + put_frames(operations, place, result);
                                            sequence = std::get<FrameRow>(operations[next - 1]).sequence;
                                            return result;
                                        },
                                        [&](const OriginRow& row) { return put(row); },
                                        [&](const CutRow& row) {
                                            if (!later.snapshot) return put(row.origin);
                                            later.cuts.push_back(row.origin);
                                            return SQLITE_OK;
                                        },
                                        [&](const ValueRow& row) { return put(row); },
                                        [&](const SnapshotRow& row) {
                                            if (behind && &operation != final) return SQLITE_OK;
                                            behind = false;
                                            return replace_snapshot(row, later, file);
                                        },
                                        [&](const ClearRow& row) {
                                            behind = behind && &operation != final;
                                            later = {};
                                            file.since = row.since;
                                            file.generation = row.generation;
                                            file.size = 0;
                                            file.heads.clear();
                                            const int put_file = put(file);
                                            return put_file == SQLITE_OK ? uncut_.run() : put_file;
                                        },
                                    },
                                    operation);
            }
            return result;
        });
        maybe_ = std::max(maybe_, sequence);
        again_ = static_cast<bool>(error);
        if (error) return error;
        garbage_ =
            garbage_ || std::any_of(operations.begin(), operations.end(), [](const SqliteOperation& operation) {
                return !std::holds_alternative<FrameRow>(operation) && !std::holds_alternative<ValueRow>(operation);
            });
        last_ = maybe_ = std::max(last_, sequence);
        later_ = std::move(later);
        file_ = std::move(file);
        return {};
    }

    bool has_more() const noexcept { return later_.snapshot || garbage_; }
    bool has_snapshot() const noexcept { return later_.snapshot.has_value(); }

    /// One step of what may wait: a part of a snapshot, or some rows that are not valid any more.
    std::error_code work() {
        if (const std::error_code error = reopen()) return error;
        if (!later_.snapshot) return collect();
        const SnapshotRow& snapshot = *later_.snapshot;
        const std::size_t next = later_.written + step();
        FileRow file = file_;
        const std::error_code error = transact([&] {
            int result = put_chunks(snapshot, later_.written);
            if (next < snapshot.bytes->size()) return result;
            if (result == SQLITE_OK) result = count_snapshot(snapshot, file);
            for (const OriginRow& cut : later_.cuts)
                if (result == SQLITE_OK) result = put(cut);
            return result;
        });
        if (error) return error;
        later_.written = next;
        if (next < snapshot.bytes->size()) return {};
        file_ = std::move(file);
        later_ = {};
        garbage_ = true;
        return {};
    }

    /// What another file holds takes the place of what is in this one: all of it, or nothing, whatever is damaged here, as
    /// long as SQLite opens it.
    std::error_code become(const SqliteWriter& other) {
        close();
        SqliteConnection to;
        int result = to.open(options_.file, SQLITE_OPEN_READWRITE, options_.vfs);
        if (result != SQLITE_OK) return sqlite_error(result);
        to.be_patient();
        sqlite3_backup* copy = sqlite3_backup_init(to.get(), "main", other.connection_.get(), "main");
        if (!copy) return sqlite_error(sqlite3_errcode(to.get()));
        static_cast<void>(sqlite3_backup_step(copy, -1));
        result = sqlite3_backup_finish(copy);
        to.close();
        if (result != SQLITE_OK) return sqlite_error(result);
        know_as(other);
        return {};
    }

    /// All that was written is on disk, and in the file itself.
    std::error_code settle() {
        int result = connection_.run("PRAGMA synchronous = FULL");
        if (result != SQLITE_OK) return sqlite_error(result);
        if (const std::error_code error = transact([&] { return put(file_); })) return error;  // so that it syncs
        result = sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
        return sqlite_error(result);
    }

    /// The other file itself, which is settled, takes the place of this one.
    std::error_code give_way_to(SqliteWriter& other) {
        close();
        know_as(other);
        other.close();
        other.lock_.release();
        return SqliteReplacement{options_}.replace_by(other.options_.file);
    }

    /// The last frame in the file, as it was read at the opening.
    void expect(std::int64_t last) noexcept { last_ = maybe_ = last; }

   private:
    /// What is done between commits.
    struct Later {
        std::optional<SnapshotRow> snapshot{};
        std::size_t written = 0;
        std::vector<OriginRow> cuts{};  // what the snapshot holds
    };

    void protect() const {
        std::error_code none;
        if (!connection_.is_read_only() && std::filesystem::file_size(options_.file, none) == 0 && !none)
            for (const char* end : {"", "-lock"})
                std::filesystem::permissions(options_.file + end,
                                             std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                                             none);
    }

    std::error_code prepare() {
        if (connection_.is_read_only()) return errc::store_read_only;
        int result = connection_.run(options_.synchronous == Synchronous::full     ? "PRAGMA synchronous = FULL"
                                     : options_.synchronous == Synchronous::normal ? "PRAGMA synchronous = NORMAL"
                                                                                   : "PRAGMA synchronous = OFF");
        if (result == SQLITE_OK) result = connection_.run("PRAGMA journal_size_limit = 4194304");
        for (auto [statement, text] : {
                 std::pair{&begin_, "BEGIN IMMEDIATE"},
                 std::pair{&commit_, "COMMIT"},
                 std::pair{&frame_, "INSERT OR REPLACE INTO frame VALUES(?, ?, ?, ?, ?, ?, ?)"},
                 std::pair{&origin_, "INSERT OR REPLACE INTO origin VALUES(?, ?, ?, ?, ?, ?)"},
                 std::pair{&value_, "INSERT OR REPLACE INTO value VALUES(?, ?, ?)"},
                 std::pair{&chunk_, "INSERT OR REPLACE INTO chunk VALUES(?, ?, ?)"},
                 std::pair{&file_statement_, "INSERT OR REPLACE INTO file VALUES(1, ?, ?, ?, ?, ?, ?)"},
                 std::pair{&uncut_, "DELETE FROM origin"},
                 std::pair{&old_chunks_, "DELETE FROM chunk WHERE number IN (SELECT number FROM chunk"
                                         " WHERE number < ?1 OR number >= ?2 LIMIT 32)"},
                 std::pair{&cleared_, "DELETE FROM frame WHERE sequence IN (SELECT sequence FROM frame"
                                      " WHERE sequence <= ? LIMIT 500)"},
                 std::pair{&cut_, "DELETE FROM frame WHERE sequence IN (SELECT f.sequence FROM origin o CROSS JOIN"
                                  " frame f ON f.origin = o.number AND f.first <= o.cut"
                                  " AND f.first + f.count - 1 <= o.cut LIMIT 500)"},
                 std::pair{&emptied_, "DELETE FROM frame WHERE sequence IN (SELECT f.sequence FROM origin o CROSS JOIN"
                                      " frame f ON f.origin = o.number AND f.sequence <= o.since"
                                      " WHERE o.since > 0 LIMIT 500)"},
             })
            if (result == SQLITE_OK) result = statement->prepare(connection_, text);
        return schema_error(result);
    }

    /// After an error other than a full disk the connection starts again.
    std::error_code reopen() {
        if (connection_.is_open()) return {};
        const std::int64_t generation = file_.generation;
        std::int64_t last = 0;
        std::error_code error = open(false);
        if (!error)
            error = sqlite_error(sqlite_number(connection_, "SELECT coalesce(max(sequence), 0) FROM frame", last));
        if (!error && (last > maybe_ || file_.generation < generation)) error = errc::store_in_use;
        if (error) close();
        return error;
    }

    void know_as(const SqliteWriter& other) {
        file_ = other.file_;
        last_ = maybe_ = other.last_;
        later_ = other.later_;
        garbage_ = true;
        again_ = false;
    }

    template <class F>
    std::error_code transact(F&& steps) {
        int result = begin_.run();
        if (result == SQLITE_OK) result = steps();
        if (result == SQLITE_OK) result = commit_.run();
        if (result == SQLITE_OK) return {};
        connection_.run("ROLLBACK");
        if ((result & 0xff) != SQLITE_FULL) close();
        return sqlite_error(result);
    }

    std::size_t step() const noexcept { return (options_.step + sqlite_chunk - 1) / sqlite_chunk * sqlite_chunk; }
    bool waits(const SnapshotRow& row) const noexcept { return row.may_wait && row.bytes->size() > options_.step; }

    /// How many of the frames from this one on. Those of a commit that failed may be in the file, in rows of some; only
    /// rows of one take the place of both.
    std::size_t put_frames(const std::deque<SqliteOperation>& operations, std::size_t at, int& result) {
        const std::size_t together = again_ ? 1 : FramesToWrite::together(operations, at);
        const std::size_t count = together < FramesToWrite::least ? 1 : together;
        const FramesRow row = frames_.gather(operations, at, count);
        result = frame_.run(row.sequence, row.origin, row.first, row.count, checksum_of(row), row.bytes, row.parts);
        return count;
    }
    int put(const OriginRow& row) {
        return origin_.run(row.number, row.replica.owner_bits, row.replica.incarnation, row.cut, row.since,
                           checksum_of(row));
    }
    int put(const ValueRow& row) {
        return value_.run(std::string_view{row.key}, sqlite_checksum(row.bytes, sqlite_checksum(as_bytes(row.key))),
                          ByteView{row.bytes});
    }
    int put(const FileRow& row) {
        return file_statement_.run(std::string_view{row.pool}, row.since, row.generation, row.size, ByteView{row.heads},
                                   checksum_of(row));
    }

    /// One step's worth of a snapshot.
    int put_chunks(const SnapshotRow& row, std::size_t from) {
        const std::size_t to = std::min(row.bytes->size(), from + step());
        int result = SQLITE_OK;
        for (std::size_t at = from; at < to && result == SQLITE_OK; at += sqlite_chunk) {
            const ByteView chunk = ByteView{*row.bytes}.subspan(at, std::min(sqlite_chunk, row.bytes->size() - at));
            const std::int64_t number =
                row.generation * sqlite_generation + static_cast<std::int64_t>(at / sqlite_chunk);
            result = chunk_.run(number, sqlite_checksum(chunk, number), chunk);
        }
        return result;
    }

    /// Nothing that was said of a snapshot before counts any more.
    bool is_final(const SqliteOperation& operation) const noexcept {
        const auto* snapshot = std::get_if<SnapshotRow>(&operation);
        return snapshot ? !waits(*snapshot) : std::holds_alternative<ClearRow>(operation);
    }

    /// One that is large, and may not wait, is written in steps before the commit that makes it count.
    std::error_code prepare_snapshot(const SnapshotRow& row) {
        if (row.bytes->size() <= options_.step) return {};
        for (std::size_t at = 0; at < row.bytes->size(); at += step())
            if (const std::error_code error = transact([&] { return put_chunks(row, at); })) return error;
        return {};
    }

    int replace_snapshot(const SnapshotRow& row, Later& later, FileRow& file) {
        if (waits(row)) {
            later.snapshot = row;
            later.written = 0;
            return SQLITE_OK;
        }
        int result = row.bytes->size() > options_.step ? SQLITE_OK : put_chunks(row, 0);
        if (result == SQLITE_OK) result = count_snapshot(row, file);
        for (const OriginRow& cut : later.cuts)
            if (result == SQLITE_OK) result = put(cut);
        later = {};
        return result;
    }

    int count_snapshot(const SnapshotRow& row, FileRow& file) {
        Output heads;
        heads(row.heads);
        file.generation = row.generation;
        file.size = row.bytes->size() + 1;
        file.heads = heads.take();
        return put(file);
    }

    std::error_code collect() {
        const std::int64_t first = file_.generation * sqlite_generation;
        const std::int64_t before = sqlite3_total_changes64(connection_.get());
        const std::error_code error = transact([&] {
            int result = old_chunks_.run(first, first + sqlite_generation);
            if (result == SQLITE_OK) result = cleared_.run(file_.since);
            if (result == SQLITE_OK) result = cut_.run();
            return result == SQLITE_OK ? emptied_.run() : result;
        });
        if (!error) garbage_ = sqlite3_total_changes64(connection_.get()) != before;
        return error;
    }

    const SqliteOptions options_;
    SqliteLock lock_;
    SqliteConnection connection_;
    SqliteStatement begin_, commit_, frame_, origin_, value_, chunk_, file_statement_, uncut_, old_chunks_, cleared_,
        cut_, emptied_;
    FramesToWrite frames_;
    FileRow file_;
    Later later_;
    bool again_ = false;   // the last commit failed
    bool garbage_ = true;  // a crash may have left some
    std::int64_t last_ = 0, maybe_ = 0;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_repair.hpp ----

// netsync: an SQLite file that was found damaged while its replica runs, written anew. A snapshot of all that the replica
// holds comes in with the next commit; what can still be read of the log is kept, and the rest is in the snapshot.

namespace netsync::detail {

/// What a file is to hold beside what is to be committed.
struct SqliteContent {
    struct Log {
        OriginRow row{};
        std::uint64_t last = 0;   // the counter of its last frame in the file; 0: none is there
        std::uint64_t first = 0;  // where the frames begin that can be kept, up to the last one; 0: there are none
        std::uint64_t next = 0;
    };

    std::int64_t since = 0, until = 0;     ///< of the frames in the file, those between are valid
    OrderedMap<std::int64_t, Log> logs{};  ///< by the number of the origin
    std::deque<SqliteOperation> values{};
};

/// For the thread of a store. The new content is made in a file of its own, and takes the place of the old one in one
/// transaction: so a crash leaves the one or the other. Where SQLite does not open the old file any more (its first page is
/// damaged), the new file itself takes its place.
class SqliteRepair {
   public:
    explicit SqliteRepair(SqliteOptions options) : options_(std::move(options)) {
        file_.file = options_.file + "-new";
        file_.pool = options_.pool;
        file_.vfs = options_.vfs;
        file_.synchronous = Synchronous::off;
        remove();
    }
    ~SqliteRepair() { remove(); }
    SqliteRepair(const SqliteRepair&) = delete;
    SqliteRepair& operator=(const SqliteRepair&) = delete;

    /// Says in `content` where the frames begin that can be kept: of each origin the last ones, without a gap.
    std::error_code look(SqliteContent& content) {
        std::error_code error = reader_.open(options_);
        is_lost_ = error == errc::store_damaged || error == errc::not_a_store;
        if (!error)
            error = reader_.all(content.since, content.until, [&](const FrameRow& row) {
                SqliteContent::Log* log = content.logs.find(row.origin);
                if (!log || row.first <= log->row.cut || row.sequence <= log->row.since) return true;
                if (row.first != log->next) log->first = row.first;
                log->next = row.first + row.count;
                return true;
            });
        for (const auto& [number, log] : content.logs)
            if (log.last == 0 || log.next != log.last + 1) content.logs[number].first = 0;
        return is_lost_ || error == errc::store_damaged ? std::error_code{} : error;
    }

    /// `operations`, with a snapshot of all among them, are committed with it. `reading`: held by whoever reads the file.
    std::error_code write(SqliteContent& content, const std::deque<SqliteOperation>& operations, SqliteWriter& into,
                          std::mutex& reading) {
        SqliteWriter writer{file_};
        if (const std::error_code error = writer.open(true)) return error;
        std::deque<SqliteOperation> part{ClearRow{content.since, 0}};
        for (const auto& [number, log] : content.logs) part.push_back(log.row);
        for (SqliteOperation& value : content.values) part.push_back(std::move(value));
        std::size_t size = 0;
        std::error_code failed;
        const auto put = [&] {
            failed = writer.write(part);
            part.clear();
            size = 0;
            return !failed;
        };
        std::error_code read;
        if (!is_lost_)
            read = reader_.all(content.since, content.until, [&](const FrameRow& row) {
                const SqliteContent::Log* log = content.logs.find(row.origin);
                if (!log || log->first == 0 || row.first < log->first || row.sequence <= log->row.since) return true;
                part.push_back(row);
                size += row.bytes->size();
                return size < options_.step || put();
            });
        if (failed || (read && read != errc::store_damaged)) return failed ? failed : read;
        if (put()) failed = writer.write(operations);
        reader_.close();
        if (failed) return failed;
        if (!is_lost_) return into.become(writer);
        if (const std::error_code error = writer.settle()) return error;
        const std::lock_guard nobody_reads{reading};
        return into.give_way_to(writer);
    }

   private:
    void remove() {
        reader_.close();
        std::error_code none;
        for (const char* end : {"", "-wal", "-shm", "-lock"}) std::filesystem::remove(file_.file + end, none);
    }

    const SqliteOptions options_;
    SqliteOptions file_;
    SqliteReader reader_;
    bool is_lost_ = false;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_index.hpp ----

// netsync: where the log of each origin stands in a SqliteStore, and what waits to be written to its file. Operations come
// in and are staged; whoever writes takes them out.

namespace netsync::detail {

/// Staged changes included; nothing here reads the file but load(). Every call is made under the mutex of its holder, but
/// `waiting`.
class SqliteIndex {
   public:
    /// Where one origin's log stands, staged changes included.
    struct Log {
        OriginRow row{};
        std::uint64_t last = 0;
        std::uint64_t last_first = 0;   // of its last frame
        std::deque<FrameRow> staged{};  // not in the file yet

        bool empty() const noexcept { return last_first <= row.cut; }
        /// The first that is not in the file.
        std::uint64_t first_staged() const noexcept { return staged.empty() ? last + 1 : staged.front().first; }
    };

    std::error_code append(const Frame& frame) {
        const FrameHeader& header = frame.header();
        Log& log = log_of(header.origin);
        if (!log.empty() && header.first != log.last + 1) return errc::not_contiguous;
        log.last = header.last();
        log.last_first = header.first;
        log.staged.push_back({++sequence_, log.row.number, header.first, header.count, frame.bytes()});
        stage(log.staged.back(), frame.size_bytes());
        return {};
    }

    /// `heals`: it is to be written at once, whatever it tells.
    void adopt(const SharedBytes& snapshot, const std::vector<Head>& heads, bool heals) {
        const bool is_known = std::all_of(heads.begin(), heads.end(), [&](const Head& head) {
            const Log* log = logs_.find(head.replica);
            const std::uint64_t* covered = heads_.find(head.replica);
            return (log && !log->empty() && head.counter <= log->last) || (covered && head.counter <= *covered);
        });
        stage(SnapshotRow{++generation_, snapshot, heads, is_known && !heals}, 0);
        snapshot_ = snapshot;
        has_snapshot_ = true;
        heads_.clear();
        for (const Head& head : heads) {
            heads_[head.replica] = head.counter;
            Log* log = logs_.find(head.replica);
            if (log && !log->empty() && log->last < head.counter) empty(*log);
        }
    }

    void cut(const std::vector<ReplicaCounter>& counters) {
        for (const ReplicaCounter& upto : counters) {
            Log* log = logs_.find(upto.replica);
            if (!log || log->empty() || upto.counter <= log->row.cut) continue;
            if (log->last_first <= upto.counter) {
                empty(*log);
                continue;
            }
            log->row.cut = upto.counter;
            while (!log->staged.empty() && log->staged.front().first <= upto.counter) log->staged.pop_front();
            stage(CutRow{log->row}, 0);
        }
    }

    void clear() {
        since_ = sequence_;
        stage(ClearRow{since_, ++generation_}, 0);
        logs_.clear();
        origins_.clear();
        heads_.clear();
        snapshot_ = nullptr;
        has_snapshot_ = false;
    }

    void put(std::string_view key, ByteView value) {
        Bytes& kept = values_[std::string(key)];
        kept.assign(value.begin(), value.end());
        stage(ValueRow{std::string(key), kept}, value.size());
    }

    std::optional<Bytes> get(std::string_view key) const {
        const Bytes* found = values_.find(key);
        return found ? std::optional{*found} : std::nullopt;
    }

    const Log* find(const ReplicaId& origin) const { return logs_.find(origin); }
    const OrderedMap<ReplicaId, Log>& logs() const noexcept { return logs_; }
    std::int64_t since() const noexcept { return since_; }
    /// Beyond all frames.
    std::int64_t until() const noexcept { return sequence_ + 1; }
    bool has_snapshot() const noexcept { return has_snapshot_; }
    /// Null once it is in the file.
    const SharedBytes& snapshot() const noexcept { return snapshot_; }

    void forget_all() {
        logs_.clear();
        origins_.clear();
        heads_.clear();
        values_.clear();
        snapshot_ = nullptr;
        has_snapshot_ = false;
        sequence_ = since_ = generation_ = numbers_ = written_generation_ = 0;
        staged_.clear();
        staged_bytes_ = 0;
        waiting = 0;
    }

    /// What the file holds, as far as it can be read. `in_file`: the sequence of its last frame.
    std::error_code load(SqliteReader& reader, std::int64_t& in_file) {
        FileRow file;
        std::error_code damage;
        const auto fails = [&](std::error_code error) {
            damage = error ? error : damage;
            return error && error != errc::store_damaged;
        };
        if (const std::error_code error = reader.file(file)) return error;
        if (const std::error_code error = reader.last_sequence(in_file)) return error;
        since_ = file.since;
        generation_ = file.generation;
        sequence_ = std::max(in_file, since_);
        has_snapshot_ = file.size > 0;
        std::vector<Head> heads;
        Input in{file.heads, Limits::state_budget(file.heads.size())};
        if (!file.heads.empty()) in(heads);
        for (const Head& head : heads) heads_[head.replica] = head.counter;
        if (fails(reader.values([&](std::string_view key, ByteView bytes) {
                values_[std::string(key)].assign(bytes.begin(), bytes.end());
            })))
            return damage;
        if (fails(reader.origins([&](const OriginRow& row) {
                logs_[row.replica].row = row;
                origins_[row.number] = row.replica;
                numbers_ = std::max(numbers_, row.number);
                sequence_ = std::max(sequence_, row.since);
            })))
            return damage;
        for (const auto& [number, origin] : origins_) {
            Log& log = logs_[origin];
            FrameRow row{};
            const Result<bool> found = reader.covering(log.row, std::max(since_, log.row.since), max_counter, row);
            if (!found && fails(found.error())) return damage;
            if (!found || !*found) continue;
            log.last = row.first + row.count - 1;
            log.last_first = row.first;
        }
        return damage;
    }

    /// Whether a snapshot up to there says all that the logs do.
    bool holds_all(const std::vector<Head>& heads) const {
        const auto holds = [&](const ReplicaId& origin, std::uint64_t counter) {
            return std::any_of(heads.begin(), heads.end(),
                               [&](const Head& head) { return head.replica == origin && head.counter >= counter; });
        };
        for (const auto& [origin, log] : logs_)
            if (!log.empty() && !holds(origin, log.last)) return false;
        return true;
    }

    /// For a file that is written anew: what it is to hold beside what waits.
    SqliteContent content() const {
        SqliteContent content{.since = since_, .until = until()};
        for (const auto& [origin, log] : logs_) {
            content.logs[log.row.number] = {log.row, log.empty() ? 0 : log.first_staged() - 1};
            if (!log.staged.empty()) content.until = std::min(content.until, log.staged.front().sequence);
        }
        for (const auto& [key, bytes] : values_) content.values.push_back(ValueRow{key, bytes});
        return content;
    }
    /// It was: of what could not be kept nothing is held any more.
    void keep_only(const SqliteContent& content) {
        for (const auto& [number, kept] : content.logs) {
            const ReplicaId* origin = origins_.find(number);
            Log* log = origin ? logs_.find(*origin) : nullptr;
            if (log && log->staged.empty() && kept.first == 0 && log->last == kept.last) empty(*log);
        }
    }

    /// What is staged goes behind what is being written. How many bytes that is.
    std::size_t take_staged(std::deque<SqliteOperation>& writing) {
        if (writing.empty()) writing.swap(staged_);
        for (; !staged_.empty(); staged_.pop_front()) writing.push_back(std::move(staged_.front()));
        return std::exchange(staged_bytes_, 0);
    }
    /// An operation is in the file, or, of a snapshot, is kept by the writer.
    void written(const SqliteOperation& operation) {
        if (const auto* row = std::get_if<SnapshotRow>(&operation)) written_generation_ = row->generation;
        const auto* frame = std::get_if<FrameRow>(&operation);
        const ReplicaId* origin = frame ? origins_.find(frame->origin) : nullptr;
        Log* log = origin ? logs_.find(*origin) : nullptr;
        if (log && !log->staged.empty() && log->staged.front().sequence == frame->sequence) log->staged.pop_front();
    }
    /// The writer has no snapshot any more: the last one is in the file, unless another came meanwhile.
    void snapshot_written() {
        if (written_generation_ == generation_) snapshot_ = nullptr;
    }

    std::atomic<std::size_t> waiting = 0;  ///< bytes that are staged, or being written

   private:
    static constexpr std::size_t overhead = 224;  // of a row that waits: its bytes' block, and its place in two queues

    Log& log_of(const ReplicaId& origin) {
        if (Log* log = logs_.find(origin)) return *log;
        Log& log = logs_[origin];
        log.row = {++numbers_, origin, 0, 0};
        origins_[numbers_] = origin;
        stage(log.row, 0);
        return log;
    }

    void empty(Log& log) {
        log.row.cut = 0;
        log.row.since = sequence_;
        log.last = log.last_first = 0;
        log.staged.clear();
        stage(CutRow{log.row}, 0);
    }

    void stage(SqliteOperation operation, std::size_t size) {
        staged_.push_back(std::move(operation));
        staged_bytes_ += size + overhead;
        waiting += size + overhead;
    }

    OrderedMap<ReplicaId, Log> logs_;
    OrderedMap<std::int64_t, ReplicaId> origins_;  // by number
    OrderedMap<ReplicaId, std::uint64_t> heads_;   // of the snapshot
    OrderedMap<std::string, Bytes> values_;
    SharedBytes snapshot_;
    bool has_snapshot_ = false;
    std::int64_t sequence_ = 0, since_ = 0, generation_ = 0, numbers_ = 0;
    std::int64_t written_generation_ = 0;
    std::deque<SqliteOperation> staged_;
    std::size_t staged_bytes_ = 0;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_view.hpp ----

// netsync: what a SqliteStore tells: what is in its file and valid, and what waits to be written, in one.

namespace netsync::detail {

/// `damage` of a call: that a row is not what was written, or is missing. For any thread, one at a time; `mutex` is that of
/// the index.
class SqliteView {
   public:
    SqliteView(std::mutex& mutex, const SqliteIndex& index) : mutex_(mutex), index_(index) {}

    /// Of a file that is ours. A first page that is damaged says that there is no database.
    static bool is_damage(std::error_code error) { return error == errc::store_damaged || error == errc::not_a_store; }

    SharedBytes snapshot(std::error_code& damage) {
        {
            const std::lock_guard lock{mutex_};
            if (index_.snapshot() || !index_.has_snapshot()) return index_.snapshot();
        }
        SharedBytes read;
        const std::lock_guard nobody_else{reading};
        if (reader.is_open()) damage = reader.snapshot(read);
        return read;
    }

    void replay(const FrameVisitor& visit, std::error_code& damage) {
        std::vector<FrameRow> staged;
        struct Found {
            OriginRow origin{};
            std::uint64_t last = 0;      // so far
            std::uint64_t expected = 0;  // at the end
            bool any = false;            // must be in the file
        };
        OrderedMap<std::int64_t, Found> valid;  // by number
        std::int64_t until = 0, since = 0;
        {
            const std::lock_guard lock{mutex_};
            since = index_.since();
            until = index_.until();
            for (const auto& [origin, log] : index_.logs()) {
                valid[log.row.number] = {log.row, 0, log.first_staged() - 1, log.staged.empty() && !log.empty()};
                for (const FrameRow& row : log.staged) staged.push_back(row);
            }
        }
        std::sort(staged.begin(), staged.end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
        if (!staged.empty()) until = staged.front().sequence;
        bool enough = false, whole = true;
        const std::lock_guard nobody_else{reading};
        if (!reader.is_open()) return;
        const std::error_code error = reader.all(since, until, [&](const FrameRow& row) {
            Found* found = valid.find(row.origin);
            if (!found || row.first <= found->origin.cut || row.sequence <= found->origin.since) return true;
            if (found->last != 0 && row.first != found->last + 1) whole = false;
            found->last = row.first + row.count - 1;
            return enough = !visit(row.bytes), !enough;
        });
        for (const auto& [number, found] : valid)
            if (!enough && (found.any || found.last != 0) && found.last != found.expected) whole = false;
        damage = error ? error : whole ? std::error_code{} : errc::store_damaged;
        for (const FrameRow& row : staged)
            if (enough || !visit(row.bytes)) return;
    }

    bool frames(const CounterRange& range, const FrameVisitor& visit, std::error_code& damage) {
        const std::lock_guard nobody_else{reading};
        if (!reader.is_open()) return false;
        FrameRow row{};
        std::uint64_t next = range.first;
        for (bool first = true;; first = false) {
            OriginRow origin;
            std::int64_t since = 0;
            std::uint64_t before = 0;  // what is in memory begins here
            std::vector<FrameRow> staged;
            {
                const std::lock_guard lock{mutex_};
                const SqliteIndex::Log* log = index_.find(range.replica);
                if (!log || log->empty() || next > log->last) return !first;
                origin = log->row;
                since = std::max(index_.since(), origin.since);
                before = log->first_staged();
                auto at = std::partition_point(log->staged.begin(), log->staged.end(),
                                               [&](const auto& entry) { return entry.first + entry.count <= next; });
                for (; next >= before && at != log->staged.end() && staged.size() < few; ++at) staged.push_back(*at);
            }
            if (first && next < before) {  // the frame around the first dot
                const Result<bool> found = reader.covering(origin, since, next, row);
                if (!found && is_damage(found.error())) damage = errc::store_damaged;
                if (!found || !*found || row.first + row.count <= next) return false;
                if (!visit(row.bytes)) return true;
                next = row.first + row.count;
            } else if (next < before) {
                const std::uint64_t from = next;
                bool enough = false, hole = false;
                const std::error_code error =
                    reader.frames(origin, since, next, std::min(range.last, before - 1), [&](const FrameRow& found) {
                        if (found.first != next) return hole = true, false;
                        next = found.first + found.count;
                        return enough = !visit(found.bytes), !enough;
                    });
                if (hole || is_damage(error)) damage = errc::store_damaged;
                if (enough || hole || error || next == from) return true;
            }
            for (const FrameRow& entry : staged) {
                if (entry.first > range.last || !visit(entry.bytes)) return true;
                next = entry.first + entry.count;
            }
            if (next > range.last) return true;
        }
    }

    std::mutex reading;   ///< of the file; taken before the other
    SqliteReader reader;  ///< under it

   private:
    static constexpr std::size_t few = 64;

    std::mutex& mutex_;
    const SqliteIndex& index_;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_log.hpp ----

// netsync: what a SqliteStore does. Frames come in and are staged; a thread writes those that wait together, tells who waits,
// and then does what may wait: snapshots, and rows that are not valid any more.

namespace netsync::detail {

/// The mutex is held for moments only, never while the file is read or written, but at the opening. Reading is for the
/// replica's threads, one at a time; writing, and opening again, for the thread of the store.
class SqliteLog {
   public:
    explicit SqliteLog(SqliteOptions chosen) : options(std::move(chosen)), writer_(options) {}
    ~SqliteLog() {
        if (!thread_.joinable()) return;
        {
            const std::lock_guard lock{mutex_};
            closing_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    SqliteLog(const SqliteLog&) = delete;
    SqliteLog& operator=(const SqliteLog&) = delete;

    /// Once, before all else. Where it fails, each commit tries again.
    std::error_code open() {
        const std::error_code error = open_file();
        thread_ = std::thread([this] { run(); });
        return error;
    }

    std::error_code opening_error() const {
        const std::lock_guard lock{mutex_};
        return opening_error_;
    }

    std::error_code append(const Frame& frame) {
        const std::lock_guard lock{mutex_};
        return opening_error_ ? opening_error_ : index_.append(frame);
    }

    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
        const bool heals = damage_ && index_.holds_all(heads);
        index_.adopt(snapshot, heads, heals);
        heals_ = heals_ || heals;
        return {};
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        const std::lock_guard lock{mutex_};
        if (!opening_error_) index_.cut(counters);
        return opening_error_;
    }

    std::error_code clear() {
        const std::lock_guard lock{mutex_};
        if (!opening_error_) index_.clear();
        return opening_error_;
    }

    std::error_code put(std::string_view key, ByteView value) {
        const std::lock_guard lock{mutex_};
        if (!opening_error_) index_.put(key, value);
        return opening_error_;
    }

    std::error_code commit() {
        std::unique_lock lock{mutex_};
        if (requested_ || busy_) {
            requested_ = true;
        } else {  // here, where nobody is in the way: to wake another thread may take as long as to write
            write(lock);
            look_for_more();
        }
        if (requested_ || more_ || closing_) changed_.notify_all();
        changed_.wait(lock, [&] { return !requested_ && !busy_ && (stuck_ || !more_); });
        return error_;
    }

    void commit_later(std::function<void(std::error_code)> done) {
        const std::lock_guard lock{mutex_};
        requested_ = true;
        done_ = std::move(done);
        changed_.notify_all();
    }

    /// Whether the last snapshot is in memory, because not all of it is in the file.
    bool has_snapshot_waiting() const {
        const std::lock_guard lock{mutex_};
        return index_.snapshot() != nullptr;
    }
    /// Bytes that wait to be written.
    std::size_t waiting() const noexcept { return index_.waiting; }

    std::optional<Bytes> get(std::string_view key) const {
        const std::lock_guard lock{mutex_};
        return index_.get(key);
    }

    SharedBytes snapshot() {
        std::error_code damage;
        SharedBytes read = view_.snapshot(damage);
        note(damage);
        return read;
    }
    void replay(const FrameVisitor& visit) {
        std::error_code damage;
        view_.replay(visit, damage);
        note(damage);
    }
    bool frames(const CounterRange& range, const FrameVisitor& visit) {
        std::error_code damage;
        const bool held = view_.frames(range, visit, damage);
        note(damage);
        return held;
    }

    const SqliteOptions options;

   private:
    static constexpr std::size_t portion = 256;

    /// When a file was changed last, and its size: whether it is worth another look.
    struct Stamp {
        std::filesystem::file_time_type time{};
        std::uintmax_t size = 0;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    static Stamp stamp_of(const std::string& file) {
        std::error_code none;
        Stamp stamp{std::filesystem::last_write_time(file, none), 0};
        stamp.size = std::filesystem::file_size(file, none);
        return stamp;
    }

    /// Nobody else has the file meanwhile, or any longer where it fails; but what is damaged can be read until the next
    /// time, which comes when the file is another.
    std::error_code open_file() {
        const std::lock_guard reading{view_.reading};
        const std::error_code before = opening_error();
        view_.reader.close();
        writer_.leave();
        const Stamp stamp = stamp_of(options.file);
        if (before == errc::store_damaged && stamp == stamp_) return before;
        stamp_ = stamp;
        const std::error_code written = writer_.open(true);
        std::error_code error = written == errc::store_read_only ? std::error_code{} : written;
        if (!error) error = view_.reader.open(options);
        const std::lock_guard lock{mutex_};
        forget_all();
        std::int64_t last = 0;
        if (!error) error = index_.load(view_.reader, last);
        writer_.expect(last);
        if (error) writer_.leave();
        if (error && error != errc::store_damaged) forget_all();
        opening_error_ = error;
        error_ = error ? error : written;
        return error;
    }

    void forget_all() {
        index_.forget_all();
        writing_.clear();
        writing_bytes_ = 0;
        is_read_ = heals_ = false;
        damage_ = {};
    }

    /// What could not be read is not known to the replica, which therefore must not go on writing. At the opening: until it
    /// is read again. Later, what was read then may have become more: not any more.
    void note(std::error_code error) {
        if (!error) return;
        const std::lock_guard lock{mutex_};
        if (is_read_ && SqliteView::is_damage(error)) error = errc::store_damaged;
        std::error_code& kept = is_read_ ? damage_ : opening_error_;
        if (!kept) kept = error;
    }

    // The thread of the store.

    /// Commits and steps of what may wait take turns: neither comes to a halt where there is always more of the other.
    void run() {
        std::unique_lock lock{mutex_};
        for (bool turn = false;;) {       // of what may wait
            if (!busy_) look_for_more();  // a commit() under way does so itself
            if (!requested_) changed_.notify_all();
            changed_.wait(lock, [&] { return !busy_ && (requested_ || closing_ || (more_ && !stuck_)); });
            if (closing_ && !requested_) return;
            turn = more_ && !stuck_ && (turn || !requested_);
            if (turn)
                work(lock);
            else
                write(lock);
            turn = !turn;
        }
    }

    void look_for_more() { more_ = !opening_error_ && !damage_ && writer_.has_more(); }

    void write(std::unique_lock<std::mutex>& lock) {
        requested_ = false;
        busy_ = true;
        const auto done = std::exchange(done_, nullptr);
        const bool reopens = static_cast<bool>(opening_error_);
        if (reopens) {
            lock.unlock();
            static_cast<void>(open_file());
            lock.lock();
        }
        writing_bytes_ += index_.take_staged(writing_);
        std::error_code error = opening_error_ ? opening_error_ : damage_;
        if (!opening_error_ && damage_ && heals_) {
            error = repair(lock);
        } else if (!error && (!writing_.empty() || error_)) {
            lock.unlock();
            error = writer_.write(writing_);
            lock.lock();
        }
        error = judge(error, lock);
        error_ = error;
        stuck_ = static_cast<bool>(error);
        if (!error) forget_written(lock);
        is_read_ = is_read_ || (!reopens && !error);
        if (done) {
            lock.unlock();
            done(error);
            lock.lock();
        }
        busy_ = false;
    }

    void work(std::unique_lock<std::mutex>& lock) {
        busy_ = true;
        lock.unlock();
        const std::error_code error = writer_.work();
        lock.lock();
        stuck_ = static_cast<bool>(error);  // until the next commit
        static_cast<void>(judge(error, lock));
        busy_ = false;
        if (!error && !writer_.has_snapshot()) index_.snapshot_written();
    }

    /// What the writer found, which opens the file anew at times. One that was ours and looks like another's is damaged,
    /// unless it is another.
    std::error_code judge(std::error_code error, std::unique_lock<std::mutex>& lock) {
        if (!is_read_ || opening_error_) return error;
        const bool is_other = error == errc::not_a_store || error == errc::wrong_pool || error == errc::store_version;
        if (is_other) {
            lock.unlock();
            bool replaced = false;
            {
                const std::lock_guard reading{view_.reading};
                replaced = !view_.reader.is_in_place();
            }
            lock.lock();
            if (replaced) return error;
            error = errc::store_damaged;
        }
        if (error == errc::store_damaged && !damage_) damage_ = error;
        return error;
    }

    /// Writes the file anew: what of it can be read and is valid, and what waits.
    std::error_code repair(std::unique_lock<std::mutex>& lock) {
        SqliteContent content = index_.content();
        lock.unlock();
        const std::error_code error = write_anew(content);
        lock.lock();
        if (error) return error;
        damage_ = {};
        heals_ = false;
        index_.keep_only(content);
        return {};
    }

    std::error_code write_anew(SqliteContent& content) {
        SqliteRepair repair{options};
        if (const std::error_code error = repair.look(content)) return error;
        {
            const std::lock_guard reading{view_.reading};
            if (view_.reader.is_open() && !view_.reader.is_in_place())
                return errc::store_in_use;  // what is there is not ours
        }
        if (const std::error_code error = repair.write(content, writing_, writer_, view_.reading)) return error;
        const std::lock_guard reading{view_.reading};
        if (view_.reader.is_in_place()) return {};
        view_.reader.close();
        return view_.reader.open(options);
    }

    /// In portions, between which others have the mutex; what was written is let go of without it.
    void forget_written(std::unique_lock<std::mutex>& lock) {
        std::deque<SqliteOperation> written = std::exchange(writing_, {});
        std::size_t count = 0;
        for (const SqliteOperation& operation : written) {
            if (++count % portion == 0) {
                lock.unlock();
                lock.lock();
            }
            index_.written(operation);
        }
        lock.unlock();
        written.clear();
        lock.lock();
        index_.waiting -= std::exchange(writing_bytes_, 0);
        if (!writer_.has_snapshot()) index_.snapshot_written();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    SqliteIndex index_;
    std::deque<SqliteOperation> writing_;
    std::size_t writing_bytes_ = 0;
    std::error_code error_;
    std::error_code opening_error_, damage_;  // why nothing is written
    bool is_read_ = false;                    // and more may have come to it
    bool heals_ = false;                      // a snapshot waits to be written that says all that is held
    Stamp stamp_;                             // of the file, when it was last opened
    std::function<void(std::error_code)> done_;
    bool requested_ = false, busy_ = false, more_ = false, stuck_ = false, closing_ = false;

    SqliteWriter writer_;
    SqliteView view_{mutex_, index_};  // its reader is closed first: the last one to close checkpoints
    std::thread thread_;
};

}  // namespace netsync::detail

// ---- netsync/store/sqlite_store.hpp ----

// netsync: the store on disk: one SQLite file. Frames come in and become durable, those that wait together, on a thread of
// the store's own.

namespace netsync {

/// A file belongs to one pool and to one replica at a time. `LanReplica<T, SqliteStore>{{.file = "library.db"}}` is all
/// that a program writes.
///
/// A file that cannot be opened is left as it is: errc::wrong_pool, not_a_store, store_version, store_in_use, store_io,
/// store_damaged. The store then takes nothing and tells nothing, but what can be read of a damaged file; each commit
/// tries again. A damaged row is never told. A replica is empty meanwhile, or what could be read, refuses changes with
/// that error and takes no part in its pool; it looks each second, and goes on as the one that the file holds.
/// report().store_error tells, or `open`, for a program that would rather end.
///
/// A file that can be read and not written opens, and commits fail with store_read_only; with store_full or store_io for
/// as long as that is so. Where something is found damaged that had been whole at the opening they fail with store_damaged
/// until a snapshot is adopted that holds all that the log does; with that the file is written anew. A replica adopts one
/// by itself. What cannot be read any more of the log is in the snapshot.
///
/// Writes frames of 100 bytes at about what SQLite takes for rows of that size. Memory: options.waiting, SQLite's cache
/// and a snapshot that is being written.
class SqliteStore {
   public:
    /// Throws std::system_error for a file without a name, alone.
    explicit SqliteStore(SqliteOptions options) : log_(std::make_unique<detail::SqliteLog>(std::move(options))) {
        if (log_->options.file.empty())
            throw std::system_error(std::make_error_code(std::errc::invalid_argument), "netsync: a store needs a file");
        static_cast<void>(log_->open());
    }
    template <std::same_as<Options> Given>  // a template, so that `{.file = ...}` stands for SqliteOptions
    explicit SqliteStore(const Given& options)
        : SqliteStore(SqliteOptions{.file = options.file, .pool = options.pool}) {}

    /// One that is open, or why there is none.
    static Result<SqliteStore> open(SqliteOptions options) {
        if (options.file.empty()) return std::make_error_code(std::errc::invalid_argument);
        SqliteStore store{std::move(options)};
        if (const std::error_code error = store.opening_error()) return error;
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
    std::error_code opening_error() const { return log_->opening_error(); }
    bool is_behind() const { return log_->waiting() > log_->options.waiting; }
    bool has_snapshot_waiting() const { return log_->has_snapshot_waiting(); }

    std::optional<Bytes> get(std::string_view key) const { return log_->get(key); }
    SharedBytes snapshot() const { return log_->snapshot(); }
    void replay(const FrameVisitor& visit) const { log_->replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const { return log_->frames(range, visit); }

   private:
    std::unique_ptr<detail::SqliteLog> log_;
};

static_assert(asynchronous_store<SqliteStore> && reopening_store<SqliteStore> && snapshot_deferring_store<SqliteStore>);

}  // namespace netsync

// ---- netsync/sqlite.hpp ----

// netsync: the opt-in header for replicas that keep their data in a file: SqliteStore. Needs SQLite 3.37 or later and
// threads (the CMake target netsync::sqlite). With <netsync/lan.hpp>: LanReplica<T, SqliteStore>{{.file = "library.db"}}.

