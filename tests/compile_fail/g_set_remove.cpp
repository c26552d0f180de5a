// expect: netsync::mutator
// A grow-only set has no remove.
#include <netsync/netsync.hpp>

void change(netsync::MemoryReplica<netsync::GSet<int>>& replica) {
#ifdef REJECT
    replica.update(netsync::remove(1));
#else
    replica.update(netsync::add(1));
#endif
}
