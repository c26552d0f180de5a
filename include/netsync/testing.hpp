// netsync: for tests of your own types and programs: the deterministic simulator and the laws. Needs the standard library
// alone.
#pragma once

#include <netsync/netsync.hpp>
#include <netsync/testing/laws.hpp>
#include <netsync/testing/shrink.hpp>
#include <netsync/testing/simulation.hpp>
