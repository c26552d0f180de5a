// netsync: what a copy holds: the state, and how far the history of each origin goes in it. A value, so that it can be
// encoded, hashed and joined while the replica goes on with another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <netsync/detail/hash.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/history.hpp>
#include <netsync/wire/snapshot.hpp>
#include <utility>

namespace netsync {

/// A whole state as it travels and is kept.
struct EncodedState {
    SharedBytes bytes{};
    std::uint64_t digest = 0;   ///< of the bytes
    std::vector<Head> heads{};  ///< up to where it holds each origin
};

/// Sets and maps are copied in O(1); see detail/sorted_map.hpp.
template <crdt CrdtType>
struct Content {
    CrdtType state{};
    History history{};

    /// A change whose dependencies are in: `delta` is what the frame holds; of an rvalue what it owns is taken over. True if
    /// the state changed.
    template <class Delta>
    bool merge(const Frame& frame, ReplicaIndex origin, Delta&& delta) {
        const FrameHeader& header = frame.header();
        for (const ReplicaCounter& name : header.instead_of)
            history.reissued({name.replica, header.origin, name.counter, header.first, header.count});
        CausalContext theirs = frame.context();
        const auto join = [&](const CausalContext& ours) {
            return netsync::merge(state, std::forward<Delta>(delta),
                                  Join{.mine = ours, .theirs = theirs, .origin = header.origin.owner()});
        };
        bool changed = false;
        if (has_other_names(header)) {
            CausalContext ours = history.context();
            history.reissues().widen(ours, alive_in(state));
            const DotRange minted{origin, header.first, header.last()};
            history.reissues().widen(theirs, [&](Dot dot) { return minted.contains(dot); });
            changed = join(ours);
        } else {
            changed = join(history.context());
        }
        advance(frame, origin);
        return changed;
    }

    /// A change from a log, where it goes on from what is held. True if it does.
    bool replay(const Frame& frame, const Limits& limits) {
        const FrameHeader& header = frame.header();
        if (header.first != history.counter(header.origin) + 1) return false;
        for (const ReplicaCounter& needed : header.dependencies)
            if (history.counter(needed.replica) < needed.counter) return false;
        const ReplicaIndex origin = intern(header.origin);
        if (origin == ReplicaIndex{} || !frame.continues(history.hash(origin))) return false;
        Result<CrdtType> delta = frame.template delta<CrdtType>(limits);
        if (!delta || !permits(*delta, header.origin.owner())) return false;
        merge(frame, origin, *std::move(delta));
        return true;
    }

    /// That a change is in the state already.
    void advance(const Frame& frame, ReplicaIndex origin) {
        const FrameHeader& header = frame.header();
        history.advance(origin, header.last(), header.hash, header.time);
    }

    /// A whole state under its own context. True if anything changed. Not `exact`: one side may lack tombstones that the
    /// other's changes should have met.
    bool join(Snapshot<CrdtType> theirs, bool exact = true) {
        bool changed = !theirs.heads.empty();
        const bool empty = is_empty();
        const bool same_way = exact && theirs.lineage == history.lineage();
        const Sides before = empty || same_way ? Sides{} : Sides{digest(), Content::of(theirs).digest()};
        hear(theirs);
        if (empty) {
            state = std::move(theirs.state);  // bottom ⊔ theirs
        } else {
            CausalContext ours = history.context(), context = context_of(theirs);
            if (!history.reissues().empty()) {
                history.reissues().widen(ours, alive_in(state));
                history.reissues().widen(context, alive_in(theirs.state));
            }
            changed = netsync::merge(state, std::move(theirs.state),
                                     Join{.mine = ours, .theirs = context, .scope = Scope::whole});
        }
        advance(theirs);
        if (empty)
            history.set_lineage(theirs.lineage);
        else if (!same_way)
            history.set_lineage(lineage_after(before, theirs.lineage));
        return changed;
    }

    /// The same of its bytes, which nearly always are joined as they are read. After an error what is held is of no use.
    Result<bool> join(ByteView bytes, const SnapshotHeader& header, const Limits& limits, bool exact) {
        const bool same_way = exact && header.lineage == history.lineage();
        if (is_empty() || !same_way || !header.reissues.empty() || !history.reissues().empty()) {
            Result<Snapshot<CrdtType>> theirs = decode_snapshot<CrdtType>(bytes, limits);
            if (!theirs) return theirs.error();
            return join(*std::move(theirs), exact);
        }
        bool changed = false;
        const auto read = [&](Input& in) {
            const CausalContext ours = history.context(), context = context_of(header);
            changed = in.merge_into(state, Join{.mine = ours, .theirs = context, .scope = Scope::whole});
        };
        if (const std::error_code error = read_snapshot(bytes, header, limits, read)) return error;
        hear(header);
        advance(header);
        return changed;
    }

