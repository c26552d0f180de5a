// netsync: writes a replica's SQLite file: whole commits, and between them, in bounded steps, what may wait.
#pragma once

#include <algorithm>
#include <deque>
#include <netsync/detail/overloaded.hpp>
#include <netsync/store/sqlite_frames.hpp>
#include <netsync/store/sqlite_replacement.hpp>
#include <netsync/wire/output.hpp>
#include <utility>

namespace netsync::detail {

/// The only connection that writes and checkpoints (SQLite before 3.51.3 may damage a file whose log is reset by one of
/// several). For one thread at a time. Whatever fails is rolled back, and may be tried again: no operation minds being
/// done twice.
class SqliteWriter {
   public:
    explicit SqliteWriter(SqliteOptions options) : options_(std::move(options)) {}

    std::error_code open(bool may_create) {
        close();
        const std::error_code locked = lock_.take(options_);
        if (locked && locked != errc::store_read_only) return locked;
        if (!locked)
            if (const std::error_code error = SqliteReplacement{options_}.finish()) return error;
        const int flags = SQLITE_OPEN_READWRITE | (may_create ? SQLITE_OPEN_CREATE : 0);
        int result = connection_.open(options_.file, flags, options_.vfs);
        if (result == SQLITE_OK) protect(), connection_.be_patient();
        if (result == SQLITE_OK) result = connection_.run("PRAGMA trusted_schema = 0; PRAGMA cell_size_check = 1");
        if (result == SQLITE_OK) connection_.checkpoint_at_close(false);
        std::error_code error = sqlite_error(result);
        if (!error) error = open_schema(connection_, options_, sqlite_versions, may_create);
        if (!error) connection_.checkpoint_at_close(true);
        if (!error) error = read_file_row(connection_, file_);
        if (!error) error = locked ? locked : prepare();
        if (error) close();
        return error;
    }

    /// The file is free for others.
    void leave() {
        close();
        lock_.release();
        later_ = {};
        garbage_ = true;
    }

    void close() {
        for (SqliteStatement* statement : {&begin_, &commit_, &frame_, &origin_, &value_, &chunk_, &file_statement_,
                                           &uncut_, &old_chunks_, &cleared_, &cut_, &emptied_})
            *statement = {};
        connection_.close();
    }

    /// All of it, or nothing; but a snapshot that may wait, and the cuts that it holds, come later. What another snapshot
    /// follows is not written.
    std::error_code write(const std::deque<SqliteOperation>& operations) {
        if (const std::error_code error = reopen()) return error;
        Later later = later_;
        FileRow file = file_;
        const auto at = std::find_if(operations.rbegin(), operations.rend(),
                                     [this](const SqliteOperation& operation) { return is_final(operation); });
        const SqliteOperation* final = at == operations.rend() ? nullptr : &*at;
        if (const auto* snapshot = final ? std::get_if<SnapshotRow>(final) : nullptr)
            if (const std::error_code error = prepare_snapshot(*snapshot)) return error;
        bool behind = final != nullptr;  // what was said of a snapshot before the final word does not count
        std::int64_t sequence = last_;
        const std::error_code error = transact([&] {
            int result = SQLITE_OK;
            std::size_t next = 0;
            for (std::size_t place = 0; place < operations.size() && result == SQLITE_OK; place = next) {
                const SqliteOperation& operation = operations[place];
                next = place + 1;
                result = std::visit(Overloaded{
                                        [&](const FrameRow&) {
                                            next = place + put_frames(operations, place, result);
                                            sequence = std::get<FrameRow>(operations[next - 1]).sequence;
                                            return result;
                                        },
                                        [&](const OriginRow& row) { return put(row); },
                                        [&](const CutRow& row) {
                                            if (!later.snapshot) return put(row.origin);
                                            later.cuts.push_back(row.origin);
                                            return SQLITE_OK;
                                        },
                                        [&](const ValueRow& row) { return put(row); },
                                        [&](const SnapshotRow& row) {
                                            if (behind && &operation != final) return SQLITE_OK;
                                            behind = false;
                                            return replace_snapshot(row, later, file);
                                        },
                                        [&](const ClearRow& row) {
                                            behind = behind && &operation != final;
                                            later = {};
                                            file.since = row.since;
                                            file.generation = row.generation;
                                            file.size = 0;
                                            file.heads.clear();
                                            const int put_file = put(file);
                                            return put_file == SQLITE_OK ? uncut_.run() : put_file;
                                        },
                                    },
                                    operation);
            }
            return result;
        });
        maybe_ = std::max(maybe_, sequence);
        again_ = static_cast<bool>(error);
        if (error) return error;
        garbage_ =
            garbage_ || std::any_of(operations.begin(), operations.end(), [](const SqliteOperation& operation) {
                return !std::holds_alternative<FrameRow>(operation) && !std::holds_alternative<ValueRow>(operation);
            });
        last_ = maybe_ = std::max(last_, sequence);
        later_ = std::move(later);
        file_ = std::move(file);
        return {};
    }

