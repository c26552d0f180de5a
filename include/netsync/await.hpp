// netsync: the opt-in header for waiting until a change is replicated, with futures and coroutines: "is it replicated
// yet?". With callbacks it is Replica::on_replicated.
#pragma once

#include <atomic>
#include <coroutine>
#include <future>
#include <memory>
#include <netsync/replica.hpp>
#include <utility>

namespace netsync {

/// What when_replicated() returns. Await it, or take its future, once. Destroying it while a coroutine waits for it, which
/// is what destroying the coroutine does, cancels it.
template <class Replica>
class [[nodiscard]] Replication {
   public:
    Replication(Replica& replica, const Token& token, Audience audience, Duration timeout)
        : replica_(replica), token_(token), audience_(std::move(audience)), timeout_(timeout) {}
    Replication(Replication&&) noexcept = default;
    ~Replication() {
        if (waiting_) waiting_->subscription.reset();
    }

    /// The answer, for a thread to wait for: not one that runs the replica's transport. It comes at the timeout at the
    /// latest, or when the replica stops.
    std::future<std::error_code> future() && {
        struct Promised {
            std::promise<std::error_code> promise;
            Subscription subscription;
        };
        const auto promised = std::make_shared<Promised>();
        std::future<std::error_code> future = promised->promise.get_future();
        promised->subscription =
            replica_.on_replicated(token_, std::move(audience_), timeout_,
                                   [promised](std::error_code error) { promised->promise.set_value(error); });
        return future;
    }

    bool await_ready() const noexcept { return false; }

    /// The coroutine goes on where the answer is told: on a thread of the transport, without the replica's mutex.
    bool await_suspend(std::coroutine_handle<> coroutine) {
        waiting_ = std::make_shared<Waiting>();
        const std::shared_ptr<Waiting> waiting = waiting_;  // the coroutine may go on, and end, before this returns
        waiting->subscription =
            replica_.on_replicated(token_, std::move(audience_), timeout_, [waiting, coroutine](std::error_code error) {
                waiting->answer = error;
                if (waiting->met.exchange(true)) coroutine.resume();
            });
        return !waiting->met.exchange(true);
    }

    std::error_code await_resume() const noexcept { return waiting_->answer; }

   private:
    struct Waiting {
        std::error_code answer;
        Subscription subscription;
        std::atomic<bool> met{false};  // by the answer or by the suspension, whichever comes first
    };

    Replica& replica_;
    Token token_;
    Audience audience_;
    Duration timeout_;
    std::shared_ptr<Waiting> waiting_;
};

/// `co_await when_replicated(replica, token, Audience::peers(2), 5s)`, or `when_replicated(...).future()`: an empty
/// std::error_code when the audience holds the change and all before it; else as Replica::on_replicated says.
template <store Store, transport Transport, clock Clock, crdt CrdtType>
Replication<Replica<Store, Transport, Clock, CrdtType>>
when_replicated(Replica<Store, Transport, Clock, CrdtType>& replica, const Token& token, Audience audience,
                Duration timeout) {
    return {replica, token, std::move(audience), timeout};
}

}  // namespace netsync
