#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include "core/file/storage.h"
#include "core/file/storage_paths.h"
#include "test/file/storage_helpers.h"
#include "test/scratch.h"

namespace fr {
namespace {

using test::exists;
using test::kBases;
using test::kDisk;
using test::kMemory;
using test::read_file;
using test::Scratch;
using test::write_file;

// DATA with one partial in it, next to a directory that nothing may enter.
struct Place {
  explicit Place(const char* base) : scratch(base), data(scratch / "data") {
    REQUIRE(mkdir((scratch / "outside").c_str(), 0755) == 0);
    REQUIRE(DataDir::open(data.c_str(), &dir).ok());
  }
  ~Place() {
    if (file != 0) file_table_remove(file);
  }

  std::string operator/(std::string_view name) const { return (data + '/').append(name); }

  Status publish(std::string_view name, bool no_clobber = false) {
    if (file == 0 || !exists(data + "/.fastreplica/partials/p")) {
      if (file != 0) file_table_remove(file);
      REQUIRE(dir->create_partial("p", 3, &file).ok());
      REQUIRE(pwrite(file_table_get(file)->fd, "new", 3, 0) == 3);
    }
    return dir->publish(
        {.file = file, .id = "p", .name = name, .mode = 0644, .no_clobber = no_clobber});
  }

  bool outside_is_empty() const { return std::filesystem::is_empty(scratch / "outside"); }

