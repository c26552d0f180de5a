// An in-process network that tells what went over it and loses what a test wants lost, and replicas with a clock set by
// hand.
#pragma once

#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace testing_network {

using namespace netsync;
using namespace std::chrono_literals;

/// What happened on the wire, in order of sending.
struct Sent {
    std::string from;
    MessageKind kind;  // MessageKind{} for an announcement
    Duration at;
    SharedBytes bytes;
};

/// What becomes of a message: `held` back until the sender's next one on that link has gone.
enum class Fate { delivered, lost, doubled, held };

struct Wire {
    std::vector<Sent> log;
    std::function<Fate(const Sent&)> fate;
    std::map<std::pair<std::string, Link>, SharedBytes> held;
    std::function<bool(const Sent&)> lose = [](const Sent&) { return false; };
    std::set<std::string> silenced;  // send nothing, hear nothing; their links stay open
    std::function<bool(const std::string&, const std::string&)> cut;  // who does not reach whom; links stay open
    std::map<Link, std::set<std::string>> ends;

    bool crosses(const std::string& from, Link link) const {
        const auto found = ends.find(link);
        if (!cut || found == ends.end()) return false;
        for (const std::string& to : found->second)
            if (to != from && cut(from, to)) return true;
        return false;
    }

    std::size_t count(MessageKind kind, const std::string& from = {}) const {
        std::size_t found = 0;
        for (const Sent& sent : log) found += sent.kind == kind && (from.empty() || sent.from == from) ? 1 : 0;
        return found;
    }
    void clear() { log.clear(); }
};

inline constexpr MessageKind announcement{};

/// MemoryTransport with a Wire in between.
class TapTransport {
   public:
    TapTransport(MemoryHub& hub, std::shared_ptr<Wire> wire, std::string name)
        : inner_(hub), wire_(std::move(wire)), name_(std::move(name)) {}

    std::error_code start(const Options& options, TransportEvents events) {
        return inner_.start(options,
                            [wire = wire_, name = name_, events = std::move(events)](const TransportEvent& event) {
                                if (const auto* opened = std::get_if<LinkOpened>(&event))
                                    wire->ends[opened->link].insert(name);
                                if (wire->silenced.contains(name) && !std::holds_alternative<Woken>(event)) return;
                                events(event);
                            });
    }
    void stop() { inner_.stop(); }
    Duration now() const { return inner_.now(); }
    void wake_at(Duration time) { inner_.wake_at(time); }
    void announce(ByteView bytes) {
        if (pass({name_, announcement, now(), SharedBytes{bytes}})) inner_.announce(bytes);
    }
    Link dial(const Endpoint& endpoint) { return inner_.dial(endpoint); }
    bool send(Link link, SharedBytes message) {
        if (!pass({name_, *kind_of(*message), now(), message})) return true;  // lost on the way
        if (wire_->crosses(name_, link)) return true;
        const Fate fate = wire_->fate ? wire_->fate(wire_->log.back()) : Fate::delivered;
        if (fate == Fate::lost) return true;
        auto& held = wire_->held[{name_, link}];
        const SharedBytes late = std::exchange(held, nullptr);
        if (fate == Fate::held && !late) return held = std::move(message), true;
        if (fate == Fate::doubled) inner_.send(link, message);
        const bool sent = inner_.send(link, std::move(message));
        if (late) inner_.send(link, late);
        return sent;
    }
    void close(Link link) { inner_.close(link); }
    std::uint16_t port() const { return inner_.port(); }
    std::uint64_t entropy() { return inner_.entropy(); }

   private:
    bool pass(Sent sent) {
        const bool lost = wire_->silenced.contains(name_) || wire_->lose(sent);
        if (!wire_->silenced.contains(name_)) wire_->log.push_back(std::move(sent));
        return !lost;
    }

    MemoryTransport inner_;
    std::shared_ptr<Wire> wire_;
    std::string name_;
};

static_assert(transport<TapTransport>);

template <class T>
using TapReplica = Replica<MemoryStore, TapTransport, ManualClock, T>;

/// A pool under one wall clock, which follows the hub's time.
template <class T>
struct Network {
    MemoryHub hub{};
    std::shared_ptr<Wire> wire = std::make_shared<Wire>();
    ManualTime wall{};

    std::unique_ptr<TapReplica<T>> join(const std::string& name, Options options = {}, MemoryStore store = {}) {
        options.name = name;
        if (options.seed == 0) options.seed = detail::hash_bytes(name.data(), name.size());
        return std::make_unique<TapReplica<T>>(TapTransport{hub, wire, name}, options, std::move(store),
                                               ManualClock{options.max_drift, wall});
    }

    void run() { hub.run(); }
    void run_for(Duration time) {
        for (const Duration end = hub.now() + time; hub.now() < end;) {
            const Duration step = std::min<Duration>(10ms, end - hub.now());
            hub.run_for(step);
            wall.advance(step);
        }
    }
};

template <class T>
bool equal_all(const std::vector<TapReplica<T>*>& replicas) {
    for (const auto* replica : replicas)
        if (replica->digest() != replicas.front()->digest()) return false;
    return true;
}

inline const Member* member_of(const Report& report, const ReplicaId& id) {
    for (const Member& member : report.members)
        if (member.replica == id) return &member;
    return nullptr;
}

}  // namespace testing_network
