// A file that is damaged while its replica runs: the damage is found, refuses changes, and is healed from what the replica
// holds.
#include <doctest/doctest.h>
#include <netsync/await.hpp>
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "fault_vfs.hpp"
#include "office.hpp"

namespace {

const ReplicaId a{51, 1}, b{51, 2};

Frame frame(const ReplicaId& origin, std::uint64_t first, std::size_t size = 20) {
    return Frame::make({.origin = origin, .first = first, .time = {first}}, Bytes(size, static_cast<std::byte>(first)),
                       0);
}

void run_sql(const std::string& file, const std::string& sql) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &connection) == SQLITE_OK);
    REQUIRE(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(connection) == SQLITE_OK);
}

std::vector<std::uint64_t> firsts(const SqliteStore& store, const CounterRange& range) {
    std::vector<std::uint64_t> found;
    store.frames(range, [&](const SharedBytes& bytes) {
        found.push_back(Frame::parse(bytes)->header().first);
        return true;
    });
    return found;
}

std::vector<ReplicaCounter> replayed(const SqliteStore& store) {
    std::vector<ReplicaCounter> found;
    store.replay([&](const SharedBytes& bytes) {
        const FrameHeader header = Frame::parse(bytes)->header();
        found.push_back({header.origin, header.first});
        return true;
    });
    std::sort(found.begin(), found.end());
    return found;
}

/// Whether nothing is left of the new file that a repair makes.
bool is_tidy(const std::string& file) {
    for (const char* end : {"-new", "-new-wal", "-new-shm", "-new-lock"})
        if (std::filesystem::exists(file + end)) return false;
    return true;
}

/// Overturns a file from here to there, past SQLite, once all of it is in the file.
void overturn(const std::string& file, std::size_t from, std::size_t to) {
    run_sql(file, "PRAGMA wal_checkpoint(TRUNCATE)");
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(from));
    for (std::size_t at = from; at < to; ++at) out.put('\xee');
}

const SharedBytes whole{Bytes(300'000, std::byte{8})};

}  // namespace

TEST_CASE("a row that is damaged while the store is open is healed by a snapshot of all that there is") {
    struct Damage {
        const char* sql;
        std::uint64_t kept;  // the first frame of a that can still be told
    };
    for (const auto& [sql, kept] : {
             Damage{"UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE first = 5", 6},
             Damage{"UPDATE frame SET first = 50, bytes = bytes WHERE first = 5", 6},
             Damage{"UPDATE frame SET origin = 2 WHERE first = 5", 6},
             Damage{"DELETE FROM frame WHERE first = 5", 6},
             Damage{"UPDATE frame SET bytes = x'00' WHERE first = 9", 10},
             Damage{"UPDATE frame SET bytes = x'00' WHERE origin = 1 AND (first < 4 OR first = 7)", 8},
         }) {
        CAPTURE(sql);
        const Folder folder;
        const SqliteOptions options{.file = folder.file(), .synchronous = Synchronous::off, .step = 128u << 10};
        {
            SqliteStore store{options};
            for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first)));
            REQUIRE_FALSE(store.append(frame(b, 1)));
            REQUIRE_FALSE(store.put("key", Bytes(3, std::byte{3})));
            REQUIRE_FALSE(store.commit());
            run_sql(options.file, sql);
            const auto told = firsts(store, {a, 1, 9});
            CHECK(std::count(told.begin(), told.end(), kept - 1) == 0);
            REQUIRE_FALSE(store.append(frame(a, 10)));
            CHECK(store.commit() == errc::store_damaged);
            REQUIRE_FALSE(store.adopt(whole, {{a, 9, 0}, {b, 1, 0}}));  // not all
            CHECK(store.commit() == errc::store_damaged);
            REQUIRE_FALSE(store.adopt(whole, {{a, 10, 0}, {b, 1, 0}}));
            CHECK_FALSE(store.commit());
            CHECK(is_tidy(options.file));
            REQUIRE_FALSE(store.append(frame(a, 11)));
            CHECK_FALSE(store.commit());
            CHECK(firsts(store, {a, kept - 1, 99}).empty());
            CHECK(firsts(store, {a, kept, 99}).size() == 12 - kept);
            CHECK(firsts(store, {b, 1, 1}).size() == 1);
            CHECK(*store.get("key") == Bytes(3, std::byte{3}));
        }
        CHECK(integrity(options.file) == "ok");
        Result<SqliteStore> again = SqliteStore::open(options);
        REQUIRE(again);
        std::vector<ReplicaCounter> expected;
        for (std::uint64_t first = kept; first <= 11; ++first) expected.push_back({a, first});
        expected.push_back({b, 1});
        CHECK(replayed(*again) == expected);
        CHECK(again->snapshot() == whole);
        CHECK(*again->get("key") == Bytes(3, std::byte{3}));
        SqliteStore store = *std::move(again);
        CHECK_FALSE(store.append(frame(a, 12)));
        CHECK_FALSE(store.commit());
    }
}

