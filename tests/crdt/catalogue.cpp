// What each of the smaller types does under concurrency, case by case.
#include "sites.hpp"

#include <string>

using namespace netsync;
using sites::make_sites;
using sites::same;

namespace {

static_assert(causal_leaf<GCounter> && causal_leaf<ResettableCounter> && causal_leaf<BoundedCounter<-5>>);
static_assert(causal_leaf<MinRegister<int>> && causal_leaf<MvRegister<int>> && causal_leaf<EnableWinsFlag>);
static_assert(causal_leaf<DisableWinsFlag> && causal_leaf<TwoPhaseSet<int>> && causal_leaf<RwSet<int>>);
static_assert(causal_leaf<Bag<int>> && causal_leaf<GMap<int, GCounter>> && causal_leaf<LwwOptional<GCounter>>);

/// A verb as a mutator of the sites.
template <class Verb>
auto with(Verb verb) {
    return [verb](const auto& now, Change& change) { return verb(now, change); };
}

template <class T>
std::size_t dots_in(const T& value) {
    std::size_t count = 0;
    for_each_dot(value, [&](Dot) { ++count; });
    return count;
}

template <class Set>
std::string text_of(const Set& set) {
    std::string text;
    set.for_each([&](const auto& element) { text += element; });
    return text;
}

template <class T>
OwnerId owner_of(const sites::Site<T>& site) {
    return id_of(site.replica).owner();
}

}  // namespace

TEST_CASE("GCounter: all counts add up") {
    auto s = make_sites<GCounter>(2);
    const auto three = s[0].change({1}, with(increment(3)));
    const auto four = s[1].change({1}, with(increment(4)));
    s[0].deliver(four);
    s[1].deliver(three);
    CHECK(s[0].state.value() == 7);
    CHECK(same(s[0], s[1]));
    s[0].change({2}, with(increment()));
    CHECK(s[0].state.value() == 8);
    CHECK(dots_in(s[0].state) == 2);  // one for each replica
}

TEST_CASE("ResettableCounter: a reset takes what its maker saw; a count made meanwhile stays, alone") {
    auto s = make_sites<ResettableCounter>(3);
    for (const auto& sent : {s[0].change({1}, with(increment(5))), s[0].change({1}, with(decrement(1)))}) {
        s[1].deliver(sent);
        s[2].deliver(sent);
    }
    const auto counted = s[0].change({2}, with(increment(2)));  // a total of 7 now
    const auto reset1 = s[1].change({2}, with(reset()));
    const auto reset2 = s[2].change({2}, with(reset()));
    CHECK(s[1].state.value() == 0);
    s[0].deliver(reset1), s[0].deliver(reset2);
    s[1].deliver(reset2), s[1].deliver(counted);
    s[2].deliver(counted), s[2].deliver(reset1);
    for (const auto& site : s) CHECK(site.state.value() == 2);  // two resets take it once
    CHECK(same(s[0], s[1]));
    CHECK(same(s[0], s[2]));
    CHECK(s[1].change({3}, with(reset())).minted.size() == 1);
    CHECK(s[1].state.value() == 0);
    s[1].change({4}, with(increment(3)));
    CHECK(s[1].state.value() == 3);
    CHECK(dots_in(s[1].state) == 3);  // two totals and one reset
}

TEST_CASE("ResettableCounter in a removable parent: what was reset does not come back with a later count") {
    using Map = OrMap<std::string, ResettableCounter>;
    const auto under_k = [](auto verb) {
        return [verb](const Map& map, Change& c) {
            return map.update(c, "k", [&](const auto& n, Change& inner) { return verb(n, inner); });
        };
    };
    auto s = make_sites<Map>(2);
    s[1].deliver(s[0].change({1}, under_k(increment(7))));
    s[0].deliver(s[1].change({2}, under_k(reset())));
    const auto removed = s[1].change({3}, [](const Map& map, Change& c) { return map.remove(c, "k"); });
    const auto counted = s[0].change({3}, under_k(increment(1)));
    s[0].deliver(removed);
    s[1].deliver(counted);
    CHECK(s[0].state.find("k")->value() == 1);
    CHECK(same(s[0], s[1]));
    // A reset of the run before the remove does not reach into the one after it.
    const auto late = s[1].change({4}, under_k(reset()));
    s[0].change({5}, [](const Map& map, Change& c) { return map.remove(c, "k"); });
    s[0].change({6}, under_k(increment(4)));
    s[0].deliver(late);
    CHECK(s[0].state.find("k")->value() == 4);
}

