// netsync: a long text in fewer bits than bytes. What a document is saved as: its letters by how often they occur (Huffman
// 1952), in one canonical form.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <netsync/detail/hash.hpp>
#include <netsync/detail/utf8.hpp>
#include <netsync/error.hpp>
#include <span>
#include <string>
#include <string_view>

namespace netsync::detail {

/// Of each byte how many bits it takes, 0 where it does not occur: a complete prefix code, or none at all. It follows from
/// the text, so that there is one for each; a reader checks that.
class LetterCode {
   public:
    static constexpr unsigned longest = 12;

    static LetterCode of(std::string_view text) {
        std::array<std::uint64_t, 256> counts{};
        for (const char letter : text) ++counts[static_cast<unsigned char>(letter)];
        LetterCode code;
        while (!code.fit(counts))
            for (std::uint64_t& count : counts)
                if (count > 0) count = count / 2 | 1;  // flatter, until no letter takes too many
        return code;
    }

    std::uint8_t& operator[](std::size_t letter) noexcept { return bits_[letter]; }
    std::uint8_t operator[](std::size_t letter) const noexcept { return bits_[letter]; }
    std::size_t letters() const noexcept {
        return 256u - static_cast<std::size_t>(std::count(bits_.begin(), bits_.end(), 0));
    }

    /// Whether every sequence of bits is one of letters.
    bool is_complete() const noexcept {
        std::uint32_t used = 0;
        for (const std::uint8_t bits : bits_) used += bits > 0 ? 1u << (longest - bits) : 0;
        return used == 1u << longest;
    }

    /// The codes: by length, then by letter; the first bit lowest.
    std::array<std::uint16_t, 256> codes() const noexcept {
        std::array<std::uint16_t, 256> codes{};
        std::uint32_t next = 0;
        for (unsigned bits = 1; bits <= longest; ++bits, next <<= 1)
            for (std::size_t letter = 0; letter < 256; ++letter)
                if (bits_[letter] == bits) {
                    std::uint32_t mirrored = 0;
                    for (unsigned bit = 0; bit < bits; ++bit) mirrored |= ((next >> bit) & 1u) << (bits - 1 - bit);
                    codes[letter] = static_cast<std::uint16_t>(mirrored);
                    ++next;
                }
        return codes;
    }

    /// How many bytes a text takes, and the code itself.
    std::size_t size_of(std::string_view text) const noexcept {
        std::size_t bits = 0;
        for (const char letter : text) bits += bits_[static_cast<unsigned char>(letter)];
        return (letters() < 0x80 ? 1u : 2u) + letters() + (letters() + 1) / 2 + (bits + 7) / 8;
    }

    friend bool operator==(const LetterCode&, const LetterCode&) = default;

   private:
    /// The two rarest become one, until all are. False where a letter would take too many bits.
    bool fit(const std::array<std::uint64_t, 256>& counts) {
        std::array<std::uint16_t, 256> letters{};
        std::size_t leaves = 0;
        for (std::size_t letter = 0; letter < 256; ++letter)
            if (counts[letter] > 0) letters[leaves++] = static_cast<std::uint16_t>(letter);
        bits_ = {};
        if (leaves < 2) return true;
        std::stable_sort(letters.begin(), letters.begin() + static_cast<std::ptrdiff_t>(leaves),
                         [&](std::uint16_t a, std::uint16_t b) { return counts[a] < counts[b]; });
        std::array<std::uint64_t, 511> weights{};
        std::array<std::uint16_t, 511> above{};
        for (std::size_t at = 0; at < leaves; ++at) weights[at] = counts[letters[at]];
        const std::size_t root = 2 * leaves - 2;
        std::size_t leaf = 0, pair = leaves;
        for (std::size_t made = leaves; made <= root; ++made)
            for (int child = 0; child < 2; ++child) {
                const bool of_leaves = leaf < leaves && (pair == made || weights[leaf] <= weights[pair]);
                const std::size_t taken = of_leaves ? leaf++ : pair++;
                weights[made] += weights[taken];
                above[taken] = static_cast<std::uint16_t>(made);
            }
        std::array<std::uint16_t, 511> depths{};
        for (std::size_t at = root; at-- > 0;) depths[at] = static_cast<std::uint16_t>(depths[above[at]] + 1);
        if (*std::max_element(depths.begin(), depths.end()) > longest) return false;
        for (std::size_t at = 0; at < leaves; ++at) bits_[letters[at]] = static_cast<std::uint8_t>(depths[at]);
        return true;
    }

