// Undo: what a change did is taken back, as far as it still is as the change left it.
#include "sites.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace netsync;

namespace {

struct Album {
    LwwRegister<std::string> title{};
    OrSet<std::string> tags{};
    PnCounter plays{};
    GSet<std::string> seen{};
};
struct Library {
    OrMap<std::string, Album> albums{};
    Owned<LwwMap<std::string, int>> files{};
    LwwSet<std::string> words{};
    LwwMap<std::string, int> numbers{};
    LwwRegister<std::string> name{};
    Text text{};
    OrMap<std::string, Text> pages{};
    RwSet<std::string> allowed{};
    MvRegister<int> drafts{};
    EnableWinsFlag on{};
    DisableWinsFlag off{};
    GMap<std::string, OrSet<int>> kept{};
};

using Desk = MemoryReplica<Library>;

static_assert(invertible<Album> && invertible<Library> && !invertible<GSet<int>>);

std::string words_of(const auto& set) {
    std::string text;
    set.for_each([&](const auto& element) { text += element; });
    return text;
}

/// Without dots: what can be read.
std::string reading(const Library& library) {
    std::string text = "name " + library.name.value() + ", words " + words_of(library.words);
    library.numbers.for_each([&](const auto& key, int value) { text += ", " + key + "=" + std::to_string(value); });
    library.files.for_each([&](OwnerId, const auto& part) {
        part.for_each([&](const auto& key, int value) { text += ", " + key + ":" + std::to_string(value); });
    });
    text += ", text " + library.text.str() + ", allowed " + words_of(library.allowed) + ", drafts";
    std::vector<int> drafts = library.drafts.values();
    std::sort(drafts.begin(), drafts.end());
    for (const int draft : drafts)
        if (draft != 0 || drafts.size() > 1) text += " " + std::to_string(draft);
    text += library.on.value() ? ", on" : "";
    text += library.off.value() ? ", off" : "";
    library.kept.for_each([&](const auto& key, const auto& set) {
        set.for_each([&](int element) { text += ", " + key + std::to_string(element); });
    });
    library.pages.for_each([&](const auto& key, const Text& page) { text += ", page " + key + " " + page.str(); });
    library.albums.for_each([&](const auto& key, const Album& album) {
        text += ", album " + key + " " + album.title.value() + " " + words_of(album.tags) + " " +
                std::to_string(album.plays.value());
    });
    return text;
}

/// One random change, in as many steps as there are.
void change_at_random(auto& batch, testing::Random& random) {
    for (std::uint64_t steps = 1 + random.below(4); steps > 0; --steps) {
        const std::string key(1, static_cast<char>('a' + random.below(3))),
            word(1, static_cast<char>('u' + random.below(4)));
        const int number = static_cast<int>(random.below(9));
        const std::size_t size = batch.state().text.size();
        switch (random.below(22)) {
        case 12: batch.update(&Library::text, insert(random.below(size + 1), "<" + word + word + ">")); break;
        case 13: batch.update(&Library::text, erase(random.below(size + 1), 1 + random.below(5))); break;
        case 14: batch.update(&Library::pages, key, insert(0, word + key)); break;
        case 15: batch.update(&Library::pages, netsync::remove(key)); break;
        case 16: batch.update(&Library::allowed, add(word)); break;
        case 17: batch.update(&Library::allowed, netsync::remove(word)); break;
        case 18: batch.update(&Library::drafts, assign(number)); break;
        case 19: number % 2 ? batch.update(&Library::on, enable()) : batch.update(&Library::on, disable()); break;
        case 20: number % 2 ? batch.update(&Library::off, enable()) : batch.update(&Library::off, disable()); break;
        case 21: batch.update(&Library::kept, key, add(number)); break;
        case 0: batch.update(&Library::albums, key, &Album::title, assign(word)); break;
        case 1: batch.update(&Library::albums, key, &Album::tags, add(word)); break;
        case 2: batch.update(&Library::albums, key, &Album::tags, netsync::remove(word)); break;
        case 3: batch.update(&Library::albums, key, &Album::plays, increment(3)); break;
        case 4: batch.update(&Library::albums, netsync::remove(key)); break;
        case 5: batch.update(&Library::files, mine, assign(key, number)); break;
        case 6: batch.update(&Library::files, mine, netsync::remove(key)); break;
        case 7: batch.update(&Library::words, add(word)); break;
        case 8: batch.update(&Library::words, netsync::remove(word)); break;
        case 9: batch.update(&Library::numbers, assign(key, number)); break;
        case 10: batch.update(&Library::numbers, netsync::remove(key)); break;
        default: batch.update(&Library::name, assign(word)); break;
        }
    }
}

}  // namespace

TEST_CASE("undone with nothing between, any change reads as before; undone again, as after; others agree") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        testing::Random random{seed};
        MemoryHub network;
        Desk a{network}, b{network};
        network.run();
        for (int step = 0; step < 6; ++step) {
            (random.below(2) ? a : b).batch([&](auto& batch) { change_at_random(batch, random); });
            network.run();
        }
        const std::string before = reading(a.state());
        const auto undo = undoable(a, [&](auto& batch) { change_at_random(batch, random); });
        const std::string after = reading(a.state());
        const auto redo = undoable(a, [&](auto& batch) { batch.update(undo); });
        REQUIRE(reading(a.state()) == before);
        network.run();
        REQUIRE(reading(b.state()) == before);
        REQUIRE(a.digest() == b.digest());
        a.update(redo);
        REQUIRE(reading(a.state()) == after);
    }
}

