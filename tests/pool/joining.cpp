// Announcement, Response, Greeting, Handshake, and who brings a newcomer up to date.
#include "../network.hpp"

#include <algorithm>
#include <map>

using namespace testing_network;
using Cart = OrSet<std::string>;

TEST_CASE("S1-01 alone for a minute: one announcement at once, then gaps in [15, 30) s; no link traffic") {
    Network<Cart> net;
    const auto a = net.join("a");
    net.run_for(200s);
    const auto& log = net.wire->log;
    REQUIRE(log.size() >= 7);
    CHECK(log.front().at == 0s);
    for (std::size_t i = 0; i < log.size(); ++i) {
        CHECK(log[i].kind == announcement);
        if (i == 0) continue;
        CHECK(log[i].at - log[i - 1].at >= 15s);
        CHECK(log[i].at - log[i - 1].at < 30s + 20ms);
    }
    CHECK(a->report().members.empty());
    CHECK(a->report().state == JoinState::alone);
}

TEST_CASE("S1-02 A joins B: announcement, response, greeting, handshake; B sends its state once") {
    Network<Cart> net;
    const auto b = net.join("b");
    b->update(add("milk"));
    net.run();
    net.wire->clear();
    const auto a = net.join("a");
    net.run();
    std::vector<std::pair<std::string, MessageKind>> order;
    for (const Sent& sent : net.wire->log) order.emplace_back(sent.from, sent.kind);
    const std::vector<std::pair<std::string, MessageKind>> expected{
        {"a", announcement},
        {"b", MessageKind::response},
        {"a", MessageKind::greeting},
        {"b", MessageKind::handshake},
        {"b", MessageKind::digest},  // whom nobody can help is ready
        {"a", MessageKind::state_request},
        {"b", MessageKind::state_chunk},
        {"a", MessageKind::digest},
        {"b", MessageKind::digest}};  // and both know that they are equal
    CHECK(order == expected);
    CHECK(a->report().members.size() == 1);
    CHECK(b->report().members.size() == 1);
    CHECK(a->report().state == JoinState::ready);
    CHECK(a->state() == b->state());
    CHECK(a->digest() == b->digest());
}

TEST_CASE("S1-03 A joins B and C: one state transfer, from the highest roller") {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        Network<Cart> net;
        const auto b = net.join("b"), c = net.join("c");
        b->update(add("milk"));
        c->update(add("eggs"));
        net.run();
        REQUIRE(b->digest() == c->digest());
        net.wire->clear();
        const auto a = net.join("a", {.seed = seed});
        net.run();
        CHECK(net.wire->count(MessageKind::response) == 2);
        CHECK(net.wire->count(MessageKind::greeting) == 2);
        CHECK(net.wire->count(MessageKind::handshake) == 2);
        CHECK(net.wire->count(MessageKind::state_chunk) == 1);
        CHECK(net.wire->count(MessageKind::frames) == 0);
        // Everybody computes the winner from what the greeting says.
        std::uint64_t session = 0;
        for (const Sent& sent : net.wire->log)
            if (sent.kind == MessageKind::greeting) session = decode_message<Greeting>(*sent.bytes)->self.session;
        const auto winner = highest_roller(a->id(), session, std::vector{b->id(), c->id()});
        const std::string name = *winner == b->id() ? "b" : "c";
        CHECK(net.wire->count(MessageKind::state_chunk, name) == 1);
        CHECK(a->digest() == b->digest());
    }
}

TEST_CASE("S1-03 both members win sometimes, and ties go to the larger id") {
    const ReplicaId newcomer{1, 1}, small{2, 2}, large{3, 3};
    std::map<ReplicaId, int> wins;
    for (std::uint64_t session = 0; session < 200; ++session)
        ++wins[*highest_roller(newcomer, session, std::vector{small, large})];
    CHECK(wins[small] > 50);
    CHECK(wins[large] > 50);
    CHECK(*highest_roller(newcomer, 1, std::vector{large, small}) ==
          *highest_roller(newcomer, 1, std::vector{small, large}));
    CHECK_FALSE(highest_roller(newcomer, 1, std::vector<ReplicaId>{}));
}

