// netsync: a counter that goes up and down.
#pragma once

#include <cstdint>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>

namespace netsync {

/// The sum of what each replica has counted up and down (Shapiro et al. 2011), each replica's totals under its latest
/// dot. Inside a removable parent: a remove takes the totals that it has seen; a replica that counts concurrently keeps
/// its whole total (as in Riak's embedded counters). increment: O(replicas); value: O(replicas). Wraps at 64 bits.
class PnCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] PnCounter increment(Change& change, std::uint64_t by = 1) const { return count(change, by, 0); }
    /// A delta that counts down by `by`.
    [[nodiscard]] PnCounter decrement(Change& change, std::uint64_t by = 1) const { return count(change, 0, by); }

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
    struct Totals {
        std::uint64_t up = 0;
        std::uint64_t down = 0;

        template <class Archive>
        void save(Archive& out) const {
            out(up, down);
        }
        template <class Archive>
        void load(Archive& in) {
            in(up, down);
        }
        friend bool operator==(const Totals&, const Totals&) = default;
    };

    PnCounter count(Change& change, std::uint64_t up, std::uint64_t down) const {
        Totals totals{up, down};
        totals_.for_each([&](const auto& entry) {
            if (entry.dot.replica() != change.replica()) return;
            totals.up += entry.value.up;
            totals.down += entry.value.down;
            change.remove(entry.dot);
        });
        PnCounter delta;
        delta.totals_ = {change.mint(), totals};
        return delta;
    }

    DotFun<Totals> totals_;
};

}  // namespace netsync
