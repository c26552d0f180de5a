// A snapshot that is measured before it is written: the same bytes, in memory of their size.
#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <string>

using namespace netsync;

namespace {

struct Track {
    LwwRegister<std::string> title{};
    PnCounter plays{};
};
struct Album {
    OrMap<std::string, Track> tracks{};
    OrSet<std::string> tags{};
};
struct Shelf {
    OrMap<std::string, Album> albums{};
    Text notes{};
};
struct Library {
    Shelf shelf{};
    OrSet<std::uint64_t> numbers{};
};

}  // namespace

TEST_CASE("measured or not, a snapshot has the same bytes") {
    MemoryHub hub;
    MemoryReplica<Library> library{hub, {.name = "a"}};
    for (const std::size_t size : {0u, 1u, 40u, 400u, 4000u}) {
        CAPTURE(size);
        library.batch([&](auto& batch) {
            for (std::size_t at = 0; at < size; ++at) {
                const std::string name = "album " + std::to_string(at / 16);
                batch.update(&Library::shelf, &Shelf::albums, name, &Album::tracks, std::to_string(at), &Track::title,
                             assign(std::string(at % 40, 'x')));
                batch.update(&Library::shelf, &Shelf::albums, name, &Album::tags, add(std::string(at % 300, 'y')));
                batch.update(&Library::numbers, add(at * 0x9e3779b97f4a7c15u));
            }
        });
        library.update(&Library::shelf, &Shelf::notes, insert(0, std::string(size * 40, 'z')));
        const Library state = library.state();
        const auto heads = library.report().heads;
        const Ntp64 time{~std::uint64_t{0} >> 1};
        const auto plain = encode_snapshot({heads, time}, state);
        const std::size_t measured = size_of_snapshot({heads, time}, state);
        const auto frugal = encode_snapshot({heads, time}, state, {}, measured);
        const auto surprised = encode_snapshot({heads, time}, state, {}, measured / 3);
        Library one = state, other = state;
        CHECK(size_of_snapshot({heads, time}, std::move(one)) == measured);
        const auto let_go = encode_snapshot({heads, time}, std::move(other));
        REQUIRE(plain);
        REQUIRE(frugal);
        REQUIRE(let_go);
        CHECK(*plain == *let_go);
        CHECK(equal(library.state(), state));  // which shared all of it
        REQUIRE(surprised);
        CHECK(plain->size() == measured);
        CHECK(*plain == *frugal);
        CHECK(*plain == *surprised);
        CHECK(frugal->capacity() <= frugal->size() + 16);
        if (size == 4000) CHECK(plain->size() > 150'000);  // more than is kept while it is measured
    }
}
