// netsync: a map for the handful of things a replica keeps about others: in the order of its keys, with references that
// stay. Cheap to compile, which a standard map is not: every program that includes the library pays for each one.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace netsync::detail {

/// Keys to values, sorted; each entry in a box of its own, so references hold until their entry is erased. find:
/// O(log n); insert and erase move O(n) pointers: for thousands of entries, not for data.
template <class Key, class Value>
class OrderedMap {
   public:
    struct Entry {
        const Key first;
        Value second;
    };

    OrderedMap() = default;
    OrderedMap(OrderedMap&& other) noexcept { boxes_.swap(other.boxes_); }
    OrderedMap& operator=(OrderedMap&& other) noexcept {
        boxes_.swap(other.boxes_);
        return *this;
    }
    ~OrderedMap() { clear(); }

    bool empty() const noexcept { return boxes_.empty(); }
    std::size_t size() const noexcept { return boxes_.size(); }
    void clear() noexcept {
        for (void* box : boxes_) delete static_cast<Entry*>(box);
        boxes_.clear();
    }

    template <class Query>
    const Value* find(const Query& key) const {
        const std::size_t at = position(key);
        return holds(at, key) ? &entry(at).second : nullptr;
    }
    template <class Query>
    Value* find(const Query& key) {
        const std::size_t at = position(key);
        return holds(at, key) ? &entry(at).second : nullptr;
    }
    template <class Query>
    bool contains(const Query& key) const {
        return holds(position(key), key);
    }

    /// The value under `key`, made by default where there was none.
    Value& operator[](const Key& key) {
        const std::size_t at = position(key);
        if (!holds(at, key)) {
            auto made = std::unique_ptr<Entry>(new Entry{key, Value{}});
            boxes_.insert(boxes_.begin() + static_cast<std::ptrdiff_t>(at), made.get());
            made.release();
        }
        return entry(at).second;
    }

    template <class Query>
    bool erase(const Query& key) {
        const std::size_t at = position(key);
        if (!holds(at, key)) return false;
        delete &entry(at);
        boxes_.erase(boxes_.begin() + static_cast<std::ptrdiff_t>(at));
        return true;
    }

    /// Erases each entry for which `goes(key, value)` holds, in order. `goes` must not change the map.
    template <class F>
    void erase_if(F&& goes) {
        std::size_t kept = 0;
        for (std::size_t at = 0; at < boxes_.size(); ++at) {
            if (goes(entry(at).first, entry(at).second))
                delete &entry(at);
            else
                boxes_[kept++] = boxes_[at];
        }
        boxes_.resize(kept);
    }

    /// Whether `f(key, value)` holds for any entry.
    template <class F>
    bool any(F&& f) const {
        for (const Entry& held : *this)
            if (f(held.first, held.second)) return true;
        return false;
    }

    auto begin() noexcept { return Walk<Entry>{boxes_.data()}; }
    auto end() noexcept { return Walk<Entry>{boxes_.data() + boxes_.size()}; }
    auto begin() const noexcept { return Walk<const Entry>{boxes_.data()}; }
    auto end() const noexcept { return Walk<const Entry>{boxes_.data() + boxes_.size()}; }

   private:
    /// Enough of an iterator for a range-based for.
    template <class Held>
    struct Walk {
        void* const* at;

        Held& operator*() const noexcept { return *static_cast<Held*>(*at); }
        Held* operator->() const noexcept { return static_cast<Held*>(*at); }
        Walk& operator++() noexcept {
            ++at;
            return *this;
        }
        bool operator==(const Walk&) const = default;
    };

    Entry& entry(std::size_t at) const noexcept { return *static_cast<Entry*>(boxes_[at]); }

    template <class Query>
    std::size_t position(const Query& key) const {
        std::size_t from = 0, to = boxes_.size();
        while (from < to) {
            const std::size_t middle = from + (to - from) / 2;
            if (entry(middle).first < key)
                from = middle + 1;
            else
                to = middle;
        }
        return from;
    }

    template <class Query>
    bool holds(std::size_t at, const Query& key) const {
        return at < boxes_.size() && !(key < entry(at).first);
    }

    std::vector<void*> boxes_;  // one type for all maps: the compiler instantiates it once
};

}  // namespace netsync::detail
