// Who meets whom: against a model that tries every group, and the cases of the specification.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <map>
#include <netsync/rendezvous.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace netsync::rendezvous;
using namespace std::chrono_literals;
using netsync::Duration;

namespace {

std::optional<Selector> selecting(std::string_view text) {
    const auto parsed = Selector::parse(text);
    REQUIRE_MESSAGE(parsed, parsed.error);
    return *parsed;
}

/// Tries every subset of those who wait.
class Model {
   public:
    std::optional<std::vector<std::uint64_t>> arrive(std::uint64_t number, const Request& request) {
        waiting_.emplace_back(number, request);
        std::optional<std::vector<std::uint64_t>> best;
        const std::size_t count = waiting_.size();
        for (std::size_t subset = 1; subset < (std::size_t{1} << count); ++subset) {
            if (std::popcount(subset) > 4) continue;  // nobody asks for more than three
            std::vector<std::size_t> members;
            for (std::size_t at = 0; at < count; ++at)
                if (subset >> at & 1) members.push_back(at);
            std::vector<std::uint64_t> numbers;
            for (const std::size_t at : members) numbers.push_back(waiting_[at].first);
            if (can_fire(members) && (!best || numbers < *best)) best = numbers;
        }
        if (request.mates == 0) best = {number};
        if (best)
            std::erase_if(waiting_,
                          [&](const auto& entry) { return std::count(best->begin(), best->end(), entry.first); });
        return best;
    }
    void depart(std::uint64_t number) {
        std::erase_if(waiting_, [&](const auto& entry) { return entry.first == number; });
    }
    const auto& waiting() const { return waiting_; }

   private:
    bool can_fire(const std::vector<std::size_t>& members) const {
        std::size_t mates = 0;
        for (const std::size_t at : members) mates = std::max(mates, waiting_[at].second.mates);
        if (members.size() != mates + 1) return false;
        for (const std::size_t a : members)
            for (const std::size_t b : members)
                if (a != b && (waiting_[a].second.event != waiting_[b].second.event ||
                               !accepts(waiting_[a].second, waiting_[b].second)))
                    return false;
        return true;
    }

    std::vector<std::pair<std::uint64_t, Request>> waiting_;
};

class Requests {
   public:
    explicit Requests(std::uint64_t seed) : random_(seed) {}

    Request next() {
        Request request{.event = below(5) ? "e" : "f",
                        .actor = std::string(1, static_cast<char>('a' + below(variety_))),
                        .payload = std::to_string(below(100)),
                        .mates = below(8) ? 1 + below(3) : below(2)};
        for (const char* key : {"x", "y"})
            if (below(2)) request.labels.set(key, std::to_string(below(2)));
        static const char* const selectors[] = {"",         "x=0",         "x=1",
                                                "y in (1)", "x!=1",        "x,!y",
                                                "x>0",      "actor=a",     "actor!=b",
                                                "x=0,y=1",  "y notin (0)", "x in (0,1)",
                                                "y==0",     "!x",          "actor notin (a,c)"};
        if (below(2)) request.selector = selecting(selectors[below(std::size(selectors))]);
        return request;
    }
    std::size_t below(std::size_t bound) { return random_() % bound; }
    void vary(std::size_t actors) { variety_ = actors; }

   private:
    std::mt19937_64 random_;
    std::size_t variety_ = 4;
};

Arrival arrive(Exchange& exchange, Request request, Duration now = {}) {
    return exchange.arrive(std::move(request), now).value();
}

std::vector<Payload> payloads(const Arrival& arrival) {
    return arrival.match ? arrival.match->payloads : std::vector<Payload>{};
}

}  // namespace

