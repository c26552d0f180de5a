// netsync: a contiguous sequence that nearly always holds at most one item. The cloud of a delta's causal context.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <type_traits>
#include <utility>

namespace netsync::detail {

/// The first item lies inside; where there are more, all of them lie together on the heap. Value semantics.
template <class Item>
class Few {
    static_assert(std::is_trivially_copyable_v<Item>);

   public:
    Few() = default;
    explicit Few(Item item) : inside_(item), size_(1) {}
    Few(const Few& other) { assign(other); }
    Few(Few&& other) noexcept
        : inside_(other.inside_), more_(std::move(other.more_)), size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 1)) {}
    Few& operator=(Few other) noexcept {
        inside_ = other.inside_;
        more_ = std::move(other.more_);
        size_ = other.size_;
        capacity_ = other.capacity_;
        return *this;
    }
    ~Few() = default;

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    const Item* data() const noexcept { return more_ ? more_.get() : &inside_; }
    Item* data() noexcept { return more_ ? more_.get() : &inside_; }
    const Item* begin() const noexcept { return data(); }
    const Item* end() const noexcept { return data() + size_; }
    Item* begin() noexcept { return data(); }
    Item* end() noexcept { return data() + size_; }

    /// Before the item at `position`. O(size).
    void insert(std::size_t position, Item item) {
        if (size_ == capacity_) enlarge();
        Item* items = data();
        std::copy_backward(items + position, items + size_, items + size_ + 1);
        items[position] = item;
        ++size_;
    }

    /// From `first` up to `last`. O(size).
    void erase(Item* first, Item* last) noexcept {
        std::copy(last, end(), first);
        size_ -= static_cast<std::size_t>(last - first);
    }

    friend bool operator==(const Few& a, const Few& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

   private:
    void assign(const Few& other) {
        if (other.size_ > 1) {
            more_ = std::make_unique_for_overwrite<Item[]>(other.size_);
            capacity_ = other.size_;
        }
        std::copy(other.begin(), other.end(), data());
        size_ = other.size_;
    }

    void enlarge() {
        auto larger = std::make_unique<Item[]>(capacity_ * 2);
        std::copy(begin(), end(), larger.get());
        more_ = std::move(larger);
        capacity_ *= 2;
    }

    Item inside_{};
    std::unique_ptr<Item[]> more_;  // then nothing lies inside
    std::size_t size_ = 0;
    std::size_t capacity_ = 1;
};

}  // namespace netsync::detail
