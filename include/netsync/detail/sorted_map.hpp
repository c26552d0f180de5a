// netsync: a sorted map that is copied in O(1). What the dot stores (crdt/dot_store.hpp) keep their elements in: a state
// is read, encoded or joined elsewhere while its owner goes on writing, and what is sent is walked in order.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <netsync/detail/key_prefix.hpp>
#include <new>
#include <type_traits>
#include <utility>

namespace netsync::detail {

/// Keys to values in ascending order: a B+ tree whose nodes are shared by copies and copied when written to
/// (copy-on-write). A leaf keeps the prefixes of its keys sorted and beside each other, and says in one byte a key where
/// its entry lies; so a search reads few cache lines, and an insertion moves bytes, not entries. A small map is one leaf,
/// as large as it has to be. `Value` may be incomplete where only the type of the map is named.
/// find, insert, erase: O(log size); copy: O(1), each node is copied once when it is next written to. References are
/// invalidated by insertion and erasure. One thread a map; copies may be used by different threads.
template <class Key, class Value>
class SortedMap {
    static constexpr bool exact = is_exact_prefix<Key>;  // then the prefix is the key, and no other copy is kept
    struct Node;
    struct Inner;
    struct Slot;

   public:
    struct Entry {
        std::conditional_t<exact, Key, const Key&> key;
        const Value& value;
    };
    class Iterator;