TEST_CASE("pages that are damaged while the store is open are written anew") {
    for (const std::size_t page : {7u, 8u, 9u, 10u, 12u, 20u, 60u}) {
        CAPTURE(page);
        const Folder folder;
        const SqliteOptions options{.file = folder.file(), .synchronous = Synchronous::off};
        constexpr std::uint64_t count = 300;
        {
            SqliteStore store{options};
            for (std::uint64_t first = 1; first <= count; ++first) REQUIRE_FALSE(store.append(frame(a, first, 1000)));
            REQUIRE_FALSE(store.put("key", Bytes(3, std::byte{3})));
            REQUIRE_FALSE(store.commit());
            overturn(options.file, (page - 1) * 4096, (page + 2) * 4096);
            static_cast<void>(firsts(store, {a, 1, count}));
            REQUIRE_FALSE(store.append(frame(a, count + 1)));
            CHECK(store.commit() == errc::store_damaged);
            REQUIRE_FALSE(store.adopt(whole, {{a, count + 1, 0}}));
            CHECK_FALSE(store.commit());
            REQUIRE_FALSE(store.append(frame(a, count + 2)));
            CHECK_FALSE(store.commit());
            CHECK(firsts(store, {a, count + 1, 999}).size() == 2);
        }
        CHECK(integrity(options.file) == "ok");
        const Result<SqliteStore> again = SqliteStore::open(options);
        REQUIRE(again);
        const auto held = replayed(*again);
        REQUIRE(held.size() >= 2);
        CHECK(held.back() == ReplicaCounter{a, count + 2});
        CHECK(held.back().counter - held.front().counter + 1 == held.size());
        CHECK(again->snapshot() == whole);
        CHECK(*again->get("key") == Bytes(3, std::byte{3}));
    }
}

