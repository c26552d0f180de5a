// The simulator: what it promises, and a few seeds of every kind. The many run in planted/, seeds/ and soak/.
#include "check_none.hpp"
#include "library.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace netsync;
using namespace netsync::testing;
using namespace simulated;
using namespace std::chrono_literals;

namespace {

using World = Simulation<Library>;

std::optional<Failure> run(const SimulationOptions& options) {
    Librarian workload;
    return simulate<Library>(options, workload);
}

void run_seeds(std::uint64_t first, std::uint64_t last, const Faults& most) {
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        SimulationOptions options = options_of(seed, most);
        options.time = 30s;  // the long runs are those of planted/, seeds/ and soak/
        options.healing = 45s;
        check_none(run(options));
    }
}

std::uint64_t hash_of(std::uint64_t seed, const Faults& most = faults::join(faults::messages(), faults::machines())) {
    SimulationOptions options = options_of(seed, most);
    options.mix = most != faults::all();
    World world{options};
    Librarian workload;
    world.run(workload, 20s);
    world.heal(10s);
    return world.trace().hash();
}

/// Notices the first change that it makes at the third of its replicas or later.
struct Complaining {
    std::uint64_t changes = 0;
    template <class Replica>
    std::optional<std::string> operator()(Replica& replica, Random&) {
        replica.update(&Library::visits, increment());
        if (++changes >= 7) return "seven changes";
        return {};
    }
};

}  // namespace

TEST_CASE("one seed is one run, whatever ran before it, whatever compiled it") {
    const std::uint64_t hash = hash_of(7);
    CHECK(hash_of(8) != hash);
    CHECK(hash_of(7) == hash);
    // A change of the protocol or of the simulator changes it; a compiler, a sanitizer or a machine must not.
    CHECK(hash == 13057890025867070910u);
    CHECK(hash_of(9, faults::all()) == 4919062387327323213u);  // each kind of fault, as often as it may come
}

TEST_CASE("without faults replicas become equal, and quiet") {
    World world{{.seed = 5, .replicas = 4}};
    Librarian workload;
    world.run(workload, 20s);
    world.heal(30s);
    CHECK_NOTHROW(world.check());
    CHECK(world.changes() > 40);
    CHECK(world.now() == 50s);
    for (std::size_t at = 0; at < 4; ++at) CHECK(world.replica(at)->report().state == JoinState::ready);
}

TEST_CASE("messages that are lost, repeated, overtaken, late and damaged") { run_seeds(1, 12, faults::messages()); }

TEST_CASE("links, processes, disks and clocks that fail") { run_seeds(1, 12, faults::machines()); }

TEST_CASE("everything at once") { run_seeds(101, 112, faults::join(faults::messages(), faults::machines())); }

TEST_CASE("members that are given up, present or not, and come back as somebody new") {
    for (std::uint64_t seed = 201; seed <= 208; ++seed) {
        const Faults most = seed % 2 == 0 ? faults::messages() : faults::join(faults::messages(), faults::machines());
        SimulationOptions options = options_of(seed, most);
        options.time = 30s;
        options.healing = 45s;
        Librarian workload;
        workload.retires = true;
        check_none(simulate<Library>(options, workload));
    }
}

TEST_CASE("each kind of fault alone, as often as it may come") {
    const Faults most = faults::join(faults::messages(), faults::machines());
    std::size_t kinds = 0;
    detail::for_each_field([&](const auto&) { ++kinds; }, most);
    CHECK(kinds == fault_names.size());
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        CAPTURE(fault_names[kind]);
        Faults alone;
        std::size_t at = 0;
        detail::for_each_field([&](auto& one, const auto& all) { at++ == kind ? void(one = all) : void(); }, alone,
                               most);
        SimulationOptions options = options_of(kind + 1, alone);
        options.mix = false;
        options.time = 40s;
        check_none(run(options));
    }
}

TEST_CASE("a failure says all that it takes to see it again, and shrinks") {
    const auto complain = [](const SimulationOptions& options) {
        Complaining workload;
        return simulate<Library>(options, workload);
    };
    SimulationOptions options{.seed = 3, .faults = faults::machines(), .time = 40s, .healing = 10s};
    const std::optional<Failure> failure = complain(options);
    REQUIRE(failure);
    CHECK(failure->oracle == "workload");
    CHECK(failure->words == "seven changes");
    CHECK(failure->options.find(".seed = 3") != std::string::npos);
    CHECK(failure->options.find(".mix = false") != std::string::npos);
    CHECK(failure->trace.size() > 10);

    const std::optional<Shrunk> shrunk = shrink(options, complain);
    REQUIRE(shrunk);
    CHECK(shrunk->options.faults == Faults{});
    CHECK(shrunk->options.replicas == 1);
    CHECK(shrunk->options.changes == 7);
    CHECK(shrunk->options.time < 40s);
    CHECK(complain(shrunk->options)->time == shrunk->failure.time);
    CHECK_FALSE(shrink({.faults = faults::none(), .time = 1s, .healing = 1s}, complain));
}

TEST_CASE("a kind of fault comes as before when another one is left out") {
    const Faults all = faults::draw(faults::all(), 11);
    Faults fewer = faults::all();
    fewer.crashes = {};
    fewer.loss = 0;
    Faults drawn = faults::draw(fewer, 11);
    drawn.crashes = all.crashes;
    drawn.loss = all.loss;
    CHECK(drawn == all);
    CHECK(to_string(Faults{.loss = 3, .crashes = 2us}) == "{.loss = 3, .crashes = 2000ns}");
}
