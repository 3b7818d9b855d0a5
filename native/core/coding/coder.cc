// Frames in memory: zstd, and what differs from a base as gaps and planes of bytes.
#include <algorithm>
#include <cstring>

#include "core/coding/frames.h"

namespace fr {
namespace {

// How a frame that is not empty begins.
enum Method : uint8_t {
  kStored = 1,  // the bytes
  kPacked = 2,  // zstd
  kSparse = 3,  // u8 width, u32 count, gaps, planes of what changed, the rest
  kPlanes = 4,  // u8 width, planes of all numbers, the rest
};

constexpr int kLevel = 1;
constexpr uint8_t kFarGap = 255;

void put32(std::vector<uint8_t>* out, size_t value) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<uint8_t>(value >> shift));
}

bool get32(const uint8_t** at, const uint8_t* end, size_t* value) {
  if (end - *at < 4) return false;
  *value = 0;
  for (int i = 3; i >= 0; --i) *value = *value << 8 | (*at)[i];
  *at += 4;
  return true;
}

bool is_width(unsigned width) { return width == 1 || width == 2 || width == 4 || width == 8; }

bool is_zero(const uint8_t* at, size_t bytes) {
  return bytes == 0 || (at[0] == 0 && std::memcmp(at, at + 1, bytes - 1) == 0);
}

bool is_zero_number(const uint8_t* at, unsigned width) {
  uint8_t any = 0;
  for (unsigned i = 0; i < width; ++i) any |= at[i];
  return any == 0;
}

// Bytes that `width` does not divide stand behind everything, as they are in the difference.
size_t rest_of(size_t bytes, unsigned width) { return bytes % width; }

}  // namespace

bool Coder::encode(Coding coding, unsigned width, const uint8_t* range, const uint8_t* base,
                   size_t bytes, std::vector<uint8_t>* out) {
  if (coding == Coding::kZstd) return is_zero(range, bytes) || pack(range, bytes, out);
  if (std::memcmp(range, base, bytes) == 0) return true;
  patched_.clear();
  if (!is_width(width) || !patch(width, range, base, bytes, &patched_)) return false;
  if (patched_.size() > bytes / 2) {
    // Perhaps it has nothing to do with the base.
    const size_t before = out->size();
    if (!pack(range, bytes, out)) return false;
    if (out->size() - before <= patched_.size()) return true;
    out->resize(before);
  }
  out->insert(out->end(), patched_.begin(), patched_.end());
  return true;
}

bool Coder::pack(const uint8_t* range, size_t bytes, std::vector<uint8_t>* out) {
  packed_.resize(fr_zstd_bound(bytes));
  const size_t packed =
      fr_zstd_encode(zstd_.get(), range, bytes, packed_.data(), packed_.size(), kLevel);
  if (packed == FR_ZSTD_FAILED) return false;
  const bool is_less = packed < bytes;
  out->push_back(is_less ? kPacked : kStored);
  const uint8_t* from = is_less ? packed_.data() : range;
  out->insert(out->end(), from, from + (is_less ? packed : bytes));
  return true;
}

bool Coder::patch(unsigned width, const uint8_t* range, const uint8_t* base, size_t bytes,
                  std::vector<uint8_t>* out) {
  diff_.resize(bytes);
  for (size_t i = 0; i < bytes; ++i) diff_[i] = range[i] ^ base[i];
  const size_t numbers = bytes / width;
  size_t changed = 0;
  for (size_t i = 0; i < numbers; ++i) changed += !is_zero_number(&diff_[i * width], width);
  const bool is_sparse = changed <= numbers / 8;
  out->push_back(is_sparse ? kSparse : kPlanes);
  out->push_back(static_cast<uint8_t>(width));
  if (is_sparse) {
    // What changed moves to the front; it is never before its place.
    put32(out, changed);
    gaps_.clear();
    size_t kept = 0;
    size_t gap = 0;
    for (size_t i = 0; i < numbers; ++i, ++gap) {
      if (is_zero_number(&diff_[i * width], width)) continue;
      for (; gap >= kFarGap; gap -= kFarGap) gaps_.push_back(kFarGap);
      gaps_.push_back(static_cast<uint8_t>(gap));
      gap = static_cast<size_t>(-1);
      std::memmove(&diff_[kept++ * width], &diff_[i * width], width);
    }
    if (!section(gaps_, out)) return false;
  }
  const size_t rows = is_sparse ? changed : numbers;
  for (unsigned p = 0; p < width; ++p) {
    plane_.resize(rows);
    for (size_t i = 0; i < rows; ++i) plane_[i] = diff_[i * width + p];
    if (!section(plane_, out)) return false;
  }
  out->insert(out->end(), diff_.end() - static_cast<ptrdiff_t>(rest_of(bytes, width)), diff_.end());
  return true;
}

