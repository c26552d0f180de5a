// netsync: how far each origin's history goes here: its counter and the rolling hash at it. What digests compare.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/causal/causal_context.hpp>
#include <netsync/clock/ntp64.hpp>
#include <netsync/detail/hash.hpp>
#include <netsync/wire/forgotten.hpp>
#include <netsync/wire/reissue.hpp>
#include <netsync/wire/snapshot.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// The version vector of a replica, with the hash that makes a second history under one id visible. One thread.
class History {
   public:
    const VersionVector& vector() const noexcept { return context_.vector(); }
    /// The same as a context, for merging: a state's context is always a plain vector.
    const CausalContext& context() const noexcept { return context_; }

    /// The highest counter held of a replica's changes, 0 where there is none, and the rolling hash there. O(log replicas).
    std::uint64_t counter(ReplicaIndex origin) const noexcept { return vector().counter(origin); }
    std::uint64_t counter(const ReplicaId& origin) const noexcept { return head(origin).counter; }
    std::uint64_t hash(ReplicaIndex origin) const noexcept { return hash(id_of(origin)); }
    std::uint64_t hash(const ReplicaId& origin) const noexcept { return head(origin).hash; }
    /// Both, 0 where there is nothing.
    Head head(const ReplicaId& origin) const noexcept {
        const auto at = position(origin);
        return at != heads_.end() && at->replica == origin ? *at : Head{origin, 0, 0};
    }

    /// `origin` is now at `counter`, with `hash`; its latest change was made at `time`. Only forward.
    void advance(ReplicaIndex origin, std::uint64_t counter, std::uint64_t hash, Ntp64 time) {
        context_.advance(origin, counter);
        const Head head{id_of(origin), counter, hash};
        latest_ = static_cast<std::size_t>(position(head.replica) - heads_.cbegin());
        if (latest_ == heads_.size() || heads_[latest_].replica != head.replica)
            heads_.insert(heads_.begin() + static_cast<std::ptrdiff_t>(latest_), head);
        else
            heads_[latest_] = head;
        time_ = std::max(time_, time);
        digest_ = 0;
        remember(head);
    }

    /// The hash of an origin's history at a counter where it stood lately: a log that was cut does not tell. O(max_recent).
    std::optional<std::uint64_t> recent_hash(const ReplicaId& origin, std::uint64_t counter) const noexcept {
        for (const Head& point : recent_)
            if (point.replica == origin && point.counter == counter) return point.hash;
        return std::nullopt;
    }

    /// The latest of these, from the oldest one on.
    std::vector<Head> recent(std::size_t most = max_recent) const {
        std::vector<Head> points;
        const std::size_t size = recent_.size();
        for (std::size_t at = size - std::min(most, size); at < size; ++at)
            points.push_back(recent_[(oldest_ + at) % size]);
        return points;
    }

    /// Where histories stood before, as somebody tells who holds the same ones: `is_ours(point)` says which of them do.
    template <class IsOurs>
    void recall(const std::vector<Head>& points, IsOurs&& is_ours) {
        for (const Head& point : points)
            if (point.counter < counter(point.replica) && is_ours(point) && !recent_hash(point.replica, point.counter))
                remember(point);
    }
    void recall(const std::vector<Head>& points) {
        recall(points, [](const Head&) { return true; });
    }

    /// The latest time of any change held: the same wherever the same changes are.
    Ntp64 time() const noexcept { return time_; }

    /// What of it has more than one name.
    const Reissues& reissues() const noexcept { return reissues_; }
    void reissued(const Reissue& reissue) { reissues_.add(reissue); }

    /// Where histories of one id have parted of which the one stays that is held here: by replica and counter, the latest
    /// max_marks of them.
    const std::vector<Mark>& marks() const noexcept { return marks_; }
    void mark(const Mark& mark) {
        const auto at = std::lower_bound(marks_.begin(), marks_.end(), mark,
                                         [](const Mark& a, const Mark& b) { return precedes(a, b); });
        if (at != marks_.end() && !precedes(mark, *at))
            *at = mark;
        else
            marks_.insert(at, mark);
        if (marks_.size() > max_marks)
            marks_.erase(std::min_element(marks_.begin(), marks_.end(),
                                          [](const Mark& a, const Mark& b) { return a.time < b.time; }));
    }

    /// Up to where tombstones may be missing in the state: dropped here, or where a state came from that was taken.
    const Forgotten& forgotten() const noexcept { return forgotten_; }
    template <class Cut>  // a VersionVector, or a Forgotten
    void forget(const Cut& cut) {
        forgotten_.add(cut);
    }

    /// Where a change met a state whose tombstones had been dropped before anybody knew of it, the result need not be that
    /// of others who hold the same changes. Such a state has a lineage of its own, and states of two lineages are joined
    /// until there is one. 0: it never happened.
    std::uint64_t lineage() const noexcept { return lineage_; }
    void set_lineage(std::uint64_t lineage) noexcept {
        lineage_ = lineage;
        digest_ = 0;
    }
    /// This state went its own way, in a manner that `salt` names.
    void branch(std::uint64_t salt) noexcept { set_lineage(detail::mix(lineage_, salt) | 1); }

    /// By replica id: as it travels.
    const std::vector<Head>& heads() const noexcept { return heads_; }

    /// What a snapshot says of itself. O(n log n).
    SnapshotHeader header() const {
        SnapshotHeader result{
            .heads = heads_, .time = time_, .reissues = reissues_, .lineage = lineage_, .marks = marks_};
        if (!forgotten_.empty())
            for (const VersionVector::Entry& entry : vector().sorted())
                result.forgotten.push_back(forgotten_.counter(entry.replica));
        return result;
    }

    /// 64 bits that differ, but for a chance of 2^-63, when any head or the lineage does. O(n), kept until the next advance.
    std::uint64_t digest() const {
        if (digest_ == 0) digest_ = (digest_of(heads_) ^ lineage_) | 1;
        return digest_;
    }

    static std::uint64_t digest_of(const std::vector<Head>& heads) {
        std::uint64_t digest = 0x6e657473796e63u;
        for (const Head& head : heads) {
            digest = detail::mix(digest, head.replica.owner_bits);
            digest = detail::mix(digest, head.replica.incarnation);
            digest = detail::mix(digest ^ head.counter, head.hash);
        }
        return digest;
    }

   private:
    static constexpr std::size_t max_recent = 1024;

    void remember(const Head& point) {
        if (recent_.size() < max_recent)
            recent_.push_back(point);
        else
            recent_[std::exchange(oldest_, (oldest_ + 1) % max_recent)] = point;
    }

    std::vector<Head>::const_iterator position(const ReplicaId& origin) const noexcept {
        if (latest_ < heads_.size() && heads_[latest_].replica == origin)
            return heads_.begin() + static_cast<std::ptrdiff_t>(latest_);
        return std::lower_bound(heads_.begin(), heads_.end(), origin,
                                [](const Head& head, const ReplicaId& key) { return head.replica < key; });
    }

    CausalContext context_;
    std::vector<Head> heads_;   // the same by replica id, with the hashes
    std::size_t latest_ = 0;    // the one that was advanced last
    std::vector<Head> recent_;  // in turns, from the oldest one on
    std::size_t oldest_ = 0;
    Reissues reissues_;
    std::vector<Mark> marks_;
    Forgotten forgotten_;
    std::uint64_t lineage_ = 0;
    Ntp64 time_{};
    mutable std::uint64_t digest_ = 0;  // 0: to be computed
};

}  // namespace netsync
