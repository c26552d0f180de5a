// Whole states are joined key by key or in one walk over both, whichever costs less: the result is the same.
#include "sites.hpp"

#include <random>
#include <string>

using namespace netsync;
using sites::make_sites;

namespace {

/// Two sites with something in common, and changes of each that the other has not seen; the second holds about as much
/// as asked for.
template <class T, class Mutate>
void join_both_ways(std::size_t small, Mutate&& mutate) {
    CAPTURE(small);
    std::mt19937_64 random{small};
    auto s = make_sites<T>(2);
    for (std::uint64_t step = 1; step <= small / 2; ++step) {
        const std::uint64_t key = random() % 600, what = random();
        s[1].deliver(s[0].change({step}, [&](const T& now, Change& c) { return mutate(now, c, key, what); }));
    }
    for (std::uint64_t step = 1000; step < 1000 + 500; ++step) {
        const std::size_t side = step % 500 < small / 2 ? 1 : 0;
        const std::uint64_t key = random() % 600, what = random();
        static_cast<void>(s[side].change({step}, [&](const T& now, Change& c) { return mutate(now, c, key, what); }));
    }
    T first = s[0].state, second = s[1].state;
    const bool changed = merge(first, s[1].state, Join{.mine = s[0].seen, .theirs = s[1].seen, .scope = Scope::whole});
    merge(second, s[0].state, Join{.mine = s[1].seen, .theirs = s[0].seen, .scope = Scope::whole});
    CHECK(first == second);
    CHECK(changed == !(first == s[0].state));
    CausalContext both = s[0].seen;
    both.merge(s[1].seen);
    CHECK_FALSE(merge(second, s[0].state, Join{.mine = both, .theirs = s[0].seen, .scope = Scope::whole}));
    CHECK(first == second);
}

}  // namespace

TEST_CASE("whole states are joined in either way with one result") {
    for (const std::size_t small : {0u, 2u, 8u, 20u, 60u, 300u, 900u}) {
        join_both_ways<OrSet<std::string>>(small,
                                           [](const auto& set, Change& c, std::uint64_t key, std::uint64_t what) {
                                               const std::string name = "key " + std::to_string(key);
                                               return what % 3 == 0 ? set.remove(c, name) : set.add(c, name);
                                           });
        join_both_ways<LwwMap<std::uint64_t, std::string>>(
            small, [](const auto& map, Change& c, std::uint64_t key, std::uint64_t what) {
                return what % 3 == 0 ? map.remove(c, key) : map.assign(c, key, std::to_string(what));
            });
        join_both_ways<OrMap<std::uint64_t, OrSet<std::uint64_t>>>(
            small, [](const auto& map, Change& c, std::uint64_t key, std::uint64_t what) {
                if (what % 4 == 0) return map.remove(c, key % 100);
                return map.update(c, key % 100, [&](const auto& set, Change& at) { return set.add(at, what % 5); });
            });
    }
}
