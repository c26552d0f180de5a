// A SqliteStore that always has a commit to make.
#include <doctest/doctest.h>
#include <netsync/sqlite.hpp>

#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "folder.hpp"

using namespace netsync;

TEST_CASE("a snapshot is written, and rows that are not valid go, also where one commit follows the other") {
    const Folder folder;
    const ReplicaId origin{1, 1};
    SqliteStore store{{.file = folder.file(), .synchronous = Synchronous::off, .step = 64u << 10}};
    std::uint64_t next = 0;
    const auto append = [&] {
        ++next;
        static_cast<void>(store.append(
            Frame::make({.origin = origin, .first = next, .count = 1, .time = {next}}, Bytes(8, std::byte{1}), 0)));
    };
    append();
    REQUIRE_FALSE(store.commit());
    static_cast<void>(store.adopt(SharedBytes{Bytes(20u << 16)}, {{origin, next, 0}}));
    static_cast<void>(store.cut({{origin, next}}));
    CHECK(store.has_snapshot_waiting());

    int commits = 0;
    std::promise<bool> written;
    std::function<void(std::error_code)> again = [&](std::error_code error) {
        const bool waits = store.has_snapshot_waiting();
        if (error || !waits || ++commits > 200) return written.set_value(!error && !waits);
        append();
        store.commit_later(again);
    };
    store.commit_later(again);
    CHECK(written.get_future().get());
    CHECK(commits >= 19);  // between two commits there is one step
    CHECK(commits < 40);
    REQUIRE_FALSE(store.commit());
    CHECK(store.snapshot()->size() == 20u << 16);
}
