// netsync: a set whose elements are removed for good.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/marked.hpp>
#include <utility>

namespace netsync {

/// The two-phase set (Shapiro et al. 2011): an element that was once removed never comes back, whatever is added before,
/// meanwhile or later: for names that are used once. Each removed element costs its key and a mark, for ever; only a
/// removable parent forgets the marks that its remover had seen. add, remove, contains: O(log size).
template <class Element>
class TwoPhaseSet {
   public:
    /// A delta that adds `element`; nothing where it is there, or was removed.
    [[nodiscard]] TwoPhaseSet add(Change& change, Element element) const {
        TwoPhaseSet delta;
        if (!elements_.find(element)) delta.elements_[element].adds = DotSet{change.mint()};
        return delta;
    }

    /// A delta that removes `element` for good; nothing where it is absent.
    template <class Query>
    [[nodiscard]] TwoPhaseSet remove(Change& change, const Query& element) const {
        TwoPhaseSet delta;
        const detail::Marked* held = elements_.find(element);
        if (!held || !held->present()) return delta;
        change.remove_all(*held);
        delta.elements_[Element(element)].marks = DotSet{change.mint()};
        return delta;
    }

    template <class Query>
    bool contains(const Query& element) const {
        const detail::Marked* held = elements_.find(element);
        return held && held->present();
    }
    /// Whether `element` was removed, and so can never be added again.
    template <class Query>
    bool was_removed(const Query& element) const {
        const detail::Marked* held = elements_.find(element);
        return held && !held->marks.is_bottom();
    }
    /// O(n): removed elements are skipped.
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Element&) { ++count; });
        return count;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return size() == 0; }

    /// Calls `f(element)` for each, in ascending order.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, held] : elements_)
            if (held.present()) f(element);
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        elements_.for_each_mentioned(f);
    }

    bool merge(const TwoPhaseSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
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

    friend bool operator==(const TwoPhaseSet&, const TwoPhaseSet&) = default;

   private:
    DotMap<Element, detail::Marked> elements_;
};

}  // namespace netsync
