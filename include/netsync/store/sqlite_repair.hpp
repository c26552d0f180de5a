// netsync: an SQLite file that was found damaged while its replica runs, written anew. A snapshot of all that the replica
// holds comes in with the next commit; what can still be read of the log is kept, and the rest is in the snapshot.
#pragma once

#include <deque>
#include <filesystem>
#include <mutex>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/store/sqlite_reader.hpp>
#include <netsync/store/sqlite_writer.hpp>
#include <string>
#include <utility>
#include <vector>

namespace netsync::detail {

/// What a file is to hold beside what is to be committed.
struct SqliteContent {
    struct Log {
        OriginRow row{};
        std::uint64_t last = 0;   // the counter of its last frame in the file; 0: none is there
        std::uint64_t first = 0;  // where the frames begin that can be kept, up to the last one; 0: there are none
        std::uint64_t next = 0;
    };

    std::int64_t since = 0, until = 0;     ///< of the frames in the file, those between are valid
    OrderedMap<std::int64_t, Log> logs{};  ///< by the number of the origin
    std::deque<SqliteOperation> values{};
};

/// For the thread of a store. The new content is made in a file of its own, and takes the place of the old one in one
/// transaction: so a crash leaves the one or the other. Where SQLite does not open the old file any more (its first page is
/// damaged), the new file itself takes its place.
class SqliteRepair {
   public:
    explicit SqliteRepair(SqliteOptions options) : options_(std::move(options)) {
        file_.file = options_.file + "-new";
        file_.pool = options_.pool;
        file_.vfs = options_.vfs;
        file_.synchronous = Synchronous::off;
        remove();
    }
    ~SqliteRepair() { remove(); }
    SqliteRepair(const SqliteRepair&) = delete;
    SqliteRepair& operator=(const SqliteRepair&) = delete;

    /// Says in `content` where the frames begin that can be kept: of each origin the last ones, without a gap.
    std::error_code look(SqliteContent& content) {
        std::error_code error = reader_.open(options_);
        is_lost_ = error == errc::store_damaged || error == errc::not_a_store;
        if (!error)
            error = reader_.all(content.since, content.until, [&](const FrameRow& row) {
                SqliteContent::Log* log = content.logs.find(row.origin);
                if (!log || row.first <= log->row.cut || row.sequence <= log->row.since) return true;
                if (row.first != log->next) log->first = row.first;
                log->next = row.first + row.count;
                return true;
            });
        for (const auto& [number, log] : content.logs)
            if (log.last == 0 || log.next != log.last + 1) content.logs[number].first = 0;
        return is_lost_ || error == errc::store_damaged ? std::error_code{} : error;
    }

    /// `operations`, with a snapshot of all among them, are committed with it. `reading`: held by whoever reads the file.
    std::error_code write(SqliteContent& content, const std::deque<SqliteOperation>& operations, SqliteWriter& into,
                          std::mutex& reading) {
        SqliteWriter writer{file_};
        if (const std::error_code error = writer.open(true)) return error;
        std::deque<SqliteOperation> part{ClearRow{content.since, 0}};
        for (const auto& [number, log] : content.logs) part.push_back(log.row);
        for (SqliteOperation& value : content.values) part.push_back(std::move(value));
        std::size_t size = 0;
        std::error_code failed;
        const auto put = [&] {
            failed = writer.write(part);
            part.clear();
            size = 0;
            return !failed;
        };
        std::error_code read;
        if (!is_lost_)
            read = reader_.all(content.since, content.until, [&](const FrameRow& row) {
                const SqliteContent::Log* log = content.logs.find(row.origin);
                if (!log || log->first == 0 || row.first < log->first || row.sequence <= log->row.since) return true;
                part.push_back(row);
                size += row.bytes->size();
                return size < options_.step || put();
            });
        if (failed || (read && read != errc::store_damaged)) return failed ? failed : read;
        if (put()) failed = writer.write(operations);
        reader_.close();
        if (failed) return failed;
        if (!is_lost_) return into.become(writer);
        if (const std::error_code error = writer.settle()) return error;
        const std::lock_guard nobody_reads{reading};
        return into.give_way_to(writer);
    }

   private:
    void remove() {
        reader_.close();
        std::error_code none;
        for (const char* end : {"", "-wal", "-shm", "-lock"}) std::filesystem::remove(file_.file + end, none);
    }

    const SqliteOptions options_;
    SqliteOptions file_;
    SqliteReader reader_;
    bool is_lost_ = false;
};

}  // namespace netsync::detail
