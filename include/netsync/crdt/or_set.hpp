// netsync: a set in which an add wins over a concurrent remove, without tombstones.
#pragma once

#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <netsync/crdt/inverse.hpp>
#include <utility>

namespace netsync {

/// The optimised observed-remove set (Bieniusa et al. 2012): a remove takes away exactly the adds that it has seen, so
/// a concurrent add stays. An element costs its key and one dot; a removed one costs nothing.
/// `Element` is ordered (`<`) and encodable.
/// add, remove, contains: O(log size). Iterates in ascending order; equality includes the dots.
template <class Element>
class OrSet {
   public:
    /// A delta that adds `element`. Adding what is there renews it: it then wins over removes that had not seen this.
    [[nodiscard]] OrSet add(Change& change, Element element) const {
        OrSet delta;
        if (const DotSet* held = elements_.find(element)) change.remove_all(*held);
        delta.elements_[std::move(element)] = DotSet{change.mint()};
        return delta;
    }

    /// A delta that removes `element` as it was seen here. Nothing where it is absent.
    template <class Query>
    [[nodiscard]] OrSet remove(Change& change, const Query& element) const {
        OrSet delta;
        if (const DotSet* held = elements_.find(element)) {
            change.remove_all(*held);
            delta.elements_.empty_key(Element(element));
        }
        return delta;
    }

    /// A delta that removes everything seen here. O(size).
    [[nodiscard]] OrSet clear(Change& change) const {
        OrSet delta;
        for (const auto& [element, dots] : elements_) {
            change.remove_all(dots);
            delta.elements_.empty_key(element);
        }
        return delta;
    }

    /// See netsync::inverse.
    [[nodiscard]] OrSet inverse(Change& change, const OrSet& before, const OrSet& delta, Scope scope) const {
        OrSet back;
        const auto add_again = [&](const Element& element) {
            if (before.contains(element) && !contains(element)) back.elements_[element] = DotSet{change.mint()};
        };
        delta.for_each_mentioned([&](const Element& element) {
            const DotSet* made = delta.elements_.find(element);
            if (!made) return add_again(element);
            const DotSet* held = elements_.find(element);
            if (held && !before.contains(element) && detail::remove_made(change, *held, *made))
                back.elements_.empty_key(element);
        });
        if (scope == Scope::whole)
            before.for_each([&](const Element& element) {
                if (!delta.elements_.mentions(element)) add_again(element);
            });
        return back;
    }

    template <class Query>
    bool contains(const Query& element) const {
        return elements_.find(element) != nullptr;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const noexcept { return elements_.empty(); }
    std::size_t size() const noexcept { return elements_.size(); }

    /// Calls `f(element)` for each.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, dots] : elements_) f(element);
    }

    /// For a delta: calls `f(element)` for each element that it adds or removes; ask the state which it was.
    template <class F>
    void for_each_mentioned(F&& f) const {
        elements_.for_each_mentioned(f);
    }

    bool merge(const OrSet& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    bool merge(OrSet&& theirs, const Join& join) { return elements_.merge(std::move(theirs.elements_), join); }
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

    friend bool operator==(const OrSet&, const OrSet&) = default;

   private:
    DotMap<Element, DotSet> elements_;
};

}  // namespace netsync
