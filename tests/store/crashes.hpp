// What a SqliteStore goes through: power cuts, calls that fail, and the end of its process, each at any moment. Every
// function says what went wrong; nothing, if nothing did.
#pragma once

#include <netsync/sqlite.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fault_vfs.hpp"
#include "folder.hpp"
#include "patient.hpp"

namespace {

using netsync::Bytes;
using netsync::MemoryStore;
using netsync::SqliteStore;

template <netsync::store Store>
std::vector<netsync::SharedBytes> frames_in(const Store& store) {
    std::vector<netsync::SharedBytes> found;
    store.replay([&](const netsync::SharedBytes& bytes) { return found.push_back(bytes), true; });
    return found;
}

inline bool hold_the_same(const SqliteStore& one, const MemoryStore& other) {
    for (const char* key : {"one", "two"})
        if (one.get(key) != other.get(key)) return false;
    return one.snapshot() == other.snapshot() && frames_in(one) == frames_in(other);
}

/// The bytes of a snapshot that one transaction writes here.
inline constexpr std::size_t snapshot_step = 65'536;

/// A change of a store, to be done again to another one.
struct Change {
    std::function<void(MemoryStore&)> make = [](MemoryStore&) {};
    bool may_come_later = false;       // a snapshot that is written in steps, between commits
    bool comes_with_snapshot = false;  // a cut, which the snapshot before it holds
    bool takes_place_of_all = false;   // nothing that was to come later counts any more
};

/// Random changes of two stores, in step. `large`: some of the snapshots take several steps.
class Changes {
   public:
    explicit Changes(std::uint64_t seed, bool large = false) : random_(seed), large_(large) {}

