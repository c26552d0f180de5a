// netsync: an HTTP/1.1 server on the program's own io_context. Routes come in at the start; requests go to their
// handlers, replies come back then or later. Made of RESTinio, whose types stay in this file.
#pragma once

#include <netsync/detail/asio.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <netsync/error.hpp>
#include <netsync/http/message.hpp>
#include <netsync/options.hpp>
#include <netsync/transport/system.hpp>
#include <optional>
#include <restinio/all.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

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
