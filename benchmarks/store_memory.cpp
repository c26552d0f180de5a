// What a SqliteStore holds in memory: the heap at its highest, SQLite's own included, while 1,000,000 elements are written,
// one change each, and snapshots are taken. Alone; and with a replica over it, less what its state holds. A second replica
// takes it all there, so that the log can be cut.
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <unistd.h>

#include "held_memory.hpp"

namespace {

using namespace netsync;
using Set = OrSet<std::uint64_t>;
using Other = Replica<NullStore, MemoryTransport, HybridClock, Set>;
constexpr std::uint64_t elements = 1'000'000;
constexpr double mebibyte = 1 << 20;

/// Virtual time goes about as fast as that of the disk, or the other replica would take this one for dead.
template <class Replica>
void write(Replica& replica, MemoryHub& hub) {
    for (std::uint64_t element = 0; element < elements; ++element) {
        while (replica.try_update(add(element * 0x9e3779b97f4a7c15u)).error() == errc::store_behind)
            std::this_thread::sleep_for(std::chrono::microseconds{200});
        if (element % 500 == 0) hub.run_for(std::chrono::milliseconds{5});
    }
    for (int step = 0; step < 1000; ++step) {
        hub.run_for(std::chrono::milliseconds{5});
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
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
    const ReplicaId origin{1, 1};
    const Bytes delta(14, std::byte{7});
    for (std::uint64_t element = 1; element <= elements; ++element) {
        while (store.is_behind()) std::this_thread::sleep_for(std::chrono::microseconds{200});
        static_cast<void>(
            store.append(Frame::make({.origin = origin, .first = element, .time = {element << 32}}, delta, element)));
        if (element % (elements / 5) == 0) {
            static_cast<void>(store.adopt(std::make_shared<const Bytes>(element * 12), {{origin, element, 0}}));
            static_cast<void>(store.cut({{origin, element}}));
        }
        if (!committing.exchange(true)) store.commit_later([&](std::error_code) { committing = false; });
    }
    static_cast<void>(store.commit());
}

/// What a replica and one that takes all of its changes hold in the end.
std::size_t held_by_state() {
    const std::size_t before = held;
    MemoryHub hub;
    Options options{.name = "a"};
    options.limits.log = ~std::size_t{0};
    Other replica{hub, options}, other{hub, Options{.name = "other"}};
    write(replica, hub);
    return held - before;
}

}  // namespace

int main() {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("netsync-memory-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const auto sqlite = [] { return static_cast<std::size_t>(sqlite3_memory_highwater(0)); };
    const std::size_t store = most_while([&] { write_frames(folder / "frames"); }) + sqlite();
    std::printf(
        "SqliteStore: %.1f MiB of memory while 1,000,000 frames are written and snapshots of up to %.1f MiB taken, "
        "SQLite's own %.1f among them (at most 32)\n",
        static_cast<double>(store) / mebibyte, static_cast<double>(elements * 12) / mebibyte,
        static_cast<double>(sqlite()) / mebibyte);
    const std::size_t state = held_by_state();
    const std::size_t replica = most_while([&] {
        MemoryHub hub;
        SqliteStore kept{{.file = folder / "replica"}};
        Replica<SqliteStore, MemoryTransport, HybridClock, Set> here{hub, Options{.name = "a"}, std::move(kept)};
        Other other{hub, Options{.name = "other"}};
        write(here, hub);
    });
    std::printf("a replica over it, with what waits to be sent, and a snapshot while it is encoded: %.1f MiB beyond "
                "its state\n",
                static_cast<double>(replica - state + sqlite()) / mebibyte);
    std::filesystem::remove_all(folder);
    return store <= (32u << 20) ? 0 : 1;
}
