// The readers of strangers' documents at the full size of a body: nothing deep, endless or repeated gets through, or far.
#include <netsync/http.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

using namespace netsync;

namespace {

constexpr std::size_t megabyte = 1 << 20;

struct Seen {
    std::string error{};
    std::map<std::string, std::string> values{};  // "name" or "name/key"
};

using Reader = std::string (*)(std::string_view, const http::Fields&);

Seen read(Reader reader, std::string_view bytes) {
    Seen seen;
    const auto take = [&](const std::string& name, std::string value) {
        CHECK(seen.values.emplace(name, std::move(value)).second);
        return std::string();
    };
    seen.error = reader(
        bytes, {take, [&](const std::string& name, std::int64_t value) { return take(name, std::to_string(value)); },
                [&](const std::string& name, const std::string& key, std::string value) {
                    return take(name + '/' + key, std::move(value));
                }});
    return seen;
}
Seen json(std::string_view bytes) { return read(http::read_json, bytes); }
Seen yaml(std::string_view bytes) { return read(http::read_yaml, bytes); }

std::string repeated(std::string_view piece, std::size_t size = megabyte) {
    std::string text;
    while (text.size() < size) text += piece;
    return text;
}

}  // namespace

TEST_CASE("documents: what is asked for is read") {
    const std::map<std::string, std::string> all{
        {"event", "e"}, {"mates", "2"}, {"labels/k", "v"}, {"labels/l", ""}, {"payload", "a\n\"\xc3\xa9"}};
    const auto written = json(R"({"event":"e","mates":2,"labels":{"k":"v","l":""},"payload":"a\n\"é"})");
    CHECK(written.error.empty());
    CHECK(written.values == all);
    const auto flow = yaml(R"({"event":"e","mates":2,"labels":{"k":"v","l":""},"payload":"a\n\"é"})");
    CHECK(flow.error.empty());
    CHECK(flow.values == all);
    const auto block = yaml("event: e\nmates: 2\nlabels:\n  k: v\n  l:\npayload: |-\n  a\n  \"é\n");
    CHECK(block.error.empty());
    CHECK(block.values == all);
    const std::string payload = repeated("{[&*!");  // large, and nothing but text
    CHECK(json("{\"payload\":\"" + payload + "\"}").values["payload"] == payload);
    CHECK(yaml("payload: '" + payload + "'\n").values["payload"] == payload);
}

TEST_CASE("documents: very much of any of these is refused, or small") {
    for (const char* piece :
         {"[",           "{",    "{\"a\":", "[{\"a\":", "\"a\":",  "{a: ",    "? ",           "- ",   "a: ",
          "a:\n ",       "&a ",  "*a ",     "!a ",      "!!a ",    "<<: ",    "? ? ",         "[a,",  "{? ",
          "%YAML 1.2\n", "--- ", "#",       "'",        "\"\\x41", "a: |\n ", "\xef\xbb\xbf", "\xff", "\t",
          "\r",          "\n",   ",",       "-",        ":"})
        for (const char* start : {"", "{labels: {", "event: ", "{\"event\":"}) {
            const std::string text = start + repeated(piece, 4'000);
            CAPTURE(std::string(piece));
            CAPTURE(std::string(start));
            for (const Reader reader : {&http::read_json, &http::read_yaml}) {
                const Seen seen = read(reader, text);
                CHECK(seen.error.find('\n') == std::string::npos);
                CHECK(seen.values.size() <= 2);
            }
        }
    // At full size those that would nest deepest.
    CHECK(json(repeated("[")).error == "expected no array");
    CHECK(json(repeated("{\"a\":")).error == "nested too deep");
    CHECK(json("{\"mates\":" + repeated("9") + "}").error.starts_with("malformed JSON at byte "));
    CHECK(yaml(repeated("[")).error == "there are no sequences here");
    CHECK(yaml(repeated("{a: ")).error == "there are no mappings as keys here");
}

TEST_CASE("documents: a billion laughs are none") {
    std::string laughs = "a: &a lol\n", maps = "a: &a {x: lol}\n";
    for (char c = 'b'; c <= 'z'; ++c) {
        const std::string last(1, static_cast<char>(c - 1)), name(1, c);
        laughs += name + ": &" + name + " [*" + last + ",*" + last + ",*" + last + ",*" + last + "]\n";
        maps += name + ": &" + name + " {<<: *" + last + ", x: *" + last + ", y: *" + last + "}\n";
    }
    for (const std::string& text :
         {laughs, maps, std::string("event: &a {k: *a}"), std::string("&a event: e"), std::string("&a {event: e}")}) {
        CAPTURE(text.substr(0, 20));
        CHECK(yaml(text).error == "there are no anchors here");
    }
    CHECK(yaml("event: *a").error == "malformed YAML in line 1");  // an alias of nothing
    CHECK(yaml("<<: {event: e, actor: a}").values ==
          std::map<std::string, std::string>{{"<</event", "e"}, {"<</actor", "a"}});
    CHECK(yaml("labels: {<<: {k: v}}").error == "nested too deep");
}

TEST_CASE("documents: what has no meaning here is refused with its reason") {
    for (const char* text :
         {"{\"mates\":NaN}", "{\"mates\":Infinity}", "{\"mates\":0x1}", "{\"mates\":01}", "{\"mates\":+1}",
          "{\"event\":\"\\ud83d\"}", "{\"event\":\"\\ud83d\\u0041\"}", "{\"event\":\"\xed\xa0\x80\"}",
          "{\"event\":\"\xc0\x80\"}", "{\"event\":\"\xf4\x90\x80\x80\"}", "{\"event\":\"a\nb\"}", "{\"event\":\"e\",}",
          "{'event':'e'}", "{\"event\":\"e\"}{}", "{\"event\":\"e\"", ""}) {
        CAPTURE(std::string(text));
        CHECK(json(text).error.starts_with("malformed JSON at byte "));
    }
    CHECK(json("{\"mates\":1e400}").error.starts_with("malformed JSON"));
    CHECK(json("{\"mates\":-0.5}").error == "expected an integer, found a fraction");
    CHECK(json("{\"mates\":9223372036854775808}").error == "a number is too large");
    CHECK(json("{\"mates\":true}").error == "expected text or a number, found a boolean");
    CHECK(json("{\"labels\":{\"k\":1}}").error == "expected text, found a number");
    CHECK(json("{\"a\\nb\":\"\",\"a\\nb\":\"\"}").error == "a field is there twice: \"a\\u000ab\"");
    CHECK(json("{\"labels\":{\"k\":\"v\",\"k\":\"v\"}}").error == "a field is there twice: \"k\"");
    CHECK(yaml("labels: {k: v, k: v}").error == "a field is there twice: \"k\"");
    std::string many = "{", entries = "{\"labels\":{";
    for (int at = 0; at < 257; ++at) {
        const std::string field = (at > 0 ? ",\"" : "\"") + std::to_string(at) + "\":\"\"";
        many += field;
        entries += field;
    }
    CHECK(json(many + "}").error == "too many fields");
    CHECK(yaml(many + "}").error == "too many fields");
    CHECK(json(entries + "}}").error == "too many fields");
    CHECK(yaml(entries + "}}").error == "too many fields");
}
