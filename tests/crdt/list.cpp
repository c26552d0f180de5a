// List: its laws, against a vector, and what concurrent edits and moves do.
#include "sequences.hpp"
#include "sites.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace laws;
using sites::make_sites;

TEST_CASE_TEMPLATE("laws", T, List<int>, List<std::string>, List<bool>, OrMap<std::string, List<int>>) {
    check_all_laws<T>();
}

namespace {

using Strings = List<std::string>;

template <class T>
std::vector<T> values_of(const List<T>& list) {
    std::vector<T> values;
    for (const T& value : list) values.push_back(value);
    return values;
}

auto fill(std::vector<std::string> values) {
    return [=](const Strings& list, Change& change) { return list.insert(change, 0, values.begin(), values.end()); };
}
auto move_to(std::size_t from, std::size_t to) {
    return [=](const auto& list, Change& change) { return list.move(change, from, to); };
}
auto drop(std::size_t index, std::size_t count = 1) {
    return [=](const auto& list, Change& change) { return list.erase(change, index, count); };
}
auto place(std::size_t index, std::string value) {
    return [=](const Strings& list, Change& change) { return list.insert(change, index, value); };
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("a list of one replica is a vector") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        Random random{seed};
        auto s = make_sites<List<int>>(2);
        std::vector<int> model;
        std::vector<List<int>> copies;
        std::vector<std::vector<int>> copied;
        int next = 0;
        for (int step = 0; step < 600; ++step) {
            const std::size_t at = random.below(model.size() + 1);
            const auto here = model.begin() + static_cast<std::ptrdiff_t>(at);
            const std::uint64_t what = random.below(seed % 3 == 0 ? 5 : 8);
            if (what == 0) {
                const std::size_t count = std::min<std::size_t>(random.below(6), model.size() - at);
                s[1].deliver(s[0].change({1}, drop(at, count)));
                model.erase(here, here + static_cast<std::ptrdiff_t>(count));
            } else if (what < 3 && at < model.size()) {
                const std::size_t to = random.below(model.size());
                s[1].deliver(s[0].change({1}, move_to(at, to)));
                const int value = model[at];
                model.erase(here);
                model.insert(model.begin() + static_cast<std::ptrdiff_t>(to), value);
            } else {
                std::vector<int> more(random.below(30) == 0 ? 500 : 1 + random.below(2));
                for (int& value : more) value = next++;
                s[1].deliver(s[0].change({1}, [&](const auto& list, Change& change) {
                    return list.insert(change, at, more.begin(), more.end());
                }));
                model.insert(here, more.begin(), more.end());
            }
            if (step % 150 == 80) copies.push_back(s[0].state), copied.push_back(model);
            REQUIRE(s[0].state.size() == model.size());
            if (!model.empty()) {
                const std::size_t look = random.below(model.size());
                REQUIRE(s[0].state[look] == model[look]);
            }
        }
        REQUIRE(values_of(s[0].state) == model);
        REQUIRE(sites::same(s[0], s[1]));
        for (std::size_t i = 0; i < copies.size(); ++i) REQUIRE(values_of(copies[i]) == copied[i]);
        s[1].deliver(s[0].change({1}, [](const auto& list, Change& change) { return list.clear(change); }));
        REQUIRE(s[0].state.is_bottom());  // nothing is kept of what was erased or moved
        REQUIRE(s[1].state == List<int>{});
    }
}

TEST_CASE("runs that are pushed to one end at once do not interleave") {
    for (const bool front : {false, true}) {
        auto s = make_sites<Strings>(3);
        std::vector<sites::Sent<Strings>> sent;
        for (std::size_t at = 0; at < 3; ++at)
            for (int i = 0; i < 4; ++i)
                sent.push_back(s[at].change({1}, [&](const Strings& list, Change& change) {
                    return list.insert(change, front ? 0 : list.size(), std::string(1, static_cast<char>('a' + at)));
                }));
        for (auto& site : s)
            for (const auto& item : sent)
                if (site.ready(item)) site.deliver(item);
        std::string all;
        s[0].state.for_each([&](const std::string& value) { all += value; });
        for (const char* run : {"aaaa", "bbbb", "cccc"}) CHECK_MESSAGE(all.find(run) != std::string::npos, all);
        CHECK(sites::same(s[0], s[1]));
        CHECK(sites::same(s[0], s[2]));
    }
}

TEST_CASE("an element that is moved at once by several is one element, where the later put it") {
    auto s = make_sites<Strings>(3);
    const auto base = s[0].change({1}, fill({"a", "b", "c", "d"}));
    for (std::size_t at = 1; at < 3; ++at) s[at].deliver(base);
    const auto early = s[0].change({2}, move_to(0, 3));
    const auto late = s[1].change({3}, move_to(0, 1));
    s[0].deliver(late);
    s[1].deliver(early);
    s[2].deliver(late);
    s[2].deliver(early);
    for (const auto& site : s) CHECK(values_of(site.state) == Values{"b", "a", "c", "d"});
    CHECK(sites::same(s[0], s[2]));
    // One who had seen only the later erases it: the earlier move had not been seen.
    auto t = make_sites<Strings>(3);
    for (auto& site : t) site.deliver(base);
    t[2].deliver(late);
    t[2].next = 1;
    const auto erased = t[2].change({4}, drop(1));
    CHECK(values_of(t[2].state) == Values{"b", "c", "d"});
    s[0].deliver(erased);
    t[2].deliver(early);
    CHECK(values_of(s[0].state) == Values{"b", "c", "d", "a"});
    CHECK(sites::same(s[0], t[2]));
}

