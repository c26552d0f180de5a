// netsync: a set that only grows.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>

namespace netsync {

/// The grow-only set: adds commute and there is no remove. Each element lies under a dot, so that a parent that is
/// removed takes along exactly the elements that its remover had seen. add, contains: O(log size).
template <class Element>
class GSet {
   public:
    /// A delta that adds `element`; nothing where it is there already.
    [[nodiscard]] GSet add(Change& change, Element element) const {
        GSet delta;
        if (!elements_.find(element)) delta.elements_[element] = DotSet{change.mint()};
        return delta;
    }

    template <class Query>
    bool contains(const Query& element) const {
        return elements_.find(element) != nullptr;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const noexcept { return elements_.empty(); }
    std::size_t size() const noexcept { return elements_.size(); }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, dots] : elements_) f(element);
    }

    bool merge(const GSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        elements_.save(out);
    }
    template <class Archive>
    void save_and_let_go(Archive& out) {
        elements_.save_and_let_go(out);
    }
    template <class Archive>
    void load(Archive& in) {
        elements_.load(in);
    }
    template <class Archive>
    bool load_and_merge(Archive& in, const Join& join) {
        return elements_.load_and_merge(in, join);
    }

    friend bool operator==(const GSet&, const GSet&) = default;

   private:
    DotMap<Element, DotSet> elements_;
};

}  // namespace netsync
