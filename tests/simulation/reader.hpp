// Compares what is read of a state with what the changes say, type by type; and what holds of some types whatever was
// changed: that a tree is one, that a run stays whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "catalogue.hpp"

namespace simulated {

/// Which element was ever seen right before which other, at each place: together an order, at all replicas and times.
using Neighbours = std::map<std::string, std::map<std::string, std::set<std::string>>>;

class Reader {
   public:
    /// Without a view only what holds whatever was changed is checked. `overdrawn`: rights may have been used twice.
    Reader(const View* view, bool overdrawn, Neighbours& neighbours)
        : view_(view), overdrawn_(overdrawn), neighbours_(neighbours) {}

    std::optional<std::string> wrong;

    template <detail::composite T>
    void check(const T& now, const std::string& place) {
        detail::for_each_named_field(
            [&](std::string_view name, const auto& part) { check(part, place + '/' + std::string(name)); }, now);
    }
    void check(const laws::Wide&, const std::string&) {}
    void check(const OrMap<std::string, laws::Bush>&, const std::string&) {}

    // Sets.

    void check(const GSet<std::uint64_t>& now, const std::string& place) { check_set(now, place, &View::add_wins); }
    void check(const OrSet<std::uint64_t>& now, const std::string& place) { check_set(now, place, &View::add_wins); }
    void check(const RwSet<std::uint64_t>& now, const std::string& place) { check_set(now, place, &View::remove_wins); }
    void check(const TwoPhaseSet<std::uint64_t>& now, const std::string& place) {
        check_set(now, place, &View::never_again);
    }
    void check(const LwwSet<std::uint64_t>& now, const std::string& place) {
        std::map<std::string, std::int64_t> read;
        now.for_each([&](std::uint64_t element) { read.emplace(std::to_string(element), 0); });
        compare(place, read, [&] { return view_->last_writes(place); });
    }
    void check(const Bag<std::uint64_t>& now, const std::string& place) {
        std::map<std::string, std::int64_t> read;
        now.for_each([&](std::uint64_t element, std::uint64_t count) {
            read.emplace(std::to_string(element), static_cast<std::int64_t>(count));
        });
        compare(place, read, [&] { return view_->sums(place); });
    }

    // Counters, flags, registers.

    void check(const GCounter& now, const std::string& place) {
        check_total(static_cast<std::int64_t>(now.value()), place);
    }
    void check(const PnCounter& now, const std::string& place) { check_total(now.value(), place); }
    void check(const ResettableCounter& now, const std::string& place) {
        compare(place, now.value(), [&] {
            const auto sums = view_->sums(place);
            return sums.empty() ? std::int64_t{0} : sums.begin()->second;
        });
    }
    void check(const BoundedCounter<-3>& now, const std::string& place) {
        const std::int64_t lower = BoundedCounter<-3>::lower();
        if (!overdrawn_) {
            std::int64_t rights = 0;
            for (const OwnerId owner : owners) rights += static_cast<std::int64_t>(now.rights(owner));
            if (rights != now.value() - lower)
                fail(place, std::to_string(now.value()), "rights of " + std::to_string(rights));
        }
        compare(place, now.value(), [&] {
            std::int64_t sum = lower;
            for (const Done* done : view_->steps(place))
                if (done->verb == Verb::count) sum += done->number;
            return sum;
        });
    }
    void check(const EnableWinsFlag& now, const std::string& place) {
        compare(place, now.value(), [&] { return !view_->add_wins(place).empty(); });
    }
    void check(const DisableWinsFlag& now, const std::string& place) {
        compare(place, now.value(), [&] { return !view_->remove_wins(place).empty(); });
    }
    void check(const MinRegister<std::int64_t>& now, const std::string& place) { check_extreme(now, place, -1); }
    void check(const MaxRegister<std::int64_t>& now, const std::string& place) { check_extreme(now, place, 1); }
    void check(const LwwRegister<std::uint64_t>& now, const std::string& place) {
        compare(place, static_cast<std::int64_t>(now.value()), [&] {
            const auto last = view_->last_writes(place);
            return last.empty() ? std::int64_t{0} : last.begin()->second;
        });
    }
    void check(const MvRegister<std::uint64_t>& now, const std::string& place) {
        std::multiset<std::int64_t> read;
        for (const std::uint64_t value : now.values()) read.insert(static_cast<std::int64_t>(value));
        compare(place, read, [&] { return view_->concurrent_writes(place); });
    }

