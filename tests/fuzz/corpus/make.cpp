// Makes the corpus anew, after a change of the wire format: make DIRECTORY. One valid input of each kind, to be damaged
// by the replay and by the fuzzer.
#include "../types.hpp"

#include <cstdio>
#include <fstream>
#include <string>

using namespace netsync;
using fuzz::Everything;

namespace {

std::string directory;

void write(const std::string& name, ByteView bytes) {
    std::ofstream file{directory + '/' + name, std::ios::binary};
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
void write(const std::string& name, std::string_view text) {
    write(name, std::as_bytes(std::span{text.data(), text.size()}));
}

/// A session for fuzz/message.cpp: the first byte says whether a member speaks, then each message after its length.
template <class... M>
void session(const std::string& name, bool member, const M&... messages) {
    Bytes bytes{static_cast<std::byte>(member ? 0 : 1)};
    const auto append = [&](const SharedBytes& message) {
        bytes.push_back(static_cast<std::byte>(message->size() & 0xff));
        bytes.push_back(static_cast<std::byte>(message->size() >> 8));
        bytes.insert(bytes.end(), message->begin(), message->end());
    };
    (append(messages), ...);
    write("message/" + name, bytes);
}

template <class Mutate>
Frame frame(const Everything& now, Mutate&& mutate) {
    const ReplicaId origin{7, 7};
    Change change{intern(origin), 1, Ntp64{1000}};
    const Everything delta = mutate(now, change);
    FrameHeader header{
        .origin = origin, .first = 1, .count = std::max<std::uint64_t>(1, change.minted().size()), .time = {1000}};
    header.removed = to_counter_ranges(change.removed());
    return Frame::make(std::move(header), *encode_delta(delta, change.minted(), {1000}, Limits{}), 0);
}

}  // namespace

int main(int, char** arguments) {
    directory = arguments[1];
    const auto fill = [](const Everything& now, Change& change) {
        Everything delta{};
        delta.or_set = now.or_set.add(change, "milk");
        delta.g_set = now.g_set.add(change, -5);
        delta.lww_set = now.lww_set.add(change, 9u);
        delta.lww_register = now.lww_register.assign(change, fuzz::Value{3, "text", {{"k", {1, 2}}}, 1.5, true});
        delta.lww_map = now.lww_map.assign(change, "key", fuzz::Value{});
        delta.pn_counter = now.pn_counter.increment(change, 300);
        delta.or_map =
            now.or_map.update(change, "lot", [](const auto& bids, Change& inner) { return bids.add(inner, {8}); });
        delta.owned = now.owned.update(change, [](const auto&, Change&) { return fuzz::HighestBid{4}; });
        delta.owned_set =
            now.owned_set.update(change, [](const auto& set, Change& inner) { return set.add(inner, 1); });
        delta.folder.children = now.folder.children.update(change, "a", [](const fuzz::Folder& folder, Change& inner) {
            return fuzz::Folder{.children = {}, .files = folder.files.add(inner, "b")};
        });
        return delta;
    };
    const Frame full = frame({}, fill);
    write("frame/everything", *full.bytes());
    Everything state = *full.delta<Everything>();
    const Frame removes = frame(state, [](const Everything& now, Change& change) {
        Everything delta{};
        delta.or_set = now.or_set.clear(change);
        delta.or_map = now.or_map.remove(change, "lot");
        delta.lww_map = now.lww_map.remove(change, "key");
        return delta;
    });
    write("frame/removes", *removes.bytes());
    write("frame/empty", *frame({}, [](const Everything&, Change&) { return Everything{}; }).bytes());
    const Bytes snapshot = *encode_snapshot({{{{7, 7}, full.header().last(), full.header().hash}}, {1000}}, state);
    write("snapshot/everything", snapshot);
    write("snapshot/empty", *encode_snapshot({}, Everything{}));
    write("snapshot/forgotten", *encode_snapshot({.heads = {{{7, 7}, full.header().last(), full.header().hash}},
                                                  .time = {1000},
                                                  .forgotten = {1},
                                                  .lineage = 5},
                                                 state));
    const Introduction self{.pool = "netsync",
                            .replica = {7, 7},
                            .name = "n",
                            .session = 1,
                            .port = 2,
                            .wall = {5},
                            .heads = {{{7, 7}, 3, 4}},
                            .members = {{{8, 8}, {"memory", 9}}}};
    session("stranger", false, encode_message(Response{.pool = "netsync", .replica = {7, 7}}),
            encode_message(Handshake{self}), full.bytes());
    session("member", true, full.bytes(), encode_message(DigestMessage{1, false}), encode_message(Ping{5}),
            encode_message(HeadsMessage{{{{7, 7}, 100, 0}}, true}), encode_message(FetchMessage{{{{7, 7}, 1, 5}}}),
            encode_message(FramesMessage{{{full.bytes()}}, true}), encode_message(StateRequest{1, 0}),
            encode_message(FrameRefused{{7, 7}, 1, 5}), encode_message(Pong{0, {5}}),
            encode_message(IntroduceYourself{}));
    session("loading", true, encode_message(Handshake{self}),
            encode_message(StateChunk{5, snapshot.size(), 0, snapshot}), encode_message(Refusal{errc::wrong_pool}));
    write("text/timestamp", "2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5");
    write("text/exact", "7084493649596461245/1");
    write("text/endpoint", "[::1]:21075");
    write("text/id", "89F9DD8514914648989315B2D30D7BE5");
    write("text/announcement", encode_announcement({.pool = "netsync", .replica = {7, 7}, .port = 5}));
}
