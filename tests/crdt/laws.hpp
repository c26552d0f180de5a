// Types in all their nestings, and a random change of each, for the laws of netsync/testing/laws.hpp.
#pragma once

#include <doctest/doctest.h>
#include <netsync/netsync.hpp>
#include <netsync/testing.hpp>

#include <string>

namespace laws {

using namespace netsync;
using testing::Random;

inline int pick(Random& random, int bound) { return static_cast<int>(random.below(static_cast<std::uint64_t>(bound))); }
inline std::string key(Random& random) { return std::string(1, static_cast<char>('a' + pick(random, 4))); }

struct HighestBid {
    int amount = 0;
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};

struct Album {
    LwwRegister<std::string> title{};
    OrSet<std::string> tags{};
    PnCounter plays{};
    Joined<HighestBid> bid{};
};

struct Folder {
    OrMap<std::string, Folder> children{};
    OrSet<std::string> files{};
};

struct Everything {
    OrMap<std::string, Album> albums{};
    Owned<LwwMap<std::string, int>> mine{};
    Owned<HighestBid> best{};
    LwwSet<int> numbers{};
    HighestBid highest{};
};

// One random change of each type.
template <class Element>
Element element(Random& random) {
    if constexpr (std::is_same_v<Element, std::string>)
        return key(random);
    else
        return static_cast<Element>(pick(random, 5));
}

template <class E>
OrSet<E> mutate(const OrSet<E>& now, Change& change, Random& random) {
    switch (pick(random, 8)) {
    case 0: return now.clear(change);
    case 1:
    case 2:
    case 3: return now.remove(change, element<E>(random));
    default: return now.add(change, element<E>(random));
    }
}
template <class E>
GSet<E> mutate(const GSet<E>& now, Change& change, Random& random) {
    return now.add(change, element<E>(random));
}
template <class E>
LwwSet<E> mutate(const LwwSet<E>& now, Change& change, Random& random) {
    return pick(random, 2) ? now.add(change, element<E>(random)) : now.remove(change, element<E>(random));
}
inline LwwRegister<std::string> mutate(const LwwRegister<std::string>& now, Change& change, Random& random) {
    return now.assign(change, key(random));
}
inline LwwMap<std::string, int> mutate(const LwwMap<std::string, int>& now, Change& change, Random& random) {
    return pick(random, 3) ? now.assign(change, key(random), pick(random, 9)) : now.remove(change, key(random));
}
inline PnCounter mutate(const PnCounter& now, Change& change, Random& random) {
    return pick(random, 2) ? now.increment(change, 3) : now.decrement(change);
}
inline Joined<HighestBid> mutate(const Joined<HighestBid>& now, Change& change, Random& random) {
    return now.add(change, HighestBid{pick(random, 100)});
}
inline HighestBid mutate(const HighestBid&, Change&, Random& random) { return {pick(random, 100)}; }
// Nested types call each other.
inline Folder mutate(const Folder& now, Change& change, Random& random);
inline Text mutate(const Text& now, Change& change, Random& random);  // sequences.hpp
template <class E>
List<E> mutate(const List<E>& now, Change& change, Random& random);  // sequences.hpp
template <class P>
Owned<P> mutate(const Owned<P>& now, Change& change, Random& random);
template <class V>
OrMap<std::string, V> mutate(const OrMap<std::string, V>& now, Change& change, Random& random);

inline Album mutate(const Album& now, Change& change, Random& random) {
    Album delta{};
    const int which = pick(random, 6);
    if (which == 0 || which == 5) delta.title = mutate(now.title, change, random);
    if (which == 1 || which == 5) delta.tags = mutate(now.tags, change, random);
    if (which == 2) delta.plays = mutate(now.plays, change, random);
    if (which == 3) delta.bid = mutate(now.bid, change, random);
    return delta;
}
template <class V>
OrMap<std::string, V> mutate(const OrMap<std::string, V>& now, Change& change, Random& random) {
    if (pick(random, 4) == 0) return now.remove(change, key(random));
    return now.update(change, key(random), [&](const V& value, Change& inner) { return mutate(value, inner, random); });
}
template <class P>
Owned<P> mutate(const Owned<P>& now, Change& change, Random& random) {
    return now.update(change, [&](const P& part, Change& inner) { return mutate(part, inner, random); });
}
inline Folder mutate(const Folder& now, Change& change, Random& random) {
    Folder delta{};
    if (pick(random, 2))
        delta.children = mutate(now.children, change, random);
    else
        delta.files = mutate(now.files, change, random);
    return delta;
}
inline Everything mutate(const Everything& now, Change& change, Random& random) {
    Everything delta{};
    switch (pick(random, 5)) {
    case 0: delta.albums = mutate(now.albums, change, random); break;
    case 1: delta.mine = mutate(now.mine, change, random); break;
    case 2: delta.best = mutate(now.best, change, random); break;
    case 3: delta.numbers = mutate(now.numbers, change, random); break;
    default: delta.highest = mutate(now.highest, change, random); break;
    }
    return delta;
}

template <class T>
void check_all_laws() {
    const auto broken = testing::check_laws<T>(
        [](const T& now, Change& change, Random& random) { return mutate(now, change, random); }, 60);
    CHECK_MESSAGE(!broken, (broken ? broken->law : "") << ", seed " << (broken ? broken->seed : 0));
}

}  // namespace laws
