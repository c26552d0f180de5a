// netsync: text that several replicas edit at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/crdt/anchor.hpp>
#include <netsync/crdt/packed_text.hpp>
#include <netsync/crdt/sequence.hpp>
#include <netsync/detail/utf8.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace netsync {

namespace detail {

/// A few hundred bytes of UTF-8, by code point.
class TextContent {
   public:
    static constexpr std::uint32_t chunk = 128;  // code points inserted at once
    static constexpr std::size_t limit = 640;    // bytes

    TextContent() = default;
    explicit TextContent(std::string_view text) : bytes_(text), points_(count_points(text)) {}

    std::size_t size() const noexcept { return points_; }
    bool is_small() const noexcept { return bytes_.size() <= limit / 3; }
    bool is_full(const TextContent& more, std::size_t first, std::size_t count) const noexcept {
        return bytes_.size() + more.slice(first, count).size() > limit;
    }
    std::string_view slice(std::size_t first, std::size_t count) const noexcept {
        const std::size_t from = byte_at(first);
        return std::string_view{bytes_}.substr(from, byte_at(count, from) - from);
    }
    void insert(std::size_t at, const TextContent& from, std::size_t first, std::size_t count) {
        const std::string_view text = from.slice(first, count);
        bytes_.insert(byte_at(at), text);
        points_ += count;
    }
    void erase(std::size_t at, std::size_t count) {
        const std::size_t from = byte_at(at);
        bytes_.erase(from, byte_at(count, from) - from);
        points_ -= count;
    }
    /// What comes from `at` on, taken out of it.
    TextContent split(std::size_t at) {
        TextContent right;
        const std::size_t from = byte_at(at);
        right.bytes_ = bytes_.substr(from);
        right.points_ = points_ - at;
        bytes_.resize(from);
        points_ = at;
        return right;
    }
    static bool equal(const TextContent& a, std::size_t at, const TextContent& b, std::size_t from, std::size_t count) {
        return a.slice(at, count) == b.slice(from, count);
    }

    /// Text, given out in parts.
    class Source {
       public:
        explicit Source(std::string text) : text_(std::move(text)) {}
        TextContent take(std::size_t points) {
            const std::size_t to = find_point(text_, points, at_), from = std::exchange(at_, to);
            return TextContent{std::string_view{text_}.substr(from, to - from)};
        }

       private:
        std::string text_;
        std::size_t at_ = 0;
    };

    template <class Archive, class Walk>
    static void save(Archive& out, Walk walk) {
        std::string text;
        for (; walk; walk.next_leaf()) text += walk.content().bytes_;
        if (out.space().is_frame())
            out(text);
        else
            save_packed(out, text);
    }
    template <class Archive>
    static Source load(Archive& in, std::uint64_t points) {
        std::string text;
        if (in.space() && in.space()->is_frame())
            in(text);
        else
            load_packed(in, text);
        if (count_points(text) != points) in.fail(errc::malformed);
        return Source{std::move(text)};
    }

   private:
    std::size_t byte_at(std::size_t point, std::size_t from = 0) const noexcept {
        return bytes_.size() == points_ ? from + point : find_point(bytes_, point, from);
    }

    std::string bytes_;
    std::size_t points_ = 0;
};

}  // namespace detail

/// UTF-8 text, indexed by code point. Text inserted at one place by several replicas at once stays whole, the runs one
/// after the other, typed forward or backward (Fugue; Weidner, Kleppmann 2023). An erasure takes the code points that it
/// had seen; nothing is kept of them. An index beyond the end is the end.
/// insert, erase: O(log runs) beside the length of what is inserted or erased; a copy: O(1). A run, which is what was typed
/// without moving the cursor, costs 40 to 80 bytes in memory and some 4 encoded, beside the text itself.
class Text {
   public:
    /// A delta that inserts `text` before code point `index`. Text that is not UTF-8 is refused when the delta is encoded
    /// (errc::not_utf8), and does nothing else.
    [[nodiscard]] Text insert(Change& change, std::size_t index, std::string_view text) const {
        Text delta;
        if (!detail::is_utf8(text)) {
            delta.refused_ = true;
            return delta;
        }
        index = std::min(index, size());
        if (const std::size_t count = detail::count_points(text); count > 0)
            delta.points_ = points_.insert(change, index, count, detail::TextContent::Source{std::string{text}});
        return delta;
    }

