// library: the data that the machines of a pool share, as one plain struct of CRDTs.
#pragma once

#include <compare>
#include <cstdint>
#include <netsync/lan.hpp>
#include <netsync/sqlite.hpp>
#include <string>

#include "content_hash.hpp"

namespace library {

/// What a path leads to.
struct FileInfo {
    std::uint64_t size = 0;
    std::int64_t modified = 0;  ///< nanoseconds since 1970, by the clock of its owner
    ContentHash content{};
    friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

/// The files of one machine, by their paths from its --files directory on, with '/' in between.
using Paths = netsync::LwwMap<std::string, FileInfo>;

struct Comment {
    std::int64_t written = 0;  ///< seconds since 1970
    std::string author{};
    std::string text{};
    friend auto operator<=>(const Comment&, const Comment&) = default;
};

using Tags = netsync::OrSet<std::string>;
using Comments = netsync::OrSet<Comment>;

struct Album {
    netsync::LwwRegister<std::string> title{};
    netsync::OrSet<ContentHash> files{};
};

/// Paths belong to the machine that has them. What people say about a file is about its content, wherever it lies and
/// whatever it is called, and anybody may say it.
struct Library {
    netsync::Owned<netsync::LwwRegister<std::string>> names{};
    netsync::Owned<Paths> file_paths{};
    Tags tags{};  // all that were ever given
    netsync::OrMap<ContentHash, Tags> tags_on_files{};
    netsync::OrMap<ContentHash, Comments> comments{};
    netsync::OrMap<std::string, Album> albums{};
};

/// Keeps it in options.file.
using Replica = netsync::LanReplica<Library, netsync::SqliteStore>;

}  // namespace library
