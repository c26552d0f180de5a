// Labels and selectors: every row of the tables, and what must hold of any text.
#include <doctest/doctest.h>

#include <netsync/rendezvous.hpp>
#include <random>
#include <string>
#include <string_view>

using namespace netsync::rendezvous;

namespace {

bool is_accepted(std::string_view selector, const Labels& labels) {
    const auto parsed = Selector::parse(selector);
    REQUIRE_MESSAGE(parsed, parsed.error);
    return parsed->accepts(labels);
}

std::string canonical(std::string_view text) {
    const auto parsed = Selector::parse(text);
    return parsed ? parsed->to_string() : "error: " + parsed.error;
}

std::string error_of(std::string_view text) {
    const auto parsed = Selector::parse(text);
    CHECK_FALSE(parsed);
    return parsed.error;
}

bool starts_with(const std::string& text, std::string_view with) { return text.substr(0, with.size()) == with; }

class Texts {
   public:
    explicit Texts(std::uint64_t seed) : random_(seed) {}

    std::string selector() {
        std::string text;
        const std::size_t count = below(4);
        for (std::size_t at = 0; at < count; ++at) text += (at > 0 ? "," : "") + space() + requirement() + space();
        return text;
    }
    /// Pieces of the grammar in no order.
    std::string nonsense() {
        static const char* const pieces[] = {"x", "in", "notin", "=",     "==", "!=", "!",  "<",  ">", "(",
                                             ")", ",",  " ",     "a.b/c", "-",  "7",  "\t", "\"", "é", "/"};
        std::string text;
        for (std::size_t left = below(12); left > 0; --left) text += pieces[below(std::size(pieces))];
        return text;
    }
    Labels labels() {
        Labels labels;
        for (std::size_t left = below(4); left > 0; --left) labels.set(key(), value());
        return labels;
    }

   private:
    std::size_t below(std::size_t bound) { return random_() % bound; }
    std::string key() {
        static const char* const keys[] = {"x", "y", "in", "notin", "a.b/c", "Z_9"};
        return keys[below(std::size(keys))];
    }
    std::string value() {
        static const char* const values[] = {"", "a", "b", "in", "notin", "1", "-5", "10", "v2"};
        return values[below(std::size(values))];
    }
    std::string plain_value() {
        std::string text = value();
        return text == "-5" ? "5" : text;
    }
    std::string space() { return std::string(below(3), " \t\n"[below(3)]); }
    std::string requirement() {
        const auto with = [&](std::string_view op) {
            return key() + space() + std::string(op) + space() + plain_value();
        };
        switch (below(8)) {
        case 0: return key();
        case 1: return "!" + space() + key();
        case 2: return with("=");
        case 3: return with("==");
        case 4: return with("!=");
        case 5: return key() + (below(2) ? "<" : ">") + std::to_string(static_cast<int>(below(30)) - 10);
        default: break;
        }
        std::string text = key() + (below(2) ? " in (" : " notin (");
        for (std::size_t at = 0, count = below(4); at < count; ++at) text += (at > 0 ? "," : "") + plain_value();
        return text + ")";
    }