    SortedMap() = default;
    SortedMap(const SortedMap& other) noexcept : root_(share(other.root_)), size_(other.size_) {}
    SortedMap(SortedMap&& other) noexcept
        : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    SortedMap& operator=(SortedMap other) noexcept {
        std::swap(root_, other.root_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~SortedMap() { release(root_); }

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    Iterator begin() const { return Iterator{root_}; }
    Iterator end() const { return Iterator{nullptr}; }

    /// What one entry takes in a full leaf.
    static constexpr std::size_t entry_size() { return sizeof(Slot) + sizeof(std::uint64_t) + 1; }

    template <class Query>
    const Value* find(const Query& key) const {
        const std::uint64_t prefix = prefix_of<Key>(key);
        const Node* node = root_;
        if (!node) return nullptr;
        std::uint64_t trail = 0;
        while (node->level > 0) {
            const std::size_t child = child_for(inner(node), prefix, key);
            trail = (trail | child) << 8;
            const bool last = node->level == 1;
            node = inner(node)->children[child];
            if (last) prefetch_order(node);
        }
        prefetch_room(node);
        const Place place = place_of(node, prefix, key);
        last_trail_ = trail | place.at;
        return place.found ? &entry(node, place.at)->value : nullptr;
    }

    /// From the first entry that does not lie before `key`. O(log size).
    template <class Query>
    Iterator lower_bound(const Query& key) const {
        return root_ ? Iterator{root_, prefix_of<Key>(key), key} : end();
    }

    /// The last entry, of a map that is not empty. O(log size).
    Entry last() const {
        const Node* node = root_;
        while (node->level > 0) node = inner(node)->children[node->count - 1u];
        return {key_at(node, node->count - 1u), entry(node, node->count - 1u)->value};
    }

    /// For writing: nothing of it is shared any more.
    template <class Query>
    Value* find(const Query& key) {
        if (!std::as_const(*this).find(key)) return nullptr;
        Path path;
        const std::uint64_t prefix = prefix_of<Key>(key);
        Node* leaf = descend(path, prefix, key);
        return &entry(leaf, place_of(leaf, prefix, key).at)->value;
    }

    /// The value under `key`, which lies beyond all that are there; made by default. O(log size), without a search.
    template <class NewKey>
    Value* append(NewKey&& key) {
        const std::uint64_t prefix = prefix_of<Key>(key);
        if (!root_) {
            root_ = make_leaf(1);
            ++size_;
            return insert_at(root_, 0, prefix, std::forward<NewKey>(key));
        }
        Path path;
        Node* node = own(root_);
        while (node->level > 0) {
            const std::size_t child = node->count - 1u;
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->children[child]);
        }
        Value* value = insert(path, node, node->count, prefix, std::forward<NewKey>(key));
        ++size_;
        return value;
    }

    /// The value under `key`, made by default where there was none; `second` says whether it was made.
    template <class NewKey = const Key&>
    std::pair<Value*, bool> try_emplace(NewKey&& key) {
        if (!root_) return {append(std::forward<NewKey>(key)), true};
        const std::uint64_t prefix = prefix_of<Key>(key);
        Path path;
        Node* leaf = descend(path, prefix, key);
        const Place place = place_again(leaf, prefix, key);
        if (place.found) return {&entry(leaf, place.at)->value, false};
        Value* value = insert(path, leaf, place.at, prefix, std::forward<NewKey>(key));
        ++size_;
        return {value, true};
    }

    template <class Query>
    bool erase(const Query& key) {
        if (!std::as_const(*this).find(key)) return false;
        Path path;
        const std::uint64_t prefix = prefix_of<Key>(key);
        Node* leaf = descend(path, prefix, key);
        erase_at(leaf, place_of(leaf, prefix, key).at);
        --size_;
        balance(path, leaf);
        return true;
    }

    void clear() noexcept { *this = SortedMap{}; }

    /// Calls `f(entry)` for each, in order, and lets go of what lies behind: a copy that writes there need not copy it any
    /// more. A key that was visited may be looked at until the next one was. Empty afterwards.
    template <class F>
    void drain(F&& f) {
        SortedMap going = std::move(*this), behind;
        if (going.root_) drain(going.root_, behind.root_, f);
    }

    /// Same keys, and `same(value, value)` for each. O(size), O(1) for copies that nobody has written to since.
    template <class Equal>
    bool equal(const SortedMap& other, Equal&& same) const {
        if (size_ != other.size_) return false;
        if (root_ == other.root_) return true;
        Iterator theirs = other.begin();
        for (Iterator mine = begin(); mine != end(); ++mine, ++theirs)
            if (mine.compare(theirs) != 0 || !same((*mine).value, (*theirs).value)) return false;
        return true;
    }

    /// Goes through the entries in order. Good until the map changes.
    class Iterator {
       public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Entry;
        using difference_type = std::ptrdiff_t;
        using reference = Entry;
        using pointer = void;

        explicit Iterator(const Node* root) {
            if (root && root->count > 0) go_down(root);
        }
        template <class Query>
        Iterator(const Node* root, std::uint64_t prefix, const Query& key) {
            const Node* node = root;
            while (node->level > 0) {
                const std::size_t child = child_for(inner(node), prefix, key);
                above_[depth_++] = {inner(node), child};
                node = inner(node)->children[child];
            }
            leaf_ = node;
            at_ = place_of(node, prefix, key).at;
            if (at_ == leaf_->count) go_on();
        }
        Entry operator*() const { return {key_at(leaf_, at_), entry(leaf_, at_)->value}; }
        std::uint64_t prefix() const { return prefixes(leaf_)[at_]; }
        /// Calls `f(key, value)` with the entry, which may be taken over where no copy shares it: for whoever lets go of the
        /// map. It stays, without its content.
        template <class F>
        void take(F&& f) const {
            Slot* slot = const_cast<Slot*>(entry(leaf_, at_));
            if constexpr (exact) {
                if (is_own()) return f(key_at(leaf_, at_), std::move(slot->value));
                f(key_at(leaf_, at_), Value(slot->value));
            } else {
                if (is_own()) return f(std::move(slot->key), std::move(slot->value));
                f(Key(slot->key), Value(slot->value));
            }
        }
        Iterator& operator++() {
            if (++at_ == leaf_->count) {
                go_on();
                return *this;
            }
#if defined(                                                                                                           \
    __GNUC__)  // entries lie as they came, and what a key owns lies anywhere; here: GCC drops a call that only prefetches
            if (const Slot* slot = ahead(16)) __builtin_prefetch(slot);
            if constexpr (text_key<Key>)
                if (const Slot* slot = ahead(8)) __builtin_prefetch(std::string_view(slot->key).data());
#endif
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& a, const Iterator& b) noexcept {
            return a.leaf_ == b.leaf_ && a.at_ == b.at_;
        }
        /// Whether the key here comes before the key there, is the same, or comes after it: below, at or above 0. Neither is
        /// at its end.
        int compare(const Iterator& there) const {
            const std::uint64_t mine = prefix(), theirs = there.prefix();
            if (mine != theirs) return mine < theirs ? -1 : 1;
            if constexpr (exact) {
                return 0;
            } else {
                const Key &a = key_at(leaf_, at_), &b = key_at(there.leaf_, there.at_);
                if constexpr (text_key<Key>) return std::string_view(a).compare(b);
                return a < b ? -1 : b < a ? 1 : 0;
            }
        }

       private:
        bool is_own() const {
            for (std::size_t depth = 0; depth < depth_; ++depth)
                if (is_shared(above_[depth].node)) return false;
            return !is_shared(leaf_);
        }
        /// To the next leaf.
        void go_on() {
            leaf_ = nullptr;
            at_ = 0;
            while (depth_ > 0) {
                auto& [node, child] = above_[depth_ - 1];
                if (++child < node->count) {
                    go_down(node->children[child]);
                    break;
                }
                --depth_;
            }
        }
        void go_down(const Node* node) {
            for (; node->level > 0; node = inner(node)->children[0]) above_[depth_++] = {inner(node), 0};
            leaf_ = node;
            at_ = 0;
            next_ = nullptr;
            if (depth_ == 0) return;
            const auto [above, child] = above_[depth_ - 1];
            if (child + 1u == above->count) return;
            next_ = above->children[child + 1];
#if defined(__GNUC__)
            for (std::size_t offset = 0; offset < slots_at(leaf_size); offset += 64)
                __builtin_prefetch(bytes(next_) + offset);
#endif
        }
        /// What comes so many steps later; null where that is not known.
        const Slot* ahead(std::size_t steps) const {
            const std::size_t at = at_ + steps;
            if (at < leaf_->count) return entry(leaf_, at);
            return next_ && at - leaf_->count < next_->count ? entry(next_, at - leaf_->count) : nullptr;
        }

        struct Level {
            const Inner* node;
            std::size_t child;
        };
        std::array<Level, 16> above_;  // as deep as depth_
        std::size_t depth_ = 0;
        const Node* leaf_ = nullptr;
        const Node* next_ = nullptr;  // the leaf behind it, where both lie below one node
        std::size_t at_ = 0;
    };

