// A random change of each of the smaller types, and types that hold them all.
#pragma once

#include "laws.hpp"

#include <algorithm>
#include <vector>

namespace laws {

using Choice = LwwChoice<LwwRegister<std::string>, OrSet<int>, PnCounter>;

}  // namespace laws

namespace netsync {  // where the overloads of laws.hpp find them, by their arguments

using laws::element, laws::key, laws::pick, laws::Random, laws::Choice;

template <class Counter>
    requires requires(const Counter& now, Change& change) { now.increment(change, 1); }
Counter mutate(const Counter& now, Change& change, Random& random) {
    const int which = pick(random, 5);
    const auto by = static_cast<std::uint64_t>(1 + pick(random, 4));
    if constexpr (requires { now.reset(change); })
        if (which == 0) return now.reset(change);
    if constexpr (requires { now.transfer(change, OwnerId{}, by); })
        if (which == 1) return now.transfer(change, OwnerId{static_cast<std::uint64_t>(100 + pick(random, 4))}, by);
    if constexpr (requires { now.decrement(change, by); })
        if (which <= 2) return now.decrement(change, by);
    return now.increment(change, by);
}
template <class Flag>
    requires requires(const Flag& now, Change& change) { now.enable(change); }
Flag mutate(const Flag& now, Change& change, Random& random) {
    return pick(random, 2) ? now.enable(change) : now.disable(change);
}
template <class Better>
ExtremeRegister<int, Better> mutate(const ExtremeRegister<int, Better>& now, Change& change, Random& random) {
    return now.assign(change, pick(random, 100));
}
inline MvRegister<std::string> mutate(const MvRegister<std::string>& now, Change& change, Random& random) {
    return now.assign(change, key(random));
}
template <class E>
TwoPhaseSet<E> mutate(const TwoPhaseSet<E>& now, Change& change, Random& random) {
    return pick(random, 3) ? now.add(change, element<E>(random)) : now.remove(change, element<E>(random));
}
template <class E>
RwSet<E> mutate(const RwSet<E>& now, Change& change, Random& random) {
    return pick(random, 2) ? now.add(change, element<E>(random)) : now.remove(change, element<E>(random));
}
template <class E>
Bag<E> mutate(const Bag<E>& now, Change& change, Random& random) {
    switch (pick(random, 4)) {
    case 0: return now.remove(change, element<E>(random));
    case 1: return now.remove(change, element<E>(random), 2);
    default: return now.add(change, element<E>(random), static_cast<std::uint64_t>(1 + pick(random, 3)));
    }
}
inline Choice mutate(const Choice& now, Change& change, Random& random) {
    switch (pick(random, 6)) {
    case 0: return now.choose(change, alternative<1>);
    case 1: return now.clear(change);
    case 2:
        return now.update(change, alternative<0>,
                          [&](const auto& text, Change& inner) { return laws::mutate(text, inner, random); });
    case 3:
        return now.update(change, alternative<2>,
                          [&](const auto& n, Change& inner) { return laws::mutate(n, inner, random); });
    default:
        return now.update(change, alternative<1>,
                          [&](const auto& set, Change& inner) { return laws::mutate(set, inner, random); });
    }
}
template <class V>
GMap<std::string, V> mutate(const GMap<std::string, V>& now, Change& change, Random& random) {
    return now.update(change, key(random), [&](const V& value, Change& inner) { return mutate(value, inner, random); });
}

}  // namespace netsync

