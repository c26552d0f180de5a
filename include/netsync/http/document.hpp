// netsync: flat documents of strangers: a JSON object or a YAML mapping of text, numbers, and one level of labels below.
// Bytes in, fields out, one by one: no tree is built, so nothing deep or repeated costs memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <netsync/http/message.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace netsync::http {

/// Takes the fields of a document; what it says is wrong, or nothing, comes back.
struct Fields {
    /// `value` of the field `name`; of YAML, which has no types here, all values are text.
    std::function<std::string(const std::string& name, std::string value)> text{};
    std::function<std::string(const std::string& name, std::int64_t value)> integer{};
    /// `value` of `key` in the mapping that is the field `name`.
    std::function<std::string(const std::string& name, const std::string& key, std::string value)> entry{};
};

namespace detail {

/// What both kinds of document have in common: where we are, and what is wrong.
class Walk {
   public:
    explicit Walk(const Fields& fields) : fields_(fields) {}
    const std::string& error() const noexcept { return error_; }

   protected:
    bool fail(std::string what) {
        if (error_.empty()) error_ = std::move(what);
        return false;
    }
    bool open() {
        if (++depth_ > 2) return fail("nested too deep");
        if (depth_ == 2) outer_ = name_;
        return true;
    }
    bool close() {
        --depth_;
        return true;
    }
    bool name(std::string key) {
        std::vector<std::string>& seen = depth_ == 1 ? names_ : keys_;
        if (depth_ == 1) keys_.clear();
        if (seen.size() >= 256) return fail("too many fields");
        if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
            std::string what = "a field is there twice: ";
            append_json(what, key);  // a key may hold line feeds
            return fail(std::move(what));
        }
        seen.push_back(key);
        name_ = std::move(key);
        return true;
    }
    bool text(std::string value) {
        if (depth_ == 0) return fail("expected a mapping");
        return done(depth_ == 1 ? fields_.text(name_, std::move(value))
                                : fields_.entry(outer_, name_, std::move(value)));
    }
    bool integer(std::int64_t value) {
        return depth_ == 1 ? done(fields_.integer(name_, value)) : fail("expected text, found a number");
    }

    int depth_ = 0;

   private:
    bool done(std::string wrong) { return wrong.empty() || fail(std::move(wrong)); }

    const Fields& fields_;
    std::string error_, name_, outer_;
    std::vector<std::string> names_, keys_;
};

/// nlohmann's events.
class JsonWalk : public Walk, public nlohmann::json_sax<nlohmann::json> {
   public:
    using Walk::Walk;
    bool null() override { return fail("expected text or a number, found null"); }
    bool boolean(bool) override { return fail("expected text or a number, found a boolean"); }
    bool number_integer(number_integer_t value) override {
        return depth_ == 0 ? fail("expected an object") : integer(value);
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (depth_ == 0) return fail("expected an object");
        return value <= INT64_MAX ? integer(static_cast<std::int64_t>(value)) : fail("a number is too large");
    }
    bool number_float(number_float_t, const string_t&) override {
        return fail("expected an integer, found a fraction");
    }
    bool string(string_t& value) override { return text(std::move(value)); }
    bool binary(binary_t&) override { return fail("unexpected bytes"); }
    bool start_object(std::size_t) override { return open(); }
    bool key(string_t& key) override { return name(std::move(key)); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return fail("expected no array"); }
    bool end_array() override { return true; }
    bool parse_error(std::size_t at, const std::string&, const nlohmann::json::exception&) override {
        return fail("malformed JSON at byte " + std::to_string(at));
    }
};

/// yaml-cpp's events. Plain and quoted scalars in mappings are all there is: no aliases, so nothing multiplies.
class YamlWalk : public Walk, public YAML::EventHandler {
   public:
    using Walk::Walk;
    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t anchor) override {
        if (anchor != 0) refuse("anchors");
        scalar("");
    }
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override { refuse("aliases"); }
    void OnScalar(const YAML::Mark&, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        if (anchor != 0) refuse("anchors");
        if (!tag.empty() && tag != "?" && tag != "!") refuse("tags");
        scalar(value);
    }
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
        refuse("sequences");
    }
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        if (anchor != 0) refuse("anchors");
        if (!tag.empty() && tag != "?") refuse("tags");
        if (at_key_ && depth_ > 0) refuse("mappings as keys");
        check(open());
        at_key_ = true;
    }
    void OnMapEnd() override {
        close();
        at_key_ = true;
    }
    void OnAnchor(const YAML::Mark&, const std::string&) override { refuse("anchors"); }

   private:
    void scalar(const std::string& value) {
        const bool is_key = at_key_ && depth_ > 0;
        at_key_ = !is_key;
        check(is_key ? name(value) : text(value));
    }
    void refuse(const char* what) { check(fail(std::string("there are no ") + what + " here")); }
    static void check(bool good) {
        if (!good) throw std::invalid_argument("netsync: refused");
    }

    bool at_key_ = false;
};

}  // namespace detail

/// What is wrong with the document, on one line, or nothing.
inline std::string read_json(std::string_view bytes, const Fields& fields) {
    detail::JsonWalk walk(fields);
    const bool read = nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &walk);
    return read || !walk.error().empty() ? walk.error() : "malformed JSON";
}
inline std::string read_yaml(std::string_view bytes, const Fields& fields) {
    detail::YamlWalk walk(fields);
    try {
        std::istringstream stream{std::string(bytes)};
        YAML::Parser parser(stream);
        if (!parser.HandleNextDocument(walk)) return "expected a mapping";
        if (parser.HandleNextDocument(walk)) return "expected one document";
    } catch (const YAML::Exception& error) {
        return "malformed YAML in line " + std::to_string(error.mark.line + 1);
    } catch (const std::invalid_argument&) {
        return walk.error();
    }
    return walk.error();
}

}  // namespace netsync::http
