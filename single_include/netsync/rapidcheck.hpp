// netsync/rapidcheck.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/testing.hpp>

// ---- netsync/rapidcheck.hpp ----

// netsync: the laws of a type as a RapidCheck property. Opt-in: needs RapidCheck, to be included and linked by the program.

#include <rapidcheck.h>

namespace netsync::testing {

/// check_laws with RapidCheck's seeds, sizes and report: a broken law is shown with the fewest steps that break it, and
/// RC_PARAMS says how many runs there are, and which one is to be seen again. True if all laws hold.
template <crdt T, class Mutate>
bool rapidcheck_laws(const std::string& type, Mutate mutate) {
    return rc::check("the laws of " + type, [&] {
        const auto seed = *rc::gen::noShrink(rc::gen::arbitrary<std::uint64_t>());
        const auto steps = *rc::gen::inRange<std::size_t>(0, 120);
        Laws<T, Mutate> laws{mutate};
        if (const std::optional<BrokenLaw> broken = laws.check(seed, steps)) RC_FAIL(broken->law);
    });
}

}  // namespace netsync::testing