TEST_CASE("exchange: exactly what a model matches that tries every group") {
    std::size_t groups = 0, large = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        Exchange exchange;
        Model model;
        Requests requests{seed};
        requests.vary(2 + seed % 6);
        for (int step = 0; step < 60; ++step) {
            if (!model.waiting().empty() && (requests.below(6) == 0 || model.waiting().size() > 7)) {
                const std::uint64_t gone = model.waiting()[requests.below(model.waiting().size())].first;
                CHECK(exchange.depart(RequestId{gone}));
                model.depart(gone);
                continue;
            }
            const Request request = requests.next();
            const Arrival arrival = arrive(exchange, request);
            Request completed = request;
            REQUIRE(!complete(completed, {}));
            const auto expected = model.arrive(static_cast<std::uint64_t>(arrival.id), completed);
            REQUIRE(arrival.match.has_value() == expected.has_value());
            CHECK(exchange.size() == model.waiting().size());
            if (!expected) continue;
            std::vector<std::uint64_t> members;
            for (const RequestId id : arrival.match->members) members.push_back(static_cast<std::uint64_t>(id));
            REQUIRE(members == *expected);
            ++groups, large += members.size() > 2;
        }
    }
    CHECK(groups > 400);
    CHECK(large > 80);
}

TEST_CASE("exchange: the index finds what a look at all would find") {
    // More profiles than are gone through one by one; small groups only, so that the model can be a plain search.
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        Exchange exchange;
        Requests requests{seed};
        std::map<std::uint64_t, Request> waiting;
        std::size_t met = 0, most = 0;
        for (int step = 0; step < 1500; ++step) {
            if (requests.below(30) == 0 && !waiting.empty()) {
                const auto gone =
                    std::next(waiting.begin(), static_cast<std::ptrdiff_t>(requests.below(waiting.size())));
                CHECK(exchange.depart(RequestId{gone->first}));
                waiting.erase(gone);
                continue;
            }
            const std::string mine = std::to_string(requests.below(200)), others = std::to_string(requests.below(200));
            Request request{.event = "e", .actor = "actor" + std::to_string(requests.below(50))};
            request.labels = {{"id", mine}, {"kind", std::to_string(requests.below(2))}};
            static const char* const more[] = {"", ",kind=0", ",kind!=1", ",other!=1"};
            request.selector =
                selecting("id" + std::string(requests.below(8) ? "=" : ">") + others + more[requests.below(4)]);
            if (requests.below(40) == 0) request.selector.reset();
            const Arrival arrival = arrive(exchange, request);
            REQUIRE(!complete(request, {}));
            const auto first = std::find_if(waiting.begin(), waiting.end(),
                                            [&](const auto& entry) { return meet(entry.second, request); });
            REQUIRE(arrival.match.has_value() == (first != waiting.end()));
            if (first != waiting.end()) {
                CHECK(arrival.match->members.front() == RequestId{first->first});
                waiting.erase(first);
                ++met;
            } else {
                waiting.emplace(static_cast<std::uint64_t>(arrival.id), request);
            }
            most = std::max(most, waiting.size());
        }
        CHECK(met > 100);
        CHECK(most > 40);
        CHECK(exchange.size() == waiting.size());
    }
}

TEST_CASE("exchange: two actors meet, in whatever order (S3-01)") {
    Exchange exchange;
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "actor2", .payload = "p2"}).match);
    CHECK_FALSE(arrive(exchange, {.event = "f", .actor = "actor3", .payload = "p3"}).match);
    const Arrival arrival = arrive(exchange, {.event = "e", .actor = "actor1", .payload = "p1"});
    CHECK(payloads(arrival) == std::vector<Payload>{{"actor1", "p1"}, {"actor2", "p2"}});
    CHECK(exchange.size() == 1);
}

TEST_CASE("exchange: a game maker and two players; two of three wait (S3-04)") {
    Exchange exchange;
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "gm", .mates = 2}).match);
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "p1", .mates = 2}).match);
    CHECK(payloads(arrive(exchange, {.event = "e", .actor = "p2", .mates = 2})).size() == 3);
}

TEST_CASE("exchange: a smaller wish fits into a larger group, and who asks for nobody waits for nobody (S3-05)") {
    Exchange exchange;
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "gm", .mates = 2}).match);
    CHECK(payloads(arrive(exchange, {.event = "e", .actor = "x", .payload = "p", .mates = 0})) ==
          std::vector<Payload>{{"x", "p"}});
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "p1", .mates = 1}).match);
    CHECK(payloads(arrive(exchange, {.event = "e", .actor = "p2", .mates = 1})).size() == 3);
}

