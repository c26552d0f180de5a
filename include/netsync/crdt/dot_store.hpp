// netsync: the three dot stores of the literature (Almeida, Shoker, Baquero 2018): DotSet, DotFun and DotMap. Every
// causal type is a few lines over one of them; the join lives here and nowhere else.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/crdt/composition.hpp>
#include <netsync/crdt/ordered_join.hpp>
#include <netsync/detail/appender.hpp>
#include <netsync/detail/lazy.hpp>
#include <netsync/detail/one_or_more.hpp>
#include <netsync/detail/sorted_map.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace netsync {

namespace detail {

constexpr Dot dot_of(Dot item) noexcept { return item; }
template <class Item>
constexpr Dot dot_of(const Item& item) noexcept {
    return item.dot;
}

/// mine ⊔ theirs for items named by dots: a dot stays if both have it, or if the side without it has not seen it.
template <class Item>
bool join_items(OneOrMore<Item>& mine, const OneOrMore<Item>& theirs, const Join& join) {
    const auto holds = [](const OneOrMore<Item>& items, Dot dot) {
        return items.find_if([&](const Item& item) { return dot_of(item) == dot; }) != nullptr;
    };
    bool changed = mine.retain(
        [&](const Item& item) { return !join.theirs.contains(dot_of(item)) || holds(theirs, dot_of(item)); });
    theirs.for_each([&](const Item& item) {
        if (join.mine.contains(dot_of(item)) || holds(mine, dot_of(item))) return;
        mine.push_back(item);
        changed = true;
    });
    return changed;
}

/// The items in the order of the wire.
template <class Item>
std::vector<Item> sorted_items(const OneOrMore<Item>& items) {
    std::vector<Item> result;
    result.reserve(items.size());
    items.for_each([&](const Item& item) { result.push_back(item); });
    std::sort(result.begin(), result.end(),
              [](const Item& a, const Item& b) { return precedes(dot_of(a), dot_of(b)); });
    return result;
}

template <class Archive, class Item>
void save_items(Archive& out, const OneOrMore<Item>& items) {
    if (items.empty()) return out.no_dot();
    out.charge(items.size() * sizeof(Item));
    const auto save = [&](const Item& item, bool more) {
        if constexpr (requires { item.value.is_marked(); }) {
            out.marked_dot(dot_of(item), item.value.is_marked(), more);
            item.value.save_marked(out);
        } else {
            out.dot(dot_of(item), more);
            if constexpr (requires { item.value; }) out(item.value);
        }
    };
    if (items.size() == 1) return items.for_each([&](const Item& item) { save(item, false); });
    std::size_t left = items.size();
    for (const Item& item : sorted_items(items)) save(item, --left > 0);
}

template <class Archive, class Item>
void load_items(Archive& in, OneOrMore<Item>& items) {
    Dot previous;
    for (bool more = true; more && in.ok();) {
        [[maybe_unused]] bool mark = false;
        Dot dot;
        if constexpr (requires(Item& item) { item.value.is_marked(); })
            dot = in.marked_dot(mark, more);
        else
            dot = in.dot(more);
        if (!previous && !dot) return;
        if (!dot || (previous && !precedes(previous, dot))) return in.fail(errc::malformed);
        in.charge(sizeof(Item));
        previous = dot;
        if constexpr (std::is_same_v<Item, Dot>) {
            items.push_back(dot);
        } else {
            Item item{dot, {}};
            if constexpr (requires { item.value.is_marked(); })
                item.value.load_marked(in, mark);
            else
                in(item.value);
            items.push_back(std::move(item));
        }
    }
}

/// Keys go in ascending order; of a text what it shares with the one before is not said again. `Before` is the key before,
/// if any.
template <class Archive, class Key>
void save_key(Archive& out, const Key* before, const Key& key) {
    if constexpr (std::is_same_v<Key, std::string>)
        if (before) return out.text_after(*before, key);
    out(key);
}

template <class Archive, class Key>
void load_key(Archive& in, const Key* before, Key& key) {
    if constexpr (std::is_same_v<Key, std::string>)
        if (before) return in.text_after(*before, key);
    in(key);
    if (before && in.ok() && !(*before < key)) in.fail(errc::malformed);
}

}  // namespace detail

/// A set of dots: an element of an OrSet is there while it has one. 16 bytes while there is at most one.
class DotSet {
   public:
    static constexpr bool delta_is_state = true;  // a delta says nothing that a state does not

    DotSet() = default;
    explicit DotSet(Dot dot) { dots_.push_back(dot); }

