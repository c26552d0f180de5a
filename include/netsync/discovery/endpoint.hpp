// netsync: where replicas can be dialed, and the two ways to hear of it. Discoveries tell a transport; a transport
// tells the pool.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <netsync/error.hpp>
#include <netsync/wire/bytes.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace netsync {

/// Where a replica can be dialed. Never its identity: that is the ReplicaId.
struct Endpoint {
    std::string host{};
    std::uint16_t port = 0;
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// `host:port`, with an IPv6 host in brackets.
inline std::string to_string(const Endpoint& endpoint) {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return (v6 ? '[' + endpoint.host + ']' : endpoint.host) + ':' + std::to_string(endpoint.port);
}

/// Reads `host:port` and `[v6]:port`. errc::bad_endpoint for anything else.
inline Result<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return errc::bad_endpoint;
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return errc::bad_endpoint;
    Endpoint endpoint{std::string(host), 0};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
    if (error != std::errc{} || end != digits.data() + digits.size() || endpoint.port == 0 || host.empty())
        return errc::bad_endpoint;
    return endpoint;
}

struct AnnouncementReceived {
    std::string host;  ///< the datagram's source: the only address in it that can be believed
    ByteView bytes;
};
/// Somebody may listen there.
struct PeerHinted {
    Endpoint endpoint;
};

}  // namespace netsync