   private:
    template <class, class>
    friend class Appender;

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

    struct Step {
        Inner* node;
        std::size_t child;
    };
    struct Path {
        std::array<Step, 16> steps;  // 2^32 entries lie at most 8 deep
        std::size_t depth = 0;
    };

    // The parts of a leaf.

    static constexpr std::size_t align_up(std::size_t size, std::size_t alignment) {
        return (size + alignment - 1) / alignment * alignment;
    }
    static constexpr std::size_t slots_at(std::size_t capacity) {
        return align_up(sizeof(Node) + capacity * (sizeof(std::uint64_t) + 1), alignof(Slot));
    }
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
    static const Inner* inner(const Node* node) { return static_cast<const Inner*>(node); }
    static Inner* inner(Node* node) { return static_cast<Inner*>(node); }

    /// Takes the node out of its place, and puts the last leaf of it `behind`.
    template <class F>
    static void drain(Node*& place, Node*& behind, F& f) {
        if (place->level == 0) {
            for (std::size_t at = 0; at < place->count; ++at) {
#if defined(__GNUC__)
                if (at + 16u < place->count) __builtin_prefetch(entry(place, at + 16));
#endif
                f(Entry{key_at(place, at), entry(place, at)->value});
            }
            release(std::exchange(behind, std::exchange(place, nullptr)));
            return;
        }
        Node* node = own(place);
        for (std::size_t at = 0; at < node->count; ++at) drain(inner(node)->children[at], behind, f);
        release(std::exchange(place, nullptr));
    }

    // Search.

    /// A search reads the prefixes, all at once; what an insertion needs beside them is asked for meanwhile: the order of
    /// a leaf of full size, and then the place of a new entry.
    static void prefetch_order(const Node* leaf) noexcept {
#if defined(__GNUC__)
        constexpr std::size_t from = sizeof(Node) + leaf_size * sizeof(std::uint64_t);
        for (std::size_t offset = from; offset < from + leaf_size; offset += 64)
            __builtin_prefetch(bytes(leaf) + offset, 1);
#else
        static_cast<void>(leaf);
#endif
    }
    static void prefetch_room(const Node* leaf) noexcept {
#if defined(__GNUC__)
        __builtin_prefetch(slots(leaf) + leaf->count, 1);
#else
        static_cast<void>(leaf);
#endif
    }

    template <class Query>
    static Place place_of(const Node* leaf, std::uint64_t prefix, const Query& key) {
        return search<exact>(prefixes(leaf), leaf->capacity, leaf->count, prefix, key,
                             [&](std::size_t at) -> decltype(auto) { return key_at(leaf, at); });
    }

