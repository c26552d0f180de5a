// netsync: a header-only C++20 library that keeps data in sync between replicas. This header is the core: it needs the
// standard library alone. Networking over sockets is <netsync/lan.hpp>, printing with {fmt} is <netsync/format.hpp>.
#pragma once

#include <netsync/clock/hybrid_clock.hpp>
#include <netsync/clock/lamport_clock.hpp>
#include <netsync/clock/manual_clock.hpp>
#include <netsync/clock/timestamp.hpp>
#include <netsync/crdt/g_set.hpp>
#include <netsync/crdt/joined.hpp>
#include <netsync/crdt/lww_map.hpp>
#include <netsync/crdt/lww_register.hpp>
#include <netsync/crdt/lww_set.hpp>
#include <netsync/crdt/or_map.hpp>
#include <netsync/crdt/or_set.hpp>
#include <netsync/crdt/owned.hpp>
#include <netsync/crdt/path.hpp>
#include <netsync/crdt/pn_counter.hpp>
#include <netsync/crdt/tree.hpp>
#include <netsync/crdt/verbs.hpp>
#include <netsync/error.hpp>
#include <netsync/fwd.hpp>
#include <netsync/options.hpp>
#include <netsync/replica.hpp>
#include <netsync/report.hpp>
#include <netsync/store/memory_store.hpp>
#include <netsync/store/null_store.hpp>
#include <netsync/transport/memory_hub.hpp>
