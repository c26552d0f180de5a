// netsync: the names of the fields of a plain struct, for what people read. A struct goes in, and its field's name in the
// program text comes out, cut from how the compiler prints a pointer to it (the way of Boost.PFR 2.2).
#pragma once

#include <cstddef>
#include <memory>
#include <netsync/detail/reflect.hpp>
#include <string_view>
#include <tuple>

namespace netsync::detail {

template <class T>
struct Unbuilt {
    const T value;
};

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif

template <class T>
extern const Unbuilt<T> unbuilt;  // never defined: only addresses of its fields are taken, while compiling

template <class Field>
struct FieldAddress {
    const Field* address;
};
struct ToAddresses {
    template <class... Field>
    constexpr auto operator()(const Field&... field) const {
        return std::tuple<FieldAddress<Field>...>{FieldAddress<Field>{std::addressof(field)}...};
    }
};

template <auto Field>
consteval std::string_view printed() {
#if defined(__GNUC__)
    return __PRETTY_FUNCTION__;
#else
    return {};
#endif
}

/// `... & unbuilt<Album>.Unbuilt<Album>::value.Album::title)}; ...` (g++), `...{&unbuilt.value.title}]` (clang).
consteval std::string_view last_name(std::string_view text) {
    const auto is_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               static_cast<unsigned char>(c) >= 0x80;
    };
    std::size_t end = text.rfind('}');
    if (end == std::string_view::npos) return {};
    if (end > 0 && text[end - 1] == ')') --end;
    std::size_t begin = end;
    while (begin > 0 && is_name(text[begin - 1])) --begin;
    return text.substr(begin, end - begin);
}

/// Empty with a compiler that does not tell.
template <plain_struct T, std::size_t Index>
consteval std::string_view field_name() {
    return last_name(printed<std::get<Index>(with_fields(unbuilt<T>.value, ToAddresses{}))>());
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/// Calls `f(name, field)` for each field, and `f(name, field, other)` for each of two structs of one type side by side.
template <class F, class T, class... U>
void for_each_named_field(F&& f, const T& value, const U&... other) {
    const auto tied = [](const T& each) {
        return with_fields(each, [](const auto&... field) { return std::tie(field...); });
    };
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
        const auto call = [&]<std::size_t At>(std::integral_constant<std::size_t, At>) {
            static constexpr std::string_view name = field_name<T, At>();
            f(name, std::get<At>(tied(value)), std::get<At>(tied(other))...);
        };
        (call(std::integral_constant<std::size_t, Index>{}), ...);
    }(std::make_index_sequence<field_count<T>>{});
}

}  // namespace netsync::detail
