// How a stream that grows is cut into blocks.
#include "core/base/sections.h"

#include <doctest/doctest.h>

using fr::Section;
using fr::section_of;

TEST_CASE("sections double, and follow each other without a gap") {
  constexpr uint64_t kGib = 1ull << 30;
  uint64_t at = 0;
  for (int k = 0; k < 10; k++) {
    const Section in = section_of(at);
    CHECK(in.begin == at);
    CHECK(in.end == at + (4 * kGib << k));
    CHECK(in.block_bytes == (64ull << 10) << k);
    CHECK(section_of(in.end - 1).begin == at);
    at = in.end;
  }
  const Section last = section_of((1ull << 42) - 1);
  CHECK(last.begin == at);
  CHECK(last.end == UINT64_MAX);
  CHECK(last.block_bytes == 64ull << 20);
}

TEST_CASE("borders of blocks count from the beginning of the section") {
  const Section in = section_of(4ull << 30);
  CHECK(in.floor(in.begin) == in.begin);
  CHECK(in.ceil(in.begin) == in.begin);
  CHECK(in.floor(in.begin + 131'071) == in.begin);
  CHECK(in.ceil(in.begin + 1) == in.begin + 131'072);
  CHECK(in.floor(in.begin + 131'072) == in.begin + 131'072);
}
