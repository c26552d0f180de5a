// netsync: rendezvous over HTTP: `/event` waits for the others, `/stats` says who waits. Requests of a server come in, an
// exchange matches them, replies go out.
#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <netsync/http/document.hpp>
#include <netsync/http/server.hpp>
#include <netsync/rendezvous.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

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
