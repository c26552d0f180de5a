// netsync: how a replica comes by the pool's state: a newcomer, and one that cannot go on as it is and takes a new
// incarnation. Introductions and pieces of a state come in; requests go out until it is ready.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/pool.hpp>
#include <netsync/pool/roll.hpp>
#include <netsync/sync/fork.hpp>
#include <netsync/sync/identity.hpp>
#include <netsync/sync/message.hpp>
#include <netsync/sync/report.hpp>
#include <netsync/sync/state_transfer.hpp>
#include <netsync/sync/succession.hpp>
#include <netsync/wire/history.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// Pool initiative: the state comes from the highest roller; when it fails, from the next one, going on where the
/// transfer was. A replica whose history is disputed or retired hides what it holds, comes back under its next
/// incarnation, takes the state in place of its own, and issues its unseen changes again. Sans-IO, one thread.
template <class Copy>
class Loading {
   public:
    Loading(const Options& options, Copy& copy, Pool<Copy>& pool, std::uint64_t seed)
        : options_(options), copy_(copy), pool_(pool), random_(seed) {}

    bool is_ready() const noexcept { return ready_; }
    bool is_loading() const noexcept { return from_ != ReplicaId{}; }
    bool is_succeeding() const noexcept { return !copy_.successor().is_nil(); }

    void start() {
        shown_ = copy_.opened();
        present(!is_succeeding() && !is_newcomer(copy_.history(), copy_.id()));
    }
    void stop() {
        from_ = ReplicaId{};
        first_greeting_.reset();
        passed_over_.clear();
        unplaced_.reset();
        trying_since_.reset();
    }

    /// This incarnation is over: another copy of it is alive, it was given up, or something that it made is older than what
    /// the pool has forgotten. `replace`: the pool's state takes the place of what is held.
    /// `parted`: where a history parts from one that stays in its place.
    void give_up_incarnation(bool replace, const Moment& now, Outbox& out, const Agreement* parted = nullptr) {
        if (!replace && !parted && !is_succeeding() && is_untouched_copy()) return go_on_apart(now, out);
        replace_ = replace_ || replace;
        if (parted) part(*parted);
        if (const std::optional<Twin>& original = pool_.twins().original()) part(*original);
        const bool planned =
            is_succeeding() && !pool_.twins().original() && !copy_.retirements().contains(copy_.successor());
        if (planned && pool_.self() == copy_.successor()) return;
        if (!is_succeeding()) shown_ = copy_.frontier().counter;
        pool_.rename(planned ? copy_.successor() : copy_.plan_successor(random_), now, out);
        stop();
        sink_.drop();
        present(false);
    }

    // Each of these is true when the replica has become ready.

    bool on_introduced(const Moment& now, Outbox& out) {
        if (ready_) return false;
        if (!first_greeting_) first_greeting_ = now.time;
        return load(now, out);
    }

    bool tick(const Moment& now, Outbox& out) { return !ready_ && load(now, out); }

    /// Whether a piece of a state from this member is taken; `begins`: its first one. Of those asked one after the other it is
    /// whoever answers first.
    bool takes_from(const Member& member, bool begins) noexcept {
        if (is_loading() && begins && member.ready && sink_.received() == 0) {
            from_ = member.replica;
            over_ = member.link;
        }
        return from_ == member.replica;
    }

    bool on_chunk(Member& member, StateChunk&& chunk, const Moment& now, Outbox& out) {
        bytes_ += chunk.bytes.size();
        const Result<bool> complete = sink_.take(member.link, std::move(chunk), options_.limits, out);
        deadline_ = now.time + options_.answer_timeout;
        if (!complete) return on_state(member, {}, complete.error(), now, out);
        return *complete && on_state(member, sink_.finish(), {}, now, out);
    }

