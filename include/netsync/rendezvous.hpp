// netsync: the opt-in header for rendezvous: requests that name an event and wait until enough others have come that fit.
// In one place, without threads or sockets: Exchange. Needs the standard library only; meet.hpp adds Asio, http.hpp HTTP.
#pragma once

#include <netsync/rendezvous/exchange.hpp>
#include <netsync/rendezvous/labels.hpp>
#include <netsync/rendezvous/request.hpp>
#include <netsync/rendezvous/selector.hpp>
