// A struct with the library's types in it, and a workload that knows what must be seen of it.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/testing.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace simulated {

using namespace netsync;

struct Album {
    LwwRegister<std::string> title{};
    OrSet<std::string> tags{};
};

struct Library {
    OrMap<std::string, Album> albums{};
    OrSet<std::uint64_t> tickets{};              // each added once, never again
    LwwMap<std::string, std::uint64_t> notes{};  // each value written once
    Owned<LwwMap<std::string, std::uint64_t>> files{};
    PnCounter visits{};
    LwwSet<std::string> labels{};
};

/// Changes everything at random, and remembers what it did.
class Librarian {
   public:
    using Wrong = std::optional<std::string>;

    bool removes_labels = false;  ///< also makes tombstones
    bool retires = false;         ///< also gives up members, present or not
    bool at_every_moment = true;  ///< equal version vectors, equal reads; false: in the end

    template <class Replica>
    Wrong operator()(Replica& replica, testing::Random& random, const testing::Machine& machine) {
        here_ = {machine.number, machine.disk.replaced()};
        if (retires && random.below(40) == 0) retire_somebody(replica, random);
        switch (random.below(removes_labels ? 10 : 8)) {
        case 0: return add_ticket(replica);
        case 1: return remove_ticket(replica, random);
        case 2:
        case 3: return write_note(replica, random);
        case 4: return write_file(replica, random);
        case 5: return visit(replica);
        case 8:
        case 9: return label(replica, random);
        default: return edit_album(replica, random);
        }
    }

    Wrong check(const testing::Observation<Library>& seen) {
        replaced_[seen.machine] = seen.disk.replaced();
        if (Wrong wrong = check_tickets(seen)) return wrong;
        if (Wrong wrong = check_notes(seen)) return wrong;
        Wrong wrong;
        seen.state.files.for_each([&](OwnerId owner, const auto& files) {
            files.for_each([&](const std::string&, std::uint64_t author) {
                if (OwnerId{author} != owner) wrong = "a part of an Owned was written by another than its owner";
            });
        });
        if (!wrong) wrong = check_reads(seen);
        const auto visits = seen.state.visits.value();
        const auto [least, known_most] = count_held(visits_, seen);
        const auto most = known_most + count_held(doubtful_visits_, seen).second + unanswered_visits_;
        if (visits < least || visits > most)
            wrong = "a counter says " + std::to_string(visits) + " where " + std::to_string(least) + " to " +
                    std::to_string(most) + " were counted";
        return wrong;
    }

   private:
    static std::string key(testing::Random& random) { return std::string(1, static_cast<char>('a' + random.below(3))); }

    /// Calls `f` when a change is on the disk: now, later or never. One that is not may be lost in a crash, and its counter
    /// used again.
    template <netsync::store Store, netsync::transport Transport, netsync::clock Clock, class F>
    void once_durable(Replica<Store, Transport, Clock, Library>& replica, const Token& token, F f) {
        if constexpr (asynchronous_store<Store>)
            waiting_.push_back(replica.on_durable(token, [f = std::move(f)](std::error_code error) {
                if (!error) f();
            }));
        else if (!replica.report().store_error)
            f();
    }

    template <class Replica>
    static void retire_somebody(Replica& replica, testing::Random& random) {
        const std::vector<Member> members = replica.report().members;
        if (!members.empty()) static_cast<void>(replica.retire(members[random.below(members.size())].replica));
    }

    /// A disk, until another one takes its place.
    struct Place {
        std::size_t machine = 0;
        std::uint64_t replaced = 0;
    };
    bool is_there(const Place& place) const {
        const auto now = replaced_.find(place.machine);
        return now == replaced_.end() || now->second == place.replaced;
    }

    struct Ticket {
        std::uint64_t number;
        Token added;
        Place place;
        std::vector<Token> removed{};
        std::vector<Place> removed_at{};
        bool durable = false;   // known to be
        bool removing = false;  // somebody may have removed it, without an answer
    };

    template <class Replica>
    Wrong add_ticket(Replica& replica) {
        const std::uint64_t number = ++tickets_made_;
        const Token token = replica.update(&Library::tickets, add(number));
        tickets_.push_back({number, token, here_});
        once_durable(replica, token, [this, at = tickets_.size() - 1] { tickets_[at].durable = true; });
        return {};
    }

