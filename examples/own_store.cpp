// A store of one's own: a journal file. Each commit is added at its end; opening it reads them all back.
#include <cassert>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <netsync/netsync.hpp>
#include <random>
#include <string>
#include <vector>

/// Serves from memory, as MemoryStore does, and survives its program. A commit is in the file whole or not at all: one
/// that a crash has torn is cut off. (For power cuts, commit() would have to fsync.)
class JournalStore {
   public:
    explicit JournalStore(std::filesystem::path path) : path_(std::move(path)) {
        std::ifstream file(path_, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        netsync::Input journal{std::as_bytes(std::span(text)), netsync::Limits::state_budget(text.size())};
        for (std::vector<Entry> commit; journal(commit).ok(); end_ = text.size() - journal.remaining())
            for (const Entry& entry : commit) static_cast<void>(take(entry));
    }

    std::error_code append(const netsync::Frame& frame) { return stage('f', "", *frame.bytes()); }
    std::error_code adopt(const netsync::SharedBytes& state, const std::vector<netsync::Head>&) {
        return stage('s', "", *state);
    }
    std::error_code cut(const std::vector<netsync::ReplicaCounter>& counters) {
        netsync::Output cut;
        cut(counters);
        return stage('c', "", cut.view());
    }
    std::error_code clear() { return stage('n', "", {}); }
    std::error_code put(std::string_view key, netsync::ByteView value) { return stage('v', key, value); }
    std::error_code commit() {
        netsync::Output commit;
        commit(staged_);
        std::ofstream file(path_, std::ios::binary | std::ios::app);
        std::error_code error;
        std::filesystem::resize_file(path_, end_, error);
        file.write(reinterpret_cast<const char*>(commit.view().data()), static_cast<std::streamsize>(commit.size()));
        if (error || !file.flush()) return std::make_error_code(std::errc::io_error);  // all is staged still
        end_ += commit.size();
        staged_.clear();
        return {};
    }

    std::optional<netsync::Bytes> get(std::string_view key) const { return held_.get(key); }
    netsync::SharedBytes snapshot() const { return held_.snapshot(); }
    void replay(const netsync::FrameVisitor& visit) const { held_.replay(visit); }
    bool frames(const netsync::CounterRange& range, const netsync::FrameVisitor& visit) const {
        return held_.frames(range, visit);
    }

   private:
    struct Entry {
        char kind = 0;  // a frame, a state, a cut, nothing, or a value under its key
        std::string key{};
        netsync::Bytes bytes{};
    };

    std::error_code stage(char kind, std::string_view key, netsync::ByteView bytes) {
        return take(staged_.emplace_back(Entry{kind, std::string(key), {bytes.begin(), bytes.end()}}));
    }

    std::error_code take(const Entry& entry) {
        if (entry.kind == 'v') return held_.put(entry.key, entry.bytes);
        if (entry.kind == 'n') return held_.clear();
        const netsync::SharedBytes bytes{entry.bytes};
        if (entry.kind == 's') {
            const auto header = netsync::decode_snapshot_header(*bytes);
            return header ? held_.adopt(bytes, header->heads) : header.error();
        }
        if (entry.kind == 'c') {
            netsync::Input cut{*bytes, netsync::Limits::frame_budget(bytes->size())};
            std::vector<netsync::ReplicaCounter> counters;
            cut(counters);
            return held_.cut(counters);
        }
        const auto frame = netsync::Frame::parse(bytes);
        return frame ? held_.append(*frame) : frame.error();
    }

    std::filesystem::path path_;
    std::uintmax_t end_ = 0;  // of the last whole commit
    netsync::MemoryStore held_;
    std::vector<Entry> staged_;
};

static_assert(netsync::store<JournalStore>);

int main() {
    using List = netsync::OrSet<std::string>;
    using Kitchen = netsync::Replica<JournalStore, netsync::MemoryTransport, netsync::HybridClock, List>;
    const auto path = std::filesystem::temp_directory_path() / ("netsync-" + std::to_string(std::random_device{}()));
    netsync::MemoryHub network;
    netsync::MemoryReplica<List> phone{network};
    {
        Kitchen kitchen{network, {.name = "kitchen"}, JournalStore{path}};
        phone.update(netsync::add("milk"));
        network.run();
        kitchen.update(netsync::add("eggs"));
    }
    std::ofstream(path, std::ios::binary | std::ios::app) << "a commit that was torn";
    phone.update(netsync::add("tea"));

    Kitchen kitchen{network, {.name = "kitchen"}, JournalStore{path}};  // switched on again, the same replica as before
    assert(kitchen.state().contains("milk") && kitchen.state().contains("eggs"));
    network.run();
    assert(kitchen.state().contains("tea") && kitchen.state() == phone.state());
    std::filesystem::remove(path);
}
