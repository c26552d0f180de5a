// netsync: what the protocol wants done. Pool and sync fill it, the replica hands it to the transport: sans-IO.
#pragma once

#include <algorithm>
#include <cstddef>
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
        bool at_once = false;  ///< tells of nothing that is not durable: need not wait for a commit
    };

    std::vector<Send> sends;
    std::vector<Link> closes;
    std::vector<Endpoint> dials;
    std::optional<Bytes> announcement;
    std::vector<PoolEvent> events;
    std::vector<Link> introduced;  ///< on which this replica introduces itself by one of the sends that wait

    template <message M>
    void send(Link link, const M& content, bool at_once = detail::tells_nothing(M::kind)) {
        if (!at_once && (M::kind == MessageKind::greeting || M::kind == MessageKind::handshake))
            introduced.push_back(link);
        sends.push_back({link, encode_message(content), at_once});
    }

    /// All that is to be sent is left out.
    void drop_sends() {
        sends.clear();
        introduced.clear();
        waiting_ = 0;
    }

    /// As if just made; the memory of a few sends is kept for the next ones.
    void clear() {
        if (sends.capacity() > few_sends) sends = {};
        drop_sends();
        closes.clear();
        dials.clear();
        announcement.reset();
        events.clear();
    }

    /// Takes out the sends that need not wait. On a link on which an introduction waits, here or in `before`, they follow it.
    std::vector<Send> take_at_once(const Outbox& before) {
        std::vector<Send> taken;
        const auto waits = [&](const Send& send) {
            const auto holds = [&](const std::vector<Link>& links) {
                return std::find(links.begin(), links.end(), send.link) != links.end();
            };
            return !send.at_once || holds(introduced) || holds(before.introduced);
        };
        std::size_t kept = std::min(waiting_, sends.size());
        for (std::size_t at = kept; at < sends.size(); ++at)
            if (!waits(sends[at]))
                taken.push_back(std::move(sends[at]));
            else if (kept++ != at)
                sends[kept - 1] = std::move(sends[at]);
        sends.resize(kept);
        waiting_ = kept;
        return taken;
    }

    bool empty() const noexcept {
        return sends.empty() && closes.empty() && dials.empty() && !announcement && events.empty();
    }

   private:
    static constexpr std::size_t few_sends = 64;

    std::size_t waiting_ = 0;  // of the sends, the first ones: they were looked at
};

}  // namespace netsync
