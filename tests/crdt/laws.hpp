// The laws: random changes at four sites, delivered causally in random orders, twice, in groups, or as whole states,
// end in one state with one encoding.
#pragma once

#include "sites.hpp"

#include <array>
#include <deque>
#include <string>

namespace laws {

using namespace netsync;
using sites::Sent;
using sites::Site;

using Random = std::mt19937_64;

inline int pick(Random& random, int bound) { return static_cast<int>(random() % static_cast<std::uint64_t>(bound)); }
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
void check_encoding(const Sent<T>& sent) {
    const Result<Bytes> bytes = encode_delta(sent.delta, sent.minted, sent.time, Limits{});
    REQUIRE(bytes);
    FrameHeader header{.origin = id_of(sent.minted.replica),
                       .first = sent.minted.first,
                       .count = sent.minted.size(),
                       .time = sent.time};
    const Frame frame = Frame::make(std::move(header), *bytes, 0);
    const Result<Frame> parsed = Frame::parse(frame.bytes());
    REQUIRE(parsed);
    const Result<T> back = parsed->template delta<T>();
    REQUIRE(back);
    // Mentions of what was emptied are not part of equality: the encoding must have them too.
    const Result<Bytes> again = encode_delta(*back, sent.minted, sent.time, Limits{});
    REQUIRE(again);
    CHECK(*again == *bytes);
}

template <class T>
void check_laws(std::uint64_t seed) {
    CAPTURE(seed);
    Random random{seed};
    auto all = sites::make_sites<T>(4);
    std::array<std::vector<Sent<T>>, 4> inbox;  // what is under way to each site
    std::uint64_t now = 1000;
    for (int step = 0; step < 60; ++step) {
        const auto at = static_cast<std::size_t>(pick(random, 4));
        Site<T>& site = all[at];
        if (pick(random, 2) == 0) {
            const T before = site.state;
            const CausalContext seen = site.seen;
            const Ntp64 time{now += static_cast<std::uint64_t>(pick(random, 3))};
            const Sent<T> sent =
                site.change(time, [&](const T& state, Change& change) { return mutate(state, change, random); });
            check_encoding(sent);
            // Idempotent: the same delta again changes nothing.
            T again = site.state;
            CHECK_FALSE(
                merge(again, sent.delta, Join{.mine = site.seen, .theirs = sent.context, .origin = sent.origin}));
            CHECK(equal(again, site.state));
            // The bottom is neutral.
            T still = before;
            CHECK_FALSE(merge(still, T{}, Join{.mine = seen, .theirs = CausalContext{}}));
            for (std::size_t to = 0; to < 4; ++to)
                if (to != at) inbox[to].push_back(sent);
        } else if (pick(random, 6) == 0) {
            const auto from = static_cast<std::size_t>(pick(random, 4));
            site.join(all[from]);
        } else if (!inbox[at].empty()) {
            const auto which = static_cast<std::size_t>(random() % inbox[at].size());
            if (site.ready(inbox[at][which])) site.deliver(inbox[at][which]);
        }
    }
    for (std::size_t at = 0; at < 4; ++at)  // the rest, causally
        for (bool progress = true; progress;) {
            progress = false;
            for (const Sent<T>& sent : inbox[at])
                if (all[at].ready(sent)) {
                    all[at].deliver(sent);
                    progress = true;
                }
        }
    Site<T> joined = all[0];
    for (std::size_t at = 1; at < 4; ++at) {
        CHECK(all[at].seen.cloud().empty());
        CHECK(all[at].seen == all[0].seen);
        CHECK(sites::same(all[at], all[0]));
        CHECK(all[at].encoded(Ntp64{now}) == all[0].encoded(Ntp64{now}));
        joined.join(all[at]);
        CHECK(sites::same(joined, all[0]));  // states joined are what deltas made
    }
    const Bytes bytes = all[0].encoded(Ntp64{now});
    const auto snapshot = decode_snapshot<T>(bytes);
    REQUIRE(snapshot);
    CHECK(equal((*snapshot).state, all[0].state));
}

/// A delta-group is worth its deltas one by one.
template <class T>
void check_groups(std::uint64_t seed) {
    CAPTURE(seed);
    Random random{seed};
    auto all = sites::make_sites<T>(2);
    Site<T>&writer = all[0], &reader = all[1];
    for (int round = 0; round < 8; ++round) {
        T group{};
        CausalContext context;
        DotRange minted{writer.replica, writer.next, writer.next - 1};
        for (int step = 0; step < 4; ++step) {
            const Sent<T> sent =
                writer.change(Ntp64{static_cast<std::uint64_t>(round + 1)},
                              [&](const T& state, Change& change) { return mutate(state, change, random); });
            if (step == 0)
                group = sent.delta;
            else
                merge(group, sent.delta,
                      Join{.mine = context, .theirs = sent.context, .target = Target::delta, .origin = sent.origin});
            context.merge(sent.context);
            minted.last = sent.minted.last;
        }
        const Sent<T> grouped{
            group, context, {}, minted, Ntp64{static_cast<std::uint64_t>(round + 1)}, id_of(writer.replica).owner()};
        check_encoding(grouped);
        reader.deliver(grouped);
        CHECK(sites::same(reader, writer));
    }
}

template <class T>
void check_all_laws() {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) check_laws<T>(seed);
    for (std::uint64_t seed = 1; seed <= 30; ++seed) check_groups<T>(seed);
}

}  // namespace laws
