// SqliteStore: the same as MemoryStore for the same calls, after a reopening too; whose file it opens; what is damaged.
#include <doctest/doctest.h>
#include <netsync/sqlite.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fault_vfs.hpp"
#include "folder.hpp"

using namespace netsync;

namespace {

const ReplicaId a{51, 1}, b{51, 2};

SqliteOptions quick(const std::string& file) {
    return {.file = file, .synchronous = Synchronous::off, .step = 128u << 10};
}

Frame frame(const ReplicaId& origin, std::uint64_t first, std::uint64_t count = 1, std::size_t size = 0) {
    return Frame::make({.origin = origin, .first = first, .count = count, .time = {first}},
                       Bytes(size, static_cast<std::byte>(first)), 0);
}

SharedBytes some_bytes(std::size_t size, std::uint64_t seed) {
    Bytes bytes(size);
    detail::Random random{seed};
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
    return SharedBytes{std::move(bytes)};
}

template <store Store>
std::vector<SharedBytes> all_frames(const Store& store) {
    std::vector<SharedBytes> found;
    store.replay([&](const SharedBytes& bytes) { return found.push_back(bytes), true; });
    return found;
}

template <store Store>
std::vector<SharedBytes> frames_of(const Store& store, const CounterRange& range, std::size_t most, bool& held) {
    std::vector<SharedBytes> found;
    held = store.frames(range, [&](const SharedBytes& bytes) { return found.push_back(bytes), found.size() < most; });
    return found;
}

void corrupt(const std::string& file, const char* sql) {
    sqlite3* connection = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &connection) == SQLITE_OK);
    REQUIRE(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_close(connection) == SQLITE_OK);
}

/// Random operations on both, in step.
class Pair {
   public:
    Pair(std::uint64_t seed, SqliteOptions options)
        : random_(seed), options_(std::move(options)), sqlite_(SqliteStore{options_}) {}

    void step() {
        const std::uint64_t what = random_.below(100);
        const ReplicaId& origin = origins_[random_.below(origins_.size())];
        if (what < 50) {
            for (std::uint64_t left = random_.below(8) == 0 ? 8 + random_.below(60) : 1; left > 0; --left) {
                const std::uint64_t first = next_[origin] + 1 + (random_.below(50) == 0 ? 1 : 0);
                const Frame made = frame(origin, first, 1 + random_.below(3), random_.below(left > 1 ? 900 : 3000));
                const std::error_code error = memory_.append(made);
                CHECK(sqlite_->append(made) == error);
                if (!error) next_[origin] = made.header().last();
            }
        } else if (what < 58) {
            const std::string key = std::to_string(random_.below(5));
            const SharedBytes value = some_bytes(random_.below(100), random_.next());
            CHECK(sqlite_->put(key, *value) == memory_.put(key, *value));
        } else if (what < 64) {
            const SharedBytes snapshot = some_bytes(random_.below(random_.below(2) ? 500'000 : 5'000), random_.next());
            std::vector<Head> heads;
            const bool compacts = random_.below(2) == 0;
            for (const ReplicaId& head : origins_)
                if (compacts || random_.below(2))
                    heads.push_back({head, compacts ? next_[head] : next_[head] + random_.below(3), 0});
            std::erase_if(heads, [](const Head& head) { return head.counter == 0; });
            for (const Head& head : heads) next_[head.replica] = std::max(next_[head.replica], head.counter);
            CHECK(sqlite_->adopt(snapshot, heads) == memory_.adopt(snapshot, heads));
            if (compacts) cut();
        } else if (what < 68) {
            cut();
        } else if (what < 69) {
            CHECK(sqlite_->clear() == memory_.clear());
            if (random_.below(2)) next_.clear();  // another history
        } else if (what < 80) {
            commit();
        } else if (what < 84) {
            if (later_ || random_.below(2)) {
                REQUIRE_FALSE(sqlite_->commit());
                durable_ = memory_.copy();
                durable_next_ = next_;
                later_ = false;
            } else {
                memory_ = durable_.copy();
                next_ = durable_next_;
            }
            sqlite_.reset();
            check_file();
            sqlite_.emplace(options_);
        }
        if (what % 3 == 0) compare();
    }

    void compare() {
        for (int key = 0; key < 5; ++key) CHECK(sqlite_->get(std::to_string(key)) == memory_.get(std::to_string(key)));
        CHECK(sqlite_->snapshot() == memory_.snapshot());
        CHECK(all_frames(*sqlite_) == all_frames(memory_));
        for (const ReplicaId& origin : origins_) {
            const std::uint64_t first = 1 + random_.below(next_[origin] + 3);
            const CounterRange range{origin, first, first + random_.below(40)};
            const std::size_t most = 1 + random_.below(20);
            bool held = false, expected = false;
            CHECK(frames_of(*sqlite_, range, most, held) == frames_of(memory_, range, most, expected));
            CHECK(held == expected);
        }
    }

