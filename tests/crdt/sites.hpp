// Replicas reduced to what the laws speak of: a state, its context, and the deltas that others made.
#pragma once

#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace sites {

using namespace netsync;

/// A delta on its way, with all that a receiver needs.
template <class T>
struct Sent {
    T delta;
    CausalContext context;
    VersionVector dependencies;
    DotRange minted;
    Ntp64 time;
    OwnerId origin;
};

template <class T>
struct Site {
    ReplicaIndex replica{};
    std::uint64_t next = 1;
    T state{};
    CausalContext seen{};

    /// One local change, merged here and returned for the others. The frame takes a dot even if it minted none.
    template <class Mutate>
    Sent<T> change(Ntp64 time, Mutate&& mutate) {
        Change change{replica, next, time};
        T delta = mutate(state, change);
        Sent<T> sent{delta, change.context(), seen.vector(), change.minted(), time, change.owner()};
        if (sent.minted.empty()) sent.minted.last = sent.minted.first;
        deliver(sent);
        next = sent.minted.last + 1;
        return sent;
    }

    bool ready(const Sent<T>& sent) const {
        return seen.vector().includes(sent.dependencies) &&
               seen.vector().counter(sent.minted.replica) == sent.minted.first - 1;
    }

    bool deliver(const Sent<T>& sent) {
        const bool changed =
            merge(state, sent.delta, Join{.mine = seen, .theirs = sent.context, .origin = sent.origin});
        seen.add(sent.minted);
        return changed;
    }

    /// The whole state of another site.
    void join(const Site& other) {
        merge(state, other.state, Join{.mine = seen, .theirs = other.seen, .scope = Scope::whole});
        seen.merge(other.seen);
    }

    Bytes encoded(Ntp64 time) const {
        std::vector<Head> heads;
        for (const auto& entry : seen.vector().sorted()) heads.push_back({id_of(entry.replica), entry.counter, 0});
        Result<Bytes> bytes = encode_snapshot(heads, time, state);
        REQUIRE(bytes);
        return *std::move(bytes);
    }
};

template <class T>
std::vector<Site<T>> make_sites(std::size_t count) {
    std::vector<Site<T>> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i].replica = intern(ReplicaId{100 + i, 7 - i});
    return all;
}

template <class T>
bool same(const Site<T>& a, const Site<T>& b) {
    return equal(a.state, b.state);
}

}  // namespace sites
