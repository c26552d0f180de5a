// netsync: an array that is copied cheaply. What is written to it is written to a piece that nobody else shares.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace netsync::detail {

/// Grows at its end only. Copy: O(size / 256); each piece is copied once when it is next written to. One thread an array;
/// copies may be used by different threads.
template <class T>
class SharedArray {
   public:
    std::size_t size() const noexcept { return size_; }

    const T& operator[](std::size_t at) const noexcept { return (*pieces_[at / piece_size])[at % piece_size]; }

    void set(std::size_t at, const T& value) {
        std::shared_ptr<Piece>& piece = pieces_[at / piece_size];
        if (piece.use_count() > 1) piece = std::make_shared<Piece>(*piece);
        (*piece)[at % piece_size] = value;
    }

    void push_back(const T& value) {
        if (size_ % piece_size == 0) pieces_.push_back(std::make_shared<Piece>());
        set(size_++, value);
    }

   private:
    static constexpr std::size_t piece_size = 256;
    using Piece = std::array<T, piece_size>;

    std::vector<std::shared_ptr<Piece>> pieces_;
    std::size_t size_ = 0;
};

}  // namespace netsync::detail
