// What is kept for whom, who is given up, and how those come back: pending, stale, stable, retired, cloned.
#include "../network.hpp"

#include <algorithm>

using namespace testing_network;
using Notes = LwwMap<std::string, std::string>;
using Desk = TapReplica<Notes>;

namespace {

std::size_t size_of_state(const Desk& replica) {
    return replica.read([](const Notes& notes) {
        std::size_t dots = 0;
        notes.for_each_dot([&](Dot) { ++dots; });
        return dots;
    });
}

bool holds(const Desk& replica, const std::string& key, const std::string& value) {
    return replica.read([&](const Notes& notes) { return notes.contains(key) && *notes.find(key) == value; });
}

Options patient(Duration stale_after = 60s) {
    Options options;
    options.stale_after = stale_after;
    return options;
}

}  // namespace

TEST_CASE("S2-13 a change is pending for those who are away, and not for the stale") {
    Network<Notes> net;
    MemoryStore disk_c, disk_d;
    const auto a = net.join("a", patient()), b = net.join("b", patient());
    auto c = net.join("c", patient(), disk_c);
    auto d = net.join("d", patient(), disk_d);
    net.run_for(3s);
    c.reset();
    net.run_for(70s);  // c is stale
    d.reset();
    net.run_for(10s);
    a->update(assign("k", "v"));
    net.run_for(5s);
    CHECK(a->report().pending == 1);  // for d
    d = net.join("d", patient(), disk_d);
    net.run_for(10s);
    CHECK(holds(*d, "k", "v"));
    CHECK(a->report().pending == 0);
    std::size_t stale = 0;
    for (const Member& member : a->report().members) stale += member.state == MemberState::stale ? 1 : 0;
    CHECK(stale == 1);
}

TEST_CASE("S2-14 one that comes back after it was retired converges, and what it had not sent survives") {
    Network<Notes> net;
    MemoryStore disk_c;
    const auto a = net.join("a", patient()), b = net.join("b", patient());
    auto c = net.join("c", patient(), disk_c);
    net.run_for(3s);
    a->update(assign("old", "1"));
    net.run_for(3s);
    const ReplicaId before = c->id();
    net.wire->silenced.insert("c");
    c->update(assign("unseen", "mine"));
    net.run_for(1s);
    c->update(assign("old", "late"));
    c.reset();
    net.wire->silenced.erase("c");
    net.run_for(70s);
    a->update(netsync::remove("old"));
    net.run_for(5s);
    CHECK(size_of_state(*a) == 1);  // the tombstone: c has not seen it
    REQUIRE_FALSE(a->retire(before));
    net.run_for(30s);
    CHECK(size_of_state(*a) == 0);  // nobody is left who has not
    CHECK(size_of_state(*b) == 0);
    CHECK(a->report().members.size() == 1);
    c = net.join("c", patient(), disk_c);
    net.run_for(20s);
    CHECK(c->id() != before);
    CHECK(c->id().owner() == before.owner());
    for (const Desk* replica : {a.get(), b.get(), c.get()}) {
        CHECK(holds(*replica, "unseen", "mine"));
        CHECK(holds(*replica, "old", "late"));  // issued again, and so later than the remove
        CHECK(replica->digest() == a->digest());
    }
}

TEST_CASE("a replica cannot retire itself, nor one that it does not know") {
    Network<Notes> net;
    const auto a = net.join("a");
    CHECK(a->retire(a->id()) == errc::no_such_member);
    CHECK(a->retire({1, 2}) == errc::no_such_member);
}

TEST_CASE("who waits for a state is not taken for ready, whatever it does meanwhile") {
    Network<Notes> net;
    const auto a = net.join("a"), b = net.join("b"), c = net.join("c");
    net.run_for(5s);
    bool lossy = true;
    net.wire->lose = [&](const Sent& sent) { return lossy && sent.kind == MessageKind::state_chunk; };
    REQUIRE_FALSE(b->retire(a->id()));
    net.run_for(1s);
    REQUIRE_FALSE(a->retire(c->id()));
    const auto ready_elsewhere = [&] {
        const Report seen = b->report();
        return std::any_of(seen.members.begin(), seen.members.end(), [&](const Member& member) {
            return member.replica.owner() == a->id().owner() && member.ready;
        });
    };
    net.run_for(1s);
    CHECK_FALSE(ready_elsewhere());
    const auto everywhere =
        a->on_replicated(a->update(assign("k", "v")), Audience::everyone(), 5s, [](std::error_code) {});
    net.run_for(1s);
    CHECK_FALSE(ready_elsewhere());
    lossy = false;
    net.run_for(60s);
    CHECK(ready_elsewhere());
    CHECK(holds(*b, "k", "v"));
    CHECK(equal_all<Notes>({a.get(), b.get(), c.get()}));
}

