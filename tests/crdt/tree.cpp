// The movable tree: always a tree, the same everywhere, and what concurrent changes of it do.
#include "laws.hpp"
#include "sites.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace laws {

using Names = Tree<LwwRegister<std::string>>;

template <class Value>
NodeId any_node(const Tree<Value>& now, Random& random) {
    std::vector<NodeId> all{now.root};
    now.for_each([&](const NodeId& node, const Value&, std::size_t) { all.push_back(node); });
    return all[random.below(all.size())];
}

template <class Value>
Tree<Value> change_tree(const Tree<Value>& now, Change& change, Random& random) {
    const NodeId node = any_node(now, random), other = any_node(now, random);
    const std::size_t position = random.below(4);
    const auto content = [&](const Value& value, Change& inner) { return mutate(value, inner, random); };
    switch (pick(random, 9)) {
    case 0: return now.remove(change, node);
    case 1: return now.update(change, node, content);
    case 2: return now.insert(change, node);
    case 3:
    case 4: return now.insert(change, node, position, content);
    default: return now.move(change, node, other, position);
    }
}

struct Outline {
    Names chapters{};
    Tree<OrSet<int>> index{};
};

inline Outline mutate(const Outline& now, Change& change, Random& random) {
    Outline delta{};
    if (pick(random, 3))
        delta.chapters = change_tree(now.chapters, change, random);
    else
        delta.index = change_tree(now.index, change, random);
    return delta;
}

struct Section {  // nested in itself
    Tree<Section> parts{};
    OrSet<std::string> words{};
};
inline Section mutate(const Section& now, Change& change, Random& random) {
    Section delta{};
    if (pick(random, 2))
        delta.parts = change_tree(now.parts, change, random);
    else
        delta.words = mutate(now.words, change, random);
    return delta;
}

}  // namespace laws

using namespace laws;

static_assert(causal_leaf<Names>);

TEST_CASE_TEMPLATE("laws", T, Outline, OrMap<std::string, Outline>, Section) { check_all_laws<T>(); }

namespace {

using Nodes = detail::MovedNodes<OrSet<int>>;
using detail::Move;
using detail::Turn;

/// The algorithm of the paper, without any cleverness: all moves in order, each left out that would make a cycle.
std::map<NodeId, Move> replay(std::vector<std::pair<NodeId, Move>> moves) {
    std::sort(moves.begin(), moves.end(), [](const auto& a, const auto& b) {
        return Nodes::Node::turn(a.first, a.second) < Nodes::Node::turn(b.first, b.second);
    });
    std::map<NodeId, Move> at;
    for (const auto& [node, move] : moves) {
        NodeId above = move.parent;
        while (above != node && at.contains(above)) above = at[above].parent;
        if (above != node) at[node] = move;
    }
    return at;
}

void check_same(const Nodes& nodes, const std::map<NodeId, Move>& expected) {
    std::map<NodeId, std::set<std::pair<std::string, NodeId>>> children;
    for (const auto& [node, move] : expected) {
        const Move* placement = nodes.nodes().find(node)->placement();
        REQUIRE(placement);
        REQUIRE(*placement == move);
        if (move.parent != detail::removed_nodes) children[move.parent].emplace(move.position, node);
    }
    for (const auto& entry : nodes.nodes()) {
        const auto* below = nodes.children(entry.key);
        REQUIRE((below ? below->size() : 0) == children[entry.key].size());
        if (!below) continue;
        auto next = children[entry.key].begin();
        for (const auto& [sibling, nothing] : *below) REQUIRE(sibling.node == (next++)->second);
    }
}

struct Sent {
    Nodes delta;
    CausalContext context;
};

/// Any moves at all, of which some are made at one time, name what is not known, or have one dot.
std::vector<Sent> random_moves(Random& random, std::vector<std::pair<NodeId, Move>>& moves, std::size_t count) {
    std::vector<Sent> sent(count);
    const std::uint64_t nodes = 3 + random.below(12);
    std::uint64_t counters[3] = {};
    const auto any = [&] { return NodeId{1 + random.below(nodes), ReplicaId{100 + random.below(2), 7}}; };
    for (Sent& one : sent) {
        const std::uint64_t by = random.below(3);
        const ReplicaIndex replica = intern(ReplicaId{100 + by, 7});
        const Dot dot{replica, ++counters[by]};
        for (std::uint64_t more = 1 + random.below(2); more > 0; --more) {
            const NodeId node = any();
            if (one.delta.nodes().find(node)) continue;
            Move move{dot, {1000 + random.below(count)}, any(), detail::order_key_at(random.below(5))};
            if (random.below(12) == 0) move.parent = detail::removed_nodes, move.position = "";
            if (random.below(6) == 0) move.parent = {};
            if (move.parent == node) continue;
            one.delta[node].moves = {move};
            moves.emplace_back(node, move);
        }
        one.context.add(dot);
    }
    return sent;
}

}  // namespace

