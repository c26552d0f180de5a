// Durable before visible, where commits come later: what a peer sees and when, who is told, what a failing disk does.
#include "../network.hpp"

using namespace testing_network;
using Words = OrSet<std::string>;

namespace {

/// A MemoryStore whose commits end when the test says so. Copies share it.
class LateStore {
   public:
    std::error_code append(const Frame& frame) { return contents_->kept.append(frame); }
    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        return contents_->kept.adopt(snapshot, heads);
    }
    std::error_code cut(const std::vector<ReplicaCounter>& counters) { return contents_->kept.cut(counters); }
    std::error_code clear() { return contents_->kept.clear(); }
    std::error_code put(std::string_view key, ByteView value) { return contents_->kept.put(key, value); }
    std::error_code commit() {
        while (contents_->done) end();
        return {};
    }
    void commit_later(std::function<void(std::error_code)> done) {
        CHECK_FALSE(contents_->done);  // one at a time
        ++contents_->commits;
        contents_->done = std::move(done);
    }
    bool is_behind() const { return contents_->behind; }
    std::optional<Bytes> get(std::string_view key) const { return contents_->kept.get(key); }
    SharedBytes snapshot() const { return contents_->kept.snapshot(); }
    void replay(const FrameVisitor& visit) const { contents_->kept.replay(visit); }
    bool frames(const CounterRange& range, const FrameVisitor& visit) const {
        return contents_->kept.frames(range, visit);
    }

    bool is_committing() const { return contents_->done != nullptr; }
    int commits() const { return contents_->commits; }
    void end(std::error_code error = {}) {
        REQUIRE(contents_->done);
        std::exchange(contents_->done, nullptr)(error);
    }
    void fall_behind(bool behind) { contents_->behind = behind; }

   private:
    struct Contents {
        MemoryStore kept;
        std::function<void(std::error_code)> done;
        int commits = 0;
        bool behind = false;
    };
    std::shared_ptr<Contents> contents_ = std::make_shared<Contents>();
};

static_assert(asynchronous_store<LateStore> && !asynchronous_store<MemoryStore>);

using LateReplica = Replica<LateStore, TapTransport, ManualClock, Words>;
const std::error_code no_disk = std::make_error_code(std::errc::io_error);

/// Two of a pool that know each other: `a` on a late store, `b` on a common one.
struct Late {
    Late() {
        pass(3s, true);
        CHECK(a.report().members.size() == 1);
        net.wire->clear();
    }

    /// Lets time pass; where commits are to end, as they come.
    void pass(Duration time, bool commits) {
        for (Duration passed{}; passed < time; passed += 10ms) {
            net.run_for(10ms);
            while (commits && store.is_committing()) store.end();
        }
        if (commits) CHECK(a.report().store_error == std::error_code{});
    }
    std::size_t sent(MessageKind kind) const { return net.wire->count(kind, "a"); }
    Subscription ask(const Token& token) {
        return a.on_durable(token, [this](std::error_code error) { answers.push_back(error); });
    }

    Network<Words> net;
    LateStore store;
    LateReplica a{TapTransport{net.hub, net.wire, "a"}, Options{.name = "a", .seed = 1}, store,
                  ManualClock{100ms, net.wall}};
    std::unique_ptr<TapReplica<Words>> b = net.join("b");
    std::vector<std::error_code> answers;
};

}  // namespace

TEST_CASE("no frame is visible before it is durable, however it could be asked for") {
    Late late;
    const Token token = late.a.update(add("x"));
    CHECK(late.a.state().contains("x"));
    const auto asked = late.ask(token);
    late.pass(20s, false);  // b gossips and pings meanwhile
    CHECK(late.net.wire->count(MessageKind::update, "a") == 0);
    for (const Sent& sent : late.net.wire->log)
        CHECK((sent.from == "b" || sent.kind == MessageKind::ping || sent.kind == MessageKind::pong));
    CHECK(late.b->report().members[0].state == MemberState::live);  // its disk stands still, itself it does not
    CHECK_FALSE(late.b->state().contains("x"));
    CHECK(late.answers.empty());
    late.store.end();
    CHECK(late.answers == std::vector<std::error_code>{{}});
    late.net.run();
    CHECK(late.b->state().contains("x"));
    CHECK(late.sent(MessageKind::update) == 1);
    late.store.frames({token.replica, token.counter, token.counter}, [&](const SharedBytes& stored) {
        for (const Sent& sent : late.net.wire->log)
            if (sent.kind == MessageKind::update) CHECK(sent.bytes == stored);  // encoded once: the very same bytes
        return true;
    });
    const auto again = late.ask(token);
    CHECK(late.answers.size() == 2);  // at once
}

