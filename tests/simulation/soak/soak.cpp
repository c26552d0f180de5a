// Seeds of the simulator until the time is over: see tests/soak.
//
//     soak [seeds [minutes [first seed [messages|machines|both|all [labels]]]]]
#include "../library.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace netsync;

namespace {

testing::Faults faults_of(const std::string& name) {
    if (name == "messages") return testing::faults::messages();
    if (name == "machines") return testing::faults::machines();
    if (name == "all") return testing::faults::all();
    return testing::faults::join(testing::faults::messages(), testing::faults::machines());
}

void report(const testing::SimulationOptions& options, bool labels) {
    const auto shrunk = testing::shrink(options, [labels](const testing::SimulationOptions& smaller) {
        simulated::Librarian workload;
        workload.removes_labels = labels;
        return testing::simulate<simulated::Library>(smaller, workload);
    });
    if (shrunk)
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(options.seed),
                    testing::SimulationFailed{shrunk->failure}.what());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int at, std::uint64_t otherwise) {
        return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
    };
    const std::uint64_t seeds = number(1, 1000), first = number(3, 1);
    const auto start = std::chrono::steady_clock::now();
    const auto end = start + std::chrono::minutes{number(2, 60)};
    const testing::Faults faults = faults_of(argc > 4 ? argv[4] : "both");
    const bool labels = argc > 5;
    std::uint64_t run = 0, failures = 0, events = 0, changes = 0;
    double hours = 0;
    for (; run < seeds && std::chrono::steady_clock::now() < end; ++run) {
        const testing::SimulationOptions options = simulated::options_of(first + run, faults);
        simulated::Librarian workload;
        workload.removes_labels = labels;
        testing::Simulation<simulated::Library> world{options};
        world.run(workload, options.time);
        world.heal(options.healing);
        const bool failed = world.settle().has_value();
        events += world.trace().size();
        changes += world.changes();
        hours += static_cast<double>(options.replicas) *
                 std::chrono::duration<double, std::ratio<3600>>(world.now()).count();
        if (!failed) continue;
        ++failures;
        if (failures <= 10) report(options, labels);
    }
    const double minutes =
        std::chrono::duration<double, std::ratio<60>>(std::chrono::steady_clock::now() - start).count();
    std::printf("%llu seeds, %llu failed, %llu changes, %llu events, %.0f replica-hours in %.2f min: %.0f a minute\n",
                static_cast<unsigned long long>(run), static_cast<unsigned long long>(failures),
                static_cast<unsigned long long>(changes), static_cast<unsigned long long>(events), hours, minutes,
                hours / minutes);
    return failures == 0 ? 0 : 1;
}
