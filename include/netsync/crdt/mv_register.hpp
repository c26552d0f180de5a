// netsync: one value; concurrent writes are all kept and shown.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/crdt/inverse.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// The multi-value register (DeCandia et al. 2007, Shapiro et al. 2011): a write supersedes what its writer had seen, and
/// of concurrent ones none is lost: `values()` has them all until somebody who has seen them writes. assign: O(values).
template <class Value>
class MvRegister {
   public:
    /// A delta that writes `value`, which settles all conflicts seen here.
    [[nodiscard]] MvRegister assign(Change& change, Value value) const {
        change.remove_all(writes_);
        MvRegister delta;
        delta.writes_ = {change.mint(), std::move(value)};
        return delta;
    }

    /// See netsync::inverse: where nobody has written since, it has the values again that it had.
    [[nodiscard]] MvRegister inverse(Change& change, const MvRegister& before, const MvRegister& delta,
                                     Scope scope) const {
        MvRegister back;
        const bool removed = scope == Scope::whole && delta.is_bottom() && is_bottom() && before.has_value();
        if (!detail::remove_made(change, *this, delta) && !removed) return back;
        std::vector<Value> values = before.values();
        if (values.empty()) values.emplace_back();
        const CausalContext none;
        for (Value& value : values)
            back.writes_.merge(DotFun<Value>{change.mint(), std::move(value)}, Join{.mine = none, .theirs = none});
        return back;
    }

    /// The values that nobody has superseded, by the id of their writers, ascending: the same order everywhere.
    std::vector<Value> values() const {
        std::vector<typename DotFun<Value>::Entry> entries;
        writes_.for_each([&](const auto& entry) { entries.push_back(entry); });
        std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return precedes(a.dot, b.dot); });
        std::vector<Value> values;
        for (auto& entry : entries) values.push_back(std::move(entry.value));
        return values;
    }

    bool has_value() const noexcept { return !writes_.is_bottom(); }
    /// Whether there is more than one value.
    bool has_conflict() const noexcept { return writes_.size() > 1; }

    bool merge(const MvRegister& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
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

    friend bool operator==(const MvRegister&, const MvRegister&) = default;

   private:
    DotFun<Value> writes_;
};

}  // namespace netsync