// u32 bytes | u32 as stored | stored: zstd where it is less.
bool Coder::section(const std::vector<uint8_t>& raw, std::vector<uint8_t>* out) {
  packed_.resize(fr_zstd_bound(raw.size()));
  const size_t packed =
      fr_zstd_encode(zstd_.get(), raw.data(), raw.size(), packed_.data(), packed_.size(), kLevel);
  if (packed == FR_ZSTD_FAILED) return false;
  const bool is_less = packed < raw.size();
  put32(out, raw.size());
  put32(out, is_less ? packed : raw.size());
  const uint8_t* from = is_less ? packed_.data() : raw.data();
  out->insert(out->end(), from, from + (is_less ? packed : raw.size()));
  return true;
}

bool Coder::decode(Coding coding, const uint8_t* frame, size_t frame_bytes, uint8_t* range,
                   size_t bytes) {
  if (frame_bytes == 0) {
    if (coding == Coding::kZstd) std::memset(range, 0, bytes);
    return true;
  }
  const uint8_t* const at = frame + 1;
  const uint8_t* const end = frame + frame_bytes;
  switch (frame[0]) {
    case kStored:
      if (static_cast<size_t>(end - at) != bytes) return false;
      std::memcpy(range, at, bytes);
      return true;
    case kPacked:
      return fr_zstd_decode(zstd_.get(), at, frame_bytes - 1, range, bytes) == bytes;
    case kSparse:
    case kPlanes:
      return coding == Coding::kPatch && apply(frame[0] == kSparse, at, end, range, bytes);
    default:
      return false;
  }
}

// Where the bytes of the section are, at most `most`; nullptr: that is none.
const uint8_t* Coder::read_section(const uint8_t** at, const uint8_t* end, size_t most,
                                   size_t* bytes, std::vector<uint8_t>* into) {
  size_t stored = 0;
  if (!get32(at, end, bytes) || !get32(at, end, &stored)) return nullptr;
  if (*bytes > most || stored > *bytes || stored > static_cast<size_t>(end - *at)) return nullptr;
  const uint8_t* const from = *at;
  *at += stored;
  if (stored == *bytes) return from;
  into->resize(*bytes);
  const size_t unpacked = fr_zstd_decode(zstd_.get(), from, stored, into->data(), into->size());
  return unpacked == *bytes ? into->data() : nullptr;
}

bool Coder::apply(bool is_sparse, const uint8_t* at, const uint8_t* end, uint8_t* range,
                  size_t bytes) {
  if (at == end || !is_width(*at)) return false;
  const unsigned width = *at++;
  const size_t numbers = bytes / width;
  size_t rows = numbers;
  const uint8_t* gaps = nullptr;
  size_t gap_bytes = 0;
  if (is_sparse) {
    if (!get32(&at, end, &rows) || rows > numbers) return false;
    gaps = read_section(&at, end, bytes + 1, &gap_bytes, &gaps_);
    if (gaps == nullptr) return false;
    // All gaps are looked at before anything is changed: `diff_` has the places, u32 each.
    diff_.resize(rows * sizeof(uint32_t));
    const uint8_t* const gaps_end = gaps + gap_bytes;
    uint64_t place = 0;
    for (size_t i = 0; i < rows; ++i, ++place) {
      for (; gaps != gaps_end && *gaps == kFarGap; ++gaps) place += kFarGap;
      if (gaps == gaps_end) return false;
      place += *gaps++;
      if (place >= numbers) return false;
      const auto narrow = static_cast<uint32_t>(place);
      std::memcpy(&diff_[i * sizeof narrow], &narrow, sizeof narrow);
    }
    if (gaps != gaps_end) return false;
  }
  for (unsigned p = 0; p < width; ++p) {
    size_t plane_bytes = 0;
    const uint8_t* const plane = read_section(&at, end, rows, &plane_bytes, &plane_);
    if (plane == nullptr || plane_bytes != rows) return false;
    for (size_t i = 0; i < rows; ++i) {
      size_t place = i;
      if (is_sparse) {
        uint32_t narrow;
        std::memcpy(&narrow, &diff_[i * sizeof narrow], sizeof narrow);
        place = narrow;
      }
      range[place * width + p] ^= plane[i];
    }
  }
  const size_t rest = rest_of(bytes, width);
  if (static_cast<size_t>(end - at) != rest) return false;
  for (size_t i = 0; i < rest; ++i) range[bytes - rest + i] ^= at[i];
  return true;
}

}  // namespace fr
