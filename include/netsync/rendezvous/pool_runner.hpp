// netsync: what lets a PoolExchange go on by itself: a thread with a clock. Steps go in, when it is woken and in between.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <netsync/options.hpp>
#include <thread>

namespace netsync::rendezvous {

/// A thread that steps a PoolExchange, on the steady clock: when it is woken, and every `interval` for its timeouts.
class PoolRunner {
   public:
    template <class Exchange>
    explicit PoolRunner(Exchange& exchange, Duration interval = std::chrono::milliseconds{50}) {
        exchange.on_wake([this] {
            const std::lock_guard lock{mutex_};
            woken_ = true;
            condition_.notify_one();
        });
        detach_ = [&exchange] { exchange.on_wake(nullptr); };
        thread_ = std::thread([this, &exchange, interval] {
            std::unique_lock lock{mutex_};
            while (!stopped_) {
                condition_.wait_for(lock, interval, [this] { return woken_ || stopped_; });
                woken_ = false;
                lock.unlock();
                exchange.step(now());
                lock.lock();
            }
        });
    }
    PoolRunner(const PoolRunner&) = delete;
    PoolRunner& operator=(const PoolRunner&) = delete;
    ~PoolRunner() {
        detach_();
        {
            const std::lock_guard lock{mutex_};
            stopped_ = true;
            condition_.notify_one();
        }
        thread_.join();
    }

    /// For PoolExchange::meet.
    static Duration now() { return std::chrono::steady_clock::now().time_since_epoch(); }

   private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
    bool stopped_ = false;
    std::function<void()> detach_;
    std::thread thread_;
};

}  // namespace netsync::rendezvous
