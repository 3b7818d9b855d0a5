#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/file/storage_paths.h"
#include "test/file/storage_helpers.h"

namespace fr {
namespace {

using namespace test;

TEST_CASE("a data directory is made, prepared and closed to others") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch / "data");
  CHECK((stat_of(scratch / "data").st_mode & 0777) == 0755);
  CHECK((stat_of(scratch / "data/.fastreplica").st_mode & 0777) == 0700);
  CHECK((stat_of(scratch / "data/.fastreplica/partials").st_mode & 0777) == 0700);
  uint64_t bytes = 0;
  CHECK(dir->free_bytes(&bytes).ok());
  CHECK(bytes > 0);
}

TEST_CASE("a loosened directory of ours is closed again") {
  const Scratch scratch(kDisk);
  open_dir(scratch.path());
  REQUIRE(chmod((scratch / ".fastreplica").c_str(), 0777) == 0);
  open_dir(scratch.path());
  CHECK((stat_of(scratch / ".fastreplica").st_mode & 0777) == 0700);
}

TEST_CASE("what cannot be a data directory is refused") {
  const Scratch scratch(kDisk);
  CHECK(open_code(scratch / "missing/data") == Code::ERR_FR_DATA_DIR);
  write_file(scratch / "file", "x");
  CHECK(open_code(scratch / "file") == Code::ERR_FR_DATA_DIR);
  REQUIRE(mkdir((scratch / "planted").c_str(), 0755) == 0);
  REQUIRE(mkdir((scratch / "outside").c_str(), 0755) == 0);
  REQUIRE(symlink("../outside", (scratch / "planted/.fastreplica").c_str()) == 0);
  CHECK(open_code(scratch / "planted") == Code::ERR_FR_DATA_DIR);
  CHECK(std::filesystem::is_empty(scratch / "outside"));
}

TEST_CASE("a data directory that may be entered but not written is refused") {
  const Scratch scratch(kDisk);
  for (const mode_t mode : {0777u, 0555u}) {
    mkdir((scratch / "data").c_str(), 0700);
    REQUIRE(chmod((scratch / "data").c_str(), mode) == 0);
    const AsNobody nobody(scratch);
    CHECK(open_code("data") == (mode == 0777 ? Code::kOk : Code::ERR_FR_DATA_DIR));
  }
}

TEST_CASE("a second opener is refused until the first is gone") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    auto first = open_dir(scratch.path());
    CHECK(open_code(scratch.path()) == Code::ERR_FR_DATA_DIR_LOCKED);
    const pid_t child = fork();
    if (child == 0) _exit(open_code(scratch.path()) == Code::ERR_FR_DATA_DIR_LOCKED ? 0 : 1);
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    first.reset();
    CHECK(open_code(scratch.path()) == Code::kOk);
  }
}

TEST_CASE("a killed holder leaves no lock behind") {
  const Scratch scratch(kDisk);
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::unique_ptr<DataDir> dir;
    if (!DataDir::open(scratch.path().c_str(), &dir).ok()) _exit(1);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(1);
  }
  char byte;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  CHECK(open_code(scratch.path()) == Code::ERR_FR_DATA_DIR_LOCKED);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK(open_code(scratch.path()) == Code::kOk);
  close(ready[0]);
  close(ready[1]);
}

TEST_CASE("a partial is hidden, sparse, private and exclusive") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    uint32_t file = 0, other = 0;
    REQUIRE(dir->create_partial("abc-0", uint64_t{1} << 40, &file).ok());
    const struct stat found = stat_of(scratch / ".fastreplica/partials/abc-0");
    CHECK(found.st_size == int64_t{1} << 40);
    CHECK(found.st_blocks == 0);
    CHECK((found.st_mode & 0777) == 0600);
    CHECK(file_table_get(file)->size == uint64_t{1} << 40);
    CHECK_FALSE(file_table_get(file)->is_source);
    CHECK(dir->create_partial("abc-0", 5, &other).code == Code::ERR_FR_EXISTS);
    CHECK(dir->discard("abc-0").ok());
    CHECK(dir->discard("abc-0").ok());
    CHECK(dir->create_partial("abc-0", 5, &other).ok());
    for (const uint32_t handle : {file, other}) file_table_remove(handle);
  }
}

