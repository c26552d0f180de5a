// Rendezvous without a server: who meets is told once, by everybody the same, whatever the pool goes through.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <netsync/netsync.hpp>
#include <netsync/pool_exchange.hpp>
#include <netsync/testing.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace netsync;
using namespace netsync::rendezvous;

namespace {

/// What the clients of all replicas were told. Payloads are the numbers of their requests.
class Told {
   public:
    std::string wrong;
    std::size_t groups = 0, met = 0, timed_out = 0, undecided = 0, asked = 0, open = 0;

    std::string ask() { return std::to_string(++asked); }

    void answer(const std::string& request, std::error_code error, const std::vector<Payload>& payloads) {
        if (!answered_.insert(request).second) wrong = "request " + request + " was answered twice";
        if (error == rendezvous::errc::undecided) return void(++undecided);
        if (error) {
            ++timed_out;
            alone_.insert(request);
            if (group_of_.contains(request)) wrong = "request " + request + " met others and was told that it did not";
            return;
        }
        std::set<std::string> group;
        for (const Payload& payload : payloads) group.insert(payload.payload);
        if (!group.contains(request)) wrong = "request " + request + " was given a group without it";
        ++met;
        for (const std::string& member : group) {
            const auto [at, is_new] = group_of_.try_emplace(member, group);
            if (at->second != group) wrong = "request " + member + " is in two groups";
            if (alone_.contains(member)) wrong = "request " + member + " was told that it met nobody";
            groups += is_new && member == *group.begin();
        }
    }

   private:
    std::set<std::string> answered_, alone_;
    std::map<std::string, std::set<std::string>> group_of_;
};

using World = testing::Simulation<Desks>;
using Replica = World::SimulatedReplica;

/// Programs that meet, one beside each replica; a crash takes them away with it.
class Programs {
   public:
    Programs(World& world, Told& told, std::size_t events) : world_(world), told_(told), events_(events) {}

    std::optional<std::string> operator()(Replica& replica, testing::Random& random) {
        Program& program = of(replica);
        if (asks && random.below(4) == 0) ask(*program.exchange, random);
        program.exchange->step(world_.now());
        if (!told_.wrong.empty()) return told_.wrong;
        return std::nullopt;
    }

    void step_all(std::size_t replicas) {
        for (std::size_t at = 0; at < replicas; ++at)
            if (Replica* replica = world_.replica(at)) of(*replica).exchange->step(world_.now());
    }
    std::size_t open(std::size_t replicas) {
        std::size_t count = 0;
        for (std::size_t at = 0; at < replicas; ++at)
            if (Replica* replica = world_.replica(at)) count += of(*replica).exchange->size();
        return count;
    }

    bool asks = true;

   private:
    struct Program {
        std::weak_ptr<int> alive;  // as long as its replica is
        Subscription subscription;
        std::unique_ptr<PoolExchange<Replica>> exchange;
    };

    Program& of(Replica& replica) {
        Program& program = programs_[&replica];
        if (program.alive.expired()) {
            const auto sentinel = std::make_shared<int>();
            program.alive = sentinel;
            program.subscription = replica.on_change([sentinel] {});
            program.exchange = std::make_unique<PoolExchange<Replica>>(replica, PoolExchangeOptions{.seed = ++seed_});
        }
        return program;
    }

    void ask(PoolExchange<Replica>& exchange, testing::Random& random) {
        const std::string number = told_.ask();
        Request request{.event = std::string(1, static_cast<char>('a' + random.below(events_))),
                        .actor = std::string(1, static_cast<char>('A' + random.below(6))),
                        .payload = number,
                        .mates = 1 + random.below(2)};
        if (random.below(2) == 0) request.timeout = std::chrono::seconds{1 + random.below(20)};
        if (random.below(4) == 0) request.selector = *Selector::parse("actor!=A");
        static_cast<void>(exchange.meet(
            request,
            [this, number](std::error_code error, const std::vector<Payload>& payloads) {
                told_.answer(number, error, payloads);
            },
            world_.now()));
    }

    World& world_;
    Told& told_;
    std::size_t events_;
    std::uint64_t seed_ = 0;
    std::map<Replica*, Program> programs_;
};

Told run(std::uint64_t seed, const testing::Faults& faults, Duration time = 60s) {
    CAPTURE(seed);
    constexpr std::size_t replicas = 4;
    World world{{.seed = seed, .replicas = replicas, .faults = faults, .pace = 150ms}};
    Told told;
    Programs programs{world, told, 2};
    world.run(programs, time);
    for (int round = 0; round < 300 && !world.failure(); ++round) {  // all is well again: what can be decided is
        programs.step_all(replicas);
        world.heal(100ms);
    }
    // The steps in between are changes, where a pool that heals is expected to be quiet.
    if (const auto failure = world.failure(); failure && failure->oracle != "ends")
        FAIL_CHECK(std::string(testing::SimulationFailed{*failure}.what()));
    CHECK_MESSAGE(told.wrong.empty(), told.wrong);
    told.open = programs.open(replicas);
    return told;
}

template <class Exchange>
void run_all(MemoryHub& hub, Duration& now, Duration time, std::initializer_list<Exchange*> exchanges) {
    for (const Duration end = now + time; now < end; now += 20ms) {
        for (Exchange* exchange : exchanges) exchange->step(now);
        hub.run();
    }
}

}  // namespace

