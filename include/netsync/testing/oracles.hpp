// netsync: what must hold, whatever goes wrong. What replicas log, send, hold and report comes in; the first thing that
// must not be is kept.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <netsync/report.hpp>
#include <netsync/testing/machine.hpp>
#include <netsync/testing/network.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace netsync::testing {

/// What must not be, and how to see it again.
struct Failure {
    std::string oracle;  ///< its name
    std::string words;
    Duration time{};  ///< virtual
    std::size_t machine = 0;
    std::string options;             ///< SimulationOptions, to be copied into a test
    std::vector<std::string> trace;  ///< the latest events
};

/// The judges of a simulation. They read disks, messages and reports only, so they hold for any CrdtType.
class Oracles {
   public:
    Oracles(const std::deque<Machine>& machines, const Network& network, Trace& trace)
        : machines_(machines), network_(network), trace_(trace), held_by_(network.size()) {}

    const std::optional<Failure>& failure() const noexcept { return failure_; }

    void fail(std::string oracle, std::size_t machine, std::string words) {
        if (failure_) return;
        trace_.add(network_.now(), Happened::failed, machine);
        failure_ = Failure{std::move(oracle), std::move(words), network_.now(), machine, {}, trace_.tail()};
    }

    /// bookkeeping: a replica that has just started holds what its disk holds.
    void on_started(std::size_t machine, const Report& report) {
        held_by_[machine] = machines_[machine].disk.latest();
        check_heads(machine, report, "at its start");
    }

    /// A machine's disk was replaced, so that what only it held is gone and its id may be in use twice; or its replica
    /// took a new incarnation.
    void on_identity_reused(const ReplicaId& replica) {
        reused_.insert(replica);
        acknowledged_.erase(replica);
    }

    /// Ids that were given up, or are in use twice: their counters may name different changes, issued again under others.
    const std::set<ReplicaId>& reused() const noexcept { return reused_; }

    /// durable before visible: nothing that tells of a change is sent before the change is committed.
    void on_sent(std::size_t machine, MessageKind kind, ByteView bytes) {
        const Disk& disk = machines_[machine].disk;
        if (disk.is_late()) return check_told(machine, kind, bytes);
        if (kind < MessageKind::update && kind != MessageKind::greeting && kind != MessageKind::handshake) return;
        if (disk.is_ahead())
            fail("durable before visible", machine, "a message tells of changes that are not committed");
    }

    /// Looks at what the machine's replica has committed in this step.
    void on_committed(std::size_t machine, Disk& disk, Duration max_drift) {
        if (disk.wrong()) fail("log", machine, disk.wrong());
        const bool adopted = disk.take_adopted();
        const Machine& here = machines_[machine];
        const Ntp64 latest_allowed{here.greatest_wall.value +
                                   Ntp64::from_duration(max_drift + std::chrono::milliseconds{1}).value};
        for (const Disk::Committed& frame : disk.take_committed()) {
            check_unique(machine, frame);
            if (frame.time > latest_allowed)
                fail("clock", machine, "a stamp lies further ahead of every clock reading than max_drift");
            if (frame.origin == here.replica) check_own(machine, frame, adopted);
            held_by_[machine] = std::max(held_by_[machine], frame.time);
        }
        if (!adopted) return;
        held_by_[machine] = std::max(held_by_[machine], disk.latest_durable());
        if (disk.latest_durable() > latest_allowed)
            fail("clock", machine, "a state was adopted whose stamps lie further ahead than max_drift");
    }

    /// equality: equal version vectors, equal states.
    void on_digest(std::size_t machine, std::uint64_t vector_hash, std::uint64_t digest) {
        const auto [held, is_new] = digests_.emplace(vector_hash, digest);
        if (!is_new && held->second != digest)
            fail("equality", machine, "two replicas with equal version vectors have different states");
    }

