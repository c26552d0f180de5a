// netsync: a transport's one timer. A replica sets it at nearly every step, mostly to a time no earlier than the one it
// is armed for; that costs no more than a lock.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <netsync/detail/asio.hpp>
#include <netsync/options.hpp>
#include <system_error>
#include <utility>

namespace netsync::detail {

/// Time since the steady clock's epoch.
inline Duration steady_now() noexcept { return std::chrono::steady_clock::now().time_since_epoch(); }

class Alarm {
   public:
    /// `ring` is called on the executor.
    Alarm(const asio::any_io_executor& executor, std::function<void()> ring)
        : timer_(executor), ring_(std::move(ring)) {}

    /// Rings once at `time` or soon after; replaces the time before. Any thread, and never waits.
    void set(Duration time) {
        {
            const std::lock_guard lock{mutex_};
            wanted_ = time;
            if (armed_ <= time) return;  // when the timer expires, it sees the later time
            armed_ = time;
        }
        asio::post(timer_.get_executor(), [this] { arm(); });
    }

    /// On the executor.
    void stop() { timer_.cancel(); }

   private:
    static constexpr Duration never = Duration::max();
    static constexpr Duration longest_wait = std::chrono::hours{1};  // far from where time points overflow

    void arm() {
        Duration time;
        {
            const std::lock_guard lock{mutex_};
            time = armed_;
        }
        if (time == never) return;
        const Duration now = steady_now();
        timer_.expires_after(time <= now ? Duration{0} : std::min(time - now, longest_wait));
        timer_.async_wait([this](std::error_code error) {
            if (!error) expired();
        });
    }

    void expired() {
        bool due;
        {
            const std::lock_guard lock{mutex_};
            due = wanted_ <= steady_now();
            armed_ = due ? never : wanted_;
            if (due) wanted_ = never;
        }
        due ? ring_() : arm();
    }

    std::mutex mutex_;
    Duration wanted_ = never;
    Duration armed_ = never;  // no later than wanted_
    asio::steady_timer timer_;
    std::function<void()> ring_;
};

}  // namespace netsync::detail
