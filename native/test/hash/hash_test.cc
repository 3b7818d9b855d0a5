#include "core/hash/hash.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>

#include "core/file/source.h"
#include "core/file/storage.h"
#include "core/hash/sha256.h"
#include "test/hash/hex.h"
#include "test/scratch.h"

namespace fr {
namespace {

using test::kBases;
using test::kDisk;
using test::kMemory;
using test::pattern;
using test::Scratch;

constexpr uint64_t kSeed = 0x9E3779B97F4A7C15;

// Made with another implementation of XXH64, of test::pattern(bytes), with seed 0 and kSeed.
struct Xxh64Vector {
  size_t bytes;
  uint64_t plain, seeded;
};
constexpr Xxh64Vector kXxh64Vectors[] = {
    {0, 0xef46db3751d8e999, 0xc4349fc93c010000},    {1, 0xe934a84adb052768, 0x126bb57a12364aa5},
    {3, 0x94bd87ed2bc9ce3c, 0xac0a669968191c91},    {4, 0xa835d7664f88c4ec, 0xa0549e4c7daef9aa},
    {7, 0x33ebe044d8388940, 0x70c656810b91eb9c},    {8, 0x97a1d2b4e8a24b8d, 0xfaf4dc0ff750e5ea},
    {15, 0x60136aa252fe05c0, 0x21ec0acfc5fd1ab2},   {31, 0x5ab8e8fc8e80c899, 0x8f47c064e17aa636},
    {32, 0x4e4e6db482e575dc, 0x95eb9baae92b5375},   {33, 0x8d5d8a6bf3ef799c, 0x72d3c879ee4d990a},
    {63, 0x7e0f6482f0293bc5, 0x29ad7ddea665eb9a},   {64, 0xeae5ef508cb58c95, 0xa8e4869f702b2725},
    {100, 0x673f97de8316ffe8, 0xc6658b5df86e4f07},  {1000, 0xff2d340d3025f8b9, 0xdf12d60af346864a},
    {65537, 0x707569e8838ace04, 0x58dd87eaaae5ff14}};

// Made with another implementation of SHA-256, of test::pattern(bytes).
struct Sha256Vector {
  size_t bytes;
  const char* digest;
};
constexpr Sha256Vector kSha256Vectors[] = {
    {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
    {55, "47af9aa0b415d57c17d3232fe2d026d1f9be819690119a1f7ec3ed51e8e2b2f7"},
    {56, "269c6e4a4e528f09c67605a5af26e6275900e79ceafad69177f3a6cde22b826f"},
    {57, "dee2ffbf1d0f5096bce890806bcb28a965f4aa8b4a1ec734f9519b855b5939a1"},
    {63, "7031c966f6dc1277903203dbf52914379c9f2357739b3fc9b58844474a21bd63"},
    {64, "b356b4a479b7b051e5d2063580ca0b67068c3e7c8621c32fda6885d8c7ecc0b0"},
    {65, "b5cbb64983488ab8b5d883daa896229fd83c18e924582d3af1d779c9c7aa1ed4"},
    {119, "ef3ef29c68605706401f3888e39c5f1123ee59496a69f0af4f3d8d0e1b66d9aa"},
    {120, "8f0f951afc00fc8f063eddc9127b43a5333851c45c7a69b760b775a2fa46138a"},
    {128, "8ae7d57f4c1a7949e0d0b465c0e2bec72de48e6b2829b0add6ce6451b415429c"},
    {1000, "20adb4b8a77aae4406da1f4ea3f81ff61b8776f5b972a300fb9705c8f5dd4342"},
    {65537, "08bb2555981fcb03446bf4a56f5e9f06140d097b9a8529da9e9e475ff34a3946"}};

std::string sha256_hex(Sha256& hash) {
  uint8_t digest[kSha256Bytes];
  REQUIRE(hash.finish(digest).ok());
  return hex(digest, sizeof digest);
}

// Feeds in pieces of growing, odd sizes.
template <typename Hash>
void feed_in_pieces(Hash& hash, const std::vector<uint8_t>& bytes, size_t step) {
  for (size_t at = 0, size = 0; at < bytes.size(); size += step) {
    const size_t piece = std::min(size, bytes.size() - at);
    hash.update(bytes.data() + at, piece);
    at += piece;
  }
}

TEST_CASE("XXH64 gives the published digests") {
  CHECK(xxh64("", 0) == 0xef46db3751d8e999);
  CHECK(xxh64("a", 1) == 0xd24ec4f1a98c6e5b);
  CHECK(xxh64("abc", 3) == 0x44bc2cf5ad770999);
}

TEST_CASE("XXH64 agrees with another implementation, at once, in pieces, unaligned") {
  for (const Xxh64Vector& vector : kXxh64Vectors) {
    CAPTURE(vector.bytes);
    const auto bytes = pattern(vector.bytes);
    CHECK(xxh64(bytes.data(), bytes.size()) == vector.plain);
    CHECK(xxh64(bytes.data(), bytes.size(), kSeed) == vector.seeded);
    std::vector<uint8_t> shifted(bytes.size() + 1);
    std::copy(bytes.begin(), bytes.end(), shifted.begin() + 1);
    CHECK(xxh64(shifted.data() + 1, bytes.size()) == vector.plain);
    for (const size_t step : {1u, 7u, 32u, 1000u}) {
      Xxh64 hash(kSeed);
      feed_in_pieces(hash, bytes, step);
      CHECK(hash.digest() == vector.seeded);
      CHECK(hash.digest() == vector.seeded);
      hash.reset();
      hash.update(bytes.data(), bytes.size());
      CHECK(hash.digest() == vector.plain);
    }
  }
}

TEST_CASE("SHA-256 of OpenSSL gives the published digests; without it there is a refusal") {
  uint8_t digest[kSha256Bytes];
  Sha256 without(nullptr);
  without.start(0);
  without.update("abc", 3);
  CHECK(without.finish(digest).code == Code::ERR_FR_UNSUPPORTED);
  // In node the functions are there already; here the library is brought in the same way.
  REQUIRE(dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL) != nullptr);
  Sha256 hash;
  for (const Sha256Vector& vector : kSha256Vectors) {
    CAPTURE(vector.bytes);
    const auto bytes = pattern(vector.bytes);
    for (const size_t step : {1u, 13u, 64u, 5000u}) {
      hash.start(0);
      feed_in_pieces(hash, bytes, step);
      CHECK(sha256_hex(hash) == vector.digest);
    }
  }
}

// A source of test::pattern(bytes), with the digests of its blocks made from memory.
struct Hashed {
  Hashed(const char* base, size_t bytes) : directory(base), data(pattern(bytes)) {
    path = directory / "source";
    test::write_file(path, {reinterpret_cast<const char*>(data.data()), data.size()});
    REQUIRE(open_source(path.c_str(), &info).ok());
  }
  ~Hashed() { file_table_remove(info.file); }