    // Maps.

    void check(const LwwMap<std::string, std::uint64_t>& now, const std::string& place) {
        std::map<std::string, std::int64_t> read;
        now.for_each(
            [&](const std::string& key, std::uint64_t value) { read.emplace(key, static_cast<std::int64_t>(value)); });
        compare(place, read, [&] { return view_->last_writes(place); });
    }
    template <class V>
    void check(const OrMap<std::string, V>& now, const std::string& place) {
        check_keys(now, place);
    }
    template <class V>
    void check(const GMap<std::string, V>& now, const std::string& place) {
        std::set<std::string> read;
        now.for_each([&](const std::string& key, const V&) { read.insert(key); });
        compare(place, read, [&] { return view_->add_wins(place); });
        check_keys(now, place);
    }
    template <class Part>
    void check(const Owned<Part>& now, const std::string& place) {
        now.for_each([&](OwnerId owner, const Part& part) { check(part, place + '/' + Author::text_of(owner)); });
    }
    template <class... T>
    void check(const LwwChoice<T...>& now, const std::string& place) {
        if (view_ && view_->has_drops(place) && !now.has_choice()) return;  // the first that holds anything
        compare(place, static_cast<std::int64_t>(now.index()), [&] {
            const auto last = view_->last_writes(place);
            return last.empty() ? static_cast<std::int64_t>(sizeof...(T)) : last.begin()->second;
        });
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((now.find(alternative<I>) ? check(*now.find(alternative<I>), place + "/content/" + std::to_string(I))
                                       : void()),
             ...);
        }(std::index_sequence_for<T...>{});
    }

    // Sequences.

    void check(const List<std::uint64_t>& now, const std::string& place) {
        std::vector<std::string> read;
        for (const std::uint64_t element : now) read.push_back(std::to_string(element));
        check_sequence(read, place);
    }
    void check(const Text& now, const std::string& place) {
        std::vector<std::string> read;
        const std::string text = now.str();
        for (std::size_t at = 0; at + 3 < text.size(); at += 4) {
            std::uint64_t point = static_cast<unsigned char>(text[at]) & 7u;
            for (std::size_t more = 1; more < 4; ++more)
                point = (point << 6) | (static_cast<unsigned char>(text[at + more]) & 0x3fu);
            read.push_back(std::to_string(point - Author::first_point));
        }
        check_sequence(read, place);
    }

    template <class V>
    void check(const Tree<V>& now, const std::string& place) {
        std::map<std::string, std::string> read;
        now.for_each([&](const NodeId& node, const V& value, std::size_t depth) {
            const auto parent = now.parent(node);
            const std::string name = Author::text_of(node);
            if (!parent) return fail(place, name, "a node without a parent");
            if (!read.emplace(name, Author::text_of(*parent)).second) fail(place, name, "a node in two places");
            std::size_t above = 0;
            for (auto up = parent; up && !up->is_root() && above <= depth; up = now.parent(*up)) ++above;
            if (above != depth) fail(place, name, "a node that does not lie where its parents say");
            if (view_ && !wrong) check(value, place + '/' + name);
        });
        compare(place, read, [&] { return parents(*view_, place); });
    }

    std::vector<OwnerId> owners{};  ///< all that there are

