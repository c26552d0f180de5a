// netsync: a sequence that nearly always holds one item. The dots of an element: one, unless replicas wrote at once.
#pragma once

#include <cstddef>
#include <netsync/detail/lazy.hpp>
#include <utility>
#include <vector>

namespace netsync::detail {

/// The first item lies inside; the second, behind one pointer, with the others: two take one piece of the heap. `Item{}`
/// stands for "none"; `Item::operator bool` tells. Value semantics; the order of items means nothing.
template <class Item>
class OneOrMore {
   public:
    bool empty() const noexcept { return !first_; }
    std::size_t size() const noexcept { return (first_ ? 1u : 0u) + (more_ ? 1u + more_->others.size() : 0u); }

    void push_back(Item item) {
        if (!first_)
            first_ = std::move(item);
        else if (!more_)
            more_.make().second = std::move(item);
        else
            more_->others.push_back(std::move(item));
    }

    template <class F>
    void for_each(F&& f) const {
        if (first_) f(first_);
        if (!more_) return;
        f(more_->second);
        for (const Item& item : more_->others) f(item);
    }

    template <class Predicate>
    const Item* find_if(Predicate&& is) const {
        if (first_ && is(first_)) return &first_;
        if (!more_) return nullptr;
        if (is(more_->second)) return &more_->second;
        for (const Item& item : more_->others)
            if (is(item)) return &item;
        return nullptr;
    }

    /// Keeps the items that `keep` accepts; true if any went.
    template <class Predicate>
    bool retain(Predicate&& keep) {
        bool dropped = false;
        if (more_) {
            dropped = std::erase_if(more_->others, [&](const Item& item) { return !keep(item); }) > 0;
            if (!keep(more_->second)) dropped = true, drop_second();
        }
        if (first_ && !keep(first_)) {
            dropped = true;
            first_ = more_ ? std::move(more_->second) : Item{};
            if (more_) drop_second();
        }
        return dropped;
    }

   private:
    struct More {
        Item second{};
        std::vector<Item> others;
    };

    void drop_second() {
        if (more_->others.empty()) return more_.reset();
        more_->second = std::move(more_->others.back());
        more_->others.pop_back();
    }

    Item first_{};
    Lazy<More> more_;
};

}  // namespace netsync::detail
