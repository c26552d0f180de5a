// netsync: the data of one replica: its state, its log and its clock. Local changes come in and go out as frames
// (stages 1 to 4); frames and states of others come in and are merged (stage 9). Merge is the only thing that changes
// the state.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <functional>
#include <memory>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/clock/concept.hpp>
#include <netsync/observe/derived.hpp>
#include <netsync/observe/subscription.hpp>
#include <netsync/options.hpp>
#include <netsync/sync/batch.hpp>
#include <netsync/sync/exactness.hpp>
#include <netsync/sync/fork.hpp>
#include <netsync/sync/identity.hpp>
#include <netsync/sync/issuing.hpp>
#include <netsync/sync/logged_content.hpp>
#include <netsync/sync/succession.hpp>
#include <utility>

namespace netsync {

/// A change that was merged, as observers get it.
template <crdt CrdtType>
struct Merged {
    CrdtType delta;
    ChangeInfo info;
};

/// What became of a frame that was received, and of those that waited for it.
struct Received {
    std::size_t applied = 0;    ///< merged now
    bool held = false;          ///< waits for what it depends on
    bool duplicate = false;     ///< seen before
    std::error_code refused{};  ///< not merged, not counted as received: clock_drift is for now, the rest for good
};

/// Sans-IO but for its Store and Clock policies; every call is made under the replica's mutex.
template <store Store, clock Clock, crdt CrdtType>
class LocalCopy {
   public:
    LocalCopy(const Options& options, Store store, Clock clock, detail::Random& random)
        : options_(options), kept_(options.limits, std::move(store)), clock_(std::move(clock)),
          buffer_(options.limits.buffered_frames, options.limits.buffered_bytes) {
        load(random);
        if (open_) kept_.staging.open();
    }

    /// Whether all that the store holds was read. Else nothing is changed, and none of it may be told to others: it could
    /// be known to them as more.
    bool is_open() const noexcept { return open_; }
    /// Whether it can be read now, and was not.
    bool is_to_be_read() const noexcept { return !open_ && !is_committing() && !store_error(); }
    /// Reads it, from the beginning.
    void read_again(detail::Random& random) {
        retirements_ = {};
        load(random);
        observe(kept_.held.state, {ReplicaId{}, history().time(), false, true});
    }

    /// How long work is done: see Aside.
    void work_aside(const Aside& aside) { kept_.aside = aside; }

    const ReplicaId& id() const noexcept { return id_of(self_); }  // any thread
    const CrdtType& state() const noexcept { return kept_.held.state; }
    const History& history() const noexcept { return kept_.history(); }
    const Content<CrdtType>& held() const noexcept { return kept_.held; }
    const CausalBuffer<Frame>& buffer() const noexcept { return buffer_; }
    const Retirements& retirements() const noexcept { return retirements_; }
    const Store& store() const noexcept { return kept_.store(); }
    Ntp64 now() const { return clock_.now(); }
    const Options& options() const noexcept { return options_; }

    /// How much of a replica's changes is held. O(log replicas).
    std::uint64_t counter(const ReplicaId& origin) const { return history().counter(origin); }

    /// What of it was there when its store was opened: a copy of the store has that too, and nothing of what came after.
    std::uint64_t opened() const noexcept { return opened_; }

    /// What this replica has made so far.
    ReplicaCounter frontier() const { return {id(), history().counter(self_)}; }

    /// 1, 2: `steps(batch)` makes one change, merged as it is made. 3, 4: it becomes a frame in the log, and is handed to
    /// `publish(frame)`. No frame where nothing changed. An error says why steps were left out, or that the log failed.
    template <class F, class G>
    std::error_code change(F&& steps, G&& publish) {
        const Head before = history().head(id());
        Batch<CrdtType> batch{kept_.held.state, history().context(), self_,       before.counter + 1,
                              clock_.tick(),    options_.limits,     is_watched()};
        steps(batch);
        std::error_code error = batch.error();
        if (!batch.changed()) return error;
        FrameHeader said;
        said.count = std::max<std::uint64_t>(1, batch.minted().size());
        said.time = batch.time();
        if (!batch.removed().empty()) said.removed = to_counter_ranges(batch.removed());
        std::error_code unsendable;
        const Frame frame = issuing_.make(history(), self_, before, std::move(said), batch.encode(unsendable));
        assert(!unsendable && "a delta-group is no larger than its steps, and each of them was encoded");
        if (unsendable) error = unsendable;
        kept_.held.advance(frame, self_);
        if (const std::error_code failed = kept_.log(frame, before.hash)) error = failed;
        if (is_watched()) observe(batch.delta(), {id(), batch.time(), true, false});
        publish(frame);
        return error;
    }

