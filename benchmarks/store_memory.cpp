// What a SqliteStore holds in memory: the heap at its highest, SQLite's own included, while 1,000,000 elements are written,
// one change each, and snapshots are taken. Alone; and with a replica over it, less what its state holds, while another
// process takes it all over loopback TCP, so that the log can be cut.
#include <netsync/lan.hpp>
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "held_memory.hpp"
#include "median.hpp"
#include "other_process.hpp"

namespace {

using namespace netsync;
using Set = OrSet<std::uint64_t>;
using Stored = LanReplica<Set, SqliteStore>;
constexpr int runs = 7;
constexpr std::uint64_t elements = 1'000'000;
constexpr double mebibyte = 1 << 20;

template <class Replica>
void write(Replica& replica) {
    for (std::uint64_t element = 0; element < elements; ++element)
        while (replica.try_update(add(element * 0x9e3779b97f4a7c15u)).error() == errc::store_behind)
            std::this_thread::sleep_for(std::chrono::microseconds{200});
}

/// The heap at its highest while `work()` is done, above what is held before.
template <class F>
std::size_t most_while(F&& work) {
    const std::size_t before = held;
    most_held = before;
    work();
    return most_held - before;
}

/// A store alone, as a replica uses it: each change a frame, commits one after the other, now and then a snapshot.
void write_frames(const std::filesystem::path& file) {
    SqliteStore store{{.file = file}};
    static_cast<void>(store.commit());
    std::atomic<bool> committing{false};
    const auto commit = [&] {
        if (!committing.exchange(true)) store.commit_later([&](std::error_code) { committing = false; });
    };
    const ReplicaId origin{1, 1};
    const Bytes delta(14, std::byte{7});
    for (std::uint64_t element = 1; element <= elements; ++element) {
        for (; store.is_behind(); commit()) std::this_thread::sleep_for(std::chrono::microseconds{200});
        static_cast<void>(
            store.append(Frame::make({.origin = origin, .first = element, .time = {element << 32}}, delta, element)));
        if (element % (elements / 5) == 0) {
            static_cast<void>(store.adopt(SharedBytes{Bytes(element * 12)}, {{origin, element, 0}}));
            static_cast<void>(store.cut({{origin, element}}));
        }
        commit();
    }
    static_cast<void>(store.commit());
}

/// What a replica holds in the end that has neither a store nor a peer.
std::size_t held_by_state() {
    const std::size_t before = held;
    MemoryHub hub;
    Replica<NullStore, MemoryTransport, HybridClock, Set> replica{hub, Options{.name = "a"}};
    write(replica);
    return held - before;
}

/// Until the other has it all.
void write_to_both(const std::filesystem::path& file) {
    const OtherProcess<Set> peer;
    Stored here{Options{.pool = peer.pool,
                        .name = "a",
                        .file = file,
                        .discovery_port = peer.port,
                        .peers = {"127.0.0.1:" + std::to_string(peer.port)}}};
    const auto linked = [&] { return here.report().state == JoinState::ready; };
    while (!linked()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    write(here);
    while (here.report().pending > 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

}  // namespace

int main() {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("netsync-memory-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const auto sqlite = [] { return static_cast<std::size_t>(sqlite3_memory_highwater(1)); };
    const auto in_mebibytes = [](std::size_t bytes) { return static_cast<double>(bytes) / mebibyte; };
    const std::size_t state = held_by_state();
    std::vector<double> stores, replicas, own;
    for (int run = 0; run < runs; ++run) {
        const std::string number = std::to_string(run);
        const std::size_t store = most_while([&] { write_frames(folder / ("frames" + number)); });
        own.push_back(in_mebibytes(sqlite()));
        stores.push_back(in_mebibytes(store) + own.back());
        const std::size_t replica = most_while([&] { write_to_both(folder / ("replica" + number)); });
        replicas.push_back(in_mebibytes(replica - state + sqlite()));
    }
    const auto largest = [](const std::vector<double>& values) {
        return *std::max_element(values.begin(), values.end());
    };
    std::printf("SqliteStore: %.1f MiB of memory, the largest of %d runs %.1f, while 1,000,000 frames are written and "
                "snapshots of up to %.1f MiB taken, SQLite's own %.1f among them (at most 32)\n",
                median(stores), runs, largest(stores), in_mebibytes(elements * 12), median(own));
    std::printf(
        "a replica over it, with what waits to be sent, and what others change while a snapshot is made: %.1f MiB "
        "beyond its state of %.1f, the largest %.1f (at most 32)\n",
        median(replicas), in_mebibytes(state), largest(replicas));
    std::filesystem::remove_all(folder);
    return largest(stores) <= 32 && largest(replicas) <= 32 ? 0 : 1;
}
