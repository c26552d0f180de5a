// netsync: a flag in which enabling wins.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/crdt/inverse.hpp>

namespace netsync {

/// Off at first; an enable wins over the disables that had not seen it. A disabled flag holds nothing. O(1).
class EnableWinsFlag {
   public:
    [[nodiscard]] EnableWinsFlag enable(Change& change) const {
        EnableWinsFlag delta;
        change.remove_all(enables_);
        delta.enables_ = DotSet{change.mint()};
        return delta;
    }
    /// Nothing where the flag is off.
    [[nodiscard]] EnableWinsFlag disable(Change& change) const {
        EnableWinsFlag delta;
        change.remove_all(enables_);
        delta.disabled_ = value();
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] EnableWinsFlag inverse(Change& change, const EnableWinsFlag& before, const EnableWinsFlag& delta,
                                         Scope scope) const {
        return detail::inverse_of_flag(*this, change, before, delta, scope);
    }

    bool value() const noexcept { return !enables_.is_bottom(); }

    bool merge(const EnableWinsFlag& theirs, const Join& join) {
        if (join.target == Target::delta) disabled_ = disabled_ || theirs.disabled_;
        return enables_.merge(theirs.enables_, join);
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        enables_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return enables_.is_bottom() && !disabled_; }
    template <class Archive>
    void save(Archive& out) const {
        enables_.save(out);
        if (enables_.is_bottom()) out(disabled_);
    }
    template <class Archive>
    void load(Archive& in) {
        enables_.load(in);
        if (enables_.is_bottom()) in(disabled_);
    }

    friend bool operator==(const EnableWinsFlag& a, const EnableWinsFlag& b) { return a.enables_ == b.enables_; }

   private:
    DotSet enables_;
    bool disabled_ = false;  // in deltas only: mentions that what was seen goes
};

}  // namespace netsync
