// netsync: the gate between Asio's threads and a replica. What an executor runs passes through it one at a time, and
// once it is shut nothing does: what lies behind it (links, timers, discoveries) is single-threaded code that can be
// stopped from any thread, whether or not the executor still runs.
#pragma once

#include <cassert>
#include <memory>
#include <mutex>
#include <netsync/detail/asio.hpp>
#include <type_traits>
#include <utility>

namespace netsync::detail {

/// Open from a transport's start() to its stop(), then never again.
class Gate {
   public:
    /// What lies behind the gate. It stays alive while a handler of it runs.
    void guard(std::weak_ptr<void> owner) { owner_ = std::move(owner); }

    /// Keeps handlers waiting while the owner starts. Never waits itself, so the caller may hold any lock.
    [[nodiscard]] std::unique_lock<std::recursive_mutex> hold() {
        std::unique_lock lock{mutex_, std::try_to_lock};
        assert(lock && "a gate is held before anything can pass it");
        return lock;
    }

    /// Runs `handler`, after the one that is running; not at all when the gate is shut.
    template <class Handler>
    void pass(Handler& handler) {
        const std::shared_ptr<void> alive = owner_.lock();
        const std::lock_guard lock{mutex_};
        if (alive && open_) handler();
    }

    /// Runs `last`, after the handler that is running unless that is what calls; then nothing more.
    template <class Last>
    void shut(Last&& last) {
        const std::lock_guard lock{mutex_};
        open_ = false;
        last();
    }

   private:
    std::recursive_mutex mutex_;
    std::weak_ptr<void> owner_;
    bool open_ = true;
};

/// An executor that runs on another, through a gate. Made into an asio::any_io_executor before it is used.
class GatedExecutor {
   public:
    GatedExecutor(asio::any_io_executor inner, std::shared_ptr<Gate> gate) noexcept
        : inner_(std::move(inner)), gate_(std::move(gate)) {}

    template <class Function>
    void execute(Function&& function) const {
        inner_.execute([gate = gate_, function = std::decay_t<Function>(std::forward<Function>(function))]() mutable {
            gate->pass(function);
        });
    }

    template <class Property>
        requires asio::can_query<const asio::any_io_executor&, Property>::value
    auto query(const Property& property) const -> decltype(auto) {
        return asio::query(inner_, property);
    }
    template <class Property>
        requires asio::can_require<const asio::any_io_executor&, Property>::value
    GatedExecutor require(const Property& property) const {
        return {asio::require(inner_, property), gate_};
    }
    template <class Property>
        requires asio::can_prefer<const asio::any_io_executor&, Property>::value
    GatedExecutor prefer(const Property& property) const {
        return {asio::prefer(inner_, property), gate_};
    }

    friend bool operator==(const GatedExecutor& a, const GatedExecutor& b) noexcept {
        return a.gate_ == b.gate_ && a.inner_ == b.inner_;
    }

   private:
    asio::any_io_executor inner_;
    std::shared_ptr<Gate> gate_;
};

}  // namespace netsync::detail
