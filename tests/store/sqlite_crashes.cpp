// Power cuts, failing calls and kills, some of each; tests/store/soak runs as many as one likes.
#include <doctest/doctest.h>

#include "crashes.hpp"

TEST_CASE("after a power cut all is there that was durable, and of the next commit all or nothing") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        CHECK(cut_power(seed) == "");
    }
}

TEST_CASE("after an error at the n-th call it goes on, and nothing is lost") {
    for (std::uint64_t n = 1; n <= 500; n += 5) {
        CAPTURE(n);
        CHECK(fail_call(n) == "");
    }
}

TEST_CASE("a writer that is killed again and again loses nothing that it was told to be durable") {
    Killed writer{1};
    for (int kill = 1; kill <= 100; ++kill) {
        CAPTURE(kill);
        REQUIRE(writer.kill() == "");
        if (kill % 20 == 0) REQUIRE(writer.check() == "");
    }
    CHECK(writer.durable() > 500);
}
