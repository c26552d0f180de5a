#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <limits>
#include <map>
#include <random>
#include <string>
#include <thread>

using netsync::detail::SortedMap;

namespace {

enum class Color : signed char { dark = -1, none, light };

std::uint64_t number(std::uint64_t i) { return i * 1024; }
std::string text(std::uint64_t i) { return "many share it/" + std::to_string(i); }
std::string short_text(std::uint64_t i) { return std::to_string(i * 7919); }
std::int32_t negative(std::uint64_t i) { return static_cast<std::int32_t>(i) - 900; }
std::pair<int, std::string> pair(std::uint64_t i) { return {static_cast<int>(i % 3), std::to_string(i)}; }

template <class Map, class Model>
void check_equal(const Map& map, const Model& model) {
    REQUIRE(map.size() == model.size());
    auto expected = model.begin();
    for (const auto& [key, value] : map) {
        REQUIRE(expected != model.end());
        REQUIRE(key == expected->first);
        REQUIRE(value == expected->second);
        ++expected;
    }
    REQUIRE(expected == model.end());
    expected = model.begin();
    map.for_each([&](const auto& entry) {
        REQUIRE(entry.key == expected->first);
        REQUIRE(entry.value == (expected++)->second);
    });
    REQUIRE(expected == model.end());
}

/// What is taken out of a copy stays in the map that shares it; what nobody shares is moved.
template <class Map, class Model>
void check_taken(Map& map, const Model& model) {
    const auto take_all = [&](Map& from) {
        auto expected = model.begin(), announced = model.begin();
        const auto take = [&](auto&& key, auto&& value) {
            static_assert(!std::is_lvalue_reference_v<decltype(value)>);
            const auto taken = std::move(value);
            REQUIRE(key == expected->first);
            REQUIRE(taken == (expected++)->second);
        };
        from.take_each(take, [&](const auto& next) {
            REQUIRE(announced == expected);
            REQUIRE(next == (++announced)->first);
        });
        REQUIRE(expected == model.end());
        if (!model.empty()) REQUIRE(++announced == model.end());
    };
    Map copy = map;
    take_all(copy);
    check_equal(map, model);
    copy = {};
    Map alone = std::move(map);
    take_all(alone);
    for (const auto& [key, value] : model) *map.try_emplace(key).first = value;
}

/// Values that own memory, so that a sanitizer sees what is lost or freed twice.
template <class Key>
void walk(Key (*key_of)(std::uint64_t)) {
    std::mt19937_64 random{6};
    for (int round = 0; round < 30; ++round) {
        SortedMap<Key, std::string> map, copy;
        std::map<Key, std::string> model, copied;
        const std::uint64_t keys = round % 3 == 0 ? 6 : round % 3 == 1 ? 200 : 9000;
        const std::uint64_t erasures = 1 + static_cast<std::uint64_t>(round / 3) % 4;
        for (int i = 0; i < 6000; ++i) {
            const Key key = key_of(random() % keys);
            const std::uint64_t what = random() % 6;
            if (random() % 4 == 0) map.prefetch(random() % 2 == 0 ? key : key_of(random() % keys));  // reads as before
            if (what < erasures) {
                REQUIRE(map.erase(key) == (model.erase(key) == 1));
            } else if (what < 5) {
                const auto [value, made] = map.try_emplace(key);
                REQUIRE(made == !model.contains(key));
                *value = model[key] = std::to_string(random());
            } else {
                const std::string* found = std::as_const(map).find(key);
                const auto expected = model.find(key);
                REQUIRE((found != nullptr) == (expected != model.end()));
                if (found) REQUIRE(*found == expected->second);
                if (std::string* mine = map.find(key)) *mine = model[key] = "written";
            }
            if (i % 1500 == 0) {
                check_equal(copy, copied);
                copy = map, copied = model;
            }
        }
        check_equal(map, model);
        check_equal(copy, copied);
        check_taken(map, model);
        copy = map;
        const auto same = [](const std::string& a, const std::string& b) { return a == b; };
        CHECK(map.equal(copy, same));
        for (auto& [key, value] : model) *map.find(key) = value += "!";
        CHECK((map.empty() || !map.equal(copy, same)));
        check_equal(map, model);
        while (!model.empty()) {
            REQUIRE(map.erase(model.begin()->first));
            model.erase(model.begin());
        }
        CHECK(map.empty());
        CHECK(map.begin() == map.end());
    }
}

/// Keys that come in order may be appended, also where copies share what is there.
template <class Key>
void append_all(Key (*key_of)(std::uint64_t)) {
    std::mt19937_64 random{11};
    std::map<Key, std::string> keys;
    for (std::uint64_t i = 0; i < 9000; ++i) keys[key_of(i)] = std::to_string(i);
    SortedMap<Key, std::string> map, copy;
    std::map<Key, std::string> model, copied;
    for (const auto& [key, value] : keys) {
        if (random() % 4 == 0) {
            REQUIRE(map.try_emplace(key).second);
            *map.find(key) = value;
        } else {
            *map.append(Key(key)) = value;
        }
        model[key] = value;
        REQUIRE(map.last().key == key);
        if (random() % 500 == 0) copy = map, copied = model;
        if (random() % 3 == 0) {
            const auto gone = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size() % 40));
            REQUIRE(map.erase(gone->first));
            model.erase(gone);
            if (model.empty()) break;
        }
    }
    check_equal(map, model);
    check_equal(copy, copied);
    for (auto mine = map.begin(); mine != map.end(); ++mine) {
        const auto there = copy.lower_bound((*mine).key);
        if (there == copy.end()) break;
        REQUIRE(there.compare(mine) >= 0);
        REQUIRE((mine.compare(there) < 0) == ((*mine).key < (*there).key));
        REQUIRE((mine.compare(there) == 0) == ((*mine).key == (*there).key));
    }
}

}  // namespace

