#include "core/hash/blake3.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "core/file/source.h"
#include "core/hash/hash.h"
#include "test/hash/hex.h"
#include "test/scratch.h"

namespace fr {
namespace {

// Published with BLAKE3, of bytes that count from 0 to 250 again and again.
struct Vector {
  size_t bytes;
  const char* hash;
};
constexpr Vector kVectors[] = {
    {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
    {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
    {1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"},
    {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
    {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
    {2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"},
    {2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"},
    {8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b"},
    {16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4"},
    {31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"},
    {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"}};

std::vector<uint8_t> counting(size_t bytes) {
  std::vector<uint8_t> made(bytes);
  for (size_t i = 0; i < bytes; ++i) made[i] = static_cast<uint8_t>(i % 251);
  return made;
}

// A source with these bytes, at the given place in a file that holds nothing before it.
struct Source {
  explicit Source(const std::vector<uint8_t>& bytes, off_t offset = 0, off_t size = 0)
      : directory(test::kMemory) {
    const std::string path = directory / "source";
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    REQUIRE(pwrite(fd, bytes.data(), bytes.size(), offset) == static_cast<ssize_t>(bytes.size()));
    if (size > 0) REQUIRE(ftruncate(fd, size) == 0);
    close(fd);
    REQUIRE(open_source(path.c_str(), &info).ok());
  }
  ~Source() { file_table_remove(info.file); }

  std::vector<uint8_t> values(uint64_t length, uint64_t block, Algorithm algorithm) const {
    std::vector<uint8_t> out((length + block - 1) / block * kBlake3Bytes);
    REQUIRE(hash_blocks(info.file, 0, length, block, algorithm, out.data()).ok());
    return out;
  }

  std::string hash(uint64_t length, uint64_t block) const {
    const Algorithm algorithm = length <= block ? Algorithm::kBlake3File : Algorithm::kBlake3;
    const auto made = values(length, block, algorithm);
    uint8_t out[kBlake3Bytes];
    blake3_file(made.data(), made.size() / kBlake3Bytes, out);
    return hex(out, sizeof out);
  }

  test::Scratch directory;
  SourceInfo info;
};

TEST_CASE("BLAKE3: blocks of any size fold into the published hashes") {
  for (const Vector& vector : kVectors) {
    const Source source(counting(vector.bytes));
    for (const uint64_t block : {1024u, 2048u, 16384u, 65536u, 131072u}) {
      CAPTURE(vector.bytes);
      CAPTURE(block);
      CHECK(source.hash(vector.bytes, block) == vector.hash);
    }
  }
}

TEST_CASE("BLAKE3: blocks larger than what is read at once have the values of their parts") {
  for (const size_t bytes : {4'194'304u, 4'194'305u, 2'621'440u, 3'000'000u}) {
    CAPTURE(bytes);
    const Source source(counting(bytes));
    const std::string expected = source.hash(bytes, 8'388'608);  // the official code alone
    for (const uint64_t block : {65536u, 262144u, 524288u, 1048576u, 2097152u}) {
      CHECK(source.hash(bytes, block) == expected);
    }
  }
}

TEST_CASE("BLAKE3: zeros have another value at each place, also where they are not read") {
  constexpr size_t kSize = 2'000'000;
  constexpr uint64_t kBlock = 65536;
  std::vector<uint8_t> full(kSize);
  full[1'000'000] = 7;
  const Source dense(full), holes({7}, 1'000'000, kSize);
  REQUIRE(holes.info.data_bytes < kSize / 2);
  const auto expected = dense.values(kSize, kBlock, Algorithm::kBlake3);
  CHECK(holes.values(kSize, kBlock, Algorithm::kBlake3) == expected);
  CHECK(hex(expected.data(), 32) != hex(expected.data() + 32, 32));
  // Twice: nothing of the first time may be used for another place.
  for (int i = 0; i < 2; ++i) {
    for (const size_t first : {0u, 3u, 17u}) {
      uint8_t out[4 * kBlake3Bytes];
      REQUIRE(
          hash_holes(holes.info.file, first * kBlock, 4 * kBlock, kBlock, Algorithm::kBlake3, out)
              .ok());
      CHECK(hex(out, sizeof out) == hex(expected.data() + first * kBlake3Bytes, sizeof out));
    }
  }
}

TEST_CASE("a block that ends in a hole is hashed with it, whatever the algorithm") {
  constexpr size_t kSize = 4'194'304;
  std::vector<uint8_t> full(kSize);
  full[1] = full[1'048'577] = 9;
  const Source dense(full), holes({9}, 1'048'577, kSize);
  const int fd = open((holes.directory / "source").c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(pwrite(fd, "\x09", 1, 1) == 1);
  close(fd);
  for (const Algorithm algorithm : {Algorithm::kXxh64, Algorithm::kBlake3}) {
    for (const uint64_t block : {1'048'576u, 2'097'152u}) {
      for (const uint64_t length : {block, uint64_t{kSize}}) {
        CHECK(holes.values(length, block, algorithm) == dense.values(length, block, algorithm));
      }
    }
  }
}

}  // namespace
}  // namespace fr
