// netsync: changes that were issued again under another name. The dots of both come in; what was removed under one name
// counts as removed under all, and of two that are here only the later one stays.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/causal_context.hpp>
#include <netsync/causal/replica_id.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// The dots (before, first + n) became (after, at + n), for n < count.
struct Reissue {
    ReplicaId before{};
    ReplicaId after{};
    std::uint64_t first = 0;
    std::uint64_t at = 0;
    std::uint64_t count = 0;

    bool is_valid() const noexcept {
        const auto fits = [this](std::uint64_t from) {
            return from > 0 && from <= max_counter && count > 0 && count <= max_counter - from + 1;
        };
        return before != after && before.owner() == after.owner() && !before.is_nil() && fits(first) && fits(at);
    }
    friend constexpr auto operator<=>(const Reissue&, const Reissue&) = default;
};

/// What was issued again, as the frames that did so say: the same wherever the same frames are. A change that one member
/// had seen before its maker was given up may reach the others after its maker has issued it again: then both are
/// here, and somebody may have removed either. One thread.
class Reissues {
   public:
    bool empty() const noexcept { return all_.empty(); }
    /// Sorted; those that continue each other are one.
    const std::vector<Reissue>& all() const noexcept { return all_; }

    /// O(n).
    void add(const Reissue& added) {
        auto at = std::lower_bound(all_.begin(), all_.end(), added);
        if (at != all_.begin() && unite(*std::prev(at), added)) {
            --at;
        } else if (at == all_.end() || *at != added) {
            at = all_.insert(at, added);
        }
        if (std::next(at) != all_.end() && unite(*at, *std::next(at))) all_.erase(std::next(at));
    }

    /// The next name of a change. O(n).
    std::optional<std::pair<ReplicaId, std::uint64_t>> next(const ReplicaId& replica, std::uint64_t counter) const {
        for (const Reissue& reissue : all_)
            if (reissue.before == replica && counter >= reissue.first && counter - reissue.first < reissue.count)
                return std::pair{reissue.after, reissue.at + (counter - reissue.first)};
        return std::nullopt;
    }

    /// Whether any of these dots has another name. O(n).
    bool concern(const ReplicaId& replica, std::uint64_t first, std::uint64_t last) const {
        const auto meets = [&](const ReplicaId& named, std::uint64_t from, std::uint64_t count) {
            return named == replica && first < from + count && from <= last;
        };
        return std::any_of(all_.begin(), all_.end(), [&](const Reissue& reissue) {
            return meets(reissue.before, reissue.first, reissue.count) ||
                   meets(reissue.after, reissue.at, reissue.count);
        });
    }

    /// Makes `seen`, the context of one side of a merge, speak of all names: an earlier name of what was seen is over, and
    /// where a change was seen and is not `alive(dot)` under its latest name, it was removed. O(dots with two names).
    template <class Alive>
    void widen(CausalContext& seen, Alive&& alive) const {
        const CausalContext said = seen;
        CausalContext renamed, removed;
        for_each([&](Dot before, Dot after) {
            if (!said.contains(after)) return;
            seen.add(before);
            renamed.add(before);
        });
        for_each([&](Dot before, Dot) {
            if (said.contains(before) && !renamed.contains(before) && !alive(before)) removed.add(before);
        });
        for (bool more = !removed.empty(); std::exchange(more, false);)
            for_each([&](Dot before, Dot after) {
                if (removed.contains(before) == removed.contains(after)) return;
                for (const Dot dot : {before, after}) removed.add(dot), seen.add(dot);
                more = true;
            });
    }

   private:
    /// Whether `next` went on where `reissue` ends, or lies in it; then they are one.
    static bool unite(Reissue& reissue, const Reissue& next) {
        if (next.before != reissue.before || next.after != reissue.after || next.first < reissue.first) return false;
        const std::uint64_t offset = next.first - reissue.first;
        if (offset > reissue.count || next.at != reissue.at + offset) return false;
        reissue.count = std::max(reissue.count, offset + next.count);
        return true;
    }

    template <class F>
    void for_each(F&& f) const {
        for (const Reissue& reissue : all_) {
            const ReplicaIndex before = intern(reissue.before), after = intern(reissue.after);
            for (std::uint64_t n = 0; n < reissue.count; ++n)
                f(Dot{before, reissue.first + n}, Dot{after, reissue.at + n});
        }
    }

    std::vector<Reissue> all_;
};

}  // namespace netsync