TEST_CASE("the moves of any order of arrival put each node where the paper's algorithm puts it") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        Random random{seed};
        std::vector<std::pair<NodeId, Move>> moves;
        std::vector<Sent> sent = random_moves(random, moves, 5 + random.below(60));
        Nodes first;
        for (int order = 0; order < 3; ++order) {
            for (std::size_t at = sent.size(); at > 1; --at) std::swap(sent[at - 1], sent[random.below(at)]);
            Nodes nodes, half;
            CausalContext seen, half_seen;
            std::vector<std::pair<NodeId, Move>> held;
            for (std::size_t at = 0; at < sent.size(); ++at) {
                nodes.merge(sent[at].delta, Join{.mine = seen, .theirs = sent[at].context});
                seen.merge(sent[at].context);
                for (const auto& entry : sent[at].delta.nodes()) held.emplace_back(entry.key, entry.value.moves[0]);
                if (at % 8 == 0) check_same(nodes, replay(held));
                if (at % 2 == 0) continue;
                half.merge(sent[at].delta, Join{.mine = half_seen, .theirs = sent[at].context});
                half_seen.merge(sent[at].context);
            }
            check_same(nodes, replay(moves));
            nodes.merge(half, Join{.mine = seen, .theirs = half_seen, .scope = Scope::whole});
            half.merge(nodes, Join{.mine = half_seen, .theirs = seen, .scope = Scope::whole});
            check_same(nodes, replay(moves));
            check_same(half, replay(moves));
            if (order == 0) first = nodes;
            CHECK(nodes == first);
        }
    }
}

namespace {

/// Three sites of one pool, which forget what all have seen as a replica does: when everything that the others held when
/// they said so is here.
struct Three {
    explicit Three(std::uint64_t seed) : random(seed), sites(testing::make_sites<Names>(3)) {}

    template <class F>
    void change(std::size_t at, F&& mutate) {
        sent.push_back(sites[at].change(Ntp64{time += 10}, mutate));
    }
    bool deliver(std::size_t at) {
        std::vector<std::size_t> ready;
        for (std::size_t i = 0; i < sent.size(); ++i)
            if (sites[at].ready(sent[i])) ready.push_back(i);
        if (ready.empty()) return false;
        sites[at].deliver(sent[ready[random.below(ready.size())]]);
        return true;
    }
    void deliver_all() {
        for (std::size_t at = 0; at < sites.size(); ++at)
            while (deliver(at)) {
            }
    }
    /// Each site's word is its present vector, and counts where all of it is here.
    bool forget(std::size_t at) {
        VersionVector stable;
        for (const auto& entry : sites[at].seen.vector()) {
            std::uint64_t seen = entry.counter;
            for (const auto& site : sites) seen = std::min(seen, site.seen.vector().counter(entry.replica));
            stable.advance(entry.replica, seen);
        }
        for (const auto& site : sites)
            if (!sites[at].seen.vector().includes(site.seen.vector())) return false;
        return netsync::drop_stable(sites[at].state, stable);
    }
    void check_equal() {
        for (const auto& site : sites) {
            Names plain = site.state, first = sites[0].state;
            netsync::drop_stable(plain, site.seen.vector());
            netsync::drop_stable(first, sites[0].seen.vector());
            REQUIRE(plain == first);
            REQUIRE(shown(site.state) == shown(sites[0].state));
        }
    }
    static std::vector<std::pair<NodeId, std::size_t>> shown(const Names& tree) {
        std::vector<std::pair<NodeId, std::size_t>> result;
        tree.for_each([&](const NodeId& node, const auto&, std::size_t depth) { result.emplace_back(node, depth); });
        return result;
    }

