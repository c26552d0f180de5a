// netsync: where an element of a sequence stands: a place in a fixed total order, which means the same to a replica that
// has forgotten everything around it. What List and Text are made of (crdt/sequence.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <netsync/causal/dot.hpp>
#include <netsync/crdt/name.hpp>
#include <netsync/detail/hash.hpp>
#include <optional>
#include <utility>

namespace netsync::detail {

enum class Side : std::uint8_t { left, right };

/// A run of positions that one replica made, from its first element to both sides: (bunch, 0), (bunch, 1), … typed
/// forward, (bunch, -1), (bunch, -2), … typed backward. It hangs left or right of a position of another bunch: this is
/// the tree of Fugue (Weidner, Kleppmann 2023) with its chains folded, as in Weidner's list-positions. Never changed, so
/// shared by all states, deltas and anchors that speak of it; it lives as long as one of them does, its ancestors with it.
struct Bunch {
    const Bunch* parent;  // null: the root, above all bunches
    const Bunch* jump;    // an ancestor further up, by which any is reached in O(log depth) (Myers 1983)
    Name name;
    std::uint64_t key;    // a hash of the way from the root: the same bunch, in whatever memory
    std::int32_t offset;  // of the parent's position that it hangs at
    Side side;
    std::uint32_t depth;
    mutable std::atomic<std::uint32_t> owners{1};