    template <class Query>
    static std::size_t child_for(const Inner* node, std::uint64_t prefix, const Query& key) {
        const Place place = search<exact>(node->prefixes.data(), fan_out, node->count, prefix, key,
                                          [&](std::size_t at) -> decltype(auto) {
                                              if constexpr (exact)
                                                  return key_of<Key>(node->prefixes[at]);
                                              else
                                                  return (node->keys[at]);
                                          });
        return place.found || place.at == 0 ? place.at : place.at - 1;
    }

    // Nodes come and go.

    static Node* make_leaf(std::size_t capacity) {
        static_assert(std::is_nothrow_move_constructible_v<Slot>,
                      "netsync: keys and values of a map must be movable without exceptions");
        const std::size_t size = slots_at(capacity) + capacity * sizeof(Slot);
        void* memory = alignof(Slot) > __STDCPP_DEFAULT_NEW_ALIGNMENT__
                           ? ::operator new(size, std::align_val_t{alignof(Slot)})
                           : ::operator new(size);
        Node* leaf = new (memory) Node;
        leaf->capacity = static_cast<std::uint8_t>(capacity);
        std::fill_n(prefixes(leaf), capacity, beyond);
        return leaf;
    }
    static void free_leaf(Node* leaf) noexcept {
        leaf->~Node();
        if constexpr (alignof(Slot) > __STDCPP_DEFAULT_NEW_ALIGNMENT__)
            ::operator delete(leaf, std::align_val_t{alignof(Slot)});
        else
            ::operator delete(leaf);
    }

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
    static Node* own(Node*& place) { return is_shared(place) ? own_copy(place) : place; }
    static Node* own_copy(Node*& place) {
        Node* mine = copy(place, std::max<std::size_t>(place->capacity, 1));
        release(std::exchange(place, mine));
        return mine;
    }

    /// The leaf for a key, with the way to it; all of it writable.
    template <class Query>
    Node* descend(Path& path, std::uint64_t prefix, const Query& key) {
        Node* node = own(root_);
        while (node->level > 0) {
            std::size_t child = guess(node->level);
            if (!lies_below(inner(node), child, prefix)) {
                child = child_for(inner(node), prefix, key);
                if (node->level == 1) prefetch_order(inner(node)->children[child]);
            }
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->children[child]);
        }
        prefetch_room(node);
        return node;
    }

    // A change looks for a key, and its merge comes back to it: what it found is tried first. It need not be true.

    static std::size_t guess(unsigned level) noexcept { return (last_trail_ >> (8 * (level % 8))) & 0xff; }

    /// Whether the prefix alone says that a key lies below this child, which may not exist.
    static bool lies_below(const Inner* node, std::size_t child, std::uint64_t prefix) noexcept {
        return child + 1 < fan_out && node->prefixes[child] < prefix && prefix < node->prefixes[child + 1];
    }

    template <class Query>
    static Place place_again(const Node* leaf, std::uint64_t prefix, const Query& key) {
        const std::size_t at = guess(0);
        const bool fits = at < leaf->capacity && (at == 0 || prefixes(leaf)[at - 1] < prefix);
        if (fits && prefix < prefixes(leaf)[at]) return {at, false};
        return place_of(leaf, prefix, key);
    }

    Node*& place_in(const Path& path, std::size_t depth) {
        return depth == 0 ? root_ : path.steps[depth - 1].node->children[path.steps[depth - 1].child];
    }

    // Entries of a leaf.

    static void append(Node* leaf, std::uint64_t prefix, Slot&& slot) {
        const std::size_t at = leaf->count++;
        prefixes(leaf)[at] = prefix;
        order(leaf)[at] = static_cast<std::uint8_t>(at);
        new (slots(leaf) + at) Slot(std::move(slot));
    }

