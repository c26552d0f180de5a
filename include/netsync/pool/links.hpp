// netsync: who is at the other end of each link, and where links may be had. Opened, introduced and closed links come in,
// endpoints worth a dial go out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/outbox.hpp>
#include <optional>
#include <string>

namespace netsync {

/// One link, from its opening on.
struct Peer {
    ReplicaId replica{};
    std::string host{};
    std::optional<Endpoint> dialed{};  ///< by us, and where
    std::uint64_t session = 0;
    bool introduced = false;
    Duration opened{};
    std::optional<Duration> asked{};  ///< to introduce itself
};

/// The open links, and the endpoints that were hinted at. Bounded by limits.links and limits.members. One thread.
class Links {
   public:
    explicit Links(const Options& options) : options_(options) {}

    Peer* find(Link link) { return open_.find(link); }
    const Peer* find(Link link) const { return open_.find(link); }
    auto begin() const noexcept { return open_.begin(); }
    auto end() const noexcept { return open_.end(); }

    /// Null where there are too many.
    Peer* open(const LinkOpened& event, Duration now) {
        if (open_.size() >= options_.limits.links) return ++refused_, nullptr;
        Peer& peer = open_[event.link];
        peer.host = event.peer.host;
        peer.opened = now;
        if (event.dialed) peer.dialed = event.peer;
        return &peer;
    }

    void close(Link link) { open_.erase(link); }
    void clear() { open_.clear(); }

    std::uint64_t refused() const noexcept { return refused_; }

    bool any_stranger() const {
        return open_.any([](Link, const Peer& peer) { return !peer.introduced; });
    }

    /// An introduced link to `replica`; Link{} without one.
    Link to(const ReplicaId& replica) const {
        for (const auto& [link, peer] : open_)
            if (peer.introduced && peer.replica == replica) return link;
        return Link{};
    }

    /// Whether a link is on its way there already.
    bool reaches(const ReplicaId& replica, const Endpoint& endpoint) const {
        return open_.any([&](Link, const Peer& peer) { return peer.replica == replica || peer.dialed == endpoint; });
    }

    /// Dialed again and again, with a back-off that belongs to the endpoint, until somebody is found there.
    void hint(const Endpoint& endpoint, Duration now, Outbox& out) {
        if (open_.any([&](Link, const Peer& peer) { return peer.dialed == endpoint; })) return;
        if (hinted_.size() >= options_.limits.members && !hinted_.contains(endpoint)) return;
        Hint& hinted = hinted_[endpoint];
        if (now < hinted.at) return;
        hinted.after = std::clamp(hinted.after * 2, options_.redial.least, options_.redial.most);
        hinted.at = now + hinted.after;
        out.dials.push_back(endpoint);
    }

    /// Who was found at an endpoint; nil where nobody was, or where it was not hinted at.
    ReplicaId found_at(const Endpoint& endpoint) const {
        const Hint* hinted = hinted_.find(endpoint);
        return hinted ? hinted->replica : ReplicaId{};
    }
    void found(const Endpoint& endpoint, const ReplicaId& replica) {
        if (Hint* hinted = hinted_.find(endpoint)) *hinted = {replica, {}, {}};
    }

   private:
    struct Hint {
        ReplicaId replica{};
        Duration at{};
        Duration after{};
    };

    const Options& options_;
    detail::OrderedMap<Link, Peer> open_;
    detail::OrderedMap<Endpoint, Hint> hinted_;
    std::uint64_t refused_ = 0;
};

}  // namespace netsync
