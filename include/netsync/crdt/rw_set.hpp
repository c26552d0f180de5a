// netsync: a set in which a remove wins over a concurrent add.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/inverse.hpp>
#include <netsync/crdt/marked.hpp>
#include <utility>

namespace netsync {

/// The remove-wins set (Bauwens, Gonzalez Boix 2020; Baquero, Almeida, Shoker 2017): a remove wins over the adds that had
/// not seen it, and only an add that has seen it brings the element back. A remove leaves a mark under its own dot. Once
/// every member has seen a mark, the next change made by anybody who knows takes it away (`compact` does nothing else);
/// below an OrMap marks stay until the element is added again or a parent is removed.
/// add, remove, contains: O(log size).
template <class Element>
class RwSet {
   public:
    /// A delta that adds `element`: it stays unless somebody removes it meanwhile.
    [[nodiscard]] RwSet add(Change& change, Element element) const {
        return write(change, element, &detail::Marked::adds);
    }

    /// A delta that removes `element`, also where it is added at the same time. Nothing where it is absent.
    template <class Query>
    [[nodiscard]] RwSet remove(Change& change, const Query& element) const {
        return contains(element) ? write(change, Element(element), &detail::Marked::marks) : RwSet{};
    }

    /// A delta that takes away marks that every member is known to have seen, 64 at most; nothing where there are none.
    [[nodiscard]] RwSet compact(Change& change) const {
        RwSet delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent);
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] RwSet inverse(Change& change, const RwSet& before, const RwSet& delta, Scope scope) const {
        RwSet back;
        const auto restore = [&](const Element& element) {
            if (before.contains(element) == contains(element)) return;
            if (const detail::Marked* held = elements_.find(element)) change.remove_all(*held);
            back.elements_[element].*(contains(element) ? &detail::Marked::marks : &detail::Marked::adds) =
                DotSet{change.mint()};
        };
        for (const auto& [element, made] : delta.elements_)
            if (const detail::Marked* held = elements_.find(element); held && detail::any_of_made(*held, made))
                restore(element);
        if (scope == Scope::whole)
            before.for_each([&](const Element& element) {
                if (!delta.elements_.find(element) && !elements_.find(element)) restore(element);
            });
        return back;
    }

    template <class Query>
    bool contains(const Query& element) const {
        const detail::Marked* held = elements_.find(element);
        return held && held->present();
    }
    /// O(n): marks are skipped.
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
        for (const auto& [element, held] : elements_) f(element);
    }

    bool merge(const RwSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    /// Notes which marks may go; the next change takes them away. True if these are others than before.
    bool drop_stable(const VersionVector& stable) { return settled_.note(elements_, stable, is_spent); }
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

    friend bool operator==(const RwSet& a, const RwSet& b) { return a.elements_ == b.elements_; }

   private:
    /// Of a mark that all have seen every add that loses to it is here too; together they go.
    static bool is_spent(const detail::Marked& held, const VersionVector& stable) {
        return !held.marks.is_bottom() && detail::is_within(held, stable);
    }

    RwSet write(Change& change, const Element& element, DotSet detail::Marked::* which) const {
        RwSet delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent, &element);
        if (const detail::Marked* held = elements_.find(element)) change.remove_all(*held);
        delta.elements_[element].*which = DotSet{change.mint()};
        return delta;
    }

    DotMap<Element, detail::Marked> elements_;
    detail::Settled<Element> settled_;
};

}  // namespace netsync
