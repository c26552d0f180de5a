// netsync: what pool and sync do together, between the transport and the copy: stages 5 to 8 of the flow. Events and the
// passing of time come in; the outbox fills.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <netsync/detail/overloaded.hpp>
#include <netsync/options.hpp>
#include <netsync/pool/outbox.hpp>
#include <netsync/pool/pool.hpp>
#include <netsync/sync/answer.hpp>
#include <netsync/sync/delivery.hpp>
#include <netsync/sync/gossip.hpp>
#include <netsync/sync/relay.hpp>
#include <netsync/sync/retention.hpp>
#include <netsync/sync/state_transfer.hpp>
#include <netsync/sync/traffic.hpp>
#include <netsync/sync/waiters.hpp>
#include <span>
#include <utility>

namespace netsync {

/// `Copy` is a LocalCopy. Sans-IO; every call is made under the replica's mutex.
template <class Copy>
class Protocol {
   public:
    Protocol(const Options& options, Copy& copy, detail::Random& random)
        : options_(options), copy_(copy), pool_(options, copy, random.next()),
          gossip_(options, copy, pool_, random.next()) {}

    const Pool<Copy>& pool() const noexcept { return pool_; }
    const Gossip<Copy>& gossip() const noexcept { return gossip_; }
    std::size_t waiters() const noexcept { return waiters_.size(); }
    std::uint64_t waiters_refused() const noexcept { return waiters_.refused(); }

    /// The store could not be opened before, and was read now.
    void load() { pool_.load(); }

    void start(const Moment& now, std::uint16_t port) {
        gossip_.start(now);
        pool_.start(now, port, outbox);
    }

    void stop() {
        pool_.stop();
        gossip_.stop();
        waiters_.cancel(copy_.notifications);
        outbox = {};
    }

    Duration next_wake() const noexcept {
        return std::min({pool_.next_wake(), gossip_.next_wake(), waiters_.next_at()});
    }

    // 5: to every live member at once, or through some of them to the others; gossip repairs what is lost.
    void publish(const Frame& frame) {
        if (gossip_.is_ready() && !pool_.members().empty())
            Relay::spread(pool_, pool_.self(), pool_.self(), frame.bytes(), outbox);
    }

    Subscription await(const ReplicaCounter& token, Audience audience, Duration timeout, Waiters::Answer answer,
                       Duration now) {
        Subscription subscription = waiters_.add(token, std::move(audience), now + timeout, std::move(answer), now);
        if (waiters_.size() > options_.limits.waiters)
            waiters_.refuse_last(copy_.notifications);
        else
            ask_for_waiters(now);
        return subscription;
    }

    std::error_code retire(const ReplicaId& member, const Moment& now) {
        if (!pool_.find(member)) return errc::no_such_member;
        gossip_.retire(member, now, outbox);
        return {};
    }

    // 6: something happened outside.
    void on_event(const TransportEvent& event, const Moment& now) {
        if (const auto* message = std::get_if<MessageReceived>(&event))
            on_message(message->link, message->bytes, now);
        else if (std::holds_alternative<Woken>(event))
            on_time(now);
        else
            pool_.on_event(event, now, outbox);
    }

