// netsync: the Clock policy. It stamps what happens here and judges the stamps of others (DESIGN: time).
#pragma once

#include <chrono>
#include <concepts>
#include <netsync/clock/ntp64.hpp>
#include <system_error>

namespace netsync {

/// A source of strictly increasing times. All calls come from the replica, under its mutex.
///
/// - `tick()`: the time of a new local change; greater than every earlier tick and every observed time, whatever the
///   wall clock does.
/// - `observe(time)`: a remote time was seen. On success later ticks exceed it. errc::clock_drift where it lies too far
///   ahead: then the clock is as before, and the caller offers the change again later.
/// - `now()`: the physical time, for showing and for measuring the skew of peers; it may jump.
/// - `restore(time)`: after a restart: the greatest time of the log. Later ticks exceed it.
///
/// Exemplar: ManualClock.
template <class C>
concept clock = std::movable<C> && requires(C& clock, const C& reader, Ntp64 time) {
    { clock.tick() } -> std::same_as<Ntp64>;
    { clock.observe(time) } -> std::same_as<std::error_code>;
    { reader.now() } -> std::same_as<Ntp64>;
    { clock.restore(time) } -> std::same_as<void>;
};

/// A clock of the program's choice: with `max_drift` where it takes one, by default where it does not.
template <clock Clock>
Clock make_clock(std::chrono::nanoseconds max_drift) {
    if constexpr (std::constructible_from<Clock, std::chrono::nanoseconds>)
        return Clock(max_drift);
    else
        return Clock{};
}

}  // namespace netsync
