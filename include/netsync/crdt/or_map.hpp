// netsync: keys to CRDTs of any causal type, nested at will.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/crdt/inverse.hpp>
#include <utility>

namespace netsync {

/// The observed-remove map (Almeida, Shoker, Baquero 2018). A key is there while anything is alive in its value.
/// Removing a key takes away exactly what the remover had seen under it (reset-remove): what is written there
/// concurrently stays, alone. `Value` is causal (wrap a monotone type as Joined<T>) and may be incomplete here, so that
/// types can be recursive. update, remove, find: O(log size) beside the value's own cost.
template <class Key, class Value>
class OrMap {
   public:
    /// A delta that changes the value under `key`: `f(const Value&, Change&)` returns the value's delta. A key that is
    /// absent starts from a default-constructed value.
    template <class Query, class F>
    [[nodiscard]] OrMap update(Change& change, const Query& key, F&& f) const {
        require_causal();
        const Value* held = entries_.find(key);
        OrMap delta;
        if (Value part = f(held ? *held : bottom(), change); !netsync::is_bottom(part))
            delta.entries_[Key(key)] = std::move(part);
        return delta;
    }

    /// A delta that removes `key` as it was seen here; nothing where it is absent. O(dots under it).
    template <class Query>
    [[nodiscard]] OrMap remove(Change& change, const Query& key) const {
        require_causal();
        OrMap delta;
        if (const Value* held = entries_.find(key)) {
            change.remove_all(*held);
            delta.entries_.empty_key(Key(key));
        }
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] OrMap inverse(Change& change, const OrMap& before, const OrMap& delta, Scope scope) const {
        OrMap back;
        const auto take_back = [&](const Key& key, Scope below) {
            const Value *held = find(key), *was = before.find(key), *made = delta.find(key);
            if (!was) {  // the key came with the change
                if (held && made && detail::remove_made(change, *held, *made)) back.entries_.empty_key(key);
            } else if (Value part = inverse_of(held ? *held : bottom(), change, *was, made ? *made : bottom(), below);
                       !netsync::is_bottom(part)) {
                back.entries_[key] = std::move(part);
            }
        };
        delta.for_each_mentioned(
            [&](const Key& key) { take_back(key, delta.entries_.empties(key) ? Scope::whole : scope); });
        if (scope == Scope::whole)
            before.for_each([&](const Key& key, const Value&) {
                if (!delta.mentions(key)) take_back(key, scope);
            });
        return back;
    }

    /// The value under `key`, or null. Good until the map changes.
    template <class Query>
    const Value* find(const Query& key) const {
        return entries_.find(key);
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
        for (const auto& [key, value] : entries_) f(key, value);
    }

    /// For a delta: calls `f(key)` for each key that it touches.
    template <class F>
    void for_each_mentioned(F&& f) const {
        entries_.for_each_mentioned(f);
    }
    /// For a delta: whether `key` was touched.
    template <class Query>
    bool mentions(const Query& key) const {
        return entries_.mentions(key);
    }

    bool merge(const OrMap& theirs, const Join& join) {
        require_causal();
        return entries_.merge(theirs.entries_, join);
    }
    bool merge(OrMap&& theirs, const Join& join) {
        require_causal();
        return entries_.merge(std::move(theirs.entries_), join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        entries_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return entries_.is_bottom(); }
    bool permits(OwnerId owner) const { return entries_.permits(owner); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { entries_.reissue(keep); }
    // No drop_stable: who has forgotten a value's metadata would remove less of it than another replica still holds.
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

    friend bool operator==(const OrMap& a, const OrMap& b) { return a.entries_ == b.entries_; }

   private:
    static constexpr void require_causal() {
        static_assert(causal<Value>,
                      "netsync: the value of an OrMap must model netsync::causal (all its content under dots); wrap a "
                      "monotone type as netsync::Joined<T>");
    }

    static const Value& bottom() {
        static const Value value{};
        return value;
    }

    DotMap<Key, Value> entries_;
};

}  // namespace netsync
