// netsync: what a request says about itself: labels, which the selectors of others test. Text in, sorted pairs out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <netsync/detail/utf8.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace netsync::rendezvous {

/// A value, or one line for people that says why there is none. For text that people write.
template <class T>
struct [[nodiscard]] Parsed {
    std::optional<T> value{};
    std::string error{};

    static Parsed failed(std::string why) { return {std::nullopt, std::move(why)}; }
    explicit operator bool() const noexcept { return value.has_value(); }
    const T& operator*() const noexcept { return *value; }
    const T* operator->() const noexcept { return &*value; }
};

/// Keys to values, by ascending key. Any text is a key or a value. find: O(log size).
class Labels {
   public:
    using Label = std::pair<std::string, std::string>;

    Labels() = default;
    Labels(std::initializer_list<Label> labels) {
        for (const auto& [key, value] : labels) set(key, value);
    }

    /// `k=v,k2=v2`; of equal keys the last one counts; the empty text is no labels. O(size log size).
    static Parsed<Labels> parse(std::string_view text);

    /// The value under `key`, or null.
    const std::string* find(std::string_view key) const {
        const auto at = place_of(key);
        return at != labels_.end() && at->first == key ? &at->second : nullptr;
    }

    void set(std::string_view key, std::string value) {
        const auto at = labels_.begin() + (place_of(key) - labels_.begin());
        if (at != labels_.end() && at->first == key)
            at->second = std::move(value);
        else
            labels_.emplace(at, key, std::move(value));
    }

    auto begin() const noexcept { return labels_.begin(); }
    auto end() const noexcept { return labels_.end(); }
    std::size_t size() const noexcept { return labels_.size(); }
    bool empty() const noexcept { return labels_.empty(); }

    friend bool operator==(const Labels&, const Labels&) = default;

   private:
    std::vector<Label>::const_iterator place_of(std::string_view key) const {
        return std::lower_bound(labels_.begin(), labels_.end(), key,
                                [](const Label& label, std::string_view asked) { return label.first < asked; });
    }

    std::vector<Label> labels_;
};

namespace detail {

/// The text in double quotes, on one line: what cannot be printed is escaped.
inline std::string in_quotes(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    const bool printable = netsync::detail::is_utf8(text);
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (result += '\\') += c;
        else if (c == '\n')
            result += "\\n";
        else if (c == '\r')
            result += "\\r";
        else if (c == '\t')
            result += "\\t";
        else if (byte < 0x20 || byte == 0x7f || (byte > 0x7f && !printable))
            ((result += "\\x") += digits[byte / 16]) += digits[byte % 16];
        else
            result += c;
    }
    return result += '"';
}

/// The pieces between the separators: one more than there are of these.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (std::size_t at = 0;;) {
        const std::size_t end = text.find(separator, at);
        pieces.push_back(text.substr(at, end - at));
        if (end == std::string_view::npos) return pieces;
        at = end + 1;
    }
}

}  // namespace detail

inline Parsed<Labels> Labels::parse(std::string_view text) {
    Labels labels;
    if (text.empty()) return {std::move(labels)};
    std::map<std::string_view, std::string_view> last;  // not set(): a stranger's text may have very many
    for (const std::string_view piece : detail::split(text, ',')) {
        const auto sides = detail::split(piece, '=');
        if (sides.size() != 2) {
            std::string error = "bad label: [";
            for (std::size_t at = 0; at < sides.size(); ++at)
                (error += at > 0 ? " " : "") += detail::in_quotes(sides[at]);
            return Parsed<Labels>::failed(error += ']');
        }
        last[sides[0]] = sides[1];
    }
    for (const auto& [key, value] : last) labels.labels_.emplace_back(key, value);
    return {std::move(labels)};
}

}  // namespace netsync::rendezvous
