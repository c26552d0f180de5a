// netsync: a struct of CRDTs is a CRDT. Each operation of a leaf comes in and goes out for structs, field by field.
#pragma once

#include <cstdint>
#include <functional>
#include <netsync/causal/version_vector.hpp>
#include <netsync/crdt/concept.hpp>
#include <netsync/detail/equal.hpp>
#include <type_traits>
#include <utility>

namespace netsync {

namespace detail {
template <class T>
concept composite = crdt<T> && !causal_leaf<T> && !monotone<T>;
}  // namespace detail

/// The one thing that changes state. True if `mine` changed. A delta costs the size of the delta.
template <crdt T>
bool merge(T& mine, const T& theirs, const Join& join) {
    if constexpr (causal_leaf<T>) {
        return mine.merge(theirs, join);
    } else if constexpr (monotone<T>) {
        return mine.merge(theirs);
    } else {
        bool changed = false;
        detail::for_each_field([&](auto& field, const auto& other) { changed |= netsync::merge(field, other, join); },
                               mine, theirs);
        return changed;
    }
}

/// The same where nobody needs `theirs` any more: what it owns may be taken over.
template <crdt T>
bool merge(T& mine, std::type_identity_t<T>&& theirs, const Join& join) {
    if constexpr (causal_leaf<T>) {
        return mine.merge(std::move(theirs), join);
    } else if constexpr (monotone<T>) {
        return mine.merge(theirs);
    } else {
        bool changed = false;
        detail::for_each_field(
            [&](auto& field, auto& other) { changed |= netsync::merge(field, std::move(other), join); }, mine, theirs);
        return changed;
    }
}

/// Visits every dot that is alive in `value`. A monotone leaf has none.
template <crdt T, class F>
void for_each_dot(const T& value, F&& visit) {
    if constexpr (causal_leaf<T>)
        value.for_each_dot(visit);
    else if constexpr (detail::composite<T>)
        detail::for_each_field([&](const auto& field) { netsync::for_each_dot(field, visit); }, value);
}

/// Equality of everything, dots included: the type's own `==`, or field by field for a struct without one.
template <class T>
bool equal(const T& a, const T& b) {
    return detail::equal_values(a, b);
}

/// Whether `value` holds nothing and, as a delta, mentions nothing.
template <crdt T>
bool is_bottom(const T& value) {
    if constexpr (causal_leaf<T>) {
        return value.is_bottom();
    } else if constexpr (monotone<T>) {
        return netsync::equal(value, T{});
    } else {
        bool bottom = true;
        detail::for_each_field([&](const auto& field) { bottom = bottom && netsync::is_bottom(field); }, value);
        return bottom;
    }
}

/// Whether a delta stays within what `owner` may write (see Owned).
template <crdt T>
bool permits(const T& delta, OwnerId owner) {
    if constexpr (requires {
                      { delta.permits(owner) } -> std::same_as<bool>;
                  }) {
        return delta.permits(owner);
    } else if constexpr (detail::composite<T>) {
        bool all = true;
        detail::for_each_field([&](const auto& field) { all = all && netsync::permits(field, owner); }, delta);
        return all;
    } else {
        return true;
    }
}

/// Forgets metadata that every member has seen, where the type keeps any (causal stability, Baquero et al. 2017).
/// Changes nothing that can be read. Called by the replica; true if anything went.
template <crdt T>
bool drop_stable(T& state, const VersionVector& stable) {
    if constexpr (requires {
                      { state.drop_stable(stable) } -> std::same_as<bool>;
                  }) {
        return state.drop_stable(stable);
    } else if constexpr (detail::composite<T>) {
        bool dropped = false;
        detail::for_each_field([&](auto& field) { dropped |= netsync::drop_stable(field, stable); }, state);
        return dropped;
    } else {
        return false;
    }
}

/// Turns a delta that is issued again, by another incarnation and under other dots, into what it alone says: a counter's
/// delta sums up the earlier totals of its replica, and now these stay. `keep(counter)` is called for each dot of that
/// replica which the delta superseded when it was first issued, and does not any more.
template <crdt T>
void reissue(T& delta, const std::function<void(std::uint64_t)>& keep) {
    if constexpr (requires { delta.reissue(keep); })
        delta.reissue(keep);
    else if constexpr (detail::composite<T>)
        detail::for_each_field([&](auto& field) { netsync::reissue(field, keep); }, delta);
}

}  // namespace netsync
