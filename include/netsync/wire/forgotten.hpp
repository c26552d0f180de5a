// netsync: how far somebody had come when what only those need was dropped from a state that have not seen it. Causally
// stable version vectors come in; whether a change or a state was made without them goes out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/version_vector.hpp>
#include <netsync/wire/frame.hpp>
#include <vector>

namespace netsync {

/// The join of all cuts at which tombstones were dropped. A change that was made without having seen them, and whose time
/// may lie before, would meet a tombstone at one replica and none at another. One thread.
class Forgotten {
   public:
    bool empty() const noexcept { return seen_.empty(); }

    void add(const VersionVector& stable) { seen_.merge(stable); }
    void add(const Forgotten& other) { seen_.merge(other.seen_); }

    std::uint64_t counter(ReplicaIndex replica) const noexcept { return seen_.counter(replica); }

    /// As it is kept.
    std::vector<ReplicaCounter> counters() const {
        std::vector<ReplicaCounter> counters;
        for (const VersionVector::Entry& entry : seen_.sorted())
            counters.push_back({id_of(entry.replica), entry.counter});
        return counters;
    }
    static Forgotten of(const std::vector<ReplicaCounter>& counters) {
        Forgotten result;
        for (const ReplicaCounter& known : counters) result.seen_.advance(intern(known.replica), known.counter);
        return result;
    }

    /// Whether somebody who had seen this much, and no more, lacks any of it. `Counters`: of ReplicaCounter, or of Head.
    /// O(replicas forgotten x counters).
    template <class Counters>
    bool is_lacked_by(const Counters& seen) const {
        return std::any_of(seen_.begin(), seen_.end(), [&](const VersionVector::Entry& entry) {
            const ReplicaId& needed = id_of(entry.replica);
            return std::none_of(seen.begin(), seen.end(),
                                [&](const auto& had) { return had.replica == needed && had.counter >= entry.counter; });
        });
    }

   private:
    VersionVector seen_;
};

}  // namespace netsync
