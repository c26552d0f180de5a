// netsync: the name of one change: (replica, counter), in eight bytes. Everything causal is made of dots.
#pragma once

#include <cassert>
#include <cstdint>
#include <netsync/causal/replica_index.hpp>

namespace netsync {

/// Counters run from 1 to this: 2^44 - 1 changes an incarnation, 200 days at a million a second.
inline constexpr std::uint64_t max_counter = (std::uint64_t{1} << 44) - 1;

/// One change of one replica (Preguiça et al., dotted version vectors, 2010). Replicas number their own changes densely
/// from 1. `Dot{}` is no dot. Packed: 20 bits of replica index over 44 bits of counter.
class Dot {
   public:
    constexpr Dot() = default;
    constexpr Dot(ReplicaIndex replica, std::uint64_t counter)
        : bits_((static_cast<std::uint64_t>(replica) << 44) | counter) {
        assert(counter <= max_counter);
    }

    constexpr ReplicaIndex replica() const noexcept { return ReplicaIndex{static_cast<std::uint32_t>(bits_ >> 44)}; }
    constexpr std::uint64_t counter() const noexcept { return bits_ & max_counter; }
    constexpr explicit operator bool() const noexcept { return bits_ != 0; }

    friend constexpr bool operator==(Dot, Dot) = default;
    /// An order for containers. Not that of the wire: there, dots go by replica id (see `precedes`).
    friend constexpr auto operator<=>(Dot, Dot) = default;

   private:
    std::uint64_t bits_ = 0;
};

/// The same order in every process: by replica id, then by counter.
inline bool precedes(Dot a, Dot b) {
    if (a.replica() == b.replica()) return a.counter() < b.counter();
    return id_of(a.replica()) < id_of(b.replica());
}

/// The dots of one replica from `first` to `last`, both included; empty when last < first.
struct DotRange {
    ReplicaIndex replica{};
    std::uint64_t first = 1;
    std::uint64_t last = 0;

    constexpr bool empty() const noexcept { return last < first; }
    constexpr std::uint64_t size() const noexcept { return empty() ? 0 : last - first + 1; }
    constexpr bool contains(Dot dot) const noexcept {
        return dot.replica() == replica && first <= dot.counter() && dot.counter() <= last;
    }
    friend constexpr bool operator==(const DotRange&, const DotRange&) = default;
};

}  // namespace netsync
