// netsync: equality of values whose structs declare none: field by field, through containers.
#pragma once

#include <algorithm>
#include <concepts>
#include <netsync/detail/reflect.hpp>
#include <string_view>
#include <tuple>

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
