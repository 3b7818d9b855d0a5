// The one table of open files of this process: a number in JavaScript, a shared fd here.
//
// The idea: a hash worker loads the addon a second time in its own environment, yet must read the
// file a lane is writing, without an fd crossing into JavaScript. The shared object is one per
// process, so a table with static storage is common to all environments. A file stays open as
// long as anybody holds its FileRef; removing a handle only forgets the number.
//
// It must never be destroyed: native threads may touch it while the process exits, so it is
// leaked on purpose. Handles are never used twice.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/file/joined.h"

namespace fr {

// What a source looked like when it was opened.
struct SourceIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t links = 0;
  int64_t size = 0;
  int64_t mtime_seconds = 0;
  int64_t mtime_nanos = 0;
  int64_t ctime_seconds = 0;
  int64_t ctime_nanos = 0;

  bool operator==(const SourceIdentity&) const = default;
};

// Who else may be writing a file; a number of the binding's contract.
enum class Writers : int { kNone = 0, kSome = 1, kUnknown = 2 };

// An open file. Closes its fd when the last FileRef goes. Everything but the atomics is constant
// once the file is in the table, so readers need no lock.
struct File {
  File(int owned_fd, uint64_t bytes) : fd(owned_fd), size(bytes) {}
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Where bytes are, and where they go; see Joined.
  Piece to_read(uint64_t at, uint64_t length) const {
    return joined ? joined->find(at, length) : Piece{fd, length};
  }
  Piece to_write(uint64_t at, uint64_t length) {
    return joined ? joined->give(at, length) : Piece{fd, length};
  }

  const int fd;
  // The parts among which its bytes are spread; set before anybody uses the file. `fd` is its head.
  std::unique_ptr<Joined> joined;
  // Bytes: of a source at opening, of a partial as created, or as far as it may grow by now.
  std::atomic<uint64_t> size;
  // A partial that was made longer by what landed in it, and whose size is that of the whole by
  // now: `trim` gives it that.
  std::atomic<bool> has_end{false};
  // Place of the disk threads that work on it (disk.h).
  uint32_t disk = 0;
  // True for what open_source opened; `identity` is then what check_source compares with.
  bool is_source = false;
  SourceIdentity identity;
  // True where asking the file system for holes is worth it.
  std::atomic<bool> sparse{false};
  // Of a source at opening.
  Writers writers = Writers::kUnknown;
  // False once the file system has shown that allocating ahead does not work or does not pay.
  std::atomic<bool> fallocate_ok{true};
  // False once the kernel has refused to copy between this file and another by itself.
  std::atomic<bool> copy_range_ok{true};
};

using FileRef = std::shared_ptr<File>;

// Most files open at a time in one process. The process's own fd limit is usually met first.
inline constexpr size_t kFileTableMax = 65'536;

// Returns the handle, positive; 0 when the table is full (ERR_FR_LIMIT to callers). Thread safe,
// as are all below.
uint32_t file_table_add(FileRef file) noexcept;
// Empty when the handle was never given out or has been removed.
FileRef file_table_get(uint32_t handle) noexcept;
// Unknown handles are ignored.
void file_table_remove(uint32_t handle) noexcept;
size_t file_table_size() noexcept;

}  // namespace fr
