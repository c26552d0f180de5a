// netsync: a counter that goes up.
#pragma once

#include <cstdint>
#include <netsync/crdt/totals.hpp>

namespace netsync {

/// The sum of what each replica has counted (Shapiro et al. 2011); nothing takes a count back but a removable parent, as
/// for PnCounter. increment, value: O(replicas). Wraps at 64 bits.
class GCounter {
   public:
    /// A delta that counts up by `by`.
    [[nodiscard]] GCounter increment(Change& change, std::uint64_t by = 1) const {
        GCounter delta;
        delta.totals_ = totals_.count(change, {by});
        return delta;
    }

    std::uint64_t value() const {
        std::uint64_t sum = 0;
        totals_.for_each([&](const auto& entry) { sum += entry.value.up; });
        return sum;
    }

    bool merge(const GCounter& theirs, const Join& join) { return totals_.merge(theirs.totals_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        totals_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return totals_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { totals_.reissue(keep); }
    template <class Archive>
    void save(Archive& out) const {
        totals_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        totals_.load(in);
    }

    friend bool operator==(const GCounter&, const GCounter&) = default;

   private:
    struct Up {
        std::uint64_t up = 0;

        void add(const Up& other) noexcept { up += other.up; }
        template <class Archive>
        void save(Archive& out) const {
            out(up);
        }
        template <class Archive>
        void load(Archive& in) {
            in(up);
        }
        friend bool operator==(const Up&, const Up&) = default;
    };

    detail::Totals<Up> totals_;
};

}  // namespace netsync
