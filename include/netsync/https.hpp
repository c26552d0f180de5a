// netsync: the opt-in header for HTTP over TLS. Needs what http.hpp needs, and OpenSSL (the CMake target netsync::https).
#pragma once

#include <netsync/http.hpp>
#include <netsync/http/tls.hpp>