    /// Where it hangs among what lies in its parent: an element at `offset` is 3 offset + 1.
    std::int64_t slot() const noexcept { return 3 * std::int64_t{offset} + (side == Side::right ? 2 : 0); }
};

inline constexpr std::int32_t max_offset = 1 << 30;

inline std::uint32_t depth_of(const Bunch* bunch) noexcept { return bunch ? bunch->depth : 0; }
inline const Bunch* jump_of(const Bunch* bunch) noexcept { return bunch ? bunch->jump : nullptr; }
inline bool same_bunch(const Bunch* a, const Bunch* b) noexcept { return a == b || (a && b && a->key == b->key); }
inline constexpr std::int64_t slot_of(std::int32_t offset) noexcept { return 3 * std::int64_t{offset} + 1; }

/// The least offset whose element lies after `slot`, and the greatest whose element lies before it.
inline constexpr std::int64_t third(std::int64_t value) noexcept { return value >= 0 ? value / 3 : -((2 - value) / 3); }
inline constexpr std::int64_t offset_after(std::int64_t slot) noexcept { return third(slot - 1) + 1; }
inline constexpr std::int64_t offset_before(std::int64_t slot) noexcept { return third(slot - 2); }

inline void retain(const Bunch* bunch) noexcept {
    if (bunch) bunch->owners.fetch_add(1, std::memory_order_relaxed);
}
/// Goes up the tree as far as nobody else holds it. No recursion.
inline void release(const Bunch* bunch) noexcept {
    while (bunch && (bunch->owners.load(std::memory_order_acquire) == 1 ||  // nobody else can hold it any more
                     bunch->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
        const Bunch* parent = bunch->parent;
        delete bunch;
        bunch = parent;
    }
}

/// Holds a bunch. Null stands for the root.
class BunchRef {
   public:
    BunchRef() = default;
    explicit BunchRef(const Bunch* held) noexcept : bunch_(held) { retain(bunch_); }
    BunchRef(const BunchRef& other) noexcept : BunchRef(other.bunch_) {}
    BunchRef(BunchRef&& other) noexcept : bunch_(std::exchange(other.bunch_, nullptr)) {}
    BunchRef& operator=(BunchRef other) noexcept {
        std::swap(bunch_, other.bunch_);
        return *this;
    }
    ~BunchRef() { release(bunch_); }

    /// A bunch below `parent`.
    static BunchRef make(BunchRef held, std::int32_t offset, Side side, const Name& name) {
        const Bunch* parent = held.bunch_;
        const Bunch* up = jump_of(parent);
        const Bunch* further = jump_of(up);
        const bool even = depth_of(parent) - depth_of(up) == depth_of(up) - depth_of(further);
        std::uint64_t key =
            mix(parent ? parent->key : 0, static_cast<std::uint64_t>(offset) * 2 + (side == Side::right));
        key = mix(mix(key, name.replica.owner_bits), mix(name.replica.incarnation, name.counter));
        BunchRef made;
        made.bunch_ = new Bunch{parent, even ? further : parent, name, key, offset, side, depth_of(parent) + 1};
        held.bunch_ = nullptr;
        return made;
    }

    const Bunch* get() const noexcept { return bunch_; }
    const Bunch* operator->() const noexcept { return bunch_; }

   private:
    const Bunch* bunch_ = nullptr;
};

/// A view of a position. It holds nothing alive.
struct Position {
    const Bunch* bunch = nullptr;
    std::int32_t offset = 0;
};

/// An element of a sequence: where it stands and its dot. Elements at one position, which only copies of one replica
/// make, go by dot.
struct Element {
    Position position;
    Dot dot;
    explicit operator bool() const noexcept { return position.bunch != nullptr; }
};

/// The ancestor at `depth`, which is not below its own. O(log depth).
inline const Bunch* ancestor_at(const Bunch* bunch, std::uint32_t depth) noexcept {
    while (depth_of(bunch) > depth) bunch = depth_of(bunch->jump) >= depth ? bunch->jump : bunch->parent;
    return bunch;
}

/// Calls `f` with each bunch on the way to `bunch` below the ancestor at `depth`, from the top. O(way), no recursion.
template <class F>
void for_each_below(std::uint32_t depth, const Bunch* bunch, F&& f) {
    std::array<const Bunch*, 16> links;
    while (depth < depth_of(bunch)) {
        const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(links.size(), depth_of(bunch) - depth));
        depth += count;
        const Bunch* link = ancestor_at(bunch, depth);
        for (std::uint32_t at = count; at > 0; link = link->parent) links[--at] = link;
        for (std::uint32_t at = 0; at < count; ++at) f(links[at]);
    }
}

/// Where two ways to the root meet, and where each comes in: null where it starts there.
struct Meeting {
    const Bunch* bunch;
    const Bunch* left;
    const Bunch* right;
};
inline Meeting meet(const Bunch* a, const Bunch* b) noexcept {
    const std::uint32_t depth = depth_of(a) < depth_of(b) ? depth_of(a) : depth_of(b);
    const Bunch *left = nullptr, *right = nullptr;
    if (depth_of(a) > depth) left = ancestor_at(a, depth + 1), a = left->parent;
    if (depth_of(b) > depth) right = ancestor_at(b, depth + 1), b = right->parent;
    if (same_bunch(a, b)) return {a, left, right};
    while (!same_bunch(a->parent, b->parent)) {
        const bool far = !same_bunch(a->jump, b->jump);
        a = far ? a->jump : a->parent;
        b = far ? b->jump : b->parent;
    }
    return {a->parent, a, b};
}

/// The order of all positions: a walk through the tree. Between the elements at offset k and k + 1 of a bunch lie the
/// bunches right of k, then those left of k + 1, each by name. O(log depth).
inline std::strong_ordering compare(Position a, Position b) noexcept {
    if (same_bunch(a.bunch, b.bunch)) return a.offset <=> b.offset;
    const Meeting at = meet(a.bunch, b.bunch);
    const std::int64_t left = at.left ? at.left->slot() : slot_of(a.offset);
    const std::int64_t right = at.right ? at.right->slot() : slot_of(b.offset);
    if (left != right) return left <=> right;
    return at.left->name <=> at.right->name;  // slots of elements are those of no bunch
}

/// By position, then by dot; no dot comes first.
inline std::strong_ordering compare(const Element& a, const Element& b) noexcept {
    if (const auto order = compare(a.position, b.position); order != 0 || a.dot == b.dot) return order;
    if (!a.dot || !b.dot) return a.dot ? std::strong_ordering::greater : std::strong_ordering::less;
    return precedes(a.dot, b.dot) ? std::strong_ordering::less : std::strong_ordering::greater;
}

/// Where `position` lies in `bunch`, as a slot; none if it is not in its subtree. O(log depth).
inline std::optional<std::int64_t> slot_within(const Bunch* bunch, Position position) noexcept {
    if (depth_of(position.bunch) < depth_of(bunch)) return std::nullopt;
    if (depth_of(position.bunch) == depth_of(bunch)) {
        if (!same_bunch(bunch, position.bunch)) return std::nullopt;
        return slot_of(position.offset);
    }
    const Bunch* branch = ancestor_at(position.bunch, depth_of(bunch) + 1);
    if (!same_bunch(branch->parent, bunch)) return std::nullopt;
    return branch->slot();
}

}  // namespace netsync::detail