TEST_CASE("exchange: four arrivals are two pairs (S3-07)") {
    Exchange exchange;
    std::vector<Arrival> arrivals;
    for (const char* actor : {"a", "b", "c", "d"}) arrivals.push_back(arrive(exchange, {.event = "e", .actor = actor}));
    CHECK(payloads(arrivals[1]) == std::vector<Payload>{{"a", ""}, {"b", ""}});
    CHECK_FALSE(arrivals[2].match);
    CHECK(payloads(arrivals[3]) == std::vector<Payload>{{"c", ""}, {"d", ""}});
}

TEST_CASE("exchange: one unwilling side is enough, whoever came first (S3-09)") {
    const Request labelled{.event = "e", .actor = "a1", .labels = {{"label1", "value1"}}};
    for (const bool labelled_first : {true, false})
        for (const bool willing : {true, false}) {
            Exchange exchange;
            const Request choosy{
                .event = "e", .actor = "a2", .selector = selecting(willing ? "label1==value1" : "label1!=value1")};
            CHECK_FALSE(arrive(exchange, labelled_first ? labelled : choosy).match);
            CHECK(arrive(exchange, labelled_first ? choosy : labelled).match.has_value() == willing);
        }
}

TEST_CASE("exchange: an actor does not meet itself, be it ever so often (S3-17)") {
    Exchange exchange;
    for (int round = 0; round < 5; ++round)
        CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "a", .mates = 2}).match);
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "c", .mates = 2}).match);
    CHECK(arrive(exchange, {.event = "e", .actor = "b", .mates = 2}).match->members ==
          std::vector<RequestId>{RequestId{1}, RequestId{6}, RequestId{7}});
}

TEST_CASE("exchange: a request is used once (S3-18)") {
    Exchange exchange;
    const Arrival a = arrive(exchange, {.event = "e", .actor = "a"});
    CHECK(arrive(exchange, {.event = "e", .actor = "b"}).match);
    CHECK_FALSE(exchange.depart(a.id));
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "c"}).match);
}

TEST_CASE("exchange: names are compared, never pasted into a selector") {
    Exchange exchange;
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "x,foo=bar"}).match);
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "x,foo=bar"}).match);
    CHECK(payloads(arrive(exchange, {.event = "e", .actor = "player one"})).size() == 2);
}

TEST_CASE("exchange: the label that says who it is can be set to something else") {
    Exchange exchange;
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "a", .selector = selecting("actor=b")}).match);
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "b", .labels = {{"actor", "z"}}}).match);
    CHECK(arrive(exchange, {.event = "e", .actor = "b"}).match);
}

TEST_CASE("exchange: one actor twice in a group loses no payload") {
    Exchange exchange;
    const auto any = selecting("");
    for (const auto& [actor, payload] : std::map<std::string, std::string>{{"a#2", "2"}, {"b", "3"}})
        CHECK_FALSE(
            arrive(exchange, {.event = "e", .actor = actor, .payload = payload, .mates = 4, .selector = any}).match);
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "a", .payload = "first", .mates = 4, .selector = any}).match);
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "a", .payload = "second", .mates = 4, .selector = any}).match);
    const Arrival last =
        arrive(exchange, {.event = "e", .actor = "a", .payload = "third", .mates = 4, .selector = any});
    CHECK(payloads(last) ==
          std::vector<Payload>{{"a", "first"}, {"a#2", "2"}, {"a#3", "second"}, {"a#4", "third"}, {"b", "3"}});
}

