// Virtual time that waits for real disks: no event comes while a commit is under way, so a test on files is the same on
// every machine.
#pragma once

#include <netsync/sqlite.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace {

/// The commits under way in all stores of a test.
class Commits {
   public:
    void begin() {
        const std::lock_guard lock{mutex_};
        ++under_way_;
    }
    void end() {
        const std::lock_guard lock{mutex_};
        if (--under_way_ == 0) ended_.notify_all();
    }
    void wait() {
        std::unique_lock lock{mutex_};
        ended_.wait(lock, [&] { return under_way_ == 0; });
    }

   private:
    std::mutex mutex_;
    std::condition_variable ended_;
    int under_way_ = 0;
};

/// A SqliteStore whose commits are counted, up to the return of what they call.
class CountedStore : public netsync::SqliteStore {
   public:
    CountedStore(netsync::SqliteOptions options, std::shared_ptr<Commits> commits)
        : SqliteStore(std::move(options)), commits_(std::move(commits)) {}

    void commit_later(std::function<void(std::error_code)> done) {
        commits_->begin();
        SqliteStore::commit_later([commits = commits_, done = std::move(done)](std::error_code error) {
            done(error);
            commits->end();
        });
    }

   private:
    std::shared_ptr<Commits> commits_;
};

static_assert(netsync::asynchronous_store<CountedStore>);

/// A MemoryTransport on which events come one commit at a time.
class PatientTransport : public netsync::MemoryTransport {
   public:
    PatientTransport(netsync::MemoryHub& hub, std::shared_ptr<Commits> commits)
        : MemoryTransport(hub), commits_(std::move(commits)) {}

    std::error_code start(const netsync::Options& options, netsync::TransportEvents events) {
        return MemoryTransport::start(options, [commits = commits_, events = std::move(events)](const auto& event) {
            commits->wait();  // for what the program did
            events(event);
            commits->wait();
        });
    }

   private:
    std::shared_ptr<Commits> commits_;
};

static_assert(netsync::transport<PatientTransport>);

}  // namespace