TEST_CASE("an id cannot lead out of the partials") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  uint32_t file = 0;
  const std::string_view bad[] = {
      "", ".", "..", ".x", "a/b", "../node-key", "a b", "a\n", std::string_view("a\0b", 3), "\xff"};
  for (const std::string_view id : bad) {
    CAPTURE(id);
    CHECK(dir->create_partial(id, 1, &file).code == Code::ERR_FR_NAME);
    CHECK(dir->discard(id).code == Code::ERR_FR_NAME);
  }
  CHECK(dir->create_partial(std::string(129, 'a'), 1, &file).code == Code::ERR_FR_NAME);
  CHECK(dir->create_partial(std::string(128, 'a'), 1, &file).ok());
  file_table_remove(file);
}

TEST_CASE("a partial too large for the file system fails by name and leaves nothing") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  uint32_t file = 0;
  CHECK(dir->create_partial("x", UINT64_MAX, &file).code == Code::ERR_FR_IO);
  CHECK(dir->create_partial("x", INT64_MAX, &file).code == Code::ERR_FR_IO);
  CHECK_FALSE(exists(scratch / ".fastreplica/partials/x"));
}

TEST_CASE("publishing keeps bytes, mode and mtime, and lends no rights") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    const uint32_t file = land(*dir, "p", "the bytes");
    REQUIRE(dir->publish({.file = file,
                          .id = "p",
                          .name = "a/b/name",
                          .mode = 07754,
                          .mtime_seconds = 1'500'000'000,
                          .mtime_nanos = 987'654'321})
                .ok());
    CHECK(read_file(scratch / "a/b/name") == "the bytes");
    const struct stat found = stat_of(scratch / "a/b/name");
    CHECK((found.st_mode & 07777) == 0754);
    CHECK(found.st_mtim.tv_sec == 1'500'000'000);
    CHECK(found.st_mtim.tv_nsec == 987'654'321);
    CHECK(found.st_uid == geteuid());
    CHECK((stat_of(scratch / "a/b").st_mode & 0777) == 0755);
    CHECK_FALSE(exists(scratch / ".fastreplica/partials/p"));
    file_table_remove(file);
  }
}

TEST_CASE("an existing file is replaced at once, or kept with no_clobber") {
  for (const char* base : kBases) {
    const Scratch scratch(base);
    const auto dir = open_dir(scratch.path());
    write_file(scratch / "name", "old");
    const int reader = open((scratch / "name").c_str(), O_RDONLY);
    const uint32_t file = land(*dir, "p", "new");
    const PublishRequest request{.file = file, .id = "p", .name = "name", .mode = 0600};
    PublishRequest careful = request;
    careful.no_clobber = true;
    CHECK(dir->publish(careful).code == Code::ERR_FR_EXISTS);
    CHECK(read_file(scratch / "name") == "old");
    CHECK(read_file(scratch / ".fastreplica/partials/p") == "new");
    CHECK(dir->publish(request).ok());
    CHECK(read_file(scratch / "name") == "new");
    char old[4] = {};
    CHECK(read(reader, old, 3) == 3);
    CHECK(std::string(old) == "old");
    close(reader);
    file_table_remove(file);
  }
}

TEST_CASE("only the verified file itself is published") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  const uint32_t file = land(*dir, "p", "good");
  const PublishRequest request{.file = file, .id = "p", .name = "name", .mode = 0600};
  SUBCASE("somebody put another file in its place") {
    write_file(scratch / "evil", "evil");
    const std::string partial = scratch / ".fastreplica/partials/p";
    REQUIRE(rename((scratch / "evil").c_str(), partial.c_str()) == 0);
    CHECK(dir->publish(request).code == Code::ERR_FR_IO);
  }
  SUBCASE("the partial is gone") {
    REQUIRE(dir->discard("p").ok());
    CHECK(dir->publish(request).code == Code::ERR_FR_IO);
  }
  SUBCASE("a time that cannot be") {
    PublishRequest wrong = request;
    wrong.mtime_nanos = UTIME_NOW;
    CHECK(dir->publish(wrong).sys_errno == EINVAL);
  }
  CHECK_FALSE(exists(scratch / "name"));
  file_table_remove(file);
  CHECK(dir->publish(request).code == Code::ERR_FR_CLOSED);
}

