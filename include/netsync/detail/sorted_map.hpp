// netsync: a sorted map that is copied in O(1). What the dot stores (crdt/dot_store.hpp) keep their elements in: a state
// is read, encoded or joined elsewhere while its owner goes on writing, and what is sent is walked in order.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <netsync/detail/key_prefix.hpp>
#include <netsync/detail/sorted_map_iterator.hpp>
#include <netsync/detail/sorted_nodes.hpp>
#include <utility>

namespace netsync::detail {

/// Keys to values in ascending order: a B+ tree whose nodes are shared by copies and copied when written to
/// (copy-on-write); see SortedNodes. A small map is one leaf, as large as it has to be. `Value` may be incomplete where only
/// the type of the map is named.
/// find, insert, erase: O(log size); copy: O(1), each node is copied once when it is next written to. References are
/// invalidated by insertion and erasure. One thread a map; copies may be used by different threads.
template <class Key, class Value>
class SortedMap : SortedNodes<Key, Value> {
    using Nodes = SortedNodes<Key, Value>;
    using Nodes::child_for, Nodes::entry, Nodes::erase_at, Nodes::erase_child, Nodes::exact, Nodes::fan_out,
        Nodes::inner, Nodes::insert_at, Nodes::insert_child, Nodes::is_shared, Nodes::key_at, Nodes::key_of_child,
        Nodes::following, Nodes::leaf_size, Nodes::make_leaf, Nodes::own, Nodes::place_of, Nodes::prefetch_ahead,
        Nodes::prefetch_prefixes, Nodes::prefetch_order, Nodes::prefetch_keys, Nodes::prefetch_room, Nodes::prefixes,
        Nodes::release, Nodes::resize, Nodes::share, Nodes::split, Nodes::take, Nodes::take_entries;
    using typename Nodes::Inner, typename Nodes::Node, typename Nodes::Slot;

   public:
    using typename Nodes::Entry;
    using Iterator = SortedMapIterator<Key, Value>;

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
        if (!root_) return nullptr;
        const std::uint64_t prefix = prefix_of<Key>(key);
        const Node* leaf = leaf_of(prefix, key);
        prefetch_room(leaf);
        const Place place = place_of(leaf, prefix, key);
        trail_of(prefix).steps |= place.at;
        return place.found ? &entry(leaf, place.at)->value : nullptr;
    }

    /// Asks the memory for where a key is or would be: for whoever looks for it next, and has something to do before.
    template <class Query>
    void prefetch(const Query& key) const {
        if (root_ && !is_leaf()) prefetch_prefixes(leaf_of(prefix_of<Key>(key), key));
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
        Node* leaf = descend(path, trail_to(prefix), prefix, key);
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
        const Trail* const trail = trail_to(prefix);
        Node* leaf = descend(path, trail, prefix, key);
        const Place place = place_again(leaf, trail, prefix, key);
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
        Node* leaf = descend(path, trail_to(prefix), prefix, key);
        erase_at(leaf, place_of(leaf, prefix, key).at);
        --size_;
        balance(path, leaf);
        return true;
    }

    void clear() noexcept { *this = SortedMap{}; }

    /// Calls `f(entry)` for each, in order.
    template <class F>
    [[gnu::always_inline]] void for_each(F&& f) const {
        if (!is_leaf())
            for (const Entry each : *this) f(each);
        else
            for (std::size_t at = 0; at < root_->count; ++at) f(Entry{key_at(root_, at), entry(root_, at)->value});
    }

    /// Calls `f(key, value)` for each, in order, which may be taken over where no copy shares it: for whoever lets go of the
    /// map. The entries stay, without their content. Before it, `comes_next(key)` with the key that follows, if any.
    template <class F, class Next>
    [[gnu::always_inline]] void take_each(F&& f, const Next& comes_next) {
        if (!is_leaf()) {
            Iterator next = begin();
            for (Iterator at = begin(); at != end(); ++at) {
                if (++next != end()) comes_next((*next).key);
                at.take(f);
            }
        } else {
            for (std::size_t at = 0; at < root_->count; ++at) {
                if (at + 1 < root_->count) comes_next(key_at(root_, at + 1));
                take(root_, at, !is_shared(root_), f);
            }
        }
    }

