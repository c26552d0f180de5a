// netsync: a place in a List or a Text that stays where it is while others edit: a cursor, the ends of a selection.
#pragma once

#include <netsync/crdt/position.hpp>
#include <netsync/crdt/trail.hpp>
#include <utility>

namespace netsync {

/// The gap before an element, or the end. Made by `anchor(index)`, read by `index_of(anchor)`, on any replica: where the
/// element was erased, it is the gap where it was; where a List moved it, it goes along. A value: it can be kept, sent, or
/// be the value of a register. O(depth of the element's bunch) bytes.
class Anchor {
   public:
    /// The end, whatever is appended.
    Anchor() = default;
    Anchor(detail::Position position, detail::Name element)
        : bunch_(position.bunch), offset_(position.offset), element_(element) {}

    bool is_end() const noexcept { return bunch_.get() == nullptr; }
    detail::Position position() const noexcept { return {bunch_.get(), offset_}; }
    /// What the element was called when it was inserted.
    const detail::Name& element() const noexcept { return element_; }

    template <class Archive>
    void save(Archive& out) const {
        out(!is_end());
        if (is_end()) return;
        detail::TrailWriter trail{out};
        trail.write(bunch_.get(), offset_, 1);
        trail.write_name(element_);
    }
    template <class Archive>
    void load(Archive& in) {
        bool there = false;
        in(there);
        *this = {};
        if (!there || !in.ok()) return;
        detail::TrailReader trail{in};
        trail.read([] { return false; });
        element_ = trail.read_name();
        if (!in.ok()) return;
        bunch_ = trail.bunch();
        offset_ = trail.offset();
    }

    friend bool operator==(const Anchor& a, const Anchor& b) noexcept {
        return detail::same_bunch(a.bunch_.get(), b.bunch_.get()) && a.offset_ == b.offset_ && a.element_ == b.element_;
    }

   private:
    detail::BunchRef bunch_;
    std::int32_t offset_ = 0;
    detail::Name element_;
};

}  // namespace netsync