TEST_CASE(
    "S1-04 the winner dies before or in the middle of the transfer: the next one brings the rest, nothing twice") {
    for (const bool in_the_middle : {false, true}) {
        CAPTURE(in_the_middle);
        Network<Cart> net;
        Options small;
        small.limits.transfer = 1024;  // so that a state takes many chunks
        auto b = net.join("b", small), c = net.join("c", small);
        b->batch([](auto& batch) {
            for (int i = 0; i < 2000; ++i) batch.update(add("element number " + std::to_string(i)));
        });
        net.run();
        REQUIRE(b->digest() == c->digest());
        std::string winner;
        std::size_t chunks = 0;
        net.wire->lose = [&](const Sent& sent) {
            if (sent.kind != MessageKind::state_chunk) return false;
            if (winner.empty()) winner = sent.from;
            if (sent.from != winner) return false;
            return !in_the_middle || ++chunks > 10;
        };
        net.wire->clear();
        const auto a = net.join("a", small);
        std::size_t merges = 0;
        const Subscription watch = a->on_change([&] { ++merges; });
        net.run();
        REQUIRE_FALSE(winner.empty());
        (winner == "b" ? b : c).reset();
        net.run_for(5s);
        CHECK(a->digest() == (b ? b : c)->digest());
        CHECK(a->report().state == JoinState::ready);
        CHECK(merges == 1);
        const std::size_t by_winner = net.wire->count(MessageKind::state_chunk, winner);
        const std::size_t by_other = net.wire->count(MessageKind::state_chunk) - by_winner;
        if (in_the_middle) {  // resumed, not begun again
            const auto total = decode_message<StateChunk>(
                                   *std::find_if(net.wire->log.begin(), net.wire->log.end(),
                                                 [](const Sent& sent) { return sent.kind == MessageKind::state_chunk; })
                                        ->bytes)
                                   ->total;
            CHECK(by_other * 1024 < total - 5 * 1024);
        }
    }
}

TEST_CASE("a pool name that no datagram holds is an error of start(), and nothing is opened") {
    Network<Cart> net;
    Options options;
    options.pool = std::string(1190, 'p');
    options.manual_start = true;
    const auto a = net.join("a", options);
    CHECK(a->start() == errc::too_large);
    net.run_for(2s);
    CHECK(net.wire->log.empty());
}

TEST_CASE("S1-05 an announcement with one's own id is ignored") {
    Network<Cart> net;
    const auto a = net.join("a");
    MemoryTransport echo{net.hub};
    static_cast<void>(echo.start({}, [](const TransportEvent&) {}));
    echo.announce(*net.wire->log.front().bytes);
    net.run();
    CHECK(net.wire->log.size() == 1);
    CHECK(a->report().members.empty());
}

TEST_CASE("S1-06 every introduction three times: one member, one event") {
    Network<Cart> net;
    const auto a = net.join("a");
    std::vector<PoolEvent> events;
    const Subscription watch = a->on_member([&](const PoolEvent& event) { events.push_back(event); });
    MemoryTransport raw{net.hub};
    Link link{};
    const ReplicaId stranger{77, 1};
    const auto send = [&](const auto& message) { raw.send(link, encode_message(message)); };
    static_cast<void>(raw.start({}, [&](const TransportEvent& event) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) link = opened->link;
    }));
    raw.dial({"memory", 1});
    net.run();
    const Introduction self{.pool = "netsync", .replica = stranger, .session = 5, .port = raw.port()};
    for (int i = 0; i < 3; ++i) {
        send(Handshake{self});
        send(Response{.pool = "netsync", .replica = stranger});
        send(Greeting{self});
        raw.announce(encode_announcement({.pool = "netsync", .replica = stranger, .port = raw.port()}));
    }
    net.run();
    CHECK(a->report().members.size() == 1);
    REQUIRE(events.size() == 1);
    CHECK(events[0].replica == stranger);
    CHECK(events[0].now == MemberState::live);
}

