// netsync/rendezvous.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <numeric>

// ---- netsync/rendezvous/labels.hpp ----

// netsync: what a request says about itself: labels, which the selectors of others test. Text in, sorted pairs out.

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

// ---- netsync/rendezvous/selector.hpp ----

// netsync: whom a request is willing to meet: requirements on the labels of the other, in the language of Kubernetes'
// label selectors. Text in; a canonical text, and yes or no for labels, out.

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

// ---- netsync/rendezvous/request.hpp ----

// netsync: what a process asks for that wants to meet others at an event, and what it gets.

namespace netsync::rendezvous {

/// `{.event = "e", .actor = "alice", .payload = "p1"}` meets one other actor.
struct Request {
    std::string event{};
    std::string actor{};
    std::string payload{};
    std::size_t mates = 1;               ///< others wanted, at least; 0: answered at once, alone
    std::optional<Selector> selector{};  ///< of the others' labels; none: anyone but the same actor
    Labels labels{};                     ///< for the others' selectors; `actor` is added where it is not set
    std::optional<Duration> timeout{};   ///< none: waits until it meets or departs
};

/// Names a request that waits: its number in the order of arrival. Never used twice.
enum class RequestId : std::uint64_t {};

/// Who was there, and with what. An actor that is there twice is `actor` and `actor#2`.
struct Payload {
    std::string actor{};
    std::string payload{};
    friend bool operator==(const Payload&, const Payload&) = default;
};

/// What keeps strangers from taking all the memory and all the time.
struct ExchangeLimits {
    std::size_t waiting = 100'000;
    std::size_t text = 1 << 20;  ///< bytes of all the text of one request
    std::size_t labels = 64;
    std::size_t requirements = 64;  ///< in one selector
    std::size_t search = 20'000;    ///< comparisons in vain for one arrival; beyond them it waits: see Exchange
};

/// Why a request is refused, or went without meeting.
enum class errc {
    empty_event = 1,
    empty_actor,
    too_many_waiting,
    too_large,
    too_many_labels,
    too_many_requirements,
    timed_out,
    undecided
};

namespace detail {

class ErrorCategory final : public std::error_category {
   public:
    const char* name() const noexcept override { return "netsync rendezvous"; }
    std::string message(int code) const override {
        switch (static_cast<errc>(code)) {
        case errc::empty_event: return "empty event";
        case errc::empty_actor: return "empty actor";
        case errc::too_many_waiting: return "too many requests are waiting";
        case errc::too_large: return "the request is too large";
        case errc::too_many_labels: return "too many labels";
        case errc::too_many_requirements: return "too many requirements in the selector";
        case errc::timed_out: return "timed out: not enough others came";
        case errc::undecided: return "undecided: the time is over, and the group may yet meet or not";
        }
        return "unknown rendezvous error";
    }
};

inline std::size_t text_of(const Request& request) {
    std::size_t bytes = request.event.size() + request.actor.size() + request.payload.size();
    for (const auto& [key, value] : request.labels) bytes += key.size() + value.size();
    if (request.selector)
        for (const Requirement& requirement : request.selector->requirements()) {
            bytes += requirement.key.size();
            for (const std::string& value : requirement.values) bytes += value.size() + 1;
        }
    return bytes;
}

}  // namespace detail

inline std::error_code make_error_code(errc code) noexcept {
    static const detail::ErrorCategory category;
    return {static_cast<int>(code), category};
}

}  // namespace netsync::rendezvous

template <>
struct std::is_error_code_enum<netsync::rendezvous::errc> : std::true_type {};

