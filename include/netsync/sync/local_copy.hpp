// netsync: the data of one replica: its state, its log and its clock. Local changes come in and go out as frames
// (stages 1 to 4); frames and states of others come in and are merged (stage 9). Merge is the only thing that changes
// the state.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <deque>
#include <memory>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/clock/concept.hpp>
#include <netsync/observe/derived.hpp>
#include <netsync/observe/subscription.hpp>
#include <netsync/options.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/sync/batch.hpp>
#include <netsync/sync/identity.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/history.hpp>
#include <netsync/wire/snapshot.hpp>
#include <utility>

namespace netsync {

/// A change that was merged, as observers get it.
template <crdt CrdtType>
struct Merged {
    CrdtType delta;
    ChangeInfo info;
};

/// What became of a frame that was received, and of those that waited for it.
struct Received {
    std::size_t applied = 0;    ///< merged now
    bool held = false;          ///< waits for what it depends on
    bool duplicate = false;     ///< seen before
    std::error_code refused{};  ///< not merged, not counted as received: clock_drift is for now, the rest for good
};

/// Sans-IO but for its Store and Clock policies; every call is made under the replica's mutex.
template <store Store, clock Clock, crdt CrdtType>
class LocalCopy {
   public:
    LocalCopy(const Options& options, Store store, Clock clock, detail::Random& random)
        : options_(options), store_(std::move(store)), clock_(std::move(clock)),
          buffer_(options.limits.buffered_frames, options.limits.buffered_bytes) {
        id_ = open_identity(store_, options_, random);
        self_ = intern(id_);
        if (const SharedBytes bytes = store_.snapshot())
            if (const auto held = decode_snapshot<CrdtType>(*bytes, options_.limits)) static_cast<void>(join(*held));
        store_.replay([&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, options_.limits))
                if (frame->header().last() > counter_of(frame->header().origin))
                    static_cast<void>(apply(*frame, false));
            return true;
        });
        clock_.restore(history_.time());
    }

    const ReplicaId& id() const noexcept { return id_; }
    const CrdtType& state() const noexcept { return state_; }
    const History& history() const noexcept { return history_; }
    const CausalBuffer<Frame>& buffer() const noexcept { return buffer_; }
    Store& store() noexcept { return store_; }
    const Store& store() const noexcept { return store_; }
    Ntp64 now() const { return clock_.now(); }

    /// What this replica has made so far.
    ReplicaCounter frontier() const { return {id_, history_.counter(self_)}; }

    /// 1, 2: `steps(batch)` makes one change, merged as it is made. 3, 4: it becomes a frame in the log. No frame where
    /// nothing changed. `error` says why steps were left out, or that the log failed.
    template <class F>
    std::optional<Frame> change(F&& steps, std::error_code& error) {
        Batch<CrdtType> batch{state_,        history_.context(), self_, history_.counter(self_) + 1,
                              clock_.tick(), options_.limits};
        steps(batch);
        error = batch.error();
        if (!batch.changed()) return std::nullopt;
        FrameHeader header{.origin = id_, .first = history_.counter(self_) + 1, .time = batch.time()};
        header.count = std::max<std::uint64_t>(1, batch.minted().size());
        header.dependencies = take_dependencies();
        header.removed = to_counter_ranges(batch.removed());
        std::error_code unsendable;
        Frame frame = Frame::make(std::move(header), batch.encode(unsendable), history_.hash(self_));
        assert(!unsendable && "a delta-group is no larger than its steps, and each of them was encoded");
        if (unsendable) error = unsendable;
        if (const std::error_code failed = log(frame, self_)) error = failed;
        observe(batch.delta(), {id_, batch.time(), true, false});
        return frame;
    }

    /// 8: seen? Drop. A gap? Hold. 9: else it is merged, and with it all that waited for it.
    Received receive(const Frame& frame) {
        Received result;
        switch (buffer_.offer(frame, history_.vector())) {
        case Arrival::duplicate:
            result.duplicate = true;
            if (is_forked(frame)) result.refused = errc::forked;
            return result;
        case Arrival::held: result.held = true; break;
        case Arrival::refused: result.refused = errc::too_large; return result;
        case Arrival::ready: count(apply(frame, true), result); break;
        }
        while (const std::optional<Frame> next = buffer_.take(history_.vector())) count(apply(*next, true), result);
        drop_damaged();
        return result;
    }

    /// A whole state of another replica: joined under its own context, and kept as a snapshot of what both held.
    std::error_code adopt(ByteView bytes) {
        if (store_error_) return store_error_;
        const Result<SnapshotHeader> header = decode_snapshot_header(bytes, options_.limits);
        if (!header) return header.error();
        if (const std::error_code error = clock_.observe(header->time)) return error;
        const Result<Snapshot<CrdtType>> theirs = decode_snapshot<CrdtType>(bytes, options_.limits);
        if (!theirs) return theirs.error();
        const bool changed = join(*theirs);
        Result<Bytes> both = encode();
        if (!both) return both.error();
        uncommitted_ = true;
        unadopted_ = std::make_shared<const Bytes>(*std::move(both));
        if (catch_up()) return store_error_;
        while (const std::optional<Frame> next = buffer_.take(history_.vector())) static_cast<void>(apply(*next, true));
        drop_damaged();
        if (changed) observe(state_, {ReplicaId{}, theirs->time, false, true});
        return {};
    }

    Result<Bytes> encode() const { return encode_snapshot(history_.heads(), history_.time(), state_, options_.limits); }

    /// Makes what was logged durable. Until it succeeds nothing of it may be seen by a peer.
    std::error_code flush() {
        if (uncommitted_ && !catch_up() && !(store_error_ = store_.commit())) uncommitted_ = false;
        return store_error_;
    }
    std::error_code store_error() const noexcept { return store_error_; }

    Observers<Merged<CrdtType>> changes;
    Derivations<CrdtType> derivations;
    Notifications notifications;

   private:
    std::uint64_t counter_of(const ReplicaId& origin) const {
        const ReplicaIndex index = find_index(origin);
        return index == ReplicaIndex{} ? 0 : history_.counter(index);
    }

    static void count(std::error_code refused, Received& result) {
        if (refused)
            result.refused = refused;
        else
            ++result.applied;
    }

    /// A frame's hash is checked as soon as its predecessor is in, even if it still waits for others.
    void drop_damaged() {
        if (buffer_.size() == 0) return;
        buffer_.drop_next_if(history_.vector(), [&](const Frame& frame) {
            const ReplicaIndex origin = find_index(frame.header().origin);
            return !frame.continues(origin == ReplicaIndex{} ? 0 : history_.hash(origin));
        });
    }

    bool is_forked(const Frame& frame) const {
        const FrameHeader& header = frame.header();
        const ReplicaIndex origin = find_index(header.origin);
        return header.last() == history_.counter(origin) && header.hash != history_.hash(origin);
    }

    /// The version vector of this frame, where it rose since the last one.
    std::vector<ReplicaCounter> take_dependencies() {
        std::vector<ReplicaCounter> risen;
        if (!std::exchange(vector_rose_, false)) return risen;
        for (const VersionVector::Entry& entry : history_.vector().sorted())
            if (entry.replica != self_ && last_vector_.advance(entry.replica, entry.counter))
                risen.push_back({id_of(entry.replica), entry.counter});
        return risen;
    }

    /// 9: one frame whose dependencies are in.
    std::error_code apply(const Frame& frame, bool is_new) {
        const FrameHeader& header = frame.header();
        if (is_new && store_error_) return store_error_;  // what cannot be kept is not merged; gossip offers it again
        if (is_new && header.origin == id_) return errc::forked;
        if (history_.vector().size() >= options_.limits.replicas && counter_of(header.origin) == 0)
            return errc::too_large;
        const ReplicaIndex origin = intern(header.origin);
        if (origin == ReplicaIndex{}) return errc::replica_table_full;
        if (!frame.continues(history_.hash(origin))) return errc::forked;
        const Result<CrdtType> delta = frame.template delta<CrdtType>(options_.limits);
        if (!delta) return delta.error();
        if (!permits(*delta, header.origin.owner())) return errc::not_owner;
        if (is_new)
            if (const std::error_code error = clock_.observe(header.time)) return error;
        const CausalContext context = frame.context();
        const bool changed =
            merge(state_, *delta, Join{.mine = history_.context(), .theirs = context, .origin = header.origin.owner()});
        vector_rose_ = true;
        if (!is_new) {
            history_.advance(origin, header.last(), header.hash, header.time);
            return {};
        }
        if (const std::error_code error = log(frame, origin)) return error;
        if (changed) observe(*delta, {header.origin, header.time, false, false});
        return {};
    }

    /// 4: the log and the version vector derived from it move together.
    std::error_code log(const Frame& frame, ReplicaIndex origin) {
        const FrameHeader& header = frame.header();
        history_.advance(origin, header.last(), header.hash, header.time);
        uncommitted_ = true;
        unlogged_.push_back(frame);
        return catch_up();
    }

    /// Gives the store what it would not take before.
    std::error_code catch_up() {
        store_error_ = {};
        if (unadopted_ && !(store_error_ = store_.adopt(unadopted_, history_.heads()))) unadopted_.reset();
        while (!store_error_ && !unlogged_.empty())
            if (!(store_error_ = store_.append(unlogged_.front()))) unlogged_.pop_front();
        return store_error_;
    }

    bool join(const Snapshot<CrdtType>& theirs) {
        CausalContext context;
        for (const Head& head : theirs.heads) context.add(DotRange{intern(head.replica), 1, head.counter});
        const bool changed =
            merge(state_, theirs.state, Join{.mine = history_.context(), .theirs = context, .scope = Scope::whole});
        for (const Head& head : theirs.heads)
            if (const ReplicaIndex origin = intern(head.replica); head.counter > history_.counter(origin))
                history_.advance(origin, head.counter, head.hash, theirs.time);
        vector_rose_ = true;
        return changed;
    }

    void observe(const CrdtType& delta, const ChangeInfo& info) {
        derivations.update(state_, delta, info.whole);
        if (!changes.empty())
            changes.notify(std::make_shared<const Merged<CrdtType>>(Merged<CrdtType>{delta, info}), notifications);
    }

    const Options& options_;
    Store store_;
    Clock clock_;
    ReplicaId id_;
    ReplicaIndex self_{};
    CrdtType state_{};
    History history_;
    CausalBuffer<Frame> buffer_;
    VersionVector last_vector_;  // that of this replica's last frame
    bool vector_rose_ = false;
    bool uncommitted_ = false;
    SharedBytes unadopted_;       // merged before the store failed, which gets it when it works again
    std::deque<Frame> unlogged_;  // the same, of frames
    std::error_code store_error_;
};

}  // namespace netsync
