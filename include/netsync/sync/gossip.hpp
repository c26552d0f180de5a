// netsync: how replicas become equal. What members say they hold comes in; requests for what is lacking go out, and
// end. Stage 8 of the flow. A round is a function of two digests; nothing believed about a peer outlives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/hash.hpp>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/pool.hpp>
#include <netsync/sync/delivery.hpp>
#include <netsync/sync/fork.hpp>
#include <netsync/sync/loading.hpp>
#include <netsync/sync/message.hpp>
#include <netsync/sync/report.hpp>
#include <netsync/sync/state_transfer.hpp>
#include <netsync/wire/history.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// Pull-based anti-entropy (Demers et al. 1987; scuttlebutt, van Renesse et al. 2008). At random intervals a random
/// live member is asked for its digest; each side asks for exactly the frames that it lacks, never for what it has
/// asked of another member meanwhile. Sans-IO, one thread.
template <class Copy>
class Gossip {
   public:
    Gossip(const Options& options, Copy& copy, Pool<Copy>& pool, std::uint64_t seed)
        : options_(options), copy_(copy), pool_(pool), random_(seed), loading_(options, copy, pool, random_.next()) {}

    void start(const Moment& now) {
        loading_.start();
        next_at_ = now.time + options_.gossip.pick(random_);
    }
    void stop() {
        sessions_.clear();
        loading_.stop();
    }

    JoinState state() const {
        if (loading_.is_loading()) return JoinState::loading;
        if (has_live()) return is_ready() ? JoinState::ready : JoinState::greeting;
        return pool_.is_greeting() ? JoinState::greeting : JoinState::alone;
    }
    bool is_ready() const noexcept { return loading_.is_ready(); }
    /// Whether nobody else is known: so far what is held here is all that there is.
    bool is_first() const { return pool_.members().empty() && !loading_.is_succeeding(); }
    /// Whether what others send is of use now: not while this replica is about to take another state for its own.
    bool listens() const noexcept { return !loading_.is_succeeding(); }
    const std::vector<SyncReport>& reports() const noexcept { return reports_; }
    std::uint64_t states_refused() const noexcept { return sink_.refused() + loading_.states_refused(); }
    Duration next_wake() const noexcept { return next_at_; }

    /// What is held, and who is known: equal exactly where nothing is left to say.
    std::uint64_t digest() const { return detail::mix(copy_.history().digest(), pool_.digest()); }

    /// A member has introduced itself, and said what it holds.
    void on_introduced(Member& member, const Moment& now, Outbox& out) {
        sessions_.erase(member.replica);  // what was asked over an earlier link is not answered over this one
        const ReplicaId replica = member.replica;
        if (loading_.on_introduced(now, out)) return become_ready(out);
        if (reconsider(member, now, out)) return;
        if (Member* still = pool_.find(replica)) begin(*still, now, out);
    }

    /// What a member says it holds. errc::too_large for more replicas than the limits allow.
    std::error_code on_message(Member& member, const DigestMessage& message, const Moment& now, Outbox& out) {
        member.ready = true;
        if (!is_ready()) return {};
        if (message.digest == digest()) {
            member.heads = copy_.history().heads();
            member.retired = copy_.retirements().digest();
            member.last_synchronized = now.wall;
            if (!message.answer) out.send(member.link, DigestMessage{digest(), true});
        } else {
            out.send(member.link, heads(true));
        }
        return {};
    }

    std::error_code on_message(Member& member, const HeadsMessage& message, const Moment& now, Outbox& out) {
        if (message.heads.size() > options_.limits.replicas) return errc::too_large;
        if (!are_sorted(message.heads)) return errc::malformed;
        member.heads = message.heads;
        member.ready = true;
        copy_.retire(message.retired);
        member.retired = copy_.retirements().records() == message.retired ? copy_.retirements().digest() : 0;
        pool_.on_acquaintances(message.members, now, out);
        const ReplicaId replica = member.replica;
        if (reconsider(member, now, out) || !is_ready()) return {};
        if (message.answer_wanted) out.send(pool_.link_to(replica), heads(false));
        if (Member* still = pool_.find(replica)) {
            begin(*still, now, out);
            if (message.lineage != copy_.history().lineage()) begin_to_join(*still, now, out);
        }
        return {};
    }

    /// Our frame was too far ahead of the member's clock: it is in our log, and gossip offers it again. Or it was made
    /// without what others have forgotten since: then it is issued again.
    std::error_code on_message(Member& member, const FrameRefused& message, const Moment& now, Outbox& out) {
        if (message.reason == errc::outdated) {
            if (message.origin == copy_.id() && is_ready()) give_up_incarnation(true, now, out);
        } else {
            out.events.push_back({member.replica, member.state, member.state, errc::clock_drift});
        }
        return {};
    }

