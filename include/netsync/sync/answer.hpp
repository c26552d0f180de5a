// netsync: frames for those who lack them. A request comes in; what of it the log holds, and one message carries, goes
// out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/options.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/sync/message.hpp>
#include <optional>
#include <vector>

namespace netsync {

/// Answers with the oldest frames asked for, in the order of their timestamps, which is a causal one: the receiver can
/// merge each as it comes. About limits.transfer bytes. What is durable, by `is_durable(origin, counter)`, does not wait for
/// what is not. Returns how many frames were sent.
template <store Store, class IsDurable>
std::size_t answer_fetch(Link link, const FetchMessage& request, const Store& store, IsDurable&& is_durable,
                         const Limits& limits, Outbox& out) {
    struct Found {
        Ntp64 time;
        ReplicaId origin;
        std::uint64_t first;
        SharedBytes bytes;
        bool durable;
    };
    FramesMessage answer;
    std::vector<Found> found;
    std::optional<Ntp64> cut;  // of ranges that were not read to their end: nothing later may go first
    const std::size_t ranges = request.ranges.size();
    // Of one range no more is sent than a transfer; of several, one may have most of what goes first.
    const std::size_t share =
        ranges <= 1 ? limits.transfer : std::max<std::size_t>(16u << 10, 2 * limits.transfer / ranges);
    for (const CounterRange& range : request.ranges) {
        std::size_t size = 0;
        std::optional<Ntp64> stopped;
        const bool held = store.frames(range, [&](const SharedBytes& bytes) {
            const Result<Frame> frame = Frame::parse(bytes, limits);
            if (!frame) return false;
            const FrameHeader& header = frame->header();
            found.push_back({header.time, header.origin, header.first, bytes, is_durable(header.origin, header.first)});
            size += bytes->size();
            if (size >= share) stopped = header.time;
            return !stopped;
        });
        if (!held) answer.below_horizon = true;
        if (stopped) cut = cut ? std::min(*cut, *stopped) : *stopped;
    }
    std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
        if (a.time != b.time) return a.time < b.time;
        return a.origin != b.origin ? a.origin < b.origin : a.first < b.first;
    });
    std::size_t size = 0;
    const bool durable = found.empty() || found.front().durable;
    for (const Found& frame : found) {
        if (durable && !frame.durable) break;
        if ((cut && frame.time > *cut) || (size > 0 && size + frame.bytes->size() > limits.transfer)) break;
        size += frame.bytes->size();
        answer.frames.push_back({frame.bytes});
    }
    const std::size_t sent = answer.frames.size();
    out.send(link, answer, durable);
    return sent;
}

}  // namespace netsync
