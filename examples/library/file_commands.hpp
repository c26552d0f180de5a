// library: the commands about files: what there is, and what people say about it.
#pragma once

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "find.hpp"
#include "scan.hpp"
#include "session.hpp"
#include "words.hpp"

namespace library {

inline std::set<ContentHash> with_tag(const Session& session, const std::string& tag) {
    return session.replica.read([&](const Library& now) {
        std::set<ContentHash> found;
        now.tags_on_files.for_each([&](ContentHash content, const Tags& tags) {
            if (tags.contains(tag)) found.insert(content);
        });
        return found;
    });
}

/// ` #one #two` for each content that has tags.
inline std::map<ContentHash, std::string> tag_lines(const Session& session) {
    return session.replica.read([](const Library& now) {
        std::map<ContentHash, std::string> lines;
        now.tags_on_files.for_each([&](ContentHash content, const Tags& tags) {
            std::set<std::string> sorted;
            tags.for_each([&](const std::string& tag) { sorted.insert(tag); });
            for (const std::string& tag : sorted) lines[content] += " #" + printable(tag);
        });
        return lines;
    });
}

/// A content, and where it lies: nowhere, where it was tagged and then its last file went.
struct Listed {
    ContentHash content{};
    File file{};
};

/// All files, those with '#TAG', or those that find_files() finds; by their first paths.
inline std::vector<Listed> select_files(const Session& session, const std::string& what) {
    std::set<ContentHash> wanted;
    if (!what.empty()) wanted = what.starts_with('#') ? with_tag(session, what.substr(1)) : find_files(session, what);
    std::vector<Listed> listed = session.files([&](const FilesView& view) {
        std::vector<Listed> found;
        if (what.empty())
            for (const auto& [content, file] : view.files()) found.push_back({content, file});
        for (const ContentHash content : wanted) {
            const File* file = view.find(content);
            found.push_back({content, file ? *file : File{}});
        }
        return found;
    });
    std::sort(listed.begin(), listed.end(),
              [](const Listed& a, const Listed& b) { return a.file.places < b.file.places; });
    return listed;
}

/// ls [FILE | '#TAG']: hash, size, places and tags of each content.
inline void list_files(Session& session, const Words& words) {
    constexpr std::size_t most_on_screen = 40;
    const std::vector<Listed> listed = select_files(session, words.size() > 1 ? words[1] : "");
    const std::size_t shown =
        session.console.is_interactive() ? std::min(listed.size(), most_on_screen) : listed.size();
    const Names names = session.names();
    const std::map<ContentHash, std::string> tags = tag_lines(session);
    for (const auto& [content, file] : std::span(listed).first(shown)) {
        std::string places;
        for (const Place& place : file.places)
            places += fmt::format(" {}:{}", name_of(place.owner, names), printable(place.path));
        const auto tagged = tags.find(content);
        session.console.answer("{} {:>10}{}{}", to_string(content), human_size(file.size),
                               places.empty() ? " nobody has it any more" : places,
                               tagged == tags.end() ? "" : tagged->second);
    }
    if (shown < listed.size()) session.console.answer("... and {} more: ls FILE, ls '#TAG'", listed.size() - shown);
}

inline std::set<std::string> albums_with(const Session& session, ContentHash content) {
    return session.replica.read([&](const Library& now) {
        std::set<std::string> names;
        now.albums.for_each([&](const std::string& name, const Album& album) {
            if (album.files.contains(content)) names.insert(name);
        });
        return names;
    });
}

/// show FILE: everything about it.
inline void show_file(Session& session, const Words& words) {
    for (const ContentHash content : find_files(session, words[1])) {
        list_files(session, {"ls", to_string(content)});
        std::set<Comment> comments;
        session.replica.get(&Library::comments, content).for_each([&](const Comment& one) { comments.insert(one); });
        for (const Comment& comment : comments)
            session.console.answer("    {:%F %H:%M} {}: {}",
                                   std::chrono::sys_seconds{std::chrono::seconds{comment.written}},
                                   printable(comment.author), printable(comment.text));
        for (const std::string& album : albums_with(session, content))
            session.console.answer("    in the album {}", printable(album));
    }
}

/// tag FILE TAG: one change, however many files it is about.
inline void tag_files(Session& session, const Words& words) {
    const std::string tag = shared_text(words, 2);
    const std::set<ContentHash> contents = find_files(session, words[1]);
    session.replica.batch([&](auto& batch) {
        if (!batch.state().tags.contains(tag)) batch.update(&Library::tags, netsync::add(tag));
        for (const ContentHash content : contents) batch.update(&Library::tags_on_files, content, netsync::add(tag));
    });
}

inline void untag_files(Session& session, const Words& words) {
    const std::string tag = shared_text(words, 2);
    const std::set<ContentHash> contents = find_files(session, words[1]);
    std::size_t untagged = 0;
    session.replica.batch([&](auto& batch) {
        for (const ContentHash content : contents) {
            const Tags* tags = batch.state().tags_on_files.find(content);
            if (!tags || !tags->contains(tag)) continue;
            batch.update(&Library::tags_on_files, content, netsync::remove(tag));
            ++untagged;
        }
    });
    if (untagged == 0) throw CommandFailed(fmt::format("{} has no tag {}", printable(words[1]), printable(tag)));
}

/// tags: each with its number of files.
inline void list_tags(Session& session, const Words&) {
    std::map<std::string, std::size_t> counts;
    session.replica.read([&](const Library& now) {
        now.tags.for_each([&](const std::string& tag) { counts[tag]; });
        now.tags_on_files.for_each(
            [&](ContentHash, const Tags& tags) { tags.for_each([&](const std::string& tag) { ++counts[tag]; }); });
    });
    for (const auto& [tag, count] : counts) session.console.answer("{:>6} #{}", count, printable(tag));
}

inline void comment_on_files(Session& session, const Words& words) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const Comment comment{std::chrono::duration_cast<std::chrono::seconds>(now).count(), session.name,
                          shared_text(words, 2)};
    const std::set<ContentHash> contents = find_files(session, words[1]);
    session.replica.batch([&](auto& batch) {
        for (const ContentHash content : contents) batch.update(&Library::comments, content, netsync::add(comment));
    });
}

inline void rescan(Session& session, const Words&) {
    const auto began = std::chrono::steady_clock::now();
    session.shared_files = Session::scanning;
    const ScanSummary summary = scan(session.replica, session.root, session.console);
    session.shared_files = summary.files;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    session.console.note("shares {} files: {} new or changed, {} gone, {} left out; {:.1f} s", summary.files,
                         summary.written, summary.removed, summary.left_out, took.count());
}

}  // namespace library