namespace netsync::rendezvous {

/// Adds the label that says who it is. An error for a request that no exchange takes.
inline std::error_code complete(Request& request, const ExchangeLimits& limits) {
    if (request.event.empty()) return errc::empty_event;
    if (request.actor.empty()) return errc::empty_actor;
    if (!request.labels.find("actor")) request.labels.set("actor", request.actor);
    if (request.labels.size() > limits.labels) return errc::too_many_labels;
    if (request.selector && request.selector->requirements().size() > limits.requirements)
        return errc::too_many_requirements;
    if (detail::text_of(request) > limits.text) return errc::too_large;
    return {};
}

/// Whether one is willing to meet the other; it takes both. `Party` has the actor, labels and selector of a request.
template <class Party>
bool accepts(const Party& one, const Party& other) {
    return one.selector ? one.selector->accepts(other.labels) : one.actor != other.actor;
}
template <class Party>
bool meet(const Party& one, const Party& other) {
    return accepts(one, other) && accepts(other, one);
}

/// In the order of arrival in, by actor out. The first of each actor keeps its name, the next is `actor#2`, and so on.
inline std::vector<Payload> named_apart(std::vector<Payload> payloads) {
    const auto by_actor = [](const Payload& a, const Payload& b) { return a.actor < b.actor; };
    if (payloads.size() == 2 && payloads[0].actor != payloads[1].actor) {
        if (by_actor(payloads[1], payloads[0])) std::swap(payloads[0], payloads[1]);
        return payloads;
    }
    std::vector<std::size_t> order(payloads.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::tie(payloads[a].actor, a) < std::tie(payloads[b].actor, b);
    });
    std::vector<Payload> named, again;
    named.reserve(payloads.size());
    for (const std::size_t at : order) {
        const bool first = named.empty() || named.back().actor != payloads[at].actor;
        (first ? named : again).push_back(std::move(payloads[at]));
    }
    std::string actor;
    std::size_t count = 1;
    for (Payload& payload : again) {
        if (actor != payload.actor) count = 1, actor = payload.actor;
        do payload.actor = actor + '#' + std::to_string(++count);
        while (std::binary_search(named.begin(), named.end(), payload, by_actor));  // somebody's own name
    }
    named.insert(named.end(), std::make_move_iterator(again.begin()), std::make_move_iterator(again.end()));
    if (!again.empty()) std::sort(named.begin(), named.end(), by_actor);
    return named;
}

}  // namespace netsync::rendezvous

// ---- netsync/rendezvous/waiting.hpp ----

// netsync: the requests that wait at one event, so that those which may meet a newcomer are found without a look at the
// others. Requests come and go; candidates come out, the oldest first.

namespace netsync::rendezvous::detail {

class Event;
struct Profile;

/// One request that waits. The others of its profile are linked to it, the oldest first.
struct Waiting {
    std::uint64_t number = 0;
    std::string payload{};
    Duration deadline = Duration::max();
    Profile* profile = nullptr;
    Waiting* previous = nullptr;
    Waiting* next = nullptr;
};

/// Requests that say the same are interchangeable but for their age: they meet, or fail to meet, as one.
struct Profile {
    std::string actor{};
    std::optional<Selector> selector{};
    Labels labels{};
    std::size_t mates = 1;
    Event* event = nullptr;
    Waiting* first = nullptr;
    Waiting* last = nullptr;
    std::size_t count = 0;
    std::uint64_t required = 0;  // hash of a label that its selector demands; 0: none
    std::uint64_t hash = 0;      // of all that it says, where there is an index

    bool says_the_same(const Profile& other) const {
        return mates == other.mates && actor == other.actor && labels == other.labels && selector == other.selector;
    }
};

/// A profile by its oldest request.
struct Head {
    std::uint64_t number;
    Profile* profile;
    friend bool operator<(const Head& a, const Head& b) noexcept { return a.number < b.number; }
};
using Heads = std::set<Head>;

inline std::uint64_t hash_of(std::string_view text, std::uint64_t seed = 0) noexcept {
    return netsync::detail::hash_bytes(text.data(), text.size(), seed);
}
inline std::uint64_t hash_of(std::string_view key, std::string_view value) noexcept {
    return hash_of(value, hash_of(key)) | 1;  // 0 stands for none
}

/// Profiles by what their selectors demand and by what their labels say, both at once: a newcomer with a label asks for
/// those who demand it, or demand nothing, and among them for those who have what it demands itself. Equality only; the
/// rest of a selector is tested on what is found. Hashes that collide cost time and nothing else.
class Index {
   public:
    struct Size {
        std::size_t waiting = 0;
        Heads profiles{};
    };

