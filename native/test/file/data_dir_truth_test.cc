// What a data directory knows of what others did to it: moved, removed, mounted over, cut.
#include <doctest/doctest.h>

#include "core/file/storage_paths.h"
#include "test/file/storage_helpers.h"

namespace fr {
namespace {

using namespace test;

// Whether `refresh` went over to another directory; fails the test when it cannot.
bool refreshed(DataDir& dir) {
  bool was_replaced = false;
  REQUIRE(dir.refresh(&was_replaced).ok());
  return was_replaced;
}

Code refresh_code(DataDir& dir) {
  bool was_replaced = false;
  const Status status = dir.refresh(&was_replaced);
  CHECK_FALSE(was_replaced);
  return status.code;
}

TEST_CASE("a directory that was moved is not published into, nor one that was made anew before") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const std::string data = scratch / "data", moved = scratch / "moved";
    const auto dir = open_dir(data);
    CHECK_FALSE(refreshed(*dir));
    const uint32_t file = land(*dir, "p", "x");
    const PublishRequest request{.file = file, .id = "p", .name = "name", .mode = 0600};
    REQUIRE(rename(data.c_str(), moved.c_str()) == 0);
    CHECK(dir->publish(request).code == Code::ERR_FR_DATA_DIR_GONE);
    CHECK(refresh_code(*dir) == Code::ERR_FR_DATA_DIR_GONE);
    // It comes back: nothing was lost.
    REQUIRE(rename(moved.c_str(), data.c_str()) == 0);
    CHECK_FALSE(refreshed(*dir));
    REQUIRE(rename(data.c_str(), moved.c_str()) == 0);
    REQUIRE(mkdir(data.c_str(), 0755) == 0);
    CHECK(dir->publish(request).code == Code::ERR_FR_DATA_DIR_GONE);
    CHECK_FALSE(exists(moved + "/name"));
    CHECK(refreshed(*dir));
    CHECK_FALSE(exists(moved + "/.fastreplica/partials/p"));
    CHECK(open_code(data) == Code::ERR_FR_DATA_DIR_LOCKED);
    CHECK(open_code(moved) == Code::kOk);
    const uint32_t again = land(*dir, "p", "y");
    CHECK(dir->publish({.file = again, .id = "p", .name = "name", .mode = 0600}).ok());
    CHECK(read_file(data + "/name") == "y");
    for (const uint32_t handle : {file, again}) file_table_remove(handle);
  }
}

TEST_CASE("what is removed below .fastreplica is made again, and stays locked") {
  for (const char* removed : {".fastreplica", ".fastreplica/partials", ".fastreplica/lock"}) {
    CAPTURE(removed);
    const Scratch scratch(kDisk);
    const auto dir = open_dir(scratch.path());
    std::filesystem::remove_all(scratch / removed);
    CHECK(refreshed(*dir));
    CHECK_FALSE(refreshed(*dir));
    CHECK(open_code(scratch.path()) == Code::ERR_FR_DATA_DIR_LOCKED);
    const uint32_t file = land(*dir, "p", "x");
    CHECK(dir->publish({.file = file, .id = "p", .name = "name", .mode = 0600}).ok());
    file_table_remove(file);
  }
}

TEST_CASE("another directory is taken over only where that is safe") {
  const Scratch scratch(kDisk);
  const std::string data = scratch / "data", other = scratch / "other";
  auto dir = open_dir(data);
  REQUIRE(rename(data.c_str(), (scratch / "moved").c_str()) == 0);
  SUBCASE("something else is there") {
    write_file(data, "x");
    CHECK(refresh_code(*dir) == Code::ERR_FR_DATA_DIR_GONE);
  }
  SUBCASE("a symlink to a directory") {
    REQUIRE(mkdir(other.c_str(), 0755) == 0);
    REQUIRE(symlink(other.c_str(), data.c_str()) == 0);
    CHECK(refreshed(*dir));
    CHECK(exists(other + "/.fastreplica/partials"));
  }
  SUBCASE("one that another node serves") {
    const auto theirs = open_dir(other);
    REQUIRE(symlink(other.c_str(), data.c_str()) == 0);
    CHECK(refresh_code(*dir) == Code::ERR_FR_DATA_DIR_LOCKED);
  }
}

