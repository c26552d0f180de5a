// expect: netsync::invertible
// What only grows cannot be taken back; a struct is undone as far as its members can be.
#include <netsync/netsync.hpp>

struct Notes {
    netsync::OrSet<int> open{};
    netsync::GSet<int> seen{};
};

#ifdef REJECT
using Data = netsync::GSet<int>;
#else
using Data = Notes;
#endif

void change(netsync::MemoryReplica<Data>& replica) {
    auto undo = netsync::undoable(replica, [](auto&) {});
    replica.update(undo);
}
