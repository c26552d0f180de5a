// netsync: the nodes of a sorted map (detail/sorted_map.hpp): how they lie in memory, are searched, shared and filled.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <netsync/detail/key_prefix.hpp>
#include <netsync/detail/spare.hpp>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

namespace netsync::detail {

/// A leaf keeps the prefixes of its keys sorted and beside each other, and says in one byte a key where its entry lies; so a
/// search reads few cache lines, and an insertion moves bytes, not entries.
template <class Key, class Value>
struct SortedNodes {
    static constexpr bool exact = is_exact_prefix<Key>;  // then the prefix is the key, and no other copy is kept
    struct Entry {
        std::conditional_t<exact, Key, const Key&> key;
        const Value& value;
    };

    static constexpr std::size_t fan_out = 64;
    static constexpr std::size_t leaf_size = 128;  // large, so that the nodes above, which are few, stay in a cache

    /// A leaf is followed in memory by `capacity` prefixes, as many bytes that order its entries, and the entries, of
    /// which the first `count` exist.
    struct Node {
        std::atomic<std::uint32_t> owners{1};
        std::uint8_t level = 0;  // 0: a leaf
        std::uint8_t count = 0;
        std::uint8_t capacity = 0;
    };
    struct NoKeys {};
    struct Inner : Node {
        Inner() { prefixes.fill(beyond); }
        std::array<std::uint64_t, fan_out> prefixes;  // of the least key below each child, or of one before it
        std::array<Node*, fan_out> children;
        [[no_unique_address]] std::conditional_t<exact, NoKeys, std::array<Key, fan_out>> keys{};
    };
    struct KeyInSlot {
        Key key;
    };
    struct Slot : std::conditional_t<exact, NoKeys, KeyInSlot> {
        Value value{};
    };

    // The parts of a leaf.

    static constexpr std::size_t align_up(std::size_t size, std::size_t alignment) {
        return (size + alignment - 1) / alignment * alignment;
    }
    static constexpr std::size_t slots_at(std::size_t capacity) {
        return align_up(sizeof(Node) + capacity * (sizeof(std::uint64_t) + 1), alignof(Slot));
    }
    static constexpr std::size_t order_at = sizeof(Node) + leaf_size * sizeof(std::uint64_t);  // in a full one
    static const std::byte* bytes(const Node* leaf) { return reinterpret_cast<const std::byte*>(leaf); }
    static std::byte* bytes(Node* leaf) { return reinterpret_cast<std::byte*>(leaf); }
    static const std::uint64_t* prefixes(const Node* leaf) {
        return reinterpret_cast<const std::uint64_t*>(bytes(leaf) + sizeof(Node));
    }
    static std::uint64_t* prefixes(Node* leaf) { return reinterpret_cast<std::uint64_t*>(bytes(leaf) + sizeof(Node)); }
    static const std::uint8_t* order(const Node* leaf) {
        return reinterpret_cast<const std::uint8_t*>(prefixes(leaf) + leaf->capacity);
    }
    static std::uint8_t* order(Node* leaf) { return reinterpret_cast<std::uint8_t*>(prefixes(leaf) + leaf->capacity); }
    static const Slot* slots(const Node* leaf) {
        return reinterpret_cast<const Slot*>(bytes(leaf) + slots_at(leaf->capacity));
    }
    static Slot* slots(Node* leaf) { return reinterpret_cast<Slot*>(bytes(leaf) + slots_at(leaf->capacity)); }
    static const Slot* entry(const Node* leaf, std::size_t at) { return slots(leaf) + order(leaf)[at]; }
    static Slot* entry(Node* leaf, std::size_t at) { return slots(leaf) + order(leaf)[at]; }
    static decltype(auto) key_at(const Node* leaf, std::size_t at) {
        if constexpr (exact)
            return key_of<Key>(prefixes(leaf)[at]);
        else
            return static_cast<const Key&>(entry(leaf, at)->key);
    }
    /// Calls `f(key, value)` with the entry, which is taken over if it is not shared with a copy.
    template <class F>
    [[gnu::always_inline]] static void take(Node* leaf, std::size_t at, bool own, F&& f) {
        Slot* slot = entry(leaf, at);
        if constexpr (exact) {
            if (own) return f(key_at(leaf, at), std::move(slot->value));
            f(key_at(leaf, at), Value(slot->value));
        } else {
            if (own) return f(std::move(slot->key), std::move(slot->value));
            f(Key(slot->key), Value(slot->value));
        }
    }
    static const Inner* inner(const Node* node) { return static_cast<const Inner*>(node); }
    static Inner* inner(Node* node) { return static_cast<Inner*>(node); }