    /// bookkeeping, bounds: what a replica says of itself agrees with its disk and its limits.
    void on_report(std::size_t machine, const Report& report, const Limits& limits) {
        check_heads(machine, report, "in its report");
        const auto bound = [&](const char* what, std::size_t count, std::size_t most) {
            if (count > most)
                fail("bounds", machine,
                     std::string(what) + ": " + std::to_string(count) + ", at most " + std::to_string(most));
        };
        bound("buffered frames", report.buffered_frames, limits.buffered_frames);
        bound("buffered bytes", report.buffered_bytes, limits.buffered_bytes);
        bound("members", report.members.size(), limits.members);
        bound("version vector", report.heads.size(), limits.replicas);
        bound("reports of rounds", report.syncs.size(), 64);
    }

    /// membership: in the end nobody is there under an id that was given up.
    void check_retired(std::size_t machine, const Report& report) {
        Retirements retired;
        retired.merge(report.retired, report.retired.size());
        if (retired.contains(report.replica)) fail("membership", machine, "a replica goes on that was retired");
    }

    /// acknowledged: what was committed here once is everywhere in the end.
    void check_acknowledged() {
        for (const auto& [replica, counter] : acknowledged_)
            for (const Machine& machine : machines_)
                if (machine.disk.tip(replica).counter < counter)
                    fail("acknowledged", machine.number,
                         "change " + std::to_string(counter) + " of " + to_string(replica) + " is not here");
    }

    /// ends: between equal replicas only keepalives and digests travel.
    void check_quiet(const std::array<std::uint64_t, 256>& before, Duration time, Duration least_interval) {
        const auto sent = [&](MessageKind kind) {
            const auto at = static_cast<std::size_t>(kind);
            return network_.sent()[at] - before[at];
        };
        for (const MessageKind kind : {MessageKind::update, MessageKind::heads, MessageKind::fetch, MessageKind::frames,
                                       MessageKind::state_request, MessageKind::state_chunk})
            if (sent(kind) > 0)
                fail("ends", 0, "equal replicas still send messages of kind " + std::to_string(static_cast<int>(kind)));
        const auto rounds = static_cast<std::uint64_t>(time / least_interval) + 1;
        if (sent(MessageKind::digest) > 2 * rounds * machines_.size())
            fail("ends", 0, "equal replicas compare digests more often than they gossip");
    }

    /// ends: the rounds that a repair took, once all were linked with all. `more`: that begin while it waits for disks.
    void check_rounds(std::uint64_t rounds, std::uint64_t more) {
        const auto most = static_cast<std::uint64_t>(2 * std::bit_width(machines_.size() - 1) + 4) + more;
        if (rounds > most)
            fail("ends", 0,
                 "a repair took " + std::to_string(rounds) + " gossip rounds, at most " + std::to_string(most));
    }

   private:
    /// What a message tells of histories, where others may wait for a commit while it goes out.
    void check_told(std::size_t machine, MessageKind kind, ByteView bytes) {
        const auto told = [&](const ReplicaId& replica, std::uint64_t counter) {
            if (machines_[machine].disk.durable(replica) < counter)
                fail("durable before visible", machine, "a message tells of a change that is not committed");
        };
        const auto told_all = [&](const std::vector<Head>& heads) {
            for (const Head& head : heads) told(head.replica, head.counter);
        };
        const auto told_frame = [&](const SharedBytes& encoded) {
            if (const Result<Frame> frame = Frame::parse(encoded)) told(frame->header().origin, frame->header().last());
        };
        switch (kind) {
        case MessageKind::update: return told_frame(SharedBytes{bytes});
        case MessageKind::greeting:
            if (const auto message = decode_message<Greeting>(bytes)) told_all(message->self.heads);
            return;
        case MessageKind::handshake:
            if (const auto message = decode_message<Handshake>(bytes)) told_all(message->self.heads);
            return;
        case MessageKind::heads:
            if (const auto message = decode_message<HeadsMessage>(bytes)) told_all(message->heads);
            return;
        case MessageKind::state_chunk:
            if (const auto message = decode_message<StateChunk>(bytes)) told_all(heads_of(*message));
            return;
        case MessageKind::agreement_request:
            if (const auto message = decode_message<AgreementRequest>(bytes)) told_all(message->heads);
            return;
        case MessageKind::agreement:
            if (const auto message = decode_message<Agreement>(bytes)) told(message->replica, message->counter);
            return;
        case MessageKind::relay:
            if (const auto message = decode_message<RelayMessage>(bytes)) told_frame(message->frame.bytes);
            return;
        case MessageKind::frames:
            if (const auto message = decode_message<FramesMessage>(bytes))
                for (const FrameBytes& frame : message->frames) told_frame(frame.bytes);
            return;
        default: return;
        }
    }

