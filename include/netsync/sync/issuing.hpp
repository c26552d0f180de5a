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

    /// `said`: what the frame says beside who made it after what, and what it depends on. `before`: where the history of
    /// `self`, who makes it, stands.
    Frame make(const History& history, ReplicaIndex self, const Head& before, FrameHeader&& said, ByteView delta) {
        said.origin = before.replica;
        said.first = before.counter + 1;
        if (std::exchange(rose_, false)) said.dependencies = take_dependencies(history, self);
        return Frame::make(std::move(said), delta, before.hash);
    }

   private:
    /// The version vector, where it rose since the last frame.
    std::vector<ReplicaCounter> take_dependencies(const History& history, ReplicaIndex self) {
        std::vector<ReplicaCounter> risen;
        for (const VersionVector::Entry& entry : history.vector().sorted())
            if (entry.replica != self && told_.advance(entry.replica, entry.counter))
                risen.push_back({id_of(entry.replica), entry.counter});
        return risen;
    }

    VersionVector told_;
    bool rose_ = false;
};

}  // namespace netsync
