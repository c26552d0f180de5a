// library: what people see. Answers go to stdout, so that they can be piped; all else goes to stderr.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <netsync/netsync.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace library {

/// Text from files and from other machines, fit for a terminal: control characters, and what is not UTF-8, as \xHH.
inline std::string printable(std::string_view text) {
    const bool utf8 = netsync::is_utf8(text);
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1_control = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8) || c1_control)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += text[i];
    }
    return result;
}

/// 1023 B, 4.0 KiB, 2.0 GiB.
inline std::string human_size(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    double size = static_cast<double>(bytes);
    std::string_view units = "KMGTPE";
    for (size /= 1024; size >= 1024 && units.size() > 1; units.remove_prefix(1)) size /= 1024;
    return fmt::format("{:.1f} {}iB", size, units.front());
}

/// Any thread may write; only one reads. Lines are never mixed, and on a terminal they keep clear of the prompt and of
/// the line that shows progress.
class Console {
   public:
    explicit Console(std::string prompt) : prompt_(std::move(prompt)) {}

    /// Whether somebody types the commands.
    bool is_interactive() const noexcept { return interactive_; }
    /// Whether somebody sees what is noted.
    bool is_terminal() const noexcept { return terminal_; }

    /// One line of the answer to a command.
    template <class... Arguments>
    void answer(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        write(stdout, fmt::format(format, std::forward<Arguments>(arguments)...));
    }

    /// One line about what happened by itself, or went wrong.
    template <class... Arguments>
    void note(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        write(stderr, fmt::format(format, std::forward<Arguments>(arguments)...));
    }

    /// A line that stays at the bottom until it is replaced; an empty one goes. Off a terminal, a line like any other.
    void progress(std::string line) {
        const std::lock_guard lock{mutex_};
        if (!terminal_) {
            if (!line.empty()) fmt::print(stderr, "{}\n", line);
            return;
        }
        bottom_ = std::move(line);
        fmt::print(stderr, "\r\x1b[K{}", bottom_);
    }

    /// The next command; false at the end of the input.
    bool read_line(std::string& line) {
        if (interactive_) progress(prompt_);
        const bool more = static_cast<bool>(std::getline(std::cin, line));
        const std::lock_guard lock{mutex_};
        if (interactive_ && !more) fmt::print(stderr, "\n");
        bottom_.clear();
        return more;
    }

   private:
    void write(std::FILE* file, const std::string& line) {
        const std::lock_guard lock{mutex_};
        if (!bottom_.empty()) fmt::print(stderr, "\r\x1b[K");
        fmt::print(file, "{}\n", line);
        std::fflush(file);
        if (!bottom_.empty()) fmt::print(stderr, "{}", bottom_);
    }

    const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
    const bool interactive_ = terminal_ && ::isatty(STDIN_FILENO) != 0;
    const std::string prompt_;
    std::mutex mutex_;
    std::string bottom_;
};

}  // namespace library
