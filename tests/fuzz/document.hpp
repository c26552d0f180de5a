// Documents of strangers, as the fuzz targets see them: what a reader hands out, and what must hold of that and of errors.
#pragma once

#include <netsync/http.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

namespace http = netsync::http;

inline void demand(bool holds) {
    if (!holds) __builtin_trap();
}

/// A value of a document, by its name, or by the name of its mapping and its key there. Numbers as text.
struct Value {
    std::string name{}, key{}, value{};
    bool is_entry = false, is_number = false;
    friend bool operator==(const Value& a, const Value& b) {
        return a.name == b.name && a.key == b.key && a.value == b.value && a.is_entry == b.is_entry;
    }
};

/// What a reader makes of the bytes; nothing where it refuses them.
template <class Reader>
std::optional<std::vector<Value>> read(Reader&& reader, std::string_view bytes) {
    std::vector<Value> values;
    const auto took = [&](Value value) { return values.push_back(std::move(value)), std::string(); };
    const http::Fields fields{
        [&](const std::string& name, std::string value) { return took({name, {}, std::move(value)}); },
        [&](const std::string& name, std::int64_t value) {
            return took({name, {}, std::to_string(value), false, true});
        },
        [&](const std::string& name, const std::string& key, std::string value) {
            return took({name, key, std::move(value), true});
        }};
    const std::string wrong = reader(bytes, fields);
    demand(wrong.find_first_of("\r\n") == std::string::npos);
    std::size_t handed_out = 0;  // nothing multiplies: a byte that is no text becomes three
    std::set<std::pair<std::string, std::string>> seen;
    for (const Value& each : values) {
        handed_out += (each.is_entry ? each.key : each.name).size() + (each.is_number ? 0 : each.value.size());
        demand(seen.emplace(each.name, each.is_entry ? "entry " + each.key : "").second);
    }
    demand(handed_out <= 3 * bytes.size());
    demand(values.size() <= 256 * 257);
    return wrong.empty() ? std::optional(std::move(values)) : std::nullopt;
}

/// The values as one JSON object. Entries of one mapping follow each other, as readers hand them out.
inline std::string json_of(const std::vector<Value>& values) {
    std::string text = "{";
    const std::string* open = nullptr;
    for (const Value& each : values) {
        if (open && (!each.is_entry || *open != each.name)) text += '}', open = nullptr;
        if (text.back() != '{' && text.size() > 1) text += ',';
        if (!open) http::append_json(text, each.name), text += ':';
        if (each.is_entry && !open) text += '{', open = &each.name;
        if (each.is_entry) http::append_json(text, each.key), text += ':';
        if (each.is_number)
            text += each.value;
        else
            http::append_json(text, each.value);
    }
    return text += open ? "}}" : "}";
}

/// The whole way of a request: one line says what is wrong with it, or it is one that an exchange takes or refuses.
inline void ask(std::string_view query, std::string_view body) {
    http::Request request;
    request.query = query;
    request.body = body;
    const auto read = http::detail::read_request(request);
    demand(read.error.empty() == bool(read));
    demand(read.error.find('\n') == std::string::npos);
    if (!read) return;
    netsync::rendezvous::Exchange exchange;
    const auto arrival = exchange.arrive(*read, {});
    demand(!arrival || exchange.size() == (arrival->match ? 0u : 1u));
}

}  // namespace fuzz
