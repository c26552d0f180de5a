// netsync: a list that several replicas edit at once, and whose elements can be moved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <netsync/crdt/anchor.hpp>
#include <netsync/crdt/lww_register.hpp>
#include <netsync/crdt/sequence.hpp>
#include <netsync/detail/sorted_map.hpp>
#include <span>
#include <utility>
#include <vector>

namespace netsync {

namespace detail {

/// Some tens of values.
template <class T>
class ListContent {
   public:
    struct Item {
        T value{};
    };
    static constexpr std::size_t limit = std::clamp<std::size_t>(1024 / sizeof(Item), 32, 256);
    static constexpr std::uint32_t chunk = limit / 4;

    std::size_t size() const noexcept { return items_.size(); }
    bool is_small() const noexcept { return items_.size() <= limit / 3; }
    bool is_full(const ListContent&, std::size_t, std::size_t count) const noexcept { return size() + count > limit; }
    std::span<const Item> slice(std::size_t first, std::size_t count) const noexcept {
        return std::span{items_}.subspan(first, count);
    }
    void insert(std::size_t at, const ListContent& from, std::size_t first, std::size_t count) {
        const std::span<const Item> more = from.slice(first, count);
        items_.insert(position(at), more.begin(), more.end());
    }
    void erase(std::size_t at, std::size_t count) { items_.erase(position(at), position(at + count)); }
    /// What comes from `at` on, taken out of it.
    ListContent split(std::size_t at) {
        ListContent right;
        right.items_.assign(std::move_iterator{position(at)}, std::move_iterator{items_.end()});
        items_.erase(position(at), items_.end());
        return right;
    }
    static bool equal(const ListContent& a, std::size_t at, const ListContent& b, std::size_t from, std::size_t count) {
        const std::span<const Item> left = a.slice(at, count), right = b.slice(from, count);
        return std::equal(left.begin(), left.end(), right.begin(),
                          [](const Item& x, const Item& y) { return equal_values(x.value, y.value); });
    }

    /// Values, given out in parts.
    class Source {
       public:
        explicit Source(std::vector<Item> items) : items_(std::move(items)) {}
        ListContent take(std::size_t count) {
            ListContent part;
            const auto from = items_.begin() + static_cast<std::ptrdiff_t>(std::exchange(at_, at_ + count));
            part.items_.assign(std::move_iterator{from}, std::move_iterator{from + static_cast<std::ptrdiff_t>(count)});
            return part;
        }

       private:
        std::vector<Item> items_;
        std::size_t at_ = 0;
    };

    template <class Archive, class Walk>
    static void save(Archive& out, Walk walk) {
        for (; walk; walk.next()) {
            const Run run = walk.run();
            if (run.moved) continue;
            out.charge(run.length * sizeof(Item));
            for (const Item& item : walk.content().slice(walk.at(), run.length)) out(item.value);
        }
    }
    template <class Archive>
    static Source load(Archive& in, std::uint64_t count) {
        std::vector<Item> items;
        if (count > in.remaining()) in.fail(errc::malformed);
        if (in.ok()) in.charge(static_cast<std::size_t>(count) * sizeof(Item));
        if (in.ok()) items.reserve(static_cast<std::size_t>(count));
        for (std::uint64_t at = 0; at < count && in.ok(); ++at) {
            Item item;
            in(item.value);
            items.push_back(std::move(item));
        }
        return Source{std::move(items)};
    }

   private:
    auto position(std::size_t at) { return items_.begin() + static_cast<std::ptrdiff_t>(at); }

    std::vector<Item> items_;
};

/// Where an element was moved to, and what it is.
template <class T>
struct Placed {
    BunchRef bunch{};
    std::int32_t offset = 0;
    T value{};

    template <class Archive>
    void save(Archive& out) const {
        TrailWriter trail{out};
        trail.write(bunch.get(), offset, 1);
        out(value);
    }
    template <class Archive>
    void load(Archive& in) {
        TrailReader trail{in};
        trail.read([] { return false; });
        if (!in.ok()) return;
        bunch = trail.bunch();
        offset = trail.offset();
        in(value);
    }
    friend bool operator==(const Placed& a, const Placed& b) {
        return same_bunch(a.bunch.get(), b.bunch.get()) && a.offset == b.offset && equal_values(a.value, b.value);
    }
};

}  // namespace detail

/// Values in an order of the user's making. What several replicas insert at one place at once stays together, one run
/// after the other, made forward or backward (Fugue; Weidner, Kleppmann 2023). An erasure takes the elements that it had
/// seen; nothing is kept of them. An element that is moved stays one element: of concurrent moves the later wins, as in an
/// LwwRegister, and a move wins over an erasure that had not seen it (Kleppmann 2020). An index beyond the end is the end.
/// insert, erase, move, []: O(log size); a copy: O(1). Iterates in order. `T` is a value that can be encoded.
template <class T>
class List {
   public:
    class Iterator;

