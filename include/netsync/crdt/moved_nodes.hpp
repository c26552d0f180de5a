// netsync: what a Tree holds. Moves come in, in any order; where each node is, as if they had come in the order of their
// turns, goes out.
#pragma once

#include <algorithm>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/crdt/tree_node.hpp>
#include <netsync/detail/shared_array.hpp>
#include <netsync/detail/sorted_map.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace netsync::detail {

/// A child among its siblings: by position, then by name.
struct Sibling {
    OrderKey position;
    NodeId node;

    std::uint64_t prefix() const noexcept { return text_prefix(position); }
    friend bool operator<(const Sibling& a, const Sibling& b) {
        const int order = a.position.compare(b.position);
        return order != 0 ? order < 0 : a.node < b.node;
    }
};

/// The content is `nodes`: nodes by name, each with its moves, all under dots. The rest is derived from it and kept up to
/// date in a state (a delta has none of it): a pure function of the moves that are held. A move has no effect if its node
/// lies above the new parent at its turn. As in the paper a late move undoes those that come after it and does them again;
/// but only those of nodes that are a parent somewhere in the log: others never lie above anything. Nothing here
/// recurses.
template <class Value>
class MovedNodes {
   public:
    using Node = TreeNode<Value>;
    using Siblings = SortedMap<Sibling, NoContent>;

    const DotMap<NodeId, Node>& nodes() const noexcept { return nodes_; }

    /// For deltas.
    Node& operator[](const NodeId& id) { return nodes_[id]; }

    /// Where the way up from a node ends. In a delta nothing is known of the nodes above.
    enum class Top : std::uint32_t { unknown, root, removed };
    Top top_of(const NodeId& id) const { return static_cast<Top>(end_of_way(slot_above(id), none)); }

    /// Whether the way up from `id` comes to `above`, or begins there.
    bool is_within(const NodeId& id, const NodeId& above) const {
        const std::uint32_t slot = slot_of(above);
        return id == above || (slot != 0 && end_of_way(slot_above(id), slot) == slot);
    }

    /// The children of a node; null where it has none.
    const Siblings* children(const NodeId& id) const {
        const Parent* parent = parents_.find(id);
        return parent && !parent->children.empty() ? &parent->children : nullptr;
    }

    bool merge(const MovedNodes& theirs, const Join& join) {
        if (join.target == Target::delta) return nodes_.merge(theirs.nodes_, join);
        if (join.scope == Scope::whole) {
            const bool changed = nodes_.merge(theirs.nodes_, join);
            if (changed) index();
            return changed;
        }
        std::size_t held = 0;
        const std::vector<Turn> fresh = unseen(theirs, join, held);
        for (const Turn& turn : fresh) {
            make_parent(theirs.nodes_.find(turn.node)->find(turn)->parent);
            unplace(turn.node);
        }
        const bool changed = nodes_.merge(theirs.nodes_, join);
        if (count_moves(theirs) != held + fresh.size())
            index();  // a parent of the tree has removed some
        else
            take(fresh);
        return changed;
    }

    /// After nodes were written to directly. O(n log n), and every move of a parent is decided anew.
    void index() {
        parents_.clear();
        log_.clear();
        ways_ = {};
        std::vector<NodeId> skipped;
        for (const auto& [id, node] : nodes_)
            for (const Move& move : node.moves)
                if (move.skipped) skipped.push_back(id);
        for (const NodeId& id : skipped)
            for (Move& move : nodes_.writable(id)->moves) move.skipped = false;
        std::vector<Turn> fresh;
        for (const auto& [id, node] : nodes_)
            for (const Move& move : node.moves) {
                make_parent(move.parent, false);
                fresh.push_back(Node::turn(id, move));
            }
        take(fresh);
    }

    /// What every member has seen up to the first move that some may not have seen is settled: nothing earlier can come.
    /// Of settled moves each node keeps the one that says where it is. A removed node goes, with all below it, unless a
    /// later move speaks of any of these.
    bool drop_stable(const VersionVector& stable) {
        bool dropped = drop_content(stable);
        if (!may_drop()) return dropped;
        const std::optional<Turn> open = first_unstable(stable);
        const std::vector<NodeId> gone = forgettable(open);
        for (const NodeId& id : gone) nodes_.erase(id);
        std::vector<std::pair<NodeId, std::vector<Move>>> less;
        for (const auto& [id, node] : nodes_)
            if (std::vector<Move> moves = superseded(id, node, open); !moves.empty())
                less.emplace_back(id, std::move(moves));
        if (gone.empty() && less.empty()) return dropped;
        for (const auto& [id, moves] : less) {
            Node& node = *nodes_.writable(id);
            std::erase_if(node.moves, [&](const Move& move) {
                return std::binary_search(moves.begin(), moves.end(), move, Node::is_before);
            });
            if (node.is_bottom()) nodes_.erase(id);
        }
        index();
        return true;
    }

