// netsync: one value; the last writer wins.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <optional>
#include <tuple>
#include <utility>

namespace netsync {

/// A value and when it was written.
template <class Value>
struct Stamped {
    Ntp64 time;
    Value value{};

    template <class Archive>
    void save(Archive& out) const {
        out.stamp(time);
        out(value);
    }
    template <class Archive>
    void load(Archive& in) {
        time = in.stamp();
        in(value);
    }
};

/// Whether there is a value goes into the number of the dot (Output::marked_dot): a byte less for each.
template <class Value>
struct Stamped<std::optional<Value>> {
    Ntp64 time;
    std::optional<Value> value{};

    bool is_marked() const noexcept { return value.has_value(); }
    template <class Archive>
    void save_marked(Archive& out) const {
        out.stamp(time);
        if (value) out(*value);
    }
    template <class Archive>
    void load_marked(Archive& in, bool mark) {
        time = in.stamp();
        if (mark && in.ok()) in(value.emplace());
    }
};

namespace detail {

/// Values written at once are all kept, and the latest is the one read: by time, then replica id, then counter. They
/// must be kept: a parent's remover that saw only the latest must not make replicas differ over the others.
template <class Value>
class LastWriter {
   public:
    static constexpr bool delta_is_state = true;

    using Entry = typename DotFun<Stamped<Value>>::Entry;

    /// The latest entry, or null where nothing was written.
    const Entry* latest() const {
        const Entry* best = nullptr;
        writes_.for_each([&](const Entry& entry) {
            if (!best || is_later(entry, *best)) best = &entry;
        });
        return best;
    }

    /// Whether the latest write is the one that `delta` made.
    bool is_still(const LastWriter& delta) const {
        const Entry *held = latest(), *made = delta.latest();
        return held && made && held->dot == made->dot;
    }

    [[nodiscard]] LastWriter assign(Change& change, Value value) const {
        change.remove_all(writes_);
        LastWriter delta;
        delta.writes_ = {change.mint(), {change.time(), std::move(value)}};
        return delta;
    }

    /// Calls `f(entry)` for each write that is kept, in no order.
    template <class F>
    void for_each(F&& f) const {
        writes_.for_each(f);
    }

    bool merge(const LastWriter& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }
    friend bool operator==(const LastWriter&, const LastWriter&) = default;

    /// Forgets what every member has seen and that has lost to what every member has seen. Where that is `dead(entry)`, a
    /// tombstone, it goes too, with all that is earlier, once everybody has that: a winner only ever gives way to a later
    /// write. Not for use below a parent that removes (OrMap): who has forgotten would remove less than another still holds.
    template <class Dead>
    bool drop_stable(const VersionVector& stable, Dead&& dead) {
        std::optional<Entry> best;
        writes_.for_each([&](const Entry& entry) {
            if (stable.contains(entry.dot) && (!best || is_later(entry, *best))) best = entry;
        });
        if (!best) return false;
        if (dead(*best)) {
            const bool pending = writes_.find_if(
                [&](const Entry& entry) { return is_later(*best, entry) && !stable.contains(entry.dot); });
            return !pending && writes_.retain([&](const Entry& entry) { return is_later(entry, *best); });
        }
        return writes_.size() > 1 && writes_.retain([&](const Entry& entry) {
            return entry.dot == best->dot || !stable.contains(entry.dot);
        });
    }

    /// Whether drop_stable may find anything.
    template <class Dead>
    bool may_drop(Dead&& dead) const {
        return writes_.size() > 1 || writes_.find_if(dead);
    }

   private:
    static bool is_later(const Entry& a, const Entry& b) {
        if (a.value.time != b.value.time) return a.value.time > b.value.time;
        return precedes(b.dot, a.dot);
    }

    DotFun<Stamped<Value>> writes_;
};

}  // namespace detail

/// The last-writer-wins register (Johnson, Thomas 1975): of concurrent writes the one with the later timestamp is read;
/// a write always supersedes what its writer had seen. Before the first write it reads as a default-constructed value.
template <class Value>
class LwwRegister {
   public:
    /// A delta that writes `value`.
    [[nodiscard]] LwwRegister assign(Change& change, Value value) const {
        LwwRegister delta;
        delta.writes_ = writes_.assign(change, std::move(value));
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] LwwRegister inverse(Change& change, const LwwRegister& before, const LwwRegister& delta,
                                      Scope scope) const {
        const bool removed = scope == Scope::whole && delta.is_bottom() && is_bottom() && before.has_value();
        return removed || writes_.is_still(delta.writes_) ? assign(change, before.value()) : LwwRegister{};
    }

    bool has_value() const { return !writes_.is_bottom(); }

    const Value& value() const {
        static const Value unwritten{};
        const auto* latest = writes_.latest();
        return latest ? latest->value.value : unwritten;
    }

    /// When and by whom the value was written; all zero before the first write.
    Stamped<ReplicaId> written() const {
        const auto* latest = writes_.latest();
        return latest ? Stamped<ReplicaId>{latest->value.time, id_of(latest->dot.replica())} : Stamped<ReplicaId>{};
    }

    bool merge(const LwwRegister& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        writes_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return writes_.is_bottom(); }
    bool drop_stable(const VersionVector& stable) {
        return writes_.drop_stable(stable, [](const auto&) { return false; });
    }
    template <class Archive>
    void save(Archive& out) const {
        writes_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        writes_.load(in);
    }

    friend bool operator==(const LwwRegister&, const LwwRegister&) = default;

   private:
    detail::LastWriter<Value> writes_;
};

}  // namespace netsync
