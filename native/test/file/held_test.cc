// Files that are there already: leftovers gone on with, published files opened and removed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

#include "core/file/storage.h"
#include "core/file/storage_paths.h"
#include "test/file/storage_helpers.h"

namespace fr {
namespace {

using namespace test;

std::string content_of(uint32_t handle) {
  char bytes[64];
  const ssize_t got = pread(file_table_get(handle)->fd, bytes, sizeof bytes, 0);
  return got < 0 ? "<unreadable>" : std::string(bytes, static_cast<size_t>(got));
}

TEST_CASE("a leftover that shut its owner out is opened to be written") {
  const Scratch scratch(kDisk);
  const std::string data = scratch / "data";
  REQUIRE(mkdir(data.c_str(), 0777) == 0);
  REQUIRE(chmod(data.c_str(), 0777) == 0);
  const AsNobody nobody(scratch);
  const auto dir = open_dir(data);
  for (const mode_t mode : {0400, 0044, 0000}) {
    CAPTURE(mode);
    file_table_remove(land(*dir, "p", "old"));
    REQUIRE(chmod((data + "/.fastreplica/partials/p").c_str(), mode) == 0);
    uint32_t file = 0;
    REQUIRE(dir->open_partial("p", &file).ok());
    CHECK(pwrite(file_table_get(file)->fd, "new", 3, 0) == 3);
    CHECK(content_of(file) == "new");
    file_table_remove(file);
    REQUIRE(dir->discard("p").ok());
  }
}

TEST_CASE("a leftover is in use from when it is opened, and keeps its size") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    file_table_remove(land(*dir, "p", "bytes"));
    uint32_t file = 0;
    uint64_t removed = 0;
    std::string listed;
    REQUIRE(dir->open_partial("p", &file).ok());
    CHECK(file_table_get(file)->size == 5);
    CHECK(file_table_get(file)->fallocate_ok == !is_tmpfs(base));
    CHECK(dir->expire(0, &removed).ok());
    CHECK(removed == 0);
    CHECK(dir->list(&listed).ok());
    CHECK(listed.empty());
    file_table_remove(file);
    CHECK(dir->expire(0, &removed).ok());
    CHECK(removed == 1);
    CHECK(dir->open_partial("p", &file).code == Code::ERR_FR_NOT_HELD);
    CHECK(dir->open_partial("../p", &file).code == Code::ERR_FR_NAME);
  }
}

