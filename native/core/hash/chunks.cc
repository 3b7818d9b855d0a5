#include "core/hash/chunks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "core/file/file_table.h"
#include "core/hash/blake3.h"
#include "core/hash/hash.h"

namespace fr {
namespace {

constexpr uint32_t kStrict = 0xffff'0000;
constexpr uint32_t kLoose = 0xfff0'0000;
constexpr size_t kChunkBufferBytes = 4 * kChunkMax;

const std::array<uint32_t, 256>& gear() noexcept {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (int i = 0; i < 256; ++i) {
      const auto byte = static_cast<uint8_t>(i);
      made[static_cast<size_t>(i)] = static_cast<uint32_t>(xxh64(&byte, 1) >> 32);
    }
    return made;
  }();
  return table;
}

void append(std::vector<uint8_t>& out, const uint8_t* chunk, size_t bytes) {
  uint8_t hash[kBlake3Bytes];
  Blake3File whole;
  whole.start(0);
  whole.update(chunk, bytes);
  (void)whole.finish(hash);
  for (int shift = 16; shift >= 0; shift -= 8) out.push_back(static_cast<uint8_t>(bytes >> shift));
  out.insert(out.end(), hash, hash + 8);
}

}  // namespace

size_t chunk_bytes(const uint8_t* data, size_t bytes) noexcept {
  const auto& table = gear();
  const size_t last = std::min(bytes, kChunkMax);
  const size_t mean = std::min(last, kChunkMean);
  uint32_t hash = 0;
  size_t at = std::min(last, kChunkMin);
  while (at < mean) {
    hash = (hash << 1) + table[data[at++]];
    if ((hash & kStrict) == 0) return at;
  }
  while (at < last) {
    hash = (hash << 1) + table[data[at++]];
    if ((hash & kLoose) == 0) return at;
  }
  return last;
}

Status index_chunks(uint32_t file, uint64_t offset, uint64_t length, std::vector<uint8_t>& out) {
  const FileRef held = file_table_get(file);
  if (held == nullptr) return {Code::ERR_FR_CLOSED, 0};
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(kChunkBufferBytes);
  size_t begin = 0, end = 0;
  while (length > 0 || begin < end) {
    if (length > 0 && end - begin < kChunkMax) {
      std::memmove(buffer.get(), buffer.get() + begin, end - begin);
      end -= begin;
      begin = 0;
      const auto piece = static_cast<size_t>(std::min<uint64_t>(length, kChunkBufferBytes - end));
      const Status status = read_range(*held, buffer.get() + end, piece, offset);
      if (!status.ok()) return status;
      end += piece;
      offset += piece;
      length -= piece;
    }
    const size_t bytes = chunk_bytes(buffer.get() + begin, end - begin);
    append(out, buffer.get() + begin, bytes);
    begin += bytes;
  }
  return kOkStatus;
}

}  // namespace fr