    /// What a state holds, as far as its pieces have told by now.
    const std::vector<Head>& heads_of(const StateChunk& chunk) {
        Sent& sent = states_[chunk.digest];
        if (sent.heads.empty() && chunk.offset == sent.begin.size()) {
            sent.begin.insert(sent.begin.end(), chunk.bytes.begin(), chunk.bytes.end());
            if (const auto header = decode_snapshot_header(sent.begin)) sent = {{}, header->heads};
        }
        return sent.heads;
    }

    /// unique dots: a counter of a replica names one change, for ever.
    void check_unique(std::size_t machine, const Disk::Committed& frame) {
        if (is_reused(frame.origin)) return;
        const auto [held, is_new] = hashes_[frame.origin].emplace(frame.last, frame.hash);
        if (!is_new && held->second != frame.hash)
            fail("unique dots", machine,
                 "change " + std::to_string(frame.last) + " of " + to_string(frame.origin) +
                     " is two different changes");
    }

    /// read your writes: a change is later than all that its replica held; acknowledged from here on.
    void check_own(std::size_t machine, const Disk::Committed& frame, bool adopted) {
        if (!adopted && frame.time <= held_by_[machine])
            fail("read your writes", machine, "a change is stamped no later than one that its replica had seen");
        if (is_reused(frame.origin)) return;
        Ntp64& latest = own_times_[frame.origin];
        if (frame.time <= latest) fail("monotone", machine, "a replica's clock went back");
        latest = frame.time;
        std::uint64_t& counter = acknowledged_[frame.origin];
        if (frame.first != counter + 1) fail("monotone", machine, "a replica's own counter does not count");
        counter = frame.last;
    }

    void check_heads(std::size_t machine, const Report& report, const char* when) {
        const Disk::Tips& tips = machines_[machine].disk.tips();
        std::size_t agreeing = 0;
        for (const Head& head : report.heads) {
            const auto tip = tips.find(head.replica);
            if (tip != tips.end() && tip->second == Tip{head.counter, head.hash}) ++agreeing;
        }
        const auto held =
            std::count_if(tips.begin(), tips.end(), [](const auto& tip) { return tip.second.counter > 0; });
        if (agreeing != report.heads.size() || agreeing != static_cast<std::size_t>(held))
            fail("bookkeeping", machine, std::string("a replica's version vector is not what its disk holds, ") + when);
    }

    bool is_reused(const ReplicaId& replica) const { return reused_.contains(replica); }

    /// A state that was sent, until its heads are known.
    struct Sent {
        Bytes begin{};
        std::vector<Head> heads{};
    };

    const std::deque<Machine>& machines_;
    const Network& network_;
    Trace& trace_;
    std::optional<Failure> failure_;
    std::vector<Ntp64> held_by_;  // the latest stamp that each machine's replica had seen
    std::map<ReplicaId, std::map<std::uint64_t, std::uint64_t>> hashes_;
    std::map<ReplicaId, Ntp64> own_times_;
    std::map<ReplicaId, std::uint64_t> acknowledged_;
    std::set<ReplicaId> reused_;
    std::map<std::uint64_t, Sent> states_;                      // by digest
    std::unordered_map<std::uint64_t, std::uint64_t> digests_;  // by the hash of the version vector
};

}  // namespace netsync::testing