    Random random;
    std::vector<sites::Site<Names>> sites;
    std::vector<sites::Sent<Names>> sent;
    std::uint64_t time = 1000;
};

/// Each node that is in the tree is there once, below its parent, and its way up ends at the root.
void check_is_tree(const Names& tree) {
    std::set<NodeId> seen;
    tree.for_each([&](const NodeId& node, const auto&, std::size_t depth) {
        REQUIRE(seen.insert(node).second);
        std::size_t above = 0;
        for (auto parent = tree.parent(node); !parent->is_root(); parent = tree.parent(*parent)) ++above;
        REQUIRE(above == depth);
        const auto siblings = tree.children(*tree.parent(node));
        REQUIRE(std::count(siblings.begin(), siblings.end(), node) == 1);
    });
}

}  // namespace

TEST_CASE(
    "random moves at three sites under random delivery: always a tree, in the end the same, whoever forgets when") {
    std::size_t forgotten = 0;
    for (std::uint64_t seed = 1; seed <= 80; ++seed) {
        CAPTURE(seed);
        Three pool{seed};
        for (int step = 0; step < 120; ++step) {
            const std::size_t at = pool.random.below(3);
            if (pool.random.below(3) == 0)
                pool.change(at, [&](const Names& now, Change& c) { return change_tree(now, c, pool.random); });
            else if (pool.random.below(8) == 0)
                forgotten += pool.forget(at) ? 1 : 0;
            else if (pool.random.below(20) == 0)
                pool.deliver_all();
            else
                pool.deliver(at);
            if (step % 10 == 0) check_is_tree(pool.sites[at].state);
        }
        pool.deliver_all();
        pool.check_equal();
        for (std::size_t at = 0; at < 3; ++at) pool.forget(at);
        pool.check_equal();
        CHECK(pool.sites[0].encoded({9999}) == pool.sites[1].encoded({9999}));
        for (auto& site : pool.sites) check_is_tree(site.state);
    }
    CHECK(forgotten > 60);
}

namespace {

auto insert_named(const NodeId& parent, std::string name, NodeId& made, std::size_t position = Names::last) {
    return [=, &made](const Names& now, Change& change) {
        Names delta = now.insert(change, parent, position,
                                 [&](const auto& value, Change& inner) { return value.assign(inner, name); });
        made = delta.inserted();
        return delta;
    };
}
auto move_to(const NodeId& node, const NodeId& parent, std::size_t position = Names::last) {
    return [=](const Names& now, Change& change) { return now.move(change, node, parent, position); };
}
auto removal(const NodeId& node) {
    return [=](const Names& now, Change& change) { return now.remove(change, node); };
}
std::string text(const Names& tree, const NodeId& node = Names::root) {
    std::string result;
    for (const NodeId& child : tree.children(node)) {
        result += tree.find(child)->value();
        if (const std::string below = text(tree, child); !below.empty()) result += "(" + below + ")";
    }
    return result;
}

/// a, b and c under the root, everywhere.
struct Abc : Three {
    Abc() : Three(1) {
        change(0, insert_named(Names::root, "a", a));
        change(0, insert_named(Names::root, "b", b));
        change(0, insert_named(Names::root, "c", c));
        deliver_all();
    }
    std::string everywhere() {
        deliver_all();
        check_equal();
        for (const auto& site : sites) check_is_tree(site.state);
        return text(sites[0].state);
    }
    NodeId a, b, c, d;
};

}  // namespace

TEST_CASE("two moves that make a cycle together: the later has no effect, nothing is lost") {
    Abc s;
    s.change(0, move_to(s.a, s.b));
    s.change(1, move_to(s.b, s.a));
    CHECK(text(s.sites[1].state) == "a(b)c");
    CHECK(s.everywhere() == "b(a)c");
    s.change(2, move_to(s.b, s.c));  // a new move, not one that waited
    CHECK(s.everywhere() == "c(b(a))");
}

TEST_CASE("three moves that make a cycle together") {
    Abc s;
    s.change(0, move_to(s.a, s.b));
    s.change(1, move_to(s.b, s.c));
    s.change(2, move_to(s.c, s.a));
    CHECK(s.everywhere() == "c(b(a))");
}

TEST_CASE("of two moves of one node the later stands") {
    Abc s;
    s.change(0, move_to(s.a, s.b));
    s.change(1, move_to(s.a, s.c));
    CHECK(s.everywhere() == "bc(a)");
}

