// late [seeds [first seed]]: the simulator's seeds on a store whose commits take time. Says what went wrong with which
// seed, and exits 1 then.
#include "../library.hpp"

#include <cstdio>
#include <cstdlib>

using namespace netsync;

namespace {

testing::SimulationOptions options_of(std::uint64_t seed) {
    testing::SimulationOptions options =
        simulated::options_of(seed, testing::faults::join(testing::faults::messages(), testing::faults::machines()));
    options.commit = simulated::commit_of(seed);
    return options;
}

std::uint64_t failed(const testing::SimulationOptions& options) {
    simulated::Librarian workload;
    workload.removes_labels = options.seed % 2 == 0;
    const auto failure = testing::simulate<simulated::Library, testing::LateStore>(options, workload);
    if (failure) std::printf("%s\n", testing::SimulationFailed{*failure}.what());
    return failure ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int at, std::uint64_t otherwise) {
        return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
    };
    const std::uint64_t seeds = number(1, 500), first = number(2, 1);
    std::uint64_t wrong = 0;
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) wrong += failed(options_of(seed));
    std::printf("%llu seeds, %llu wrong\n", static_cast<unsigned long long>(seeds),
                static_cast<unsigned long long>(wrong));
    return wrong == 0 ? 0 : 1;
}
