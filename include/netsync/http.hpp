// netsync: the opt-in header for HTTP: a server on the program's own io_context, and rendezvous over it. Needs Asio,
// RESTinio, nlohmann-json and yaml-cpp (the CMake target netsync::http).
#pragma once

#include <netsync/http/document.hpp>
#include <netsync/http/message.hpp>
#include <netsync/http/rendezvous.hpp>
#include <netsync/http/server.hpp>
