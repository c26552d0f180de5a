// netsync: what a replica has seen, when it has seen everything below each counter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/dot.hpp>
#include <vector>

namespace netsync {

/// For each replica the highest counter seen, with nothing missing below it (Parker et al. 1983). Absent means 0.
/// Look-up O(log n) in the number of replicas; a handful of cache lines for any real pool.
class VersionVector {
   public:
    struct Entry {
        ReplicaIndex replica{};
        std::uint64_t counter = 0;
        friend constexpr bool operator==(const Entry&, const Entry&) = default;
    };

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

    std::uint64_t counter(ReplicaIndex replica) const noexcept {
        const auto at = lower_bound(replica);
        return at != entries_.end() && at->replica == replica ? at->counter : 0;
    }

    bool contains(Dot dot) const noexcept { return dot.counter() <= counter(dot.replica()); }

    /// Raises the counter of `replica` to at least `counter`; true if it rose.
    bool advance(ReplicaIndex replica, std::uint64_t counter) {
        if (counter == 0) return false;
        const auto at = entries_.begin() + (lower_bound(replica) - entries_.cbegin());
        if (at == entries_.end() || at->replica != replica) {
            entries_.insert(at, {replica, counter});
            return true;
        }
        if (at->counter >= counter) return false;
        at->counter = counter;
        return true;
    }

    /// The least upper bound of both; true if this one rose.
    bool merge(const VersionVector& other) {
        bool rose = false;
        for (const Entry& entry : other) rose |= advance(entry.replica, entry.counter);
        return rose;
    }

    /// Whether everything that `other` has seen is seen here: other ≤ this.
    bool includes(const VersionVector& other) const noexcept {
        return std::all_of(other.begin(), other.end(),
                           [&](const Entry& entry) { return counter(entry.replica) >= entry.counter; });
    }

    void erase(ReplicaIndex replica) {
        const auto at = lower_bound(replica);
        if (at != entries_.end() && at->replica == replica) entries_.erase(at);
    }

    /// The entries by replica id: the order of the wire and of anything shown.
    std::vector<Entry> sorted() const {
        std::vector<Entry> result = entries_;
        std::sort(result.begin(), result.end(),
                  [](const Entry& a, const Entry& b) { return id_of(a.replica) < id_of(b.replica); });
        return result;
    }

    friend bool operator==(const VersionVector&, const VersionVector&) = default;

   private:
    std::vector<Entry>::const_iterator lower_bound(ReplicaIndex replica) const noexcept {
        const auto is_before = [](const Entry& entry, ReplicaIndex key) { return entry.replica < key; };
        if (entries_.size() > 8) return std::lower_bound(entries_.begin(), entries_.end(), replica, is_before);
        auto at = entries_.begin();
        while (at != entries_.end() && is_before(*at, replica)) ++at;
        return at;
    }

    std::vector<Entry> entries_;  // by index
};

}  // namespace netsync
