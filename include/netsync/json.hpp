// netsync: the opt-in header for JSON: what people see of a value or a state, as text. CRDTs and plain values come in,
// RFC 8259 text goes out; dots, times and tombstones stay behind.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <netsync/detail/field_names.hpp>
#include <netsync/netsync.hpp>
#include <netsync/wire/archive.hpp>
#include <netsync/wire/utf8.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace netsync {

/// How a type shows its content to people.
enum class Shape { other, set, map, value, values, choice };

template <class T>
inline constexpr Shape shape_of = Shape::other;
template <class E>
inline constexpr Shape shape_of<GSet<E>> = Shape::set;
template <class E>
inline constexpr Shape shape_of<OrSet<E>> = Shape::set;
template <class E>
inline constexpr Shape shape_of<LwwSet<E>> = Shape::set;
template <class E>
inline constexpr Shape shape_of<RwSet<E>> = Shape::set;
template <class E>
inline constexpr Shape shape_of<TwoPhaseSet<E>> = Shape::set;
template <class E>
inline constexpr Shape shape_of<Bag<E>> = Shape::map;
template <class K, class V>
inline constexpr Shape shape_of<LwwMap<K, V>> = Shape::map;
template <class K, class V>
inline constexpr Shape shape_of<OrMap<K, V>> = Shape::map;
template <class K, class V>
inline constexpr Shape shape_of<GMap<K, V>> = Shape::map;
template <class Part>
inline constexpr Shape shape_of<Owned<Part>> = Shape::map;
template <class V>
inline constexpr Shape shape_of<MvRegister<V>> = Shape::values;
template <class... T>
inline constexpr Shape shape_of<LwwChoice<T...>> = Shape::choice;
template <causal_leaf T>
    requires requires(const T& leaf) { leaf.value(); }
inline constexpr Shape shape_of<T> = Shape::value;

/// Appends JSON to a string. A type of your own may offer `void write_json(JsonWriter&) const`. One thread.
class JsonWriter {
   public:
    using is_saving = std::true_type;  // cereal's interface: what `serialize` is called with
    using is_loading = std::false_type;

    /// `indent`: spaces a level, each member on a line of its own; 0 for a single line.
    explicit JsonWriter(std::string& out, int indent = 0) : out_(out), indent_(indent) {}

    /// Sets and lists become arrays; maps, bags, structs and parts of owners objects; registers, counters and flags their
    /// value, null where nothing was written; an MvRegister an array; a choice its content, or null; a text a string; a tree
    /// an array of `{"value": ..., "children": [...]}`.
    template <class T>
    void write(const T& value) {
        using namespace detail;
        if constexpr (requires { value.write_json(*this); }) {
            value.write_json(*this);
        } else if constexpr (std::same_as<T, bool>) {
            out_ += value ? "true" : "false";
        } else if constexpr (std::same_as<T, OwnerId> || std::same_as<T, ReplicaId> || std::same_as<T, Timestamp>) {
            string(text_of(value));
        } else if constexpr (std::is_enum_v<T>) {
            write(static_cast<std::underlying_type_t<T>>(value));
        } else if constexpr (std::floating_point<T>) {
            std::isfinite(value) ? number(value) : void(out_ += "null");
        } else if constexpr (std::integral<T>) {
            number(value);
        } else if constexpr (std::convertible_to<const T&, std::string_view>) {
            string(value);
        } else if constexpr (causal_leaf<T>) {
            leaf(value);
        } else {
            plain(value);
        }
    }

    void string(std::string_view text) {
        const bool clean = is_utf8(text);
        out_ += '"';
        for (const char c : text) character(c, clean);
        out_ += '"';
    }

    /// `{...}`: `members(*this)` calls member() for each.
    template <class F>
    void object(F&& members) {
        enclosed('{', '}', members);
    }
    /// A key that is no text is written as a string all the same: numbers in digits, structs as JSON within it.
    template <class Key, class Value>
    void member(const Key& key, const Value& value) {
        next();
        if constexpr (std::convertible_to<const Key&, std::string_view>)
            string(key);
        else
            string(key_text(key));
        out_ += indent_ > 0 ? ": " : ":";
        write(value);
    }

    /// `[...]`: `items(*this)` calls item() for each.
    template <class F>
    void array(F&& items) {
        enclosed('[', ']', items);
    }
    template <class T>
    void item(const T& value) {
        next();
        write(value);
    }

    /// Fields of a `serialize`d class: by the names of its NVPs, or by number.
    template <class... T>
    JsonWriter& operator()(const T&... fields) {
        (field(fields), ...);
        return *this;
    }
    template <class T>
    JsonWriter& operator&(const T& value) {
        return (*this)(value);
    }
    template <class T>
    JsonWriter& operator<<(const T& value) {
        return (*this)(value);
    }

    /// A key as plain text: a string as it is, anything else as its JSON.
    template <class Key>
    static std::string key_text(const Key& key) {
        if constexpr (std::convertible_to<const Key&, std::string_view>) {
            return std::string(std::string_view(key));
        } else if constexpr (std::same_as<Key, OwnerId> || std::same_as<Key, ReplicaId> ||
                             std::same_as<Key, Timestamp>) {
            return text_of(key);
        } else {
            std::string text;
            JsonWriter{text}.write(key);
            return text;
        }
    }

   private:
    static std::string text_of(OwnerId owner) {
        std::string text;
        detail::append_hex(text, static_cast<std::uint64_t>(owner));
        return text;
    }
    static std::string text_of(const ReplicaId& id) { return to_string(id); }
    static std::string text_of(const Timestamp& time) { return to_string(time); }