    /// 8: seen? Drop. A gap? Hold. 9: else it is merged, and with it all that waited for it.
    Received receive(const Frame& frame) {
        Received result;
        switch (buffer_.offer(frame, history().vector())) {
        case Arrival::duplicate:
            result.duplicate = true;
            if (is_forked(frame)) result.refused = errc::forked;
            return result;
        case Arrival::held: result.held = true; break;
        case Arrival::refused: result.refused = errc::too_large; return result;
        case Arrival::ready: count(apply(frame), result); break;
        }
        drain(result);
        return result;
    }

    /// Whether a state brings changes of somebody new, which may have met what was forgotten here.
    bool displaces(const SnapshotHeader& header) const {
        return !forgotten_.empty() && exactness().has_unheeded(header);
    }

    /// A whole state of another replica: joined under its own context, and kept as a snapshot of what both held. One that
    /// displaces what is held takes its place; what is held beyond follows from the log.
    std::error_code adopt(Bytes bytes) {
        const Result<SnapshotHeader> header = check(bytes);
        if (!header) return header.error();
        const bool in_place = displaces(*header);
        if (in_place && forgotten_.is_lacked_by(header->heads)) return errc::outdated;
        const std::vector<Frame> beyond = in_place ? kept_.logged() : std::vector<Frame>{};
        const bool exact = in_place ? exactness().may_follow(beyond, *header, id()) : exactness().may_join(*header);
        const bool as_received = in_place ? beyond.empty() : exact && kept_.is_completed_by_log(*header);
        const std::uint64_t own_way = this->own_way();
        bool changed = false;
        Result<EncodedState> joined = EncodedState{};
        auto before = kept_.change_aside([&](Content<CrdtType>& held) {
            const VersionVector seen = held.history.vector();
            const std::vector<Head> recent = held.history.recent();
            if (in_place) held = {};
            const Result<bool> rose = held.join(bytes, *header, options_.limits, exact);
            if (!rose) return joined = rose.error(), false;
            changed = *rose;
            held.history.recall(recent);
            for (const Frame& frame : beyond) held.replay(frame, options_.limits);
            if (in_place && !exact) held.history.branch(own_way);
            if (!held.history.vector().includes(seen)) return joined = errc::outdated, false;
            joined = as_received ? Result<EncodedState>{{SharedBytes{std::move(bytes)}, 0, header->heads}}
                                 : held.encode(options_.limits);
            return static_cast<bool>(joined);
        });
        if (!before) return joined.error();
        if (in_place) forget_nothing();
        issuing_.vector_rose();
        kept_.keep_snapshot(*joined);
        keep_lineage();
        kept_.aside([&] { before.reset(); });  // what nobody shares is let go of here
        Received waited;
        drain(waited);
        if (changed) observe(kept_.held.state, {ReplicaId{}, header->time, false, true});
        return {};
    }

    /// Where the histories of a state that was taken stood lately, as its giver says.
    void recall(const std::vector<Head>& points) { kept_.held.history.recall(points); }

    // What all have seen.

    /// Forgets what only those need that have not seen it: `stable` is what every member has seen that is not retired.
    void forget(const VersionVector& stable) {
        auto before = kept_.change_aside([&](Content<CrdtType>& held) {
            const bool dropped = drop_stable(held.state, stable);
            if (dropped) held.history.forget(stable);
            return dropped;
        });
        if (!before) return;
        kept_.aside([&] { before.reset(); });
        forgotten_.add(stable);
        keep("forgotten", forgotten_.counters());
        settle();
    }
    /// Whether anything was forgotten, here or where a state came from: a change made without having seen it, whose stamp
    /// may be older, is then issued again.
    bool is_settled() const noexcept { return settled_; }
    void settle() {
        if (!std::exchange(settled_, true)) keep("settled", true);
    }

