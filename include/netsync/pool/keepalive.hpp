// netsync: who still lives. Pings, pongs and what others have heard come in; suspects and the lost go out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/detail/random.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/member.hpp>
#include <netsync/pool/message.hpp>
#include <netsync/pool/outbox.hpp>
#include <vector>

namespace netsync {

/// A failure detector that would rather be late than wrong (SWIM, Das et al. 2002; Lifeguard, Dadgar et al. 2018): a
/// silence is believed only when nobody else has heard the member either, measured against the round trip seen so far, and
/// not when it was this replica that slept. Any message counts as a sign of life. Sans-IO.
class Keepalive {
   public:
    explicit Keepalive(const Options& options) : options_(options) {}

    void start(Duration now) { next_at_ = now + options_.keepalive_interval; }
    Duration next_at() const noexcept { return next_at_; }

    /// How long this replica overslept, at a tick that is due. The others had no chance to be heard meanwhile.
    Duration overslept(Duration now) {
        const Duration late = now - next_at_;
        next_at_ = now + options_.keepalive_interval;
        return late > options_.keepalive_interval ? late : Duration{0};
    }

    /// The silence after which a member is offline.
    Duration timeout(const Member& member) const {
        return options_.keepalive_timeout + std::min(member.round_trip * 4, options_.keepalive_timeout);
    }

    bool is_lost(const Member& member, Duration now) const { return now - member.last_heard > timeout(member); }
    bool is_suspect(const Member& member, Duration now) const { return now - member.last_heard > timeout(member) / 2; }

    /// Asks a few of the others whether they have heard of it.
    void probe(const Member& suspect, const std::vector<Link>& others, detail::Random& random, Outbox& out) const {
        for (std::size_t asked = 0; asked < std::min(probes, others.size()); ++asked)
            out.send(others[random.below(others.size())], Probe{suspect.replica});
    }

    /// What another one says about a member: a sign of life as old as it says.
    void on_heard(Member& member, const Heard& heard, Duration now) const {
        if (heard.ago < 0 || Duration{heard.ago} > options_.keepalive_timeout) return;
        member.last_heard = std::max(member.last_heard, now - Duration{heard.ago});
    }

    /// Smoothed as in TCP (Jacobson 1988), an eighth of each new sample.
    static void on_pong(Member& member, const Pong& pong, Duration now, Ntp64 wall) {
        const Duration sample = now - Duration{pong.sent};
        member.round_trip = member.round_trip == Duration{} ? sample : (member.round_trip * 7 + sample) / 8;
        member.skew = difference(pong.wall, wall) + sample / 2;
    }

   private:
    static constexpr std::size_t probes = 3;

    const Options& options_;
    Duration next_at_{};
};

}  // namespace netsync