   private:
    void cut() {
        std::vector<ReplicaCounter> counters;
        for (const ReplicaId& origin : origins_)
            if (random_.below(2)) counters.push_back({origin, random_.below(next_[origin] + 2)});
        CHECK(sqlite_->cut(counters) == memory_.cut(counters));
    }

    void commit() {
        later_ = random_.below(2) == 0;  // then a snapshot, and what it holds, may come still later
        if (!later_) {
            REQUIRE_FALSE(sqlite_->commit());
        } else {
            std::promise<std::error_code> done;
            sqlite_->commit_later([&](std::error_code error) { done.set_value(error); });
            REQUIRE_FALSE(done.get_future().get());
        }
        durable_ = memory_.copy();
        durable_next_ = next_;
    }

    void check_file() const { CHECK(integrity(options_.file) == "ok"); }

    detail::Random random_;
    SqliteOptions options_;
    std::optional<SqliteStore> sqlite_;
    MemoryStore memory_, durable_;
    std::vector<ReplicaId> origins_{a, b, {7, 7}};
    std::map<ReplicaId, std::uint64_t> next_, durable_next_;
    bool later_ = false;
};

}  // namespace

TEST_CASE("the same calls, the same answers as of a MemoryStore, and after a reopening too") {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        CAPTURE(seed);
        const Folder folder;
        Pair pair{seed, quick(folder.file())};
        for (int step = 0; step < 250; ++step) pair.step();
        pair.compare();
    }
}

