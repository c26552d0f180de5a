// netsync: what a copy holds: the state, and how far the history of each origin goes in it. A value, so that it can be
// encoded, hashed and joined while the replica goes on with another.
#pragma once

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

    /// The highest counter held of a replica's changes. O(log replicas).
    std::uint64_t counter(const ReplicaId& origin) const {
        const ReplicaIndex index = find_index(origin);
        return index == ReplicaIndex{} ? 0 : history.counter(index);
    }

    /// A change whose dependencies are in: `delta` is what the frame holds. True if the state changed.
    bool merge(const Frame& frame, ReplicaIndex origin, const CrdtType& delta) {
        const CausalContext context = frame.context();
        const bool changed = netsync::merge(
            state, delta, Join{.mine = history.context(), .theirs = context, .origin = frame.header().origin.owner()});
        advance(frame, origin);
        return changed;
    }

    /// The same for a change that the state has already.
    void advance(const Frame& frame, ReplicaIndex origin) {
        const FrameHeader& header = frame.header();
        history.advance(origin, header.last(), header.hash, header.time);
    }

    /// A whole state under its own context. True if anything changed.
    bool join(Snapshot<CrdtType> theirs) {
        bool changed = !theirs.heads.empty();
        if (is_empty()) {
            state = std::move(theirs.state);  // bottom ⊔ theirs
        } else {
            CausalContext context;
            for (const Head& head : theirs.heads) context.add(DotRange{intern(head.replica), 1, head.counter});
            changed = netsync::merge(state, theirs.state,
                                     Join{.mine = history.context(), .theirs = context, .scope = Scope::whole});
        }
        for (const Head& head : theirs.heads)
            if (const ReplicaIndex origin = intern(head.replica); head.counter > history.counter(origin))
                history.advance(origin, head.counter, head.hash, theirs.time);
        return changed;
    }

    bool is_empty() const { return history.vector().empty() && is_bottom(state); }

    /// The same as encode() of what these bytes were decoded to.
    static EncodedState as_encoded(Bytes bytes, std::vector<Head> heads) {
        EncodedState encoded{.heads = std::move(heads)};
        encoded.digest = detail::hash_bytes(bytes.data(), bytes.size());
        encoded.bytes = std::make_shared<const Bytes>(std::move(bytes));
        return encoded;
    }

    Result<EncodedState> encode(const Limits& limits) const {
        std::vector<Head> heads = history.heads();
        Result<Bytes> bytes = encode_snapshot(heads, history.time(), state, limits);
        if (!bytes) return bytes.error();
        return as_encoded(*std::move(bytes), std::move(heads));
    }

    /// A hash of all that replicates, the same wherever the same changes are: without what some may have forgotten
    /// already, because all had seen it. O(state).
    std::uint64_t digest(Limits limits) const {
        limits.state = std::numeric_limits<std::size_t>::max();  // it is not sent
        CrdtType plain = state;
        drop_stable(plain, history.vector());
        const Result<Bytes> bytes = encode_snapshot(history.heads(), history.time(), plain, limits);
        return bytes ? detail::hash_bytes(bytes->data(), bytes->size()) : 0;
    }
};

}  // namespace netsync
