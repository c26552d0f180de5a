// netsync: whether another replica runs under this id, on a copy of this store, or this one on a copy of its. What the others
// say of themselves comes in; who gives way, and what both had, goes out.
#pragma once

#include <cstdint>
#include <netsync/causal/replica_id.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/wire/frame.hpp>
#include <optional>

namespace netsync {

/// `Copy` is the LocalCopy whose history is told. One thread.
template <class Copy>
class Twins {
   public:
    Twins(const Copy& copy, std::uint64_t session) : copy_(copy), session_(session) {}

    /// Tells a replica from another one of the same id.
    std::uint64_t session() const noexcept { return session_; }
    /// This replica goes on under another id: nobody else has that.
    void renew(std::uint64_t session) {
        original_.reset();
        session_ = session;
    }

    /// What this replica says of itself to one of the same name.
    Twin self(const ReplicaId& name) const {
        Twin twin{.session = session_};
        if (name != copy_.id()) return twin;
        const std::uint64_t counter = copy_.history().counter(name);
        twin.opened = copy_.opened();
        if (!copy_.is_durable(name, counter)) return twin;  // nothing is told of it yet
        twin.counter = counter;
        twin.hash = copy_.history().hash(name);
        return twin;
    }

    /// Our own dial come back to us is refused in silence; under another session it is a copy of this replica, or this one is
    /// a copy of it. The one gives way of whose changes the other one has all, or else whose store was opened later, when
    /// it held more, and of two that were opened with the same the one whose session is the lower.
    void meet(const ReplicaId& name, const Twin& other) {
        if (other.session == 0 || other.session == session_) return;
        const Twin own = self(name);
        hear_of({name, other.opened});
        const bool ours_there = own.is_in(other), theirs_here = other.is_in(own);
        const bool stays = ours_there != theirs_here    ? theirs_here
                           : own.opened != other.opened ? own.opened < other.opened
                                                        : own.session > other.session;
        if (!stays) original_ = other;
    }

    /// `opened`: what of a replica's changes another one's store held, when it was opened. Of several the least is sure.
    void hear_of(const ReplicaCounter& opened) {
        if (opened.replica != copy_.id() || opened.counter <= copy_.opened()) return;
        if (copied() == 0 || opened.counter < copied()) copied_ = opened;
    }

    /// Somebody has met both, and took the other one for a member.
    void refused() {
        if (!original_) original_ = Twin{};
    }

    /// Whether this one is to give way, by taking another id: what the other one said of itself.
    const std::optional<Twin>& original() const noexcept { return original_; }
    /// What of this replica's changes a copy of its store had when it was opened, as far as one has told; 0: none has.
    std::uint64_t copied() const noexcept { return copied_.replica == copy_.id() ? copied_.counter : 0; }

   private:
    const Copy& copy_;
    std::uint64_t session_;
    std::optional<Twin> original_;
    ReplicaCounter copied_;
};

}  // namespace netsync
