// netsync: the opt-in header for rendezvous within a program: async_meet with callbacks, futures and coroutines. Needs
// Asio and threads (the CMake target netsync::lan).
#pragma once

#include <netsync/rendezvous.hpp>
#include <netsync/rendezvous/meet.hpp>
