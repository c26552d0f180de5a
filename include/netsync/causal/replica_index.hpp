// netsync: replica ids, interned. 128-bit ids come in from the wire, small process-wide numbers go into the dots.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <netsync/causal/replica_id.hpp>
#include <netsync/detail/sorted_map.hpp>

namespace netsync {

/// Stands for a ReplicaId inside this process. 0 is "none". Its order means nothing: what is sent or shown is sorted by
/// id.
enum class ReplicaIndex : std::uint32_t {};

namespace detail {

/// Every id this process has met, at most 2^20 - 1. Reading an id takes no lock: chunks never move once published.
class ReplicaTable {
   public:
    static constexpr std::uint32_t chunk_bits = 10;
    static constexpr std::uint32_t chunk_size = 1u << chunk_bits;
    static constexpr std::uint32_t capacity = 1u << 20;

    static ReplicaTable& instance() {
        static ReplicaTable table;
        return table;
    }

    /// The number of `id`, made if it is new. ReplicaIndex{} when the table is full.
    ReplicaIndex intern(const ReplicaId& id) {
        if (const ReplicaIndex known = asked_lately(id); known != ReplicaIndex{}) return known;
        const std::lock_guard lock{mutex_};
        if (const ReplicaIndex* found = indices_.find(id)) return remember(id, *found);
        if (next_ == capacity) return ReplicaIndex{};
        auto& chunk = chunks_[next_ >> chunk_bits];
        if (!chunk.load(std::memory_order_relaxed)) chunk.store(new Chunk, std::memory_order_release);
        (*chunk.load(std::memory_order_relaxed))[next_ & (chunk_size - 1)] = id;
        const ReplicaIndex index{next_++};
        *indices_.try_emplace(id).first = index;
        return index;
    }

    ReplicaIndex find(const ReplicaId& id) const {
        if (const ReplicaIndex known = asked_lately(id); known != ReplicaIndex{}) return known;
        const std::lock_guard lock{mutex_};
        const ReplicaIndex* found = indices_.find(id);
        return found ? remember(id, *found) : ReplicaIndex{};
    }

    /// Only for an index that `intern` or `find` gave, or 0.
    static const ReplicaId& id(ReplicaIndex index) noexcept {
        const auto at = static_cast<std::uint32_t>(index);
        return (*chunks_[at >> chunk_bits].load(std::memory_order_acquire))[at & (chunk_size - 1)];
    }

   private:
    using Chunk = std::array<ReplicaId, chunk_size>;

    ReplicaTable() { *indices_.try_emplace(ReplicaId{}).first = ReplicaIndex{}; }

    /// Most are asked for again and again: the index of this id, if no other that shares its slot was asked for since.
    ReplicaIndex asked_lately(const ReplicaId& id) const noexcept {
        const ReplicaIndex index = lately_[slot_of(id)].load(std::memory_order_acquire);
        return index != ReplicaIndex{} && this->id(index) == id ? index : ReplicaIndex{};
    }
    ReplicaIndex remember(const ReplicaId& id, ReplicaIndex index) const noexcept {
        lately_[slot_of(id)].store(index, std::memory_order_release);
        return index;
    }
    /// Ids are random, or hashes of names.
    static std::size_t slot_of(const ReplicaId& id) noexcept { return (id.owner_bits ^ id.incarnation) % slots; }

    static constexpr std::size_t slots = 256;

    mutable std::mutex mutex_;
    SortedMap<ReplicaId, ReplicaIndex> indices_;
    std::uint32_t next_ = 1;  // index 0: none
    mutable std::array<std::atomic<ReplicaIndex>, slots> lately_{};

    // From before the first use to after the last, without a check for each: a user's static may hold dots too.
    static inline constinit Chunk first_{};
    static inline constinit std::array<std::atomic<Chunk*>, capacity / chunk_size> chunks_{&first_};
};

}  // namespace detail

/// The process-wide number of a replica id. Any thread; O(1). ReplicaIndex{} once a process has met 2^20 - 1 ids.
inline ReplicaIndex intern(const ReplicaId& id) { return detail::ReplicaTable::instance().intern(id); }

/// As `intern`, but a new id stays unknown: for ids that a peer only mentions.
inline ReplicaIndex find_index(const ReplicaId& id) { return detail::ReplicaTable::instance().find(id); }

/// The id behind a number that `intern` gave. Any thread; no lock.
inline const ReplicaId& id_of(ReplicaIndex index) { return detail::ReplicaTable::id(index); }

}  // namespace netsync
