// netsync/testing.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <cstdio>
#include <stdexcept>

// ---- netsync/testing/laws.hpp ----

// netsync: the laws of a type, checked. A type and a function that makes a random change of it come in; the first law that
// does not hold goes out, with its seed.

namespace netsync::testing {

/// A delta on its way, with all that a receiver needs.
template <crdt T>
struct SentDelta {
    T delta;
    CausalContext context;
    VersionVector dependencies;
    DotRange minted;
    Ntp64 time;
    OwnerId origin;
};

/// A replica reduced to what the laws speak of: a state and what it has seen.
template <crdt T>
struct Site {
    ReplicaIndex replica{};
    std::uint64_t next = 1;
    T state{};
    CausalContext seen{};

    /// One local change, merged here and returned for the others. It takes a dot even if it minted none, as a frame does.
    template <class Mutate>
    SentDelta<T> change(Ntp64 time, Mutate&& mutate) {
        Change change{replica, next, time};
        T delta = mutate(std::as_const(state), change);
        SentDelta<T> sent{delta, change.context(), seen.vector(), change.minted(), time, change.owner()};
        if (sent.minted.empty()) sent.minted.last = sent.minted.first;
        deliver(sent);
        next = sent.minted.last + 1;
        return sent;
    }

    bool ready(const SentDelta<T>& sent) const {
        return seen.vector().includes(sent.dependencies) &&
               seen.vector().counter(sent.minted.replica) == sent.minted.first - 1;
    }

    bool deliver(const SentDelta<T>& sent) {
        const bool changed =
            merge(state, sent.delta, Join{.mine = seen, .theirs = sent.context, .origin = sent.origin});
        seen.add(sent.minted);
        return changed;
    }

    /// The whole state of another site.
    void join(const Site& other) {
        merge(state, other.state, Join{.mine = seen, .theirs = other.seen, .scope = Scope::whole});
        seen.merge(other.seen);
    }

    /// Empty where it cannot be encoded.
    Bytes encoded(Ntp64 time) const {
        std::vector<Head> heads;
        for (const auto& entry : seen.vector().sorted()) heads.push_back({id_of(entry.replica), entry.counter, 0});
        Result<Bytes> bytes = encode_snapshot({heads, time}, state);
        return bytes ? *std::move(bytes) : Bytes{};
    }
};

template <crdt T>
std::vector<Site<T>> make_sites(std::size_t count) {
    std::vector<Site<T>> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i].replica = intern(ReplicaId{100 + i, 7 - i});
    return all;
}

/// A law that does not hold, and the seed that shows it.
struct BrokenLaw {
    std::string law;
    std::uint64_t seed = 0;
};

/// Checks T with random changes at four sites, delivered causally in random orders, twice, in groups and as whole states,
/// to sites that now and then go on with what was read of their bytes: merge is idempotent, commutative and associative,
/// the bottom is neutral, state ⊔ delta is the state as mutated, a delta-group is worth its deltas, decoding undoes
/// encoding, a state joined as it is read is what decoding and joining it makes, and equal states have equal bytes, so
/// equal digests.
/// `mutate(const T& now, Change&, Random&)` returns the delta of a random change; it must choose by that Random alone.
template <crdt T, class Mutate>
class Laws {
   public:
    explicit Laws(Mutate mutate) : mutate_(std::move(mutate)) {}

    /// `steps`: changes and deliveries, all by that seed.
    std::optional<BrokenLaw> check(std::uint64_t seed, std::size_t steps = 60) {
        broken_.reset();
        seed_ = seed;
        random_ = detail::Random{seed};
        check_delivery(steps);
        check_groups();
        return broken_;
    }

   private:
    static constexpr std::size_t count = 4;
    using Sent = SentDelta<T>;
    using Inbox = std::array<std::vector<Sent>, count>;  // what is under way to each site

    void require(bool holds, const char* law) {
        if (!holds && !broken_) broken_ = BrokenLaw{law, seed_};
    }

    Sent change(Site<T>& site, Ntp64 time) {
        return site.change(time, [&](const T& state, Change& change) { return mutate_(state, change, random_); });
    }

    void check_delivery(std::size_t steps) {
        std::vector<Site<T>> all = make_sites<T>(count);
        Inbox inbox;
        std::uint64_t now = 1000;
        for (std::size_t step = 0; step < steps; ++step) {
            const std::size_t at = random_.below(count);
            if (random_.below(2) == 0) {
                now += random_.below(3);
                change_and_send(all, at, Ntp64{now}, inbox);
            } else if (random_.below(6) == 0) {
                join(all[at], all[random_.below(count)], Ntp64{now});
            } else if (random_.below(12) == 0) {
                reload(all[at], Ntp64{now});
            } else if (!inbox[at].empty()) {
                const Sent& sent = inbox[at][random_.below(inbox[at].size())];
                if (all[at].ready(sent)) all[at].deliver(sent);
            }
        }
        for (std::size_t at = 0; at < count; ++at) deliver_rest(all[at], inbox[at]);
        compare(all, Ntp64{now});
    }

    void change_and_send(std::vector<Site<T>>& all, std::size_t at, Ntp64 time, Inbox& inbox) {
        Site<T>& site = all[at];
        const Site<T> before = site;
        const Sent sent = change(site, time);
        check_encoding(sent);
        T again = site.state;
        const bool rose =
            merge(again, sent.delta, Join{.mine = site.seen, .theirs = sent.context, .origin = sent.origin});
        require(!rose && equal(again, site.state), "idempotent: a delta merged again changes nothing, and says so");
        T still = before.state;
        const bool moved = merge(still, T{}, Join{.mine = before.seen, .theirs = CausalContext{}});
        require(!moved && equal(still, before.state), "bottom: merging a default-constructed value changes nothing");
        Site<T> inflated = before;
        const bool changed = inflated.deliver(sent);
        require(changed || equal(inflated.state, before.state), "inflation: a merge that changes the state says so");
        for (std::size_t to = 0; to < count; ++to)
            if (to != at) inbox[to].push_back(sent);
    }

    /// A whole state, and the same out of its bytes.
    void join(Site<T>& site, const Site<T>& other, Ntp64 now) {
        T read = site.state, merged = site.state;
        const Join join{.mine = site.seen, .theirs = other.seen, .scope = Scope::whole};
        bool changed = false;
        const Bytes bytes = other.encoded(now);
        const Result<SnapshotHeader> header = decode_snapshot_header(bytes);
        const auto merge_read = [&](Input& in) { changed = in.merge_into(read, join); };
        const bool done = header && !read_snapshot(bytes, *header, Limits{}, merge_read);
        const bool rose = merge(merged, other.state, join);
        require(done && changed == rose && equal(read, merged),
                "encoding: a state joined as it is read is what decoding and joining it makes");
        site.join(other);
    }

    /// The site goes on with what was read of its bytes.
    static void reload(Site<T>& site, Ntp64 now) {
        if (const auto snapshot = decode_snapshot<T>(site.encoded(now))) site.state = (*snapshot).state;
    }

    static void deliver_rest(Site<T>& site, const std::vector<Sent>& inbox) {
        for (bool progress = true; progress;) {
            progress = false;
            for (const Sent& sent : inbox) {
                if (!site.ready(sent)) continue;
                site.deliver(sent);
                progress = true;
            }
        }
    }

    void compare(const std::vector<Site<T>>& all, Ntp64 now) {
        const Bytes bytes = all[0].encoded(now);
        Site<T> joined = all[0];
        for (std::size_t at = 1; at < count; ++at) {
            require(all[at].seen == all[0].seen && equal(all[at].state, all[0].state),
                    "commutative: the same deltas in another causal order make the same state");
            require(all[at].encoded(now) == bytes, "canonical: equal states have equal bytes");
            joined.join(all[at]);
            require(equal(joined.state, all[0].state), "associative: states joined are what their deltas make");
        }
        const auto snapshot = decode_snapshot<T>(bytes);
        require(snapshot && equal((*snapshot).state, all[0].state), "encoding: decoding gives back the state");
    }

    void check_encoding(const Sent& sent) {
        const Result<Bytes> bytes = encode_delta(sent.delta, sent.minted, sent.time, Limits{});
        if (!bytes) return require(false, "encoding: a delta can be encoded");
        FrameHeader header{.origin = id_of(sent.minted.replica),
                           .first = sent.minted.first,
                           .count = sent.minted.size(),
                           .time = sent.time};
        const Result<T> back = Frame::make(std::move(header), *bytes, 0).template delta<T>();
        if (!back) return require(false, "encoding: an encoded delta can be decoded");
        // Mentions of what was emptied are not part of equality: the encoding must have them too.
        const Result<Bytes> again = encode_delta(*back, sent.minted, sent.time, Limits{});
        require(again && *again == *bytes, "encoding: decoding gives back the delta");
    }

    void check_groups() {
        std::vector<Site<T>> all = make_sites<T>(2);
        Site<T>&writer = all[0], &reader = all[1];
        for (std::uint64_t round = 1; round <= 8; ++round) {
            Sent group = change(writer, Ntp64{round});
            group.dependencies = {};
            for (int step = 0; step < 3; ++step) {
                const Sent sent = change(writer, Ntp64{round});
                merge(
                    group.delta, sent.delta,
                    Join{
                        .mine = group.context, .theirs = sent.context, .target = Target::delta, .origin = sent.origin});
                group.context.merge(sent.context);
                group.minted.last = sent.minted.last;
            }
            check_encoding(group);
            reader.deliver(group);
            require(equal(reader.state, writer.state), "groups: a delta-group is worth its deltas one by one");
        }
    }

    Mutate mutate_;
    detail::Random random_;
    std::uint64_t seed_ = 0;
    std::optional<BrokenLaw> broken_;
};

/// The first law that T breaks, if it does within so many seeds: `check_laws<Cart>(mutate)`.
template <crdt T, class Mutate>
std::optional<BrokenLaw> check_laws(Mutate mutate, std::uint64_t seeds = 100) {
    Laws<T, Mutate> laws{std::move(mutate)};
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        if (std::optional<BrokenLaw> broken = laws.check(seed)) return broken;
    return std::nullopt;
}

}  // namespace netsync::testing

// ---- netsync/testing/faults.hpp ----

// netsync: what may go wrong in a simulation, and how often. Options come in, each seed draws its own mix from them.

namespace netsync::testing {

/// Numbers are shares of the messages, in 1/1000: with any of them a link no longer keeps its promise to deliver once
/// and in order. Durations are the mean time between two faults of a kind; zero: never.
struct Faults {
    unsigned loss = 0;
    unsigned duplication = 0;
    unsigned reordering = 0;  ///< overtaken by later messages
    unsigned bit_flips = 0;
    Duration delay{};  ///< of a message, at most; zero: 2 ms

    Duration broken_links{};
    Duration flapping{};            ///< the links between two machines break again and again
    Duration partitions{};          ///< the pool falls into two parts that do not hear each other
    Duration one_way_partitions{};  ///< one part no longer hears the other
    Duration slow_peers{};          ///< a machine receives a few hundred bytes a second: its links are backlogged
    Duration pauses{};              ///< a process stands still, up to 8 s
    Duration crashes{};             ///< with restart, before, in or after a commit; what was not committed is lost
    Duration full_disks{};          ///< nothing can be appended for a while
    Duration io_errors{};           ///< nothing can be committed for a while
    Duration clock_jumps{};         ///< of the wall clock: 1 h ahead or behind, 10 years ahead, standing still

    Duration wiped_disks{};       ///< a machine restarts with nothing
    Duration restored_backups{};  ///< a machine restarts with what its disk held some time ago
    Duration clones{};            ///< a machine restarts with a copy of another one's disk

