// library: what the commands work on, and the words in which people and the shared data speak of the same things.
#pragma once

#include <fmt/format.h>
#include <fnmatch.h>

#include <atomic>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "console.hpp"
#include "files_view.hpp"
#include "library.hpp"

namespace library {

/// A command that cannot do what it was told; the text says why.
struct CommandFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Names = std::map<netsync::OwnerId, std::string>;

inline std::string to_string(ContentHash content) {
    return fmt::format("{:016x}", static_cast<std::uint64_t>(content));
}

/// One program: its replica, the files derived from it, and the person in front of it.
class Session {
 public:
    Session(Replica& shared, Console& screen, std::string own_name, std::filesystem::path directory)
        : replica(shared), console(screen), name(std::move(own_name)), root(std::move(directory)),
          files_(replica.derive(FilesView{}, refresh)) {}

    Replica& replica;
    Console& console;
    const std::string name;
    const std::filesystem::path root;

    static constexpr std::size_t not_scanned = std::string::npos;
    std::atomic<std::size_t> shared_files{not_scanned};  ///< by the last scan

    /// Calls `f(const FilesView&)` and returns its result. Changes wait meanwhile: `f` must not call the replica.
    template <class F>
    auto files(F&& f) const {
        return files_.read(std::forward<F>(f));
    }

    /// What the owners call themselves, fit to be printed.
    Names names() const {
        Names names;
        replica.read([&](const Library& now) {
            now.names.for_each(
                [&](netsync::OwnerId owner, const auto& given) { names[owner] = printable(given.value()); });
        });
        return names;
    }

    std::string name_of(netsync::OwnerId owner) const { return name_of(owner, names()); }
    static std::string name_of(netsync::OwnerId owner, const Names& names) {
        const auto found = names.find(owner);
        return found == names.end() ? fmt::format("{:08x}", static_cast<std::uint64_t>(owner) >> 32) : found->second;
    }

    /// A name for people: one of the paths of the content, ours if we have it.
    std::string label(ContentHash content) const {
        const std::optional<File> file = files([&](const FilesView& view) {
            const File* found = view.find(content);
            return found ? std::optional{*found} : std::nullopt;
        });
        if (!file) return to_string(content);
        const Place* best = &*file->places.begin();
        for (const Place& place : file->places)
            if (place.owner == replica.id().owner()) best = &place;
        return printable(best->path);
    }

    /// The contents that a person means: by hash or its first digits (4 at least), `NAME:PATH`, a path, or a pattern of
    /// these with * and ?. Throws CommandFailed where there are none.
    std::set<ContentHash> find(const std::string& text) const {
        const Names names = this->names();
        std::set<ContentHash> found = files([&](const FilesView& view) {
            if (const auto ours = view.at(Place{text, replica.id().owner()})) return std::set{*ours};
            if (auto anybodys = view.at(text); !anybodys.empty()) return anybodys;
            if (auto at_owner = find_at_owner(view, names, text); !at_owner.empty()) return at_owner;
            if (text.find_first_of("*?") != std::string::npos) return find_pattern(view, names, text);
            return find_hash(view, text);
        });
        if (found.empty())
            throw CommandFailed(
                fmt::format("no file is {}: give a path, NAME:PATH, a pattern or a hash", printable(text)));
        return found;
    }

 private:
    static void refresh(FilesView& view, const Library& now, const Library& delta) { view.refresh(now, delta); }

    static std::set<ContentHash> find_at_owner(const FilesView& view, const Names& names, const std::string& text) {
        for (const auto& [owner, name] : names)
            if (text.starts_with(name + ':'))
                if (const auto content = view.at(Place{text.substr(name.size() + 1), owner})) return {*content};
        return {};
    }

    static std::set<ContentHash> find_pattern(const FilesView& view, const Names& names, const std::string& pattern) {
        const auto fits = [&](const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0; };
        const bool names_owner = pattern.find(':') != std::string::npos;
        std::set<ContentHash> found;
        for (const auto& [content, file] : view.files())
            for (const Place& place : file.places)
                if (fits(place.path) || (names_owner && fits(name_of(place.owner, names) + ':' + place.path)))
                    found.insert(content);
        return found;
    }

    static std::set<ContentHash> find_hash(const FilesView& view, std::string_view digits) {
        std::uint64_t first = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), first, 16);
        if (error != std::errc{} || end != digits.data() + digits.size() || digits.size() < 4 || digits.size() > 16)
            return {};
        const unsigned open = static_cast<unsigned>(4 * (16 - digits.size()));
        first <<= open;
        const std::uint64_t last = first | ((std::uint64_t{1} << open) - 1);
        auto found = view.between(ContentHash{first}, ContentHash{last});
        if (found.size() > 1)
            throw CommandFailed(fmt::format("{} files begin with {}: give more digits", found.size(), digits));
        return found;
    }

    netsync::Derived<FilesView> files_;
};

}  // namespace library