TEST_CASE("a move below itself, of the root, to or of what is not there is none") {
    Abc s;
    s.change(0, move_to(s.a, s.b));
    Change change{s.sites[0].replica, s.sites[0].next, {5000}};
    const Names& now = s.sites[0].state;
    CHECK(now.move(change, s.b, s.a).is_bottom());
    CHECK(now.move(change, s.b, s.b).is_bottom());
    CHECK(now.move(change, Names::root, s.a).is_bottom());
    CHECK(now.remove(change, Names::root).is_bottom());
    CHECK(now.move(change, NodeId{99, {1, 1}}, s.a).is_bottom());
    CHECK(now.insert(change, NodeId{99, {1, 1}}).is_bottom());
    CHECK(now.insert(change, NodeId{99, {1, 1}}).inserted() == Names::root);
    CHECK(change.minted().empty());
}

TEST_CASE("removed and moved at once: the later of the two stands") {
    SUBCASE("moved later") {
        Abc s;
        s.change(0, removal(s.a));
        s.change(1, move_to(s.a, s.b));
        CHECK(s.everywhere() == "b(a)c");
    }
    SUBCASE("removed later") {
        Abc s;
        s.change(1, move_to(s.a, s.b));
        s.change(0, removal(s.a));
        CHECK(s.everywhere() == "bc");
    }
    SUBCASE("moved out of what is removed: it stays, whoever is later") {
        for (const bool removed_first : {true, false}) {
            Abc s;
            s.change(0, insert_named(s.a, "d", s.d));
            s.deliver_all();
            if (removed_first) s.change(0, removal(s.a));
            s.change(1, move_to(s.d, s.c));
            if (!removed_first) s.change(0, removal(s.a));
            CHECK(s.everywhere() == "bc(d)");
        }
    }
    SUBCASE("moved or inserted into what is removed: it goes") {
        Abc s;
        s.change(0, removal(s.a));
        s.change(1, move_to(s.b, s.a));
        s.change(2, insert_named(s.a, "d", s.d));
        CHECK(s.everywhere() == "c");
        CHECK_FALSE(s.sites[0].state.contains(s.d));
        CHECK_FALSE(s.sites[0].state.find(s.b));
        for (std::size_t at = 0; at < 3; ++at) s.forget(at);
        CHECK(s.everywhere() == "c");
    }
    SUBCASE("changed while it is removed: it goes") {
        Abc s;
        s.change(0, removal(s.a));
        s.change(1, [&](const Names& now, Change& c) {
            return now.update(c, s.a, [](const auto& name, Change& inner) { return name.assign(inner, "A"); });
        });
        CHECK(s.everywhere() == "bc");
    }
}

TEST_CASE("siblings lie where they were put") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Random random{seed};
        auto s = sites::make_sites<Names>(1);
        std::vector<NodeId> model;
        for (std::uint64_t step = 1; step < 200; ++step) {
            const std::size_t at = random.below(model.size() + 1);
            NodeId node;
            if (model.empty() || random.below(3) > 0) {
                s[0].change({step}, insert_named(Names::root, "x", node, at));
            } else {
                const auto from = model.begin() + static_cast<std::ptrdiff_t>(random.below(model.size()));
                node = *from;
                model.erase(from);
                s[0].change({step}, move_to(node, Names::root, at));
            }
            model.insert(model.begin() + static_cast<std::ptrdiff_t>(std::min(at, model.size())), node);
            REQUIRE(s[0].state.children() == model);
        }
    }
}

TEST_CASE("between siblings that were put in one place at once there is room") {
    Abc s;
    NodeId node;
    for (std::size_t at = 0; at < 3; ++at)
        s.change(at, insert_named(s.a, std::string(1, static_cast<char>('x' + at)), node));
    CHECK(s.everywhere() == "a(yzx)bc");
    s.change(1, insert_named(s.a, "1", node, 1));
    CHECK(s.everywhere() == "a(y1zx)bc");
    s.change(2, insert_named(s.a, "2", node, 3));
    CHECK(s.everywhere() == "a(y1z2x)bc");
}

