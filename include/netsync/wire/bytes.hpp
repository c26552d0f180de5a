// netsync: bytes as they are stored and sent.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace netsync {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// Encoded once, then logged and sent to many peers without a copy.
using SharedBytes = std::shared_ptr<const Bytes>;

}  // namespace netsync
