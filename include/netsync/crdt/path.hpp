// netsync: paths: where in a nested value a change, a read or a subscription looks. Pointers to members, map keys, and
// `mine` for one's own part of an Owned.
#pragma once

#include <concepts>
#include <netsync/causal/replica_id.hpp>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/composition.hpp>
#include <netsync/crdt/verbs.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace netsync {

/// The step into one's own part of an Owned. The part of another is read, never written, under its OwnerId.
struct Mine {};
inline constexpr Mine mine{};

/// What can be updated under a key of type `Key`: `update(change, key, f)`, as an OrMap can.
template <class T, class Key>
concept updatable_at = requires(const T& now, Change& change, const Key& key) {
    now.update(change, key, [](const auto& part, Change&) { return part; });
};

/// What has parts under keys of type `Key` to be read: `find(key)` gives a pointer, null where there is none.
template <class T, class Key>
concept readable_at = requires(const T& now, const Key& key) {
    { *now.find(key) };
};

namespace detail {

/// The delta of `now` that changes what lies at the end of the path. What is given as an rvalue is called once.
template <class T, class F>
T update_at(const T& now, Change& change, F&& f) {
    static_assert(
        mutator<std::remove_reference_t<F>, T>,
        "netsync: what `update` ends in must model netsync::mutator: called with (const T&, Change&) it returns "
        "a delta of T; for a verb, T has no mutator of that name that takes these arguments");
    return std::forward<F>(f)(now, change);
}

template <class T, class Step, class Next, class... Rest>
T update_at(const T& now, Change& change, const Step& step, Next&& next, Rest&&... rest) {
    const auto below = [&](const auto& part, Change& inner) {
        return update_at(part, inner, std::forward<Next>(next), std::forward<Rest>(rest)...);
    };
    if constexpr (std::is_member_object_pointer_v<Step>) {
        T delta{};
        delta.*step = below(now.*step, change);
        return delta;
    } else if constexpr (std::same_as<Step, Mine>) {
        return now.update(change, below);
    } else {
        static_assert(updatable_at<T, Step>,
                      "netsync: this step of the path needs a type that models netsync::updatable_at (an OrMap); of an "
                      "Owned only one's own part can be written: use netsync::mine");
        return now.update(change, step, below);
    }
}

/// A hint that update_at is called next: the memory is asked for what lies at the first key of the path, where a type
/// offers `prefetch(key)`, and not waited for. Verbs of sets and maps take the key first.
template <class T, class F>
void prefetch_at(const T&, const F&) {}
template <class T, class Call, class Key, class... Rest>
void prefetch_at(const T& now, const Verb<Call, Key, Rest...>& verb) {
    if constexpr (requires { now.prefetch(std::get<0>(verb.arguments)); }) now.prefetch(std::get<0>(verb.arguments));
}
template <class T, class Step, class Next, class... Rest>
void prefetch_at(const T& now, const Step& step, const Next& next, const Rest&... rest) {
    if constexpr (std::is_member_object_pointer_v<Step>)
        prefetch_at(now.*step, next, rest...);
    else if constexpr (requires { now.prefetch(step); })
        now.prefetch(step);
}

template <class T, class Step>
auto* step_into(const T& value, const Step& step, OwnerId self) {
    if constexpr (std::is_member_object_pointer_v<Step>) {
        return &(value.*step);
    } else if constexpr (std::same_as<Step, Mine>) {
        return value.find(self);
    } else {
        static_assert(readable_at<T, Step>, "netsync: this step of the path needs a type that models "
                                            "netsync::readable_at: a map, or an Owned with an OwnerId");
        return value.find(step);
    }
}

/// What lies at the end of the path, or null where a key is absent.
template <class T>
const T* find_at(const T& value, OwnerId) {
    return &value;
}
template <class T, class Step, class... Rest>
auto find_at(const T& value, OwnerId self, const Step& step, const Rest&... rest) {
    const auto* part = step_into(value, step, self);
    using End = decltype(find_at(*part, self, rest...));
    return part ? find_at(*part, self, rest...) : End{nullptr};
}

/// The type at the end of the path.
template <class T, class... Path>
using type_at =
    std::remove_cvref_t<decltype(*find_at(std::declval<const T&>(), OwnerId{}, std::declval<const Path&>()...))>;

/// What a delta says about the end of the path: null where it does not touch it, the bottom where it emptied what is
/// there.
template <class T>
const T* touched_at(const T& delta, OwnerId) {
    return is_bottom(delta) ? nullptr : &delta;
}
template <class T, class Step, class... Rest>
const type_at<T, Step, Rest...>* touched_at(const T& delta, OwnerId self, const Step& step, const Rest&... rest) {
    if (const auto* part = step_into(delta, step, self)) return touched_at(*part, self, rest...);
    static const type_at<T, Step, Rest...> bottom{};
    if constexpr (requires { delta.mentions(step); })
        if (delta.mentions(step)) return &bottom;
    return nullptr;
}

}  // namespace detail

}  // namespace netsync