namespace laws {

/// A tree of what can be nested in itself through maps.
struct Bush;
using Branch = LwwChoice<EnableWinsFlag, OrMap<std::string, Bush>>;
struct Bush {
    OrMap<std::string, Bush> children{};
    GMap<std::string, Bush> kept{};
    OrMap<std::string, Branch> branches{};
    ResettableCounter visits{};
};

/// 24 fields, most of them of different types.
struct Wide {
    GCounter f1{};
    ResettableCounter f2{};
    BoundedCounter<> f3{};
    MinRegister<int> f4{};
    MaxRegister<int> f5{};
    EnableWinsFlag f6{};
    DisableWinsFlag f7{};
    MvRegister<std::string> f8{};
    TwoPhaseSet<int> f9{};
    RwSet<std::string> f10{};
    Bag<std::string> f11{};
    GMap<std::string, PnCounter> f12{};
    Choice f13{};
    PnCounter f14{};
    LwwRegister<std::string> f15{};
    LwwMap<std::string, int> f16{};
    LwwSet<int> f17{};
    OrSet<int> f18{};
    GSet<int> f19{};
    OrMap<std::string, Bag<int>> f20{};
    Owned<RwSet<int>> f21{};
    Joined<HighestBid> f22{};
    EnableWinsFlag f23{};
    OrMap<std::string, OrMap<std::string, EnableWinsFlag>> f24{};
};

inline Bush mutate(const Bush& now, Change& change, Random& random);
inline Branch mutate(const Branch& now, Change& change, Random& random);
inline Wide mutate(const Wide& now, Change& change, Random& random);

inline Bush mutate(const Bush& now, Change& change, Random& random) {
    Bush delta{};
    switch (pick(random, 8)) {
    case 0:
    case 1: delta.children = mutate(now.children, change, random); break;
    case 2: delta.kept = mutate(now.kept, change, random); break;
    case 3: delta.branches = mutate(now.branches, change, random); break;
    default: delta.visits = mutate(now.visits, change, random); break;
    }
    return delta;
}
inline Branch mutate(const Branch& now, Change& change, Random& random) {
    if (pick(random, 2))
        return now.update(change, alternative<0>,
                          [&](const EnableWinsFlag& flag, Change& inner) { return mutate(flag, inner, random); });
    return now.update(change, alternative<1>,
                      [&](const auto& map, Change& inner) { return mutate(map, inner, random); });
}
inline Wide mutate(const Wide& now, Change& change, Random& random) {
    Wide delta{};
    for (int times = 1 + pick(random, 3); times > 0; --times) {
        int left = pick(random, 24);
        detail::for_each_field(
            [&](auto& part, const auto& held) {
                if (left-- == 0 && netsync::is_bottom(part)) part = mutate(held, change, random);
            },
            delta, now);
    }
    return delta;
}

/// What a change removes is gone where it was made, and what it minted is there: a removal that its delta does not mention
/// has no effect anywhere, so that replicas agree and no law is broken.
template <class T>
void check_effects(std::uint64_t seed, std::size_t count) {
    Random random{seed};
    auto s = testing::make_sites<T>(count);
    for (std::uint64_t step = 1; step <= 60; ++step) {
        std::vector<Dot> removed, minted, alive;
        auto& site = s[random.below(count)];
        const auto sent = site.change({step}, [&](const T& now, Change& change) {
            const T delta = mutate(now, change, random);
            removed = change.removed();
            return delta;
        });
        for_each_dot(site.state, [&](Dot dot) { alive.push_back(dot); });
        const auto is_alive = [&](Dot dot) { return std::find(alive.begin(), alive.end(), dot) != alive.end(); };
        for (const Dot dot : removed) REQUIRE_MESSAGE(!is_alive(dot), "seed " << seed << ", step " << step);
        for_each_dot(sent.delta, [&](Dot dot) { REQUIRE(is_alive(dot)); });
        if (random.below(3) == 0) s.front().join(s.back()), s.back().join(s.front());
    }
}

/// `writers` for check_effects: 1 where a parent removes an Owned, of which the parts of others stay.
template <class T>
void check_some_laws(std::uint64_t seeds, std::size_t writers = 2) {
    const auto broken = testing::check_laws<T>(
        [](const T& now, Change& change, Random& random) { return mutate(now, change, random); }, seeds);
    CHECK_MESSAGE(!broken, (broken ? broken->law : "") << ", seed " << (broken ? broken->seed : 0));
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) check_effects<T>(seed, writers);
}

}  // namespace laws
