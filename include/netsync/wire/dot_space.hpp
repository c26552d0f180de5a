// netsync: which dots an encoded value may speak of. Dots go out as their number within it and come in checked
// against it, so that no bytes can name a dot outside of their frame or their state's context.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <netsync/causal/dot.hpp>
#include <netsync/clock/ntp64.hpp>
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
    DotSpace(std::vector<DotRange> by_id, Ntp64 time) : ranges_(std::move(by_id)), time_(time) {
        for (std::uint32_t at = 0; at < ranges_.size(); ++at) {
            positions_.emplace_back(ranges_[at].replica, at);
            before_.push_back(dots_);
            dots_ += ranges_[at].size();
        }
        std::sort(positions_.begin(), positions_.end());
    }

    Ntp64 time() const noexcept { return time_; }
    bool is_frame() const noexcept { return single_; }
    std::size_t size() const noexcept { return single_ ? 1 : ranges_.size(); }
    const DotRange& range(std::size_t position) const noexcept { return single_ ? minted_ : ranges_[position]; }

    /// The number of a dot; none if no range holds it. O(log n).
    std::optional<std::uint64_t> number(Dot dot) const noexcept {
        if (single_) {
            if (!minted_.contains(dot)) return std::nullopt;
            return dot.counter() - minted_.first;
        }
        const auto found =
            std::lower_bound(positions_.begin(), positions_.end(), std::pair{dot.replica(), std::uint32_t{0}});
        if (found == positions_.end() || !ranges_[found->second].contains(dot)) return std::nullopt;
        return before_[found->second] + dot.counter() - ranges_[found->second].first;
    }

    bool contains(Dot dot) const noexcept { return number(dot).has_value(); }

    /// The dot of this number, `Dot{}` where there is none. O(log n).
    Dot dot(std::uint64_t number) const noexcept {
        if (single_) return number < minted_.size() ? Dot{minted_.replica, minted_.first + number} : Dot{};
        if (number >= dots_) return Dot{};
        const auto at = std::upper_bound(before_.begin(), before_.end(), number) - before_.begin() - 1;
        const DotRange& range = ranges_[static_cast<std::size_t>(at)];
        return Dot{range.replica, range.first + (number - before_[static_cast<std::size_t>(at)])};
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
    DotRange minted_;
    bool single_ = false;  // a frame, with `minted_` alone
    std::vector<DotRange> ranges_;
    std::vector<std::uint64_t> before_;                              // how many dots the ranges before each hold
    std::uint64_t dots_ = 0;                                         // in all of them
    std::vector<std::pair<ReplicaIndex, std::uint32_t>> positions_;  // by index
    Ntp64 time_;
};

}  // namespace netsync
