// netsync: the entries of a sorted map (detail/sorted_map.hpp) in their order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <netsync/detail/key_prefix.hpp>
#include <netsync/detail/sorted_nodes.hpp>
#include <string_view>
#include <utility>

namespace netsync::detail {

/// Goes through the entries in order. Good until the map changes.
template <class Key, class Value>
class SortedMapIterator : SortedNodes<Key, Value> {
    using Nodes = SortedNodes<Key, Value>;
    using Nodes::bytes, Nodes::child_for, Nodes::entry, Nodes::exact, Nodes::inner, Nodes::is_shared, Nodes::key_at,
        Nodes::leaf_size, Nodes::place_of, Nodes::prefixes, Nodes::slots_at;
    using typename Nodes::Entry, typename Nodes::Inner, typename Nodes::Node, typename Nodes::Slot;

   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using reference = Entry;
    using pointer = void;

    explicit SortedMapIterator(const Node* root) {
        if (root && root->count > 0) go_down(root);
    }
    template <class Query>
    SortedMapIterator(const Node* root, std::uint64_t prefix, const Query& key) {
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
        Nodes::take(const_cast<Node*>(leaf_), at_, is_own(), f);
    }
    SortedMapIterator& operator++() {
        if (++at_ == leaf_->count) {
            go_on();
            return *this;
        }
        Nodes::prefetch_ahead(leaf_, next_, at_);
        return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const SortedMapIterator& a, const SortedMapIterator& b) noexcept {
        return a.leaf_ == b.leaf_ && a.at_ == b.at_;
    }
    /// Whether the key here comes before the key there, is the same, or comes after it: below, at or above 0. Neither is
    /// at its end.
    int compare(const SortedMapIterator& there) const {
        const std::uint64_t mine = prefix(), theirs = there.prefix();
        if (mine != theirs) return mine < theirs ? -1 : 1;
        return compare_keys(key_at(there.leaf_, there.at_));
    }
    /// The same for a key that has this prefix.
    int compare(std::uint64_t theirs, const Key& key) const {
        const std::uint64_t mine = prefix();
        if (mine != theirs) return mine < theirs ? -1 : 1;
        return compare_keys(key);
    }

   private:
    /// Of keys that have the same prefix.
    int compare_keys(const Key& theirs) const {
        if constexpr (exact) {
            return 0;
        } else {
            const Key& mine = key_at(leaf_, at_);
            if constexpr (text_key<Key>) return std::string_view(mine).compare(theirs);
            return mine < theirs ? -1 : theirs < mine ? 1 : 0;
        }
    }
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
        next_ = Nodes::following(above, child);
        if (next_) Nodes::prefetch_keys(next_);
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

}  // namespace netsync::detail
