// What an element costs: memory that it holds alive, and bytes in an encoded state. For each type one line, at 100,000
// elements (counters and registers: as values of an OrMap), of one replica; the floor is std::unordered_set of the same keys.
#include <netsync/netsync.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unordered_set>
#include <utility>

#include "held_memory.hpp"

namespace {

using namespace netsync;

constexpr std::uint64_t count = 100'000;
std::uint64_t key(std::uint64_t i) { return detail::mix(i, 7); }

void print(const char* name, std::size_t memory, std::size_t encoded) {
    std::printf("%-34s %8.1f in memory %8.1f encoded\n", name, static_cast<double>(memory) / count,
                static_cast<double>(encoded) / count);
}

/// `change(state, change, i)` gives the delta that makes element i.
template <class T, class F>
void measure(const char* name, F&& change_one) {
    const ReplicaIndex self = intern({1, 1});
    const std::size_t before = held;
    T state;
    CausalContext seen;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        Change change{self, last + 1, Ntp64{i + 1}};
        const T delta = change_one(std::as_const(state), change, i);
        const CausalContext context = change.context();
        merge(state, delta, Join{.mine = seen, .theirs = context});
        seen.add(change.minted());
        last = change.minted().last;
    }
    const std::size_t memory = held - before;
    const auto bytes = encode_snapshot({{{id_of(self), last, 0}}, Ntp64{count}}, state);
    print(name, memory, bytes ? (*bytes).size() : 0);
}

template <class T>
void measure_set(const char* name) {
    measure<T>(name, [](const T& set, Change& change, std::uint64_t i) { return set.add(change, key(i)); });
}

template <class Leaf, class F>
void measure_value(const char* name, F&& f) {
    measure<OrMap<std::uint64_t, Leaf>>(name, [&](const auto& map, Change& change, std::uint64_t i) {
        return map.update(change, key(i), [&](const Leaf& leaf, Change& inner) { return f(leaf, inner); });
    });
}

}  // namespace

int main() {
    std::printf("bytes an element (keys: 8 bytes, encoded 9.5)\n");
    {
        const std::size_t before = held;
        std::unordered_set<std::uint64_t> floor;
        for (std::uint64_t i = 0; i < count; ++i) floor.insert(key(i));
        print("std::unordered_set<uint64_t>", held - before, 0);
    }
    measure_set<GSet<std::uint64_t>>("GSet<uint64_t>");
    measure_set<OrSet<std::uint64_t>>("OrSet<uint64_t>");
    measure_set<RwSet<std::uint64_t>>("RwSet<uint64_t>");
    measure_set<TwoPhaseSet<std::uint64_t>>("TwoPhaseSet<uint64_t>");
    measure_set<LwwSet<std::uint64_t>>("LwwSet<uint64_t>");
    measure_set<Bag<std::uint64_t>>("Bag<uint64_t>");
    measure<LwwMap<std::uint64_t, std::uint64_t>>(
        "LwwMap<uint64_t, uint64_t>",
        [](const auto& map, Change& change, std::uint64_t i) { return map.assign(change, key(i), i); });
    std::printf("as values of an OrMap<uint64_t, ...>, key included\n");
    const auto count_one = [](const auto& leaf, Change& change) { return leaf.increment(change); };
    const auto assign_one = [](const auto& leaf, Change& change) { return leaf.assign(change, std::uint64_t{5}); };
    const auto enable_one = [](const auto& leaf, Change& change) { return leaf.enable(change); };
    measure_value<GCounter>("GCounter", count_one);
    measure_value<PnCounter>("PnCounter", count_one);
    measure_value<ResettableCounter>("ResettableCounter", count_one);
    measure_value<BoundedCounter<>>("BoundedCounter", count_one);
    measure_value<LwwRegister<std::uint64_t>>("LwwRegister<uint64_t>", assign_one);
    measure_value<MvRegister<std::uint64_t>>("MvRegister<uint64_t>", assign_one);
    measure_value<MinRegister<std::uint64_t>>("MinRegister<uint64_t>", assign_one);
    measure_value<EnableWinsFlag>("EnableWinsFlag", enable_one);
    measure_value<DisableWinsFlag>("DisableWinsFlag", enable_one);
    measure_value<LwwOptional<EnableWinsFlag>>("LwwOptional<EnableWinsFlag>", [&](const auto& leaf, Change& change) {
        return leaf.update(change, alternative<0>, enable_one);
    });
    measure<GMap<std::uint64_t, EnableWinsFlag>>(
        "GMap<uint64_t, EnableWinsFlag>",
        [&](const auto& map, Change& change, std::uint64_t i) { return map.update(change, key(i), enable_one); });
}
