// What each type does under concurrency, case by case.
#include "sites.hpp"

#include <string>

using namespace netsync;
using sites::make_sites;

namespace {

struct HighestBid {
    int amount = 0;
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};

// What the library's own types are models of: here, and not beside them, where every program would pay for it.
static_assert(causal_leaf<GSet<int>> && causal_leaf<OrSet<int>> && causal_leaf<LwwSet<int>>);
static_assert(causal_leaf<LwwRegister<int>> && causal_leaf<LwwMap<int, int>> && causal_leaf<PnCounter>);
static_assert(causal_leaf<OrMap<int, OrSet<int>>> && causal_leaf<Joined<HighestBid>> && causal_leaf<Owned<GSet<int>>>);

}  // namespace

TEST_CASE("OrSet: a concurrent add wins over a remove; a remove that saw it does not lose") {
    auto s = make_sites<OrSet<std::string>>(2);
    const auto added = s[0].change({1}, [](auto& set, Change& c) { return set.add(c, "x"); });
    s[1].deliver(added);
    const auto again = s[0].change({2}, [](auto& set, Change& c) { return set.add(c, "x"); });
    const auto removed = s[1].change({3}, [](auto& set, Change& c) { return set.remove(c, "x"); });
    s[0].deliver(removed);
    s[1].deliver(again);
    CHECK(s[0].state.contains("x"));
    CHECK(s[1].state.contains("x"));
    const auto gone = s[1].change({4}, [](auto& set, Change& c) { return set.remove(c, "x"); });
    s[0].deliver(gone);
    CHECK(s[0].state.empty());
    CHECK(s[1].state.is_bottom());  // no tombstone is left
}

TEST_CASE("S2-20 LwwSet: add@5, remove@7, add@6 is absent, in every order") {
    auto s = make_sites<LwwSet<std::string>>(4);
    const auto add5 = s[0].change({5}, [](auto& set, Change& c) { return set.add(c, "x"); });
    s[1].deliver(add5);
    const auto remove7 = s[1].change({7}, [](auto& set, Change& c) { return set.remove(c, "x"); });
    const auto add6 = s[2].change({6}, [](auto& set, Change& c) { return set.add(c, "x"); });
    s[2].deliver(add5);
    s[2].deliver(remove7);
    s[3].deliver(add6);
    s[3].deliver(add5);
    s[3].deliver(remove7);
    s[0].deliver(remove7);
    s[0].deliver(add6);
    for (const std::size_t at : {0u, 2u, 3u}) CHECK_FALSE(s[at].state.contains("x"));
    CHECK(sites::same(s[0], s[3]));
}

TEST_CASE("S2-20 equal stamps from two replicas: the greater id wins, everywhere") {
    auto s = make_sites<LwwSet<std::string>>(3);
    const auto base = s[2].change({1}, [](auto& set, Change& c) { return set.add(c, "x"); });
    s[0].deliver(base);
    s[1].deliver(base);
    const auto removed = s[0].change({5}, [](auto& set, Change& c) { return set.remove(c, "x"); });
    const auto added = s[1].change({5}, [](auto& set, Change& c) { return set.add(c, "x"); });
    s[0].deliver(added);
    s[1].deliver(removed);
    s[2].deliver(removed);
    s[2].deliver(added);
    for (const auto& site : s) CHECK(site.state.contains("x"));  // id 101 is greater than id 100
}

TEST_CASE("LwwRegister: a write supersedes what its writer saw, even with an earlier stamp") {
    auto s = make_sites<LwwRegister<std::string>>(2);
    const auto first = s[0].change({9}, [](auto& r, Change& c) { return r.assign(c, "old"); });
    s[1].deliver(first);
    s[0].deliver(s[1].change({3}, [](auto& r, Change& c) { return r.assign(c, "new"); }));
    CHECK(s[0].state.value() == "new");
    CHECK(s[0].state.written().value == id_of(s[1].replica));
}

TEST_CASE("LwwRegister in a removable parent: a remover that saw only the winner does not make replicas differ") {
    using Map = OrMap<std::string, LwwRegister<std::string>>;
    const auto write = [](const char* value) {
        return [value](const Map& map, Change& c) {
            return map.update(c, "k", [&](const auto& r, Change& inner) { return r.assign(inner, value); });
        };
    };
    auto s = make_sites<Map>(4);
    const auto late = s[0].change({5}, write("late"));
    const auto early = s[1].change({3}, write("early"));
    s[2].deliver(late);
    const auto removed = s[2].change({6}, [](const Map& map, Change& c) { return map.remove(c, "k"); });
    s[0].deliver(early);  // late wins here, then it goes
    CHECK(s[0].state.find("k")->value() == "late");
    s[0].deliver(removed);
    s[3].deliver(late);
    s[3].deliver(removed);  // it goes, then early comes
    s[3].deliver(early);
    CHECK(s[0].state.find("k")->value() == "early");
    CHECK(sites::same(s[0], s[3]));
}

