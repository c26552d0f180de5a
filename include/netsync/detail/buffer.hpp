// netsync: bytes being written. Small messages never leave the stack until they are done.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace netsync::detail {

/// Appends without initialising first; the first 256 bytes lie inside. Neither copied nor moved.
class Buffer {
   public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    std::size_t size() const noexcept { return size_; }
    std::byte* data() noexcept { return at_; }
    const std::byte* data() const noexcept { return at_; }
    std::span<const std::byte> view() const noexcept { return {at_, size_}; }
    std::vector<std::byte> take() const { return {at_, at_ + size_}; }

    /// Room for `count` more bytes, to be written at once and then counted with `grow`.
    std::byte* room(std::size_t count) {
        if (capacity_ - size_ < count) enlarge(count);
        return at_ + size_;
    }
    void grow(std::size_t count) noexcept { size_ += count; }
    void clear() noexcept { size_ = 0; }

    void append(std::byte value) {
        *room(1) = value;
        ++size_;
    }
    void append(std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
        size_ += bytes.size();
    }
    /// Moves what lies from `position` on by `count` bytes; the gap is the caller's to fill.
    void open_gap(std::size_t position, std::size_t count) {
        room(count);
        std::memmove(at_ + position + count, at_ + position, size_ - position);
        size_ += count;
    }

   private:
    void enlarge(std::size_t count) {
        capacity_ = std::max(capacity_ * 2, size_ + count);
        auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
        std::memcpy(larger.get(), at_, size_);
        heap_ = std::move(larger);
        at_ = heap_.get();
    }

    std::byte inside_[256];
    std::unique_ptr<std::byte[]> heap_;
    std::byte* at_ = inside_;
    std::size_t size_ = 0;
    std::size_t capacity_ = sizeof inside_;
};

}  // namespace netsync::detail
