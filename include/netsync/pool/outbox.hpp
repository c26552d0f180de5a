// netsync: what the protocol wants done. Pool and sync fill it, the replica hands it to the transport: sans-IO.
#pragma once

#include <netsync/pool/member.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/wire/message.hpp>
#include <optional>
#include <utility>
#include <vector>

namespace netsync {

/// Carried out in this order: sends, closes, dials, announcement. Events go to observers.
struct Outbox {
    struct Send {
        Link link;
        SharedBytes message;
    };

    std::vector<Send> sends;
    std::vector<Link> closes;
    std::vector<Endpoint> dials;
    std::optional<Bytes> announcement;
    std::vector<PoolEvent> events;

    template <message M>
    void send(Link link, const M& content) {
        sends.push_back({link, encode_message(content)});
    }

    bool empty() const noexcept {
        return sends.empty() && closes.empty() && dials.empty() && !announcement && events.empty();
    }
};

}  // namespace netsync
