// netsync: received frames on their way into the local copy. Bytes from a member come in; what became of them is counted,
// and where they were refused, told.
#pragma once

#include <cstddef>
#include <netsync/pool/member.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/sync/message.hpp>
#include <netsync/sync/traffic.hpp>
#include <netsync/wire/frame.hpp>
#include <optional>
#include <span>
#include <system_error>

namespace netsync {

struct Delivered {
    std::size_t news = 0;                 ///< frames merged or held
    bool drifted = false;                 ///< one was refused for now, being from the future
    bool outdated = false;                ///< one has not met what was forgotten here; a state that has can be joined
    std::optional<FrameHeader> forked{};  ///< of a frame that belongs to another history under its origin's id
    std::error_code error{};              ///< bytes that are no frame: what came before them was delivered
};

/// Hands frames to a LocalCopy, in order.
template <class Copy>
Delivered deliver(Copy& copy, std::span<const FrameBytes> frames, Member& member, const Limits& limits,
                  Traffic& traffic, Outbox& out) {
    Delivered result;
    for (const FrameBytes& bytes : frames) {
        const Result<Frame> frame = bytes.bytes ? Frame::parse(bytes.bytes, limits) : Result<Frame>{errc::malformed};
        if (!frame) {
            result.error = frame.error();
            traffic.count_received(0, false, result.error);
            return result;
        }
        const auto received = copy.receive(*frame);
        traffic.count_received(received.applied, received.duplicate, received.refused);
        result.news += received.applied + (received.held ? 1 : 0);
        const FrameHeader& header = frame->header();
        result.outdated = result.outdated || received.refused == errc::outdated;
        if (received.refused == errc::clock_drift) {
            result.drifted = true;
            out.send(member.link,
                     FrameRefused{header.origin, header.first, difference(header.time, copy.now()).count()});
        } else if (received.refused == errc::outdated && member.replica == header.origin) {
            out.send(member.link, FrameRefused{header.origin, header.first, 0, errc::outdated});
        } else if (received.refused) {
            if (received.refused == errc::forked) result.forked = header;
            out.events.push_back({header.origin, member.state, member.state, received.refused});
        }
    }
    return result;
}

}  // namespace netsync