TEST_CASE("BoundedCounter: what is not one's own to count down is refused; rights move, and the bound holds") {
    using Counter = BoundedCounter<10>;
    auto s = make_sites<Counter>(2);
    s[1].deliver(s[0].change({1}, with(increment(5))));
    CHECK(s[1].state.value() == 15);
    CHECK(s[1].state.rights(owner_of(s[0])) == 5);
    CHECK(s[1].state.rights(owner_of(s[1])) == 0);
    Change refused{s[1].replica, 1, {2}};
    CHECK(s[1].state.decrement(refused).is_bottom());
    CHECK(refused.minted().empty());
    const auto given = s[0].change({2}, with(transfer(owner_of(s[1]), 3)));
    const auto used = s[0].change({3}, with(decrement(2)));
    CHECK(s[0].change({4}, with(decrement(1))).delta.is_bottom());
    s[1].deliver(given);
    s[0].deliver(s[1].change({3}, with(decrement(3))));
    s[1].deliver(used);
    CHECK(s[0].state.value() == 10);
    CHECK(s[0].state.rights(owner_of(s[1])) == 0);
}

TEST_CASE("BoundedCounter: the bound is never broken, and rights add up, in any causal order of random use") {
    testing::Random random{7};
    for (int round = 0; round < 30; ++round) {
        auto s = make_sites<BoundedCounter<>>(4);
        std::vector<sites::Sent<BoundedCounter<>>> all;
        for (std::uint64_t step = 1; step < 120; ++step) {
            auto& site = s[random.below(4)];
            const std::uint64_t by = 1 + random.below(4);
            switch (random.below(5)) {
            case 0: all.push_back(site.change({step}, with(increment(by)))); break;
            case 1:
            case 2: all.push_back(site.change({step}, with(decrement(by)))); break;
            case 3: all.push_back(site.change({step}, with(transfer(owner_of(s[random.below(4)]), by)))); break;
            default:
                for (int tries = 0; tries < 20 && !all.empty(); ++tries)
                    if (const auto& sent = all[random.below(all.size())]; site.ready(sent)) site.deliver(sent);
            }
            std::uint64_t rights = 0;
            for (const auto& other : s) rights += site.state.rights(owner_of(other));
            REQUIRE(site.state.value() >= 0);
            REQUIRE(static_cast<std::uint64_t>(site.state.value()) == rights);  // so the bound is not only clamped to
        }
        for (std::size_t at = 1; at < 4; ++at) s[0].join(s[at]);
        std::uint64_t rights = 0;
        for (const auto& other : s) rights += s[0].state.rights(owner_of(other));
        REQUIRE(static_cast<std::uint64_t>(s[0].state.value()) == rights);
    }
}

TEST_CASE("MinRegister, MaxRegister: the best of all writes; a write that is no better is nothing") {
    auto s = make_sites<MinRegister<int>>(2);
    const auto five = s[0].change({1}, with(assign(5)));
    const auto nine = s[1].change({2}, with(assign(9)));
    s[0].deliver(nine);
    s[1].deliver(five);
    CHECK(s[1].state.value() == 5);
    CHECK(same(s[0], s[1]));
    CHECK(s[1].change({3}, with(assign(5))).delta.is_bottom());
    s[1].change({4}, with(assign(-1)));
    CHECK(s[1].state.value() == -1);
    CHECK(dots_in(s[1].state) == 1);
    auto greatest = make_sites<MaxRegister<std::string>>(1);
    CHECK_FALSE(greatest[0].state.has_value());
    greatest[0].change({1}, with(assign("a")));
    greatest[0].change({2}, with(assign("b")));
    CHECK(greatest[0].state.value() == "b");
}

TEST_CASE("EnableWinsFlag, DisableWinsFlag: who wins of an enable and a disable at once") {
    const auto race = [](auto flag) {
        auto s = make_sites<decltype(flag)>(2);
        CHECK_FALSE(s[0].state.value());
        s[1].deliver(s[0].change({1}, with(enable())));
        CHECK(s[1].state.value());
        const auto off = s[0].change({2}, with(disable()));
        const auto on = s[1].change({2}, with(enable()));
        CHECK_FALSE(s[0].state.value());
        s[0].deliver(on);
        s[1].deliver(off);
        CHECK(same(s[0], s[1]));
        const bool result = s[0].state.value();
        s[1].deliver(s[0].change({3}, with(disable())));
        CHECK_FALSE(s[1].state.value());
        s[1].deliver(s[0].change({4}, with(enable())));
        CHECK(s[1].state.value());  // it has seen them all
        CHECK(dots_in(s[1].state) == 1);
        return result;
    };
    CHECK(race(EnableWinsFlag{}));
    CHECK_FALSE(race(DisableWinsFlag{}));
}

