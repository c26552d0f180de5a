// The laws of the smaller types: alone, and as leaves of a matrix of parents, three deep.
#include "catalogue.hpp"

using namespace laws;

TEST_CASE_TEMPLATE("laws", Leaf, GCounter, PnCounter, ResettableCounter, BoundedCounter<>, MinRegister<int>,
                   MaxRegister<int>, EnableWinsFlag, DisableWinsFlag, MvRegister<std::string>, TwoPhaseSet<int>,
                   RwSet<std::string>, Bag<std::string>, Choice) {
    check_some_laws<Leaf>(40);
    check_some_laws<OrMap<std::string, OrMap<std::string, Leaf>>>(25);
}
