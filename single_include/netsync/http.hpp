// netsync/http.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/detail/asio.hpp>
#include <netsync/rendezvous.hpp>
#include <cmath>
#include <ctime>
#include <sstream>
#include <stdexcept>

// ---- netsync/http/message.hpp ----

// netsync: HTTP as the routes of a server see it: a request comes in, a reply goes out. No library's types.

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

// ---- netsync/http/document.hpp ----

// netsync: flat documents of strangers: a JSON object or a YAML mapping of text, numbers, and one level of labels below.
// Bytes in, fields out, one by one: no tree is built, so nothing deep or repeated costs memory.

#include <nlohmann/json.hpp>
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

// ---- netsync/transport/system.hpp ----

// netsync: what only the operating system can say or do about sockets, where it can.

#if __has_include(<sys/resource.h>)
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#endif

namespace netsync::detail {

/// How many files, sockets among them, this program may have open at a time; the largest number where that is not known.
inline std::size_t most_open_files() {
#if __has_include(<sys/resource.h>)
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) return static_cast<std::size_t>(files.rlim_cur);
#endif
    return std::numeric_limits<std::size_t>::max();
}

#ifdef TCP_KEEPIDLE
/// An option of TCP, as Asio takes it.
struct TcpOption {
    int number, value;
    int level(const auto&) const { return IPPROTO_TCP; }
    int name(const auto&) const { return number; }
    const int* data(const auto&) const { return &value; }
    std::size_t size(const auto&) const { return sizeof value; }
};
#endif

/// Ends the connection of a socket whose other side has been gone for `time` (4 s to a day) without a word. Where the system
/// does not let a program say how long that is, it is the system's own time.
void end_when_vanished(auto& socket, Duration time) {
    asio::error_code ignored;  // a socket that is gone already is noticed later
    socket.set_option(asio::socket_base::keep_alive(true), ignored);
#ifdef TCP_KEEPIDLE
    const auto seconds = std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(time).count(), 4, 86'400);
    const int step = static_cast<int>(seconds) / 4;  // idle, then three times asked in vain
    for (const auto& [name, value] : {std::pair{TCP_KEEPIDLE, step}, {TCP_KEEPINTVL, step}, {TCP_KEEPCNT, 3}})
        socket.set_option(TcpOption{name, value}, ignored);
#else
    static_cast<void>(time);
#endif
}

}  // namespace netsync::detail

// ---- netsync/http/server.hpp ----

// netsync: an HTTP/1.1 server on the program's own io_context. Routes come in at the start; requests go to their
// handlers, replies come back then or later. Made of RESTinio, whose types stay in this file.

#include <restinio/all.hpp>

namespace netsync::http {

/// What one client can take of the server. What exceeds twice a size ends the connection without a word.
struct Limits {
    std::size_t path = 16 << 10;                   ///< bytes of path and query; more: 414
    std::size_t body = 1 << 20;                    ///< bytes; more: 413
    std::size_t fields = 64;                       ///< of the head, each of at most 8 KiB
    std::size_t connections = 4096;                ///< more are closed at once; at most 3/4 of the files it may open
    std::size_t unanswered = 8;                    ///< requests on one connection; all of them get 503 when more come
    Duration reading = std::chrono::seconds{30};   ///< a request, and what is before it: the last reply, and idle time
    Duration writing = std::chrono::seconds{30};   ///< a reply, while others are to follow
    Duration vanished = std::chrono::seconds{60};  ///< a client whose machine or network is gone, and who cannot say so
};

struct Options {
    std::string address = "127.0.0.1";  ///< to listen on
    std::uint16_t port = 0;             ///< 0: any free one
    std::vector<std::string> hosts{};   ///< names that `Host` may have beside the address and those of this machine
    /// Runs before every route, those of the server itself too: nothing lets the request through, a reply refuses it.
    std::function<std::optional<Reply>(const Request&)> authorize{};
    Limits limits{};
};

/// Where the reply to one request goes: once, in its handler or later, on the server's io_context. Without any, the client is told 500.
class Responder {
   public:
    explicit Responder(std::function<void(Reply&&)> send) : send_(std::move(send)) {}
    Responder(Responder&&) noexcept = default;
    Responder& operator=(Responder&&) noexcept = default;
    ~Responder() {
        if (send_) reply(Reply::error(500, "no answer"));
    }

