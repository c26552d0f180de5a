// One body for every store that keeps frames: what the Store concept promises.
#include <doctest/doctest.h>
#include <netsync/sqlite.hpp>

#include <vector>

#include "folder.hpp"

using namespace netsync;

namespace {

const ReplicaId a{51, 1}, b{51, 2};

Frame frame(const ReplicaId& origin, std::uint64_t first, std::uint64_t count = 1) {
    return Frame::make({.origin = origin, .first = first, .count = count, .time = {first}}, Bytes{}, 0);
}

/// A new store, with what it needs.
template <store Store>
struct Opened {
    Store store{};
};
template <>
struct Opened<SqliteStore> {
    Folder folder{};
    SqliteStore store{{.file = folder.file(), .synchronous = Synchronous::off}};
};

template <store Store>
std::vector<std::uint64_t> firsts(const Store& store, const CounterRange& range, bool& held) {
    std::vector<std::uint64_t> found;
    held = store.frames(range, [&](const SharedBytes& bytes) {
        found.push_back(Frame::parse(bytes)->header().first);
        return true;
    });
    return found;
}

}  // namespace

TEST_CASE_TEMPLATE("a store keeps frames by dot, in order", Store, MemoryStore, SqliteStore) {
    Opened<Store> opened;
    Store& store = opened.store;
    for (const Frame& added : {frame(a, 1), frame(b, 1, 3), frame(a, 2, 4), frame(b, 4), frame(a, 6)})
        REQUIRE_FALSE(store.append(added));
    REQUIRE_FALSE(store.commit());
    bool held = false;
    CHECK(firsts(store, {a, 1, 9}, held) == std::vector<std::uint64_t>{1, 2, 6});
    CHECK(held);
    CHECK(firsts(store, {a, 4, 4}, held) == std::vector<std::uint64_t>{2});  // the frame around the dot
    CHECK(firsts(store, {b, 4, 4}, held) == std::vector<std::uint64_t>{4});
    CHECK(firsts(store, {a, 7, 9}, held).empty());
    CHECK_FALSE(held);
    CHECK(firsts(store, {ReplicaId{9, 9}, 1, 1}, held).empty());
    CHECK_FALSE(held);
    std::vector<std::pair<ReplicaId, std::uint64_t>> order;
    store.replay([&](const SharedBytes& bytes) {
        const FrameHeader header = Frame::parse(bytes)->header();
        order.emplace_back(header.origin, header.first);
        return order.size() < 4;
    });
    CHECK(order == std::vector<std::pair<ReplicaId, std::uint64_t>>{{a, 1}, {b, 1}, {a, 2}, {b, 4}});
    CHECK(store.append(frame(a, 9)) == errc::not_contiguous);
}

TEST_CASE_TEMPLATE("an adopted snapshot cuts the logs that would have a hole, and no other", Store, MemoryStore,
                   SqliteStore) {
    Opened<Store> opened;
    Store& store = opened.store;
    static_cast<void>(store.append(frame(a, 1)));
    static_cast<void>(store.append(frame(b, 1)));
    const SharedBytes snapshot{Bytes(3)};
    REQUIRE_FALSE(store.adopt(snapshot, {{a, 5, 0}, {b, 1, 0}}));
    REQUIRE_FALSE(store.commit());
    CHECK(store.snapshot() == snapshot);
    bool held = true;
    CHECK(firsts(store, {a, 1, 5}, held).empty());
    CHECK_FALSE(held);
    CHECK(firsts(store, {b, 1, 1}, held) == std::vector<std::uint64_t>{1});
    CHECK_FALSE(store.append(frame(a, 6)));
    CHECK(firsts(store, {a, 6, 6}, held) == std::vector<std::uint64_t>{6});
}

TEST_CASE_TEMPLATE("values under names", Store, MemoryStore, SqliteStore) {
    Opened<Store> opened;
    Store& store = opened.store;
    CHECK_FALSE(store.get("name"));
    REQUIRE_FALSE(store.put("name", Bytes(3, std::byte{7})));
    REQUIRE_FALSE(store.put("name", Bytes(2, std::byte{8})));
    REQUIRE_FALSE(store.commit());
    CHECK(*store.get("name") == Bytes(2, std::byte{8}));
}

TEST_CASE("the store that keeps nothing says so") {
    NullStore store;
    CHECK_FALSE(store.append(frame(a, 1)));
    CHECK_FALSE(store.commit());
    CHECK_FALSE(store.frames({a, 1, 1}, [](const SharedBytes&) { return true; }));
    CHECK_FALSE(store.snapshot());
}
