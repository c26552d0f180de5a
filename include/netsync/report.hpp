// netsync: how a replica is doing, as plain values. Print it with netsync/format.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/sync/protocol.hpp>
#include <netsync/sync/report.hpp>
#include <string>
#include <vector>

namespace netsync {

/// What was not taken because a limit was reached (see Limits), counted since the replica was made.
struct TurnedAway {
    std::uint64_t frames = 0;    ///< too large, too deep, too much memory to read
    std::uint64_t buffered = 0;  ///< frames that would have waited for others: gossip brings them again
    std::uint64_t replicas = 0;  ///< changes of one more origin than a version vector may have
    std::uint64_t states = 0;    ///< whole states
    std::uint64_t members = 0;   ///< introductions, and members only heard of
    std::uint64_t links = 0;
    std::uint64_t waiters = 0;
    std::uint64_t sends = 0;  ///< messages that a slow link had no room for

    friend bool operator==(const TurnedAway&, const TurnedAway&) = default;
};

/// A moment's view of a replica: copies, so it stays as it was.
struct Report {
    ReplicaId replica{};
    std::string name{};
    std::string pool{};
    std::uint16_t port = 0;
    JoinState state = JoinState::alone;
    std::vector<Member> members{};      ///< by id
    std::vector<Head> heads{};          ///< the version vector, by id
    std::vector<Retirement> retired{};  ///< who was given up for good, and by whom
    std::uint64_t pending = 0;          ///< changes held that some member, which is not stale, is not known to have
    std::size_t log_bytes = 0;          ///< of frames logged since the last snapshot
    std::size_t buffered_frames = 0;    ///< waiting for others
    std::size_t buffered_bytes = 0;
    std::size_t waiters = 0;                  ///< calls that wait for a change to be replicated
    std::uint64_t announcements_ignored = 0;  ///< of other pools or versions, or not understood
    Traffic traffic{};
    TurnedAway turned_away{};
    std::vector<SyncReport> syncs{};  ///< the latest ones, oldest first
    std::error_code store_error{};    ///< why updates are refused, if they are
};

/// What copy and protocol know; the replica adds the rest.
template <class Copy>
Report make_report(const Options& options, const Copy& copy, const Protocol<Copy>& protocol) {
    const Pool<Copy>& pool = protocol.pool();
    const Gossip<Copy>& gossip = protocol.gossip();
    Report report{.replica = copy.id(), .name = options.name, .pool = options.pool, .state = gossip.state()};
    for (const auto& [replica, member] : pool.members()) report.members.push_back(member);
    report.retired = copy.retirements().records();
    report.heads = copy.history().heads();
    report.pending = pending(copy.history(), pool.members());
    report.log_bytes = copy.log_bytes();
    report.buffered_frames = copy.buffer().size();
    report.buffered_bytes = copy.buffer().size_bytes();
    report.waiters = protocol.waiters();
    report.traffic = protocol.traffic;
    report.turned_away = {.frames = protocol.traffic.frames_too_large,
                          .buffered = copy.buffer().refused(),
                          .replicas = copy.origins_refused(),
                          .states = gossip.states_refused(),
                          .members = pool.members_refused(),
                          .links = pool.links_refused(),
                          .waiters = protocol.waiters_refused(),
                          .sends = protocol.traffic.sends_skipped};
    report.announcements_ignored = pool.announcements_ignored();
    report.syncs.assign(gossip.reports().begin(), gossip.reports().end());
    return report;
}

}  // namespace netsync