    friend bool operator==(const Faults&, const Faults&) = default;
};

/// The names of the members of Faults, in their order.
inline constexpr std::array<std::string_view, 18> fault_names{
    "loss",        "duplication",        "reordering",       "bit_flips", "delay",   "broken_links", "flapping",
    "partitions",  "one_way_partitions", "slow_peers",       "pauses",    "crashes", "full_disks",   "io_errors",
    "clock_jumps", "wiped_disks",        "restored_backups", "clones"};

namespace faults {

/// A network that keeps its promises, and machines that run.
inline Faults none() { return {}; }

/// Messages that are lost, repeated, overtaken, late and damaged.
inline Faults messages() {
    return {
        .loss = 300, .duplication = 500, .reordering = 300, .bit_flips = 10, .delay = std::chrono::milliseconds{300}};
}

/// Links, processes, disks and clocks that fail; what a link delivers is in order.
inline Faults machines() {
    using namespace std::chrono_literals;
    return {.delay = 100ms,
            .broken_links = 10s,
            .flapping = 40s,
            .partitions = 25s,
            .one_way_partitions = 40s,
            .slow_peers = 40s,
            .pauses = 15s,
            .crashes = 20s,
            .full_disks = 40s,
            .io_errors = 30s,
            .clock_jumps = 30s};
}

/// Identities that are lost, or in use twice.
inline Faults identities() {
    using namespace std::chrono_literals;
    return {.wiped_disks = 60s, .restored_backups = 60s, .clones = 60s};
}

/// The members of `b` that are not zero, and those of `a` elsewhere.
inline Faults join(Faults a, const Faults& b) {
    const auto take = [](auto& mine, const auto& theirs) {
        if (theirs != std::decay_t<decltype(theirs)>{}) mine = theirs;
    };
    detail::for_each_field(take, a, b);
    return a;
}

/// Everything.
inline Faults all() { return join(join(messages(), machines()), identities()); }

/// The mix of one seed: each kind with probability 1/2, then up to as often as `most` says. A kind's part does not
/// depend on the others, so leaving one out changes nothing else.
inline Faults draw(const Faults& most, std::uint64_t seed) {
    Faults drawn = most;
    std::uint64_t kind = 0;
    const auto choose = [&]<class Member>(Member& member) {
        detail::Random random{detail::mix(seed, 0x6661756c74u + kind++)};
        if (member == Member{}) return;
        if (random.below(2) == 0)
            member = Member{};
        else if constexpr (std::is_same_v<Member, Duration>)
            member *= static_cast<std::int64_t>(1 + random.below(3));
        else
            member = 1 + static_cast<unsigned>(random.below(member));
    };
    detail::for_each_field(choose, drawn);
    drawn.delay = most.delay / static_cast<std::int64_t>(1 + detail::Random{seed}.below(50));
    return drawn;
}

}  // namespace faults

/// As one would write it: `{.loss = 300, .partitions = 25000ms}`.
inline std::string to_string(const Faults& faults) {
    std::string text;
    std::size_t kind = 0;
    const auto append = [&]<class Member>(const Member& member) {
        const std::string_view name = fault_names[kind++];
        if (member == Member{}) return;
        text += (text.empty() ? "." : ", .") + std::string(name) + " = ";
        if constexpr (std::is_same_v<Member, Duration>)
            text += std::to_string(member.count()) + "ns";
        else
            text += std::to_string(member);
    };
    detail::for_each_field(append, faults);
    return '{' + text + '}';
}

}  // namespace netsync::testing

// ---- netsync/testing/disk.hpp ----

// netsync: the disk of a simulated machine, and the store on it. Frames and values come in and are staged; a commit makes
// them durable, a power cut takes what was not committed.

namespace netsync::testing {

/// Where one origin's history ends on a disk.
struct Tip {
    std::uint64_t counter = 0;
    std::uint64_t hash = 0;
    friend bool operator==(const Tip&, const Tip&) = default;
};

/// When the power goes: never, in a commit before it took effect (a torn write, found and dropped at the next start),
/// or in a commit after it took effect but before anybody was told.
enum class PowerCut : std::uint8_t { none, before_commit, after_commit };

/// Thrown by that commit, so that nothing after it happens: the simulation alone catches it.
struct PowerFailed {};

/// What the store of one machine holds. It outlives the replica; staged changes can be undone, committed ones not.
class Disk {
   public:
    using Tips = std::map<ReplicaId, Tip>;

    std::error_code append(const Frame& frame) {
        if (const std::error_code error = refuse()) return error;
        const FrameHeader& header = frame.header();
        const Tip before = tip(header.origin);
        if (header.first != before.counter + 1) {
            wrong_ = "a frame is appended that does not continue its origin's log";
            return errc::not_contiguous;
        }
        for (const ReplicaCounter& needed : header.dependencies)
            if (tip(needed.replica).counter < needed.counter) wrong_ = "a frame is appended before one it depends on";
        held_.logs[header.origin].push_back(
            {header.first, header.last(), ++held_.sequence, header.hash, frame.bytes()});
        move_tip(header.origin, {header.last(), header.hash});
        undo_.push_back(Appended{header.origin,
                                 before,
                                 {header.last(), header.hash},
                                 std::exchange(held_.latest, std::max(held_.latest, header.time)),
                                 header.time});
        staged_.push_back({header.origin, header.first, header.last(), header.hash, header.time});
        behind_ = false;
        return {};
    }

    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        if (const std::error_code error = refuse()) return error;
        undo_.push_back(Replaced{held_});
        held_.snapshot = snapshot;
        held_.heads.clear();
        for (const Head& head : heads) {
            held_.heads[head.replica] = {head.counter, head.hash};
            auto& log = held_.logs[head.replica];
            if (!log.empty() && log.back().last < head.counter) log.clear();
        }
        if (const auto header = decode_snapshot_header(*snapshot)) held_.latest = std::max(held_.latest, header->time);
        return replaced();
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        if (const std::error_code error = refuse()) return error;
        undo_.push_back(Replaced{held_});
        for (const ReplicaCounter& upto : counters)
            if (const auto log = held_.logs.find(upto.replica); log != held_.logs.end())
                std::erase_if(log->second, [&](const Entry& entry) { return entry.first <= upto.counter; });
        return replaced();
    }

    std::error_code clear() {
        if (const std::error_code error = refuse()) return error;
        undo_.push_back(Replaced{held_});
        held_.logs.clear();
        held_.snapshot = nullptr;
        held_.heads.clear();
        return replaced();
    }

    std::error_code put(std::string_view key, ByteView value) {
        if (!powered_) return std::make_error_code(std::errc::io_error);
        auto& held = held_.values[std::string(key)];
        undo_.push_back(Put{std::string(key), std::exchange(held, Bytes(value.begin(), value.end()))});
        derive_lineage();
        return {};
    }

    std::error_code commit() {
        if (!powered_ || (failing_ && !undo_.empty())) return std::make_error_code(std::errc::io_error);
        if (late_ && full_ && !undo_.empty()) return std::make_error_code(std::errc::no_space_on_device);
        const PowerCut cut = undo_.empty() ? PowerCut::none : std::exchange(cut_, PowerCut::none);
        if (cut == PowerCut::before_commit) power_off(), throw PowerFailed{};
        undo_.clear();
        committed_.insert(committed_.end(), staged_.begin(), staged_.end());
        staged_.clear();
        adopted_ |= std::exchange(adopting_, false);
        if (late_) raise_durable(held_.tips), latest_durable_ = held_.latest;
        if (cut == PowerCut::after_commit) power_off(), throw PowerFailed{};
        return {};
    }

    // The same for a store whose commits take time: what was staged when one began is durable when it ends.

    void begin_commit(std::function<void(std::error_code)> done) {
        done_ = std::move(done);
        committing_ = undo_.size();
        committing_frames_ = staged_.size();
        ++commits_;
    }
    bool is_committing() const noexcept { return done_ != nullptr; }
    /// Which one it is.
    std::uint64_t commits() const noexcept { return commits_; }

    void end_commit() {
        const auto done = std::exchange(done_, nullptr);
        if (committing_ > 0 && (failing_ || full_))
            return done(std::make_error_code(full_ ? std::errc::no_space_on_device : std::errc::io_error));
        const PowerCut cut = committing_ == 0 ? PowerCut::none : std::exchange(cut_, PowerCut::none);
        if (cut == PowerCut::before_commit) power_off(), throw PowerFailed{};
        make_durable();
        if (cut == PowerCut::after_commit) power_off(), throw PowerFailed{};
        done({});
    }

    /// From now on commits take time; an append that a full disk has no room for is an error of its commit.
    void be_late() noexcept { late_ = true; }
    bool is_late() const noexcept { return late_; }
    /// Frames that wait to be committed.
    std::size_t waiting() const noexcept { return staged_.size(); }

    std::optional<Bytes> get(std::string_view key) const {
        const auto found = held_.values.find(key);
        return found == held_.values.end() ? std::nullopt : found->second;
    }

    const SharedBytes& snapshot() const { return held_.snapshot; }

    void replay(const FrameVisitor& visit) const {
        std::vector<const Entry*> all;
        for (const auto& [origin, log] : held_.logs)
            for (const Entry& entry : log) all.push_back(&entry);
        std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->sequence < b->sequence; });
        for (const Entry* entry : all)
            if (!visit(entry->bytes)) return;
    }

    bool frames(const CounterRange& range, const FrameVisitor& visit) const {
        const auto found = held_.logs.find(range.replica);
        if (found == held_.logs.end()) return false;
        const auto& log = found->second;
        if (log.empty() || range.first < log.front().first || range.first > log.back().last) return false;
        auto at =
            std::partition_point(log.begin(), log.end(), [&](const Entry& entry) { return entry.last < range.first; });
        for (; at != log.end() && at->first <= range.last; ++at)
            if (!visit(at->bytes)) break;
        return true;
    }

    // What befalls it.

    void fill_up(bool full) noexcept { full_ = full; }
    void fail_commits(bool failing) noexcept { failing_ = failing; }
    /// The next commit is the machine's last act.
    void cut_power_at_commit(PowerCut cut) noexcept { cut_ = cut; }

    /// What is not committed is gone; a commit under way has taken effect, or not.
    void power_off() {
        powered_ = false;
        if (std::exchange(done_, nullptr) && !failing_ && !full_ && commits_ % 2 == 0) make_durable();
        cut_ = PowerCut::none;
        for (; !undo_.empty(); undo_.pop_back()) std::visit([&](auto& change) { take_back(change); }, undo_.back());
        staged_.clear();
        adopting_ = false;
    }
    void power_on() noexcept {
        powered_ = true;
        behind_ = false;
        durable_ = held_.tips;
        latest_durable_ = held_.latest;
    }
    bool powered() const noexcept { return powered_; }

    void wipe() { replace({}); }
    /// Keeps a copy of what is there, for restore_backup().
    void make_backup() { backup_ = held_; }
    bool has_backup() const noexcept { return backup_.has_value(); }
    void restore_backup() { replace(*backup_); }
    void copy_from(const Disk& other) { replace(other.held_); }
    /// How often it was replaced by another: what it held before may be gone.
    std::uint64_t replaced() const noexcept { return replaced_; }

    // What oracles look at.

    /// The version vector of all that is held, staged changes included.
    const Tips& tips() const noexcept { return held_.tips; }
    Tip tip(const ReplicaId& origin) const {
        const auto found = held_.tips.find(origin);
        return found == held_.tips.end() ? Tip{} : found->second;
    }
    /// How much of an origin's history is durable, or was before another state took its place, where commits take time.
    std::uint64_t durable(const ReplicaId& origin) const {
        const auto found = durable_.find(origin);
        return found == durable_.end() ? 0 : found->second.counter;
    }
    /// Equal where the version vectors, the histories behind them and the lineages are equal.
    std::uint64_t vector_hash() const { return held_.vector_hash ^ held_.lineage; }
    /// The latest time of any frame held.
    Ntp64 latest() const noexcept { return held_.latest; }
    /// The same of what is durable.
    Ntp64 latest_durable() const noexcept { return late_ ? latest_durable_ : held_.latest; }
    /// Whether something was logged that is not durable yet.
    bool is_ahead() const noexcept { return !staged_.empty() || adopting_; }
    /// Whether the replica has merged something that this disk would not take.
    bool is_behind() const noexcept { return behind_; }
    /// What was wrongly asked of the store, if anything ever was.
    const char* wrong() const noexcept { return wrong_; }
    /// What a frame was that is durable.
    struct Committed {
        ReplicaId origin;
        std::uint64_t first;
        std::uint64_t last;
        std::uint64_t hash;
        Ntp64 time;
    };
    /// The frames committed since the last call, in order, and whether a state was.
    std::vector<Committed> take_committed() { return std::exchange(committed_, {}); }
    bool take_adopted() noexcept { return std::exchange(adopted_, false); }

   private:
    struct Entry {
        std::uint64_t first;
        std::uint64_t last;
        std::uint64_t sequence;
        std::uint64_t hash;
        SharedBytes bytes;
    };
    struct Contents {
        std::map<ReplicaId, std::deque<Entry>> logs;
        std::map<std::string, std::optional<Bytes>, std::less<>> values;
        SharedBytes snapshot;
        Tips heads;  // of the snapshot
        Tips tips;   // of that and the logs
        Ntp64 latest{};
        std::uint64_t sequence = 0;
        std::uint64_t vector_hash = 0;
        std::uint64_t lineage = 0;  // of the values
    };

    // How to take back a staged change.
    struct Appended {
        ReplicaId origin;
        Tip before;
        Tip after;
        Ntp64 latest;  // before
        Ntp64 time;
    };
    struct Replaced {
        Contents before;
        Tips after{};
        Ntp64 latest{};  // after
    };
    struct Put {
        std::string key;
        std::optional<Bytes> before;
    };

    std::error_code refuse() {
        if (powered_ && (!full_ || late_)) return {};
        behind_ = true;
        return std::make_error_code(full_ ? std::errc::no_space_on_device : std::errc::io_error);
    }

    std::error_code replaced() {
        derive_tips();
        auto& change = std::get<Replaced>(undo_.back());
        change.after = held_.tips;
        change.latest = held_.latest;
        adopting_ = true;  // nothing may tell of it before it is committed
        behind_ = false;
        return {};
    }

    void raise_durable(const Tips& tips) {
        for (const auto& [origin, tip] : tips)
            if (durable_[origin].counter < tip.counter) durable_[origin] = tip;
    }

    /// What was staged when the commit under way began.
    void make_durable() {
        const auto end = undo_.begin() + static_cast<std::ptrdiff_t>(committing_);
        for (auto at = undo_.begin(); at != end; ++at) {
            if (const auto* appended = std::get_if<Appended>(&*at)) {
                raise_durable({{appended->origin, appended->after}});
                latest_durable_ = std::max(latest_durable_, appended->time);
            } else if (auto* whole = std::get_if<Replaced>(&*at)) {
                raise_durable(whole->after);
                latest_durable_ = whole->latest;
                adopted_ = true;
            }
        }
        undo_.erase(undo_.begin(), end);
        const auto frames_end = staged_.begin() + static_cast<std::ptrdiff_t>(committing_frames_);
        committed_.insert(committed_.end(), staged_.begin(), frames_end);
        staged_.erase(staged_.begin(), frames_end);
        adopting_ = std::any_of(undo_.begin(), undo_.end(),
                                [](const auto& change) { return std::holds_alternative<Replaced>(change); });
    }

    void take_back(const Appended& change) {
        held_.logs[change.origin].pop_back();
        held_.latest = change.latest;
        move_tip(change.origin, change.before);
    }
    void replace(Contents held) {
        held_ = std::move(held);
        ++replaced_;
    }
    void take_back(Replaced& change) { held_ = std::move(change.before); }
    void take_back(Put& change) {
        held_.values[change.key] = std::move(change.before);
        derive_lineage();
    }

    void derive_lineage() {
        held_.lineage = 0;
        if (const auto kept = held_.values.find("lineage"); kept != held_.values.end() && kept->second)
            Input{*kept->second, kept->second->size()}(held_.lineage);
    }

    void derive_tips() {
        held_.tips = held_.heads;
        held_.vector_hash = 0;
        for (const auto& [origin, log] : held_.logs)
            if (!log.empty()) held_.tips[origin] = {log.back().last, log.back().hash};
        for (const auto& [origin, tip] : held_.tips) held_.vector_hash += share(origin, tip);
    }

    void move_tip(const ReplicaId& origin, const Tip& to) {
        Tip& tip = held_.tips[origin];
        held_.vector_hash += share(origin, to) - share(origin, tip);  // a sum, so that the order does not matter
        tip = to;
    }

    static std::uint64_t share(const ReplicaId& origin, const Tip& tip) {
        if (tip.counter == 0) return 0;
        return detail::mix(detail::mix(origin.owner_bits, origin.incarnation) ^ tip.counter, tip.hash);
    }

    Contents held_;
    std::uint64_t replaced_ = 0;
    std::vector<std::variant<Appended, Replaced, Put>> undo_;
    std::vector<Committed> staged_;
    std::vector<Committed> committed_;
    std::optional<Contents> backup_;
    const char* wrong_ = nullptr;
    PowerCut cut_ = PowerCut::none;
    bool behind_ = false;
    bool adopting_ = false;
    bool adopted_ = false;
    bool powered_ = true;
    bool full_ = false;
    bool failing_ = false;

    bool late_ = false;
    std::function<void(std::error_code)> done_;  // of the commit under way
    std::size_t committing_ = 0;                 // how much of what can be undone it makes durable
    std::size_t committing_frames_ = 0;
    std::uint64_t commits_ = 0;
    Tips durable_;
    Ntp64 latest_durable_{};
};

