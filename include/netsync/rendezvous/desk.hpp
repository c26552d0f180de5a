// netsync: what replicas tell each other to meet without a server: requests, grants and proposals, each written by one
// owner only. A CRDT as any other: put it into your own data, or replicate it alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <netsync/causal/replica_id.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/crdt/lww_map.hpp>
#include <netsync/crdt/owned.hpp>
#include <netsync/rendezvous.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace netsync::rendezvous {

/// Names a request or a proposal in the pool: whose it is, and a random number.
struct PoolKey {
    OwnerId owner{};
    std::uint64_t number = 0;
    friend constexpr auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// A request as its home shows it to the pool. Never changes.
struct PoolRequest {
    std::uint64_t time = 0;  ///< NTP64, of the home's clock: what age is measured by
    std::string event{};
    std::string actor{};
    std::string payload{};
    std::uint64_t mates = 1;
    bool chooses = false;    ///< whether there is a selector
    std::string selector{};  ///< its canonical text
    std::map<std::string, std::string> labels{};

    static PoolRequest of(const Request& request, std::uint64_t time) {
        PoolRequest shown{
            time, request.event, request.actor, request.payload, request.mates, request.selector.has_value(), {}, {}};
        if (request.selector) shown.selector = request.selector->to_string();
        for (const auto& [key, value] : request.labels) shown.labels.emplace(key, value);
        return shown;
    }
    /// Nothing where a peer wrote a selector that is none.
    std::optional<Request> request() const {
        Request request{event, actor, {}, static_cast<std::size_t>(mates), {}, {}, {}};
        for (const auto& [key, value] : labels) request.labels.set(key, value);
        if (!chooses) return request;
        Parsed<Selector> parsed = Selector::parse(selector);
        if (!parsed) return std::nullopt;
        request.selector = std::move(*parsed.value);
        return request;
    }
};

/// A group that one of its homes would like to fire, the oldest member first. Committed: it has fired.
struct PoolProposal {
    ReplicaId by{};
    std::vector<PoolKey> members{};
    bool committed = false;
    std::vector<std::pair<std::string, std::string>> payloads{};  ///< by actor, once committed
};

/// What one owner has on show. A grant gives a request to one proposal, until that is committed or gone.
struct Desk {
    LwwMap<std::uint64_t, PoolRequest> requests{};
    LwwMap<std::uint64_t, PoolKey> grants{};
    LwwMap<std::uint64_t, PoolProposal> proposals{};
};

/// The CRDT behind PoolExchange.
using Desks = Owned<Desk>;

namespace detail {

inline const PoolRequest* request_of(const Desks& desks, const PoolKey& key) {
    const Desk* desk = desks.find(key.owner);
    return desk ? desk->requests.find(key.number) : nullptr;
}
inline const PoolKey* grant_of(const Desks& desks, const PoolKey& key) {
    const Desk* desk = desks.find(key.owner);
    return desk ? desk->grants.find(key.number) : nullptr;
}
inline const PoolProposal* proposal_of(const Desks& desks, const PoolKey& key) {
    const Desk* desk = desks.find(key.owner);
    return desk ? desk->proposals.find(key.number) : nullptr;
}

/// Older first; the same everywhere.
inline std::tuple<std::uint64_t, PoolKey> age_of(const PoolRequest& request, const PoolKey& key) {
    return {request.time, key};
}

}  // namespace detail

}  // namespace netsync::rendezvous
