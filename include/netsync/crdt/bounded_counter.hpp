// netsync: a counter that never falls below a bound, without asking anybody first.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <netsync/crdt/totals.hpp>

namespace netsync {

/// The bounded counter (Balegas et al. 2015): who counts up gets the right to count as much down, and rights are given from
/// owner to owner. A decrement beyond one's own rights is refused: its delta is bottom, so nothing is sent; `rights(owner)`
/// tells beforehand. A right is used only by one who has seen where it came from, so the value stays at or above `Lower`
/// under every causal order of merges, and rights of all owners add up to what is above it.
/// Rights are an owner's: they survive a new incarnation, but two live copies of one disk could each use the same ones.
/// Inside a removable parent: a remove takes the rows that it has seen; where a right that was given in them had been used
/// meanwhile, the value reads as `Lower` until that is counted up again. All O(replicas + transfers between pairs).
template <std::int64_t Lower = 0>
class BoundedCounter {
   public:
    /// A delta that counts up by `by`: as many rights more for the own owner.
    [[nodiscard]] BoundedCounter increment(Change& change, std::uint64_t by = 1) const {
        return count(change, {by, 0, {}});
    }

    /// A delta that counts down by `by`; nothing where the own owner has fewer rights.
    [[nodiscard]] BoundedCounter decrement(Change& change, std::uint64_t by = 1) const {
        return by > rights(change.owner()) ? BoundedCounter{} : count(change, {0, by, {}});
    }

    /// A delta that gives `by` of one's rights to `to`; nothing where there are fewer, or to oneself.
    [[nodiscard]] BoundedCounter transfer(Change& change, OwnerId to, std::uint64_t by = 1) const {
        if (by == 0 || to == change.owner() || by > rights(change.owner())) return {};
        return count(change, {0, 0, {{to, by}}});
    }

    /// How much `owner` may count down or give away.
    std::uint64_t rights(OwnerId owner) const {
        std::uint64_t got = 0, gone = 0;
        rows_.for_each([&](const auto& row) {
            const bool own = id_of(row.dot.replica()).owner() == owner;
            if (own)
                got = detail::saturating_add(got, row.value.up), gone = detail::saturating_add(gone, row.value.down);
            for (const auto& [to, given] : row.value.given) {
                if (to == owner) got = detail::saturating_add(got, given);
                if (own) gone = detail::saturating_add(gone, given);
            }
        });
        return got > gone ? got - gone : 0;
    }

    static constexpr std::int64_t lower() noexcept { return Lower; }

    std::int64_t value() const {
        std::uint64_t up = 0, down = 0;
        rows_.for_each([&](const auto& row) {
            up = detail::saturating_add(up, row.value.up);
            down = detail::saturating_add(down, row.value.down);
        });
        if (down >= up) return Lower;
        constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
        constexpr std::uint64_t room = static_cast<std::uint64_t>(highest) - static_cast<std::uint64_t>(Lower);
        return up - down >= room ? highest : static_cast<std::int64_t>(static_cast<std::uint64_t>(Lower) + (up - down));
    }

    bool merge(const BoundedCounter& theirs, const Join& join) { return rows_.merge(theirs.rows_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        rows_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return rows_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { rows_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        rows_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        rows_.load(in);
    }

    friend bool operator==(const BoundedCounter&, const BoundedCounter&) = default;

   private:
    /// What one replica has done: a row of the paper's matrix, and its use.
    struct Row {
        std::uint64_t up = 0;
        std::uint64_t down = 0;
        std::map<OwnerId, std::uint64_t> given;

        void add(const Row& other) {
            up = detail::saturating_add(up, other.up);
            down = detail::saturating_add(down, other.down);
            for (const auto& [to, by] : other.given) given[to] = detail::saturating_add(given[to], by);
        }
        template <class Archive>
        void save(Archive& out) const {
            out(up, down, given);
        }
        template <class Archive>
        void load(Archive& in) {
            in(up, down, given);
        }
        friend bool operator==(const Row&, const Row&) = default;
    };

    BoundedCounter count(Change& change, const Row& by) const {
        BoundedCounter delta;
        delta.rows_ = rows_.count(change, by);
        return delta;
    }

    detail::Totals<Row> rows_;
};

}  // namespace netsync
