// netsync: a tree whose nodes are moved concurrently, and which stays a tree.
#pragma once

#include <algorithm>
#include <cstddef>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/moved_nodes.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// Nodes with content under a root, siblings in order, each movable with all below it (Kleppmann, Mulligan, Gomes,
/// Beresford: A highly-available move operation for replicated trees, 2022). All moves take effect in the order of
/// their timestamps, at every replica; one that would put a node below itself has no effect. So of concurrent moves of
/// one node the later stands, two that together make a cycle leave the later one out, and no node is ever lost or in two
/// places. `Value` is a causal CRDT, empty at first.
///
/// Removing moves a node, with what is below it, out of the tree: against a concurrent move of the same node the later
/// stands; what was moved out of the subtree stays, wherever its own move put it; what was moved into it goes. Content
/// that is changed concurrently does not bring a node back.
///
/// Moves are kept until every member has seen them and nothing earlier can come (causal stability): then each node keeps
/// the one that says where it is, and removed ones go. In an OrMap all are kept, until the key is removed.
/// insert, move, remove: O(log size + depth + position); of a node that has had children, also O(depth) for each such
/// move that was made at once and has a later time. Copy: O(1).
template <class Value>
class Tree {
   public:
    static constexpr NodeId root{};
    static constexpr std::size_t last = static_cast<std::size_t>(-1);  ///< a position: behind all others

    /// A delta that inserts a node as the `position`-th child of `parent`: `inserted()` of the delta is its name. Nothing
    /// where `parent` is not in the tree. `content(const Value&, Change&)` gives what the node holds at first.
    template <class F>
    [[nodiscard]] Tree insert(Change& change, const NodeId& parent, std::size_t position, F&& content) const {
        Tree delta;
        if (!contains(parent)) return delta;
        const Dot dot = change.mint();
        const NodeId node{dot.counter(), id_of(dot.replica())};
        put(delta, change, dot, node, parent, position);
        delta.nodes_[node].value = content(bottom(), change);
        return delta;
    }
    [[nodiscard]] Tree insert(Change& change, const NodeId& parent, std::size_t position = last) const {
        return insert(change, parent, position, [](const Value&, Change&) { return Value{}; });
    }

    /// A delta that makes `node`, with all below it, the `position`-th child of `parent`, itself not counted. Nothing where
    /// one of them is not in the tree, or `parent` is `node` or below it.
    [[nodiscard]] Tree move(Change& change, const NodeId& node, const NodeId& parent,
                            std::size_t position = last) const {
        Tree delta;
        if (node.is_root() || !contains(node) || !contains(parent) || nodes_.is_within(parent, node)) return delta;
        put(delta, change, change.mint(), node, parent, position);
        return delta;
    }

    /// A delta that removes `node` and what is below it; nothing where it is not in the tree, or the root.
    [[nodiscard]] Tree remove(Change& change, const NodeId& node) const {
        Tree delta;
        if (node.is_root() || !contains(node)) return delta;
        delta.add_move(change, change.mint(), node, detail::removed_nodes, {});
        return delta;
    }

    /// A delta that changes the content of `node`: `f(const Value&, Change&)` returns the content's delta. Nothing where
    /// the node is not in the tree.
    template <class F>
    [[nodiscard]] Tree update(Change& change, const NodeId& node, F&& f) const {
        Tree delta;
        if (node.is_root() || !contains(node)) return delta;
        if (Value part = f(nodes().find(node)->value, change); !netsync::is_bottom(part))
            delta.nodes_[node].value = std::move(part);
        return delta;
    }

    /// Whether `node` is in the tree, as the root is. O(depth log size), as all that follow.
    bool contains(const NodeId& node) const { return nodes_.top_of(node) == Top::root; }

    /// The content of a node, or null where it is not in the tree. Good until the tree changes.
    const Value* find(const NodeId& node) const {
        const auto* held = nodes().find(node);
        return held && nodes_.top_of(node) != Top::removed ? &held->value : nullptr;
    }

    /// The parent of a node; none for the root, and where the node is not in the tree.
    std::optional<NodeId> parent(const NodeId& node) const {
        if (node.is_root() || !contains(node)) return std::nullopt;
        return nodes().find(node)->placement()->parent;
    }

    /// The children of a node in order.
    std::vector<NodeId> children(const NodeId& node = root) const {
        std::vector<NodeId> result;
        if (!contains(node)) return result;
        for_each_below(node, [&](const detail::Sibling& child) { result.push_back(child.node); });
        return result;
    }

    /// Calls `f(node, value, depth)` for each node, parents before their children, siblings in order; depth 0 lies under
    /// the root. Without recursion, however deep the tree.
    template <class F>
    void for_each(F&& f) const {
        std::vector<std::pair<NodeId, std::size_t>> todo;
        const auto add = [&](const NodeId& parent, std::size_t depth) {
            const std::size_t from = todo.size();
            for_each_below(parent, [&](const detail::Sibling& child) { todo.emplace_back(child.node, depth); });
            std::reverse(todo.begin() + static_cast<std::ptrdiff_t>(from), todo.end());
        };
        add(root, 0);
        while (!todo.empty()) {
            const auto [node, depth] = todo.back();
            todo.pop_back();
            f(node, nodes().find(node)->value, depth);
            add(node, depth + 1);
        }
    }

