// netsync: what may go wrong in a simulation, and how often. Options come in, each seed draws its own mix from them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <netsync/detail/random.hpp>
#include <netsync/detail/reflect.hpp>
#include <netsync/options.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace netsync::testing {

/// Numbers are shares of the messages, in 1/1000: with any of them a link no longer keeps its promise to deliver once
/// and in order. Durations are the mean time between two faults of a kind; zero: never.
struct Faults {
    unsigned loss = 0;
    unsigned duplication = 0;
    unsigned reordering = 0;  ///< overtaken by later messages
    unsigned bit_flips = 0;
    Duration delay{};  ///< of a message, at most; zero: 2 ms

    Duration broken_links{};
    Duration flapping{};            ///< the links between two machines break again and again
    Duration partitions{};          ///< the pool falls into two parts that do not hear each other
    Duration one_way_partitions{};  ///< one part no longer hears the other
    Duration slow_peers{};          ///< a machine receives a few hundred bytes a second: its links are backlogged
    Duration pauses{};              ///< a process stands still, up to 8 s
    Duration crashes{};             ///< with restart, before, in or after a commit; what was not committed is lost
    Duration full_disks{};          ///< nothing can be appended for a while
    Duration io_errors{};           ///< nothing can be committed for a while
    Duration clock_jumps{};         ///< of the wall clock: 1 h ahead or behind, 10 years ahead, standing still

    Duration wiped_disks{};       ///< a machine restarts with nothing
    Duration restored_backups{};  ///< a machine restarts with what its disk held some time ago
    Duration clones{};            ///< a machine restarts with a copy of another one's disk

    friend bool operator==(const Faults&, const Faults&) = default;
};

/// The names of the members of Faults, in their order.
inline constexpr std::array<std::string_view, 18> fault_names{
    "loss",        "duplication",        "reordering",       "bit_flips", "delay",   "broken_links", "flapping",
    "partitions",  "one_way_partitions", "slow_peers",       "pauses",    "crashes", "full_disks",   "io_errors",
    "clock_jumps", "wiped_disks",        "restored_backups", "clones"};

namespace faults {

/// A network that keeps its promises, and machines that run.
inline Faults none() { return {}; }

/// Messages that are lost, repeated, overtaken, late and damaged.
inline Faults messages() {
    return {
        .loss = 300, .duplication = 500, .reordering = 300, .bit_flips = 10, .delay = std::chrono::milliseconds{300}};
}

/// Links, processes, disks and clocks that fail; what a link delivers is in order.
inline Faults machines() {
    using namespace std::chrono_literals;
    return {.delay = 100ms,
            .broken_links = 10s,
            .flapping = 40s,
            .partitions = 25s,
            .one_way_partitions = 40s,
            .slow_peers = 40s,
            .pauses = 15s,
            .crashes = 20s,
            .full_disks = 40s,
            .io_errors = 30s,
            .clock_jumps = 30s};
}

/// Identities that are lost, or in use twice.
inline Faults identities() {
    using namespace std::chrono_literals;
    return {.wiped_disks = 60s, .restored_backups = 60s, .clones = 60s};
}

/// The members of `b` that are not zero, and those of `a` elsewhere.
inline Faults join(Faults a, const Faults& b) {
    const auto take = [](auto& mine, const auto& theirs) {
        if (theirs != std::decay_t<decltype(theirs)>{}) mine = theirs;
    };
    detail::for_each_field(take, a, b);
    return a;
}

/// Everything.
inline Faults all() { return join(join(messages(), machines()), identities()); }

/// The mix of one seed: each kind with probability 1/2, then up to as often as `most` says. A kind's part does not
/// depend on the others, so leaving one out changes nothing else.
inline Faults draw(const Faults& most, std::uint64_t seed) {
    Faults drawn = most;
    std::uint64_t kind = 0;
    const auto choose = [&]<class Member>(Member& member) {
        detail::Random random{detail::mix(seed, 0x6661756c74u + kind++)};
        if (member == Member{}) return;
        if (random.below(2) == 0)
            member = Member{};
        else if constexpr (std::is_same_v<Member, Duration>)
            member *= static_cast<std::int64_t>(1 + random.below(3));
        else
            member = 1 + static_cast<unsigned>(random.below(member));
    };
    detail::for_each_field(choose, drawn);
    drawn.delay = most.delay / static_cast<std::int64_t>(1 + detail::Random{seed}.below(50));
    return drawn;
}

}  // namespace faults

/// As one would write it: `{.loss = 300, .partitions = 25000ms}`.
inline std::string to_string(const Faults& faults) {
    std::string text;
    std::size_t kind = 0;
    const auto append = [&]<class Member>(const Member& member) {
        const std::string_view name = fault_names[kind++];
        if (member == Member{}) return;
        text += (text.empty() ? "." : ", .") + std::string(name) + " = ";
        if constexpr (std::is_same_v<Member, Duration>)
            text += std::to_string(member.count()) + "ns";
        else
            text += std::to_string(member);
    };
    detail::for_each_field(append, faults);
    return '{' + text + '}';
}

}  // namespace netsync::testing
