// netsync: the opt-in header for replicas that keep their data in a file: SqliteStore. Needs SQLite 3.37 or later and
// threads (the CMake target netsync::sqlite). With <netsync/lan.hpp>: LanReplica<T, SqliteStore>{{.file = "library.db"}}.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/store/sqlite_store.hpp>
