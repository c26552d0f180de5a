// A replica in a process of its own, so that what it costs is not counted.
#pragma once

#include <netsync/lan.hpp>

#include <csignal>
#include <cstdint>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

/// Another process, which has a replica for as long as this object is there. Made while no other thread runs.
template <netsync::crdt CrdtType>
class OtherProcess {
   public:
    OtherProcess() : process_(fork()) {
        if (process_ != 0) return;
        const netsync::LanReplica<CrdtType> other{
            {.pool = pool, .name = "other", .port = port, .discovery_port = port}};
        for (;;) pause();
    }
    ~OtherProcess() {
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
    }
    OtherProcess(const OtherProcess&) = delete;
    OtherProcess& operator=(const OtherProcess&) = delete;

    static constexpr std::uint16_t port = 21996;
    const std::string pool = "benchmark " + std::to_string(getpid());

   private:
    pid_t process_;
};
