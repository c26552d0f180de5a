// netsync: the store that keeps nothing. For caches, benchmarks, and replicas that may forget.
#pragma once

#include <netsync/store/concept.hpp>

namespace netsync {

/// A replica over it has its state in memory only; it sends its own updates as they happen, and whole states where
/// another store would send frames.
struct NullStore {
    std::error_code append(const Frame&) { return {}; }
    std::error_code adopt(const SharedBytes&, const std::vector<Head>&) { return {}; }
    std::error_code cut(const std::vector<ReplicaCounter>&) { return {}; }
    std::error_code clear() { return {}; }
    std::error_code put(std::string_view, ByteView) { return {}; }
    std::error_code commit() { return {}; }
    std::optional<Bytes> get(std::string_view) const { return std::nullopt; }
    SharedBytes snapshot() const { return nullptr; }
    void replay(const FrameVisitor&) const {}
    bool frames(const CounterRange&, const FrameVisitor&) const { return false; }
};

static_assert(store<NullStore>);

}  // namespace netsync
