// netsync: reproducible randomness. One seed in, the same choices out, on every machine.
#pragma once

#include <cstdint>
#include <netsync/detail/hash.hpp>

namespace netsync::detail {

/// A counter through a mixer (as splitmix64): good enough for choosing peers and moments, not for secrets.
class Random {
   public:
    explicit Random(std::uint64_t seed = 0) : state_(seed) {}

    std::uint64_t next() noexcept { return mix(state_ += 0x9e3779b97f4a7c15u, 0x8ebc6af09c88c6e3u); }
    /// Uniform in [0, bound); 0 for a bound of 0. The bias is below bound / 2^64.
    std::uint64_t below(std::uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }

   private:
    std::uint64_t state_;
};

}  // namespace netsync::detail