    std::array<std::uint8_t, 256> bits_{};
};

/// Twice the size, and whether it is packed: then the code, and the letters. Packed where that is shorter.
template <class Archive>
void save_packed(Archive& out, std::string_view text) {
    if (!is_utf8(text)) out.fail(errc::not_utf8);
    out.charge(text.size());
    const LetterCode code = LetterCode::of(text);
    const bool packs = code.letters() > 0 && code.size_of(text) < text.size();
    out.varint(text.size() * 2 + (packs ? 1 : 0));
    if (!packs) return out.raw(std::as_bytes(std::span{text}));
    out.varint(code.letters());
    for (std::size_t letter = 0; letter < 256; ++letter)
        if (code[letter] > 0) out.fixed(static_cast<std::uint8_t>(letter));
    std::uint64_t word = 0;
    unsigned filled = 0;
    const auto add = [&](std::uint64_t bits, unsigned count) {
        word |= bits << filled;
        for (filled += count; filled >= 8; filled -= 8, word >>= 8) out.fixed(static_cast<std::uint8_t>(word & 0xff));
    };
    const auto fill_up = [&] { add(0, (8 - filled) % 8); };
    for (std::size_t letter = 0; letter < 256; ++letter)
        if (code[letter] > 0) add(code[letter], 4);
    fill_up();
    const auto codes = code.codes();
    for (const char letter : text)
        add(codes[static_cast<unsigned char>(letter)], code[static_cast<unsigned char>(letter)]);
    fill_up();
}

/// errc::malformed for anything but what save_packed writes.
template <class Archive>
void load_packed(Archive& in, std::string& text) {
    const std::uint64_t head = in.varint(), size = head / 2;
    const bool packed = head % 2 == 1;
    if (size / (packed ? 8 : 1) > in.remaining()) in.fail(errc::malformed);  // a letter takes a bit at least
    if (in.ok()) in.charge(static_cast<std::size_t>(size));
    if (!in.ok()) return;
    LetterCode code;
    if (!packed) {
        const auto bytes = in.raw(static_cast<std::size_t>(size));
        text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        code = LetterCode::of(text);
        if (!is_utf8(text) || (code.letters() > 0 && code.size_of(text) < text.size())) in.fail(errc::malformed);
        return;
    }
    const std::uint64_t letters = in.varint();
    if (letters < 2 || letters > 256) return in.fail(errc::malformed);
    const auto names = in.raw(static_cast<std::size_t>(letters));
    const auto lengths = in.raw((names.size() + 1) / 2);
    for (std::size_t at = 0; at < names.size() && in.ok(); ++at) {
        const auto bits = std::to_integer<std::uint8_t>((lengths[at / 2] >> (at % 2 * 4)) & std::byte{0xf});
        if (bits > LetterCode::longest || (at > 0 && names[at] <= names[at - 1])) in.fail(errc::malformed);
        code[std::to_integer<std::size_t>(names[at])] = bits;
    }
    if (!in.ok() || !code.is_complete()) return in.fail(errc::malformed);
    struct Decoded {
        std::uint8_t letter, bits;
    };
    std::array<Decoded, 1u << LetterCode::longest> table;
    const auto codes = code.codes();
    for (std::size_t letter = 0; letter < 256; ++letter)
        if (code[letter] > 0)
            for (std::size_t at = codes[letter]; at < table.size(); at += std::size_t{1} << code[letter])
                table[at] = {static_cast<std::uint8_t>(letter), code[letter]};
    text.resize(static_cast<std::size_t>(size));
    const auto coded = in.peek();
    std::size_t at = 0;  // in bits
    for (char& letter : text) {
        const std::size_t byte = at / 8;
        if (byte >= coded.size()) return in.fail(errc::malformed);
        const std::uint64_t word = read_word(coded.data() + byte, std::min<std::size_t>(coded.size() - byte, 8));
        const Decoded decoded = table[(word >> (at % 8)) & (table.size() - 1)];
        letter = static_cast<char>(decoded.letter);
        at += decoded.bits;
    }
    const auto taken = in.raw((at + 7) / 8);
    if (!in.ok()) return;
    const bool padded = at % 8 == 0 || (taken.back() >> (at % 8)) == std::byte{};
    if (!padded || !is_utf8(text) || LetterCode::of(text) != code || code.size_of(text) >= text.size())
        in.fail(errc::malformed);
}

}  // namespace netsync::detail
