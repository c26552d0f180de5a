// SqliteStore against raw SQLite: durable updates in groups, the size of the file, and opening a large one against
// reading and decoding its bytes.
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "median.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Set = netsync::OrSet<std::uint64_t>;
using Stored = netsync::Replica<netsync::SqliteStore, netsync::MemoryTransport, netsync::HybridClock, Set>;

constexpr int runs = 7;
const netsync::ReplicaId origin{1, 1};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void expect(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "failed: %s\n", what);
    std::exit(1);
}

netsync::Frame frame(std::uint64_t first, std::size_t size) {
    return netsync::Frame::make({.origin = origin, .first = first, .time = {first << 32}},
                                netsync::Bytes(size - 38, std::byte{7}), 0);
}

/// One connection, one table, one statement, as a program would do it that has no library.
class Raw {
   public:
    explicit Raw(const std::string& file) {
        expect(connection_.open(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "") == SQLITE_OK, "open");
        connection_.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                        "CREATE TABLE frame(sequence INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
        expect(insert_.prepare(connection_, "INSERT INTO frame VALUES(NULL, ?)") == SQLITE_OK, "prepare");
    }
    void append(const netsync::Frame& frame) {
        if (!begun_) begun_ = connection_.run("BEGIN") == SQLITE_OK;
        expect(insert_.run(netsync::ByteView{*frame.bytes()}) == SQLITE_OK, "insert");
    }
    void commit() {
        expect(connection_.run("COMMIT") == SQLITE_OK, "commit");
        begun_ = false;
    }

   private:
    netsync::detail::SqliteConnection connection_;
    netsync::detail::SqliteStatement insert_;
    bool begun_ = false;
};

template <class Store>
double write(Store& store, const std::vector<netsync::Frame>& frames, std::size_t& next, int groups, int size) {
    const Clock::time_point begin = Clock::now();
    for (int group = 0; group < groups; ++group) {
        for (int at = 0; at < size; ++at) static_cast<void>(store.append(frames[next++]));
        static_cast<void>(store.commit());
    }
    return groups * size / seconds_since(begin);
}

/// Each in turns of a few commits, so that whatever else the machine does falls on both. The middle of the turns' ratios.
void measure_groups(const std::filesystem::path& folder, const char* kind) {
    for (const int size : {1, 10, 100}) {
        constexpr int turns = 51, groups = 12;
        std::vector<netsync::Frame> frames;
        for (std::uint64_t first = 1; first <= static_cast<std::uint64_t>(groups * size * (turns + 1)); ++first)
            frames.push_back(frame(first, 200));
        Raw raw{folder / ("raw" + std::to_string(size))};
        netsync::SqliteStore store{{.file = folder / ("store" + std::to_string(size))}};
        expect(!store.commit(), "commit");
        std::vector<double> floor, ours, ratio;
        std::size_t next_raw = 0, next = 0;
        for (int turn = 0; turn <= turns; ++turn) {
            double first = 0, second = 0;
            if (turn % 2 == 0) first = write(raw, frames, next_raw, groups, size);
            second = write(store, frames, next, groups, size);
            if (turn % 2 == 1) first = write(raw, frames, next_raw, groups, size);
            if (turn == 0) continue;  // both begin with an empty file
            floor.push_back(first);
            ours.push_back(second);
            ratio.push_back(second / first);
        }
        expect(!store.commit(), "commit");
        std::printf("durable updates, %s, groups of %3d: raw SQLite %8.0f /s, SqliteStore %8.0f /s, ratio %.2f (at "
                    "least 0.7)\n",
                    kind, size, median(floor), median(ours), median(ratio));
    }
}

/// A folder in memory, where there is one: there a commit takes no time but the processor's.
void measure_groups_in_memory() {
    const std::filesystem::path memory = "/dev/shm";
    std::error_code none;
    if (!std::filesystem::is_directory(memory, none)) return;
    const std::filesystem::path folder = memory / ("netsync-store-" + std::to_string(getpid()));
    if (!std::filesystem::create_directory(folder, none)) return;
    measure_groups(folder, "in memory");
    std::filesystem::remove_all(folder);
}

