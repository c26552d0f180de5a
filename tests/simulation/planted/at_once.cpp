#include "simulate.hpp"

std::optional<netsync::testing::Failure> simulated::simulate_at_once(const testing::SimulationOptions& options,
                                                                     Librarian& workload) {
    return testing::simulate<Library>(options, workload);
}
