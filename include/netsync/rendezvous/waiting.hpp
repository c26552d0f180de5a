// netsync: the requests that wait at one event, so that those which may meet a newcomer are found without a look at the
// others. Requests come and go; candidates come out, the oldest first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <netsync/detail/hash.hpp>
#include <netsync/rendezvous/request.hpp>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace netsync::rendezvous::detail {

class Event;
struct Profile;

/// One request that waits. The others of its profile are linked to it, the oldest first.
struct Waiting {
    std::uint64_t number = 0;
    std::string payload{};
    Duration deadline = Duration::max();
    Profile* profile = nullptr;
    Waiting* previous = nullptr;
    Waiting* next = nullptr;
};

/// Requests that say the same are interchangeable but for their age: they meet, or fail to meet, as one.
struct Profile {
    std::string actor{};
    std::optional<Selector> selector{};
    Labels labels{};
    std::size_t mates = 1;
    Event* event = nullptr;
    Waiting* first = nullptr;
    Waiting* last = nullptr;
    std::size_t count = 0;
    std::uint64_t required = 0;  // hash of a label that its selector demands; 0: none
    std::uint64_t hash = 0;      // of all that it says, where there is an index

    bool says_the_same(const Profile& other) const {
        return mates == other.mates && actor == other.actor && labels == other.labels && selector == other.selector;
    }
};

/// A profile by its oldest request.
struct Head {
    std::uint64_t number;
    Profile* profile;
    friend bool operator<(const Head& a, const Head& b) noexcept { return a.number < b.number; }
};
using Heads = std::set<Head>;

inline std::uint64_t hash_of(std::string_view text, std::uint64_t seed = 0) noexcept {
    return netsync::detail::hash_bytes(text.data(), text.size(), seed);
}
inline std::uint64_t hash_of(std::string_view key, std::string_view value) noexcept {
    return hash_of(value, hash_of(key)) | 1;  // 0 stands for none
}

/// Profiles by what their selectors demand and by what their labels say, both at once: a newcomer with a label asks for
/// those who demand it, or demand nothing, and among them for those who have what it demands itself. Equality only; the
/// rest of a selector is tested on what is found. Hashes that collide cost time and nothing else.
class Index {
   public:
    struct Size {
        std::size_t waiting = 0;
        Heads profiles{};
    };

    void add(Profile& profile) {
        for (const std::uint64_t demanded : demands(profile))
            if (profile.required == 0 || size(demanded, 0) < size(profile.required, 0)) profile.required = demanded;
        profiles_.emplace(profile.hash = hash(profile), &profile);
        for_each_place(profile, [&](Heads& heads) { heads.insert({profile.first->number, &profile}); });
    }
    void remove(Profile& profile, std::uint64_t number) {
        const auto [begin, end] = profiles_.equal_range(profile.hash);
        for (auto at = begin; at != end; ++at)
            if (at->second == &profile) {
                profiles_.erase(at);
                break;
            }
        move(profile, number, nullptr);
    }
    /// Its oldest request was `number` and is now `head`.
    void move(Profile& profile, std::uint64_t number, const Waiting* head) {
        for_each_place(profile, [&](Heads& heads) {
            heads.erase({number, nullptr});
            if (head) heads.insert({head->number, &profile});
        });
        for_each_key(profile, [&](std::uint64_t key) {
            if (const auto at = places_.find(key); at != places_.end() && at->second.empty()) places_.erase(at);
        });
    }
    void count(std::size_t mates, std::ptrdiff_t more) {
        Size& size = sizes_[mates];
        size.waiting += static_cast<std::size_t>(more);
        if (size.waiting == 0 && size.profiles.empty()) sizes_.erase(mates);
    }

    Profile* find(const Profile& like) const {
        const auto [begin, end] = profiles_.equal_range(hash(like));
        for (auto at = begin; at != end; ++at)
            if (at->second->says_the_same(like)) return at->second;
        return nullptr;
    }

    /// The places of all who may meet `profile`, and how many they are.
    std::size_t candidates(const Profile& profile, std::vector<const Heads*>& places) const {
        std::vector<std::uint64_t> said{0};
        for (const auto& [key, value] : profile.labels) said.push_back(hash_of(key, value));
        std::uint64_t demanded = 0;
        std::size_t least = size(said, 0);
        for (const std::uint64_t each : demands(profile))
            if (const std::size_t found = size(said, each); found < least || demanded == 0) {
                demanded = each;
                least = found;
            }
        for (const std::uint64_t label : said)
            if (const Heads* heads = find(key_of(label, demanded))) places.push_back(heads);
        return least;
    }

    const std::map<std::size_t, Size>& sizes() const noexcept { return sizes_; }

