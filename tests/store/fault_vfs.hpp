// A disk for SQLite on which everything goes wrong that a test wants: calls that fail, a file that cannot be written, and
// power cuts that take what was not synced, sector by sector. Locks and shared memory are those of the system.
#pragma once

#include <netsync/sqlite.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

/// What PRAGMA integrity_check says: "ok".
inline std::string integrity(const std::string& file) {
    sqlite3* connection = nullptr;
    std::string said = "cannot open";
    if (sqlite3_open_v2(file.c_str(), &connection, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
        const auto keep = [](void* to, int, char** values, char**) {
            *static_cast<std::string*>(to) = values[0] ? values[0] : "";
            return 1;
        };
        sqlite3_exec(connection, "PRAGMA integrity_check", +keep, &said, nullptr);
    }
    sqlite3_close(connection);
    return said;
}

/// Registered under `name` for as long as it lives. One disk at a time.
class FaultyDisk {
   public:
    static constexpr const char* name = "faulty";

    FaultyDisk() : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_) {
        vfs_.zName = name;
        vfs_.pNext = nullptr;
        vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
        vfs_.pAppData = this;
        vfs_.xOpen = [](sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out) {
            return of(vfs).open(path, *reinterpret_cast<File*>(file), flags, out);
        };
        vfs_.xDelete = [](sqlite3_vfs* vfs, const char* path, int sync) { return of(vfs).remove(path, sync != 0); };
        vfs_.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* out) {
            return of(vfs).real_->xAccess(of(vfs).real_, path, flags, out);
        };
        vfs_.xFullPathname = [](sqlite3_vfs* vfs, const char* path, int size, char* out) {
            return of(vfs).real_->xFullPathname(of(vfs).real_, path, size, out);
        };
        sqlite3_vfs_register(&vfs_, 0);
    }
    ~FaultyDisk() { sqlite3_vfs_unregister(&vfs_); }
    FaultyDisk(const FaultyDisk&) = delete;
    FaultyDisk& operator=(const FaultyDisk&) = delete;

    /// The n-th call from now on fails with this code; all after it too where it `stays`, until mended. `of`: calls of this
    /// thread count alone.
    void fail_at(std::uint64_t n, int code, bool stays, std::thread::id of = {}) {
        const std::lock_guard lock{mutex_};
        thread_ = of;
        calls_ = 0;
        fail_at_ = n;
        code_ = code;
        stays_ = stays;
    }
    void mend() { fail_at(0, SQLITE_OK, false); }
    std::uint64_t calls() const {
        const std::lock_guard lock{mutex_};
        return calls_;
    }
    bool has_failed() const {
        const std::lock_guard lock{mutex_};
        return fail_at_ != 0 && calls_ >= fail_at_;
    }
    void make_read_only(bool read_only) {
        const std::lock_guard lock{mutex_};
        read_only_ = read_only;
    }

    /// What a power cut now leaves, into another folder: what was synced, and of the rest some sectors of 512 bytes.
    void cut_power(const std::filesystem::path& into, std::uint64_t seed) const {
        const std::lock_guard lock{mutex_};
        netsync::detail::Random random{seed};
        const std::uint64_t kept = random.below(5);  // quarters of what was not synced
        for (const auto& [path, content] : contents_) {
            if (path.ends_with("-shm")) continue;
            std::string bytes = content.synced;
            for (const Write& write : content.written) {
                if (write.cut) {
                    if (random.below(4) < kept) bytes.resize(write.at);
                    continue;
                }
                for (std::size_t at = 0; at < write.bytes.size();) {
                    const std::size_t end = std::min(write.bytes.size(), at + 512 - (write.at + at) % 512);
                    if (random.below(4) < kept) {
                        if (bytes.size() < write.at + end) bytes.resize(write.at + end);
                        bytes.replace(write.at + at, end - at, write.bytes, at, end - at);
                    }
                    at = end;
                }
            }
            std::ofstream(into / std::filesystem::path(path).filename(), std::ios::binary) << bytes;
        }
    }

   private:
    struct Write {
        std::size_t at;
        std::string bytes;
        bool cut = false;
    };
    struct Content {
        std::string synced;
        std::string now;
        std::vector<Write> written;  // since the last sync
    };
    struct File {
        sqlite3_file base;
        FaultyDisk* disk;
        Content* content;
        sqlite3_file* real() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
    };

    static FaultyDisk& of(sqlite3_vfs* vfs) { return *static_cast<FaultyDisk*>(vfs->pAppData); }
    static File& as_file(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

    /// Counts a call; the code it fails with, if it does. Under the mutex.
    int fails(int kind) {
        const bool begun = fail_at_ != 0 && calls_ >= fail_at_;  // by the thread that counts
        if (!begun && thread_ != std::thread::id{} && thread_ != std::this_thread::get_id()) return SQLITE_OK;
        ++calls_;
        if (fail_at_ == 0 || (stays_ ? calls_ < fail_at_ : calls_ != fail_at_)) return SQLITE_OK;
        return code_ == SQLITE_IOERR ? kind : code_ == SQLITE_FULL && kind != SQLITE_IOERR_WRITE ? SQLITE_OK : code_;
    }

    int open(const char* path, File& file, int flags, int* out) {
        file.base.pMethods = nullptr;
        const std::lock_guard lock{mutex_};
        if (const int code = fails(SQLITE_CANTOPEN)) return code;
        if (read_only_ && (flags & SQLITE_OPEN_MAIN_DB))  // as the system's own does for a file like that
            flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
        const int result = real_->xOpen(real_, path, file.real(), flags, out);
        if (result != SQLITE_OK) return result;
        file.disk = this;
        file.content = path ? &contents_[path] : nullptr;
        file.base.pMethods = &methods();
        return SQLITE_OK;
    }

    int remove(const char* path, bool sync) {
        const std::lock_guard lock{mutex_};
        if (const int code = fails(SQLITE_IOERR_DELETE)) return code;
        if (const auto found = contents_.find(path); found != contents_.end()) {
            found->second.now.clear();
            found->second.written.push_back({0, {}, true});
            if (sync) found->second.synced.clear(), found->second.written.clear();
        }
        return real_->xDelete(real_, path, 0);
    }

    static const sqlite3_io_methods& methods() {
        static const sqlite3_io_methods methods{
            2,
            [](sqlite3_file* file) { return as_file(file).real()->pMethods->xClose(as_file(file).real()); },
            [](sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
                FaultyDisk& disk = *as_file(file).disk;
                {
                    const std::lock_guard lock{disk.mutex_};
                    if (const int code = disk.fails(SQLITE_IOERR_READ)) return code;
                }
                return as_file(file).real()->pMethods->xRead(as_file(file).real(), to, size, at);
            },
            [](sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
                FaultyDisk& disk = *as_file(file).disk;
                const std::lock_guard lock{disk.mutex_};
                if (const int code = disk.fails(SQLITE_IOERR_WRITE)) return code;
                if (Content* content = as_file(file).content) {
                    const auto start = static_cast<std::size_t>(at);
                    const std::string bytes(static_cast<const char*>(from), static_cast<std::size_t>(size));
                    if (content->now.size() < start + bytes.size()) content->now.resize(start + bytes.size());
                    content->now.replace(start, bytes.size(), bytes);
                    content->written.push_back({start, bytes});
                }
                return as_file(file).real()->pMethods->xWrite(as_file(file).real(), from, size, at);
            },
            [](sqlite3_file* file, sqlite3_int64 size) {
                FaultyDisk& disk = *as_file(file).disk;
                const std::lock_guard lock{disk.mutex_};
                if (const int code = disk.fails(SQLITE_IOERR_TRUNCATE)) return code;
                if (Content* content = as_file(file).content) {
                    content->now.resize(static_cast<std::size_t>(size));
                    content->written.push_back({static_cast<std::size_t>(size), {}, true});
                }
                return as_file(file).real()->pMethods->xTruncate(as_file(file).real(), size);
            },
            [](sqlite3_file* file, int) {  // the system need not do it, too
                FaultyDisk& disk = *as_file(file).disk;
                const std::lock_guard lock{disk.mutex_};
                if (const int code = disk.fails(SQLITE_IOERR_FSYNC)) return code;
                if (Content* content = as_file(file).content) {
                    content->synced = content->now;
                    content->written.clear();
                }
                return SQLITE_OK;
            },
            [](sqlite3_file* file, sqlite3_int64* size) {
                return as_file(file).real()->pMethods->xFileSize(as_file(file).real(), size);
            },
            [](sqlite3_file* file, int kind) {
                return as_file(file).real()->pMethods->xLock(as_file(file).real(), kind);
            },
            [](sqlite3_file* file, int kind) {
                return as_file(file).real()->pMethods->xUnlock(as_file(file).real(), kind);
            },
            [](sqlite3_file* file, int* held) {
                return as_file(file).real()->pMethods->xCheckReservedLock(as_file(file).real(), held);
            },
            [](sqlite3_file* file, int what, void* with) {
                return as_file(file).real()->pMethods->xFileControl(as_file(file).real(), what, with);
            },
            [](sqlite3_file* file) { return as_file(file).real()->pMethods->xSectorSize(as_file(file).real()); },
            [](sqlite3_file* file) {
                return as_file(file).real()->pMethods->xDeviceCharacteristics(as_file(file).real());
            },
            [](sqlite3_file* file, int page, int size, int extend, void volatile** out) {
                return as_file(file).real()->pMethods->xShmMap(as_file(file).real(), page, size, extend, out);
            },
            [](sqlite3_file* file, int offset, int count, int flags) {
                return as_file(file).real()->pMethods->xShmLock(as_file(file).real(), offset, count, flags);
            },
            [](sqlite3_file* file) { as_file(file).real()->pMethods->xShmBarrier(as_file(file).real()); },
            [](sqlite3_file* file, int gone) {
                return as_file(file).real()->pMethods->xShmUnmap(as_file(file).real(), gone);
            },
            nullptr,
            nullptr,
        };
        return methods;
    }

    sqlite3_vfs* real_;
    sqlite3_vfs vfs_;
    mutable std::mutex mutex_;
    std::map<std::string, Content> contents_;
    std::uint64_t calls_ = 0, fail_at_ = 0;
    std::thread::id thread_{};
    int code_ = SQLITE_OK;
    bool stays_ = false;
    bool read_only_ = false;
};

}  // namespace