TEST_CASE("EnableWinsFlag under a key: a disable takes the key along") {
    using Map = OrMap<std::string, EnableWinsFlag>;
    const auto under_k = [](auto verb) {
        return [verb](const Map& map, Change& c) {
            return map.update(c, "k", [&](const auto& flag, Change& inner) { return verb(flag, inner); });
        };
    };
    auto s = make_sites<Map>(2);
    s[1].deliver(s[0].change({1}, under_k(enable())));
    CHECK(s[1].state.contains("k"));
    s[0].deliver(s[1].change({2}, under_k(disable())));
    CHECK(s[0].state.is_bottom());
    CHECK(s[1].state.is_bottom());
}

TEST_CASE("EnableWinsFlag: a disable is heard of by observers, and leaves nothing") {
    struct Settings {
        EnableWinsFlag dark{};
    };
    MemoryHub network;
    MemoryReplica<Settings> a{network}, b{network};
    int heard = 0;
    const auto watch = b.on_change(&Settings::dark, [&] { ++heard; });
    a.update(&Settings::dark, enable());
    network.run();
    a.update(&Settings::dark, disable());
    network.run();
    CHECK(heard >= 2);
    CHECK_FALSE(b.get(&Settings::dark).value());
    CHECK(b.state().dark.is_bottom());
}

TEST_CASE("MvRegister: concurrent values are all there, in the same order, until somebody settles them") {
    auto s = make_sites<MvRegister<std::string>>(2);
    const auto y = s[0].change({9}, with(assign("y")));
    const auto x = s[1].change({1}, with(assign("x")));
    s[0].deliver(x);
    s[1].deliver(y);
    CHECK(s[0].state.has_conflict());
    CHECK(s[0].state.values() == std::vector<std::string>{"y", "x"});  // by the id of the writer
    CHECK(s[0].state.values() == s[1].state.values());
    s[0].deliver(s[1].change({2}, with(assign("z"))));
    CHECK(s[0].state.values() == std::vector<std::string>{"z"});
}

TEST_CASE("TwoPhaseSet: what was removed never comes back") {
    auto s = make_sites<TwoPhaseSet<std::string>>(2);
    s[1].deliver(s[0].change({1}, with(add("x"))));
    const auto removed = s[0].change({2}, with(netsync::remove("x")));
    const auto again = s[1].change({3}, with(add("x")));
    CHECK(again.delta.is_bottom());
    s[1].deliver(removed);
    CHECK_FALSE(s[1].state.contains("x"));
    CHECK(s[1].state.was_removed("x"));
    CHECK(s[1].change({4}, with(add("x"))).delta.is_bottom());
    // Added by one that has not seen it at all.
    auto t = make_sites<TwoPhaseSet<std::string>>(2);
    const auto first = t[0].change({1}, with(add("x")));
    const auto second = t[1].change({1}, with(add("x")));
    const auto gone = t[0].change({2}, with(netsync::remove("x")));
    t[1].deliver(first), t[1].deliver(gone);
    t[0].deliver(second);
    CHECK_FALSE(t[0].state.contains("x"));
    CHECK(same(t[0], t[1]));
}

TEST_CASE("RwSet: a remove wins over a concurrent add; an add that has seen it does not lose") {
    auto s = make_sites<RwSet<std::string>>(3);
    for (std::size_t at : {1u, 2u}) s[at].deliver(s[0].change({at}, with(add(std::string(at, 'x')))));
    s[1].deliver(s[2].change({3}, with(add("y"))));
    auto t = make_sites<RwSet<std::string>>(2);
    t[1].deliver(t[0].change({1}, with(add("x"))));
    const auto again = t[0].change({9}, with(add("x")));
    const auto removed = t[1].change({2}, with(netsync::remove("x")));
    t[0].deliver(removed);
    t[1].deliver(again);
    CHECK_FALSE(t[0].state.contains("x"));
    CHECK(same(t[0], t[1]));
    t[0].deliver(t[1].change({3}, with(add("x"))));
    CHECK(t[0].state.contains("x"));
    CHECK(dots_in(t[0].state) == 1);
    CHECK(t[0].change({4}, with(netsync::remove("absent"))).delta.is_bottom());
}

