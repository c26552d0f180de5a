// netsync: a thread that runs Asio, for programs that have none.
#pragma once

#include <memory>
#include <netsync/detail/asio.hpp>
#include <thread>
#include <utility>

namespace netsync::detail {

/// Runs from start() to stop(). An instance is used by one thread at a time; its own thread may be that thread.
class IoThread {
   public:
    IoThread() = default;
    IoThread(const IoThread&) = delete;
    IoThread& operator=(const IoThread&) = delete;
    ~IoThread() {
        stop();
        if (thread_.joinable()) thread_.detach();  // destroyed by itself: it ends when it comes back from here
    }

    /// What the thread runs. Throws std::system_error where the system has no thread or no descriptor left.
    std::shared_ptr<asio::io_context> start() {
        stop();
        if (thread_.joinable()) thread_.detach();
        context_ = std::make_shared<asio::io_context>(1);
        thread_ = std::thread([context = context_] {
            const auto work = asio::make_work_guard(*context);
            context->run();
        });
        return context_;
    }

    /// Waits for the handler that runs. Called by that handler, it leaves the waiting to the next call.
    void stop() {
        if (context_) context_->stop();
        context_.reset();
        if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) thread_.join();
    }

   private:
    std::shared_ptr<asio::io_context> context_;  // shared with the thread and with what uses it
    std::thread thread_;
};

}  // namespace netsync::detail
