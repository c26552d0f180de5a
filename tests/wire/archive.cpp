// The bounded archives: what goes in comes out; what no correct program writes is refused; types made for cereal work.
#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <cereal/access.hpp>
#include <cereal/cereal.hpp>
#include <cereal/types/base_class.hpp>

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

using namespace netsync;

namespace {

enum class Colour : std::uint16_t { red = 1, blue = 300 };

struct Inner {
    int x = 0;
    std::string text{};
    bool operator==(const Inner&) const = default;
};
struct Everything {
    bool yes = false;
    std::int8_t tiny = 0;
    std::int64_t wide = 0;
    std::uint64_t huge = 0;
    float real = 0;
    double precise = 0;
    Colour colour = Colour::red;
    std::string text{};
    std::vector<Inner> list{};
    std::vector<std::byte> blob{};
    std::array<int, 3> three{};
    std::map<std::string, int> map{};
    std::unordered_map<int, std::string> table{};
    std::set<int> set{};
    std::unordered_set<std::string> words{};
    std::optional<Inner> maybe{};
    std::variant<int, std::string> either{};
    std::pair<int, std::string> pair{};
    std::tuple<int, bool> tuple{};
    Ntp64 time{};
    ReplicaId id{};
    bool operator==(const Everything&) const = default;
};

class Private {
   public:
    int value = 0;

   private:
    friend class cereal::access;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(CEREAL_NVP(value));
    }
};
struct Base {
    int base = 0;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(base);
    }
};
struct FromCereal : Base {
    int a = 0;
    std::string b{};
    template <class Archive>
    void serialize(Archive& archive) {
        archive(cereal::base_class<Base>(this), cereal::make_nvp("a", a), b);
    }
};
struct Free {
    int value = 0;
};
template <class Archive>
void serialize(Archive& archive, Free& free) {
    archive & free.value;
}
struct Pair {
    int value = 0;
    template <class Archive>
    void save(Archive& archive) const {
        archive(value + 1);
    }
    template <class Archive>
    void load(Archive& archive) {
        archive(value);
        --value;
    }
};

template <class T>
Bytes encode(const T& value) {
    Output out;
    out(value);
    REQUIRE_FALSE(out.error());
    return std::move(out).take();
}

template <class T>
Result<T> decode(ByteView bytes, std::size_t budget = 1 << 20) {
    Input in{bytes, budget};
    T value{};
    in(value);
    if (const auto error = in.finish()) return error;
    return value;
}

Bytes raw(std::initializer_list<int> values) {
    Bytes bytes;
    for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

}  // namespace

TEST_CASE("every kind of value comes back") {
    Everything all;
    all.yes = true;
    all.tiny = -128;
    all.wide = std::numeric_limits<std::int64_t>::min();
    all.huge = std::numeric_limits<std::uint64_t>::max();
    all.real = -1.5f;
    all.precise = 1e300;
    all.colour = Colour::blue;
    all.text = "\u00fcber \U0001F600";
    all.list = {{1, "one"}, {-2, "two"}};
    all.blob = raw({0xff, 0x00});
    all.three = {1, 2, 3};
    all.map = {{"a", 1}, {"b", 2}};
    all.table = {{1, "x"}, {-5, "y"}};
    all.set = {3, 1, 2};
    all.words = {"p", "q", "r"};
    all.maybe = Inner{7, "seven"};
    all.either = "text";
    all.pair = {1, "p"};
    all.tuple = {2, true};
    all.time = {123456789};
    all.id = {1, 2};
    CHECK(*decode<Everything>(encode(all)) == all);
    CHECK(encode(*decode<Everything>(encode(all))) == encode(all));
    CHECK(*decode<Everything>(encode(Everything{})) == Everything{});
}

TEST_CASE("types written for cereal work unchanged") {
    FromCereal value;
    value.base = 1;
    value.a = 2;
    value.b = "three";
    const auto back = decode<FromCereal>(encode(value));
    CHECK(back->base == 1);
    CHECK(back->a == 2);
    CHECK(back->b == "three");
    Private hidden;
    hidden.value = 5;
    CHECK(decode<Private>(encode(hidden))->value == 5);
    CHECK(decode<Free>(encode(Free{6}))->value == 6);
    CHECK(decode<Pair>(encode(Pair{7}))->value == 7);
}

TEST_CASE("an older program skips the fields that a newer one added at the end, and the other way round") {
    struct Old {
        int a = 0;
        std::string b{};
    };
    struct New {
        int a = 0;
        std::string b{};
        std::vector<int> c{};
        std::optional<int> d{};
    };
    struct Around {
        Old value{};
        int after = 0;
    };
    struct AroundNew {
        New value{};
        int after = 0;
    };
    const auto old = decode<Around>(encode(AroundNew{{1, "b", {1, 2, 3}, 4}, 9}));
    CHECK(old->value.a == 1);
    CHECK(old->value.b == "b");
    CHECK(old->after == 9);
    const auto grown = decode<AroundNew>(encode(Around{{1, "b"}, 9}));
    CHECK(grown->value.b == "b");
    CHECK(grown->value.c.empty());
    CHECK(grown->after == 9);
}

