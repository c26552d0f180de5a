// Every type under the simulator's faults: what is read is what the changes say, at every replica, all the way.
#include "check_none.hpp"
#include "library.hpp"
#include "reader.hpp"

#include <doctest/doctest.h>

using namespace netsync;
using namespace netsync::testing;
using namespace simulated;
using namespace std::chrono_literals;

namespace {

std::uint64_t run_seeds(std::uint64_t first, std::uint64_t last, const Faults& most, bool retires = false,
                        bool loses_disks = false) {
    std::uint64_t compared = 0;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        SimulationOptions options = options_of(seed, most);
        options.time = 20s;
        options.healing = 45s;
        options.joining = std::min<Duration>(options.joining, 10s);
        Cataloguer workload;
        workload.retires = retires;
        workload.loses_disks = loses_disks;
        check_none(simulate<Everything>(options, workload));
        compared += workload.compared;
    }
    return compared;
}

Faults lost_disks() {
    Faults most = faults::messages();
    most.wiped_disks = faults::all().wiped_disks / 3;
    most.restored_backups = faults::all().restored_backups / 3;
    return most;
}

}  // namespace

TEST_CASE("messages that are lost, repeated, overtaken, late and damaged") {
    CHECK(run_seeds(1, 4, faults::messages()) > 100);
}

TEST_CASE("links, processes, disks and clocks that fail") { CHECK(run_seeds(1, 4, faults::machines()) > 100); }

TEST_CASE("everything at once") {
    CHECK(run_seeds(101, 103, faults::join(faults::messages(), faults::machines())) > 50);
}

TEST_CASE("members that are given up, and disks that are lost") {
    run_seeds(201, 203, faults::join(faults::messages(), faults::machines()), true);
    run_seeds(1, 3, lost_disks(), false, true);
}
