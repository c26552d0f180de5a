// Rendezvous over real sockets: the cases of the specification, and refusals.
#include <netsync/http.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "service.hpp"

using namespace std::chrono_literals;
using namespace netsync;

namespace {

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
    using Clock = std::chrono::steady_clock;
    Clock::duration fastest = 1h;
    for (int round = 0; round < 6; ++round) {
        const bool half = round % 2 == 1;
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
        const auto left = Clock::now();
        CHECK(service.becomes_idle());
        fastest = std::min(fastest, Clock::now() - left);
    }
    CHECK(fastest < 300ms);  // of several, for others use the machine too
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
    Client a{service.port()}, b{service.port()}, unwilling{service.port()}, c{service.port()};
    a.ask("/event?event=e&actor=a1&labels=label1=value1");
    service.wait_for(1);
    unwilling.ask("/event?event=e&actor=a3&selector=label1!%3Dvalue1");
    service.wait_for(2);
    b.ask("/event?event=e&actor=a2&selector=label1%3D%3Dvalue1");
    CHECK(a.answer().body == "{\"payloads\":{\"a1\":\"\",\"a2\":\"\"}}\n");
    CHECK(b.answer().status == 200);
    c.ask("/event?event=e&actor=c&labels=label1=value1");  // a and b are still connected
    service.wait_for(2);                                   // c, and who was unwilling
    const auto stats = nlohmann::json::parse(service.stats());
    CHECK((stats["e"].size() == 2 && stats["e"].contains("a3") && stats["e"].contains("c")));
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
