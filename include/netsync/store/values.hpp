// netsync: small values in a store, encoded as on the wire: an identity, a list of members.
#pragma once

#include <netsync/store/concept.hpp>
#include <netsync/wire/input.hpp>
#include <netsync/wire/output.hpp>
#include <optional>
#include <string_view>

namespace netsync {

/// A small value under a name; as default-constructed where there is none, or none that can be read.
template <class T, store Store>
T open_value(const Store& store, std::string_view key) {
    T value{};
    if (const std::optional<Bytes> kept = store.get(key)) {
        Input in{*kept, Limits::frame_budget(kept->size())};
        in(value);
        if (in.finish()) value = T{};
    }
    return value;
}

/// Staged: durable with the store's next commit.
template <store Store, class T>
std::error_code keep_value(Store& store, std::string_view key, const T& value) {
    Output out;
    out(value);
    return store.put(key, out.view());
}

}  // namespace netsync
