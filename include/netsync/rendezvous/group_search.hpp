// netsync: which of those who wait a newcomer completes a group with. One event and one newcomer in, the group out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <netsync/rendezvous/waiting.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace netsync::rendezvous::detail {

/// Of all groups that can fire, the one whose members' numbers, in ascending order, come first: depth first, the oldest
/// first. A group is pairwise willing and has exactly one more member than the largest `mates` in it; all contain the
/// newcomer, for no group of those who waited before could fire. Comparisons in vain are counted, and end the search at a limit.
class GroupSearch {
   public:
    GroupSearch(const Event& event, const Profile& newcomer, std::size_t limit)
        : event_(event), newcomer_(newcomer), left_(limit) {}

    /// The others of the group by age, or nothing.
    std::vector<Waiting*> run() {
        std::vector<Waiting*> best;
        for (const std::size_t mates : sizes())
            if (std::vector<Waiting*> group = find(mates); !group.empty() && (best.empty() || is_before(group, best)))
                best = std::move(group);
        return best;
    }

    /// The limit was met: there may be a group that was not found.
    bool gave_up() const noexcept { return left_ == 0; }

   private:
    /// The newcomer is the last of both: where one group is the beginning of the other, the longer one comes first.
    static bool is_before(const std::vector<Waiting*>& a, const std::vector<Waiting*>& b) {
        const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
        if (in_a == a.end() || in_b == b.end()) return a.size() > b.size();
        return (*in_a)->number < (*in_b)->number;
    }

    /// A choice among candidates, the oldest first: those at `places`, and the next of a profile that was chosen from.
    struct Level {
        std::vector<const Heads*> places{};  // of all who may meet one of the chosen: of the one with the fewest
        std::size_t bound = 0;               // how many these are
        std::vector<std::pair<Heads::const_iterator, Heads::const_iterator>> cursors{};
        std::vector<Waiting*> again{};  // the oldest at the back
    };

    /// What the largest `mates` of a group may be: enough are there, and one who asks for so many.
    std::vector<std::size_t> sizes() const {
        std::map<std::size_t, std::size_t> waiting{{newcomer_.mates, 0}};
        if (const Index* index = event_.index())
            for (const auto& [mates, size] : index->sizes()) waiting[mates] = size.waiting;
        else
            for (const Head& head : event_.heads()) waiting[head.profile->mates] += head.profile->count;
        std::vector<std::size_t> result;
        std::size_t at_most = 0;
        for (const auto& [mates, count] : waiting) {
            at_most += count;
            const bool enough = mates >= newcomer_.mates && at_most >= mates;
            if (enough && (mates == newcomer_.mates || may_be_met(mates))) result.push_back(mates);
        }
        return result;
    }

    bool may_be_met(std::size_t mates) const {
        const Index* index = event_.index();
        std::size_t looked = 0;
        for (const Head& head : index ? index->sizes().at(mates).profiles : event_.heads()) {
            if (head.profile->mates == mates && meet(*head.profile, newcomer_)) return true;
            if (++looked == 32) return true;  // perhaps
        }
        return false;
    }

    std::vector<Waiting*> find(std::size_t mates) {
        mates_ = mates;
        holders_ = newcomer_.mates == mates ? 1 : 0;
        descend(newcomer_);
        while (!levels_.empty() && left_ > 0) {
            if (Waiting* candidate = next(levels_.back()); !candidate) {
                levels_.pop_back();
                if (!chosen_.empty()) take_back();
                spend(1);
            } else if (fits(*candidate->profile)) {
                choose(*candidate);
                if (chosen_.size() == mates) break;
                descend(*candidate->profile);
            }
        }
        levels_.clear();
        std::vector<Waiting*> group = chosen_.size() == mates ? chosen_ : std::vector<Waiting*>{};
        while (!chosen_.empty()) take_back();
        return group;
    }

