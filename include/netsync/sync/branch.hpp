// netsync: the changes of a history that did not stay, beyond where it parted from the one that did. Their counters name
// others' changes now: what a log holds of them comes in, names that nothing else has go out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/hash.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/reissue.hpp>
#include <netsync/wire/snapshot.hpp>
#include <optional>
#include <vector>

namespace netsync {

/// Where two histories of one replica part, of which the other one stays.
struct Parted {
    ReplicaId replica{};
    std::uint64_t counter = 0;   ///< the last of both
    std::optional<Mark> mark{};  ///< how the other one goes on, where it is known
};

/// The branches that a log holds. Whoever made one issues it again under these names, and whoever held it knows them too:
/// what he removed of it he removes again under the new ones. Empty: none.
class Branches {
   public:
    Branches() = default;
    /// `self`: whose own branch is issued again now.
    Branches(const std::vector<Frame>& logged, const std::vector<Parted>& parted, const ReplicaId& self) : self_(self) {
        for (const Parted& at : parted)
            for (const Frame& frame : logged)
                if (const FrameHeader& header = frame.header();
                    header.origin == at.replica && header.first == at.counter + 1)
                    all_.push_back({at.replica, at.counter, name_of(header)});
    }

    /// What a change of this replica's own branch is called.
    std::optional<ReplicaCounter> name(std::uint64_t counter) const {
        for (const Branch& branch : all_)
            if (branch.replica == self_ && counter > branch.counter)
                return ReplicaCounter{branch.name, counter - branch.counter};
        return std::nullopt;
    }

    /// Whether any of these dots is another replica's, in a branch.
    bool concern(const std::vector<CounterRange>& dots) const {
        return std::any_of(dots.begin(), dots.end(), [&](const CounterRange& range) { return branch_of(range); });
    }

    /// Removed dots, those of branches by the names under which they were issued again; without those that were not.
    std::vector<CounterRange> resolve(const std::vector<CounterRange>& removed, const Reissues& reissues) const {
        std::vector<CounterRange> result;
        for_each_resolved(removed, reissues, [&](const std::optional<CounterRange>& range) {
            if (range) result.push_back(*range);
        });
        return result;
    }

    /// Whether all of them were.
    bool are_resolved(const std::vector<CounterRange>& removed, const Reissues& reissues) const {
        bool all = true;
        for_each_resolved(removed, reissues, [&](const std::optional<CounterRange>& range) { all = all && range; });
        return all;
    }

   private:
    struct Branch {
        ReplicaId replica{};
        std::uint64_t counter = 0;  ///< what comes after it
        ReplicaId name{};
    };

    static ReplicaId name_of(const FrameHeader& first) noexcept {
        return {first.origin.owner_bits, detail::mix(first.origin.incarnation, first.hash)};
    }

    const Branch* branch_of(const CounterRange& range) const {
        for (const Branch& branch : all_)
            if (branch.replica == range.replica && branch.counter < range.last && branch.replica != self_)
                return &branch;
        return nullptr;
    }

    template <class F>
    void for_each_resolved(const std::vector<CounterRange>& removed, const Reissues& reissues, F&& f) const {
        for (const CounterRange& range : removed) {
            const Branch* branch = branch_of(range);
            if (!branch || range.first <= branch->counter)
                f(CounterRange{range.replica, range.first, branch ? branch->counter : range.last});
            if (!branch) continue;
            for (std::uint64_t at = std::max(range.first, branch->counter + 1); at <= range.last; ++at) {
                const auto now = reissues.next(branch->name, at - branch->counter);
                f(now ? std::optional{CounterRange{now->first, now->second, now->second}} : std::nullopt);
            }
        }
    }

    ReplicaId self_{};
    std::vector<Branch> all_;
};

}  // namespace netsync
