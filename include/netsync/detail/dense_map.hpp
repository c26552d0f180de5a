// netsync: a hash table whose entries lie densely in one vector, beside an index of 8-byte slots. What the dot stores
// (crdt/dot_store.hpp) keep their elements in: small deltas cost one allocation, big states are walked at memory speed.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <netsync/detail/hash.hpp>
#include <utility>
#include <vector>

namespace netsync::detail {

/// Keys to values. Iteration is in order of insertion until something is erased (the last entry then takes its place).
/// Up to `linear_size` entries there is no index: they are compared one by one. Beyond: linear probing, at most 3/4
/// full, erased by shifting back, so no tombstones. `Value` may be incomplete where only the type of the map is named.
/// find, insert, erase: O(1) expected. References are invalidated by insertion and erasure.
template <class Key, class Value>
class DenseMap {
   public:
    struct Entry {
        Key key;
        Value value;
    };

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

    void clear() noexcept {
        entries_.clear();
        slots_.clear();
    }

    void reserve(std::size_t count) {
        entries_.reserve(count);
        if (count > linear_size) rebuild_index(slots_for(count));
    }

    template <class Query>
    const Value* find(const Query& key) const {
        const std::size_t at = position(key);
        return at == none ? nullptr : &entries_[at].value;
    }
    template <class Query>
    Value* find(const Query& key) {
        const std::size_t at = position(key);
        return at == none ? nullptr : &entries_[at].value;
    }

    /// The value under `key`, made by default where there was none; `second` says whether it was made.
    std::pair<Value*, bool> try_emplace(const Key& key) {
        if (slots_.empty()) {
            if (const std::size_t at = scan(key); at != none) return {&entries_[at].value, false};
            entries_.push_back({key, Value{}});
            if (entries_.size() > linear_size) rebuild_index(slots_for(entries_.size()));
            return {&entries_.back().value, true};
        }
        const std::uint64_t hash = hash_key(key);
        const std::uint32_t tag = tag_of(hash);
        std::size_t slot = hash & mask();
        for (; slots_[slot].entry != 0; slot = (slot + 1) & mask())
            if (slots_[slot].tag == tag && entries_[slots_[slot].entry - 1].key == key)
                return {&entries_[slots_[slot].entry - 1].value, false};
        assert(entries_.size() < 0xfffffffeu && "netsync: one map holds at most 2^32 - 2 entries");
        entries_.push_back({key, Value{}});
        slots_[slot] = {tag, static_cast<std::uint32_t>(entries_.size())};
        if (entries_.size() * 4 > slots_.size() * 3) rebuild_index(slots_.size() * 2);
        return {&entries_.back().value, true};
    }

    template <class Query>
    bool erase(const Query& key) {
        const std::size_t at = position(key);
        if (at == none) return false;
        erase_at(at);
        return true;
    }

    /// The entry at position `at` (0 … size() − 1), for walks that erase: go backwards, the last entry fills the hole.
    Entry& entry(std::size_t at) noexcept { return entries_[at]; }

    void erase_at(std::size_t at) {
        const std::size_t last = entries_.size() - 1;
        if (!slots_.empty()) {
            unlink(slot_of(at));
            if (at != last) slots_[slot_of(last)].entry = static_cast<std::uint32_t>(at + 1);
        }
        if (at != last) entries_[at] = std::move(entries_[last]);
        entries_.pop_back();
    }

    /// Equal as maps: the order of the entries does not matter. O(size).
    template <class Equal>
    bool equal(const DenseMap& other, Equal&& same) const {
        if (size() != other.size()) return false;
        for (const Entry& entry : entries_) {
            const Value* theirs = other.find(entry.key);
            if (!theirs || !same(entry.value, *theirs)) return false;
        }
        return true;
    }

   private:
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t entry = 0;  // position + 1; 0 is free
    };

    static constexpr std::size_t linear_size = 8;
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    std::size_t mask() const noexcept { return slots_.size() - 1; }
    static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32); }

    static std::size_t slots_for(std::size_t entries) {
        std::size_t slots = 32;
        while (entries * 4 > slots * 3) slots *= 2;
        return slots;
    }

    template <class Query>
    std::size_t scan(const Query& key) const {
        for (std::size_t at = 0; at < entries_.size(); ++at)
            if (entries_[at].key == key) return at;
        return none;
    }

    template <class Query>
    std::size_t position(const Query& key) const {
        if (slots_.empty()) return scan(key);
        const std::uint64_t hash = hash_key(key);
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t slot = hash & mask(); slots_[slot].entry != 0; slot = (slot + 1) & mask())
            if (slots_[slot].tag == tag && entries_[slots_[slot].entry - 1].key == key) return slots_[slot].entry - 1;
        return none;
    }

    std::size_t slot_of(std::size_t at) const {
        std::size_t slot = hash_key(entries_[at].key) & mask();
        while (slots_[slot].entry != at + 1) slot = (slot + 1) & mask();
        return slot;
    }

    void unlink(std::size_t hole) {
        for (std::size_t next = (hole + 1) & mask(); slots_[next].entry != 0; next = (next + 1) & mask()) {
            const std::size_t home = hash_key(entries_[slots_[next].entry - 1].key) & mask();
            if (((next - home) & mask()) < ((next - hole) & mask())) continue;  // already as near to home as it can be
            slots_[hole] = slots_[next];
            hole = next;
        }
        slots_[hole] = {};
    }

    void rebuild_index(std::size_t slots) {
        slots_.assign(slots, Slot{});
        for (std::size_t at = 0; at < entries_.size(); ++at) {
            const std::uint64_t hash = hash_key(entries_[at].key);
            std::size_t slot = hash & mask();
            while (slots_[slot].entry != 0) slot = (slot + 1) & mask();
            slots_[slot] = {tag_of(hash), static_cast<std::uint32_t>(at + 1)};
        }
    }

    std::vector<Entry> entries_;
    std::vector<Slot> slots_;
};

}  // namespace netsync::detail