TEST_CASE("RwSet: marks that all have seen go with the next change, at replicas that know and at those that do not") {
    auto s = make_sites<RwSet<std::string>>(2);
    std::vector<sites::Sent<RwSet<std::string>>> sent;
    for (const char* element : {"a", "b", "c"}) s[1].deliver(s[0].change({1}, with(add(element))));
    const auto lost = s[1].change({2}, with(add("a")));  // loses to the remove below
    for (const char* element : {"a", "b"}) s[1].deliver(s[0].change({2}, with(netsync::remove(element))));
    s[0].deliver(lost);
    CHECK(text_of(s[0].state) == "c");
    const RwSet<std::string> before = s[0].state;
    CHECK_FALSE(drop_stable(s[0].state, VersionVector{}));
    CHECK(s[0].change({3}, with(compact())).delta.is_bottom());
    CHECK(drop_stable(s[0].state, s[0].seen.vector()));
    CHECK_FALSE(drop_stable(s[0].state, s[0].seen.vector()));  // nothing new
    CHECK(s[0].state == before);                               // a note, no change
    s[1].deliver(s[0].change({4}, with(add("d"))));
    CHECK(text_of(s[1].state) == "cd");
    CHECK(dots_in(s[1].state) == 2);
    CHECK(same(s[0], s[1]));
    for (const char* element : {"c", "d"}) s[0].change({5}, with(netsync::remove(element)));
    CHECK(drop_stable(s[0].state, s[0].seen.vector()));
    s[0].change({6}, with(compact()));
    CHECK(s[0].state.is_bottom());  // as a fresh one
}

TEST_CASE("RwSet: random use with marks taken away at random converges to the same bytes") {
    testing::Random random{3};
    for (int round = 0; round < 20; ++round) {
        auto s = make_sites<RwSet<std::string>>(3);
        for (std::uint64_t step = 1; step < 60; ++step) {
            auto& site = s[random.below(3)];
            const std::string element(1, static_cast<char>('a' + random.below(3)));
            if (random.below(4) == 0) {  // all come together: what they have seen is stable
                for (auto& to : s)
                    for (const auto& from : s) to.join(from);
                drop_stable(site.state, site.seen.vector());
            } else if (random.below(2) == 0) {
                site.change({step}, with(add(element)));
            } else {
                site.change({step}, with(netsync::remove(element)));
            }
        }
        for (auto& to : s)
            for (const auto& from : s) to.join(from);
        REQUIRE(same(s[0], s[1]));
        REQUIRE(s[0].encoded({100}) == s[2].encoded({100}));
    }
}

TEST_CASE("Bag: adds add up, removing an element takes what was seen, an overdrawn one is made up for") {
    auto s = make_sites<Bag<std::string>>(2);
    s[1].deliver(s[0].change({1}, with(add("egg", 3))));
    const auto more = s[0].change({2}, with(add("egg", 1)));
    const auto none = s[1].change({2}, with(netsync::remove("egg")));
    s[0].deliver(none);
    s[1].deliver(more);
    CHECK(s[0].state.count("egg") == 1);
    CHECK(same(s[0], s[1]));
    s[1].deliver(s[0].change({3}, with(add("egg", 2))));
    const auto two = s[0].change({4}, with(netsync::remove("egg", 2)));
    const auto also = s[1].change({4}, with(netsync::remove("egg", 2)));
    s[0].deliver(also), s[1].deliver(two);
    CHECK_FALSE(s[0].state.contains("egg"));
    CHECK(s[0].state.size() == 0);
    s[1].deliver(s[0].change({5}, with(add("egg", 2))));
    CHECK(s[1].state.count("egg") == 2);
    // What went leaves nothing, once all have seen it.
    s[1].deliver(s[0].change({6}, with(netsync::remove("egg", 9))));
    CHECK(s[0].state.empty());
    CHECK(dots_in(s[0].state) > 0);
    CHECK(drop_stable(s[0].state, s[0].seen.vector()));
    s[1].deliver(s[0].change({7}, with(compact())));
    CHECK(s[1].state.is_bottom());
    s[1].change({8}, with(add("egg")));
    CHECK(s[1].state.count("egg") == 1);
}

