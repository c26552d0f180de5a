// The server and its rendezvous over real sockets: the cases of the specification, refusals, and everything that clients
// get wrong.
#include <netsync/http.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"

using namespace std::chrono_literals;
using namespace netsync;

namespace {

/// A rendezvous server on a thread of its own.
class Service {
   public:
    explicit Service(http::Options options = {}, rendezvous::ExchangeLimits limits = {})
        : server_(context_, std::move(options)), routes_(server_, context_, limits) {
        REQUIRE(!server_.start());
        thread_ = std::thread([this] { context_.run(); });
    }
    ~Service() {
        asio::post(context_, [this] {
            server_.stop();
            context_.stop();
        });
        thread_.join();
    }

    std::uint16_t port() const { return server_.port(); }
    Answer get(std::string_view target, std::string_view body = {}, std::string_view method = {}) const {
        Client client{port()};
        client.ask(target, body, method);
        return client.answer();
    }
    std::string stats() const { return get("/stats").body; }
    bool becomes_idle() const {
        for (int round = 0; round < 100 && stats() != "{}\n"; ++round) std::this_thread::sleep_for(20ms);
        return stats() == "{}\n";
    }
    /// Until so many requests wait.
    void wait_for(std::size_t waiting) const {
        const std::string line = "netsync_rendezvous_waiting " + std::to_string(waiting) + '\n';
        for (int round = 0; round < 500 && get("/metrics").body.find(line) == std::string::npos; ++round)
            std::this_thread::sleep_for(5ms);
    }
    http::Statistics statistics() {
        std::promise<http::Statistics> promise;
        asio::post(context_, [&] { promise.set_value(server_.statistics()); });
        return promise.get_future().get();
    }

   private:
    asio::io_context context_{1};
    http::Server server_;
    http::RendezvousRoutes routes_;
    std::thread thread_;
};

const std::string both = "{\"payloads\":{\"actor1\":\"p1\",\"actor2\":\"p2\"}}\n";
const std::string first = "/event?event=e&actor=actor1&payload=p1", second = "/event?event=e&actor=actor2&payload=p2";

}  // namespace

TEST_CASE("http: two processes meet, whatever form their requests have (S3-01, S3-02, S3-10)") {
    const Service service;
    struct Form {
        std::string target, body{};
    };
    const auto forms = [](const std::string& actor, const std::string& payload) {
        return std::vector<Form>{
            {"/event?event=e&actor=" + actor + "&payload=" + payload + "&labels=k=v"},
            {"/event?input=yaml", "{event: e, payload: " + payload + ", actor: " + actor + ", labels: {k: v}}"},
            {"/event?input=yaml",
             "event: e\npayload: '" + payload + "'\nactor: " + actor + "\nmates: 1\nlabels:\n  k: v\n"},
            {"/event?input=json", R"({"event":"e","mates":1,"payload":")" + payload + R"(","actor":")" + actor +
                                      R"(","selector":"k=v","labels":{"k":"v"}})"}};
    };
    for (const Form& a : forms("actor1", "p1"))
        for (const Form& b : forms("actor2", "p2")) {
            Client one{service.port()}, two{service.port()};
            one.ask(a.target, a.body);
            two.ask(b.target, b.body);
            for (Client* client : {&one, &two}) {
                const Answer answer = client->answer();
                CHECK(answer.status == 200);
                CHECK(answer.body == both);
                CHECK(answer.head.find("Content-Type: application/json") != std::string::npos);
            }
        }
}

