// netsync: the Store policy: a log of frames by dot, a snapshot, and a small key/value area, in atomic commits.
#pragma once

#include <concepts>
#include <functional>
#include <netsync/wire/frame.hpp>
#include <netsync/wire/snapshot.hpp>
#include <optional>
#include <string_view>
#include <system_error>

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

}  // namespace netsync
