// netsync: "is it replicated yet?". A token and for whom come in; the answer goes out when those are known to hold it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <netsync/error.hpp>
#include <netsync/observe/subscription.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/member.hpp>
#include <vector>

namespace netsync {

/// Who is to have a change: so many of the other members, or these, or `everyone` that is not stale (and at least one).
struct Audience {
    std::size_t count = 0;
    std::vector<ReplicaId> replicas{};

    static Audience everyone() { return {}; }
    static Audience peers(std::size_t count) { return {count, {}}; }
    static Audience these(std::vector<ReplicaId> replicas) { return {0, std::move(replicas)}; }
};

/// The calls that wait for a change to be replicated. Bounded by limits.waiters. Every call is made under the replica's
/// mutex; answers go out as notifications.
class Waiters {
   public:
    using Answer = std::function<void(std::error_code)>;

    bool empty() const noexcept { return waiters_.empty(); }
    std::size_t size() const noexcept { return waiters_.size(); }
    std::uint64_t refused() const noexcept { return refused_; }

    /// Asks again, for as long as anybody waits, at this time.
    Duration next_at() const noexcept { return waiters_.empty() ? Duration::max() : next_at_; }

    [[nodiscard]] Subscription add(const ReplicaCounter& token, Audience audience, Duration deadline, Answer answer,
                                   Duration now) {
        auto observers = std::make_shared<Observers<std::error_code>>();
        Subscription subscription =
            observers->subscribe([answer = std::move(answer)](const std::error_code& error) { answer(error); });
        waiters_.push_back({token, std::move(audience), deadline, std::move(observers)});
        next_at_ = now;
        return subscription;
    }

    /// Answers those whose audience has their change, and those whose time is up. `resolve(token)` is where a change is
    /// now; `members` an OrderedMap of Member.
    template <class Members, class Resolve>
    void check(const Members& members, Resolve&& resolve, Duration now, Notifications& notifications) {
        std::erase_if(waiters_, [&](Waiter& waiter) {
            const bool there = has(waiter.audience, resolve(waiter.token), members);
            if (!there && now < waiter.deadline) return false;
            answer(waiter, there ? std::error_code{} : make_error_code(errc::timed_out), notifications);
            return true;
        });
    }

    /// Ends all, with std::errc::operation_canceled.
    void cancel(Notifications& notifications) {
        for (Waiter& waiter : waiters_)
            answer(waiter, std::make_error_code(std::errc::operation_canceled), notifications);
        waiters_.clear();
    }

    /// There is no room for the one added last.
    void refuse_last(Notifications& notifications) {
        ++refused_;
        answer(waiters_.back(), errc::too_large, notifications);
        waiters_.pop_back();
    }

    /// Whether it is time to ask; the next time is a moment later.
    bool due(Duration now) {
        if (now < next_at()) return false;
        next_at_ = now + std::chrono::milliseconds{100};
        return true;
    }

    /// Whether somebody waits for what `member` is not known to hold.
    template <class Resolve>
    bool concerns(const Member& member, Resolve&& resolve) const {
        return std::any_of(waiters_.begin(), waiters_.end(), [&](const Waiter& waiter) {
            const ReplicaCounter token = resolve(waiter.token);
            return member.holds(token.replica) < token.counter;
        });
    }

   private:
    struct Waiter {
        ReplicaCounter token;
        Audience audience;
        Duration deadline;
        std::shared_ptr<Observers<std::error_code>> observers;
    };

    static void answer(Waiter& waiter, std::error_code error, Notifications& notifications) {
        waiter.observers->notify(std::make_shared<const std::error_code>(error), notifications);
    }

    template <class Members>
    static bool has(const Audience& audience, const ReplicaCounter& token, const Members& members) {
        if (!audience.replicas.empty())
            return std::all_of(audience.replicas.begin(), audience.replicas.end(), [&](const ReplicaId& replica) {
                const Member* member = members.find(replica);
                return member && member->holds(token.replica) >= token.counter;
            });
        std::size_t holding = 0, counted = 0;
        for (const auto& [replica, member] : members) {
            if (member.state != MemberState::stale) ++counted;
            if (member.holds(token.replica) >= token.counter) ++holding;
        }
        return holding > 0 && holding >= (audience.count > 0 ? audience.count : counted);
    }

    std::vector<Waiter> waiters_;
    std::uint64_t refused_ = 0;
    Duration next_at_{};
};

}  // namespace netsync
