// netsync: two maps of dot stores, joined in the order of their keys. Ours lies in a map; theirs comes entry by entry, out
// of another map or out of bytes that are being read.
#pragma once

#include <cstdint>
#include <netsync/crdt/composition.hpp>
#include <netsync/detail/appender.hpp>
#include <netsync/detail/sorted_map.hpp>
#include <type_traits>
#include <utility>

namespace netsync::detail {

/// Whether all that a content says is new, so that, where there was none, it is what comes out.
template <class Content>
bool is_news(const Content& content, const CausalContext& seen) {
    if constexpr (requires { Content::delta_is_state; }) {
        bool any = false, old = false;
        content.for_each_dot([&](Dot dot) {
            any = true;
            old = old || seen.contains(dot);
        });
        return any && !old;
    } else {
        static_cast<void>(content), static_cast<void>(seen);
        return false;
    }
}

template <class Content>
bool any_seen(const Content& content, const CausalContext& seen) {
    bool any = false;
    netsync::for_each_dot(content, [&](Dot dot) { any = any || seen.contains(dot); });
    return any;
}

/// `add` takes their entries by ascending key; `finish` then gives the join under their whole state. Both sides are gone
/// through once, and what comes out is appended. Ours is only read, and has to stay until then.
template <class Key, class Content>
class OrderedJoin {
    using Map = SortedMap<Key, Content>;

   public:
    OrderedJoin(const Map& ours, const Join& join) : join_(join), own_(ours.begin()), end_(ours.end()) {}

    /// `prefix`: of the key.
    template <class TheirKey, class Theirs>
    void add(std::uint64_t prefix, TheirKey&& key, Theirs&& theirs) {
        int order = 1;
        for (; own_ != end_ && (order = own_.compare(prefix, key)) < 0; ++own_) add_ours();
        const bool both = own_ != end_ && order == 0;
        if (!both && is_news(theirs, join_.mine)) {
            changed_ = true;
            *append(prefix, std::forward<TheirKey>(key)) = std::forward<Theirs>(theirs);
            return;
        }
        Content content{};
        if (both) {
            content = (*own_).value;
            ++own_;
        }
        changed_ |= netsync::merge(content, std::forward<Theirs>(theirs), join_);
        if (netsync::is_bottom(content))
            last_ = &(dropped_ = std::forward<TheirKey>(key));
        else  // of two keys that are the same theirs is taken: it may be moved
            *append(prefix, std::forward<TheirKey>(key)) = std::move(content);
    }

    /// The last of their keys; null before the first. Good until the next.
    const Key* last() const noexcept { return last_; }

    Map finish() {
        for (; own_ != end_; ++own_) add_ours();
        return joined_.finish();
    }
    /// Whether it is more than ours.
    bool changed() const noexcept { return changed_; }

   private:
    using Entry = typename Map::Entry;

    template <class TheirKey>
    Content* append(std::uint64_t prefix, TheirKey&& key) {
        if constexpr (std::is_reference_v<decltype(Entry::key)>) {
            Content* content = joined_.append(prefix, std::forward<TheirKey>(key));
            last_ = &joined_.last_key();
            return content;
        } else {
            last_ = &(dropped_ = key);
            return joined_.append(prefix, key);
        }
    }

    /// What only this side has: theirs may have seen it and removed it.
    void add_ours() {
        const Entry entry = *own_;
        if (!any_seen(entry.value, join_.theirs)) {
            *joined_.append(own_.prefix(), entry.key) = entry.value;
            return;
        }
        Content content = entry.value;
        changed_ |= netsync::merge(content, Content{}, join_);
        if (!netsync::is_bottom(content)) *joined_.append(own_.prefix(), entry.key) = std::move(content);
    }

    const Join& join_;
    typename Map::Iterator own_;
    typename Map::Iterator end_;
    Appender<Key, Content> joined_;
    Key dropped_{};  // their last key, where it is not in what comes out
    const Key* last_ = nullptr;
    bool changed_ = false;
};

}  // namespace netsync::detail
