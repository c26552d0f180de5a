// Whole states: what is decoded encodes to the same bytes (the form is canonical), and joins without harm.
#include <netsync/netsync.hpp>

#include <cstdint>

#include "types.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netsync;
    const ByteView bytes{reinterpret_cast<const std::byte*>(data), size};
    const auto snapshot = decode_snapshot<fuzz::Everything>(bytes);
    if (!snapshot) return 0;
    CausalContext theirs;
    for (const Head& head : snapshot->heads) theirs.add(DotRange{intern(head.replica), 1, head.counter});
    fuzz::Everything state{};
    merge(state, snapshot->state, Join{.mine = {}, .theirs = theirs, .scope = Scope::whole});
    static_cast<void>(encode_snapshot(*snapshot, state));
    return 0;
}
