#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "station.hpp"

using namespace std::chrono_literals;
using netsync::LinkClosed;
using netsync::LinkOpened;
using netsync::MessageReceived;
using netsync::SharedBytes;
using netsync::TcpTransport;
using netsync::TransportEvent;

namespace {

/// Two stations and the link between them.
struct Pair {
    Pair() {
        REQUIRE(!a.start());
        REQUIRE(!b.start());
        to_b = a.dial(b.transport.port());
        to_a = b.link();
        REQUIRE(a.link() == to_b);
    }
    Station<> a;
    Station<> b;
    Link to_b{};
    Link to_a{};
};

/// A context of the program, run by some threads.
struct Pool {
    explicit Pool(unsigned threads) {
        for (unsigned i = 0; i < threads; ++i) running.emplace_back([this] { context.run(); });
    }
    ~Pool() { stop(); }
    void stop() {
        context.stop();
        for (std::thread& thread : running)
            if (thread.joinable()) thread.join();
    }
    asio::io_context context;
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    std::vector<std::thread> running;
};

}  // namespace

TEST_CASE("tcp: messages of every size arrive whole and in order, both ways") {
    Pair pair;
    const std::size_t sizes[] = {0, 1, 64u << 10, 5u << 20, 0, 3};
    for (unsigned i = 0; i < std::size(sizes); ++i) {
        while (!pair.a.send(pair.to_b, bytes(sizes[i], i))) std::this_thread::sleep_for(1ms);
        while (!pair.b.send(pair.to_a, bytes(sizes[i], i))) std::this_thread::sleep_for(1ms);
    }
    const auto all_arrive = [&](Station<>& station, Link link) {
        REQUIRE(station.eventually([&] { return station.received_count(link) == std::size(sizes); }));
        for (unsigned i = 0; i < std::size(sizes); ++i)
            CHECK(SharedBytes{station.received(link)[i]} == bytes(sizes[i], i));
    };
    all_arrive(pair.a, pair.to_b);
    all_arrive(pair.b, pair.to_a);
}

TEST_CASE("tcp: both ends see the link open, with the peer as far as they know it") {
    Pair pair;
    CHECK(pair.a.opened().front().dialed);
    CHECK(pair.a.opened().front().peer == netsync::Endpoint{"127.0.0.1", pair.b.transport.port()});
    CHECK(!pair.b.opened().front().dialed);
    CHECK(pair.b.opened().front().peer.host == "127.0.0.1");
}

TEST_CASE("tcp: names are dialed, and IPv6 where there is any") {
    Station<> a;
    Station<> b;
    REQUIRE(!a.start());
    REQUIRE(!b.start());
    std::vector<std::string> hosts{"localhost"};
    asio::io_context context;
    std::error_code no_v6;
    asio::ip::tcp::socket v6(context);
    v6.open(asio::ip::tcp::v6(), no_v6);
    if (!no_v6) v6.bind({asio::ip::address_v6::loopback(), 0}, no_v6);
    if (!no_v6) hosts.push_back("::1");
    for (const std::string& host : hosts) {
        const Link link = a.dial(b.transport.port(), host);
        CHECK(a.eventually([&] { return !a.opened().empty() && a.opened().back().link == link; }));
    }
}

TEST_CASE("tcp: what is sent before the dial is answered goes out afterwards") {
    Station<> a;
    Station<> b;
    REQUIRE(!a.start());
    REQUIRE(!b.start());
    const Link link = a.dial(b.transport.port());
    CHECK(a.send(link, bytes(100)));
    const Link accepted = b.link();
    CHECK(b.eventually([&] { return b.received_count(accepted) == 1; }));
}

TEST_CASE("tcp: a port in use is an error of start(), and nothing is left open") {
    Station<> a;
    Station<> b;
    REQUIRE(!a.start());
    netsync::Options options;
    options.port = a.transport.port();
    CHECK(b.start(options) == std::errc::address_in_use);
    CHECK(b.transport.port() == 0);
    CHECK(!b.start());
}

