// netsync: who a replica is, whom it knows and who has been retired, kept in its store.
#pragma once

#include <algorithm>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/pool/retirement.hpp>
#include <netsync/store/values.hpp>
#include <netsync/wire/history.hpp>
#include <optional>
#include <vector>

namespace netsync {

/// Another incarnation of the owner that options.name stands for; of a random one without a name.
inline ReplicaId new_incarnation(const Options& options, detail::Random& random) {
    ReplicaId id;
    id.owner_bits = options.name.empty() ? random.next() | 1 : static_cast<std::uint64_t>(owner_of_name(options.name));
    id.incarnation = random.next();
    return id;
}

/// The id of the store's last opening; nil where there is none, or the store belongs to another name.
template <store Store>
ReplicaId kept_identity(const Store& store, const Options& options) {
    const ReplicaId id = open_value<ReplicaId>(store, "replica");
    return options.name.empty() || id.owner() == owner_of_name(options.name) ? id : ReplicaId{};
}

/// Who a replica is while its store is not open: of its owner, where that is known, and no incarnation of it.
inline ReplicaId nobody_yet(const Options& options) {
    return {options.name.empty() ? 0 : static_cast<std::uint64_t>(owner_of_name(options.name)), 0};
}

/// Whether a replica holds nothing of others yet, so that it takes the pool's state before it takes part.
inline bool is_newcomer(const History& history, const ReplicaId& self) {
    for (const VersionVector::Entry& entry : history.vector())
        if (id_of(entry.replica) != self) return false;
    return true;
}

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
        return result;
    }
};

}  // namespace netsync