    void add(Profile& profile) {
        for (const std::uint64_t demanded : demands(profile))
            if (profile.required == 0 || size(demanded, 0) < size(profile.required, 0)) profile.required = demanded;
        profiles_.emplace(profile.hash = hash(profile), &profile);
        for_each_place(profile, [&](Heads& heads) { heads.insert({profile.first->number, &profile}); });
    }
    void remove(Profile& profile, std::uint64_t number) {
        const auto [begin, end] = profiles_.equal_range(profile.hash);
        for (auto at = begin; at != end; ++at)
            if (at->second == &profile) {
                profiles_.erase(at);
                break;
            }
        move(profile, number, nullptr);
    }
    /// Its oldest request was `number` and is now `head`.
    void move(Profile& profile, std::uint64_t number, const Waiting* head) {
        for_each_place(profile, [&](Heads& heads) {
            heads.erase({number, nullptr});
            if (head) heads.insert({head->number, &profile});
        });
        for_each_key(profile, [&](std::uint64_t key) {
            if (const auto at = places_.find(key); at != places_.end() && at->second.empty()) places_.erase(at);
        });
    }
    void count(std::size_t mates, std::ptrdiff_t more) {
        Size& size = sizes_[mates];
        size.waiting += static_cast<std::size_t>(more);
        if (size.waiting == 0 && size.profiles.empty()) sizes_.erase(mates);
    }

    Profile* find(const Profile& like) const {
        const auto [begin, end] = profiles_.equal_range(hash(like));
        for (auto at = begin; at != end; ++at)
            if (at->second->says_the_same(like)) return at->second;
        return nullptr;
    }

    /// The places of all who may meet `profile`, and how many they are.
    std::size_t candidates(const Profile& profile, std::vector<const Heads*>& places) const {
        std::vector<std::uint64_t> said{0};
        for (const auto& [key, value] : profile.labels) said.push_back(hash_of(key, value));
        std::uint64_t demanded = 0;
        std::size_t least = size(said, 0);
        for (const std::uint64_t each : demands(profile))
            if (const std::size_t found = size(said, each); found < least || demanded == 0) {
                demanded = each;
                least = found;
            }
        for (const std::uint64_t label : said)
            if (const Heads* heads = find(key_of(label, demanded))) places.push_back(heads);
        return least;
    }

    const std::map<std::size_t, Size>& sizes() const noexcept { return sizes_; }

   private:
    static std::uint64_t key_of(std::uint64_t required, std::uint64_t label) noexcept {
        return netsync::detail::mix(required, label);
    }

    /// Labels that its selector demands; a few of them are enough.
    static std::vector<std::uint64_t> demands(const Profile& profile) {
        std::vector<std::uint64_t> result;
        if (!profile.selector) return result;
        for (const Requirement& requirement : profile.selector->requirements())
            if (const std::string* value = requirement.equality(); value && result.size() < 4)
                result.push_back(hash_of(requirement.key, *value));
        return result;
    }

    static std::uint64_t hash(const Profile& profile) {
        std::uint64_t hash = hash_of(profile.actor, profile.mates);
        for (const auto& [key, value] : profile.labels) hash = hash_of(value, hash_of(key, hash));
        if (!profile.selector) return hash;
        for (const Requirement& requirement : profile.selector->requirements()) {
            hash = hash_of(requirement.key, hash + static_cast<std::uint64_t>(requirement.op));
            for (const std::string& value : requirement.values) hash = hash_of(value, hash);
        }
        return ~hash;
    }

    const Heads* find(std::uint64_t key) const {
        const auto at = places_.find(key);
        return at == places_.end() ? nullptr : &at->second;
    }
    std::size_t size(std::uint64_t required, std::uint64_t label) const {
        const Heads* heads = find(key_of(required, label));
        return heads ? heads->size() : 0;
    }
    std::size_t size(const std::vector<std::uint64_t>& required, std::uint64_t label) const {
        std::size_t sum = 0;
        for (const std::uint64_t each : required) sum += size(each, label);
        return sum;
    }

    template <class F>
    static void for_each_key(const Profile& profile, F&& f) {
        f(key_of(profile.required, 0));
        for (const auto& [key, value] : profile.labels) f(key_of(profile.required, hash_of(key, value)));
    }
    template <class F>
    void for_each_place(const Profile& profile, F&& f) {
        for_each_key(profile, [&](std::uint64_t key) { f(places_[key]); });
        f(sizes_[profile.mates].profiles);
    }

    std::unordered_map<std::uint64_t, Heads> places_;
    std::unordered_multimap<std::uint64_t, Profile*> profiles_;
    std::map<std::size_t, Size> sizes_;
};

/// All that waits at one event. With few profiles they are simply gone through; more get an index.
class Event {
   public:
    const std::string* name = nullptr;  // whoever owns this sets it

    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() {
        for (const Head& head : heads_) delete head.profile;
    }

