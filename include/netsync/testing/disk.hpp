// netsync: the disk of a simulated machine, and the store on it. Frames and values come in and are staged; a commit makes
// them durable, a power cut takes what was not committed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <netsync/store/concept.hpp>
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
        undo_.push_back(
            Appended{header.origin, before, std::exchange(held_.latest, std::max(held_.latest, header.time))});
        staged_.push_back(frame);
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
        derive_tips();
        if (const auto header = decode_snapshot_header(*snapshot)) held_.latest = std::max(held_.latest, header->time);
        adopting_ = true;
        behind_ = false;
        return {};
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        if (const std::error_code error = refuse()) return error;
        undo_.push_back(Replaced{held_});
        for (const ReplicaCounter& upto : counters)
            if (const auto log = held_.logs.find(upto.replica); log != held_.logs.end())
                std::erase_if(log->second, [&](const Entry& entry) { return entry.first <= upto.counter; });
        derive_tips();
        adopting_ = true;  // nothing may tell of it before it is committed
        behind_ = false;
        return {};
    }

    std::error_code clear() {
        if (const std::error_code error = refuse()) return error;
        undo_.push_back(Replaced{held_});
        held_.logs.clear();
        held_.snapshot = nullptr;
        held_.heads.clear();
        derive_tips();
        adopting_ = true;  // nothing may tell of it before it is committed
        behind_ = false;
        return {};
    }

    std::error_code put(std::string_view key, ByteView value) {
        if (!powered_) return std::make_error_code(std::errc::io_error);
        auto& held = held_.values[std::string(key)];
        undo_.push_back(Put{std::string(key), std::exchange(held, Bytes(value.begin(), value.end()))});
        return {};
    }

    std::error_code commit() {
        if (!powered_ || (failing_ && !undo_.empty())) return std::make_error_code(std::errc::io_error);
        const PowerCut cut = undo_.empty() ? PowerCut::none : std::exchange(cut_, PowerCut::none);
        if (cut == PowerCut::before_commit) power_off(), throw PowerFailed{};
        undo_.clear();
        committed_.insert(committed_.end(), staged_.begin(), staged_.end());
        staged_.clear();
        adopted_ |= std::exchange(adopting_, false);
        if (cut == PowerCut::after_commit) power_off(), throw PowerFailed{};
        return {};
    }

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

    /// What is not committed is gone.
    void power_off() {
        powered_ = false;
        cut_ = PowerCut::none;
        for (; !undo_.empty(); undo_.pop_back()) std::visit([&](auto& change) { take_back(change); }, undo_.back());
        staged_.clear();
        adopting_ = false;
    }
    void power_on() noexcept {
        powered_ = true;
        behind_ = false;
    }
    bool powered() const noexcept { return powered_; }

    void wipe() { held_ = {}; }
    /// Keeps a copy of what is there, for restore_backup().
    void make_backup() { backup_ = held_; }
    bool has_backup() const noexcept { return backup_.has_value(); }
    void restore_backup() { held_ = *backup_; }
    void copy_from(const Disk& other) { held_ = other.held_; }

    // What oracles look at.

    /// The version vector of all that is held, staged changes included.
    const Tips& tips() const noexcept { return held_.tips; }
    Tip tip(const ReplicaId& origin) const {
        const auto found = held_.tips.find(origin);
        return found == held_.tips.end() ? Tip{} : found->second;
    }
    /// Equal where the version vectors and the histories behind them are equal.
    std::uint64_t vector_hash() const noexcept { return held_.vector_hash; }
    /// The latest time of any frame held.
    Ntp64 latest() const noexcept { return held_.latest; }
    /// Whether something was logged that is not durable yet.
    bool is_ahead() const noexcept { return !staged_.empty() || adopting_; }
    /// Whether the replica has merged something that this disk would not take.
    bool is_behind() const noexcept { return behind_; }
    /// What was wrongly asked of the store, if anything ever was.
    const char* wrong() const noexcept { return wrong_; }
    /// The frames committed since the last call, in order, and whether a state was.
    std::vector<Frame> take_committed() { return std::exchange(committed_, {}); }
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
    };

    // How to take back a staged change.
    struct Appended {
        ReplicaId origin;
        Tip before;
        Ntp64 latest;
    };
    struct Replaced {
        Contents before;
    };
    struct Put {
        std::string key;
        std::optional<Bytes> before;
    };

    std::error_code refuse() {
        if (powered_ && !full_) return {};
        behind_ = true;
        return std::make_error_code(full_ ? std::errc::no_space_on_device : std::errc::io_error);
    }

    void take_back(const Appended& change) {
        held_.logs[change.origin].pop_back();
        held_.latest = change.latest;
        move_tip(change.origin, change.before);
    }
    void take_back(Replaced& change) { held_ = std::move(change.before); }
    void take_back(Put& change) { held_.values[change.key] = std::move(change.before); }

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
    std::vector<std::variant<Appended, Replaced, Put>> undo_;
    std::vector<Frame> staged_;
    std::vector<Frame> committed_;
    std::optional<Contents> backup_;
    const char* wrong_ = nullptr;
    PowerCut cut_ = PowerCut::none;
    bool behind_ = false;
    bool adopting_ = false;
    bool adopted_ = false;
    bool powered_ = true;
    bool full_ = false;
    bool failing_ = false;
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
