// Rendezvous in process: pairs a second, and what an arrival costs among many that wait. Each line is a median.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <netsync/rendezvous/exchange.hpp>
#include <string>
#include <vector>

#include "median.hpp"

using namespace netsync::rendezvous;

namespace {

/// Of the processor: what else the machine does is left out.
double seconds(auto&& work) {
    const std::clock_t start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

Selector selecting(const std::string& text) { return *Selector::parse(text); }

/// Two actors a time, at one event or at one of their own.
double pairs(bool own_events) {
    constexpr int count = 300'000;
    return median_of([&] {
        Exchange exchange;
        int met = 0;
        const double taken = seconds([&] {
            for (int at = 0; at < count; ++at) {
                const std::string event = own_events ? "event" + std::to_string(at) : "event";
                static_cast<void>(exchange.arrive({.event = event, .actor = "alice", .payload = "p1"}, {}));
                met += exchange.arrive({.event = event, .actor = "bob", .payload = "p2"}, {})->match.has_value();
            }
        });
        if (met != count) std::abort();
        return count / taken;
    });
}

enum class Kind { distinct_events, distinct_selectors, clients_of_one_server, one_actor };

/// `waiting` that do not meet, then arrivals that do not meet either, and arrivals that do.
void among(Kind kind, const char* name, int waiting) {
    const auto request = [&](int at, bool partner) {
        const std::string mine = std::to_string(at), its = std::to_string(at + 1'000'000);
        switch (kind) {
        case Kind::distinct_events: return Request{.event = mine, .actor = partner ? "b" : "a"};
        case Kind::distinct_selectors:
            return Request{.event = "e",
                           .actor = (partner ? "b" : "a") + mine,
                           .selector = selecting("id=" + (partner ? mine : its)),
                           .labels = {{"id", partner ? its : mine}, {"game", "chess"}}};
        case Kind::clients_of_one_server:
            return Request{.event = "e",
                           .actor = (partner ? "b" : "a") + mine,
                           .selector = selecting(partner ? "role=client" : "role=server"),
                           .labels = {{"role", partner ? "server" : "client"}}};
        case Kind::one_actor: break;
        }
        return Request{.event = "e", .actor = partner ? "b" + mine : "a"};
    };
    constexpr int count = 2'000;
    double filling = 0, in_vain = 0, met = 0;
    in_vain = median_of(
        [&] {
            Exchange exchange{{.waiting = 1'000'000}};
            const auto arrive = [&](int from, int to, bool partner) {
                std::vector<Request> requests;
                for (int at = from; at < to; ++at) requests.push_back(request(at, partner));
                return seconds([&] {
                           for (Request& each : requests) static_cast<void>(exchange.arrive(std::move(each), {}));
                       }) /
                       (to - from) * 1e6;
            };
            filling = arrive(0, waiting, false);
            const double taken = arrive(waiting, waiting + count, false);
            if (exchange.size() != static_cast<std::size_t>(waiting + count)) std::abort();
            met = arrive(0, count, true);
            if (exchange.size() != static_cast<std::size_t>(waiting)) std::abort();
            return taken;
        },
        3);
    std::printf("%-24s %8d waiting: %6.2f us filling, %6.2f us in vain, %6.2f us meeting\n", name, waiting, filling,
                in_vain, met);
}

}  // namespace

int main() {
    std::printf("pairs at one event       %10.0f /s (at least 1000000)\n", pairs(false));
    std::printf("pairs at their own event %10.0f /s\n", pairs(true));
    for (const int waiting : {2'000, 10'000, 100'000}) {
        among(Kind::distinct_events, "distinct events", waiting);
        among(Kind::distinct_selectors, "distinct selectors", waiting);
        among(Kind::clients_of_one_server, "clients of one server", waiting);
        among(Kind::one_actor, "one actor", waiting);
    }
}
