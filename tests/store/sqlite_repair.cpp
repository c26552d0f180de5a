// A file that is damaged while its replica runs: the damage is found, refuses changes, and is healed from what the replica
// holds.
#include <doctest/doctest.h>
#include <netsync/await.hpp>
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
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
    for (const char* end : {"-new", "-new-wal", "-new-shm", "-new-lock", "-whole"})
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

/// Writes into a file, past SQLite, once all of it is in the file.
void scribble(const std::string& file, std::size_t at, const std::string& bytes) {
    run_sql(file, "PRAGMA wal_checkpoint(TRUNCATE)");
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.seekp(static_cast<std::streamoff>(at));
    out << bytes;
}

std::string bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
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

namespace {

/// What becomes of a first page.
struct FirstPage {
    const char* name;
    std::function<void(const std::string& file)> damage;
    bool is_read = true;  // by SQLite, also while the file is open
};
std::vector<FirstPage> first_pages() {
    const auto writes = [](std::size_t at, std::string bytes) {
        return [=](const std::string& file) { scribble(file, at, bytes); };
    };
    return {
        {"all of it", writes(0, std::string(4096, '\xee'))},
        {"zeros", writes(0, std::string(4096, '\0'))},
        {"what says that it is a database", writes(3, "x")},
        {"the size of a page", writes(16, std::string(2, '\7'))},
        {"another size of a page", writes(16, std::string{2, 0})},
        {"the version of the format", writes(18, "\7\7")},
        {"which program wrote it", writes(68, "abcd"), false},
        {"the version of the tables", writes(60, "abcd"), false},
        {"the kind of the page", writes(100, "x"), false},
        {"the list of the tables", writes(103, std::string(60, '\xee')), false},
        {"the texts of the tables", writes(2000, std::string(2096, 'x')), false},
        {"the file is cut off",
         [](const std::string& file) { scribble(file, 0, {}), std::filesystem::resize_file(file, 0); }},
        {"the file is cut off in the page",
         [](const std::string& file) { scribble(file, 0, {}), std::filesystem::resize_file(file, 60); }},
    };
}

}  // namespace

TEST_CASE("a file whose first page is damaged while the store is open is written anew, whoever finds it") {
    for (const auto& [name, damage, is_read] : first_pages())
        for (const bool reopens : {false, true}) {
            if (!is_read && !reopens) continue;
            CAPTURE(std::string(name));
            CAPTURE(reopens);
            const Folder folder;
            FaultyDisk disk;
            const SqliteOptions options{.file = folder.file(), .vfs = FaultyDisk::name};
            {
                SqliteStore store{options};
                for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first)));
                REQUIRE_FALSE(store.put("key", Bytes(3, std::byte{3})));
                REQUIRE_FALSE(store.commit());
                damage(options.file);
                if (reopens) {  // as after an error the writer does
                    disk.fail_at(1, SQLITE_IOERR, true);
                    REQUIRE_FALSE(store.append(frame(a, 10)));
                    CHECK(store.commit());
                    disk.mend();
                } else {
                    static_cast<void>(firsts(store, {a, 1, 9}));
                    REQUIRE_FALSE(store.append(frame(a, 10)));
                }
                if (const std::error_code error = store.commit()) CHECK(error == errc::store_damaged);
                REQUIRE_FALSE(store.adopt(whole, {{a, 10, 0}}));
                CHECK_FALSE(store.commit());
                CHECK(is_tidy(options.file));
                REQUIRE_FALSE(store.append(frame(a, 11)));
                CHECK_FALSE(store.commit());
                CHECK(firsts(store, {a, 11, 99}).size() == 1);
                CHECK(*store.get("key") == Bytes(3, std::byte{3}));
                CHECK(SqliteStore::open(options).error() == errc::store_in_use);
            }
            CHECK(integrity(options.file) == "ok");
            const Result<SqliteStore> again = SqliteStore::open(options);
            REQUIRE(again);
            const auto held = replayed(*again);
            REQUIRE_FALSE(held.empty());
            CHECK(held.back() == ReplicaCounter{a, 11});
            CHECK(again->snapshot() == whole);
            CHECK(*again->get("key") == Bytes(3, std::byte{3}));
            CHECK((std::filesystem::status(options.file).permissions() & std::filesystem::perms::mask) ==
                  (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
        }
}

