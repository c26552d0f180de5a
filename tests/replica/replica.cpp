// What a program does with a replica: paths and verbs, reads, observers, views, batches, errors, restarts.
#include "../network.hpp"

#include <netsync/await.hpp>

#include <map>

using namespace testing_network;

namespace {

struct HighestBid {
    int amount = 0;
    bool merge(const HighestBid& other) {
        if (other.amount <= amount) return false;
        amount = other.amount;
        return true;
    }
};
struct FileInfo {
    std::uint64_t size = 0;
    std::string hash{};
};
struct Album {
    LwwRegister<std::string> title{};
    OrSet<std::string> tags{};
    PnCounter plays{};
    OrMap<std::string, Joined<HighestBid>> bids{};
};
struct Library {
    OrMap<std::string, Album> albums{};
    Owned<LwwMap<std::string, FileInfo>> file_paths{};
    Owned<HighestBid> best{};
    HighestBid highest{};
};

}  // namespace

TEST_CASE("paths and verbs, and the same spelled out") {
    Network<Library> net;
    const auto a = net.join("a"), b = net.join("b");
    const std::string id = "blue-train";
    a->update(&Library::albums, id, &Album::title, assign("Blue Train"));
    a->update(&Library::albums, id, &Album::tags, add("jazz"));
    a->update(&Library::albums, id, &Album::plays, increment(3));
    a->update(&Library::albums, id, &Album::bids, "lot", add(HighestBid{7}));
    a->update(&Library::file_paths, mine, assign("x.flac", FileInfo{1, "h"}));
    a->update(&Library::best, mine, [](const HighestBid&, Change&) { return HighestBid{5}; });
    net.run();
    b->update([&](const Library& now, Change& change) {
        return Library{.albums = now.albums.update(change, id, [&](const Album& album, Change& inner) {
            return Album{.title = album.title.assign(inner, "Blue Train (1957)"),
                         .tags = album.tags.remove(inner, "jazz")};
        })};
    });
    net.run();
    CHECK(a->digest() == b->digest());
    CHECK(a->get(&Library::albums, id, &Album::title).value() == "Blue Train (1957)");
    CHECK(a->get(&Library::albums, id, &Album::tags).empty());
    CHECK(b->get(&Library::albums, id, &Album::plays).value() == 3);
    CHECK(b->get(&Library::albums, id, &Album::bids, "lot").value().amount == 7);
    CHECK(b->get(&Library::albums, "absent", &Album::plays).value() == 0);
    CHECK(b->get(&Library::file_paths, a->id().owner()).find("x.flac")->size == 1);
    CHECK(a->get(&Library::best, mine).amount == 5);
    CHECK(b->get(&Library::best, mine).amount == 0);
    b->update(&Library::albums, remove(id));
    net.run();
    CHECK(a->read([](const Library& now) { return now.albums.empty(); }));
}

TEST_CASE("a verb that is kept can be used again") {
    Network<Library> net;
    const auto replica = net.join("a");
    const std::string text = "longer than what a string holds inside";
    auto tagged = add(text);
    const auto titled = assign(text);
    for (const char* key : {"a", "b"}) {
        replica->update(&Library::albums, key, &Album::tags, tagged);
        replica->update(&Library::albums, key, &Album::title, titled);
        CHECK(replica->get(&Library::albums, key, &Album::tags).contains(text));
        CHECK(replica->get(&Library::albums, key, &Album::title).value() == text);
    }
    replica->batch([&](auto& batch) {
        for (const char* key : {"c", "d"}) batch.update(&Library::albums, key, &Album::tags, tagged);
    });
    CHECK(replica->get(&Library::albums, "d", &Album::tags).contains(text));
    replica->update(&Library::albums, "e", &Album::tags, std::move(tagged));
    CHECK(replica->get(&Library::albums, "e", &Album::tags).contains(text));
}

TEST_CASE("a verb of one's own") {
    MemoryHub hub;
    MemoryReplica<PnCounter> replica{hub};
    const auto twice = [](const PnCounter& counter, Change& change) { return counter.increment(change, 2); };
    replica.update(twice);
    CHECK(replica.get().value() == 2);
}

