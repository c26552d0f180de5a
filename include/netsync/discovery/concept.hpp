// netsync: the Discovery policy: how a transport hears of peers that it does not know, and lets itself be heard of.
#pragma once

#include <concepts>
#include <functional>
#include <netsync/detail/asio.hpp>
#include <netsync/discovery/endpoint.hpp>
#include <netsync/options.hpp>
#include <netsync/wire/bytes.hpp>
#include <system_error>
#include <utility>
#include <variant>

namespace netsync {

using DiscoveryEvent = std::variant<AnnouncementReceived, PeerHinted>;
using DiscoveryEvents = std::function<void(const DiscoveryEvent&)>;

/// A transport makes one for each start, calls start() once, then announce() any number of times, then stop(). It makes
/// these calls and runs the handlers of the executor one at a time, and runs no handler after stop(), nor while or
/// after the discovery is destroyed: so a discovery needs no lock, and its handlers may capture `this`.
///
/// - `start(executor, options, events)`: opens what it listens on; its events come from the executor, never from within
///   this call. An error says that this discovery cannot work at all, and keeps the transport from starting.
/// - `announce(bytes)`: to whoever listens; does not block; may be lost; at most limits.datagram bytes.
/// - `stop()`: closes everything. It is called on any thread, also after an error and from within an event.
///
/// A discovery hears its own announcements, may hear one several times, and never answers: all that is up to the pool.
///
/// Exemplar: StaticPeers.
template <class T>
concept discovery =
    std::default_initializable<T> && requires(T& discovery, const asio::any_io_executor& executor,
                                              const Options& options, DiscoveryEvents events, ByteView bytes) {
        { discovery.start(executor, options, std::move(events)) } -> std::same_as<std::error_code>;
        { discovery.announce(bytes) } -> std::same_as<void>;
        { discovery.stop() } -> std::same_as<void>;
    };

}  // namespace netsync
