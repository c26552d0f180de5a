// library: a directory tree. Its root comes in; the files below it go out, and what had to be left out is said.
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <netsync/netsync.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "console.hpp"
#include "read_file.hpp"

namespace library {

/// A file as the directory shows it: nothing of it was read yet.
struct Found {
    std::string path{};  ///< below the root
    std::uint64_t size = 0;
    std::int64_t modified = 0;
};

/// Says what was left out and why: the first few one by one, the rest as a number.
class Problems {
   public:
    explicit Problems(Console& console) : console_(console) {}

    void add(std::string_view path, std::string_view why) {
        if (++count_ <= shown) console_.note("left out: {}: {}", printable(path), why);
    }
    std::size_t count() const noexcept { return count_; }
    void finish() const {
        if (count_ > shown) console_.note("left out: {} more", count_ - shown);
    }

   private:
    static constexpr std::size_t shown = 5;

    Console& console_;
    std::size_t count_ = 0;
};

/// All regular files below `root`, by path. Links are not followed; what cannot be listed is a problem. Throws
/// LeftOut where that is the root itself.
inline std::vector<Found> walk(const std::filesystem::path& root, Problems& problems) {
    namespace fs = std::filesystem;
    std::vector<Found> files;
    std::vector<std::string> directories{""};
    while (!directories.empty()) {
        const std::string directory = std::move(directories.back());
        directories.pop_back();
        std::error_code error;
        fs::directory_iterator entry(root / directory, error);
        if (error && directory.empty())
            throw LeftOut(fmt::format("cannot read {}: {}", printable(root.string()), error.message()));
        for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
            const std::string name = entry->path().filename().string();
            const std::string path = directory.empty() ? name : directory + '/' + name;
            struct stat status{};
            if (!netsync::is_utf8(name))
                problems.add(path, "its name is not UTF-8");
            else if (::lstat(entry->path().c_str(), &status) != 0)
                problems.add(path, std::generic_category().message(errno));
            else if (S_ISDIR(status.st_mode))
                directories.push_back(path);
            else if (S_ISREG(status.st_mode))
                files.push_back({path, static_cast<std::uint64_t>(status.st_size), modified(status)});
        }
        if (error) problems.add(directory, error.message());
    }
    std::sort(files.begin(), files.end(), [](const Found& a, const Found& b) { return a.path < b.path; });
    return files;
}

}  // namespace library
