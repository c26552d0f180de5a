// library: the files, derived from everybody's paths. What changed in the paths comes in; which content lies where goes
// out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "library.hpp"

namespace library {

/// A path of an owner. Ordered by path, so that all who have a path are found together.
struct Place {
    std::string path{};
    netsync::OwnerId owner{};
    friend auto operator<=>(const Place&, const Place&) = default;
};

/// One content, and where it lies.
struct File {
    std::uint64_t size = 0;
    std::set<Place> places{};
};

/// Never sent: each replica makes its own from what it holds.
class FilesView {
   public:
    /// Brings the view up to date with `now`: of the paths, only those that `delta` mentions have changed. O(delta).
    void refresh(const Library& now, const Library& delta) {
        delta.file_paths.for_each([&](netsync::OwnerId owner, const Paths& changed) {
            const Paths* paths = now.file_paths.find(owner);
            changed.for_each_mentioned([&](const std::string& path) {
                remove({path, owner});
                if (const FileInfo* info = paths ? paths->find(path) : nullptr) add({path, owner}, *info);
            });
        });
    }

    const std::map<ContentHash, File>& files() const noexcept { return files_; }

    const File* find(ContentHash content) const {
        const auto found = files_.find(content);
        return found == files_.end() ? nullptr : &found->second;
    }

    std::optional<ContentHash> at(const Place& place) const {
        const auto found = contents_.find(place);
        return found == contents_.end() ? std::nullopt : std::optional{found->second};
    }

    /// All contents that somebody has under this path.
    std::set<ContentHash> at(std::string_view path) const {
        std::set<ContentHash> contents;
        for (auto at = contents_.lower_bound({std::string(path), {}}); at != contents_.end() && at->first.path == path;
             ++at)
            contents.insert(at->second);
        return contents;
    }

    /// All contents from `first` to `last`, both included.
    std::set<ContentHash> between(ContentHash first, ContentHash last) const {
        std::set<ContentHash> contents;
        for (auto at = files_.lower_bound(first); at != files_.end() && at->first <= last; ++at)
            contents.insert(at->first);
        return contents;
    }

   private:
    void add(const Place& place, const FileInfo& info) {
        contents_.emplace(place, info.content);
        File& file = files_[info.content];
        file.size = info.size;
        file.places.insert(place);
    }

    void remove(const Place& place) {
        const auto held = contents_.find(place);
        if (held == contents_.end()) return;
        const auto file = files_.find(held->second);
        file->second.places.erase(place);
        if (file->second.places.empty()) files_.erase(file);
        contents_.erase(held);
    }

    std::map<ContentHash, File> files_;
    std::map<Place, ContentHash> contents_;
};

}  // namespace library
