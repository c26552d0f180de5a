// netsync: "is it on disk yet?". Commits begin and end, at once or later; those who wait for one hear of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <netsync/observe/subscription.hpp>
#include <system_error>
#include <utility>
#include <vector>

namespace netsync {

/// Commits are numbered from 1; one at a time is under way. Every call is made under the replica's mutex; answers go out
/// as notifications.
class Durability {
   public:
    using Answer = std::function<void(std::error_code)>;

    bool is_committing() const noexcept { return committing_; }

    /// A commit of all that was staged, and so of this replica's own changes up to `counter`.
    void begin(std::uint64_t counter) noexcept {
        committing_ = true;
        committing_to_ = counter;
        ++begun_;
    }

    /// It succeeded: those who waited for it hear so. Or not: then all hear why.
    void end(std::error_code error, Notifications& notifications) {
        committing_ = false;
        if (!error) durable_to_ = committing_to_;
        std::erase_if(waiters_, [&](const Waiter& waiter) {
            if (!error && waiter.commit > begun_) return false;
            answer(*waiter.observers, error, notifications);
            return true;
        });
    }

    /// This replica's counters begin anew.
    void begin_anew() noexcept { durable_to_ = committing_to_ = 0; }

    /// The answer to whoever waits for this own change; `staged`: whether anything waits for the next commit.
    [[nodiscard]] Subscription await(std::uint64_t counter, bool staged, Answer f, Notifications& notifications) {
        auto observers = std::make_shared<Observers<std::error_code>>();
        Subscription subscription =
            observers->subscribe([f = std::move(f)](const std::error_code& error) { f(error); });
        const bool pending = counter > durable_to_ && (staged || committing_);
        if (pending)
            waiters_.push_back({begun_ + (staged && !(committing_ && counter <= committing_to_) ? 1 : 0), observers});
        else
            answer(*observers, {}, notifications);
        return subscription;
    }

   private:
    struct Waiter {
        std::uint64_t commit;
        std::shared_ptr<Observers<std::error_code>> observers;
    };

    static void answer(Observers<std::error_code>& observers, std::error_code error, Notifications& notifications) {
        observers.notify(std::make_shared<const std::error_code>(error), notifications);
    }

    bool committing_ = false;
    std::uint64_t begun_ = 0;
    std::uint64_t committing_to_ = 0;
    std::uint64_t durable_to_ = 0;
    std::vector<Waiter> waiters_;
};

}  // namespace netsync
