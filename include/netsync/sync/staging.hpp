// netsync: the store as a copy uses it: what it will not take now waits, in order, and commits come one at a time. Frames
// and small operations come in; that they are durable goes out.
#pragma once

#include <cstdint>
#include <functional>
#include <netsync/observe/subscription.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/store/values.hpp>
#include <netsync/sync/durability.hpp>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace netsync {

/// Nothing is left out where a store fails: that waits here until it works again. One thread.
template <store Store>
class Staging {
   public:
    explicit Staging(Store store) : store_(std::move(store)) {}

    Store& store() noexcept { return store_; }
    const Store& store() const noexcept { return store_; }
    std::error_code error() const noexcept { return error_; }

    /// Why nothing more may be changed now, if it may not.
    std::error_code refusal() const {
        if constexpr (asynchronous_store<Store>)
            if (!error_ && store_.is_behind()) return errc::store_behind;
        return error_;
    }

    /// Begins, or begins anew, once the store was read; true if all of it was. Else the next call or event tries to open it.
    bool begin() {
        unstaged_.clear();
        const std::error_code error = opening_error(store_);
        if (error) error_ = error;
        uncommitted_ = error || reopening_store<Store>;
        return !error;
    }

    /// What was staged while opening.
    void open() {
        if (uncommitted_ || asynchronous_store<Store>) uncommitted_ = static_cast<bool>(error_ = store_.commit());
        if (!uncommitted_) undurable_ = {};
    }

    /// `before`: the hash of its origin's history before it.
    std::error_code append(const Frame& frame, std::uint64_t before) {
        if constexpr (asynchronous_store<Store>)
            undurable_.add({frame.header().origin, frame.header().first - 1, before});
        if (unstaged_.empty()) {  // without a copy, which costs more than the rest
            uncommitted_ = true;
            if (!told(store_.append(frame))) return {};
        }
        return put([frame](Store& store) { return store.append(frame); });
    }

    /// Does something to the store, or keeps it for when the store works again: in order, and nothing is left out.
    template <class F>
    std::error_code stage(F&& operation) {
        if constexpr (asynchronous_store<Store>) undurable_.add_more();
        return put(std::forward<F>(operation));
    }

    /// Stages a small value for the next commit.
    template <class T>
    void keep(const char* key, const T& value) {
        stage([key, value](Store& store) { return keep_value(store, key, value); });
    }
    /// The same for what others may be told of before it is durable.
    template <class T>
    void keep_in_the_open(const char* key, const T& value) {
        put([key, value](Store& store) { return keep_value(store, key, value); });
    }

    /// Makes what was staged durable, and with it this replica's own changes up to `counter`: now, or, where the store does
    /// that on a thread of its own, with `on_committed` to follow.
    std::error_code flush(std::uint64_t counter, const std::function<void(std::error_code)>& on_committed,
                          Notifications& notifications) {
        if (!uncommitted_ || is_committing()) return error_;
        if constexpr (asynchronous_store<Store>) {
            if (std::exchange(just_failed_, false)) return error_;  // the next call or event tries again
            const std::error_code before = error_;
            if (catch_up()) return error_;
            error_ = before;  // until it is known to work again
            uncommitted_ = false;
            durability_.begin(counter);
            undurable_.begin_commit();
            store_.commit_later(on_committed);
        } else {
            static_cast<void>(on_committed);
            durability_.begin(counter);
            if (!catch_up() && !(error_ = store_.commit())) uncommitted_ = false;
            durability_.end(error_, notifications);
        }
        return error_;
    }
    bool is_committing() const noexcept { return durability_.is_committing(); }

    /// What became of the commit under way.
    void committed(std::error_code error, Notifications& notifications) {
        error_ = error;
        just_failed_ = static_cast<bool>(error);
        uncommitted_ = uncommitted_ || just_failed_;
        undurable_.end_commit(!error);
        durability_.end(error, notifications);
    }

    /// Calls `f(error)` when this replica's changes up to `counter` are durable, or could not be made so.
    [[nodiscard]] Subscription await(std::uint64_t counter, Durability::Answer f, Notifications& notifications) {
        return durability_.await(counter, uncommitted_, std::move(f), notifications);
    }

    /// Whether a change that the store holds is durable. Where commits take no time all that waits to be sent is.
    bool is_durable(const ReplicaId& origin, std::uint64_t counter) const {
        return !undurable_.contains(origin, counter);
    }
    /// Where the histories stand as far as they are durable: see Undurable. Nothing for a store whose commits take no time.
    std::optional<std::vector<Head>> durable(const std::vector<Head>& heads) const {
        if constexpr (asynchronous_store<Store>) return undurable_.heads_without(heads);
        static_cast<void>(heads);
        return std::nullopt;
    }
    /// The commit with which all that there is now is durable, and whether it has been made.
    std::uint64_t commit_of_all() const noexcept { return durability_.commit_of_all(uncommitted_); }
    bool is_durable_with(std::uint64_t commit) const noexcept { return durability_.has_succeeded(commit); }

    /// This replica's counters begin anew.
    void begin_anew() noexcept { durability_.begin_anew(); }

    /// All is durable that can be, and the store calls nobody any more. Without the replica's mutex.
    void close() {
        if constexpr (asynchronous_store<Store>) static_cast<void>(store_.commit());
    }

   private:
    template <class F>
    std::error_code put(F&& operation) {
        uncommitted_ = true;
        if (unstaged_.empty() && !told(operation(store_))) return {};
        unstaged_.push_back(std::forward<F>(operation));
        return error_;
    }

    /// What staging says of the store: that it works, unless only the next commit can tell.
    std::error_code told(std::error_code error) {
        if (error || !asynchronous_store<Store>) error_ = error;
        return error;
    }

    /// Gives the store what it would not take before.
    std::error_code catch_up() {
        error_ = {};
        if (unstaged_.empty()) return error_;
        std::size_t done = 0;
        while (done < unstaged_.size() && !(error_ = unstaged_[done](store_))) ++done;
        unstaged_.erase(unstaged_.begin(), unstaged_.begin() + static_cast<std::ptrdiff_t>(done));
        return error_;
    }

    Store store_;
    Durability durability_;
    Undurable undurable_;
    bool uncommitted_ = false;
    bool just_failed_ = false;
    std::vector<std::function<std::error_code(Store&)>> unstaged_;  // for a store that works again
    std::error_code error_;
};

}  // namespace netsync
