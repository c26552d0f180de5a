// library: which files a person means. Typed text comes in, content hashes go out.
#pragma once

#include <fnmatch.h>

#include <charconv>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <system_error>

#include "files_view.hpp"
#include "session.hpp"

namespace library {

/// `NAME:PATH`.
inline std::set<ContentHash> find_at_owner(const FilesView& view, const Names& names, const std::string& text) {
    for (const auto& [owner, name] : names)
        if (text.starts_with(name + ':'))
            if (const auto content = view.at(Place{text.substr(name.size() + 1), owner})) return {*content};
    return {};
}

/// A path or NAME:PATH with * and ?, which also stand for '/'.
inline std::set<ContentHash> find_pattern(const FilesView& view, const Names& names, const std::string& pattern) {
    const auto fits = [&](const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0; };
    const bool has_name = pattern.find(':') != std::string::npos;
    std::set<ContentHash> found;
    for (const auto& [content, file] : view.files())
        for (const Place& place : file.places)
            if (fits(place.path) || (has_name && fits(name_of(place.owner, names) + ':' + place.path)))
                found.insert(content);
    return found;
}

/// A hash or its first digits, four at least. Throws CommandFailed where several begin so.
inline std::set<ContentHash> find_hash(const FilesView& view, std::string_view digits) {
    std::uint64_t first = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), first, 16);
    if (error != std::errc{} || end != digits.data() + digits.size() || digits.size() < 4 || digits.size() > 16)
        return {};
    const auto open_bits = static_cast<unsigned>(4 * (16 - digits.size()));
    first <<= open_bits;
    auto found = view.between(ContentHash{first}, ContentHash{first | ((std::uint64_t{1} << open_bits) - 1)});
    if (found.size() > 1)
        throw CommandFailed(fmt::format("{} files begin with {}: give more digits", found.size(), digits));
    return found;
}

/// A path of ours, or else of anybody, NAME:PATH, a pattern, or a hash. Throws CommandFailed where there are none.
inline std::set<ContentHash> find_files(const Session& session, const std::string& text) {
    const Names names = session.names();
    std::set<ContentHash> found = session.files([&](const FilesView& view) {
        if (const auto ours = view.at(Place{text, session.replica.id().owner()})) return std::set{*ours};
        if (auto anybodys = view.at(text); !anybodys.empty()) return anybodys;
        if (auto at_owner = find_at_owner(view, names, text); !at_owner.empty()) return at_owner;
        if (text.find_first_of("*?") != std::string::npos) return find_pattern(view, names, text);
        return find_hash(view, text);
    });
    if (found.empty())
        throw CommandFailed(fmt::format("no file is {}: give a path, NAME:PATH, a pattern or a hash", printable(text)));
    return found;
}

}  // namespace library
