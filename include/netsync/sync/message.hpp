// netsync: what two members say to become equal: digests, version vectors, frames, states.
#pragma once

#include <cstdint>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/wire/message.hpp>
#include <netsync/wire/snapshot.hpp>
#include <type_traits>
#include <utility>
#include <vector>

namespace netsync {

/// "I hold this, and know these members." The answer is the same digest, where it is equal, or HeadsMessage.
struct DigestMessage {
    static constexpr MessageKind kind = MessageKind::digest;
    std::uint64_t digest = 0;
    bool answer = false;
};

/// What exactly is held, and who is known. With `answer_wanted` the other tells its own in turn.
struct HeadsMessage {
    static constexpr MessageKind kind = MessageKind::heads;
    std::vector<Head> heads{};
    bool answer_wanted = false;
    std::vector<Acquaintance> members{};
    std::vector<Retirement> retired{};
    std::uint64_t lineage = 0;  ///< see History::lineage
};

/// "I lack these." The answer is one FramesMessage.
struct FetchMessage {
    static constexpr MessageKind kind = MessageKind::fetch;
    std::vector<CounterRange> ranges{};
};

/// A frame inside a message.
struct FrameBytes {
    SharedBytes bytes{};

    template <class Archive>
    void save(Archive& out) const {
        out.bytes(*bytes);
    }
    template <class Archive>
    void load(Archive& in) {
        const ByteView view = in.bytes();
        bytes = SharedBytes{view};
    }
};

/// As many of the frames asked for as fit one message, in causal order per origin.
struct FramesMessage {
    static constexpr MessageKind kind = MessageKind::frames;
    std::vector<FrameBytes> frames{};
    bool below_horizon = false;  ///< some are gone from the log: ask for the state
};

/// Asks for the state from `offset` on; of the state with this digest if it can still be had.
struct StateRequest {
    static constexpr MessageKind kind = MessageKind::state_request;
    std::uint64_t digest = 0;
    std::uint64_t offset = 0;
    std::vector<Head>
        of{};  ///< what it has to agree with, as far as it goes: it is joined with that; with the first piece
};

/// A piece of an encoded snapshot (wire/snapshot.hpp), `total` bytes long.
struct StateChunk {
    static constexpr MessageKind kind = MessageKind::state_chunk;
    std::uint64_t digest = 0;
    std::uint64_t total = 0;
    std::uint64_t offset = 0;
    Bytes bytes{};
    std::uint64_t hash = 0;      ///< of these bytes: frames are checked by their rolling hash, a state has none
    std::vector<Head> recent{};  ///< with the last piece: where the histories in it stood lately, if the sender knows
};

/// "Your frame lies too far in the future; offer it again later", or errc::outdated: issue it again.
struct FrameRefused {
    static constexpr MessageKind kind = MessageKind::frame_refused;
    ReplicaId origin{};
    std::uint64_t first = 0;
    std::int64_t skew = 0;  ///< nanoseconds ahead of the receiver's clock
    errc reason = errc::clock_drift;
};

/// A frame for the receiver and, through it, for the members whose ids follow its own, up to `until`.
struct RelayMessage {
    static constexpr MessageKind kind = MessageKind::relay;
    ReplicaId until{};
    FrameBytes frame{};
};

/// "Where did our histories of this replica part?", with some of its heads, newest first.
struct AgreementRequest {
    static constexpr MessageKind kind = MessageKind::agreement_request;
    std::vector<Head> heads{};
};
/// The highest counter of these at which both are the same, 0 where none is; not `known` where none could be compared. And
/// the first change that the sender holds beyond, if any: whose is older, stays.
struct Agreement {
    static constexpr MessageKind kind = MessageKind::agreement;
    ReplicaId replica{};
    std::uint64_t counter = 0;
    bool known = false;
    bool beyond = false;
    std::uint64_t last = 0;  ///< of that change; of all that the sender holds, where it is not known where they part
    Ntp64 time{};            ///< of that change; 0: its frame is in the log no more
    std::uint64_t hash = 0;  ///< there
};

/// Decodes a sync message and hands it to `handle`, an overload for each type, which says in a std::error_code whether
/// its content was wrong. Kinds of newer programs are passed over. Frames that come alone are not records: see Frame.
template <class Handler>
std::error_code decode_sync(MessageKind kind, ByteView bytes, Handler&& handle) {
    const auto as = [&]<message M>(std::type_identity<M>) -> std::error_code {
        Result<M> decoded = decode_message<M>(bytes);
        return decoded ? handle(*std::move(decoded)) : decoded.error();
    };
    switch (kind) {
    case MessageKind::digest: return as(std::type_identity<DigestMessage>{});
    case MessageKind::heads: return as(std::type_identity<HeadsMessage>{});
    case MessageKind::fetch: return as(std::type_identity<FetchMessage>{});
    case MessageKind::frames: return as(std::type_identity<FramesMessage>{});
    case MessageKind::state_request: return as(std::type_identity<StateRequest>{});
    case MessageKind::state_chunk: return as(std::type_identity<StateChunk>{});
    case MessageKind::frame_refused: return as(std::type_identity<FrameRefused>{});
    case MessageKind::relay: return as(std::type_identity<RelayMessage>{});
    case MessageKind::agreement_request: return as(std::type_identity<AgreementRequest>{});
    case MessageKind::agreement: return as(std::type_identity<Agreement>{});
    default: return {};
    }
}

}  // namespace netsync
