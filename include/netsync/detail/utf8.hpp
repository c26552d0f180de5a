// netsync: whether bytes are UTF-8 (RFC 3629): strings that are not would not print, sort or compare alike everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

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
