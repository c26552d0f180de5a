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
#include <netsync/sync/aside.hpp>
#include <netsync/sync/batch.hpp>
#include <netsync/sync/content.hpp>
#include <netsync/sync/fork.hpp>
#include <netsync/sync/identity.hpp>
#include <netsync/sync/staging.hpp>
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
        : options_(options), staging_(std::move(store)), clock_(std::move(clock)),
          buffer_(options.limits.buffered_frames, options.limits.buffered_bytes) {
        load(random);
        if (open_) staging_.open();
    }

    /// Whether all that the store holds was read. Else nothing is changed, and none of it may be told to others: it could
    /// be known to them as more.
    bool is_open() const noexcept { return open_; }
    /// Whether it can be read now, and was not.
    bool is_to_be_read() const noexcept { return !open_ && !is_committing() && !store_error(); }
    /// Reads it, from the beginning.
    void read_again(detail::Random& random) {
        held_ = {};
        retirements_ = {};
        forgotten_ = {};
        log_bytes_ = 0;
        load(random);
        observe(held_.state, {ReplicaId{}, held_.history.time(), false, true});
    }

    const ReplicaId& id() const noexcept { return id_of(self_); }  // any thread
    const CrdtType& state() const noexcept { return held_.state; }
    const History& history() const noexcept { return held_.history; }
    const Content<CrdtType>& held() const noexcept { return held_; }
    const CausalBuffer<Frame>& buffer() const noexcept { return buffer_; }
    const Retirements& retirements() const noexcept { return retirements_; }
    const Store& store() const noexcept { return staging_.store(); }
    Ntp64 now() const { return clock_.now(); }
    const Options& options() const noexcept { return options_; }

    /// How much of a replica's changes is held. O(log replicas).
    std::uint64_t counter(const ReplicaId& origin) const { return held_.counter(origin); }

    /// What this replica has made so far.
    ReplicaCounter frontier() const { return {id(), held_.history.counter(self_)}; }

    /// 1, 2: `steps(batch)` makes one change, merged as it is made. 3, 4: it becomes a frame in the log, and is handed to
    /// `publish(frame)`. No frame where nothing changed. An error says why steps were left out, or that the log failed.
    template <class F, class G>
    std::error_code change(F&& steps, G&& publish) {
        Batch<CrdtType> batch{held_.state,   held_.history.context(), self_,       held_.history.counter(self_) + 1,
                              clock_.tick(), options_.limits,         is_watched()};
        steps(batch);
        std::error_code error = batch.error();
        if (!batch.changed()) return error;
        std::error_code unsendable;
        const Frame frame = issue(std::max<std::uint64_t>(1, batch.minted().size()), batch.time(),
                                  to_counter_ranges(batch.removed()), batch.encode(unsendable));
        assert(!unsendable && "a delta-group is no larger than its steps, and each of them was encoded");
        if (unsendable) error = unsendable;
        held_.advance(frame, self_);
        if (const std::error_code failed = log(frame)) error = failed;
        observe(batch.delta(), {id(), batch.time(), true, false});
        publish(frame);
        return error;
    }

    /// 8: seen? Drop. A gap? Hold. 9: else it is merged, and with it all that waited for it.
    Received receive(const Frame& frame) {
        Received result;
        switch (buffer_.offer(frame, held_.history.vector())) {
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
        return !forgotten_.empty() && std::any_of(header.heads.begin(), header.heads.end(), [&](const Head& head) {
            return head.counter > counter(head.replica) && is_unheeded(head.replica);
        });
    }

    /// A whole state of another replica: joined under its own context, and kept as a snapshot of what both held. One that
    /// displaces what is held takes its place; what is held beyond follows from the log.
    std::error_code adopt(Bytes bytes) {
        const Result<SnapshotHeader> header = check(bytes);
        if (!header) return header.error();
        const bool in_place = displaces(*header);
        if (in_place && lack_forgotten(header->heads)) return errc::outdated;
        const std::vector<Frame> beyond = in_place ? logged() : std::vector<Frame>{};
        const bool as_received = in_place ? beyond.empty() : is_completed_by_log(*header);
        bool changed = false;
        Ntp64 time;
        Result<EncodedState> joined = EncodedState{};
        auto before = change_aside([&](Content<CrdtType>& held) {
            Result<Snapshot<CrdtType>> theirs = decode_snapshot<CrdtType>(bytes, options_.limits);
            if (!theirs) return joined = theirs.error(), false;
            time = theirs->time;
            const VersionVector seen = held.history.vector();
            if (in_place) held = {};
            changed = held.join(*std::move(theirs));
            for (const Frame& frame : beyond) held.replay(frame, options_.limits);
            if (!held.history.vector().includes(seen)) return joined = errc::outdated, false;
            joined = as_received
                         ? Result<EncodedState>{{std::make_shared<const Bytes>(std::move(bytes)), 0, header->heads}}
                         : held.encode(options_.limits);
            return static_cast<bool>(joined);
        });
        if (!before) return joined.error();
        if (in_place) forget_nothing();
        vector_rose_ = true;
        keep_snapshot(*joined);
        aside([&] { before.reset(); });  // what nobody shares is let go of here
        Received waited;
        drain(waited);
        if (changed) observe(held_.state, {ReplicaId{}, time, false, true});
        return {};
    }

    /// What is held now, for those who take the whole of it.
    Result<EncodedState> encode() { return encode_aside(0); }
    /// The same for those who keep it: twice the time, and little more memory than the bytes themselves.
    Result<EncodedState> encode_frugally() {
        const std::size_t logged = log_bytes_;
        std::size_t size = 0;
        may_change_ = few_changes;
        Content<CrdtType> held = held_;  // let go of on the way: what is changed before its turn is held twice
        aside([&] {
            size = std::move(held).size_encoded(options_.limits);
            held = {};
        });
        may_change_ = few_changes;
        Result<EncodedState> encoded = encode_aside(size + size / 64 + (log_bytes_ - std::min(logged, log_bytes_)));
        may_change_.reset();
        return encoded;
    }

    // What all have seen.

    /// Forgets what only those need that have not seen it: `stable` is what every member has seen that is not retired.
    void forget(const VersionVector& stable) {
        auto before = change_aside([&](Content<CrdtType>& held) { return drop_stable(held.state, stable); });
        if (!before) return;
        aside([&] { before.reset(); });
        forgotten_.merge(stable);
        std::vector<ReplicaCounter> counters;
        for (const VersionVector::Entry& entry : forgotten_.sorted())
            counters.push_back({id_of(entry.replica), entry.counter});
        keep("forgotten", counters);
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

    /// Bytes of frames logged since the last snapshot.
    std::size_t log_bytes() const noexcept { return log_bytes_; }
    std::size_t snapshot_bytes() const noexcept { return snapshot_bytes_; }

    /// Takes a snapshot and lets go of the frames up to `seen`, which every member has that is to be waited for.
    std::error_code compact(const std::vector<ReplicaCounter>& seen) {
        const std::size_t covered = log_bytes_;
        const Result<EncodedState> encoded = encode_frugally();
        if (!encoded) return encoded.error();
        keep_snapshot(*encoded);
        log_bytes_ -= covered;
        return staging_.stage([seen](Store& store) { return store.cut(seen); });
    }

    /// A store that found damage in what it had written is given all that is held, anew.
    void heal_store() {
        if (!open_ || is_committing() || store_error() != errc::store_damaged) return;
        if (const Result<EncodedState> encoded = encode_frugally()) keep_snapshot(*encoded);
    }

    // Who is gone, and who this replica is.

    /// Records of others, or of this replica.
    void retire(const std::vector<Retirement>& records) {
        if (retirements_.merge(records, options_.limits.replicas)) keep("retired", retirements_.records());
    }

    /// What is held of the histories of replicas, to be compared with what others hold.
    Fork<Store> fork() const { return {staging_.store(), held_.history, options_.limits}; }

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
        return theirs.includes(held_.history.vector());
    }

    /// Whether all that this replica made and that a state lacks is in the log still.
    bool can_issue_again(const SnapshotHeader& header) const {
        const std::uint64_t known = known_in(header.heads);
        bool logged = known >= counter(id());
        if (!logged)
            static_cast<void>(staging_.store().frames({id(), known + 1, known + 1}, [&](const SharedBytes& bytes) {
                const Result<Frame> frame = Frame::parse(bytes, options_.limits);
                logged = frame && frame->header().first <= known + 1;
                return false;
            }));
        return logged;
    }

    /// This incarnation is over: what is held becomes the join with the pool's state, and this replica's own changes that the
    /// pool has not seen are issued again under its successor, with new dots and a fresh timestamp (an old one could meet a
    /// tombstone that some have forgotten). They say what they were before, for those who have seen that. Where
    /// tombstones were forgotten the log goes: what the pool lacks of third parties then travels as a state, not as frames that
    /// each would judge by the tombstones that it still has.
    Result<Succession> succeed(ByteView bytes) {
        Result<Snapshot<CrdtType>> theirs = read(bytes);
        if (!theirs) return theirs.error();
        const std::uint64_t known = known_in(theirs->heads);
        static_cast<void>(held_.join(*std::move(theirs)));
        std::vector<Frame> again;
        for (Frame& frame : logged())
            if (frame.header().origin == id() && frame.header().last() > known) again.push_back(std::move(frame));
        if (settled_) staging_.stage([](Store& store) { return store.clear(); });
        return take_successor(again, true);
    }

    /// The same where what is held cannot be joined: there is another history of this replica beyond `parted`, or what was
    /// forgotten here must come back. The pool's state takes its place; of the log follows what still can. Where that
    /// does not hold yet what is to be issued again removes: std::errc::resource_unavailable_try_again, unless `now`.
    Result<Succession> succeed_in_place(ByteView bytes, std::optional<std::uint64_t> parted, bool now) {
        Result<Snapshot<CrdtType>> theirs = read(bytes);
        if (!theirs) return theirs.error();
        Content<CrdtType> before = std::exchange(held_, {});
        static_cast<void>(held_.join(*std::move(theirs)));
        const std::uint64_t limit = parted.value_or(counter(id()));
        std::vector<Frame> again;
        for (Frame& frame : logged()) {
            const FrameHeader& header = frame.header();
            const bool own = header.origin == id();
            if (!own || header.last() <= limit) replay(frame);
            if (own && header.last() > std::min(limit, counter(id()))) again.push_back(std::move(frame));
        }
        if (!now && !all_of_removed_held(again)) {
            held_ = std::move(before);
            return std::make_error_code(std::errc::resource_unavailable_try_again);
        }
        forget_nothing();
        buffer_.clear();
        staging_.stage([](Store& store) { return store.clear(); });
        return take_successor(again, !parted);
    }

    /// The new incarnation begins with what is here: for the first of a pool of which nobody else has more.
    void go_on() {
        self_ = intern(successor_);
        staging_.begin_anew();
        successor_ = {};
        keep("replica", id());
        keep("successor", successor_);
    }

    /// Where a change is now that this token stood for.
    ReplicaCounter resolve(ReplicaCounter token) const {
        for (const Succession& succession : successions_) token = succession(token);
        return token;
    }

    /// Makes what was logged durable: now, or, where the store does that on a thread of its own, with `on_committed` to
    /// follow. Until it succeeds nothing of it may be seen by a peer.
    std::error_code flush() { return staging_.flush(held_.history.counter(self_), on_committed, notifications); }
    bool is_committing() const noexcept { return staging_.is_committing(); }
    /// What became of the commit under way.
    void committed(std::error_code error) { staging_.committed(error, notifications); }
    /// Calls `f(error)` when this change is durable, or could not be made so; see Replica::on_durable.
    [[nodiscard]] Subscription await_durable(const ReplicaCounter& token, Durability::Answer f) {
        const ReplicaCounter now = resolve(token);
        return staging_.await(now.replica == id() ? now.counter : max_counter, std::move(f), notifications);
    }
    /// What may be told of while a commit is under way: see Staging.
    bool is_durable(const ReplicaId& origin, std::uint64_t counter) const {
        return staging_.is_durable(origin, counter);
    }
    std::uint64_t commit_of_all() const noexcept { return staging_.commit_of_all(); }
    bool is_durable_with(std::uint64_t commit) const noexcept { return staging_.is_durable_with(commit); }
    /// All is durable that can be, and the store calls nobody any more. Without the replica's mutex.
    void close() { staging_.close(); }
    std::error_code store_error() const noexcept { return staging_.error(); }
    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const {
        if constexpr (asynchronous_store<Store>)
            if (may_change_ == 0u) return errc::store_behind;
        return staging_.refusal();
    }
    /// Stages a small value for the next commit.
    template <class T>
    void keep(const char* key, const T& value) {
        staging_.keep(key, value);
    }

    Aside aside;                                        ///< how work on a whole state is done
    std::function<void(std::error_code)> on_committed;  ///< called by a store that commits on its own thread
    Observers<Merged<CrdtType>> changes;
    Derivations<CrdtType> derivations;
    Notifications notifications;

   private:
    void load(detail::Random& random) {
        const Store& opened = staging_.store();
        const ReplicaId kept = kept_identity(opened, options_);
        if (!kept.is_nil() || opening_error(opened))
            self_ = intern(kept.is_nil() ? nobody_yet(options_) : kept);
        else
            self_ = intern(new_incarnation(options_, random));
        successor_ = open_value<ReplicaId>(opened, "successor");
        settled_ = open_value<bool>(opened, "settled");
        for (const ReplicaCounter& known : open_value<std::vector<ReplicaCounter>>(opened, "forgotten"))
            forgotten_.advance(intern(known.replica), known.counter);
        retirements_.merge(open_value<std::vector<Retirement>>(opened, "retired"), options_.limits.replicas);
        if (const SharedBytes bytes = opened.snapshot())
            if (auto held = decode_snapshot<CrdtType>(*bytes, options_.limits))
                static_cast<void>(held_.join(*std::move(held)));
        in_snapshot_ = held_.history.vector();
        opened.replay([&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, options_.limits)) replay(*frame);
            return true;
        });
        clock_.restore(held_.history.time());
        open_ = staging_.begin();
        if (open_ && kept.is_nil()) keep("replica", id());
    }

    /// What waited and is ready now.
    void drain(Received& result) {
        while (const std::optional<Frame> next = buffer_.take(held_.history.vector())) count(apply(*next), result);
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
        buffer_.drop_next_if(held_.history.vector(), [&](const Frame& frame) {
            const ReplicaIndex origin = find_index(frame.header().origin);
            return !frame.continues(origin == ReplicaIndex{} ? 0 : held_.history.hash(origin));
        });
    }

    bool is_forked(const Frame& frame) const {
        const FrameHeader& header = frame.header();
        const ReplicaIndex origin = find_index(header.origin);
        return header.last() == held_.history.counter(origin) && header.hash != held_.history.hash(origin);
    }

    /// Whether a change, whose time may lie in the past, was made without what was forgotten here since. Where it would
    /// meet a tombstone, others would come to another result.
    bool is_outdated(const FrameHeader& header) const {
        if (forgotten_.empty() || !is_unheeded(header.origin)) return false;
        return retirements_.contains(header.origin) || lack_forgotten(header.dependencies);
    }

    /// Whether more of a replica may be news that was not waited for when something was forgotten: nobody knew it, or it
    /// had been given up.
    bool is_unheeded(const ReplicaId& origin) const { return counter(origin) == 0 || retirements_.contains(origin); }

    void forget_nothing() {
        forgotten_ = {};
        keep("forgotten", std::vector<ReplicaCounter>{});
    }

    /// Whether somebody had not seen all that was forgotten here.
    template <class Counters>  // of ReplicaCounter, or of Head
    bool lack_forgotten(const Counters& seen) const {
        return std::any_of(forgotten_.begin(), forgotten_.end(), [&](const VersionVector::Entry& entry) {
            const ReplicaId& needed = id_of(entry.replica);
            return std::none_of(seen.begin(), seen.end(),
                                [&](const auto& had) { return had.replica == needed && had.counter >= entry.counter; });
        });
    }

    /// The version vector of this frame, where it rose since the last one.
    std::vector<ReplicaCounter> take_dependencies() {
        std::vector<ReplicaCounter> risen;
        if (!std::exchange(vector_rose_, false)) return risen;
        for (const VersionVector::Entry& entry : held_.history.vector().sorted())
            if (entry.replica != self_ && last_vector_.advance(entry.replica, entry.counter))
                risen.push_back({id_of(entry.replica), entry.counter});
        return risen;
    }

    /// 3: this replica's next frame.
    Frame issue(std::uint64_t count, Ntp64 time, std::vector<CounterRange> removed, ByteView delta,
                std::vector<ReplicaCounter> instead_of = {}) {
        return Frame::make(FrameHeader{.origin = id(),
                                       .first = held_.history.counter(self_) + 1,
                                       .count = count,
                                       .time = time,
                                       .dependencies = take_dependencies(),
                                       .removed = std::move(removed),
                                       .instead_of = std::move(instead_of)},
                           delta, held_.history.hash(self_));
    }

    /// `expected`: its size, about; 0 where memory does not matter.
    Result<EncodedState> encode_aside(std::size_t expected) {
        Result<EncodedState> encoded = EncodedState{};
        Content<CrdtType> held = held_;
        aside([&] {
            encoded = std::move(held).encode(options_.limits, expected);
            held = {};
        });
        return encoded;
    }

    Result<Snapshot<CrdtType>> read(ByteView bytes) {
        if (const Result<SnapshotHeader> header = check(bytes); !header) return header.error();
        return decode_snapshot<CrdtType>(bytes, options_.limits);
    }

    /// Whether a state and the frames of the log make what both hold: then it is kept as it came, and not encoded again.
    /// So where what the last snapshot held is in it, and of each origin it holds as much as is held here, or nothing.
    bool is_completed_by_log(const SnapshotHeader& theirs) const {
        const auto holds = [&](const Head& held, bool none) {
            for (const Head& head : theirs.heads)
                if (head.replica == held.replica) return head == held;
            return none;
        };
        const std::vector<Head> heads = held_.history.heads();
        return forgotten_.empty() && theirs.reissues.empty() && held_.history.reissues().empty() &&
               std::all_of(heads.begin(), heads.end(), [&](const Head& held) {
                   return holds(held, in_snapshot_.counter(find_index(held.replica)) == 0);
               });
    }

    /// How much of what this replica made is in a state.
    std::uint64_t known_in(const std::vector<Head>& heads) const {
        for (const Head& head : heads)
            if (head.replica == id()) return head.counter;
        return 0;
    }

    std::vector<Frame> logged() const {
        std::vector<Frame> frames;
        staging_.store().replay([&](const SharedBytes& bytes) {
            if (Result<Frame> frame = Frame::parse(bytes, options_.limits)) frames.push_back(*std::move(frame));
            return true;
        });
        return frames;
    }

    /// Own dots aside, which are renamed.
    bool all_of_removed_held(const std::vector<Frame>& frames) const {
        return std::all_of(frames.begin(), frames.end(), [&](const Frame& frame) {
            const std::vector<CounterRange>& removed = frame.header().removed;
            return std::all_of(removed.begin(), removed.end(), [&](const CounterRange& range) {
                return range.replica == id() || range.last <= counter(range.replica);
            });
        });
    }

    /// The new incarnation begins: with a snapshot of what is held, and with its unseen changes.
    Result<Succession> take_successor(const std::vector<Frame>& again, bool by_name) {
        const Result<EncodedState> encoded = held_.encode(options_.limits);
        if (!encoded) return encoded.error();
        const Succession succession{id(), again.empty() ? max_counter : again.front().header().first - 1, successor_};
        self_ = intern(successor_);
        successor_ = {};
        staging_.begin_anew();
        successions_.push_back(succession);
        if (successions_.size() > max_successions) successions_.erase(successions_.begin());
        last_vector_ = {};
        vector_rose_ = true;
        keep_snapshot(*encoded);
        log_bytes_ = 0;
        keep("replica", id());
        keep("successor", successor_);
        for (const Frame& frame : again) reissue(frame, succession, by_name);
        Received waited;
        drain(waited);
        observe(held_.state, {ReplicaId{}, held_.history.time(), false, true});
        return succession;
    }

    void reissue(const Frame& old, const Succession& succession, bool by_name) {
        const std::uint64_t first = held_.history.counter(self_) + 1;
        const DotRange minted{self_, first, first + old.header().count - 1};
        const Ntp64 time = clock_.tick();
        Result<CrdtType> decoded = old.template delta_within<CrdtType>(DotSpace{minted, time}, options_.limits);
        if (!decoded) return;
        CrdtType delta = *std::move(decoded);
        std::vector<CounterRange> removed = old.header().removed;
        std::vector<ReplicaCounter> names;
        if (by_name) {
            names = old.header().instead_of;
            names.insert(names.begin(), {old.header().origin, old.header().first});
            if (names.size() > Frame::max_names) names.resize(Frame::max_names);
        } else {
            netsync::reissue(delta,
                             [&](std::uint64_t counter) { erase_counter(removed, {succession.before, counter}); });
        }
        const Result<Bytes> bytes = encode_delta(delta, minted, time, options_.limits);
        if (!bytes) return;
        const Frame frame = issue(old.header().count, time, succession(removed), *bytes, std::move(names));
        held_.merge(frame, self_, delta);
        static_cast<void>(log(frame));
    }

    /// A frame of the log: at the opening, or after a state that came in the place of ours.
    void replay(const Frame& frame) {
        log_bytes_ += frame.size_bytes();
        if (held_.replay(frame, options_.limits)) vector_rose_ = true;
    }

    /// 9: one frame whose dependencies are in.
    std::error_code apply(const Frame& frame) {
        const FrameHeader& header = frame.header();
        if (const std::error_code error = refusal()) return error;  // what cannot be kept: gossip offers it again
        if (header.origin == id()) return errc::forked;
        if (is_outdated(header)) return errc::outdated;
        if (held_.history.vector().size() >= options_.limits.replicas && counter(header.origin) == 0) {
            ++origins_refused_;
            return errc::replica_table_full;
        }
        const ReplicaIndex origin = intern(header.origin);
        if (origin == ReplicaIndex{}) return errc::replica_table_full;
        if (!frame.continues(held_.history.hash(origin))) return errc::forked;
        Result<CrdtType> delta = frame.template delta<CrdtType>(options_.limits);
        if (!delta) return delta.error();
        if (!permits(*delta, header.origin.owner())) return errc::not_owner;
        if (const std::error_code error = clock_.observe(header.time)) return error;
        const bool watched = is_watched();
        const bool changed =
            watched ? held_.merge(frame, origin, *delta) : held_.merge(frame, origin, *std::move(delta));
        vector_rose_ = true;
        if (const std::error_code error = log(frame)) return error;
        if (changed && watched) observe(*delta, {header.origin, header.time, false, false});
        return {};
    }

    /// 4: the log and the version vector derived from it move together.
    std::error_code log(const Frame& frame) {
        if (meanwhile_) meanwhile_->push_back(frame);
        if (may_change_) *may_change_ -= std::min(*may_change_, frame.header().count);
        log_bytes_ += frame.size_bytes();
        return staging_.append(frame);
    }

    /// Changes what is held by `work(held)`, on a copy and aside; what is changed here meanwhile comes in after that.
    /// Gives what was held before; nothing changes where `work` says no.
    template <class F>
    std::optional<Content<CrdtType>> change_aside(F&& work) {
        Content<CrdtType> changed = held_;
        bool done = false;
        meanwhile_.emplace();
        aside([&] {
            done = work(changed);
            if (!done) changed = {};
        });
        for (int rounds = 0; done && meanwhile_->size() > few_frames && rounds < catch_up_rounds; ++rounds) {
            const std::vector<Frame> frames = std::exchange(*meanwhile_, {});
            aside([&] { merge_own(frames, changed); });
        }
        const std::vector<Frame> frames = *std::exchange(meanwhile_, std::nullopt);
        if (!done) return std::nullopt;
        merge_own(frames, changed);
        return std::exchange(held_, std::move(changed));
    }

    /// Frames that were made here.
    void merge_own(const std::vector<Frame>& frames, Content<CrdtType>& into) const {
        for (const Frame& frame : frames)
            if (const Result<CrdtType> delta = frame.template delta<CrdtType>(options_.limits))
                into.merge(frame, intern(frame.header().origin), *delta);
    }

    /// Where the store will not take it now, it is given it later, before what comes after.
    void keep_snapshot(const EncodedState& encoded) {
        snapshot_bytes_ = encoded.bytes->size();
        in_snapshot_ = {};
        for (const Head& head : encoded.heads) in_snapshot_.advance(intern(head.replica), head.counter);
        staging_.stage(
            [snapshot = encoded.bytes, heads = encoded.heads](Store& store) { return store.adopt(snapshot, heads); });
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
        derivations.update(held_.state, delta, info.whole);
        if (!changes.empty())
            changes.notify(std::make_shared<const Merged<CrdtType>>(Merged<CrdtType>{delta, info}), notifications);
    }

    static constexpr std::size_t max_successions = 16;
    static constexpr std::size_t few_frames = 64;
    static constexpr std::uint64_t few_changes = 4096;  // some MiB, where each is of another element
    static constexpr int catch_up_rounds = 8;

    const Options& options_;
    Staging<Store> staging_;
    Clock clock_;
    std::atomic<ReplicaIndex> self_{};
    Content<CrdtType> held_;
    std::optional<std::vector<Frame>> meanwhile_;  // what is changed while a copy of what is held is changed aside
    std::optional<std::uint64_t> may_change_;      // while a copy is encoded frugally: how many dots more
    bool open_ = false;
    Retirements retirements_;
    CausalBuffer<Frame> buffer_;
    VersionVector last_vector_;  // that of this replica's last frame
    bool vector_rose_ = false;
    bool settled_ = false;
    VersionVector forgotten_;  // what all had seen when something was last forgotten
    ReplicaId successor_;
    std::vector<Succession> successions_;  // of this run
    std::uint64_t origins_refused_ = 0;
    std::size_t log_bytes_ = 0;
    std::size_t snapshot_bytes_ = 0;
    VersionVector in_snapshot_;  // what the last snapshot holds; the rest is in the log
};

}  // namespace netsync
