// Replicas reduced to what the semantics speak of: the sites of netsync/testing/laws.hpp.
#pragma once

#include <doctest/doctest.h>
#include <netsync/netsync.hpp>
#include <netsync/testing.hpp>

namespace sites {

using namespace netsync;
using testing::make_sites;
using testing::Site;
template <class T>
using Sent = testing::SentDelta<T>;

template <class T>
bool same(const Site<T>& a, const Site<T>& b) {
    return equal(a.state, b.state);
}

}  // namespace sites
