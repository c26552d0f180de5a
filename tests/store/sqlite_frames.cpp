// Rows that hold several frames: written again after a failure, and read from anywhere within.
#include <doctest/doctest.h>
#include <netsync/sqlite.hpp>

#include <deque>
#include <string>
#include <vector>

#include "fault_vfs.hpp"
#include "folder.hpp"

using namespace netsync;

namespace {

const ReplicaId a{51, 1};

Frame frame(std::uint64_t first) { return Frame::make({.origin = a, .first = first, .time = {first}}, Bytes(40), 0); }

void append(SqliteStore& store, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t first = from; first <= to; ++first) REQUIRE_FALSE(store.append(frame(first)));
}

std::vector<std::uint64_t> replayed(const SqliteStore& store) {
    std::vector<std::uint64_t> found;
    store.replay([&](const SharedBytes& bytes) { return found.push_back(Frame::parse(bytes)->header().first), true; });
    return found;
}

std::int64_t rows(const std::string& file) {
    detail::SqliteConnection connection;
    std::int64_t found = -1;
    REQUIRE(connection.open(file, SQLITE_OPEN_READWRITE, {}) == SQLITE_OK);
    REQUIRE(detail::sqlite_number(connection, "SELECT count(*) FROM frame", found) == SQLITE_OK);
    return found;
}

}  // namespace

TEST_CASE("frames of a commit that failed, but is in the file, are there once, however many join them") {
    std::vector<std::uint64_t> expected;
    for (std::uint64_t first = 1; first <= 30; ++first) expected.push_back(first);
    int failed = 0, in_file = 0;
    for (const std::uint64_t before : {6u, 20u})
        for (std::uint64_t n = 1; n <= 12; ++n) {
            CAPTURE(before);
            CAPTURE(n);
            const Folder folder;
            FaultyDisk disk;
            {  // alone, so that what its commit left is looked for when it opens the file again
                detail::SqliteWriter writer{{.file = folder.file(), .vfs = FaultyDisk::name}};
                REQUIRE_FALSE(writer.open(true));
                std::deque<detail::SqliteOperation> operations{detail::OriginRow{1, a, 0, 0}};
                const auto add_until = [&](std::uint64_t last) {
                    for (std::uint64_t first = operations.size(); first <= last; ++first)
                        operations.push_back(
                            detail::FrameRow{static_cast<std::int64_t>(first), 1, first, 1, frame(first).bytes()});
                };
                add_until(before);
                disk.fail_at(n, SQLITE_IOERR, true);
                const std::error_code error = writer.write(operations);
                disk.mend();
                if (!error) break;
                ++failed;
                if (rows(folder.file()) > 0) ++in_file;
                add_until(30);
                REQUIRE_FALSE(writer.write(operations));
            }
            const SqliteStore again{{.file = folder.file()}};
            CHECK_FALSE(again.opening_error());
            CHECK(replayed(again) == expected);
        }
    CHECK(failed > 5);
    CHECK(in_file > 0);
}

TEST_CASE("a row of several frames is told from anywhere within, and goes when all of it was cut") {
    const Folder folder;
    const SqliteOptions options{.file = folder.file(), .synchronous = Synchronous::off};
    const auto told = [](const SqliteStore& store, std::uint64_t from, std::uint64_t to) {
        std::vector<std::uint64_t> found;
        const bool held = store.frames({a, from, to}, [&](const SharedBytes& bytes) {
            return found.push_back(Frame::parse(bytes)->header().first), true;
        });
        CHECK(held == !found.empty());
        return found;
    };
    std::vector<std::uint64_t> rest{26, 27, 28, 29, 30};
    {
        SqliteStore store{options};
        append(store, 1, 30);
        REQUIRE_FALSE(store.commit());
        CHECK(rows(options.file) == 1);
        CHECK(told(store, 7, 9) == std::vector<std::uint64_t>{7, 8, 9});
        REQUIRE_FALSE(store.adopt(SharedBytes{Bytes(9)}, {{a, 30, 0}}));
        REQUIRE_FALSE(store.cut({{a, 25}}));
        REQUIRE_FALSE(store.commit());
        CHECK(told(store, 25, 27).empty());
        CHECK(told(store, 26, 99) == rest);
        append(store, 31, 31);
        REQUIRE_FALSE(store.commit());
    }
    rest.push_back(31);
    SqliteStore store{options};
    CHECK(replayed(store) == rest);
    CHECK(told(store, 26, 99) == rest);
    CHECK(rows(options.file) == 2);
    REQUIRE_FALSE(store.cut({{a, 30}}));
    REQUIRE_FALSE(store.commit());
    CHECK(rows(options.file) == 1);
    CHECK(told(store, 31, 99) == std::vector<std::uint64_t>{31});
}
