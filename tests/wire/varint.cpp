#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <cstdint>
#include <vector>

namespace netsync {

namespace {

/// A byte at a time.
Bytes plain_varint(std::uint64_t value) {
    Bytes bytes;
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<std::byte>((value & 0x7f) | 0x80));
    bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

/// With so many bytes behind it, since the end of the input is read in another way.
std::error_code read_back(Bytes bytes, std::size_t behind, std::uint64_t& value) {
    const std::size_t size = bytes.size();
    bytes.resize(size + behind, std::byte{0xff});
    Input in{bytes, 0};
    value = in.varint();
    if (in.ok() && in.remaining() != behind) in.fail(errc::malformed);
    return in.error();
}

void check(std::uint64_t value) {
    CAPTURE(value);
    Output out;
    out.varint(value);
    REQUIRE(out.take() == plain_varint(value));
    for (const std::size_t behind : {0u, 1u, 12u}) {
        std::uint64_t read = 0;
        CHECK_FALSE(read_back(plain_varint(value), behind, read));
        CHECK(read == value);
    }
}

}  // namespace

TEST_CASE("a number takes as many bytes as it needs, and comes back") {
    for (unsigned bits = 0; bits < 64; ++bits) {
        const std::uint64_t power = std::uint64_t{1} << bits;
        check(power - 1), check(power), check(power + 1);
    }
    check(~std::uint64_t{0});
    detail::Random random{7};
    for (int i = 0; i < 2000; ++i) check(random.next() >> random.below(64));
}

TEST_CASE("a number has one form") {
    for (std::size_t size = 2; size <= 12; ++size)
        for (const std::size_t behind : {0u, 12u}) {
            CAPTURE(size);
            std::uint64_t read = 0;
            Bytes padded(size, std::byte{0x80});  // zero, in too many bytes
            padded.back() = std::byte{};
            CHECK(read_back(padded, behind, read) == errc::malformed);
            Bytes endless(size, std::byte{0xff});
            if (behind > 0 || size >= 10) CHECK(read_back(endless, behind, read) == errc::malformed);
        }
    Bytes beyond(10, std::byte{0xff});  // 2^64 and more
    beyond.back() = std::byte{2};
    std::uint64_t read = 0;
    for (const std::size_t behind : {0u, 12u}) CHECK(read_back(beyond, behind, read) == errc::malformed);
    for (std::size_t size = 0; size < 10; ++size)
        CHECK(read_back(Bytes(size, std::byte{0x80}), 0, read) == errc::malformed);  // cut short
}

}  // namespace netsync
