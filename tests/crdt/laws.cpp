// The laws of every type.
#include "laws.hpp"

#include <netsync/rapidcheck.hpp>

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

TEST_CASE("the laws as a RapidCheck property: what breaks one is shown with the fewest steps") {
    const auto put = [](const OrSet<int>& now, netsync::Change& change, Random& random) {
        const int element = static_cast<int>(random.below(5));
        return random.below(3) == 0 ? now.remove(change, element) : now.add(change, element);
    };
    CHECK(netsync::testing::rapidcheck_laws<OrSet<int>>("OrSet", put));
    const auto sum = [](const Sum&, netsync::Change&, Random&) { return Sum{1}; };
    CHECK_FALSE(netsync::testing::rapidcheck_laws<Sum>("Sum", sum));
}