    void reply(Reply reply) {
        if (const auto send = std::exchange(send_, nullptr)) send(std::move(reply));
    }

    /// Calls `f` when the client is gone before the reply; once. Half a connection counts as gone.
    std::function<void(std::function<void()>)> on_gone{};

   private:
    std::function<void(Reply&&)> send_;
};

/// Requests so far, by what became of them.
struct Statistics {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  ///< 4xx
    std::uint64_t failed = 0;   ///< 5xx
    std::uint64_t gone = 0;     ///< the client left before the reply
    std::size_t connections = 0;
    std::size_t unanswered = 0;
};

/// Its io_context is run by one thread, which is where everything happens. `/healthz` and `/metrics` are there from the
/// start. A request must name a host that the server answers for (421 otherwise: a page of somewhere else that resolves
/// its own name to this machine gets nothing), and pass options.authorize.
template <class Socket = asio::ip::tcp::socket>
class BasicServer {
   public:
    using Handler = std::function<void(const Request&, Responder)>;

    BasicServer(asio::io_context& context, Options options) : context_(context), state_(std::make_shared<State>()) {
        state_->options = std::move(options);
        route("GET", "/healthz",
              [](const Request&, Responder responder) { responder.reply({200, "{\"status\":\"ok\"}\n"}); });
        route("GET", "/metrics", [state = state_.get()](const Request&, Responder responder) {
            responder.reply({200, state->metrics(), "text/plain; version=0.0.4; charset=utf-8"});
        });
        add_own_metrics();
    }
    BasicServer(const BasicServer&) = delete;
    BasicServer& operator=(const BasicServer&) = delete;
    ~BasicServer() { stop(); }

    /// `handler` answers `method` of exactly this path. Before start().
    void route(std::string method, std::string path, Handler handler) {
        state_->routes[std::move(path)].insert_or_assign(std::move(method), std::move(handler));
    }

    /// A line of /metrics: "counter" or "gauge", and its value when asked. Before start().
    void metric(std::string name, std::string type, std::string help, std::function<double()> value) {
        state_->lines.push_back({std::move(name), std::move(type), std::move(help), std::move(value)});
    }

    /// Listens. A TlsServer takes its asio::ssl::context here, in a shared pointer: see tls_files.
    template <class... TlsContext>
    std::error_code start(TlsContext&&... tls) try {
        Limits& limits = state_->options.limits;
        // Were all files used up, accepting would fail again and again.
        limits.connections = std::min(limits.connections, netsync::detail::most_open_files() / 4 * 3);
        const std::weak_ptr<State> weak = state_;
        restinio::server_settings_t<Traits> settings;
        settings.address(state_->options.address)
            .port(state_->options.port)
            .buffer_size(8192)
            .read_next_http_message_timelimit(limits.reading)
            .write_http_response_timelimit(limits.writing)
            .handle_request_timeout(std::chrono::hours{24 * 365 * 10})  // whoever handles it has its own
            .max_pipelined_requests(limits.unanswered +
                                    1)  // one more is read: or a client that left would not be noticed
            .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                          .max_url_size(2 * limits.path)
                                          .max_body_size(2 * limits.body)
                                          .max_field_count(limits.fields)
                                          .max_field_name_size(256)
                                          .max_field_value_size(8192))
            .socket_options_setter([vanished = limits.vanished](auto& socket) {
                asio::error_code ignored;  // a socket that is gone already is noticed later
                socket.set_option(asio::ip::tcp::no_delay(true), ignored);
                netsync::detail::end_when_vanished(socket, vanished);
            })
            .acceptor_post_bind_hook(
                [this](asio::ip::tcp::acceptor& acceptor) { port_ = acceptor.local_endpoint().port(); })
            .ip_blocker(std::make_shared<Doorkeeper>(Doorkeeper{weak}))
            .connection_state_listener(std::make_shared<Listener>(Listener{weak}))
            .request_handler([weak](restinio::request_handle_t request) {
                const auto state = weak.lock();
                return state ? state->handle(std::move(request)) : restinio::request_rejected();
            });
        (settings.tls_context(std::forward<TlsContext>(tls)), ...);
        server_ = std::make_unique<restinio::http_server_t<Traits>>(restinio::external_io_context(context_),
                                                                    std::move(settings));
        server_->open_sync();
        return {};
    } catch (const std::system_error& error) {
        server_.reset();
        return netsync::detail::without_asio(error.code());
    }

