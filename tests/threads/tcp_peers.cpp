// Peers that do what no correct peer does: here they are plain sockets.
#include <doctest/doctest.h>

#include <array>
#include <thread>

#include "station.hpp"

using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

struct RawPeer {
    explicit RawPeer(std::uint16_t port) { socket.connect({asio::ip::address_v4::loopback(), port}); }

    void write(const std::vector<unsigned char>& data) { CHECK(socket.send(asio::buffer(data)) == data.size()); }
    /// Reads until the other end closes or resets.
    std::size_t drain() {
        std::array<char, 4096> piece;
        std::error_code error;
        std::size_t total = 0;
        while (!error) total += socket.read_some(asio::buffer(piece), error);
        return total;
    }

    asio::io_context context;
    tcp::socket socket{context};
};

}  // namespace

TEST_CASE("tcp: a length above the limit ends the link") {
    Station<> a;
    REQUIRE(!a.start());
    RawPeer peer(a.transport.port());
    const Link link = a.link();
    peer.write({0, 0, 0, 1, 'x', 0xff, 0xff, 0xff, 0xff, 'y'});
    CHECK(a.closed(link, netsync::errc::too_large));
    CHECK(a.received_count(link) == 1);
    peer.drain();
}

TEST_CASE("tcp: a peer that sends one byte at a time is understood") {
    Station<> a;
    REQUIRE(!a.start());
    RawPeer peer(a.transport.port());
    peer.socket.set_option(tcp::no_delay(true));
    const Link link = a.link();
    for (int i = 0; i < 100; ++i)
        for (const unsigned char byte : std::vector<unsigned char>{0, 0, 0, 2, 'h', 'i'}) peer.write({byte});
    CHECK(a.eventually([&] { return a.received_count(link) == 100; }));
    CHECK(a.received(link).back().size() == 2);
}

TEST_CASE("tcp: a peer that half-closes, leaves mid-message or resets is LinkClosed, with the reason") {
    Station<> a;
    REQUIRE(!a.start());
    bool half = false;
    SUBCASE("half-close") { half = true; }
    SUBCASE("reset") {}
    RawPeer peer(a.transport.port());
    const Link link = a.link();
    peer.write({0, 0, 0, 9, 'x'});
    if (half) {
        peer.socket.shutdown(tcp::socket::shutdown_send);
    } else {
        peer.socket.set_option(tcp::socket::linger(true, 0));
        peer.socket.close();
    }
    CHECK(a.closed(link, gone));
    CHECK(a.received(link).empty());
}

TEST_CASE("tcp: sending to a peer that is gone neither blocks nor raises SIGPIPE") {
    Station<> a;
    REQUIRE(!a.start());
    Link link{};
    {
        RawPeer peer(a.transport.port());
        link = a.link();
        peer.write({0, 0, 0, 0});
        a.send(link, bytes(1000));  // unread: the peer's close resets
    }
    for (int i = 0; i < 1000; ++i) a.send(link, bytes(1000));
    CHECK(a.eventually([&] { return a.closings().size() == 1; }));
    CHECK(a.received_count(link) == 1);
    CHECK(a.send(link, bytes(1000)));
}

TEST_CASE("tcp: a peer that does not read costs no more than the backlog") {
    Station<> a;
    netsync::Options options;
    options.limits.backlog = 256u << 10;
    REQUIRE(!a.start(options));
    RawPeer peer(a.transport.port());
    const Link link = a.link();
    const auto message = bytes(64u << 10);
    std::size_t sent = 0;
    while (a.send(link, message)) ++sent;
    const std::size_t held = message.use_count() - 1;
    CHECK(held <= 6);  // the backlog, the message that went beyond it, and one on its way
    CHECK(!a.send(link, bytes(0)));

    std::thread reader([&] { CHECK(peer.drain() == (sent + 1) * (message->size() + 4)); });
    while (!a.send(link, message)) std::this_thread::sleep_for(1ms);
    a.close(link);
    reader.join();
    CHECK(a.closings().empty());
}

TEST_CASE("tcp: close() waits a second at most for a peer that does not read") {
    Station<> a;
    REQUIRE(!a.start());
    RawPeer peer(a.transport.port());
    const Link link = a.link();
    const auto message = bytes(1u << 20);
    while (a.send(link, message)) {
    }
    a.close(link);
    while (message.use_count() > 1) std::this_thread::sleep_for(10ms);  // the link held it
    CHECK(a.closings().empty());
}

TEST_CASE("tcp: links above the limit are closed at once, and make room when they end") {
    Station<> a;
    netsync::Options options;
    options.limits.links = 3;
    REQUIRE(!a.start(options));
    std::vector<std::unique_ptr<RawPeer>> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(std::make_unique<RawPeer>(a.transport.port()));
    CHECK(a.eventually([&] { return a.opened().size() == 3; }));
    CHECK(RawPeer(a.transport.port()).drain() == 0);
    CHECK(a.opened().size() == 3);
    peers.pop_back();
    CHECK(a.eventually([&] { return a.closings().size() == 1; }));
    peers.push_back(std::make_unique<RawPeer>(a.transport.port()));
    CHECK(a.eventually([&] { return a.opened().size() == 4; }));
}

TEST_CASE("tcp: a dial that nobody answers times out") {
    asio::io_context context;
    tcp::acceptor full(context);
    full.open(tcp::v4());
    full.bind({asio::ip::address_v4::loopback(), 0});
    full.listen(0);
    std::vector<tcp::socket> waiting;
    for (int i = 0; i < 4; ++i)
        waiting.emplace_back(context).async_connect(full.local_endpoint(), [](std::error_code) {});
    Station<> a;
    netsync::Options options;
    options.answer_timeout = 100ms;
    REQUIRE(!a.start(options));
    CHECK(a.closed(a.dial(full.local_endpoint().port()), netsync::errc::timed_out));
}