    /// The ids of replicas once, by id; then the nodes by name, each with its moves by turn and its content.
    template <class Archive>
    void save(Archive& out) const {
        const std::vector<ReplicaId> ids = replicas();
        out.count(ids.size(), sizeof(ReplicaId));
        for (const ReplicaId& id : ids) out(id);
        const auto name = [&](const NodeId& id) {
            out.varint(id.counter);
            const auto at = std::lower_bound(ids.begin(), ids.end(), id.replica);
            out.varint(is_node(id) ? static_cast<std::uint64_t>(at - ids.begin()) + 1 : 0);
        };
        out.count(nodes_.size(), sizeof(NodeId) + sizeof(Node));
        for (const auto& [id, node] : nodes_) {
            name(id);
            out.count(node.moves.size(), 2 * sizeof(Move));
            for (const Move& move : node.moves) {
                out(move.dot);
                out.stamp(move.time);
                name(move.parent);
                if (move.parent != removed_nodes)
                    out.bytes(std::as_bytes(std::span{move.position.data(), move.position.size()}));
            }
            out(node.value);
        }
    }

    template <class Archive>
    void load(Archive& in) {
        std::vector<ReplicaId> ids(in.count(sizeof(ReplicaId)));
        for (ReplicaId& id : ids) in(id);
        const auto name = [&] {
            NodeId id{in.varint(), {}};
            const std::uint64_t at = in.varint();
            if (at > ids.size() || id.counter > max_counter || (at == 0 && id.counter > 1) ||
                (at > 0 && id.counter == 0))
                in.fail(errc::malformed);
            if (at > 0 && in.ok()) id.replica = ids[at - 1];
            return id;
        };
        std::size_t left = in.count(sizeof(NodeId) + sizeof(Node));
        for (NodeId previous; left > 0 && in.ok(); --left) {
            const NodeId id = name();
            if (!is_node(id) || !(previous < id)) return in.fail(errc::malformed);
            Node& node = nodes_[previous = id];
            for (std::size_t moves = in.count(2 * sizeof(Move)); moves > 0 && in.ok(); --moves) {
                Move move;
                in(move.dot);
                move.time = in.stamp();
                move.parent = name();
                if (move.parent != removed_nodes) {
                    const auto bytes = in.bytes();
                    move.position.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                }
                if (!in.ok()) return;
                if (move.parent == id || (move.parent != removed_nodes && !is_order_key(move.position)) ||
                    (!node.moves.empty() && !Node::is_before(node.moves.back(), move)))
                    return in.fail(errc::malformed);
                node.moves.push_back(std::move(move));
            }
            in(node.value);
            if (in.ok() && node.is_bottom()) return in.fail(errc::malformed);
        }
        if (in.ok() && ids != replicas()) return in.fail(errc::malformed);  // one form only
        if (in.ok() && !(in.space() && in.space()->is_frame())) index();
    }

    friend bool operator==(const MovedNodes& a, const MovedNodes& b) { return a.nodes_ == b.nodes_; }

   private:
    struct Parent {
        std::uint32_t slot = 0;  // in `ways_`; 0: none yet
        Siblings children;       // as of now
    };
    /// What a parent lies under, and how many parents lie under it, as slots.
    struct Way {
        std::uint32_t above = 0;  // 0: none
        std::uint32_t below = 0;
    };
    /// A move of a parent. New in the log, it is neither done nor skipped.
    struct Logged {
        std::uint32_t node = 0;
        std::uint32_t parent = 0;
        std::uint32_t before = 0;  // above the node before this
        bool done = false;
        bool skipped = false;
        friend bool operator==(const Logged&, const Logged&) = default;
    };

    // What is derived.

    /// The moves that are new here, and how many are held already of the nodes mentioned.
    std::vector<Turn> unseen(const MovedNodes& theirs, const Join& join, std::size_t& held_moves) const {
        std::vector<Turn> fresh;
        for (const auto& [id, node] : theirs.nodes_) {
            const Node* held = nodes_.find(id);
            held_moves += held ? held->moves.size() : 0;
            for (const Move& move : node.moves)
                if (!join.mine.contains(move.dot) && !(held && held->find(move))) fresh.push_back(Node::turn(id, move));
        }
        return fresh;
    }

