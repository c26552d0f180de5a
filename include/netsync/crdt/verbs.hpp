// netsync: verbs: small values that call the mutator of their name. `update(path..., add("milk"))`.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <netsync/crdt/change.hpp>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace netsync {

/// What `update` takes at the end of a path: called with the present value and the change, returns a delta of the same
/// type. The library's verbs are such callables; so is any lambda, and any verb of your own.
template <class F, class T>
concept mutator = requires(F& f, const T& now, Change& change) {
    { f(now, change) } -> std::convertible_to<T>;
};

namespace detail {

/// Holds the arguments until the target is known. Not callable on a type without that mutator, so that the diagnostic
/// names `mutator`.
template <class Call, class... Arguments>
struct Verb {
    std::tuple<Arguments...> arguments;

    template <class T>
        requires std::invocable<Call, const T&, Change&, const Arguments&...>
    auto operator()(const T& target, Change& change) const {
        return std::apply([&](const Arguments&... given) { return Call{}(target, change, given...); }, arguments);
    }
    /// The same for one that is called once: the mutator takes its arguments over.
    template <class T>
        requires std::invocable<Call, const T&, Change&, Arguments...>
    auto operator()(const T& target, Change& change) && {
        return std::apply([&](Arguments&... given) { return Call{}(target, change, std::move(given)...); }, arguments);
    }
};

template <class Call, class... Arguments>
Verb<Call, std::decay_t<Arguments>...> verb(Arguments&&... arguments) {
    return {{std::forward<Arguments>(arguments)...}};
}

struct CallAdd {
    auto operator()(const auto& target, Change& change, auto&&... given) const
        -> decltype(target.add(change, std::forward<decltype(given)>(given)...)) {
        return target.add(change, std::forward<decltype(given)>(given)...);
    }
};
struct CallRemove {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.remove(change, given...)) {
        return target.remove(change, given...);
    }
};
struct CallAssign {
    auto operator()(const auto& target, Change& change, auto&&... given) const
        -> decltype(target.assign(change, std::forward<decltype(given)>(given)...)) {
        return target.assign(change, std::forward<decltype(given)>(given)...);
    }
};
struct CallIncrement {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.increment(change, given...)) {
        return target.increment(change, given...);
    }
};
struct CallDecrement {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.decrement(change, given...)) {
        return target.decrement(change, given...);
    }
};
struct CallClear {
    auto operator()(const auto& target, Change& change) const -> decltype(target.clear(change)) {
        return target.clear(change);
    }
};
struct CallInsert {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.insert(change, given...)) {
        return target.insert(change, given...);
    }
};
struct CallErase {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.erase(change, given...)) {
        return target.erase(change, given...);
    }
};
struct CallPushBack {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.push_back(change, given...)) {
        return target.push_back(change, given...);
    }
};
struct CallAppend {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.append(change, given...)) {
        return target.append(change, given...);
    }
};
struct CallMove {
    auto operator()(const auto& target, Change& change, const auto&... given) const
        -> decltype(target.move(change, given...)) {
        return target.move(change, given...);
    }
};

struct CallEnable {
    auto operator()(const auto& target, Change& change) const -> decltype(target.enable(change)) {
        return target.enable(change);
    }
};
struct CallDisable {
    auto operator()(const auto& target, Change& change) const -> decltype(target.disable(change)) {
        return target.disable(change);
    }
};
struct CallReset {
    auto operator()(const auto& target, Change& change) const -> decltype(target.reset(change)) {
        return target.reset(change);
    }
};
struct CallCompact {
    auto operator()(const auto& target, Change& change) const -> decltype(target.compact(change)) {
        return target.compact(change);
    }
};
struct CallTransfer {
    auto operator()(const auto& target, Change& change, OwnerId to, std::uint64_t by) const
        -> decltype(target.transfer(change, to, by)) {
        return target.transfer(change, to, by);
    }
};
struct CallChoose {
    auto operator()(const auto& target, Change& change, const auto& which) const
        -> decltype(target.choose(change, which)) {
        return target.choose(change, which);
    }
};

}  // namespace detail

/// Adds an element to a set.
template <class... Arguments>
auto add(Arguments&&... arguments) {
    return detail::verb<detail::CallAdd>(std::forward<Arguments>(arguments)...);
}
/// Removes an element of a set, or a key of a map.
template <class... Arguments>
auto remove(Arguments&&... arguments) {
    return detail::verb<detail::CallRemove>(std::forward<Arguments>(arguments)...);
}
/// Writes a register, or a key of a last-writer-wins map: `assign(value)`, `assign(key, value)`.
template <class... Arguments>
auto assign(Arguments&&... arguments) {
    return detail::verb<detail::CallAssign>(std::forward<Arguments>(arguments)...);
}
/// Counts up.
inline auto increment(std::uint64_t by = 1) { return detail::verb<detail::CallIncrement>(by); }
/// Counts down.
inline auto decrement(std::uint64_t by = 1) { return detail::verb<detail::CallDecrement>(by); }
/// Inserts into a list or a text: `insert(index, value)`, `insert(index, first, last)`, `insert(index, "text")`.
template <class... Arguments>
auto insert(std::size_t index, Arguments&&... arguments) {
    return detail::verb<detail::CallInsert>(index, std::forward<Arguments>(arguments)...);
}
/// Erases elements of a list, or code points of a text.
inline auto erase(std::size_t index, std::size_t count = 1) { return detail::verb<detail::CallErase>(index, count); }
/// Inserts a value at the end of a list.
template <class Value>
auto push_back(Value&& value) {
    return detail::verb<detail::CallPushBack>(std::forward<Value>(value));
}
/// Inserts at the end of a text.
inline auto append(std::string text) { return detail::verb<detail::CallAppend>(std::move(text)); }
/// Moves an element of a list, so that it is the one at `to`.
inline auto move(std::size_t from, std::size_t to) { return detail::verb<detail::CallMove>(from, to); }
/// Removes everything that is seen.
inline auto clear() { return detail::verb<detail::CallClear>(); }
/// Sets a flag.
inline auto enable() { return detail::verb<detail::CallEnable>(); }
/// Clears a flag.
inline auto disable() { return detail::verb<detail::CallDisable>(); }
/// Sets a counter back to zero: takes away the counts that are seen.
inline auto reset() { return detail::verb<detail::CallReset>(); }
/// Takes away marks that every member is known to have seen.
inline auto compact() { return detail::verb<detail::CallCompact>(); }
/// Gives rights of a bounded counter to another owner.
inline auto transfer(OwnerId to, std::uint64_t by = 1) { return detail::verb<detail::CallTransfer>(to, by); }
/// Chooses an alternative of an LwwChoice: `choose(alternative<1>)`.
template <class Which>
auto choose(Which which) {
    return detail::verb<detail::CallChoose>(which);
}

}  // namespace netsync
