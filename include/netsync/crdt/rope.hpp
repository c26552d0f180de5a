// netsync: the elements of a sequence in their order, as runs in a balanced tree that is copied in O(1). Found by index
// and by position. What a Sequence (crdt/sequence.hpp) keeps.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <netsync/crdt/rope_nodes.hpp>
#include <netsync/crdt/run.hpp>
#include <utility>

namespace netsync::detail {

/// A B+ tree of runs whose nodes are shared by copies and copied when written to (copy-on-write, as in SortedMap); see
/// RopeNodes. All operations: O(log runs); by position: times O(log depth of the bunches). One thread a rope; copies may be
/// used by different threads.
template <class Content>
class Rope : RopeNodes<Content> {
    using Nodes = RopeNodes<Content>;
    using Nodes::describe, Nodes::erase_child, Nodes::erase_runs, Nodes::fan_out, Nodes::first_of, Nodes::inner,
        Nodes::insert_child, Nodes::insert_run, Nodes::is_small, Nodes::leaf, Nodes::make_leaf, Nodes::max_runs,
        Nodes::open, Nodes::own, Nodes::release, Nodes::reserve, Nodes::share;
    using typename Nodes::Child, typename Nodes::Inner, typename Nodes::Leaf, typename Nodes::Node;

   public:
    class Walk;
    struct Neighbours {
        Element before, after;  ///< none at the ends
    };
    struct Found {
        std::size_t index;  ///< how many elements lie before it
        bool here;          ///< whether it is the one at that index
        Neighbours near;    ///< of the gap before that index
    };

    Rope() = default;
    Rope(const Rope& other) noexcept : root_(share(other.root_)), size_(other.size_) {}
    Rope(Rope&& other) noexcept : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {
        other.finger_ = {};
    }
    Rope& operator=(Rope other) noexcept {
        std::swap(root_, other.root_);
        std::swap(size_, other.size_);
        finger_ = {};  // it was a place in what goes
        return *this;
    }
    ~Rope() { release(root_); }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// Copies that nobody has written to since.
    bool is_same(const Rope& other) const noexcept { return root_ == other.root_; }
    /// The runs from the one that holds `index`, which is cut to start there.
    Walk walk(std::size_t index = 0) const { return Walk{*this, index}; }

    /// The elements on both sides of the gap before `index`, which is at most size().
    Neighbours neighbours(std::size_t index) const noexcept {
        Neighbours result{};
        const Node* node = root_;
        if (!node) return result;
        const bool near = finger_.is_at_gap(index);
        std::size_t at = near ? index - finger_.start : index;
        for (std::size_t depth = 0; node->level > 0; ++depth) {
            std::size_t child = near ? finger_.steps[depth] : 0;
            for (; !near && at > inner(node)->sizes[child]; ++child) at -= inner(node)->sizes[child];
            if (child + 1u < node->count) result.after = inner(node)->firsts[child + 1];
            node = inner(node)->nodes[child];
        }
        const Run* run = leaf(node)->runs();
        const Run* end = run + node->count;
        for (; at > run->length; ++run) at -= run->length;
        if (at > 0) result.before = run->element(static_cast<std::uint32_t>(at) - 1);
        if (at < run->length)
            result.after = run->element(static_cast<std::uint32_t>(at));
        else if (run + 1 < end)
            result.after = run[1].element();
        return result;
    }

    /// Where `element` is or would be; without a dot, the first at its position. `guess`: an index near which it may be;
    /// a right guess costs two comparisons.
    Found find(const Element& element, std::size_t guess) const noexcept {
        if (guess <= size_) {
            const Neighbours near = neighbours(guess);
            const auto before = near.before ? compare(near.before, element) : std::strong_ordering::less;
            if (before < 0) {
                const auto after = near.after ? compare(near.after, element) : std::strong_ordering::greater;
                if (after >= 0) return {guess, after == 0, near};
            } else if (same_bunch(near.before.position.bunch, element.position.bunch) &&
                       near.before.position.offset == element.position.offset) {
                return find(element, guess - 1);
            }
        }
        return find(element);
    }

