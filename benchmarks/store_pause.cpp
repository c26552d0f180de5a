// The longest call of a replica of 1,000,000 elements on a SqliteStore, while it writes snapshots and cuts its log; beside it
// that of one without a store, which says what the machine itself does to a call.
#include <netsync/lan.hpp>
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "median.hpp"
#include "other_process.hpp"

namespace {

using namespace netsync;
using Clock = std::chrono::steady_clock;
using Set = OrSet<std::uint64_t>;
constexpr std::uint64_t elements = 1'000'000;

double milliseconds_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

std::uint64_t element(std::uint64_t number) { return number % elements * 0x9e3779b97f4a7c15u; }

template <class Replica>
void fill(Replica& replica) {
    for (std::uint64_t at = 0; at < elements; at += 1000)
        while (!replica.try_batch([&](auto& batch) {
            for (std::uint64_t i = at; i < at + 1000; ++i) batch.update(add(element(i)));
        }))
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

struct Calls {
    double longest = 0;
    double last_of_thousand = 0;  // p99.9
    std::size_t count = 0;
    int snapshots = 0;
};

/// An update, a look, and now and then a report, in turns with a pause, for `seconds`.
template <class Replica>
Calls call(Replica& replica, int seconds) {
    std::vector<double> took;
    Calls calls;
    std::size_t logged = replica.report().log_bytes;
    std::uint64_t next = 0;
    const auto timed = [&](auto&& work) {
        const Clock::time_point begin = Clock::now();
        work();
        took.push_back(milliseconds_since(begin));
    };
    for (const Clock::time_point begin = Clock::now(); milliseconds_since(begin) < seconds * 1e3; ++next) {
        timed([&] { static_cast<void>(replica.try_update(add(element(next * 7919)))); });
        timed([&] { static_cast<void>(replica.read([&](const Set& set) { return set.contains(element(next)); })); });
        if (next % 100 != 0) continue;
        std::size_t now = 0;
        timed([&] { now = replica.report().log_bytes; });
        if (now < logged) ++calls.snapshots;
        logged = now;
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    std::sort(took.begin(), took.end());
    calls.longest = took.back();
    calls.last_of_thousand = took[took.size() - took.size() / 1000 - 1];
    calls.count = took.size();
    return calls;
}

}  // namespace

int main() {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("netsync-pause-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    {
        const OtherProcess<Set> peer;  // takes it all, so that the log can be cut
        const Options options{.pool = peer.pool,
                              .name = "a",
                              .file = folder / "file",
                              .discovery_port = peer.port,
                              .peers = {"127.0.0.1:" + std::to_string(peer.port)}};
        LanReplica<Set, SqliteStore> stored{options};
        while (stored.report().state != JoinState::ready) std::this_thread::sleep_for(std::chrono::milliseconds{1});
        MemoryHub nobody;
        Replica<NullStore, MemoryTransport, HybridClock, Set> plain{nobody, Options{.name = "a"}};
        fill(stored);
        fill(plain);
        std::vector<double> longest, floor, thousandth;
        std::size_t count = 0;
        int snapshots = 0;
        for (int run = 0; run < 5; ++run) {
            floor.push_back(call(plain, 5).longest);
            const Calls calls = call(stored, 5);
            longest.push_back(calls.longest);
            thousandth.push_back(calls.last_of_thousand);
            count += calls.count;
            snapshots += calls.snapshots;
        }
        std::printf("a replica of 1,000,000 elements, %d snapshots, %zu calls meanwhile: the longest %.1f ms (at most "
                    "10), of five runs the middle %.1f, p99.9 %.3f ms; without a store the longest %.1f, the middle "
                    "%.1f\n",
                    snapshots, count, *std::max_element(longest.begin(), longest.end()), median(longest),
                    median(thousandth), *std::max_element(floor.begin(), floor.end()), median(floor));
    }
    std::filesystem::remove_all(folder);
}
