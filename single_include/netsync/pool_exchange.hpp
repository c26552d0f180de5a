// netsync/pool_exchange.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/detail/entropy.hpp>
#include <netsync/rendezvous.hpp>
#include <condition_variable>
#include <thread>

// ---- netsync/rendezvous/desk.hpp ----

// netsync: what replicas tell each other to meet without a server: requests, grants and proposals, each written by one
// owner only. A CRDT as any other: put it into your own data, or replicate it alone.

namespace netsync::rendezvous {

/// Names a request or a proposal in the pool: whose it is, and a random number.
struct PoolKey {
    OwnerId owner{};
    std::uint64_t number = 0;
    friend constexpr auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

/// A request as its home shows it to the pool. Never changes.
struct PoolRequest {
    std::uint64_t time = 0;  ///< NTP64, of the home's clock: what age is measured by
    std::string event{};
    std::string actor{};
    std::string payload{};
    std::uint64_t mates = 1;
    bool chooses = false;    ///< whether there is a selector
    std::string selector{};  ///< its canonical text
    std::map<std::string, std::string> labels{};

    static PoolRequest of(const Request& request, std::uint64_t time) {
        PoolRequest shown{
            time, request.event, request.actor, request.payload, request.mates, request.selector.has_value(), {}, {}};
        if (request.selector) shown.selector = request.selector->to_string();
        for (const auto& [key, value] : request.labels) shown.labels.emplace(key, value);
        return shown;
    }
    /// Nothing where a peer wrote a selector that is none.
    std::optional<Request> request() const {
        Request request{event, actor, {}, static_cast<std::size_t>(mates), {}, {}, {}};
        for (const auto& [key, value] : labels) request.labels.set(key, value);
        if (!chooses) return request;
        Parsed<Selector> parsed = Selector::parse(selector);
        if (!parsed) return std::nullopt;
        request.selector = std::move(*parsed.value);
        return request;
    }
};

/// A group that one of its homes would like to fire, the oldest member first. Committed: it has fired.
struct PoolProposal {
    ReplicaId by{};
    std::vector<PoolKey> members{};
    bool committed = false;
    std::vector<std::pair<std::string, std::string>> payloads{};  ///< by actor, once committed
};

/// What one owner has on show. A grant gives a request to one proposal, until that is committed or gone.
struct Desk {
    LwwMap<std::uint64_t, PoolRequest> requests{};
    LwwMap<std::uint64_t, PoolKey> grants{};
    LwwMap<std::uint64_t, PoolProposal> proposals{};
};

/// The CRDT behind PoolExchange.
using Desks = Owned<Desk>;

namespace detail {

inline const PoolRequest* request_of(const Desks& desks, const PoolKey& key) {
    const Desk* desk = desks.find(key.owner);
    return desk ? desk->requests.find(key.number) : nullptr;
}
inline const PoolKey* grant_of(const Desks& desks, const PoolKey& key) {
    const Desk* desk = desks.find(key.owner);
    return desk ? desk->grants.find(key.number) : nullptr;
}
inline const PoolProposal* proposal_of(const Desks& desks, const PoolKey& key) {
    const Desk* desk = desks.find(key.owner);
    return desk ? desk->proposals.find(key.number) : nullptr;
}

/// Older first; the same everywhere.
inline std::tuple<std::uint64_t, PoolKey> age_of(const PoolRequest& request, const PoolKey& key) {
    return {request.time, key};
}

}  // namespace detail

}  // namespace netsync::rendezvous

// ---- netsync/rendezvous/pool_exchange.hpp ----

// netsync: rendezvous without a server: an exchange over a pool of replicas. Requests of this program and what the pool
// knows come in; grants, proposals and answers go out. Two-phase commit over parts that only their owners write.

namespace netsync::rendezvous {

struct PoolExchangeOptions {
    ExchangeLimits limits{};
    Duration patience = std::chrono::seconds{3};     ///< for the grants of a proposal, and for the proposals of others
    Duration retry = std::chrono::seconds{1};        ///< until a home that did not answer is asked again; doubles
    Duration most_retry = std::chrono::seconds{60};  ///< at most
    std::uint64_t seed = 0;                          ///< of the numbers of requests; 0: from the system
};

/// The home of the requests of one replica: it alone grants them. All homes find the same groups by the rule of Exchange,
/// with age by timestamp; the home of the oldest member proposes the group, the homes of the others grant their requests to it or
/// do not, and the proposer commits when all have, or takes the proposal back. A grant stands until then, whatever
/// happens; so no request is in two groups, however the pool is split: docs/rendezvous.md has the argument. What makes it
/// true is that nothing is forgotten that was shown: a replica whose disk is put back to an earlier day breaks it.
///
/// One for a replica (at `path...` in its data), to be gone before it. Any thread may call. It does nothing on its own:
/// step() must be called when `wake` is, and from time to time (PoolRunner does).
template <class Replica, class... Path>
class PoolExchange {
   public:
    using Answer = std::function<void(std::error_code, const std::vector<Payload>&)>;