    /// Accepts nobody any more; who waits for an answer is told 503. On the thread of the io_context, or when it does not run.
    void stop() {
        if (!server_) return;
        server_->close_sync();
        server_.reset();
        state_->stopping = true;
        state_->refuse_all();
    }

    std::uint16_t port() const noexcept { return port_; }
    const Statistics& statistics() const noexcept { return state_->statistics; }

   private:
    struct State;

    struct Listener {
        std::weak_ptr<State> state;
        void state_changed(const restinio::connection_state::notice_t& notice) noexcept {
            const auto alive = state.lock();
            if (!alive) return;
            if (restinio::holds_alternative<restinio::connection_state::accepted_t>(notice.cause()))
                alive->opened(notice.connection_id());
            if (restinio::holds_alternative<restinio::connection_state::closed_t>(notice.cause()))
                alive->closed(notice.connection_id());
        }
    };

    struct Doorkeeper {
        std::weak_ptr<State> state;
        auto inspect(const restinio::ip_blocker::incoming_info_t&) noexcept {
            const auto alive = state.lock();
            return alive && alive->let_in() ? restinio::ip_blocker::inspection_result_t::allow
                                            : restinio::ip_blocker::inspection_result_t::deny;
        }
    };

    struct Traits : restinio::traits_t<restinio::asio_timer_manager_t, restinio::null_logger_t,
                                       restinio::default_request_handler_t, restinio::noop_strand_t, Socket> {
        using connection_state_listener_t = Listener;
        using ip_blocker_t = Doorkeeper;  // RESTinio's own limiter would have to outlive every connection
    };

    /// A request that is not answered yet.
    struct Pending {
        restinio::request_handle_t request;
        std::function<void()> gone;
    };
    using Connection = std::map<std::uint64_t, std::shared_ptr<Pending>>;

    struct Metric {
        std::string name, type, help;
        std::function<double()> value;
    };

    struct State : std::enable_shared_from_this<State> {
        restinio::request_handling_status_t handle(restinio::request_handle_t handle) {
            ++statistics.requests;
            const auto& head = handle->header();
            const std::string target = head.request_target();
            const std::size_t end = std::min(target.find('?'), target.size());
            Request request;
            const std::string method{head.method().c_str()};
            request.method = method;
            request.path = std::string_view(target).substr(0, end);
            request.query = end < target.size() ? std::string_view(target).substr(end + 1) : std::string_view{};
            request.body = handle->body();
            request.header = [&head](std::string_view name) -> std::optional<std::string> {
                const auto value = head.opt_value_of(restinio::string_view_t(name.data(), name.size()));
                return value ? std::optional<std::string>(std::in_place, value->data(), value->size()) : std::nullopt;
            };
            const Handler* handler = nullptr;
            if (std::optional<Reply> refusal = refuse(request, head, handler)) {
                send(*handle, std::move(*refusal), method == "HEAD", stopping);
                return restinio::request_accepted();
            }
            const auto pending = std::make_shared<Pending>(Pending{handle, {}});
            const std::uint64_t connection = handle->connection_id(), number = ++last;
            Connection& those = connections[connection];
            those.emplace(number, pending);
            ++statistics.unanswered;
            if (those.size() > options.limits.unanswered) return refuse(connection), restinio::request_accepted();
            const std::weak_ptr<State> weak = this->weak_from_this();
            Responder responder{[weak, connection, number](Reply&& reply) {
                if (const auto state = weak.lock()) state->answer(connection, number, std::move(reply));
            }};
            responder.on_gone = [weak_pending = std::weak_ptr<Pending>(pending)](std::function<void()> f) {
                if (const auto open = weak_pending.lock()) open->gone = std::move(f);
            };
            try {
                (*handler)(request, std::move(responder));
            } catch (const std::exception&) {
                answer(connection, number, Reply::error(500, "internal error"));
            }
            return restinio::request_accepted();
        }

