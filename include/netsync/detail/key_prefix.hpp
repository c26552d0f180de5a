// netsync: the beginning of a key as a number, so that most comparisons need not look at the key.
#pragma once

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

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