    /// Changes refused because their origins would be too many.
    std::uint64_t origins_refused() const noexcept { return origins_refused_; }

    // The log, and what is kept of it.

    std::size_t log_bytes() const noexcept { return kept_.log_bytes(); }
    std::size_t snapshot_bytes() const noexcept { return kept_.snapshot_bytes(); }
    Result<EncodedState> encode() const { return kept_.encode(); }
    std::error_code compact(const std::vector<ReplicaCounter>& seen) { return kept_.compact(seen); }

    /// A store that found damage in what it had written is given all that is held, anew.
    void heal_store() {
        if (!open_ || is_committing() || store_error() != errc::store_damaged) return;
        if (const Result<EncodedState> encoded = kept_.encode_frugally()) kept_.keep_snapshot(*encoded);
    }

    // Who is gone, and who this replica is.

    /// Records of others, or of this replica.
    void retire(const std::vector<Retirement>& records) {
        if (retirements_.merge(records, options_.limits.replicas)) keep("retired", retirements_.records());
    }

    /// What is held of the histories of replicas, to be compared with what others hold.
    Fork<Store> fork() const { return {kept_.store(), history(), options_.limits}; }

    /// The incarnation to come, where this one cannot go on: kept, so that a restart goes on with it. Nil: none.
    const ReplicaId& successor() const noexcept { return successor_; }
    const ReplicaId& plan_successor(detail::Random& random) {
        successor_ = ReplicaId{id().owner_bits, random.next()};
        keep("successor", successor_);
        return successor_;
    }

    /// Whether all that others made and that is held here is held where this state comes from.
    bool holds_of_others(const SnapshotHeader& header) const {
        VersionVector theirs;
        for (const Head& head : header.heads) theirs.advance(intern(head.replica), head.counter);
        theirs.advance(self_, counter(id()));
        return theirs.includes(history().vector());
    }

    /// Whether all that this replica made and that a state lacks is in the log still.
    bool can_issue_again(const SnapshotHeader& header) const {
        return kept_.has_logged_beyond(counter_in(header.heads, id()), id());
    }

    /// This incarnation is over: what is held becomes the join with the pool's state, and this replica's own changes that the
    /// pool has not seen are issued again under its successor, with new dots and a fresh timestamp (an old one could meet a
    /// tombstone that some have forgotten). They say what they were before, for those who have seen that. Where
    /// tombstones were forgotten the log goes: what the pool lacks of third parties then travels as a state, not as frames that
    /// each would judge by the tombstones that it still has.
    Result<Succession> succeed(ByteView bytes) {
        Result<Snapshot<CrdtType>> theirs = read(bytes);
        if (!theirs) return theirs.error();
        const std::uint64_t known = counter_in(theirs->heads, id());
        const bool exact = exactness().may_join(*theirs);
        static_cast<void>(kept_.held.join(*std::move(theirs), exact));
        std::vector<Frame> again;
        for (Frame& frame : kept_.logged())
            if (frame.header().origin == id() && frame.header().last() > known) again.push_back(std::move(frame));
        if (settled_) kept_.staging.stage([](Store& store) { return store.clear(); });
        return take_successor(again, max_counter, {});
    }

    /// The same where what is held cannot be joined: there is another history of this replica beyond `parted`, or what was
    /// forgotten here must come back. The pool's state takes its place; of the log follows what still can. Where that
    /// does not hold yet what is to be issued again removes: std::errc::resource_unavailable_try_again, unless `now`.
    /// `others`: up to where other histories go on as they were here.
    Result<Succession> succeed_in_place(ByteView bytes, std::optional<std::uint64_t> parted,
                                        const std::vector<Parted>& others, bool now) {
        Result<Snapshot<CrdtType>> theirs = read(bytes);
        if (!theirs) return theirs.error();
        return succeed_in_place(*std::move(theirs), parted, others, now, false);
    }

    /// The same where nobody gives a state: what is held here, without what this replica made beyond `parted`. False where
    /// the log does not tell what that is.
    bool succeed_alone(std::uint64_t parted) {
        const SharedBytes kept = kept_.store().snapshot();
        Result<Snapshot<CrdtType>> ours = kept ? read(*kept) : Snapshot<CrdtType>{};
        return ours && counter_in(ours->heads, id()) <= parted &&
               succeed_in_place(*std::move(ours), parted, {{id(), parted, {}}}, false, true);
    }

