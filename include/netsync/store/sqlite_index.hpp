// netsync: where the log of each origin stands in a SqliteStore, and what waits to be written to its file. Operations come
// in and are staged; whoever writes takes them out.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/store/sqlite_reader.hpp>
#include <netsync/store/sqlite_repair.hpp>
#include <netsync/wire/input.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace netsync::detail {

/// Staged changes included; nothing here reads the file but load(). Every call is made under the mutex of its holder, but
/// `waiting`.
class SqliteIndex {
   public:
    /// Where one origin's log stands, staged changes included.
    struct Log {
        OriginRow row{};
        std::uint64_t last = 0;
        std::uint64_t last_first = 0;   // of its last frame
        std::deque<FrameRow> staged{};  // not in the file yet

        bool empty() const noexcept { return last_first <= row.cut; }
        /// The first that is not in the file.
        std::uint64_t first_staged() const noexcept { return staged.empty() ? last + 1 : staged.front().first; }
    };

    std::error_code append(const Frame& frame) {
        const FrameHeader& header = frame.header();
        Log& log = log_of(header.origin);
        if (!log.empty() && header.first != log.last + 1) return errc::not_contiguous;
        log.last = header.last();
        log.last_first = header.first;
        log.staged.push_back({++sequence_, log.row.number, header.first, header.count, frame.bytes()});
        stage(log.staged.back(), frame.size_bytes());
        return {};
    }

    /// `heals`: it is to be written at once, whatever it tells.
    void adopt(const SharedBytes& snapshot, const std::vector<Head>& heads, bool heals) {
        const bool is_known = std::all_of(heads.begin(), heads.end(), [&](const Head& head) {
            const Log* log = logs_.find(head.replica);
            const std::uint64_t* covered = heads_.find(head.replica);
            return (log && !log->empty() && head.counter <= log->last) || (covered && head.counter <= *covered);
        });
        stage(SnapshotRow{++generation_, snapshot, heads, is_known && !heals}, 0);
        snapshot_ = snapshot;
        has_snapshot_ = true;
        heads_.clear();
        for (const Head& head : heads) {
            heads_[head.replica] = head.counter;
            Log* log = logs_.find(head.replica);
            if (log && !log->empty() && log->last < head.counter) empty(*log);
        }
    }

    void cut(const std::vector<ReplicaCounter>& counters) {
        for (const ReplicaCounter& upto : counters) {
            Log* log = logs_.find(upto.replica);
            if (!log || log->empty() || upto.counter <= log->row.cut) continue;
            if (log->last_first <= upto.counter) {
                empty(*log);
                continue;
            }
            log->row.cut = upto.counter;
            while (!log->staged.empty() && log->staged.front().first <= upto.counter) log->staged.pop_front();
            stage(CutRow{log->row}, 0);
        }
    }

    void clear() {
        since_ = sequence_;
        stage(ClearRow{since_, ++generation_}, 0);
        logs_.clear();
        origins_.clear();
        heads_.clear();
        snapshot_ = nullptr;
        has_snapshot_ = false;
    }

    void put(std::string_view key, ByteView value) {
        Bytes& kept = values_[std::string(key)];
        kept.assign(value.begin(), value.end());
        stage(ValueRow{std::string(key), kept}, value.size());
    }

    std::optional<Bytes> get(std::string_view key) const {
        const Bytes* found = values_.find(key);
        return found ? std::optional{*found} : std::nullopt;
    }

    const Log* find(const ReplicaId& origin) const { return logs_.find(origin); }
    const OrderedMap<ReplicaId, Log>& logs() const noexcept { return logs_; }
    std::int64_t since() const noexcept { return since_; }
    /// Beyond all frames.
    std::int64_t until() const noexcept { return sequence_ + 1; }
    bool has_snapshot() const noexcept { return has_snapshot_; }
    /// Null once it is in the file.
    const SharedBytes& snapshot() const noexcept { return snapshot_; }

    void forget_all() {
        logs_.clear();
        origins_.clear();
        heads_.clear();
        values_.clear();
        snapshot_ = nullptr;
        has_snapshot_ = false;
        sequence_ = since_ = generation_ = numbers_ = written_generation_ = 0;
        staged_.clear();
        staged_bytes_ = 0;
        waiting = 0;
    }