TEST_CASE("two sides that retire each other end as one pool, with the changes of both") {
    Network<Notes> net;
    const auto a = net.join("a"), b = net.join("b"), c = net.join("c"), d = net.join("d");
    net.run_for(5s);
    a->update(assign("common", "0"));
    net.run_for(5s);
    const std::set<std::string> left{"a", "b"};
    bool split = true;
    net.wire->cut = [&](const std::string& from, const std::string& to) {
        return split && left.contains(from) != left.contains(to);
    };
    net.run_for(10s);
    b->update(assign("b", "left"));
    d->update(assign("d", "right"));
    net.run_for(3s);
    CHECK_FALSE(a->retire(c->id()));
    CHECK_FALSE(a->retire(d->id()));
    net.run_for(1s);
    CHECK_FALSE(c->retire(a->id()));
    CHECK_FALSE(c->retire(b->id()));
    net.run_for(10s);
    split = false;
    net.run_for(90s);
    for (const Desk* replica : {a.get(), b.get(), c.get(), d.get()}) {
        CHECK(holds(*replica, "common", "0"));
        CHECK(holds(*replica, "b", "left"));
        CHECK(holds(*replica, "d", "right"));
        CHECK(replica->digest() == a->digest());
        CHECK(replica->report().members.size() == 3);
    }
}

TEST_CASE("a copied disk: both go on, as two replicas, and nothing that either wrote is lost") {
    Network<Notes> net;
    const auto b = net.join("b");
    auto disk = std::make_unique<MemoryStore>();
    auto a = net.join("a", {}, *disk);
    net.run_for(3s);
    a->update(assign("shared", "1"));
    net.run_for(3s);
    const MemoryStore copied = disk->copy();
    a->update(assign("first", "x"));
    net.run_for(3s);
    Options options;
    options.seed = 77;
    const auto twin = net.join("a", options, copied);
    twin->update(assign("second", "y"));
    net.run_for(60s);
    CHECK(a->id() != twin->id());
    CHECK(a->id().owner() == twin->id().owner());
    for (const Desk* replica : {a.get(), b.get(), twin.get()}) {
        CHECK(holds(*replica, "shared", "1"));
        CHECK(holds(*replica, "first", "x"));
        CHECK(holds(*replica, "second", "y"));
        CHECK(replica->digest() == b->digest());
    }
}

TEST_CASE("an older disk that is put back: whoever notices first, what the members had seen of it stays") {
    for (std::uint64_t seed = 1; seed <= 16; ++seed) {
        CAPTURE(seed);
        Network<Notes> net;
        const auto b = net.join("b"), c = net.join("c");
        auto disk = std::make_unique<MemoryStore>();
        auto a = net.join("a", {}, *disk);
        net.run_for(3s);
        a->update(assign("old", "1"));
        net.run_for(3s);
        const MemoryStore older = disk->copy();
        a->update(assign("seen", "2"));
        net.run_for(3s);
        a.reset();
        Options options;
        options.seed = seed;
        a = net.join("a", options, older);
        a->update(assign("after", std::to_string(seed)));
        const Duration deaf_until = net.hub.now() + 3s;  // the members hear of it before it hears of them
        net.wire->lose = [&](const Sent& sent) {
            return sent.from != "a" && sent.kind == MessageKind::greeting && net.hub.now() < deaf_until;
        };
        net.run_for(90s);
        for (const Desk* replica : {a.get(), b.get(), c.get()}) {
            CHECK(holds(*replica, "old", "1"));
            CHECK(holds(*replica, "seen", "2"));
            CHECK(holds(*replica, "after", std::to_string(seed)));
            CHECK(replica->digest() == b->digest());
        }
    }
}

