// Whole replicas on real sockets and real files: the thread of the store beside that of the transport.
#include <doctest/doctest.h>

#include <chrono>
#include <netsync/await.hpp>
#include <netsync/lan.hpp>
#include <netsync/sqlite.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "../store/folder.hpp"

using namespace std::chrono_literals;
using namespace netsync;

namespace {

using Numbers = OrSet<std::uint64_t>;
using Kept = LanReplica<Numbers, SqliteStore>;

template <class Predicate>
bool eventually(Predicate holds) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!holds() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
    return holds();
}

}  // namespace

TEST_CASE("lan: a replica that others call while it waits for its file goes on when the file is free") {
    const Folder folder;
    asio::io_context context;
    const asio::ip::udp::socket socket(context, {asio::ip::udp::v4(), 0});
    const Options options{.name = "a", .file = folder.file(), .discovery_port = socket.local_endpoint().port()};
    std::optional<Kept> first{std::in_place, options};
    CHECK_FALSE(when_durable(*first, first->update(add(std::uint64_t{1}))).future().get());
    const ReplicaId id = first->id();
    Kept second{options};
    std::vector<std::thread> callers;
    for (std::uint64_t caller = 0; caller < 2; ++caller)
        callers.emplace_back([&, caller] {
            const auto number = 10 + caller;
            CHECK(eventually([&] {
                const Result<Token> token = second.try_update(add(number));
                CHECK((token || token.error() == errc::store_in_use));
                return static_cast<bool>(token);
            }));
        });
    CHECK(second.report().store_error == errc::store_in_use);
    first.reset();
    for (std::thread& caller : callers) caller.join();
    CHECK(second.id() == id);
    CHECK(second.state().size() == 3);
}

TEST_CASE("lan: replicas on files write at the same time, stop, start again and end up equal") {
    const Folder folder;
    asio::io_context context;
    const asio::ip::udp::socket socket(context, {asio::ip::udp::v4(), 0});
    Options options;
    options.discovery_port = socket.local_endpoint().port();
    options.announce = {200ms, 400ms};
    const auto named = [&](const char* name) {
        Options its = options;
        its.name = name;
        its.file = folder.file(name);
        return its;
    };
    std::optional<Kept> a{std::in_place, named("a")}, b{std::in_place, named("b")};
    CHECK(eventually([&] { return a->report().members.size() == 1 && b->report().members.size() == 1; }));
    std::vector<std::thread> writers;
    for (std::uint64_t writer = 0; writer < 4; ++writer)
        writers.emplace_back([&, writer] {
            for (std::uint64_t number = 0; number < 100; ++number)
                (writer % 2 ? *a : *b).update(add(writer * 1000 + number));
        });
    for (std::thread& writer : writers) writer.join();
    CHECK_FALSE(when_durable(*a, a->update(add(std::uint64_t{9999}))).future().get());
    const ReplicaId id = a->id();
    a.reset();
    b->update(add(std::uint64_t{8888}));
    a.emplace(named("a"));
    CHECK(a->id() == id);
    CHECK(eventually([&] { return a->digest() == b->digest(); }));
    CHECK(a->state().size() == 402);
    CHECK(a->report().traffic.frames_refused == 0);
    CHECK(b->report().traffic.frames_refused == 0);
}