TEST_CASE("a disk that is mounted over it is taken, the directory below an unmounted one is not") {
  const Scratch scratch(kDisk);
  const std::string data = scratch / "data";
  mkdir(data.c_str(), 0755);
  std::unique_ptr<DataDir> dir;
  {
    const SmallDisk disk(data, "size=1m");
    if (!disk.mounted()) return;
    dir = open_dir(data);
  }
  CHECK(refresh_code(*dir) == Code::ERR_FR_DATA_DIR_GONE);
  CHECK_FALSE(exists(data + "/.fastreplica"));
  const SmallDisk disk(data, "size=2m");
  CHECK(refreshed(*dir));
  const SmallDisk closed(data, "size=1m,ro");
  bool was_replaced = false;
  CHECK(dir->refresh(&was_replaced).sys_errno == EROFS);
}

TEST_CASE("what is known of a file that is flushed shows that somebody else was at it") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  const std::string bytes(1 << 20, 'x');
  const uint32_t file = land(*dir, "p", bytes);
  FlushedFile found;
  REQUIRE(flush(file, &found).ok());
  CHECK(found.size == bytes.size());
  CHECK(found.allocated >= bytes.size());
  CHECK_FALSE(found.was_touched);
  const std::string path = scratch / ".fastreplica/partials/p";
  REQUIRE(truncate(path.c_str(), 4096) == 0);
  CHECK(dir->publish({.file = file, .id = "p", .name = "name"}).code == Code::ERR_FR_IO);
  REQUIRE(truncate(path.c_str(), static_cast<off_t>(bytes.size())) == 0);
  REQUIRE(flush(file, &found).ok());
  CHECK(found.size == bytes.size());
  CHECK(found.allocated < bytes.size());
  CHECK_FALSE(exists(scratch / "name"));
  file_table_remove(file);
}

TEST_CASE("a leftover keeps the blocks of what landed and no others") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  constexpr uint64_t kBytes = 16 << 20;
  uint32_t file = 0;
  REQUIRE(dir->create_partial("p", kBytes, &file).ok());
  REQUIRE(pwrite(file_table_get(file)->fd, std::string(1 << 20, 'x').data(), 1 << 20, 8 << 20) > 0);
  REQUIRE(fallocate_range(*file_table_get(file), 0, kBytes).ok());
  const auto allocated = [&] {
    return static_cast<uint64_t>(stat_of(scratch / ".fastreplica/partials/p").st_blocks) * 512;
  };
  REQUIRE(allocated() >= kBytes);
  std::string listed;
  REQUIRE(dir->list(&listed).ok());
  CHECK(listed.empty());
  SUBCASE("given back by its transfer") {
    REQUIRE(trim(file).ok());
    CHECK_FALSE(file_table_get(file)->fallocate_ok.load());
    file_table_remove(file);
  }
  SUBCASE("given back by the next process") {
    file_table_remove(file);
    uint64_t removed = 0;
    CHECK(dir->expire(3600, &removed).ok());
    CHECK(removed == 0);
  }
  CHECK(allocated() >= 1 << 20);
  CHECK(allocated() <= 2 << 20);
  // Its times say when somebody wrote to it; looking at it again is no reason to keep it longer.
  const struct timespec changed = stat_of(scratch / ".fastreplica/partials/p").st_ctim;
  uint64_t expired = 0;
  CHECK(dir->expire(3600, &expired).ok());
  const struct timespec then = stat_of(scratch / ".fastreplica/partials/p").st_ctim;
  CHECK(then.tv_sec == changed.tv_sec);
  CHECK(then.tv_nsec == changed.tv_nsec);
  CHECK(stat_of(scratch / ".fastreplica/partials/p").st_size == kBytes);
  const std::string data = read_file(scratch / ".fastreplica/partials/p");
  CHECK(data.substr(8 << 20, 1 << 20) == std::string(1 << 20, 'x'));
  REQUIRE(dir->list(&listed).ok());
  CHECK(listed == "p " + std::to_string(allocated()) + "\n");
}

TEST_CASE("probing a partial leaves it as it was") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    const uint32_t file = land(*dir, "p", "x");
    uint32_t lost = 99;
    for (const bool no_clobber : {false, true}) {
      const PublishRequest request{
          .file = file, .id = "p", .name = "name", .mode = 0644, .no_clobber = no_clobber};
      REQUIRE(dir->probe(request, &lost).ok());
      CHECK(lost == 0);
      CHECK((stat_of(scratch / ".fastreplica/partials/p").st_mode & 0777) == 0600);
      CHECK_FALSE(exists(scratch / ".fastreplica/partials/p.probe"));
    }
    file_table_remove(file);
  }
}

}  // namespace
}  // namespace fr
