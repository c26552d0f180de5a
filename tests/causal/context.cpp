#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <random>
#include <set>

using namespace netsync;

TEST_CASE("a dot is eight bytes and keeps its parts") {
    static_assert(sizeof(Dot) == 8);
    const ReplicaIndex replica = intern(ReplicaId{1, 2});
    const Dot dot{replica, max_counter};
    CHECK(dot.replica() == replica);
    CHECK(dot.counter() == max_counter);
    CHECK_FALSE(Dot{});
    CHECK(id_of(replica) == ReplicaId{1, 2});
    CHECK(find_index(ReplicaId{99, 98}) == ReplicaIndex{});
    CHECK(intern(ReplicaId{1, 2}) == replica);
}

TEST_CASE("version vectors are a lattice") {
    const ReplicaIndex a = intern(ReplicaId{1, 1}), b = intern(ReplicaId{1, 2});
    VersionVector left, right;
    CHECK(left.advance(a, 3));
    CHECK_FALSE(left.advance(a, 2));
    right.advance(b, 1);
    CHECK_FALSE(left.includes(right));
    CHECK(left.merge(right));
    CHECK(left.includes(right));
    CHECK(left.counter(a) == 3);
    CHECK(left.contains(Dot{b, 1}));
    CHECK_FALSE(left.contains(Dot{b, 2}));
    left.erase(a);
    CHECK(left == right);
}

TEST_CASE("a context is the set of dots put into it, whatever the order") {
    std::mt19937_64 random{4};
    for (int round = 0; round < 200; ++round) {
        CausalContext context, other;
        std::set<Dot> dots;
        for (int i = 0; i < 60; ++i) {
            const ReplicaIndex replica = intern(ReplicaId{7, random() % 3 + 1});
            const std::uint64_t first = random() % 40 + 1, last = first + random() % 4;
            (random() % 2 ? context : other).add(DotRange{replica, first, last});
            for (std::uint64_t counter = first; counter <= last; ++counter) dots.insert(Dot{replica, counter});
        }
        context.merge(other);
        for (std::uint64_t id = 1; id <= 3; ++id)
            for (std::uint64_t counter = 1; counter <= 50; ++counter) {
                const Dot dot{intern(ReplicaId{7, id}), counter};
                if (context.contains(dot) != dots.contains(dot)) FAIL(counter);
            }
        for (std::size_t i = 1; i < context.cloud().size(); ++i) {  // disjoint, and none touch
            const DotRange &before = context.cloud()[i - 1], &after = context.cloud()[i];
            CHECK((before.replica != after.replica || before.last + 1 < after.first));
        }
    }
}
