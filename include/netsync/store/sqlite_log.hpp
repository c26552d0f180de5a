// netsync: what a SqliteStore does. Frames come in and are staged; a thread writes those that wait together, tells who waits,
// and then does what may wait: snapshots, and rows that are not valid any more.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <netsync/store/sqlite_index.hpp>
#include <netsync/store/sqlite_repair.hpp>
#include <netsync/store/sqlite_view.hpp>
#include <netsync/store/sqlite_writer.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace netsync::detail {

/// The mutex is held for moments only, never while the file is read or written, but at the opening. Reading is for the
/// replica's threads, one at a time; writing, and opening again, for the thread of the store.
class SqliteLog {
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
        const std::lock_guard lock{mutex_};
        return opening_error_ ? opening_error_ : index_.append(frame);
    }

    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        const std::lock_guard lock{mutex_};
        if (opening_error_) return opening_error_;
        const bool heals = damage_ && index_.holds_all(heads);
        index_.adopt(snapshot, heads, heals);
        heals_ = heals_ || heals;
        return {};
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        const std::lock_guard lock{mutex_};
        if (!opening_error_) index_.cut(counters);
        return opening_error_;
    }

    std::error_code clear() {
        const std::lock_guard lock{mutex_};
        if (!opening_error_) index_.clear();
        return opening_error_;
    }

    std::error_code put(std::string_view key, ByteView value) {
        const std::lock_guard lock{mutex_};
        if (!opening_error_) index_.put(key, value);
        return opening_error_;
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
        return index_.snapshot() != nullptr;
    }
    /// Bytes that wait to be written.
    std::size_t waiting() const noexcept { return index_.waiting; }

    std::optional<Bytes> get(std::string_view key) const {
        const std::lock_guard lock{mutex_};
        return index_.get(key);
    }

    SharedBytes snapshot() {
        std::error_code damage;
        SharedBytes read = view_.snapshot(damage);
        note(damage);
        return read;
    }
    void replay(const FrameVisitor& visit) {
        std::error_code damage;
        view_.replay(visit, damage);
        note(damage);
    }
    bool frames(const CounterRange& range, const FrameVisitor& visit) {
        std::error_code damage;
        const bool held = view_.frames(range, visit, damage);
        note(damage);
        return held;
    }

    const SqliteOptions options;

   private:
    static constexpr std::size_t portion = 256;

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
        const std::lock_guard reading{view_.reading};
        const std::error_code before = opening_error();
        view_.reader.close();
        writer_.leave();
        const Stamp stamp = stamp_of(options.file);
        if (before == errc::store_damaged && stamp == stamp_) return before;
        stamp_ = stamp;
        const std::error_code written = writer_.open(true);
        std::error_code error = written == errc::store_read_only ? std::error_code{} : written;
        if (!error) error = view_.reader.open(options);
        const std::lock_guard lock{mutex_};
        forget_all();
        std::int64_t last = 0;
        if (!error) error = index_.load(view_.reader, last);
        writer_.expect(last);
        if (error) writer_.leave();
        if (error && error != errc::store_damaged) forget_all();
        opening_error_ = error;
        error_ = error ? error : written;
        return error;
    }

    void forget_all() {
        index_.forget_all();
        writing_.clear();
        writing_bytes_ = 0;
        is_read_ = heals_ = false;
        damage_ = {};
    }

    /// What could not be read is not known to the replica, which therefore must not go on writing. At the opening: until it
    /// is read again. Later, what was read then may have become more: not any more.
    void note(std::error_code error) {
        if (!error) return;
        const std::lock_guard lock{mutex_};
        if (is_read_ && SqliteView::is_damage(error)) error = errc::store_damaged;
        std::error_code& kept = is_read_ ? damage_ : opening_error_;
        if (!kept) kept = error;
    }

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
        writing_bytes_ += index_.take_staged(writing_);
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
        if (!error && !writer_.has_snapshot()) index_.snapshot_written();
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
                const std::lock_guard reading{view_.reading};
                replaced = !view_.reader.is_in_place();
            }
            lock.lock();
            if (replaced) return error;
            error = errc::store_damaged;
        }
        if (error == errc::store_damaged && !damage_) damage_ = error;
        return error;
    }

    /// Writes the file anew: what of it can be read and is valid, and what waits.
    std::error_code repair(std::unique_lock<std::mutex>& lock) {
        SqliteContent content = index_.content();
        lock.unlock();
        const std::error_code error = write_anew(content);
        lock.lock();
        if (error) return error;
        damage_ = {};
        heals_ = false;
        index_.keep_only(content);
        return {};
    }

    std::error_code write_anew(SqliteContent& content) {
        SqliteRepair repair{options};
        if (const std::error_code error = repair.look(content)) return error;
        {
            const std::lock_guard reading{view_.reading};
            if (view_.reader.is_open() && !view_.reader.is_in_place())
                return errc::store_in_use;  // what is there is not ours
        }
        if (const std::error_code error = repair.write(content, writing_, writer_, view_.reading)) return error;
        const std::lock_guard reading{view_.reading};
        if (view_.reader.is_in_place()) return {};
        view_.reader.close();
        return view_.reader.open(options);
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
            index_.written(operation);
        }
        lock.unlock();
        written.clear();
        lock.lock();
        index_.waiting -= std::exchange(writing_bytes_, 0);
        if (!writer_.has_snapshot()) index_.snapshot_written();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    SqliteIndex index_;
    std::deque<SqliteOperation> writing_;
    std::size_t writing_bytes_ = 0;
    std::error_code error_;
    std::error_code opening_error_, damage_;  // why nothing is written
    bool is_read_ = false;                    // and more may have come to it
    bool heals_ = false;                      // a snapshot waits to be written that says all that is held
    Stamp stamp_;                             // of the file, when it was last opened
    std::function<void(std::error_code)> done_;
    bool requested_ = false, busy_ = false, more_ = false, stuck_ = false, closing_ = false;

    SqliteWriter writer_;
    SqliteView view_{mutex_, index_};  // its reader is closed first: the last one to close checkpoints
    std::thread thread_;
};

}  // namespace netsync::detail