    Found find(const Element& element) const noexcept {
        const Node* node = root_;
        if (!node) return {0, false, {}};
        std::size_t index = 0;
        const auto starts_before = [&](const Element& first) { return compare(first, element) <= 0; };
        for (; node->level > 0;) {
            const Element* firsts = inner(node)->firsts.data();
            const Element* after = std::partition_point(firsts + 1, firsts + node->count, starts_before);
            const auto child = static_cast<std::size_t>(after - firsts) - 1;
            for (std::size_t at = 0; at < child; ++at) index += inner(node)->sizes[at];
            node = inner(node)->nodes[child];
        }
        const Run* runs = leaf(node)->runs();
        const Run* end =
            std::partition_point(runs, runs + node->count, [&](const Run& at) { return starts_before(at.element()); });
        bool here = false;
        for (const Run* at = runs; at != end; ++at) {
            if (at + 1 != end) {
                index += at->length;
                continue;
            }
            const std::uint32_t before = at->count_before(element);
            here = before < at->length && compare(at->element(before), element) == 0;
            index += before;
        }
        return {index, here, neighbours(index)};
    }

    /// Inserts the elements of `run` before `index`; their values are those of `from` starting at `first`.
    void insert(std::size_t index, Run run, const Content& from, std::size_t first) {
        while (run.length > 0) {
            const std::uint32_t length = std::min(run.length, Content::chunk);
            insert_chunk(index, run.part(0, length), from, first);
            run = run.part(length, run.length - length);
            index += length;
            first += length;
        }
    }

    void erase(std::size_t index, std::size_t count) {
        while (count > 0) count -= erase_in_leaf(index, count);
    }

   private:
    /// The leaf that was last written to, since the next change is mostly beside it: of which elements it is, and the way.
    struct Finger {
        std::size_t start = 0;
        std::size_t size = 0;  // 0: none
        std::array<std::uint8_t, 16> steps{};

        bool is_at(std::size_t index) const noexcept { return index - start < size; }
        bool is_at_gap(std::size_t index) const noexcept {
            return index - start - 1 < size || (index == 0 && start == 0 && size > 0);
        }
    };
    struct Step {
        Inner* node;
        std::size_t child;
    };
    struct Path {
        std::array<Step, 16> steps;
        std::size_t depth = 0;
    };

    Node*& place_in(const Path& path, std::size_t depth) {
        if (depth == 0) return root_;
        const Step& step = path.steps[depth - 1];
        return step.node->nodes[step.child];
    }

    /// The leaf at `at`, which becomes the place within it; the way to it; all of it writable. Between two leaves it is
    /// the left one for an insertion.
    Leaf* descend(Path& path, std::size_t& at, bool inserting) {
        const std::size_t index = at;
        const bool near = inserting ? finger_.is_at_gap(index) : finger_.is_at(index);
        if (near) at -= finger_.start;
        Node* node = own(root_);
        while (node->level > 0) {
            const auto& sizes = inner(node)->sizes;
            std::size_t child = near ? finger_.steps[path.depth] : 0;
            for (; !near && (at > sizes[child] || (!inserting && at == sizes[child])); ++child) at -= sizes[child];
            finger_.steps[path.depth] = static_cast<std::uint8_t>(child);
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->nodes[child]);
        }
        finger_.start = index - at;
        finger_.size = leaf(node)->content.size();
        return leaf(node);
    }

    // Growing.

