// A clock of one's own: for a machine without a battery, whose wall clock begins in 1970 when it is switched on.
#include <algorithm>
#include <cassert>
#include <chrono>
#include <netsync/netsync.hpp>
#include <string>

using netsync::Ntp64;
using namespace std::chrono_literals;

/// Time since the machine was switched on, set forward by whatever later time it hears of. It has none of its own to
/// judge others by, so it refuses nothing: for pools that trust each other.
class BorrowedClock {
   public:
    Ntp64 tick() { return last_ = std::max(now(), Ntp64{last_.value + 1}); }
    std::error_code observe(Ntp64 time) {
        if (time > now()) borrowed_ += netsync::difference(time, now());
        last_ = std::max(last_, time);
        return {};
    }
    Ntp64 now() const { return Ntp64::from_duration(std::chrono::steady_clock::now() - switched_on_ + borrowed_); }
    void restore(Ntp64 time) { static_cast<void>(observe(time)); }

   private:
    std::chrono::steady_clock::time_point switched_on_ = std::chrono::steady_clock::now();
    std::chrono::nanoseconds borrowed_{0};
    Ntp64 last_{};
};

static_assert(netsync::clock<BorrowedClock>);

int main() {
    using Reading = netsync::LwwRegister<std::string>;
    using Sensor = netsync::Replica<netsync::MemoryStore, netsync::MemoryTransport, BorrowedClock, Reading>;
    netsync::MemoryHub network;
    netsync::MemoryReplica<Reading> laptop{network};
    laptop.update(netsync::assign("21.5 degrees"));

    Sensor sensor{network};
    sensor.update(netsync::assign("no reading yet"));  // in 1970: it loses
    network.run();
    assert(sensor.state().value() == "21.5 degrees" && laptop.state() == sensor.state());

    sensor.update(netsync::assign("22.0 degrees"));  // with the time that it has heard
    network.run();
    assert(laptop.state().value() == "22.0 degrees");
    const auto skew = std::chrono::system_clock::now().time_since_epoch() - laptop.state().written().time.to_duration();
    assert(skew < 10s);
}
