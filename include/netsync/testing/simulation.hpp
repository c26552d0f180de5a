// netsync: a pool of unmodified replicas in one thread, under virtual time and one seed, with everything going wrong that
// can. A workload comes in; the first oracle that fails goes out, with all that it takes to see it again.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <netsync/detail/random.hpp>
#include <netsync/replica.hpp>
#include <netsync/testing/fault_injector.hpp>
#include <netsync/testing/faults.hpp>
#include <netsync/testing/late_store.hpp>
#include <netsync/testing/machine.hpp>
#include <netsync/testing/network.hpp>
#include <netsync/testing/oracles.hpp>
#include <netsync/testing/trace.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace netsync::testing {

/// Reproducible choices: `next()` gives 64 bits, `below(bound)` a number in [0, bound).
using Random = detail::Random;

/// What a seed stands for. Equal options, equal run.
struct SimulationOptions {
    std::uint64_t seed = 1;
    std::size_t replicas = 5;
    Faults faults{};
    bool mix = true;                              ///< each seed draws its own mix of the faults; false: exactly these
    Duration pace = std::chrono::seconds{1};      ///< mean time between two changes of a replica
    Duration joining = std::chrono::seconds{1};   ///< the replicas start within it
    std::uint64_t changes = ~std::uint64_t{0};    ///< at most, in all
    Duration time = std::chrono::seconds{120};    ///< with faults; for simulate()
    Duration healing = std::chrono::seconds{60};  ///< without; for simulate()
    Duration commit = std::chrono::milliseconds{300};  ///< what one takes at most, where the store is a LateStore
    Duration check_every = std::chrono::seconds{1};    ///< reports and the workload's own check
    bool at_every_moment = true;                       ///< equal version vectors, equal states; false: in the end
    bool print = false;                                ///< each event to stderr
    Options replica{};                                 ///< of every replica, but for name and seed
};

/// As one would write it, so that a failure can be copied into a test. Without `replica`.
inline std::string to_string(const SimulationOptions& options) {
    const auto time = [](Duration value) { return std::to_string(value.count()) + "ns"; };
    std::string text = "{.seed = " + std::to_string(options.seed) +
                       ", .replicas = " + std::to_string(options.replicas) +
                       ", .faults = " + to_string(options.faults) + ", .mix = " + (options.mix ? "true" : "false") +
                       ", .pace = " + time(options.pace) + ", .joining = " + time(options.joining);
    if (options.commit != SimulationOptions{}.commit) text += ", .commit = " + time(options.commit);
    if (options.changes != ~std::uint64_t{0}) text += ", .changes = " + std::to_string(options.changes);
    if (!options.at_every_moment) text += ", .at_every_moment = false";
    return text + ", .time = " + time(options.time) + ", .healing = " + time(options.healing) + '}';
}

/// What Simulation::check throws.
class SimulationFailed : public std::runtime_error {
   public:
    explicit SimulationFailed(Failure failure) : std::runtime_error(text_of(failure)), failure_(std::move(failure)) {}
    const Failure& failure() const noexcept { return failure_; }

   private:
    static std::string text_of(const Failure& failure) {
        std::string text = failure.oracle + ": " + failure.words + "\n  on machine " + std::to_string(failure.machine) +
                           " after " + std::to_string(static_cast<double>(failure.time.count()) / 1e9) + " s of\n  " +
                           failure.options + "\nThe latest events:\n";
        for (const std::string& line : failure.trace) text += line + '\n';
        return text;
    }

    Failure failure_;
};

/// One replica, as a workload's own check sees it. Not for keeping.
template <crdt T>
struct Observation {
    const T& state;
    ReplicaId replica;
    std::size_t machine;
    bool settled;  ///< all faults are over and all replicas should be equal
    const Disk& disk;
    const std::set<ReplicaId>& reused;  ///< ids whose tokens mean nothing any more: see Oracles

    /// Whether the change that `update` returned this for is known to have arrived here.
    bool holds(const Token& token) const {
        return !reused.contains(token.replica) && disk.tip(token.replica).counter >= token.counter;
    }
};

