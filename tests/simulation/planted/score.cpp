// The simulator's own score: each planted bug is caught within so many seeds, and nothing is found in as many where no bug
// is. On a store that commits at once, and, where it matters, on one whose commits take time. One process a bug, since a
// bug may end its process.
//
//     score [seeds [words]]      1000; all bugs, or those whose name holds these words
#include "simulate.hpp"

#include <netsync/detail/planted.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum class Stores { at_once, late, both };  // where it is to be caught

struct Bug {
    int number;
    const char* name;
    Stores stores;
};

constexpr Bug bugs[] = {
#include <planted_bugs.inc>
};

struct Verdict {
    std::uint64_t seeds = 0;  // tried, the last of which failed
    bool caught = false;
    std::array<char, 32> oracle{};
};

/// Every other seed makes tombstones, under message faults alone. Every fourth gives members up. Of the rest every other
/// one has its disks copied.
bool makes_tombstones(std::uint64_t seed) { return seed % 2 == 0; }
bool copies_disks(std::uint64_t seed) { return seed % 8 == 3; }

netsync::testing::Faults faults_of(std::uint64_t seed) {
    namespace faults = netsync::testing::faults;
    netsync::testing::Faults copied = faults::messages();
    copied.clones = faults::all().clones;
    if (copies_disks(seed)) return copied;
    return makes_tombstones(seed) ? faults::messages() : faults::join(faults::messages(), faults::machines());
}

std::optional<netsync::testing::Failure> try_seed(std::uint64_t seed, bool late) {
    simulated::Librarian workload;
    workload.removes_labels = makes_tombstones(seed);
    workload.retires = !late && seed % 4 == 1;
    auto options = simulated::options_of(seed, faults_of(seed));
    options.commit = simulated::commit_of(seed);
    return late ? simulated::simulate_late(options, workload) : simulated::simulate_at_once(options, workload);
}

void try_seeds(int bug, std::uint64_t most, bool late, int to) {
    netsync::detail::planted_bug = bug;
    Verdict verdict;
    while (!verdict.caught && verdict.seeds < most) {
        ++verdict.seeds;
        std::strncpy(verdict.oracle.data(), "end of the process", verdict.oracle.size() - 1);
        if (write(to, &verdict, sizeof verdict) != sizeof verdict) return;  // what to believe if this seed ends us
        alarm(20);
        const auto failed = try_seed(verdict.seeds, late);
        if (!failed) continue;
        verdict.caught = true;
        verdict.oracle = {};
        std::strncpy(verdict.oracle.data(), failed->oracle.c_str(), verdict.oracle.size() - 1);
    }
    if (!verdict.caught) verdict.oracle = {};
    static_cast<void>(write(to, &verdict, sizeof verdict));
}

Verdict score(int bug, std::uint64_t most, bool late) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        if (!std::freopen("/dev/null", "w", stderr)) std::_Exit(1);
        try_seeds(bug, most, late, ends[1]);
        std::_Exit(0);
    }
    close(ends[1]);
    Verdict verdict, read_now;
    while (read(ends[0], &read_now, sizeof read_now) == sizeof read_now) verdict = read_now;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) verdict.caught = true;
    return verdict;
}

/// Of those that have ended: what the machine does beside them is not in it.
double processor_seconds_of_children() {
    rusage usage{};
    getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000;
    const char* words = argc > 2 ? argv[2] : "";
    std::uint64_t missed = 0;
    std::printf("%-80s %-22s %s\n", "bug", "caught by", "seeds needed");
    const auto print = [](const std::string& name, const Verdict& verdict, const char* otherwise) {
        std::printf("%-80s %-22s %llu\n", name.c_str(), verdict.caught ? verdict.oracle.data() : otherwise,
                    static_cast<unsigned long long>(verdict.seeds));
        std::fflush(stdout);
    };
    for (const Bug& bug : bugs)
        for (const bool late : {false, true}) {
            if (bug.stores == (late ? Stores::at_once : Stores::late) || !std::strstr(bug.name, words)) continue;
            const Verdict verdict = score(bug.number, most, late);
            print(bug.name + std::string(late ? ", commits late" : ""), verdict, "NOT CAUGHT");
            if (!verdict.caught) ++missed;
        }
    const auto start = std::chrono::steady_clock::now();
    const double before = processor_seconds_of_children();
    const Verdict clean = score(0, most, false);
    const double busy_minutes = (processor_seconds_of_children() - before) / 60;
    const double minutes =
        std::chrono::duration<double, std::ratio<60>>(std::chrono::steady_clock::now() - start).count();
    print("(none)", clean, "nothing");
    double hours = 0;
    for (std::uint64_t seed = 1; seed <= clean.seeds; ++seed) {
        const auto options = simulated::options_of(seed, {});
        hours += static_cast<double>(options.replicas) *
                 std::chrono::duration<double, std::ratio<3600>>(options.time + options.healing).count();
    }
    std::printf(
        "%zu bugs, %llu not caught; without a bug %.0f replica-hours a minute, %.0f a minute of processor time\n",
        std::size(bugs), static_cast<unsigned long long>(missed), hours / minutes, hours / busy_minutes);
    return missed == 0 && !clean.caught ? 0 : 1;
}
