// The laws of types that hold all the smaller types, and themselves.
#include "catalogue.hpp"

using namespace laws;

TEST_CASE("laws of types that hold themselves") { check_some_laws<Bush>(60); }

TEST_CASE("laws of a struct of 24 fields, and of maps of it") {
    check_some_laws<Wide>(40);
    check_some_laws<OrMap<std::string, Owned<Wide>>>(20, 1);
    check_some_laws<GMap<std::string, OrMap<std::string, Wide>>>(20, 1);
}

TEST_CASE("damaged deltas are refused or harmless") {
    Random random{11};
    auto s = testing::make_sites<Wide>(1);
    std::size_t refused = 0, taken = 0;
    for (std::uint64_t step = 1; step <= 300; ++step) {
        const auto sent =
            s[0].change({step}, [&](const Wide& now, Change& change) { return mutate(now, change, random); });
        const Result<Bytes> bytes = encode_delta(sent.delta, sent.minted, sent.time, Limits{});
        REQUIRE(bytes);
        for (int damage = 0; damage < 10; ++damage) {
            Bytes bad = *bytes;
            for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
                bad[random.below(bad.size())] = static_cast<std::byte>(random.below(random.below(2) ? 256 : 8));
            FrameHeader header{.origin = id_of(sent.minted.replica),
                               .first = sent.minted.first,
                               .count = sent.minted.size(),
                               .time = sent.time};
            Result<Wide> delta = Frame::make(std::move(header), bad, 0).delta<Wide>();
            ++(delta ? taken : refused);
            if (!delta) continue;
            Wide made = *std::move(delta);
            testing::Site<Wide> other = s[0];
            merge(other.state, made, Join{.mine = other.seen, .theirs = sent.context, .origin = sent.origin});
            CHECK_FALSE(other.encoded({step}).empty());
            netsync::reissue(made, [](std::uint64_t) {});
            static_cast<void>(encode_delta(made, sent.minted, sent.time, Limits{}));
        }
    }
    CHECK(refused > 300);
    CHECK(taken > 100);
}
