// netsync: one incarnation after the other. What a replica made and was not seen is issued again under new dots: which ones
// they were comes in, which ones they are goes out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/replica_id.hpp>
#include <netsync/sync/branch.hpp>
#include <netsync/sync/issuing.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/output.hpp>
#include <vector>

namespace netsync {

/// Takes one counter out of ranges, which may split one.
inline void erase_counter(std::vector<CounterRange>& ranges, const ReplicaCounter& at) {
    const auto found = std::find_if(ranges.begin(), ranges.end(), [&](const CounterRange& range) {
        return range.replica == at.replica && range.first <= at.counter && at.counter <= range.last;
    });
    if (found == ranges.end()) return;
    const CounterRange whole = *found;
    const auto next = ranges.erase(found);
    const auto after =
        at.counter < whole.last ? ranges.insert(next, {whole.replica, at.counter + 1, whole.last}) : next;
    if (whole.first < at.counter) ranges.insert(after, {whole.replica, whole.first, at.counter - 1});
}

/// One's own changes beyond `agreed`, issued again: the dot (before, agreed + n) became (after, n).
struct Succession {
    ReplicaId before{};
    std::uint64_t agreed = 0;
    ReplicaId after{};

    ReplicaCounter operator()(const ReplicaCounter& token) const noexcept {
        if (token.replica != before || token.counter <= agreed) return token;
        return {after, token.counter - agreed};
    }

    /// Ranges of removed dots, renamed.
    std::vector<CounterRange> operator()(const std::vector<CounterRange>& ranges) const {
        std::vector<CounterRange> result;
        for (const CounterRange& range : ranges) {
            if (range.replica != before || range.last <= agreed) {
                result.push_back(range);
                continue;
            }
            if (range.first <= agreed) result.push_back({before, range.first, agreed});
            result.push_back({after, std::max(range.first, agreed + 1) - agreed, range.last - agreed});
        }
        std::sort(result.begin(), result.end());
        const auto overlap = [](const CounterRange& a, const CounterRange& b) {
            return a.replica == b.replica && b.first <= a.last;
        };
        for (std::size_t at = 1; at < result.size();) {  // of two names for one change, where they are one by now
            CounterRange& last = result[at - 1];
            if (!overlap(last, result[at])) {
                ++at;
                continue;
            }
            last.last = std::max(last.last, result[at].last);
            result.erase(result.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return result;
    }
};

/// A change of an earlier incarnation as the next one issues it.
template <crdt CrdtType>
struct IssuedAgain {
    CrdtType delta{};
    FrameHeader said{};
    Bytes bytes{};  ///< the delta's
};

/// The same change under new dots and with a fresh timestamp. `by_name`: those who have seen its first form know it by that;
/// where that may be another change, of a copy of the replica, what it says of its own first form goes instead, and it
/// has the name that the branch gives it. `removed`: what it removes.
template <crdt CrdtType>
Result<IssuedAgain<CrdtType>> issue_again(const Frame& old, const DotRange& minted, Ntp64 time,
                                          const Succession& succession, std::vector<CounterRange> removed, bool by_name,
                                          const Branches& branches, const Limits& limits) {
    const FrameHeader& header = old.header();
    Result<CrdtType> decoded = old.template delta_within<CrdtType>(DotSpace{minted, time}, limits);
    if (!decoded) return decoded.error();
    IssuedAgain<CrdtType> again{.delta = *std::move(decoded)};
    again.said.count = header.count;
    again.said.time = time;
    std::vector<ReplicaCounter>& names = again.said.instead_of;
    if (by_name) {
        names = header.instead_of;
        names.insert(names.begin(), {header.origin, header.first});
        if (names.size() > Frame::max_names) names.resize(Frame::max_names);
    } else {
        netsync::reissue(again.delta,
                         [&](std::uint64_t counter) { erase_counter(removed, {succession.before, counter}); });
        if (const std::optional<ReplicaCounter> name = branches.name(header.first)) names = {*name};
    }
    Result<Bytes> bytes = encode_delta(again.delta, minted, time, limits);
    if (!bytes) return bytes.error();
    again.bytes = *std::move(bytes);
    again.said.removed = succession(removed);
    return again;
}

/// Whether all that these frames of `self` remove is held. Own dots aside, which are renamed.
inline bool all_of_removed_held(const std::vector<Frame>& frames, const History& history, const ReplicaId& self,
                                const Branches& branches) {
    return std::all_of(frames.begin(), frames.end(), [&](const Frame& frame) {
        const std::vector<CounterRange>& removed = frame.header().removed;
        return branches.are_resolved(removed, history.reissues()) &&
               std::all_of(removed.begin(), removed.end(), [&](const CounterRange& range) {
                   return range.replica == self || range.last <= history.counter(range.replica);
               });
    });
}

/// The latest ones of this run, so that tokens of an earlier incarnation still say something.
class Successions {
   public:
    void add(const Succession& succession) {
        all_.push_back(succession);
        if (all_.size() > most) all_.erase(all_.begin());
    }

    /// Where a change is now that this token stood for.
    ReplicaCounter resolve(ReplicaCounter token) const {
        for (const Succession& succession : all_) token = succession(token);
        return token;
    }

   private:
    static constexpr std::size_t most = 16;

    std::vector<Succession> all_;
};

}  // namespace netsync
