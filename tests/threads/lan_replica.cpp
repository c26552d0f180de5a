// Whole replicas on real sockets: they are given nothing but a pool name and a discovery port.
#include <doctest/doctest.h>

#include <chrono>
#include <netsync/lan.hpp>
#include <random>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using namespace netsync;

namespace {

struct Album {
    LwwRegister<std::string> title{};
    OrSet<std::string> tags{};
};

/// A discovery port that no other test uses.
Options on_free_port() {
    asio::io_context context;
    const asio::ip::udp::socket socket(context, {asio::ip::udp::v4(), 0});
    Options options;
    options.discovery_port = socket.local_endpoint().port();
    options.announce = {200ms, 400ms};
    return options;
}

template <class Predicate>
bool eventually(Predicate holds) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!holds() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
    return holds();
}

bool has_tag(const LanReplica<Album>& replica, const char* tag) {
    return replica.read([&](const Album& album) { return album.tags.contains(tag); });
}

}  // namespace

TEST_CASE("lan: replicas of one machine find each other, and a change reaches all of them") {
    const Options options = on_free_port();
    asio::io_context context;
    const auto work = asio::make_work_guard(context);
    std::thread thread([&] { context.run(); });
    {
        LanReplica<Album> a{options};
        LanReplica<Album> b{options};
        LanReplica<Album> c{context.get_executor(), options};
        a.update(&Album::tags, add("a"));
        b.update(&Album::tags, add("b"));
        c.update(&Album::tags, add("c"));
        for (const auto* replica : {&a, &b, &c})
            CHECK(
                eventually([&] { return has_tag(*replica, "a") && has_tag(*replica, "b") && has_tag(*replica, "c"); }));
    }
    context.stop();
    thread.join();
}

TEST_CASE("lan: 1,000 datagrams of nonsense, and a replica is found all the same") {
    const Options options = on_free_port();
    LanReplica<Album> a{options};
    std::mt19937 random(17);
    asio::io_context context;
    asio::ip::udp::socket attacker(context, asio::ip::udp::v4());
    attacker.set_option(asio::ip::udp::socket::broadcast(true));
    for (int i = 0; i < 1000; ++i) {
        Bytes datagram(random() % 3000);
        for (std::byte& byte : datagram) byte = std::byte(random() & 0xff);
        std::error_code ignored;
        attacker.send_to(asio::buffer(datagram), {asio::ip::make_address("127.255.255.255"), options.discovery_port}, 0,
                         ignored);
    }
    LanReplica<Album> b{options};
    a.update(&Album::tags, add("found"));
    CHECK(eventually([&] { return has_tag(b, "found"); }));
}

TEST_CASE("lan: options.peers find a replica that announcements do not reach") {
    Options options = on_free_port();
    LanReplica<Album> a{options};
    options.discovery_port = on_free_port().discovery_port;
    options.peers = {"localhost:" + std::to_string(a.report().port)};
    LanReplica<Album> b{options};
    b.update(&Album::tags, add("far"));
    CHECK(eventually([&] { return has_tag(a, "far"); }));
}

TEST_CASE("lan: a replica that stops and starts again catches up") {
    const Options options = on_free_port();
    LanReplica<Album> a{options};
    LanReplica<Album> b{options};
    a.update(&Album::tags, add("first"));
    CHECK(eventually([&] { return has_tag(b, "first"); }));
    b.stop();
    a.update(&Album::tags, add("meanwhile"));
    b.update(&Album::tags, add("alone"));
    REQUIRE(!b.start());
    CHECK(eventually([&] { return has_tag(b, "meanwhile") && has_tag(a, "alone"); }));
}
