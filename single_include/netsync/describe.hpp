// netsync/describe.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/json.hpp>

// ---- netsync/describe.hpp ----

// netsync: the opt-in header for telling people what a change did. A delta, as observers get it, and the state now come
// in; one line for each thing that was touched goes out.

namespace netsync {

/// One thing that a change did. `path` is a JSON pointer (RFC 6901) into to_json of the state; `value` is JSON, as it is
/// now, empty where it is gone. Of a text, the code point at which something was done is the last step; of what is erased,
/// where it was.
struct Description {
    std::string path{};
    std::string action{};  ///< "added", "removed", "assigned", "counted", "enabled", "disabled", "chose", "changed",
                           ///< "inserted", "erased" (the value: how many), "moved"
    std::string value{};
    friend bool operator==(const Description&, const Description&) = default;
};

/// `/albums/b/title assigned "Blue Train"`.
inline std::string to_string(const Description& description) {
    std::string text = description.path + (description.path.empty() ? "" : " ") + description.action;
    return description.value.empty() ? text : text + ' ' + description.value;
}

namespace detail {

template <class T>
inline constexpr bool is_counter = requires(const T& leaf, Change& change) { leaf.increment(change, 1); };
template <class T>
inline constexpr bool is_flag = requires(const T& leaf, Change& change) { leaf.enable(change); };
template <class T>
inline constexpr bool is_bag = false;
template <class E>
inline constexpr bool is_bag<Bag<E>> = true;

class Describer {
   public:
    template <crdt T>
    void describe(const T& delta, const T& now) {
        if constexpr (composite<T>)
            for_each_named_field(
                [&](std::string_view name, const auto& part, const auto& held) {
                    below(name.empty() ? std::string_view("?") : name, [&] { describe(part, held); });
                },
                delta, now);
        else if (!netsync::is_bottom(delta))
            leaf(delta, now);
    }

    std::vector<Description> found;

   private:
    template <class T>
    void leaf(const T& delta, const T& now) {
        constexpr Shape shape = shape_of<T>;
        if constexpr (shape == Shape::set) {
            const auto tell = [&](const auto& element) {
                add(now.contains(element) ? "added" : "removed", to_json(element));
            };
            if constexpr (requires { delta.for_each_mentioned(tell); })
                delta.for_each_mentioned(tell);
            else
                delta.for_each(tell);
        } else if constexpr (shape == Shape::map) {
            keys(delta, now);
        } else if constexpr (shape == Shape::choice) {
            if (delta.has_choice()) now.has_value() ? add("chose", to_json(now.index())) : add("removed", {});
            parts(delta, now, std::make_index_sequence<T::none>{});
        } else if constexpr (requires { delta.for_each_inserted(now, [](auto...) {}); }) {
            sequence(delta, now);
        } else if constexpr (requires { now.children(now.root); }) {
            tree(delta, now);
        } else if constexpr (is_flag<T>) {
            add(now.value() ? "enabled" : "disabled", {});
        } else if constexpr (is_counter<T>) {
            add("counted", to_json(now));
        } else if constexpr (requires { now.has_value(); }) {
            add("assigned", to_json(now));
        } else {
            add("changed", to_json(now));
        }
    }

    template <class T>
    void keys(const T& delta, const T& now) {
        if constexpr (is_bag<T>) {
            delta.for_each_mentioned([&](const auto& key) {
                below(key, [&] { now.contains(key) ? add("counted", to_json(now.count(key))) : add("removed", {}); });
            });
        } else if constexpr (requires { delta.for_each_mentioned([](const auto&) {}); }) {
            delta.for_each_mentioned(
                [&](const auto& key) { below(key, [&] { entry(delta.find(key), now.find(key)); }); });
        } else {  // an Owned, which mentions what it holds
            delta.for_each(
                [&](const auto& key, const auto& part) { below(key, [&] { entry(&part, now.find(key)); }); });
        }
    }

    template <class T>
    void sequence(const T& delta, const T& now) {
        const auto at = [&](std::size_t index, std::string_view action, std::string value) {
            below(index, [&] { add(action, std::move(value)); });
        };
        if constexpr (requires { now.str(); }) {
            delta.for_each_inserted(
                now, [&](std::size_t index, const std::string& text) { at(index, "inserted", to_json(text)); });
            delta.for_each_erased(now,
                                  [&](std::size_t index, std::size_t count) { at(index, "erased", to_json(count)); });
        } else {
            delta.for_each_inserted(now, [&](std::size_t index) { at(index, "inserted", to_json(now[index])); });
            delta.for_each_moved(now, [&](std::size_t index) { at(index, "moved", to_json(now[index])); });
            if (const std::size_t count = delta.erased(); count > 0) add("erased", to_json(count));
        }
    }

    /// Nodes by where they are now.
    template <class T>
    void tree(const T& delta, const T& now) {
        delta.for_each_mentioned([&](const NodeId& node) {
            const auto* held = now.find(node);
            if (!held || !now.contains(node)) return add("removed", {});
            std::vector<std::size_t> way;
            for (NodeId at = node; !at.is_root();) {
                const NodeId parent = *now.parent(at);
                const auto siblings = now.children(parent);
                way.push_back(
                    static_cast<std::size_t>(std::find(siblings.begin(), siblings.end(), at) - siblings.begin()));
                at = parent;
            }
            const std::size_t length = path_.size();
            for (auto step = way.rbegin(); step != way.rend(); ++step)
                path_ += (step == way.rbegin() ? "/" : "/children/") + std::to_string(*step);
            if (delta.moves(node)) add(delta.inserts(node) ? "inserted" : "moved", to_json(*held));
            if (const auto* change = delta.content(node))
                below(std::string_view{"value"}, [&] { describe(*change, *held); });
            path_.resize(length);
        });
    }

    template <class Value>
    void entry(const Value* delta, const Value* now) {
        if (!now) return add("removed", {});
        if constexpr (!crdt<Value>) {  // of an LwwMap
            add("assigned", to_json(*now));
        } else {
            const std::size_t before = found.size();
            if (delta) describe(*delta, *now);
            if (found.size() == before) add("changed", to_json(*now));  // some of it was removed
        }
    }

    template <class T, std::size_t... Index>
    void parts(const T& delta, const T& now, std::index_sequence<Index...>) {
        const auto part = [&](auto which) {
            if (const auto* held = now.find(which))
                if (const auto* change = delta.find(which)) describe(*change, *held);
        };
        (part(alternative<Index>), ...);
    }

    template <class Key, class F>
    void below(const Key& key, F&& f) {
        const std::size_t length = path_.size();
        path_ += '/';
        for (const char c : JsonWriter::key_text(key)) {
            if (c == '~' || c == '/')
                path_ += c == '~' ? "~0" : "~1";
            else
                path_ += c;
        }
        f();
        path_.resize(length);
    }

    void add(std::string_view action, std::string value) {
        found.push_back({path_, std::string(action), std::move(value)});
    }

    std::string path_;
};

}  // namespace detail

/// What `delta` did, told by what is there `now`: where it was superseded meanwhile, or lost, that is what is told. With the
/// whole state as the delta (ChangeInfo::whole): all that is there. O(delta).
///
///     replica.on_change([&](const Library& delta) { for (const auto& line : describe(delta, replica.state())) ... });
template <crdt T>
std::vector<Description> describe(const T& delta, const T& now) {
    detail::Describer describer;
    describer.describe(delta, now);
    return std::move(describer.found);
}

}  // namespace netsync
