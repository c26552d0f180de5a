// Text: its laws, against a plain string, and what concurrent edits do.
#include "sequences.hpp"
#include "sites.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace laws;
using sites::make_sites;

TEST_CASE_TEMPLATE("laws", T, Text, OrMap<std::string, Text>, Page, OrMap<std::string, Page>) { check_all_laws<T>(); }

namespace {

std::u32string points_of(const std::string& text) {
    std::u32string points;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t next = netsync::detail::find_point(text, 1, at);
        points += netsync::detail::code_point(std::string_view{text}.substr(at, next - at));
        at = next;
    }
    return points;
}

std::size_t dots_of(const Text& text) {
    std::size_t count = 0;
    text.for_each_dot([&](Dot) { ++count; });
    return count;
}

auto put(std::size_t index, std::string words) {
    return [=](const Text& text, Change& change) { return text.insert(change, index, words); };
}
auto cut(std::size_t index, std::size_t count = 1) {
    return [=](const Text& text, Change& change) { return text.erase(change, index, count); };
}

/// Types `words` at `index` one by one, forward or backward; the deltas.
template <class S>
std::vector<sites::Sent<Text>> type(S& site, std::size_t index, const std::string& words, bool forward) {
    std::vector<sites::Sent<Text>> sent;
    for (std::size_t i = 0; i < words.size(); ++i)
        sent.push_back(forward ? site.change({1}, put(index + i, std::string(1, words[i])))
                               : site.change({1}, put(index, std::string(1, words[words.size() - 1 - i]))));
    return sent;
}

/// Everything that was sent, in a random order that is causal.
template <class S>
void deliver_all(S& site, std::vector<sites::Sent<Text>> sent, Random& random) {
    while (!sent.empty()) {
        const std::size_t at = random.below(sent.size());
        if (!site.ready(sent[at])) {
            std::erase_if(sent, [&](const auto& item) {
                return site.seen.vector().contains({item.minted.replica, item.minted.last});
            });
            continue;
        }
        site.deliver(sent[at]);
        sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(at));
    }
}

}  // namespace

TEST_CASE("a text of one replica is a string") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        Random random{seed};
        auto s = make_sites<Text>(2);
        std::u32string model;
        std::vector<Text> copies;
        std::vector<std::u32string> copied;
        for (int step = 0; step < 500; ++step) {
            const std::size_t at = random.below(model.size() + 1);
            if (random.below(seed % 2 ? 3 : 2) == 0) {
                const std::size_t count = std::min<std::size_t>(random.below(9), model.size() - at);
                s[1].deliver(s[0].change({1}, cut(at, count)));
                model.erase(at, count);
            } else {
                std::string more;
                for (std::size_t left = random.below(random.below(40) == 0 ? 400 : 3) + 1; left > 0; --left)
                    more += words(random);
                s[1].deliver(s[0].change({1}, put(at, more)));
                model.insert(at, points_of(more));
            }
            if (step % 100 == 50) copies.push_back(s[0].state), copied.push_back(model);
            REQUIRE(s[0].state.size() == model.size());
            const std::size_t from = random.below(model.size() + 1), count = random.below(20);
            REQUIRE(points_of(s[0].state.substr(from, count)) == model.substr(from, count));
            if (from < model.size()) REQUIRE(s[0].state[from] == model[from]);
        }
        REQUIRE(points_of(s[0].state.str()) == model);
        REQUIRE(sites::same(s[0], s[1]));
        for (std::size_t i = 0; i < copies.size(); ++i) REQUIRE(points_of(copies[i].str()) == copied[i]);
        s[1].deliver(s[0].change({1}, cut(0, model.size())));
        REQUIRE(s[0].state.is_bottom());  // nothing is kept of what was erased
        REQUIRE(s[1].state == Text{});
        REQUIRE(s[1].encoded({1}).size() == [&] {
            auto fresh = make_sites<Text>(1);
            fresh[0].seen = s[1].seen;
            return fresh[0].encoded({1}).size();
        }());
    }
}