    explicit PoolExchange(Replica& replica, const PoolExchangeOptions& options = {}, Path... path)
        : replica_(replica), options_(options), path_(std::move(path)...),
          random_(options_.seed != 0 ? options_.seed : netsync::detail::entropy()) {
        wake_ = std::make_shared<std::function<void()>>();
        watch_ = std::apply(
            [&](const Path&... step) {
                return replica_.on_change(step..., [wake = wake_, guard = wake_mutex_] { call(wake, guard); });
            },
            path_);
    }
    PoolExchange(const PoolExchange&) = delete;
    PoolExchange& operator=(const PoolExchange&) = delete;
    ~PoolExchange() { watch_.reset(); }

    /// Calls `f()` when there may be something to do: from any thread, perhaps with locks held. It must not call back.
    void on_wake(std::function<void()> f) {
        const std::lock_guard lock{*wake_mutex_};
        *wake_ = std::move(f);
    }

    /// Calls `answer` from step(), once: the payloads of the group; or errc::timed_out or std::errc::operation_canceled,
    /// and the request was in no group; or errc::undecided when its time is over while it is granted to a group that may yet
    /// fire. What cannot be shown to the pool at all is refused here.
    Result<PoolKey> meet(Request request, Answer answer, Duration now) {
        if (const std::error_code error = complete(request, options_.limits)) return error;
        const std::lock_guard lock{mutex_};
        if (requests_.size() >= options_.limits.waiting) return make_error_code(errc::too_many_waiting);
        const PoolKey key{replica_.id().owner(), random_.next()};
        Open open;
        open.answer = std::move(answer);
        if (request.timeout && *request.timeout < Duration::max() - now) open.deadline = now + *request.timeout;
        if (request.mates == 0) {
            open.payloads = {{request.actor, request.payload}};
            finished_.push_back({std::move(open), {}});
            return call(wake_, wake_mutex_), key;
        }
        const Result<Token> shown = replica_.try_batch([&](auto& batch) {
            write(batch, [&](const Desk& desk, Change& change) {
                Desk delta;
                delta.requests =
                    desk.requests.assign(change, key.number, PoolRequest::of(request, change.time().value));
                return delta;
            });
        });
        if (!shown) return shown.error();
        requests_.emplace(key.number, std::move(open));
        call(wake_, wake_mutex_);
        return key;
    }

    /// Takes a request back; its answer comes as for a timeout.
    void depart(const PoolKey& key) {
        const std::lock_guard lock{mutex_};
        const auto at = requests_.find(key.number);
        if (at == requests_.end()) return;
        at->second.deadline = Duration::min();
        at->second.cancelled = true;
        call(wake_, wake_mutex_);
    }

    /// Does what there is to do, and calls the answers that are due. Steps that change nothing cost O(requests in the pool).
    void step(Duration now) {
        std::vector<Finished> due;
        {
            const std::lock_guard lock{mutex_};
            static_cast<void>(replica_.try_batch([&](auto& batch) { act(batch, now); }));  // what fails is tried again
            settle();
            collect(due);
        }
        for (const Finished& each : due) each.open.answer(each.open.error, each.open.payloads);
    }

