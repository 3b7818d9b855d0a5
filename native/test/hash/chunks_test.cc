#include "core/hash/chunks.h"

#include <doctest/doctest.h>

#include <vector>

#include "core/file/source.h"
#include "core/hash/hash.h"
#include "test/scratch.h"

namespace fr {
namespace {

// The bytes of docs/protocol.md, section 7: XXH64, big-endian, of u32 0, 1, 2 ...,
// little-endian.
std::vector<uint8_t> vector_bytes() {
  std::vector<uint8_t> made;
  for (uint32_t i = 0; i < (1u << 17); ++i) {
    uint8_t number[4];
    for (int k = 0; k < 4; ++k) number[k] = static_cast<uint8_t>(i >> 8 * k);
    const uint64_t hash = xxh64(number, sizeof number);
    for (int k = 0; k < 8; ++k) made.push_back(static_cast<uint8_t>(hash >> (56 - 8 * k)));
  }
  return made;
}

TEST_CASE("chunks are those of the vector, whatever was read together") {
  const std::vector<uint8_t> bytes = vector_bytes();
  test::Scratch directory(test::kMemory);
  const std::string path = directory / "source";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  close(fd);
  SourceInfo info;
  REQUIRE(open_source(path.c_str(), &info).ok());
  std::vector<uint8_t> entries;
  REQUIRE(index_chunks(info.file, 0, bytes.size(), entries).ok());
  CHECK(entries.size() == 55 * kChunkEntryBytes);
  CHECK(xxh64(entries.data(), entries.size()) == 0x50b2'3005'cd9c'e921);
  CHECK(index_chunks(info.file, 0, bytes.size() + 1, entries).code == Code::ERR_FR_SOURCE_CHANGED);
  file_table_remove(info.file);
  CHECK(index_chunks(info.file, 0, 1, entries).code == Code::ERR_FR_CLOSED);
}

TEST_CASE("a chunk is of what is there, and of 64 KiB at most") {
  const std::vector<uint8_t> zeros(100'000);
  CHECK(chunk_bytes(zeros.data(), 1) == 1);
  CHECK(chunk_bytes(zeros.data(), kChunkMin) == kChunkMin);
  CHECK(chunk_bytes(zeros.data(), zeros.size()) <= kChunkMax);
}

}  // namespace
}  // namespace fr
