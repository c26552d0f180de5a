// A link's bytes into a whole replica: strangers' introductions, members' requests, frames and states.
#include <netsync/netsync.hpp>

#include <cstdint>
#include <memory>

#include "types.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace netsync;
    MemoryHub hub;
    MemoryReplica<fuzz::Everything> replica{hub, {.name = "target", .seed = 1}};
    replica.update(&fuzz::Everything::or_set, add("kept"));
    MemoryTransport peer{hub};
    Link link{};
    static_cast<void>(peer.start({}, [&](const TransportEvent& event) {
        if (const auto* opened = std::get_if<LinkOpened>(&event)) link = opened->link;
    }));
    peer.dial({"memory", replica.report().port});
    hub.run();
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    if (size > 0 && data[0] % 2 == 0)  // half of the inputs come from a member
        peer.send(link, encode_message(Greeting{{.pool = "netsync", .replica = {7, 7}, .port = peer.port()}}));
    for (std::size_t at = 1; at + 2 <= size;) {  // two bytes of length, then a message
        const std::size_t length = std::min<std::size_t>(data[at] + data[at + 1] * std::size_t{256}, size - at - 2);
        peer.send(link, SharedBytes{ByteView{bytes + at + 2, length}});
        at += 2 + length;
    }
    peer.announce(ByteView{bytes, size});
    hub.run();
    if (!replica.read([](const fuzz::Everything& now) { return now.or_set.contains("kept"); }))
        if (replica.report().traffic.frames_applied == 0 && replica.report().syncs.empty()) __builtin_trap();
    return 0;
}
