// What a stream knows of its blocks while it grows, at its end, and behind its line.
#include "core/lane/stream.h"

#include <doctest/doctest.h>

#include <vector>

using fr::DigestRecord;
using fr::Interval;
using fr::Stream;

namespace {

constexpr uint64_t kFirstBlock = 64 << 10;
using Counts = std::pair<uint64_t, uint64_t>;
using Runs = std::vector<Interval>;
constexpr uint64_t kBorder = 4ull << 30;

Stream growing(uint64_t size) {
  Stream stream;
  stream.growing = true;
  stream.size = size;
  return stream;
}

std::vector<Interval> unreported(const Stream& stream) {
  std::vector<Interval> runs;
  stream.main.unreported.each([&](uint64_t begin, uint64_t end) { runs.push_back({begin, end}); });
  return runs;
}

}  // namespace

TEST_CASE("blocks of both sides of a border are whole by one run") {
  Stream stream = growing(kBorder + 5 * kFirstBlock);
  stream.land(false, kBorder - kFirstBlock - 10, kBorder + 3 * kFirstBlock);
  CHECK((unreported(stream) == Runs{{kBorder - kFirstBlock, kBorder + 2 * kFirstBlock}}));
  stream.land(false, kBorder + 3 * kFirstBlock, kBorder + 4 * kFirstBlock);
  CHECK((unreported(stream) == Runs{{kBorder - kFirstBlock, kBorder + 4 * kFirstBlock}}));
}

TEST_CASE("a block is not whole because a stream ends in it that may still grow") {
  Stream stream = growing(kFirstBlock + 10);
  stream.land(false, 0, kFirstBlock + 10);
  CHECK((unreported(stream) == Runs{{0, kFirstBlock}}));
  CHECK((stream.finish(kFirstBlock + 10) == Counts{10, 0}));
  CHECK((unreported(stream) == Runs{{0, kFirstBlock + 10}}));
}

TEST_CASE("what lies behind the end is no part of the stream") {
  Stream stream = growing(3 * kFirstBlock);
  stream.land(false, kFirstBlock, 3 * kFirstBlock);
  stream.cut = Interval{2 * kFirstBlock, 2 * kFirstBlock + 5};
  CHECK((stream.finish(kFirstBlock + 10) == Counts{10, 2 * kFirstBlock - 10}));
  CHECK((unreported(stream) == Runs{{kFirstBlock, kFirstBlock + 10}}));
  CHECK_FALSE(stream.cut.has_value());
  Stream whole = growing(3 * kFirstBlock);
  whole.land(false, 0, kFirstBlock);
  CHECK((whole.finish(kFirstBlock) == Counts{0, 0}));
  CHECK((growing(5).finish(0) == Counts{0, 0}));
}

TEST_CASE("the line goes as far as all has landed, and never back") {
  Stream stream = growing(10 * kFirstBlock);
  stream.land(false, 0, 2 * kFirstBlock);
  stream.land(false, 3 * kFirstBlock, 4 * kFirstBlock);
  stream.routes.raise(0, 4 * kFirstBlock, 1);
  CHECK(stream.forget(kFirstBlock) == kFirstBlock);
  CHECK(stream.forget(5) == kFirstBlock);
  CHECK(stream.forget(9 * kFirstBlock) == 2 * kFirstBlock);
  std::vector<Interval> routed;
  stream.routes.each_of(1, [&](uint64_t begin, uint64_t end) { routed.push_back({begin, end}); });
  CHECK((routed == Runs{{2 * kFirstBlock, 4 * kFirstBlock}}));
}

TEST_CASE("digests that may be kept are those of the blocks behind the line, and some cuts") {
  Stream stream = growing(2 * kFirstBlock + 1);
  CHECK(stream.digest_bytes_most() == 3 * 97 + fr::bounds::tailDigestBytes);
  stream.land(false, 0, kFirstBlock + 1);
  stream.forget(kFirstBlock + 1);
  CHECK(stream.digest_bytes_most() == 2 * 97 + fr::bounds::tailDigestBytes);
  stream.size = kBorder + 4 * kFirstBlock;
  CHECK(stream.digest_bytes_most() == (65'535 + 2) * 97 + fr::bounds::tailDigestBytes);
}
