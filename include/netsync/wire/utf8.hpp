// netsync: whether bytes are UTF-8 (RFC 3629): strings that are not would not print, sort or compare alike everywhere.
#pragma once

#include <cstdint>
#include <cstring>
#include <netsync/wire/bytes.hpp>
#include <string_view>

namespace netsync {

/// No overlong forms, no surrogates, nothing beyond U+10FFFF. O(size); eight ASCII bytes a step.
inline bool is_utf8(ByteView bytes) noexcept {
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
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

inline bool is_utf8(std::string_view text) noexcept {
    return is_utf8(std::as_bytes(std::span{text.data(), text.size()}));
}

}  // namespace netsync
