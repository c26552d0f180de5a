// A replica that does what its standard input says, a word a line: `add FROM TO`, `size`, `members`, `digest`, `quit`.
//
//     peer NAME POOL PORT [HOST:PORT]...
#include <netsync/lan.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    netsync::Options options{.pool = argv[2], .name = argv[1]};
    options.port = static_cast<std::uint16_t>(std::atoi(argv[3]));
    for (int i = 4; i < argc; ++i) options.peers.emplace_back(argv[i]);
    netsync::LanReplica<netsync::OrSet<std::uint64_t>> replica{options};
    for (std::string word; std::cin >> word && word != "quit";) {
        if (word == "add") {
            std::uint64_t from = 0, to = 0;
            std::cin >> from >> to;
            for (; from < to; ++from) replica.update(netsync::add(from));
            std::cout << "added" << std::endl;
        } else if (word == "size") {
            std::cout << replica.read([](const auto& set) { return set.size(); }) << std::endl;
        } else if (word == "digest") {
            std::cout << replica.digest() << std::endl;
        } else if (word == "members") {
            std::size_t live = 0;
            for (const netsync::Member& member : replica.report().members)
                live += member.state == netsync::MemberState::live ? 1 : 0;
            std::cout << live << std::endl;
        }
    }
}