TEST_CASE("a file that takes the place of ours is not written to, damaged or not") {
    const auto takes_place = [](const std::string& file, const std::function<void(const std::string&)>& make) {
        run_sql(file, "PRAGMA wal_checkpoint(TRUNCATE)");
        make(file + "-theirs");
        std::filesystem::rename(file + "-theirs", file);
    };
    for (const bool finds_damage : {false, true})
        for (const int kind : {0, 1, 2}) {
            CAPTURE(finds_damage);
            CAPTURE(kind);
            const Folder folder;
            FaultyDisk disk;
            const SqliteOptions options{
                .file = folder.file(), .synchronous = Synchronous::off, .vfs = FaultyDisk::name};
            SqliteStore store{options};
            for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first)));
            REQUIRE_FALSE(store.commit());
            if (finds_damage) {
                scribble(options.file, 0, std::string(4096, '\xee'));
                static_cast<void>(firsts(store, {a, 1, 9}));
                CHECK(store.commit() == errc::store_damaged);
                std::filesystem::remove(options.file);
                std::ofstream(options.file).put('x');
            }
            const auto make = [&](const std::string& theirs) {
                if (kind == 0) std::ofstream(theirs) << std::string(5000, 'x');
                if (kind == 1) run_sql(theirs, "CREATE TABLE theirs(a)");
                if (kind != 2) return;
                SqliteStore other{{.file = theirs, .pool = "theirs"}};
                REQUIRE_FALSE(other.put("replica", Bytes(3)));
                REQUIRE_FALSE(other.commit());
            };
            if (finds_damage)
                make(options.file + "-theirs"), std::filesystem::rename(options.file + "-theirs", options.file);
            else
                takes_place(options.file, make);
            const std::string before = bytes_of(options.file);
            disk.fail_at(1, SQLITE_IOERR, true);  // so that it is opened anew
            REQUIRE_FALSE(store.append(frame(a, 10)));
            CHECK(store.commit());
            disk.mend();
            for (int attempt = 0; attempt < 3; ++attempt) {
                CHECK(store.commit());
                REQUIRE_FALSE(store.adopt(whole, {{a, 10, 0}}));
                CHECK(store.commit());
            }
            CHECK((bytes_of(options.file) == before));
        }
}

TEST_CASE("a new file is in place, or is put there at the opening, wherever the machine stopped") {
    const Folder made;
    const auto wal = [&] { return made.file() + "-wal"; };
    std::string fresh, old, log;
    {
        SqliteStore store{{.file = made.file("fresh")}};
        REQUIRE_FALSE(store.append(frame(a, 11)));
        REQUIRE_FALSE(store.commit());
    }
    fresh = bytes_of(made.file("fresh"));
    {
        SqliteStore store{{.file = made.file()}};
        for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first)));
        REQUIRE_FALSE(store.commit());
        log = bytes_of(wal());
    }
    old = bytes_of(made.file());
    old.replace(0, 16, std::string(16, 'x'));
    REQUIRE(log.size() > 4096);
    const auto put = [](const std::string& file, const std::string& bytes) {
        std::ofstream(file, std::ios::binary) << bytes;
    };
    for (const bool logged : {false, true})
        for (const bool moved : {false, true}) {
            CAPTURE(logged);
            CAPTURE(moved);
            const Folder folder;
            put(folder.file() + "-whole", fresh);
            if (!moved) put(folder.file(), old);
            if (logged) put(folder.file() + "-wal", log);
            {
                const Result<SqliteStore> store = SqliteStore::open({.file = folder.file()});
                REQUIRE(store);
                CHECK(replayed(*store) == std::vector<ReplicaCounter>{{a, 11}});
            }
            CHECK(is_tidy(folder.file()));
            CHECK(integrity(folder.file()) == "ok");
        }
    const Folder folder;  // it was not decided yet
    put(folder.file(), old);
    put(folder.file() + "-new", fresh);
    CHECK(SqliteStore::open({.file = folder.file()}).error() == errc::not_a_store);
    CHECK((bytes_of(folder.file()) == old));
}

TEST_CASE("whatever fails while a new file takes the place of one, nothing is lost, and it goes on") {
    int failed = 0;
    for (std::uint64_t n = 1; n <= 300; n += 3) {
        CAPTURE(n);
        const Folder folder;
        FaultyDisk disk;
        const SqliteOptions options{.file = folder.file(), .vfs = FaultyDisk::name};
        {
            SqliteStore store{options};
            for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first)));
            REQUIRE_FALSE(store.commit());
            scribble(options.file, 0, std::string(4096, '\xee'));
            static_cast<void>(firsts(store, {a, 1, 9}));
            REQUIRE_FALSE(store.append(frame(a, 10)));
            REQUIRE(store.commit() == errc::store_damaged);
            REQUIRE_FALSE(store.adopt(whole, {{a, 10, 0}}));
            disk.fail_at(n, n % 4 == 1 ? SQLITE_FULL : SQLITE_IOERR, n % 2 == 0);
            if (store.commit()) ++failed;
            disk.mend();
            CHECK_FALSE(store.commit());
            CHECK(is_tidy(options.file));
            REQUIRE_FALSE(store.append(frame(a, 11)));
            CHECK_FALSE(store.commit());
        }
        CHECK(integrity(options.file) == "ok");
        const Result<SqliteStore> again = SqliteStore::open({.file = options.file});
        REQUIRE(again);
        CHECK(replayed(*again).back() == ReplicaCounter{a, 11});
        CHECK(again->snapshot() == whole);
    }
    CHECK(failed > 20);
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

namespace {

void goes_on(const std::function<void(const std::string&)>& damage) {
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
    damage(file);
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

}  // namespace

TEST_CASE("a replica that finds its file damaged refuses changes, and goes on by itself, with all that it held") {
    goes_on([](const std::string& file) {
        run_sql(file, "UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE first <= 9 AND first + count > 9");
    });
    goes_on([](const std::string& file) { scribble(file, 0, std::string(4096, '\xee')); });
}