  Scratch scratch;
  std::string data;
  std::unique_ptr<DataDir> dir;
  uint32_t file = 0;
};

std::string repeated(std::string_view piece, size_t times) {
  std::string text;
  while (times-- > 0) text += piece;
  return text;
}

TEST_CASE("names that are no names are refused, early and late") {
  Place place(kMemory);
  const std::string bad[] = {"",
                             "/",
                             "/etc/x",
                             ".",
                             "..",
                             "../x",
                             "a/..",
                             "a/../x",
                             "a/./x",
                             "./x",
                             "a//x",
                             "a/",
                             "a/b/",
                             std::string("a\0b", 3),
                             std::string("\0", 1),
                             std::string("a/b\0", 4),
                             ".fastreplica",
                             ".fastreplica/node-key",
                             ".fastreplica/partials/q",
                             ".FastReplica/node-key",
                             std::string(256, 'x'),
                             "d/" + std::string(256, 'x') + "/y",
                             repeated("abcdefgh/", 455) + "xx"};
  for (const std::string& name : bad) {
    CAPTURE(name);
    CHECK(place.dir->check_name(name, false).code == Code::ERR_FR_NAME);
    CHECK(place.publish(name).code == Code::ERR_FR_NAME);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(place.data),
                      std::filesystem::directory_iterator()) == 1);
}

TEST_CASE("odd names are names") {
  for (const char* base : kBases) {
    Place place(base);
    const std::string good[] = {"x",
                                "...",
                                "..x",
                                " ",
                                "a\nb",
                                "\xff\xfe",
                                "d\n/\x80\xc3",
                                "-rf",
                                "a/b/c/d/e",
                                ".hidden",
                                ".fastreplicas",
                                "a/.fastreplica",
                                std::string(255, 'x'),
                                repeated("abcdefgh/", 455) + "x"};
    for (const std::string& name : good) {
      CAPTURE(name);
      REQUIRE(place.dir->check_name(name, true).ok());
      CHECK(place.publish(name, true).ok());
      if (name.size() < 1000) CHECK(read_file(place / name) == "new");
      CHECK(place.dir->check_name(name, true).code == Code::ERR_FR_EXISTS);
      CHECK(place.dir->check_name(name, false).ok());
    }
  }
}

TEST_CASE("checking a name makes nothing") {
  const Place place(kDisk);
  CHECK(place.dir->check_name("a/b/c", false).ok());
  CHECK_FALSE(exists(place / "a"));
}

TEST_CASE("what is in the way is told by name") {
  Place place(kDisk);
  REQUIRE(mkdir((place / "dir").c_str(), 0755) == 0);
  write_file(place / "file", "old");
  REQUIRE(mkfifo((place / "fifo").c_str(), 0600) == 0);
  REQUIRE(symlink("file", (place / "link").c_str()) == 0);
  REQUIRE(symlink("nowhere", (place / "dangling").c_str()) == 0);
  const struct {
    const char* name;
    Code replacing, careful;
  } rows[] = {{"dir", Code::ERR_FR_IS_DIRECTORY, Code::ERR_FR_IS_DIRECTORY},
              {"file", Code::kOk, Code::ERR_FR_EXISTS},
              {"fifo", Code::ERR_FR_NAME, Code::ERR_FR_EXISTS},
              {"link", Code::ERR_FR_NAME, Code::ERR_FR_EXISTS},
              {"dangling", Code::ERR_FR_NAME, Code::ERR_FR_EXISTS},
              {"file/x", Code::ERR_FR_NAME, Code::ERR_FR_NAME},
              {"fifo/x", Code::ERR_FR_NAME, Code::ERR_FR_NAME},
              {"dangling/x", Code::ERR_FR_NAME, Code::ERR_FR_NAME}};
  for (const auto& row : rows) {
    CAPTURE(row.name);
    CHECK(place.dir->check_name(row.name, false).code == row.replacing);
    CHECK(place.dir->check_name(row.name, true).code == row.careful);
    CHECK(place.publish(row.name, true).code == row.careful);
    if (row.replacing != Code::kOk) CHECK(place.publish(row.name).code == row.replacing);
  }
  CHECK(read_file(place / "file") == "old");
  CHECK(std::filesystem::is_symlink(place / "link"));
}

TEST_CASE("no symlink is followed, whichever way directories are opened") {
  for (const char* base : kBases) {
    Place place(base);
    const std::string outside = place.scratch / "outside";
    REQUIRE(mkdir((place / "real").c_str(), 0755) == 0);
    REQUIRE(symlink(outside.c_str(), (place / "absolute").c_str()) == 0);
    REQUIRE(symlink("../outside", (place / "relative").c_str()) == 0);
    REQUIRE(symlink("real", (place / "harmless").c_str()) == 0);
    REQUIRE(symlink("../../outside", (place / "real/deep").c_str()) == 0);
    REQUIRE(symlink("/proc/self/cwd", (place / "magic").c_str()) == 0);
    const int root = open(place.data.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char* link : {"absolute", "relative", "harmless", "real/deep", "magic"}) {
      for (const char* rest : {"/x", "/new/x"}) {
        const std::string name = std::string(link) + rest;
        CAPTURE(name);
        CHECK(place.dir->check_name(name, false).code == Code::ERR_FR_NAME);
        CHECK(place.publish(name).code == Code::ERR_FR_NAME);
        for (const Confine confine : {Confine::kKernel, Confine::kStepwise}) {
          NamePlace found;
          CHECK(open_parent(root, name, true, confine, &found).code == Code::ERR_FR_NAME);
          CHECK(found.parent.get() == -1);
        }
      }
    }
    close(root);
    CHECK(place.outside_is_empty());
    CHECK(place.publish("real/x").ok());
  }
}

TEST_CASE("a directory that may not be written is refused before the bytes come") {
  const Place place(kDisk);
  REQUIRE(mkdir((place / "closed").c_str(), 0555) == 0);
  REQUIRE(mkdir((place / "sealed").c_str(), 0000) == 0);
  REQUIRE(mkdir((place / "open").c_str(), 0777) == 0);
  REQUIRE(chmod((place / "open").c_str(), 0777) == 0);
  REQUIRE(mkdir((place / "shared").c_str(), 0777) == 0);
  REQUIRE(chmod((place / "shared").c_str(), 01777) == 0);
  write_file(place / "shared/of-root", "x");
  const test::AsNobody nobody(place.scratch);
  CHECK(place.dir->check_name("closed/x", false).code == Code::ERR_FR_NAME);
  // What is missing would have to be made there.
  CHECK(place.dir->check_name("closed/new/x", false).code == Code::ERR_FR_NAME);
  CHECK(place.dir->check_name("open/new/x", false).ok());
  CHECK(place.dir->check_name("shared/x", false).ok());
  if (test::stat_of(place / "shared/of-root").st_uid != geteuid()) {
    const Status kept = place.dir->check_name("shared/of-root", false);
    CHECK(kept.code == Code::ERR_FR_NAME);
    CHECK(std::string(kept.what) == "the file there belongs to another user");
  }
  CHECK(place.dir->check_name("sealed/x", false).code == Code::ERR_FR_NAME);
  CHECK(place.dir->check_name("open/x", false).ok());
}

TEST_CASE("both ways of opening directories agree on what is allowed") {
  const Place place(kDisk);
  const int root = open(place.data.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (const Confine confine : {Confine::kKernel, Confine::kStepwise}) {
    CAPTURE(static_cast<int>(confine));
    const std::string top = confine == Confine::kKernel ? "k" : "s";
    NamePlace found;
    CHECK(open_parent(root, top + "/b/c", false, confine, &found).ok());
    CHECK(found.missing == top + "/b");
    CHECK(check_place(found, false).ok());
    CHECK(open_parent(root, top + "/b/c", true, confine, &found).ok());
    CHECK(found.parent.get() >= 0);
    CHECK(found.missing.empty());
    CHECK(found.last == "c");
    CHECK(exists(place / (top + "/b")));
    CHECK_FALSE(exists(place / (top + "/b/c")));
    CHECK(open_parent(root, "plain", false, confine, &found).ok());
    CHECK(found.parent.get() >= 0);
    CHECK(found.last == "plain");
  }
  close(root);
}

TEST_CASE("a file moves under a new name, and never over another where that is forbidden") {
  for (const Replace replace : {Replace::kAllowed, Replace::kNever, Replace::kNeverByLink}) {
    CAPTURE(static_cast<int>(replace));
    const Scratch scratch(kDisk);
    const int dir = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    write_file(scratch / "a", "new");
    write_file(scratch / "taken", "old");
    REQUIRE(mkdir((scratch / "dir").c_str(), 0755) == 0);
    const bool is_never = replace != Replace::kAllowed;
    CHECK(move_file(dir, "a", dir, "dir", replace).code ==
          (is_never ? Code::ERR_FR_EXISTS : Code::ERR_FR_IS_DIRECTORY));
    CHECK(move_file(dir, "missing", dir, "b", replace).code == Code::ERR_FR_IO);
    if (is_never) {
      CHECK(move_file(dir, "a", dir, "taken", replace).code == Code::ERR_FR_EXISTS);
      CHECK(read_file(scratch / "taken") == "old");
      CHECK(move_file(dir, "a", dir, "b", replace).ok());
      CHECK(read_file(scratch / "b") == "new");
    } else {
      CHECK(move_file(dir, "a", dir, "taken", replace).ok());
      CHECK(read_file(scratch / "taken") == "new");
    }
    CHECK_FALSE(exists(scratch / "a"));
    close(dir);
  }
}

TEST_CASE("a directory that turns into a symlink and back lets nothing out") {
  Place place(kMemory);
  REQUIRE(mkdir((place / "d").c_str(), 0755) == 0);
  REQUIRE(symlink("../outside", (place / "s").c_str()) == 0);
  std::atomic<bool> done{false};
  std::thread saboteur([&] {
    const std::string a = place / "d", b = place / "s";
    while (!done) syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), 2 /* swap */);
  });
  int published = 0, refused = 0, other = 0;
  // Until both outcomes were seen often, which on a busy machine takes its time.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int i = 0; i < 2000 || published < 50 || refused < 50; ++i) {
    if (std::chrono::steady_clock::now() > deadline) break;
    const Status status = place.publish("d/sub/" + std::to_string(i % 50));
    if (status.ok()) {
      ++published;
    } else if (status.code == Code::ERR_FR_NAME) {
      ++refused;
    } else {
      ++other;
    }
  }
  done = true;
  saboteur.join();
  CHECK(other == 0);
  CHECK(published > 0);
  CHECK(refused > 0);
  CHECK(place.outside_is_empty());
}

TEST_CASE("no_clobber: of two who make one name, one wins") {
  for (const char* base : kBases) {
    Place place(base);
    constexpr int kRounds = 150;
    std::atomic<int> round{-1};
    std::atomic<int> theirs{0};
    std::thread rival([&] {
      for (int i = 0; i < kRounds; ++i) {
        while (round < i) std::this_thread::yield();
        const std::string path = place / std::to_string(i);
        const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0) continue;
        ++theirs;
        if (write(fd, "old", 3) != 3) abort();
        close(fd);
      }
    });
    int mine = 0;
    for (int i = 0; i < kRounds; ++i) {
      round = i;
      const Status status = place.publish(std::to_string(i), true);
      if (status.ok()) {
        ++mine;
        CHECK(read_file(place / std::to_string(i)) == "new");
      } else {
        CHECK(status.code == Code::ERR_FR_EXISTS);
      }
    }
    rival.join();
    CHECK(mine + theirs == kRounds);
  }
}

}  // namespace
}  // namespace fr