    std::error_code on_message(Member& member, const AgreementRequest& request, const Moment&, Outbox& out) {
        if (!is_ready() || request.heads.empty()) return {};
        out.send(member.link, copy_.fork().compare(request.heads));
        return {};
    }

    /// Of two histories under one id the member's stays, or ours, and then the member has to know; or there is but one.
    std::error_code on_message(Member& member, const Agreement& agreement, const Moment& now, Outbox& out) {
        if (loading_.on_agreement(member, agreement, now, out)) become_ready(out);
        if (!is_ready()) return {};
        const Stays stays = copy_.fork().weigh(copy_.id(), agreement);
        if (is_early(agreement, now)) return {};
        const bool asked = is_in_question(now) && question_->replica == agreement.replica;
        if (asked) question_.reset();
        if (stays == Stays::ours && asked) out.send(member.link, copy_.fork().answer(agreement));
        if (stays == Stays::theirs) give_up_incarnation(false, now, out, &agreement);
        return {};
    }

    /// The frames of an answer were delivered.
    void on_frames(Member& member, const FramesMessage& message, std::size_t bytes, const Delivered& delivered,
                   const Moment& now, Outbox& out) {
        Session* session = sessions_.find(member.replica);
        if (!session && delivered.news > 0) begin(member, now, out);  // the answer came late
        if (!session) return;
        SyncReport& report = session->report;
        report.bytes += bytes;
        report.frames += message.frames.size();
        report.applied += delivered.news;
        session->asked.clear();
        if (message.below_horizon || delivered.outdated) return ask_for_state(*session, member, now, out);
        if (lacking(member, member.replica).empty()) return finish(member.replica, SyncEnd::repaired, now);
        if (delivered.drifted) return finish(member.replica, SyncEnd::clock_drift, now);
        if (delivered.news == 0 || postpone()) return finish(member.replica, SyncEnd::no_progress, now);
        ask(*session, member, lacking(member, member.replica), now, out);
    }

    /// A frame does not continue what is held of its origin. It may have been damaged on its way, or there are two
    /// histories under one id.
    void on_fork(const Member& member, const FrameHeader& theirs, const Moment& now, Outbox& out) {
        if (!is_ready() || copy_.counter(theirs.origin) == 0) return;
        seen_ = {theirs.origin, now.time + options_.answer_timeout};
        question(theirs.origin, member, now, out);
    }

    /// Whether a member may be given the state: not where it would be joined with another history under one id. Who came by
    /// its own just now, and cannot tell, waits for as long as two copies of one replica may take to find each other.
    bool may_give(const Member& member, const StateRequest& request, const Moment& now, Outbox& out) {
        if (!listens()) return false;
        const Fork fork = copy_.fork();
        for (const Head& head : request.of) {
            if (!fork.shows_another(head)) continue;
            if (is_ready()) question(head.replica, member, now, out);
            return false;
        }
        return now.time >= sure_at_ || std::none_of(request.of.begin(), request.of.end(), [&](const Head& head) {
                   return head.counter < copy_.counter(head.replica) && !fork.shows_ours(head);
               });
    }

    /// A piece of a state.
    void on_chunk(Member& member, StateChunk&& chunk, const Moment& now, Outbox& out) {
        if (loading_.takes_from(member, chunk.offset == 0)) {
            if (loading_.on_chunk(member, std::move(chunk), now, out)) {
                sure_at_ = now.time + 3 * options_.answer_timeout;
                become_ready(out);
            }
            return take_reports();
        }
        Session* session = sessions_.find(member.replica);
        if (!session && late_ == member.replica && chunk.offset == 0 && is_ready()) {
            session = &open(member, now);
            session->wants_state = true;
        }
        if (!session || !session->wants_state) return;
        session->deadline = now.time + options_.answer_timeout;
        session->report.bytes += chunk.bytes.size();
        const Result<bool> complete = sink_.take(member.link, std::move(chunk), options_.limits, out);
        if (complete && !*complete) return;
        Bytes state = sink_.finish();
        std::error_code error = complete.error();
        if (complete)
            error = is_of_another_history(state, member, now, out) ? errc::forked : copy_.adopt(std::move(state));
        if (!error) copy_.recall(sink_.recent());
        finish(member.replica, error ? SyncEnd::failed : SyncEnd::adopted, now);
    }

