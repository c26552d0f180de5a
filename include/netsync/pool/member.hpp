// netsync: what a replica knows of another.
#pragma once

#include <netsync/causal/replica_id.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/wire/snapshot.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace netsync {

/// How a member stands, as seen from here. `live`: linked and heard of. `suspect`: silent or cut off, for less than the
/// timeout. `offline`: out of the live pool, still known.
enum class MemberState { known, live, suspect, offline };

/// How far this replica itself has come. `alone`: nobody answered yet. `greeting`: a link is being introduced.
/// `loading`: takes the state of the highest roller. `ready`: has what the pool had when it joined.
enum class JoinState { alone, greeting, loading, ready };

constexpr std::string_view to_string(MemberState state) noexcept {
    switch (state) {
    case MemberState::known: return "known";
    case MemberState::live: return "live";
    case MemberState::suspect: return "suspect";
    case MemberState::offline: return "offline";
    }
    return "?";
}

constexpr std::string_view to_string(JoinState state) noexcept {
    switch (state) {
    case JoinState::alone: return "alone";
    case JoinState::greeting: return "greeting";
    case JoinState::loading: return "loading";
    case JoinState::ready: return "ready";
    }
    return "?";
}

struct Member {
    ReplicaId replica{};
    std::string name{};
    MemberState state = MemberState::known;
    Endpoint endpoint{};
    Link link{};                ///< where it is talked to; Link{} where it is not
    std::vector<Head> heads{};  ///< what it was last known to hold
    Duration last_heard{};      ///< on the transport's clock
    Ntp64 last_seen{};          ///< on the wall clock; zero: never
    Ntp64 last_synchronized{};  ///< when it was last known to hold the same as this replica
    Duration round_trip{};      ///< of the last ping; zero: none yet
    Duration skew{};            ///< of its wall clock against ours, ahead is positive
    Duration redial_at{};
    Duration redial_after{};
};

/// What observers of the pool hear: a member is new or changed its state, or the pool refused a peer.
struct PoolEvent {
    ReplicaId replica{};  ///< nil where it never said
    MemberState before = MemberState::known;
    MemberState now = MemberState::known;
    std::error_code refused{};  ///< why a link was refused, by us or by the peer; the states then mean nothing
};

}  // namespace netsync
