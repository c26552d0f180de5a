// netsync: the log in memory. Frames come in as they are made or received and go out to whoever lacks them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <netsync/detail/ordered_map.hpp>
#include <netsync/store/concept.hpp>
#include <string>
#include <utility>
#include <vector>

namespace netsync {

/// Copies share their contents, as two openings of one file would: a test restarts a replica on the same "disk".
/// append: O(log origins); frames: O(log frames) to the first.
class MemoryStore {
   public:
    /// Contents of its own, the same as these now: a copied disk.
    MemoryStore copy() const {
        MemoryStore other;
        other.contents_->snapshot = contents_->snapshot;
        other.contents_->sequence = contents_->sequence;
        for (const auto& [origin, log] : contents_->logs) other.contents_->logs[origin] = log;
        for (const auto& [key, value] : contents_->values) other.contents_->values[key] = value;
        return other;
    }

    std::error_code append(const Frame& frame) {
        const FrameHeader& header = frame.header();
        auto& log = contents_->logs[header.origin];
        if (!log.empty() && header.first != log.back().last + 1) return errc::not_contiguous;
        log.push_back({header.first, header.last(), ++contents_->sequence, frame.bytes()});
        return {};
    }

    std::error_code adopt(const SharedBytes& snapshot, const std::vector<Head>& heads) {
        contents_->snapshot = snapshot;
        for (const Head& head : heads) {
            auto& log = contents_->logs[head.replica];
            if (!log.empty() && log.back().last < head.counter) log.clear();
        }
        return {};
    }

    std::error_code cut(const std::vector<ReplicaCounter>& counters) {
        for (const ReplicaCounter& upto : counters)
            if (Log* log = contents_->logs.find(upto.replica))
                std::erase_if(*log, [&](const Entry& entry) { return entry.first <= upto.counter; });
        return {};
    }

    std::error_code clear() {
        contents_->logs.clear();
        contents_->snapshot = nullptr;
        return {};
    }

    std::error_code put(std::string_view key, ByteView value) {
        contents_->values[std::string(key)].assign(value.begin(), value.end());
        return {};
    }

    std::error_code commit() { return {}; }

    std::optional<Bytes> get(std::string_view key) const {
        const Bytes* found = contents_->values.find(key);
        return found ? std::optional{*found} : std::nullopt;
    }

    SharedBytes snapshot() const { return contents_->snapshot; }

    void replay(const FrameVisitor& visit) const {
        std::vector<const Entry*> all;
        for (const auto& [origin, log] : contents_->logs)
            for (const Entry& entry : log) all.push_back(&entry);
        std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->sequence < b->sequence; });
        for (const Entry* entry : all)
            if (!visit(entry->bytes)) return;
    }

    bool frames(const CounterRange& range, const FrameVisitor& visit) const {
        const Log* found = contents_->logs.find(range.replica);
        if (!found) return false;
        const Log& log = *found;
        if (log.empty() || range.first < log.front().first || range.first > log.back().last) return false;
        auto at =
            std::partition_point(log.begin(), log.end(), [&](const Entry& entry) { return entry.last < range.first; });
        for (; at != log.end() && at->first <= range.last; ++at)
            if (!visit(at->bytes)) break;
        return true;
    }

   private:
    struct Entry {
        std::uint64_t first;
        std::uint64_t last;
        std::uint64_t sequence;
        SharedBytes bytes;
    };
    using Log = std::vector<Entry>;

    struct Contents {
        detail::OrderedMap<ReplicaId, Log> logs;
        detail::OrderedMap<std::string, Bytes> values;
        SharedBytes snapshot;
        std::uint64_t sequence = 0;
    };

    std::shared_ptr<Contents> contents_ = std::make_shared<Contents>();
};

static_assert(store<MemoryStore>);

}  // namespace netsync
