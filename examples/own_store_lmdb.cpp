// A store of one's own on an engine: LMDB. docs/writing-a-store.md goes through it.
#include <lmdb.h>

#include <cassert>
#include <filesystem>
#include <map>
#include <netsync/netsync.hpp>
#include <random>

/// Serves from memory, as MemoryStore does; a commit is one transaction. Frames lie under their place in the order of
/// append, values and the snapshot under their names.
class LmdbStore {
   public:
    explicit LmdbStore(const std::filesystem::path& path) {
        MDB_env* env = nullptr;
        int error = mdb_env_create(&env);
        env_.reset(env);
        if (error == 0) error = mdb_env_set_mapsize(env, std::size_t{1} << 30);
        if (error == 0) error = mdb_env_open(env, path.c_str(), MDB_NOSUBDIR, 0600);
        if (error == 0)
            error = transact([&](MDB_txn* txn) {
                const int opened = mdb_dbi_open(txn, nullptr, 0, &table_);
                return opened == 0 ? load(txn) : opened;
            });
        if (error != 0) throw std::system_error(netsync::errc::store_io, mdb_strerror(error));
    }

    std::error_code append(const netsync::Frame& frame) {
        if (const std::error_code error = held_.append(frame)) return error;
        const netsync::FrameHeader& header = frame.header();
        places_[next_] = {header.origin, header.first, header.first};
        return stage(frame_key(next_++), *frame.bytes());
    }
    std::error_code adopt(const netsync::SharedBytes& snapshot, const std::vector<netsync::Head>& heads) {
        stage("s", *snapshot);
        return drop(held_.adopt(snapshot, heads));
    }
    std::error_code cut(const std::vector<netsync::ReplicaCounter>& counters) { return drop(held_.cut(counters)); }
    std::error_code clear() {
        stage("s", std::nullopt);
        return drop(held_.clear());
    }
    std::error_code put(std::string_view key, netsync::ByteView value) {
        stage("v" + std::string(key), value);
        return held_.put(key, value);
    }
    std::error_code commit() {
        const int error = transact([this](MDB_txn* txn) {
            int result = 0;
            for (const auto& [name, bytes] : staged_) {
                MDB_val key{name.size(), const_cast<char*>(name.data())};
                MDB_val value{bytes ? bytes->size() : 0, bytes ? const_cast<std::byte*>(bytes->data()) : nullptr};
                if (result == 0)
                    result = bytes ? mdb_put(txn, table_, &key, &value, 0) : mdb_del(txn, table_, &key, &value);
                if (result == MDB_NOTFOUND) result = 0;
            }
            return result;
        });
        if (error == 0) return staged_.clear(), std::error_code{};  // else all of it is staged still
        return error == MDB_MAP_FULL || error == ENOSPC ? netsync::errc::store_full : netsync::errc::store_io;
    }

    std::optional<netsync::Bytes> get(std::string_view key) const { return held_.get(key); }
    netsync::SharedBytes snapshot() const { return held_.snapshot(); }
    void replay(const netsync::FrameVisitor& visit) const { held_.replay(visit); }
    bool frames(const netsync::CounterRange& range, const netsync::FrameVisitor& visit) const {
        return held_.frames(range, visit);
    }

   private:
    static std::string frame_key(std::uint64_t place) {
        std::string key = "f";
        for (int shift = 56; shift >= 0; shift -= 8)
            key += static_cast<char>(place >> shift);  // LMDB's order is theirs
        return key;
    }

    std::error_code stage(std::string key, std::optional<netsync::ByteView> value) {
        auto& staged = staged_.emplace_back(std::move(key), std::nullopt);
        if (value) staged.second.emplace(value->begin(), value->end());
        return {};
    }

    /// What is not held any more goes from the file too, in the same commit.
    std::error_code drop(std::error_code error) {
        std::erase_if(places_, [&](const auto& entry) {
            const bool held = held_.frames(entry.second, [](const netsync::SharedBytes&) { return false; });
            if (!held) stage(frame_key(entry.first), std::nullopt);
            return !held;
        });
        return error;
    }

    int load(MDB_txn* txn) {
        MDB_cursor* cursor = nullptr;
        MDB_val name{}, bytes{};
        int error = mdb_cursor_open(txn, table_, &cursor);
        while (error == 0 && (error = mdb_cursor_get(cursor, &name, &bytes, MDB_NEXT)) == 0) {
            const std::string key(static_cast<const char*>(name.mv_data), name.mv_size);
            const auto* data = static_cast<const std::byte*>(bytes.mv_data);
            const netsync::SharedBytes value{netsync::ByteView{data, bytes.mv_size}};
            if (key[0] == 'v') static_cast<void>(held_.put(key.substr(1), *value));
            if (key[0] == 's') static_cast<void>(held_.adopt(value, {}));
            const auto frame = netsync::Frame::parse(value);
            if (key[0] != 'f' || !frame || held_.append(*frame)) continue;
            next_ = 0;
            for (const char byte : key.substr(1)) next_ = next_ << 8 | static_cast<unsigned char>(byte);
            places_[next_++] = {frame->header().origin, frame->header().first, frame->header().first};
        }
        if (cursor) mdb_cursor_close(cursor);
        return error == MDB_NOTFOUND ? 0 : error;
    }

    template <class F>
    int transact(F&& work) {
        MDB_txn* txn = nullptr;
        int error = mdb_txn_begin(env_.get(), nullptr, 0, &txn);
        if (error == 0) error = work(txn);
        if (error == 0) error = mdb_txn_commit(std::exchange(txn, nullptr));
        if (txn) mdb_txn_abort(txn);
        return error;
    }

    std::unique_ptr<MDB_env, void (*)(MDB_env*)> env_{nullptr, &mdb_env_close};
    MDB_dbi table_ = 0;
    netsync::MemoryStore held_;
    std::map<std::uint64_t, netsync::CounterRange> places_;  // of the frames held
    std::uint64_t next_ = 0;
    std::vector<std::pair<std::string, std::optional<netsync::Bytes>>> staged_;
};

static_assert(netsync::store<LmdbStore>);

int main() {
    using List = netsync::OrSet<std::string>;
    using Kitchen = netsync::Replica<LmdbStore, netsync::MemoryTransport, netsync::HybridClock, List>;
    const auto path = std::filesystem::temp_directory_path() / ("netsync-" + std::to_string(std::random_device{}()));
    netsync::MemoryHub network;
    netsync::MemoryReplica<List> phone{network};
    {
        Kitchen kitchen{network, {.name = "kitchen"}, LmdbStore{path}};
        phone.update(netsync::add("milk"));
        network.run();
        kitchen.update(netsync::add("eggs"));
    }
    phone.update(netsync::add("tea"));
    {
        Kitchen kitchen{network, {.name = "kitchen"}, LmdbStore{path}};  // switched on again, the same as before
        assert(kitchen.state().contains("milk") && kitchen.state().contains("eggs"));
        network.run();
        assert(kitchen.state().contains("tea") && kitchen.state() == phone.state());
    }
    for (const char* end : {"", "-lock"}) std::filesystem::remove(path.string() + end);
}
