// Silence, suspicion, and coming back.
#include "../network.hpp"

using namespace testing_network;
using Cart = OrSet<std::string>;

namespace {

struct Watched {
    std::vector<MemberState> states;
    Subscription subscription;

    void follow(TapReplica<Cart>& replica) {
        subscription = replica.on_member([this](const PoolEvent& event) { states.push_back(event.now); });
    }
};

}  // namespace

TEST_CASE(
    "S1-13 a silent member is dropped at the first check after the timeout, not before; nothing is sent to it then") {
    Network<Cart> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run();
    Watched watched;
    watched.follow(*a);
    net.run_for(10s);
    CHECK(watched.states.empty());  // pings keep it alive
    net.wire->silenced.insert("b");
    const Duration silent_since = net.hub.now();
    while (member_of(a->report(), b->id())->state != MemberState::offline) {
        net.run_for(100ms);
        REQUIRE(net.hub.now() - silent_since < 8s);
    }
    CHECK(net.hub.now() - silent_since >= 4900ms);
    CHECK(watched.states == std::vector{MemberState::suspect, MemberState::offline});
    net.wire->clear();
    a->update(add("x"));
    net.run_for(20s);
    for (const Sent& sent : net.wire->log) CHECK((sent.kind == announcement || sent.kind == MessageKind::response));
    CHECK(watched.states.size() == 2);
    CHECK(member_of(a->report(), b->id())->last_seen > Ntp64{});
}

TEST_CASE("a member that is only slow is not dropped") {
    Network<Cart> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run();
    for (int i = 0; i < 10; ++i) {
        net.wire->silenced.insert("b");
        net.run_for(2s);
        net.wire->silenced.erase("b");
        net.run_for(3s);
        CHECK(member_of(a->report(), b->id())->state == MemberState::live);
    }
}

TEST_CASE("one that slept itself does not blame the others") {
    Network<Cart> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run_for(3s);
    Watched watched;
    watched.follow(*a);
    net.hub.run_for(0s);
    net.wire->silenced.insert("a");  // hears nothing while it sleeps
    const auto asleep = [&](const Sent&) { return true; };
    net.wire->lose = asleep;
    net.run_for(2s);
    net.wire->lose = [](const Sent&) { return false; };
    net.wire->silenced.erase("a");
    net.run_for(5s);
    CHECK(std::find(watched.states.begin(), watched.states.end(), MemberState::offline) == watched.states.end());
}

TEST_CASE("pings measure round trip and skew") {
    Network<Cart> net;
    MemoryHub slow{20ms};
    ManualTime wall_a, wall_b;
    wall_b.advance(80ms);
    auto wire = std::make_shared<Wire>();
    TapReplica<Cart> a{TapTransport{slow, wire, "a"}, {.seed = 1}, {}, ManualClock{100ms, wall_a}};
    TapReplica<Cart> b{TapTransport{slow, wire, "b"}, {.seed = 2}, {}, ManualClock{100ms, wall_b}};
    slow.run_for(5s);
    const Member seen = *member_of(a.report(), b.id());
    CHECK(seen.round_trip == 40ms);
    CHECK(seen.skew >= 80ms);
    CHECK(seen.skew <= 101ms);
}

TEST_CASE("a message from a stranger is answered: introduce yourself") {
    Network<Cart> net;
    const auto a = net.join("a");
    MemoryTransport raw{net.hub};
    Link link{};
    std::vector<MessageKind> heard;
    static_cast<void>(raw.start({}, [&](const TransportEvent& event) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) link = opened->link;
        if (const auto* message = std::get_if<MessageReceived>(&event)) heard.push_back(*kind_of(message->bytes));
    }));
    raw.dial({"memory", 1});
    net.run();
    for (int i = 0; i < 5; ++i) raw.send(link, encode_message(DigestMessage{1, false}));
    net.run();
    CHECK(heard == std::vector{MessageKind::introduce_yourself});  // once
    raw.send(link, encode_message(Greeting{{.pool = "netsync", .replica = {5, 5}, .port = raw.port()}}));
    raw.send(link, encode_message(DigestMessage{1, false}));
    net.run();
    CHECK(heard.back() == MessageKind::heads);
    CHECK(a->report().members.size() == 1);
}
