// library: keeps our part of the shared paths equal to a directory. Files come in; only differences go out.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "console.hpp"
#include "library.hpp"
#include "progress_bar.hpp"
#include "read_file.hpp"
#include "walk.hpp"

namespace library {

/// Changes of our part of the paths, many to a frame. Throws std::system_error where the replica refuses one.
class PathWriter {
   public:
    explicit PathWriter(Replica& replica) : replica_(replica) {}

    /// `info`: none to remove the path.
    void write(std::string path, std::optional<FileInfo> info) {
        pending_.emplace_back(std::move(path), info);
        if (pending_.size() >= most_pending) flush();
    }
    void flush() {
        using netsync::mine;
        if (pending_.empty()) return;
        replica_.batch([&](auto& batch) {
            for (const auto& [path, info] : pending_) {
                if (info)
                    batch.update(&Library::file_paths, mine, netsync::assign(path, *info));
                else
                    batch.update(&Library::file_paths, mine, netsync::remove(path));
            }
        });
        pending_.clear();
    }

   private:
    static constexpr std::size_t most_pending = 256;

    Replica& replica_;
    std::vector<std::pair<std::string, std::optional<FileInfo>>> pending_;
};

/// What a scan did.
struct ScanSummary {
    std::size_t files = 0;    ///< now shared
    std::size_t written = 0;  ///< of these, new or changed
    std::size_t removed = 0;
    std::size_t left_out = 0;
};

/// Reads what is new or has another size or time than the pool knows of it, so that a program that was restarted, and
/// got its part back from the others, reads and sends next to nothing. Throws LeftOut where the root cannot be read:
/// our part stays as it was.
inline ScanSummary scan(Replica& replica, const std::filesystem::path& root, Console& console) {
    Problems problems{console};
    const std::vector<Found> found = walk(root, problems);
    const Paths known = replica.get(&Library::file_paths, netsync::mine);
    const auto is_known = [&](const Found& file) {
        const FileInfo* info = known.find(file.path);
        return info && info->size == file.size && info->modified == file.modified;
    };
    std::uint64_t bytes = 0;
    for (const Found& file : found)
        if (!is_known(file)) bytes += file.size;

    ProgressBar bar{console, bytes, found.size()};
    PathWriter writer{replica};
    std::vector<std::byte> room(std::size_t{256} << 10);
    const auto on_bytes = [&](std::size_t count) { bar.add_bytes(count); };
    ScanSummary summary;
    std::unordered_set<std::string_view> shared;
    for (const Found& file : found) {
        bar.add_file();
        try {
            if (!is_known(file)) {
                writer.write(file.path, read_file(root / file.path, room, on_bytes));
                ++summary.written;
            }
            shared.insert(file.path);
        } catch (const LeftOut& why) {
            problems.add(file.path, why.what());
        }
    }
    known.for_each([&](const std::string& path, const FileInfo&) {
        if (shared.contains(path)) return;
        writer.write(path, std::nullopt);
        ++summary.removed;
    });
    writer.flush();
    problems.finish();
    summary.files = shared.size();
    summary.left_out = problems.count();
    return summary;
}

}  // namespace library
