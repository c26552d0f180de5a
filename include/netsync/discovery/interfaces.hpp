// netsync: the network interfaces of this machine, as far as UdpDiscovery sends through them.
#pragma once

#include <netsync/detail/asio.hpp>
#include <vector>

#if __has_include(<ifaddrs.h>)
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#endif

namespace netsync::detail {

/// One IPv4 address of this machine.
struct Ipv4Interface {
    asio::ip::address_v4 address{};
    asio::ip::address_v4 broadcast{};  ///< unspecified: it has none
};

/// Those that are up, the loopback included: on a machine without a network it is how processes hear each other.
struct Interfaces {
    std::vector<Ipv4Interface> v4;
    std::vector<unsigned> v6;  ///< indices; 0 is the system's choice
};

#if __has_include(<ifaddrs.h>)

/// As they are now: they come and go.
inline Interfaces interfaces() {
    Interfaces found;
    ifaddrs* all = nullptr;
    if (::getifaddrs(&all) != 0) return found;
    const auto address_of = [](const sockaddr* address) {
        return asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
    };
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || !(one->ifa_flags & IFF_UP)) continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            Ipv4Interface& added = found.v4.emplace_back();
            added.address = address_of(one->ifa_addr);
            if (one->ifa_netmask != nullptr && (one->ifa_flags & (IFF_BROADCAST | IFF_LOOPBACK)))
                added.broadcast =
                    asio::ip::address_v4(added.address.to_uint() | ~address_of(one->ifa_netmask).to_uint());
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            const unsigned index = ::if_nametoindex(one->ifa_name);
            if (found.v6.empty() || found.v6.back() != index) found.v6.push_back(index);
        }
    }
    ::freeifaddrs(all);
    return found;
}

#else

inline Interfaces interfaces() { return {{Ipv4Interface{}}, {0}}; }

#endif

}  // namespace netsync::detail
