// netsync: time as order only, for programs whose machines have no trustworthy wall clock.
#pragma once

#include <algorithm>
#include <netsync/clock/concept.hpp>

namespace netsync {

/// Counts events (Lamport 1978): greater than all that was seen, with no relation to wall time. A stamp cannot be "too
/// far ahead" here, so nothing is ever refused; a peer can therefore exhaust the 64 bits. For trusted pools only.
class LamportClock {
   public:
    Ntp64 tick() {
        ++last_.value;
        return last_;
    }
    std::error_code observe(Ntp64 time) {
        last_ = std::max(last_, time);
        return {};
    }
    Ntp64 now() const { return last_; }
    void restore(Ntp64 time) { last_ = std::max(last_, time); }

   private:
    Ntp64 last_{};
};

static_assert(clock<LamportClock>);

}  // namespace netsync
