// netsync: the story on one page. A change is a value of your own type, and merge is the only thing that changes state.
//
//     update(f)                                                            bytes from a peer
//        |                                                                        |
//      1 Change{dots, time from the clock}                             6 transport: a message
//      2 f(state, change) -> delta ;  merge                            7 pool: a member? else "introduce yourself"
//      3 wire: Frame = header + delta, encoded once                    8 sync: gossip; causal buffer: seen, gap, ready
//      4 store.append, commit -- durable --> 5 outbox -> transport     9 clock.observe; merge; store.append; observers
//
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <netsync/fwd.hpp>
#include <netsync/observe/touched.hpp>
#include <netsync/options.hpp>
#include <netsync/report.hpp>
#include <netsync/sync/local_copy.hpp>
#include <netsync/sync/protocol.hpp>
#include <utility>

namespace netsync {

/// How far a replica had come: all its changes up to `counter`.
using Token = ReplicaCounter;

/// A copy of the data that keeps itself in sync with the others of its pool. Public calls may come from any thread;
/// callbacks come from the threads that cause them, never under the replica's mutex, one at a time and in order.
template <store Store, transport Transport, clock Clock, crdt CrdtType>
class Replica {
   public:
    /// Starts at once, unless options.manual_start. Throws std::system_error where start() fails.
    explicit Replica(Options options = {})
        requires std::default_initializable<Transport>
        : Replica(Transport{}, std::move(options)) {}

    explicit Replica(Transport transport, Options options = {})
        : Replica(std::move(transport), options, make_store<Store>(options)) {}

    Replica(Transport transport, Options options, Store store)
        : Replica(std::move(transport), options, std::move(store), make_clock<Clock>(options.max_drift)) {}

    Replica(Transport transport, Options options, Store store, Clock clock)
        : options_(std::move(options)), transport_(std::move(transport)),
          random_(options_.seed != 0 ? options_.seed : transport_.entropy()),
          copy_(options_, std::move(store), std::move(clock), random_), protocol_(options_, copy_, random_) {
        copy_.work_aside(Aside{mutex_});
        copy_.on_committed = [this](std::error_code error) { on_committed(error); };
        if (options_.manual_start) return;
        if (const std::error_code error = start()) throw std::system_error(error, "netsync: cannot start");
    }

    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;
    ~Replica() {
        stop();
        transport_.stop();  // again: a stop from within a callback could not wait for it
        copy_.close();
    }

    /// Listens, announces itself and joins the pool. Fails where the transport does: a port in use, no network; with
    /// errc::too_large for a pool name that no datagram holds.
    std::error_code start() {
        std::unique_lock lock{mutex_};  // also while the transport starts: events wait until we know who we are
        if (started_) return {};
        if (!can_be_announced(options_)) return errc::too_large;
        const auto error = transport_.start(options_, [this](const TransportEvent& event) { on_event(event); });
        if (error) return error;
        started_ = true;
        woken_at_.reset();
        if (copy_.is_open()) protocol_.start(now(), transport_.port());
        release(lock);
        return {};
    }

    /// Ends all links; data and id stay. Nothing of the transport runs afterwards, unless it calls. Not beside start().
    void stop() {
        std::unique_lock lock{mutex_};
        if (!std::exchange(started_, false)) return;
        lock.unlock();  // the transport waits for the event that is under way
        transport_.stop();
        lock.lock();
        protocol_.stop();
        waiting_ = {};
        copy_.notifications.deliver(lock);
    }

    /// Changes the data: `update(path..., verb)`, or `update([](const T& now, Change& change) { return delta; })`.
    /// Returns at once: a peer sees the change once it is durable. Throws the errors of try_update as std::system_error.
    template <class... Steps>
    Token update(Steps&&... path_and_mutator) {
        return try_update(std::forward<Steps>(path_and_mutator)...).value();
    }

    /// The same with errors as values: errc::not_owner, too_large, too_deep, not_utf8, store_behind, or the store's own.
    /// The state is as before then, but for a failing store's first error: that change stands, logged and sent once it works.
    template <class... Steps>
    Result<Token> try_update(Steps&&... path_and_mutator) {
        std::unique_lock lock{mutex_};
        detail::prefetch_at(copy_.state(), path_and_mutator...);
        return change(std::move(lock),
                      [&](auto& batch) { batch.update_alone(std::forward<Steps>(path_and_mutator)...); });
    }

