// netsync: a whole state as bytes, with exactly the causal context that it holds. Canonical: two replicas with equal
// version vectors make the same bytes, so a transfer can go on from any of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <netsync/crdt/composition.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/reissue.hpp>
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

/// What comes out of snapshot bytes.
template <crdt T>
struct Snapshot {
    std::vector<Head> heads;  ///< by replica id: the version vector, and the hashes to continue from
    Ntp64 time;               ///< the latest time in the state
    Reissues reissues{};      ///< what of it has more than one name
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
void write_snapshot(Output& out, const std::vector<Head>& heads, Ntp64 time, T& state, const Reissues& reissues) {
    out.fixed(wire_version);
    out(heads);
    out.fixed(time.value);
    out(reissues.all());
    if constexpr (std::is_const_v<T>)
        out(state);
    else
        out.let_go(state);
}

template <class T>
Result<Bytes> encode_snapshot(const std::vector<Head>& heads, Ntp64 time, T& state, const Limits& limits,
                              const Reissues& reissues, std::size_t expected) {
    Output out{state_space(heads, time), limits.depth};
    if (expected > 0) out.expect(expected + varint_room);  // as much as is ever asked for at once
    write_snapshot(out, heads, time, state, reissues);
    if (out.error()) return out.error();
    if (out.size() > limits.state) return errc::too_large;
    return out.take();
}

template <class T>
std::size_t size_of_snapshot(const std::vector<Head>& heads, Ntp64 time, T& state, const Limits& limits,
                             const Reissues& reissues) {
    Output out{state_space(heads, time), limits.depth};
    out.measure();
    write_snapshot(out, heads, time, state, reissues);
    return out.size();
}

}  // namespace detail

/// `heads` by replica id. Fails as Frame::make does, with errc::too_large beyond limits.state. O(state), and a sort.
/// `expected`: at least its size; then no more memory is taken, which is else up to two and a half times the bytes.
template <crdt T>
Result<Bytes> encode_snapshot(const std::vector<Head>& heads, Ntp64 time, const T& state, const Limits& limits = {},
                              const Reissues& reissues = {}, std::size_t expected = 0) {
    return detail::encode_snapshot(heads, time, state, limits, reissues, expected);
}
/// The same of a copy that is let go of on the way: see Output::let_go.
template <crdt T>
    requires(!std::is_reference_v<T> && !std::is_const_v<T>)
Result<Bytes> encode_snapshot(const std::vector<Head>& heads, Ntp64 time, T&& state, const Limits& limits = {},
                              const Reissues& reissues = {}, std::size_t expected = 0) {
    return detail::encode_snapshot(heads, time, state, limits, reissues, expected);
}

/// Of what encode_snapshot gives. In the same time, without memory.
template <crdt T>
std::size_t size_of_snapshot(const std::vector<Head>& heads, Ntp64 time, const T& state, const Limits& limits = {},
                             const Reissues& reissues = {}) {
    return detail::size_of_snapshot(heads, time, state, limits, reissues);
}
template <crdt T>
    requires(!std::is_reference_v<T> && !std::is_const_v<T>)
std::size_t size_of_snapshot(const std::vector<Head>& heads, Ntp64 time, T&& state, const Limits& limits = {},
                             const Reissues& reissues = {}) {
    return detail::size_of_snapshot(heads, time, state, limits, reissues);
}

/// The heads and the time alone, and where the state starts. Nothing is interned.
struct SnapshotHeader {
    std::vector<Head> heads;
    Ntp64 time;
    Reissues reissues;
    std::size_t size = 0;
};

inline Result<SnapshotHeader> decode_snapshot_header(ByteView bytes, const Limits& limits = {}) {
    Input in{bytes, Limits::state_budget(bytes.size())};
    SnapshotHeader header;
    if (in.fixed<std::uint8_t>() != wire_version) return errc::unsupported_version;
    in(header.heads);
    header.time = Ntp64{in.fixed<std::uint64_t>()};
    std::vector<Reissue> reissues;
    in(reissues);
    if (!in.ok()) return in.error();
    if (reissues.size() > limits.replicas) return errc::too_large;
    for (const Reissue& reissue : reissues) {
        if (!reissue.is_valid()) return errc::malformed;
        header.reissues.add(reissue);
    }
    if (header.reissues.all() != reissues) return errc::malformed;
    if (header.heads.size() > limits.replicas) return errc::too_large;
    for (const Head& head : header.heads)
        if (head.counter == 0 || head.counter > max_counter || head.replica.is_nil()) return errc::malformed;
    if (!are_sorted(header.heads)) return errc::malformed;
    header.size = bytes.size() - in.remaining();
    return header;
}

/// errc::malformed, too_large, too_deep, unsupported_version, replica_table_full. O(size).
template <crdt T>
Result<Snapshot<T>> decode_snapshot(ByteView bytes, const Limits& limits = {}) {
    const Result<SnapshotHeader> header = decode_snapshot_header(bytes, limits);
    if (!header) return header.error();
    for (const Head& head : header->heads)
        if (intern(head.replica) == ReplicaIndex{}) return errc::replica_table_full;
    const DotSpace space = detail::state_space(header->heads, header->time);
    Input in{bytes.subspan(header->size), Limits::state_budget(bytes.size()), &space, limits.depth};
    Snapshot<T> snapshot{header->heads, header->time, header->reissues, {}};
    in(snapshot.state);
    if (const std::error_code error = in.finish()) return error;
    return snapshot;
}

}  // namespace netsync
