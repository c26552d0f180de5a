#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <algorithm>
#include <vector>

namespace netsync::detail {

TEST_CASE("few items are what a vector holds") {
    Random random{5};
    for (int round = 0; round < 200; ++round) {
        Few<int> few;
        std::vector<int> plain;
        for (int step = 0; step < 60; ++step) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(plain.size() + 1));
            if (random.below(3) > 0) {
                few.insert(static_cast<std::size_t>(at), step);
                plain.insert(plain.begin() + at, step);
            } else {
                const auto to = at + static_cast<std::ptrdiff_t>(random.below(plain.size() - std::size_t(at) + 1));
                few.erase(few.begin() + at, few.begin() + to);
                plain.erase(plain.begin() + at, plain.begin() + to);
            }
            Few<int> copy = few;
            CHECK(copy == few);
            if (random.below(2) == 0) few = std::move(copy);
            copy = Few<int>{};
            CHECK(copy.empty());
            REQUIRE(std::equal(few.begin(), few.end(), plain.begin(), plain.end()));
            CHECK(few.size() == plain.size());
        }
    }
}

}  // namespace netsync::detail
