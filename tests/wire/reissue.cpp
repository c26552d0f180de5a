// One change under several names: what is seen, superseded and removed under each.
#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <algorithm>
#include <random>
#include <vector>

using namespace netsync;

namespace {

const ReplicaId x{7, 1}, y{7, 2}, z{7, 3}, other{8, 1};

CausalContext seen(std::initializer_list<Dot> dots) {
    CausalContext context;
    for (const Dot dot : dots) context.add(dot);
    return context;
}
Dot at(const ReplicaId& replica, std::uint64_t counter) { return {intern(replica), counter}; }

/// The context widened, where just these are alive.
CausalContext widened(const Reissues& reissues, CausalContext context, std::vector<Dot> alive = {}) {
    reissues.widen(context, [&](Dot dot) { return std::find(alive.begin(), alive.end(), dot) != alive.end(); });
    return context;
}

}  // namespace

TEST_CASE("ranges that continue each other are one, in whatever order they come") {
    std::vector<Reissue> parts{{x, y, 5, 1, 2}, {x, y, 7, 3, 1}, {x, y, 8, 4, 3}, {y, z, 1, 1, 4}, {x, z, 5, 1, 6}};
    std::mt19937 random{3};
    for (int round = 0; round < 50; ++round) {
        std::shuffle(parts.begin(), parts.end(), random);
        Reissues reissues;
        for (const Reissue& part : parts) reissues.add(part);
        for (const Reissue& part : parts) reissues.add(part);
        CHECK(reissues.all() == std::vector<Reissue>{{x, y, 5, 1, 6}, {x, z, 5, 1, 6}, {y, z, 1, 1, 4}});
        CHECK(reissues.concern(x, 1, 5));
        CHECK(reissues.concern(z, 6, 9));
        CHECK_FALSE(reissues.concern(x, 1, 4));
        CHECK_FALSE(reissues.concern(y, 7, 20));
        CHECK_FALSE(reissues.concern(other, 1, 20));
    }
}

TEST_CASE("of two names of one change the later stays, and a removal under one is a removal under both") {
    Reissues reissues;
    reissues.add({x, y, 5, 1, 1});
    CHECK(widened(reissues, seen({at(x, 5)}), {at(x, 5)}) == seen({at(x, 5)}));            // not known to be renamed
    CHECK(widened(reissues, seen({at(y, 1)}), {at(y, 1)}) == seen({at(y, 1), at(x, 5)}));  // the earlier is over
    CHECK(widened(reissues, seen({at(x, 5)})) == seen({at(x, 5), at(y, 1)}));              // removed before
    CHECK(widened(reissues, seen({at(x, 5), at(y, 1)}), {at(y, 1)}) == seen({at(x, 5), at(y, 1)}));
    CHECK(widened(reissues, seen({at(other, 3)})) == seen({at(other, 3)}));
}

TEST_CASE("a change that was issued again twice") {
    Reissues reissues;
    reissues.add({x, y, 5, 1, 1});
    reissues.add({y, z, 1, 4, 1});
    reissues.add({x, z, 5, 4, 1});
    const CausalContext all = seen({at(x, 5), at(y, 1), at(z, 4)});
    CHECK(widened(reissues, seen({at(x, 5)})) == all);
    CHECK(widened(reissues, seen({at(y, 1)})) == all);
    CHECK(widened(reissues, seen({at(z, 4)}), {at(z, 4)}) == all);
    CHECK(widened(reissues, seen({at(x, 5), at(y, 1)}), {at(y, 1)}) == seen({at(x, 5), at(y, 1)}));
    CHECK(widened(reissues, seen({at(x, 5)}), {at(x, 5)}) == seen({at(x, 5)}));
}

TEST_CASE("a frame names only other incarnations of its own owner") {
    const auto frame = [](const ReplicaCounter& name) {
        const Frame made = Frame::make({.origin = y, .time = {1}, .instead_of = {name}}, {}, 0);
        return Frame::parse(made.bytes()).error();
    };
    CHECK_FALSE(frame({x, 5}));
    CHECK(frame({y, 5}) == errc::malformed);
    CHECK(frame({other, 5}) == errc::malformed);
    CHECK(frame({x, 0}) == errc::malformed);
    CHECK(frame({x, max_counter + 1}) == errc::malformed);
    const std::vector<ReplicaCounter> many(Frame::max_names + 1, {x, 5});
    CHECK(Frame::parse(Frame::make({.origin = y, .time = {1}, .instead_of = many}, {}, 0).bytes()).error() ==
          errc::too_large);
}
