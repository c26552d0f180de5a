// netsync: the entry header for networks: replicas on one machine or one LAN find each other, without any server. Needs
// Asio and threads (the CMake target netsync::lan).
#pragma once

#include <netsync/clock/hybrid_clock.hpp>
#include <netsync/crdt/concept.hpp>
#include <netsync/discovery/static_peers.hpp>
#include <netsync/discovery/udp_discovery.hpp>
#include <netsync/netsync.hpp>
#include <netsync/transport/tcp_transport.hpp>

namespace netsync {

/// A replica that finds the others of its pool by UDP announcements and options.peers. It runs on a thread of its own, or
/// on the Asio executor that it is given. It keeps its data in memory, or in options.file: LanReplica<T, SqliteStore>.
template <crdt T, store Store = MemoryStore>
using LanReplica = Replica<Store, TcpTransport<UdpDiscovery, StaticPeers>, HybridClock, T>;

}  // namespace netsync