TEST_CASE("tcp: a port can be used again at once, also when links were open on it") {
    Pair pair;
    netsync::Options options;
    options.port = pair.b.transport.port();
    pair.b.transport.stop();
    CHECK(pair.a.closed(pair.to_b, gone));
    CHECK(!pair.b.start(options));
    CHECK(pair.b.transport.port() == options.port);
}

TEST_CASE("tcp: a refused dial is LinkClosed") {
    Station<> a;
    Station<> b;
    REQUIRE(!a.start());
    REQUIRE(!b.start());
    const std::uint16_t port = b.transport.port();
    b.transport.stop();
    CHECK(a.closed(a.dial(port), std::errc::connection_refused));
    CHECK(a.opened().empty());
}

TEST_CASE("tcp: close() delivers what was sent before, and no event follows it") {
    Pair pair;
    for (int i = 0; i < 100; ++i) pair.b.send(pair.to_a, bytes(1000));  // unread bytes would make TCP reset the link
    CHECK(pair.a.send(pair.to_b, bytes(3u << 20)));
    CHECK(pair.a.send(pair.to_b, bytes(10)));
    pair.a.close(pair.to_b);
    CHECK(pair.b.closed(pair.to_a, gone));
    REQUIRE(pair.b.received_count(pair.to_a) == 2);
    CHECK(SharedBytes{pair.b.received(pair.to_a)[0]} == bytes(3u << 20));
    pair.a.transport.stop();
    CHECK(pair.a.closings().empty());
}

TEST_CASE("tcp: a dial can be closed before it is answered") {
    Station<> a;
    Station<> b;
    REQUIRE(!a.start());
    REQUIRE(!b.start());
    for (int i = 0; i < 100; ++i) a.transport.close(a.transport.dial({"127.0.0.1", b.transport.port()}));
    const Link link = a.dial(b.transport.port());
    CHECK(a.eventually([&] { return !a.opened().empty() && a.opened().back().link == link; }));
    CHECK(a.closings().empty());
}

TEST_CASE("tcp: many threads send on one link: whole messages, in the order of each thread") {
    Pair pair;
    constexpr std::size_t threads = 8;
    constexpr std::size_t each = 500;
    std::vector<std::thread> senders;
    for (std::size_t thread = 0; thread < threads; ++thread)
        senders.emplace_back([&, thread] {
            for (std::size_t i = 0; i < each; ++i) {
                Bytes message(sizeof i + 1 + (i * 37 + thread) % 5000, std::byte(thread));
                std::memcpy(message.data(), &i, sizeof i);
                const auto shared = SharedBytes{std::move(message)};
                while (!pair.a.transport.send(pair.to_b, shared)) std::this_thread::sleep_for(1ms);  // no mutex of ours
            }
        });
    for (std::thread& sender : senders) sender.join();
    REQUIRE(pair.b.eventually([&] { return pair.b.received_count(pair.to_a) == threads * each; }));
    std::map<std::byte, std::size_t> next;
    for (const Bytes& message : pair.b.received(pair.to_a)) {
        std::size_t i = 0;
        std::memcpy(&i, message.data(), sizeof i);
        CHECK(i == next[message.back()]++);
        CHECK(std::all_of(message.begin() + sizeof i, message.end(), [&](std::byte b) { return b == message.back(); }));
    }
}

TEST_CASE("tcp: stop() from within an event ends the events, and the transport can start again") {
    TcpTransport<> a;
    Station<> b;
    REQUIRE(!b.start());
    std::atomic<int> events{0};
    std::atomic<bool> stopped{false};
    const auto count = [&](const TransportEvent&) {
        ++events;
        a.stop();
        stopped = true;
        stopped.notify_all();
    };
    for (int round = 1; round <= 3; ++round) {
        stopped = false;
        REQUIRE(!a.start({}, count));
        a.dial({"127.0.0.1", b.transport.port()});
        a.wake_at(a.now() + 1ms);
        stopped.wait(false);
        CHECK(a.port() == 0);
        std::this_thread::sleep_for(5ms);
        CHECK(events == round);
    }
}

