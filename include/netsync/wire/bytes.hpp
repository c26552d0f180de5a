// netsync: bytes as they are stored and sent.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <netsync/detail/spare.hpp>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace netsync {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// Bytes that no longer change: encoded once, then logged and sent to many peers without a copy. Or null. They lie in one
/// piece with the count of their owners: each change allocates some. Copies may be used by different threads.
class SharedBytes {
   public:
    SharedBytes() = default;
    SharedBytes(std::nullptr_t) noexcept {}
    /// A copy.
    explicit SharedBytes(ByteView bytes) {
        *this = make(bytes.size(), [&](std::byte* at) {
            if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        });
    }
    /// Takes them over.
    explicit SharedBytes(Bytes&& bytes) : piece_(new(::operator new(sizeof(Kept))) Kept(std::move(bytes))) {}
    /// Of this size, as `write(at)` writes them.
    template <class F>
    static SharedBytes make(std::size_t size, F&& write) {
        SharedBytes made;
        made.piece_ = new (Room::allocate(sizeof(Piece) + size)) Piece{};
        auto* const at = reinterpret_cast<std::byte*>(made.piece_ + 1);
        made.piece_->view = {at, size};
        write(at);
        return made;
    }

    SharedBytes(const SharedBytes& other) noexcept : piece_(other.piece_) {
        if (piece_) piece_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    SharedBytes(SharedBytes&& other) noexcept : piece_(std::exchange(other.piece_, nullptr)) {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(piece_, other.piece_);
        return *this;
    }
    ~SharedBytes() {
        if (piece_ && piece_->is_let_go()) free();
    }

    explicit operator bool() const noexcept { return piece_ != nullptr; }
    const ByteView& operator*() const noexcept { return piece_->view; }
    const ByteView* operator->() const noexcept { return &piece_->view; }

    /// How many share them; 0 for null.
    std::size_t use_count() const noexcept { return piece_ ? piece_->owners.load(std::memory_order_acquire) : 0; }

    friend bool operator==(const SharedBytes& bytes, std::nullptr_t) noexcept { return !bytes; }
    /// The same bytes, wherever they lie.
    friend bool operator==(const SharedBytes& a, const SharedBytes& b) noexcept {
        if (!a || !b) return !a && !b;
        return std::equal(a->begin(), a->end(), b->begin(), b->end());
    }

   private:
    /// What was made here follows it in memory.
    struct Piece {
        std::atomic<std::size_t> owners{1};
        ByteView view{};

        bool is_let_go() noexcept {
            return owners.load(std::memory_order_acquire) == 1 || owners.fetch_sub(1, std::memory_order_acq_rel) == 1;
        }
    };

    /// What was taken over is kept beside it.
    struct Kept : Piece {
        explicit Kept(Bytes&& taken) : bytes(std::move(taken)) { this->view = bytes; }
        Bytes bytes;
    };

    void free() noexcept {
        const bool is_made_here = piece_->view.data() == reinterpret_cast<const std::byte*>(piece_ + 1);
        if (is_made_here) return Room::free(piece_, sizeof(Piece) + piece_->view.size());
        std::destroy_at(static_cast<Kept*>(piece_));
        ::operator delete(piece_);
    }

    using Room = detail::Spare<SharedBytes>;  // a frame that nobody keeps is gone when its update returns

    Piece* piece_ = nullptr;
};

}  // namespace netsync
