// The bytes of many small files, out of one large one.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/file/entries.h"

namespace fr::entries {
namespace {

constexpr uint64_t kWindowBytes = 1 << 20;
constexpr uint64_t kPageBytes = 4096;

Status write_at(int fd, const char* data, size_t bytes, off_t at) {
  while (bytes > 0) {
    const ssize_t written = pwrite(fd, data, bytes, at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return status_of_errno(errno, "write");
    data += written, at += written, bytes -= static_cast<size_t>(written);
  }
  return kOkStatus;
}

// Writes what is not zero, page by page of the new file.
Status write_sparse(int fd, std::string_view piece, uint64_t at) {
  static const char zeros[kPageBytes] = {};
  while (!piece.empty()) {
    const size_t bytes = std::min<size_t>(piece.size(), kPageBytes - at % kPageBytes);
    if (memcmp(piece.data(), zeros, bytes) != 0) {
      Status status = write_at(fd, piece.data(), bytes, static_cast<off_t>(at));
      if (!status.ok()) return status;
    }
    at += bytes, piece.remove_prefix(bytes);
  }
  return kOkStatus;
}

}  // namespace

Status BundleBytes::at(uint32_t handle, uint64_t offset, uint64_t wanted, std::string_view* out) {
  if (handle != handle_) {
    file_ = file_table_get(handle);
    handle_ = handle, bytes_ = 0;
  }
  if (file_ == nullptr) return {Code::ERR_FR_CLOSED, 0};
  if (offset < from_ || offset + std::min(wanted, kWindowBytes) > from_ + bytes_) {
    if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(kWindowBytes);
    const ssize_t got =
        read_some(*file_, reinterpret_cast<uint8_t*>(buffer_.get()), kWindowBytes, offset);
    if (got < 0) return status_of_errno(errno, "read");
    from_ = offset, bytes_ = static_cast<uint64_t>(got);
  }
  const uint64_t here = from_ + bytes_ > offset ? from_ + bytes_ - offset : 0;
  *out = {buffer_.get() + (offset - from_), std::min(wanted, here)};
  return kOkStatus;
}

Status BundleBytes::copy(const Step& step, int to) {
  const bool is_sparse = (step.flags & kIsSparse) != 0;
  for (uint64_t done = 0; done < step.size;) {
    std::string_view piece;
    Status status = at(step.file, step.offset + done, step.size - done, &piece);
    if (!status.ok()) return status;
    if (piece.empty()) return {Code::ERR_FR_IO, 0, "the file to copy from is too short"};
    status = is_sparse ? write_sparse(to, piece, done)
                       : write_at(to, piece.data(), piece.size(), static_cast<off_t>(done));
    if (!status.ok()) return status;
    done += piece.size();
  }
  if (is_sparse && ftruncate(to, static_cast<off_t>(step.size)) != 0) {
    return status_of_errno(errno, "ftruncate");
  }
  return kOkStatus;
}

}  // namespace fr::entries
