// netsync: peers whose addresses are told at the start, for networks that announcements do not cross.
#pragma once

#include <chrono>
#include <netsync/discovery/concept.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace netsync {

/// Hints each of options.peers at once and then every few seconds; the pool decides whom it dials, and when. Names are
/// looked up anew at each dial. An entry that is not HOST:PORT is errc::bad_endpoint at the start.
class StaticPeers {
   public:
    std::error_code start(const asio::any_io_executor& executor, const Options& options, DiscoveryEvents events) {
        for (const std::string& text : options.peers) {
            auto peer = parse_endpoint(text);
            if (!peer) return peer.error();
            peers_.push_back(*std::move(peer));
        }
        events_ = std::move(events);
        timer_.emplace(executor);
        if (!peers_.empty()) hint_after(std::chrono::seconds{0});
        return {};
    }
    void announce(ByteView) {}
    void stop() { timer_.reset(); }

   private:
    static constexpr std::chrono::seconds interval{5};

    void hint_after(std::chrono::seconds delay) {
        timer_->expires_after(delay);
        timer_->async_wait([this](std::error_code error) {
            if (error) return;
            for (const Endpoint& peer : peers_)
                if (timer_) events_(PeerHinted{peer});
            if (timer_) hint_after(interval);
        });
    }

    std::vector<Endpoint> peers_;
    DiscoveryEvents events_;
    std::optional<asio::steady_timer> timer_;
};

static_assert(discovery<StaticPeers>);

}  // namespace netsync
