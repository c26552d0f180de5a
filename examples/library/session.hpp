// library: what the commands work on.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "console.hpp"
#include "files_view.hpp"
#include "library.hpp"

namespace library {

/// A command that cannot do what it was told; the text says why.
struct CommandFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What the owners call themselves, fit to be printed.
using Names = std::map<netsync::OwnerId, std::string>;

/// Digits for an owner who has not said its name yet.
inline std::string name_of(netsync::OwnerId owner, const Names& names) {
    const auto found = names.find(owner);
    return found == names.end() ? fmt::format("{:08x}", static_cast<std::uint64_t>(owner) >> 32) : found->second;
}

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

    static constexpr std::size_t scanning = std::string::npos;
    std::atomic<std::size_t> shared_files{scanning};  ///< by the last scan

    /// Calls `f(const FilesView&)` and returns its result. Changes wait meanwhile: `f` must not call the replica.
    template <class F>
    auto files(F&& f) const {
        return files_.read(std::forward<F>(f));
    }

    /// Said once, by whoever sees it first: the event of the other's arrival, or the look at who is there.
    void note_that_name_is_taken() {
        if (!is_name_noted_.exchange(true))
            console.note("another program of this pool is {}, too: give one of them another --name", printable(name));
    }

    Names names() const {
        return replica.read([](const Library& now) {
            Names names;
            now.names.for_each(
                [&](netsync::OwnerId owner, const auto& given) { names[owner] = printable(given.value()); });
            return names;
        });
    }

    std::string name_of(netsync::OwnerId owner) const { return library::name_of(owner, names()); }

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

   private:
    static void refresh(FilesView& view, const Library& now, const Library& delta) { view.refresh(now, delta); }

    netsync::Derived<FilesView> files_;
    std::atomic<bool> is_name_noted_ = false;
};

}  // namespace library