TEST_CASE("who comes while a commit is under way is told who is here, and of what is durable") {
    Late late;
    late.a.update(add("x"));
    late.store.end();
    const Token durable = late.a.update(add("y"));
    late.store.end();
    late.pass(1s, true);
    const Token token = late.a.update(add("z"));
    REQUIRE(late.store.is_committing());
    const auto c = late.net.join("c");
    late.pass(2s, false);
    CHECK(c->report().members.size() == 2);
    for (const Member& member : c->report().members) CHECK(member.state == MemberState::live);
    std::size_t told = 0;
    const auto check = [&](const Introduction& self) {
        ++told;
        REQUIRE(self.heads.size() == 1);
        CHECK(self.heads[0].counter == durable.counter);
        late.store.frames({token.replica, durable.counter, durable.counter}, [&](const SharedBytes& bytes) {
            CHECK(self.heads[0].hash == Frame::parse(bytes)->header().hash);
            return false;
        });
    };
    for (const Sent& sent : late.net.wire->log) {
        if (sent.from == "a" && sent.kind == MessageKind::greeting) check(decode_message<Greeting>(*sent.bytes)->self);
        if (sent.from == "a" && sent.kind == MessageKind::handshake)
            check(decode_message<Handshake>(*sent.bytes)->self);
    }
    CHECK(told > 0);
    CHECK(c->state().contains("y"));
    CHECK_FALSE(c->state().contains("z"));
    late.pass(3s, true);
    CHECK(c->state().contains("z"));
}

TEST_CASE("who comes does not hear that there is nothing of an origin of which nothing is durable yet") {
    Late late;
    late.a.update(add("first of all"));
    REQUIRE(late.store.is_committing());
    const auto introductions = [&] { return late.sent(MessageKind::greeting) + late.sent(MessageKind::handshake); };
    const std::size_t before = introductions();
    const auto c = late.net.join("c");
    late.pass(2s, false);
    CHECK(introductions() == before);
    late.pass(5s, true);
    CHECK(introductions() > before);
    CHECK(c->state().contains("first of all"));
}

TEST_CASE("who comes is told who is retired, and so nothing, before that is durable") {
    Late late;
    REQUIRE_FALSE(late.a.retire(late.b->id()));
    REQUIRE(late.store.is_committing());
    const auto introductions = [&] { return late.sent(MessageKind::greeting) + late.sent(MessageKind::handshake); };
    const std::size_t before = introductions();
    const auto c = late.net.join("c");
    late.pass(2s, false);
    CHECK(introductions() == before);
    late.pass(5s, true);
    CHECK(introductions() > before);
}

TEST_CASE("changes that are made while a commit is under way share the next one") {
    Late late;
    const int before = late.store.commits();
    late.a.update(add("first"));
    Token last{};
    for (int word = 0; word < 50; ++word) last = late.a.update(add(std::to_string(word)));
    const auto asked = late.ask(last);
    CHECK(late.store.commits() == before + 1);
    late.store.end();
    CHECK(late.store.commits() == before + 2);
    late.net.run();
    CHECK(late.b->state().contains("first"));
    CHECK(late.b->state().size() == 1);  // what is under way goes out on its own, under load too
    CHECK(late.answers.empty());
    late.store.end();
    CHECK_FALSE(late.store.is_committing());
    CHECK(late.answers.size() == 1);
    late.net.run();
    CHECK(late.b->state().size() == 51);
}

TEST_CASE("a commit that fails is told, refuses changes, is tried again, and then all goes on") {
    Late late;
    const Token token = late.a.update(add("x"));
    const auto asked = late.ask(token);
    late.store.end(no_disk);
    CHECK(late.answers == std::vector<std::error_code>{no_disk});
    CHECK_FALSE(late.store.is_committing());  // not at once again
    CHECK(late.a.try_update(add("y")).error() == no_disk);
    CHECK(late.a.report().store_error == no_disk);
    CHECK(late.a.state().contains("x"));
    late.b->update(add("theirs"));
    for (int round = 0; round < 30; ++round) {
        late.net.run_for(100ms);
        if (late.store.is_committing()) late.store.end(no_disk);
        CHECK(late.a.try_update(add("y")).error() == no_disk);  // also while it is tried again
    }
    CHECK_FALSE(late.b->state().contains("x"));
    CHECK_FALSE(late.a.state().contains("theirs"));  // what cannot be kept is not merged
    const auto once_more = late.ask(token);
    late.pass(8s, true);
    CHECK(late.answers.back() == std::error_code{});
    CHECK(late.a.try_update(add("y")));
    late.pass(3s, true);
    CHECK(late.b->state().contains("x"));
    CHECK(late.a.digest() == late.b->digest());
}

