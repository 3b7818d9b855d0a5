// The wire format once more, by code of its own and in the words of docs/protocol.md, so that a
// mistake of the engine is not repeated in what judges it. For little-endian hosts.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/hash/hash.h"

namespace fuzz {

constexpr size_t kHeader = 32;
constexpr uint8_t kFixed[3] = {0xF5, 1, 32};  // magic, version, header length
enum : uint8_t { kPayload = 1, kHole = 2, kDigests = 3, kEnd = 4 };
constexpr uint16_t kScratch = 1;

struct Record {
  uint8_t kind = 0;
  uint16_t flags = 0;
  uint32_t stream = 0;
  uint32_t extra = 0;
  uint64_t offset = 0;
  uint32_t length = 0;
  uint16_t route = 0;
};

inline void put_check(uint8_t header[kHeader], uint64_t seed) {
  const auto check = static_cast<uint32_t>(fr::xxh64(header, 28, seed));
  memcpy(header + 28, &check, sizeof check);
}

inline bool has_true_check(const uint8_t header[kHeader], uint64_t seed) {
  uint8_t checked[kHeader];
  memcpy(checked, header, kHeader);
  put_check(checked, seed);
  return memcmp(checked, header, kHeader) == 0;
}

inline bool parse_header(const uint8_t header[kHeader], uint64_t seed, Record* out) {
  if (!has_true_check(header, seed)) return false;
  if (memcmp(header, kFixed, sizeof kFixed) != 0) return false;
  Record r;
  r.kind = header[3];
  memcpy(&r.flags, header + 4, 2);
  memcpy(&r.route, header + 6, 2);
  memcpy(&r.stream, header + 8, 4);
  memcpy(&r.extra, header + 12, 4);
  memcpy(&r.offset, header + 16, 8);
  memcpy(&r.length, header + 24, 4);
  const bool repairs = r.flags == kScratch && r.route == 0;
  *out = r;
  switch (r.kind) {
    case kPayload:
      return (r.flags == 0 || repairs) && r.extra == 0 && r.length >= 1 && r.length <= 1024 * 1024;
    case kHole:
      return r.flags == 0 && r.extra == 0 && r.length >= 1 && r.length <= 1024 * 1024 * 1024;
    case kDigests:
      return r.flags == 0 && r.extra >= 1 && r.extra <= 256 * 1024;
    case kEnd:
      return r.flags == 0 && r.route == 0 && r.stream == 0 && r.extra == 0 && r.offset == 0 &&
             r.length == 0;
    default:
      return false;
  }
}

inline void make_header(const Record& r, uint64_t seed, uint8_t out[kHeader]) {
  memset(out, 0, kHeader);
  memcpy(out, kFixed, sizeof kFixed);
  out[3] = r.kind;
  memcpy(out + 4, &r.flags, 2);
  memcpy(out + 6, &r.route, 2);
  memcpy(out + 8, &r.stream, 4);
  memcpy(out + 12, &r.extra, 4);
  memcpy(out + 16, &r.offset, 8);
  memcpy(out + 24, &r.length, 4);
  put_check(out, seed);
}

}  // namespace fuzz