TEST_CASE("PnCounter: everybody counts; a removed parent takes what was seen") {
    using Map = OrMap<std::string, PnCounter>;
    const auto count = [](std::uint64_t by) {
        return [by](const Map& map, Change& c) {
            return map.update(c, "k", [&](const auto& n, Change& inner) { return n.increment(inner, by); });
        };
    };
    auto s = make_sites<Map>(2);
    s[1].deliver(s[0].change({1}, count(5)));
    s[0].deliver(s[1].change({2}, count(2)));
    CHECK(s[0].state.find("k")->value() == 7);
    const auto removed = s[0].change({3}, [](const Map& map, Change& c) { return map.remove(c, "k"); });
    const auto counted = s[1].change({3}, count(1));
    s[1].deliver(removed);
    s[0].deliver(counted);
    CHECK(s[0].state.find("k")->value() == 3);  // the concurrent counter keeps its own total, 2 + 1
    CHECK(sites::same(s[0], s[1]));
    auto plain = make_sites<PnCounter>(1);
    plain[0].change({1}, [](auto& n, Change& c) { return n.decrement(c, 4); });
    CHECK(plain[0].state.value() == -4);
}

TEST_CASE("OrMap: reset-remove keeps what was written concurrently, and that alone") {
    using Map = OrMap<std::string, OrSet<std::string>>;
    const auto put = [](const char* key, const char* element) {
        return [=](const Map& map, Change& c) {
            return map.update(c, key, [&](const auto& set, Change& inner) { return set.add(inner, element); });
        };
    };
    auto s = make_sites<Map>(2);
    s[1].deliver(s[0].change({1}, put("k", "seen")));
    const auto added = s[1].change({2}, put("k", "unseen"));
    const auto removed = s[0].change({2}, [](const Map& map, Change& c) { return map.remove(c, "k"); });
    CHECK_FALSE(s[0].state.contains("k"));
    s[0].deliver(added);
    s[1].deliver(removed);
    CHECK(sites::same(s[0], s[1]));
    CHECK(s[0].state.find("k")->contains("unseen"));
    CHECK_FALSE(s[0].state.find("k")->contains("seen"));
}

TEST_CASE("Owned: only the owner's part of a delta is merged, and others are refused") {
    using Data = Owned<OrSet<std::string>>;
    auto s = make_sites<Data>(2);
    const auto own = s[0].change({1}, [](const Data& data, Change& c) {
        return data.update(c, [](const auto& set, Change& inner) { return set.add(inner, "a"); });
    });
    s[1].deliver(own);
    const OwnerId owner = id_of(s[0].replica).owner(), thief = id_of(s[1].replica).owner();
    CHECK(s[1].state.find(owner)->contains("a"));
    CHECK(permits(own.delta, owner));
    CHECK_FALSE(permits(own.delta, thief));
    // A forged delta: the other claims to have made it.
    Data before = s[1].state;
    Change forged{s[1].replica, 1, {2}};
    Data delta = own.delta;
    CHECK_FALSE(merge(s[1].state, delta, Join{.mine = s[1].seen, .theirs = forged.context(), .origin = thief}));
    CHECK(s[1].state == before);
}

TEST_CASE("a monotone leaf joins; under dots it can be removed") {
    auto s = make_sites<OrMap<std::string, Joined<HighestBid>>>(2);
    const auto bid = [](int amount) {
        return [amount](const auto& map, Change& c) {
            return map.update(c, "lot",
                              [&](const auto& bids, Change& inner) { return bids.add(inner, HighestBid{amount}); });
        };
    };
    const auto high = s[0].change({1}, bid(10));
    const auto low = s[1].change({2}, bid(3));
    s[0].deliver(low);
    s[1].deliver(high);
    CHECK(s[0].state.find("lot")->value().amount == 10);
    CHECK(sites::same(s[0], s[1]));
    s[1].deliver(s[0].change({3}, [](const auto& map, Change& c) { return map.remove(c, "lot"); }));
    CHECK(s[1].state.empty());
}

TEST_CASE("tombstones go when every member has seen them, and nothing that can be read changes") {
    auto s = make_sites<LwwMap<std::string, int>>(1);
    s[0].change({1}, [](auto& map, Change& c) { return map.assign(c, "a", 1); });
    s[0].change({2}, [](auto& map, Change& c) { return map.assign(c, "b", 2); });
    s[0].change({3}, [](auto& map, Change& c) { return map.remove(c, "a"); });
    VersionVector stable;
    stable.advance(s[0].replica, 2);
    CHECK_FALSE(drop_stable(s[0].state, stable));  // the remove itself is not stable yet
    stable.advance(s[0].replica, 3);
    CHECK(drop_stable(s[0].state, stable));
    CHECK(s[0].state.size() == 1);
    CHECK(*s[0].state.find("b") == 2);
    std::size_t dots = 0;
    s[0].state.for_each_dot([&](Dot) { ++dots; });
    CHECK(dots == 1);
}