TEST_CASE("observers hear of what was merged, in order, with where it came from, and not after they end") {
    Network<Library> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run();
    std::vector<std::string> heard;
    Subscription tags =
        b->on_change(&Library::albums, "x", &Album::tags, [&](const OrSet<std::string>& delta, const ChangeInfo& info) {
            delta.for_each_mentioned(
                [&](const std::string& tag) { heard.push_back((info.local ? "local " : "remote ") + tag); });
        });
    std::size_t all = 0;
    const Subscription any = b->on_change([&] { ++all; });
    a->update(&Library::albums, "x", &Album::tags, add("one"));
    a->update(&Library::albums, "y", &Album::tags, add("elsewhere"));
    a->update(&Library::albums, "x", &Album::title, assign("not a tag"));
    net.run();
    b->update(&Library::albums, "x", &Album::tags, netsync::remove("one"));
    b->update(&Library::albums, "x", &Album::tags, netsync::remove("never there"));
    CHECK(heard == std::vector<std::string>{"remote one", "local one"});
    CHECK(all == 4);
    bool emptied = false;
    const Subscription reset =
        b->on_change(&Library::albums, "x", [&](const Album& delta) { emptied = is_bottom(delta); });
    a->update(&Library::albums, netsync::remove("x"));
    net.run();
    CHECK(emptied);
    tags.reset();
    a->update(&Library::albums, "x", &Album::tags, add("unheard"));
    net.run();
    CHECK(heard.size() == 2);
}

TEST_CASE("a callback may call the replica, end itself and subscribe anew") {
    MemoryHub hub;
    MemoryReplica<OrSet<int>> replica{hub};
    Subscription self;
    int calls = 0;
    self = replica.on_change([&] {
        ++calls;
        if (replica.get().size() < 5) replica.update(add(static_cast<int>(replica.get().size())));
        if (calls == 3) self.reset();
    });
    replica.update(add(100));
    CHECK(calls == 3);
    CHECK(replica.get().size() == 4);
}

TEST_CASE("a subscription may outlive its replica") {
    Subscription left;
    {
        MemoryHub hub;
        MemoryReplica<OrSet<int>> replica{hub};
        left = replica.on_change([] {});
    }
    left.reset();
}

TEST_CASE("derived views follow deltas, and are made anew from whole states") {
    using Data = Owned<LwwMap<std::string, std::string>>;  // path -> content hash
    using Files = std::map<std::string, int>;              // hash -> how many hold it
    struct View {
        std::map<std::pair<OwnerId, std::string>, std::string> known{};
        Files files{};
    };
    const auto follow = [](View& view, const Data& now, const Data& delta) {
        delta.for_each([&](OwnerId owner, const auto& part) {
            part.for_each_mentioned([&](const std::string& path) {
                auto& known = view.known[{owner, path}];
                if (!known.empty() && --view.files[known] == 0) view.files.erase(known);
                const std::string* hash = now.find(owner) ? now.find(owner)->find(path) : nullptr;
                known = hash ? *hash : "";
                if (hash) ++view.files[*hash];
            });
        });
    };
    Network<Data> net;
    const auto a = net.join("a");
    a->update(mine, assign("p", "h1"));
    a->update(mine, assign("q", "h1"));
    const auto files = a->derive(View{}, follow);
    CHECK(files.get().files == Files{{"h1", 2}});
    a->update(mine, assign("q", "h2"));
    CHECK(files.get().files == Files{{"h1", 1}, {"h2", 1}});
    const auto b = net.join("b");
    b->update(mine, assign("r", "h2"));
    const auto theirs = b->derive(View{}, follow);
    net.run_for(3s);
    CHECK(files.get().files == Files{{"h1", 1}, {"h2", 2}});
    CHECK(theirs.get().files == files.get().files);
    a->update(mine, netsync::remove("p"));
    net.run();
    CHECK(theirs.read([](const View& view) { return view.files; }) == Files{{"h2", 2}});
}