    /// The same before start(), while it is not known who this replica is: it takes no part.
    void on_event_outside(const TransportEvent& event, const Moment& now) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) outbox.closes.push_back(opened->link);
        if (std::holds_alternative<Woken>(event)) ask_for_waiters(now.time);
    }

    /// The store takes more.
    void on_committed(const Moment& now) { gossip_.resume(now, outbox); }

    Outbox outbox;
    Traffic traffic;

   private:
    void on_time(const Moment& now) {
        if (copy_.store_error() == errc::store_damaged && now.time >= heal_at_) {
            heal_at_ = now.time + heal_interval;
            copy_.heal_store();
        }
        if (pool_.tick(now, outbox)) tidy(now);
        gossip_.tick(now, outbox);
        states_.tick(now.time);
        ask_for_waiters(now.time);
    }

    // What all have seen need not be kept.
    void tidy(const Moment& now) {
        if (!gossip_.is_ready() && !gossip_.is_first()) return;
        for (const ReplicaId& past : pool_.past_selves()) gossip_.retire(past, now, outbox);
        if (copy_.log_bytes() > std::max(options_.limits.log, copy_.snapshot_bytes()) &&
            !has_snapshot_waiting(copy_.store()))
            static_cast<void>(copy_.compact(held_by_all(copy_.history(), pool_.members())));
        if (!gossip_.is_ready() || now.time < forget_at_) return;
        forget_at_ = now.time + forget_interval;
        copy_.forget(stable(copy_.history(), pool_.members(), copy_.retirements().digest()));
    }

    void ask_for_waiters(Duration time) {
        if (waiters_.empty()) return;
        const auto resolve = [this](const ReplicaCounter& token) { return copy_.resolve(token); };
        waiters_.check(pool_.members(), resolve, time, copy_.notifications);
        if (!waiters_.due(time)) return;
        pool_.for_each_live([&](const Member& member) {
            if (waiters_.concerns(member, resolve)) gossip_.ask_digest(member, outbox);
        });
    }

    // 7: only members are listened to; a stranger is asked to introduce itself.
    void on_message(Link link, ByteView bytes, const Moment& now) {
        ++traffic.messages_in;
        traffic.bytes_in += bytes.size();
        const std::optional<MessageKind> kind = kind_of(bytes);
        if (!kind) return pool_.refuse(link, errc::malformed, outbox);
        const bool of_pool = *kind < MessageKind::update;
        if (of_pool ? pool_.on_message(link, *kind, bytes, now, outbox) : pool_.follow(link))
            gossip_.on_introduced(*pool_.member_on(link), now, outbox);
        Member* member = pool_.member_on(link);
        if (member) pool_.heard_from(*member, now, outbox);
        if (of_pool) return;
        if (!member) return pool_.on_stranger(link, now, outbox);
        const std::error_code error =
            *kind == MessageKind::update ? on_update(*member, bytes, now) : on_sync(*member, *kind, bytes, now);
        if (error) {
            ++traffic.messages_bad;
            pool_.refuse(link, error, outbox);
        } else if (!waiters_.empty()) {
            ask_for_waiters(now.time);
        }
    }

    // 8: what members say. An error is for bytes that no correct program sends: the link ends.
    std::error_code on_sync(Member& member, MessageKind kind, ByteView bytes, const Moment& now) {
        return decode_sync(
            kind, bytes,
            detail::Overloaded{[&](const FetchMessage& message) -> std::error_code {
                                   traffic.frames_out += answer_fetch(
                                       member.link, message, copy_.store(),
                                       [&](const ReplicaId& origin, std::uint64_t counter) {
                                           return copy_.is_durable(origin, counter);
                                       },
                                       options_.limits, outbox);
                                   return {};
                               },
                               [&](const StateRequest& message) -> std::error_code {
                                   if (message.of.size() > options_.limits.replicas) return errc::too_large;
                                   if (!gossip_.may_give(member, message, now, outbox)) return {};
                                   return states_.answer(member.link, message, copy_, options_.limits, now.time,
                                                         outbox);
                               },
                               [&](const FramesMessage& message) -> std::error_code {
                                   const Delivered delivered = receive(message.frames, member, now);
                                   if (!delivered.error)
                                       gossip_.on_frames(member, message, bytes.size(), delivered, now, outbox);
                                   return delivered.error;
                               },
                               [&](const RelayMessage& message) -> std::error_code {
                                   const Delivered delivered = receive(std::span{&message.frame, 1}, member, now);
                                   if (delivered.news > 0)
                                       Relay::spread(pool_, pool_.self(), message.until, message.frame.bytes, outbox);
                                   return delivered.error;
                               },
                               [&](StateChunk&& message) -> std::error_code {
                                   gossip_.on_chunk(member, std::move(message), now, outbox);
                                   return {};
                               },
                               [&](const auto& message) { return gossip_.on_message(member, message, now, outbox); }});
    }

    std::error_code on_update(Member& member, ByteView bytes, const Moment& now) {
        const FrameBytes frame{SharedBytes{bytes}};
        return receive(std::span{&frame, 1}, member, now).error;
    }

    // 9: merged, held, dropped or refused: see LocalCopy::receive.
    Delivered receive(std::span<const FrameBytes> frames, Member& member, const Moment& now) {
        if (!gossip_.listens() || copy_.retirements().contains(member.replica)) return {};
        const Delivered delivered = deliver(copy_, frames, member, options_.limits, traffic, outbox);
        if (delivered.forked) gossip_.on_fork(member, *delivered.forked, now, outbox);
        return delivered;
    }

    static constexpr Duration forget_interval = std::chrono::seconds{10};
    static constexpr Duration heal_interval = std::chrono::seconds{10};

    const Options& options_;
    Copy& copy_;
    Pool<Copy> pool_;
    Gossip<Copy> gossip_;
    StateSource states_;
    Waiters waiters_;
    Duration forget_at_{};
    Duration heal_at_{};
};

}  // namespace netsync
