// netsync: an encoded delta with its header: what is logged, sent, relayed and never changed. A delta and its causal
// context go in, bytes come out; and back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <netsync/causal/causal_buffer.hpp>
#include <netsync/causal/causal_context.hpp>
#include <netsync/crdt/composition.hpp>
#include <netsync/detail/hash.hpp>
#include <netsync/wire/input.hpp>
#include <netsync/wire/limits.hpp>
#include <netsync/wire/message.hpp>
#include <netsync/wire/output.hpp>
#include <utility>
#include <vector>

namespace netsync {

inline constexpr std::uint8_t wire_version = 1;

/// A counter of a replica, by its id: an entry of a version vector as it travels.
struct ReplicaCounter {
    ReplicaId replica;
    std::uint64_t counter = 0;
    friend constexpr auto operator<=>(const ReplicaCounter&, const ReplicaCounter&) = default;
};

/// What a frame says of itself.
struct FrameHeader {
    ReplicaId origin{};
    std::uint64_t first = 1;  ///< the dots minted: `count` of them, at least one
    std::uint64_t count = 1;
    Ntp64 time{};
    std::vector<ReplicaCounter> dependencies{};  ///< the origin's version vector, where it rose since its last frame
    std::vector<CounterRange> removed{};         ///< dots that the delta supersedes
    std::vector<ReplicaCounter> instead_of{};    ///< issued again: the first dots of what it was before, latest first
    std::uint64_t hash = 0;                      ///< rolling: of all the origin's frames up to this one

    std::uint64_t last() const noexcept { return first + count - 1; }
    /// As most are: it says of itself only who, what and when.
    bool is_plain() const noexcept { return dependencies.empty() && removed.empty() && instead_of.empty(); }
};

/// One change, encoded. Cheap to copy: the bytes are shared. The same bytes are logged and are the message that brings
/// an update. Layout: kind, version, origin, first, count, time, dependencies, removed ranges, earlier names, delta,
/// hash.
class Frame {
   public:
    /// Checks everything but the delta, which is read when it is applied. O(size of the header).
    static Result<Frame> parse(SharedBytes bytes, const Limits& limits = {}) {
        if (bytes->size() > limits.frame) return errc::too_large;
        Frame frame{std::move(bytes)};
        if (const std::error_code error = frame.read_header(limits)) return error;
        return frame;
    }

    /// From an encoded delta (encode_delta) and its header, whose hash is set here: `previous_hash` is that of the
    /// origin's frame before this one, 0 before the first. O(size).
    static Frame make(FrameHeader&& header, ByteView delta, std::uint64_t previous_hash) {
        if (header.is_plain())
            return assemble(std::move(header), plain_header_size(header), delta, previous_hash,
                            [&](std::byte* at) { return write_plain_header(at, header); });
        Output out;
        write_header(out, header);
        return assemble(std::move(header), out.size(), delta, previous_hash,
                        [&](std::byte* at) { return std::copy(out.view().begin(), out.view().end(), at); });
    }

    /// The names of one change: see FrameHeader::instead_of.
    static constexpr std::size_t max_names = 16;

    const FrameHeader& header() const noexcept { return header_; }
    const SharedBytes& bytes() const noexcept { return bytes_; }

    /// The delta, read within the frame's own dots and time. errc::malformed, too_large, too_deep.
    template <crdt T>
    Result<T> delta(const Limits& limits = {}) const {
        return delta_within<T>(DotSpace{minted(), header_.time}, limits);
    }

    /// The delta as if the frame had minted these dots, as many, at this time: for issuing it again.
    template <crdt T>
    Result<T> delta_within(const DotSpace& space, const Limits& limits = {}) const {
        Input in{body(), Limits::frame_budget(bytes_->size()), &space, limits.depth};
        T delta{};
        in(delta);
        if (const std::error_code error = in.finish()) return error;
        return delta;
    }

    /// The delta's causal context: what it minted and what it removed. Interns the origin: for frames about to be
    /// applied, whose dependencies are in.
    CausalContext context() const {
        CausalContext context{minted()};
        for (const CounterRange& range : header_.removed)
            if (const ReplicaIndex replica = find_index(range.replica); replica != ReplicaIndex{})
                context.add(DotRange{replica, range.first, range.last});
        return context;
    }