TEST_CASE("crossing dials end in one link each") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Network<Cart> net;
        const auto a = net.join("a", {.manual_start = true, .seed = seed});
        const auto b = net.join("b", {.manual_start = true, .seed = seed + 100});
        REQUIRE_FALSE(a->start());
        REQUIRE_FALSE(b->start());
        MemoryTransport echo{net.hub};  // tells b of a as well, so that both dial
        static_cast<void>(echo.start({}, [](const TransportEvent&) {}));
        for (const Sent& sent : std::vector<Sent>(net.wire->log)) echo.announce(*sent.bytes);
        net.wire->clear();
        net.run();
        for (const auto* replica : {a.get(), b.get()}) {
            const Report report = replica->report();
            CHECK(report.members.size() == 1);
            CHECK(report.members[0].state == MemberState::live);
        }
        a->update(add("x"));
        net.run();
        CHECK(net.wire->count(MessageKind::update) == 1);
        CHECK(b->state().contains("x"));
    }
}

TEST_CASE("a link that gives way to another takes no answer with it: joining needs no timer") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        Network<Cart> net;
        const auto a = net.join("a", {.manual_start = true, .seed = seed});
        const auto b = net.join("b", {.manual_start = true, .seed = seed + 100});
        a->update(add("a's"));
        b->update(add("b's"));
        REQUIRE_FALSE(a->start());
        REQUIRE_FALSE(b->start());
        MemoryTransport echo{net.hub};  // tells b of a as well, so that both dial
        static_cast<void>(echo.start({}, [](const TransportEvent&) {}));
        for (const Sent& sent : std::vector<Sent>(net.wire->log)) echo.announce(*sent.bytes);
        net.run();
        CHECK(a->state().size() == 2);
        CHECK(a->digest() == b->digest());
    }
}

TEST_CASE(
    "of two links that a member dialed, it is answered over the one on which it asks; a copy of it takes none away") {
    for (const bool is_copy : {false, true}) {
        CAPTURE(is_copy);
        Network<Cart> net;
        const auto a = net.join("a");
        a->update(add("a's"));
        MemoryTransport raw{net.hub};
        std::vector<Link> links;
        std::map<Link, std::vector<MessageKind>> heard;
        static_cast<void>(raw.start({}, [&](const TransportEvent& event) {
            if (const auto* opened = std::get_if<LinkOpened>(&event)) links.push_back(opened->link);
            if (const auto* message = std::get_if<MessageReceived>(&event))
                heard[message->link].push_back(*kind_of(message->bytes));
        }));
        for (int dial = 0; dial < 2; ++dial) raw.dial({"memory", 1});
        net.run();
        REQUIRE(links.size() == 2);
        const auto greet = [&](Link link, std::uint64_t session) {
            raw.send(link, encode_message(Greeting{
                               {.pool = "netsync", .replica = {5, 5}, .session = session, .port = raw.port()}}));
            net.run();
        };
        greet(links[0], 5);
        greet(links[1], is_copy ? 6 : 5);
        for (const Link link : {links[0], links[1], links[0]}) {  // which one it keeps only it knows
            heard.clear();
            raw.send(link, encode_message(DigestMessage{1, false}));
            raw.send(link, encode_message(FetchMessage{{{a->id(), 1, 1}}}));
            net.run();
            const Link answered = is_copy ? links[1] : link;
            REQUIRE(heard[answered] == std::vector{MessageKind::heads, MessageKind::frames});
            a->update(add("one more"));
            net.run();
            CHECK(heard[answered].back() == MessageKind::update);
        }
    }
}

