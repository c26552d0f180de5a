// library: the command line.
#pragma once

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <netsync/netsync.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "console.hpp"

namespace library {

inline constexpr std::string_view usage =
    "usage: library --files DIR [--data FILE] [--name NAME] [--pool NAME] [--peer HOST:PORT]... [--port PORT]\n"
    "               [--discovery-port PORT]\n"
    "\n"
    "Shares which files are below DIR with every library of the same pool, and tags, comments and albums about them.\n"
    "The files themselves stay where they are. At its prompt, or piped in: help lists the commands.\n"
    "\n"
    "  --data   where it keeps what it knows, also of the others; by default \"library.db\"\n"
    "  --name   of this machine, one of a kind in its pool; by default its host name\n"
    "  --pool   who shares with whom; by default \"library\"\n"
    "  --peer   a machine that announcements do not reach\n"
    "  --port   to listen on; by default any that is free\n"
    "  --discovery-port  for announcements, the same for all; by default 21075\n";

/// A command line that makes no sense; the text says what was expected.
struct BadArguments : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline constexpr std::size_t most_in_name = 100;  // it travels in every announcement

struct Arguments {
    std::filesystem::path files{};
    netsync::Options options{.pool = "library", .file = "library.db"};
    bool help = false;
};

inline std::uint16_t to_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port == 0)
        throw BadArguments(fmt::format("expected a port from 1 to 65535: {}", printable(text)));
    return port;
}

inline std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "library";
}

/// Throws BadArguments.
inline Arguments parse_arguments(std::span<char*> words) {
    Arguments result;
    netsync::Options& options = result.options;
    for (std::size_t at = 1; at < words.size(); ++at) {
        const std::string_view option = words[at];
        if (option == "--help") {
            result.help = true;
            return result;
        }
        const bool known = option == "--files" || option == "--data" || option == "--name" || option == "--pool" ||
                           option == "--peer" || option == "--port" || option == "--discovery-port";
        if (!known) throw BadArguments(fmt::format("unknown option: {}", printable(option)));
        if (at + 1 == words.size()) throw BadArguments(fmt::format("{} needs a value", option));
        const std::string_view value = words[++at];
        if (option == "--files") result.files = value;
        if (option == "--data") options.file = value;
        if (option == "--name") options.name = value;
        if (option == "--pool") options.pool = value;
        if (option == "--peer") options.peers.emplace_back(value);
        if (option == "--port") options.port = to_port(value);
        if (option == "--discovery-port") options.discovery_port = to_port(value);
    }
    if (result.files.empty()) throw BadArguments("--files DIR is missing: what is to be shared?");
    if (options.file.empty()) throw BadArguments("--data needs the name of a file");
    if (options.name.empty()) options.name = host_name();
    for (const std::string& name : {options.name, options.pool}) {
        if (!netsync::is_utf8(name)) throw BadArguments(fmt::format("this name is not UTF-8: {}", printable(name)));
        if (name.size() > most_in_name) throw BadArguments(fmt::format("a name has at most {} bytes", most_in_name));
    }
    for (const std::string& peer : options.peers)
        if (const auto endpoint = netsync::parse_endpoint(peer); !endpoint)
            throw BadArguments(fmt::format("{}: {}", endpoint.error().message(), printable(peer)));
    return result;
}

}  // namespace library
