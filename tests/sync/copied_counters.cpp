// Counters of a disk that was copied: what either copy counted is counted once.
#include "../network.hpp"

using namespace testing_network;

namespace {

struct Counters {
    PnCounter plain{};
    GCounter up{};
    OrMap<std::string, PnCounter> by_key{};
    GMap<std::string, LwwChoice<GCounter>> chosen{};
    Bag<std::string> words{};
    Owned<PnCounter> own{};
};
using Desk = TapReplica<Counters>;

/// Counts everything up by `by`, in three changes: one of several steps, one that counts again, one on its own.
void count(Desk& desk, std::uint64_t by) {
    desk.batch([&](auto& batch) {
        batch.update(&Counters::plain, increment(by));
        batch.update(&Counters::plain, increment(by));
        batch.update(&Counters::by_key, "k", increment(by));
    });
    desk.update(&Counters::plain, increment(by));
    desk.batch([&](auto& batch) {
        batch.update(&Counters::up, increment(by));
        batch.update(&Counters::by_key, "k", increment(by));
        batch.update(&Counters::chosen, "k", alternative<0>, increment(by));
        batch.update(&Counters::words, add("w", by));
        batch.update(&Counters::own, mine, increment(by));
    });
}

void check(const Desk& desk, std::uint64_t sum) {
    const auto state = desk.state();
    CHECK(state.plain.value() == static_cast<std::int64_t>(3 * sum));
    CHECK(state.up.value() == sum);
    CHECK(state.by_key.find("k")->value() == static_cast<std::int64_t>(2 * sum));
    CHECK(state.chosen.find("k")->find(alternative<0>)->value() == sum);
    CHECK(state.words.count("w") == sum);
    CHECK(state.own.find(desk.id().owner())->value() == static_cast<std::int64_t>(sum));
}

}  // namespace

TEST_CASE("counters of a copied disk: what was counted before the copy is counted once, and after it by both") {
    Network<Counters> net;
    const auto b = net.join("b");
    auto disk = std::make_unique<MemoryStore>();
    auto a = net.join("a", {}, *disk);
    net.run_for(3s);
    count(*a, 100);
    net.run_for(3s);
    const MemoryStore copied = disk->copy();
    count(*a, 10);
    net.run_for(3s);
    Options options;
    options.seed = 77;
    const auto twin = net.join("a", options, copied);
    count(*twin, 1);
    count(*twin, 2);
    net.run_for(60s);
    CHECK(a->id() != twin->id());
    for (const Desk* desk : {a.get(), twin.get()}) check(*desk, 113);
    CHECK(a->digest() == b->digest());
    CHECK(twin->digest() == b->digest());
    count(*twin, 1000);  // sums up what was issued again
    net.run_for(3s);
    check(*a, 1113);
    CHECK(a->digest() == twin->digest());
}

TEST_CASE("counters: one who was given up and comes back counts once what nobody had seen") {
    Network<Counters> net;
    MemoryStore disk;
    const auto b = net.join("b"), c = net.join("c");
    auto a = net.join("a", {}, disk);
    net.run_for(3s);
    count(*a, 100);
    net.run_for(3s);
    bool split = true;
    net.wire->cut = [&](const std::string& from, const std::string& to) {
        return split && (from == "a") != (to == "a");
    };
    net.run_for(3s);
    count(*a, 7);
    count(*a, 1);
    net.run_for(3s);
    CHECK_FALSE(b->retire(a->id()));
    net.run_for(10s);
    check(*a, 108);
    split = false;
    net.run_for(90s);
    check(*a, 108);
    CHECK(b->state().plain.value() == 324);
    CHECK(a->digest() == b->digest());
}
