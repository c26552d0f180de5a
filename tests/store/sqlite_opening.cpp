// A replica whose file cannot be opened: readable, refusing changes, outside the pool; and on its way again, as who it
// was, when the cause is gone.
#include <doctest/doctest.h>
#include <netsync/await.hpp>

#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <thread>
#include <vector>

#include "fault_vfs.hpp"
#include "office.hpp"

namespace {

namespace fs = std::filesystem;

std::string bytes_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void run_sql(const std::string& file, const std::string& sql) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &connection) == SQLITE_OK);
    REQUIRE(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(connection) == SQLITE_OK);
}

/// Why a file cannot be opened, and how that ends.
struct Cause {
    std::string name;
    errc error;
    std::function<void(Office&, const std::string&)> begins, ends;
    bool knows = false;  // the members
    bool shows = false;  // some of the data
};

std::vector<Cause> causes(FaultyDisk& disk, std::optional<SqliteStore>& other) {
    const auto damage = [](const char* sql) {
        return [sql](Office& office, const std::string& file) {
            office.copy("a.db", "whole.db");
            run_sql(file, sql);
        };
    };
    const auto restore = [](Office& office, const std::string&) { office.copy("whole.db", "a.db"); };
    return {
        {"in use", errc::store_in_use,
         [&](Office&, const std::string& file) {
             other.emplace(SqliteOptions{.file = file});
             REQUIRE_FALSE(other->opening_error());
         },
         [&](Office&, const std::string&) { other.reset(); }},
        {"its folder is away", errc::store_io,
         [](Office& office, const std::string& file) {
             fs::rename(file, office.folder.file("elsewhere"));
             fs::create_directory(file);
         },
         [](Office& office, const std::string& file) {
             fs::remove(file);
             fs::rename(office.folder.file("elsewhere"), file);
         }},
        {"of another pool", errc::wrong_pool,
         [](Office& office, const std::string& file) {
             fs::rename(file, office.folder.file("ours"));
             SqliteStore theirs{{.file = file, .pool = "theirs"}};
             REQUIRE_FALSE(theirs.put("replica", Bytes(3)));
             REQUIRE_FALSE(theirs.commit());
         },
         [](Office& office, const std::string& file) { fs::rename(office.folder.file("ours"), file); }},
        {"of another program", errc::not_a_store,
         [](Office& office, const std::string& file) {
             fs::rename(file, office.folder.file("ours"));
             run_sql(file, "CREATE TABLE theirs(a)");
         },
         [](Office& office, const std::string& file) { fs::rename(office.folder.file("ours"), file); }},
        {"no database", errc::not_a_store,
         [](Office& office, const std::string& file) {
             fs::rename(file, office.folder.file("ours"));
             std::ofstream(file) << std::string(5000, 'x');
         },
         [](Office& office, const std::string& file) { fs::rename(office.folder.file("ours"), file); }},
        {"its first page is damaged", errc::not_a_store,
         [](Office& office, const std::string& file) {
             office.copy("a.db", "whole.db");
             std::fstream(file, std::ios::binary | std::ios::in | std::ios::out) << std::string(4096, '\xee');
         },
         restore},
        {"its first page names tables that are not there", errc::store_damaged,
         [](Office& office, const std::string& file) {
             office.copy("a.db", "whole.db");
             run_sql(file, "DROP TABLE frame");
         },
         restore},
        {"of a newer program", errc::store_version,
         [](Office&, const std::string& file) { run_sql(file, "PRAGMA user_version = 77"); },
         [](Office&, const std::string& file) {
             run_sql(file, "PRAGMA user_version = " + std::to_string(detail::sqlite_versions.size()));
         }},
        {"calls fail", errc::store_io, [&](Office&, const std::string&) { disk.fail_at(1, SQLITE_IOERR, true); },
         [&](Office&, const std::string&) { disk.mend(); }},
        {"a call fails once it is open", errc::store_io,
         [&](Office&, const std::string& file) {
             disk.fail_at(1u << 30, SQLITE_IOERR, true, std::this_thread::get_id());
             std::uint64_t calls = 0;
             {
                 const SqliteStore store{{.file = file, .vfs = FaultyDisk::name}};
                 calls = disk.calls();
             }
             disk.fail_at(calls + 1, SQLITE_IOERR, true, std::this_thread::get_id());
         },
         [&](Office&, const std::string&) { disk.mend(); }, true},
        {"the row of the file is damaged", errc::store_damaged, damage("UPDATE file SET generation = 99"), restore},
        {"a frame is damaged", errc::store_damaged,
         damage("UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE sequence = (SELECT min(sequence) FROM frame)"),
         restore, true, true},
        {"the last frame is damaged", errc::store_damaged,
         damage("UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE sequence = (SELECT max(sequence) FROM frame)"),
         restore, true, true},
        {"a snapshot is damaged", errc::store_damaged, damage("UPDATE chunk SET bytes = zeroblob(length(bytes))"),
         restore, true},
        {"the identity is damaged", errc::store_damaged, damage("UPDATE value SET bytes = x'00' WHERE key = 'replica'"),
         restore, true, true},
    };
}

}  // namespace

