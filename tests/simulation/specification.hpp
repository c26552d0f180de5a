// What must be read of each type, from the changes alone: who made which, and which of the others it had seen. No dots, no
// merge: the words of the README's table, in the manner of Burckhardt, Gotsman, Yang, Zawirski (2014).
#pragma once

#include <netsync/netsync.hpp>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace simulated {

using namespace netsync;

/// What a step of a change did to what lies at its place.
enum class Verb { put, take, count, lower, reset, give, drop, move };

/// One step. Places are paths, as `/pages/a/body`; what was done at a place goes with a `drop` at one above it.
struct Done {
    std::string place;
    Verb verb;
    std::string key{};
    std::int64_t number = 0;
    std::string other{};     // a second key
    std::size_t change = 0;  // the number of the change, and the place in it
    std::size_t step = 0;
};

/// One change, and what its maker had seen: the highest counter of each replica.
struct Made {
    ReplicaId replica;
    std::uint64_t first = 0, last = 0;  // its counters
    Ntp64 time;
    std::map<ReplicaId, std::uint64_t> seen;
};

/// All changes of a run.
class History {
   public:
    /// A counter that comes again was lost in a crash, with its change, before anybody saw it.
    void add(Made made, std::vector<Done> steps) {
        for (std::size_t at = 0; at < made_.size(); ++at)
            if (made_[at].replica == made.replica && made_[at].last >= made.first) made_[at].last = lost;
        for (Done& step : steps) {
            step.change = made_.size();
            auto& at = step.verb == Verb::drop ? drops_[step.place] : done_[step.place];
            at.push_back(std::move(step));
        }
        made_.push_back(std::move(made));
    }

    const Made& made(const Done& done) const { return made_[done.change]; }

    /// Whether `later` was made by one who had seen `earlier`.
    bool sees(const Done& later, const Done& earlier) const {
        if (later.change == earlier.change) return later.step > earlier.step;
        const auto& seen = made_[later.change].seen;
        const auto found = seen.find(made_[earlier.change].replica);
        return found != seen.end() && found->second >= made_[earlier.change].last;
    }
    /// The order in which the last writer wins.
    bool is_later(const Done& a, const Done& b) const {
        const auto rank = [&](const Done& done) {
            return std::tuple(made(done).time, made(done).replica, made(done).last, done.step);
        };
        return rank(a) > rank(b);
    }

   private:
    friend class View;
    static constexpr std::uint64_t lost = ~std::uint64_t{0};

    std::vector<Made> made_;
    std::map<std::string, std::vector<Done>> done_, drops_;
};

/// What of it one replica holds.
class View {
   public:
    using Steps = std::vector<const Done*>;

    View(const History& history, const std::function<std::uint64_t(const ReplicaId&)>& counter) : history_(history) {
        for (const Made& made : history.made_) held_.push_back(made.last <= counter(made.replica));
    }

    const History& history() const { return history_; }

    /// Whether anything above a place was ever removed, as far as this replica knows.
    bool has_drops(const std::string& place) const { return !drops_above(place).empty(); }

    /// The drops above a place.
    Steps drops_above(const std::string& place) const {
        Steps drops;
        for (std::size_t end = place.size(); end != std::string::npos && end > 0; end = place.rfind('/', end - 1)) {
            const auto found = history_.drops_.find(place.substr(0, end));
            if (found == history_.drops_.end()) continue;
            for (const Done& drop : found->second)
                if (held_[drop.change]) drops.push_back(&drop);
        }
        return drops;
    }

    /// What was done at a place and is not gone with something above it, in the order in which it was made.
    Steps steps(const std::string& place) const {
        Steps alive;
        const Steps drops = drops_above(place);
        for (const Done* done : all_steps(place))
            if (std::none_of(drops.begin(), drops.end(), [&](const Done* drop) { return history_.sees(*drop, *done); }))
                alive.push_back(done);
        return alive;
    }
    Steps all_steps(const std::string& place) const {
        Steps held;
        if (const auto found = history_.done_.find(place); found != history_.done_.end())
            for (const Done& done : found->second)
                if (held_[done.change]) held.push_back(&done);
        return held;
    }

    /// The places right below one, by their last names, at which something stands.
    std::set<std::string> names_below(const std::string& place) const {
        std::set<std::string> names;
        const std::string prefix = place + '/';
        for (auto at = history_.done_.lower_bound(prefix);
             at != history_.done_.end() && at->first.compare(0, prefix.size(), prefix) == 0; ++at) {
            const std::string name =
                at->first.substr(prefix.size(), at->first.find('/', prefix.size()) - prefix.size());
            if (!names.contains(name) && !steps(at->first).empty()) names.insert(name);
        }
        return names;
    }

