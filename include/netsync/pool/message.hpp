// netsync: how replicas introduce themselves and stay in touch.
#pragma once

#include <cstdint>
#include <netsync/pool/retirement.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/message.hpp>
#include <netsync/wire/snapshot.hpp>
#include <string>
#include <vector>

namespace netsync {

inline constexpr std::uint8_t oldest_wire_version = 1;

/// In a datagram, after four magic bytes: somebody of this pool listens at the datagram's source and this port.
struct Announcement {
    std::uint8_t oldest_version = oldest_wire_version;
    std::uint8_t newest_version = wire_version;
    std::string pool{};
    ReplicaId replica{};
    std::uint16_t port = 0;
    std::uint64_t session = 0;  ///< tells one's own from that of a copy of this replica
};

/// What a replica says of itself to one of the same id, so that the two find out which is a copy of the other. The counters
/// are of its own changes.
struct Twin {
    std::uint64_t session = 0;  ///< changes at every start, and with the id
    std::uint64_t opened = 0;   ///< what its store held when it was opened
    std::uint64_t counter = 0;  ///< what it has made by now
    std::uint64_t hash = 0;     ///< the rolling hash there

    /// Whether the other one has all that this one made: its store had it when it was opened, or nothing was made since
    /// this one's was.
    bool is_in(const Twin& other) const noexcept {
        const bool told = counter > 0 || opened == 0;  // else not yet durable
        return told && (counter <= other.opened || counter == opened);
    }
};

/// The dialer's first word on a link: who it is and what it speaks.
struct Response {
    static constexpr MessageKind kind = MessageKind::response;
    std::uint8_t oldest_version = oldest_wire_version;
    std::uint8_t newest_version = wire_version;
    std::string pool{};
    ReplicaId replica{};
    Twin self{};
};

/// A member as others speak of it, and as it is remembered.
struct Acquaintance {
    ReplicaId replica{};
    Endpoint endpoint{};  ///< port 0: not known
    Ntp64 last_seen{};
    Ntp64 last_synchronized{};
    bool live = false;  ///< as far as the teller knows
};

/// Everything that a peer should know of a replica. `session` changes at every start; it seeds the roll. Whoever is not
/// `ready` still takes a state itself: what it holds is not told, so nobody asks for it.
struct Introduction {
    std::uint8_t oldest_version = oldest_wire_version;
    std::uint8_t newest_version = wire_version;
    std::string pool{};
    ReplicaId replica{};
    std::string name{};
    std::uint64_t session = 0;
    std::uint64_t opened = 0;  ///< see Twin
    ReplicaCounter
        former{};  ///< of one who is about to go on under this id: whose store it is, and what that held, see Twin
    std::uint16_t port = 0;
    Ntp64 wall{};
    std::vector<Head> heads{};
    std::vector<Acquaintance> members{};
    bool ready = false;
    std::vector<Retirement> retired{};
    bool settled = false;  ///< may have forgotten what a change made without it would have to meet
};

/// The answer to a Response.
struct Greeting {
    static constexpr MessageKind kind = MessageKind::greeting;
    Introduction self{};
};
/// The answer to a Greeting: now both know each other.
struct Handshake {
    static constexpr MessageKind kind = MessageKind::handshake;
    Introduction self{};
};

/// Why a link is about to be closed.
struct Refusal {
    static constexpr MessageKind kind = MessageKind::refusal;
    errc reason{};
    Twin self{};  ///< the sender
};

/// The answer to a message from a stranger.
struct IntroduceYourself {
    static constexpr MessageKind kind = MessageKind::introduce_yourself;
};

/// `sent` is the sender's own monotonic time; the answer brings it back.
struct Ping {
    static constexpr MessageKind kind = MessageKind::ping;
    std::int64_t sent = 0;
};
struct Pong {
    static constexpr MessageKind kind = MessageKind::pong;
    std::int64_t sent = 0;
    Ntp64 wall{};
};

/// "Have you heard of this member?": asked of others before a silence is believed (SWIM, Das et al. 2002).
struct Probe {
    static constexpr MessageKind kind = MessageKind::probe;
    ReplicaId replica{};
};
/// "So long ago", in nanoseconds.
struct Heard {
    static constexpr MessageKind kind = MessageKind::heard;
    ReplicaId replica{};
    std::int64_t ago = 0;
};

inline constexpr std::uint32_t announcement_magic = 0x434e594e;  // "NYNC"

inline Bytes encode_announcement(const Announcement& announcement) {
    Output out;
    out.fixed(announcement_magic);
    out(announcement);
    return out.take();
}

/// Whether the pool's name leaves room for the rest of an announcement.
inline bool can_be_announced(const Options& options) {
    const Announcement announcement{oldest_wire_version, wire_version, options.pool,
                                    {~0u, ~0u},          0xffff,       ~std::uint64_t{0}};
    return encode_announcement(announcement).size() <= options.limits.datagram;
}

/// errc::malformed for anything that is not an announcement. The version is for the caller to judge.
inline Result<Announcement> decode_announcement(ByteView bytes, const Limits& limits = {}) {
    if (bytes.size() > limits.datagram) return errc::too_large;
    Input in{bytes, Limits::frame_budget(bytes.size())};
    if (in.fixed<std::uint32_t>() != announcement_magic) return errc::malformed;
    Announcement announcement;
    in(announcement);
    if (const std::error_code error = in.finish()) return error;
    return announcement;
}

}  // namespace netsync
