// netsync: an asynchronous store in a simulation. Commits begin when the replica says so and end later, in virtual time;
// calls never wait for them.
#pragma once

#include <cstdint>
#include <functional>
#include <netsync/detail/random.hpp>
#include <netsync/testing/machine.hpp>
#include <netsync/testing/network.hpp>
#include <optional>
#include <utility>

namespace netsync::testing {

/// The Store policy over a Disk whose commits take up to `most`, as a SqliteStore's do: what is staged meanwhile waits for
/// the next one, a power cut takes it, and of the commit under way all or nothing.
class LateStore {
   public:
    /// The task that ends a machine's commit; its argument: see `ends`.
    static constexpr std::uint32_t task = 50;

    LateStore(Machine& machine, Network& network, Duration most, std::uint64_t seed)
        : machine_(&machine), network_(&network), most_(most), random_(seed) {
        disk().be_late();
    }

    std::error_code append(const Frame& frame) { return disk().append(frame); }
    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        return disk().adopt(snapshot, heads);
    }
    std::error_code cut(const std::vector<ReplicaCounter>& counters) { return disk().cut(counters); }
    std::error_code clear() { return disk().clear(); }
    std::error_code put(std::string_view key, ByteView value) { return disk().put(key, value); }
    std::error_code commit() {
        while (disk().is_committing()) disk().end_commit();
        return disk().commit();
    }
    void commit_later(std::function<void(std::error_code)> done) {
        disk().begin_commit(std::move(done));
        const auto takes = static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(most_.count())));
        network_->schedule(network_->now() + Duration{takes},
                           {task, disk().commits() * max_machines + machine_->number});
    }
    bool is_behind() const { return disk().waiting() > most_waiting; }

    std::optional<Bytes> get(std::string_view key) const { return disk().get(key); }
    SharedBytes snapshot() const { return disk().snapshot(); }
    void replay(const FrameVisitor& visit) const { disk().replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const { return disk().frames(range, visit); }

    /// The machine whose commit a task ends.
    static std::size_t machine_of(std::uint64_t argument) noexcept { return argument % max_machines; }
    /// Whether that commit is still under way.
    static bool ends(const Machine& machine, std::uint64_t argument) noexcept {
        return machine.disk.is_committing() && machine.disk.commits() == argument / max_machines;
    }

   private:
    static constexpr std::uint64_t max_machines = 1u << 16;
    static constexpr std::size_t most_waiting = 64;  // frames

    Disk& disk() const noexcept { return machine_->disk; }

    Machine* machine_;
    Network* network_;
    Duration most_;
    detail::Random random_;
};

static_assert(asynchronous_store<LateStore>);

}  // namespace netsync::testing
