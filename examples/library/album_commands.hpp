// library: the command about albums: files that belong together, by content.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "find.hpp"
#include "session.hpp"
#include "words.hpp"

namespace library {

inline std::string title_of(const std::string& name, const Album& album) {
    return printable(album.title.has_value() ? name + ": " + album.title.value() : name);
}

inline void list_albums(Session& session) {
    std::map<std::string, std::size_t> albums;
    session.replica.read([&](const Library& now) {
        now.albums.for_each(
            [&](const std::string& name, const Album& album) { albums[title_of(name, album)] = album.files.size(); });
    });
    for (const auto& [title, files] : albums) session.console.answer("{:>6} files in {}", files, title);
}

inline void show_album(Session& session, const std::string& name) {
    if (!session.replica.get(&Library::albums).contains(name))
        throw CommandFailed(fmt::format("there is no album {}", printable(name)));
    const Album album = session.replica.get(&Library::albums, name);
    session.console.answer("{}", title_of(name, album));
    album.files.for_each(
        [&](ContentHash content) { session.console.answer("    {} {}", to_string(content), session.label(content)); });
}

/// album; album NAME; album NAME add FILE, remove FILE, title TEXT, delete.
inline void album(Session& session, const Words& words) {
    if (words.size() == 1) return list_albums(session);
    const std::string name = shared_text({words[1]}, 0);
    if (words.size() == 2) return show_album(session, name);
    const std::string& what = words[2];
    if (what == "delete" && words.size() == 3) {
        session.replica.update(&Library::albums, netsync::remove(name));
    } else if (what == "title" && words.size() > 3) {
        session.replica.update(&Library::albums, name, &Album::title, netsync::assign(shared_text(words, 3)));
    } else if ((what == "add" || what == "remove") && words.size() == 4) {
        const auto contents = find_files(session, words[3]);
        session.replica.batch([&](auto& batch) {
            for (const ContentHash content : contents) {
                if (what == "add")
                    batch.update(&Library::albums, name, &Album::files, netsync::add(content));
                else
                    batch.update(&Library::albums, name, &Album::files, netsync::remove(content));
            }
        });
    } else {
        throw CommandFailed("say: album NAME add FILE | remove FILE | title TEXT | delete");
    }
}

}  // namespace library