TEST_CASE("runs that are typed at one place at once do not interleave, forward or backward") {
    for (int way = 0; way < 64; ++way) {
        Random random{static_cast<std::uint64_t>(way + 1)};
        auto s = make_sites<Text>(4);
        const auto base = s[3].change({1}, put(0, way % 2 == 0 ? "()" : ""));
        for (std::size_t at = 0; at < 3; ++at) s[at].deliver(base);
        const std::array<std::string, 3> typed{"aaaa", "bbbbb", "ccc"};
        std::vector<sites::Sent<Text>> all;
        for (std::size_t at = 0; at < 3; ++at) {
            const auto sent = type(s[at], way % 2 == 0 ? 1 : 0, typed[at], ((way >> (at + 1)) & 1) == 0);
            all.insert(all.end(), sent.begin(), sent.end());
        }
        for (auto& site : s) deliver_all(site, all, random);
        const std::string result = s[3].state.str();
        for (const std::string& run : typed) CHECK_MESSAGE(result.find(run) != std::string::npos, result);
        for (const auto& site : s) CHECK(sites::same(site, s[3]));
    }
}

TEST_CASE("what was typed while another typed in the same words") {
    auto s = make_sites<Text>(2);
    s[1].deliver(s[0].change({1}, put(0, "milk, bread")));
    const auto one = s[0].change({2}, put(4, ", eggs"));
    const auto other = s[1].change({2}, cut(0, 6));
    s[1].deliver(one);
    s[0].deliver(other);
    CHECK(s[0].state.str() == ", eggsbread");
    CHECK(sites::same(s[0], s[1]));
}

TEST_CASE("an insertion between words that another has erased and forgotten stands where it would have stood") {
    auto s = make_sites<Text>(3);
    for (const auto& sent : type(s[0], 0, "abcdef", true)) s[1].deliver(sent), s[2].deliver(sent);
    const auto first = s[1].change({2}, put(3, "X"));
    s[1].deliver(s[0].change({2}, cut(1, 4)));
    const auto second = s[2].change({3}, put(2, "Y"));
    s[0].change({4}, cut(0, 2));
    CHECK(s[0].state.is_bottom());
    s[0].deliver(first);
    s[0].deliver(second);
    CHECK(s[0].state.str() == "YX");
}

TEST_CASE("three sites under random delivery come to the same text, and to the same bytes") {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Random random{seed};
        auto s = make_sites<Text>(3);
        std::vector<std::vector<sites::Sent<Text>>> inbox(3);
        for (int step = 0; step < 300; ++step) {
            const std::size_t at = random.below(3);
            if (random.below(2) == 0) {
                const auto sent =
                    s[at].change({1}, [&](const Text& text, Change& change) { return mutate(text, change, random); });
                for (std::size_t to = 0; to < 3; ++to)
                    if (to != at) inbox[to].push_back(sent);
            } else if (!inbox[at].empty()) {
                const auto& sent = inbox[at][random.below(inbox[at].size())];
                if (s[at].ready(sent)) s[at].deliver(sent);
            }
        }
        for (std::size_t at = 0; at < 3; ++at) deliver_all(s[at], inbox[at], random);
        for (std::size_t at = 1; at < 3; ++at) {
            REQUIRE(sites::same(s[0], s[at]));
            REQUIRE(s[0].state.str() == s[at].state.str());
            REQUIRE(s[0].encoded({1}) == s[at].encoded({1}));
        }
        REQUIRE(dots_of(s[0].state) == s[0].state.size());
    }
}

TEST_CASE("an anchor stays where it is") {
    auto s = make_sites<Text>(2);
    s[1].deliver(s[0].change({1}, put(0, "one two three")));
    const Anchor two = s[0].state.anchor(4), end = s[0].state.anchor(13);
    s[1].deliver(s[0].change({1}, put(0, "zero ")));
    CHECK(s[0].state.index_of(two) == 9);
    CHECK(s[1].state.index_of(two) == 9);  // on another replica too
    CHECK(s[1].state.index_of(end) == 18);
    s[1].deliver(s[0].change({1}, cut(8, 5)));  // "zero one" "three"
    CHECK(s[1].state.index_of(two) == 8);
    const Text before = s[1].state;
    s[1].deliver(s[0].change({1}, cut(0, 100)));
    CHECK(s[1].state.is_bottom());
    CHECK(s[1].state.index_of(two) == 0);
    CHECK(before.index_of(two) == 8);
    // It can be sent, and be a value.
    auto cursors = make_sites<LwwMap<std::string, Anchor>>(2);
    const auto set =
        cursors[0].change({1}, [&](const auto& map, Change& change) { return map.assign(change, "me", two); });
    cursors[1].deliver(set);
    CHECK(*cursors[1].state.find("me") == two);
    Output out;
    out(two, Anchor{});
    Input in{out.view(), 1 << 20};
    Anchor back, none = two;
    in(back, none);
    CHECK_FALSE(in.finish());
    CHECK(back == two);
    CHECK(none.is_end());
    CHECK(before.index_of(back) == 8);
}

