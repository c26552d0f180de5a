// The simulator's own score: each planted bug is caught within so many seeds, and nothing is found in as many where no bug
// is. One process a bug, since a bug may end its process.
//
//     score [seeds]      1000
#include "../library.hpp"

#include <netsync/detail/planted.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Bug {
    int number;
    const char* name;
};

constexpr Bug bugs[] = {
#include <planted_bugs.inc>
};

struct Verdict {
    std::uint64_t seeds = 0;  // tried, the last of which failed
    bool caught = false;
    std::array<char, 32> oracle{};
};

/// Every other seed makes tombstones, under message faults alone. Every fourth gives members up.
bool makes_tombstones(std::uint64_t seed) { return seed % 2 == 0; }

netsync::testing::Faults faults_of(std::uint64_t seed) {
    namespace faults = netsync::testing::faults;
    return makes_tombstones(seed) ? faults::messages() : faults::join(faults::messages(), faults::machines());
}

void try_seeds(int bug, std::uint64_t most, int to) {
    netsync::detail::planted_bug = bug;
    Verdict verdict;
    while (!verdict.caught && verdict.seeds < most) {
        ++verdict.seeds;
        std::strncpy(verdict.oracle.data(), "end of the process", verdict.oracle.size() - 1);
        if (write(to, &verdict, sizeof verdict) != sizeof verdict) return;  // what to believe if this seed ends us
        simulated::Librarian workload;
        workload.removes_labels = makes_tombstones(verdict.seeds);
        workload.retires = verdict.seeds % 4 == 1;
        alarm(20);
        const auto failed = netsync::testing::simulate<simulated::Library>(
            simulated::options_of(verdict.seeds, faults_of(verdict.seeds)), workload);
        if (!failed) continue;
        verdict.caught = true;
        verdict.oracle = {};
        std::strncpy(verdict.oracle.data(), failed->oracle.c_str(), verdict.oracle.size() - 1);
    }
    if (!verdict.caught) verdict.oracle = {};
    static_cast<void>(write(to, &verdict, sizeof verdict));
}

Verdict score(int bug, std::uint64_t most) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        if (!std::freopen("/dev/null", "w", stderr)) std::_Exit(1);
        try_seeds(bug, most, ends[1]);
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

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000;
    std::uint64_t missed = 0;
    std::printf("%-80s %-22s %s\n", "bug", "caught by", "seeds needed");
    for (const Bug& bug : bugs) {
        const Verdict verdict = score(bug.number, most);
        std::printf("%-80s %-22s %llu\n", bug.name, verdict.caught ? verdict.oracle.data() : "NOT CAUGHT",
                    static_cast<unsigned long long>(verdict.seeds));
        std::fflush(stdout);
        if (!verdict.caught) ++missed;
    }
    const auto start = std::chrono::steady_clock::now();
    const Verdict clean = score(0, most);
    const double minutes =
        std::chrono::duration<double, std::ratio<60>>(std::chrono::steady_clock::now() - start).count();
    std::printf("%-80s %-22s %llu\n", "(none)", clean.caught ? clean.oracle.data() : "nothing",
                static_cast<unsigned long long>(clean.seeds));
    double hours = 0;
    for (std::uint64_t seed = 1; seed <= clean.seeds; ++seed) {
        const auto options = simulated::options_of(seed, {});
        hours += static_cast<double>(options.replicas) *
                 std::chrono::duration<double, std::ratio<3600>>(options.time + options.healing).count();
    }
    std::printf("%zu bugs, %llu not caught; without a bug %.0f replica-hours a minute\n", std::size(bugs),
                static_cast<unsigned long long>(missed), hours / minutes);
    return missed == 0 && !clean.caught ? 0 : 1;
}
