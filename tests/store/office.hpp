// A pool of replicas on files, in virtual time.
#pragma once

#include <netsync/sqlite.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "folder.hpp"
#include "patient.hpp"

namespace {

using namespace netsync;
using namespace std::chrono_literals;

using Notes = LwwMap<std::string, std::string>;
using Desk = Replica<CountedStore, PatientTransport, ManualClock, Notes>;
using Witness = Replica<MemoryStore, MemoryTransport, ManualClock, Notes>;

/// A pool of which some keep their data in files of a folder. Another start of the clock is another run: what a frame's
/// hash decides falls otherwise.
struct Office {
    explicit Office(Duration start = 0s) { wall.advance(start); }

    std::unique_ptr<Desk> open(const std::string& name, const std::string& file, std::uint64_t seed = 0) {
        return open_on(hub, name, file, seed);
    }
    std::unique_ptr<Desk> open_on(MemoryHub& network, const std::string& name, const std::string& file,
                                  std::uint64_t seed = 0) {
        Options options{.name = name, .file = folder.file(file), .seed = seed};
        options.limits.log = 4000;  // so that snapshots are taken
        return std::make_unique<Desk>(
            PatientTransport{network, commits}, options,
            CountedStore{{.file = options.file, .synchronous = Synchronous::off, .step = 65'536, .vfs = vfs}, commits},
            ManualClock{100ms, wall});
    }
    void run_for(Duration time) {
        for (Duration passed{}; passed < time; passed += 10ms) {
            commits->wait();
            hub.run_for(10ms);
            wall.advance(10ms);
        }
    }
    void copy(const std::string& from, const std::string& to) const {
        std::filesystem::copy_file(folder.file(from), folder.file(to),
                                   std::filesystem::copy_options::overwrite_existing);
        for (const char* end : {"-wal", "-shm"}) std::filesystem::remove(folder.file(to) + end);
    }

    const Folder folder;
    const std::shared_ptr<Commits> commits = std::make_shared<Commits>();
    MemoryHub hub;
    ManualTime wall;
    std::string vfs{};  // of SQLite
    Witness witness{MemoryTransport{hub}, Options{.name = "witness", .seed = 7}, MemoryStore{},
                    ManualClock{100ms, wall}};
};

bool holds(const auto& replica, const std::string& key, const std::string& value) {
    return replica.read([&](const Notes& notes) { return notes.contains(key) && *notes.find(key) == value; });
}

}  // namespace