    bool empty() const { return children().empty(); }
    /// O(size): what is removed and not yet forgotten is not counted.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const NodeId&, const Value&, std::size_t) { ++count; });
        return count;
    }

    /// For a delta: the node that it inserts; the root where it inserts none.
    NodeId inserted() const {
        for (const auto& [id, node] : nodes())
            for (const detail::Move& move : node.moves)
                if (id == NodeId{move.dot.counter(), id_of(move.dot.replica())}) return id;
        return root;
    }
    /// For a delta: calls `f(node)` for each that it inserts, moves, removes, or changes the content of.
    template <class F>
    void for_each_mentioned(F&& f) const {
        nodes().for_each_mentioned(f);
    }
    bool mentions(const NodeId& node) const { return nodes().mentions(node); }
    /// For a delta: whether it puts `node` anywhere, and whether that is where it begins.
    bool moves(const NodeId& node) const {
        const auto* made = nodes().find(node);
        return made && !made->moves.empty();
    }
    bool inserts(const NodeId& node) const {
        const auto* made = nodes().find(node);
        return made && std::any_of(made->moves.begin(), made->moves.end(), [&](const detail::Move& move) {
                   return node == NodeId{move.dot.counter(), id_of(move.dot.replica())};
               });
    }
    /// For a delta: the part that changes the content of `node`; null where it does not.
    const Value* content(const NodeId& node) const {
        const auto* made = nodes().find(node);
        return made && !netsync::is_bottom(made->value) ? &made->value : nullptr;
    }

    bool merge(const Tree& theirs, const Join& join) {
        static_assert(causal<Value>, "netsync: the content of a Tree's nodes must model netsync::causal (all of it "
                                     "under dots); wrap a monotone type as netsync::Joined<T>");
        return nodes_.merge(theirs.nodes_, join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        nodes().for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return nodes().is_bottom(); }
    bool permits(OwnerId owner) const { return nodes().permits(owner); }
    bool drop_stable(const VersionVector& stable) { return nodes_.drop_stable(stable); }
    template <class Archive>
    void save(Archive& out) const {
        nodes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        nodes_.load(in);
    }

    friend bool operator==(const Tree&, const Tree&) = default;

   private:
    using Top = typename detail::MovedNodes<Value>::Top;

    const auto& nodes() const noexcept { return nodes_.nodes(); }

    static const Value& bottom() {
        static const Value value{};
        return value;
    }

    template <class F>
    void for_each_below(const NodeId& parent, F&& f) const {
        if (const auto* children = nodes_.children(parent))
            for (const auto& [child, nothing] : *children) f(child);
    }

    void add_move(const Change& change, Dot dot, const NodeId& node, const NodeId& parent, detail::OrderKey position) {
        nodes_[node].moves = {{dot, change.time(), parent, std::move(position)}};
    }

    /// Notes in `delta` that `node` goes under `parent`. Where its neighbours leave no room between them, siblings move
    /// aside within their parent: those that were put in one place at once, or, very rarely, all.
    void put(Tree& delta, Change& change, Dot dot, const NodeId& node, const NodeId& parent,
             std::size_t position) const {
        detail::OrderKey before, after;
        find_neighbours(node, parent, position, before, after);
        if (std::optional<detail::OrderKey> made = detail::order_key_between(before, after))
            return delta.add_move(change, dot, node, parent, *std::move(made));
        std::vector<detail::Sibling> all;
        for_each_below(parent, [&](const detail::Sibling& child) {
            if (child.node != node) all.push_back(child);
        });
        const std::size_t first = std::min(position, all.size());
        std::size_t end = first;
        while (end < all.size() && all[end].position == before) ++end;
        std::vector<detail::OrderKey> places{before};
        for (std::size_t at = first; at <= end; ++at)
            if (auto made = detail::order_key_between(places.back(), end < all.size() ? all[end].position : ""))
                places.push_back(*std::move(made));
        if (places.size() == end - first + 2) {
            delta.add_move(change, dot, node, parent, places[1]);
            for (std::size_t at = first; at < end; ++at)
                delta.add_move(change, change.mint(), all[at].node, parent, places[at - first + 2]);
            return;
        }
        delta.add_move(change, dot, node, parent, detail::order_key_at(first));
        for (std::size_t at = 0; at < all.size(); ++at)
            delta.add_move(change, change.mint(), all[at].node, parent, detail::order_key_at(at < first ? at : at + 1));
    }

    /// The positions beside which the `at`-th child would lie, `node` not counted.
    void find_neighbours(const NodeId& node, const NodeId& parent, std::size_t at, detail::OrderKey& before,
                         detail::OrderKey& after) const {
        const auto* children = nodes_.children(parent);
        if (!children) return;
        if (at >= children->size()) {
            before = children->last().key.position;
            return;
        }
        for (const auto& [child, nothing] : *children) {
            if (child.node == node) continue;
            if (at-- == 0) {
                after = child.position;
                return;
            }
            before = child.position;
        }
    }

    detail::MovedNodes<Value> nodes_;
};

}  // namespace netsync
