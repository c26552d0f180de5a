#include <doctest/doctest.h>

#include <random>

#include "station.hpp"

using asio::ip::udp;
using netsync::StaticPeers;
using netsync::TcpTransport;
using netsync::UdpDiscovery;

namespace {

using LanStation = Station<TcpTransport<UdpDiscovery, StaticPeers>>;

/// A port that no other test uses.
netsync::Options on_free_port() {
    asio::io_context context;
    const udp::socket socket(context, udp::endpoint(udp::v4(), 0));
    netsync::Options options;
    options.discovery_port = socket.local_endpoint().port();
    return options;
}

}  // namespace

TEST_CASE("udp: all who share the port hear every announcement, and from where") {
    const netsync::Options options = on_free_port();
    LanStation stations[3];
    for (auto& station : stations) REQUIRE(!station.start(options));
    for (unsigned i = 0; i < 3; ++i) stations[i].announce(*bytes(50, i));
    for (auto& station : stations)
        for (unsigned i = 0; i < 3; ++i) CHECK(station.hears(*bytes(50, i)));
    for (const auto& [host, announcement] : stations[0].heard()) {
        std::error_code error;
        asio::ip::make_address(host, error);
        CHECK(!error);
    }
}

TEST_CASE("udp: the address heard can be dialed") {
    const netsync::Options options = on_free_port();
    LanStation a;
    LanStation b;
    REQUIRE(!a.start(options));
    REQUIRE(!b.start(options));
    a.announce(*bytes(10));
    REQUIRE(b.hears(*bytes(10)));
    const Link link = b.dial(a.transport.port(), b.heard().front().first);
    CHECK(b.link() == link);
}

TEST_CASE("udp: random, empty and oversized datagrams do nothing bad") {
    netsync::Options options = on_free_port();
    options.limits.datagram = 500;
    LanStation a;
    LanStation b;
    REQUIRE(!a.start(options));
    REQUIRE(!b.start(options));

    std::mt19937 random(20240229);
    asio::io_context context;
    udp::socket attacker(context, udp::v4());
    const udp::endpoint target(asio::ip::make_address_v4("127.255.255.255"), options.discovery_port);
    attacker.set_option(udp::socket::broadcast(true));
    for (int i = 0; i < 1000; ++i) {
        Bytes datagram(random() % 2 == 0 ? random() % 600 : random() % 9000);
        for (std::byte& byte : datagram) byte = std::byte(random() & 0xff);
        std::error_code ignored;
        attacker.send_to(asio::buffer(datagram), target, 0, ignored);
    }
    CHECK(a.eventually([&] { return !a.heard().empty(); }));

    a.announce(*bytes(500));
    CHECK(b.hears(*bytes(500)));
    for (const auto& [host, datagram] : b.heard()) CHECK(datagram.size() <= 500);
}

TEST_CASE("udp: a port that others do not share is an error of start(), and nothing is left open") {
    const netsync::Options options = on_free_port();
    asio::io_context context;
    const udp::socket v4(context, udp::endpoint(udp::v4(), options.discovery_port));
    udp::socket v6(context);
    std::error_code no_v6;
    v6.open(udp::v6(), no_v6);
    if (!no_v6) v6.set_option(asio::ip::v6_only(true));
    if (!no_v6) v6.bind({udp::v6(), options.discovery_port}, no_v6);

    LanStation a;
    CHECK(a.start(options) == std::errc::address_in_use);
    CHECK(a.transport.port() == 0);
}

TEST_CASE("udp: stop() and start() again, on a thread of its own and on an executor") {
    const netsync::Options options = on_free_port();
    asio::io_context context;
    const auto work = asio::make_work_guard(context);
    std::thread thread([&] { context.run(); });
    {
        LanStation a;
        LanStation b{TcpTransport<UdpDiscovery, StaticPeers>(context.get_executor())};
        for (unsigned round = 0; round < 3; ++round) {
            REQUIRE(!a.start(options));
            REQUIRE(!b.start(options));
            a.announce(*bytes(20, round));
            CHECK(b.hears(*bytes(20, round)));
            a.transport.stop();
            b.transport.stop();
        }
    }
    context.stop();
    thread.join();
}

TEST_CASE("peers: those that are told are hinted at the start") {
    netsync::Options options = on_free_port();
    options.peers = {"10.1.2.3:4000", "[::1]:5000", "some.host:6000"};
    LanStation a;
    REQUIRE(!a.start(options));
    CHECK(a.eventually([&] { return a.hinted().size() == 3; }));
    CHECK(a.hinted()[1] == netsync::Endpoint{"::1", 5000});
}

TEST_CASE("peers: an entry that is no endpoint is an error of start(), and nothing is left open") {
    netsync::Options options = on_free_port();
    for (const char* text : {"host", "host:", ":80", "host:0", "host:65536", "::1:80"}) {
        options.peers = {"127.0.0.1:4000", text};
        LanStation a;
        CHECK(a.start(options) == netsync::errc::bad_endpoint);
        CHECK(a.transport.port() == 0);
        CHECK(a.hinted().empty());
    }
}
