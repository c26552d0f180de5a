// netsync: one 64-bit hash for digests and rolling hashes. Values and bytes come in, 64 well-mixed bits go out.
// Multiply-and-fold over 8-byte little-endian words, in the manner of wyhash (Wang Yi, 2019); not cryptographic.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

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
