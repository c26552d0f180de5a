// Catching up over loopback TCP: one that was away for 100,000 changes, and a newcomer to a state of 1,000,000 elements,
// each against raw Asio streaming of the same bytes and the work that the data itself needs.
#include <netsync/lan.hpp>

#include <algorithm>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>

#include "median.hpp"
#endif

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Set = netsync::OrSet<std::uint64_t>;
using Tcp = asio::ip::tcp;

constexpr int runs = 5;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Sends `bytes` from one thread to another, in pieces of 256 KiB.
double stream(std::size_t bytes) {
    asio::io_context context;
    Tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    Tcp::socket in(context), out(context);
    out.connect(acceptor.local_endpoint());
    acceptor.accept(in);
    const std::vector<char> piece(256 << 10);
    const Clock::time_point begin = Clock::now();
    std::thread sender{[&] {
        for (std::size_t sent = 0; sent < bytes; sent += std::min(piece.size(), bytes - sent))
            asio::write(out, asio::buffer(piece.data(), std::min(piece.size(), bytes - sent)));
        out.close();
    }};
    std::vector<char> room(256 << 10);
    std::error_code error;
    while (!error) static_cast<void>(in.read_some(asio::buffer(room), error));
    sender.join();
    return seconds_since(begin);
}

std::string pool() { return "catch-up " + std::to_string(Clock::now().time_since_epoch().count()); }

std::size_t size_of(const netsync::LanReplica<Set>& replica) {
    return replica.read([](const Set& set) { return set.size(); });
}

template <class Condition>
void wait_until(Condition condition) {
    while (!condition()) std::this_thread::sleep_for(200us);
}

/// The longest that a call waited, while others went on.
class Pulse {
   public:
    explicit Pulse(const netsync::LanReplica<Set>& replica)
        : thread_([this, &replica] {
              while (!done_) {
                  const Clock::time_point begin = Clock::now();
                  static_cast<void>(size_of(replica));
                  longest_ = std::max(longest_, seconds_since(begin));
                  std::this_thread::sleep_for(1ms);
              }
          }) {}
    double stop() {
        done_ = true;
        thread_.join();
        return longest_;
    }

   private:
    std::atomic<bool> done_{false};
    double longest_ = 0;
    std::thread thread_;
};

void frames() {
    constexpr std::uint64_t changes = 100'000;
    std::vector<double> ours, floors;
    std::size_t bytes = 0;
    for (int run = 0; run < runs; ++run) {
        const std::string name = pool();
        netsync::LanReplica<Set> one{{.pool = name, .discovery_port = 21998}};
        const std::string peer = "127.0.0.1:" + std::to_string(one.report().port);
        netsync::LanReplica<Set> two{{.pool = name, .discovery_port = 21998, .peers = {peer}}};
        one.update(netsync::add(std::uint64_t{0}));
        wait_until([&] { return size_of(two) == 1; });
        two.stop();
        for (std::uint64_t i = 1; i <= changes; ++i) one.update(netsync::add(i));
        bytes = one.report().log_bytes;
        Clock::time_point begin = Clock::now();
        if (two.start()) return;
        wait_until([&] { return size_of(two) == changes + 1; });
        ours.push_back(seconds_since(begin));

        const double streaming = stream(bytes);
        netsync::MemoryHub hub;
        const netsync::ReplicaIndex origin = netsync::intern({1, 1});
        Set made, merged;
        netsync::CausalContext seen_made, seen_merged;
        std::vector<netsync::Frame> log;
        std::uint64_t hash = 0;
        for (std::uint64_t i = 1; i <= changes; ++i) {
            netsync::Change change{origin, i, netsync::Ntp64{i}};
            const Set delta = made.add(change, i);
            const auto encoded = netsync::encode_delta(delta, change.minted(), change.time(), {});
            log.push_back(netsync::Frame::make({.origin = {1, 1}, .first = i, .count = 1, .time = change.time()},
                                               *encoded, hash));
            hash = log.back().header().hash;
            netsync::merge(made, delta, netsync::Join{.mine = seen_made, .theirs = change.context()});
            seen_made.add(change.minted());
        }
        begin = Clock::now();
        for (const netsync::Frame& sent : log) {
            const auto frame = netsync::Frame::parse(sent.bytes());
            const auto delta = frame->delta<Set>();
            const netsync::CausalContext context = frame->context();
            netsync::merge(merged, *delta, netsync::Join{.mine = seen_merged, .theirs = context});
            seen_merged.merge(context);
        }
        floors.push_back(streaming + seconds_since(begin));
    }
    std::printf(
        "100,000 frames, %zu bytes: %.0f ms; raw streaming and their merge %.0f ms: ratio %.2f (at least 0.3)\n", bytes,
        median(ours) * 1e3, median(floors) * 1e3, median(floors) / median(ours));
}

