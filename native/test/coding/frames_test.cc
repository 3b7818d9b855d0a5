#include "core/coding/frames.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/file/source.h"
#include "core/file/storage.h"
#include "test/scratch.h"

namespace fr {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes noise(size_t bytes, unsigned seed) {
  std::minstd_rand random(seed);
  Bytes made(bytes);
  for (auto& byte : made) byte = static_cast<uint8_t>(random() >> 8);
  return made;
}

// What comes of a frame of `after`, which must be `after` again; the size of the frame.
size_t round_trip(Coding coding, unsigned width, const Bytes& after, const Bytes& base) {
  Coder coder;
  Bytes frame;
  REQUIRE(coder.encode(coding, width, after.data(), base.data(), after.size(), &frame));
  Bytes range = base;
  REQUIRE(coder.decode(coding, frame.data(), frame.size(), range.data(), range.size()));
  CHECK(range == after);
  CHECK(frame.size() <= after.size() + 1);
  // Cut off, or with a byte more, it is none; nothing is read or written beyond (sanitizers).
  for (size_t cut = 1; cut < frame.size(); cut += 1 + frame.size() / 64) {
    const Bytes part(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(cut));
    range = base;
    CHECK_FALSE(coder.decode(coding, part.data(), part.size(), range.data(), range.size()));
  }
  if (!frame.empty()) {
    frame.push_back(0);
    range = base;
    CHECK_FALSE(coder.decode(coding, frame.data(), frame.size(), range.data(), range.size()));
  }
  return frame.size();
}

TEST_CASE("frames become what they were made of") {
  for (const size_t bytes : {1u, 7u, 4096u, 70'001u}) {
    const Bytes base = noise(bytes, 1);
    Bytes text(bytes), near = base;
    for (size_t i = 0; i < bytes; ++i) text[i] = "frames, frames "[i % 15];
    for (size_t i = 0; i < bytes; i += 300) near[i] ^= 5;
    CHECK(round_trip(Coding::kZstd, 1, Bytes(bytes), base) == 0);
    CHECK(round_trip(Coding::kPatch, 2, base, base) == 0);
    round_trip(Coding::kZstd, 1, base, Bytes(bytes));
    round_trip(Coding::kZstd, 1, text, Bytes(bytes));
    for (const unsigned width : {1u, 2u, 4u, 8u}) {
      const size_t sparse = round_trip(Coding::kPatch, width, near, base);
      if (bytes > 70'000) CHECK(sparse < bytes / 30);
      round_trip(Coding::kPatch, width, noise(bytes, 2), base);
      Bytes dense = base;
      for (auto& byte : dense) byte ^= 1;
      round_trip(Coding::kPatch, width, dense, base);
    }
  }
}

TEST_CASE("what says more than it has room for is no frame") {
  Coder coder;
  Bytes packed;
  // A bomb: a mebibyte of zeros in a few bytes, for a range of a hundred.
  const Bytes zeros(1 << 20, 7);
  REQUIRE(coder.encode(Coding::kZstd, 1, zeros.data(), nullptr, zeros.size(), &packed));
  REQUIRE(packed.size() < 1'000);
  Bytes range(100);
  CHECK_FALSE(coder.decode(Coding::kZstd, packed.data(), packed.size(), range.data(), 100));
  // Sections that claim more; places behind the end; a patch where there is no base.
  const uint8_t section[] = {3, 1, 1, 0, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0, 0};
  const uint8_t behind[] = {3, 1, 1,   0, 0, 0, 1, 0, 0, 0, 1, 0,
                            0, 0, 100, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  const uint8_t right[] = {3, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 99, 1, 0, 0, 0, 1, 0, 0, 0, 1};
  CHECK_FALSE(coder.decode(Coding::kPatch, section, sizeof section, range.data(), 100));
  CHECK_FALSE(coder.decode(Coding::kPatch, behind, sizeof behind, range.data(), 100));
  CHECK_FALSE(coder.decode(Coding::kZstd, right, sizeof right, range.data(), 100));
  CHECK(coder.decode(Coding::kPatch, right, sizeof right, range.data(), 100));
  CHECK(range[99] == 1);
}

uint32_t file_of(const std::string& path, const Bytes& bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return file_table_add(std::make_shared<File>(fd, bytes.size()));
}

TEST_CASE("a file is coded and decoded in ranges, against a base that is shorter") {
  const test::Scratch directory(test::kMemory);
  const Bytes base = noise(2'500, 3);
  Bytes after = noise(5'000, 3);
  after[2'000] ^= 1;
  const uint32_t before = file_of(directory / "base", base);
  const uint32_t file = file_of(directory / "file", after);
  const uint32_t to = file_of(directory / "to", Bytes(5'000));
  Bytes out;
  const EncodeSpec spec{.file = file,
                        .base = before,
                        .coding = Coding::kPatch,
                        .width = 2,
                        .length = 5'000,
                        .frame_bytes = 1'024};
  REQUIRE(encode_frames(spec, &out).ok());
  std::vector<uint32_t> lengths(5);
  std::memcpy(lengths.data(), out.data(), 20);
  CHECK(lengths[0] == 0);
  const uint32_t coded = file_of(directory / "coded", out);
  DecodeSpec back{.coded = coded,
                  .at = 20,
                  .lengths = lengths.data(),
                  .frames = 5,
                  .to = to,
                  .base = before,
                  .coding = Coding::kPatch,
                  .file_bytes = 5'000,
                  .frame_bytes = 1'024};
  CHECK(decode_frames(back).ok());
  Bytes read(5'000);
  CHECK(pread(file_table_get(to)->fd, read.data(), read.size(), 0) == 5'000);
  CHECK(read == after);
  lengths[4] += 1;
  CHECK(decode_frames(back).code == Code::ERR_FR_PROTOCOL);
  back.file_bytes = 4'000;
  CHECK(decode_frames(back).code == Code::ERR_FR_PROTOCOL);
  EncodeSpec beyond = spec;
  beyond.length = 5'001;
  CHECK(encode_frames(beyond, &out).code == Code::ERR_FR_SOURCE_CHANGED);
  file_table_remove(before);
  CHECK(decode_frames(back).code == Code::ERR_FR_CLOSED);
  for (const uint32_t handle : {file, to, coded}) file_table_remove(handle);
}

}  // namespace
}  // namespace fr
