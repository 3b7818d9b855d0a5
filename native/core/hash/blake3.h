// BLAKE3 of the blocks of a file, and of the file from its blocks.
//
// The idea: a block of 2^n chunks (1 KiB each) at a multiple of its size is a whole subtree of the
// file's BLAKE3 tree, so the value of a block is the value of that subtree, and the values of all
// blocks fold into the ordinary BLAKE3 hash of the file. A value holds for its place in the file
// only: the same bytes elsewhere, zeros too, have another.
#pragma once

#include <blake3.h>

#include <cstddef>
#include <cstdint>

#include "core/base/status.h"

namespace fr {

inline constexpr size_t kBlake3Bytes = 32;
inline constexpr size_t kBlake3ChunkBytes = 1024;

// Subtrees in order, of one size but for the last, which may be smaller, become one node.
class Blake3Tree {
 public:
  void reset() { count_ = 0, held_ = 0; }
  void push(const uint8_t* value);
  // The value of the node over everything pushed, one at least; of the top of a file if `is_root`.
  // One alone is its own value.
  void finish(uint8_t* out, bool is_root);

 private:
  void merge(bool is_root);

  uint64_t count_ = 0;
  size_t held_ = 0;
  // Complete subtrees, larger before smaller: one for each bit of a count, and one not merged yet.
  uint8_t values_[65 * kBlake3Bytes];
};

// The values of blocks, one after the other.
class Blake3Block {
 public:
  // At the beginning of a block, which is at this place in the file.
  void start(uint64_t offset);
  // 2^n chunks at a multiple of their size; or up to the end of the file.
  void update(const uint8_t* data, size_t bytes);
  Status finish(uint8_t* out);

 private:
  Blake3Tree tree_;
  uint64_t chunk_ = 0;
};

// The only block of a file: its value is the hash of the file.
class Blake3File {
 public:
  void start(uint64_t) { blake3_hasher_init(&hash_); }
  void update(const uint8_t* data, size_t bytes) { blake3_hasher_update(&hash_, data, bytes); }
  Status finish(uint8_t* out) {
    blake3_hasher_finalize(&hash_, out, kBlake3Bytes);
    return kOkStatus;
  }

 private:
  blake3_hasher hash_;
};

// The first bytes of the hash of a block, which do not depend on where it is.
class Blake3Page {
 public:
  void start(uint64_t) { whole_.start(0); }
  void update(const uint8_t* data, size_t bytes) { whole_.update(data, bytes); }
  Status finish(uint8_t* out) {
    uint8_t hash[kBlake3Bytes];
    const Status status = whole_.finish(hash);
    for (int i = 0; i < 8; ++i) out[i] = hash[i];
    return status;
  }

 private:
  Blake3File whole_;
};

// Values of larger blocks from those of smaller ones, laid end to end: each of `per_value` (a power
// of two) that follow each other, the last of what is left. `out`: as many values.
void blake3_fold(const uint8_t* values, size_t count, size_t per_value, uint8_t* out);

// The hash of a file from the values of its blocks, laid end to end. A file without blocks is
// empty; a single value is the hash already.
void blake3_file(const uint8_t* values, size_t count, uint8_t* out);

}  // namespace fr
