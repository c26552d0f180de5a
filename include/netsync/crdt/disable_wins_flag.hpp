// netsync: a flag in which disabling wins.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/inverse.hpp>
#include <netsync/crdt/marked.hpp>

namespace netsync {

/// Off at first; a disable wins over the enables that had not seen it. Holds one dot while nobody writes at once. O(1).
class DisableWinsFlag {
   public:
    [[nodiscard]] DisableWinsFlag enable(Change& change) const {
        DisableWinsFlag delta;
        change.remove_all(flag_);
        delta.flag_.adds = DotSet{change.mint()};
        return delta;
    }
    /// Nothing where the flag was never enabled.
    [[nodiscard]] DisableWinsFlag disable(Change& change) const {
        DisableWinsFlag delta;
        if (is_bottom()) return delta;
        change.remove_all(flag_);
        delta.flag_.marks = DotSet{change.mint()};
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] DisableWinsFlag inverse(Change& change, const DisableWinsFlag& before, const DisableWinsFlag& delta,
                                          Scope scope) const {
        return detail::inverse_of_flag(*this, change, before, delta, scope);
    }

    bool value() const noexcept { return flag_.present(); }

    bool merge(const DisableWinsFlag& theirs, const Join& join) { return netsync::merge(flag_, theirs.flag_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        netsync::for_each_dot(flag_, visit);
    }
    bool is_bottom() const noexcept { return netsync::is_bottom(flag_); }
    template <class Archive>
    void save(Archive& out) const {
        out(flag_);
    }
    template <class Archive>
    void load(Archive& in) {
        in(flag_);
    }

    friend bool operator==(const DisableWinsFlag& a, const DisableWinsFlag& b) {
        return netsync::equal(a.flag_, b.flag_);
    }

   private:
    detail::Marked flag_;
};

}  // namespace netsync
