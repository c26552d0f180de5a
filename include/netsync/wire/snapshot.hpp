// netsync: a whole state as bytes, with exactly the causal context that it holds. Canonical but for its marks: two replicas
// with equal version vectors make the same bytes, so a transfer can go on from any of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/crdt/composition.hpp>
#include <netsync/wire/forgotten.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/reissue.hpp>
#include <optional>
#include <tuple>
#include <type_traits>
#include <vector>

namespace netsync {

/// Where an origin's history stands: the last counter held and the rolling hash there.
struct Head {
    ReplicaId replica;
    std::uint64_t counter = 0;
    std::uint64_t hash = 0;
    friend constexpr auto operator<=>(const Head&, const Head&) = default;
};

/// Whether they are by replica id, each replica once: as every version vector travels.
inline bool are_sorted(const std::vector<Head>& heads) {
    for (std::size_t at = 1; at < heads.size(); ++at)
        if (!(heads[at - 1].replica < heads[at].replica)) return false;
    return true;
}

/// How much of a replica's changes somebody holds whose heads, sorted, these are. O(log heads).
inline std::uint64_t counter_in(const std::vector<Head>& heads, const ReplicaId& replica) {
    const auto at = std::lower_bound(heads.begin(), heads.end(), replica,
                                     [](const Head& head, const ReplicaId& key) { return head.replica < key; });
    return at != heads.end() && at->replica == replica ? at->counter : 0;
}

/// Where two histories of one replica parted, and how one of them goes on: the one that stayed, or the other.
struct Mark {
    ReplicaId replica{};
    std::uint64_t counter = 0;  ///< the last of both
    std::uint64_t hash = 0;     ///< there; 0: not known
    std::uint64_t last = 0;     ///< of the first change beyond
    std::uint64_t beyond = 0;   ///< the hash there
    Ntp64 time{};               ///< of that change
    bool stayed = true;
    friend bool operator==(const Mark&, const Mark&) = default;
    /// The order in which they are kept: by replica and counter.
    friend bool precedes(const Mark& a, const Mark& b) {
        return std::tie(a.replica, a.counter) < std::tie(b.replica, b.counter);
    }

    bool is_valid() const noexcept { return !replica.is_nil() && counter < last && last <= max_counter; }

    /// What it tells of the hash at a counter.
    std::optional<std::uint64_t> hash_at(const ReplicaCounter& at) const {
        if (at.replica != replica) return std::nullopt;
        if (at.counter == last && stayed) return beyond;
        return at.counter == counter && (hash != 0 || counter == 0) ? std::optional{hash} : std::nullopt;
    }
};

inline constexpr std::size_t max_marks = 256;

/// What a state is of: exactly the causal context that it holds, and what else is to be known of it.
struct SnapshotHeader {
    std::vector<Head> heads{};  ///< by replica id: the version vector, and the hashes to continue from
    Ntp64 time{};               ///< the latest time in the state
    Reissues reissues{};        ///< what of it has more than one name
    /// Counters of the heads, or none: up to there tombstones may have been dropped.
    std::vector<std::uint64_t> forgotten{};
    std::uint64_t lineage = 0;  ///< see History::lineage
    std::vector<Mark> marks{};  ///< see History::marks
    std::size_t size = 0;       ///< of the header's bytes, where it was read

