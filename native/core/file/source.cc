#include "core/file/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>

#include "core/file/storage_paths.h"

namespace fr {
namespace {

SourceIdentity identity_of(const struct stat& found) {
  return {.device = found.st_dev,
          .inode = found.st_ino,
          .links = found.st_nlink,
          .size = found.st_size,
          .mtime_seconds = found.st_mtim.tv_sec,
          .mtime_nanos = found.st_mtim.tv_nsec,
          .ctime_seconds = found.st_ctim.tv_sec,
          .ctime_nanos = found.st_ctim.tv_nsec};
}

// Whether anybody has the file open, or mapped, for writing. The kernel grants a read lease only
// when nobody has; it is given back at once, because whoever opens the file for writing meanwhile
// would wait for that. SIGURG in place of SIGIO: the signal of a lease that is broken in this
// moment is then one that ends no process.
Writers writers_of(int fd) {
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return Writers::kUnknown;
  if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) {
    return errno == EAGAIN ? Writers::kSome : Writers::kUnknown;
  }
  fcntl(fd, F_SETLEASE, F_UNLCK);
  return Writers::kNone;
}

// Files of /proc and /sys tell a size that is not that of their content: nothing, or a page.
bool holds_its_size(int fd, off_t size) {
  char byte;
  const bool ends = pread(fd, &byte, 1, size) == 0;
  return ends && (size == 0 || pread(fd, &byte, 1, size - 1) == 1);
}

// Of a file that grows or shrinks between two looks, the next look decides.
Status measure(int fd, struct stat* found) {
  constexpr int kLooks = 8;
  for (int look = 0; look < kLooks; ++look) {
    if (fstat(fd, found) != 0) return {Code::ERR_FR_SOURCE, errno, "fstat"};
    if (S_ISDIR(found->st_mode)) return {Code::ERR_FR_IS_DIRECTORY, EISDIR};
    if (!S_ISREG(found->st_mode)) return {Code::ERR_FR_SOURCE, 0};
    if (holds_its_size(fd, found->st_size)) return kOkStatus;
    struct stat again;
    if (fstat(fd, &again) != 0) return {Code::ERR_FR_SOURCE, errno, "fstat"};
    if (again.st_size == found->st_size) return {Code::ERR_FR_SOURCE, 0};
  }
  return {Code::ERR_FR_SOURCE_CHANGED, 0};
}

// Walks the borders between data and holes. Beyond kHolesMax holes the rest counts as data.
void find_holes(int fd, const struct stat& found, SourceInfo* out) {
  constexpr int kBordersMax = 65'536;
  const auto size = static_cast<uint64_t>(found.st_size);
  out->data_bytes = size;
  if (static_cast<uint64_t>(found.st_blocks) * 512 >= size) return;
  const uint64_t least = std::max(kHoleMin, (size + kHolesMax - 1) / kHolesMax);
  uint64_t at = 0;
  for (int border = 0; border < kBordersMax && at < size; ++border) {
    const off_t data = lseek(fd, static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno != ENXIO) return;  // this file system does not tell
    const uint64_t end = data < 0 ? size : std::min(size, static_cast<uint64_t>(data));
    if (end > at) {
      out->data_bytes -= end - at;
      if (end - at >= least) out->holes.push_back({at, end});
    }
    if (end == size) return;
    const off_t hole = lseek(fd, static_cast<off_t>(end), SEEK_HOLE);
    if (hole <= static_cast<off_t>(end)) return;
    at = static_cast<uint64_t>(hole);
  }
}

}  // namespace

Status open_source(const char* path, SourceInfo* out) noexcept {
  int fd;
  do {
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return {code_of_errno(errno, Code::ERR_FR_SOURCE), errno, "open"};
  Fd held(fd);
  struct stat found;
  if (Status status = measure(fd, &found); !status.ok()) return status;
  out->size = static_cast<uint64_t>(found.st_size);
  auto file = std::make_shared<File>(held.release(), static_cast<uint64_t>(found.st_size));
  file->is_source = true;
  file->identity = identity_of(found);
  file->writers = writers_of(fd);
  find_holes(fd, found, out);
  file->sparse = out->data_bytes < out->size;
  out->file = file_table_add(std::move(file));
  if (out->file == 0) return {Code::ERR_FR_LIMIT, 0};
  out->mode = found.st_mode & 07777;
  out->mtime_seconds = found.st_mtim.tv_sec;
  out->mtime_nanos = static_cast<uint32_t>(found.st_mtim.tv_nsec);
  return kOkStatus;
}

Status check_source(uint32_t handle, SourceLook* out) noexcept {
  const FileRef file = file_table_get(handle);
  if (file == nullptr || !file->is_source) return {Code::ERR_FR_CLOSED, 0};
  struct stat found;
  if (fstat(file->fd, &found) != 0) return {Code::ERR_FR_IO, errno};
  const SourceIdentity now = identity_of(found);
  const SourceIdentity& then = file->identity;
  if (now.size != then.size) return {Code::ERR_FR_SOURCE_CHANGED, 0};
  out->is_touched = now != then;
  out->is_removed = now.links == 0 && then.links > 0;
  out->writers = writers_of(file->fd);
  if (file->writers != Writers::kNone) out->writers = file->writers;
  return kOkStatus;
}

}  // namespace fr
