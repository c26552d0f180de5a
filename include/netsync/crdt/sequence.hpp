// netsync: what List and Text share: elements under dots, each at a position of its own in one total order. Insertions and
// erasures come in and deltas go out; deltas and states are merged, written and read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/rope.hpp>
#include <netsync/crdt/run_trail.hpp>
#include <netsync/crdt/trail.hpp>
#include <netsync/error.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync::detail {

/// The sequence of Fugue (Weidner, Kleppmann 2023) without tombstones: an element is its position, its dot and its value,
/// and nothing is kept but what is alive. A delta brings the whole position of what it inserts, so that replicas which
/// have forgotten different neighbours still order it alike; of what it erases it brings positions, to be found by.
/// `Content` holds the values of a few runs side by side. insert, erase, find: O(log runs), by position times O(log depth).
template <class Content>
class Sequence {
   public:
    using Walk = typename Rope<Content>::Walk;
    struct Place {
        BunchRef bunch;
        std::int32_t offset = 0;
    };

    std::size_t size() const noexcept { return rope_.size(); }
    bool is_bottom() const noexcept { return rope_.empty() && erased_.empty(); }
    Walk walk(std::size_t index = 0) const { return rope_.walk(index); }

    /// A delta that inserts `count` values of `source`.
    template <class Source>
    Sequence insert(Change& change, std::size_t index, std::size_t count, Source source) const {
        const Dot first = change.mint();
        for (std::size_t more = 1; more < count; ++more) static_cast<void>(change.mint());
        const auto near = rope_.neighbours(index);
        const Place place = place_between(near.before, near.after, change, count, first);
        Sequence delta;
        delta.near_ = index;
        delta.append({place.bunch.get(), first, place.offset, static_cast<std::uint32_t>(count)}, source);
        return delta;
    }

