// netsync: how a change spreads through a large pool. A frame and the members it is for come in; a few sends go out, each
// to one member that passes it on to its share of the rest.
#pragma once

#include <algorithm>
#include <netsync/pool/outbox.hpp>
#include <netsync/sync/message.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// A broadcast tree along the ring of replica ids (El-Ansary et al. 2003): nobody sends more than log2(n) + 4 messages, n
/// in all, and no tree is kept up. A share whose relay fails is repaired by gossip. Up to `direct` members the writer
/// sends to each.
class Relay {
   public:
    /// Sends `frame` to the live members whose ids follow `self` on the ring, up to `until`, which is not included; all
    /// of them where it is `self` itself.
    template <class Pool>
    static void spread(Pool& pool, const ReplicaId& self, const ReplicaId& until, const SharedBytes& frame,
                       Outbox& out) {
        std::vector<const Member*> ring;
        pool.for_each_live([&](const Member& member) {
            if (within(self, member.replica, until)) ring.push_back(&member);
        });
        if (self == until && ring.size() <= direct) {
            for (const Member* member : ring) out.sends.push_back({member->link, frame});
            return;
        }
        std::rotate(
            ring.begin(),
            std::find_if(ring.begin(), ring.end(), [&](const Member* member) { return self < member->replica; }),
            ring.end());
        ReplicaId end = until;
        while (ring.size() > leaves) {
            const std::size_t half = ring.size() / 2;
            out.send(ring[half]->link, RelayMessage{end, {frame}});
            end = ring[half]->replica;
            ring.resize(half);
        }
        for (const Member* member : ring) out.sends.push_back({member->link, frame});
    }

   private:
    static constexpr std::size_t direct = 16;
    static constexpr std::size_t leaves = 4;

    static bool within(const ReplicaId& from, const ReplicaId& id, const ReplicaId& until) {
        if (from == until) return true;
        return from < until ? from < id && id < until : from < id || id < until;
    }
};

}  // namespace netsync
