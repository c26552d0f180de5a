// netsync: "is it on disk yet?". Commits begin and end, at once or later; those who wait for one hear of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <netsync/causal/replica_id.hpp>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/observe/subscription.hpp>
#include <netsync/wire/snapshot.hpp>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace netsync {

/// What is not durable yet: of each origin that has any, the changes behind a head; and whether there is more than changes.
class Undurable {
   public:
    /// A change of an origin whose history stood here before.
    void add(const Head& before) {
        if (!staged_.behind.contains(before.replica)) staged_.behind[before.replica] = before;
    }
    void add_more() noexcept { staged_.more = true; }
    void begin_commit() { committing_ = std::exchange(staged_, {}); }
    void end_commit(bool succeeded) {
        if (!succeeded) {
            for (const auto& [origin, head] : committing_.behind) staged_.behind[origin] = head;  // the earlier one
            staged_.more = staged_.more || committing_.more;
        }
        committing_ = {};
    }

    bool contains(const ReplicaId& origin, std::uint64_t counter) const {
        const Head* before = before_first(origin);
        return before && counter > before->counter;
    }
    /// Where the histories stand without it, if it is changes only, and none is of an origin of which nothing is durable: who
    /// comes to a pool asks nobody for a state who seems to hold nothing.
    std::optional<std::vector<Head>> heads_without(const std::vector<Head>& heads) const {
        if (staged_.more || committing_.more) return std::nullopt;
        std::vector<Head> durable;
        for (const Head& head : heads) {
            const Head* before = before_first(head.replica);
            if (before && before->counter == 0) return std::nullopt;
            durable.push_back(before ? *before : head);
        }
        return durable;
    }

   private:
    struct Part {
        detail::OrderedMap<ReplicaId, Head> behind{};
        bool more = false;
    };

    const Head* before_first(const ReplicaId& origin) const {
        const Head* earlier = committing_.behind.find(origin);
        return earlier ? earlier : staged_.behind.find(origin);
    }

    Part staged_, committing_;
};

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
        if (!error) succeeded_ = begun_;
        if (waiters_.empty()) return;
        std::erase_if(waiters_, [&](const Waiter& waiter) {
            if (!error && waiter.commit > begun_) return false;
            answer(*waiter.observers, error, notifications);
            return true;
        });
    }

    /// The commit with which all is durable that there is now; `staged`: whether anything waits for the next one.
    std::uint64_t commit_of_all(bool staged) const noexcept { return begun_ + (staged ? 1 : 0); }
    /// Whether what was to be durable with a commit is so.
    bool has_succeeded(std::uint64_t commit) const noexcept { return commit <= succeeded_; }

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
    std::uint64_t succeeded_ = 0;  // the latest
    std::uint64_t committing_to_ = 0;
    std::uint64_t durable_to_ = 0;
    std::vector<Waiter> waiters_;
};

}  // namespace netsync
