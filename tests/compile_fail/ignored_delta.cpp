// expect: nodiscard|unused-result
// A mutator changes nothing: it returns a delta, and dropping that is a mistake.
#include <netsync/netsync.hpp>

#ifdef REJECT
#pragma GCC diagnostic error "-Wunused-result"
#endif

netsync::OrSet<int> change(const netsync::OrSet<int>& set, netsync::Change& change) {
#ifdef REJECT
    set.add(change, 1);
#endif
    return set.add(change, 2);
}
