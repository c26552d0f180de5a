// library: one file. A path comes in; size, time and content hash go out, or the reason why there are none.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>

#include "content_hash.hpp"
#include "library.hpp"

namespace library {

/// Why a file is not in the library. The others are.
struct LeftOut : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline std::int64_t modified(const struct stat& status) {
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

/// An open file, closed again.
class OpenFile {
   public:
    /// Links are not followed, and what is no file is not waited for.
    explicit OpenFile(const std::filesystem::path& path)
        : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
        if (descriptor_ < 0) throw LeftOut(errno == ENOENT ? "it vanished before it was read" : last_error());
    }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() { ::close(descriptor_); }

    struct stat status() const {
        struct stat status{};
        if (::fstat(descriptor_, &status) != 0) throw LeftOut(last_error());
        return status;
    }

    /// The next bytes, as many as there is room for; none at the end.
    std::span<const std::byte> read(std::span<std::byte> room) const {
        for (;;) {
            const ::ssize_t count = ::read(descriptor_, room.data(), room.size());
            if (count >= 0) return room.first(static_cast<std::size_t>(count));
            if (errno != EINTR) throw LeftOut(last_error());
        }
    }

   private:
    static std::string last_error() { return std::generic_category().message(errno); }

    int descriptor_;
};

/// The file as it is now, read from end to end through `room`; `on_bytes(count)` is called as it goes. Throws LeftOut.
template <class OnBytes>
FileInfo read_file(const std::filesystem::path& path, std::span<std::byte> room, OnBytes&& on_bytes) {
    const OpenFile file{path};
    const struct stat before = file.status();
    if (!S_ISREG(before.st_mode)) throw LeftOut("it is no longer a file");
    ContentHasher hasher;
    std::uint64_t size = 0;
    for (auto bytes = file.read(room); !bytes.empty(); bytes = file.read(room)) {
        hasher.update(bytes);
        size += bytes.size();
        on_bytes(bytes.size());
        const struct stat now = file.status();
        if (now.st_nlink == 0) throw LeftOut("it vanished while it was read");
        if (modified(now) != modified(before)) throw LeftOut("it changed while it was read: rescan takes it");
    }
    return {size, modified(before), hasher.result()};
}

}  // namespace library
