// What the storage tests have in common: shorthands that fail the test they are used in.
#pragma once

#include <doctest/doctest.h>
#include <sys/mount.h>

#include <memory>

#include "core/file/storage.h"
#include "test/scratch.h"

namespace fr::test {

inline struct stat stat_of(const std::string& path) {
  struct stat found = {};
  REQUIRE(lstat(path.c_str(), &found) == 0);
  return found;
}

inline std::unique_ptr<DataDir> open_dir(const std::string& path) {
  std::unique_ptr<DataDir> dir;
  REQUIRE(DataDir::open(path.c_str(), &dir).ok());
  return dir;
}

inline Code open_code(const std::string& path) {
  std::unique_ptr<DataDir> dir;
  return DataDir::open(path.c_str(), &dir).code;
}

// A partial with the given bytes in it.
inline uint32_t land(DataDir& dir, std::string_view id, std::string_view bytes) {
  uint32_t file = 0;
  REQUIRE(dir.create_partial(id, bytes.size(), &file).ok());
  REQUIRE(pwrite(file_table_get(file)->fd, bytes.data(), bytes.size(), 0) ==
          static_cast<ssize_t>(bytes.size()));
  return file;
}

// Root may do everything; this takes it back for a while. The directory becomes the current one,
// for whoever may not come down to it from above. Whoever is not root stays who it is.
class AsNobody {
 public:
  explicit AsNobody(const Scratch& scratch) : was_root_(geteuid() == 0) {
    REQUIRE(chmod(scratch.path().c_str(), 0755) == 0);
    REQUIRE(chdir(scratch.path().c_str()) == 0);
    if (was_root_) REQUIRE(seteuid(65534) == 0);
  }
  ~AsNobody() {
    if ((was_root_ && seteuid(0) != 0) || chdir("/") != 0) abort();
  }

 private:
  bool was_root_;
};

// A tmpfs of its own, where this process may mount one.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path, const char* options) : path_(path) {
    mkdir(path.c_str(), 0755);
    mounted_ = mount("none", path.c_str(), "tmpfs", 0, options) == 0;
    if (!mounted_) MESSAGE("no right to mount: what needs a disk of its own was not tested");
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace fr::test
