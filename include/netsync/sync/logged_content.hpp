// netsync: what a replica holds, and what its store keeps of it: a snapshot, and the frames after it. Frames and states come
// in; they are held and staged together, so that what a restart finds is what was held.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <netsync/options.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/sync/aside.hpp>
#include <netsync/sync/content.hpp>
#include <netsync/sync/staging.hpp>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace netsync {

/// The content of one replica with its log. Long work is done aside, on copies: what is changed meanwhile comes in after
/// it. Every call is made under the replica's mutex.
template <store Store, crdt CrdtType>
class LoggedContent {
   public:
    LoggedContent(const Limits& limits, Store store) : staging(std::move(store)), limits_(limits) {}

    const Store& store() const noexcept { return staging.store(); }
    const History& history() const noexcept { return held.history; }

    /// Reads what the store holds, as far as it goes, in the place of what is held.
    void read() {
        held = {};
        log_bytes_ = 0;
        if (const SharedBytes bytes = store().snapshot())
            if (auto snapshot = decode_snapshot<CrdtType>(*bytes, limits_))
                static_cast<void>(held.join(*std::move(snapshot)));
        in_snapshot_ = history().vector();
        store().replay([&](const SharedBytes& bytes) {
            if (const Result<Frame> frame = Frame::parse(bytes, limits_)) replay(*frame);
            return true;
        });
        held.history.recall(open_value<std::vector<Head>>(store(), "recent"));
    }

    /// A frame of the log: at the opening, or after a state that came in the place of ours. True if it goes on from what is
    /// held.
    bool replay(const Frame& frame) {
        log_bytes_ += frame.size_bytes();
        return held.replay(frame, limits_);
    }

    /// 4: the log and the version vector derived from it move together. `before`: the hash of its origin's history before it.
    std::error_code log(const Frame& frame, std::uint64_t before) {
        if (meanwhile_) meanwhile_->push_back(frame);
        if (may_change_) *may_change_ -= std::min(*may_change_, frame.header().count);
        log_bytes_ += frame.size_bytes();
        return staging.append(frame, before);
    }

    /// The frames of the log, in its order.
    std::vector<Frame> logged() const {
        std::vector<Frame> frames;
        store().replay([&](const SharedBytes& bytes) {
            if (Result<Frame> frame = Frame::parse(bytes, limits_)) frames.push_back(*std::move(frame));
            return true;
        });
        return frames;
    }

    /// Whether all that a replica made beyond `counter`, and that is held, is in the log still.
    bool has_logged_beyond(std::uint64_t counter, const ReplicaId& replica) const {
        bool logged = counter >= held.history.counter(replica);
        if (!logged)
            static_cast<void>(store().frames({replica, counter + 1, counter + 1}, [&](const SharedBytes& bytes) {
                const Result<Frame> frame = Frame::parse(bytes, limits_);
                logged = frame && frame->header().first <= counter + 1;
                return false;
            }));
        return logged;
    }

    /// Changes what is held by `work(held)`, on a copy and aside; what is changed here meanwhile comes in after that.
    /// Gives what was held before; nothing changes where `work` says no.
    template <class F>
    std::optional<Content<CrdtType>> change_aside(F&& work) {
        Content<CrdtType> changed = held;
        bool done = false;
        meanwhile_.emplace();
        aside([&] {
            done = work(changed);
            if (!done) changed = {};
        });
        for (int rounds = 0; done && meanwhile_->size() > few_frames && rounds < catch_up_rounds; ++rounds) {
            const std::vector<Frame> frames = std::exchange(*meanwhile_, {});
            aside([&] { merge_own(frames, changed); });
        }
        const std::vector<Frame> frames = *std::exchange(meanwhile_, std::nullopt);
        if (!done) return std::nullopt;
        merge_own(frames, changed);
        return std::exchange(held, std::move(changed));
    }

