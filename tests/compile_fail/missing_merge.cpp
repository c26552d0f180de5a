// expect: crdt
// A leaf without `bool merge(const T&)` is no CRDT.
#include <netsync/netsync.hpp>

struct HighestBid {
    int amount = 0;
#ifndef REJECT
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
#endif
};
struct Auction {
    HighestBid best{};
};

netsync::MemoryHub hub;
netsync::MemoryReplica<Auction> replica{hub};
