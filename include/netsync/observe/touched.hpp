// netsync: subscriptions to a part of the data. A merged delta comes in; the callback hears of it if the delta touches
// the end of its path.
#pragma once

#include <concepts>
#include <functional>
#include <netsync/crdt/path.hpp>
#include <netsync/observe/subscription.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace netsync::detail {

template <class F, class Delta>
void call_observer(F& f, const Delta& delta, const ChangeInfo& info) {
    if constexpr (std::invocable<F&, const Delta&, const ChangeInfo&>)
        f(delta, info);
    else if constexpr (std::invocable<F&, const Delta&>)
        f(delta);
    else {
        static_assert(std::invocable<F&>,
                      "netsync: an observer is called with (delta, ChangeInfo), (delta), or nothing");
        f();
    }
}

/// `path..., callback` as one function of what was merged.
template <class Merged, class... PathAndCallback>
std::function<void(const Merged&)> when_touched(OwnerId self, PathAndCallback&&... path_and_callback) {
    constexpr std::size_t steps = sizeof...(PathAndCallback) - 1;
    return [self, all = std::tuple<std::decay_t<PathAndCallback>...>(
                      std::forward<PathAndCallback>(path_and_callback)...)](const Merged& merged) mutable {
        [&]<std::size_t... Step>(std::index_sequence<Step...>) {
            if (const auto* delta = touched_at(merged.delta, self, std::get<Step>(all)...))
                call_observer(std::get<steps>(all), *delta, merged.info);
        }(std::make_index_sequence<steps>{});
    };
}

}  // namespace netsync::detail
