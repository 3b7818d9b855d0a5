// Record headers: what goes in comes out, and nothing else is taken.
#include "core/wire/wire.h"

#include <doctest/doctest.h>

#include <cstring>

#include "core/hash/hash.h"

using fr::Header;
using fr::Kind;

namespace {

constexpr uint64_t kSeed = 0x1234'5678'9abc'def0;

struct Bytes {
  uint8_t at[fr::kHeaderBytes];
};

Bytes encoded(const Header& header) {
  Bytes bytes;
  fr::encode_header(header, kSeed, bytes.at);
  return bytes;
}

bool taken(const Bytes& bytes) {
  Header out;
  return fr::decode_header(bytes.at, kSeed, &out);
}

// The same header with one byte set and the check made right again.
Bytes altered(Bytes bytes, size_t index, uint8_t value) {
  bytes.at[index] = value;
  const auto check = static_cast<uint32_t>(fr::xxh64(bytes.at, 28, kSeed));
  for (int i = 0; i < 4; i++) bytes.at[28 + i] = static_cast<uint8_t>(check >> (8 * i));
  return bytes;
}

const Header kPayload{Kind::kPayload, 0, 7, 0, 0x1'2345'6789, 1u << 20, 0xABCD};
const Header kRepair{Kind::kPayload, fr::kFlagScratch, 7, 0, 0, 1};

}  // namespace

TEST_CASE("a header survives the wire") {
  Header out;
  REQUIRE(fr::decode_header(encoded(kPayload).at, kSeed, &out));
  CHECK(out.kind == Kind::kPayload);
  CHECK(out.flags == 0);
  CHECK(out.route == 0xABCD);
  CHECK(out.stream == 7);
  CHECK(out.offset == 0x1'2345'6789);
  CHECK(out.length == 1u << 20);
  CHECK(taken(encoded({Kind::kHole, 0, 1, 0, 0, fr::kMaxHole})));
  CHECK(taken(encoded({Kind::kHole, 0, 1, 0, 0, 1, 65'535})));
  CHECK(taken(encoded({Kind::kDigests, 0, 1, 16, 0, 65536, 1})));
  REQUIRE(fr::decode_header(encoded(kRepair).at, kSeed, &out));
  CHECK(out.flags == fr::kFlagScratch);
  CHECK(out.route == 0);
  CHECK(taken(encoded({Kind::kEnd, 0, 0, 0, 0, 0})));
}

TEST_CASE("every flipped bit is noticed") {
  const Bytes good = encoded(kPayload);
  for (size_t bit = 0; bit < fr::kHeaderBytes * 8; bit++) {
    Bytes bad = good;
    bad.at[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    CHECK_FALSE(taken(bad));
  }
  Header out;
  CHECK_FALSE(fr::decode_header(good.at, kSeed + 1, &out));
}

TEST_CASE("a right check does not excuse a wrong header") {
  const Bytes good = encoded(kPayload);
  CHECK_FALSE(taken(altered(good, 0, 0)));              // magic
  CHECK_FALSE(taken(altered(good, 1, 2)));              // version
  CHECK_FALSE(taken(altered(good, 2, 40)));             // header length
  CHECK_FALSE(taken(altered(good, 3, 0)));              // kind
  CHECK_FALSE(taken(altered(good, 3, 5)));              // kind
  CHECK_FALSE(taken(altered(good, 4, 1)));              // scratch with a route
  CHECK_FALSE(taken(altered(good, 4, 2)));              // unknown flag
  CHECK_FALSE(taken(altered(encoded(kRepair), 4, 3)));  // two flags
  CHECK_FALSE(taken(altered(encoded(kRepair), 7, 1)));  // a route with scratch
  CHECK_FALSE(taken(altered(good, 12, 1)));             // extra on payload
  CHECK_FALSE(taken(altered(good, 26, 0x11)));          // longer than a record may be
}

TEST_CASE("lengths outside the kinds' bounds are refused") {
  CHECK_FALSE(taken(encoded({Kind::kPayload, 0, 1, 0, 0, 0})));
  CHECK_FALSE(taken(encoded({Kind::kPayload, 0, 1, 0, 0, fr::kMaxPayload + 1})));
  CHECK_FALSE(taken(encoded({Kind::kHole, 0, 1, 0, 0, fr::kMaxHole + 1})));
  CHECK_FALSE(taken(encoded({Kind::kHole, fr::kFlagScratch, 1, 0, 0, 1})));
  CHECK_FALSE(taken(encoded({Kind::kDigests, 0, 1, 0, 0, 65536})));
  CHECK_FALSE(taken(encoded({Kind::kDigests, 0, 1, fr::kMaxDigestPayload + 1, 0, 65536})));
  CHECK_FALSE(taken(encoded({Kind::kDigests, fr::kFlagScratch, 1, 8, 0, 65536})));
  CHECK_FALSE(taken(encoded({Kind::kEnd, 0, 0, 0, 1, 0})));
  CHECK_FALSE(taken(encoded({Kind::kEnd, fr::kFlagScratch, 0, 0, 0, 0})));
  CHECK_FALSE(taken(encoded({Kind::kEnd, 0, 0, 0, 0, 0, 1})));
}
