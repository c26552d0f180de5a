// Pools that are larger than those of the other seeds.
#include "../check_none.hpp"
#include "../planted/simulate.hpp"

using namespace netsync::testing;
using namespace std::chrono_literals;

TEST_CASE("a hundred replicas in one thread, with loss, become equal") {
    SimulationOptions options{.seed = 1, .replicas = 100, .faults = {.loss = 100}, .mix = false, .pace = 15s};
    options.time = 30s;
    simulated::Librarian workload;
    simulated::check_none(simulated::simulate_at_once(options, workload));
}
