// The interval set against the plainest model there is: one bit per byte.
#include "core/base/interval_set.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using fr::Interval;
using fr::IntervalSet;

namespace {

std::vector<Interval> all(const IntervalSet& set) {
  std::vector<Interval> out;
  set.each([&](uint64_t begin, uint64_t end) { out.push_back({begin, end}); });
  return out;
}

}  // namespace

TEST_CASE("intervals that touch become one") {
  IntervalSet set;
  set.insert(10, 20);
  set.insert(30, 40);
  CHECK(set.insert(20, 30) == Interval{10, 40});
  CHECK(all(set) == std::vector<Interval>{{10, 40}});
  CHECK(set.bytes() == 30);
}

TEST_CASE("an empty range changes nothing") {
  IntervalSet set;
  set.insert(5, 5);
  CHECK(set.empty());
  set.insert(0, 8);
  set.erase(4, 4);
  CHECK(set.bytes() == 8);
}

TEST_CASE("erasing the middle leaves both ends") {
  IntervalSet set;
  set.insert(0, 100);
  set.erase(40, 60);
  CHECK(all(set) == std::vector<Interval>{{0, 40}, {60, 100}});
  CHECK(set.covered_to(10) == 40);
  CHECK(set.covered_to(50) == 50);
  CHECK(set.next_begin(45, 1000) == 60);
  CHECK(set.next_begin(60, 1000) == 1000);
}

TEST_CASE("ten thousand random edits agree with a bitmap") {
  constexpr uint64_t kBytes = 256;
  std::mt19937_64 random(7);
  IntervalSet set;
  std::vector<bool> model(kBytes, false);
  for (int round = 0; round < 10'000; round++) {
    const uint64_t a = random() % (kBytes + 1);
    const uint64_t b = random() % (kBytes + 1);
    const uint64_t begin = std::min(a, b);
    const uint64_t end = std::max(a, b);
    const bool adds = random() % 2 == 0;
    if (adds) {
      set.insert(begin, end);
    } else {
      set.erase(begin, end);
    }
    for (uint64_t i = begin; i < end; i++) model[i] = adds;
    uint64_t held = 0;
    for (uint64_t i = 0; i < kBytes; i++) held += model[i] ? 1 : 0;
    REQUIRE(set.bytes() == held);
    const uint64_t at = random() % kBytes;
    uint64_t covered = at;
    while (covered < kBytes && model[covered]) covered++;
    REQUIRE(set.covered_to(at) == covered);
    uint64_t pieces = 0;
    for (uint64_t i = 0; i < kBytes; i++) pieces += model[i] && (i == 0 || !model[i - 1]) ? 1 : 0;
    REQUIRE(set.intervals() == pieces);
    uint64_t inside = 0;
    set.each_inside(begin, end, [&](uint64_t from, uint64_t to) { inside += to - from; });
    REQUIRE(inside == (adds ? end - begin : 0));
  }
}
