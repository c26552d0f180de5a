// library: the prompt. Lines come in; each is one command of the table, or one clear message.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "album_commands.hpp"
#include "file_commands.hpp"
#include "pool_commands.hpp"
#include "session.hpp"
#include "words.hpp"

namespace library {

struct Command {
    std::string_view name;
    std::string_view arguments;
    std::string_view what;
    std::size_t least_arguments;
    void (*run)(Session&, const Words&);
};

inline constexpr std::array commands{
    Command{"ls", "[FILE | '#TAG']", "hash, size, places and tags", 0, list_files},
    Command{"show", "FILE", "everything about it", 1, show_file},
    Command{"tag", "FILE TAG", "tags it for everybody", 2, tag_files},
    Command{"untag", "FILE TAG", "takes the tag away, as far as it was given until now", 2, untag_files},
    Command{"tags", "", "all tags, and how many files have them", 0, list_tags},
    Command{"comment", "FILE TEXT", "adds a comment", 2, comment_on_files},
    Command{"album", "[NAME [add FILE | remove FILE | title TEXT | delete]]", "shows or changes albums", 0, album},
    Command{"peers", "", "who else is in the pool", 0, list_peers},
    Command{"status", "", "how this replica is doing", 0, show_status},
    Command{"digest", "", "64 bits over all that is shared", 0, show_digest},
    Command{"rescan", "", "reads what changed in the directory", 0, rescan},
    Command{"offline", "", "leaves the network; commands go on", 0, go_offline},
    Command{"online", "", "comes back", 0, go_online},
    Command{"wait", "peers N | digest HEX | passed-on  [SECONDS]", "until it is so, 10 s at most", 1, wait_for},
    Command{"echo", "TEXT", "says it", 0, echo},
};

inline void show_help(Console& console) {
    for (const Command& command : commands)
        console.answer("{:<8} {:<53} {}", command.name, command.arguments, command.what);
    console.answer("{:<62} {}", "quit", "ends; so does the end of the input");
    console.answer("FILE is a path, NAME:PATH, a pattern of these with * and ?, or a hash or its first digits");
}

/// Throws std::runtime_error, whose text is for the one who typed it.
inline void run_command(Session& session, const Words& words) {
    if (words[0] == "help") return show_help(session.console);
    const auto command =
        std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == words[0]; });
    if (command == commands.end())
        throw CommandFailed(fmt::format("unknown command: {}: help lists those there are", printable(words[0])));
    if (words.size() <= command->least_arguments)
        throw CommandFailed(fmt::format("say: {} {}", command->name, command->arguments));
    command->run(session, words);
}

/// Runs commands until `quit` or the end of the input. True if all of them succeeded.
inline bool run_prompt(Session& session) {
    bool all_succeeded = true;
    for (std::string line; session.console.read_line(line);) {
        try {
            const Words words = split_words(line);
            if (words.empty() || words[0].starts_with('#')) continue;
            if (words[0] == "quit") break;
            run_command(session, words);
        } catch (const std::runtime_error& failed) {
            session.console.note("{}", failed.what());
            all_succeeded = false;
        }
    }
    return all_succeeded;
}

}  // namespace library
