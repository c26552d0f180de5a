// netsync: errors by origin. Remote input and I/O end in a std::error_code of these; misuse by the programmer asserts.
// Every stage returns them; replica.hpp turns those of a convenience overload into std::system_error.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

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