/// The Store policy over a Disk, which outlives it.
class SimulatedStore {
   public:
    explicit SimulatedStore(Disk& disk) : disk_(&disk) {}

    std::error_code append(const Frame& frame) { return disk_->append(frame); }
    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        return disk_->adopt(snapshot, heads);
    }
    std::error_code cut(const std::vector<ReplicaCounter>& counters) { return disk_->cut(counters); }
    std::error_code clear() { return disk_->clear(); }
    std::error_code put(std::string_view key, ByteView value) { return disk_->put(key, value); }
    std::error_code commit() { return disk_->commit(); }
    std::optional<Bytes> get(std::string_view key) const { return disk_->get(key); }
    SharedBytes snapshot() const { return disk_->snapshot(); }
    void replay(const FrameVisitor& visit) const { disk_->replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const { return disk_->frames(range, visit); }

   private:
    Disk* disk_;
};

static_assert(store<SimulatedStore>);

}  // namespace netsync::testing

// ---- netsync/testing/wall_clock.hpp ----

// netsync: the wall clock of a simulated machine: the virtual time, and what a fault makes of it.

namespace netsync::testing {

/// Shows the virtual time, which it only views, shifted or stopped.
class WallClock {
   public:
    /// The first virtual moment on every undisturbed clock: 2020-09-13.
    static constexpr std::chrono::nanoseconds epoch = std::chrono::seconds{1'600'000'000};

    WallClock(const Duration& now, Duration skew) : now_(&now), skew_(skew), offset_(skew) {}

    Ntp64 read() const noexcept { return Ntp64::from_duration(epoch + (stopped_at_ ? *stopped_at_ : *now_) + offset_); }

    void jump(Duration by) noexcept { offset_ = skew_ + by; }
    void stop() noexcept { stopped_at_ = *now_; }
    /// Runs again, right but for its usual skew, and `ahead`.
    void repair(Duration ahead = {}) noexcept {
        stopped_at_.reset();
        offset_ = skew_ + ahead;
    }

   private:
    const Duration* now_;
    Duration skew_;
    Duration offset_;
    std::optional<Duration> stopped_at_{};
};

/// Reads a machine's wall clock for a HybridClock, whose rules are the library's own.
class SimulatedTime {
   public:
    explicit SimulatedTime(const WallClock& wall) : wall_(&wall) {}
    Ntp64 operator()() const noexcept { return wall_->read(); }

   private:
    const WallClock* wall_;
};

using SimulatedClock = BasicHybridClock<SimulatedTime>;

static_assert(clock<SimulatedClock>);

}  // namespace netsync::testing

// ---- netsync/testing/machine.hpp ----

// netsync: what outlives a replica's process in a simulation: a name, a disk, a wall clock.

namespace netsync::testing {

struct Machine {
    Machine(std::size_t at, const Duration& now, Duration skew)
        : number(at), name("replica-" + std::to_string(at)), wall(now, skew) {}

    std::size_t number;
    std::string name;  ///< Options::name
    Disk disk{};
    WallClock wall;
    Ntp64 greatest_wall{};  ///< that its replica may have read
    ReplicaId replica{};    ///< of the process that runs, or ran last
    unsigned starts = 0;
    bool running = false;
};

}  // namespace netsync::testing

// ---- netsync/testing/trace.hpp ----

// netsync: what happened in a simulation. Events come in; a hash of all of them, the latest ones as text, and if asked
// a printed line each go out.

namespace netsync::testing {

/// What an event was. `machine` did it or met it.
enum class Happened : std::uint8_t {
    started,
    stopped,
    crashed,
    changed,
    sent,
    delivered,
    lost,
    duplicated,
    damaged,
    skipped,
    announced,
    dialed,
    opened,
    closed,
    woken,
    appended,
    adopted,
    committed,
    fault_begins,
    fault_ends,
    healing,
    failed,
};

constexpr std::string_view to_string(Happened what) noexcept {
    constexpr std::array<std::string_view, 22> names{
        "started", "stopped",   "crashed",      "changed",    "sent",    "delivered", "lost",  "duplicated",
        "damaged", "skipped",   "announced",    "dialed",     "opened",  "closed",    "woken", "appended",
        "adopted", "committed", "fault begins", "fault ends", "healing", "failed"};
    return names[static_cast<std::size_t>(what)];
}

/// Two runs with one hash did the same, byte for byte. Costs a few nanoseconds an event; text is made only when read.
class Trace {
   public:
    explicit Trace(bool print = false) : print_(print) {}

    void add(Duration time, Happened what, std::size_t machine, std::uint64_t first = 0, std::uint64_t second = 0) {
        const Entry entry{time, what, static_cast<std::uint32_t>(machine), first, second};
        hash_ = detail::mix(hash_ ^ static_cast<std::uint64_t>(time.count()),
                            (static_cast<std::uint64_t>(machine) << 8) | static_cast<std::uint64_t>(what));
        hash_ = detail::mix(hash_ ^ first, second);
        latest_[count_++ % latest_.size()] = entry;
        if (print_) std::fprintf(stderr, "%s\n", text_of(entry).c_str());
    }

    std::uint64_t hash() const noexcept { return hash_; }
    /// Events so far.
    std::uint64_t size() const noexcept { return count_; }

    /// The latest events, oldest first.
    std::vector<std::string> tail() const {
        std::vector<std::string> lines;
        for (std::uint64_t at = count_ < latest_.size() ? 0 : count_ - latest_.size(); at < count_; ++at)
            lines.push_back(text_of(latest_[at % latest_.size()]));
        return lines;
    }

   private:
    struct Entry {
        Duration time{};
        Happened what{};
        std::uint32_t machine = 0;
        std::uint64_t first = 0;
        std::uint64_t second = 0;
    };

    static std::string text_of(const Entry& entry) {
        std::array<char, 128> line{};
        const std::string_view what = to_string(entry.what);
        std::snprintf(line.data(), line.size(), "%12.6f  machine %-3u  %-12.*s  %llu %llx",
                      static_cast<double>(entry.time.count()) / 1e9, entry.machine, static_cast<int>(what.size()),
                      what.data(), static_cast<unsigned long long>(entry.first),
                      static_cast<unsigned long long>(entry.second));
        return line.data();
    }

    bool print_;
    std::uint64_t hash_ = 0;
    std::uint64_t count_ = 0;
    std::array<Entry, 48> latest_{};
};

}  // namespace netsync::testing

// ---- netsync/testing/network.hpp ----

// netsync: the network of a simulation, and its time. Messages, announcements and timers come in and go out, in virtual
// time, late, damaged or not at all, as the faults say; the same seed gives the same order.

namespace netsync::testing {

/// Something that the simulation itself does at a certain time; what it means is the simulation's business.
struct Task {
    std::uint32_t what = 0;
    std::uint64_t argument = 0;
};

/// Machines by number, links between them, one queue of events. With message faults a link loses, repeats and reorders;
/// without, it delivers once and in order or closes, and what is cut off on the way arrives when the cut is mended.
class Network {
   public:
    Network(std::size_t machines, std::uint64_t seed, Trace& trace)
        : trace_(trace), random_(seed), machines_(machines), cuts_(machines * machines),
          ports_change_(random_.below(2) == 0) {}

    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    const Duration& now() const noexcept { return now_; }
    std::size_t size() const noexcept { return machines_.size(); }

    // What the simulation does.

    /// Called with the machine before each message that it sends.
    void on_send(std::function<void(std::size_t, MessageKind, ByteView)> f) { on_send_ = std::move(f); }

    /// The message faults from now on.
    void set_faults(const Faults& faults) {
        faults_ = faults;
        lossy_ = faults.loss > 0 || faults.duplication > 0 || faults.reordering > 0 || faults.bit_flips > 0;
    }

    void schedule(Duration time, Task task) {
        push(time, {.kind = Kind::task, .what = task.what, .argument = task.argument});
    }

    /// What `step` did.
    struct Step {
        bool any = false;            ///< false: nothing is due
        std::size_t machine = none;  ///< whose replica was given an event
        std::optional<Task> task{};  ///< to be done by the caller
    };
    static constexpr std::size_t none = ~std::size_t{0};

    /// The next event that is due at `until` or before. Without one, it is `until` now.
    Step step(Duration until) {
        if (queue_.empty() || queue_.front().time > until) {
            now_ = std::max(now_, until);
            return {};
        }
        std::pop_heap(queue_.begin(), queue_.end(), Later{});
        const std::uint32_t slot = queue_.back().slot;
        now_ = std::max(now_, queue_.back().time);
        queue_.pop_back();
        Event event = std::move(events_[slot]);
        free_.push_back(slot);
        if (event.kind == Kind::task) return {true, none, Task{event.what, event.argument}};
        return {true, carry_out(event), {}};
    }

    /// Nothing that `from` says reaches `to`, until mended as often.
    void cut(std::size_t from, std::size_t to) { ++cuts_[from * size() + to]; }
    void mend(std::size_t from, std::size_t to) {
        if (--cuts_[from * size() + to] == 0) release_held(from, to);
    }

    /// Everything that `machine` is told waits until then.
    void pause(std::size_t machine, Duration until) {
        machines_[machine].paused_until = std::max(machines_[machine].paused_until, until);
    }
    bool is_paused(std::size_t machine) const { return machines_[machine].paused_until > now_; }
    void resume(std::size_t machine) { machines_[machine].paused_until = now_; }