TEST_CASE("whatever fails while a file is written anew, nothing is lost, and it goes on") {
    const std::vector<ReplicaCounter> healed{{a, 6}, {a, 7}, {a, 8}, {a, 9}, {a, 10}};
    const std::vector<ReplicaCounter> damaged{{a, 1}, {a, 2}, {a, 3}, {a, 4}, {a, 6}, {a, 7}, {a, 8}, {a, 9}};
    int failed = 0, cut = 0;
    for (std::uint64_t n = 1; n <= 300; n += 6) {
        CAPTURE(n);
        const Folder folder, left;
        FaultyDisk disk;
        const SqliteOptions options{.file = folder.file(), .vfs = FaultyDisk::name};
        const auto check = [&](const std::string& file) {
            CHECK(integrity(file) == "ok");
            const Result<SqliteStore> again = SqliteStore::open({.file = file});
            REQUIRE(again);
            CHECK(replayed(*again) == healed);
            CHECK(again->snapshot() == whole);
        };
        {
            SqliteStore store{options};
            for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first)));
            REQUIRE_FALSE(store.commit());
            {
                detail::SqliteConnection through;  // so that the disk knows what is on it
                REQUIRE(through.open(options.file, SQLITE_OPEN_READWRITE, options.vfs) == SQLITE_OK);
                REQUIRE(through.run("UPDATE frame SET bytes = x'00' WHERE first = 5") == SQLITE_OK);
            }
            static_cast<void>(firsts(store, {a, 1, 9}));
            REQUIRE_FALSE(store.append(frame(a, 10)));
            REQUIRE(store.commit() == errc::store_damaged);
            REQUIRE_FALSE(store.adopt(whole, {{a, 10, 0}}));
            disk.fail_at(n, n % 4 == 1 ? SQLITE_FULL : SQLITE_IOERR, true);
            const std::error_code error = store.commit();
            if (error) ++failed;
            if (error && n % 12 == 1) {  // the machine stops here
                disk.cut_power(left.path(), n);
                CHECK(integrity(left.file()) == "ok");
                const Result<SqliteStore> now = SqliteStore::open({.file = left.file()});
                REQUIRE(now);
                const auto held = replayed(*now);
                CHECK((held == healed || held == damaged));
                CHECK((now->snapshot() != nullptr) == (held == healed));
                ++cut;
            }
            disk.mend();
            CHECK_FALSE(store.commit());
        }
        check(options.file);
    }
    CHECK(failed > 10);
    CHECK(cut > 5);
}

TEST_CASE("a replica that finds its file damaged refuses changes, and goes on by itself, with all that it held") {
    Office office;
    MemoryHub elsewhere;
    const auto run_for = [&](Duration time) {
        for (Duration passed{}; passed < time; passed += 10ms) {
            office.commits->wait();
            elsewhere.run_for(10ms);
            office.wall.advance(10ms);
        }
    };
    auto desk = office.open_on(elsewhere, "a", "a.db");
    auto other = office.open_on(elsewhere, "b", "b.db");
    run_for(3s);
    other->update(assign("of b", "b"));  // so that it is no newcomer, who would take the state
    desk->update(assign("of a", "a"));
    run_for(3s);
    other.reset();
    for (int note = 0; note < 20; ++note) desk->update(assign("note " + std::to_string(note), "of a"));
    run_for(1s);
    const ReplicaId id = desk->id();
    const std::string file = office.folder.file("a.db");
    run_sql(file, "UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE first <= 9 AND first + count > 9");
    other = office.open_on(elsewhere, "b", "b.db");  // asks for them
    for (int step = 0; step < 1000 && !desk->report().store_error; ++step) {
        run_for(10ms);
        if (step % 20 == 19) static_cast<void>(desk->try_update(assign("more", "of a")));
        office.commits->wait();
    }
    CHECK(desk->report().store_error == errc::store_damaged);
    CHECK(desk->try_update(assign("k", "refused")).error() == errc::store_damaged);
    CHECK(holds(*desk, "note 19", "of a"));
    run_for(3s);
    CHECK(desk->report().store_error == std::error_code{});
    CHECK_FALSE(when_durable(*desk, desk->update(assign("again", "x"))).future().get());
    run_for(10s);
    for (const auto& [key, value] :
         {std::pair{"note 0", "of a"}, {"note 8", "of a"}, {"note 19", "of a"}, {"again", "x"}}) {
        CAPTURE(std::string(key));
        CHECK(holds(*other, key, value));
    }
    CHECK(desk->digest() == other->digest());
    const std::uint64_t digest = desk->digest();
    desk.reset();
    CHECK(integrity(file) == "ok");
    desk = office.open_on(elsewhere, "a", "a.db");
    CHECK(desk->report().store_error == std::error_code{});
    CHECK(desk->id() == id);
    CHECK(desk->digest() == digest);
}