TEST_CASE("abandoned partials expire, those in use do not") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  const auto partial = [&](const char* id) {
    return scratch / (std::string(".fastreplica/partials/") + id);
  };
  uint64_t removed = 99;
  const uint32_t kept = land(*dir, "kept", "1");
  const uint32_t dropped = land(*dir, "dropped", "2");
  file_table_remove(dropped);
  write_file(partial("from-before"), "3");
  CHECK(dir->expire(3600, &removed).ok());
  CHECK(removed == 0);
  // An mtime that lies does not make a partial old.
  const timespec long_ago[2] = {{1, 0}, {1, 0}};
  REQUIRE(utimensat(AT_FDCWD, partial("from-before").c_str(), long_ago, 0) == 0);
  CHECK(dir->expire(3600, &removed).ok());
  CHECK(removed == 0);
  CHECK(dir->expire(0, &removed).ok());
  CHECK(removed == 2);
  CHECK(exists(partial("kept")));
  CHECK_FALSE(exists(partial("dropped")));
  CHECK_FALSE(exists(partial("from-before")));
  file_table_remove(kept);
  CHECK(dir->expire(0, &removed).ok());
  CHECK(removed == 1);
}

TEST_CASE("a full disk fails by name") {
  const Scratch scratch(kDisk);
  const SmallDisk disk(scratch / "small", "size=4m,nr_inodes=12");
  if (!disk.mounted()) return;
  {
    const auto dir = open_dir(scratch / "small");
    const uint32_t from = land(*dir, "from", std::string(3 << 20, 'x'));
    uint32_t to = 0;
    REQUIRE(dir->create_partial("to", 3 << 20, &to).ok());
    CHECK(copy_in(from, to, 0, 3 << 20).code == Code::ERR_FR_NO_SPACE);
    // tmpfs is told apart when the partial is made; here it stands for any disk that is full.
    file_table_get(to)->fallocate_ok = true;
    CHECK(fallocate_range(*file_table_get(to), 0, 3 << 20).code == Code::ERR_FR_NO_SPACE);
    uint64_t left = 0;
    CHECK(dir->free_bytes(&left).ok());
    CHECK(left < 2 << 20);
    // With no inode left, the parents of a name cannot be made, nor another partial.
    CHECK(dir->publish({.file = from, .id = "from", .name = "1/2/3/4/5/6/7/8/9/10/x"}).code ==
          Code::ERR_FR_NO_SPACE);
    uint32_t none = 0;
    CHECK(dir->create_partial("more", 1, &none).code == Code::ERR_FR_NO_SPACE);
    CHECK(dir->publish({.file = from, .id = "from", .name = "x"}).ok());
    for (const uint32_t handle : {from, to}) file_table_remove(handle);
  }
}

TEST_CASE("our own directories are out of bounds under any name") {
  // As on a file system that takes one spelling of a name for another.
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  REQUIRE(rename((scratch / ".fastreplica").c_str(), (scratch / "ours").c_str()) == 0);
  const uint32_t file = land(*dir, "p", "x");
  for (const char* name : {"ours/node-key", "ours/partials/q"}) {
    CAPTURE(name);
    CHECK(dir->check_name(name, false).code == Code::ERR_FR_NAME);
    CHECK(dir->publish({.file = file, .id = "p", .name = name}).code == Code::ERR_FR_NAME);
  }
  file_table_remove(file);
}

TEST_CASE("a mount point below the data directory is out of bounds") {
  const Scratch scratch(kDisk);
  const auto dir = open_dir(scratch.path());
  const SmallDisk disk(scratch / "other", "size=1m");
  if (!disk.mounted()) return;
  CHECK(dir->check_name("other/x", false).code == Code::ERR_FR_NAME);
  const uint32_t file = land(*dir, "p", "x");
  CHECK(dir->publish({.file = file, .id = "p", .name = "other/x"}).code == Code::ERR_FR_NAME);
  const int root = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  NamePlace place;
  CHECK(open_parent(root, "other/x", false, Confine::kStepwise, &place).code == Code::ERR_FR_NAME);
  close(root);
  file_table_remove(file);
}

}  // namespace
}  // namespace fr