    /// Nobody waits for a word of this replica, as far as is known here: nothing of it is on show, and no proposal of
    /// others names a request of it. Who is told of a group and ends before may leave the others to hear of it from
    /// nobody. O(proposals in the pool).
    bool is_settled() const {
        const std::lock_guard lock{mutex_};
        const OwnerId self = replica_.id().owner();
        const Desks desks = std::apply([&](const Path&... step) { return replica_.get(step...); }, path_);
        bool settled = requests_.empty() && finished_.empty();
        desks.for_each([&](OwnerId owner, const Desk& desk) {
            if (owner == self)
                settled = settled && desk.requests.empty() && desk.grants.empty() && desk.proposals.empty();
            desk.proposals.for_each([&](std::uint64_t, const PoolProposal& proposal) {
                for (const PoolKey& member : proposal.members) settled = settled && member.owner != self;
            });
        });
        return settled;
    }

    /// Requests of this program that are not answered.
    std::size_t size() const {
        const std::lock_guard lock{mutex_};
        return requests_.size();
    }

   private:
    /// A request of this program: not answered yet.
    struct Open {
        Answer answer{};
        Duration deadline = Duration::max();
        bool cancelled = false;
        bool decided = false;  // `error` and `payloads` are its answer, once the request is off the desk
        std::error_code error{};
        std::vector<Payload> payloads{};
    };
    /// One whose answer waits until what it says is durable.
    struct Finished {
        Open open;
        std::shared_ptr<std::atomic<int>> durable;  // 0: asked, 1: yes, 2: failed; null: ask
        Subscription subscription{};
    };
    struct Silence {
        Duration since{};
        Duration until = Duration::min();
        Duration wait{};
    };

    template <class F>
    void write(auto& batch, F&& f) {
        std::apply(
            [&](const Path&... step) {
                batch.update(step..., [&](const Desks& desks, Change& change) { return desks.update(change, f); });
            },
            path_);
    }

    /// One look at the pool, and all that follows from it, in one change.
    void act(auto& batch, Duration now) {
        const OwnerId self = replica_.id().owner();
        const Desks desks = std::apply(
            [&](const Path&... step) { return *netsync::detail::find_at(batch.state(), self, step...); }, path_);
        static const Desk none{};
        const Desk* own = desks.find(self);
        if (!own) own = &none;
        settle_requests(batch, desks, *own, now);
        settle_proposals(batch, desks, *own, now);
        std::set<PoolKey> granted;
        grant(batch, desks, *own, now, granted);
        propose(batch, desks, *own, now, granted);
    }

    // Own requests: whose proposal has fired or is gone, and whose time is over.
    void settle_requests(auto& batch, const Desks& desks, const Desk& own, Duration now) {
        own.requests.for_each([&](std::uint64_t number, const PoolRequest&) {
            const auto at = requests_.find(number);
            Open* open = at == requests_.end() ? nullptr : &at->second;  // none: of an earlier run
            const PoolKey* granted = own.grants.find(number);
            const bool late = !open || open->deadline <= now;
            if (!granted) {
                if (!late) return;
                if (open) decide(*open, open->cancelled ? canceled() : make_error_code(errc::timed_out));
                return erase_request(batch, number, false);
            }
            const PoolProposal* proposal = detail::proposal_of(desks, *granted);
            if (!proposal && !open) return erase_request(batch, number, true);
            if (!proposal) return erase_grant(batch, number);  // taken back: free again
            if (proposal->committed) {
                if (open) {
                    decide(*open, {});
                    for (const auto& [actor, payload] : proposal->payloads) open->payloads.push_back({actor, payload});
                }
                return erase_request(batch, number, true);
            }
            if (open && late) {  // it may fire or not: nobody knows here
                open->error = make_error_code(errc::undecided);
                finished_.push_back({std::move(*open), {}});
                requests_.erase(at);
            }
        });
    }

