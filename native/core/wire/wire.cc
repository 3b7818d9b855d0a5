#include "core/wire/wire.h"

#include "core/hash/hash.h"

namespace fr {
namespace {

constexpr uint8_t kMagic = 0xF5;
constexpr uint8_t kVersion = 1;

void put(uint8_t* at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) at[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint64_t get(const uint8_t* at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= static_cast<uint64_t>(at[i]) << (8 * i);
  return value;
}

bool is_sound(const Header& h) {
  if (h.flags > kFlagScratch) return false;  // unknown bits
  if (h.flags != 0 && (h.kind != Kind::kPayload || h.route != 0)) return false;
  switch (h.kind) {
    case Kind::kPayload:
      return h.length >= 1 && h.length <= kMaxPayload && h.extra == 0;
    case Kind::kHole:
      return h.length >= 1 && h.length <= kMaxHole && h.extra == 0;
    case Kind::kDigests:
      // A content without bytes ends by one that covers none.
      return h.extra >= 1 && h.extra <= kMaxDigestPayload;
    case Kind::kEnd:
      return h.length == 0 && h.extra == 0 && h.route == 0 && h.stream == 0 && h.offset == 0;
  }
  return false;
}

}  // namespace

void encode_header(const Header& header, uint64_t seed, uint8_t out[kHeaderBytes]) {
  out[0] = kMagic;
  out[1] = kVersion;
  out[2] = kHeaderBytes;
  out[3] = static_cast<uint8_t>(header.kind);
  put(out + 4, header.flags, 2);
  put(out + 6, header.route, 2);
  put(out + 8, header.stream, 4);
  put(out + 12, header.extra, 4);
  put(out + 16, header.offset, 8);
  put(out + 24, header.length, 4);
  put(out + 28, static_cast<uint32_t>(xxh64(out, 28, seed)), 4);
}

bool is_intact(const uint8_t in[kHeaderBytes], uint64_t seed) {
  return get(in + 28, 4) == static_cast<uint32_t>(xxh64(in, 28, seed));
}

bool decode_header(const uint8_t in[kHeaderBytes], uint64_t seed, Header* out) {
  if (!is_intact(in, seed)) return false;
  if (in[0] != kMagic || in[1] != kVersion || in[2] != kHeaderBytes) return false;
  if (in[3] < 1 || in[3] > 4) return false;
  out->kind = static_cast<Kind>(in[3]);
  out->flags = static_cast<uint16_t>(get(in + 4, 2));
  out->route = static_cast<uint16_t>(get(in + 6, 2));
  out->stream = static_cast<uint32_t>(get(in + 8, 4));
  out->extra = static_cast<uint32_t>(get(in + 12, 4));
  out->offset = get(in + 16, 8);
  out->length = static_cast<uint32_t>(get(in + 24, 4));
  return is_sound(*out);
}

}  // namespace fr