TEST_CASE("exchange: departures and timeouts") {
    Exchange exchange;
    const Arrival gone = arrive(exchange, {.event = "e", .actor = "a"});
    CHECK(exchange.depart(gone.id));
    CHECK_FALSE(exchange.depart(gone.id));
    const Arrival late = arrive(exchange, {.event = "e", .actor = "b", .timeout = 5s}, 10s);
    CHECK_FALSE(arrive(exchange, {.event = "f", .actor = "b", .timeout = Duration::max()}, 10s).match);
    CHECK(exchange.next_deadline() == 15s);
    CHECK(exchange.expire(14s).empty());
    CHECK(exchange.expire(15s) == std::vector<RequestId>{late.id});
    CHECK_FALSE(exchange.next_deadline());
    CHECK_FALSE(arrive(exchange, {.event = "e", .actor = "c"}).match);
    CHECK(exchange.size() == 2);
    CHECK(exchange.statistics().departed == 1);
    CHECK(exchange.statistics().expired == 1);
}

TEST_CASE("exchange: limits refuse and change nothing") {
    Exchange exchange{{.waiting = 2, .text = 100, .labels = 2, .requirements = 2}};
    const auto error_of = [&](Request request) { return exchange.arrive(std::move(request), {}).error(); };
    CHECK(error_of({.actor = "a"}) == errc::empty_event);
    CHECK(error_of({.event = "e"}) == errc::empty_actor);
    CHECK(error_of({.event = "e", .actor = "a", .payload = std::string(99, 'p')}) == errc::too_large);
    CHECK(error_of({.event = "e", .actor = "a", .labels = {{"x", ""}, {"y", ""}}}) == errc::too_many_labels);
    CHECK(error_of({.event = "e", .actor = "a", .selector = selecting("x,y,z")}) == errc::too_many_requirements);
    CHECK(exchange.statistics().arrived == 0);
    for (const char* event : {"e", "f"}) CHECK_FALSE(arrive(exchange, {.event = event, .actor = "a"}).match);
    CHECK(error_of({.event = "g", .actor = "a"}) == errc::too_many_waiting);
    CHECK(arrive(exchange, {.event = "e", .actor = "b"}).match);  // needs no room
    CHECK(exchange.statistics().refused == 6);
}

TEST_CASE("exchange: a group of a thousand") {
    Exchange exchange;
    for (int at = 0; at < 999; ++at)
        REQUIRE_FALSE(arrive(exchange, {.event = "e", .actor = std::to_string(at), .mates = 999}).match);
    CHECK(payloads(arrive(exchange, {.event = "e", .actor = "last", .mates = 999})).size() == 1000);
    CHECK(exchange.size() == 0);
    CHECK(exchange.events() == 0);
}

TEST_CASE("exchange: who cannot meet a newcomer costs it nothing, however many they are") {
    Exchange exchange{{.search = 20}};  // comparisons in vain: a few are simply gone through
    const auto request = [](int at, bool partner) {
        const std::string mine = std::to_string(at), its = std::to_string(at + 1'000'000);
        return Request{.event = "e",
                       .actor = (partner ? "b" : "a") + mine,
                       .selector = selecting("id=" + (partner ? mine : its) + ",game"),
                       .labels = {{"id", partner ? its : mine}, {"game", "chess"}}};
    };
    for (int at = 0; at < 3000; ++at) REQUIRE_FALSE(arrive(exchange, request(at, false)).match);
    for (int at = 0; at < 3000; at += 7)
        CHECK(arrive(exchange, request(at, true)).match->members.front() ==
              RequestId{static_cast<std::uint64_t>(at) + 1});
    CHECK(exchange.statistics().searches_given_up == 0);
}

TEST_CASE("exchange: a puzzle made to take for ever ends at the limit") {
    Exchange exchange{{.search = 1000}};
    for (int at = 0; at < 60; ++at) {  // pairwise unwilling neighbours: many ways to almost make a group
        Request request{
            .event = "e", .actor = std::to_string(at), .mates = 30, .labels = {{"n", std::to_string(at / 3)}}};
        request.selector = selecting("n!=" + std::to_string(at / 3));
        CHECK_FALSE(arrive(exchange, request).match);
    }
    CHECK(exchange.statistics().searches_given_up > 0);
}