TEST_CASE("a move wins over an erasure that had not seen it; an erasure that had does not lose") {
    auto s = make_sites<Strings>(2);
    s[1].deliver(s[0].change({1}, fill({"a", "b", "c"})));
    const auto moved = s[0].change({2}, move_to(0, 2));
    const auto erased = s[1].change({3}, drop(0));
    s[0].deliver(erased);
    s[1].deliver(moved);
    CHECK(values_of(s[0].state) == Values{"b", "c", "a"});
    CHECK(sites::same(s[0], s[1]));
    s[1].deliver(s[0].change({4}, drop(2)));
    CHECK(values_of(s[1].state) == Values{"b", "c"});
    CHECK(sites::same(s[0], s[1]));
}

TEST_CASE("elements that are moved while others insert") {
    auto s = make_sites<Strings>(2);
    s[1].deliver(s[0].change({1}, fill({"a", "b", "c"})));
    const auto moved = s[0].change({2}, move_to(2, 0));
    const auto put = s[1].change({2}, place(3, "d"));
    s[0].deliver(put);
    s[1].deliver(moved);
    CHECK(values_of(s[0].state) == Values{"c", "a", "b", "d"});
    CHECK(sites::same(s[0], s[1]));
    s[1].deliver(s[0].change({3}, move_to(0, 3)));
    CHECK(values_of(s[1].state) == Values{"a", "b", "d", "c"});
}

TEST_CASE("an anchor goes with the element that is moved") {
    auto s = make_sites<Strings>(2);
    s[1].deliver(s[0].change({1}, fill({"a", "b", "c", "d"})));
    const Anchor b = s[1].state.anchor(1), end = s[1].state.anchor(4);
    s[1].deliver(s[0].change({2}, move_to(1, 3)));
    CHECK(s[1].state.index_of(b) == 3);
    const Anchor again = s[0].state.anchor(3);
    CHECK(s[1].state.index_of(again) == 3);
    s[1].deliver(s[0].change({3}, move_to(3, 0)));
    CHECK(s[1].state.index_of(b) == 0);
    CHECK(s[1].state.index_of(again) == 0);
    s[1].deliver(s[0].change({4}, drop(0)));
    CHECK(s[1].state.index_of(b) == 1);  // where it was first
    CHECK(s[1].state.index_of(end) == 3);
}

TEST_CASE("what a remover had not seen of a list under a key stays, moves included") {
    using Map = OrMap<std::string, Strings>;
    const auto at = [](auto mutator) {
        return [=](const Map& map, Change& change) { return map.update(change, "k", mutator); };
    };
    auto s = make_sites<Map>(2);
    s[1].deliver(s[0].change({1}, at(fill({"a", "b"}))));
    const auto moved = s[0].change({2}, at(move_to(0, 1)));
    const auto removed = s[1].change({2}, [](const Map& map, Change& change) { return map.remove(change, "k"); });
    s[0].deliver(removed);
    s[1].deliver(moved);
    CHECK(values_of(*s[0].state.find("k")) == Values{"a"});
    CHECK(sites::same(s[0], s[1]));
}

TEST_CASE("no bytes make a list do harm") {
    Random random{9};
    auto s = make_sites<List<int>>(2);
    std::vector<Bytes> good;
    for (std::size_t step = 0; step < 60; ++step) {
        const auto sent =
            s[step % 2].change({1}, [&](const auto& list, Change& change) { return mutate(list, change, random); });
        s[1 - step % 2].deliver(sent);
        good.push_back(*encode_delta(sent.delta, sent.minted, sent.time, Limits{}));
    }
    std::size_t read = 0;
    for (int round = 0; round < 10000; ++round) {
        Bytes bytes = good[random.below(good.size())];
        for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
            bytes[random.below(bytes.size())] =
                static_cast<std::byte>(random.below(4) ? random.below(256) : random.below(8));
        const DotRange minted{s[0].replica, 1000, 1010};
        FrameHeader header{.origin = id_of(minted.replica), .first = 1000, .count = 11};
        const auto delta = Frame::make(std::move(header), bytes, 0).template delta<List<int>>();
        if (!delta) continue;
        ++read;
        CausalContext context;
        context.add(minted);
        List<int> state = s[0].state;
        merge(state, *delta, Join{.mine = s[0].seen, .theirs = context});
        CHECK(values_of(state).size() == state.size());
    }
    CHECK(read > 100);
}