TEST_CASE("positions are bounded, whatever the order of insertions") {
    // Forwards, backwards, always between the last two, and at random.
    for (int shape = 0; shape < 4; ++shape) {
        auto s = sites::make_sites<Names>(1);
        Random random{7};
        std::vector<NodeId> model;
        std::size_t longest = 0, moved = 0;
        for (std::uint64_t step = 1; step <= 400; ++step) {
            const std::size_t size = model.size();
            const std::size_t at = shape == 0 ? size : shape == 1 ? 0 : shape == 2 ? size / 2 : random.below(size + 1);
            NodeId node;
            const auto sent = s[0].change({step}, insert_named(Names::root, "", node, at));
            model.insert(model.begin() + static_cast<std::ptrdiff_t>(at), node);
            longest = std::max(longest, encode_delta(sent.delta, sent.minted, sent.time, Limits{})->size());
            sent.delta.for_each_mentioned([&](const NodeId& mentioned) { moved += mentioned != node ? 1 : 0; });
        }
        CHECK(s[0].state.children() == model);
        if (shape != 2) CHECK(longest < 60);
        if (shape != 2) CHECK(moved == 0);
        CHECK(moved < 400u * 20);
    }
}

TEST_CASE("when everything was removed and all have seen it, the state is that of a fresh tree") {
    Three pool{3};
    for (int step = 0; step < 200; ++step) {
        pool.change(pool.random.below(3),
                    [&](const Names& now, Change& c) { return change_tree(now, c, pool.random); });
        pool.deliver(pool.random.below(3));
    }
    pool.deliver_all();
    for (const NodeId& node : pool.sites[0].state.children()) pool.change(0, removal(node));
    CHECK(pool.sites[0].state.empty());
    CHECK_FALSE(pool.sites[0].state.is_bottom());
    CHECK_FALSE(pool.forget(1));  // not all of it is here
    pool.deliver_all();
    for (std::size_t at = 0; at < 3; ++at) {
        CHECK(pool.forget(at));
        CHECK_FALSE(pool.forget(at));
        CHECK(pool.sites[at].state.is_bottom());
        sites::Site<Names> fresh = pool.sites[at];
        fresh.state = {};
        CHECK(pool.sites[at].encoded({9999}) == fresh.encoded({9999}));
    }
}

TEST_CASE("what is settled is one move a node") {
    Abc s;
    for (int round = 0; round < 50; ++round) {
        s.change(0, move_to(s.a, s.b));
        s.change(1, move_to(s.b, s.c));
        s.deliver_all();
        s.change(2, move_to(s.a, Names::root, 0));
        s.change(0, move_to(s.b, Names::root, 1));
        s.deliver_all();
    }
    const std::size_t before = s.sites[0].encoded({99999}).size();
    const std::string shown = text(s.sites[0].state);
    CHECK(s.forget(0));
    CHECK(text(s.sites[0].state) == shown);
    std::size_t dots = 0;
    s.sites[0].state.for_each_dot([&](Dot) { ++dots; });
    CHECK(dots == 6);  // three places, three names
    CHECK(s.sites[0].encoded({99999}).size() * 10 < before);
}

TEST_CASE("a replica's paths lead to nodes") {
    MemoryHub hub;
    MemoryReplica<Outline> ann{hub}, bob{hub};
    NodeId chapter, part;
    ann.update(&Outline::chapters, insert_named(Names::root, "one", chapter));
    ann.update(&Outline::chapters, insert_named(chapter, "two", part));
    hub.run();
    std::string seen;
    auto watch = ann.on_change(&Outline::chapters, part, [&](const auto& name) { seen += name.value(); });
    bob.update(&Outline::chapters, part, assign("three"));
    bob.update(&Outline::chapters, chapter, assign("four"));
    hub.run();
    CHECK(seen == "three");
    CHECK(ann.get(&Outline::chapters, part).value() == "three");
    bob.update(&Outline::chapters, netsync::remove(chapter));
    hub.run();
    CHECK(ann.get(&Outline::chapters).empty());
    CHECK(ann.get(&Outline::chapters, part).value().empty());
}