TEST_CASE("another pool or version is refused with a reason, on both sides") {
    Network<Cart> net;
    const auto a = net.join("a");
    std::vector<std::error_code> refused_by_a;
    const Subscription watch = a->on_member([&](const PoolEvent& event) { refused_by_a.push_back(event.refused); });
    for (const bool wrong_version : {false, true}) {
        MemoryTransport raw{net.hub};
        Link link{};
        std::vector<Bytes> heard;
        bool closed = false;
        static_cast<void>(raw.start({}, [&](const TransportEvent& event) {
            if (const auto* opened = std::get_if<LinkOpened>(&event)) link = opened->link;
            if (const auto* message = std::get_if<MessageReceived>(&event))
                heard.emplace_back(message->bytes.begin(), message->bytes.end());
            if (std::holds_alternative<LinkClosed>(event)) closed = true;
        }));
        raw.dial({"memory", 1});
        net.run();
        Response response{.pool = wrong_version ? "netsync" : "another", .replica = {9, 9}};
        if (wrong_version) response.oldest_version = response.newest_version = 200;
        raw.send(link, encode_message(response));
        net.run();
        REQUIRE(heard.size() == 1);
        CHECK(decode_message<Refusal>(heard[0])->reason ==
              (wrong_version ? errc::unsupported_version : errc::wrong_pool));
        CHECK(closed);
        raw.stop();
    }
    REQUIRE(refused_by_a.size() == 2);
    CHECK(refused_by_a[0] == errc::wrong_pool);
    CHECK(refused_by_a[1] == condition::incompatible);
    CHECK(a->report().members.empty());

    const auto other = net.join("other", {.pool = "another"});
    net.run_for(60s);
    CHECK(a->report().members.empty());
    CHECK(a->report().announcements_ignored > 0);
}

TEST_CASE("two replicas with one id refuse each other, until one of them has another") {
    Network<Cart> net;
    MemoryStore disk;
    const auto original = net.join("a", {}, disk);
    const ReplicaId id = original->id();
    net.run_for(1s);
    const auto copy = net.join("a", {.seed = 9}, disk.copy());
    net.run_for(5s);
    CHECK(net.wire->count(MessageKind::refusal) > 0);
    CHECK((original->id() == id) != (copy->id() == id));
}

TEST_CASE("start, stop, start keeps the id and the data; nothing is opened before start") {
    Network<Cart> net;
    const auto a = net.join("a", {.manual_start = true});
    const auto b = net.join("b");
    const ReplicaId id = a->id();
    a->update(add("before"));
    net.run();
    CHECK(net.wire->count(announcement, "a") == 0);
    CHECK(a->report().port == 0);
    REQUIRE_FALSE(a->start());
    net.run();
    CHECK(b->state().contains("before"));
    a->stop();
    a->stop();
    net.wire->clear();
    a->update(add("between"));
    net.run_for(3s);
    for (const Sent& sent : net.wire->log) CHECK(sent.from == "b");
    net.run_for(10s);
    REQUIRE_FALSE(a->start());
    net.run_for(2s);
    CHECK(a->id() == id);
    net.wire->clear();
    net.run_for(5s);
    CHECK(net.wire->count(MessageKind::ping, "a") >= 4);  // its timers run again
    CHECK(b->state().contains("between"));
    CHECK(b->report().members.size() == 1);
}

TEST_CASE("static peers find each other through a common acquaintance") {
    // c knows b, b knows a: c learns of a from b's introduction. No announcement arrives.
    Network<Cart> net;
    net.wire->lose = [](const Sent& sent) { return sent.kind == announcement; };
    const auto a = net.join("a"), b = net.join("b");
    net.run();
    CHECK(b->report().members.empty());
    MemoryStore disk;
    static_cast<void>(
        keep_value(disk, "members", std::vector<Acquaintance>{{.replica = a->id(), .endpoint = {"memory", 1}}}));
    const auto c = net.join("c", {}, disk);  // knew a in an earlier run
    net.run();
    CHECK(c->report().members.size() == 1);
    MemoryStore other_disk;
    static_cast<void>(
        keep_value(other_disk, "members", std::vector<Acquaintance>{{.replica = c->id(), .endpoint = {"memory", 3}}}));
    const auto d = net.join("d", {}, other_disk);
    net.run();
    CHECK(d->report().members.size() == 2);  // c, and a through it
    CHECK(a->report().members.size() == 2);
}

TEST_CASE("a restart under the same name is one member in a new incarnation") {
    Network<Cart> net;
    auto a = net.join("a");
    const auto b = net.join("b");
    net.run();
    const ReplicaId first = a->id();
    a.reset();
    net.run_for(1s);
    a = net.join("a", {.seed = 999});
    net.run_for(15s);  // nobody hears of the first one any more, so its owner gives it up
    CHECK(a->id() != first);
    CHECK(a->id().owner() == first.owner());
    REQUIRE(b->report().members.size() == 1);
    CHECK(b->report().members[0].replica == a->id());
}