TEST_CASE("what others did meanwhile stays") {
    MemoryHub network;
    Desk a{network}, b{network};
    network.run();
    a.update(&Library::words, add("old"));
    a.update(&Library::name, assign("first"));
    a.update(&Library::albums, "k", &Album::tags, add("jazz"));
    network.run();
    const auto undo = undoable(a, [](auto& batch) {
        batch.update(&Library::words, add("new"));
        batch.update(&Library::words, netsync::remove("old"));
        batch.update(&Library::name, assign("second"));
        batch.update(&Library::numbers, assign("n", 1));
        batch.update(&Library::albums, "k", &Album::tags, add("loud"));
        batch.update(&Library::albums, "k", &Album::plays, increment(5));
        batch.update(&Library::albums, "fresh", &Album::title, assign("t"));
    });
    network.run();
    b.update(&Library::name, assign("third"));
    b.update(&Library::numbers, assign("n", 2));
    b.update(&Library::albums, "k", &Album::tags, add("loud"));  // again: now it is b's as well
    b.update(&Library::albums, "k", &Album::plays, increment(2));
    b.update(&Library::albums, "fresh", &Album::tags, add("theirs"));
    network.run();
    a.update(undo);
    network.run();
    const Library now = b.state();
    CHECK(words_of(now.words) == "old");
    CHECK(now.name.value() == "third");
    CHECK(*now.numbers.find("n") == 2);
    CHECK(words_of(now.albums.find("k")->tags) == "jazzloud");
    CHECK(now.albums.find("k")->plays.value() == 2);
    CHECK_FALSE(now.albums.find("fresh")->title.has_value());
    CHECK(now.albums.find("fresh")->tags.contains("theirs"));
    a.update(undo);  // a second time: what was undone is not there any more
    CHECK(a.state().albums.find("k")->tags.contains("loud"));
    CHECK(a.state().name.value() == "third");
}

TEST_CASE("a text: what one typed goes, what one erased comes back where it was, what others typed stays") {
    MemoryHub network;
    Desk a{network}, b{network};
    network.run();
    a.update(&Library::text, insert(0, "The quick brown fox"));
    a.update(&Library::drafts, assign(1));
    network.run();
    const auto undo = undoable(a, [](auto& batch) {
        batch.update(&Library::text, erase(4, 5));         // "The  brown fox"
        batch.update(&Library::text, insert(4, "slow"));   // "The slow brown fox"
        batch.update(&Library::text, erase(15, 3));        // "The slow brown "
        batch.update(&Library::text, append("elephant"));  // "The slow brown elephant"
        batch.update(&Library::drafts, assign(2));
    });
    network.run();
    b.update(&Library::text, insert(8, "est"));
    b.update(&Library::text, append("s!"));
    network.run();
    CHECK(b.state().text.str() == "The slowest brown elephants!");
    a.update(undo);
    network.run();
    CHECK(b.state().text.str() == "The quickest brown foxs!");
    CHECK(b.state().drafts.values() == std::vector<int>{1});
    CHECK(a.digest() == b.digest());
}

TEST_CASE("a removed key comes back with what was under it, but for what grows only") {
    MemoryHub network;
    Desk a{network}, b{network};
    network.run();
    a.update(&Library::albums, "k", &Album::title, assign("Blue Train"));
    b.update(&Library::albums, "k", &Album::plays, increment(4));
    a.update(&Library::albums, "k", &Album::tags, add("jazz"));
    a.update(&Library::albums, "k", &Album::seen, add("s"));
    network.run();
    const auto undo = undoable(a, [](auto& batch) {
        batch.update(&Library::albums, netsync::remove("k"));
        batch.update(&Library::albums, "k", &Album::title, assign("other"));
    });
    network.run();
    b.update(&Library::albums, "k", &Album::tags, add("new"));
    network.run();
    a.update(undo);
    network.run();
    const Album album = b.get(&Library::albums, "k");
    CHECK(album.title.value() == "Blue Train");
    CHECK(words_of(album.tags) == "jazznew");
    CHECK(album.plays.value() == 4);
    CHECK(album.seen.empty());
}

TEST_CASE("an inverse is a mutator like any other: below a path, and of one type alone") {
    MemoryHub network;
    MemoryReplica<OrSet<int>> a{network};
    a.update(add(1));
    const auto before = a.state();
    const auto undo = undoable(a, [](auto& batch) { batch.update(clear()); });
    CHECK(a.state().empty());
    a.update(undo);
    CHECK(a.state().contains(1));
    Desk desk{network, {.pool = "other"}};
    std::optional<Inverse<LwwMap<std::string, int>>> last;
    desk.batch([&](auto& batch) {
        const auto was = batch.state().numbers;
        batch.update(&Library::numbers, assign("x", 1));
        last = inverse(was, batch.delta().numbers);
    });
    desk.update(&Library::numbers, *last);
    CHECK(desk.state().numbers.empty());
}
