// Replicas over real sockets: they find each other by UDP and talk over TCP. Two of them share this process, as two
// programs or two machines would.
#include <cassert>
#include <chrono>
#include <netsync/lan.hpp>
#include <random>
#include <string>
#include <thread>

using netsync::add, netsync::increment;
using namespace std::chrono_literals;

struct Library {
    netsync::OrSet<std::string> tags{};
    netsync::PnCounter plays{};
};

/// Waits until `condition()` holds, for at most ten seconds.
bool comes_true(auto condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(5ms);
    return condition();
}

int main() {
    // {.pool = "home"} is all that it takes; a pool of this run's own keeps other runs out.
    const std::string pool = "example-" + std::to_string(std::random_device{}());

    // Runs from here on, on a thread of its own. The name gives it back its part of what is owned after a restart.
    netsync::LanReplica<Library> laptop{{.pool = pool, .name = "laptop"}};

    // Opens nothing until it is told to. Errors are values: a port in use, no network.
    netsync::LanReplica<Library> desktop{{.pool = pool, .name = "desktop", .manual_start = true}};
    desktop.update(&Library::tags, add("jazz"));
    if (const std::error_code error = desktop.start()) return error.value();

    const netsync::Subscription members = laptop.on_member([](const netsync::PoolEvent& event) {
        assert(!event.refused);  // a peer of another pool or version would be
    });
    laptop.update(&Library::tags, add("1958"));
    const auto equal = [&] { return laptop.digest() == desktop.digest(); };
    assert(comes_true([&] { return laptop.get(&Library::tags).contains("jazz") && equal(); }));
    assert(laptop.report().members.front().name == "desktop");

    // Out of the network and back: both go on meanwhile, and only what is missing travels.
    desktop.stop();
    desktop.update(&Library::plays, increment());
    laptop.update(&Library::plays, increment());
    if (const std::error_code error = desktop.start()) return error.value();
    assert(comes_true([&] { return laptop.get(&Library::plays).value() == 2 && equal(); }));

    // The same with every policy spelled out: replace one by another, or by your own.
    using namespace netsync;
    Replica<MemoryStore, TcpTransport<UdpDiscovery>, HybridClock, Library> phone{{.pool = pool, .name = "phone"}};
    assert(comes_true([&] { return phone.digest() == laptop.digest(); }));
}
