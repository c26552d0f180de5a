// The opt-in headers must be found and compile; what they do is tested elsewhere.
#include <netsync/format.hpp>
#include <netsync/lan.hpp>
#include <netsync/meet.hpp>
#include <netsync/sqlite.hpp>
