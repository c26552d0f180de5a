// netsync: what the counters are made of: the total of each replica, under its latest dot.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/detail/lazy.hpp>
#include <utility>
#include <vector>

namespace netsync::detail {

constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept {
    return a > std::numeric_limits<std::uint64_t>::max() - b ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

/// Counted up and counted down. Wraps at 64 bits.
struct UpDown {
    std::uint64_t up = 0;
    std::uint64_t down = 0;

    void add(const UpDown& other) noexcept { up += other.up, down += other.down; }
    template <class Archive>
    void save(Archive& out) const {
        out(up, down);
    }
    template <class Archive>
    void load(Archive& in) {
        in(up, down);
    }
    friend bool operator==(const UpDown&, const UpDown&) = default;
};

/// Each replica's total lies under its latest dot and takes the place of those before it. A delta says beside the total
/// what the change itself counted, and which totals it sums up: where it is issued again by another incarnation
/// (sync/local_copy.hpp) it counts that alone, and the totals before it stay.
/// `Amount` has `add(const Amount&)`, and where it wants to know its first dot, `begin(Dot)`.
template <class Amount>
class Totals {
   public:
    using Entry = typename DotFun<Amount>::Entry;

    /// A delta that adds `by` to what this replica has counted; `amend(entry)` gives what an entry counts as. O(replicas).
    template <class Amend>
    [[nodiscard]] Totals count(Change& change, const Amount& by, Amend&& amend) const {
        Totals delta;
        Counted& counted = delta.counted_.make();
        Amount total = counted.by = by;
        totals_.for_each([&](const Entry& entry) {
            if (entry.dot.replica() != change.replica()) return;
            total.add(amend(entry));
            counted.sums_up.push_back(entry.dot.counter());
            change.remove(entry.dot);
        });
        std::sort(counted.sums_up.begin(), counted.sums_up.end());
        const Dot dot = change.mint();
        begin(total, dot);
        delta.totals_ = {dot, std::move(total)};
        return delta;
    }
    [[nodiscard]] Totals count(Change& change, const Amount& by) const {
        return count(change, by, [](const Entry& entry) -> const Amount& { return entry.value; });
    }

    template <class F>
    void for_each(F&& f) const {
        totals_.for_each(f);
    }

    bool holds(ReplicaIndex replica) const {
        return totals_.find_if([&](const Entry& entry) { return entry.dot.replica() == replica; }) != nullptr;
    }

    /// For a delta: what the change itself counted; null where it counted nothing.
    const Amount* counted() const noexcept { return counted_ ? &counted_->by : nullptr; }

    bool merge(const Totals& theirs, const Join& join) {
        const std::uint64_t before = join.target == Target::delta && counted_ ? counter() : 0;
        const bool changed = totals_.merge(theirs.totals_, join);
        if (join.target == Target::delta) group(theirs, before);
        return changed;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom(); }

    /// See netsync::reissue.
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        if (!counted_) return;
        for (const std::uint64_t counter : counted_->sums_up) keep(counter);
        counted_->sums_up.clear();
        Dot dot;
        totals_.for_each_dot([&](Dot minted) { dot = minted; });
        Amount again = counted_->by;
        begin(again, dot);
        totals_ = {dot, std::move(again)};
    }

    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
        out(static_cast<bool>(counted_));
        if (counted_) out(counted_->by, counted_->sums_up);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
        bool counted = false;
        in(counted);
        if (!counted) return;
        if (totals_.size() != 1) return in.fail(errc::malformed);
        Counted& change = counted_.make();
        in(change.by, change.sums_up);
    }

    friend bool operator==(const Totals& a, const Totals& b) { return a.totals_ == b.totals_; }

   private:
    struct Counted {
        Amount by{};
        std::vector<std::uint64_t> sums_up{};  // counters of the same replica
    };

    static void begin(Amount& amount, Dot dot) {
        if constexpr (requires { amount.begin(dot); }) amount.begin(dot);
    }

    std::uint64_t counter() const {
        std::uint64_t latest = 0;
        totals_.for_each_dot([&](Dot dot) { latest = dot.counter(); });
        return latest;
    }

    /// Two changes become one: what the later sums up of the earlier is the group's own.
    void group(const Totals& theirs, std::uint64_t before) {
        if (totals_.is_bottom()) return counted_.reset();
        if (!theirs.counted_) return;
        Counted later = *theirs.counted_;
        if (counted_ && std::erase(later.sums_up, before) > 0) {
            later.by.add(counted_->by);
            later.sums_up.insert(later.sums_up.end(), counted_->sums_up.begin(), counted_->sums_up.end());
            std::sort(later.sums_up.begin(), later.sums_up.end());
        }
        counted_.make() = std::move(later);
    }

    DotFun<Amount> totals_;
    Lazy<Counted> counted_;  // in deltas only
};

}  // namespace netsync::detail