    template <class NewKey>
    static Value* insert_at(Node* leaf, std::size_t at, std::uint64_t prefix, NewKey&& key) {
        const std::size_t count = leaf->count;
        Slot* slot = new (slots(leaf) + count) Slot{};
        if constexpr (!exact) slot->key = std::forward<NewKey>(key);
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

    // Growing.

    template <class NewKey>
    Value* insert(Path& path, Node* leaf, std::size_t at, std::uint64_t prefix, NewKey&& key) {
        if (leaf->count < leaf->capacity) return insert_at(leaf, at, prefix, std::forward<NewKey>(key));
        if (leaf->capacity < leaf_size) {
            Node* larger = resize(place_in(path, path.depth), leaf->capacity * 2u);
            return insert_at(larger, at, prefix, std::forward<NewKey>(key));
        }
        Node* right = make_leaf(leaf_size);
        if (at == leaf->count && is_last(path)) {  // keys that come in order fill their leaves
            Value* value = insert_at(right, 0, prefix, std::forward<NewKey>(key));
            add_child(path, path.depth, right, prefix, key_at(right, 0));
            return value;
        }
        const std::size_t half = leaf_size / 2;
        split(leaf, half, right);
        Value* value =
            insert_at(at < half ? leaf : right, at < half ? at : at - half, prefix, std::forward<NewKey>(key));
        const Key first = key_at(right, 0);
        add_child(path, path.depth, right, prefixes(right)[0], first);
        return value;
    }

    static bool is_last(const Path& path) {
        for (std::size_t depth = 0; depth < path.depth; ++depth)
            if (path.steps[depth].child + 1u != path.steps[depth].node->count) return false;
        return true;
    }

    /// A new node right of the one at `depth` of the path.
    void add_child(const Path& path, std::size_t depth, Node* right, std::uint64_t prefix, const Key& key) {
        if (depth == 0) {
            Inner* root = new Inner;
            root->level = static_cast<std::uint8_t>(root_->level + 1);
            insert_child(root, 0, root_, 0, Key{});  // the first child's key is never looked at
            insert_child(root, 1, right, prefix, key);
            root_ = root;
            return;
        }
        const auto [parent, child] = path.steps[depth - 1];
        if (parent->count < fan_out) return insert_child(parent, child + 1, right, prefix, key);
        Inner* next = new Inner;
        next->level = parent->level;
        const std::size_t half = child + 1 == fan_out ? fan_out : fan_out / 2;
        for (std::size_t at = half; at < fan_out; ++at)
            insert_child(next, at - half, parent->children[at], parent->prefixes[at], key_of_child(parent, at));
        parent->count = static_cast<std::uint8_t>(half);
        std::fill(parent->prefixes.begin() + half, parent->prefixes.end(), beyond);
        if (child + 1 > half || half == fan_out)
            insert_child(next, child + 1 - half, right, prefix, key);
        else
            insert_child(parent, child + 1, right, prefix, key);
        const Key first = key_of_child(next, 0);
        add_child(path, depth - 1, next, next->prefixes[0], first);
    }

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

    // Shrinking.

    /// After an erasure: no node is empty, small neighbours become one, and the root has more than one child.
    void balance(const Path& path, Node* node) {
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [parent, child] = path.steps[depth - 1];
            if (node->count == 0) {
                release(node);
                erase_child(parent, child);
            } else if (node->count < (node->level == 0 ? leaf_size : fan_out) / 4) {
                if (child + 1u < parent->count)
                    unite(parent, child);
                else if (child > 0)
                    unite(parent, child - 1);
            }
            node = parent;
        }
        while (root_->level > 0 && root_->count == 1) {
            Node* only = share(inner(root_)->children[0]);
            release(std::exchange(root_, only));
        }
        if (root_->count == 0)
            release(std::exchange(root_, nullptr));
        else if (root_->level == 0 && root_->capacity > 4 && root_->count * 4u <= root_->capacity && !is_shared(root_))
            resize(root_, root_->capacity / 2u);
    }

    /// The children `at` and `at + 1` become one, if that leaves it room.
    static void unite(Inner* parent, std::size_t at) {
        const std::size_t most = parent->level == 1 ? leaf_size : fan_out;
        if (parent->children[at]->count + parent->children[at + 1]->count > most * 3 / 4) return;
        Node* right = own(parent->children[at + 1]);
        Node* left = own(parent->children[at]);
        if (left->level == 0) {
            if (left->capacity < leaf_size) left = resize(parent->children[at], leaf_size);
            take_entries(left, right, 0, right->count);
        } else {
            for (std::size_t from = 0; from < right->count; ++from) {
                const bool first = from == 0;  // its own key may be that of none
                insert_child(inner(left), left->count, inner(right)->children[from],
                             first ? parent->prefixes[at + 1] : inner(right)->prefixes[from],
                             first ? key_of_child(parent, at + 1) : key_of_child(inner(right), from));
            }
            right->count = 0;
        }
        release(right);
        erase_child(parent, at + 1);
    }

    static inline constinit thread_local std::uint64_t last_trail_ =
        0;  // of a find: a byte a level, the leaf's the lowest

    Node* root_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace netsync::detail
