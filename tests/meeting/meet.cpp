// async_meet with every kind of completion token, from several threads.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <netsync/meet.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

using namespace std::chrono_literals;
using namespace netsync::rendezvous;

namespace {

struct Answered {
    std::error_code error{};
    std::vector<Payload> payloads{};
    int times = 0;
    auto handler() {
        return [this](std::error_code code, std::vector<Payload> all) {
            error = code;
            payloads = std::move(all);
            ++times;
        };
    }
};

}  // namespace

TEST_CASE("meet: a callback, a future and a coroutine meet each other") {
    asio::io_context context;
    MeetingPoint point{context.get_executor()};
    Answered callback;
    point.async_meet({.event = "e", .actor = "callback", .payload = "1", .mates = 2}, callback.handler());
    auto future = point.async_meet({.event = "e", .actor = "future", .payload = "2", .mates = 2}, asio::use_future);
    std::vector<Payload> awaited;
    asio::co_spawn(
        context,
        [&]() -> asio::awaitable<void> {
            const Request request{.event = "e", .actor = "coroutine", .payload = "3", .mates = 2};
            awaited = co_await point.async_meet(request, asio::use_awaitable);
        },
        asio::detached);
    context.run();
    const std::vector<Payload> all{{"callback", "1"}, {"coroutine", "3"}, {"future", "2"}};
    CHECK(callback.payloads == all);
    CHECK(callback.times == 1);
    CHECK(future.get() == all);
    CHECK(awaited == all);
}

TEST_CASE("meet: timeouts, refusals and the end of the meeting point") {
    asio::io_context context;
    Answered late, refused, left;
    {
        MeetingPoint point{context.get_executor()};
        point.async_meet({.event = "e", .actor = "a", .timeout = 20ms}, late.handler());
        point.async_meet({.event = "", .actor = "a"}, refused.handler());
        context.run();
        CHECK(late.error == errc::timed_out);
        CHECK(refused.error == errc::empty_event);
        context.restart();
        point.async_meet({.event = "e", .actor = "b"}, left.handler());
        context.poll();
        CHECK(left.times == 0);
    }
    context.restart();
    context.run();
    CHECK(left.error == std::errc::operation_canceled);
    CHECK((late.times == 1 && refused.times == 1 && left.times == 1));
}

TEST_CASE("meet: who is cancelled is answered once and meets nobody") {
    asio::io_context context;
    MeetingPoint point{context.get_executor()};
    Answered cancelled, other, met;
    asio::cancellation_signal signal;
    point.async_meet({.event = "e", .actor = "a"}, asio::bind_cancellation_slot(signal.slot(), cancelled.handler()));
    context.poll();
    signal.emit(asio::cancellation_type::total);
    signal.emit(asio::cancellation_type::total);
    context.restart();
    context.poll();
    CHECK(cancelled.error == std::errc::operation_canceled);
    CHECK(cancelled.times == 1);
    point.async_meet({.event = "e", .actor = "b"}, other.handler());
    context.restart();
    context.poll();
    CHECK(other.times == 0);
    point.async_meet({.event = "e", .actor = "c"}, met.handler());
    context.restart();
    context.run();
    CHECK(other.payloads == std::vector<Payload>{{"b", ""}, {"c", ""}});
    CHECK(met.payloads == other.payloads);
}

TEST_CASE("meet: pairs from many threads, none lost and none twice") {
    asio::io_context context;
    const auto work = asio::make_work_guard(context);
    std::vector<std::thread> threads;
    for (int at = 0; at < 3; ++at) threads.emplace_back([&] { context.run(); });
    {
        MeetingPoint point{context.get_executor()};
        constexpr int each = 200;
        std::atomic<int> answered{0}, wrong{0};
        std::vector<std::thread> callers;
        for (const char* actor : {"a", "b"})
            callers.emplace_back([&, actor] {
                for (int at = 0; at < each; ++at)
                    point.async_meet({.event = std::to_string(at), .actor = actor, .payload = std::to_string(at)},
                                     [&, at](std::error_code error, const std::vector<Payload>& all) {
                                         if (error || all.size() != 2 || all[1].payload != std::to_string(at)) ++wrong;
                                         ++answered;
                                     });
            });
        for (std::thread& caller : callers) caller.join();
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (answered < 2 * each && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(1ms);
        CHECK(answered == 2 * each);
        CHECK(wrong == 0);
        CHECK(point.async_meet({.event = "alone", .actor = "a", .timeout = 1ms}, asio::use_future).wait_for(10s) ==
              std::future_status::ready);
    }
    context.stop();
    for (std::thread& thread : threads) thread.join();
}
