// Everything a peer can make a replica hold has a cap: at the cap it holds that much, beyond it says what it turned away.
#include "../network.hpp"

using namespace testing_network;
using Cart = OrSet<std::string>;

namespace {

struct Folder {
    OrMap<std::string, Folder> children{};
    OrSet<std::string> files{};
};

/// Folders in folders.
Folder deep(const Folder& now, Change& change, int levels) {
    if (levels == 0) return {.files = now.files.add(change, "file")};
    return {.children = now.children.update(
                change, "child", [&](const Folder& child, Change& inner) { return deep(child, inner, levels - 1); })};
}

}  // namespace

TEST_CASE("limits.links: no more links are open") {
    Network<Cart> net;
    Options options;
    options.limits.links = 2;
    const auto a = net.join("a", options);
    std::vector<std::unique_ptr<MemoryTransport>> strangers;
    std::size_t closed = 0;
    for (int i = 0; i < 5; ++i) {
        auto& stranger = strangers.emplace_back(std::make_unique<MemoryTransport>(net.hub));
        REQUIRE_FALSE(stranger->start(
            {}, [&](const TransportEvent& event) { closed += std::holds_alternative<LinkClosed>(event) ? 1 : 0; }));
        stranger->dial({"memory", a->report().port});
        net.run();
    }
    CHECK(closed == 3);
    CHECK(a->report().turned_away.links == 3);
    CHECK(a->report().turned_away == TurnedAway{.links = 3});
}

TEST_CASE("limits.members: no more members are known") {
    Network<Cart> net;
    Options options;
    options.limits.members = 2;
    const auto a = net.join("a", options);
    std::vector<std::unique_ptr<TapReplica<Cart>>> others;
    for (int i = 0; i < 4; ++i) others.push_back(net.join("r" + std::to_string(i)));
    net.run_for(3s);
    CHECK(a->report().members.size() == 2);
    CHECK(a->report().turned_away.members > 0);
    others[0]->update(add("milk"));
    net.run_for(3s);
    CHECK(a->state().contains("milk"));  // from those that it knows
}

TEST_CASE("limits.replicas: no more origins have an entry in the version vector") {
    Network<Cart> net;
    Options options;
    options.limits.replicas = 2;
    const auto a = net.join("a", options), b = net.join("b", options), c = net.join("c", options);
    net.run_for(2s);
    a->update(add("a")), b->update(add("b")), net.run();
    CHECK(a->report().turned_away.replicas == 0);
    CHECK(a->report().heads.size() == 2);
    c->update(add("c"));
    net.run_for(1s);
    CHECK(a->report().heads.size() == 2);
    CHECK_FALSE(a->state().contains("c"));
    CHECK(a->report().turned_away.replicas > 0);
    a->update(add("more"));  // what it knows goes on
    net.run();
    CHECK(b->state().contains("more"));
}

TEST_CASE("limits.buffered_bytes: frames that wait for others take no more memory") {
    Network<Cart> net;
    Options options;
    options.limits.buffered_bytes = 4096;
    options.gossip = {30s, 40s};
    const auto a = net.join("a", options), b = net.join("b", options);
    net.run_for(2s);
    bool first = true;
    net.wire->lose = [&](const Sent& sent) { return sent.kind == MessageKind::update && std::exchange(first, false); };
    a->update(add("the one that the others wait for"));
    for (int i = 0; i < 20; ++i) a->update(add(std::string(1000, 'x') + std::to_string(i)));
    net.run();
    Report report = b->report();
    CHECK(report.buffered_bytes <= 4096);
    CHECK(report.buffered_frames == 3);
    CHECK(report.turned_away.buffered == 17);
    net.run_for(90s);
    CHECK(b->digest() == a->digest());
    CHECK(b->report().buffered_bytes == 0);
}

TEST_CASE("limits.state: a state that is too large is not taken, nor held in part") {
    Network<Cart> net;
    const auto a = net.join("a");
    for (char each = '0'; each < 'b'; ++each) a->update(add(std::string(100, each)));
    Options options;
    options.limits.state = 4096;
    const auto b = net.join("b", options);
    net.run_for(3s);
    CHECK(b->report().turned_away.states > 0);
    CHECK(b->digest() == a->digest());  // frame by frame: the log still has them
}

TEST_CASE("limits.frame, limits.depth: what one replica may send, another with smaller limits refuses and goes on") {
    Network<Folder> net;
    Options options;
    options.limits.depth = 24;
    const auto a = net.join("a"), b = net.join("b", options);
    net.run_for(2s);
    a->update([](const Folder& now, Change& change) { return deep(now, change, 3); });
    net.run();
    CHECK(b->digest() == a->digest());
    CHECK(b->report().turned_away == TurnedAway{});
    CHECK(b->try_update([](const Folder& now, Change& change) { return deep(now, change, 20); }).error() ==
          errc::too_deep);
    a->update([](const Folder& now, Change& change) { return deep(now, change, 20); });
    net.run();
    CHECK(b->report().turned_away.frames > 0);
    CHECK(b->state().children.find("child"));
    b->update(&Folder::files, add("mine"));
    net.run();
    CHECK(a->state().files.contains("mine"));

    Network<Cart> carts;
    Options small;
    small.limits.frame = 1024;
    small.limits.transfer = 1024;
    const auto c = carts.join("c"), d = carts.join("d", small);
    carts.run_for(2s);
    CHECK(d->try_update(add(std::string(70'000, 'x'))).error() == errc::too_large);
    c->update(add(std::string(70'000, 'x')));
    carts.run();
    CHECK(d->report().turned_away.frames > 0);
    CHECK(d->state().empty());
}

TEST_CASE("limits.replicas: who asks for a state names no more heads") {
    Network<Cart> net;
    Options options;
    options.limits.replicas = 3;
    const auto a = net.join("a", options);
    a->update(add("milk"));
    for (const std::size_t named : {3u, 4u}) {
        MemoryTransport raw{net.hub};
        Link link{};
        bool closed = false, answered = false;
        REQUIRE_FALSE(raw.start({}, [&](const TransportEvent& event) {
            if (const auto* opened = std::get_if<LinkOpened>(&event)) link = opened->link;
            if (const auto* message = std::get_if<MessageReceived>(&event))
                answered = answered || kind_of(message->bytes) == MessageKind::state_chunk;
            closed = closed || std::holds_alternative<LinkClosed>(event);
        }));
        raw.dial({"memory", a->report().port});
        net.run();
        raw.send(link, encode_message(Greeting{{.pool = "netsync", .replica = {named, 1}, .port = raw.port()}}));
        net.run();
        StateRequest request;
        for (std::size_t n = 1; n <= named; ++n) request.of.push_back({{100 + n, 1}, 1, 5});
        raw.send(link, encode_message(request));
        net.run();
        CHECK(answered == (named == 3));
        CHECK(closed == (named == 4));
    }
}

TEST_CASE("limits.waiters: no more calls wait") {
    Network<Cart> net;
    Options options;
    options.limits.waiters = 1;
    const auto a = net.join("a", options);
    const auto one = a->on_replicated({a->id(), 1}, Audience::everyone(), 9s, [](std::error_code) {});
    CHECK(a->report().turned_away.waiters == 0);
    std::error_code answer;
    const auto two = a->on_replicated({a->id(), 1}, Audience::everyone(), 9s, [&](std::error_code e) { answer = e; });
    CHECK(answer == errc::too_large);
    CHECK(a->report().turned_away.waiters == 1);
}