TEST_CASE("what is appended is what a std::map holds") {
    append_all(number);
    append_all(negative);
    append_all(text);
    append_all(short_text);
    append_all(pair);
}

TEST_CASE("a SortedMap is a std::map, and so are its copies") {
    walk(number);
    walk(negative);
    walk(text);
    walk(short_text);
    walk(pair);
}

TEST_CASE("what was looked for last is no more than a guess") {
    std::mt19937_64 random{23};
    SortedMap<std::uint64_t, int> map, other;
    std::map<std::uint64_t, int> model;
    std::uint64_t asked = 0;
    for (int i = 0; i < 60'000; ++i) {
        const std::uint64_t key = random() % 4 == 0 ? asked + random() % 3 : random() % 20'000 * 3;
        if (random() % 2 == 0) static_cast<void>(std::as_const(random() % 8 == 0 ? other : map).find(asked = key));
        if (random() % 5 == 0) {
            REQUIRE(map.erase(asked) == (model.erase(asked) == 1));
        } else {
            REQUIRE(map.try_emplace(key).second == model.try_emplace(key).second);
            *map.find(key) = model[key] = i;
        }
        if (i % 1000 == 0) other = map;
    }
    check_equal(map, model);
    constexpr std::uint64_t last = std::numeric_limits<std::uint64_t>::max();  // what empty places hold
    for (const std::uint64_t key : {last, last - 1}) {
        CHECK_FALSE(std::as_const(map).find(key));
        REQUIRE(map.try_emplace(key).second);
        REQUIRE(std::as_const(map).find(key));
        REQUIRE_FALSE(map.try_emplace(key).second);
    }
    REQUIRE(map.last().key == last);
    REQUIRE(map.erase(last));
    CHECK_FALSE(std::as_const(map).find(last));
    CHECK(std::as_const(map).find(last - 1));
}

