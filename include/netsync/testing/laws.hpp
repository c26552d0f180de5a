// netsync: the laws of a type, checked. A type and a function that makes a random change of it come in; the first law that
// does not hold goes out, with its seed.
#pragma once

#include <array>
#include <cstdint>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/composition.hpp>
#include <netsync/detail/random.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/snapshot.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace netsync::testing {

/// A delta on its way, with all that a receiver needs.
template <crdt T>
struct SentDelta {
    T delta;
    CausalContext context;
    VersionVector dependencies;
    DotRange minted;
    Ntp64 time;
    OwnerId origin;
};

/// A replica reduced to what the laws speak of: a state and what it has seen.
template <crdt T>
struct Site {
    ReplicaIndex replica{};
    std::uint64_t next = 1;
    T state{};
    CausalContext seen{};

    /// One local change, merged here and returned for the others. It takes a dot even if it minted none, as a frame does.
    template <class Mutate>
    SentDelta<T> change(Ntp64 time, Mutate&& mutate) {
        Change change{replica, next, time};
        T delta = mutate(std::as_const(state), change);
        SentDelta<T> sent{delta, change.context(), seen.vector(), change.minted(), time, change.owner()};
        if (sent.minted.empty()) sent.minted.last = sent.minted.first;
        deliver(sent);
        next = sent.minted.last + 1;
        return sent;
    }

    bool ready(const SentDelta<T>& sent) const {
        return seen.vector().includes(sent.dependencies) &&
               seen.vector().counter(sent.minted.replica) == sent.minted.first - 1;
    }

    bool deliver(const SentDelta<T>& sent) {
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

    /// Empty where it cannot be encoded.
    Bytes encoded(Ntp64 time) const {
        std::vector<Head> heads;
        for (const auto& entry : seen.vector().sorted()) heads.push_back({id_of(entry.replica), entry.counter, 0});
        Result<Bytes> bytes = encode_snapshot({heads, time}, state);
        return bytes ? *std::move(bytes) : Bytes{};
    }
};

template <crdt T>
std::vector<Site<T>> make_sites(std::size_t count) {
    std::vector<Site<T>> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i].replica = intern(ReplicaId{100 + i, 7 - i});
    return all;
}

/// A law that does not hold, and the seed that shows it.
struct BrokenLaw {
    std::string law;
    std::uint64_t seed = 0;
};

/// Checks T with random changes at four sites, delivered causally in random orders, twice, in groups and as whole states,
/// to sites that now and then go on with what was read of their bytes: merge is idempotent, commutative and associative,
/// the bottom is neutral, state ⊔ delta is the state as mutated, a delta-group is worth its deltas, decoding undoes
/// encoding, a state joined as it is read is what decoding and joining it makes, and equal states have equal bytes, so
/// equal digests.
/// `mutate(const T& now, Change&, Random&)` returns the delta of a random change; it must choose by that Random alone.
template <crdt T, class Mutate>
class Laws {
   public:
    explicit Laws(Mutate mutate) : mutate_(std::move(mutate)) {}

    /// `steps`: changes and deliveries, all by that seed.
    std::optional<BrokenLaw> check(std::uint64_t seed, std::size_t steps = 60) {
        broken_.reset();
        seed_ = seed;
        random_ = detail::Random{seed};
        check_delivery(steps);
        check_groups();
        return broken_;
    }

   private:
    static constexpr std::size_t count = 4;
    using Sent = SentDelta<T>;
    using Inbox = std::array<std::vector<Sent>, count>;  // what is under way to each site

    void require(bool holds, const char* law) {
        if (!holds && !broken_) broken_ = BrokenLaw{law, seed_};
    }

    Sent change(Site<T>& site, Ntp64 time) {
        return site.change(time, [&](const T& state, Change& change) { return mutate_(state, change, random_); });
    }

    void check_delivery(std::size_t steps) {
        std::vector<Site<T>> all = make_sites<T>(count);
        Inbox inbox;
        std::uint64_t now = 1000;
        for (std::size_t step = 0; step < steps; ++step) {
            const std::size_t at = random_.below(count);
            if (random_.below(2) == 0) {
                now += random_.below(3);
                change_and_send(all, at, Ntp64{now}, inbox);
            } else if (random_.below(6) == 0) {
                join(all[at], all[random_.below(count)], Ntp64{now});
            } else if (random_.below(12) == 0) {
                reload(all[at], Ntp64{now});
            } else if (!inbox[at].empty()) {
                const Sent& sent = inbox[at][random_.below(inbox[at].size())];
                if (all[at].ready(sent)) all[at].deliver(sent);
            }
        }
        for (std::size_t at = 0; at < count; ++at) deliver_rest(all[at], inbox[at]);
        compare(all, Ntp64{now});
    }

