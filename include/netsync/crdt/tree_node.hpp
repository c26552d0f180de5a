// netsync: what a Tree is made of: names of nodes, moves, and a node with the moves that were made of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <netsync/clock/ntp64.hpp>
#include <netsync/crdt/composition.hpp>
#include <netsync/detail/order_key.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// Names a node of a Tree, everywhere and for good: the dot that inserted it. `NodeId{}` is the root.
struct NodeId {
    std::uint64_t counter = 0;
    ReplicaId replica{};

    constexpr bool is_root() const noexcept { return *this == NodeId{}; }
    constexpr std::uint64_t prefix() const noexcept { return counter; }  // see detail/key_prefix.hpp
    friend constexpr auto operator<=>(const NodeId&, const NodeId&) = default;
};

namespace detail {

/// What is removed lies under this.
inline constexpr NodeId removed_nodes{1, {}};

/// The root is none, nor is what is removed: neither is ever moved.
constexpr bool is_node(const NodeId& id) noexcept { return !id.replica.is_nil(); }

/// The place of a move among all moves of a tree: they take effect in this order, whatever the order of arrival.
struct Turn {
    Ntp64 time;
    Dot dot;
    NodeId node;

    std::uint64_t prefix() const noexcept { return time.value; }
    friend bool operator<(const Turn& a, const Turn& b) {
        if (a.time != b.time) return a.time < b.time;
        if (a.dot != b.dot) return precedes(a.dot, b.dot);
        return a.node < b.node;
    }
};

struct NoContent {};

/// A node goes under a parent, or among what is removed.
struct Move {
    Dot dot;
    Ntp64 time;
    NodeId parent;
    OrderKey position;
    bool skipped = false;  ///< derived: it would have made a cycle, and has no effect

    friend bool operator==(const Move& a, const Move& b) {
        return a.dot == b.dot && a.time == b.time && a.parent == b.parent && a.position == b.position;
    }
};

/// A node: the moves made of it, in the order of their turns, and its content.
template <class Value>
struct TreeNode {
    std::vector<Move> moves{};
    Value value{};

    static Turn turn(const NodeId& id, const Move& move) { return {move.time, move.dot, id}; }
    static bool is_before(const Move& a, const Move& b) { return turn({}, a) < turn({}, b); }

    const Move* find(const Move& like) const {
        const auto at = std::lower_bound(moves.begin(), moves.end(), like, is_before);
        return at != moves.end() && !is_before(like, *at) ? &*at : nullptr;
    }
    Move* find(const Turn& turn) { return const_cast<Move*>(find(Move{turn.dot, turn.time, {}, {}})); }
    const Move* find(const Turn& turn) const { return find(Move{turn.dot, turn.time, {}, {}}); }

    /// The move that says where the node is: the last one that has an effect; null where there is none.
    const Move* placement() const { return last_effective(moves.end()); }
    /// The same as it was just before a turn; `id` is this node.
    const Move* placement_before(const NodeId& id, const Turn& at) const {
        return last_effective(
            std::partition_point(moves.begin(), moves.end(), [&](const Move& move) { return turn(id, move) < at; }));
    }

    bool merge(const TreeNode& theirs, const Join& join) {
        bool changed = netsync::merge(value, theirs.value, join);
        changed |= std::erase_if(moves, [&](const Move& move) {
                       return join.theirs.contains(move.dot) && !theirs.find(move);
                   }) > 0;
        const auto held = static_cast<std::ptrdiff_t>(moves.size());
        for (const Move& move : theirs.moves)
            if (!join.mine.contains(move.dot) && !holds(move, held)) moves.push_back(move);
        if (held == static_cast<std::ptrdiff_t>(moves.size())) return changed;
        if (held > 0 && is_before(moves[static_cast<std::size_t>(held)], moves[static_cast<std::size_t>(held) - 1]))
            std::sort(moves.begin(), moves.end(), is_before);
        return true;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        for (const Move& move : moves) visit(move.dot);
        netsync::for_each_dot(value, visit);
    }
    bool is_bottom() const { return moves.empty() && netsync::is_bottom(value); }
    bool permits(OwnerId owner) const { return netsync::permits(value, owner); }

    friend bool operator==(const TreeNode& a, const TreeNode& b) {
        return a.moves == b.moves && netsync::equal(a.value, b.value);
    }

   private:
    bool holds(const Move& move, std::ptrdiff_t sorted) const {
        return std::binary_search(moves.begin(), moves.begin() + sorted, move, is_before);
    }
    const Move* last_effective(std::vector<Move>::const_iterator end) const {
        while (end != moves.begin())
            if (!(--end)->skipped) return &*end;
        return nullptr;
    }
};

}  // namespace detail

}  // namespace netsync
