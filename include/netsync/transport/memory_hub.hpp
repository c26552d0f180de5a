// netsync: a network inside one process. Messages come in from one replica and go out to another when the program says
// so, in virtual time: for tests, examples, and replicas that share a process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <netsync/detail/hash.hpp>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/transport/concept.hpp>
#include <utility>
#include <vector>

namespace netsync {

class MemoryTransport;

/// Replicas made with the same hub are on one network. Nothing moves until `run` or `run_for`; the order of events is a
/// function of the calls made, so every run is the same. Any thread may use the replicas; one at a time runs the hub.
class MemoryHub {
   public:
    explicit MemoryHub(Duration latency = Duration{0}, std::uint64_t seed = 1)
        : core_(std::make_shared<Core>(latency, seed)) {}

    /// Delivers until no message is under way; timers that lie in the future stay there. Returns the events delivered.
    std::size_t run() { return core_->run(true, Duration{0}); }

    /// Lets `time` pass: delivers messages and fires timers in their order. Returns the events delivered.
    std::size_t run_for(Duration time) { return core_->run(false, core_->time() + time); }

    Duration now() const { return core_->time(); }

   private:
    friend class MemoryTransport;

    /// One started transport. Its address within the hub is its port.
    struct Station {
        TransportEvents events;
        std::uint64_t wake = 0;  // the number of the wake that counts; earlier ones are void
    };

    struct Delivery {
        std::uint16_t station = 0;
        TransportEvent event{Woken{}};
        SharedBytes bytes;       // keeps alive what the event views
        std::uint64_t wake = 0;  // for Woken
    };

    /// When a delivery is due, and its place among those due then.
    struct Due {
        Duration at;
        std::uint64_t sequence;

        friend bool operator<(const Due& a, const Due& b) noexcept {
            return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
        }
    };

    class Core {
       public:
        Core(Duration latency, std::uint64_t seed) : latency_(latency), seed_(seed) {}

        Duration time() const {
            const std::lock_guard lock{mutex_};
            return now_;
        }

        std::uint64_t entropy() {
            const std::lock_guard lock{mutex_};
            return detail::mix(seed_, ++entropy_drawn_);
        }

        std::uint16_t open(TransportEvents events) {
            const std::lock_guard lock{mutex_};
            const std::uint16_t station = next_station_++;
            stations_[station] = std::make_shared<Station>(Station{std::move(events)});
            return station;
        }

        void shut(std::uint16_t station) {
            const std::lock_guard lock{mutex_};
            stations_.erase(station);
            links_.erase_if([&](Link link, const Ends& ends) {
                if (ends.first != station && ends.second != station) return false;
                push(other_end(ends, station), LinkClosed{link, broken()}, nullptr, latency_);
                return true;
            });
        }

        void wake_at(std::uint16_t station, Duration time) {
            const std::lock_guard lock{mutex_};
            const auto* found = stations_.find(station);
            if (!found) return;
            const std::uint64_t wake = ++(*found)->wake;
            queue_[{std::max(time, now_), ++sequence_}] = {station, Woken{}, nullptr, wake};
        }

        void announce(std::uint16_t from, ByteView bytes) {
            const std::lock_guard lock{mutex_};
            const auto copy = SharedBytes{bytes};
            for (const auto& [station, events] : stations_)
                if (station != from) push(station, AnnouncementReceived{host, *copy}, copy, latency_);
        }

        Link dial(std::uint16_t from, const Endpoint& endpoint) {
            const std::lock_guard lock{mutex_};
            const Link link{++last_link_};
            if (endpoint.host != host || !stations_.contains(endpoint.port)) {
                push(from, LinkClosed{link, std::make_error_code(std::errc::connection_refused)}, nullptr, latency_);
                return link;
            }
            links_[link] = {from, endpoint.port};
            push(endpoint.port, LinkOpened{link, false, {host, from}}, nullptr, latency_);
            push(from, LinkOpened{link, true, endpoint}, nullptr, latency_);
            return link;
        }

        bool send(std::uint16_t from, Link link, SharedBytes message) {
            const std::lock_guard lock{mutex_};
            if (const Ends* ends = links_.find(link)) {
                const ByteView view = *message;
                push(other_end(*ends, from), MessageReceived{link, view}, std::move(message), latency_);
            }
            return true;
        }