    void descend(const Profile& newest) {
        Level level;
        if (!levels_.empty()) {
            level.places = levels_.back().places;
            level.bound = levels_.back().bound;
        }
        if (const Index* index = event_.index(); !index) {
            level.places = {&event_.heads()};
        } else if (levels_.empty() || level.bound > 32) {
            std::vector<const Heads*> places;
            if (const std::size_t bound = index->candidates(newest, places); levels_.empty() || bound < level.bound)
                level.places = std::move(places), level.bound = bound;
        }
        const std::uint64_t after = chosen_.empty() ? 0 : chosen_.back()->number + 1;
        for (const Heads* heads : level.places)
            level.cursors.emplace_back(heads->lower_bound({after, nullptr}), heads->end());
        for (const Waiting* waiting : repeatable_)
            if (waiting->next && waiting->next->number >= after) level.again.push_back(waiting->next);
        std::sort(level.again.begin(), level.again.end(),
                  [](const Waiting* a, const Waiting* b) { return a->number > b->number; });
        levels_.push_back(std::move(level));
    }

    /// One candidate a profile: where it does not lead to a group, a younger one that says the same does not either.
    static Waiting* next(Level& level) {
        Waiting* oldest = level.again.empty() ? nullptr : level.again.back();
        for (const auto& [at, end] : level.cursors)
            if (at != end && (!oldest || at->number < oldest->number)) oldest = at->profile->first;
        if (!oldest) return nullptr;
        if (!level.again.empty() && level.again.back() == oldest) level.again.pop_back();
        for (auto& [at, end] : level.cursors)
            if (at != end && at->number == oldest->number) ++at;
        return oldest;
    }

    bool fits(const Profile& candidate) {
        const bool is_last = chosen_.size() + 1 == mates_;
        const bool right_size = candidate.mates <= mates_ && (!is_last || holders_ > 0 || candidate.mates == mates_);
        if (!right_size || !meet(candidate, newcomer_)) return spend(1), false;
        if (!candidate.selector && actors_.contains(candidate.actor)) return spend(1), false;
        std::size_t compared = 1;
        const auto meets = [&](const Waiting* other) { return ++compared, meet(candidate, *other->profile); };
        const bool meets_all = std::all_of(choosy_.begin(), choosy_.end(), meets) &&
                               (!candidate.selector || std::all_of(plain_.begin(), plain_.end(), meets));
        if (!meets_all) spend(compared);
        return meets_all;
    }

    void choose(Waiting& waiting) {
        const Profile& profile = *waiting.profile;
        chosen_.push_back(&waiting);
        (profile.selector ? choosy_ : plain_).push_back(&waiting);
        if (!profile.selector) actors_.insert(profile.actor);
        if (profile.selector && waiting.next && meet(profile, profile)) repeatable_.push_back(&waiting);
        if (profile.mates == mates_) ++holders_;
    }

    void take_back() {
        const Waiting* waiting = chosen_.back();
        const Profile& profile = *waiting->profile;
        chosen_.pop_back();
        (profile.selector ? choosy_ : plain_).pop_back();
        if (!profile.selector) actors_.erase(profile.actor);
        if (!repeatable_.empty() && repeatable_.back() == waiting) repeatable_.pop_back();
        if (profile.mates == mates_) --holders_;
    }

    void spend(std::size_t comparisons) noexcept { left_ -= std::min(left_, comparisons); }

    const Event& event_;
    const Profile& newcomer_;
    std::size_t left_;
    std::size_t mates_ = 0;
    std::size_t holders_ = 0;  // of those chosen and the newcomer, how many ask for as many as the group is to have
    std::vector<Waiting*> chosen_;
    std::vector<const Waiting*> plain_, choosy_;   // of these, without and with a selector
    std::vector<const Waiting*> repeatable_;       // of these, whose next may be chosen too
    std::unordered_set<std::string_view> actors_;  // of the plain ones: no two are the same
    std::vector<Level> levels_;
};

}  // namespace netsync::rendezvous::detail
