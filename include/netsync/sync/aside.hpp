// netsync: long work without the replica's mutex. A copy of what is held goes in; meanwhile others read and write.
#pragma once

#include <mutex>
#include <utility>

namespace netsync {

/// Does work that would keep others waiting: `aside(f)` calls `f` with the mutex free and takes it again. `f` may touch
/// copies only; what is held may have changed when it returns. For the thread that brings the transport's events, which
/// holds the mutex once and has no other event to handle meanwhile. Without a mutex, `f` is just called.
class Aside {
   public:
    Aside() = default;
    explicit Aside(std::mutex& mutex) : mutex_(&mutex) {}

    template <class F>
    void operator()(F&& f) const {
        if (!mutex_) return std::forward<F>(f)();
        const Free free{*mutex_};
        std::forward<F>(f)();
    }

   private:
    struct Free {
        explicit Free(std::mutex& held) : mutex(held) { mutex.unlock(); }
        ~Free() { mutex.lock(); }
        Free(const Free&) = delete;
        Free& operator=(const Free&) = delete;
        std::mutex& mutex;
    };

    std::mutex* mutex_ = nullptr;
};

}  // namespace netsync
