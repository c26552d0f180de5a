// netsync: local views, kept up to date from what was merged, never sent. Deltas come in, the view is what goes out.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace netsync {

/// A view that `Replica::derive` keeps. Copies share it; it may outlive the replica, and then stays as it was. Any
/// thread.
template <class View>
class Derived {
   public:
    /// Calls `f(const View&)` and returns its result; the view does not change meanwhile, and updates wait: be brief.
    template <class F>
    auto read(F&& f) const {
        const std::lock_guard lock{shared_->mutex};
        return f(std::as_const(shared_->view));
    }

    /// A copy.
    View get() const {
        return read([](const View& view) { return view; });
    }

   private:
    template <class T>
    friend class Derivations;

    struct Shared {
        explicit Shared(View initial) : view(std::move(initial)) {}
        std::mutex mutex;
        View view;
    };

    explicit Derived(View initial) : shared_(std::make_shared<Shared>(std::move(initial))) {}

    std::shared_ptr<Shared> shared_;
};

/// The views over one state. Every call is made under the replica's mutex.
template <class T>
class Derivations {
   public:
    bool empty() const noexcept { return entries_.empty(); }

    /// `f(view, now, delta)` brings the view up to date with `now`; only what `delta` mentions has changed. It is
    /// called at once with the whole state as the delta, and again from `initial` whenever a whole state was joined. It
    /// must not call the replica.
    template <class View, class F>
    Derived<View> add(const T& now, View initial, F f) {
        Derived<View> derived{initial};
        f(derived.shared_->view, now, now);
        entries_.push_back([weak = std::weak_ptr{derived.shared_}, initial = std::move(initial),
                            f = std::move(f)](const T& state, const T& delta, bool whole) mutable {
            const auto shared = weak.lock();
            if (!shared) return false;
            const std::lock_guard lock{shared->mutex};
            if (whole) shared->view = initial;
            f(shared->view, state, whole ? state : delta);
            return true;
        });
        return derived;
    }

    void update(const T& now, const T& delta, bool whole) {
        std::erase_if(entries_, [&](auto& refresh) { return !refresh(now, delta, whole); });
    }

   private:
    std::vector<std::function<bool(const T&, const T&, bool)>> entries_;
};

}  // namespace netsync