TEST_CASE("a batch is one frame, each step sees those before it, observers hear once") {
    Network<Library> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run();
    net.wire->clear();
    std::size_t heard = 0;
    const Subscription watch = b->on_change([&] { ++heard; });
    const Token token = a->batch([](auto& batch) {
        batch.update(&Library::albums, "x", &Album::tags, add("kept"));
        batch.update(&Library::albums, "x", &Album::tags, add("taken back"));
        CHECK(batch.state().albums.find("x")->tags.size() == 2);
        batch.update(&Library::albums, "x", &Album::tags, netsync::remove("taken back"));
        batch.update(&Library::albums, "x", &Album::title, assign("first"));
        batch.update(&Library::albums, "x", &Album::title, assign("second"));
    });
    CHECK(token.replica == a->id());
    CHECK(token.counter == a->report().heads.at(0).counter);
    net.run();
    CHECK(net.wire->count(MessageKind::update) == 1);
    CHECK(heard == 1);
    CHECK(a->digest() == b->digest());
    CHECK(b->get(&Library::albums, "x", &Album::title).value() == "second");
    CHECK(b->get(&Library::albums, "x", &Album::tags).size() == 1);
}

TEST_CASE("what changes nothing makes no frame") {
    Network<Library> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run();
    a->update(&Library::highest, [](const HighestBid&, Change&) { return HighestBid{10}; });
    net.run();
    CHECK(b->get(&Library::highest).amount == 10);
    net.wire->clear();
    b->update(&Library::highest, [](const HighestBid&, Change&) { return HighestBid{3}; });
    b->update(&Library::albums, netsync::remove("never there"));
    b->update([](const Library&, Change&) { return Library{}; });
    net.run();
    CHECK(net.wire->log.empty());
}

TEST_CASE("errors are values, and leave everything as it was") {
    Network<Library> net;
    Options options;
    options.limits.frame = 4096;
    const auto a = net.join("a", options), b = net.join("b", options);
    b->update(&Library::best, mine, [](const HighestBid&, Change&) { return HighestBid{1}; });
    net.run();
    const std::uint64_t before = a->digest();
    net.wire->clear();
    const Library stolen = b->state();
    CHECK(a->try_update([&](const Library&, Change&) { return Library{.best = stolen.best}; }).error() ==
          errc::not_owner);
    CHECK(a->try_update(&Library::albums, "x", &Album::title, assign(std::string(5000, 'x'))).error() ==
          errc::too_large);
    CHECK(a->try_update(&Library::albums, "x", &Album::title, assign("\xff\xfe")).error() == errc::not_utf8);
    CHECK_THROWS_AS(a->update(&Library::albums, "\xc3", &Album::tags, add("x")), std::system_error);
    CHECK(a->digest() == before);
    net.run();
    CHECK(net.wire->log.empty());
    // In a batch what came before the error stands, and is one change.
    const auto result = a->try_batch([](auto& batch) {
        batch.update(&Library::albums, "x", &Album::tags, add("stands"));
        batch.update(&Library::albums, "x", &Album::tags, add("\xff"));
        batch.update(&Library::albums, "x", &Album::tags, add("left out"));
    });
    CHECK(result.error() == errc::not_utf8);
    net.run();
    CHECK(b->get(&Library::albums, "x", &Album::tags).contains("stands"));
    CHECK_FALSE(b->get(&Library::albums, "x", &Album::tags).contains("left out"));
    CHECK(a->digest() == b->digest());
}

TEST_CASE("a state too deep for the wire is refused where it is made") {
    struct Folder {
        OrMap<std::string, Folder> children{};
        OrSet<std::string> files{};
    };
    MemoryHub hub;
    MemoryReplica<Folder> replica{hub};
    replica.update(&Folder::children, "a", &Folder::children, "b", &Folder::files, add("f"));
    CHECK(replica.get(&Folder::children, "a", &Folder::children, "b", &Folder::files).contains("f"));
    std::function<Folder(const Folder&, Change&, int)> dig = [&](const Folder& now, Change& change,
                                                                 int depth) -> Folder {
        if (depth == 0) return Folder{.children = {}, .files = now.files.add(change, "deep")};
        return Folder{.children = now.children.update(change, "d", [&](const Folder& child, Change& inner) {
            return dig(child, inner, depth - 1);
        })};
    };
    CHECK(replica.try_update([&](const Folder& now, Change& change) { return dig(now, change, 100); }).error() ==
          errc::too_deep);
    CHECK(replica.try_update([&](const Folder& now, Change& change) { return dig(now, change, 10); }));
}