        /// In this order: the sizes, who is asked, who asks, what for.
        template <class Head>
        std::optional<Reply> refuse(const Request& request, const Head& head, const Handler*& handler) const {
            if (stopping) return Reply::error(503, "the server is stopping");
            if (request.path.size() + request.query.size() > options.limits.path)
                return Reply::error(414, "the path is too long");
            if (request.body.size() > options.limits.body) return Reply::error(413, "the body is too large");
            const std::optional<std::string> host = request.header("Host");
            if (!host && head.http_minor() > 0) return Reply::error(400, "no Host");
            if (host && !is_ours(*host)) return Reply::error(421, "this server is not that host");
            if (options.authorize)
                if (std::optional<Reply> refusal = options.authorize(request)) return refusal;
            const auto route = routes.find(request.path);
            if (route == routes.end()) return Reply::error(404, "no such path");
            const auto method = route->second.find(request.method);
            if (method != route->second.end()) return handler = &method->second, std::nullopt;
            Reply reply = Reply::error(405, "the path does not have this method");
            std::string allowed;
            for (const auto& [name, unused] : route->second) (allowed += allowed.empty() ? "" : ", ") += name;
            reply.fields.emplace_back("Allow", std::move(allowed));
            return reply;
        }

        bool is_ours(std::string_view host) const {
            const std::size_t colon = host.rfind(':');
            if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos)
                host = host.substr(0, colon);
            const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
            const auto is = [&](std::string_view name) {
                return std::equal(host.begin(), host.end(), name.begin(), name.end(),
                                  [&](char a, char b) { return lower(a) == lower(b); });
            };
            return is("localhost") || is("127.0.0.1") || is("[::1]") || is(options.address) ||
                   std::any_of(options.hosts.begin(), options.hosts.end(), is);
        }

        void answer(std::uint64_t connection, std::uint64_t number, Reply&& reply) {
            const auto at = connections.find(connection);
            if (at == connections.end()) return;
            const auto found = at->second.find(number);
            if (found == at->second.end()) return;
            const std::shared_ptr<Pending> pending = std::move(found->second);
            at->second.erase(found);
            if (at->second.empty()) connections.erase(at);
            --statistics.unanswered;
            pending->gone = nullptr;
            const bool headless = pending->request->header().method() == restinio::http_method_head();
            send(*pending->request, std::move(reply), headless, stopping);
        }

        /// RESTinio numbers connections from 1, in the order in which they are let in.
        bool let_in() {
            if (stopping || links.size() + opening.size() >= options.limits.connections) return false;
            opening.insert(++last_link);
            statistics.connections = links.size() + opening.size();
            return true;
        }
        void opened(std::uint64_t connection) {
            opening.erase(connection);
            links.insert(connection);
        }
        /// Once or more for each.
        void closed(std::uint64_t connection) {
            opening.erase(connection);  // TLS was not agreed on
            links.erase(connection);
            statistics.connections = links.size() + opening.size();
            for (const std::shared_ptr<Pending>& pending : take(connection)) {
                ++statistics.gone;
                if (const auto gone = std::exchange(pending->gone, nullptr)) gone();
            }
        }
        void refuse(std::uint64_t connection) {
            for (const std::shared_ptr<Pending>& pending : take(connection)) {
                if (const auto gone = std::exchange(pending->gone, nullptr)) gone();
                send(*pending->request, Reply::error(503, "too many requests wait on this connection"), false, false);
            }
        }
        void refuse_all() {
            while (!connections.empty()) refuse(connections.begin()->first);
        }
        std::vector<std::shared_ptr<Pending>> take(std::uint64_t connection) {
            std::vector<std::shared_ptr<Pending>> result;
            const auto at = connections.find(connection);
            if (at == connections.end()) return result;
            for (auto& [number, pending] : at->second) result.push_back(std::move(pending));
            connections.erase(at);
            statistics.unanswered -= result.size();
            return result;
        }

