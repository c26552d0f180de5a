// netsync: whether bytes are UTF-8 (RFC 3629): strings that are not would not print, sort or compare alike everywhere.
#pragma once

#include <netsync/detail/utf8.hpp>
#include <netsync/wire/bytes.hpp>

namespace netsync {

using detail::is_utf8;

inline bool is_utf8(ByteView bytes) noexcept {
    return detail::is_utf8({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace netsync