    bool has_more() const noexcept { return later_.snapshot || garbage_; }
    bool has_snapshot() const noexcept { return later_.snapshot.has_value(); }

    /// One step of what may wait: a part of a snapshot, or some rows that are not valid any more.
    std::error_code work() {
        if (const std::error_code error = reopen()) return error;
        if (!later_.snapshot) return collect();
        const SnapshotRow& snapshot = *later_.snapshot;
        const std::size_t next = later_.written + step();
        FileRow file = file_;
        const std::error_code error = transact([&] {
            int result = put_chunks(snapshot, later_.written);
            if (next < snapshot.bytes->size()) return result;
            if (result == SQLITE_OK) result = count_snapshot(snapshot, file);
            for (const OriginRow& cut : later_.cuts)
                if (result == SQLITE_OK) result = put(cut);
            return result;
        });
        if (error) return error;
        later_.written = next;
        if (next < snapshot.bytes->size()) return {};
        file_ = std::move(file);
        later_ = {};
        garbage_ = true;
        return {};
    }

    /// What another file holds takes the place of what is in this one: all of it, or nothing, whatever is damaged here, as
    /// long as SQLite opens it.
    std::error_code become(const SqliteWriter& other) {
        close();
        SqliteConnection to;
        int result = to.open(options_.file, SQLITE_OPEN_READWRITE, options_.vfs);
        if (result != SQLITE_OK) return sqlite_error(result);
        to.be_patient();
        sqlite3_backup* copy = sqlite3_backup_init(to.get(), "main", other.connection_.get(), "main");
        if (!copy) return sqlite_error(sqlite3_errcode(to.get()));
        static_cast<void>(sqlite3_backup_step(copy, -1));
        result = sqlite3_backup_finish(copy);
        to.close();
        if (result != SQLITE_OK) return sqlite_error(result);
        know_as(other);
        return {};
    }

    /// All that was written is on disk, and in the file itself.
    std::error_code settle() {
        int result = connection_.run("PRAGMA synchronous = FULL");
        if (result != SQLITE_OK) return sqlite_error(result);
        if (const std::error_code error = transact([&] { return put(file_); })) return error;  // so that it syncs
        result = sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
        return sqlite_error(result);
    }

    /// The other file itself, which is settled, takes the place of this one.
    std::error_code give_way_to(SqliteWriter& other) {
        close();
        know_as(other);
        other.close();
        other.lock_.release();
        return SqliteReplacement{options_}.replace_by(other.options_.file);
    }

    /// The last frame in the file, as it was read at the opening.
    void expect(std::int64_t last) noexcept { last_ = maybe_ = last; }

   private:
    /// What is done between commits.
    struct Later {
        std::optional<SnapshotRow> snapshot{};
        std::size_t written = 0;
        std::vector<OriginRow> cuts{};  // what the snapshot holds
    };

    void protect() const {
        std::error_code none;
        if (!connection_.is_read_only() && std::filesystem::file_size(options_.file, none) == 0 && !none)
            for (const char* end : {"", "-lock"})
                std::filesystem::permissions(options_.file + end,
                                             std::filesystem::perms::owner_read | std::filesystem::perms::owner_write,
                                             none);
    }

