// Data as plain structs of CRDTs: both spellings of a change, paths, reading, observing, batches, and a leaf of one's
// own.
#include <cassert>
#include <cstdint>
#include <netsync/netsync.hpp>
#include <string>

using netsync::add, netsync::assign, netsync::increment, netsync::mine;

/// A monotone leaf: `merge` is the least upper bound, and says whether this side rose.
struct HighestBid {
    std::uint64_t amount = 0;

    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};

struct FileInfo {
    std::uint64_t size = 0;
    std::int64_t modified = 0;  // seconds since 1970
};

struct Album {
    netsync::LwwRegister<std::string> title{};
    netsync::OrSet<std::string> tags{};
    netsync::PnCounter plays{};
    netsync::Joined<HighestBid> offers{};  // in an OrMap a monotone leaf goes under dots, so that it can be removed
};

struct Library {
    netsync::OrMap<std::string, Album> albums{};                          // shared: any replica edits
    netsync::Owned<netsync::LwwMap<std::string, FileInfo>> file_paths{};  // owned: a replica edits only its own part
    netsync::Owned<HighestBid> limits{};                                  // what each owner would pay at most
    HighestBid price{};  // a leaf of one's own is a field like any other
};

int main() {
    netsync::MemoryHub network;
    netsync::MemoryReplica<Library> laptop{network, {.name = "laptop"}}, desktop{network, {.name = "desktop"}};
    const std::string id = "blue-train";

    // A path, then a verb.
    laptop.update(&Library::albums, id, &Album::title, assign("Blue Train"));
    laptop.update(&Library::albums, id, &Album::tags, add("jazz"));

    // The same, spelled out: a change is a value of your own type.
    desktop.update([&](const Library& now, netsync::Change& change) {
        return Library{.albums = now.albums.update(change, id, [](const Album& album, netsync::Change& inner) {
            return Album{.tags = album.tags.add(inner, "1958"), .plays = album.plays.increment(inner)};
        })};
    });

    // Only one's own part of an Owned can be written; everybody reads all of it.
    laptop.update(&Library::file_paths, mine, assign("music/blue-train.flac", FileInfo{.size = 41'000'000}));
    network.run();
    assert(laptop.digest() == desktop.digest());
    assert(desktop.get(&Library::albums, id, &Album::title).value() == "Blue Train");
    assert(desktop.get(&Library::albums, id, &Album::tags).contains("1958"));
    assert(desktop.get(&Library::file_paths, laptop.id().owner()).contains("music/blue-train.flac"));

    // Observers hear of what was merged at the end of their path, whoever changed it.
    int retagged = 0;
    const netsync::Subscription subscription =
        desktop.on_change(&Library::albums, id, &Album::tags, [&](const netsync::OrSet<std::string>& delta) {
            delta.for_each_mentioned([&](const std::string&) { ++retagged; });
        });

    // Several updates as one change: one frame, atomic at every replica.
    laptop.batch([&](auto& batch) {
        batch.update(&Library::albums, id, &Album::tags, netsync::remove("1958"));
        batch.update(&Library::albums, id, &Album::tags, add("hard bop"));
        batch.update(&Library::albums, id, &Album::plays, increment(2u));
    });
    network.run();
    assert(retagged == 2);
    assert(desktop.get(&Library::albums, id, &Album::plays).value() == 3);

    // A monotone leaf has no verbs: a lambda returns what is to be joined in.
    const auto bid = [](std::uint64_t amount) {
        return [amount](const HighestBid&, netsync::Change&) { return HighestBid{amount}; };
    };
    laptop.update(&Library::price, bid(120));
    desktop.update(&Library::price, bid(150));
    laptop.update(&Library::limits, mine, bid(200));
    laptop.update(&Library::albums, id, &Album::offers, add(HighestBid{90}));
    desktop.update(&Library::albums, id, &Album::offers, add(HighestBid{75}));
    network.run();
    assert(laptop.digest() == desktop.digest());
    assert(laptop.get(&Library::price).amount == 150);
    assert(desktop.get(&Library::limits, laptop.id().owner()).amount == 200);
    assert(desktop.get(&Library::albums, id, &Album::offers).value().amount == 90);

    desktop.update(&Library::albums, netsync::remove(id));  // with everything that was under it
    network.run();
    assert(!laptop.get(&Library::albums).contains(id));
}
