// netsync: a value that is rarely there: one pointer while it is absent, copied with its holder when present.
#pragma once

#include <memory>
#include <utility>

namespace netsync::detail {

/// A copyable, optional T on the heap. `T` may be incomplete where only the type is named.
template <class T>
class Lazy {
   public:
    Lazy() = default;
    Lazy(const Lazy& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
    Lazy(Lazy&&) noexcept = default;
    Lazy& operator=(const Lazy& other) { return *this = Lazy{other}; }
    Lazy& operator=(Lazy&&) noexcept = default;
    ~Lazy() = default;

    explicit operator bool() const noexcept { return value_ != nullptr; }
    const T& operator*() const noexcept { return *value_; }
    T& operator*() noexcept { return *value_; }
    const T* operator->() const noexcept { return value_.get(); }
    T* operator->() noexcept { return value_.get(); }

    /// The value, made by default if there is none.
    T& make() {
        if (!value_) value_ = std::make_unique<T>();
        return *value_;
    }
    void reset() noexcept { value_.reset(); }

   private:
    std::unique_ptr<T> value_;
};

}  // namespace netsync::detail