TEST_CASE("two copies of one disk, alone with each other, part and become equal") {
    Network<Notes> net;
    MemoryStore disk;
    {
        const auto once = net.join("a", {}, disk);
        once->update(assign("shared", "1"));
    }
    Options options;
    options.seed = 78;
    const auto copy = net.join("a", options, disk.copy());
    const auto a = net.join("a", {}, disk);
    a->update(assign("first", "x"));
    copy->update(assign("second", "y"));
    net.run_for(60s);
    CHECK(a->id() != copy->id());
    for (const Desk* replica : {a.get(), copy.get()}) {
        CHECK(holds(*replica, "shared", "1"));
        CHECK(holds(*replica, "first", "x"));
        CHECK(holds(*replica, "second", "y"));
    }
    CHECK(a->digest() == copy->digest());
}

TEST_CASE("the log is cut where all have it, and what was cut travels as a state") {
    Network<Notes> net;
    Options options = patient();
    options.limits.log = 4096;
    MemoryStore disk_c;
    const auto a = net.join("a", options), b = net.join("b", options);
    auto c = net.join("c", options, disk_c);
    net.run_for(3s);
    c.reset();
    std::size_t most = 0;
    for (int i = 0; i < 400; ++i) {
        a->update(assign("k" + std::to_string(i % 20), std::string(100, static_cast<char>('a' + i % 26))));
        net.run_for(200ms);
        most = std::max(most, a->report().log_bytes);
    }
    CHECK(most < 12'000);  // a snapshot takes the place of the log again and again
    c = net.join("c", options, disk_c);
    net.run_for(10s);
    CHECK(c->digest() == a->digest());
    CHECK(b->digest() == a->digest());
}

TEST_CASE("is it replicated yet?") {
    Network<Notes> net;
    const auto a = net.join("a"), b = net.join("b"), c = net.join("c");
    net.run_for(3s);
    std::vector<std::pair<std::string, std::error_code>> answers;
    const auto tell = [&](const char* name) {
        return [&, name](std::error_code error) { answers.emplace_back(name, error); };
    };
    const Token token = a->update(assign("k", "v"));
    const auto all = a->on_replicated(token, Audience::everyone(), 5s, tell("everyone"));
    const auto one = a->on_replicated(token, Audience::peers(1), 5s, tell("one"));
    const auto b_has = a->on_replicated(token, Audience::these({b->id()}), 5s, tell("b"));
    const auto four = a->on_replicated(token, Audience::peers(4), 2s, tell("four"));
    {
        const auto ended = a->on_replicated(token, Audience::everyone(), 5s, tell("cancelled"));
    }
    CHECK(answers.empty());
    net.run();  // one round trip, no gossip
    CHECK(answers.size() == 3);
    for (const auto& [name, error] : answers) CHECK_FALSE(error);
    net.run_for(3s);
    REQUIRE(answers.size() == 4);
    CHECK(answers.back() == std::pair<std::string, std::error_code>{"four", errc::timed_out});
    net.wire->silenced.insert("c");
    const auto stopped = a->on_replicated(a->update(assign("k", "w")), Audience::everyone(), 60s, tell("stopped"));
    net.run_for(2s);
    CHECK(answers.size() == 4);
    a->stop();
    REQUIRE(answers.size() == 5);
    CHECK(answers.back().second == std::errc::operation_canceled);
}

TEST_CASE("a large pool is reached through few sends of each") {
    Network<Notes> net;
    std::vector<std::unique_ptr<Desk>> replicas;
    for (int i = 0; i < 48; ++i) replicas.push_back(net.join("r" + std::to_string(i)));
    net.run_for(20s);
    net.wire->clear();
    replicas[7]->update(assign("k", "v"));
    net.run();
    std::map<std::string, int> sent;
    std::size_t all = 0;
    for (const Sent& message : net.wire->log)
        if (message.kind == MessageKind::update || message.kind == MessageKind::relay) ++sent[message.from], ++all;
    CHECK(all == replicas.size() - 1);
    for (const auto& [name, count] : sent) CHECK(count <= 6 + 4);
    for (const auto& replica : replicas) CHECK(holds(*replica, "k", "v"));
}

TEST_CASE("a split of half an hour, 10,000 changes on each side: equal within ten gossip rounds") {
    Network<Notes> net;
    const auto a = net.join("a"), b = net.join("b"), c = net.join("c"), d = net.join("d");
    const std::vector<Desk*> all{a.get(), b.get(), c.get(), d.get()};
    net.run_for(5s);
    const std::set<std::string> left{"a", "b"};
    bool split = true;
    net.wire->cut = [&](const std::string& from, const std::string& to) {
        return split && left.contains(from) != left.contains(to);
    };
    constexpr int changes = 10'000;
    const auto pass = [&](Duration time) {
        net.hub.run_for(time);
        net.wall.advance(time);
        net.wire->log.clear();
    };
    for (int made = 0; made < changes;) {
        for (int i = 0; i < 6 && made < changes; ++i, ++made) {
            a->update(assign("left " + std::to_string(made % 500), std::to_string(made)));
            c->update(assign("right " + std::to_string(made % 500), std::to_string(made)));
        }
        pass(1s);
    }
    while (net.hub.now() < 1800s) pass(1s);
    split = false;
    const auto linked = [&] {
        for (const Desk* replica : all)
            for (const Member& member : replica->report().members)
                if (member.state != MemberState::live) return false;
        return true;
    };
    for (int second = 0; second < 60 && !linked(); ++second) pass(1s);
    REQUIRE(linked());
    const Duration from = net.hub.now();
    while (!equal_all<Notes>({all.begin(), all.end()}) && net.hub.now() - from < 60s) pass(100ms);
    CHECK(net.hub.now() - from < 10 * 1s);  // a round a second
    CHECK(holds(*b, "right 499", "9999"));
    CHECK(holds(*d, "left 499", "9999"));
}

TEST_CASE("what nobody else has survives being given up, also where the log was cut") {
    Network<Notes> net;
    Options options = patient(30s);
    options.limits.log = 2048;
    const auto a = net.join("a", options), b = net.join("b", options), c = net.join("c", options);
    net.run_for(3s);
    net.wire->cut = [](const std::string& from, const std::string& to) { return from == "a" || to == "a"; };
    net.run_for(60s);  // each side is stale to the other
    for (int i = 0; i < 100; ++i) a->update(assign("key " + std::to_string(i), std::string(100, 'x')));
    net.run_for(60s);
    CHECK_FALSE(b->retire(a->id()));
    net.run_for(10s);
    net.wire->cut = nullptr;
    net.run_for(60s);
    CHECK(holds(*b, "key 0", std::string(100, 'x')));
    CHECK(holds(*b, "key 99", std::string(100, 'x')));
    CHECK(a->digest() == b->digest());
    CHECK(c->digest() == b->digest());
}

TEST_CASE("one that is alone does not log for ever, and what it made survives its first pool, which has forgotten") {
    Network<Notes> net;
    Options options = patient(30s);
    options.limits.log = 2048;
    const auto a = net.join("a", options), b = net.join("b", options);
    net.wire->cut = [](const std::string& from, const std::string& to) { return from == "c" || to == "c"; };
    net.run_for(3s);
    a->update(assign("key 0", "kept by nobody"));
    a->update(netsync::remove("key 0"));
    net.run_for(30s);
    REQUIRE(size_of_state(*b) == 0);  // the tombstone is forgotten
    net.wire->silenced.insert("c");
    const auto c = net.join("c", options);
    std::size_t most = 0;
    for (int i = 0; i < 400; ++i) {
        c->update(assign("key " + std::to_string(i % 100), std::string(100, 'x')));
        net.run_for(100ms);
        most = std::max(most, c->report().log_bytes);
    }
    CHECK(most < 40'000);  // of 400 frames
    net.wire->cut = nullptr;
    net.wire->silenced.clear();
    net.run_for(60s);
    for (int i = 0; i < 100; ++i) CHECK(holds(*a, "key " + std::to_string(i), std::string(100, 'x')));
    CHECK(equal_all<Notes>({a.get(), b.get(), c.get()}));
    CHECK(c->report().state == JoinState::ready);
}
