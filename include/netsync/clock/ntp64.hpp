// netsync: a point in time as 64 bits: seconds since the Unix epoch over a binary fraction (RFC 5905, NTP's format with
// another epoch). The integer is what is compared, stored and sent; nanoseconds are for people.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace netsync {

/// High 32 bits: seconds since 1970; low 32 bits: fraction, 2^-32 s. A hybrid clock keeps its logical counter in the
/// low 4 bits, 3.7 ns in all. Good until 2106.
struct Ntp64 {
    std::uint64_t value = 0;

    static constexpr std::uint64_t counter_mask = 0xf;

    /// Rounds down: (s << 32) + floor(ns * 2^32 / 10^9). A negative duration has no NTP64 and becomes 0.
    static constexpr Ntp64 from_duration(std::chrono::nanoseconds since_epoch) noexcept {
        if (since_epoch.count() < 0) return {};
        const auto ns = static_cast<std::uint64_t>(since_epoch.count());
        return {((ns / 1'000'000'000u) << 32) + ((ns % 1'000'000'000u) << 32) / 1'000'000'000u};
    }

    constexpr std::uint64_t seconds() const noexcept { return value >> 32; }

    /// The fraction in nanoseconds, rounded up, so that every nanosecond comes back from `from_duration` unchanged.
    constexpr std::uint32_t nanoseconds() const noexcept {
        const std::uint64_t ns = ((value & 0xffffffffu) * 1'000'000'000u + 0xffffffffu) >> 32;
        return static_cast<std::uint32_t>(ns < 1'000'000'000u ? ns : 999'999'999u);
    }

    constexpr std::chrono::nanoseconds to_duration() const noexcept {
        return std::chrono::seconds{seconds()} + std::chrono::nanoseconds{nanoseconds()};
    }

    friend constexpr auto operator<=>(const Ntp64&, const Ntp64&) = default;
};

/// How far `a` lies ahead of `b`; negative when behind.
constexpr std::chrono::nanoseconds difference(Ntp64 a, Ntp64 b) noexcept {
    return a >= b ? Ntp64{a.value - b.value}.to_duration() : -Ntp64{b.value - a.value}.to_duration();
}

}  // namespace netsync
