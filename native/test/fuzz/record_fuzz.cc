// Any bytes as a record header: what is accepted is sound by the letter of docs/protocol.md and
// encodes to the very bytes it came from; what encodes is accepted exactly when it is sound.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/wire/wire.h"
#include "reference.h"

namespace {

void require(bool holds) {
  if (!holds) abort();
}

void decode_any(const uint8_t bytes[fr::kHeaderBytes], uint64_t seed) {
  fr::Header header;
  const bool accepted = fr::decode_header(bytes, seed, &header);
  fuzz::Record expected;
  require(accepted == fuzz::parse_header(bytes, seed, &expected));
  if (!accepted) return;
  require(static_cast<uint8_t>(header.kind) == expected.kind && header.flags == expected.flags);
  require(header.route == expected.route);
  require(header.stream == expected.stream && header.extra == expected.extra);
  require(header.offset == expected.offset && header.length == expected.length);
  uint8_t again[fr::kHeaderBytes];
  fr::encode_header(header, seed, again);
  require(memcmp(bytes, again, sizeof again) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 8 + fr::kHeaderBytes) return 0;
  uint64_t seed;
  memcpy(&seed, data, sizeof seed);
  uint8_t bytes[fr::kHeaderBytes];
  memcpy(bytes, data + sizeof seed, sizeof bytes);
  decode_any(bytes, seed);
  // With the check put right, else nothing is ever accepted; and with the fixed bytes right too.
  fuzz::put_check(bytes, seed);
  decode_any(bytes, seed);
  memcpy(bytes, fuzz::kFixed, sizeof fuzz::kFixed);
  fuzz::put_check(bytes, seed);
  decode_any(bytes, seed);
  // A header as the engine makes it, of fields that may make no sense.
  fr::Header made;
  made.kind = static_cast<fr::Kind>(bytes[3]);
  memcpy(&made.flags, bytes + 4, 2);
  memcpy(&made.route, bytes + 6, 2);
  memcpy(&made.stream, bytes + 8, 4);
  memcpy(&made.extra, bytes + 12, 4);
  memcpy(&made.offset, bytes + 16, 8);
  memcpy(&made.length, bytes + 24, 4);
  fr::encode_header(made, seed, bytes);
  decode_any(bytes, seed);
  return 0;
}
