// netsync: where requests meet. Arrivals, departures and the passing of time come in; matches come out. No threads, no
// sockets, no clock: meet.hpp and http/ put these around it, pool_exchange.hpp does without one place.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <netsync/error.hpp>
#include <netsync/rendezvous/group_search.hpp>
#include <netsync/rendezvous/request.hpp>
#include <netsync/rendezvous/waiting.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace netsync::rendezvous {

/// A group that has met. Each of its requests is done, and is told the same payloads.
struct Match {
    std::vector<RequestId> members{};  ///< in the order of their arrival
    std::vector<Payload> payloads{};   ///< by actor
};

/// What an arrival came to: `match`, or it waits.
struct Arrival {
    RequestId id{};
    std::optional<Match> match{};
};

/// A request that waits, as others may be told of it. Good until the exchange changes.
struct WaitingRequest {
    RequestId id;
    const std::string& event;
    const std::string& actor;
    std::size_t mates;
    const std::optional<Selector>& selector;
    const Labels& labels;
};

/// Counts since the start.
struct ExchangeStatistics {
    std::uint64_t arrived = 0;
    std::uint64_t refused = 0;
    std::uint64_t met = 0;     ///< requests
    std::uint64_t groups = 0;  ///< that they met in
    std::uint64_t departed = 0;
    std::uint64_t expired = 0;
    std::uint64_t searches_given_up = 0;
};

/// A group fires as soon as it is there: requests for one event, pairwise willing, one more than the largest `mates` in
/// it. `mates = 0` is answered at once, alone. Of the groups that an arrival completes, the one fires whose members, by
/// age, come first: the oldest request that can be completed, with the oldest that fit. A request is in one group only.
///
/// An arrival costs O(log waiting) beside those who may meet it: the event and the labels that selectors demand by
/// equality are indexed. Whether a group exists at all is a hard question for selectors made to make it one: after
/// limits.search comparisons in vain the arrival waits, as if there were none.
///
/// One thread. Time is that of any steady clock.
class Exchange {
   public:
    explicit Exchange(ExchangeLimits limits = {}) : limits_(limits) {}

    /// An error of `complete`, or errc::too_many_waiting where it would have to wait; nothing has changed then.
    Result<Arrival> arrive(Request request, Duration now) {
        if (const std::error_code error = complete(request, limits_)) return ++statistics_.refused, error;
        const RequestId id{last_ + 1};
        Arrival arrival{id, {}};
        if (request.mates == 0) {
            ++last_, ++statistics_.arrived, ++statistics_.groups, ++statistics_.met;
            arrival.match = Match{{id}, {{std::move(request.actor), std::move(request.payload)}}};
            return arrival;
        }
        detail::Profile profile{.actor = std::move(request.actor),
                                .selector = std::move(request.selector),
                                .labels = std::move(request.labels),
                                .mates = request.mates};
        const auto at = events_.find(request.event);
        if (at != events_.end()) {
            detail::GroupSearch search(at->second, profile, limits_.search);
            if (const std::vector<detail::Waiting*> others = search.run(); !others.empty()) {
                ++last_, ++statistics_.arrived;
                arrival.match = meet_with(others, id, {std::move(profile.actor), std::move(request.payload)});
                return arrival;
            }
            if (search.gave_up()) ++statistics_.searches_given_up;
        }
        if (waiting_.size() >= limits_.waiting) return ++statistics_.refused, make_error_code(errc::too_many_waiting);
        ++last_, ++statistics_.arrived;
        wait(std::move(profile), std::move(request), id, now);
        return arrival;
    }

    /// Whoever asked is gone. False where it does not wait any more.
    bool depart(RequestId id) {
        if (!remove(id)) return false;
        ++statistics_.departed;
        return true;
    }

    /// The requests whose timeout has passed: they do not wait any more.
    std::vector<RequestId> expire(Duration now) {
        std::vector<RequestId> expired;
        while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
            expired.push_back(deadlines_.begin()->second);
            remove(expired.back());
            ++statistics_.expired;
        }
        return expired;
    }
    /// When expire() has something to do.
    std::optional<Duration> next_deadline() const {
        return deadlines_.empty() ? std::nullopt : std::optional{deadlines_.begin()->first};
    }

    /// Calls `f(const WaitingRequest&)` for each request that waits, in no order.
    template <class F>
    void for_each_waiting(F&& f) const {
        for (const auto& [number, waiting] : waiting_) {
            const detail::Profile& said = *waiting.profile;
            f(WaitingRequest{RequestId{number}, *said.event->name, said.actor, said.mates, said.selector, said.labels});
        }
    }

    /// Requests that wait.
    std::size_t size() const noexcept { return waiting_.size(); }
    /// Events that somebody waits at.
    std::size_t events() const noexcept { return events_.size(); }
    const ExchangeStatistics& statistics() const noexcept { return statistics_; }
    const ExchangeLimits& limits() const noexcept { return limits_; }

   private:
    void wait(detail::Profile profile, Request request, RequestId id, Duration now) {
        const auto number = static_cast<std::uint64_t>(id);
        detail::Waiting& waiting = waiting_[number];
        waiting.number = number;
        waiting.payload = std::move(request.payload);
        if (request.timeout) {
            const bool ever = *request.timeout < Duration::max() - now;
            waiting.deadline = ever ? now + *request.timeout : Duration::max();
            if (ever) deadlines_.insert({waiting.deadline, id});
        }
        const auto at = events_.try_emplace(std::move(request.event)).first;
        at->second.name = &at->first;
        at->second.add(waiting, std::move(profile));
    }

    Match meet_with(const std::vector<detail::Waiting*>& others, RequestId id, Payload own) {
        Match match;
        match.members.reserve(others.size() + 1);
        match.payloads.reserve(others.size() + 1);
        for (detail::Waiting* waiting : others) {
            match.members.push_back(RequestId{waiting->number});
            match.payloads.push_back({waiting->profile->actor, std::move(waiting->payload)});
        }
        match.members.push_back(id);
        match.payloads.push_back(std::move(own));
        match.payloads = named_apart(std::move(match.payloads));
        for (std::size_t at = 0; at < others.size(); ++at) remove(match.members[at]);
        ++statistics_.groups;
        statistics_.met += match.members.size();
        return match;
    }

    bool remove(RequestId id) {
        const auto at = waiting_.find(static_cast<std::uint64_t>(id));
        if (at == waiting_.end()) return false;
        detail::Waiting& waiting = at->second;
        if (waiting.deadline != Duration::max()) deadlines_.erase({waiting.deadline, id});
        detail::Event& event = *waiting.profile->event;
        event.remove(waiting);
        if (event.empty()) events_.erase(events_.find(*event.name));
        waiting_.erase(at);
        return true;
    }

    ExchangeLimits limits_;
    std::uint64_t last_ = 0;
    std::unordered_map<std::uint64_t, detail::Waiting> waiting_;
    std::unordered_map<std::string, detail::Event> events_;
    std::set<std::pair<Duration, RequestId>> deadlines_;
    ExchangeStatistics statistics_;
};

}  // namespace netsync::rendezvous