    /// What `machine` receives takes its time; zero: as fast as ever.
    void limit_bandwidth(std::size_t machine, std::uint64_t bytes_per_second) {
        machines_[machine].bandwidth = bytes_per_second;
    }

    /// Both ends of the open links between two machines are told that they broke.
    void break_links(std::size_t a, std::size_t b) {
        for (std::size_t at = 0; at < links_.size(); ++at) {
            auto& ends = links_[at].ends;
            if (ends[0].closed || ends[1].closed) continue;
            if ((ends[0].machine == a && ends[1].machine == b) || (ends[0].machine == b && ends[1].machine == a))
                for (const std::uint8_t end : {std::uint8_t{0}, std::uint8_t{1}})
                    push(now_ + latency(), closing(at, end));
        }
    }

    /// The machine's process is gone; politely, its operating system ends its links, otherwise nobody is told.
    void crash(std::size_t machine, bool politely) {
        const std::uint32_t station = machines_[machine].station;
        if (station == 0) return;
        shut(station, politely);
    }

    bool is_up(std::size_t machine) const { return machines_[machine].station != 0; }

    /// Messages handed to links so far, by kind.
    const std::array<std::uint64_t, 256>& sent() const noexcept { return sent_; }
    /// When all will have arrived that is under way now: what a slow peer was sent may take a while.
    Duration latest_arrival() const {
        Duration latest = now_;
        for (const Connection& connection : links_)
            for (const End& end : connection.ends)
                if (!end.closed) latest = std::max(latest, end.last_arrival);
        return latest;
    }
    /// Digests that a machine began a round with.
    std::uint64_t rounds_of(std::size_t machine) const { return machines_[machine].rounds; }

    // What SimulatedTransport does.

    std::uint32_t open(std::size_t machine, std::size_t backlog, TransportEvents events) {
        const auto station = static_cast<std::uint32_t>(stations_.size());
        const auto port = static_cast<std::uint16_t>(ports_change_ ? 1000 + station % 60'000 : 1 + machine);
        stations_.push_back({machine, port, backlog, std::move(events)});
        machines_[machine].station = station;
        trace_.add(now_, Happened::started, machine, station);
        return station;
    }

    void shut(std::uint32_t station, bool politely) {
        Station& here = stations_[station];
        if (!here.open) return;
        here.open = false;
        trace_.add(now_, Happened::stopped, here.machine, station);
        if (machines_[here.machine].station == station) machines_[here.machine].station = 0;
        for (const std::size_t at : here.links) {
            auto& ends = links_[at].ends;
            const std::uint8_t mine = ends[0].station == station ? 0 : 1;
            if (ends[mine].closed) continue;
            ends[mine].closed = true;
            if (politely) tell_closed(at, other(mine));
        }
    }

    void wake_at(std::uint32_t station, Duration time) {
        push(std::max(time, now_), {.kind = Kind::wake, .station = station, .argument = ++stations_[station].wake});
    }

    void announce(std::uint32_t from, ByteView bytes) {
        if (!stations_[from].open) return;
        const std::size_t machine = stations_[from].machine;
        const auto message = SharedBytes{bytes};
        trace_.add(now_, Happened::announced, machine, bytes.size());
        for (std::size_t to = 0; to < size(); ++to)
            if (to != machine && !is_cut(machine, to) && random_.below(1000) >= faults_.loss) {
                const Duration when = now_ + latency();  // first, whatever order a compiler likes
                push(when, {.kind = Kind::announcement,
                            .station = static_cast<std::uint32_t>(to),
                            .argument = machine,
                            .bytes = maybe_damaged(message, to)});
            }
    }

    Link dial(std::uint32_t from, const Endpoint& endpoint) {
        const std::size_t at = links_.size();
        const std::size_t machine = stations_[from].machine, to = machine_of(endpoint.host);
        const std::uint32_t station = to < size() ? machines_[to].station : 0;
        links_.push_back({});
        auto& ends = links_[at].ends;
        ends[0] = {.station = from, .machine = machine};
        trace_.add(now_, Happened::dialed, machine, at, to);
        const bool refused = station == 0 || station == from || stations_[station].port != endpoint.port;
        if (refused || is_cut(machine, to) || is_cut(to, machine)) {
            ends[1].closed = true;
            push(now_ + (refused ? latency() : dial_timeout), closing(at, 0));
            return Link{at + 1};
        }
        ends[1] = {.station = station, .machine = to};
        stations_[from].links.push_back(at);
        stations_[station].links.push_back(at);
        ends[1].last_arrival = now_ + latency();
        ends[0].last_arrival = ends[1].last_arrival + latency();
        push(ends[1].last_arrival, {.kind = Kind::opened, .end = 1, .link = at});
        push(ends[0].last_arrival, {.kind = Kind::opened, .end = 0, .link = at});
        return Link{at + 1};
    }

    bool send(std::uint32_t from, Link link, SharedBytes message) {
        if (link == Link{}) return true;
        const std::size_t at = static_cast<std::size_t>(link) - 1;
        auto& ends = links_[at].ends;
        const std::uint8_t mine = ends[0].station == from ? 0 : 1;
        if (!stations_[from].open || ends[mine].closed) return true;
        End& there = ends[other(mine)];
        const std::size_t machine = ends[mine].machine;
        Duration arrival = now_ + latency();
        if (const std::uint64_t bandwidth = machines_[there.machine].bandwidth; bandwidth > 0) {
            const Duration queued = std::max(Duration{0}, there.busy_until - now_);
            const auto waiting = static_cast<std::uint64_t>(queued.count()) / 1000 * bandwidth / 1'000'000;
            if (waiting > stations_[from].backlog) return trace_.add(now_, Happened::skipped, machine, at), false;
            const std::uint64_t takes = message->size() * 1'000'000'000 / bandwidth;
            there.busy_until = std::max(there.busy_until, now_) + Duration{static_cast<std::int64_t>(takes)};
            arrival += there.busy_until - now_;
        }
        const MessageKind kind = *kind_of(*message);
        ++sent_[static_cast<std::size_t>(kind)];
        if (on_send_) on_send_(machine, kind, *message);
        if (begins_round(*message)) ++machines_[machine].rounds;
        trace_.add(now_, Happened::sent, machine, at, message->size());
        if (lossy_)
            send_lossily(at, other(mine), arrival, message);
        else
            send_in_order(at, other(mine), arrival, std::move(message));
        return true;
    }

    void close(std::uint32_t from, Link link) {
        if (link == Link{}) return;
        const std::size_t at = static_cast<std::size_t>(link) - 1;
        auto& ends = links_[at].ends;
        const std::uint8_t mine = ends[0].station == from ? 0 : 1;
        if (std::exchange(ends[mine].closed, true) || !stations_[from].open) return;
        tell_closed(at, other(mine));
    }

    std::uint16_t port(std::uint32_t station) const { return stations_[station].port; }
    std::uint64_t entropy() { return random_.next(); }

   private:
    enum class Kind : std::uint8_t { task, wake, announcement, opened, message, closed };

    struct Event {
        Kind kind{};
        std::uint8_t end = 0;       // of the link: who is told
        std::uint32_t what = 0;     // of a task
        std::uint32_t station = 0;  // of a wake; of an announcement the machine
        std::size_t link = 0;
        std::uint64_t argument = 0;  // of a task; the number of a wake; of an announcement the machine it is from
        SharedBytes bytes{};
    };
    struct Due {
        Duration time;
        std::uint64_t sequence;
        std::uint32_t slot;
    };
    struct Later {
        bool operator()(const Due& a, const Due& b) const noexcept {
            return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
        }
    };

    struct Station {
        std::size_t machine = 0;
        std::uint16_t port = 0;
        std::size_t backlog = 0;
        TransportEvents events{};
        std::vector<std::size_t> links{};
        std::uint64_t wake = 0;  // the number of the wake that counts
        bool open = true;
    };
    struct Machine {
        std::uint32_t station = 0;
        Duration paused_until{};
        std::uint64_t bandwidth = 0;
        std::uint64_t rounds = 0;
    };
    struct End {
        std::uint32_t station = 0;
        std::size_t machine = 0;
        bool closed = false;
        Duration last_arrival{};  // of what is under way to this end
        Duration busy_until{};
        std::vector<Event> held{};  // cut off on the way
    };
    struct Connection {
        std::array<End, 2> ends{};
    };

    static std::uint8_t other(std::uint8_t end) noexcept { return end == 0 ? 1 : 0; }
    static Event closing(std::size_t link, std::uint8_t end) {
        return {.kind = Kind::closed, .end = end, .link = link};
    }

    static std::string host_of(std::size_t machine) { return "machine-" + std::to_string(machine); }
    static std::size_t machine_of(const std::string& host) {
        std::size_t machine = 0;
        if (host.size() < 9 || host.size() > 12) return none;
        for (const char digit : std::string_view{host}.substr(8))
            machine = machine * 10 + static_cast<std::size_t>(digit - '0');
        return machine;
    }

    static bool begins_round(ByteView message) {
        if (kind_of(message) != MessageKind::digest) return false;
        const auto digest = decode_message<DigestMessage>(message);
        return digest && !digest->answer;
    }

    bool is_cut(std::size_t from, std::size_t to) const { return cuts_[from * size() + to] > 0; }

    Duration latency() {
        const auto width = std::max<Duration>(std::chrono::milliseconds{2}, faults_.delay).count();
        return Duration{200'000 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(width)))};
    }

    void push(Duration time, Event event) {
        std::uint32_t slot = 0;
        if (free_.empty()) {
            slot = static_cast<std::uint32_t>(events_.size());
            events_.push_back(std::move(event));
        } else {
            slot = free_.back();
            free_.pop_back();
            events_[slot] = std::move(event);
        }
        queue_.push_back({time, ++sequence_, slot});
        std::push_heap(queue_.begin(), queue_.end(), Later{});
    }

    void send_in_order(std::size_t at, std::uint8_t end, Duration arrival, SharedBytes message) {
        End& there = links_[at].ends[end];
        there.last_arrival = std::max(arrival, there.last_arrival);
        push(there.last_arrival, {.kind = Kind::message, .end = end, .link = at, .bytes = std::move(message)});
    }

    void send_lossily(std::size_t at, std::uint8_t end, Duration arrival, const SharedBytes& message) {
        End& there = links_[at].ends[end];
        const bool twice = random_.below(1000) < faults_.duplication;
        for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
            if (random_.below(1000) < faults_.loss) {
                trace_.add(now_, Happened::lost, there.machine, at, message->size());
                continue;
            }
            if (copy > 0) trace_.add(now_, Happened::duplicated, there.machine, at, message->size());
            const bool late = copy > 0 || random_.below(1000) < faults_.reordering;
            Duration when = std::max(arrival, there.last_arrival);
            if (late)
                for (int hop = 0; hop < 4; ++hop) when += latency();
            else
                there.last_arrival = when;
            push(when, {.kind = Kind::message, .end = end, .link = at, .bytes = maybe_damaged(message, there.machine)});
        }
    }

    SharedBytes maybe_damaged(const SharedBytes& message, std::size_t machine) {
        if (faults_.bit_flips == 0 || random_.below(1000) >= faults_.bit_flips) return message;
        Bytes damaged(message->begin(), message->end());
        for (std::uint64_t flips = 1 + random_.below(3); flips > 0; --flips)
            damaged[random_.below(damaged.size())] ^= std::byte{1} << random_.below(8);
        trace_.add(now_, Happened::damaged, machine, message->size());
        return SharedBytes{std::move(damaged)};
    }

    void tell_closed(std::size_t at, std::uint8_t end) {
        End& there = links_[at].ends[end];
        if (there.closed) return;
        there.last_arrival = std::max(now_ + latency(), there.last_arrival);
        push(there.last_arrival, closing(at, end));
    }

    /// What was cut off goes on, in its order.
    void release_held(std::size_t from, std::size_t to) {
        for (std::size_t at = 0; at < links_.size(); ++at)
            for (const std::uint8_t end : {std::uint8_t{0}, std::uint8_t{1}}) {
                auto& ends = links_[at].ends;
                if (ends[end].held.empty() || ends[end].machine != to || ends[other(end)].machine != from) continue;
                for (Event& event : std::exchange(ends[end].held, {})) push(now_, std::move(event));
            }
    }

    /// The machine whose replica was told of it; none where nobody was.
    std::size_t carry_out(Event& event) {
        if (event.kind == Kind::wake) {
            const Station& station = stations_[event.station];
            if (!station.open || station.wake != event.argument) return none;
            if (is_paused(station.machine)) return wait(station.machine, event);
            return give(station.machine, Happened::woken, 0, 0, Woken{});
        }
        if (event.kind == Kind::announcement) {
            const std::size_t to = event.station;
            if (!is_up(to)) return none;
            if (is_paused(to)) return wait(to, event);
            return give(to, Happened::delivered, event.argument, hash_of(*event.bytes),
                        AnnouncementReceived{host_of(event.argument), *event.bytes});
        }
        return carry_out_on_link(event);
    }

    std::size_t carry_out_on_link(Event& event) {
        auto& ends = links_[event.link].ends;
        End& there = ends[event.end];
        const End& from = ends[other(event.end)];
        const Link link{event.link + 1};
        if (there.closed || !stations_[there.station].open) {
            // The operating system answers for a process that is gone; for a machine that is gone nobody does.
            if (event.kind == Kind::message && !from.closed && !is_cut(there.machine, from.machine))
                push(now_ + (is_up(there.machine) ? latency() : connection_timeout),
                     closing(event.link, other(event.end)));
            return none;
        }
        if (is_paused(there.machine)) return wait(there.machine, event);
        const bool dial_failed = from.station == 0;
        if (event.kind != Kind::opened && !dial_failed && is_cut(from.machine, there.machine)) {
            if (!lossy_)
                there.held.push_back(std::move(event));
            else
                trace_.add(now_, Happened::lost, there.machine, event.link);
            return none;
        }
        const std::uint64_t where = event.link * 2 + event.end;
        switch (event.kind) {
        case Kind::opened: {
            const Endpoint peer{host_of(from.machine),
                                event.end == 0 ? stations_[from.station].port : std::uint16_t{0}};
            return give(there.machine, Happened::opened, where, 0, LinkOpened{link, event.end == 0, peer});
        }
        case Kind::closed:
            there.closed = true;
            return give(there.machine, Happened::closed, where, 0,
                        LinkClosed{link, std::make_error_code(std::errc::connection_reset)});
        default:
            return give(there.machine, Happened::delivered, where, hash_of(*event.bytes),
                        MessageReceived{link, *event.bytes});
        }
    }

    static std::uint64_t hash_of(ByteView bytes) { return detail::hash_bytes(bytes.data(), bytes.size()); }

    std::size_t wait(std::size_t machine, Event& event) {
        push(machines_[machine].paused_until, std::move(event));
        return none;
    }

    std::size_t give(std::size_t machine, Happened what, std::uint64_t first, std::uint64_t second,
                     const TransportEvent& told) {
        trace_.add(now_, what, machine, first, second);
        stations_[machines_[machine].station].events(told);
        return machine;
    }

    static constexpr Duration dial_timeout = std::chrono::seconds{3};
    static constexpr Duration connection_timeout = std::chrono::seconds{20};

    Trace& trace_;
    detail::Random random_;
    std::function<void(std::size_t, MessageKind, ByteView)> on_send_;
    Duration now_{};
    Faults faults_{};
    bool lossy_ = false;
    std::vector<Due> queue_;
    std::vector<Event> events_;
    std::vector<std::uint32_t> free_;
    std::uint64_t sequence_ = 0;
    std::deque<Station> stations_{Station{.open = false}};  // 0: none
    std::vector<Machine> machines_;
    std::vector<Connection> links_;
    std::vector<unsigned> cuts_;  // from * size + to
    std::array<std::uint64_t, 256> sent_{};
    bool ports_change_;
};

/// The Transport policy of a simulated machine; the network outlives it.
class SimulatedTransport {
   public:
    SimulatedTransport(Network& network, std::size_t machine) : network_(&network), machine_(machine) {}