    std::size_t count_moves(const MovedNodes& of) const {
        std::size_t count = 0;
        for (const auto& [id, mention] : of.nodes_)
            if (const Node* held = nodes_.find(id)) count += held->moves.size();
        return count;
    }

    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1), named = 3;  // the slots below are a Top each

    std::uint32_t slot_of(const NodeId& id) const {
        if (id == removed_nodes) return static_cast<std::uint32_t>(Top::removed);
        if (!is_node(id)) return static_cast<std::uint32_t>(Top::root);
        const Parent* parent = parents_.find(id);
        return parent ? parent->slot : 0;
    }
    std::uint32_t slot_above(const NodeId& id) const {
        if (!is_node(id)) return slot_of(id);
        const Node* node = nodes_.find(id);
        const Move* move = node ? node->placement() : nullptr;
        return move ? slot_of(move->parent) : 0;
    }
    void put_under(std::uint32_t slot, std::uint32_t parent) {
        Way way = ways_[slot];
        const std::uint32_t before = std::exchange(way.above, parent);
        if (before == parent) return;
        ways_.set(slot, way);
        if (before != 0) ways_.set(before, {ways_[before].above, ways_[before].below - 1});
        if (parent != 0) ways_.set(parent, {ways_[parent].above, ways_[parent].below + 1});
    }
    /// Up to `wanted`, or to where there is no further.
    std::uint32_t end_of_way(std::uint32_t slot, std::uint32_t wanted) const {
        while (slot >= named && slot != wanted) slot = ways_[slot].above;
        return slot;
    }

    /// From now on this node may lie above others, so its moves are logged. All have an effect: nothing was below it.
    void make_parent(const NodeId& id, bool log = true) {
        if (!is_node(id)) return;
        while (ways_.size() < named) ways_.push_back({});
        std::uint32_t& slot = parents_.try_emplace(id).first->slot;
        if (slot != 0) return;
        slot = static_cast<std::uint32_t>(ways_.size());
        ways_.push_back({});
        const Node* node = log ? std::as_const(nodes_).find(id) : nullptr;
        if (!node) return;
        const std::uint32_t mine = slot;
        for (const Move& move : node->moves) {
            const std::uint32_t parent = slot_of(move.parent);
            *log_.try_emplace(Node::turn(id, move)).first = {mine, parent, ways_[mine].above, true, false};
            put_under(mine, parent);
        }
    }

    /// Moves that are new, whose parents were made.
    void take(const std::vector<Turn>& fresh) {
        std::optional<Turn> from;
        for (const Turn& turn : fresh) {
            place(turn.node);
            const std::uint32_t slot = slot_of(turn.node);
            if (slot == 0) continue;
            *log_.try_emplace(turn).first = {.node = slot,
                                             .parent = slot_of(nodes().find(turn.node)->find(turn)->parent)};
            if (!from || turn < *from) from = turn;
        }
        if (from) decide(*from);
    }

    /// Undoes the moves from here on and does them again, in order.
    void decide(const Turn& from) {
        std::vector<std::pair<Turn, Logged>> later;
        for (auto at = log_.lower_bound(from); at != log_.end(); ++at) later.emplace_back((*at).key, (*at).value);
        for (auto at = later.rbegin(); at != later.rend(); ++at)
            if (at->second.done) put_under(at->second.node, at->second.before);
        for (const auto& [turn, was] : later) {
            Logged now = was;
            now.before = ways_[now.node].above;
            now.skipped = ways_[now.node].below > 0 && end_of_way(now.parent, now.node) == now.node;
            now.done = !now.skipped;
            if (now.done) put_under(now.node, now.parent);
            if (now == was) continue;
            *log_.find(turn) = now;
            if (now.skipped == was.skipped) continue;
            unplace(turn.node);
            nodes_.writable(turn.node)->find(turn)->skipped = now.skipped;
            place(turn.node);
        }
    }

    void place(const NodeId& id) {
        const Move* move = std::as_const(nodes_).find(id)->placement();
        if (move && move->parent != removed_nodes)
            parents_.try_emplace(move->parent).first->children.try_emplace({move->position, id});
    }
    void unplace(const NodeId& id) {
        const Node* node = std::as_const(nodes_).find(id);
        const Move* move = node ? node->placement() : nullptr;
        if (Parent* parent = move ? parents_.find(move->parent) : nullptr)
            parent->children.erase(Sibling{move->position, id});
    }

    /// Those whose names occur, by id.
    std::vector<ReplicaId> replicas() const {
        std::vector<ReplicaId> ids;
        std::size_t enough = 64;
        const auto unite = [&] {
            std::sort(ids.begin(), ids.end());
            ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
            enough = std::max(enough, 2 * ids.size());
        };
        const auto note = [&](const NodeId& id) {
            if (!is_node(id) || (!ids.empty() && ids.back() == id.replica)) return;
            ids.push_back(id.replica);
            if (ids.size() > enough) unite();
        };
        for (const auto& [id, node] : nodes_) {
            note(id);
            for (const Move& move : node.moves) note(move.parent);
        }
        unite();
        return ids;
    }

    // What is settled.

    bool drop_content(const VersionVector& stable) {
        std::vector<std::pair<NodeId, Value>> less;
        for (const auto& [id, node] : nodes_) {
            Value value = node.value;
            if (netsync::drop_stable(value, stable)) less.emplace_back(id, std::move(value));
        }
        for (auto& [id, value] : less) nodes_.writable(id)->value = std::move(value);
        return !less.empty();
    }

    bool may_drop() const {
        for (const auto& [id, node] : nodes_) {
            if (node.moves.size() > 1) return true;
            for (const Move& move : node.moves)
                if (move.skipped || move.parent == removed_nodes) return true;
        }
        return false;
    }

    std::optional<Turn> first_unstable(const VersionVector& stable) const {
        std::optional<Turn> first;
        for (const auto& [id, node] : nodes_)
            for (const Move& move : node.moves)
                if (!stable.contains(move.dot))
                    if (const Turn turn = Node::turn(id, move); !first || turn < *first) first = turn;
        return first;
    }

    /// The removed nodes that no move from `open` on speaks of, nor of any other that was removed together with them.
    std::vector<NodeId> forgettable(const std::optional<Turn>& open) const {
        SortedMap<NodeId, NodeId> tops;          // of each node the last one above it, itself where it is that
        SortedMap<NodeId, NoContent> mentioned;  // tops
        for (const auto& [id, node] : nodes_) find_top(id, open, tops);
        if (open)
            for (const auto& [id, node] : nodes_)
                for (const Move& move : node.moves)
                    if (!(Node::turn(id, move) < *open))
                        for (const NodeId& spoken_of : {id, move.parent})
                            if (const NodeId* top = std::as_const(tops).find(spoken_of)) mentioned.try_emplace(*top);
        std::vector<NodeId> result;
        for (const auto& [id, top] : tops) {
            const Node* node = nodes_.find(top);
            const Move* move = node ? placement(top, *node, open) : nullptr;
            if (move && move->parent == removed_nodes && !std::as_const(mentioned).find(top)) result.push_back(id);
        }
        return result;
    }

    /// Notes the top of a node and of all on the way.
    void find_top(NodeId id, const std::optional<Turn>& open, SortedMap<NodeId, NodeId>& tops) const {
        std::vector<NodeId> way;
        NodeId top = id;
        for (;; id = placement(id, *nodes_.find(id), open)->parent) {
            if (!is_node(id)) break;
            if (const NodeId* known = std::as_const(tops).find(id)) {
                top = *known;
                break;
            }
            way.push_back(top = id);
            const Node* node = nodes_.find(id);
            if (!node || !placement(id, *node, open)) break;
        }
        for (const NodeId& passed : way) *tops.try_emplace(passed).first = top;
    }

    static const Move* placement(const NodeId& id, const Node& node, const std::optional<Turn>& open) {
        return open ? node.placement_before(id, *open) : node.placement();
    }

    /// The settled moves of a node that do not say where it is.
    static std::vector<Move> superseded(const NodeId& id, const Node& node, const std::optional<Turn>& open) {
        std::vector<Move> result;
        if (node.moves.size() == 1 && !node.moves[0].skipped) return result;
        const Move* stands = placement(id, node, open);
        for (const Move& move : node.moves)
            if (&move != stands && (!open || Node::turn(id, move) < *open)) result.push_back(move);
        return result;
    }

    DotMap<NodeId, Node> nodes_;
    SortedMap<NodeId, Parent> parents_;
    SharedArray<Way> ways_;        // by slot
    SortedMap<Turn, Logged> log_;  // the moves of parents
};

}  // namespace netsync::detail
