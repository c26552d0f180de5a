// library: the commands about the pool: who is there, how we are doing, and waiting for others.
#pragma once

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <netsync/format.hpp>
#include <string>
#include <system_error>
#include <thread>

#include "session.hpp"
#include "words.hpp"

namespace library {

inline double in_ms(netsync::Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

inline std::size_t live_members(const netsync::Report& report) {
    return static_cast<std::size_t>(
        std::count_if(report.members.begin(), report.members.end(),
                      [](const netsync::Member& member) { return member.state == netsync::MemberState::live; }));
}

/// Whether every live member is known to hold all that was changed here.
inline bool is_passed_on(const netsync::Report& report) {
    const auto own = [&](const netsync::Head& head) { return head.replica == report.replica; };
    const auto made = std::find_if(report.heads.begin(), report.heads.end(), own);
    if (made == report.heads.end()) return true;
    return std::all_of(report.members.begin(), report.members.end(), [&](const netsync::Member& member) {
        const auto held = std::find_if(member.heads.begin(), member.heads.end(), own);
        return member.state != netsync::MemberState::live ||
               (held != member.heads.end() && held->counter >= made->counter);
    });
}

inline void list_peers(Session& session, const Words&) {
    for (const netsync::Member& member : session.replica.report().members)
        session.console.answer("{} is {} at {}, round trip {:.1f} ms, clock {:+.1f} ms", printable(member.name),
                               member.state, member.endpoint, in_ms(member.round_trip), in_ms(member.skew));
}

inline void show_digest(Session& session, const Words&) {
    session.console.answer("digest {:016x}", session.replica.digest());
}

/// One line a fact, its name first; the digest is the last.
inline void show_status(Session& session, const Words& words) {
    Console& console = session.console;
    const netsync::Report report = session.replica.report();
    const Names names = session.names();
    console.answer("name {}", printable(session.name));
    console.answer("pool {}", printable(report.pool));
    console.answer("replica {}", report.replica);
    console.answer("state {}", report.state);
    console.answer("port {}", report.port);
    console.answer("members {} live of {}", live_members(report), report.members.size());
    std::map<std::string, std::size_t> paths;
    std::size_t tagged = 0, comments = 0, albums = 0, tags = 0;
    session.replica.read([&](const Library& now) {
        now.file_paths.for_each(
            [&](netsync::OwnerId owner, const Paths& part) { paths[name_of(owner, names)] = part.size(); });
        now.tags_on_files.for_each([&](ContentHash, const Tags& on_file) { tagged += on_file.size(); });
        now.comments.for_each([&](ContentHash, const Comments& on_file) { comments += on_file.size(); });
        tags = now.tags.size();
        albums = now.albums.size();
    });
    for (const auto& [owner, count] : paths) console.answer("paths {} {}", count, owner);
    console.answer("files {}", session.files([](const FilesView& view) { return view.files().size(); }));
    console.answer("tags {} given {}", tags, tagged);
    console.answer("comments {}", comments);
    console.answer("albums {}", albums);
    console.answer("bytes_in {}", report.traffic.bytes_in);
    console.answer("bytes_out {}", report.traffic.bytes_out);
    if (report.store_error) console.answer("store {}", report.store_error.message());
    show_digest(session, words);
}

inline std::uint64_t to_number(const std::string& text, int base = 10) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        throw CommandFailed(fmt::format("expected a number: {}", printable(text)));
    return number;
}

/// Looks again and again until `condition()` holds. False when it does not within `seconds`.
template <class Condition>
bool comes_true(std::chrono::seconds seconds, Condition&& condition) {
    const auto deadline = std::chrono::steady_clock::now() + seconds;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
}

/// Whether all that was done here is in the file, within so long.
inline bool is_durable_within(Replica& replica, std::chrono::seconds seconds) {
    const netsync::Report report = replica.report();
    const auto own = std::find_if(report.heads.begin(), report.heads.end(),
                                  [&](const netsync::Head& head) { return head.replica == report.replica; });
    if (own == report.heads.end()) return true;
    std::atomic<bool> durable{false};
    const netsync::Subscription asked =
        replica.on_durable({own->replica, own->counter}, [&](std::error_code error) { durable = !error; });
    return comes_true(seconds, [&] { return durable.load(); });
}

/// wait peers N [SECONDS], wait digest HEX [SECONDS], wait passed-on [SECONDS], wait durable [SECONDS]: for scripts.
inline void wait_for(Session& session, const Words& words) {
    const bool has_value = words[1] != "passed-on" && words[1] != "durable";
    if (words.size() < (has_value ? 3u : 2u))
        throw CommandFailed(fmt::format("wait {} for what?", printable(words[1])));
    const std::size_t at = has_value ? 3 : 2;
    const std::chrono::seconds seconds{words.size() > at ? std::min<std::uint64_t>(to_number(words[at]), 86'400) : 10};
    bool came = false;
    if (words[1] == "peers") {
        const std::uint64_t wanted = to_number(words[2]);
        came = comes_true(seconds, [&] { return live_members(session.replica.report()) >= wanted; });
    } else if (words[1] == "digest") {
        const std::uint64_t wanted = to_number(words[2], 16);
        came = comes_true(seconds, [&] { return session.replica.digest() == wanted; });
    } else if (words[1] == "passed-on") {
        came = comes_true(seconds, [&] { return is_passed_on(session.replica.report()); });
    } else if (words[1] == "durable") {
        came = is_durable_within(session.replica, seconds);
    } else {
        throw CommandFailed("say: wait peers N | digest HEX | passed-on | durable, and how many SECONDS at most");
    }
    if (!came) throw CommandFailed(fmt::format("waited {} s for {} in vain", seconds.count(), printable(words[1])));
}

/// For scripts: where the answers to the commands before it end.
inline void echo(Session& session, const Words& words) {
    session.console.answer("{}", printable(shared_text(words, 1)));
}

/// Out of the network: what is changed here and there meanwhile is concurrent.
inline void go_offline(Session& session, const Words&) { session.replica.stop(); }

inline void go_online(Session& session, const Words&) {
    if (const std::error_code error = session.replica.start())
        throw CommandFailed(fmt::format("cannot go online: {}", error.message()));
}

}  // namespace library
