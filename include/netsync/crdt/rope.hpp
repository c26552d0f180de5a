// netsync: the elements of a sequence in their order, as runs in a balanced tree that is copied in O(1). Found by index
// and by position. What a Sequence (crdt/sequence.hpp) keeps.
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

/// A B+ tree of runs whose nodes are shared by copies and copied when written to (copy-on-write, as in SortedMap). A leaf
/// holds up to 32 runs, and beside them their values in one `Content`; an inner node holds of each child how many elements
/// it has and the first of them. All operations: O(log runs); by position: times O(log depth of the bunches). One thread a
/// rope; copies may be used by different threads.
template <class Content>
class Rope {
    struct Node;
    struct Leaf;
    struct Inner;

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

    /// Goes through the runs in order. Good until the rope changes.
    class Walk {
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

   private:
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
        Leaf* leaf = descend(path, at, true);
        if (leaf->count + 2u > max_runs || leaf->content.is_full(from, first, run.length)) {
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
        leaf = reserve(place_in(path, path.depth), 2);
        leaf->content.insert(at, from, first, run.length);
        insert_run(leaf, at, run);
        size_ += run.length;
        finger_.size += run.length;
        const Node* node = leaf;
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [above, child] = path.steps[depth - 1];
            above->sizes[child] += run.length;
            if (at == 0) above->firsts[child] = first_of(node);
            node = above;
        }
    }

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

    static void insert_child(Inner* node, std::size_t at, const Child& child) {
        node->shift(at, at + 1);
        node->put(at, child);
        ++node->count;
    }
    static void erase_child(Inner* node, std::size_t at) {
        node->shift(at + 1, at);
        --node->count;
    }

    // Shrinking.

    /// Erases what one leaf holds of the elements from `index` on; says how many.
    std::size_t erase_in_leaf(std::size_t index, std::size_t count) {
        Path path;
        std::size_t at = index;
        Leaf* leaf = descend(path, at, false);
        count = std::min(count, leaf->content.size() - at);
        if (leaf->count == max_runs) {  // a run may become two
            add_child(path, path.depth, split(path));
            return erase_in_leaf(index, count);
        }
        leaf = reserve(place_in(path, path.depth), 1);
        leaf->content.erase(at, count);
        erase_runs(leaf, at, count);
        size_ -= count;
        finger_.size -= count;
        balance(path, leaf, count);
        return count;
    }

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

    static bool is_small(const Node* node) {
        return node->count < fan_out / 4 && (node->level > 0 || leaf(node)->content.is_small());
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

}  // namespace netsync::detail
