// netsync: what must be kept, and for whom. What the members are known to hold comes in; how far the log may be cut, and
// what everybody has seen, goes out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/version_vector.hpp>
#include <netsync/pool/member.hpp>
#include <netsync/wire/history.hpp>
#include <vector>

namespace netsync {

/// The frames that every member has which is not stale: up to these counters the log may go. `members`: an OrderedMap of
/// Member. O(origins x members).
template <class Members>
std::vector<ReplicaCounter> held_by_all(const History& history, const Members& members) {
    std::vector<ReplicaCounter> counters;
    for (const VersionVector::Entry& entry : history.vector().sorted()) {
        const ReplicaId& origin = id_of(entry.replica);
        std::uint64_t held = entry.counter;
        for (const auto& [replica, member] : members)
            if (member.state != MemberState::stale) held = std::min(held, member.holds(origin));
        if (held > 0) counters.push_back({origin, held});
    }
    return counters;
}

/// The pending changes: made or held here, and not known to be everywhere that counts.
template <class Members>
std::uint64_t pending(const History& history, const Members& members) {
    std::uint64_t count = 0;
    for (const VersionVector::Entry& entry : history.vector()) count += entry.counter;
    for (const ReplicaCounter& held : held_by_all(history, members)) count -= held.counter;
    return count;
}

/// Causal stability (Baquero, Almeida, Shoker 2017): what every member has seen that is not retired, stale ones included;
/// the only licence to drop metadata. Empty while any member's word is missing: its word counts when it was given with the
/// same retirements in mind, and when everything that it held by then is here too, so that nothing made before it is still
/// on its way.
template <class Members>
VersionVector stable(const History& history, const Members& members, std::uint64_t retirements) {
    VersionVector result;
    for (const auto& [replica, member] : members) {
        if (!member.ready || member.retired != retirements) return {};
        for (const Head& head : member.heads) {
            const ReplicaIndex origin = find_index(head.replica);
            if (origin == ReplicaIndex{} || history.counter(origin) < head.counter) return {};
        }
    }
    for (const VersionVector::Entry& entry : history.vector()) {
        std::uint64_t seen = entry.counter;
        for (const auto& [replica, member] : members) seen = std::min(seen, member.holds(id_of(entry.replica)));
        result.advance(entry.replica, seen);
    }
    return result;
}

}  // namespace netsync
