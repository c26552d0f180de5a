// netsync: a whole SQLite file takes the place of one that SQLite does not open any more. For whoever has the lock of a
// file.
#pragma once

#include <filesystem>
#include <netsync/store/sqlite_schema.hpp>
#include <string>
#include <system_error>

namespace netsync::detail {

/// The old write-ahead log must not be read as that of the new file, and the two do not go in one step. So the new file
/// gets a name first that says that it is the one that counts; with that it is decided, and what is left to do is done
/// at once, or at the next opening.
class SqliteReplacement {
   public:
    explicit SqliteReplacement(const SqliteOptions& options)
        : file_(options.file), whole_(options.file + "-whole"),
          vfs_(sqlite3_vfs_find(options.vfs.empty() ? nullptr : options.vfs.c_str())) {}

    /// `file`: on disk, all of it, and closed; its lock lies beside it.
    std::error_code replace_by(const std::string& file) const {
        if (const std::error_code error = move(file, whole_)) return error;
        if (const std::error_code error = remove(file + "-lock")) return error;
        return finish();
    }

    /// Where it was decided and not done.
    std::error_code finish() const {
        std::error_code none;
        if (!std::filesystem::exists(whole_, none)) return {};
        if (const std::error_code error = remove(file_ + "-wal")) return error;
        if (const std::error_code error = move(whole_, file_)) return error;
        static_cast<void>(remove(file_ + "-shm"));  // is made anew
        return {};
    }

   private:
    static std::error_code move(const std::string& from, const std::string& to) {
        std::error_code failed;
        std::filesystem::rename(from, to, failed);
        if (!failed) return {};
        return failed == std::errc::permission_denied || failed == std::errc::read_only_file_system
                   ? errc::store_read_only
                   : errc::store_io;
    }

    /// The folder is synced with it, and so what was moved before.
    std::error_code remove(const std::string& file) const {
        if (!vfs_) return errc::store_io;
        const int result = vfs_->xDelete(vfs_, file.c_str(), 1);
        return result == SQLITE_IOERR_DELETE_NOENT ? std::error_code{} : sqlite_error(result);
    }

    const std::string file_, whole_;
    sqlite3_vfs* const vfs_;
};

}  // namespace netsync::detail
