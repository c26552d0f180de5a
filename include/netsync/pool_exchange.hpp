// netsync: the opt-in header for rendezvous without a server: requests and matches are part of what replicas keep in sync.
// Needs the standard library and threads; with lan.hpp it works on a LAN.
#pragma once

#include <netsync/rendezvous/desk.hpp>
#include <netsync/rendezvous/pool_exchange.hpp>
#include <netsync/rendezvous/pool_runner.hpp>
