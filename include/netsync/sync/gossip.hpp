// netsync: how replicas become equal. What members say they hold comes in; requests for what is lacking go out, and
// end. Stage 8 of the flow. A round is a function of two digests; nothing believed about a peer outlives it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/pool.hpp>
#include <netsync/pool/roll.hpp>
#include <netsync/sync/delivery.hpp>
#include <netsync/sync/message.hpp>
#include <netsync/sync/report.hpp>
#include <netsync/sync/state_transfer.hpp>
#include <netsync/wire/history.hpp>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace netsync {

/// Pull-based anti-entropy (Demers et al. 1987; scuttlebutt, van Renesse et al. 2008). At random intervals a random
/// live member is asked for its digest; each side asks for exactly the frames that it lacks, never for what it has
/// asked of another member meanwhile. A newcomer first takes the whole state of the highest roller. Sans-IO, one
/// thread.
class Gossip {
   public:
    using Buffer = CausalBuffer<Frame>;

    Gossip(const Options& options, const History& history, const Buffer& buffer, Pool& pool, std::uint64_t seed)
        : options_(options), history_(history), buffer_(buffer), pool_(pool), random_(seed) {}

    /// `newcomer`: holds nothing of others yet, so it loads before it takes part.
    void start(const Moment& now, bool newcomer) {
        ready_ = !newcomer;
        schedule(now);
    }
    void stop() {
        sessions_.clear();
        loading_from_ = ReplicaId{};
        first_greeting_.reset();
        passed_over_.clear();
    }

    JoinState state() const {
        if (loading_from_ != ReplicaId{}) return JoinState::loading;
        if (has_live()) return ready_ ? JoinState::ready : JoinState::greeting;
        return pool_.is_greeting() ? JoinState::greeting : JoinState::alone;
    }
    const std::deque<SyncReport>& reports() const noexcept { return reports_; }
    Duration next_wake() const noexcept { return next_at_; }

    /// A member has introduced itself, and said what it holds.
    void on_introduced(Member& member, const Moment& now, Outbox& out) {
        sessions_.erase(member.replica);  // what was asked over an earlier link is not answered over this one
        if (ready_) return begin(member, now, out);
        if (!first_greeting_) first_greeting_ = now.time;
        load(now, out);
    }

    /// What a member says it holds. errc::too_large for more replicas than the limits allow.
    std::error_code on_message(Member& member, const DigestMessage& message, const Moment& now, Outbox& out) {
        if (message.digest == history_.digest()) {
            member.heads = history_.heads();
            member.last_synchronized = now.wall;
            if (!message.answer) out.send(member.link, DigestMessage{history_.digest(), true});
        } else {
            out.send(member.link, HeadsMessage{history_.heads(), true});
        }
        return {};
    }

    std::error_code on_message(Member& member, const HeadsMessage& message, const Moment& now, Outbox& out) {
        if (message.heads.size() > options_.limits.replicas) return errc::too_large;
        member.heads = message.heads;
        if (message.answer_wanted) out.send(member.link, HeadsMessage{history_.heads(), false});
        if (ready_) begin(member, now, out);
        return {};
    }

    /// Our frame was too far ahead of the member's clock. It is in our log: gossip offers it again.
    std::error_code on_message(Member& member, const FrameRefused& message, const Moment&, Outbox& out) {
        out.events.push_back({member.replica, member.state, member.state, errc::clock_drift});
        static_cast<void>(message);
        return {};
    }

    /// The frames of an answer were delivered.
    void on_frames(Member& member, const FramesMessage& message, std::size_t bytes, const Delivered& delivered,
                   const Moment& now, Outbox& out) {
        const auto found = sessions_.find(member.replica);
        if (found == sessions_.end()) return;
        SyncReport& report = found->second.report;
        report.bytes += bytes;
        report.frames += message.frames.size();
        report.applied += delivered.news;
        found->second.asked.clear();
        if (message.below_horizon) return ask_for_state(found->second, member, now, out);
        if (lacking(member, member.replica).empty()) return finish(found, SyncEnd::repaired, now);
        if (delivered.drifted) return finish(found, SyncEnd::clock_drift, now);
        if (delivered.news == 0) return finish(found, SyncEnd::no_progress, now);
        ask(found->second, member, lacking(member, member.replica), now, out);
    }

    /// A piece of a state. The bytes of the whole when it is complete, to be adopted and told by on_adopted.
    std::optional<Bytes> on_chunk(Member& member, const StateChunk& chunk, const Moment& now, Outbox& out) {
        const auto session = sessions_.find(member.replica);
        const bool awaited =
            loading_from_ == member.replica || (session != sessions_.end() && session->second.wants_state);
        if (!awaited) return std::nullopt;
        const Result<bool> complete = sink_.take(member.link, chunk, options_.limits, out);
        if (!complete) {
            sink_.finish();
            on_adopted(member, complete.error(), now, out);
            return std::nullopt;
        }
        if (session != sessions_.end()) {
            session->second.deadline = now.time + options_.answer_timeout;
            session->second.report.bytes += chunk.bytes.size();
        }
        load_deadline_ = now.time + options_.answer_timeout;
        if (!*complete) return std::nullopt;
        return sink_.finish();
    }