    /// Several updates as one change, atomic everywhere: `batch([](auto& batch) { batch.update(...); ... })`. Each sees
    /// those before it. After one that fails the rest is left out, those before it stand: see Batch::update.
    template <class F>
    Token batch(F&& steps) {
        return try_batch(std::forward<F>(steps)).value();
    }

    template <class F>
    Result<Token> try_batch(F&& steps) {
        return change(std::unique_lock{mutex_}, std::forward<F>(steps));
    }

    /// A copy of the whole state: to be read for long while updates go on. Sets and maps are copied in O(1).
    CrdtType state() const {
        return read([](const CrdtType& now) { return now; });
    }

    /// Calls `f(const CrdtType&)` and returns its result. Updates wait meanwhile; it must not call the replica.
    template <class F>
    auto read(F&& f) const {
        const std::lock_guard lock{mutex_};
        return f(copy_.state());
    }

    /// A copy of what lies at the end of a path; a default value where a key is absent.
    template <class... Path>
    auto get(const Path&... path) const {
        return read([&](const CrdtType& now) {
            const auto* found = detail::find_at(now, copy_.id().owner(), path...);
            return found ? *found : detail::type_at<CrdtType, Path...>{};
        });
    }

    /// Calls `f(delta, info)`, or `f(delta)`, or `f()`, after each change, local or remote, that touches the end of the
    /// path: `on_change(path..., f)`. The delta is what the change says about it.
    template <class... Steps>
    Subscription on_change(Steps&&... path_and_callback) {
        const std::lock_guard lock{mutex_};
        return copy_.changes.subscribe(
            detail::when_touched<Merged<CrdtType>>(copy_.id().owner(), std::forward<Steps>(path_and_callback)...));
    }

    /// Calls `f(const PoolEvent&)` when a member is new or changes its state, and when a peer is refused.
    Subscription on_member(std::function<void(const PoolEvent&)> f) {
        const std::lock_guard lock{mutex_};
        return member_observers_.subscribe(std::move(f));
    }

    /// A local view, kept up to date under the mutex by `f(View&, const T& now, const T& delta)`: see Derivations::add.
    template <class View, class F>
    Derived<View> derive(View initial, F f) {
        const std::lock_guard lock{mutex_};
        return copy_.derivations.add(copy_.state(), std::move(initial), std::move(f));
    }

    /// "Is it replicated yet?": calls `f(std::error_code)` when the audience is known to hold the change and all before
    /// it; with errc::timed_out when that took too long, std::errc::operation_canceled when the replica stops,
    /// errc::too_large beyond limits.waiters. Ending the subscription cancels it. See await.hpp for futures and coroutines.
    Subscription on_replicated(const Token& token, Audience audience, Duration timeout,
                               std::function<void(std::error_code)> f) {
        std::unique_lock lock{mutex_};
        Subscription answer = protocol_.await(token, std::move(audience), timeout, std::move(f), transport_.now());
        release(lock);
        return answer;
    }

    /// Calls `f(std::error_code)` when the change, and all before it, is durable; with the store's error when that failed:
    /// the change stands then and is tried again. A thread that waits for it must not be one that runs callbacks.
    Subscription on_durable(const Token& token, std::function<void(std::error_code)> f) {
        std::unique_lock lock{mutex_};
        Subscription answer = copy_.await_durable(token, std::move(f));
        release(lock);
        return answer;
    }

    /// Gives a member up for good: see Retirement. errc::no_such_member for one that is not in the pool, or is this one.
    std::error_code retire(const ReplicaId& member) {
        std::unique_lock lock{mutex_};
        if (!copy_.is_open()) return copy_.store_error();
        const std::error_code error = protocol_.retire(member, now());
        release(lock);
        return error;
    }

    /// Changes when this replica has to take a new incarnation; the owner half never does. While a store could not be opened
    /// yet the incarnation is 0, and without options.name the owner is too. Takes no lock.
    const ReplicaId& id() const noexcept { return copy_.id(); }

