// The librarians' pool, for those that run thousands of seeds: compiled once, optimised, in a copy of the headers with bugs
// planted in it, of which none is chosen unless somebody chooses one.
#pragma once

#include "../library.hpp"

namespace simulated {

/// As testing::simulate, on a store that commits at once.
std::optional<testing::Failure> simulate_at_once(const testing::SimulationOptions& options, Librarian& workload);

/// On one whose commits take time.
std::optional<testing::Failure> simulate_late(const testing::SimulationOptions& options, Librarian& workload);

}  // namespace simulated
