// Attributes of entries, and steps as they come in a buffer.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/file/entries.h"
#include "core/file/storage.h"

namespace fr::entries {
namespace {

// Coarser clocks than this lose the time; vfat keeps every second second.
constexpr int64_t kTimeGrainSeconds = 2;
constexpr size_t kStepBytes = 56;

template <typename Number>
Number take(const char** at) {
  Number number;
  memcpy(&number, *at, sizeof number);
  *at += sizeof number;
  return number;
}

bool is_refusal(int error) {
  return error == EPERM || error == EACCES || error == EOPNOTSUPP || error == ENOSYS ||
         error == EINVAL;
}

// kOk, or the failure, where it is more than a file system that does not keep the attribute.
Status refused(int result, const char* call, uint32_t bit, uint32_t* lost) {
  if (result == 0) return kOkStatus;
  if (!is_refusal(errno)) return status_of_errno(errno, call);
  *lost |= bit;
  return kOkStatus;
}

template <typename Set>
Status each_xattr(std::string_view xattrs, Set set) {
  while (xattrs.size() >= 6) {
    const char* at = xattrs.data();
    const auto name_bytes = take<uint16_t>(&at);
    const auto value_bytes = take<uint32_t>(&at);
    xattrs.remove_prefix(6);
    if (xattrs.size() < name_bytes || xattrs.size() - name_bytes < value_bytes) break;
    const std::string name(xattrs.substr(0, name_bytes));
    if (Status status = set(name.c_str(), xattrs.substr(name_bytes, value_bytes)); !status.ok()) {
      return status;
    }
    xattrs.remove_prefix(name_bytes + value_bytes);
  }
  return kOkStatus;
}

void fill_times(const Step& step, timespec (&times)[2]) {
  times[0] = {0, UTIME_OMIT};
  times[1] = {static_cast<time_t>(step.mtime_seconds), static_cast<long>(step.mtime_nanos)};
}

}  // namespace

bool next_step(std::string_view* buffer, Step* out) {
  if (buffer->size() < kStepBytes) return false;
  const char* at = buffer->data();
  out->kind = static_cast<StepKind>(take<uint8_t>(&at));
  out->flags = take<uint8_t>(&at);
  out->mode = take<uint16_t>(&at) & 0777;
  out->mtime_nanos = take<uint32_t>(&at);
  out->mtime_seconds = take<int64_t>(&at);
  out->offset = take<uint64_t>(&at);
  out->size = take<uint64_t>(&at);
  out->uid = take<uint32_t>(&at);
  out->gid = take<uint32_t>(&at);
  out->file = take<uint32_t>(&at);
  const auto xattr_bytes = take<uint32_t>(&at);
  const auto name_bytes = take<uint16_t>(&at);
  const auto extra_bytes = take<uint16_t>(&at);
  (void)take<uint32_t>(&at);
  buffer->remove_prefix(kStepBytes);
  const size_t rest = size_t{name_bytes} + extra_bytes + xattr_bytes;
  if (buffer->size() < rest || out->mtime_nanos > 999'999'999) return false;
  out->name = buffer->substr(0, name_bytes);
  out->extra = buffer->substr(name_bytes, extra_bytes);
  out->xattrs = buffer->substr(size_t{name_bytes} + extra_bytes, xattr_bytes);
  buffer->remove_prefix(rest);
  return true;
}

Status set_attributes(int fd, const Step& step, uint32_t* lost) {
  if ((step.flags & kHasOwner) != 0) {
    Status status = refused(fchown(fd, step.uid, step.gid), "fchown", kLostOwner, lost);
    if (!status.ok()) return status;
  }
  if ((step.flags & kHasAttributes) == 0) return kOkStatus;
  Status status = each_xattr(step.xattrs, [&](const char* name, std::string_view value) {
    return refused(fsetxattr(fd, name, value.data(), value.size(), 0), "fsetxattr", kLostXattrs,
                   lost);
  });
  // After the owner and the access list, which change it.
  if (status.ok()) status = refused(fchmod(fd, step.mode), "fchmod", kLostMode, lost);
  if (!status.ok()) return status;
  timespec times[2];
  fill_times(step, times);
  return refused(futimens(fd, times), "futimens", kLostTime, lost);
}

Status set_attributes_at(int parent, const char* name, const Step& step, uint32_t* lost) {
  struct stat found;
  if (fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Status{Code::ERR_FR_NOT_HELD, 0} : of_lookup(errno, "stat");
  }
  Status status = kOkStatus;
  if ((step.flags & kHasOwner) != 0 && (found.st_uid != step.uid || found.st_gid != step.gid)) {
    const int result = fchownat(parent, name, step.uid, step.gid, AT_SYMLINK_NOFOLLOW);
    if (status = refused(result, "fchown", kLostOwner, lost); !status.ok()) return status;
  }
  if ((step.flags & kHasAttributes) == 0) return kOkStatus;
  if (!step.xattrs.empty()) {
    const Fd opened(openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    const std::string path = "/proc/self/fd/" + std::to_string(opened.get());
    status = each_xattr(step.xattrs, [&](const char* of, std::string_view value) {
      const int result = S_ISLNK(found.st_mode)
                             ? (errno = EOPNOTSUPP, -1)
                             : setxattr(path.c_str(), of, value.data(), value.size(), 0);
      return refused(result, "setxattr", kLostXattrs, lost);
    });
    if (!status.ok()) return status;
  }
  if (!S_ISLNK(found.st_mode) && (found.st_mode & 07777) != step.mode) {
    const int result = fchmodat(parent, name, step.mode, AT_SYMLINK_NOFOLLOW);
    if (status = refused(result, "fchmod", kLostMode, lost); !status.ok()) return status;
  }
  timespec times[2];
  fill_times(step, times);
  return refused(utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW), "utimens", kLostTime, lost);
}

void compare_attributes(const struct statx& found, const Step& step, uint32_t* lost) {
  if ((step.flags & kHasAttributes) == 0) return;
  const auto moved = std::abs(found.stx_mtime.tv_sec - step.mtime_seconds);
  if (moved > kTimeGrainSeconds) *lost |= kLostTime;
  if (!S_ISLNK(found.stx_mode) && (found.stx_mode & 0777u) != step.mode) *lost |= kLostMode;
}

}  // namespace fr::entries
