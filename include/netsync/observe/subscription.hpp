// netsync: observers. Changes that were merged come in under the replica's mutex; callbacks go out after it, one at a
// time and in order.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <netsync/causal/replica_id.hpp>
#include <netsync/clock/ntp64.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// Where a change came from.
struct ChangeInfo {
    ReplicaId origin{};
    Ntp64 time{};
    bool local = false;
    bool whole = false;  ///< a whole state was joined: the delta is the state as it is now; anything may have gone
};

/// Keeps an observer subscribed; ends it when destroyed. The callback is not running any more, and will not run again,
/// when the destructor returns (unless that is called from within the callback itself). May outlive the replica.
class [[nodiscard]] Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept {
        if (this != &other) {
            reset();
            gate_ = std::move(other.gate_);
        }
        return *this;
    }
    ~Subscription() { reset(); }

    void reset() {
        if (!gate_) return;
        {
            const std::lock_guard lock{gate_->mutex};
            gate_->open = false;
        }
        gate_.reset();
    }

   private:
    template <class Event>
    friend class Observers;

    struct Gate {
        std::recursive_mutex mutex;  // held while the callback runs; recursive, so that it may end itself
        bool open = true;
    };

    explicit Subscription(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

    std::shared_ptr<Gate> gate_;
};

/// Callbacks that wait for the mutex to be free. A callback must not throw: that ends the program.
class Notifications {
   public:
    void push(std::function<void()> call) { queue_.push_back(std::move(call)); }

    /// Runs what waits, in order, with `lock` released meanwhile. One thread at a time delivers; others leave theirs to
    /// it.
    void deliver(std::unique_lock<std::mutex>& lock) noexcept {
        if (std::exchange(delivering_, true)) return;
        while (!queue_.empty()) {
            const std::function<void()> call = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            call();
            lock.lock();
        }
        delivering_ = false;
    }

   private:
    std::deque<std::function<void()>> queue_;
    bool delivering_ = false;
};

/// The observers of one kind of event. Every call is made under the replica's mutex.
template <class Event>
class Observers {
   public:
    bool empty() const noexcept { return entries_.empty(); }

    Subscription subscribe(std::function<void(const Event&)> callback) {
        auto gate = std::make_shared<Subscription::Gate>();
        entries_.push_back({gate, std::move(callback)});
        return Subscription{std::move(gate)};
    }

    void notify(const std::shared_ptr<const Event>& event, Notifications& notifications) {
        std::erase_if(entries_, [](const Entry& entry) {
            const std::unique_lock lock{entry.gate->mutex, std::try_to_lock};
            return lock && !entry.gate->open;
        });
        for (const Entry& entry : entries_)
            notifications.push([entry, event] {
                const std::lock_guard lock{entry.gate->mutex};
                if (entry.gate->open) entry.callback(*event);
            });
    }

   private:
    struct Entry {
        std::shared_ptr<Subscription::Gate> gate;
        std::function<void(const Event&)> callback;
    };

    std::vector<Entry> entries_;
};

}  // namespace netsync