    // Own proposals: fired when all have granted, taken back when one will not, or does not for long.
    void settle_proposals(auto& batch, const Desks& desks, const Desk& own, Duration now) {
        own.proposals.for_each([&](std::uint64_t number, const PoolProposal& proposal) {
            const PoolKey key{replica_.id().owner(), number};
            const auto grants_this = [&](const PoolKey& member) {
                const PoolKey* granted = detail::grant_of(desks, member);
                return granted && *granted == key;
            };
            const auto count = std::count_if(proposal.members.begin(), proposal.members.end(), grants_this);
            if (proposal.committed) {
                if (count == 0) erase_proposal(batch, number);  // everybody has heard
                return;
            }
            const auto at = proposals_.find(number);
            if (at ==
                proposals_
                    .end()) {  // of an earlier run, which did not show more than this one knows, if it had the same id
                if (proposal.by == replica_.id()) erase_proposal(batch, number);
                return;
            }
            const bool refused =
                std::any_of(proposal.members.begin(), proposal.members.end(), [&](const PoolKey& member) {
                    return !detail::request_of(desks, member) ||
                           (detail::grant_of(desks, member) && !grants_this(member));
                });
            const bool all = count == static_cast<std::ptrdiff_t>(proposal.members.size());
            if (!refused && all) return commit(batch, desks, number, proposal);
            const bool late = now - at->second > options_.patience;
            if (!refused && !late) return;
            if (late)
                for (const PoolKey& member : proposal.members)
                    if (!detail::grant_of(desks, member)) be_silent(member, now);
            erase_proposal(batch, number);
        });
        std::erase_if(proposals_,
                      [&](const auto& entry) { return !own.proposals.find(entry.first) && entry.second < now; });
    }

    void commit(auto& batch, const Desks& desks, std::uint64_t number, PoolProposal proposal) {
        std::vector<Payload> payloads;
        for (const PoolKey& member : proposal.members) {
            const PoolRequest& request = *detail::request_of(desks, member);
            payloads.push_back({request.actor, request.payload});
        }
        for (Payload& payload : named_apart(std::move(payloads)))
            proposal.payloads.emplace_back(std::move(payload.actor), std::move(payload.payload));
        proposal.committed = true;
        assign_proposal(batch, number, proposal);
    }

    // Own requests that are free, to the proposals of others: the one whose first member is oldest.
    void grant(auto& batch, const Desks& desks, const Desk& own, Duration now, std::set<PoolKey>& granted) {
        const OwnerId self = replica_.id().owner();
        std::map<std::uint64_t, std::pair<std::tuple<std::uint64_t, PoolKey>, PoolKey>> best;
        desks.for_each([&](OwnerId owner, const Desk& desk) {
            if (owner == self) return;
            desk.proposals.for_each([&](std::uint64_t number, const PoolProposal& proposal) {
                if (proposal.committed || proposal.members.empty() || proposal.members.front().owner != owner) return;
                const PoolRequest* oldest = detail::request_of(desks, proposal.members.front());
                if (!oldest) return;
                const auto age = detail::age_of(*oldest, proposal.members.front());
                for (const PoolKey& member : proposal.members) {
                    if (member.owner != self || !is_free(own, member.number, now)) continue;
                    const auto [at, is_new] = best.try_emplace(member.number, age, PoolKey{owner, number});
                    if (!is_new && age < at->second.first) at->second = {age, PoolKey{owner, number}};
                }
            });
        });
        for (const auto& [number, choice] : best) {
            assign_grant(batch, number, choice.second);
            granted.insert({self, number});
        }
    }

    // Groups of those who are free, by the rule of Exchange: mine to propose where the oldest is mine.
    void propose(auto& batch, const Desks& desks, const Desk& own, Duration now, const std::set<PoolKey>& granted) {
        const OwnerId self = replica_.id().owner();
        std::vector<std::tuple<std::uint64_t, PoolKey, const PoolRequest*>> free;
        std::set<PoolKey> spoken_for = granted;
        bool any_own = false;
        desks.for_each([&](OwnerId, const Desk& desk) {
            desk.proposals.for_each([&](std::uint64_t, const PoolProposal& proposal) {
                spoken_for.insert(proposal.members.begin(), proposal.members.end());
            });
        });
        desks.for_each([&](OwnerId owner, const Desk& desk) {
            desk.requests.for_each([&](std::uint64_t number, const PoolRequest& request) {
                const PoolKey key{owner, number};
                if (desk.grants.find(number) || spoken_for.contains(key) || is_silent(key, now)) return;
                if (owner == self && !is_free(own, number, now)) return;
                any_own |= owner == self;
                free.emplace_back(request.time, key, &request);
            });
        });
        if (!any_own) return forget_silences(desks);
        std::sort(free.begin(), free.end());
        ExchangeLimits limits = options_.limits;
        limits.waiting = free.size();
        Exchange rule{limits};
        std::vector<PoolKey> keys{{}};
        for (const auto& [time, key, shown] : free) {
            std::optional<Request> request = shown->request();
            if (!request || request->mates == 0) continue;
            const Result<Arrival> arrival = rule.arrive(std::move(*request), {});
            if (!arrival) continue;
            keys.resize(static_cast<std::size_t>(arrival->id) + 1);
            keys.back() = key;
            if (!arrival->match) continue;
            std::vector<PoolKey> members;
            for (const RequestId id : arrival->match->members) members.push_back(keys[static_cast<std::size_t>(id)]);
            const bool concerns_us = std::any_of(members.begin(), members.end(),
                                                 [&](const PoolKey& key_of) { return key_of.owner == self; });
            if (members.front().owner == self)
                show(batch, members, now);
            else if (concerns_us)
                wait_for(members.front(), now);
        }
        forget_silences(desks);
    }

