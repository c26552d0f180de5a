// netsync: whom a request is willing to meet: requirements on the labels of the other, in the language of Kubernetes'
// label selectors. Text in; a canonical text, and yes or no for labels, out.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <netsync/rendezvous/labels.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace netsync::rendezvous {

/// How a requirement compares the value under its key.
enum class Operator { exists, does_not_exist, equals, double_equals, not_equals, in, not_in, greater, less };

/// One test of one key. `values` is sorted and without duplicates: one for equality and order, none for existence.
struct Requirement {
    std::string key{};
    Operator op{};
    std::vector<std::string> values{};

    /// An absent key fulfils what is negative only. Greater and less compare int64; other text fulfils neither.
    bool accepts(const Labels& labels) const {
        const std::string* value = labels.find(key);
        const auto is_among = [&] { return std::binary_search(values.begin(), values.end(), *value); };
        switch (op) {
        case Operator::exists: return value != nullptr;
        case Operator::does_not_exist: return value == nullptr;
        case Operator::equals:
        case Operator::double_equals:
        case Operator::in: return value && is_among();
        case Operator::not_equals:
        case Operator::not_in: return !value || !is_among();
        case Operator::greater:
        case Operator::less: break;
        }
        if (!value) return false;
        const auto left = integer(*value), right = integer(values.front());
        return left && right && (op == Operator::greater ? *left > *right : *left < *right);
    }

    /// The one value that the key must have, or null where several would do.
    const std::string* equality() const {
        const bool positive = op == Operator::equals || op == Operator::double_equals || op == Operator::in;
        return positive && values.size() == 1 ? &values.front() : nullptr;
    }

    std::string to_string() const {
        switch (op) {
        case Operator::exists: return key;
        case Operator::does_not_exist: return '!' + key;
        case Operator::equals: return key + '=' + values.front();
        case Operator::double_equals: return key + "==" + values.front();
        case Operator::not_equals: return key + "!=" + values.front();
        case Operator::greater: return key + '>' + values.front();
        case Operator::less: return key + '<' + values.front();
        case Operator::in:
        case Operator::not_in: break;
        }
        std::string text = key + (op == Operator::in ? " in (" : " notin (");
        for (std::size_t at = 0; at < values.size(); ++at) (text += at > 0 ? "," : "") += values[at];
        return text += ')';
    }

    /// Decimal, with an optional sign.
    static std::optional<std::int64_t> integer(std::string_view text) {
        if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        return error == std::errc{} && end == text.data() + text.size() ? std::optional{number} : std::nullopt;
    }

    friend bool operator==(const Requirement&, const Requirement&) = default;
};

/// Requirements that must all be met; none accepts everybody. Sorted by key, otherwise in the order they were given.
class Selector {
   public:
    Selector() = default;

    /// The error says what was found and what was expected. O(size log size).
    static Parsed<Selector> parse(std::string_view text);

    bool accepts(const Labels& labels) const {
        return std::all_of(requirements_.begin(), requirements_.end(),
                           [&](const Requirement& requirement) { return requirement.accepts(labels); });
    }

    /// The canonical text: parsed again, it prints the same.
    std::string to_string() const {
        std::string text;
        for (const Requirement& requirement : requirements_)
            (text += text.empty() ? "" : ",") += requirement.to_string();
        return text;
    }

    const std::vector<Requirement>& requirements() const noexcept { return requirements_; }

    friend bool operator==(const Selector&, const Selector&) = default;

   private:
    explicit Selector(std::vector<Requirement> given) {
        std::vector<std::size_t> order(given.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return std::tie(given[a].key, a) < std::tie(given[b].key, b); });
        requirements_.reserve(given.size());
        for (const std::size_t at : order) requirements_.push_back(std::move(given[at]));
    }

    std::vector<Requirement> requirements_;
};

