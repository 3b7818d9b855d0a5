// Directories that go with all that is in them.
//
// The idea: looked through first, and removed only where nothing below is a mount: what is mounted
// belongs to somebody else, and half a directory helps nobody.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/file/entries.h"

namespace fr::entries {
namespace {

// Each level holds a descriptor.
constexpr int kDepthMax = 256;

constexpr Status kIsMount{Code::ERR_FR_NAME, EBUSY, "another file system is mounted in it"};
constexpr Status kTooDeep{Code::ERR_FR_LIMIT, 0, "directories in it are nested too deeply"};

bool is_mount(int parent, const char* name) {
  struct statx found;
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  return statx(parent, name, kFlags, STATX_TYPE, &found) == 0 &&
         (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Calls `see` with each name in a directory, until it fails.
template <typename See>
Status each_name(int directory, See see) {
  const int fd = openat(directory, ".", kDirFlags | O_NOFOLLOW);
  DIR* const list = fd < 0 ? nullptr : fdopendir(fd);
  if (list == nullptr) {
    const Status status = status_of_errno(errno, "open");
    if (fd >= 0) close(fd);
    return status;
  }
  Status status = kOkStatus;
  while (const dirent* const entry = readdir(list)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (status = see(entry->d_name); !status.ok()) break;
  }
  closedir(list);
  return status;
}

bool is_directory(int parent, const char* name) {
  struct stat found;
  return fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(found.st_mode);
}

// A directory that shuts its owner out is opened to it first.
Status open_child(int parent, const char* name, Fd* out) {
  out->reset(openat(parent, name, kDirFlags | O_NOFOLLOW));
  if (out->get() < 0 && errno == EACCES && fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0) {
    out->reset(openat(parent, name, kDirFlags | O_NOFOLLOW));
  }
  return out->get() < 0 ? status_of_errno(errno, "open") : kOkStatus;
}

Status check_tree(int parent, const char* name, int depth) {
  if (is_mount(parent, name)) return kIsMount;
  if (!is_directory(parent, name)) return kOkStatus;
  if (depth > kDepthMax) return kTooDeep;
  Fd here;
  if (Status status = open_child(parent, name, &here); !status.ok()) return status;
  return each_name(here.get(),
                   [&](const char* below) { return check_tree(here.get(), below, depth + 1); });
}

Status remove_checked(int parent, const char* name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return kOkStatus;
  if (errno != EISDIR && errno != EPERM) return status_of_errno(errno, "unlink");
  if (!is_directory(parent, name)) return status_of_errno(EPERM, "unlink");
  if (depth > kDepthMax) return kTooDeep;
  Fd here;
  if (Status status = open_child(parent, name, &here); !status.ok()) return status;
  struct stat found;
  if (fstat(here.get(), &found) == 0 && (found.st_mode & 0700) != 0700) {
    (void)fchmod(here.get(), 0700);
  }
  Status status = each_name(
      here.get(), [&](const char* below) { return remove_checked(here.get(), below, depth + 1); });
  if (!status.ok()) return status;
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return kOkStatus;
  return status_of_errno(errno, "rmdir");
}

}  // namespace

Status check_no_mounts(int parent, const char* name) { return check_tree(parent, name, 0); }

Status remove_all(int parent, const char* name) {
  Status status = check_no_mounts(parent, name);
  return status.ok() ? remove_checked(parent, name, 0) : status;
}

void remove_contents(int directory) {
  (void)each_name(directory, [&](const char* name) {
    (void)remove_all(directory, name);
    return kOkStatus;
  });
}

}  // namespace fr::entries
