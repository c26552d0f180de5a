// expect: netsync::causal
// What a GMap holds lies under dots: a monotone leaf goes in as Joined<T>.
#include <netsync/netsync.hpp>

struct HighestBid {
    int amount = 0;
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};

#ifdef REJECT
using Bids = netsync::GMap<int, HighestBid>;
#else
using Bids = netsync::GMap<int, netsync::Joined<HighestBid>>;
#endif

netsync::MemoryHub hub;
netsync::MemoryReplica<Bids> replica{hub};
