#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <map>
#include <random>
#include <string>

using netsync::detail::Appender;
using netsync::detail::SortedMap;

namespace {

std::uint64_t number(std::uint64_t i) { return i * 1024; }
std::int32_t negative(std::uint64_t i) { return static_cast<std::int32_t>(i) - 900; }
std::string text(std::uint64_t i) { return "many share it/" + std::to_string(i); }
std::pair<int, std::string> pair(std::uint64_t i) { return {static_cast<int>(i % 3), std::to_string(i)}; }

template <class Key>
std::map<Key, std::string> model_of(Key (*key_of)(std::uint64_t), std::uint64_t size) {
    std::map<Key, std::string> model;
    for (std::uint64_t i = 0; i < size; ++i) model[key_of(i)] = "a value of its own " + std::to_string(i);
    return model;
}

template <class Map, class Model>
void check_equal(const Map& map, const Model& model) {
    REQUIRE(map.size() == model.size());
    auto expected = model.begin();
    for (const auto& [key, value] : map) {
        REQUIRE(key == expected->first);
        REQUIRE(value == expected->second);
        ++expected;
    }
    for (const auto& [key, value] : model) REQUIRE(*map.find(key) == value);
}

/// Of all sizes about which leaves and nodes fill: what is appended is a map that can be written to as any other.
template <class Key>
void append_all(Key (*key_of)(std::uint64_t)) {
    std::mt19937_64 random{21};
    for (const std::uint64_t size : {0u, 1u, 2u, 63u, 64u, 65u, 127u, 128u, 129u, 4095u, 4096u, 4097u, 9000u}) {
        auto model = model_of(key_of, size);
        Appender<Key, std::string> appender;
        for (const auto& [key, value] : model) {
            *appender.append(Key(key)) = value;
            if constexpr (!netsync::detail::is_exact_prefix<Key>) REQUIRE(appender.last_key() == key);
        }
        SortedMap<Key, std::string> map = appender.finish();
        check_equal(map, model);
        CHECK(appender.finish().empty());
        const SortedMap<Key, std::string> copy = map;
        const auto before = model;
        for (std::uint64_t at = 0; at < size / 2; ++at) {
            const Key key = key_of(random() % (2 * size));
            if (random() % 2 == 0)
                REQUIRE(map.erase(key) == (model.erase(key) == 1));
            else
                *map.try_emplace(key).first = model[key] = "written";
        }
        check_equal(map, model);
        check_equal(copy, before);
    }
}

/// What is taken out of a map is what it held, and its copies go on holding it.
template <class Key>
void take_all(Key (*key_of)(std::uint64_t)) {
    for (const std::uint64_t size : {1u, 64u, 300u, 9000u})
        for (const int written : {-1, 0, 1}) {  // not copied; a copy; a copy that was written to since
            auto model = model_of(key_of, size);
            SortedMap<Key, std::string> map, copy;
            for (const auto& [key, value] : model) *map.try_emplace(key).first = value;
            if (written >= 0) copy = map;
            const auto copied = model;
            if (written > 0)
                for (std::uint64_t i = 0; i < size; i += 200) *map.find(key_of(i)) = model[key_of(i)] = "written";
            Appender<Key, std::string> taken;
            for (auto at = map.begin(); at != map.end(); ++at) {
                const std::uint64_t prefix = at.prefix();
                at.take(
                    [&](Key&& key, std::string&& value) { *taken.append(prefix, std::move(key)) = std::move(value); });
            }
            check_equal(taken.finish(), model);
            if (written >= 0) check_equal(copy, copied);
        }
}

}  // namespace

TEST_CASE("what an Appender makes is a std::map") {
    append_all(number);
    append_all(negative);
    append_all(text);
    append_all(pair);
}

TEST_CASE("entries are taken out of a map, but not out of its copies") {
    take_all(number);
    take_all(negative);
    take_all(text);
    take_all(pair);
}
