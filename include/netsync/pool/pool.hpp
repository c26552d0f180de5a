// netsync: who is there. Announcements, links and introductions come in; members and their states go out, with what is
// to be sent. Stage 7 of the flow.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <map>
#include <netsync/detail/overloaded.hpp>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/member.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/wire/history.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace netsync {

/// Now, twice: on the transport's clock, which never jumps, and on the wall.
struct Moment {
    Duration time{};
    Ntp64 wall{};
};

/// The members of a pool and the way in: Announcement (datagram), Response, Greeting, Handshake (link). Idempotent:
/// identity is the replica id, so duplicates, reordering and crossing dials end in one member with one link.
/// Sans-IO, one thread; every call gets the moment and the outbox to fill.
class Pool {
   public:
    Pool(const Options& options, const History& history, std::uint64_t seed)
        : options_(options), history_(history), random_(seed), session_(random_.next()) {}

    /// Who this replica is; before anything else, and again when it takes a new incarnation.
    void identify(const ReplicaId& self) { self_ = self; }
    const ReplicaId& self() const noexcept { return self_; }
    std::uint64_t session() const noexcept { return session_; }
    const std::map<ReplicaId, Member>& members() const noexcept { return members_; }
    std::uint64_t announcements_ignored() const noexcept { return announcements_ignored_; }

    const Member* find(const ReplicaId& replica) const {
        const auto found = members_.find(replica);
        return found == members_.end() ? nullptr : &found->second;
    }

    /// The member behind an introduced link; null for a stranger. What comes from a member shows that it lives.
    Member* member_on(Link link) {
        const auto found = links_.find(link);
        if (found == links_.end() || !found->second.introduced) return nullptr;
        return &members_.at(found->second.replica);
    }

    /// Calls `f(member)` for each with a link that is not silent.
    template <class F>
    void for_each_live(F&& f) {
        for (auto& [replica, member] : members_)
            if (member.state == MemberState::live) f(member);
    }

