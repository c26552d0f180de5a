// States that went different ways under one version vector: found, and made one.
#include "../network.hpp"

using namespace testing_network;

namespace {

using Labels = LwwSet<std::string>;
constexpr ReplicaId writer{1, 1}, remover{2, 2};

/// What those hold who have both changes; without the tombstone, where it was dropped before the addition came.
Content<Labels> content(bool with_tombstone) {
    Content<Labels> content;
    Change adds{intern(writer), 1, {10}};
    const Labels added = content.state.add(adds, "x");
    merge(content.state, added, Join{.mine = {}, .theirs = adds.context()});
    content.history.advance(intern(writer), 1, 5, {10});
    if (with_tombstone) {
        Labels elsewhere;  // who removed it had seen another addition
        Change other{intern(remover), 1, {15}};
        merge(elsewhere, elsewhere.add(other, "x"), Join{.mine = {}, .theirs = other.context()});
        Change removes{intern(remover), 2, {20}};
        const Labels removed = elsewhere.remove(removes, "x");
        merge(content.state, removed, Join{.mine = content.history.context(), .theirs = removes.context()});
    }
    content.history.advance(intern(remover), 2, 6, {20});
    return content;
}

Snapshot<Labels> snapshot_of(const Content<Labels>& content) {
    return *decode_snapshot<Labels>(*content.encode({})->bytes);
}

/// A disk that holds this.
MemoryStore disk_of(const Content<Labels>& content) {
    MemoryStore disk;
    const EncodedState encoded = *content.encode({});
    REQUIRE_FALSE(disk.adopt(encoded.bytes, encoded.heads));
    REQUIRE_FALSE(keep_value(disk, "lineage", content.history.lineage()));
    REQUIRE_FALSE(disk.commit());
    return disk;
}

}  // namespace

TEST_CASE("of two ways both sides find the same one") {
    Content<Labels> a = content(true), b = content(false);
    REQUIRE(a.history.vector() == b.history.vector());
    REQUIRE(a.state.contains("x") != b.state.contains("x"));
    REQUIRE(a.digest() != b.digest());
    b.history.branch(1);
    const Snapshot<Labels> from_a = snapshot_of(a), from_b = snapshot_of(b);
    a.join(from_b);
    b.join(from_a);
    CHECK(a.digest() == b.digest());
    CHECK(a.state.contains("x"));  // no change is lost where it is not known any more what was later
    CHECK(a.history.lineage() == b.history.lineage());
    CHECK(a.history.lineage() != 0);
    CHECK(a.history.digest() == b.history.digest());
    const std::uint64_t found = a.history.lineage();
    a.join(snapshot_of(b));
    CHECK(a.history.lineage() == found);  // and stay with it
}

TEST_CASE("where two ways led to the same, one name of it is left") {
    Content<Labels> a = content(false), b = content(false), c = content(false);
    a.history.branch(1);
    b.history.branch(2);
    const Snapshot<Labels> from_a = snapshot_of(a), from_b = snapshot_of(b);
    a.join(from_b);
    b.join(from_a);
    c.join(from_a);
    CHECK(a.history.lineage() == b.history.lineage());
    CHECK(c.history.lineage() == snapshot_of(c).lineage);
    c.join(snapshot_of(a));
    CHECK(c.history.lineage() == a.history.lineage());
}

TEST_CASE("replicas whose states went different ways become equal, and quiet") {
    Network<Labels> net;
    std::vector<std::unique_ptr<TapReplica<Labels>>> replicas;
    for (const char* name : {"a", "b", "c", "d"}) {
        Content<Labels> held = content(replicas.size() < 2);
        if (replicas.size() % 2 == 1) held.history.branch(replicas.size());
        replicas.push_back(net.join(name, {}, disk_of(held)));
    }
    net.run_for(30s);
    for (const auto& replica : replicas) {
        CHECK(replica->digest() == replicas.front()->digest());
        CHECK(replica->state().contains("x"));
    }
    net.wire->clear();
    net.run_for(20s);
    CHECK(net.wire->count(MessageKind::heads) == 0);
    CHECK(net.wire->count(MessageKind::state_request) == 0);
    replicas.front()->update(netsync::remove("x"));  // and it is removed everywhere
    net.run_for(5s);
    for (const auto& replica : replicas) CHECK_FALSE(replica->state().contains("x"));
}

TEST_CASE("the way a state came outlives a restart") {
    Network<Labels> net;
    Content<Labels> held = content(false);
    held.history.branch(3);
    const MemoryStore disk = disk_of(held);
    const auto replica = net.join("a", {.manual_start = true}, disk);
    Content<Labels> other = content(false);
    other.history.branch(4);
    const auto asked = net.join("b", {}, disk_of(other));
    REQUIRE_FALSE(replica->start());
    net.run_for(20s);
    CHECK(open_value<std::uint64_t>(disk, "lineage") == std::max(held.history.lineage(), other.history.lineage()));
}
