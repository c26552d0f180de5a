// netsync: two histories under one replica id, of a copied or restored disk. What others say of a history and what is in
// the log come in; where both part, and which one stays, goes out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <netsync/options.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/sync/message.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/history.hpp>
#include <optional>
#include <tuple>
#include <vector>

namespace netsync {

/// Which of two histories of one replica stays.
enum class Stays { both, ours, theirs };

/// The histories that a copy holds, to be compared with those of others. Of two that part, the one stays whose first
/// change beyond is older, on all replicas alike: who put an old disk back does not undo what the pool had seen of the
/// replica since. What the other one holds beyond is issued again by the replica that made it.
template <store Store>
class Fork {
   public:
    Fork(const Store& store, const History& history, const Limits& limits)
        : store_(store), history_(history), limits_(limits) {}

    /// A replica of which a member shows another history: `self` first. One that is longer shows when its frames come; one
    /// that is shorter is looked for in the log where its owner has had more than one incarnation, as after each fork.
    std::optional<ReplicaId> find(const ReplicaId& self, const std::vector<Head>& theirs) const {
        if (is_disputed(self, theirs)) return self;
        for (auto head = theirs.begin(); head != theirs.end(); ++head) {
            const std::uint64_t ours = history_.counter(head->replica);
            if (head->replica == self || head->counter > ours) continue;
            const auto is_of_owner = [&](const Head& other) { return other.replica.owner() == head->replica.owner(); };
            if (head->counter < ours && !(head != theirs.begin() && is_of_owner(*std::prev(head))) &&
                !(std::next(head) != theirs.end() && is_of_owner(*std::next(head))))
                continue;
            if (shows_another(*head)) return head->replica;
        }
        return std::nullopt;
    }

    /// The same by a state that somebody gives. Its marks tell where its head does not.
    std::optional<ReplicaId> find(const ReplicaId& self, const SnapshotHeader& theirs) const {
        const auto is_known = [&](const ReplicaId& replica) {
            return std::any_of(theirs.heads.begin(), theirs.heads.end(),
                               [&](const Head& head) { return head.replica == replica && shows_ours(head); });
        };
        for (const Mark& mark : theirs.marks)
            if (const Head first{mark.replica, mark.last, mark.beyond};
                (mark.stayed ? shows_another(first) : shows_ours(first)) && !is_known(mark.replica))
                return mark.replica;
        return find(self, theirs.heads);
    }

    /// Whether a head is of a history that ours is not, as far as ours goes and the log tells.
    bool shows_another(const Head& theirs) const { return is_ours(theirs) == false; }
    /// Whether a head is known to lie in ours.
    bool shows_ours(const Head& theirs) const { return is_ours(theirs) == true; }

    /// Whether a member's head of this replica's own history shows that there is another copy of it: one that has gone on
    /// from an older state, or that was not lost when this one was restored.
    bool is_disputed(const ReplicaId& self, const std::vector<Head>& theirs) const {
        const auto head =
            std::find_if(theirs.begin(), theirs.end(), [&](const Head& entry) { return entry.replica == self; });
        if (head == theirs.end()) return false;
        return head->counter > history_.counter(self) || shows_another(*head);
    }

    /// The latest counters and hashes of a history as the log has it, newest first; with 0 at the end where that is where
    /// it begins.
    std::vector<Head> heads(const ReplicaId& replica) const {
        std::vector<Head> heads;
        static_cast<void>(
            store_.frames({replica, first_logged(replica), history_.counter(replica)}, [&](const SharedBytes& bytes) {
                if (const Result<Frame> frame = Frame::parse(bytes, limits_))
                    heads.push_back({replica, frame->header().last(), frame->header().hash});
                return true;
            }));
        const bool whole = first_logged(replica) == 1;
        std::reverse(heads.begin(), heads.end());
        if (heads.empty()) heads.push_back({replica, history_.counter(replica), history_.hash(replica)});
        if (whole) heads.push_back({replica, 0, 0});
        add_marked(replica, heads);
        if (heads.size() > max_heads) heads.resize(max_heads);
        return heads;
    }

    /// How far our history agrees with these heads of one replica, newest first: as far as ours goes, and the log tells, which
    /// may begin after the older ones. O(log heads) look-ups.
    Agreement compare(const std::vector<Head>& theirs) const {
        const auto agrees = std::partition_point(theirs.begin(), theirs.end(), [&](const Head& head) {
            return head.counter > history_.counter(head.replica) || shows_another(head);
        });
        Agreement result{.replica = theirs.front().replica};
        result.known = agrees != theirs.end() && shows_ours(*agrees);
        if (result.known) result.counter = agrees->counter;
        if (!result.known) agree_at_mark(theirs, result);
        return answer(result);
    }

