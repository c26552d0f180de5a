// netsync: a counter that goes up and down.
#pragma once

#include <cstdint>
#include <netsync/crdt/totals.hpp>

namespace netsync {

/// The sum of what each replica has counted up and down (Shapiro et al. 2011), each replica's totals under its latest
/// dot. Inside a removable parent: a remove takes the totals that it has seen; a replica that counts concurrently keeps
/// its whole total (as in Riak's embedded counters). increment: O(replicas); value: O(replicas). Wraps at 64 bits.
class PnCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] PnCounter increment(Change& change, std::uint64_t by = 1) const { return count(change, {by, 0}); }
    /// A delta that counts down by `by`.
    [[nodiscard]] PnCounter decrement(Change& change, std::uint64_t by = 1) const { return count(change, {0, by}); }

    /// See netsync::inverse: counts back what the change counted.
    [[nodiscard]] PnCounter inverse(Change& change, const PnCounter& before, const PnCounter& delta,
                                    Scope scope) const {
        detail::UpDown back;
        if (const detail::UpDown* counted = delta.totals_.counted()) back = {counted->down, counted->up};
        if (scope == Scope::whole)  // totals were removed; who has counted since without knowing it kept all of its own
            before.totals_.for_each([&](const auto& entry) {
                const ReplicaIndex replica = entry.dot.replica();
                if (replica == change.replica() || !totals_.holds(replica)) back.add(entry.value);
            });
        return back.up == back.down ? PnCounter{} : count(change, back);
    }

    std::int64_t value() const {
        std::uint64_t sum = 0;
        totals_.for_each([&](const auto& entry) { sum += entry.value.up - entry.value.down; });
        return static_cast<std::int64_t>(sum);
    }

    bool merge(const PnCounter& theirs, const Join& join) { return totals_.merge(theirs.totals_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { totals_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
    }

    friend bool operator==(const PnCounter&, const PnCounter&) = default;

   private:
    PnCounter count(Change& change, const detail::UpDown& by) const {
        PnCounter delta;
        delta.totals_ = totals_.count(change, by);
        return delta;
    }

    detail::Totals<detail::UpDown> totals_;
};

}  // namespace netsync
