// netsync: what is called by one name in every replica, for good: elements and bunches of a sequence (crdt/position.hpp).
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <netsync/causal/dot.hpp>
#include <netsync/error.hpp>
#include <optional>
#include <vector>

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

/// The replicas that were named before, of which there is usually one.
class NamedReplicas {
   public:
    std::size_t size() const noexcept { return (first_.is_nil() ? 0u : 1u) + more_.size(); }
    const ReplicaId& operator[](std::size_t at) const noexcept { return at == 0 ? first_ : more_[at - 1]; }
    /// Its place, or size() where it was not.
    std::size_t find(const ReplicaId& replica) const noexcept {
        if (first_ == replica) return 0;
        const auto at = static_cast<std::size_t>(std::find(more_.begin(), more_.end(), replica) - more_.begin());
        return at < more_.size() ? at + 1 : size();
    }
    void push_back(const ReplicaId& replica) {
        if (first_.is_nil())
            first_ = replica;
        else
            more_.push_back(replica);
    }

   private:
    ReplicaId first_;
    std::vector<ReplicaId> more_;
};

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