    template <class T>
    void leaf(const T& leaf) {
        constexpr Shape shape = shape_of<T>;
        if constexpr (shape == Shape::set) {
            array([&](JsonWriter&) { leaf.for_each([&](const auto& element) { item(element); }); });
        } else if constexpr (shape == Shape::map) {
            object(
                [&](JsonWriter&) { leaf.for_each([&](const auto& key, const auto& value) { member(key, value); }); });
        } else if constexpr (shape == Shape::values) {
            write(leaf.values());
        } else if constexpr (shape == Shape::choice) {
            if (!leaf.has_value()) out_ += "null";
            leaf.visit([&](const auto& content) { write(content); });
        } else if constexpr (shape == Shape::value) {
            if constexpr (requires { leaf.has_value(); })
                if (!leaf.has_value()) return void(out_ += "null");
            write(leaf.value());
        } else if constexpr (requires { leaf.begin(), leaf.end(); }) {
            array([&](JsonWriter&) {
                for (const auto& element : leaf) item(element);
            });
        } else if constexpr (requires { leaf.str(); }) {
            string(leaf.str());
        } else if constexpr (requires { leaf.children(leaf.root); }) {
            tree(leaf);
        } else {
            static_assert(detail::always_false<T>,
                          "netsync: give this type `void write_json(netsync::JsonWriter&) const`");
        }
    }

    /// Nodes within nodes, without recursion: they may lie deeper than a stack.
    template <class T>
    void tree(const T& leaf) {
        std::vector<std::size_t> outer;
        const auto open = [&](char bracket) {
            out_ += bracket;
            outer.push_back(std::exchange(members_, 0));
            ++level_;
        };
        const auto close = [&](char bracket) {
            --level_;
            if (members_ > 0) line();
            members_ = outer.back();
            outer.pop_back();
            out_ += bracket;
        };
        std::size_t inside = 0;  // nodes that are open
        open('[');
        leaf.for_each([&](const NodeId&, const auto& value, std::size_t depth) {
            for (; inside > depth; --inside) close(']'), close('}');
            next();
            open('{');
            member(std::string_view{"value"}, value);
            next();
            string("children");
            out_ += indent_ > 0 ? ": " : ":";
            open('[');
            ++inside;
        });
        for (; inside > 0; --inside) close(']'), close('}');
        close(']');
    }

    template <class T>
    void plain(const T& value) {
        using namespace detail;
        if constexpr (is_name_value_pair<T>) {
            write(value.value);
        } else if constexpr (is_base_class<T>) {
            write(*value.base_ptr);
        } else if constexpr (is_map<T>) {
            object([&](JsonWriter&) {
                for (const auto& [key, held] : value) member(key, held);
            });
        } else if constexpr (is_vector<T> || is_set<T> || is_std_array<T>) {
            array([&](JsonWriter&) {
                for (const auto& element : value) item(element);
            });
        } else if constexpr (is_optional<T>) {
            value ? write(*value) : void(out_ += "null");
        } else if constexpr (is_variant<T>) {
            std::visit([&](const auto& held) { write(held); }, value);
        } else if constexpr (tuple_like<T>) {
            array([&](JsonWriter&) { std::apply([&](const auto&... part) { (item(part), ...); }, value); });
        } else if constexpr (has_record<T, JsonWriter>) {
            object([&](JsonWriter&) { serialize_record(*this, const_cast<T&>(value)); });
        } else if constexpr (plain_struct<T>) {
            object([&](JsonWriter&) {
                for_each_named_field([&](std::string_view name, const auto& part) { named(name, part); }, value);
            });
        } else {
            static_assert(always_false<T>, "netsync: cannot write this type as JSON; make it a plain struct or give it "
                                           "`void write_json(netsync::JsonWriter&) const`");
        }
    }

    template <class T>
    void named(std::string_view name, const T& value) {
        const std::size_t at = members_;
        name.empty() ? member(at, value) : member(name, value);
    }
    template <class T>
    void field(const T& value) {
        const std::size_t at = members_;
        if constexpr (detail::is_name_value_pair<T>)
            member(std::string_view(value.name), value.value);
        else
            member(at, value);
    }

    template <class Number>
    void number(Number value) {
        char digits[40];
        if constexpr (sizeof(Number) == 1)
            out_ += std::to_string(static_cast<int>(value));
        else
            out_.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
    }

    void character(char c, bool clean) {
        const auto byte = static_cast<unsigned char>(c);
        constexpr std::string_view escaped = "\"\\\b\f\n\r\t", letters = "\"\\bfnrt";
        if (const std::size_t at = escaped.find(c); at != std::string_view::npos)
            (out_ += '\\') += letters[at];
        else if (byte < 0x20)
            ((out_ += "\\u00") += "0123456789abcdef"[byte >> 4]) += "0123456789abcdef"[byte & 15];
        else if (byte >= 0x80 && !clean)
            out_ += "\\ufffd";
        else
            out_ += c;
    }

    template <class F>
    void enclosed(char open, char close, F&& content) {
        out_ += open;
        const std::size_t outer = std::exchange(members_, 0);
        ++level_;
        content(*this);
        --level_;
        if (members_ > 0) line();
        members_ = outer;
        out_ += close;
    }
    void next() {
        if (members_++ > 0) out_ += ',';
        line();
    }
    void line() {
        if (indent_ > 0) (out_ += '\n').append(static_cast<std::size_t>(indent_) * level_, ' ');
    }

    std::string& out_;
    int indent_;
    std::size_t level_ = 0;
    std::size_t members_ = 0;
};

/// What people see of a value, as JSON: `to_json(replica.state())`. O(size).
template <class T>
std::string to_json(const T& value, int indent = 0) {
    std::string text;
    JsonWriter{text, indent}.write(value);
    return text;
}

}  // namespace netsync
