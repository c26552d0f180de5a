// netsync: integers in as few bytes as they need: seven bits a byte, the lowest first, and a bit that says whether more
// follow (LEB128). Minimal: one number has one form.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <netsync/detail/hash.hpp>

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
