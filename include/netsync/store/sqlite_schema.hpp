// netsync: what an SQLite file of a replica looks like: its tables, its rows, and who may open it.
//
//     file      one row: the pool, where the valid frames begin, which snapshot counts
//     origin    a number for each replica that made frames, and where its valid frames begin
//     frame     the log: frames in the order of append, some to a row, found by (origin, first counter)
//     chunk     snapshots in pieces, those of one under its generation
//     value     small values under their names
//
// Rows that are not valid any more are as good as gone, and deleted in the background.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <netsync/detail/hash.hpp>
#include <netsync/detail/sqlite.hpp>
#include <netsync/store/concept.hpp>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

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