        template <class RestinioRequest>
        void send(RestinioRequest& request, Reply reply, bool headless, bool close) {
            if (reply.status >= 500)
                ++statistics.failed;
            else if (reply.status >= 400)
                ++statistics.refused;
            const std::string_view reason = reason_of(reply.status);
            auto response = request.create_response(restinio::http_status_line_t{
                restinio::http_status_code_t{static_cast<std::uint16_t>(reply.status)}, std::string(reason)});
            response.append_header(restinio::http_field::content_type, reply.content_type);
            for (auto& [name, value] : reply.fields) response.append_header(std::move(name), std::move(value));
            if (!headless) response.set_body(std::move(reply.body));
            if (close) response.connection_close();
            response.done();
        }

        std::string metrics() const {
            std::string text;
            for (const Metric& line : lines) {
                text += "# HELP " + line.name + ' ' + line.help + "\n# TYPE " + line.name + ' ' + line.type + '\n';
                text += line.name + ' ' + fmt::format("{}", line.value()) + '\n';
            }
            return text;
        }

        Options options;
        std::map<std::string, std::map<std::string, Handler, std::less<>>, std::less<>> routes;
        std::vector<Metric> lines;
        std::unordered_map<std::uint64_t, Connection> connections;  // those with requests that are not answered
        std::unordered_set<std::uint64_t> links, opening;           // all of them; those that have to agree on TLS yet
        std::uint64_t last = 0, last_link = 0;
        bool stopping = false;
        Statistics statistics;
    };

    void add_own_metrics() {
        const Statistics* now = &state_->statistics;
        const auto add = [&](const char* name, const char* type, const char* help, auto value) {
            metric(std::string("netsync_http_") + name, type, help,
                   [now, value] { return static_cast<double>(now->*value); });
        };
        add("requests_total", "counter", "requests so far", &Statistics::requests);
        add("refused_total", "counter", "requests answered with 4xx", &Statistics::refused);
        add("failed_total", "counter", "requests answered with 5xx", &Statistics::failed);
        add("gone_total", "counter", "requests whose client left before the reply", &Statistics::gone);
        add("connections", "gauge", "connections that are open", &Statistics::connections);
        add("unanswered", "gauge", "requests that wait for their reply", &Statistics::unanswered);
    }

    asio::io_context& context_;
    std::shared_ptr<State> state_;
    std::unique_ptr<restinio::http_server_t<Traits>> server_;
    std::uint16_t port_ = 0;
};

using Server = BasicServer<>;

}  // namespace netsync::http

// ---- netsync/http/rendezvous.hpp ----

// netsync: rendezvous over HTTP: `/event` waits for the others, `/stats` says who waits. Requests of a server come in, an
// exchange matches them, replies go out.

namespace netsync::http {

namespace detail {

/// "2.5", "2.5s", "300ms", "5m", "1h"; nothing for anything else, and for what is negative.
inline std::optional<Duration> parse_duration(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || !(number >= 0) || !(number < 1e9)) return std::nullopt;
    static constexpr std::pair<std::string_view, double> units[] = {
        {"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const auto& [name, seconds] : units)
        if (name == unit)
            return number * seconds < 1e9 ? std::optional(Duration(std::llround(number * seconds * 1e9)))
                                          : std::nullopt;
    return std::nullopt;
}

/// RFC 3339 in UTC, with milliseconds.
inline std::string to_text(std::chrono::system_clock::time_point time) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, milliseconds % 1000);
}

/// The parameters of a request, one by one; what is wrong with one, or nothing, comes back.
class RequestFields {
   public:
    rendezvous::Request request{};

