// netsync: several changes as one delta. Steps come in, each seeing those before it; their delta-group goes out.
#pragma once

#include <cassert>
#include <cstdint>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/path.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/limits.hpp>
#include <netsync/wire/output.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// A delta-group in the making (Almeida, Shoker, Baquero 2018): one frame, atomic at every replica. Each step is
/// checked, encoded and merged as it is made. Handed to the function given to `batch`; not for keeping. One thread.
template <crdt T>
class Batch {
   public:
    Batch(T& state, const CausalContext& seen, ReplicaIndex replica, std::uint64_t next_counter, Ntp64 time,
          const Limits& limits, bool watched)
        : state_(state), seen_(seen), minted_{replica, next_counter, next_counter - 1}, time_(time), limits_(limits),
          watched_(watched) {}

    /// One step, spelled as in Replica::update; a verb that is an rvalue gives its arguments away. A step that cannot be
    /// made (errc::not_owner, too_large, too_deep, not_utf8) is left out, and so is every one after it; those before it
    /// stand.
    template <class... Steps>
    void update(Steps&&... path_and_mutator) {
        step(false, std::forward<Steps>(path_and_mutator)...);
    }

    /// The same for the first step of a change that has no other: where nobody watches, the state takes its delta over.
    template <class... Steps>
    void update_alone(Steps&&... path_and_mutator) {
        step(!watched_, std::forward<Steps>(path_and_mutator)...);
    }

    /// The state with the steps so far.
    const T& state() const noexcept { return state_; }
    /// Why steps were left out, if any were.
    std::error_code error() const noexcept { return error_; }

    // What the frame is made of.
    const T& delta() const noexcept { return delta_; }
    ByteView encode(std::error_code& error) {
        if (steps_ > 1) {
            encoded_.restart(DotSpace{minted_, time_}, limits_.depth);
            error = encode_delta(encoded_, delta_, limits_);
        }
        return encoded_.view();
    }
    const DotRange& minted() const noexcept { return minted_; }
    const std::vector<Dot>& removed() const noexcept { return removed_; }
    Ntp64 time() const noexcept { return time_; }
    bool changed() const noexcept { return changed_ || !minted_.empty() || !removed_.empty(); }

   private:
    template <class... Steps>
    void step(bool alone, Steps&&... path_and_mutator) {
        assert(!taken_ && "netsync: after update_alone there is no other step");
        if (error_) return;
        Change change{minted_.replica, minted_.last + 1, time_};
        T delta = detail::update_at(std::as_const(state_), change, std::forward<Steps>(path_and_mutator)...);
        if (!permits(delta, change.owner())) return fail(errc::not_owner);
        if (steps_ == 0) {
            if (!fits(encoded_, change, delta)) return;
        } else {
            Output later;
            if (!fits(later, change, delta)) return;
        }
        take(change, std::move(delta), alone);
    }

    void fail(std::error_code error) { error_ = error; }

    /// Encodes one step; whether there is room for it.
    bool fits(Output& encoded, const Change& change, const T& delta) {
        encoded.restart(DotSpace{change.minted(), time_}, limits_.depth);
        std::error_code error = encode_delta(encoded, delta, limits_);
        const std::size_t ranges = (removed_.size() + change.removed().size()) * sizeof(CounterRange);
        if (!error && !limits_.fits_frame(size_ + encoded.size() + ranges, cost_ + encoded.cost() + ranges))
            error = errc::too_large;
        if (error) return fail(error), false;
        size_ += encoded.size();
        cost_ += encoded.cost();
        return true;
    }

    void take(const Change& change, T&& delta, bool alone) {
        CausalContext context = change.context();
        const OwnerId owner = change.owner();
        const Join join{.mine = seen_, .theirs = context, .origin = owner};
        changed_ |= alone ? merge(state_, std::move(delta), join) : merge(state_, delta, join);
        for (const Dot dot : change.removed())
            if (!minted_.contains(dot)) removed_.push_back(dot);
        minted_.last = change.minted().last;
        if (steps_++ == 0) {
            if (taken_ = alone; taken_) return;
            delta_ = std::move(delta);
            context_ = std::move(context);
        } else {
            merge(delta_, delta, Join{.mine = context_, .theirs = context, .target = Target::delta, .origin = owner});
            context_.merge(context);
        }
    }

    T& state_;
    const CausalContext& seen_;
    DotRange minted_;
    Ntp64 time_;
    const Limits& limits_;
    bool watched_;        // whether anybody asks for the delta
    bool taken_ = false;  // the delta went into the state
    T delta_{};
    Output encoded_;  // the first step; at the end, all of them
    CausalContext context_;
    std::vector<Dot> removed_;
    std::size_t size_ = 0;
    std::size_t cost_ = 0;
    std::size_t steps_ = 0;
    bool changed_ = false;
    std::error_code error_;
};

}  // namespace netsync
