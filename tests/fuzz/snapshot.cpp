// Whole states: what is decoded encodes to the same bytes (the form is canonical), and joins without harm; joined as it is
// read it gives the same, or the same error.
#include <netsync/netsync.hpp>

#include <cstdint>
#include <cstdlib>

#include "types.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netsync;
    const ByteView bytes{reinterpret_cast<const std::byte*>(data), size};
    const auto header = decode_snapshot_header(bytes);
    const auto snapshot = decode_snapshot<fuzz::Everything>(bytes);
    if (!header) return 0;
    CausalContext theirs;
    for (const Head& head : header->heads) theirs.add(DotRange{intern(head.replica), 1, head.counter});
    fuzz::Everything state{}, read{};
    const auto join_read = [&](const CausalContext& ours) {
        return read_snapshot(bytes, *header, Limits{}, [&](Input& in) {
            static_cast<void>(in.merge_into(read, Join{.mine = ours, .theirs = theirs, .scope = Scope::whole}));
        });
    };
    if (join_read({}) != snapshot.error()) std::abort();
    if (!snapshot) return 0;
    merge(state, snapshot->state, Join{.mine = {}, .theirs = theirs, .scope = Scope::whole});
    const Result<Bytes> encoded = encode_snapshot(*snapshot, state);
    const auto is_same = [&] {
        const Result<Bytes> again = encode_snapshot(*snapshot, read);
        return again ? encoded && *again == *encoded : !encoded;
    };
    if (!is_same()) std::abort();
    if (join_read(theirs) || !is_same()) std::abort();  // nothing of it is new any more
    return 0;
}
