// netsync: places between places. Two neighbours come in, a key that sorts between them goes out: the order of siblings
// in a tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
