// The median of what was measured.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>
#include <vector>

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

/// Of what `measure()` gives, so many times.
inline double median_of(auto&& measure, int rounds = 5) {
    std::vector<double> values;
    for (int round = 0; round < rounds; ++round) values.push_back(measure());
    return median(std::move(values));
}

/// The same of several that take turns, so that what else the machine does slows all of them alike.
template <class... Measure>
std::array<double, sizeof...(Measure)> medians_in_turn(Measure&&... measure) {
    std::array<std::vector<double>, sizeof...(Measure)> values;
    for (int round = 0; round < 5; ++round) {
        std::size_t at = 0;
        (values[at++].push_back(measure()), ...);
    }
    std::array<double, sizeof...(Measure)> medians{};
    for (std::size_t at = 0; at < values.size(); ++at) medians[at] = median(std::move(values[at]));
    return medians;
}