    /// What the file holds, as far as it can be read. `in_file`: the sequence of its last frame.
    std::error_code load(SqliteReader& reader, std::int64_t& in_file) {
        FileRow file;
        std::error_code damage;
        const auto fails = [&](std::error_code error) {
            damage = error ? error : damage;
            return error && error != errc::store_damaged;
        };
        if (const std::error_code error = reader.file(file)) return error;
        if (const std::error_code error = reader.last_sequence(in_file)) return error;
        since_ = file.since;
        generation_ = file.generation;
        sequence_ = std::max(in_file, since_);
        has_snapshot_ = file.size > 0;
        std::vector<Head> heads;
        Input in{file.heads, Limits::state_budget(file.heads.size())};
        if (!file.heads.empty()) in(heads);
        for (const Head& head : heads) heads_[head.replica] = head.counter;
        if (fails(reader.values([&](std::string_view key, ByteView bytes) {
                values_[std::string(key)].assign(bytes.begin(), bytes.end());
            })))
            return damage;
        if (fails(reader.origins([&](const OriginRow& row) {
                logs_[row.replica].row = row;
                origins_[row.number] = row.replica;
                numbers_ = std::max(numbers_, row.number);
                sequence_ = std::max(sequence_, row.since);
            })))
            return damage;
        for (const auto& [number, origin] : origins_) {
            Log& log = logs_[origin];
            FrameRow row{};
            const Result<bool> found = reader.covering(log.row, std::max(since_, log.row.since), max_counter, row);
            if (!found && fails(found.error())) return damage;
            if (!found || !*found) continue;
            log.last = row.first + row.count - 1;
            log.last_first = row.first;
        }
        return damage;
    }

    /// Whether a snapshot up to there says all that the logs do.
    bool holds_all(const std::vector<Head>& heads) const {
        const auto holds = [&](const ReplicaId& origin, std::uint64_t counter) {
            return std::any_of(heads.begin(), heads.end(),
                               [&](const Head& head) { return head.replica == origin && head.counter >= counter; });
        };
        for (const auto& [origin, log] : logs_)
            if (!log.empty() && !holds(origin, log.last)) return false;
        return true;
    }

    /// For a file that is written anew: what it is to hold beside what waits.
    SqliteContent content() const {
        SqliteContent content{.since = since_, .until = until()};
        for (const auto& [origin, log] : logs_) {
            content.logs[log.row.number] = {log.row, log.empty() ? 0 : log.first_staged() - 1};
            if (!log.staged.empty()) content.until = std::min(content.until, log.staged.front().sequence);
        }
        for (const auto& [key, bytes] : values_) content.values.push_back(ValueRow{key, bytes});
        return content;
    }
    /// It was: of what could not be kept nothing is held any more.
    void keep_only(const SqliteContent& content) {
        for (const auto& [number, kept] : content.logs) {
            const ReplicaId* origin = origins_.find(number);
            Log* log = origin ? logs_.find(*origin) : nullptr;
            if (log && log->staged.empty() && kept.first == 0 && log->last == kept.last) empty(*log);
        }
    }

    /// What is staged goes behind what is being written. How many bytes that is.
    std::size_t take_staged(std::deque<SqliteOperation>& writing) {
        if (writing.empty()) writing.swap(staged_);
        for (; !staged_.empty(); staged_.pop_front()) writing.push_back(std::move(staged_.front()));
        return std::exchange(staged_bytes_, 0);
    }
    /// An operation is in the file, or, of a snapshot, is kept by the writer.
    void written(const SqliteOperation& operation) {
        if (const auto* row = std::get_if<SnapshotRow>(&operation)) written_generation_ = row->generation;
        const auto* frame = std::get_if<FrameRow>(&operation);
        const ReplicaId* origin = frame ? origins_.find(frame->origin) : nullptr;
        Log* log = origin ? logs_.find(*origin) : nullptr;
        if (log && !log->staged.empty() && log->staged.front().sequence == frame->sequence) log->staged.pop_front();
    }
    /// The writer has no snapshot any more: the last one is in the file, unless another came meanwhile.
    void snapshot_written() {
        if (written_generation_ == generation_) snapshot_ = nullptr;
    }

    std::atomic<std::size_t> waiting = 0;  ///< bytes that are staged, or being written

   private:
    static constexpr std::size_t overhead = 224;  // of a row that waits: its bytes' block, and its place in two queues

    Log& log_of(const ReplicaId& origin) {
        if (Log* log = logs_.find(origin)) return *log;
        Log& log = logs_[origin];
        log.row = {++numbers_, origin, 0, 0};
        origins_[numbers_] = origin;
        stage(log.row, 0);
        return log;
    }

    void empty(Log& log) {
        log.row.cut = 0;
        log.row.since = sequence_;
        log.last = log.last_first = 0;
        log.staged.clear();
        stage(CutRow{log.row}, 0);
    }

    void stage(SqliteOperation operation, std::size_t size) {
        staged_.push_back(std::move(operation));
        staged_bytes_ += size + overhead;
        waiting += size + overhead;
    }

    OrderedMap<ReplicaId, Log> logs_;
    OrderedMap<std::int64_t, ReplicaId> origins_;  // by number
    OrderedMap<ReplicaId, std::uint64_t> heads_;   // of the snapshot
    OrderedMap<std::string, Bytes> values_;
    SharedBytes snapshot_;
    bool has_snapshot_ = false;
    std::int64_t sequence_ = 0, since_ = 0, generation_ = 0, numbers_ = 0;
    std::int64_t written_generation_ = 0;
    std::deque<SqliteOperation> staged_;
    std::size_t staged_bytes_ = 0;
};

}  // namespace netsync::detail