    bool on_agreement(Member& member, const Agreement& agreement, const Moment& now, Outbox& out) {
        if (!unplaced_ || from_ != member.replica || agreement.replica != copy_.id()) return false;
        const Unplaced state = *std::exchange(unplaced_, std::nullopt);
        if (!agreement.known && is_patient(now))  // somebody else's log may tell
            return finish(member, errc::forked, now, out);
        if (agreement.known && !replace_ && copy_.fork().weigh(copy_.id(), agreement) == Stays::ours) {
            out.send(member.link, copy_.fork().answer(agreement));
            copy_.go_on();
            parted_.clear();
            return finish(member, {}, now, out);
        }
        part(agreement);
        return finish(member, take_over(member, state.bytes, state.header, parted(), now, out), now, out);
    }

    std::uint64_t states_refused() const noexcept { return sink_.refused(); }

    /// The transfers that ended since the last time this was asked.
    std::vector<SyncReport> take_reports() { return std::exchange(reports_, {}); }

   private:
    /// A state, until it is known how far the histories agree.
    struct Unplaced {
        Bytes bytes;
        SnapshotHeader header;
    };

    /// Whether this is a copy that made nothing yet, or one is there that has all that this one made.
    bool is_untouched_copy() const {
        const std::optional<Twin>& original = pool_.twins().original();
        const std::uint64_t counter = copy_.frontier().counter;
        return original && counter <= std::max(copy_.opened(), original->opened) &&
               counter <= std::max(original->counter, original->opened) &&
               !copy_.fork().shows_another({copy_.id(), original->counter, original->hash});
    }

    /// The original keeps the id and the history under it.
    void go_on_apart(const Moment& now, Outbox& out) {
        pool_.rename(copy_.plan_successor(random_), now, out);
        copy_.go_on();
        stop();
        sink_.drop();
        present(true);
    }

    void present(bool ready) {
        ready_ = ready;
        pool_.present(ready, !is_succeeding());
    }

    bool load(const Moment& now, Outbox& out) {
        if (!first_greeting_) return false;
        if (is_loading()) {
            const Member* source = pool_.find(from_);
            if (source && source->link == over_ && now.time < deadline_) return false;
            if (source && source->link != Link{} && source->link != over_) return ask(*source, now, out), false;
            pass_over(now);
        }
        std::vector<ReplicaId> candidates;
        for (const auto& [replica, member] : pool_.members())
            if (may_help(member, now)) candidates.push_back(replica);
        const auto winner = highest_roller(pool_.self(), pool_.session(), candidates);
        if (!winner) return nobody_helps(now);
        const Member& source = *pool_.find(*winner);
        if (source.link != Link{}) ask(source, now, out);  // or it will introduce itself, or be passed over
        return false;
    }

    bool nobody_helps(const Moment& now) {
        passed_over_.clear();
        const bool anybody = pool_.members().any(
            [](const ReplicaId&, const Member& member) { return member.state == MemberState::live; });
        if (!anybody) return false;
        if (is_succeeding()) {  // without the pool's state there is nothing to go on from
            const Duration waited = now.time - *first_greeting_;
            if (waited < options_.answer_timeout * patience) return false;
            if (!is_pool_lost(!replace_ && waited > 3 * options_.answer_timeout * patience)) return false;
            if (!copy_.succeed_alone(parted().value_or(shown_))) copy_.go_on();
            parted_.clear();
        }
        present(true);
        return true;
    }

    /// Whether all that there is of the pool waits as this replica does, and it is the one that goes first. Those who are away
    /// may be the pool; where histories parted nobody waits for them for ever.
    bool is_pool_lost(bool is_away_over) const {
        const auto is_here = [&](OwnerId owner) {
            return owner == pool_.self().owner() || pool_.members().any([&](const ReplicaId& id, const Member& member) {
                return id.owner() == owner && member.state == MemberState::live;
            });
        };
        return !pool_.members().any([&](const ReplicaId& id, const Member& member) {
            if (member.state != MemberState::live) return !is_away_over && !is_here(id.owner());
            return member.ready || id < pool_.self();
        });
    }

