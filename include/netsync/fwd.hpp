// netsync: the names of the main types, and the plain names for the usual choices of policies.
#pragma once

#include <netsync/clock/concept.hpp>
#include <netsync/crdt/concept.hpp>
#include <netsync/store/concept.hpp>
#include <netsync/transport/concept.hpp>

namespace netsync {

template <store Store, transport Transport, clock Clock, crdt CrdtType>
class Replica;

class MemoryStore;
class MemoryHub;
class MemoryTransport;
struct SystemTime;
template <class Source>
class BasicHybridClock;

/// A replica on an in-process network (MemoryHub): for tests, and for replicas that share a program.
template <class CrdtType>
using MemoryReplica = Replica<MemoryStore, MemoryTransport, BasicHybridClock<SystemTime>, CrdtType>;

}  // namespace netsync
