// A disk that was copied while its original lives: who takes another id, what is issued again, and what is told to those
// who have to decide.
#include "../network.hpp"

using namespace testing_network;

namespace {

struct Shelf {
    OrSet<std::string> books{};
    PnCounter visits{};
};
using Desk = TapReplica<Shelf>;
using Copy = LocalCopy<MemoryStore, ManualClock, Shelf>;

void use(Desk& desk, const std::string& book) {
    desk.update(&Shelf::books, add(book));
    desk.update(&Shelf::visits, increment());
}

/// A copy of a's disk: the same replica, under a name of its own on the wire.
std::unique_ptr<Desk> join_copy(Network<Shelf>& net, const MemoryStore& disk, const std::string& on_wire = "twin") {
    Options options{.name = "a", .seed = 5};
    return std::make_unique<Desk>(TapTransport{net.hub, net.wire, on_wire}, options, disk.copy(),
                                  ManualClock{options.max_drift, net.wall});
}

/// Nobody reaches anybody but those of the same group.
auto groups(std::map<std::string, int> of) {
    return [of = std::move(of)](const std::string& from, const std::string& to) {
        const auto group = [&](const std::string& name) { return of.contains(name) ? of.at(name) : 0; };
        return group(from) != group(to);
    };
}

void check_all(const std::vector<Desk*>& desks, std::size_t made) {
    for (const Desk* desk : desks) {
        CHECK(desk->state().books.size() == made);
        CHECK(desk->state().visits.value() == static_cast<std::int64_t>(made));
        CHECK(desk->digest() == desks.front()->digest());
    }
}

/// One change of a copy.
void change(Copy& copy, const std::string& book) {
    REQUIRE_FALSE(copy.change(
        [&](Batch<Shelf>& batch) {
            batch.update(&Shelf::books, add(book));
            batch.update(&Shelf::visits, increment());
        },
        [](const Frame&) {}));
}

Bytes nothing() { return *encode_snapshot(SnapshotHeader{}, Shelf{}); }

}  // namespace

TEST_CASE("a copy that made nothing yet takes another id at once, and nobody else has to") {
    Network<Shelf> net;
    MemoryStore disk;
    const auto b = net.join("b"), c = net.join("c");
    const auto a = net.join("a", {}, disk);
    net.run_for(3s);
    use(*a, "before");
    use(*b, "b");
    net.run_for(3s);
    const MemoryStore copied = disk.copy();
    use(*a, "after");
    const std::vector<ReplicaId> ids{a->id(), b->id(), c->id()};
    net.wire->cut = groups({{"a", 1}, {"twin", 1}});
    net.wire->clear();
    const auto twin = join_copy(net, copied);
    net.run_for(1s);
    CHECK(twin->id() != a->id());
    CHECK(net.wire->count(MessageKind::state_request) == 0);
    net.wire->cut = nullptr;
    use(*twin, "twin");
    net.run_for(5s);
    CHECK(ids == std::vector<ReplicaId>{a->id(), b->id(), c->id()});
    check_all({a.get(), b.get(), c.get(), twin.get()}, 4);
    CHECK(a->report().retired.empty());
}

TEST_CASE("of two copies the one takes another id of whose changes the other has all, and issues nothing again") {
    Network<Shelf> net;
    MemoryStore disk;
    const auto b = net.join("b");
    const auto a = net.join("a", {}, disk);
    net.run_for(3s);
    net.wire->cut = groups({{"a", 1}, {"twin", 1}});
    for (int n = 0; n < 5; ++n) use(*a, "before " + std::to_string(n));  // the pool does not see it
    const ReplicaId original = a->id();
    const auto twin = join_copy(net, disk);
    use(*twin, "twin");
    net.run_for(2s);
    net.wire->cut = [](const std::string& from, const std::string& to) {
        return (from == "a" && to == "b") || (from == "b" && to == "a");
    };
    net.run_for(30s);
    CHECK(twin->id() == original);
    CHECK(a->id() != original);
    use(*a, "after");
    net.wire->cut = nullptr;
    net.run_for(60s);
    CHECK(twin->id() == original);
    CHECK(b->report().retired.empty());
    check_all({a.get(), b.get(), twin.get()}, 7);
}

