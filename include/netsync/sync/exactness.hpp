// netsync: whether a merge is exact, so that all who hold the same changes come to the same state. What was forgotten, and
// who was waited for then, come in; whether a change or a state met all tombstones that it would have met elsewhere goes out.
#pragma once

#include <algorithm>
#include <netsync/pool/retirement.hpp>
#include <netsync/wire/forgotten.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/history.hpp>
#include <netsync/wire/snapshot.hpp>
#include <vector>

namespace netsync {

/// Tombstones are dropped when every member has seen them (causal stability), so no change of a member can come later that
/// should have met one. It can of those who were no members: nobody knew them, or they had been given up. A view, for a call.
class Exactness {
   public:
    Exactness(const History& history, const Retirements& retirements) : history_(history), retirements_(retirements) {}

    /// Whether a change, whose time may lie in the past, was made without what was forgotten up to this cut. Where it would
    /// meet a tombstone, others would come to another result.
    bool is_beside(const Forgotten& cut, const FrameHeader& header) const {
        if (cut.empty() || !is_unheeded(header.origin)) return false;
        return retirements_.speak_of(header.origin) || cut.is_lacked_by(header.dependencies);
    }

    /// Whether a state brings changes that were not waited for when something was forgotten here. O(replicas).
    bool has_unheeded(const SnapshotHeader& theirs) const {
        return std::any_of(theirs.heads.begin(), theirs.heads.end(), [&](const Head& head) {
            return head.counter > history_.counter(head.replica) && is_unheeded(head.replica);
        });
    }

    /// Whether what is held, and a state, may be joined without either lacking tombstones that the other's changes should
    /// meet. O(replicas).
    bool may_join(const SnapshotHeader& theirs) const {
        if (!history_.forgotten().empty() && has_unheeded(theirs)) return false;
        const VersionVector& ours = history_.vector();
        return theirs.forgotten.empty() ||
               std::none_of(ours.begin(), ours.end(), [&](const VersionVector::Entry& entry) {
                   const ReplicaId& replica = id_of(entry.replica);
                   const std::uint64_t known = counter_in(theirs.heads, replica);
                   return entry.counter > known && (known == 0 || retirements_.speak_of(replica));
               });
    }

    /// Whether these changes may follow a state: those of whom it knows nothing had seen what was forgotten in it. Those of
    /// `self` are issued again. O(frames x replicas).
    bool may_follow(const std::vector<Frame>& frames, const SnapshotHeader& theirs, const ReplicaId& self) const {
        if (theirs.forgotten.empty()) return true;
        const Forgotten cut = theirs.dropped();
        return std::none_of(frames.begin(), frames.end(), [&](const Frame& frame) {
            const FrameHeader& header = frame.header();
            const std::uint64_t known = counter_in(theirs.heads, header.origin);
            if (header.first != known + 1 || header.origin == self) return false;
            return retirements_.speak_of(header.origin) || (known == 0 && cut.is_lacked_by(header.dependencies));
        });
    }

   private:
    /// Whether more of a replica may be news that was not waited for.
    bool is_unheeded(const ReplicaId& origin) const {
        return history_.counter(origin) == 0 || retirements_.speak_of(origin);
    }

    const History& history_;
    const Retirements& retirements_;
};

}  // namespace netsync
