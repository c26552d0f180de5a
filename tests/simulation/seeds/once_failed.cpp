// Seeds that once failed: each found a bug of its own.
#include "../check_none.hpp"
#include "../planted/simulate.hpp"

using namespace netsync::testing;
using namespace simulated;
using namespace std::chrono_literals;

TEST_CASE("given up while it was away, with what others have forgotten meanwhile") {
    for (const std::uint64_t seed : {6u, 27u, 34u, 124u, 532u, 670u, 685u, 775u, 780u, 1476u, 1546u}) {
        Librarian workload;
        workload.retires = true;
        workload.removes_labels = seed != 532 && seed != 670 && seed != 775;
        check_none(simulate_at_once(options_of(seed, faults::join(faults::messages(), faults::machines())), workload));
    }
}

// Two sides that gave each other up, and dropped tombstones apart: one change met a tombstone at one replica, and none at
// another, and nobody noticed for ever.
TEST_CASE("states that went different ways become one") {
    const auto with = [](SimulationOptions options) {
        const SimulationOptions drawn = options_of(options.seed, {});
        options.mix = false;
        options.replica = drawn.replica;
        Librarian workload;
        workload.retires = workload.removes_labels = true;
        check_none(simulate_at_once(options, workload));
    };
    with({.seed = 598,
          .faults =
              {.delay = 3571428ns, .partitions = 50s, .one_way_partitions = 80s, .crashes = 40s, .clock_jumps = 60s},
          .pace = 1008ms,
          .changes = 378,
          .time = 80625ms});
    with({.seed = 1337,
          .replicas = 4,
          .faults = {.loss = 27, .bit_flips = 6, .delay = 7692307ns, .one_way_partitions = 80s, .crashes = 20s},
          .pace = 886ms,
          .changes = 417,
          .time = 108750ms});
    with({.seed = 5382,
          .replicas = 6,
          .faults = {.partitions = 50s, .pauses = 45s, .crashes = 20s},
          .pace = 1247ms,
          .joining = 78s,
          .changes = 223,
          .time = 80625ms});
}

TEST_CASE("what a slow peer was sent before the healing may be answered late") {
    SimulationOptions options = options_of(10058, faults::join(faults::messages(), faults::machines()));
    Librarian workload;
    workload.retires = workload.removes_labels = true;
    check_none(simulate_at_once(options, workload));
}

TEST_CASE("disks that are wiped, put back from a backup, or copied") {
    for (const std::uint64_t seed : {1u, 2u, 3u, 12u, 20u, 38u, 50u, 142u, 268u, 415u, 601u}) {
        Faults most = faults::messages();
        const Faults all = faults::all();
        if (seed > 3 && seed != 268) most.clones = all.clones;
        if (seed <= 3) most.wiped_disks = all.wiped_disks;
        if (seed <= 3 || seed == 268) most.restored_backups = all.restored_backups;
        Librarian workload;
        check_none(simulate_at_once(options_of(seed, most), workload));
    }
}

TEST_CASE("disks that are copied while both copies live on, and messages are lost") {
    Faults most = faults::messages();
    most.clones = faults::all().clones;
    // Both copies gave way, each to the other's history. Agreement is looked for beyond the end of a history (229, 390), or
    // in a log that was cut (430, 956). The same change issued again by both (937, 981). Names that mean two changes (442).
    // A state joined with another history of the same replica (33, 37, 100316, 100508). What both copies hold was issued
    // again (139, 100445, 101605, 101977). A removal named a change of the history that went (101718). What a copy
    // made and told was issued again, and there already (716, 102333). What a member said moved its link to that of
    // its copy (100745, 100756).
    for (const std::uint64_t seed :
         {33u,  37u,     139u,    229u,    390u,    430u,    442u,    716u,    876u,    937u,   956u,
          981u, 100316u, 100445u, 100508u, 100745u, 100756u, 101605u, 101718u, 101977u, 102333u}) {
        Librarian workload;
        check_none(simulate_at_once(options_of(seed, seed == 139 ? faults::all() : most), workload));
    }
}