void state() {
    constexpr std::uint64_t elements = 1'000'000;
    std::vector<double> ours, floors;
    double given = 0, taken = 0;
    std::size_t bytes = 0;
    netsync::LanReplica<Set> one{{.pool = pool(), .discovery_port = 21998}};
    for (std::uint64_t at = 0; at < elements; at += 1000)
        one.batch([&](auto& batch) {
            for (std::uint64_t i = at; i < at + 1000; ++i) batch.update(netsync::add(i));
        });
    const std::string peer = "127.0.0.1:" + std::to_string(one.report().port);
    for (int run = 0; run < runs; ++run) {
        const Clock::time_point begin = Clock::now();
        netsync::LanReplica<Set> two{{.pool = one.report().pool, .discovery_port = 21998, .peers = {peer}}};
        Pulse giving{one}, taking{two};
        wait_until([&] { return two.report().state == netsync::JoinState::ready && size_of(two) == elements; });
        ours.push_back(seconds_since(begin));
        given = std::max(given, giving.stop());
        taken = std::max(taken, taking.stop());

        const Set state = one.state();
        const std::vector<netsync::Head> heads = one.report().heads;
        Clock::time_point part = Clock::now();
        const auto encoded = netsync::encode_snapshot({heads, netsync::Ntp64{~std::uint64_t{0} >> 1}}, state);
        double floor = seconds_since(part);
        bytes = encoded->size();
        floor += stream(bytes);
        part = Clock::now();
        const auto decoded = netsync::decode_snapshot<Set>(*encoded);
        floor += seconds_since(part);
        if (!decoded || decoded->state.size() != elements) std::abort();
        floors.push_back(floor);
    }
    std::printf("a state of 1,000,000 elements, %zu bytes: %.0f ms; encoding, raw streaming and decoding %.0f ms: "
                "ratio %.2f (at most 2)\n"
                "    longest wait of another call meanwhile: %.1f ms at the giving side, %.1f ms at the taking side "
                "(at most 10)\n",
                bytes, median(ours) * 1e3, median(floors) * 1e3, median(ours) / median(floors), given * 1e3,
                taken * 1e3);
}

#if defined(__GLIBC__)
/// Memory in use after so many changes, with a peer that stopped reading at the first one, or with none.
double bytes_in_use(std::uint64_t changes, bool stalled) {
    const std::size_t before = mallinfo2().uordblks;
    netsync::Options options{.pool = pool(), .discovery_port = 21998};
    options.limits.log = std::size_t{1} << 30;  // neither run cuts its log
    netsync::LanReplica<Set> one{options};
    const std::string peer = "127.0.0.1:" + std::to_string(one.report().port);
    std::mutex gate;
    std::unique_lock closed{gate};
    std::optional<netsync::LanReplica<Set>> two;
    netsync::Subscription stop;
    if (stalled) {
        two.emplace(netsync::Options{.pool = one.report().pool, .discovery_port = 21998, .peers = {peer}});
        stop = two->on_change([&gate] { const std::lock_guard wait{gate}; });
        wait_until([&] { return one.report().members.size() == 1 && one.report().members[0].link != netsync::Link{}; });
    }
    for (std::uint64_t i = 0; i < changes; ++i) one.update(netsync::add(i));
    const double used = static_cast<double>(mallinfo2().uordblks - before);
    closed.unlock();
    return used;
}

void stalled_peer() {
    mallopt(M_ARENA_MAX, 1);  // mallinfo2 counts one
    for (const std::uint64_t changes : {std::uint64_t{10'000}, std::uint64_t{1'000'000}}) {
        const double without = bytes_in_use(changes, false), with = bytes_in_use(changes, true);
        std::printf("a peer that stopped reading %llu changes ago: %.2f MiB beyond the state and the log (at most 4)\n",
                    static_cast<unsigned long long>(changes), (with - without) / (1u << 20));
    }
}
#else
void stalled_peer() {}
#endif

}  // namespace

int main() {
    stalled_peer();
    frames();
    state();
}
