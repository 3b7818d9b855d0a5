// The header of a record on a feed (docs/protocol.md, "Records"): 32 bytes, little-endian, with a
// check of its own: one flipped bit closes the feed with an error instead of misplacing bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/bounds.h"

namespace fr {

inline constexpr size_t kHeaderBytes = bounds::recordHeaderBytes;
inline constexpr uint32_t kMaxPayload = bounds::recordPayloadBytes;
inline constexpr uint32_t kMaxHole = bounds::recordHoleBytes;
inline constexpr uint32_t kMaxDigestPayload = bounds::recordDigestBytes;

enum class Kind : uint8_t { kPayload = 1, kHole = 2, kDigests = 3, kEnd = 4 };

inline constexpr uint16_t kFlagScratch = 1;

struct Header {
  Kind kind = Kind::kPayload;
  uint16_t flags = 0;
  uint32_t stream = 0;
  uint32_t extra = 0;  // digests: bytes of payload that follow
  uint64_t offset = 0;
  uint32_t length = 0;  // bytes of the stream that the record covers
  uint16_t route = 0;   // where the receiver passes them on to; 0: nowhere
};

void encode_header(const Header& header, uint64_t seed, uint8_t out[kHeaderBytes]);

// Whether the header is as its sender wrote it.
bool is_intact(const uint8_t in[kHeaderBytes], uint64_t seed);

// False for anything a correct peer of this version never sends. Whether offset and length lie
// inside the stream is for the caller, who knows the stream.
bool decode_header(const uint8_t in[kHeaderBytes], uint64_t seed, Header* out);

}  // namespace fr