TEST_CASE("http: one alone waits and is listed; when its client leaves it is not (S3-03)") {
    const Service service;
    for (const bool half : {false, true}) {
        auto client = std::make_unique<Client>(service.port());
        client->ask("/event?event=e&actor=a&mates=2&labels=k=v&selector=k");
        service.wait_for(1);
        const std::string stats = service.stats();
        CHECK(stats.find(R"({"e":{"a":{")") == 0);
        CHECK(stats.find(R"("mates":2,"selector":"k","labels":{"actor":"a","k":"v"}},"created_at":"20)") !=
              std::string::npos);
        if (half)
            client->shut_half();
        else
            client.reset();
        std::this_thread::sleep_for(300ms);
        CHECK(service.stats() == "{}\n");
    }
}

TEST_CASE("http: a game maker and two players; an actor alone; who asks for nobody (S3-04, S3-05, S3-17)") {
    const Service service;
    std::deque<Client> clients;
    for (const char* actor : {"gm", "gm", "p1", "p2"}) {
        clients.emplace_back(service.port()).ask("/event?event=e&mates=2&actor=" + std::string(actor));
        service.wait_for(clients.size() == 4 ? 1 : clients.size());
    }
    for (const std::size_t at : {0u, 2u, 3u})
        CHECK(clients[at].answer().body == "{\"payloads\":{\"gm\":\"\",\"p1\":\"\",\"p2\":\"\"}}\n");
    CHECK(service.get("/event?event=e&actor=x&mates=0&payload=%22%0a%ff").body ==
          "{\"payloads\":{\"x\":\"\\\"\\u000a\xef\xbf\xbd\"}}\n");
    clients.clear();
    CHECK(service.becomes_idle());
}

TEST_CASE("http: labels and selectors of both must fit; who was matched is not met again (S3-07, S3-09, S3-18)") {
    const Service service;
    Client a{service.port()}, b{service.port()}, unwilling{service.port(), 1}, c{service.port(), 1};
    a.ask("/event?event=e&actor=a1&labels=label1=value1");
    service.wait_for(1);
    unwilling.ask("/event?event=e&actor=a3&selector=label1!%3Dvalue1");
    service.wait_for(2);
    b.ask("/event?event=e&actor=a2&selector=label1%3D%3Dvalue1");
    CHECK(a.answer().body == "{\"payloads\":{\"a1\":\"\",\"a2\":\"\"}}\n");
    CHECK(b.answer().status == 200);
    c.ask("/event?event=e&actor=c&labels=label1=value1");  // a and b are still connected
    CHECK(c.answer().status == 0);
    CHECK(unwilling.answer().status == 0);
}

TEST_CASE("http: errors are one line of text, or say in JSON what happened") {
    http::Options options;
    options.hosts = {"Rendezvous.example"};
    const Service service{options, {.waiting = 1, .text = 5000}};
    const auto line = [&](const std::string& target, const std::string& text, const std::string& body = {}) {
        const Answer answer = service.get(target, body);
        CHECK(answer.status == 400);
        CHECK(answer.body == text + '\n');
    };
    line("/event?event=e&actor=a&labels=a=b=c", R"(bad label: ["a" "b" "c"])");
    line("/event?event=e&actor=a&mates=x", "mates must be int");
    line("/event?event=e&actor=a&mates=1.0", "mates must be int");
    line("/event?event=e&actor=a&mates=-1", "mates must not be negative");
    line("/event?actor=a", "empty event");
    line("/event?event=e", "empty actor");
    line("/event?event=e&actor=a&selector=x%3D%3Da%3D%3Db",
         R"(failed to parse selector "x==a==b": found '==', expected: ',' or 'end of string')");
    line("/event?input=foo", R"(unknown input "foo")");
    line("/event?event=%4", "malformed query");
    line("/event?event=e&actor=a&timeout=soon", "timeout must be a duration");
    line("/event?event=e&actor=a&payload=" + std::string(5000, 'p'), "the request is too large");
    for (const char* body :
         {"{", "[]", "7", "\"e\"", "{\"event\":[[[[]]]]}", "{\"event\":{\"a\":\"b\"}}", "{\"labels\":{\"a\":{}}}",
          "{\"event\":null}", "{\"mates\":1.5}", "{\"x\":\"y\"}", "{\"event\":\"\xff\"}",
          "{\"event\":\"e\",\"event\":\"e\"}", "{\"mates\":99999999999999999999}"}) {
        const Answer answer = service.get("/event?input=json", body);
        CAPTURE(std::string(body));
        CAPTURE(answer.body);
        CHECK(answer.status == 400);
        CHECK(answer.body.find("failed to unmarshal body: ") == 0);
        CHECK(answer.body.find('\n') == answer.body.size() - 1);
    }
    for (const char* body :
         {"event: &a e\nactor: *a", "event: !!str e", "event: [e]", "- event", "just text", "event: e\nevent: e",
          "labels: {a: {b: c}}", "event: {a: b}", "? {a: b}\n: c", "event: e\n---\nevent: e", "x: y", "a: &x [*x, *x]",
          "%", "{event: e", "labels: {<<: *a}"}) {
        const Answer answer = service.get("/event?input=yaml", body);
        CAPTURE(std::string(body));
        CAPTURE(answer.body);
        CHECK(answer.status == 400);
        CHECK(answer.body.find("failed to unmarshal body: ") == 0);
    }
    CHECK(service.get("/event?event=e&actor=a&timeout=50ms").status == 408);
    CHECK(service.get("/nowhere").status == 404);
    CHECK(service.get("/nowhere").body == "{\"error\":\"no such path\"}\n");
    const Answer wrong = service.get("/event", {}, "DELETE");
    CHECK(wrong.status == 405);
    CHECK(wrong.head.find("Allow: GET, POST") != std::string::npos);
    CHECK(service.get("/event?event=" + std::string(20'000, 'e')).status == 414);
    CHECK(service.get("/event", std::string(1'200'000, 'e')).status == 413);
    const auto with = [&](const std::string& fields) {
        Client client{service.port()};
        client.send("GET /healthz HTTP/1.1\r\n" + fields + "\r\n");
        return client.answer().status;
    };
    CHECK(with("Host: rendezvous.example:80\r\n") == 200);
    CHECK(with("Host: [::1]:8000\r\n") == 200);
    CHECK(with("Host: elsewhere.example\r\n") == 421);
    CHECK(with("Host: localhost.evil.example\r\n") == 421);
    CHECK(with("") == 400);
    Client waiting{service.port()};
    waiting.ask(first);
    service.wait_for(1);
    CHECK(service.get("/event?event=f&actor=b").status == 503);
    CHECK(service.get(second).body == both);
}

TEST_CASE("http: who asks is asked first, whatever the path") {
    http::Options options;
    options.authorize = [](const http::Request& request) -> std::optional<http::Reply> {
        if (request.header("authorization") == "Bearer right") return std::nullopt;
        return http::Reply::error(401, "who are you?");
    };
    const Service service{options};
    for (const char* path : {"/healthz", "/metrics", "/stats", "/event?event=e&actor=a&mates=0", "/nowhere"}) {
        CHECK(service.get(path).status == 401);
        Client client{service.port()};
        client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer right\r\n\r\n");
        CHECK(client.answer().status == (std::string(path) == "/nowhere" ? 404 : 200));
    }
}

TEST_CASE("http: slow clients are cut off, greedy ones refused, and those who wait are not") {
    http::Options options;
    options.limits.reading = 1s;
    options.limits.unanswered = 2;
    const Service service{options};
    Client patient{service.port()};
    patient.ask(first);
    Client slow{service.port(), 8};
    slow.send("GET /healthz HTTP/1.1\r\nHo");
    CHECK(slow.answer().status == 0);  // after a second or two, not after eight
    Client greedy{service.port()};
    for (const char* event : {"a", "b", "c"}) greedy.ask("/event?event=" + std::string(event) + "&actor=g");
    for (int round = 0; round < 3; ++round) CHECK(greedy.answer().status == 503);
    greedy.ask("/healthz");
    CHECK(greedy.answer().status == 200);
    CHECK(service.get(second).body == both);
    CHECK(patient.answer().body == both);
}

TEST_CASE("http: 10,000 random requests, and the others do not notice (S3-13)") {
    http::Options options;
    options.limits.reading = 2s;
    Service service{options};
    std::atomic<bool> over{false};
    int met = 0, lost = 0;
    std::thread others([&] {
        Client one{service.port()}, two{service.port()};
        for (int round = 0; !over; ++round) {
            const std::string event = "/event?event=known" + std::to_string(round);
            one.ask(event + "&actor=actor1&payload=p1");
            two.ask(event + "&actor=actor2&payload=p2");
            for (Client* client : {&one, &two}) ++(client->answer().body == both ? met : lost);
            std::this_thread::sleep_for(2ms);
        }
    });
    std::mt19937_64 random{7};
    const auto below = [&](std::size_t bound) { return random() % bound; };
    const auto noise = [&](std::size_t most) {
        std::string text(below(most), ' ');
        for (char& c : text) c = static_cast<char>(random());
        return text;
    };
    const auto query = [&] {
        static const char* const words[] = {"event", "actor",  "payload", "mates", "selector", "labels", "timeout",
                                            "input", "=",      "&",       "%",     "+",        "a",      "json",
                                            "yaml",  "x in (", ",",       ")",     "!=",       "7"};
        std::string text =
            below(3) ? "/event?event=r&actor=a" + std::to_string(below(5)) + "&timeout=10ms&" : "/event?";
        for (std::size_t left = below(10); left > 0; --left) text += words[below(std::size(words))];
        std::string clean;
        for (const char c : text) clean += c == ' ' ? std::string("%20") : std::string(1, c);
        return clean;
    };
    const auto document = [&] {
        static const char* const pieces[] = {"{",  "}",  "[",   "]",  ":",  ",",     "\"event\"", "event: ",
                                             "\n", "  ", "&a ", "*a", "- ", "\"e\"", "1e9",       "null"};
        std::string text;
        for (std::size_t left = below(20); left > 0; --left) text += pieces[below(std::size(pieces))];
        return text;
    };
    std::deque<Client> open;
    int answered = 0;
    for (int sent = 0; sent < 10'000; ++sent) {
        if (open.size() > 40) open.pop_front();
        if (open.empty() || below(10) == 0) open.emplace_back(service.port(), 1);
        Client& client = open.back();
        switch (below(8)) {
        case 0: client.ask(below(2) ? "/event?input=json" : "/event?input=yaml", document() + " "); break;
        case 1: client.ask(query(), {}, below(2) ? "PUT" : "HEAD"); break;
        case 2:
            client.send(noise(200));
            open.emplace_back(service.port(), 1);
            break;
        case 3:
            client.send("POST /event?input=json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n" +
                        noise(90));
            if (below(2)) client.shut_half();
            open.emplace_back(service.port(), 1);
            break;
        default: client.ask(query()); break;
        }
        if (below(50) == 0) {
            Client polite{service.port()};
            polite.ask("/healthz");
            answered += polite.answer().status == 200;
        }
    }
    open.clear();
    over = true;
    others.join();
    CHECK(lost == 0);
    CHECK(met > 20);
    CHECK(answered > 100);
    CHECK(service.becomes_idle());
    for (int round = 0; round < 100 && service.statistics().connections > 0; ++round) std::this_thread::sleep_for(50ms);
    CHECK(service.statistics().connections == 0);
    CHECK(service.statistics().unanswered == 0);
}

TEST_CASE("http: a port in use is an error, and a server that stops tells those who wait") {
    auto service = std::make_unique<Service>();
    asio::io_context context;
    http::Options options;
    options.port = service->port();
    http::Server again{context, options};
    CHECK(again.start() == std::errc::address_in_use);
    Client client{service->port()};
    client.ask(first);
    service->wait_for(1);
    service.reset();
}
