// netsync: reads a replica's SQLite file, on a connection that never writes.
#pragma once

#include <functional>
#include <netsync/store/sqlite_frames.hpp>
#include <string>
#include <utility>

namespace netsync::detail {

/// A row is damaged that is not what was written: errc::store_damaged.
class SqliteReader {
   public:
    using RowVisitor = std::function<bool(const FrameRow&)>;

    std::error_code open(const SqliteOptions& options) {
        int result = connection_.open(options.file, SQLITE_OPEN_READWRITE, options.vfs);
        if (result != SQLITE_OK) return sqlite_error(result);
        connection_.be_patient();
        connection_.checkpoint_at_close(false);
        result = connection_.run("PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = 0;"
                                 "PRAGMA cell_size_check = 1; PRAGMA locking_mode = NORMAL; PRAGMA cache_size = -256");
        for (auto [statement, text] : {
                 std::pair{&covering_, "SELECT sequence, origin, first, count, checksum, bytes, parts FROM frame"
                                       " WHERE origin = ? AND first <= ? AND first + count - 1 > ? AND sequence > ?"
                                       " ORDER BY first DESC LIMIT 1"},
                 std::pair{&range_,
                           "SELECT sequence, origin, first, count, checksum, bytes, parts FROM frame WHERE origin = ?1"
                           " AND first >= ifnull((SELECT first FROM frame WHERE origin = ?1 AND first <= ?2"
                           " AND sequence > ?4 ORDER BY first DESC LIMIT 1), ?2)"
                           " AND first <= ?3 AND sequence > ?4 ORDER BY first"},
                 std::pair{&all_, "SELECT sequence, origin, first, count, checksum, bytes, parts FROM frame"
                                  " WHERE sequence > ? AND sequence < ? ORDER BY sequence"},
                 std::pair{&last_, "SELECT sequence, parts FROM frame ORDER BY sequence DESC LIMIT 1"},
                 std::pair{&origins_, "SELECT number, owner, incarnation, cut, since, checksum FROM origin"},
                 std::pair{&values_, "SELECT key, bytes, checksum FROM value"},
                 std::pair{&chunks_, "SELECT number, bytes, checksum FROM chunk WHERE number >= ? AND number < ?"
                                     " ORDER BY number"},
             })
            if (result == SQLITE_OK) result = statement->prepare(connection_, text);
        if (result != SQLITE_OK) close();
        return schema_error(result);
    }

    bool is_open() const noexcept { return connection_.is_open(); }
    /// Whether the file that is open is still the one of that name.
    bool is_in_place() const noexcept {
        int moved = 1;
        return is_open() &&
               sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
               moved == 0;
    }
    void close() {
        for (SqliteStatement* statement : {&covering_, &range_, &all_, &last_, &origins_, &values_, &chunks_})
            *statement = {};
        connection_.close();
    }

    std::error_code file(FileRow& row) const { return read_file_row(connection_, row); }

    std::error_code last_sequence(std::int64_t& sequence) {
        int result = SQLITE_OK;
        sequence = 0;
        if (last_.with().step(result)) {
            sequence = last_.integer(0) + frames_in(last_.blob(1)) - 1;
            last_.reset();
        }
        return sqlite_error(result);
    }

    template <class F>
    std::error_code origins(F&& visit) {
        int result = SQLITE_OK;
        bool whole = true;
        origins_.with();
        while (origins_.step(result)) {
            const OriginRow row{origins_.integer(0),
                                {origins_.counter(1), origins_.counter(2)},
                                origins_.counter(3),
                                origins_.integer(4)};
            if (origins_.integer(5) == checksum_of(row))
                visit(row);
            else
                whole = false;
        }
        return whole ? sqlite_error(result) : errc::store_damaged;
    }

    template <class F>
    std::error_code values(F&& visit) {
        int result = SQLITE_OK;
        bool whole = true;
        values_.with();
        while (values_.step(result)) {
            const std::string_view key = values_.text(0);
            const ByteView bytes = values_.blob(1);
            if (values_.integer(2) == sqlite_checksum(bytes, sqlite_checksum(as_bytes(key))))
                visit(key, bytes);
            else
                whole = false;
        }
        return whole ? sqlite_error(result) : errc::store_damaged;
    }

