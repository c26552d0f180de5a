// What a simulation found, as a failure of the test that ran it.
#pragma once

#include <doctest/doctest.h>
#include <netsync/testing.hpp>

#include <optional>
#include <string>

namespace simulated {

inline void check_none(const std::optional<netsync::testing::Failure>& failure) {
    if (failure) FAIL_CHECK(std::string{netsync::testing::SimulationFailed{*failure}.what()});
}

}  // namespace simulated
