// netsync: keys to CRDTs; keys are never removed.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/crdt/inverse.hpp>
#include <utility>

namespace netsync {

/// The grow-only map: a key that was once updated stays, also where its value has become empty. Since nothing is removed,
/// its values may forget what is causally stable, as those of an OrMap may not. `Value` is causal and may be incomplete
/// here. update, find: O(log size) beside the value's own cost.
template <class Key, class Value>
class GMap {
   public:
    /// A delta that changes the value under `key`, which is made if there is none: `f(const Value&, Change&)` returns the
    /// value's delta.
    template <class Query, class F>
    [[nodiscard]] GMap update(Change& change, const Query& key, F&& f) const {
        require_causal();
        const Value* held = find(key);
        Entry part{};
        part.value = f(held ? *held : bottom(), change);
        if (!held) part.made = DotSet{change.mint()};
        GMap delta;
        if (!netsync::is_bottom(part)) delta.entries_[Key(key)] = std::move(part);
        return delta;
    }

    /// See netsync::inverse: of the values; keys stay.
    [[nodiscard]] GMap inverse(Change& change, const GMap& before, const GMap& delta, Scope scope) const {
        GMap back;
        const auto take_back = [&](const Key& key, const Value& made) {
            const Value *held = find(key), *was = before.find(key);
            if (Value part = inverse_of(held ? *held : bottom(), change, was ? *was : bottom(), made, scope);
                !netsync::is_bottom(part))
                back.entries_[key].value = std::move(part);
        };
        for (const auto& [key, made] : delta.entries_) take_back(key, made.value);
        if (scope == Scope::whole)
            for (const auto& [key, was] : before.entries_)
                if (!delta.entries_.find(key)) take_back(key, bottom());
        return back;
    }

    /// The value under `key`, or null. Good until the map changes.
    template <class Query>
    const Value* find(const Query& key) const {
        const Entry* held = entries_.find(key);
        return held ? &held->value : nullptr;
    }
    template <class Query>
    bool contains(const Query& key) const {
        return find(key) != nullptr;
    }
    void prefetch(const Key& key) const { entries_.prefetch(key); }
    bool empty() const noexcept { return entries_.empty(); }
    std::size_t size() const noexcept { return entries_.size(); }

    /// Calls `f(key, value)` for each, by ascending key.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, entry] : entries_) f(key, entry.value);
    }
    /// For a delta: calls `f(key)` for each key that it touches.
    template <class F>
    void for_each_mentioned(F&& f) const {
        entries_.for_each_mentioned(f);
    }

    bool merge(const GMap& theirs, const Join& join) {
        require_causal();
        return entries_.merge(theirs.entries_, join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return entries_.is_bottom(); }
    bool permits(OwnerId owner) const { return entries_.permits(owner); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { entries_.reissue(keep); }
    /// O(size): looks at every value.
    bool drop_stable(const VersionVector& stable) {
        return entries_.drop_entries([](const Entry&) { return true; },
                                     [&](Entry& entry) { return netsync::drop_stable(entry.value, stable); });
    }
    template <class Archive>
    void save(Archive& out) const {
        entries_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        entries_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        entries_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return entries_.load_and_merge(in, join);
    }

    friend bool operator==(const GMap& a, const GMap& b) { return a.entries_ == b.entries_; }

   private:
    struct Entry {
        DotSet made{};
        Value value{};
    };

    static constexpr void require_causal() {
        static_assert(causal<Value>,
                      "netsync: the value of a GMap must model netsync::causal (all its content under dots); wrap a "
                      "monotone type as netsync::Joined<T>");
    }

    static const Value& bottom() {
        static const Value value{};
        return value;
    }

    DotMap<Key, Entry> entries_;
};

}  // namespace netsync
