// netsync: the nodes of a rope (crdt/rope.hpp): how they lie in memory, are shared, and what becomes of the runs of one leaf.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <netsync/crdt/run.hpp>
#include <new>
#include <type_traits>
#include <utility>

namespace netsync::detail {

/// A leaf holds up to 32 runs, and beside them their values in one `Content`; an inner node holds of each child how many
/// elements it has and the first of them.
template <class Content>
struct RopeNodes {
    static constexpr std::size_t fan_out = 32;
    static constexpr std::size_t max_runs = 32;

    struct Node {
        std::atomic<std::uint32_t> owners{1};
        std::uint8_t level = 0;  // 0: a leaf
        std::uint8_t count = 0;
        std::uint8_t capacity = 0;
    };
    /// Followed in memory by `capacity` runs, of which it holds the bunches of the first `count`.
    struct Leaf : Node {
        Content content;
        Run* runs() noexcept { return reinterpret_cast<Run*>(this + 1); }
        const Run* runs() const noexcept { return reinterpret_cast<const Run*>(this + 1); }
    };
    struct Child {
        Node* node = nullptr;
        std::size_t size = 0;
        Element first;
    };
    struct Inner : Node {
        std::array<std::size_t, fan_out> sizes;
        std::array<Node*, fan_out> nodes;
        std::array<Element, fan_out> firsts;

        Child child(std::size_t at) const { return {nodes[at], sizes[at], firsts[at]}; }
        void put(std::size_t at, const Child& child) {
            nodes[at] = child.node;
            sizes[at] = child.size;
            firsts[at] = child.first;
        }
        /// Moves the children from `from` up to the last to `to`.
        void shift(std::size_t from, std::size_t to) {
            const auto slide = [&](auto& items) {
                const auto first = items.begin() + static_cast<std::ptrdiff_t>(from);
                const auto last = items.begin() + static_cast<std::ptrdiff_t>(this->count);
                if (to < from)
                    std::copy(first, last, items.begin() + static_cast<std::ptrdiff_t>(to));
                else
                    std::copy_backward(first, last, last + static_cast<std::ptrdiff_t>(to - from));
            };
            slide(sizes), slide(nodes), slide(firsts);
        }
    };
    static_assert(std::is_trivially_copyable_v<Run> && alignof(Leaf) >= alignof(Run));

    static const Inner* inner(const Node* node) { return static_cast<const Inner*>(node); }
    static Inner* inner(Node* node) { return static_cast<Inner*>(node); }
    static const Leaf* leaf(const Node* node) { return static_cast<const Leaf*>(node); }
    static Leaf* leaf(Node* node) { return static_cast<Leaf*>(node); }

    // Nodes come and go.

    static Leaf* make_leaf(std::size_t capacity) {
        Leaf* made = new (::operator new(sizeof(Leaf) + capacity * sizeof(Run))) Leaf;
        made->capacity = static_cast<std::uint8_t>(capacity);
        return made;
    }
    static Node* share(Node* node) noexcept {
        if (node) node->owners.fetch_add(1, std::memory_order_relaxed);
        return node;
    }
    static void release(Node* node) noexcept {
        if (!node || (node->owners.load(std::memory_order_acquire) != 1 &&
                      node->owners.fetch_sub(1, std::memory_order_acq_rel) != 1))
            return;
        if (node->level > 0) {
            for (std::size_t at = 0; at < node->count; ++at) release(inner(node)->nodes[at]);
            delete inner(node);
        } else {
            for (std::size_t at = 0; at < node->count; ++at) detail::release(leaf(node)->runs()[at].bunch);
            leaf(node)->~Leaf();
            ::operator delete(node);
        }
    }
    static Node* copy(const Node* node) {
        if (node->level > 0) {
            Inner* made = new Inner;
            made->level = node->level;
            made->count = node->count;
            for (std::size_t at = 0; at < node->count; ++at) {
                made->put(at, inner(node)->child(at));
                share(made->nodes[at]);
            }
            return made;
        }
        Leaf* made = make_leaf(node->capacity);
        made->content = leaf(node)->content;
        made->count = node->count;
        std::copy_n(leaf(node)->runs(), node->count, made->runs());
        for (std::size_t at = 0; at < node->count; ++at) retain(made->runs()[at].bunch);
        return made;
    }
    /// Makes the node writable, in its place.
    static Node* own(Node*& place) {
        if (place->owners.load(std::memory_order_acquire) != 1) {
            Node* mine = copy(place);
            release(std::exchange(place, mine));
        }
        return place;
    }

