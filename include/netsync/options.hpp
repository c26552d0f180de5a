// netsync: what a program tells its replica at the start. Each policy reads the part that concerns it.
#pragma once

#include <chrono>
#include <cstdint>
#include <netsync/detail/random.hpp>
#include <netsync/wire/limits.hpp>
#include <string>
#include <vector>

namespace netsync {

using Duration = std::chrono::nanoseconds;

/// A uniform random time between `least` (included) and `most` (excluded).
struct Interval {
    Duration least;
    Duration most;

    Duration pick(detail::Random& random) const noexcept {
        const auto width = (most - least).count();
        return least +
               Duration{static_cast<std::int64_t>(random.below(width > 0 ? static_cast<std::uint64_t>(width) : 0))};
    }
};

/// `{.pool = "home"}` is enough on a LAN. Every member has a default that suits a handful of machines.
struct Options {
    std::string pool = "netsync";  ///< replicas of one pool share their data; others are refused
    std::string name{};            ///< who this replica belongs to, see ReplicaId; empty: a random owner at each start
    std::string file{};            ///< of a store on disk
    bool manual_start = false;     ///< true: nothing is opened until start()

    std::uint16_t port = 0;                ///< to listen on; 0: any free one
    std::uint16_t discovery_port = 21075;  ///< UDP, shared by all replicas of a machine
    std::vector<std::string> peers{};      ///< HOST:PORT of replicas that announcements do not reach

    Duration max_drift = std::chrono::milliseconds{100};  ///< how far ahead a remote stamp may be
    Interval announce{std::chrono::seconds{15}, std::chrono::seconds{30}};
    Interval gossip{std::chrono::milliseconds{500}, std::chrono::milliseconds{1500}};
    Duration keepalive_interval = std::chrono::seconds{1};
    Duration keepalive_timeout = std::chrono::seconds{5};  ///< of silence, until a member is offline
    Duration answer_timeout = std::chrono::seconds{2};     ///< of silence, until another member is asked
    Duration stale_after = std::chrono::hours{24 * 7};     ///< of absence, until nothing is kept for a member
    Interval redial{std::chrono::milliseconds{500}, std::chrono::seconds{30}};  ///< between dials of one who is away

    std::uint64_t seed = 0;  ///< of all random choices; 0: drawn from the transport
    Limits limits{};
};

}  // namespace netsync