    /// By key: the steps that no other has seen.
    std::map<std::string, Steps> latest(const std::string& place) const {
        std::map<std::string, Steps> result;
        for (const Done* done : steps(place)) {
            Steps& others = result[done->key];
            std::erase_if(others, [&](const Done* other) { return history_.sees(*done, *other); });
            others.push_back(done);
        }
        return result;
    }

    /// An add wins over a removal that had not seen it; the other way round.
    std::set<std::string> add_wins(const std::string& place) const {
        return keys(place, [](const Steps& latest) { return has(latest, Verb::put); });
    }
    std::set<std::string> remove_wins(const std::string& place) const {
        return keys(place, [](const Steps& latest) { return has(latest, Verb::put) && !has(latest, Verb::take); });
    }
    /// What was once removed never comes back.
    std::set<std::string> never_again(const std::string& place) const {
        std::set<std::string> result;
        for (const Done* done : steps(place))
            if (done->verb == Verb::put) result.insert(done->key);
        for (const Done* done : steps(place))
            if (done->verb == Verb::take) result.erase(done->key);
        return result;
    }
    /// By key, what the last writer wrote; without what it took away.
    std::map<std::string, std::int64_t> last_writes(const std::string& place) const {
        std::map<std::string, const Done*> last;
        for (const Done* done : steps(place))
            if (const Done*& held = last[done->key]; !held || history_.is_later(*done, *held)) held = done;
        std::map<std::string, std::int64_t> result;
        for (const auto& [key, done] : last)
            if (done->verb == Verb::put) result.emplace(key, done->number);
        return result;
    }
    /// The numbers put that nobody has overwritten.
    std::multiset<std::int64_t> concurrent_writes(const std::string& place) const {
        std::multiset<std::int64_t> result;
        for (const auto& [key, latest] : latest(place))
            for (const Done* done : latest) result.insert(done->number);
        return result;
    }

    /// Counts of a key that no reset has seen.
    std::map<std::string, std::int64_t> sums(const std::string& place) const {
        std::map<std::string, std::int64_t> result;
        const Steps all = steps(place);
        for (const Done* done : all) {
            if (done->verb != Verb::count) continue;
            const bool gone = std::any_of(all.begin(), all.end(), [&](const Done* other) {
                return other->verb == Verb::reset && other->key == done->key && history_.sees(*other, *done);
            });
            if (!gone) result[done->key] += done->number;
        }
        std::erase_if(result, [](const auto& entry) { return entry.second == 0; });
        return result;
    }
    /// Of each replica the total of its latest count, which goes on from the one before unless that was gone for it.
    std::int64_t totals(const std::string& place) const {
        const Steps all = all_steps(place), drops = drops_above(place);
        const auto is_gone = [&](const Done* done, const Done* until) {
            return std::any_of(drops.begin(), drops.end(), [&](const Done* drop) {
                return history_.sees(*drop, *done) && (!until || history_.sees(*until, *drop));
            });
        };
        std::map<ReplicaId, std::pair<const Done*, std::int64_t>> by_replica;
        for (const Done* done : all) {
            auto& [last, total] = by_replica[history_.made(*done).replica];
            if (last && is_gone(last, done)) total = 0;
            total += done->number;
            last = done;
        }
        std::int64_t sum = 0;
        for (const auto& [replica, counted] : by_replica)
            if (!is_gone(counted.first, nullptr)) sum += counted.second;
        return sum;
    }

   private:
    static bool has(const Steps& steps, Verb verb) {
        return std::any_of(steps.begin(), steps.end(), [&](const Done* done) { return done->verb == verb; });
    }
    template <class Is>
    std::set<std::string> keys(const std::string& place, Is&& is) const {
        std::set<std::string> result;
        for (const auto& [key, steps] : latest(place))
            if (is(steps)) result.insert(key);
        return result;
    }

    const History& history_;
    std::vector<char> held_;
};

/// A tree as its moves make it, one after the other in the order of their times: the parents of its nodes. `root` is the
/// root; what is removed lies under `gone`.
inline std::map<std::string, std::string> parents(const View& view, const std::string& place) {
    View::Steps moves;
    for (const Done* done : view.steps(place))
        if (done->verb == Verb::move) moves.push_back(done);
    std::sort(moves.begin(), moves.end(), [&](const Done* a, const Done* b) {
        return view.history().is_later(*b, *a) || (!view.history().is_later(*a, *b) && std::less<>{}(a, b));
    });
    std::map<std::string, std::string> parent;
    const auto comes_to = [&](std::string from, const std::string& to) {
        for (; from != to; from = parent[from])
            if (!parent.contains(from)) return false;
        return true;
    };
    for (const Done* move : moves)
        if (!comes_to(move->other, move->key)) parent[move->key] = move->other;
    std::map<std::string, std::string> in_tree;
    for (const auto& [node, above] : std::map(parent))
        if (comes_to(node, "root")) in_tree.emplace(node, above);
    return in_tree;
}

}  // namespace simulated
