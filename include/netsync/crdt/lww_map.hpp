// netsync: a map in which the last writer of a key wins, removes included.
#pragma once

#include <netsync/crdt/lww_register.hpp>
#include <optional>
#include <utility>

namespace netsync {

/// Keys to values, each key a last-writer-wins register whose value may be "removed": the later of an assign and a
/// remove wins, whoever saw whom. A removed key stays as a tombstone until every member has seen it (causal stability).
/// assign, remove, find: O(log size). Iterates by ascending key.
template <class Key, class Value>
class LwwMap {
   public:
    /// A delta that writes `value` under `key`.
    [[nodiscard]] LwwMap assign(Change& change, Key key, Value value) const {
        return write(change, std::move(key), std::optional<Value>{std::move(value)});
    }

    /// A delta that removes `key`; nothing where it was never written.
    template <class Query>
    [[nodiscard]] LwwMap remove(Change& change, const Query& key) const {
        return find(key) ? write(change, Key(key), std::nullopt) : LwwMap{};
    }

    /// See netsync::inverse.
    [[nodiscard]] LwwMap inverse(Change& change, const LwwMap& before, const LwwMap& delta, Scope scope) const {
        LwwMap back;
        const auto restore = [&](const Key& key) {
            const Value *was = before.find(key), *is = find(key);
            if (was || is)
                back.entries_[key] =
                    held(key).assign(change, was ? std::optional<Value>{*was} : std::optional<Value>{});
        };
        for (const auto& [key, made] : delta.entries_)
            if (held(key).is_still(made)) restore(key);
        if (scope == Scope::whole)
            for (const auto& [key, was] : before.entries_)
                if (!delta.entries_.find(key) && !entries_.find(key)) restore(key);
        return back;
    }

    /// The value under `key`, or null. Good until the map changes.
    template <class Query>
    const Value* find(const Query& key) const {
        const auto* entry = entries_.find(key);
        return entry ? value_of(*entry) : nullptr;
    }
    template <class Query>
    bool contains(const Query& key) const {
        return find(key) != nullptr;
    }

    /// The keys that have a value. O(n): tombstones are skipped.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Key&, const Value&) { ++count; });
        return count;
    }
    void prefetch(const Key& key) const { entries_.prefetch(key); }
    bool empty() const { return size() == 0; }

    /// Calls `f(key, value)` for each key that has one.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [key, writes] : entries_)
            if (const Value* value = value_of(writes)) f(key, *value);
    }

    /// For a delta: calls `f(key)` for each key that it writes or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        entries_.for_each_mentioned(f);
    }

    bool merge(const LwwMap& theirs, const Join& join) { return entries_.merge(theirs.entries_, join); }
    bool merge(LwwMap&& theirs, const Join& join) { return entries_.merge(std::move(theirs.entries_), join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return entries_.is_bottom(); }
    bool drop_stable(const VersionVector& stable) {
        const auto is_dead = [](const auto& entry) { return !entry.value.value.has_value(); };
        return entries_.drop_entries([&](const Writes& writes) { return writes.may_drop(is_dead); },
                                     [&](Writes& writes) { return writes.drop_stable(stable, is_dead); });
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

    friend bool operator==(const LwwMap&, const LwwMap&) = default;

   private:
    using Writes = detail::LastWriter<std::optional<Value>>;

    static const Value* value_of(const Writes& writes) {
        const auto* latest = writes.latest();
        return latest && latest->value.value ? &*latest->value.value : nullptr;
    }

    LwwMap write(Change& change, Key key, std::optional<Value> value) const {
        LwwMap delta;
        Writes written = held(key).assign(change, std::move(value));
        delta.entries_[std::move(key)] = std::move(written);
        return delta;
    }

    Writes held(const Key& key) const {
        const Writes* held = entries_.find(key);
        return held ? *held : Writes{};
    }

    DotMap<Key, Writes> entries_;
};

}  // namespace netsync
