// netsync: adds and remove-marks side by side: what a type is made of in which a remove can win.
#pragma once

#include <algorithm>
#include <memory>
#include <netsync/causal/version_vector.hpp>
#include <netsync/crdt/change.hpp>
#include <netsync/crdt/dot_store.hpp>
#include <utility>
#include <vector>

namespace netsync::detail {

/// What was added, and that it was removed, each under its own dots.
struct Marked {
    DotSet adds{};
    DotSet marks{};

    bool present() const noexcept { return !adds.is_bottom() && marks.is_bottom(); }
};

/// Whether all of these dots have been seen by every member.
template <crdt T>
bool is_within(const T& content, const VersionVector& stable) {
    bool within = true;
    netsync::for_each_dot(content, [&](Dot dot) { within = within && stable.contains(dot); });
    return within;
}

/// Entries of which nothing can be read any more and that every member has seen: the next change made here takes them away,
/// as any remove does. Forgetting them without a change would not do: a later add could not name the mark that it comes
/// after, and would lose where the mark is still held. A note for this copy alone: neither compared, encoded nor merged.
template <class Key>
class Settled {
   public:
    static constexpr std::size_t most = 64;  // keys in one change

    /// Notes the entries of `map` that `is_spent(content, stable)` names, up to `most`; true if there are others than
    /// before.
    template <class Map, class IsSpent>
    bool note(const Map& map, const VersionVector& stable, IsSpent&& is_spent) {
        Note note{stable, {}};
        for (const auto entry : map) {
            if (note.keys.size() == most) break;
            if (is_spent(entry.value, stable)) note.keys.push_back(entry.key);
        }
        if (note.keys.empty() ? !note_ : note_ && note_->keys == note.keys) return false;
        note_ = note.keys.empty() ? nullptr : std::make_shared<const Note>(std::move(note));
        return true;
    }

    /// Adds to `delta` that these entries go, but for that of `except`.
    template <class Map, class IsSpent>
    void take_away(const Map& map, Change& change, Map& delta, IsSpent&& is_spent, const Key* except = nullptr) const {
        if (!note_) return;
        for (const Key& key : note_->keys) {
            const auto* content = map.find(key);
            if (!content || (except && key == *except) || !is_spent(*content, note_->stable)) continue;
            change.remove_all(*content);
            delta.empty_key(key);
        }
    }

   private:
    struct Note {
        VersionVector stable;
        std::vector<Key> keys;
    };
    std::shared_ptr<const Note> note_;
};

}  // namespace netsync::detail
