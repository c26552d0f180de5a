// netsync: the one place that includes Asio, with the settings that every unit of a program must share. Only opt-in
// headers lead here (lan.hpp and its like): the core stays free of Asio.
#pragma once

#if defined(ASIO_DETAIL_CONFIG_HPP) &&                                                                                 \
    !(defined(ASIO_STANDALONE) && defined(ASIO_HAS_CO_AWAIT) && defined(ASIO_HAS_STD_COROUTINE))
#error "Asio came before netsync with other settings: link the CMake target netsync::lan, or define ASIO_STANDALONE, \
ASIO_HAS_CO_AWAIT=1 and ASIO_HAS_STD_COROUTINE=1 for the whole program, or include netsync first"
#endif

#ifndef ASIO_STANDALONE
#define ASIO_STANDALONE
#endif
// Asio up to 1.22 takes clang for a compiler without coroutines.
#ifndef ASIO_HAS_CO_AWAIT
#define ASIO_HAS_CO_AWAIT 1
#endif
#ifndef ASIO_HAS_STD_COROUTINE
#define ASIO_HAS_STD_COROUTINE 1
#endif

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/buffer.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/multicast.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>
#include <asio/query.hpp>
#include <asio/require.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <system_error>

namespace netsync::detail {

/// Asio's own categories do not compare with std::errc. What the system said becomes std::system_category; the end of a
/// stream is what it is with every other transport: std::errc::connection_reset.
inline std::error_code without_asio(std::error_code error) noexcept {
    if (error == asio::error::eof) return std::make_error_code(std::errc::connection_reset);
    if (error.category() == asio::error::get_system_category()) return {error.value(), std::system_category()};
    return error;
}

}  // namespace netsync::detail
