// netsync: messages on a byte stream: 4 bytes of length, big-endian, then as many bytes. MessageReader cuts what
// arrives into messages; MessageWriter lines up what is to leave. Neither touches a socket.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <netsync/detail/asio.hpp>
#include <netsync/error.hpp>
#include <netsync/wire/bytes.hpp>
#include <optional>
#include <span>
#include <utility>

namespace netsync::detail {

using MessageLength = std::array<std::byte, 4>;

constexpr MessageLength encode_length(std::size_t length) noexcept {
    return {std::byte(length >> 24 & 0xff), std::byte(length >> 16 & 0xff), std::byte(length >> 8 & 0xff),
            std::byte(length & 0xff)};
}
constexpr std::size_t decode_length(std::span<const std::byte, 4> bytes) noexcept {
    std::size_t length = 0;
    for (const std::byte byte : bytes) length = length << 8 | std::to_integer<std::size_t>(byte);
    return length;
}

/// Memory grows with what has arrived, never with what a length announces.
class MessageReader {
   public:
    explicit MessageReader(std::size_t largest) : largest_(largest) {}

    /// Where the next bytes of the stream go. Ends the life of the messages given out.
    std::span<std::byte> room() {
        if (begin_ == end_) clear();
        if (buffer_.size() - end_ < least_room) {
            if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= std::exchange(begin_, 0);
        }
        if (buffer_.size() - end_ < least_room)
            buffer_.resize(buffer_.size() + std::clamp(buffer_.size(), first_room, most_room));
        return std::span(buffer_).subspan(end_);
    }

    /// That many bytes were put there.
    void arrived(std::size_t count) noexcept { end_ += count; }

    /// The next whole message, viewed in place; nothing when there is none yet; errc::too_large.
    Result<std::optional<ByteView>> next() noexcept {
        const ByteView unread = ByteView(buffer_).subspan(begin_, end_ - begin_);
        if (unread.size() < header) return std::optional<ByteView>{};
        const std::size_t length = decode_length(unread.first<header>());
        if (length > largest_) return errc::too_large;
        if (unread.size() - header < length) return std::optional<ByteView>{};
        begin_ += header + length;
        return std::optional{unread.subspan(header, length)};
    }

    /// Forgets what is unread, and gives back the memory that a large message has taken.
    void clear() {
        begin_ = end_ = 0;
        if (buffer_.size() > most_kept) buffer_ = {};
    }

   private:
    static constexpr std::size_t header = std::tuple_size_v<MessageLength>;
    static constexpr std::size_t least_room = 4u << 10;
    static constexpr std::size_t first_room = 8u << 10;
    static constexpr std::size_t most_room = 64u << 10;
    static constexpr std::size_t most_kept = 512u << 10;

    std::size_t largest_;
    Bytes buffer_;
    std::size_t begin_ = 0;  // of what is unread
    std::size_t end_ = 0;
};

/// Holds each message once, whoever else sends it too.
class MessageWriter {
   public:
    bool empty() const noexcept { return messages_.empty(); }

    /// Bytes that have not left.
    std::size_t waiting() const noexcept { return waiting_; }

    /// What they take here, with their places in the queue: small messages cost more than their bytes.
    std::size_t memory() const noexcept { return waiting_ + messages_.size() * sizeof(Message); }

    void push(SharedBytes message) {
        assert(message->size() <= std::numeric_limits<std::uint32_t>::max() && "a length has 32 bits");
        waiting_ += sizeof(MessageLength) + message->size();
        const MessageLength length = encode_length(message->size());
        messages_.push_back({length, std::move(message)});
    }

    /// What is to leave next, in pieces for one gathering write. Valid until the next call.
    std::span<const asio::const_buffer> gather() {
        std::size_t count = 0;
        std::size_t skip = left_;
        for (const Message& message : messages_) {
            if (pieces_.size() - count < 2) break;  // length and body
            for (const ByteView part : {ByteView(message.length), ByteView(*message.body)}) {
                const ByteView rest = part.subspan(std::min(skip, part.size()));
                skip -= part.size() - rest.size();
                if (!rest.empty()) pieces_[count++] = asio::const_buffer(rest.data(), rest.size());
            }
        }
        return std::span(pieces_).first(count);
    }

    /// That many bytes have left.
    void left(std::size_t count) noexcept {
        waiting_ -= count;
        left_ += count;
        while (!messages_.empty() && left_ >= messages_.front().size()) {
            left_ -= messages_.front().size();
            messages_.pop_front();
        }
    }

    void clear() noexcept {
        messages_.clear();
        waiting_ = left_ = 0;
    }

   private:
    struct Message {
        MessageLength length;
        SharedBytes body;
        std::size_t size() const noexcept { return length.size() + body->size(); }
    };

    std::deque<Message> messages_;
    std::array<asio::const_buffer, 32> pieces_;
    std::size_t waiting_ = 0;
    std::size_t left_ = 0;  // bytes of the first message that have left
};

}  // namespace netsync::detail