void measure_replica(const std::filesystem::path& folder) {
    netsync::MemoryHub hub;
    Stored replica{hub, netsync::Options{.name = "a", .file = folder / "replica"}};
    std::vector<double> rates;
    std::uint64_t value = 0;
    for (int run = 0; run < runs; ++run) {
        const Clock::time_point begin = Clock::now();
        netsync::Token token;
        for (int at = 0; at < 20'000; ++at) token = replica.update(netsync::add(++value));
        std::atomic<bool> durable{false};
        const auto asked = replica.on_durable(token, [&](std::error_code) { durable = true; });
        while (!durable) std::this_thread::sleep_for(std::chrono::microseconds{100});
        rates.push_back(20'000 / seconds_since(begin));
    }
    std::printf("durable updates of a replica that nobody waits for one by one: %.0f /s\n", median(rates));
}

void measure_pause(const std::filesystem::path& folder) {
    netsync::SqliteStore store{{.file = folder / "pause"}};
    std::uint64_t next = 0;
    static_cast<void>(store.append(frame(++next, 100)));
    expect(!store.commit(), "commit");
    const auto large = std::make_shared<const netsync::Bytes>(100'000'000, std::byte{5});
    std::vector<double> calls, commits;
    std::atomic<bool> durable{true};
    const Clock::time_point begin = Clock::now();
    Clock::time_point asked;
    static_cast<void>(store.adopt(large, {{origin, next, 0}}));
    static_cast<void>(store.cut({}));
    for (int call = 0; call < 20'000 || seconds_since(begin) < 2; ++call) {
        const Clock::time_point at = Clock::now();
        static_cast<void>(store.append(frame(++next, 100)));
        static_cast<void>(store.frames({origin, next - 1, next}, [](const netsync::SharedBytes&) { return true; }));
        if (durable) {
            if (call > 0) commits.push_back(seconds_since(asked));
            durable = false;
            asked = Clock::now();
            store.commit_later([&](std::error_code error) {
                expect(!error, "commit");
                durable = true;
            });
        }
        calls.push_back(seconds_since(at));
        if (call % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    expect(!store.commit(), "commit");
    std::printf(
        "while a snapshot of 100 MB is written: the longest call %.1f ms (at most 10), the longest commit %.0f ms, "
        "of %zu\n",
        *std::max_element(calls.begin(), calls.end()) * 1e3, *std::max_element(commits.begin(), commits.end()) * 1e3,
        commits.size());
}

void measure_size(const std::filesystem::path& folder) {
    for (const std::size_t size : {64u, 100u, 200u}) {
        const std::string file = folder / ("size" + std::to_string(size));
        constexpr std::uint64_t count = 200'000;
        {
            netsync::SqliteStore store{{.file = file, .synchronous = netsync::Synchronous::normal}};
            for (std::uint64_t first = 1; first <= count; ++first) {
                static_cast<void>(store.append(frame(first, size)));
                if (first % 1000 == 0) expect(!store.commit(), "commit");
            }
        }
        const std::size_t held = count * frame(1, size).size_bytes();
        const double ratio = static_cast<double>(std::filesystem::file_size(file)) / static_cast<double>(held);
        std::printf("file of %llu frames of %3zu bytes: %.2f times their bytes (at most 1.6)\n",
                    static_cast<unsigned long long>(count), frame(1, size).size_bytes(), ratio);
    }
}

void measure_opening(const std::filesystem::path& folder) {
    const std::string file = folder / "large", plain = folder / "plain";
    const netsync::Options options{.name = "a", .file = file};
    {
        netsync::MemoryHub hub;
        netsync::Replica<netsync::MemoryStore, netsync::MemoryTransport, netsync::HybridClock, Set> made{hub,
                                                                                                         {.name = "a"}};
        made.batch([](auto& batch) {
            for (std::uint64_t value = 0; value < 100'000; ++value)
                batch.update(netsync::add(value * 0x9e3779b97f4a7c15u));
        });
        for (std::uint64_t part = 1; part < 10; ++part)
            made.batch([&](auto& batch) {
                for (std::uint64_t value = 0; value < 100'000; ++value)
                    batch.update(netsync::add((part * 100'000 + value) * 0x9e3779b97f4a7c15u));
            });
        const netsync::Report report = made.report();
        const auto bytes = netsync::encode_snapshot({report.heads, netsync::Ntp64{1}}, made.state());
        expect(static_cast<bool>(bytes), "encode");
        netsync::SqliteStore store{options};
        static_cast<void>(netsync::keep_value(store, "replica", made.id()));
        static_cast<void>(store.adopt(std::make_shared<const netsync::Bytes>(*bytes), report.heads));
        expect(!store.commit(), "commit");
        std::ofstream(plain, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    }
    std::vector<double> floor, ours;
    for (int run = 0; run < runs; ++run) {
        Clock::time_point begin = Clock::now();
        {
            std::ifstream in(plain, std::ios::binary);
            netsync::Bytes bytes(std::filesystem::file_size(plain));
            in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
            const auto decoded = netsync::decode_snapshot<Set>(bytes);
            expect(decoded && decoded->state.size() == 1'000'000, "decode");
            floor.push_back(seconds_since(begin));
        }
        begin = Clock::now();
        netsync::MemoryHub hub;
        const Stored replica{hub, options};
        ours.push_back(seconds_since(begin));
        expect(replica.read([](const Set& set) { return set.size(); }) == 1'000'000, "open");
    }
    std::printf("opening 1000000 elements: reading and decoding %.0f ms, a replica %.0f ms, ratio %.2f (at most 3)\n",
                median(floor) * 1e3, median(ours) * 1e3, median(ours) / median(floor));
}

}  // namespace

int main() {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("netsync-store-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    measure_groups(folder, "on disk");
    measure_groups_in_memory();
    measure_replica(folder);
    measure_pause(folder);
    measure_size(folder);
    measure_opening(folder);
    std::filesystem::remove_all(folder);
}
