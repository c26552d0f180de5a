// netsync: what outlives a replica's process in a simulation: a name, a disk, a wall clock.
#pragma once

#include <cstddef>
#include <netsync/causal/replica_id.hpp>
#include <netsync/testing/disk.hpp>
#include <netsync/testing/wall_clock.hpp>
#include <string>

namespace netsync::testing {

struct Machine {
    Machine(std::size_t at, const Duration& now, Duration skew)
        : number(at), name("replica-" + std::to_string(at)), wall(now, skew) {}

    std::size_t number;
    std::string name;  ///< Options::name
    Disk disk{};
    WallClock wall;
    Ntp64 greatest_wall{};  ///< that its replica may have read
    ReplicaId replica{};    ///< of the process that runs, or ran last
    unsigned starts = 0;
    bool running = false;
};

}  // namespace netsync::testing
