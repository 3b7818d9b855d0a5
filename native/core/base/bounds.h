// Bounds shared with src/base/limits.ts: see bounds.def.
#pragma once

#include <cstdint>

namespace fr::bounds {

#define X(name, value) inline constexpr uint64_t name = value;
#include "core/base/bounds.def"
#undef X

}  // namespace fr::bounds
