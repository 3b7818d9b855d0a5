#include "core/hash/blake3.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/hash/blake3_tree.h"

namespace fr {

// While the module is loaded there is one thread in it.
[[maybe_unused]] static const size_t kDetected = fr_blake3_detect();

void Blake3Tree::push(const uint8_t* value) {
  // Late, because the last merge of all may be the root's.
  while (held_ > static_cast<size_t>(std::popcount(count_))) merge(false);
  std::memcpy(values_ + held_++ * kBlake3Bytes, value, kBlake3Bytes);
  ++count_;
}

void Blake3Tree::merge(bool is_root) {
  uint8_t* const children = values_ + (--held_ - 1) * kBlake3Bytes;
  (is_root ? fr_blake3_root : fr_blake3_parent)(children, children);
}

void Blake3Tree::finish(uint8_t* out, bool is_root) {
  while (held_ > 1) merge(is_root && held_ == 2);
  std::memcpy(out, values_, kBlake3Bytes);
}

void Blake3Block::start(uint64_t offset) {
  chunk_ = offset / kBlake3ChunkBytes;
  tree_.reset();
}

void Blake3Block::update(const uint8_t* data, size_t bytes) {
  uint8_t value[kBlake3Bytes];
  fr_blake3_subtree(data, bytes, chunk_, value);
  tree_.push(value);
  chunk_ += bytes / kBlake3ChunkBytes;
}

Status Blake3Block::finish(uint8_t* out) {
  tree_.finish(out, false);
  return kOkStatus;
}

void blake3_fold(const uint8_t* values, size_t count, size_t per_value, uint8_t* out) {
  Blake3Tree tree;
  for (size_t i = 0; i < count; i += per_value, out += kBlake3Bytes) {
    const size_t end = std::min(count, i + per_value);
    tree.reset();
    for (size_t at = i; at < end; ++at) tree.push(values + at * kBlake3Bytes);
    tree.finish(out, false);
  }
}

void blake3_file(const uint8_t* values, size_t count, uint8_t* out) {
  Blake3Tree tree;
  for (size_t i = 0; i < count; ++i) tree.push(values + i * kBlake3Bytes);
  if (count > 0) return tree.finish(out, true);
  Blake3File nothing;
  nothing.start(0);
  (void)nothing.finish(out);
}

}  // namespace fr