    Change make(SqliteStore& sqlite, MemoryStore& memory) {
        Change made;
        const auto both = [&](auto&& change) {
            static_cast<void>(change(sqlite)), static_cast<void>(change(memory));
            made.make = [change](MemoryStore& other) { static_cast<void>(change(other)); };
        };
        const std::uint64_t what = random_.below(20);
        if (what < 15) {
            const netsync::ReplicaId origin{1, 1 + random_.below(2)};
            std::uint64_t& last = last_[origin];
            std::vector<netsync::Frame> frames;
            const std::size_t count = random_.below(6) == 0 ? 5 + random_.below(20) : 1;
            while (frames.size() < count)
                frames.push_back(netsync::Frame::make({.origin = origin, .first = ++last, .time = {last}},
                                                      bytes(random_.below(count > 1 ? 300 : 2000)), 0));
            both([=](auto& store) {
                std::error_code error;
                for (const netsync::Frame& frame : frames) error = error ? error : store.append(frame);
                return error;
            });
        } else if (what < 17) {
            const Bytes value = bytes(random_.below(50));
            both([=](auto& store) { return store.put(value.size() % 2 ? "one" : "two", value); });
        } else if (what < 18) {
            const bool is_large = large_ && random_.below(2) == 0;
            const bool compacts = is_large && random_.below(2) == 0;
            const auto is_held = [&](const netsync::ReplicaId& origin, std::uint64_t counter) {
                return memory.frames({origin, counter, counter}, [](const auto&) { return false; });
            };
            std::vector<netsync::Head> heads;
            for (auto& [origin, last] : last_)
                if (!compacts || is_held(origin, last))
                    heads.push_back({origin, last += compacts ? 0 : random_.below(2), 0});
            const bool is_known = std::all_of(heads.begin(), heads.end(), [&](const netsync::Head& head) {
                return is_held(head.replica, head.counter) || covered_[head.replica] >= head.counter;
            });
            covered_.clear();
            for (const netsync::Head& head : heads) covered_[head.replica] = head.counter;
            const netsync::SharedBytes snapshot{
                bytes(is_large ? snapshot_step + 1 + random_.below(5 * snapshot_step) : random_.below(20'000))};
            both([=](auto& store) { return store.adopt(snapshot, heads); });
            made.may_come_later = is_large && is_known;
            made.takes_place_of_all = !made.may_come_later;
        } else if (what < 19) {
            std::vector<netsync::ReplicaCounter> counters;
            for (const auto& [origin, last] : last_) counters.push_back({origin, random_.below(last + 1)});
            both([=](auto& store) { return store.cut(counters); });
            made.comes_with_snapshot = true;
        } else if (random_.below(4) == 0) {
            both([](auto& store) { return store.clear(); });
            covered_.clear();
            made.takes_place_of_all = true;
        }
        return made;
    }

   private:
    Bytes bytes(std::uint64_t size) {
        Bytes made(size);
        for (std::byte& byte : made) byte = static_cast<std::byte>(random_.next());
        return made;
    }

    netsync::detail::Random random_;
    bool large_;
    std::map<netsync::ReplicaId, std::uint64_t> last_, covered_;
};

/// What there is when a commit is done, and a snapshot of it that may come later is not written yet.
inline MemoryStore without_late_snapshot(const MemoryStore& durable, const std::vector<Change>& commit) {
    MemoryStore held = durable.copy();
    bool waits = false;
    for (const Change& change : commit) {
        waits = (waits || change.may_come_later) && !change.takes_place_of_all;
        if (!change.may_come_later && !(waits && change.comes_with_snapshot)) change.make(held);
    }
    return held;
}

/// The file as a crash left it is for the store to open: a copy of it is looked at.
inline std::string integrity_of_copy(const std::string& file) {
    const Folder folder;
    for (const char* end : {"", "-wal", "-journal"})
        if (std::filesystem::exists(file + end)) std::filesystem::copy_file(file + end, folder.file() + end);
    return integrity(folder.file());
}

/// The power goes in the middle of it: what a commit had promised is there, and of the next commit all or nothing.
inline std::string cut_power(std::uint64_t seed) {
    const Folder before, after;
    FaultyDisk disk;
    netsync::detail::Random random{seed};
    const bool large = seed % 5 == 0;
    Changes changes{seed, large};
    MemoryStore memory, durable, durable_at_least;
    std::vector<Change> commit;
    disk.fail_at(1 + random.below(random.below(2) ? 60 : large ? 3000 : 700), SQLITE_IOERR, true);
    auto opened = SqliteStore::open({.file = before.file(), .step = snapshot_step, .vfs = FaultyDisk::name});
    if (opened) {
        SqliteStore store = *std::move(opened);
        for (int step = 0; step < 400; ++step) {
            commit.push_back(changes.make(store, memory));
            if (random.below(6) > 0) continue;
            const bool failed_before = disk.has_failed();  // then this one has nothing to write
            if (store.commit()) break;
            if (!failed_before) durable_at_least = without_late_snapshot(durable, commit);
            durable = memory.copy();
            commit.clear();
        }
        disk.cut_power(after.path(), seed);
    } else {
        disk.cut_power(after.path(), seed);
    }
    if (!std::filesystem::exists(after.file())) return {};  // it had not come so far
    if (const std::string said = integrity_of_copy(after.file()); said != "ok") return "integrity: " + said;
    auto again = SqliteStore::open({.file = after.file(), .synchronous = netsync::Synchronous::off});
    if (!again) return "opening: " + again.error().message();
    const SqliteStore store = *std::move(again);
    if (hold_the_same(store, durable) || hold_the_same(store, memory)) return {};
    if (hold_the_same(store, durable_at_least)) return {};
    if (hold_the_same(store, without_late_snapshot(durable, commit))) return {};
    return "neither what was durable nor what was to be";
}

/// The n-th call to the disk fails, once or until it is mended: nothing is lost, and it goes on.
inline std::string fail_call(std::uint64_t n) {
    const Folder folder;
    FaultyDisk disk;
    Changes changes{n % 16, n % 8 == 0};
    netsync::detail::Random random{n};
    MemoryStore memory;
    const int code = n % 3 == 0 ? SQLITE_FULL : SQLITE_IOERR;
    disk.fail_at(n, code, n % 2 == 0);
    const netsync::SqliteOptions options{.file = folder.file(), .step = snapshot_step, .vfs = FaultyDisk::name};
    auto opened = SqliteStore::open(options);
    const bool failed_to_open = !opened;
    if (!opened) {
        if (opened.error() != netsync::errc::store_io && opened.error() != netsync::errc::store_full)
            return "opening failed with " + opened.error().message();
        disk.mend();
        opened = SqliteStore::open(options);
        if (!opened) return "not opened again: " + opened.error().message();
    }
    {
        SqliteStore store = *std::move(opened);
        for (int step = 0; step < 80; ++step) {
            changes.make(store, memory);
            if (random.below(4) > 0) continue;
            const std::error_code error = store.commit();
            if (!error) continue;
            if (failed_to_open) return "a commit failed after all was well: " + error.message();
            if (error != netsync::errc::store_io && error != netsync::errc::store_full)
                return "a commit failed with " + error.message();
            disk.mend();
            for (std::uint64_t more = random.below(4); more > 0; --more) changes.make(store, memory);
            if (const std::error_code again = store.commit()) return "it does not go on: " + again.message();
        }
        disk.mend();
        if (const std::error_code error = store.commit()) return "the end: " + error.message();
        if (!hold_the_same(store, memory)) return "not the same";
    }
    if (const std::string said = integrity(folder.file()); said != "ok") return "integrity: " + said;
    auto again = SqliteStore::open(options);
    if (!again) return "not opened at the end: " + again.error().message();
    const SqliteStore store = *std::move(again);
    return hold_the_same(store, memory) ? std::string{} : "not the same after a reopening";
}

/// A replica whose process is killed again and again: nothing that was told to be durable is lost, and no counter is used
/// twice.
class Killed {
   public:
    using Set = netsync::OrSet<std::uint64_t>;
    using Writer = netsync::Replica<SqliteStore, netsync::MemoryTransport, netsync::HybridClock, Set>;
    using PatientWriter = netsync::Replica<CountedStore, PatientTransport, netsync::HybridClock, Set>;

    explicit Killed(std::uint64_t seed) : random_(seed) {}

    std::size_t durable() const noexcept { return by_counter_.size(); }

    std::string kill() {
        int ends[2];
        if (pipe(ends) != 0) return "no pipe";
        const std::uint64_t first = next_ += 1'000'000;
        const pid_t child = fork();
        if (child < 0) return "no process";
        if (child == 0) {
            close(ends[0]);
            write(ends[1], first);
        }
        close(ends[1]);
        Told told{};
        const bool begun = read(ends[0], &told, sizeof told) == sizeof told;
        std::this_thread::sleep_for(std::chrono::microseconds{random_.below(25'000)});
        ::kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        if (const std::string said = integrity_of_copy(folder_.file()); begun && said != "ok")
            return close(ends[0]), "integrity: " + said;
        while (begun && read(ends[0], &told, sizeof told) == sizeof told)
            if (const auto [found, fresh] = by_counter_.try_emplace(told.counter, told.value); !fresh) {
                close(ends[0]);
                return "a counter was used twice";
            }
        close(ends[0]);
        return begun ? std::string{} : "the writer did not begin";
    }

    /// Opens the file and looks; and a peer gets all of it.
    std::string check() {
        netsync::MemoryHub hub;
        const auto commits = std::make_shared<Commits>();
        PatientWriter writer{PatientTransport{hub, commits}, options(), CountedStore{file(), commits}};
        if (!id_.is_nil() && writer.id() != id_) return "another id";
        id_ = writer.id();
        const std::uint64_t counter = by_counter_.empty() ? 0 : by_counter_.rbegin()->first;
        const auto heads = writer.report().heads;
        if (counter > 0 && (heads.size() != 1 || heads[0].counter < counter)) return "a counter is lost";
        const Set held = writer.state();
        for (const auto& [at, value] : by_counter_)
            if (!held.contains(value)) return "a durable change is lost";
        netsync::MemoryReplica<Set> peer{hub, netsync::Options{.name = "peer"}};
        for (int round = 0; round < 40 && peer.digest() != writer.digest(); ++round)
            hub.run_for(std::chrono::milliseconds{100});
        return peer.digest() == writer.digest() ? std::string{} : "a peer does not come to the same";
    }

   private:
    struct Told {
        std::uint64_t counter;
        std::uint64_t value;
    };

    static netsync::Options options() {
        netsync::Options options{.name = "writer"};
        options.limits.log = 20'000;  // so that snapshots are taken
        return options;
    }
    netsync::SqliteOptions file() const {
        return {.file = folder_.file(), .synchronous = netsync::Synchronous::off, .step = 65'536};
    }

    [[noreturn]] void write(int pipe, std::uint64_t first) const {
        netsync::MemoryHub hub;
        Writer writer{hub, options(), SqliteStore{file()}};
        std::vector<netsync::Subscription> answers;
        const Told begun{};
        if (::write(pipe, &begun, sizeof begun) < 0) _exit(1);
        for (std::uint64_t value = first;; ++value) {
            const netsync::Token token = writer.update(netsync::add(value));
            if (value % 3 != 0) writer.update(netsync::remove(value));
            if (value % 3 == 0)
                answers.push_back(writer.on_durable(token, [=](std::error_code error) {
                    const Told told{token.counter, value};
                    if (!error && ::write(pipe, &told, sizeof told) < 0) _exit(1);
                }));
            if (value % 8 == 0) hub.run_for(std::chrono::milliseconds{100});
            if (value % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }

    const Folder folder_;
    netsync::detail::Random random_;
    netsync::ReplicaId id_{};
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, std::uint64_t> by_counter_;
};

}  // namespace
