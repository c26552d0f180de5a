// netsync: the smallest run that still fails. A failing seed's options come in; faults, replicas, changes and time are left
// out as long as it fails, and the line to copy into a test goes out.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <netsync/detail/reflect.hpp>
#include <netsync/testing/simulation.hpp>
#include <optional>
#include <utility>

namespace netsync::testing {

/// A run that fails with `options`, which stand for all that it takes.
struct Shrunk {
    SimulationOptions options;
    Failure failure;
};

/// Greedy, and a function of its arguments: `run(options)` is one whole run, with a workload of its own. None where
/// `options` does not fail at all. Whatever fails counts, even if another oracle fails then. O(runs of all the steps).
inline std::optional<Shrunk> shrink(const SimulationOptions& options,
                                    const std::function<std::optional<Failure>(const SimulationOptions&)>& run) {
    std::optional<Failure> first = run(options);
    if (!first) return std::nullopt;
    Shrunk smallest{options, *std::move(first)};
    const auto keeps_failing = [&](const SimulationOptions& smaller) {
        std::optional<Failure> failure = run(smaller);
        if (!failure) return false;
        smallest = {smaller, *std::move(failure)};
        return true;
    };
    if (smallest.options.mix) {
        smallest.options.faults = faults::draw(options.faults, options.seed);
        smallest.options.mix = false;
    }
    for (bool smaller = true; smaller;) {
        smaller = false;
        std::size_t kinds = 0;
        detail::for_each_field([&](const auto&) { ++kinds; }, smallest.options.faults);
        for (std::size_t kind = 0; kind < kinds; ++kind) {
            SimulationOptions without = smallest.options;
            std::size_t at = 0;
            detail::for_each_field([&]<class Member>(Member& member) { member = at++ == kind ? Member{} : member; },
                                   without.faults);
            if (without.faults != smallest.options.faults) smaller |= keeps_failing(without);
        }
        while (smallest.options.replicas > 1) {
            SimulationOptions fewer = smallest.options;
            --fewer.replicas;
            if (!keeps_failing(fewer)) break;
            smaller = true;
        }
    }
    // The run up to the failure is the same, whatever would have come after it.
    for (Duration step = smallest.options.time / 2; step >= std::chrono::seconds{1}; step /= 2) {
        SimulationOptions shorter = smallest.options;
        if (shorter.time > step) shorter.time -= step;
        keeps_failing(shorter);
    }
    SimulationOptions fewer = smallest.options;
    for (std::uint64_t least = 0, most = std::min<std::uint64_t>(fewer.changes, 1u << 16); least < most;) {
        fewer.changes = least + (most - least) / 2;
        if (keeps_failing(fewer))
            most = fewer.changes;
        else
            least = fewer.changes + 1;
    }
    return smallest;
}

}  // namespace netsync::testing
