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
    T first = s[0].state, second = s[1].state, read = s[0].state;
    const bool changed = merge(first, s[1].state, Join{.mine = s[0].seen, .theirs = s[1].seen, .scope = Scope::whole});
    merge(second, s[0].state, Join{.mine = s[1].seen, .theirs = s[0].seen, .scope = Scope::whole});
    CHECK(first == second);
    CHECK(changed == !(first == s[0].state));
    const Bytes bytes = s[1].encoded({1500});
    bool rose = false;
    const auto merge_read = [&](Input& in) {
        rose = in.merge_into(read, Join{.mine = s[0].seen, .theirs = s[1].seen, .scope = Scope::whole});
    };
    REQUIRE_FALSE(read_snapshot(bytes, *decode_snapshot_header(bytes), Limits{}, merge_read));
    CHECK(rose == changed);
    CHECK(read == first);
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

namespace {

struct Older {
    OrSet<std::uint64_t> numbers{};
};
struct Newer {
    OrSet<std::uint64_t> numbers{};
    OrSet<std::string> names{};
};

}  // namespace

TEST_CASE("a state of an older program is joined as it is read as when it was") {
    auto old = make_sites<Older>(1);
    auto sites = make_sites<Newer>(2);
    for (std::uint64_t step = 1; step <= 9; ++step) {
        static_cast<void>(old[0].change(
            {step}, [&](const Older& now, Change& c) { return Older{.numbers = now.numbers.add(c, step)}; }));
        static_cast<void>(sites[1].change({step}, [&](const Newer& now, Change& c) {
            return Newer{.numbers = now.numbers.add(c, step % 4), .names = now.names.add(c, std::to_string(step))};
        }));
    }
    const Bytes bytes = old[0].encoded({9});
    const auto theirs = decode_snapshot<Newer>(bytes);
    REQUIRE(theirs);
    for (const CausalContext& seen : {old[0].seen, sites[1].seen}) {  // of the latter the names are seen, and gone
        Newer merged = sites[1].state, read = sites[1].state;
        const Join join{.mine = sites[1].seen, .theirs = seen, .scope = Scope::whole};
        CHECK(merge(merged, theirs->state, join));
        bool rose = false;
        const auto merge_read = [&](Input& in) { rose = in.merge_into(read, join); };
        REQUIRE_FALSE(read_snapshot(bytes, *theirs, Limits{}, merge_read));
        CHECK(rose);
        CHECK(equal(read, merged));
    }
}