/// `Simulation<Library> world{{.seed = 42, .faults = faults::all()}}; world.run(workload, 300s); world.heal(60s);
/// world.check();`
///
/// A workload is called as `workload(replica, random)` for a random replica that is up, and changes its data with
/// `update`; or with the replica's Machine beside. It may return a std::optional<std::string>: what it saw that must not
/// be. It may have `check(const Observation<T>&)` with the same result, called for each replica all the way and at the end.
///
/// `Store` is SimulatedStore, which commits at once, or LateStore, whose commits take time.
template <crdt T, store Store = SimulatedStore>
class Simulation {
   public:
    using SimulatedReplica = Replica<Store, SimulatedTransport, SimulatedClock, T>;
    using Wrong = std::optional<std::string>;

    explicit Simulation(SimulationOptions options = {})
        : options_(std::move(options)), trace_(options_.print),
          network_(options_.replicas, detail::mix(options_.seed, 1), trace_), oracles_(machines_, network_, trace_),
          injector_(faults(), detail::mix(options_.seed, 2), network_, machines_, trace_,
                    {[this](std::size_t machine, bool politely) { crash(machine, politely); },
                     [this](std::size_t machine) { start(machine); },
                     [this](std::size_t machine) { oracles_.on_identity_reused(machines_[machine].replica); }}),
          random_(detail::mix(options_.seed, 3)), replicas_(options_.replicas), checked_(options_.replicas) {
        for (std::size_t at = 0; at < options_.replicas; ++at) {
            const std::chrono::microseconds skew{static_cast<std::int64_t>(random_.below(40'000)) - 20'000};
            machines_.emplace_back(at, network_.now(), skew);
        }
        network_.on_send(
            [this](std::size_t machine, MessageKind kind, ByteView bytes) { oracles_.on_sent(machine, kind, bytes); });
        for (std::size_t at = 0; at < options_.replicas; ++at) {
            const auto joining = static_cast<std::uint64_t>(options_.joining.count());
            network_.schedule(Duration{static_cast<std::int64_t>(random_.below(joining))}, {start_task, at});
            network_.schedule(next_change(), {change_task, at});
        }
        network_.schedule(options_.check_every, {check_task, 0});
    }

    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    /// Lets `time` pass with faults and changes. A workload with a `check` must live until the simulation's last call.
    template <class Workload>
    void run(Workload&& workload, Duration time) {
        using W = std::remove_reference_t<Workload>;
        if constexpr (requires(const Observation<T>& seen) { workload.check(seen); }) {
            static_assert(std::is_lvalue_reference_v<Workload>, "netsync: a workload with a check must be a variable");
            check_ = [&workload](const Observation<T>& seen) -> Wrong { return workload.check(seen); };
        }
        change_ = [&workload](SimulatedReplica& replica, Random& random, const Machine& machine) -> Wrong {
            if constexpr (std::is_invocable_v<W&, SimulatedReplica&, Random&, const Machine&>)
                return workload(replica, random, machine);
            else if constexpr (std::is_void_v<std::invoke_result_t<W&, SimulatedReplica&, Random&>>)
                return workload(replica, random), std::nullopt;
            else
                return workload(replica, random);
        };
        network_.set_faults(faults());
        injector_.begin();
        proceed(network_.now() + time);
        change_ = nullptr;
    }

    /// Ends all faults: what is cut is mended, what is down starts, every wall clock goes right and past every stamp
    /// there is. Then lets `time` pass, in which the replicas become equal and go quiet.
    void heal(Duration time) {
        trace_.add(network_.now(), Happened::healing, 0);
        network_.set_faults({});
        injector_.heal();
        arrived_ = network_.latest_arrival();
        Ntp64 latest{};
        for (const Machine& machine : machines_)
            latest = std::max({latest, machine.disk.latest(), uncommitted(machine)});
        const Ntp64 right = Ntp64::from_duration(WallClock::epoch + network_.now());
        const Duration ahead = std::max(Duration{0}, difference(latest, right) + std::chrono::seconds{1});
        for (Machine& machine : machines_) machine.wall.repair(ahead);
        for (const Machine& machine : machines_)
            if (!replicas_[machine.number]) start(machine.number);
        healing_ = true;
        const Duration end = network_.now() + time, quiet = end - std::min<Duration>(time, std::chrono::seconds{10});
        proceed(quiet);
        const bool equal = are_equal();
        const auto sent = network_.sent();
        proceed(end);
        const bool heard = arrived_ + std::chrono::seconds{1} <= quiet;  // else old messages are still answered
        if (heard && equal && are_equal()) oracles_.check_quiet(sent, end - quiet, options_.replica.gossip.least);
        if (rounds_) oracles_.check_rounds(*rounds_, commit_rounds());
        healing_ = false;
    }

    /// After healing: all replicas are equal, and hold all that was acknowledged. What is wrong, if anything ever was.
    std::optional<Failure> settle() {
        for (const Machine& machine : machines_) {
            if (!are_equal_to_first(machine.number))
                oracles_.fail("convergence", machine.number,
                              "a replica differs from machine 0 after healing" + describe_all());
            observe(machine.number, true);
            if (replicas_[machine.number]) oracles_.check_retired(machine.number, replicas_[machine.number]->report());
        }
        oracles_.check_acknowledged();
        return failure();
    }

    /// The same; throws SimulationFailed.
    void check() {
        if (std::optional<Failure> failed = settle()) throw SimulationFailed(*std::move(failed));
    }

    /// The first thing that went wrong. Nothing moves any more after it.
    std::optional<Failure> failure() const {
        std::optional<Failure> failed = oracles_.failure();
        if (failed) failed->options = to_string(concrete_options());
        return failed;
    }

    /// Events so far, and a hash of them all: the same for equal options, on every machine.
    const Trace& trace() const noexcept { return trace_; }
    Duration now() const noexcept { return network_.now(); }
    std::uint64_t changes() const noexcept { return changes_; }
    /// Null while the machine is down. For tests that drive replicas themselves.
    SimulatedReplica* replica(std::size_t machine) { return replicas_[machine].get(); }
    const Network& network() const noexcept { return network_; }

    /// The faults of this seed.
    Faults faults() const { return options_.mix ? faults::draw(options_.faults, options_.seed) : options_.faults; }
    SimulationOptions concrete_options() const {
        SimulationOptions concrete = options_;
        concrete.faults = faults();
        concrete.mix = false;
        return concrete;
    }

   private:
    static constexpr std::uint32_t start_task = 0;
    static constexpr std::uint32_t change_task = 1;
    static constexpr std::uint32_t check_task = 2;

    void proceed(Duration until) {
        for (bool more = true; more && !oracles_.failure();) try {
                more = step(until);
            } catch (const PowerFailed&) {
                on_power_cut();
            }
    }

    bool step(Duration until) {
        const Network::Step done = network_.step(until);
        if (done.task) carry_out(*done.task);
        if (done.machine != Network::none) look_at(done.machine);
        return done.any;
    }

    void on_power_cut() {
        for (Machine& machine : machines_) {
            if (machine.disk.powered() || !machine.running) continue;
            if (replicas_[machine.number]) judge_identity(machine);
            judge_commits(machine);
            crash(machine.number, false);
            injector_.on_power_cut(machine.number);
        }
    }

    void carry_out(const Task& task) {
        if (task.what >= FaultInjector::first_task) return injector_.on_task(task);
        if (task.what == LateStore::task) end_commit(task);
        if (task.what == start_task && !replicas_[task.argument]) start(task.argument);
        if (task.what == change_task) change(task.argument);
        if (task.what == check_task) check_reports();
    }

    void end_commit(const Task& task) {
        Machine& machine = machines_[LateStore::machine_of(task.argument)];
        if (!LateStore::ends(machine, task.argument)) return;
        if (network_.is_paused(machine.number))
            return network_.schedule(network_.now() + std::chrono::milliseconds{50}, task);
        machine.disk.end_commit();
        look_at(machine.number);
    }

    Store make_store(Machine& machine) {
        if constexpr (std::is_same_v<Store, LateStore>)
            return LateStore{machine, network_, options_.commit, detail::mix(options_.seed, machine.number)};
        else
            return Store{machine.disk};
    }

    void start(std::size_t at) {
        Machine& machine = machines_[at];
        machine.disk.power_on();
        machine.running = true;
        Options options = options_.replica;
        options.name = machine.name;
        // Ids follow from the seed; few enough of them that a long series of runs does not exhaust the table of ids.
        options.seed = detail::mix(detail::mix(options_.seed % 4096, at), ++machine.starts) | 1;
        replicas_[at] =
            std::make_unique<SimulatedReplica>(SimulatedTransport{network_, at}, options, make_store(machine),
                                               SimulatedClock{options.max_drift, SimulatedTime{machine.wall}});
        checked_[at] = {};
        look_at(at);
        if (replicas_[at]) oracles_.on_started(at, replicas_[at]->report());
    }

    void crash(std::size_t at, bool politely) {
        if (!std::exchange(machines_[at].running, false)) return;
        trace_.add(network_.now(), Happened::crashed, at);
        network_.crash(at, politely);
        network_.resume(at);
        machines_[at].disk.power_off();
        replicas_[at].reset();
    }

    void change(std::size_t at) {
        network_.schedule(network_.now() + next_change(), {change_task, at});
        if (!change_ || !replicas_[at] || network_.is_paused(at) || changes_ >= options_.changes) return;
        trace_.add(network_.now(), Happened::changed, at, ++changes_);
        try {
            if (Wrong wrong = change_(*replicas_[at], random_, machines_[at]))
                oracles_.fail("workload", at, *std::move(wrong));
        } catch (const std::system_error&) {
            return look_at(at);  // of a disk that fails: the change may be on it later
        }
        look_at(at);
    }

    /// After everything that a replica did: what it logged, and what it holds now.
    void look_at(std::size_t at) {
        if (!replicas_[at]) return;
        Machine& machine = machines_[at];
        judge_identity(machine);
        judge_commits(machine);
        const std::uint64_t vector_hash = machine.disk.vector_hash();
        if (checked_[at].vector_hash == vector_hash || machine.disk.is_behind()) return;
        checked_[at] = {vector_hash, true};
        trace_.add(network_.now(), Happened::committed, at, vector_hash);
        if (options_.at_every_moment) oracles_.on_digest(at, vector_hash, replicas_[at]->digest());
        if (linked_) count_rounds();
    }

    /// A copied disk may also hold the id that its replica was to take next.
    void judge_identity(Machine& machine) {
        const ReplicaId before = std::exchange(machine.replica, replicas_[machine.number]->id());
        if (before == machine.replica) return;
        linked_.reset();  // a newcomer's rounds are counted from now
        if (!before.is_nil()) oracles_.on_identity_reused(before);
        for (const Machine& other : machines_)
            if (other.number != machine.number && other.replica == machine.replica)
                oracles_.on_identity_reused(machine.replica);
    }

    void judge_commits(Machine& machine) {
        machine.greatest_wall = std::max(machine.greatest_wall, machine.wall.read());
        oracles_.on_committed(machine.number, machine.disk, options_.replica.max_drift);
    }

    void check_reports() {
        network_.schedule(network_.now() + options_.check_every, {check_task, 0});
        const std::size_t at = next_report_++ % replicas_.size();
        if (replicas_[at] && !machines_[at].disk.is_behind())
            oracles_.on_report(at, replicas_[at]->report(), options_.replica.limits);
        for (std::size_t machine = 0; machine < replicas_.size(); ++machine)
            if (std::exchange(checked_[machine].news, false)) observe(machine, false);
        if (healing_) count_rounds();
    }

    void observe(std::size_t at, bool settled) {
        if (!check_ || !replicas_[at] || machines_[at].disk.is_behind()) return;
        Wrong wrong = replicas_[at]->read([&](const T& state) {
            return check_(
                Observation<T>{state, machines_[at].replica, at, settled, machines_[at].disk, oracles_.reused()});
        });
        if (wrong) oracles_.fail("workload", at, *std::move(wrong));
    }

    /// Counts from when all are linked with all, and nothing from before the healing is under way, until all are equal.
    void count_rounds() {
        if (!linked_) {
            if (network_.now() < arrived_) return;
            for (const auto& replica : replicas_)
                if (!replica || live_members(*replica) + 1 < replicas_.size()) return;
            linked_ = rounds();
        }
        if (rounds_ || !are_equal()) return;
        const std::vector<std::uint64_t> now = rounds();
        rounds_ = 0;
        for (std::size_t at = 0; at < now.size(); ++at) rounds_ = std::max(*rounds_, now[at] - (*linked_)[at]);
    }

    /// The latest that a change may be stamped with which the disk has not taken yet.
    Ntp64 uncommitted(const Machine& machine) const {
        const bool waits = replicas_[machine.number] && replicas_[machine.number]->report().store_error;
        return waits ? machine.greatest_wall : Ntp64{};
    }

    std::vector<std::uint64_t> rounds() const {
        std::vector<std::uint64_t> begun;
        begun.reserve(replicas_.size());
        for (std::size_t at = 0; at < replicas_.size(); ++at) begun.push_back(network_.rounds_of(at));
        return begun;
    }

    static std::size_t live_members(const SimulatedReplica& replica) {
        const Report report = replica.report();
        return static_cast<std::size_t>(
            std::count_if(report.members.begin(), report.members.end(),
                          [](const Member& member) { return member.state == MemberState::live; }));
    }

    bool are_equal() const {
        for (const Machine& machine : machines_)
            if (!replicas_[machine.number] || machine.disk.vector_hash() != machines_.front().disk.vector_hash())
                return false;
        return true;
    }

    bool are_equal_to_first(std::size_t at) const {
        return replicas_[at] && replicas_[0] && machines_[at].disk.vector_hash() == machines_[0].disk.vector_hash() &&
               replicas_[at]->digest() == replicas_[0]->digest();
    }

    std::string describe_all() const {
        std::string text;
        for (const Machine& machine : machines_) {
            text += "\n  machine " + std::to_string(machine.number) + ": ";
            if (!replicas_[machine.number]) {
                text += "down";
                continue;
            }
            const Report report = replicas_[machine.number]->report();
            text += std::string(to_string(report.state)) + ", members";
            for (const Member& member : report.members)
                text += ' ' + std::string(to_string(member.state)) + (member.link == Link{} ? "" : "+link");
            if (!report.syncs.empty()) text += ", last round: " + std::string(to_string(report.syncs.back().end));
            if (report.store_error) text += ", store: " + report.store_error.message();
            text += ", " + std::to_string(report.buffered_frames) + " frames wait, holds";
            for (const Head& head : report.heads) text += ' ' + std::to_string(head.counter);
        }
        return text;
    }

    /// Rounds that may begin while one waits for the disks of both sides, in each of its steps.
    std::uint64_t commit_rounds() const {
        if constexpr (!asynchronous_store<Store>) return 0;
        return 4 + static_cast<std::uint64_t>(6 * options_.commit / options_.replica.gossip.least);
    }

    Duration next_change() {
        return Duration{
            static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(2 * options_.pace.count())))};
    }

    struct Checked {
        std::uint64_t vector_hash = 0;
        bool news = false;  // since the workload's own check
    };

    SimulationOptions options_;
    Trace trace_;
    Network network_;
    std::deque<Machine> machines_;
    Oracles oracles_;
    FaultInjector injector_;
    Random random_;
    std::function<Wrong(SimulatedReplica&, Random&, const Machine&)> change_;
    std::function<Wrong(const Observation<T>&)> check_;
    std::vector<std::unique_ptr<SimulatedReplica>> replicas_;
    std::vector<Checked> checked_;
    std::uint64_t changes_ = 0;
    std::size_t next_report_ = 0;
    bool healing_ = false;
    Duration arrived_{};                                // what was under way at the healing
    std::optional<std::vector<std::uint64_t>> linked_;  // rounds begun when all were linked with all
    std::optional<std::uint64_t> rounds_;
};

/// A whole run: faults for options.time, then options.healing, then the final oracles. What is wrong, if anything.
template <crdt T, store Store = SimulatedStore, class Workload>
std::optional<Failure> simulate(const SimulationOptions& options, Workload& workload) {
    Simulation<T, Store> world{options};
    world.run(workload, options.time);
    world.heal(options.healing);
    return world.settle();
}

}  // namespace netsync::testing
