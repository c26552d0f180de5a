// netsync: HTTP as the routes of a server see it: a request comes in, a reply goes out. No library's types.
#pragma once

#include <cstdint>
#include <functional>
#include <netsync/detail/utf8.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace netsync::http {

/// A request of a client, good while its handler runs.
struct Request {
    std::string_view method{};
    std::string_view path{};   ///< as sent, without the query
    std::string_view query{};  ///< as sent, without the '?'
    std::string_view body{};
    std::function<std::optional<std::string>(std::string_view)> header{};  ///< a field by its name, in any case
};

struct Reply {
    int status = 200;
    std::string body{};
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> fields{};

    /// One line of text.
    static Reply line(int status, std::string text) {
        return {status, std::move(text += '\n'), "text/plain; charset=utf-8", {}};
    }
    /// `{"error":"..."}`
    static Reply error(int status, std::string_view what);
};

inline std::string_view reason_of(int status) noexcept {
    switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Unknown";
    }
}

/// Appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
inline void append_json(std::string& out, std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    const bool clean = netsync::detail::is_utf8(text);
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = static_cast<unsigned char>(text[at]);
        std::size_t length = 1;
        if (byte == '"' || byte == '\\')
            (out += '\\') += text[at];
        else if (byte < 0x20 || byte == 0x7f)
            ((out += "\\u00") += digits[byte / 16]) += digits[byte % 16];
        else if (byte < 0x80 || clean)
            out += text[at];
        else {
            length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
            if (at + length <= text.size() && netsync::detail::is_utf8(text.substr(at, length)))
                out += text.substr(at, length);
            else
                out += "\xef\xbf\xbd", length = 1;
        }
        at += length;
    }
    out += '"';
}

inline Reply Reply::error(int status, std::string_view what) {
    std::string body = "{\"error\":";
    append_json(body, what);
    return {status, std::move(body += "}\n"), "application/json", {}};
}

/// `a=1&b=%20+` as pairs; nothing where an escape is broken.
inline std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
    const auto digit = [](char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                      : -1;
    };
    std::vector<std::pair<std::string, std::string>> pairs(1);
    std::string* side = &pairs.back().first;
    for (std::size_t at = 0; at < query.size(); ++at) {
        const char c = query[at];
        if (c == '&') {
            side = &pairs.emplace_back().first;
        } else if (c == '=' && side == &pairs.back().first) {
            side = &pairs.back().second;
        } else if (c == '%') {
            const int high = at + 2 < query.size() ? digit(query[at + 1]) : -1;
            const int low = high >= 0 ? digit(query[at + 2]) : -1;
            if (low < 0) return std::nullopt;
            *side += static_cast<char>(high * 16 + low);
            at += 2;
        } else {
            *side += c == '+' ? ' ' : c;
        }
    }
    return pairs;
}

}  // namespace netsync::http