    bool is_empty() const { return history.vector().empty() && is_bottom(state); }

    /// `expected`: see encode_snapshot, also of what becomes of a copy that is moved from.
    Result<EncodedState> encode(const Limits& limits, std::size_t expected = 0) const& {
        SnapshotHeader header = history.header();
        return encoded(encode_snapshot(header, state, limits, expected), header);
    }
    Result<EncodedState> encode(const Limits& limits, std::size_t expected = 0) && {
        SnapshotHeader header = history.header();
        return encoded(encode_snapshot(header, std::move(state), limits, expected), header);
    }

    /// Of the bytes of encode(). O(state).
    std::size_t size_encoded(const Limits& limits) && {
        return size_of_snapshot(history.header(), std::move(state), limits);
    }

    /// A hash of all that replicates, the same wherever the same changes are: without what some may have forgotten
    /// already, because all had seen it. O(state).
    std::uint64_t digest(const Limits& limits = {}) const& { return Content{*this}.digest(limits); }
    std::uint64_t digest(Limits limits = {}) && {
        limits.state = std::numeric_limits<std::size_t>::max();  // it is not sent
        drop_stable(state, history.vector());
        const SnapshotHeader header{.heads = history.heads(), .time = history.time(), .reissues = history.reissues()};
        const Result<Bytes> bytes = encode_snapshot(header, std::as_const(state), limits);
        return bytes ? detail::hash_bytes(bytes->data(), bytes->size()) : 0;
    }

   private:
    static Result<EncodedState> encoded(Result<Bytes> bytes, SnapshotHeader& header) {
        if (!bytes) return bytes.error();
        const std::uint64_t digest = detail::hash_bytes(bytes->data(), bytes->size());
        return EncodedState{SharedBytes{*std::move(bytes)}, digest, std::move(header.heads)};
    }

    /// What a state says beside what it holds.
    void hear(const SnapshotHeader& theirs) {
        for (const Reissue& reissue : theirs.reissues.all()) history.reissued(reissue);
        for (const Mark& mark : theirs.marks) history.mark(mark);
        history.forget(theirs.dropped());
    }
    /// That it is in ours.
    void advance(const SnapshotHeader& theirs) {
        for (const Head& head : theirs.heads)
            if (const ReplicaIndex origin = intern(head.replica); head.counter > history.counter(origin))
                history.advance(origin, head.counter, head.hash, theirs.time);
    }
    static CausalContext context_of(const SnapshotHeader& theirs) {
        CausalContext context;
        for (const Head& head : theirs.heads) context.add(DotRange{intern(head.replica), 1, head.counter});
        return context;
    }

    /// What both sides of a join read before it.
    struct Sides {
        std::uint64_t ours = 0;
        std::uint64_t theirs = 0;
    };

    static Content of(const Snapshot<CrdtType>& snapshot) {
        Content content;
        content.join(snapshot);
        return content;
    }

    /// Where both went their own ways: the way of the side that reads as the join does, or one that both sides find alike.
    std::uint64_t lineage_after(const Sides& before, std::uint64_t theirs) const {
        const std::uint64_t ours = history.lineage(), after = digest();
        const bool as_ours = after == before.ours, as_theirs = after == before.theirs;
        if (as_ours && as_theirs) return std::max(ours, theirs);
        if (as_ours || as_theirs) return as_ours ? ours : theirs;
        return detail::mix(std::min(ours, theirs), std::max(ours, theirs)) ^ after;
    }

    bool has_other_names(const FrameHeader& header) const {
        const Reissues& reissues = history.reissues();
        if (reissues.empty()) return false;
        return reissues.concern(header.origin, header.first, header.last()) ||
               std::any_of(header.removed.begin(), header.removed.end(), [&](const CounterRange& range) {
                   return reissues.concern(range.replica, range.first, range.last);
               });
    }

    /// Whether a dot that has more than one name is in a state. O(state), once.
    auto alive_in(const CrdtType& held) const {
        CausalContext alive;
        for_each_dot(held, [&](Dot dot) {
            if (history.reissues().concern(id_of(dot.replica()), dot.counter(), dot.counter())) alive.add(dot);
        });
        return [alive = std::move(alive)](Dot dot) { return alive.contains(dot); };
    }
};

}  // namespace netsync