    /// A delta that inserts `value` before the element at `index`.
    [[nodiscard]] List insert(Change& change, std::size_t index, T value) const {
        return insert_items(change, index, one(std::move(value)));
    }
    /// A delta that inserts the values of a range, as one run.
    template <std::input_iterator First>
    [[nodiscard]] List insert(Change& change, std::size_t index, First first, First last) const {
        std::vector<Item> items;
        for (; first != last; ++first) items.push_back({*first});
        return insert_items(change, index, std::move(items));
    }
    [[nodiscard]] List push_back(Change& change, T value) const { return insert(change, size(), std::move(value)); }

    /// A delta that erases `count` elements from `index` on, or as many as there are.
    [[nodiscard]] List erase(Change& change, std::size_t index, std::size_t count = 1) const {
        List delta;
        delta.items_.made_at(index);
        items_.for_each_in(index, count, [&](const detail::Run& run) {
            if (!run.moved) return delta.items_.erase(change, run);
            const detail::Name& name = *names_.find(key(run.dot));
            change.remove_all(*moved_.find(name));
            delta.moved_.empty_key(name);
        });
        return delta;
    }
    /// A delta that erases all that is seen here.
    [[nodiscard]] List clear(Change& change) const { return erase(change, 0, size()); }

    /// A delta that moves the element at `from` so that it is the one at `to`.
    [[nodiscard]] List move(Change& change, std::size_t from, std::size_t to) const {
        List delta;
        if (from >= size()) return delta;
        to = std::min(to, size() - 1);
        if (from == to) return delta;
        const detail::Run run = items_.walk(from).run().part(0, 1);
        const auto near = items_.neighbours(to > from ? to + 1 : to);
        const Dot next{change.replica(), change.minted().last + 1};
        auto place = Items::place_between(near.before, near.after, change, 1, next);
        detail::Placed<T> placed{std::move(place.bunch), place.offset, (*this)[from]};
        delta.items_.made_at(from);
        if (!run.moved) delta.items_.erase(change, run);
        const detail::Name name = run.moved ? *names_.find(key(run.dot)) : detail::Name::of(run.dot);
        const Moves* held = moved_.find(name);
        delta.moved_[name] = (held ? *held : Moves{}).assign(change, std::move(placed));
        return delta;
    }

    std::size_t size() const noexcept { return items_.size(); }
    bool empty() const noexcept { return size() == 0; }
    /// The element at `index`, which is less than size(). Good until the list changes.
    const T& operator[](std::size_t index) const {
        const auto walk = items_.walk(index);
        return walk.content().slice(walk.at(), 1)[0].value;
    }
    Iterator begin() const { return Iterator{items_.walk()}; }
    Iterator end() const { return Iterator{items_.walk(size())}; }
    /// Calls `f(element)` for each, in order.
    template <class F>
    void for_each(F&& f) const {
        for (const T& value : *this) f(value);
    }

    /// A place that stays where it is while others edit: the gap before the element at `index`. It moves with it.
    Anchor anchor(std::size_t index) const {
        if (index >= size()) return {};
        const detail::Run run = items_.walk(index).run();
        return {run.element().position, run.moved ? *names_.find(key(run.dot)) : detail::Name::of(run.dot)};
    }
    /// The index of an anchor here.
    std::size_t index_of(const Anchor& anchor) const {
        if (anchor.is_end()) return size();
        const Moves* moves = moved_.find(anchor.element());
        const auto* move = moves ? moves->latest() : nullptr;
        if (!move) return items_.index_of(anchor.position());
        return items_.index_of({move->value.value.bunch.get(), move->value.value.offset});
    }