   private:
    static std::uint64_t key_of(std::uint64_t required, std::uint64_t label) noexcept {
        return netsync::detail::mix(required, label);
    }

    /// Labels that its selector demands; a few of them are enough.
    static std::vector<std::uint64_t> demands(const Profile& profile) {
        std::vector<std::uint64_t> result;
        if (!profile.selector) return result;
        for (const Requirement& requirement : profile.selector->requirements())
            if (const std::string* value = requirement.equality(); value && result.size() < 4)
                result.push_back(hash_of(requirement.key, *value));
        return result;
    }

    static std::uint64_t hash(const Profile& profile) {
        std::uint64_t hash = hash_of(profile.actor, profile.mates);
        for (const auto& [key, value] : profile.labels) hash = hash_of(value, hash_of(key, hash));
        if (!profile.selector) return hash;
        for (const Requirement& requirement : profile.selector->requirements()) {
            hash = hash_of(requirement.key, hash + static_cast<std::uint64_t>(requirement.op));
            for (const std::string& value : requirement.values) hash = hash_of(value, hash);
        }
        return ~hash;
    }

    const Heads* find(std::uint64_t key) const {
        const auto at = places_.find(key);
        return at == places_.end() ? nullptr : &at->second;
    }
    std::size_t size(std::uint64_t required, std::uint64_t label) const {
        const Heads* heads = find(key_of(required, label));
        return heads ? heads->size() : 0;
    }
    std::size_t size(const std::vector<std::uint64_t>& required, std::uint64_t label) const {
        std::size_t sum = 0;
        for (const std::uint64_t each : required) sum += size(each, label);
        return sum;
    }

    template <class F>
    static void for_each_key(const Profile& profile, F&& f) {
        f(key_of(profile.required, 0));
        for (const auto& [key, value] : profile.labels) f(key_of(profile.required, hash_of(key, value)));
    }
    template <class F>
    void for_each_place(const Profile& profile, F&& f) {
        for_each_key(profile, [&](std::uint64_t key) { f(places_[key]); });
        f(sizes_[profile.mates].profiles);
    }

    std::unordered_map<std::uint64_t, Heads> places_;
    std::unordered_multimap<std::uint64_t, Profile*> profiles_;
    std::map<std::size_t, Size> sizes_;
};

/// All that waits at one event. With few profiles they are simply gone through; more get an index.
class Event {
   public:
    const std::string* name = nullptr;  // whoever owns this sets it

    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() {
        for (const Head& head : heads_) delete head.profile;
    }

    bool empty() const noexcept { return heads_.empty(); }
    const Heads& heads() const noexcept { return heads_; }
    const Index* index() const noexcept { return index_.get(); }

    /// `waiting` is newer than all that are here.
    void add(Waiting& waiting, Profile&& said) {
        Profile* profile = find(said);
        if (!profile) {
            profile = new Profile(std::move(said));
            profile->event = this;
        }
        waiting.profile = profile;
        waiting.previous = profile->last;
        (profile->last ? profile->last->next : profile->first) = &waiting;
        profile->last = &waiting;
        if (++profile->count == 1) {
            heads_.insert(heads_.end(), {waiting.number, profile});
            if (index_) index_->add(*profile);
        }
        if (index_) return index_->count(profile->mates, +1);
        if (heads_.size() > few) {
            index_ = std::make_unique<Index>();
            for (const Head& head : heads_) {
                index_->add(*head.profile);
                index_->count(head.profile->mates, static_cast<std::ptrdiff_t>(head.profile->count));
            }
        }
    }

    void remove(Waiting& waiting) {
        Profile& profile = *waiting.profile;
        (waiting.next ? waiting.next->previous : profile.last) = waiting.previous;
        if (waiting.previous) {
            waiting.previous->next = waiting.next;
        } else {
            profile.first = waiting.next;
            heads_.erase({waiting.number, nullptr});
            if (profile.first) heads_.insert({profile.first->number, &profile});
            if (index_ && profile.first) index_->move(profile, waiting.number, profile.first);
            if (index_ && !profile.first) index_->remove(profile, waiting.number);
        }
        --profile.count;
        if (index_) index_->count(profile.mates, -1);
        if (profile.count == 0) delete &profile;
    }

   private:
    static constexpr std::size_t few = 16;

    Profile* find(const Profile& like) const {
        if (index_) return index_->find(like);
        for (const Head& head : heads_)
            if (head.profile->says_the_same(like)) return head.profile;
        return nullptr;
    }

    Heads heads_;  // of all profiles
    std::unique_ptr<Index> index_;
};

}  // namespace netsync::rendezvous::detail