    /// An agreement as this side tells it, with its first change beyond. One that is in no log any more is older than all
    /// that are.
    Agreement answer(Agreement agreement) const {
        const std::uint64_t next = agreement.counter + 1;
        agreement.beyond = history_.counter(agreement.replica) > agreement.counter;
        agreement.time = {};
        agreement.last = history_.counter(agreement.replica);
        agreement.hash = history_.hash(agreement.replica);
        for (const Mark& mark : history_.marks())
            if (mark.replica == agreement.replica && mark.counter == agreement.counter && mark.stayed &&
                agreement.known)
                std::tie(agreement.time, agreement.last, agreement.hash) = std::tie(mark.time, mark.last, mark.beyond);
        if (agreement.beyond && agreement.known)
            static_cast<void>(store_.frames({agreement.replica, next, next}, [&](const SharedBytes& bytes) {
                if (const Result<Frame> frame = Frame::parse(bytes, limits_)) {
                    agreement.time = frame->header().time;
                    agreement.last = frame->header().last();
                    agreement.hash = frame->header().hash;
                }
                return false;
            }));
        return agreement;
    }

    /// Who stays, by what a member says of a history and what is held of it here. One who finds that others know more of
    /// its own history than itself does not go on with it.
    Stays weigh(const ReplicaId& self, const Agreement& theirs) const {
        if (!theirs.beyond) return Stays::both;
        const Agreement ours = answer(theirs);
        if (theirs.known && !ours.beyond) return theirs.replica == self ? Stays::theirs : Stays::both;
        if (!theirs.known) {
            if (theirs.replica == self) return Stays::theirs;
            const auto length = [](const Agreement& side) { return std::tie(side.last, side.hash); };
            if (length(ours) == length(theirs)) return Stays::both;
            return length(ours) > length(theirs) ? Stays::ours : Stays::theirs;
        }
        const auto age = [](const Agreement& side) { return std::tie(side.time, side.hash); };
        if (age(ours) == age(theirs)) return Stays::both;
        return age(ours) < age(theirs) ? Stays::ours : Stays::theirs;
    }

    /// Of what a member tells that stays in the place of ours.
    Mark mark(const Agreement& theirs) const {
        return {theirs.replica, theirs.counter, hash_at({theirs.replica, theirs.counter}).value_or(0),
                theirs.last,    theirs.hash,    theirs.time};
    }

   private:
    /// Whether a head lies in our history; none where that goes not so far, or the log does not tell. The change that
    /// follows tells, too.
    std::optional<bool> is_ours(const Head& theirs) const {
        if (theirs.counter > history_.counter(theirs.replica)) return std::nullopt;
        if (const std::optional<std::uint64_t> ours = hash_at({theirs.replica, theirs.counter}))
            return *ours == theirs.hash;
        const std::uint64_t next = theirs.counter + 1;
        std::optional<bool> follows;
        static_cast<void>(store_.frames({theirs.replica, next, next}, [&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, limits_); frame && frame->header().first == next)
                follows = frame->continues(theirs.hash);
            return false;
        }));
        return follows;
    }

    /// Where a log does not tell: up to where these heads parted from others before, unless they went the same way then.
    void agree_at_mark(const std::vector<Head>& theirs, Agreement& result) const {
        const auto holds = [&](const Head& head) {
            return std::find(theirs.begin(), theirs.end(), head) != theirs.end();
        };
        for (const Mark& mark : history_.marks()) {
            if (mark.hash == 0 || !holds({mark.replica, mark.counter, mark.hash})) continue;
            if (mark.stayed && holds({mark.replica, mark.last, mark.beyond})) continue;
            result.known = true;
            result.counter = mark.counter;  // the last one is the highest
        }
    }

    /// What is not in the log any more, but was compared before.
    void add_marked(const ReplicaId& replica, std::vector<Head>& heads) const {
        for (const Mark& mark : history_.marks()) {
            if (mark.replica != replica || mark.last > history_.counter(replica)) continue;
            for (const std::uint64_t counter : {mark.last, mark.counter}) {
                const std::optional<std::uint64_t> hash = mark.hash_at({replica, counter});
                if (!hash) continue;
                const Head head{replica, counter, *hash};
                const auto at = std::find_if(heads.begin(), heads.end(),
                                             [&](const Head& other) { return other.counter <= head.counter; });
                if (at == heads.end() || at->counter != counter) heads.insert(at, head);
            }
        }
    }

    /// None where the log does not tell; 0, which no frame has, where a change goes on beyond.
    std::optional<std::uint64_t> hash_at(const ReplicaCounter& at) const {
        if (at.counter == 0) return 0;
        if (at.counter == history_.counter(at.replica)) return history_.hash(at.replica);
        std::optional<std::uint64_t> hash = history_.recent_hash(at.replica, at.counter);
        if (hash) return hash;
        static_cast<void>(store_.frames({at.replica, at.counter, at.counter}, [&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, limits_))
                hash = frame->header().last() == at.counter ? frame->header().hash : 0;
            return false;
        }));
        for (const Mark& mark : history_.marks())
            if (!hash) hash = mark.hash_at(at);
        return hash;
    }

    /// Where the log of a replica begins. O(log counters).
    std::uint64_t first_logged(const ReplicaId& replica) const {
        std::uint64_t from = 1, to = history_.counter(replica);
        while (from < to) {
            const std::uint64_t middle = from + (to - from) / 2;
            if (store_.frames({replica, middle, middle}, [](const SharedBytes&) { return false; }))
                to = middle;
            else
                from = middle + 1;
        }
        return from;
    }

    static constexpr std::size_t max_heads = 4096;

    const Store& store_;
    const History& history_;
    const Limits& limits_;
};

}  // namespace netsync