TEST_CASE("a replica whose file cannot be opened waits for it, and goes on as who it was") {
    FaultyDisk disk;
    std::optional<SqliteStore> other;
    for (const Cause& cause : causes(disk, other)) {
        CAPTURE(cause.name);
        Office office;
        office.vfs = FaultyDisk::name;
        const std::string file = office.folder.file("a.db");
        auto a = office.open("a", "a.db");
        office.run_for(1s);
        for (int note = 0; note < 150; ++note) a->update(assign("note " + std::to_string(note), "of a"));
        office.run_for(40s);  // a snapshot is taken
        const ReplicaId id = a->id();
        a.reset();
        MemoryHub elsewhere;
        Token last{};
        {
            const auto alone = office.open_on(elsewhere, "a", "a.db");
            alone->update(assign("unseen", "u"));
            last = alone->update(assign("unseen too", "u"));
            CHECK_FALSE(when_durable(*alone, last).future().get());
        }

        cause.begins(office, file);
        const std::string before = fs::is_regular_file(file) ? bytes_of(file) : std::string{};
        a = office.open("a", "a.db");
        const std::error_code error = make_error_code(cause.error);
        CHECK(a->report().store_error == error);
        CHECK(a->try_update(assign("k", "refused")).error() == error);
        CHECK(a->state().empty() != cause.shows);
        std::vector<std::string> told;
        const auto watch = a->on_change([&](const Notes&, const ChangeInfo& info) {
            if (info.whole) told.push_back("whole");
        });
        const auto count =
            a->derive(std::size_t{0}, [](std::size_t& size, const Notes& now, const Notes&) { size = now.size(); });
        std::vector<std::error_code> answers;
        const auto durable = a->on_durable(last, [&](std::error_code answer) { answers.push_back(answer); });
        const auto replicated = a->on_replicated(last, Audience::everyone(), 2s,
                                                 [&](std::error_code answer) { answers.push_back(answer); });
        office.witness.update(assign("meanwhile", "w"));
        office.run_for(10s);
        CHECK(a->report().store_error == error);
        CHECK(a->try_update(assign("k", "refused")).error() == error);
        CHECK(a->report().members.empty() != cause.knows);
        CHECK(a->retire(office.witness.id()) == error);
        CHECK_FALSE(holds(*a, "meanwhile", "w"));
        CHECK_FALSE(holds(office.witness, "unseen", "u"));
        REQUIRE(office.witness.report().members.size() == 1);
        CHECK(office.witness.report().members[0].state == MemberState::offline);
        CHECK(answers == std::vector{error, make_error_code(errc::timed_out)});
        if (fs::is_regular_file(file)) CHECK((bytes_of(file) == before));

        cause.ends(office, file);
        office.run_for(20s);
        CHECK(a->report().store_error == std::error_code{});
        CHECK(a->id() == id);
        CHECK(told == std::vector<std::string>(told.size(), "whole"));
        CHECK(told.size() >= 1);
        for (const auto& [key, value] : {std::pair{"note 0", "of a"},
                                         {"note 149", "of a"},
                                         {"unseen", "u"},
                                         {"unseen too", "u"},
                                         {"meanwhile", "w"}}) {
            CHECK(holds(*a, key, value));
            CHECK(holds(office.witness, key, value));
        }
        CHECK(a->digest() == office.witness.digest());
        CHECK(count.get() == a->state().size());
        CHECK_FALSE(when_durable(*a, a->update(assign("again", "x"))).future().get());
        office.run_for(3s);
        CHECK(holds(office.witness, "again", "x"));
        CHECK(a->report().traffic.frames_refused == 0);
        const std::uint64_t digest = a->digest();
        a.reset();
        CHECK(integrity(file) == "ok");
        a = office.open("a", "a.db");
        CHECK(a->id() == id);
        CHECK(a->digest() == digest);
    }
}

TEST_CASE("a replica that waits for its file ends, starts late, and waits again, as any other") {
    Office office;
    const std::string file = office.folder.file("a.db");
    fs::create_directory(file);
    Options options{.name = "a", .file = file, .manual_start = true};
    Desk a{PatientTransport{office.hub, office.commits}, options,
           CountedStore{{.file = file, .synchronous = Synchronous::off}, office.commits},
           ManualClock{100ms, office.wall}};
    CHECK(a.try_update(assign("k", "v")).error() == errc::store_io);
    REQUIRE_FALSE(a.start());
    office.run_for(3s);
    a.stop();
    office.run_for(3s);
    REQUIRE_FALSE(a.start());
    office.run_for(3s);
    CHECK(a.report().store_error == errc::store_io);
    CHECK(a.id().incarnation == 0);
    CHECK(a.id().owner() == owner_of_name("a"));
    fs::remove(file);
    office.run_for(3s);
    CHECK(a.report().store_error == std::error_code{});
    CHECK(a.id().incarnation != 0);
    CHECK(a.try_update(assign("k", "v")));
    office.run_for(3s);
    CHECK(holds(office.witness, "k", "v"));
    {
        fs::create_directory(office.folder.file("b.db"));
        const auto b = office.open("b", "b.db");
        office.run_for(3s);
    }
    CHECK(office.witness.report().members.size() == 1);
}

TEST_CASE("what cannot be opened is said at once to a program that asks, and thrown where there is no file's name") {
    const Folder folder;
    MemoryHub hub;
    using FreeDesk = Replica<SqliteStore, MemoryTransport, HybridClock, Notes>;
    const Options home{.pool = "home", .name = "a", .file = folder.file()};
    const FreeDesk desk{hub, home};
    const FreeDesk other{hub, home};
    CHECK(other.report().store_error == errc::store_in_use);
    CHECK(SqliteStore::open({.file = home.file, .pool = "home"}).error() == errc::store_in_use);
    CHECK_THROWS_AS((FreeDesk{hub, Options{.name = "b"}}), std::system_error);
}