    // Search.

    // What follows asks for parts of a leaf of full size. (Inlined: GCC drops a call that only prefetches.)

    template <bool for_writing>
    [[gnu::always_inline]] static void prefetch_bytes(const Node* leaf, std::size_t from, std::size_t to) noexcept {
#if defined(__GNUC__)
#pragma GCC unroll 32
        for (std::size_t offset = from; offset < to; offset += 64)
            __builtin_prefetch(bytes(leaf) + offset, for_writing ? 1 : 0);
#else
        static_cast<void>(leaf), static_cast<void>(from), static_cast<void>(to);
#endif
    }
    /// A search reads the prefixes, all at once; what an insertion needs beside them is asked for meanwhile: the order of
    /// the entries, and then the place of a new one.
    [[gnu::always_inline]] static void prefetch_prefixes(const Node* leaf) noexcept {
        prefetch_bytes<true>(leaf, 0, order_at);
    }
    [[gnu::always_inline]] static void prefetch_order(const Node* leaf) noexcept {
        prefetch_bytes<true>(leaf, order_at, order_at + leaf_size);
    }
    [[gnu::always_inline]] static void prefetch_room(const Node* leaf) noexcept {
#if defined(__GNUC__)
        __builtin_prefetch(slots(leaf) + leaf->count, 1);
#else
        static_cast<void>(leaf);
#endif
    }

    // Whoever goes through all entries: they lie as they came, and what a key owns lies anywhere.

    /// The leaf behind child `at` of a node, where it lies below the same one; else null.
    static const Node* following(const Node* node, std::size_t at) noexcept {
        return node->level == 1 && at + 1 < node->count ? inner(node)->children[at + 1] : nullptr;
    }
    /// What a leaf says of its entries.
    [[gnu::always_inline]] static void prefetch_keys(const Node* leaf) noexcept {
        prefetch_bytes<false>(leaf, 0, slots_at(leaf_size));
    }
    /// The entries some steps beyond `at`, and what their keys own.
    [[gnu::always_inline]] static void prefetch_ahead(const Node* leaf, const Node* next, std::size_t at) noexcept {
#if defined(__GNUC__)
        if (const Slot* slot = ahead(leaf, next, at + 16)) {
            __builtin_prefetch(slot);
            if constexpr (sizeof(Slot) > 64) __builtin_prefetch(reinterpret_cast<const std::byte*>(slot + 1) - 1);
        }
        if constexpr (text_key<Key>)
            if (const Slot* slot = ahead(leaf, next, at + 8)) __builtin_prefetch(std::string_view(slot->key).data());
#else
        static_cast<void>(leaf), static_cast<void>(next), static_cast<void>(at);
#endif
    }
    /// What comes at a position that may lie in the next leaf; null where that is not known.
    static const Slot* ahead(const Node* leaf, const Node* next, std::size_t at) noexcept {
        if (at < leaf->count) return entry(leaf, at);
        return next && at - leaf->count < next->count ? entry(next, at - leaf->count) : nullptr;
    }

    template <class Query>
    static Place place_of(const Node* leaf, std::uint64_t prefix, const Query& key) {
        return search<exact>(first_not_less<leaf_size>(prefixes(leaf), leaf->capacity, prefix), prefixes(leaf),
                             leaf->count, prefix, key,
                             [&](std::size_t at) -> decltype(auto) { return key_at(leaf, at); });
    }

