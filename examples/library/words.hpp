// library: a typed line as words.
#pragma once

#include <cstddef>
#include <netsync/netsync.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "session.hpp"

namespace library {

using Words = std::vector<std::string>;

/// Cut at blanks, but not within '...' or "..."; a backslash takes the next character as it is. Throws CommandFailed
/// for a quote that does not end.
inline Words split_words(std::string_view line) {
    Words words;
    std::optional<std::string> word;
    char quote = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        if (quote == 0 && (c == ' ' || c == '\t' || c == '\r')) {
            if (word) words.push_back(*std::exchange(word, std::nullopt));
            continue;
        }
        if (!word) word.emplace();
        if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (c == quote && quote != 0)
            quote = 0;
        else if (c == '\\' && quote != '\'' && at + 1 < line.size())
            *word += line[++at];
        else
            *word += c;
    }
    if (quote != 0) throw CommandFailed(fmt::format("a quote does not end: {}", quote));
    if (word) words.push_back(*word);
    return words;
}

/// The words from `first` on as one text to be shared. Throws CommandFailed where it is empty or not UTF-8.
inline std::string shared_text(const Words& words, std::size_t first) {
    std::string text;
    for (std::size_t at = first; at < words.size(); ++at) text += (at == first ? "" : " ") + words[at];
    if (text.empty()) throw CommandFailed("an empty text says nothing");
    if (!netsync::is_utf8(text)) throw CommandFailed(fmt::format("this is not UTF-8: {}", printable(text)));
    return text;
}

}  // namespace library
