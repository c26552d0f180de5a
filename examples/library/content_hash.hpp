// library: what a file holds as 64 bits. Bytes come in, in pieces of any size; their XXH64 goes out.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace library {

/// Names a content, whatever its files are called. 64 bits tell apart what people collect; they are no defence against
/// somebody who makes two files of one hash on purpose.
enum class ContentHash : std::uint64_t {};

/// The integer in the first bytes, little-endian.
template <class Integer>
constexpr std::uint64_t read(std::span<const std::byte> bytes) {
    std::array<std::byte, sizeof(Integer)> word{};
    std::copy_n(bytes.begin(), word.size(), word.begin());
    if constexpr (std::endian::native == std::endian::big) std::reverse(word.begin(), word.end());
    return std::bit_cast<Integer>(word);
}

/// XXH64 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): faster than disks are, in constant memory.
class ContentHasher {
   public:
    constexpr void update(std::span<const std::byte> bytes) {
        size_ += bytes.size();
        if (held_ > 0) {
            const std::span<const std::byte> missing = bytes.first(std::min(bytes.size(), stripe - held_));
            std::copy(missing.begin(), missing.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(held_));
            held_ += missing.size();
            bytes = bytes.subspan(missing.size());
            if (held_ < stripe) return;
            consume(buffer_);
        }
        for (; bytes.size() >= stripe; bytes = bytes.subspan(stripe)) consume(bytes);
        std::copy(bytes.begin(), bytes.end(), buffer_.begin());
        held_ = bytes.size();
    }

    constexpr ContentHash result() const {
        std::uint64_t hash = prime5;
        if (size_ >= stripe) {
            hash =
                std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
            for (const std::uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * prime1 + prime4;
        }
        hash += size_;
        std::span<const std::byte> rest = std::span(buffer_).first(held_);
        for (; rest.size() >= 8; rest = rest.subspan(8))
            hash = std::rotl(hash ^ round(0, read<std::uint64_t>(rest)), 27) * prime1 + prime4;
        for (; rest.size() >= 4; rest = rest.subspan(4))
            hash = std::rotl(hash ^ (read<std::uint32_t>(rest) * prime1), 23) * prime2 + prime3;
        for (; !rest.empty(); rest = rest.subspan(1))
            hash = std::rotl(hash ^ (read<std::uint8_t>(rest) * prime5), 11) * prime1;
        hash = (hash ^ (hash >> 33)) * prime2;
        hash = (hash ^ (hash >> 29)) * prime3;
        return ContentHash{hash ^ (hash >> 32)};
    }

   private:
    static constexpr std::size_t stripe = 32;
    static constexpr std::uint64_t prime1 = 0x9e3779b185ebca87u;
    static constexpr std::uint64_t prime2 = 0xc2b2ae3d27d4eb4fu;
    static constexpr std::uint64_t prime3 = 0x165667b19e3779f9u;
    static constexpr std::uint64_t prime4 = 0x85ebca77c2b2ae63u;
    static constexpr std::uint64_t prime5 = 0x27d4eb2f165667c5u;

    static constexpr std::uint64_t round(std::uint64_t lane, std::uint64_t word) {
        return std::rotl(lane + word * prime2, 31) * prime1;
    }

    constexpr void consume(std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i < lanes_.size(); ++i)
            lanes_[i] = round(lanes_[i], read<std::uint64_t>(bytes.subspan(8 * i)));
    }

    std::array<std::uint64_t, 4> lanes_{prime1 + prime2, prime2, 0, 0 - prime1};
    std::array<std::byte, stripe> buffer_{};
    std::size_t held_ = 0;  // bytes of the buffer, of a stripe that is not complete
    std::uint64_t size_ = 0;
};

constexpr ContentHash hash_of(std::string_view text) {
    ContentHasher hasher;
    for (const char c : text) hasher.update(std::array{static_cast<std::byte>(c)});
    return hasher.result();
}
static_assert(hash_of("") == ContentHash{0xef46db3751d8e999u});
static_assert(hash_of("abc") == ContentHash{0x44bc2cf5ad770999u});
static_assert(hash_of("Call me Ishmael. Some years ago--never mind how long precisely-") ==
              ContentHash{0x02a2e85470d6fd96u});

}  // namespace library
