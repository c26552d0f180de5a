// What people see: JSON, {fmt} and descriptions of changes, for every type.
#include <doctest/doctest.h>
#include <netsync/describe.hpp>
#include <netsync/format.hpp>
#include <netsync/json.hpp>
#include <netsync/testing.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

using namespace netsync;

namespace {

enum class Colour { red, green };

struct Point {
    int x = 0;
    double y = 0;
    bool operator<(const Point& other) const { return x < other.x; }
};

struct HighestBid {
    int amount = 0;
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};

class Serialized {
   public:
    template <class Archive>
    void serialize(Archive& archive) {
        archive(size_, name_);
    }

   private:
    int size_ = 3;
    std::string name_ = "n";
};

struct Album {
    LwwRegister<std::string> title{};
    OrSet<std::string> tags{};
    PnCounter plays{};
};

struct Folder {
    OrMap<std::string, Folder> children{};
    OrSet<std::string> files{};
};

template <class Leaf>
struct Wrapped {
    Leaf inner_leaf{};
    int snake_case_2 = 0;
};

static_assert(detail::field_name<Album, 0>() == "title" && detail::field_name<Album, 2>() == "plays");
static_assert(detail::field_name<Wrapped<std::vector<int>>, 1>() == "snake_case_2");

/// Every type of the library.
struct All {
    GCounter g_counter{};
    PnCounter pn_counter{};
    ResettableCounter resettable{};
    BoundedCounter<-3> bounded{};
    MinRegister<int> least{};
    MaxRegister<int> greatest{};
    EnableWinsFlag on{};
    DisableWinsFlag off{};
    LwwRegister<Point> point{};
    MvRegister<std::string> several{};
    GSet<int> g_set{};
    OrSet<std::string> or_set{};
    LwwSet<int> lww_set{};
    TwoPhaseSet<int> two_phase{};
    RwSet<int> rw_set{};
    Bag<std::string> bag{};
    LwwMap<int, std::string> lww_map{};
    OrMap<std::string, Album> or_map{};
    GMap<bool, PnCounter> g_map{};
    Owned<OrSet<int>> owned{};
    Joined<HighestBid> joined{};
    LwwChoice<PnCounter, LwwRegister<std::string>> choice{};
    LwwOptional<PnCounter> optional{};
    HighestBid bid{};
};

void fill(auto& replica) {
    replica.update(&All::g_counter, increment(2));
    replica.update(&All::pn_counter, decrement(2));
    replica.update(&All::resettable, increment(9));
    replica.update(&All::bounded, increment(4));
    replica.update(&All::least, assign(-7));
    replica.update(&All::on, enable());
    replica.update(&All::point, assign(Point{1, 2.5}));
    replica.update(&All::several, assign("one"));
    for (const int i : {10, 9}) replica.update(&All::g_set, add(i));
    replica.update(&All::or_set, add("a\"b"));
    replica.update(&All::lww_set, add(1));
    replica.update(&All::two_phase, add(1));
    replica.update(&All::rw_set, add(1));
    replica.update(&All::bag, add("egg", 2));
    replica.update(&All::lww_map, assign(5, "five"));
    replica.update(&All::or_map, "b", &Album::title, assign("Blue Train"));
    replica.update(&All::g_map, true, increment());
    replica.update(&All::owned, mine, add(3));
    replica.update(&All::joined, add(HighestBid{4}));
    replica.update(&All::choice, alternative<1>, assign("text"));
    replica.update([](const All&, Change&) { return All{.bid = {8}}; });
}

const char* const all_text =
    R"({"g_counter":2,"pn_counter":-2,"resettable":9,"bounded":1,"least":-7,"greatest":null,"on":true,"off":false,)"
    R"("point":{"x":1,"y":2.5},"several":["one"],"g_set":[9,10],"or_set":["a\"b"],"lww_set":[1],"two_phase":[1],)"
    R"("rw_set":[1],"bag":{"egg":2},"lww_map":{"5":"five"},)"
    R"("or_map":{"b":{"title":"Blue Train","tags":[],"plays":0}},"g_map":{"true":1},"owned":{"OWNER":[3]},)"
    R"("joined":{"amount":4},"choice":"text","optional":null,"bid":{"amount":8}})";

std::string lines(const std::vector<Description>& all) {
    std::string text;
    for (const Description& each : all) text += to_string(each) + '\n';
    return text;
}

}  // namespace

