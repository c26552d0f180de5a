// expect: netsync::updatable_at
// Another's part of an Owned is read, not written.
#include <netsync/netsync.hpp>

using Data = netsync::Owned<netsync::OrSet<int>>;

void write(netsync::MemoryReplica<Data>& replica, netsync::OwnerId other) {
    static_cast<void>(replica.get(other));
#ifdef REJECT
    replica.update(other, netsync::add(1));
#else
    replica.update(netsync::mine, netsync::add(1));
#endif
}
