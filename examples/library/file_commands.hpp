// library: the commands about files: what there is, and what people say about it.
#pragma once

#include <fmt/chrono.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "scan.hpp"
#include "session.hpp"
#include "words.hpp"

namespace library {

inline std::set<ContentHash> with_tag(const Session& session, const std::string& tag) {
    std::set<ContentHash> found;
    session.replica.read([&](const Library& now) {
        now.tags_on_files.for_each([&](ContentHash content, const auto& tags) {
            if (tags.contains(tag)) found.insert(content);
        });
    });
    return found;
}

/// ` #one #two` for each content that has tags.
inline std::map<ContentHash, std::string> tag_lines(const Session& session) {
    std::map<ContentHash, std::string> lines;
    session.replica.read([&](const Library& now) {
        now.tags_on_files.for_each([&](ContentHash content, const auto& tags) {
            std::set<std::string> sorted;
            tags.for_each([&](const std::string& tag) { sorted.insert(tag); });
            for (const std::string& tag : sorted) lines[content] += " #" + printable(tag);
        });
    });
    return lines;
}

/// ls, ls FILE, ls '#TAG': hash, size, places and tags of each content.
inline void list_files(Session& session, const Words& words) {
    const std::size_t most = session.console.is_interactive() ? 40 : std::string::npos;
    const Names names = session.names();
    const auto tags = tag_lines(session);
    const auto line = [&](ContentHash content, const File& file) {
        std::string text = fmt::format("{} {:>10}", to_string(content), human_size(file.size));
        for (const Place& place : file.places)
            text += fmt::format(" {}:{}", Session::name_of(place.owner, names), printable(place.path));
        if (file.places.empty()) text += " nobody has it any more";
        const auto tagged = tags.find(content);
        return tagged == tags.end() ? text : text + tagged->second;
    };
    const bool all = words.size() == 1;
    std::set<ContentHash> wanted;
    if (!all) wanted = words[1].starts_with('#') ? with_tag(session, words[1].substr(1)) : session.find(words[1]);
    std::vector<std::string> lines;
    std::size_t count = 0;
    session.files([&](const FilesView& view) {
        const auto list = [&](ContentHash content, const File& file) {
            if (++count <= most) lines.push_back(line(content, file));
        };
        if (all)
            for (const auto& [content, file] : view.files()) list(content, file);
        for (const ContentHash content : wanted) list(content, view.find(content) ? *view.find(content) : File{});
    });
    for (const std::string& text : lines) session.console.answer("{}", text);
    if (count > lines.size()) session.console.answer("... and {} more: ls FILE, ls '#TAG'", count - lines.size());
}

/// show FILE: everything about it.
inline void show_file(Session& session, const Words& words) {
    for (const ContentHash content : session.find(words[1])) {
        list_files(session, {"ls", to_string(content)});
        std::set<Comment> comments;
        session.replica.get(&Library::comments, content).for_each([&](const Comment& comment) {
            comments.insert(comment);
        });
        for (const Comment& comment : comments)
            session.console.answer("    {:%F %H:%M} {}: {}",
                                   std::chrono::sys_seconds{std::chrono::seconds{comment.written}},
                                   printable(comment.author), printable(comment.text));
        session.replica.read([&](const Library& now) {
            now.albums.for_each([&](const std::string& name, const Album& album) {
                if (album.files.contains(content)) session.console.answer("    in album {}", printable(name));
            });
        });
    }
}

/// tag FILE TAG: one change, however many files it is about.
inline void tag_files(Session& session, const Words& words) {
    const std::string tag = shared_text(words, 2);
    const std::set<ContentHash> contents = session.find(words[1]);
    session.replica.batch([&](auto& batch) {
        if (!batch.state().tags.contains(tag)) batch.update(&Library::tags, netsync::add(tag));
        for (const ContentHash content : contents) batch.update(&Library::tags_on_files, content, netsync::add(tag));
    });
}

inline void untag_files(Session& session, const Words& words) {
    const std::string tag = shared_text(words, 2);
    const std::set<ContentHash> contents = session.find(words[1]);
    std::size_t untagged = 0;
    session.replica.batch([&](auto& batch) {
        for (const ContentHash content : contents) {
            const auto* tags = batch.state().tags_on_files.find(content);
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
            [&](ContentHash, const auto& tags) { tags.for_each([&](const std::string& tag) { ++counts[tag]; }); });
    });
    for (const auto& [tag, count] : counts) session.console.answer("{:>6} #{}", count, printable(tag));
}

inline void comment_on_files(Session& session, const Words& words) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const Comment comment{std::chrono::duration_cast<std::chrono::seconds>(now).count(), session.name,
                          shared_text(words, 2)};
    for (const ContentHash content : session.find(words[1]))
        session.replica.update(&Library::comments, content, netsync::add(comment));
}

inline void rescan(Session& session, const Words&) {
    const auto began = std::chrono::steady_clock::now();
    const ScanSummary summary = scan(session.replica, session.root, session.console);
    session.shared_files = summary.files;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    session.console.note("shares {} files: {} new or changed, {} gone, {} left out; {:.1f} s", summary.files,
                         summary.written, summary.removed, summary.left_out, took.count());
}

}  // namespace library