    void tick(const Moment& now, Outbox& out) {
        sessions_.erase_if([&](const ReplicaId& peer, Session& session) {
            const Member* member = pool_.find(peer);
            const bool lost = !member || member->link == Link{};
            if (!lost && now.time < session.deadline) return false;
            if (session.wants_state) late_ = peer;
            conclude(session, lost ? SyncEnd::peer_lost : SyncEnd::timed_out, now);
            return true;
        });
        if (pool_.twins().original() || copy_.retirements().contains(pool_.self()))
            give_up_incarnation(false, now, out);
        if (loading_.tick(now, out)) become_ready(out);
        take_reports();
        resume(now, out);
        if (now.time < next_at_) return;
        next_at_ = now.time + options_.gossip.pick(random_);
        if (!is_ready()) return;
        std::vector<Member*> live;
        pool_.for_each_live([&](Member& member) {
            if (!sessions_.contains(member.replica)) live.push_back(&member);
        });
        if (!live.empty()) ask_digest(*live[random_.below(live.size())], out);
    }

    /// Asks for what could not be kept before, if it can be now.
    void resume(const Moment& now, Outbox& out) {
        if (postponed_ && !postpone()) pool_.for_each_live([&](Member& member) { begin(member, now, out); });
    }

    /// Asks a member whether it holds what we do. Who asks is ready.
    void ask_digest(const Member& member, Outbox& out) const {
        if (is_ready()) out.send(member.link, DigestMessage{digest(), false});
    }

    /// Tells all members at once what is held and known here. Who tells is ready.
    void tell_all(Outbox& out) {
        if (!is_ready()) return;
        pool_.for_each_live([&](const Member& member) { out.send(member.link, heads(true)); });
    }

    /// Nothing of `replica` counts beyond what is held here: a record of this replica's own.
    void retire(const ReplicaId& replica, const Moment& now, Outbox& out) {
        copy_.retire({Retirement{replica, copy_.counter(replica), now.wall, copy_.id()}});
        pool_.expel(out);
        tell_all(out);
    }

   private:
    struct Session {
        SyncReport report;
        std::vector<CounterRange> asked;
        Duration began{};
        Duration deadline{};
        bool wants_state = false;
    };

    /// Of whom there may be two histories.
    struct Question {
        ReplicaId replica;
        Duration until{};
    };

    bool has_live() const {
        return pool_.members().any(
            [](const ReplicaId&, const Member& member) { return member.state == MemberState::live; });
    }

    HeadsMessage heads(bool answer_wanted) const {
        return {copy_.history().heads(), answer_wanted, pool_.acquaintances(), copy_.retirements().records(),
                copy_.history().lineage()};
    }

    /// What a member has said may mean that this replica cannot go on as it is. True if so.
    bool reconsider(const Member& member, const Moment& now, Outbox& out) {
        if (copy_.retirements().contains(pool_.self())) return give_up_incarnation(false, now, out), true;
        if (loading_.is_succeeding()) return true;
        if (const auto forked = copy_.fork().find(copy_.id(), member.heads)) question(*forked, member, now, out);
        if (!copy_.retirements().empty()) pool_.expel(out);
        return false;
    }

    /// Asks a member how far both hold the same history of a replica. No whole state is joined until that is known.
    void question(const ReplicaId& replica, const Member& member, const Moment& now, Outbox& out) {
        question_ = {replica, now.time + options_.answer_timeout};
        out.send(member.link, AgreementRequest{copy_.fork().heads(replica)});
    }

    /// Where it is not known how far two histories of a third party are the same, somebody else's log may tell.
    bool is_early(const Agreement& agreement, const Moment& now) {
        if (agreement.replica == copy_.id() || agreement.known || !agreement.beyond) return unknown_.reset(), false;
        if (!unknown_ || unknown_->replica != agreement.replica)
            unknown_ = {agreement.replica, now.time + options_.answer_timeout * patience};
        return now.time < unknown_->until;
    }

    /// Whether a state may have another history of a replica than what it would be joined with.
    bool is_of_another_history(ByteView state, const Member& member, const Moment& now, Outbox& out) {
        if (is_in_question(now)) return true;
        const Result<SnapshotHeader> header = decode_snapshot_header(state, options_.limits);
        if (!header) return false;
        if (const auto forked = copy_.fork().find(copy_.id(), *header))
            return question(*forked, member, now, out), true;
        return seen_ && now.time < seen_->until &&
               counter_in(header->heads, seen_->replica) > copy_.counter(seen_->replica);
    }

    bool is_in_question(const Moment& now) const { return question_ && now.time < question_->until; }

    void give_up_incarnation(bool replace, const Moment& now, Outbox& out, const Agreement* parted = nullptr) {
        sessions_.clear();
        question_.reset();
        loading_.give_up_incarnation(replace, now, out, parted);
    }

