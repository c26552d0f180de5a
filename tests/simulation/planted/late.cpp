#include "simulate.hpp"

std::optional<netsync::testing::Failure> simulated::simulate_late(const testing::SimulationOptions& options,
                                                                  Librarian& workload) {
    return testing::simulate<Library, testing::LateStore>(options, workload);
}
