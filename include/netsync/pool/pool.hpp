// netsync: who is there. Announcements, links and introductions come in; members and their states go out, with what is
// to be sent. Stage 7 of the flow.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/keepalive.hpp>
#include <netsync/pool/links.hpp>
#include <netsync/pool/member.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/pool/twins.hpp>
#include <netsync/store/values.hpp>
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
/// `Copy` is the LocalCopy whose history is told and whose retirements are heard. Sans-IO, one thread; every call gets the
/// moment and the outbox to fill.
template <class Copy>
class Pool {
   public:
    Pool(const Options& options, Copy& copy, std::uint64_t seed)
        : options_(options), copy_(copy), random_(seed), twins_(copy, random_.next()), links_(options),
          keepalive_(options) {
        load();
    }

    /// Who this replica is, and whom it knew: as its store says.
    void load() {
        self_ = copy_.successor().is_nil() ? copy_.id() : copy_.successor();
        for (const Acquaintance& member : open_value<std::vector<Acquaintance>>(copy_.store(), "members"))
            remember(member, {});
    }

    const ReplicaId& self() const noexcept { return self_; }
    std::uint64_t session() const noexcept { return twins_.session(); }
    const Twins<Copy>& twins() const noexcept { return twins_; }
    const detail::OrderedMap<ReplicaId, Member>& members() const noexcept { return members_; }
    std::uint64_t announcements_ignored() const noexcept { return announcements_ignored_; }
    std::uint64_t members_refused() const noexcept { return members_refused_; }
    std::uint64_t links_refused() const noexcept { return links_.refused(); }

    Member* find(const ReplicaId& replica) { return members_.find(replica); }
    const Member* find(const ReplicaId& replica) const { return members_.find(replica); }
    /// Link{} where it is not linked; sending there does nothing.
    Link link_to(const ReplicaId& replica) const {
        const Member* member = find(replica);
        return member ? member->link : Link{};
    }

    /// The member behind an introduced link; null for a stranger. What comes from a member shows that it lives.
    Member* member_on(Link link) {
        const Peer* peer = links_.find(link);
        return peer && peer->introduced ? members_.find(peer->replica) : nullptr;
    }

    /// A member says something of its data over this link. Of two that it dialed it keeps the first, unless that was never
    /// introduced: the one over which it speaks. (What a copy of it says is no sign of that.) True if it is reached over
    /// another link from now on.
    bool follow(Link link) {
        Member* member = member_on(link);
        if (!member || member->link == link || member->link == Link{}) return false;
        if (dialer_of(link) != member->replica || dialer_of(member->link) != member->replica) return false;
        if (links_.find(link)->session != links_.find(member->link)->session) return false;
        member->link = link;
        return true;
    }

    /// Calls `f(member)` for each with a link that is not silent.
    template <class F>
    void for_each_live(F&& f) {
        for (auto& [replica, member] : members_)
            if (member.state == MemberState::live) f(member);
    }

    bool is_greeting() const noexcept { return links_.any_stranger(); }

    /// What introductions say: whether this replica takes part, and shows what it holds.
    void present(bool ready, bool shown) {
        ready_ = ready;
        shown_ = shown;
    }

    /// The same wherever the same members and retirements are known.
    std::uint64_t digest() const {
        std::uint64_t digest = copy_.retirements().digest();
        const auto add = [&](const ReplicaId& id) { digest += detail::mix(id.owner_bits, id.incarnation); };
        add(self_);
        for (const auto& [replica, member] : members_) add(replica);
        return digest;
    }

    /// Opens: the first announcement goes out at once, and members known from before are dialed. `port`: ours.
    void start(const Moment& now, std::uint16_t port, Outbox& out) {
        port_ = port;
        announce(now, out);
        keepalive_.start(now.time);
        for (auto& [replica, member] : members_) {
            member.last_heard = now.time;
            redial(member, now, out);
        }
    }

    /// All links are gone without a word: of a stop.
    void stop() {
        links_.clear();
        for (auto& [replica, member] : members_) {
            member.link = Link{};
            if (member.state == MemberState::live || member.state == MemberState::suspect)
                member.state = MemberState::offline;
        }
    }

    /// This replica goes on under another id: it leaves, and comes back as somebody new.
    void rename(const ReplicaId& self, const Moment& now, Outbox& out) {
        for (const auto& [link, peer] : links_) out.closes.push_back(link);
        stop();
        self_ = self;
        twins_.renew(random_.next());
        announce(now, out);
        for (auto& [replica, member] : members_) {
            member.redial_at = {};
            redial(member, now, out);
        }
    }

