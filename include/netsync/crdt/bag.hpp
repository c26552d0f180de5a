// netsync: a multiset: elements and how often each is there.
#pragma once

#include <concepts>
#include <cstdint>
#include <netsync/crdt/marked.hpp>
#include <netsync/crdt/resettable_counter.hpp>
#include <utility>

namespace netsync {

/// Each element has a ResettableCounter: adds of all replicas add up, removing a number counts down, removing an element
/// takes all that its remover had seen, and what is added meanwhile stays. An element that two replicas took the last one
/// of is not there; the next add makes up for that first. An element that is not there any more costs its counter until
/// every member has seen it go; then the next change made by anybody who knows takes it away (`compact` does nothing else).
/// add, remove, count: O(log size + replicas).
template <class Element>
class Bag {
   public:
    /// A delta that adds `number` of `element`; nothing where that is not positive.
    template <std::integral Number = int>
    [[nodiscard]] Bag add(Change& change, Element element, Number number = 1) const {
        Bag delta;
        if (!(number > 0)) return delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent, &element);
        const ResettableCounter now = counter(element);
        const auto missing = now.value() < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(now.value()) : 0u;
        delta.elements_[element] = now.increment(change, static_cast<std::uint64_t>(number) + missing);
        return delta;
    }

    /// A delta that removes `number` of `element`, or as many as are seen here. Nothing where there are none.
    template <class Query, std::integral Number>
    [[nodiscard]] Bag remove(Change& change, const Query& element, Number number) const {
        Bag delta;
        const std::uint64_t held = count(element);
        if (!(number > 0) || held == 0) return delta;
        if (static_cast<std::uint64_t>(number) >= held) return remove(change, element);
        delta.elements_[Element(element)] = counter(element).decrement(change, static_cast<std::uint64_t>(number));
        return delta;
    }
    /// A delta that removes all of `element` that are seen here.
    template <class Query>
    [[nodiscard]] Bag remove(Change& change, const Query& element) const {
        Bag delta;
        const Element key(element);
        if (count(key) == 0) return delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent, &key);
        delta.elements_[key] = counter(key).reset(change);
        return delta;
    }

    /// A delta that takes away what is left of elements that every member is known to have seen go, 64 at most.
    [[nodiscard]] Bag compact(Change& change) const {
        Bag delta;
        settled_.take_away(elements_, change, delta.elements_, is_spent);
        return delta;
    }

    /// How many of `element` are there.
    template <class Query>
    std::uint64_t count(const Query& element) const {
        const ResettableCounter* held = elements_.find(element);
        return held && held->value() > 0 ? static_cast<std::uint64_t>(held->value()) : 0;
    }
    template <class Query>
    bool contains(const Query& element) const {
        return count(element) > 0;
    }
    /// The different elements. O(n).
    std::size_t size() const {
        std::size_t count = 0;
        for_each([&](const Element&, std::uint64_t) { ++count; });
        return count;
    }
    void prefetch(const Element& element) const { elements_.prefetch(element); }
    bool empty() const { return size() == 0; }

    /// Calls `f(element, count)` for each that is there, by ascending element.
    template <class F>
    void for_each(F&& f) const {
        for (const auto& [element, counter] : elements_)
            if (counter.value() > 0) f(element, static_cast<std::uint64_t>(counter.value()));
    }
    /// For a delta: calls `f(element)` for each element that it adds or removes.
    template <class F>
    void for_each_mentioned(F&& f) const {
        for (const auto& [element, counter] : elements_) f(element);
    }

    bool merge(const Bag& theirs, const Join& join) { return elements_.merge(theirs.elements_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        elements_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return elements_.is_bottom(); }
    void reissue(const std::function<void(std::uint64_t)>& keep) { elements_.reissue(keep); }
    /// Notes what may go; the next change takes it away. True if that is other than before.
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

    friend bool operator==(const Bag& a, const Bag& b) { return a.elements_ == b.elements_; }

   private:
    static bool is_spent(const ResettableCounter& held, const VersionVector& stable) {
        return held.value() == 0 && detail::is_within(held, stable);
    }

    template <class Query>
    ResettableCounter counter(const Query& element) const {
        const ResettableCounter* held = elements_.find(element);
        return held ? *held : ResettableCounter{};
    }

    DotMap<Element, ResettableCounter> elements_;
    detail::Settled<Element> settled_;
};

}  // namespace netsync
