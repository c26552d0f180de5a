#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <random>
#include <string>
#include <unordered_map>

using netsync::detail::DenseMap;

TEST_CASE("a DenseMap is an unordered_map") {
    std::mt19937_64 random{6};
    for (int round = 0; round < 60; ++round) {
        DenseMap<std::uint64_t, std::uint64_t> map;
        std::unordered_map<std::uint64_t, std::uint64_t> model;
        const std::uint64_t keys = round % 3 == 0 ? 6 : round % 3 == 1 ? 60 : 3000;
        for (int i = 0; i < 4000; ++i) {
            const std::uint64_t key = random() % keys * 1024, value = random();
            switch (random() % 3) {
            case 0: CHECK(map.erase(key) == (model.erase(key) == 1)); break;
            case 1: *map.try_emplace(key).first = model[key] = value; break;
            default: {
                const auto* found = map.find(key);
                const auto expected = model.find(key);
                REQUIRE((found != nullptr) == (expected != model.end()));
                if (found) CHECK(*found == expected->second);
            }
            }
            REQUIRE(map.size() == model.size());
        }
        std::size_t visited = 0;
        for (const auto& [key, value] : map) {
            CHECK(model.at(key) == value);
            ++visited;
        }
        CHECK(visited == model.size());
        for (std::size_t at = map.size(); at-- > 0;)  // a walk backwards that erases sees each once
            if (map.entry(at).key % 2048 == 0) {
                model.erase(map.entry(at).key);
                map.erase_at(at);
            }
        for (const auto& [key, value] : model) CHECK(map.find(key));
        CHECK(map.size() == model.size());
    }
}

TEST_CASE("strings are found by anything that is text") {
    DenseMap<std::string, int> map;
    for (int i = 0; i < 100; ++i) *map.try_emplace("key " + std::to_string(i)).first = i;
    CHECK(*map.find("key 42") == 42);
    CHECK(*map.find(std::string_view{"key 7"}) == 7);
    CHECK_FALSE(map.find("key 100"));
}

TEST_CASE("structs and pairs are keys") {
    struct Point {
        int x = 0;
        std::string name{};
        bool operator==(const Point&) const = default;
    };
    DenseMap<Point, int> map;
    for (int i = 0; i < 50; ++i) *map.try_emplace({i, std::to_string(i)}).first = i;
    CHECK(*map.find(Point{13, "13"}) == 13);
    DenseMap<std::pair<int, std::string>, int> pairs;
    *pairs.try_emplace({1, "a"}).first = 5;
    CHECK(*pairs.find(std::pair<int, std::string>{1, "a"}) == 5);
}

TEST_CASE("one or more: a multiset of items") {
    netsync::detail::OneOrMore<netsync::Dot> dots;
    const auto replica = netsync::intern({8, 8});
    CHECK(dots.empty());
    for (std::uint64_t i = 1; i <= 5; ++i) dots.push_back(netsync::Dot{replica, i});
    auto copy = dots;
    CHECK(dots.retain([](netsync::Dot dot) { return dot.counter() % 2 == 0; }));
    CHECK(dots.size() == 2);
    CHECK(copy.size() == 5);
    CHECK_FALSE(dots.retain([](netsync::Dot) { return true; }));
    CHECK(copy.retain([](netsync::Dot) { return false; }));
    CHECK(copy.empty());
}