    /// Whether the rolling hash continues `previous_hash`. O(size).
    bool continues(std::uint64_t previous_hash) const noexcept {
        return header_.hash == detail::hash_bytes(bytes_->data(), bytes_->size() - hash_size, previous_hash);
    }

    // What CausalBuffer asks of an item.
    CounterRange dots() const noexcept { return {header_.origin, header_.first, header_.last()}; }
    const std::vector<ReplicaCounter>& dependencies() const noexcept { return header_.dependencies; }
    std::size_t size_bytes() const noexcept { return bytes_->size(); }

   private:
    static constexpr std::size_t hash_size = sizeof(std::uint64_t);
    static constexpr std::size_t most_of_plain_header = 2 + 3 * sizeof(std::uint64_t) + 2 * detail::varint_room + 3;

    explicit Frame(SharedBytes bytes) : bytes_(std::move(bytes)) {}
    Frame(SharedBytes bytes, FrameHeader&& header, std::size_t delta_start)
        : bytes_(std::move(bytes)), header_(std::move(header)), delta_start_(delta_start) {}

    DotRange minted() const { return {intern(header_.origin), header_.first, header_.last()}; }
    ByteView body() const { return ByteView{*bytes_}.subspan(delta_start_, bytes_->size() - delta_start_ - hash_size); }

    /// `write(at)` writes the header, which takes so many bytes, and says where it ends.
    template <class F>
    static Frame assemble(FrameHeader&& header, std::size_t header_size, ByteView delta, std::uint64_t previous_hash,
                          F&& write) {
        SharedBytes bytes = SharedBytes::make(header_size + delta.size() + hash_size, [&](std::byte* const at) {
            std::byte* const end = std::copy(delta.begin(), delta.end(), write(at));
            header.hash = detail::hash_bytes(at, static_cast<std::size_t>(end - at), previous_hash);
            detail::write_word(end, header.hash);
        });
        return Frame{std::move(bytes), std::move(header), header_size};
    }

    static std::size_t plain_header_size(const FrameHeader& header) noexcept {
        return most_of_plain_header - 2 * detail::varint_room + detail::varint_size(header.first) +
               detail::varint_size(header.count);
    }

    /// Says where it ends.
    static std::byte* write_plain_header(std::byte* at, const FrameHeader& header) {
        *at++ = static_cast<std::byte>(MessageKind::update);
        *at++ = static_cast<std::byte>(wire_version);
        at = detail::write_word(at, header.origin.owner_bits);
        at = detail::write_word(at, header.origin.incarnation);
        at += detail::write_varint(at, header.first);
        at += detail::write_varint(at, header.count);
        at = detail::write_word(at, header.time.value);
        return std::fill_n(at, 3, std::byte{});  // no dependencies, nothing removed, no other names
    }

    static void write_header(Output& out, const FrameHeader& header) {
        out.in_one_piece(most_of_plain_header, [&](std::byte* at) { return write_plain_header(at, header) - 3; });
        out.count(header.dependencies.size());
        for (const ReplicaCounter& needed : header.dependencies) out(needed.replica, needed.counter);
        out.count(header.removed.size());
        const CounterRange* before = nullptr;
        for (const CounterRange& range : header.removed) {
            const bool same = before && before->replica == range.replica;
            out(same);
            if (!same) out(range.replica == header.origin);
            if (!same && range.replica != header.origin) out(range.replica);
            out(range.first - (same ? before->last + 1 : 0), range.last - range.first);
            before = &range;
        }
        out(header.instead_of);
    }