    std::error_code start(const Options& options, TransportEvents events) {
        station_ = network_->open(machine_, options.limits.backlog, std::move(events));
        return {};
    }
    void stop() { network_->shut(std::exchange(station_, 0), true); }
    Duration now() const { return network_->now(); }
    void wake_at(Duration time) { network_->wake_at(station_, time); }
    void announce(ByteView bytes) { network_->announce(station_, bytes); }
    Link dial(const Endpoint& endpoint) { return network_->dial(station_, endpoint); }
    bool send(Link link, SharedBytes message) { return network_->send(station_, link, std::move(message)); }
    void close(Link link) { network_->close(station_, link); }
    std::uint16_t port() const { return network_->port(station_); }
    std::uint64_t entropy() { return network_->entropy(); }

   private:
    Network* network_;
    std::size_t machine_;
    std::uint32_t station_ = 0;
};

static_assert(transport<SimulatedTransport>);

}  // namespace netsync::testing

// ---- netsync/testing/fault_injector.hpp ----

// netsync: what goes wrong, and when. The faults of a seed come in; partitions, crashes, bad disks and bad clocks go out to
// the network and the machines, and end again.

namespace netsync::testing {

/// Each kind of fault has a stream of randomness of its own: without one kind the others come as before.
class FaultInjector {
   public:
    /// Tasks from here on are this class's.
    static constexpr std::uint32_t first_task = 100;

    /// `crash(machine, politely)`: its process is gone. `start(machine)`: it runs again, on what its disk holds.
    /// `reused(machine)`: what the machine's disk held is gone or stands on another machine, too.
    struct Hooks {
        std::function<void(std::size_t, bool)> crash;
        std::function<void(std::size_t)> start;
        std::function<void(std::size_t)> reused;
    };

    FaultInjector(const Faults& faults, std::uint64_t seed, Network& network, std::deque<Machine>& machines,
                  Trace& trace, Hooks hooks)
        : network_(network), machines_(machines), trace_(trace), hooks_(std::move(hooks)), random_(seed) {
        const std::vector<std::pair<Duration, Fault>> kinds{{faults.broken_links, &FaultInjector::broken_link},
                                                            {faults.flapping, &FaultInjector::flapping},
                                                            {faults.partitions, &FaultInjector::partition},
                                                            {faults.one_way_partitions, &FaultInjector::one_way},
                                                            {faults.slow_peers, &FaultInjector::slow_peer},
                                                            {faults.pauses, &FaultInjector::pause},
                                                            {faults.crashes, &FaultInjector::crash},
                                                            {faults.full_disks, &FaultInjector::full_disk},
                                                            {faults.io_errors, &FaultInjector::io_errors},
                                                            {faults.clock_jumps, &FaultInjector::clock_jump},
                                                            {faults.wiped_disks, &FaultInjector::wiped_disk},
                                                            {faults.restored_backups, &FaultInjector::restored_backup},
                                                            {faults.clones, &FaultInjector::clone}};
        for (const auto& [every, fault] : kinds)
            kinds_.push_back({every, fault, detail::Random{detail::mix(seed, kinds_.size())}});
    }

    /// From now on things go wrong.
    void begin() {
        active_ = true;
        for (std::size_t kind = 0; kind < kinds_.size(); ++kind) plan(kind);
    }

    void on_task(const Task& task) {
        if (task.what == end_task) return end(task.argument);
        if (!active_) return;
        Kind& kind = kinds_[task.argument];
        trace_.add(network_.now(), Happened::fault_begins, 0, task.argument);
        (this->*kind.fault)(kind.random);
        plan(task.argument);
    }

    /// Everything ends now, and nothing begins any more.
    void heal() {
        active_ = false;
        for (std::size_t at = 0; at < episodes_.size(); ++at) end(at);
        for (Machine& machine : machines_) machine.disk.cut_power_at_commit(PowerCut::none);
    }

    /// A power cut has stopped the machine: it starts again after a while.
    void on_power_cut(std::size_t machine) {
        restart_after(between(random_, std::chrono::milliseconds{10}, std::chrono::seconds{15}), machine);
    }

   private:
    using Fault = void (FaultInjector::*)(detail::Random&);
    struct Kind {
        Duration every;
        Fault fault;
        detail::Random random;
    };

    static constexpr std::uint32_t begin_task = first_task;
    static constexpr std::uint32_t end_task = first_task + 1;

    static Duration between(detail::Random& random, std::chrono::milliseconds least, std::chrono::milliseconds most) {
        return least + Duration{static_cast<std::int64_t>(
                           random.below(static_cast<std::uint64_t>(Duration{most - least}.count())))};
    }

    void plan(std::size_t kind) {
        if (kinds_[kind].every == Duration{}) return;
        const auto bound = static_cast<std::uint64_t>(2 * kinds_[kind].every.count());
        const Duration wait{static_cast<std::int64_t>(kinds_[kind].random.below(bound))};
        network_.schedule(network_.now() + wait, {begin_task, kind});
    }

    /// `undo` runs when `time` has passed, or when everything heals.
    void until(Duration time, std::function<void()> undo) {
        episodes_.push_back(std::move(undo));
        network_.schedule(network_.now() + time, {end_task, episodes_.size() - 1});
    }

    void end(std::size_t episode) {
        if (const auto undo = std::exchange(episodes_[episode], nullptr)) {
            trace_.add(network_.now(), Happened::fault_ends, 0, episode);
            undo();
        }
    }

    std::size_t any_machine(detail::Random& random) { return random.below(machines_.size()); }

    std::pair<std::size_t, std::size_t> any_pair(detail::Random& random) {
        const std::size_t a = any_machine(random), b = random.below(machines_.size() - 1);
        return {a, b < a ? b : b + 1};
    }

    void broken_link(detail::Random& random) {
        if (machines_.size() < 2) return;
        const auto [a, b] = any_pair(random);
        network_.break_links(a, b);
    }

    void flapping(detail::Random& random) {
        if (machines_.size() < 2) return;
        const auto pair = any_pair(random);
        const Duration end = between(random, std::chrono::seconds{3}, std::chrono::seconds{10});
        for (Duration at{}; at < end;
             at += between(random, std::chrono::milliseconds{100}, std::chrono::milliseconds{900}))
            until(at, [this, pair] { network_.break_links(pair.first, pair.second); });
    }

    /// One random part of the machines, of any size.
    std::vector<bool> any_part(detail::Random& random) {
        std::vector<bool> inside(machines_.size());
        for (std::size_t at = 0; at < inside.size(); ++at) inside[at] = random.below(2) == 0;
        return inside;
    }

    void cut(detail::Random& random, bool both_ways) {
        const std::vector<bool> inside = any_part(random);
        const auto for_each_pair = [inside, both_ways](auto&& f) {
            for (std::size_t from = 0; from < inside.size(); ++from)
                for (std::size_t to = 0; to < inside.size(); ++to)
                    if (inside[from] != inside[to] && (both_ways || inside[from])) f(from, to);
        };
        for_each_pair([this](std::size_t from, std::size_t to) { network_.cut(from, to); });
        until(between(random, std::chrono::seconds{1}, std::chrono::seconds{25}), [this, for_each_pair] {
            for_each_pair([this](std::size_t from, std::size_t to) { network_.mend(from, to); });
        });
    }
    void partition(detail::Random& random) { cut(random, true); }
    void one_way(detail::Random& random) { cut(random, false); }

    void slow_peer(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        network_.limit_bandwidth(machine, 200 + random.below(2000));
        until(between(random, std::chrono::seconds{2}, std::chrono::seconds{20}),
              [this, machine] { network_.limit_bandwidth(machine, 0); });
    }

    void pause(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        const Duration time = between(random, std::chrono::milliseconds{50}, std::chrono::seconds{8});
        network_.pause(machine, network_.now() + time);
        until(time, [this, machine] { network_.resume(machine); });
    }

    void restart_after(Duration time, std::size_t machine) {
        until(time, [this, machine] {
            if (!network_.is_up(machine)) hooks_.start(machine);
        });
    }

    void crash(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        const Duration down = between(random, std::chrono::milliseconds{10}, std::chrono::seconds{15});
        Machine& it = machines_[machine];
        switch (random.below(5)) {
        case 0: return it.disk.cut_power_at_commit(PowerCut::before_commit);
        case 1: return it.disk.cut_power_at_commit(PowerCut::after_commit);
        case 2:  // its battery is empty, too
            it.wall.jump(-between(random, std::chrono::seconds{1}, std::chrono::hours{1}));
            [[fallthrough]];
        default: hooks_.crash(machine, random.below(2) == 0); break;
        }
        restart_after(down, machine);
    }

    void full_disk(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        machines_[machine].disk.fill_up(true);
        until(between(random, std::chrono::milliseconds{100}, std::chrono::seconds{8}),
              [this, machine] { machines_[machine].disk.fill_up(false); });
    }

    void io_errors(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        machines_[machine].disk.fail_commits(true);
        until(between(random, std::chrono::milliseconds{100}, std::chrono::seconds{8}),
              [this, machine] { machines_[machine].disk.fail_commits(false); });
    }

    void clock_jump(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        WallClock& wall = machines_[machine].wall;
        switch (random.below(6)) {
        case 0: wall.jump(std::chrono::hours{24 * 3652}); break;
        case 1: wall.jump(std::chrono::hours{1}); break;
        case 2: wall.jump(-std::chrono::hours{1}); break;
        case 3: wall.stop(); break;
        default: wall.jump(between(random, std::chrono::milliseconds{-2000}, std::chrono::milliseconds{2000})); break;
        }
        until(between(random, std::chrono::seconds{1}, std::chrono::seconds{30}), [&wall] { wall.repair(); });
    }