    template <class Query>
    static std::size_t child_for(const Inner* node, std::uint64_t prefix, const Query& key) {
        const std::uint64_t* const held = node->prefixes.data();
        const Place place = search<exact>(first_not_less<fan_out>(held, prefix), held, node->count, prefix, key,
                                          [&](std::size_t at) -> decltype(auto) {
                                              if constexpr (exact)
                                                  return key_of<Key>(held[at]);
                                              else
                                                  return (node->keys[at]);
                                          });
        return place.found || place.at == 0 ? place.at : place.at - 1;
    }

    // Nodes come and go.

    static Node* make_leaf(std::size_t capacity) {
        static_assert(std::is_nothrow_move_constructible_v<Slot>,
                      "netsync: keys and values of a map must be movable without exceptions");
        Node* leaf = new (Room<>::allocate(leaf_bytes(capacity))) Node;
        leaf->capacity = static_cast<std::uint8_t>(capacity);
        std::fill_n(prefixes(leaf), capacity, beyond);
        return leaf;
    }
    static void free_leaf(Node* leaf) noexcept {
        const std::size_t size = leaf_bytes(leaf->capacity);
        leaf->~Node();
        Room<>::free(leaf, size);
    }

    static constexpr std::size_t leaf_bytes(std::size_t capacity) {
        return slots_at(capacity) + capacity * sizeof(Slot);
    }
    /// Most deltas are one leaf with room for one entry. (A template, since Slot is complete only when this is used.)
    template <class Kept = Slot>
    using Room = Spare<SortedNodes, std::max<std::size_t>(alignof(Kept), __STDCPP_DEFAULT_NEW_ALIGNMENT__)>;

    static Node* share(Node* node) noexcept {
        if (node) node->owners.fetch_add(1, std::memory_order_relaxed);
        return node;
    }
    static void release(Node* node) noexcept {
        if (!node || (is_shared(node) && node->owners.fetch_sub(1, std::memory_order_acq_rel) != 1)) return;
        if (node->level > 0) {
            for (std::size_t at = 0; at < node->count; ++at) release(inner(node)->children[at]);
            delete inner(node);
        } else {
#if defined(__GNUC__)
            if constexpr (text_key<Key>)
                for (std::size_t at = 0; node->count > 8 && at < node->count; ++at)
                    __builtin_prefetch(std::string_view(slots(node)[at].key).data());
#endif
            std::destroy_n(slots(node), node->count);
            free_leaf(node);
        }
    }
    static bool is_shared(const Node* node) noexcept { return node->owners.load(std::memory_order_acquire) != 1; }

    static Node* copy(const Node* node, std::size_t capacity) {
        if (node->level > 0) {
            Inner* made = new Inner;
            made->level = node->level;
            made->count = node->count;
            made->prefixes = inner(node)->prefixes;
            made->keys = inner(node)->keys;
            for (std::size_t at = 0; at < node->count; ++at) made->children[at] = share(inner(node)->children[at]);
            return made;
        }
        Node* made = make_leaf(capacity);
        for (std::size_t at = 0; at < node->count; ++at) append(made, prefixes(node)[at], Slot(*entry(node, at)));
        return made;
    }

    /// Makes the node writable, in its place.
    [[gnu::always_inline]] static Node* own(Node*& place) { return is_shared(place) ? own_copy(place) : place; }
    static Node* own_copy(Node*& place) {
        Node* mine = copy(place, std::max<std::size_t>(place->capacity, 1));
        release(std::exchange(place, mine));
        return mine;
    }

    // Entries of a leaf.

    static void append(Node* leaf, std::uint64_t prefix, Slot&& slot) {
        const std::size_t at = leaf->count++;
        prefixes(leaf)[at] = prefix;
        order(leaf)[at] = static_cast<std::uint8_t>(at);
        new (slots(leaf) + at) Slot(std::move(slot));
    }

    template <class NewKey>
    static Slot* make_slot(Slot* at, NewKey&& key) {
        if constexpr (exact)
            return new (at) Slot{};
        else
            return new (at) Slot{{Key(std::forward<NewKey>(key))}};
    }

