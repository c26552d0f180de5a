// netsync: the disk of a simulated machine, and the store on it. Frames and values come in and are staged; a commit makes
// them durable, a power cut takes what was not committed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <netsync/store/concept.hpp>
#include <netsync/wire/input.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

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