    /// The new incarnation begins with what is here: for the first of a pool of which nobody else has more.
    void go_on() {
        self_ = intern(successor_);
        opened_ = 0;
        issuing_.restart();
        kept_.staging.begin_anew();
        successor_ = {};
        keep("replica", id());
        keep("successor", successor_);
    }

    /// Where a change is now that this token stood for.
    ReplicaCounter resolve(const ReplicaCounter& token) const { return successions_.resolve(token); }

    /// Makes what was logged durable: now, or, where the store does that on a thread of its own, with `on_committed` to
    /// follow. Until it succeeds nothing of it may be seen by a peer.
    std::error_code flush() { return kept_.staging.flush(history().counter(self_), on_committed, notifications); }
    bool is_committing() const noexcept { return kept_.staging.is_committing(); }
    /// What became of the commit under way.
    void committed(std::error_code error) { kept_.staging.committed(error, notifications); }
    /// Calls `f(error)` when this change is durable, or could not be made so; see Replica::on_durable.
    [[nodiscard]] Subscription await_durable(const ReplicaCounter& token, Durability::Answer f) {
        const ReplicaCounter now = resolve(token);
        return kept_.staging.await(now.replica == id() ? now.counter : max_counter, std::move(f), notifications);
    }
    /// What may be told of while a commit is under way: see Staging.
    bool is_durable(const ReplicaId& origin, std::uint64_t counter) const {
        return kept_.staging.is_durable(origin, counter);
    }
    std::optional<std::vector<Head>> durable_heads() const { return kept_.staging.durable(history().heads()); }
    std::uint64_t commit_of_all() const noexcept { return kept_.staging.commit_of_all(); }
    bool is_durable_with(std::uint64_t commit) const noexcept { return kept_.staging.is_durable_with(commit); }
    /// All is durable that can be, and the store calls nobody any more. Without the replica's mutex.
    void close() { kept_.staging.close(); }
    std::error_code store_error() const noexcept { return kept_.staging.error(); }
    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const { return kept_.refusal(); }
    /// Stages a small value for the next commit.
    template <class T>
    void keep(const char* key, const T& value) {
        kept_.staging.keep(key, value);
    }
    template <class T>
    void keep_in_the_open(const char* key, const T& value) {
        kept_.staging.keep_in_the_open(key, value);
    }

    std::function<void(std::error_code)> on_committed;  ///< called by a store that commits on its own thread
    Observers<Merged<CrdtType>> changes;
    Derivations<CrdtType> derivations;
    Notifications notifications;

   private:
    void load(detail::Random& random) {
        const Store& opened = kept_.store();
        const ReplicaId kept = kept_identity(opened, options_);
        if (!kept.is_nil() || opening_error(opened))
            self_ = intern(kept.is_nil() ? nobody_yet(options_) : kept);
        else
            self_ = intern(new_incarnation(options_, random));
        successor_ = open_value<ReplicaId>(opened, "successor");
        settled_ = open_value<bool>(opened, "settled");
        forgotten_ = Forgotten::of(open_value<std::vector<ReplicaCounter>>(opened, "forgotten"));
        retirements_.merge(open_value<std::vector<Retirement>>(opened, "retired"), options_.limits.replicas);
        kept_.read();
        kept_.held.history.forget(forgotten_);
        kept_lineage_ = open_value<std::uint64_t>(opened, "lineage");
        kept_.held.history.set_lineage(kept_lineage_);
        issuing_.restart();  // the log need not tell what this replica's last frame depended on
        clock_.restore(history().time());
        opened_ = history().counter(self_);
        open_ = kept_.staging.begin();
        if (open_ && kept.is_nil()) keep("replica", id());
    }

    /// What waited and is ready now.
    void drain(Received& result) {
        while (const std::optional<Frame> next = buffer_.take(history().vector())) count(apply(*next), result);
        drop_damaged();
    }

    static void count(std::error_code refused, Received& result) {
        if (refused)
            result.refused = refused;
        else
            ++result.applied;
    }

    /// A frame's hash is checked as soon as its predecessor is in, even if it still waits for others.
    void drop_damaged() {
        if (buffer_.size() == 0) return;
        buffer_.drop_next_if(history().vector(), [&](const Frame& frame) {
            const ReplicaIndex origin = find_index(frame.header().origin);
            return !frame.continues(origin == ReplicaIndex{} ? 0 : history().hash(origin));
        });
    }