    /// The valid frame that begins last at or before a counter; false where there is none.
    Result<bool> covering(const OriginRow& origin, std::int64_t since, std::uint64_t counter, FrameRow& row) {
        int result = SQLITE_OK;
        const bool found = covering_.with(origin.number, counter, origin.cut, since).step(result);
        if (!found) return result == SQLITE_DONE ? Result<bool>{false} : Result<bool>{sqlite_error(result)};
        bool valid = false;
        const bool whole = read(covering_, [&](const FrameRow& frame) {
            if (frame.first > counter) return false;
            if (frame.first > origin.cut) row = frame, valid = true;
            return true;
        });
        covering_.reset();
        return whole ? Result<bool>{valid} : Result<bool>{errc::store_damaged};
    }

    /// Valid frames that begin from `from` to `to`, in order, until one is damaged or `visit` has enough.
    std::error_code frames(const OriginRow& origin, std::int64_t since, std::uint64_t from, std::uint64_t to,
                           const RowVisitor& visit) {
        from = std::max(from, origin.cut + 1);
        return walk(
            range_.with(origin.number, from, to, since),
            [&](const FrameRow& row) { return row.first < from || (row.first <= to && visit(row)); }, false);
    }

    /// All frames appended after `since` and before `until`, in order, but those that are damaged.
    std::error_code all(std::int64_t since, std::int64_t until, const RowVisitor& visit) {
        return walk(all_.with(since, until), visit, true);
    }

    /// Null where there is none.
    std::error_code snapshot(SharedBytes& snapshot) {
        snapshot = nullptr;
        if (const int result = connection_.run("BEGIN"); result != SQLITE_OK) return sqlite_error(result);
        const std::error_code error = read_snapshot(snapshot);
        connection_.run("COMMIT");
        return error;
    }

   private:
    /// The frames of a row, until `visit` has enough; false, with nothing visited, where it is damaged.
    template <class F>
    static bool read(SqliteStatement& statement, F&& visit) {
        const FramesRow row{statement.integer(0), statement.integer(1), statement.counter(2),
                            statement.counter(3), statement.blob(6),    statement.blob(5)};
        return statement.integer(4) == checksum_of(row) && for_each_frame(row, visit);
    }

    static std::error_code walk(SqliteStatement& statement, const RowVisitor& visit, bool over_damage) {
        int result = SQLITE_OK;
        bool whole = true, enough = false;
        while (!enough && statement.step(result))
            if (!read(statement, [&](const FrameRow& row) { return enough = !visit(row), !enough; })) {
                whole = false;
                if (!over_damage) break;
            }
        statement.reset();
        return whole ? sqlite_error(result) : errc::store_damaged;
    }

    std::error_code read_snapshot(SharedBytes& snapshot) {
        FileRow row;
        if (const std::error_code error = file(row)) return error;
        if (row.generation == 0 || row.size == 0) return {};
        Bytes bytes;
        const std::int64_t first = row.generation * sqlite_generation;
        int result = SQLITE_OK;
        chunks_.with(first, first + sqlite_generation);
        for (std::int64_t next = first; bytes.size() < row.size - 1 && chunks_.step(result); ++next) {
            const ByteView chunk = chunks_.blob(1);
            if (chunks_.integer(0) != next || chunks_.integer(2) != sqlite_checksum(chunk, next)) break;
            if (next == first) bytes.reserve(row.size - 1);
            bytes.insert(bytes.end(), chunk.begin(), chunk.end());
        }
        chunks_.reset();
        if (const std::error_code error = sqlite_error(result)) return error;
        if (bytes.size() != row.size - 1) return errc::store_damaged;
        snapshot = SharedBytes{std::move(bytes)};
        return {};
    }

    SqliteConnection connection_;
    SqliteStatement covering_, range_, all_, last_, origins_, values_, chunks_;
};

}  // namespace netsync::detail
