// The laws of every type.
#include "laws.hpp"

using namespace laws;

TEST_CASE_TEMPLATE("laws", T, OrSet<int>, OrSet<std::string>, GSet<int>, LwwSet<int>, LwwRegister<std::string>,
                   LwwMap<std::string, int>, PnCounter, Joined<HighestBid>, HighestBid) {
    check_all_laws<T>();
}
