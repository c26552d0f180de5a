// netsync: a sorted map out of what comes in order: a state that is decoded, or joined with another.
#pragma once

#include <cstdint>
#include <netsync/detail/key_prefix.hpp>
#include <netsync/detail/sorted_map.hpp>
#include <utility>

namespace netsync::detail {

/// Ascending keys come in, a SortedMap goes out: each is put behind the one before, without a search. O(1) amortized.
template <class Key, class Value>
class Appender {
    using Map = SortedMap<Key, Value>;

   public:
    Appender() = default;
    Appender(const Appender&) = delete;
    Appender& operator=(const Appender&) = delete;

    /// The value under `key`, which lies beyond all before; made by default. Good until the next.
    template <class NewKey>
    Value* append(NewKey&& key) {
        const std::uint64_t prefix = prefix_of<Key>(key);
        return append(prefix, std::forward<NewKey>(key));
    }

    /// The same, where the prefix of the key is known.
    template <class NewKey>
    Value* append(std::uint64_t prefix, NewKey&& key) {
        if (!last_ || last_->count == last_->capacity) return append_leaf(std::forward<NewKey>(key));
        ++map_.size_;
        return Map::insert_at(last_, last_->count, prefix, std::forward<NewKey>(key));
    }

    /// The key that came last; there was one. For keys that no prefix says all of.
    const Key& last_key() const { return Map::key_at(last_, last_->count - 1u); }

    Map finish() {
        last_ = nullptr;
        return std::move(map_);
    }

   private:
    template <class NewKey>
    Value* append_leaf(NewKey&& key) {
        Value* value = map_.append(std::forward<NewKey>(key));
        for (last_ = map_.root_; last_->level > 0;) last_ = Map::inner(last_)->children[last_->count - 1u];
        return value;
    }

    Map map_;
    typename Map::Node* last_ = nullptr;  // the leaf where the next one goes; nobody shares it
};

}  // namespace netsync::detail
