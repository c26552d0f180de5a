// As little as shows that the library is found, compiles and links: the ways to come by it differ in nothing else.
#include <cassert>
#include <netsync/netsync.hpp>

int main() {
    const netsync::PnCounter plays;
    assert(plays.value() == 0);
}
