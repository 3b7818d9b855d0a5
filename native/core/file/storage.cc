#include "core/file/storage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/file/storage_paths.h"

namespace fr {
namespace {

// The kernel cannot copy between these two by itself; reading and writing still can.
bool is_copy_refusal(int error) {
  return error == EXDEV || error == EINVAL || error == EOPNOTSUPP || error == ENOSYS ||
         error == EPERM || error == ETXTBSY;
}

Status copy_by_hand(const File& from, File& to, off_t offset, uint64_t length, off_t at) {
  constexpr size_t kPieceBytes = 256 * 1024;
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(kPieceBytes);
  while (length > 0) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(length, kPieceBytes));
    const ssize_t got = read_some(from, buffer.get(), wanted, static_cast<uint64_t>(offset));
    if (got < 0) return status_of_errno(errno, "read");
    if (got == 0) return {Code::ERR_FR_IO, 0, "the file to copy from is too short"};
    const Status written =
        write_fully(to, buffer.get(), static_cast<size_t>(got), static_cast<uint64_t>(at));
    if (!written.ok()) return written;
    offset += got, at += got, length -= static_cast<uint64_t>(got);
  }
  return kOkStatus;
}

// Between single files: the kernel can copy then.
bool is_plain(const File& from, const File& to) {
  return from.joined == nullptr && to.joined == nullptr;
}

bool is_range(uint64_t offset, uint64_t length) {
  constexpr auto kLast = static_cast<uint64_t>(INT64_MAX);
  return offset <= kLast && length <= kLast - offset;
}

}  // namespace

ssize_t read_some(const File& file, uint8_t* into, size_t bytes, uint64_t offset) noexcept {
  const Piece piece = file.to_read(offset, bytes);
  bytes = static_cast<size_t>(std::min<uint64_t>(bytes, piece.length));
  if (piece.fd < 0) {
    std::memset(into, 0, bytes);
    return static_cast<ssize_t>(bytes);
  }
  for (;;) {
    const ssize_t got = pread(piece.fd, into, bytes, static_cast<off_t>(offset));
    if (got >= 0 || errno != EINTR) return got;
  }
}

Status write_fully(File& file, const uint8_t* from, size_t bytes, uint64_t offset) noexcept {
  while (bytes > 0) {
    const Piece piece = file.to_write(offset, bytes);
    if (piece.fd < 0) return status_of_errno(ENOSPC, "write");
    const auto most = static_cast<size_t>(std::min<uint64_t>(bytes, piece.length));
    const ssize_t put = pwrite(piece.fd, from, most, static_cast<off_t>(offset));
    if (put < 0) {
      const int error = errno;
      if (error == EINTR) continue;
      if (file.joined != nullptr) file.joined->failed(offset, error);
      return status_of_errno(error, "write");
    }
    from += put, bytes -= static_cast<size_t>(put), offset += static_cast<uint64_t>(put);
  }
  return kOkStatus;
}

Status copy_in(uint32_t from_handle, uint32_t to_handle, uint64_t offset, uint64_t length,
               uint64_t at) noexcept {
  const FileRef from = file_table_get(from_handle);
  const FileRef to = file_table_get(to_handle);
  if (from == nullptr || to == nullptr) return {Code::ERR_FR_CLOSED, 0};
  if (!is_range(offset, length)) return {Code::ERR_FR_IO, EINVAL};
  if (!is_range(at, length)) return {Code::ERR_FR_IO, EINVAL};
  auto in = static_cast<off_t>(offset);
  auto out = static_cast<off_t>(at);
  while (length > 0 && is_plain(*from, *to) && to->copy_range_ok.load(std::memory_order_relaxed)) {
    const ssize_t copied = copy_file_range(from->fd, &in, to->fd, &out, length, 0);
    if (copied > 0) {
      length -= static_cast<uint64_t>(copied);
    } else if (copied == 0) {
      break;  // the end, or one of the file systems that claim so: reading decides
    } else if (is_copy_refusal(errno)) {
      to->copy_range_ok.store(false, std::memory_order_relaxed);
    } else if (errno != EINTR) {
      return status_of_errno(errno, "copy_file_range");
    }
  }
  return copy_by_hand(*from, *to, in, length, out);
}

Status fallocate_range(File& file, uint64_t offset, uint64_t length) noexcept {
  const uint64_t size = file.size;
  if (file.joined != nullptr) return kOkStatus;
  if (!file.fallocate_ok.load(std::memory_order_relaxed) || offset >= size) return kOkStatus;
  length = std::min(length, size - offset);
  if (length == 0) return kOkStatus;
  while (fallocate(file.fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(length)) != 0) {
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return status_of_errno(errno, "fallocate");
    file.fallocate_ok.store(false, std::memory_order_relaxed);
    break;
  }
  return kOkStatus;
}

void punch_range(File& file, uint64_t offset, uint64_t length) noexcept {
  if (!is_range(offset, length) || length == 0 || file.joined != nullptr) return;
  while (fallocate(file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                   static_cast<off_t>(length)) != 0 &&
         errno == EINTR) {
  }
}