    void on_adopted(Member& member, std::error_code error, const Moment& now, Outbox& out) {
        if (const auto session = sessions_.find(member.replica); session != sessions_.end()) {
            finish(session, error ? SyncEnd::failed : SyncEnd::adopted, now);
        } else if (loading_from_ == member.replica) {
            remember(
                {member.replica, 1, 0, 0, 0, error ? SyncEnd::failed : SyncEnd::adopted, now.time - *first_greeting_});
            loading_from_ = ReplicaId{};
            if (error) {
                passed_over_.insert(member.replica);
                load(now, out);
            } else {
                become_ready(now, out);
            }
        }
    }

    void tick(const Moment& now, Outbox& out) {
        for (auto at = sessions_.begin(); at != sessions_.end();) {
            const auto session = at++;
            const Member* member = pool_.find(session->first);
            if (!member || member->link == Link{})
                finish(session, SyncEnd::peer_lost, now);
            else if (now.time >= session->second.deadline)
                finish(session, SyncEnd::timed_out, now);
        }
        if (!ready_) load(now, out);
        if (now.time < next_at_) return;
        schedule(now);
        gossip(now, out);
    }

   private:
    struct Session {
        SyncReport report;
        std::vector<CounterRange> asked;
        Duration began{};
        Duration deadline{};
        bool wants_state = false;
    };
    using Sessions = std::map<ReplicaId, Session>;

    bool has_live() const {
        return std::any_of(pool_.members().begin(), pool_.members().end(),
                           [](const auto& entry) { return entry.second.state == MemberState::live; });
    }

    void schedule(const Moment& now) {
        const auto width = (options_.gossip.most - options_.gossip.least).count();
        next_at_ =
            now.time + options_.gossip.least +
            Duration{static_cast<std::int64_t>(random_.below(width > 0 ? static_cast<std::uint64_t>(width) : 0))};
    }

    void gossip(const Moment&, Outbox& out) {
        std::vector<Member*> live;
        pool_.for_each_live([&](Member& member) {
            if (!sessions_.contains(member.replica)) live.push_back(&member);
        });
        if (live.empty() || !ready_) return;
        out.send(live[random_.below(live.size())]->link, DigestMessage{history_.digest(), false});
    }

    /// What `member` holds and we do not, nor wait for, nor have asked of anybody else.
    std::vector<CounterRange> lacking(const Member& member, const ReplicaId& asker) const {
        std::vector<CounterRange> ranges = buffer_.gaps(history_.vector(), member.heads);
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
        if (sessions_.contains(member.replica)) return;
        std::vector<CounterRange> ranges = lacking(member, member.replica);
        if (ranges.empty()) return;
        Session& session = sessions_[member.replica];
        session.report.peer = member.replica;
        session.began = now.time;
        ask(session, member, std::move(ranges), now, out);
    }

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
        sink_.ask(member.link, out);
    }

    void finish(Sessions::iterator session, SyncEnd end, const Moment& now) {
        session->second.report.end = end;
        session->second.report.took = now.time - session->second.began;
        remember(session->second.report);
        sessions_.erase(session);
    }

    void remember(const SyncReport& report) {
        reports_.push_back(report);
        if (reports_.size() > max_reports) reports_.pop_front();
    }

    /// A newcomer asks the highest roller among those that can help; when it fails, the next one.
    void load(const Moment& now, Outbox& out) {
        if (!first_greeting_) return;
        if (loading_from_ != ReplicaId{}) {
            const Member* source = pool_.find(loading_from_);
            if (source && source->link == loading_over_ && now.time < load_deadline_) return;
            if (source && source->link != Link{} && source->link != loading_over_)
                return ask_to_load(*source, now, out);
            passed_over_.insert(std::exchange(loading_from_, ReplicaId{}));
        }
        std::vector<ReplicaId> candidates;
        for (const auto& [replica, member] : pool_.members())
            if (!passed_over_.contains(replica) && may_help(member, now)) candidates.push_back(replica);
        const auto winner = highest_roller(pool_.self(), pool_.session(), candidates);
        if (!winner) {
            if (!has_live()) return;
            passed_over_.clear();
            return become_ready(now, out);
        }
        const Member& source = *pool_.find(*winner);
        if (source.link == Link{}) return;  // it will introduce itself, or be passed over
        ask_to_load(source, now, out);
    }

    /// For the first time, or again over another link: the transfer goes on where it was.
    void ask_to_load(const Member& source, const Moment& now, Outbox& out) {
        loading_from_ = source.replica;
        loading_over_ = source.link;
        load_deadline_ = now.time + options_.answer_timeout;
        sink_.ask(source.link, out);
    }

    /// Linked members that hold something new; others for as long as they may be about to introduce themselves.
    bool may_help(const Member& member, const Moment& now) const {
        if (member.link == Link{})
            return member.state == MemberState::known && now.time < *first_greeting_ + options_.answer_timeout;
        return !buffer_.gaps(history_.vector(), member.heads).empty();
    }

    void become_ready(const Moment& now, Outbox& out) {
        ready_ = true;
        pool_.for_each_live([&](Member& member) { begin(member, now, out); });
    }

    static constexpr std::size_t max_ranges = 1024;
    static constexpr std::size_t max_reports = 16;

    const Options& options_;
    const History& history_;
    const Buffer& buffer_;
    Pool& pool_;
    detail::Random random_;
    Duration next_at_{};
    bool ready_ = true;
    std::optional<Duration> first_greeting_;
    ReplicaId loading_from_{};
    Link loading_over_{};
    Duration load_deadline_{};
    std::set<ReplicaId> passed_over_;
    Sessions sessions_;
    StateSink sink_;
    std::deque<SyncReport> reports_;
};

}  // namespace netsync
