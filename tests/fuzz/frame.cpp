// Frames: header, context, and the delta as every kind of type.
#include <netsync/netsync.hpp>

#include <cstdint>
#include <memory>
#include <string>

#include "types.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netsync;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const Result<Frame> frame = Frame::parse(SharedBytes{ByteView{bytes, size}});
    if (!frame) return 0;
    static_cast<void>(frame->context());
    const auto delta = frame->delta<fuzz::Everything>();
    if (!delta) return 0;
    // What was accepted is merged and encoded again without harm.
    fuzz::Everything state{};
    const CausalContext seen, context = frame->context();
    merge(state, *delta, Join{.mine = seen, .theirs = context, .origin = frame->header().origin.owner()});
    const DotRange minted{intern(frame->header().origin), frame->header().first, frame->header().last()};
    static_cast<void>(encode_delta(*delta, minted, frame->header().time, Limits{}));
    return 0;
}
