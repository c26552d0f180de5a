// netsync: how a replica is doing, as plain values. Print it with netsync/format.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/pool/pool.hpp>
#include <netsync/sync/gossip.hpp>
#include <netsync/sync/report.hpp>
#include <string>
#include <vector>

namespace netsync {

/// Counted since the replica was made. Bytes are those of messages, without the transport's own headers.
struct Traffic {
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t frames_in = 0;         ///< received, new or not
    std::uint64_t frames_out = 0;        ///< sent, each as often as it was sent
    std::uint64_t frames_applied = 0;    ///< of others, merged here
    std::uint64_t frames_duplicate = 0;  ///< received again
    std::uint64_t frames_refused = 0;    ///< for an error: not ours to write, malformed, forked
    std::uint64_t frames_drifted = 0;    ///< refused for now: stamped too far ahead
    std::uint64_t messages_bad = 0;      ///< not understood
    std::uint64_t sends_skipped = 0;     ///< messages that a slow link had no room for

    void count_received(std::size_t applied, bool duplicate, std::error_code refused) noexcept {
        ++frames_in;
        frames_applied += applied;
        if (duplicate) ++frames_duplicate;
        if (refused == errc::clock_drift)
            ++frames_drifted;
        else if (refused)
            ++frames_refused;
    }
};

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

/// Hands to the transport what the protocol wants done, and counts it.
template <transport Transport>
void carry_out(const Outbox& out, Transport& transport, Traffic& traffic) {
    for (const Outbox::Send& send : out.sends) {
        if (transport.send(send.link, send.message)) {
            ++traffic.messages_out;
            traffic.bytes_out += send.message->size();
            if (kind_of(*send.message) == MessageKind::update) ++traffic.frames_out;
        } else {
            ++traffic.sends_skipped;
        }
    }
    for (const Link link : out.closes) transport.close(link);
    for (const Endpoint& endpoint : out.dials) static_cast<void>(transport.dial(endpoint));
    if (out.announcement) transport.announce(*out.announcement);
}

}  // namespace netsync
