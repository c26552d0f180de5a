// netsync: what a process asks for that wants to meet others at an event, and what it gets.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <netsync/options.hpp>
#include <netsync/rendezvous/selector.hpp>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

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
