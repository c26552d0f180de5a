// library: says what others do, as it happens. Events of the pool and merged changes come in; notes go out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "session.hpp"

namespace library {

/// A few at once, then some a second.
class Pace {
   public:
    bool allows() {
        const auto now = std::chrono::steady_clock::now();
        free_at_ = std::max(free_at_, now - at_once * interval);
        if (free_at_ > now) return false;
        free_at_ += interval;
        return true;
    }

   private:
    static constexpr std::chrono::milliseconds interval{300};
    static constexpr int at_once = 3;

    std::chrono::steady_clock::time_point free_at_{};
};

/// Runs on the threads that cause it, one event at a time.
class News {
   public:
    explicit News(Session& session) : session_(session) {
        Replica& replica = session.replica;
        keep(replica.on_member([this](const netsync::PoolEvent& event) { on_member(event); }));
        keep(replica.on_change(&Library::tags_on_files, of_others(&News::on_tags)));
        keep(replica.on_change(&Library::comments, of_others(&News::on_comments)));
        keep(replica.on_change(&Library::albums, of_others(&News::on_albums)));
        keep(replica.on_change(&Library::file_paths, netsync::mine, [this] { on_own_paths(); }));
        keep(replica.on_change([this](const Library&, const netsync::ChangeInfo& info) {
            if (info.whole) session_.console.note("took over what the pool has");
        }));
    }

   private:
    void keep(netsync::Subscription subscription) { subscriptions_.push_back(std::move(subscription)); }

    /// An observer of single changes that others make.
    template <class Delta>
    using Hear = void (News::*)(const std::string& who, const Delta& delta);
    template <class Delta>
    std::function<void(const Delta&, const netsync::ChangeInfo&)> of_others(Hear<Delta> hear) {
        return [this, hear](const Delta& delta, const netsync::ChangeInfo& info) {
            if (!info.local && !info.whole) (this->*hear)(session_.name_of(info.origin.owner()), delta);
        };
    }

    void on_member(const netsync::PoolEvent& event) {
        if (event.refused) return on_refused(event);
        if (event.now == netsync::MemberState::live && event.replica.owner() == session_.replica.id().owner())
            return session_.note_that_name_is_taken();
        std::string who = session_.name_of(event.replica.owner());
        bool is_back = false;  // in a new incarnation
        for (const netsync::Member& member : session_.replica.report().members) {
            if (member.replica.owner() != event.replica.owner()) continue;
            if (!member.name.empty()) who = printable(member.name);
            is_back |= member.state == netsync::MemberState::live;
        }
        if (event.now == netsync::MemberState::live) session_.console.note("{} is here", who);
        if (event.now == netsync::MemberState::suspect) session_.console.note("{} is out of reach", who);
        if (event.now == netsync::MemberState::offline && !is_back) session_.console.note("{} is gone", who);
    }

    /// Peers that were refused try again and again; one note is enough.
    void on_refused(const netsync::PoolEvent& event) {
        if (!refused_.emplace(event.replica, event.refused).second) return;
        const std::string who = event.replica.is_nil() ? "a stranger" : session_.name_of(event.replica.owner());
        session_.console.note("refused: {} ({})", event.refused.message(), who);
    }

    void on_tags(const std::string& who, const netsync::OrMap<ContentHash, Tags>& delta) {
        if (delta.size() > most_named)
            return session_.console.note("{} changed the tags of {} files", who, delta.size());
        if (!pace_.allows()) return;
        delta.for_each([&](ContentHash content, const Tags& changed) {
            changed.for_each_mentioned([&](const std::string& tag) {
                session_.console.note("{} {} {} #{}", who, changed.contains(tag) ? "tagged" : "untagged",
                                      session_.label(content), printable(tag));
            });
        });
    }

    void on_comments(const std::string& who, const netsync::OrMap<ContentHash, Comments>& delta) {
        if (delta.size() > most_named) return session_.console.note("{} commented on {} files", who, delta.size());
        delta.for_each([&](ContentHash content, const Comments& added) {
            added.for_each([&](const Comment& comment) {
                session_.console.note("{} says of {}: {}", who, session_.label(content), printable(comment.text));
            });
        });
    }

    void on_albums(const std::string& who, const netsync::OrMap<std::string, Album>& delta) {
        delta.for_each_mentioned(
            [&](const std::string& name) { session_.console.note("{} changed the album {}", who, printable(name)); });
    }

    /// Whoever writes our part is an earlier run of ours, which may have shared files that are gone.
    void on_own_paths() {
        const std::size_t shared = session_.shared_files;
        if (shared != Session::scanning && shared != session_.replica.get(&Library::file_paths, netsync::mine).size())
            session_.console.note("the pool remembers other files of ours: rescan sets it right");
    }

    static constexpr std::size_t most_named = 4;

    Session& session_;
    Pace pace_;
    std::set<std::pair<netsync::ReplicaId, std::error_code>> refused_;
    std::vector<netsync::Subscription> subscriptions_;
};

}  // namespace library