    void show(auto& batch, const std::vector<PoolKey>& members, Duration now) {
        const PoolKey key{replica_.id().owner(), random_.next()};
        assign_proposal(batch, key.number, PoolProposal{replica_.id(), members, false, {}});
        for (const PoolKey& member : members)
            if (member.owner == key.owner) assign_grant(batch, member.number, key);
        proposals_.emplace(key.number, now);
    }

    bool is_free(const Desk& own, std::uint64_t number, Duration now) const {
        const auto at = requests_.find(number);
        return at != requests_.end() && !at->second.decided && at->second.deadline > now && own.requests.find(number) &&
               !own.grants.find(number);
    }

    // Homes that do not answer are left out of the groups for a while, so that the others can meet.
    void wait_for(const PoolKey& oldest, Duration now) {
        Silence& silence = silences_.try_emplace(oldest, Silence{.since = now}).first->second;
        if (silence.until != Duration::min() && silence.since < silence.until)
            silence.since = now, silence.until = Duration::min();
        if (now - silence.since > options_.patience) be_silent(oldest, now);
    }
    void be_silent(const PoolKey& key, Duration now) {
        Silence& silence = silences_[key];
        silence.wait = std::min(std::max(options_.retry, 2 * silence.wait), options_.most_retry);
        silence.since = now;
        silence.until = now + silence.wait;
    }
    bool is_silent(const PoolKey& key, Duration now) const {
        const auto at = silences_.find(key);
        return at != silences_.end() && now < at->second.until;
    }
    void forget_silences(const Desks& desks) {
        std::erase_if(silences_, [&](const auto& entry) { return !detail::request_of(desks, entry.first); });
    }

    void decide(Open& open, std::error_code error) {
        open.decided = true;
        open.error = error;
        open.payloads.clear();
    }

    // After the change, or the attempt at it: what is off the desk is finished, what is not was not changed.
    void settle() {
        const OwnerId self = replica_.id().owner();
        const Desks desks = std::apply([&](const Path&... step) { return replica_.get(step...); }, path_);
        for (auto at = requests_.begin(); at != requests_.end();) {
            const bool there = detail::request_of(desks, {self, at->first}) != nullptr;
            if (there) at->second.decided = false;
            if (there || !at->second.decided) {
                ++at;
                continue;
            }
            finished_.push_back({std::move(at->second), {}});
            at = requests_.erase(at);
        }
    }

    // Whoever is told may act on it: only what no crash can take back.
    void collect(std::vector<Finished>& due) {
        const auto asks = [](const Finished& each) { return !each.durable || *each.durable == 2; };
        if (std::any_of(finished_.begin(), finished_.end(), asks)) {
            const Result<Token> now = replica_.try_batch([](auto&) {});
            for (std::size_t at = 0; now && at < finished_.size(); ++at) {
                if (!asks(finished_[at])) continue;
                const auto durable = finished_[at].durable = std::make_shared<std::atomic<int>>(0);
                finished_[at].subscription =
                    replica_.on_durable(*now, [durable, wake = wake_, guard = wake_mutex_](std::error_code error) {
                        *durable = error ? 2 : 1;
                        call(wake, guard);
                    });
            }
        }
        std::vector<Finished> later;
        for (Finished& each : finished_) (each.durable && *each.durable == 1 ? due : later).push_back(std::move(each));
        finished_ = std::move(later);
    }

