// netsync: data that each owner writes alone and everybody reads.
#pragma once

#include <algorithm>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/inverse.hpp>
#include <netsync/detail/sorted_map.hpp>
#include <utility>
#include <vector>

namespace netsync {

/// One part of type `Part` for each owner. A change may touch the part of its own replica's owner only: `update` writes
/// no other, the replica refuses a local delta that would, and merge refuses a frame whose origin is another
/// (errc::not_owner, state unchanged). `Part` is any CRDT. A removed parent keeps the parts of other owners.
template <class Part>
class Owned {
   public:
    /// A delta of one's own part: `f(const Part&, Change&)` returns the part's delta.
    template <class F>
    [[nodiscard]] Owned update(Change& change, F&& f) const {
        require_crdt();
        const Part* held = parts_.find(change.owner());
        Owned delta;
        if (Part part = f(held ? *held : bottom(), change); !netsync::is_bottom(part))
            *delta.parts_.try_emplace(change.owner()).first = std::move(part);
        return delta;
    }

    /// See netsync::inverse: of one's own part.
    [[nodiscard]] Owned inverse(Change& change, const Owned& before, const Owned& delta, Scope scope) const {
        const Part *was = before.find(change.owner()), *made = delta.find(change.owner());
        return update(change, [&](const Part& part, Change& inner) {
            return inverse_of(part, inner, was ? *was : bottom(), made ? *made : bottom(), scope);
        });
    }

    /// The part of `owner`, or null where it has written nothing.
    const Part* find(OwnerId owner) const { return parts_.find(owner); }
    bool empty() const noexcept { return parts_.empty(); }
    std::size_t size() const noexcept { return parts_.size(); }

    /// Calls `f(owner, part)` for each owner, by ascending id.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [owner, part] : parts_) f(owner, part);
    }

    bool merge(const Owned& theirs, const Join& join) {
        require_crdt();
        bool changed = false;
        for (const auto& [owner, part] : theirs.parts_) {
            if (join.origin && *join.origin != owner) continue;
            changed |= netsync::merge(*parts_.try_emplace(owner).first, part, join);
        }
        if (join.scope == Scope::whole)
            changed |= change_parts([&](OwnerId owner, Part& part) {
                const bool theirs_to_remove = !join.origin || *join.origin == owner;
                return theirs_to_remove && !theirs.parts_.find(owner) && netsync::merge(part, bottom(), join);
            });
        else
            drop_empty(theirs);
        return changed;
    }

    template <class F>
    void for_each_dot(F&& visit) const {
        for (const auto& [owner, part] : parts_) netsync::for_each_dot(part, visit);
    }
    bool is_bottom() const noexcept { return parts_.empty(); }
    bool permits(OwnerId owner) const {
        return std::all_of(parts_.begin(), parts_.end(), [&](const auto& entry) { return entry.key == owner; });
    }
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        change_parts([&](OwnerId, Part& part) { return netsync::reissue(part, keep), true; });
    }
    bool drop_stable(const VersionVector& stable) {
        return change_parts([&](OwnerId, Part& part) { return netsync::drop_stable(part, stable); });
    }

    template <class Archive>
    void save(Archive& out) const {
        out.count(parts_.size(), sizeof(OwnerId) + sizeof(Part));
        for (const auto& [owner, part] : parts_) out(owner, part);
    }
    template <class Archive>
    void load(Archive& in) {
        OwnerId previous{};
        const std::size_t count = in.count(sizeof(OwnerId) + sizeof(Part));
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            OwnerId owner{};
            in(owner);
            if (at > 0 && owner <= previous) return in.fail(errc::malformed);
            in(*parts_.try_emplace(owner).first);
            previous = owner;
        }
    }

    friend bool operator==(const Owned& a, const Owned& b) {
        return a.parts_.equal(b.parts_, [](const Part& x, const Part& y) { return netsync::equal(x, y); });
    }

   private:
    static constexpr void require_crdt() {
        static_assert(crdt<Part>, "netsync: the part of an Owned must model netsync::crdt");
    }

    static const Part& bottom() {
        static const Part part{};
        return part;
    }

    /// Applies `f(owner, part)`, which says whether it changed anything, to each; parts left empty go. Nothing else is written
    /// to: what copies share stays shared.
    template <class F>
    bool change_parts(F&& f) {
        std::vector<std::pair<OwnerId, Part>> written;
        bool changed = false;
        for (const auto& [owner, held] : parts_) {
            Part part = held;
            const bool is_changed = f(owner, part);
            changed |= is_changed;
            if (is_changed || netsync::is_bottom(part)) written.emplace_back(owner, std::move(part));
        }
        for (auto& [owner, part] : written)
            if (netsync::is_bottom(part))
                parts_.erase(owner);
            else
                *parts_.find(owner) = std::move(part);
        return changed;
    }

    void drop_empty(const Owned& mentioned) {
        for (const auto& [owner, mention] : mentioned.parts_)
            if (const Part* part = std::as_const(parts_).find(owner); part && netsync::is_bottom(*part))
                parts_.erase(owner);
    }

    detail::SortedMap<OwnerId, Part> parts_;
};

/// As causal as its parts: one with monotone parts cannot go into an OrMap.
template <class Part>
inline constexpr bool is_causal<Owned<Part>> = is_causal<Part>;

}  // namespace netsync