    bool is_forked(const Frame& frame) const {
        const FrameHeader& header = frame.header();
        const ReplicaIndex origin = find_index(header.origin);
        return header.last() == history().counter(origin) && header.hash != history().hash(origin);
    }

    Exactness exactness() const { return {history(), retirements_}; }

    /// What its way is named by where this replica's state goes its own.
    std::uint64_t own_way() const noexcept { return id().owner_bits ^ id().incarnation ^ history().counter(self_); }
    void keep_lineage() {
        if (history().lineage() != std::exchange(kept_lineage_, history().lineage())) keep("lineage", kept_lineage_);
    }

    void forget_nothing() {
        forgotten_ = {};
        keep("forgotten", std::vector<ReplicaCounter>{});
    }

    /// The first change of a history that does not stay, where nothing is known of the other.
    void mark_other(const FrameHeader& first, const std::vector<Parted>& parted) {
        for (const Parted& other : parted)
            if (other.replica == first.origin && other.mark) return;
        kept_.held.history.mark({first.origin, first.first - 1, 0, first.last(), first.hash, first.time, false});
    }

    Result<Snapshot<CrdtType>> read(ByteView bytes) {
        if (const Result<SnapshotHeader> header = check(bytes); !header) return header.error();
        return decode_snapshot<CrdtType>(bytes, options_.limits);
    }

    /// `alone`: all that others made must be held then.
    Result<Succession> succeed_in_place(Snapshot<CrdtType> theirs, std::optional<std::uint64_t> parted,
                                        const std::vector<Parted>& others, bool now, bool alone) {
        std::vector<Frame> logged = kept_.logged();
        const bool exact = exactness().may_follow(logged, theirs, id());
        Content<CrdtType> before = std::exchange(kept_.held, {});
        static_cast<void>(kept_.held.join(std::move(theirs)));
        const auto goes = [&](const ReplicaId& replica, std::uint64_t counter) {  // with a history that does not stay
            return std::any_of(others.begin(), others.end(), [&](const Parted& other) {
                return other.replica == replica && other.counter < counter;
            });
        };
        kept_.held.history.recall(before.history.recent(),
                                  [&](const Head& point) { return !goes(point.replica, point.counter); });
        if (!exact) kept_.held.history.branch(own_way());
        const std::uint64_t limit = parted.value_or(counter(id()));
        const Branches branches{logged, others, id()};
        std::vector<Frame> again;
        for (Frame& frame : logged) {
            const FrameHeader& header = frame.header();
            const bool own = header.origin == id();
            const bool over = goes(header.origin, header.last());
            const bool mistaken = branches.concern(header.removed);  // whoever took it so removed something else
            if (!over && !mistaken && (!own || (header.last() <= limit && again.empty())) && kept_.replay(frame))
                issuing_.vector_rose();
            if (own && (mistaken || !again.empty() || header.last() > std::min(limit, counter(id()))))
                again.push_back(std::move(frame));
        }
        bool whole =
            counter(id()) >= std::min(limit, before.history.counter(id()));  // else another state may have more
        for (const VersionVector::Entry& entry : before.history.vector())
            whole = whole && (!alone || entry.replica == self_ || history().counter(entry.replica) >= entry.counter);
        if (!now && !(whole && all_of_removed_held(again, history(), id(), branches))) {
            kept_.held = std::move(before);
            return std::make_error_code(std::errc::resource_unavailable_try_again);
        }
        for (const Parted& other : others)
            if (other.mark) kept_.held.history.mark(*other.mark);
        if (parted && !again.empty()) mark_other(again.front().header(), others);
        forget_nothing();
        buffer_.clear();
        kept_.staging.stage([](Store& store) { return store.clear(); });
        return take_successor(again, parted.value_or(max_counter), branches);
    }