TEST_CASE("writers who take turns at the end need a bunch each, not one a turn") {
    auto s = make_sites<Text>(2);
    std::size_t largest = 0;
    for (std::size_t turn = 0; turn < 200; ++turn) {
        auto& writer = s[turn % 2];
        const auto sent = writer.change({1}, [](const Text& text, Change& change) { return text.append(change, "x"); });
        s[1 - turn % 2].deliver(sent);
        largest = std::max(largest, encode_delta(sent.delta, sent.minted, sent.time, Limits{})->size());
    }
    CHECK(sites::same(s[0], s[1]));
    CHECK(largest < 64);
    Random random{1};
    auto back = make_sites<Text>(1);
    for (const auto& sent : type(back[0], 0, std::string(300, 'x'), false))
        CHECK(encode_delta(sent.delta, sent.minted, sent.time, Limits{})->size() < 40);
}

TEST_CASE("text that is not UTF-8 is refused where it is made, and where it comes in") {
    MemoryHub network;
    MemoryReplica<Text> replica{network};
    replica.update(insert(0, "gr\xc3\xbc\xc3\x9f"));
    CHECK(replica.state().size() == 4);
    CHECK(replica.try_update(insert(1, "\xc3\x28")).error() == errc::not_utf8);
    CHECK(replica.try_update(append("\xed\xa0\x80")).error() == errc::not_utf8);
    CHECK(replica.state().str() == "gr\xc3\xbc\xc3\x9f");

    auto s = make_sites<Text>(1);
    s[0].change({1}, put(0, "gr\xc3\xbc"));
    Bytes bytes = s[0].encoded({1});
    CHECK(decode_snapshot<Text>(bytes));
    bytes.back() = std::byte{'x'};
    CHECK(decode_snapshot<Text>(bytes).error() == errc::malformed);
}

TEST_CASE("no bytes make a text do harm") {
    Random random{5};
    auto s = make_sites<Text>(2);
    std::vector<Bytes> good;
    for (std::size_t step = 0; step < 60; ++step) {
        const auto sent =
            s[step % 2].change({1}, [&](const Text& text, Change& change) { return mutate(text, change, random); });
        s[1 - step % 2].deliver(sent);
        good.push_back(*encode_delta(sent.delta, sent.minted, sent.time, Limits{}));
    }
    good.push_back(s[0].encoded({1}));
    std::size_t read = 0;
    for (int round = 0; round < 20000; ++round) {
        const bool whole = random.below(4) == 0;
        Bytes bytes = whole ? good.back() : good[random.below(good.size() - 1)];
        if (bytes.empty()) continue;
        for (std::uint64_t flips = 1 + random.below(3); flips > 0; --flips)
            bytes[random.below(bytes.size())] =
                static_cast<std::byte>(random.below(4) ? random.below(256) : random.below(8));
        if (random.below(5) == 0) bytes.resize(random.below(bytes.size()) + 1);
        if (whole) {
            const auto back = decode_snapshot<Text>(bytes);
            if (!back) continue;
            ++read;
            CHECK((*back).state.size() == points_of((*back).state.str()).size());
            continue;
        }
        const DotRange minted{s[0].replica, 1000, 1010};
        FrameHeader header{.origin = id_of(minted.replica), .first = 1000, .count = 11};
        const auto delta = Frame::make(std::move(header), bytes, 0).template delta<Text>();
        if (!delta) continue;
        ++read;
        CausalContext context;
        context.add(minted);
        Text state = s[0].state;
        merge(state, *delta, Join{.mine = s[0].seen, .theirs = context});
        CHECK(points_of(state.str()).size() == state.size());
        CHECK(encode_delta(*delta, minted, Ntp64{}, Limits{}));
    }
    CHECK(read > 100);
}

