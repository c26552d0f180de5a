// netsync: what only the operating system can say or do about sockets, where it can.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <netsync/detail/asio.hpp>
#include <netsync/options.hpp>
#include <utility>

#if __has_include(<sys/resource.h>)
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#endif

namespace netsync::detail {

/// How many files, sockets among them, this program may have open at a time; the largest number where that is not known.
inline std::size_t most_open_files() {
#if __has_include(<sys/resource.h>)
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) return static_cast<std::size_t>(files.rlim_cur);
#endif
    return std::numeric_limits<std::size_t>::max();
}

#ifdef TCP_KEEPIDLE
/// An option of TCP, as Asio takes it.
struct TcpOption {
    int number, value;
    int level(const auto&) const { return IPPROTO_TCP; }
    int name(const auto&) const { return number; }
    const int* data(const auto&) const { return &value; }
    std::size_t size(const auto&) const { return sizeof value; }
};
#endif

/// Ends the connection of a socket whose other side has been gone for `time` (4 s to a day) without a word. Where the system
/// does not let a program say how long that is, it is the system's own time.
void end_when_vanished(auto& socket, Duration time) {
    asio::error_code ignored;  // a socket that is gone already is noticed later
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
#ifdef TCP_KEEPIDLE
    const auto seconds = std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(time).count(), 4, 86'400);
    const int step = static_cast<int>(seconds) / 4;  // idle, then three times asked in vain
    for (const auto& [name, value] : {std::pair{TCP_KEEPIDLE, step}, {TCP_KEEPINTVL, step}, {TCP_KEEPCNT, 3}})
        socket.set_option(TcpOption{name, value}, ignored);
#else
    static_cast<void>(time);
#endif
}

}  // namespace netsync::detail
