// expect: no such alternative
// A choice is made among its own alternatives.
#include <netsync/netsync.hpp>

using Choice = netsync::LwwChoice<netsync::GCounter, netsync::EnableWinsFlag>;

void change(netsync::MemoryReplica<Choice>& replica) {
#ifdef REJECT
    replica.update(netsync::choose(netsync::alternative<2>));
#else
    replica.update(netsync::choose(netsync::alternative<1>));
#endif
}
