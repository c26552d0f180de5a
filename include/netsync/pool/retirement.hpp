// netsync: who is gone for good. Records that retire an incarnation come in from any member and are the same everywhere
// in the end; what goes out is who is retired.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/replica_id.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/detail/hash.hpp>
#include <netsync/detail/ordered_map.hpp>
#include <tuple>
#include <vector>

namespace netsync {

/// "This incarnation is given up; `last` is what is known of it." It is no member any more, and nothing is taken from it.
/// What members hold of it still counts. Its owner, should it return, takes the pool's state and issues its unseen changes
/// again under a new incarnation.
struct Retirement {
    ReplicaId replica{};
    std::uint64_t last = 0;
    Ntp64 time{};    ///< when it was decided, by the wall clock of:
    ReplicaId by{};  ///< whose word it is

    friend bool operator==(const Retirement&, const Retirement&) = default;
    /// The order in which records are weighed.
    friend bool operator<(const Retirement& a, const Retirement& b) {
        return std::tie(a.time, a.by, a.replica, a.last) < std::tie(b.time, b.by, b.replica, b.last);
    }
};

/// A grow-only set of records, so that members agree whatever the order of arrival. The word of one who is retired by an
/// earlier record is void: two sides of a split that retire each other end with one of them retired.
class Retirements {
   public:
    bool empty() const noexcept { return records_.empty(); }
    const std::vector<Retirement>& records() const noexcept { return records_; }

    bool contains(const ReplicaId& replica) const { return retired_.contains(replica); }
    /// Whether anybody ever gave it up, also where that is void: for a while it may have been no member somewhere. O(records).
    bool speak_of(const ReplicaId& replica) const {
        return std::any_of(records_.begin(), records_.end(),
                           [&](const Retirement& record) { return record.replica == replica; });
    }

    /// True if any was new. At most `limit` records are kept. O(records).
    bool merge(const std::vector<Retirement>& others, std::size_t limit) {
        bool news = false;
        for (const Retirement& record : others) {
            const auto at = std::lower_bound(records_.begin(), records_.end(), record);
            if ((at != records_.end() && *at == record) || records_.size() >= limit) continue;
            if (record.replica.is_nil() || record.by.is_nil() || record.replica == record.by) continue;
            records_.insert(at, record);
            news = true;
        }
        if (news) weigh();
        return news;
    }

    /// The same wherever the same records are.
    std::uint64_t digest() const noexcept {
        std::uint64_t digest = 0;
        for (const Retirement& record : records_) {
            digest = detail::mix(digest ^ record.replica.owner_bits, record.replica.incarnation);
            digest = detail::mix(digest ^ record.by.owner_bits, record.by.incarnation);
            digest = detail::mix(digest ^ record.last, record.time.value);
        }
        return digest;
    }

   private:
    /// Who is retired, from the records in their order.
    void weigh() {
        retired_.clear();
        for (const Retirement& record : records_)
            if (!retired_.contains(record.by)) retired_[record.replica] = true;
    }

    std::vector<Retirement> records_;  // sorted
    detail::OrderedMap<ReplicaId, bool> retired_;
};

}  // namespace netsync
