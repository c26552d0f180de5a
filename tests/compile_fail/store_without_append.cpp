// expect: store
// A store must be able to append.
#include <netsync/netsync.hpp>

struct Forgetful {
#ifndef REJECT
    std::error_code append(const netsync::Frame&) { return {}; }
#endif
    std::error_code adopt(const netsync::SharedBytes&, const std::vector<netsync::Head>&) { return {}; }
    std::error_code cut(const std::vector<netsync::ReplicaCounter>&) { return {}; }
    std::error_code clear() { return {}; }
    std::error_code put(std::string_view, netsync::ByteView) { return {}; }
    std::error_code commit() { return {}; }
    std::optional<netsync::Bytes> get(std::string_view) const { return std::nullopt; }
    netsync::SharedBytes snapshot() const { return nullptr; }
    void replay(const netsync::FrameVisitor&) const {}
    bool frames(const netsync::CounterRange&, const netsync::FrameVisitor&) const { return false; }
};

using Test = netsync::Replica<Forgetful, netsync::MemoryTransport, netsync::HybridClock, netsync::OrSet<int>>;
netsync::MemoryHub hub;
Test replica{hub};