TEST_CASE("values: numbers, texts with escapes, containers, structs by the names of their fields") {
    CHECK(to_json(-5) == "-5");
    CHECK(to_json(~std::uint64_t{0}) == "18446744073709551615");
    CHECK(to_json(std::int8_t{-3}) == "-3");
    CHECK(to_json(0.1) == "0.1");
    CHECK(to_json(1e300 * 1e300) == "null");
    CHECK(to_json(true) == "true");
    CHECK(to_json(Colour::green) == "1");
    CHECK(to_json("a\"\\\b\f\n\r\t\x01/é𝄞") == "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001/é𝄞\"");
    CHECK(to_json(std::string("a\xff")) == "\"a\\ufffd\"");
    CHECK(to_json(std::string("a\0b", 3)) == "\"a\\u0000b\"");
    CHECK(to_json(std::vector<std::optional<int>>{1, std::nullopt}) == "[1,null]");
    CHECK(to_json(std::map<int, std::pair<int, bool>>{{2, {1, false}}}) == R"({"2":[1,false]})");
    CHECK(to_json(std::map<Point, int>{{{1, 2}, 3}}) == R"({"{\"x\":1,\"y\":2}":3})");
    CHECK(to_json(std::variant<int, std::string>{"x"}) == "\"x\"");
    CHECK(to_json(Serialized{}) == R"({"0":3,"1":"n"})");
    CHECK(to_json(Wrapped<Point>{{1, 0.5}, 2}) == R"({"inner_leaf":{"x":1,"y":0.5},"snake_case_2":2})");
    struct Local {
        int only = 1;
    };
    CHECK(to_json(Local{}) == R"({"only":1})");
    CHECK(to_json(std::vector<int>{}, 2) == "[]");
    CHECK(to_json(Wrapped<std::vector<int>>{{1, 2}, 3}, 2) ==
          "{\n  \"inner_leaf\": [\n    1,\n    2\n  ],\n  \"snake_case_2\": 3\n}");
}

TEST_CASE("every type has a JSON form, and prints") {
    MemoryHub network;
    MemoryReplica<All> replica{network, {.name = "laptop"}};
    fill(replica);
    std::string text = to_json(replica.state()), expected = all_text;
    expected.replace(expected.find("OWNER"), 5, to_string(replica.id()).substr(0, 16));
    CHECK(text == expected);
    CHECK(fmt::format("{}", replica.state()) == expected);
    CHECK(fmt::format("{}", replica.get(&All::g_set)) == "[9,10]");
    CHECK(fmt::format("{:#}", replica.get(&All::or_set)) == "[\n  \"a\\\"b\"\n]");
    CHECK(to_json(OrMap<std::string, Folder>{}) == "{}");
}

TEST_CASE("a change is described, line by line, by paths into the JSON") {
    MemoryHub network;
    MemoryReplica<All> replica{network, {.name = "laptop"}}, other{network};
    std::string heard;
    const auto watch = other.on_change([&](const All& delta) { heard += lines(describe(delta, other.state())); });
    fill(replica);
    network.run();
    CHECK(heard.find("/or_map/b/title assigned \"Blue Train\"\n") != std::string::npos);
    for (const char* line :
         {"/g_counter counted 2", "/pn_counter counted -2", "/bounded counted 1", "/least assigned -7", "/on enabled",
          "/point assigned {\"x\":1,\"y\":2.5}", "/several assigned [\"one\"]", "/g_set added 9", "/bag/egg counted 2",
          "/lww_map/5 assigned \"five\"", "/g_map/true counted 1", "/joined changed {\"amount\":4}", "/choice chose 1",
          "/choice assigned \"text\"", "/bid changed {\"amount\":8}"})
        CHECK_MESSAGE(("\n" + heard).find("\n" + std::string(line) + "\n") != std::string::npos, line);
    heard.clear();
    replica.batch([](auto& batch) {
        batch.update(&All::or_set, netsync::remove("a\"b"));
        batch.update(&All::or_set, add("c"));
        batch.update(&All::lww_map, netsync::remove(5));
        batch.update(&All::rw_set, netsync::remove(1));
        batch.update(&All::or_map, netsync::remove("b"));
        batch.update(&All::or_map, "x/y~", &Album::tags, add("jazz"));
        batch.update(&All::on, disable());
        batch.update(&All::bag, netsync::remove("egg"));
        batch.update(&All::choice, clear());
    });
    network.run();
    CHECK(heard == "/on disabled\n"
                   "/or_set added \"c\"\n"
                   "/or_set removed \"a\\\"b\"\n"
                   "/rw_set removed 1\n"
                   "/bag/egg removed\n"
                   "/lww_map/5 removed\n"
                   "/or_map/x~1y~0/tags added \"jazz\"\n"
                   "/or_map/b removed\n"
                   "/choice removed\n");
    CHECK(fmt::format("{}", Description{"/a", "added", "1"}) == "/a added 1");
    CHECK(describe(All{}, other.state()).empty());
}

namespace {

struct Written {
    Text text{};
    List<int> list{};
    Tree<LwwRegister<std::string>> tree{};
};

}  // namespace