  std::string expected(size_t offset, size_t length, size_t block, Algorithm algorithm) const {
    std::string text;
    for (size_t at = offset; at < offset + length; at += block) {
      const size_t piece = std::min(block, offset + length - at);
      if (algorithm == Algorithm::kSha256) {
        Sha256 hash;
        hash.start(at);
        hash.update(data.data() + at, piece);
        text += sha256_hex(hash);
      } else {
        char digits[17];
        snprintf(digits, sizeof digits, "%016llx",
                 static_cast<unsigned long long>(xxh64(data.data() + at, piece)));
        text += digits;
      }
    }
    return text;
  }

  Scratch directory;
  std::vector<uint8_t> data;
  std::string path;
  SourceInfo info;
};

std::string blocks_hex(uint32_t file, uint64_t offset, uint64_t length, uint64_t block,
                       Algorithm algorithm) {
  const size_t count = (length + block - 1) / block * digest_bytes(algorithm);
  // Bytes behind the digests must stay as they are.
  std::vector<uint8_t> out(count + 1, 0xAA);
  REQUIRE(hash_blocks(file, offset, length, block, algorithm, out.data()).ok());
  CHECK(out[count] == 0xAA);
  return hex(out.data(), count);
}

TEST_CASE("blocks of a file: every border, XXH64 and SHA-256, disk and memory") {
  for (const char* base : kBases) {
    const Hashed source(base, 1'300'001);
    for (const Algorithm algorithm : {Algorithm::kXxh64, Algorithm::kSha256}) {
      for (const uint64_t block : {1000u, 65536u, 262144u, 1048576u, 4194304u}) {
        CAPTURE(block);
        CHECK(blocks_hex(source.info.file, 0, 1'300'001, block, algorithm) ==
              source.expected(0, 1'300'001, block, algorithm));
        if (block > 600'000) continue;
        CHECK(blocks_hex(source.info.file, block, 2 * block, block, algorithm) ==
              source.expected(block, 2 * block, block, algorithm));
      }
    }
  }
}

TEST_CASE("an empty range has no digests") {
  const Hashed source(kMemory, 10);
  uint8_t untouched = 0xAA;
  CHECK(hash_blocks(source.info.file, 0, 0, 65536, Algorithm::kXxh64, &untouched).ok());
  CHECK(untouched == 0xAA);
}

TEST_CASE("a source that shrank is a changed source; a partial that did is a failed read") {
  const Hashed source(kDisk, 200'000);
  uint8_t out[4 * 32];
  REQUIRE(truncate(source.path.c_str(), 150'000) == 0);
  const auto hash = [&](uint64_t offset, uint64_t length) {
    return hash_blocks(source.info.file, offset, length, 65536, Algorithm::kXxh64, out);
  };
  CHECK(hash(131072, 200'000 - 131072).code == Code::ERR_FR_SOURCE_CHANGED);
  CHECK(hash(196608, 1).code == Code::ERR_FR_SOURCE_CHANGED);
  CHECK(hash(0, 131072).ok());

  const int fd = open(source.path.c_str(), O_RDWR | O_CLOEXEC);
  const uint32_t partial = file_table_add(std::make_shared<File>(fd, 200'000));
  CHECK(hash_blocks(partial, 0, 200'000, 65536, Algorithm::kXxh64, out).code == Code::ERR_FR_IO);
  file_table_remove(partial);
}

TEST_CASE("ranges that cannot be are refused, and so are unknown files") {
  const Hashed source(kMemory, 200'000);
  uint8_t out[32];
  const auto hash = [&](uint32_t file, uint64_t offset, uint64_t length, uint64_t block) {
    return hash_blocks(file, offset, length, block, Algorithm::kXxh64, out);
  };
  const uint32_t file = source.info.file;
  CHECK(hash(file, 1, 10, 65536).sys_errno == EINVAL);
  CHECK(hash(file, 0, 10, 0).sys_errno == EINVAL);
  CHECK(hash(file, 65536, UINT64_MAX - 10, 65536).sys_errno == EINVAL);
  CHECK(hash(file, uint64_t{1} << 63, 10, 65536).sys_errno == EINVAL);
  CHECK(hash(UINT32_MAX, 0, 10, 65536).code == Code::ERR_FR_CLOSED);
  // Blocks that are no subtree, and a file that is more than one block.
  for (const uint64_t block : {512u, 3072u, 65537u}) {
    CHECK(hash_blocks(file, 0, 10, block, Algorithm::kBlake3, out).sys_errno == EINVAL);
  }
  const Algorithm whole = Algorithm::kBlake3File;
  CHECK(hash_blocks(file, 65536, 10, 65536, whole, out).sys_errno == EINVAL);
  CHECK(hash_blocks(file, 0, 65537, 65536, whole, out).sys_errno == EINVAL);
}

TEST_CASE("workers hash one file at the same time") {
  const Hashed source(kMemory, 1'000'000);
  const std::string expected = source.expected(0, 1'000'000, 65536, Algorithm::kXxh64);
  std::vector<std::string> got(4);
  std::vector<std::thread> threads;
  threads.reserve(got.size());
  for (std::string& mine : got) {
    threads.emplace_back([&source, &mine] {
      for (int i = 0; i < 5; ++i) {
        uint8_t out[16 * 8];
        if (hash_blocks(source.info.file, 0, 1'000'000, 65536, Algorithm::kXxh64, out).ok()) {
          mine = hex(out, sizeof out);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& mine : got) CHECK(mine == expected);
}

}  // namespace
}  // namespace fr
