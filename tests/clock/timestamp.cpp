#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <chrono>
#include <random>

using namespace netsync;
using namespace std::chrono_literals;

TEST_CASE("S2-01 the text form round-trips") {
    const char* text = "2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5";
    const Result<Timestamp> stamp = parse_timestamp(text);
    REQUIRE(stamp);
    CHECK(stamp->time.seconds() == 1649487216);
    CHECK(stamp->time.nanoseconds() == 397295996);
    CHECK(stamp->time.value == 7084493649596461245u);
    CHECK(stamp->time.value == 0x62512d7065b530bdu);
    CHECK(to_string(*stamp) == text);
}

TEST_CASE("S2-02 the epoch, a second, half a second") {
    const ReplicaId id{0, 1};
    CHECK(to_string(Timestamp{Ntp64{0}, id}).starts_with("1970-01-01T00:00:00.000000000Z/"));
    CHECK(to_string(Timestamp{Ntp64{std::uint64_t{1} << 32}, id}).starts_with("1970-01-01T00:00:01.000000000Z/"));
    CHECK(to_string(Timestamp{Ntp64{0x80000000u}, id}).starts_with("1970-01-01T00:00:00.500000000Z/"));
    CHECK(to_string(Timestamp{Ntp64{~std::uint64_t{0}}, id}).starts_with("2106-02-07T06:28:15.999999999Z/"));
}

TEST_CASE("S2-03 nanoseconds survive NTP64") {
    const auto survives = [](std::uint32_t ns) {
        return Ntp64::from_duration(std::chrono::nanoseconds{ns}).nanoseconds() == ns;
    };
    for (const std::uint32_t ns : {0u, 1u, 84u, 129693000u, 860479000u, 999999999u}) CHECK(survives(ns));
    std::mt19937 random{1};
    std::uniform_int_distribution<std::uint32_t> any{0, 999'999'999};
    for (int i = 0; i < 100'000; ++i) {
        const std::uint32_t ns = any(random);
        if (!survives(ns)) FAIL(ns);
    }
}

TEST_CASE("S2-04 what parses and what does not") {
    for (const char* good : {"2022-04-09T06:53:36Z/1", "2022-04-09T06:53:36.3Z/1", "2024-02-29T00:00:00Z/ab", "0/1",
                             "18446744073709551615/AbCdEf", "1970-01-01T00:00:00Z/00000000000000000000000000000001"}) {
        CAPTURE(good);
        CHECK(parse_timestamp(good));
    }
    CHECK(parse_timestamp("2022-04-09T06:53:36.3Z/1")->time.nanoseconds() == 300'000'000);
    for (const char* bad : {"",
                            "/",
                            "2022-04-09T06:53:36Z",
                            "2022-04-09T06:53:36Z/",
                            "2023-02-29T00:00:00Z/1",
                            "2022-13-09T06:53:36Z/1",
                            "2022-04-00T06:53:36Z/1",
                            "2022-04-09T24:53:36Z/1",
                            "2022-04-09T06:60:36Z/1",
                            "2022-04-09T06:53:60Z/1",
                            "2022-04-09T06:53:36+02:00/1",
                            "2022-04-09 06:53:36Z/1",
                            "1969-12-31T23:59:59Z/1",
                            "2107-01-01T00:00:00Z/1",
                            "2022-04-09T06:53:36Z/000000000000000000000000000000001",
                            "2022-04-09T06:53:36Z/xyz",
                            "2022-04-09T06:53:36Z/0",
                            "2022-04-09T06:53:36Z/00000000000000000000000000000000",
                            "2022-04-09T06:53:36.Z/1",
                            "2022-04-09T06:53:36.0123456789Z/1",
                            "18446744073709551616/1",
                            "-1/1",
                            "+1/1",
                            " 1/1",
                            "1 /1"}) {
        CAPTURE(bad);
        CHECK(parse_timestamp(bad).error() == errc::bad_timestamp);
    }
}

TEST_CASE("the exact form keeps every bit") {
    std::mt19937_64 random{2};
    for (int i = 0; i < 1000; ++i) {
        const Timestamp stamp{Ntp64{random()}, {random(), random()}};
        CHECK(*parse_timestamp(to_exact_string(stamp)) == stamp);
        CHECK(*parse_replica_id(to_string(stamp.replica)) == stamp.replica);
    }
}

TEST_CASE("timestamps go by time, then by id as printed") {
    const Timestamp early{Ntp64{1}, {9, 9}}, late{Ntp64{2}, {0, 1}}, later{Ntp64{2}, {0, 2}}, latest{Ntp64{2}, {1, 0}};
    CHECK(early < late);
    CHECK(late < later);
    CHECK(later < latest);
    CHECK(to_string(later.replica) < to_string(latest.replica));
}
