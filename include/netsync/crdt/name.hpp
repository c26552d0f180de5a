// netsync: what is called by one name in every replica, for good: elements and bunches of a sequence (crdt/position.hpp).
#pragma once

#include <compare>
#include <cstdint>
#include <netsync/causal/dot.hpp>
#include <netsync/error.hpp>
#include <optional>

namespace netsync::detail {

/// A replica as it travels: short where it is one of a state's. Not in a frame, not even the one that makes it: a frame
/// that is issued again by another replica keeps the names in it.
template <class Archive>
void write_replica(Archive& out, const ReplicaId& replica) {
    std::optional<std::size_t> at;
    if (!out.space().is_frame()) at = out.space().position(replica);
    out.varint(at ? *at + 1 : 0);
    if (!at) out(replica);
}
template <class Archive>
ReplicaId read_replica(Archive& in) {
    const std::uint64_t position = in.varint();
    const auto* space = in.space() && !in.space()->is_frame() ? in.space() : nullptr;
    ReplicaId replica;
    if (position == 0) {
        in(replica);
        if (replica.is_nil() || (space && space->position(replica))) in.fail(errc::malformed);
    } else if (!space || position > space->size()) {
        in.fail(errc::malformed);
    } else {
        replica = id_of(space->range(static_cast<std::size_t>(position - 1)).replica);
    }
    return replica;
}

/// A name that is given once: a replica and one of its counters. It stays what it is when a change is issued again
/// under other dots, and it is not interned.
struct Name {
    ReplicaId replica;
    std::uint64_t counter = 0;

    static Name of(Dot dot) { return {id_of(dot.replica()), dot.counter()}; }
    constexpr std::uint64_t prefix() const noexcept { return replica.owner_bits; }  // see detail/key_prefix.hpp
    friend constexpr auto operator<=>(const Name&, const Name&) = default;

    template <class Archive>
    void save(Archive& out) const {
        write_replica(out, replica);
        out.varint(counter);
    }
    template <class Archive>
    void load(Archive& in) {
        replica = read_replica(in);
        counter = in.varint();
        if (counter == 0 || counter > max_counter) in.fail(errc::malformed);
    }
};

}  // namespace netsync::detail
