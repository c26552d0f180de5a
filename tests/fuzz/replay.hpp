// What a unit of fuzz targets gives to replay.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" {
using FuzzTarget = int(const std::uint8_t* data, std::size_t size);
}

/// The target of that name, or null.
FuzzTarget* fuzz_target(std::string_view name);
