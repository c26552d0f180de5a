// netsync: the opt-in header for waiting until a change is replicated or durable, with futures and coroutines: "is it
// replicated yet?". With callbacks these are Replica::on_replicated and on_durable.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <future>
#include <memory>
#include <netsync/replica.hpp>
#include <utility>

namespace netsync {

/// What when_replicated() and when_durable() return. Await it, or take its future, once. Destroying it while a coroutine
/// waits for it, which is what destroying the coroutine does, cancels it.
class [[nodiscard]] Awaited {
   public:
    using Answer = std::function<void(std::error_code)>;

    explicit Awaited(std::function<Subscription(Answer)> ask) : ask_(std::move(ask)) {}
    Awaited(Awaited&&) noexcept = default;
    ~Awaited() {
        if (waiting_) waiting_->subscription.reset();
    }

    /// The answer, for a thread to wait for: not one that runs the replica's transport, or its callbacks. It comes at the
    /// timeout at the latest, or when the replica stops.
    std::future<std::error_code> future() && {
        struct Promised {
            std::promise<std::error_code> promise;
            Subscription subscription;
        };
        const auto promised = std::make_shared<Promised>();
        std::future<std::error_code> future = promised->promise.get_future();
        promised->subscription = ask_([promised](std::error_code error) { promised->promise.set_value(error); });
        return future;
    }

    bool await_ready() const noexcept { return false; }

    /// The coroutine goes on where the answer is told: on a thread of the transport or of the store, without the replica's
    /// mutex.
    bool await_suspend(std::coroutine_handle<> coroutine) {
        waiting_ = std::make_shared<Waiting>();
        const std::shared_ptr<Waiting> waiting = waiting_;  // the coroutine may go on, and end, before this returns
        waiting->subscription = ask_([waiting, coroutine](std::error_code error) {
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

    std::function<Subscription(Answer)> ask_;
    std::shared_ptr<Waiting> waiting_;
};

/// `co_await when_replicated(replica, token, Audience::peers(2), 5s)`, or `when_replicated(...).future()`: an empty
/// std::error_code when the audience holds the change and all before it; else as Replica::on_replicated says.
template <store Store, transport Transport, clock Clock, crdt CrdtType>
Awaited when_replicated(Replica<Store, Transport, Clock, CrdtType>& replica, const Token& token, Audience audience,
                        Duration timeout) {
    return Awaited{[&replica, token, audience = std::move(audience), timeout](Awaited::Answer answer) {
        return replica.on_replicated(token, audience, timeout, std::move(answer));
    }};
}

/// The same for a change that is to be durable: `when_durable(replica, replica.update(...)).future().get()` is the
/// synchronous form of an update. See Replica::on_durable.
template <store Store, transport Transport, clock Clock, crdt CrdtType>
Awaited when_durable(Replica<Store, Transport, Clock, CrdtType>& replica, const Token& token) {
    return Awaited{[&replica, token](Awaited::Answer answer) { return replica.on_durable(token, std::move(answer)); }};
}

}  // namespace netsync