    bool empty() const noexcept { return heads_.empty(); }
    const Heads& heads() const noexcept { return heads_; }
    const Index* index() const noexcept { return index_.get(); }

    /// `waiting` is newer than all that are here.
    void add(Waiting& waiting, Profile&& said) {
        Profile* profile = find(said);
        if (!profile) {
            profile = new Profile(std::move(said));
            profile->event = this;
        }
        waiting.profile = profile;
        waiting.previous = profile->last;
        (profile->last ? profile->last->next : profile->first) = &waiting;
        profile->last = &waiting;
        if (++profile->count == 1) {
            heads_.insert(heads_.end(), {waiting.number, profile});
            if (index_) index_->add(*profile);
        }
        if (index_) return index_->count(profile->mates, +1);
        if (heads_.size() > few) {
            index_ = std::make_unique<Index>();
            for (const Head& head : heads_) {
                index_->add(*head.profile);
                index_->count(head.profile->mates, static_cast<std::ptrdiff_t>(head.profile->count));
            }
        }
    }

    void remove(Waiting& waiting) {
        Profile& profile = *waiting.profile;
        (waiting.next ? waiting.next->previous : profile.last) = waiting.previous;
        if (waiting.previous) {
            waiting.previous->next = waiting.next;
        } else {
            profile.first = waiting.next;
            heads_.erase({waiting.number, nullptr});
            if (profile.first) heads_.insert({profile.first->number, &profile});
            if (index_ && profile.first) index_->move(profile, waiting.number, profile.first);
            if (index_ && !profile.first) index_->remove(profile, waiting.number);
        }
        --profile.count;
        if (index_) index_->count(profile.mates, -1);
        if (profile.count == 0) delete &profile;
    }

   private:
    static constexpr std::size_t few = 16;

    Profile* find(const Profile& like) const {
        if (index_) return index_->find(like);
        for (const Head& head : heads_)
            if (head.profile->says_the_same(like)) return head.profile;
        return nullptr;
    }

    Heads heads_;  // of all profiles
    std::unique_ptr<Index> index_;
};

}  // namespace netsync::rendezvous::detail

// ---- netsync/rendezvous/group_search.hpp ----

// netsync: which of those who wait a newcomer completes a group with. One event and one newcomer in, the group out.

namespace netsync::rendezvous::detail {

/// Of all groups that can fire, the one whose members' numbers, in ascending order, come first: depth first, the oldest
/// first. A group is pairwise willing and has exactly one more member than the largest `mates` in it; all contain the
/// newcomer, for no group of those who waited before could fire. Comparisons in vain are counted, and end the search at a limit.
class GroupSearch {
   public:
    GroupSearch(const Event& event, const Profile& newcomer, std::size_t limit)
        : event_(event), newcomer_(newcomer), left_(limit) {}

    /// The others of the group by age, or nothing.
    std::vector<Waiting*> run() {
        std::vector<Waiting*> best;
        for (const std::size_t mates : sizes())
            if (std::vector<Waiting*> group = find(mates); !group.empty() && (best.empty() || is_before(group, best)))
                best = std::move(group);
        return best;
    }

    /// The limit was met: there may be a group that was not found.
    bool gave_up() const noexcept { return left_ == 0; }

   private:
    /// The newcomer is the last of both: where one group is the beginning of the other, the longer one comes first.
    static bool is_before(const std::vector<Waiting*>& a, const std::vector<Waiting*>& b) {
        const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
        if (in_a == a.end() || in_b == b.end()) return a.size() > b.size();
        return (*in_a)->number < (*in_b)->number;
    }

    /// A choice among candidates, the oldest first: those at `places`, and the next of a profile that was chosen from.
    struct Level {
        std::vector<const Heads*> places{};  // of all who may meet one of the chosen: of the one with the fewest
        std::size_t bound = 0;               // how many these are
        std::vector<std::pair<Heads::const_iterator, Heads::const_iterator>> cursors{};
        std::vector<Waiting*> again{};  // the oldest at the back
    };

