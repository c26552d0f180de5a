// netsync: a set in which the later of an add and a remove wins.
#pragma once

#include <netsync/crdt/lww_map.hpp>

namespace netsync {

/// The last-writer-wins element set (Shapiro et al. 2011). Stamps are unique (time, then replica id), so there is no
/// bias between add and remove: of two at the same time the greater replica id wins, whichever it was.
/// Where a concurrent add should win instead, use OrSet, which also keeps no tombstones.
template <class Element>
class LwwSet {
   public:
    /// A delta that adds `element`.
    [[nodiscard]] LwwSet add(Change& change, Element element) const {
        LwwSet delta;
        delta.elements_ = elements_.assign(change, std::move(element), Present{});
        return delta;
    }

    /// A delta that removes `element`; nothing where it is absent.
    template <class Query>
    [[nodiscard]] LwwSet remove(Change& change, const Query& element) const {
        LwwSet delta;
        delta.elements_ = elements_.remove(change, element);
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] LwwSet inverse(Change& change, const LwwSet& before, const LwwSet& delta, Scope scope) const {
        LwwSet back;
        back.elements_ = elements_.inverse(change, before.elements_, delta.elements_, scope);
        return back;
    }

    template <class Query>
    bool contains(const Query& element) const {
        return elements_.contains(element);
    }
    /// O(n): tombstones are skipped.
    std::size_t size() const { return elements_.size(); }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return elements_.empty(); }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        elements_.for_each([&](const Element& element, const Present&) { f(element); });
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        elements_.for_each_mentioned(f);
    }

    bool merge(const LwwSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    bool drop_stable(const VersionVector& stable) { return elements_.drop_stable(stable); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const LwwSet&, const LwwSet&) = default;

   private:
    struct Present {
        template <class Archive>
        void save(Archive&) const {}
        template <class Archive>
        void load(Archive&) {}
        friend bool operator==(const Present&, const Present&) = default;
    };

    LwwMap<Element, Present> elements_;
};

}  // namespace netsync
