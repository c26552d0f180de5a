// netsync: a hybrid clock whose wall time is set by hand, for tests and simulations.
#pragma once

#include <chrono>
#include <memory>
#include <netsync/clock/hybrid_clock.hpp>

namespace netsync {

/// A wall clock in a variable. Copies share it, so that a test moves the time of many replicas at once, or of one.
class ManualTime {
   public:
    ManualTime() : time_(std::make_shared<Ntp64>(Ntp64::from_duration(std::chrono::seconds{1'600'000'000}))) {}
    explicit ManualTime(Ntp64 start) : time_(std::make_shared<Ntp64>(start)) {}

    Ntp64 operator()() const noexcept { return *time_; }
    void set(Ntp64 time) noexcept { *time_ = time; }
    void advance(std::chrono::nanoseconds by) noexcept {
        const std::uint64_t step = Ntp64::from_duration(by < by.zero() ? -by : by).value;
        time_->value = by < by.zero() ? time_->value - step : time_->value + step;
    }

   private:
    std::shared_ptr<Ntp64> time_;
};

/// The rules of HybridClock over a ManualTime: `ManualClock clock{100ms, time}; time.advance(1s);`. One thread.
using ManualClock = BasicHybridClock<ManualTime>;

static_assert(clock<ManualClock>);

}  // namespace netsync