namespace {

// What is allocated beyond the data that was written; a little goes to the file system's own maps.
uint64_t allocated_for_nothing(int fd) {
  struct stat found;
  if (fstat(fd, &found) != 0) return 0;
  uint64_t data = 0;
  for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0; at = lseek(fd, at, SEEK_DATA)) {
    const off_t hole = lseek(fd, at, SEEK_HOLE);
    if (hole < 0) break;
    data += static_cast<uint64_t>(hole - at);
    at = hole;
  }
  const uint64_t used = data + data / 256 + 64 * 1024;
  const uint64_t allocated = static_cast<uint64_t>(found.st_blocks) * 512;
  return allocated > used ? allocated - used : 0;
}

}  // namespace

void trim_holes(int fd) noexcept {
  // Punching moves the times of the file, also where nothing is allocated: they tell who was at it.
  if (allocated_for_nothing(fd) == 0) return;
  off_t at = 0;
  for (;;) {
    // An extent that was allocated and never written counts as a hole here.
    const off_t hole = lseek(fd, at, SEEK_HOLE);
    if (hole < 0) return;
    at = lseek(fd, hole, SEEK_DATA);
    const bool is_last = at < 0;
    if (is_last) at = lseek(fd, 0, SEEK_END);
    if (at > hole &&
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole, at - hole) != 0) {
      return;
    }
    if (is_last) return;
  }
}

Status writeback(File& file, uint64_t offset, uint64_t length) noexcept {
  // Length 0 would mean "to the end" to the kernel.
  if (length == 0 || file.joined != nullptr) return kOkStatus;
  if (!is_range(offset, length)) return {Code::ERR_FR_IO, EINVAL};
  while (sync_file_range(file.fd, static_cast<off_t>(offset), static_cast<off_t>(length),
                         SYNC_FILE_RANGE_WRITE) != 0) {
    if (errno == EINTR) continue;
    // Only a head start for the fdatasync of publish, which reports what matters.
    if (errno == ENOSYS || errno == ESPIPE || errno == EINVAL) break;
    return status_of_errno(errno, "sync_file_range");
  }
  return kOkStatus;
}

Status flush(uint32_t handle, FlushedFile* out) noexcept {
  const FileRef file = file_table_get(handle);
  if (file == nullptr) return {Code::ERR_FR_CLOSED, 0};
  if (file->joined != nullptr) {
    Joined::Synced synced;
    if (const Status status = file->joined->sync(&synced); !status.ok()) return status;
    *out = {.size = file->size,
            .allocated = synced.allocated,
            .was_touched = synced.was_touched,
            .was_lost = synced.was_lost};
    return kOkStatus;
  }
  struct stat before, after;
  if (fstat(file->fd, &before) != 0) return status_of_errno(errno, "fstat");
  while (fdatasync(file->fd) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL) break;
    return status_of_errno(errno, "fdatasync");
  }
  if (fstat(file->fd, &after) != 0) return status_of_errno(errno, "fstat");
  out->size = static_cast<uint64_t>(after.st_size);
  out->allocated = static_cast<uint64_t>(after.st_blocks) * 512;
  out->was_touched = before.st_size != after.st_size ||
                     before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                     before.st_mtim.tv_nsec != after.st_mtim.tv_nsec;
  return kOkStatus;
}

Status identity_of(uint32_t handle, FileIdentity* out) noexcept {
  const FileRef file = file_table_get(handle);
  if (file == nullptr) return {Code::ERR_FR_CLOSED, 0};
  // Whoever notes what is in the file by this has it found there again.
  if (file->joined != nullptr) {
    if (const Status status = file->joined->write_map(); !status.ok()) return status;
  }
  struct stat found;
  if (fstat(file->fd, &found) != 0) return status_of_errno(errno, "fstat");
  *out = {.size = static_cast<uint64_t>(found.st_size),
          .inode = found.st_ino,
          .mtime_seconds = found.st_mtim.tv_sec,
          .mtime_nanos = found.st_mtim.tv_nsec,
          .ctime_seconds = found.st_ctim.tv_sec,
          .ctime_nanos = found.st_ctim.tv_nsec};
  return kOkStatus;
}

Status trim(uint32_t handle) noexcept {
  const FileRef file = file_table_get(handle);
  if (file == nullptr) return {Code::ERR_FR_CLOSED, 0};
  // Nothing is allocated ahead; what lost its place is to be seen in the head.
  if (file->joined != nullptr) return file->joined->write_map();
  // What is allocated ahead runs on the thread that calls this: before it, or not at all.
  file->fallocate_ok = false;
  // One that ends in a hole is too short; what was allocated behind its end goes as well.
  while (file->has_end && ftruncate(file->fd, static_cast<off_t>(file->size.load())) != 0) {
    if (errno != EINTR) return status_of_errno(errno, "ftruncate");
  }
  trim_holes(file->fd);
  return kOkStatus;
}

}  // namespace fr