    static Element first_of(const Node* node) {
        return node->level > 0 ? inner(node)->firsts[0] : leaf(node)->runs()[0].element();
    }
    static std::size_t size_of(const Node* node) {
        if (node->level == 0) return leaf(node)->content.size();
        std::size_t size = 0;
        for (std::size_t at = 0; at < node->count; ++at) size += inner(node)->sizes[at];
        return size;
    }
    static Child describe(Node* node) { return {node, size_of(node), first_of(node)}; }
    static bool is_small(const Node* node) {
        return node->count < fan_out / 4 && (node->level > 0 || leaf(node)->content.is_small());
    }

    // Runs of a leaf.

    static void open(Leaf* leaf, std::size_t at, const Run& run) {
        Run* runs = leaf->runs();
        std::copy_backward(runs + at, runs + leaf->count, runs + leaf->count + 1);
        runs[at] = run;
        retain(run.bunch);
        ++leaf->count;
    }
    static void close(Leaf* leaf, std::size_t from, std::size_t to) {
        Run* runs = leaf->runs();
        for (std::size_t at = from; at < to; ++at) detail::release(runs[at].bunch);
        std::copy(runs + to, runs + leaf->count, runs + from);
        leaf->count = static_cast<std::uint8_t>(leaf->count - (to - from));
    }
    /// Makes room for `more` runs, of at most max_runs; in the place of the leaf may come a larger one.
    static Leaf* reserve(Node*& place, std::size_t more) {
        Leaf* held = leaf(place);
        if (held->count + more <= held->capacity) return held;
        Leaf* made = make_leaf(std::min(max_runs, std::max<std::size_t>(held->capacity * 2u, held->count + more)));
        made->content = std::move(held->content);
        made->count = std::exchange(held->count, std::uint8_t{0});
        std::copy_n(held->runs(), made->count, made->runs());
        release(std::exchange(place, made));
        return made;
    }

    /// The elements of `run` are now before the one at `at`; values apart.
    static void insert_run(Leaf* leaf, std::size_t at, const Run& run) {
        Run* runs = leaf->runs();
        std::size_t which = 0;
        while (which < leaf->count && at > runs[which].length) at -= runs[which++].length;
        if (at == 0 || which == leaf->count) return open(leaf, which, run);
        const auto within = static_cast<std::uint32_t>(at);
        Run& before = runs[which];
        if (within == before.length) {
            if (!before.continues(run)) return open(leaf, which + 1, run);
            before.length += run.length;
            return;
        }
        const Run after = before.part(within, before.length - within);
        before.length = within;
        open(leaf, which + 1, after);
        open(leaf, which + 1, run);
    }

    /// The elements from `at` on are there no more; values apart. A run may become two.
    static void erase_runs(Leaf* leaf, std::size_t at, std::size_t count) {
        Run* runs = leaf->runs();
        std::size_t which = 0;
        while (at >= runs[which].length) at -= runs[which++].length;
        auto within = static_cast<std::uint32_t>(at);
        auto left = static_cast<std::uint32_t>(count);
        if (within > 0) {
            Run& run = runs[which++];
            const std::uint32_t tail = run.length - within;
            if (left < tail) {
                const Run after = run.part(within + left, tail - left);
                run.length = within;
                return open(leaf, which, after);
            }
            run.length = within;
            left -= tail;
        }
        std::size_t end = which;
        while (left > 0 && left >= runs[end].length) left -= runs[end++].length;
        if (left > 0) runs[end] = runs[end].part(left, runs[end].length - left);
        close(leaf, which, end);
    }

    // Children of an inner node.

    static void insert_child(Inner* node, std::size_t at, const Child& child) {
        node->shift(at, at + 1);
        node->put(at, child);
        ++node->count;
    }
    static void erase_child(Inner* node, std::size_t at) {
        node->shift(at + 1, at);
        --node->count;
    }
};

}  // namespace netsync::detail
