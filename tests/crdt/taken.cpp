// A delta or a state that nobody needs any more is taken over: the result is that of a merge that copies, and what others
// hold of it stays.
#include "sites.hpp"

#include <random>
#include <string>

using namespace netsync;
using sites::make_sites;

namespace {

template <class T>
void check_taken(const T& held, const T& theirs, const Join& join) {
    T copied = held, taken = held, shared = held;
    T alone;  // shares nothing with others
    merge(alone, theirs, Join{.mine = CausalContext{}, .theirs = join.theirs, .target = Target::delta});
    const bool changed = merge(copied, theirs, join);
    REQUIRE(merge(taken, std::move(alone), join) == changed);
    REQUIRE(equal(taken, copied));
    T copy = theirs;
    REQUIRE(merge(shared, std::move(copy), join) == changed);
    REQUIRE(equal(shared, copied));
}

/// Three sites: what one has seen of another differs from change to change.
template <class T, class Mutate>
void walk(Mutate&& mutate) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random{seed};
        auto s = make_sites<T>(3);
        for (std::uint64_t step = 1; step <= 300; ++step) {
            auto& from = s[random() % 3];
            const std::uint64_t what = random();
            const auto sent =
                from.change({step}, [&](const T& now, Change& c) { return mutate(now, c, what % 90, what >> 32); });
            for (auto& to : s) {
                if (&to == &from) continue;
                const T before = to.state, delta = sent.delta;
                check_taken(to.state, sent.delta, Join{.mine = to.seen, .theirs = sent.context});
                REQUIRE(equal(to.state, before));
                REQUIRE(equal(sent.delta, delta));
                if (random() % 2 == 0) to.deliver(sent);
            }
            if (step % 10 == 0) {
                const auto& other = s[random() % 3];
                const T before = other.state;
                check_taken(from.state, other.state,
                            Join{.mine = from.seen, .theirs = other.seen, .scope = Scope::whole});
                REQUIRE(equal(other.state, before));
            }
        }
    }
}

struct Pair {
    OrSet<std::string> set{};
    LwwRegister<std::string> text{};
};

std::string name(std::uint64_t key) { return "a key that is long " + std::to_string(key); }

}  // namespace

TEST_CASE("what is taken over is what would have been copied") {
    walk<OrSet<std::string>>([](const auto& set, Change& c, std::uint64_t key, std::uint64_t what) {
        return what % 3 == 0 ? set.remove(c, name(key)) : set.add(c, name(key));
    });
    walk<OrSet<std::uint64_t>>([](const auto& set, Change& c, std::uint64_t key, std::uint64_t what) {
        return what % 3 == 0 ? set.remove(c, key) : what % 20 == 1 ? set.clear(c) : set.add(c, key);
    });
    walk<LwwMap<std::string, std::string>>([](const auto& map, Change& c, std::uint64_t key, std::uint64_t what) {
        return what % 3 == 0 ? map.remove(c, name(key)) : map.assign(c, name(key), name(what));
    });
    walk<OrMap<std::string, Pair>>([](const auto& map, Change& c, std::uint64_t key, std::uint64_t what) {
        if (what % 4 == 0) return map.remove(c, name(key % 20));
        return map.update(c, name(key % 20), [&](const Pair& pair, Change& at) {
            return what % 4 == 1 ? Pair{.text = pair.text.assign(at, name(what))}
                                 : Pair{.set = pair.set.add(at, name(what % 5))};
        });
    });
}
