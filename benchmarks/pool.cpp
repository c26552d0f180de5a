// The pool in virtual time, over an in-process network with 1 ms of latency: how often the failure detector is wrong and
// how late it is, and what distribution and convergence cost against the size of the pool.
//
//     bench_pool [replica-hours [svg-file]]
#include <netsync/netsync.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plot.hpp"

namespace {

using namespace netsync;
using namespace std::chrono_literals;
using Set = OrSet<std::uint64_t>;

/// One process: what it is told while it stands still waits for it.
struct Machine {
    bool paused = false;
    bool dead = false;
    std::shared_ptr<TransportEvents> events{};
    std::vector<std::pair<TransportEvent, Bytes>> waiting{};

    void on_event(const TransportEvent& event) {
        if (dead) return;
        if (!paused) return (*events)(event);
        const auto* message = std::get_if<MessageReceived>(&event);
        waiting.emplace_back(event, message ? Bytes(message->bytes.begin(), message->bytes.end()) : Bytes{});
    }
    void resume() {
        paused = false;
        for (auto& [event, bytes] : std::exchange(waiting, {})) {
            if (auto* message = std::get_if<MessageReceived>(&event)) message->bytes = bytes;
            (*events)(event);
        }
    }
};
struct Weather {
    unsigned loss = 0;  // in 1/1000
    detail::Random random{7};
    bool counting = false;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::vector<std::uint64_t> sent_by{};
    std::set<std::uint64_t> kinds{};
};

/// MemoryTransport in bad weather: messages are lost, processes stand still.
class ShakyTransport {
   public:
    ShakyTransport(MemoryHub& hub, Weather& weather, Machine& machine, std::size_t number)
        : inner_(hub), weather_(&weather), machine_(&machine), number_(number) {}

    std::error_code start(const Options& options, TransportEvents events) {
        machine_->events = std::make_shared<TransportEvents>(std::move(events));
        return inner_.start(options, [machine = machine_](const TransportEvent& event) { machine->on_event(event); });
    }
    void stop() { inner_.stop(); }
    Duration now() const { return inner_.now(); }
    void wake_at(Duration time) { inner_.wake_at(time); }
    void announce(ByteView bytes) { inner_.announce(bytes); }
    Link dial(const Endpoint& endpoint) { return inner_.dial(endpoint); }
    bool send(Link link, SharedBytes message) {
        if (machine_->dead) return true;
        if (weather_->counting && static_cast<std::uint8_t>(*kind_of(*message)) >= 16) {
            ++weather_->messages;
            weather_->bytes += message->size();
            ++weather_->sent_by[number_];
        }
        if (weather_->random.below(1000) < weather_->loss) return true;
        return inner_.send(link, std::move(message));
    }
    void close(Link link) {
        if (!machine_->dead) inner_.close(link);
    }
    std::uint16_t port() const { return inner_.port(); }
    std::uint64_t entropy() { return inner_.entropy(); }

   private:
    MemoryTransport inner_;
    Weather* weather_;
    Machine* machine_;
    std::size_t number_;
};

using Shaky = Replica<MemoryStore, ShakyTransport, ManualClock, Set>;

struct World {
    explicit World(std::size_t size, std::uint64_t seed = 1) : hub(1ms, seed), machines(size) {
        weather.sent_by.assign(size, 0);
        for (std::size_t i = 0; i < size; ++i) {
            Options options;
            options.name = "r" + std::to_string(i);
            options.seed = seed * 1000 + i + 1;
            replicas.push_back(std::make_unique<Shaky>(ShakyTransport{hub, weather, machines[i], i}, options,
                                                       MemoryStore{}, ManualClock{100ms, wall}));
        }
    }
    void run_for(Duration time) {
        hub.run_for(time);
        wall.advance(time);
    }
    bool equal() const {
        for (const auto& replica : replicas)
            if (replica->read([](const Set& set) { return set.size(); }) !=
                replicas.front()->read([](const Set& set) { return set.size(); }))
                return false;
        return true;
    }