    bool is_greeting() const noexcept {
        return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return !link.second.introduced; });
    }

    /// Opens: the first announcement goes out at once, and members known from before are dialed. `port`: ours.
    void start(const Moment& now, std::uint16_t port, Outbox& out) {
        port_ = port;
        announce(now, out);
        keepalive_at_ = now.time + options_.keepalive_interval;
        for (auto& [replica, member] : members_) redial(member, now, out);
    }

    /// All links are gone without a word: of a stop.
    void stop() {
        links_.clear();
        for (auto& [replica, member] : members_) {
            member.link = Link{};
            if (member.state != MemberState::known) member.state = MemberState::offline;
        }
    }

    /// A member remembered from an earlier run, or told of by another: to be dialed.
    void remember(const Acquaintance& acquaintance) {
        if (acquaintance.replica == self_ || acquaintance.replica.is_nil() || acquaintance.endpoint.port == 0) return;
        if (members_.size() >= options_.limits.members || members_.contains(acquaintance.replica)) return;
        Member& member = members_[acquaintance.replica];
        member.replica = acquaintance.replica;
        member.endpoint = acquaintance.endpoint;
    }

    /// The members that can be dialed: what is told to newcomers, and kept for the next start.
    std::vector<Acquaintance> acquaintances() const {
        std::vector<Acquaintance> result;
        for (const auto& [replica, member] : members_)
            if (member.link != Link{} && member.endpoint.port != 0) result.push_back({replica, member.endpoint});
        return result;
    }

    /// Whatever the transport tells, but for messages.
    void on_event(const TransportEvent& event, const Moment& now, Outbox& out) {
        std::visit(detail::Overloaded{[&](const LinkOpened& opened) { on_opened(opened, now, out); },
                                      [&](const LinkClosed& closed) { on_closed(closed.link, now, out); },
                                      [&](const AnnouncementReceived& heard) { on_announcement(heard, now, out); },
                                      [&](const PeerHinted& hint) { on_hint(hint.endpoint, now, out); },
                                      [](const auto&) {}},
                   event);
    }

    void on_announcement(const AnnouncementReceived& event, const Moment& now, Outbox& out) {
        const Result<Announcement> heard = decode_announcement(event.bytes, options_.limits);
        if (!heard || heard->pool != options_.pool || !common_version(*heard) || heard->replica.is_nil()) {
            ++announcements_ignored_;
            return;
        }
        if (heard->replica == self_ || heard->port == 0) return;
        remember({heard->replica, {event.host, heard->port}});
        const auto found = members_.find(heard->replica);
        if (found == members_.end() || found->second.link != Link{}) return;
        found->second.endpoint = {event.host, heard->port};
        redial(found->second, now, out);
    }

    /// Dialed again and again while nobody there is linked; the back-off belongs to the endpoint.
    void on_hint(const Endpoint& endpoint, const Moment& now, Outbox& out) {
        for (const auto& [link, peer] : links_)
            if (peer.dialed == endpoint) return;
        if (hinted_.size() >= options_.limits.members && !hinted_.contains(endpoint)) return;
        Hint& again = hinted_[endpoint];
        if (now.time < again.at || again.replica == self_) return;
        if (const Member* there = find(again.replica); there && there->link != Link{}) return;
        again.after = std::clamp(again.after * 2, options_.redial.least, options_.redial.most);
        again.at = now.time + again.after;
        out.dials.push_back(endpoint);
    }

    void on_opened(const LinkOpened& event, const Moment& now, Outbox& out) {
        if (links_.size() >= options_.limits.links) {
            out.closes.push_back(event.link);
            return;
        }
        Peer& peer = links_[event.link];
        peer.host = event.peer.host;
        peer.opened = now.time;
        if (!event.dialed) return;
        peer.dialed = event.peer;
        out.send(event.link, Response{oldest_wire_version, wire_version, options_.pool, self_});
    }

    void on_closed(Link link, const Moment& now, Outbox& out) {
        const auto found = links_.find(link);
        if (found == links_.end()) return;
        const Peer peer = found->second;
        links_.erase(found);
        if (!peer.introduced) return;
        Member& member = members_.at(peer.replica);
        if (member.link != link) return;
        member.link = other_link(peer.replica);
        if (member.link != Link{} || member.state == MemberState::offline) return;
        enter(member, MemberState::suspect, out);
        member.redial_at = now.time + options_.redial.least;
    }

    /// A pool message. True when the peer has just become a member on this link: then both sides compare what they
    /// hold.
    bool on_message(Link link, MessageKind kind, ByteView bytes, const Moment& now, Outbox& out) {
        const auto found = links_.find(link);
        if (found == links_.end()) return false;
        switch (kind) {
        case MessageKind::response: on_response(found->second, link, bytes, now, out); return false;
        case MessageKind::greeting: return on_introduction<Greeting>(found->second, link, bytes, now, out);
        case MessageKind::handshake: return on_introduction<Handshake>(found->second, link, bytes, now, out);
        case MessageKind::introduce_yourself: out.send(link, Greeting{introduction(now)}); return false;
        case MessageKind::refusal: {
            const Result<Refusal> refusal = decode_message<Refusal>(bytes);
            refuse(link, refusal ? make_error_code(refusal->reason) : refusal.error(), out, false);
            return false;
        }
        case MessageKind::ping: on_ping(link, bytes, now, out); return false;
        case MessageKind::pong: on_pong(link, bytes, now, out); return false;
        default: return false;
        }
    }

    /// Somebody whom we do not know speaks as if we did.
    void on_stranger(Link link, Outbox& out) {
        const auto found = links_.find(link);
        if (found == links_.end() || std::exchange(found->second.asked, true)) return;
        out.send(link, IntroduceYourself{});
    }

    /// Closes a link because of what came over it, telling the peer.
    void refuse(Link link, std::error_code reason, Outbox& out, bool tell = true) {
        const auto found = links_.find(link);
        const ReplicaId who = found == links_.end() ? ReplicaId{} : found->second.replica;
        if (reason == errc::same_replica && found != links_.end() && found->second.dialed)
            if (const auto hint = hinted_.find(*found->second.dialed); hint != hinted_.end())
                hint->second.replica = self_;
        if (tell && reason.category() == error_category()) out.send(link, Refusal{static_cast<errc>(reason.value())});
        out.events.push_back({who, MemberState::known, MemberState::known, reason});
        drop(link, out);
    }

    void heard_from(Member& member, const Moment& now, Outbox& out) {
        member.last_heard = now.time;
        member.last_seen = now.wall;
        enter(member, MemberState::live, out);
    }

    /// Announcements, pings, suspicion, redials: whatever is due.
    void tick(const Moment& now, Outbox& out) {
        if (now.time >= announce_at_) announce(now, out);
        if (now.time < keepalive_at_) return;
        // Woken late, we were asleep ourselves: the others had no chance to be heard.
        const Duration asleep = now.time - keepalive_at_;
        keepalive_at_ = now.time + options_.keepalive_interval;
        for (auto& [replica, member] : members_) {
            if (asleep > options_.keepalive_interval) member.last_heard += asleep;
            check(member, now, out);
        }
        drop_strangers(now, out);
    }

    Duration next_wake() const noexcept { return std::min(announce_at_, keepalive_at_); }

   private:
    /// One link, from its opening on.
    struct Peer {
        ReplicaId replica{};
        std::string host{};
        std::optional<Endpoint> dialed{};  // by us, and where
        Duration opened{};
        bool introduced = false;
        bool asked = false;  // to introduce itself
    };

    struct Hint {
        ReplicaId replica{};  // who was found there
        Duration at{};
        Duration after{};
    };

    template <class Greeter>  // anything with the versions it speaks
    static bool common_version(const Greeter& peer) noexcept {
        return peer.oldest_version <= wire_version && peer.newest_version >= oldest_wire_version;
    }

    template <class Greeter>
    std::error_code judge(const Greeter& peer) const {
        if (!common_version(peer)) return errc::unsupported_version;
        if (peer.pool != options_.pool) return errc::wrong_pool;
        if (peer.replica == self_) return errc::same_replica;
        if (peer.replica.is_nil()) return errc::malformed;
        return {};
    }

    void announce(const Moment& now, Outbox& out) {
        out.announcement = encode_announcement({oldest_wire_version, wire_version, options_.pool, self_, port_});
        announce_at_ = now.time + pick(options_.announce);
    }

    Duration pick(const Interval& interval) {
        const auto width = (interval.most - interval.least).count();
        return interval.least +
               Duration{static_cast<std::int64_t>(random_.below(width > 0 ? static_cast<std::uint64_t>(width) : 0))};
    }

    Introduction introduction(const Moment& now) const {
        Introduction self{.pool = options_.pool,
                          .replica = self_,
                          .name = options_.name,
                          .session = session_,
                          .port = port_,
                          .wall = now.wall,
                          .heads = history_.heads()};
        self.members = acquaintances();
        return self;
    }

    void on_response(Peer& peer, Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Response> response = decode_message<Response>(bytes);
        if (!response) return refuse(link, response.error(), out);
        // A link has one peer for life: what is known of it hangs on that.
        if (!peer.replica.is_nil() && peer.replica != response->replica) return refuse(link, errc::malformed, out);
        peer.replica = response->replica;
        if (const std::error_code error = judge(*response)) return refuse(link, error, out);
        out.send(link, Greeting{introduction(now)});
    }

    template <class Message>
    bool on_introduction(Peer& peer, Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Message> message = decode_message<Message>(bytes);
        if (!message) return refuse(link, message.error(), out), false;
        const Introduction& theirs = message->self;
        if (peer.replica.is_nil()) peer.replica = theirs.replica;
        if (const std::error_code error = judge(theirs)) return refuse(link, error, out), false;
        if (peer.replica != theirs.replica) return refuse(link, errc::malformed, out), false;
        if (theirs.heads.size() > options_.limits.replicas) return refuse(link, errc::too_large, out), false;
        if (Message::kind == MessageKind::greeting && !peer.introduced) out.send(link, Handshake{introduction(now)});
        return add(peer, link, theirs, now, out);
    }

    /// The peer is introduced. True unless this link gives way to another one to the same member.
    bool add(Peer& peer, Link link, const Introduction& theirs, const Moment& now, Outbox& out) {
        if (!admit(theirs.replica)) return refuse(link, errc::too_large, out), false;
        Member& member = members_.at(theirs.replica);
        const bool again = std::exchange(peer.introduced, true);
        if (theirs.port != 0) member.endpoint = {peer.host, theirs.port};
        member.name = theirs.name;
        member.heads = theirs.heads;
        member.skew = difference(theirs.wall, now.wall);
        member.redial_after = {};
        if (peer.dialed)
            if (const auto hint = hinted_.find(*peer.dialed); hint != hinted_.end())
                hint->second = {member.replica, {}, {}};
        const bool fresh = member.link != link;
        if (fresh && member.link != Link{}) {
            if (!prefers(link, member)) return drop(link, out), false;
            if (const Link old = std::exchange(member.link, link); dialer_of(old) != dialer_of(link)) drop(old, out);
        }
        member.link = link;
        heard_from(member, now, out);
        supersede(member, out);
        for (const Acquaintance& other : theirs.members) remember(other);
        for (auto& [replica, other] : members_)
            if (other.state == MemberState::known) redial(other, now, out);
        return fresh && !again;
    }

    /// Makes room for a member that has introduced itself: before one that nobody has seen yet.
    bool admit(const ReplicaId& replica) {
        if (!members_.contains(replica) && members_.size() >= options_.limits.members) {
            const auto unseen = std::find_if(members_.begin(), members_.end(), [](const auto& entry) {
                return entry.second.state == MemberState::known || entry.second.state == MemberState::offline;
            });
            if (unseen == members_.end()) return false;
            members_.erase(unseen);
        }
        members_[replica].replica = replica;
        return true;
    }

    /// Of two links to one member that of the lower id's dial stays; of two dialed by us the first; of two dialed by
    /// the member the last, since it would not have dialed with the first one in order.
    bool prefers(Link link, const Member& member) const {
        const ReplicaId& dialer = dialer_of(link);
        if (dialer != dialer_of(member.link)) return dialer == std::min(self_, member.replica);
        return dialer != self_;
    }

    const ReplicaId& dialer_of(Link link) const {
        const Peer& peer = links_.at(link);
        return peer.dialed ? self_ : peer.replica;
    }

    Link other_link(const ReplicaId& replica) const {
        for (const auto& [link, peer] : links_)
            if (peer.introduced && peer.replica == replica) return link;
        return Link{};
    }

    /// An owner lives in one incarnation at a time: an earlier one that is not linked has ended.
    void supersede(const Member& member, Outbox& out) {
        for (auto at = members_.begin(); at != members_.end();) {
            const auto entry = at++;
            Member& other = entry->second;
            if (other.replica.owner() != member.replica.owner() || other.replica == member.replica) continue;
            if (other.link != Link{}) continue;
            if (other.state != MemberState::known) enter(other, MemberState::offline, out);
            members_.erase(entry);
        }
    }

    void enter(Member& member, MemberState state, Outbox& out) {
        if (member.state == state) return;
        out.events.push_back({member.replica, std::exchange(member.state, state), state, {}});
    }

    void redial(Member& member, const Moment& now, Outbox& out) {
        if (member.link != Link{} || member.endpoint.port == 0 || now.time < member.redial_at) return;
        for (const auto& [link, peer] : links_)
            if (peer.replica == member.replica || peer.dialed == member.endpoint) return;
        member.redial_after = std::clamp(member.redial_after * 2, options_.redial.least, options_.redial.most);
        member.redial_at = now.time + member.redial_after;
        out.dials.push_back(member.endpoint);
    }

    void check(Member& member, const Moment& now, Outbox& out) {
        const Duration silence = now.time - member.last_heard;
        if (member.state == MemberState::live || member.state == MemberState::suspect) {
            if (silence > options_.keepalive_timeout) return lose(member, out);
            if (silence > options_.keepalive_timeout / 2) enter(member, MemberState::suspect, out);
        }
        if (member.link != Link{})
            out.send(member.link, Ping{now.time.count()});
        else
            redial(member, now, out);
    }

    /// Links that nobody has introduced himself on for too long: a word of the introduction was lost.
    void drop_strangers(const Moment& now, Outbox& out) {
        std::vector<Link> strangers;
        for (const auto& [link, peer] : links_)
            if (!peer.introduced && now.time - peer.opened > options_.keepalive_timeout) strangers.push_back(link);
        for (const Link link : strangers) drop(link, out);
    }

    void lose(Member& member, Outbox& out) {
        enter(member, MemberState::offline, out);
        for (Link link = member.link; link != Link{}; link = other_link(member.replica)) drop(link, out);
        member.link = Link{};
    }

    void drop(Link link, Outbox& out) {
        links_.erase(link);
        out.closes.push_back(link);
        for (auto& [replica, member] : members_) {
            if (member.link != link) continue;
            member.link = other_link(replica);
            if (member.link == Link{} && member.state == MemberState::live) enter(member, MemberState::suspect, out);
        }
    }

    void on_ping(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Ping> ping = decode_message<Ping>(bytes);
        if (!ping) return refuse(link, ping.error(), out);
        if (!member_on(link)) return on_stranger(link, out);
        out.send(link, Pong{ping->sent, now.wall});
    }

    void on_pong(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Pong> pong = decode_message<Pong>(bytes);
        if (!pong) return refuse(link, pong.error(), out);
        Member* member = member_on(link);
        if (!member || pong->sent > now.time.count() || pong->sent < 0) return;
        member->round_trip = now.time - Duration{pong->sent};
        member->skew = difference(pong->wall, now.wall) + member->round_trip / 2;
    }

    const Options& options_;
    const History& history_;
    detail::Random random_;
    std::uint64_t session_;
    ReplicaId self_{};
    std::uint16_t port_ = 0;
    std::map<ReplicaId, Member> members_;
    std::map<Link, Peer> links_;
    std::map<Endpoint, Hint> hinted_;
    Duration announce_at_{};
    Duration keepalive_at_{};
    std::uint64_t announcements_ignored_ = 0;
};

}  // namespace netsync
