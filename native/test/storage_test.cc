#include "core/storage.h"

#include <doctest/doctest.h>

#include "storage_helpers.h"

namespace fr {
namespace {

using namespace test;

Code source_code(const std::string& path) {
  SourceInfo info;
  const Code code = open_source(path.c_str(), &info).code;
  if (code == Code::kOk) file_table_remove(info.file);
  return code;
}

TEST_CASE("a source tells size, mode and mtime") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    write_file(scratch / "s", "hello");
    REQUIRE(chmod((scratch / "s").c_str(), 04751) == 0);
    const timespec times[2] = {{1, 2}, {1'600'000'000, 123'456'789}};
    REQUIRE(utimensat(AT_FDCWD, (scratch / "s").c_str(), times, 0) == 0);
    SourceInfo info;
    REQUIRE(open_source((scratch / "s").c_str(), &info).ok());
    CHECK(info.size == 5);
    CHECK(info.mode == 04751);
    CHECK(info.mtime_seconds == 1'600'000'000);
    CHECK(info.mtime_nanos == 123'456'789);
    CHECK(check_source(info.file).ok());
    file_table_remove(info.file);
    CHECK(check_source(info.file).code == Code::ERR_FR_CLOSED);
  }
}

TEST_CASE("what is no regular file is refused by name, without waiting") {
  const Scratch scratch(kDisk);
  REQUIRE(mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  CHECK(source_code(scratch / "fifo") == Code::ERR_FR_SOURCE);
  CHECK(source_code("/dev/null") == Code::ERR_FR_SOURCE);
  CHECK(source_code(scratch.path()) == Code::ERR_FR_IS_DIRECTORY);
  CHECK(source_code(scratch / "missing") == Code::ERR_FR_SOURCE);
  write_file(scratch / "secret", "x", 0200);
  write_file(scratch / "open", "x", 0444);
  const AsNobody nobody(scratch);
  CHECK(source_code("secret") == Code::ERR_FR_SOURCE);
  CHECK(source_code("open") == Code::kOk);
}

TEST_CASE("any change of the source is noticed") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const std::string path = scratch / "s";
    write_file(path, "hello");
    SourceInfo info;
    REQUIRE(open_source(path.c_str(), &info).ok());
    REQUIRE(check_source(info.file).ok());
    usleep(20'000);  // past the granularity of file times
    SUBCASE("rewritten in place, same size") {
      const int fd = open(path.c_str(), O_WRONLY);
      REQUIRE(pwrite(fd, "HELLO", 5, 0) == 5);
      close(fd);
    }
    SUBCASE("rewritten, mtime set back") {
      const struct stat before = stat_of(path);
      const int fd = open(path.c_str(), O_WRONLY);
      REQUIRE(pwrite(fd, "HELLO", 5, 0) == 5);
      const timespec times[2] = {before.st_atim, before.st_mtim};
      REQUIRE(futimens(fd, times) == 0);
      close(fd);
    }
    SUBCASE("shrunk") { REQUIRE(truncate(path.c_str(), 3) == 0); }
    SUBCASE("deleted") { REQUIRE(unlink(path.c_str()) == 0); }
    SUBCASE("replaced") {
      write_file(scratch / "t", "hello");
      REQUIRE(rename((scratch / "t").c_str(), path.c_str()) == 0);
    }
    CHECK(check_source(info.file).code == Code::ERR_FR_SOURCE_CHANGED);
    file_table_remove(info.file);
  }
}

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