    /// Whatever the transport tells, but for messages.
    void on_event(const TransportEvent& event, const Moment& now, Outbox& out) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) return on_opened(*opened, now, out);
        if (const auto* closed = std::get_if<LinkClosed>(&event)) return on_closed(closed->link, now, out);
        if (const auto* heard = std::get_if<AnnouncementReceived>(&event)) return on_announcement(*heard, now, out);
        if (const auto* hint = std::get_if<PeerHinted>(&event)) on_hint(hint->endpoint, now, out);
    }

    /// A pool message. True when the peer has just become a member on this link: then both sides compare what they
    /// hold.
    bool on_message(Link link, MessageKind kind, ByteView bytes, const Moment& now, Outbox& out) {
        Peer* peer = links_.find(link);
        if (!peer) return false;
        switch (kind) {
        case MessageKind::response: on_response(*peer, link, bytes, now, out); return false;
        case MessageKind::greeting: return on_introduction<Greeting>(*peer, link, bytes, now, out);
        case MessageKind::handshake: return on_introduction<Handshake>(*peer, link, bytes, now, out);
        case MessageKind::introduce_yourself: introduce<Greeting>(link, now, out); return false;
        case MessageKind::refusal: on_refusal(link, bytes, out); return false;
        case MessageKind::ping: on_ping(link, bytes, now, out); return false;
        case MessageKind::pong: on_pong(link, bytes, now, out); return false;
        case MessageKind::probe: on_probe(link, bytes, now, out); return false;
        case MessageKind::heard: on_heard(link, bytes, now, out); return false;
        default: return false;
        }
    }

    /// Somebody whom we do not know speaks as if we did: asked, once in a while, who it is.
    void on_stranger(Link link, const Moment& now, Outbox& out) {
        Peer* peer = links_.find(link);
        if (!peer || (peer->asked && now.time < *peer->asked + options_.keepalive_interval)) return;
        peer->asked = now.time;
        out.send(link, IntroduceYourself{});
    }

    /// Closes a link because of what came over it, telling the peer.
    void refuse(Link link, std::error_code reason, Outbox& out, bool tell = true) {
        const Peer* peer = links_.find(link);
        PoolEvent event{.refused = reason};
        if (peer) {
            event.replica = peer->replica;
            event.endpoint = peer->dialed ? *peer->dialed : Endpoint{peer->host, 0};
        }
        if (tell && reason.category() == error_category())
            out.send(link, Refusal{static_cast<errc>(reason.value()), twins_.self(self_)});
        out.events.push_back(event);
        drop(link, out);
    }

    void heard_from(Member& member, const Moment& now, Outbox& out) {
        member.last_heard = now.time;
        member.last_seen = now.wall;
        enter(member, MemberState::live, out);
    }

    /// Members that others speak of.
    void on_acquaintances(const std::vector<Acquaintance>& acquaintances, const Moment& now, Outbox& out) {
        for (const Acquaintance& acquaintance : acquaintances) remember(acquaintance, now);
        for (auto& [replica, member] : members_)
            if (member.state == MemberState::known) redial(member, now, out);
    }

    /// All members: what is told to others, and kept for the next start.
    std::vector<Acquaintance> acquaintances() const {
        std::vector<Acquaintance> result;
        for (const auto& [replica, member] : members_)
            result.push_back({replica, member.endpoint, member.last_seen, member.last_synchronized,
                              member.state == MemberState::live});
        return result;
    }

    /// The retired are no members. Their links end once they have been told.
    void expel(Outbox& out) {
        members_.erase_if([&](const ReplicaId& replica, Member& member) {
            if (!copy_.retirements().contains(replica)) return false;
            for (Link link = links_.to(replica); link != Link{}; link = links_.to(replica)) {
                links_.close(link);
                out.closes.push_back(link);
            }
            if (member.state != MemberState::known) enter(member, MemberState::offline, out);
            return true;
        });
    }

    /// Earlier incarnations of this replica's owner that nobody is heard of: they will not come back.
    std::vector<ReplicaId> past_selves() const {
        std::vector<ReplicaId> result;
        for (const auto& [replica, member] : members_)
            if (replica.owner() == self_.owner() && member.link == Link{} &&
                (member.state == MemberState::offline || member.state == MemberState::stale))
                result.push_back(replica);
        return result;
    }

    /// Announcements, pings, suspicion, redials: whatever is due. True at each keepalive.
    bool tick(const Moment& now, Outbox& out) {
        if (now.time >= announce_at_) announce(now, out);
        if (now.time < keepalive_.next_at()) return false;
        const Duration overslept = keepalive_.overslept(now.time);
        for (auto& [replica, member] : members_) {
            member.last_heard += overslept;
            check(member, now, out);
        }
        urge_strangers(now, out);
        return true;
    }

    Duration next_wake() const noexcept { return std::min(announce_at_, keepalive_.next_at()); }

   private:
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
        out.announcement =
            encode_announcement({oldest_wire_version, wire_version, options_.pool, self_, port_, session()});
        announce_at_ = now.time + options_.announce.pick(random_);
    }

    void on_announcement(const AnnouncementReceived& event, const Moment& now, Outbox& out) {
        const Result<Announcement> heard = decode_announcement(event.bytes, options_.limits);
        if (!heard || heard->pool != options_.pool || !common_version(*heard) || heard->replica.is_nil()) {
            ++announcements_ignored_;
            return;
        }
        const bool ours = heard->session == 0 || heard->session == session();  // not that of a copy of this replica
        if (heard->port == 0 || (heard->replica == self_ && ours)) return;
        const Endpoint endpoint{event.host, heard->port};
        Member* member = members_.find(heard->replica);
        if (!member) return on_hint(endpoint, now, out);  // anybody can say so: it is a member once it is introduced
        if (member->link != Link{}) return;
        if (member->endpoint != endpoint) member->redial_at = {};  // it has started anew
        member->endpoint = endpoint;
        redial(*member, now, out);
    }

    void on_hint(const Endpoint& endpoint, const Moment& now, Outbox& out) {
        const ReplicaId there = links_.found_at(endpoint);
        if (there == self_) return;
        if (const Member* member = find(there); member && member->link != Link{}) return;
        links_.hint(endpoint, now.time, out);
    }

    void on_opened(const LinkOpened& event, const Moment& now, Outbox& out) {
        if (!links_.open(event, now.time))
            out.closes.push_back(event.link);
        else if (event.dialed)
            respond(event.link, out);
    }

    void respond(Link link, Outbox& out) const {
        out.send(link, Response{oldest_wire_version, wire_version, options_.pool, self_, twins_.self(self_)});
    }

    /// A word may have been lost: said again, and given up after a while.
    void urge_strangers(const Moment& now, Outbox& out) {
        std::vector<Link> silent;
        for (const auto& [link, peer] : links_) {
            if (peer.introduced) continue;
            if (now.time - peer.opened > options_.keepalive_timeout)
                silent.push_back(link);
            else if (peer.dialed)
                respond(link, out);
        }
        for (const Link link : silent) drop(link, out);
    }

    void on_closed(Link link, const Moment& now, Outbox& out) {
        const Peer* found = links_.find(link);
        if (!found) return;
        const Peer peer = *found;
        links_.close(link);
        Member* member = peer.introduced ? members_.find(peer.replica) : nullptr;
        if (!member || member->link != link) return;
        member->link = links_.to(peer.replica);
        if (member->link != Link{} || member->state != MemberState::live) return;
        enter(*member, MemberState::suspect, out);
        member->redial_at = now.time + options_.redial.least;
    }

    /// Says no more of histories than is durable, and then need not wait for the commit under way, which may take longer than
    /// a peer waits.
    template <class Message>
    void introduce(Link link, const Moment& now, Outbox& out) const {
        Introduction self{.pool = options_.pool,
                          .replica = self_,
                          .name = options_.name,
                          .session = session(),
                          .opened = self_ == copy_.id() ? copy_.opened() : 0,
                          .former = self_ == copy_.id() ? ReplicaCounter{} : ReplicaCounter{copy_.id(), copy_.opened()},
                          .port = port_,
                          .wall = now.wall,
                          .members = acquaintances(),
                          .ready = ready_,
                          .retired = copy_.retirements().records(),
                          .settled = copy_.is_settled()};
        std::optional<std::vector<Head>> durable = copy_.durable_heads();
        const bool at_once = durable.has_value();
        if (shown_) self.heads = durable ? *std::move(durable) : copy_.history().heads();
        out.send(link, Message{std::move(self)}, at_once);
    }

    void on_response(Peer& peer, Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Response> response = decode_message<Response>(bytes);
        if (!response) return refuse(link, response.error(), out);
        // A link has one peer for life: what is known of it hangs on that.
        if (!peer.replica.is_nil() && peer.replica != response->replica) return refuse(link, errc::malformed, out);
        peer.replica = response->replica;
        peer.session = response->self.session;
        if (const std::error_code error = judge(*response)) {
            if (error == errc::same_replica) twins_.meet(self_, response->self);
            return refuse(link, error, out);
        }
        introduce<Greeting>(link, now, out);
    }

    void on_refusal(Link link, ByteView bytes, Outbox& out) {
        const Result<Refusal> refusal = decode_message<Refusal>(bytes);
        const Peer& peer = *links_.find(link);
        if (refusal && refusal->reason == errc::same_replica) {
            if (peer.dialed) links_.found(*peer.dialed, self_);
            twins_.meet(self_, refusal->self);
        }
        if (refusal && refusal->reason == errc::forked) twins_.refused();
        refuse(link, refusal ? make_error_code(refusal->reason) : refusal.error(), out, false);
    }

    template <class Message>
    bool on_introduction(Peer& peer, Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Message> message = decode_message<Message>(bytes);
        if (!message) return refuse(link, message.error(), out), false;
        const Introduction& theirs = message->self;
        if (peer.replica.is_nil()) peer.replica = theirs.replica;
        peer.session = theirs.session;
        if (const std::error_code error = judge(theirs)) return refuse(link, error, out), false;
        if (peer.replica != theirs.replica) return refuse(link, errc::malformed, out), false;
        if (theirs.heads.size() > options_.limits.replicas || !are_sorted(theirs.heads))
            return refuse(link, errc::malformed, out), false;
        copy_.retire(theirs.retired);
        twins_.hear_of({theirs.replica, theirs.opened});
        twins_.hear_of(theirs.former);
        if (Message::kind == MessageKind::greeting && !peer.introduced) introduce<Handshake>(link, now, out);
        if (copy_.retirements().contains(theirs.replica)) return refuse(link, errc::retired, out), false;
        return add(peer, link, theirs, now, out);
    }

    /// The peer is introduced. True unless this link gives way to another one to the same member.
    bool add(Peer& peer, Link link, const Introduction& theirs, const Moment& now, Outbox& out) {
        if (!admit(theirs.replica)) return refuse(link, errc::too_large, out), false;
        Member& member = *members_.find(theirs.replica);
        const bool back = theirs.session == member.session_before && theirs.session != member.session;
        if (back && theirs.opened >= member.opened)
            return refuse(link, errc::forked, out), false;  // it was superseded, and is back: there are two
        member.opened = theirs.opened;
        if (theirs.session != member.session) member.session_before = std::exchange(member.session, theirs.session);
        const bool again = std::exchange(peer.introduced, true);
        if (theirs.port != 0) member.endpoint = {peer.host, theirs.port};
        member.name = theirs.name;
        member.heads = theirs.heads;
        member.ready = theirs.ready;
        member.settled = theirs.settled;
        member.retired = copy_.retirements().records() == theirs.retired ? copy_.retirements().digest() : 0;
        member.skew = difference(theirs.wall, now.wall);
        if (peer.dialed) links_.found(*peer.dialed, member.replica);
        const bool fresh = member.link != link;
        if (fresh && member.link != Link{}) {
            if (!prefers(link, member)) return drop(link, out), false;
            if (const Link old = std::exchange(member.link, link); dialer_of(old) != dialer_of(link)) drop(old, out);
        }
        member.link = link;
        heard_from(member, now, out);
        on_acquaintances(theirs.members, now, out);
        copy_.keep_in_the_open("members", acquaintances());
        return fresh && !again;
    }

    void remember(const Acquaintance& acquaintance, const Moment& now) {
        const ReplicaId& replica = acquaintance.replica;
        if (replica == self_ || replica == copy_.id() || replica.is_nil()) return;
        if (copy_.retirements().contains(replica)) return;
        if (Member* member = members_.find(replica)) {
            if (member->endpoint.port == 0) member->endpoint = acquaintance.endpoint;
            return;
        }
        if (members_.size() >= options_.limits.members) return void(++members_refused_);
        Member& member = members_[replica];
        member.replica = replica;
        member.endpoint = acquaintance.endpoint;
        member.last_seen = std::max(acquaintance.last_seen, Ntp64{});
        member.last_synchronized = acquaintance.last_synchronized;
        member.expected = acquaintance.live;
        member.last_heard = now.time;
    }

    /// Makes room for a member that has introduced itself: before one that nobody has seen yet.
    bool admit(const ReplicaId& replica) {
        if (!members_.contains(replica) && members_.size() >= options_.limits.members) {
            bool gone = false;
            members_.erase_if([&](const ReplicaId&, const Member& member) {
                const bool unseen = member.state != MemberState::live && member.state != MemberState::suspect;
                return unseen && !std::exchange(gone, true);
            });
            if (!gone) return ++members_refused_, false;
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
        const Peer& peer = *links_.find(link);
        return peer.dialed ? self_ : peer.replica;
    }

    void enter(Member& member, MemberState state, Outbox& out) {
        if (member.state == state) return;
        out.events.push_back({member.replica, std::exchange(member.state, state), state});
    }

    void redial(Member& member, const Moment& now, Outbox& out) {
        if (member.link != Link{} || member.endpoint.port == 0 || now.time < member.redial_at) return;
        if (links_.reaches(member.replica, member.endpoint)) return;
        // The longer it has been away, the less often: a split of a minute is mended within a second or two.
        const Duration away = now.time - member.last_heard;
        member.redial_at = now.time + std::clamp(away / 60, options_.redial.least, options_.redial.most);
        out.dials.push_back(member.endpoint);
    }

    void check(Member& member, const Moment& now, Outbox& out) {
        if (member.state == MemberState::live || member.state == MemberState::suspect) {
            if (keepalive_.is_lost(member, now.time)) return lose(member, out);
            if (keepalive_.is_suspect(member, now.time)) {
                enter(member, MemberState::suspect, out);
                keepalive_.probe(member, live_links(), random_, out);
            }
        } else if (keepalive_.is_lost(member, now.time)) {
            if (member.state == MemberState::known) enter(member, MemberState::offline, out);
            if (member.last_seen == Ntp64{}) member.last_seen = now.wall;
            if (difference(now.wall, member.last_seen) > options_.stale_after) enter(member, MemberState::stale, out);
        }
        if (member.link != Link{})
            out.send(member.link, Ping{now.time.count()});
        else
            redial(member, now, out);
    }

    std::vector<Link> live_links() {
        std::vector<Link> links;
        for_each_live([&](const Member& member) { links.push_back(member.link); });
        return links;
    }

    void lose(Member& member, Outbox& out) {
        enter(member, MemberState::offline, out);
        for (Link link = member.link; link != Link{}; link = links_.to(member.replica)) drop(link, out);
        member.link = Link{};
    }

    void drop(Link link, Outbox& out) {
        links_.close(link);
        out.closes.push_back(link);
        for (auto& [replica, member] : members_) {
            if (member.link != link) continue;
            member.link = links_.to(replica);
            if (member.link == Link{} && member.state == MemberState::live) enter(member, MemberState::suspect, out);
        }
    }

    void on_ping(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Ping> ping = decode_message<Ping>(bytes);
        if (!ping) return refuse(link, ping.error(), out);
        if (!member_on(link)) return on_stranger(link, now, out);
        out.send(link, Pong{ping->sent, now.wall});
    }

    void on_pong(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Pong> pong = decode_message<Pong>(bytes);
        if (!pong) return refuse(link, pong.error(), out);
        Member* member = member_on(link);
        if (member && pong->sent <= now.time.count() && pong->sent >= 0)
            Keepalive::on_pong(*member, *pong, now.time, now.wall);
    }

    void on_probe(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Probe> probe = decode_message<Probe>(bytes);
        if (!probe) return refuse(link, probe.error(), out);
        const Member* member = find(probe->replica);
        if (member_on(link) && member && member->link != Link{})
            out.send(link, Heard{probe->replica, (now.time - member->last_heard).count()});
    }

    void on_heard(Link link, ByteView bytes, const Moment& now, Outbox& out) {
        const Result<Heard> heard = decode_message<Heard>(bytes);
        if (!heard) return refuse(link, heard.error(), out);
        Member* member = find(heard->replica);
        if (member_on(link) && member) keepalive_.on_heard(*member, *heard, now.time);
    }

    const Options& options_;
    Copy& copy_;
    detail::Random random_;
    Twins<Copy> twins_;
    ReplicaId self_{};
    std::uint16_t port_ = 0;
    bool ready_ = false;
    bool shown_ = true;
    detail::OrderedMap<ReplicaId, Member> members_;
    Links links_;
    Keepalive keepalive_;
    Duration announce_at_{};
    std::uint64_t announcements_ignored_ = 0;
    std::uint64_t members_refused_ = 0;
};

}  // namespace netsync
