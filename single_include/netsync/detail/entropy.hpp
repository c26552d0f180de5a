// netsync/detail/entropy.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <random>

// ---- netsync/detail/entropy.hpp ----

// netsync: randomness of the system, which nobody else has: seeds, and numbers that must differ from those of all others.

namespace netsync::detail {

/// Differs from call to call and from machine to machine. May throw where the system has none.
inline std::uint64_t entropy() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
}

}  // namespace netsync::detail
