// netsync: which dots a state or a delta has seen. Merging reads it to tell "not yet seen" from "seen and removed".
#pragma once

#include <algorithm>
#include <netsync/causal/version_vector.hpp>
#include <netsync/detail/few.hpp>
#include <span>
#include <utility>

namespace netsync {

/// A set of dots: a version vector, and beyond it a cloud of contiguous ranges (Almeida, Shoker, Baquero 2018). A
/// state's context is always a plain vector, because delivery is causal; a delta's is a cloud: the dots it minted and
/// those it removed. Look-up O(log n) in replicas and ranges.
class CausalContext {
   public:
    CausalContext() = default;
    explicit CausalContext(VersionVector vector) : vector_(std::move(vector)) {}
    /// The dots of one range: what most changes have.
    explicit CausalContext(const DotRange& range) {
        if (range.first == 1)
            vector_.advance(range.replica, range.last);
        else if (!range.empty())
            cloud_ = detail::Few<DotRange>{range};
    }

    const VersionVector& vector() const noexcept { return vector_; }
    std::span<const DotRange> cloud() const noexcept { return {cloud_.data(), cloud_.size()}; }
    bool empty() const noexcept { return vector_.empty() && cloud_.empty(); }

    bool contains(Dot dot) const noexcept {
        if (vector_.contains(dot)) return true;
        if (cloud_.empty()) return false;
        const auto after = upper_bound(dot);
        return after != cloud_.begin() && std::prev(after)->contains(dot);
    }

    void add(Dot dot) { add(DotRange{dot.replica(), dot.counter(), dot.counter()}); }

    /// Adds a range; ranges that touch become one, and those that touch the vector become part of it.
    void add(DotRange range) {
        if (range.empty()) return;
        if (range.first <= vector_.counter(range.replica) + 1) {
            return advance(range.replica, range.last);
        }
        auto at =
            std::lower_bound(cloud_.begin(), cloud_.end(), range, [](const DotRange& held, const DotRange& added) {
                return held.replica != added.replica ? held.replica < added.replica : held.last + 1 < added.first;
            });
        auto end = at;
        for (; end != cloud_.end() && end->replica == range.replica && end->first <= range.last + 1; ++end) {
            range.first = std::min(range.first, end->first);
            range.last = std::max(range.last, end->last);
        }
        if (at == end) {
            cloud_.insert(static_cast<std::size_t>(at - cloud_.begin()), range);
        } else {
            *at = range;
            cloud_.erase(at + 1, end);
        }
    }

    /// Everything of `replica` up to `counter`.
    void advance(ReplicaIndex replica, std::uint64_t counter) {
        vector_.advance(replica, counter);
        if (!cloud_.empty()) absorb(replica);
    }

    void merge(const CausalContext& other) {
        for (const VersionVector::Entry& entry : other.vector_) add(DotRange{entry.replica, 1, entry.counter});
        for (const DotRange& range : other.cloud_) add(range);
    }

    friend bool operator==(const CausalContext&, const CausalContext&) = default;

   private:
    const DotRange* upper_bound(Dot dot) const noexcept {
        return std::upper_bound(cloud_.begin(), cloud_.end(), dot, [](Dot key, const DotRange& range) {
            return key.replica() != range.replica ? key.replica() < range.replica : key.counter() < range.first;
        });
    }

    void absorb(ReplicaIndex replica) {
        const auto kept = std::remove_if(cloud_.begin(), cloud_.end(), [&](const DotRange& range) {
            if (range.replica != replica || range.first > vector_.counter(replica) + 1) return false;
            vector_.advance(replica, range.last);
            return true;
        });
        cloud_.erase(kept, cloud_.end());
    }

    VersionVector vector_;
    detail::Few<DotRange> cloud_;  // by replica, then first; disjoint, none adjacent
};

}  // namespace netsync
