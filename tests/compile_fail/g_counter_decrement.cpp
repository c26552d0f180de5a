// expect: netsync::mutator
// What only grows does not count down.
#include <netsync/netsync.hpp>

#ifdef REJECT
using Counter = netsync::GCounter;
#else
using Counter = netsync::PnCounter;
#endif

void change(netsync::MemoryReplica<Counter>& replica) { replica.update(netsync::decrement()); }
