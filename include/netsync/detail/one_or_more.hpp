// netsync: a sequence that nearly always holds one item. The dots of an element: one, unless replicas wrote at once.
#pragma once

#include <cstddef>
#include <netsync/detail/lazy.hpp>
#include <utility>
#include <vector>

namespace netsync::detail {

/// The first item lies inside, the others behind one pointer. `Item{}` stands for "none"; `Item::operator bool` tells.
/// Value semantics; the order of items is that of insertion and means nothing.
template <class Item>
class OneOrMore {
   public:
    bool empty() const noexcept { return !first_; }
    std::size_t size() const noexcept { return (first_ ? 1u : 0u) + (more_ ? more_->size() : 0u); }

    void push_back(Item item) {
        if (!first_)
            first_ = std::move(item);
        else
            more_.make().push_back(std::move(item));
    }

    template <class F>
    void for_each(F&& f) const {
        if (first_) f(first_);
        if (more_)
            for (const Item& item : *more_) f(item);
    }

    template <class Predicate>
    const Item* find_if(Predicate&& is) const {
        if (first_ && is(first_)) return &first_;
        if (more_)
            for (const Item& item : *more_)
                if (is(item)) return &item;
        return nullptr;
    }

    /// Keeps the items that `keep` accepts; true if any went.
    template <class Predicate>
    bool retain(Predicate&& keep) {
        bool dropped = false;
        if (more_) dropped = std::erase_if(*more_, [&](const Item& item) { return !keep(item); }) > 0;
        if (first_ && !keep(first_)) {
            dropped = true;
            first_ = Item{};
            if (more_ && !more_->empty()) {
                first_ = std::move(more_->back());
                more_->pop_back();
            }
        }
        if (more_ && more_->empty()) more_.reset();
        return dropped;
    }

   private:
    Item first_{};
    Lazy<std::vector<Item>> more_;
};

}  // namespace netsync::detail
