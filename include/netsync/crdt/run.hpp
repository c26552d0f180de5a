// netsync: elements of a sequence that follow each other in everything: what a Rope (crdt/rope.hpp) keeps, and what is
// written (crdt/run_trail.hpp).
#pragma once

#include <cstdint>
#include <netsync/crdt/position.hpp>

namespace netsync::detail {

/// Elements side by side in one bunch, under dots that follow each other. A view: the rope holds the bunches of its own.
struct Run {
    const Bunch* bunch = nullptr;
    Dot dot{};
    std::int32_t offset = 0;
    std::uint32_t length = 0;
    bool moved = false;  ///< stands for what a List keeps of a moved element

    Element element(std::uint32_t at = 0) const noexcept {
        return {{bunch, offset + static_cast<std::int32_t>(at)}, dot_at(at)};
    }
    Dot dot_at(std::uint32_t at) const noexcept { return Dot{dot.replica(), dot.counter() + at}; }
    Run part(std::uint32_t from, std::uint32_t count) const noexcept {
        return {bunch, dot_at(from), offset + static_cast<std::int32_t>(from), count, moved};
    }
    /// Whether `next` goes on where this ends.
    bool continues(const Run& next) const noexcept {
        return !moved && !next.moved && same_bunch(bunch, next.bunch) && next.dot == dot_at(length) &&
               next.offset == offset + static_cast<std::int32_t>(length);
    }
    /// How many of its elements lie before `other`. O(log depth).
    std::uint32_t count_before(const Element& other) const noexcept {
        const auto slot = slot_within(bunch, other.position);
        if (!slot) return compare(element().position, other.position) < 0 ? length : 0;
        const std::int64_t count = offset_before(*slot) - offset + 1;
        if (count < 0 || count >= length) return count < 0 ? 0 : length;
        const auto at = static_cast<std::uint32_t>(count);
        return compare(element(at), other) < 0 ? at + 1 : at;
    }
};

}  // namespace netsync::detail