TEST_CASE("keys in order fill their leaves; a map of all sizes is walked in order") {
    SortedMap<std::uint64_t, int> map;
    for (std::uint64_t i = 0; i < 300'000; ++i) *map.try_emplace(i).first = 1;
    std::uint64_t next = 0;
    for (const auto& [key, value] : map) REQUIRE(key == next++);
    CHECK(next == 300'000);
    for (std::uint64_t i = 300'000; i-- > 0;) REQUIRE(map.erase(i));
    CHECK(map.empty());
}

TEST_CASE("strings are found by anything that is text, and sort as bytes do") {
    SortedMap<std::string, int> map;
    for (int i = 0; i < 100; ++i) *map.try_emplace("key " + std::to_string(i)).first = i;
    CHECK(*map.find("key 42") == 42);
    CHECK(*map.find(std::string_view{"key 7"}) == 7);
    CHECK_FALSE(map.find("key 100"));
    SortedMap<std::string, int> odd;
    for (const std::string& key : {std::string{}, std::string(1, '\0'), std::string(9, '\0'), std::string{"\xff\xfe"},
                                   std::string{"a"}, std::string{"abcdefgh"}, std::string{"abcdefghi"}})
        odd.try_emplace(key);
    CHECK(odd.size() == 7);
    std::string previous;
    for (const auto& [key, value] : odd) {
        CHECK((key.empty() || previous < key));
        previous = key;
        CHECK(odd.find(key));
    }
}

TEST_CASE("enumerators and signed numbers sort as numbers") {
    SortedMap<Color, int> colors;
    for (const Color color : {Color::light, Color::dark, Color::none}) colors.try_emplace(color);
    CHECK((*colors.begin()).key == Color::dark);
    SortedMap<bool, int> bits;
    bits.try_emplace(true);
    CHECK_FALSE(bits.find(false));
}

TEST_CASE("a copy is read by another thread while the map is written to") {
    SortedMap<std::uint64_t, std::string> map;
    for (std::uint64_t i = 0; i < 20'000; ++i) *map.try_emplace(i).first = std::to_string(i);
    const auto copy = map;
    std::thread reader([&copy] {
        std::uint64_t next = 0;
        for (const auto& [key, value] : copy) {
            if (key != next || value != std::to_string(next)) std::abort();
            ++next;
        }
        if (next != 20'000) std::abort();
    });
    for (std::uint64_t i = 0; i < 20'000; i += 2) map.erase(i);
    for (std::uint64_t i = 1; i < 20'000; i += 2) *map.find(i) = "";
    reader.join();
    CHECK(map.size() == 10'000);
    CHECK(copy.size() == 20'000);
}

namespace {

/// A value that counts how often it is copied.
struct Counted {
    Counted() = default;
    Counted(const Counted&) { ++copies; }
    Counted(Counted&&) noexcept = default;
    Counted& operator=(const Counted&) = delete;
    Counted& operator=(Counted&&) noexcept = default;
    ~Counted() = default;
    static inline int copies = 0;
};

/// A copy is drained while the map itself is written to, here or there.
template <class Key>
void drain_all(Key (*key_of)(std::uint64_t), std::uint64_t size) {
    std::map<Key, std::string> model;
    SortedMap<Key, std::string> map;
    for (std::uint64_t i = 0; i < size; ++i) *map.try_emplace(key_of(i)).first = model[key_of(i)] = std::to_string(i);
    for (const bool shared : {true, false}) {
        SortedMap<Key, std::string> going = map;
        if (!shared) map.clear();
        std::size_t visited = 0;
        const Key* before = nullptr;
        auto expected = model.begin();
        going.drain([&](const auto& entry) {
            REQUIRE(expected != model.end());
            REQUIRE(entry.key == expected->first);
            REQUIRE(entry.value == expected->second);
            if constexpr (std::is_reference_v<decltype(entry.key)>) {
                if (before) REQUIRE(*before == std::prev(expected)->first);
                before = &entry.key;
            }
            ++expected;
            if (shared && ++visited % 3 == 0) *map.find(entry.key) += "!";
        });
        CHECK(expected == model.end());
        CHECK(going.empty());
        CHECK(going.begin() == going.end());
        *going.try_emplace(key_of(1)).first = "again";
        CHECK(going.size() == 1);
        if (shared) {
            std::size_t at = 0;
            std::map<Key, std::string> written = model;
            for (auto& [key, value] : written)
                if (++at % 3 == 0) value += "!";
            check_equal(map, written);
            for (const auto& [key, value] : model) *map.find(key) = value;
        }
    }
}

}  // namespace

TEST_CASE("what is drained is visited in order, and stays in copies, also where they are written to") {
    for (const std::uint64_t size : {0u, 1u, 100u, 129u, 3000u, 12'000u}) {
        drain_all(number, size);
        drain_all(text, size);
    }
}

TEST_CASE("a map need not copy what a copy of it was drained of") {
    SortedMap<std::uint64_t, Counted> map;
    constexpr std::uint64_t size = 50'000;
    for (std::uint64_t key = 0; key < size; ++key) map.try_emplace(key);
    SortedMap<std::uint64_t, Counted> going = map;
    Counted::copies = 0;
    std::uint64_t visited = 0;
    int at_half = 0;
    going.drain([&](const auto&) {
        if (++visited != size / 2) return;
        for (std::uint64_t key = 0; key + 1000 < size / 2; ++key) static_cast<void>(map.find(key));
        at_half = Counted::copies;
        static_cast<void>(map.find(size - 1));
        CHECK(Counted::copies > at_half);  // not its turn yet
    });
    CHECK(at_half == 0);
}

TEST_CASE("small maps come and go on any thread, and as it ends") {
    using Map = SortedMap<std::string, std::string>;
    const auto small = [](std::string key) {
        Map map;
        *map.try_emplace(std::move(key)).first = "a value that owns memory of its own";
        return map;
    };
    Map moved;
    for (int round = 0; round < 20; ++round) {
        std::thread{[&] {
            thread_local Map outlives = small("made before anything was let go of");
            for (int i = 0; i < 50; ++i) {
                const Map one = small(std::to_string(i)), other = small("other");
                REQUIRE(*one.find(std::to_string(i)) == *other.find("other"));
            }
            moved = small("made here, freed there");
            REQUIRE(outlives.size() == 1);
        }}.join();
        REQUIRE(moved.find("made here, freed there"));
    }
}
