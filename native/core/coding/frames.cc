// Frames of open files: ranges are read, coded or decoded, and written where they belong.
#include "core/coding/frames.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "core/file/storage.h"

namespace fr {
namespace {

// Reads up to the end of the file; how much.
Status read_up_to(const File& file, uint64_t offset, uint8_t* into, size_t bytes, size_t* got) {
  for (*got = 0; *got < bytes;) {
    const ssize_t n = read_some(file, into + *got, bytes - *got, offset + *got);
    if (n < 0) return status_of_errno(errno, "pread");
    if (n == 0) break;
    *got += static_cast<size_t>(n);
  }
  return kOkStatus;
}

// What a base has of a range, and zeros behind its end.
Status read_base(const File& base, uint64_t offset, uint8_t* into, size_t bytes) {
  size_t got = 0;
  const Status done = read_up_to(base, offset, into, bytes, &got);
  std::memset(into + got, 0, bytes - got);
  return done;
}

bool is_frame_size(size_t bytes) { return bytes > 0 && bytes <= kFrameMax; }

Status encode(const EncodeSpec& spec, std::vector<uint8_t>* out) {
  const bool is_patch = spec.coding == Coding::kPatch;
  const FileRef file = file_table_get(spec.file);
  const FileRef base = is_patch ? file_table_get(spec.base) : nullptr;
  if (file == nullptr || (is_patch && base == nullptr)) return {Code::ERR_FR_CLOSED, 0};
  if (!is_frame_size(spec.frame_bytes)) return {Code::ERR_FR_LIMIT, 0};
  Coder coder;
  if (!coder.ok()) return {Code::ERR_FR_LIMIT, 0};
  const uint64_t frames = (spec.length + spec.frame_bytes - 1) / spec.frame_bytes;
  out->assign(frames * 4, 0);
  std::vector<uint8_t> range(spec.frame_bytes), before(is_patch ? spec.frame_bytes : 0);
  for (uint64_t i = 0; i < frames; ++i) {
    const uint64_t from = spec.offset + i * spec.frame_bytes;
    const auto bytes =
        static_cast<size_t>(std::min<uint64_t>(spec.frame_bytes, spec.offset + spec.length - from));
    size_t got = 0;
    Status done = read_up_to(*file, from, range.data(), bytes, &got);
    if (done.ok() && got < bytes) done = {Code::ERR_FR_SOURCE_CHANGED, 0};
    if (done.ok() && is_patch) done = read_base(*base, from, before.data(), bytes);
    if (!done.ok()) return done;
    const size_t at = out->size();
    if (!coder.encode(spec.coding, spec.width, range.data(), before.data(), bytes, out)) {
      return {Code::ERR_FR_LIMIT, 0};
    }
    const size_t length = out->size() - at;
    for (int b = 0; b < 4; ++b) (*out)[i * 4 + b] = static_cast<uint8_t>(length >> (8 * b));
  }
  return kOkStatus;
}

Status decode(const DecodeSpec& spec) {
  const bool is_patch = spec.coding == Coding::kPatch;
  const FileRef coded = file_table_get(spec.coded);
  const FileRef to = file_table_get(spec.to);
  const FileRef base = is_patch ? file_table_get(spec.base) : nullptr;
  if (coded == nullptr || to == nullptr || (is_patch && base == nullptr)) {
    return {Code::ERR_FR_CLOSED, 0};
  }
  if (!is_frame_size(spec.frame_bytes)) return {Code::ERR_FR_LIMIT, 0};
  Coder coder;
  if (!coder.ok()) return {Code::ERR_FR_LIMIT, 0};
  std::vector<uint8_t> range(spec.frame_bytes), frame;
  uint64_t at = spec.at;
  for (size_t i = 0; i < spec.frames; at += spec.lengths[i++]) {
    const uint64_t offset = spec.offset + i * spec.frame_bytes;
    const size_t length = spec.lengths[i];
    // What is stored as it is has a byte before it.
    if (offset >= spec.file_bytes || length > spec.frame_bytes + 1) {
      return {Code::ERR_FR_PROTOCOL, 0};
    }
    if (length == 0 && !is_patch) continue;
    const auto bytes =
        static_cast<size_t>(std::min<uint64_t>(spec.frame_bytes, spec.file_bytes - offset));
    frame.resize(length);
    size_t got = 0;
    Status done = read_up_to(*coded, at, frame.data(), length, &got);
    if (done.ok() && got < length) done = {Code::ERR_FR_PROTOCOL, 0};
    if (done.ok() && is_patch) done = read_base(*base, offset, range.data(), bytes);
    if (done.ok() && !coder.decode(spec.coding, frame.data(), length, range.data(), bytes)) {
      done = {Code::ERR_FR_PROTOCOL, 0};
    }
    if (done.ok()) done = write_fully(*to, range.data(), bytes, offset);
    if (!done.ok()) return done;
  }
  return kOkStatus;
}

}  // namespace

Status encode_frames(const EncodeSpec& spec, std::vector<uint8_t>* out) noexcept {
  try {
    return encode(spec, out);
  } catch (const std::bad_alloc&) {
    return {Code::ERR_FR_LIMIT, 0};
  }
}

Status decode_frames(const DecodeSpec& spec) noexcept {
  try {
    return decode(spec);
  } catch (const std::bad_alloc&) {
    return {Code::ERR_FR_LIMIT, 0};
  }
}

}  // namespace fr
