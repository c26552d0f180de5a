// netsync: one of several CRDTs; the last writer decides which.
#pragma once

#include <cstdint>
#include <netsync/crdt/lww_register.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

namespace netsync {

/// The step of a path into alternative `Index` of an LwwChoice: `update(&Note::body, alternative<1>, add("x"))`.
template <std::size_t Index>
struct Alternative {};
template <std::size_t Index>
inline constexpr Alternative<Index> alternative{};

/// A std::variant of CRDTs, or none of them. Of concurrent choices the later one counts (as in LwwRegister); an update
/// within the chosen alternative is no choice, and never wins over one. A choice takes away what its maker had seen in all
/// alternatives, so that what it chooses starts empty; what was written into an alternative meanwhile stays, and is read
/// once that is chosen (reset-remove, as in OrMap). A loser's content is kept unread until somebody who has seen it
/// chooses. Inside a removable parent: where the choice was removed but something was written meanwhile, the first
/// alternative that holds anything is the one read.
/// Each costs O(alternatives) beside the alternative's own.
template <causal... T>
class LwwChoice {
    static_assert(sizeof...(T) > 0 && sizeof...(T) < 255, "netsync: an LwwChoice has 1 to 254 alternatives");

   public:
    static constexpr std::size_t none = sizeof...(T);
    template <std::size_t Index>
    using Type = std::tuple_element_t<Index, std::tuple<T...>>;

    /// A delta that chooses alternative `index`, empty; `none` for none of them.
    [[nodiscard]] LwwChoice choose(Change& change, std::size_t index) const {
        assert(index <= none);
        LwwChoice delta;
        for_each_alternative([&](const auto& content) { change.remove_all(content); });
        delta.choice_ = choice_.assign(change, static_cast<std::uint8_t>(index));
        return delta;
    }
    template <std::size_t Index>
    [[nodiscard]] LwwChoice choose(Change& change, Alternative<Index>) const {
        static_assert(Index < none, "netsync: this LwwChoice has no such alternative");
        return choose(change, Index);
    }
    /// A delta that chooses none.
    [[nodiscard]] LwwChoice clear(Change& change) const { return choose(change, none); }

    /// A delta that changes alternative `Index`: `f(const Type<Index>&, Change&)` returns its delta. Where it is not the
    /// one chosen, it is chosen first.
    template <std::size_t Index, class F>
    [[nodiscard]] LwwChoice update(Change& change, Alternative<Index>, F&& f) const {
        static_assert(Index < none, "netsync: this LwwChoice has no such alternative");
        LwwChoice delta;
        static const Type<Index> empty{};
        const bool chosen = index() == Index;
        if (!chosen)
            delta = choose(change, Index);
        else if (!has_choice())
            delta.choice_ = choice_.assign(change, static_cast<std::uint8_t>(Index));
        std::get<Index>(delta.contents_) = f(chosen ? std::get<Index>(contents_) : empty, change);
        return delta;
    }

    /// Which alternative is chosen, or `none`.
    std::size_t index() const {
        if (const auto* latest = choice_.latest()) return latest->value.value;
        std::size_t first = none, at = 0;
        for_each_alternative([&](const auto& content) {
            if (first == none && !netsync::is_bottom(content)) first = at;
            ++at;
        });
        return first;
    }
    bool has_value() const { return index() != none; }

    /// The content of alternative `Index`, or null where another is chosen.
    template <std::size_t Index>
    const Type<Index>* find(Alternative<Index>) const {
        return index() == Index ? &std::get<Index>(contents_) : nullptr;
    }
    /// For a delta: whether it says anything about alternative `Index`.
    template <std::size_t Index>
    bool mentions(Alternative<Index>) const {
        return has_choice() || !netsync::is_bottom(std::get<Index>(contents_));
    }
    /// For a delta: whether it chooses.
    bool has_choice() const { return !choice_.is_bottom(); }

    /// Calls `f(content)` with the alternative that is chosen, if one is.
    template <class F>
    void visit(F&& f) const {
        std::size_t at = 0;
        const std::size_t chosen = index();
        for_each_alternative([&](const auto& content) {
            if (at++ == chosen) f(content);
        });
    }

    bool merge(const LwwChoice& theirs, const Join& join) {
        bool changed = choice_.merge(theirs.choice_, join);
        const Join inner = theirs.has_choice() ? join.whole() : join;  // a choice speaks of all that was there
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((changed |= netsync::merge(std::get<I>(contents_), std::get<I>(theirs.contents_), inner)), ...);
        }(std::index_sequence_for<T...>{});
        return changed;
    }
    template <class F>
    void for_each_dot(F&& visit) const {
        choice_.for_each_dot(visit);
        for_each_alternative([&](const auto& content) { netsync::for_each_dot(content, visit); });
    }
    bool is_bottom() const {
        bool bottom = choice_.is_bottom();
        for_each_alternative([&](const auto& content) { bottom = bottom && netsync::is_bottom(content); });
        return bottom;
    }
    bool permits(OwnerId owner) const {
        bool all = true;
        for_each_alternative([&](const auto& content) { all = all && netsync::permits(content, owner); });
        return all;
    }
    void reissue(const std::function<void(std::uint64_t)>& keep) {
        std::apply([&](auto&... content) { (netsync::reissue(content, keep), ...); }, contents_);
    }
    /// Choices that have lost go; the contents lie below a parent that removes, and forget nothing.
    bool drop_stable(const VersionVector& stable) {
        return choice_.drop_stable(stable, [](const auto&) { return false; });
    }
    template <class Archive>
    void save(Archive& out) const {
        choice_.save(out);
        for_each_alternative([&](const auto& content) { out(content); });
    }
    template <class Archive>
    void load(Archive& in) {
        choice_.load(in);
        if (!are_choices()) return in.fail(errc::malformed);
        std::apply([&](auto&... content) { (in(content), ...); }, contents_);
    }

    friend bool operator==(const LwwChoice& a, const LwwChoice& b) {
        bool same = a.choice_ == b.choice_;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((same = same && netsync::equal(std::get<I>(a.contents_), std::get<I>(b.contents_))), ...);
        }(std::index_sequence_for<T...>{});
        return same;
    }

   private:
    template <class F>
    void for_each_alternative(F&& f) const {
        std::apply([&](const T&... content) { (static_cast<void>(f(content)), ...); }, contents_);
    }

    bool are_choices() const {
        bool all = true;
        choice_.for_each([&](const auto& entry) { all = all && entry.value.value <= none; });
        return all;
    }

    detail::LastWriter<std::uint8_t> choice_;
    std::tuple<T...> contents_;
};

/// A CRDT that may be absent: `update(&Note::picture, alternative<0>, f)`, `clear()`.
template <causal T>
using LwwOptional = LwwChoice<T>;

}  // namespace netsync
