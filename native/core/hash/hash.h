// Digests of blocks, straight from the page cache.
//
// The idea: whole blocks are hashed where they lie, in worker threads, and only digests travel.
// Every algorithm is incremental, so that a block of 64 MiB passes through one small buffer.
//
// A file is read with pread, never mapped: its owner may truncate a source under us, and touching a
// mapped page that is gone kills the process.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/status.h"
#include "core/file/file_table.h"

namespace fr {

// Numbers are part of the binding's contract.
enum class Algorithm : int {
  kXxh64 = 0,
  kSha256 = 1,
  kBlake3 = 2,
  kBlake3File = 3,  // of the only block of a file
  kBlake3Page = 4,  // the first 8 bytes of the BLAKE3 hash of a block, wherever it is
};
inline constexpr int kAlgorithms = 5;

constexpr size_t digest_bytes(Algorithm algorithm) {
  return algorithm == Algorithm::kXxh64 || algorithm == Algorithm::kBlake3Page ? 8 : 32;
}

// XXH64 of one buffer, the same on any host.
uint64_t xxh64(const void* data, size_t bytes, uint64_t seed = 0) noexcept;

// XXH64 of bytes that come in pieces.
class Xxh64 {
 public:
  explicit Xxh64(uint64_t seed = 0) noexcept { reset(seed); }
  void reset(uint64_t seed = 0) noexcept;
  void update(const void* data, size_t bytes) noexcept;
  // Of everything since the reset; more may be added afterwards.
  uint64_t digest() const noexcept;

 private:
  uint64_t lanes_[4];
  uint64_t seed_;
  uint64_t total_;
  uint8_t tail_[32];
  size_t tail_bytes_;
};

// Digests of the blocks of [offset, offset + length), laid end to end in `out`, which holds
// ceil(length / block_bytes) * digest_bytes(algorithm): XXH64 seed 0 in its canonical big-endian
// form, SHA-256, or values of blake3.h (blocks are then powers of two of 1 KiB or more). `offset`
// is a multiple of `block_bytes`; the last block may be short. Reads on the calling thread.
// ERR_FR_SOURCE_CHANGED when a source ends earlier (a partial that does: ERR_FR_IO, errno 0),
// ERR_FR_CLOSED for an unknown handle, ERR_FR_UNSUPPORTED for SHA-256 without OpenSSL, ERR_FR_IO
// otherwise (EINVAL: not such a range). `cached_only`: reads what is in the page cache and waits
// for no disk; ERR_FR_IO with EAGAIN when not all of it is there, or this cannot be told
// (RWF_NOWAIT).
Status hash_blocks(uint32_t file, uint64_t offset, uint64_t length, uint64_t block_bytes,
                   Algorithm algorithm, uint8_t* out, bool cached_only = false) noexcept;
Status hash_blocks(const File& file, uint64_t offset, uint64_t length, uint64_t block_bytes,
                   Algorithm algorithm, uint8_t* out, bool cached_only) noexcept;

// Fills a buffer from a file; errors as of hash_blocks.
Status read_range(const File& file, uint8_t* into, size_t bytes, uint64_t offset) noexcept;

// The same of a range without data, which is not read: every block is of zeros, whose digest is
// made once for each length, with BLAKE3 for each block. ERR_FR_IO with EAGAIN when there is data
// in the range, or this cannot be told.
Status hash_holes(uint32_t file, uint64_t offset, uint64_t length, uint64_t block_bytes,
                  Algorithm algorithm, uint8_t* out) noexcept;

// The file digest of a whole file in memory, raw (docs/protocol.md, section 7), in the digests of
// the blocks; `algorithm` is kBlake3, kSha256 or kXxh64. Errors as of hash_blocks.
Status file_digest(const uint8_t* data, size_t bytes, uint64_t block_bytes, Algorithm algorithm,
                   uint8_t* out) noexcept;

}  // namespace fr
