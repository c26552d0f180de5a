#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <algorithm>
#include <random>
#include <vector>

using namespace netsync;

namespace {

struct Item {
    CounterRange range;
    std::vector<ReplicaCounter> needs{};
    CounterRange dots() const { return range; }
    const std::vector<ReplicaCounter>& dependencies() const { return needs; }
    std::size_t size_bytes() const { return 100; }
};

const ReplicaId a{5, 1}, b{5, 2};

void see(VersionVector& seen, const Item& item) { seen.advance(intern(item.range.replica), item.range.last); }

}  // namespace

TEST_CASE("what depends on the future waits, and comes out in causal order") {
    CausalBuffer<Item> buffer{100, 1 << 20};
    VersionVector seen;
    const Item first{{a, 1, 1}}, second{{a, 2, 3}}, answer{{b, 1, 1}, {{a, 3}}};
    CHECK(buffer.offer(answer, seen) == Arrival::held);
    CHECK(buffer.offer(second, seen) == Arrival::held);
    CHECK(buffer.offer(second, seen) == Arrival::duplicate);
    CHECK_FALSE(buffer.take(seen));
    CHECK(buffer.offer(first, seen) == Arrival::ready);
    see(seen, first);
    const auto next = buffer.take(seen);
    REQUIRE(next);
    CHECK(next->range == second.range);
    see(seen, *next);
    const auto last = buffer.take(seen);
    REQUIRE(last);
    CHECK(last->range == answer.range);
    see(seen, *last);
    CHECK(buffer.size() == 0);
    CHECK(buffer.size_bytes() == 0);
    CHECK(buffer.offer(answer, seen) == Arrival::duplicate);
}

TEST_CASE("gaps are contiguous ranges, without what waits") {
    CausalBuffer<Item> buffer{100, 1 << 20};
    VersionVector seen;
    static_cast<void>(buffer.offer(Item{{a, 4, 5}}, seen));
    static_cast<void>(buffer.offer(Item{{a, 8, 8}}, seen));
    const std::vector<ReplicaCounter> wanted{{a, 9}, {b, 2}};
    CHECK(buffer.gaps(seen, wanted) == std::vector<CounterRange>{{a, 1, 3}, {a, 6, 7}, {a, 9, 9}, {b, 1, 2}});
}

TEST_CASE("a full buffer refuses, and takes again when there is room") {
    CausalBuffer<Item> buffer{2, 1 << 20};
    VersionVector seen;
    CHECK(buffer.offer(Item{{a, 2, 2}}, seen) == Arrival::held);
    CHECK(buffer.offer(Item{{a, 3, 3}}, seen) == Arrival::held);
    CHECK(buffer.offer(Item{{a, 4, 4}}, seen) == Arrival::refused);
    CHECK(buffer.refused() == 1);
    const Item first{{a, 1, 1}};
    CHECK(buffer.offer(first, seen) == Arrival::ready);  // what is ready needs no room
    see(seen, first);
    while (const auto next = buffer.take(seen)) see(seen, *next);
    CHECK(buffer.offer(Item{{a, 5, 5}}, seen) == Arrival::held);
    CausalBuffer<Item> small{100, 150};
    CHECK(small.offer(Item{{b, 2, 2}}, seen) == Arrival::held);
    CHECK(small.offer(Item{{b, 3, 3}}, seen) == Arrival::refused);
}

TEST_CASE("any order, any duplicates: each item once, causally") {
    std::mt19937 random{5};
    for (int round = 0; round < 100; ++round) {
        std::vector<Item> items;
        for (std::uint64_t i = 1; i <= 20; ++i) {
            items.push_back(
                {{a, i, i}, i > 1 ? std::vector<ReplicaCounter>{{b, i / 2}} : std::vector<ReplicaCounter>{}});
            if (i <= 10) items.push_back({{b, i, i}, {{a, i}}});
        }
        items[0].needs.clear();
        std::vector<Item> arriving = items;
        arriving.insert(arriving.end(), items.begin(), items.end());
        std::shuffle(arriving.begin(), arriving.end(), random);
        CausalBuffer<Item> buffer{1000, 1 << 20};
        VersionVector seen;
        std::size_t delivered = 0;
        for (const Item& item : arriving) {
            if (buffer.offer(item, seen) != Arrival::ready) continue;
            see(seen, item);
            ++delivered;
            while (const auto next = buffer.take(seen)) {
                see(seen, *next);
                ++delivered;
            }
        }
        CHECK(delivered == items.size());
        CHECK(buffer.size() == 0);
    }
}
