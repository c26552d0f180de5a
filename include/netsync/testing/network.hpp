// netsync: the network of a simulation, and its time. Messages, announcements and timers come in and go out, in virtual
// time, late, damaged or not at all, as the faults say; the same seed gives the same order.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <netsync/detail/hash.hpp>
#include <netsync/detail/random.hpp>
#include <netsync/sync/message.hpp>
#include <netsync/testing/faults.hpp>
#include <netsync/testing/trace.hpp>
#include <netsync/transport/concept.hpp>
#include <netsync/wire/message.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace netsync::testing {

/// Something that the simulation itself does at a certain time; what it means is the simulation's business.
struct Task {
    std::uint32_t what = 0;
    std::uint64_t argument = 0;
};

/// Machines by number, links between them, one queue of events. With message faults a link loses, repeats and reorders;
/// without, it delivers once and in order or closes, and what is cut off on the way arrives when the cut is mended.
class Network {
   public:
    Network(std::size_t machines, std::uint64_t seed, Trace& trace)
        : trace_(trace), random_(seed), machines_(machines), cuts_(machines * machines),
          ports_change_(random_.below(2) == 0) {}

    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    const Duration& now() const noexcept { return now_; }
    std::size_t size() const noexcept { return machines_.size(); }

    // What the simulation does.

    /// Called with the machine before each message that it sends.
    void on_send(std::function<void(std::size_t, MessageKind, ByteView)> f) { on_send_ = std::move(f); }

    /// The message faults from now on.
    void set_faults(const Faults& faults) {
        faults_ = faults;
        lossy_ = faults.loss > 0 || faults.duplication > 0 || faults.reordering > 0 || faults.bit_flips > 0;
    }

    void schedule(Duration time, Task task) {
        push(time, {.kind = Kind::task, .what = task.what, .argument = task.argument});
    }

    /// What `step` did.
    struct Step {
        bool any = false;            ///< false: nothing is due
        std::size_t machine = none;  ///< whose replica was given an event
        std::optional<Task> task{};  ///< to be done by the caller
    };
    static constexpr std::size_t none = ~std::size_t{0};

    /// The next event that is due at `until` or before. Without one, it is `until` now.
    Step step(Duration until) {
        if (queue_.empty() || queue_.front().time > until) {
            now_ = std::max(now_, until);
            return {};
        }
        std::pop_heap(queue_.begin(), queue_.end(), Later{});
        const std::uint32_t slot = queue_.back().slot;
        now_ = std::max(now_, queue_.back().time);
        queue_.pop_back();
        Event event = std::move(events_[slot]);
        free_.push_back(slot);
        if (event.kind == Kind::task) return {true, none, Task{event.what, event.argument}};
        return {true, carry_out(event), {}};
    }

    /// Nothing that `from` says reaches `to`, until mended as often.
    void cut(std::size_t from, std::size_t to) { ++cuts_[from * size() + to]; }
    void mend(std::size_t from, std::size_t to) {
        if (--cuts_[from * size() + to] == 0) release_held(from, to);
    }

    /// Everything that `machine` is told waits until then.
    void pause(std::size_t machine, Duration until) {
        machines_[machine].paused_until = std::max(machines_[machine].paused_until, until);
    }
    bool is_paused(std::size_t machine) const { return machines_[machine].paused_until > now_; }
    void resume(std::size_t machine) { machines_[machine].paused_until = now_; }

    /// What `machine` receives takes its time; zero: as fast as ever.
    void limit_bandwidth(std::size_t machine, std::uint64_t bytes_per_second) {
        machines_[machine].bandwidth = bytes_per_second;
    }

    /// Both ends of the open links between two machines are told that they broke.
    void break_links(std::size_t a, std::size_t b) {
        for (std::size_t at = 0; at < links_.size(); ++at) {
            auto& ends = links_[at].ends;
            if (ends[0].closed || ends[1].closed) continue;
            if ((ends[0].machine == a && ends[1].machine == b) || (ends[0].machine == b && ends[1].machine == a))
                for (const std::uint8_t end : {std::uint8_t{0}, std::uint8_t{1}})
                    push(now_ + latency(), closing(at, end));
        }
    }