TEST_CASE("GMap: a key stays, also when its value has become empty, and its values forget what is stable") {
    using Map = GMap<std::string, LwwMap<std::string, int>>;
    const auto under_k = [](auto verb) {
        return [verb](const Map& map, Change& c) {
            return map.update(c, "k", [&](const auto& part, Change& inner) { return verb(part, inner); });
        };
    };
    auto s = make_sites<Map>(2);
    const auto ours = s[0].change({1}, under_k(assign("x", 1)));
    const auto theirs = s[1].change({1}, under_k(assign("x", 2)));
    s[0].deliver(theirs), s[1].deliver(ours);
    CHECK(same(s[0], s[1]));
    s[1].deliver(s[0].change({2}, under_k(netsync::remove("x"))));
    CHECK(s[1].state.find("k")->empty());
    CHECK(drop_stable(s[1].state, s[1].seen.vector()));
    CHECK(s[1].state.contains("k"));
    CHECK(s[1].state.find("k")->is_bottom());
}

TEST_CASE("LwwChoice: the last writer decides which alternative is alive; it starts empty") {
    using Body = LwwChoice<LwwRegister<std::string>, OrSet<std::string>>;
    const auto text = [](const char* value) {
        return [value](const Body& body, Change& c) {
            return body.update(c, alternative<0>, [&](const auto& r, Change& inner) { return r.assign(inner, value); });
        };
    };
    const auto item = [](const char* value) {
        return [value](const Body& body, Change& c) {
            return body.update(c, alternative<1>,
                               [&](const auto& set, Change& inner) { return set.add(inner, value); });
        };
    };
    auto s = make_sites<Body>(2);
    CHECK_FALSE(s[0].state.has_value());
    const auto first = s[0].change({1}, text("hello"));
    s[1].deliver(first);
    CHECK(s[1].state.find(alternative<0>)->value() == "hello");
    CHECK(s[1].state.find(alternative<1>) == nullptr);
    // A choice wins over updates of what was chosen, also later ones.
    const auto chosen = s[0].change({2}, item("a"));
    const auto later = s[1].change({5}, text("bye"));
    s[0].deliver(later), s[1].deliver(chosen);
    CHECK(same(s[0], s[1]));
    CHECK(s[0].state.index() == 1);
    CHECK(s[0].state.find(alternative<1>)->contains("a"));
    // Choosing again starts empty.
    s[1].deliver(s[0].change({6}, with(choose(alternative<0>))));
    CHECK_FALSE(s[1].state.find(alternative<0>)->has_value());
    CHECK(dots_in(s[1].state) == 1);
    // Of two choices the later one counts.
    const auto none = s[0].change({8}, with(clear()));
    const auto one = s[1].change({7}, item("b"));
    s[0].deliver(one), s[1].deliver(none);
    CHECK(same(s[0], s[1]));
    CHECK_FALSE(s[0].state.has_value());
    // In a map: what is written while the key is removed stays readable.
    auto t = make_sites<OrMap<std::string, Body>>(2);
    const auto put = [&](auto change) {
        return [change](const auto& map, Change& c) {
            return map.update(c, "k", [&](const Body& body, Change& inner) { return change(body, inner); });
        };
    };
    t[1].deliver(t[0].change({1}, put(item("old"))));
    const auto removed = t[0].change({2}, [](const auto& map, Change& c) { return map.remove(c, "k"); });
    const auto written = t[1].change({2}, put(item("new")));
    t[0].deliver(written), t[1].deliver(removed);
    CHECK(same(t[0], t[1]));
    CHECK(text_of(*t[0].state.find("k")->find(alternative<1>)) == "new");
}

TEST_CASE("paths lead into choices, bags and grow-only maps of a replica") {
    using Body = LwwChoice<LwwRegister<std::string>, OrSet<std::string>>;
    struct Note {
        Body body{};
        Bag<std::string> words{};
        GMap<std::string, GCounter> views{};
    };
    MemoryHub network;
    MemoryReplica<Note> a{network}, b{network};
    int heard = 0;
    const auto watch = b.on_change(&Note::body, alternative<1>, [&] { ++heard; });
    a.update(&Note::body, alternative<1>, add("x"));
    a.update(&Note::words, add("w", 2));
    a.update(&Note::views, "home", increment(4));
    network.run();
    CHECK(heard == 1);
    CHECK(b.get(&Note::body, alternative<1>).contains("x"));
    CHECK(b.get(&Note::words).count("w") == 2);
    CHECK(b.get(&Note::views, "home").value() == 4);
    b.update(&Note::body, choose(alternative<0>));
    network.run();
    CHECK(heard == 2);
    CHECK_FALSE(a.get(&Note::body, alternative<1>).contains("x"));
}
