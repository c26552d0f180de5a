// netsync: an exchange behind Asio's completion tokens. Requests come in from any thread; handlers are called on their
// own executors.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <netsync/detail/asio.hpp>
#include <netsync/rendezvous.hpp>
#include <optional>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace netsync::rendezvous {

/// Where the requests of one program meet. Its calls may come from any thread. When it is destroyed, those who wait are
/// told std::errc::operation_canceled.
class MeetingPoint {
   public:
    /// Runs on `executor`, in a strand of its own.
    explicit MeetingPoint(asio::any_io_executor executor, ExchangeLimits limits = {})
        : state_(std::make_shared<State>(std::move(executor), limits)) {}

    MeetingPoint(MeetingPoint&&) noexcept = default;
    MeetingPoint& operator=(MeetingPoint&& other) noexcept {
        state_.swap(other.state_);
        return *this;
    }
    ~MeetingPoint() {
        if (state_) asio::post(state_->strand, [state = state_] { state->cancel_all(); });
    }

    /// Completes with `void(std::error_code, std::vector<Payload>)` when the group is there: everybody's payloads, by
    /// actor. Errors: those of Exchange::arrive; errc::timed_out after request.timeout; std::errc::operation_canceled when
    /// the token's cancellation slot is used (any type: nothing of a request that has not met is left). g++ 12 destroys
    /// twice what is made of braces within a co_await: give the request a name before.
    template <class Token>
    auto async_meet(Request request, Token&& token) {
        return asio::async_initiate<Token, void(std::error_code, std::vector<Payload>)>(
            [](auto handler, std::shared_ptr<State> state, Request what) {
                begin(std::move(state), std::move(what), std::move(handler));
            },
            token, state_, std::move(request));
    }

   private:
    using Answer = std::function<void(std::error_code, std::vector<Payload>)>;

    /// One call of async_meet, until it is answered.
    struct Operation {
        Answer answer{};  // empty once used
        RequestId id{};
    };

    /// All of it is used on the strand only.
    struct State : std::enable_shared_from_this<State> {
        State(asio::any_io_executor on, ExchangeLimits limits)
            : executor(std::move(on)), strand(asio::make_strand(executor)), timer(strand), exchange(limits) {}

        void arrive(const std::shared_ptr<Operation>& operation, Request request) {
            if (!operation->answer) return;  // cancelled before it came
            Result<Arrival> arrival = exchange.arrive(std::move(request), now());
            if (!arrival) return answer(*operation, arrival.error(), {});
            operation->id = arrival->id;
            waiting.emplace(arrival->id, operation);
            if (arrival->match)
                for (const RequestId member : arrival->match->members) answer(member, {}, arrival->match->payloads);
            set_timer();
        }

        void cancel(Operation& operation) {
            exchange.depart(operation.id);
            waiting.erase(operation.id);
            answer(operation, std::make_error_code(std::errc::operation_canceled), {});
        }

        void cancel_all() {
            while (!waiting.empty()) cancel(*std::shared_ptr<Operation>(waiting.begin()->second));
            timer.cancel();
        }

        void answer(RequestId id, std::error_code error, const std::vector<Payload>& payloads) {
            const auto at = waiting.find(id);
            if (at == waiting.end()) return;
            const std::shared_ptr<Operation> operation = std::move(at->second);
            waiting.erase(at);
            answer(*operation, error, payloads);
        }
        static void answer(Operation& operation, std::error_code error, const std::vector<Payload>& payloads) {
            if (const Answer once = std::exchange(operation.answer, nullptr)) once(error, payloads);
        }

        void set_timer() {
            const auto next = exchange.next_deadline();
            if (!next || next == armed) return;
            armed = next;
            timer.expires_at(std::chrono::steady_clock::time_point(*next));
            timer.async_wait([weak = this->weak_from_this()](std::error_code error) {
                const auto state = weak.lock();
                if (error || !state) return;
                state->armed.reset();
                for (const RequestId id : state->exchange.expire(now()))
                    state->answer(id, make_error_code(errc::timed_out), {});
                state->set_timer();
            });
        }

        static Duration now() { return std::chrono::steady_clock::now().time_since_epoch(); }

        asio::any_io_executor executor;  // of handlers that have none
        asio::strand<asio::any_io_executor> strand;
        asio::steady_timer timer;
        std::optional<Duration> armed;
        Exchange exchange;
        std::unordered_map<RequestId, std::shared_ptr<Operation>> waiting;
    };

    template <class Handler>
    static void begin(std::shared_ptr<State> state, Request request, Handler handler) {
        const auto executor = asio::get_associated_executor(handler, state->executor);
        auto slot = asio::get_associated_cancellation_slot(handler);
        const auto operation = std::make_shared<Operation>();
        const auto shared = std::make_shared<Handler>(std::move(handler));
        operation->answer = [shared, slot, executor,
                             work = asio::prefer(executor, asio::execution::outstanding_work.tracked)](
                                std::error_code error, std::vector<Payload> payloads) {
            asio::post(executor, [shared, slot, error, payloads = std::move(payloads)]() mutable {
                if (slot.is_connected()) slot.clear();
                Handler once = std::move(*shared);
                std::move(once)(error, std::move(payloads));
            });
        };
        if (slot.is_connected())
            slot.assign([weak = std::weak_ptr(state), operation](asio::cancellation_type) {
                if (const auto alive = weak.lock())
                    asio::post(alive->strand, [alive, operation] { alive->cancel(*operation); });
            });
        const auto strand = state->strand;
        asio::dispatch(strand, [state = std::move(state), operation, request = std::move(request)]() mutable {
            state->arrive(operation, std::move(request));
        });
    }

    std::shared_ptr<State> state_;
};

}  // namespace netsync::rendezvous