    /// Stops a machine, does something to its disk, and starts it again after a while.
    template <class F>
    void with_disk_out(std::size_t machine, Duration down, F&& change) {
        hooks_.crash(machine, false);
        hooks_.reused(machine);
        change(machines_[machine].disk);
        restart_after(down, machine);
    }

    void wiped_disk(detail::Random& random) {
        const std::size_t machine = any_machine(random);  // first, whatever order a compiler likes
        const Duration down = between(random, std::chrono::milliseconds{100}, std::chrono::seconds{5});
        with_disk_out(machine, down, [](Disk& disk) { disk.wipe(); });
    }

    /// Now a backup is made, now one is restored.
    void restored_backup(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        const Duration down = between(random, std::chrono::milliseconds{100}, std::chrono::seconds{5});
        Machine& it = machines_[machine];
        if (!it.disk.has_backup()) return it.disk.make_backup();
        with_disk_out(machine, down, [](Disk& disk) { disk.restore_backup(); });
    }

    void clone(detail::Random& random) {
        if (machines_.size() < 2) return;
        const auto [original, copy] = any_pair(random);
        const Duration down = between(random, std::chrono::milliseconds{100}, std::chrono::seconds{5});
        hooks_.reused(original);
        with_disk_out(copy, down, [&, from = original, to = copy](Disk& disk) {
            disk.copy_from(machines_[from].disk);
            machines_[to].name = machines_[from].name;
            machines_[to].replica = machines_[from].replica;
            machines_[to].greatest_wall = std::max(machines_[to].greatest_wall, machines_[from].greatest_wall);
        });
    }

    Network& network_;
    std::deque<Machine>& machines_;
    Trace& trace_;
    Hooks hooks_;
    detail::Random random_;  // of restarts
    std::vector<Kind> kinds_;
    std::vector<std::function<void()>> episodes_;
    bool active_ = false;
};

}  // namespace netsync::testing

// ---- netsync/testing/late_store.hpp ----

// netsync: an asynchronous store in a simulation. Commits begin when the replica says so and end later, in virtual time;
// calls never wait for them.

namespace netsync::testing {

/// The Store policy over a Disk whose commits take up to `most`, as a SqliteStore's do: what is staged meanwhile waits for
/// the next one, a power cut takes it, and of the commit under way all or nothing.
class LateStore {
   public:
    /// The task that ends a machine's commit; its argument: see `ends`.
    static constexpr std::uint32_t task = 50;

    LateStore(Machine& machine, Network& network, Duration most, std::uint64_t seed)
        : machine_(&machine), network_(&network), most_(most), random_(seed) {
        disk().be_late();
    }

    std::error_code append(const Frame& frame) { return disk().append(frame); }
    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        return disk().adopt(snapshot, heads);
    }
    std::error_code cut(const std::vector<ReplicaCounter>& counters) { return disk().cut(counters); }
    std::error_code clear() { return disk().clear(); }
    std::error_code put(std::string_view key, ByteView value) { return disk().put(key, value); }
    std::error_code commit() {
        while (disk().is_committing()) disk().end_commit();
        return disk().commit();
    }
    void commit_later(std::function<void(std::error_code)> done) {
        disk().begin_commit(std::move(done));
        const auto takes = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most_.count())));
        network_->schedule(network_->now() + Duration{takes},
                           {task, disk().commits() * max_machines + machine_->number});
    }
    bool is_behind() const { return disk().waiting() > most_waiting; }

    std::optional<Bytes> get(std::string_view key) const { return disk().get(key); }
    SharedBytes snapshot() const { return disk().snapshot(); }
    void replay(const FrameVisitor& visit) const { disk().replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const { return disk().frames(range, visit); }

    /// The machine whose commit a task ends.
    static std::size_t machine_of(std::uint64_t argument) noexcept { return argument % max_machines; }
    /// Whether that commit is still under way.
    static bool ends(const Machine& machine, std::uint64_t argument) noexcept {
        return machine.disk.is_committing() && machine.disk.commits() == argument / max_machines;
    }

   private:
    static constexpr std::uint64_t max_machines = 1u << 16;
    static constexpr std::size_t most_waiting = 64;  // frames

    Disk& disk() const noexcept { return machine_->disk; }

    Machine* machine_;
    Network* network_;
    Duration most_;
    detail::Random random_;
};

static_assert(asynchronous_store<LateStore>);

}  // namespace netsync::testing

// ---- netsync/testing/oracles.hpp ----

// netsync: what must hold, whatever goes wrong. What replicas log, send, hold and report comes in; the first thing that
// must not be is kept.

namespace netsync::testing {

/// What must not be, and how to see it again.
struct Failure {
    std::string oracle;  ///< its name
    std::string words;
    Duration time{};  ///< virtual
    std::size_t machine = 0;
    std::string options;             ///< SimulationOptions, to be copied into a test
    std::vector<std::string> trace;  ///< the latest events
};

/// The judges of a simulation. They read disks, messages and reports only, so they hold for any CrdtType.
class Oracles {
   public:
    Oracles(const std::deque<Machine>& machines, const Network& network, Trace& trace)
        : machines_(machines), network_(network), trace_(trace), held_by_(network.size()) {}

    const std::optional<Failure>& failure() const noexcept { return failure_; }

    void fail(std::string oracle, std::size_t machine, std::string words) {
        if (failure_) return;
        trace_.add(network_.now(), Happened::failed, machine);
        failure_ = Failure{std::move(oracle), std::move(words), network_.now(), machine, {}, trace_.tail()};
    }

    /// bookkeeping: a replica that has just started holds what its disk holds.
    void on_started(std::size_t machine, const Report& report) {
        held_by_[machine] = machines_[machine].disk.latest();
        check_heads(machine, report, "at its start");
    }

    /// A machine's disk was replaced, so that what only it held is gone and its id may be in use twice; or its replica
    /// took a new incarnation.
    void on_identity_reused(const ReplicaId& replica) {
        reused_.insert(replica);
        acknowledged_.erase(replica);
    }

    /// Ids that were given up, or are in use twice: their counters may name different changes, issued again under others.
    const std::set<ReplicaId>& reused() const noexcept { return reused_; }

    /// durable before visible: nothing that tells of a change is sent before the change is committed.
    void on_sent(std::size_t machine, MessageKind kind, ByteView bytes) {
        const Disk& disk = machines_[machine].disk;
        if (disk.is_late()) return check_told(machine, kind, bytes);
        if (kind < MessageKind::update && kind != MessageKind::greeting && kind != MessageKind::handshake) return;
        if (disk.is_ahead())
            fail("durable before visible", machine, "a message tells of changes that are not committed");
    }

    /// Looks at what the machine's replica has committed in this step.
    void on_committed(std::size_t machine, Disk& disk, Duration max_drift) {
        if (disk.wrong()) fail("log", machine, disk.wrong());
        const bool adopted = disk.take_adopted();
        const Machine& here = machines_[machine];
        const Ntp64 latest_allowed{here.greatest_wall.value +
                                   Ntp64::from_duration(max_drift + std::chrono::milliseconds{1}).value};
        for (const Disk::Committed& frame : disk.take_committed()) {
            check_unique(machine, frame);
            if (frame.time > latest_allowed)
                fail("clock", machine, "a stamp lies further ahead of every clock reading than max_drift");
            if (frame.origin == here.replica) check_own(machine, frame, adopted);
            held_by_[machine] = std::max(held_by_[machine], frame.time);
        }
        if (!adopted) return;
        held_by_[machine] = std::max(held_by_[machine], disk.latest_durable());
        if (disk.latest_durable() > latest_allowed)
            fail("clock", machine, "a state was adopted whose stamps lie further ahead than max_drift");
    }

    /// equality: equal version vectors, equal states.
    void on_digest(std::size_t machine, std::uint64_t vector_hash, std::uint64_t digest) {
        const auto [held, is_new] = digests_.emplace(vector_hash, digest);
        if (!is_new && held->second != digest)
            fail("equality", machine, "two replicas with equal version vectors have different states");
    }

    /// bookkeeping, bounds: what a replica says of itself agrees with its disk and its limits.
    void on_report(std::size_t machine, const Report& report, const Limits& limits) {
        check_heads(machine, report, "in its report");
        const auto bound = [&](const char* what, std::size_t count, std::size_t most) {
            if (count > most)
                fail("bounds", machine,
                     std::string(what) + ": " + std::to_string(count) + ", at most " + std::to_string(most));
        };
        bound("buffered frames", report.buffered_frames, limits.buffered_frames);
        bound("buffered bytes", report.buffered_bytes, limits.buffered_bytes);
        bound("members", report.members.size(), limits.members);
        bound("version vector", report.heads.size(), limits.replicas);
        bound("reports of rounds", report.syncs.size(), 64);
    }

    /// membership: in the end nobody is there under an id that was given up.
    void check_retired(std::size_t machine, const Report& report) {
        Retirements retired;
        retired.merge(report.retired, report.retired.size());
        if (retired.contains(report.replica)) fail("membership", machine, "a replica goes on that was retired");
    }

    /// acknowledged: what was committed here once is everywhere in the end.
    void check_acknowledged() {
        for (const auto& [replica, counter] : acknowledged_)
            for (const Machine& machine : machines_)
                if (machine.disk.tip(replica).counter < counter)
                    fail("acknowledged", machine.number,
                         "change " + std::to_string(counter) + " of " + to_string(replica) + " is not here");
    }

    /// ends: between equal replicas only keepalives and digests travel.
    void check_quiet(const std::array<std::uint64_t, 256>& before, Duration time, Duration least_interval) {
        const auto sent = [&](MessageKind kind) {
            const auto at = static_cast<std::size_t>(kind);
            return network_.sent()[at] - before[at];
        };
        for (const MessageKind kind : {MessageKind::update, MessageKind::heads, MessageKind::fetch, MessageKind::frames,
                                       MessageKind::state_request, MessageKind::state_chunk})
            if (sent(kind) > 0)
                fail("ends", 0, "equal replicas still send messages of kind " + std::to_string(static_cast<int>(kind)));
        const auto rounds = static_cast<std::uint64_t>(time / least_interval) + 1;
        if (sent(MessageKind::digest) > 2 * rounds * machines_.size())
            fail("ends", 0, "equal replicas compare digests more often than they gossip");
    }

    /// ends: the rounds that a repair took, once all were linked with all. `more`: that begin while it waits for disks.
    void check_rounds(std::uint64_t rounds, std::uint64_t more) {
        const auto most = static_cast<std::uint64_t>(2 * std::bit_width(machines_.size() - 1) + 4) + more;
        if (rounds > most)
            fail("ends", 0,
                 "a repair took " + std::to_string(rounds) + " gossip rounds, at most " + std::to_string(most));
    }

   private:
    /// What a message tells of histories, where others may wait for a commit while it goes out.
    void check_told(std::size_t machine, MessageKind kind, ByteView bytes) {
        const auto told = [&](const ReplicaId& replica, std::uint64_t counter) {
            if (machines_[machine].disk.durable(replica) < counter)
                fail("durable before visible", machine, "a message tells of a change that is not committed");
        };
        const auto told_all = [&](const std::vector<Head>& heads) {
            for (const Head& head : heads) told(head.replica, head.counter);
        };
        const auto told_frame = [&](const SharedBytes& encoded) {
            if (const Result<Frame> frame = Frame::parse(encoded)) told(frame->header().origin, frame->header().last());
        };
        switch (kind) {
        case MessageKind::update: return told_frame(SharedBytes{bytes});
        case MessageKind::greeting:
            if (const auto message = decode_message<Greeting>(bytes)) told_all(message->self.heads);
            return;
        case MessageKind::handshake:
            if (const auto message = decode_message<Handshake>(bytes)) told_all(message->self.heads);
            return;
        case MessageKind::heads:
            if (const auto message = decode_message<HeadsMessage>(bytes)) told_all(message->heads);
            return;
        case MessageKind::state_chunk:
            if (const auto message = decode_message<StateChunk>(bytes)) told_all(heads_of(*message));
            return;
        case MessageKind::agreement_request:
            if (const auto message = decode_message<AgreementRequest>(bytes)) told_all(message->heads);
            return;
        case MessageKind::agreement:
            if (const auto message = decode_message<Agreement>(bytes)) told(message->replica, message->counter);
            return;
        case MessageKind::relay:
            if (const auto message = decode_message<RelayMessage>(bytes)) told_frame(message->frame.bytes);
            return;
        case MessageKind::frames:
            if (const auto message = decode_message<FramesMessage>(bytes))
                for (const FrameBytes& frame : message->frames) told_frame(frame.bytes);
            return;
        default: return;
        }
    }

