// netsync: who made a change. The identity of a replica, and its text form.
#pragma once

#include <compare>
#include <cstdint>
#include <netsync/detail/hash.hpp>
#include <netsync/error.hpp>
#include <string>
#include <string_view>

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