namespace {

/// Bytes of a delta that a mutator would not make.
Bytes encoded(const std::vector<std::pair<NodeId, Move>>& moves, const DotRange& minted) {
    Nodes nodes;
    for (const auto& [node, move] : moves) nodes[node].moves.push_back(move);
    Output out{DotSpace{minted, {50'000}}};
    out(nodes);
    return out.take();
}
Nodes decoded(const Bytes& bytes, const DotRange& minted, std::error_code& error) {
    const DotSpace space{minted, {50'000}};
    Input in{bytes, Limits::frame_budget(bytes.size()), &space};
    Nodes delta, nodes;
    in(delta);
    error = in.finish();
    CausalContext context;
    context.add(minted);
    if (!error) nodes.merge(delta, Join{.mine = CausalContext{}, .theirs = context});
    return nodes;
}

}  // namespace

TEST_CASE("a hostile delta is refused, or harmless") {
    const ReplicaId id{100, 7};
    const ReplicaIndex replica = intern(id);
    const DotRange minted{replica, 1, 200'000};
    const auto node = [&](std::uint64_t counter) { return NodeId{counter, id}; };
    const detail::OrderKey middle = detail::order_key_at(0);
    std::error_code error;

    SUBCASE("its own parent; no position; a place among what is removed") {
        decoded(encoded({{node(1), {{replica, 1}, {1}, node(1), middle}}}, minted), minted, error);
        CHECK(error == errc::malformed);
        decoded(encoded({{node(1), {{replica, 1}, {1}, {}, ""}}}, minted), minted, error);
        CHECK(error == errc::malformed);
        decoded(encoded({{node(1), {{replica, 1}, {1}, {}, std::string(65, '\x80')}}}, minted), minted, error);
        CHECK(error == errc::malformed);
        decoded(encoded({{node(1), {{replica, 1}, {1}, detail::removed_nodes, ""}}}, minted), minted, error);
        CHECK_FALSE(error);
    }
    SUBCASE("a cycle at one time and under one dot") {
        const Nodes nodes = decoded(encoded({{node(1), {{replica, 1}, {1}, node(2), middle}},
                                             {node(2), {{replica, 1}, {1}, node(3), middle}},
                                             {node(3), {{replica, 1}, {1}, node(1), middle}}},
                                            minted),
                                    minted, error);
        CHECK_FALSE(error);
        for (const std::uint64_t at : {1u, 2u, 3u}) CHECK(nodes.top_of(node(at)) == Nodes::Top::unknown);
    }
    SUBCASE("a chain, turned over a few times") {
        const std::uint64_t depth = 30'000;
        std::vector<std::pair<NodeId, Move>> chain;
        for (std::uint64_t at = 1; at <= depth; ++at)
            chain.push_back({node(at), {{replica, at}, {at}, at == 1 ? NodeId{} : node(at - 1), middle}});
        for (std::uint64_t at = 1; at <= 20; ++at)  // the upper end below the lower, and others in between
            chain.push_back({node(at), {{replica, depth + at}, {depth + at}, node(depth - at % 7), middle}});
        std::sort(chain.begin(), chain.end(), [](const auto& a, const auto& b) {
            return std::pair{a.first, a.second.time} < std::pair{b.first, b.second.time};
        });
        Tree<OrSet<int>> tree;
        const Bytes bytes = encoded(chain, minted);
        const DotSpace space{std::vector{minted}, {50'000}};
        Input in{bytes, Limits::state_budget(bytes.size()), &space};
        in(tree);
        CHECK_FALSE(in.finish());
        CHECK(tree.size() == depth);
        VersionVector stable;
        stable.advance(replica, minted.last);
        CHECK(tree.drop_stable(stable));
        CHECK(tree.size() == depth);
    }
    SUBCASE("bytes at random") {
        auto s = sites::make_sites<Names>(1);
        Random random{11};
        for (std::uint64_t step = 1; step <= 30; ++step)
            s[0].change({step}, [&](const Names& now, Change& c) { return change_tree(now, c, random); });
        const Bytes good = s[0].encoded({99});
        std::size_t taken = 0;
        for (int round = 0; round < 1500; ++round) {
            Bytes bytes = good;
            for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes)
                bytes[29 + random.below(bytes.size() - 29)] = static_cast<std::byte>(random.below(256));
            const auto snapshot = decode_snapshot<Names>(bytes);
            if (!snapshot) continue;
            ++taken;
            check_is_tree(snapshot->state);
            const auto again = encode_snapshot(*snapshot, snapshot->state);
            CHECK(*again == bytes);
        }
        CHECK(taken > 10);
    }
}
