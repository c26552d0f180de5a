// expect: causal
// A choice takes away what was there before, so that its alternatives lie under dots.
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
netsync::LwwOptional<HighestBid> bid;
#else
netsync::LwwOptional<netsync::Joined<HighestBid>> bid;
#endif
