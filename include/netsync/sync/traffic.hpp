// netsync: what went over the links, counted where it goes out and comes in.
#pragma once

#include <cstdint>
#include <netsync/error.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/wire/message.hpp>
#include <system_error>

namespace netsync {

/// Counted since the replica was made. Bytes are those of messages, without the transport's own headers.
struct Traffic {
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t frames_in = 0;         ///< received, new or not
    std::uint64_t frames_out = 0;        ///< sent, each as often as it was sent
    std::uint64_t frames_applied = 0;    ///< of others, merged here
    std::uint64_t frames_duplicate = 0;  ///< received again
    std::uint64_t frames_refused = 0;    ///< for another error: not ours to write, malformed, forked
    std::uint64_t frames_too_large = 0;  ///< for a limit of Limits
    std::uint64_t frames_drifted = 0;    ///< refused for now: stamped too far ahead
    std::uint64_t messages_bad = 0;      ///< not understood
    std::uint64_t sends_skipped = 0;     ///< messages that a slow link had no room for

    void count_received(std::size_t applied, bool duplicate, std::error_code refused) noexcept {
        ++frames_in;
        frames_applied += applied;
        if (duplicate) ++frames_duplicate;
        if (refused == errc::clock_drift)
            ++frames_drifted;
        else if (refused == errc::too_large || refused == errc::too_deep)
            ++frames_too_large;
        else if (refused)
            ++frames_refused;
    }
};

/// Hands to the transport what the protocol wants done, and counts it.
template <transport Transport>
void carry_out(const Outbox& out, Transport& transport, Traffic& traffic) {
    for (const Outbox::Send& send : out.sends) {
        if (transport.send(send.link, send.message)) {
            ++traffic.messages_out;
            traffic.bytes_out += send.message->size();
            if (kind_of(*send.message) == MessageKind::update) ++traffic.frames_out;
        } else {
            ++traffic.sends_skipped;
        }
    }
    for (const Link link : out.closes) transport.close(link);
    for (const Endpoint& endpoint : out.dials) static_cast<void>(transport.dial(endpoint));
    if (out.announcement) transport.announce(*out.announcement);
}

/// The same for what need not wait for the commit under way, nor for the next one.
template <transport Transport>
void carry_out_at_once(Outbox& waiting, Outbox& next, Transport& transport, Traffic& traffic) {
    for (Outbox* from : {&waiting, &next}) {
        Outbox out;
        out.sends = from->take_at_once(waiting);
        carry_out(out, transport, traffic);
    }
}

}  // namespace netsync
