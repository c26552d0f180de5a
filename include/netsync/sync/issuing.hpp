// netsync: a replica's own frames, one after the other (stage 3). What a change consists of comes in; a frame goes out that
// says what its maker had seen since its last one.
#pragma once

#include <cstdint>
#include <netsync/causal/version_vector.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/history.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// What a frame says beside who made it, and what it depends on.
struct Issue {
    std::uint64_t count = 1;
    Ntp64 time{};
    std::vector<CounterRange> removed{};
    std::vector<ReplicaCounter> instead_of{};
};

/// Knows what the last frame depended on, so that the next one says only what has come since. One thread.
class Issuing {
   public:
    /// Somebody else's change or state was merged.
    void vector_rose() noexcept { rose_ = true; }

    /// Another incarnation: its first frame says all that it has seen.
    void restart() {
        told_ = {};
        rose_ = true;
    }

    Frame make(const History& history, ReplicaIndex self, Issue issue, ByteView delta) {
        return Frame::make(FrameHeader{.origin = id_of(self),
                                       .first = history.counter(self) + 1,
                                       .count = issue.count,
                                       .time = issue.time,
                                       .dependencies = take_dependencies(history, self),
                                       .removed = std::move(issue.removed),
                                       .instead_of = std::move(issue.instead_of)},
                           delta, history.hash(self));
    }

   private:
    /// The version vector of this frame, where it rose since the last one.
    std::vector<ReplicaCounter> take_dependencies(const History& history, ReplicaIndex self) {
        std::vector<ReplicaCounter> risen;
        if (!std::exchange(rose_, false)) return risen;
        for (const VersionVector::Entry& entry : history.vector().sorted())
            if (entry.replica != self && told_.advance(entry.replica, entry.counter))
                risen.push_back({id_of(entry.replica), entry.counter});
        return risen;
    }

    VersionVector told_;
    bool rose_ = false;
};

}  // namespace netsync
