// Blocks of a stream whose size nobody knows yet: their size depends on the offset alone.
// src/base/sections.ts has the idea.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/base/bounds.h"

namespace fr {

// A part of a stream in which all blocks have one size and begin at multiples of it from `begin`.
struct Section {
  uint64_t begin = 0;
  uint64_t end = UINT64_MAX;
  uint64_t block_bytes = 0;

  // The border of blocks at `at` or before it, and at it or behind it.
  uint64_t floor(uint64_t at) const { return at - (at - begin) % block_bytes; }
  uint64_t ceil(uint64_t at) const {
    const uint64_t below = floor(at);
    return below == at ? at : below + block_bytes;
  }
};

inline Section section_of(uint64_t offset) {
  constexpr int kLast = std::countr_zero(bounds::blockBytesMax / bounds::blockBytesMin);
  constexpr uint64_t kBytes = bounds::sectionBytes;
  const int k = std::min(kLast, static_cast<int>(std::bit_width(offset / kBytes + 1)) - 1);
  return {kBytes * ((uint64_t{1} << k) - 1),
          k == kLast ? UINT64_MAX : kBytes * ((uint64_t{2} << k) - 1), bounds::blockBytesMin << k};
}

}  // namespace fr
