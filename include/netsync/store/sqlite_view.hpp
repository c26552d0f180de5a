// netsync: what a SqliteStore tells: what is in its file and valid, and what waits to be written, in one.
#pragma once

#include <algorithm>
#include <mutex>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/store/sqlite_index.hpp>
#include <netsync/store/sqlite_reader.hpp>
#include <vector>

namespace netsync::detail {

/// `damage` of a call: that a row is not what was written, or is missing. For any thread, one at a time; `mutex` is that of
/// the index.
class SqliteView {
   public:
    SqliteView(std::mutex& mutex, const SqliteIndex& index) : mutex_(mutex), index_(index) {}

    /// Of a file that is ours. A first page that is damaged says that there is no database.
    static bool is_damage(std::error_code error) { return error == errc::store_damaged || error == errc::not_a_store; }

    SharedBytes snapshot(std::error_code& damage) {
        {
            const std::lock_guard lock{mutex_};
            if (index_.snapshot() || !index_.has_snapshot()) return index_.snapshot();
        }
        SharedBytes read;
        const std::lock_guard nobody_else{reading};
        if (reader.is_open()) damage = reader.snapshot(read);
        return read;
    }

    void replay(const FrameVisitor& visit, std::error_code& damage) {
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
            since = index_.since();
            until = index_.until();
            for (const auto& [origin, log] : index_.logs()) {
                valid[log.row.number] = {log.row, 0, log.first_staged() - 1, log.staged.empty() && !log.empty()};
                for (const FrameRow& row : log.staged) staged.push_back(row);
            }
        }
        std::sort(staged.begin(), staged.end(), [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
        if (!staged.empty()) until = staged.front().sequence;
        bool enough = false, whole = true;
        const std::lock_guard nobody_else{reading};
        if (!reader.is_open()) return;
        const std::error_code error = reader.all(since, until, [&](const FrameRow& row) {
            Found* found = valid.find(row.origin);
            if (!found || row.first <= found->origin.cut || row.sequence <= found->origin.since) return true;
            if (found->last != 0 && row.first != found->last + 1) whole = false;
            found->last = row.first + row.count - 1;
            return enough = !visit(row.bytes), !enough;
        });
        for (const auto& [number, found] : valid)
            if (!enough && (found.any || found.last != 0) && found.last != found.expected) whole = false;
        damage = error ? error : whole ? std::error_code{} : errc::store_damaged;
        for (const FrameRow& row : staged)
            if (enough || !visit(row.bytes)) return;
    }

    bool frames(const CounterRange& range, const FrameVisitor& visit, std::error_code& damage) {
        const std::lock_guard nobody_else{reading};
        if (!reader.is_open()) return false;
        FrameRow row{};
        std::uint64_t next = range.first;
        for (bool first = true;; first = false) {
            OriginRow origin;
            std::int64_t since = 0;
            std::uint64_t before = 0;  // what is in memory begins here
            std::vector<FrameRow> staged;
            {
                const std::lock_guard lock{mutex_};
                const SqliteIndex::Log* log = index_.find(range.replica);
                if (!log || log->empty() || next > log->last) return !first;
                origin = log->row;
                since = std::max(index_.since(), origin.since);
                before = log->first_staged();
                auto at = std::partition_point(log->staged.begin(), log->staged.end(),
                                               [&](const auto& entry) { return entry.first + entry.count <= next; });
                for (; next >= before && at != log->staged.end() && staged.size() < few; ++at) staged.push_back(*at);
            }
            if (first && next < before) {  // the frame around the first dot
                const Result<bool> found = reader.covering(origin, since, next, row);
                if (!found && is_damage(found.error())) damage = errc::store_damaged;
                if (!found || !*found || row.first + row.count <= next) return false;
                if (!visit(row.bytes)) return true;
                next = row.first + row.count;
            } else if (next < before) {
                const std::uint64_t from = next;
                bool enough = false, hole = false;
                const std::error_code error =
                    reader.frames(origin, since, next, std::min(range.last, before - 1), [&](const FrameRow& found) {
                        if (found.first != next) return hole = true, false;
                        next = found.first + found.count;
                        return enough = !visit(found.bytes), !enough;
                    });
                if (hole || is_damage(error)) damage = errc::store_damaged;
                if (enough || hole || error || next == from) return true;
            }
            for (const FrameRow& entry : staged) {
                if (entry.first > range.last || !visit(entry.bytes)) return true;
                next = entry.first + entry.count;
            }
            if (next > range.last) return true;
        }
    }

    std::mutex reading;   ///< of the file; taken before the other
    SqliteReader reader;  ///< under it

   private:
    static constexpr std::size_t few = 64;

    std::mutex& mutex_;
    const SqliteIndex& index_;
};

}  // namespace netsync::detail
