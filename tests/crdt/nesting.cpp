// The laws of types within types, three deep.
#include "laws.hpp"

using namespace laws;

TEST_CASE_TEMPLATE("laws", T, Album, OrMap<std::string, Album>, OrMap<std::string, OrMap<std::string, OrSet<int>>>,
                   OrMap<std::string, OrMap<std::string, Album>>, Owned<OrSet<int>>, Owned<HighestBid>,
                   OrMap<std::string, Owned<PnCounter>>, Folder, Everything) {
    check_all_laws<T>();
}
