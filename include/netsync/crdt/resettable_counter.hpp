// netsync: a counter that can be set back to zero.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <netsync/crdt/totals.hpp>
#include <utility>

namespace netsync {

/// A counter whose `reset` takes away exactly the counts that its maker had seen; counts made meanwhile stay (observed
/// reset; compare Weidner, Almeida 2022). A reset says how far it goes into the total of each replica, and of concurrent
/// resets the one that goes further counts, so that they take nothing twice. Inside a removable parent: a remove takes the
/// totals that it has seen; a replica that counts concurrently keeps what it knows to be left of its own. Holds a total for
/// each replica that ever counted, reset or not. All O(replicas).
class ResettableCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] ResettableCounter increment(Change& change, std::uint64_t by = 1) const {
        return count(change, {{by, 0}, {}, 0});
    }
    /// A delta that counts down by `by`.
    [[nodiscard]] ResettableCounter decrement(Change& change, std::uint64_t by = 1) const {
        return count(change, {{0, by}, {}, 0});
    }

    /// A delta that takes away all counts that are seen here; nothing where there are none.
    [[nodiscard]] ResettableCounter reset(Change& change) const {
        ResettableCounter delta;
        Gone gone;
        bool news = false;
        totals_.for_each([&](const auto& entry) {
            gone[run_of(entry)] = entry.value.counted;
            news = news || remaining(entry) != detail::UpDown{};
        });
        if (!news) return delta;
        change.remove_all(resets_);
        delta.resets_ = {change.mint(), std::move(gone)};
        return delta;
    }

    std::int64_t value() const {
        std::uint64_t sum = 0;
        totals_.for_each([&](const auto& entry) {
            const detail::UpDown left = remaining(entry);
            sum += left.up - left.down;
        });
        return static_cast<std::int64_t>(sum);
    }

    bool merge(const ResettableCounter& theirs, const Join& join) {
        const bool counted = totals_.merge(theirs.totals_, join);
        return resets_.merge(theirs.resets_, join) || counted;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
        resets_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom() && resets_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { totals_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
        resets_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
        resets_.load(in);
    }

    friend bool operator==(const ResettableCounter&, const ResettableCounter&) = default;

   private:
    /// One run of a replica: from its first count here to the one before its total is removed by a parent.
    struct Run {
        ReplicaId replica;
        std::uint64_t first = 0;
        friend constexpr auto operator<=>(const Run&, const Run&) = default;
    };
    struct Total {
        detail::UpDown counted;
        detail::UpDown gone;      // what its replica knew to be reset
        std::uint64_t first = 0;  // the counter that its run began with

        void add(const Total& other) noexcept {
            counted.add(other.counted);
            gone.add(other.gone);
            if (first == 0) first = other.first;
        }
        void begin(Dot dot) noexcept {
            if (first == 0) first = dot.counter();
        }
        template <class Archive>
        void save(Archive& out) const {
            out(counted, gone, first);
        }
        template <class Archive>
        void load(Archive& in) {
            in(counted, gone, first);
        }
        friend bool operator==(const Total&, const Total&) = default;
    };
    using Gone = std::map<Run, detail::UpDown>;
    using Entry = detail::Totals<Total>::Entry;

    static Run run_of(const Entry& entry) { return {id_of(entry.dot.replica()), entry.value.first}; }

    /// What is reset of a total, by its own account or another's.
    detail::UpDown gone_of(const Entry& entry) const {
        detail::UpDown gone = entry.value.gone;
        resets_.for_each([&](const auto& reset) {
            if (const auto found = reset.value.find(run_of(entry)); found != reset.value.end()) {
                gone.up = std::max(gone.up, found->second.up);
                gone.down = std::max(gone.down, found->second.down);
            }
        });
        return {std::min(gone.up, entry.value.counted.up), std::min(gone.down, entry.value.counted.down)};
    }
    detail::UpDown remaining(const Entry& entry) const {
        const detail::UpDown gone = gone_of(entry);
        return {entry.value.counted.up - gone.up, entry.value.counted.down - gone.down};
    }

    ResettableCounter count(Change& change, const Total& by) const {
        ResettableCounter delta;
        delta.totals_ = totals_.count(change, by, [&](const Entry& entry) {
            Total amended = entry.value;
            amended.gone = gone_of(entry);
            return amended;
        });
        return delta;
    }

    detail::Totals<Total> totals_;
    DotFun<Gone> resets_;
};

}  // namespace netsync