    /// Linked members that hold something new; others for as long as they may be about to introduce themselves.
    bool may_help(const Member& member, const Moment& now) const {
        if (std::find(passed_over_.begin(), passed_over_.end(), member.replica) != passed_over_.end()) return false;
        if (member.link == Link{})
            return member.expected && member.state == MemberState::known &&
                   now.time < *first_greeting_ + options_.answer_timeout;
        if (is_succeeding()) return member.ready;
        return !copy_.buffer().gaps(copy_.history().vector(), member.heads).empty();
    }

    /// For the first time, or again over another link: the transfer goes on where it was.
    void ask(const Member& source, const Moment& now, Outbox& out) {
        from_ = source.replica;
        over_ = source.link;
        deadline_ = now.time + options_.answer_timeout;
        unplaced_.reset();
        sink_.ask(source.link, out, is_succeeding() ? what_stays() : copy_.history().heads());
    }

    void pass_over(const Moment& now) {
        report(SyncEnd::timed_out, now);
        passed_over_.push_back(std::exchange(from_, ReplicaId{}));
    }

    /// The state is whole, or cannot be had from this member.
    bool on_state(Member& member, Bytes state, std::error_code error, const Moment& now, Outbox& out) {
        const Result<SnapshotHeader> header = decode_snapshot_header(state, options_.limits);
        const bool disputed = !error && header && copy_.fork().is_disputed(copy_.id(), header->heads);
        if (disputed && !is_succeeding()) return give_up_incarnation(false, now, out), false;
        if (!error && !is_succeeding() && !is_too_old(member)) {
            error = copy_.adopt(std::move(state));
            if (!error) copy_.recall(sink_.recent());
        } else if (!error) {
            replace_ = replace_ || !is_succeeding();
            if (disputed) {
                unplaced_ = Unplaced{std::move(state), *header};
                out.send(member.link, AgreementRequest{copy_.fork().heads(copy_.id())});
                return false;
            }
            error = header ? take_over(member, state, *header, parted(), now, out) : header.error();
        }
        return finish(member, error, now, out);
    }

    /// A newcomer's own changes may be older than what the pool has forgotten.
    bool is_too_old(const Member& member) const {
        return member.settled && copy_.frontier().counter > 0 &&
               !pool_.members().any([&](const ReplicaId&, const Member& other) { return other.holds(copy_.id()) > 0; });
    }

    /// `parted`: up to where the pool has the same history of this replica, if it has another one beyond.
    std::error_code take_over(const Member& source, ByteView state, const SnapshotHeader& header,
                              std::optional<std::uint64_t> parted, const Moment& now, Outbox& out) {
        const bool planned = is_succeeding();
        if (holds_what_goes(header)) {
            if (is_patient(now)) return errc::forked;
            if (planned && !replace_)
                return copy_.go_on(), parted_.clear(), std::error_code{};  // it has stayed after all
            parted_.erase(std::remove_if(parted_.begin(), parted_.end(),
                                         [&](const Parted& at) { return holds_what_goes(header, at); }),
                          parted_.end());
        }
        const ReplicaId after = planned ? copy_.successor() : copy_.plan_successor(random_);
        const bool better = copy_.displaces(header) || (source.settled && copy_.holds_of_others(header));
        const bool in_place = replace_ || !parted_.empty() || (better && is_patient(now));
        if (source.settled) copy_.settle();
        const Result<Succession> done = parted || (in_place && copy_.can_issue_again(header))
                                            ? copy_.succeed_in_place(state, parted, parted_, !is_patient(now))
                                            : copy_.succeed(state);
        if (!done) return done.error();
        copy_.recall(sink_.recent());
        replace_ = false;
        parted_.clear();
        trying_since_.reset();
        if (!parted && done->agreed < max_counter)
            copy_.retire({Retirement{done->before, done->agreed, now.wall, after}});
        if (!planned) pool_.rename(after, now, out);
        return {};
    }

