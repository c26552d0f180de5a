// netsync: what a SqliteStore holds, in its file and on the way there. Frames come in and are staged; a thread writes those
// that wait together, tells who waits, and then does what may wait: snapshots, and rows that are not valid any more.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/store/sqlite_reader.hpp>
#include <netsync/store/sqlite_repair.hpp>
#include <netsync/store/sqlite_writer.hpp>
#include <netsync/wire/input.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace netsync::detail {

/// The mutex is held for moments only, never while the file is read or written, but at the opening. Reading is for the
/// replica's threads, one at a time; writing, and opening again, for the thread of the store.
class SqliteLog {
    /// Where one origin's log stands, staged changes included.
    struct Log {
        OriginRow row{};
        std::uint64_t last = 0;
        std::uint64_t last_first = 0;   // of its last frame
        std::deque<FrameRow> staged{};  // not in the file yet

        bool empty() const noexcept { return last_first <= row.cut; }
    };

   public:
    explicit SqliteLog(SqliteOptions chosen) : options(std::move(chosen)), writer_(options) {}
    ~SqliteLog() {
        if (!thread_.joinable()) return;
        {
            const std::lock_guard lock{mutex_};
            closing_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    SqliteLog(const SqliteLog&) = delete;
    SqliteLog& operator=(const SqliteLog&) = delete;

    /// Once, before all else. Where it fails, each commit tries again.
    std::error_code open() {
        const std::error_code error = open_file();
        thread_ = std::thread([this] { run(); });
        return error;
    }

    std::error_code opening_error() const {
        const std::lock_guard lock{mutex_};
        return opening_error_;
    }

    std::error_code append(const Frame& frame) {
        const FrameHeader& header = frame.header();
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
        Log& log = log_of(header.origin);
        if (!log.empty() && header.first != log.last + 1) return errc::not_contiguous;
        log.last = header.last();
        log.last_first = header.first;
        log.staged.push_back({++sequence_, log.row.number, header.first, header.count, frame.bytes()});
        stage(log.staged.back(), frame.size_bytes());
        return {};
    }

    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
        const bool is_known = std::all_of(heads.begin(), heads.end(), [&](const Head& head) {
            const Log* log = logs_.find(head.replica);
            const std::uint64_t* covered = heads_.find(head.replica);
            return (log && !log->empty() && head.counter <= log->last) || (covered && head.counter <= *covered);
        });
        const bool heals = damage_ && holds_all(heads);
        stage(SnapshotRow{++generation_, snapshot, heads, is_known && !heals}, 0);
        heals_ = heals_ || heals;
        snapshot_ = snapshot;
        has_snapshot_ = true;
        heads_.clear();
        for (const Head& head : heads) {
            heads_[head.replica] = head.counter;
            Log* log = logs_.find(head.replica);
            if (log && !log->empty() && log->last < head.counter) empty(*log);
        }
        return {};
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
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
        return {};
    }

    std::error_code clear() {
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
        since_ = sequence_;
        stage(ClearRow{since_, ++generation_}, 0);
        logs_.clear();
        origins_.clear();
        heads_.clear();
        snapshot_ = nullptr;
        has_snapshot_ = false;
        return {};
    }

    std::error_code put(std::string_view key, ByteView value) {
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
        Bytes& kept = values_[std::string(key)];
        kept.assign(value.begin(), value.end());
        stage(ValueRow{std::string(key), kept}, value.size());
        return {};
    }

    std::error_code commit() {
        std::unique_lock lock{mutex_};
        if (requested_ || busy_) {
            requested_ = true;
        } else {  // here, where nobody is in the way: to wake another thread may take as long as to write
            write(lock);
            look_for_more();
        }
        if (requested_ || more_ || closing_) changed_.notify_all();
        changed_.wait(lock, [&] { return !requested_ && !busy_ && (stuck_ || !more_); });
        return error_;
    }

    void commit_later(std::function<void(std::error_code)> done) {
        const std::lock_guard lock{mutex_};
        requested_ = true;
        done_ = std::move(done);
        changed_.notify_all();
    }

    /// Whether the last snapshot is in memory, because not all of it is in the file.
    bool has_snapshot_waiting() const {
        const std::lock_guard lock{mutex_};
        return snapshot_ != nullptr;
    }

    std::optional<Bytes> get(std::string_view key) const {
        const std::lock_guard lock{mutex_};
        const Bytes* found = values_.find(key);
        return found ? std::optional{*found} : std::nullopt;
    }

    SharedBytes snapshot() {
        {
            const std::lock_guard lock{mutex_};
            if (snapshot_ || !has_snapshot_) return snapshot_;
        }
        SharedBytes read;
        const std::lock_guard reading{reading_};
        if (reader_.is_open()) note(reader_.snapshot(read));
        return read;
    }

    void replay(const FrameVisitor& visit) {
        std::vector<FrameRow> staged;
        struct Found {
            OriginRow origin{};
            std::uint64_t last = 0;      // so far
            std::uint64_t expected = 0;  // at the end
            bool any = false;            // must be in the file
        };
        OrderedMap<std::int64_t, Found> valid;  // by number
        std::int64_t until = 0, since = 0;
        {
            const std::lock_guard lock{mutex_};
            since = since_;
            until = sequence_ + 1;
            for (const auto& [origin, log] : logs_) {
                const std::uint64_t last = log.staged.empty() ? log.last : log.staged.front().first - 1;
                valid[log.row.number] = {log.row, 0, last, log.staged.empty() && !log.empty()};
                for (const FrameRow& row : log.staged) staged.push_back(row);
            }
        }
        std::sort(staged.begin(), staged.end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
        if (!staged.empty()) until = staged.front().sequence;
        bool enough = false, whole = true;
        const std::lock_guard reading{reading_};
        if (!reader_.is_open()) return;
        const std::error_code error = reader_.all(since, until, [&](const FrameRow& row) {
            Found* found = valid.find(row.origin);
            if (!found || row.first <= found->origin.cut || row.sequence <= found->origin.since) return true;
            if (found->last != 0 && row.first != found->last + 1) whole = false;
            found->last = row.first + row.count - 1;
            return enough = !visit(row.bytes), !enough;
        });
        for (const auto& [number, found] : valid)
            if (!enough && (found.any || found.last != 0) && found.last != found.expected) whole = false;
        note(error ? error : whole ? std::error_code{} : errc::store_damaged);
        for (const FrameRow& row : staged)
            if (enough || !visit(row.bytes)) return;
    }

    bool frames(const CounterRange& range, const FrameVisitor& visit) {
        const std::lock_guard reading{reading_};
        if (!reader_.is_open()) return false;
        FrameRow row{};
        std::uint64_t next = range.first;
        for (bool first = true;; first = false) {
            OriginRow origin;
            std::int64_t since = 0;
            std::uint64_t before = 0;  // what is in memory begins here
            std::vector<FrameRow> staged;
            {
                const std::lock_guard lock{mutex_};
                const Log* log = logs_.find(range.replica);
                if (!log || log->empty() || next > log->last) return !first;
                origin = log->row;
                since = std::max(since_, origin.since);
                before = log->staged.empty() ? log->last + 1 : log->staged.front().first;
                auto at = std::partition_point(log->staged.begin(), log->staged.end(),
                                               [&](const auto& entry) { return entry.first + entry.count <= next; });
                for (; next >= before && at != log->staged.end() && staged.size() < few; ++at) staged.push_back(*at);
            }
            if (first && next < before) {  // the frame around the first dot
                const Result<bool> found = reader_.covering(origin, since, next, row);
                if (!found && is_damage(found.error())) note(errc::store_damaged);
                if (!found || !*found || row.first + row.count <= next) return false;
                if (!visit(row.bytes)) return true;
                next = row.first + row.count;
            } else if (next < before) {
                const std::uint64_t from = next;
                bool enough = false, hole = false;
                const std::error_code error =
                    reader_.frames(origin, since, next, std::min(range.last, before - 1), [&](const FrameRow& found) {
                        if (found.first != next) return hole = true, false;
                        next = found.first + found.count;
                        return enough = !visit(found.bytes), !enough;
                    });
                if (hole || is_damage(error)) note(errc::store_damaged);
                if (enough || hole || error || next == from) return true;
            }
            for (const FrameRow& entry : staged) {
                if (entry.first > range.last || !visit(entry.bytes)) return true;
                next = entry.first + entry.count;
            }
            if (next > range.last) return true;
        }
    }

    const SqliteOptions options;
    std::atomic<std::size_t> waiting = 0;  // bytes

   private:
    static constexpr std::size_t few = 64;
    static constexpr std::size_t portion = 256;
    static constexpr std::size_t overhead = 224;  // of a row that waits: its bytes' block, and its place in two queues

    /// When a file was changed last, and its size: whether it is worth another look.
    struct Stamp {
        std::filesystem::file_time_type time{};
        std::uintmax_t size = 0;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    static Stamp stamp_of(const std::string& file) {
        std::error_code none;
        Stamp stamp{std::filesystem::last_write_time(file, none), 0};
        stamp.size = std::filesystem::file_size(file, none);
        return stamp;
    }

    /// Nobody else has the file meanwhile, or any longer where it fails; but what is damaged can be read until the next
    /// time, which comes when the file is another.
    std::error_code open_file() {
        const std::lock_guard reading{reading_};
        const std::error_code before = opening_error();
        reader_.close();
        writer_.leave();
        const Stamp stamp = stamp_of(options.file);
        if (before == errc::store_damaged && stamp == stamp_) return before;
        stamp_ = stamp;
        const std::error_code written = writer_.open(true);
        std::error_code error = written == errc::store_read_only ? std::error_code{} : written;
        if (!error) error = reader_.open(options);
        const std::lock_guard lock{mutex_};
        forget_all();
        if (!error) error = load();
        if (error) writer_.leave();
        if (error && error != errc::store_damaged) forget_all();
        opening_error_ = error;
        error_ = error ? error : written;
        return error;
    }

    void forget_all() {
        logs_.clear();
        origins_.clear();
        heads_.clear();
        values_.clear();
        snapshot_ = nullptr;
        has_snapshot_ = false;
        sequence_ = since_ = generation_ = numbers_ = written_generation_ = 0;
        staged_.clear();
        writing_.clear();
        staged_bytes_ = writing_bytes_ = 0;
        waiting = 0;
        is_read_ = heals_ = false;
        damage_ = {};
    }

    std::error_code load() {
        FileRow file;
        std::error_code damage;
        const auto fails = [&](std::error_code error) {
            damage = error ? error : damage;
            return error && error != errc::store_damaged;
        };
        std::int64_t in_file = 0;
        if (const std::error_code error = reader_.file(file)) return error;
        if (const std::error_code error = reader_.last_sequence(in_file)) return error;
        since_ = file.since;
        generation_ = file.generation;
        sequence_ = std::max(in_file, since_);
        has_snapshot_ = file.size > 0;
        writer_.expect(in_file);
        std::vector<Head> heads;
        Input in{file.heads, Limits::state_budget(file.heads.size())};
        if (!file.heads.empty()) in(heads);
        for (const Head& head : heads) heads_[head.replica] = head.counter;
        if (fails(reader_.values([&](std::string_view key, ByteView bytes) {
                values_[std::string(key)].assign(bytes.begin(), bytes.end());
            })))
            return damage;
        if (fails(reader_.origins([&](const OriginRow& row) {
                logs_[row.replica].row = row;
                origins_[row.number] = row.replica;
                numbers_ = std::max(numbers_, row.number);
                sequence_ = std::max(sequence_, row.since);
            })))
            return damage;
        for (const auto& [number, origin] : origins_) {
            Log& log = logs_[origin];
            FrameRow row{};
            const Result<bool> found = reader_.covering(log.row, std::max(since_, log.row.since), max_counter, row);
            if (!found && fails(found.error())) return damage;
            if (!found || !*found) continue;
            log.last = row.first + row.count - 1;
            log.last_first = row.first;
        }
        return damage;
    }

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

    /// What could not be read is not known to the replica, which therefore must not go on writing. At the opening: until it
    /// is read again. Later, what was read then may have become more: not any more.
    void note(std::error_code error) {
        if (!error) return;
        const std::lock_guard lock{mutex_};
        if (is_read_ && is_damage(error)) error = errc::store_damaged;
        std::error_code& kept = is_read_ ? damage_ : opening_error_;
        if (!kept) kept = error;
    }

    /// Of a file that is ours. A first page that is damaged says that there is no database.
    static bool is_damage(std::error_code error) { return error == errc::store_damaged || error == errc::not_a_store; }

    // The thread of the store.

    /// Commits and steps of what may wait take turns: neither comes to a halt where there is always more of the other.
    void run() {
        std::unique_lock lock{mutex_};
        for (bool turn = false;;) {       // of what may wait
            if (!busy_) look_for_more();  // a commit() under way does so itself
            if (!requested_) changed_.notify_all();
            changed_.wait(lock, [&] { return !busy_ && (requested_ || closing_ || (more_ && !stuck_)); });
            if (closing_ && !requested_) return;
            turn = more_ && !stuck_ && (turn || !requested_);
            if (turn)
                work(lock);
            else
                write(lock);
            turn = !turn;
        }
    }

    void look_for_more() { more_ = !opening_error_ && !damage_ && writer_.has_more(); }

    void write(std::unique_lock<std::mutex>& lock) {
        requested_ = false;
        busy_ = true;
        const auto done = std::exchange(done_, nullptr);
        const bool reopens = static_cast<bool>(opening_error_);
        if (reopens) {
            lock.unlock();
            static_cast<void>(open_file());
            lock.lock();
        }
        if (writing_.empty()) writing_.swap(staged_);
        for (; !staged_.empty(); staged_.pop_front()) writing_.push_back(std::move(staged_.front()));
        writing_bytes_ += std::exchange(staged_bytes_, 0);
        std::error_code error = opening_error_ ? opening_error_ : damage_;
        if (!opening_error_ && damage_ && heals_) {
            error = repair(lock);
        } else if (!error && (!writing_.empty() || error_)) {
            lock.unlock();
            error = writer_.write(writing_);
            lock.lock();
        }
        error = judge(error, lock);
        error_ = error;
        stuck_ = static_cast<bool>(error);
        if (!error) forget_written(lock);
        is_read_ = is_read_ || (!reopens && !error);
        if (done) {
            lock.unlock();
            done(error);
            lock.lock();
        }
        busy_ = false;
    }

    void work(std::unique_lock<std::mutex>& lock) {
        busy_ = true;
        lock.unlock();
        const std::error_code error = writer_.work();
        lock.lock();
        stuck_ = static_cast<bool>(error);  // until the next commit
        static_cast<void>(judge(error, lock));
        busy_ = false;
        if (!error && !writer_.has_snapshot() && written_generation_ == generation_) snapshot_ = nullptr;
    }

    /// What the writer found, which opens the file anew at times. One that was ours and looks like another's is damaged,
    /// unless it is another.
    std::error_code judge(std::error_code error, std::unique_lock<std::mutex>& lock) {
        if (!is_read_ || opening_error_) return error;
        const bool is_other = error == errc::not_a_store || error == errc::wrong_pool || error == errc::store_version;
        if (is_other) {
            lock.unlock();
            bool replaced = false;
            {
                const std::lock_guard reading{reading_};
                replaced = !reader_.is_in_place();
            }
            lock.lock();
            if (replaced) return error;
            error = errc::store_damaged;
        }
        if (error == errc::store_damaged && !damage_) damage_ = error;
        return error;
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

    /// Writes the file anew: what of it can be read and is valid, and what waits.
    std::error_code repair(std::unique_lock<std::mutex>& lock) {
        SqliteContent content{.since = since_, .until = sequence_ + 1};
        for (const auto& [origin, log] : logs_) {
            const bool staged = !log.staged.empty();
            content.logs[log.row.number] = {log.row, log.empty() ? 0
                                                     : staged    ? log.staged.front().first - 1
                                                                 : log.last};
            if (staged) content.until = std::min(content.until, log.staged.front().sequence);
        }
        for (const auto& [key, bytes] : values_) content.values.push_back(ValueRow{key, bytes});
        lock.unlock();
        const std::error_code error = write_anew(content);
        lock.lock();
        if (error) return error;
        damage_ = {};
        heals_ = false;
        for (const auto& [number, kept] : content.logs) {
            const ReplicaId* origin = origins_.find(number);
            Log* log = origin ? logs_.find(*origin) : nullptr;
            if (log && log->staged.empty() && kept.first == 0 && log->last == kept.last) empty(*log);
        }
        return {};
    }

    std::error_code write_anew(SqliteContent& content) {
        SqliteRepair repair{options};
        if (const std::error_code error = repair.look(content)) return error;
        {
            const std::lock_guard reading{reading_};
            if (reader_.is_open() && !reader_.is_in_place()) return errc::store_in_use;  // what is there is not ours
        }
        if (const std::error_code error = repair.write(content, writing_, writer_, reading_)) return error;
        const std::lock_guard reading{reading_};
        if (reader_.is_in_place()) return {};
        reader_.close();
        return reader_.open(options);
    }

    /// In portions, between which others have the mutex; what was written is let go of without it.
    void forget_written(std::unique_lock<std::mutex>& lock) {
        std::deque<SqliteOperation> written = std::exchange(writing_, {});
        std::size_t count = 0;
        for (const SqliteOperation& operation : written) {
            if (++count % portion == 0) {
                lock.unlock();
                lock.lock();
            }
            if (const auto* row = std::get_if<SnapshotRow>(&operation)) written_generation_ = row->generation;
            const auto* frame = std::get_if<FrameRow>(&operation);
            const ReplicaId* origin = frame ? origins_.find(frame->origin) : nullptr;
            Log* log = origin ? logs_.find(*origin) : nullptr;
            if (log && !log->staged.empty() && log->staged.front().sequence == frame->sequence) log->staged.pop_front();
        }
        lock.unlock();
        written.clear();
        lock.lock();
        waiting -= std::exchange(writing_bytes_, 0);
        if (!writer_.has_snapshot() && written_generation_ == generation_) snapshot_ = nullptr;
    }

    std::mutex reading_;  // taken before the other
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    OrderedMap<ReplicaId, Log> logs_;
    OrderedMap<std::int64_t, ReplicaId> origins_;  // by number
    OrderedMap<ReplicaId, std::uint64_t> heads_;   // of the snapshot
    OrderedMap<std::string, Bytes> values_;
    SharedBytes snapshot_;  // until it is in the file
    bool has_snapshot_ = false;
    std::int64_t sequence_ = 0, since_ = 0, generation_ = 0, numbers_ = 0;
    std::deque<SqliteOperation> staged_, writing_;
    std::size_t staged_bytes_ = 0, writing_bytes_ = 0;
    std::int64_t written_generation_ = 0;
    std::error_code error_;
    std::error_code opening_error_, damage_;  // why nothing is written
    bool is_read_ = false;                    // and more may have come to it
    bool heals_ = false;                      // a snapshot waits to be written that says all that is held
    Stamp stamp_;                             // of the file, when it was last opened
    std::function<void(std::error_code)> done_;
    bool requested_ = false, busy_ = false, more_ = false, stuck_ = false, closing_ = false;

    SqliteWriter writer_;
    SqliteReader reader_;  // closed first: the last one to close checkpoints
    std::thread thread_;
};

}  // namespace netsync::detail