TEST_CASE("texts, lists and trees: their JSON, and what changes them") {
    MemoryHub network;
    MemoryReplica<Written> replica{network}, other{network};
    std::string heard;
    const auto watch = other.on_change([&](const Written& delta) { heard += lines(describe(delta, other.state())); });
    const auto tree = [&](auto change) {
        Tree<LwwRegister<std::string>> delta;
        replica.update([&](const Written& now, Change& c) { return Written{.tree = delta = change(now.tree, c)}; });
        return delta.inserted();
    };
    const auto named = [](const char* name) {
        return [name](const auto& value, Change& c) { return value.assign(c, name); };
    };
    CHECK(to_json(replica.state()) == R"({"text":"","list":[],"tree":[]})");
    replica.update(&Written::text, insert(0, "h\"\xc3\xa9llo"));
    replica.update(&Written::list, push_back(5));
    replica.update(&Written::list, push_back(7));
    const NodeId a = tree([&](const auto& now, Change& c) { return now.insert(c, now.root, now.last, named("a")); });
    const NodeId b = tree([&](const auto& now, Change& c) { return now.insert(c, now.root, now.last, named("b")); });
    tree([&](const auto& now, Change& c) { return now.insert(c, b, 0, named("c")); });
    network.run();
    CHECK(to_json(other.state()) == "{\"text\":\"h\\\"\xc3\xa9llo\","
                                    R"("list":[5,7],"tree":[{"value":"a","children":[]},)"
                                    R"({"value":"b","children":[{"value":"c","children":[]}]}]})");
    CHECK(to_json(other.state().tree, 1) ==
          "[\n {\n  \"value\": \"a\",\n  \"children\": []\n },\n {\n  \"value\": \"b\",\n  \"children\": [\n   {\n"
          "    \"value\": \"c\",\n    \"children\": []\n   }\n  ]\n }\n]");
    CHECK(fmt::format("{}", other.state().list) == "[5,7]");
    CHECK(heard == "/text/0 inserted \"h\\\"\xc3\xa9llo\"\n"
                   "/list/0 inserted 5\n"
                   "/list/1 inserted 7\n"
                   "/tree/0 inserted \"a\"\n"
                   "/tree/0/value assigned \"a\"\n"
                   "/tree/1 inserted \"b\"\n"
                   "/tree/1/value assigned \"b\"\n"
                   "/tree/1/children/0 inserted \"c\"\n"
                   "/tree/1/children/0/value assigned \"c\"\n");
    heard.clear();
    replica.batch([](auto& batch) {
        batch.update(&Written::text, erase(1, 2));
        batch.update(&Written::text, insert(1, "e"));
        batch.update(&Written::list, netsync::move(0, 1));
    });
    replica.update(&Written::list, erase(0));
    tree([&](const auto& now, Change& c) { return now.move(c, a, b, 1); });
    tree([&](const auto& now, Change& c) { return now.update(c, a, named("aa")); });
    tree([&](const auto& now, Change& c) { return now.remove(c, b); });
    network.run();
    CHECK(heard == "/text/1 inserted \"e\"\n"
                   "/text/1 erased 2\n"
                   "/list/1 moved 5\n"
                   "/list erased 1\n"
                   "/tree/0/children/1 moved \"a\"\n"
                   "/tree/0/children/1/value assigned \"aa\"\n"
                   "/tree removed\n");
    CHECK(to_json(other.state()) == R"({"text":"hello","list":[5],"tree":[]})");
}

TEST_CASE("trees are written however deep they are") {
    auto s = testing::make_sites<Tree<LwwRegister<int>>>(1);
    NodeId parent{};
    for (std::uint64_t depth = 1; depth <= 3000; ++depth)
        parent =
            s[0].change({depth}, [&](const auto& now, Change& c) { return now.insert(c, parent); }).delta.inserted();
    const std::string text = to_json(s[0].state);
    CHECK(text.size() == 2 + 3000 * std::string_view{R"({"value":null,"children":[]})"}.size());
}

TEST_CASE("a change that was superseded is told as what is there now") {
    auto s = testing::make_sites<OrMap<std::string, Album>>(2);
    const auto title = [](const char* text) {
        return [text](const auto& map, Change& c) {
            return map.update(c, "k", [&](const Album& album, Change& inner) {
                return Album{.title = album.title.assign(inner, text)};
            });
        };
    };
    const auto early = s[0].change({1}, title("early"));
    s[0].deliver(s[1].change({2}, title("late")));
    CHECK(lines(describe(early.delta, s[0].state)) == "/k/title assigned \"late\"\n");
    const auto gone = s[0].change({3}, [](const auto& map, Change& c) { return map.remove(c, "k"); });
    CHECK(lines(describe(early.delta, s[0].state)) == "/k removed\n");
    s[0].deliver(s[1].change({4}, title("again")));
    CHECK(lines(describe(gone.delta, s[0].state)) == "/k changed {\"title\":\"again\",\"tags\":[],\"plays\":0}\n");
}