    void insert_chunk(std::size_t index, const Run& run, const Content& from, std::size_t first) {
        if (!root_) {
            Leaf* only = make_leaf(1);
            if (from.size() == run.length)
                only->content = from;
            else
                only->content.insert(0, from, first, run.length);
            open(only, 0, run);
            root_ = only;
            size_ = run.length;
            return;
        }
        Path path;
        std::size_t at = index;
        Leaf* here = descend(path, at, true);
        if (here->count + 2u > max_runs || here->content.is_full(from, first, run.length)) {
            if (index == size_) {  // what comes in order fills its leaves
                Leaf* right = make_leaf(max_runs);
                right->content.insert(0, from, first, run.length);
                open(right, 0, run);
                size_ += run.length;
                return add_child(path, path.depth, right);
            }
            add_child(path, path.depth, split(path));
            return insert_chunk(index, run, from, first);
        }
        here = reserve(place_in(path, path.depth), 2);
        here->content.insert(at, from, first, run.length);
        insert_run(here, at, run);
        size_ += run.length;
        finger_.size += run.length;
        const Node* node = here;
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [above, child] = path.steps[depth - 1];
            above->sizes[child] += run.length;
            if (at == 0) above->firsts[child] = first_of(node);
            node = above;
        }
    }

    /// The right half of a full leaf, taken out of it: of its runs where these are many, else of its elements.
    Leaf* split(const Path& path) {
        Leaf* left = reserve(place_in(path, path.depth), leaf(place_in(path, path.depth))->count < max_runs ? 1 : 0);
        Run* runs = left->runs();
        const bool many = left->count + 2u > max_runs;
        const std::size_t half = left->content.size() / 2;
        std::size_t which = 0, at = 0;
        while (many ? which < left->count / 2u : at + runs[which].length <= half) at += runs[which++].length;
        if (!many && at < half) {
            const auto within = static_cast<std::uint32_t>(half - at);
            const Run after = runs[which].part(within, runs[which].length - within);
            runs[which].length = within;
            open(left, ++which, after);
            at = half;
        }
        Leaf* right = make_leaf(max_runs);
        right->content = left->content.split(at);
        right->count = static_cast<std::uint8_t>(left->count - which);
        std::copy_n(runs + which, right->count, right->runs());
        left->count = static_cast<std::uint8_t>(which);
        return right;
    }

    /// A new node right of the one at `depth` of the path, whose own place in its parent is brought up to date.
    void add_child(const Path& path, std::size_t depth, Node* right) {
        finger_ = {};
        if (depth == 0) {
            Inner* root = new Inner;
            root->level = static_cast<std::uint8_t>(root_->level + 1);
            root->count = 2;
            root->put(0, describe(root_));
            root->put(1, describe(right));
            root_ = root;
            return;
        }
        const auto [parent, child] = path.steps[depth - 1];
        parent->put(child, describe(parent->nodes[child]));
        if (parent->count < fan_out) {
            insert_child(parent, child + 1, describe(right));
            for (--depth; depth > 0; --depth) {
                const auto [above, place] = path.steps[depth - 1];
                above->put(place, describe(above->nodes[place]));
            }
            return;
        }
        Inner* next = new Inner;
        next->level = parent->level;
        const std::size_t half = child + 1 == fan_out ? fan_out : fan_out / 2;
        next->count = static_cast<std::uint8_t>(fan_out - half);
        for (std::size_t at = half; at < fan_out; ++at) next->put(at - half, parent->child(at));
        parent->count = static_cast<std::uint8_t>(half);
        if (child + 1 > half || half == fan_out)
            insert_child(next, child + 1 - half, describe(right));
        else
            insert_child(parent, child + 1, describe(right));
        add_child(path, depth - 1, next);
    }

    // Shrinking.

    /// Erases what one leaf holds of the elements from `index` on; says how many.
    std::size_t erase_in_leaf(std::size_t index, std::size_t count) {
        Path path;
        std::size_t at = index;
        Leaf* here = descend(path, at, false);
        count = std::min(count, here->content.size() - at);
        if (here->count == max_runs) {  // a run may become two
            add_child(path, path.depth, split(path));
            return erase_in_leaf(index, count);
        }
        here = reserve(place_in(path, path.depth), 1);
        here->content.erase(at, count);
        erase_runs(here, at, count);
        size_ -= count;
        finger_.size -= count;
        balance(path, here, count);
        return count;
    }

    /// After an erasure: no node is empty, small neighbours become one, and the root has more than one child.
    void balance(const Path& path, Node* node, std::size_t erased) {
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [parent, child] = path.steps[depth - 1];
            if (node->count == 0) {
                finger_ = {};
                release(node);
                erase_child(parent, child);
            } else {
                parent->sizes[child] -= erased;
                parent->firsts[child] = first_of(node);
                if (is_small(node) && child + 1u < parent->count)
                    unite(parent, child);
                else if (is_small(node) && child > 0)
                    unite(parent, child - 1);
            }
            node = parent;
        }
        while (root_->level > 0 && root_->count == 1) {
            finger_ = {};
            Node* only = share(inner(root_)->nodes[0]);
            release(std::exchange(root_, only));
        }
        if (root_->count == 0) release(std::exchange(root_, nullptr));
    }

    /// The children `at` and `at + 1` become one, if that leaves it room.
    void unite(Inner* parent, std::size_t at) {
        const Node *a = parent->nodes[at], *b = parent->nodes[at + 1];
        if (a->count + b->count > fan_out * 3 / 4) return;
        if (a->level == 0 && !(leaf(a)->content.is_small() && leaf(b)->content.is_small())) return;
        finger_ = {};
        Node* right = own(parent->nodes[at + 1]);
        Node* left = own(parent->nodes[at]);
        if (left->level == 0) {
            left = reserve(parent->nodes[at], right->count);
            leaf(left)->content.insert(leaf(left)->content.size(), leaf(right)->content, 0,
                                       leaf(right)->content.size());
            std::copy_n(leaf(right)->runs(), right->count, leaf(left)->runs() + left->count);
        } else {
            for (std::size_t from = 0; from < right->count; ++from)
                inner(left)->put(left->count + from, inner(right)->child(from));
        }
        left->count = static_cast<std::uint8_t>(left->count + right->count);
        right->count = 0;
        release(right);
        parent->put(at, describe(left));
        erase_child(parent, at + 1);
    }

    Node* root_ = nullptr;
    std::size_t size_ = 0;
    Finger finger_;
};