    std::error_code prepare() {
        if (connection_.is_read_only()) return errc::store_read_only;
        int result = connection_.run(options_.synchronous == Synchronous::full     ? "PRAGMA synchronous = FULL"
                                     : options_.synchronous == Synchronous::normal ? "PRAGMA synchronous = NORMAL"
                                                                                   : "PRAGMA synchronous = OFF");
        if (result == SQLITE_OK) result = connection_.run("PRAGMA journal_size_limit = 4194304");
        for (auto [statement, text] : {
                 std::pair{&begin_, "BEGIN IMMEDIATE"},
                 std::pair{&commit_, "COMMIT"},
                 std::pair{&frame_, "INSERT OR REPLACE INTO frame VALUES(?, ?, ?, ?, ?, ?, ?)"},
                 std::pair{&origin_, "INSERT OR REPLACE INTO origin VALUES(?, ?, ?, ?, ?, ?)"},
                 std::pair{&value_, "INSERT OR REPLACE INTO value VALUES(?, ?, ?)"},
                 std::pair{&chunk_, "INSERT OR REPLACE INTO chunk VALUES(?, ?, ?)"},
                 std::pair{&file_statement_, "INSERT OR REPLACE INTO file VALUES(1, ?, ?, ?, ?, ?, ?)"},
                 std::pair{&uncut_, "DELETE FROM origin"},
                 std::pair{&old_chunks_, "DELETE FROM chunk WHERE number IN (SELECT number FROM chunk"
                                         " WHERE number < ?1 OR number >= ?2 LIMIT 32)"},
                 std::pair{&cleared_, "DELETE FROM frame WHERE sequence IN (SELECT sequence FROM frame"
                                      " WHERE sequence <= ? LIMIT 500)"},
                 std::pair{&cut_, "DELETE FROM frame WHERE sequence IN (SELECT f.sequence FROM origin o CROSS JOIN"
                                  " frame f ON f.origin = o.number AND f.first <= o.cut"
                                  " AND f.first + f.count - 1 <= o.cut LIMIT 500)"},
                 std::pair{&emptied_, "DELETE FROM frame WHERE sequence IN (SELECT f.sequence FROM origin o CROSS JOIN"
                                      " frame f ON f.origin = o.number AND f.sequence <= o.since"
                                      " WHERE o.since > 0 LIMIT 500)"},
             })
            if (result == SQLITE_OK) result = statement->prepare(connection_, text);
        return schema_error(result);
    }

    /// After an error other than a full disk the connection starts again.
    std::error_code reopen() {
        if (connection_.is_open()) return {};
        const std::int64_t generation = file_.generation;
        std::int64_t last = 0;
        std::error_code error = open(false);
        if (!error)
            error = sqlite_error(sqlite_number(connection_, "SELECT coalesce(max(sequence), 0) FROM frame", last));
        if (!error && (last > maybe_ || file_.generation < generation)) error = errc::store_in_use;
        if (error) close();
        return error;
    }

    void know_as(const SqliteWriter& other) {
        file_ = other.file_;
        last_ = maybe_ = other.last_;
        later_ = other.later_;
        garbage_ = true;
        again_ = false;
    }

    template <class F>
    std::error_code transact(F&& steps) {
        int result = begin_.run();
        if (result == SQLITE_OK) result = steps();
        if (result == SQLITE_OK) result = commit_.run();
        if (result == SQLITE_OK) return {};
        connection_.run("ROLLBACK");
        if ((result & 0xff) != SQLITE_FULL) close();
        return sqlite_error(result);
    }

    std::size_t step() const noexcept { return (options_.step + sqlite_chunk - 1) / sqlite_chunk * sqlite_chunk; }
    bool waits(const SnapshotRow& row) const noexcept { return row.may_wait && row.bytes->size() > options_.step; }

