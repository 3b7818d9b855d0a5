// Places for tests that use real files: a fresh directory below TMPDIR or /tmp, which is on a disk
// on most machines, and one in memory (tmpfs); removed with everything in it at the end of the
// test.
#pragma once

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/file/file_table.h"

namespace fr::test {

class Scratch {
 public:
  explicit Scratch(const char* base) {
    std::string pattern = std::string(base) + "/fr-native-test-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) abort();
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return (path_ + '/').append(name); }

 private:
  std::string path_;
};

inline const char* const kMemory = "/dev/shm";
inline const char* const kDisk = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
inline const char* const kBases[] = {kDisk, kMemory};

inline bool is_tmpfs(const std::string& path) {
  struct statfs found;
  return statfs(path.c_str(), &found) == 0 && found.f_type == TMPFS_MAGIC;
}

inline void write_file(const std::string& path, std::string_view bytes, mode_t mode = 0644) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) abort();
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t put = write(fd, bytes.data() + at, bytes.size() - at);
    if (put <= 0) abort();
    at += static_cast<size_t>(put);
  }
  close(fd);
}

// "<missing>" when it cannot be read.
inline std::string read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "<missing>";
  std::string bytes;
  char piece[4096];
  for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;) {
    bytes.append(piece, static_cast<size_t>(got));
  }
  close(fd);
  return bytes;
}

inline bool exists(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0;
}

// Bytes that depend on their place; the digests in the tests were made of the same rule.
inline std::vector<uint8_t> pattern(size_t bytes) {
  std::vector<uint8_t> made(bytes);
  for (size_t i = 0; i < bytes; ++i) made[i] = static_cast<uint8_t>(i * 167 + 13 * (i >> 8));
  return made;
}

}  // namespace fr::test
