// Files of older programs: brought up to date when they are opened, whole, or left as they are.
#include <doctest/doctest.h>
#include <netsync/sqlite.hpp>

#include <array>
#include <string>
#include <vector>

#include "fault_vfs.hpp"
#include "folder.hpp"

using namespace netsync;

namespace {

using detail::SqliteConnection;

/// A version to come: one more column, and a table made from the rows of another.
constexpr std::array next_versions{
    detail::sqlite_versions[0],
    detail::sqlite_versions[1],
    "ALTER TABLE frame ADD COLUMN time INTEGER NOT NULL DEFAULT 7;"
    "CREATE TABLE size(origin INTEGER PRIMARY KEY, bytes INTEGER NOT NULL);"
    "INSERT INTO size SELECT origin, sum(length(bytes)) FROM frame GROUP BY origin;",
};
/// One that cannot be made of the rows that are there.
constexpr std::array bad_versions{detail::sqlite_versions[0], detail::sqlite_versions[1],
                                  "CREATE TABLE more(a);"
                                  "INSERT INTO file SELECT * FROM file;"};

std::error_code open_with(std::span<const char* const> versions, const SqliteOptions& options) {
    SqliteConnection connection;
    const int result = connection.open(options.file, SQLITE_OPEN_READWRITE, options.vfs);
    return result == SQLITE_OK ? detail::open_schema(connection, options, versions) : detail::sqlite_error(result);
}

std::int64_t number(const std::string& file, const char* text) {
    SqliteConnection connection;
    std::int64_t found = -1;
    if (connection.open(file, SQLITE_OPEN_READWRITE, {}) != SQLITE_OK ||
        detail::sqlite_number(connection, text, found) != SQLITE_OK)
        return -1;
    return found;
}

/// A file of the first version, as its program made them.
SqliteOptions first_version(const Folder& folder) {
    SqliteOptions options{.file = folder.file(), .synchronous = Synchronous::off};
    SqliteConnection connection;
    REQUIRE(connection.open(options.file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, {}) == SQLITE_OK);
    REQUIRE(
        connection.run(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE file(one INTEGER PRIMARY KEY CHECK(one = 1), pool TEXT NOT NULL, since INTEGER NOT NULL,"
            " generation INTEGER NOT NULL, size INTEGER NOT NULL, heads BLOB NOT NULL, checksum INTEGER NOT NULL);"
            "CREATE TABLE origin(number INTEGER PRIMARY KEY, owner INTEGER NOT NULL, incarnation INTEGER NOT NULL,"
            " cut INTEGER NOT NULL, since INTEGER NOT NULL, checksum INTEGER NOT NULL);"
            "CREATE TABLE frame(sequence INTEGER PRIMARY KEY, origin INTEGER NOT NULL, first INTEGER NOT NULL,"
            " count INTEGER NOT NULL, checksum INTEGER NOT NULL, bytes BLOB NOT NULL);"
            "CREATE INDEX frame_by_dot ON frame(origin, first);"
            "CREATE TABLE chunk(number INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB NOT NULL);"
            "CREATE TABLE value(key TEXT PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB NOT NULL) WITHOUT ROWID;"
            "INSERT INTO file VALUES(1, 'netsync', 0, 0, 0, x'', 0);"
            "INSERT INTO value VALUES('key', 0, x'070707');"
            "PRAGMA application_id = 0x6e73796e; PRAGMA user_version = 1;") == SQLITE_OK);
    // The checksums that the program of that version wrote, as numbers: they must not change either.
    REQUIRE(connection.run("UPDATE file SET checksum = 1143895619; UPDATE value SET checksum = 394871129") ==
            SQLITE_OK);
    return options;
}

void fill(const SqliteOptions& options) {
    SqliteStore store{options};
    for (std::uint64_t first = 1; first <= 200; ++first)
        REQUIRE_FALSE(store.append(Frame::make({.origin = {51, 1}, .first = first, .time = {first}}, Bytes(300), 0)));
    REQUIRE_FALSE(store.commit());
}

}  // namespace

TEST_CASE("a file of the first version is opened, and holds what its program wrote") {
    const Folder folder;
    const SqliteOptions options = first_version(folder);
    SqliteStore store{options};
    CHECK(store.opening_error() == std::error_code{});
    CHECK(store.get("key") == Bytes(3, std::byte{7}));
    CHECK_FALSE(store.put("more", Bytes(1)));
    CHECK_FALSE(store.commit());
}

TEST_CASE("an older file is brought up to date once, with all that it holds; a program that is older leaves it alone") {
    const Folder folder;
    const SqliteOptions options = first_version(folder);
    fill(options);
    SqliteOptions other = options;
    other.pool = "other";
    CHECK(open_with(next_versions, other) == errc::wrong_pool);
    CHECK(number(options.file, "PRAGMA user_version") == 2);
    for (int time = 0; time < 2; ++time) {
        CHECK(open_with(next_versions, options) == std::error_code{});
        CHECK(number(options.file, "PRAGMA user_version") == 3);
        CHECK(number(options.file, "SELECT sum(count) FROM frame WHERE time = 7") == 200);
        CHECK(number(options.file, "SELECT bytes FROM size") > 200 * 300);
        CHECK(number(options.file, "SELECT count(*) FROM size") == 1);
    }
    CHECK(SqliteStore::open(options).error() == errc::store_version);
    CHECK(number(options.file, "SELECT sum(count) FROM frame WHERE time = 7") == 200);
    CHECK(integrity(options.file) == "ok");
}

TEST_CASE("a new file is of the last version at once") {
    const Folder folder;
    const SqliteOptions options{.file = folder.file()};
    SqliteConnection connection;
    REQUIRE(connection.open(options.file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, {}) == SQLITE_OK);
    CHECK(detail::open_schema(connection, options, next_versions) == std::error_code{});
    CHECK(number(options.file, "PRAGMA user_version") == 3);
    CHECK(number(options.file, "SELECT count(*) FROM size") == 0);
}

TEST_CASE("a file that cannot be brought up to date stays as it was") {
    const Folder folder;
    const SqliteOptions options = first_version(folder);
    fill(options);
    CHECK(open_with(bad_versions, options) == errc::store_io);
    CHECK(number(options.file, "PRAGMA user_version") == 2);
    CHECK(number(options.file, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'") == 0);
    CHECK(SqliteStore{options}.get("key") == Bytes(3, std::byte{7}));

    FaultyDisk disk;  // that can only read
    disk.make_read_only(true);
    SqliteOptions read_only = options;
    read_only.vfs = FaultyDisk::name;
    CHECK(open_with(next_versions, read_only) == errc::store_version);
    CHECK(number(options.file, "PRAGMA user_version") == 2);
}

TEST_CASE("a power cut while a file is brought up to date leaves all of one version") {
    int before = 0, after = 0;
    for (std::uint64_t n = 1; n <= 100; ++n) {
        CAPTURE(n);
        const Folder folder, left;
        FaultyDisk disk;
        SqliteOptions options = first_version(folder);
        options.vfs = FaultyDisk::name;
        options.synchronous = Synchronous::full;
        {
            SqliteConnection through;  // so that the disk knows what is on it
            REQUIRE(through.open(options.file, SQLITE_OPEN_READWRITE, options.vfs) == SQLITE_OK);
            REQUIRE(through.run("PRAGMA synchronous = FULL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        }
        fill(options);
        disk.fail_at(n, SQLITE_IOERR, true);
        const std::error_code error = open_with(next_versions, options);
        disk.cut_power(left.path(), n);
        const std::string file = left.file();
        REQUIRE(integrity(file) == "ok");
        const std::int64_t version = number(file, "PRAGMA user_version");
        CHECK((version == 3 || (version == 2 && error)));
        CHECK(number(file, "SELECT count(*) FROM size") == (version == 3 ? 1 : -1));
        CHECK(number(file, "SELECT sum(count) FROM frame") == 200);
        ++(version == 3 ? after : before);
        CHECK(open_with(next_versions, {.file = file}) == std::error_code{});
        CHECK(number(file, "SELECT sum(count) FROM frame WHERE time = 7") == 200);
    }
    CHECK(before > 10);
    CHECK(after > 10);
}
