// netsync: the store on disk: one SQLite file. Frames come in and become durable, those that wait together, on a thread of
// the store's own.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <netsync/store/sqlite_log.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// A file belongs to one pool and to one replica at a time. `LanReplica<T, SqliteStore>{{.file = "library.db"}}` is all
/// that a program writes.
///
/// A file that cannot be opened is left as it is: errc::wrong_pool, not_a_store, store_version, store_in_use, store_io,
/// store_damaged. The store then takes nothing and tells nothing, but what can be read of a damaged file; each commit
/// tries again. A damaged row is never told. A replica is empty meanwhile, or what could be read, refuses changes with
/// that error and takes no part in its pool; it looks each second, and goes on as the one that the file holds.
/// report().store_error tells, or `open`, for a program that would rather end.
///
/// A file that can be read and not written opens, and commits fail with store_read_only; with store_full or store_io for
/// as long as that is so. Where something is found damaged that had been whole at the opening they fail with store_damaged
/// until a snapshot is adopted that holds all that the log does; with that the file is written anew. A replica adopts one
/// by itself. What cannot be read any more of the log is in the snapshot.
///
/// Writes frames of 100 bytes at about what SQLite takes for rows of that size. Memory: options.waiting, SQLite's cache
/// and a snapshot that is being written.
class SqliteStore {
   public:
    /// Throws std::system_error for a file without a name, alone.
    explicit SqliteStore(SqliteOptions options) : log_(std::make_unique<detail::SqliteLog>(std::move(options))) {
        if (log_->options.file.empty())
            throw std::system_error(std::make_error_code(std::errc::invalid_argument), "netsync: a store needs a file");
        static_cast<void>(log_->open());
    }
    template <std::same_as<Options> Given>  // a template, so that `{.file = ...}` stands for SqliteOptions
    explicit SqliteStore(const Given& options)
        : SqliteStore(SqliteOptions{.file = options.file, .pool = options.pool}) {}

    /// One that is open, or why there is none.
    static Result<SqliteStore> open(SqliteOptions options) {
        if (options.file.empty()) return std::make_error_code(std::errc::invalid_argument);
        SqliteStore store{std::move(options)};
        if (const std::error_code error = store.opening_error()) return error;
        return store;
    }

    std::error_code append(const Frame& frame) { return log_->append(frame); }
    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        return log_->adopt(snapshot, heads);
    }
    std::error_code cut(const std::vector<ReplicaCounter>& counters) { return log_->cut(counters); }
    std::error_code clear() { return log_->clear(); }
    std::error_code put(std::string_view key, ByteView value) { return log_->put(key, value); }
    /// Also waits for what is done between commits.
    std::error_code commit() { return log_->commit(); }
    void commit_later(std::function<void(std::error_code)> done) { log_->commit_later(std::move(done)); }
    std::error_code opening_error() const { return log_->opening_error(); }
    bool is_behind() const { return log_->waiting() > log_->options.waiting; }
    bool has_snapshot_waiting() const { return log_->has_snapshot_waiting(); }

    std::optional<Bytes> get(std::string_view key) const { return log_->get(key); }
    SharedBytes snapshot() const { return log_->snapshot(); }
    void replay(const FrameVisitor& visit) const { log_->replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const { return log_->frames(range, visit); }

   private:
    std::unique_ptr<detail::SqliteLog> log_;
};

static_assert(asynchronous_store<SqliteStore> && reopening_store<SqliteStore> && snapshot_deferring_store<SqliteStore>);

}  // namespace netsync