    void erase_request(auto& batch, std::uint64_t number, bool with_grant) {
        write(batch, [&](const Desk& desk, Change& change) {
            Desk delta;
            delta.requests = desk.requests.remove(change, number);
            if (with_grant) delta.grants = desk.grants.remove(change, number);
            return delta;
        });
    }
    void erase_grant(auto& batch, std::uint64_t number) {
        write(batch,
              [&](const Desk& desk, Change& change) { return Desk{.grants = desk.grants.remove(change, number)}; });
    }
    void erase_proposal(auto& batch, std::uint64_t number) {
        write(batch, [&](const Desk& desk, Change& change) {
            return Desk{.proposals = desk.proposals.remove(change, number)};
        });
    }
    void assign_grant(auto& batch, std::uint64_t number, const PoolKey& proposal) {
        write(batch, [&](const Desk& desk, Change& change) {
            return Desk{.grants = desk.grants.assign(change, number, proposal)};
        });
    }
    void assign_proposal(auto& batch, std::uint64_t number, const PoolProposal& proposal) {
        write(batch, [&](const Desk& desk, Change& change) {
            return Desk{.proposals = desk.proposals.assign(change, number, proposal)};
        });
    }

    static std::error_code canceled() { return std::make_error_code(std::errc::operation_canceled); }
    static void call(const std::shared_ptr<std::function<void()>>& wake, const std::shared_ptr<std::mutex>& guard) {
        const std::lock_guard lock{*guard};
        if (*wake) (*wake)();
    }

    Replica& replica_;
    PoolExchangeOptions options_;
    std::tuple<Path...> path_;
    mutable std::recursive_mutex mutex_;  // calls of the replica run others' callbacks, and these may call
    netsync::detail::Random random_;
    std::map<std::uint64_t, Open> requests_;
    std::map<std::uint64_t, Duration> proposals_;  // of this run, since when
    std::map<PoolKey, Silence> silences_;
    std::vector<Finished> finished_;
    std::shared_ptr<std::mutex> wake_mutex_ = std::make_shared<std::mutex>();
    std::shared_ptr<std::function<void()>> wake_;
    Subscription watch_;
};

}  // namespace netsync::rendezvous

// ---- netsync/rendezvous/pool_runner.hpp ----

// netsync: what lets a PoolExchange go on by itself: a thread with a clock. Steps go in, when it is woken and in between.

namespace netsync::rendezvous {

/// A thread that steps a PoolExchange, on the steady clock: when it is woken, and every `interval` for its timeouts.
class PoolRunner {
   public:
    template <class Exchange>
    explicit PoolRunner(Exchange& exchange, Duration interval = std::chrono::milliseconds{50}) {
        exchange.on_wake([this] {
            const std::lock_guard lock{mutex_};
            woken_ = true;
            condition_.notify_one();
        });
        detach_ = [&exchange] { exchange.on_wake(nullptr); };
        thread_ = std::thread([this, &exchange, interval] {
            std::unique_lock lock{mutex_};
            while (!stopped_) {
                condition_.wait_for(lock, interval, [this] { return woken_ || stopped_; });
                woken_ = false;
                lock.unlock();
                exchange.step(now());
                lock.lock();
            }
        });
    }
    PoolRunner(const PoolRunner&) = delete;
    PoolRunner& operator=(const PoolRunner&) = delete;
    ~PoolRunner() {
        detach_();
        {
            const std::lock_guard lock{mutex_};
            stopped_ = true;
            condition_.notify_one();
        }
        thread_.join();
    }

    /// For PoolExchange::meet.
    static Duration now() { return std::chrono::steady_clock::now().time_since_epoch(); }

   private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
    bool stopped_ = false;
    std::function<void()> detach_;
    std::thread thread_;
};

}  // namespace netsync::rendezvous

// ---- netsync/pool_exchange.hpp ----

// netsync: the opt-in header for rendezvous without a server: requests and matches are part of what replicas keep in sync.
// Needs the standard library and threads; with lan.hpp it works on a LAN.

