// netsync: which dots an encoded value may speak of. Dots go out as their number within it and come in checked
// against it, so that no bytes can name a dot outside of their frame or their state's context.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <netsync/causal/dot.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/detail/lazy.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// Dots are numbered through: those of the first range, then those of the next.
/// For a frame: the range it minted, and its timestamp. For a state: its version vector as ranges from 1, by replica
/// id, and the latest time in it. Values with neither have an empty space. No time beyond `time` can be encoded.
class DotSpace {
   public:
    DotSpace() = default;
    DotSpace(DotRange minted, Ntp64 time) : minted_(minted), single_(true), time_(time) {}
    DotSpace(std::vector<DotRange> by_id, Ntp64 time) : time_(time) {
        Ranges& all = ranges_.make();
        all.by_id = std::move(by_id);
        all.before.reserve(all.by_id.size());
        all.positions.reserve(all.by_id.size());
        for (std::uint32_t at = 0; at < all.by_id.size(); ++at) {
            all.positions.emplace_back(all.by_id[at].replica, at);
            all.before.push_back(all.dots);
            all.dots += all.by_id[at].size();
        }
        std::sort(all.positions.begin(), all.positions.end());
    }

    Ntp64 time() const noexcept { return time_; }
    bool is_frame() const noexcept { return single_; }
    std::size_t size() const noexcept { return single_ ? 1 : ranges_ ? ranges_->by_id.size() : 0; }
    const DotRange& range(std::size_t position) const noexcept { return single_ ? minted_ : ranges_->by_id[position]; }

    /// The number of a dot; none if no range holds it. O(log n).
    std::optional<std::uint64_t> number(Dot dot) const noexcept {
        if (single_) {
            if (!minted_.contains(dot)) return std::nullopt;
            return dot.counter() - minted_.first;
        }
        if (!ranges_) return std::nullopt;
        const auto& [by_id, before, positions, dots] = *ranges_;
        const auto found =
            std::lower_bound(positions.begin(), positions.end(), dot.replica(),
                             [](const auto& position, ReplicaIndex replica) { return position.first < replica; });
        if (found == positions.end() || !by_id[found->second].contains(dot)) return std::nullopt;
        return before[found->second] + dot.counter() - by_id[found->second].first;
    }

    bool contains(Dot dot) const noexcept { return number(dot).has_value(); }

    /// The dot of this number, `Dot{}` where there is none. O(log n).
    Dot dot(std::uint64_t number) const noexcept {
        if (single_) return number < minted_.size() ? Dot{minted_.replica, minted_.first + number} : Dot{};
        if (!ranges_ || number >= ranges_->dots) return Dot{};
        const auto& [by_id, before, positions, dots] = *ranges_;
        const auto at =
            static_cast<std::size_t>(std::upper_bound(before.begin(), before.end(), number) - before.begin() - 1);
        return Dot{by_id[at].replica, by_id[at].first + (number - before[at])};
    }

    /// Where the range of a replica stands. O(log n).
    std::optional<std::size_t> position(const ReplicaId& replica) const noexcept {
        std::size_t at = 0;
        for (std::size_t end = size(); at < end;) {
            const std::size_t middle = at + (end - at) / 2;
            if (id_of(range(middle).replica) < replica)
                at = middle + 1;
            else
                end = middle;
        }
        if (at == size() || id_of(range(at).replica) != replica) return std::nullopt;
        return at;
    }

   private:
    struct Ranges {
        std::vector<DotRange> by_id;
        std::vector<std::uint64_t> before;                              // how many dots the ranges before each hold
        std::vector<std::pair<ReplicaIndex, std::uint32_t>> positions;  // by index
        std::uint64_t dots = 0;                                         // in all of them
    };

    DotRange minted_;
    bool single_ = false;  // a frame, with `minted_` alone
    Ntp64 time_;
    detail::Lazy<Ranges> ranges_;  // of a state
};

}  // namespace netsync