    /// The new incarnation begins: with a snapshot of what is held, and with its unseen changes. `shared`: up to where
    /// nobody has another change under its name.
    Result<Succession> take_successor(const std::vector<Frame>& again, std::uint64_t shared, const Branches& branches) {
        const Result<EncodedState> encoded = kept_.held.encode(options_.limits);
        if (!encoded) return encoded.error();
        const Succession succession{id(), again.empty() ? max_counter : again.front().header().first - 1, successor_};
        self_ = intern(successor_);
        opened_ = 0;
        successor_ = {};
        successions_.add(succession);
        issuing_.restart();
        kept_.restart_log(*encoded);
        keep_lineage();
        keep("replica", id());
        keep("successor", successor_);
        for (const Frame& frame : again) issue_again(frame, succession, frame.header().last() <= shared, branches);
        Received waited;
        drain(waited);
        observe(kept_.held.state, {ReplicaId{}, history().time(), false, true});
        return succession;
    }

    void issue_again(const Frame& old, const Succession& succession, bool by_name, const Branches& branches) {
        const Head before = history().head(id());
        const DotRange minted{self_, before.counter + 1, before.counter + old.header().count};
        Result<IssuedAgain<CrdtType>> again = netsync::issue_again<CrdtType>(
            old, minted, clock_.tick(), succession, branches.resolve(old.header().removed, history().reissues()),
            by_name, branches, options_.limits);
        if (!again) return;
        const Frame frame = issuing_.make(history(), self_, before, FrameHeader{again->said}, again->bytes);
        kept_.held.merge(frame, self_, again->delta);
        static_cast<void>(kept_.log(frame, before.hash));
    }

    /// 9: one frame whose dependencies are in.
    std::error_code apply(const Frame& frame) {
        const FrameHeader& header = frame.header();
        if (const std::error_code error = refusal()) return error;  // what cannot be kept: gossip offers it again
        if (header.origin == id()) return errc::forked;
        if (exactness().is_beside(forgotten_, header)) return errc::outdated;
        const bool exact = !exactness().is_beside(history().forgotten(), header);
        if (history().vector().size() >= options_.limits.replicas && counter(header.origin) == 0) {
            ++origins_refused_;
            return errc::replica_table_full;
        }
        const ReplicaIndex origin = intern(header.origin);
        if (origin == ReplicaIndex{}) return errc::replica_table_full;
        const std::uint64_t before = history().hash(origin);
        if (!frame.continues(before)) return errc::forked;
        Result<CrdtType> delta = frame.template delta<CrdtType>(options_.limits);
        if (!delta) return delta.error();
        if (!permits(*delta, header.origin.owner())) return errc::not_owner;
        if (const std::error_code error = clock_.observe(header.time)) return error;
        const bool watched = is_watched();
        const bool changed =
            watched ? kept_.held.merge(frame, origin, *delta) : kept_.held.merge(frame, origin, *std::move(delta));
        issuing_.vector_rose();
        if (!exact) {
            kept_.held.history.branch(own_way() ^ header.hash);
            keep_lineage();
        }
        if (const std::error_code error = kept_.log(frame, before)) return error;
        if (changed && watched) observe(*delta, {header.origin, header.time, false, false});
        return {};
    }

    /// Whether a state may be taken: not from the future.
    Result<SnapshotHeader> check(ByteView bytes) {
        if (store_error()) return store_error();
        Result<SnapshotHeader> header = decode_snapshot_header(bytes, options_.limits);
        if (header)
            if (const std::error_code error = clock_.observe(header->time)) return error;
        return header;
    }

    /// Whether anybody asks for deltas.
    bool is_watched() const noexcept { return !changes.empty() || !derivations.empty(); }

    void observe(const CrdtType& delta, const ChangeInfo& info) {
        if (!is_watched()) return;
        derivations.update(kept_.held.state, delta, info.whole);
        if (!changes.empty())
            changes.notify(std::make_shared<const Merged<CrdtType>>(Merged<CrdtType>{delta, info}), notifications);
    }

    const Options& options_;
    LoggedContent<Store, CrdtType> kept_;
    Clock clock_;
    std::atomic<ReplicaIndex> self_{};
    bool open_ = false;
    Retirements retirements_;
    CausalBuffer<Frame> buffer_;
    Issuing issuing_;
    bool settled_ = false;
    std::uint64_t opened_ = 0;
    Forgotten forgotten_;  // here
    std::uint64_t kept_lineage_ = 0;
    ReplicaId successor_;
    Successions successions_;
    std::uint64_t origins_refused_ = 0;
};

}  // namespace netsync
