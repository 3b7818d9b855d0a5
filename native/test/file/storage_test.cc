#include "core/file/storage.h"

#include <doctest/doctest.h>

#include "test/file/storage_helpers.h"

namespace fr {
namespace {

using namespace test;

TEST_CASE("verified bytes are copied in, and nothing around them") {
  for (const char* base : kBases) {
    for (const bool by_hand : {false, true}) {
      const Scratch scratch(base);
      const auto dir = open_dir(scratch.path());
      const auto bytes = test::pattern(900'000);
      const std::string text(bytes.begin(), bytes.end());
      const uint32_t from = land(*dir, "from", text);
      const uint32_t to = land(*dir, "to", std::string(900'000, '-'));
      if (by_hand) file_table_get(to)->copy_range_ok = false;
      REQUIRE(copy_in(from, to, 100'001, 700'000).ok());
      std::string expected(900'000, '-');
      expected.replace(100'001, 700'000, text, 100'001, 700'000);
      CHECK(read_file(scratch / ".fastreplica/partials/to") == expected);
      CHECK(copy_in(from, to, 800'000, 100'001).code == Code::ERR_FR_IO);
      CHECK(copy_in(from, to, UINT64_MAX, 2).sys_errno == EINVAL);
      CHECK(copy_in(from, to, 0, 0).ok());
      for (const uint32_t handle : {from, to}) file_table_remove(handle);
      CHECK(copy_in(from, to, 0, 1).code == Code::ERR_FR_CLOSED);
    }
  }
}

TEST_CASE("bytes are copied between file systems too") {
  const Scratch disk(kDisk), memory(kMemory);
  const auto one = open_dir(disk.path()), two = open_dir(memory.path());
  const uint32_t from = land(*one, "p", "across");
  const uint32_t to = land(*two, "p", "------");
  CHECK(copy_in(from, to, 1, 4).ok());
  CHECK(read_file(memory / ".fastreplica/partials/p") == "-cros-");
  for (const uint32_t handle : {from, to}) file_table_remove(handle);
}

TEST_CASE("blocks are allocated ahead on a disk and left alone in memory") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    uint32_t file = 0;
    REQUIRE(dir->create_partial("p", 3 << 20, &file).ok());
    File& partial = *file_table_get(file);
    const bool is_memory = test::is_tmpfs(base);
    CHECK(partial.fallocate_ok == !is_memory);
    CHECK(fallocate_range(partial, 1 << 20, 64 << 20).ok());
    CHECK(fallocate_range(partial, 64 << 20, 1).ok());
    struct stat found;
    REQUIRE(fstat(partial.fd, &found) == 0);
    CHECK(found.st_size == 3 << 20);
    if (partial.fallocate_ok) CHECK(found.st_blocks * 512 >= 2 << 20);
    if (is_memory) CHECK(found.st_blocks == 0);
    CHECK(writeback(partial, 0, 1 << 20).ok());
    CHECK(writeback(partial, 0, 0).ok());
    file_table_remove(file);
  }
}

}  // namespace
}  // namespace fr
