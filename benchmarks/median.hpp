// The median of what was measured.
#pragma once

#include <algorithm>
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
