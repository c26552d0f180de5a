// netsync: when and by whom. One concrete type for every clock, with an exact text form and one for people.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <netsync/causal/replica_id.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/error.hpp>
#include <string>
#include <string_view>

namespace netsync {

/// A moment of a replica. Ordered by time, then by replica id: total, and the same everywhere.
struct Timestamp {
    Ntp64 time;
    ReplicaId replica;
    friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

/// For people: `2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5`. Rounds to nanoseconds, so 16
/// successive stamps share 5 texts; `to_exact_string` keeps every bit.
inline std::string to_string(const Timestamp& stamp) {
    using namespace std::chrono;
    const sys_seconds time{seconds{stamp.time.seconds()}};
    const sys_days day = floor<days>(time);
    const year_month_day date{day};
    const hh_mm_ss<seconds> clock{time - day};
    std::string text;
    text.reserve(63);
    const auto digits = [&](std::uint64_t value, int width) {
        char buffer[20];
        for (int i = width; i-- > 0; value /= 10) buffer[i] = static_cast<char>('0' + value % 10);
        text.append(buffer, static_cast<std::size_t>(width));
    };
    digits(static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
    text += '-';
    digits(static_cast<unsigned>(date.month()), 2);
    text += '-';
    digits(static_cast<unsigned>(date.day()), 2);
    text += 'T';
    digits(static_cast<std::uint64_t>(clock.hours().count()), 2);
    text += ':';
    digits(static_cast<std::uint64_t>(clock.minutes().count()), 2);
    text += ':';
    digits(static_cast<std::uint64_t>(clock.seconds().count()), 2);
    text += '.';
    digits(stamp.time.nanoseconds(), 9);
    return text + "Z/" + to_string(stamp.replica);
}

/// `<decimal NTP64>/<hex id>`: parses back to the same bits.
inline std::string to_exact_string(const Timestamp& stamp) {
    return std::to_string(stamp.time.value) + '/' + to_string(stamp.replica);
}

namespace detail {

/// Takes decimal digits from the front of `text`; at least `least`, at most `most`. False if there are not enough.
constexpr bool take_digits(std::string_view& text, std::size_t least, std::size_t most, std::uint64_t& value) {
    std::size_t count = 0;
    for (value = 0; count < text.size() && count < most && text[count] >= '0' && text[count] <= '9'; ++count)
        value = value * 10 + static_cast<std::uint64_t>(text[count] - '0');
    text.remove_prefix(count);
    return count >= least;
}

constexpr bool take(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

inline Result<Ntp64> parse_rfc3339(std::string_view text) {
    std::uint64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, nanosecond = 0;
    if (!take_digits(text, 4, 4, year) || !take(text, '-') || !take_digits(text, 2, 2, month) || !take(text, '-') ||
        !take_digits(text, 2, 2, day) || !take(text, 'T') || !take_digits(text, 2, 2, hour) || !take(text, ':') ||
        !take_digits(text, 2, 2, minute) || !take(text, ':') || !take_digits(text, 2, 2, second))
        return errc::bad_timestamp;
    if (take(text, '.')) {
        const std::size_t before = text.size();
        if (!take_digits(text, 1, 9, nanosecond)) return errc::bad_timestamp;
        for (std::size_t digits = before - text.size(); digits < 9; ++digits) nanosecond *= 10;
    }
    if (text != "Z") return errc::bad_timestamp;
    namespace chrono = std::chrono;
    const chrono::year_month_day date{chrono::year{static_cast<int>(year)}, chrono::month{static_cast<unsigned>(month)},
                                      chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok() || year < 1970 || hour > 23 || minute > 59 || second > 59) return errc::bad_timestamp;
    const auto days = static_cast<std::uint64_t>(chrono::sys_days{date}.time_since_epoch().count());
    const std::uint64_t seconds = days * 86'400 + hour * 3'600 + minute * 60 + second;
    if (seconds > 0xffffffffu) return errc::bad_timestamp;  // beyond 2106
    return Ntp64{(seconds << 32) + Ntp64::from_duration(chrono::nanoseconds{nanosecond}).value};
}

}  // namespace detail

/// Reads both text forms; the id may have 1 to 32 hex digits of any case. errc::bad_timestamp for anything else.
inline Result<Timestamp> parse_timestamp(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return errc::bad_timestamp;
    const std::string_view time = text.substr(0, slash);
    const Result<ReplicaId> replica = parse_replica_id(text.substr(slash + 1));
    if (!replica) return errc::bad_timestamp;
    std::uint64_t exact = 0;
    const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), exact);
    if (!time.empty() && error == std::errc{} && end == time.data() + time.size())
        return Timestamp{Ntp64{exact}, *replica};
    const Result<Ntp64> parsed = detail::parse_rfc3339(time);
    if (!parsed) return errc::bad_timestamp;
    return Timestamp{*parsed, *replica};
}

}  // namespace netsync
