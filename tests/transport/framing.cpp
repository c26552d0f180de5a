#include <doctest/doctest.h>

#include <cstring>
#include <netsync/lan.hpp>

using netsync::Bytes;
using netsync::ByteView;
using netsync::detail::MessageReader;
using netsync::detail::MessageWriter;

namespace {

netsync::SharedBytes message(std::size_t size) {
    Bytes made(size);
    for (std::size_t i = 0; i < size; ++i) made[i] = std::byte((i + size) & 0xff);
    return netsync::SharedBytes{std::move(made)};
}

/// Moves up to `most` bytes from what the writer would send to the reader.
std::size_t carry(MessageWriter& writer, MessageReader& reader, std::size_t most) {
    std::size_t carried = 0;
    for (const asio::const_buffer& piece : writer.gather()) {
        const auto room = reader.room();
        const std::size_t count = std::min({piece.size(), most - carried, room.size()});
        std::memcpy(room.data(), piece.data(), count);
        reader.arrived(count);
        carried += count;
        if (count < piece.size()) break;
    }
    writer.left(carried);
    return carried;
}

}  // namespace

TEST_CASE("framing: messages come out as they went in, however the stream is cut") {
    for (const std::size_t cut : {1u, 3u, 4u, 5u, 1000u, 1u << 20}) {
        MessageWriter writer;
        MessageReader reader(1 << 20);
        std::vector<std::size_t> sizes{0, 1, 2, 0, 0, 70'000, 5, 300'000, 0};
        for (std::size_t size = 1; size < 100; ++size) sizes.push_back(size);  // more than one write can gather
        std::size_t total = 0;
        for (const std::size_t size : sizes) {
            writer.push(message(size));
            total += 4 + size;
        }
        CHECK(writer.waiting() == total);
        std::vector<Bytes> got;
        while (!writer.empty()) {
            carry(writer, reader, cut);
            for (auto next = reader.next(); next && *next; next = reader.next())
                got.emplace_back((*next)->begin(), (*next)->end());
        }
        CHECK(writer.waiting() == 0);
        REQUIRE(got.size() == sizes.size());
        for (std::size_t i = 0; i < sizes.size(); ++i) CHECK(netsync::SharedBytes{got[i]} == message(sizes[i]));
    }
}

TEST_CASE("framing: a length is no reason to allocate") {
    MessageReader reader(1u << 30);
    const auto length = netsync::detail::encode_length(1u << 30);
    std::memcpy(reader.room().data(), length.data(), length.size());
    reader.arrived(length.size());
    CHECK(reader.next());
    CHECK(reader.room().size() <= 64u << 10);
}

TEST_CASE("framing: a message above the limit is an error, one at the limit is not") {
    for (const std::size_t size : {1000u, 1001u}) {
        MessageWriter writer;
        MessageReader reader(1000);
        writer.push(message(size));
        carry(writer, reader, 4 + size);
        const auto next = reader.next();
        CHECK(next.error() == (size > 1000 ? netsync::make_error_code(netsync::errc::too_large) : std::error_code{}));
    }
}

TEST_CASE("framing: what a large message took is given back") {
    MessageReader reader(4u << 20);
    MessageWriter writer;
    writer.push(message(3u << 20));
    while (!writer.empty()) carry(writer, reader, 1u << 20);
    REQUIRE(reader.next());
    CHECK(reader.room().size() <= 64u << 10);
}
