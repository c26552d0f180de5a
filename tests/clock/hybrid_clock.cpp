#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <chrono>
#include <random>
#include <vector>

using namespace netsync;
using namespace std::chrono_literals;

namespace {
constexpr Ntp64 thousand_seconds{std::uint64_t{1000} << 32};
}

TEST_CASE("S2-06 a frozen clock, and one that steps back") {
    ManualTime wall{thousand_seconds};
    ManualClock clock{100ms, wall};
    for (std::uint64_t i = 0; i < 21; ++i) CHECK(clock.tick().value == thousand_seconds.value + i);
    wall.advance(-5s);
    CHECK(clock.tick().value == thousand_seconds.value + 21);
    wall.advance(10s);
    CHECK(clock.tick() == Ntp64{std::uint64_t{1005} << 32});
}

TEST_CASE("S2-07 sixteen stamps from a frozen clock stay distinct and ordered on the wire") {
    ManualClock clock{100ms, ManualTime{thousand_seconds}};
    Output out;
    for (int i = 0; i < 16; ++i) out(clock.tick());
    Input in{out.view(), 1 << 20};
    Ntp64 before{};
    for (int i = 0; i < 16; ++i) {
        Ntp64 time;
        in(time);
        CHECK(time > before);
        before = time;
    }
    CHECK_FALSE(in.finish());
}

TEST_CASE("S2-08 drift: up to max_drift is accepted, beyond changes nothing") {
    CHECK(Ntp64::from_duration(100ms).value == 429496729u);
    const auto ahead = [](std::chrono::milliseconds by) {
        return Ntp64{thousand_seconds.value + Ntp64::from_duration(by).value};
    };
    ManualClock clock{100ms, ManualTime{thousand_seconds}};
    CHECK_FALSE(clock.observe(ahead(99ms)));
    CHECK(clock.tick() > ahead(99ms));
    ManualClock exact{100ms, ManualTime{thousand_seconds}};
    CHECK_FALSE(exact.observe(Ntp64{thousand_seconds.value + 429496729u}));
    ManualClock strict{100ms, ManualTime{thousand_seconds}};
    CHECK(strict.observe(ahead(101ms)) == errc::clock_drift);
    CHECK(strict.tick() == thousand_seconds);
}

TEST_CASE("S2-09 the past is never refused") {
    ManualClock clock{100ms, ManualTime{thousand_seconds}};
    const Ntp64 before = clock.tick();
    CHECK_FALSE(clock.observe(Ntp64{1}));
    CHECK(clock.tick() > before);
}

TEST_CASE("a restored clock goes on beyond the log") {
    ManualClock clock{100ms, ManualTime{thousand_seconds}};
    clock.restore(Ntp64{thousand_seconds.value + 77});
    CHECK(clock.tick().value == thousand_seconds.value + 78);
}

TEST_CASE_TEMPLATE("ticks rise whatever the wall clock and the peers do", Clock, ManualClock, LamportClock) {
    std::mt19937_64 random{3};
    ManualTime wall{thousand_seconds};
    Clock clock = [&] {
        if constexpr (std::is_same_v<Clock, ManualClock>)
            return Clock{100ms, wall};
        else
            return Clock{};
    }();
    Ntp64 last{};
    for (int i = 0; i < 20'000; ++i) {
        wall.advance(std::chrono::milliseconds{static_cast<int>(random() % 200) - 90});
        const Ntp64 remote{wall().value + random() % (std::uint64_t{1} << 29)};
        const bool accepted = !clock.observe(remote);
        const Ntp64 tick = clock.tick();
        if (!(tick > last) || (accepted && !(tick > remote))) FAIL(i);
        last = tick;
    }
}

TEST_CASE("one bad clock moves nobody by more than max_drift") {
    ManualTime wall{thousand_seconds};
    ManualClock clock{100ms, wall};
    for (int i = 0; i < 10'000; ++i) static_cast<void>(clock.observe(Ntp64{wall().value + 429496729u}));
    CHECK(difference(clock.tick(), wall()) <= 101ms);
}