    std::size_t size() const noexcept { return dots_.size(); }
    bool is_bottom() const noexcept { return dots_.empty(); }
    bool merge(const DotSet& theirs, const Join& join) { return detail::join_items(dots_, theirs.dots_, join); }

    template <class F>
    void for_each_dot(F&& visit) const {
        dots_.for_each(visit);
    }

    template <class Archive>
    void save(Archive& out) const {
        detail::save_items(out, dots_);
    }
    template <class Archive>
    void load(Archive& in) {
        detail::load_items(in, dots_);
    }

    friend bool operator==(const DotSet& a, const DotSet& b) {
        return a.size() == b.size() && detail::sorted_items(a.dots_) == detail::sorted_items(b.dots_);
    }

   private:
    detail::OneOrMore<Dot> dots_;
};

/// Values named by dots: what was written and is not superseded, by whom. One entry unless replicas wrote at once.
template <class Value>
class DotFun {
   public:
    static constexpr bool delta_is_state = true;

    struct Entry {
        Dot dot;
        Value value{};

        constexpr explicit operator bool() const noexcept { return static_cast<bool>(dot); }
    };

    DotFun() = default;
    DotFun(Dot dot, Value value) { entries_.push_back({dot, std::move(value)}); }

    std::size_t size() const noexcept { return entries_.size(); }
    bool is_bottom() const noexcept { return entries_.empty(); }
    bool merge(const DotFun& theirs, const Join& join) { return detail::join_items(entries_, theirs.entries_, join); }

    template <class F>
    void for_each(F&& visit) const {
        entries_.for_each(visit);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each([&](const Entry& entry) { visit(entry.dot); });
    }
    template <class Predicate>
    const Entry* find_if(Predicate&& is) const {
        return entries_.find_if(is);
    }
    template <class Predicate>
    bool retain(Predicate&& keep) {
        return entries_.retain(keep);
    }

    template <class Archive>
    void save(Archive& out) const {
        detail::save_items(out, entries_);
    }
    template <class Archive>
    void load(Archive& in) {
        detail::load_items(in, entries_);
    }

    friend bool operator==(const DotFun& a, const DotFun& b) {
        if (a.size() != b.size()) return false;
        const auto left = detail::sorted_items(a.entries_), right = detail::sorted_items(b.entries_);
        return std::equal(left.begin(), left.end(), right.begin(), [](const Entry& x, const Entry& y) {
            return x.dot == y.dot && netsync::equal(x.value, y.value);
        });
    }

   private:
    detail::OneOrMore<Entry> entries_;
};