    std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("selector: what is parsed prints in one form, and that prints the same again") {
    Texts texts{1};
    for (int round = 0; round < 3000; ++round) {
        const std::string text = texts.selector();
        CAPTURE(text);
        const auto once = Selector::parse(text);
        REQUIRE_MESSAGE(once, once.error);
        const std::string printed = once->to_string();
        const auto twice = Selector::parse(printed);
        REQUIRE_MESSAGE(twice, twice.error);
        CHECK(twice->to_string() == printed);
        CHECK(*twice == *once);
    }
}

TEST_CASE("selector: any text is accepted, or refused with one line") {
    Texts texts{2};
    int refused = 0, accepted = 0;
    for (int round = 0; round < 5000; ++round) {
        const std::string text = texts.nonsense();
        CAPTURE(text);
        const auto parsed = Selector::parse(text);
        CHECK(parsed.error.empty() == bool(parsed));
        CHECK(parsed.error.find('\n') == std::string::npos);
        if (parsed) CHECK(canonical(parsed->to_string()) == parsed->to_string());
        ++(parsed ? accepted : refused);
    }
    CHECK(refused > 1000);
    CHECK(accepted > 100);
}

TEST_CASE("selector: a requirement and its opposite never agree") {
    Texts texts{3};
    for (int round = 0; round < 500; ++round) {
        const Labels labels = texts.labels();
        for (const char* value : {"", "a", "1", "in"}) {
            const std::string v = value;
            CHECK(is_accepted("x=" + v, labels) != is_accepted("x!=" + v, labels));
            CHECK(is_accepted("x in (b," + v + ")", labels) != is_accepted("x notin (b," + v + ")", labels));
            CHECK(is_accepted("x=" + v, labels) == is_accepted("x==" + v, labels));
        }
        CHECK(is_accepted("x", labels) != is_accepted("!x", labels));
        CHECK(is_accepted("x,y", labels) == (is_accepted("x", labels) && is_accepted("y", labels)));
        CHECK(is_accepted("", labels));
    }
}

TEST_CASE("selector: canonical texts") {
    CHECK(canonical("x=a,y!=b,z in (h,i,j)") == "x=a,y!=b,z in (h,i,j)");
    CHECK(canonical("x= ") == "x=");
    CHECK(canonical("x==") == "x==");
    CHECK(canonical("x!=") == "x!=");
    CHECK(canonical("x in (b,a,b)") == "x in (a,b)");
    CHECK(canonical("x in (a,,b)") == "x in (,a,b)");
    CHECK(canonical("x notin (abc,,def),bar,z in (),w") == "bar,w,x notin (,abc,def),z in ()");
    CHECK(canonical("in in (in)") == "in in (in)");
    CHECK(canonical("x,!y,z=1,w!=2,v in (1,2),u notin (3)") == "u notin (3),v in (1,2),w!=2,x,!y,z=1");
    CHECK(canonical("example.com/Name=Val") == "example.com/Name=Val");
    CHECK(canonical("") == "");
    CHECK(canonical(" \t\r\n") == "");
    CHECK(canonical("x>-5") == "x>-5");
    CHECK(canonical("notin notin (notin,in)") == "notin notin (in,notin)");
    CHECK(canonical("x in (,)") == "x in ()");
    CHECK(canonical(std::string(63, 'k') + "=" + std::string(63, 'v')).size() == 127);
}

TEST_CASE("selector: errors say what was found and what was expected") {
    CHECK(error_of("x==a==b") == "found '==', expected: ',' or 'end of string'");
    CHECK(error_of("!!x") == "unable to parse requirement: found '!', expected: identifier");
    CHECK(error_of("x,,y") == "found ',', expected: identifier after ','");
    CHECK(error_of("x,") == "found '', expected: identifier after ','");
    CHECK(error_of("x in a") == "unable to parse requirement: found 'a' expected: '('");
    for (const char* text : {"x<a", "x>1.5", "x>", "x<9223372036854775808"})
        CHECK(error_of(text) == "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer");
    CHECK(starts_with(
        error_of("x=\"a\""),
        R"(unable to parse requirement: invalid label value: "\"a\"": at key: "x": a valid label must be)"));
    CHECK(starts_with(error_of("x=a/b"), R"(unable to parse requirement: invalid label value: "a/b": at key: "x": )"));
    CHECK(starts_with(error_of("x=é"), R"(unable to parse requirement: invalid label value: "é": at key: "x": )"));
    CHECK(
        starts_with(error_of("x=\xff"), R"(unable to parse requirement: invalid label value: "\xff": at key: "x": )"));
    CHECK(
        starts_with(error_of("x=" + std::string(64, 'v')), "unable to parse requirement: invalid label value: \"vvv"));
    CHECK(
        starts_with(error_of("-x"), R"(unable to parse requirement: invalid label key "-x": name part must consist)"));
    CHECK(starts_with(error_of("a/b/c=d"),
                      R"(unable to parse requirement: invalid label key "a/b/c": a qualified name must consist of)"));
    CHECK(starts_with(error_of("A.b/c"),
                      R"(unable to parse requirement: invalid label key "A.b/c": prefix part a lowercase RFC 1123)"));
    CHECK(starts_with(error_of("/c"), R"(unable to parse requirement: invalid label key "/c": prefix part must be)"));
    CHECK(error_of(std::string(64, 'k')) == "unable to parse requirement: invalid label key \"" + std::string(64, 'k') +
                                                "\": name part must be no more than 63 characters");
    CHECK(error_of(std::string("x=a\0b", 5)) == R"(found "a\x00b", expected: text without NUL)");
    CHECK(error_of("x y") == "unable to parse requirement: found 'y', expected: in, notin, =, ==, !=, gt, lt");
    CHECK(error_of("x in (a b)") == "unable to parse requirement: found 'b', expected: ',' or ')'");
    CHECK(error_of("x in (=)") == "unable to parse requirement: found '=', expected: ',', ')' or identifier");
    CHECK(error_of("x in (a,=)") == "unable to parse requirement: found '=', expected: ',', or identifier");
    CHECK(error_of("x==!a") == "unable to parse requirement: found '!', expected: identifier");
    CHECK(error_of("=a") == "found '=', expected: !, identifier, or 'end of string'");
    CHECK(error_of("!x=a") == "found '=', expected: ',' or 'end of string'");
}

TEST_CASE("selector: what is true of which labels") {
    CHECK(is_accepted("x!=y", {}));
    CHECK(is_accepted("x notin (a,b)", {}));
    CHECK(is_accepted("x in ()", {{"x", ""}}));
    CHECK_FALSE(is_accepted("x in ()", {}));
    CHECK_FALSE(is_accepted("!x", {{"x", ""}}));
    CHECK(is_accepted("x>9", {{"x", "10"}}));
    CHECK(is_accepted("x<1", {{"x", "-5"}}));
    CHECK_FALSE(is_accepted("x>1", {{"x", "v2"}}));
    for (const char* text : {"x=a", "x==a", "x in (a)", "x>1", "x<1", "x"})
        CHECK_FALSE(is_accepted(text, {{"y", "a"}}));
    for (const char* text : {"x!=a", "x notin (a)", "!x"}) CHECK(is_accepted(text, {{"y", "a"}}));
    CHECK_FALSE(is_accepted("x>9223372036854775806", {{"x", "9223372036854775808"}}));
    CHECK(is_accepted("x>-9223372036854775808", {{"x", "9223372036854775807"}}));
}

TEST_CASE("labels: keys and values") {
    const auto parsed = Labels::parse("b=2,a=1,b=3,c=");
    REQUIRE(parsed);
    CHECK(*parsed == Labels{{"a", "1"}, {"b", "3"}, {"c", ""}});
    CHECK(parsed->find("d") == nullptr);
    CHECK(Labels::parse("")->empty());
    CHECK(Labels::parse("a=b=c").error == R"(bad label: ["a" "b" "c"])");
    CHECK(Labels::parse("x=1,a").error == R"(bad label: ["a"])");
    CHECK(Labels::parse("a=1,").error == R"(bad label: [""])");
    CHECK(Labels::parse("a\n\"").error == R"(bad label: ["a\n\""])");
}

TEST_CASE("labels, selector: very many are read as fast as each") {
    std::string labels, selector;
    for (int at = 30'000; at > 0; --at) {  // descending: each goes before all others
        const std::string key = std::to_string(1'000'000 + at);
        labels += (labels.empty() ? "" : ",") + key + "=v";
        selector += (selector.empty() ? "" : ",") + key + "=v";
    }
    CHECK(Labels::parse(labels)->size() == 30'000);
    CHECK(Selector::parse(selector)->requirements().size() == 30'000);
}
