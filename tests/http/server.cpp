// What the server allows a client, whatever its routes are: sizes, connections, time, methods; and what it says of itself.
#include <chrono>
#include <deque>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/tcp.h>

#include "service.hpp"

using namespace std::chrono_literals;
using namespace netsync;

namespace {

/// What a client is told that sends these bytes, and nothing more.
Answer told(const Service& service, const std::string& bytes) {
    Client client{service.port()};
    client.send(bytes);
    return client.answer();
}

std::string get(const std::string& target, const std::string& fields = {}) {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

const std::string waiting = "/event?event=e&actor=actor1&payload=p1", other = "/event?event=e&actor=actor2&payload=p2";

}  // namespace

TEST_CASE("server: listens on this machine only, unless told otherwise") {
    const auto connects = [](const http::Options& options, const char* to) {
        const Service service{options};
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(service.port());
        ::inet_pton(AF_INET, to, &address.sin_addr);
        const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        return connected;
    };
    http::Options everywhere;
    everywhere.address = "0.0.0.0";
    CHECK(connects({}, "127.0.0.1"));
    CHECK_FALSE(connects({}, "127.0.0.2"));  // another of its addresses, as that of a network card is
    CHECK(connects(everywhere, "127.0.0.2"));
}

TEST_CASE("server: the head of a request has limits, and the server has others to answer") {
    const Service service;
    CHECK(told(service, get("/healthz", "X: " + std::string(8000, 'x') + "\r\n")).status == 200);
    const auto is_cut_off = [&](const std::string& bytes) { return told(service, bytes).status == 0; };
    CHECK(is_cut_off(get("/healthz", "X: " + std::string(10'000, 'x') + "\r\n")));
    CHECK(is_cut_off(get("/healthz", std::string(300, 'x') + ": y\r\n")));
    std::string many;
    for (int at = 0; at < 70; ++at) many += "X" + std::to_string(at) + ": y\r\n";
    CHECK(is_cut_off(get("/healthz", many)));
    CHECK(is_cut_off(get("/" + std::string(50'000, 'x'))));
    CHECK(is_cut_off("POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n" +
                     std::string(3'000'000, 'x')));
    CHECK(is_cut_off("POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"));
    CHECK(is_cut_off(
        "POST /event HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"));
    CHECK(is_cut_off("\x16\x03\x01 is how TLS begins\r\n\r\n"));
    CHECK(told(service, get("/healthz")).status == 200);
}

TEST_CASE("server: no more connections than it was told") {
    http::Options options;
    options.limits.connections = 3;
    Service service{options};
    std::deque<Client> in;
    for (int at = 0; at < 3; ++at) {
        in.emplace_back(service.port()).ask("/healthz");
        CHECK(in.back().answer().status == 200);
    }
    for (int round = 0; round < 20; ++round) CHECK(told(service, get("/healthz")).status == 0);
    in.front().ask("/healthz");
    CHECK(in.front().answer().status == 200);
    CHECK(service.statistics().connections == 3);
    in.pop_back();
    CHECK(Service::becomes([&] { return told(service, get("/healthz")).status == 200; }));
}

TEST_CASE("server: slow clients are cut off, greedy ones refused, and those who wait are not") {
    http::Options options;
    options.limits.reading = 3s;
    options.limits.unanswered = 2;
    const Service service{options};
    Client patient{service.port()};
    patient.ask(waiting);
    Client slow{service.port()}, silent{service.port()};
    slow.send("GET /healthz HTTP/1.1\r\nHo");
    CHECK(slow.answer().status == 0);  // the patient one has waited longer by then
    CHECK(silent.answer().status == 0);
    Client greedy{service.port()};
    for (const char* event : {"a", "b", "c"}) greedy.ask("/event?event=" + std::string(event) + "&actor=g");
    for (int round = 0; round < 3; ++round) CHECK(greedy.answer().status == 503);
    greedy.ask("/healthz");
    CHECK(greedy.answer().status == 200);
    CHECK(service.get(other).status == 200);
    CHECK(patient.answer().status == 200);
}

TEST_CASE("server: who does not take replies is cut off") {
    http::Options options;
    options.limits.reading = options.limits.writing = 1s;
    Service service{options};
    Client greedy{service.port()};
    const std::string body = R"({"event":"e","actor":"a","mates":0,"payload":")" + std::string(60'000, 'p') + R"("})";
    const std::string request =
        "POST /event?input=json HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    while (greedy.send(request)) {
    }  // until sockets hold no more, and then until the connection is gone
    CHECK(Service::becomes([&] { return service.statistics().connections == 0; }));
    CHECK(service.statistics().unanswered == 0);
}

TEST_CASE("server: a client that vanishes without a word is asked after") {
    http::Options options;
    options.limits.vanished = 40s;
    const Service service{options};
    Client client{service.port()};
    client.ask("/healthz");
    CHECK(client.answer().status == 200);
    int found = 0;  // the other end of its connection, which is in this process too
    for (int fd = 0; fd < 1000; ++fd) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || ntohs(peer.sin_port) != client.port())
            continue;
        ++found;
        const auto option = [&](int level, int name) {
            int value = 0;
            socklen_t length = sizeof value;
            CHECK(::getsockopt(fd, level, name, &value, &length) == 0);
            return value;
        };
        CHECK(option(SOL_SOCKET, SO_KEEPALIVE) == 1);
        CHECK(option(IPPROTO_TCP, TCP_KEEPIDLE) +
                  option(IPPROTO_TCP, TCP_KEEPCNT) * option(IPPROTO_TCP, TCP_KEEPINTVL) ==
              40);
    }
    CHECK(found == 1);
}

TEST_CASE("server: /healthz, /metrics, and a route of one's own with its HEAD") {
    asio::io_context context{1};
    http::Server server{context, {}};
    for (const char* method : {"GET", "HEAD"})
        server.route(method, "/own", [](const http::Request& request, http::Responder responder) {
            responder.reply({200, "for " + std::string(request.query)});
        });
    server.route("GET", "/forgetful", [](const http::Request&, http::Responder) {});
    server.route("GET", "/throwing", [](const http::Request&, http::Responder) { throw std::runtime_error("no"); });
    server.metric("own_answer", "gauge", "what it is", [] { return 42.5; });
    REQUIRE(!server.start());
    std::thread thread([&] { context.run(); });
    Client client{server.port()};
    const auto ask = [&](const std::string& target) {
        client.ask(target);
        return client.answer();
    };
    CHECK(ask("/healthz").body == "{\"status\":\"ok\"}\n");
    CHECK(ask("/own?me").body == "for me");
    CHECK(ask("/forgetful").body == "{\"error\":\"no answer\"}\n");
    CHECK(ask("/throwing").status == 500);
    CHECK(ask("/healthz/").status == 404);
    client.send("HEAD /own?me HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/healthz"));
    CHECK(client.answer().status == 200);  // without a body, which the next reply would begin with
    CHECK(client.answer().body == "{\"status\":\"ok\"}\n");
    const Answer metrics = ask("/metrics");
    CHECK(metrics.head.find("Content-Type: text/plain; version=0.0.4") != std::string::npos);
    static const std::regex exposition{"(# HELP ([a-z_]+) [^\\n]+\\n# TYPE \\2 (counter|gauge)\\n\\2 [-+0-9.e]+\\n)+"};
    CAPTURE(metrics.body);
    CHECK(std::regex_match(metrics.body, exposition));
    CHECK(metrics.body.find("\nown_answer 42.5\n") != std::string::npos);
    CHECK(metrics.body.find("\nnetsync_http_failed_total 2\n") != std::string::npos);
    CHECK(metrics.body.find("\nnetsync_http_refused_total 1\n") != std::string::npos);
    asio::post(context, [&] { context.stop(); });
    thread.join();
}

TEST_CASE("server: a port in use is an error, and a server that stops tells those who wait") {
    Service service;
    asio::io_context context;
    http::Options options;
    options.port = service.port();
    http::Server again{context, options};
    CHECK(again.start() == std::errc::address_in_use);
    Client client{service.port()};
    client.ask(waiting);
    service.wait_for(1);
    service.stop();
    CHECK(client.answer().status == 503);
    CHECK_FALSE(Client{service.port()}.connected());
}