TEST_CASE("a store that is behind refuses changes for a while") {
    Late late;
    late.store.fall_behind(true);
    CHECK(late.a.try_update(add("x")).error() == errc::store_behind);
    CHECK(make_error_code(errc::store_behind) == condition::retry_later);
    late.b->update(add("theirs"));
    late.pass(3s, true);
    CHECK_FALSE(late.a.state().contains("theirs"));
    late.store.fall_behind(false);
    CHECK(late.a.try_update(add("x")));
    late.pass(5s, true);
    CHECK(late.a.state().contains("theirs"));
    CHECK(late.a.digest() == late.b->digest());
}

TEST_CASE("a store that commits at once answers at once") {
    Network<Words> net;
    const auto a = net.join("a");
    std::vector<std::error_code> answers;
    const auto asked = a->on_durable(a->update(add("x")), [&](std::error_code error) { answers.push_back(error); });
    CHECK(answers == std::vector<std::error_code>{{}});
}

TEST_CASE("a replica that ends makes durable what it has") {
    Network<Words> net;
    LateStore store;
    std::vector<std::error_code> answers;
    Subscription asked;
    {
        LateReplica a{TapTransport{net.hub, net.wire, "a"}, Options{.name = "a", .seed = 1}, store,
                      ManualClock{100ms, net.wall}};
        static_cast<void>(a.update(add("x")));
        asked = a.on_durable(a.update(add("y")), [&](std::error_code error) { answers.push_back(error); });
        CHECK(store.is_committing());
    }
    CHECK(answers == std::vector<std::error_code>{{}});
    CHECK_FALSE(store.is_committing());
}

namespace {

/// Says when it is encoded.
struct Tell {
    bool merge(const Tell&) { return false; }
    template <class Archive>
    void save(Archive& out) const {
        if (on_save) on_save();
        out(true);
    }
    template <class Archive>
    void load(Archive& in) {
        bool read = false;
        in(read);
    }
    friend bool operator==(const Tell&, const Tell&) = default;
    static inline std::function<void()> on_save;
};
struct Probed {
    Words words{};
    Tell tell{};
};

}  // namespace

TEST_CASE("while a snapshot is made for a store, not much is changed that would be in memory twice") {
    Network<Probed> net;
    LateStore store;
    Options options{.name = "a", .seed = 1};
    options.limits.log = 4000;
    Replica<LateStore, TapTransport, ManualClock, Probed> a{TapTransport{net.hub, net.wire, "a"}, options, store,
                                                            ManualClock{100ms, net.wall}};
    const auto b = net.join("b");
    const auto pass = [&](Duration time) {
        for (Duration passed{}; passed < time; passed += 10ms) {
            net.run_for(10ms);
            while (store.is_committing()) store.end();
        }
    };
    pass(3s);
    for (int word = 0; word < 300; ++word) a.update(&Probed::words, add(std::to_string(word)));
    std::vector<int> changed;
    bool armed = true;
    Tell::on_save = [&] {
        if (!std::exchange(armed, false)) return;
        changed.push_back(0);
        for (int word = 0; word < 10'000 && a.try_update(&Probed::words, add("at " + std::to_string(word))); ++word)
            ++changed.back();
        CHECK(a.try_update(&Probed::words, add("more")).error() == errc::store_behind);
        armed = changed.size() < 2;  // it is measured, and then encoded
    };
    pass(5s);
    Tell::on_save = nullptr;
    CHECK(changed == std::vector<int>{4096, 4096});
    CHECK(a.try_update(&Probed::words, add("again")));
    pass(5s);
    CHECK(b->state().words.contains("again"));
    CHECK(b->state().words.contains("at 4095"));
    CHECK_FALSE(b->state().words.contains("more"));
    CHECK(a.digest() == b->digest());
}