        void close(std::uint16_t from, Link link) {
            const std::lock_guard lock{mutex_};
            const Ends* ends = links_.find(link);
            if (!ends) return;
            push(other_end(*ends, from), LinkClosed{link, broken()}, nullptr, latency_);
            closed_by_[link] = from;
            links_.erase(link);
        }

        std::size_t run(bool until_quiet, Duration until) {
            std::size_t delivered = 0;
            for (;;) {
                std::shared_ptr<Station> station;
                Delivery next;
                {
                    const std::lock_guard lock{mutex_};
                    if (until_quiet) until = std::max(now_, in_flight_ > 0 ? latest_message_ : now_);
                    if (queue_.empty() || queue_.begin()->first.at > until) {
                        if (!until_quiet) now_ = std::max(now_, until);
                        return delivered;
                    }
                    const Due due = queue_.begin()->first;
                    next = std::move(queue_.begin()->second);
                    queue_.erase(due);
                    now_ = std::max(now_, due.at);
                    if (!std::holds_alternative<Woken>(next.event)) --in_flight_;
                    station = receiver(next);
                }
                if (!station) continue;
                ++delivered;
                station->events(next.event);
            }
        }

       private:
        using Ends = std::pair<std::uint16_t, std::uint16_t>;

        static std::error_code broken() { return std::make_error_code(std::errc::connection_reset); }
        static std::uint16_t other_end(const Ends& ends, std::uint16_t one) noexcept {
            return ends.first == one ? ends.second : ends.first;
        }

        void push(std::uint16_t station, TransportEvent event, SharedBytes bytes, Duration delay) {
            const Duration at = now_ + delay;
            queue_[{at, ++sequence_}] = {station, std::move(event), std::move(bytes), 0};
            latest_message_ = std::max(latest_message_, at);
            ++in_flight_;
        }

        /// Who gets it: nobody where the station is gone, closed the link itself, or has set another wake since.
        std::shared_ptr<Station> receiver(const Delivery& delivery) {
            const auto* found = stations_.find(delivery.station);
            if (const auto* message = std::get_if<MessageReceived>(&delivery.event)) {
                const std::uint16_t* closed = closed_by_.find(message->link);
                if (closed && *closed == delivery.station) return nullptr;
            }
            // The other end's LinkClosed comes after all that it had sent before.
            if (const auto* closed = std::get_if<LinkClosed>(&delivery.event)) closed_by_.erase(closed->link);
            if (!found) return nullptr;
            if (std::holds_alternative<Woken>(delivery.event) && delivery.wake != (*found)->wake) return nullptr;
            return *found;
        }

        mutable std::mutex mutex_;
        Duration latency_;
        Duration now_{0};
        Duration latest_message_{0};
        std::size_t in_flight_ = 0;
        detail::OrderedMap<Due, Delivery> queue_;
        detail::OrderedMap<std::uint16_t, std::shared_ptr<Station>> stations_;
        detail::OrderedMap<Link, Ends> links_;
        detail::OrderedMap<Link, std::uint16_t> closed_by_;
        std::uint64_t sequence_ = 0;
        std::uint64_t last_link_ = 0;
        std::uint16_t next_station_ = 1;
        std::uint64_t seed_;
        std::uint64_t entropy_drawn_ = 0;
    };

    static constexpr const char* host = "memory";

    std::shared_ptr<Core> core_;
};

/// A place on a MemoryHub. Converts from the hub, so `MemoryReplica<T> replica{hub}` reads well.
class MemoryTransport {
   public:
    MemoryTransport(MemoryHub& hub) : core_(hub.core_) {}

    std::error_code start(const Options&, TransportEvents events) {
        station_ = core_->open(std::move(events));
        return {};
    }
    void stop() {
        core_->shut(station_);
        station_ = 0;
    }
    Duration now() const { return core_->time(); }
    void wake_at(Duration time) { core_->wake_at(station_, time); }
    void announce(ByteView bytes) { core_->announce(station_, bytes); }
    Link dial(const Endpoint& endpoint) { return core_->dial(station_, endpoint); }
    bool send(Link link, SharedBytes message) { return core_->send(station_, link, std::move(message)); }
    void close(Link link) { core_->close(station_, link); }
    std::uint16_t port() const noexcept { return station_; }
    std::uint64_t entropy() { return core_->entropy(); }

   private:
    std::shared_ptr<MemoryHub::Core> core_;
    std::uint16_t station_ = 0;
};

static_assert(transport<MemoryTransport>);

}  // namespace netsync
