// netsync: who a replica is, and whom it knows, kept in its store.
#pragma once

#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/wire/history.hpp>
#include <vector>

namespace netsync {

/// The id of the store's last opening, or a new one: of the owner that options.name stands for (a random one without a
/// name), in a new incarnation. A store that belongs to another name gets a new id too.
template <store Store>
ReplicaId open_identity(Store& store, const Options& options, detail::Random& random) {
    ReplicaId id;
    if (const std::optional<Bytes> kept = store.get("replica")) {
        Input in{*kept, Limits::frame_budget(kept->size())};
        in(id);
        const bool ours = options.name.empty() || id.owner() == owner_of_name(options.name);
        if (!in.finish() && !id.is_nil() && ours) return id;
    }
    id.owner_bits = options.name.empty() ? random.next() | 1 : static_cast<std::uint64_t>(owner_of_name(options.name));
    id.incarnation = random.next();
    Output out;
    out(id);
    static_cast<void>(store.put("replica", out.view()));
    static_cast<void>(store.commit());
    return id;
}

/// Whether a replica holds nothing of others yet, so that it takes the pool's state before it takes part.
inline bool is_newcomer(const History& history, const ReplicaId& self) {
    for (const VersionVector::Entry& entry : history.vector())
        if (id_of(entry.replica) != self) return false;
    return true;
}

/// The members that were linked at the last change of the pool: to be dialed at the next start.
template <store Store>
std::vector<Acquaintance> open_members(const Store& store) {
    std::vector<Acquaintance> members;
    if (const std::optional<Bytes> kept = store.get("members")) {
        Input in{*kept, Limits::frame_budget(kept->size())};
        in(members);
        if (in.finish()) members.clear();
    }
    return members;
}

template <store Store>
void keep_members(Store& store, const std::vector<Acquaintance>& members) {
    Output out;
    out(members);
    static_cast<void>(store.put("members", out.view()));
}

}  // namespace netsync
