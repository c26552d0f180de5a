// library: a file library that one's machines share without a server. From here it is arguments, pool, scan, prompt.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>

#include "arguments.hpp"
#include "commands.hpp"
#include "console.hpp"
#include "library.hpp"
#include "news.hpp"
#include "session.hpp"

namespace library {

using namespace std::chrono_literals;

/// False, and said why, where the replica cannot go on the network.
bool start(Replica& replica, const netsync::Options& options, Console& console) {
    const std::error_code error = replica.start();
    if (!error) return true;
    if (error == std::errc::address_in_use && options.port != 0)
        console.note("port {} is in use: choose another --port, or leave it to chance", options.port);
    else if (error == std::errc::address_in_use)
        console.note("UDP port {} is in use: choose another --discovery-port for the pool", options.discovery_port);
    else
        console.note("cannot go on the network: {}", error.message());
    return false;
}

/// Waits until we have what the pool has, or nobody seems to be there: who comes later is met later.
void join_pool(Session& session) {
    const auto is_alone = [&] { return session.replica.report().state == netsync::JoinState::alone; };
    if (!comes_true(1s, [&] { return !is_alone(); })) return session.console.note("nobody else is here yet");
    const auto is_settled = [&] { return is_alone() || session.replica.report().state == netsync::JoinState::ready; };
    if (!comes_true(30s, is_settled)) session.console.note("what the pool has is still under way");
}

/// Two programs of one name would write the same part, and each scan would undo the other's.
bool is_name_taken(Session& session) {
    const netsync::Report report = session.replica.report();
    return std::any_of(report.members.begin(), report.members.end(), [&](const netsync::Member& member) {
        return member.state == netsync::MemberState::live && member.replica.owner() == report.replica.owner();
    });
}

int run(const Arguments& arguments) {
    netsync::Options options = arguments.options;
    options.manual_start = true;  // not before there is something to share, and somebody to tell of it
    Console console{options.name + "> "};
    std::error_code error;
    std::filesystem::directory_iterator(arguments.files, error);
    if (error) {
        console.note("cannot read {}: {}", printable(arguments.files.string()), error.message());
        return 1;
    }
    Replica replica{options};
    if (const std::error_code unusable = replica.report().store_error) {
        console.note("cannot keep data in {}: {}", printable(options.file), unusable.message());
        return 1;
    }
    Session session{replica, console, options.name, arguments.files};
    const News news{session};
    if (!start(replica, options, console)) return 1;
    join_pool(session);
    if (is_name_taken(session)) {
        session.note_that_name_is_taken();
        return 1;
    }
    if (replica.get(&Library::names, netsync::mine).value() != options.name)
        replica.update(&Library::names, netsync::mine, netsync::assign(options.name));
    rescan(session, {});
    const bool all_succeeded = run_prompt(session);
    if (!comes_true(5s, [&] { return is_passed_on(replica.report()); }))
        console.note("not everybody has our latest changes");
    return all_succeeded || console.is_interactive() ? 0 : 1;
}

}  // namespace library

int main(int argc, char** argv) try {
    const library::Arguments arguments = library::parse_arguments({argv, static_cast<std::size_t>(argc)});
    if (!arguments.help) return library::run(arguments);
    fmt::print("{}", library::usage);
    return 0;
} catch (const library::BadArguments& bad) {
    fmt::print(stderr, "library: {}\n{}", bad.what(), "library --help says more\n");
    return 2;
} catch (const std::exception& error) {
    fmt::print(stderr, "library: {}\n", error.what());
    return 1;
}
