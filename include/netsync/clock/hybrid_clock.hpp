// netsync: the default clock: wall time where it moves forward, a logical counter where it does not.
#pragma once

#include <algorithm>
#include <chrono>
#include <netsync/clock/concept.hpp>
#include <netsync/error.hpp>
#include <utility>

namespace netsync {

/// The machine's wall clock: the one place where the library reads it.
struct SystemTime {
    Ntp64 operator()() const noexcept {
        return Ntp64::from_duration(std::chrono::system_clock::now().time_since_epoch());
    }
};

/// A hybrid logical clock (Kulkarni et al. 2014) by the rules of uhlc: NTP64 with the counter in the low 4 bits, carry
/// allowed. Never goes back; refuses, for now, stamps more than `max_drift` ahead, so that one bad clock poisons no
/// one. `Source` is a callable that gives the physical time.
template <class Source = SystemTime>
class BasicHybridClock {
   public:
    static constexpr std::chrono::nanoseconds default_max_drift = std::chrono::milliseconds{100};

    explicit BasicHybridClock(std::chrono::nanoseconds max_drift = default_max_drift, Source source = {})
        : max_drift_(Ntp64::from_duration(max_drift).value), source_(std::move(source)) {}

    Ntp64 tick() {
        const Ntp64 physical = now();
        if (physical.value > (last_.value & ~Ntp64::counter_mask))
            last_ = physical;
        else
            ++last_.value;
        return last_;
    }

    std::error_code observe(Ntp64 time) {
        const Ntp64 physical = now();
        if (time > physical && time.value - physical.value > max_drift_) return errc::clock_drift;
        const Ntp64 latest = std::max({physical, time, last_});
        if (latest == physical)
            last_ = physical;
        else
            last_ = Ntp64{latest.value + 1};
        return {};
    }

    Ntp64 now() const { return Ntp64{source_().value & ~Ntp64::counter_mask}; }
    void restore(Ntp64 time) { last_ = std::max(last_, time); }

   private:
    std::uint64_t max_drift_;
    Source source_;
    Ntp64 last_{};
};

using HybridClock = BasicHybridClock<>;

static_assert(clock<HybridClock>);

}  // namespace netsync
