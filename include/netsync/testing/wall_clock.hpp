// netsync: the wall clock of a simulated machine: the virtual time, and what a fault makes of it.
#pragma once

#include <algorithm>
#include <chrono>
#include <netsync/clock/hybrid_clock.hpp>
#include <netsync/options.hpp>
#include <optional>

namespace netsync::testing {

/// Shows the virtual time, which it only views, shifted or stopped.
class WallClock {
   public:
    /// The first virtual moment on every undisturbed clock: 2020-09-13.
    static constexpr std::chrono::nanoseconds epoch = std::chrono::seconds{1'600'000'000};

    WallClock(const Duration& now, Duration skew) : now_(&now), skew_(skew), offset_(skew) {}

    Ntp64 read() const noexcept { return Ntp64::from_duration(epoch + (stopped_at_ ? *stopped_at_ : *now_) + offset_); }

    void jump(Duration by) noexcept { offset_ = skew_ + by; }
    void stop() noexcept { stopped_at_ = *now_; }
    /// Runs again, right but for its usual skew, and `ahead`.
    void repair(Duration ahead = {}) noexcept {
        stopped_at_.reset();
        offset_ = skew_ + ahead;
    }

   private:
    const Duration* now_;
    Duration skew_;
    Duration offset_;
    std::optional<Duration> stopped_at_{};
};

/// Reads a machine's wall clock for a HybridClock, whose rules are the library's own.
class SimulatedTime {
   public:
    explicit SimulatedTime(const WallClock& wall) : wall_(&wall) {}
    Ntp64 operator()() const noexcept { return wall_->read(); }

   private:
    const WallClock* wall_;
};

using SimulatedClock = BasicHybridClock<SimulatedTime>;

static_assert(clock<SimulatedClock>);

}  // namespace netsync::testing
