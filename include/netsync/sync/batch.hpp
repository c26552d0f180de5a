// netsync: several changes as one delta. Steps come in, each seeing those before it; their delta-group goes out.
#pragma once

#include <cstdint>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/path.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/limits.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// A delta-group in the making (Almeida, Shoker, Baquero 2018): one frame, atomic at every replica. Each step is
/// checked, encoded and merged as it is made. Handed to the function given to `batch`; not for keeping. One thread.
template <crdt T>
class Batch {
 public:
    Batch(T& state, const CausalContext& seen, ReplicaIndex replica, std::uint64_t next_counter, Ntp64 time,
          const Limits& limits)
        : state_(state), seen_(seen), minted_{replica, next_counter, next_counter - 1}, time_(time), limits_(limits) {}

    /// One step, spelled as in Replica::update. A step that cannot be made (errc::not_owner, too_large, too_deep,
    /// not_utf8) is left out, and so is every one after it; those before it stand.
    template <class... Steps>
    void update(Steps&&... path_and_mutator) {
        if (error_) return;
        Change change{minted_.replica, minted_.last + 1, time_};
        T delta = detail::update_at(std::as_const(state_), change, path_and_mutator...);
        if (!permits(delta, change.owner())) return fail(errc::not_owner);
        Result<Bytes> encoded = encode_delta(delta, change.minted(), time_, limits_);
        if (!encoded) return fail(encoded.error());
        const std::size_t header = (removed_.size() + change.removed().size()) * removed_size;
        if (size_ + encoded->size() + header > limits_.frame / 2) return fail(errc::too_large);
        take(change, std::move(delta), *std::move(encoded));
    }

    /// The state with the steps so far.
    const T& state() const noexcept { return state_; }
    /// Why steps were left out, if any were.
    std::error_code error() const noexcept { return error_; }

    // What the frame is made of.
    const T& delta() const noexcept { return delta_; }
    Result<Bytes> encode() {
        if (steps_ == 1) return std::move(encoded_);
        return encode_delta(delta_, minted_, time_, limits_);
    }
    const DotRange& minted() const noexcept { return minted_; }
    const std::vector<Dot>& removed() const noexcept { return removed_; }
    Ntp64 time() const noexcept { return time_; }
    bool changed() const noexcept { return changed_ || !minted_.empty() || !removed_.empty(); }

 private:
    static constexpr std::size_t removed_size = 24;  // of a removed range in a frame's header, about

    void fail(std::error_code error) { error_ = error; }

    void take(const Change& change, T&& delta, Bytes&& encoded) {
        const CausalContext context = change.context();
        const OwnerId owner = change.owner();
        changed_ |= merge(state_, delta, Join{.mine = seen_, .theirs = context, .origin = owner});
        size_ += encoded.size();
        if (steps_++ == 0) {
            delta_ = std::move(delta);
            encoded_ = std::move(encoded);
        } else {
            merge(delta_, delta, Join{.mine = context_, .theirs = context, .target = Target::delta, .origin = owner});
        }
        for (const Dot dot : change.removed())
            if (!minted_.contains(dot)) removed_.push_back(dot);
        minted_.last = change.minted().last;
        context_.merge(context);
    }

    T& state_;
    const CausalContext& seen_;
    DotRange minted_;
    Ntp64 time_;
    const Limits& limits_;
    T delta_{};
    Bytes encoded_;  // of the first step
    CausalContext context_;
    std::vector<Dot> removed_;
    std::size_t size_ = 0;
    std::size_t steps_ = 0;
    bool changed_ = false;
    std::error_code error_;
};

}  // namespace netsync
