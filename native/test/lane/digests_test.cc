// Digest records that are passed on: what is kept, and where a feed stands.
#include "core/lane/digests.h"

#include <doctest/doctest.h>

using fr::DigestCursor;
using fr::DigestLog;
using fr::DigestRecord;
using fr::DigestRef;
using fr::RelayedDigests;

namespace {

DigestRef record(uint64_t begin, uint64_t end, size_t bytes, uint8_t fill = 0) {
  return std::make_shared<const DigestRecord>(
      DigestRecord{0, begin, end, std::vector<uint8_t>(bytes, fill)});
}

}  // namespace

TEST_CASE("the first record of a place is kept once, for every route") {
  RelayedDigests kept;
  const DigestRef first = record(0, 10, 8);
  CHECK(kept.take(first, 1, 100) == first);
  CHECK(kept.take(record(0, 10, 8), 1, 100) == nullptr);
  CHECK(kept.take(record(0, 10, 8, 7), 1, 100) == nullptr);
  CHECK(kept.take(record(0, 10, 8, 7), 2, 100) == first);
  CHECK(kept.take(record(0, 20, 8), 1, 100) != nullptr);
  CHECK(kept.take(record(10, 20, 8), 1, 100) != nullptr);
}

TEST_CASE("no more bytes are kept than may be") {
  RelayedDigests kept;
  CHECK(kept.take(record(0, 10, 101), 1, 100) == nullptr);
  CHECK(kept.take(record(0, 10, 60), 1, 100) != nullptr);
  CHECK(kept.take(record(10, 20, 41), 1, 100) == nullptr);
  CHECK(kept.take(record(10, 20, 40), 1, 100) != nullptr);
  CHECK(kept.take(record(20, 30, 1), 1, 100) == nullptr);
  CHECK(kept.take(record(0, 10, 60), 2, 100) != nullptr);
}

TEST_CASE("a cursor stops at the end of what was there, and can go on") {
  DigestLog log{record(0, 1, 1)};
  DigestCursor cursor{&log, 0, 0, SIZE_MAX};
  CHECK(cursor.is_due());
  cursor.stop();
  log.push_back(record(1, 2, 1));
  CHECK(cursor.is_due());
  cursor.at++;
  CHECK_FALSE(cursor.is_due());
  cursor.stop();
  CHECK_FALSE(cursor.is_due());
  cursor.past = SIZE_MAX;
  CHECK(cursor.is_due());
  cursor.at++;
  CHECK_FALSE(cursor.is_due());
}