    /// For a delta: calls `f(index)` for each element that it inserted and `now` still holds, by where that is there.
    template <class F>
    void for_each_inserted(const List& now, F&& f) const {
        items_.for_each_inserted(now.items_, [&](std::size_t index, const detail::Run& run) {
            for (std::size_t at = 0; at < run.length; ++at) f(index + at);
        });
    }
    /// For a delta: calls `f(index)` for each element that it moved and `now` still holds, by where that is there.
    template <class F>
    void for_each_moved(const List& now, F&& f) const {
        for (const auto& [name, moves] : moved_)
            if (const Moves* held = now.moved_.find(name)) {
                const auto* move = held->latest();
                f(now.items_.index_of({move->value.value.bunch.get(), move->value.value.offset}));
            }
    }
    /// For a delta: how many elements it erased. Fewer are told where it also moved some that had been moved before.
    std::size_t erased() const {
        std::size_t count = 0, moves = 0;
        items_.for_each_erased(items_, [&](std::size_t, std::size_t more) { count += more; });
        moved_.for_each_mentioned([&](const detail::Name& name) { ++(moved_.find(name) ? moves : count); });
        return count - std::min(count, moves);
    }

    bool merge(const List& theirs, const Join& join) {
        const bool changed = items_.merge(theirs.items_, join);
        if (theirs.moved_.is_bottom() && (join.scope == Scope::mentioned || moved_.empty())) return changed;
        std::vector<detail::Name> names;
        theirs.moved_.for_each_mentioned([&](const detail::Name& name) { names.push_back(name); });
        if (join.scope == Scope::whole)
            for (const auto& [name, moves] : moved_) names.push_back(name);
        for (const detail::Name& name : names) hide(name);
        const bool moved = moved_.merge(theirs.moved_, join);
        for (const detail::Name& name : names) show(name);
        return changed || moved;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        items_.for_each_dot(visit);
        moved_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return items_.is_bottom() && moved_.is_bottom(); }
    template <class Archive>
    void save(Archive& out) const {
        items_.save(out);
        moved_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        items_.load(in);
        moved_.load(in);
        if (!in.ok()) return;
        for (const auto& [name, moves] : moved_) show(name);
    }

    friend bool operator==(const List& a, const List& b) { return a.items_ == b.items_ && a.moved_ == b.moved_; }

    /// Goes through the elements in order. Good until the list changes.
    class Iterator {
       public:
        using iterator_category = std::input_iterator_tag;
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using reference = const T&;
        using pointer = const T*;

        explicit Iterator(typename detail::Sequence<detail::ListContent<T>>::Walk walk) : walk_(walk) { see(); }
        const T& operator*() const noexcept { return items_[at_].value; }
        const T* operator->() const noexcept { return &items_[at_].value; }
        Iterator& operator++() {
            if (++at_ < items_.size()) return *this;
            walk_.next_leaf();
            see();
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const Iterator& a, const Iterator& b) noexcept {
            return a.items_.data() == b.items_.data() && a.at_ == b.at_;
        }

       private:
        void see() {
            at_ = 0;
            items_ = {};
            if (walk_) items_ = walk_.content().slice(walk_.at(), walk_.content().size() - walk_.at());
        }

        typename detail::Sequence<detail::ListContent<T>>::Walk walk_;
        std::span<const typename detail::ListContent<T>::Item> items_;
        std::size_t at_ = 0;
    };

   private:
    using Content = detail::ListContent<T>;
    using Items = detail::Sequence<Content>;
    using Item = typename Content::Item;
    using Moves = detail::LastWriter<detail::Placed<T>>;

    static std::vector<Item> one(T&& value) {
        std::vector<Item> items;
        items.push_back({std::move(value)});
        return items;
    }
    static std::uint64_t key(Dot dot) noexcept {
        return (static_cast<std::uint64_t>(dot.replica()) << 44) | dot.counter();
    }

    List insert_items(Change& change, std::size_t index, std::vector<Item> items) const {
        List delta;
        const std::size_t count = items.size();
        if (count > 0)
            delta.items_ =
                items_.insert(change, std::min(index, size()), count, typename Content::Source{std::move(items)});
        return delta;
    }

    void hide(const detail::Name& name) {
        const Moves* moves = moved_.find(name);
        if (!moves) return;
        const auto* move = moves->latest();
        items_.hide({move->value.value.bunch, move->value.value.offset}, move->dot);
        names_.erase(key(move->dot));
    }
    void show(const detail::Name& name) {
        const Moves* moves = std::as_const(moved_).find(name);
        if (!moves) return;
        const auto* move = moves->latest();
        typename Content::Source value{one(T(move->value.value.value))};
        items_.show({move->value.value.bunch, move->value.value.offset}, move->dot, value.take(1));
        *names_.try_emplace(key(move->dot)).first = name;
    }

    Items items_;                        // in their order; those that were moved are only shown in it
    DotMap<detail::Name, Moves> moved_;  // by the name of the element
    detail::SortedMap<std::uint64_t, detail::Name> names_;  // of the elements that moved_ shows, by dot
};

}  // namespace netsync
