// netsync: memory that a thread lets go of and needs again at once: what every change allocates and frees.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace netsync::detail {

/// Allocates and frees blocks, and keeps the small one that a thread freed last for its next. One a thread for each `Tag`.
/// (Not under the address sanitizer, which is to see what is used after it was freed.)
template <class Tag, std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__>
class Spare {
   public:
    static void* allocate(std::size_t size) {
        if (kept_ && kept_size_ >= size && kept_size_ - size < alignment) return std::exchange(kept_, nullptr);
        if constexpr (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__)
            return ::operator new(size, std::align_val_t{alignment});
        else
            return ::operator new(size);
    }
    /// `size`: as it was asked for, or less.
    static void free(void* block, std::size_t size) noexcept {
        if (!keeps || size > small || ended_) return free(block);
        if (kept_) free(kept_);
        kept_ = block;
        kept_size_ = size;
        if (!std::exchange(begun_, true)) keeper_.begin();
    }

   private:
#if defined(__SANITIZE_ADDRESS__)
    static constexpr bool keeps = false;
#elif defined(__has_feature)
    static constexpr bool keeps = !__has_feature(address_sanitizer);
#else
    static constexpr bool keeps = true;
#endif
    static constexpr std::size_t small = 256;

    static void free(void* block) noexcept {
        if constexpr (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__)
            ::operator delete(block, std::align_val_t{alignment});
        else
            ::operator delete(block);
    }

    struct Keeper {
        ~Keeper() {
            ended_ = true;
            free(std::exchange(kept_, nullptr));
        }
        void begin() const noexcept {}  // it is made where a thread first calls it
    };

    static inline constinit thread_local void* kept_ = nullptr;
    static inline constinit thread_local std::size_t kept_size_ = 0;
    static inline constinit thread_local bool begun_ = false;
    static inline constinit thread_local bool ended_ = false;  // the thread: what it holds may be freed later still
    static inline thread_local Keeper keeper_;
};

}  // namespace netsync::detail
