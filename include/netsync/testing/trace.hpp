// netsync: what happened in a simulation. Events come in; a hash of all of them, the latest ones as text, and if asked
// a printed line each go out.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <netsync/detail/hash.hpp>
#include <netsync/options.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace netsync::testing {

/// What an event was. `machine` did it or met it.
enum class Happened : std::uint8_t {
    started,
    stopped,
    crashed,
    changed,
    sent,
    delivered,
    lost,
    duplicated,
    damaged,
    skipped,
    announced,
    dialed,
    opened,
    closed,
    woken,
    appended,
    adopted,
    committed,
    fault_begins,
    fault_ends,
    healing,
    failed,
};

constexpr std::string_view to_string(Happened what) noexcept {
    constexpr std::array<std::string_view, 22> names{
        "started", "stopped",   "crashed",      "changed",    "sent",    "delivered", "lost",  "duplicated",
        "damaged", "skipped",   "announced",    "dialed",     "opened",  "closed",    "woken", "appended",
        "adopted", "committed", "fault begins", "fault ends", "healing", "failed"};
    return names[static_cast<std::size_t>(what)];
}

/// Two runs with one hash did the same, byte for byte. Costs a few nanoseconds an event; text is made only when read.
class Trace {
   public:
    explicit Trace(bool print = false) : print_(print) {}

    void add(Duration time, Happened what, std::size_t machine, std::uint64_t first = 0, std::uint64_t second = 0) {
        const Entry entry{time, what, static_cast<std::uint32_t>(machine), first, second};
        hash_ = detail::mix(hash_ ^ static_cast<std::uint64_t>(time.count()),
                            (static_cast<std::uint64_t>(machine) << 8) | static_cast<std::uint64_t>(what));
        hash_ = detail::mix(hash_ ^ first, second);
        latest_[count_++ % latest_.size()] = entry;
        if (print_) std::fprintf(stderr, "%s\n", text_of(entry).c_str());
    }

    std::uint64_t hash() const noexcept { return hash_; }
    /// Events so far.
    std::uint64_t size() const noexcept { return count_; }

    /// The latest events, oldest first.
    std::vector<std::string> tail() const {
        std::vector<std::string> lines;
        for (std::uint64_t at = count_ < latest_.size() ? 0 : count_ - latest_.size(); at < count_; ++at)
            lines.push_back(text_of(latest_[at % latest_.size()]));
        return lines;
    }

   private:
    struct Entry {
        Duration time{};
        Happened what{};
        std::uint32_t machine = 0;
        std::uint64_t first = 0;
        std::uint64_t second = 0;
    };

    static std::string text_of(const Entry& entry) {
        std::array<char, 128> line{};
        const std::string_view what = to_string(entry.what);
        std::snprintf(line.data(), line.size(), "%12.6f  machine %-3u  %-12.*s  %llu %llx",
                      static_cast<double>(entry.time.count()) / 1e9, entry.machine, static_cast<int>(what.size()),
                      what.data(), static_cast<unsigned long long>(entry.first),
                      static_cast<unsigned long long>(entry.second));
        return line.data();
    }

    bool print_;
    std::uint64_t hash_ = 0;
    std::uint64_t count_ = 0;
    std::array<Entry, 48> latest_{};
};

}  // namespace netsync::testing