TEST_CASE("what a copy and its original both hold keeps its name where it is issued again") {
    const Options options{.name = "a"}, others{.name = "b"};
    detail::Random random{1};
    ManualTime wall;
    Copy elsewhere{others, MemoryStore{}, ManualClock{options.max_drift, wall}, random};
    change(elsewhere, "b");
    const SharedBytes state = elsewhere.encode()->bytes;
    MemoryStore disk;
    Copy copy{options, disk, ManualClock{options.max_drift, wall}, random};
    REQUIRE_FALSE(copy.adopt(Bytes(state->begin(), state->end())));
    for (const char* book : {"both", "of both", "mine"}) change(copy, book);
    const ReplicaId before = copy.id();
    const std::uint64_t parted = 4;  // after two changes of two dots
    copy.plan_successor(random);
    // A state without what the log depends on: somebody else may have more.
    CHECK(copy.succeed_in_place(nothing(), parted, {{before, parted, {}}}, false).error() ==
          std::errc::resource_unavailable_try_again);
    CHECK(copy.id() == before);
    REQUIRE(copy.succeed_in_place(nothing(), parted, {{before, parted, {}}}, true));
    std::vector<std::vector<ReplicaCounter>> names;
    disk.frames({copy.id(), 1, copy.frontier().counter}, [&](const SharedBytes& bytes) {
        names.push_back(Frame::parse(bytes)->header().instead_of);
        return true;
    });
    REQUIRE(names.size() == 3);
    CHECK(names[0] == std::vector<ReplicaCounter>{{before, 1}});
    CHECK(names[1] == std::vector<ReplicaCounter>{{before, 3}});
    REQUIRE(names[2].size() == 1);  // nobody else has this one: under a name of its own
    CHECK(names[2].front().replica != before);
    CHECK(names[2].front().counter == 1);
    CHECK(copy.state().visits.value() == 3);
}

TEST_CASE("what somebody removed of the history that goes stays removed where it is issued again") {
    Network<Shelf> net;
    MemoryStore disk;
    const auto member = net.join("member"), other = net.join("other");
    const auto a = net.join("a", {}, disk);
    net.run_for(3s);
    use(*a, "before");
    net.run_for(3s);
    net.wire->cut = groups({{"twin", 1}, {"other", 1}});
    const auto twin = join_copy(net, disk);
    use(*twin, "twin");  // the older one beyond: it stays
    net.run_for(1s);
    for (const char* book : {"read", "unread"}) use(*a, book);
    net.run_for(1s);
    member->update(&Shelf::books, netsync::remove("read"));
    member->update(&Shelf::books, add("member's"));
    net.run_for(1s);
    net.wire->cut = nullptr;
    net.run_for(60s);
    for (const Desk* desk : {a.get(), twin.get(), member.get(), other.get()}) {
        CHECK_FALSE(desk->state().books.contains("read"));
        for (const char* book : {"before", "twin", "unread", "member's"}) CHECK(desk->state().books.contains(book));
        CHECK(desk->state().visits.value() == 4);
        CHECK(desk->digest() == a->digest());
    }
}

TEST_CASE("a replica remembers where histories stood lately, whatever became of its log") {
    History history;
    const ReplicaIndex origin = intern({9, 9}), other = intern({9, 8});
    for (std::uint64_t n = 1; n <= 3000; ++n) history.advance(n % 2 == 0 ? origin : other, n, n * n, Ntp64{n});
    CHECK(history.recent_hash(id_of(origin), 3000) == 9000000);
    CHECK(history.recent_hash(id_of(origin), 2900) == 2900u * 2900u);
    CHECK_FALSE(history.recent_hash(id_of(origin), 2899));
    CHECK_FALSE(history.recent_hash(id_of(origin), 1000));
    History state;
    state.advance(origin, 2950, 2950u * 2950u, Ntp64{1});
    state.recall(history.recent(), [&](const Head& at) { return at.replica == id_of(origin) && at.counter <= 2940; });
    CHECK(state.recent_hash(id_of(origin), 2940) == 2940u * 2940u);
    CHECK_FALSE(state.recent_hash(id_of(origin), 2942));
    CHECK_FALSE(state.recent_hash(id_of(other), 2901));
    const std::vector<Head> latest = history.recent(2);
    CHECK(latest == std::vector<Head>{{id_of(other), 2999, 2999u * 2999u}, {id_of(origin), 3000, 9000000}});
    const MemoryStore disk;
    const Limits limits;
    const Fork<MemoryStore> fork{disk, state, limits};
    CHECK(fork.shows_ours({id_of(origin), 2940, 2940u * 2940u}));
    CHECK(fork.shows_another({id_of(origin), 2940, 5}));
}
