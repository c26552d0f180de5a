// A long text as bits: every text comes back, and no bytes are read but those that are written.
#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <random>
#include <string>

using namespace netsync;

namespace {

Bytes packed(const std::string& text) {
    Output out;
    detail::save_packed(out, text);
    CHECK_FALSE(out.error());
    return out.take();
}

std::error_code unpack(const Bytes& bytes, std::string& text, std::size_t budget = std::size_t{1} << 20) {
    Input in{bytes, budget};
    detail::load_packed(in, text);
    return in.finish();
}

/// `letters` of them, each rarer than the one before by `ratio`.
std::string some_text(std::mt19937_64& random, std::size_t size, std::size_t letters, double ratio) {
    std::vector<double> weights;
    double weight = 1;
    for (std::size_t at = 0; at < letters; ++at) weights.push_back(weight *= ratio);
    std::discrete_distribution<int> pick(weights.begin(), weights.end());
    std::string text;
    for (std::size_t at = 0; at < size; ++at) {
        const int letter = pick(random);
        if (letter < 127)
            text += static_cast<char>(letter + 1);
        else
            (text += static_cast<char>(0xd0 + letter % 8)) += static_cast<char>(0x80 + letter % 64);
    }
    return text;
}

}  // namespace

TEST_CASE("a text is packed and comes back, whatever its letters") {
    std::mt19937_64 random{3};
    for (const std::size_t letters : {1u, 2u, 3u, 27u, 100u, 180u})
        for (const double ratio : {1.0, 0.9, 0.5, 0.3})
            for (const std::size_t size : {0u, 1u, 40u, 100u, 5000u}) {
                CAPTURE(letters);
                CAPTURE(ratio);
                CAPTURE(size);
                const std::string text = some_text(random, size, letters, ratio);
                const Bytes bytes = packed(text);
                CHECK(bytes.size() <= text.size() + 3);
                std::string back;
                REQUIRE_FALSE(unpack(bytes, back));
                CHECK(back == text);
            }
    const std::string words = some_text(random, 100'000, 27, 1.0);
    CHECK(packed(words).size() < words.size() * 61 / 100);
    CHECK(packed(std::string(1000, 'x')).size() == 1002);  // one letter: no code
}

TEST_CASE("a letter takes twelve bits at most, however rare") {
    std::string text;
    std::size_t count = 1, next = 1;
    for (char letter = 'a'; letter <= 'v'; ++letter) {  // as Fibonacci: one bit more for each
        text.append(count, letter);
        count = std::exchange(next, count + next);
    }
    const auto code = detail::LetterCode::of(text);
    CHECK(code.is_complete());
    for (std::size_t letter = 0; letter < 256; ++letter) CHECK(code[letter] <= detail::LetterCode::longest);
    std::string back;
    CHECK_FALSE(unpack(packed(text), back));
    CHECK(back == text);
}

TEST_CASE("bytes that nobody writes are refused") {
    std::mt19937_64 random{4};
    const std::string text = some_text(random, 300, 20, 0.8);
    const Bytes bytes = packed(text);
    REQUIRE(bytes.size() < text.size());
    std::string back;
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK(unpack(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)), back) == errc::malformed);
    for (int round = 0; round < 3000; ++round) {
        Bytes damaged = bytes;
        for (int flips = 1 + round % 3; flips > 0; --flips)
            damaged[random() % damaged.size()] ^= static_cast<std::byte>(1u << random() % 8);
        if (!unpack(damaged, back)) CHECK(packed(back) == damaged);
    }
    Output plain;  // what would be packed
    plain.varint(text.size() * 2);
    plain.raw(std::as_bytes(std::span{text}));
    CHECK(unpack(plain.take(), back) == errc::malformed);
    CHECK(unpack(bytes, back, text.size() - 1) == errc::too_large);
    Output huge;
    huge.varint((std::uint64_t{1} << 50) * 2 + 1);
    CHECK(unpack(huge.take(), back) == errc::malformed);
    Output not_text;
    detail::save_packed(not_text, "\xff");
    CHECK(not_text.error() == errc::not_utf8);
}