TEST_CASE("pool: a barrier of four replicas") {
    MemoryHub hub;
    using Member = MemoryReplica<Desks>;
    Member a{hub, {.name = "a", .seed = 1}}, b{hub, {.name = "b", .seed = 2}}, c{hub, {.name = "c", .seed = 3}},
        d{hub, {.name = "d", .seed = 4}};
    PoolExchange<Member> at_a{a}, at_b{b}, at_c{c}, at_d{d};
    Duration now = 1s;
    hub.run();
    std::vector<std::vector<Payload>> told;
    for (auto* exchange : {&at_a, &at_b, &at_c, &at_d}) {
        const std::string name = std::to_string(told.size());
        run_all(hub, now, 100ms, {&at_a, &at_b, &at_c, &at_d});
        CHECK(told.empty());
        const std::string actor = exchange == &at_a ? "a" : exchange == &at_b ? "b" : exchange == &at_c ? "c" : "d";
        REQUIRE(exchange->meet(
            {.event = "barrier", .actor = actor, .payload = actor + "!", .mates = 3},
            [&](std::error_code error, const std::vector<Payload>& payloads) {
                CHECK(!error);
                told.push_back(payloads);
            },
            now));
    }
    run_all(hub, now, 500ms, {&at_a, &at_b, &at_c, &at_d});
    const std::vector<Payload> all{{"a", "a!"}, {"b", "b!"}, {"c", "c!"}, {"d", "d!"}};
    CHECK(told == std::vector<std::vector<Payload>>{all, all, all, all});
    for (Member* member : {&a, &b, &c, &d})
        member->state().for_each([](OwnerId, const Desk& desk) {
            CHECK((desk.requests.empty() && desk.grants.empty() && desk.proposals.empty()));
        });
}

TEST_CASE("pool: timeouts, cancellation, refusals, and who asks for nobody") {
    struct Data {
        OrSet<std::string> other{};
        Desks desks{};
    };
    MemoryHub hub;
    using Member = MemoryReplica<Data>;
    Member a{hub, {.name = "a", .seed = 1}};
    PoolExchange exchange{a, PoolExchangeOptions{}, &Data::desks};
    Duration now = 1s;
    std::map<std::string, std::pair<std::error_code, std::size_t>> told;
    const auto meet = [&](Request request) {
        const std::string actor = request.actor;
        return exchange.meet(
            std::move(request),
            [&told, actor](std::error_code error, const std::vector<Payload>& payloads) {
                told.emplace(actor, std::pair{error, payloads.size()});
            },
            now);
    };
    CHECK(meet({.event = "", .actor = "a"}).error() == rendezvous::errc::empty_event);
    CHECK(meet({.event = "\xff", .actor = "a"}).error() == netsync::errc::not_utf8);
    REQUIRE(meet({.event = "late", .actor = "late", .timeout = 1s}));
    const auto cancelled = meet({.event = "cancelled", .actor = "cancelled"});
    REQUIRE(cancelled);
    REQUIRE(meet({.event = "e", .actor = "alone", .mates = 0}));
    REQUIRE(meet({.event = "e", .actor = "first"}));
    REQUIRE(meet({.event = "e", .actor = "second"}));
    REQUIRE(meet({.event = "f", .actor = "waits"}));
    exchange.depart(*cancelled);
    run_all(hub, now, 2s, {&exchange});
    CHECK(told["late"].first == rendezvous::errc::timed_out);
    CHECK(told["cancelled"].first == std::errc::operation_canceled);
    CHECK(told["alone"] == std::pair{std::error_code{}, std::size_t{1}});
    CHECK(told["first"] == std::pair{std::error_code{}, std::size_t{2}});
    CHECK(told["second"] == std::pair{std::error_code{}, std::size_t{2}});
    CHECK_FALSE(told.contains("waits"));
    CHECK(exchange.size() == 1);
}

TEST_CASE("pool: who does not answer is left out after a while") {
    MemoryHub hub;
    using Member = MemoryReplica<Desks>;
    Member a{hub, {.name = "a", .seed = 1}}, b{hub, {.name = "b", .seed = 2}}, c{hub, {.name = "c", .seed = 3}};
    hub.run();
    Duration now = 1s;
    std::map<std::string, std::size_t> told;
    const auto meet = [&](PoolExchange<Member>& exchange, const std::string& actor) {
        REQUIRE(exchange.meet(
            {.event = "e", .actor = actor},
            [&told, actor](std::error_code, const std::vector<Payload>& payloads) { told[actor] = payloads.size(); },
            now));
        hub.run();
    };
    PoolExchange<Member> gone{a}, at_b{b}, at_c{c};
    meet(gone, "oldest");  // and never steps again
    meet(at_b, "b");
    run_all(hub, now, 1s, {&at_b, &at_c});
    CHECK(told.empty());
    meet(at_c, "c");
    run_all(hub, now, 10s, {&at_b, &at_c});
    CHECK(told == std::map<std::string, std::size_t>{{"b", 2}, {"c", 2}});
}

TEST_CASE("pool: nobody is in two groups, with messages lost, late, repeated and damaged") {
    std::size_t met = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) met += run(seed, testing::faults::messages(), 30s).met;
    CHECK(met > 50);
}

TEST_CASE("pool: nobody is in two groups, with partitions, crashes, full disks, pauses and clocks that jump") {
    std::size_t met = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
        met += run(seed, testing::faults::join(testing::faults::messages(), testing::faults::machines()), 30s).met;
    CHECK(met > 20);
}