    /// What a state holds, as far as its pieces have told by now.
    const std::vector<Head>& heads_of(const StateChunk& chunk) {
        Sent& sent = states_[chunk.digest];
        if (sent.heads.empty() && chunk.offset == sent.begin.size()) {
            sent.begin.insert(sent.begin.end(), chunk.bytes.begin(), chunk.bytes.end());
            if (const auto header = decode_snapshot_header(sent.begin)) sent = {{}, header->heads};
        }
        return sent.heads;
    }

    /// unique dots: a counter of a replica names one change, for ever.
    void check_unique(std::size_t machine, const Disk::Committed& frame) {
        if (is_reused(frame.origin)) return;
        const auto [held, is_new] = hashes_[frame.origin].emplace(frame.last, frame.hash);
        if (!is_new && held->second != frame.hash)
            fail("unique dots", machine,
                 "change " + std::to_string(frame.last) + " of " + to_string(frame.origin) +
                     " is two different changes");
    }

    /// read your writes: a change is later than all that its replica held; acknowledged from here on.
    void check_own(std::size_t machine, const Disk::Committed& frame, bool adopted) {
        if (!adopted && frame.time <= held_by_[machine])
            fail("read your writes", machine, "a change is stamped no later than one that its replica had seen");
        if (is_reused(frame.origin)) return;
        Ntp64& latest = own_times_[frame.origin];
        if (frame.time <= latest) fail("monotone", machine, "a replica's clock went back");
        latest = frame.time;
        std::uint64_t& counter = acknowledged_[frame.origin];
        if (frame.first != counter + 1) fail("monotone", machine, "a replica's own counter does not count");
        counter = frame.last;
    }

    void check_heads(std::size_t machine, const Report& report, const char* when) {
        const Disk::Tips& tips = machines_[machine].disk.tips();
        std::size_t agreeing = 0;
        for (const Head& head : report.heads) {
            const auto tip = tips.find(head.replica);
            if (tip != tips.end() && tip->second == Tip{head.counter, head.hash}) ++agreeing;
        }
        const auto held =
            std::count_if(tips.begin(), tips.end(), [](const auto& tip) { return tip.second.counter > 0; });
        if (agreeing != report.heads.size() || agreeing != static_cast<std::size_t>(held))
            fail("bookkeeping", machine, std::string("a replica's version vector is not what its disk holds, ") + when);
    }

    bool is_reused(const ReplicaId& replica) const { return reused_.contains(replica); }

    /// A state that was sent, until its heads are known.
    struct Sent {
        Bytes begin{};
        std::vector<Head> heads{};
    };

    const std::deque<Machine>& machines_;
    const Network& network_;
    Trace& trace_;
    std::optional<Failure> failure_;
    std::vector<Ntp64> held_by_;  // the latest stamp that each machine's replica had seen
    std::map<ReplicaId, std::map<std::uint64_t, std::uint64_t>> hashes_;
    std::map<ReplicaId, Ntp64> own_times_;
    std::map<ReplicaId, std::uint64_t> acknowledged_;
    std::set<ReplicaId> reused_;
    std::map<std::uint64_t, Sent> states_;                      // by digest
    std::unordered_map<std::uint64_t, std::uint64_t> digests_;  // by the hash of the version vector
};

}  // namespace netsync::testing

// ---- netsync/testing/simulation.hpp ----

// netsync: a pool of unmodified replicas in one thread, under virtual time and one seed, with everything going wrong that
// can. A workload comes in; the first oracle that fails goes out, with all that it takes to see it again.

namespace netsync::testing {

/// Reproducible choices: `next()` gives 64 bits, `below(bound)` a number in [0, bound).
using Random = detail::Random;

/// What a seed stands for. Equal options, equal run.
struct SimulationOptions {
    std::uint64_t seed = 1;
    std::size_t replicas = 5;
    Faults faults{};
    bool mix = true;                              ///< each seed draws its own mix of the faults; false: exactly these
    Duration pace = std::chrono::seconds{1};      ///< mean time between two changes of a replica
    Duration joining = std::chrono::seconds{1};   ///< the replicas start within it
    std::uint64_t changes = ~std::uint64_t{0};    ///< at most, in all
    Duration time = std::chrono::seconds{120};    ///< with faults; for simulate()
    Duration healing = std::chrono::seconds{60};  ///< without; for simulate()
    Duration commit = std::chrono::milliseconds{300};  ///< what one takes at most, where the store is a LateStore
    Duration check_every = std::chrono::seconds{1};    ///< reports and the workload's own check
    bool at_every_moment = true;                       ///< equal version vectors, equal states; false: in the end
    bool print = false;                                ///< each event to stderr
    Options replica{};                                 ///< of every replica, but for name and seed
};

/// As one would write it, so that a failure can be copied into a test. Without `replica`.
inline std::string to_string(const SimulationOptions& options) {
    const auto time = [](Duration value) { return std::to_string(value.count()) + "ns"; };
    std::string text = "{.seed = " + std::to_string(options.seed) +
                       ", .replicas = " + std::to_string(options.replicas) +
                       ", .faults = " + to_string(options.faults) + ", .mix = " + (options.mix ? "true" : "false") +
                       ", .pace = " + time(options.pace) + ", .joining = " + time(options.joining);
    if (options.commit != SimulationOptions{}.commit) text += ", .commit = " + time(options.commit);
    if (options.changes != ~std::uint64_t{0}) text += ", .changes = " + std::to_string(options.changes);
    if (!options.at_every_moment) text += ", .at_every_moment = false";
    return text + ", .time = " + time(options.time) + ", .healing = " + time(options.healing) + '}';
}

/// What Simulation::check throws.
class SimulationFailed : public std::runtime_error {
   public:
    explicit SimulationFailed(Failure failure) : std::runtime_error(text_of(failure)), failure_(std::move(failure)) {}
    const Failure& failure() const noexcept { return failure_; }

   private:
    static std::string text_of(const Failure& failure) {
        std::string text = failure.oracle + ": " + failure.words + "\n  on machine " + std::to_string(failure.machine) +
                           " after " + std::to_string(static_cast<double>(failure.time.count()) / 1e9) + " s of\n  " +
                           failure.options + "\nThe latest events:\n";
        for (const std::string& line : failure.trace) text += line + '\n';
        return text;
    }

    Failure failure_;
};

/// One replica, as a workload's own check sees it. Not for keeping.
template <crdt T>
struct Observation {
    const T& state;
    ReplicaId replica;
    std::size_t machine;
    bool settled;  ///< all faults are over and all replicas should be equal
    const Disk& disk;
    const std::set<ReplicaId>& reused;  ///< ids whose tokens mean nothing any more: see Oracles

    /// Whether the change that `update` returned this for is known to have arrived here.
    bool holds(const Token& token) const {
        return !reused.contains(token.replica) && disk.tip(token.replica).counter >= token.counter;
    }
};

/// `Simulation<Library> world{{.seed = 42, .faults = faults::all()}}; world.run(workload, 300s); world.heal(60s);
/// world.check();`
///
/// A workload is called as `workload(replica, random)` for a random replica that is up, and changes its data with
/// `update`; or with the replica's Machine beside. It may return a std::optional<std::string>: what it saw that must not
/// be. It may have `check(const Observation<T>&)` with the same result, called for each replica all the way and at the end.
///
/// `Store` is SimulatedStore, which commits at once, or LateStore, whose commits take time.
template <crdt T, store Store = SimulatedStore>
class Simulation {
   public:
    using SimulatedReplica = Replica<Store, SimulatedTransport, SimulatedClock, T>;
    using Wrong = std::optional<std::string>;

