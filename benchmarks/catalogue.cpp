// What one update costs, type by type: each line a ratio to the standard container doing the same in the same run, and the
// aim. Medians of five. `catalogue [elements [folder]]`: a million unless it is said; where pictures of it go.
#include <malloc.h>
#include <netsync/netsync.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "median.hpp"
#include "plot.hpp"

namespace {

using namespace netsync;

template <class T>
using NullReplica = Replica<NullStore, MemoryTransport, HybridClock, T>;

std::uint64_t sink = 0;  // what is computed is used

std::uint64_t number(std::uint64_t i) { return detail::mix(i, 7); }
std::string text(std::uint64_t i) {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(number(i)));
    return {digits, 16};
}

template <class F>
double seconds(F&& f) {
    const std::clock_t start = std::clock();  // of this process: others may be at work on the machine
    f();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

std::vector<plot::Bar> reached;  // how much more than its aim each line is

void at_least(const char* what, std::size_t count, double floor, double ours, double aim) {
    const double each = 1e9 / static_cast<double>(count);
    std::printf("%-66s %7.1f ns, floor %7.1f ns: %5.2f (at least %.1f)%s\n", what, ours * each, floor * each,
                floor / ours, aim, floor / ours < aim ? "  NOT REACHED" : "");
    std::fflush(stdout);
    reached.push_back({what, floor / ours / aim});
}
void at_most(const char* what, double ours, double aim, const char* unit) {
    std::printf("%-66s %7.2f %s (at most %.2f)%s\n", what, ours, unit, aim, ours > aim ? "  NOT REACHED" : "");
    std::fflush(stdout);
    reached.push_back({what, aim / ours});
}

void figure(const char* what, double ours, const char* unit) {
    std::printf("%-66s %7.2f %s\n", what, ours, unit);
    std::fflush(stdout);
}

/// A state and what it has seen.
template <class T>
struct Site {
    ReplicaIndex self = intern({1, 1});
    T state{};
    CausalContext seen{};
    std::uint64_t next = 1;

    template <class F>
    void change(F&& mutate) {
        Change change{self, next, Ntp64{next}};
        T delta = mutate(state, change);
        const CausalContext context = change.context();
        merge(state, std::move(delta), Join{.mine = seen, .theirs = context});
        seen.add(change.minted());
        next = change.minted().last + 1;
    }
};

template <class Key>
Site<OrSet<Key>> filled(const std::vector<Key>& keys, ReplicaIndex self) {
    Site<OrSet<Key>> site{.self = self};
    for (const Key& key : keys) site.change([&](const auto& set, Change& c) { return set.add(c, key); });
    return site;
}

// Seconds that all of these take once.

template <class Key>
double unordered_insert(const std::vector<Key>& keys) {
    std::unordered_set<Key> set;
    const double took = seconds([&] {
        for (const Key& key : keys) set.insert(key);
    });
    sink += set.size();
    return took;
}

template <class Key>
double type_add(const std::vector<Key>& keys) {
    Site<OrSet<Key>> site;
    const double took = seconds([&] {
        for (const Key& key : keys) site.change([&](const auto& set, Change& c) { return set.add(c, key); });
    });
    sink += site.state.size();
    return took;
}

template <class Key>
double replica_add(const std::vector<Key>& keys) {
    MemoryHub hub;
    NullReplica<OrSet<Key>> replica{hub, {.manual_start = true}};
    const double took = seconds([&] {
        for (const Key& key : keys) replica.update(add(key));
    });
    sink += replica.read([](const auto& set) { return set.size(); });
    return took;
}

template <class Key>
double remote_add(const std::vector<SharedBytes>& frames) {
    Content<OrSet<Key>> held;
    const double took = seconds([&] {
        for (const SharedBytes& bytes : frames) {
            const Result<Frame> frame = Frame::parse(bytes);
            Result<OrSet<Key>> delta = frame->template delta<OrSet<Key>>();
            held.merge(*frame, intern(frame->header().origin), *std::move(delta));
        }
    });
    sink += held.state.size();
    return took;
}

/// Frames of so many changes, as another replica makes them. They lie by themselves, as those that a network brought: what
/// their maker let go of leaves no holes between them.
template <class Key>
std::vector<SharedBytes> frames_of(const std::vector<Key>& keys, std::size_t changes) {
    Bytes made;
    std::vector<std::size_t> sizes;
    {
        MemoryHub hub;
        MemoryStore store;
        Replica<MemoryStore, MemoryTransport, HybridClock, OrSet<Key>> replica{hub, {.manual_start = true}, store};
        for (std::size_t at = 0; at < keys.size(); at += changes)
            replica.batch([&](auto& batch) {
                for (std::size_t i = at; i < std::min(at + changes, keys.size()); ++i) batch.update(add(keys[i]));
            });
        store.replay([&](const SharedBytes& frame) {
            const ByteView bytes = *frame;
            made.insert(made.end(), bytes.begin(), bytes.end());
            sizes.push_back(bytes.size());
            return true;
        });
    }
    std::vector<SharedBytes> frames;
    ByteView left = made;
    for (const std::size_t size : sizes) {
        frames.emplace_back(left.first(size));
        left = left.subspan(size);
    }
    return frames;
}

/// Seconds that adding the keys takes: to the floor, to the type, through a replica, and from another one in frames of 1 and
/// of 100. So many `times` each, in turn.
template <class Key>
std::array<double, 5> adds(const std::vector<Key>& keys, std::size_t times = 1) {
    const std::vector<SharedBytes> ones = frames_of(keys, 1), hundreds = frames_of(keys, 100);
    const auto repeated = [times](auto measure) {
        return [times, measure] {
            double total = 0;
            for (std::size_t at = 0; at < times; ++at) total += measure();
            return total;
        };
    };
    return medians_in_turn(repeated([&] { return unordered_insert(keys); }), repeated([&] { return type_add(keys); }),
                           repeated([&] { return replica_add(keys); }), repeated([&] { return remote_add<Key>(ones); }),
                           repeated([&] { return remote_add<Key>(hundreds); }));
}

void whole_states(std::size_t count) {
    std::vector<std::uint64_t> mine, theirs, missing;
    for (std::uint64_t i = 0; i < count; ++i) {
        mine.push_back(number(i));
        theirs.push_back(number(i + count / 2));
        if (i >= count / 2) missing.push_back(number(i + count / 2));
    }
    // Half in common: the first replica made the half that both hold.
    const ReplicaIndex first = intern({1, 1}), second = intern({2, 2});
    Site<OrSet<std::uint64_t>> a = filled(mine, first), b{.self = second};
    for (std::uint64_t i = 0; i < count; ++i) {
        if (i < count / 2) continue;
        b.change([&](const auto& set, Change& c) { return set.add(c, number(i + count / 2)); });
    }
    {
        Site<OrSet<std::uint64_t>> shared{.self = first};
        for (std::uint64_t i = 0; i < count / 2; ++i)
            shared.change([&](const auto& set, Change& c) { return set.add(c, number(i)); });
        merge(b.state, shared.state, Join{.mine = b.seen, .theirs = shared.seen, .scope = Scope::whole});
        b.seen.merge(shared.seen);
    }
    const double floor = median_of([&] {
        std::unordered_set<std::uint64_t> set(mine.begin(), mine.end());
        const double took = seconds([&] {
            for (const std::uint64_t key : missing) set.insert(key);
        });
        sink += set.size();
        return took;
    });
    const double ours = median_of([&] {
        OrSet<std::uint64_t> state;  // not shared with `a`, as that of a replica that runs
        merge(state, a.state, Join{.mine = CausalContext{}, .theirs = a.seen});
        const double took =
            seconds([&] { merge(state, b.state, Join{.mine = a.seen, .theirs = b.seen, .scope = Scope::whole}); });
        sink += state.size();
        return took;
    });
    at_most("whole states, half in common: time, to inserting the missing half", ours / floor, 1.0, "x");
}

void maps(std::size_t count) {
    std::vector<std::string> keys;
    for (std::uint64_t i = 0; i < count; ++i) keys.push_back(text(i));
    const double floor = median_of([&] {
        std::unordered_map<std::string, std::string> map;
        const double took = seconds([&] {
            for (const std::string& key : keys) map[key] = key;
        });
        sink += map.size();
        return took;
    });
    const double ours = median_of([&] {
        Site<LwwMap<std::string, std::string>> site;
        const double took = seconds([&] {
            for (const std::string& key : keys)
                site.change([&](const auto& map, Change& c) { return map.assign(c, key, key); });
        });
        sink += site.state.size();
        return took;
    });
    at_least("LwwMap<string, string>, the type: assign", count, floor, ours, 0.8);
}

double live_bytes() { return static_cast<double>(mallinfo2().uordblks) + static_cast<double>(mallinfo2().hblkhd); }

void memory(const std::vector<std::uint64_t>& keys) {
    const double before = live_bytes();
    std::unordered_set<std::uint64_t> plain(keys.begin(), keys.end());
    const double floor = live_bytes() - before;
    plain = {};
    const double again = live_bytes();
    const Site<OrSet<std::uint64_t>> site = filled(keys, intern({1, 1}));
    const double ours = live_bytes() - again;
    const auto each = static_cast<double>(keys.size());
    std::printf("live bytes an element: std::unordered_set %.1f\n", floor / each);
    at_most("live bytes an element, OrSet<uint64_t>", ours / each, floor / each, "bytes");
    sink += site.state.size();
}

template <class Key>
void encoded(const char* what, const std::vector<Key>& keys, double key_bytes) {
    Site<OrSet<Key>> site{};
    const ReplicaIndex replicas[] = {intern({1, 1}), intern({2, 2}), intern({3, 3})};
    std::uint64_t next[] = {1, 1, 1};
    for (std::size_t at = 0; at < keys.size(); ++at) {
        site.self = replicas[at % 3];
        site.next = next[at % 3]++;
        site.change([&](const auto& set, Change& c) { return set.add(c, keys[at]); });
    }
    std::vector<Head> heads;
    for (const auto& entry : site.seen.vector().sorted()) heads.push_back({id_of(entry.replica), entry.counter, 0});
    const Result<Bytes> bytes = encode_snapshot({heads, Ntp64{keys.size()}}, site.state);
    const double each = static_cast<double>(bytes->size()) / static_cast<double>(keys.size());
    at_most(what, each - key_bytes, 3.0, "bytes");
}

void ten_behind(std::size_t count) {
    for (const std::size_t size : {std::size_t{1000}, count}) {
        MemoryHub hub;
        MemoryStore store;
        Replica<MemoryStore, MemoryTransport, HybridClock, OrSet<std::uint64_t>> replica{
            hub, {.manual_start = true}, store};
        for (std::uint64_t i = 0; i < size; ++i) replica.update(add(number(i)));
        const auto durable = [](const ReplicaId&, std::uint64_t) { return true; };
        const double took = median_of([&] {
            Outbox out;
            const FetchMessage request{.ranges = {{replica.id(), size - 9, size}}};
            return seconds([&] {
                       for (int at = 0; at < 1000; ++at)
                           sink += answer_fetch(Link{1}, request, store, durable, Limits{}, out);
                   }) /
                   1000;
        });
        char what[80];
        std::snprintf(what, sizeof what, "changes since a version vector 10 behind, at %zu", size);
        at_most(what, took * 1e6, 10.0, "us");
    }
}

/// Two replicas that set `count` keys each, half of them the same, `step` at a time, then meet.
void two_way(std::size_t count, std::size_t step, bool aimed) {
    using Map = LwwMap<std::string, std::array<std::byte, 8>>;
    const auto key = [&](std::size_t side, std::uint64_t i) { return text(side == 0 ? i : i + count / 2); };
    std::array<std::byte, 8> value{std::byte{1}};
    double bytes = 0;
    const double ours = median_of([&] {
        MemoryHub hub;
        const Options options{.manual_start = true, .limits = {.log = std::size_t{1} << 30}};
        MemoryReplica<Map> a{hub, options}, b{hub, options};
        for (std::size_t side = 0; side < 2; ++side)
            for (std::uint64_t at = 0; at < count; at += step)
                (side == 0 ? a : b).batch([&](auto& batch) {
                    for (std::uint64_t i = at; i < at + step; ++i) batch.update(assign(key(side, i), value));
                });
        const double took = seconds([&] {
            if (a.start() || b.start()) std::abort();
            for (int rounds = 0; a.report().heads.size() < 2 || a.report().heads != b.report().heads; ++rounds) {
                hub.run_for(std::chrono::milliseconds{100});
                if (rounds > 1000) std::abort();
            }
        });
        if (a.state() != b.state()) std::abort();
        bytes = static_cast<double>(a.report().traffic.bytes_out + b.report().traffic.bytes_out);
        return took;
    });
    const double floor = median_of([&] {
        std::unordered_map<std::string, std::array<std::byte, 8>> map;
        std::vector<std::string> keys;
        for (std::size_t side = 0; side < 2; ++side)
            for (std::uint64_t i = 0; i < count; ++i) keys.push_back(key(side, i));
        const double took = seconds([&] {
            for (const std::string& one : keys) map[one] = value;
        });
        sink += map.size();
        return took;
    });
    char what[80];
    std::snprintf(what, sizeof what, "two-way sync of %zu keys each, %zu a change: time, to setting them", count, step);
    const char* const wire = "  on the wire, a key that was set";
    const double each = bytes / static_cast<double>(2 * count);
    if (!aimed) return figure(what, ours / floor, "x"), figure(wire, each, "bytes");
    at_most(what, ours / floor, 3.0, "x");
    at_most(wire, each, 30.0, "bytes");
}

template <class Key>
void sets(const char* name, const std::vector<Key>& keys) {
    const auto line = [&](const char* what) { return std::string("OrSet<") + name + ">, " + what; };
    const std::size_t count = keys.size();
    const auto [floor, type, replica, one, hundred] = adds(keys);
    at_least(line("the type: mutator and merge of its delta").c_str(), count, floor, type, 1.0);
    at_least(line("through a Replica<NullStore>: update").c_str(), count, floor, replica, 0.6);
    at_least(line("remote: decode and merge, frames of 1").c_str(), count, floor, one, 0.5);
    at_least(line("remote: decode and merge, frames of 100").c_str(), count, floor, hundred, 0.8);
}

/// What an add costs as the set grows: nanoseconds each, of as many in all at each size.
void growth(std::size_t most, const std::string& folder) {
    plot::Line floor{"std::unordered_set insert", {}, true}, type{"the type: mutator and merge", {}},
        replica{"through a Replica", {}}, one{"remote, frames of 1", {}}, many{"remote, frames of 100", {}};
    for (std::size_t size = 1000; size <= most; size *= 10) {
        std::vector<std::uint64_t> keys;
        for (std::uint64_t i = 0; i < size; ++i) keys.push_back(number(i));
        const std::array<double, 5> took = adds(keys, (most + size - 1) / size);
        std::size_t at = 0;
        for (plot::Line* line : {&floor, &type, &replica, &one, &many})
            line->points.emplace_back(static_cast<double>(size), took[at++] * 1e9 / static_cast<double>(most));
        std::printf(
            "%9zu elements, ns an add: std::unordered_set %.0f, the type %.0f, a replica %.0f, remote in frames of "
            "1 %.0f, of 100 %.0f\n",
            size, floor.points.back().second, type.points.back().second, replica.points.back().second,
            one.points.back().second, many.points.back().second);
        std::fflush(stdout);
    }
    if (folder.empty()) return;
    plot::lines((folder + "/adds.svg").c_str(), "OrSet<uint64_t>: nanoseconds an add", "elements in the end",
                {floor, type, replica, one, many});
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t count = argc > 1 ? static_cast<std::size_t>(std::strtoul(argv[1], nullptr, 10)) : 1'000'000;
    std::vector<std::uint64_t> numbers;
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(number(i)), texts.push_back(text(i));
    memory(numbers);
    sets("uint64_t", numbers);
    sets("string", texts);
    whole_states(count);
    maps(count);
    double varints = 0;
    for (const std::uint64_t key : numbers)
        for (std::uint64_t rest = key; varints += 1, rest >= 0x80; rest >>= 7) {
        }
    encoded("encoded state beyond its keys, OrSet<uint64_t>", numbers, varints / static_cast<double>(count));
    encoded("encoded state beyond its keys, OrSet<string> (16 and a length)", texts, 17.0);
    ten_behind(count);
    two_way(count / 10, 1, false);
    two_way(count / 10, 1000, true);
    const std::string folder = argc > 2 ? argv[2] : "";
    growth(count, folder);
    if (!folder.empty())
        plot::bars((folder + "/catalogue.svg").c_str(), "how much better than its aim each is", reached);
    return sink == 1 ? 1 : 0;
}