   private:
    template <class Set>
    void check_set(const Set& now, const std::string& place,
                   std::set<std::string> (View::*expected)(const std::string&) const) {
        std::set<std::string> read;
        now.for_each([&](std::uint64_t element) { read.insert(std::to_string(element)); });
        compare(place, read, [&] { return (view_->*expected)(place); });
    }
    void check_total(std::int64_t read, const std::string& place) {
        compare(place, read, [&] { return view_->totals(place); });
    }
    template <class Register>
    void check_extreme(const Register& now, const std::string& place, std::int64_t sign) {
        compare(place, now.value(), [&] {
            std::optional<std::int64_t> best;
            for (const Done* done : view_->steps(place))
                if (!best || sign * done->number > sign * *best) best = done->number;
            return best.value_or(0);
        });
    }
    template <class Map>
    void check_keys(const Map& now, const std::string& place) {
        using V = std::remove_cvref_t<decltype(*now.find(std::string{}))>;
        std::set<std::string> keys;
        if (view_) keys = view_->names_below(place);
        now.for_each([&](const std::string& key, const V&) { keys.insert(key); });
        for (const std::string& key : keys) {
            const V* held = now.find(key);
            check(held ? *held : V{}, place + '/' + key);
        }
    }

    void check_sequence(const std::vector<std::string>& read, const std::string& place) {
        std::map<std::string, std::size_t> at;
        for (const std::string& element : read)
            if (!at.emplace(element, at.size()).second) return fail(place, element, "an element that is there twice");
        compare(place, std::set<std::string>(read.begin(), read.end()), [&] { return view_->add_wins(place); });
        if (!view_ || wrong) return;
        std::map<std::string, const Done*> made;
        std::set<std::string> moved;
        for (const Done* done : view_->all_steps(place)) {
            if (done->verb != Verb::put) continue;
            if (done->number == 1)
                moved.insert(done->key);
            else
                made.emplace(done->key, done);
        }
        for (const auto& [element, done] : made)
            if (!done->other.empty() && at.contains(element) && at.contains(done->other) && !moved.contains(element) &&
                !moved.contains(done->other))
                check_run(read, at, made, moved, place, done);
        const std::string* before = nullptr;
        for (const std::string& element : read) {
            if (moved.contains(element)) continue;
            if (before) neighbours_[place][*before].insert(element);
            before = &element;
        }
    }
    /// What stands between two elements that were written one after the other had seen the first.
    void check_run(const std::vector<std::string>& read, std::map<std::string, std::size_t>& at,
                   const std::map<std::string, const Done*>& made, const std::set<std::string>& moved,
                   const std::string& place, const Done* second) {
        const Done* first = made.at(second->other);
        if (at[first->key] >= at[second->key]) return fail(place, second->key, "written behind " + first->key);
        for (std::size_t i = at[first->key] + 1; i < at[second->key]; ++i)
            if (!moved.contains(read[i]) && !view_->history().sees(*made.at(read[i]), *first))
                return fail(place, first->key + ' ' + read[i] + ' ' + second->key, "a run with another's between");
    }

    template <class Read, class F>
    void compare(const std::string& place, const Read& read, F&& expected) {
        if (!view_ || wrong) return;
        const auto should = expected();
        if (read == should) return;
        if constexpr (std::is_same_v<Read, std::set<std::string>>)  // may be long: what the other lacks
            fail(place, text_of(without(read, should)), text_of(without(should, read)));
        else
            fail(place, text_of(read), text_of(should));
    }
    static std::set<std::string> without(std::set<std::string> all, const std::set<std::string>& some) {
        for (const std::string& each : some) all.erase(each);
        return all;
    }

    static std::string text_of(bool value) { return value ? "on" : "off"; }
    static std::string text_of(std::int64_t value) { return std::to_string(value); }
    static std::string text_of(const std::string& value) { return value; }
    template <class A, class B>
    static std::string text_of(const std::pair<A, B>& value) {
        return text_of(value.first) + ": " + text_of(value.second);
    }
    template <class T>
    static std::string text_of(const T& values) {
        std::string text = "{";
        for (const auto& value : values) text += (text.size() > 1 ? ", " : "") + text_of(value);
        return text + '}';
    }

    void fail(const std::string& place, const std::string& read, const std::string& expected) {
        if (!wrong) wrong = place + " reads " + read + ", expected: " + expected;
    }

    const View* view_;
    bool overdrawn_;
    Neighbours& neighbours_;
};