    std::string text(const std::string& name, std::string value) {
        if (name == "event") return request.event = std::move(value), std::string();
        if (name == "actor") return request.actor = std::move(value), std::string();
        if (name == "payload") return request.payload = std::move(value), std::string();
        if (name == "mates") {
            std::int64_t number = 0;
            const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
            const bool whole = error == std::errc{} && end == value.data() + value.size();
            return whole ? integer(name, number) : "mates must be int";
        }
        if (name == "selector") {
            rendezvous::Parsed<rendezvous::Selector> parsed = rendezvous::Selector::parse(value);
            if (!parsed)
                return "failed to parse selector " + rendezvous::detail::in_quotes(value) + ": " + parsed.error;
            return request.selector = std::move(*parsed.value), std::string();
        }
        if (name == "labels") {
            rendezvous::Parsed<rendezvous::Labels> parsed = rendezvous::Labels::parse(value);
            if (!parsed) return parsed.error;
            return request.labels = std::move(*parsed.value), std::string();
        }
        if (name == "timeout") {
            request.timeout = parse_duration(value);
            return request.timeout ? "" : "timeout must be a duration";
        }
        return "unknown field " + rendezvous::detail::in_quotes(name);
    }
    std::string integer(const std::string& name, std::int64_t value) {
        if (name == "timeout") return text(name, std::to_string(value));
        if (name != "mates") return "expected text, found a number: " + rendezvous::detail::in_quotes(name);
        if (value < 0) return "mates must not be negative";
        request.mates = static_cast<std::size_t>(value);
        return {};
    }
    std::string entry(const std::string& name, const std::string& key, std::string value) {
        if (name != "labels") return "nested too deep: " + rendezvous::detail::in_quotes(name);
        request.labels.set(key, std::move(value));
        return {};
    }
};

/// The request, or the line that says why there is none.
inline rendezvous::Parsed<rendezvous::Request> read_request(const Request& http) {
    const auto query = parse_query(http.query);
    const auto failed = [](std::string why) { return rendezvous::Parsed<rendezvous::Request>::failed(std::move(why)); };
    if (!query) return failed("malformed query");
    std::string input = "url";
    for (const auto& [name, value] : *query)
        if (name == "input" && !value.empty()) input = value;
    RequestFields fields;
    if (input == "url") {
        for (const auto& [name, value] : *query) {
            const bool known = name == "event" || name == "actor" || name == "payload" || name == "labels" ||
                               ((name == "mates" || name == "selector" || name == "timeout") && !value.empty());
            if (!known) continue;  // others may mean something to a proxy
            if (std::string wrong = fields.text(name, value); !wrong.empty()) return failed(std::move(wrong));
        }
        return {std::move(fields.request)};
    }
    if (input != "json" && input != "yaml") return failed("unknown input " + rendezvous::detail::in_quotes(input));
    const Fields sink{[&](const std::string& name, std::string value) { return fields.text(name, std::move(value)); },
                      [&](const std::string& name, std::int64_t value) { return fields.integer(name, value); },
                      [&](const std::string& name, const std::string& key, std::string value) {
                          return fields.entry(name, key, std::move(value));
                      }};
    const std::string wrong = input == "json" ? read_json(http.body, sink) : read_yaml(http.body, sink);
    if (wrong.rfind("failed to parse selector", 0) == 0 || wrong == "mates must be int") return failed(wrong);
    if (!wrong.empty()) return failed("failed to unmarshal body: " + wrong);
    return {std::move(fields.request)};
}

}  // namespace detail

/// The routes of a rendezvous. When it is destroyed, those who wait are told 500; its server must not take requests any
/// more. All on the thread of the server's io_context.
class RendezvousRoutes {
   public:
    template <class Server>
    RendezvousRoutes(Server& server, asio::io_context& context, rendezvous::ExchangeLimits limits = {})
        : exchange_(limits), timer_(context) {
        for (const char* method : {"GET", "POST"})
            server.route(method, "/event", [this](const Request& request, Responder responder) {
                arrive(request, std::move(responder));
            });
        server.route("GET", "/stats", [this](const Request&, Responder responder) { responder.reply({200, stats()}); });
        const auto count = [&](const char* name, const char* help, auto value) {
            server.metric(std::string("netsync_rendezvous_") + name + "_total", "counter", help,
                          [this, value] { return static_cast<double>(exchange_.statistics().*value); });
        };
        using Counts = rendezvous::ExchangeStatistics;
        count("arrived", "requests that came", &Counts::arrived);
        count("met", "requests that met others", &Counts::met);
        count("groups", "groups that met", &Counts::groups);
        count("departed", "requests whose client left", &Counts::departed);
        count("expired", "requests whose timeout passed", &Counts::expired);
        count("searches_given_up", "searches that took too long", &Counts::searches_given_up);
        server.metric("netsync_rendezvous_waiting", "gauge", "requests that wait",
                      [this] { return static_cast<double>(exchange_.size()); });
    }

    const rendezvous::Exchange& exchange() const noexcept { return exchange_; }

   private:
    struct Waiting {
        Responder responder;
        std::chrono::system_clock::time_point since;
    };

