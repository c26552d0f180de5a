// The laws of every type.
#include "laws.hpp"

using namespace laws;

TEST_CASE_TEMPLATE("laws", T, OrSet<int>, OrSet<std::string>, GSet<int>, LwwSet<int>, LwwRegister<std::string>,
                   LwwMap<std::string, int>, PnCounter, Joined<HighestBid>, HighestBid) {
    check_all_laws<T>();
}

namespace {

struct Sum {  // no join: it grows whenever it is merged
    int sum = 0;
    bool merge(const Sum& other) {
        sum += other.sum;
        return other.sum != 0;
    }
};

}  // namespace

TEST_CASE("a law that does not hold is named, with its seed") {
    const auto broken = netsync::testing::check_laws<Sum>([](const Sum&, netsync::Change&, Random&) { return Sum{1}; });
    REQUIRE(broken);
    CHECK(broken->law == "idempotent: a delta merged again changes nothing, and says so");
    CHECK(broken->seed == 1);
}