TEST_CASE("both ways of opening a file take a regular one and nothing else") {
  const Scratch scratch(kDisk);
  write_file(scratch / "file", "right");
  REQUIRE(symlink("file", (scratch / "link").c_str()) == 0);
  REQUIRE(mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  REQUIRE(mkdir((scratch / "directory").c_str(), 0700) == 0);
  const Fd root(open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (const Confine confine : {Confine::kKernel, Confine::kStepwise}) {
    CAPTURE(static_cast<int>(confine));
    for (const char* name : {"link", "fifo", "directory", "missing", "missing/x"}) {
      CAPTURE(name);
      NamePlace place;
      Fd file;
      REQUIRE(open_parent(root.get(), name, false, confine, &place).ok());
      CHECK(open_file(place, confine, &file).code == Code::ERR_FR_NOT_HELD);
      CHECK(file.get() == -1);
    }
    NamePlace place;
    Fd file;
    REQUIRE(open_parent(root.get(), "file", false, confine, &place).ok());
    CHECK(open_file(place, confine, &file).ok());
    CHECK(file.get() >= 0);
  }
}

// Somebody swaps what is under the name all the time: the file, a link to a secret, a pipe that
// nobody writes to. What is opened is the file or nothing, and nobody waits.
TEST_CASE("what comes into the place of a file meanwhile is neither followed nor waited for") {
  const Scratch scratch(kMemory);
  const auto dir = open_dir(scratch / "data");
  write_file(scratch / "secret", "secret");
  const std::string name = scratch / "data/name", spare = scratch / "data/spare";
  std::atomic<bool> done{false};
  std::thread swapper([&] {
    for (int round = 0; !done; ++round) {
      unlink(spare.c_str());
      const int kind = round % 3;
      if (kind == 0) write_file(spare, "right");
      if (kind == 1 && symlink("../secret", spare.c_str()) != 0) abort();
      if (kind == 2 && mkfifo(spare.c_str(), 0600) != 0) abort();
      if (rename(spare.c_str(), name.c_str()) != 0) abort();
    }
  });
  const size_t before = file_table_size();
  int opened = 0, refused = 0;
  while (opened < 200 || refused < 200) {
    uint32_t file = 0;
    const Status status = dir->open_held("name", &file);
    if (status.ok()) {
      ++opened;
      CHECK(content_of(file) == "right");
      file_table_remove(file);
    } else {
      ++refused;
      CHECK(status.code == Code::ERR_FR_NOT_HELD);
    }
  }
  done = true;
  swapper.join();
  CHECK(file_table_size() == before);
  CHECK(read_file(scratch / "secret") == "secret");
}

TEST_CASE("a mount is no file that is held, and its place is not removed") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  REQUIRE(mkdir((scratch / "a").c_str(), 0755) == 0);
  write_file(scratch / "a/file", "below");
  write_file(scratch / "other", "other");
  const SmallDisk disk(scratch / "a/disk", "size=1m");
  if (!disk.mounted()) return;
  uint32_t file = 0;
  write_file(scratch / "a/disk/x", "x");
  CHECK(dir->open_held("a/disk/x", &file).code == Code::ERR_FR_NAME);
  CHECK(dir->remove("a/disk/x").code == Code::ERR_FR_NAME);
  CHECK(exists(scratch / "a/disk/x"));
  const std::string covered = scratch / "a/file";
  REQUIRE(mount((scratch / "other").c_str(), covered.c_str(), nullptr, MS_BIND, nullptr) == 0);
  CHECK(dir->open_held("a/file", &file).code == Code::ERR_FR_NAME);
  const Status removed = dir->remove("a/file");
  CHECK(removed.code == Code::ERR_FR_IO);
  CHECK(removed.sys_errno == EBUSY);
  REQUIRE(umount2(covered.c_str(), MNT_DETACH) == 0);
  CHECK(dir->remove("a/file").ok());
  CHECK(exists(scratch / "a/disk"));
}

TEST_CASE("a file is removed with the directories it leaves empty") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    for (const char* name : {"a/b/c/x", "a/b/y", "z"}) {
      const uint32_t file = land(*dir, "p", "x");
      REQUIRE(dir->publish({.file = file, .id = "p", .name = name, .mode = 0600}).ok());
      file_table_remove(file);
    }
    CHECK(dir->remove("a/b/c/x").ok());
    CHECK_FALSE(exists(scratch / "a/b/c"));
    CHECK(exists(scratch / "a/b/y"));
    CHECK(dir->remove("a/b/y").ok());
    CHECK_FALSE(exists(scratch / "a"));
    CHECK(dir->remove("z").ok());
    for (const char* name : {"z", "a/b/y", ".fastreplica2"}) {
      CHECK(dir->remove(name).code == Code::ERR_FR_NOT_HELD);
    }
    CHECK(dir->remove(".fastreplica/lock").code == Code::ERR_FR_NAME);
    CHECK(exists(scratch / ".fastreplica/lock"));
  }
}

TEST_CASE("the identity of a file is what the system says of it now") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  const uint32_t file = land(*dir, "p", "bytes");
  FileIdentity found;
  REQUIRE(identity_of(file, &found).ok());
  const struct stat told = stat_of(scratch / ".fastreplica/partials/p");
  CHECK(found.size == 5);
  CHECK(found.inode == told.st_ino);
  CHECK(found.mtime_seconds == told.st_mtim.tv_sec);
  CHECK(found.mtime_nanos == told.st_mtim.tv_nsec);
  CHECK(found.ctime_seconds == told.st_ctim.tv_sec);
  CHECK(found.ctime_nanos == told.st_ctim.tv_nsec);
  file_table_remove(file);
  CHECK(identity_of(file, &found).code == Code::ERR_FR_CLOSED);
}

}  // namespace
}  // namespace fr
