// netsync: the Store policy: a log of frames by dot, a snapshot, and a small key/value area, in atomic commits, made at
// once or on a thread of the store's own. docs/writing-a-store.md goes through it.
#pragma once

#include <concepts>
#include <functional>
#include <netsync/options.hpp>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/snapshot.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace netsync {

/// Called for each frame found; false ends the walk.
using FrameVisitor = std::function<bool(const SharedBytes&)>;

/// All calls come from the replica, under its mutex. A store knows bytes and dots, never the CrdtType.
///
/// - `append(frame)`: stages a frame. Those of one origin come in order, each beginning after the last.
/// - `adopt(snapshot, heads)`: stages a whole state that holds everything up to `heads`. A log that ends below its head
///   would have a hole and is cut; of the others frames up to there may go.
/// - `cut(counters)`: stages that of each origin named the frames that begin at or below its counter go. An adopted
///   snapshot holds what they said.
/// - `clear()`: stages that all frames and the snapshot go; the values stay.
/// - `put(key, value)`: stages a small value under a name.
/// - `commit()`: makes all that is staged durable, or none of it. After an error the staged part is still staged, and
///   commit may be tried again.
/// - `get(key)`: the committed value, if any.
/// - `snapshot()`: the last adopted snapshot, or null.
/// - `replay(visit)`: all frames held, in the order of append: the snapshot and these make the state.
/// - `frames(range, visit)`: the frames that hold dots of `range`, in order. False, with nothing visited, where the log
///   no longer holds the first of them: then the state must travel instead.
///
/// Exemplar: MemoryStore. The one that keeps nothing is NullStore.
template <class S>
concept store = std::movable<S> && requires(S& store, const S& reader, const Frame& frame, SharedBytes bytes,
                                            const std::vector<Head>& heads, std::string_view key, ByteView value,
                                            const CounterRange& range, const FrameVisitor& visit,
                                            const std::vector<ReplicaCounter>& counters) {
    { store.append(frame) } -> std::same_as<std::error_code>;
    { store.adopt(bytes, heads) } -> std::same_as<std::error_code>;
    { store.cut(counters) } -> std::same_as<std::error_code>;
    { store.clear() } -> std::same_as<std::error_code>;
    { store.put(key, value) } -> std::same_as<std::error_code>;
    { store.commit() } -> std::same_as<std::error_code>;
    { reader.get(key) } -> std::same_as<std::optional<Bytes>>;
    { reader.snapshot() } -> std::same_as<SharedBytes>;
    { reader.replay(visit) } -> std::same_as<void>;
    { reader.frames(range, visit) } -> std::same_as<bool>;
};

/// A store that commits on a thread of its own, so that no call waits for the disk. What is staged while a commit is
/// under way belongs to the next one: so those who change data at the same time share a commit. The replica holds back
/// what it would send until what it had staged before is durable.
///
/// - `commit_later(done)`: commit(), but returns at once; `done(error)` follows on the store's own thread, never from
///   within the call, with nothing of the store locked. Not called again before.
/// - `commit()`: waits for a commit that is under way, and until its `done` has returned; then commits the rest. Called
///   without the replica's mutex, but at the opening.
/// - `is_behind()`: whether so much waits to be written that changes are to be refused for a while.
/// - `frames`, `replay`, `get` and `snapshot` tell of what is staged, too.
///
/// Exemplar: SqliteStore.
template <class S>
concept asynchronous_store =
    store<S> && requires(S& store, const S& reader, std::function<void(std::error_code)> done) {
        { store.commit_later(std::move(done)) } -> std::same_as<void>;
        { reader.is_behind() } -> std::same_as<bool>;
    };

/// A store that may have to be opened later than its replica begins: its disk is away, or somebody else has its file.
/// Until then the replica shows what can be read, refuses changes, and takes no part in the pool.
///
/// - `opening_error()`: why not all that it holds can be told; nothing once it can. Until then it takes nothing, and each
///   commit tries to open it again; after the first that succeeds all of it is read anew.
///
/// Exemplar: SqliteStore.
template <class S>
concept reopening_store = store<S> && requires(const S& reader) {
    { reader.opening_error() } -> std::same_as<std::error_code>;
};

/// Why a store is not open, if it is not.
template <store Store>
std::error_code opening_error(const Store& store) {
    if constexpr (reopening_store<Store>)
        return store.opening_error();
    else
        return {};
}

/// A store that writes a snapshot in steps, between commits, holds it in memory meanwhile, and may say so: another one is
/// not made then.
///
/// - `has_snapshot_waiting()`: whether the last one adopted is still to be written.
///
/// Exemplar: SqliteStore.
template <class S>
concept snapshot_deferring_store = store<S> && requires(const S& reader) {
    { reader.has_snapshot_waiting() } -> std::same_as<bool>;
};

template <store Store>
bool has_snapshot_waiting(const Store& store) {
    if constexpr (snapshot_deferring_store<Store>)
        return store.has_snapshot_waiting();
    else
        return false;
}

/// The store of a replica that was given none: made from the options where it can be, else as it is by default.
template <store Store>
Store make_store(const Options& options) {
    if constexpr (std::constructible_from<Store, const Options&>)
        return Store{options};
    else
        return Store{};
}

}  // namespace netsync