TEST_CASE("a replica opened again on its store goes on where it was: same id, no counter twice, nothing lost") {
    Network<Library> net;
    MemoryStore disk;
    const auto b = net.join("b");
    b->update(&Library::albums, "theirs", &Album::tags, add("x"));
    auto a = net.join("a", {}, disk);
    net.run();
    a->update(&Library::albums, "mine", &Album::tags, add("y"));
    a->update(&Library::albums, "theirs", &Album::tags, netsync::remove("x"));
    net.run();
    const ReplicaId id = a->id();
    const std::uint64_t digest = a->digest();
    const auto heads = a->report().heads;
    a.reset();
    a = net.join("a", {}, disk);
    CHECK(a->id() == id);
    CHECK(a->digest() == digest);
    CHECK(a->report().heads == heads);
    a->update(&Library::albums, "mine", &Album::tags, add("z"));
    net.run_for(2s);
    CHECK(a->digest() == b->digest());
    CHECK(a->report().traffic.frames_refused == 0);
    CHECK(b->report().traffic.frames_refused == 0);
    CHECK(net.wire->count(MessageKind::state_chunk, "b") == 1);  // the first time only
}

TEST_CASE("the report tells what is going on") {
    Network<Library> net;
    const auto a = net.join("laptop"), b = net.join("desktop");
    net.run();
    a->update(&Library::albums, "x", &Album::tags, add("y"));
    net.run_for(3s);
    const Report report = b->report();
    CHECK(report.name == "desktop");
    CHECK(report.pool == "netsync");
    CHECK(report.port == 2);
    CHECK(report.state == JoinState::ready);
    REQUIRE(report.members.size() == 1);
    CHECK(report.members[0].name == "laptop");
    CHECK(report.members[0].state == MemberState::live);
    CHECK(report.heads == std::vector<Head>{{a->id(), 1, report.heads.at(0).hash}});
    CHECK(report.traffic.frames_applied == 1);
    CHECK(report.traffic.bytes_in > 0);
    CHECK(report.pending == 0);
}

namespace {

/// A coroutine that runs as far as it can, and tells how it went.
struct Errand {
    struct promise_type {
        Errand get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
};

Errand publish(TapReplica<Library>& replica, Audience audience, std::vector<std::error_code>& answers) {
    const Token token = replica.update(&Library::albums, "id", &Album::plays, increment());
    answers.push_back(co_await when_replicated(replica, token, std::move(audience), 5s));
    answers.push_back(co_await when_replicated(replica, token, Audience::peers(1), 5s));  // known by now: no suspension
}

}  // namespace

TEST_CASE("waiting for replication, with coroutines and futures") {
    Network<Library> net;
    const auto a = net.join("a"), b = net.join("b");
    net.run_for(2s);
    std::vector<std::error_code> answers;
    Errand errand = publish(*a, Audience::everyone(), answers);
    CHECK(answers.empty());
    net.run();
    CHECK(answers == std::vector<std::error_code>{{}, {}});
    CHECK(errand.handle.done());
    errand.handle.destroy();

    Errand given_up = publish(*a, Audience::peers(5), answers);
    CHECK(a->report().waiters == 1);
    given_up.handle.destroy();  // and with it the wait
    net.run_for(10s);
    CHECK(answers.size() == 2);

    const Token token = a->update(&Library::albums, "id", &Album::tags, add("x"));
    std::future<std::error_code> future = when_replicated(*a, token, Audience::these({b->id()}), 5s).future();
    CHECK(future.wait_for(0s) == std::future_status::timeout);
    net.run();
    REQUIRE(future.wait_for(0s) == std::future_status::ready);
    CHECK_FALSE(future.get());
    std::future<std::error_code> late = when_replicated(*a, token, Audience::peers(5), 1s).future();
    net.run_for(2s);
    CHECK(late.get() == errc::timed_out);
}

TEST_CASE("no more calls wait for replication than the limits allow") {
    Network<Library> net;
    Options options;
    options.limits.waiters = 2;
    const auto a = net.join("a", options);
    std::vector<std::error_code> answers;
    const auto tell = [&](std::error_code error) { answers.push_back(error); };
    const auto one = a->on_replicated({a->id(), 1}, Audience::everyone(), 9s, tell);
    const auto two = a->on_replicated({a->id(), 1}, Audience::everyone(), 9s, tell);
    const auto three = a->on_replicated({a->id(), 1}, Audience::everyone(), 9s, tell);
    CHECK(answers == std::vector<std::error_code>{errc::too_large});
    CHECK(a->report().waiters == 2);
}