    /// What `member` holds and we do not, nor wait for, nor have asked of anybody else.
    std::vector<CounterRange> lacking(const Member& member, const ReplicaId& asker) const {
        std::vector<CounterRange> ranges = copy_.buffer().gaps(copy_.history().vector(), member.heads);
        for (const auto& [peer, session] : sessions_)
            if (peer != asker)
                for (const CounterRange& taken : session.asked) ranges = without(ranges, taken);
        return ranges;
    }

    static std::vector<CounterRange> without(const std::vector<CounterRange>& ranges, const CounterRange& taken) {
        std::vector<CounterRange> rest;
        for (const CounterRange& range : ranges) {
            if (range.replica != taken.replica || range.last < taken.first || range.first > taken.last) {
                rest.push_back(range);
                continue;
            }
            if (range.first < taken.first) rest.push_back({range.replica, range.first, taken.first - 1});
            if (range.last > taken.last) rest.push_back({range.replica, taken.last + 1, range.last});
        }
        return rest;
    }

    void begin(Member& member, const Moment& now, Outbox& out) {
        if (!is_ready() || !member.ready || sessions_.contains(member.replica)) return;
        std::vector<CounterRange> ranges = lacking(member, member.replica);
        // All that it holds beyond us waits here already, for something that nobody is bringing: a frame that waits may
        // have been damaged on its way. The first one asked for again is ready and takes its place.
        if (ranges.empty() && sessions_.empty())
            ranges = CausalBuffer<Frame>{0, 0}.gaps(copy_.history().vector(), member.heads);
        if (ranges.empty() || postpone()) return;
        ask(open(member, now), member, std::move(ranges), now, out);
    }

    /// All changes that a member holds are here, but its state went another way: both take the state of the other.
    void begin_to_join(Member& member, const Moment& now, Outbox& out) {
        if (sessions_.contains(member.replica) || is_in_question(now) || postpone()) return;
        const bool asks = sessions_.any([](const ReplicaId&, const Session& session) { return session.wants_state; });
        if (!asks) ask_for_state(open(member, now), member, now, out);
    }

    Session& open(const Member& member, const Moment& now) {
        Session& session = sessions_[member.replica];
        session.report.peer = member.replica;
        session.began = now.time;
        session.deadline = now.time + options_.answer_timeout;
        late_ = ReplicaId{};
        return session;
    }

    /// Puts off asking where nothing can be kept now: true if so. It is asked for when it can.
    bool postpone() { return postponed_ = static_cast<bool>(copy_.refusal()); }

    void ask(Session& session, Member& member, std::vector<CounterRange> ranges, const Moment& now, Outbox& out) {
        session.asked = std::move(ranges);
        if (session.asked.size() > max_ranges) session.asked.resize(max_ranges);
        ++session.report.rounds;
        session.deadline = now.time + options_.answer_timeout;
        out.send(member.link, FetchMessage{session.asked});
    }

    void ask_for_state(Session& session, Member& member, const Moment& now, Outbox& out) {
        session.wants_state = true;
        ++session.report.rounds;
        session.deadline = now.time + options_.answer_timeout;
        sink_.ask(member.link, out, copy_.history().heads());
    }

    void finish(const ReplicaId& peer, SyncEnd end, const Moment& now) {
        conclude(*sessions_.find(peer), end, now);
        sessions_.erase(peer);
    }

    void conclude(Session& session, SyncEnd end, const Moment& now) {
        session.report.end = end;
        session.report.took = now.time - session.began;
        remember(session.report);
    }

    void take_reports() {
        for (const SyncReport& report : loading_.take_reports()) remember(report);
    }

    void remember(const SyncReport& report) {
        reports_.push_back(report);
        if (reports_.size() > max_reports) reports_.erase(reports_.begin());
    }

    void become_ready(Outbox& out) {
        pool_.expel(out);
        pool_.for_each_live([&](const Member& member) { ask_digest(member, out); });
    }

    static constexpr int patience = 5;
    static constexpr std::size_t max_ranges = 1024;
    static constexpr std::size_t max_reports = 16;

    const Options& options_;
    Copy& copy_;
    Pool<Copy>& pool_;
    detail::Random random_;
    Loading<Copy> loading_;
    Duration next_at_{};
    detail::OrderedMap<ReplicaId, Session> sessions_;
    bool postponed_ = false;
    Duration sure_at_{};
    ReplicaId late_{};  // who was asked for a state, and has not answered in time
    StateSink sink_;
    std::optional<Question> question_;
    std::optional<Question> seen_;     // of whom a frame has come that does not continue what is held
    std::optional<Question> unknown_;  // where nobody has told yet
    std::vector<SyncReport> reports_;
};

}  // namespace netsync