TEST_CASE("bunches that hang in each other as deep as there are edits") {
    auto s = make_sites<Text>(2);
    std::u32string model;
    std::size_t at = 0;
    for (std::size_t i = 0; i < 3000; ++i) {  // each between the last two
        const std::string letter(1, static_cast<char>('a' + i % 26));
        at += i % 2;
        model.insert(at, points_of(letter));
        s[0].change({1}, put(at, letter));
    }
    CHECK(points_of(s[0].state.str()) == model);
    const Bytes bytes = s[0].encoded({1});
    const auto back = decode_snapshot<Text>(bytes);
    REQUIRE(back);
    CHECK((*back).state == s[0].state);
    s[1].join(s[0]);
    CHECK(sites::same(s[0], s[1]));
    s[1].deliver(s[0].change({1}, cut(1, 2998)));
    CHECK(s[1].state.size() == 2);
    CHECK(s[1].encoded({1}) == s[0].encoded({1}));
}

TEST_CASE("what is issued again by another incarnation reads as it was written") {
    auto s = make_sites<Text>(3);
    const auto base = s[0].change({1}, put(0, "[]"));
    for (std::size_t at = 1; at < 3; ++at) s[at].deliver(base);
    Text again = s[2].state;
    CausalContext seen = s[2].seen;
    const ReplicaIndex other = intern(ReplicaId{100, 99});
    std::uint64_t next = 1;
    testing::Site<Text> both = s[2];  // has the first forms, and hears of the others
    const auto sent = type(s[1], 1, "forward", true);
    auto more = type(s[1], 1, "and back ", false);
    more.insert(more.begin(), sent.begin(), sent.end());
    for (const auto& change : more) {  // as in LocalCopy: the same bytes, other dots
        const Bytes bytes = *encode_delta(change.delta, change.minted, change.time, Limits{});
        FrameHeader header{.origin = id_of(change.minted.replica),
                           .first = change.minted.first,
                           .count = change.minted.size(),
                           .time = change.time};
        const DotRange minted{other, next, next + change.minted.size() - 1};
        both.deliver(change);
        const auto delta = Frame::make(std::move(header), bytes, 0).template delta_within<Text>({minted, change.time});
        REQUIRE(delta);
        CausalContext context;
        context.add(minted);
        merge(again, *delta, Join{.mine = seen, .theirs = context});
        context.add(change.minted);  // see wire/reissue.hpp: the earlier name of what was seen is over
        merge(both.state, *delta, Join{.mine = seen, .theirs = context});
        seen.add(minted);
        next = minted.last + 1;
    }
    CHECK(again.str() == "[and back forward]");
    CHECK(both.state.str() == again.str());
    CHECK(both.state == again);
    // Should the first form come as well: elements at the same positions stand beside each other, and none is lost.
    testing::Site<Text> third;
    third.replica = other;
    third.state = again;
    third.seen = seen;
    for (const auto& change : more) third.deliver(change);
    CHECK(third.state.size() == again.size() + more.size());
    CHECK(third.state.str().substr(1, 4) == "aann");
}

TEST_CASE("what one types stays together, also where one had typed something away that another wrote behind") {
    for (const std::string wrong : {"o", "oo", "x"}) {
        auto s = make_sites<Text>(2);
        s[1].deliver(s[0].change({1}, put(0, "hel" + wrong)));
        const auto behind = s[1].change({2}, put(3 + wrong.size(), " world"));
        std::vector<sites::Sent<Text>> sent;
        for (std::size_t at = wrong.size(); at > 0; --at) sent.push_back(s[0].change({2}, cut(2 + at)));
        for (const auto& each : type(s[0], 3, "lo!", true)) sent.push_back(each);
        s[0].deliver(behind);
        for (const auto& each : sent) s[1].deliver(each);
        CHECK(s[0].state.str() == s[1].state.str());
        CHECK_MESSAGE(s[0].state.str().find("lo!") != std::string::npos, s[0].state.str());
        CHECK(s[0].state.str().find(" world") != std::string::npos);
    }
    // The same to the front.
    auto s = make_sites<Text>(2);
    s[0].deliver(s[1].change({1}, put(0, "#")));
    std::vector<sites::Sent<Text>> sent = type(s[0], 0, "own", false);
    for (const auto& each : sent) s[1].deliver(each);
    const auto before = s[1].change({2}, put(0, "T"));
    sent.clear();
    sent.push_back(s[0].change({2}, cut(0)));
    for (const auto& each : type(s[0], 0, "abc", false)) sent.push_back(each);
    s[0].deliver(before);
    for (const auto& each : sent) s[1].deliver(each);
    CHECK(s[0].state.str() == s[1].state.str());
    CHECK_MESSAGE(s[0].state.str().find("abc") != std::string::npos, s[0].state.str());
}

