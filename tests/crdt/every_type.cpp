// What every type has, in one table: value semantics, equality, a form for people, a place in any other, and, of those that
// need tombstones, the size of a fresh one once all have seen the deletes.
#include "catalogue.hpp"
#include "sequences.hpp"

#include <netsync/describe.hpp>
#include <netsync/format.hpp>

#include <type_traits>

using namespace laws;

namespace netsync {  // where the overloads find each other, by their arguments

using laws::mutate;

template <class V>
Tree<V> mutate(const Tree<V>& now, Change& change, Random& random) {
    std::vector<NodeId> nodes{Tree<V>::root};
    now.for_each([&](const NodeId& node, const V&, std::size_t) { nodes.push_back(node); });
    const auto any = [&] { return nodes[random.below(nodes.size())]; };
    switch (pick(random, 6)) {
    case 0: return now.remove(change, any());
    case 1:
    case 2: return now.move(change, any(), any(), random.below(3));
    case 3:
        return now.update(change, any(), [&](const V& value, Change& inner) { return mutate(value, inner, random); });
    default: return now.insert(change, any(), random.below(3));
    }
}
template <causal V>
LwwOptional<V> mutate(const LwwOptional<V>& now, Change& change, Random& random) {
    if (pick(random, 6) == 0) return now.clear(change);
    return now.update(change, alternative<0>,
                      [&](const V& value, Change& inner) { return mutate(value, inner, random); });
}

}  // namespace netsync

namespace {

template <class V>
using Named = OrMap<std::string, V>;
template <class V>
using Kept = GMap<std::string, V>;

/// Random changes of a type, each of them looked at.
template <class T>
void check_face() {
    static_assert(crdt<T> && std::is_copy_constructible_v<T> && std::is_nothrow_move_constructible_v<T>);
    Random random{21};
    auto s = testing::make_sites<T>(2);
    std::size_t changes = 0, described = 0;
    for (std::uint64_t step = 1; step <= 60; ++step) {
        const T before = s[0].state;
        const std::string then = to_json(before);
        const auto sent =
            s[0].change({step}, [&](const T& now, Change& change) { return mutate(now, change, random); });
        REQUIRE(to_json(before) == then);  // a copy stays what it was
        REQUIRE(equal(before, s[0].state) == !s[1].deliver(sent));
        REQUIRE(equal(s[0].state, s[1].state));
        REQUIRE(to_json(s[0].state) == to_json(s[1].state));
        REQUIRE(fmt::format("{}", s[0].state) == to_json(s[0].state));
        if (is_bottom(sent.delta)) continue;
        ++changes;
        described += describe(sent.delta, s[0].state).empty() ? 0 : 1;
    }
    CHECK(changes > 3);
    CHECK(described == changes);
}

}  // namespace

TEST_CASE_TEMPLATE("every type is a value, and has a form for people", T, GCounter, PnCounter, ResettableCounter,
                   BoundedCounter<>, MinRegister<int>, MaxRegister<int>, EnableWinsFlag, DisableWinsFlag,
                   LwwRegister<std::string>, MvRegister<std::string>, GSet<int>, TwoPhaseSet<int>, LwwSet<int>,
                   OrSet<std::string>, RwSet<std::string>, Bag<std::string>, LwwMap<std::string, int>,
                   OrMap<std::string, Bag<int>>, GMap<std::string, PnCounter>, Owned<RwSet<int>>, Joined<HighestBid>,
                   Choice, LwwOptional<Text>, List<std::string>, Text, Tree<LwwRegister<std::string>>, Page, Album) {
    check_face<T>();
}

TEST_CASE_TEMPLATE("laws, three deep: each of the types that hold others in each", T, Named<Named<Page>>,
                   Named<Kept<Page>>, Named<LwwOptional<Page>>, Named<Tree<Page>>, Kept<Named<Page>>, Kept<Kept<Page>>,
                   Kept<LwwOptional<Page>>, Kept<Tree<Page>>, LwwOptional<Named<Page>>, LwwOptional<Kept<Page>>,
                   LwwOptional<Tree<Page>>, Tree<Named<Page>>, Tree<LwwOptional<Page>>, Owned<Named<Page>>) {
    const auto broken = testing::check_laws<T>(
        [](const T& now, Change& change, Random& random) { return mutate(now, change, random); }, 6);
    CHECK_MESSAGE(!broken, (broken ? broken->law : "") << ", seed " << (broken ? broken->seed : 0));
}

TEST_CASE("what was deleted costs nothing once all have seen it") {
    const auto check = [](auto fresh, auto fill, auto empty) {
        using T = decltype(fresh);
        auto s = testing::make_sites<T>(2);
        const auto change = [&](auto& f) {
            const auto sent = s[0].change({s[0].next}, f);
            s[1].deliver(sent);
        };
        const auto size = [&](const T& state) {
            testing::Site<T> bare;  // of the same history, so that only the content counts
            bare.seen = s[0].seen;
            bare.state = state;
            return bare.encoded({1000}).size();
        };
        for (int round = 0; round < 40; ++round) change(fill);
        const std::size_t full = size(s[0].state);
        for (int round = 0; round < 200; ++round) change(empty);
        for (auto& site : s) drop_stable(site.state, site.seen.vector());
        if constexpr (requires(const T& now, Change& c) { now.compact(c); }) {
            auto compact = [](const T& now, Change& c) { return now.compact(c); };
            change(compact);
        }
        for (auto& site : s) {
            CHECK(is_bottom(site.state));
            CHECK(size(site.state) == size(T{}));
        }
        CHECK(size(T{}) < full);
    };
    int n = 0;
    const auto put = [&](const auto& now, Change& c) { return now.add(c, ++n % 50); };
    const auto take = [&](const auto& now, Change& c) { return now.remove(c, ++n % 50); };
    check(OrSet<int>{}, put, take);
    check(LwwSet<int>{}, put, take);
    check(RwSet<int>{}, put, take);
    check(Bag<int>{}, put, take);
    check(LwwMap<int, int>{}, [&](const auto& now, Change& c) { return now.assign(c, ++n % 50, 1); }, take);
    check(
        Text{}, [](const Text& now, Change& c) { return now.insert(c, now.size() / 2, "word"); },
        [](const Text& now, Change& c) { return now.erase(c, now.size() / 3); });
    check(
        List<int>{}, [](const auto& now, Change& c) { return now.push_back(c, 1); },
        [&](const auto& now, Change& c) { return ++n % 3 == 0 ? now.move(c, 0, 5) : now.erase(c, 0); });
    check(
        Tree<LwwRegister<int>>{}, [](const auto& now, Change& c) { return now.insert(c, now.root); },
        [](const auto& now, Change& c) { return now.remove(c, now.empty() ? now.root : now.children()[0]); });
    check(
        OrMap<int, Text>{},
        [&](const auto& now, Change& c) {
            return now.update(c, ++n % 50, [](const Text& text, Change& inner) { return text.append(inner, "x"); });
        },
        take);
}
