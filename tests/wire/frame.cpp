// Frames and snapshots: headers, hashes, and that no bytes speak of dots or times outside of them.
#include <doctest/doctest.h>
#include <netsync/netsync.hpp>

#include <random>
#include <string>

using namespace netsync;

namespace {

const ReplicaId origin{41, 1}, other{41, 2};

Frame sample(std::uint64_t previous = 0) {
    Change change{intern(origin), 5, Ntp64{1000}};
    const OrSet<std::string> delta = OrSet<std::string>{}.add(change, "x");
    FrameHeader header{.origin = origin,
                       .first = 5,
                       .count = 1,
                       .time = {1000},
                       .dependencies = {{other, 7}},
                       .removed = {{origin, 2, 3}, {origin, 5, 9}, {other, 1, 1}}};
    return Frame::make(std::move(header), *encode_delta(delta, change.minted(), {1000}, Limits{}), previous);
}

Bytes bytes_of(const Frame& frame) { return {frame.bytes()->begin(), frame.bytes()->end()}; }

Result<Frame> parse(Bytes bytes) { return Frame::parse(SharedBytes{std::move(bytes)}); }

}  // namespace

TEST_CASE("a frame's header comes back, and its bytes are its own message") {
    const Frame frame = sample();
    CHECK(kind_of(*frame.bytes()) == MessageKind::update);
    const Result<Frame> back = Frame::parse(frame.bytes());
    REQUIRE(back);
    CHECK(back->header().origin == origin);
    CHECK(back->header().first == 5);
    CHECK(back->header().last() == 5);
    CHECK(back->header().time == Ntp64{1000});
    CHECK(back->header().dependencies == frame.header().dependencies);
    CHECK(back->header().removed == frame.header().removed);
    CHECK(back->header().hash == frame.header().hash);
    CHECK(back->delta<OrSet<std::string>>()->contains("x"));
    CHECK(frame.bytes()->size() < 110);
}

TEST_CASE("the rolling hash tells one history from another") {
    const Frame first = sample(), second = sample(first.header().hash);
    CHECK(first.header().hash != second.header().hash);
    CHECK(first.continues(0));
    CHECK_FALSE(first.continues(1));
    CHECK(second.continues(first.header().hash));
    Bytes changed = bytes_of(first);
    changed[changed.size() - 10] ^= std::byte{1};
    const Result<Frame> forged = parse(changed);
    CHECK((!forged || !forged->continues(0)));
}

TEST_CASE("every truncation and every flipped bit of a frame is an error or another frame, never a crash") {
    const Bytes whole = bytes_of(sample());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const Result<Frame> frame = parse(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        if (frame) {
            CHECK_FALSE(frame->continues(0));
            static_cast<void>(frame->delta<OrSet<std::string>>());
        }
    }
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        Bytes flipped = whole;
        flipped[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
        const Result<Frame> frame = parse(flipped);
        if (!frame) continue;
        CHECK_FALSE(frame->continues(0));
        static_cast<void>(frame->delta<OrSet<std::string>>());
        static_cast<void>(frame->context());
    }
}

TEST_CASE("a delta cannot speak of dots that its frame did not mint, nor of later times") {
    const DotRange wide{intern(origin), 5, 9};
    const auto frame_of = [](const Bytes& delta, std::uint64_t count, Ntp64 time) {
        return Frame::make({.origin = origin, .first = 5, .count = count, .time = time}, delta, 0);
    };
    Change change{intern(origin), 9, Ntp64{1000}};
    const Bytes far = *encode_delta(OrSet<int>{}.add(change, 1), wide, {1000}, Limits{});  // the dot 9
    CHECK(frame_of(far, 5, {1000}).delta<OrSet<int>>());
    CHECK(frame_of(far, 4, {1000}).delta<OrSet<int>>().error() == errc::malformed);
    Change early{intern(origin), 5, Ntp64{990}};
    const Bytes stamped = *encode_delta(LwwRegister<int>{}.assign(early, 1), wide, {1000}, Limits{});
    CHECK(frame_of(stamped, 5, {1000}).delta<LwwRegister<int>>()->written().time == Ntp64{990});
    CHECK(frame_of(stamped, 5, {5}).delta<LwwRegister<int>>().error() == errc::malformed);
}

TEST_CASE("bad headers") {
    const auto with = [](FrameHeader header) {
        return Frame::parse(Frame::make(std::move(header), Bytes{}, 0).bytes()).error();
    };
    CHECK(with({.origin = {}, .first = 1, .count = 1, .time = {}}) == errc::malformed);
    CHECK(with({.origin = origin, .first = 0, .count = 1, .time = {}}) == errc::malformed);
    CHECK(with({.origin = origin, .first = 1, .count = 0, .time = {}}) == errc::malformed);
    CHECK(with({.origin = origin, .first = max_counter, .count = 2, .time = {}}) == errc::malformed);
    CHECK(with({.origin = origin, .time = {}, .dependencies = {{origin, 1}}}) == errc::malformed);
    CHECK(with({.origin = origin, .dependencies = {{other, 0}}}) == errc::malformed);
    CHECK(with({.origin = {9, 9}, .dependencies = {{other, 1}, {origin, 1}}}) == errc::malformed);
    CHECK_FALSE(with({.origin = origin}));
    Bytes version = bytes_of(sample());
    version[1] = std::byte{99};
    CHECK(parse(version).error() == errc::unsupported_version);
    Limits tight;
    tight.frame = 10;
    CHECK(Frame::parse(sample().bytes(), tight).error() == errc::too_large);
}