/// Goes through the runs in order. Good until the rope changes.
template <class Content>
class Rope<Content>::Walk {
   public:
    Walk(const Rope& rope, std::size_t index) {
        if (index >= rope.size_) return;
        const Node* node = rope.root_;
        const bool near = rope.finger_.is_at(index);
        if (near) index -= rope.finger_.start;
        for (; node->level > 0;) {
            std::size_t child = near ? rope.finger_.steps[depth_] : 0;
            for (; !near && index >= inner(node)->sizes[child]; ++child) index -= inner(node)->sizes[child];
            above_[depth_++] = {inner(node), child};
            node = inner(node)->nodes[child];
        }
        leaf_ = leaf(node);
        for (; index >= leaf_->runs()[run_].length; ++run_) {
            index -= leaf_->runs()[run_].length;
            at_ += leaf_->runs()[run_].length;
        }
        within_ = static_cast<std::uint32_t>(index);
        at_ += index;
    }

    explicit operator bool() const noexcept { return leaf_ != nullptr; }
    Run run() const noexcept {
        const Run& run = leaf_->runs()[run_];
        return run.part(within_, run.length - within_);
    }
    /// The values of the run are those of content() from at() on.
    const Content& content() const noexcept { return leaf_->content; }
    std::size_t at() const noexcept { return at_; }

    void next() {
        at_ += leaf_->runs()[run_].length - within_;
        within_ = 0;
        if (++run_ < leaf_->count) return;
        next_leaf();
    }
    /// Past all runs that share their content with this one.
    void next_leaf() {
        leaf_ = nullptr;
        run_ = 0;
        at_ = 0;
        within_ = 0;
        for (; depth_ > 0; --depth_) {
            auto& [node, child] = above_[depth_ - 1];
            if (++child == node->count) continue;
            const Node* down = node->nodes[child];
            for (; down->level > 0; down = inner(down)->nodes[0]) above_[depth_++] = {inner(down), 0};
            leaf_ = leaf(down);
            return;
        }
    }

   private:
    struct Level {
        const Inner* node;
        std::size_t child;
    };
    std::array<Level, 16> above_;  // as deep as depth_
    std::size_t depth_ = 0;
    const Leaf* leaf_ = nullptr;
    std::size_t run_ = 0;
    std::uint32_t within_ = 0;
    std::size_t at_ = 0;
};

}  // namespace netsync::detail
