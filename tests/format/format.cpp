#include <doctest/doctest.h>
#include <netsync/format.hpp>

#include <string>

using namespace netsync;

TEST_CASE("ids, timestamps, endpoints and states print, padded like strings") {
    CHECK(fmt::format("{}", ReplicaId{1, 2}) == "00000000000000010000000000000002");
    CHECK(short_name({0x1234567800000000u, 0xabcdu}) == "12345678-ABCD");
    CHECK(fmt::format("{}", Timestamp{{}, {0, 1}}).starts_with("1970-01-01T00:00:00.000000000Z/"));
    CHECK(fmt::format("{}", Endpoint{"::1", 80}) == "[::1]:80");
    CHECK(fmt::format("[{:<8}]", MemberState::live) == "[live    ]");
    CHECK(fmt::format("{} {}", JoinState::ready, SyncEnd::timed_out) == "ready timed out");
}

TEST_CASE("a report prints") {
    MemoryHub network;
    MemoryReplica<OrSet<int>> a{network, {.name = "laptop"}}, b{network, {.name = "desktop"}};
    a.update(add(1));
    network.run();
    const std::string text = fmt::format("{}", b.report());
    CAPTURE(text);
    CHECK(text.starts_with("desktop "));
    CHECK(text.find("member " + short_name(a.id()) + " laptop") != std::string::npos);
    CHECK(text.find("holds " + short_name(a.id()) + " up to 1") != std::string::npos);
    CHECK(text.find("state adopted") != std::string::npos);
    CHECK(text.back() != '\n');
}

TEST_CASE("what a peer calls itself cannot move the cursor") {
    MemoryHub network;
    MemoryReplica<OrSet<int>> a{network, {.name = "a\x1b[2J\nb"}}, b{network, {.name = "desktop"}};
    network.run();
    const std::string text = fmt::format("{}", b.report());
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("a?[2J?b") != std::string::npos);
}