    template <class Replica>
    Wrong remove_ticket(Replica& replica, testing::Random& random) {
        std::vector<std::uint64_t> visible;
        replica.read([&](const Library& now) { now.tickets.for_each([&](std::uint64_t n) { visible.push_back(n); }); });
        if (visible.empty()) return {};
        std::sort(visible.begin(), visible.end());
        const std::uint64_t number = visible[random.below(visible.size())];
        const auto ticket =
            std::find_if(tickets_.begin(), tickets_.end(), [&](const Ticket& t) { return t.number == number; });
        if (ticket != tickets_.end()) ticket->removing = true;
        const Token token = replica.update(&Library::tickets, netsync::remove(number));
        if (ticket == tickets_.end()) return {};
        once_durable(replica, token,
                     [this, at = static_cast<std::size_t>(ticket - tickets_.begin()), token, here = here_] {
                         tickets_[at].removed.push_back(token);
                         tickets_[at].removed_at.push_back(here);
                     });
        return {};
    }

    Wrong check_tickets(const testing::Observation<Library>& seen) {
        for (const Ticket& ticket : tickets_) {
            const bool visible = seen.state.tickets.contains(ticket.number);
            if (visible && std::any_of(ticket.removed.begin(), ticket.removed.end(),
                                       [&](const Token& t) { return seen.holds(t); }))
                return "ticket " + std::to_string(ticket.number) + " is visible where its removal has arrived";
            if (!visible && ticket.durable && !ticket.removing && seen.holds(ticket.added))
                return "ticket " + std::to_string(ticket.number) + " is gone, and nobody removed it";
            if (!seen.settled) continue;  // in the end it does not matter who is who by now
            if (!visible && ticket.durable && !ticket.removing && is_there(ticket.place))
                return "ticket " + std::to_string(ticket.number) + " was lost";
            if (visible && std::any_of(ticket.removed_at.begin(), ticket.removed_at.end(),
                                       [&](const Place& place) { return is_there(place); }))
                return "ticket " + std::to_string(ticket.number) + " is there again";
        }
        return {};
    }

    /// The new note is made after having seen the old one.
    template <class Replica>
    Wrong write_note(Replica& replica, testing::Random& random) {
        const std::string at = key(random);
        const auto read = [&] {
            return replica.read([&](const Library& now) {
                const std::uint64_t* note = now.notes.find(at);
                return note ? *note : std::uint64_t{0};
            });
        };
        const std::uint64_t note = ++notes_made_;
        seen_by_.emplace(note, read());
        replica.update(&Library::notes, assign(at, note));
        if (read() != note) return "a note is not read where it was written";
        return {};
    }

    Wrong check_notes(const testing::Observation<Library>& seen) {
        Wrong wrong;
        if (seen.disk.is_ahead() || seen.reused.contains(seen.replica)) return wrong;  // two may read under one id
        seen.state.notes.for_each([&](const std::string& at, std::uint64_t note) {
            std::uint64_t& latest = latest_[{seen.replica, at}];
            for (std::uint64_t older = latest; older > note;) {
                const auto found = seen_by_.find(older);
                older = found == seen_by_.end() ? 0 : found->second;
                if (older == note) wrong = "a note is read again that was overwritten by one that had seen it";
            }
            latest = note;
        });
        return wrong;
    }

    /// What is read is a function of the changes that are held.
    Wrong check_reads(const testing::Observation<Library>& seen) {
        std::uint64_t hash = seen.state.tickets.size();
        const auto read = [&](char where, const std::string& what) {
            hash = detail::mix(hash, static_cast<std::uint64_t>(where));
            hash = detail::hash_bytes(what.data(), what.size(), hash);
        };
        seen.state.notes.for_each([&](const std::string& at, std::uint64_t note) {
            read('n', at);
            hash = detail::mix(hash, note);
        });
        seen.state.albums.for_each([&](const std::string& at, const Album& album) {
            read('a', at);
            read('t', album.title.value());
        });
        seen.state.labels.for_each([&](const std::string& at) { read('l', at); });
        if ((at_every_moment || seen.settled) && reads_.emplace(seen.disk.vector_hash(), hash).first->second != hash)
            return "replicas with equal version vectors read different values";
        return {};
    }

    template <class Replica>
    Wrong write_file(Replica& replica, testing::Random& random) {
        const auto owner = static_cast<std::uint64_t>(replica.id().owner());
        if (random.below(4) > 0) {
            replica.update(&Library::files, mine, assign(key(random), owner));
            return {};
        }
        // What it holds of others, as a delta of its own.
        const bool foreign = replica.read([&](const Library& now) { return now.files.size() > 1; });
        if (foreign && replica.try_update([](const Library& now, Change&) { return Library{.files = now.files}; }))
            return "a write of another owner's part was not refused";
        return {};
    }