    /// Calls `f(entry)` for each, in order, and lets go of what lies behind: a copy that writes there need not copy it any
    /// more. A key that was visited may be looked at until the next one was. Empty afterwards.
    template <class F>
    void drain(F&& f) {
        SortedMap going = std::move(*this), behind;
        if (going.root_) drain(going.root_, nullptr, behind.root_, f);
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

   private:
    template <class, class>
    friend class Appender;

    /// As most deltas are: then no way through the nodes has to be kept.
    bool is_leaf() const noexcept { return root_ && root_->level == 0; }

    struct Step {
        Inner* node;
        std::size_t child;
    };
    struct Path {
        std::array<Step, 16> steps;  // 2^32 entries lie at most 8 deep
        std::size_t depth = 0;
    };

    /// Takes the node out of its place, and puts the last leaf of it `behind`. `next`: the leaf that follows, if known.
    template <class F>
    static void drain(Node*& place, const Node* next, Node*& behind, F& f) {
        if (place->level == 0) {
            if (next) prefetch_keys(next);
            for (std::size_t at = 0; at < place->count; ++at) {
                prefetch_ahead(place, next, at);
                f(Entry{key_at(place, at), entry(place, at)->value});
            }
            release(std::exchange(behind, std::exchange(place, nullptr)));
            return;
        }
        Node* node = own(place);
        for (std::size_t at = 0; at < node->count; ++at)
            drain(inner(node)->children[at], following(node, at), behind, f);
        release(std::exchange(place, nullptr));
    }

    // A change looks for a key, and its merge comes back to it: the way that led to the same prefix is tried first. It need
    // not be true. Some are kept, since the memory is asked for the next key before one is merged.

    struct Trail {
        std::uint64_t prefix = 0;
        std::uint64_t steps = 0;  // a byte a level, the leaf's the lowest

        std::size_t at(unsigned level) const noexcept { return (steps >> (8 * (level % 8))) & 0xff; }
    };

    static Trail& trail_of(std::uint64_t prefix) noexcept { return trails_[prefix % trails_.size()]; }
    static const Trail* trail_to(std::uint64_t prefix) noexcept {
        const Trail& trail = trail_of(prefix);
        return trail.prefix == prefix ? &trail : nullptr;
    }

    template <class Query>
    static std::size_t child_below(const Inner* node, unsigned level, const Trail* trail, std::uint64_t prefix,
                                   const Query& key) {
        if (trail && lies_below(node, trail->at(level), prefix)) return trail->at(level);
        return child_for(node, prefix, key);
    }

    /// Whether the prefix alone says that a key lies below this child, which may not exist.
    static bool lies_below(const Inner* node, std::size_t child, std::uint64_t prefix) noexcept {
        return child + 1 < fan_out && node->prefixes[child] < prefix && prefix < node->prefixes[child + 1];
    }

    template <class Query>
    static Place place_again(const Node* leaf, const Trail* trail, std::uint64_t prefix, const Query& key) {
        if (trail) {
            const std::size_t at = trail->at(0);
            const bool fits = at < leaf->capacity && (at == 0 || prefixes(leaf)[at - 1] < prefix);
            if (fits && prefix < prefixes(leaf)[at]) return {at, false};
        }
        return place_of(leaf, prefix, key);
    }

    /// The leaf for a key; the way to it is kept. The leaf itself is asked for, not waited for.
    template <class Query>
    const Node* leaf_of(std::uint64_t prefix, const Query& key) const {
        const Trail* const trail = trail_to(prefix);
        std::uint64_t steps = 0;
        const Node* node = root_;
        for (unsigned level = root_->level; level > 0; --level) {
            const std::size_t child = child_below(inner(node), level, trail, prefix, key);
            steps = (steps | child) << 8;
            node = inner(node)->children[child];
            if (level == 1) prefetch_order(node);
        }
        trail_of(prefix) = {prefix, steps};
        return node;
    }

    /// The same with all of the way writable.
    template <class Query>
    Node* descend(Path& path, const Trail* trail, std::uint64_t prefix, const Query& key) {
        Node* node = own(root_);
        for (unsigned level = root_->level; level > 0; --level) {
            const std::size_t child = child_below(inner(node), level, trail, prefix, key);
            if (!trail && level == 1) prefetch_order(inner(node)->children[child]);
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->children[child]);
        }
        prefetch_room(node);
        return node;
    }

    Node*& place_in(const Path& path, std::size_t depth) {
        return depth == 0 ? root_ : path.steps[depth - 1].node->children[path.steps[depth - 1].child];
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

    static inline constinit thread_local std::array<Trail, 4> trails_{};

    Node* root_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace netsync::detail