TEST_CASE("a CRDT struct with a new member at its end is read by programs without it") {
    struct Old {
        OrSet<std::string> tags{};
    };
    struct New {
        OrSet<std::string> tags{};
        PnCounter plays{};
    };
    const ReplicaIndex me = intern({31, 1});
    Change change{me, 1, {5}};
    const New delta{.tags = OrSet<std::string>{}.add(change, "jazz"), .plays = PnCounter{}.increment(change)};
    const auto bytes = encode_delta(delta, change.minted(), {5}, Limits{});
    const Frame frame = Frame::make({.origin = {31, 1}, .first = 1, .count = 2, .time = {5}}, *bytes, 0);
    const auto old = frame.delta<Old>();
    REQUIRE(old);
    CHECK(old->tags.contains("jazz"));
}

TEST_CASE("records longer than a byte's length") {
    for (const std::size_t size : {0u, 125u, 126u, 127u, 128u, 16'383u, 16'384u, 100'000u}) {
        const Inner value{1, std::string(size, 'x')};
        CHECK(*decode<Inner>(encode(value)) == value);
    }
}

TEST_CASE("hostile bytes") {
    CHECK(decode<std::uint64_t>(raw({0x80, 0x00})).error() == errc::malformed);  // not minimal
    CHECK(decode<std::uint64_t>(raw({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02})).error() ==
          errc::malformed);
    CHECK(decode<std::uint64_t>(raw({0x80})).error() == errc::malformed);  // truncated
    CHECK(decode<std::uint16_t>(encode(std::uint32_t{70'000})).error() == errc::malformed);
    CHECK(decode<std::int16_t>(encode(std::int32_t{-40'000})).error() == errc::malformed);
    CHECK(decode<bool>(raw({2})).error() == errc::malformed);
    CHECK(decode<int>(raw({0, 0})).error() == errc::malformed);                         // trailing
    CHECK(decode<std::string>(raw({2, 0xc0, 0x80})).error() == errc::malformed);        // overlong NUL
    CHECK(decode<std::string>(raw({3, 0xed, 0xa0, 0x80})).error() == errc::malformed);  // a surrogate
    CHECK(decode<std::string>(raw({4, 0xf4, 0x90, 0x80, 0x80})).error() == errc::malformed);
    CHECK(decode<std::set<int>>(raw({2, 4, 2})).error() == errc::malformed);  // not sorted
    CHECK(decode<std::set<int>>(raw({2, 2, 2})).error() == errc::malformed);  // not unique
    CHECK(decode<std::map<int, int>>(raw({2, 2, 0, 2, 0})).error() == errc::malformed);
    CHECK(decode<std::variant<int, bool>>(raw({2, 0})).error() == errc::malformed);
    CHECK(decode<std::optional<int>>(raw({2})).error() == errc::malformed);
    CHECK(decode<Inner>(raw({200, 1, 0})).error() == errc::malformed);  // a record longer than the rest
    CHECK(decode<Dot>(raw({1})).error() == errc::malformed);            // outside of any frame
    CHECK_FALSE(is_utf8(std::string_view{"abcdefgh\xff"}));
    CHECK(is_utf8(std::string_view{"abcdefgh\u20ac\U0010FFFF"}));
}

TEST_CASE("nothing is allocated on a peer's word") {
    // Nine bytes that say "four thousand million".
    const Bytes bomb = raw({0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4});
    CHECK(decode<std::vector<std::string>>(bomb).error() == errc::malformed);
    CHECK(decode<std::string>(bomb).error() == errc::malformed);
    CHECK(decode<std::vector<std::byte>>(bomb).error() == errc::malformed);
    // As many items as there are bytes, each large in memory.
    struct Large {
        std::array<std::uint64_t, 100> words{};
        std::string text{};
    };
    Output out;
    out.count(60'000);
    for (int i = 0; i < 60'000; ++i) out.varint(0);
    CHECK(decode<std::vector<Large>>(out.view(), Limits::frame_budget(out.size())).error() == errc::too_large);
}

TEST_CASE("depth is capped where it is made and where it is read") {
    struct Nested {
        std::vector<Nested> inner{};
    };
    Nested deep;
    for (int i = 0; i < 500; ++i) {
        Nested around;
        around.inner.push_back(std::move(deep));
        deep = std::move(around);
    }
    Output out;
    out(deep);
    CHECK(out.error() == errc::too_deep);
    Bytes bytes;  // 30,000 records within records, innermost first
    for (int i = 0; i < 30'000 && bytes.size() < 60'000; ++i) {
        Output around;
        around.count(bytes.size() + (bytes.empty() ? 0 : 1));
        if (!bytes.empty()) around.count(1);
        around.raw(bytes);
        bytes = std::move(around).take();
        if (i > 400) break;
    }
    CHECK(decode<Nested>(bytes).error() == errc::too_deep);
}

TEST_CASE("text that is not UTF-8 is refused where it is written") {
    Output out;
    out(std::string{"\xff"});
    CHECK(out.error() == errc::not_utf8);
}