    /// What the largest `mates` of a group may be: enough are there, and one who asks for so many.
    std::vector<std::size_t> sizes() const {
        std::map<std::size_t, std::size_t> waiting{{newcomer_.mates, 0}};
        if (const Index* index = event_.index())
            for (const auto& [mates, size] : index->sizes()) waiting[mates] = size.waiting;
        else
            for (const Head& head : event_.heads()) waiting[head.profile->mates] += head.profile->count;
        std::vector<std::size_t> result;
        std::size_t at_most = 0;
        for (const auto& [mates, count] : waiting) {
            at_most += count;
            const bool enough = mates >= newcomer_.mates && at_most >= mates;
            if (enough && (mates == newcomer_.mates || may_be_met(mates))) result.push_back(mates);
        }
        return result;
    }

    bool may_be_met(std::size_t mates) const {
        const Index* index = event_.index();
        std::size_t looked = 0;
        for (const Head& head : index ? index->sizes().at(mates).profiles : event_.heads()) {
            if (head.profile->mates == mates && meet(*head.profile, newcomer_)) return true;
            if (++looked == 32) return true;  // perhaps
        }
        return false;
    }

    std::vector<Waiting*> find(std::size_t mates) {
        mates_ = mates;
        holders_ = newcomer_.mates == mates ? 1 : 0;
        descend(newcomer_);
        while (!levels_.empty() && left_ > 0) {
            if (Waiting* candidate = next(levels_.back()); !candidate) {
                levels_.pop_back();
                if (!chosen_.empty()) take_back();
                spend(1);
            } else if (fits(*candidate->profile)) {
                choose(*candidate);
                if (chosen_.size() == mates) break;
                descend(*candidate->profile);
            }
        }
        levels_.clear();
        std::vector<Waiting*> group = chosen_.size() == mates ? chosen_ : std::vector<Waiting*>{};
        while (!chosen_.empty()) take_back();
        return group;
    }

    void descend(const Profile& newest) {
        Level level;
        if (!levels_.empty()) {
            level.places = levels_.back().places;
            level.bound = levels_.back().bound;
        }
        if (const Index* index = event_.index(); !index) {
            level.places = {&event_.heads()};
        } else if (levels_.empty() || level.bound > 32) {
            std::vector<const Heads*> places;
            if (const std::size_t bound = index->candidates(newest, places); levels_.empty() || bound < level.bound)
                level.places = std::move(places), level.bound = bound;
        }
        const std::uint64_t after = chosen_.empty() ? 0 : chosen_.back()->number + 1;
        for (const Heads* heads : level.places)
            level.cursors.emplace_back(heads->lower_bound({after, nullptr}), heads->end());
        for (const Waiting* waiting : repeatable_)
            if (waiting->next && waiting->next->number >= after) level.again.push_back(waiting->next);
        std::sort(level.again.begin(), level.again.end(),
                  [](const Waiting* a, const Waiting* b) { return a->number > b->number; });
        levels_.push_back(std::move(level));
    }

    /// One candidate a profile: where it does not lead to a group, a younger one that says the same does not either.
    static Waiting* next(Level& level) {
        Waiting* oldest = level.again.empty() ? nullptr : level.again.back();
        for (const auto& [at, end] : level.cursors)
            if (at != end && (!oldest || at->number < oldest->number)) oldest = at->profile->first;
        if (!oldest) return nullptr;
        if (!level.again.empty() && level.again.back() == oldest) level.again.pop_back();
        for (auto& [at, end] : level.cursors)
            if (at != end && at->number == oldest->number) ++at;
        return oldest;
    }

    bool fits(const Profile& candidate) {
        const bool is_last = chosen_.size() + 1 == mates_;
        const bool right_size = candidate.mates <= mates_ && (!is_last || holders_ > 0 || candidate.mates == mates_);
        if (!right_size || !meet(candidate, newcomer_)) return spend(1), false;
        if (!candidate.selector && actors_.contains(candidate.actor)) return spend(1), false;
        std::size_t compared = 1;
        const auto meets = [&](const Waiting* other) { return ++compared, meet(candidate, *other->profile); };
        const bool meets_all = std::all_of(choosy_.begin(), choosy_.end(), meets) &&
                               (!candidate.selector || std::all_of(plain_.begin(), plain_.end(), meets));
        if (!meets_all) spend(compared);
        return meets_all;
    }

