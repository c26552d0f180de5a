// A disk that fails while its replica runs: the replica says why, stays readable, refuses changes, and goes on by itself. And
// what a hostile or careless neighbour finds of a file.
#include <doctest/doctest.h>
#include <netsync/await.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "fault_vfs.hpp"
#include "office.hpp"

TEST_CASE(
    "a disk that is full, fails or cannot be written: its own error each, readable, and on again without a restart") {
    struct Cause {
        const char* name;
        errc error;
        std::function<void(FaultyDisk&)> begins, ends;
    };
    const auto mend = [](FaultyDisk& disk) { disk.mend(); };
    const std::vector<Cause> causes{
        {"full", errc::store_full, [](FaultyDisk& disk) { disk.fail_at(1, SQLITE_FULL, true); }, mend},
        {"failing", errc::store_io, [](FaultyDisk& disk) { disk.fail_at(1, SQLITE_IOERR, true); }, mend},
        {"failing at the third call", errc::store_io, [](FaultyDisk& disk) { disk.fail_at(3, SQLITE_IOERR, true); },
         mend},
    };
    for (const Cause& cause : causes) {
        CAPTURE(cause.name);
        FaultyDisk disk;
        Office office;
        office.vfs = FaultyDisk::name;
        const std::string file = office.folder.file("a.db");
        auto desk = office.open("a", "a.db");
        office.run_for(2s);
        CHECK_FALSE(when_durable(*desk, desk->update(assign("before", "1"))).future().get());
        const ReplicaId id = desk->id();
        cause.begins(disk);
        static_cast<void>(desk->try_update(assign("while", "2")));  // stands, and is durable later
        office.run_for(1s);
        const std::error_code error = make_error_code(cause.error);
        CHECK(desk->report().store_error == error);
        CHECK(desk->try_update(assign("while", "refused")).error() == error);
        CHECK(holds(*desk, "before", "1"));
        CHECK(holds(*desk, "while", "2"));
        CHECK_FALSE(holds(office.witness, "while", "2"));
        office.witness.update(assign("theirs", "3"));
        office.run_for(5s);
        CHECK_FALSE(holds(*desk, "theirs", "3"));
        cause.ends(disk);
        office.run_for(20s);
        CHECK(desk->report().store_error == std::error_code{});
        CHECK_FALSE(when_durable(*desk, desk->update(assign("after", "4"))).future().get());
        office.run_for(5s);
        for (const auto& [key, value] : {std::pair{"before", "1"}, {"while", "2"}, {"theirs", "3"}, {"after", "4"}}) {
            CHECK(holds(*desk, key, value));
            CHECK(holds(office.witness, key, value));
        }
        const std::uint64_t digest = desk->digest();
        desk.reset();
        CHECK(integrity(file) == "ok");
        desk = office.open("a", "a.db");
        CHECK(desk->id() == id);
        CHECK(desk->digest() == digest);
    }
}

TEST_CASE("a file that cannot be written: the replica is a member that can be read, and writes when it may") {
    FaultyDisk disk;
    Office office;
    office.vfs = FaultyDisk::name;
    const std::string file = office.folder.file("a.db");
    office.open("a", "a.db")->update(assign("before", "1"));
    disk.make_read_only(true);
    auto desk = office.open("a", "a.db");
    office.run_for(2s);
    CHECK(desk->report().store_error == errc::store_read_only);
    CHECK(desk->try_update(assign("k", "refused")).error() == errc::store_read_only);
    CHECK(holds(*desk, "before", "1"));
    disk.make_read_only(false);
    office.run_for(10s);
    CHECK(desk->report().store_error == std::error_code{});
    CHECK_FALSE(when_durable(*desk, desk->update(assign("after", "2"))).future().get());
    office.run_for(3s);
    CHECK(holds(office.witness, "before", "1"));
    CHECK(holds(office.witness, "after", "2"));
    desk.reset();
    CHECK(integrity(file) == "ok");
}

TEST_CASE("another process is told that the file is in use, and gets it when this one lets go") {
    const Folder folder;
    int asks[2], answers[2];
    REQUIRE(pipe(asks) == 0);
    REQUIRE(pipe(answers) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {  // opens each time it is asked to
        close(asks[1]);
        char asked = 0;
        while (read(asks[0], &asked, 1) == 1) {
            const auto store = SqliteStore::open({.file = folder.file()});
            const char answer = store ? 'y' : store.error() == errc::store_in_use ? 'u' : '?';
            if (write(answers[1], &answer, 1) != 1) break;
        }
        _exit(0);
    }
    close(asks[0]);
    const auto other_opens = [&] {
        char answer = 0;
        const bool told = write(asks[1], "?", 1) == 1 && read(answers[0], &answer, 1) == 1;
        return told ? answer : 'x';
    };
    {
        SqliteStore store{{.file = folder.file()}};
        CHECK_FALSE(store.commit());
        CHECK(other_opens() == 'u');
        CHECK_FALSE(store.put("key", Bytes(3)));
        CHECK_FALSE(store.commit());
    }
    CHECK(other_opens() == 'y');
    close(asks[1]);
    waitpid(child, nullptr, 0);
    CHECK(integrity(folder.file()) == "ok");
    CHECK(SqliteStore::open({.file = folder.file()}));
}

TEST_CASE("nobody but its owner may read a file, or what lies beside it") {
    namespace fs = std::filesystem;
    const Folder folder;
    SqliteStore store{{.file = folder.file()}};
    REQUIRE_FALSE(store.put("key", Bytes(3)));
    REQUIRE_FALSE(store.commit());
    int files = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.path())) {
        CAPTURE(entry.path().string());
        CHECK((entry.status().permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
        ++files;
    }
    CHECK(files >= 3);
}
