// Replicas on files: closed and opened again, copied, restored from an older file, deleted; and durable before visible
// with a real disk.
#include <doctest/doctest.h>
#include <netsync/await.hpp>
#include <netsync/sqlite.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "office.hpp"

using namespace netsync;
using namespace std::chrono_literals;

TEST_CASE("a replica opened again on its file goes on where it was") {
    Office office;
    auto a = office.open("a", "a.db");
    office.run_for(1s);
    for (int note = 0; note < 300; ++note) a->update(assign(std::to_string(note), "x"));
    CHECK_FALSE(when_durable(*a, a->update(assign("k", "v"))).future().get());
    office.witness.update(assign("theirs", "w"));
    office.run_for(3s);
    const ReplicaId id = a->id();
    const std::uint64_t digest = a->digest();
    CHECK(digest == office.witness.digest());
    const auto heads = a->report().heads;
    a.reset();
    a = office.open("a", "a.db");
    CHECK(a->id() == id);
    CHECK(a->digest() == digest);
    CHECK(a->report().heads == heads);
    a->update(assign("k", "again"));
    office.run_for(3s);
    CHECK(holds(office.witness, "k", "again"));
    CHECK(a->digest() == office.witness.digest());
    CHECK(a->report().traffic.frames_refused == 0);
}

TEST_CASE("an older file that is restored is noticed at the first exchange, and nothing is lost") {
    for (const Duration start : {0s, 1s, 2s, 3s, 4s, 5s, 6s, 7s}) {
        CAPTURE(start.count());
        Office office{start};
        auto a = office.open("a", "a.db");
        office.run_for(1s);
        a->update(assign("old", "1"));
        office.run_for(1s);
        const ReplicaId id = a->id();
        a.reset();
        office.copy("a.db", "backup.db");
        a = office.open("a", "a.db");
        a->update(assign("seen", "2"));
        office.run_for(2s);
        CHECK(holds(office.witness, "seen", "2"));
        a.reset();
        office.copy("backup.db", "a.db");
        a = office.open("a", "a.db");
        CHECK(a->id() == id);
        a->update(assign("after", "3"));
        office.run_for(20s);
        CHECK(a->id() != id);
        CHECK(a->id().owner() == id.owner());
        for (const auto& [key, value] : {std::pair{"old", "1"}, {"seen", "2"}, {"after", "3"}}) {
            CHECK(holds(office.witness, key, value));
            CHECK(holds(*a, key, value));
        }
        CHECK(a->digest() == office.witness.digest());
        const ReplicaId after = a->id();
        a.reset();
        a = office.open("a", "a.db");
        CHECK(a->id() == after);
        CHECK(a->digest() == office.witness.digest());
    }
}

TEST_CASE("two that were opened on copies of one file both go on, with the changes of both") {
    Office office;
    auto a = office.open("a", "a.db", 11);
    office.run_for(1s);
    a->update(assign("common", "1"));
    office.run_for(1s);
    a.reset();
    office.copy("a.db", "twin.db");
    a = office.open("a", "a.db", 12);
    auto twin = office.open("a", "twin.db", 13);
    CHECK(a->id() == twin->id());
    a->update(assign("mine", "2"));
    twin->update(assign("other", "3"));
    office.run_for(40s);
    CHECK(a->id() != twin->id());
    for (const auto& [key, value] : {std::pair{"common", "1"}, {"mine", "2"}, {"other", "3"}})
        CHECK(holds(office.witness, key, value));
    CHECK(a->digest() == office.witness.digest());
    CHECK(twin->digest() == office.witness.digest());
}

TEST_CASE("one whose file is gone comes back as somebody new of the same owner, and loads the pool's state") {
    Office office;
    auto a = office.open("a", "a.db");
    office.run_for(1s);
    a->update(assign("k", "v"));
    office.run_for(2s);
    const ReplicaId id = a->id();
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(office.folder.file("a.db") + end);
    a->update(assign("late", "w"));  // the file is still there for those who have it open
    office.run_for(2s);
    a.reset();
    a = office.open("a", "a.db");
    CHECK(a->id() != id);
    CHECK(a->id().owner() == id.owner());
    office.run_for(10s);
    CHECK(holds(*a, "k", "v"));
    CHECK(holds(*a, "late", "w"));
    CHECK(a->digest() == office.witness.digest());
}

using FreeDesk = Replica<SqliteStore, MemoryTransport, HybridClock, Notes>;

TEST_CASE("callers on many threads: all that is awaited is durable, in order, and in a few commits") {
    const Folder folder;
    MemoryHub hub;
    std::atomic<int> told{0};
    {
        FreeDesk desk{hub, Options{.name = "a", .file = folder.file()}};
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 4; ++thread)
            threads.emplace_back([&, thread] {
                std::vector<Subscription> asked;
                for (int note = 0; note < 50; ++note) {
                    const Token token = desk.update(assign(std::to_string(thread * 1000 + note), "x"));
                    asked.push_back(desk.on_durable(token, [&](std::error_code error) { told += error ? 0 : 1; }));
                    if (note % 10 == 0) CHECK_FALSE(when_durable(desk, token).future().get());
                }
                CHECK_FALSE(when_durable(desk, desk.update(assign("last", "x"))).future().get());
            });
        for (std::thread& thread : threads) thread.join();
        CHECK(told == 200);
        for (int note = 0; note < 500; ++note) desk.update(assign("at the end " + std::to_string(note), "x"));
    }
    const FreeDesk desk{hub, Options{.name = "a", .file = folder.file()}};
    CHECK(desk.state().size() == 701);
}