    /// What is held now, for those who take the whole of it.
    Result<EncodedState> encode() const { return encode_aside(0); }
    /// The same for those who keep it: twice the time, and little more memory than the bytes themselves.
    Result<EncodedState> encode_frugally() {
        const std::size_t logged = log_bytes_;
        std::size_t size = 0;
        may_change_ = few_changes;
        Content<CrdtType> copy = held;  // let go of on the way: what is changed before its turn is held twice
        aside([&] {
            size = std::move(copy).size_encoded(limits_);
            copy = {};
        });
        may_change_ = few_changes;
        Result<EncodedState> encoded = encode_aside(size + size / 64 + (log_bytes_ - std::min(logged, log_bytes_)));
        may_change_.reset();
        return encoded;
    }

    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const {
        if constexpr (asynchronous_store<Store>)
            if (may_change_ == 0u) return errc::store_behind;
        return staging.refusal();
    }

    /// Where the store will not take it now, it is given it later, before what comes after.
    void keep_snapshot(const EncodedState& encoded) {
        snapshot_bytes_ = encoded.bytes->size();
        in_snapshot_ = {};
        for (const Head& head : encoded.heads) in_snapshot_.advance(intern(head.replica), head.counter);
        staging.keep_in_the_open("recent", history().recent(few_points));  // that the log does not tell any more
        staging.stage(
            [snapshot = encoded.bytes, heads = encoded.heads](Store& store) { return store.adopt(snapshot, heads); });
    }

    /// Takes a snapshot and lets go of the frames up to `seen`, which every member has that is to be waited for.
    std::error_code compact(const std::vector<ReplicaCounter>& seen) {
        const std::size_t covered = log_bytes_;
        const Result<EncodedState> encoded = encode_frugally();
        if (!encoded) return encoded.error();
        keep_snapshot(*encoded);
        log_bytes_ -= covered;
        return staging.stage([seen](Store& store) { return store.cut(seen); });
    }

    /// The log begins anew, behind this snapshot.
    void restart_log(const EncodedState& encoded) {
        staging.begin_anew();
        keep_snapshot(encoded);
        log_bytes_ = 0;
    }

    /// Whether a state and the frames of the log make what both hold: then it is kept as it came, and not encoded again.
    /// So where what the last snapshot held is in it, and of each origin it holds as much as is held here, or nothing.
    bool is_completed_by_log(const SnapshotHeader& theirs) const {
        const auto holds = [&](const Head& head, bool none) {
            for (const Head& other : theirs.heads)
                if (other.replica == head.replica) return other == head;
            return none;
        };
        const std::vector<Head> heads = history().heads();
        return theirs.reissues.empty() && history().reissues().empty() && history().forgotten().empty() &&
               theirs.lineage == history().lineage() && std::all_of(heads.begin(), heads.end(), [&](const Head& head) {
                   return holds(head, in_snapshot_.counter(find_index(head.replica)) == 0);
               });
    }

    /// Bytes of frames logged since the last snapshot.
    std::size_t log_bytes() const noexcept { return log_bytes_; }
    std::size_t snapshot_bytes() const noexcept { return snapshot_bytes_; }

    Content<CrdtType> held;  ///< what is merged into it is logged, or kept in a snapshot
    Staging<Store> staging;
    Aside aside;  ///< how work on a whole state is done

   private:
    /// `expected`: its size, about; 0 where memory does not matter.
    Result<EncodedState> encode_aside(std::size_t expected) const {
        Result<EncodedState> encoded = EncodedState{};
        Content<CrdtType> copy = held;
        aside([&] {
            encoded = std::move(copy).encode(limits_, expected);
            copy = {};
        });
        return encoded;
    }

    /// Frames that were made here.
    void merge_own(const std::vector<Frame>& frames, Content<CrdtType>& into) const {
        for (const Frame& frame : frames)
            if (const Result<CrdtType> delta = frame.template delta<CrdtType>(limits_))
                into.merge(frame, intern(frame.header().origin), *delta);
    }

    static constexpr std::size_t few_frames = 64;
    static constexpr std::size_t few_points = 256;
    static constexpr std::uint64_t few_changes = 4096;  // some MiB, where each is of another element
    static constexpr int catch_up_rounds = 8;

    const Limits& limits_;
    std::optional<std::vector<Frame>> meanwhile_;  // what is changed while a copy of what is held is changed aside
    std::optional<std::uint64_t> may_change_;      // while a copy is encoded frugally: how many dots more
    std::size_t log_bytes_ = 0;
    std::size_t snapshot_bytes_ = 0;
    VersionVector in_snapshot_;  // what the last snapshot holds; the rest is in the log
};

}  // namespace netsync
