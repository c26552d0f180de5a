// netsync: rows of the table `frame`: one frame, or some of one origin that were committed together and follow each other.
// A row costs SQLite about as much as 500 bytes, and each has an entry in the index.
#pragma once

#include <cstddef>
#include <deque>
#include <netsync/store/sqlite_schema.hpp>
#include <netsync/wire/input.hpp>
#include <netsync/wire/output.hpp>
#include <utility>

namespace netsync::detail {

/// Sequence and first counter are those of its first frame, `count` is that of all. `parts`: the count and the size of
/// each, or nothing where it is one.
struct FramesRow {
    std::int64_t sequence;
    std::int64_t origin;
    std::uint64_t first;
    std::uint64_t count;
    ByteView parts;
    ByteView bytes;
};

/// Three bytes in the file: a frame has a hash of its own, too.
inline std::int64_t checksum_of(const FramesRow& row) noexcept {
    const std::int64_t checksum =
        row.parts.empty()
            ? sqlite_checksum(row.bytes, row.sequence, row.origin, row.first, row.count)
            : sqlite_checksum(row.bytes, row.sequence, row.origin, row.first, row.count, sqlite_checksum(row.parts));
    return checksum & 0x7fffff;
}

/// Calls `visit(count, size)` for each part. False where they are not well formed.
template <class F>
bool for_each_part(ByteView parts, F&& visit) {
    Input in{parts, parts.size()};
    while (in.ok() && in.remaining() > 0) {
        std::uint64_t count = 0, size = 0;
        in(count, size);
        if (in.ok()) visit(count, size);
    }
    return in.ok();
}

/// How many frames a row holds.
inline std::int64_t frames_in(ByteView parts) {
    std::int64_t frames = 0;
    const bool whole = for_each_part(parts, [&](std::uint64_t, std::uint64_t) { ++frames; });
    return whole && frames > 0 ? frames : 1;
}

/// Calls `visit(const FrameRow&)` for each frame of a row, until it returns false. False, with nothing visited, where the
/// row does not hold what it says.
template <class F>
bool for_each_frame(const FramesRow& row, F&& visit) {
    const auto frame = [](std::int64_t sequence, std::int64_t origin, std::uint64_t first, std::uint64_t count,
                          ByteView bytes) { return FrameRow{sequence, origin, first, count, SharedBytes{bytes}}; };
    if (row.parts.empty()) return visit(frame(row.sequence, row.origin, row.first, row.count, row.bytes)), true;
    std::uint64_t counts = 0, sizes = 0;
    const bool whole = for_each_part(row.parts, [&](std::uint64_t count, std::uint64_t size) {
        counts += count;
        sizes += size;
    });
    if (!whole || counts != row.count || sizes != row.bytes.size()) return false;
    std::int64_t sequence = row.sequence;
    std::uint64_t first = row.first;
    ByteView left = row.bytes;
    bool more = true;
    for_each_part(row.parts, [&](std::uint64_t count, std::uint64_t size) {
        if (!more || size > left.size()) return;
        more = visit(frame(sequence++, row.origin, std::exchange(first, first + count), count, left.first(size)));
        left = left.subspan(size);
    });
    return true;
}

/// Frames that follow each other, on their way into one row.
class FramesToWrite {
   public:
    static constexpr std::size_t most_bytes = 16u << 10;  ///< of frames that share a row: to read one all are read
    static constexpr std::size_t least = 10;              ///< fewer have each a row of their own

    /// Those that may share a row, from the first one on.
    static std::size_t together(const std::deque<SqliteOperation>& operations, std::size_t at) {
        const auto* before = std::get_if<FrameRow>(&operations[at]);
        std::size_t bytes = before->bytes->size(), next = at + 1;
        for (; next < operations.size(); ++next) {
            const auto* row = std::get_if<FrameRow>(&operations[next]);
            if (!row || row->origin != before->origin || row->first != before->first + before->count ||
                row->sequence != before->sequence + 1 || (bytes += row->bytes->size()) > most_bytes)
                break;
            before = row;
        }
        return next - at;
    }

    /// Until the next call.
    FramesRow gather(const std::deque<SqliteOperation>& operations, std::size_t at, std::size_t count) {
        const auto& first = std::get<FrameRow>(operations[at]);
        if (count == 1) return {first.sequence, first.origin, first.first, first.count, {}, *first.bytes};
        parts_.restart({}, 1);
        bytes_.clear();
        std::uint64_t counters = 0;
        for (std::size_t end = at + count; at < end; ++at) {
            const auto& row = std::get<FrameRow>(operations[at]);
            parts_(row.count, static_cast<std::uint64_t>(row.bytes->size()));
            bytes_.insert(bytes_.end(), row.bytes->begin(), row.bytes->end());
            counters += row.count;
        }
        return {first.sequence, first.origin, first.first, counters, parts_.view(), bytes_};
    }

   private:
    Output parts_;
    Bytes bytes_;
};

}  // namespace netsync::detail