    /// How many of the frames from this one on. Those of a commit that failed may be in the file, in rows of some; only
    /// rows of one take the place of both.
    std::size_t put_frames(const std::deque<SqliteOperation>& operations, std::size_t at, int& result) {
        const std::size_t together = again_ ? 1 : FramesToWrite::together(operations, at);
        const std::size_t count = together < FramesToWrite::least ? 1 : together;
        const FramesRow row = frames_.gather(operations, at, count);
        result = frame_.run(row.sequence, row.origin, row.first, row.count, checksum_of(row), row.bytes, row.parts);
        return count;
    }
    int put(const OriginRow& row) {
        return origin_.run(row.number, row.replica.owner_bits, row.replica.incarnation, row.cut, row.since,
                           checksum_of(row));
    }
    int put(const ValueRow& row) {
        return value_.run(std::string_view{row.key}, sqlite_checksum(row.bytes, sqlite_checksum(as_bytes(row.key))),
                          ByteView{row.bytes});
    }
    int put(const FileRow& row) {
        return file_statement_.run(std::string_view{row.pool}, row.since, row.generation, row.size, ByteView{row.heads},
                                   checksum_of(row));
    }

    /// One step's worth of a snapshot.
    int put_chunks(const SnapshotRow& row, std::size_t from) {
        const std::size_t to = std::min(row.bytes->size(), from + step());
        int result = SQLITE_OK;
        for (std::size_t at = from; at < to && result == SQLITE_OK; at += sqlite_chunk) {
            const ByteView chunk = ByteView{*row.bytes}.subspan(at, std::min(sqlite_chunk, row.bytes->size() - at));
            const std::int64_t number =
                row.generation * sqlite_generation + static_cast<std::int64_t>(at / sqlite_chunk);
            result = chunk_.run(number, sqlite_checksum(chunk, number), chunk);
        }
        return result;
    }

    /// Nothing that was said of a snapshot before counts any more.
    bool is_final(const SqliteOperation& operation) const noexcept {
        const auto* snapshot = std::get_if<SnapshotRow>(&operation);
        return snapshot ? !waits(*snapshot) : std::holds_alternative<ClearRow>(operation);
    }

    /// One that is large, and may not wait, is written in steps before the commit that makes it count.
    std::error_code prepare_snapshot(const SnapshotRow& row) {
        if (row.bytes->size() <= options_.step) return {};
        for (std::size_t at = 0; at < row.bytes->size(); at += step())
            if (const std::error_code error = transact([&] { return put_chunks(row, at); })) return error;
        return {};
    }

    int replace_snapshot(const SnapshotRow& row, Later& later, FileRow& file) {
        if (waits(row)) {
            later.snapshot = row;
            later.written = 0;
            return SQLITE_OK;
        }
        int result = row.bytes->size() > options_.step ? SQLITE_OK : put_chunks(row, 0);
        if (result == SQLITE_OK) result = count_snapshot(row, file);
        for (const OriginRow& cut : later.cuts)
            if (result == SQLITE_OK) result = put(cut);
        later = {};
        return result;
    }

    int count_snapshot(const SnapshotRow& row, FileRow& file) {
        Output heads;
        heads(row.heads);
        file.generation = row.generation;
        file.size = row.bytes->size() + 1;
        file.heads = heads.take();
        return put(file);
    }

    std::error_code collect() {
        const std::int64_t first = file_.generation * sqlite_generation;
        const std::int64_t before = sqlite3_total_changes64(connection_.get());
        const std::error_code error = transact([&] {
            int result = old_chunks_.run(first, first + sqlite_generation);
            if (result == SQLITE_OK) result = cleared_.run(file_.since);
            if (result == SQLITE_OK) result = cut_.run();
            return result == SQLITE_OK ? emptied_.run() : result;
        });
        if (!error) garbage_ = sqlite3_total_changes64(connection_.get()) != before;
        return error;
    }

    const SqliteOptions options_;
    SqliteLock lock_;
    SqliteConnection connection_;
    SqliteStatement begin_, commit_, frame_, origin_, value_, chunk_, file_statement_, uncut_, old_chunks_, cleared_,
        cut_, emptied_;
    FramesToWrite frames_;
    FileRow file_;
    Later later_;
    bool again_ = false;   // the last commit failed
    bool garbage_ = true;  // a crash may have left some
    std::int64_t last_ = 0, maybe_ = 0;
};

}  // namespace netsync::detail
