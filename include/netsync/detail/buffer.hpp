// netsync: bytes being written. Small messages never leave the stack until they are done.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace netsync::detail {

/// Appends without initialising first; the first 256 bytes lie inside. Neither copied nor moved.
class Buffer {
   public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    /// For empty ones. What is written is counted and let go of, but for the last part of it.
    void measure() noexcept { measures_ = true; }
    /// For empty ones. So many bytes are to come, which take() then gives without a copy.
    void expect(std::size_t size) {
        whole_.resize(size);
        at_ = whole_.data();
        capacity_ = size;
    }

    std::size_t size() const noexcept { return before_ + size_; }
    void set(std::size_t position, std::byte value) noexcept {
        if (position >= before_) at_[position - before_] = value;
    }
    std::span<const std::byte> view() const noexcept { return {at_, size_}; }
    std::vector<std::byte> take() {
        if (whole_.empty() || at_ != whole_.data()) return {at_, at_ + size_};
        whole_.resize(size_);
        at_ = inside_;
        size_ = 0;
        capacity_ = sizeof inside_;
        return std::exchange(whole_, {});
    }

    /// Room for `count` more bytes, to be written at once and then counted with `grow`.
    [[gnu::always_inline]] std::byte* room(std::size_t count) {
        if (capacity_ - size_ < count) enlarge(count);
        return at_ + size_;
    }
    void grow(std::size_t count) noexcept { size_ += count; }
    void clear() noexcept { size_ = before_ = 0; }

    [[gnu::always_inline]] void append(std::byte value) {
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
        const std::size_t from = position > before_ ? position - before_ : 0;
        std::memmove(at_ + from + count, at_ + from, size_ - from);
        size_ += count;
    }

   private:
    void enlarge(std::size_t count) {
        if (measures_ && capacity_ >= std::max(kept, count)) {
            before_ += std::exchange(size_, 0);
            return;
        }
        capacity_ = std::max(capacity_ * 2, size_ + count);
        auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
        std::memcpy(larger.get(), at_, size_);
        heap_ = std::move(larger);
        at_ = heap_.get();
    }

    static constexpr std::size_t kept = std::size_t{64} << 10;

    std::byte inside_[256];
    std::unique_ptr<std::byte[]> heap_;
    std::byte* at_ = inside_;
    std::size_t size_ = 0;
    std::size_t capacity_ = sizeof inside_;
    std::size_t before_ = 0;  // bytes that were let go of
    bool measures_ = false;
    std::vector<std::byte> whole_;
};

}  // namespace netsync::detail
