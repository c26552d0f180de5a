// Two histories under one replica id: how far they agree, which of two replicas is the copy, and that what either made is
// there once.
#include "../network.hpp"

#include <algorithm>

using namespace testing_network;

namespace {

struct Shelf {
    OrSet<std::string> books{};
    PnCounter visits{};
};
using Desk = TapReplica<Shelf>;

constexpr ReplicaId copied{7, 1};

/// A history of one replica, on a disk of its own.
struct Side {
    MemoryStore store{};
    History history{};
    Limits limits{};

    /// So many changes, one a second from `time` on.
    void make(std::uint64_t changes, std::uint64_t time) {
        const ReplicaIndex origin = intern(copied);
        for (std::uint64_t n = 0; n < changes; ++n) {
            const std::uint64_t first = history.counter(origin) + 1;
            const Ntp64 at{(time + n) << 32};
            const Frame frame =
                Frame::make(FrameHeader{.origin = copied, .first = first, .time = at},
                            *encode_delta(Shelf{}, {origin, first, first}, at, limits), history.hash(origin));
            REQUIRE_FALSE(store.append(frame));
            history.advance(origin, first, frame.header().hash, at);
        }
    }
    void cut(std::uint64_t counter) {
        REQUIRE_FALSE(store.adopt(SharedBytes{*encode_snapshot(history.header(), Shelf{})}, history.heads()));
        REQUIRE_FALSE(store.cut({{copied, counter}}));
        History started;  // what was remembered beside the log is gone
        for (const Head& head : history.heads())
            started.advance(intern(head.replica), head.counter, head.hash, history.time());
        for (const Mark& mark : history.marks()) started.mark(mark);
        history = started;
    }
    Fork<MemoryStore> fork() const { return {store, history, limits}; }
    Head head() const { return history.heads().front(); }
};

/// Two that agree up to 10.
std::pair<Side, Side> parted(std::uint64_t ours, std::uint64_t theirs) {
    Side a;
    a.make(10, 1);
    Side b{a.store.copy(), a.history};
    a.make(ours, 100);
    b.make(theirs, 200);
    return {std::move(a), std::move(b)};
}

void use(Desk& desk, const std::string& book) {
    desk.update(&Shelf::books, add(book));
    desk.update(&Shelf::visits, increment());
}

}  // namespace

TEST_CASE("two histories agree up to where they part, whichever is the longer") {
    for (const std::uint64_t theirs : {1u, 3u, 9u}) {
        const auto [a, b] = parted(3, theirs);
        const Agreement told = a.fork().compare(b.fork().heads(copied));
        CHECK(told.known);
        CHECK(told.counter == 10);
        CHECK(told.beyond);
        CHECK(told.last == 11);
        CHECK(told.time == Ntp64{100ull << 32});
        CHECK(b.fork().weigh({9, 9}, told) == Stays::theirs);
        CHECK(a.fork().weigh({9, 9}, b.fork().compare(a.fork().heads(copied))) == Stays::ours);
    }
    Side none;
    none.make(2, 300);
    CHECK(none.fork().compare(parted(1, 1).first.fork().heads(copied)).known);  // from the first change on
}

TEST_CASE("a log that was cut tells of the change before its first one, too") {
    Side a;
    a.make(10, 1);
    const Side b{a.store.copy(), a.history};  // a copy, which goes no further
    a.make(3, 100);
    a.cut(10);
    const Agreement told = a.fork().compare(b.fork().heads(copied));
    CHECK(told.known);
    CHECK(told.counter == 10);
    CHECK_FALSE(a.fork().shows_another(b.head()));
    CHECK(a.fork().shows_another({copied, 10, 5}));
    Side behind{a.store.copy(), a.history};
    behind.cut(11);  // and no further
    CHECK_FALSE(behind.fork().compare(b.fork().heads(copied)).known);
}