    MemoryHub hub;
    Weather weather;
    ManualTime wall;
    std::vector<Machine> machines;
    std::vector<std::unique_ptr<Shaky>> replicas;
};

/// Ten replicas, 20 % loss, 30 % of them stand still for 2 s of every 20 s.
void failure_detector(double hours) {
    constexpr std::size_t size = 10;
    World world(size);
    std::uint64_t alarms = 0;
    std::vector<Subscription> watches;
    for (const auto& replica : world.replicas)
        watches.push_back(replica->on_member([&](const PoolEvent& event) {
            if (!event.refused && event.now == MemberState::offline) ++alarms;
        }));
    world.run_for(30s);
    world.weather.loss = 200;
    alarms = 0;
    const auto rounds = static_cast<std::uint64_t>(hours * 3600 / 20 / size);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < 3; ++i) world.machines[(round + i * 3) % size].paused = true;
        world.run_for(2s);
        for (Machine& machine : world.machines) machine.resume();
        world.run_for(18s);
    }
    std::printf(
        "false alarms: %llu in %.0f replica-hours, 20 %% loss, 3 of 10 paused 2 s in every 20 s (at most 1 in 1000)\n",
        static_cast<unsigned long long>(alarms), hours);

    std::vector<double> known;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        World pool(size, seed);
        pool.run_for(20s);
        pool.weather.loss = 200;
        pool.run_for(Duration{1s} + Duration{static_cast<std::int64_t>(pool.weather.random.below(1'000'000'000))});
        const ReplicaId crashed = pool.replicas[0]->id();
        const Duration at = pool.hub.now();
        std::vector<Subscription> all;
        for (std::size_t i = 1; i < size; ++i)
            all.push_back(pool.replicas[i]->on_member([&](const PoolEvent& event) {
                if (event.replica == crashed && event.now == MemberState::offline)
                    known.push_back(std::chrono::duration<double>(pool.hub.now() - at).count());
            }));
        pool.machines[0].dead = true;
        pool.run_for(30s);
    }
    std::sort(known.begin(), known.end());
    std::printf(
        "a crash is known after %.1f s (median), %.1f s (99th percentile; at most 8), %.1f s (last) by %zu of %d\n",
        known[known.size() / 2], known[known.size() * 99 / 100], known.back(), known.size(), 40 * 9);
}

struct Cost {
    std::size_t size;
    double messages;  // of a change
    double bytes;
    std::uint64_t most;   // messages of one replica for one change
    double milliseconds;  // until all have it
    double rounds;        // of gossip until all are equal again with 10 % loss
};

Cost cost_of(std::size_t size) {
    World world(size);
    world.run_for(40s);
    Cost cost{size, 0, 0, 0, 0, 0};
    constexpr int changes = 20;
    std::uint64_t next = 0;
    for (int i = 0; i < changes; ++i) {
        world.hub.run();
        std::fill(world.weather.sent_by.begin(), world.weather.sent_by.end(), 0);
        world.weather.messages = world.weather.bytes = 0;
        world.weather.counting = true;
        const Duration from = world.hub.now();
        world.replicas[static_cast<std::size_t>(i) % size]->update(add(++next));
        world.hub.run();
        world.weather.counting = false;
        cost.messages += static_cast<double>(world.weather.messages) / changes;
        cost.bytes += static_cast<double>(world.weather.bytes) / changes;
        cost.most = std::max(cost.most, *std::max_element(world.weather.sent_by.begin(), world.weather.sent_by.end()));
        cost.milliseconds += std::chrono::duration<double, std::milli>(world.hub.now() - from).count() / changes;
        world.run_for(50ms);
    }
    std::vector<double> rounds;
    world.weather.loss = 100;
    for (int i = 0; i < 5; ++i) {
        world.replicas[static_cast<std::size_t>(i) % size]->update(add(++next));
        const Duration from = world.hub.now();
        while (!world.equal() && world.hub.now() - from < 60s) world.run_for(100ms);
        rounds.push_back(std::chrono::duration<double>(world.hub.now() - from).count());  // a round a second
    }
    std::sort(rounds.begin(), rounds.end());
    cost.rounds = rounds[rounds.size() / 2];
    return cost;
}

void draw(const std::vector<Cost>& costs, const char* path) {
    plot::Line most{"one replica, at most", {}}, bound{"log2(n) + 4", {}, true};
    for (const Cost& cost : costs) {
        const auto size = static_cast<double>(cost.size);
        bound.points.emplace_back(size, std::log2(size) + 4);
        most.points.emplace_back(size, static_cast<double>(cost.most));
    }
    plot::lines(path, "messages that are sent for one change", "replicas", {bound, most});
}

}  // namespace

int main(int argc, char** argv) {
    failure_detector(argc > 1 ? std::strtod(argv[1], nullptr) : 1000);
    std::printf("%9s %18s %15s %22s %14s %22s\n", "replicas", "messages a change", "bytes a change",
                "most of one replica", "all have it", "repair at 10 % loss");
    std::vector<Cost> costs;
    for (const std::size_t size : {4u, 16u, 64u, 256u}) {
        costs.push_back(cost_of(size));
        const Cost& cost = costs.back();
        std::printf("%9zu %18.1f %15.0f %22llu %11.1f ms %20.1f s\n", cost.size, cost.messages, cost.bytes,
                    static_cast<unsigned long long>(cost.most), cost.milliseconds, cost.rounds);
        std::fflush(stdout);
    }
    if (argc > 2) draw(costs, argv[2]);
}
