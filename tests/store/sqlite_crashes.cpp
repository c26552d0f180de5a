// Power cuts, failing calls and kills, some of each, under sanitizers; tests/store/soak runs thousands.
#include <doctest/doctest.h>

#include "crashes.hpp"

TEST_CASE("after a power cut all is there that was durable, and of the next commit all or nothing") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        CHECK(cut_power(seed) == "");
    }
}

TEST_CASE("after an error at the n-th call it goes on, and nothing is lost") {
    for (std::uint64_t n = 1; n <= 500; n += 10) {
        CAPTURE(n);
        CHECK(fail_call(n) == "");
    }
}

TEST_CASE("a writer that is killed again and again loses nothing that it was told to be durable") {
    Killed writer{1};
    for (int kill = 1; kill <= 60; ++kill) {
        CAPTURE(kill);
        REQUIRE(writer.kill() == "");
        if (kill % 20 == 0) REQUIRE(writer.check() == "");
    }
    CHECK(writer.durable() > 300);
}
