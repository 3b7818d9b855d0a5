#include "core/file/source.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "test/file/storage_helpers.h"

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
    SourceLook look;
    REQUIRE(check_source(info.file, &look).ok());
    CHECK_FALSE(look.is_touched);
    CHECK(look.writers == Writers::kNone);
    file_table_remove(info.file);
    CHECK(check_source(info.file, &look).code == Code::ERR_FR_CLOSED);
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

TEST_CASE("what holds more or less than it says is refused") {
  CHECK(source_code("/proc/self/stat") == Code::ERR_FR_SOURCE);
  CHECK(source_code("/proc/self/mem") == Code::ERR_FR_SOURCE);
}

TEST_CASE("another size is a change") {
  const Scratch scratch(kDisk);
  write_file(scratch / "s", "hello");
  SourceInfo info;
  REQUIRE(open_source((scratch / "s").c_str(), &info).ok());
  REQUIRE(truncate((scratch / "s").c_str(), 3) == 0);
  SourceLook look;
  CHECK(check_source(info.file, &look).code == Code::ERR_FR_SOURCE_CHANGED);
  file_table_remove(info.file);
}

TEST_CASE("whatever else moves is told, and left to the content") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const std::string path = scratch / "s";
    write_file(path, "hello");
    SourceInfo info;
    REQUIRE(open_source(path.c_str(), &info).ok());
    usleep(20'000);  // past the granularity of file times
    bool is_removed = false;
    SUBCASE("rewritten in place, same size") {
      const int fd = open(path.c_str(), O_WRONLY);
      REQUIRE(pwrite(fd, "HELLO", 5, 0) == 5);
      close(fd);
    }
    SUBCASE("mode set to what it is") { REQUIRE(chmod(path.c_str(), 0644) == 0); }
    SUBCASE("moved") { REQUIRE(rename(path.c_str(), (scratch / "t").c_str()) == 0); }
    SUBCASE("deleted") {
      REQUIRE(unlink(path.c_str()) == 0);
      is_removed = true;
    }
    SUBCASE("replaced") {
      write_file(scratch / "t", "hello");
      REQUIRE(rename((scratch / "t").c_str(), path.c_str()) == 0);
      is_removed = true;
    }
    SourceLook look;
    REQUIRE(check_source(info.file, &look).ok());
    CHECK(look.is_touched);
    CHECK(look.is_removed == is_removed);
    file_table_remove(info.file);
  }
}

// A mapping outlives the descriptor it was made with.
TEST_CASE("a mapping that can be written counts as a writer, without a signal") {
  const Scratch scratch(kDisk);
  const std::string path = scratch / "s";
  write_file(path, "hello");
  const int fd = open(path.c_str(), O_RDWR);
  void* const mapped = mmap(nullptr, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  REQUIRE(mapped != MAP_FAILED);
  close(fd);
  SourceInfo info;
  REQUIRE(open_source(path.c_str(), &info).ok());
  munmap(mapped, 5);
  SourceLook look;
  REQUIRE(check_source(info.file, &look).ok());
  CHECK(look.writers == Writers::kSome);
  file_table_remove(info.file);
}

}  // namespace
}  // namespace fr
