// netsync/format.hpp: made by tools/amalgamate.py from include/; edit those files, not this one.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/describe.hpp>
#include <netsync/json.hpp>

// ---- netsync/format.hpp ----

// netsync: the opt-in header for printing with {fmt}: ids, timestamps, states, reports. `fmt::print("{}\n",
// replica.report())`.

#include <fmt/format.h>

namespace netsync {

/// The first eight digits of the owner and the last four of the incarnation: enough to tell members apart on a screen.
inline std::string short_name(const ReplicaId& id) {
    const std::string digits = to_string(id);
    return digits.substr(0, 8) + '-' + digits.substr(28);
}

namespace detail {

/// Prints what `to_string` gives, with the width and alignment of a string.
template <class T>
struct TextFormatter : fmt::formatter<std::string_view> {
    template <class Context>
    auto format(const T& value, Context& context) const {
        return fmt::formatter<std::string_view>::format(std::string_view{to_string(value)}, context);
    }
};

/// What a peer says its name is, without what would move the cursor.
inline std::string printable(std::string_view name) {
    std::string text(name);
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return text;
}

inline double milliseconds(Duration time) noexcept { return static_cast<double>(time.count()) / 1e6; }

}  // namespace detail

}  // namespace netsync

template <>
struct fmt::formatter<netsync::ReplicaId> : netsync::detail::TextFormatter<netsync::ReplicaId> {};
template <>
struct fmt::formatter<netsync::Timestamp> : netsync::detail::TextFormatter<netsync::Timestamp> {};
template <>
struct fmt::formatter<netsync::Endpoint> : netsync::detail::TextFormatter<netsync::Endpoint> {};
template <>
struct fmt::formatter<netsync::MemberState> : netsync::detail::TextFormatter<netsync::MemberState> {};
template <>
struct fmt::formatter<netsync::JoinState> : netsync::detail::TextFormatter<netsync::JoinState> {};
template <>
struct fmt::formatter<netsync::SyncEnd> : netsync::detail::TextFormatter<netsync::SyncEnd> {};

/// One line.
template <>
struct fmt::formatter<netsync::SyncReport> {
    constexpr auto parse(format_parse_context& context) { return context.begin(); }

    template <class Context>
    auto format(const netsync::SyncReport& sync, Context& context) const {
        return fmt::format_to(context.out(), "{}: {} after {} requests, {} frames ({} new), {} bytes, {:.1f} ms",
                              netsync::short_name(sync.peer), sync.end, sync.rounds, sync.frames, sync.applied,
                              sync.bytes, netsync::detail::milliseconds(sync.took));
    }
};

/// One line a member.
template <>
struct fmt::formatter<netsync::Member> {
    constexpr auto parse(format_parse_context& context) { return context.begin(); }

    template <class Context>
    auto format(const netsync::Member& member, Context& context) const {
        return fmt::format_to(context.out(), "{} {:<12} {:<8} {:<21} round trip {:.2f} ms, skew {:+.1f} ms",
                              netsync::short_name(member.replica), netsync::detail::printable(member.name),
                              member.state, member.endpoint, netsync::detail::milliseconds(member.round_trip),
                              netsync::detail::milliseconds(member.skew));
    }
};

/// Several lines, the last one without a line end.
template <>
struct fmt::formatter<netsync::Report> {
    constexpr auto parse(format_parse_context& context) { return context.begin(); }

    template <class Context>
    auto format(const netsync::Report& report, Context& context) const {
        const netsync::Traffic& traffic = report.traffic;
        auto out =
            fmt::format_to(context.out(), "{} {} in pool {}, port {}: {}, {} changes pending\n", report.name,
                           netsync::short_name(report.replica), report.pool, report.port, report.state, report.pending);
        out = fmt::format_to(
            out, "in  {} messages, {} bytes, {} frames ({} applied, {} duplicate, {} drifted, {} refused)\n",
            traffic.messages_in, traffic.bytes_in, traffic.frames_in, traffic.frames_applied, traffic.frames_duplicate,
            traffic.frames_drifted, traffic.frames_refused);
        out = fmt::format_to(out, "out {} messages, {} bytes, {} frames; {} frames wait for others",
                             traffic.messages_out, traffic.bytes_out, traffic.frames_out, report.buffered_frames);
        const netsync::TurnedAway& away = report.turned_away;
        if (away != netsync::TurnedAway{})
            out =
                fmt::format_to(out,
                               "\nbeyond limits: {} frames, {} buffered, {} replicas, {} states, {} members, {} links, "
                               "{} waiters, {} sends",
                               away.frames, away.buffered, away.replicas, away.states, away.members, away.links,
                               away.waiters, away.sends);
        if (report.store_error) out = fmt::format_to(out, "\nstore: {}", report.store_error.message());
        for (const netsync::Retirement& record : report.retired)
            out = fmt::format_to(out, "\nretired {} beyond {}", netsync::short_name(record.replica), record.last);
        for (const netsync::Head& head : report.heads)
            out = fmt::format_to(out, "\nholds {} up to {}", netsync::short_name(head.replica), head.counter);
        for (const netsync::Member& member : report.members) out = fmt::format_to(out, "\nmember {}", member);
        for (const netsync::SyncReport& sync : report.syncs) out = fmt::format_to(out, "\nsync {}", sync);
        return out;
    }
};

/// What people see of a CRDT, as JSON (see json.hpp): `{}` in one line, `{:#}` in several.
template <netsync::crdt T>
struct fmt::formatter<T, char> {
    constexpr auto parse(format_parse_context& context) {
        auto at = context.begin();
        if (at != context.end() && *at == '#') indent_ = 2, ++at;
        return at;
    }

    template <class Context>
    auto format(const T& value, Context& context) const {
        const std::string text = netsync::to_json(value, indent_);
        return std::copy(text.begin(), text.end(), context.out());
    }

   private:
    int indent_ = 0;
};

template <>
struct fmt::formatter<netsync::Description> : netsync::detail::TextFormatter<netsync::Description> {};