TEST_CASE("a mark does not end the history of one that went the same way") {
    auto [a, b] = parted(3, 3);
    const Side copy{a.store.copy(), a.history};  // up to 13
    a.history.mark(b.fork().mark(b.fork().answer({.replica = copied, .counter = 10, .known = true})));
    a.history.mark(a.fork().mark(a.fork().answer({.replica = copied, .counter = 10, .known = true})));
    a.make(5, 400);
    a.cut(15);
    CHECK_FALSE(a.fork().compare(copy.fork().heads(copied)).known);  // not at 10: it holds what came after
    CHECK(a.fork().compare(b.fork().heads(copied)).counter == 10);
}

TEST_CASE("a log that was cut does not tell what came before it; a mark does") {
    auto [a, b] = parted(3, 3);
    a.cut(12);
    const Agreement told = a.fork().compare(b.fork().heads(copied));
    CHECK_FALSE(told.known);
    a.history.mark(b.fork().mark(
        {.replica = copied, .counter = 10, .known = true, .beyond = true, .last = 11, .time = Ntp64{100ull << 32}}));
    const Agreement marked = a.fork().compare(b.fork().heads(copied));
    CHECK(marked.known);
    CHECK(marked.counter == 10);
    CHECK(marked.time == Ntp64{100ull << 32});
}

TEST_CASE("a state is not given to be joined with another history of the same replica") {
    const auto [a, b] = parted(3, 1);
    CHECK(a.fork().shows_another(b.head()));
    CHECK_FALSE(a.fork().shows_ours(b.head()));
    CHECK_FALSE(b.fork().shows_another(a.head()));  // it goes further than this log
    SnapshotHeader state{.heads = {a.head()}};
    CHECK_FALSE(b.fork().find({9, 9}, state));
    const Agreement told = a.fork().compare(b.fork().heads(copied));
    state.marks = {b.fork().mark(told)};
    CHECK(b.fork().find({9, 9}, state) == copied);
    CHECK_FALSE(a.fork().find({9, 9}, state));
    state.marks.front().stayed = false;
    state.heads = {{copied, 20, 5}};
    CHECK_FALSE(b.fork().find({9, 9}, state));
    CHECK(a.fork().find({9, 9}, state) == copied);
}

TEST_CASE("a mark says nothing against a state whose head is ours") {
    auto [a, b] = parted(3, 3);
    const Agreement told = a.fork().compare(b.fork().heads(copied));
    SnapshotHeader state{.heads = {a.head()}, .marks = {b.fork().mark(told)}};
    state.marks.front().stayed = false;  // both gave way, each to the other
    CHECK_FALSE(a.fork().find({9, 9}, state));
    state.heads = {{copied, 14, 5}};
    CHECK(a.fork().find({9, 9}, state) == copied);
}

TEST_CASE("of a replica and a copy of its disk the copy takes another id, and issues again only what it made itself") {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        CAPTURE(seed);
        Network<Shelf> net;
        MemoryStore disk;
        const auto b = net.join("b");
        const auto a = net.join("a", {}, disk);
        net.run_for(3s);
        bool split = true;
        net.wire->cut = [&](const std::string& from, const std::string& to) {
            return split && (from == "a") != (to == "a");
        };
        for (int n = 0; n < 5; ++n) use(*a, "before " + std::to_string(n));  // the pool does not see it
        Options options;
        options.seed = seed;
        const MemoryStore copy = disk.copy();
        const ReplicaId original = a->id();
        const auto twin = net.join("a", options, copy);
        if (seed % 2 == 0) use(*twin, "twin");
        if (seed % 3 == 0) use(*a, "original");
        split = false;
        net.run_for(60s);
        if (seed % 2 == 1) CHECK(a->id() == original);  // else the pool knows more of it than it does itself
        CHECK(twin->id() != a->id());
        const auto state = b->state();
        const std::int64_t made = 5 + (seed % 2 == 0 ? 1 : 0) + (seed % 3 == 0 ? 1 : 0);
        CHECK(state.visits.value() == made);
        CHECK(state.books.size() == static_cast<std::size_t>(made));
        CHECK(a->digest() == b->digest());
        CHECK(twin->digest() == b->digest());
    }
}
