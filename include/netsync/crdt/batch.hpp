// netsync: several changes as one delta. Steps come in, each seeing those before it; their delta-group goes out.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/path.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// A delta-group in the making (Almeida, Shoker, Baquero 2018): one frame, atomic at every replica. Each step is merged
/// into the state as it is made. Handed to the function given to `batch`; not for keeping. One thread.
template <crdt T>
class Batch {
   public:
    Batch(T& state, const CausalContext& seen, ReplicaIndex replica, std::uint64_t next_counter, Ntp64 time)
        : state_(state), seen_(seen), minted_{replica, next_counter, next_counter - 1}, time_(time) {}

    /// One step, spelled as in Replica::update.
    template <class... Steps>
    void update(Steps&&... path_and_mutator) {
        Change change{minted_.replica, minted_.last + 1, time_};
        T delta = detail::update_at(std::as_const(state_), change, path_and_mutator...);
        permitted_ = permitted_ && permits(delta, change.owner());
        if (!permitted_) return;
        const CausalContext context = change.context();
        const OwnerId owner = change.owner();
        changed_ |= merge(state_, delta, Join{.mine = seen_, .theirs = context, .origin = owner});
        if (steps_++ == 0)
            delta_ = std::move(delta);
        else
            merge(delta_, delta, Join{.mine = context_, .theirs = context, .target = Target::delta, .origin = owner});
        context_.merge(context);
        for (const Dot dot : change.removed())
            if (!minted_.contains(dot)) removed_.push_back(dot);
        minted_.last = change.minted().last;
    }

    /// The state with the steps so far.
    const T& state() const noexcept { return state_; }

    const T& delta() const noexcept { return delta_; }
    const DotRange& minted() const noexcept { return minted_; }
    const std::vector<Dot>& removed() const noexcept { return removed_; }
    Ntp64 time() const noexcept { return time_; }
    bool changed() const noexcept { return changed_; }
    /// False when a step wrote what belongs to another owner: that step and all after it were left out.
    bool permitted() const noexcept { return permitted_; }

   private:
    T& state_;
    const CausalContext& seen_;
    DotRange minted_;
    Ntp64 time_;
    T delta_{};
    CausalContext context_;
    std::vector<Dot> removed_;
    std::size_t steps_ = 0;
    bool changed_ = false;
    bool permitted_ = true;
};

}  // namespace netsync
