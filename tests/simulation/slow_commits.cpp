// Disks that take longer for a commit than a peer waits for an answer: what is durable travels all the same.
#include <doctest/doctest.h>
#include <netsync/netsync.hpp>
#include <netsync/testing.hpp>

#include <cstdint>

using namespace netsync;
using namespace std::chrono_literals;

namespace {

using Set = OrSet<std::uint64_t>;

/// Adds numbers that nobody else adds.
struct Writer {
    std::uint64_t written = 0;

    template <class Replica>
    void operator()(Replica& replica, testing::Random&) {
        for (int more = 0; more < 20; ++more) replica.update(add(++written));
    }
};

/// Four replicas, each of whose commits takes up to 6 s, and is followed by the next one while there are changes.
struct SlowPool {
    explicit SlowPool(std::uint64_t seed)
        : world({.seed = seed, .replicas = 4, .pace = 2s, .commit = 6s, .replica = options()}) {
        world.run(nobody, 5s);
    }

    static Options options() {
        Options options;
        options.limits.transfer = 4096;
        return options;
    }

    bool is_equal() {
        for (std::size_t at = 0; at < 4; ++at)
            if (!world.replica(at) || world.replica(at)->digest() != world.replica(0)->digest()) return false;
        return true;
    }

    std::uint64_t frames_sent() {
        std::uint64_t sent = 0;
        for (std::size_t at = 0; at < 4; ++at) sent += world.replica(at)->report().traffic.frames_out;
        return sent;
    }

    /// Until all are equal; at most 300 s.
    Duration settle() {
        const Duration begin = world.now();
        while (!is_equal() && world.now() - begin < 300s && !world.failure()) world.run(nobody, 500ms);
        return world.now() - begin;
    }

    static constexpr auto nobody = [](auto&, auto&) {};
    testing::Simulation<Set, testing::LateStore> world;
    Writer writer;
};

}  // namespace

TEST_CASE("what is durable is asked for and sent while commits are under way that take longer than an answer may") {
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
        CAPTURE(seed);
        SlowPool pool{seed};
        pool.world.run(pool.writer, 40s);
        const std::uint64_t before = pool.frames_sent();
        const Duration took = pool.settle();
        CHECK_FALSE(pool.world.failure());
        CHECK(took < 50s);  // 64 frames a commit is all that a LateStore takes
        CHECK(pool.frames_sent() - before < 2 * pool.writer.written);
    }
}

TEST_CASE("replicas with such disks find each other, also while they are written to") {
    for (const std::uint64_t seed : {5u, 6u, 7u}) {
        CAPTURE(seed);
        testing::Simulation<Set, testing::LateStore> world({.seed = seed, .replicas = 4, .pace = 2s, .commit = 6s});
        Writer writer;
        const auto linked = [&] {
            for (std::size_t at = 0; at < 4; ++at) {
                if (!world.replica(at)) return false;
                int live = 0;
                for (const Member& member : world.replica(at)->report().members)
                    if (member.state == MemberState::live) ++live;
                if (live < 3) return false;
            }
            return true;
        };
        while (!linked() && world.now() < 300s && !world.failure()) world.run(writer, 500ms);
        CHECK(world.now() < 60s);
        CHECK_FALSE(world.failure());
    }
}

TEST_CASE("members with such disks stay members of each other") {
    SlowPool pool{4};
    pool.world.run(pool.nobody, 60s);
    for (int second = 0; second < 40; ++second) {
        pool.world.run(pool.writer, 1s);
        for (std::size_t at = 0; at < 4; ++at)
            for (const Member& member : pool.world.replica(at)->report().members)
                CHECK(member.state == MemberState::live);
    }
    CHECK_FALSE(pool.world.failure());
}
