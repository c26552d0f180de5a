// Random edits of lists and texts, for the laws and for the models.
#pragma once

#include "laws.hpp"

#include <array>
#include <string>

namespace laws {

inline std::string words(Random& random) {
    static const std::array<const char*, 6> some{"a", "bc", "\xc3\xa9", "hello", "\xf0\x9f\x98\x80x", "\xe2\x82\xac"};
    return some[random.below(some.size())];
}

inline Text mutate(const Text& now, Change& change, Random& random) {
    switch (pick(random, 12)) {
    case 0: return now.clear(change);
    case 1:
    case 2:
    case 3: return now.erase(change, random.below(now.size() + 1), 1 + random.below(4));
    case 4: return now.append(change, words(random));
    case 5: return now.insert(change, 0, words(random));
    default: return now.insert(change, random.below(now.size() + 1), words(random));
    }
}

template <class E>
List<E> mutate(const List<E>& now, Change& change, Random& random) {
    const std::size_t at = random.below(now.size() + 1);
    switch (pick(random, 12)) {
    case 0: return now.clear(change);
    case 1:
    case 2: return now.erase(change, at, 1 + random.below(3));
    case 3:
    case 4:
    case 5: return now.move(change, at, random.below(now.size() + 1));
    case 6: {
        const std::array<E, 3> more{element<E>(random), element<E>(random), element<E>(random)};
        return now.insert(change, at, more.begin(), more.end());
    }
    case 7: return now.push_back(change, element<E>(random));
    default: return now.insert(change, at, element<E>(random));
    }
}

struct Page {
    Text body{};
    List<std::string> notes{};
    OrSet<int> tags{};
};
inline Page mutate(const Page& now, Change& change, Random& random) {
    Page delta{};
    if (pick(random, 3) > 0) delta.body = mutate(now.body, change, random);
    if (pick(random, 3) == 0) delta.notes = mutate(now.notes, change, random);
    if (pick(random, 3) == 0) delta.tags = mutate(now.tags, change, random);
    return delta;
}

}  // namespace laws