TEST_CASE("a text that takes the place of another one is edited as if it had always been there") {
    testing::Random random{8};
    for (int round = 0; round < 40; ++round) {
        auto s = make_sites<Text>(2);
        for (auto& site : s) site.change({1}, put(0, std::string(1000 + random.below(3000), 'x')));  // several leaves
        for (std::uint64_t step = 1; step < 8; ++step)
            for (auto& site : s)
                site.change({step}, [&](const Text& text, Change& c) { return mutate(text, c, random); });
        const Text copy = s[1].state;
        if (random.below(2) == 0)
            s[0].state = s[1].state;
        else
            s[0].state = std::move(s[1].state);
        s[1].state = copy;
        s[1].replica = s[0].replica;
        s[0].seen = s[1].seen;
        s[0].next = s[1].next = 1000;
        for (std::uint64_t step = 10; step < 16; ++step) {
            const std::uint64_t seed = random.next();
            for (auto& site : s)
                site.change({step}, [&](const Text& text, Change& c) {
                    testing::Random again{seed};
                    return mutate(text, c, again);
                });
            REQUIRE(s[0].state.str() == s[1].state.str());
        }
        REQUIRE(sites::same(s[0], s[1]));
    }
}

TEST_CASE("a delta that hangs as deep as its bytes allow") {
    for (const std::uint64_t depth : {5000u, 15'000u, 60'000u}) {
        Output out{DotSpace{DotRange{intern({200, 1}), 1, 1}, Ntp64{1}}};
        out.varint(2);          // one run
        out.varint(1);          // of one element, at the end of a way:
        out.varint(3);          // down
        out.varint(depth - 3);  // so far
        for (std::uint64_t link = 0; link < depth; ++link) {
            out.varint(0);  // right of the element at 0
            out.varint(0);  // named by the first replica
            if (link == 0) out.varint(0), out(ReplicaId{200, 1});
            out.varint(link + 1);
        }
        out(std::int64_t{0}, Dot{intern({200, 1}), 1}, std::string{"x"});
        FrameHeader header{.origin = {200, 1}, .time = Ntp64{1}};
        const auto delta = Frame::make(std::move(header), out.view(), 0).template delta<Text>();
        if (depth == 15'000) {  // 60 KB, and 1 MiB is not enough
            CHECK(delta.error() == errc::too_large);
            continue;
        }
        REQUIRE(delta);
        auto s = make_sites<Text>(1);
        s[0].change({1}, put(0, "ab"));
        CausalContext context;
        context.add(Dot{intern({200, 1}), 1});
        CHECK(merge(s[0].state, *delta, Join{.mine = s[0].seen, .theirs = context}));
        CHECK(s[0].state.size() == 3);
    }
}

TEST_CASE("a replica's text: paths, batches, another replica") {
    MemoryHub network;
    MemoryReplica<Page> one{network}, other{network};
    one.update(&Page::body, insert(0, "hello"));
    one.update(&Page::body, erase(0));
    one.update(&Page::notes, push_back("first"));
    one.batch([](auto& batch) {
        batch.update(&Page::body, insert(0, "J"));
        batch.update(&Page::body, append("!"));
        batch.update(&Page::body, erase(1, 2));
        batch.update(&Page::body, insert(1, "a"));
    });
    network.run();
    CHECK(other.state().body.str() == "Jalo!");
    CHECK(other.state().notes[0] == "first");
    CHECK(equal(one.state(), other.state()));
}
