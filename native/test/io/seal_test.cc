// Sealed bytes: what AES-256-GCM makes of known ones, and that only the right bytes in the right
// order open.
#include "core/io/seal.h"

#include <doctest/doctest.h>

#include "test/sealing.h"

using fr::Seal;
using fr::SealSecret;
using fr::test::Bytes;
using fr::test::gcm;
using fr::test::opens;
using fr::test::sealed;
using fr::test::secret_of;
using fr::test::some;

TEST_CASE("a record is AES-256-GCM under the salt and its number, with its length beside it") {
  Seal seal(gcm(), Seal::Side::kSeals, secret_of(0));
  const Bytes plain{'a', 'b', 'c'};
  // Made with node:crypto: aes-256-gcm, nonce 01020304 and u64 0 then 1, AAD 03000000.
  CHECK(sealed(seal, plain) == Bytes{0x03, 0x00, 0x00, 0x00, 0x40, 0x37, 0xbe, 0xad,
                                     0xa8, 0x4a, 0x2e, 0xe6, 0x7f, 0xa5, 0xff, 0x6e,
                                     0x99, 0x68, 0x58, 0x32, 0x79, 0x08, 0xdc});
  CHECK(sealed(seal, plain) == Bytes{0x03, 0x00, 0x00, 0x00, 0xb0, 0x93, 0xa4, 0x15,
                                     0x2c, 0x4a, 0x9e, 0x28, 0x38, 0xf9, 0x76, 0x5c,
                                     0xe0, 0x85, 0x3a, 0x6b, 0x2b, 0x12, 0x18});
}

TEST_CASE("the next key is what a key makes of zeros under the last number") {
  Seal seal(gcm(), Seal::Side::kSeals, secret_of(0), 1);
  const Bytes plain{'a', 'b', 'c'};
  (void)sealed(seal, plain);
  // Made with node:crypto, too.
  CHECK(sealed(seal, plain) == Bytes{0x03, 0x00, 0x00, 0x00, 0x12, 0xda, 0x1d, 0x28,
                                     0x14, 0x82, 0x1f, 0xd6, 0xed, 0x81, 0xcb, 0x24,
                                     0x39, 0xf9, 0x57, 0x64, 0xe8, 0x5a, 0x00});
}

TEST_CASE("only the next record opens, unchanged") {
  const fr::Gcm* const evp = gcm();
  Seal seal(evp, Seal::Side::kSeals, secret_of(3));
  const Bytes plain = some(1000);
  const Bytes first = sealed(seal, plain);
  const Bytes second = sealed(seal, plain);
  CHECK(first != second);
  Bytes got;
  SUBCASE("both in their order") {
    Seal open(evp, Seal::Side::kOpens, secret_of(3));
    CHECK(opens(open, first, &got));
    CHECK(got == plain);
    CHECK(opens(open, second, &got));
    CHECK(got == plain);
  }
  SUBCASE("not the second first") {
    Seal open(evp, Seal::Side::kOpens, secret_of(3));
    CHECK_FALSE(opens(open, second, &got));
  }
  SUBCASE("not the first twice") {
    Seal open(evp, Seal::Side::kOpens, secret_of(3));
    CHECK(opens(open, first, &got));
    CHECK_FALSE(opens(open, first, &got));
  }
  SUBCASE("not under another key or salt") {
    Seal key(evp, Seal::Side::kOpens, secret_of(4));
    CHECK_FALSE(opens(key, first, &got));
    SealSecret other = secret_of(3);
    other.salt[3]++;
    Seal salt(evp, Seal::Side::kOpens, other);
    CHECK_FALSE(opens(salt, first, &got));
  }
  SUBCASE("not with any bit changed") {
    for (size_t bit = 0; bit < first.size() * 8; bit += 5) {
      if (bit < fr::kSealHeadBytes * 8) continue;  // the length: below, on a channel
      Seal open(evp, Seal::Side::kOpens, secret_of(3));
      Bytes changed = first;
      changed[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      CHECK_FALSE(opens(open, changed, &got));
    }
  }
}

TEST_CASE("a key is followed by the next one, at both ends before the same record") {
  const fr::Gcm* const evp = gcm();
  Seal seal(evp, Seal::Side::kSeals, secret_of(9), 3);
  Seal open(evp, Seal::Side::kOpens, secret_of(9), 3);
  Seal late(evp, Seal::Side::kOpens, secret_of(9), 4);
  const Bytes plain = some(100);
  Bytes got;
  std::vector<Bytes> records;
  for (int i = 0; i < 10; i++) records.push_back(sealed(seal, plain));
  for (const Bytes& record : records) {
    CHECK(opens(open, record, &got));
    CHECK(got == plain);
  }
  for (int i = 0; i < 3; i++) CHECK(opens(late, records[static_cast<size_t>(i)], &got));
  CHECK_FALSE(opens(late, records[3], &got));
  // The same number and bytes under another key are another record.
  CHECK(records[0] != records[3]);
  CHECK(records[3] != records[6]);
}
