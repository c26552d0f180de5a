// netsync: how a round of synchronisation went.
#pragma once

#include <cstdint>
#include <netsync/causal/replica_id.hpp>
#include <netsync/options.hpp>
#include <string_view>

namespace netsync {

/// Why a round ended. Each one ends: with less difference, or with a reason.
enum class SyncEnd { repaired, adopted, no_progress, clock_drift, timed_out, peer_lost, failed };

constexpr std::string_view to_string(SyncEnd end) noexcept {
    switch (end) {
    case SyncEnd::repaired: return "repaired";
    case SyncEnd::adopted: return "state adopted";
    case SyncEnd::no_progress: return "no progress";
    case SyncEnd::clock_drift: return "clock drift";
    case SyncEnd::timed_out: return "timed out";
    case SyncEnd::peer_lost: return "peer lost";
    case SyncEnd::failed: return "failed";
    }
    return "?";
}

/// One round with one member, as the side that lacked something saw it.
struct SyncReport {
    ReplicaId peer{};
    std::uint64_t rounds = 0;   ///< requests sent
    std::uint64_t bytes = 0;    ///< received for it
    std::uint64_t frames = 0;   ///< received
    std::uint64_t applied = 0;  ///< of these, new here
    SyncEnd end = SyncEnd::failed;
    Duration took{};
};

}  // namespace netsync