    /// Calls `f(run)` for the runs of `count` elements from `index` on, cut to size.
    template <class F>
    void for_each_in(std::size_t index, std::size_t count, F&& f) const {
        for (Walk walk = this->walk(index); walk && count > 0; walk.next()) {
            const Run run = walk.run();
            const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(run.length, count));
            f(run.part(0, length));
            count -= length;
        }
    }
    /// For a delta: calls `f(index, run)` for what it inserts and `now` holds, by where that is there. O(elements log runs).
    template <class F>
    void for_each_inserted(const Sequence& now, F&& f) const {
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            for (std::uint32_t from = 0, to = 0; from < run.length && !run.moved; from = to) {
                const auto first = now.rope_.find(run.element(from));
                to = from + 1;
                if (!first.here) continue;
                for (; to < run.length; ++to)
                    if (const auto next = now.rope_.find(run.element(to));
                        !next.here || next.index != first.index + to - from)
                        break;
                f(first.index, run.part(from, to - from));
            }
        }
    }
    /// For a delta: calls `f(index, count)` for each stretch that it erases, by where that was, as of `now`.
    template <class F>
    void for_each_erased(const Sequence& now, F&& f) const {
        for (const Erased& range : erased_) f(now.index_of({range.bunch.get(), range.offset}), range.length);
    }
    /// Calls `f(index, at)` for each element of `before` that is not here, and that `delta` erases or the scope is whole: where
    /// it would be here, and where it was there.
    template <class F>
    void for_each_missing(const Sequence& before, const Sequence& delta, Scope scope, F&& f) const {
        const auto look_at = [&](const Run& run, std::size_t at) {
            for (std::uint32_t i = 0; i < run.length; ++i)
                if (const auto found = rope_.find(run.element(i)); !found.here) f(found.index, at + i);
        };
        if (scope == Scope::whole) {
            std::size_t at = 0;
            for (Walk walk = before.walk(); walk; at += walk.run().length, walk.next())
                if (!walk.run().moved) look_at(walk.run(), at);
            return;
        }
        for (const Erased& range : delta.erased_) {
            const std::int64_t end = std::int64_t{range.offset} + range.length;
            std::size_t at = before.index_of({range.bunch.get(), range.offset});
            for (Walk walk = before.walk(at); walk; at += walk.run().length, walk.next()) {
                const Run run = walk.run();
                const auto slot = slot_within(range.bunch.get(), run.element().position);
                if (!slot || *slot >= slot_of(static_cast<std::int32_t>(end - 1)) + 1) break;
                if (!same_bunch(run.bunch, range.bunch.get()) || run.moved) continue;
                look_at(run.part(0, static_cast<std::uint32_t>(std::min<std::int64_t>(run.length, end - run.offset))),
                        at);
            }
        }
    }

    /// Calls `f(slice)` for their values.
    template <class F>
    void for_each_value_in(std::size_t index, std::size_t count, F&& f) const {
        count = std::min(count, size() - std::min(index, size()));
        for (Walk walk = this->walk(index); walk && count > 0; walk.next_leaf()) {
            const std::size_t length = std::min(walk.content().size() - walk.at(), count);
            f(walk.content().slice(walk.at(), length));
            count -= length;
        }
    }

    // What deltas are made of.

    typename Rope<Content>::Neighbours neighbours(std::size_t index) const { return rope_.neighbours(index); }

    /// A place between two elements that are neighbours; either may be none. One's own bunch is continued where its next
    /// positions are free there, be it that of a neighbour or one that a neighbour hangs in: writers who take turns at
    /// the end of a list then need two bunches, not one a turn. Otherwise a new one is begun, named `first`, as in Fugue.
    static Place place_between(const Element& before, const Element& after, const Change& change, std::size_t count,
                               Dot first) {
        const ReplicaId& self = id_of(change.replica());
        const auto length = static_cast<std::int64_t>(count);
        // Of the dot, so that no position is used twice: what was erased there may have others' elements beside it.
        const auto age = [&](const Bunch* bunch) {
            return static_cast<std::int64_t>(first.counter()) - static_cast<std::int64_t>(bunch->name.counter);
        };
        if (before) {
            std::int64_t slot = slot_of(before.position.offset);
            for (const Bunch* bunch = before.position.bunch; bunch; slot = bunch->slot(), bunch = bunch->parent) {
                const auto limit = after ? slot_within(bunch, after.position) : std::nullopt;
                const std::int64_t from = std::max(offset_after(slot), age(bunch)), to = from + length - 1;
                if (bunch->name.replica == self && to <= (limit ? offset_before(*limit) : max_offset))
                    return {BunchRef{bunch}, static_cast<std::int32_t>(from)};
                if (limit) break;
            }
        }
        if (after) {
            std::int64_t slot = slot_of(after.position.offset);
            for (const Bunch* bunch = after.position.bunch; bunch; slot = bunch->slot(), bunch = bunch->parent) {
                const auto limit = before ? slot_within(bunch, before.position) : std::nullopt;
                const std::int64_t from = std::min(offset_before(slot), -age(bunch)) - length + 1;
                if (bunch->name.replica == self && from >= (limit ? offset_after(*limit) : -max_offset))
                    return {BunchRef{bunch}, static_cast<std::int32_t>(from)};
                if (limit) break;
            }
        }
        if (!before && !after) return {BunchRef::make({}, 0, Side::right, Name::of(first)), 0};
        const Side side = !before || is_right_of(after, before) ? Side::left : Side::right;
        const Position at = side == Side::left ? after.position : before.position;
        return {BunchRef::make(BunchRef{at.bunch}, at.offset, side, Name::of(first)), 0};
    }

    /// For a delta: elements at the end, with values from `source`.
    template <class Source>
    void append(Run run, Source& source) {
        while (run.length > 0) {
            const std::uint32_t length = std::min(run.length, Content::chunk);
            rope_.insert(size(), run.part(0, length), source.take(length), 0);
            run = run.part(length, run.length - length);
        }
    }
    /// For a delta: what it erases.
    void erase(Change& change, const Run& run) {
        for (std::uint32_t at = 0; at < run.length; ++at) change.remove(run.dot_at(at));
        mention(run);
    }
    void mention(const Run& run) {
        if (!erased_.empty()) {  // typed away backwards, or on
            Erased& last = erased_.back();
            const auto end = std::int64_t{last.offset} + last.length;
            if (last.bunch.get() == run.bunch &&
                (run.offset == end || run.offset + std::int64_t{run.length} == last.offset)) {
                last.offset = std::min(last.offset, run.offset);
                last.length += run.length;
                return;
            }
        }
        erased_.push_back({BunchRef{run.bunch}, run.offset, run.length});
    }
    /// For a delta: where in the state it was made.
    void made_at(std::size_t index) noexcept { near_ = index; }

    // Elements that a List moves: kept by it, and shown here.

    void show(const Place& place, Dot dot, const Content& value) {
        add({place.bunch.get(), dot, place.offset, 1, true}, value, 0);
    }
    void hide(const Place& place, Dot dot) {
        const auto found = rope_.find({{place.bunch.get(), place.offset}, dot}, near_);
        if (found.here) erase_at(found.index, 1);
    }

    /// How many elements lie before a position.
    std::size_t index_of(Position position) const noexcept { return rope_.find({position, Dot{}}).index; }

    bool merge(const Sequence& theirs, const Join& join) {
        bool changed = false;
        if (theirs.near_ <= size()) near_ = theirs.near_;
        if (join.scope == Scope::whole) changed |= remove_unmentioned(theirs, join);
        for (const Erased& range : theirs.erased_) {
            bool all = false;
            if (join.scope != Scope::whole) changed |= remove(range, theirs, join, all);
            if (join.target == Target::delta && !all) mention({range.bunch.get(), Dot{}, range.offset, range.length});
        }
        for (Walk walk = theirs.walk(); walk; walk.next()) {
            const Run run = walk.run();
            if (run.moved) continue;
            for (std::uint32_t from = 0, to = 0; from < run.length; from = to) {
                const bool seen = join.mine.contains(run.dot_at(from));
                for (to = from + 1; to < run.length && join.mine.contains(run.dot_at(to)) == seen; ++to) {
                }
                if (!seen) changed |= add(run.part(from, to - from), walk.content(), walk.at() + from, &theirs, &join);
            }
        }
        return changed;
    }

    template <class F>
    void for_each_dot(F&& visit) const {
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            for (std::uint32_t at = 0; at < run.length && !run.moved; ++at) visit(run.dot_at(at));
        }
    }

    friend bool operator==(const Sequence& a, const Sequence& b) {
        if (a.size() != b.size()) return false;
        if (a.rope_.is_same(b.rope_)) return true;
        std::size_t index = 0;
        for (Walk x = a.walk(), y = b.walk(); x && y;) {
            const Run left = x.run(), right = y.run();
            const std::uint32_t length = std::min(left.length, right.length);
            if (!same_bunch(left.bunch, right.bunch) || left.offset != right.offset || left.dot != right.dot ||
                left.moved != right.moved || !Content::equal(x.content(), x.at(), y.content(), y.at(), length))
                return false;
            index += length;
            left.length == length ? x.next() : void(x = a.walk(index));
            right.length == length ? y.next() : void(y = b.walk(index));
        }
        return true;
    }

    template <class Archive>
    void save(Archive& out) const {
        std::size_t runs = 0, elements = 0;
        for_each_run([&](const Run& run) { ++runs, elements += run.length; });
        out.count(runs * 2 + (erased_.empty() ? 0 : 1));
        out.charge(runs * run_cost);
        RunWriter writer{out};
        for_each_run([&](const Run& run) { writer.write(run); });
        if (runs > 0) Content::save(out, walk());
        if (erased_.empty()) return;
        if (erased_.size() > 1) return save_erased(out, sorted_erased());
        save_erased(out, erased_);
    }

    template <class Archive>
    void load(Archive& in) {
        const std::size_t head = in.count(0, 2);
        in.charge(head / 2 * run_cost);
        std::vector<std::pair<BunchRef, Run>> runs;
        if (in.ok()) runs.reserve(head / 2);
        RunReader reader{in};
        std::uint64_t total = 0;
        for (std::size_t left = head / 2; left > 0 && in.ok(); --left) {
            const Run run = reader.read();
            runs.emplace_back(reader.bunch(), run);
            total += run.length;
        }
        if (!in.ok()) return;
        if (head / 2 > 0) {
            auto source = Content::load(in, total);
            if (!in.ok()) return;
            for (const auto& [bunch, run] : runs) append(run, source);
        }
        if (head % 2 == 1) load_erased(in);
    }

   private:
    struct Erased {
        BunchRef bunch;
        std::int32_t offset = 0;
        std::uint32_t length = 0;
    };
    static constexpr std::size_t run_cost = 2 * sizeof(Run) + sizeof(void*);

    static bool is_right_of(const Element& after, const Element& before) noexcept {
        const auto slot = slot_within(before.position.bunch, after.position);
        return slot && (before.position.offset >= 0 || *slot == slot_of(before.position.offset) + 1);
    }

    // Merging.

    /// The bunch in this sequence's own memory, as far as it is there: in a neighbour's ways up, if anywhere.
    static BunchRef adopt(const Bunch* theirs, const typename Rope<Content>::Neighbours& near) {
        const Bunch* before = meet(near.before.position.bunch, theirs).bunch;
        const Bunch* after = meet(near.after.position.bunch, theirs).bunch;
        const Bunch* mine = depth_of(before) < depth_of(after) ? after : before;
        if (depth_of(mine) == depth_of(theirs)) return BunchRef{mine};
        if (ancestor_at(theirs, depth_of(mine)) == mine) return BunchRef{theirs};
        BunchRef made{mine};
        for_each_below(depth_of(mine), theirs, [&](const Bunch* link) {
            made = BunchRef::make(std::move(made), link->offset, link->side, link->name);
        });
        return made;
    }

    /// Inserts what is not there. In parts, where other elements lie between. What has the same positions, and is removed by
    /// `theirs`, goes: the first form of a change that was issued again.
    bool add(Run run, const Content& from, std::size_t first, const Sequence* theirs = nullptr,
             const Join* join = nullptr) {
        bool changed = false;
        while (run.length > 0) {
            const auto found = rope_.find(run.element(), near_);
            std::uint32_t length = 1;
            if (bool all = false; theirs && (is_at(found.near.before, run) || is_at(found.near.after, run)) &&
                                  remove({BunchRef{run.bunch}, run.offset, run.length}, *theirs, *join, all)) {
                changed = true;
                continue;
            }
            if (!found.here) {
                if (run.length > 1 && found.near.after)
                    length = std::max(run.count_before(found.near.after), 1u);
                else
                    length = run.length;
                Run part = run.part(0, length);
                BunchRef made;
                if (const Bunch* before = found.near.before.position.bunch; same_bunch(before, run.bunch)) {
                    part.bunch = before;
                } else if (const Bunch* after = found.near.after.position.bunch; same_bunch(after, run.bunch)) {
                    part.bunch = after;
                } else {
                    made = adopt(run.bunch, found.near);
                    part.bunch = made.get();
                }
                rope_.insert(found.index, part, from, first);
                near_ = found.index + length;
                changed = true;
            }
            run = run.part(length, run.length - length);
            first += length;
        }
        return changed;
    }

    static bool is_at(const Element& element, const Run& run) noexcept {
        return element && element.position.offset == run.offset && same_bunch(element.position.bunch, run.bunch);
    }

    void erase_at(std::size_t index, std::size_t count) {
        rope_.erase(index, count);
        near_ = index;
    }

    /// Removes what `theirs` has seen and does not hold, at the positions of `range`. `all`: it was all here.
    bool remove(const Erased& range, const Sequence& theirs, const Join& join, bool& all) {
        const std::int64_t end = std::int64_t{range.offset} + range.length;
        std::int64_t removed = 0, offset = range.offset;
        const auto find = [&] {
            return rope_.find({{range.bunch.get(), static_cast<std::int32_t>(offset)}, Dot{}}, near_).index;
        };
        for (std::size_t index = find(); index < size();) {
            const Run run = walk(index).run();
            const auto slot = slot_within(range.bunch.get(), run.element().position);
            if (!slot) break;
            if (!same_bunch(run.bunch, range.bunch.get())) {  // what hangs between two elements of the bunch
                offset = offset_after(*slot);
                if (offset >= end) break;
                index = find();
                continue;
            }
            if (run.offset >= end) break;
            const auto length = static_cast<std::uint32_t>(std::min<std::int64_t>(run.length, end - run.offset));
            for (std::uint32_t from = 0, to = 0; from < length; from = to) {
                const bool goes = is_removed(run.part(from, 1), theirs, join);
                for (to = from + 1; to < length && is_removed(run.part(to, 1), theirs, join) == goes; ++to) {
                }
                if (goes) {
                    erase_at(index, to - from);
                    removed += to - from;
                } else {
                    index += to - from;
                }
            }
            offset = std::int64_t{run.offset} + length;
        }
        all = removed >= range.length;
        return removed > 0;
    }

    static bool is_removed(const Run& run, const Sequence& theirs, const Join& join) {
        return !run.moved && join.theirs.contains(run.dot) &&
               (theirs.rope_.empty() || !theirs.rope_.find(run.element()).here);
    }

    /// Of a whole state: what it has seen and does not hold. O(size).
    bool remove_unmentioned(const Sequence& theirs, const Join& join) {
        std::vector<DotRange> alive;
        for (Walk walk = theirs.walk(); walk; walk.next())
            if (const Run run = walk.run(); !run.moved)
                alive.push_back({run.dot.replica(), run.dot.counter(), run.dot.counter() + run.length - 1});
        const auto precedes = [](const DotRange& a, const DotRange& b) {
            return a.replica != b.replica ? a.replica < b.replica : a.last < b.last;
        };
        std::sort(alive.begin(), alive.end(), precedes);
        const auto goes = [&](Dot dot) {
            if (!join.theirs.contains(dot)) return false;
            const auto at = std::lower_bound(alive.begin(), alive.end(),
                                             DotRange{dot.replica(), dot.counter(), dot.counter()}, precedes);
            return at == alive.end() || !at->contains(dot);
        };
        std::vector<std::pair<std::size_t, std::size_t>> gone;  // index, count
        std::size_t index = 0;
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            for (std::uint32_t at = 0; at < run.length; ++at, ++index) {
                if (run.moved || !goes(run.dot_at(at))) continue;
                if (!gone.empty() && gone.back().first + gone.back().second == index)
                    ++gone.back().second;
                else
                    gone.emplace_back(index, 1);
            }
        }
        for (auto range = gone.rbegin(); range != gone.rend(); ++range) erase_at(range->first, range->second);
        return !gone.empty();
    }

    // Encoding.

    /// Calls `f(run)` for all that is kept here, in the fewest runs.
    template <class F>
    void for_each_run(F&& f) const {
        Run held;
        for (Walk walk = this->walk(); walk; walk.next()) {
            const Run run = walk.run();
            if (run.moved) continue;
            if (held.length > 0 && held.continues(run)) {
                held.length += run.length;
                continue;
            }
            if (held.length > 0) f(std::as_const(held));
            held = run;
        }
        if (held.length > 0) f(std::as_const(held));
    }

    /// Each position once: the fewest ranges, by their first positions.
    std::vector<Erased> sorted_erased() const {
        std::vector<Erased> sorted = erased_, result;
        std::sort(sorted.begin(), sorted.end(), [&](const Erased& a, const Erased& b) {
            return a.bunch->key != b.bunch->key ? a.bunch->key < b.bunch->key : a.offset < b.offset;
        });
        for (Erased& range : sorted) {
            const auto end = std::int64_t{range.offset} + range.length;
            if (!result.empty() && same_bunch(result.back().bunch.get(), range.bunch.get()) &&
                range.offset <= std::int64_t{result.back().offset} + result.back().length)
                result.back().length = static_cast<std::uint32_t>(
                    std::max(end - result.back().offset, std::int64_t{result.back().length}));
            else
                result.push_back(std::move(range));
        }
        std::sort(result.begin(), result.end(), [](const Erased& a, const Erased& b) {
            return compare(Position{a.bunch.get(), a.offset}, Position{b.bunch.get(), b.offset}) < 0;
        });
        return result;
    }

    template <class Archive>
    static void save_erased(Archive& out, const std::vector<Erased>& sorted) {
        out.count(sorted.size(), sizeof(Erased));
        TrailWriter again{out};
        for (const Erased& range : sorted) {
            again.write(range.bunch.get(), range.offset, 1);
            out.varint(range.length - 1);
        }
    }

    template <class Archive>
    void load_erased(Archive& in) {
        const std::size_t count = in.count(sizeof(Erased));
        if (count == 0) return in.fail(errc::malformed);
        TrailReader trail{in};
        std::vector<std::int64_t> ends;  // of the last range in the bunch of each depth, on the way to this one
        for (std::size_t left = count; left > 0 && in.ok(); --left) {
            const std::uint32_t down = trail.read([] { return false; });
            const std::uint64_t length = in.varint() + 1;
            if (!in.ok() || length > static_cast<std::uint64_t>(max_offset) * 2) return in.fail(errc::malformed);
            const std::uint32_t depth = depth_of(trail.bunch().get());
            ends.resize(depth - down + 1, -max_offset - 1);
            ends.resize(depth + 1, -max_offset - 1);
            if (trail.offset() <= ends[depth] && down == 0) return in.fail(errc::malformed);
            ends[depth] = trail.offset() + static_cast<std::int64_t>(length);
            if (ends[depth] > max_offset + 1) return in.fail(errc::malformed);
            trail.finish(1);
            erased_.push_back({trail.bunch(), trail.offset(), static_cast<std::uint32_t>(length)});
        }
    }

    Rope<Content> rope_;
    std::vector<Erased> erased_;                       // in deltas only
    std::size_t near_ = static_cast<std::size_t>(-1);  // where the next change may be; of a delta: where it was made
};

}  // namespace netsync::detail
