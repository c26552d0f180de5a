// netsync: what can be encoded, and how each kind is told apart. Shared by Output and Input, so that both agree.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <netsync/causal/dot.hpp>
#include <netsync/causal/replica_id.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/detail/reflect.hpp>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

// The archives speak cereal's interface, so types written for cereal work unchanged; cereal itself is not needed.
namespace cereal {
class access;
template <class T>
class NameValuePair;
template <class Base>
struct base_class;
}  // namespace cereal

namespace netsync::detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T, class A>
inline constexpr bool is_vector<std::vector<T, A>> = true;

template <class T>
inline constexpr bool is_map = false;
template <class K, class V, class C, class A>
inline constexpr bool is_map<std::map<K, V, C, A>> = true;
template <class K, class V, class H, class E, class A>
inline constexpr bool is_map<std::unordered_map<K, V, H, E, A>> = true;

template <class T>
inline constexpr bool is_set = false;
template <class K, class C, class A>
inline constexpr bool is_set<std::set<K, C, A>> = true;
template <class K, class H, class E, class A>
inline constexpr bool is_set<std::unordered_set<K, H, E, A>> = true;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;

template <class T>
inline constexpr bool is_pointer_like = std::is_pointer_v<T>;
template <class T, class D>
inline constexpr bool is_pointer_like<std::unique_ptr<T, D>> = true;
template <class T>
inline constexpr bool is_pointer_like<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_pointer_like<std::weak_ptr<T>> = true;

template <class T>
concept tuple_like = !is_std_array<T> && requires { std::tuple_size<T>::value; };

/// One raw byte on the wire.
template <class T>
concept byte_like = std::same_as<T, std::byte> || (std::integral<T> && sizeof(T) == 1 && !std::same_as<T, bool>);

template <class T>
inline constexpr bool is_byte_vector = false;
template <byte_like T, class A>
inline constexpr bool is_byte_vector<std::vector<T, A>> = true;

template <class T>
inline constexpr bool is_byte_array = false;
template <byte_like T, std::size_t N>
inline constexpr bool is_byte_array<std::array<T, N>> = true;

template <class T>
inline constexpr bool is_name_value_pair = false;
template <class T>
inline constexpr bool is_name_value_pair<cereal::NameValuePair<T>> = true;
template <class T>
inline constexpr bool is_base_class = false;
template <class T>
inline constexpr bool is_base_class<cereal::base_class<T>> = true;

// cereal's four ways to name the fields of a type. A record is enclosed in its length, so that an older program skips
// the fields that a newer one has added at its end.
template <class T, class Archive>
concept has_member_serialize = requires(T& value, Archive& archive) { value.serialize(archive); };
template <class T, class Archive>
concept has_free_serialize = requires(T& value, Archive& archive) { serialize(archive, value); };
template <class T, class Archive, class Access = cereal::access>
concept has_private_serialize = requires(T& value, Archive& archive) { Access::member_serialize(archive, value); };

template <class T, class Archive>
concept has_record =
    has_member_serialize<T, Archive> || has_free_serialize<T, Archive> || has_private_serialize<T, Archive>;

template <class Archive, class T, class Access = cereal::access>
void serialize_record(Archive& archive, T& value) {
    if constexpr (has_member_serialize<T, Archive>)
        value.serialize(archive);
    else if constexpr (has_free_serialize<T, Archive>)
        serialize(archive, value);
    else if constexpr (has_private_serialize<T, Archive>)
        Access::member_serialize(archive, value);
    else
        for_each_field([&](auto& field) { archive(field); }, value);
}

template <class T>
inline constexpr bool always_false = false;

}  // namespace netsync::detail
