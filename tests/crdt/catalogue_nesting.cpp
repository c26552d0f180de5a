// The laws of types that hold all the smaller types, and themselves.
#include "catalogue.hpp"

using namespace laws;

TEST_CASE("laws of types that hold themselves") { check_some_laws<Tree>(25); }

TEST_CASE("laws of a struct of 24 fields, and of maps of it") {
    check_some_laws<Wide>(12);
    check_some_laws<OrMap<std::string, Owned<Wide>>>(6);
    check_some_laws<GMap<std::string, OrMap<std::string, Wide>>>(6);
}
