// netsync: who a replica is, whom it knows and who has been retired, kept in its store.
#pragma once

#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/pool/retirement.hpp>
#include <netsync/store/values.hpp>
#include <netsync/wire/history.hpp>

namespace netsync {

/// Another incarnation of the owner that options.name stands for; of a random one without a name.
inline ReplicaId new_incarnation(const Options& options, detail::Random& random) {
    ReplicaId id;
    id.owner_bits = options.name.empty() ? random.next() | 1 : static_cast<std::uint64_t>(owner_of_name(options.name));
    id.incarnation = random.next();
    return id;
}

/// The id of the store's last opening; nil where there is none, or the store belongs to another name.
template <store Store>
ReplicaId kept_identity(const Store& store, const Options& options) {
    const ReplicaId id = open_value<ReplicaId>(store, "replica");
    return options.name.empty() || id.owner() == owner_of_name(options.name) ? id : ReplicaId{};
}

/// Who a replica is while its store is not open: of its owner, where that is known, and no incarnation of it.
inline ReplicaId nobody_yet(const Options& options) {
    return {options.name.empty() ? 0 : static_cast<std::uint64_t>(owner_of_name(options.name)), 0};
}

/// Whether a replica holds nothing of others yet, so that it takes the pool's state before it takes part.
inline bool is_newcomer(const History& history, const ReplicaId& self) {
    for (const VersionVector::Entry& entry : history.vector())
        if (id_of(entry.replica) != self) return false;
    return true;
}

}  // namespace netsync
