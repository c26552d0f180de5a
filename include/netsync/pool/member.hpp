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

/// How a member stands, as seen from here. `known`: told of by others, never linked. `live`: linked and heard of.
/// `suspect`: silent or cut off, for less than the timeout. `offline`: out of the live pool. `stale`: for so long that
/// nothing is kept for it any more.
enum class MemberState { known, live, suspect, offline, stale };

/// How far this replica itself has come. `alone`: nobody answered yet. `greeting`: a link is being introduced.
/// `loading`: takes the state of the highest roller. `ready`: has what the pool had when it joined.
enum class JoinState { alone, greeting, loading, ready };

constexpr std::string_view to_string(MemberState state) noexcept {
    switch (state) {
    case MemberState::known: return "known";
    case MemberState::live: return "live";
    case MemberState::suspect: return "suspect";
    case MemberState::offline: return "offline";
    case MemberState::stale: return "stale";
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
    bool ready = false;     ///< as it says: has loaded, takes part
    bool expected = false;  ///< others say that it lives: it may be about to introduce itself
    bool settled = false;   ///< as it says: has forgotten what all had seen
    Endpoint endpoint{};
    Link link{};                ///< where it is talked to; Link{} where it is not
    std::vector<Head> heads{};  ///< what it was last known to hold
    std::uint64_t retired = 0;  ///< the digest of the retirements that it knew then
    Duration last_heard{};      ///< on the transport's clock, by ourselves or by others
    Ntp64 last_seen{};          ///< on the wall clock; zero: never
    Ntp64 last_synchronized{};  ///< when it was last known to hold the same as this replica
    Duration round_trip{};      ///< smoothed; zero: none measured yet
    Duration skew{};            ///< of its wall clock against ours, ahead is positive
    std::uint64_t session = 0;
    std::uint64_t session_before = 0;
    std::uint64_t opened = 0;  // see Twin
    Duration redial_at{};

    /// The counter of `origin` that it was last known to hold. O(log origins).
    std::uint64_t holds(const ReplicaId& origin) const { return counter_in(heads, origin); }
};

/// What observers of the pool hear: a member is new or changed its state, or the pool refused a peer or a frame.
struct PoolEvent {
    ReplicaId replica{};  ///< the member, the peer, or the frame's origin; nil where it never said
    MemberState before = MemberState::known;
    MemberState now = MemberState::known;
    std::error_code
        refused{};        ///< why a link or a frame was refused, by us or by the peer; the states then mean nothing
    Endpoint endpoint{};  ///< of a refused peer, as far as it is known
};

}  // namespace netsync
