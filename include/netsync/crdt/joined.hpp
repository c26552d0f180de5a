// netsync: a monotone type under dots, so that a removable parent can hold it.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <utility>

namespace netsync {

/// Each write of a monotone `Value` lies under its own dot, and the value read is the join of those alive: what an
/// OrMap holds of a leaf that has only `bool merge(const T&)`. A write joins what its writer had seen.
template <monotone Value>
class Joined {
   public:
    /// A delta that joins `value` in.
    [[nodiscard]] Joined add(Change& change, Value value) const {
        writes_.for_each([&](const auto& entry) { value.merge(entry.value); });
        change.remove_all(writes_);
        Joined delta;
        delta.writes_ = {change.mint(), std::move(value)};
        return delta;
    }

    /// The join of all writes that are alive; the bottom where there are none.
    Value value() const {
        Value joined{};
        writes_.for_each([&](const auto& entry) { joined.merge(entry.value); });
        return joined;
    }

    bool merge(const Joined& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
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

    friend bool operator==(const Joined&, const Joined&) = default;

   private:
    DotFun<Value> writes_;
};

}  // namespace netsync
