#include <netsync/testing.hpp>

#include <cstdio>

using namespace std::chrono_literals;

struct Cart {
    netsync::OrSet<std::string> items{};
    netsync::PnCounter visits{};
};

// A random change, for the laws: a delta of your type.
Cart shop(const Cart& now, netsync::Change& change, netsync::testing::Random& random) {
    const std::string item(1, static_cast<char>('a' + random.below(4)));
    if (random.below(3) == 0) return {.items = now.items.remove(change, item)};
    if (random.below(3) == 0) return {.visits = now.visits.increment(change)};
    return {.items = now.items.add(change, item)};
}

int main() try {
    if (const auto broken = netsync::testing::check_laws<Cart>(shop)) return std::puts(broken->law.c_str()), 1;

    for (std::uint64_t seed = 1; seed <= 20; ++seed) {  // a pool of five, and everything that can go wrong
        netsync::testing::Simulation<Cart> world{{.seed = seed, .faults = netsync::testing::faults::machines()}};
        world.run(
            [](auto& replica, netsync::testing::Random& random) {
                replica.update([&](const Cart& now, netsync::Change& change) { return shop(now, change, random); });
            },
            60s);
        world.heal(60s);
        world.check();  // throws, with all that it takes to see it again
    }
    std::puts("20 seeds, all equal in the end");
} catch (const netsync::testing::SimulationFailed& failed) {
    return std::puts(failed.what()), 1;
}