    void choose(Waiting& waiting) {
        const Profile& profile = *waiting.profile;
        chosen_.push_back(&waiting);
        (profile.selector ? choosy_ : plain_).push_back(&waiting);
        if (!profile.selector) actors_.insert(profile.actor);
        if (profile.selector && waiting.next && meet(profile, profile)) repeatable_.push_back(&waiting);
        if (profile.mates == mates_) ++holders_;
    }

    void take_back() {
        const Waiting* waiting = chosen_.back();
        const Profile& profile = *waiting->profile;
        chosen_.pop_back();
        (profile.selector ? choosy_ : plain_).pop_back();
        if (!profile.selector) actors_.erase(profile.actor);
        if (!repeatable_.empty() && repeatable_.back() == waiting) repeatable_.pop_back();
        if (profile.mates == mates_) --holders_;
    }

    void spend(std::size_t comparisons) noexcept { left_ -= std::min(left_, comparisons); }

    const Event& event_;
    const Profile& newcomer_;
    std::size_t left_;
    std::size_t mates_ = 0;
    std::size_t holders_ = 0;  // of those chosen and the newcomer, how many ask for as many as the group is to have
    std::vector<Waiting*> chosen_;
    std::vector<const Waiting*> plain_, choosy_;   // of these, without and with a selector
    std::vector<const Waiting*> repeatable_;       // of these, whose next may be chosen too
    std::unordered_set<std::string_view> actors_;  // of the plain ones: no two are the same
    std::vector<Level> levels_;
};

}  // namespace netsync::rendezvous::detail

// ---- netsync/rendezvous/exchange.hpp ----

// netsync: where requests meet. Arrivals, departures and the passing of time come in; matches come out. No threads, no
// sockets, no clock: meet.hpp and http/ put these around it, pool_exchange.hpp does without one place.

namespace netsync::rendezvous {

/// A group that has met. Each of its requests is done, and is told the same payloads.
struct Match {
    std::vector<RequestId> members{};  ///< in the order of their arrival
    std::vector<Payload> payloads{};   ///< by actor
};

/// What an arrival came to: `match`, or it waits.
struct Arrival {
    RequestId id{};
    std::optional<Match> match{};
};

/// A request that waits, as others may be told of it. Good until the exchange changes.
struct WaitingRequest {
    RequestId id;
    const std::string& event;
    const std::string& actor;
    std::size_t mates;
    const std::optional<Selector>& selector;
    const Labels& labels;
};

/// Counts since the start.
struct ExchangeStatistics {
    std::uint64_t arrived = 0;
    std::uint64_t refused = 0;
    std::uint64_t met = 0;     ///< requests
    std::uint64_t groups = 0;  ///< that they met in
    std::uint64_t departed = 0;
    std::uint64_t expired = 0;
    std::uint64_t searches_given_up = 0;
};

/// A group fires as soon as it is there: requests for one event, pairwise willing, one more than the largest `mates` in
/// it. `mates = 0` is answered at once, alone. Of the groups that an arrival completes, the one fires whose members, by
/// age, come first: the oldest request that can be completed, with the oldest that fit. A request is in one group only.
///
/// An arrival costs O(log waiting) beside those who may meet it: the event and the labels that selectors demand by
/// equality are indexed. Whether a group exists at all is a hard question for selectors made to make it one: after
/// limits.search comparisons in vain the arrival waits, as if there were none.
///
/// One thread. Time is that of any steady clock.
class Exchange {
   public:
    explicit Exchange(ExchangeLimits limits = {}) : limits_(limits) {}

    /// An error of `complete`, or errc::too_many_waiting where it would have to wait; nothing has changed then.
    Result<Arrival> arrive(Request request, Duration now) {
        if (const std::error_code error = complete(request, limits_)) return ++statistics_.refused, error;
        const RequestId id{last_ + 1};
        Arrival arrival{id, {}};
        if (request.mates == 0) {
            ++last_, ++statistics_.arrived, ++statistics_.groups, ++statistics_.met;
            arrival.match = Match{{id}, {{std::move(request.actor), std::move(request.payload)}}};
            return arrival;
        }
        detail::Profile profile{.actor = std::move(request.actor),
                                .selector = std::move(request.selector),
                                .labels = std::move(request.labels),
                                .mates = request.mates};
        const auto at = events_.find(request.event);
        if (at != events_.end()) {
            detail::GroupSearch search(at->second, profile, limits_.search);
            if (const std::vector<detail::Waiting*> others = search.run(); !others.empty()) {
                ++last_, ++statistics_.arrived;
                arrival.match = meet_with(others, id, {std::move(profile.actor), std::move(request.payload)});
                return arrival;
            }
            if (search.gave_up()) ++statistics_.searches_given_up;
        }
        if (waiting_.size() >= limits_.waiting) return ++statistics_.refused, make_error_code(errc::too_many_waiting);
        ++last_, ++statistics_.arrived;
        wait(std::move(profile), std::move(request), id, now);
        return arrival;
    }

