#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace netsync;

namespace {

struct Nothing {};
struct One {
    std::string only{};
};
struct Inner {
    int x = 1;
    std::array<int, 3> three{};
};
struct Mixed {
    std::string text{};
    std::optional<std::string> perhaps{};
    std::vector<Inner> list{};
    std::map<int, std::string> map{};
    Inner inner{};
    std::variant<int, std::string> either{};
    double number = 0;
    std::pair<int, bool> pair{};
};
struct Wide {
    int f1{}, f2{}, f3{}, f4{}, f5{}, f6{}, f7{}, f8{}, f9{}, f10{}, f11{}, f12{}, f13{}, f14{}, f15{}, f16{}, f17{},
        f18{}, f19{}, f20{}, f21{}, f22{}, f23{}, f24{}, f25{}, f26{}, f27{}, f28{}, f29{}, f30{}, f31{}, f32{};
};

static_assert(detail::field_count<Nothing> == 0);
static_assert(detail::field_count<One> == 1);
static_assert(detail::field_count<Inner> == 2);
static_assert(detail::field_count<Mixed> == 8);
static_assert(detail::field_count<Wide> == 32);

struct TwentyFour {
    OrSet<int> a1{}, a2{}, a3{}, a4{}, a5{}, a6{}, a7{}, a8{}, a9{}, a10{}, a11{}, a12{};
    LwwRegister<std::string> b1{}, b2{}, b3{}, b4{}, b5{}, b6{};
    PnCounter c1{}, c2{}, c3{};
    OrMap<std::string, OrSet<int>> d1{}, d2{}, d3{};
};
static_assert(detail::field_count<TwentyFour> == 24);
static_assert(causal<TwentyFour>);

}  // namespace

TEST_CASE("fields are visited in order, side by side") {
    Wide a, b;
    int next = 0;
    detail::for_each_field([&](int& field) { field = next++; }, a);
    CHECK(a.f1 == 0);
    CHECK(a.f32 == 31);
    detail::for_each_field([](int& to, const int& from) { to = from * 2; }, b, std::as_const(a));
    CHECK(b.f32 == 62);
    Nothing none;
    detail::for_each_field([](auto&) { FAIL("there is none"); }, none);
}

TEST_CASE("structs without == are compared field by field, through containers") {
    Mixed a, b;
    CHECK(equal(a, b));
    a.list.push_back({});
    CHECK_FALSE(equal(a, b));
    b.list.push_back({});
    CHECK(equal(a, b));
    b.list[0].three[2] = 1;
    CHECK_FALSE(equal(a, b));
}

TEST_CASE("a struct of twenty-four CRDTs replicates") {
    MemoryHub network;
    MemoryReplica<TwentyFour> one{network}, two{network};
    one.update(&TwentyFour::a1, add(1));
    two.update(&TwentyFour::d3, "key", add(2));
    one.update(&TwentyFour::b6, assign("last"));
    network.run();
    CHECK(equal(one.state(), two.state()));
    CHECK(two.get(&TwentyFour::b6).value() == "last");
    CHECK(one.get(&TwentyFour::d3, "key").contains(2));
}