TEST_CASE("a snapshot holds exactly its context; heads are sorted, unique and real") {
    const ReplicaIndex a = intern(origin);
    Change change{a, 1, {10}};
    OrSet<int> state;
    merge(state, state.add(change, 42), Join{.mine = {}, .theirs = change.context()});
    const Bytes bytes = *encode_snapshot({{{origin, 1, 5}}, {10}}, state);
    const auto back = decode_snapshot<OrSet<int>>(bytes);
    REQUIRE(back);
    CHECK(back->state == state);
    CHECK(back->heads == std::vector<Head>{{origin, 1, 5}});
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK_FALSE(decode_snapshot<OrSet<int>>(ByteView{bytes}.first(size)));
    const auto heads_error = [&](const std::vector<Head>& heads, const std::vector<std::uint64_t>& forgotten = {},
                                 const std::vector<Mark>& marks = {}) {
        Output out;
        out.fixed(wire_version);
        out(heads);
        out.fixed(std::uint64_t{10});
        out(std::vector<Reissue>{}, forgotten, std::uint64_t{0}, marks);
        out(OrSet<int>{});
        return decode_snapshot<OrSet<int>>(out.view()).error();
    };
    CHECK_FALSE(heads_error({{origin, 1, 0}}));
    CHECK(heads_error({{origin, 0, 0}}) == errc::malformed);
    CHECK(heads_error({{ReplicaId{}, 1, 0}}) == errc::malformed);
    CHECK(heads_error({{other, 1, 0}, {origin, 1, 0}}) == errc::malformed);
    CHECK(heads_error({{origin, 1, 0}, {origin, 1, 0}}) == errc::malformed);
    CHECK(heads_error({{origin, max_counter + 1, 0}}) == errc::malformed);
    const auto marks_error = [&](const std::vector<Mark>& marks) { return heads_error({}, {}, marks); };
    CHECK_FALSE(marks_error({{origin, 0, 0, 1, 5, {}}, {origin, 3, 4, 5, 6, {}}}));
    CHECK(marks_error({{origin, 3, 4, 5, 6, {}}, {origin, 0, 0, 1, 5, {}}}) == errc::malformed);
    CHECK(marks_error({{origin, 3, 4, 3, 6, {}}}) == errc::malformed);
    CHECK(marks_error({{ReplicaId{}, 3, 4, 5, 6, {}}}) == errc::malformed);
    CHECK(marks_error({{origin, 3, 4, max_counter + 1, 6, {}}}) == errc::malformed);
    CHECK(marks_error(std::vector<Mark>(max_marks + 1)) == errc::too_large);
    CHECK_FALSE(heads_error({{origin, 3, 0}}, {3}));
    CHECK(heads_error({{origin, 3, 0}}, {4}) == errc::malformed);  // nobody forgets what is not held
    CHECK(heads_error({{origin, 3, 0}}, {0}) == errc::malformed);  // that is said by nothing
    CHECK(heads_error({{origin, 3, 0}}, {1, 1}) == errc::malformed);
}

TEST_CASE("a snapshot says up to where tombstones went, and which way it came") {
    const SnapshotHeader said{
        .heads = {{origin, 5, 1}, {other, 7, 2}}, .time = {10}, .forgotten = {0, 6}, .lineage = 9};
    const Bytes bytes = *encode_snapshot(said, OrSet<int>{});
    const auto back = decode_snapshot_header(bytes);
    REQUIRE(back);
    CHECK(back->forgotten == said.forgotten);
    CHECK(back->lineage == 9);
    CHECK(back->dropped().counters() == std::vector<ReplicaCounter>{{other, 6}});
    CHECK(back->dropped().is_lacked_by(std::vector<ReplicaCounter>{{other, 5}}));
    CHECK_FALSE(back->dropped().is_lacked_by(std::vector<ReplicaCounter>{{other, 6}}));
}

TEST_CASE("messages of all kinds come back, and a kind is not another") {
    const auto heads = HeadsMessage{{{origin, 3, 4}}, true};
    const auto back = decode_message<HeadsMessage>(*encode_message(heads));
    REQUIRE(back);
    CHECK(back->heads == heads.heads);
    CHECK(decode_message<DigestMessage>(*encode_message(heads)).error() == errc::malformed);
    CHECK(decode_message<DigestMessage>(Bytes{}).error() == errc::malformed);
    CHECK(encode_message(DigestMessage{~std::uint64_t{0}, true})->size() <= 64);
    CHECK(decode_announcement(Bytes(2000)).error() == errc::too_large);
    CHECK(decode_announcement(Bytes(20)).error() == errc::malformed);
}
