// netsync: what goes wrong, and when. The faults of a seed come in; partitions, crashes, bad disks and bad clocks go out to
// the network and the machines, and end again.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <netsync/detail/random.hpp>
#include <netsync/testing/faults.hpp>
#include <netsync/testing/machine.hpp>
#include <netsync/testing/network.hpp>
#include <netsync/testing/trace.hpp>
#include <utility>
#include <vector>

namespace netsync::testing {

/// Each kind of fault has a stream of randomness of its own: without one kind the others come as before.
class FaultInjector {
   public:
    /// Tasks from here on are this class's.
    static constexpr std::uint32_t first_task = 100;

    /// `crash(machine, politely)`: its process is gone. `start(machine)`: it runs again, on what its disk holds.
    /// `reused(machine)`: what the machine's disk held is gone or stands on another machine, too.
    struct Hooks {
        std::function<void(std::size_t, bool)> crash;
        std::function<void(std::size_t)> start;
        std::function<void(std::size_t)> reused;
    };

    FaultInjector(const Faults& faults, std::uint64_t seed, Network& network, std::deque<Machine>& machines,
                  Trace& trace, Hooks hooks)
        : network_(network), machines_(machines), trace_(trace), hooks_(std::move(hooks)), random_(seed) {
        const std::vector<std::pair<Duration, Fault>> kinds{{faults.broken_links, &FaultInjector::broken_link},
                                                            {faults.flapping, &FaultInjector::flapping},
                                                            {faults.partitions, &FaultInjector::partition},
                                                            {faults.one_way_partitions, &FaultInjector::one_way},
                                                            {faults.slow_peers, &FaultInjector::slow_peer},
                                                            {faults.pauses, &FaultInjector::pause},
                                                            {faults.crashes, &FaultInjector::crash},
                                                            {faults.full_disks, &FaultInjector::full_disk},
                                                            {faults.io_errors, &FaultInjector::io_errors},
                                                            {faults.clock_jumps, &FaultInjector::clock_jump},
                                                            {faults.wiped_disks, &FaultInjector::wiped_disk},
                                                            {faults.restored_backups, &FaultInjector::restored_backup},
                                                            {faults.clones, &FaultInjector::clone}};
        for (const auto& [every, fault] : kinds)
            kinds_.push_back({every, fault, detail::Random{detail::mix(seed, kinds_.size())}});
    }

    /// From now on things go wrong.
    void begin() {
        active_ = true;
        for (std::size_t kind = 0; kind < kinds_.size(); ++kind) plan(kind);
    }

    void on_task(const Task& task) {
        if (task.what == end_task) return end(task.argument);
        if (!active_) return;
        Kind& kind = kinds_[task.argument];
        trace_.add(network_.now(), Happened::fault_begins, 0, task.argument);
        (this->*kind.fault)(kind.random);
        plan(task.argument);
    }

    /// Everything ends now, and nothing begins any more.
    void heal() {
        active_ = false;
        for (std::size_t at = 0; at < episodes_.size(); ++at) end(at);
        for (Machine& machine : machines_) machine.disk.cut_power_at_commit(PowerCut::none);
    }

    /// A power cut has stopped the machine: it starts again after a while.
    void on_power_cut(std::size_t machine) {
        restart_after(between(random_, std::chrono::milliseconds{10}, std::chrono::seconds{15}), machine);
    }

   private:
    using Fault = void (FaultInjector::*)(detail::Random&);
    struct Kind {
        Duration every;
        Fault fault;
        detail::Random random;
    };

    static constexpr std::uint32_t begin_task = first_task;
    static constexpr std::uint32_t end_task = first_task + 1;

    static Duration between(detail::Random& random, std::chrono::milliseconds least, std::chrono::milliseconds most) {
        return least + Duration{static_cast<std::int64_t>(
                           random.below(static_cast<std::uint64_t>(Duration{most - least}.count())))};
    }

    void plan(std::size_t kind) {
        if (kinds_[kind].every == Duration{}) return;
        const auto bound = static_cast<std::uint64_t>(2 * kinds_[kind].every.count());
        const Duration wait{static_cast<std::int64_t>(kinds_[kind].random.below(bound))};
        network_.schedule(network_.now() + wait, {begin_task, kind});
    }

    /// `undo` runs when `time` has passed, or when everything heals.
    void until(Duration time, std::function<void()> undo) {
        episodes_.push_back(std::move(undo));
        network_.schedule(network_.now() + time, {end_task, episodes_.size() - 1});
    }

    void end(std::size_t episode) {
        if (const auto undo = std::exchange(episodes_[episode], nullptr)) {
            trace_.add(network_.now(), Happened::fault_ends, 0, episode);
            undo();
        }
    }

    std::size_t any_machine(detail::Random& random) { return random.below(machines_.size()); }

    std::pair<std::size_t, std::size_t> any_pair(detail::Random& random) {
        const std::size_t a = any_machine(random), b = random.below(machines_.size() - 1);
        return {a, b < a ? b : b + 1};
    }

    void broken_link(detail::Random& random) {
        if (machines_.size() < 2) return;
        const auto [a, b] = any_pair(random);
        network_.break_links(a, b);
    }

    void flapping(detail::Random& random) {
        if (machines_.size() < 2) return;
        const auto pair = any_pair(random);
        const Duration end = between(random, std::chrono::seconds{3}, std::chrono::seconds{10});
        for (Duration at{}; at < end;
             at += between(random, std::chrono::milliseconds{100}, std::chrono::milliseconds{900}))
            until(at, [this, pair] { network_.break_links(pair.first, pair.second); });
    }

