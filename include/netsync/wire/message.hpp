// netsync: what travels over a link: one byte that names the kind, the message as a record, and a checksum, because what
// a damaged message says of a history would be believed. A record may grow at its end: older programs skip what they do
// not know.
#pragma once

#include <cstdint>
#include <memory>
#include <netsync/detail/hash.hpp>
#include <netsync/wire/input.hpp>
#include <netsync/wire/limits.hpp>
#include <netsync/wire/output.hpp>
#include <optional>

namespace netsync {

/// Numbers are part of the wire format: never reused.
enum class MessageKind : std::uint8_t {
    // pool
    response = 1,
    greeting = 2,
    handshake = 3,
    refusal = 4,
    introduce_yourself = 5,
    ping = 6,
    pong = 7,
    probe = 8,
    heard = 9,
    // sync
    update = 16,  ///< a frame: see Frame
    digest = 17,
    heads = 18,
    fetch = 19,
    frames = 20,
    state_request = 21,
    state_chunk = 22,
    frame_refused = 23,
    relay = 24,
    agreement_request = 25,
    agreement = 26,
};

/// Each message struct says its kind: `static constexpr MessageKind kind`.
template <class M>
concept message = requires {
    { M::kind } -> std::convertible_to<MessageKind>;
};

namespace detail {
/// Not of what is said before both sides know that they speak the same version: that must stay readable for ever.
constexpr bool has_checksum(MessageKind kind) noexcept {
    return kind != MessageKind::response && kind != MessageKind::refusal;
}
/// Of what says nothing of what is held, by whoever sends it, so that it need not wait until that is durable.
constexpr bool tells_nothing(MessageKind kind) noexcept {
    switch (kind) {
    case MessageKind::response:
    case MessageKind::introduce_yourself:
    case MessageKind::ping:
    case MessageKind::pong:
    case MessageKind::probe:
    case MessageKind::heard:
    case MessageKind::fetch:
    case MessageKind::state_request: return true;
    default: return false;
    }
}
inline std::uint32_t checksum(ByteView bytes) noexcept {
    return static_cast<std::uint32_t>(hash_bytes(bytes.data(), bytes.size(), 0x636865636bu));
}
}  // namespace detail

template <message M>
SharedBytes encode_message(const M& content) {
    Output out;
    out.fixed(static_cast<std::uint8_t>(M::kind));
    out(content);
    if (detail::has_checksum(M::kind)) out.fixed(detail::checksum(out.view()));
    return SharedBytes{out.view()};
}

/// The kind of a message; none for an empty one. The kind may be unknown to this program.
inline std::optional<MessageKind> kind_of(ByteView bytes) {
    if (bytes.empty()) return std::nullopt;
    return static_cast<MessageKind>(bytes.front());
}

/// errc::malformed, too_large, too_deep. Costs at most Limits::frame_budget(bytes.size()) of memory.
template <message M>
Result<M> decode_message(ByteView bytes) {
    constexpr std::size_t trailer = detail::has_checksum(M::kind) ? sizeof(std::uint32_t) : 0;
    if (kind_of(bytes) != M::kind || bytes.size() <= trailer) return errc::malformed;
    const ByteView said = bytes.first(bytes.size() - trailer);
    if (trailer > 0 && Input{bytes.last(trailer), trailer}.fixed<std::uint32_t>() != detail::checksum(said))
        return errc::malformed;
    Input in{said.subspan(1), Limits::frame_budget(bytes.size())};
    M content{};
    in(content);
    if (const std::error_code error = in.finish()) return error;
    return content;
}

}  // namespace netsync