    explicit Simulation(SimulationOptions options = {})
        : options_(std::move(options)), trace_(options_.print),
          network_(options_.replicas, detail::mix(options_.seed, 1), trace_), oracles_(machines_, network_, trace_),
          injector_(faults(), detail::mix(options_.seed, 2), network_, machines_, trace_,
                    {[this](std::size_t machine, bool politely) { crash(machine, politely); },
                     [this](std::size_t machine) { start(machine); },
                     [this](std::size_t machine) { oracles_.on_identity_reused(machines_[machine].replica); }}),
          random_(detail::mix(options_.seed, 3)), replicas_(options_.replicas), checked_(options_.replicas) {
        for (std::size_t at = 0; at < options_.replicas; ++at) {
            const std::chrono::microseconds skew{static_cast<std::int64_t>(random_.below(40'000)) - 20'000};
            machines_.emplace_back(at, network_.now(), skew);
        }
        network_.on_send(
            [this](std::size_t machine, MessageKind kind, ByteView bytes) { oracles_.on_sent(machine, kind, bytes); });
        for (std::size_t at = 0; at < options_.replicas; ++at) {
            const auto joining = static_cast<std::uint64_t>(options_.joining.count());
            network_.schedule(Duration{static_cast<std::int64_t>(random_.below(joining))}, {start_task, at});
            network_.schedule(next_change(), {change_task, at});
        }
        network_.schedule(options_.check_every, {check_task, 0});
    }

    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    /// Lets `time` pass with faults and changes. A workload with a `check` must live until the simulation's last call.
    template <class Workload>
    void run(Workload&& workload, Duration time) {
        using W = std::remove_reference_t<Workload>;
        if constexpr (requires(const Observation<T>& seen) { workload.check(seen); }) {
            static_assert(std::is_lvalue_reference_v<Workload>, "netsync: a workload with a check must be a variable");
            check_ = [&workload](const Observation<T>& seen) -> Wrong { return workload.check(seen); };
        }
        change_ = [&workload](SimulatedReplica& replica, Random& random, const Machine& machine) -> Wrong {
            if constexpr (std::is_invocable_v<W&, SimulatedReplica&, Random&, const Machine&>)
                return workload(replica, random, machine);
            else if constexpr (std::is_void_v<std::invoke_result_t<W&, SimulatedReplica&, Random&>>)
                return workload(replica, random), std::nullopt;
            else
                return workload(replica, random);
        };
        network_.set_faults(faults());
        injector_.begin();
        proceed(network_.now() + time);
        change_ = nullptr;
    }

    /// Ends all faults: what is cut is mended, what is down starts, every wall clock goes right and past every stamp
    /// there is. Then lets `time` pass, in which the replicas become equal and go quiet.
    void heal(Duration time) {
        trace_.add(network_.now(), Happened::healing, 0);
        network_.set_faults({});
        injector_.heal();
        arrived_ = network_.latest_arrival();
        Ntp64 latest{};
        for (const Machine& machine : machines_)
            latest = std::max({latest, machine.disk.latest(), uncommitted(machine)});
        const Ntp64 right = Ntp64::from_duration(WallClock::epoch + network_.now());
        const Duration ahead = std::max(Duration{0}, difference(latest, right) + std::chrono::seconds{1});
        for (Machine& machine : machines_) machine.wall.repair(ahead);
        for (const Machine& machine : machines_)
            if (!replicas_[machine.number]) start(machine.number);
        healing_ = true;
        const Duration end = network_.now() + time, quiet = end - std::min<Duration>(time, std::chrono::seconds{10});
        proceed(quiet);
        const bool equal = are_equal();
        const auto sent = network_.sent();
        proceed(end);
        const bool heard = arrived_ + std::chrono::seconds{1} <= quiet;  // else old messages are still answered
        if (heard && equal && are_equal()) oracles_.check_quiet(sent, end - quiet, options_.replica.gossip.least);
        if (rounds_) oracles_.check_rounds(*rounds_, commit_rounds());
        healing_ = false;
    }

    /// After healing: all replicas are equal, and hold all that was acknowledged. What is wrong, if anything ever was.
    std::optional<Failure> settle() {
        for (const Machine& machine : machines_) {
            if (!are_equal_to_first(machine.number))
                oracles_.fail("convergence", machine.number,
                              "a replica differs from machine 0 after healing" + describe_all());
            observe(machine.number, true);
            if (replicas_[machine.number]) oracles_.check_retired(machine.number, replicas_[machine.number]->report());
        }
        oracles_.check_acknowledged();
        return failure();
    }

    /// The same; throws SimulationFailed.
    void check() {
        if (std::optional<Failure> failed = settle()) throw SimulationFailed(*std::move(failed));
    }

    /// The first thing that went wrong. Nothing moves any more after it.
    std::optional<Failure> failure() const {
        std::optional<Failure> failed = oracles_.failure();
        if (failed) failed->options = to_string(concrete_options());
        return failed;
    }

    /// Events so far, and a hash of them all: the same for equal options, on every machine.
    const Trace& trace() const noexcept { return trace_; }
    Duration now() const noexcept { return network_.now(); }
    std::uint64_t changes() const noexcept { return changes_; }
    /// Null while the machine is down. For tests that drive replicas themselves.
    SimulatedReplica* replica(std::size_t machine) { return replicas_[machine].get(); }
    const Network& network() const noexcept { return network_; }

    /// The faults of this seed.
    Faults faults() const { return options_.mix ? faults::draw(options_.faults, options_.seed) : options_.faults; }
    SimulationOptions concrete_options() const {
        SimulationOptions concrete = options_;
        concrete.faults = faults();
        concrete.mix = false;
        return concrete;
    }

   private:
    static constexpr std::uint32_t start_task = 0;
    static constexpr std::uint32_t change_task = 1;
    static constexpr std::uint32_t check_task = 2;

    void proceed(Duration until) {
        for (bool more = true; more && !oracles_.failure();) try {
                more = step(until);
            } catch (const PowerFailed&) {
                on_power_cut();
            }
    }

    bool step(Duration until) {
        const Network::Step done = network_.step(until);
        if (done.task) carry_out(*done.task);
        if (done.machine != Network::none) look_at(done.machine);
        return done.any;
    }

    void on_power_cut() {
        for (Machine& machine : machines_) {
            if (machine.disk.powered() || !machine.running) continue;
            if (replicas_[machine.number]) judge_identity(machine);
            judge_commits(machine);
            crash(machine.number, false);
            injector_.on_power_cut(machine.number);
        }
    }

    void carry_out(const Task& task) {
        if (task.what >= FaultInjector::first_task) return injector_.on_task(task);
        if (task.what == LateStore::task) end_commit(task);
        if (task.what == start_task && !replicas_[task.argument]) start(task.argument);
        if (task.what == change_task) change(task.argument);
        if (task.what == check_task) check_reports();
    }

    void end_commit(const Task& task) {
        Machine& machine = machines_[LateStore::machine_of(task.argument)];
        if (!LateStore::ends(machine, task.argument)) return;
        if (network_.is_paused(machine.number))
            return network_.schedule(network_.now() + std::chrono::milliseconds{50}, task);
        machine.disk.end_commit();
        look_at(machine.number);
    }

    Store make_store(Machine& machine) {
        if constexpr (std::is_same_v<Store, LateStore>)
            return LateStore{machine, network_, options_.commit, detail::mix(options_.seed, machine.number)};
        else
            return Store{machine.disk};
    }

    void start(std::size_t at) {
        Machine& machine = machines_[at];
        machine.disk.power_on();
        machine.running = true;
        Options options = options_.replica;
        options.name = machine.name;
        // Ids follow from the seed; few enough of them that a long series of runs does not exhaust the table of ids.
        options.seed = detail::mix(detail::mix(options_.seed % 4096, at), ++machine.starts) | 1;
        replicas_[at] =
            std::make_unique<SimulatedReplica>(SimulatedTransport{network_, at}, options, make_store(machine),
                                               SimulatedClock{options.max_drift, SimulatedTime{machine.wall}});
        checked_[at] = {};
        look_at(at);
        if (replicas_[at]) oracles_.on_started(at, replicas_[at]->report());
    }

    void crash(std::size_t at, bool politely) {
        if (!std::exchange(machines_[at].running, false)) return;
        trace_.add(network_.now(), Happened::crashed, at);
        network_.crash(at, politely);
        network_.resume(at);
        machines_[at].disk.power_off();
        replicas_[at].reset();
    }

    void change(std::size_t at) {
        network_.schedule(network_.now() + next_change(), {change_task, at});
        if (!change_ || !replicas_[at] || network_.is_paused(at) || changes_ >= options_.changes) return;
        trace_.add(network_.now(), Happened::changed, at, ++changes_);
        try {
            if (Wrong wrong = change_(*replicas_[at], random_, machines_[at]))
                oracles_.fail("workload", at, *std::move(wrong));
        } catch (const std::system_error&) {
            return look_at(at);  // of a disk that fails: the change may be on it later
        }
        look_at(at);
    }

    /// After everything that a replica did: what it logged, and what it holds now.
    void look_at(std::size_t at) {
        if (!replicas_[at]) return;
        Machine& machine = machines_[at];
        judge_identity(machine);
        judge_commits(machine);
        const std::uint64_t vector_hash = machine.disk.vector_hash();
        if (checked_[at].vector_hash == vector_hash || machine.disk.is_behind()) return;
        checked_[at] = {vector_hash, true};
        trace_.add(network_.now(), Happened::committed, at, vector_hash);
        if (options_.at_every_moment) oracles_.on_digest(at, vector_hash, replicas_[at]->digest());
        if (linked_) count_rounds();
    }

    /// A copied disk may also hold the id that its replica was to take next.
    void judge_identity(Machine& machine) {
        const ReplicaId before = std::exchange(machine.replica, replicas_[machine.number]->id());
        if (before == machine.replica) return;
        linked_.reset();  // a newcomer's rounds are counted from now
        if (!before.is_nil()) oracles_.on_identity_reused(before);
        for (const Machine& other : machines_)
            if (other.number != machine.number && other.replica == machine.replica)
                oracles_.on_identity_reused(machine.replica);
    }

    void judge_commits(Machine& machine) {
        machine.greatest_wall = std::max(machine.greatest_wall, machine.wall.read());
        oracles_.on_committed(machine.number, machine.disk, options_.replica.max_drift);
    }

    void check_reports() {
        network_.schedule(network_.now() + options_.check_every, {check_task, 0});
        const std::size_t at = next_report_++ % replicas_.size();
        if (replicas_[at] && !machines_[at].disk.is_behind())
            oracles_.on_report(at, replicas_[at]->report(), options_.replica.limits);
        for (std::size_t machine = 0; machine < replicas_.size(); ++machine)
            if (std::exchange(checked_[machine].news, false)) observe(machine, false);
        if (healing_) count_rounds();
    }

    void observe(std::size_t at, bool settled) {
        if (!check_ || !replicas_[at] || machines_[at].disk.is_behind()) return;
        Wrong wrong = replicas_[at]->read([&](const T& state) {
            return check_(
                Observation<T>{state, machines_[at].replica, at, settled, machines_[at].disk, oracles_.reused()});
        });
        if (wrong) oracles_.fail("workload", at, *std::move(wrong));
    }

    /// Counts from when all are linked with all, and nothing from before the healing is under way, until all are equal.
    void count_rounds() {
        if (!linked_) {
            if (network_.now() < arrived_) return;
            for (const auto& replica : replicas_)
                if (!replica || live_members(*replica) + 1 < replicas_.size()) return;
            linked_ = rounds();
        }
        if (rounds_ || !are_equal()) return;
        const std::vector<std::uint64_t> now = rounds();
        rounds_ = 0;
        for (std::size_t at = 0; at < now.size(); ++at) rounds_ = std::max(*rounds_, now[at] - (*linked_)[at]);
    }

    /// The latest that a change may be stamped with which the disk has not taken yet.
    Ntp64 uncommitted(const Machine& machine) const {
        const bool waits = replicas_[machine.number] && replicas_[machine.number]->report().store_error;
        return waits ? machine.greatest_wall : Ntp64{};
    }

    std::vector<std::uint64_t> rounds() const {
        std::vector<std::uint64_t> begun;
        begun.reserve(replicas_.size());
        for (std::size_t at = 0; at < replicas_.size(); ++at) begun.push_back(network_.rounds_of(at));
        return begun;
    }

    static std::size_t live_members(const SimulatedReplica& replica) {
        const Report report = replica.report();
        return static_cast<std::size_t>(
            std::count_if(report.members.begin(), report.members.end(),
                          [](const Member& member) { return member.state == MemberState::live; }));
    }

    bool are_equal() const {
        for (const Machine& machine : machines_)
            if (!replicas_[machine.number] || machine.disk.vector_hash() != machines_.front().disk.vector_hash())
                return false;
        return true;
    }

    bool are_equal_to_first(std::size_t at) const {
        return replicas_[at] && replicas_[0] && machines_[at].disk.vector_hash() == machines_[0].disk.vector_hash() &&
               replicas_[at]->digest() == replicas_[0]->digest();
    }

    std::string describe_all() const {
        std::string text;
        for (const Machine& machine : machines_) {
            text += "\n  machine " + std::to_string(machine.number) + ": ";
            if (!replicas_[machine.number]) {
                text += "down";
                continue;
            }
            const Report report = replicas_[machine.number]->report();
            text += std::string(to_string(report.state)) + ", members";
            for (const Member& member : report.members)
                text += ' ' + std::string(to_string(member.state)) + (member.link == Link{} ? "" : "+link");
            if (!report.syncs.empty()) text += ", last round: " + std::string(to_string(report.syncs.back().end));
            if (report.store_error) text += ", store: " + report.store_error.message();
            text += ", " + std::to_string(report.buffered_frames) + " frames wait, holds";
            for (const Head& head : report.heads) text += ' ' + std::to_string(head.counter);
        }
        return text;
    }

    /// Rounds that may begin while one waits for the disks of both sides, in each of its steps.
    std::uint64_t commit_rounds() const {
        if constexpr (!asynchronous_store<Store>) return 0;
        return 4 + static_cast<std::uint64_t>(6 * options_.commit / options_.replica.gossip.least);
    }

    Duration next_change() {
        return Duration{
            static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * options_.pace.count())))};
    }

    struct Checked {
        std::uint64_t vector_hash = 0;
        bool news = false;  // since the workload's own check
    };

    SimulationOptions options_;
    Trace trace_;
    Network network_;
    std::deque<Machine> machines_;
    Oracles oracles_;
    FaultInjector injector_;
    Random random_;
    std::function<Wrong(SimulatedReplica&, Random&, const Machine&)> change_;
    std::function<Wrong(const Observation<T>&)> check_;
    std::vector<std::unique_ptr<SimulatedReplica>> replicas_;
    std::vector<Checked> checked_;
    std::uint64_t changes_ = 0;
    std::size_t next_report_ = 0;
    bool healing_ = false;
    Duration arrived_{};                                // what was under way at the healing
    std::optional<std::vector<std::uint64_t>> linked_;  // rounds begun when all were linked with all
    std::optional<std::uint64_t> rounds_;
};

/// A whole run: faults for options.time, then options.healing, then the final oracles. What is wrong, if anything.
template <crdt T, store Store = SimulatedStore, class Workload>
std::optional<Failure> simulate(const SimulationOptions& options, Workload& workload) {
    Simulation<T, Store> world{options};
    world.run(workload, options.time);
    world.heal(options.healing);
    return world.settle();
}

}  // namespace netsync::testing

// ---- netsync/testing/shrink.hpp ----

// netsync: the smallest run that still fails. A failing seed's options come in; faults, replicas, changes and time are left
// out as long as it fails, and the line to copy into a test goes out.

namespace netsync::testing {

/// A run that fails with `options`, which stand for all that it takes.
struct Shrunk {
    SimulationOptions options;
    Failure failure;
};

/// Greedy, and a function of its arguments: `run(options)` is one whole run, with a workload of its own. None where
/// `options` does not fail at all. Whatever fails counts, even if another oracle fails then. O(runs of all the steps).
inline std::optional<Shrunk> shrink(const SimulationOptions& options,
                                    const std::function<std::optional<Failure>(const SimulationOptions&)>& run) {
    std::optional<Failure> first = run(options);
    if (!first) return std::nullopt;
    Shrunk smallest{options, *std::move(first)};
    const auto keeps_failing = [&](const SimulationOptions& smaller) {
        std::optional<Failure> failure = run(smaller);
        if (!failure) return false;
        smallest = {smaller, *std::move(failure)};
        return true;
    };
    if (smallest.options.mix) {
        smallest.options.faults = faults::draw(options.faults, options.seed);
        smallest.options.mix = false;
    }
    for (bool smaller = true; smaller;) {
        smaller = false;
        std::size_t kinds = 0;
        detail::for_each_field([&](const auto&) { ++kinds; }, smallest.options.faults);
        for (std::size_t kind = 0; kind < kinds; ++kind) {
            SimulationOptions without = smallest.options;
            std::size_t at = 0;
            detail::for_each_field([&]<class Member>(Member& member) { member = at++ == kind ? Member{} : member; },
                                   without.faults);
            if (without.faults != smallest.options.faults) smaller |= keeps_failing(without);
        }
        while (smallest.options.replicas > 1) {
            SimulationOptions fewer = smallest.options;
            --fewer.replicas;
            if (!keeps_failing(fewer)) break;
            smaller = true;
        }
    }
    // The run up to the failure is the same, whatever would have come after it.
    for (Duration step = smallest.options.time / 2; step >= std::chrono::seconds{1}; step /= 2) {
        SimulationOptions shorter = smallest.options;
        if (shorter.time > step) shorter.time -= step;
        keeps_failing(shorter);
    }
    SimulationOptions fewer = smallest.options;
    for (std::uint64_t least = 0, most = std::min<std::uint64_t>(fewer.changes, 1u << 16); least < most;) {
        fewer.changes = least + (most - least) / 2;
        if (keeps_failing(fewer))
            most = fewer.changes;
        else
            least = fewer.changes + 1;
    }
    return smallest;
}

}  // namespace netsync::testing

// ---- netsync/testing.hpp ----

// netsync: for tests of your own types and programs: the deterministic simulator and the laws. Needs the standard library
// alone.

