// netsync: a change while it is being made. A mutator takes dots and the time from it and returns a delta; what was
// minted and removed is the delta's causal context.
#pragma once

#include <cassert>
#include <netsync/causal/causal_context.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/crdt/composition.hpp>
#include <vector>

namespace netsync {

/// Handed to a mutator, made by the replica: `Change{self, next counter, time}`. Not for keeping. One thread.
class Change {
   public:
    Change(ReplicaIndex replica, std::uint64_t next_counter, Ntp64 time)
        : minted_{replica, next_counter, next_counter - 1}, time_(time) {}

    /// The next dot of this replica: names what the delta adds.
    Dot mint() {
        ++minted_.last;
        return Dot{minted_.replica, minted_.last};
    }

    /// Says that the dot was seen and is superseded: with the dot absent from the delta, that is an observed-remove.
    void remove(Dot dot) { removed_.push_back(dot); }

    /// Removes everything alive in `content`: exactly what this replica has seen of it. O(dots in content).
    template <crdt T>
    void remove_all(const T& content) {
        netsync::for_each_dot(content, [this](Dot dot) { remove(dot); });
    }

    /// The one time of all that this change writes; ties within it go by counter.
    Ntp64 time() const noexcept { return time_; }
    ReplicaIndex replica() const noexcept { return minted_.replica; }
    OwnerId owner() const { return id_of(minted_.replica).owner(); }

    const DotRange& minted() const noexcept { return minted_; }
    const std::vector<Dot>& removed() const noexcept { return removed_; }

    /// The delta's causal context.
    CausalContext context() const {
        CausalContext context{minted_};
        for (const Dot dot : removed_) context.add(dot);
        return context;
    }

   private:
    DotRange minted_;
    Ntp64 time_;
    std::vector<Dot> removed_;
};

}  // namespace netsync
