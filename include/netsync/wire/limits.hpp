// netsync: caps on everything that a peer can make us hold or do, in one place.
#pragma once

#include <algorithm>
#include <cstddef>

namespace netsync {

/// Sizes in bytes unless they say otherwise. A replica refuses to make what others with the same limits would refuse.
struct Limits {
    std::size_t frame = 16u << 20;             ///< one change, encoded; a larger `update` fails with errc::too_large
    std::size_t state = std::size_t{4} << 30;  ///< a whole state, encoded
    std::size_t datagram = 1200;               ///< an announcement
    std::size_t transfer = 256u << 10;         ///< one message of frames or one chunk of a state, about
    std::size_t backlog = 4u << 20;  ///< memory of one link's unsent messages, beyond which updates wait for gossip
    std::size_t depth = 128;         ///< nesting of one encoded value
    std::size_t log = 8u << 20;      ///< frames logged until a snapshot takes the place of those all have
    std::size_t replicas = 4096;     ///< entries of a version vector
    std::size_t members = 1024;      ///< members known
    std::size_t links = 2048;        ///< links open, strangers included
    std::size_t buffered_frames = 10'000;    ///< frames that wait for others
    std::size_t buffered_bytes = 16u << 20;  ///< the same, in bytes
    std::size_t waiters = 1024;              ///< calls that wait for a change to be replicated

    /// The largest message a transport must carry.
    std::size_t message() const noexcept { return std::max(frame, transfer) + 4096; }

    /// Memory that decoding `size` bytes of a frame may cost: 1 MiB for up to 64 KiB, 32 times the size beyond.
    static std::size_t frame_budget(std::size_t size) noexcept {
        return size <= (64u << 10) ? std::size_t{1} << 20 : std::max(std::size_t{1} << 20, size * 32);
    }
    /// Whether a delta of this size, which costs so much memory to read, leaves room for a frame's header.
    bool fits_frame(std::size_t size, std::size_t cost) const noexcept {
        constexpr std::size_t header = 128u << 10;
        return size + header / 2 <= std::max<std::size_t>(frame, header) && cost + header <= frame_budget(size) &&
               size <= frame;
    }
    /// The same for a whole state, whose bytes were received already.
    static std::size_t state_budget(std::size_t size) noexcept { return (std::size_t{1} << 20) + size * 64; }
};

}  // namespace netsync