    void arrive(const Request& http, Responder responder) {
        rendezvous::Parsed<rendezvous::Request> request = detail::read_request(http);
        if (!request) return responder.reply(Reply::line(400, std::move(request.error)));
        Result<rendezvous::Arrival> arrival = exchange_.arrive(std::move(*request.value), now());
        if (!arrival) {
            const bool full = arrival.error() == rendezvous::errc::too_many_waiting;
            return responder.reply(full ? Reply::error(503, arrival.error().message())
                                        : Reply::line(400, arrival.error().message()));
        }
        if (!arrival->match) {
            const rendezvous::RequestId id = arrival->id;
            responder.on_gone([this, id] {
                exchange_.depart(id);
                waiting_.erase(id);
            });
            waiting_.emplace(id, Waiting{std::move(responder), std::chrono::system_clock::now()});
            return set_timer();
        }
        std::string body = "{\"payloads\":{";
        for (const auto& [actor, payload] : arrival->match->payloads) {
            if (body.back() != '{') body += ',';
            append_json(body, actor);
            body += ':';
            append_json(body, payload);
        }
        body += "}}\n";
        for (const rendezvous::RequestId member : arrival->match->members)
            if (member != arrival->id) answer(member, {200, body});
        responder.reply({200, std::move(body)});
    }

    void answer(rendezvous::RequestId id, Reply reply) {
        const auto at = waiting_.find(id);
        if (at == waiting_.end()) return;
        Responder responder = std::move(at->second.responder);
        waiting_.erase(at);
        responder.reply(std::move(reply));
    }

    std::string stats() const {
        std::map<std::string_view, std::map<std::string_view, std::map<rendezvous::RequestId, std::string>>> all;
        exchange_.for_each_waiting([&](const rendezvous::WaitingRequest& request) {
            std::string text = "{\"params\":{\"event\":";
            append_json(text, request.event);
            append_json(text += ",\"actor\":", request.actor);
            text += ",\"mates\":" + std::to_string(request.mates);
            if (request.selector) append_json(text += ",\"selector\":", request.selector->to_string());
            text += ",\"labels\":{";
            for (const auto& [key, value] : request.labels) {
                append_json(text += text.back() == '{' ? "" : ",", key);
                append_json(text += ':', value);
            }
            text += "}},\"created_at\":\"" + detail::to_text(waiting_.at(request.id).since) + "\"}";
            all[request.event][request.actor].emplace(request.id, std::move(text));
        });
        std::string body = "{";
        for (const auto& [event, actors] : all) {
            append_json(body += body.size() > 1 ? "," : "", event);
            body += ":{";
            for (const auto& [actor, requests] : actors) {
                append_json(body += body.back() == '{' ? "" : ",", actor);
                body += ":{";
                for (const auto& [id, text] : requests) {
                    if (body.back() != '{') body += ',';
                    body += '"' + std::to_string(static_cast<std::uint64_t>(id)) + "\":" + text;
                }
                body += '}';
            }
            body += '}';
        }
        return body += "}\n";
    }

    void set_timer() {
        const auto next = exchange_.next_deadline();
        if (!next || (armed_ && *armed_ <= *next)) return;
        armed_ = next;
        timer_.expires_at(std::chrono::steady_clock::time_point(*next));
        timer_.async_wait([this, alive = std::weak_ptr<int>(alive_)](std::error_code error) {
            if (error || alive.expired()) return;  // what is due is called even where the timer is gone meanwhile
            armed_.reset();
            for (const rendezvous::RequestId id : exchange_.expire(now()))
                answer(id, Reply::error(408, make_error_code(rendezvous::errc::timed_out).message()));
            set_timer();
        });
    }

    static Duration now() { return std::chrono::steady_clock::now().time_since_epoch(); }

    rendezvous::Exchange exchange_;
    std::unordered_map<rendezvous::RequestId, Waiting> waiting_;
    asio::steady_timer timer_;
    std::optional<Duration> armed_;
    std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace netsync::http

// ---- netsync/http.hpp ----

// netsync: the opt-in header for HTTP: a server on the program's own io_context, and rendezvous over it. Needs Asio,
// RESTinio, nlohmann-json and yaml-cpp (the CMake target netsync::http).

