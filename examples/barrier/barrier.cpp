// barrier POOL NAME COUNT [DISCOVERY_PORT]: a barrier between processes on a LAN, without any server. Each waits until COUNT of them are
// there, and then knows who they are.
//
//     for name in a b c d; do ./barrier home $name 4 & done; wait
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <netsync/lan.hpp>
#include <netsync/pool_exchange.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <unistd.h>

int main(int count, char** words) {
    using namespace netsync;
    using namespace std::chrono_literals;
    if (count < 4) {
        std::fprintf(stderr, "usage: barrier POOL NAME COUNT [DISCOVERY_PORT]\n");
        return 2;
    }
    Options options{.pool = words[1], .name = words[2]};
    const std::size_t all = std::strtoul(words[3], nullptr, 10);
    if (count > 4) options.discovery_port = static_cast<std::uint16_t>(std::strtoul(words[4], nullptr, 10));

    LanReplica<rendezvous::Desks> replica{options};
    rendezvous::PoolExchange exchange{replica};
    std::promise<std::string> met;
    rendezvous::PoolRunner runner{exchange};
    const auto asked = exchange.meet(
        {.event = "barrier",
         .actor = words[2],
         .payload = "process " + std::to_string(::getpid()),
         .mates = all - 1,
         .timeout = 60s},
        [&](std::error_code error, const std::vector<rendezvous::Payload>& payloads) {
            std::string text = error ? error.message() : "";
            for (const auto& [actor, payload] : payloads) text += (text.empty() ? "" : ", ") + actor;
            met.set_value(text);
        },
        rendezvous::PoolRunner::now());
    if (!asked) {
        std::fprintf(stderr, "%s\n", asked.error().message().c_str());
        return 1;
    }
    std::printf("%s: %s\n", words[2], met.get_future().get().c_str());
    std::fflush(stdout);
    // Whoever leaves must not take the news along: the others may hear of it from this one only.
    for (int left = 600; left > 0 && !exchange.is_settled(); --left) std::this_thread::sleep_for(50ms);
    std::this_thread::sleep_for(1s);  // nor the news that it may leave: they would wait for it a while, in vain
}