    /// Whoever asked is gone. False where it does not wait any more.
    bool depart(RequestId id) {
        if (!remove(id)) return false;
        ++statistics_.departed;
        return true;
    }

    /// The requests whose timeout has passed: they do not wait any more.
    std::vector<RequestId> expire(Duration now) {
        std::vector<RequestId> expired;
        while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
            expired.push_back(deadlines_.begin()->second);
            remove(expired.back());
            ++statistics_.expired;
        }
        return expired;
    }
    /// When expire() has something to do.
    std::optional<Duration> next_deadline() const {
        return deadlines_.empty() ? std::nullopt : std::optional{deadlines_.begin()->first};
    }

    /// Calls `f(const WaitingRequest&)` for each request that waits, in no order.
    template <class F>
    void for_each_waiting(F&& f) const {
        for (const auto& [number, waiting] : waiting_) {
            const detail::Profile& said = *waiting.profile;
            f(WaitingRequest{RequestId{number}, *said.event->name, said.actor, said.mates, said.selector, said.labels});
        }
    }

    /// Requests that wait.
    std::size_t size() const noexcept { return waiting_.size(); }
    /// Events that somebody waits at.
    std::size_t events() const noexcept { return events_.size(); }
    const ExchangeStatistics& statistics() const noexcept { return statistics_; }
    const ExchangeLimits& limits() const noexcept { return limits_; }

   private:
    void wait(detail::Profile profile, Request request, RequestId id, Duration now) {
        const auto number = static_cast<std::uint64_t>(id);
        detail::Waiting& waiting = waiting_[number];
        waiting.number = number;
        waiting.payload = std::move(request.payload);
        if (request.timeout) {
            const bool ever = *request.timeout < Duration::max() - now;
            waiting.deadline = ever ? now + *request.timeout : Duration::max();
            if (ever) deadlines_.insert({waiting.deadline, id});
        }
        const auto at = events_.try_emplace(std::move(request.event)).first;
        at->second.name = &at->first;
        at->second.add(waiting, std::move(profile));
    }

    Match meet_with(const std::vector<detail::Waiting*>& others, RequestId id, Payload own) {
        Match match;
        match.members.reserve(others.size() + 1);
        match.payloads.reserve(others.size() + 1);
        for (detail::Waiting* waiting : others) {
            match.members.push_back(RequestId{waiting->number});
            match.payloads.push_back({waiting->profile->actor, std::move(waiting->payload)});
        }
        match.members.push_back(id);
        match.payloads.push_back(std::move(own));
        match.payloads = named_apart(std::move(match.payloads));
        for (std::size_t at = 0; at < others.size(); ++at) remove(match.members[at]);
        ++statistics_.groups;
        statistics_.met += match.members.size();
        return match;
    }

    bool remove(RequestId id) {
        const auto at = waiting_.find(static_cast<std::uint64_t>(id));
        if (at == waiting_.end()) return false;
        detail::Waiting& waiting = at->second;
        if (waiting.deadline != Duration::max()) deadlines_.erase({waiting.deadline, id});
        detail::Event& event = *waiting.profile->event;
        event.remove(waiting);
        if (event.empty()) events_.erase(events_.find(*event.name));
        waiting_.erase(at);
        return true;
    }

    ExchangeLimits limits_;
    std::uint64_t last_ = 0;
    std::unordered_map<std::uint64_t, detail::Waiting> waiting_;
    std::unordered_map<std::string, detail::Event> events_;
    std::set<std::pair<Duration, RequestId>> deadlines_;
    ExchangeStatistics statistics_;
};

}  // namespace netsync::rendezvous

// ---- netsync/rendezvous.hpp ----

// netsync: the opt-in header for rendezvous: requests that name an event and wait until enough others have come that fit.
// In one place, without threads or sockets: Exchange. Needs the standard library only; meet.hpp adds Asio, http.hpp HTTP.