    /// A delta that inserts `text` at the end.
    [[nodiscard]] Text append(Change& change, std::string_view text) const { return insert(change, size(), text); }

    /// A delta that erases `count` code points from `index` on, or as many as there are.
    [[nodiscard]] Text erase(Change& change, std::size_t index, std::size_t count = 1) const {
        Text delta;
        delta.points_.made_at(index);
        points_.for_each_in(index, count, [&](const detail::Run& run) { delta.points_.erase(change, run); });
        return delta;
    }

    /// A delta that erases all that is seen here.
    [[nodiscard]] Text clear(Change& change) const { return erase(change, 0, size()); }

    /// See netsync::inverse: what was typed goes, and what was erased is typed again where it was.
    [[nodiscard]] Text inverse(Change& change, const Text& before, const Text& delta, Scope scope) const {
        Text back, work = *this;
        delta.points_.for_each_inserted(points_,
                                        [&](std::size_t, const detail::Run& run) { back.points_.erase(change, run); });
        std::vector<std::pair<std::size_t, std::size_t>> missing;
        points_.for_each_missing(before.points_, delta.points_, scope,
                                 [&](std::size_t index, std::size_t at) { missing.emplace_back(index, at); });
        std::sort(missing.begin(), missing.end());
        for (std::size_t end = missing.size(), from = end; end > 0; end = from) {  // from the last on: the rest stays
            for (--from; from > 0 && missing[from - 1].first == missing[from].first &&
                         missing[from - 1].second + 1 == missing[from].second;)
                --from;
            const Text again =
                work.insert(change, missing[from].first, before.substr(missing[from].second, end - from));
            const CausalContext none;
            work.points_.merge(again.points_, Join{.mine = none, .theirs = none});
            back.points_.merge(again.points_, Join{.mine = none, .theirs = none, .target = Target::delta});
        }
        return back;
    }

    std::size_t size() const noexcept { return points_.size(); }
    bool empty() const noexcept { return size() == 0; }

    /// All of it, as UTF-8. O(size).
    std::string str() const { return substr(0, size()); }
    /// Code points, as UTF-8. O(log runs + count).
    std::string substr(std::size_t index, std::size_t count) const {
        std::string text;
        for_each_part(index, count, [&](std::string_view part) { text += part; });
        return text;
    }
    /// The code point at `index`, which is less than size(). O(log runs).
    char32_t operator[](std::size_t index) const { return detail::code_point(substr(index, 1)); }

    /// Calls `f(std::string_view)` with the parts of `count` code points from `index` on, in order.
    template <class F>
    void for_each_part(std::size_t index, std::size_t count, F&& f) const {
        points_.for_each_value_in(index, count, f);
    }

    /// A place that stays where it is while others edit: the gap before `index`.
    Anchor anchor(std::size_t index) const {
        if (index >= size()) return {};
        const detail::Run run = points_.walk(index).run();
        return {run.element().position, detail::Name::of(run.dot)};
    }
    /// The index of an anchor here.
    std::size_t index_of(const Anchor& anchor) const {
        return anchor.is_end() ? size() : points_.index_of(anchor.position());
    }

    /// For a delta: calls `f(index, text)` for what it inserted and `now` still holds, by where that is there.
    template <class F>
    void for_each_inserted(const Text& now, F&& f) const {
        points_.for_each_inserted(
            now.points_, [&](std::size_t index, const detail::Run& run) { f(index, now.substr(index, run.length)); });
    }
    /// For a delta: calls `f(index, count)` for what it erased, by where that was, as of `now`.
    template <class F>
    void for_each_erased(const Text& now, F&& f) const {
        points_.for_each_erased(now.points_, f);
    }

    bool merge(const Text& theirs, const Join& join) { return points_.merge(theirs.points_, join); }
    template <class F>
    void for_each_dot(F&& visit) const {
        points_.for_each_dot(visit);
    }
    bool is_bottom() const noexcept { return points_.is_bottom() && !refused_; }
    template <class Archive>
    void save(Archive& out) const {
        if (refused_) out.fail(errc::not_utf8);
        points_.save(out);
    }
    template <class Archive>
    void load(Archive& in) {
        points_.load(in);
    }

    friend bool operator==(const Text& a, const Text& b) { return a.points_ == b.points_; }

   private:
    detail::Sequence<detail::TextContent> points_;
    bool refused_ = false;  // a delta of text that is not UTF-8
};

}  // namespace netsync
