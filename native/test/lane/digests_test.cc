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

TEST_CASE("a place of a stream that grows may have several records") {
  RelayedDigests kept;
  CHECK(kept.take(record(0, 10, 8), 1, 100, true) != nullptr);
  CHECK(kept.take(record(0, 10, 8), 1, 100, true) == nullptr);
  const DigestRef last = record(0, 10, 8, 7);
  CHECK(kept.take(last, 1, 100, true) == last);
  CHECK(kept.take(record(0, 10, 8, 7), 2, 100, true) == last);
  CHECK(kept.take(record(0, 10, 8), 1, 100, true) == nullptr);
  CHECK(kept.take(record(10, 20, 8), 1, 24, true) != nullptr);
  CHECK(kept.take(record(20, 30, 8), 1, 24, true) == nullptr);
}

TEST_CASE("records before a line make room for others") {
  RelayedDigests kept;
  CHECK(kept.take(record(0, 10, 60), 1, 100) != nullptr);
  CHECK(kept.take(record(10, 20, 40), 1, 100) != nullptr);
  kept.forget(15);
  CHECK(kept.take(record(20, 30, 61), 1, 100) == nullptr);
  CHECK(kept.take(record(20, 30, 60), 1, 100) != nullptr);
  // Fewer than are kept may be allowed by now.
  CHECK(kept.take(record(30, 40, 1), 1, 50) == nullptr);
}

TEST_CASE("a log passes over what is forgotten, and keeps the place of a cursor") {
  DigestLog log;
  for (const uint64_t begin : {20, 0, 30, 10}) log.push_back(record(begin, begin + 10, 1));
  DigestCursor cursor{&log, 0, 0, SIZE_MAX};
  DigestCursor late{&log, 0, 0, SIZE_MAX};
  CHECK(cursor.take()->begin == 20);
  log.forget(1, 100);
  log.forget(0, 20);
  CHECK(cursor.take() == nullptr);
  CHECK(cursor.take()->begin == 30);
  CHECK(cursor.take() == nullptr);
  CHECK_FALSE(cursor.is_due());
  log.forget(0, 30);
  CHECK(late.take() == nullptr);
  CHECK(late.take() == nullptr);
  CHECK(late.take()->begin == 30);
  log.forget(0, 40);
  CHECK(log.end() == 4);
  log.push_back(record(50, 60, 1));
  CHECK(cursor.take()->begin == 50);
}

TEST_CASE("a cursor stops at the end of what was there, and can go on") {
  DigestLog log;
  log.push_back(record(0, 1, 1));
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
