// The simulator's seeds on a store whose commits take time.
#include "../check_none.hpp"
#include "../planted/simulate.hpp"

using namespace netsync::testing;

TEST_CASE("messages, links, processes, disks and clocks fail while commits are under way") {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        SimulationOptions options = simulated::options_of(seed, faults::join(faults::messages(), faults::machines()));
        options.commit = simulated::commit_of(seed);
        simulated::Librarian workload;
        workload.removes_labels = seed % 2 == 0;
        simulated::check_none(simulated::simulate_late(options, workload));
    }
}