    void part(const Agreement& agreement) {
        if (agreement.known)
            part(Parted{agreement.replica, agreement.counter, copy_.fork().mark(agreement)});
        else  // a copy of this replica's store has what was in it when the later of both was opened
            part(Parted{agreement.replica,
                        agreement.replica == copy_.id() ? std::max(copy_.opened(), pool_.twins().copied()) : 0,
                        std::nullopt});
    }

    /// This replica is a copy: what came before its store was opened is its original's too, and nothing of what came after.
    void part(const Twin& original) {
        const Head there{copy_.id(), original.counter, original.hash};
        std::uint64_t most = max_counter;
        if (original.counter > 0 && copy_.fork().shows_ours(there)) most = original.counter;  // it goes on from there
        if (copy_.fork().shows_another(there)) most = original.counter - 1;
        part(Parted{copy_.id(), std::min(copy_.opened(), most), std::nullopt});
    }

    void part(const Parted& at) {
        for (Parted& known : parted_)
            if (known.replica == at.replica) return void(known = at);
        parted_.push_back(at);
    }

    /// Up to where this replica's own history stays.
    std::optional<std::uint64_t> parted() const {
        for (const Parted& at : parted_)
            if (at.replica == copy_.id()) return at.counter;
        return std::nullopt;
    }

    /// The first of the histories that stay, beyond what is in both.
    std::vector<Head> what_stays() const {
        std::vector<Head> heads;
        for (const Parted& at : parted_)
            if (at.mark) heads.push_back({at.replica, at.mark->last, at.mark->beyond});
        return heads;
    }

    /// Whether a state comes of a history that does not stay, as what is held here does.
    bool holds_what_goes(const SnapshotHeader& header) const {
        return std::any_of(parted_.begin(), parted_.end(),
                           [&](const Parted& at) { return holds_what_goes(header, at); });
    }

    bool holds_what_goes(const SnapshotHeader& header, const Parted& at) const {
        return std::any_of(header.heads.begin(), header.heads.end(), [&](const Head& head) {
            return at.replica == head.replica && at.counter < head.counter && copy_.fork().shows_ours(head);
        });
    }

    /// For as long as what one member has not got another may have, or the same one a little later.
    bool is_patient(const Moment& now) {
        if (!trying_since_) trying_since_ = now.time;
        return now.time - *trying_since_ < options_.answer_timeout * patience;
    }

    bool finish(Member& member, std::error_code error, const Moment& now, Outbox& out) {
        report(error ? SyncEnd::failed : SyncEnd::adopted, now);
        from_ = ReplicaId{};
        if (error) {
            passed_over_.push_back(member.replica);
            return load(now, out);
        }
        if (member.settled) copy_.settle();
        passed_over_.clear();
        present(true);
        return true;
    }

    void report(SyncEnd end, const Moment& now) {
        reports_.push_back({from_, 1, std::exchange(bytes_, 0), 0, 0, end, now.time - *first_greeting_});
    }

    static constexpr int patience = 5;

    const Options& options_;
    Copy& copy_;
    Pool<Copy>& pool_;
    detail::Random random_;
    bool ready_ = true;
    bool replace_ = false;
    std::uint64_t shown_ = 0;     // what of this incarnation's changes others may have
    std::vector<Parted> parted_;  // histories of which something that is held here does not stay
    std::optional<Duration> trying_since_;
    std::optional<Duration> first_greeting_;
    ReplicaId from_{};
    Link over_{};
    Duration deadline_{};
    std::vector<ReplicaId> passed_over_;
    std::optional<Unplaced> unplaced_;
    StateSink sink_;
    std::uint64_t bytes_ = 0;  // of states, since the last report
    std::vector<SyncReport> reports_;
};

}  // namespace netsync