    /// 64 bits over all that replicates: the same where, but for a chance of 2^-64, replicas are equal. O(state).
    std::uint64_t digest() const {
        std::unique_lock lock{mutex_};
        Content<CrdtType> held = copy_.held();
        lock.unlock();
        return std::move(held).digest(options_.limits);
    }

    /// Members, version vector, traffic, latest rounds: for people and monitors. O(members).
    Report report() const {
        const std::lock_guard lock{mutex_};
        Report report = make_report(options_, copy_, protocol_);
        report.port = started_ ? transport_.port() : std::uint16_t{0};
        report.store_error = copy_.store_error();
        return report;
    }

   private:
    Moment now() { return {transport_.now(), copy_.now()}; }

    template <class F>  // 1 to 4
    Result<Token> change(std::unique_lock<std::mutex> lock, F&& steps) {
        if (const std::error_code error = copy_.refusal()) return error;
        std::error_code error = copy_.change(std::forward<F>(steps), [&](const Frame& f) { protocol_.publish(f); });
        const Token token = copy_.frontier();
        release(lock);
        if (!error) error = copy_.store_error();
        if (error) return error;
        return token;
    }

    // 6: something happened outside.
    void on_event(const TransportEvent& event) {
        std::unique_lock lock{mutex_};
        if (!started_) return;
        if (std::holds_alternative<Woken>(event)) woken_at_.reset();
        if (copy_.is_open())
            protocol_.on_event(event, now());
        else
            protocol_.on_event_outside(event, now());
        release(lock);
    }

    // The end of every call and event: what is logged becomes durable, only then visible, and then observers hear of it.
    // What is done while a commit is under way is made durable, together, by the next one.
    void release(std::unique_lock<std::mutex>& lock) {
        if (!copy_.is_committing()) {
            static_cast<void>(copy_.flush());
            if (copy_.is_to_be_read()) begin();
            if (copy_.is_committing())
                waiting_ = std::exchange(protocol_.outbox, {});
            else
                show(protocol_.outbox);
        } else if (protocol_.outbox.sends.size() > most_waiting) {
            protocol_.outbox.drop_sends();  // the disk has come to a halt: gossip repairs
        }
        if (started_ && copy_.is_committing() && !copy_.store_error())
            carry_out_at_once(waiting_, protocol_.outbox, transport_, protocol_.traffic);
        const Duration wake = copy_.is_open() ? protocol_.next_wake() : transport_.now() + retry_interval;
        if (started_ && (!woken_at_ || wake < *woken_at_)) transport_.wake_at(*(woken_at_ = wake));
        copy_.notifications.deliver(lock);
    }

    // The store could not be opened, and now it is: this replica is somebody again, and takes part.
    void begin() {
        copy_.read_again(random_);
        if (!copy_.is_open()) return;
        protocol_.load();
        if (started_) protocol_.start(now(), transport_.port());
        static_cast<void>(copy_.flush());
    }

    // 4, where the store has a thread of its own, which is what calls.
    void on_committed(std::error_code error) {
        std::unique_lock lock{mutex_};
        copy_.committed(error);
        show(waiting_);
        if (started_ && copy_.is_open() && !error) protocol_.on_committed(now());
        release(lock);
    }

    // 5: what is durable goes out; what tells of nothing else has gone before. Where it could not be made so, nobody is told.
    void show(Outbox& out) {
        if (out.empty()) return;
        if (copy_.store_error()) out.drop_sends();
        if (started_) carry_out(out, transport_, protocol_.traffic);
        for (const PoolEvent& event : out.events)
            member_observers_.notify(std::make_shared<const PoolEvent>(event), copy_.notifications);
        out.clear();
    }

    static constexpr std::size_t most_waiting = 100'000;                 // messages
    static constexpr Duration retry_interval = std::chrono::seconds{1};  // of opening the store

    const Options options_;
    mutable std::mutex mutex_;
    bool started_ = false;
    Transport transport_;
    detail::Random random_;
    LocalCopy<Store, Clock, CrdtType> copy_;
    Protocol<LocalCopy<Store, Clock, CrdtType>> protocol_;
    Outbox waiting_;  // for the commit under way
    std::optional<Duration> woken_at_;
    Observers<PoolEvent> member_observers_;
};

}  // namespace netsync
