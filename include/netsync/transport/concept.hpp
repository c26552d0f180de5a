// netsync: the Transport policy: links that carry whole messages, announcements to whoever listens, one timer, and
// randomness. Everything below it is sans-IO: it sees the world through these calls and events alone.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <netsync/discovery/endpoint.hpp>
#include <netsync/options.hpp>
#include <netsync/wire/bytes.hpp>
#include <system_error>
#include <variant>

namespace netsync {

/// One connection of this transport. Never reused.
enum class Link : std::uint64_t {};

struct LinkOpened {
    Link link;
    bool dialed;    ///< by us
    Endpoint peer;  ///< as the transport sees it; the port of an accepted link is not where the peer listens
};
struct MessageReceived {
    Link link;
    ByteView bytes;
};
struct LinkClosed {
    Link link;
    std::error_code reason;  ///< also of a dial that failed; no event follows our own close()
};
/// The time of the last wake_at() has come.
struct Woken {};

using TransportEvent = std::variant<LinkOpened, MessageReceived, LinkClosed, AnnouncementReceived, PeerHinted, Woken>;
using TransportEvents = std::function<void(const TransportEvent&)>;

/// The replica calls these from any thread, all but stop under its mutex; they must not call back into it from within.
/// Events come one at a time, from any one thread, and only between start() and stop().
///
/// - `start(options, events)`: begins to listen, then to receive announcements. After an error nothing is open.
/// - `stop()`: closes everything; no event is under way or follows when it returns, unless it was called from one. May be
///   called again, and before any start.
/// - `now()`: time since some fixed moment; never goes back, whatever the wall clock does.
/// - `wake_at(time)`: one Woken event at that time of now() or soon after; replaces the one before.
/// - `announce(bytes)`: to whoever listens; may be lost; at most limits.datagram bytes.
/// - `dial(endpoint)`: LinkOpened or LinkClosed follows.
/// - `send(link, message)`: whole, once and in order, or the link closes. False, and nothing is sent, when more than
///   limits.backlog bytes wait already: the peer is slow, and gossip will bring it what it misses.
/// - `close(link)`: what was sent before is still delivered where possible.
/// - `port()`: where others dial us, once started; 0 where they cannot.
/// - `entropy()`: 64 random bits, to seed this replica's own generator.
///
/// Exemplar: MemoryTransport.
template <class T>
concept transport =
    std::movable<T> && requires(T& transport, const Options& options, TransportEvents events, Duration time,
                                ByteView bytes, const Endpoint& endpoint, Link link, SharedBytes message) {
        { transport.start(options, std::move(events)) } -> std::same_as<std::error_code>;
        { transport.stop() } -> std::same_as<void>;
        { transport.now() } -> std::same_as<Duration>;
        { transport.wake_at(time) } -> std::same_as<void>;
        { transport.announce(bytes) } -> std::same_as<void>;
        { transport.dial(endpoint) } -> std::same_as<Link>;
        { transport.send(link, std::move(message)) } -> std::same_as<bool>;
        { transport.close(link) } -> std::same_as<void>;
        { transport.port() } -> std::same_as<std::uint16_t>;
        { transport.entropy() } -> std::same_as<std::uint64_t>;
    };

}  // namespace netsync
