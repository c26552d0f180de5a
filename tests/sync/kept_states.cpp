// A state that was taken, and the frames in the log: together they make, after a restart, what was held before it.
#include "../network.hpp"

#include <random>

using namespace testing_network;

namespace {

struct Box {
    OrSet<std::string> set{};
    LwwMap<std::string, std::string> map{};
    OrMap<std::string, PnCounter> counters{};
};
using Desk = TapReplica<Box>;

void change(Desk& desk, std::mt19937_64& random) {
    const std::string key = "key " + std::to_string(random() % 12);
    switch (random() % 6) {
    case 0: desk.update(&Box::set, add(key)); break;
    case 1: desk.update(&Box::set, netsync::remove(key)); break;
    case 2: desk.update(&Box::map, assign(key, std::to_string(random() % 100))); break;
    case 3: desk.update(&Box::map, netsync::remove(key)); break;
    case 4: desk.update(&Box::counters, key, increment(random() % 5 + 1)); break;
    default: desk.update(&Box::counters, netsync::remove(key)); break;
    }
}

/// What a program finds that is started on a copy of this disk.
void check_restart(const Desk& desk, const MemoryStore& disk) {
    MemoryHub hub;
    const MemoryReplica<Box> again{hub, {.manual_start = true}, disk.copy()};
    const Box held = desk.state();
    REQUIRE(again.id() == desk.id());
    REQUIRE(again.report().heads == desk.report().heads);
    REQUIRE(again.digest() == desk.digest());  // all but tombstones that were forgotten, which the log brings back
    REQUIRE(again.state().set == held.set);
    REQUIRE(again.state().counters == held.counters);
    const Box now = again.state();
    held.map.for_each([&](const std::string& key, const std::string& value) {
        const std::string* found = now.map.find(key);
        REQUIRE(found);
        REQUIRE(*found == value);
    });
    REQUIRE(again.state().map.size() == held.map.size());
}

std::size_t heads_in_snapshot(const MemoryStore& disk) {
    const SharedBytes kept = disk.snapshot();
    return kept ? decode_snapshot_header(*kept)->heads.size() : 0;
}

}  // namespace

TEST_CASE("replicas that changed their data apart are, after a restart, what they became") {
    std::size_t as_received = 0;
    for (unsigned seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random{seed};
        Network<Box> net;
        net.wire->cut = [](const std::string&, const std::string&) { return true; };
        MemoryStore disks[3];
        std::vector<std::unique_ptr<Desk>> desks;
        for (const char* name : {"a", "b", "c"}) desks.push_back(net.join(name, {}, disks[desks.size()]));
        for (auto& desk : desks)
            for (std::uint64_t left = random() % 40; left > 0; --left) change(*desk, random);
        for (int turn = 0; turn < 3; ++turn) {  // they meet, two first or all of them, and part again
            const std::string alone = turn == 0 && random() % 2 == 0 ? "c" : "";
            net.wire->cut = [=](const std::string& from, const std::string& to) {
                return from == alone || to == alone;
            };
            net.run_for(20s);
            for (std::size_t at = 0; at < desks.size(); ++at) {
                check_restart(*desks[at], disks[at]);
                const std::size_t kept = heads_in_snapshot(disks[at]);
                as_received += kept > 0 && kept < desks[at]->report().heads.size() ? 1 : 0;
            }
            net.wire->cut = [](const std::string&, const std::string&) { return true; };
            for (auto& desk : desks)
                for (std::uint64_t left = random() % 10; left > 0; --left) change(*desk, random);
            const std::size_t off = random() % desks.size();  // one restarts
            const std::string name(1, static_cast<char>('a' + off));
            desks[off].reset();
            desks[off] = net.join(name, {}, disks[off]);
        }
        net.wire->cut = nullptr;
        net.run_for(60s);
        for (std::size_t at = 0; at < desks.size(); ++at) {
            check_restart(*desks[at], disks[at]);
            REQUIRE(desks[at]->digest() == desks[0]->digest());
        }
    }
    CHECK(as_received > 8);
}

TEST_CASE("whose disk holds a state and no frame says in its next change what it had seen") {
    Network<Box> net;
    MemoryStore disk;
    const auto a = net.join("a");
    a->update(&Box::set, add("x"));
    net.run_for(1s);
    {
        const auto b = net.join("b", {}, disk);
        net.run_for(10s);
        REQUIRE(b->state().set.contains("x"));
    }
    const auto again = net.join("b", {.manual_start = true}, disk);
    again->update(&Box::set, netsync::remove("x"));  // who gets this before the addition has to wait for it
    std::vector<ReplicaCounter> dependencies;
    disk.replay([&](const SharedBytes& bytes) {
        dependencies = Frame::parse(bytes)->header().dependencies;
        return true;
    });
    CHECK(dependencies == std::vector<ReplicaCounter>{{a->id(), 1}});
}