    /// Removes leave tombstones, which go when all have seen them.
    template <class Replica>
    Wrong label(Replica& replica, testing::Random& random) {
        if (random.below(2) == 0)
            replica.update(&Library::labels, add(key(random)));
        else
            replica.update(&Library::labels, netsync::remove(key(random)));
        return {};
    }

    template <class Replica>
    Wrong visit(Replica& replica) {
        ++unanswered_visits_;
        const Token token = replica.update(&Library::visits, increment());
        --unanswered_visits_;
        std::vector<std::uint64_t>& doubtful = doubtful_visits_[token.replica];
        doubtful.insert(std::upper_bound(doubtful.begin(), doubtful.end(), token.counter), token.counter);
        once_durable(replica, token, [this, token] {
            std::vector<std::uint64_t>& now = doubtful_visits_[token.replica];
            now.erase(std::find(now.begin(), now.end(), token.counter));
            visits_[token.replica].push_back(token.counter);
        });
        return {};
    }

    using Visits = std::map<ReplicaId, std::vector<std::uint64_t>>;

    /// At least and at most so many of these have arrived: those of an id that is not used any more may be anywhere.
    static std::pair<std::int64_t, std::int64_t> count_held(const Visits& visits,
                                                            const testing::Observation<Library>& seen) {
        std::pair<std::int64_t, std::int64_t> count{0, 0};
        for (const auto& [replica, counters] : visits) {
            const std::uint64_t held = seen.disk.tip(replica).counter;
            const bool known = !seen.reused.contains(replica);
            const auto all = std::upper_bound(counters.begin(), counters.end(), held) - counters.begin();
            count.first += known ? all : 0;
            count.second += known ? all : static_cast<std::int64_t>(counters.size());
        }
        return count;
    }

    template <class Replica>
    Wrong edit_album(Replica& replica, testing::Random& random) {
        const std::string album = key(random);
        switch (random.below(5)) {
        case 0: replica.update(&Library::albums, netsync::remove(album)); break;
        case 1:
            replica.update(&Library::albums, album, &Album::title, assign(std::to_string(random.below(100))));
            break;
        case 2: replica.update(&Library::albums, album, &Album::tags, netsync::remove(key(random))); break;
        case 3:
            replica.batch([&](auto& batch) {
                batch.update(&Library::albums, album, &Album::tags, add(key(random)));
                batch.update(&Library::albums, album, &Album::title, assign("batch"));
            });
            break;
        default: replica.update(&Library::albums, album, &Album::tags, add(key(random))); break;
        }
        return {};
    }

    Place here_;                                     // where a change is made now
    std::map<std::size_t, std::uint64_t> replaced_;  // how often each machine's disk was
    std::vector<Ticket> tickets_;
    std::uint64_t tickets_made_ = 0;
    std::uint64_t notes_made_ = 0;
    std::map<std::uint64_t, std::uint64_t> seen_by_;  // a note, and the one that its writer saw
    std::map<std::pair<ReplicaId, std::string>, std::uint64_t> latest_;
    std::map<std::uint64_t, std::uint64_t> reads_;  // by the hash of the version vector
    Visits visits_, doubtful_visits_;
    std::vector<Subscription> waiting_;
    std::int64_t unanswered_visits_ = 0;  // a crash came first
};

/// The options of a seed: pools of all sizes, caps that are reached, and the faults of `most`.
inline testing::SimulationOptions options_of(std::uint64_t seed, const testing::Faults& most) {
    testing::Random random{seed ^ 0x6f7074696f6e73u};
    testing::SimulationOptions options{.seed = seed, .replicas = 5, .faults = most};
    options.pace = std::chrono::milliseconds{400 + random.below(1600)};
    options.replica.pool = "simulated";
    if (random.below(2) == 0) options.joining = std::chrono::seconds{random.below(90)};
    if (random.below(2) == 0) options.replicas = 2 + random.below(6);
    if (random.below(2) == 0) options.replica.limits.transfer = 512 + random.below(4096);
    if (random.below(2) == 0) options.replica.limits.buffered_frames = 2 + random.below(16);
    if (random.below(2) == 0) options.replica.limits.backlog = 1024;
    return options;
}

/// What a commit of a seed takes at most, where the store is a LateStore.
inline Duration commit_of(std::uint64_t seed) {
    constexpr std::array<std::chrono::milliseconds, 4> commits{
        std::chrono::milliseconds{300}, std::chrono::milliseconds{20}, std::chrono::milliseconds{300},
        std::chrono::milliseconds{1000}};
    return commits[seed % commits.size()];
}

}  // namespace simulated
