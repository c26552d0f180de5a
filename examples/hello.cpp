// clang-format off: the README shows these lines as they are
#include <netsync/netsync.hpp>
#include <cassert>
#include <string>

int main() {
    using Cart = netsync::OrSet<std::string>;
    netsync::MemoryHub network;  // an in-process network
    netsync::MemoryReplica<Cart> alice{network}, bob{network};
    alice.update(netsync::add("milk"));
    bob.update([](const Cart& cart, netsync::Change& change) { return cart.add(change, "eggs"); });  // the same, spelled out
    network.run();  // deliver until quiet
    assert(alice.state() == bob.state());
    assert(alice.state().contains("milk") && alice.state().contains("eggs"));
}