TEST_CASE("tcp: after stop() no event is under way") {
    Station<> b;
    REQUIRE(!b.start());
    for (int round = 0; round < 50; ++round) {
        TcpTransport<> a;
        bool stopped = false;  // a race, should an event still read it
        REQUIRE(!a.start({}, [&](const TransportEvent&) { CHECK(!stopped); }));
        const Link link = a.dial({"127.0.0.1", b.transport.port()});
        a.wake_at(a.now());
        a.send(link, bytes(10));
        if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds{20 * round});
        a.stop();
        stopped = true;
        CHECK(a.send(link, bytes(10)));
        a.close(link);
        a.wake_at(a.now());
        a.announce({});
    }
}

TEST_CASE("tcp: on an executor of the program, with many threads, events come one at a time") {
    Pool pool(4);
    Station<> a{TcpTransport<>(pool.context.get_executor())};
    Station<> b{TcpTransport<>(asio::any_io_executor(pool.context.get_executor()))};
    REQUIRE(!a.start());
    REQUIRE(!b.start());
    std::atomic<int> inside{0};
    std::atomic<int> seen{0};
    TcpTransport<> c(pool.context.get_executor());
    REQUIRE(!c.start({}, [&](const TransportEvent&) {
        CHECK(++inside == 1);
        std::this_thread::yield();
        --inside;
        ++seen;
        seen.notify_all();
    }));
    for (int i = 0; i < 20; ++i) {
        const Link link = a.dial(c.port());
        for (int j = 0; j < 20; ++j) a.send(link, bytes(100));
        c.wake_at(c.now());
    }
    CHECK(a.eventually([&] { return a.opened().size() == 20; }));
    for (int now = seen; now < 20 * 21; now = seen) seen.wait(now);
    c.stop();
}

TEST_CASE("tcp: stop() works on an executor that no longer runs, and start() on one that runs again") {
    asio::io_context context;
    Station<> b;
    REQUIRE(!b.start());
    int events = 0;
    {
        TcpTransport<> a(context.get_executor());
        REQUIRE(!a.start({}, [&](const TransportEvent&) { ++events; }));
        netsync::Options again;
        again.port = a.port();
        a.dial({"127.0.0.1", b.transport.port()});
        while (events == 0) context.run_one();
        a.dial({"127.0.0.1", b.transport.port()});
        a.wake_at(a.now());
        context.stop();
        a.stop();
        context.restart();
        context.run_for(50ms);
        CHECK(events == 1);
        context.restart();

        REQUIRE(!a.start(again, [&](const TransportEvent&) { ++events; }));
        CHECK(a.port() == again.port);
        a.wake_at(a.now());
        while (events == 1) context.run_one();
    }
    context.run_for(10ms);
    CHECK(events == 2);
}

TEST_CASE("tcp: wake_at() fires once, at the time told last") {
    Station<> a;
    REQUIRE(!a.start());
    const auto start = a.transport.now();
    a.transport.wake_at(start + 1h);
    a.transport.wake_at(start + 5ms);
    a.transport.wake_at(start + 60ms);
    CHECK(a.eventually([&] { return a.woken().size() == 1; }));
    CHECK(a.woken().front() - start >= 60ms);
    a.transport.wake_at(start);
    CHECK(a.eventually([&] { return a.woken().size() == 2; }));
    a.transport.wake_at(netsync::Duration::max());
    std::this_thread::sleep_for(20ms);
    CHECK(a.woken().size() == 2);
}

TEST_CASE("tcp: a transport moves before it starts") {
    TcpTransport<> a;
    TcpTransport<> b(std::move(a));
    a = TcpTransport<>{};
    a = std::move(b);
    CHECK(!a.start({}, [](const TransportEvent&) {}));
    CHECK(a.port() != 0);
    CHECK(a.entropy() != a.entropy());
}
