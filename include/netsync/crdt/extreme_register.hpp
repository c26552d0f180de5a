// netsync: the least or the greatest value ever written.
#pragma once

#include <functional>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <utility>

namespace netsync {

/// Of all that was written the value that `Better` puts first. Each write lies under its own dot, as in Joined, so that a
/// parent that is removed takes exactly what its remover had seen. A write that is no better than what is seen is nothing.
/// Before the first write it reads as a default-constructed value. assign: O(1).
template <class Value, class Better>
class ExtremeRegister {
   public:
    /// A delta that writes `value`; nothing where one as good is there.
    [[nodiscard]] ExtremeRegister assign(Change& change, Value value) const {
        ExtremeRegister delta;
        if (const Value* held = best(); held && !Better{}(value, *held)) return delta;
        change.remove_all(writes_);
        delta.writes_ = {change.mint(), std::move(value)};
        return delta;
    }

    bool has_value() const noexcept { return !writes_.is_bottom(); }

    const Value& value() const {
        static const Value unwritten{};
        const Value* held = best();
        return held ? *held : unwritten;
    }

    bool merge(const ExtremeRegister& theirs, const Join& join) { return writes_.merge(theirs.writes_, join); }
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

    friend bool operator==(const ExtremeRegister&, const ExtremeRegister&) = default;

   private:
    const Value* best() const {
        const Value* best = nullptr;
        writes_.for_each([&](const auto& entry) {
            if (!best || Better{}(entry.value, *best)) best = &entry.value;
        });
        return best;
    }

    DotFun<Value> writes_;
};

/// The least value ever written.
template <class Value>
using MinRegister = ExtremeRegister<Value, std::less<Value>>;
/// The greatest value ever written.
template <class Value>
using MaxRegister = ExtremeRegister<Value, std::greater<Value>>;

}  // namespace netsync
