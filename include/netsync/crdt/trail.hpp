// netsync: positions as bytes. Each is told as the way from the one before it, up and down the tree of bunches, so that
// positions in order cost little, and one alone brings all that its reader may have forgotten.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/crdt/position.hpp>
#include <netsync/error.hpp>
#include <utility>

namespace netsync::detail {

/// Writes positions into an Output. Names are short for replicas of its DotSpace, and for any replica the second time.
template <class Archive>
class TrailWriter {
   public:
    explicit TrailWriter(Archive& out) : out_(out) {}

    /// Whether an element at `offset` would stand right after the last.
    bool is_next(const Bunch* bunch, std::int32_t offset) const noexcept {
        return bunch_ && same_bunch(bunch_, bunch) && offset == last_ + 1;
    }

    /// The positions of `length` elements from `offset` on; `next`: they go on from the last, and the reader knows.
    void write(const Bunch* bunch, std::int32_t offset, std::uint32_t length, bool next = false) {
        if (!next) write_way(bunch, offset);
        bunch_ = bunch;
        last_ = offset + static_cast<std::int32_t>(length) - 1;
    }

    void write_name(const Name& name) {
        const std::size_t known = replicas_.find(name.replica);
        out_.varint(known);
        if (known == replicas_.size()) {
            write_replica(out_, name.replica);
            out_.charge(sizeof(ReplicaId));
            replicas_.push_back(name.replica);
        }
        out_.varint(name.counter);
    }

    static constexpr std::size_t bunch_cost = sizeof(Bunch) + 16;

   private:
    void write_way(const Bunch* bunch, std::int32_t offset) {
        const Meeting at = meet(bunch_, bunch);
        const std::uint32_t up = depth_of(bunch_) - depth_of(at.bunch), down = depth_of(bunch) - depth_of(at.bunch);
        out_.varint(std::uint64_t{up} * 4 + std::min(down, 3u));
        if (down >= 3) out_.varint(down - 3);
        out_.charge(down * bunch_cost);
        std::int32_t expected = at.left ? at.left->offset : last_;
        for_each_below(depth_of(at.bunch), bunch, [&](const Bunch* link) {
            const std::int64_t far = std::int64_t{link->offset} - expected;
            out_.varint(zigzag(far) * 2 + (link->side == Side::left ? 1 : 0));
            write_name(link->name);
            expected = 0;
        });
        if (down == 0) expected = static_cast<std::int32_t>(offset_after(at.left ? at.left->slot() : slot_of(last_)));
        out_(std::int64_t{offset} - expected);
    }

    static std::uint64_t zigzag(std::int64_t value) noexcept {
        return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    }

    Archive& out_;
    const Bunch* bunch_ = nullptr;
    std::int32_t last_ = 0;
    NamedReplicas replicas_;
};

/// Reads them from an Input, which fails with errc::malformed on what cannot be. No way leads into a circle, whatever
/// the bytes say: each bunch is made below one that is there.
template <class Archive>
class TrailReader {
   public:
    explicit TrailReader(Archive& in) : in_(in) {}

    /// Goes on to the next position, which has to lie after the one before (`is_later` decides between two elements at
    /// the same). Gives how many bunches it went down.
    template <class IsLater>
    std::uint32_t read(IsLater&& is_later) {
        const std::uint64_t head = in_.varint();
        const std::uint64_t up = head / 4;
        std::uint64_t down = head % 4;
        if (down == 3) down += in_.varint();
        if (!in_.ok()) return 0;
        const bool first = bunch_.get() == nullptr;
        if (up > depth_of(bunch_.get()) || down > in_.remaining() || (first && down == 0)) return fail(), 0;
        in_.charge(static_cast<std::size_t>(down) * TrailWriter<Archive>::bunch_cost);
        if (!in_.ok()) return 0;
        BunchRef left;
        for (std::uint64_t step = 0; step < up; ++step) {
            BunchRef above{bunch_->parent};
            left = std::exchange(bunch_, std::move(above));
        }
        if (!bunch_.get() && down == 0) return fail(), 0;
        const std::int64_t before = left.get() ? left->slot() : slot_of(last_);
        std::int64_t expected = left.get() ? left->offset : last_;
        for (std::uint64_t step = 0; step < down; ++step) {
            const std::uint64_t coded = in_.varint();
            const Side side = coded % 2 == 1 ? Side::left : Side::right;
            const std::int64_t offset = expected + unzigzag(coded / 2);
            const Name name = read_name();
            if (!in_.ok() || !is_offset(offset)) return fail(), 0;
            const bool top = bunch_.get() == nullptr;
            bunch_ = BunchRef::make(std::move(bunch_), static_cast<std::int32_t>(offset), side, name);
            if (step == 0 && !first && (bunch_->slot() < before || (bunch_->slot() == before && !(left->name < name))))
                return fail(), 0;
            if (top && (offset != 0 || side != Side::right)) return fail(), 0;
            expected = 0;
        }
        if (down == 0) expected = offset_after(before);
        std::int64_t distance = 0;
        in_(distance);
        const std::int64_t offset = expected + distance;
        if (!in_.ok() || distance > 4 * std::int64_t{max_offset} || distance < -4 * std::int64_t{max_offset} ||
            !is_offset(offset))
            return fail(), 0;
        offset_ = static_cast<std::int32_t>(offset);
        if (down > 0) return static_cast<std::uint32_t>(down);
        if (slot_of(offset_) < before || (slot_of(offset_) == before && !is_later())) fail();
        return 0;
    }

    /// Goes on to the position right after the last.
    void read_next() {
        if (!bunch_.get() || last_ >= max_offset) return fail();
        offset_ = last_ + 1;
    }

    /// Says how many elements it was; none of them may lie beyond the limit.
    void finish(std::uint64_t length) {
        if (length > static_cast<std::uint64_t>(std::int64_t{max_offset} - offset_ + 1)) return fail();
        last_ = offset_ + static_cast<std::int32_t>(length) - 1;
    }

    Name read_name() {
        const std::uint64_t which = in_.varint();
        if (!in_.ok() || which > replicas_.size()) return fail(), Name{};
        if (which == replicas_.size()) {
            in_.charge(sizeof(ReplicaId));
            replicas_.push_back(read_replica(in_));
        }
        if (!in_.ok()) return {};
        const Name name{replicas_[static_cast<std::size_t>(which)], in_.varint()};
        if (name.counter == 0 || name.counter > max_counter) fail();
        return name;
    }

    const BunchRef& bunch() const noexcept { return bunch_; }
    std::int32_t offset() const noexcept { return offset_; }

   private:
    void fail() { in_.fail(errc::malformed); }
    static bool is_offset(std::int64_t offset) noexcept { return -max_offset <= offset && offset <= max_offset; }
    static std::int64_t unzigzag(std::uint64_t coded) noexcept {
        return static_cast<std::int64_t>(coded >> 1) ^ -static_cast<std::int64_t>(coded & 1);
    }

    Archive& in_;
    BunchRef bunch_;
    std::int32_t offset_ = 0;
    std::int32_t last_ = 0;
    NamedReplicas replicas_;
};

}  // namespace netsync::detail