    /// The machine's process is gone; politely, its operating system ends its links, otherwise nobody is told.
    void crash(std::size_t machine, bool politely) {
        const std::uint32_t station = machines_[machine].station;
        if (station == 0) return;
        shut(station, politely);
    }

    bool is_up(std::size_t machine) const { return machines_[machine].station != 0; }

    /// Messages handed to links so far, by kind.
    const std::array<std::uint64_t, 256>& sent() const noexcept { return sent_; }
    /// When all will have arrived that is under way now: what a slow peer was sent may take a while.
    Duration latest_arrival() const {
        Duration latest = now_;
        for (const Connection& connection : links_)
            for (const End& end : connection.ends)
                if (!end.closed) latest = std::max(latest, end.last_arrival);
        return latest;
    }
    /// Digests that a machine began a round with.
    std::uint64_t rounds_of(std::size_t machine) const { return machines_[machine].rounds; }

    // What SimulatedTransport does.

    std::uint32_t open(std::size_t machine, std::size_t backlog, TransportEvents events) {
        const auto station = static_cast<std::uint32_t>(stations_.size());
        const auto port = static_cast<std::uint16_t>(ports_change_ ? 1000 + station % 60'000 : 1 + machine);
        stations_.push_back({machine, port, backlog, std::move(events)});
        machines_[machine].station = station;
        trace_.add(now_, Happened::started, machine, station);
        return station;
    }

    void shut(std::uint32_t station, bool politely) {
        Station& here = stations_[station];
        if (!here.open) return;
        here.open = false;
        trace_.add(now_, Happened::stopped, here.machine, station);
        if (machines_[here.machine].station == station) machines_[here.machine].station = 0;
        for (const std::size_t at : here.links) {
            auto& ends = links_[at].ends;
            const std::uint8_t mine = ends[0].station == station ? 0 : 1;
            if (ends[mine].closed) continue;
            ends[mine].closed = true;
            if (politely) tell_closed(at, other(mine));
        }
    }

    void wake_at(std::uint32_t station, Duration time) {
        push(std::max(time, now_), {.kind = Kind::wake, .station = station, .argument = ++stations_[station].wake});
    }

    void announce(std::uint32_t from, ByteView bytes) {
        if (!stations_[from].open) return;
        const std::size_t machine = stations_[from].machine;
        const auto message = SharedBytes{bytes};
        trace_.add(now_, Happened::announced, machine, bytes.size());
        for (std::size_t to = 0; to < size(); ++to)
            if (to != machine && !is_cut(machine, to) && random_.below(1000) >= faults_.loss) {
                const Duration when = now_ + latency();  // first, whatever order a compiler likes
                push(when, {.kind = Kind::announcement,
                            .station = static_cast<std::uint32_t>(to),
                            .argument = machine,
                            .bytes = maybe_damaged(message, to)});
            }
    }

    Link dial(std::uint32_t from, const Endpoint& endpoint) {
        const std::size_t at = links_.size();
        const std::size_t machine = stations_[from].machine, to = machine_of(endpoint.host);
        const std::uint32_t station = to < size() ? machines_[to].station : 0;
        links_.push_back({});
        auto& ends = links_[at].ends;
        ends[0] = {.station = from, .machine = machine};
        trace_.add(now_, Happened::dialed, machine, at, to);
        const bool refused = station == 0 || station == from || stations_[station].port != endpoint.port;
        if (refused || is_cut(machine, to) || is_cut(to, machine)) {
            ends[1].closed = true;
            push(now_ + (refused ? latency() : dial_timeout), closing(at, 0));
            return Link{at + 1};
        }
        ends[1] = {.station = station, .machine = to};
        stations_[from].links.push_back(at);
        stations_[station].links.push_back(at);
        ends[1].last_arrival = now_ + latency();
        ends[0].last_arrival = ends[1].last_arrival + latency();
        push(ends[1].last_arrival, {.kind = Kind::opened, .end = 1, .link = at});
        push(ends[0].last_arrival, {.kind = Kind::opened, .end = 0, .link = at});
        return Link{at + 1};
    }

    bool send(std::uint32_t from, Link link, SharedBytes message) {
        if (link == Link{}) return true;
        const std::size_t at = static_cast<std::size_t>(link) - 1;
        auto& ends = links_[at].ends;
        const std::uint8_t mine = ends[0].station == from ? 0 : 1;
        if (!stations_[from].open || ends[mine].closed) return true;
        End& there = ends[other(mine)];
        const std::size_t machine = ends[mine].machine;
        Duration arrival = now_ + latency();
        if (const std::uint64_t bandwidth = machines_[there.machine].bandwidth; bandwidth > 0) {
            const Duration queued = std::max(Duration{0}, there.busy_until - now_);
            const auto waiting = static_cast<std::uint64_t>(queued.count()) / 1000 * bandwidth / 1'000'000;
            if (waiting > stations_[from].backlog) return trace_.add(now_, Happened::skipped, machine, at), false;
            const std::uint64_t takes = message->size() * 1'000'000'000 / bandwidth;
            there.busy_until = std::max(there.busy_until, now_) + Duration{static_cast<std::int64_t>(takes)};
            arrival += there.busy_until - now_;
        }
        const MessageKind kind = *kind_of(*message);
        ++sent_[static_cast<std::size_t>(kind)];
        if (on_send_) on_send_(machine, kind, *message);
        if (begins_round(*message)) ++machines_[machine].rounds;
        trace_.add(now_, Happened::sent, machine, at, message->size());
        if (lossy_)
            send_lossily(at, other(mine), arrival, message);
        else
            send_in_order(at, other(mine), arrival, std::move(message));
        return true;
    }

    void close(std::uint32_t from, Link link) {
        if (link == Link{}) return;
        const std::size_t at = static_cast<std::size_t>(link) - 1;
        auto& ends = links_[at].ends;
        const std::uint8_t mine = ends[0].station == from ? 0 : 1;
        if (std::exchange(ends[mine].closed, true) || !stations_[from].open) return;
        tell_closed(at, other(mine));
    }

    std::uint16_t port(std::uint32_t station) const { return stations_[station].port; }
    std::uint64_t entropy() { return random_.next(); }

   private:
    enum class Kind : std::uint8_t { task, wake, announcement, opened, message, closed };

    struct Event {
        Kind kind{};
        std::uint8_t end = 0;       // of the link: who is told
        std::uint32_t what = 0;     // of a task
        std::uint32_t station = 0;  // of a wake; of an announcement the machine
        std::size_t link = 0;
        std::uint64_t argument = 0;  // of a task; the number of a wake; of an announcement the machine it is from
        SharedBytes bytes{};
    };
    struct Due {
        Duration time;
        std::uint64_t sequence;
        std::uint32_t slot;
    };
    struct Later {
        bool operator()(const Due& a, const Due& b) const noexcept {
            return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
        }
    };

    struct Station {
        std::size_t machine = 0;
        std::uint16_t port = 0;
        std::size_t backlog = 0;
        TransportEvents events{};
        std::vector<std::size_t> links{};
        std::uint64_t wake = 0;  // the number of the wake that counts
        bool open = true;
    };
    struct Machine {
        std::uint32_t station = 0;
        Duration paused_until{};
        std::uint64_t bandwidth = 0;
        std::uint64_t rounds = 0;
    };
    struct End {
        std::uint32_t station = 0;
        std::size_t machine = 0;
        bool closed = false;
        Duration last_arrival{};  // of what is under way to this end
        Duration busy_until{};
        std::vector<Event> held{};  // cut off on the way
    };
    struct Connection {
        std::array<End, 2> ends{};
    };

    static std::uint8_t other(std::uint8_t end) noexcept { return end == 0 ? 1 : 0; }
    static Event closing(std::size_t link, std::uint8_t end) {
        return {.kind = Kind::closed, .end = end, .link = link};
    }

    static std::string host_of(std::size_t machine) { return "machine-" + std::to_string(machine); }
    static std::size_t machine_of(const std::string& host) {
        std::size_t machine = 0;
        if (host.size() < 9 || host.size() > 12) return none;
        for (const char digit : std::string_view{host}.substr(8))
            machine = machine * 10 + static_cast<std::size_t>(digit - '0');
        return machine;
    }

    static bool begins_round(ByteView message) {
        if (kind_of(message) != MessageKind::digest) return false;
        const auto digest = decode_message<DigestMessage>(message);
        return digest && !digest->answer;
    }

    bool is_cut(std::size_t from, std::size_t to) const { return cuts_[from * size() + to] > 0; }

    Duration latency() {
        const auto width = std::max<Duration>(std::chrono::milliseconds{2}, faults_.delay).count();
        return Duration{200'000 + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(width)))};
    }

    void push(Duration time, Event event) {
        std::uint32_t slot = 0;
        if (free_.empty()) {
            slot = static_cast<std::uint32_t>(events_.size());
            events_.push_back(std::move(event));
        } else {
            slot = free_.back();
            free_.pop_back();
            events_[slot] = std::move(event);
        }
        queue_.push_back({time, ++sequence_, slot});
        std::push_heap(queue_.begin(), queue_.end(), Later{});
    }

    void send_in_order(std::size_t at, std::uint8_t end, Duration arrival, SharedBytes message) {
        End& there = links_[at].ends[end];
        there.last_arrival = std::max(arrival, there.last_arrival);
        push(there.last_arrival, {.kind = Kind::message, .end = end, .link = at, .bytes = std::move(message)});
    }

    void send_lossily(std::size_t at, std::uint8_t end, Duration arrival, const SharedBytes& message) {
        End& there = links_[at].ends[end];
        const bool twice = random_.below(1000) < faults_.duplication;
        for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
            if (random_.below(1000) < faults_.loss) {
                trace_.add(now_, Happened::lost, there.machine, at, message->size());
                continue;
            }
            if (copy > 0) trace_.add(now_, Happened::duplicated, there.machine, at, message->size());
            const bool late = copy > 0 || random_.below(1000) < faults_.reordering;
            Duration when = std::max(arrival, there.last_arrival);
            if (late)
                for (int hop = 0; hop < 4; ++hop) when += latency();
            else
                there.last_arrival = when;
            push(when, {.kind = Kind::message, .end = end, .link = at, .bytes = maybe_damaged(message, there.machine)});
        }
    }

    SharedBytes maybe_damaged(const SharedBytes& message, std::size_t machine) {
        if (faults_.bit_flips == 0 || random_.below(1000) >= faults_.bit_flips) return message;
        Bytes damaged(message->begin(), message->end());
        for (std::uint64_t flips = 1 + random_.below(3); flips > 0; --flips)
            damaged[random_.below(damaged.size())] ^= std::byte{1} << random_.below(8);
        trace_.add(now_, Happened::damaged, machine, message->size());
        return SharedBytes{std::move(damaged)};
    }

    void tell_closed(std::size_t at, std::uint8_t end) {
        End& there = links_[at].ends[end];
        if (there.closed) return;
        there.last_arrival = std::max(now_ + latency(), there.last_arrival);
        push(there.last_arrival, closing(at, end));
    }

    /// What was cut off goes on, in its order.
    void release_held(std::size_t from, std::size_t to) {
        for (std::size_t at = 0; at < links_.size(); ++at)
            for (const std::uint8_t end : {std::uint8_t{0}, std::uint8_t{1}}) {
                auto& ends = links_[at].ends;
                if (ends[end].held.empty() || ends[end].machine != to || ends[other(end)].machine != from) continue;
                for (Event& event : std::exchange(ends[end].held, {})) push(now_, std::move(event));
            }
    }

    /// The machine whose replica was told of it; none where nobody was.
    std::size_t carry_out(Event& event) {
        if (event.kind == Kind::wake) {
            const Station& station = stations_[event.station];
            if (!station.open || station.wake != event.argument) return none;
            if (is_paused(station.machine)) return wait(station.machine, event);
            return give(station.machine, Happened::woken, 0, 0, Woken{});
        }
        if (event.kind == Kind::announcement) {
            const std::size_t to = event.station;
            if (!is_up(to)) return none;
            if (is_paused(to)) return wait(to, event);
            return give(to, Happened::delivered, event.argument, hash_of(*event.bytes),
                        AnnouncementReceived{host_of(event.argument), *event.bytes});
        }
        return carry_out_on_link(event);
    }

    std::size_t carry_out_on_link(Event& event) {
        auto& ends = links_[event.link].ends;
        End& there = ends[event.end];
        const End& from = ends[other(event.end)];
        const Link link{event.link + 1};
        if (there.closed || !stations_[there.station].open) {
            // The operating system answers for a process that is gone; for a machine that is gone nobody does.
            if (event.kind == Kind::message && !from.closed && !is_cut(there.machine, from.machine))
                push(now_ + (is_up(there.machine) ? latency() : connection_timeout),
                     closing(event.link, other(event.end)));
            return none;
        }
        if (is_paused(there.machine)) return wait(there.machine, event);
        const bool dial_failed = from.station == 0;
        if (event.kind != Kind::opened && !dial_failed && is_cut(from.machine, there.machine)) {
            if (!lossy_)
                there.held.push_back(std::move(event));
            else
                trace_.add(now_, Happened::lost, there.machine, event.link);
            return none;
        }
        const std::uint64_t where = event.link * 2 + event.end;
        switch (event.kind) {
        case Kind::opened: {
            const Endpoint peer{host_of(from.machine),
                                event.end == 0 ? stations_[from.station].port : std::uint16_t{0}};
            return give(there.machine, Happened::opened, where, 0, LinkOpened{link, event.end == 0, peer});
        }
        case Kind::closed:
            there.closed = true;
            return give(there.machine, Happened::closed, where, 0,
                        LinkClosed{link, std::make_error_code(std::errc::connection_reset)});
        default:
            return give(there.machine, Happened::delivered, where, hash_of(*event.bytes),
                        MessageReceived{link, *event.bytes});
        }
    }

    static std::uint64_t hash_of(ByteView bytes) { return detail::hash_bytes(bytes.data(), bytes.size()); }

    std::size_t wait(std::size_t machine, Event& event) {
        push(machines_[machine].paused_until, std::move(event));
        return none;
    }

    std::size_t give(std::size_t machine, Happened what, std::uint64_t first, std::uint64_t second,
                     const TransportEvent& told) {
        trace_.add(now_, what, machine, first, second);
        stations_[machines_[machine].station].events(told);
        return machine;
    }

    static constexpr Duration dial_timeout = std::chrono::seconds{3};
    static constexpr Duration connection_timeout = std::chrono::seconds{20};

    Trace& trace_;
    detail::Random random_;
    std::function<void(std::size_t, MessageKind, ByteView)> on_send_;
    Duration now_{};
    Faults faults_{};
    bool lossy_ = false;
    std::vector<Due> queue_;
    std::vector<Event> events_;
    std::vector<std::uint32_t> free_;
    std::uint64_t sequence_ = 0;
    std::deque<Station> stations_{Station{.open = false}};  // 0: none
    std::vector<Machine> machines_;
    std::vector<Connection> links_;
    std::vector<unsigned> cuts_;  // from * size + to
    std::array<std::uint64_t, 256> sent_{};
    bool ports_change_;
};

/// The Transport policy of a simulated machine; the network outlives it.
class SimulatedTransport {
   public:
    SimulatedTransport(Network& network, std::size_t machine) : network_(&network), machine_(machine) {}

    std::error_code start(const Options& options, TransportEvents events) {
        station_ = network_->open(machine_, options.limits.backlog, std::move(events));
        return {};
    }
    void stop() { network_->shut(std::exchange(station_, 0), true); }
    Duration now() const { return network_->now(); }
    void wake_at(Duration time) { network_->wake_at(station_, time); }
    void announce(ByteView bytes) { network_->announce(station_, bytes); }
    Link dial(const Endpoint& endpoint) { return network_->dial(station_, endpoint); }
    bool send(Link link, SharedBytes message) { return network_->send(station_, link, std::move(message)); }
    void close(Link link) { network_->close(station_, link); }
    std::uint16_t port() const { return network_->port(station_); }
    std::uint64_t entropy() { return network_->entropy(); }

   private:
    Network* network_;
    std::size_t machine_;
    std::uint32_t station_ = 0;
};

static_assert(transport<SimulatedTransport>);

}  // namespace netsync::testing
