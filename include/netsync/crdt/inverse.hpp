// netsync: undo: the state before a change and its delta come in, a mutator that takes the change back goes out.
#pragma once

#include <algorithm>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/composition.hpp>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace netsync {

/// A leaf whose changes can be taken back: `now.inverse(change, before, delta, scope)` is a delta that undoes `delta`, which
/// was made when the leaf was `before`; with Scope::whole as if the change had also removed all that was there before.
template <class T>
concept invertible_leaf = requires(const T& now, Change& change, const T& before, const T& delta) {
    { now.inverse(change, before, delta, Scope::whole) } -> std::same_as<T>;
};

namespace detail {

template <class T>
inline constexpr bool is_invertible = invertible_leaf<T>;
template <class Fields>
inline constexpr bool any_invertible = false;
template <class... Field>
inline constexpr bool any_invertible<Types<Field...>> = (is_invertible<std::remove_cv_t<Field>> || ...);
template <composite T>
inline constexpr bool is_invertible<T> = any_invertible<field_types<T>>;

/// Calls `f(dot)` for the dots of `made` that are still alive in `held`. O(dots, log).
template <crdt T, class F>
void for_each_made(const T& held, const T& made, F&& f) {
    std::vector<Dot> dots;
    netsync::for_each_dot(made, [&](Dot dot) { dots.push_back(dot); });
    std::sort(dots.begin(), dots.end());
    netsync::for_each_dot(held, [&](Dot dot) {
        if (std::binary_search(dots.begin(), dots.end(), dot)) f(dot);
    });
}

/// Whether there are any.
template <crdt T>
bool any_of_made(const T& held, const T& made) {
    bool any = false;
    for_each_made(held, made, [&](Dot) { any = true; });
    return any;
}

/// Removes them; true if there were any.
template <crdt T>
bool remove_made(Change& change, const T& held, const T& made) {
    bool any = false;
    for_each_made(held, made, [&](Dot dot) {
        change.remove(dot);
        any = true;
    });
    return any;
}

/// Of a flag: as it was before, if `delta` changed it and nobody has since.
template <crdt Flag>
Flag inverse_of_flag(const Flag& now, Change& change, const Flag& before, const Flag& delta, Scope scope) {
    const bool made = !delta.is_bottom() || (scope == Scope::whole && now.is_bottom());
    if (!made || before.value() == now.value()) return {};
    return now.value() ? now.disable(change) : now.enable(change);
}

}  // namespace detail

/// What can be undone, at least in part: see inverse().
template <class T>
concept invertible = crdt<T> && detail::is_invertible<T>;

/// A delta of `now` that takes back `delta`, for types within types. Leaves that cannot take anything back stay as they are.
template <crdt T>
T inverse_of(const T& now, Change& change, const T& before, const T& delta, Scope scope) {
    T result{};
    if constexpr (invertible_leaf<T>) {
        result = now.inverse(change, before, delta, scope);
    } else if constexpr (detail::composite<T>) {
        const auto fields = [](auto& value) {
            return detail::with_fields(value, [](auto&... field) { return std::tie(field...); });
        };
        const auto to = fields(result);
        const auto present = fields(now), was = fields(before), made = fields(delta);
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((std::get<I>(to) = inverse_of(std::get<I>(present), change, std::get<I>(was), std::get<I>(made), scope)),
             ...);
        }(std::make_index_sequence<detail::field_count<T>>{});
    }
    return result;
}

/// See inverse().
template <invertible T>
struct Inverse {
    T before;
    T delta;

    T operator()(const T& now, Change& change) const {
        return inverse_of(now, change, before, delta, Scope::mentioned);
    }
};

/// A mutator that takes a change back: `replica.update(inverse(before, delta))`, also below a path. It is a change like any
/// other, made now, and touches only what is still as the change left it: what it added goes where it is still that add,
/// what it removed is added again where it is absent, a register gets its former value (one never written, a default-
/// constructed one) where nobody has written since, counts are counted back, and a removed key comes back with what was
/// under it. What others did meanwhile stays. Types that only grow cannot take anything back: within a struct they stay as
/// they are. O(delta); where a key was removed, O(what was under it).
template <invertible T>
Inverse<T> inverse(T before, T delta) {
    return {std::move(before), std::move(delta)};
}

/// Makes a change, `steps(batch)` as in Replica::batch, and gives the mutator that undoes it:
/// `auto undo = undoable(replica, [](auto& batch) { ... }); replica.update(undo);`. Undoing within undoable() gives the
/// redo.
template <class Replica, class F>
auto undoable(Replica& replica, F&& steps) {
    using T = decltype(replica.state());
    static_assert(invertible<T>,
                  "netsync: nothing in this type models netsync::invertible: it has no changes to take back");
    std::optional<Inverse<T>> undo;
    replica.batch([&](auto& batch) {
        T before = batch.state();
        steps(batch);
        undo = inverse(std::move(before), batch.delta());
    });
    return *std::move(undo);
}

}  // namespace netsync
