// netsync: how a replica is doing, as plain values. Print it with netsync/format.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/pool/pool.hpp>
#include <netsync/sync/gossip.hpp>
#include <netsync/sync/report.hpp>
#include <netsync/sync/traffic.hpp>
#include <string>
#include <vector>

namespace netsync {

/// A moment's view of a replica: copies, so it stays as it was.
struct Report {
    ReplicaId replica{};
    std::string name{};
    std::string pool{};
    std::uint16_t port = 0;
    JoinState state = JoinState::alone;
    std::vector<Member> members{};    ///< by id
    std::vector<Head> heads{};        ///< the version vector, by id
    std::uint64_t pending = 0;        ///< changes held that some member is not known to have
    std::size_t buffered_frames = 0;  ///< waiting for others
    std::size_t buffered_bytes = 0;
    std::uint64_t announcements_ignored = 0;  ///< of other pools or versions, or not understood
    Traffic traffic{};
    std::vector<SyncReport> syncs{};  ///< the latest ones, oldest first
    std::error_code store_error{};    ///< why updates are refused, if they are
};

/// What pool and gossip know; the replica adds the rest.
inline Report make_report(const Options& options, const Pool& pool, const Gossip& gossip, const History& history,
                          const CausalBuffer<Frame>& buffer) {
    Report report{.replica = pool.self(), .name = options.name, .pool = options.pool, .state = gossip.state()};
    for (const auto& [replica, member] : pool.members()) report.members.push_back(member);
    report.heads = history.heads();
    for (const Head& head : report.heads) {
        std::uint64_t everywhere = head.counter;
        for (const Member& member : report.members) {
            const auto known = std::find_if(member.heads.begin(), member.heads.end(),
                                            [&](const Head& theirs) { return theirs.replica == head.replica; });
            everywhere = std::min(everywhere, known == member.heads.end() ? 0 : known->counter);
        }
        report.pending += head.counter - everywhere;
    }
    report.buffered_frames = buffer.size();
    report.buffered_bytes = buffer.size_bytes();
    report.announcements_ignored = pool.announcements_ignored();
    report.syncs.assign(gossip.reports().begin(), gossip.reports().end());
    return report;
}

}  // namespace netsync
