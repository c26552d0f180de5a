// Seeds of the simulator until the time is over: see tests/soak.
//
//     soak [seeds [minutes [first seed [faults [words...]]]]]
//
// faults: messages, machines, both, all; or messages, and once a minute a disk is: copied, wiped, restored
// words: labels (removes leave tombstones), retires (members are given up at random, present or not),
//        end (equal version vectors, equal states: in the end, not at every moment)
#include "../library.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace netsync;

namespace {

testing::Faults faults_of(const std::string& name) {
    const testing::Faults all = testing::faults::all();
    testing::Faults faults = testing::faults::messages();
    if (name == "messages") return faults;
    if (name == "machines") return testing::faults::machines();
    if (name == "all") return all;
    if (name == "copied") return faults.clones = all.clones, faults;
    if (name == "wiped") return faults.wiped_disks = all.wiped_disks, faults;
    if (name == "restored") return faults.restored_backups = all.restored_backups, faults;
    return testing::faults::join(faults, testing::faults::machines());
}

/// What is the same for all seeds of a run.
struct Soak {
    testing::Faults faults;
    bool labels, retires, at_every_moment;

    testing::SimulationOptions options(std::uint64_t seed) const {
        testing::SimulationOptions options = simulated::options_of(seed, faults);
        options.at_every_moment = at_every_moment;
        return options;
    }
    simulated::Librarian workload() const {
        simulated::Librarian workload;
        workload.removes_labels = labels;
        workload.retires = retires;
        workload.at_every_moment = at_every_moment;
        return workload;
    }
};

void report(const Soak& soak, const testing::SimulationOptions& options) {
    const auto shrunk = testing::shrink(options, [&](const testing::SimulationOptions& smaller) {
        simulated::Librarian workload = soak.workload();
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
    const std::string faults = argc > 4 ? argv[4] : "both";
    const std::vector<std::string> words(argv + std::min(argc, 5), argv + argc);
    const auto said = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    const Soak soak{.faults = faults_of(faults),
                    .labels = said("labels"),
                    .retires = said("retires"),
                    .at_every_moment = !said("end")};
    std::uint64_t run = 0, failures = 0, events = 0, changes = 0;
    double hours = 0;
    for (; run < seeds && std::chrono::steady_clock::now() < end; ++run) {
        const testing::SimulationOptions options = soak.options(first + run);
        simulated::Librarian workload = soak.workload();
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
        if (failures <= 10) report(soak, options);
    }
    const double minutes =
        std::chrono::duration<double, std::ratio<60>>(std::chrono::steady_clock::now() - start).count();
    std::printf("%llu seeds, %llu failed, %llu changes, %llu events, %.0f replica-hours in %.2f min: %.0f a minute\n",
                static_cast<unsigned long long>(run), static_cast<unsigned long long>(failures),
                static_cast<unsigned long long>(changes), static_cast<unsigned long long>(events), hours, minutes,
                hours / minutes);
    return failures == 0 ? 0 : 1;
}