    /// One random part of the machines, of any size.
    std::vector<bool> any_part(detail::Random& random) {
        std::vector<bool> inside(machines_.size());
        for (std::size_t at = 0; at < inside.size(); ++at) inside[at] = random.below(2) == 0;
        return inside;
    }

    void cut(detail::Random& random, bool both_ways) {
        const std::vector<bool> inside = any_part(random);
        const auto for_each_pair = [inside, both_ways](auto&& f) {
            for (std::size_t from = 0; from < inside.size(); ++from)
                for (std::size_t to = 0; to < inside.size(); ++to)
                    if (inside[from] != inside[to] && (both_ways || inside[from])) f(from, to);
        };
        for_each_pair([this](std::size_t from, std::size_t to) { network_.cut(from, to); });
        until(between(random, std::chrono::seconds{1}, std::chrono::seconds{25}), [this, for_each_pair] {
            for_each_pair([this](std::size_t from, std::size_t to) { network_.mend(from, to); });
        });
    }
    void partition(detail::Random& random) { cut(random, true); }
    void one_way(detail::Random& random) { cut(random, false); }

    void slow_peer(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        network_.limit_bandwidth(machine, 200 + random.below(2000));
        until(between(random, std::chrono::seconds{2}, std::chrono::seconds{20}),
              [this, machine] { network_.limit_bandwidth(machine, 0); });
    }

    void pause(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        const Duration time = between(random, std::chrono::milliseconds{50}, std::chrono::seconds{8});
        network_.pause(machine, network_.now() + time);
        until(time, [this, machine] { network_.resume(machine); });
    }

    void restart_after(Duration time, std::size_t machine) {
        until(time, [this, machine] {
            if (!network_.is_up(machine)) hooks_.start(machine);
        });
    }

    void crash(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        const Duration down = between(random, std::chrono::milliseconds{10}, std::chrono::seconds{15});
        Machine& it = machines_[machine];
        switch (random.below(5)) {
        case 0: return it.disk.cut_power_at_commit(PowerCut::before_commit);
        case 1: return it.disk.cut_power_at_commit(PowerCut::after_commit);
        case 2:  // its battery is empty, too
            it.wall.jump(-between(random, std::chrono::seconds{1}, std::chrono::hours{1}));
            [[fallthrough]];
        default: hooks_.crash(machine, random.below(2) == 0); break;
        }
        restart_after(down, machine);
    }

    void full_disk(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        machines_[machine].disk.fill_up(true);
        until(between(random, std::chrono::milliseconds{100}, std::chrono::seconds{8}),
              [this, machine] { machines_[machine].disk.fill_up(false); });
    }

    void io_errors(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        machines_[machine].disk.fail_commits(true);
        until(between(random, std::chrono::milliseconds{100}, std::chrono::seconds{8}),
              [this, machine] { machines_[machine].disk.fail_commits(false); });
    }

    void clock_jump(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        WallClock& wall = machines_[machine].wall;
        switch (random.below(6)) {
        case 0: wall.jump(std::chrono::hours{24 * 3652}); break;
        case 1: wall.jump(std::chrono::hours{1}); break;
        case 2: wall.jump(-std::chrono::hours{1}); break;
        case 3: wall.stop(); break;
        default: wall.jump(between(random, std::chrono::milliseconds{-2000}, std::chrono::milliseconds{2000})); break;
        }
        until(between(random, std::chrono::seconds{1}, std::chrono::seconds{30}), [&wall] { wall.repair(); });
    }

    /// Stops a machine, does something to its disk, and starts it again after a while.
    template <class F>
    void with_disk_out(std::size_t machine, Duration down, F&& change) {
        hooks_.crash(machine, false);
        hooks_.reused(machine);
        change(machines_[machine].disk);
        restart_after(down, machine);
    }

    void wiped_disk(detail::Random& random) {
        const std::size_t machine = any_machine(random);  // first, whatever order a compiler likes
        const Duration down = between(random, std::chrono::milliseconds{100}, std::chrono::seconds{5});
        with_disk_out(machine, down, [](Disk& disk) { disk.wipe(); });
    }

    /// Now a backup is made, now one is restored.
    void restored_backup(detail::Random& random) {
        const std::size_t machine = any_machine(random);
        const Duration down = between(random, std::chrono::milliseconds{100}, std::chrono::seconds{5});
        Machine& it = machines_[machine];
        if (!it.disk.has_backup()) return it.disk.make_backup();
        with_disk_out(machine, down, [](Disk& disk) { disk.restore_backup(); });
    }

    void clone(detail::Random& random) {
        if (machines_.size() < 2) return;
        const auto [original, copy] = any_pair(random);
        const Duration down = between(random, std::chrono::milliseconds{100}, std::chrono::seconds{5});
        hooks_.reused(original);
        with_disk_out(copy, down, [&, from = original, to = copy](Disk& disk) {
            disk.copy_from(machines_[from].disk);
            machines_[to].name = machines_[from].name;
            machines_[to].replica = machines_[from].replica;
            machines_[to].greatest_wall = std::max(machines_[to].greatest_wall, machines_[from].greatest_wall);
        });
    }

    Network& network_;
    std::deque<Machine>& machines_;
    Trace& trace_;
    Hooks hooks_;
    detail::Random random_;  // of restarts
    std::vector<Kind> kinds_;
    std::vector<std::function<void()>> episodes_;
    bool active_ = false;
};

}  // namespace netsync::testing
