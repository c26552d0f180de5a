// netsync: which dots an encoded value may speak of. Dots go out as (position, offset) within it and come in checked
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

/// For a frame: the range it minted, and its timestamp. For a state: its version vector as ranges from 1, by replica
/// id, and the latest time in it. Values with neither have an empty space. No time beyond `time` can be encoded.
class DotSpace {
   public:
    DotSpace() = default;
    DotSpace(DotRange minted, Ntp64 time) : minted_(minted), single_(true), time_(time) {}
    DotSpace(std::vector<DotRange> by_id, Ntp64 time) : ranges_(std::move(by_id)), time_(time) {
        for (std::uint32_t at = 0; at < ranges_.size(); ++at) positions_.emplace_back(ranges_[at].replica, at);
        std::sort(positions_.begin(), positions_.end());
    }

    Ntp64 time() const noexcept { return time_; }
    bool is_change() const noexcept { return single_; }
    std::size_t size() const noexcept { return single_ ? 1 : ranges_.size(); }
    const DotRange& range(std::size_t position) const noexcept { return single_ ? minted_ : ranges_[position]; }

    /// Where the range that holds `dot` stands; none if no range does. O(log n).
    std::optional<std::size_t> position(Dot dot) const noexcept {
        std::size_t at = 0;
        if (!single_) {
            const auto found =
                std::lower_bound(positions_.begin(), positions_.end(), std::pair{dot.replica(), std::uint32_t{0}});
            if (found == positions_.end()) return std::nullopt;
            at = found->second;
        }
        if (!range(at).contains(dot)) return std::nullopt;
        return at;
    }

   private:
    DotRange minted_;
    bool single_ = false;  // a frame, with `minted_` alone
    std::vector<DotRange> ranges_;
    std::vector<std::pair<ReplicaIndex, std::uint32_t>> positions_;  // by index
    Ntp64 time_;
};

}  // namespace netsync
