// One local change through a Replica with a NullStore: stamp, mutate, encode, merge. The floor is std::unordered_set
// with the same keys. Time is per element; `ratio` lines are printed by benchmarks/run from medians of one run.
#include <benchmark/benchmark.h>
#include <netsync/netsync.hpp>

#include <cstdint>
#include <memory>
#include <unordered_set>

namespace {

using Set = netsync::OrSet<std::uint64_t>;
using NullReplica = netsync::Replica<netsync::NullStore, netsync::MemoryTransport, netsync::HybridClock, Set>;

std::uint64_t key(std::uint64_t i) { return netsync::detail::mix(i, 7); }

void unordered_set_insert(benchmark::State& state) {
    const auto size = static_cast<std::uint64_t>(state.range(0));
    for (auto _ : state) {
        std::unordered_set<std::uint64_t> set;
        for (std::uint64_t i = 0; i < size; ++i) set.insert(key(i));
        benchmark::DoNotOptimize(set.size());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

void replica_update(benchmark::State& state) {
    const auto size = static_cast<std::uint64_t>(state.range(0));
    for (auto _ : state) {
        netsync::MemoryHub hub;
        NullReplica replica{hub};
        for (std::uint64_t i = 0; i < size; ++i) replica.update(netsync::add(key(i)));
        benchmark::DoNotOptimize(replica.read([](const Set& set) { return set.size(); }));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// The type alone: mutator and merge of its delta.
void or_set_add(benchmark::State& state) {
    const auto size = static_cast<std::uint64_t>(state.range(0));
    const netsync::ReplicaIndex self = netsync::intern({1, 1});
    for (auto _ : state) {
        Set set;
        netsync::CausalContext seen;
        for (std::uint64_t i = 0; i < size; ++i) {
            netsync::Change change{self, i + 1, netsync::Ntp64{i + 1}};
            const Set delta = set.add(change, key(i));
            const netsync::CausalContext context = change.context();
            netsync::merge(set, delta, netsync::Join{.mine = seen, .theirs = context});
            seen.add(change.minted());
        }
        benchmark::DoNotOptimize(set.size());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

BENCHMARK(unordered_set_insert)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(replica_update)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(or_set_add)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK_MAIN();
