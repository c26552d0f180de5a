// netsync: pool initiative: who brings a newcomer up to date. Everybody computes the same answer without a message.
#pragma once

#include <netsync/causal/replica_id.hpp>
#include <netsync/detail/hash.hpp>
#include <optional>

namespace netsync {

/// What `member` rolls for this newcomer, in this session of it.
inline std::uint64_t roll(const ReplicaId& newcomer, std::uint64_t session, const ReplicaId& member) noexcept {
    const std::uint64_t who = detail::mix(newcomer.owner_bits, newcomer.incarnation);
    return detail::mix(detail::mix(who, session), detail::mix(member.owner_bits, member.incarnation));
}

/// The highest roller among `members` (a range of ReplicaId); ties go to the larger id. None among none.
template <class Members>
std::optional<ReplicaId> highest_roller(const ReplicaId& newcomer, std::uint64_t session, const Members& members) {
    std::optional<ReplicaId> best;
    std::uint64_t best_roll = 0;
    for (const ReplicaId& member : members) {
        const std::uint64_t rolled = roll(newcomer, session, member);
        if (best && (rolled < best_roll || (rolled == best_roll && member < *best))) continue;
        best = member;
        best_roll = rolled;
    }
    return best;
}

}  // namespace netsync