namespace detail {

/// What is wrong with a key (a name, with an optional DNS subdomain and '/' before it) or a value, or nothing.
inline std::string fault_of_name(std::string_view name, std::string_view says, std::string_view examples) {
    const auto alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const bool well_formed = alphanumeric(name.front()) && alphanumeric(name.back()) &&
                             std::all_of(name.begin(), name.end(),
                                         [&](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
    if (well_formed) return {};
    return std::string(says) +
           " consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
           "character (e.g. " +
           std::string(examples);
}

inline std::string fault_of_subdomain(std::string_view name) {
    if (name.empty()) return "prefix part must be non-empty";
    if (name.size() > 253) return "prefix part must be no more than 253 characters";
    const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    for (const std::string_view part : split(name, '.'))
        if (part.empty() || !alphanumeric(part.front()) || !alphanumeric(part.back()) ||
            !std::all_of(part.begin(), part.end(), [&](char c) { return alphanumeric(c) || c == '-'; }))
            return "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' "
                   "or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
                   "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
    return {};
}

inline std::string fault_of_key(std::string_view key) {
    static constexpr std::string_view examples = "'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
                                                 "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    const auto parts = split(key, '/');
    if (parts.size() > 2)
        return fault_of_name("/", "a qualified name must", examples) +
               " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    std::string fault = parts.size() == 2 ? fault_of_subdomain(parts[0]) : std::string();
    const std::string_view name = parts.back();
    const auto add = [&](std::string_view more) { (fault += fault.empty() || more.empty() ? "" : "; ") += more; };
    if (name.empty()) add("name part must be non-empty");
    if (name.size() > 63) add("name part must be no more than 63 characters");
    if (name.empty() || !fault_of_name(name, "", "").empty())
        add(fault_of_name(name.empty() ? "/" : name, "name part must", examples));
    return fault;
}

inline std::string fault_of_value(std::string_view value) {
    if (value.empty()) return {};
    std::string fault = value.size() > 63 ? "must be no more than 63 characters" : "";
    const std::string malformed = fault_of_name(value, "a valid label must be an empty string or",
                                                "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                                                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
    return fault += (fault.empty() || malformed.empty() ? "" : "; ") + malformed;
}

/// A recursive-descent parser, one token ahead. Words `in` and `notin` are operators only where an operator is expected.
class SelectorParser {
   public:
    explicit SelectorParser(std::string_view text) : text_(text) { next(); }

    /// The requirements, in the order of the text, unless error().
    std::vector<Requirement> parse() {
        std::vector<Requirement> requirements;
        while (ok() && token_.kind != Kind::end) {
            if (token_.kind != Kind::word && token_.text != "!") {
                fail("found '" + std::string(token_.text) + "', expected: !, identifier, or 'end of string'");
                break;
            }
            Requirement requirement = parse_requirement();
            if (!ok()) {
                if (!lexical_) error_ = "unable to parse requirement: " + error_;
                break;
            }
            requirements.push_back(std::move(requirement));
            if (token_.kind == Kind::end) break;
            if (token_.text != ",") {
                fail(found() + ", expected: ',' or 'end of string'");
                break;
            }
            next();
            if (ok() && token_.kind != Kind::word && token_.text != "!")
                fail(found() + ", expected: identifier after ','");
        }
        return requirements;
    }

    bool ok() const noexcept { return error_.empty(); }
    const std::string& error() const noexcept { return error_; }

   private:
    enum class Kind { word, symbol, end };
    struct Token {
        Kind kind = Kind::end;
        std::string_view text{};
    };

    Requirement parse_requirement() {
        Requirement requirement;
        const bool negated = token_.kind == Kind::symbol;
        if (negated) next();
        if (token_.kind != Kind::word) return fail(found() + ", expected: identifier"), requirement;
        requirement.key = token_.text;
        if (const std::string fault = fault_of_key(requirement.key); !fault.empty())
            return fail("invalid label key " + in_quotes(requirement.key) + ": " + fault), requirement;
        next();
        if (negated || ends_requirement()) {
            requirement.op = negated ? Operator::does_not_exist : Operator::exists;
            return requirement;
        }
        const auto op = parse_operator();
        if (!op) return requirement;
        requirement.op = *op;
        const bool is_set = *op == Operator::in || *op == Operator::not_in;
        std::vector<std::string> values = is_set ? parse_values() : parse_value();
        std::sort(values.begin(), values.end());
        values.erase(std::unique(values.begin(), values.end()), values.end());
        requirement.values = std::move(values);
        if (ok()) check_values(requirement);
        return requirement;
    }

    std::optional<Operator> parse_operator() {
        static constexpr std::pair<std::string_view, Operator> operators[] = {
            {"in", Operator::in},         {"notin", Operator::not_in},
            {"=", Operator::equals},      {"==", Operator::double_equals},
            {"!=", Operator::not_equals}, {">", Operator::greater},
            {"<", Operator::less}};
        for (const auto& [text, op] : operators)
            if (token_.text == text && token_.kind != Kind::end) return next(), op;
        fail(found() + ", expected: in, notin, =, ==, !=, gt, lt");
        return std::nullopt;
    }

    std::vector<std::string> parse_value() {
        if (ends_requirement()) return {""};
        if (token_.kind != Kind::word) return fail(found() + ", expected: identifier"), std::vector<std::string>{};
        std::vector<std::string> value{std::string(token_.text)};
        next();
        return value;
    }

    std::vector<std::string> parse_values() {
        std::vector<std::string> values;
        if (token_.text != "(") return fail(found() + " expected: '('"), values;
        next();
        for (bool first = true; ok(); first = false) {  // a value, perhaps the empty one, before each ',' and ')'
            const bool is_word = token_.kind == Kind::word;
            if (!is_word && token_.text != "," && token_.text != ")") {
                fail(found() + (first ? ", expected: ',', ')' or identifier" : ", expected: ',', or identifier"));
                break;
            }
            values.emplace_back(is_word ? token_.text : std::string_view{});
            if (is_word) next();
            if (token_.text == ")") return next(), values;
            if (token_.text != ",") {
                fail(found() + ", expected: ',' or ')'");
                break;
            }
            next();
        }
        return values;
    }

    void check_values(const Requirement& requirement) {
        const bool is_order = requirement.op == Operator::greater || requirement.op == Operator::less;
        if (is_order && !Requirement::integer(requirement.values.front()))
            return fail("for 'Gt', 'Lt' operators, the value must be an integer");
        for (const std::string& value : requirement.values)
            if (const std::string fault = is_order ? "" : fault_of_value(value); !fault.empty())
                return fail("invalid label value: " + in_quotes(value) + ": at key: " + in_quotes(requirement.key) +
                            ": " + fault);
    }

    bool ends_requirement() const { return token_.kind == Kind::end || token_.text == ","; }
    std::string found() const { return "found '" + std::string(token_.text) + '\''; }
    void fail(std::string error) {
        if (ok()) error_ = std::move(error);
    }

    static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
    static bool is_symbol(char c) { return std::string_view("=!(),><").find(c) != std::string_view::npos; }

    void next() {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        if (at_ == text_.size()) return void(token_ = {});
        const std::size_t start = at_++;
        token_.kind = is_symbol(text_[start]) ? Kind::symbol : Kind::word;
        if (token_.kind == Kind::symbol) {
            const bool may_grow = text_[start] == '=' || text_[start] == '!';
            if (may_grow && at_ < text_.size() && text_[at_] == '=') ++at_;
        } else {
            while (at_ < text_.size() && !is_symbol(text_[at_]) && !is_space(text_[at_])) ++at_;
        }
        token_.text = text_.substr(start, at_ - start);
        if (token_.text.find('\0') != std::string_view::npos) {
            fail("found " + in_quotes(token_.text) + ", expected: text without NUL");
            lexical_ = true;
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Token token_;
    std::string error_;
    bool lexical_ = false;
};

}  // namespace detail

inline Parsed<Selector> Selector::parse(std::string_view text) {
    detail::SelectorParser parser(text);
    std::vector<Requirement> requirements = parser.parse();
    if (!parser.ok()) return Parsed<Selector>::failed(parser.error());
    return {Selector(std::move(requirements))};
}

}  // namespace netsync::rendezvous