/// Keys to dot stores, in ascending order, nested at will; a copy costs O(1). A key is there while anything is alive under
/// it. As a delta it mentions the keys of its entries, and those it emptied: of these, all that the remover had seen goes,
/// but what the entry still holds. `Content` may be incomplete where only the type of the map is named, so that types can be recursive.
template <class Key, class Content>
class DotMap {
   public:
    using Entry = typename detail::SortedMap<Key, Content>::Entry;

    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }
    auto begin() const noexcept { return entries_.begin(); }
    auto end() const noexcept { return entries_.end(); }

    template <class Query>
    const Content* find(const Query& key) const {
        return entries_.find(key);
    }

    /// A hint that `key` is changed next: the memory is asked for it, and not waited for. O(log size).
    void prefetch(const Key& key) const { entries_.prefetch(key); }

    /// find(), for what a type keeps beside the content and derives from it.
    template <class Query>
    Content* writable(const Query& key) {
        return entries_.find(key);
    }

    /// Forgets an entry: see causal_leaf on drop_stable.
    template <class Query>
    bool erase(const Query& key) {
        return entries_.erase(key);
    }

    /// For deltas: the entry of `key`, made if there is none.
    Content& operator[](const Key& key) { return *entries_.try_emplace(key).first; }
    Content& operator[](Key&& key) { return *entries_.try_emplace(std::move(key)).first; }

    /// For deltas: says that all that was seen under `key` goes; its dots are removed by the change.
    void empty_key(const Key& key) { emptied_.make().try_emplace(key); }

    /// For deltas: whether all that was seen under `key` goes.
    template <class Query>
    bool empties(const Query& key) const {
        return emptied_ && emptied_->find(key);
    }

    /// For deltas: whether `key` was touched.
    template <class Query>
    bool mentions(const Query& key) const {
        return entries_.find(key) || empties(key);
    }

    /// For deltas: visits each key that was touched, once.
    template <class F>
    void for_each_mentioned(F&& visit) const {
        for (const Entry entry : entries_) visit(entry.key);
        for_each_emptied([&](const Key& key) {
            if (!entries_.find(key)) visit(key);
        });
    }

    bool is_bottom() const noexcept { return entries_.empty() && !emptied_; }

    bool merge(const DotMap& theirs, const Join& join) { return join_with(theirs, join); }
    bool merge(DotMap&& theirs, const Join& join) { return join_with(theirs, join); }

    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each([&](const Entry& entry) { netsync::for_each_dot(entry.value, visit); });
    }

    bool permits(OwnerId owner) const {
        return std::all_of(begin(), end(), [&](const Entry& entry) { return netsync::permits(entry.value, owner); });
    }

    /// See netsync::reissue.
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        std::vector<Key> keys;
        for (const Entry entry : entries_) keys.push_back(entry.key);
        for (const Key& key : keys) netsync::reissue(*entries_.find(key), keep);
    }

    /// Applies `drop(content)`, which says whether it forgot anything, to the entries that `may_drop(content)` names;
    /// those left empty go. Nothing else is written to, so that what copies share stays shared.
    template <class MayDrop, class Drop>
    bool drop_entries(MayDrop&& may_drop, Drop&& drop) {
        std::vector<Key> keys;
        for (const Entry entry : entries_)
            if (may_drop(entry.value)) keys.push_back(entry.key);
        bool dropped = false;
        for (const Key& key : keys) {
            Content& content = *entries_.find(key);
            dropped |= drop(content);
            if (netsync::is_bottom(content)) entries_.erase(key);
        }
        return dropped;
    }

    template <class Archive>
    void save(Archive& out) const {
        save(out, [&](auto&& write) { entries_.for_each(write); });
    }
    /// The same of what is not needed any more: see Output::let_go.
    template <class Archive>
    void save_and_let_go(Archive& out) {
        save(out, [&](auto&& write) { entries_.drain(write); });
    }

    template <class Archive>
    void load(Archive& in) {
        load(in, load_head(in));
    }

    /// The same as to load and to merge, without a map of theirs in between. After an error what is held is of no use.
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        const std::size_t head = load_head(in);
        if (head % 2 != 0 || !is_joined_in_order(head / 2, join)) {
            DotMap theirs;
            theirs.load(in, head);
            return in.ok() && merge(std::move(theirs), join);
        }
        detail::OrderedJoin<Key, Content> joined{entries_, join};
        for (std::size_t at = 0; at < head / 2 && in.ok(); ++at) {
            Key key{};
            Content content{};
            detail::load_key(in, joined.last(), key);
            if (in.ok()) in(content);
            if (in.ok() && netsync::is_bottom(content)) in.fail(errc::malformed);
            if (!in.ok()) return false;
            const std::uint64_t prefix = detail::prefix_of<Key>(key);
            joined.add(prefix, std::move(key), std::move(content));
        }
        entries_ = joined.finish();
        return joined.changed();
    }

    friend bool operator==(const DotMap& a, const DotMap& b) {
        return a.entries_.equal(b.entries_, [](const auto& x, const auto& y) { return netsync::equal(x, y); });
    }

   private:
    struct Nothing {};
    using Keys = detail::SortedMap<Key, Nothing>;
    static constexpr bool held_by_reference = std::is_reference_v<decltype(Entry::key)>;

    static constexpr std::size_t entry_size() { return detail::SortedMap<Key, Content>::entry_size(); }

    /// How many entries, twice, and whether keys without any follow.
    template <class Archive>
    static std::size_t load_head(Archive& in) {
        const std::size_t head = in.count(0, 2);
        in.charge(head / 2 * entry_size());
        return head;
    }

    template <class Archive>
    void load(Archive& in, std::size_t head) {
        Key previous{};
        const Key* before = nullptr;
        detail::Appender<Key, Content> loaded;
        for (std::size_t at = 0; at < head / 2 && in.ok(); ++at) {
            Key key{};
            detail::load_key(in, before, key);
            if (!in.ok()) return;
            if constexpr (!held_by_reference) before = &(previous = key);
            Content& content = *loaded.append(std::move(key));
            if constexpr (held_by_reference) before = &loaded.last_key();
            in(content);
            if (in.ok() && netsync::is_bottom(content)) return in.fail(errc::malformed);
        }
        entries_ = loaded.finish();
        if (head % 2 == 0) return;
        const std::size_t count = in.count(Keys::entry_size());
        if (count == 0) return in.fail(errc::malformed);
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            Key key{};
            detail::load_key(in, at > 0 ? &previous : nullptr, key);
            if (!in.ok()) return;
            empty_key(key);
            previous = std::move(key);
        }
    }

    /// `for_each_entry(write)` calls `write(entry)` for each.
    template <class Archive, class F>
    void save(Archive& out, F&& for_each_entry) const {
        out.count(entries_.size() * 2 + (emptied_ ? 1 : 0));
        out.charge(entries_.size() * entry_size());
        const Key* before = nullptr;
        for_each_entry([&](const Entry& entry) {
            detail::save_key(out, before, entry.key);
            out(entry.value);
            if constexpr (held_by_reference) before = &entry.key;
        });
        if (!emptied_) return;
        out.count(emptied_->size(), Keys::entry_size());
        before = nullptr;
        for_each_emptied([&](const Key& key) {
            detail::save_key(out, before, key);
            before = &key;
        });
    }

    template <class F>
    void for_each_emptied(F&& visit) const {
        if (emptied_)
            for (const auto& [key, nothing] : *emptied_) visit(key);
    }

    /// Of theirs, where it is not const, what is needed is taken out.
    template <class Theirs>
    bool join_with(Theirs& theirs, const Join& join) {
        if (!theirs.emptied_ && is_joined_in_order(theirs.size(), join)) return join_in_order(theirs, join);
        bool changed = false;
        theirs.for_each_emptied([&](const Key& key) {
            if (!theirs.entries_.find(key)) changed |= merge_nothing(key, join.whole());
            if (join.target == Target::delta) empty_key(key);
        });
        if (join.scope == Scope::whole) changed |= merge_unmentioned(theirs, join);
        const auto merge_one = [&](auto&& key, auto&& content) {
            const Join& below = theirs.empties(key) ? join.whole() : join;
            changed |= merge_key(std::forward<decltype(key)>(key), std::forward<decltype(content)>(content), below);
        };
        if constexpr (std::is_const_v<Theirs>)
            theirs.entries_.for_each([&](const Entry& entry) { merge_one(entry.key, entry.value); });
        else
            theirs.entries_.take_each(merge_one, [&](const Key& next) { prefetch(next); });
        return changed;
    }

    bool merge_nothing(const Key& key, const Join& join) {
        Content* held = entries_.find(key);
        if (!held) return false;
        const bool changed = netsync::merge(*held, Content{}, join);
        if (netsync::is_bottom(*held)) entries_.erase(key);
        return changed;
    }

    template <class TheirKey, class Theirs>
    bool merge_key(TheirKey&& key, Theirs&& theirs, const Join& join) {
        if (detail::is_news(theirs, join.mine)) {
            const auto [held, made] = entries_.try_emplace(std::forward<TheirKey>(key));
            if (!made) return netsync::merge(*held, std::forward<Theirs>(theirs), join);
            *held = std::forward<Theirs>(theirs);
            return true;
        }
        const auto [held, made] = entries_.try_emplace(std::as_const(key));
        const bool changed = netsync::merge(*held, std::forward<Theirs>(theirs), join);
        if ((made || changed) && netsync::is_bottom(*held)) entries_.erase(key);
        return changed;
    }

    /// What only this side has: theirs may have seen it and removed it. Both go through their keys in order.
    bool merge_unmentioned(const DotMap& theirs, const Join& join) {
        std::vector<Key> keys;
        auto other = theirs.entries_.begin();
        for (const Entry entry : entries_) {
            while (other != theirs.entries_.end() && (*other).key < entry.key) ++other;
            if (other != theirs.entries_.end() && !(entry.key < (*other).key)) continue;
            if (detail::any_seen(entry.value, join.theirs)) keys.push_back(entry.key);
        }
        bool changed = false;
        for (const Key& key : keys) changed |= merge_nothing(key, join);
        return changed;
    }

    /// Whether a whole state of so many entries, which mentions no others, is joined in order: for states of which the
    /// other is not small. The same comes out as key by key.
    bool is_joined_in_order(std::size_t theirs, const Join& join) const noexcept {
        return join.scope == Scope::whole && theirs >= size() / 4;
    }

    template <class Theirs>
    bool join_in_order(Theirs& theirs, const Join& join) {
        detail::OrderedJoin<Key, Content> joined{entries_, join};
        for (auto at = theirs.entries_.begin(); at != theirs.entries_.end(); ++at) {
            if constexpr (std::is_const_v<Theirs>) {
                const Entry entry = *at;
                joined.add(at.prefix(), entry.key, entry.value);
            } else {
                at.take(
                    [&](Key&& key, Content&& content) { joined.add(at.prefix(), std::move(key), std::move(content)); });
            }
        }
        entries_ = joined.finish();
        return joined.changed();
    }

    detail::SortedMap<Key, Content> entries_;
    detail::Lazy<Keys> emptied_;  // in deltas only
};

}  // namespace netsync
