// netsync: the waiting room of causal delivery. Changes come in as they arrive, and go out when all that they depend on
// is in. What is missing is told as contiguous ranges, so that any replica that holds them may be asked.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <netsync/causal/replica_id.hpp>
#include <netsync/causal/version_vector.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// Counters of one replica, by its id: what is asked for and what is missing. Ends included.
struct CounterRange {
    ReplicaId replica;
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    friend constexpr auto operator<=>(const CounterRange&, const CounterRange&) = default;
};

/// What a buffered item tells about itself: the dots it fills and, beyond its own predecessor, what it was made after.
template <class Item>
concept causal_item = requires(const Item& item) {
    { item.dots() } -> std::convertible_to<CounterRange>;
    { item.dependencies() };  // a range of {ReplicaId replica; std::uint64_t counter;}
    { item.size_bytes() } -> std::convertible_to<std::size_t>;
};

/// What became of an item that was offered.
enum class Arrival { ready, duplicate, held, refused };

/// Holds items until they are causally ready (Birman, Schiper, Stephenson 1991). Bounded in items and bytes: what does
/// not fit is refused, not forgotten, since its absence from the version vector makes gossip bring it again. Nothing is
/// interned for an item that waits, so a stranger's ids cost nothing. One thread.
template <causal_item Item>
class CausalBuffer {
   public:
    CausalBuffer(std::size_t max_items, std::size_t max_bytes) : max_items_(max_items), max_bytes_(max_bytes) {}

    std::size_t size() const noexcept { return size_; }
    std::size_t size_bytes() const noexcept { return bytes_; }
    std::uint64_t refused() const noexcept { return refused_; }

    /// `ready`: apply it now (it was not kept). `held`: it waits inside. `refused`: the buffer is full.
    Arrival offer(const Item& item, const VersionVector& seen) {
        const CounterRange dots = item.dots();
        if (dots.last <= counter_in(seen, dots.replica)) return Arrival::duplicate;
        if (is_ready(item, seen)) return Arrival::ready;
        if (dots.first <= counter_in(seen, dots.replica)) return Arrival::refused;  // half seen: of no history we know
        auto& waiting = waiting_[dots.replica];
        if (waiting.contains(dots.first)) return Arrival::duplicate;
        if (size_ >= max_items_ || bytes_ + item.size_bytes() > max_bytes_) {
            if (waiting.empty()) waiting_.erase(dots.replica);
            ++refused_;
            return Arrival::refused;
        }
        ++size_;
        bytes_ += item.size_bytes();
        waiting.emplace(dots.first, item);
        return Arrival::held;
    }

    /// Takes out one item that has become ready, if there is any. O(replicas that wait).
    std::optional<Item> take(const VersionVector& seen) {
        for (auto origin = waiting_.begin(); origin != waiting_.end();) {
            auto& items = origin->second;
            while (!items.empty() && items.begin()->second.dots().last <= counter_in(seen, origin->first))
                drop(items, items.begin());
            if (items.empty()) {
                origin = waiting_.erase(origin);
                continue;
            }
            if (is_ready(items.begin()->second, seen)) {
                std::optional<Item> ready{std::move(items.begin()->second)};
                bytes_ -= ready->size_bytes();
                --size_;
                items.erase(items.begin());
                if (items.empty()) waiting_.erase(origin);
                return ready;
            }
            ++origin;
        }
        return std::nullopt;
    }

    /// Drops each waiting item that begins before its origin's next, or is the next and `is_wrong(item)`. What it waits
    /// for may never come, and as long as it waits the right one is not asked for. O(replicas that wait).
    template <class F>
    void drop_next_if(const VersionVector& seen, F&& is_wrong) {
        for (auto origin = waiting_.begin(); origin != waiting_.end();) {
            auto& items = origin->second;
            const std::uint64_t counter = counter_in(seen, origin->first);
            while (!items.empty() && items.begin()->first <= counter) drop(items, items.begin());
            const auto next = items.find(counter + 1);
            if (next != items.end() && is_wrong(next->second)) drop(items, next);
            origin = items.empty() ? waiting_.erase(origin) : std::next(origin);
        }
    }

    /// Drops what waits: for a state that replaces it, or a restart.
    void clear() {
        waiting_.clear();
        size_ = bytes_ = 0;
    }

    /// What is missing between `seen` and `wanted` and does not wait here: the ranges to ask for, by replica id.
    template <class Wanted>  // a range of {ReplicaId replica; std::uint64_t counter;}
    std::vector<CounterRange> gaps(const VersionVector& seen, const Wanted& wanted) const {
        std::vector<CounterRange> result;
        for (const auto& entry : wanted) {
            std::uint64_t next = counter_in(seen, entry.replica) + 1;
            if (const auto waiting = waiting_.find(entry.replica); waiting != waiting_.end())
                for (const auto& [first, item] : waiting->second) {
                    if (first > entry.counter) break;
                    if (next < first) result.push_back({entry.replica, next, first - 1});
                    next = std::max(next, item.dots().last + 1);
                }
            if (next <= entry.counter) result.push_back({entry.replica, next, entry.counter});
        }
        return result;
    }

   private:
    using Items = std::map<std::uint64_t, Item>;

    static std::uint64_t counter_in(const VersionVector& seen, const ReplicaId& id) {
        const ReplicaIndex index = find_index(id);
        return index == ReplicaIndex{} ? 0 : seen.counter(index);
    }

    static bool is_ready(const Item& item, const VersionVector& seen) {
        const CounterRange dots = item.dots();
        if (dots.first != counter_in(seen, dots.replica) + 1) return false;
        for (const auto& needed : item.dependencies())
            if (counter_in(seen, needed.replica) < needed.counter) return false;
        return true;
    }

    void drop(Items& items, typename Items::iterator at) {
        bytes_ -= at->second.size_bytes();
        --size_;
        items.erase(at);
    }

    std::size_t max_items_;
    std::size_t max_bytes_;
    std::map<ReplicaId, Items> waiting_;
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace netsync