    void change_and_send(std::vector<Site<T>>& all, std::size_t at, Ntp64 time, Inbox& inbox) {
        Site<T>& site = all[at];
        const Site<T> before = site;
        const Sent sent = change(site, time);
        check_encoding(sent);
        T again = site.state;
        const bool rose =
            merge(again, sent.delta, Join{.mine = site.seen, .theirs = sent.context, .origin = sent.origin});
        require(!rose && equal(again, site.state), "idempotent: a delta merged again changes nothing, and says so");
        T still = before.state;
        const bool moved = merge(still, T{}, Join{.mine = before.seen, .theirs = CausalContext{}});
        require(!moved && equal(still, before.state), "bottom: merging a default-constructed value changes nothing");
        Site<T> inflated = before;
        const bool changed = inflated.deliver(sent);
        require(changed || equal(inflated.state, before.state), "inflation: a merge that changes the state says so");
        for (std::size_t to = 0; to < count; ++to)
            if (to != at) inbox[to].push_back(sent);
    }

    /// A whole state, and the same out of its bytes.
    void join(Site<T>& site, const Site<T>& other, Ntp64 now) {
        T read = site.state, merged = site.state;
        const Join join{.mine = site.seen, .theirs = other.seen, .scope = Scope::whole};
        bool changed = false;
        const Bytes bytes = other.encoded(now);
        const Result<SnapshotHeader> header = decode_snapshot_header(bytes);
        const auto merge_read = [&](Input& in) { changed = in.merge_into(read, join); };
        const bool done = header && !read_snapshot(bytes, *header, Limits{}, merge_read);
        const bool rose = merge(merged, other.state, join);
        require(done && changed == rose && equal(read, merged),
                "encoding: a state joined as it is read is what decoding and joining it makes");
        site.join(other);
    }

    /// The site goes on with what was read of its bytes.
    static void reload(Site<T>& site, Ntp64 now) {
        if (const auto snapshot = decode_snapshot<T>(site.encoded(now))) site.state = (*snapshot).state;
    }

    static void deliver_rest(Site<T>& site, const std::vector<Sent>& inbox) {
        for (bool progress = true; progress;) {
            progress = false;
            for (const Sent& sent : inbox) {
                if (!site.ready(sent)) continue;
                site.deliver(sent);
                progress = true;
            }
        }
    }

    void compare(const std::vector<Site<T>>& all, Ntp64 now) {
        const Bytes bytes = all[0].encoded(now);
        Site<T> joined = all[0];
        for (std::size_t at = 1; at < count; ++at) {
            require(all[at].seen == all[0].seen && equal(all[at].state, all[0].state),
                    "commutative: the same deltas in another causal order make the same state");
            require(all[at].encoded(now) == bytes, "canonical: equal states have equal bytes");
            joined.join(all[at]);
            require(equal(joined.state, all[0].state), "associative: states joined are what their deltas make");
        }
        const auto snapshot = decode_snapshot<T>(bytes);
        require(snapshot && equal((*snapshot).state, all[0].state), "encoding: decoding gives back the state");
    }

    void check_encoding(const Sent& sent) {
        const Result<Bytes> bytes = encode_delta(sent.delta, sent.minted, sent.time, Limits{});
        if (!bytes) return require(false, "encoding: a delta can be encoded");
        FrameHeader header{.origin = id_of(sent.minted.replica),
                           .first = sent.minted.first,
                           .count = sent.minted.size(),
                           .time = sent.time};
        const Result<T> back = Frame::make(std::move(header), *bytes, 0).template delta<T>();
        if (!back) return require(false, "encoding: an encoded delta can be decoded");
        // Mentions of what was emptied are not part of equality: the encoding must have them too.
        const Result<Bytes> again = encode_delta(*back, sent.minted, sent.time, Limits{});
        require(again && *again == *bytes, "encoding: decoding gives back the delta");
    }

    void check_groups() {
        std::vector<Site<T>> all = make_sites<T>(2);
        Site<T>&writer = all[0], &reader = all[1];
        for (std::uint64_t round = 1; round <= 8; ++round) {
            Sent group = change(writer, Ntp64{round});
            group.dependencies = {};
            for (int step = 0; step < 3; ++step) {
                const Sent sent = change(writer, Ntp64{round});
                merge(
                    group.delta, sent.delta,
                    Join{
                        .mine = group.context, .theirs = sent.context, .target = Target::delta, .origin = sent.origin});
                group.context.merge(sent.context);
                group.minted.last = sent.minted.last;
            }
            check_encoding(group);
            reader.deliver(group);
            require(equal(reader.state, writer.state), "groups: a delta-group is worth its deltas one by one");
        }
    }

    Mutate mutate_;
    detail::Random random_;
    std::uint64_t seed_ = 0;
    std::optional<BrokenLaw> broken_;
};

/// The first law that T breaks, if it does within so many seeds: `check_laws<Cart>(mutate)`.
template <crdt T, class Mutate>
std::optional<BrokenLaw> check_laws(Mutate mutate, std::uint64_t seeds = 100) {
    Laws<T, Mutate> laws{std::move(mutate)};
    for (std::uint64_t seed = 1; seed <= seeds; ++seed)
        if (std::optional<BrokenLaw> broken = laws.check(seed)) return broken;
    return std::nullopt;
}

}  // namespace netsync::testing