    std::error_code read_header(const Limits& limits) {
        Input in{*bytes_, Limits::frame_budget(bytes_->size()), nullptr, limits.depth};
        if (in.fixed<std::uint8_t>() != static_cast<std::uint8_t>(MessageKind::update)) return errc::malformed;
        if (in.fixed<std::uint8_t>() != wire_version) return errc::unsupported_version;
        in(header_.origin, header_.first, header_.count);
        header_.time = Ntp64{in.fixed<std::uint64_t>()};
        if (header_.origin.is_nil() || header_.first == 0 || header_.count == 0 || header_.first > max_counter ||
            header_.count > max_counter - header_.first + 1)
            in.fail(errc::malformed);
        if (!in.take_zeros(3)) {  // none of these: so it is with most
            read_dependencies(in, limits);
            read_removed(in);
            read_names(in);
        }
        if (!in.ok()) return in.error();
        if (in.remaining() < hash_size) return errc::malformed;
        delta_start_ = bytes_->size() - in.remaining();
        header_.hash = detail::read_word(bytes_->data() + bytes_->size() - hash_size);
        return {};
    }

    void read_dependencies(Input& in, const Limits& limits) {
        const std::size_t count = in.count(sizeof(ReplicaCounter));
        if (count > limits.replicas) return in.fail(errc::too_large);
        header_.dependencies.resize(count);
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            auto& [replica, counter] = header_.dependencies[at];
            in(replica, counter);
            if (counter == 0 || counter > max_counter || replica == header_.origin) in.fail(errc::malformed);
            if (at > 0 && !(header_.dependencies[at - 1].replica < replica)) in.fail(errc::malformed);
        }
    }

    void read_removed(Input& in) {
        const std::size_t count = in.count(sizeof(CounterRange));
        header_.removed.resize(count);
        for (std::size_t at = 0; at < count && in.ok(); ++at) {
            CounterRange& range = header_.removed[at];
            bool same = false, own = false;
            in(same);
            if (same && at == 0) return in.fail(errc::malformed);
            if (!same) in(own);
            range.replica = same ? header_.removed[at - 1].replica : header_.origin;
            if (!same && !own) in(range.replica);
            std::uint64_t skip = 0, more = 0;
            in(skip, more);
            const std::uint64_t base = same ? header_.removed[at - 1].last + 1 : 0;
            if (skip > max_counter || more > max_counter || base + skip + more > max_counter || base + skip == 0)
                return in.fail(errc::malformed);
            range.first = base + skip;
            range.last = range.first + more;
        }
    }

    void read_names(Input& in) {
        in(header_.instead_of);
        for (const ReplicaCounter& name : header_.instead_of)
            if (name.replica == header_.origin || name.replica.owner() != header_.origin.owner() || name.counter == 0 ||
                name.counter > max_counter || header_.count > max_counter - name.counter + 1)
                in.fail(errc::malformed);
        if (header_.instead_of.size() > max_names) in.fail(errc::too_large);
    }

    SharedBytes bytes_;
    FrameHeader header_;
    std::size_t delta_start_ = 0;
};

/// Writes a delta into `out`, whose DotSpace is that of its change. Refuses what replicas with the same limits would
/// refuse: errc::too_large, too_deep, not_utf8. O(size).
template <crdt T>
std::error_code encode_delta(Output& out, const T& delta, const Limits& limits) {
    out(delta);
    if (out.error()) return out.error();
    if (!limits.fits_frame(out.size(), out.cost())) return errc::too_large;
    return {};
}

/// The same, as bytes of their own.
template <crdt T>
Result<Bytes> encode_delta(const T& delta, const DotRange& minted, Ntp64 time, const Limits& limits) {
    Output out{DotSpace{minted, time}, limits.depth};
    if (const std::error_code error = encode_delta(out, delta, limits)) return error;
    return out.take();
}

/// The dots of a context's cloud as they travel: ranges by replica id.
inline std::vector<CounterRange> to_counter_ranges(const std::vector<Dot>& dots) {
    if (dots.empty()) return {};
    CausalContext compact;
    for (const Dot dot : dots) compact.add(dot);
    std::vector<CounterRange> ranges;
    for (const VersionVector::Entry& entry : compact.vector())
        ranges.push_back({id_of(entry.replica), 1, entry.counter});
    for (const DotRange& range : compact.cloud()) ranges.push_back({id_of(range.replica), range.first, range.last});
    std::sort(ranges.begin(), ranges.end());
    return ranges;
}

}  // namespace netsync
