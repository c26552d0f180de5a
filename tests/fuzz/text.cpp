// Everything read from text: timestamps, ids, endpoints; and datagrams. What parses prints and parses again.
#include <netsync/netsync.hpp>

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netsync;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto stamp = parse_timestamp(text); stamp && *parse_timestamp(to_exact_string(*stamp)) != *stamp)
        __builtin_trap();
    if (const auto id = parse_replica_id(text); id && *parse_replica_id(to_string(*id)) != *id) __builtin_trap();
    if (const auto endpoint = parse_endpoint(text); endpoint && *parse_endpoint(to_string(*endpoint)) != *endpoint)
        __builtin_trap();
    static_cast<void>(decode_announcement(std::as_bytes(std::span{data, size})));
    return 0;
}