TEST_CASE("a file is of one pool, one version and one replica at a time") {
    const Folder folder;
    const SqliteOptions home = quick(folder.file());
    {
        SqliteStore store{home};
        REQUIRE_FALSE(store.commit());
        CHECK(SqliteStore::open(home).error() == errc::store_in_use);
        SqliteStore late{home};
        CHECK(late.opening_error() == errc::store_in_use);
        CHECK(late.put("key", {}) == errc::store_in_use);
        CHECK(late.commit() == errc::store_in_use);
    }
    CHECK(SqliteStore::open(home));
    SqliteOptions work = home;
    work.pool = "work";
    CHECK(SqliteStore::open(work).error() == errc::wrong_pool);
    CHECK(SqliteStore::open({}).error() == std::errc::invalid_argument);
    CHECK(SqliteStore::open(quick(folder.file("no such folder/file.db"))).error() == errc::store_io);
    CHECK((std::filesystem::status(home.file).permissions() & std::filesystem::perms::mask) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    corrupt(home.file, "PRAGMA user_version = 7");
    CHECK(SqliteStore::open(home).error() == errc::store_version);
    corrupt(home.file, "PRAGMA application_id = 7");
    CHECK(SqliteStore::open(home).error() == errc::not_a_store);
    std::ofstream(folder.file("text")) << std::string(5000, 'x');
    CHECK(SqliteStore::open(quick(folder.file("text"))).error() == errc::not_a_store);
    CHECK(make_error_code(errc::not_a_store) == condition::local_failure);
}

TEST_CASE("a damaged row is not told, and nothing is written after it") {
    for (const char* damage : {
             "UPDATE frame SET bytes = zeroblob(length(bytes)) WHERE first = 5",
             "UPDATE frame SET first = 50, bytes = bytes WHERE first = 5",
             "UPDATE frame SET origin = 2 WHERE first = 5",
             "DELETE FROM frame WHERE first = 5",
         }) {
        CAPTURE(damage);
        const Folder folder;
        const SqliteOptions options = quick(folder.file());
        {
            SqliteStore store{options};
            for (std::uint64_t first = 1; first <= 9; ++first) REQUIRE_FALSE(store.append(frame(a, first, 1, 20)));
            REQUIRE_FALSE(store.append(frame(b, 1)));
            REQUIRE_FALSE(store.commit());
        }
        corrupt(options.file, damage);
        SqliteStore store{options};
        std::vector<std::uint64_t> told;
        store.replay([&](const SharedBytes& bytes) {
            const Result<Frame> found = Frame::parse(bytes);
            REQUIRE(found);
            if (found->header().origin == a) told.push_back(found->header().first);
            return true;
        });
        CHECK(std::count(told.begin(), told.end(), 5) == 0);
        CHECK(store.commit() == errc::store_damaged);
        static_cast<void>(store.append(frame(b, 2)));
        CHECK(store.commit() == errc::store_damaged);
    }
    for (const char* damage : {
             "UPDATE value SET bytes = x'00'",
             "UPDATE chunk SET bytes = zeroblob(length(bytes))",
             "DELETE FROM chunk",
             "UPDATE origin SET cut = 1",
             "UPDATE file SET generation = 0",
         }) {
        CAPTURE(damage);
        const Folder folder;
        const SqliteOptions options = quick(folder.file());
        {
            SqliteStore store{options};
            REQUIRE_FALSE(store.append(frame(a, 1)));
            REQUIRE_FALSE(store.put("key", Bytes(3, std::byte{3})));
            REQUIRE_FALSE(store.adopt(some_bytes(200'000, 1), {{a, 1, 0}}));
            REQUIRE_FALSE(store.commit());
        }
        corrupt(options.file, damage);
        const Result<SqliteStore> opened = SqliteStore::open(options);
        if (!opened) {
            CHECK(opened.error() == errc::store_damaged);
            continue;
        }
        auto& store = const_cast<SqliteStore&>(*opened);
        const SharedBytes snapshot = store.snapshot();
        if (snapshot) CHECK(snapshot == some_bytes(200'000, 1));
        const std::optional<Bytes> value = store.get("key");
        if (value) CHECK(*value == Bytes(3, std::byte{3}));
        CHECK(store.commit() == errc::store_damaged);
    }
}

TEST_CASE("bytes that are overturned anywhere in a file never come back as something else") {
    const Folder folder;
    SqliteOptions options = quick(folder.file("good.db"));
    std::vector<SharedBytes> written;
    {
        SqliteStore store{options};
        for (std::uint64_t first = 1; first <= 200; ++first) {
            const Frame made = frame(a, first, 1, 100);
            written.push_back(made.bytes());
            REQUIRE_FALSE(store.append(made));
        }
        REQUIRE_FALSE(store.adopt(some_bytes(50'000, 1), {{a, 100, 0}}));
        REQUIRE_FALSE(store.commit());
    }
    std::string good;
    {
        std::ifstream in(options.file, std::ios::binary);
        good.assign(std::istreambuf_iterator<char>(in), {});
    }
    std::size_t noticed = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        detail::Random random{seed};
        std::string bad = good;
        for (int at = 0; at < 4; ++at) bad[random.below(bad.size())] ^= static_cast<char>(1 + random.below(255));
        SqliteOptions damaged = options;
        damaged.file = folder.file(std::to_string(seed));
        std::ofstream(damaged.file, std::ios::binary) << bad;
        Result<SqliteStore> opened = SqliteStore::open(damaged);
        if (!opened) {
            ++noticed;
            continue;
        }
        SqliteStore store = *std::move(opened);
        for (const SharedBytes& frame : all_frames(store))
            CHECK(std::find(written.begin(), written.end(), frame) != written.end());
        if (const SharedBytes snapshot = store.snapshot()) CHECK(snapshot == some_bytes(50'000, 1));
        const std::error_code error = store.commit();
        if (error) ++noticed;
        if (!error) CHECK(all_frames(store) == written);
    }
    CHECK(noticed > 100);
}

TEST_CASE("a file that cannot be written is read; it is written to when it can be") {
    const Folder folder;
    FaultyDisk disk;
    SqliteOptions options = quick(folder.file());
    options.vfs = FaultyDisk::name;
    {
        SqliteStore store{options};
        REQUIRE_FALSE(store.append(frame(a, 1)));
        REQUIRE_FALSE(store.commit());
    }
    disk.make_read_only(true);
    SqliteStore store{options};
    CHECK(all_frames(store).size() == 1);
    CHECK(store.commit() == errc::store_read_only);
    REQUIRE_FALSE(store.append(frame(a, 2)));
    CHECK(store.commit() == errc::store_read_only);
    disk.make_read_only(false);
    CHECK_FALSE(store.commit());
    bool held = false;
    CHECK(frames_of(store, {a, 1, 9}, 9, held).size() == 2);
}

TEST_CASE("commits that are asked for while one is under way share the next one, and calls do not wait for them") {
    const Folder folder;
    SqliteStore store{{.file = folder.file(), .synchronous = Synchronous::off}};
    using Clock = std::chrono::steady_clock;
    std::promise<void> go;
    std::promise<std::error_code> done;
    std::uint64_t next = 0;
    REQUIRE_FALSE(store.append(frame(a, ++next)));
    store.commit_later([&](std::error_code error) {
        go.get_future().wait();
        done.set_value(error);
    });
    for (int more = 0; more < 1000; ++more) REQUIRE_FALSE(store.append(frame(a, ++next)));
    const SharedBytes large = some_bytes(30u << 20, 1);
    const auto before = Clock::now();
    REQUIRE_FALSE(store.adopt(large, {{a, next, 0}}));
    go.set_value();
    CHECK_FALSE(done.get_future().get());
    std::promise<std::error_code> all;
    store.commit_later([&](std::error_code error) { all.set_value(error); });
    Clock::duration longest{};
    std::uint64_t calls = 0;
    std::future<std::error_code> written = all.get_future();
    while (written.wait_for(std::chrono::seconds{0}) != std::future_status::ready || calls < 100) {
        const auto at = Clock::now();
        bool held = false;
        CHECK(frames_of(store, {a, next, next}, 1, held).size() == 1);
        REQUIRE_FALSE(store.append(frame(a, ++next)));
        CHECK(store.snapshot() != nullptr);
        longest = std::max(longest, Clock::now() - at);
        ++calls;
    }
    CHECK_FALSE(written.get());
    CHECK_FALSE(store.commit());
    MESSAGE(
        "30 MiB of a snapshot: " << std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - before).count()
                                 << " ms; the longest wait of " << calls << " calls meanwhile: "
                                 << std::chrono::duration_cast<std::chrono::microseconds>(longest).count() << " us");
    CHECK(store.snapshot() == large);
}