/// The workload: changes everything, a step or a few at once, and compares what every replica reads with the changes that
/// it holds. Where ids were given up or are in use twice, changes go by other names, and only the rest is checked.
class Cataloguer {
   public:
    using Wrong = std::optional<std::string>;

    bool retires = false;      ///< also gives up members, present or not
    bool loses_disks = false;  ///< one owner may be there twice, or have forgotten
    std::uint64_t compared = 0;

    template <class Replica>
    Wrong operator()(Replica& replica, testing::Random& random) {
        const Report before = replica.report();
        if (retires && random.below(40) == 0 && !before.members.empty())
            static_cast<void>(replica.retire(before.members[random.below(before.members.size())].replica));
        std::vector<OwnerId> owners;
        for (const Member& member : before.members) owners.push_back(member.replica.owner());
        owners_.insert(owners.begin(), owners.end());
        owners_.insert(before.replica.owner());
        Made made{before.replica, 0, 0, {}, {}};
        for (const Head& head : before.heads) made.seen[head.replica] = head.counter;
        std::vector<Done> done;
        std::size_t dots = 0, step = 0;
        const std::uint64_t steps = random.below(4) == 0 ? 2 + random.below(2) : 1;
        const auto make = [&](auto& batch) {
            for (; step < steps; ++step)
                batch.update([&](const Everything& now, Change& change) {
                    Author author{change, random, fresh_, typed_[before.replica], done, step};
                    author.know(owners);
                    Everything delta = author.act(now, "");
                    made.time = change.time();
                    if (step == 0) made.first = made.last = change.minted().first;  // a change takes at least one
                    if (!change.minted().empty()) made.last = change.minted().last;
                    dots += change.minted().size() + change.removed().size();
                    return delta;
                });
        };
        Result<Token> result = Token{};
        try {
            result = replica.try_batch(make);
        } catch (...) {  // the power went: it may be on the disk
            if (dots > 0) history_.add(std::move(made), std::move(done));
            throw;
        }
        if (dots == 0) return {};
        bool stands = false;
        for (const Head& head : replica.report().heads)
            stands = stands || (head.replica == before.replica && head.counter == made.last);
        if (stands) history_.add(std::move(made), std::move(done));
        if (!result && result.error() == errc::too_large) return "a change is too large";
        return {};
    }

    Wrong check(const testing::Observation<Everything>& seen) {
        const bool exact = seen.reused.empty();
        if (exact) ++compared;
        const View view{history_, [&](const ReplicaId& replica) { return seen.disk.tip(replica).counter; }};
        Reader reader{exact ? &view : nullptr, loses_disks, neighbours_};
        reader.owners.assign(owners_.begin(), owners_.end());
        reader.check(seen.state, "");
        if (!reader.wrong && seen.settled && exact) reader.wrong = find_cycle();
        return reader.wrong;
    }

   private:
    /// Elements that were seen in one order here and in another there.
    Wrong find_cycle() const {
        for (const auto& [place, after] : neighbours_) {
            std::map<std::string, int> state;  // 1: on the way, 2: done
            std::vector<std::pair<std::string, bool>> todo;
            for (const auto& [element, next] : after) todo.emplace_back(element, false);
            while (!todo.empty()) {
                const auto [element, left] = todo.back();
                todo.pop_back();
                if (left) {
                    state[element] = 2;
                    continue;
                }
                if (state[element] != 0) continue;
                state[element] = 1;
                todo.emplace_back(element, true);
                if (const auto found = after.find(element); found != after.end())
                    for (const std::string& next : found->second) {
                        if (state[next] == 1) return place + " has elements in two orders: " + element + ", " + next;
                        if (state[next] == 0) todo.emplace_back(next, false);
                    }
            }
        }
        return {};
    }

    History history_;
    Neighbours neighbours_;
    std::set<OwnerId> owners_;
    std::map<ReplicaId, std::map<std::string, std::uint64_t>> typed_;
    std::uint64_t fresh_ = 0;
};

}  // namespace simulated
