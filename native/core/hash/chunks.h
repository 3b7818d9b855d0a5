// Content-defined chunks: pieces of a file whose borders follow from the bytes around them, so that
// bytes which have moved are in the same chunks as before but for a few.
//
// FastCDC with normalised chunking (Xia et al., USENIX ATC 2016) over a gear hash of 32 bits:
// h = 2 h + gear[byte], where gear[b] is the upper half of the XXH64 of the byte b. A chunk has
// kChunkMin bytes at least; h begins with 0 behind them. It ends behind the byte at which the upper
// 16 bits of h are zero, from kChunkMean bytes on the upper 12, at kChunkMax bytes at last, or
// where the range ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/status.h"

namespace fr {

inline constexpr size_t kChunkMin = 4096;
inline constexpr size_t kChunkMean = 16384;
inline constexpr size_t kChunkMax = 65536;
// Of a chunk in an index: its length (u24, big-endian) and the first 8 bytes of its BLAKE3 hash.
inline constexpr size_t kChunkEntryBytes = 11;

// Bytes of the first chunk of what lies there, one at least.
size_t chunk_bytes(const uint8_t* data, size_t bytes) noexcept;

// Appends the entries of the chunks of [offset, offset + length) of a file. Errors as of
// hash_blocks.
Status index_chunks(uint32_t file, uint64_t offset, uint64_t length, std::vector<uint8_t>& out);

}  // namespace fr
