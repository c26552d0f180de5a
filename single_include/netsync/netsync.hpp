// netsync/netsync.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <charconv>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

// ---- netsync/clock/ntp64.hpp ----

// netsync: a point in time as 64 bits: seconds since the Unix epoch over a binary fraction (RFC 5905, NTP's format with
// another epoch). The integer is what is compared, stored and sent; nanoseconds are for people.

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

// ---- netsync/clock/concept.hpp ----

// netsync: the Clock policy. It stamps what happens here and judges the stamps of others (DESIGN: time).

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

// ---- netsync/error.hpp ----

// netsync: errors by origin. Remote input and I/O end in a std::error_code of these; misuse by the programmer asserts.
// Every stage returns them; replica.hpp turns those of a convenience overload into std::system_error.

namespace netsync {

/// What can go wrong. The text of each says what was expected. Compare with `condition` to ask whose fault it was.
enum class errc {
    malformed = 1,
    too_large,
    too_deep,
    not_utf8,
    unsupported_version,
    wrong_pool,
    not_owner,
    clock_drift,
    forked,
    not_contiguous,
    bad_timestamp,
    bad_replica_id,
    bad_endpoint,
    timed_out,
    replica_table_full,
    same_replica,
    retired,
    no_such_member,
    outdated,
    not_a_store,
    store_version,
    store_in_use,
    store_damaged,
    store_full,
    store_read_only,
    store_io,
    store_behind,
};

/// Whose fault an error is: what a program decides on, where `errc` is what a person reads.
enum class condition {
    peer_misbehaved = 1,  ///< bytes or claims of a peer that no correct program sends
    incompatible,         ///< a correct peer that we cannot talk to: other pool, version or type
    local_failure,        ///< our own store, socket or limit
    retry_later,          ///< refused for now; offered again by gossip
};

namespace detail {

class ErrorCategory final : public std::error_category {
   public:
    const char* name() const noexcept override { return "netsync"; }

    std::string message(int code) const override {
        switch (static_cast<errc>(code)) {
        case errc::malformed: return "malformed bytes: expected a netsync encoding";
        case errc::too_large: return "too large: a size is beyond the limits of this replica";
        case errc::too_deep: return "too deep: nesting is beyond the limits of this replica";
        case errc::not_utf8: return "not UTF-8: text is UTF-8; raw bytes go into a std::vector<std::byte>";
        case errc::unsupported_version: return "no common wire version: expected the version that this program speaks";
        case errc::wrong_pool: return "wrong pool: expected the pool name that this replica was given";
        case errc::not_owner: return "not the owner: an owned part is written by its owner only";
        case errc::clock_drift: return "clock drift: the timestamp is further ahead than max_drift allows";
        case errc::forked: return "forked: two histories use the same replica id and counter";
        case errc::not_contiguous: return "not contiguous: expected the origin's next counter";
        case errc::bad_timestamp:
            return "bad timestamp: expected <RFC 3339 in UTC>/<hex id> or <decimal NTP64>/<hex id>";
        case errc::bad_replica_id: return "bad replica id: expected 1 to 32 hex digits, not all zero";
        case errc::bad_endpoint: return "bad endpoint: expected HOST:PORT with a port from 1 to 65535";
        case errc::timed_out: return "timed out: the peer did not answer in time";
        case errc::replica_table_full:
            return "replica table full: more replica ids than limits.replicas allows, or than one process can hold";
        case errc::same_replica: return "same replica: the peer has this replica's own id";
        case errc::retired: return "retired: the pool has given up this incarnation; its owner takes a new one";
        case errc::outdated: return "outdated: made without what all had seen and forgotten; its owner issues it again";
        case errc::no_such_member: return "no such member: expected the id of another replica of this pool";
        case errc::not_a_store: return "not a store: expected a file that a store of this library has made";
        case errc::store_version: return "store version: expected a file of the version that this program writes";
        case errc::store_in_use: return "store in use: expected a file that no other replica has open or writes to";
        case errc::store_damaged: return "store damaged: expected to read what was written; the file is not written to";
        case errc::store_full: return "store full: expected room on the disk";
        case errc::store_read_only: return "store read-only: expected a file in a directory that can be written";
        case errc::store_io: return "store input or output failed: expected a disk that can be read and written";
        case errc::store_behind:
            return "store behind: expected less to wait for the disk; try again when it has caught up";
        }
        return "unknown netsync error";
    }

    bool equivalent(int code, const std::error_condition& asked) const noexcept override;
};

class ConditionCategory final : public std::error_category {
   public:
    const char* name() const noexcept override { return "netsync condition"; }

    std::string message(int code) const override {
        switch (static_cast<condition>(code)) {
        case condition::peer_misbehaved: return "the peer misbehaved";
        case condition::incompatible: return "the peer is incompatible";
        case condition::local_failure: return "a local failure";
        case condition::retry_later: return "refused for now";
        }
        return "unknown netsync condition";
    }
};

inline const std::error_category& condition_category() noexcept {
    static const ConditionCategory instance;
    return instance;
}

constexpr condition condition_of(errc code) noexcept {
    switch (code) {
    case errc::malformed:
    case errc::too_large:
    case errc::too_deep:
    case errc::not_owner:
    case errc::forked:
    case errc::bad_timestamp:
    case errc::bad_replica_id: return condition::peer_misbehaved;
    case errc::unsupported_version:
    case errc::wrong_pool:
    case errc::same_replica: return condition::incompatible;
    case errc::clock_drift:
    case errc::outdated:
    case errc::retired:
    case errc::not_contiguous:
    case errc::store_behind:
    case errc::timed_out: return condition::retry_later;
    case errc::not_utf8:
    case errc::bad_endpoint:
    case errc::no_such_member:
    case errc::not_a_store:
    case errc::store_version:
    case errc::store_in_use:
    case errc::store_damaged:
    case errc::store_full:
    case errc::store_read_only:
    case errc::store_io:
    case errc::replica_table_full: return condition::local_failure;
    }
    return condition::local_failure;
}

inline bool ErrorCategory::equivalent(int code, const std::error_condition& asked) const noexcept {
    if (asked.category() == condition_category())
        return static_cast<int>(condition_of(static_cast<errc>(code))) == asked.value();
    return default_error_condition(code) == asked;
}

}  // namespace detail

/// The category of `errc`.
inline const std::error_category& error_category() noexcept {
    static const detail::ErrorCategory instance;
    return instance;
}

inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), error_category()}; }
inline std::error_condition make_error_condition(condition code) noexcept {
    return {static_cast<int>(code), detail::condition_category()};
}

/// A value or the reason why there is none. Reading the value of a failed result is a programmer's error (assert).
template <class T>
class [[nodiscard]] Result {
   public:
    Result(T value) : value_(std::move(value)) {}
    Result(std::error_code error) : error_(error) { assert(error && "a Result without a value needs an error"); }
    Result(errc code) : error_(make_error_code(code)) {}

    explicit operator bool() const noexcept { return value_.has_value(); }
    std::error_code error() const noexcept { return error_; }

    const T& operator*() const& noexcept {
        assert(value_ && "check the Result before reading its value");
        return *value_;
    }
    T&& operator*() && noexcept {
        assert(value_ && "check the Result before reading its value");
        return std::move(*value_);
    }
    const T* operator->() const noexcept { return &**this; }

    /// The value; throws std::system_error where there is none.
    T value() && {
        if (!value_) throw std::system_error(error_);
        return std::move(*value_);
    }

   private:
    std::optional<T> value_;
    std::error_code error_;
};

}  // namespace netsync

template <>
struct std::is_error_code_enum<netsync::errc> : std::true_type {};
template <>
struct std::is_error_condition_enum<netsync::condition> : std::true_type {};

// ---- netsync/clock/hybrid_clock.hpp ----

// netsync: the default clock: wall time where it moves forward, a logical counter where it does not.

namespace netsync {

/// The machine's wall clock: the one place where the library reads it.
struct SystemTime {
    Ntp64 operator()() const noexcept {
        return Ntp64::from_duration(std::chrono::system_clock::now().time_since_epoch());
    }
};

/// A hybrid logical clock (Kulkarni et al. 2014) by the rules of uhlc: NTP64 with the counter in the low 4 bits, carry
/// allowed. Never goes back; refuses, for now, stamps more than `max_drift` ahead, so that one bad clock poisons no
/// one. `Source` is a callable that gives the physical time.
template <class Source = SystemTime>
class BasicHybridClock {
   public:
    static constexpr std::chrono::nanoseconds default_max_drift = std::chrono::milliseconds{100};

    explicit BasicHybridClock(std::chrono::nanoseconds max_drift = default_max_drift, Source source = {})
        : max_drift_(Ntp64::from_duration(max_drift).value), source_(std::move(source)) {}

    Ntp64 tick() {
        const Ntp64 physical = now();
        if (physical.value > (last_.value & ~Ntp64::counter_mask))
            last_ = physical;
        else
            ++last_.value;
        return last_;
    }

    std::error_code observe(Ntp64 time) {
        const Ntp64 physical = now();
        if (time > physical && time.value - physical.value > max_drift_) return errc::clock_drift;
        const Ntp64 latest = std::max({physical, time, last_});
        if (latest == physical)
            last_ = physical;
        else
            last_ = Ntp64{latest.value + 1};
        return {};
    }

    Ntp64 now() const { return Ntp64{source_().value & ~Ntp64::counter_mask}; }
    void restore(Ntp64 time) { last_ = std::max(last_, time); }

   private:
    std::uint64_t max_drift_;
    Source source_;
    Ntp64 last_{};
};

using HybridClock = BasicHybridClock<>;

static_assert(clock<HybridClock>);

}  // namespace netsync

// ---- netsync/clock/lamport_clock.hpp ----

// netsync: time as order only, for programs whose machines have no trustworthy wall clock.

namespace netsync {

/// Counts events (Lamport 1978): greater than all that was seen, with no relation to wall time. A stamp cannot be "too
/// far ahead" here, so nothing is ever refused; a peer can therefore exhaust the 64 bits. For trusted pools only.
class LamportClock {
   public:
    Ntp64 tick() {
        ++last_.value;
        return last_;
    }
    std::error_code observe(Ntp64 time) {
        last_ = std::max(last_, time);
        return {};
    }
    Ntp64 now() const { return last_; }
    void restore(Ntp64 time) { last_ = std::max(last_, time); }

   private:
    Ntp64 last_{};
};

static_assert(clock<LamportClock>);

}  // namespace netsync

// ---- netsync/clock/manual_clock.hpp ----

// netsync: a hybrid clock whose wall time is set by hand, for tests and simulations.

namespace netsync {

/// A wall clock in a variable. Copies share it, so that a test moves the time of many replicas at once, or of one.
class ManualTime {
   public:
    ManualTime() : time_(std::make_shared<Ntp64>(Ntp64::from_duration(std::chrono::seconds{1'600'000'000}))) {}
    explicit ManualTime(Ntp64 start) : time_(std::make_shared<Ntp64>(start)) {}

    Ntp64 operator()() const noexcept { return *time_; }
    void set(Ntp64 time) noexcept { *time_ = time; }
    void advance(std::chrono::nanoseconds by) noexcept {
        const std::uint64_t step = Ntp64::from_duration(by < by.zero() ? -by : by).value;
        time_->value = by < by.zero() ? time_->value - step : time_->value + step;
    }

   private:
    std::shared_ptr<Ntp64> time_;
};

/// The rules of HybridClock over a ManualTime: `ManualClock clock{100ms, time}; time.advance(1s);`. One thread.
using ManualClock = BasicHybridClock<ManualTime>;

static_assert(clock<ManualClock>);

}  // namespace netsync

// ---- netsync/detail/hash.hpp ----

// netsync: one 64-bit hash for digests and rolling hashes. Values and bytes come in, 64 well-mixed bits go out.
// Multiply-and-fold over 8-byte little-endian words, in the manner of wyhash (Wang Yi, 2019); not cryptographic.

namespace netsync::detail {

/// The two halves of the 128-bit product, folded.
constexpr std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
#ifdef __SIZEOF_INT128__
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
    const std::uint64_t a_low = a & 0xffffffffu, a_high = a >> 32, b_low = b & 0xffffffffu, b_high = b >> 32;
    const std::uint64_t low = a_low * b_low, cross = a_high * b_low + (low >> 32);
    const std::uint64_t middle = a_low * b_high + (cross & 0xffffffffu);
    return ((middle << 32) | (low & 0xffffffffu)) ^ (a_high * b_high + (cross >> 32) + (middle >> 32));
#endif
}

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
    return fold(a ^ 0xa0761d6478bd642fu, b ^ 0xe7037ed1a0b428dbu);
}

/// Eight bytes as a little-endian integer, on every machine.
inline std::uint64_t read_word(const void* from, std::size_t size = 8) noexcept {
    std::uint64_t word = 0;
    if constexpr (std::endian::native == std::endian::little) {
        std::memcpy(&word, from, size);
    } else {
        const auto* bytes = static_cast<const unsigned char*>(from);
        for (std::size_t i = 0; i < size; ++i) word |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    }
    return word;
}

/// From so many bytes on they are hashed in four lanes: each step waits for the one before it, so that one lane alone
/// leaves most of the machine idle.
inline constexpr std::size_t hash_in_lanes = 4096;

/// The same bits on every machine and in every run. O(size).
inline std::uint64_t hash_bytes(const void* data, std::size_t size, std::uint64_t seed = 0) noexcept {
    const auto* at = static_cast<const unsigned char*>(data);
    std::uint64_t hash = mix(seed, size);
    std::size_t left = size;
    if (size >= hash_in_lanes) {
        std::uint64_t a = hash, b = mix(hash, 1), c = mix(hash, 2), d = mix(hash, 3);
        for (; left >= 32; left -= 32, at += 32) {
            a = mix(a, read_word(at));
            b = mix(b, read_word(at + 8));
            c = mix(c, read_word(at + 16));
            d = mix(d, read_word(at + 24));
        }
        hash = mix(mix(a, b), mix(c, d));
    }
    for (; left >= 8; left -= 8, at += 8) hash = mix(hash, read_word(at));
    if (left > 0)  // from the eight that end there, if there are so many
        hash = mix(hash, size >= 8 ? read_word(at + left - 8) >> (8 * (8 - left)) : read_word(at, left));
    return mix(hash, 0x589965cc75374cc3u);
}

}  // namespace netsync::detail

// ---- netsync/causal/replica_id.hpp ----

// netsync: who made a change. The identity of a replica, and its text form.

namespace netsync {

/// Who a replica belongs to: the half of a ReplicaId that survives a new incarnation. Keys the parts of an `Owned`.
enum class OwnerId : std::uint64_t {};

/// 128 bits that name a replica: the owner (high half) and its incarnation (low half). A program that lost its memory,
/// or finds that a copy of it is alive, keeps the owner and takes a new incarnation, so that no dot is ever used twice.
/// Ordered as its big-endian bytes, which is the order of the printed form.
struct ReplicaId {
    std::uint64_t owner_bits = 0;
    std::uint64_t incarnation = 0;

    constexpr OwnerId owner() const noexcept { return OwnerId{owner_bits}; }
    constexpr std::uint64_t prefix() const noexcept { return owner_bits; }  // see detail/key_prefix.hpp
    constexpr bool is_nil() const noexcept { return owner_bits == 0 && incarnation == 0; }
    friend constexpr auto operator<=>(const ReplicaId&, const ReplicaId&) = default;
};

namespace detail {

inline void append_hex(std::string& out, std::uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) out += "0123456789ABCDEF"[(value >> shift) & 0xf];
}

constexpr int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace detail

/// 32 upper-case hex digits, leading zeros kept.
inline std::string to_string(const ReplicaId& id) {
    std::string text;
    text.reserve(32);
    detail::append_hex(text, id.owner_bits);
    detail::append_hex(text, id.incarnation);
    return text;
}

/// Reads 1 to 32 hex digits of any case. errc::bad_replica_id for anything else, and for the all-zero id.
inline Result<ReplicaId> parse_replica_id(std::string_view text) {
    if (text.empty() || text.size() > 32) return errc::bad_replica_id;
    ReplicaId id;
    for (const char c : text) {
        const int digit = detail::hex_digit(c);
        if (digit < 0) return errc::bad_replica_id;
        id.owner_bits = (id.owner_bits << 4) | (id.incarnation >> 60);
        id.incarnation = (id.incarnation << 4) | static_cast<std::uint64_t>(digit);
    }
    if (id.is_nil()) return errc::bad_replica_id;
    return id;
}

/// The owner that a name stands for: the same in every run, so that a program without a disk finds its own part again.
inline OwnerId owner_of_name(std::string_view name) noexcept {
    return OwnerId{detail::hash_bytes(name.data(), name.size(), 0x6e616d65u) | 1u};
}

}  // namespace netsync

template <>
struct std::hash<netsync::ReplicaId> {
    std::size_t operator()(const netsync::ReplicaId& id) const noexcept {
        return static_cast<std::size_t>(netsync::detail::mix(id.owner_bits, id.incarnation));
    }
};

// ---- netsync/clock/timestamp.hpp ----

// netsync: when and by whom. One concrete type for every clock, with an exact text form and one for people.

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

// ---- netsync/detail/key_prefix.hpp ----

// netsync: the beginning of a key as a number, so that most comparisons need not look at the key.

namespace netsync::detail {

template <class Key>
concept text_key = std::convertible_to<const Key&, std::string_view>;
template <class Key>
concept number_key = std::integral<Key> || std::is_enum_v<Key>;

/// Whether the prefix says all: keys are equal where their prefixes are.
template <class Key>
inline constexpr bool is_exact_prefix = number_key<Key>;

/// The first eight bytes, the first of them highest: ordered as the texts are.
inline std::uint64_t text_prefix(std::string_view text) noexcept {
    std::uint64_t prefix = 0;
    if (text.size() >= 8 && std::endian::native == std::endian::little) {
        std::memcpy(&prefix, text.data(), 8);
        prefix = ((prefix & 0x00ff00ff00ff00ffu) << 8) | ((prefix >> 8) & 0x00ff00ff00ff00ffu);
        prefix = ((prefix & 0x0000ffff0000ffffu) << 16) | ((prefix >> 16) & 0x0000ffff0000ffffu);
        return (prefix << 32) | (prefix >> 32);
    }
    for (std::size_t at = 0; at < 8; ++at)
        prefix = (prefix << 8) | (at < text.size() ? static_cast<unsigned char>(text[at]) : 0u);
    return prefix;
}

template <number_key Key>
constexpr std::uint64_t number_prefix(Key key) noexcept {
    if constexpr (std::is_enum_v<Key>) {
        return number_prefix(static_cast<std::underlying_type_t<Key>>(key));
    } else {
        const auto bits = static_cast<std::uint64_t>(key);
        return std::is_signed_v<Key> ? bits ^ (std::uint64_t{1} << 63) : bits;
    }
}

/// Never falls where keys rise: a < b has prefix_of(a) ≤ prefix_of(b). Texts and numbers have one; a class may offer
/// `std::uint64_t prefix() const`, ordered as itself. `query` is a key, or what is compared with one.
template <class Key, class Query>
std::uint64_t prefix_of(const Query& query) noexcept {
    if constexpr (number_key<Key>)
        return number_prefix(static_cast<Key>(query));
    else if constexpr (text_key<Key> && text_key<Query>)
        return text_prefix(query);
    else if constexpr (requires {
                           { query.prefix() } -> std::same_as<std::uint64_t>;
                       })
        return query.prefix();
    else
        return 0;
}

/// Stands in a node for the prefixes that are not there: none lies beyond it.
inline constexpr std::uint64_t beyond = std::numeric_limits<std::uint64_t>::max();

/// How many of these, `step` apart, are less.
template <std::size_t step, std::size_t... I>
[[gnu::always_inline]] inline std::size_t count_less(const std::uint64_t* prefixes, std::uint64_t prefix,
                                                     std::index_sequence<I...>) {
    return (std::size_t{0} + ... + (prefixes[I * step] < prefix ? 1u : 0u));
}

/// Among ascending prefixes, as many as a full node has, the first that is not less. By blocks, then within one: no branch
/// hangs on a key or on how full a node is, and no comparison on another, so that they are made at once.
template <std::size_t full>
[[gnu::always_inline]] inline std::size_t first_not_less(const std::uint64_t* prefixes, std::uint64_t prefix) {
    constexpr std::size_t block = 8;
    static_assert(full % block == 0);
    const std::size_t at =
        block * count_less<block>(prefixes + block - 1, prefix, std::make_index_sequence<full / block - 1>{});
    return at + count_less<1>(prefixes + at, prefix, std::make_index_sequence<block>{});
}

/// The same among half as many, or a quarter...
template <std::size_t full>
std::size_t first_not_less(const std::uint64_t* prefixes, std::size_t capacity, std::uint64_t prefix) {
    if (capacity == full) return first_not_less<full>(prefixes, prefix);
    if constexpr (full > 8) return first_not_less<full / 2>(prefixes, capacity, prefix);
    std::size_t at = 0;
    for (std::size_t next = 0; next < capacity; ++next) at += prefixes[next] < prefix ? 1 : 0;
    return at;
}

/// Where a key is or would be.
struct Place {
    std::size_t at;
    bool found;
};

/// The first of `count` that does not lie before the key, where `at` is the first whose prefix does not: keys are compared
/// where prefixes are equal.
template <bool exact, class Query, class KeyAt>
Place search(std::size_t at, const std::uint64_t* prefixes, std::size_t count, std::uint64_t prefix, const Query& key,
             const KeyAt& at_position) {
    if (at == count || prefixes[at] != prefix) return {at, false};
    if constexpr (exact) {
        return {at, true};
    } else {
        std::size_t end = at + 1;
        while (end < count && prefixes[end] == prefix) ++end;
        while (at < end) {
            const std::size_t middle = at + (end - at) / 2;
            if (at_position(middle) < key)
                at = middle + 1;
            else
                end = middle;
        }
        return {at, at < count && prefixes[at] == prefix && !(key < at_position(at))};
    }
}

/// The key that has this prefix.
template <number_key Key>
constexpr Key key_of(std::uint64_t prefix) noexcept {
    if constexpr (std::is_enum_v<Key>)
        return static_cast<Key>(key_of<std::underlying_type_t<Key>>(prefix));
    else
        return static_cast<Key>(std::is_signed_v<Key> ? prefix ^ (std::uint64_t{1} << 63) : prefix);
}

}  // namespace netsync::detail

// ---- netsync/detail/spare.hpp ----

// netsync: memory that a thread lets go of and needs again at once: what every change allocates and frees.

namespace netsync::detail {

/// Allocates and frees blocks, and keeps the small one that a thread freed last for its next. One a thread for each `Tag`.
/// (Not under the address sanitizer, which is to see what is used after it was freed.)
template <class Tag, std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__>
class Spare {
   public:
    static void* allocate(std::size_t size) {
        if (kept_ && kept_size_ >= size && kept_size_ - size < alignment) return std::exchange(kept_, nullptr);
        if constexpr (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__)
            return ::operator new(size, std::align_val_t{alignment});
        else
            return ::operator new(size);
    }
    /// `size`: as it was asked for, or less.
    static void free(void* block, std::size_t size) noexcept {
        if (!keeps || size > small || ended_) return free(block);
        if (kept_) free(kept_);
        kept_ = block;
        kept_size_ = size;
        if (!std::exchange(begun_, true)) keeper_.begin();
    }

   private:
#if defined(__SANITIZE_ADDRESS__)
    static constexpr bool keeps = false;
#elif defined(__has_feature)
    static constexpr bool keeps = !__has_feature(address_sanitizer);
#else
    static constexpr bool keeps = true;
#endif
    static constexpr std::size_t small = 256;

    static void free(void* block) noexcept {
        if constexpr (alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__)
            ::operator delete(block, std::align_val_t{alignment});
        else
            ::operator delete(block);
    }

    struct Keeper {
        ~Keeper() {
            ended_ = true;
            free(std::exchange(kept_, nullptr));
        }
        void begin() const noexcept {}  // it is made where a thread first calls it
    };

    static inline constinit thread_local void* kept_ = nullptr;
    static inline constinit thread_local std::size_t kept_size_ = 0;
    static inline constinit thread_local bool begun_ = false;
    static inline constinit thread_local bool ended_ = false;  // the thread: what it holds may be freed later still
    static inline thread_local Keeper keeper_;
};

}  // namespace netsync::detail

// ---- netsync/detail/sorted_nodes.hpp ----

// netsync: the nodes of a sorted map (detail/sorted_map.hpp): how they lie in memory, are searched, shared and filled.

namespace netsync::detail {

/// A leaf keeps the prefixes of its keys sorted and beside each other, and says in one byte a key where its entry lies; so a
/// search reads few cache lines, and an insertion moves bytes, not entries.
template <class Key, class Value>
struct SortedNodes {
    static constexpr bool exact = is_exact_prefix<Key>;  // then the prefix is the key, and no other copy is kept
    struct Entry {
        std::conditional_t<exact, Key, const Key&> key;
        const Value& value;
    };

    static constexpr std::size_t fan_out = 64;
    static constexpr std::size_t leaf_size = 128;  // large, so that the nodes above, which are few, stay in a cache

    /// A leaf is followed in memory by `capacity` prefixes, as many bytes that order its entries, and the entries, of
    /// which the first `count` exist.
    struct Node {
        std::atomic<std::uint32_t> owners{1};
        std::uint8_t level = 0;  // 0: a leaf
        std::uint8_t count = 0;
        std::uint8_t capacity = 0;
    };
    struct NoKeys {};
    struct Inner : Node {
        Inner() { prefixes.fill(beyond); }
        std::array<std::uint64_t, fan_out> prefixes;  // of the least key below each child, or of one before it
        std::array<Node*, fan_out> children;
        [[no_unique_address]] std::conditional_t<exact, NoKeys, std::array<Key, fan_out>> keys{};
    };
    struct KeyInSlot {
        Key key;
    };
    struct Slot : std::conditional_t<exact, NoKeys, KeyInSlot> {
        Value value{};
    };

    // The parts of a leaf.

    static constexpr std::size_t align_up(std::size_t size, std::size_t alignment) {
        return (size + alignment - 1) / alignment * alignment;
    }
    static constexpr std::size_t slots_at(std::size_t capacity) {
        return align_up(sizeof(Node) + capacity * (sizeof(std::uint64_t) + 1), alignof(Slot));
    }
    static constexpr std::size_t order_at = sizeof(Node) + leaf_size * sizeof(std::uint64_t);  // in a full one
    static const std::byte* bytes(const Node* leaf) { return reinterpret_cast<const std::byte*>(leaf); }
    static std::byte* bytes(Node* leaf) { return reinterpret_cast<std::byte*>(leaf); }
    static const std::uint64_t* prefixes(const Node* leaf) {
        return reinterpret_cast<const std::uint64_t*>(bytes(leaf) + sizeof(Node));
    }
    static std::uint64_t* prefixes(Node* leaf) { return reinterpret_cast<std::uint64_t*>(bytes(leaf) + sizeof(Node)); }
    static const std::uint8_t* order(const Node* leaf) {
        return reinterpret_cast<const std::uint8_t*>(prefixes(leaf) + leaf->capacity);
    }
    static std::uint8_t* order(Node* leaf) { return reinterpret_cast<std::uint8_t*>(prefixes(leaf) + leaf->capacity); }
    static const Slot* slots(const Node* leaf) {
        return reinterpret_cast<const Slot*>(bytes(leaf) + slots_at(leaf->capacity));
    }
    static Slot* slots(Node* leaf) { return reinterpret_cast<Slot*>(bytes(leaf) + slots_at(leaf->capacity)); }
    static const Slot* entry(const Node* leaf, std::size_t at) { return slots(leaf) + order(leaf)[at]; }
    static Slot* entry(Node* leaf, std::size_t at) { return slots(leaf) + order(leaf)[at]; }
    static decltype(auto) key_at(const Node* leaf, std::size_t at) {
        if constexpr (exact)
            return key_of<Key>(prefixes(leaf)[at]);
        else
            return static_cast<const Key&>(entry(leaf, at)->key);
    }
    /// Calls `f(key, value)` with the entry, which is taken over if it is not shared with a copy.
    template <class F>
    [[gnu::always_inline]] static void take(Node* leaf, std::size_t at, bool own, F&& f) {
        Slot* slot = entry(leaf, at);
        if constexpr (exact) {
            if (own) return f(key_at(leaf, at), std::move(slot->value));
            f(key_at(leaf, at), Value(slot->value));
        } else {
            if (own) return f(std::move(slot->key), std::move(slot->value));
            f(Key(slot->key), Value(slot->value));
        }
    }
    static const Inner* inner(const Node* node) { return static_cast<const Inner*>(node); }
    static Inner* inner(Node* node) { return static_cast<Inner*>(node); }

    // Search.

    // What follows asks for parts of a leaf of full size. (Inlined: GCC drops a call that only prefetches.)

    template <bool for_writing>
    [[gnu::always_inline]] static void prefetch_bytes(const Node* leaf, std::size_t from, std::size_t to) noexcept {
#if defined(__GNUC__)
#pragma GCC unroll 32
        for (std::size_t offset = from; offset < to; offset += 64)
            __builtin_prefetch(bytes(leaf) + offset, for_writing ? 1 : 0);
#else
        static_cast<void>(leaf), static_cast<void>(from), static_cast<void>(to);
#endif
    }
    /// A search reads the prefixes, all at once; what an insertion needs beside them is asked for meanwhile: the order of
    /// the entries, and then the place of a new one.
    [[gnu::always_inline]] static void prefetch_prefixes(const Node* leaf) noexcept {
        prefetch_bytes<true>(leaf, 0, order_at);
    }
    [[gnu::always_inline]] static void prefetch_order(const Node* leaf) noexcept {
        prefetch_bytes<true>(leaf, order_at, order_at + leaf_size);
    }
    [[gnu::always_inline]] static void prefetch_room(const Node* leaf) noexcept {
#if defined(__GNUC__)
        __builtin_prefetch(slots(leaf) + leaf->count, 1);
#else
        static_cast<void>(leaf);
#endif
    }

    // Whoever goes through all entries: they lie as they came, and what a key owns lies anywhere.

    /// The leaf behind child `at` of a node, where it lies below the same one; else null.
    static const Node* following(const Node* node, std::size_t at) noexcept {
        return node->level == 1 && at + 1 < node->count ? inner(node)->children[at + 1] : nullptr;
    }
    /// What a leaf says of its entries.
    [[gnu::always_inline]] static void prefetch_keys(const Node* leaf) noexcept {
        prefetch_bytes<false>(leaf, 0, slots_at(leaf_size));
    }
    /// The entries some steps beyond `at`, and what their keys own.
    [[gnu::always_inline]] static void prefetch_ahead(const Node* leaf, const Node* next, std::size_t at) noexcept {
#if defined(__GNUC__)
        if (const Slot* slot = ahead(leaf, next, at + 16)) {
            __builtin_prefetch(slot);
            if constexpr (sizeof(Slot) > 64) __builtin_prefetch(reinterpret_cast<const std::byte*>(slot + 1) - 1);
        }
        if constexpr (text_key<Key>)
            if (const Slot* slot = ahead(leaf, next, at + 8)) __builtin_prefetch(std::string_view(slot->key).data());
#else
        static_cast<void>(leaf), static_cast<void>(next), static_cast<void>(at);
#endif
    }
    /// What comes at a position that may lie in the next leaf; null where that is not known.
    static const Slot* ahead(const Node* leaf, const Node* next, std::size_t at) noexcept {
        if (at < leaf->count) return entry(leaf, at);
        return next && at - leaf->count < next->count ? entry(next, at - leaf->count) : nullptr;
    }

    template <class Query>
    static Place place_of(const Node* leaf, std::uint64_t prefix, const Query& key) {
        return search<exact>(first_not_less<leaf_size>(prefixes(leaf), leaf->capacity, prefix), prefixes(leaf),
                             leaf->count, prefix, key,
                             [&](std::size_t at) -> decltype(auto) { return key_at(leaf, at); });
    }

    template <class Query>
    static std::size_t child_for(const Inner* node, std::uint64_t prefix, const Query& key) {
        const std::uint64_t* const held = node->prefixes.data();
        const Place place = search<exact>(first_not_less<fan_out>(held, prefix), held, node->count, prefix, key,
                                          [&](std::size_t at) -> decltype(auto) {
                                              if constexpr (exact)
                                                  return key_of<Key>(held[at]);
                                              else
                                                  return (node->keys[at]);
                                          });
        return place.found || place.at == 0 ? place.at : place.at - 1;
    }

    // Nodes come and go.

    static Node* make_leaf(std::size_t capacity) {
        static_assert(std::is_nothrow_move_constructible_v<Slot>,
                      "netsync: keys and values of a map must be movable without exceptions");
        Node* leaf = new (Room<>::allocate(leaf_bytes(capacity))) Node;
        leaf->capacity = static_cast<std::uint8_t>(capacity);
        std::fill_n(prefixes(leaf), capacity, beyond);
        return leaf;
    }
    static void free_leaf(Node* leaf) noexcept {
        const std::size_t size = leaf_bytes(leaf->capacity);
        leaf->~Node();
        Room<>::free(leaf, size);
    }

    static constexpr std::size_t leaf_bytes(std::size_t capacity) {
        return slots_at(capacity) + capacity * sizeof(Slot);
    }
    /// Most deltas are one leaf with room for one entry. (A template, since Slot is complete only when this is used.)
    template <class Kept = Slot>
    using Room = Spare<SortedNodes, std::max<std::size_t>(alignof(Kept), __STDCPP_DEFAULT_NEW_ALIGNMENT__)>;

    static Node* share(Node* node) noexcept {
        if (node) node->owners.fetch_add(1, std::memory_order_relaxed);
        return node;
    }
    static void release(Node* node) noexcept {
        if (!node || (is_shared(node) && node->owners.fetch_sub(1, std::memory_order_acq_rel) != 1)) return;
        if (node->level > 0) {
            for (std::size_t at = 0; at < node->count; ++at) release(inner(node)->children[at]);
            delete inner(node);
        } else {
#if defined(__GNUC__)
            if constexpr (text_key<Key>)
                for (std::size_t at = 0; node->count > 8 && at < node->count; ++at)
                    __builtin_prefetch(std::string_view(slots(node)[at].key).data());
#endif
            std::destroy_n(slots(node), node->count);
            free_leaf(node);
        }
    }
    static bool is_shared(const Node* node) noexcept { return node->owners.load(std::memory_order_acquire) != 1; }

    static Node* copy(const Node* node, std::size_t capacity) {
        if (node->level > 0) {
            Inner* made = new Inner;
            made->level = node->level;
            made->count = node->count;
            made->prefixes = inner(node)->prefixes;
            made->keys = inner(node)->keys;
            for (std::size_t at = 0; at < node->count; ++at) made->children[at] = share(inner(node)->children[at]);
            return made;
        }
        Node* made = make_leaf(capacity);
        for (std::size_t at = 0; at < node->count; ++at) append(made, prefixes(node)[at], Slot(*entry(node, at)));
        return made;
    }

    /// Makes the node writable, in its place.
    [[gnu::always_inline]] static Node* own(Node*& place) { return is_shared(place) ? own_copy(place) : place; }
    static Node* own_copy(Node*& place) {
        Node* mine = copy(place, std::max<std::size_t>(place->capacity, 1));
        release(std::exchange(place, mine));
        return mine;
    }

    // Entries of a leaf.

    static void append(Node* leaf, std::uint64_t prefix, Slot&& slot) {
        const std::size_t at = leaf->count++;
        prefixes(leaf)[at] = prefix;
        order(leaf)[at] = static_cast<std::uint8_t>(at);
        new (slots(leaf) + at) Slot(std::move(slot));
    }

    template <class NewKey>
    static Slot* make_slot(Slot* at, NewKey&& key) {
        if constexpr (exact)
            return new (at) Slot{};
        else
            return new (at) Slot{{Key(std::forward<NewKey>(key))}};
    }

    template <class NewKey>
    static Value* insert_at(Node* leaf, std::size_t at, std::uint64_t prefix, NewKey&& key) {
        const std::size_t count = leaf->count;
        Slot* slot = make_slot(slots(leaf) + count, std::forward<NewKey>(key));
        if (const std::size_t behind = count - at; behind > 0) {
            std::memmove(prefixes(leaf) + at + 1, prefixes(leaf) + at, behind * sizeof(std::uint64_t));
            std::memmove(order(leaf) + at + 1, order(leaf) + at, behind);
        }
        prefixes(leaf)[at] = prefix;
        order(leaf)[at] = static_cast<std::uint8_t>(count);
        ++leaf->count;
        return &slot->value;
    }

    static void erase_at(Node* leaf, std::size_t at) {
        const std::size_t last = leaf->count - 1u;
        const std::uint8_t hole = order(leaf)[at];
        std::memmove(prefixes(leaf) + at, prefixes(leaf) + at + 1, (last - at) * sizeof(std::uint64_t));
        std::memmove(order(leaf) + at, order(leaf) + at + 1, last - at);
        if (hole != last) {
            slots(leaf)[hole] = std::move(slots(leaf)[last]);
            *std::find(order(leaf), order(leaf) + last, static_cast<std::uint8_t>(last)) = hole;
        }
        std::destroy_at(slots(leaf) + last);
        prefixes(leaf)[last] = beyond;
        leaf->count = static_cast<std::uint8_t>(last);
    }

    /// Appends the entries of `from`, which is let go of.
    static void take_entries(Node* to, Node* from, std::size_t first, std::size_t last) {
        for (std::size_t at = first; at < last; ++at) append(to, prefixes(from)[at], std::move(*entry(from, at)));
    }

    /// The entries from `half` on go to `right`, which is empty; those that stay lie in the first slots again.
    static void split(Node* leaf, std::size_t half, Node* right) {
        take_entries(right, leaf, half, leaf->count);
        std::array<bool, leaf_size> taken{};  // the slots of those that stay
        for (std::size_t at = 0; at < half; ++at) taken[order(leaf)[at]] = true;
        for (std::size_t at = half; at < leaf->count; ++at) std::destroy_at(entry(leaf, at));
        std::size_t free = 0;
        for (std::size_t at = 0; at < half; ++at) {
            if (order(leaf)[at] < half) continue;
            while (taken[free]) ++free;
            Slot* from = entry(leaf, at);
            new (slots(leaf) + free) Slot(std::move(*from));
            std::destroy_at(from);
            order(leaf)[at] = static_cast<std::uint8_t>(free++);
        }
        std::fill(prefixes(leaf) + half, prefixes(leaf) + leaf->count, beyond);
        leaf->count = static_cast<std::uint8_t>(half);
    }

    /// In the place of a leaf comes one of another capacity.
    static Node* resize(Node*& place, std::size_t capacity) {
        Node* made = make_leaf(capacity);
        take_entries(made, place, 0, place->count);
        release(std::exchange(place, made));
        return made;
    }

    // Children of an inner node.

    static Key key_of_child(const Inner* node, std::size_t at) {
        if constexpr (exact)
            return key_of<Key>(node->prefixes[at]);
        else
            return node->keys[at];
    }

    static void insert_child(Inner* node, std::size_t at, Node* child, std::uint64_t prefix, const Key& key) {
        const auto open = [&](auto& items) {
            std::move_backward(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + node->count,
                               items.begin() + node->count + 1);
        };
        open(node->prefixes), open(node->children);
        node->prefixes[at] = prefix;
        node->children[at] = child;
        if constexpr (!exact) {
            open(node->keys);
            node->keys[at] = key;
        }
        ++node->count;
    }

    static void erase_child(Inner* node, std::size_t at) {
        const auto close = [&](auto& items) {
            std::move(items.begin() + static_cast<std::ptrdiff_t>(at) + 1, items.begin() + node->count,
                      items.begin() + static_cast<std::ptrdiff_t>(at));
        };
        close(node->prefixes), close(node->children);
        if constexpr (!exact) {
            close(node->keys);
            node->keys[node->count - 1u] = Key{};
        }
        node->prefixes[--node->count] = beyond;
    }
};

}  // namespace netsync::detail

// ---- netsync/detail/sorted_map_iterator.hpp ----

// netsync: the entries of a sorted map (detail/sorted_map.hpp) in their order.

namespace netsync::detail {

/// Goes through the entries in order. Good until the map changes.
template <class Key, class Value>
class SortedMapIterator : SortedNodes<Key, Value> {
    using Nodes = SortedNodes<Key, Value>;
    using Nodes::bytes, Nodes::child_for, Nodes::entry, Nodes::exact, Nodes::inner, Nodes::is_shared, Nodes::key_at,
        Nodes::leaf_size, Nodes::place_of, Nodes::prefixes, Nodes::slots_at;
    using typename Nodes::Entry, typename Nodes::Inner, typename Nodes::Node, typename Nodes::Slot;

   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using reference = Entry;
    using pointer = void;

    explicit SortedMapIterator(const Node* root) {
        if (root && root->count > 0) go_down(root);
    }
    template <class Query>
    SortedMapIterator(const Node* root, std::uint64_t prefix, const Query& key) {
        const Node* node = root;
        while (node->level > 0) {
            const std::size_t child = child_for(inner(node), prefix, key);
            above_[depth_++] = {inner(node), child};
            node = inner(node)->children[child];
        }
        leaf_ = node;
        at_ = place_of(node, prefix, key).at;
        if (at_ == leaf_->count) go_on();
    }
    Entry operator*() const { return {key_at(leaf_, at_), entry(leaf_, at_)->value}; }
    std::uint64_t prefix() const { return prefixes(leaf_)[at_]; }
    /// Calls `f(key, value)` with the entry, which may be taken over where no copy shares it: for whoever lets go of the
    /// map. It stays, without its content.
    template <class F>
    void take(F&& f) const {
        Nodes::take(const_cast<Node*>(leaf_), at_, is_own(), f);
    }
    SortedMapIterator& operator++() {
        if (++at_ == leaf_->count) {
            go_on();
            return *this;
        }
        Nodes::prefetch_ahead(leaf_, next_, at_);
        return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const SortedMapIterator& a, const SortedMapIterator& b) noexcept {
        return a.leaf_ == b.leaf_ && a.at_ == b.at_;
    }
    /// Whether the key here comes before the key there, is the same, or comes after it: below, at or above 0. Neither is
    /// at its end.
    int compare(const SortedMapIterator& there) const {
        const std::uint64_t mine = prefix(), theirs = there.prefix();
        if (mine != theirs) return mine < theirs ? -1 : 1;
        return compare_keys(key_at(there.leaf_, there.at_));
    }
    /// The same for a key that has this prefix.
    int compare(std::uint64_t theirs, const Key& key) const {
        const std::uint64_t mine = prefix();
        if (mine != theirs) return mine < theirs ? -1 : 1;
        return compare_keys(key);
    }

   private:
    /// Of keys that have the same prefix.
    int compare_keys(const Key& theirs) const {
        if constexpr (exact) {
            return 0;
        } else {
            const Key& mine = key_at(leaf_, at_);
            if constexpr (text_key<Key>) return std::string_view(mine).compare(theirs);
            return mine < theirs ? -1 : theirs < mine ? 1 : 0;
        }
    }
    bool is_own() const {
        for (std::size_t depth = 0; depth < depth_; ++depth)
            if (is_shared(above_[depth].node)) return false;
        return !is_shared(leaf_);
    }
    /// To the next leaf.
    void go_on() {
        leaf_ = nullptr;
        at_ = 0;
        while (depth_ > 0) {
            auto& [node, child] = above_[depth_ - 1];
            if (++child < node->count) {
                go_down(node->children[child]);
                break;
            }
            --depth_;
        }
    }
    void go_down(const Node* node) {
        for (; node->level > 0; node = inner(node)->children[0]) above_[depth_++] = {inner(node), 0};
        leaf_ = node;
        at_ = 0;
        next_ = nullptr;
        if (depth_ == 0) return;
        const auto [above, child] = above_[depth_ - 1];
        next_ = Nodes::following(above, child);
        if (next_) Nodes::prefetch_keys(next_);
    }

    struct Level {
        const Inner* node;
        std::size_t child;
    };
    std::array<Level, 16> above_;  // as deep as depth_
    std::size_t depth_ = 0;
    const Node* leaf_ = nullptr;
    const Node* next_ = nullptr;  // the leaf behind it, where both lie below one node
    std::size_t at_ = 0;
};

}  // namespace netsync::detail

// ---- netsync/detail/sorted_map.hpp ----

// netsync: a sorted map that is copied in O(1). What the dot stores (crdt/dot_store.hpp) keep their elements in: a state
// is read, encoded or joined elsewhere while its owner goes on writing, and what is sent is walked in order.

namespace netsync::detail {

/// Keys to values in ascending order: a B+ tree whose nodes are shared by copies and copied when written to
/// (copy-on-write); see SortedNodes. A small map is one leaf, as large as it has to be. `Value` may be incomplete where only
/// the type of the map is named.
/// find, insert, erase: O(log size); copy: O(1), each node is copied once when it is next written to. References are
/// invalidated by insertion and erasure. One thread a map; copies may be used by different threads.
template <class Key, class Value>
class SortedMap : SortedNodes<Key, Value> {
    using Nodes = SortedNodes<Key, Value>;
    using Nodes::child_for, Nodes::entry, Nodes::erase_at, Nodes::erase_child, Nodes::exact, Nodes::fan_out,
        Nodes::inner, Nodes::insert_at, Nodes::insert_child, Nodes::is_shared, Nodes::key_at, Nodes::key_of_child,
        Nodes::following, Nodes::leaf_size, Nodes::make_leaf, Nodes::own, Nodes::place_of, Nodes::prefetch_ahead,
        Nodes::prefetch_prefixes, Nodes::prefetch_order, Nodes::prefetch_keys, Nodes::prefetch_room, Nodes::prefixes,
        Nodes::release, Nodes::resize, Nodes::share, Nodes::split, Nodes::take, Nodes::take_entries;
    using typename Nodes::Inner, typename Nodes::Node, typename Nodes::Slot;

   public:
    using typename Nodes::Entry;
    using Iterator = SortedMapIterator<Key, Value>;

    SortedMap() = default;
    SortedMap(const SortedMap& other) noexcept : root_(share(other.root_)), size_(other.size_) {}
    SortedMap(SortedMap&& other) noexcept
        : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    SortedMap& operator=(SortedMap other) noexcept {
        std::swap(root_, other.root_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~SortedMap() { release(root_); }

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    Iterator begin() const { return Iterator{root_}; }
    Iterator end() const { return Iterator{nullptr}; }

    /// What one entry takes in a full leaf.
    static constexpr std::size_t entry_size() { return sizeof(Slot) + sizeof(std::uint64_t) + 1; }

    template <class Query>
    const Value* find(const Query& key) const {
        if (!root_) return nullptr;
        const std::uint64_t prefix = prefix_of<Key>(key);
        const Node* leaf = leaf_of(prefix, key);
        prefetch_room(leaf);
        const Place place = place_of(leaf, prefix, key);
        trail_of(prefix).steps |= place.at;
        return place.found ? &entry(leaf, place.at)->value : nullptr;
    }

    /// Asks the memory for where a key is or would be: for whoever looks for it next, and has something to do before.
    template <class Query>
    void prefetch(const Query& key) const {
        if (root_ && !is_leaf()) prefetch_prefixes(leaf_of(prefix_of<Key>(key), key));
    }

    /// From the first entry that does not lie before `key`. O(log size).
    template <class Query>
    Iterator lower_bound(const Query& key) const {
        return root_ ? Iterator{root_, prefix_of<Key>(key), key} : end();
    }

    /// The last entry, of a map that is not empty. O(log size).
    Entry last() const {
        const Node* node = root_;
        while (node->level > 0) node = inner(node)->children[node->count - 1u];
        return {key_at(node, node->count - 1u), entry(node, node->count - 1u)->value};
    }

    /// For writing: nothing of it is shared any more.
    template <class Query>
    Value* find(const Query& key) {
        if (!std::as_const(*this).find(key)) return nullptr;
        Path path;
        const std::uint64_t prefix = prefix_of<Key>(key);
        Node* leaf = descend(path, trail_to(prefix), prefix, key);
        return &entry(leaf, place_of(leaf, prefix, key).at)->value;
    }

    /// The value under `key`, which lies beyond all that are there; made by default. O(log size), without a search.
    template <class NewKey>
    Value* append(NewKey&& key) {
        const std::uint64_t prefix = prefix_of<Key>(key);
        if (!root_) {
            root_ = make_leaf(1);
            ++size_;
            return insert_at(root_, 0, prefix, std::forward<NewKey>(key));
        }
        Path path;
        Node* node = own(root_);
        while (node->level > 0) {
            const std::size_t child = node->count - 1u;
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->children[child]);
        }
        Value* value = insert(path, node, node->count, prefix, std::forward<NewKey>(key));
        ++size_;
        return value;
    }

    /// The value under `key`, made by default where there was none; `second` says whether it was made.
    template <class NewKey = const Key&>
    std::pair<Value*, bool> try_emplace(NewKey&& key) {
        if (!root_) return {append(std::forward<NewKey>(key)), true};
        const std::uint64_t prefix = prefix_of<Key>(key);
        Path path;
        const Trail* const trail = trail_to(prefix);
        Node* leaf = descend(path, trail, prefix, key);
        const Place place = place_again(leaf, trail, prefix, key);
        if (place.found) return {&entry(leaf, place.at)->value, false};
        Value* value = insert(path, leaf, place.at, prefix, std::forward<NewKey>(key));
        ++size_;
        return {value, true};
    }

    template <class Query>
    bool erase(const Query& key) {
        if (!std::as_const(*this).find(key)) return false;
        Path path;
        const std::uint64_t prefix = prefix_of<Key>(key);
        Node* leaf = descend(path, trail_to(prefix), prefix, key);
        erase_at(leaf, place_of(leaf, prefix, key).at);
        --size_;
        balance(path, leaf);
        return true;
    }

    void clear() noexcept { *this = SortedMap{}; }

    /// Calls `f(entry)` for each, in order.
    template <class F>
    [[gnu::always_inline]] void for_each(F&& f) const {
        if (!is_leaf())
            for (const Entry each : *this) f(each);
        else
            for (std::size_t at = 0; at < root_->count; ++at) f(Entry{key_at(root_, at), entry(root_, at)->value});
    }

    /// Calls `f(key, value)` for each, in order, which may be taken over where no copy shares it: for whoever lets go of the
    /// map. The entries stay, without their content. Before it, `comes_next(key)` with the key that follows, if any.
    template <class F, class Next>
    [[gnu::always_inline]] void take_each(F&& f, const Next& comes_next) {
        if (!is_leaf()) {
            Iterator next = begin();
            for (Iterator at = begin(); at != end(); ++at) {
                if (++next != end()) comes_next((*next).key);
                at.take(f);
            }
        } else {
            for (std::size_t at = 0; at < root_->count; ++at) {
                if (at + 1 < root_->count) comes_next(key_at(root_, at + 1));
                take(root_, at, !is_shared(root_), f);
            }
        }
    }

    /// Calls `f(entry)` for each, in order, and lets go of what lies behind: a copy that writes there need not copy it any
    /// more. A key that was visited may be looked at until the next one was. Empty afterwards.
    template <class F>
    void drain(F&& f) {
        SortedMap going = std::move(*this), behind;
        if (going.root_) drain(going.root_, nullptr, behind.root_, f);
    }

    /// Same keys, and `same(value, value)` for each. O(size), O(1) for copies that nobody has written to since.
    template <class Equal>
    bool equal(const SortedMap& other, Equal&& same) const {
        if (size_ != other.size_) return false;
        if (root_ == other.root_) return true;
        Iterator theirs = other.begin();
        for (Iterator mine = begin(); mine != end(); ++mine, ++theirs)
            if (mine.compare(theirs) != 0 || !same((*mine).value, (*theirs).value)) return false;
        return true;
    }

   private:
    template <class, class>
    friend class Appender;

    /// As most deltas are: then no way through the nodes has to be kept.
    bool is_leaf() const noexcept { return root_ && root_->level == 0; }

    struct Step {
        Inner* node;
        std::size_t child;
    };
    struct Path {
        std::array<Step, 16> steps;  // 2^32 entries lie at most 8 deep
        std::size_t depth = 0;
    };

    /// Takes the node out of its place, and puts the last leaf of it `behind`. `next`: the leaf that follows, if known.
    template <class F>
    static void drain(Node*& place, const Node* next, Node*& behind, F& f) {
        if (place->level == 0) {
            if (next) prefetch_keys(next);
            for (std::size_t at = 0; at < place->count; ++at) {
                prefetch_ahead(place, next, at);
                f(Entry{key_at(place, at), entry(place, at)->value});
            }
            release(std::exchange(behind, std::exchange(place, nullptr)));
            return;
        }
        Node* node = own(place);
        for (std::size_t at = 0; at < node->count; ++at)
            drain(inner(node)->children[at], following(node, at), behind, f);
        release(std::exchange(place, nullptr));
    }

    // A change looks for a key, and its merge comes back to it: the way that led to the same prefix is tried first. It need
    // not be true. Some are kept, since the memory is asked for the next key before one is merged.

    struct Trail {
        std::uint64_t prefix = 0;
        std::uint64_t steps = 0;  // a byte a level, the leaf's the lowest

        std::size_t at(unsigned level) const noexcept { return (steps >> (8 * (level % 8))) & 0xff; }
    };

    static Trail& trail_of(std::uint64_t prefix) noexcept { return trails_[prefix % trails_.size()]; }
    static const Trail* trail_to(std::uint64_t prefix) noexcept {
        const Trail& trail = trail_of(prefix);
        return trail.prefix == prefix ? &trail : nullptr;
    }

    template <class Query>
    static std::size_t child_below(const Inner* node, unsigned level, const Trail* trail, std::uint64_t prefix,
                                   const Query& key) {
        if (trail && lies_below(node, trail->at(level), prefix)) return trail->at(level);
        return child_for(node, prefix, key);
    }

    /// Whether the prefix alone says that a key lies below this child, which may not exist.
    static bool lies_below(const Inner* node, std::size_t child, std::uint64_t prefix) noexcept {
        return child + 1 < fan_out && node->prefixes[child] < prefix && prefix < node->prefixes[child + 1];
    }

    template <class Query>
    static Place place_again(const Node* leaf, const Trail* trail, std::uint64_t prefix, const Query& key) {
        if (trail) {
            const std::size_t at = trail->at(0);
            const bool fits = at < leaf->capacity && (at == 0 || prefixes(leaf)[at - 1] < prefix);
            if (fits && prefix < prefixes(leaf)[at]) return {at, false};
        }
        return place_of(leaf, prefix, key);
    }

    /// The leaf for a key; the way to it is kept. The leaf itself is asked for, not waited for.
    template <class Query>
    const Node* leaf_of(std::uint64_t prefix, const Query& key) const {
        const Trail* const trail = trail_to(prefix);
        std::uint64_t steps = 0;
        const Node* node = root_;
        for (unsigned level = root_->level; level > 0; --level) {
            const std::size_t child = child_below(inner(node), level, trail, prefix, key);
            steps = (steps | child) << 8;
            node = inner(node)->children[child];
            if (level == 1) prefetch_order(node);
        }
        trail_of(prefix) = {prefix, steps};
        return node;
    }

    /// The same with all of the way writable.
    template <class Query>
    Node* descend(Path& path, const Trail* trail, std::uint64_t prefix, const Query& key) {
        Node* node = own(root_);
        for (unsigned level = root_->level; level > 0; --level) {
            const std::size_t child = child_below(inner(node), level, trail, prefix, key);
            if (!trail && level == 1) prefetch_order(inner(node)->children[child]);
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->children[child]);
        }
        prefetch_room(node);
        return node;
    }

    Node*& place_in(const Path& path, std::size_t depth) {
        return depth == 0 ? root_ : path.steps[depth - 1].node->children[path.steps[depth - 1].child];
    }

    // Growing.

    template <class NewKey>
    Value* insert(Path& path, Node* leaf, std::size_t at, std::uint64_t prefix, NewKey&& key) {
        if (leaf->count < leaf->capacity) return insert_at(leaf, at, prefix, std::forward<NewKey>(key));
        if (leaf->capacity < leaf_size) {
            Node* larger = resize(place_in(path, path.depth), leaf->capacity * 2u);
            return insert_at(larger, at, prefix, std::forward<NewKey>(key));
        }
        Node* right = make_leaf(leaf_size);
        if (at == leaf->count && is_last(path)) {  // keys that come in order fill their leaves
            Value* value = insert_at(right, 0, prefix, std::forward<NewKey>(key));
            add_child(path, path.depth, right, prefix, key_at(right, 0));
            return value;
        }
        const std::size_t half = leaf_size / 2;
        split(leaf, half, right);
        Value* value =
            insert_at(at < half ? leaf : right, at < half ? at : at - half, prefix, std::forward<NewKey>(key));
        const Key first = key_at(right, 0);
        add_child(path, path.depth, right, prefixes(right)[0], first);
        return value;
    }

    static bool is_last(const Path& path) {
        for (std::size_t depth = 0; depth < path.depth; ++depth)
            if (path.steps[depth].child + 1u != path.steps[depth].node->count) return false;
        return true;
    }

    /// A new node right of the one at `depth` of the path.
    void add_child(const Path& path, std::size_t depth, Node* right, std::uint64_t prefix, const Key& key) {
        if (depth == 0) {
            Inner* root = new Inner;
            root->level = static_cast<std::uint8_t>(root_->level + 1);
            insert_child(root, 0, root_, 0, Key{});  // the first child's key is never looked at
            insert_child(root, 1, right, prefix, key);
            root_ = root;
            return;
        }
        const auto [parent, child] = path.steps[depth - 1];
        if (parent->count < fan_out) return insert_child(parent, child + 1, right, prefix, key);
        Inner* next = new Inner;
        next->level = parent->level;
        const std::size_t half = child + 1 == fan_out ? fan_out : fan_out / 2;
        for (std::size_t at = half; at < fan_out; ++at)
            insert_child(next, at - half, parent->children[at], parent->prefixes[at], key_of_child(parent, at));
        parent->count = static_cast<std::uint8_t>(half);
        std::fill(parent->prefixes.begin() + half, parent->prefixes.end(), beyond);
        if (child + 1 > half || half == fan_out)
            insert_child(next, child + 1 - half, right, prefix, key);
        else
            insert_child(parent, child + 1, right, prefix, key);
        const Key first = key_of_child(next, 0);
        add_child(path, depth - 1, next, next->prefixes[0], first);
    }
    // Shrinking.

    /// After an erasure: no node is empty, small neighbours become one, and the root has more than one child.
    void balance(const Path& path, Node* node) {
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [parent, child] = path.steps[depth - 1];
            if (node->count == 0) {
                release(node);
                erase_child(parent, child);
            } else if (node->count < (node->level == 0 ? leaf_size : fan_out) / 4) {
                if (child + 1u < parent->count)
                    unite(parent, child);
                else if (child > 0)
                    unite(parent, child - 1);
            }
            node = parent;
        }
        while (root_->level > 0 && root_->count == 1) {
            Node* only = share(inner(root_)->children[0]);
            release(std::exchange(root_, only));
        }
        if (root_->count == 0)
            release(std::exchange(root_, nullptr));
        else if (root_->level == 0 && root_->capacity > 4 && root_->count * 4u <= root_->capacity && !is_shared(root_))
            resize(root_, root_->capacity / 2u);
    }

    /// The children `at` and `at + 1` become one, if that leaves it room.
    static void unite(Inner* parent, std::size_t at) {
        const std::size_t most = parent->level == 1 ? leaf_size : fan_out;
        if (parent->children[at]->count + parent->children[at + 1]->count > most * 3 / 4) return;
        Node* right = own(parent->children[at + 1]);
        Node* left = own(parent->children[at]);
        if (left->level == 0) {
            if (left->capacity < leaf_size) left = resize(parent->children[at], leaf_size);
            take_entries(left, right, 0, right->count);
        } else {
            for (std::size_t from = 0; from < right->count; ++from) {
                const bool first = from == 0;  // its own key may be that of none
                insert_child(inner(left), left->count, inner(right)->children[from],
                             first ? parent->prefixes[at + 1] : inner(right)->prefixes[from],
                             first ? key_of_child(parent, at + 1) : key_of_child(inner(right), from));
            }
            right->count = 0;
        }
        release(right);
        erase_child(parent, at + 1);
    }

    static inline constinit thread_local std::array<Trail, 4> trails_{};

    Node* root_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace netsync::detail

// ---- netsync/causal/replica_index.hpp ----

// netsync: replica ids, interned. 128-bit ids come in from the wire, small process-wide numbers go into the dots.

namespace netsync {

/// Stands for a ReplicaId inside this process. 0 is "none". Its order means nothing: what is sent or shown is sorted by
/// id.
enum class ReplicaIndex : std::uint32_t {};

namespace detail {

/// Every id this process has met, at most 2^20 - 1. Reading an id takes no lock: chunks never move once published.
class ReplicaTable {
   public:
    static constexpr std::uint32_t chunk_bits = 10;
    static constexpr std::uint32_t chunk_size = 1u << chunk_bits;
    static constexpr std::uint32_t capacity = 1u << 20;

    static ReplicaTable& instance() {
        static ReplicaTable table;
        return table;
    }

    /// The number of `id`, made if it is new. ReplicaIndex{} when the table is full.
    ReplicaIndex intern(const ReplicaId& id) {
        if (const ReplicaIndex known = asked_lately(id); known != ReplicaIndex{}) return known;
        const std::lock_guard lock{mutex_};
        if (const ReplicaIndex* found = indices_.find(id)) return remember(id, *found);
        if (next_ == capacity) return ReplicaIndex{};
        auto& chunk = chunks_[next_ >> chunk_bits];
        if (!chunk.load(std::memory_order_relaxed)) chunk.store(new Chunk, std::memory_order_release);
        (*chunk.load(std::memory_order_relaxed))[next_ & (chunk_size - 1)] = id;
        const ReplicaIndex index{next_++};
        *indices_.try_emplace(id).first = index;
        return index;
    }

    ReplicaIndex find(const ReplicaId& id) const {
        if (const ReplicaIndex known = asked_lately(id); known != ReplicaIndex{}) return known;
        const std::lock_guard lock{mutex_};
        const ReplicaIndex* found = indices_.find(id);
        return found ? remember(id, *found) : ReplicaIndex{};
    }

    /// Only for an index that `intern` or `find` gave, or 0.
    static const ReplicaId& id(ReplicaIndex index) noexcept {
        const auto at = static_cast<std::uint32_t>(index);
        return (*chunks_[at >> chunk_bits].load(std::memory_order_acquire))[at & (chunk_size - 1)];
    }

   private:
    using Chunk = std::array<ReplicaId, chunk_size>;

    ReplicaTable() { *indices_.try_emplace(ReplicaId{}).first = ReplicaIndex{}; }

    /// Most are asked for again and again: the index of this id, if no other that shares its slot was asked for since.
    ReplicaIndex asked_lately(const ReplicaId& id) const noexcept {
        const ReplicaIndex index = lately_[slot_of(id)].load(std::memory_order_acquire);
        return index != ReplicaIndex{} && this->id(index) == id ? index : ReplicaIndex{};
    }
    ReplicaIndex remember(const ReplicaId& id, ReplicaIndex index) const noexcept {
        lately_[slot_of(id)].store(index, std::memory_order_release);
        return index;
    }
    /// Ids are random, or hashes of names.
    static std::size_t slot_of(const ReplicaId& id) noexcept { return (id.owner_bits ^ id.incarnation) % slots; }

    static constexpr std::size_t slots = 256;

    mutable std::mutex mutex_;
    SortedMap<ReplicaId, ReplicaIndex> indices_;
    std::uint32_t next_ = 1;  // index 0: none
    mutable std::array<std::atomic<ReplicaIndex>, slots> lately_{};

    // From before the first use to after the last, without a check for each: a user's static may hold dots too.
    static inline constinit Chunk first_{};
    static inline constinit std::array<std::atomic<Chunk*>, capacity / chunk_size> chunks_{&first_};
};

}  // namespace detail

/// The process-wide number of a replica id. Any thread; O(1). ReplicaIndex{} once a process has met 2^20 - 1 ids.
inline ReplicaIndex intern(const ReplicaId& id) { return detail::ReplicaTable::instance().intern(id); }

/// As `intern`, but a new id stays unknown: for ids that a peer only mentions.
inline ReplicaIndex find_index(const ReplicaId& id) { return detail::ReplicaTable::instance().find(id); }

/// The id behind a number that `intern` gave. Any thread; no lock.
inline const ReplicaId& id_of(ReplicaIndex index) { return detail::ReplicaTable::id(index); }

}  // namespace netsync

// ---- netsync/causal/dot.hpp ----

// netsync: the name of one change: (replica, counter), in eight bytes. Everything causal is made of dots.

namespace netsync {

/// Counters run from 1 to this: 2^44 - 1 changes an incarnation, 200 days at a million a second.
inline constexpr std::uint64_t max_counter = (std::uint64_t{1} << 44) - 1;

/// One change of one replica (Preguiça et al., dotted version vectors, 2010). Replicas number their own changes densely
/// from 1. `Dot{}` is no dot. Packed: 20 bits of replica index over 44 bits of counter.
class Dot {
   public:
    constexpr Dot() = default;
    constexpr Dot(ReplicaIndex replica, std::uint64_t counter)
        : bits_((static_cast<std::uint64_t>(replica) << 44) | counter) {
        assert(counter <= max_counter);
    }

    constexpr ReplicaIndex replica() const noexcept { return ReplicaIndex{static_cast<std::uint32_t>(bits_ >> 44)}; }
    constexpr std::uint64_t counter() const noexcept { return bits_ & max_counter; }
    constexpr explicit operator bool() const noexcept { return bits_ != 0; }

    friend constexpr bool operator==(Dot, Dot) = default;
    /// An order for containers. Not that of the wire: there, dots go by replica id (see `precedes`).
    friend constexpr auto operator<=>(Dot, Dot) = default;

   private:
    std::uint64_t bits_ = 0;
};

/// The same order in every process: by replica id, then by counter.
inline bool precedes(Dot a, Dot b) {
    if (a.replica() == b.replica()) return a.counter() < b.counter();
    return id_of(a.replica()) < id_of(b.replica());
}

/// The dots of one replica from `first` to `last`, both included; empty when last < first.
struct DotRange {
    ReplicaIndex replica{};
    std::uint64_t first = 1;
    std::uint64_t last = 0;

    constexpr bool empty() const noexcept { return last < first; }
    constexpr std::uint64_t size() const noexcept { return empty() ? 0 : last - first + 1; }
    constexpr bool contains(Dot dot) const noexcept {
        return dot.replica() == replica && first <= dot.counter() && dot.counter() <= last;
    }
    friend constexpr bool operator==(const DotRange&, const DotRange&) = default;
};

}  // namespace netsync

// ---- netsync/causal/version_vector.hpp ----

// netsync: what a replica has seen, when it has seen everything below each counter.

namespace netsync {

/// For each replica the highest counter seen, with nothing missing below it (Parker et al. 1983). Absent means 0.
/// Look-up O(log n) in the number of replicas; a handful of cache lines for any real pool.
class VersionVector {
   public:
    struct Entry {
        ReplicaIndex replica{};
        std::uint64_t counter = 0;
        friend constexpr bool operator==(const Entry&, const Entry&) = default;
    };

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

    std::uint64_t counter(ReplicaIndex replica) const noexcept {
        const auto at = lower_bound(replica);
        return at != entries_.end() && at->replica == replica ? at->counter : 0;
    }

    bool contains(Dot dot) const noexcept { return dot.counter() <= counter(dot.replica()); }

    /// Raises the counter of `replica` to at least `counter`; true if it rose.
    bool advance(ReplicaIndex replica, std::uint64_t counter) {
        if (counter == 0) return false;
        const auto at = entries_.begin() + (lower_bound(replica) - entries_.cbegin());
        if (at == entries_.end() || at->replica != replica) {
            entries_.insert(at, {replica, counter});
            return true;
        }
        if (at->counter >= counter) return false;
        at->counter = counter;
        return true;
    }

    /// The least upper bound of both; true if this one rose.
    bool merge(const VersionVector& other) {
        bool rose = false;
        for (const Entry& entry : other) rose |= advance(entry.replica, entry.counter);
        return rose;
    }

    /// Whether everything that `other` has seen is seen here: other ≤ this.
    bool includes(const VersionVector& other) const noexcept {
        return std::all_of(other.begin(), other.end(),
                           [&](const Entry& entry) { return counter(entry.replica) >= entry.counter; });
    }

    void erase(ReplicaIndex replica) {
        const auto at = lower_bound(replica);
        if (at != entries_.end() && at->replica == replica) entries_.erase(at);
    }

    /// The entries by replica id: the order of the wire and of anything shown.
    std::vector<Entry> sorted() const {
        std::vector<Entry> result = entries_;
        std::sort(result.begin(), result.end(),
                  [](const Entry& a, const Entry& b) { return id_of(a.replica) < id_of(b.replica); });
        return result;
    }

    friend bool operator==(const VersionVector&, const VersionVector&) = default;

   private:
    std::vector<Entry>::const_iterator lower_bound(ReplicaIndex replica) const noexcept {
        const auto is_before = [](const Entry& entry, ReplicaIndex key) { return entry.replica < key; };
        if (entries_.size() > 8) return std::lower_bound(entries_.begin(), entries_.end(), replica, is_before);
        auto at = entries_.begin();
        while (at != entries_.end() && is_before(*at, replica)) ++at;
        return at;
    }

    std::vector<Entry> entries_;  // by index
};

}  // namespace netsync

// ---- netsync/detail/few.hpp ----

// netsync: a contiguous sequence that nearly always holds at most one item. The cloud of a delta's causal context.

namespace netsync::detail {

/// The first item lies inside; where there are more, all of them lie together on the heap. Value semantics.
template <class Item>
class Few {
    static_assert(std::is_trivially_copyable_v<Item>);

   public:
    Few() = default;
    explicit Few(Item item) : inside_(item), size_(1) {}
    Few(const Few& other) { assign(other); }
    Few(Few&& other) noexcept
        : inside_(other.inside_), more_(std::move(other.more_)), size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 1)) {}
    Few& operator=(Few other) noexcept {
        inside_ = other.inside_;
        more_ = std::move(other.more_);
        size_ = other.size_;
        capacity_ = other.capacity_;
        return *this;
    }
    ~Few() = default;

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    const Item* data() const noexcept { return more_ ? more_.get() : &inside_; }
    Item* data() noexcept { return more_ ? more_.get() : &inside_; }
    const Item* begin() const noexcept { return data(); }
    const Item* end() const noexcept { return data() + size_; }
    Item* begin() noexcept { return data(); }
    Item* end() noexcept { return data() + size_; }

    /// Before the item at `position`. O(size).
    void insert(std::size_t position, Item item) {
        if (size_ == capacity_) enlarge();
        Item* items = data();
        std::copy_backward(items + position, items + size_, items + size_ + 1);
        items[position] = item;
        ++size_;
    }

    /// From `first` up to `last`. O(size).
    void erase(Item* first, Item* last) noexcept {
        std::copy(last, end(), first);
        size_ -= static_cast<std::size_t>(last - first);
    }

    friend bool operator==(const Few& a, const Few& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

   private:
    void assign(const Few& other) {
        if (other.size_ > 1) {
            more_ = std::make_unique_for_overwrite<Item[]>(other.size_);
            capacity_ = other.size_;
        }
        std::copy(other.begin(), other.end(), data());
        size_ = other.size_;
    }

    void enlarge() {
        auto larger = std::make_unique<Item[]>(capacity_ * 2);
        std::copy(begin(), end(), larger.get());
        more_ = std::move(larger);
        capacity_ *= 2;
    }

    Item inside_{};
    std::unique_ptr<Item[]> more_;  // then nothing lies inside
    std::size_t size_ = 0;
    std::size_t capacity_ = 1;
};

}  // namespace netsync::detail

// ---- netsync/causal/causal_context.hpp ----

// netsync: which dots a state or a delta has seen. Merging reads it to tell "not yet seen" from "seen and removed".

namespace netsync {

/// A set of dots: a version vector, and beyond it a cloud of contiguous ranges (Almeida, Shoker, Baquero 2018). A
/// state's context is always a plain vector, because delivery is causal; a delta's is a cloud: the dots it minted and
/// those it removed. Look-up O(log n) in replicas and ranges.
class CausalContext {
   public:
    CausalContext() = default;
    explicit CausalContext(VersionVector vector) : vector_(std::move(vector)) {}
    /// The dots of one range: what most changes have.
    explicit CausalContext(const DotRange& range) {
        if (range.first == 1)
            vector_.advance(range.replica, range.last);
        else if (!range.empty())
            cloud_ = detail::Few<DotRange>{range};
    }

    const VersionVector& vector() const noexcept { return vector_; }
    std::span<const DotRange> cloud() const noexcept { return {cloud_.data(), cloud_.size()}; }
    bool empty() const noexcept { return vector_.empty() && cloud_.empty(); }

    bool contains(Dot dot) const noexcept {
        if (vector_.contains(dot)) return true;
        if (cloud_.empty()) return false;
        const auto after = upper_bound(dot);
        return after != cloud_.begin() && std::prev(after)->contains(dot);
    }

    void add(Dot dot) { add(DotRange{dot.replica(), dot.counter(), dot.counter()}); }

    /// Adds a range; ranges that touch become one, and those that touch the vector become part of it.
    void add(DotRange range) {
        if (range.empty()) return;
        if (range.first <= vector_.counter(range.replica) + 1) {
            return advance(range.replica, range.last);
        }
        auto at =
            std::lower_bound(cloud_.begin(), cloud_.end(), range, [](const DotRange& held, const DotRange& added) {
                return held.replica != added.replica ? held.replica < added.replica : held.last + 1 < added.first;
            });
        auto end = at;
        for (; end != cloud_.end() && end->replica == range.replica && end->first <= range.last + 1; ++end) {
            range.first = std::min(range.first, end->first);
            range.last = std::max(range.last, end->last);
        }
        if (at == end) {
            cloud_.insert(static_cast<std::size_t>(at - cloud_.begin()), range);
        } else {
            *at = range;
            cloud_.erase(at + 1, end);
        }
    }

    /// Everything of `replica` up to `counter`.
    void advance(ReplicaIndex replica, std::uint64_t counter) {
        vector_.advance(replica, counter);
        if (!cloud_.empty()) absorb(replica);
    }

    void merge(const CausalContext& other) {
        for (const VersionVector::Entry& entry : other.vector_) add(DotRange{entry.replica, 1, entry.counter});
        for (const DotRange& range : other.cloud_) add(range);
    }

    friend bool operator==(const CausalContext&, const CausalContext&) = default;

   private:
    const DotRange* upper_bound(Dot dot) const noexcept {
        return std::upper_bound(cloud_.begin(), cloud_.end(), dot, [](Dot key, const DotRange& range) {
            return key.replica() != range.replica ? key.replica() < range.replica : key.counter() < range.first;
        });
    }

    void absorb(ReplicaIndex replica) {
        const auto kept = std::remove_if(cloud_.begin(), cloud_.end(), [&](const DotRange& range) {
            if (range.replica != replica || range.first > vector_.counter(replica) + 1) return false;
            vector_.advance(replica, range.last);
            return true;
        });
        cloud_.erase(kept, cloud_.end());
    }

    VersionVector vector_;
    detail::Few<DotRange> cloud_;  // by replica, then first; disjoint, none adjacent
};

}  // namespace netsync

// ---- netsync/detail/reflect.hpp ----

// netsync: aggregate reflection. A plain struct comes in, its fields go out, in order of declaration: what composition
// (crdt/) and the archives (wire/) are made of. C++20 structured bindings; no macro, no registration.

namespace netsync::detail {

inline constexpr std::size_t max_fields = 32;

/// Converts to the type of any field of `Struct`, never to `Struct` itself (that would be its copy constructor).
template <class Struct>
struct AnyField {
    template <class Field>
        requires(!std::is_same_v<std::remove_cvref_t<Field>, Struct>)
    operator Field() const {
        std::abort();  // never called: only asked whether it would convert
    }
};

template <class Struct, std::size_t... Index>
constexpr bool takes_fields(std::index_sequence<Index...>) {
    return requires { Struct{(static_cast<void>(Index), AnyField<Struct>{})...}; };
}

template <class Struct, std::size_t Count = 0>
constexpr std::size_t count_fields() {
    if constexpr (Count > max_fields || !takes_fields<Struct>(std::make_index_sequence<Count + 1>{}))
        return Count;
    else
        return count_fields<Struct, Count + 1>();
}

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t Size>
inline constexpr bool is_std_array<std::array<T, Size>> = true;

/// A plain struct: an aggregate class that is neither a union nor a std::array.
template <class T>
concept plain_struct = std::is_aggregate_v<T> && std::is_class_v<T> && !is_std_array<T>;

template <plain_struct T>
inline constexpr std::size_t field_count = count_fields<T>();

/// Calls `f(field...)` with all fields of `value` at once, and returns its result.
template <class T, class F>
constexpr decltype(auto) with_fields(T& value, F&& f) {
    constexpr std::size_t count = field_count<std::remove_cv_t<T>>;
    static_assert(count <= max_fields, "netsync: a struct has at most 32 fields; nest structs for more");
    if constexpr (count == 0) {
        return f();
    } else if constexpr (count == 1) {
        auto& [f1] = value;
        return f(f1);
    } else if constexpr (count == 2) {
        auto& [f1, f2] = value;
        return f(f1, f2);
    } else if constexpr (count == 3) {
        auto& [f1, f2, f3] = value;
        return f(f1, f2, f3);
    } else if constexpr (count == 4) {
        auto& [f1, f2, f3, f4] = value;
        return f(f1, f2, f3, f4);
    } else if constexpr (count == 5) {
        auto& [f1, f2, f3, f4, f5] = value;
        return f(f1, f2, f3, f4, f5);
    } else if constexpr (count == 6) {
        auto& [f1, f2, f3, f4, f5, f6] = value;
        return f(f1, f2, f3, f4, f5, f6);
    } else if constexpr (count == 7) {
        auto& [f1, f2, f3, f4, f5, f6, f7] = value;
        return f(f1, f2, f3, f4, f5, f6, f7);
    } else if constexpr (count == 8) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8);
    } else if constexpr (count == 9) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9);
    } else if constexpr (count == 10) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10);
    } else if constexpr (count == 11) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11);
    } else if constexpr (count == 12) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12);
    } else if constexpr (count == 13) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13);
    } else if constexpr (count == 14) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14);
    } else if constexpr (count == 15) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15);
    } else if constexpr (count == 16) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16);
    } else if constexpr (count == 17) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17);
    } else if constexpr (count == 18) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18);
    } else if constexpr (count == 19) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19);
    } else if constexpr (count == 20) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20);
    } else if constexpr (count == 21) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21);
    } else if constexpr (count == 22) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22] =
            value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22);
    } else if constexpr (count == 23) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
               f23] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23);
    } else if constexpr (count == 24) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24);
    } else if constexpr (count == 25) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25);
    } else if constexpr (count == 26) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26);
    } else if constexpr (count == 27) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26, f27] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26, f27);
    } else if constexpr (count == 28) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26, f27, f28] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26, f27, f28);
    } else if constexpr (count == 29) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26, f27, f28, f29] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26, f27, f28, f29);
    } else if constexpr (count == 30) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26, f27, f28, f29, f30] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26, f27, f28, f29, f30);
    } else if constexpr (count == 31) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26, f27, f28, f29, f30, f31] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26, f27, f28, f29, f30, f31);
    } else if constexpr (count == 32) {
        auto& [f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23,
               f24, f25, f26, f27, f28, f29, f30, f31, f32] = value;
        return f(f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22,
                 f23, f24, f25, f26, f27, f28, f29, f30, f31, f32);
    }
}

/// Calls `f(field)` for each field.
template <class F, class T>
constexpr void for_each_field(F&& f, T& value) {
    with_fields(value, [&](auto&... field) { (static_cast<void>(f(field)), ...); });
}

/// Calls `f(field, other)` for each field of two structs of one type, side by side.
template <class F, class T, class U>
constexpr void for_each_field(F&& f, T& value, U& other) {
    with_fields(value, [&](auto&... field) {
        with_fields(other, [&](auto&... beside) { (static_cast<void>(f(field, beside)), ...); });
    });
}

/// The types of the fields of T.
template <class...>
struct Types {};
struct ToTypes {
    template <class... Field>
    Types<Field...> operator()(Field&...) const {
        return {};
    }
};
template <class T>
using field_types = decltype(with_fields(std::declval<T&>(), ToTypes{}));

}  // namespace netsync::detail

// ---- netsync/crdt/concept.hpp ----

// netsync: what a CrdtType is. A change is a value of your own type, and merge is the only thing that changes state.

namespace netsync {

/// How much of its target a merge speaks about. A delta speaks about what it mentions; a whole state about everything.
enum class Scope { mentioned, whole };

/// Where a merge writes. A state drops what has become empty; a delta keeps the mention of it, for those who get it.
enum class Target { state, delta };

/// The two sides of a causal merge: what each has seen, which says of a dot on one side only whether the other has not
/// seen it yet (keep it) or has seen it removed (drop it).
struct Join {
    const CausalContext& mine;
    const CausalContext& theirs;
    Scope scope = Scope::mentioned;
    Target target = Target::state;
    std::optional<OwnerId> origin{};  ///< who made the delta; none where a whole state is joined

    Join whole() const noexcept { return {mine, theirs, Scope::whole, target, origin}; }
};

/// A leaf without dots: a join-semilattice. `merge` is the least upper bound (idempotent, commutative, associative) and
/// says whether this side rose; a default-constructed value is the bottom. `HighestBid` is the exemplar (README).
template <class T>
concept monotone = std::default_initializable<T> && std::copyable<T> && requires(T& mine, const T& theirs) {
    { mine.merge(theirs) } -> std::same_as<bool>;
};

namespace detail {
struct AnyDot {
    void operator()(Dot) const noexcept {}
};
}  // namespace detail

/// A leaf whose content lies under dots (Almeida, Shoker, Baquero 2018).
///
/// - `merge(theirs, join)`: the join of both contents under both contexts; true if this side changed. Optional for a
///   `theirs` that nobody needs any more (T&&): what it owns may be taken over.
/// - `for_each_dot(f)`: every dot that is alive in it.
/// - `is_bottom()`: holds nothing and, as a delta, mentions nothing.
/// - its encoding: `save`/`load` over an archive (wire/archive.hpp), in one canonical form, so that equal states have
///   equal bytes. Optional `load_and_merge(archive, join)`: reads a whole state and joins it as it is read; true as `merge`.
/// - optional `prefetch(key)`: a hint that `key` is changed next (see prefetch_at).
/// - optional `drop_stable(vector)`: forget metadata that every member has seen (tombstones); true if anything went.
/// - optional `reissue(keep)`: for a delta that says more than its own change did (see netsync::reissue).
/// - optional `permits(owner)`: for a delta, whether `owner` may make it (see Owned).
///
/// Laws: idempotent, commutative, associative; state ⊔ delta = the state as mutated. Exemplar: OrSet.
template <class T>
concept causal_leaf = std::default_initializable<T> && std::copyable<T> &&
                      requires(T& mine, const T& theirs, const Join& join, detail::AnyDot visit) {
                          { mine.merge(theirs, join) } -> std::same_as<bool>;
                          { theirs.for_each_dot(visit) } -> std::same_as<void>;
                          { theirs.is_bottom() } -> std::same_as<bool>;
                      };

template <class T>
inline constexpr bool is_crdt = false;
template <class T>
inline constexpr bool is_causal = false;

/// Anything that a Replica can hold: a causal leaf, a monotone leaf, or a plain struct whose members are CRDTs.
template <class T>
concept crdt = is_crdt<T>;

/// A CRDT whose whole content lies under dots, so that a parent can remove exactly what the remover had seen: what an
/// OrMap can hold. Wrap a monotone type as Joined<T>.
template <class T>
concept causal = is_causal<T>;

namespace detail {

template <class Fields>
inline constexpr bool all_crdt = false;
template <class... Field>
inline constexpr bool all_crdt<Types<Field...>> =
    std::conjunction_v<std::bool_constant<is_crdt<std::remove_cv_t<Field>>>...>;

template <class Fields>
inline constexpr bool all_causal = false;
template <class... Field>
inline constexpr bool all_causal<Types<Field...>> =
    std::conjunction_v<std::bool_constant<is_causal<std::remove_cv_t<Field>>>...>;

}  // namespace detail

template <class T>
    requires causal_leaf<T> || monotone<T>
inline constexpr bool is_crdt<T> = true;
template <detail::plain_struct T>
    requires(!causal_leaf<T> && !monotone<T>)
inline constexpr bool is_crdt<T> = detail::all_crdt<detail::field_types<T>>;

template <causal_leaf T>
inline constexpr bool is_causal<T> = true;
template <detail::plain_struct T>
    requires(!causal_leaf<T> && !monotone<T>)
inline constexpr bool is_causal<T> = detail::all_causal<detail::field_types<T>>;

}  // namespace netsync

// ---- netsync/detail/equal.hpp ----

// netsync: equality of values whose structs declare none: field by field, through containers.

namespace netsync::detail {

template <class T>
concept ordered_range = requires(const T& value) {
    typename T::value_type;
    value.begin();
    value.end();
    value.size();
} && !requires { typename T::hasher; } && !std::convertible_to<const T&, std::string_view>;

template <class T>
bool equal_values(const T& a, const T& b) {
    if constexpr (ordered_range<T>) {
        return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                                  [](const auto& x, const auto& y) { return equal_values(x, y); });
    } else if constexpr (requires {
                             a.has_value();
                             *a;
                         }) {
        return a.has_value() == b.has_value() && (!a.has_value() || equal_values(*a, *b));
    } else if constexpr (requires {
                             { a == b } -> std::convertible_to<bool>;
                         }) {
        return static_cast<bool>(a == b);
    } else if constexpr (requires { std::tuple_size<T>::value; }) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return (equal_values(std::get<I>(a), std::get<I>(b)) && ...);
        }(std::make_index_sequence<std::tuple_size_v<T>>{});
    } else {
        bool same = true;
        for_each_field([&](const auto& left, const auto& right) { same = same && equal_values(left, right); }, a, b);
        return same;
    }
}

}  // namespace netsync::detail

// ---- netsync/crdt/composition.hpp ----

// netsync: a struct of CRDTs is a CRDT. Each operation of a leaf comes in and goes out for structs, field by field.

namespace netsync {

namespace detail {
template <class T>
concept composite = crdt<T> && !causal_leaf<T> && !monotone<T>;
}  // namespace detail

/// The one thing that changes state. True if `mine` changed. A delta costs the size of the delta.
template <crdt T>
bool merge(T& mine, const T& theirs, const Join& join) {
    if constexpr (causal_leaf<T>) {
        return mine.merge(theirs, join);
    } else if constexpr (monotone<T>) {
        return mine.merge(theirs);
    } else {
        bool changed = false;
        detail::for_each_field([&](auto& field, const auto& other) { changed |= netsync::merge(field, other, join); },
                               mine, theirs);
        return changed;
    }
}

/// The same where nobody needs `theirs` any more: what it owns may be taken over.
template <crdt T>
bool merge(T& mine, std::type_identity_t<T>&& theirs, const Join& join) {
    if constexpr (causal_leaf<T>) {
        return mine.merge(std::move(theirs), join);
    } else if constexpr (monotone<T>) {
        return mine.merge(theirs);
    } else {
        bool changed = false;
        detail::for_each_field(
            [&](auto& field, auto& other) { changed |= netsync::merge(field, std::move(other), join); }, mine, theirs);
        return changed;
    }
}

/// Visits every dot that is alive in `value`. A monotone leaf has none.
template <crdt T, class F>
void for_each_dot(const T& value, F&& visit) {
    if constexpr (causal_leaf<T>)
        value.for_each_dot(visit);
    else if constexpr (detail::composite<T>)
        detail::for_each_field([&](const auto& field) { netsync::for_each_dot(field, visit); }, value);
}

/// Equality of everything, dots included: the type's own `==`, or field by field for a struct without one.
template <class T>
bool equal(const T& a, const T& b) {
    return detail::equal_values(a, b);
}

/// Whether `value` holds nothing and, as a delta, mentions nothing.
template <crdt T>
bool is_bottom(const T& value) {
    if constexpr (causal_leaf<T>) {
        return value.is_bottom();
    } else if constexpr (monotone<T>) {
        return netsync::equal(value, T{});
    } else {
        bool bottom = true;
        detail::for_each_field([&](const auto& field) { bottom = bottom && netsync::is_bottom(field); }, value);
        return bottom;
    }
}

/// Whether a delta stays within what `owner` may write (see Owned).
template <crdt T>
bool permits(const T& delta, OwnerId owner) {
    if constexpr (requires {
                      { delta.permits(owner) } -> std::same_as<bool>;
                  }) {
        return delta.permits(owner);
    } else if constexpr (detail::composite<T>) {
        bool all = true;
        detail::for_each_field([&](const auto& field) { all = all && netsync::permits(field, owner); }, delta);
        return all;
    } else {
        return true;
    }
}

/// Forgets metadata that every member has seen, where the type keeps any (causal stability, Baquero et al. 2017).
/// Changes nothing that can be read. Called by the replica; true if anything went.
template <crdt T>
bool drop_stable(T& state, const VersionVector& stable) {
    if constexpr (requires {
                      { state.drop_stable(stable) } -> std::same_as<bool>;
                  }) {
        return state.drop_stable(stable);
    } else if constexpr (detail::composite<T>) {
        bool dropped = false;
        detail::for_each_field([&](auto& field) { dropped |= netsync::drop_stable(field, stable); }, state);
        return dropped;
    } else {
        return false;
    }
}

/// Turns a delta that is issued again, by another incarnation and under other dots, into what it alone says: a counter's
/// delta sums up the earlier totals of its replica, and now these stay. `keep(counter)` is called for each dot of that
/// replica which the delta superseded when it was first issued, and does not any more.
template <crdt T>
void reissue(T& delta, const std::function<void(std::uint64_t)>& keep) {
    if constexpr (requires { delta.reissue(keep); })
        delta.reissue(keep);
    else if constexpr (detail::composite<T>)
        detail::for_each_field([&](auto& field) { netsync::reissue(field, keep); }, delta);
}

}  // namespace netsync

// ---- netsync/crdt/change.hpp ----

// netsync: a change while it is being made. A mutator takes dots and the time from it and returns a delta; what was
// minted and removed is the delta's causal context.

namespace netsync {

/// Handed to a mutator, made by the replica: `Change{self, next counter, time}`. Not for keeping. One thread.
class Change {
   public:
    Change(ReplicaIndex replica, std::uint64_t next_counter, Ntp64 time)
        : minted_{replica, next_counter, next_counter - 1}, time_(time) {}

    /// The next dot of this replica: names what the delta adds.
    Dot mint() {
        ++minted_.last;
        return Dot{minted_.replica, minted_.last};
    }

    /// Says that the dot was seen and is superseded: with the dot absent from the delta, that is an observed-remove.
    void remove(Dot dot) { removed_.push_back(dot); }

    /// Removes everything alive in `content`: exactly what this replica has seen of it. O(dots in content).
    template <crdt T>
    void remove_all(const T& content) {
        netsync::for_each_dot(content, [this](Dot dot) { remove(dot); });
    }

    /// The one time of all that this change writes; ties within it go by counter.
    Ntp64 time() const noexcept { return time_; }
    ReplicaIndex replica() const noexcept { return minted_.replica; }
    OwnerId owner() const { return id_of(minted_.replica).owner(); }

    const DotRange& minted() const noexcept { return minted_; }
    const std::vector<Dot>& removed() const noexcept { return removed_; }

    /// The delta's causal context.
    CausalContext context() const {
        CausalContext context{minted_};
        for (const Dot dot : removed_) context.add(dot);
        return context;
    }

   private:
    DotRange minted_;
    Ntp64 time_;
    std::vector<Dot> removed_;
};

}  // namespace netsync

// ---- netsync/detail/appender.hpp ----

// netsync: a sorted map out of what comes in order: a state that is decoded, or joined with another.

namespace netsync::detail {

/// Ascending keys come in, a SortedMap goes out: each is put behind the one before, without a search. O(1) amortized.
template <class Key, class Value>
class Appender {
    using Map = SortedMap<Key, Value>;

   public:
    Appender() = default;
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    /// The value under `key`, which lies beyond all before; made by default. Good until the next.
    template <class NewKey>
    Value* append(NewKey&& key) {
        const std::uint64_t prefix = prefix_of<Key>(key);
        return append(prefix, std::forward<NewKey>(key));
    }

    /// The same, where the prefix of the key is known.
    template <class NewKey>
    Value* append(std::uint64_t prefix, NewKey&& key) {
        if (!last_ || last_->count == last_->capacity) return append_leaf(std::forward<NewKey>(key));
        ++map_.size_;
        return Map::insert_at(last_, last_->count, prefix, std::forward<NewKey>(key));
    }

    /// The key that came last; there was one. For keys that no prefix says all of.
    const Key& last_key() const { return Map::key_at(last_, last_->count - 1u); }

    Map finish() {
        last_ = nullptr;
        return std::move(map_);
    }

   private:
    template <class NewKey>
    Value* append_leaf(NewKey&& key) {
        Value* value = map_.append(std::forward<NewKey>(key));
        for (last_ = map_.root_; last_->level > 0;) last_ = Map::inner(last_)->children[last_->count - 1u];
        return value;
    }

    Map map_;
    typename Map::Node* last_ = nullptr;  // the leaf where the next one goes; nobody shares it
};

}  // namespace netsync::detail

// ---- netsync/crdt/ordered_join.hpp ----

// netsync: two maps of dot stores, joined in the order of their keys. Ours lies in a map; theirs comes entry by entry, out
// of another map or out of bytes that are being read.

namespace netsync::detail {

/// Whether all that a content says is new, so that, where there was none, it is what comes out.
template <class Content>
bool is_news(const Content& content, const CausalContext& seen) {
    if constexpr (requires { Content::delta_is_state; }) {
        bool any = false, old = false;
        content.for_each_dot([&](Dot dot) {
            any = true;
            old = old || seen.contains(dot);
        });
        return any && !old;
    } else {
        static_cast<void>(content), static_cast<void>(seen);
        return false;
    }
}

template <class Content>
bool any_seen(const Content& content, const CausalContext& seen) {
    bool any = false;
    netsync::for_each_dot(content, [&](Dot dot) { any = any || seen.contains(dot); });
    return any;
}

/// `add` takes their entries by ascending key; `finish` then gives the join under their whole state. Both sides are gone
/// through once, and what comes out is appended. Ours is only read, and has to stay until then.
template <class Key, class Content>
class OrderedJoin {
    using Map = SortedMap<Key, Content>;

   public:
    OrderedJoin(const Map& ours, const Join& join) : join_(join), own_(ours.begin()), end_(ours.end()) {}

    /// `prefix`: of the key.
    template <class TheirKey, class Theirs>
    void add(std::uint64_t prefix, TheirKey&& key, Theirs&& theirs) {
        int order = 1;
        for (; own_ != end_ && (order = own_.compare(prefix, key)) < 0; ++own_) add_ours();
        const bool both = own_ != end_ && order == 0;
        if (!both && is_news(theirs, join_.mine)) {
            changed_ = true;
            *append(prefix, std::forward<TheirKey>(key)) = std::forward<Theirs>(theirs);
            return;
        }
        Content content{};
        if (both) {
            content = (*own_).value;
            ++own_;
        }
        changed_ |= netsync::merge(content, std::forward<Theirs>(theirs), join_);
        if (netsync::is_bottom(content))
            last_ = &(dropped_ = std::forward<TheirKey>(key));
        else  // of two keys that are the same theirs is taken: it may be moved
            *append(prefix, std::forward<TheirKey>(key)) = std::move(content);
    }

    /// The last of their keys; null before the first. Good until the next.
    const Key* last() const noexcept { return last_; }

    Map finish() {
        for (; own_ != end_; ++own_) add_ours();
        return joined_.finish();
    }
    /// Whether it is more than ours.
    bool changed() const noexcept { return changed_; }

   private:
    using Entry = typename Map::Entry;

    template <class TheirKey>
    Content* append(std::uint64_t prefix, TheirKey&& key) {
        if constexpr (std::is_reference_v<decltype(Entry::key)>) {
            Content* content = joined_.append(prefix, std::forward<TheirKey>(key));
            last_ = &joined_.last_key();
            return content;
        } else {
            last_ = &(dropped_ = key);
            return joined_.append(prefix, key);
        }
    }

    /// What only this side has: theirs may have seen it and removed it.
    void add_ours() {
        const Entry entry = *own_;
        if (!any_seen(entry.value, join_.theirs)) {
            *joined_.append(own_.prefix(), entry.key) = entry.value;
            return;
        }
        Content content = entry.value;
        changed_ |= netsync::merge(content, Content{}, join_);
        if (!netsync::is_bottom(content)) *joined_.append(own_.prefix(), entry.key) = std::move(content);
    }

    const Join& join_;
    typename Map::Iterator own_;
    typename Map::Iterator end_;
    Appender<Key, Content> joined_;
    Key dropped_{};  // their last key, where it is not in what comes out
    const Key* last_ = nullptr;
    bool changed_ = false;
};

}  // namespace netsync::detail

// ---- netsync/detail/lazy.hpp ----

// netsync: a value that is rarely there: one pointer while it is absent, copied with its holder when present.

namespace netsync::detail {

/// A copyable, optional T on the heap. `T` may be incomplete where only the type is named.
template <class T>
class Lazy {
   public:
    Lazy() = default;
    Lazy(const Lazy& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
    Lazy(Lazy&&) noexcept = default;
    Lazy& operator=(const Lazy& other) { return *this = Lazy{other}; }
    Lazy& operator=(Lazy&&) noexcept = default;
    ~Lazy() = default;

    explicit operator bool() const noexcept { return value_ != nullptr; }
    const T& operator*() const noexcept { return *value_; }
    T& operator*() noexcept { return *value_; }
    const T* operator->() const noexcept { return value_.get(); }
    T* operator->() noexcept { return value_.get(); }

    /// The value, made by default if there is none.
    T& make() {
        if (!value_) value_ = std::make_unique<T>();
        return *value_;
    }
    void reset() noexcept { value_.reset(); }

   private:
    std::unique_ptr<T> value_;
};

}  // namespace netsync::detail

// ---- netsync/detail/one_or_more.hpp ----

// netsync: a sequence that nearly always holds one item. The dots of an element: one, unless replicas wrote at once.

namespace netsync::detail {

/// The first item lies inside; the second, behind one pointer, with the others: two take one piece of the heap. `Item{}`
/// stands for "none"; `Item::operator bool` tells. Value semantics; the order of items means nothing.
template <class Item>
class OneOrMore {
   public:
    bool empty() const noexcept { return !first_; }
    std::size_t size() const noexcept { return (first_ ? 1u : 0u) + (more_ ? 1u + more_->others.size() : 0u); }

    void push_back(Item item) {
        if (!first_)
            first_ = std::move(item);
        else if (!more_)
            more_.make().second = std::move(item);
        else
            more_->others.push_back(std::move(item));
    }

    template <class F>
    void for_each(F&& f) const {
        if (first_) f(first_);
        if (!more_) return;
        f(more_->second);
        for (const Item& item : more_->others) f(item);
    }

    template <class Predicate>
    const Item* find_if(Predicate&& is) const {
        if (first_ && is(first_)) return &first_;
        if (!more_) return nullptr;
        if (is(more_->second)) return &more_->second;
        for (const Item& item : more_->others)
            if (is(item)) return &item;
        return nullptr;
    }

    /// Keeps the items that `keep` accepts; true if any went.
    template <class Predicate>
    bool retain(Predicate&& keep) {
        bool dropped = false;
        if (more_) {
            dropped = std::erase_if(more_->others, [&](const Item& item) { return !keep(item); }) > 0;
            if (!keep(more_->second)) dropped = true, drop_second();
        }
        if (first_ && !keep(first_)) {
            dropped = true;
            first_ = more_ ? std::move(more_->second) : Item{};
            if (more_) drop_second();
        }
        return dropped;
    }

   private:
    struct More {
        Item second{};
        std::vector<Item> others;
    };

    void drop_second() {
        if (more_->others.empty()) return more_.reset();
        more_->second = std::move(more_->others.back());
        more_->others.pop_back();
    }

    Item first_{};
    Lazy<More> more_;
};

}  // namespace netsync::detail

// ---- netsync/crdt/dot_store.hpp ----

// netsync: the three dot stores of the literature (Almeida, Shoker, Baquero 2018): DotSet, DotFun and DotMap. Every
// causal type is a few lines over one of them; the join lives here and nowhere else.

namespace netsync {

namespace detail {

constexpr Dot dot_of(Dot item) noexcept { return item; }
template <class Item>
constexpr Dot dot_of(const Item& item) noexcept {
    return item.dot;
}

/// mine ⊔ theirs for items named by dots: a dot stays if both have it, or if the side without it has not seen it.
template <class Item>
bool join_items(OneOrMore<Item>& mine, const OneOrMore<Item>& theirs, const Join& join) {
    const auto holds = [](const OneOrMore<Item>& items, Dot dot) {
        return items.find_if([&](const Item& item) { return dot_of(item) == dot; }) != nullptr;
    };
    bool changed = mine.retain(
        [&](const Item& item) { return !join.theirs.contains(dot_of(item)) || holds(theirs, dot_of(item)); });
    theirs.for_each([&](const Item& item) {
        if (join.mine.contains(dot_of(item)) || holds(mine, dot_of(item))) return;
        mine.push_back(item);
        changed = true;
    });
    return changed;
}

/// The items in the order of the wire.
template <class Item>
std::vector<Item> sorted_items(const OneOrMore<Item>& items) {
    std::vector<Item> result;
    result.reserve(items.size());
    items.for_each([&](const Item& item) { result.push_back(item); });
    std::sort(result.begin(), result.end(),
              [](const Item& a, const Item& b) { return precedes(dot_of(a), dot_of(b)); });
    return result;
}

template <class Archive, class Item>
void save_items(Archive& out, const OneOrMore<Item>& items) {
    if (items.empty()) return out.no_dot();
    out.charge(items.size() * sizeof(Item));
    const auto save = [&](const Item& item, bool more) {
        if constexpr (requires { item.value.is_marked(); }) {
            out.marked_dot(dot_of(item), item.value.is_marked(), more);
            item.value.save_marked(out);
        } else {
            out.dot(dot_of(item), more);
            if constexpr (requires { item.value; }) out(item.value);
        }
    };
    if (items.size() == 1) return items.for_each([&](const Item& item) { save(item, false); });
    std::size_t left = items.size();
    for (const Item& item : sorted_items(items)) save(item, --left > 0);
}

template <class Archive, class Item>
void load_items(Archive& in, OneOrMore<Item>& items) {
    Dot previous;
    for (bool more = true; more && in.ok();) {
        [[maybe_unused]] bool mark = false;
        Dot dot;
        if constexpr (requires(Item& item) { item.value.is_marked(); })
            dot = in.marked_dot(mark, more);
        else
            dot = in.dot(more);
        if (!previous && !dot) return;
        if (!dot || (previous && !precedes(previous, dot))) return in.fail(errc::malformed);
        in.charge(sizeof(Item));
        previous = dot;
        if constexpr (std::is_same_v<Item, Dot>) {
            items.push_back(dot);
        } else {
            Item item{dot, {}};
            if constexpr (requires { item.value.is_marked(); })
                item.value.load_marked(in, mark);
            else
                in(item.value);
            items.push_back(std::move(item));
        }
    }
}

/// Keys go in ascending order; of a text what it shares with the one before is not said again. `Before` is the key before,
/// if any.
template <class Archive, class Key>
void save_key(Archive& out, const Key* before, const Key& key) {
    if constexpr (std::is_same_v<Key, std::string>)
        if (before) return out.text_after(*before, key);
    out(key);
}

template <class Archive, class Key>
void load_key(Archive& in, const Key* before, Key& key) {
    if constexpr (std::is_same_v<Key, std::string>)
        if (before) return in.text_after(*before, key);
    in(key);
    if (before && in.ok() && !(*before < key)) in.fail(errc::malformed);
}

}  // namespace detail

/// A set of dots: an element of an OrSet is there while it has one. 16 bytes while there is at most one.
class DotSet {
   public:
    static constexpr bool delta_is_state = true;  // a delta says nothing that a state does not

    DotSet() = default;
    explicit DotSet(Dot dot) { dots_.push_back(dot); }

    std::size_t size() const noexcept { return dots_.size(); }
    bool is_bottom() const noexcept { return dots_.empty(); }
    bool merge(const DotSet& theirs, const Join& join) { return detail::join_items(dots_, theirs.dots_, join); }

    template <class F>
    void for_each_dot(F&& visit) const {
        dots_.for_each(visit);
    }

    template <class Archive>
    void save(Archive& out) const {
        detail::save_items(out, dots_);
    }
    template <class Archive>
    void load(Archive& in) {
        detail::load_items(in, dots_);
    }

    friend bool operator==(const DotSet& a, const DotSet& b) {
        return a.size() == b.size() && detail::sorted_items(a.dots_) == detail::sorted_items(b.dots_);
    }

   private:
    detail::OneOrMore<Dot> dots_;
};

/// Values named by dots: what was written and is not superseded, by whom. One entry unless replicas wrote at once.
template <class Value>
class DotFun {
   public:
    static constexpr bool delta_is_state = true;

    struct Entry {
        Dot dot;
        Value value{};

        constexpr explicit operator bool() const noexcept { return static_cast<bool>(dot); }
    };

    DotFun() = default;
    DotFun(Dot dot, Value value) { entries_.push_back({dot, std::move(value)}); }

    std::size_t size() const noexcept { return entries_.size(); }
    bool is_bottom() const noexcept { return entries_.empty(); }
    bool merge(const DotFun& theirs, const Join& join) { return detail::join_items(entries_, theirs.entries_, join); }

    template <class F>
    void for_each(F&& visit) const {
        entries_.for_each(visit);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each([&](const Entry& entry) { visit(entry.dot); });
    }
    template <class Predicate>
    const Entry* find_if(Predicate&& is) const {
        return entries_.find_if(is);
    }
    template <class Predicate>
    bool retain(Predicate&& keep) {
        return entries_.retain(keep);
    }

    template <class Archive>
    void save(Archive& out) const {
        detail::save_items(out, entries_);
    }
    template <class Archive>
    void load(Archive& in) {
        detail::load_items(in, entries_);
    }

    friend bool operator==(const DotFun& a, const DotFun& b) {
        if (a.size() != b.size()) return false;
        const auto left = detail::sorted_items(a.entries_), right = detail::sorted_items(b.entries_);
        return std::equal(left.begin(), left.end(), right.begin(), [](const Entry& x, const Entry& y) {
            return x.dot == y.dot && netsync::equal(x.value, y.value);
        });
    }

   private:
    detail::OneOrMore<Entry> entries_;
};

/// Keys to dot stores, in ascending order, nested at will; a copy costs O(1). A key is there while anything is alive under
/// it. As a delta it mentions the keys of its entries, and those it emptied: of these, all that the remover had seen goes,
/// but what the entry still holds. `Content` may be incomplete where only the type of the map is named, so that types can be recursive.
template <class Key, class Content>
class DotMap {
   public:
    using Entry = typename detail::SortedMap<Key, Content>::Entry;

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

    template <class Query>
    const Content* find(const Query& key) const {
        return entries_.find(key);
    }

    /// A hint that `key` is changed next: the memory is asked for it, and not waited for. O(log size).
    void prefetch(const Key& key) const { entries_.prefetch(key); }

    /// find(), for what a type keeps beside the content and derives from it.
    template <class Query>
    Content* writable(const Query& key) {
        return entries_.find(key);
    }

    /// Forgets an entry: see causal_leaf on drop_stable.
    template <class Query>
    bool erase(const Query& key) {
        return entries_.erase(key);
    }

    /// For deltas: the entry of `key`, made if there is none.
    Content& operator[](const Key& key) { return *entries_.try_emplace(key).first; }
    Content& operator[](Key&& key) { return *entries_.try_emplace(std::move(key)).first; }

    /// For deltas: says that all that was seen under `key` goes; its dots are removed by the change.
    void empty_key(const Key& key) { emptied_.make().try_emplace(key); }

    /// For deltas: whether all that was seen under `key` goes.
    template <class Query>
    bool empties(const Query& key) const {
        return emptied_ && emptied_->find(key);
    }

    /// For deltas: whether `key` was touched.
    template <class Query>
    bool mentions(const Query& key) const {
        return entries_.find(key) || empties(key);
    }

    /// For deltas: visits each key that was touched, once.
    template <class F>
    void for_each_mentioned(F&& visit) const {
        for (const Entry entry : entries_) visit(entry.key);
        for_each_emptied([&](const Key& key) {
            if (!entries_.find(key)) visit(key);
        });
    }

    bool is_bottom() const noexcept { return entries_.empty() && !emptied_; }

    bool merge(const DotMap& theirs, const Join& join) { return join_with(theirs, join); }
    bool merge(DotMap&& theirs, const Join& join) { return join_with(theirs, join); }

    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each([&](const Entry& entry) { netsync::for_each_dot(entry.value, visit); });
    }

    bool permits(OwnerId owner) const {
        return std::all_of(begin(), end(), [&](const Entry& entry) { return netsync::permits(entry.value, owner); });
    }

    /// See netsync::reissue.
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        std::vector<Key> keys;
        for (const Entry entry : entries_) keys.push_back(entry.key);
        for (const Key& key : keys) netsync::reissue(*entries_.find(key), keep);
    }

    /// Applies `drop(content)`, which says whether it forgot anything, to the entries that `may_drop(content)` names;
    /// those left empty go. Nothing else is written to, so that what copies share stays shared.
    template <class MayDrop, class Drop>
    bool drop_entries(MayDrop&& may_drop, Drop&& drop) {
        std::vector<Key> keys;
        for (const Entry entry : entries_)
            if (may_drop(entry.value)) keys.push_back(entry.key);
        bool dropped = false;
        for (const Key& key : keys) {
            Content& content = *entries_.find(key);
            dropped |= drop(content);
            if (netsync::is_bottom(content)) entries_.erase(key);
        }
        return dropped;
    }

    template <class Archive>
    void save(Archive& out) const {
        save(out, [&](auto&& write) { entries_.for_each(write); });
    }
    /// The same of what is not needed any more: see Output::let_go.
    template <class Archive>
    void save_and_let_go(Archive& out) {
        save(out, [&](auto&& write) { entries_.drain(write); });
    }

    template <class Archive>
    void load(Archive& in) {
        load(in, load_head(in));
    }

    /// The same as to load and to merge, without a map of theirs in between. After an error what is held is of no use.
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        const std::size_t head = load_head(in);
        if (head % 2 != 0 || !is_joined_in_order(head / 2, join)) {
            DotMap theirs;
            theirs.load(in, head);
            return in.ok() && merge(std::move(theirs), join);
        }
        detail::OrderedJoin<Key, Content> joined{entries_, join};
        for (std::size_t at = 0; at < head / 2 && in.ok(); ++at) {
            Key key{};
            Content content{};
            detail::load_key(in, joined.last(), key);
            if (in.ok()) in(content);
            if (in.ok() && netsync::is_bottom(content)) in.fail(errc::malformed);
            if (!in.ok()) return false;
            const std::uint64_t prefix = detail::prefix_of<Key>(key);
            joined.add(prefix, std::move(key), std::move(content));
        }
        entries_ = joined.finish();
        return joined.changed();
    }

    friend bool operator==(const DotMap& a, const DotMap& b) {
        return a.entries_.equal(b.entries_, [](const auto& x, const auto& y) { return netsync::equal(x, y); });
    }

   private:
    struct Nothing {};
    using Keys = detail::SortedMap<Key, Nothing>;
    static constexpr bool held_by_reference = std::is_reference_v<decltype(Entry::key)>;

    static constexpr std::size_t entry_size() { return detail::SortedMap<Key, Content>::entry_size(); }

    /// How many entries, twice, and whether keys without any follow.
    template <class Archive>
    static std::size_t load_head(Archive& in) {
        const std::size_t head = in.count(0, 2);
        in.charge(head / 2 * entry_size());
        return head;
    }

    template <class Archive>
    void load(Archive& in, std::size_t head) {
        Key previous{};
        const Key* before = nullptr;
        detail::Appender<Key, Content> loaded;
        for (std::size_t at = 0; at < head / 2 && in.ok(); ++at) {
            Key key{};
            detail::load_key(in, before, key);
            if (!in.ok()) return;
            if constexpr (!held_by_reference) before = &(previous = key);
            Content& content = *loaded.append(std::move(key));
            if constexpr (held_by_reference) before = &loaded.last_key();
            in(content);
            if (in.ok() && netsync::is_bottom(content)) return in.fail(errc::malformed);
        }
        entries_ = loaded.finish();
        if (head % 2 == 0) return;
        const std::size_t count = in.count(Keys::entry_size());
        if (count == 0) return in.fail(errc::malformed);
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            Key key{};
            detail::load_key(in, at > 0 ? &previous : nullptr, key);
            if (!in.ok()) return;
            empty_key(key);
            previous = std::move(key);
        }
    }

    /// `for_each_entry(write)` calls `write(entry)` for each.
    template <class Archive, class F>
    void save(Archive& out, F&& for_each_entry) const {
        out.count(entries_.size() * 2 + (emptied_ ? 1 : 0));
        out.charge(entries_.size() * entry_size());
        const Key* before = nullptr;
        for_each_entry([&](const Entry& entry) {
            detail::save_key(out, before, entry.key);
            out(entry.value);
            if constexpr (held_by_reference) before = &entry.key;
        });
        if (!emptied_) return;
        out.count(emptied_->size(), Keys::entry_size());
        before = nullptr;
        for_each_emptied([&](const Key& key) {
            detail::save_key(out, before, key);
            before = &key;
        });
    }

    template <class F>
    void for_each_emptied(F&& visit) const {
        if (emptied_)
            for (const auto& [key, nothing] : *emptied_) visit(key);
    }

    /// Of theirs, where it is not const, what is needed is taken out.
    template <class Theirs>
    bool join_with(Theirs& theirs, const Join& join) {
        if (!theirs.emptied_ && is_joined_in_order(theirs.size(), join)) return join_in_order(theirs, join);
        bool changed = false;
        theirs.for_each_emptied([&](const Key& key) {
            if (!theirs.entries_.find(key)) changed |= merge_nothing(key, join.whole());
            if (join.target == Target::delta) empty_key(key);
        });
        if (join.scope == Scope::whole) changed |= merge_unmentioned(theirs, join);
        const auto merge_one = [&](auto&& key, auto&& content) {
            const Join& below = theirs.empties(key) ? join.whole() : join;
            changed |= merge_key(std::forward<decltype(key)>(key), std::forward<decltype(content)>(content), below);
        };
        if constexpr (std::is_const_v<Theirs>)
            theirs.entries_.for_each([&](const Entry& entry) { merge_one(entry.key, entry.value); });
        else
            theirs.entries_.take_each(merge_one, [&](const Key& next) { prefetch(next); });
        return changed;
    }

    bool merge_nothing(const Key& key, const Join& join) {
        Content* held = entries_.find(key);
        if (!held) return false;
        const bool changed = netsync::merge(*held, Content{}, join);
        if (netsync::is_bottom(*held)) entries_.erase(key);
        return changed;
    }

    template <class TheirKey, class Theirs>
    bool merge_key(TheirKey&& key, Theirs&& theirs, const Join& join) {
        if (detail::is_news(theirs, join.mine)) {
            const auto [held, made] = entries_.try_emplace(std::forward<TheirKey>(key));
            if (!made) return netsync::merge(*held, std::forward<Theirs>(theirs), join);
            *held = std::forward<Theirs>(theirs);
            return true;
        }
        const auto [held, made] = entries_.try_emplace(std::as_const(key));
        const bool changed = netsync::merge(*held, std::forward<Theirs>(theirs), join);
        if ((made || changed) && netsync::is_bottom(*held)) entries_.erase(key);
        return changed;
    }

    /// What only this side has: theirs may have seen it and removed it. Both go through their keys in order.
    bool merge_unmentioned(const DotMap& theirs, const Join& join) {
        std::vector<Key> keys;
        auto other = theirs.entries_.begin();
        for (const Entry entry : entries_) {
            while (other != theirs.entries_.end() && (*other).key < entry.key) ++other;
            if (other != theirs.entries_.end() && !(entry.key < (*other).key)) continue;
            if (detail::any_seen(entry.value, join.theirs)) keys.push_back(entry.key);
        }
        bool changed = false;
        for (const Key& key : keys) changed |= merge_nothing(key, join);
        return changed;
    }

    /// Whether a whole state of so many entries, which mentions no others, is joined in order: for states of which the
    /// other is not small. The same comes out as key by key.
    bool is_joined_in_order(std::size_t theirs, const Join& join) const noexcept {
        return join.scope == Scope::whole && theirs >= size() / 4;
    }

    template <class Theirs>
    bool join_in_order(Theirs& theirs, const Join& join) {
        detail::OrderedJoin<Key, Content> joined{entries_, join};
        for (auto at = theirs.entries_.begin(); at != theirs.entries_.end(); ++at) {
            if constexpr (std::is_const_v<Theirs>) {
                const Entry entry = *at;
                joined.add(at.prefix(), entry.key, entry.value);
            } else {
                at.take(
                    [&](Key&& key, Content&& content) { joined.add(at.prefix(), std::move(key), std::move(content)); });
            }
        }
        entries_ = joined.finish();
        return joined.changed();
    }

    detail::SortedMap<Key, Content> entries_;
    detail::Lazy<Keys> emptied_;  // in deltas only
};

}  // namespace netsync

// ---- netsync/crdt/marked.hpp ----

// netsync: adds and remove-marks side by side: what a type is made of in which a remove can win.

namespace netsync::detail {

/// What was added, and that it was removed, each under its own dots.
struct Marked {
    DotSet adds{};
    DotSet marks{};

    bool present() const noexcept { return !adds.is_bottom() && marks.is_bottom(); }
};

/// Whether all of these dots have been seen by every member.
template <crdt T>
bool is_within(const T& content, const VersionVector& stable) {
    bool within = true;
    netsync::for_each_dot(content, [&](Dot dot) { within = within && stable.contains(dot); });
    return within;
}

/// Entries of which nothing can be read any more and that every member has seen: the next change made here takes them away,
/// as any remove does. Forgetting them without a change would not do: a later add could not name the mark that it comes
/// after, and would lose where the mark is still held. A note for this copy alone: neither compared, encoded nor merged.
template <class Key>
class Settled {
   public:
    static constexpr std::size_t most = 64;  // keys in one change

    /// Notes the entries of `map` that `is_spent(content, stable)` names, up to `most`; true if there are others than
    /// before.
    template <class Map, class IsSpent>
    bool note(const Map& map, const VersionVector& stable, IsSpent&& is_spent) {
        Note note{stable, {}};
        for (const auto entry : map) {
            if (note.keys.size() == most) break;
            if (is_spent(entry.value, stable)) note.keys.push_back(entry.key);
        }
        if (note.keys.empty() ? !note_ : note_ && note_->keys == note.keys) return false;
        note_ = note.keys.empty() ? nullptr : std::make_shared<const Note>(std::move(note));
        return true;
    }

    /// Adds to `delta` that these entries go, but for that of `except`.
    template <class Map, class IsSpent>
    void take_away(const Map& map, Change& change, Map& delta, IsSpent&& is_spent, const Key* except = nullptr) const {
        if (!note_) return;
        for (const Key& key : note_->keys) {
            const auto* content = map.find(key);
            if (!content || (except && key == *except) || !is_spent(*content, note_->stable)) continue;
            change.remove_all(*content);
            delta.empty_key(key);
        }
    }

   private:
    struct Note {
        VersionVector stable;
        std::vector<Key> keys;
    };
    std::shared_ptr<const Note> note_;
};

}  // namespace netsync::detail

// ---- netsync/crdt/totals.hpp ----

// netsync: what the counters are made of: the total of each replica, under its latest dot.

namespace netsync::detail {

constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
    return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

/// Counted up and counted down. Wraps at 64 bits.
struct UpDown {
    std::uint64_t up = 0;
    std::uint64_t down = 0;

    void add(const UpDown& other) noexcept { up += other.up, down += other.down; }
    template <class Archive>
    void save(Archive& out) const {
        out(up, down);
    }
    template <class Archive>
    void load(Archive& in) {
        in(up, down);
    }
    friend bool operator==(const UpDown&, const UpDown&) = default;
};

/// Each replica's total lies under its latest dot and takes the place of those before it. A delta says beside the total
/// what the change itself counted, and which totals it sums up: where it is issued again by another incarnation
/// (sync/local_copy.hpp) it counts that alone, and the totals before it stay.
/// `Amount` has `add(const Amount&)`, and where it wants to know its first dot, `begin(Dot)`.
template <class Amount>
class Totals {
   public:
    using Entry = typename DotFun<Amount>::Entry;

    /// A delta that adds `by` to what this replica has counted; `amend(entry)` gives what an entry counts as. O(replicas).
    template <class Amend>
    [[nodiscard]] Totals count(Change& change, const Amount& by, Amend&& amend) const {
        Totals delta;
        Counted& counted = delta.counted_.make();
        Amount total = counted.by = by;
        totals_.for_each([&](const Entry& entry) {
            if (entry.dot.replica() != change.replica()) return;
            total.add(amend(entry));
            counted.sums_up.push_back(entry.dot.counter());
            change.remove(entry.dot);
        });
        std::sort(counted.sums_up.begin(), counted.sums_up.end());
        const Dot dot = change.mint();
        begin(total, dot);
        delta.totals_ = {dot, std::move(total)};
        return delta;
    }
    [[nodiscard]] Totals count(Change& change, const Amount& by) const {
        return count(change, by, [](const Entry& entry) -> const Amount& { return entry.value; });
    }

    template <class F>
    void for_each(F&& f) const {
        totals_.for_each(f);
    }

    bool holds(ReplicaIndex replica) const {
        return totals_.find_if([&](const Entry& entry) { return entry.dot.replica() == replica; }) != nullptr;
    }

    /// For a delta: what the change itself counted; null where it counted nothing.
    const Amount* counted() const noexcept { return counted_ ? &counted_->by : nullptr; }

    bool merge(const Totals& theirs, const Join& join) {
        const std::uint64_t before = join.target == Target::delta && counted_ ? counter() : 0;
        const bool changed = totals_.merge(theirs.totals_, join);
        if (join.target == Target::delta) group(theirs, before);
        return changed;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom(); }

    /// See netsync::reissue.
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        if (!counted_) return;
        for (const std::uint64_t counter : counted_->sums_up) keep(counter);
        counted_->sums_up.clear();
        Dot dot;
        totals_.for_each_dot([&](Dot minted) { dot = minted; });
        Amount again = counted_->by;
        begin(again, dot);
        totals_ = {dot, std::move(again)};
    }

    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
        out(static_cast<bool>(counted_));
        if (counted_) out(counted_->by, counted_->sums_up);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
        bool counted = false;
        in(counted);
        if (!counted) return;
        if (totals_.size() != 1) return in.fail(errc::malformed);
        Counted& change = counted_.make();
        in(change.by, change.sums_up);
    }

    friend bool operator==(const Totals& a, const Totals& b) { return a.totals_ == b.totals_; }

   private:
    struct Counted {
        Amount by{};
        std::vector<std::uint64_t> sums_up{};  // counters of the same replica
    };

    static void begin(Amount& amount, Dot dot) {
        if constexpr (requires { amount.begin(dot); }) amount.begin(dot);
    }

    std::uint64_t counter() const {
        std::uint64_t latest = 0;
        totals_.for_each_dot([&](Dot dot) { latest = dot.counter(); });
        return latest;
    }

    /// Two changes become one: what the later sums up of the earlier is the group's own.
    void group(const Totals& theirs, std::uint64_t before) {
        if (totals_.is_bottom()) return counted_.reset();
        if (!theirs.counted_) return;
        Counted later = *theirs.counted_;
        if (counted_ && std::erase(later.sums_up, before) > 0) {
            later.by.add(counted_->by);
            later.sums_up.insert(later.sums_up.end(), counted_->sums_up.begin(), counted_->sums_up.end());
            std::sort(later.sums_up.begin(), later.sums_up.end());
        }
        counted_.make() = std::move(later);
    }

    DotFun<Amount> totals_;
    Lazy<Counted> counted_;  // in deltas only
};

}  // namespace netsync::detail

// ---- netsync/crdt/resettable_counter.hpp ----

// netsync: a counter that can be set back to zero.

namespace netsync {

/// A counter whose `reset` takes away exactly the counts that its maker had seen; counts made meanwhile stay (observed
/// reset; compare Weidner, Almeida 2022). A reset says how far it goes into the total of each replica, and of concurrent
/// resets the one that goes further counts, so that they take nothing twice. Inside a removable parent: a remove takes the
/// totals that it has seen; a replica that counts concurrently keeps what it knows to be left of its own. Holds a total for
/// each replica that ever counted, reset or not. All O(replicas).
class ResettableCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] ResettableCounter increment(Change& change, std::uint64_t by = 1) const {
        return count(change, {{by, 0}, {}, 0});
    }
    /// A delta that counts down by `by`.
    [[nodiscard]] ResettableCounter decrement(Change& change, std::uint64_t by = 1) const {
        return count(change, {{0, by}, {}, 0});
    }

    /// A delta that takes away all counts that are seen here; nothing where there are none.
    [[nodiscard]] ResettableCounter reset(Change& change) const {
        ResettableCounter delta;
        Gone gone;
        bool news = false;
        totals_.for_each([&](const auto& entry) {
            gone[run_of(entry)] = entry.value.counted;
            news = news || remaining(entry) != detail::UpDown{};
        });
        if (!news) return delta;
        change.remove_all(resets_);
        delta.resets_ = {change.mint(), std::move(gone)};
        return delta;
    }

    std::int64_t value() const {
        std::uint64_t sum = 0;
        totals_.for_each([&](const auto& entry) {
            const detail::UpDown left = remaining(entry);
            sum += left.up - left.down;
        });
        return static_cast<std::int64_t>(sum);
    }

    bool merge(const ResettableCounter& theirs, const Join& join) {
        const bool counted = totals_.merge(theirs.totals_, join);
        return resets_.merge(theirs.resets_, join) || counted;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
        resets_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom() && resets_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { totals_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
        resets_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
        resets_.load(in);
    }

    friend bool operator==(const ResettableCounter&, const ResettableCounter&) = default;

   private:
    /// One run of a replica: from its first count here to the one before its total is removed by a parent.
    struct Run {
        ReplicaId replica;
        std::uint64_t first = 0;
        friend constexpr auto operator<=>(const Run&, const Run&) = default;
    };
    struct Total {
        detail::UpDown counted;
        detail::UpDown gone;      // what its replica knew to be reset
        std::uint64_t first = 0;  // the counter that its run began with

        void add(const Total& other) noexcept {
            counted.add(other.counted);
            gone.add(other.gone);
            if (first == 0) first = other.first;
        }
        void begin(Dot dot) noexcept {
            if (first == 0) first = dot.counter();
        }
        template <class Archive>
        void save(Archive& out) const {
            out(counted, gone, first);
        }
        template <class Archive>
        void load(Archive& in) {
            in(counted, gone, first);
        }
        friend bool operator==(const Total&, const Total&) = default;
    };
    using Gone = std::map<Run, detail::UpDown>;
    using Entry = detail::Totals<Total>::Entry;

    static Run run_of(const Entry& entry) { return {id_of(entry.dot.replica()), entry.value.first}; }

    /// What is reset of a total, by its own account or another's.
    detail::UpDown gone_of(const Entry& entry) const {
        detail::UpDown gone = entry.value.gone;
        resets_.for_each([&](const auto& reset) {
            if (const auto found = reset.value.find(run_of(entry)); found != reset.value.end()) {
                gone.up = std::max(gone.up, found->second.up);
                gone.down = std::max(gone.down, found->second.down);
            }
        });
        return {std::min(gone.up, entry.value.counted.up), std::min(gone.down, entry.value.counted.down)};
    }
    detail::UpDown remaining(const Entry& entry) const {
        const detail::UpDown gone = gone_of(entry);
        return {entry.value.counted.up - gone.up, entry.value.counted.down - gone.down};
    }

    ResettableCounter count(Change& change, const Total& by) const {
        ResettableCounter delta;
        delta.totals_ = totals_.count(change, by, [&](const Entry& entry) {
            Total amended = entry.value;
            amended.gone = gone_of(entry);
            return amended;
        });
        return delta;
    }

    detail::Totals<Total> totals_;
    DotFun<Gone> resets_;
};

}  // namespace netsync

// ---- netsync/crdt/bag.hpp ----

// netsync: a multiset: elements and how often each is there.

namespace netsync {

/// Each element has a ResettableCounter: adds of all replicas add up, removing a number counts down, removing an element
/// takes all that its remover had seen, and what is added meanwhile stays. An element that two replicas took the last one
/// of is not there; the next add makes up for that first. An element that is not there any more costs its counter until
/// every member has seen it go; then the next change made by anybody who knows takes it away (`compact` does nothing else).
/// add, remove, count: O(log size + replicas).
template <class Element>
class Bag {
   public:
    /// A delta that adds `number` of `element`; nothing where that is not positive.
    template <std::integral Number = int>
    [[nodiscard]] Bag add(Change& change, Element element, Number number = 1) const {
        Bag delta;
        if (!(number > 0)) return delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent, &element);
        const ResettableCounter now = counter(element);
        const auto missing = now.value() < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(now.value()) : 0u;
        delta.elements_[element] = now.increment(change, static_cast<std::uint64_t>(number) + missing);
        return delta;
    }

    /// A delta that removes `number` of `element`, or as many as are seen here. Nothing where there are none.
    template <class Query, std::integral Number>
    [[nodiscard]] Bag remove(Change& change, const Query& element, Number number) const {
        Bag delta;
        const std::uint64_t held = count(element);
        if (!(number > 0) || held == 0) return delta;
        if (static_cast<std::uint64_t>(number) >= held) return remove(change, element);
        delta.elements_[Element(element)] = counter(element).decrement(change, static_cast<std::uint64_t>(number));
        return delta;
    }
    /// A delta that removes all of `element` that are seen here.
    template <class Query>
    [[nodiscard]] Bag remove(Change& change, const Query& element) const {
        Bag delta;
        const Element key(element);
        if (count(key) == 0) return delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent, &key);
        delta.elements_[key] = counter(key).reset(change);
        return delta;
    }

    /// A delta that takes away what is left of elements that every member is known to have seen go, 64 at most.
    [[nodiscard]] Bag compact(Change& change) const {
        Bag delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent);
        return delta;
    }

    /// How many of `element` are there.
    template <class Query>
    std::uint64_t count(const Query& element) const {
        const ResettableCounter* held = elements_.find(element);
        return held && held->value() > 0 ? static_cast<std::uint64_t>(held->value()) : 0;
    }
    template <class Query>
    bool contains(const Query& element) const {
        return count(element) > 0;
    }
    /// The different elements. O(n).
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Element&, std::uint64_t) { ++count; });
        return count;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return size() == 0; }

    /// Calls `f(element, count)` for each that is there, by ascending element.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, counter] : elements_)
            if (counter.value() > 0) f(element, static_cast<std::uint64_t>(counter.value()));
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        for (const auto& [element, counter] : elements_) f(element);
    }

    bool merge(const Bag& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { elements_.reissue(keep); }
    /// Notes what may go; the next change takes it away. True if that is other than before.
    bool drop_stable(const VersionVector& stable) { return settled_.note(elements_, stable, is_spent); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        elements_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const Bag& a, const Bag& b) { return a.elements_ == b.elements_; }

   private:
    static bool is_spent(const ResettableCounter& held, const VersionVector& stable) {
        return held.value() == 0 && detail::is_within(held, stable);
    }

    template <class Query>
    ResettableCounter counter(const Query& element) const {
        const ResettableCounter* held = elements_.find(element);
        return held ? *held : ResettableCounter{};
    }

    DotMap<Element, ResettableCounter> elements_;
    detail::Settled<Element> settled_;
};

}  // namespace netsync

// ---- netsync/crdt/bounded_counter.hpp ----

// netsync: a counter that never falls below a bound, without asking anybody first.

namespace netsync {

/// The bounded counter (Balegas et al. 2015): who counts up gets the right to count as much down, and rights are given from
/// owner to owner. A decrement beyond one's own rights is refused: its delta is bottom, so nothing is sent; `rights(owner)`
/// tells beforehand. A right is used only by one who has seen where it came from, so the value stays at or above `Lower`
/// under every causal order of merges, and rights of all owners add up to what is above it.
/// Rights are an owner's: they survive a new incarnation, but two live copies of one disk could each use the same ones.
/// Inside a removable parent: a remove takes the rows that it has seen; where a right that was given in them had been used
/// meanwhile, the value reads as `Lower` until that is counted up again. All O(replicas + transfers between pairs).
template <std::int64_t Lower = 0>
class BoundedCounter {
   public:
    /// A delta that counts up by `by`: as many rights more for the own owner.
    [[nodiscard]] BoundedCounter increment(Change& change, std::uint64_t by = 1) const {
        return count(change, {by, 0, {}});
    }

    /// A delta that counts down by `by`; nothing where the own owner has fewer rights.
    [[nodiscard]] BoundedCounter decrement(Change& change, std::uint64_t by = 1) const {
        return by > rights(change.owner()) ? BoundedCounter{} : count(change, {0, by, {}});
    }

    /// A delta that gives `by` of one's rights to `to`; nothing where there are fewer, or to oneself.
    [[nodiscard]] BoundedCounter transfer(Change& change, OwnerId to, std::uint64_t by = 1) const {
        if (by == 0 || to == change.owner() || by > rights(change.owner())) return {};
        return count(change, {0, 0, {{to, by}}});
    }

    /// How much `owner` may count down or give away.
    std::uint64_t rights(OwnerId owner) const {
        std::uint64_t got = 0, gone = 0;
        rows_.for_each([&](const auto& row) {
            const bool own = id_of(row.dot.replica()).owner() == owner;
            if (own)
                got = detail::saturating_add(got, row.value.up), gone = detail::saturating_add(gone, row.value.down);
            for (const auto& [to, given] : row.value.given) {
                if (to == owner) got = detail::saturating_add(got, given);
                if (own) gone = detail::saturating_add(gone, given);
            }
        });
        return got > gone ? got - gone : 0;
    }

    static constexpr std::int64_t lower() noexcept { return Lower; }

    std::int64_t value() const {
        std::uint64_t up = 0, down = 0;
        rows_.for_each([&](const auto& row) {
            up = detail::saturating_add(up, row.value.up);
            down = detail::saturating_add(down, row.value.down);
        });
        if (down >= up) return Lower;
        constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
        constexpr std::uint64_t room = static_cast<std::uint64_t>(highest) - static_cast<std::uint64_t>(Lower);
        return up - down >= room ? highest : static_cast<std::int64_t>(static_cast<std::uint64_t>(Lower) + (up - down));
    }

    bool merge(const BoundedCounter& theirs, const Join& join) { return rows_.merge(theirs.rows_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        rows_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return rows_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { rows_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        rows_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        rows_.load(in);
    }

    friend bool operator==(const BoundedCounter&, const BoundedCounter&) = default;

   private:
    /// What one replica has done: a row of the paper's matrix, and its use.
    struct Row {
        std::uint64_t up = 0;
        std::uint64_t down = 0;
        std::map<OwnerId, std::uint64_t> given;

        void add(const Row& other) {
            up = detail::saturating_add(up, other.up);
            down = detail::saturating_add(down, other.down);
            for (const auto& [to, by] : other.given) given[to] = detail::saturating_add(given[to], by);
        }
        template <class Archive>
        void save(Archive& out) const {
            out(up, down, given);
        }
        template <class Archive>
        void load(Archive& in) {
            in(up, down, given);
        }
        friend bool operator==(const Row&, const Row&) = default;
    };

    BoundedCounter count(Change& change, const Row& by) const {
        BoundedCounter delta;
        delta.rows_ = rows_.count(change, by);
        return delta;
    }

    detail::Totals<Row> rows_;
};

}  // namespace netsync

// ---- netsync/crdt/inverse.hpp ----

// netsync: undo: the state before a change and its delta come in, a mutator that takes the change back goes out.

namespace netsync {

/// A leaf whose changes can be taken back: `now.inverse(change, before, delta, scope)` is a delta that undoes `delta`, which
/// was made when the leaf was `before`; with Scope::whole as if the change had also removed all that was there before.
template <class T>
concept invertible_leaf = requires(const T& now, Change& change, const T& before, const T& delta) {
    { now.inverse(change, before, delta, Scope::whole) } -> std::same_as<T>;
};

namespace detail {

template <class T>
inline constexpr bool is_invertible = invertible_leaf<T>;
template <class Fields>
inline constexpr bool any_invertible = false;
template <class... Field>
inline constexpr bool any_invertible<Types<Field...>> = (is_invertible<std::remove_cv_t<Field>> || ...);
template <composite T>
inline constexpr bool is_invertible<T> = any_invertible<field_types<T>>;

/// Calls `f(dot)` for the dots of `made` that are still alive in `held`. O(dots, log).
template <crdt T, class F>
void for_each_made(const T& held, const T& made, F&& f) {
    std::vector<Dot> dots;
    netsync::for_each_dot(made, [&](Dot dot) { dots.push_back(dot); });
    std::sort(dots.begin(), dots.end());
    netsync::for_each_dot(held, [&](Dot dot) {
        if (std::binary_search(dots.begin(), dots.end(), dot)) f(dot);
    });
}

/// Whether there are any.
template <crdt T>
bool any_of_made(const T& held, const T& made) {
    bool any = false;
    for_each_made(held, made, [&](Dot) { any = true; });
    return any;
}

/// Removes them; true if there were any.
template <crdt T>
bool remove_made(Change& change, const T& held, const T& made) {
    bool any = false;
    for_each_made(held, made, [&](Dot dot) {
        change.remove(dot);
        any = true;
    });
    return any;
}

/// Of a flag: as it was before, if `delta` changed it and nobody has since.
template <crdt Flag>
Flag inverse_of_flag(const Flag& now, Change& change, const Flag& before, const Flag& delta, Scope scope) {
    const bool made = !delta.is_bottom() || (scope == Scope::whole && now.is_bottom());
    if (!made || before.value() == now.value()) return {};
    return now.value() ? now.disable(change) : now.enable(change);
}

}  // namespace detail

/// What can be undone, at least in part: see inverse().
template <class T>
concept invertible = crdt<T> && detail::is_invertible<T>;

/// A delta of `now` that takes back `delta`, for types within types. Leaves that cannot take anything back stay as they are.
template <crdt T>
T inverse_of(const T& now, Change& change, const T& before, const T& delta, Scope scope) {
    T result{};
    if constexpr (invertible_leaf<T>) {
        result = now.inverse(change, before, delta, scope);
    } else if constexpr (detail::composite<T>) {
        const auto fields = [](auto& value) {
            return detail::with_fields(value, [](auto&... field) { return std::tie(field...); });
        };
        const auto to = fields(result);
        const auto present = fields(now), was = fields(before), made = fields(delta);
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((std::get<I>(to) = inverse_of(std::get<I>(present), change, std::get<I>(was), std::get<I>(made), scope)),
             ...);
        }(std::make_index_sequence<detail::field_count<T>>{});
    }
    return result;
}

/// See inverse().
template <invertible T>
struct Inverse {
    T before;
    T delta;

    T operator()(const T& now, Change& change) const {
        return inverse_of(now, change, before, delta, Scope::mentioned);
    }
};

/// A mutator that takes a change back: `replica.update(inverse(before, delta))`, also below a path. It is a change like any
/// other, made now, and touches only what is still as the change left it: what it added goes where it is still that add,
/// what it removed is added again where it is absent, a register gets its former value (one never written, a default-
/// constructed one) where nobody has written since, counts are counted back, and a removed key comes back with what was
/// under it. What others did meanwhile stays. Types that only grow cannot take anything back: within a struct they stay as
/// they are. O(delta); where a key was removed, O(what was under it).
template <invertible T>
Inverse<T> inverse(T before, T delta) {
    return {std::move(before), std::move(delta)};
}

/// Makes a change, `steps(batch)` as in Replica::batch, and gives the mutator that undoes it:
/// `auto undo = undoable(replica, [](auto& batch) { ... }); replica.update(undo);`. Undoing within undoable() gives the
/// redo.
template <class Replica, class F>
auto undoable(Replica& replica, F&& steps) {
    using T = decltype(replica.state());
    static_assert(invertible<T>,
                  "netsync: nothing in this type models netsync::invertible: it has no changes to take back");
    std::optional<Inverse<T>> undo;
    replica.batch([&](auto& batch) {
        T before = batch.state();
        steps(batch);
        undo = inverse(std::move(before), batch.delta());
    });
    return *std::move(undo);
}

}  // namespace netsync

// ---- netsync/crdt/disable_wins_flag.hpp ----

// netsync: a flag in which disabling wins.

namespace netsync {

/// Off at first; a disable wins over the enables that had not seen it. Holds one dot while nobody writes at once. O(1).
class DisableWinsFlag {
   public:
    [[nodiscard]] DisableWinsFlag enable(Change& change) const {
        DisableWinsFlag delta;
        change.remove_all(flag_);
        delta.flag_.adds = DotSet{change.mint()};
        return delta;
    }
    /// Nothing where the flag was never enabled.
    [[nodiscard]] DisableWinsFlag disable(Change& change) const {
        DisableWinsFlag delta;
        if (is_bottom()) return delta;
        change.remove_all(flag_);
        delta.flag_.marks = DotSet{change.mint()};
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] DisableWinsFlag inverse(Change& change, const DisableWinsFlag& before, const DisableWinsFlag& delta,
                                          Scope scope) const {
        return detail::inverse_of_flag(*this, change, before, delta, scope);
    }

    bool value() const noexcept { return flag_.present(); }

    bool merge(const DisableWinsFlag& theirs, const Join& join) { return netsync::merge(flag_, theirs.flag_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        netsync::for_each_dot(flag_, visit);
    }
    bool is_bottom() const noexcept { return netsync::is_bottom(flag_); }
    template <class Archive>
    void save(Archive& out) const {
        out(flag_);
    }
    template <class Archive>
    void load(Archive& in) {
        in(flag_);
    }

    friend bool operator==(const DisableWinsFlag& a, const DisableWinsFlag& b) {
        return netsync::equal(a.flag_, b.flag_);
    }

   private:
    detail::Marked flag_;
};

}  // namespace netsync

// ---- netsync/crdt/enable_wins_flag.hpp ----

// netsync: a flag in which enabling wins.

namespace netsync {

/// Off at first; an enable wins over the disables that had not seen it. A disabled flag holds nothing. O(1).
class EnableWinsFlag {
   public:
    [[nodiscard]] EnableWinsFlag enable(Change& change) const {
        EnableWinsFlag delta;
        change.remove_all(enables_);
        delta.enables_ = DotSet{change.mint()};
        return delta;
    }
    /// Nothing where the flag is off.
    [[nodiscard]] EnableWinsFlag disable(Change& change) const {
        EnableWinsFlag delta;
        change.remove_all(enables_);
        delta.disabled_ = value();
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] EnableWinsFlag inverse(Change& change, const EnableWinsFlag& before, const EnableWinsFlag& delta,
                                         Scope scope) const {
        return detail::inverse_of_flag(*this, change, before, delta, scope);
    }

    bool value() const noexcept { return !enables_.is_bottom(); }

    bool merge(const EnableWinsFlag& theirs, const Join& join) {
        if (join.target == Target::delta) disabled_ = disabled_ || theirs.disabled_;
        return enables_.merge(theirs.enables_, join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        enables_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return enables_.is_bottom() && !disabled_; }
    template <class Archive>
    void save(Archive& out) const {
        enables_.save(out);
        if (enables_.is_bottom()) out(disabled_);
    }
    template <class Archive>
    void load(Archive& in) {
        enables_.load(in);
        if (enables_.is_bottom()) in(disabled_);
    }

    friend bool operator==(const EnableWinsFlag& a, const EnableWinsFlag& b) { return a.enables_ == b.enables_; }

   private:
    DotSet enables_;
    bool disabled_ = false;  // in deltas only: mentions that what was seen goes
};

}  // namespace netsync

// ---- netsync/crdt/extreme_register.hpp ----

// netsync: the least or the greatest value ever written.

namespace netsync {

/// Of all that was written the value that `Better` puts first. Each write lies under its own dot, as in Joined, so that a
/// parent that is removed takes exactly what its remover had seen. A write that is no better than what is seen is nothing.
/// Before the first write it reads as a default-constructed value. assign: O(1).
template <class Value, class Better>
class ExtremeRegister {
   public:
    /// A delta that writes `value`; nothing where one as good is there.
    [[nodiscard]] ExtremeRegister assign(Change& change, Value value) const {
        ExtremeRegister delta;
        if (const Value* held = best(); held && !Better{}(value, *held)) return delta;
        change.remove_all(writes_);
        delta.writes_ = {change.mint(), std::move(value)};
        return delta;
    }

    bool has_value() const noexcept { return !writes_.is_bottom(); }

    const Value& value() const {
        static const Value unwritten{};
        const Value* held = best();
        return held ? *held : unwritten;
    }

    bool merge(const ExtremeRegister& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }

    friend bool operator==(const ExtremeRegister&, const ExtremeRegister&) = default;

   private:
    const Value* best() const {
        const Value* best = nullptr;
        writes_.for_each([&](const auto& entry) {
            if (!best || Better{}(entry.value, *best)) best = &entry.value;
        });
        return best;
    }

    DotFun<Value> writes_;
};

/// The least value ever written.
template <class Value>
using MinRegister = ExtremeRegister<Value, std::less<Value>>;
/// The greatest value ever written.
template <class Value>
using MaxRegister = ExtremeRegister<Value, std::greater<Value>>;

}  // namespace netsync

// ---- netsync/crdt/g_counter.hpp ----

// netsync: a counter that goes up.

namespace netsync {

/// The sum of what each replica has counted (Shapiro et al. 2011); nothing takes a count back but a removable parent, as
/// for PnCounter. increment, value: O(replicas). Wraps at 64 bits.
class GCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] GCounter increment(Change& change, std::uint64_t by = 1) const {
        GCounter delta;
        delta.totals_ = totals_.count(change, {by});
        return delta;
    }

    std::uint64_t value() const {
        std::uint64_t sum = 0;
        totals_.for_each([&](const auto& entry) { sum += entry.value.up; });
        return sum;
    }

    bool merge(const GCounter& theirs, const Join& join) { return totals_.merge(theirs.totals_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { totals_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
    }

    friend bool operator==(const GCounter&, const GCounter&) = default;

   private:
    struct Up {
        std::uint64_t up = 0;

        void add(const Up& other) noexcept { up += other.up; }
        template <class Archive>
        void save(Archive& out) const {
            out(up);
        }
        template <class Archive>
        void load(Archive& in) {
            in(up);
        }
        friend bool operator==(const Up&, const Up&) = default;
    };

    detail::Totals<Up> totals_;
};

}  // namespace netsync

// ---- netsync/crdt/g_map.hpp ----

// netsync: keys to CRDTs; keys are never removed.

namespace netsync {

/// The grow-only map: a key that was once updated stays, also where its value has become empty. Since nothing is removed,
/// its values may forget what is causally stable, as those of an OrMap may not. `Value` is causal and may be incomplete
/// here. update, find: O(log size) beside the value's own cost.
template <class Key, class Value>
class GMap {
   public:
    /// A delta that changes the value under `key`, which is made if there is none: `f(const Value&, Change&)` returns the
    /// value's delta.
    template <class Query, class F>
    [[nodiscard]] GMap update(Change& change, const Query& key, F&& f) const {
        require_causal();
        const Value* held = find(key);
        Entry part{};
        part.value = f(held ? *held : bottom(), change);
        if (!held) part.made = DotSet{change.mint()};
        GMap delta;
        if (!netsync::is_bottom(part)) delta.entries_[Key(key)] = std::move(part);
        return delta;
    }

    /// See netsync::inverse: of the values; keys stay.
    [[nodiscard]] GMap inverse(Change& change, const GMap& before, const GMap& delta, Scope scope) const {
        GMap back;
        const auto take_back = [&](const Key& key, const Value& made) {
            const Value *held = find(key), *was = before.find(key);
            if (Value part = inverse_of(held ? *held : bottom(), change, was ? *was : bottom(), made, scope);
                !netsync::is_bottom(part))
                back.entries_[key].value = std::move(part);
        };
        for (const auto& [key, made] : delta.entries_) take_back(key, made.value);
        if (scope == Scope::whole)
            for (const auto& [key, was] : before.entries_)
                if (!delta.entries_.find(key)) take_back(key, bottom());
        return back;
    }

    /// The value under `key`, or null. Good until the map changes.
    template <class Query>
    const Value* find(const Query& key) const {
        const Entry* held = entries_.find(key);
        return held ? &held->value : nullptr;
    }
    template <class Query>
    bool contains(const Query& key) const {
        return find(key) != nullptr;
    }
    void prefetch(const Key& key) const { entries_.prefetch(key); }
    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }

    /// Calls `f(key, value)` for each, by ascending key.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, entry] : entries_) f(key, entry.value);
    }
    /// For a delta: calls `f(key)` for each key that it touches.
    template <class F>
    void for_each_mentioned(F&& f) const {
        entries_.for_each_mentioned(f);
    }

    bool merge(const GMap& theirs, const Join& join) {
        require_causal();
        return entries_.merge(theirs.entries_, join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return entries_.is_bottom(); }
    bool permits(OwnerId owner) const { return entries_.permits(owner); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { entries_.reissue(keep); }
    /// O(size): looks at every value.
    bool drop_stable(const VersionVector& stable) {
        return entries_.drop_entries([](const Entry&) { return true; },
                                     [&](Entry& entry) { return netsync::drop_stable(entry.value, stable); });
    }
    template <class Archive>
    void save(Archive& out) const {
        entries_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        entries_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        entries_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return entries_.load_and_merge(in, join);
    }

    friend bool operator==(const GMap& a, const GMap& b) { return a.entries_ == b.entries_; }

   private:
    struct Entry {
        DotSet made{};
        Value value{};
    };

    static constexpr void require_causal() {
        static_assert(causal<Value>,
                      "netsync: the value of a GMap must model netsync::causal (all its content under dots); wrap a "
                      "monotone type as netsync::Joined<T>");
    }

    static const Value& bottom() {
        static const Value value{};
        return value;
    }

    DotMap<Key, Entry> entries_;
};

}  // namespace netsync

// ---- netsync/crdt/g_set.hpp ----

// netsync: a set that only grows.

namespace netsync {

/// The grow-only set: adds commute and there is no remove. Each element lies under a dot, so that a parent that is
/// removed takes along exactly the elements that its remover had seen. add, contains: O(log size).
template <class Element>
class GSet {
   public:
    /// A delta that adds `element`; nothing where it is there already.
    [[nodiscard]] GSet add(Change& change, Element element) const {
        GSet delta;
        if (!elements_.find(element)) delta.elements_[element] = DotSet{change.mint()};
        return delta;
    }

    template <class Query>
    bool contains(const Query& element) const {
        return elements_.find(element) != nullptr;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const noexcept { return elements_.empty(); }
    std::size_t size() const noexcept { return elements_.size(); }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, dots] : elements_) f(element);
    }

    bool merge(const GSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        elements_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const GSet&, const GSet&) = default;

   private:
    DotMap<Element, DotSet> elements_;
};

}  // namespace netsync

// ---- netsync/crdt/joined.hpp ----

// netsync: a monotone type under dots, so that a removable parent can hold it.

namespace netsync {

/// Each write of a monotone `Value` lies under its own dot, and the value read is the join of those alive: what an
/// OrMap holds of a leaf that has only `bool merge(const T&)`. A write joins what its writer had seen.
template <monotone Value>
class Joined {
   public:
    /// A delta that joins `value` in.
    [[nodiscard]] Joined add(Change& change, Value value) const {
        writes_.for_each([&](const auto& entry) { value.merge(entry.value); });
        change.remove_all(writes_);
        Joined delta;
        delta.writes_ = {change.mint(), std::move(value)};
        return delta;
    }

    /// The join of all writes that are alive; the bottom where there are none.
    Value value() const {
        Value joined{};
        writes_.for_each([&](const auto& entry) { joined.merge(entry.value); });
        return joined;
    }

    bool merge(const Joined& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }

    friend bool operator==(const Joined&, const Joined&) = default;

   private:
    DotFun<Value> writes_;
};

}  // namespace netsync

// ---- netsync/crdt/name.hpp ----

// netsync: what is called by one name in every replica, for good: elements and bunches of a sequence (crdt/position.hpp).

namespace netsync::detail {

/// A replica as it travels: short where it is one of a state's. Not in a frame, not even the one that makes it: a frame
/// that is issued again by another replica keeps the names in it.
template <class Archive>
void write_replica(Archive& out, const ReplicaId& replica) {
    std::optional<std::size_t> at;
    if (!out.space().is_frame()) at = out.space().position(replica);
    out.varint(at ? *at + 1 : 0);
    if (!at) out(replica);
}
template <class Archive>
ReplicaId read_replica(Archive& in) {
    const std::uint64_t position = in.varint();
    const auto* space = in.space() && !in.space()->is_frame() ? in.space() : nullptr;
    ReplicaId replica;
    if (position == 0) {
        in(replica);
        if (replica.is_nil() || (space && space->position(replica))) in.fail(errc::malformed);
    } else if (!space || position > space->size()) {
        in.fail(errc::malformed);
    } else {
        replica = id_of(space->range(static_cast<std::size_t>(position - 1)).replica);
    }
    return replica;
}

/// The replicas that were named before, of which there is usually one.
class NamedReplicas {
   public:
    std::size_t size() const noexcept { return (first_.is_nil() ? 0u : 1u) + more_.size(); }
    const ReplicaId& operator[](std::size_t at) const noexcept { return at == 0 ? first_ : more_[at - 1]; }
    /// Its place, or size() where it was not.
    std::size_t find(const ReplicaId& replica) const noexcept {
        if (first_ == replica) return 0;
        const auto at = static_cast<std::size_t>(std::find(more_.begin(), more_.end(), replica) - more_.begin());
        return at < more_.size() ? at + 1 : size();
    }
    void push_back(const ReplicaId& replica) {
        if (first_.is_nil())
            first_ = replica;
        else
            more_.push_back(replica);
    }

   private:
    ReplicaId first_;
    std::vector<ReplicaId> more_;
};

/// A name that is given once: a replica and one of its counters. It stays what it is when a change is issued again
/// under other dots, and it is not interned.
struct Name {
    ReplicaId replica;
    std::uint64_t counter = 0;

    static Name of(Dot dot) { return {id_of(dot.replica()), dot.counter()}; }
    constexpr std::uint64_t prefix() const noexcept { return replica.owner_bits; }  // see detail/key_prefix.hpp
    friend constexpr auto operator<=>(const Name&, const Name&) = default;

    template <class Archive>
    void save(Archive& out) const {
        write_replica(out, replica);
        out.varint(counter);
    }
    template <class Archive>
    void load(Archive& in) {
        replica = read_replica(in);
        counter = in.varint();
        if (counter == 0 || counter > max_counter) in.fail(errc::malformed);
    }
};

}  // namespace netsync::detail

// ---- netsync/crdt/position.hpp ----

// netsync: where an element of a sequence stands: a place in a fixed total order, which means the same to a replica that
// has forgotten everything around it. What List and Text are made of (crdt/sequence.hpp).

namespace netsync::detail {

enum class Side : std::uint8_t { left, right };

/// A run of positions that one replica made, from its first element to both sides: (bunch, 0), (bunch, 1), … typed
/// forward, (bunch, -1), (bunch, -2), … typed backward. It hangs left or right of a position of another bunch: this is
/// the tree of Fugue (Weidner, Kleppmann 2023) with its chains folded, as in Weidner's list-positions. Never changed, so
/// shared by all states, deltas and anchors that speak of it; it lives as long as one of them does, its ancestors with it.
struct Bunch {
    const Bunch* parent;  // null: the root, above all bunches
    const Bunch* jump;    // an ancestor further up, by which any is reached in O(log depth) (Myers 1983)
    Name name;
    std::uint64_t key;    // a hash of the way from the root: the same bunch, in whatever memory
    std::int32_t offset;  // of the parent's position that it hangs at
    Side side;
    std::uint32_t depth;
    mutable std::atomic<std::uint32_t> owners{1};

    /// Where it hangs among what lies in its parent: an element at `offset` is 3 offset + 1.
    std::int64_t slot() const noexcept { return 3 * std::int64_t{offset} + (side == Side::right ? 2 : 0); }
};

inline constexpr std::int32_t max_offset = 1 << 30;

inline std::uint32_t depth_of(const Bunch* bunch) noexcept { return bunch ? bunch->depth : 0; }
inline const Bunch* jump_of(const Bunch* bunch) noexcept { return bunch ? bunch->jump : nullptr; }
inline bool same_bunch(const Bunch* a, const Bunch* b) noexcept { return a == b || (a && b && a->key == b->key); }
inline constexpr std::int64_t slot_of(std::int32_t offset) noexcept { return 3 * std::int64_t{offset} + 1; }

/// The least offset whose element lies after `slot`, and the greatest whose element lies before it.
inline constexpr std::int64_t third(std::int64_t value) noexcept { return value >= 0 ? value / 3 : -((2 - value) / 3); }
inline constexpr std::int64_t offset_after(std::int64_t slot) noexcept { return third(slot - 1) + 1; }
inline constexpr std::int64_t offset_before(std::int64_t slot) noexcept { return third(slot - 2); }

inline void retain(const Bunch* bunch) noexcept {
    if (bunch) bunch->owners.fetch_add(1, std::memory_order_relaxed);
}
/// Goes up the tree as far as nobody else holds it. No recursion.
inline void release(const Bunch* bunch) noexcept {
    while (bunch && (bunch->owners.load(std::memory_order_acquire) == 1 ||  // nobody else can hold it any more
                     bunch->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
        const Bunch* parent = bunch->parent;
        delete bunch;
        bunch = parent;
    }
}

/// Holds a bunch. Null stands for the root.
class BunchRef {
   public:
    BunchRef() = default;
    explicit BunchRef(const Bunch* held) noexcept : bunch_(held) { retain(bunch_); }
    BunchRef(const BunchRef& other) noexcept : BunchRef(other.bunch_) {}
    BunchRef(BunchRef&& other) noexcept : bunch_(std::exchange(other.bunch_, nullptr)) {}
    BunchRef& operator=(BunchRef other) noexcept {
        std::swap(bunch_, other.bunch_);
        return *this;
    }
    ~BunchRef() { release(bunch_); }

    /// A bunch below `parent`.
    static BunchRef make(BunchRef held, std::int32_t offset, Side side, const Name& name) {
        const Bunch* parent = held.bunch_;
        const Bunch* up = jump_of(parent);
        const Bunch* further = jump_of(up);
        const bool even = depth_of(parent) - depth_of(up) == depth_of(up) - depth_of(further);
        std::uint64_t key =
            mix(parent ? parent->key : 0, static_cast<std::uint64_t>(offset) * 2 + (side == Side::right));
        key = mix(mix(key, name.replica.owner_bits), mix(name.replica.incarnation, name.counter));
        BunchRef made;
        made.bunch_ = new Bunch{parent, even ? further : parent, name, key, offset, side, depth_of(parent) + 1};
        held.bunch_ = nullptr;
        return made;
    }

    const Bunch* get() const noexcept { return bunch_; }
    const Bunch* operator->() const noexcept { return bunch_; }

   private:
    const Bunch* bunch_ = nullptr;
};

/// A view of a position. It holds nothing alive.
struct Position {
    const Bunch* bunch = nullptr;
    std::int32_t offset = 0;
};

/// An element of a sequence: where it stands and its dot. Elements at one position, which only copies of one replica
/// make, go by dot.
struct Element {
    Position position;
    Dot dot;
    explicit operator bool() const noexcept { return position.bunch != nullptr; }
};

/// The ancestor at `depth`, which is not below its own. O(log depth).
inline const Bunch* ancestor_at(const Bunch* bunch, std::uint32_t depth) noexcept {
    while (depth_of(bunch) > depth) bunch = depth_of(bunch->jump) >= depth ? bunch->jump : bunch->parent;
    return bunch;
}

/// Calls `f` with each bunch on the way to `bunch` below the ancestor at `depth`, from the top. O(way), no recursion.
template <class F>
void for_each_below(std::uint32_t depth, const Bunch* bunch, F&& f) {
    std::array<const Bunch*, 16> links;
    while (depth < depth_of(bunch)) {
        const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(links.size(), depth_of(bunch) - depth));
        depth += count;
        const Bunch* link = ancestor_at(bunch, depth);
        for (std::uint32_t at = count; at > 0; link = link->parent) links[--at] = link;
        for (std::uint32_t at = 0; at < count; ++at) f(links[at]);
    }
}

/// Where two ways to the root meet, and where each comes in: null where it starts there.
struct Meeting {
    const Bunch* bunch;
    const Bunch* left;
    const Bunch* right;
};
inline Meeting meet(const Bunch* a, const Bunch* b) noexcept {
    const std::uint32_t depth = depth_of(a) < depth_of(b) ? depth_of(a) : depth_of(b);
    const Bunch *left = nullptr, *right = nullptr;
    if (depth_of(a) > depth) left = ancestor_at(a, depth + 1), a = left->parent;
    if (depth_of(b) > depth) right = ancestor_at(b, depth + 1), b = right->parent;
    if (same_bunch(a, b)) return {a, left, right};
    while (!same_bunch(a->parent, b->parent)) {
        const bool far = !same_bunch(a->jump, b->jump);
        a = far ? a->jump : a->parent;
        b = far ? b->jump : b->parent;
    }
    return {a->parent, a, b};
}

/// The order of all positions: a walk through the tree. Between the elements at offset k and k + 1 of a bunch lie the
/// bunches right of k, then those left of k + 1, each by name. O(log depth).
inline std::strong_ordering compare(Position a, Position b) noexcept {
    if (same_bunch(a.bunch, b.bunch)) return a.offset <=> b.offset;
    const Meeting at = meet(a.bunch, b.bunch);
    const std::int64_t left = at.left ? at.left->slot() : slot_of(a.offset);
    const std::int64_t right = at.right ? at.right->slot() : slot_of(b.offset);
    if (left != right) return left <=> right;
    return at.left->name <=> at.right->name;  // slots of elements are those of no bunch
}

/// By position, then by dot; no dot comes first.
inline std::strong_ordering compare(const Element& a, const Element& b) noexcept {
    if (const auto order = compare(a.position, b.position); order != 0 || a.dot == b.dot) return order;
    if (!a.dot || !b.dot) return a.dot ? std::strong_ordering::greater : std::strong_ordering::less;
    return precedes(a.dot, b.dot) ? std::strong_ordering::less : std::strong_ordering::greater;
}

/// Where `position` lies in `bunch`, as a slot; none if it is not in its subtree. O(log depth).
inline std::optional<std::int64_t> slot_within(const Bunch* bunch, Position position) noexcept {
    if (depth_of(position.bunch) < depth_of(bunch)) return std::nullopt;
    if (depth_of(position.bunch) == depth_of(bunch)) {
        if (!same_bunch(bunch, position.bunch)) return std::nullopt;
        return slot_of(position.offset);
    }
    const Bunch* branch = ancestor_at(position.bunch, depth_of(bunch) + 1);
    if (!same_bunch(branch->parent, bunch)) return std::nullopt;
    return branch->slot();
}

}  // namespace netsync::detail

// ---- netsync/crdt/trail.hpp ----

// netsync: positions as bytes. Each is told as the way from the one before it, up and down the tree of bunches, so that
// positions in order cost little, and one alone brings all that its reader may have forgotten.

namespace netsync::detail {

/// Writes positions into an Output. Names are short for replicas of its DotSpace, and for any replica the second time.
template <class Archive>
class TrailWriter {
   public:
    explicit TrailWriter(Archive& out) : out_(out) {}

    /// Whether an element at `offset` would stand right after the last.
    bool is_next(const Bunch* bunch, std::int32_t offset) const noexcept {
        return bunch_ && same_bunch(bunch_, bunch) && offset == last_ + 1;
    }

    /// The positions of `length` elements from `offset` on; `next`: they go on from the last, and the reader knows.
    void write(const Bunch* bunch, std::int32_t offset, std::uint32_t length, bool next = false) {
        if (!next) write_way(bunch, offset);
        bunch_ = bunch;
        last_ = offset + static_cast<std::int32_t>(length) - 1;
    }

    void write_name(const Name& name) {
        const std::size_t known = replicas_.find(name.replica);
        out_.varint(known);
        if (known == replicas_.size()) {
            write_replica(out_, name.replica);
            out_.charge(sizeof(ReplicaId));
            replicas_.push_back(name.replica);
        }
        out_.varint(name.counter);
    }

    static constexpr std::size_t bunch_cost = sizeof(Bunch) + 16;

   private:
    void write_way(const Bunch* bunch, std::int32_t offset) {
        const Meeting at = meet(bunch_, bunch);
        const std::uint32_t up = depth_of(bunch_) - depth_of(at.bunch), down = depth_of(bunch) - depth_of(at.bunch);
        out_.varint(std::uint64_t{up} * 4 + std::min(down, 3u));
        if (down >= 3) out_.varint(down - 3);
        out_.charge(down * bunch_cost);
        std::int32_t expected = at.left ? at.left->offset : last_;
        for_each_below(depth_of(at.bunch), bunch, [&](const Bunch* link) {
            const std::int64_t far = std::int64_t{link->offset} - expected;
            out_.varint(zigzag(far) * 2 + (link->side == Side::left ? 1 : 0));
            write_name(link->name);
            expected = 0;
        });
        if (down == 0) expected = static_cast<std::int32_t>(offset_after(at.left ? at.left->slot() : slot_of(last_)));
        out_(std::int64_t{offset} - expected);
    }

    static std::uint64_t zigzag(std::int64_t value) noexcept {
        return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    }

    Archive& out_;
    const Bunch* bunch_ = nullptr;
    std::int32_t last_ = 0;
    NamedReplicas replicas_;
};

/// Reads them from an Input, which fails with errc::malformed on what cannot be. No way leads into a circle, whatever
/// the bytes say: each bunch is made below one that is there.
template <class Archive>
class TrailReader {
   public:
    explicit TrailReader(Archive& in) : in_(in) {}

    /// Goes on to the next position, which has to lie after the one before (`is_later` decides between two elements at
    /// the same). Gives how many bunches it went down.
    template <class IsLater>
    std::uint32_t read(IsLater&& is_later) {
        const std::uint64_t head = in_.varint();
        const std::uint64_t up = head / 4;
        std::uint64_t down = head % 4;
        if (down == 3) down += in_.varint();
        if (!in_.ok()) return 0;
        const bool first = bunch_.get() == nullptr;
        if (up > depth_of(bunch_.get()) || down > in_.remaining() || (first && down == 0)) return fail(), 0;
        in_.charge(static_cast<std::size_t>(down) * TrailWriter<Archive>::bunch_cost);
        if (!in_.ok()) return 0;
        BunchRef left;
        for (std::uint64_t step = 0; step < up; ++step) {
            BunchRef above{bunch_->parent};
            left = std::exchange(bunch_, std::move(above));
        }
        if (!bunch_.get() && down == 0) return fail(), 0;
        const std::int64_t before = left.get() ? left->slot() : slot_of(last_);
        std::int64_t expected = left.get() ? left->offset : last_;
        for (std::uint64_t step = 0; step < down; ++step) {
            const std::uint64_t coded = in_.varint();
            const Side side = coded % 2 == 1 ? Side::left : Side::right;
            const std::int64_t offset = expected + unzigzag(coded / 2);
            const Name name = read_name();
            if (!in_.ok() || !is_offset(offset)) return fail(), 0;
            const bool top = bunch_.get() == nullptr;
            bunch_ = BunchRef::make(std::move(bunch_), static_cast<std::int32_t>(offset), side, name);
            if (step == 0 && !first && (bunch_->slot() < before || (bunch_->slot() == before && !(left->name < name))))
                return fail(), 0;
            if (top && (offset != 0 || side != Side::right)) return fail(), 0;
            expected = 0;
        }
        if (down == 0) expected = offset_after(before);
        std::int64_t distance = 0;
        in_(distance);
        const std::int64_t offset = expected + distance;
        if (!in_.ok() || distance > 4 * std::int64_t{max_offset} || distance < -4 * std::int64_t{max_offset} ||
            !is_offset(offset))
            return fail(), 0;
        offset_ = static_cast<std::int32_t>(offset);
        if (down > 0) return static_cast<std::uint32_t>(down);
        if (slot_of(offset_) < before || (slot_of(offset_) == before && !is_later())) fail();
        return 0;
    }

    /// Goes on to the position right after the last.
    void read_next() {
        if (!bunch_.get() || last_ >= max_offset) return fail();
        offset_ = last_ + 1;
    }

    /// Says how many elements it was; none of them may lie beyond the limit.
    void finish(std::uint64_t length) {
        if (length > static_cast<std::uint64_t>(std::int64_t{max_offset} - offset_ + 1)) return fail();
        last_ = offset_ + static_cast<std::int32_t>(length) - 1;
    }

    Name read_name() {
        const std::uint64_t which = in_.varint();
        if (!in_.ok() || which > replicas_.size()) return fail(), Name{};
        if (which == replicas_.size()) {
            in_.charge(sizeof(ReplicaId));
            replicas_.push_back(read_replica(in_));
        }
        if (!in_.ok()) return {};
        const Name name{replicas_[static_cast<std::size_t>(which)], in_.varint()};
        if (name.counter == 0 || name.counter > max_counter) fail();
        return name;
    }

    const BunchRef& bunch() const noexcept { return bunch_; }
    std::int32_t offset() const noexcept { return offset_; }

   private:
    void fail() { in_.fail(errc::malformed); }
    static bool is_offset(std::int64_t offset) noexcept { return -max_offset <= offset && offset <= max_offset; }
    static std::int64_t unzigzag(std::uint64_t coded) noexcept {
        return static_cast<std::int64_t>(coded >> 1) ^ -static_cast<std::int64_t>(coded & 1);
    }

    Archive& in_;
    BunchRef bunch_;
    std::int32_t offset_ = 0;
    std::int32_t last_ = 0;
    NamedReplicas replicas_;
};

}  // namespace netsync::detail

// ---- netsync/crdt/anchor.hpp ----

// netsync: a place in a List or a Text that stays where it is while others edit: a cursor, the ends of a selection.

namespace netsync {

/// The gap before an element, or the end. Made by `anchor(index)`, read by `index_of(anchor)`, on any replica: where the
/// element was erased, it is the gap where it was; where a List moved it, it goes along. A value: it can be kept, sent, or
/// be the value of a register. O(depth of the element's bunch) bytes.
class Anchor {
   public:
    /// The end, whatever is appended.
    Anchor() = default;
    Anchor(detail::Position position, detail::Name element)
        : bunch_(position.bunch), offset_(position.offset), element_(element) {}

    bool is_end() const noexcept { return bunch_.get() == nullptr; }
    detail::Position position() const noexcept { return {bunch_.get(), offset_}; }
    /// What the element was called when it was inserted.
    const detail::Name& element() const noexcept { return element_; }

    template <class Archive>
    void save(Archive& out) const {
        out(!is_end());
        if (is_end()) return;
        detail::TrailWriter trail{out};
        trail.write(bunch_.get(), offset_, 1);
        trail.write_name(element_);
    }
    template <class Archive>
    void load(Archive& in) {
        bool there = false;
        in(there);
        *this = {};
        if (!there || !in.ok()) return;
        detail::TrailReader trail{in};
        trail.read([] { return false; });
        element_ = trail.read_name();
        if (!in.ok()) return;
        bunch_ = trail.bunch();
        offset_ = trail.offset();
    }

    friend bool operator==(const Anchor& a, const Anchor& b) noexcept {
        return detail::same_bunch(a.bunch_.get(), b.bunch_.get()) && a.offset_ == b.offset_ && a.element_ == b.element_;
    }

   private:
    detail::BunchRef bunch_;
    std::int32_t offset_ = 0;
    detail::Name element_;
};

}  // namespace netsync

// ---- netsync/crdt/lww_register.hpp ----

// netsync: one value; the last writer wins.

namespace netsync {

/// A value and when it was written.
template <class Value>
struct Stamped {
    Ntp64 time;
    Value value{};

    template <class Archive>
    void save(Archive& out) const {
        out.stamp(time);
        out(value);
    }
    template <class Archive>
    void load(Archive& in) {
        time = in.stamp();
        in(value);
    }
};

/// Whether there is a value goes into the number of the dot (Output::marked_dot): a byte less for each.
template <class Value>
struct Stamped<std::optional<Value>> {
    Ntp64 time;
    std::optional<Value> value{};

    bool is_marked() const noexcept { return value.has_value(); }
    template <class Archive>
    void save_marked(Archive& out) const {
        out.stamp(time);
        if (value) out(*value);
    }
    template <class Archive>
    void load_marked(Archive& in, bool mark) {
        time = in.stamp();
        if (mark && in.ok()) in(value.emplace());
    }
};

namespace detail {

/// Values written at once are all kept, and the latest is the one read: by time, then replica id, then counter. They
/// must be kept: a parent's remover that saw only the latest must not make replicas differ over the others.
template <class Value>
class LastWriter {
   public:
    static constexpr bool delta_is_state = true;

    using Entry = typename DotFun<Stamped<Value>>::Entry;

    /// The latest entry, or null where nothing was written.
    const Entry* latest() const {
        const Entry* best = nullptr;
        writes_.for_each([&](const Entry& entry) {
            if (!best || is_later(entry, *best)) best = &entry;
        });
        return best;
    }

    /// Whether the latest write is the one that `delta` made.
    bool is_still(const LastWriter& delta) const {
        const Entry *held = latest(), *made = delta.latest();
        return held && made && held->dot == made->dot;
    }

    [[nodiscard]] LastWriter assign(Change& change, Value value) const {
        change.remove_all(writes_);
        LastWriter delta;
        delta.writes_ = {change.mint(), {change.time(), std::move(value)}};
        return delta;
    }

    /// Calls `f(entry)` for each write that is kept, in no order.
    template <class F>
    void for_each(F&& f) const {
        writes_.for_each(f);
    }

    bool merge(const LastWriter& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }
    friend bool operator==(const LastWriter&, const LastWriter&) = default;

    /// Forgets what every member has seen and that has lost to what every member has seen. Where that is `dead(entry)`, a
    /// tombstone, it goes too, with all that is earlier, once everybody has that: a winner only ever gives way to a later
    /// write. Not for use below a parent that removes (OrMap): who has forgotten would remove less than another still holds.
    template <class Dead>
    bool drop_stable(const VersionVector& stable, Dead&& dead) {
        std::optional<Entry> best;
        writes_.for_each([&](const Entry& entry) {
            if (stable.contains(entry.dot) && (!best || is_later(entry, *best))) best = entry;
        });
        if (!best) return false;
        if (dead(*best)) {
            const bool pending = writes_.find_if(
                [&](const Entry& entry) { return is_later(*best, entry) && !stable.contains(entry.dot); });
            return !pending && writes_.retain([&](const Entry& entry) { return is_later(entry, *best); });
        }
        return writes_.size() > 1 && writes_.retain([&](const Entry& entry) {
            return entry.dot == best->dot || !stable.contains(entry.dot);
        });
    }

    /// Whether drop_stable may find anything.
    template <class Dead>
    bool may_drop(Dead&& dead) const {
        return writes_.size() > 1 || writes_.find_if(dead);
    }

   private:
    static bool is_later(const Entry& a, const Entry& b) {
        if (a.value.time != b.value.time) return a.value.time > b.value.time;
        return precedes(b.dot, a.dot);
    }

    DotFun<Stamped<Value>> writes_;
};

}  // namespace detail

/// The last-writer-wins register (Johnson, Thomas 1975): of concurrent writes the one with the later timestamp is read;
/// a write always supersedes what its writer had seen. Before the first write it reads as a default-constructed value.
template <class Value>
class LwwRegister {
   public:
    /// A delta that writes `value`.
    [[nodiscard]] LwwRegister assign(Change& change, Value value) const {
        LwwRegister delta;
        delta.writes_ = writes_.assign(change, std::move(value));
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] LwwRegister inverse(Change& change, const LwwRegister& before, const LwwRegister& delta,
                                      Scope scope) const {
        const bool removed = scope == Scope::whole && delta.is_bottom() && is_bottom() && before.has_value();
        return removed || writes_.is_still(delta.writes_) ? assign(change, before.value()) : LwwRegister{};
    }

    bool has_value() const { return !writes_.is_bottom(); }

    const Value& value() const {
        static const Value unwritten{};
        const auto* latest = writes_.latest();
        return latest ? latest->value.value : unwritten;
    }

    /// When and by whom the value was written; all zero before the first write.
    Stamped<ReplicaId> written() const {
        const auto* latest = writes_.latest();
        return latest ? Stamped<ReplicaId>{latest->value.time, id_of(latest->dot.replica())} : Stamped<ReplicaId>{};
    }

    bool merge(const LwwRegister& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    bool drop_stable(const VersionVector& stable) {
        return writes_.drop_stable(stable, [](const auto&) { return false; });
    }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }

    friend bool operator==(const LwwRegister&, const LwwRegister&) = default;

   private:
    detail::LastWriter<Value> writes_;
};

}  // namespace netsync

// ---- netsync/crdt/run.hpp ----

// netsync: elements of a sequence that follow each other in everything: what a Rope (crdt/rope.hpp) keeps, and what is
// written (crdt/run_trail.hpp).

namespace netsync::detail {

/// Elements side by side in one bunch, under dots that follow each other. A view: the rope holds the bunches of its own.
struct Run {
    const Bunch* bunch = nullptr;
    Dot dot{};
    std::int32_t offset = 0;
    std::uint32_t length = 0;
    bool moved = false;  ///< stands for what a List keeps of a moved element

    Element element(std::uint32_t at = 0) const noexcept {
        return {{bunch, offset + static_cast<std::int32_t>(at)}, dot_at(at)};
    }
    Dot dot_at(std::uint32_t at) const noexcept { return Dot{dot.replica(), dot.counter() + at}; }
    Run part(std::uint32_t from, std::uint32_t count) const noexcept {
        return {bunch, dot_at(from), offset + static_cast<std::int32_t>(from), count, moved};
    }
    /// Whether `next` goes on where this ends.
    bool continues(const Run& next) const noexcept {
        return !moved && !next.moved && same_bunch(bunch, next.bunch) && next.dot == dot_at(length) &&
               next.offset == offset + static_cast<std::int32_t>(length);
    }
    /// How many of its elements lie before `other`. O(log depth).
    std::uint32_t count_before(const Element& other) const noexcept {
        const auto slot = slot_within(bunch, other.position);
        if (!slot) return compare(element().position, other.position) < 0 ? length : 0;
        const std::int64_t count = offset_before(*slot) - offset + 1;
        if (count < 0 || count >= length) return count < 0 ? 0 : length;
        const auto at = static_cast<std::uint32_t>(count);
        return compare(element(at), other) < 0 ? at + 1 : at;
    }
};

}  // namespace netsync::detail

// ---- netsync/crdt/rope_nodes.hpp ----

// netsync: the nodes of a rope (crdt/rope.hpp): how they lie in memory, are shared, and what becomes of the runs of one leaf.

namespace netsync::detail {

/// A leaf holds up to 32 runs, and beside them their values in one `Content`; an inner node holds of each child how many
/// elements it has and the first of them.
template <class Content>
struct RopeNodes {
    static constexpr std::size_t fan_out = 32;
    static constexpr std::size_t max_runs = 32;

    struct Node {
        std::atomic<std::uint32_t> owners{1};
        std::uint8_t level = 0;  // 0: a leaf
        std::uint8_t count = 0;
        std::uint8_t capacity = 0;
    };
    /// Followed in memory by `capacity` runs, of which it holds the bunches of the first `count`.
    struct Leaf : Node {
        Content content;
        Run* runs() noexcept { return reinterpret_cast<Run*>(this + 1); }
        const Run* runs() const noexcept { return reinterpret_cast<const Run*>(this + 1); }
    };
    struct Child {
        Node* node = nullptr;
        std::size_t size = 0;
        Element first;
    };
    struct Inner : Node {
        std::array<std::size_t, fan_out> sizes;
        std::array<Node*, fan_out> nodes;
        std::array<Element, fan_out> firsts;

        Child child(std::size_t at) const { return {nodes[at], sizes[at], firsts[at]}; }
        void put(std::size_t at, const Child& child) {
            nodes[at] = child.node;
            sizes[at] = child.size;
            firsts[at] = child.first;
        }
        /// Moves the children from `from` up to the last to `to`.
        void shift(std::size_t from, std::size_t to) {
            const auto slide = [&](auto& items) {
                const auto first = items.begin() + static_cast<std::ptrdiff_t>(from);
                const auto last = items.begin() + static_cast<std::ptrdiff_t>(this->count);
                if (to < from)
                    std::copy(first, last, items.begin() + static_cast<std::ptrdiff_t>(to));
                else
                    std::copy_backward(first, last, last + static_cast<std::ptrdiff_t>(to - from));
            };
            slide(sizes), slide(nodes), slide(firsts);
        }
    };
    static_assert(std::is_trivially_copyable_v<Run> && alignof(Leaf) >= alignof(Run));

    static const Inner* inner(const Node* node) { return static_cast<const Inner*>(node); }
    static Inner* inner(Node* node) { return static_cast<Inner*>(node); }
    static const Leaf* leaf(const Node* node) { return static_cast<const Leaf*>(node); }
    static Leaf* leaf(Node* node) { return static_cast<Leaf*>(node); }

    // Nodes come and go.

    static Leaf* make_leaf(std::size_t capacity) {
        Leaf* made = new (::operator new(sizeof(Leaf) + capacity * sizeof(Run))) Leaf;
        made->capacity = static_cast<std::uint8_t>(capacity);
        return made;
    }
    static Node* share(Node* node) noexcept {
        if (node) node->owners.fetch_add(1, std::memory_order_relaxed);
        return node;
    }
    static void release(Node* node) noexcept {
        if (!node || (node->owners.load(std::memory_order_acquire) != 1 &&
                      node->owners.fetch_sub(1, std::memory_order_acq_rel) != 1))
            return;
        if (node->level > 0) {
            for (std::size_t at = 0; at < node->count; ++at) release(inner(node)->nodes[at]);
            delete inner(node);
        } else {
            for (std::size_t at = 0; at < node->count; ++at) detail::release(leaf(node)->runs()[at].bunch);
            leaf(node)->~Leaf();
            ::operator delete(node);
        }
    }
    static Node* copy(const Node* node) {
        if (node->level > 0) {
            Inner* made = new Inner;
            made->level = node->level;
            made->count = node->count;
            for (std::size_t at = 0; at < node->count; ++at) {
                made->put(at, inner(node)->child(at));
                share(made->nodes[at]);
            }
            return made;
        }
        Leaf* made = make_leaf(node->capacity);
        made->content = leaf(node)->content;
        made->count = node->count;
        std::copy_n(leaf(node)->runs(), node->count, made->runs());
        for (std::size_t at = 0; at < node->count; ++at) retain(made->runs()[at].bunch);
        return made;
    }
    /// Makes the node writable, in its place.
    static Node* own(Node*& place) {
        if (place->owners.load(std::memory_order_acquire) != 1) {
            Node* mine = copy(place);
            release(std::exchange(place, mine));
        }
        return place;
    }

    static Element first_of(const Node* node) {
        return node->level > 0 ? inner(node)->firsts[0] : leaf(node)->runs()[0].element();
    }
    static std::size_t size_of(const Node* node) {
        if (node->level == 0) return leaf(node)->content.size();
        std::size_t size = 0;
        for (std::size_t at = 0; at < node->count; ++at) size += inner(node)->sizes[at];
        return size;
    }
    static Child describe(Node* node) { return {node, size_of(node), first_of(node)}; }
    static bool is_small(const Node* node) {
        return node->count < fan_out / 4 && (node->level > 0 || leaf(node)->content.is_small());
    }

    // Runs of a leaf.

    static void open(Leaf* leaf, std::size_t at, const Run& run) {
        Run* runs = leaf->runs();
        std::copy_backward(runs + at, runs + leaf->count, runs + leaf->count + 1);
        runs[at] = run;
        retain(run.bunch);
        ++leaf->count;
    }
    static void close(Leaf* leaf, std::size_t from, std::size_t to) {
        Run* runs = leaf->runs();
        for (std::size_t at = from; at < to; ++at) detail::release(runs[at].bunch);
        std::copy(runs + to, runs + leaf->count, runs + from);
        leaf->count = static_cast<std::uint8_t>(leaf->count - (to - from));
    }
    /// Makes room for `more` runs, of at most max_runs; in the place of the leaf may come a larger one.
    static Leaf* reserve(Node*& place, std::size_t more) {
        Leaf* held = leaf(place);
        if (held->count + more <= held->capacity) return held;
        Leaf* made = make_leaf(std::min(max_runs, std::max<std::size_t>(held->capacity * 2u, held->count + more)));
        made->content = std::move(held->content);
        made->count = std::exchange(held->count, std::uint8_t{0});
        std::copy_n(held->runs(), made->count, made->runs());
        release(std::exchange(place, made));
        return made;
    }

    /// The elements of `run` are now before the one at `at`; values apart.
    static void insert_run(Leaf* leaf, std::size_t at, const Run& run) {
        Run* runs = leaf->runs();
        std::size_t which = 0;
        while (which < leaf->count && at > runs[which].length) at -= runs[which++].length;
        if (at == 0 || which == leaf->count) return open(leaf, which, run);
        const auto within = static_cast<std::uint32_t>(at);
        Run& before = runs[which];
        if (within == before.length) {
            if (!before.continues(run)) return open(leaf, which + 1, run);
            before.length += run.length;
            return;
        }
        const Run after = before.part(within, before.length - within);
        before.length = within;
        open(leaf, which + 1, after);
        open(leaf, which + 1, run);
    }

    /// The elements from `at` on are there no more; values apart. A run may become two.
    static void erase_runs(Leaf* leaf, std::size_t at, std::size_t count) {
        Run* runs = leaf->runs();
        std::size_t which = 0;
        while (at >= runs[which].length) at -= runs[which++].length;
        auto within = static_cast<std::uint32_t>(at);
        auto left = static_cast<std::uint32_t>(count);
        if (within > 0) {
            Run& run = runs[which++];
            const std::uint32_t tail = run.length - within;
            if (left < tail) {
                const Run after = run.part(within + left, tail - left);
                run.length = within;
                return open(leaf, which, after);
            }
            run.length = within;
            left -= tail;
        }
        std::size_t end = which;
        while (left > 0 && left >= runs[end].length) left -= runs[end++].length;
        if (left > 0) runs[end] = runs[end].part(left, runs[end].length - left);
        close(leaf, which, end);
    }

    // Children of an inner node.

    static void insert_child(Inner* node, std::size_t at, const Child& child) {
        node->shift(at, at + 1);
        node->put(at, child);
        ++node->count;
    }
    static void erase_child(Inner* node, std::size_t at) {
        node->shift(at + 1, at);
        --node->count;
    }
};

}  // namespace netsync::detail

// ---- netsync/crdt/rope.hpp ----

// netsync: the elements of a sequence in their order, as runs in a balanced tree that is copied in O(1). Found by index
// and by position. What a Sequence (crdt/sequence.hpp) keeps.

namespace netsync::detail {

/// A B+ tree of runs whose nodes are shared by copies and copied when written to (copy-on-write, as in SortedMap); see
/// RopeNodes. All operations: O(log runs); by position: times O(log depth of the bunches). One thread a rope; copies may be
/// used by different threads.
template <class Content>
class Rope : RopeNodes<Content> {
    using Nodes = RopeNodes<Content>;
    using Nodes::describe, Nodes::erase_child, Nodes::erase_runs, Nodes::fan_out, Nodes::first_of, Nodes::inner,
        Nodes::insert_child, Nodes::insert_run, Nodes::is_small, Nodes::leaf, Nodes::make_leaf, Nodes::max_runs,
        Nodes::open, Nodes::own, Nodes::release, Nodes::reserve, Nodes::share;
    using typename Nodes::Child, typename Nodes::Inner, typename Nodes::Leaf, typename Nodes::Node;

   public:
    class Walk;
    struct Neighbours {
        Element before, after;  ///< none at the ends
    };
    struct Found {
        std::size_t index;  ///< how many elements lie before it
        bool here;          ///< whether it is the one at that index
        Neighbours near;    ///< of the gap before that index
    };

    Rope() = default;
    Rope(const Rope& other) noexcept : root_(share(other.root_)), size_(other.size_) {}
    Rope(Rope&& other) noexcept : root_(std::exchange(other.root_, nullptr)), size_(std::exchange(other.size_, 0)) {
        other.finger_ = {};
    }
    Rope& operator=(Rope other) noexcept {
        std::swap(root_, other.root_);
        std::swap(size_, other.size_);
        finger_ = {};  // it was a place in what goes
        return *this;
    }
    ~Rope() { release(root_); }

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// Copies that nobody has written to since.
    bool is_same(const Rope& other) const noexcept { return root_ == other.root_; }
    /// The runs from the one that holds `index`, which is cut to start there.
    Walk walk(std::size_t index = 0) const { return Walk{*this, index}; }

    /// The elements on both sides of the gap before `index`, which is at most size().
    Neighbours neighbours(std::size_t index) const noexcept {
        Neighbours result{};
        const Node* node = root_;
        if (!node) return result;
        const bool near = finger_.is_at_gap(index);
        std::size_t at = near ? index - finger_.start : index;
        for (std::size_t depth = 0; node->level > 0; ++depth) {
            std::size_t child = near ? finger_.steps[depth] : 0;
            for (; !near && at > inner(node)->sizes[child]; ++child) at -= inner(node)->sizes[child];
            if (child + 1u < node->count) result.after = inner(node)->firsts[child + 1];
            node = inner(node)->nodes[child];
        }
        const Run* run = leaf(node)->runs();
        const Run* end = run + node->count;
        for (; at > run->length; ++run) at -= run->length;
        if (at > 0) result.before = run->element(static_cast<std::uint32_t>(at) - 1);
        if (at < run->length)
            result.after = run->element(static_cast<std::uint32_t>(at));
        else if (run + 1 < end)
            result.after = run[1].element();
        return result;
    }

    /// Where `element` is or would be; without a dot, the first at its position. `guess`: an index near which it may be;
    /// a right guess costs two comparisons.
    Found find(const Element& element, std::size_t guess) const noexcept {
        if (guess <= size_) {
            const Neighbours near = neighbours(guess);
            const auto before = near.before ? compare(near.before, element) : std::strong_ordering::less;
            if (before < 0) {
                const auto after = near.after ? compare(near.after, element) : std::strong_ordering::greater;
                if (after >= 0) return {guess, after == 0, near};
            } else if (same_bunch(near.before.position.bunch, element.position.bunch) &&
                       near.before.position.offset == element.position.offset) {
                return find(element, guess - 1);
            }
        }
        return find(element);
    }

    Found find(const Element& element) const noexcept {
        const Node* node = root_;
        if (!node) return {0, false, {}};
        std::size_t index = 0;
        const auto starts_before = [&](const Element& first) { return compare(first, element) <= 0; };
        for (; node->level > 0;) {
            const Element* firsts = inner(node)->firsts.data();
            const Element* after = std::partition_point(firsts + 1, firsts + node->count, starts_before);
            const auto child = static_cast<std::size_t>(after - firsts) - 1;
            for (std::size_t at = 0; at < child; ++at) index += inner(node)->sizes[at];
            node = inner(node)->nodes[child];
        }
        const Run* runs = leaf(node)->runs();
        const Run* end =
            std::partition_point(runs, runs + node->count, [&](const Run& at) { return starts_before(at.element()); });
        bool here = false;
        for (const Run* at = runs; at != end; ++at) {
            if (at + 1 != end) {
                index += at->length;
                continue;
            }
            const std::uint32_t before = at->count_before(element);
            here = before < at->length && compare(at->element(before), element) == 0;
            index += before;
        }
        return {index, here, neighbours(index)};
    }

    /// Inserts the elements of `run` before `index`; their values are those of `from` starting at `first`.
    void insert(std::size_t index, Run run, const Content& from, std::size_t first) {
        while (run.length > 0) {
            const std::uint32_t length = std::min(run.length, Content::chunk);
            insert_chunk(index, run.part(0, length), from, first);
            run = run.part(length, run.length - length);
            index += length;
            first += length;
        }
    }

    void erase(std::size_t index, std::size_t count) {
        while (count > 0) count -= erase_in_leaf(index, count);
    }

   private:
    /// The leaf that was last written to, since the next change is mostly beside it: of which elements it is, and the way.
    struct Finger {
        std::size_t start = 0;
        std::size_t size = 0;  // 0: none
        std::array<std::uint8_t, 16> steps{};

        bool is_at(std::size_t index) const noexcept { return index - start < size; }
        bool is_at_gap(std::size_t index) const noexcept {
            return index - start - 1 < size || (index == 0 && start == 0 && size > 0);
        }
    };
    struct Step {
        Inner* node;
        std::size_t child;
    };
    struct Path {
        std::array<Step, 16> steps;
        std::size_t depth = 0;
    };

    Node*& place_in(const Path& path, std::size_t depth) {
        if (depth == 0) return root_;
        const Step& step = path.steps[depth - 1];
        return step.node->nodes[step.child];
    }

    /// The leaf at `at`, which becomes the place within it; the way to it; all of it writable. Between two leaves it is
    /// the left one for an insertion.
    Leaf* descend(Path& path, std::size_t& at, bool inserting) {
        const std::size_t index = at;
        const bool near = inserting ? finger_.is_at_gap(index) : finger_.is_at(index);
        if (near) at -= finger_.start;
        Node* node = own(root_);
        while (node->level > 0) {
            const auto& sizes = inner(node)->sizes;
            std::size_t child = near ? finger_.steps[path.depth] : 0;
            for (; !near && (at > sizes[child] || (!inserting && at == sizes[child])); ++child) at -= sizes[child];
            finger_.steps[path.depth] = static_cast<std::uint8_t>(child);
            path.steps[path.depth++] = {inner(node), child};
            node = own(inner(node)->nodes[child]);
        }
        finger_.start = index - at;
        finger_.size = leaf(node)->content.size();
        return leaf(node);
    }

    // Growing.

    void insert_chunk(std::size_t index, const Run& run, const Content& from, std::size_t first) {
        if (!root_) {
            Leaf* only = make_leaf(1);
            if (from.size() == run.length)
                only->content = from;
            else
                only->content.insert(0, from, first, run.length);
            open(only, 0, run);
            root_ = only;
            size_ = run.length;
            return;
        }
        Path path;
        std::size_t at = index;
        Leaf* here = descend(path, at, true);
        if (here->count + 2u > max_runs || here->content.is_full(from, first, run.length)) {
            if (index == size_) {  // what comes in order fills its leaves
                Leaf* right = make_leaf(max_runs);
                right->content.insert(0, from, first, run.length);
                open(right, 0, run);
                size_ += run.length;
                return add_child(path, path.depth, right);
            }
            add_child(path, path.depth, split(path));
            return insert_chunk(index, run, from, first);
        }
        here = reserve(place_in(path, path.depth), 2);
        here->content.insert(at, from, first, run.length);
        insert_run(here, at, run);
        size_ += run.length;
        finger_.size += run.length;
        const Node* node = here;
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [above, child] = path.steps[depth - 1];
            above->sizes[child] += run.length;
            if (at == 0) above->firsts[child] = first_of(node);
            node = above;
        }
    }

    /// The right half of a full leaf, taken out of it: of its runs where these are many, else of its elements.
    Leaf* split(const Path& path) {
        Leaf* left = reserve(place_in(path, path.depth), leaf(place_in(path, path.depth))->count < max_runs ? 1 : 0);
        Run* runs = left->runs();
        const bool many = left->count + 2u > max_runs;
        const std::size_t half = left->content.size() / 2;
        std::size_t which = 0, at = 0;
        while (many ? which < left->count / 2u : at + runs[which].length <= half) at += runs[which++].length;
        if (!many && at < half) {
            const auto within = static_cast<std::uint32_t>(half - at);
            const Run after = runs[which].part(within, runs[which].length - within);
            runs[which].length = within;
            open(left, ++which, after);
            at = half;
        }
        Leaf* right = make_leaf(max_runs);
        right->content = left->content.split(at);
        right->count = static_cast<std::uint8_t>(left->count - which);
        std::copy_n(runs + which, right->count, right->runs());
        left->count = static_cast<std::uint8_t>(which);
        return right;
    }

    /// A new node right of the one at `depth` of the path, whose own place in its parent is brought up to date.
    void add_child(const Path& path, std::size_t depth, Node* right) {
        finger_ = {};
        if (depth == 0) {
            Inner* root = new Inner;
            root->level = static_cast<std::uint8_t>(root_->level + 1);
            root->count = 2;
            root->put(0, describe(root_));
            root->put(1, describe(right));
            root_ = root;
            return;
        }
        const auto [parent, child] = path.steps[depth - 1];
        parent->put(child, describe(parent->nodes[child]));
        if (parent->count < fan_out) {
            insert_child(parent, child + 1, describe(right));
            for (--depth; depth > 0; --depth) {
                const auto [above, place] = path.steps[depth - 1];
                above->put(place, describe(above->nodes[place]));
            }
            return;
        }
        Inner* next = new Inner;
        next->level = parent->level;
        const std::size_t half = child + 1 == fan_out ? fan_out : fan_out / 2;
        next->count = static_cast<std::uint8_t>(fan_out - half);
        for (std::size_t at = half; at < fan_out; ++at) next->put(at - half, parent->child(at));
        parent->count = static_cast<std::uint8_t>(half);
        if (child + 1 > half || half == fan_out)
            insert_child(next, child + 1 - half, describe(right));
        else
            insert_child(parent, child + 1, describe(right));
        add_child(path, depth - 1, next);
    }

    // Shrinking.

    /// Erases what one leaf holds of the elements from `index` on; says how many.
    std::size_t erase_in_leaf(std::size_t index, std::size_t count) {
        Path path;
        std::size_t at = index;
        Leaf* here = descend(path, at, false);
        count = std::min(count, here->content.size() - at);
        if (here->count == max_runs) {  // a run may become two
            add_child(path, path.depth, split(path));
            return erase_in_leaf(index, count);
        }
        here = reserve(place_in(path, path.depth), 1);
        here->content.erase(at, count);
        erase_runs(here, at, count);
        size_ -= count;
        finger_.size -= count;
        balance(path, here, count);
        return count;
    }

    /// After an erasure: no node is empty, small neighbours become one, and the root has more than one child.
    void balance(const Path& path, Node* node, std::size_t erased) {
        for (std::size_t depth = path.depth; depth > 0; --depth) {
            const auto [parent, child] = path.steps[depth - 1];
            if (node->count == 0) {
                finger_ = {};
                release(node);
                erase_child(parent, child);
            } else {
                parent->sizes[child] -= erased;
                parent->firsts[child] = first_of(node);
                if (is_small(node) && child + 1u < parent->count)
                    unite(parent, child);
                else if (is_small(node) && child > 0)
                    unite(parent, child - 1);
            }
            node = parent;
        }
        while (root_->level > 0 && root_->count == 1) {
            finger_ = {};
            Node* only = share(inner(root_)->nodes[0]);
            release(std::exchange(root_, only));
        }
        if (root_->count == 0) release(std::exchange(root_, nullptr));
    }

    /// The children `at` and `at + 1` become one, if that leaves it room.
    void unite(Inner* parent, std::size_t at) {
        const Node *a = parent->nodes[at], *b = parent->nodes[at + 1];
        if (a->count + b->count > fan_out * 3 / 4) return;
        if (a->level == 0 && !(leaf(a)->content.is_small() && leaf(b)->content.is_small())) return;
        finger_ = {};
        Node* right = own(parent->nodes[at + 1]);
        Node* left = own(parent->nodes[at]);
        if (left->level == 0) {
            left = reserve(parent->nodes[at], right->count);
            leaf(left)->content.insert(leaf(left)->content.size(), leaf(right)->content, 0,
                                       leaf(right)->content.size());
            std::copy_n(leaf(right)->runs(), right->count, leaf(left)->runs() + left->count);
        } else {
            for (std::size_t from = 0; from < right->count; ++from)
                inner(left)->put(left->count + from, inner(right)->child(from));
        }
        left->count = static_cast<std::uint8_t>(left->count + right->count);
        right->count = 0;
        release(right);
        parent->put(at, describe(left));
        erase_child(parent, at + 1);
    }

    Node* root_ = nullptr;
    std::size_t size_ = 0;
    Finger finger_;
};

/// Goes through the runs in order. Good until the rope changes.
template <class Content>
class Rope<Content>::Walk {
   public:
    Walk(const Rope& rope, std::size_t index) {
        if (index >= rope.size_) return;
        const Node* node = rope.root_;
        const bool near = rope.finger_.is_at(index);
        if (near) index -= rope.finger_.start;
        for (; node->level > 0;) {
            std::size_t child = near ? rope.finger_.steps[depth_] : 0;
            for (; !near && index >= inner(node)->sizes[child]; ++child) index -= inner(node)->sizes[child];
            above_[depth_++] = {inner(node), child};
            node = inner(node)->nodes[child];
        }
        leaf_ = leaf(node);
        for (; index >= leaf_->runs()[run_].length; ++run_) {
            index -= leaf_->runs()[run_].length;
            at_ += leaf_->runs()[run_].length;
        }
        within_ = static_cast<std::uint32_t>(index);
        at_ += index;
    }

    explicit operator bool() const noexcept { return leaf_ != nullptr; }
    Run run() const noexcept {
        const Run& run = leaf_->runs()[run_];
        return run.part(within_, run.length - within_);
    }
    /// The values of the run are those of content() from at() on.
    const Content& content() const noexcept { return leaf_->content; }
    std::size_t at() const noexcept { return at_; }

    void next() {
        at_ += leaf_->runs()[run_].length - within_;
        within_ = 0;
        if (++run_ < leaf_->count) return;
        next_leaf();
    }
    /// Past all runs that share their content with this one.
    void next_leaf() {
        leaf_ = nullptr;
        run_ = 0;
        at_ = 0;
        within_ = 0;
        for (; depth_ > 0; --depth_) {
            auto& [node, child] = above_[depth_ - 1];
            if (++child == node->count) continue;
            const Node* down = node->nodes[child];
            for (; down->level > 0; down = inner(down)->nodes[0]) above_[depth_++] = {inner(down), 0};
            leaf_ = leaf(down);
            return;
        }
    }

   private:
    struct Level {
        const Inner* node;
        std::size_t child;
    };
    std::array<Level, 16> above_;  // as deep as depth_
    std::size_t depth_ = 0;
    const Leaf* leaf_ = nullptr;
    std::size_t run_ = 0;
    std::uint32_t within_ = 0;
    std::size_t at_ = 0;
};

}  // namespace netsync::detail

// ---- netsync/crdt/run_trail.hpp ----

// netsync: runs as bytes: where each stands (crdt/trail.hpp), how long it is, and its dots. In a state mostly three to four
// bytes a run.

namespace netsync::detail {

/// What follows the length of a run: nothing, where it stands beside the one before; or the way to it. Its first dot is
/// told in full, or in a state, where it is of the bunch's own replica, from the last dot of that replica before.
enum class RunForm : std::uint8_t { next, away, away_under_another };

/// The counter after the last that was told, of each replica of a state.
class LastCounters {
   public:
    std::uint64_t& operator[](std::size_t position) {
        if (position >= ends_.size()) ends_.resize(position + 1, 1);
        return ends_[position];
    }

   private:
    std::vector<std::uint64_t> ends_;
};

template <class Archive>
class RunWriter {
   public:
    explicit RunWriter(Archive& out) : out_(out), trail_(out) {}

    void write(const Run& run) {
        const bool next = trail_.is_next(run.bunch, run.offset);
        const std::uint64_t more = std::uint64_t{run.length} - 1;
        if (out_.space().is_frame()) {
            out_.varint(more * 2 + (next ? 0 : 1));
            trail_.write(run.bunch, run.offset, run.length, next);
            out_(run.dot);
            return;
        }
        const bool own = id_of(run.dot.replica()) == run.bunch->name.replica;
        const RunForm form = !own ? RunForm::away_under_another : next ? RunForm::next : RunForm::away;
        out_.varint(more * 3 + static_cast<std::uint64_t>(form));
        trail_.write(run.bunch, run.offset, run.length, form == RunForm::next);
        const auto position = out_.space().position(id_of(run.dot.replica()));
        if (!own || !position) {
            out_(run.dot);
            return;
        }
        std::uint64_t& last = last_[*position];
        out_(static_cast<std::int64_t>(run.dot.counter() - last));
        last = run.dot.counter() + run.length;
    }

   private:
    Archive& out_;
    TrailWriter<Archive> trail_;
    LastCounters last_;
};

template <class Archive>
class RunReader {
   public:
    explicit RunReader(Archive& in) : in_(in), trail_(in) {}

    /// The next run, which lies after the one before and does not continue it; else the Input has failed. The caller
    /// holds bunch() while it reads on.
    Run read() {
        Run run;
        if (!in_.space()) return in_.fail(errc::malformed), run;
        const bool in_frame = in_.space()->is_frame();
        const std::uint64_t head = in_.varint(), forms = in_frame ? 2 : 3;
        const auto form = static_cast<RunForm>(head % forms);
        const std::uint64_t length = head / forms + 1;
        if (length > 2 * static_cast<std::uint64_t>(max_offset)) in_.fail(errc::malformed);
        bool tie = false;
        if (form == RunForm::next)
            trail_.read_next();
        else
            trail_.read([&] { return tie = true; });
        if (!in_.ok()) return run;
        run.bunch = trail_.bunch().get();
        run.offset = trail_.offset();
        run.length = static_cast<std::uint32_t>(length);
        trail_.finish(length);
        if (in_frame || form == RunForm::away_under_another)
            in_(run.dot);
        else
            read_own(run);
        if (!in_.ok() || run.dot.counter() + length > max_counter + 1) return in_.fail(errc::malformed), run;
        if (!in_.space()->contains(run.dot) || !in_.space()->contains(run.dot_at(run.length - 1)))
            in_.fail(errc::malformed);
        if (before_.length > 0 && before_.continues(run)) in_.fail(errc::malformed);
        if (tie && !precedes(before_.dot_at(before_.length - 1), run.dot)) in_.fail(errc::malformed);
        before_ = run;
        return run;
    }
    /// That of the last run.
    const BunchRef& bunch() const noexcept { return trail_.bunch(); }

   private:
    void read_own(Run& run) {
        const auto position = in_.space()->position(run.bunch->name.replica);
        std::int64_t further = 0;
        in_(further);
        if (!in_.ok() || !position) return in_.fail(errc::malformed);
        std::uint64_t& last = last_[*position];
        const std::uint64_t counter = last + static_cast<std::uint64_t>(further);
        if (counter == 0 || counter > max_counter) return in_.fail(errc::malformed);
        run.dot = Dot{in_.space()->range(*position).replica, counter};
        last = counter + run.length;
    }

    Archive& in_;
    TrailReader<Archive> trail_;
    LastCounters last_;
    Run before_;
};

}  // namespace netsync::detail

// ---- netsync/crdt/sequence.hpp ----

// netsync: what List and Text share: elements under dots, each at a position of its own in one total order. Insertions and
// erasures come in and deltas go out; deltas and states are merged, written and read.

namespace netsync::detail {

/// The sequence of Fugue (Weidner, Kleppmann 2023) without tombstones: an element is its position, its dot and its value,
/// and nothing is kept but what is alive. A delta brings the whole position of what it inserts, so that replicas which
/// have forgotten different neighbours still order it alike; of what it erases it brings positions, to be found by.
/// `Content` holds the values of a few runs side by side. insert, erase, find: O(log runs), by position times O(log depth).
template <class Content>
class Sequence {
   public:
    using Walk = typename Rope<Content>::Walk;
    struct Place {
        BunchRef bunch;
        std::int32_t offset = 0;
    };

    std::size_t size() const noexcept { return rope_.size(); }
    bool is_bottom() const noexcept { return rope_.empty() && erased_.empty(); }
    Walk walk(std::size_t index = 0) const { return rope_.walk(index); }

    /// A delta that inserts `count` values of `source`.
    template <class Source>
    Sequence insert(Change& change, std::size_t index, std::size_t count, Source source) const {
        const Dot first = change.mint();
        for (std::size_t more = 1; more < count; ++more) static_cast<void>(change.mint());
        const auto near = rope_.neighbours(index);
        const Place place = place_between(near.before, near.after, change, count, first);
        Sequence delta;
        delta.near_ = index;
        delta.append({place.bunch.get(), first, place.offset, static_cast<std::uint32_t>(count)}, source);
        return delta;
    }

    /// Calls `f(run)` for the runs of `count` elements from `index` on, cut to size.
    template <class F>
    void for_each_in(std::size_t index, std::size_t count, F&& f) const {
        for (Walk walk = this->walk(index); walk && count > 0; walk.next()) {
            const Run run = walk.run();
            const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(run.length, count));
            f(run.part(0, length));
            count -= length;
        }
    }
    /// For a delta: calls `f(index, run)` for what it inserts and `now` holds, by where that is there. O(elements log runs).
    template <class F>
    void for_each_inserted(const Sequence& now, F&& f) const {
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            for (std::uint32_t from = 0, to = 0; from < run.length && !run.moved; from = to) {
                const auto first = now.rope_.find(run.element(from));
                to = from + 1;
                if (!first.here) continue;
                for (; to < run.length; ++to)
                    if (const auto next = now.rope_.find(run.element(to));
                        !next.here || next.index != first.index + to - from)
                        break;
                f(first.index, run.part(from, to - from));
            }
        }
    }
    /// For a delta: calls `f(index, count)` for each stretch that it erases, by where that was, as of `now`.
    template <class F>
    void for_each_erased(const Sequence& now, F&& f) const {
        for (const Erased& range : erased_) f(now.index_of({range.bunch.get(), range.offset}), range.length);
    }
    /// Calls `f(index, at)` for each element of `before` that is not here, and that `delta` erases or the scope is whole: where
    /// it would be here, and where it was there.
    template <class F>
    void for_each_missing(const Sequence& before, const Sequence& delta, Scope scope, F&& f) const {
        const auto look_at = [&](const Run& run, std::size_t at) {
            for (std::uint32_t i = 0; i < run.length; ++i)
                if (const auto found = rope_.find(run.element(i)); !found.here) f(found.index, at + i);
        };
        if (scope == Scope::whole) {
            std::size_t at = 0;
            for (Walk walk = before.walk(); walk; at += walk.run().length, walk.next())
                if (!walk.run().moved) look_at(walk.run(), at);
            return;
        }
        for (const Erased& range : delta.erased_) {
            const std::int64_t end = std::int64_t{range.offset} + range.length;
            std::size_t at = before.index_of({range.bunch.get(), range.offset});
            for (Walk walk = before.walk(at); walk; at += walk.run().length, walk.next()) {
                const Run run = walk.run();
                const auto slot = slot_within(range.bunch.get(), run.element().position);
                if (!slot || *slot >= slot_of(static_cast<std::int32_t>(end - 1)) + 1) break;
                if (!same_bunch(run.bunch, range.bunch.get()) || run.moved) continue;
                look_at(run.part(0, static_cast<std::uint32_t>(std::min<std::int64_t>(run.length, end - run.offset))),
                        at);
            }
        }
    }

    /// Calls `f(slice)` for their values.
    template <class F>
    void for_each_value_in(std::size_t index, std::size_t count, F&& f) const {
        count = std::min(count, size() - std::min(index, size()));
        for (Walk walk = this->walk(index); walk && count > 0; walk.next_leaf()) {
            const std::size_t length = std::min(walk.content().size() - walk.at(), count);
            f(walk.content().slice(walk.at(), length));
            count -= length;
        }
    }

    // What deltas are made of.

    typename Rope<Content>::Neighbours neighbours(std::size_t index) const { return rope_.neighbours(index); }

    /// A place between two elements that are neighbours; either may be none. One's own bunch is continued where its next
    /// positions are free there, be it that of a neighbour or one that a neighbour hangs in: writers who take turns at
    /// the end of a list then need two bunches, not one a turn. Otherwise a new one is begun, named `first`, as in Fugue.
    static Place place_between(const Element& before, const Element& after, const Change& change, std::size_t count,
                               Dot first) {
        const ReplicaId& self = id_of(change.replica());
        const auto length = static_cast<std::int64_t>(count);
        // Of the dot, so that no position is used twice: what was erased there may have others' elements beside it.
        const auto age = [&](const Bunch* bunch) {
            return static_cast<std::int64_t>(first.counter()) - static_cast<std::int64_t>(bunch->name.counter);
        };
        if (before) {
            std::int64_t slot = slot_of(before.position.offset);
            for (const Bunch* bunch = before.position.bunch; bunch; slot = bunch->slot(), bunch = bunch->parent) {
                const auto limit = after ? slot_within(bunch, after.position) : std::nullopt;
                const std::int64_t from = std::max(offset_after(slot), age(bunch)), to = from + length - 1;
                if (bunch->name.replica == self && to <= (limit ? offset_before(*limit) : max_offset))
                    return {BunchRef{bunch}, static_cast<std::int32_t>(from)};
                if (limit) break;
            }
        }
        if (after) {
            std::int64_t slot = slot_of(after.position.offset);
            for (const Bunch* bunch = after.position.bunch; bunch; slot = bunch->slot(), bunch = bunch->parent) {
                const auto limit = before ? slot_within(bunch, before.position) : std::nullopt;
                const std::int64_t from = std::min(offset_before(slot), -age(bunch)) - length + 1;
                if (bunch->name.replica == self && from >= (limit ? offset_after(*limit) : -max_offset))
                    return {BunchRef{bunch}, static_cast<std::int32_t>(from)};
                if (limit) break;
            }
        }
        if (!before && !after) return {BunchRef::make({}, 0, Side::right, Name::of(first)), 0};
        const Side side = !before || is_right_of(after, before) ? Side::left : Side::right;
        const Position at = side == Side::left ? after.position : before.position;
        return {BunchRef::make(BunchRef{at.bunch}, at.offset, side, Name::of(first)), 0};
    }

    /// For a delta: elements at the end, with values from `source`.
    template <class Source>
    void append(Run run, Source& source) {
        while (run.length > 0) {
            const std::uint32_t length = std::min(run.length, Content::chunk);
            rope_.insert(size(), run.part(0, length), source.take(length), 0);
            run = run.part(length, run.length - length);
        }
    }
    /// For a delta: what it erases.
    void erase(Change& change, const Run& run) {
        for (std::uint32_t at = 0; at < run.length; ++at) change.remove(run.dot_at(at));
        mention(run);
    }
    void mention(const Run& run) {
        if (!erased_.empty()) {  // typed away backwards, or on
            Erased& last = erased_.back();
            const auto end = std::int64_t{last.offset} + last.length;
            if (last.bunch.get() == run.bunch &&
                (run.offset == end || run.offset + std::int64_t{run.length} == last.offset)) {
                last.offset = std::min(last.offset, run.offset);
                last.length += run.length;
                return;
            }
        }
        erased_.push_back({BunchRef{run.bunch}, run.offset, run.length});
    }
    /// For a delta: where in the state it was made.
    void made_at(std::size_t index) noexcept { near_ = index; }

    // Elements that a List moves: kept by it, and shown here.

    void show(const Place& place, Dot dot, const Content& value) {
        add({place.bunch.get(), dot, place.offset, 1, true}, value, 0);
    }
    void hide(const Place& place, Dot dot) {
        const auto found = rope_.find({{place.bunch.get(), place.offset}, dot}, near_);
        if (found.here) erase_at(found.index, 1);
    }

    /// How many elements lie before a position.
    std::size_t index_of(Position position) const noexcept { return rope_.find({position, Dot{}}).index; }

    bool merge(const Sequence& theirs, const Join& join) {
        bool changed = false;
        if (theirs.near_ <= size()) near_ = theirs.near_;
        if (join.scope == Scope::whole) changed |= remove_unmentioned(theirs, join);
        for (const Erased& range : theirs.erased_) {
            bool all = false;
            if (join.scope != Scope::whole) changed |= remove(range, theirs, join, all);
            if (join.target == Target::delta && !all) mention({range.bunch.get(), Dot{}, range.offset, range.length});
        }
        for (Walk walk = theirs.walk(); walk; walk.next()) {
            const Run run = walk.run();
            if (run.moved) continue;
            for (std::uint32_t from = 0, to = 0; from < run.length; from = to) {
                const bool seen = join.mine.contains(run.dot_at(from));
                for (to = from + 1; to < run.length && join.mine.contains(run.dot_at(to)) == seen; ++to) {
                }
                if (!seen) changed |= add(run.part(from, to - from), walk.content(), walk.at() + from, &theirs, &join);
            }
        }
        return changed;
    }

    template <class F>
    void for_each_dot(F&& visit) const {
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            for (std::uint32_t at = 0; at < run.length && !run.moved; ++at) visit(run.dot_at(at));
        }
    }

    friend bool operator==(const Sequence& a, const Sequence& b) {
        if (a.size() != b.size()) return false;
        if (a.rope_.is_same(b.rope_)) return true;
        std::size_t index = 0;
        for (Walk x = a.walk(), y = b.walk(); x && y;) {
            const Run left = x.run(), right = y.run();
            const std::uint32_t length = std::min(left.length, right.length);
            if (!same_bunch(left.bunch, right.bunch) || left.offset != right.offset || left.dot != right.dot ||
                left.moved != right.moved || !Content::equal(x.content(), x.at(), y.content(), y.at(), length))
                return false;
            index += length;
            left.length == length ? x.next() : void(x = a.walk(index));
            right.length == length ? y.next() : void(y = b.walk(index));
        }
        return true;
    }

    template <class Archive>
    void save(Archive& out) const {
        std::size_t runs = 0, elements = 0;
        for_each_run([&](const Run& run) { ++runs, elements += run.length; });
        out.count(runs * 2 + (erased_.empty() ? 0 : 1));
        out.charge(runs * run_cost);
        RunWriter writer{out};
        for_each_run([&](const Run& run) { writer.write(run); });
        if (runs > 0) Content::save(out, walk());
        if (erased_.empty()) return;
        if (erased_.size() > 1) return save_erased(out, sorted_erased());
        save_erased(out, erased_);
    }

    template <class Archive>
    void load(Archive& in) {
        const std::size_t head = in.count(0, 2);
        in.charge(head / 2 * run_cost);
        std::vector<std::pair<BunchRef, Run>> runs;
        if (in.ok()) runs.reserve(head / 2);
        RunReader reader{in};
        std::uint64_t total = 0;
        for (std::size_t left = head / 2; left > 0 && in.ok(); --left) {
            const Run run = reader.read();
            runs.emplace_back(reader.bunch(), run);
            total += run.length;
        }
        if (!in.ok()) return;
        if (head / 2 > 0) {
            auto source = Content::load(in, total);
            if (!in.ok()) return;
            for (const auto& [bunch, run] : runs) append(run, source);
        }
        if (head % 2 == 1) load_erased(in);
    }

   private:
    struct Erased {
        BunchRef bunch;
        std::int32_t offset = 0;
        std::uint32_t length = 0;
    };
    static constexpr std::size_t run_cost = 2 * sizeof(Run) + sizeof(void*);

    static bool is_right_of(const Element& after, const Element& before) noexcept {
        const auto slot = slot_within(before.position.bunch, after.position);
        return slot && (before.position.offset >= 0 || *slot == slot_of(before.position.offset) + 1);
    }

    // Merging.

    /// The bunch in this sequence's own memory, as far as it is there: in a neighbour's ways up, if anywhere.
    static BunchRef adopt(const Bunch* theirs, const typename Rope<Content>::Neighbours& near) {
        const Bunch* before = meet(near.before.position.bunch, theirs).bunch;
        const Bunch* after = meet(near.after.position.bunch, theirs).bunch;
        const Bunch* mine = depth_of(before) < depth_of(after) ? after : before;
        if (depth_of(mine) == depth_of(theirs)) return BunchRef{mine};
        if (ancestor_at(theirs, depth_of(mine)) == mine) return BunchRef{theirs};
        BunchRef made{mine};
        for_each_below(depth_of(mine), theirs, [&](const Bunch* link) {
            made = BunchRef::make(std::move(made), link->offset, link->side, link->name);
        });
        return made;
    }

    /// Inserts what is not there. In parts, where other elements lie between. What has the same positions, and is removed by
    /// `theirs`, goes: the first form of a change that was issued again.
    bool add(Run run, const Content& from, std::size_t first, const Sequence* theirs = nullptr,
             const Join* join = nullptr) {
        bool changed = false;
        while (run.length > 0) {
            const auto found = rope_.find(run.element(), near_);
            std::uint32_t length = 1;
            if (bool all = false; theirs && (is_at(found.near.before, run) || is_at(found.near.after, run)) &&
                                  remove({BunchRef{run.bunch}, run.offset, run.length}, *theirs, *join, all)) {
                changed = true;
                continue;
            }
            if (!found.here) {
                if (run.length > 1 && found.near.after)
                    length = std::max(run.count_before(found.near.after), 1u);
                else
                    length = run.length;
                Run part = run.part(0, length);
                BunchRef made;
                if (const Bunch* before = found.near.before.position.bunch; same_bunch(before, run.bunch)) {
                    part.bunch = before;
                } else if (const Bunch* after = found.near.after.position.bunch; same_bunch(after, run.bunch)) {
                    part.bunch = after;
                } else {
                    made = adopt(run.bunch, found.near);
                    part.bunch = made.get();
                }
                rope_.insert(found.index, part, from, first);
                near_ = found.index + length;
                changed = true;
            }
            run = run.part(length, run.length - length);
            first += length;
        }
        return changed;
    }

    static bool is_at(const Element& element, const Run& run) noexcept {
        return element && element.position.offset == run.offset && same_bunch(element.position.bunch, run.bunch);
    }

    void erase_at(std::size_t index, std::size_t count) {
        rope_.erase(index, count);
        near_ = index;
    }

    /// Removes what `theirs` has seen and does not hold, at the positions of `range`. `all`: it was all here.
    bool remove(const Erased& range, const Sequence& theirs, const Join& join, bool& all) {
        const std::int64_t end = std::int64_t{range.offset} + range.length;
        std::int64_t removed = 0, offset = range.offset;
        const auto find = [&] {
            return rope_.find({{range.bunch.get(), static_cast<std::int32_t>(offset)}, Dot{}}, near_).index;
        };
        for (std::size_t index = find(); index < size();) {
            const Run run = walk(index).run();
            const auto slot = slot_within(range.bunch.get(), run.element().position);
            if (!slot) break;
            if (!same_bunch(run.bunch, range.bunch.get())) {  // what hangs between two elements of the bunch
                offset = offset_after(*slot);
                if (offset >= end) break;
                index = find();
                continue;
            }
            if (run.offset >= end) break;
            const auto length = static_cast<std::uint32_t>(std::min<std::int64_t>(run.length, end - run.offset));
            for (std::uint32_t from = 0, to = 0; from < length; from = to) {
                const bool goes = is_removed(run.part(from, 1), theirs, join);
                for (to = from + 1; to < length && is_removed(run.part(to, 1), theirs, join) == goes; ++to) {
                }
                if (goes) {
                    erase_at(index, to - from);
                    removed += to - from;
                } else {
                    index += to - from;
                }
            }
            offset = std::int64_t{run.offset} + length;
        }
        all = removed >= range.length;
        return removed > 0;
    }

    static bool is_removed(const Run& run, const Sequence& theirs, const Join& join) {
        return !run.moved && join.theirs.contains(run.dot) &&
               (theirs.rope_.empty() || !theirs.rope_.find(run.element()).here);
    }

    /// Of a whole state: what it has seen and does not hold. O(size).
    bool remove_unmentioned(const Sequence& theirs, const Join& join) {
        std::vector<DotRange> alive;
        for (Walk walk = theirs.walk(); walk; walk.next())
            if (const Run run = walk.run(); !run.moved)
                alive.push_back({run.dot.replica(), run.dot.counter(), run.dot.counter() + run.length - 1});
        const auto precedes = [](const DotRange& a, const DotRange& b) {
            return a.replica != b.replica ? a.replica < b.replica : a.last < b.last;
        };
        std::sort(alive.begin(), alive.end(), precedes);
        const auto goes = [&](Dot dot) {
            if (!join.theirs.contains(dot)) return false;
            const auto at = std::lower_bound(alive.begin(), alive.end(),
                                             DotRange{dot.replica(), dot.counter(), dot.counter()}, precedes);
            return at == alive.end() || !at->contains(dot);
        };
        std::vector<std::pair<std::size_t, std::size_t>> gone;  // index, count
        std::size_t index = 0;
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            for (std::uint32_t at = 0; at < run.length; ++at, ++index) {
                if (run.moved || !goes(run.dot_at(at))) continue;
                if (!gone.empty() && gone.back().first + gone.back().second == index)
                    ++gone.back().second;
                else
                    gone.emplace_back(index, 1);
            }
        }
        for (auto range = gone.rbegin(); range != gone.rend(); ++range) erase_at(range->first, range->second);
        return !gone.empty();
    }

    // Encoding.

    /// Calls `f(run)` for all that is kept here, in the fewest runs.
    template <class F>
    void for_each_run(F&& f) const {
        Run held;
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            if (run.moved) continue;
            if (held.length > 0 && held.continues(run)) {
                held.length += run.length;
                continue;
            }
            if (held.length > 0) f(std::as_const(held));
            held = run;
        }
        if (held.length > 0) f(std::as_const(held));
    }

    /// Each position once: the fewest ranges, by their first positions.
    std::vector<Erased> sorted_erased() const {
        std::vector<Erased> sorted = erased_, result;
        std::sort(sorted.begin(), sorted.end(), [&](const Erased& a, const Erased& b) {
            return a.bunch->key != b.bunch->key ? a.bunch->key < b.bunch->key : a.offset < b.offset;
        });
        for (Erased& range : sorted) {
            const auto end = std::int64_t{range.offset} + range.length;
            if (!result.empty() && same_bunch(result.back().bunch.get(), range.bunch.get()) &&
                range.offset <= std::int64_t{result.back().offset} + result.back().length)
                result.back().length = static_cast<std::uint32_t>(
                    std::max(end - result.back().offset, std::int64_t{result.back().length}));
            else
                result.push_back(std::move(range));
        }
        std::sort(result.begin(), result.end(), [](const Erased& a, const Erased& b) {
            return compare(Position{a.bunch.get(), a.offset}, Position{b.bunch.get(), b.offset}) < 0;
        });
        return result;
    }

    template <class Archive>
    static void save_erased(Archive& out, const std::vector<Erased>& sorted) {
        out.count(sorted.size(), sizeof(Erased));
        TrailWriter again{out};
        for (const Erased& range : sorted) {
            again.write(range.bunch.get(), range.offset, 1);
            out.varint(range.length - 1);
        }
    }

    template <class Archive>
    void load_erased(Archive& in) {
        const std::size_t count = in.count(sizeof(Erased));
        if (count == 0) return in.fail(errc::malformed);
        TrailReader trail{in};
        std::vector<std::int64_t> ends;  // of the last range in the bunch of each depth, on the way to this one
        for (std::size_t left = count; left > 0 && in.ok(); --left) {
            const std::uint32_t down = trail.read([] { return false; });
            const std::uint64_t length = in.varint() + 1;
            if (!in.ok() || length > static_cast<std::uint64_t>(max_offset) * 2) return in.fail(errc::malformed);
            const std::uint32_t depth = depth_of(trail.bunch().get());
            ends.resize(depth - down + 1, -max_offset - 1);
            ends.resize(depth + 1, -max_offset - 1);
            if (trail.offset() <= ends[depth] && down == 0) return in.fail(errc::malformed);
            ends[depth] = trail.offset() + static_cast<std::int64_t>(length);
            if (ends[depth] > max_offset + 1) return in.fail(errc::malformed);
            trail.finish(1);
            erased_.push_back({trail.bunch(), trail.offset(), static_cast<std::uint32_t>(length)});
        }
    }

    Rope<Content> rope_;
    std::vector<Erased> erased_;                       // in deltas only
    std::size_t near_ = static_cast<std::size_t>(-1);  // where the next change may be; of a delta: where it was made
};

}  // namespace netsync::detail

// ---- netsync/crdt/list.hpp ----

// netsync: a list that several replicas edit at once, and whose elements can be moved.

namespace netsync {

namespace detail {

/// Some tens of values.
template <class T>
class ListContent {
   public:
    struct Item {
        T value{};
    };
    static constexpr std::size_t limit = std::clamp<std::size_t>(1024 / sizeof(Item), 32, 256);
    static constexpr std::uint32_t chunk = limit / 4;

    std::size_t size() const noexcept { return items_.size(); }
    bool is_small() const noexcept { return items_.size() <= limit / 3; }
    bool is_full(const ListContent&, std::size_t, std::size_t count) const noexcept { return size() + count > limit; }
    std::span<const Item> slice(std::size_t first, std::size_t count) const noexcept {
        return std::span{items_}.subspan(first, count);
    }
    void insert(std::size_t at, const ListContent& from, std::size_t first, std::size_t count) {
        const std::span<const Item> more = from.slice(first, count);
        items_.insert(position(at), more.begin(), more.end());
    }
    void erase(std::size_t at, std::size_t count) { items_.erase(position(at), position(at + count)); }
    /// What comes from `at` on, taken out of it.
    ListContent split(std::size_t at) {
        ListContent right;
        right.items_.assign(std::move_iterator{position(at)}, std::move_iterator{items_.end()});
        items_.erase(position(at), items_.end());
        return right;
    }
    static bool equal(const ListContent& a, std::size_t at, const ListContent& b, std::size_t from, std::size_t count) {
        const std::span<const Item> left = a.slice(at, count), right = b.slice(from, count);
        return std::equal(left.begin(), left.end(), right.begin(),
                          [](const Item& x, const Item& y) { return equal_values(x.value, y.value); });
    }

    /// Values, given out in parts.
    class Source {
       public:
        explicit Source(std::vector<Item> items) : items_(std::move(items)) {}
        ListContent take(std::size_t count) {
            ListContent part;
            const auto from = items_.begin() + static_cast<std::ptrdiff_t>(std::exchange(at_, at_ + count));
            part.items_.assign(std::move_iterator{from}, std::move_iterator{from + static_cast<std::ptrdiff_t>(count)});
            return part;
        }

       private:
        std::vector<Item> items_;
        std::size_t at_ = 0;
    };

    template <class Archive, class Walk>
    static void save(Archive& out, Walk walk) {
        for (; walk; walk.next()) {
            const Run run = walk.run();
            if (run.moved) continue;
            out.charge(run.length * sizeof(Item));
            for (const Item& item : walk.content().slice(walk.at(), run.length)) out(item.value);
        }
    }
    template <class Archive>
    static Source load(Archive& in, std::uint64_t count) {
        std::vector<Item> items;
        if (count > in.remaining()) in.fail(errc::malformed);
        if (in.ok()) in.charge(static_cast<std::size_t>(count) * sizeof(Item));
        if (in.ok()) items.reserve(static_cast<std::size_t>(count));
        for (std::uint64_t at = 0; at < count && in.ok(); ++at) {
            Item item;
            in(item.value);
            items.push_back(std::move(item));
        }
        return Source{std::move(items)};
    }

   private:
    auto position(std::size_t at) { return items_.begin() + static_cast<std::ptrdiff_t>(at); }

    std::vector<Item> items_;
};

/// Where an element was moved to, and what it is.
template <class T>
struct Placed {
    BunchRef bunch{};
    std::int32_t offset = 0;
    T value{};

    template <class Archive>
    void save(Archive& out) const {
        TrailWriter trail{out};
        trail.write(bunch.get(), offset, 1);
        out(value);
    }
    template <class Archive>
    void load(Archive& in) {
        TrailReader trail{in};
        trail.read([] { return false; });
        if (!in.ok()) return;
        bunch = trail.bunch();
        offset = trail.offset();
        in(value);
    }
    friend bool operator==(const Placed& a, const Placed& b) {
        return same_bunch(a.bunch.get(), b.bunch.get()) && a.offset == b.offset && equal_values(a.value, b.value);
    }
};

}  // namespace detail

/// Values in an order of the user's making. What several replicas insert at one place at once stays together, one run
/// after the other, made forward or backward (Fugue; Weidner, Kleppmann 2023). An erasure takes the elements that it had
/// seen; nothing is kept of them. An element that is moved stays one element: of concurrent moves the later wins, as in an
/// LwwRegister, and a move wins over an erasure that had not seen it (Kleppmann 2020). An index beyond the end is the end.
/// insert, erase, move, []: O(log size); a copy: O(1). Iterates in order. `T` is a value that can be encoded.
template <class T>
class List {
   public:
    class Iterator;

    /// A delta that inserts `value` before the element at `index`.
    [[nodiscard]] List insert(Change& change, std::size_t index, T value) const {
        return insert_items(change, index, one(std::move(value)));
    }
    /// A delta that inserts the values of a range, as one run.
    template <std::input_iterator First>
    [[nodiscard]] List insert(Change& change, std::size_t index, First first, First last) const {
        std::vector<Item> items;
        for (; first != last; ++first) items.push_back({*first});
        return insert_items(change, index, std::move(items));
    }
    [[nodiscard]] List push_back(Change& change, T value) const { return insert(change, size(), std::move(value)); }

    /// A delta that erases `count` elements from `index` on, or as many as there are.
    [[nodiscard]] List erase(Change& change, std::size_t index, std::size_t count = 1) const {
        List delta;
        delta.items_.made_at(index);
        items_.for_each_in(index, count, [&](const detail::Run& run) {
            if (!run.moved) return delta.items_.erase(change, run);
            const detail::Name& name = *names_.find(key(run.dot));
            change.remove_all(*moved_.find(name));
            delta.moved_.empty_key(name);
        });
        return delta;
    }
    /// A delta that erases all that is seen here.
    [[nodiscard]] List clear(Change& change) const { return erase(change, 0, size()); }

    /// A delta that moves the element at `from` so that it is the one at `to`.
    [[nodiscard]] List move(Change& change, std::size_t from, std::size_t to) const {
        List delta;
        if (from >= size()) return delta;
        to = std::min(to, size() - 1);
        if (from == to) return delta;
        const detail::Run run = items_.walk(from).run().part(0, 1);
        const auto near = items_.neighbours(to > from ? to + 1 : to);
        const Dot next{change.replica(), change.minted().last + 1};
        auto place = Items::place_between(near.before, near.after, change, 1, next);
        detail::Placed<T> placed{std::move(place.bunch), place.offset, (*this)[from]};
        delta.items_.made_at(from);
        if (!run.moved) delta.items_.erase(change, run);
        const detail::Name name = run.moved ? *names_.find(key(run.dot)) : detail::Name::of(run.dot);
        const Moves* held = moved_.find(name);
        delta.moved_[name] = (held ? *held : Moves{}).assign(change, std::move(placed));
        return delta;
    }

    std::size_t size() const noexcept { return items_.size(); }
    bool empty() const noexcept { return size() == 0; }
    /// The element at `index`, which is less than size(). Good until the list changes.
    const T& operator[](std::size_t index) const {
        const auto walk = items_.walk(index);
        return walk.content().slice(walk.at(), 1)[0].value;
    }
    Iterator begin() const { return Iterator{items_.walk()}; }
    Iterator end() const { return Iterator{items_.walk(size())}; }
    /// Calls `f(element)` for each, in order.
    template <class F>
    void for_each(F&& f) const {
        for (const T& value : *this) f(value);
    }

    /// A place that stays where it is while others edit: the gap before the element at `index`. It moves with it.
    Anchor anchor(std::size_t index) const {
        if (index >= size()) return {};
        const detail::Run run = items_.walk(index).run();
        return {run.element().position, run.moved ? *names_.find(key(run.dot)) : detail::Name::of(run.dot)};
    }
    /// The index of an anchor here.
    std::size_t index_of(const Anchor& anchor) const {
        if (anchor.is_end()) return size();
        const Moves* moves = moved_.find(anchor.element());
        const auto* move = moves ? moves->latest() : nullptr;
        if (!move) return items_.index_of(anchor.position());
        return items_.index_of({move->value.value.bunch.get(), move->value.value.offset});
    }

    /// For a delta: calls `f(index)` for each element that it inserted and `now` still holds, by where that is there.
    template <class F>
    void for_each_inserted(const List& now, F&& f) const {
        items_.for_each_inserted(now.items_, [&](std::size_t index, const detail::Run& run) {
            for (std::size_t at = 0; at < run.length; ++at) f(index + at);
        });
    }
    /// For a delta: calls `f(index)` for each element that it moved and `now` still holds, by where that is there.
    template <class F>
    void for_each_moved(const List& now, F&& f) const {
        for (const auto& [name, moves] : moved_)
            if (const Moves* held = now.moved_.find(name)) {
                const auto* move = held->latest();
                f(now.items_.index_of({move->value.value.bunch.get(), move->value.value.offset}));
            }
    }
    /// For a delta: how many elements it erased. Fewer are told where it also moved some that had been moved before.
    std::size_t erased() const {
        std::size_t count = 0, moves = 0;
        items_.for_each_erased(items_, [&](std::size_t, std::size_t more) { count += more; });
        moved_.for_each_mentioned([&](const detail::Name& name) { ++(moved_.find(name) ? moves : count); });
        return count - std::min(count, moves);
    }

    bool merge(const List& theirs, const Join& join) {
        const bool changed = items_.merge(theirs.items_, join);
        if (theirs.moved_.is_bottom() && (join.scope == Scope::mentioned || moved_.empty())) return changed;
        std::vector<detail::Name> names;
        theirs.moved_.for_each_mentioned([&](const detail::Name& name) { names.push_back(name); });
        if (join.scope == Scope::whole)
            for (const auto& [name, moves] : moved_) names.push_back(name);
        for (const detail::Name& name : names) hide(name);
        const bool moved = moved_.merge(theirs.moved_, join);
        for (const detail::Name& name : names) show(name);
        return changed || moved;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        items_.for_each_dot(visit);
        moved_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return items_.is_bottom() && moved_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        items_.save(out);
        moved_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        items_.load(in);
        moved_.load(in);
        if (!in.ok()) return;
        for (const auto& [name, moves] : moved_) show(name);
    }

    friend bool operator==(const List& a, const List& b) { return a.items_ == b.items_ && a.moved_ == b.moved_; }

    /// Goes through the elements in order. Good until the list changes.
    class Iterator {
       public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using reference = const T&;
        using pointer = const T*;

        explicit Iterator(typename detail::Sequence<detail::ListContent<T>>::Walk walk) : walk_(walk) { see(); }
        const T& operator*() const noexcept { return items_[at_].value; }
        const T* operator->() const noexcept { return &items_[at_].value; }
        Iterator& operator++() {
            if (++at_ < items_.size()) return *this;
            walk_.next_leaf();
            see();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& a, const Iterator& b) noexcept {
            return a.items_.data() == b.items_.data() && a.at_ == b.at_;
        }

       private:
        void see() {
            at_ = 0;
            items_ = {};
            if (walk_) items_ = walk_.content().slice(walk_.at(), walk_.content().size() - walk_.at());
        }

        typename detail::Sequence<detail::ListContent<T>>::Walk walk_;
        std::span<const typename detail::ListContent<T>::Item> items_;
        std::size_t at_ = 0;
    };

   private:
    using Content = detail::ListContent<T>;
    using Items = detail::Sequence<Content>;
    using Item = typename Content::Item;
    using Moves = detail::LastWriter<detail::Placed<T>>;

    static std::vector<Item> one(T&& value) {
        std::vector<Item> items;
        items.push_back({std::move(value)});
        return items;
    }
    static std::uint64_t key(Dot dot) noexcept {
        return (static_cast<std::uint64_t>(dot.replica()) << 44) | dot.counter();
    }

    List insert_items(Change& change, std::size_t index, std::vector<Item> items) const {
        List delta;
        const std::size_t count = items.size();
        if (count > 0)
            delta.items_ =
                items_.insert(change, std::min(index, size()), count, typename Content::Source{std::move(items)});
        return delta;
    }

    void hide(const detail::Name& name) {
        const Moves* moves = moved_.find(name);
        if (!moves) return;
        const auto* move = moves->latest();
        items_.hide({move->value.value.bunch, move->value.value.offset}, move->dot);
        names_.erase(key(move->dot));
    }
    void show(const detail::Name& name) {
        const Moves* moves = std::as_const(moved_).find(name);
        if (!moves) return;
        const auto* move = moves->latest();
        typename Content::Source value{one(T(move->value.value.value))};
        items_.show({move->value.value.bunch, move->value.value.offset}, move->dot, value.take(1));
        *names_.try_emplace(key(move->dot)).first = name;
    }

    Items items_;                        // in their order; those that were moved are only shown in it
    DotMap<detail::Name, Moves> moved_;  // by the name of the element
    detail::SortedMap<std::uint64_t, detail::Name> names_;  // of the elements that moved_ shows, by dot
};

}  // namespace netsync

// ---- netsync/crdt/lww_choice.hpp ----

// netsync: one of several CRDTs; the last writer decides which.

namespace netsync {

/// The step of a path into alternative `Index` of an LwwChoice: `update(&Note::body, alternative<1>, add("x"))`.
template <std::size_t Index>
struct Alternative {};
template <std::size_t Index>
inline constexpr Alternative<Index> alternative{};

/// A std::variant of CRDTs, or none of them. Of concurrent choices the later one counts (as in LwwRegister); an update
/// within the chosen alternative is no choice, and never wins over one. A choice takes away what its maker had seen in all
/// alternatives, so that what it chooses starts empty; what was written into an alternative meanwhile stays, and is read
/// once that is chosen (reset-remove, as in OrMap). A loser's content is kept unread until somebody who has seen it
/// chooses. Inside a removable parent: where the choice was removed but something was written meanwhile, the first
/// alternative that holds anything is the one read.
/// Each costs O(alternatives) beside the alternative's own.
template <causal... T>
class LwwChoice {
    static_assert(sizeof...(T) > 0 && sizeof...(T) < 255, "netsync: an LwwChoice has 1 to 254 alternatives");

   public:
    static constexpr std::size_t none = sizeof...(T);
    template <std::size_t Index>
    using Type = std::tuple_element_t<Index, std::tuple<T...>>;

    /// A delta that chooses alternative `index`, empty; `none` for none of them.
    [[nodiscard]] LwwChoice choose(Change& change, std::size_t index) const {
        assert(index <= none);
        LwwChoice delta;
        for_each_alternative([&](const auto& content) { change.remove_all(content); });
        delta.choice_ = choice_.assign(change, static_cast<std::uint8_t>(index));
        return delta;
    }
    template <std::size_t Index>
    [[nodiscard]] LwwChoice choose(Change& change, Alternative<Index>) const {
        static_assert(Index < none, "netsync: this LwwChoice has no such alternative");
        return choose(change, Index);
    }
    /// A delta that chooses none.
    [[nodiscard]] LwwChoice clear(Change& change) const { return choose(change, none); }

    /// A delta that changes alternative `Index`: `f(const Type<Index>&, Change&)` returns its delta. Where it is not the
    /// one chosen, it is chosen first.
    template <std::size_t Index, class F>
    [[nodiscard]] LwwChoice update(Change& change, Alternative<Index>, F&& f) const {
        static_assert(Index < none, "netsync: this LwwChoice has no such alternative");
        LwwChoice delta;
        static const Type<Index> empty{};
        const bool chosen = index() == Index;
        if (!chosen)
            delta = choose(change, Index);
        else if (!has_choice())
            delta.choice_ = choice_.assign(change, static_cast<std::uint8_t>(Index));
        std::get<Index>(delta.contents_) = f(chosen ? std::get<Index>(contents_) : empty, change);
        return delta;
    }

    /// Which alternative is chosen, or `none`.
    std::size_t index() const {
        if (const auto* latest = choice_.latest()) return latest->value.value;
        std::size_t first = none, at = 0;
        for_each_alternative([&](const auto& content) {
            if (first == none && !netsync::is_bottom(content)) first = at;
            ++at;
        });
        return first;
    }
    bool has_value() const { return index() != none; }

    /// The content of alternative `Index`, or null where another is chosen.
    template <std::size_t Index>
    const Type<Index>* find(Alternative<Index>) const {
        return index() == Index ? &std::get<Index>(contents_) : nullptr;
    }
    /// For a delta: whether it says anything about alternative `Index`.
    template <std::size_t Index>
    bool mentions(Alternative<Index>) const {
        return has_choice() || !netsync::is_bottom(std::get<Index>(contents_));
    }
    /// For a delta: whether it chooses.
    bool has_choice() const { return !choice_.is_bottom(); }

    /// Calls `f(content)` with the alternative that is chosen, if one is.
    template <class F>
    void visit(F&& f) const {
        std::size_t at = 0;
        const std::size_t chosen = index();
        for_each_alternative([&](const auto& content) {
            if (at++ == chosen) f(content);
        });
    }

    bool merge(const LwwChoice& theirs, const Join& join) {
        bool changed = choice_.merge(theirs.choice_, join);
        const Join inner = theirs.has_choice() ? join.whole() : join;  // a choice speaks of all that was there
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((changed |= netsync::merge(std::get<I>(contents_), std::get<I>(theirs.contents_), inner)), ...);
        }(std::index_sequence_for<T...>{});
        return changed;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        choice_.for_each_dot(visit);
        for_each_alternative([&](const auto& content) { netsync::for_each_dot(content, visit); });
    }
    bool is_bottom() const {
        bool bottom = choice_.is_bottom();
        for_each_alternative([&](const auto& content) { bottom = bottom && netsync::is_bottom(content); });
        return bottom;
    }
    bool permits(OwnerId owner) const {
        bool all = true;
        for_each_alternative([&](const auto& content) { all = all && netsync::permits(content, owner); });
        return all;
    }
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        std::apply([&](auto&... content) { (netsync::reissue(content, keep), ...); }, contents_);
    }
    /// Choices that have lost go; the contents lie below a parent that removes, and forget nothing.
    bool drop_stable(const VersionVector& stable) {
        return choice_.drop_stable(stable, [](const auto&) { return false; });
    }
    template <class Archive>
    void save(Archive& out) const {
        choice_.save(out);
        for_each_alternative([&](const auto& content) { out(content); });
    }
    template <class Archive>
    void load(Archive& in) {
        choice_.load(in);
        if (!are_choices()) return in.fail(errc::malformed);
        std::apply([&](auto&... content) { (in(content), ...); }, contents_);
    }

    friend bool operator==(const LwwChoice& a, const LwwChoice& b) {
        bool same = a.choice_ == b.choice_;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((same = same && netsync::equal(std::get<I>(a.contents_), std::get<I>(b.contents_))), ...);
        }(std::index_sequence_for<T...>{});
        return same;
    }

   private:
    template <class F>
    void for_each_alternative(F&& f) const {
        std::apply([&](const T&... content) { (static_cast<void>(f(content)), ...); }, contents_);
    }

    bool are_choices() const {
        bool all = true;
        choice_.for_each([&](const auto& entry) { all = all && entry.value.value <= none; });
        return all;
    }

    detail::LastWriter<std::uint8_t> choice_;
    std::tuple<T...> contents_;
};

/// A CRDT that may be absent: `update(&Note::picture, alternative<0>, f)`, `clear()`.
template <causal T>
using LwwOptional = LwwChoice<T>;

}  // namespace netsync

// ---- netsync/crdt/lww_map.hpp ----

// netsync: a map in which the last writer of a key wins, removes included.

namespace netsync {

/// Keys to values, each key a last-writer-wins register whose value may be "removed": the later of an assign and a
/// remove wins, whoever saw whom. A removed key stays as a tombstone until every member has seen it (causal stability).
/// assign, remove, find: O(log size). Iterates by ascending key.
template <class Key, class Value>
class LwwMap {
   public:
    /// A delta that writes `value` under `key`.
    [[nodiscard]] LwwMap assign(Change& change, Key key, Value value) const {
        return write(change, std::move(key), std::optional<Value>{std::move(value)});
    }

    /// A delta that removes `key`; nothing where it was never written.
    template <class Query>
    [[nodiscard]] LwwMap remove(Change& change, const Query& key) const {
        return find(key) ? write(change, Key(key), std::nullopt) : LwwMap{};
    }

    /// See netsync::inverse.
    [[nodiscard]] LwwMap inverse(Change& change, const LwwMap& before, const LwwMap& delta, Scope scope) const {
        LwwMap back;
        const auto restore = [&](const Key& key) {
            const Value *was = before.find(key), *is = find(key);
            if (was || is)
                back.entries_[key] =
                    held(key).assign(change, was ? std::optional<Value>{*was} : std::optional<Value>{});
        };
        for (const auto& [key, made] : delta.entries_)
            if (held(key).is_still(made)) restore(key);
        if (scope == Scope::whole)
            for (const auto& [key, was] : before.entries_)
                if (!delta.entries_.find(key) && !entries_.find(key)) restore(key);
        return back;
    }

    /// The value under `key`, or null. Good until the map changes.
    template <class Query>
    const Value* find(const Query& key) const {
        const auto* entry = entries_.find(key);
        return entry ? value_of(*entry) : nullptr;
    }
    template <class Query>
    bool contains(const Query& key) const {
        return find(key) != nullptr;
    }

    /// The keys that have a value. O(n): tombstones are skipped.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Key&, const Value&) { ++count; });
        return count;
    }
    void prefetch(const Key& key) const { entries_.prefetch(key); }
    bool empty() const { return size() == 0; }

    /// Calls `f(key, value)` for each key that has one.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, writes] : entries_)
            if (const Value* value = value_of(writes)) f(key, *value);
    }

    /// For a delta: calls `f(key)` for each key that it writes or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        entries_.for_each_mentioned(f);
    }

    bool merge(const LwwMap& theirs, const Join& join) { return entries_.merge(theirs.entries_, join); }
    bool merge(LwwMap&& theirs, const Join& join) { return entries_.merge(std::move(theirs.entries_), join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return entries_.is_bottom(); }
    bool drop_stable(const VersionVector& stable) {
        const auto is_dead = [](const auto& entry) { return !entry.value.value.has_value(); };
        return entries_.drop_entries([&](const Writes& writes) { return writes.may_drop(is_dead); },
                                     [&](Writes& writes) { return writes.drop_stable(stable, is_dead); });
    }
    template <class Archive>
    void save(Archive& out) const {
        entries_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        entries_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        entries_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return entries_.load_and_merge(in, join);
    }

    friend bool operator==(const LwwMap&, const LwwMap&) = default;

   private:
    using Writes = detail::LastWriter<std::optional<Value>>;

    static const Value* value_of(const Writes& writes) {
        const auto* latest = writes.latest();
        return latest && latest->value.value ? &*latest->value.value : nullptr;
    }

    LwwMap write(Change& change, Key key, std::optional<Value> value) const {
        LwwMap delta;
        Writes written = held(key).assign(change, std::move(value));
        delta.entries_[std::move(key)] = std::move(written);
        return delta;
    }

    Writes held(const Key& key) const {
        const Writes* held = entries_.find(key);
        return held ? *held : Writes{};
    }

    DotMap<Key, Writes> entries_;
};

}  // namespace netsync

// ---- netsync/crdt/lww_set.hpp ----

// netsync: a set in which the later of an add and a remove wins.

namespace netsync {

/// The last-writer-wins element set (Shapiro et al. 2011). Stamps are unique (time, then replica id), so there is no
/// bias between add and remove: of two at the same time the greater replica id wins, whichever it was.
/// Where a concurrent add should win instead, use OrSet, which also keeps no tombstones.
template <class Element>
class LwwSet {
   public:
    /// A delta that adds `element`.
    [[nodiscard]] LwwSet add(Change& change, Element element) const {
        LwwSet delta;
        delta.elements_ = elements_.assign(change, std::move(element), Present{});
        return delta;
    }

    /// A delta that removes `element`; nothing where it is absent.
    template <class Query>
    [[nodiscard]] LwwSet remove(Change& change, const Query& element) const {
        LwwSet delta;
        delta.elements_ = elements_.remove(change, element);
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] LwwSet inverse(Change& change, const LwwSet& before, const LwwSet& delta, Scope scope) const {
        LwwSet back;
        back.elements_ = elements_.inverse(change, before.elements_, delta.elements_, scope);
        return back;
    }

    template <class Query>
    bool contains(const Query& element) const {
        return elements_.contains(element);
    }
    /// O(n): tombstones are skipped.
    std::size_t size() const { return elements_.size(); }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return elements_.empty(); }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        elements_.for_each([&](const Element& element, const Present&) { f(element); });
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        elements_.for_each_mentioned(f);
    }

    bool merge(const LwwSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    bool drop_stable(const VersionVector& stable) { return elements_.drop_stable(stable); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const LwwSet&, const LwwSet&) = default;

   private:
    struct Present {
        template <class Archive>
        void save(Archive&) const {}
        template <class Archive>
        void load(Archive&) {}
        friend bool operator==(const Present&, const Present&) = default;
    };

    LwwMap<Element, Present> elements_;
};

}  // namespace netsync

// ---- netsync/crdt/mv_register.hpp ----

// netsync: one value; concurrent writes are all kept and shown.

namespace netsync {

/// The multi-value register (DeCandia et al. 2007, Shapiro et al. 2011): a write supersedes what its writer had seen, and
/// of concurrent ones none is lost: `values()` has them all until somebody who has seen them writes. assign: O(values).
template <class Value>
class MvRegister {
   public:
    /// A delta that writes `value`, which settles all conflicts seen here.
    [[nodiscard]] MvRegister assign(Change& change, Value value) const {
        change.remove_all(writes_);
        MvRegister delta;
        delta.writes_ = {change.mint(), std::move(value)};
        return delta;
    }

    /// See netsync::inverse: where nobody has written since, it has the values again that it had.
    [[nodiscard]] MvRegister inverse(Change& change, const MvRegister& before, const MvRegister& delta,
                                     Scope scope) const {
        MvRegister back;
        const bool removed = scope == Scope::whole && delta.is_bottom() && is_bottom() && before.has_value();
        if (!detail::remove_made(change, *this, delta) && !removed) return back;
        std::vector<Value> values = before.values();
        if (values.empty()) values.emplace_back();
        const CausalContext none;
        for (Value& value : values)
            back.writes_.merge(DotFun<Value>{change.mint(), std::move(value)}, Join{.mine = none, .theirs = none});
        return back;
    }

    /// The values that nobody has superseded, by the id of their writers, ascending: the same order everywhere.
    std::vector<Value> values() const {
        std::vector<typename DotFun<Value>::Entry> entries;
        writes_.for_each([&](const auto& entry) { entries.push_back(entry); });
        std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return precedes(a.dot, b.dot); });
        std::vector<Value> values;
        for (auto& entry : entries) values.push_back(std::move(entry.value));
        return values;
    }

    bool has_value() const noexcept { return !writes_.is_bottom(); }
    /// Whether there is more than one value.
    bool has_conflict() const noexcept { return writes_.size() > 1; }

    bool merge(const MvRegister& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }

    friend bool operator==(const MvRegister&, const MvRegister&) = default;

   private:
    DotFun<Value> writes_;
};

}  // namespace netsync

// ---- netsync/crdt/or_map.hpp ----

// netsync: keys to CRDTs of any causal type, nested at will.

namespace netsync {

/// The observed-remove map (Almeida, Shoker, Baquero 2018). A key is there while anything is alive in its value.
/// Removing a key takes away exactly what the remover had seen under it (reset-remove): what is written there
/// concurrently stays, alone. `Value` is causal (wrap a monotone type as Joined<T>) and may be incomplete here, so that
/// types can be recursive. update, remove, find: O(log size) beside the value's own cost.
template <class Key, class Value>
class OrMap {
   public:
    /// A delta that changes the value under `key`: `f(const Value&, Change&)` returns the value's delta. A key that is
    /// absent starts from a default-constructed value.
    template <class Query, class F>
    [[nodiscard]] OrMap update(Change& change, const Query& key, F&& f) const {
        require_causal();
        const Value* held = entries_.find(key);
        OrMap delta;
        if (Value part = f(held ? *held : bottom(), change); !netsync::is_bottom(part))
            delta.entries_[Key(key)] = std::move(part);
        return delta;
    }

    /// A delta that removes `key` as it was seen here; nothing where it is absent. O(dots under it).
    template <class Query>
    [[nodiscard]] OrMap remove(Change& change, const Query& key) const {
        require_causal();
        OrMap delta;
        if (const Value* held = entries_.find(key)) {
            change.remove_all(*held);
            delta.entries_.empty_key(Key(key));
        }
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] OrMap inverse(Change& change, const OrMap& before, const OrMap& delta, Scope scope) const {
        OrMap back;
        const auto take_back = [&](const Key& key, Scope below) {
            const Value *held = find(key), *was = before.find(key), *made = delta.find(key);
            if (!was) {  // the key came with the change
                if (held && made && detail::remove_made(change, *held, *made)) back.entries_.empty_key(key);
            } else if (Value part = inverse_of(held ? *held : bottom(), change, *was, made ? *made : bottom(), below);
                       !netsync::is_bottom(part)) {
                back.entries_[key] = std::move(part);
            }
        };
        delta.for_each_mentioned(
            [&](const Key& key) { take_back(key, delta.entries_.empties(key) ? Scope::whole : scope); });
        if (scope == Scope::whole)
            before.for_each([&](const Key& key, const Value&) {
                if (!delta.mentions(key)) take_back(key, scope);
            });
        return back;
    }

    /// The value under `key`, or null. Good until the map changes.
    template <class Query>
    const Value* find(const Query& key) const {
        return entries_.find(key);
    }
    template <class Query>
    bool contains(const Query& key) const {
        return find(key) != nullptr;
    }
    void prefetch(const Key& key) const { entries_.prefetch(key); }
    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }

    /// Calls `f(key, value)` for each, by ascending key.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, value] : entries_) f(key, value);
    }

    /// For a delta: calls `f(key)` for each key that it touches.
    template <class F>
    void for_each_mentioned(F&& f) const {
        entries_.for_each_mentioned(f);
    }
    /// For a delta: whether `key` was touched.
    template <class Query>
    bool mentions(const Query& key) const {
        return entries_.mentions(key);
    }

    bool merge(const OrMap& theirs, const Join& join) {
        require_causal();
        return entries_.merge(theirs.entries_, join);
    }
    bool merge(OrMap&& theirs, const Join& join) {
        require_causal();
        return entries_.merge(std::move(theirs.entries_), join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return entries_.is_bottom(); }
    bool permits(OwnerId owner) const { return entries_.permits(owner); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { entries_.reissue(keep); }
    // No drop_stable: who has forgotten a value's metadata would remove less of it than another replica still holds.
    template <class Archive>
    void save(Archive& out) const {
        entries_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        entries_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        entries_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return entries_.load_and_merge(in, join);
    }

    friend bool operator==(const OrMap& a, const OrMap& b) { return a.entries_ == b.entries_; }

   private:
    static constexpr void require_causal() {
        static_assert(causal<Value>,
                      "netsync: the value of an OrMap must model netsync::causal (all its content under dots); wrap a "
                      "monotone type as netsync::Joined<T>");
    }

    static const Value& bottom() {
        static const Value value{};
        return value;
    }

    DotMap<Key, Value> entries_;
};

}  // namespace netsync

// ---- netsync/crdt/or_set.hpp ----

// netsync: a set in which an add wins over a concurrent remove, without tombstones.

namespace netsync {

/// The optimised observed-remove set (Bieniusa et al. 2012): a remove takes away exactly the adds that it has seen, so
/// a concurrent add stays. An element costs its key and one dot; a removed one costs nothing.
/// `Element` is ordered (`<`) and encodable.
/// add, remove, contains: O(log size). Iterates in ascending order; equality includes the dots.
template <class Element>
class OrSet {
   public:
    /// A delta that adds `element`. Adding what is there renews it: it then wins over removes that had not seen this.
    [[nodiscard]] OrSet add(Change& change, Element element) const {
        OrSet delta;
        if (const DotSet* held = elements_.find(element)) change.remove_all(*held);
        delta.elements_[std::move(element)] = DotSet{change.mint()};
        return delta;
    }

    /// A delta that removes `element` as it was seen here. Nothing where it is absent.
    template <class Query>
    [[nodiscard]] OrSet remove(Change& change, const Query& element) const {
        OrSet delta;
        if (const DotSet* held = elements_.find(element)) {
            change.remove_all(*held);
            delta.elements_.empty_key(Element(element));
        }
        return delta;
    }

    /// A delta that removes everything seen here. O(size).
    [[nodiscard]] OrSet clear(Change& change) const {
        OrSet delta;
        for (const auto& [element, dots] : elements_) {
            change.remove_all(dots);
            delta.elements_.empty_key(element);
        }
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] OrSet inverse(Change& change, const OrSet& before, const OrSet& delta, Scope scope) const {
        OrSet back;
        const auto add_again = [&](const Element& element) {
            if (before.contains(element) && !contains(element)) back.elements_[element] = DotSet{change.mint()};
        };
        delta.for_each_mentioned([&](const Element& element) {
            const DotSet* made = delta.elements_.find(element);
            if (!made) return add_again(element);
            const DotSet* held = elements_.find(element);
            if (held && !before.contains(element) && detail::remove_made(change, *held, *made))
                back.elements_.empty_key(element);
        });
        if (scope == Scope::whole)
            before.for_each([&](const Element& element) {
                if (!delta.elements_.mentions(element)) add_again(element);
            });
        return back;
    }

    template <class Query>
    bool contains(const Query& element) const {
        return elements_.find(element) != nullptr;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const noexcept { return elements_.empty(); }
    std::size_t size() const noexcept { return elements_.size(); }

    /// Calls `f(element)` for each.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, dots] : elements_) f(element);
    }

    /// For a delta: calls `f(element)` for each element that it adds or removes; ask the state which it was.
    template <class F>
    void for_each_mentioned(F&& f) const {
        elements_.for_each_mentioned(f);
    }

    bool merge(const OrSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    bool merge(OrSet&& theirs, const Join& join) { return elements_.merge(std::move(theirs.elements_), join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        elements_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const OrSet&, const OrSet&) = default;

   private:
    DotMap<Element, DotSet> elements_;
};

}  // namespace netsync

// ---- netsync/crdt/owned.hpp ----

// netsync: data that each owner writes alone and everybody reads.

namespace netsync {

/// One part of type `Part` for each owner. A change may touch the part of its own replica's owner only: `update` writes
/// no other, the replica refuses a local delta that would, and merge refuses a frame whose origin is another
/// (errc::not_owner, state unchanged). `Part` is any CRDT. A removed parent keeps the parts of other owners.
template <class Part>
class Owned {
   public:
    /// A delta of one's own part: `f(const Part&, Change&)` returns the part's delta.
    template <class F>
    [[nodiscard]] Owned update(Change& change, F&& f) const {
        require_crdt();
        const Part* held = parts_.find(change.owner());
        Owned delta;
        if (Part part = f(held ? *held : bottom(), change); !netsync::is_bottom(part))
            *delta.parts_.try_emplace(change.owner()).first = std::move(part);
        return delta;
    }

    /// See netsync::inverse: of one's own part.
    [[nodiscard]] Owned inverse(Change& change, const Owned& before, const Owned& delta, Scope scope) const {
        const Part *was = before.find(change.owner()), *made = delta.find(change.owner());
        return update(change, [&](const Part& part, Change& inner) {
            return inverse_of(part, inner, was ? *was : bottom(), made ? *made : bottom(), scope);
        });
    }

    /// The part of `owner`, or null where it has written nothing.
    const Part* find(OwnerId owner) const { return parts_.find(owner); }
    bool empty() const noexcept { return parts_.empty(); }
    std::size_t size() const noexcept { return parts_.size(); }

    /// Calls `f(owner, part)` for each owner, by ascending id.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [owner, part] : parts_) f(owner, part);
    }

    bool merge(const Owned& theirs, const Join& join) {
        require_crdt();
        bool changed = false;
        for (const auto& [owner, part] : theirs.parts_) {
            if (join.origin && *join.origin != owner) continue;
            changed |= netsync::merge(*parts_.try_emplace(owner).first, part, join);
        }
        if (join.scope == Scope::whole)
            changed |= change_parts([&](OwnerId owner, Part& part) {
                const bool theirs_to_remove = !join.origin || *join.origin == owner;
                return theirs_to_remove && !theirs.parts_.find(owner) && netsync::merge(part, bottom(), join);
            });
        else
            drop_empty(theirs);
        return changed;
    }

    template <class F>
    void for_each_dot(F&& visit) const {
        for (const auto& [owner, part] : parts_) netsync::for_each_dot(part, visit);
    }
    bool is_bottom() const noexcept { return parts_.empty(); }
    bool permits(OwnerId owner) const {
        return std::all_of(parts_.begin(), parts_.end(), [&](const auto& entry) { return entry.key == owner; });
    }
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        change_parts([&](OwnerId, Part& part) { return netsync::reissue(part, keep), true; });
    }
    bool drop_stable(const VersionVector& stable) {
        return change_parts([&](OwnerId, Part& part) { return netsync::drop_stable(part, stable); });
    }

    template <class Archive>
    void save(Archive& out) const {
        out.count(parts_.size(), sizeof(OwnerId) + sizeof(Part));
        for (const auto& [owner, part] : parts_) out(owner, part);
    }
    template <class Archive>
    void load(Archive& in) {
        OwnerId previous{};
        const std::size_t count = in.count(sizeof(OwnerId) + sizeof(Part));
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            OwnerId owner{};
            in(owner);
            if (at > 0 && owner <= previous) return in.fail(errc::malformed);
            in(*parts_.try_emplace(owner).first);
            previous = owner;
        }
    }

    friend bool operator==(const Owned& a, const Owned& b) {
        return a.parts_.equal(b.parts_, [](const Part& x, const Part& y) { return netsync::equal(x, y); });
    }

   private:
    static constexpr void require_crdt() {
        static_assert(crdt<Part>, "netsync: the part of an Owned must model netsync::crdt");
    }

    static const Part& bottom() {
        static const Part part{};
        return part;
    }

    /// Applies `f(owner, part)`, which says whether it changed anything, to each; parts left empty go. Nothing else is written
    /// to: what copies share stays shared.
    template <class F>
    bool change_parts(F&& f) {
        std::vector<std::pair<OwnerId, Part>> written;
        bool changed = false;
        for (const auto& [owner, held] : parts_) {
            Part part = held;
            const bool is_changed = f(owner, part);
            changed |= is_changed;
            if (is_changed || netsync::is_bottom(part)) written.emplace_back(owner, std::move(part));
        }
        for (auto& [owner, part] : written)
            if (netsync::is_bottom(part))
                parts_.erase(owner);
            else
                *parts_.find(owner) = std::move(part);
        return changed;
    }

    void drop_empty(const Owned& mentioned) {
        for (const auto& [owner, mention] : mentioned.parts_)
            if (const Part* part = std::as_const(parts_).find(owner); part && netsync::is_bottom(*part))
                parts_.erase(owner);
    }

    detail::SortedMap<OwnerId, Part> parts_;
};

/// As causal as its parts: one with monotone parts cannot go into an OrMap.
template <class Part>
inline constexpr bool is_causal<Owned<Part>> = is_causal<Part>;

}  // namespace netsync

// ---- netsync/crdt/verbs.hpp ----

// netsync: verbs: small values that call the mutator of their name. `update(path..., add("milk"))`.

namespace netsync {

/// What `update` takes at the end of a path: called with the present value and the change, returns a delta of the same
/// type. The library's verbs are such callables; so is any lambda, and any verb of your own.
template <class F, class T>
concept mutator = requires(F& f, const T& now, Change& change) {
    { f(now, change) } -> std::convertible_to<T>;
};

namespace detail {

/// Holds the arguments until the target is known. Not callable on a type without that mutator, so that the diagnostic
/// names `mutator`.
template <class Call, class... Arguments>
struct Verb {
    std::tuple<Arguments...> arguments;

    template <class T>
        requires std::invocable<Call, const T&, Change&, const Arguments&...>
    auto operator()(const T& target, Change& change) const {
        return std::apply([&](const Arguments&... given) { return Call{}(target, change, given...); }, arguments);
    }
    /// The same for one that is called once: the mutator takes its arguments over.
    template <class T>
        requires std::invocable<Call, const T&, Change&, Arguments...>
    auto operator()(const T& target, Change& change) && {
        return std::apply([&](Arguments&... given) { return Call{}(target, change, std::move(given)...); }, arguments);
    }
};

template <class Call, class... Arguments>
Verb<Call, std::decay_t<Arguments>...> verb(Arguments&&... arguments) {
    return {{std::forward<Arguments>(arguments)...}};
}

struct CallAdd {
    auto operator()(const auto& target, Change& change, auto&&... given) const
        -> decltype(target.add(change, std::forward<decltype(given)>(given)...)) {
        return target.add(change, std::forward<decltype(given)>(given)...);
    }
};
struct CallRemove {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.remove(change, given...)) {
        return target.remove(change, given...);
    }
};
struct CallAssign {
    auto operator()(const auto& target, Change& change, auto&&... given) const
        -> decltype(target.assign(change, std::forward<decltype(given)>(given)...)) {
        return target.assign(change, std::forward<decltype(given)>(given)...);
    }
};
struct CallIncrement {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.increment(change, given...)) {
        return target.increment(change, given...);
    }
};
struct CallDecrement {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.decrement(change, given...)) {
        return target.decrement(change, given...);
    }
};
struct CallClear {
    auto operator()(const auto& target, Change& change) const -> decltype(target.clear(change)) {
        return target.clear(change);
    }
};
struct CallInsert {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.insert(change, given...)) {
        return target.insert(change, given...);
    }
};
struct CallErase {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.erase(change, given...)) {
        return target.erase(change, given...);
    }
};
struct CallPushBack {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.push_back(change, given...)) {
        return target.push_back(change, given...);
    }
};
struct CallAppend {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.append(change, given...)) {
        return target.append(change, given...);
    }
};
struct CallMove {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.move(change, given...)) {
        return target.move(change, given...);
    }
};

struct CallEnable {
    auto operator()(const auto& target, Change& change) const -> decltype(target.enable(change)) {
        return target.enable(change);
    }
};
struct CallDisable {
    auto operator()(const auto& target, Change& change) const -> decltype(target.disable(change)) {
        return target.disable(change);
    }
};
struct CallReset {
    auto operator()(const auto& target, Change& change) const -> decltype(target.reset(change)) {
        return target.reset(change);
    }
};
struct CallCompact {
    auto operator()(const auto& target, Change& change) const -> decltype(target.compact(change)) {
        return target.compact(change);
    }
};
struct CallTransfer {
    auto operator()(const auto& target, Change& change, OwnerId to, std::uint64_t by) const
        -> decltype(target.transfer(change, to, by)) {
        return target.transfer(change, to, by);
    }
};
struct CallChoose {
    auto operator()(const auto& target, Change& change, const auto& which) const
        -> decltype(target.choose(change, which)) {
        return target.choose(change, which);
    }
};

}  // namespace detail

/// Adds an element to a set.
template <class... Arguments>
auto add(Arguments&&... arguments) {
    return detail::verb<detail::CallAdd>(std::forward<Arguments>(arguments)...);
}
/// Removes an element of a set, or a key of a map.
template <class... Arguments>
auto remove(Arguments&&... arguments) {
    return detail::verb<detail::CallRemove>(std::forward<Arguments>(arguments)...);
}
/// Writes a register, or a key of a last-writer-wins map: `assign(value)`, `assign(key, value)`.
template <class... Arguments>
auto assign(Arguments&&... arguments) {
    return detail::verb<detail::CallAssign>(std::forward<Arguments>(arguments)...);
}
/// Counts up.
inline auto increment(std::uint64_t by = 1) { return detail::verb<detail::CallIncrement>(by); }
/// Counts down.
inline auto decrement(std::uint64_t by = 1) { return detail::verb<detail::CallDecrement>(by); }
/// Inserts into a list or a text: `insert(index, value)`, `insert(index, first, last)`, `insert(index, "text")`.
template <class... Arguments>
auto insert(std::size_t index, Arguments&&... arguments) {
    return detail::verb<detail::CallInsert>(index, std::forward<Arguments>(arguments)...);
}
/// Erases elements of a list, or code points of a text.
inline auto erase(std::size_t index, std::size_t count = 1) { return detail::verb<detail::CallErase>(index, count); }
/// Inserts a value at the end of a list.
template <class Value>
auto push_back(Value&& value) {
    return detail::verb<detail::CallPushBack>(std::forward<Value>(value));
}
/// Inserts at the end of a text.
inline auto append(std::string text) { return detail::verb<detail::CallAppend>(std::move(text)); }
/// Moves an element of a list, so that it is the one at `to`.
inline auto move(std::size_t from, std::size_t to) { return detail::verb<detail::CallMove>(from, to); }
/// Removes everything that is seen.
inline auto clear() { return detail::verb<detail::CallClear>(); }
/// Sets a flag.
inline auto enable() { return detail::verb<detail::CallEnable>(); }
/// Clears a flag.
inline auto disable() { return detail::verb<detail::CallDisable>(); }
/// Sets a counter back to zero: takes away the counts that are seen.
inline auto reset() { return detail::verb<detail::CallReset>(); }
/// Takes away marks that every member is known to have seen.
inline auto compact() { return detail::verb<detail::CallCompact>(); }
/// Gives rights of a bounded counter to another owner.
inline auto transfer(OwnerId to, std::uint64_t by = 1) { return detail::verb<detail::CallTransfer>(to, by); }
/// Chooses an alternative of an LwwChoice: `choose(alternative<1>)`.
template <class Which>
auto choose(Which which) {
    return detail::verb<detail::CallChoose>(which);
}

}  // namespace netsync

// ---- netsync/crdt/path.hpp ----

// netsync: paths: where in a nested value a change, a read or a subscription looks. Pointers to members, map keys, and
// `mine` for one's own part of an Owned.

namespace netsync {

/// The step into one's own part of an Owned. The part of another is read, never written, under its OwnerId.
struct Mine {};
inline constexpr Mine mine{};

/// What can be updated under a key of type `Key`: `update(change, key, f)`, as an OrMap can.
template <class T, class Key>
concept updatable_at = requires(const T& now, Change& change, const Key& key) {
    now.update(change, key, [](const auto& part, Change&) { return part; });
};

/// What has parts under keys of type `Key` to be read: `find(key)` gives a pointer, null where there is none.
template <class T, class Key>
concept readable_at = requires(const T& now, const Key& key) {
    { *now.find(key) };
};

namespace detail {

/// The delta of `now` that changes what lies at the end of the path. What is given as an rvalue is called once.
template <class T, class F>
T update_at(const T& now, Change& change, F&& f) {
    static_assert(
        mutator<std::remove_reference_t<F>, T>,
        "netsync: what `update` ends in must model netsync::mutator: called with (const T&, Change&) it returns "
        "a delta of T; for a verb, T has no mutator of that name that takes these arguments");
    return std::forward<F>(f)(now, change);
}

template <class T, class Step, class Next, class... Rest>
T update_at(const T& now, Change& change, const Step& step, Next&& next, Rest&&... rest) {
    const auto below = [&](const auto& part, Change& inner) {
        return update_at(part, inner, std::forward<Next>(next), std::forward<Rest>(rest)...);
    };
    if constexpr (std::is_member_object_pointer_v<Step>) {
        T delta{};
        delta.*step = below(now.*step, change);
        return delta;
    } else if constexpr (std::same_as<Step, Mine>) {
        return now.update(change, below);
    } else {
        static_assert(updatable_at<T, Step>,
                      "netsync: this step of the path needs a type that models netsync::updatable_at (an OrMap); of an "
                      "Owned only one's own part can be written: use netsync::mine");
        return now.update(change, step, below);
    }
}

/// A hint that update_at is called next: the memory is asked for what lies at the first key of the path, where a type
/// offers `prefetch(key)`, and not waited for. Verbs of sets and maps take the key first.
template <class T, class F>
void prefetch_at(const T&, const F&) {}
template <class T, class Call, class Key, class... Rest>
void prefetch_at(const T& now, const Verb<Call, Key, Rest...>& verb) {
    if constexpr (requires { now.prefetch(std::get<0>(verb.arguments)); }) now.prefetch(std::get<0>(verb.arguments));
}
template <class T, class Step, class Next, class... Rest>
void prefetch_at(const T& now, const Step& step, const Next& next, const Rest&... rest) {
    if constexpr (std::is_member_object_pointer_v<Step>)
        prefetch_at(now.*step, next, rest...);
    else if constexpr (requires { now.prefetch(step); })
        now.prefetch(step);
}

template <class T, class Step>
auto* step_into(const T& value, const Step& step, OwnerId self) {
    if constexpr (std::is_member_object_pointer_v<Step>) {
        return &(value.*step);
    } else if constexpr (std::same_as<Step, Mine>) {
        return value.find(self);
    } else {
        static_assert(readable_at<T, Step>, "netsync: this step of the path needs a type that models "
                                            "netsync::readable_at: a map, or an Owned with an OwnerId");
        return value.find(step);
    }
}

/// What lies at the end of the path, or null where a key is absent.
template <class T>
const T* find_at(const T& value, OwnerId) {
    return &value;
}
template <class T, class Step, class... Rest>
auto find_at(const T& value, OwnerId self, const Step& step, const Rest&... rest) {
    const auto* part = step_into(value, step, self);
    using End = decltype(find_at(*part, self, rest...));
    return part ? find_at(*part, self, rest...) : End{nullptr};
}

/// The type at the end of the path.
template <class T, class... Path>
using type_at =
    std::remove_cvref_t<decltype(*find_at(std::declval<const T&>(), OwnerId{}, std::declval<const Path&>()...))>;

/// What a delta says about the end of the path: null where it does not touch it, the bottom where it emptied what is
/// there.
template <class T>
const T* touched_at(const T& delta, OwnerId) {
    return is_bottom(delta) ? nullptr : &delta;
}
template <class T, class Step, class... Rest>
const type_at<T, Step, Rest...>* touched_at(const T& delta, OwnerId self, const Step& step, const Rest&... rest) {
    if (const auto* part = step_into(delta, step, self)) return touched_at(*part, self, rest...);
    static const type_at<T, Step, Rest...> bottom{};
    if constexpr (requires { delta.mentions(step); })
        if (delta.mentions(step)) return &bottom;
    return nullptr;
}

}  // namespace detail

}  // namespace netsync

// ---- netsync/crdt/pn_counter.hpp ----

// netsync: a counter that goes up and down.

namespace netsync {

/// The sum of what each replica has counted up and down (Shapiro et al. 2011), each replica's totals under its latest
/// dot. Inside a removable parent: a remove takes the totals that it has seen; a replica that counts concurrently keeps
/// its whole total (as in Riak's embedded counters). increment: O(replicas); value: O(replicas). Wraps at 64 bits.
class PnCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] PnCounter increment(Change& change, std::uint64_t by = 1) const { return count(change, {by, 0}); }
    /// A delta that counts down by `by`.
    [[nodiscard]] PnCounter decrement(Change& change, std::uint64_t by = 1) const { return count(change, {0, by}); }

    /// See netsync::inverse: counts back what the change counted.
    [[nodiscard]] PnCounter inverse(Change& change, const PnCounter& before, const PnCounter& delta,
                                    Scope scope) const {
        detail::UpDown back;
        if (const detail::UpDown* counted = delta.totals_.counted()) back = {counted->down, counted->up};
        if (scope == Scope::whole)  // totals were removed; who has counted since without knowing it kept all of its own
            before.totals_.for_each([&](const auto& entry) {
                const ReplicaIndex replica = entry.dot.replica();
                if (replica == change.replica() || !totals_.holds(replica)) back.add(entry.value);
            });
        return back.up == back.down ? PnCounter{} : count(change, back);
    }

    std::int64_t value() const {
        std::uint64_t sum = 0;
        totals_.for_each([&](const auto& entry) { sum += entry.value.up - entry.value.down; });
        return static_cast<std::int64_t>(sum);
    }

    bool merge(const PnCounter& theirs, const Join& join) { return totals_.merge(theirs.totals_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { totals_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
    }

    friend bool operator==(const PnCounter&, const PnCounter&) = default;

   private:
    PnCounter count(Change& change, const detail::UpDown& by) const {
        PnCounter delta;
        delta.totals_ = totals_.count(change, by);
        return delta;
    }

    detail::Totals<detail::UpDown> totals_;
};

}  // namespace netsync

// ---- netsync/crdt/rw_set.hpp ----

// netsync: a set in which a remove wins over a concurrent add.

namespace netsync {

/// The remove-wins set (Bauwens, Gonzalez Boix 2020; Baquero, Almeida, Shoker 2017): a remove wins over the adds that had
/// not seen it, and only an add that has seen it brings the element back. A remove leaves a mark under its own dot. Once
/// every member has seen a mark, the next change made by anybody who knows takes it away (`compact` does nothing else);
/// below an OrMap marks stay until the element is added again or a parent is removed.
/// add, remove, contains: O(log size).
template <class Element>
class RwSet {
   public:
    /// A delta that adds `element`: it stays unless somebody removes it meanwhile.
    [[nodiscard]] RwSet add(Change& change, Element element) const {
        return write(change, element, &detail::Marked::adds);
    }

    /// A delta that removes `element`, also where it is added at the same time. Nothing where it is absent.
    template <class Query>
    [[nodiscard]] RwSet remove(Change& change, const Query& element) const {
        return contains(element) ? write(change, Element(element), &detail::Marked::marks) : RwSet{};
    }

    /// A delta that takes away marks that every member is known to have seen, 64 at most; nothing where there are none.
    [[nodiscard]] RwSet compact(Change& change) const {
        RwSet delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent);
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] RwSet inverse(Change& change, const RwSet& before, const RwSet& delta, Scope scope) const {
        RwSet back;
        const auto restore = [&](const Element& element) {
            if (before.contains(element) == contains(element)) return;
            if (const detail::Marked* held = elements_.find(element)) change.remove_all(*held);
            back.elements_[element].*(contains(element) ? &detail::Marked::marks : &detail::Marked::adds) =
                DotSet{change.mint()};
        };
        for (const auto& [element, made] : delta.elements_)
            if (const detail::Marked* held = elements_.find(element); held && detail::any_of_made(*held, made))
                restore(element);
        if (scope == Scope::whole)
            before.for_each([&](const Element& element) {
                if (!delta.elements_.find(element) && !elements_.find(element)) restore(element);
            });
        return back;
    }

    template <class Query>
    bool contains(const Query& element) const {
        const detail::Marked* held = elements_.find(element);
        return held && held->present();
    }
    /// O(n): marks are skipped.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Element&) { ++count; });
        return count;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return size() == 0; }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, held] : elements_)
            if (held.present()) f(element);
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        for (const auto& [element, held] : elements_) f(element);
    }

    bool merge(const RwSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    /// Notes which marks may go; the next change takes them away. True if these are others than before.
    bool drop_stable(const VersionVector& stable) { return settled_.note(elements_, stable, is_spent); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        elements_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const RwSet& a, const RwSet& b) { return a.elements_ == b.elements_; }

   private:
    /// Of a mark that all have seen every add that loses to it is here too; together they go.
    static bool is_spent(const detail::Marked& held, const VersionVector& stable) {
        return !held.marks.is_bottom() && detail::is_within(held, stable);
    }

    RwSet write(Change& change, const Element& element, DotSet detail::Marked::* which) const {
        RwSet delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent, &element);
        if (const detail::Marked* held = elements_.find(element)) change.remove_all(*held);
        delta.elements_[element].*which = DotSet{change.mint()};
        return delta;
    }

    DotMap<Element, detail::Marked> elements_;
    detail::Settled<Element> settled_;
};

}  // namespace netsync

// ---- netsync/detail/utf8.hpp ----

// netsync: whether bytes are UTF-8 (RFC 3629): strings that are not would not print, sort or compare alike everywhere.

namespace netsync::detail {

/// No overlong forms, no surrogates, nothing beyond U+10FFFF. O(size); eight ASCII bytes a step.
inline bool is_utf8(std::string_view bytes) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
    std::size_t i = 0;
    while (i < bytes.size()) {
        if (bytes.size() - i >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data() + i, 8);
            if ((word & 0x8080808080808080u) == 0) {
                i += 8;
                continue;
            }
        }
        const std::uint32_t lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || bytes.size() - i < length) return false;
        std::uint32_t point = lead & (0x7fu >> length);
        for (std::size_t k = 1; k < length; ++k) {
            if ((at(i + k) & 0xc0) != 0x80) return false;
            point = (point << 6) | (at(i + k) & 0x3f);
        }
        if (point < (length == 2 ? 0x80u : length == 3 ? 0x800u : 0x10000u)) return false;
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
        i += length;
    }
    return true;
}

/// Code points in text that is UTF-8: all bytes but those that go on. O(size), eight bytes a step.
inline std::size_t count_points(std::string_view text) noexcept {
    std::size_t count = 0, i = 0;
    for (; text.size() - i >= 8; i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, 8);
        const std::uint64_t goes_on = (word >> 7) & (~word >> 6) & 0x0101010101010101u;
        count += 8 - ((goes_on * 0x0101010101010101u) >> 56);
    }
    for (; i < text.size(); ++i) count += (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 ? 1 : 0;
    return count;
}

/// The first code point of text that is UTF-8 and not empty.
inline char32_t code_point(std::string_view text) noexcept {
    const auto lead = static_cast<unsigned char>(text.empty() ? '\0' : text[0]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    auto point = static_cast<char32_t>(length == 1 ? lead : lead & (0x7fu >> length));
    for (std::size_t at = 1; at < length && at < text.size(); ++at)
        point = (point << 6) | (static_cast<unsigned char>(text[at]) & 0x3fu);
    return point;
}

/// Where code point `index` starts, from byte `from` on which one starts; the size where there are fewer. O(distance).
inline std::size_t find_point(std::string_view text, std::size_t index, std::size_t from = 0) noexcept {
    std::size_t at = from;
    for (; index >= 64 && text.size() - at >= 64; at += 64) {
        const std::size_t here = count_points(text.substr(at, 64));
        index -= here;
    }
    const auto goes_on = [&] { return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
    while (goes_on()) ++at;
    for (; index > 0 && at < text.size(); --index) {
        ++at;
        while (goes_on()) ++at;
    }
    return at;
}

}  // namespace netsync::detail

// ---- netsync/crdt/packed_text.hpp ----

// netsync: a long text in fewer bits than bytes. What a document is saved as: its letters by how often they occur (Huffman
// 1952), in one canonical form.

namespace netsync::detail {

/// Of each byte how many bits it takes, 0 where it does not occur: a complete prefix code, or none at all. It follows from
/// the text, so that there is one for each; a reader checks that.
class LetterCode {
   public:
    static constexpr unsigned longest = 12;

    static LetterCode of(std::string_view text) {
        std::array<std::uint64_t, 256> counts{};
        for (const char letter : text) ++counts[static_cast<unsigned char>(letter)];
        LetterCode code;
        while (!code.fit(counts))
            for (std::uint64_t& count : counts)
                if (count > 0) count = count / 2 | 1;  // flatter, until no letter takes too many
        return code;
    }

    std::uint8_t& operator[](std::size_t letter) noexcept { return bits_[letter]; }
    std::uint8_t operator[](std::size_t letter) const noexcept { return bits_[letter]; }
    std::size_t letters() const noexcept {
        return 256u - static_cast<std::size_t>(std::count(bits_.begin(), bits_.end(), 0));
    }

    /// Whether every sequence of bits is one of letters.
    bool is_complete() const noexcept {
        std::uint32_t used = 0;
        for (const std::uint8_t bits : bits_) used += bits > 0 ? 1u << (longest - bits) : 0;
        return used == 1u << longest;
    }

    /// The codes: by length, then by letter; the first bit lowest.
    std::array<std::uint16_t, 256> codes() const noexcept {
        std::array<std::uint16_t, 256> codes{};
        std::uint32_t next = 0;
        for (unsigned bits = 1; bits <= longest; ++bits, next <<= 1)
            for (std::size_t letter = 0; letter < 256; ++letter)
                if (bits_[letter] == bits) {
                    std::uint32_t mirrored = 0;
                    for (unsigned bit = 0; bit < bits; ++bit) mirrored |= ((next >> bit) & 1u) << (bits - 1 - bit);
                    codes[letter] = static_cast<std::uint16_t>(mirrored);
                    ++next;
                }
        return codes;
    }

    /// How many bytes a text takes, and the code itself.
    std::size_t size_of(std::string_view text) const noexcept {
        std::size_t bits = 0;
        for (const char letter : text) bits += bits_[static_cast<unsigned char>(letter)];
        return (letters() < 0x80 ? 1u : 2u) + letters() + (letters() + 1) / 2 + (bits + 7) / 8;
    }

    friend bool operator==(const LetterCode&, const LetterCode&) = default;

   private:
    /// The two rarest become one, until all are. False where a letter would take too many bits.
    bool fit(const std::array<std::uint64_t, 256>& counts) {
        std::array<std::uint16_t, 256> letters{};
        std::size_t leaves = 0;
        for (std::size_t letter = 0; letter < 256; ++letter)
            if (counts[letter] > 0) letters[leaves++] = static_cast<std::uint16_t>(letter);
        bits_ = {};
        if (leaves < 2) return true;
        const auto is_rarer = [&](std::uint16_t a, std::uint16_t b) {
            return counts[a] != counts[b] ? counts[a] < counts[b] : a < b;
        };
        std::sort(letters.begin(), letters.begin() + static_cast<std::ptrdiff_t>(leaves), is_rarer);
        std::array<std::uint64_t, 511> weights{};
        std::array<std::uint16_t, 511> above{};
        for (std::size_t at = 0; at < leaves; ++at) weights[at] = counts[letters[at]];
        const std::size_t root = 2 * leaves - 2;
        std::size_t leaf = 0, pair = leaves;
        for (std::size_t made = leaves; made <= root; ++made)
            for (int child = 0; child < 2; ++child) {
                const bool of_leaves = leaf < leaves && (pair == made || weights[leaf] <= weights[pair]);
                const std::size_t taken = of_leaves ? leaf++ : pair++;
                weights[made] += weights[taken];
                above[taken] = static_cast<std::uint16_t>(made);
            }
        std::array<std::uint16_t, 511> depths{};
        for (std::size_t at = root; at-- > 0;) depths[at] = static_cast<std::uint16_t>(depths[above[at]] + 1);
        if (*std::max_element(depths.begin(), depths.end()) > longest) return false;
        for (std::size_t at = 0; at < leaves; ++at) bits_[letters[at]] = static_cast<std::uint8_t>(depths[at]);
        return true;
    }

    std::array<std::uint8_t, 256> bits_{};
};

/// Twice the size, and whether it is packed: then the code, and the letters. Packed where that is shorter.
template <class Archive>
void save_packed(Archive& out, std::string_view text) {
    if (!is_utf8(text)) out.fail(errc::not_utf8);
    out.charge(text.size());
    const LetterCode code = LetterCode::of(text);
    const bool packs = code.letters() > 0 && code.size_of(text) < text.size();
    out.varint(text.size() * 2 + (packs ? 1 : 0));
    if (!packs) return out.raw(std::as_bytes(std::span{text}));
    out.varint(code.letters());
    for (std::size_t letter = 0; letter < 256; ++letter)
        if (code[letter] > 0) out.fixed(static_cast<std::uint8_t>(letter));
    std::uint64_t word = 0;
    unsigned filled = 0;
    const auto add = [&](std::uint64_t bits, unsigned count) {
        word |= bits << filled;
        for (filled += count; filled >= 8; filled -= 8, word >>= 8) out.fixed(static_cast<std::uint8_t>(word & 0xff));
    };
    const auto fill_up = [&] { add(0, (8 - filled) % 8); };
    for (std::size_t letter = 0; letter < 256; ++letter)
        if (code[letter] > 0) add(code[letter], 4);
    fill_up();
    const auto codes = code.codes();
    for (const char letter : text)
        add(codes[static_cast<unsigned char>(letter)], code[static_cast<unsigned char>(letter)]);
    fill_up();
}

/// errc::malformed for anything but what save_packed writes.
template <class Archive>
void load_packed(Archive& in, std::string& text) {
    const std::uint64_t head = in.varint(), size = head / 2;
    const bool packed = head % 2 == 1;
    if (size / (packed ? 8 : 1) > in.remaining()) in.fail(errc::malformed);  // a letter takes a bit at least
    if (in.ok()) in.charge(static_cast<std::size_t>(size));
    if (!in.ok()) return;
    LetterCode code;
    if (!packed) {
        const auto bytes = in.raw(static_cast<std::size_t>(size));
        text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        code = LetterCode::of(text);
        if (!is_utf8(text) || (code.letters() > 0 && code.size_of(text) < text.size())) in.fail(errc::malformed);
        return;
    }
    const std::uint64_t letters = in.varint();
    if (letters < 2 || letters > 256) return in.fail(errc::malformed);
    const auto names = in.raw(static_cast<std::size_t>(letters));
    const auto lengths = in.raw((names.size() + 1) / 2);
    for (std::size_t at = 0; at < names.size() && in.ok(); ++at) {
        const auto bits = std::to_integer<std::uint8_t>((lengths[at / 2] >> (at % 2 * 4)) & std::byte{0xf});
        if (bits > LetterCode::longest || (at > 0 && names[at] <= names[at - 1])) in.fail(errc::malformed);
        code[std::to_integer<std::size_t>(names[at])] = bits;
    }
    if (!in.ok() || !code.is_complete()) return in.fail(errc::malformed);
    struct Decoded {
        std::uint8_t letter, bits;
    };
    std::array<Decoded, 1u << LetterCode::longest> table;
    const auto codes = code.codes();
    for (std::size_t letter = 0; letter < 256; ++letter)
        if (code[letter] > 0)
            for (std::size_t at = codes[letter]; at < table.size(); at += std::size_t{1} << code[letter])
                table[at] = {static_cast<std::uint8_t>(letter), code[letter]};
    text.resize(static_cast<std::size_t>(size));
    const auto coded = in.peek();
    std::size_t at = 0;  // in bits
    for (char& letter : text) {
        const std::size_t byte = at / 8;
        if (byte >= coded.size()) return in.fail(errc::malformed);
        const std::uint64_t word = read_word(coded.data() + byte, std::min<std::size_t>(coded.size() - byte, 8));
        const Decoded decoded = table[(word >> (at % 8)) & (table.size() - 1)];
        letter = static_cast<char>(decoded.letter);
        at += decoded.bits;
    }
    const auto taken = in.raw((at + 7) / 8);
    if (!in.ok()) return;
    const bool padded = at % 8 == 0 || (taken.back() >> (at % 8)) == std::byte{};
    if (!padded || !is_utf8(text) || LetterCode::of(text) != code || code.size_of(text) >= text.size())
        in.fail(errc::malformed);
}

}  // namespace netsync::detail

// ---- netsync/crdt/text.hpp ----

// netsync: text that several replicas edit at once.

namespace netsync {

namespace detail {

/// A few hundred bytes of UTF-8, by code point.
class TextContent {
   public:
    static constexpr std::uint32_t chunk = 128;  // code points inserted at once
    static constexpr std::size_t limit = 640;    // bytes

    TextContent() = default;
    explicit TextContent(std::string_view text) : bytes_(text), points_(count_points(text)) {}

    std::size_t size() const noexcept { return points_; }
    bool is_small() const noexcept { return bytes_.size() <= limit / 3; }
    bool is_full(const TextContent& more, std::size_t first, std::size_t count) const noexcept {
        return bytes_.size() + more.slice(first, count).size() > limit;
    }
    std::string_view slice(std::size_t first, std::size_t count) const noexcept {
        const std::size_t from = byte_at(first);
        return std::string_view{bytes_}.substr(from, byte_at(count, from) - from);
    }
    void insert(std::size_t at, const TextContent& from, std::size_t first, std::size_t count) {
        const std::string_view text = from.slice(first, count);
        bytes_.insert(byte_at(at), text);
        points_ += count;
    }
    void erase(std::size_t at, std::size_t count) {
        const std::size_t from = byte_at(at);
        bytes_.erase(from, byte_at(count, from) - from);
        points_ -= count;
    }
    /// What comes from `at` on, taken out of it.
    TextContent split(std::size_t at) {
        TextContent right;
        const std::size_t from = byte_at(at);
        right.bytes_ = bytes_.substr(from);
        right.points_ = points_ - at;
        bytes_.resize(from);
        points_ = at;
        return right;
    }
    static bool equal(const TextContent& a, std::size_t at, const TextContent& b, std::size_t from, std::size_t count) {
        return a.slice(at, count) == b.slice(from, count);
    }

    /// Text, given out in parts.
    class Source {
       public:
        explicit Source(std::string text) : text_(std::move(text)) {}
        TextContent take(std::size_t points) {
            const std::size_t to = find_point(text_, points, at_), from = std::exchange(at_, to);
            return TextContent{std::string_view{text_}.substr(from, to - from)};
        }

       private:
        std::string text_;
        std::size_t at_ = 0;
    };

    template <class Archive, class Walk>
    static void save(Archive& out, Walk walk) {
        std::string text;
        for (; walk; walk.next_leaf()) text += walk.content().bytes_;
        if (out.space().is_frame())
            out(text);
        else
            save_packed(out, text);
    }
    template <class Archive>
    static Source load(Archive& in, std::uint64_t points) {
        std::string text;
        if (in.space() && in.space()->is_frame())
            in(text);
        else
            load_packed(in, text);
        if (count_points(text) != points) in.fail(errc::malformed);
        return Source{std::move(text)};
    }

   private:
    std::size_t byte_at(std::size_t point, std::size_t from = 0) const noexcept {
        return bytes_.size() == points_ ? from + point : find_point(bytes_, point, from);
    }

    std::string bytes_;
    std::size_t points_ = 0;
};

}  // namespace detail

/// UTF-8 text, indexed by code point. Text inserted at one place by several replicas at once stays whole, the runs one
/// after the other, typed forward or backward (Fugue; Weidner, Kleppmann 2023). An erasure takes the code points that it
/// had seen; nothing is kept of them. An index beyond the end is the end.
/// insert, erase: O(log runs) beside the length of what is inserted or erased; a copy: O(1). A run, which is what was typed
/// without moving the cursor, costs 40 to 80 bytes in memory and some 4 encoded, beside the text itself.
class Text {
   public:
    /// A delta that inserts `text` before code point `index`. Text that is not UTF-8 is refused when the delta is encoded
    /// (errc::not_utf8), and does nothing else.
    [[nodiscard]] Text insert(Change& change, std::size_t index, std::string_view text) const {
        Text delta;
        if (!detail::is_utf8(text)) {
            delta.refused_ = true;
            return delta;
        }
        index = std::min(index, size());
        if (const std::size_t count = detail::count_points(text); count > 0)
            delta.points_ = points_.insert(change, index, count, detail::TextContent::Source{std::string{text}});
        return delta;
    }

    /// A delta that inserts `text` at the end.
    [[nodiscard]] Text append(Change& change, std::string_view text) const { return insert(change, size(), text); }

    /// A delta that erases `count` code points from `index` on, or as many as there are.
    [[nodiscard]] Text erase(Change& change, std::size_t index, std::size_t count = 1) const {
        Text delta;
        delta.points_.made_at(index);
        points_.for_each_in(index, count, [&](const detail::Run& run) { delta.points_.erase(change, run); });
        return delta;
    }

    /// A delta that erases all that is seen here.
    [[nodiscard]] Text clear(Change& change) const { return erase(change, 0, size()); }

    /// See netsync::inverse: what was typed goes, and what was erased is typed again where it was.
    [[nodiscard]] Text inverse(Change& change, const Text& before, const Text& delta, Scope scope) const {
        Text back, work = *this;
        delta.points_.for_each_inserted(points_,
                                        [&](std::size_t, const detail::Run& run) { back.points_.erase(change, run); });
        std::vector<std::pair<std::size_t, std::size_t>> missing;
        points_.for_each_missing(before.points_, delta.points_, scope,
                                 [&](std::size_t index, std::size_t at) { missing.emplace_back(index, at); });
        std::sort(missing.begin(), missing.end());
        for (std::size_t end = missing.size(), from = end; end > 0; end = from) {  // from the last on: the rest stays
            for (--from; from > 0 && missing[from - 1].first == missing[from].first &&
                         missing[from - 1].second + 1 == missing[from].second;)
                --from;
            const Text again =
                work.insert(change, missing[from].first, before.substr(missing[from].second, end - from));
            const CausalContext none;
            work.points_.merge(again.points_, Join{.mine = none, .theirs = none});
            back.points_.merge(again.points_, Join{.mine = none, .theirs = none, .target = Target::delta});
        }
        return back;
    }

    std::size_t size() const noexcept { return points_.size(); }
    bool empty() const noexcept { return size() == 0; }

    /// All of it, as UTF-8. O(size).
    std::string str() const { return substr(0, size()); }
    /// Code points, as UTF-8. O(log runs + count).
    std::string substr(std::size_t index, std::size_t count) const {
        std::string text;
        for_each_part(index, count, [&](std::string_view part) { text += part; });
        return text;
    }
    /// The code point at `index`, which is less than size(). O(log runs).
    char32_t operator[](std::size_t index) const { return detail::code_point(substr(index, 1)); }

    /// Calls `f(std::string_view)` with the parts of `count` code points from `index` on, in order.
    template <class F>
    void for_each_part(std::size_t index, std::size_t count, F&& f) const {
        points_.for_each_value_in(index, count, f);
    }

    /// A place that stays where it is while others edit: the gap before `index`.
    Anchor anchor(std::size_t index) const {
        if (index >= size()) return {};
        const detail::Run run = points_.walk(index).run();
        return {run.element().position, detail::Name::of(run.dot)};
    }
    /// The index of an anchor here.
    std::size_t index_of(const Anchor& anchor) const {
        return anchor.is_end() ? size() : points_.index_of(anchor.position());
    }

    /// For a delta: calls `f(index, text)` for what it inserted and `now` still holds, by where that is there.
    template <class F>
    void for_each_inserted(const Text& now, F&& f) const {
        points_.for_each_inserted(
            now.points_, [&](std::size_t index, const detail::Run& run) { f(index, now.substr(index, run.length)); });
    }
    /// For a delta: calls `f(index, count)` for what it erased, by where that was, as of `now`.
    template <class F>
    void for_each_erased(const Text& now, F&& f) const {
        points_.for_each_erased(now.points_, f);
    }

    bool merge(const Text& theirs, const Join& join) { return points_.merge(theirs.points_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        points_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return points_.is_bottom() && !refused_; }
    template <class Archive>
    void save(Archive& out) const {
        if (refused_) out.fail(errc::not_utf8);
        points_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        points_.load(in);
    }

    friend bool operator==(const Text& a, const Text& b) { return a.points_ == b.points_; }

   private:
    detail::Sequence<detail::TextContent> points_;
    bool refused_ = false;  // a delta of text that is not UTF-8
};

}  // namespace netsync

// ---- netsync/detail/order_key.hpp ----

// netsync: places between places. Two neighbours come in, a key that sorts between them goes out: the order of siblings
// in a tree.

namespace netsync::detail {

/// A position among siblings, ordered as its bytes: a sequence of whole numbers, in a code whose bytes sort as the numbers
/// do (fractional indexing, with steps instead of halves). One after the other, forwards or backwards, takes one number
/// that counts up or down; only places between places nest. At most `max_order_key` bytes.
using OrderKey = std::string;
inline constexpr std::size_t max_order_key = 64;

namespace order_key {

inline constexpr std::int64_t most = 0xffff'ffff;  // of one number, either way
using Numbers = std::vector<std::int64_t>;

/// 0x40 to 0xbf: -64 to 63. Beyond, a byte that says how many follow, and what is left in as few as can be.
inline void append(OrderKey& out, std::int64_t number) {
    if (number >= -64 && number < 64) {
        out += static_cast<char>(number + 0x80);
        return;
    }
    const bool above = number > 0;
    const auto rest = static_cast<std::uint64_t>(above ? number - 64 : -65 - number);
    int size = 1;
    while (size < 4 && rest >> (8 * size) != 0) ++size;
    out += static_cast<char>(above ? 0xbf + size : 0x40 - size);
    for (int at = size - 1; at >= 0; --at) {
        const auto byte = static_cast<unsigned char>(rest >> (8 * at));
        out += static_cast<char>(above ? byte : static_cast<unsigned char>(~byte));
    }
}

/// None where the bytes are no position, or longer than they need be.
inline std::optional<Numbers> read(std::string_view bytes) {
    Numbers numbers;
    if (bytes.empty() || bytes.size() > max_order_key) return std::nullopt;
    for (std::size_t at = 0; at < bytes.size();) {
        const int head = static_cast<unsigned char>(bytes[at++]);
        if (head >= 0x40 && head <= 0xbf) {
            numbers.push_back(head - 0x80);
            continue;
        }
        const bool above = head > 0xbf;
        const int size = above ? head - 0xbf : 0x40 - head;
        if (size > 4 || bytes.size() - at < static_cast<std::size_t>(size)) return std::nullopt;
        std::uint64_t rest = 0;
        for (int left = size; left > 0; --left) {
            const auto byte = static_cast<unsigned char>(bytes[at++]);
            rest = (rest << 8) | (above ? byte : static_cast<unsigned char>(~byte));
        }
        if (size > 1 && rest >> (8 * (size - 1)) == 0) return std::nullopt;
        const auto signed_rest = static_cast<std::int64_t>(rest);
        numbers.push_back(above ? signed_rest + 64 : -65 - signed_rest);
    }
    return numbers;
}

/// The numbers of a position between `before` and `after`, of which either may be empty: there is no such neighbour.
inline Numbers between(const Numbers& before, const Numbers& after) {
    if (before.empty() && after.empty()) return {0};
    if (before.empty()) return {after[0] - 1};
    if (after.empty()) return {before[0] + 1};
    std::size_t same = 0;
    while (same < before.size() && same < after.size() && before[same] == after[same]) ++same;
    Numbers made(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(same));
    if (same == before.size()) {  // `after` lies within `before`
        made.push_back(after[same] - 1);
    } else {
        made.push_back(before[same]);
        if (after[same] - before[same] >= 2)
            ++made.back();
        else
            made.push_back(same + 1 < before.size() ? before[same + 1] + 1 : 0);
    }
    return made;
}

}  // namespace order_key

inline bool is_order_key(std::string_view bytes) { return order_key::read(bytes).has_value(); }

/// The position of the `at`-th of many.
inline OrderKey order_key_at(std::size_t at) {
    OrderKey made;
    order_key::append(made, static_cast<std::int64_t>(at));
    return made;
}

/// A position between two neighbours, either of which may be empty: there is none on that side. None where they leave no
/// room: they are the same, or the result would be too long.
inline std::optional<OrderKey> order_key_between(const OrderKey& before, const OrderKey& after) {
    if (!before.empty() && !after.empty() && before >= after) return std::nullopt;
    const auto left = order_key::read(before), right = order_key::read(after);
    const order_key::Numbers none;
    OrderKey made;
    for (const std::int64_t number : order_key::between(left ? *left : none, right ? *right : none)) {
        if (number > order_key::most || number < -order_key::most) return std::nullopt;
        order_key::append(made, number);
    }
    if (made.size() > max_order_key) return std::nullopt;
    return made;
}

}  // namespace netsync::detail

// ---- netsync/crdt/tree_node.hpp ----

// netsync: what a Tree is made of: names of nodes, moves, and a node with the moves that were made of it.

namespace netsync {

/// Names a node of a Tree, everywhere and for good: the dot that inserted it. `NodeId{}` is the root.
struct NodeId {
    std::uint64_t counter = 0;
    ReplicaId replica{};

    constexpr bool is_root() const noexcept { return *this == NodeId{}; }
    constexpr std::uint64_t prefix() const noexcept { return counter; }  // see detail/key_prefix.hpp
    friend constexpr auto operator<=>(const NodeId&, const NodeId&) = default;
};

namespace detail {

/// What is removed lies under this.
inline constexpr NodeId removed_nodes{1, {}};

/// The root is none, nor is what is removed: neither is ever moved.
constexpr bool is_node(const NodeId& id) noexcept { return !id.replica.is_nil(); }

/// The place of a move among all moves of a tree: they take effect in this order, whatever the order of arrival.
struct Turn {
    Ntp64 time;
    Dot dot;
    NodeId node;

    std::uint64_t prefix() const noexcept { return time.value; }
    friend bool operator<(const Turn& a, const Turn& b) {
        if (a.time != b.time) return a.time < b.time;
        if (a.dot != b.dot) return precedes(a.dot, b.dot);
        return a.node < b.node;
    }
};

struct NoContent {};

/// A node goes under a parent, or among what is removed.
struct Move {
    Dot dot;
    Ntp64 time;
    NodeId parent;
    OrderKey position;
    bool skipped = false;  ///< derived: it would have made a cycle, and has no effect

    friend bool operator==(const Move& a, const Move& b) {
        return a.dot == b.dot && a.time == b.time && a.parent == b.parent && a.position == b.position;
    }
};

/// A node: the moves made of it, in the order of their turns, and its content.
template <class Value>
struct TreeNode {
    std::vector<Move> moves{};
    Value value{};

    static Turn turn(const NodeId& id, const Move& move) { return {move.time, move.dot, id}; }
    static bool is_before(const Move& a, const Move& b) { return turn({}, a) < turn({}, b); }

    const Move* find(const Move& like) const {
        const auto at = std::lower_bound(moves.begin(), moves.end(), like, is_before);
        return at != moves.end() && !is_before(like, *at) ? &*at : nullptr;
    }
    Move* find(const Turn& turn) { return const_cast<Move*>(find(Move{turn.dot, turn.time, {}, {}})); }
    const Move* find(const Turn& turn) const { return find(Move{turn.dot, turn.time, {}, {}}); }

    /// The move that says where the node is: the last one that has an effect; null where there is none.
    const Move* placement() const { return last_effective(moves.end()); }
    /// The same as it was just before a turn; `id` is this node.
    const Move* placement_before(const NodeId& id, const Turn& at) const {
        return last_effective(
            std::partition_point(moves.begin(), moves.end(), [&](const Move& move) { return turn(id, move) < at; }));
    }

    bool merge(const TreeNode& theirs, const Join& join) {
        bool changed = netsync::merge(value, theirs.value, join);
        changed |= std::erase_if(moves, [&](const Move& move) {
                       return join.theirs.contains(move.dot) && !theirs.find(move);
                   }) > 0;
        const auto held = static_cast<std::ptrdiff_t>(moves.size());
        for (const Move& move : theirs.moves)
            if (!join.mine.contains(move.dot) && !holds(move, held)) moves.push_back(move);
        if (held == static_cast<std::ptrdiff_t>(moves.size())) return changed;
        if (held > 0 && is_before(moves[static_cast<std::size_t>(held)], moves[static_cast<std::size_t>(held) - 1]))
            std::sort(moves.begin(), moves.end(), is_before);
        return true;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        for (const Move& move : moves) visit(move.dot);
        netsync::for_each_dot(value, visit);
    }
    bool is_bottom() const { return moves.empty() && netsync::is_bottom(value); }
    bool permits(OwnerId owner) const { return netsync::permits(value, owner); }

    friend bool operator==(const TreeNode& a, const TreeNode& b) {
        return a.moves == b.moves && netsync::equal(a.value, b.value);
    }

   private:
    bool holds(const Move& move, std::ptrdiff_t sorted) const {
        return std::binary_search(moves.begin(), moves.begin() + sorted, move, is_before);
    }
    const Move* last_effective(std::vector<Move>::const_iterator end) const {
        while (end != moves.begin())
            if (!(--end)->skipped) return &*end;
        return nullptr;
    }
};

}  // namespace detail

}  // namespace netsync

// ---- netsync/detail/shared_array.hpp ----

// netsync: an array that is copied cheaply. What is written to it is written to a piece that nobody else shares.

namespace netsync::detail {

/// Grows at its end only. Copy: O(size / 256); each piece is copied once when it is next written to. One thread an array;
/// copies may be used by different threads.
template <class T>
class SharedArray {
   public:
    std::size_t size() const noexcept { return size_; }

    const T& operator[](std::size_t at) const noexcept { return (*pieces_[at / piece_size])[at % piece_size]; }

    void set(std::size_t at, const T& value) {
        std::shared_ptr<Piece>& piece = pieces_[at / piece_size];
        if (piece.use_count() > 1) piece = std::make_shared<Piece>(*piece);
        (*piece)[at % piece_size] = value;
    }

    void push_back(const T& value) {
        if (size_ % piece_size == 0) pieces_.push_back(std::make_shared<Piece>());
        set(size_++, value);
    }

   private:
    static constexpr std::size_t piece_size = 256;
    using Piece = std::array<T, piece_size>;

    std::vector<std::shared_ptr<Piece>> pieces_;
    std::size_t size_ = 0;
};

}  // namespace netsync::detail

// ---- netsync/crdt/moved_nodes.hpp ----

// netsync: what a Tree holds. Moves come in, in any order; where each node is, as if they had come in the order of their
// turns, goes out.

namespace netsync::detail {

/// A child among its siblings: by position, then by name.
struct Sibling {
    OrderKey position;
    NodeId node;

    std::uint64_t prefix() const noexcept { return text_prefix(position); }
    friend bool operator<(const Sibling& a, const Sibling& b) {
        const int order = a.position.compare(b.position);
        return order != 0 ? order < 0 : a.node < b.node;
    }
};

/// The content is `nodes`: nodes by name, each with its moves, all under dots. The rest is derived from it and kept up to
/// date in a state (a delta has none of it): a pure function of the moves that are held. A move has no effect if its node
/// lies above the new parent at its turn. As in the paper a late move undoes those that come after it and does them again;
/// but only those of nodes that are a parent somewhere in the log: others never lie above anything. Nothing here
/// recurses.
template <class Value>
class MovedNodes {
   public:
    using Node = TreeNode<Value>;
    using Siblings = SortedMap<Sibling, NoContent>;

    const DotMap<NodeId, Node>& nodes() const noexcept { return nodes_; }

    /// For deltas.
    Node& operator[](const NodeId& id) { return nodes_[id]; }

    /// Where the way up from a node ends. In a delta nothing is known of the nodes above.
    enum class Top : std::uint32_t { unknown, root, removed };
    Top top_of(const NodeId& id) const { return static_cast<Top>(end_of_way(slot_above(id), none)); }

    /// Whether the way up from `id` comes to `above`, or begins there.
    bool is_within(const NodeId& id, const NodeId& above) const {
        const std::uint32_t slot = slot_of(above);
        return id == above || (slot != 0 && end_of_way(slot_above(id), slot) == slot);
    }

    /// The children of a node; null where it has none.
    const Siblings* children(const NodeId& id) const {
        const Parent* parent = parents_.find(id);
        return parent && !parent->children.empty() ? &parent->children : nullptr;
    }

    bool merge(const MovedNodes& theirs, const Join& join) {
        if (join.target == Target::delta) return nodes_.merge(theirs.nodes_, join);
        if (join.scope == Scope::whole) {
            const bool changed = nodes_.merge(theirs.nodes_, join);
            if (changed) index();
            return changed;
        }
        std::size_t held = 0;
        const std::vector<Turn> fresh = unseen(theirs, join, held);
        for (const Turn& turn : fresh) {
            make_parent(theirs.nodes_.find(turn.node)->find(turn)->parent);
            unplace(turn.node);
        }
        const bool changed = nodes_.merge(theirs.nodes_, join);
        if (count_moves(theirs) != held + fresh.size())
            index();  // a parent of the tree has removed some
        else
            take(fresh);
        return changed;
    }

    /// After nodes were written to directly. O(n log n), and every move of a parent is decided anew.
    void index() {
        parents_.clear();
        log_.clear();
        ways_ = {};
        std::vector<NodeId> skipped;
        for (const auto& [id, node] : nodes_)
            for (const Move& move : node.moves)
                if (move.skipped) skipped.push_back(id);
        for (const NodeId& id : skipped)
            for (Move& move : nodes_.writable(id)->moves) move.skipped = false;
        std::vector<Turn> fresh;
        for (const auto& [id, node] : nodes_)
            for (const Move& move : node.moves) {
                make_parent(move.parent, false);
                fresh.push_back(Node::turn(id, move));
            }
        take(fresh);
    }

    /// What every member has seen up to the first move that some may not have seen is settled: nothing earlier can come.
    /// Of settled moves each node keeps the one that says where it is. A removed node goes, with all below it, unless a
    /// later move speaks of any of these.
    bool drop_stable(const VersionVector& stable) {
        bool dropped = drop_content(stable);
        if (!may_drop()) return dropped;
        const std::optional<Turn> open = first_unstable(stable);
        const std::vector<NodeId> gone = forgettable(open);
        for (const NodeId& id : gone) nodes_.erase(id);
        std::vector<std::pair<NodeId, std::vector<Move>>> less;
        for (const auto& [id, node] : nodes_)
            if (std::vector<Move> moves = superseded(id, node, open); !moves.empty())
                less.emplace_back(id, std::move(moves));
        if (gone.empty() && less.empty()) return dropped;
        for (const auto& [id, moves] : less) {
            Node& node = *nodes_.writable(id);
            std::erase_if(node.moves, [&](const Move& move) {
                return std::binary_search(moves.begin(), moves.end(), move, Node::is_before);
            });
            if (node.is_bottom()) nodes_.erase(id);
        }
        index();
        return true;
    }

    /// The ids of replicas once, by id; then the nodes by name, each with its moves by turn and its content.
    template <class Archive>
    void save(Archive& out) const {
        const std::vector<ReplicaId> ids = replicas();
        out.count(ids.size(), sizeof(ReplicaId));
        for (const ReplicaId& id : ids) out(id);
        const auto name = [&](const NodeId& id) {
            out.varint(id.counter);
            const auto at = std::lower_bound(ids.begin(), ids.end(), id.replica);
            out.varint(is_node(id) ? static_cast<std::uint64_t>(at - ids.begin()) + 1 : 0);
        };
        out.count(nodes_.size(), sizeof(NodeId) + sizeof(Node));
        for (const auto& [id, node] : nodes_) {
            name(id);
            out.count(node.moves.size(), 2 * sizeof(Move));
            for (const Move& move : node.moves) {
                out(move.dot);
                out.stamp(move.time);
                name(move.parent);
                if (move.parent != removed_nodes)
                    out.bytes(std::as_bytes(std::span{move.position.data(), move.position.size()}));
            }
            out(node.value);
        }
    }

    template <class Archive>
    void load(Archive& in) {
        std::vector<ReplicaId> ids(in.count(sizeof(ReplicaId)));
        for (ReplicaId& id : ids) in(id);
        const auto name = [&] {
            NodeId id{in.varint(), {}};
            const std::uint64_t at = in.varint();
            if (at > ids.size() || id.counter > max_counter || (at == 0 && id.counter > 1) ||
                (at > 0 && id.counter == 0))
                in.fail(errc::malformed);
            if (at > 0 && in.ok()) id.replica = ids[at - 1];
            return id;
        };
        std::size_t left = in.count(sizeof(NodeId) + sizeof(Node));
        for (NodeId previous; left > 0 && in.ok(); --left) {
            const NodeId id = name();
            if (!is_node(id) || !(previous < id)) return in.fail(errc::malformed);
            Node& node = nodes_[previous = id];
            for (std::size_t moves = in.count(2 * sizeof(Move)); moves > 0 && in.ok(); --moves) {
                Move move;
                in(move.dot);
                move.time = in.stamp();
                move.parent = name();
                if (move.parent != removed_nodes) {
                    const auto bytes = in.bytes();
                    move.position.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                }
                if (!in.ok()) return;
                if (move.parent == id || (move.parent != removed_nodes && !is_order_key(move.position)) ||
                    (!node.moves.empty() && !Node::is_before(node.moves.back(), move)))
                    return in.fail(errc::malformed);
                node.moves.push_back(std::move(move));
            }
            in(node.value);
            if (in.ok() && node.is_bottom()) return in.fail(errc::malformed);
        }
        if (in.ok() && ids != replicas()) return in.fail(errc::malformed);  // one form only
        if (in.ok() && !(in.space() && in.space()->is_frame())) index();
    }

    friend bool operator==(const MovedNodes& a, const MovedNodes& b) { return a.nodes_ == b.nodes_; }

   private:
    struct Parent {
        std::uint32_t slot = 0;  // in `ways_`; 0: none yet
        Siblings children;       // as of now
    };
    /// What a parent lies under, and how many parents lie under it, as slots.
    struct Way {
        std::uint32_t above = 0;  // 0: none
        std::uint32_t below = 0;
    };
    /// A move of a parent. New in the log, it is neither done nor skipped.
    struct Logged {
        std::uint32_t node = 0;
        std::uint32_t parent = 0;
        std::uint32_t before = 0;  // above the node before this
        bool done = false;
        bool skipped = false;
        friend bool operator==(const Logged&, const Logged&) = default;
    };

    // What is derived.

    /// The moves that are new here, and how many are held already of the nodes mentioned.
    std::vector<Turn> unseen(const MovedNodes& theirs, const Join& join, std::size_t& held_moves) const {
        std::vector<Turn> fresh;
        for (const auto& [id, node] : theirs.nodes_) {
            const Node* held = nodes_.find(id);
            held_moves += held ? held->moves.size() : 0;
            for (const Move& move : node.moves)
                if (!join.mine.contains(move.dot) && !(held && held->find(move))) fresh.push_back(Node::turn(id, move));
        }
        return fresh;
    }

    std::size_t count_moves(const MovedNodes& of) const {
        std::size_t count = 0;
        for (const auto& [id, mention] : of.nodes_)
            if (const Node* held = nodes_.find(id)) count += held->moves.size();
        return count;
    }

    static constexpr std::uint32_t none = static_cast<std::uint32_t>(-1), named = 3;  // the slots below are a Top each

    std::uint32_t slot_of(const NodeId& id) const {
        if (id == removed_nodes) return static_cast<std::uint32_t>(Top::removed);
        if (!is_node(id)) return static_cast<std::uint32_t>(Top::root);
        const Parent* parent = parents_.find(id);
        return parent ? parent->slot : 0;
    }
    std::uint32_t slot_above(const NodeId& id) const {
        if (!is_node(id)) return slot_of(id);
        const Node* node = nodes_.find(id);
        const Move* move = node ? node->placement() : nullptr;
        return move ? slot_of(move->parent) : 0;
    }
    void put_under(std::uint32_t slot, std::uint32_t parent) {
        Way way = ways_[slot];
        const std::uint32_t before = std::exchange(way.above, parent);
        if (before == parent) return;
        ways_.set(slot, way);
        if (before != 0) ways_.set(before, {ways_[before].above, ways_[before].below - 1});
        if (parent != 0) ways_.set(parent, {ways_[parent].above, ways_[parent].below + 1});
    }
    /// Up to `wanted`, or to where there is no further.
    std::uint32_t end_of_way(std::uint32_t slot, std::uint32_t wanted) const {
        while (slot >= named && slot != wanted) slot = ways_[slot].above;
        return slot;
    }

    /// From now on this node may lie above others, so its moves are logged. All have an effect: nothing was below it.
    void make_parent(const NodeId& id, bool log = true) {
        if (!is_node(id)) return;
        while (ways_.size() < named) ways_.push_back({});
        std::uint32_t& slot = parents_.try_emplace(id).first->slot;
        if (slot != 0) return;
        slot = static_cast<std::uint32_t>(ways_.size());
        ways_.push_back({});
        const Node* node = log ? std::as_const(nodes_).find(id) : nullptr;
        if (!node) return;
        const std::uint32_t mine = slot;
        for (const Move& move : node->moves) {
            const std::uint32_t parent = slot_of(move.parent);
            *log_.try_emplace(Node::turn(id, move)).first = {mine, parent, ways_[mine].above, true, false};
            put_under(mine, parent);
        }
    }

    /// Moves that are new, whose parents were made.
    void take(const std::vector<Turn>& fresh) {
        std::optional<Turn> from;
        for (const Turn& turn : fresh) {
            place(turn.node);
            const std::uint32_t slot = slot_of(turn.node);
            if (slot == 0) continue;
            *log_.try_emplace(turn).first = {.node = slot,
                                             .parent = slot_of(nodes().find(turn.node)->find(turn)->parent)};
            if (!from || turn < *from) from = turn;
        }
        if (from) decide(*from);
    }

    /// Undoes the moves from here on and does them again, in order.
    void decide(const Turn& from) {
        std::vector<std::pair<Turn, Logged>> later;
        for (auto at = log_.lower_bound(from); at != log_.end(); ++at) later.emplace_back((*at).key, (*at).value);
        for (auto at = later.rbegin(); at != later.rend(); ++at)
            if (at->second.done) put_under(at->second.node, at->second.before);
        for (const auto& [turn, was] : later) {
            Logged now = was;
            now.before = ways_[now.node].above;
            now.skipped = ways_[now.node].below > 0 && end_of_way(now.parent, now.node) == now.node;
            now.done = !now.skipped;
            if (now.done) put_under(now.node, now.parent);
            if (now == was) continue;
            *log_.find(turn) = now;
            if (now.skipped == was.skipped) continue;
            unplace(turn.node);
            nodes_.writable(turn.node)->find(turn)->skipped = now.skipped;
            place(turn.node);
        }
    }

    void place(const NodeId& id) {
        const Move* move = std::as_const(nodes_).find(id)->placement();
        if (move && move->parent != removed_nodes)
            parents_.try_emplace(move->parent).first->children.try_emplace({move->position, id});
    }
    void unplace(const NodeId& id) {
        const Node* node = std::as_const(nodes_).find(id);
        const Move* move = node ? node->placement() : nullptr;
        if (Parent* parent = move ? parents_.find(move->parent) : nullptr)
            parent->children.erase(Sibling{move->position, id});
    }

    /// Those whose names occur, by id.
    std::vector<ReplicaId> replicas() const {
        std::vector<ReplicaId> ids;
        std::size_t enough = 64;
        const auto unite = [&] {
            std::sort(ids.begin(), ids.end());
            ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
            enough = std::max(enough, 2 * ids.size());
        };
        const auto note = [&](const NodeId& id) {
            if (!is_node(id) || (!ids.empty() && ids.back() == id.replica)) return;
            ids.push_back(id.replica);
            if (ids.size() > enough) unite();
        };
        for (const auto& [id, node] : nodes_) {
            note(id);
            for (const Move& move : node.moves) note(move.parent);
        }
        unite();
        return ids;
    }

    // What is settled.

    bool drop_content(const VersionVector& stable) {
        std::vector<std::pair<NodeId, Value>> less;
        for (const auto& [id, node] : nodes_) {
            Value value = node.value;
            if (netsync::drop_stable(value, stable)) less.emplace_back(id, std::move(value));
        }
        for (auto& [id, value] : less) nodes_.writable(id)->value = std::move(value);
        return !less.empty();
    }

    bool may_drop() const {
        for (const auto& [id, node] : nodes_) {
            if (node.moves.size() > 1) return true;
            for (const Move& move : node.moves)
                if (move.skipped || move.parent == removed_nodes) return true;
        }
        return false;
    }

    std::optional<Turn> first_unstable(const VersionVector& stable) const {
        std::optional<Turn> first;
        for (const auto& [id, node] : nodes_)
            for (const Move& move : node.moves)
                if (!stable.contains(move.dot))
                    if (const Turn turn = Node::turn(id, move); !first || turn < *first) first = turn;
        return first;
    }

    /// The removed nodes that no move from `open` on speaks of, nor of any other that was removed together with them.
    std::vector<NodeId> forgettable(const std::optional<Turn>& open) const {
        SortedMap<NodeId, NodeId> tops;          // of each node the last one above it, itself where it is that
        SortedMap<NodeId, NoContent> mentioned;  // tops
        for (const auto& [id, node] : nodes_) find_top(id, open, tops);
        if (open)
            for (const auto& [id, node] : nodes_)
                for (const Move& move : node.moves)
                    if (!(Node::turn(id, move) < *open))
                        for (const NodeId& spoken_of : {id, move.parent})
                            if (const NodeId* top = std::as_const(tops).find(spoken_of)) mentioned.try_emplace(*top);
        std::vector<NodeId> result;
        for (const auto& [id, top] : tops) {
            const Node* node = nodes_.find(top);
            const Move* move = node ? placement(top, *node, open) : nullptr;
            if (move && move->parent == removed_nodes && !std::as_const(mentioned).find(top)) result.push_back(id);
        }
        return result;
    }

    /// Notes the top of a node and of all on the way.
    void find_top(NodeId id, const std::optional<Turn>& open, SortedMap<NodeId, NodeId>& tops) const {
        std::vector<NodeId> way;
        NodeId top = id;
        for (;; id = placement(id, *nodes_.find(id), open)->parent) {
            if (!is_node(id)) break;
            if (const NodeId* known = std::as_const(tops).find(id)) {
                top = *known;
                break;
            }
            way.push_back(top = id);
            const Node* node = nodes_.find(id);
            if (!node || !placement(id, *node, open)) break;
        }
        for (const NodeId& passed : way) *tops.try_emplace(passed).first = top;
    }

    static const Move* placement(const NodeId& id, const Node& node, const std::optional<Turn>& open) {
        return open ? node.placement_before(id, *open) : node.placement();
    }

    /// The settled moves of a node that do not say where it is.
    static std::vector<Move> superseded(const NodeId& id, const Node& node, const std::optional<Turn>& open) {
        std::vector<Move> result;
        if (node.moves.size() == 1 && !node.moves[0].skipped) return result;
        const Move* stands = placement(id, node, open);
        for (const Move& move : node.moves)
            if (&move != stands && (!open || Node::turn(id, move) < *open)) result.push_back(move);
        return result;
    }

    DotMap<NodeId, Node> nodes_;
    SortedMap<NodeId, Parent> parents_;
    SharedArray<Way> ways_;        // by slot
    SortedMap<Turn, Logged> log_;  // the moves of parents
};

}  // namespace netsync::detail

// ---- netsync/crdt/tree.hpp ----

// netsync: a tree whose nodes are moved concurrently, and which stays a tree.

namespace netsync {

/// Nodes with content under a root, siblings in order, each movable with all below it (Kleppmann, Mulligan, Gomes,
/// Beresford: A highly-available move operation for replicated trees, 2022). All moves take effect in the order of
/// their timestamps, at every replica; one that would put a node below itself has no effect. So of concurrent moves of
/// one node the later stands, two that together make a cycle leave the later one out, and no node is ever lost or in two
/// places. `Value` is a causal CRDT, empty at first.
///
/// Removing moves a node, with what is below it, out of the tree: against a concurrent move of the same node the later
/// stands; what was moved out of the subtree stays, wherever its own move put it; what was moved into it goes. Content
/// that is changed concurrently does not bring a node back.
///
/// Moves are kept until every member has seen them and nothing earlier can come (causal stability): then each node keeps
/// the one that says where it is, and removed ones go. In an OrMap all are kept, until the key is removed.
/// insert, move, remove: O(log size + depth + position); of a node that has had children, also O(depth) for each such
/// move that was made at once and has a later time. Copy: O(1).
template <class Value>
class Tree {
   public:
    static constexpr NodeId root{};
    static constexpr std::size_t last = static_cast<std::size_t>(-1);  ///< a position: behind all others

    /// A delta that inserts a node as the `position`-th child of `parent`: `inserted()` of the delta is its name. Nothing
    /// where `parent` is not in the tree. `content(const Value&, Change&)` gives what the node holds at first.
    template <class F>
    [[nodiscard]] Tree insert(Change& change, const NodeId& parent, std::size_t position, F&& content) const {
        Tree delta;
        if (!contains(parent)) return delta;
        const Dot dot = change.mint();
        const NodeId node{dot.counter(), id_of(dot.replica())};
        put(delta, change, dot, node, parent, position);
        delta.nodes_[node].value = content(bottom(), change);
        return delta;
    }
    [[nodiscard]] Tree insert(Change& change, const NodeId& parent, std::size_t position = last) const {
        return insert(change, parent, position, [](const Value&, Change&) { return Value{}; });
    }

    /// A delta that makes `node`, with all below it, the `position`-th child of `parent`, itself not counted. Nothing where
    /// one of them is not in the tree, or `parent` is `node` or below it.
    [[nodiscard]] Tree move(Change& change, const NodeId& node, const NodeId& parent,
                            std::size_t position = last) const {
        Tree delta;
        if (node.is_root() || !contains(node) || !contains(parent) || nodes_.is_within(parent, node)) return delta;
        put(delta, change, change.mint(), node, parent, position);
        return delta;
    }

    /// A delta that removes `node` and what is below it; nothing where it is not in the tree, or the root.
    [[nodiscard]] Tree remove(Change& change, const NodeId& node) const {
        Tree delta;
        if (node.is_root() || !contains(node)) return delta;
        delta.add_move(change, change.mint(), node, detail::removed_nodes, {});
        return delta;
    }

    /// A delta that changes the content of `node`: `f(const Value&, Change&)` returns the content's delta. Nothing where
    /// the node is not in the tree.
    template <class F>
    [[nodiscard]] Tree update(Change& change, const NodeId& node, F&& f) const {
        Tree delta;
        if (node.is_root() || !contains(node)) return delta;
        if (Value part = f(nodes().find(node)->value, change); !netsync::is_bottom(part))
            delta.nodes_[node].value = std::move(part);
        return delta;
    }

    /// Whether `node` is in the tree, as the root is. O(depth log size), as all that follow.
    bool contains(const NodeId& node) const { return nodes_.top_of(node) == Top::root; }

    /// The content of a node, or null where it is not in the tree. Good until the tree changes.
    const Value* find(const NodeId& node) const {
        const auto* held = nodes().find(node);
        return held && nodes_.top_of(node) != Top::removed ? &held->value : nullptr;
    }

    /// The parent of a node; none for the root, and where the node is not in the tree.
    std::optional<NodeId> parent(const NodeId& node) const {
        if (node.is_root() || !contains(node)) return std::nullopt;
        return nodes().find(node)->placement()->parent;
    }

    /// The children of a node in order.
    std::vector<NodeId> children(const NodeId& node = root) const {
        std::vector<NodeId> result;
        if (!contains(node)) return result;
        for_each_below(node, [&](const detail::Sibling& child) { result.push_back(child.node); });
        return result;
    }

    /// Calls `f(node, value, depth)` for each node, parents before their children, siblings in order; depth 0 lies under
    /// the root. Without recursion, however deep the tree.
    template <class F>
    void for_each(F&& f) const {
        std::vector<std::pair<NodeId, std::size_t>> todo;
        const auto add = [&](const NodeId& parent, std::size_t depth) {
            const std::size_t from = todo.size();
            for_each_below(parent, [&](const detail::Sibling& child) { todo.emplace_back(child.node, depth); });
            std::reverse(todo.begin() + static_cast<std::ptrdiff_t>(from), todo.end());
        };
        add(root, 0);
        while (!todo.empty()) {
            const auto [node, depth] = todo.back();
            todo.pop_back();
            f(node, nodes().find(node)->value, depth);
            add(node, depth + 1);
        }
    }

    bool empty() const { return children().empty(); }
    /// O(size): what is removed and not yet forgotten is not counted.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const NodeId&, const Value&, std::size_t) { ++count; });
        return count;
    }

    /// For a delta: the node that it inserts; the root where it inserts none.
    NodeId inserted() const {
        for (const auto& [id, node] : nodes())
            for (const detail::Move& move : node.moves)
                if (id == NodeId{move.dot.counter(), id_of(move.dot.replica())}) return id;
        return root;
    }
    /// For a delta: calls `f(node)` for each that it inserts, moves, removes, or changes the content of.
    template <class F>
    void for_each_mentioned(F&& f) const {
        nodes().for_each_mentioned(f);
    }
    bool mentions(const NodeId& node) const { return nodes().mentions(node); }
    /// For a delta: whether it puts `node` anywhere, and whether that is where it begins.
    bool moves(const NodeId& node) const {
        const auto* made = nodes().find(node);
        return made && !made->moves.empty();
    }
    bool inserts(const NodeId& node) const {
        const auto* made = nodes().find(node);
        return made && std::any_of(made->moves.begin(), made->moves.end(), [&](const detail::Move& move) {
                   return node == NodeId{move.dot.counter(), id_of(move.dot.replica())};
               });
    }
    /// For a delta: the part that changes the content of `node`; null where it does not.
    const Value* content(const NodeId& node) const {
        const auto* made = nodes().find(node);
        return made && !netsync::is_bottom(made->value) ? &made->value : nullptr;
    }

    bool merge(const Tree& theirs, const Join& join) {
        static_assert(causal<Value>, "netsync: the content of a Tree's nodes must model netsync::causal (all of it "
                                     "under dots); wrap a monotone type as netsync::Joined<T>");
        return nodes_.merge(theirs.nodes_, join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        nodes().for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return nodes().is_bottom(); }
    bool permits(OwnerId owner) const { return nodes().permits(owner); }
    bool drop_stable(const VersionVector& stable) { return nodes_.drop_stable(stable); }
    template <class Archive>
    void save(Archive& out) const {
        nodes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        nodes_.load(in);
    }

    friend bool operator==(const Tree&, const Tree&) = default;

   private:
    using Top = typename detail::MovedNodes<Value>::Top;

    const auto& nodes() const noexcept { return nodes_.nodes(); }

    static const Value& bottom() {
        static const Value value{};
        return value;
    }

    template <class F>
    void for_each_below(const NodeId& parent, F&& f) const {
        if (const auto* children = nodes_.children(parent))
            for (const auto& [child, nothing] : *children) f(child);
    }

    void add_move(const Change& change, Dot dot, const NodeId& node, const NodeId& parent, detail::OrderKey position) {
        nodes_[node].moves = {{dot, change.time(), parent, std::move(position)}};
    }

    /// Notes in `delta` that `node` goes under `parent`. Where its neighbours leave no room between them, siblings move
    /// aside within their parent: those that were put in one place at once, or, very rarely, all.
    void put(Tree& delta, Change& change, Dot dot, const NodeId& node, const NodeId& parent,
             std::size_t position) const {
        detail::OrderKey before, after;
        find_neighbours(node, parent, position, before, after);
        if (std::optional<detail::OrderKey> made = detail::order_key_between(before, after))
            return delta.add_move(change, dot, node, parent, *std::move(made));
        std::vector<detail::Sibling> all;
        for_each_below(parent, [&](const detail::Sibling& child) {
            if (child.node != node) all.push_back(child);
        });
        const std::size_t first = std::min(position, all.size());
        std::size_t end = first;
        while (end < all.size() && all[end].position == before) ++end;
        std::vector<detail::OrderKey> places{before};
        for (std::size_t at = first; at <= end; ++at)
            if (auto made = detail::order_key_between(places.back(), end < all.size() ? all[end].position : ""))
                places.push_back(*std::move(made));
        if (places.size() == end - first + 2) {
            delta.add_move(change, dot, node, parent, places[1]);
            for (std::size_t at = first; at < end; ++at)
                delta.add_move(change, change.mint(), all[at].node, parent, places[at - first + 2]);
            return;
        }
        delta.add_move(change, dot, node, parent, detail::order_key_at(first));
        for (std::size_t at = 0; at < all.size(); ++at)
            delta.add_move(change, change.mint(), all[at].node, parent, detail::order_key_at(at < first ? at : at + 1));
    }

    /// The positions beside which the `at`-th child would lie, `node` not counted.
    void find_neighbours(const NodeId& node, const NodeId& parent, std::size_t at, detail::OrderKey& before,
                         detail::OrderKey& after) const {
        const auto* children = nodes_.children(parent);
        if (!children) return;
        if (at >= children->size()) {
            before = children->last().key.position;
            return;
        }
        for (const auto& [child, nothing] : *children) {
            if (child.node == node) continue;
            if (at-- == 0) {
                after = child.position;
                return;
            }
            before = child.position;
        }
    }

    detail::MovedNodes<Value> nodes_;
};

}  // namespace netsync

// ---- netsync/crdt/two_phase_set.hpp ----

// netsync: a set whose elements are removed for good.

namespace netsync {

/// The two-phase set (Shapiro et al. 2011): an element that was once removed never comes back, whatever is added before,
/// meanwhile or later: for names that are used once. Each removed element costs its key and a mark, for ever; only a
/// removable parent forgets the marks that its remover had seen. add, remove, contains: O(log size).
template <class Element>
class TwoPhaseSet {
   public:
    /// A delta that adds `element`; nothing where it is there, or was removed.
    [[nodiscard]] TwoPhaseSet add(Change& change, Element element) const {
        TwoPhaseSet delta;
        if (!elements_.find(element)) delta.elements_[element].adds = DotSet{change.mint()};
        return delta;
    }

    /// A delta that removes `element` for good; nothing where it is absent.
    template <class Query>
    [[nodiscard]] TwoPhaseSet remove(Change& change, const Query& element) const {
        TwoPhaseSet delta;
        const detail::Marked* held = elements_.find(element);
        if (!held || !held->present()) return delta;
        change.remove_all(*held);
        delta.elements_[Element(element)].marks = DotSet{change.mint()};
        return delta;
    }

    template <class Query>
    bool contains(const Query& element) const {
        const detail::Marked* held = elements_.find(element);
        return held && held->present();
    }
    /// Whether `element` was removed, and so can never be added again.
    template <class Query>
    bool was_removed(const Query& element) const {
        const detail::Marked* held = elements_.find(element);
        return held && !held->marks.is_bottom();
    }
    /// O(n): removed elements are skipped.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Element&) { ++count; });
        return count;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return size() == 0; }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, held] : elements_)
            if (held.present()) f(element);
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        elements_.for_each_mentioned(f);
    }

    bool merge(const TwoPhaseSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        elements_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const TwoPhaseSet&, const TwoPhaseSet&) = default;

   private:
    DotMap<Element, detail::Marked> elements_;
};

}  // namespace netsync

// ---- netsync/detail/random.hpp ----

// netsync: reproducible randomness. One seed in, the same choices out, on every machine.

namespace netsync::detail {

/// A counter through a mixer (as splitmix64): good enough for choosing peers and moments, not for secrets.
class Random {
   public:
    explicit Random(std::uint64_t seed = 0) : state_(seed) {}

    std::uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15u, 0x8ebc6af09c88c6e3u); }
    /// Uniform in [0, bound); 0 for a bound of 0. The bias is below bound / 2^64.
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }

   private:
    std::uint64_t state_;
};

}  // namespace netsync::detail

// ---- netsync/wire/limits.hpp ----

// netsync: caps on everything that a peer can make us hold or do, in one place.

namespace netsync {

/// Sizes in bytes unless they say otherwise. A replica refuses to make what others with the same limits would refuse.
struct Limits {
    std::size_t frame = 16u << 20;             ///< one change, encoded; a larger `update` fails with errc::too_large
    std::size_t state = std::size_t{4} << 30;  ///< a whole state, encoded
    std::size_t datagram = 1200;               ///< an announcement
    std::size_t transfer = 256u << 10;         ///< one message of frames or one chunk of a state, about
    std::size_t backlog = 4u << 20;  ///< memory of one link's unsent messages, beyond which updates wait for gossip
    std::size_t depth = 128;         ///< nesting of one encoded value
    std::size_t log = 8u << 20;      ///< frames logged until a snapshot takes the place of those all have
    std::size_t replicas = 4096;     ///< entries of a version vector
    std::size_t members = 1024;      ///< members known
    std::size_t links = 2048;        ///< links open, strangers included
    std::size_t buffered_frames = 10'000;    ///< frames that wait for others
    std::size_t buffered_bytes = 16u << 20;  ///< the same, in bytes
    std::size_t waiters = 1024;              ///< calls that wait for a change to be replicated

    /// The largest message a transport must carry.
    std::size_t message() const noexcept { return std::max(frame, transfer) + 4096; }

    /// Memory that decoding `size` bytes of a frame may cost: 1 MiB for up to 64 KiB, 32 times the size beyond.
    static std::size_t frame_budget(std::size_t size) noexcept {
        return size <= (64u << 10) ? std::size_t{1} << 20 : std::max(std::size_t{1} << 20, size * 32);
    }
    /// Whether a delta of this size, which costs so much memory to read, leaves room for a frame's header.
    bool fits_frame(std::size_t size, std::size_t cost) const noexcept {
        constexpr std::size_t header = 128u << 10;
        return size + header / 2 <= std::max<std::size_t>(frame, header) && cost + header <= frame_budget(size) &&
               size <= frame;
    }
    /// The same for a whole state, whose bytes were received already.
    static std::size_t state_budget(std::size_t size) noexcept { return (std::size_t{1} << 20) + size * 64; }
};

}  // namespace netsync

// ---- netsync/options.hpp ----

// netsync: what a program tells its replica at the start. Each policy reads the part that concerns it.

namespace netsync {

using Duration = std::chrono::nanoseconds;

/// A uniform random time between `least` (included) and `most` (excluded).
struct Interval {
    Duration least;
    Duration most;

    Duration pick(detail::Random& random) const noexcept {
        const auto width = (most - least).count();
        return least +
               Duration{static_cast<std::int64_t>(random.below(width > 0 ? static_cast<std::uint64_t>(width) : 0))};
    }
};

/// `{.pool = "home"}` is enough on a LAN. Every member has a default that suits a handful of machines.
struct Options {
    std::string pool = "netsync";  ///< replicas of one pool share their data; others are refused
    std::string name{};            ///< who this replica belongs to, see ReplicaId; empty: a random owner at each start
    std::string file{};            ///< of a store on disk
    bool manual_start = false;     ///< true: nothing is opened until start()

    std::uint16_t port = 0;                ///< to listen on; 0: any free one
    std::uint16_t discovery_port = 21075;  ///< UDP, shared by all replicas of a machine
    std::vector<std::string> peers{};      ///< HOST:PORT of replicas that announcements do not reach

    Duration max_drift = std::chrono::milliseconds{100};  ///< how far ahead a remote stamp may be
    Interval announce{std::chrono::seconds{15}, std::chrono::seconds{30}};
    Interval gossip{std::chrono::milliseconds{500}, std::chrono::milliseconds{1500}};
    Duration keepalive_interval = std::chrono::seconds{1};
    Duration keepalive_timeout = std::chrono::seconds{5};  ///< of silence, until a member is offline
    Duration answer_timeout = std::chrono::seconds{2};     ///< of silence, until another member is asked
    Duration stale_after = std::chrono::hours{24 * 7};     ///< of absence, until nothing is kept for a member
    Interval redial{std::chrono::milliseconds{500}, std::chrono::seconds{30}};  ///< between dials of one who is away

    std::uint64_t seed = 0;  ///< of all random choices; 0: drawn from the transport
    Limits limits{};
};

}  // namespace netsync

// ---- netsync/causal/causal_buffer.hpp ----

// netsync: the waiting room of causal delivery. Changes come in as they arrive, and go out when all that they depend on
// is in. What is missing is told as contiguous ranges, so that any replica that holds them may be asked.

namespace netsync {

/// Counters of one replica, by its id: what is asked for and what is missing. Ends included.
struct CounterRange {
    ReplicaId replica;
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    friend constexpr auto operator<=>(const CounterRange&, const CounterRange&) = default;
};

/// What a buffered item tells about itself: the dots it fills and, beyond its own predecessor, what it was made after.
template <class Item>
concept causal_item = requires(const Item& item) {
    { item.dots() } -> std::convertible_to<CounterRange>;
    { item.dependencies() };  // a range of {ReplicaId replica; std::uint64_t counter;}
    { item.size_bytes() } -> std::convertible_to<std::size_t>;
};

/// What became of an item that was offered.
enum class Arrival { ready, duplicate, held, refused };

/// Holds items until they are causally ready (Birman, Schiper, Stephenson 1991). Bounded in items and bytes: what does
/// not fit is refused, not forgotten, since its absence from the version vector makes gossip bring it again. Nothing is
/// interned for an item that waits, so a stranger's ids cost nothing. One thread.
template <causal_item Item>
class CausalBuffer {
   public:
    CausalBuffer(std::size_t max_items, std::size_t max_bytes) : max_items_(max_items), max_bytes_(max_bytes) {}

    std::size_t size() const noexcept { return size_; }
    std::size_t size_bytes() const noexcept { return bytes_; }
    std::uint64_t refused() const noexcept { return refused_; }

    /// `ready`: apply it now (it was not kept). `held`: it waits inside. `refused`: the buffer is full.
    Arrival offer(const Item& item, const VersionVector& seen) {
        const CounterRange dots = item.dots();
        if (dots.last <= counter_in(seen, dots.replica)) return Arrival::duplicate;
        if (is_ready(item, seen)) return Arrival::ready;
        if (dots.first <= counter_in(seen, dots.replica)) return Arrival::refused;  // half seen: of no history we know
        auto& waiting = waiting_[dots.replica];
        if (waiting.contains(dots.first)) return Arrival::duplicate;
        if (size_ >= max_items_ || bytes_ + item.size_bytes() > max_bytes_) {
            if (waiting.empty()) waiting_.erase(dots.replica);
            ++refused_;
            return Arrival::refused;
        }
        ++size_;
        bytes_ += item.size_bytes();
        waiting.emplace(dots.first, item);
        return Arrival::held;
    }

    /// Takes out one item that has become ready, if there is any. O(replicas that wait).
    std::optional<Item> take(const VersionVector& seen) {
        for (auto origin = waiting_.begin(); origin != waiting_.end();) {
            auto& items = origin->second;
            while (!items.empty() && items.begin()->second.dots().last <= counter_in(seen, origin->first))
                drop(items, items.begin());
            if (items.empty()) {
                origin = waiting_.erase(origin);
                continue;
            }
            if (is_ready(items.begin()->second, seen)) {
                std::optional<Item> ready{std::move(items.begin()->second)};
                bytes_ -= ready->size_bytes();
                --size_;
                items.erase(items.begin());
                if (items.empty()) waiting_.erase(origin);
                return ready;
            }
            ++origin;
        }
        return std::nullopt;
    }

    /// Drops each waiting item that begins before its origin's next, or is the next and `is_wrong(item)`. What it waits
    /// for may never come, and as long as it waits the right one is not asked for. O(replicas that wait).
    template <class F>
    void drop_next_if(const VersionVector& seen, F&& is_wrong) {
        for (auto origin = waiting_.begin(); origin != waiting_.end();) {
            auto& items = origin->second;
            const std::uint64_t counter = counter_in(seen, origin->first);
            while (!items.empty() && items.begin()->first <= counter) drop(items, items.begin());
            const auto next = items.find(counter + 1);
            if (next != items.end() && is_wrong(next->second)) drop(items, next);
            origin = items.empty() ? waiting_.erase(origin) : std::next(origin);
        }
    }

    /// Drops what waits: for a state that replaces it, or a restart.
    void clear() {
        waiting_.clear();
        size_ = bytes_ = 0;
    }

    /// What is missing between `seen` and `wanted` and does not wait here: the ranges to ask for, by replica id.
    template <class Wanted>  // a range of {ReplicaId replica; std::uint64_t counter;}
    std::vector<CounterRange> gaps(const VersionVector& seen, const Wanted& wanted) const {
        std::vector<CounterRange> result;
        for (const auto& entry : wanted) {
            std::uint64_t next = counter_in(seen, entry.replica) + 1;
            if (const auto waiting = waiting_.find(entry.replica); waiting != waiting_.end())
                for (const auto& [first, item] : waiting->second) {
                    if (first > entry.counter) break;
                    if (next < first) result.push_back({entry.replica, next, first - 1});
                    next = std::max(next, item.dots().last + 1);
                }
            if (next <= entry.counter) result.push_back({entry.replica, next, entry.counter});
        }
        return result;
    }

   private:
    using Items = std::map<std::uint64_t, Item>;

    static std::uint64_t counter_in(const VersionVector& seen, const ReplicaId& id) {
        const ReplicaIndex index = find_index(id);
        return index == ReplicaIndex{} ? 0 : seen.counter(index);
    }

    static bool is_ready(const Item& item, const VersionVector& seen) {
        const CounterRange dots = item.dots();
        if (dots.first != counter_in(seen, dots.replica) + 1) return false;
        for (const auto& needed : item.dependencies())
            if (counter_in(seen, needed.replica) < needed.counter) return false;
        return true;
    }

    void drop(Items& items, typename Items::iterator at) {
        bytes_ -= at->second.size_bytes();
        --size_;
        items.erase(at);
    }

    std::size_t max_items_;
    std::size_t max_bytes_;
    std::map<ReplicaId, Items> waiting_;
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace netsync

// ---- netsync/wire/archive.hpp ----

// netsync: what can be encoded, and how each kind is told apart. Shared by Output and Input, so that both agree.

// The archives speak cereal's interface, so types written for cereal work unchanged; cereal itself is not needed.
namespace cereal {
class access;
template <class T>
class NameValuePair;
template <class Base>
struct base_class;
}  // namespace cereal

namespace netsync::detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T, class A>
inline constexpr bool is_vector<std::vector<T, A>> = true;

template <class T>
inline constexpr bool is_map = false;
template <class K, class V, class C, class A>
inline constexpr bool is_map<std::map<K, V, C, A>> = true;
template <class K, class V, class H, class E, class A>
inline constexpr bool is_map<std::unordered_map<K, V, H, E, A>> = true;

template <class T>
inline constexpr bool is_set = false;
template <class K, class C, class A>
inline constexpr bool is_set<std::set<K, C, A>> = true;
template <class K, class H, class E, class A>
inline constexpr bool is_set<std::unordered_set<K, H, E, A>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;

template <class T>
inline constexpr bool is_pointer_like = std::is_pointer_v<T>;
template <class T, class D>
inline constexpr bool is_pointer_like<std::unique_ptr<T, D>> = true;
template <class T>
inline constexpr bool is_pointer_like<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_pointer_like<std::weak_ptr<T>> = true;

template <class T>
concept tuple_like = !is_std_array<T> && requires { std::tuple_size<T>::value; };

/// One raw byte on the wire.
template <class T>
concept byte_like = std::same_as<T, std::byte> || (std::integral<T> && sizeof(T) == 1 && !std::same_as<T, bool>);

template <class T>
inline constexpr bool is_byte_vector = false;
template <byte_like T, class A>
inline constexpr bool is_byte_vector<std::vector<T, A>> = true;

template <class T>
inline constexpr bool is_byte_array = false;
template <byte_like T, std::size_t N>
inline constexpr bool is_byte_array<std::array<T, N>> = true;

template <class T>
inline constexpr bool is_name_value_pair = false;
template <class T>
inline constexpr bool is_name_value_pair<cereal::NameValuePair<T>> = true;
template <class T>
inline constexpr bool is_base_class = false;
template <class T>
inline constexpr bool is_base_class<cereal::base_class<T>> = true;

// cereal's four ways to name the fields of a type. A record is enclosed in its length, so that an older program skips
// the fields that a newer one has added at its end.
template <class T, class Archive>
concept has_member_serialize = requires(T& value, Archive& archive) { value.serialize(archive); };
template <class T, class Archive>
concept has_free_serialize = requires(T& value, Archive& archive) { serialize(archive, value); };
template <class T, class Archive, class Access = cereal::access>
concept has_private_serialize = requires(T& value, Archive& archive) { Access::member_serialize(archive, value); };

template <class T, class Archive>
concept has_record =
    has_member_serialize<T, Archive> || has_free_serialize<T, Archive> || has_private_serialize<T, Archive>;

template <class Archive, class T, class Access = cereal::access>
void serialize_record(Archive& archive, T& value) {
    if constexpr (has_member_serialize<T, Archive>)
        value.serialize(archive);
    else if constexpr (has_free_serialize<T, Archive>)
        serialize(archive, value);
    else if constexpr (has_private_serialize<T, Archive>)
        Access::member_serialize(archive, value);
    else
        for_each_field([&](auto& field) { archive(field); }, value);
}

template <class T>
inline constexpr bool always_false = false;

}  // namespace netsync::detail

// ---- netsync/wire/bytes.hpp ----

// netsync: bytes as they are stored and sent.

namespace netsync {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// Bytes that no longer change: encoded once, then logged and sent to many peers without a copy. Or null. They lie in one
/// piece with the count of their owners: each change allocates some. Copies may be used by different threads.
class SharedBytes {
   public:
    SharedBytes() = default;
    SharedBytes(std::nullptr_t) noexcept {}
    /// A copy.
    explicit SharedBytes(ByteView bytes) {
        *this = make(bytes.size(), [&](std::byte* at) {
            if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
        });
    }
    /// Takes them over.
    explicit SharedBytes(Bytes&& bytes) : piece_(new(::operator new(sizeof(Kept))) Kept(std::move(bytes))) {}
    /// Of this size, as `write(at)` writes them.
    template <class F>
    static SharedBytes make(std::size_t size, F&& write) {
        SharedBytes made;
        made.piece_ = new (Room::allocate(sizeof(Piece) + size)) Piece{};
        auto* const at = reinterpret_cast<std::byte*>(made.piece_ + 1);
        made.piece_->view = {at, size};
        write(at);
        return made;
    }

    SharedBytes(const SharedBytes& other) noexcept : piece_(other.piece_) {
        if (piece_) piece_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    SharedBytes(SharedBytes&& other) noexcept : piece_(std::exchange(other.piece_, nullptr)) {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(piece_, other.piece_);
        return *this;
    }
    ~SharedBytes() {
        if (piece_ && piece_->is_let_go()) free();
    }

    explicit operator bool() const noexcept { return piece_ != nullptr; }
    const ByteView& operator*() const noexcept { return piece_->view; }
    const ByteView* operator->() const noexcept { return &piece_->view; }

    /// How many share them; 0 for null.
    std::size_t use_count() const noexcept { return piece_ ? piece_->owners.load(std::memory_order_acquire) : 0; }

    friend bool operator==(const SharedBytes& bytes, std::nullptr_t) noexcept { return !bytes; }
    /// The same bytes, wherever they lie.
    friend bool operator==(const SharedBytes& a, const SharedBytes& b) noexcept {
        if (!a || !b) return !a && !b;
        return std::equal(a->begin(), a->end(), b->begin(), b->end());
    }

   private:
    /// What was made here follows it in memory.
    struct Piece {
        std::atomic<std::size_t> owners{1};
        ByteView view{};

        bool is_let_go() noexcept {
            return owners.load(std::memory_order_acquire) == 1 || owners.fetch_sub(1, std::memory_order_acq_rel) == 1;
        }
    };

    /// What was taken over is kept beside it.
    struct Kept : Piece {
        explicit Kept(Bytes&& taken) : bytes(std::move(taken)) { this->view = bytes; }
        Bytes bytes;
    };

    void free() noexcept {
        const bool is_made_here = piece_->view.data() == reinterpret_cast<const std::byte*>(piece_ + 1);
        if (is_made_here) return Room::free(piece_, sizeof(Piece) + piece_->view.size());
        std::destroy_at(static_cast<Kept*>(piece_));
        ::operator delete(piece_);
    }

    using Room = detail::Spare<SharedBytes>;  // a frame that nobody keeps is gone when its update returns

    Piece* piece_ = nullptr;
};

}  // namespace netsync

// ---- netsync/wire/dot_space.hpp ----

// netsync: which dots an encoded value may speak of. Dots go out as their number within it and come in checked
// against it, so that no bytes can name a dot outside of their frame or their state's context.

namespace netsync {

/// Dots are numbered through: those of the first range, then those of the next.
/// For a frame: the range it minted, and its timestamp. For a state: its version vector as ranges from 1, by replica
/// id, and the latest time in it. Values with neither have an empty space. No time beyond `time` can be encoded.
class DotSpace {
   public:
    DotSpace() = default;
    DotSpace(DotRange minted, Ntp64 time) : minted_(minted), single_(true), time_(time) {}
    DotSpace(std::vector<DotRange> by_id, Ntp64 time) : time_(time) {
        Ranges& all = ranges_.make();
        all.by_id = std::move(by_id);
        all.before.reserve(all.by_id.size());
        all.positions.reserve(all.by_id.size());
        for (std::uint32_t at = 0; at < all.by_id.size(); ++at) {
            all.positions.emplace_back(all.by_id[at].replica, at);
            all.before.push_back(all.dots);
            all.dots += all.by_id[at].size();
        }
        std::sort(all.positions.begin(), all.positions.end());
    }

    Ntp64 time() const noexcept { return time_; }
    bool is_frame() const noexcept { return single_; }
    std::size_t size() const noexcept { return single_ ? 1 : ranges_ ? ranges_->by_id.size() : 0; }
    const DotRange& range(std::size_t position) const noexcept { return single_ ? minted_ : ranges_->by_id[position]; }

    /// The number of a dot; none if no range holds it. O(log n).
    std::optional<std::uint64_t> number(Dot dot) const noexcept {
        if (single_) {
            if (!minted_.contains(dot)) return std::nullopt;
            return dot.counter() - minted_.first;
        }
        if (!ranges_) return std::nullopt;
        const auto& [by_id, before, positions, dots] = *ranges_;
        const auto found =
            std::lower_bound(positions.begin(), positions.end(), dot.replica(),
                             [](const auto& position, ReplicaIndex replica) { return position.first < replica; });
        if (found == positions.end() || !by_id[found->second].contains(dot)) return std::nullopt;
        return before[found->second] + dot.counter() - by_id[found->second].first;
    }

    bool contains(Dot dot) const noexcept { return number(dot).has_value(); }

    /// The dot of this number, `Dot{}` where there is none. O(log n).
    Dot dot(std::uint64_t number) const noexcept {
        if (single_) return number < minted_.size() ? Dot{minted_.replica, minted_.first + number} : Dot{};
        if (!ranges_ || number >= ranges_->dots) return Dot{};
        const auto& [by_id, before, positions, dots] = *ranges_;
        const auto at =
            static_cast<std::size_t>(std::upper_bound(before.begin(), before.end(), number) - before.begin() - 1);
        return Dot{by_id[at].replica, by_id[at].first + (number - before[at])};
    }

    /// Where the range of a replica stands. O(log n).
    std::optional<std::size_t> position(const ReplicaId& replica) const noexcept {
        std::size_t at = 0;
        for (std::size_t end = size(); at < end;) {
            const std::size_t middle = at + (end - at) / 2;
            if (id_of(range(middle).replica) < replica)
                at = middle + 1;
            else
                end = middle;
        }
        if (at == size() || id_of(range(at).replica) != replica) return std::nullopt;
        return at;
    }

   private:
    struct Ranges {
        std::vector<DotRange> by_id;
        std::vector<std::uint64_t> before;                              // how many dots the ranges before each hold
        std::vector<std::pair<ReplicaIndex, std::uint32_t>> positions;  // by index
        std::uint64_t dots = 0;                                         // in all of them
    };

    DotRange minted_;
    bool single_ = false;  // a frame, with `minted_` alone
    Ntp64 time_;
    detail::Lazy<Ranges> ranges_;  // of a state
};

}  // namespace netsync

// ---- netsync/wire/utf8.hpp ----

// netsync: whether bytes are UTF-8 (RFC 3629): strings that are not would not print, sort or compare alike everywhere.

namespace netsync {

using detail::is_utf8;

inline bool is_utf8(ByteView bytes) noexcept {
    return detail::is_utf8({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace netsync

// ---- netsync/wire/varint.hpp ----

// netsync: integers in as few bytes as they need: seven bits a byte, the lowest first, and a bit that says whether more
// follow (LEB128). Minimal: one number has one form.

namespace netsync::detail {

/// What is written to and read from, of which a number takes at most all.
inline constexpr std::size_t varint_room = 10;

/// Writes an unsigned integer, the lowest byte first; says where it ends.
template <class T>
std::byte* write_word(std::byte* at, T value) noexcept {
    if constexpr (std::endian::native == std::endian::little)
        std::memcpy(at, &value, sizeof(T));
    else
        for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
    return at + sizeof(T);
}

/// How many bytes a number takes.
constexpr std::size_t varint_size(std::uint64_t value) noexcept {
    return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

/// Writes a number; says how many bytes it took. Eight bytes are made at once, without a branch for each.
inline std::size_t write_varint(std::byte* at, std::uint64_t value) noexcept {
    if (value < 0x80) {
        *at = static_cast<std::byte>(value);
        return 1;
    }
    const std::size_t size = varint_size(value);
    std::uint64_t spread = value & 0x00ffffffffffffffu;  // 56 bits as eight times seven
    spread = ((spread & 0x00fffffff0000000u) << 4) | (spread & 0x000000000fffffffu);
    spread = ((spread & 0x0fffc0000fffc000u) << 2) | (spread & 0x00003fff00003fffu);
    spread = ((spread & 0x3f803f803f803f80u) << 1) | (spread & 0x007f007f007f007fu);
    const std::uint64_t more = 0x8080808080808080u >> (size < 9 ? 8 * (9 - size) : 0);
    spread |= more;
    write_word(at, spread);
    if (size > 8) {
        at[8] = static_cast<std::byte>(((value >> 56) & 0x7f) | (size > 9 ? 0x80 : 0));
        at[9] = static_cast<std::byte>(value >> 63);
    }
    return size;
}

/// Reads a number from `at`, of which ten bytes can be read; says how many it took, 0 where no number is written so.
inline std::size_t read_varint(const std::byte* at, std::uint64_t& value) noexcept {
    const std::uint64_t word = read_word(at);
    const std::uint64_t ends = ~word & 0x8080808080808080u;
    const std::size_t size = ends != 0 ? static_cast<std::size_t>(std::countr_zero(ends)) / 8 + 1 : 8;
    std::uint64_t packed = word & (0x7f7f7f7f7f7f7f7fu >> (8 * (8 - size)));
    packed = ((packed & 0x7f007f007f007f00u) >> 1) | (packed & 0x007f007f007f007fu);
    packed = ((packed & 0x3fff00003fff0000u) >> 2) | (packed & 0x00003fff00003fffu);
    value = ((packed & 0x0fffffff00000000u) >> 4) | (packed & 0x000000000fffffffu);
    if (ends != 0) return size == 1 || at[size - 1] != std::byte{} ? size : 0;
    const auto ninth = std::to_integer<std::uint64_t>(at[8]), tenth = std::to_integer<std::uint64_t>(at[9]);
    value |= (ninth & 0x7f) << 56;
    if (ninth < 0x80) return ninth != 0 ? 9 : 0;
    value |= tenth << 63;
    return tenth == 1 ? 10 : 0;
}

}  // namespace netsync::detail

// ---- netsync/wire/input.hpp ----

// netsync: bytes in, values out, and no trust in between. The reading half of the bounded archives.

namespace netsync {

/// An input archive with cereal's interface. Every size is checked against the bytes left and the memory budget before
/// anything is allocated; varints are minimal, keys sorted and unique, bools 0 or 1, strings UTF-8, dots and times
/// within the DotSpace. After the first error (error(), sticky) everything reads as default values and no more is
/// consumed; the caller discards what it got. One thread.
class Input {
   public:
    using is_saving = std::false_type;
    using is_loading = std::true_type;

    /// `budget`: bytes of memory that the values read may take in all.
    Input(ByteView bytes, std::size_t budget, const DotSpace* space = nullptr, std::size_t max_depth = 128)
        : bytes_(bytes), end_(bytes.size()), budget_(budget), space_(space), depth_left_(max_depth) {}

    template <class... T>
    Input& operator()(T&&... values) {
        (read_field(values), ...);
        return *this;
    }
    template <class T>
    Input& operator&(T&& value) {
        return (*this)(value);
    }
    template <class T>
    Input& operator>>(T&& value) {
        return (*this)(value);
    }

    /// Reads what was written of such a value and joins it with the one held, part by part where its type says how
    /// (load_and_merge), so that it lies nowhere in between. True if that changed. After an error what is held is of no use.
    template <crdt T>
    bool merge_into(T& held, const Join& join) {
        bool changed = false;
        if constexpr (requires { held.load_and_merge(*this, join); }) {
            within([&] { changed = held.load_and_merge(*this, join); });
        } else if constexpr (is_of_fields<T>) {
            const auto fields = [&](auto& field) { changed |= field_into(field, join); };
            within([&] { read_record([&] { detail::for_each_field(fields, held); }); });
        } else {
            T theirs{};
            read(theirs);
            changed = ok() && netsync::merge(held, std::move(theirs), join);
        }
        return changed;
    }

    // The vocabulary of `load` functions.

    /// A number of items, of which at least one byte each (`per_byte` of them to a byte) must still follow, and each of
    /// which will take `item_size` bytes of memory. 0 after an error.
    std::size_t count(std::size_t item_size, std::size_t per_byte = 1) {
        const std::uint64_t items = varint();
        if (items > remaining() * per_byte + (per_byte - 1)) {
            fail(errc::malformed);
            return 0;
        }
        charge(static_cast<std::size_t>(items) * item_size);
        return ok() ? static_cast<std::size_t>(items) : 0;
    }

    /// Takes `bytes` from the budget; errc::too_large when it is used up.
    void charge(std::size_t bytes) {
        if (bytes > budget_) return fail(errc::too_large);
        budget_ -= bytes;
    }

    [[gnu::always_inline]] std::uint64_t varint() {
        if (at_ < end_ && bytes_[at_] < std::byte{0x80}) return std::to_integer<std::uint64_t>(bytes_[at_++]);
        return long_varint();
    }

    template <std::unsigned_integral T>
    T fixed() {
        const ByteView from = raw(sizeof(T));
        return from.empty() ? T{} : static_cast<T>(detail::read_word(from.data(), sizeof(T)));
    }

    /// The time of a write; never later than that of its frame or state.
    Ntp64 stamp() {
        const std::uint64_t before = varint(), latest = space_ ? space_->time().value : 0;
        if (before > latest) fail(errc::malformed);
        return ok() ? Ntp64{latest - before} : Ntp64{};
    }

    /// One of a list of dots, and whether `more` follow. `Dot{}` for an empty list, and after an error.
    Dot dot(bool& more) {
        const std::uint64_t head = varint();
        more = head > 0 && (head - 1) % 2 == 1;
        return head == 0 ? Dot{} : dot_of((head - 1) / 2);
    }
    Dot marked_dot(bool& mark, bool& more) {
        const std::uint64_t head = varint();
        more = head > 0 && (head - 1) % 2 == 1;
        mark = head > 0 && (head - 1) / 2 % 2 == 1;
        return head == 0 ? Dot{} : dot_of((head - 1) / 4);
    }

    /// See Output::text_after. errc::malformed unless the text sorts after `before`.
    void text_after(const std::string& before, std::string& text) {
        const std::uint64_t shared = varint();
        if (shared > before.size()) return fail(errc::malformed);
        charge(static_cast<std::size_t>(shared));
        const ByteView rest = bytes();
        if (!ok()) return;
        const auto from = static_cast<std::size_t>(shared);
        const bool goes_on = from < before.size();
        if (rest.empty() || (goes_on && !(static_cast<std::byte>(before[from]) < rest.front())))
            return fail(errc::malformed);
        std::string whole(from + rest.size(), '\0');  // of its exact size: most are kept
        std::memcpy(whole.data(), before.data(), from);
        std::memcpy(whole.data() + from, rest.data(), rest.size());
        text = std::move(whole);
        if (!is_utf8(text)) fail(errc::malformed);
    }

    /// `size` bytes where they lie; empty after an error.
    ByteView raw(std::size_t size) {
        if (!ok() || size > remaining()) {
            fail(errc::malformed);
            return {};
        }
        const ByteView result = bytes_.subspan(at_, size);
        at_ += size;
        return result;
    }
    ByteView bytes() { return raw(count(1)); }
    /// Takes `count` bytes where all of them are zero, and else nothing: false.
    bool take_zeros(std::size_t count) noexcept {
        if (remaining() < count) return false;
        for (std::size_t next = at_; next < at_ + count; ++next)
            if (bytes_[next] != std::byte{}) return false;
        at_ += count;
        return true;
    }
    /// What is left; nothing of it is taken.
    ByteView peek() const noexcept { return bytes_.subspan(at_, remaining()); }

    /// The dots that may be read, or null where there are none.
    const DotSpace* space() const noexcept { return space_; }

    void fail(std::error_code error) {
        if (!error_) error_ = error;
        at_ = end_;
    }
    bool ok() const noexcept { return !error_; }
    std::error_code error() const noexcept { return error_; }
    std::size_t remaining() const noexcept { return end_ - at_; }

    /// errc::malformed unless everything was read: to be called at the end.
    std::error_code finish() {
        if (ok() && remaining() != 0) fail(errc::malformed);
        return error_;
    }

   private:
    /// See Output.
    template <class T>
    static constexpr bool is_of_fields = detail::composite<T> && !detail::has_record<T, Input> &&
                                         !detail::tuple_like<T> && !requires(T& value, Input& in) { value.load(in); };

    /// A field of a record may be missing at its end: an older program wrote it. It keeps its default.
    template <class T>
    void read_field(T& value) {
        if (in_record_ && at_ == end_) return;
        const bool outer = std::exchange(in_record_, false);
        read(value);
        in_record_ = outer;
    }
    template <class T>
    bool field_into(T& held, const Join& join) {
        if (in_record_ && at_ == end_) return ok() && netsync::merge(held, T{}, join);
        const bool outer = std::exchange(in_record_, false);
        const bool changed = merge_into(held, join);
        in_record_ = outer;
        return changed;
    }

    template <class F>
    void within(F&& read) {
        if (depth_left_ == 0) return fail(errc::too_deep);
        --depth_left_;
        read();
        ++depth_left_;
    }

    template <class T>
    void read(T& value) {
        if constexpr (std::same_as<T, Dot>) {
            read_dot(value);
        } else if constexpr (std::same_as<T, ReplicaId>) {
            const ByteView from = raw(2 * sizeof(std::uint64_t));
            value = from.empty() ? ReplicaId{}
                                 : ReplicaId{detail::read_word(from.data()), detail::read_word(from.data() + 8)};
        } else if constexpr (std::same_as<T, OwnerId>) {
            value = OwnerId{fixed<std::uint64_t>()};
        } else if constexpr (std::same_as<T, bool>) {
            const auto bit = std::to_integer<unsigned>(byte());
            if (bit > 1) return fail(errc::malformed);
            value = bit == 1;
        } else if constexpr (detail::byte_like<T>) {
            value = static_cast<T>(byte());
        } else if constexpr (std::is_enum_v<T>) {
            std::underlying_type_t<T> number{};
            read(number);
            value = static_cast<T>(number);
        } else if constexpr (std::unsigned_integral<T>) {
            const std::uint64_t wide = varint();
            if (wide > std::numeric_limits<T>::max()) return fail(errc::malformed);
            value = static_cast<T>(wide);
        } else if constexpr (std::signed_integral<T>) {
            const std::uint64_t coded = varint();
            const auto wide = static_cast<std::int64_t>((coded >> 1) ^ (~(coded & 1) + 1));
            if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max())
                return fail(errc::malformed);
            value = static_cast<T>(wide);
        } else if constexpr (std::same_as<T, float>) {
            value = std::bit_cast<float>(fixed<std::uint32_t>());
        } else if constexpr (std::same_as<T, double>) {
            value = std::bit_cast<double>(fixed<std::uint64_t>());
        } else {
            within([&] { read_compound(value); });
        }
    }

    template <class T>
    void read_compound(T& value) {
        using namespace detail;
        if constexpr (std::same_as<T, std::string>) {
            const ByteView from = bytes();
            if (!is_utf8(from)) return fail(errc::malformed);
            value = std::string(reinterpret_cast<const char*>(from.data()), from.size());  // of its exact size
        } else if constexpr (is_name_value_pair<T>) {
            read(value.value);
        } else if constexpr (is_base_class<T>) {
            read(*value.base_ptr);
        } else if constexpr (is_byte_vector<T>) {
            const ByteView from = bytes();
            const auto* const first = reinterpret_cast<const typename T::value_type*>(from.data());
            value.assign(first, first + from.size());
        } else if constexpr (is_vector<T>) {
            value.clear();
            const std::size_t items = count(sizeof(typename T::value_type));
            value.reserve(items);
            for (std::size_t at = 0; at < items && ok(); ++at) {
                typename T::value_type item{};
                read(item);
                value.push_back(std::move(item));
            }
        } else if constexpr (is_byte_array<T>) {
            const ByteView from = raw(value.size());
            if (!from.empty()) std::memcpy(value.data(), from.data(), from.size());
        } else if constexpr (is_std_array<T>) {
            for (auto& item : value) read(item);
        } else if constexpr (is_map<T> || is_set<T>) {
            read_sorted(value);
        } else if constexpr (is_optional<T>) {
            bool present = false;
            read(present);
            value.reset();
            if (present && ok()) read(value.emplace());
        } else if constexpr (is_variant<T>) {
            read_alternative<0>(value, varint());
        } else if constexpr (is_pointer_like<T>) {
            static_assert(always_false<T>, "netsync: pointers are not sent; hold the value itself");
        } else if constexpr (requires { value.load(*this); }) {
            value.load(*this);
        } else if constexpr (tuple_like<T>) {
            std::apply([&](auto&... part) { (read(part), ...); }, value);
        } else if constexpr (has_record<T, Input> || plain_struct<T>) {
            read_record([&] { serialize_record(*this, value); });
        } else {
            static_assert(always_false<T>, "netsync: cannot decode this type; make it a plain struct or give it "
                                           "`template <class Archive> void serialize(Archive&)`");
        }
    }

    template <class F>
    void read_record(F&& fields) {
        const std::size_t length = count(0);
        if (!ok()) return;
        const std::size_t outer_end = std::exchange(end_, at_ + length);
        const bool outer = std::exchange(in_record_, true);
        fields();
        in_record_ = outer;
        if (ok()) at_ = end_;  // fields that a newer program added
        end_ = outer_end;
        if (!ok()) at_ = end_;
    }

    template <class T>
    void read_sorted(T& value) {
        value.clear();
        using Key = typename T::key_type;
        std::optional<Key> previous;
        for (std::size_t left = count(sizeof(typename T::value_type)); left > 0 && ok(); --left) {
            Key key{};
            read(key);
            if (!ok()) return;
            if (previous && !(*previous < key)) return fail(errc::malformed);
            previous = key;
            if constexpr (detail::is_map<T>)
                read(value[std::move(key)]);
            else
                value.insert(std::move(key));
        }
    }

    template <std::size_t Index, class... T>
    void read_alternative(std::variant<T...>& value, std::uint64_t index) {
        if constexpr (Index == sizeof...(T)) {
            fail(errc::malformed);
        } else if (index == Index) {
            read(value.template emplace<Index>());
        } else {
            read_alternative<Index + 1>(value, index);
        }
    }

    void read_dot(Dot& dot) { dot = dot_of(varint()); }

    Dot dot_of(std::uint64_t number) {
        const Dot dot = space_ && ok() ? space_->dot(number) : Dot{};
        if (!dot) fail(errc::malformed);
        return dot;
    }

    std::uint64_t long_varint() {
        std::uint64_t value = 0;
        if (remaining() >= detail::varint_room) {
            const std::size_t size = detail::read_varint(bytes_.data() + at_, value);
            at_ += size;
            if (size > 0) return value;
            fail(errc::malformed);
            return 0;
        }
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto next = static_cast<std::uint64_t>(byte());
            if (!ok()) return 0;
            if (shift == 63 && next > 1) break;
            value |= (next & 0x7f) << shift;
            if (next < 0x80) {
                if (next == 0 && shift > 0) break;  // not minimal
                return value;
            }
        }
        fail(errc::malformed);
        return 0;
    }

    std::byte byte() {
        if (!ok() || at_ == end_) {
            fail(errc::malformed);
            return {};
        }
        return bytes_[at_++];
    }

    ByteView bytes_;
    std::size_t at_ = 0;
    std::size_t end_;
    std::size_t budget_;
    const DotSpace* space_;
    std::size_t depth_left_;
    bool in_record_ = false;
    std::error_code error_;
};

}  // namespace netsync

// ---- netsync/detail/buffer.hpp ----

// netsync: bytes being written. Small messages never leave the stack until they are done.

namespace netsync::detail {

/// Appends without initialising first; the first 256 bytes lie inside. Neither copied nor moved.
class Buffer {
   public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    /// For empty ones. What is written is counted and let go of, but for the last part of it.
    void measure() noexcept { measures_ = true; }
    /// For empty ones. So many bytes are to come, which take() then gives without a copy.
    void expect(std::size_t size) {
        whole_.resize(size);
        at_ = whole_.data();
        capacity_ = size;
    }

    std::size_t size() const noexcept { return before_ + size_; }
    void set(std::size_t position, std::byte value) noexcept {
        if (position >= before_) at_[position - before_] = value;
    }
    std::span<const std::byte> view() const noexcept { return {at_, size_}; }
    std::vector<std::byte> take() {
        if (whole_.empty() || at_ != whole_.data()) return {at_, at_ + size_};
        whole_.resize(size_);
        at_ = inside_;
        size_ = 0;
        capacity_ = sizeof inside_;
        return std::exchange(whole_, {});
    }

    /// Room for `count` more bytes, to be written at once and then counted with `grow`.
    [[gnu::always_inline]] std::byte* room(std::size_t count) {
        if (capacity_ - size_ < count) enlarge(count);
        return at_ + size_;
    }
    void grow(std::size_t count) noexcept { size_ += count; }
    void clear() noexcept { size_ = before_ = 0; }

    [[gnu::always_inline]] void append(std::byte value) {
        *room(1) = value;
        ++size_;
    }
    void append(std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
        size_ += bytes.size();
    }
    /// Moves what lies from `position` on by `count` bytes; the gap is the caller's to fill.
    void open_gap(std::size_t position, std::size_t count) {
        room(count);
        const std::size_t from = position > before_ ? position - before_ : 0;
        std::memmove(at_ + from + count, at_ + from, size_ - from);
        size_ += count;
    }

   private:
    void enlarge(std::size_t count) {
        if (measures_ && capacity_ >= std::max(kept, count)) {
            before_ += std::exchange(size_, 0);
            return;
        }
        capacity_ = std::max(capacity_ * 2, size_ + count);
        auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity_);
        std::memcpy(larger.get(), at_, size_);
        heap_ = std::move(larger);
        at_ = heap_.get();
    }

    static constexpr std::size_t kept = std::size_t{64} << 10;

    std::byte inside_[256];
    std::unique_ptr<std::byte[]> heap_;
    std::byte* at_ = inside_;
    std::size_t size_ = 0;
    std::size_t capacity_ = sizeof inside_;
    std::size_t before_ = 0;  // bytes that were let go of
    bool measures_ = false;
    std::vector<std::byte> whole_;
};

}  // namespace netsync::detail

// ---- netsync/wire/output.hpp ----

// netsync: values in, bytes out, in one canonical form. The writing half of the bounded archives.

namespace netsync {

/// An output archive with cereal's interface: `out(a, b)`, `out & a`. Integers are minimal varints (signed: zig-zag),
/// floats little-endian, strings and containers a count and their items, sets and maps sorted by key, structs and
/// `serialize`d classes a length and their fields; `save`/`load` pairs have the form that they choose.
/// Fails (error(), sticky) where a reader would: on nesting beyond the limit, and on strings that are not UTF-8 (bytes
/// go into a std::vector<std::byte>). One thread.
class Output {
   public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    Output() = default;
    explicit Output(DotSpace space, std::size_t max_depth = 128) : space_(std::move(space)), depth_left_(max_depth) {}

    /// Counts what is written, and keeps nothing of it.
    void measure() noexcept { bytes_.measure(); }
    /// That so many bytes are to come: memory for them and no more.
    void expect(std::size_t size) { bytes_.expect(size); }

    /// Begins anew, as if just made.
    void restart(DotSpace space, std::size_t max_depth) {
        bytes_.clear();
        space_ = std::move(space);
        depth_left_ = max_depth;
        cost_ = 0;
        if (error_) error_ = {};
    }

    template <class... T>
    Output& operator()(const T&... values) {
        (write(values), ...);
        return *this;
    }
    /// Writes the same, and lets go of the value on the way, part by part, where its type says how (save_and_let_go): so a
    /// copy that goes on being written to need not copy the parts that are done. It is not to be looked at any more.
    template <class T>
    void let_go(T& value) {
        if constexpr (requires { value.save_and_let_go(*this); })
            within([&] { value.save_and_let_go(*this); });
        else if constexpr (is_of_fields<T>)
            within(
                [&] { record([&] { detail::for_each_field([this](auto& field) { this->let_go(field); }, value); }); });
        else
            write(value);
    }
    template <class T>
    Output& operator&(const T& value) {
        return (*this)(value);
    }
    template <class T>
    Output& operator<<(const T& value) {
        return (*this)(value);
    }

    // The vocabulary of `save` functions.

    /// A number of items that each take `item_size` bytes of the reader's memory (see Input::count).
    [[gnu::always_inline]] void count(std::size_t items, std::size_t item_size = 0) {
        varint(items);
        charge(items * item_size);
    }
    void charge(std::size_t bytes) noexcept { cost_ += bytes; }
    [[gnu::always_inline]] void varint(std::uint64_t value) {
        if (value < 0x80) return byte(static_cast<std::byte>(value));
        long_varint(value);
    }
    template <std::unsigned_integral T>
    void fixed(T value) {
        detail::write_word(bytes_.room(sizeof(T)), value);
        bytes_.grow(sizeof(T));
    }
    /// `write(at)` writes `most` bytes or fewer, and says where they end.
    template <class F>
    void in_one_piece(std::size_t most, F&& write) {
        std::byte* const at = bytes_.room(most);
        bytes_.grow(static_cast<std::size_t>(write(at) - at));
    }
    /// The time of a write, as its distance from that of the frame or state: usually one byte.
    void stamp(Ntp64 time) {
        assert(time <= space_.time() && "netsync: no value is stamped later than its frame or state");
        varint(space_.time().value - time.value);
    }
    /// One of a list of dots, and whether another follows: shorter than a count and a dot. An empty list is no_dot().
    [[gnu::always_inline]] void dot(Dot dot, bool more) { varint(1 + 2 * number_of(dot) + (more ? 1 : 0)); }
    void no_dot() { varint(0); }
    /// The same with a bit that belongs to what lies under the dot.
    void marked_dot(Dot dot, bool mark, bool more) { varint(1 + 4 * number_of(dot) + (mark ? 2 : 0) + (more ? 1 : 0)); }
    /// A text that sorts after `before`, which the reader has: how much they share, and the rest.
    void text_after(std::string_view before, std::string_view text) {
        if (!is_utf8(text)) fail(errc::not_utf8);
        const auto differs = std::mismatch(text.begin(), text.end(), before.begin(), before.end()).first;
        const auto shared = static_cast<std::size_t>(differs - text.begin());
        count(shared, 1);
        bytes(std::as_bytes(std::span{text.substr(shared)}));
    }
    void raw(ByteView bytes) { bytes_.append(bytes); }
    void bytes(ByteView bytes) {
        count(bytes.size(), 1);
        raw(bytes);
    }

    /// The dots that may be written.
    const DotSpace& space() const noexcept { return space_; }

    void fail(std::error_code error) {
        if (!error_) error_ = error;
    }
    std::error_code error() const noexcept { return error_; }
    /// Memory that reading this back takes, as Input counts it.
    std::size_t cost() const noexcept { return cost_; }
    std::size_t size() const noexcept { return bytes_.size(); }
    ByteView view() const noexcept { return bytes_.view(); }
    /// What was written, in memory of its exact size.
    Bytes take() { return bytes_.take(); }

   private:
    /// Whether it is written as a record of its fields, and in no other way that comes before that.
    template <class T>
    static constexpr bool is_of_fields =
        detail::plain_struct<T> && !detail::has_record<T, Output> && !detail::tuple_like<T> &&
        !std::same_as<T, ReplicaId> && !std::convertible_to<const T&, std::string_view> &&
        !requires(const T& value, Output& out) { value.save(out); };

    template <class T>
    void write(const T& value) {
        if constexpr (std::same_as<T, Dot>) {
            write_dot(value);
        } else if constexpr (std::same_as<T, ReplicaId>) {
            in_one_piece(2 * sizeof(std::uint64_t), [&](std::byte* at) {
                return detail::write_word(detail::write_word(at, value.owner_bits), value.incarnation);
            });
        } else if constexpr (std::same_as<T, OwnerId>) {
            fixed(static_cast<std::uint64_t>(value));
        } else if constexpr (std::same_as<T, bool>) {
            byte(static_cast<std::byte>(value ? 1 : 0));
        } else if constexpr (detail::byte_like<T>) {
            byte(static_cast<std::byte>(value));
        } else if constexpr (std::is_enum_v<T>) {
            write(static_cast<std::underlying_type_t<T>>(value));
        } else if constexpr (std::unsigned_integral<T>) {
            varint(value);
        } else if constexpr (std::signed_integral<T>) {
            const auto wide = static_cast<std::int64_t>(value);
            varint((static_cast<std::uint64_t>(wide) << 1) ^ static_cast<std::uint64_t>(wide >> 63));
        } else if constexpr (std::same_as<T, float>) {
            fixed(std::bit_cast<std::uint32_t>(value));
        } else if constexpr (std::same_as<T, double>) {
            fixed(std::bit_cast<std::uint64_t>(value));
        } else {
            within([&] { write_compound(value); });
        }
    }

    template <class F>
    void within(F&& write) {
        if (depth_left_ == 0) return fail(errc::too_deep);
        --depth_left_;
        write();
        ++depth_left_;
    }

    template <class T>
    void write_compound(const T& value) {
        using namespace detail;
        if constexpr (std::convertible_to<const T&, std::string_view>) {
            const std::string_view text = value;
            if (!is_utf8(text)) fail(errc::not_utf8);
            bytes(std::as_bytes(std::span{text.data(), text.size()}));
        } else if constexpr (is_name_value_pair<T>) {
            write(value.value);
        } else if constexpr (is_base_class<T>) {
            write(*value.base_ptr);
        } else if constexpr (is_byte_vector<T>) {
            bytes(std::as_bytes(std::span{value}));
        } else if constexpr (is_vector<T>) {
            count(value.size(), sizeof(typename T::value_type));
            for (const typename T::value_type& item : value) write(item);
        } else if constexpr (is_byte_array<T>) {
            raw(std::as_bytes(std::span{value}));
        } else if constexpr (is_std_array<T>) {
            for (const auto& item : value) write(item);
        } else if constexpr (is_map<T>) {
            count(value.size(), sizeof(typename T::value_type));
            for (const auto* item : sorted(value, [](const auto& pair) -> const auto& { return pair.first; })) {
                write(item->first);
                write(item->second);
            }
        } else if constexpr (is_set<T>) {
            count(value.size(), sizeof(typename T::value_type));
            for (const auto* item : sorted(value, [](const auto& key) -> const auto& { return key; })) write(*item);
        } else if constexpr (is_optional<T>) {
            write(value.has_value());
            if (value) write(*value);
        } else if constexpr (is_variant<T>) {
            varint(value.index());
            std::visit([&](const auto& alternative) { write(alternative); }, value);
        } else if constexpr (is_pointer_like<T>) {
            static_assert(always_false<T>, "netsync: pointers are not sent; hold the value itself");
        } else if constexpr (requires { value.save(*this); }) {
            value.save(*this);
        } else if constexpr (tuple_like<T>) {
            std::apply([&](const auto&... part) { (write(part), ...); }, value);
        } else if constexpr (has_record<T, Output> || plain_struct<T>) {
            record([&] { serialize_record(*this, const_cast<T&>(value)); });
        } else {
            static_assert(always_false<T>, "netsync: cannot encode this type; make it a plain struct or give it "
                                           "`template <class Archive> void serialize(Archive&)`");
        }
    }

    void write_dot(Dot dot) { varint(number_of(dot)); }

    [[gnu::always_inline]] std::uint64_t number_of(Dot dot) {
        const std::optional<std::uint64_t> number = space_.number(dot);
        assert(number && "netsync: a delta holds only dots that its own change minted");
        if (!number) fail(errc::malformed);
        return number.value_or(0);
    }

    template <class Container, class KeyOf>
    static auto sorted(const Container& container, KeyOf key_of) {
        std::vector<const typename Container::value_type*> items;
        items.reserve(container.size());
        for (const auto& item : container) items.push_back(&item);
        std::sort(items.begin(), items.end(), [&](const auto* a, const auto* b) { return key_of(*a) < key_of(*b); });
        return items;
    }

    /// Fields enclosed in their length. One byte is set aside; a longer length moves the fields.
    template <class F>
    void record(F&& fields) {
        const std::size_t start = bytes_.size();
        bytes_.append(std::byte{});
        fields();
        std::uint64_t length = bytes_.size() - start - 1;
        std::size_t extra = 0;
        for (std::uint64_t rest = length; rest >= 0x80; rest >>= 7) ++extra;
        if (extra > 0) bytes_.open_gap(start, extra);
        for (std::size_t at = start; at < start + extra; ++at, length >>= 7)
            bytes_.set(at, static_cast<std::byte>(length | 0x80));
        bytes_.set(start + extra, static_cast<std::byte>(length));
    }

    [[gnu::always_inline]] void byte(std::byte value) { bytes_.append(value); }
    void long_varint(std::uint64_t value) {
        bytes_.grow(detail::write_varint(bytes_.room(detail::varint_room), value));
    }

    detail::Buffer bytes_;
    DotSpace space_;
    std::size_t depth_left_ = 128;
    std::size_t cost_ = 0;
    std::error_code error_;
};

}  // namespace netsync

// ---- netsync/wire/message.hpp ----

// netsync: what travels over a link: one byte that names the kind, the message as a record, and a checksum, because what
// a damaged message says of a history would be believed. A record may grow at its end: older programs skip what they do
// not know.

namespace netsync {

/// Numbers are part of the wire format: never reused.
enum class MessageKind : std::uint8_t {
    // pool
    response = 1,
    greeting = 2,
    handshake = 3,
    refusal = 4,
    introduce_yourself = 5,
    ping = 6,
    pong = 7,
    probe = 8,
    heard = 9,
    // sync
    update = 16,  ///< a frame: see Frame
    digest = 17,
    heads = 18,
    fetch = 19,
    frames = 20,
    state_request = 21,
    state_chunk = 22,
    frame_refused = 23,
    relay = 24,
    agreement_request = 25,
    agreement = 26,
};

/// Each message struct says its kind: `static constexpr MessageKind kind`.
template <class M>
concept message = requires {
    { M::kind } -> std::convertible_to<MessageKind>;
};

namespace detail {
/// Not of what is said before both sides know that they speak the same version: that must stay readable for ever.
constexpr bool has_checksum(MessageKind kind) noexcept {
    return kind != MessageKind::response && kind != MessageKind::refusal;
}
/// Of what says nothing of what is held, by whoever sends it, so that it need not wait until that is durable.
constexpr bool tells_nothing(MessageKind kind) noexcept {
    switch (kind) {
    case MessageKind::response:
    case MessageKind::introduce_yourself:
    case MessageKind::ping:
    case MessageKind::pong:
    case MessageKind::probe:
    case MessageKind::heard:
    case MessageKind::fetch:
    case MessageKind::state_request: return true;
    default: return false;
    }
}
inline std::uint32_t checksum(ByteView bytes) noexcept {
    return static_cast<std::uint32_t>(hash_bytes(bytes.data(), bytes.size(), 0x636865636bu));
}
}  // namespace detail

template <message M>
SharedBytes encode_message(const M& content) {
    Output out;
    out.fixed(static_cast<std::uint8_t>(M::kind));
    out(content);
    if (detail::has_checksum(M::kind)) out.fixed(detail::checksum(out.view()));
    return SharedBytes{out.view()};
}

/// The kind of a message; none for an empty one. The kind may be unknown to this program.
inline std::optional<MessageKind> kind_of(ByteView bytes) {
    if (bytes.empty()) return std::nullopt;
    return static_cast<MessageKind>(bytes.front());
}

/// errc::malformed, too_large, too_deep. Costs at most Limits::frame_budget(bytes.size()) of memory.
template <message M>
Result<M> decode_message(ByteView bytes) {
    constexpr std::size_t trailer = detail::has_checksum(M::kind) ? sizeof(std::uint32_t) : 0;
    if (kind_of(bytes) != M::kind || bytes.size() <= trailer) return errc::malformed;
    const ByteView said = bytes.first(bytes.size() - trailer);
    if (trailer > 0 && Input{bytes.last(trailer), trailer}.fixed<std::uint32_t>() != detail::checksum(said))
        return errc::malformed;
    Input in{said.subspan(1), Limits::frame_budget(bytes.size())};
    M content{};
    in(content);
    if (const std::error_code error = in.finish()) return error;
    return content;
}

}  // namespace netsync

// ---- netsync/wire/frame.hpp ----

// netsync: an encoded delta with its header: what is logged, sent, relayed and never changed. A delta and its causal
// context go in, bytes come out; and back.

namespace netsync {

inline constexpr std::uint8_t wire_version = 1;

/// A counter of a replica, by its id: an entry of a version vector as it travels.
struct ReplicaCounter {
    ReplicaId replica;
    std::uint64_t counter = 0;
    friend constexpr auto operator<=>(const ReplicaCounter&, const ReplicaCounter&) = default;
};

/// What a frame says of itself.
struct FrameHeader {
    ReplicaId origin{};
    std::uint64_t first = 1;  ///< the dots minted: `count` of them, at least one
    std::uint64_t count = 1;
    Ntp64 time{};
    std::vector<ReplicaCounter> dependencies{};  ///< the origin's version vector, where it rose since its last frame
    std::vector<CounterRange> removed{};         ///< dots that the delta supersedes
    std::vector<ReplicaCounter> instead_of{};    ///< issued again: the first dots of what it was before, latest first
    std::uint64_t hash = 0;                      ///< rolling: of all the origin's frames up to this one

    std::uint64_t last() const noexcept { return first + count - 1; }
    /// As most are: it says of itself only who, what and when.
    bool is_plain() const noexcept { return dependencies.empty() && removed.empty() && instead_of.empty(); }
};

/// One change, encoded. Cheap to copy: the bytes are shared. The same bytes are logged and are the message that brings
/// an update. Layout: kind, version, origin, first, count, time, dependencies, removed ranges, earlier names, delta,
/// hash.
class Frame {
   public:
    /// Checks everything but the delta, which is read when it is applied. O(size of the header).
    static Result<Frame> parse(SharedBytes bytes, const Limits& limits = {}) {
        if (bytes->size() > limits.frame) return errc::too_large;
        Frame frame{std::move(bytes)};
        if (const std::error_code error = frame.read_header(limits)) return error;
        return frame;
    }

    /// From an encoded delta (encode_delta) and its header, whose hash is set here: `previous_hash` is that of the
    /// origin's frame before this one, 0 before the first. O(size).
    static Frame make(FrameHeader&& header, ByteView delta, std::uint64_t previous_hash) {
        if (header.is_plain())
            return assemble(std::move(header), plain_header_size(header), delta, previous_hash,
                            [&](std::byte* at) { return write_plain_header(at, header); });
        Output out;
        write_header(out, header);
        return assemble(std::move(header), out.size(), delta, previous_hash,
                        [&](std::byte* at) { return std::copy(out.view().begin(), out.view().end(), at); });
    }

    /// The names of one change: see FrameHeader::instead_of.
    static constexpr std::size_t max_names = 16;

    const FrameHeader& header() const noexcept { return header_; }
    const SharedBytes& bytes() const noexcept { return bytes_; }

    /// The delta, read within the frame's own dots and time. errc::malformed, too_large, too_deep.
    template <crdt T>
    Result<T> delta(const Limits& limits = {}) const {
        return delta_within<T>(DotSpace{minted(), header_.time}, limits);
    }

    /// The delta as if the frame had minted these dots, as many, at this time: for issuing it again.
    template <crdt T>
    Result<T> delta_within(const DotSpace& space, const Limits& limits = {}) const {
        Input in{body(), Limits::frame_budget(bytes_->size()), &space, limits.depth};
        T delta{};
        in(delta);
        if (const std::error_code error = in.finish()) return error;
        return delta;
    }

    /// The delta's causal context: what it minted and what it removed. Interns the origin: for frames about to be
    /// applied, whose dependencies are in.
    CausalContext context() const {
        CausalContext context{minted()};
        for (const CounterRange& range : header_.removed)
            if (const ReplicaIndex replica = find_index(range.replica); replica != ReplicaIndex{})
                context.add(DotRange{replica, range.first, range.last});
        return context;
    }

    /// Whether the rolling hash continues `previous_hash`. O(size).
    bool continues(std::uint64_t previous_hash) const noexcept {
        return header_.hash == detail::hash_bytes(bytes_->data(), bytes_->size() - hash_size, previous_hash);
    }

    // What CausalBuffer asks of an item.
    CounterRange dots() const noexcept { return {header_.origin, header_.first, header_.last()}; }
    const std::vector<ReplicaCounter>& dependencies() const noexcept { return header_.dependencies; }
    std::size_t size_bytes() const noexcept { return bytes_->size(); }

   private:
    static constexpr std::size_t hash_size = sizeof(std::uint64_t);
    static constexpr std::size_t most_of_plain_header = 2 + 3 * sizeof(std::uint64_t) + 2 * detail::varint_room + 3;

    explicit Frame(SharedBytes bytes) : bytes_(std::move(bytes)) {}
    Frame(SharedBytes bytes, FrameHeader&& header, std::size_t delta_start)
        : bytes_(std::move(bytes)), header_(std::move(header)), delta_start_(delta_start) {}

    DotRange minted() const { return {intern(header_.origin), header_.first, header_.last()}; }
    ByteView body() const { return ByteView{*bytes_}.subspan(delta_start_, bytes_->size() - delta_start_ - hash_size); }

    /// `write(at)` writes the header, which takes so many bytes, and says where it ends.
    template <class F>
    static Frame assemble(FrameHeader&& header, std::size_t header_size, ByteView delta, std::uint64_t previous_hash,
                          F&& write) {
        SharedBytes bytes = SharedBytes::make(header_size + delta.size() + hash_size, [&](std::byte* const at) {
            std::byte* const end = std::copy(delta.begin(), delta.end(), write(at));
            header.hash = detail::hash_bytes(at, static_cast<std::size_t>(end - at), previous_hash);
            detail::write_word(end, header.hash);
        });
        return Frame{std::move(bytes), std::move(header), header_size};
    }

    static std::size_t plain_header_size(const FrameHeader& header) noexcept {
        return most_of_plain_header - 2 * detail::varint_room + detail::varint_size(header.first) +
               detail::varint_size(header.count);
    }

    /// Says where it ends.
    static std::byte* write_plain_header(std::byte* at, const FrameHeader& header) {
        *at++ = static_cast<std::byte>(MessageKind::update);
        *at++ = static_cast<std::byte>(wire_version);
        at = detail::write_word(at, header.origin.owner_bits);
        at = detail::write_word(at, header.origin.incarnation);
        at += detail::write_varint(at, header.first);
        at += detail::write_varint(at, header.count);
        at = detail::write_word(at, header.time.value);
        return std::fill_n(at, 3, std::byte{});  // no dependencies, nothing removed, no other names
    }

    static void write_header(Output& out, const FrameHeader& header) {
        out.in_one_piece(most_of_plain_header, [&](std::byte* at) { return write_plain_header(at, header) - 3; });
        out.count(header.dependencies.size());
        for (const ReplicaCounter& needed : header.dependencies) out(needed.replica, needed.counter);
        out.count(header.removed.size());
        const CounterRange* before = nullptr;
        for (const CounterRange& range : header.removed) {
            const bool same = before && before->replica == range.replica;
            out(same);
            if (!same) out(range.replica == header.origin);
            if (!same && range.replica != header.origin) out(range.replica);
            out(range.first - (same ? before->last + 1 : 0), range.last - range.first);
            before = &range;
        }
        out(header.instead_of);
    }

    std::error_code read_header(const Limits& limits) {
        Input in{*bytes_, Limits::frame_budget(bytes_->size()), nullptr, limits.depth};
        if (in.fixed<std::uint8_t>() != static_cast<std::uint8_t>(MessageKind::update)) return errc::malformed;
        if (in.fixed<std::uint8_t>() != wire_version) return errc::unsupported_version;
        in(header_.origin, header_.first, header_.count);
        header_.time = Ntp64{in.fixed<std::uint64_t>()};
        if (header_.origin.is_nil() || header_.first == 0 || header_.count == 0 || header_.first > max_counter ||
            header_.count > max_counter - header_.first + 1)
            in.fail(errc::malformed);
        if (!in.take_zeros(3)) {  // none of these: so it is with most
            read_dependencies(in, limits);
            read_removed(in);
            read_names(in);
        }
        if (!in.ok()) return in.error();
        if (in.remaining() < hash_size) return errc::malformed;
        delta_start_ = bytes_->size() - in.remaining();
        header_.hash = detail::read_word(bytes_->data() + bytes_->size() - hash_size);
        return {};
    }

    void read_dependencies(Input& in, const Limits& limits) {
        const std::size_t count = in.count(sizeof(ReplicaCounter));
        if (count > limits.replicas) return in.fail(errc::too_large);
        header_.dependencies.resize(count);
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            auto& [replica, counter] = header_.dependencies[at];
            in(replica, counter);
            if (counter == 0 || counter > max_counter || replica == header_.origin) in.fail(errc::malformed);
            if (at > 0 && !(header_.dependencies[at - 1].replica < replica)) in.fail(errc::malformed);
        }
    }

    void read_removed(Input& in) {
        const std::size_t count = in.count(sizeof(CounterRange));
        header_.removed.resize(count);
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            CounterRange& range = header_.removed[at];
            bool same = false, own = false;
            in(same);
            if (same && at == 0) return in.fail(errc::malformed);
            if (!same) in(own);
            range.replica = same ? header_.removed[at - 1].replica : header_.origin;
            if (!same && !own) in(range.replica);
            std::uint64_t skip = 0, more = 0;
            in(skip, more);
            const std::uint64_t base = same ? header_.removed[at - 1].last + 1 : 0;
            if (skip > max_counter || more > max_counter || base + skip + more > max_counter || base + skip == 0)
                return in.fail(errc::malformed);
            range.first = base + skip;
            range.last = range.first + more;
        }
    }

    void read_names(Input& in) {
        in(header_.instead_of);
        for (const ReplicaCounter& name : header_.instead_of)
            if (name.replica == header_.origin || name.replica.owner() != header_.origin.owner() || name.counter == 0 ||
                name.counter > max_counter || header_.count > max_counter - name.counter + 1)
                in.fail(errc::malformed);
        if (header_.instead_of.size() > max_names) in.fail(errc::too_large);
    }

    SharedBytes bytes_;
    FrameHeader header_;
    std::size_t delta_start_ = 0;
};

/// Writes a delta into `out`, whose DotSpace is that of its change. Refuses what replicas with the same limits would
/// refuse: errc::too_large, too_deep, not_utf8. O(size).
template <crdt T>
std::error_code encode_delta(Output& out, const T& delta, const Limits& limits) {
    out(delta);
    if (out.error()) return out.error();
    if (!limits.fits_frame(out.size(), out.cost())) return errc::too_large;
    return {};
}

/// The same, as bytes of their own.
template <crdt T>
Result<Bytes> encode_delta(const T& delta, const DotRange& minted, Ntp64 time, const Limits& limits) {
    Output out{DotSpace{minted, time}, limits.depth};
    if (const std::error_code error = encode_delta(out, delta, limits)) return error;
    return out.take();
}

/// The dots of a context's cloud as they travel: ranges by replica id.
inline std::vector<CounterRange> to_counter_ranges(const std::vector<Dot>& dots) {
    if (dots.empty()) return {};
    CausalContext compact;
    for (const Dot dot : dots) compact.add(dot);
    std::vector<CounterRange> ranges;
    for (const VersionVector::Entry& entry : compact.vector())
        ranges.push_back({id_of(entry.replica), 1, entry.counter});
    for (const DotRange& range : compact.cloud()) ranges.push_back({id_of(range.replica), range.first, range.last});
    std::sort(ranges.begin(), ranges.end());
    return ranges;
}

}  // namespace netsync

// ---- netsync/wire/forgotten.hpp ----

// netsync: how far somebody had come when what only those need was dropped from a state that have not seen it. Causally
// stable version vectors come in; whether a change or a state was made without them goes out.

namespace netsync {

/// The join of all cuts at which tombstones were dropped. A change that was made without having seen them, and whose time
/// may lie before, would meet a tombstone at one replica and none at another. One thread.
class Forgotten {
   public:
    bool empty() const noexcept { return seen_.empty(); }

    void add(const VersionVector& stable) { seen_.merge(stable); }
    void add(const Forgotten& other) { seen_.merge(other.seen_); }

    std::uint64_t counter(ReplicaIndex replica) const noexcept { return seen_.counter(replica); }

    /// As it is kept.
    std::vector<ReplicaCounter> counters() const {
        std::vector<ReplicaCounter> counters;
        for (const VersionVector::Entry& entry : seen_.sorted())
            counters.push_back({id_of(entry.replica), entry.counter});
        return counters;
    }
    static Forgotten of(const std::vector<ReplicaCounter>& counters) {
        Forgotten result;
        for (const ReplicaCounter& known : counters) result.seen_.advance(intern(known.replica), known.counter);
        return result;
    }

    /// Whether somebody who had seen this much, and no more, lacks any of it. `Counters`: of ReplicaCounter, or of Head.
    /// O(replicas forgotten x counters).
    template <class Counters>
    bool is_lacked_by(const Counters& seen) const {
        return std::any_of(seen_.begin(), seen_.end(), [&](const VersionVector::Entry& entry) {
            const ReplicaId& needed = id_of(entry.replica);
            return std::none_of(seen.begin(), seen.end(),
                                [&](const auto& had) { return had.replica == needed && had.counter >= entry.counter; });
        });
    }

   private:
    VersionVector seen_;
};

}  // namespace netsync

// ---- netsync/wire/reissue.hpp ----

// netsync: changes that were issued again under another name. The dots of both come in; what was removed under one name
// counts as removed under all, and of two that are here only the later one stays.

namespace netsync {

/// The dots (before, first + n) became (after, at + n), for n < count.
struct Reissue {
    ReplicaId before{};
    ReplicaId after{};
    std::uint64_t first = 0;
    std::uint64_t at = 0;
    std::uint64_t count = 0;

    bool is_valid() const noexcept {
        const auto fits = [this](std::uint64_t from) {
            return from > 0 && from <= max_counter && count > 0 && count <= max_counter - from + 1;
        };
        return before != after && before.owner() == after.owner() && !before.is_nil() && fits(first) && fits(at);
    }
    friend constexpr auto operator<=>(const Reissue&, const Reissue&) = default;
};

/// What was issued again, as the frames that did so say: the same wherever the same frames are. A change that one member
/// had seen before its maker was given up may reach the others after its maker has issued it again: then both are
/// here, and somebody may have removed either. One thread.
class Reissues {
   public:
    bool empty() const noexcept { return all_.empty(); }
    /// Sorted; those that continue each other are one.
    const std::vector<Reissue>& all() const noexcept { return all_; }

    /// O(n).
    void add(const Reissue& added) {
        auto at = std::lower_bound(all_.begin(), all_.end(), added);
        if (at != all_.begin() && unite(*std::prev(at), added)) {
            --at;
        } else if (at == all_.end() || *at != added) {
            at = all_.insert(at, added);
        }
        if (std::next(at) != all_.end() && unite(*at, *std::next(at))) all_.erase(std::next(at));
    }

    /// The next name of a change. O(n).
    std::optional<std::pair<ReplicaId, std::uint64_t>> next(const ReplicaId& replica, std::uint64_t counter) const {
        for (const Reissue& reissue : all_)
            if (reissue.before == replica && counter >= reissue.first && counter - reissue.first < reissue.count)
                return std::pair{reissue.after, reissue.at + (counter - reissue.first)};
        return std::nullopt;
    }

    /// Whether any of these dots has another name. O(n).
    bool concern(const ReplicaId& replica, std::uint64_t first, std::uint64_t last) const {
        const auto meets = [&](const ReplicaId& named, std::uint64_t from, std::uint64_t count) {
            return named == replica && first < from + count && from <= last;
        };
        return std::any_of(all_.begin(), all_.end(), [&](const Reissue& reissue) {
            return meets(reissue.before, reissue.first, reissue.count) ||
                   meets(reissue.after, reissue.at, reissue.count);
        });
    }

    /// Makes `seen`, the context of one side of a merge, speak of all names: an earlier name of what was seen is over, and
    /// where a change was seen and is not `alive(dot)` under its latest name, it was removed. O(dots with two names).
    template <class Alive>
    void widen(CausalContext& seen, Alive&& alive) const {
        const CausalContext said = seen;
        CausalContext renamed, removed;
        for_each([&](Dot before, Dot after) {
            if (!said.contains(after)) return;
            seen.add(before);
            renamed.add(before);
        });
        for_each([&](Dot before, Dot) {
            if (said.contains(before) && !renamed.contains(before) && !alive(before)) removed.add(before);
        });
        for (bool more = !removed.empty(); std::exchange(more, false);)
            for_each([&](Dot before, Dot after) {
                if (removed.contains(before) == removed.contains(after)) return;
                for (const Dot dot : {before, after}) removed.add(dot), seen.add(dot);
                more = true;
            });
    }

   private:
    /// Whether `next` went on where `reissue` ends, or lies in it; then they are one.
    static bool unite(Reissue& reissue, const Reissue& next) {
        if (next.before != reissue.before || next.after != reissue.after || next.first < reissue.first) return false;
        const std::uint64_t offset = next.first - reissue.first;
        if (offset > reissue.count || next.at != reissue.at + offset) return false;
        reissue.count = std::max(reissue.count, offset + next.count);
        return true;
    }

    template <class F>
    void for_each(F&& f) const {
        for (const Reissue& reissue : all_) {
            const ReplicaIndex before = intern(reissue.before), after = intern(reissue.after);
            for (std::uint64_t n = 0; n < reissue.count; ++n)
                f(Dot{before, reissue.first + n}, Dot{after, reissue.at + n});
        }
    }

    std::vector<Reissue> all_;
};

}  // namespace netsync

// ---- netsync/wire/snapshot.hpp ----

// netsync: a whole state as bytes, with exactly the causal context that it holds. Canonical but for its marks: two replicas
// with equal version vectors make the same bytes, so a transfer can go on from any of them.

namespace netsync {

/// Where an origin's history stands: the last counter held and the rolling hash there.
struct Head {
    ReplicaId replica;
    std::uint64_t counter = 0;
    std::uint64_t hash = 0;
    friend constexpr auto operator<=>(const Head&, const Head&) = default;
};

/// Whether they are by replica id, each replica once: as every version vector travels.
inline bool are_sorted(const std::vector<Head>& heads) {
    for (std::size_t at = 1; at < heads.size(); ++at)
        if (!(heads[at - 1].replica < heads[at].replica)) return false;
    return true;
}

/// How much of a replica's changes somebody holds whose heads, sorted, these are. O(log heads).
inline std::uint64_t counter_in(const std::vector<Head>& heads, const ReplicaId& replica) {
    const auto at = std::lower_bound(heads.begin(), heads.end(), replica,
                                     [](const Head& head, const ReplicaId& key) { return head.replica < key; });
    return at != heads.end() && at->replica == replica ? at->counter : 0;
}

/// Where two histories of one replica parted, and how one of them goes on: the one that stayed, or the other.
struct Mark {
    ReplicaId replica{};
    std::uint64_t counter = 0;  ///< the last of both
    std::uint64_t hash = 0;     ///< there; 0: not known
    std::uint64_t last = 0;     ///< of the first change beyond
    std::uint64_t beyond = 0;   ///< the hash there
    Ntp64 time{};               ///< of that change
    bool stayed = true;
    friend bool operator==(const Mark&, const Mark&) = default;
    /// The order in which they are kept: by replica and counter.
    friend bool precedes(const Mark& a, const Mark& b) {
        return std::tie(a.replica, a.counter) < std::tie(b.replica, b.counter);
    }

    bool is_valid() const noexcept { return !replica.is_nil() && counter < last && last <= max_counter; }

    /// What it tells of the hash at a counter.
    std::optional<std::uint64_t> hash_at(const ReplicaCounter& at) const {
        if (at.replica != replica) return std::nullopt;
        if (at.counter == last && stayed) return beyond;
        return at.counter == counter && (hash != 0 || counter == 0) ? std::optional{hash} : std::nullopt;
    }
};

inline constexpr std::size_t max_marks = 256;

/// What a state is of: exactly the causal context that it holds, and what else is to be known of it.
struct SnapshotHeader {
    std::vector<Head> heads{};  ///< by replica id: the version vector, and the hashes to continue from
    Ntp64 time{};               ///< the latest time in the state
    Reissues reissues{};        ///< what of it has more than one name
    /// Counters of the heads, or none: up to there tombstones may have been dropped.
    std::vector<std::uint64_t> forgotten{};
    std::uint64_t lineage = 0;  ///< see History::lineage
    std::vector<Mark> marks{};  ///< see History::marks
    std::size_t size = 0;       ///< of the header's bytes, where it was read

    /// The same as a cut. Interns their replicas.
    Forgotten dropped() const {
        std::vector<ReplicaCounter> counters;
        for (std::size_t at = 0; at < forgotten.size(); ++at)
            if (forgotten[at] > 0) counters.push_back({heads[at].replica, forgotten[at]});
        return Forgotten::of(counters);
    }
};

/// What comes out of snapshot bytes.
template <crdt T>
struct Snapshot : SnapshotHeader {
    T state{};
};

namespace detail {

inline DotSpace state_space(const std::vector<Head>& heads, Ntp64 time) {
    std::vector<DotRange> ranges;
    ranges.reserve(heads.size());
    for (const Head& head : heads) ranges.push_back({intern(head.replica), 1, head.counter});
    return {std::move(ranges), time};
}

/// A state that is not const is let go of.
template <class T>
void write_snapshot(Output& out, const SnapshotHeader& header, T& state) {
    out.fixed(wire_version);
    out(header.heads);
    out.fixed(header.time.value);
    out(header.reissues.all(), header.forgotten, header.lineage, header.marks);
    if constexpr (std::is_const_v<T>)
        out(state);
    else
        out.let_go(state);
}

template <class T>
Result<Bytes> encode_snapshot(const SnapshotHeader& header, T& state, const Limits& limits, std::size_t expected) {
    Output out{state_space(header.heads, header.time), limits.depth};
    if (expected > 0) out.expect(expected + varint_room);  // as much as is ever asked for at once
    write_snapshot(out, header, state);
    if (out.error()) return out.error();
    if (out.size() > limits.state) return errc::too_large;
    return out.take();
}

template <class T>
std::size_t size_of_snapshot(const SnapshotHeader& header, T& state, const Limits& limits) {
    Output out{state_space(header.heads, header.time), limits.depth};
    out.measure();
    write_snapshot(out, header, state);
    return out.size();
}

/// Of a header that was read.
inline std::error_code check(const SnapshotHeader& header, const Limits& limits) {
    const auto& [heads, time, reissues, forgotten, lineage, marks, size] = header;
    if (heads.size() > limits.replicas || marks.size() > max_marks) return errc::too_large;
    for (const Head& head : heads)
        if (head.counter == 0 || head.counter > max_counter || head.replica.is_nil()) return errc::malformed;
    if (!are_sorted(heads) || (!forgotten.empty() && forgotten.size() != heads.size())) return errc::malformed;
    for (std::size_t at = 0; at < marks.size(); ++at)
        if (!marks[at].is_valid() || (at > 0 && !precedes(marks[at - 1], marks[at]))) return errc::malformed;
    std::uint64_t any = forgotten.empty() ? 1 : 0;
    for (std::size_t at = 0; at < forgotten.size(); ++at) {
        if (forgotten[at] > heads[at].counter) return errc::malformed;
        any |= forgotten[at];
    }
    return any == 0 ? make_error_code(errc::malformed) : std::error_code{};
}

}  // namespace detail

/// Fails as Frame::make does, with errc::too_large beyond limits.state. O(state), and a sort.
/// `expected`: at least its size; then no more memory is taken, which is else up to two and a half times the bytes.
template <crdt T>
Result<Bytes> encode_snapshot(const SnapshotHeader& header, const T& state, const Limits& limits = {},
                              std::size_t expected = 0) {
    return detail::encode_snapshot(header, state, limits, expected);
}
/// The same of a copy that is let go of on the way: see Output::let_go.
template <crdt T>
    requires(!std::is_reference_v<T> && !std::is_const_v<T>)
Result<Bytes> encode_snapshot(const SnapshotHeader& header, T&& state, const Limits& limits = {},
                              std::size_t expected = 0) {
    return detail::encode_snapshot(header, state, limits, expected);
}

/// Of what encode_snapshot gives. In the same time, without memory.
template <crdt T>
std::size_t size_of_snapshot(const SnapshotHeader& header, const T& state, const Limits& limits = {}) {
    return detail::size_of_snapshot(header, state, limits);
}
template <crdt T>
    requires(!std::is_reference_v<T> && !std::is_const_v<T>)
std::size_t size_of_snapshot(const SnapshotHeader& header, T&& state, const Limits& limits = {}) {
    return detail::size_of_snapshot(header, state, limits);
}

/// The header alone. Nothing is interned.
inline Result<SnapshotHeader> decode_snapshot_header(ByteView bytes, const Limits& limits = {}) {
    Input in{bytes, Limits::state_budget(bytes.size())};
    SnapshotHeader header;
    if (in.fixed<std::uint8_t>() != wire_version) return errc::unsupported_version;
    in(header.heads);
    header.time = Ntp64{in.fixed<std::uint64_t>()};
    std::vector<Reissue> reissues;
    in(reissues, header.forgotten, header.lineage, header.marks);
    if (!in.ok()) return in.error();
    if (reissues.size() > limits.replicas) return errc::too_large;
    for (const Reissue& reissue : reissues) {
        if (!reissue.is_valid()) return errc::malformed;
        header.reissues.add(reissue);
    }
    if (header.reissues.all() != reissues) return errc::malformed;
    if (const std::error_code error = detail::check(header, limits)) return error;
    header.size = bytes.size() - in.remaining();
    return header;
}

/// `read(in)` reads the state that lies behind this header. errc::malformed, too_large, too_deep, replica_table_full. O(size).
template <class F>
std::error_code read_snapshot(ByteView bytes, const SnapshotHeader& header, const Limits& limits, F&& read) {
    for (const Head& head : header.heads)
        if (intern(head.replica) == ReplicaIndex{}) return errc::replica_table_full;
    const DotSpace space = detail::state_space(header.heads, header.time);
    Input in{bytes.subspan(header.size), Limits::state_budget(bytes.size()), &space, limits.depth};
    read(in);
    return in.finish();
}

/// The same errors, and errc::unsupported_version.
template <crdt T>
Result<Snapshot<T>> decode_snapshot(ByteView bytes, const Limits& limits = {}) {
    const Result<SnapshotHeader> header = decode_snapshot_header(bytes, limits);
    if (!header) return header.error();
    Snapshot<T> snapshot{*header, {}};
    const auto read = [&](Input& in) { in(snapshot.state); };
    if (const std::error_code error = read_snapshot(bytes, *header, limits, read)) return error;
    return snapshot;
}

}  // namespace netsync

// ---- netsync/store/concept.hpp ----

// netsync: the Store policy: a log of frames by dot, a snapshot, and a small key/value area, in atomic commits, made at
// once or on a thread of the store's own. docs/writing-a-store.md goes through it.

namespace netsync {

/// Called for each frame found; false ends the walk.
using FrameVisitor = std::function<bool(const SharedBytes&)>;

/// All calls come from the replica, under its mutex. A store knows bytes and dots, never the CrdtType.
///
/// - `append(frame)`: stages a frame. Those of one origin come in order, each beginning after the last.
/// - `adopt(snapshot, heads)`: stages a whole state that holds everything up to `heads`. A log that ends below its head
///   would have a hole and is cut; of the others frames up to there may go.
/// - `cut(counters)`: stages that of each origin named the frames that begin at or below its counter go. An adopted
///   snapshot holds what they said.
/// - `clear()`: stages that all frames and the snapshot go; the values stay.
/// - `put(key, value)`: stages a small value under a name.
/// - `commit()`: makes all that is staged durable, or none of it. After an error the staged part is still staged, and
///   commit may be tried again.
/// - `get(key)`: the committed value, if any.
/// - `snapshot()`: the last adopted snapshot, or null.
/// - `replay(visit)`: all frames held, in the order of append: the snapshot and these make the state.
/// - `frames(range, visit)`: the frames that hold dots of `range`, in order. False, with nothing visited, where the log
///   no longer holds the first of them: then the state must travel instead.
///
/// Exemplar: MemoryStore. The one that keeps nothing is NullStore.
template <class S>
concept store = std::movable<S> && requires(S& store, const S& reader, const Frame& frame, SharedBytes bytes,
                                            const std::vector<Head>& heads, std::string_view key, ByteView value,
                                            const CounterRange& range, const FrameVisitor& visit,
                                            const std::vector<ReplicaCounter>& counters) {
    { store.append(frame) } -> std::same_as<std::error_code>;
    { store.adopt(bytes, heads) } -> std::same_as<std::error_code>;
    { store.cut(counters) } -> std::same_as<std::error_code>;
    { store.clear() } -> std::same_as<std::error_code>;
    { store.put(key, value) } -> std::same_as<std::error_code>;
    { store.commit() } -> std::same_as<std::error_code>;
    { reader.get(key) } -> std::same_as<std::optional<Bytes>>;
    { reader.snapshot() } -> std::same_as<SharedBytes>;
    { reader.replay(visit) } -> std::same_as<void>;
    { reader.frames(range, visit) } -> std::same_as<bool>;
};

/// A store that commits on a thread of its own, so that no call waits for the disk. What is staged while a commit is
/// under way belongs to the next one: so those who change data at the same time share a commit. The replica holds back
/// what it would send until what it had staged before is durable.
///
/// - `commit_later(done)`: commit(), but returns at once; `done(error)` follows on the store's own thread, never from
///   within the call, with nothing of the store locked. Not called again before.
/// - `commit()`: waits for a commit that is under way, and until its `done` has returned; then commits the rest. Called
///   without the replica's mutex, but at the opening.
/// - `is_behind()`: whether so much waits to be written that changes are to be refused for a while.
/// - `frames`, `replay`, `get` and `snapshot` tell of what is staged, too.
///
/// Exemplar: SqliteStore.
template <class S>
concept asynchronous_store =
    store<S> && requires(S& store, const S& reader, std::function<void(std::error_code)> done) {
        { store.commit_later(std::move(done)) } -> std::same_as<void>;
        { reader.is_behind() } -> std::same_as<bool>;
    };

/// A store that may have to be opened later than its replica begins: its disk is away, or somebody else has its file.
/// Until then the replica shows what can be read, refuses changes, and takes no part in the pool.
///
/// - `opening_error()`: why not all that it holds can be told; nothing once it can. Until then it takes nothing, and each
///   commit tries to open it again; after the first that succeeds all of it is read anew.
///
/// Exemplar: SqliteStore.
template <class S>
concept reopening_store = store<S> && requires(const S& reader) {
    { reader.opening_error() } -> std::same_as<std::error_code>;
};

/// Why a store is not open, if it is not.
template <store Store>
std::error_code opening_error(const Store& store) {
    if constexpr (reopening_store<Store>)
        return store.opening_error();
    else
        return {};
}

/// A store that writes a snapshot in steps, between commits, holds it in memory meanwhile, and may say so: another one is
/// not made then.
///
/// - `has_snapshot_waiting()`: whether the last one adopted is still to be written.
///
/// Exemplar: SqliteStore.
template <class S>
concept snapshot_deferring_store = store<S> && requires(const S& reader) {
    { reader.has_snapshot_waiting() } -> std::same_as<bool>;
};

template <store Store>
bool has_snapshot_waiting(const Store& store) {
    if constexpr (snapshot_deferring_store<Store>)
        return store.has_snapshot_waiting();
    else
        return false;
}

/// The store of a replica that was given none: made from the options where it can be, else as it is by default.
template <store Store>
Store make_store(const Options& options) {
    if constexpr (std::constructible_from<Store, const Options&>)
        return Store{options};
    else
        return Store{};
}

}  // namespace netsync

// ---- netsync/discovery/endpoint.hpp ----

// netsync: where replicas can be dialed, and the two ways to hear of it. Discoveries tell a transport; a transport
// tells the pool.

namespace netsync {

/// Where a replica can be dialed. Never its identity: that is the ReplicaId.
struct Endpoint {
    std::string host{};
    std::uint16_t port = 0;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// `host:port`, with an IPv6 host in brackets.
inline std::string to_string(const Endpoint& endpoint) {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return (v6 ? '[' + endpoint.host + ']' : endpoint.host) + ':' + std::to_string(endpoint.port);
}

/// Reads `host:port` and `[v6]:port`. errc::bad_endpoint for anything else.
inline Result<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return errc::bad_endpoint;
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return errc::bad_endpoint;
    Endpoint endpoint{std::string(host), 0};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
    if (error != std::errc{} || end != digits.data() + digits.size() || endpoint.port == 0 || host.empty())
        return errc::bad_endpoint;
    return endpoint;
}

struct AnnouncementReceived {
    std::string host;  ///< the datagram's source: the only address in it that can be believed
    ByteView bytes;
};
/// Somebody may listen there.
struct PeerHinted {
    Endpoint endpoint;
};

}  // namespace netsync

// ---- netsync/transport/concept.hpp ----

// netsync: the Transport policy: links that carry whole messages, announcements to whoever listens, one timer, and
// randomness. Everything below it is sans-IO: it sees the world through these calls and events alone.

namespace netsync {

/// One connection of this transport. Never reused.
enum class Link : std::uint64_t {};

struct LinkOpened {
    Link link;
    bool dialed;    ///< by us
    Endpoint peer;  ///< as the transport sees it; the port of an accepted link is not where the peer listens
};
struct MessageReceived {
    Link link;
    ByteView bytes;
};
struct LinkClosed {
    Link link;
    std::error_code reason;  ///< also of a dial that failed; no event follows our own close()
};
/// The time of the last wake_at() has come.
struct Woken {};

using TransportEvent = std::variant<LinkOpened, MessageReceived, LinkClosed, AnnouncementReceived, PeerHinted, Woken>;
using TransportEvents = std::function<void(const TransportEvent&)>;

/// The replica calls these from any thread, all but stop under its mutex; they must not call back into it from within.
/// Events come one at a time, from any one thread, and only between start() and stop().
///
/// - `start(options, events)`: begins to listen, then to receive announcements. After an error nothing is open.
/// - `stop()`: closes everything; no event is under way or follows when it returns, unless it was called from one. May be
///   called again, and before any start.
/// - `now()`: time since some fixed moment; never goes back, whatever the wall clock does.
/// - `wake_at(time)`: one Woken event at that time of now() or soon after; replaces the one before.
/// - `announce(bytes)`: to whoever listens; may be lost; at most limits.datagram bytes.
/// - `dial(endpoint)`: LinkOpened or LinkClosed follows.
/// - `send(link, message)`: whole, once and in order, or the link closes. False, and nothing is sent, when more than
///   limits.backlog bytes wait already: the peer is slow, and gossip will bring it what it misses.
/// - `close(link)`: what was sent before is still delivered where possible.
/// - `port()`: where others dial us, once started; 0 where they cannot.
/// - `entropy()`: 64 random bits, to seed this replica's own generator.
///
/// Exemplar: MemoryTransport.
template <class T>
concept transport =
    std::movable<T> && requires(T& transport, const Options& options, TransportEvents events, Duration time,
                                ByteView bytes, const Endpoint& endpoint, Link link, SharedBytes message) {
        { transport.start(options, std::move(events)) } -> std::same_as<std::error_code>;
        { transport.stop() } -> std::same_as<void>;
        { transport.now() } -> std::same_as<Duration>;
        { transport.wake_at(time) } -> std::same_as<void>;
        { transport.announce(bytes) } -> std::same_as<void>;
        { transport.dial(endpoint) } -> std::same_as<Link>;
        { transport.send(link, std::move(message)) } -> std::same_as<bool>;
        { transport.close(link) } -> std::same_as<void>;
        { transport.port() } -> std::same_as<std::uint16_t>;
        { transport.entropy() } -> std::same_as<std::uint64_t>;
    };

}  // namespace netsync

// ---- netsync/fwd.hpp ----

// netsync: the names of the main types, and the plain names for the usual choices of policies.

namespace netsync {

template <store Store, transport Transport, clock Clock, crdt CrdtType>
class Replica;

class MemoryStore;
class MemoryHub;
class MemoryTransport;
struct SystemTime;
template <class Source>
class BasicHybridClock;

/// A replica on an in-process network (MemoryHub): for tests, and for replicas that share a program.
template <class CrdtType>
using MemoryReplica = Replica<MemoryStore, MemoryTransport, BasicHybridClock<SystemTime>, CrdtType>;

}  // namespace netsync

// ---- netsync/observe/subscription.hpp ----

// netsync: observers. Changes that were merged come in under the replica's mutex; callbacks go out after it, one at a
// time and in order.

namespace netsync {

/// Where a change came from.
struct ChangeInfo {
    ReplicaId origin{};
    Ntp64 time{};
    bool local = false;
    bool whole = false;  ///< a whole state was joined: the delta is the state as it is now; anything may have gone
};

/// Keeps an observer subscribed; ends it when destroyed. The callback is not running any more, and will not run again,
/// when the destructor returns (unless that is called from within the callback itself). May outlive the replica.
class [[nodiscard]] Subscription {
   public:
    Subscription() = default;
    Subscription(Subscription&&) noexcept = default;
    Subscription& operator=(Subscription&& other) noexcept {
        if (this != &other) {
            reset();
            gate_ = std::move(other.gate_);
        }
        return *this;
    }
    ~Subscription() { reset(); }

    void reset() {
        if (!gate_) return;
        {
            const std::lock_guard lock{gate_->mutex};
            gate_->open = false;
        }
        gate_.reset();
    }

   private:
    template <class Event>
    friend class Observers;

    struct Gate {
        std::recursive_mutex mutex;  // held while the callback runs; recursive, so that it may end itself
        bool open = true;
    };

    explicit Subscription(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

    std::shared_ptr<Gate> gate_;
};

/// Callbacks that wait for the mutex to be free. A callback must not throw: that ends the program.
class Notifications {
   public:
    void push(std::function<void()> call) { queue_.push_back(std::move(call)); }

    /// Runs what waits, in order, with `lock` released meanwhile. One thread at a time delivers; others leave theirs to
    /// it.
    void deliver(std::unique_lock<std::mutex>& lock) noexcept {
        if (std::exchange(delivering_, true)) return;
        while (!queue_.empty()) {
            const std::function<void()> call = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            call();
            lock.lock();
        }
        delivering_ = false;
    }

   private:
    std::deque<std::function<void()>> queue_;
    bool delivering_ = false;
};

/// The observers of one kind of event. Every call is made under the replica's mutex.
template <class Event>
class Observers {
   public:
    bool empty() const noexcept { return entries_.empty(); }

    Subscription subscribe(std::function<void(const Event&)> callback) {
        auto gate = std::make_shared<Subscription::Gate>();
        entries_.push_back({gate, std::move(callback)});
        return Subscription{std::move(gate)};
    }

    void notify(const std::shared_ptr<const Event>& event, Notifications& notifications) {
        std::erase_if(entries_, [](const Entry& entry) {
            const std::unique_lock lock{entry.gate->mutex, std::try_to_lock};
            return lock && !entry.gate->open;
        });
        for (const Entry& entry : entries_)
            notifications.push([entry, event] {
                const std::lock_guard lock{entry.gate->mutex};
                if (entry.gate->open) entry.callback(*event);
            });
    }

   private:
    struct Entry {
        std::shared_ptr<Subscription::Gate> gate;
        std::function<void(const Event&)> callback;
    };

    std::vector<Entry> entries_;
};

}  // namespace netsync

// ---- netsync/observe/touched.hpp ----

// netsync: subscriptions to a part of the data. A merged delta comes in; the callback hears of it if the delta touches
// the end of its path.

namespace netsync::detail {

template <class F, class Delta>
void call_observer(F& f, const Delta& delta, const ChangeInfo& info) {
    if constexpr (std::invocable<F&, const Delta&, const ChangeInfo&>)
        f(delta, info);
    else if constexpr (std::invocable<F&, const Delta&>)
        f(delta);
    else {
        static_assert(std::invocable<F&>,
                      "netsync: an observer is called with (delta, ChangeInfo), (delta), or nothing");
        f();
    }
}

/// `path..., callback` as one function of what was merged.
template <class Merged, class... PathAndCallback>
std::function<void(const Merged&)> when_touched(OwnerId self, PathAndCallback&&... path_and_callback) {
    constexpr std::size_t steps = sizeof...(PathAndCallback) - 1;
    return [self, all = std::tuple<std::decay_t<PathAndCallback>...>(
                      std::forward<PathAndCallback>(path_and_callback)...)](const Merged& merged) mutable {
        [&]<std::size_t... Step>(std::index_sequence<Step...>) {
            if (const auto* delta = touched_at(merged.delta, self, std::get<Step>(all)...))
                call_observer(std::get<steps>(all), *delta, merged.info);
        }(std::make_index_sequence<steps>{});
    };
}

}  // namespace netsync::detail

// ---- netsync/detail/overloaded.hpp ----

// netsync: one visitor from several lambdas.

namespace netsync::detail {

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace netsync::detail

// ---- netsync/pool/member.hpp ----

// netsync: what a replica knows of another.

namespace netsync {

/// How a member stands, as seen from here. `known`: told of by others, never linked. `live`: linked and heard of.
/// `suspect`: silent or cut off, for less than the timeout. `offline`: out of the live pool. `stale`: for so long that
/// nothing is kept for it any more.
enum class MemberState { known, live, suspect, offline, stale };

/// How far this replica itself has come. `alone`: nobody answered yet. `greeting`: a link is being introduced.
/// `loading`: takes the state of the highest roller. `ready`: has what the pool had when it joined.
enum class JoinState { alone, greeting, loading, ready };

constexpr std::string_view to_string(MemberState state) noexcept {
    switch (state) {
    case MemberState::known: return "known";
    case MemberState::live: return "live";
    case MemberState::suspect: return "suspect";
    case MemberState::offline: return "offline";
    case MemberState::stale: return "stale";
    }
    return "?";
}

constexpr std::string_view to_string(JoinState state) noexcept {
    switch (state) {
    case JoinState::alone: return "alone";
    case JoinState::greeting: return "greeting";
    case JoinState::loading: return "loading";
    case JoinState::ready: return "ready";
    }
    return "?";
}

struct Member {
    ReplicaId replica{};
    std::string name{};
    MemberState state = MemberState::known;
    bool ready = false;     ///< as it says: has loaded, takes part
    bool expected = false;  ///< others say that it lives: it may be about to introduce itself
    bool settled = false;   ///< as it says: has forgotten what all had seen
    Endpoint endpoint{};
    Link link{};                ///< where it is talked to; Link{} where it is not
    std::vector<Head> heads{};  ///< what it was last known to hold
    std::uint64_t retired = 0;  ///< the digest of the retirements that it knew then
    Duration last_heard{};      ///< on the transport's clock, by ourselves or by others
    Ntp64 last_seen{};          ///< on the wall clock; zero: never
    Ntp64 last_synchronized{};  ///< when it was last known to hold the same as this replica
    Duration round_trip{};      ///< smoothed; zero: none measured yet
    Duration skew{};            ///< of its wall clock against ours, ahead is positive
    std::uint64_t session = 0;
    std::uint64_t session_before = 0;
    std::uint64_t opened = 0;  // see Twin
    Duration redial_at{};

    /// The counter of `origin` that it was last known to hold. O(log origins).
    std::uint64_t holds(const ReplicaId& origin) const { return counter_in(heads, origin); }
};

/// What observers of the pool hear: a member is new or changed its state, or the pool refused a peer or a frame.
struct PoolEvent {
    ReplicaId replica{};  ///< the member, the peer, or the frame's origin; nil where it never said
    MemberState before = MemberState::known;
    MemberState now = MemberState::known;
    std::error_code
        refused{};        ///< why a link or a frame was refused, by us or by the peer; the states then mean nothing
    Endpoint endpoint{};  ///< of a refused peer, as far as it is known
};

}  // namespace netsync

// ---- netsync/pool/outbox.hpp ----

// netsync: what the protocol wants done. Pool and sync fill it, the replica hands it to the transport: sans-IO.

namespace netsync {

/// Carried out in this order: sends, closes, dials, announcement. Events go to observers.
struct Outbox {
    struct Send {
        Link link;
        SharedBytes message;
        bool at_once = false;  ///< tells of nothing that is not durable: need not wait for a commit
    };

    std::vector<Send> sends;
    std::vector<Link> closes;
    std::vector<Endpoint> dials;
    std::optional<Bytes> announcement;
    std::vector<PoolEvent> events;
    std::vector<Link> introduced;  ///< on which this replica introduces itself by one of the sends that wait

    template <message M>
    void send(Link link, const M& content, bool at_once = detail::tells_nothing(M::kind)) {
        if (!at_once && (M::kind == MessageKind::greeting || M::kind == MessageKind::handshake))
            introduced.push_back(link);
        sends.push_back({link, encode_message(content), at_once});
    }

    /// All that is to be sent is left out.
    void drop_sends() {
        sends.clear();
        introduced.clear();
        waiting_ = 0;
    }

    /// As if just made; the memory of a few sends is kept for the next ones.
    void clear() {
        if (sends.capacity() > few_sends) sends = {};
        drop_sends();
        closes.clear();
        dials.clear();
        announcement.reset();
        events.clear();
    }

    /// Takes out the sends that need not wait. On a link on which an introduction waits, here or in `before`, they follow it.
    std::vector<Send> take_at_once(const Outbox& before) {
        std::vector<Send> taken;
        const auto waits = [&](const Send& send) {
            const auto holds = [&](const std::vector<Link>& links) {
                return std::find(links.begin(), links.end(), send.link) != links.end();
            };
            return !send.at_once || holds(introduced) || holds(before.introduced);
        };
        std::size_t kept = std::min(waiting_, sends.size());
        for (std::size_t at = kept; at < sends.size(); ++at)
            if (!waits(sends[at]))
                taken.push_back(std::move(sends[at]));
            else if (kept++ != at)
                sends[kept - 1] = std::move(sends[at]);
        sends.resize(kept);
        waiting_ = kept;
        return taken;
    }

    bool empty() const noexcept {
        return sends.empty() && closes.empty() && dials.empty() && !announcement && events.empty();
    }

   private:
    static constexpr std::size_t few_sends = 64;

    std::size_t waiting_ = 0;  // of the sends, the first ones: they were looked at
};

}  // namespace netsync

// ---- netsync/detail/ordered_map.hpp ----

// netsync: a map for the handful of things a replica keeps about others: in the order of its keys, with references that
// stay. Cheap to compile, which a standard map is not: every program that includes the library pays for each one.

namespace netsync::detail {

/// Keys to values, sorted; each entry in a box of its own, so references hold until their entry is erased. find:
/// O(log n); insert and erase move O(n) pointers: for thousands of entries, not for data.
template <class Key, class Value>
class OrderedMap {
   public:
    struct Entry {
        const Key first;
        Value second;
    };

    OrderedMap() = default;
    OrderedMap(OrderedMap&& other) noexcept { boxes_.swap(other.boxes_); }
    OrderedMap& operator=(OrderedMap&& other) noexcept {
        boxes_.swap(other.boxes_);
        return *this;
    }
    ~OrderedMap() { clear(); }

    bool empty() const noexcept { return boxes_.empty(); }
    std::size_t size() const noexcept { return boxes_.size(); }
    void clear() noexcept {
        for (void* box : boxes_) delete static_cast<Entry*>(box);
        boxes_.clear();
    }

    template <class Query>
    const Value* find(const Query& key) const {
        const std::size_t at = position(key);
        return holds(at, key) ? &entry(at).second : nullptr;
    }
    template <class Query>
    Value* find(const Query& key) {
        const std::size_t at = position(key);
        return holds(at, key) ? &entry(at).second : nullptr;
    }
    template <class Query>
    bool contains(const Query& key) const {
        return holds(position(key), key);
    }

    /// The value under `key`, made by default where there was none.
    Value& operator[](const Key& key) {
        const std::size_t at = position(key);
        if (!holds(at, key)) {
            auto made = std::unique_ptr<Entry>(new Entry{key, Value{}});
            boxes_.insert(boxes_.begin() + static_cast<std::ptrdiff_t>(at), made.get());
            made.release();
        }
        return entry(at).second;
    }

    template <class Query>
    bool erase(const Query& key) {
        const std::size_t at = position(key);
        if (!holds(at, key)) return false;
        delete &entry(at);
        boxes_.erase(boxes_.begin() + static_cast<std::ptrdiff_t>(at));
        return true;
    }

    /// Erases each entry for which `goes(key, value)` holds, in order. `goes` must not change the map.
    template <class F>
    void erase_if(F&& goes) {
        std::size_t kept = 0;
        for (std::size_t at = 0; at < boxes_.size(); ++at) {
            if (goes(entry(at).first, entry(at).second))
                delete &entry(at);
            else
                boxes_[kept++] = boxes_[at];
        }
        boxes_.resize(kept);
    }

    /// Whether `f(key, value)` holds for any entry.
    template <class F>
    bool any(F&& f) const {
        for (const Entry& held : *this)
            if (f(held.first, held.second)) return true;
        return false;
    }

    auto begin() noexcept { return Walk<Entry>{boxes_.data()}; }
    auto end() noexcept { return Walk<Entry>{boxes_.data() + boxes_.size()}; }
    auto begin() const noexcept { return Walk<const Entry>{boxes_.data()}; }
    auto end() const noexcept { return Walk<const Entry>{boxes_.data() + boxes_.size()}; }

   private:
    /// Enough of an iterator for a range-based for.
    template <class Held>
    struct Walk {
        void* const* at;

        Held& operator*() const noexcept { return *static_cast<Held*>(*at); }
        Held* operator->() const noexcept { return static_cast<Held*>(*at); }
        Walk& operator++() noexcept {
            ++at;
            return *this;
        }
        bool operator==(const Walk&) const = default;
    };

    Entry& entry(std::size_t at) const noexcept { return *static_cast<Entry*>(boxes_[at]); }

    template <class Query>
    std::size_t position(const Query& key) const {
        std::size_t from = 0, to = boxes_.size();
        while (from < to) {
            const std::size_t middle = from + (to - from) / 2;
            if (entry(middle).first < key)
                from = middle + 1;
            else
                to = middle;
        }
        return from;
    }

    template <class Query>
    bool holds(std::size_t at, const Query& key) const {
        return at < boxes_.size() && !(key < entry(at).first);
    }

    std::vector<void*> boxes_;  // one type for all maps: the compiler instantiates it once
};

}  // namespace netsync::detail

// ---- netsync/pool/retirement.hpp ----

// netsync: who is gone for good. Records that retire an incarnation come in from any member and are the same everywhere
// in the end; what goes out is who is retired.

namespace netsync {

/// "This incarnation is given up; `last` is what is known of it." It is no member any more, and nothing is taken from it.
/// What members hold of it still counts. Its owner, should it return, takes the pool's state and issues its unseen changes
/// again under a new incarnation.
struct Retirement {
    ReplicaId replica{};
    std::uint64_t last = 0;
    Ntp64 time{};    ///< when it was decided, by the wall clock of:
    ReplicaId by{};  ///< whose word it is

    friend bool operator==(const Retirement&, const Retirement&) = default;
    /// The order in which records are weighed.
    friend bool operator<(const Retirement& a, const Retirement& b) {
        return std::tie(a.time, a.by, a.replica, a.last) < std::tie(b.time, b.by, b.replica, b.last);
    }
};

/// A grow-only set of records, so that members agree whatever the order of arrival. The word of one who is retired by an
/// earlier record is void: two sides of a split that retire each other end with one of them retired.
class Retirements {
   public:
    bool empty() const noexcept { return records_.empty(); }
    const std::vector<Retirement>& records() const noexcept { return records_; }

    bool contains(const ReplicaId& replica) const { return retired_.contains(replica); }
    /// Whether anybody ever gave it up, also where that is void: for a while it may have been no member somewhere. O(records).
    bool speak_of(const ReplicaId& replica) const {
        return std::any_of(records_.begin(), records_.end(),
                           [&](const Retirement& record) { return record.replica == replica; });
    }

    /// True if any was new. At most `limit` records are kept. O(records).
    bool merge(const std::vector<Retirement>& others, std::size_t limit) {
        bool news = false;
        for (const Retirement& record : others) {
            const auto at = std::lower_bound(records_.begin(), records_.end(), record);
            if ((at != records_.end() && *at == record) || records_.size() >= limit) continue;
            if (record.replica.is_nil() || record.by.is_nil() || record.replica == record.by) continue;
            records_.insert(at, record);
            news = true;
        }
        if (news) weigh();
        return news;
    }

    /// The same wherever the same records are.
    std::uint64_t digest() const noexcept {
        std::uint64_t digest = 0;
        for (const Retirement& record : records_) {
            digest = detail::mix(digest ^ record.replica.owner_bits, record.replica.incarnation);
            digest = detail::mix(digest ^ record.by.owner_bits, record.by.incarnation);
            digest = detail::mix(digest ^ record.last, record.time.value);
        }
        return digest;
    }

   private:
    /// Who is retired, from the records in their order.
    void weigh() {
        retired_.clear();
        for (const Retirement& record : records_)
            if (!retired_.contains(record.by)) retired_[record.replica] = true;
    }

    std::vector<Retirement> records_;  // sorted
    detail::OrderedMap<ReplicaId, bool> retired_;
};

}  // namespace netsync

// ---- netsync/pool/message.hpp ----

// netsync: how replicas introduce themselves and stay in touch.

namespace netsync {

inline constexpr std::uint8_t oldest_wire_version = 1;

/// In a datagram, after four magic bytes: somebody of this pool listens at the datagram's source and this port.
struct Announcement {
    std::uint8_t oldest_version = oldest_wire_version;
    std::uint8_t newest_version = wire_version;
    std::string pool{};
    ReplicaId replica{};
    std::uint16_t port = 0;
    std::uint64_t session = 0;  ///< tells one's own from that of a copy of this replica
};

/// What a replica says of itself to one of the same id, so that the two find out which is a copy of the other. The counters
/// are of its own changes.
struct Twin {
    std::uint64_t session = 0;  ///< changes at every start, and with the id
    std::uint64_t opened = 0;   ///< what its store held when it was opened
    std::uint64_t counter = 0;  ///< what it has made by now
    std::uint64_t hash = 0;     ///< the rolling hash there

    /// Whether the other one has all that this one made: its store had it when it was opened, or nothing was made since
    /// this one's was.
    bool is_in(const Twin& other) const noexcept {
        const bool told = counter > 0 || opened == 0;  // else not yet durable
        return told && (counter <= other.opened || counter == opened);
    }
};

/// The dialer's first word on a link: who it is and what it speaks.
struct Response {
    static constexpr MessageKind kind = MessageKind::response;
    std::uint8_t oldest_version = oldest_wire_version;
    std::uint8_t newest_version = wire_version;
    std::string pool{};
    ReplicaId replica{};
    Twin self{};
};

/// A member as others speak of it, and as it is remembered.
struct Acquaintance {
    ReplicaId replica{};
    Endpoint endpoint{};  ///< port 0: not known
    Ntp64 last_seen{};
    Ntp64 last_synchronized{};
    bool live = false;  ///< as far as the teller knows
};

/// Everything that a peer should know of a replica. `session` changes at every start; it seeds the roll. Whoever is not
/// `ready` still takes a state itself: what it holds is not told, so nobody asks for it.
struct Introduction {
    std::uint8_t oldest_version = oldest_wire_version;
    std::uint8_t newest_version = wire_version;
    std::string pool{};
    ReplicaId replica{};
    std::string name{};
    std::uint64_t session = 0;
    std::uint64_t opened = 0;  ///< see Twin
    ReplicaCounter
        former{};  ///< of one who is about to go on under this id: whose store it is, and what that held, see Twin
    std::uint16_t port = 0;
    Ntp64 wall{};
    std::vector<Head> heads{};
    std::vector<Acquaintance> members{};
    bool ready = false;
    std::vector<Retirement> retired{};
    bool settled = false;  ///< may have forgotten what a change made without it would have to meet
};

/// The answer to a Response.
struct Greeting {
    static constexpr MessageKind kind = MessageKind::greeting;
    Introduction self{};
};
/// The answer to a Greeting: now both know each other.
struct Handshake {
    static constexpr MessageKind kind = MessageKind::handshake;
    Introduction self{};
};

/// Why a link is about to be closed.
struct Refusal {
    static constexpr MessageKind kind = MessageKind::refusal;
    errc reason{};
    Twin self{};  ///< the sender
};

/// The answer to a message from a stranger.
struct IntroduceYourself {
    static constexpr MessageKind kind = MessageKind::introduce_yourself;
};

/// `sent` is the sender's own monotonic time; the answer brings it back.
struct Ping {
    static constexpr MessageKind kind = MessageKind::ping;
    std::int64_t sent = 0;
};
struct Pong {
    static constexpr MessageKind kind = MessageKind::pong;
    std::int64_t sent = 0;
    Ntp64 wall{};
};

/// "Have you heard of this member?": asked of others before a silence is believed (SWIM, Das et al. 2002).
struct Probe {
    static constexpr MessageKind kind = MessageKind::probe;
    ReplicaId replica{};
};
/// "So long ago", in nanoseconds.
struct Heard {
    static constexpr MessageKind kind = MessageKind::heard;
    ReplicaId replica{};
    std::int64_t ago = 0;
};

inline constexpr std::uint32_t announcement_magic = 0x434e594e;  // "NYNC"

inline Bytes encode_announcement(const Announcement& announcement) {
    Output out;
    out.fixed(announcement_magic);
    out(announcement);
    return out.take();
}

/// Whether the pool's name leaves room for the rest of an announcement.
inline bool can_be_announced(const Options& options) {
    const Announcement announcement{oldest_wire_version, wire_version, options.pool,
                                    {~0u, ~0u},          0xffff,       ~std::uint64_t{0}};
    return encode_announcement(announcement).size() <= options.limits.datagram;
}

/// errc::malformed for anything that is not an announcement. The version is for the caller to judge.
inline Result<Announcement> decode_announcement(ByteView bytes, const Limits& limits = {}) {
    if (bytes.size() > limits.datagram) return errc::too_large;
    Input in{bytes, Limits::frame_budget(bytes.size())};
    if (in.fixed<std::uint32_t>() != announcement_magic) return errc::malformed;
    Announcement announcement;
    in(announcement);
    if (const std::error_code error = in.finish()) return error;
    return announcement;
}

}  // namespace netsync

// ---- netsync/pool/keepalive.hpp ----

// netsync: who still lives. Pings, pongs and what others have heard come in; suspects and the lost go out.

namespace netsync {

/// A failure detector that would rather be late than wrong (SWIM, Das et al. 2002; Lifeguard, Dadgar et al. 2018): a
/// silence is believed only when nobody else has heard the member either, measured against the round trip seen so far, and
/// not when it was this replica that slept. Any message counts as a sign of life. Sans-IO.
class Keepalive {
   public:
    explicit Keepalive(const Options& options) : options_(options) {}

    void start(Duration now) { next_at_ = now + options_.keepalive_interval; }
    Duration next_at() const noexcept { return next_at_; }

    /// How long this replica overslept, at a tick that is due. The others had no chance to be heard meanwhile.
    Duration overslept(Duration now) {
        const Duration late = now - next_at_;
        next_at_ = now + options_.keepalive_interval;
        return late > options_.keepalive_interval ? late : Duration{0};
    }

    /// The silence after which a member is offline.
    Duration timeout(const Member& member) const {
        return options_.keepalive_timeout + std::min(member.round_trip * 4, options_.keepalive_timeout);
    }

    bool is_lost(const Member& member, Duration now) const { return now - member.last_heard > timeout(member); }
    bool is_suspect(const Member& member, Duration now) const { return now - member.last_heard > timeout(member) / 2; }

    /// Asks a few of the others whether they have heard of it.
    void probe(const Member& suspect, const std::vector<Link>& others, detail::Random& random, Outbox& out) const {
        for (std::size_t asked = 0; asked < std::min(probes, others.size()); ++asked)
            out.send(others[random.below(others.size())], Probe{suspect.replica});
    }

    /// What another one says about a member: a sign of life as old as it says.
    void on_heard(Member& member, const Heard& heard, Duration now) const {
        if (heard.ago < 0 || Duration{heard.ago} > options_.keepalive_timeout) return;
        member.last_heard = std::max(member.last_heard, now - Duration{heard.ago});
    }

    /// Smoothed as in TCP (Jacobson 1988), an eighth of each new sample.
    static void on_pong(Member& member, const Pong& pong, Duration now, Ntp64 wall) {
        const Duration sample = now - Duration{pong.sent};
        member.round_trip = member.round_trip == Duration{} ? sample : (member.round_trip * 7 + sample) / 8;
        member.skew = difference(pong.wall, wall) + sample / 2;
    }

   private:
    static constexpr std::size_t probes = 3;

    const Options& options_;
    Duration next_at_{};
};

}  // namespace netsync

// ---- netsync/pool/links.hpp ----

// netsync: who is at the other end of each link, and where links may be had. Opened, introduced and closed links come in,
// endpoints worth a dial go out.

namespace netsync {

/// One link, from its opening on.
struct Peer {
    ReplicaId replica{};
    std::string host{};
    std::optional<Endpoint> dialed{};  ///< by us, and where
    std::uint64_t session = 0;
    bool introduced = false;
    Duration opened{};
    std::optional<Duration> asked{};  ///< to introduce itself
};

/// The open links, and the endpoints that were hinted at. Bounded by limits.links and limits.members. One thread.
class Links {
   public:
    explicit Links(const Options& options) : options_(options) {}

    Peer* find(Link link) { return open_.find(link); }
    const Peer* find(Link link) const { return open_.find(link); }
    auto begin() const noexcept { return open_.begin(); }
    auto end() const noexcept { return open_.end(); }

    /// Null where there are too many.
    Peer* open(const LinkOpened& event, Duration now) {
        if (open_.size() >= options_.limits.links) return ++refused_, nullptr;
        Peer& peer = open_[event.link];
        peer.host = event.peer.host;
        peer.opened = now;
        if (event.dialed) peer.dialed = event.peer;
        return &peer;
    }

    void close(Link link) { open_.erase(link); }
    void clear() { open_.clear(); }

    std::uint64_t refused() const noexcept { return refused_; }

    bool any_stranger() const {
        return open_.any([](Link, const Peer& peer) { return !peer.introduced; });
    }

    /// An introduced link to `replica`; Link{} without one.
    Link to(const ReplicaId& replica) const {
        for (const auto& [link, peer] : open_)
            if (peer.introduced && peer.replica == replica) return link;
        return Link{};
    }

    /// Whether a link is on its way there already.
    bool reaches(const ReplicaId& replica, const Endpoint& endpoint) const {
        return open_.any([&](Link, const Peer& peer) { return peer.replica == replica || peer.dialed == endpoint; });
    }

    /// Dialed again and again, with a back-off that belongs to the endpoint, until somebody is found there.
    void hint(const Endpoint& endpoint, Duration now, Outbox& out) {
        if (open_.any([&](Link, const Peer& peer) { return peer.dialed == endpoint; })) return;
        if (hinted_.size() >= options_.limits.members && !hinted_.contains(endpoint)) return;
        Hint& hinted = hinted_[endpoint];
        if (now < hinted.at) return;
        hinted.after = std::clamp(hinted.after * 2, options_.redial.least, options_.redial.most);
        hinted.at = now + hinted.after;
        out.dials.push_back(endpoint);
    }

    /// Who was found at an endpoint; nil where nobody was, or where it was not hinted at.
    ReplicaId found_at(const Endpoint& endpoint) const {
        const Hint* hinted = hinted_.find(endpoint);
        return hinted ? hinted->replica : ReplicaId{};
    }
    void found(const Endpoint& endpoint, const ReplicaId& replica) {
        if (Hint* hinted = hinted_.find(endpoint)) *hinted = {replica, {}, {}};
    }

   private:
    struct Hint {
        ReplicaId replica{};
        Duration at{};
        Duration after{};
    };

    const Options& options_;
    detail::OrderedMap<Link, Peer> open_;
    detail::OrderedMap<Endpoint, Hint> hinted_;
    std::uint64_t refused_ = 0;
};

}  // namespace netsync

// ---- netsync/pool/twins.hpp ----

// netsync: whether another replica runs under this id, on a copy of this store, or this one on a copy of its. What the others
// say of themselves comes in; who gives way, and what both had, goes out.

namespace netsync {

/// `Copy` is the LocalCopy whose history is told. One thread.
template <class Copy>
class Twins {
   public:
    Twins(const Copy& copy, std::uint64_t session) : copy_(copy), session_(session) {}

    /// Tells a replica from another one of the same id.
    std::uint64_t session() const noexcept { return session_; }
    /// This replica goes on under another id: nobody else has that.
    void renew(std::uint64_t session) {
        original_.reset();
        session_ = session;
    }

    /// What this replica says of itself to one of the same name.
    Twin self(const ReplicaId& name) const {
        Twin twin{.session = session_};
        if (name != copy_.id()) return twin;
        const std::uint64_t counter = copy_.history().counter(name);
        twin.opened = copy_.opened();
        if (!copy_.is_durable(name, counter)) return twin;  // nothing is told of it yet
        twin.counter = counter;
        twin.hash = copy_.history().hash(name);
        return twin;
    }

    /// Our own dial come back to us is refused in silence; under another session it is a copy of this replica, or this one is
    /// a copy of it. The one gives way of whose changes the other one has all, or else whose store was opened later, when
    /// it held more, and of two that were opened with the same the one whose session is the lower.
    void meet(const ReplicaId& name, const Twin& other) {
        if (other.session == 0 || other.session == session_) return;
        const Twin own = self(name);
        hear_of({name, other.opened});
        const bool ours_there = own.is_in(other), theirs_here = other.is_in(own);
        const bool stays = ours_there != theirs_here    ? theirs_here
                           : own.opened != other.opened ? own.opened < other.opened
                                                        : own.session > other.session;
        if (!stays) original_ = other;
    }

    /// `opened`: what of a replica's changes another one's store held, when it was opened. Of several the least is sure.
    void hear_of(const ReplicaCounter& opened) {
        if (opened.replica != copy_.id() || opened.counter <= copy_.opened()) return;
        if (copied() == 0 || opened.counter < copied()) copied_ = opened;
    }

    /// Somebody has met both, and took the other one for a member.
    void refused() {
        if (!original_) original_ = Twin{};
    }

    /// Whether this one is to give way, by taking another id: what the other one said of itself.
    const std::optional<Twin>& original() const noexcept { return original_; }
    /// What of this replica's changes a copy of its store had when it was opened, as far as one has told; 0: none has.
    std::uint64_t copied() const noexcept { return copied_.replica == copy_.id() ? copied_.counter : 0; }

   private:
    const Copy& copy_;
    std::uint64_t session_;
    std::optional<Twin> original_;
    ReplicaCounter copied_;
};

}  // namespace netsync

// ---- netsync/store/values.hpp ----

// netsync: small values in a store, encoded as on the wire: an identity, a list of members.

namespace netsync {

/// A small value under a name; as default-constructed where there is none, or none that can be read.
template <class T, store Store>
T open_value(const Store& store, std::string_view key) {
    T value{};
    if (const std::optional<Bytes> kept = store.get(key)) {
        Input in{*kept, Limits::frame_budget(kept->size())};
        in(value);
        if (in.finish()) value = T{};
    }
    return value;
}

/// Staged: durable with the store's next commit.
template <store Store, class T>
std::error_code keep_value(Store& store, std::string_view key, const T& value) {
    Output out;
    out(value);
    return store.put(key, out.view());
}

}  // namespace netsync

// ---- netsync/pool/pool.hpp ----

// netsync: who is there. Announcements, links and introductions come in; members and their states go out, with what is
// to be sent. Stage 7 of the flow.

namespace netsync {

/// Now, twice: on the transport's clock, which never jumps, and on the wall.
struct Moment {
    Duration time{};
    Ntp64 wall{};
};

/// The members of a pool and the way in: Announcement (datagram), Response, Greeting, Handshake (link). Idempotent:
/// identity is the replica id, so duplicates, reordering and crossing dials end in one member with one link.
/// `Copy` is the LocalCopy whose history is told and whose retirements are heard. Sans-IO, one thread; every call gets the
/// moment and the outbox to fill.
template <class Copy>
class Pool {
   public:
    Pool(const Options& options, Copy& copy, std::uint64_t seed)
        : options_(options), copy_(copy), random_(seed), twins_(copy, random_.next()), links_(options),
          keepalive_(options) {
        load();
    }

    /// Who this replica is, and whom it knew: as its store says.
    void load() {
        self_ = copy_.successor().is_nil() ? copy_.id() : copy_.successor();
        for (const Acquaintance& member : open_value<std::vector<Acquaintance>>(copy_.store(), "members"))
            remember(member, {});
    }

    const ReplicaId& self() const noexcept { return self_; }
    std::uint64_t session() const noexcept { return twins_.session(); }
    const Twins<Copy>& twins() const noexcept { return twins_; }
    const detail::OrderedMap<ReplicaId, Member>& members() const noexcept { return members_; }
    std::uint64_t announcements_ignored() const noexcept { return announcements_ignored_; }
    std::uint64_t members_refused() const noexcept { return members_refused_; }
    std::uint64_t links_refused() const noexcept { return links_.refused(); }

    Member* find(const ReplicaId& replica) { return members_.find(replica); }
    const Member* find(const ReplicaId& replica) const { return members_.find(replica); }
    /// Link{} where it is not linked; sending there does nothing.
    Link link_to(const ReplicaId& replica) const {
        const Member* member = find(replica);
        return member ? member->link : Link{};
    }

    /// The member behind an introduced link; null for a stranger. What comes from a member shows that it lives.
    Member* member_on(Link link) {
        const Peer* peer = links_.find(link);
        return peer && peer->introduced ? members_.find(peer->replica) : nullptr;
    }

    /// A member says something of its data over this link. Of two that it dialed it keeps the first, unless that was never
    /// introduced: the one over which it speaks. (What a copy of it says is no sign of that.) True if it is reached over
    /// another link from now on.
    bool follow(Link link) {
        Member* member = member_on(link);
        if (!member || member->link == link || member->link == Link{}) return false;
        if (dialer_of(link) != member->replica || dialer_of(member->link) != member->replica) return false;
        if (links_.find(link)->session != links_.find(member->link)->session) return false;
        member->link = link;
        return true;
    }

    /// Calls `f(member)` for each with a link that is not silent.
    template <class F>
    void for_each_live(F&& f) {
        for (auto& [replica, member] : members_)
            if (member.state == MemberState::live) f(member);
    }

    bool is_greeting() const noexcept { return links_.any_stranger(); }

    /// What introductions say: whether this replica takes part, and shows what it holds.
    void present(bool ready, bool shown) {
        ready_ = ready;
        shown_ = shown;
    }

    /// The same wherever the same members and retirements are known.
    std::uint64_t digest() const {
        std::uint64_t digest = copy_.retirements().digest();
        const auto add = [&](const ReplicaId& id) { digest += detail::mix(id.owner_bits, id.incarnation); };
        add(self_);
        for (const auto& [replica, member] : members_) add(replica);
        return digest;
    }

    /// Opens: the first announcement goes out at once, and members known from before are dialed. `port`: ours.
    void start(const Moment& now, std::uint16_t port, Outbox& out) {
        port_ = port;
        announce(now, out);
        keepalive_.start(now.time);
        for (auto& [replica, member] : members_) {
            member.last_heard = now.time;
            redial(member, now, out);
        }
    }

    /// All links are gone without a word: of a stop.
    void stop() {
        links_.clear();
        for (auto& [replica, member] : members_) {
            member.link = Link{};
            if (member.state == MemberState::live || member.state == MemberState::suspect)
                member.state = MemberState::offline;
        }
    }

    /// This replica goes on under another id: it leaves, and comes back as somebody new.
    void rename(const ReplicaId& self, const Moment& now, Outbox& out) {
        for (const auto& [link, peer] : links_) out.closes.push_back(link);
        stop();
        self_ = self;
        twins_.renew(random_.next());
        announce(now, out);
        for (auto& [replica, member] : members_) {
            member.redial_at = {};
            redial(member, now, out);
        }
    }

    /// Whatever the transport tells, but for messages.
    void on_event(const TransportEvent& event, const Moment& now, Outbox& out) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) return on_opened(*opened, now, out);
        if (const auto* closed = std::get_if<LinkClosed>(&event)) return on_closed(closed->link, now, out);
        if (const auto* heard = std::get_if<AnnouncementReceived>(&event)) return on_announcement(*heard, now, out);
        if (const auto* hint = std::get_if<PeerHinted>(&event)) on_hint(hint->endpoint, now, out);
    }

    /// A pool message. True when the peer has just become a member on this link: then both sides compare what they
    /// hold.
    bool on_message(Link link, MessageKind kind, ByteView bytes, const Moment& now, Outbox& out) {
        Peer* peer = links_.find(link);
        if (!peer) return false;
        switch (kind) {
        case MessageKind::response: on_response(*peer, link, bytes, now, out); return false;
        case MessageKind::greeting: return on_introduction<Greeting>(*peer, link, bytes, now, out);
        case MessageKind::handshake: return on_introduction<Handshake>(*peer, link, bytes, now, out);
        case MessageKind::introduce_yourself: introduce<Greeting>(link, now, out); return false;
        case MessageKind::refusal: on_refusal(link, bytes, out); return false;
        case MessageKind::ping: on_ping(link, bytes, now, out); return false;
        case MessageKind::pong: on_pong(link, bytes, now, out); return false;
        case MessageKind::probe: on_probe(link, bytes, now, out); return false;
        case MessageKind::heard: on_heard(link, bytes, now, out); return false;
        default: return false;
        }
    }

    /// Somebody whom we do not know speaks as if we did: asked, once in a while, who it is.
    void on_stranger(Link link, const Moment& now, Outbox& out) {
        Peer* peer = links_.find(link);
        if (!peer || (peer->asked && now.time < *peer->asked + options_.keepalive_interval)) return;
        peer->asked = now.time;
        out.send(link, IntroduceYourself{});
    }

    /// Closes a link because of what came over it, telling the peer.
    void refuse(Link link, std::error_code reason, Outbox& out, bool tell = true) {
        const Peer* peer = links_.find(link);
        PoolEvent event{.refused = reason};
        if (peer) {
            event.replica = peer->replica;
            event.endpoint = peer->dialed ? *peer->dialed : Endpoint{peer->host, 0};
        }
        if (tell && reason.category() == error_category())
            out.send(link, Refusal{static_cast<errc>(reason.value()), twins_.self(self_)});
        out.events.push_back(event);
        drop(link, out);
    }

    void heard_from(Member& member, const Moment& now, Outbox& out) {
        member.last_heard = now.time;
        member.last_seen = now.wall;
        enter(member, MemberState::live, out);
    }

    /// Members that others speak of.
    void on_acquaintances(const std::vector<Acquaintance>& acquaintances, const Moment& now, Outbox& out) {
        for (const Acquaintance& acquaintance : acquaintances) remember(acquaintance, now);
        for (auto& [replica, member] : members_)
            if (member.state == MemberState::known) redial(member, now, out);
    }

    /// All members: what is told to others, and kept for the next start.
    std::vector<Acquaintance> acquaintances() const {
        std::vector<Acquaintance> result;
        for (const auto& [replica, member] : members_)
            result.push_back({replica, member.endpoint, member.last_seen, member.last_synchronized,
                              member.state == MemberState::live});
        return result;
    }

    /// The retired are no members. Their links end once they have been told.
    void expel(Outbox& out) {
        members_.erase_if([&](const ReplicaId& replica, Member& member) {
            if (!copy_.retirements().contains(replica)) return false;
            for (Link link = links_.to(replica); link != Link{}; link = links_.to(replica)) {
                links_.close(link);
                out.closes.push_back(link);
            }
            if (member.state != MemberState::known) enter(member, MemberState::offline, out);
            return true;
        });
    }

    /// Earlier incarnations of this replica's owner that nobody is heard of: they will not come back.
    std::vector<ReplicaId> past_selves() const {
        std::vector<ReplicaId> result;
        for (const auto& [replica, member] : members_)
            if (replica.owner() == self_.owner() && member.link == Link{} &&
                (member.state == MemberState::offline || member.state == MemberState::stale))
                result.push_back(replica);
        return result;
    }

    /// Announcements, pings, suspicion, redials: whatever is due. True at each keepalive.
    bool tick(const Moment& now, Outbox& out) {
        if (now.time >= announce_at_) announce(now, out);
        if (now.time < keepalive_.next_at()) return false;
        const Duration overslept = keepalive_.overslept(now.time);
        for (auto& [replica, member] : members_) {
            member.last_heard += overslept;
            check(member, now, out);
        }
        urge_strangers(now, out);
        return true;
    }

    Duration next_wake() const noexcept { return std::min(announce_at_, keepalive_.next_at()); }

   private:
    template <class Greeter>  // anything with the versions it speaks
    static bool common_version(const Greeter& peer) noexcept {
        return peer.oldest_version <= wire_version && peer.newest_version >= oldest_wire_version;
    }

    template <class Greeter>
    std::error_code judge(const Greeter& peer) const {
        if (!common_version(peer)) return errc::unsupported_version;
        if (peer.pool != options_.pool) return errc::wrong_pool;
        if (peer.replica == self_) return errc::same_replica;
        if (peer.replica.is_nil()) return errc::malformed;
        return {};
    }

    void announce(const Moment& now, Outbox& out) {
        out.announcement =
            encode_announcement({oldest_wire_version, wire_version, options_.pool, self_, port_, session()});
        announce_at_ = now.time + options_.announce.pick(random_);
    }

    void on_announcement(const AnnouncementReceived& event, const Moment& now, Outbox& out) {
        const Result<Announcement> heard = decode_announcement(event.bytes, options_.limits);
        if (!heard || heard->pool != options_.pool || !common_version(*heard) || heard->replica.is_nil()) {
            ++announcements_ignored_;
            return;
        }
        const bool ours = heard->session == 0 || heard->session == session();  // not that of a copy of this replica
        if (heard->port == 0 || (heard->replica == self_ && ours)) return;
        const Endpoint endpoint{event.host, heard->port};
        Member* member = members_.find(heard->replica);
        if (!member) return on_hint(endpoint, now, out);  // anybody can say so: it is a member once it is introduced
        if (member->link != Link{}) return;
        if (member->endpoint != endpoint) member->redial_at = {};  // it has started anew
        member->endpoint = endpoint;
        redial(*member, now, out);
    }

    void on_hint(const Endpoint& endpoint, const Moment& now, Outbox& out) {
        const ReplicaId there = links_.found_at(endpoint);
        if (there == self_) return;
        if (const Member* member = find(there); member && member->link != Link{}) return;
        links_.hint(endpoint, now.time, out);
    }

    void on_opened(const LinkOpened& event, const Moment& now, Outbox& out) {
        if (!links_.open(event, now.time))
            out.closes.push_back(event.link);
        else if (event.dialed)
            respond(event.link, out);
    }

    void respond(Link link, Outbox& out) const {
        out.send(link, Response{oldest_wire_version, wire_version, options_.pool, self_, twins_.self(self_)});
    }

    /// A word may have been lost: said again, and given up after a while.
    void urge_strangers(const Moment& now, Outbox& out) {
        std::vector<Link> silent;
        for (const auto& [link, peer] : links_) {
            if (peer.introduced) continue;
            if (now.time - peer.opened > options_.keepalive_timeout)
                silent.push_back(link);
            else if (peer.dialed)
                respond(link, out);
        }
        for (const Link link : silent) drop(link, out);
    }

    void on_closed(Link link, const Moment& now, Outbox& out) {
        const Peer* found = links_.find(link);
        if (!found) return;
        const Peer peer = *found;
        links_.close(link);
        Member* member = peer.introduced ? members_.find(peer.replica) : nullptr;
        if (!member || member->link != link) return;
        member->link = links_.to(peer.replica);
        if (member->link != Link{} || member->state != MemberState::live) return;
        enter(*member, MemberState::suspect, out);
        member->redial_at = now.time + options_.redial.least;
    }

    /// Says no more of histories than is durable, and then need not wait for the commit under way, which may take longer than
    /// a peer waits.
    template <class Message>
    void introduce(Link link, const Moment& now, Outbox& out) const {
        Introduction self{.pool = options_.pool,
                          .replica = self_,
                          .name = options_.name,
                          .session = session(),
                          .opened = self_ == copy_.id() ? copy_.opened() : 0,
                          .former = self_ == copy_.id() ? ReplicaCounter{} : ReplicaCounter{copy_.id(), copy_.opened()},
                          .port = port_,
                          .wall = now.wall,
                          .members = acquaintances(),
                          .ready = ready_,
                          .retired = copy_.retirements().records(),
                          .settled = copy_.is_settled()};
        std::optional<std::vector<Head>> durable = copy_.durable_heads();
        const bool at_once = durable.has_value();
        if (shown_) self.heads = durable ? *std::move(durable) : copy_.history().heads();
        out.send(link, Message{std::move(self)}, at_once);
    }

    void on_response(Peer& peer, Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Response> response = decode_message<Response>(bytes);
        if (!response) return refuse(link, response.error(), out);
        // A link has one peer for life: what is known of it hangs on that.
        if (!peer.replica.is_nil() && peer.replica != response->replica) return refuse(link, errc::malformed, out);
        peer.replica = response->replica;
        peer.session = response->self.session;
        if (const std::error_code error = judge(*response)) {
            if (error == errc::same_replica) twins_.meet(self_, response->self);
            return refuse(link, error, out);
        }
        introduce<Greeting>(link, now, out);
    }

    void on_refusal(Link link, ByteView bytes, Outbox& out) {
        const Result<Refusal> refusal = decode_message<Refusal>(bytes);
        const Peer& peer = *links_.find(link);
        if (refusal && refusal->reason == errc::same_replica) {
            if (peer.dialed) links_.found(*peer.dialed, self_);
            twins_.meet(self_, refusal->self);
        }
        if (refusal && refusal->reason == errc::forked) twins_.refused();
        refuse(link, refusal ? make_error_code(refusal->reason) : refusal.error(), out, false);
    }

    template <class Message>
    bool on_introduction(Peer& peer, Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Message> message = decode_message<Message>(bytes);
        if (!message) return refuse(link, message.error(), out), false;
        const Introduction& theirs = message->self;
        if (peer.replica.is_nil()) peer.replica = theirs.replica;
        peer.session = theirs.session;
        if (const std::error_code error = judge(theirs)) return refuse(link, error, out), false;
        if (peer.replica != theirs.replica) return refuse(link, errc::malformed, out), false;
        if (theirs.heads.size() > options_.limits.replicas || !are_sorted(theirs.heads))
            return refuse(link, errc::malformed, out), false;
        copy_.retire(theirs.retired);
        twins_.hear_of({theirs.replica, theirs.opened});
        twins_.hear_of(theirs.former);
        if (Message::kind == MessageKind::greeting && !peer.introduced) introduce<Handshake>(link, now, out);
        if (copy_.retirements().contains(theirs.replica)) return refuse(link, errc::retired, out), false;
        return add(peer, link, theirs, now, out);
    }

    /// The peer is introduced. True unless this link gives way to another one to the same member.
    bool add(Peer& peer, Link link, const Introduction& theirs, const Moment& now, Outbox& out) {
        if (!admit(theirs.replica)) return refuse(link, errc::too_large, out), false;
        Member& member = *members_.find(theirs.replica);
        const bool back = theirs.session == member.session_before && theirs.session != member.session;
        if (back && theirs.opened >= member.opened)
            return refuse(link, errc::forked, out), false;  // it was superseded, and is back: there are two
        member.opened = theirs.opened;
        if (theirs.session != member.session) member.session_before = std::exchange(member.session, theirs.session);
        const bool again = std::exchange(peer.introduced, true);
        if (theirs.port != 0) member.endpoint = {peer.host, theirs.port};
        member.name = theirs.name;
        member.heads = theirs.heads;
        member.ready = theirs.ready;
        member.settled = theirs.settled;
        member.retired = copy_.retirements().records() == theirs.retired ? copy_.retirements().digest() : 0;
        member.skew = difference(theirs.wall, now.wall);
        if (peer.dialed) links_.found(*peer.dialed, member.replica);
        const bool fresh = member.link != link;
        if (fresh && member.link != Link{}) {
            if (!prefers(link, member)) return drop(link, out), false;
            if (const Link old = std::exchange(member.link, link); dialer_of(old) != dialer_of(link)) drop(old, out);
        }
        member.link = link;
        heard_from(member, now, out);
        on_acquaintances(theirs.members, now, out);
        copy_.keep_in_the_open("members", acquaintances());
        return fresh && !again;
    }

    void remember(const Acquaintance& acquaintance, const Moment& now) {
        const ReplicaId& replica = acquaintance.replica;
        if (replica == self_ || replica == copy_.id() || replica.is_nil()) return;
        if (copy_.retirements().contains(replica)) return;
        if (Member* member = members_.find(replica)) {
            if (member->endpoint.port == 0) member->endpoint = acquaintance.endpoint;
            return;
        }
        if (members_.size() >= options_.limits.members) return void(++members_refused_);
        Member& member = members_[replica];
        member.replica = replica;
        member.endpoint = acquaintance.endpoint;
        member.last_seen = std::max(acquaintance.last_seen, Ntp64{});
        member.last_synchronized = acquaintance.last_synchronized;
        member.expected = acquaintance.live;
        member.last_heard = now.time;
    }

    /// Makes room for a member that has introduced itself: before one that nobody has seen yet.
    bool admit(const ReplicaId& replica) {
        if (!members_.contains(replica) && members_.size() >= options_.limits.members) {
            bool gone = false;
            members_.erase_if([&](const ReplicaId&, const Member& member) {
                const bool unseen = member.state != MemberState::live && member.state != MemberState::suspect;
                return unseen && !std::exchange(gone, true);
            });
            if (!gone) return ++members_refused_, false;
        }
        members_[replica].replica = replica;
        return true;
    }

    /// Of two links to one member that of the lower id's dial stays; of two dialed by us the first; of two dialed by
    /// the member the last, since it would not have dialed with the first one in order.
    bool prefers(Link link, const Member& member) const {
        const ReplicaId& dialer = dialer_of(link);
        if (dialer != dialer_of(member.link)) return dialer == std::min(self_, member.replica);
        return dialer != self_;
    }

    const ReplicaId& dialer_of(Link link) const {
        const Peer& peer = *links_.find(link);
        return peer.dialed ? self_ : peer.replica;
    }

    void enter(Member& member, MemberState state, Outbox& out) {
        if (member.state == state) return;
        out.events.push_back({member.replica, std::exchange(member.state, state), state});
    }

    void redial(Member& member, const Moment& now, Outbox& out) {
        if (member.link != Link{} || member.endpoint.port == 0 || now.time < member.redial_at) return;
        if (links_.reaches(member.replica, member.endpoint)) return;
        // The longer it has been away, the less often: a split of a minute is mended within a second or two.
        const Duration away = now.time - member.last_heard;
        member.redial_at = now.time + std::clamp(away / 60, options_.redial.least, options_.redial.most);
        out.dials.push_back(member.endpoint);
    }

    void check(Member& member, const Moment& now, Outbox& out) {
        if (member.state == MemberState::live || member.state == MemberState::suspect) {
            if (keepalive_.is_lost(member, now.time)) return lose(member, out);
            if (keepalive_.is_suspect(member, now.time)) {
                enter(member, MemberState::suspect, out);
                keepalive_.probe(member, live_links(), random_, out);
            }
        } else if (keepalive_.is_lost(member, now.time)) {
            if (member.state == MemberState::known) enter(member, MemberState::offline, out);
            if (member.last_seen == Ntp64{}) member.last_seen = now.wall;
            if (difference(now.wall, member.last_seen) > options_.stale_after) enter(member, MemberState::stale, out);
        }
        if (member.link != Link{})
            out.send(member.link, Ping{now.time.count()});
        else
            redial(member, now, out);
    }

    std::vector<Link> live_links() {
        std::vector<Link> links;
        for_each_live([&](const Member& member) { links.push_back(member.link); });
        return links;
    }

    void lose(Member& member, Outbox& out) {
        enter(member, MemberState::offline, out);
        for (Link link = member.link; link != Link{}; link = links_.to(member.replica)) drop(link, out);
        member.link = Link{};
    }

    void drop(Link link, Outbox& out) {
        links_.close(link);
        out.closes.push_back(link);
        for (auto& [replica, member] : members_) {
            if (member.link != link) continue;
            member.link = links_.to(replica);
            if (member.link == Link{} && member.state == MemberState::live) enter(member, MemberState::suspect, out);
        }
    }

    void on_ping(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Ping> ping = decode_message<Ping>(bytes);
        if (!ping) return refuse(link, ping.error(), out);
        if (!member_on(link)) return on_stranger(link, now, out);
        out.send(link, Pong{ping->sent, now.wall});
    }

    void on_pong(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Pong> pong = decode_message<Pong>(bytes);
        if (!pong) return refuse(link, pong.error(), out);
        Member* member = member_on(link);
        if (member && pong->sent <= now.time.count() && pong->sent >= 0)
            Keepalive::on_pong(*member, *pong, now.time, now.wall);
    }

    void on_probe(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Probe> probe = decode_message<Probe>(bytes);
        if (!probe) return refuse(link, probe.error(), out);
        const Member* member = find(probe->replica);
        if (member_on(link) && member && member->link != Link{})
            out.send(link, Heard{probe->replica, (now.time - member->last_heard).count()});
    }

    void on_heard(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Heard> heard = decode_message<Heard>(bytes);
        if (!heard) return refuse(link, heard.error(), out);
        Member* member = find(heard->replica);
        if (member_on(link) && member) keepalive_.on_heard(*member, *heard, now.time);
    }

    const Options& options_;
    Copy& copy_;
    detail::Random random_;
    Twins<Copy> twins_;
    ReplicaId self_{};
    std::uint16_t port_ = 0;
    bool ready_ = false;
    bool shown_ = true;
    detail::OrderedMap<ReplicaId, Member> members_;
    Links links_;
    Keepalive keepalive_;
    Duration announce_at_{};
    std::uint64_t announcements_ignored_ = 0;
    std::uint64_t members_refused_ = 0;
};

}  // namespace netsync

// ---- netsync/sync/message.hpp ----

// netsync: what two members say to become equal: digests, version vectors, frames, states.

namespace netsync {

/// "I hold this, and know these members." The answer is the same digest, where it is equal, or HeadsMessage.
struct DigestMessage {
    static constexpr MessageKind kind = MessageKind::digest;
    std::uint64_t digest = 0;
    bool answer = false;
};

/// What exactly is held, and who is known. With `answer_wanted` the other tells its own in turn.
struct HeadsMessage {
    static constexpr MessageKind kind = MessageKind::heads;
    std::vector<Head> heads{};
    bool answer_wanted = false;
    std::vector<Acquaintance> members{};
    std::vector<Retirement> retired{};
    std::uint64_t lineage = 0;  ///< see History::lineage
};

/// "I lack these." The answer is one FramesMessage.
struct FetchMessage {
    static constexpr MessageKind kind = MessageKind::fetch;
    std::vector<CounterRange> ranges{};
};

/// A frame inside a message.
struct FrameBytes {
    SharedBytes bytes{};

    template <class Archive>
    void save(Archive& out) const {
        out.bytes(*bytes);
    }
    template <class Archive>
    void load(Archive& in) {
        const ByteView view = in.bytes();
        bytes = SharedBytes{view};
    }
};

/// As many of the frames asked for as fit one message, in causal order per origin.
struct FramesMessage {
    static constexpr MessageKind kind = MessageKind::frames;
    std::vector<FrameBytes> frames{};
    bool below_horizon = false;  ///< some are gone from the log: ask for the state
};

/// Asks for the state from `offset` on; of the state with this digest if it can still be had.
struct StateRequest {
    static constexpr MessageKind kind = MessageKind::state_request;
    std::uint64_t digest = 0;
    std::uint64_t offset = 0;
    std::vector<Head>
        of{};  ///< what it has to agree with, as far as it goes: it is joined with that; with the first piece
};

/// A piece of an encoded snapshot (wire/snapshot.hpp), `total` bytes long.
struct StateChunk {
    static constexpr MessageKind kind = MessageKind::state_chunk;
    std::uint64_t digest = 0;
    std::uint64_t total = 0;
    std::uint64_t offset = 0;
    Bytes bytes{};
    std::uint64_t hash = 0;      ///< of these bytes: frames are checked by their rolling hash, a state has none
    std::vector<Head> recent{};  ///< with the last piece: where the histories in it stood lately, if the sender knows
};

/// "Your frame lies too far in the future; offer it again later", or errc::outdated: issue it again.
struct FrameRefused {
    static constexpr MessageKind kind = MessageKind::frame_refused;
    ReplicaId origin{};
    std::uint64_t first = 0;
    std::int64_t skew = 0;  ///< nanoseconds ahead of the receiver's clock
    errc reason = errc::clock_drift;
};

/// A frame for the receiver and, through it, for the members whose ids follow its own, up to `until`.
struct RelayMessage {
    static constexpr MessageKind kind = MessageKind::relay;
    ReplicaId until{};
    FrameBytes frame{};
};

/// "Where did our histories of this replica part?", with some of its heads, newest first.
struct AgreementRequest {
    static constexpr MessageKind kind = MessageKind::agreement_request;
    std::vector<Head> heads{};
};
/// The highest counter of these at which both are the same, 0 where none is; not `known` where none could be compared. And
/// the first change that the sender holds beyond, if any: whose is older, stays.
struct Agreement {
    static constexpr MessageKind kind = MessageKind::agreement;
    ReplicaId replica{};
    std::uint64_t counter = 0;
    bool known = false;
    bool beyond = false;
    std::uint64_t last = 0;  ///< of that change; of all that the sender holds, where it is not known where they part
    Ntp64 time{};            ///< of that change; 0: its frame is in the log no more
    std::uint64_t hash = 0;  ///< there
};

/// Decodes a sync message and hands it to `handle`, an overload for each type, which says in a std::error_code whether
/// its content was wrong. Kinds of newer programs are passed over. Frames that come alone are not records: see Frame.
template <class Handler>
std::error_code decode_sync(MessageKind kind, ByteView bytes, Handler&& handle) {
    const auto as = [&]<message M>(std::type_identity<M>) -> std::error_code {
        Result<M> decoded = decode_message<M>(bytes);
        return decoded ? handle(*std::move(decoded)) : decoded.error();
    };
    switch (kind) {
    case MessageKind::digest: return as(std::type_identity<DigestMessage>{});
    case MessageKind::heads: return as(std::type_identity<HeadsMessage>{});
    case MessageKind::fetch: return as(std::type_identity<FetchMessage>{});
    case MessageKind::frames: return as(std::type_identity<FramesMessage>{});
    case MessageKind::state_request: return as(std::type_identity<StateRequest>{});
    case MessageKind::state_chunk: return as(std::type_identity<StateChunk>{});
    case MessageKind::frame_refused: return as(std::type_identity<FrameRefused>{});
    case MessageKind::relay: return as(std::type_identity<RelayMessage>{});
    case MessageKind::agreement_request: return as(std::type_identity<AgreementRequest>{});
    case MessageKind::agreement: return as(std::type_identity<Agreement>{});
    default: return {};
    }
}

}  // namespace netsync

// ---- netsync/sync/answer.hpp ----

// netsync: frames for those who lack them. A request comes in; what of it the log holds, and one message carries, goes
// out.

namespace netsync {

/// Answers with the oldest frames asked for, in the order of their timestamps, which is a causal one: the receiver can
/// merge each as it comes. About limits.transfer bytes. What is durable, by `is_durable(origin, counter)`, does not wait for
/// what is not. Returns how many frames were sent.
template <store Store, class IsDurable>
std::size_t answer_fetch(Link link, const FetchMessage& request, const Store& store, IsDurable&& is_durable,
                         const Limits& limits, Outbox& out) {
    struct Found {
        Ntp64 time;
        ReplicaId origin;
        std::uint64_t first;
        SharedBytes bytes;
        bool durable;
    };
    FramesMessage answer;
    std::vector<Found> found;
    std::optional<Ntp64> cut;  // of ranges that were not read to their end: nothing later may go first
    const std::size_t ranges = request.ranges.size();
    // Of one range no more is sent than a transfer; of several, one may have most of what goes first.
    const std::size_t share =
        ranges <= 1 ? limits.transfer : std::max<std::size_t>(16u << 10, 2 * limits.transfer / ranges);
    for (const CounterRange& range : request.ranges) {
        std::size_t size = 0;
        std::optional<Ntp64> stopped;
        const bool held = store.frames(range, [&](const SharedBytes& bytes) {
            const Result<Frame> frame = Frame::parse(bytes, limits);
            if (!frame) return false;
            const FrameHeader& header = frame->header();
            found.push_back({header.time, header.origin, header.first, bytes, is_durable(header.origin, header.first)});
            size += bytes->size();
            if (size >= share) stopped = header.time;
            return !stopped;
        });
        if (!held) answer.below_horizon = true;
        if (stopped) cut = cut ? std::min(*cut, *stopped) : *stopped;
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        if (a.time != b.time) return a.time < b.time;
        return a.origin != b.origin ? a.origin < b.origin : a.first < b.first;
    });
    std::size_t size = 0;
    const bool durable = found.empty() || found.front().durable;
    for (const Found& frame : found) {
        if (durable && !frame.durable) break;
        if ((cut && frame.time > *cut) || (size > 0 && size + frame.bytes->size() > limits.transfer)) break;
        size += frame.bytes->size();
        answer.frames.push_back({frame.bytes});
    }
    const std::size_t sent = answer.frames.size();
    out.send(link, answer, durable);
    return sent;
}

}  // namespace netsync

// ---- netsync/sync/traffic.hpp ----

// netsync: what went over the links, counted where it goes out and comes in.

namespace netsync {

/// Counted since the replica was made. Bytes are those of messages, without the transport's own headers.
struct Traffic {
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t frames_in = 0;         ///< received, new or not
    std::uint64_t frames_out = 0;        ///< sent, each as often as it was sent
    std::uint64_t frames_applied = 0;    ///< of others, merged here
    std::uint64_t frames_duplicate = 0;  ///< received again
    std::uint64_t frames_refused = 0;    ///< for another error: not ours to write, malformed, forked
    std::uint64_t frames_too_large = 0;  ///< for a limit of Limits
    std::uint64_t frames_drifted = 0;    ///< refused for now: stamped too far ahead
    std::uint64_t messages_bad = 0;      ///< not understood
    std::uint64_t sends_skipped = 0;     ///< messages that a slow link had no room for

    void count_received(std::size_t applied, bool duplicate, std::error_code refused) noexcept {
        ++frames_in;
        frames_applied += applied;
        if (duplicate) ++frames_duplicate;
        if (refused == errc::clock_drift)
            ++frames_drifted;
        else if (refused == errc::too_large || refused == errc::too_deep)
            ++frames_too_large;
        else if (refused)
            ++frames_refused;
    }
};

/// Hands to the transport what the protocol wants done, and counts it.
template <transport Transport>
void carry_out(const Outbox& out, Transport& transport, Traffic& traffic) {
    for (const Outbox::Send& send : out.sends) {
        if (transport.send(send.link, send.message)) {
            ++traffic.messages_out;
            traffic.bytes_out += send.message->size();
            if (kind_of(*send.message) == MessageKind::update) ++traffic.frames_out;
        } else {
            ++traffic.sends_skipped;
        }
    }
    for (const Link link : out.closes) transport.close(link);
    for (const Endpoint& endpoint : out.dials) static_cast<void>(transport.dial(endpoint));
    if (out.announcement) transport.announce(*out.announcement);
}

/// The same for what need not wait for the commit under way, nor for the next one.
template <transport Transport>
void carry_out_at_once(Outbox& waiting, Outbox& next, Transport& transport, Traffic& traffic) {
    for (Outbox* from : {&waiting, &next}) {
        Outbox out;
        out.sends = from->take_at_once(waiting);
        carry_out(out, transport, traffic);
    }
}

}  // namespace netsync

// ---- netsync/sync/delivery.hpp ----

// netsync: received frames on their way into the local copy. Bytes from a member come in; what became of them is counted,
// and where they were refused, told.

namespace netsync {

struct Delivered {
    std::size_t news = 0;                 ///< frames merged or held
    bool drifted = false;                 ///< one was refused for now, being from the future
    bool outdated = false;                ///< one has not met what was forgotten here; a state that has can be joined
    std::optional<FrameHeader> forked{};  ///< of a frame that belongs to another history under its origin's id
    std::error_code error{};              ///< bytes that are no frame: what came before them was delivered
};

/// Hands frames to a LocalCopy, in order.
template <class Copy>
Delivered deliver(Copy& copy, std::span<const FrameBytes> frames, Member& member, const Limits& limits,
                  Traffic& traffic, Outbox& out) {
    Delivered result;
    for (const FrameBytes& bytes : frames) {
        const Result<Frame> frame = bytes.bytes ? Frame::parse(bytes.bytes, limits) : Result<Frame>{errc::malformed};
        if (!frame) {
            result.error = frame.error();
            traffic.count_received(0, false, result.error);
            return result;
        }
        const auto received = copy.receive(*frame);
        traffic.count_received(received.applied, received.duplicate, received.refused);
        result.news += received.applied + (received.held ? 1 : 0);
        const FrameHeader& header = frame->header();
        result.outdated = result.outdated || received.refused == errc::outdated;
        if (received.refused == errc::clock_drift) {
            result.drifted = true;
            out.send(member.link,
                     FrameRefused{header.origin, header.first, difference(header.time, copy.now()).count()});
        } else if (received.refused == errc::outdated && member.replica == header.origin) {
            out.send(member.link, FrameRefused{header.origin, header.first, 0, errc::outdated});
        } else if (received.refused) {
            if (received.refused == errc::forked) result.forked = header;
            out.events.push_back({header.origin, member.state, member.state, received.refused});
        }
    }
    return result;
}

}  // namespace netsync

// ---- netsync/wire/history.hpp ----

// netsync: how far each origin's history goes here: its counter and the rolling hash at it. What digests compare.

namespace netsync {

/// The version vector of a replica, with the hash that makes a second history under one id visible. One thread.
class History {
   public:
    const VersionVector& vector() const noexcept { return context_.vector(); }
    /// The same as a context, for merging: a state's context is always a plain vector.
    const CausalContext& context() const noexcept { return context_; }

    /// The highest counter held of a replica's changes, 0 where there is none, and the rolling hash there. O(log replicas).
    std::uint64_t counter(ReplicaIndex origin) const noexcept { return vector().counter(origin); }
    std::uint64_t counter(const ReplicaId& origin) const noexcept { return head(origin).counter; }
    std::uint64_t hash(ReplicaIndex origin) const noexcept { return hash(id_of(origin)); }
    std::uint64_t hash(const ReplicaId& origin) const noexcept { return head(origin).hash; }
    /// Both, 0 where there is nothing.
    Head head(const ReplicaId& origin) const noexcept {
        const auto at = position(origin);
        return at != heads_.end() && at->replica == origin ? *at : Head{origin, 0, 0};
    }

    /// `origin` is now at `counter`, with `hash`; its latest change was made at `time`. Only forward.
    void advance(ReplicaIndex origin, std::uint64_t counter, std::uint64_t hash, Ntp64 time) {
        context_.advance(origin, counter);
        const Head head{id_of(origin), counter, hash};
        latest_ = static_cast<std::size_t>(position(head.replica) - heads_.cbegin());
        if (latest_ == heads_.size() || heads_[latest_].replica != head.replica)
            heads_.insert(heads_.begin() + static_cast<std::ptrdiff_t>(latest_), head);
        else
            heads_[latest_] = head;
        time_ = std::max(time_, time);
        digest_ = 0;
        remember(head);
    }

    /// The hash of an origin's history at a counter where it stood lately: a log that was cut does not tell. O(max_recent).
    std::optional<std::uint64_t> recent_hash(const ReplicaId& origin, std::uint64_t counter) const noexcept {
        for (const Head& point : recent_)
            if (point.replica == origin && point.counter == counter) return point.hash;
        return std::nullopt;
    }

    /// The latest of these, from the oldest one on.
    std::vector<Head> recent(std::size_t most = max_recent) const {
        std::vector<Head> points;
        const std::size_t size = recent_.size();
        for (std::size_t at = size - std::min(most, size); at < size; ++at)
            points.push_back(recent_[(oldest_ + at) % size]);
        return points;
    }

    /// Where histories stood before, as somebody tells who holds the same ones: `is_ours(point)` says which of them do.
    template <class IsOurs>
    void recall(const std::vector<Head>& points, IsOurs&& is_ours) {
        for (const Head& point : points)
            if (point.counter < counter(point.replica) && is_ours(point) && !recent_hash(point.replica, point.counter))
                remember(point);
    }
    void recall(const std::vector<Head>& points) {
        recall(points, [](const Head&) { return true; });
    }

    /// The latest time of any change held: the same wherever the same changes are.
    Ntp64 time() const noexcept { return time_; }

    /// What of it has more than one name.
    const Reissues& reissues() const noexcept { return reissues_; }
    void reissued(const Reissue& reissue) { reissues_.add(reissue); }

    /// Where histories of one id have parted of which the one stays that is held here: by replica and counter, the latest
    /// max_marks of them.
    const std::vector<Mark>& marks() const noexcept { return marks_; }
    void mark(const Mark& mark) {
        const auto at = std::lower_bound(marks_.begin(), marks_.end(), mark,
                                         [](const Mark& a, const Mark& b) { return precedes(a, b); });
        if (at != marks_.end() && !precedes(mark, *at))
            *at = mark;
        else
            marks_.insert(at, mark);
        if (marks_.size() > max_marks)
            marks_.erase(std::min_element(marks_.begin(), marks_.end(),
                                          [](const Mark& a, const Mark& b) { return a.time < b.time; }));
    }

    /// Up to where tombstones may be missing in the state: dropped here, or where a state came from that was taken.
    const Forgotten& forgotten() const noexcept { return forgotten_; }
    template <class Cut>  // a VersionVector, or a Forgotten
    void forget(const Cut& cut) {
        forgotten_.add(cut);
    }

    /// Where a change met a state whose tombstones had been dropped before anybody knew of it, the result need not be that
    /// of others who hold the same changes. Such a state has a lineage of its own, and states of two lineages are joined
    /// until there is one. 0: it never happened.
    std::uint64_t lineage() const noexcept { return lineage_; }
    void set_lineage(std::uint64_t lineage) noexcept {
        lineage_ = lineage;
        digest_ = 0;
    }
    /// This state went its own way, in a manner that `salt` names.
    void branch(std::uint64_t salt) noexcept { set_lineage(detail::mix(lineage_, salt) | 1); }

    /// By replica id: as it travels.
    const std::vector<Head>& heads() const noexcept { return heads_; }

    /// What a snapshot says of itself. O(n log n).
    SnapshotHeader header() const {
        SnapshotHeader result{
            .heads = heads_, .time = time_, .reissues = reissues_, .lineage = lineage_, .marks = marks_};
        if (!forgotten_.empty())
            for (const VersionVector::Entry& entry : vector().sorted())
                result.forgotten.push_back(forgotten_.counter(entry.replica));
        return result;
    }

    /// 64 bits that differ, but for a chance of 2^-63, when any head or the lineage does. O(n), kept until the next advance.
    std::uint64_t digest() const {
        if (digest_ == 0) digest_ = (digest_of(heads_) ^ lineage_) | 1;
        return digest_;
    }

    static std::uint64_t digest_of(const std::vector<Head>& heads) {
        std::uint64_t digest = 0x6e657473796e63u;
        for (const Head& head : heads) {
            digest = detail::mix(digest, head.replica.owner_bits);
            digest = detail::mix(digest, head.replica.incarnation);
            digest = detail::mix(digest ^ head.counter, head.hash);
        }
        return digest;
    }

   private:
    static constexpr std::size_t max_recent = 1024;

    void remember(const Head& point) {
        if (recent_.size() < max_recent)
            recent_.push_back(point);
        else
            recent_[std::exchange(oldest_, (oldest_ + 1) % max_recent)] = point;
    }

    std::vector<Head>::const_iterator position(const ReplicaId& origin) const noexcept {
        if (latest_ < heads_.size() && heads_[latest_].replica == origin)
            return heads_.begin() + static_cast<std::ptrdiff_t>(latest_);
        return std::lower_bound(heads_.begin(), heads_.end(), origin,
                                [](const Head& head, const ReplicaId& key) { return head.replica < key; });
    }

    CausalContext context_;
    std::vector<Head> heads_;   // the same by replica id, with the hashes
    std::size_t latest_ = 0;    // the one that was advanced last
    std::vector<Head> recent_;  // in turns, from the oldest one on
    std::size_t oldest_ = 0;
    Reissues reissues_;
    std::vector<Mark> marks_;
    Forgotten forgotten_;
    std::uint64_t lineage_ = 0;
    Ntp64 time_{};
    mutable std::uint64_t digest_ = 0;  // 0: to be computed
};

}  // namespace netsync

// ---- netsync/sync/fork.hpp ----

// netsync: two histories under one replica id, of a copied or restored disk. What others say of a history and what is in
// the log come in; where both part, and which one stays, goes out.

namespace netsync {

/// Which of two histories of one replica stays.
enum class Stays { both, ours, theirs };

/// The histories that a copy holds, to be compared with those of others. Of two that part, the one stays whose first
/// change beyond is older, on all replicas alike: who put an old disk back does not undo what the pool had seen of the
/// replica since. What the other one holds beyond is issued again by the replica that made it.
template <store Store>
class Fork {
   public:
    Fork(const Store& store, const History& history, const Limits& limits)
        : store_(store), history_(history), limits_(limits) {}

    /// A replica of which a member shows another history: `self` first. One that is longer shows when its frames come; one
    /// that is shorter is looked for in the log where its owner has had more than one incarnation, as after each fork.
    std::optional<ReplicaId> find(const ReplicaId& self, const std::vector<Head>& theirs) const {
        if (is_disputed(self, theirs)) return self;
        for (auto head = theirs.begin(); head != theirs.end(); ++head) {
            const std::uint64_t ours = history_.counter(head->replica);
            if (head->replica == self || head->counter > ours) continue;
            const auto is_of_owner = [&](const Head& other) { return other.replica.owner() == head->replica.owner(); };
            if (head->counter < ours && !(head != theirs.begin() && is_of_owner(*std::prev(head))) &&
                !(std::next(head) != theirs.end() && is_of_owner(*std::next(head))))
                continue;
            if (shows_another(*head)) return head->replica;
        }
        return std::nullopt;
    }

    /// The same by a state that somebody gives. Its marks tell where its head does not.
    std::optional<ReplicaId> find(const ReplicaId& self, const SnapshotHeader& theirs) const {
        const auto is_known = [&](const ReplicaId& replica) {
            return std::any_of(theirs.heads.begin(), theirs.heads.end(),
                               [&](const Head& head) { return head.replica == replica && shows_ours(head); });
        };
        for (const Mark& mark : theirs.marks)
            if (const Head first{mark.replica, mark.last, mark.beyond};
                (mark.stayed ? shows_another(first) : shows_ours(first)) && !is_known(mark.replica))
                return mark.replica;
        return find(self, theirs.heads);
    }

    /// Whether a head is of a history that ours is not, as far as ours goes and the log tells.
    bool shows_another(const Head& theirs) const { return is_ours(theirs) == false; }
    /// Whether a head is known to lie in ours.
    bool shows_ours(const Head& theirs) const { return is_ours(theirs) == true; }

    /// Whether a member's head of this replica's own history shows that there is another copy of it: one that has gone on
    /// from an older state, or that was not lost when this one was restored.
    bool is_disputed(const ReplicaId& self, const std::vector<Head>& theirs) const {
        const auto head =
            std::find_if(theirs.begin(), theirs.end(), [&](const Head& entry) { return entry.replica == self; });
        if (head == theirs.end()) return false;
        return head->counter > history_.counter(self) || shows_another(*head);
    }

    /// The latest counters and hashes of a history as the log has it, newest first; with 0 at the end where that is where
    /// it begins.
    std::vector<Head> heads(const ReplicaId& replica) const {
        std::vector<Head> heads;
        static_cast<void>(
            store_.frames({replica, first_logged(replica), history_.counter(replica)}, [&](const SharedBytes& bytes) {
                if (const Result<Frame> frame = Frame::parse(bytes, limits_))
                    heads.push_back({replica, frame->header().last(), frame->header().hash});
                return true;
            }));
        const bool whole = first_logged(replica) == 1;
        std::reverse(heads.begin(), heads.end());
        if (heads.empty()) heads.push_back({replica, history_.counter(replica), history_.hash(replica)});
        if (whole) heads.push_back({replica, 0, 0});
        add_marked(replica, heads);
        if (heads.size() > max_heads) heads.resize(max_heads);
        return heads;
    }

    /// How far our history agrees with these heads of one replica, newest first: as far as ours goes, and the log tells, which
    /// may begin after the older ones. O(log heads) look-ups.
    Agreement compare(const std::vector<Head>& theirs) const {
        const auto agrees = std::partition_point(theirs.begin(), theirs.end(), [&](const Head& head) {
            return head.counter > history_.counter(head.replica) || shows_another(head);
        });
        Agreement result{.replica = theirs.front().replica};
        result.known = agrees != theirs.end() && shows_ours(*agrees);
        if (result.known) result.counter = agrees->counter;
        if (!result.known) agree_at_mark(theirs, result);
        return answer(result);
    }

    /// An agreement as this side tells it, with its first change beyond. One that is in no log any more is older than all
    /// that are.
    Agreement answer(Agreement agreement) const {
        const std::uint64_t next = agreement.counter + 1;
        agreement.beyond = history_.counter(agreement.replica) > agreement.counter;
        agreement.time = {};
        agreement.last = history_.counter(agreement.replica);
        agreement.hash = history_.hash(agreement.replica);
        for (const Mark& mark : history_.marks())
            if (mark.replica == agreement.replica && mark.counter == agreement.counter && mark.stayed &&
                agreement.known)
                std::tie(agreement.time, agreement.last, agreement.hash) = std::tie(mark.time, mark.last, mark.beyond);
        if (agreement.beyond && agreement.known)
            static_cast<void>(store_.frames({agreement.replica, next, next}, [&](const SharedBytes& bytes) {
                if (const Result<Frame> frame = Frame::parse(bytes, limits_)) {
                    agreement.time = frame->header().time;
                    agreement.last = frame->header().last();
                    agreement.hash = frame->header().hash;
                }
                return false;
            }));
        return agreement;
    }

    /// Who stays, by what a member says of a history and what is held of it here. One who finds that others know more of
    /// its own history than itself does not go on with it.
    Stays weigh(const ReplicaId& self, const Agreement& theirs) const {
        if (!theirs.beyond) return Stays::both;
        const Agreement ours = answer(theirs);
        if (theirs.known && !ours.beyond) return theirs.replica == self ? Stays::theirs : Stays::both;
        if (!theirs.known) {
            if (theirs.replica == self) return Stays::theirs;
            const auto length = [](const Agreement& side) { return std::tie(side.last, side.hash); };
            if (length(ours) == length(theirs)) return Stays::both;
            return length(ours) > length(theirs) ? Stays::ours : Stays::theirs;
        }
        const auto age = [](const Agreement& side) { return std::tie(side.time, side.hash); };
        if (age(ours) == age(theirs)) return Stays::both;
        return age(ours) < age(theirs) ? Stays::ours : Stays::theirs;
    }

    /// Of what a member tells that stays in the place of ours.
    Mark mark(const Agreement& theirs) const {
        return {theirs.replica, theirs.counter, hash_at({theirs.replica, theirs.counter}).value_or(0),
                theirs.last,    theirs.hash,    theirs.time};
    }

   private:
    /// Whether a head lies in our history; none where that goes not so far, or the log does not tell. The change that
    /// follows tells, too.
    std::optional<bool> is_ours(const Head& theirs) const {
        if (theirs.counter > history_.counter(theirs.replica)) return std::nullopt;
        if (const std::optional<std::uint64_t> ours = hash_at({theirs.replica, theirs.counter}))
            return *ours == theirs.hash;
        const std::uint64_t next = theirs.counter + 1;
        std::optional<bool> follows;
        static_cast<void>(store_.frames({theirs.replica, next, next}, [&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, limits_); frame && frame->header().first == next)
                follows = frame->continues(theirs.hash);
            return false;
        }));
        return follows;
    }

    /// Where a log does not tell: up to where these heads parted from others before, unless they went the same way then.
    void agree_at_mark(const std::vector<Head>& theirs, Agreement& result) const {
        const auto holds = [&](const Head& head) {
            return std::find(theirs.begin(), theirs.end(), head) != theirs.end();
        };
        for (const Mark& mark : history_.marks()) {
            if (mark.hash == 0 || !holds({mark.replica, mark.counter, mark.hash})) continue;
            if (mark.stayed && holds({mark.replica, mark.last, mark.beyond})) continue;
            result.known = true;
            result.counter = mark.counter;  // the last one is the highest
        }
    }

    /// What is not in the log any more, but was compared before.
    void add_marked(const ReplicaId& replica, std::vector<Head>& heads) const {
        for (const Mark& mark : history_.marks()) {
            if (mark.replica != replica || mark.last > history_.counter(replica)) continue;
            for (const std::uint64_t counter : {mark.last, mark.counter}) {
                const std::optional<std::uint64_t> hash = mark.hash_at({replica, counter});
                if (!hash) continue;
                const Head head{replica, counter, *hash};
                const auto at = std::find_if(heads.begin(), heads.end(),
                                             [&](const Head& other) { return other.counter <= head.counter; });
                if (at == heads.end() || at->counter != counter) heads.insert(at, head);
            }
        }
    }

    /// None where the log does not tell; 0, which no frame has, where a change goes on beyond.
    std::optional<std::uint64_t> hash_at(const ReplicaCounter& at) const {
        if (at.counter == 0) return 0;
        if (at.counter == history_.counter(at.replica)) return history_.hash(at.replica);
        std::optional<std::uint64_t> hash = history_.recent_hash(at.replica, at.counter);
        if (hash) return hash;
        static_cast<void>(store_.frames({at.replica, at.counter, at.counter}, [&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, limits_))
                hash = frame->header().last() == at.counter ? frame->header().hash : 0;
            return false;
        }));
        for (const Mark& mark : history_.marks())
            if (!hash) hash = mark.hash_at(at);
        return hash;
    }

    /// Where the log of a replica begins. O(log counters).
    std::uint64_t first_logged(const ReplicaId& replica) const {
        std::uint64_t from = 1, to = history_.counter(replica);
        while (from < to) {
            const std::uint64_t middle = from + (to - from) / 2;
            if (store_.frames({replica, middle, middle}, [](const SharedBytes&) { return false; }))
                to = middle;
            else
                from = middle + 1;
        }
        return from;
    }

    static constexpr std::size_t max_heads = 4096;

    const Store& store_;
    const History& history_;
    const Limits& limits_;
};

}  // namespace netsync

// ---- netsync/pool/roll.hpp ----

// netsync: pool initiative: who brings a newcomer up to date. Everybody computes the same answer without a message.

namespace netsync {

/// What `member` rolls for this newcomer, in this session of it.
inline std::uint64_t roll(const ReplicaId& newcomer, std::uint64_t session, const ReplicaId& member) noexcept {
    const std::uint64_t who = detail::mix(newcomer.owner_bits, newcomer.incarnation);
    return detail::mix(detail::mix(who, session), detail::mix(member.owner_bits, member.incarnation));
}

/// The highest roller among `members` (a range of ReplicaId); ties go to the larger id. None among none.
template <class Members>
std::optional<ReplicaId> highest_roller(const ReplicaId& newcomer, std::uint64_t session, const Members& members) {
    std::optional<ReplicaId> best;
    std::uint64_t best_roll = 0;
    for (const ReplicaId& member : members) {
        const std::uint64_t rolled = roll(newcomer, session, member);
        if (best && (rolled < best_roll || (rolled == best_roll && member < *best))) continue;
        best = member;
        best_roll = rolled;
    }
    return best;
}

}  // namespace netsync

// ---- netsync/sync/identity.hpp ----

// netsync: who a replica is, whom it knows and who has been retired, kept in its store.

namespace netsync {

/// Another incarnation of the owner that options.name stands for; of a random one without a name.
inline ReplicaId new_incarnation(const Options& options, detail::Random& random) {
    ReplicaId id;
    id.owner_bits = options.name.empty() ? random.next() | 1 : static_cast<std::uint64_t>(owner_of_name(options.name));
    id.incarnation = random.next();
    return id;
}

/// The id of the store's last opening; nil where there is none, or the store belongs to another name.
template <store Store>
ReplicaId kept_identity(const Store& store, const Options& options) {
    const ReplicaId id = open_value<ReplicaId>(store, "replica");
    return options.name.empty() || id.owner() == owner_of_name(options.name) ? id : ReplicaId{};
}

/// Who a replica is while its store is not open: of its owner, where that is known, and no incarnation of it.
inline ReplicaId nobody_yet(const Options& options) {
    return {options.name.empty() ? 0 : static_cast<std::uint64_t>(owner_of_name(options.name)), 0};
}

/// Whether a replica holds nothing of others yet, so that it takes the pool's state before it takes part.
inline bool is_newcomer(const History& history, const ReplicaId& self) {
    for (const VersionVector::Entry& entry : history.vector())
        if (id_of(entry.replica) != self) return false;
    return true;
}

}  // namespace netsync

// ---- netsync/sync/report.hpp ----

// netsync: how a round of synchronisation went.

namespace netsync {

/// Why a round ended. Each one ends: with less difference, or with a reason.
enum class SyncEnd { repaired, adopted, no_progress, clock_drift, timed_out, peer_lost, failed };

constexpr std::string_view to_string(SyncEnd end) noexcept {
    switch (end) {
    case SyncEnd::repaired: return "repaired";
    case SyncEnd::adopted: return "state adopted";
    case SyncEnd::no_progress: return "no progress";
    case SyncEnd::clock_drift: return "clock drift";
    case SyncEnd::timed_out: return "timed out";
    case SyncEnd::peer_lost: return "peer lost";
    case SyncEnd::failed: return "failed";
    }
    return "?";
}

/// One round with one member, as the side that lacked something saw it.
struct SyncReport {
    ReplicaId peer{};
    std::uint64_t rounds = 0;   ///< requests sent
    std::uint64_t bytes = 0;    ///< received for it
    std::uint64_t frames = 0;   ///< received
    std::uint64_t applied = 0;  ///< of these, new here
    SyncEnd end = SyncEnd::failed;
    Duration took{};
};

}  // namespace netsync

// ---- netsync/sync/content.hpp ----

// netsync: what a copy holds: the state, and how far the history of each origin goes in it. A value, so that it can be
// encoded, hashed and joined while the replica goes on with another.

namespace netsync {

/// A whole state as it travels and is kept.
struct EncodedState {
    SharedBytes bytes{};
    std::uint64_t digest = 0;   ///< of the bytes
    std::vector<Head> heads{};  ///< up to where it holds each origin
};

/// Sets and maps are copied in O(1); see detail/sorted_map.hpp.
template <crdt CrdtType>
struct Content {
    CrdtType state{};
    History history{};

    /// A change whose dependencies are in: `delta` is what the frame holds; of an rvalue what it owns is taken over. True if
    /// the state changed.
    template <class Delta>
    bool merge(const Frame& frame, ReplicaIndex origin, Delta&& delta) {
        const FrameHeader& header = frame.header();
        for (const ReplicaCounter& name : header.instead_of)
            history.reissued({name.replica, header.origin, name.counter, header.first, header.count});
        CausalContext theirs = frame.context();
        const auto join = [&](const CausalContext& ours) {
            return netsync::merge(state, std::forward<Delta>(delta),
                                  Join{.mine = ours, .theirs = theirs, .origin = header.origin.owner()});
        };
        bool changed = false;
        if (has_other_names(header)) {
            CausalContext ours = history.context();
            history.reissues().widen(ours, alive_in(state));
            const DotRange minted{origin, header.first, header.last()};
            history.reissues().widen(theirs, [&](Dot dot) { return minted.contains(dot); });
            changed = join(ours);
        } else {
            changed = join(history.context());
        }
        advance(frame, origin);
        return changed;
    }

    /// A change from a log, where it goes on from what is held. True if it does.
    bool replay(const Frame& frame, const Limits& limits) {
        const FrameHeader& header = frame.header();
        if (header.first != history.counter(header.origin) + 1) return false;
        for (const ReplicaCounter& needed : header.dependencies)
            if (history.counter(needed.replica) < needed.counter) return false;
        const ReplicaIndex origin = intern(header.origin);
        if (origin == ReplicaIndex{} || !frame.continues(history.hash(origin))) return false;
        Result<CrdtType> delta = frame.template delta<CrdtType>(limits);
        if (!delta || !permits(*delta, header.origin.owner())) return false;
        merge(frame, origin, *std::move(delta));
        return true;
    }

    /// That a change is in the state already.
    void advance(const Frame& frame, ReplicaIndex origin) {
        const FrameHeader& header = frame.header();
        history.advance(origin, header.last(), header.hash, header.time);
    }

    /// A whole state under its own context. True if anything changed. Not `exact`: one side may lack tombstones that the
    /// other's changes should have met.
    bool join(Snapshot<CrdtType> theirs, bool exact = true) {
        bool changed = !theirs.heads.empty();
        const bool empty = is_empty();
        const bool same_way = exact && theirs.lineage == history.lineage();
        const Sides before = empty || same_way ? Sides{} : Sides{digest(), Content::of(theirs).digest()};
        hear(theirs);
        if (empty) {
            state = std::move(theirs.state);  // bottom ⊔ theirs
        } else {
            CausalContext ours = history.context(), context = context_of(theirs);
            if (!history.reissues().empty()) {
                history.reissues().widen(ours, alive_in(state));
                history.reissues().widen(context, alive_in(theirs.state));
            }
            changed = netsync::merge(state, std::move(theirs.state),
                                     Join{.mine = ours, .theirs = context, .scope = Scope::whole});
        }
        advance(theirs);
        if (empty)
            history.set_lineage(theirs.lineage);
        else if (!same_way)
            history.set_lineage(lineage_after(before, theirs.lineage));
        return changed;
    }

    /// The same of its bytes, which nearly always are joined as they are read. After an error what is held is of no use.
    Result<bool> join(ByteView bytes, const SnapshotHeader& header, const Limits& limits, bool exact) {
        const bool same_way = exact && header.lineage == history.lineage();
        if (is_empty() || !same_way || !header.reissues.empty() || !history.reissues().empty()) {
            Result<Snapshot<CrdtType>> theirs = decode_snapshot<CrdtType>(bytes, limits);
            if (!theirs) return theirs.error();
            return join(*std::move(theirs), exact);
        }
        bool changed = false;
        const auto read = [&](Input& in) {
            const CausalContext ours = history.context(), context = context_of(header);
            changed = in.merge_into(state, Join{.mine = ours, .theirs = context, .scope = Scope::whole});
        };
        if (const std::error_code error = read_snapshot(bytes, header, limits, read)) return error;
        hear(header);
        advance(header);
        return changed;
    }

    bool is_empty() const { return history.vector().empty() && is_bottom(state); }

    /// `expected`: see encode_snapshot, also of what becomes of a copy that is moved from.
    Result<EncodedState> encode(const Limits& limits, std::size_t expected = 0) const& {
        SnapshotHeader header = history.header();
        return encoded(encode_snapshot(header, state, limits, expected), header);
    }
    Result<EncodedState> encode(const Limits& limits, std::size_t expected = 0) && {
        SnapshotHeader header = history.header();
        return encoded(encode_snapshot(header, std::move(state), limits, expected), header);
    }

    /// Of the bytes of encode(). O(state).
    std::size_t size_encoded(const Limits& limits) && {
        return size_of_snapshot(history.header(), std::move(state), limits);
    }

    /// A hash of all that replicates, the same wherever the same changes are: without what some may have forgotten
    /// already, because all had seen it. O(state).
    std::uint64_t digest(const Limits& limits = {}) const& { return Content{*this}.digest(limits); }
    std::uint64_t digest(Limits limits = {}) && {
        limits.state = std::numeric_limits<std::size_t>::max();  // it is not sent
        drop_stable(state, history.vector());
        const SnapshotHeader header{.heads = history.heads(), .time = history.time(), .reissues = history.reissues()};
        const Result<Bytes> bytes = encode_snapshot(header, std::as_const(state), limits);
        return bytes ? detail::hash_bytes(bytes->data(), bytes->size()) : 0;
    }

   private:
    static Result<EncodedState> encoded(Result<Bytes> bytes, SnapshotHeader& header) {
        if (!bytes) return bytes.error();
        const std::uint64_t digest = detail::hash_bytes(bytes->data(), bytes->size());
        return EncodedState{SharedBytes{*std::move(bytes)}, digest, std::move(header.heads)};
    }

    /// What a state says beside what it holds.
    void hear(const SnapshotHeader& theirs) {
        for (const Reissue& reissue : theirs.reissues.all()) history.reissued(reissue);
        for (const Mark& mark : theirs.marks) history.mark(mark);
        history.forget(theirs.dropped());
    }
    /// That it is in ours.
    void advance(const SnapshotHeader& theirs) {
        for (const Head& head : theirs.heads)
            if (const ReplicaIndex origin = intern(head.replica); head.counter > history.counter(origin))
                history.advance(origin, head.counter, head.hash, theirs.time);
    }
    static CausalContext context_of(const SnapshotHeader& theirs) {
        CausalContext context;
        for (const Head& head : theirs.heads) context.add(DotRange{intern(head.replica), 1, head.counter});
        return context;
    }

    /// What both sides of a join read before it.
    struct Sides {
        std::uint64_t ours = 0;
        std::uint64_t theirs = 0;
    };

    static Content of(const Snapshot<CrdtType>& snapshot) {
        Content content;
        content.join(snapshot);
        return content;
    }

    /// Where both went their own ways: the way of the side that reads as the join does, or one that both sides find alike.
    std::uint64_t lineage_after(const Sides& before, std::uint64_t theirs) const {
        const std::uint64_t ours = history.lineage(), after = digest();
        const bool as_ours = after == before.ours, as_theirs = after == before.theirs;
        if (as_ours && as_theirs) return std::max(ours, theirs);
        if (as_ours || as_theirs) return as_ours ? ours : theirs;
        return detail::mix(std::min(ours, theirs), std::max(ours, theirs)) ^ after;
    }

    bool has_other_names(const FrameHeader& header) const {
        const Reissues& reissues = history.reissues();
        if (reissues.empty()) return false;
        return reissues.concern(header.origin, header.first, header.last()) ||
               std::any_of(header.removed.begin(), header.removed.end(), [&](const CounterRange& range) {
                   return reissues.concern(range.replica, range.first, range.last);
               });
    }

    /// Whether a dot that has more than one name is in a state. O(state), once.
    auto alive_in(const CrdtType& held) const {
        CausalContext alive;
        for_each_dot(held, [&](Dot dot) {
            if (history.reissues().concern(id_of(dot.replica()), dot.counter(), dot.counter())) alive.add(dot);
        });
        return [alive = std::move(alive)](Dot dot) { return alive.contains(dot); };
    }
};

}  // namespace netsync

// ---- netsync/sync/state_transfer.hpp ----

// netsync: a whole state, in pieces, over links that may break. A transfer that one member began can be ended by any other
// whose state has the same bytes.

namespace netsync {

/// The giving side: one encoded snapshot, kept while somebody asks for it. Stateless towards the peers.
class StateSource {
   public:
    /// Answers with up to `window` chunks. A request for another state than `copy` holds, or is kept, is answered with the
    /// present one, from its start; with the one kept, where that is still to become durable.
    template <class Copy>
    std::error_code answer(Link link, const StateRequest& request, Copy& copy, const Limits& limits, Duration now,
                           Outbox& out) {
        const std::uint64_t version = copy.history().digest();
        if (!snapshot_ || (request.digest != digest_ && version_ != version && copy.is_durable_with(commit_))) {
            commit_ = copy.commit_of_all();
            const Result<EncodedState> state = copy.encode();
            if (!state) return state.error();
            snapshot_ = state->bytes;
            digest_ = state->digest;
            version_ = version;
        }
        expires_ = now + std::chrono::seconds{10};
        std::uint64_t offset = request.digest == digest_ ? request.offset : 0;
        if (offset > snapshot_->size()) return errc::malformed;
        for (int sent = 0; sent < window && (sent == 0 || offset < snapshot_->size()); ++sent) {
            const std::size_t size = std::min<std::size_t>(limits.transfer, snapshot_->size() - offset);
            const auto from = snapshot_->begin() + static_cast<std::ptrdiff_t>(offset);
            StateChunk chunk{digest_, snapshot_->size(), offset, Bytes(from, from + static_cast<std::ptrdiff_t>(size))};
            chunk.hash = hash_of(chunk);
            if (offset + size == snapshot_->size()) chunk.recent = copy.history().recent(max_recent);
            out.send(link, chunk, copy.is_durable_with(commit_));
            offset += size;
        }
        return {};
    }

    /// Lets go of the snapshot when nobody has asked for a while.
    void tick(Duration now) {
        if (snapshot_ && now >= expires_) snapshot_ = nullptr;
    }

    static constexpr int window = 8;  ///< chunks an answer
    static constexpr std::size_t max_recent = 64;

    static std::uint64_t hash_of(const StateChunk& chunk) noexcept {
        return detail::hash_bytes(chunk.bytes.data(), chunk.bytes.size(), detail::mix(chunk.digest, chunk.offset));
    }

   private:
    SharedBytes snapshot_;
    std::uint64_t version_ = 0;
    std::uint64_t digest_ = 0;  // of its bytes
    std::uint64_t commit_ = 0;  // with which all of it is durable
    Duration expires_{};
};

/// The taking side: one transfer at a time, its pieces kept as they arrive.
class StateSink {
   public:
    /// Begins, or goes on with what has arrived so far of the same state. `of`: see StateRequest.
    void ask(Link link, Outbox& out, std::vector<Head> of = {}) {
        asked_until_ = received_;
        out.send(link, StateRequest{digest_, received_, std::move(of)});
    }

    /// Takes a piece. True when the state is complete. errc::too_large, and errc::malformed for pieces that do not fit.
    Result<bool> take(Link link, StateChunk&& chunk, const Limits& limits, Outbox& out) {
        if (chunk.total > limits.state) return ++refused_, errc::too_large;
        if (chunk.digest != digest_) {  // another state than the one begun: from its start
            if (chunk.offset != 0) return false;
            drop();
            digest_ = chunk.digest;
            asked_until_ = 0;
        }
        if (chunk.offset != received_) return false;  // a repetition
        if (chunk.hash != StateSource::hash_of(chunk)) return errc::malformed;
        if (chunk.bytes.empty() || chunk.bytes.size() > chunk.total - chunk.offset) return errc::malformed;
        received_ += chunk.bytes.size();
        if (pieces_.empty() || chunk.bytes.size() >= large_piece)
            pieces_.push_back(std::move(chunk.bytes));
        else
            pieces_.back().insert(pieces_.back().end(), chunk.bytes.begin(), chunk.bytes.end());
        if (received_ == chunk.total) {
            recent_ = std::move(chunk.recent);
            if (recent_.size() > StateSource::max_recent) recent_.clear();
            return true;
        }
        // Ask on as soon as the window's end is in sight, so that the link never idles.
        if (received_ >= asked_until_ + limits.transfer * StateSource::window) ask(link, out);
        return false;
    }

    std::size_t received() const noexcept { return received_; }
    /// States that were too large.
    std::uint64_t refused() const noexcept { return refused_; }
    /// See StateChunk; of the state that was finished last.
    const std::vector<Head>& recent() const noexcept { return recent_; }
    /// The finished state; the sink is empty afterwards.
    Bytes finish() {
        Bytes whole;
        if (pieces_.size() == 1) {
            whole = std::move(pieces_.front());
        } else {
            whole.reserve(received_);
            for (Bytes& piece : pieces_) {
                whole.insert(whole.end(), piece.begin(), piece.end());
                piece = {};
            }
        }
        drop();
        return whole;
    }
    /// What has arrived is not needed.
    void drop() noexcept {
        pieces_.clear();
        digest_ = received_ = 0;
    }

   private:
    static constexpr std::size_t large_piece = 4096;  // that small ones do not cost more than they hold

    std::uint64_t digest_ = 0;
    std::uint64_t asked_until_ = 0;
    std::vector<Bytes> pieces_;
    std::size_t received_ = 0;  // in them
    std::vector<Head> recent_;
    std::uint64_t refused_ = 0;
};

}  // namespace netsync

// ---- netsync/sync/branch.hpp ----

// netsync: the changes of a history that did not stay, beyond where it parted from the one that did. Their counters name
// others' changes now: what a log holds of them comes in, names that nothing else has go out.

namespace netsync {

/// Where two histories of one replica part, of which the other one stays.
struct Parted {
    ReplicaId replica{};
    std::uint64_t counter = 0;   ///< the last of both
    std::optional<Mark> mark{};  ///< how the other one goes on, where it is known
};

/// The branches that a log holds. Whoever made one issues it again under these names, and whoever held it knows them too:
/// what he removed of it he removes again under the new ones. Empty: none.
class Branches {
   public:
    Branches() = default;
    /// `self`: whose own branch is issued again now.
    Branches(const std::vector<Frame>& logged, const std::vector<Parted>& parted, const ReplicaId& self) : self_(self) {
        for (const Parted& at : parted)
            for (const Frame& frame : logged)
                if (const FrameHeader& header = frame.header();
                    header.origin == at.replica && header.first == at.counter + 1)
                    all_.push_back({at.replica, at.counter, name_of(header)});
    }

    /// What a change of this replica's own branch is called.
    std::optional<ReplicaCounter> name(std::uint64_t counter) const {
        for (const Branch& branch : all_)
            if (branch.replica == self_ && counter > branch.counter)
                return ReplicaCounter{branch.name, counter - branch.counter};
        return std::nullopt;
    }

    /// Whether any of these dots is another replica's, in a branch.
    bool concern(const std::vector<CounterRange>& dots) const {
        return std::any_of(dots.begin(), dots.end(), [&](const CounterRange& range) { return branch_of(range); });
    }

    /// Removed dots, those of branches by the names under which they were issued again; without those that were not.
    std::vector<CounterRange> resolve(const std::vector<CounterRange>& removed, const Reissues& reissues) const {
        std::vector<CounterRange> result;
        for_each_resolved(removed, reissues, [&](const std::optional<CounterRange>& range) {
            if (range) result.push_back(*range);
        });
        return result;
    }

    /// Whether all of them were.
    bool are_resolved(const std::vector<CounterRange>& removed, const Reissues& reissues) const {
        bool all = true;
        for_each_resolved(removed, reissues, [&](const std::optional<CounterRange>& range) { all = all && range; });
        return all;
    }

   private:
    struct Branch {
        ReplicaId replica{};
        std::uint64_t counter = 0;  ///< what comes after it
        ReplicaId name{};
    };

    static ReplicaId name_of(const FrameHeader& first) noexcept {
        return {first.origin.owner_bits, detail::mix(first.origin.incarnation, first.hash)};
    }

    const Branch* branch_of(const CounterRange& range) const {
        for (const Branch& branch : all_)
            if (branch.replica == range.replica && branch.counter < range.last && branch.replica != self_)
                return &branch;
        return nullptr;
    }

    template <class F>
    void for_each_resolved(const std::vector<CounterRange>& removed, const Reissues& reissues, F&& f) const {
        for (const CounterRange& range : removed) {
            const Branch* branch = branch_of(range);
            if (!branch || range.first <= branch->counter)
                f(CounterRange{range.replica, range.first, branch ? branch->counter : range.last});
            if (!branch) continue;
            for (std::uint64_t at = std::max(range.first, branch->counter + 1); at <= range.last; ++at) {
                const auto now = reissues.next(branch->name, at - branch->counter);
                f(now ? std::optional{CounterRange{now->first, now->second, now->second}} : std::nullopt);
            }
        }
    }

    ReplicaId self_{};
    std::vector<Branch> all_;
};

}  // namespace netsync

// ---- netsync/sync/issuing.hpp ----

// netsync: a replica's own frames, one after the other (stage 3). What a change consists of comes in; a frame goes out that
// says what its maker had seen since its last one.

namespace netsync {

/// Knows what the last frame depended on, so that the next one says only what has come since. One thread.
class Issuing {
   public:
    /// Somebody else's change or state was merged.
    void vector_rose() noexcept { rose_ = true; }

    /// Another incarnation: its first frame says all that it has seen.
    void restart() {
        told_ = {};
        rose_ = true;
    }

    /// `said`: what the frame says beside who made it after what, and what it depends on. `before`: where the history of
    /// `self`, who makes it, stands.
    Frame make(const History& history, ReplicaIndex self, const Head& before, FrameHeader&& said, ByteView delta) {
        said.origin = before.replica;
        said.first = before.counter + 1;
        if (std::exchange(rose_, false)) said.dependencies = take_dependencies(history, self);
        return Frame::make(std::move(said), delta, before.hash);
    }

   private:
    /// The version vector, where it rose since the last frame.
    std::vector<ReplicaCounter> take_dependencies(const History& history, ReplicaIndex self) {
        std::vector<ReplicaCounter> risen;
        for (const VersionVector::Entry& entry : history.vector().sorted())
            if (entry.replica != self && told_.advance(entry.replica, entry.counter))
                risen.push_back({id_of(entry.replica), entry.counter});
        return risen;
    }

    VersionVector told_;
    bool rose_ = false;
};

}  // namespace netsync

// ---- netsync/sync/succession.hpp ----

// netsync: one incarnation after the other. What a replica made and was not seen is issued again under new dots: which ones
// they were comes in, which ones they are goes out.

namespace netsync {

/// Takes one counter out of ranges, which may split one.
inline void erase_counter(std::vector<CounterRange>& ranges, const ReplicaCounter& at) {
    const auto found = std::find_if(ranges.begin(), ranges.end(), [&](const CounterRange& range) {
        return range.replica == at.replica && range.first <= at.counter && at.counter <= range.last;
    });
    if (found == ranges.end()) return;
    const CounterRange whole = *found;
    const auto next = ranges.erase(found);
    const auto after =
        at.counter < whole.last ? ranges.insert(next, {whole.replica, at.counter + 1, whole.last}) : next;
    if (whole.first < at.counter) ranges.insert(after, {whole.replica, whole.first, at.counter - 1});
}

/// One's own changes beyond `agreed`, issued again: the dot (before, agreed + n) became (after, n).
struct Succession {
    ReplicaId before{};
    std::uint64_t agreed = 0;
    ReplicaId after{};

    ReplicaCounter operator()(const ReplicaCounter& token) const noexcept {
        if (token.replica != before || token.counter <= agreed) return token;
        return {after, token.counter - agreed};
    }

    /// Ranges of removed dots, renamed.
    std::vector<CounterRange> operator()(const std::vector<CounterRange>& ranges) const {
        std::vector<CounterRange> result;
        for (const CounterRange& range : ranges) {
            if (range.replica != before || range.last <= agreed) {
                result.push_back(range);
                continue;
            }
            if (range.first <= agreed) result.push_back({before, range.first, agreed});
            result.push_back({after, std::max(range.first, agreed + 1) - agreed, range.last - agreed});
        }
        std::sort(result.begin(), result.end());
        const auto overlap = [](const CounterRange& a, const CounterRange& b) {
            return a.replica == b.replica && b.first <= a.last;
        };
        for (std::size_t at = 1; at < result.size();) {  // of two names for one change, where they are one by now
            CounterRange& last = result[at - 1];
            if (!overlap(last, result[at])) {
                ++at;
                continue;
            }
            last.last = std::max(last.last, result[at].last);
            result.erase(result.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return result;
    }
};

/// A change of an earlier incarnation as the next one issues it.
template <crdt CrdtType>
struct IssuedAgain {
    CrdtType delta{};
    FrameHeader said{};
    Bytes bytes{};  ///< the delta's
};

/// The same change under new dots and with a fresh timestamp. `by_name`: those who have seen its first form know it by that;
/// where that may be another change, of a copy of the replica, what it says of its own first form goes instead, and it
/// has the name that the branch gives it. `removed`: what it removes.
template <crdt CrdtType>
Result<IssuedAgain<CrdtType>> issue_again(const Frame& old, const DotRange& minted, Ntp64 time,
                                          const Succession& succession, std::vector<CounterRange> removed, bool by_name,
                                          const Branches& branches, const Limits& limits) {
    const FrameHeader& header = old.header();
    Result<CrdtType> decoded = old.template delta_within<CrdtType>(DotSpace{minted, time}, limits);
    if (!decoded) return decoded.error();
    IssuedAgain<CrdtType> again{.delta = *std::move(decoded)};
    again.said.count = header.count;
    again.said.time = time;
    std::vector<ReplicaCounter>& names = again.said.instead_of;
    if (by_name) {
        names = header.instead_of;
        names.insert(names.begin(), {header.origin, header.first});
        if (names.size() > Frame::max_names) names.resize(Frame::max_names);
    } else {
        netsync::reissue(again.delta,
                         [&](std::uint64_t counter) { erase_counter(removed, {succession.before, counter}); });
        if (const std::optional<ReplicaCounter> name = branches.name(header.first)) names = {*name};
    }
    Result<Bytes> bytes = encode_delta(again.delta, minted, time, limits);
    if (!bytes) return bytes.error();
    again.bytes = *std::move(bytes);
    again.said.removed = succession(removed);
    return again;
}

/// Whether all that these frames of `self` remove is held. Own dots aside, which are renamed.
inline bool all_of_removed_held(const std::vector<Frame>& frames, const History& history, const ReplicaId& self,
                                const Branches& branches) {
    return std::all_of(frames.begin(), frames.end(), [&](const Frame& frame) {
        const std::vector<CounterRange>& removed = frame.header().removed;
        return branches.are_resolved(removed, history.reissues()) &&
               std::all_of(removed.begin(), removed.end(), [&](const CounterRange& range) {
                   return range.replica == self || range.last <= history.counter(range.replica);
               });
    });
}

/// The latest ones of this run, so that tokens of an earlier incarnation still say something.
class Successions {
   public:
    void add(const Succession& succession) {
        all_.push_back(succession);
        if (all_.size() > most) all_.erase(all_.begin());
    }

    /// Where a change is now that this token stood for.
    ReplicaCounter resolve(ReplicaCounter token) const {
        for (const Succession& succession : all_) token = succession(token);
        return token;
    }

   private:
    static constexpr std::size_t most = 16;

    std::vector<Succession> all_;
};

}  // namespace netsync

// ---- netsync/sync/loading.hpp ----

// netsync: how a replica comes by the pool's state: a newcomer, and one that cannot go on as it is and takes a new
// incarnation. Introductions and pieces of a state come in; requests go out until it is ready.

namespace netsync {

/// Pool initiative: the state comes from the highest roller; when it fails, from the next one, going on where the
/// transfer was. A replica whose history is disputed or retired hides what it holds, comes back under its next
/// incarnation, takes the state in place of its own, and issues its unseen changes again. Sans-IO, one thread.
template <class Copy>
class Loading {
   public:
    Loading(const Options& options, Copy& copy, Pool<Copy>& pool, std::uint64_t seed)
        : options_(options), copy_(copy), pool_(pool), random_(seed) {}

    bool is_ready() const noexcept { return ready_; }
    bool is_loading() const noexcept { return from_ != ReplicaId{}; }
    bool is_succeeding() const noexcept { return !copy_.successor().is_nil(); }

    void start() {
        shown_ = copy_.opened();
        present(!is_succeeding() && !is_newcomer(copy_.history(), copy_.id()));
    }
    void stop() {
        from_ = ReplicaId{};
        first_greeting_.reset();
        passed_over_.clear();
        unplaced_.reset();
        trying_since_.reset();
    }

    /// This incarnation is over: another copy of it is alive, it was given up, or something that it made is older than what
    /// the pool has forgotten. `replace`: the pool's state takes the place of what is held.
    /// `parted`: where a history parts from one that stays in its place.
    void give_up_incarnation(bool replace, const Moment& now, Outbox& out, const Agreement* parted = nullptr) {
        if (!replace && !parted && !is_succeeding() && is_untouched_copy()) return go_on_apart(now, out);
        replace_ = replace_ || replace;
        if (parted) part(*parted);
        if (const std::optional<Twin>& original = pool_.twins().original()) part(*original);
        const bool planned =
            is_succeeding() && !pool_.twins().original() && !copy_.retirements().contains(copy_.successor());
        if (planned && pool_.self() == copy_.successor()) return;
        if (!is_succeeding()) shown_ = copy_.frontier().counter;
        pool_.rename(planned ? copy_.successor() : copy_.plan_successor(random_), now, out);
        stop();
        sink_.drop();
        present(false);
    }

    // Each of these is true when the replica has become ready.

    bool on_introduced(const Moment& now, Outbox& out) {
        if (ready_) return false;
        if (!first_greeting_) first_greeting_ = now.time;
        return load(now, out);
    }

    bool tick(const Moment& now, Outbox& out) { return !ready_ && load(now, out); }

    /// Whether a piece of a state from this member is taken; `begins`: its first one. Of those asked one after the other it is
    /// whoever answers first.
    bool takes_from(const Member& member, bool begins) noexcept {
        if (is_loading() && begins && member.ready && sink_.received() == 0) {
            from_ = member.replica;
            over_ = member.link;
        }
        return from_ == member.replica;
    }

    bool on_chunk(Member& member, StateChunk&& chunk, const Moment& now, Outbox& out) {
        bytes_ += chunk.bytes.size();
        const Result<bool> complete = sink_.take(member.link, std::move(chunk), options_.limits, out);
        deadline_ = now.time + options_.answer_timeout;
        if (!complete) return on_state(member, {}, complete.error(), now, out);
        return *complete && on_state(member, sink_.finish(), {}, now, out);
    }

    bool on_agreement(Member& member, const Agreement& agreement, const Moment& now, Outbox& out) {
        if (!unplaced_ || from_ != member.replica || agreement.replica != copy_.id()) return false;
        const Unplaced state = *std::exchange(unplaced_, std::nullopt);
        if (!agreement.known && is_patient(now))  // somebody else's log may tell
            return finish(member, errc::forked, now, out);
        if (agreement.known && !replace_ && copy_.fork().weigh(copy_.id(), agreement) == Stays::ours) {
            out.send(member.link, copy_.fork().answer(agreement));
            copy_.go_on();
            parted_.clear();
            return finish(member, {}, now, out);
        }
        part(agreement);
        return finish(member, take_over(member, state.bytes, state.header, parted(), now, out), now, out);
    }

    std::uint64_t states_refused() const noexcept { return sink_.refused(); }

    /// The transfers that ended since the last time this was asked.
    std::vector<SyncReport> take_reports() { return std::exchange(reports_, {}); }

   private:
    /// A state, until it is known how far the histories agree.
    struct Unplaced {
        Bytes bytes;
        SnapshotHeader header;
    };

    /// Whether this is a copy that made nothing yet, or one is there that has all that this one made.
    bool is_untouched_copy() const {
        const std::optional<Twin>& original = pool_.twins().original();
        const std::uint64_t counter = copy_.frontier().counter;
        return original && counter <= std::max(copy_.opened(), original->opened) &&
               counter <= std::max(original->counter, original->opened) &&
               !copy_.fork().shows_another({copy_.id(), original->counter, original->hash});
    }

    /// The original keeps the id and the history under it.
    void go_on_apart(const Moment& now, Outbox& out) {
        pool_.rename(copy_.plan_successor(random_), now, out);
        copy_.go_on();
        stop();
        sink_.drop();
        present(true);
    }

    void present(bool ready) {
        ready_ = ready;
        pool_.present(ready, !is_succeeding());
    }

    bool load(const Moment& now, Outbox& out) {
        if (!first_greeting_) return false;
        if (is_loading()) {
            const Member* source = pool_.find(from_);
            if (source && source->link == over_ && now.time < deadline_) return false;
            if (source && source->link != Link{} && source->link != over_) return ask(*source, now, out), false;
            pass_over(now);
        }
        std::vector<ReplicaId> candidates;
        for (const auto& [replica, member] : pool_.members())
            if (may_help(member, now)) candidates.push_back(replica);
        const auto winner = highest_roller(pool_.self(), pool_.session(), candidates);
        if (!winner) return nobody_helps(now);
        const Member& source = *pool_.find(*winner);
        if (source.link != Link{}) ask(source, now, out);  // or it will introduce itself, or be passed over
        return false;
    }

    bool nobody_helps(const Moment& now) {
        passed_over_.clear();
        const bool anybody = pool_.members().any(
            [](const ReplicaId&, const Member& member) { return member.state == MemberState::live; });
        if (!anybody) return false;
        if (is_succeeding()) {  // without the pool's state there is nothing to go on from
            const Duration waited = now.time - *first_greeting_;
            if (waited < options_.answer_timeout * patience) return false;
            if (!is_pool_lost(!replace_ && waited > 3 * options_.answer_timeout * patience)) return false;
            if (!copy_.succeed_alone(parted().value_or(shown_))) copy_.go_on();
            parted_.clear();
        }
        present(true);
        return true;
    }

    /// Whether all that there is of the pool waits as this replica does, and it is the one that goes first. Those who are away
    /// may be the pool; where histories parted nobody waits for them for ever.
    bool is_pool_lost(bool is_away_over) const {
        const auto is_here = [&](OwnerId owner) {
            return owner == pool_.self().owner() || pool_.members().any([&](const ReplicaId& id, const Member& member) {
                return id.owner() == owner && member.state == MemberState::live;
            });
        };
        return !pool_.members().any([&](const ReplicaId& id, const Member& member) {
            if (member.state != MemberState::live) return !is_away_over && !is_here(id.owner());
            return member.ready || id < pool_.self();
        });
    }

    /// Linked members that hold something new; others for as long as they may be about to introduce themselves.
    bool may_help(const Member& member, const Moment& now) const {
        if (std::find(passed_over_.begin(), passed_over_.end(), member.replica) != passed_over_.end()) return false;
        if (member.link == Link{})
            return member.expected && member.state == MemberState::known &&
                   now.time < *first_greeting_ + options_.answer_timeout;
        if (is_succeeding()) return member.ready;
        return !copy_.buffer().gaps(copy_.history().vector(), member.heads).empty();
    }

    /// For the first time, or again over another link: the transfer goes on where it was.
    void ask(const Member& source, const Moment& now, Outbox& out) {
        from_ = source.replica;
        over_ = source.link;
        deadline_ = now.time + options_.answer_timeout;
        unplaced_.reset();
        sink_.ask(source.link, out, is_succeeding() ? what_stays() : copy_.history().heads());
    }

    void pass_over(const Moment& now) {
        report(SyncEnd::timed_out, now);
        passed_over_.push_back(std::exchange(from_, ReplicaId{}));
    }

    /// The state is whole, or cannot be had from this member.
    bool on_state(Member& member, Bytes state, std::error_code error, const Moment& now, Outbox& out) {
        const Result<SnapshotHeader> header = decode_snapshot_header(state, options_.limits);
        const bool disputed = !error && header && copy_.fork().is_disputed(copy_.id(), header->heads);
        if (disputed && !is_succeeding()) return give_up_incarnation(false, now, out), false;
        if (!error && !is_succeeding() && !is_too_old(member)) {
            error = copy_.adopt(std::move(state));
            if (!error) copy_.recall(sink_.recent());
        } else if (!error) {
            replace_ = replace_ || !is_succeeding();
            if (disputed) {
                unplaced_ = Unplaced{std::move(state), *header};
                out.send(member.link, AgreementRequest{copy_.fork().heads(copy_.id())});
                return false;
            }
            error = header ? take_over(member, state, *header, parted(), now, out) : header.error();
        }
        return finish(member, error, now, out);
    }

    /// A newcomer's own changes may be older than what the pool has forgotten.
    bool is_too_old(const Member& member) const {
        return member.settled && copy_.frontier().counter > 0 &&
               !pool_.members().any([&](const ReplicaId&, const Member& other) { return other.holds(copy_.id()) > 0; });
    }

    /// `parted`: up to where the pool has the same history of this replica, if it has another one beyond.
    std::error_code take_over(const Member& source, ByteView state, const SnapshotHeader& header,
                              std::optional<std::uint64_t> parted, const Moment& now, Outbox& out) {
        const bool planned = is_succeeding();
        if (holds_what_goes(header)) {
            if (is_patient(now)) return errc::forked;
            if (planned && !replace_)
                return copy_.go_on(), parted_.clear(), std::error_code{};  // it has stayed after all
            parted_.erase(std::remove_if(parted_.begin(), parted_.end(),
                                         [&](const Parted& at) { return holds_what_goes(header, at); }),
                          parted_.end());
        }
        const ReplicaId after = planned ? copy_.successor() : copy_.plan_successor(random_);
        const bool better = copy_.displaces(header) || (source.settled && copy_.holds_of_others(header));
        const bool in_place = replace_ || !parted_.empty() || (better && is_patient(now));
        if (source.settled) copy_.settle();
        const Result<Succession> done = parted || (in_place && copy_.can_issue_again(header))
                                            ? copy_.succeed_in_place(state, parted, parted_, !is_patient(now))
                                            : copy_.succeed(state);
        if (!done) return done.error();
        copy_.recall(sink_.recent());
        replace_ = false;
        parted_.clear();
        trying_since_.reset();
        if (!parted && done->agreed < max_counter)
            copy_.retire({Retirement{done->before, done->agreed, now.wall, after}});
        if (!planned) pool_.rename(after, now, out);
        return {};
    }

    void part(const Agreement& agreement) {
        if (agreement.known)
            part(Parted{agreement.replica, agreement.counter, copy_.fork().mark(agreement)});
        else  // a copy of this replica's store has what was in it when the later of both was opened
            part(Parted{agreement.replica,
                        agreement.replica == copy_.id() ? std::max(copy_.opened(), pool_.twins().copied()) : 0,
                        std::nullopt});
    }

    /// This replica is a copy: what came before its store was opened is its original's too, and nothing of what came after.
    void part(const Twin& original) {
        const Head there{copy_.id(), original.counter, original.hash};
        std::uint64_t most = max_counter;
        if (original.counter > 0 && copy_.fork().shows_ours(there)) most = original.counter;  // it goes on from there
        if (copy_.fork().shows_another(there)) most = original.counter - 1;
        part(Parted{copy_.id(), std::min(copy_.opened(), most), std::nullopt});
    }

    void part(const Parted& at) {
        for (Parted& known : parted_)
            if (known.replica == at.replica) return void(known = at);
        parted_.push_back(at);
    }

    /// Up to where this replica's own history stays.
    std::optional<std::uint64_t> parted() const {
        for (const Parted& at : parted_)
            if (at.replica == copy_.id()) return at.counter;
        return std::nullopt;
    }

    /// The first of the histories that stay, beyond what is in both.
    std::vector<Head> what_stays() const {
        std::vector<Head> heads;
        for (const Parted& at : parted_)
            if (at.mark) heads.push_back({at.replica, at.mark->last, at.mark->beyond});
        return heads;
    }

    /// Whether a state comes of a history that does not stay, as what is held here does.
    bool holds_what_goes(const SnapshotHeader& header) const {
        return std::any_of(parted_.begin(), parted_.end(),
                           [&](const Parted& at) { return holds_what_goes(header, at); });
    }

    bool holds_what_goes(const SnapshotHeader& header, const Parted& at) const {
        return std::any_of(header.heads.begin(), header.heads.end(), [&](const Head& head) {
            return at.replica == head.replica && at.counter < head.counter && copy_.fork().shows_ours(head);
        });
    }

    /// For as long as what one member has not got another may have, or the same one a little later.
    bool is_patient(const Moment& now) {
        if (!trying_since_) trying_since_ = now.time;
        return now.time - *trying_since_ < options_.answer_timeout * patience;
    }

    bool finish(Member& member, std::error_code error, const Moment& now, Outbox& out) {
        report(error ? SyncEnd::failed : SyncEnd::adopted, now);
        from_ = ReplicaId{};
        if (error) {
            passed_over_.push_back(member.replica);
            return load(now, out);
        }
        if (member.settled) copy_.settle();
        passed_over_.clear();
        present(true);
        return true;
    }

    void report(SyncEnd end, const Moment& now) {
        reports_.push_back({from_, 1, std::exchange(bytes_, 0), 0, 0, end, now.time - *first_greeting_});
    }

    static constexpr int patience = 5;

    const Options& options_;
    Copy& copy_;
    Pool<Copy>& pool_;
    detail::Random random_;
    bool ready_ = true;
    bool replace_ = false;
    std::uint64_t shown_ = 0;     // what of this incarnation's changes others may have
    std::vector<Parted> parted_;  // histories of which something that is held here does not stay
    std::optional<Duration> trying_since_;
    std::optional<Duration> first_greeting_;
    ReplicaId from_{};
    Link over_{};
    Duration deadline_{};
    std::vector<ReplicaId> passed_over_;
    std::optional<Unplaced> unplaced_;
    StateSink sink_;
    std::uint64_t bytes_ = 0;  // of states, since the last report
    std::vector<SyncReport> reports_;
};

}  // namespace netsync

// ---- netsync/sync/gossip.hpp ----

// netsync: how replicas become equal. What members say they hold comes in; requests for what is lacking go out, and
// end. Stage 8 of the flow. A round is a function of two digests; nothing believed about a peer outlives it.

namespace netsync {

/// Pull-based anti-entropy (Demers et al. 1987; scuttlebutt, van Renesse et al. 2008). At random intervals a random
/// live member is asked for its digest; each side asks for exactly the frames that it lacks, never for what it has
/// asked of another member meanwhile. Sans-IO, one thread.
template <class Copy>
class Gossip {
   public:
    Gossip(const Options& options, Copy& copy, Pool<Copy>& pool, std::uint64_t seed)
        : options_(options), copy_(copy), pool_(pool), random_(seed), loading_(options, copy, pool, random_.next()) {}

    void start(const Moment& now) {
        loading_.start();
        next_at_ = now.time + options_.gossip.pick(random_);
    }
    void stop() {
        sessions_.clear();
        loading_.stop();
    }

    JoinState state() const {
        if (loading_.is_loading()) return JoinState::loading;
        if (has_live()) return is_ready() ? JoinState::ready : JoinState::greeting;
        return pool_.is_greeting() ? JoinState::greeting : JoinState::alone;
    }
    bool is_ready() const noexcept { return loading_.is_ready(); }
    /// Whether nobody else is known: so far what is held here is all that there is.
    bool is_first() const { return pool_.members().empty() && !loading_.is_succeeding(); }
    /// Whether what others send is of use now: not while this replica is about to take another state for its own.
    bool listens() const noexcept { return !loading_.is_succeeding(); }
    const std::vector<SyncReport>& reports() const noexcept { return reports_; }
    std::uint64_t states_refused() const noexcept { return sink_.refused() + loading_.states_refused(); }
    Duration next_wake() const noexcept { return next_at_; }

    /// What is held, and who is known: equal exactly where nothing is left to say.
    std::uint64_t digest() const { return detail::mix(copy_.history().digest(), pool_.digest()); }

    /// A member has introduced itself, and said what it holds.
    void on_introduced(Member& member, const Moment& now, Outbox& out) {
        sessions_.erase(member.replica);  // what was asked over an earlier link is not answered over this one
        const ReplicaId replica = member.replica;
        if (loading_.on_introduced(now, out)) return become_ready(out);
        if (reconsider(member, now, out)) return;
        if (Member* still = pool_.find(replica)) begin(*still, now, out);
    }

    /// What a member says it holds. errc::too_large for more replicas than the limits allow.
    std::error_code on_message(Member& member, const DigestMessage& message, const Moment& now, Outbox& out) {
        member.ready = true;
        if (!is_ready()) return {};
        if (message.digest == digest()) {
            member.heads = copy_.history().heads();
            member.retired = copy_.retirements().digest();
            member.last_synchronized = now.wall;
            if (!message.answer) out.send(member.link, DigestMessage{digest(), true});
        } else {
            out.send(member.link, heads(true));
        }
        return {};
    }

    std::error_code on_message(Member& member, const HeadsMessage& message, const Moment& now, Outbox& out) {
        if (message.heads.size() > options_.limits.replicas) return errc::too_large;
        if (!are_sorted(message.heads)) return errc::malformed;
        member.heads = message.heads;
        member.ready = true;
        copy_.retire(message.retired);
        member.retired = copy_.retirements().records() == message.retired ? copy_.retirements().digest() : 0;
        pool_.on_acquaintances(message.members, now, out);
        const ReplicaId replica = member.replica;
        if (reconsider(member, now, out) || !is_ready()) return {};
        if (message.answer_wanted) out.send(pool_.link_to(replica), heads(false));
        if (Member* still = pool_.find(replica)) {
            begin(*still, now, out);
            if (message.lineage != copy_.history().lineage()) begin_to_join(*still, now, out);
        }
        return {};
    }

    /// Our frame was too far ahead of the member's clock: it is in our log, and gossip offers it again. Or it was made
    /// without what others have forgotten since: then it is issued again.
    std::error_code on_message(Member& member, const FrameRefused& message, const Moment& now, Outbox& out) {
        if (message.reason == errc::outdated) {
            if (message.origin == copy_.id() && is_ready()) give_up_incarnation(true, now, out);
        } else {
            out.events.push_back({member.replica, member.state, member.state, errc::clock_drift});
        }
        return {};
    }

    std::error_code on_message(Member& member, const AgreementRequest& request, const Moment&, Outbox& out) {
        if (!is_ready() || request.heads.empty()) return {};
        out.send(member.link, copy_.fork().compare(request.heads));
        return {};
    }

    /// Of two histories under one id the member's stays, or ours, and then the member has to know; or there is but one.
    std::error_code on_message(Member& member, const Agreement& agreement, const Moment& now, Outbox& out) {
        if (loading_.on_agreement(member, agreement, now, out)) become_ready(out);
        if (!is_ready()) return {};
        const Stays stays = copy_.fork().weigh(copy_.id(), agreement);
        if (is_early(agreement, now)) return {};
        const bool asked = is_in_question(now) && question_->replica == agreement.replica;
        if (asked) question_.reset();
        if (stays == Stays::ours && asked) out.send(member.link, copy_.fork().answer(agreement));
        if (stays == Stays::theirs) give_up_incarnation(false, now, out, &agreement);
        return {};
    }

    /// The frames of an answer were delivered.
    void on_frames(Member& member, const FramesMessage& message, std::size_t bytes, const Delivered& delivered,
                   const Moment& now, Outbox& out) {
        Session* session = sessions_.find(member.replica);
        if (!session && delivered.news > 0) begin(member, now, out);  // the answer came late
        if (!session) return;
        SyncReport& report = session->report;
        report.bytes += bytes;
        report.frames += message.frames.size();
        report.applied += delivered.news;
        session->asked.clear();
        if (message.below_horizon || delivered.outdated) return ask_for_state(*session, member, now, out);
        if (lacking(member, member.replica).empty()) return finish(member.replica, SyncEnd::repaired, now);
        if (delivered.drifted) return finish(member.replica, SyncEnd::clock_drift, now);
        if (delivered.news == 0 || postpone()) return finish(member.replica, SyncEnd::no_progress, now);
        ask(*session, member, lacking(member, member.replica), now, out);
    }

    /// A frame does not continue what is held of its origin. It may have been damaged on its way, or there are two
    /// histories under one id.
    void on_fork(const Member& member, const FrameHeader& theirs, const Moment& now, Outbox& out) {
        if (!is_ready() || copy_.counter(theirs.origin) == 0) return;
        seen_ = {theirs.origin, now.time + options_.answer_timeout};
        question(theirs.origin, member, now, out);
    }

    /// Whether a member may be given the state: not where it would be joined with another history under one id. Who came by
    /// its own just now, and cannot tell, waits for as long as two copies of one replica may take to find each other.
    bool may_give(const Member& member, const StateRequest& request, const Moment& now, Outbox& out) {
        if (!listens()) return false;
        const Fork fork = copy_.fork();
        for (const Head& head : request.of) {
            if (!fork.shows_another(head)) continue;
            if (is_ready()) question(head.replica, member, now, out);
            return false;
        }
        return now.time >= sure_at_ || std::none_of(request.of.begin(), request.of.end(), [&](const Head& head) {
                   return head.counter < copy_.counter(head.replica) && !fork.shows_ours(head);
               });
    }

    /// A piece of a state.
    void on_chunk(Member& member, StateChunk&& chunk, const Moment& now, Outbox& out) {
        if (loading_.takes_from(member, chunk.offset == 0)) {
            if (loading_.on_chunk(member, std::move(chunk), now, out)) {
                sure_at_ = now.time + 3 * options_.answer_timeout;
                become_ready(out);
            }
            return take_reports();
        }
        Session* session = sessions_.find(member.replica);
        if (!session && late_ == member.replica && chunk.offset == 0 && is_ready()) {
            session = &open(member, now);
            session->wants_state = true;
        }
        if (!session || !session->wants_state) return;
        session->deadline = now.time + options_.answer_timeout;
        session->report.bytes += chunk.bytes.size();
        const Result<bool> complete = sink_.take(member.link, std::move(chunk), options_.limits, out);
        if (complete && !*complete) return;
        Bytes state = sink_.finish();
        std::error_code error = complete.error();
        if (complete)
            error = is_of_another_history(state, member, now, out) ? errc::forked : copy_.adopt(std::move(state));
        if (!error) copy_.recall(sink_.recent());
        finish(member.replica, error ? SyncEnd::failed : SyncEnd::adopted, now);
    }

    void tick(const Moment& now, Outbox& out) {
        sessions_.erase_if([&](const ReplicaId& peer, Session& session) {
            const Member* member = pool_.find(peer);
            const bool lost = !member || member->link == Link{};
            if (!lost && now.time < session.deadline) return false;
            if (session.wants_state) late_ = peer;
            conclude(session, lost ? SyncEnd::peer_lost : SyncEnd::timed_out, now);
            return true;
        });
        if (pool_.twins().original() || copy_.retirements().contains(pool_.self()))
            give_up_incarnation(false, now, out);
        if (loading_.tick(now, out)) become_ready(out);
        take_reports();
        resume(now, out);
        if (now.time < next_at_) return;
        next_at_ = now.time + options_.gossip.pick(random_);
        if (!is_ready()) return;
        std::vector<Member*> live;
        pool_.for_each_live([&](Member& member) {
            if (!sessions_.contains(member.replica)) live.push_back(&member);
        });
        if (!live.empty()) ask_digest(*live[random_.below(live.size())], out);
    }

    /// Asks for what could not be kept before, if it can be now.
    void resume(const Moment& now, Outbox& out) {
        if (postponed_ && !postpone()) pool_.for_each_live([&](Member& member) { begin(member, now, out); });
    }

    /// Asks a member whether it holds what we do. Who asks is ready.
    void ask_digest(const Member& member, Outbox& out) const {
        if (is_ready()) out.send(member.link, DigestMessage{digest(), false});
    }

    /// Tells all members at once what is held and known here. Who tells is ready.
    void tell_all(Outbox& out) {
        if (!is_ready()) return;
        pool_.for_each_live([&](const Member& member) { out.send(member.link, heads(true)); });
    }

    /// Nothing of `replica` counts beyond what is held here: a record of this replica's own.
    void retire(const ReplicaId& replica, const Moment& now, Outbox& out) {
        copy_.retire({Retirement{replica, copy_.counter(replica), now.wall, copy_.id()}});
        pool_.expel(out);
        tell_all(out);
    }

   private:
    struct Session {
        SyncReport report;
        std::vector<CounterRange> asked;
        Duration began{};
        Duration deadline{};
        bool wants_state = false;
    };

    /// Of whom there may be two histories.
    struct Question {
        ReplicaId replica;
        Duration until{};
    };

    bool has_live() const {
        return pool_.members().any(
            [](const ReplicaId&, const Member& member) { return member.state == MemberState::live; });
    }

    HeadsMessage heads(bool answer_wanted) const {
        return {copy_.history().heads(), answer_wanted, pool_.acquaintances(), copy_.retirements().records(),
                copy_.history().lineage()};
    }

    /// What a member has said may mean that this replica cannot go on as it is. True if so.
    bool reconsider(const Member& member, const Moment& now, Outbox& out) {
        if (copy_.retirements().contains(pool_.self())) return give_up_incarnation(false, now, out), true;
        if (loading_.is_succeeding()) return true;
        if (const auto forked = copy_.fork().find(copy_.id(), member.heads)) question(*forked, member, now, out);
        if (!copy_.retirements().empty()) pool_.expel(out);
        return false;
    }

    /// Asks a member how far both hold the same history of a replica. No whole state is joined until that is known.
    void question(const ReplicaId& replica, const Member& member, const Moment& now, Outbox& out) {
        question_ = {replica, now.time + options_.answer_timeout};
        out.send(member.link, AgreementRequest{copy_.fork().heads(replica)});
    }

    /// Where it is not known how far two histories of a third party are the same, somebody else's log may tell.
    bool is_early(const Agreement& agreement, const Moment& now) {
        if (agreement.replica == copy_.id() || agreement.known || !agreement.beyond) return unknown_.reset(), false;
        if (!unknown_ || unknown_->replica != agreement.replica)
            unknown_ = {agreement.replica, now.time + options_.answer_timeout * patience};
        return now.time < unknown_->until;
    }

    /// Whether a state may have another history of a replica than what it would be joined with.
    bool is_of_another_history(ByteView state, const Member& member, const Moment& now, Outbox& out) {
        if (is_in_question(now)) return true;
        const Result<SnapshotHeader> header = decode_snapshot_header(state, options_.limits);
        if (!header) return false;
        if (const auto forked = copy_.fork().find(copy_.id(), *header))
            return question(*forked, member, now, out), true;
        return seen_ && now.time < seen_->until &&
               counter_in(header->heads, seen_->replica) > copy_.counter(seen_->replica);
    }

    bool is_in_question(const Moment& now) const { return question_ && now.time < question_->until; }

    void give_up_incarnation(bool replace, const Moment& now, Outbox& out, const Agreement* parted = nullptr) {
        sessions_.clear();
        question_.reset();
        loading_.give_up_incarnation(replace, now, out, parted);
    }

    /// What `member` holds and we do not, nor wait for, nor have asked of anybody else.
    std::vector<CounterRange> lacking(const Member& member, const ReplicaId& asker) const {
        std::vector<CounterRange> ranges = copy_.buffer().gaps(copy_.history().vector(), member.heads);
        for (const auto& [peer, session] : sessions_)
            if (peer != asker)
                for (const CounterRange& taken : session.asked) ranges = without(ranges, taken);
        return ranges;
    }

    static std::vector<CounterRange> without(const std::vector<CounterRange>& ranges, const CounterRange& taken) {
        std::vector<CounterRange> rest;
        for (const CounterRange& range : ranges) {
            if (range.replica != taken.replica || range.last < taken.first || range.first > taken.last) {
                rest.push_back(range);
                continue;
            }
            if (range.first < taken.first) rest.push_back({range.replica, range.first, taken.first - 1});
            if (range.last > taken.last) rest.push_back({range.replica, taken.last + 1, range.last});
        }
        return rest;
    }

    void begin(Member& member, const Moment& now, Outbox& out) {
        if (!is_ready() || !member.ready || sessions_.contains(member.replica)) return;
        std::vector<CounterRange> ranges = lacking(member, member.replica);
        // All that it holds beyond us waits here already, for something that nobody is bringing: a frame that waits may
        // have been damaged on its way. The first one asked for again is ready and takes its place.
        if (ranges.empty() && sessions_.empty())
            ranges = CausalBuffer<Frame>{0, 0}.gaps(copy_.history().vector(), member.heads);
        if (ranges.empty() || postpone()) return;
        ask(open(member, now), member, std::move(ranges), now, out);
    }

    /// All changes that a member holds are here, but its state went another way: both take the state of the other.
    void begin_to_join(Member& member, const Moment& now, Outbox& out) {
        if (sessions_.contains(member.replica) || is_in_question(now) || postpone()) return;
        const bool asks = sessions_.any([](const ReplicaId&, const Session& session) { return session.wants_state; });
        if (!asks) ask_for_state(open(member, now), member, now, out);
    }

    Session& open(const Member& member, const Moment& now) {
        Session& session = sessions_[member.replica];
        session.report.peer = member.replica;
        session.began = now.time;
        session.deadline = now.time + options_.answer_timeout;
        late_ = ReplicaId{};
        return session;
    }

    /// Puts off asking where nothing can be kept now: true if so. It is asked for when it can.
    bool postpone() { return postponed_ = static_cast<bool>(copy_.refusal()); }

    void ask(Session& session, Member& member, std::vector<CounterRange> ranges, const Moment& now, Outbox& out) {
        session.asked = std::move(ranges);
        if (session.asked.size() > max_ranges) session.asked.resize(max_ranges);
        ++session.report.rounds;
        session.deadline = now.time + options_.answer_timeout;
        out.send(member.link, FetchMessage{session.asked});
    }

    void ask_for_state(Session& session, Member& member, const Moment& now, Outbox& out) {
        session.wants_state = true;
        ++session.report.rounds;
        session.deadline = now.time + options_.answer_timeout;
        sink_.ask(member.link, out, copy_.history().heads());
    }

    void finish(const ReplicaId& peer, SyncEnd end, const Moment& now) {
        conclude(*sessions_.find(peer), end, now);
        sessions_.erase(peer);
    }

    void conclude(Session& session, SyncEnd end, const Moment& now) {
        session.report.end = end;
        session.report.took = now.time - session.began;
        remember(session.report);
    }

    void take_reports() {
        for (const SyncReport& report : loading_.take_reports()) remember(report);
    }

    void remember(const SyncReport& report) {
        reports_.push_back(report);
        if (reports_.size() > max_reports) reports_.erase(reports_.begin());
    }

    void become_ready(Outbox& out) {
        pool_.expel(out);
        pool_.for_each_live([&](const Member& member) { ask_digest(member, out); });
    }

    static constexpr int patience = 5;
    static constexpr std::size_t max_ranges = 1024;
    static constexpr std::size_t max_reports = 16;

    const Options& options_;
    Copy& copy_;
    Pool<Copy>& pool_;
    detail::Random random_;
    Loading<Copy> loading_;
    Duration next_at_{};
    detail::OrderedMap<ReplicaId, Session> sessions_;
    bool postponed_ = false;
    Duration sure_at_{};
    ReplicaId late_{};  // who was asked for a state, and has not answered in time
    StateSink sink_;
    std::optional<Question> question_;
    std::optional<Question> seen_;     // of whom a frame has come that does not continue what is held
    std::optional<Question> unknown_;  // where nobody has told yet
    std::vector<SyncReport> reports_;
};

}  // namespace netsync

// ---- netsync/sync/relay.hpp ----

// netsync: how a change spreads through a large pool. A frame and the members it is for come in; a few sends go out, each
// to one member that passes it on to its share of the rest.

namespace netsync {

/// A broadcast tree along the ring of replica ids (El-Ansary et al. 2003): nobody sends more than log2(n) + 4 messages, n
/// in all, and no tree is kept up. A share whose relay fails is repaired by gossip. Up to `direct` members the writer
/// sends to each.
class Relay {
   public:
    /// Sends `frame` to the live members whose ids follow `self` on the ring, up to `until`, which is not included; all
    /// of them where it is `self` itself.
    template <class Pool>
    static void spread(Pool& pool, const ReplicaId& self, const ReplicaId& until, const SharedBytes& frame,
                       Outbox& out) {
        std::vector<const Member*> ring;
        pool.for_each_live([&](const Member& member) {
            if (within(self, member.replica, until)) ring.push_back(&member);
        });
        if (self == until && ring.size() <= direct) {
            for (const Member* member : ring) out.sends.push_back({member->link, frame});
            return;
        }
        std::rotate(
            ring.begin(),
            std::find_if(ring.begin(), ring.end(), [&](const Member* member) { return self < member->replica; }),
            ring.end());
        ReplicaId end = until;
        while (ring.size() > leaves) {
            const std::size_t half = ring.size() / 2;
            out.send(ring[half]->link, RelayMessage{end, {frame}});
            end = ring[half]->replica;
            ring.resize(half);
        }
        for (const Member* member : ring) out.sends.push_back({member->link, frame});
    }

   private:
    static constexpr std::size_t direct = 16;
    static constexpr std::size_t leaves = 4;

    static bool within(const ReplicaId& from, const ReplicaId& id, const ReplicaId& until) {
        if (from == until) return true;
        return from < until ? from < id && id < until : from < id || id < until;
    }
};

}  // namespace netsync

// ---- netsync/sync/retention.hpp ----

// netsync: what must be kept, and for whom. What the members are known to hold comes in; how far the log may be cut, and
// what everybody has seen, goes out.

namespace netsync {

/// The frames that every member has which is not stale: up to these counters the log may go. `members`: an OrderedMap of
/// Member. O(origins x members).
template <class Members>
std::vector<ReplicaCounter> held_by_all(const History& history, const Members& members) {
    std::vector<ReplicaCounter> counters;
    for (const VersionVector::Entry& entry : history.vector().sorted()) {
        const ReplicaId& origin = id_of(entry.replica);
        std::uint64_t held = entry.counter;
        for (const auto& [replica, member] : members)
            if (member.state != MemberState::stale) held = std::min(held, member.holds(origin));
        if (held > 0) counters.push_back({origin, held});
    }
    return counters;
}

/// The pending changes: made or held here, and not known to be everywhere that counts.
template <class Members>
std::uint64_t pending(const History& history, const Members& members) {
    std::uint64_t count = 0;
    for (const VersionVector::Entry& entry : history.vector()) count += entry.counter;
    for (const ReplicaCounter& held : held_by_all(history, members)) count -= held.counter;
    return count;
}

/// Causal stability (Baquero, Almeida, Shoker 2017): what every member has seen that is not retired, stale ones included;
/// the only licence to drop metadata. Empty while any member's word is missing: its word counts when it was given with the
/// same retirements in mind, and when everything that it held by then is here too, so that nothing made before it is still
/// on its way.
template <class Members>
VersionVector stable(const History& history, const Members& members, std::uint64_t retirements) {
    VersionVector result;
    for (const auto& [replica, member] : members) {
        if (!member.ready || member.retired != retirements) return {};
        for (const Head& head : member.heads) {
            const ReplicaIndex origin = find_index(head.replica);
            if (origin == ReplicaIndex{} || history.counter(origin) < head.counter) return {};
        }
    }
    for (const VersionVector::Entry& entry : history.vector()) {
        std::uint64_t seen = entry.counter;
        for (const auto& [replica, member] : members) seen = std::min(seen, member.holds(id_of(entry.replica)));
        result.advance(entry.replica, seen);
    }
    return result;
}

}  // namespace netsync

// ---- netsync/sync/waiters.hpp ----

// netsync: "is it replicated yet?". A token and for whom come in; the answer goes out when those are known to hold it.

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

// ---- netsync/sync/protocol.hpp ----

// netsync: what pool and sync do together, between the transport and the copy: stages 5 to 8 of the flow. Events and the
// passing of time come in; the outbox fills.

namespace netsync {

/// `Copy` is a LocalCopy. Sans-IO; every call is made under the replica's mutex.
template <class Copy>
class Protocol {
   public:
    Protocol(const Options& options, Copy& copy, detail::Random& random)
        : options_(options), copy_(copy), pool_(options, copy, random.next()),
          gossip_(options, copy, pool_, random.next()) {}

    const Pool<Copy>& pool() const noexcept { return pool_; }
    const Gossip<Copy>& gossip() const noexcept { return gossip_; }
    std::size_t waiters() const noexcept { return waiters_.size(); }
    std::uint64_t waiters_refused() const noexcept { return waiters_.refused(); }

    /// The store could not be opened before, and was read now.
    void load() { pool_.load(); }

    void start(const Moment& now, std::uint16_t port) {
        gossip_.start(now);
        pool_.start(now, port, outbox);
    }

    void stop() {
        pool_.stop();
        gossip_.stop();
        waiters_.cancel(copy_.notifications);
        outbox = {};
    }

    Duration next_wake() const noexcept {
        return std::min({pool_.next_wake(), gossip_.next_wake(), waiters_.next_at()});
    }

    // 5: to every live member at once, or through some of them to the others; gossip repairs what is lost.
    void publish(const Frame& frame) {
        if (gossip_.is_ready() && !pool_.members().empty())
            Relay::spread(pool_, pool_.self(), pool_.self(), frame.bytes(), outbox);
    }

    Subscription await(const ReplicaCounter& token, Audience audience, Duration timeout, Waiters::Answer answer,
                       Duration now) {
        Subscription subscription = waiters_.add(token, std::move(audience), now + timeout, std::move(answer), now);
        if (waiters_.size() > options_.limits.waiters)
            waiters_.refuse_last(copy_.notifications);
        else
            ask_for_waiters(now);
        return subscription;
    }

    std::error_code retire(const ReplicaId& member, const Moment& now) {
        if (!pool_.find(member)) return errc::no_such_member;
        gossip_.retire(member, now, outbox);
        return {};
    }

    // 6: something happened outside.
    void on_event(const TransportEvent& event, const Moment& now) {
        if (const auto* message = std::get_if<MessageReceived>(&event))
            on_message(message->link, message->bytes, now);
        else if (std::holds_alternative<Woken>(event))
            on_time(now);
        else
            pool_.on_event(event, now, outbox);
    }

    /// The same before start(), while it is not known who this replica is: it takes no part.
    void on_event_outside(const TransportEvent& event, const Moment& now) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) outbox.closes.push_back(opened->link);
        if (std::holds_alternative<Woken>(event)) ask_for_waiters(now.time);
    }

    /// The store takes more.
    void on_committed(const Moment& now) { gossip_.resume(now, outbox); }

    Outbox outbox;
    Traffic traffic;

   private:
    void on_time(const Moment& now) {
        if (copy_.store_error() == errc::store_damaged && now.time >= heal_at_) {
            heal_at_ = now.time + heal_interval;
            copy_.heal_store();
        }
        if (pool_.tick(now, outbox)) tidy(now);
        gossip_.tick(now, outbox);
        states_.tick(now.time);
        ask_for_waiters(now.time);
    }

    // What all have seen need not be kept.
    void tidy(const Moment& now) {
        if (!gossip_.is_ready() && !gossip_.is_first()) return;
        for (const ReplicaId& past : pool_.past_selves()) gossip_.retire(past, now, outbox);
        if (copy_.log_bytes() > std::max(options_.limits.log, copy_.snapshot_bytes()) &&
            !has_snapshot_waiting(copy_.store()))
            static_cast<void>(copy_.compact(held_by_all(copy_.history(), pool_.members())));
        if (!gossip_.is_ready() || now.time < forget_at_) return;
        forget_at_ = now.time + forget_interval;
        copy_.forget(stable(copy_.history(), pool_.members(), copy_.retirements().digest()));
    }

    void ask_for_waiters(Duration time) {
        if (waiters_.empty()) return;
        const auto resolve = [this](const ReplicaCounter& token) { return copy_.resolve(token); };
        waiters_.check(pool_.members(), resolve, time, copy_.notifications);
        if (!waiters_.due(time)) return;
        pool_.for_each_live([&](const Member& member) {
            if (waiters_.concerns(member, resolve)) gossip_.ask_digest(member, outbox);
        });
    }

    // 7: only members are listened to; a stranger is asked to introduce itself.
    void on_message(Link link, ByteView bytes, const Moment& now) {
        ++traffic.messages_in;
        traffic.bytes_in += bytes.size();
        const std::optional<MessageKind> kind = kind_of(bytes);
        if (!kind) return pool_.refuse(link, errc::malformed, outbox);
        const bool of_pool = *kind < MessageKind::update;
        if (of_pool ? pool_.on_message(link, *kind, bytes, now, outbox) : pool_.follow(link))
            gossip_.on_introduced(*pool_.member_on(link), now, outbox);
        Member* member = pool_.member_on(link);
        if (member) pool_.heard_from(*member, now, outbox);
        if (of_pool) return;
        if (!member) return pool_.on_stranger(link, now, outbox);
        const std::error_code error =
            *kind == MessageKind::update ? on_update(*member, bytes, now) : on_sync(*member, *kind, bytes, now);
        if (error) {
            ++traffic.messages_bad;
            pool_.refuse(link, error, outbox);
        } else if (!waiters_.empty()) {
            ask_for_waiters(now.time);
        }
    }

    // 8: what members say. An error is for bytes that no correct program sends: the link ends.
    std::error_code on_sync(Member& member, MessageKind kind, ByteView bytes, const Moment& now) {
        return decode_sync(
            kind, bytes,
            detail::Overloaded{[&](const FetchMessage& message) -> std::error_code {
                                   traffic.frames_out += answer_fetch(
                                       member.link, message, copy_.store(),
                                       [&](const ReplicaId& origin, std::uint64_t counter) {
                                           return copy_.is_durable(origin, counter);
                                       },
                                       options_.limits, outbox);
                                   return {};
                               },
                               [&](const StateRequest& message) -> std::error_code {
                                   if (message.of.size() > options_.limits.replicas) return errc::too_large;
                                   if (!gossip_.may_give(member, message, now, outbox)) return {};
                                   return states_.answer(member.link, message, copy_, options_.limits, now.time,
                                                         outbox);
                               },
                               [&](const FramesMessage& message) -> std::error_code {
                                   const Delivered delivered = receive(message.frames, member, now);
                                   if (!delivered.error)
                                       gossip_.on_frames(member, message, bytes.size(), delivered, now, outbox);
                                   return delivered.error;
                               },
                               [&](const RelayMessage& message) -> std::error_code {
                                   const Delivered delivered = receive(std::span{&message.frame, 1}, member, now);
                                   if (delivered.news > 0)
                                       Relay::spread(pool_, pool_.self(), message.until, message.frame.bytes, outbox);
                                   return delivered.error;
                               },
                               [&](StateChunk&& message) -> std::error_code {
                                   gossip_.on_chunk(member, std::move(message), now, outbox);
                                   return {};
                               },
                               [&](const auto& message) { return gossip_.on_message(member, message, now, outbox); }});
    }

    std::error_code on_update(Member& member, ByteView bytes, const Moment& now) {
        const FrameBytes frame{SharedBytes{bytes}};
        return receive(std::span{&frame, 1}, member, now).error;
    }

    // 9: merged, held, dropped or refused: see LocalCopy::receive.
    Delivered receive(std::span<const FrameBytes> frames, Member& member, const Moment& now) {
        if (!gossip_.listens() || copy_.retirements().contains(member.replica)) return {};
        const Delivered delivered = deliver(copy_, frames, member, options_.limits, traffic, outbox);
        if (delivered.forked) gossip_.on_fork(member, *delivered.forked, now, outbox);
        return delivered;
    }

    static constexpr Duration forget_interval = std::chrono::seconds{10};
    static constexpr Duration heal_interval = std::chrono::seconds{10};

    const Options& options_;
    Copy& copy_;
    Pool<Copy> pool_;
    Gossip<Copy> gossip_;
    StateSource states_;
    Waiters waiters_;
    Duration forget_at_{};
    Duration heal_at_{};
};

}  // namespace netsync

// ---- netsync/report.hpp ----

// netsync: how a replica is doing, as plain values. Print it with netsync/format.hpp.

namespace netsync {

/// What was not taken because a limit was reached (see Limits), counted since the replica was made.
struct TurnedAway {
    std::uint64_t frames = 0;    ///< too large, too deep, too much memory to read
    std::uint64_t buffered = 0;  ///< frames that would have waited for others: gossip brings them again
    std::uint64_t replicas = 0;  ///< changes of one more origin than a version vector may have
    std::uint64_t states = 0;    ///< whole states
    std::uint64_t members = 0;   ///< introductions, and members only heard of
    std::uint64_t links = 0;
    std::uint64_t waiters = 0;
    std::uint64_t sends = 0;  ///< messages that a slow link had no room for

    friend bool operator==(const TurnedAway&, const TurnedAway&) = default;
};

/// A moment's view of a replica: copies, so it stays as it was.
struct Report {
    ReplicaId replica{};
    std::string name{};
    std::string pool{};
    std::uint16_t port = 0;
    JoinState state = JoinState::alone;
    std::vector<Member> members{};      ///< by id
    std::vector<Head> heads{};          ///< the version vector, by id
    std::vector<Retirement> retired{};  ///< who was given up for good, and by whom
    std::uint64_t pending = 0;          ///< changes held that some member, which is not stale, is not known to have
    std::size_t log_bytes = 0;          ///< of frames logged since the last snapshot
    std::size_t buffered_frames = 0;    ///< waiting for others
    std::size_t buffered_bytes = 0;
    std::size_t waiters = 0;                  ///< calls that wait for a change to be replicated
    std::uint64_t announcements_ignored = 0;  ///< of other pools or versions, or not understood
    Traffic traffic{};
    TurnedAway turned_away{};
    std::vector<SyncReport> syncs{};  ///< the latest ones, oldest first
    std::error_code store_error{};    ///< why updates are refused, if they are
};

/// What copy and protocol know; the replica adds the rest.
template <class Copy>
Report make_report(const Options& options, const Copy& copy, const Protocol<Copy>& protocol) {
    const Pool<Copy>& pool = protocol.pool();
    const Gossip<Copy>& gossip = protocol.gossip();
    Report report{.replica = copy.id(), .name = options.name, .pool = options.pool, .state = gossip.state()};
    for (const auto& [replica, member] : pool.members()) report.members.push_back(member);
    report.retired = copy.retirements().records();
    report.heads = copy.history().heads();
    report.pending = pending(copy.history(), pool.members());
    report.log_bytes = copy.log_bytes();
    report.buffered_frames = copy.buffer().size();
    report.buffered_bytes = copy.buffer().size_bytes();
    report.waiters = protocol.waiters();
    report.traffic = protocol.traffic;
    report.turned_away = {.frames = protocol.traffic.frames_too_large,
                          .buffered = copy.buffer().refused(),
                          .replicas = copy.origins_refused(),
                          .states = gossip.states_refused(),
                          .members = pool.members_refused(),
                          .links = pool.links_refused(),
                          .waiters = protocol.waiters_refused(),
                          .sends = protocol.traffic.sends_skipped};
    report.announcements_ignored = pool.announcements_ignored();
    report.syncs.assign(gossip.reports().begin(), gossip.reports().end());
    return report;
}

}  // namespace netsync

// ---- netsync/observe/derived.hpp ----

// netsync: local views, kept up to date from what was merged, never sent. Deltas come in, the view is what goes out.

namespace netsync {

/// A view that `Replica::derive` keeps. Copies share it; it may outlive the replica, and then stays as it was. Any
/// thread.
template <class View>
class Derived {
   public:
    /// Calls `f(const View&)` and returns its result; the view does not change meanwhile, and updates wait: be brief.
    template <class F>
    auto read(F&& f) const {
        const std::lock_guard lock{shared_->mutex};
        return f(std::as_const(shared_->view));
    }

    /// A copy.
    View get() const {
        return read([](const View& view) { return view; });
    }

   private:
    template <class T>
    friend class Derivations;

    struct Shared {
        explicit Shared(View initial) : view(std::move(initial)) {}
        std::mutex mutex;
        View view;
    };

    explicit Derived(View initial) : shared_(std::make_shared<Shared>(std::move(initial))) {}

    std::shared_ptr<Shared> shared_;
};

/// The views over one state. Every call is made under the replica's mutex.
template <class T>
class Derivations {
   public:
    bool empty() const noexcept { return entries_.empty(); }

    /// `f(view, now, delta)` brings the view up to date with `now`; only what `delta` mentions has changed. It is
    /// called at once with the whole state as the delta, and again from `initial` whenever a whole state was joined. It
    /// must not call the replica.
    template <class View, class F>
    Derived<View> add(const T& now, View initial, F f) {
        Derived<View> derived{initial};
        f(derived.shared_->view, now, now);
        entries_.push_back([weak = std::weak_ptr{derived.shared_}, initial = std::move(initial),
                            f = std::move(f)](const T& state, const T& delta, bool whole) mutable {
            const auto shared = weak.lock();
            if (!shared) return false;
            const std::lock_guard lock{shared->mutex};
            if (whole) shared->view = initial;
            f(shared->view, state, whole ? state : delta);
            return true;
        });
        return derived;
    }

    void update(const T& now, const T& delta, bool whole) {
        std::erase_if(entries_, [&](auto& refresh) { return !refresh(now, delta, whole); });
    }

   private:
    std::vector<std::function<bool(const T&, const T&, bool)>> entries_;
};

}  // namespace netsync

// ---- netsync/sync/batch.hpp ----

// netsync: several changes as one delta. Steps come in, each seeing those before it; their delta-group goes out.

namespace netsync {

/// A delta-group in the making (Almeida, Shoker, Baquero 2018): one frame, atomic at every replica. Each step is
/// checked, encoded and merged as it is made. Handed to the function given to `batch`; not for keeping. One thread.
template <crdt T>
class Batch {
   public:
    Batch(T& state, const CausalContext& seen, ReplicaIndex replica, std::uint64_t next_counter, Ntp64 time,
          const Limits& limits, bool watched)
        : state_(state), seen_(seen), minted_{replica, next_counter, next_counter - 1}, time_(time), limits_(limits),
          watched_(watched) {}

    /// One step, spelled as in Replica::update; a verb that is an rvalue gives its arguments away. A step that cannot be
    /// made (errc::not_owner, too_large, too_deep, not_utf8) is left out, and so is every one after it; those before it
    /// stand.
    template <class... Steps>
    void update(Steps&&... path_and_mutator) {
        step(false, std::forward<Steps>(path_and_mutator)...);
    }

    /// The same for the first step of a change that has no other: where nobody watches, the state takes its delta over.
    template <class... Steps>
    void update_alone(Steps&&... path_and_mutator) {
        step(!watched_, std::forward<Steps>(path_and_mutator)...);
    }

    /// The state with the steps so far.
    const T& state() const noexcept { return state_; }
    /// Why steps were left out, if any were.
    std::error_code error() const noexcept { return error_; }

    // What the frame is made of.
    const T& delta() const noexcept { return delta_; }
    ByteView encode(std::error_code& error) {
        if (steps_ > 1) {
            encoded_.restart(DotSpace{minted_, time_}, limits_.depth);
            error = encode_delta(encoded_, delta_, limits_);
        }
        return encoded_.view();
    }
    const DotRange& minted() const noexcept { return minted_; }
    const std::vector<Dot>& removed() const noexcept { return removed_; }
    Ntp64 time() const noexcept { return time_; }
    bool changed() const noexcept { return changed_ || !minted_.empty() || !removed_.empty(); }

   private:
    template <class... Steps>
    void step(bool alone, Steps&&... path_and_mutator) {
        assert(!taken_ && "netsync: after update_alone there is no other step");
        if (error_) return;
        Change change{minted_.replica, minted_.last + 1, time_};
        T delta = detail::update_at(std::as_const(state_), change, std::forward<Steps>(path_and_mutator)...);
        if (!permits(delta, change.owner())) return fail(errc::not_owner);
        if (steps_ == 0) {
            if (!fits(encoded_, change, delta)) return;
        } else {
            Output later;
            if (!fits(later, change, delta)) return;
        }
        take(change, std::move(delta), alone);
    }

    void fail(std::error_code error) { error_ = error; }

    /// Encodes one step; whether there is room for it.
    bool fits(Output& encoded, const Change& change, const T& delta) {
        encoded.restart(DotSpace{change.minted(), time_}, limits_.depth);
        std::error_code error = encode_delta(encoded, delta, limits_);
        const std::size_t ranges = (removed_.size() + change.removed().size()) * sizeof(CounterRange);
        if (!error && !limits_.fits_frame(size_ + encoded.size() + ranges, cost_ + encoded.cost() + ranges))
            error = errc::too_large;
        if (error) return fail(error), false;
        size_ += encoded.size();
        cost_ += encoded.cost();
        return true;
    }

    void take(const Change& change, T&& delta, bool alone) {
        CausalContext context = change.context();
        const OwnerId owner = change.owner();
        const Join join{.mine = seen_, .theirs = context, .origin = owner};
        changed_ |= alone ? merge(state_, std::move(delta), join) : merge(state_, delta, join);
        for (const Dot dot : change.removed())
            if (!minted_.contains(dot)) removed_.push_back(dot);
        minted_.last = change.minted().last;
        if (steps_++ == 0) {
            if (taken_ = alone; taken_) return;
            delta_ = std::move(delta);
            context_ = std::move(context);
        } else {
            merge(delta_, delta, Join{.mine = context_, .theirs = context, .target = Target::delta, .origin = owner});
            context_.merge(context);
        }
    }

    T& state_;
    const CausalContext& seen_;
    DotRange minted_;
    Ntp64 time_;
    const Limits& limits_;
    bool watched_;        // whether anybody asks for the delta
    bool taken_ = false;  // the delta went into the state
    T delta_{};
    Output encoded_;  // the first step; at the end, all of them
    CausalContext context_;
    std::vector<Dot> removed_;
    std::size_t size_ = 0;
    std::size_t cost_ = 0;
    std::size_t steps_ = 0;
    bool changed_ = false;
    std::error_code error_;
};

}  // namespace netsync

// ---- netsync/sync/exactness.hpp ----

// netsync: whether a merge is exact, so that all who hold the same changes come to the same state. What was forgotten, and
// who was waited for then, come in; whether a change or a state met all tombstones that it would have met elsewhere goes out.

namespace netsync {

/// Tombstones are dropped when every member has seen them (causal stability), so no change of a member can come later that
/// should have met one. It can of those who were no members: nobody knew them, or they had been given up. A view, for a call.
class Exactness {
   public:
    Exactness(const History& history, const Retirements& retirements) : history_(history), retirements_(retirements) {}

    /// Whether a change, whose time may lie in the past, was made without what was forgotten up to this cut. Where it would
    /// meet a tombstone, others would come to another result.
    bool is_beside(const Forgotten& cut, const FrameHeader& header) const {
        if (cut.empty() || !is_unheeded(header.origin)) return false;
        return retirements_.speak_of(header.origin) || cut.is_lacked_by(header.dependencies);
    }

    /// Whether a state brings changes that were not waited for when something was forgotten here. O(replicas).
    bool has_unheeded(const SnapshotHeader& theirs) const {
        return std::any_of(theirs.heads.begin(), theirs.heads.end(), [&](const Head& head) {
            return head.counter > history_.counter(head.replica) && is_unheeded(head.replica);
        });
    }

    /// Whether what is held, and a state, may be joined without either lacking tombstones that the other's changes should
    /// meet. O(replicas).
    bool may_join(const SnapshotHeader& theirs) const {
        if (!history_.forgotten().empty() && has_unheeded(theirs)) return false;
        const VersionVector& ours = history_.vector();
        return theirs.forgotten.empty() ||
               std::none_of(ours.begin(), ours.end(), [&](const VersionVector::Entry& entry) {
                   const ReplicaId& replica = id_of(entry.replica);
                   const std::uint64_t known = counter_in(theirs.heads, replica);
                   return entry.counter > known && (known == 0 || retirements_.speak_of(replica));
               });
    }

    /// Whether these changes may follow a state: those of whom it knows nothing had seen what was forgotten in it. Those of
    /// `self` are issued again. O(frames x replicas).
    bool may_follow(const std::vector<Frame>& frames, const SnapshotHeader& theirs, const ReplicaId& self) const {
        if (theirs.forgotten.empty()) return true;
        const Forgotten cut = theirs.dropped();
        return std::none_of(frames.begin(), frames.end(), [&](const Frame& frame) {
            const FrameHeader& header = frame.header();
            const std::uint64_t known = counter_in(theirs.heads, header.origin);
            if (header.first != known + 1 || header.origin == self) return false;
            return retirements_.speak_of(header.origin) || (known == 0 && cut.is_lacked_by(header.dependencies));
        });
    }

   private:
    /// Whether more of a replica may be news that was not waited for.
    bool is_unheeded(const ReplicaId& origin) const {
        return history_.counter(origin) == 0 || retirements_.speak_of(origin);
    }

    const History& history_;
    const Retirements& retirements_;
};

}  // namespace netsync

// ---- netsync/sync/aside.hpp ----

// netsync: long work without the replica's mutex. A copy of what is held goes in; meanwhile others read and write.

namespace netsync {

/// Does work that would keep others waiting: `aside(f)` calls `f` with the mutex free and takes it again. `f` may touch
/// copies only; what is held may have changed when it returns. For the thread that brings the transport's events, which
/// holds the mutex once and has no other event to handle meanwhile. Without a mutex, `f` is just called.
class Aside {
   public:
    Aside() = default;
    explicit Aside(std::mutex& mutex) : mutex_(&mutex) {}

    template <class F>
    void operator()(F&& f) const {
        if (!mutex_) return std::forward<F>(f)();
        const Free free{*mutex_};
        std::forward<F>(f)();
    }

   private:
    struct Free {
        explicit Free(std::mutex& held) : mutex(held) { mutex.unlock(); }
        ~Free() { mutex.lock(); }
        Free(const Free&) = delete;
        Free& operator=(const Free&) = delete;
        std::mutex& mutex;
    };

    std::mutex* mutex_ = nullptr;
};

}  // namespace netsync

// ---- netsync/sync/durability.hpp ----

// netsync: "is it on disk yet?". Commits begin and end, at once or later; those who wait for one hear of it.

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

// ---- netsync/sync/staging.hpp ----

// netsync: the store as a copy uses it: what it will not take now waits, in order, and commits come one at a time. Frames
// and small operations come in; that they are durable goes out.

namespace netsync {

/// Nothing is left out where a store fails: that waits here until it works again. One thread.
template <store Store>
class Staging {
   public:
    explicit Staging(Store store) : store_(std::move(store)) {}

    Store& store() noexcept { return store_; }
    const Store& store() const noexcept { return store_; }
    std::error_code error() const noexcept { return error_; }

    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const {
        if constexpr (asynchronous_store<Store>)
            if (!error_ && store_.is_behind()) return errc::store_behind;
        return error_;
    }

    /// Begins, or begins anew, once the store was read; true if all of it was. Else the next call or event tries to open it.
    bool begin() {
        unstaged_.clear();
        const std::error_code error = opening_error(store_);
        if (error) error_ = error;
        uncommitted_ = error || reopening_store<Store>;
        return !error;
    }

    /// What was staged while opening.
    void open() {
        if (uncommitted_ || asynchronous_store<Store>) uncommitted_ = static_cast<bool>(error_ = store_.commit());
        if (!uncommitted_) undurable_ = {};
    }

    /// `before`: the hash of its origin's history before it.
    std::error_code append(const Frame& frame, std::uint64_t before) {
        if constexpr (asynchronous_store<Store>)
            undurable_.add({frame.header().origin, frame.header().first - 1, before});
        if (unstaged_.empty()) {  // without a copy, which costs more than the rest
            uncommitted_ = true;
            if (!told(store_.append(frame))) return {};
        }
        return put([frame](Store& store) { return store.append(frame); });
    }

    /// Does something to the store, or keeps it for when the store works again: in order, and nothing is left out.
    template <class F>
    std::error_code stage(F&& operation) {
        if constexpr (asynchronous_store<Store>) undurable_.add_more();
        return put(std::forward<F>(operation));
    }

    /// Stages a small value for the next commit.
    template <class T>
    void keep(const char* key, const T& value) {
        stage([key, value](Store& store) { return keep_value(store, key, value); });
    }
    /// The same for what others may be told of before it is durable.
    template <class T>
    void keep_in_the_open(const char* key, const T& value) {
        put([key, value](Store& store) { return keep_value(store, key, value); });
    }

    /// Makes what was staged durable, and with it this replica's own changes up to `counter`: now, or, where the store does
    /// that on a thread of its own, with `on_committed` to follow.
    std::error_code flush(std::uint64_t counter, const std::function<void(std::error_code)>& on_committed,
                          Notifications& notifications) {
        if (!uncommitted_ || is_committing()) return error_;
        if constexpr (asynchronous_store<Store>) {
            if (std::exchange(just_failed_, false)) return error_;  // the next call or event tries again
            const std::error_code before = error_;
            if (catch_up()) return error_;
            error_ = before;  // until it is known to work again
            uncommitted_ = false;
            durability_.begin(counter);
            undurable_.begin_commit();
            store_.commit_later(on_committed);
        } else {
            static_cast<void>(on_committed);
            durability_.begin(counter);
            if (!catch_up() && !(error_ = store_.commit())) uncommitted_ = false;
            durability_.end(error_, notifications);
        }
        return error_;
    }
    bool is_committing() const noexcept { return durability_.is_committing(); }

    /// What became of the commit under way.
    void committed(std::error_code error, Notifications& notifications) {
        error_ = error;
        just_failed_ = static_cast<bool>(error);
        uncommitted_ = uncommitted_ || just_failed_;
        undurable_.end_commit(!error);
        durability_.end(error, notifications);
    }

    /// Calls `f(error)` when this replica's changes up to `counter` are durable, or could not be made so.
    [[nodiscard]] Subscription await(std::uint64_t counter, Durability::Answer f, Notifications& notifications) {
        return durability_.await(counter, uncommitted_, std::move(f), notifications);
    }

    /// Whether a change that the store holds is durable. Where commits take no time all that waits to be sent is.
    bool is_durable(const ReplicaId& origin, std::uint64_t counter) const {
        return !undurable_.contains(origin, counter);
    }
    /// Where the histories stand as far as they are durable: see Undurable. Nothing for a store whose commits take no time.
    std::optional<std::vector<Head>> durable(const std::vector<Head>& heads) const {
        if constexpr (asynchronous_store<Store>) return undurable_.heads_without(heads);
        static_cast<void>(heads);
        return std::nullopt;
    }
    /// The commit with which all that there is now is durable, and whether it has been made.
    std::uint64_t commit_of_all() const noexcept { return durability_.commit_of_all(uncommitted_); }
    bool is_durable_with(std::uint64_t commit) const noexcept { return durability_.has_succeeded(commit); }

    /// This replica's counters begin anew.
    void begin_anew() noexcept { durability_.begin_anew(); }

    /// All is durable that can be, and the store calls nobody any more. Without the replica's mutex.
    void close() {
        if constexpr (asynchronous_store<Store>) static_cast<void>(store_.commit());
    }

   private:
    template <class F>
    std::error_code put(F&& operation) {
        uncommitted_ = true;
        if (unstaged_.empty() && !told(operation(store_))) return {};
        unstaged_.push_back(std::forward<F>(operation));
        return error_;
    }

    /// What staging says of the store: that it works, unless only the next commit can tell.
    std::error_code told(std::error_code error) {
        if (error || !asynchronous_store<Store>) error_ = error;
        return error;
    }

    /// Gives the store what it would not take before.
    std::error_code catch_up() {
        error_ = {};
        if (unstaged_.empty()) return error_;
        std::size_t done = 0;
        while (done < unstaged_.size() && !(error_ = unstaged_[done](store_))) ++done;
        unstaged_.erase(unstaged_.begin(), unstaged_.begin() + static_cast<std::ptrdiff_t>(done));
        return error_;
    }

    Store store_;
    Durability durability_;
    Undurable undurable_;
    bool uncommitted_ = false;
    bool just_failed_ = false;
    std::vector<std::function<std::error_code(Store&)>> unstaged_;  // for a store that works again
    std::error_code error_;
};

}  // namespace netsync

// ---- netsync/sync/logged_content.hpp ----

// netsync: what a replica holds, and what its store keeps of it: a snapshot, and the frames after it. Frames and states come
// in; they are held and staged together, so that what a restart finds is what was held.

namespace netsync {

/// The content of one replica with its log. Long work is done aside, on copies: what is changed meanwhile comes in after
/// it. Every call is made under the replica's mutex.
template <store Store, crdt CrdtType>
class LoggedContent {
   public:
    LoggedContent(const Limits& limits, Store store) : staging(std::move(store)), limits_(limits) {}

    const Store& store() const noexcept { return staging.store(); }
    const History& history() const noexcept { return held.history; }

    /// Reads what the store holds, as far as it goes, in the place of what is held.
    void read() {
        held = {};
        log_bytes_ = 0;
        if (const SharedBytes bytes = store().snapshot())
            if (auto snapshot = decode_snapshot<CrdtType>(*bytes, limits_))
                static_cast<void>(held.join(*std::move(snapshot)));
        in_snapshot_ = history().vector();
        store().replay([&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, limits_)) replay(*frame);
            return true;
        });
        held.history.recall(open_value<std::vector<Head>>(store(), "recent"));
    }

    /// A frame of the log: at the opening, or after a state that came in the place of ours. True if it goes on from what is
    /// held.
    bool replay(const Frame& frame) {
        log_bytes_ += frame.size_bytes();
        return held.replay(frame, limits_);
    }

    /// 4: the log and the version vector derived from it move together. `before`: the hash of its origin's history before it.
    std::error_code log(const Frame& frame, std::uint64_t before) {
        if (meanwhile_) meanwhile_->push_back(frame);
        if (may_change_) *may_change_ -= std::min(*may_change_, frame.header().count);
        log_bytes_ += frame.size_bytes();
        return staging.append(frame, before);
    }

    /// The frames of the log, in its order.
    std::vector<Frame> logged() const {
        std::vector<Frame> frames;
        store().replay([&](const SharedBytes& bytes) {
            if (Result<Frame> frame = Frame::parse(bytes, limits_)) frames.push_back(*std::move(frame));
            return true;
        });
        return frames;
    }

    /// Whether all that a replica made beyond `counter`, and that is held, is in the log still.
    bool has_logged_beyond(std::uint64_t counter, const ReplicaId& replica) const {
        bool logged = counter >= held.history.counter(replica);
        if (!logged)
            static_cast<void>(store().frames({replica, counter + 1, counter + 1}, [&](const SharedBytes& bytes) {
                const Result<Frame> frame = Frame::parse(bytes, limits_);
                logged = frame && frame->header().first <= counter + 1;
                return false;
            }));
        return logged;
    }

    /// Changes what is held by `work(held)`, on a copy and aside; what is changed here meanwhile comes in after that.
    /// Gives what was held before; nothing changes where `work` says no.
    template <class F>
    std::optional<Content<CrdtType>> change_aside(F&& work) {
        Content<CrdtType> changed = held;
        bool done = false;
        meanwhile_.emplace();
        aside([&] {
            done = work(changed);
            if (!done) changed = {};
        });
        for (int rounds = 0; done && meanwhile_->size() > few_frames && rounds < catch_up_rounds; ++rounds) {
            const std::vector<Frame> frames = std::exchange(*meanwhile_, {});
            aside([&] { merge_own(frames, changed); });
        }
        const std::vector<Frame> frames = *std::exchange(meanwhile_, std::nullopt);
        if (!done) return std::nullopt;
        merge_own(frames, changed);
        return std::exchange(held, std::move(changed));
    }

    /// What is held now, for those who take the whole of it.
    Result<EncodedState> encode() const { return encode_aside(0); }
    /// The same for those who keep it: twice the time, and little more memory than the bytes themselves.
    Result<EncodedState> encode_frugally() {
        const std::size_t logged = log_bytes_;
        std::size_t size = 0;
        may_change_ = few_changes;
        Content<CrdtType> copy = held;  // let go of on the way: what is changed before its turn is held twice
        aside([&] {
            size = std::move(copy).size_encoded(limits_);
            copy = {};
        });
        may_change_ = few_changes;
        Result<EncodedState> encoded = encode_aside(size + size / 64 + (log_bytes_ - std::min(logged, log_bytes_)));
        may_change_.reset();
        return encoded;
    }

    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const {
        if constexpr (asynchronous_store<Store>)
            if (may_change_ == 0u) return errc::store_behind;
        return staging.refusal();
    }

    /// Where the store will not take it now, it is given it later, before what comes after.
    void keep_snapshot(const EncodedState& encoded) {
        snapshot_bytes_ = encoded.bytes->size();
        in_snapshot_ = {};
        for (const Head& head : encoded.heads) in_snapshot_.advance(intern(head.replica), head.counter);
        staging.keep_in_the_open("recent", history().recent(few_points));  // that the log does not tell any more
        staging.stage(
            [snapshot = encoded.bytes, heads = encoded.heads](Store& store) { return store.adopt(snapshot, heads); });
    }

    /// Takes a snapshot and lets go of the frames up to `seen`, which every member has that is to be waited for.
    std::error_code compact(const std::vector<ReplicaCounter>& seen) {
        const std::size_t covered = log_bytes_;
        const Result<EncodedState> encoded = encode_frugally();
        if (!encoded) return encoded.error();
        keep_snapshot(*encoded);
        log_bytes_ -= covered;
        return staging.stage([seen](Store& store) { return store.cut(seen); });
    }

    /// The log begins anew, behind this snapshot.
    void restart_log(const EncodedState& encoded) {
        staging.begin_anew();
        keep_snapshot(encoded);
        log_bytes_ = 0;
    }

    /// Whether a state and the frames of the log make what both hold: then it is kept as it came, and not encoded again.
    /// So where what the last snapshot held is in it, and of each origin it holds as much as is held here, or nothing.
    bool is_completed_by_log(const SnapshotHeader& theirs) const {
        const auto holds = [&](const Head& head, bool none) {
            for (const Head& other : theirs.heads)
                if (other.replica == head.replica) return other == head;
            return none;
        };
        const std::vector<Head> heads = history().heads();
        return theirs.reissues.empty() && history().reissues().empty() && history().forgotten().empty() &&
               theirs.lineage == history().lineage() && std::all_of(heads.begin(), heads.end(), [&](const Head& head) {
                   return holds(head, in_snapshot_.counter(find_index(head.replica)) == 0);
               });
    }

    /// Bytes of frames logged since the last snapshot.
    std::size_t log_bytes() const noexcept { return log_bytes_; }
    std::size_t snapshot_bytes() const noexcept { return snapshot_bytes_; }

    Content<CrdtType> held;  ///< what is merged into it is logged, or kept in a snapshot
    Staging<Store> staging;
    Aside aside;  ///< how work on a whole state is done

   private:
    /// `expected`: its size, about; 0 where memory does not matter.
    Result<EncodedState> encode_aside(std::size_t expected) const {
        Result<EncodedState> encoded = EncodedState{};
        Content<CrdtType> copy = held;
        aside([&] {
            encoded = std::move(copy).encode(limits_, expected);
            copy = {};
        });
        return encoded;
    }

    /// Frames that were made here.
    void merge_own(const std::vector<Frame>& frames, Content<CrdtType>& into) const {
        for (const Frame& frame : frames)
            if (const Result<CrdtType> delta = frame.template delta<CrdtType>(limits_))
                into.merge(frame, intern(frame.header().origin), *delta);
    }

    static constexpr std::size_t few_frames = 64;
    static constexpr std::size_t few_points = 256;
    static constexpr std::uint64_t few_changes = 4096;  // some MiB, where each is of another element
    static constexpr int catch_up_rounds = 8;

    const Limits& limits_;
    std::optional<std::vector<Frame>> meanwhile_;  // what is changed while a copy of what is held is changed aside
    std::optional<std::uint64_t> may_change_;      // while a copy is encoded frugally: how many dots more
    std::size_t log_bytes_ = 0;
    std::size_t snapshot_bytes_ = 0;
    VersionVector in_snapshot_;  // what the last snapshot holds; the rest is in the log
};

}  // namespace netsync

// ---- netsync/sync/local_copy.hpp ----

// netsync: the data of one replica: its state, its log and its clock. Local changes come in and go out as frames
// (stages 1 to 4); frames and states of others come in and are merged (stage 9). Merge is the only thing that changes
// the state.

namespace netsync {

/// A change that was merged, as observers get it.
template <crdt CrdtType>
struct Merged {
    CrdtType delta;
    ChangeInfo info;
};

/// What became of a frame that was received, and of those that waited for it.
struct Received {
    std::size_t applied = 0;    ///< merged now
    bool held = false;          ///< waits for what it depends on
    bool duplicate = false;     ///< seen before
    std::error_code refused{};  ///< not merged, not counted as received: clock_drift is for now, the rest for good
};

/// Sans-IO but for its Store and Clock policies; every call is made under the replica's mutex.
template <store Store, clock Clock, crdt CrdtType>
class LocalCopy {
   public:
    LocalCopy(const Options& options, Store store, Clock clock, detail::Random& random)
        : options_(options), kept_(options.limits, std::move(store)), clock_(std::move(clock)),
          buffer_(options.limits.buffered_frames, options.limits.buffered_bytes) {
        load(random);
        if (open_) kept_.staging.open();
    }

    /// Whether all that the store holds was read. Else nothing is changed, and none of it may be told to others: it could
    /// be known to them as more.
    bool is_open() const noexcept { return open_; }
    /// Whether it can be read now, and was not.
    bool is_to_be_read() const noexcept { return !open_ && !is_committing() && !store_error(); }
    /// Reads it, from the beginning.
    void read_again(detail::Random& random) {
        retirements_ = {};
        load(random);
        observe(kept_.held.state, {ReplicaId{}, history().time(), false, true});
    }

    /// How long work is done: see Aside.
    void work_aside(const Aside& aside) { kept_.aside = aside; }

    const ReplicaId& id() const noexcept { return id_of(self_); }  // any thread
    const CrdtType& state() const noexcept { return kept_.held.state; }
    const History& history() const noexcept { return kept_.history(); }
    const Content<CrdtType>& held() const noexcept { return kept_.held; }
    const CausalBuffer<Frame>& buffer() const noexcept { return buffer_; }
    const Retirements& retirements() const noexcept { return retirements_; }
    const Store& store() const noexcept { return kept_.store(); }
    Ntp64 now() const { return clock_.now(); }
    const Options& options() const noexcept { return options_; }

    /// How much of a replica's changes is held. O(log replicas).
    std::uint64_t counter(const ReplicaId& origin) const { return history().counter(origin); }

    /// What of it was there when its store was opened: a copy of the store has that too, and nothing of what came after.
    std::uint64_t opened() const noexcept { return opened_; }

    /// What this replica has made so far.
    ReplicaCounter frontier() const { return {id(), history().counter(self_)}; }

    /// 1, 2: `steps(batch)` makes one change, merged as it is made. 3, 4: it becomes a frame in the log, and is handed to
    /// `publish(frame)`. No frame where nothing changed. An error says why steps were left out, or that the log failed.
    template <class F, class G>
    std::error_code change(F&& steps, G&& publish) {
        const Head before = history().head(id());
        Batch<CrdtType> batch{kept_.held.state, history().context(), self_,       before.counter + 1,
                              clock_.tick(),    options_.limits,     is_watched()};
        steps(batch);
        std::error_code error = batch.error();
        if (!batch.changed()) return error;
        FrameHeader said;
        said.count = std::max<std::uint64_t>(1, batch.minted().size());
        said.time = batch.time();
        if (!batch.removed().empty()) said.removed = to_counter_ranges(batch.removed());
        std::error_code unsendable;
        const Frame frame = issuing_.make(history(), self_, before, std::move(said), batch.encode(unsendable));
        assert(!unsendable && "a delta-group is no larger than its steps, and each of them was encoded");
        if (unsendable) error = unsendable;
        kept_.held.advance(frame, self_);
        if (const std::error_code failed = kept_.log(frame, before.hash)) error = failed;
        if (is_watched()) observe(batch.delta(), {id(), batch.time(), true, false});
        publish(frame);
        return error;
    }

    /// 8: seen? Drop. A gap? Hold. 9: else it is merged, and with it all that waited for it.
    Received receive(const Frame& frame) {
        Received result;
        switch (buffer_.offer(frame, history().vector())) {
        case Arrival::duplicate:
            result.duplicate = true;
            if (is_forked(frame)) result.refused = errc::forked;
            return result;
        case Arrival::held: result.held = true; break;
        case Arrival::refused: result.refused = errc::too_large; return result;
        case Arrival::ready: count(apply(frame), result); break;
        }
        drain(result);
        return result;
    }

    /// Whether a state brings changes of somebody new, which may have met what was forgotten here.
    bool displaces(const SnapshotHeader& header) const {
        return !forgotten_.empty() && exactness().has_unheeded(header);
    }

    /// A whole state of another replica: joined under its own context, and kept as a snapshot of what both held. One that
    /// displaces what is held takes its place; what is held beyond follows from the log.
    std::error_code adopt(Bytes bytes) {
        const Result<SnapshotHeader> header = check(bytes);
        if (!header) return header.error();
        const bool in_place = displaces(*header);
        if (in_place && forgotten_.is_lacked_by(header->heads)) return errc::outdated;
        const std::vector<Frame> beyond = in_place ? kept_.logged() : std::vector<Frame>{};
        const bool exact = in_place ? exactness().may_follow(beyond, *header, id()) : exactness().may_join(*header);
        const bool as_received = in_place ? beyond.empty() : exact && kept_.is_completed_by_log(*header);
        const std::uint64_t own_way = this->own_way();
        bool changed = false;
        Result<EncodedState> joined = EncodedState{};
        auto before = kept_.change_aside([&](Content<CrdtType>& held) {
            const VersionVector seen = held.history.vector();
            const std::vector<Head> recent = held.history.recent();
            if (in_place) held = {};
            const Result<bool> rose = held.join(bytes, *header, options_.limits, exact);
            if (!rose) return joined = rose.error(), false;
            changed = *rose;
            held.history.recall(recent);
            for (const Frame& frame : beyond) held.replay(frame, options_.limits);
            if (in_place && !exact) held.history.branch(own_way);
            if (!held.history.vector().includes(seen)) return joined = errc::outdated, false;
            joined = as_received ? Result<EncodedState>{{SharedBytes{std::move(bytes)}, 0, header->heads}}
                                 : held.encode(options_.limits);
            return static_cast<bool>(joined);
        });
        if (!before) return joined.error();
        if (in_place) forget_nothing();
        issuing_.vector_rose();
        kept_.keep_snapshot(*joined);
        keep_lineage();
        kept_.aside([&] { before.reset(); });  // what nobody shares is let go of here
        Received waited;
        drain(waited);
        if (changed) observe(kept_.held.state, {ReplicaId{}, header->time, false, true});
        return {};
    }

    /// Where the histories of a state that was taken stood lately, as its giver says.
    void recall(const std::vector<Head>& points) { kept_.held.history.recall(points); }

    // What all have seen.

    /// Forgets what only those need that have not seen it: `stable` is what every member has seen that is not retired.
    void forget(const VersionVector& stable) {
        auto before = kept_.change_aside([&](Content<CrdtType>& held) {
            const bool dropped = drop_stable(held.state, stable);
            if (dropped) held.history.forget(stable);
            return dropped;
        });
        if (!before) return;
        kept_.aside([&] { before.reset(); });
        forgotten_.add(stable);
        keep("forgotten", forgotten_.counters());
        settle();
    }
    /// Whether anything was forgotten, here or where a state came from: a change made without having seen it, whose stamp
    /// may be older, is then issued again.
    bool is_settled() const noexcept { return settled_; }
    void settle() {
        if (!std::exchange(settled_, true)) keep("settled", true);
    }

    /// Changes refused because their origins would be too many.
    std::uint64_t origins_refused() const noexcept { return origins_refused_; }

    // The log, and what is kept of it.

    std::size_t log_bytes() const noexcept { return kept_.log_bytes(); }
    std::size_t snapshot_bytes() const noexcept { return kept_.snapshot_bytes(); }
    Result<EncodedState> encode() const { return kept_.encode(); }
    std::error_code compact(const std::vector<ReplicaCounter>& seen) { return kept_.compact(seen); }

    /// A store that found damage in what it had written is given all that is held, anew.
    void heal_store() {
        if (!open_ || is_committing() || store_error() != errc::store_damaged) return;
        if (const Result<EncodedState> encoded = kept_.encode_frugally()) kept_.keep_snapshot(*encoded);
    }

    // Who is gone, and who this replica is.

    /// Records of others, or of this replica.
    void retire(const std::vector<Retirement>& records) {
        if (retirements_.merge(records, options_.limits.replicas)) keep("retired", retirements_.records());
    }

    /// What is held of the histories of replicas, to be compared with what others hold.
    Fork<Store> fork() const { return {kept_.store(), history(), options_.limits}; }

    /// The incarnation to come, where this one cannot go on: kept, so that a restart goes on with it. Nil: none.
    const ReplicaId& successor() const noexcept { return successor_; }
    const ReplicaId& plan_successor(detail::Random& random) {
        successor_ = ReplicaId{id().owner_bits, random.next()};
        keep("successor", successor_);
        return successor_;
    }

    /// Whether all that others made and that is held here is held where this state comes from.
    bool holds_of_others(const SnapshotHeader& header) const {
        VersionVector theirs;
        for (const Head& head : header.heads) theirs.advance(intern(head.replica), head.counter);
        theirs.advance(self_, counter(id()));
        return theirs.includes(history().vector());
    }

    /// Whether all that this replica made and that a state lacks is in the log still.
    bool can_issue_again(const SnapshotHeader& header) const {
        return kept_.has_logged_beyond(counter_in(header.heads, id()), id());
    }

    /// This incarnation is over: what is held becomes the join with the pool's state, and this replica's own changes that the
    /// pool has not seen are issued again under its successor, with new dots and a fresh timestamp (an old one could meet a
    /// tombstone that some have forgotten). They say what they were before, for those who have seen that. Where
    /// tombstones were forgotten the log goes: what the pool lacks of third parties then travels as a state, not as frames that
    /// each would judge by the tombstones that it still has.
    Result<Succession> succeed(ByteView bytes) {
        Result<Snapshot<CrdtType>> theirs = read(bytes);
        if (!theirs) return theirs.error();
        const std::uint64_t known = counter_in(theirs->heads, id());
        const bool exact = exactness().may_join(*theirs);
        static_cast<void>(kept_.held.join(*std::move(theirs), exact));
        std::vector<Frame> again;
        for (Frame& frame : kept_.logged())
            if (frame.header().origin == id() && frame.header().last() > known) again.push_back(std::move(frame));
        if (settled_) kept_.staging.stage([](Store& store) { return store.clear(); });
        return take_successor(again, max_counter, {});
    }

    /// The same where what is held cannot be joined: there is another history of this replica beyond `parted`, or what was
    /// forgotten here must come back. The pool's state takes its place; of the log follows what still can. Where that
    /// does not hold yet what is to be issued again removes: std::errc::resource_unavailable_try_again, unless `now`.
    /// `others`: up to where other histories go on as they were here.
    Result<Succession> succeed_in_place(ByteView bytes, std::optional<std::uint64_t> parted,
                                        const std::vector<Parted>& others, bool now) {
        Result<Snapshot<CrdtType>> theirs = read(bytes);
        if (!theirs) return theirs.error();
        return succeed_in_place(*std::move(theirs), parted, others, now, false);
    }

    /// The same where nobody gives a state: what is held here, without what this replica made beyond `parted`. False where
    /// the log does not tell what that is.
    bool succeed_alone(std::uint64_t parted) {
        const SharedBytes kept = kept_.store().snapshot();
        Result<Snapshot<CrdtType>> ours = kept ? read(*kept) : Snapshot<CrdtType>{};
        return ours && counter_in(ours->heads, id()) <= parted &&
               succeed_in_place(*std::move(ours), parted, {{id(), parted, {}}}, false, true);
    }

    /// The new incarnation begins with what is here: for the first of a pool of which nobody else has more.
    void go_on() {
        self_ = intern(successor_);
        opened_ = 0;
        issuing_.restart();
        kept_.staging.begin_anew();
        successor_ = {};
        keep("replica", id());
        keep("successor", successor_);
    }

    /// Where a change is now that this token stood for.
    ReplicaCounter resolve(const ReplicaCounter& token) const { return successions_.resolve(token); }

    /// Makes what was logged durable: now, or, where the store does that on a thread of its own, with `on_committed` to
    /// follow. Until it succeeds nothing of it may be seen by a peer.
    std::error_code flush() { return kept_.staging.flush(history().counter(self_), on_committed, notifications); }
    bool is_committing() const noexcept { return kept_.staging.is_committing(); }
    /// What became of the commit under way.
    void committed(std::error_code error) { kept_.staging.committed(error, notifications); }
    /// Calls `f(error)` when this change is durable, or could not be made so; see Replica::on_durable.
    [[nodiscard]] Subscription await_durable(const ReplicaCounter& token, Durability::Answer f) {
        const ReplicaCounter now = resolve(token);
        return kept_.staging.await(now.replica == id() ? now.counter : max_counter, std::move(f), notifications);
    }
    /// What may be told of while a commit is under way: see Staging.
    bool is_durable(const ReplicaId& origin, std::uint64_t counter) const {
        return kept_.staging.is_durable(origin, counter);
    }
    std::optional<std::vector<Head>> durable_heads() const { return kept_.staging.durable(history().heads()); }
    std::uint64_t commit_of_all() const noexcept { return kept_.staging.commit_of_all(); }
    bool is_durable_with(std::uint64_t commit) const noexcept { return kept_.staging.is_durable_with(commit); }
    /// All is durable that can be, and the store calls nobody any more. Without the replica's mutex.
    void close() { kept_.staging.close(); }
    std::error_code store_error() const noexcept { return kept_.staging.error(); }
    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const { return kept_.refusal(); }
    /// Stages a small value for the next commit.
    template <class T>
    void keep(const char* key, const T& value) {
        kept_.staging.keep(key, value);
    }
    template <class T>
    void keep_in_the_open(const char* key, const T& value) {
        kept_.staging.keep_in_the_open(key, value);
    }

    std::function<void(std::error_code)> on_committed;  ///< called by a store that commits on its own thread
    Observers<Merged<CrdtType>> changes;
    Derivations<CrdtType> derivations;
    Notifications notifications;

   private:
    void load(detail::Random& random) {
        const Store& opened = kept_.store();
        const ReplicaId kept = kept_identity(opened, options_);
        if (!kept.is_nil() || opening_error(opened))
            self_ = intern(kept.is_nil() ? nobody_yet(options_) : kept);
        else
            self_ = intern(new_incarnation(options_, random));
        successor_ = open_value<ReplicaId>(opened, "successor");
        settled_ = open_value<bool>(opened, "settled");
        forgotten_ = Forgotten::of(open_value<std::vector<ReplicaCounter>>(opened, "forgotten"));
        retirements_.merge(open_value<std::vector<Retirement>>(opened, "retired"), options_.limits.replicas);
        kept_.read();
        kept_.held.history.forget(forgotten_);
        kept_lineage_ = open_value<std::uint64_t>(opened, "lineage");
        kept_.held.history.set_lineage(kept_lineage_);
        issuing_.restart();  // the log need not tell what this replica's last frame depended on
        clock_.restore(history().time());
        opened_ = history().counter(self_);
        open_ = kept_.staging.begin();
        if (open_ && kept.is_nil()) keep("replica", id());
    }

    /// What waited and is ready now.
    void drain(Received& result) {
        while (const std::optional<Frame> next = buffer_.take(history().vector())) count(apply(*next), result);
        drop_damaged();
    }

    static void count(std::error_code refused, Received& result) {
        if (refused)
            result.refused = refused;
        else
            ++result.applied;
    }

    /// A frame's hash is checked as soon as its predecessor is in, even if it still waits for others.
    void drop_damaged() {
        if (buffer_.size() == 0) return;
        buffer_.drop_next_if(history().vector(), [&](const Frame& frame) {
            const ReplicaIndex origin = find_index(frame.header().origin);
            return !frame.continues(origin == ReplicaIndex{} ? 0 : history().hash(origin));
        });
    }

    bool is_forked(const Frame& frame) const {
        const FrameHeader& header = frame.header();
        const ReplicaIndex origin = find_index(header.origin);
        return header.last() == history().counter(origin) && header.hash != history().hash(origin);
    }

    Exactness exactness() const { return {history(), retirements_}; }

    /// What its way is named by where this replica's state goes its own.
    std::uint64_t own_way() const noexcept { return id().owner_bits ^ id().incarnation ^ history().counter(self_); }
    void keep_lineage() {
        if (history().lineage() != std::exchange(kept_lineage_, history().lineage())) keep("lineage", kept_lineage_);
    }

    void forget_nothing() {
        forgotten_ = {};
        keep("forgotten", std::vector<ReplicaCounter>{});
    }

    /// The first change of a history that does not stay, where nothing is known of the other.
    void mark_other(const FrameHeader& first, const std::vector<Parted>& parted) {
        for (const Parted& other : parted)
            if (other.replica == first.origin && other.mark) return;
        kept_.held.history.mark({first.origin, first.first - 1, 0, first.last(), first.hash, first.time, false});
    }

    Result<Snapshot<CrdtType>> read(ByteView bytes) {
        if (const Result<SnapshotHeader> header = check(bytes); !header) return header.error();
        return decode_snapshot<CrdtType>(bytes, options_.limits);
    }

    /// `alone`: all that others made must be held then.
    Result<Succession> succeed_in_place(Snapshot<CrdtType> theirs, std::optional<std::uint64_t> parted,
                                        const std::vector<Parted>& others, bool now, bool alone) {
        std::vector<Frame> logged = kept_.logged();
        const bool exact = exactness().may_follow(logged, theirs, id());
        Content<CrdtType> before = std::exchange(kept_.held, {});
        static_cast<void>(kept_.held.join(std::move(theirs)));
        const auto goes = [&](const ReplicaId& replica, std::uint64_t counter) {  // with a history that does not stay
            return std::any_of(others.begin(), others.end(), [&](const Parted& other) {
                return other.replica == replica && other.counter < counter;
            });
        };
        kept_.held.history.recall(before.history.recent(),
                                  [&](const Head& point) { return !goes(point.replica, point.counter); });
        if (!exact) kept_.held.history.branch(own_way());
        const std::uint64_t limit = parted.value_or(counter(id()));
        const Branches branches{logged, others, id()};
        std::vector<Frame> again;
        for (Frame& frame : logged) {
            const FrameHeader& header = frame.header();
            const bool own = header.origin == id();
            const bool over = goes(header.origin, header.last());
            const bool mistaken = branches.concern(header.removed);  // whoever took it so removed something else
            if (!over && !mistaken && (!own || (header.last() <= limit && again.empty())) && kept_.replay(frame))
                issuing_.vector_rose();
            if (own && (mistaken || !again.empty() || header.last() > std::min(limit, counter(id()))))
                again.push_back(std::move(frame));
        }
        bool whole =
            counter(id()) >= std::min(limit, before.history.counter(id()));  // else another state may have more
        for (const VersionVector::Entry& entry : before.history.vector())
            whole = whole && (!alone || entry.replica == self_ || history().counter(entry.replica) >= entry.counter);
        if (!now && !(whole && all_of_removed_held(again, history(), id(), branches))) {
            kept_.held = std::move(before);
            return std::make_error_code(std::errc::resource_unavailable_try_again);
        }
        for (const Parted& other : others)
            if (other.mark) kept_.held.history.mark(*other.mark);
        if (parted && !again.empty()) mark_other(again.front().header(), others);
        forget_nothing();
        buffer_.clear();
        kept_.staging.stage([](Store& store) { return store.clear(); });
        return take_successor(again, parted.value_or(max_counter), branches);
    }

    /// The new incarnation begins: with a snapshot of what is held, and with its unseen changes. `shared`: up to where
    /// nobody has another change under its name.
    Result<Succession> take_successor(const std::vector<Frame>& again, std::uint64_t shared, const Branches& branches) {
        const Result<EncodedState> encoded = kept_.held.encode(options_.limits);
        if (!encoded) return encoded.error();
        const Succession succession{id(), again.empty() ? max_counter : again.front().header().first - 1, successor_};
        self_ = intern(successor_);
        opened_ = 0;
        successor_ = {};
        successions_.add(succession);
        issuing_.restart();
        kept_.restart_log(*encoded);
        keep_lineage();
        keep("replica", id());
        keep("successor", successor_);
        for (const Frame& frame : again) issue_again(frame, succession, frame.header().last() <= shared, branches);
        Received waited;
        drain(waited);
        observe(kept_.held.state, {ReplicaId{}, history().time(), false, true});
        return succession;
    }

    void issue_again(const Frame& old, const Succession& succession, bool by_name, const Branches& branches) {
        const Head before = history().head(id());
        const DotRange minted{self_, before.counter + 1, before.counter + old.header().count};
        Result<IssuedAgain<CrdtType>> again = netsync::issue_again<CrdtType>(
            old, minted, clock_.tick(), succession, branches.resolve(old.header().removed, history().reissues()),
            by_name, branches, options_.limits);
        if (!again) return;
        const Frame frame = issuing_.make(history(), self_, before, FrameHeader{again->said}, again->bytes);
        kept_.held.merge(frame, self_, again->delta);
        static_cast<void>(kept_.log(frame, before.hash));
    }

    /// 9: one frame whose dependencies are in.
    std::error_code apply(const Frame& frame) {
        const FrameHeader& header = frame.header();
        if (const std::error_code error = refusal()) return error;  // what cannot be kept: gossip offers it again
        if (header.origin == id()) return errc::forked;
        if (exactness().is_beside(forgotten_, header)) return errc::outdated;
        const bool exact = !exactness().is_beside(history().forgotten(), header);
        if (history().vector().size() >= options_.limits.replicas && counter(header.origin) == 0) {
            ++origins_refused_;
            return errc::replica_table_full;
        }
        const ReplicaIndex origin = intern(header.origin);
        if (origin == ReplicaIndex{}) return errc::replica_table_full;
        const std::uint64_t before = history().hash(origin);
        if (!frame.continues(before)) return errc::forked;
        Result<CrdtType> delta = frame.template delta<CrdtType>(options_.limits);
        if (!delta) return delta.error();
        if (!permits(*delta, header.origin.owner())) return errc::not_owner;
        if (const std::error_code error = clock_.observe(header.time)) return error;
        const bool watched = is_watched();
        const bool changed =
            watched ? kept_.held.merge(frame, origin, *delta) : kept_.held.merge(frame, origin, *std::move(delta));
        issuing_.vector_rose();
        if (!exact) {
            kept_.held.history.branch(own_way() ^ header.hash);
            keep_lineage();
        }
        if (const std::error_code error = kept_.log(frame, before)) return error;
        if (changed && watched) observe(*delta, {header.origin, header.time, false, false});
        return {};
    }

    /// Whether a state may be taken: not from the future.
    Result<SnapshotHeader> check(ByteView bytes) {
        if (store_error()) return store_error();
        Result<SnapshotHeader> header = decode_snapshot_header(bytes, options_.limits);
        if (header)
            if (const std::error_code error = clock_.observe(header->time)) return error;
        return header;
    }

    /// Whether anybody asks for deltas.
    bool is_watched() const noexcept { return !changes.empty() || !derivations.empty(); }

    void observe(const CrdtType& delta, const ChangeInfo& info) {
        if (!is_watched()) return;
        derivations.update(kept_.held.state, delta, info.whole);
        if (!changes.empty())
            changes.notify(std::make_shared<const Merged<CrdtType>>(Merged<CrdtType>{delta, info}), notifications);
    }

    const Options& options_;
    LoggedContent<Store, CrdtType> kept_;
    Clock clock_;
    std::atomic<ReplicaIndex> self_{};
    bool open_ = false;
    Retirements retirements_;
    CausalBuffer<Frame> buffer_;
    Issuing issuing_;
    bool settled_ = false;
    std::uint64_t opened_ = 0;
    Forgotten forgotten_;  // here
    std::uint64_t kept_lineage_ = 0;
    ReplicaId successor_;
    Successions successions_;
    std::uint64_t origins_refused_ = 0;
};

}  // namespace netsync

// ---- netsync/replica.hpp ----

// netsync: the story on one page. A change is a value of your own type, and merge is the only thing that changes state.
//
//     update(f)                                                            bytes from a peer
//        |                                                                        |
//      1 Change{dots, time from the clock}                             6 transport: a message
//      2 f(state, change) -> delta ;  merge                            7 pool: a member? else "introduce yourself"
//      3 wire: Frame = header + delta, encoded once                    8 sync: gossip; causal buffer: seen, gap, ready
//      4 store.append, commit -- durable --> 5 outbox -> transport     9 clock.observe; merge; store.append; observers
//

namespace netsync {

/// How far a replica had come: all its changes up to `counter`.
using Token = ReplicaCounter;

/// A copy of the data that keeps itself in sync with the others of its pool. Public calls may come from any thread;
/// callbacks come from the threads that cause them, never under the replica's mutex, one at a time and in order.
template <store Store, transport Transport, clock Clock, crdt CrdtType>
class Replica {
   public:
    /// Starts at once, unless options.manual_start. Throws std::system_error where start() fails.
    explicit Replica(Options options = {})
        requires std::default_initializable<Transport>
        : Replica(Transport{}, std::move(options)) {}

    explicit Replica(Transport transport, Options options = {})
        : Replica(std::move(transport), options, make_store<Store>(options)) {}

    Replica(Transport transport, Options options, Store store)
        : Replica(std::move(transport), options, std::move(store), make_clock<Clock>(options.max_drift)) {}

    Replica(Transport transport, Options options, Store store, Clock clock)
        : options_(std::move(options)), transport_(std::move(transport)),
          random_(options_.seed != 0 ? options_.seed : transport_.entropy()),
          copy_(options_, std::move(store), std::move(clock), random_), protocol_(options_, copy_, random_) {
        copy_.work_aside(Aside{mutex_});
        copy_.on_committed = [this](std::error_code error) { on_committed(error); };
        if (options_.manual_start) return;
        if (const std::error_code error = start()) throw std::system_error(error, "netsync: cannot start");
    }

    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;
    ~Replica() {
        stop();
        transport_.stop();  // again: a stop from within a callback could not wait for it
        copy_.close();
    }

    /// Listens, announces itself and joins the pool. Fails where the transport does: a port in use, no network; with
    /// errc::too_large for a pool name that no datagram holds.
    std::error_code start() {
        std::unique_lock lock{mutex_};  // also while the transport starts: events wait until we know who we are
        if (started_) return {};
        if (!can_be_announced(options_)) return errc::too_large;
        const auto error = transport_.start(options_, [this](const TransportEvent& event) { on_event(event); });
        if (error) return error;
        started_ = true;
        woken_at_.reset();
        if (copy_.is_open()) protocol_.start(now(), transport_.port());
        release(lock);
        return {};
    }

    /// Ends all links; data and id stay. Nothing of the transport runs afterwards, unless it calls. Not beside start().
    void stop() {
        std::unique_lock lock{mutex_};
        if (!std::exchange(started_, false)) return;
        lock.unlock();  // the transport waits for the event that is under way
        transport_.stop();
        lock.lock();
        protocol_.stop();
        waiting_ = {};
        copy_.notifications.deliver(lock);
    }

    /// Changes the data: `update(path..., verb)`, or `update([](const T& now, Change& change) { return delta; })`.
    /// Returns at once: a peer sees the change once it is durable. Throws the errors of try_update as std::system_error.
    template <class... Steps>
    Token update(Steps&&... path_and_mutator) {
        return try_update(std::forward<Steps>(path_and_mutator)...).value();
    }

    /// The same with errors as values: errc::not_owner, too_large, too_deep, not_utf8, store_behind, or the store's own.
    /// The state is as before then, but for a failing store's first error: that change stands, logged and sent once it works.
    template <class... Steps>
    Result<Token> try_update(Steps&&... path_and_mutator) {
        std::unique_lock lock{mutex_};
        detail::prefetch_at(copy_.state(), path_and_mutator...);
        return change(std::move(lock),
                      [&](auto& batch) { batch.update_alone(std::forward<Steps>(path_and_mutator)...); });
    }

    /// Several updates as one change, atomic everywhere: `batch([](auto& batch) { batch.update(...); ... })`. Each sees
    /// those before it. After one that fails the rest is left out, those before it stand: see Batch::update.
    template <class F>
    Token batch(F&& steps) {
        return try_batch(std::forward<F>(steps)).value();
    }

    template <class F>
    Result<Token> try_batch(F&& steps) {
        return change(std::unique_lock{mutex_}, std::forward<F>(steps));
    }

    /// A copy of the whole state: to be read for long while updates go on. Sets and maps are copied in O(1).
    CrdtType state() const {
        return read([](const CrdtType& now) { return now; });
    }

    /// Calls `f(const CrdtType&)` and returns its result. Updates wait meanwhile; it must not call the replica.
    template <class F>
    auto read(F&& f) const {
        const std::lock_guard lock{mutex_};
        return f(copy_.state());
    }

    /// A copy of what lies at the end of a path; a default value where a key is absent.
    template <class... Path>
    auto get(const Path&... path) const {
        return read([&](const CrdtType& now) {
            const auto* found = detail::find_at(now, copy_.id().owner(), path...);
            return found ? *found : detail::type_at<CrdtType, Path...>{};
        });
    }

    /// Calls `f(delta, info)`, or `f(delta)`, or `f()`, after each change, local or remote, that touches the end of the
    /// path: `on_change(path..., f)`. The delta is what the change says about it.
    template <class... Steps>
    Subscription on_change(Steps&&... path_and_callback) {
        const std::lock_guard lock{mutex_};
        return copy_.changes.subscribe(
            detail::when_touched<Merged<CrdtType>>(copy_.id().owner(), std::forward<Steps>(path_and_callback)...));
    }

    /// Calls `f(const PoolEvent&)` when a member is new or changes its state, and when a peer is refused.
    Subscription on_member(std::function<void(const PoolEvent&)> f) {
        const std::lock_guard lock{mutex_};
        return member_observers_.subscribe(std::move(f));
    }

    /// A local view, kept up to date under the mutex by `f(View&, const T& now, const T& delta)`: see Derivations::add.
    template <class View, class F>
    Derived<View> derive(View initial, F f) {
        const std::lock_guard lock{mutex_};
        return copy_.derivations.add(copy_.state(), std::move(initial), std::move(f));
    }

    /// "Is it replicated yet?": calls `f(std::error_code)` when the audience is known to hold the change and all before
    /// it; with errc::timed_out when that took too long, std::errc::operation_canceled when the replica stops,
    /// errc::too_large beyond limits.waiters. Ending the subscription cancels it. See await.hpp for futures and coroutines.
    Subscription on_replicated(const Token& token, Audience audience, Duration timeout,
                               std::function<void(std::error_code)> f) {
        std::unique_lock lock{mutex_};
        Subscription answer = protocol_.await(token, std::move(audience), timeout, std::move(f), transport_.now());
        release(lock);
        return answer;
    }

    /// Calls `f(std::error_code)` when the change, and all before it, is durable; with the store's error when that failed:
    /// the change stands then and is tried again. A thread that waits for it must not be one that runs callbacks.
    Subscription on_durable(const Token& token, std::function<void(std::error_code)> f) {
        std::unique_lock lock{mutex_};
        Subscription answer = copy_.await_durable(token, std::move(f));
        release(lock);
        return answer;
    }

    /// Gives a member up for good: see Retirement. errc::no_such_member for one that is not in the pool, or is this one.
    std::error_code retire(const ReplicaId& member) {
        std::unique_lock lock{mutex_};
        if (!copy_.is_open()) return copy_.store_error();
        const std::error_code error = protocol_.retire(member, now());
        release(lock);
        return error;
    }

    /// Changes when this replica has to take a new incarnation; the owner half never does. While a store could not be opened
    /// yet the incarnation is 0, and without options.name the owner is too. Takes no lock.
    const ReplicaId& id() const noexcept { return copy_.id(); }

    /// 64 bits over all that replicates: the same where, but for a chance of 2^-64, replicas are equal. O(state).
    std::uint64_t digest() const {
        std::unique_lock lock{mutex_};
        Content<CrdtType> held = copy_.held();
        lock.unlock();
        return std::move(held).digest(options_.limits);
    }

    /// Members, version vector, traffic, latest rounds: for people and monitors. O(members).
    Report report() const {
        const std::lock_guard lock{mutex_};
        Report report = make_report(options_, copy_, protocol_);
        report.port = started_ ? transport_.port() : std::uint16_t{0};
        report.store_error = copy_.store_error();
        return report;
    }

   private:
    Moment now() { return {transport_.now(), copy_.now()}; }

    template <class F>  // 1 to 4
    Result<Token> change(std::unique_lock<std::mutex> lock, F&& steps) {
        if (const std::error_code error = copy_.refusal()) return error;
        std::error_code error = copy_.change(std::forward<F>(steps), [&](const Frame& f) { protocol_.publish(f); });
        const Token token = copy_.frontier();
        release(lock);
        if (!error) error = copy_.store_error();
        if (error) return error;
        return token;
    }

    // 6: something happened outside.
    void on_event(const TransportEvent& event) {
        std::unique_lock lock{mutex_};
        if (!started_) return;
        if (std::holds_alternative<Woken>(event)) woken_at_.reset();
        if (copy_.is_open())
            protocol_.on_event(event, now());
        else
            protocol_.on_event_outside(event, now());
        release(lock);
    }

    // The end of every call and event: what is logged becomes durable, only then visible, and then observers hear of it.
    // What is done while a commit is under way is made durable, together, by the next one.
    void release(std::unique_lock<std::mutex>& lock) {
        if (!copy_.is_committing()) {
            static_cast<void>(copy_.flush());
            if (copy_.is_to_be_read()) begin();
            if (copy_.is_committing())
                waiting_ = std::exchange(protocol_.outbox, {});
            else
                show(protocol_.outbox);
        } else if (protocol_.outbox.sends.size() > most_waiting) {
            protocol_.outbox.drop_sends();  // the disk has come to a halt: gossip repairs
        }
        if (started_ && copy_.is_committing() && !copy_.store_error())
            carry_out_at_once(waiting_, protocol_.outbox, transport_, protocol_.traffic);
        const Duration wake = copy_.is_open() ? protocol_.next_wake() : transport_.now() + retry_interval;
        if (started_ && (!woken_at_ || wake < *woken_at_)) transport_.wake_at(*(woken_at_ = wake));
        copy_.notifications.deliver(lock);
    }

    // The store could not be opened, and now it is: this replica is somebody again, and takes part.
    void begin() {
        copy_.read_again(random_);
        if (!copy_.is_open()) return;
        protocol_.load();
        if (started_) protocol_.start(now(), transport_.port());
        static_cast<void>(copy_.flush());
    }

    // 4, where the store has a thread of its own, which is what calls.
    void on_committed(std::error_code error) {
        std::unique_lock lock{mutex_};
        copy_.committed(error);
        show(waiting_);
        if (started_ && copy_.is_open() && !error) protocol_.on_committed(now());
        release(lock);
    }

    // 5: what is durable goes out; what tells of nothing else has gone before. Where it could not be made so, nobody is told.
    void show(Outbox& out) {
        if (out.empty()) return;
        if (copy_.store_error()) out.drop_sends();
        if (started_) carry_out(out, transport_, protocol_.traffic);
        for (const PoolEvent& event : out.events)
            member_observers_.notify(std::make_shared<const PoolEvent>(event), copy_.notifications);
        out.clear();
    }

    static constexpr std::size_t most_waiting = 100'000;                 // messages
    static constexpr Duration retry_interval = std::chrono::seconds{1};  // of opening the store

    const Options options_;
    mutable std::mutex mutex_;
    bool started_ = false;
    Transport transport_;
    detail::Random random_;
    LocalCopy<Store, Clock, CrdtType> copy_;
    Protocol<LocalCopy<Store, Clock, CrdtType>> protocol_;
    Outbox waiting_;  // for the commit under way
    std::optional<Duration> woken_at_;
    Observers<PoolEvent> member_observers_;
};

}  // namespace netsync

// ---- netsync/store/memory_store.hpp ----

// netsync: the log in memory. Frames come in as they are made or received and go out to whoever lacks them.

namespace netsync {

/// Copies share their contents, as two openings of one file would: a test restarts a replica on the same "disk".
/// append: O(log origins); frames: O(log frames) to the first.
class MemoryStore {
   public:
    /// Contents of its own, the same as these now: a copied disk.
    MemoryStore copy() const {
        MemoryStore other;
        other.contents_->snapshot = contents_->snapshot;
        other.contents_->sequence = contents_->sequence;
        for (const auto& [origin, log] : contents_->logs) other.contents_->logs[origin] = log;
        for (const auto& [key, value] : contents_->values) other.contents_->values[key] = value;
        return other;
    }

    std::error_code append(const Frame& frame) {
        const FrameHeader& header = frame.header();
        auto& log = contents_->logs[header.origin];
        if (!log.empty() && header.first != log.back().last + 1) return errc::not_contiguous;
        log.push_back({header.first, header.last(), ++contents_->sequence, frame.bytes()});
        return {};
    }

    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        contents_->snapshot = snapshot;
        for (const Head& head : heads) {
            auto& log = contents_->logs[head.replica];
            if (!log.empty() && log.back().last < head.counter) log.clear();
        }
        return {};
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        for (const ReplicaCounter& upto : counters)
            if (Log* log = contents_->logs.find(upto.replica))
                std::erase_if(*log, [&](const Entry& entry) { return entry.first <= upto.counter; });
        return {};
    }

    std::error_code clear() {
        contents_->logs.clear();
        contents_->snapshot = nullptr;
        return {};
    }

    std::error_code put(std::string_view key, ByteView value) {
        contents_->values[std::string(key)].assign(value.begin(), value.end());
        return {};
    }

    std::error_code commit() { return {}; }

    std::optional<Bytes> get(std::string_view key) const {
        const Bytes* found = contents_->values.find(key);
        return found ? std::optional{*found} : std::nullopt;
    }

    SharedBytes snapshot() const { return contents_->snapshot; }

    void replay(const FrameVisitor& visit) const {
        std::vector<const Entry*> all;
        for (const auto& [origin, log] : contents_->logs)
            for (const Entry& entry : log) all.push_back(&entry);
        std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->sequence < b->sequence; });
        for (const Entry* entry : all)
            if (!visit(entry->bytes)) return;
    }

    bool frames(const CounterRange& range, const FrameVisitor& visit) const {
        const Log* found = contents_->logs.find(range.replica);
        if (!found) return false;
        const Log& log = *found;
        if (log.empty() || range.first < log.front().first || range.first > log.back().last) return false;
        auto at =
            std::partition_point(log.begin(), log.end(), [&](const Entry& entry) { return entry.last < range.first; });
        for (; at != log.end() && at->first <= range.last; ++at)
            if (!visit(at->bytes)) break;
        return true;
    }

   private:
    struct Entry {
        std::uint64_t first;
        std::uint64_t last;
        std::uint64_t sequence;
        SharedBytes bytes;
    };
    using Log = std::vector<Entry>;

    struct Contents {
        detail::OrderedMap<ReplicaId, Log> logs;
        detail::OrderedMap<std::string, Bytes> values;
        SharedBytes snapshot;
        std::uint64_t sequence = 0;
    };

    std::shared_ptr<Contents> contents_ = std::make_shared<Contents>();
};

static_assert(store<MemoryStore>);

}  // namespace netsync

// ---- netsync/store/null_store.hpp ----

// netsync: the store that keeps nothing. For caches, benchmarks, and replicas that may forget.

namespace netsync {

/// A replica over it has its state in memory only; it sends its own updates as they happen, and whole states where
/// another store would send frames.
struct NullStore {
    std::error_code append(const Frame&) { return {}; }
    std::error_code adopt(const SharedBytes&, const std::vector<Head>&) { return {}; }
    std::error_code cut(const std::vector<ReplicaCounter>&) { return {}; }
    std::error_code clear() { return {}; }
    std::error_code put(std::string_view, ByteView) { return {}; }
    std::error_code commit() { return {}; }
    std::optional<Bytes> get(std::string_view) const { return std::nullopt; }
    SharedBytes snapshot() const { return nullptr; }
    void replay(const FrameVisitor&) const {}
    bool frames(const CounterRange&, const FrameVisitor&) const { return false; }
};

static_assert(store<NullStore>);

}  // namespace netsync

// ---- netsync/transport/memory_hub.hpp ----

// netsync: a network inside one process. Messages come in from one replica and go out to another when the program says
// so, in virtual time: for tests, examples, and replicas that share a process.

namespace netsync {

class MemoryTransport;

/// Replicas made with the same hub are on one network. Nothing moves until `run` or `run_for`; the order of events is a
/// function of the calls made, so every run is the same. Any thread may use the replicas; one at a time runs the hub.
class MemoryHub {
   public:
    explicit MemoryHub(Duration latency = Duration{0}, std::uint64_t seed = 1)
        : core_(std::make_shared<Core>(latency, seed)) {}

    /// Delivers until no message is under way; timers that lie in the future stay there. Returns the events delivered.
    std::size_t run() { return core_->run(true, Duration{0}); }

    /// Lets `time` pass: delivers messages and fires timers in their order. Returns the events delivered.
    std::size_t run_for(Duration time) { return core_->run(false, core_->time() + time); }

    Duration now() const { return core_->time(); }

   private:
    friend class MemoryTransport;

    /// One started transport. Its address within the hub is its port.
    struct Station {
        TransportEvents events;
        std::uint64_t wake = 0;  // the number of the wake that counts; earlier ones are void
    };

    struct Delivery {
        std::uint16_t station = 0;
        TransportEvent event{Woken{}};
        SharedBytes bytes;       // keeps alive what the event views
        std::uint64_t wake = 0;  // for Woken
    };

    /// When a delivery is due, and its place among those due then.
    struct Due {
        Duration at;
        std::uint64_t sequence;

        friend bool operator<(const Due& a, const Due& b) noexcept {
            return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
        }
    };

    class Core {
       public:
        Core(Duration latency, std::uint64_t seed) : latency_(latency), seed_(seed) {}

        Duration time() const {
            const std::lock_guard lock{mutex_};
            return now_;
        }

        std::uint64_t entropy() {
            const std::lock_guard lock{mutex_};
            return detail::mix(seed_, ++entropy_drawn_);
        }

        std::uint16_t open(TransportEvents events) {
            const std::lock_guard lock{mutex_};
            const std::uint16_t station = next_station_++;
            stations_[station] = std::make_shared<Station>(Station{std::move(events)});
            return station;
        }

        void shut(std::uint16_t station) {
            const std::lock_guard lock{mutex_};
            stations_.erase(station);
            links_.erase_if([&](Link link, const Ends& ends) {
                if (ends.first != station && ends.second != station) return false;
                push(other_end(ends, station), LinkClosed{link, broken()}, nullptr, latency_);
                return true;
            });
        }

        void wake_at(std::uint16_t station, Duration time) {
            const std::lock_guard lock{mutex_};
            const auto* found = stations_.find(station);
            if (!found) return;
            const std::uint64_t wake = ++(*found)->wake;
            queue_[{std::max(time, now_), ++sequence_}] = {station, Woken{}, nullptr, wake};
        }

        void announce(std::uint16_t from, ByteView bytes) {
            const std::lock_guard lock{mutex_};
            const auto copy = SharedBytes{bytes};
            for (const auto& [station, events] : stations_)
                if (station != from) push(station, AnnouncementReceived{host, *copy}, copy, latency_);
        }

        Link dial(std::uint16_t from, const Endpoint& endpoint) {
            const std::lock_guard lock{mutex_};
            const Link link{++last_link_};
            if (endpoint.host != host || !stations_.contains(endpoint.port)) {
                push(from, LinkClosed{link, std::make_error_code(std::errc::connection_refused)}, nullptr, latency_);
                return link;
            }
            links_[link] = {from, endpoint.port};
            push(endpoint.port, LinkOpened{link, false, {host, from}}, nullptr, latency_);
            push(from, LinkOpened{link, true, endpoint}, nullptr, latency_);
            return link;
        }

        bool send(std::uint16_t from, Link link, SharedBytes message) {
            const std::lock_guard lock{mutex_};
            if (const Ends* ends = links_.find(link)) {
                const ByteView view = *message;
                push(other_end(*ends, from), MessageReceived{link, view}, std::move(message), latency_);
            }
            return true;
        }

        void close(std::uint16_t from, Link link) {
            const std::lock_guard lock{mutex_};
            const Ends* ends = links_.find(link);
            if (!ends) return;
            push(other_end(*ends, from), LinkClosed{link, broken()}, nullptr, latency_);
            closed_by_[link] = from;
            links_.erase(link);
        }

        std::size_t run(bool until_quiet, Duration until) {
            std::size_t delivered = 0;
            for (;;) {
                std::shared_ptr<Station> station;
                Delivery next;
                {
                    const std::lock_guard lock{mutex_};
                    if (until_quiet) until = std::max(now_, in_flight_ > 0 ? latest_message_ : now_);
                    if (queue_.empty() || queue_.begin()->first.at > until) {
                        if (!until_quiet) now_ = std::max(now_, until);
                        return delivered;
                    }
                    const Due due = queue_.begin()->first;
                    next = std::move(queue_.begin()->second);
                    queue_.erase(due);
                    now_ = std::max(now_, due.at);
                    if (!std::holds_alternative<Woken>(next.event)) --in_flight_;
                    station = receiver(next);
                }
                if (!station) continue;
                ++delivered;
                station->events(next.event);
            }
        }

       private:
        using Ends = std::pair<std::uint16_t, std::uint16_t>;

        static std::error_code broken() { return std::make_error_code(std::errc::connection_reset); }
        static std::uint16_t other_end(const Ends& ends, std::uint16_t one) noexcept {
            return ends.first == one ? ends.second : ends.first;
        }

        void push(std::uint16_t station, TransportEvent event, SharedBytes bytes, Duration delay) {
            const Duration at = now_ + delay;
            queue_[{at, ++sequence_}] = {station, std::move(event), std::move(bytes), 0};
            latest_message_ = std::max(latest_message_, at);
            ++in_flight_;
        }

        /// Who gets it: nobody where the station is gone, closed the link itself, or has set another wake since.
        std::shared_ptr<Station> receiver(const Delivery& delivery) {
            const auto* found = stations_.find(delivery.station);
            if (const auto* message = std::get_if<MessageReceived>(&delivery.event)) {
                const std::uint16_t* closed = closed_by_.find(message->link);
                if (closed && *closed == delivery.station) return nullptr;
            }
            // The other end's LinkClosed comes after all that it had sent before.
            if (const auto* closed = std::get_if<LinkClosed>(&delivery.event)) closed_by_.erase(closed->link);
            if (!found) return nullptr;
            if (std::holds_alternative<Woken>(delivery.event) && delivery.wake != (*found)->wake) return nullptr;
            return *found;
        }

        mutable std::mutex mutex_;
        Duration latency_;
        Duration now_{0};
        Duration latest_message_{0};
        std::size_t in_flight_ = 0;
        detail::OrderedMap<Due, Delivery> queue_;
        detail::OrderedMap<std::uint16_t, std::shared_ptr<Station>> stations_;
        detail::OrderedMap<Link, Ends> links_;
        detail::OrderedMap<Link, std::uint16_t> closed_by_;
        std::uint64_t sequence_ = 0;
        std::uint64_t last_link_ = 0;
        std::uint16_t next_station_ = 1;
        std::uint64_t seed_;
        std::uint64_t entropy_drawn_ = 0;
    };

    static constexpr const char* host = "memory";

    std::shared_ptr<Core> core_;
};

/// A place on a MemoryHub. Converts from the hub, so `MemoryReplica<T> replica{hub}` reads well.
class MemoryTransport {
   public:
    MemoryTransport(MemoryHub& hub) : core_(hub.core_) {}

    std::error_code start(const Options&, TransportEvents events) {
        station_ = core_->open(std::move(events));
        return {};
    }
    void stop() {
        core_->shut(station_);
        station_ = 0;
    }
    Duration now() const { return core_->time(); }
    void wake_at(Duration time) { core_->wake_at(station_, time); }
    void announce(ByteView bytes) { core_->announce(station_, bytes); }
    Link dial(const Endpoint& endpoint) { return core_->dial(station_, endpoint); }
    bool send(Link link, SharedBytes message) { return core_->send(station_, link, std::move(message)); }
    void close(Link link) { core_->close(station_, link); }
    std::uint16_t port() const noexcept { return station_; }
    std::uint64_t entropy() { return core_->entropy(); }

   private:
    std::shared_ptr<MemoryHub::Core> core_;
    std::uint16_t station_ = 0;
};

static_assert(transport<MemoryTransport>);

}  // namespace netsync

// ---- netsync/netsync.hpp ----

// netsync: a header-only C++20 library that keeps data in sync between replicas. This header is the core: it needs the
// standard library alone. Networking over sockets is <netsync/lan.hpp>, printing with {fmt} is <netsync/format.hpp>.