    /// The same as a cut. Interns their replicas.
    Forgotten dropped() const {
        std::vector<ReplicaCounter> counters;
        for (std::size_t at = 0; at < forgotten.size(); ++at)
            if (forgotten[at] > 0) counters.push_back({heads[at].replica, forgotten[at]});
        return Forgotten::of(counters);
    }
};

/// What comes out of snapshot bytes.
template <crdt T>
struct Snapshot : SnapshotHeader {
    T state{};
};

namespace detail {

inline DotSpace state_space(const std::vector<Head>& heads, Ntp64 time) {
    std::vector<DotRange> ranges;
    ranges.reserve(heads.size());
    for (const Head& head : heads) ranges.push_back({intern(head.replica), 1, head.counter});
    return {std::move(ranges), time};
}

/// A state that is not const is let go of.
template <class T>
void write_snapshot(Output& out, const SnapshotHeader& header, T& state) {
    out.fixed(wire_version);
    out(header.heads);
    out.fixed(header.time.value);
    out(header.reissues.all(), header.forgotten, header.lineage, header.marks);
    if constexpr (std::is_const_v<T>)
        out(state);
    else
        out.let_go(state);
}

template <class T>
Result<Bytes> encode_snapshot(const SnapshotHeader& header, T& state, const Limits& limits, std::size_t expected) {
    Output out{state_space(header.heads, header.time), limits.depth};
    if (expected > 0) out.expect(expected + varint_room);  // as much as is ever asked for at once
    write_snapshot(out, header, state);
    if (out.error()) return out.error();
    if (out.size() > limits.state) return errc::too_large;
    return out.take();
}

template <class T>
std::size_t size_of_snapshot(const SnapshotHeader& header, T& state, const Limits& limits) {
    Output out{state_space(header.heads, header.time), limits.depth};
    out.measure();
    write_snapshot(out, header, state);
    return out.size();
}

/// Of a header that was read.
inline std::error_code check(const SnapshotHeader& header, const Limits& limits) {
    const auto& [heads, time, reissues, forgotten, lineage, marks, size] = header;
    if (heads.size() > limits.replicas || marks.size() > max_marks) return errc::too_large;
    for (const Head& head : heads)
        if (head.counter == 0 || head.counter > max_counter || head.replica.is_nil()) return errc::malformed;
    if (!are_sorted(heads) || (!forgotten.empty() && forgotten.size() != heads.size())) return errc::malformed;
    for (std::size_t at = 0; at < marks.size(); ++at)
        if (!marks[at].is_valid() || (at > 0 && !precedes(marks[at - 1], marks[at]))) return errc::malformed;
    std::uint64_t any = forgotten.empty() ? 1 : 0;
    for (std::size_t at = 0; at < forgotten.size(); ++at) {
        if (forgotten[at] > heads[at].counter) return errc::malformed;
        any |= forgotten[at];
    }
    return any == 0 ? make_error_code(errc::malformed) : std::error_code{};
}

}  // namespace detail

/// Fails as Frame::make does, with errc::too_large beyond limits.state. O(state), and a sort.
/// `expected`: at least its size; then no more memory is taken, which is else up to two and a half times the bytes.
template <crdt T>
Result<Bytes> encode_snapshot(const SnapshotHeader& header, const T& state, const Limits& limits = {},
                              std::size_t expected = 0) {
    return detail::encode_snapshot(header, state, limits, expected);
}
/// The same of a copy that is let go of on the way: see Output::let_go.
template <crdt T>
    requires(!std::is_reference_v<T> && !std::is_const_v<T>)
Result<Bytes> encode_snapshot(const SnapshotHeader& header, T&& state, const Limits& limits = {},
                              std::size_t expected = 0) {
    return detail::encode_snapshot(header, state, limits, expected);
}

/// Of what encode_snapshot gives. In the same time, without memory.
template <crdt T>
std::size_t size_of_snapshot(const SnapshotHeader& header, const T& state, const Limits& limits = {}) {
    return detail::size_of_snapshot(header, state, limits);
}
template <crdt T>
    requires(!std::is_reference_v<T> && !std::is_const_v<T>)
std::size_t size_of_snapshot(const SnapshotHeader& header, T&& state, const Limits& limits = {}) {
    return detail::size_of_snapshot(header, state, limits);
}

/// The header alone. Nothing is interned.
inline Result<SnapshotHeader> decode_snapshot_header(ByteView bytes, const Limits& limits = {}) {
    Input in{bytes, Limits::state_budget(bytes.size())};
    SnapshotHeader header;
    if (in.fixed<std::uint8_t>() != wire_version) return errc::unsupported_version;
    in(header.heads);
    header.time = Ntp64{in.fixed<std::uint64_t>()};
    std::vector<Reissue> reissues;
    in(reissues, header.forgotten, header.lineage, header.marks);
    if (!in.ok()) return in.error();
    if (reissues.size() > limits.replicas) return errc::too_large;
    for (const Reissue& reissue : reissues) {
        if (!reissue.is_valid()) return errc::malformed;
        header.reissues.add(reissue);
    }
    if (header.reissues.all() != reissues) return errc::malformed;
    if (const std::error_code error = detail::check(header, limits)) return error;
    header.size = bytes.size() - in.remaining();
    return header;
}

/// `read(in)` reads the state that lies behind this header. errc::malformed, too_large, too_deep, replica_table_full. O(size).
template <class F>
std::error_code read_snapshot(ByteView bytes, const SnapshotHeader& header, const Limits& limits, F&& read) {
    for (const Head& head : header.heads)
        if (intern(head.replica) == ReplicaIndex{}) return errc::replica_table_full;
    const DotSpace space = detail::state_space(header.heads, header.time);
    Input in{bytes.subspan(header.size), Limits::state_budget(bytes.size()), &space, limits.depth};
    read(in);
    return in.finish();
}

/// The same errors, and errc::unsupported_version.
template <crdt T>
Result<Snapshot<T>> decode_snapshot(ByteView bytes, const Limits& limits = {}) {
    const Result<SnapshotHeader> header = decode_snapshot_header(bytes, limits);
    if (!header) return header.error();
    Snapshot<T> snapshot{*header, {}};
    const auto read = [&](Input& in) { in(snapshot.state); };
    if (const std::error_code error = read_snapshot(bytes, *header, limits, read)) return error;
    return snapshot;
}

}  // namespace netsync