    template <class NewKey>
    static Value* insert_at(Node* leaf, std::size_t at, std::uint64_t prefix, NewKey&& key) {
        const std::size_t count = leaf->count;
        Slot* slot = make_slot(slots(leaf) + count, std::forward<NewKey>(key));
        if (const std::size_t behind = count - at; behind > 0) {
            std::memmove(prefixes(leaf) + at + 1, prefixes(leaf) + at, behind * sizeof(std::uint64_t));
            std::memmove(order(leaf) + at + 1, order(leaf) + at, behind);
        }
        prefixes(leaf)[at] = prefix;
        order(leaf)[at] = static_cast<std::uint8_t>(count);
        ++leaf->count;
        return &slot->value;
    }

    static void erase_at(Node* leaf, std::size_t at) {
        const std::size_t last = leaf->count - 1u;
        const std::uint8_t hole = order(leaf)[at];
        std::memmove(prefixes(leaf) + at, prefixes(leaf) + at + 1, (last - at) * sizeof(std::uint64_t));
        std::memmove(order(leaf) + at, order(leaf) + at + 1, last - at);
        if (hole != last) {
            slots(leaf)[hole] = std::move(slots(leaf)[last]);
            *std::find(order(leaf), order(leaf) + last, static_cast<std::uint8_t>(last)) = hole;
        }
        std::destroy_at(slots(leaf) + last);
        prefixes(leaf)[last] = beyond;
        leaf->count = static_cast<std::uint8_t>(last);
    }

    /// Appends the entries of `from`, which is let go of.
    static void take_entries(Node* to, Node* from, std::size_t first, std::size_t last) {
        for (std::size_t at = first; at < last; ++at) append(to, prefixes(from)[at], std::move(*entry(from, at)));
    }

    /// The entries from `half` on go to `right`, which is empty; those that stay lie in the first slots again.
    static void split(Node* leaf, std::size_t half, Node* right) {
        take_entries(right, leaf, half, leaf->count);
        std::array<bool, leaf_size> taken{};  // the slots of those that stay
        for (std::size_t at = 0; at < half; ++at) taken[order(leaf)[at]] = true;
        for (std::size_t at = half; at < leaf->count; ++at) std::destroy_at(entry(leaf, at));
        std::size_t free = 0;
        for (std::size_t at = 0; at < half; ++at) {
            if (order(leaf)[at] < half) continue;
            while (taken[free]) ++free;
            Slot* from = entry(leaf, at);
            new (slots(leaf) + free) Slot(std::move(*from));
            std::destroy_at(from);
            order(leaf)[at] = static_cast<std::uint8_t>(free++);
        }
        std::fill(prefixes(leaf) + half, prefixes(leaf) + leaf->count, beyond);
        leaf->count = static_cast<std::uint8_t>(half);
    }

    /// In the place of a leaf comes one of another capacity.
    static Node* resize(Node*& place, std::size_t capacity) {
        Node* made = make_leaf(capacity);
        take_entries(made, place, 0, place->count);
        release(std::exchange(place, made));
        return made;
    }

    // Children of an inner node.

    static Key key_of_child(const Inner* node, std::size_t at) {
        if constexpr (exact)
            return key_of<Key>(node->prefixes[at]);
        else
            return node->keys[at];
    }

    static void insert_child(Inner* node, std::size_t at, Node* child, std::uint64_t prefix, const Key& key) {
        const auto open = [&](auto& items) {
            std::move_backward(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + node->count,
                               items.begin() + node->count + 1);
        };
        open(node->prefixes), open(node->children);
        node->prefixes[at] = prefix;
        node->children[at] = child;
        if constexpr (!exact) {
            open(node->keys);
            node->keys[at] = key;
        }
        ++node->count;
    }

    static void erase_child(Inner* node, std::size_t at) {
        const auto close = [&](auto& items) {
            std::move(items.begin() + static_cast<std::ptrdiff_t>(at) + 1, items.begin() + node->count,
                      items.begin() + static_cast<std::ptrdiff_t>(at));
        };
        close(node->prefixes), close(node->children);
        if constexpr (!exact) {
            close(node->keys);
            node->keys[node->count - 1u] = Key{};
        }
        node->prefixes[--node->count] = beyond;
    }
};

}  // namespace netsync::detail
