// The data directory: opening and locking it, its private corner for partials.
//
// The idea: work starts at descriptors, which no rename or mount can lead elsewhere; what is true
// is the path that the user named. `refresh` compares the two and goes over to what is at the path
// now. One process owns a directory at a time, by a lock. What lies in the private corner must
// never be readable by others, and nothing here may follow a symlink out of it.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/file/storage.h"
#include "core/file/storage_paths.h"

namespace fr {
namespace {

constexpr const char* kLock = "lock";

Status bad_dir(const char* call, int error) {
  return {code_of_errno(error, Code::ERR_FR_DATA_DIR), error, call};
}
Status gone(const char* what, int error = 0) { return {Code::ERR_FR_DATA_DIR_GONE, error, what}; }

// A directory of our own, closed to others but for what `open_to` lets them. A symlink in its place
// is refused.
Status open_private(int parent, const char* name, int* fd, mode_t open_to = 0) {
  if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return bad_dir("mkdir", errno);
  *fd = openat(parent, name, kDirFlags | O_NOFOLLOW);
  if (*fd < 0) return bad_dir("open", errno);
  struct stat found;
  if (fstat(*fd, &found) != 0) return bad_dir("fstat", errno);
  const bool is_private = (found.st_mode & 0777 & ~open_to) == 0700;
  if (!is_private && fchmod(*fd, 0700) != 0) return bad_dir("fchmod", errno);
  if (faccessat(*fd, ".", W_OK | X_OK, AT_EACCESS) != 0) return bad_dir("access", errno);
  return kOkStatus;
}

bool is_same_inode(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

// Whether the entry of a directory is still the file that was opened under its name.
bool is_at(int directory, const char* name, int fd) {
  struct stat named, open_file;
  return fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open_file) == 0 &&
         named.st_dev == open_file.st_dev && named.st_ino == open_file.st_ino;
}

}  // namespace

Status DataDir::open(const char* path, std::unique_ptr<DataDir>* out, bool is_read_only,
                     uint32_t disk) noexcept {
  std::unique_ptr<DataDir> made(new DataDir);
  made->is_read_only_ = is_read_only;
  made->disk_ = disk;
  if (Status status = made->prepare(path, nullptr); !status.ok()) return status;
  *out = std::move(made);
  return kOkStatus;
}

DataDir::~DataDir() {
  for (const int fd : {lock_, partials_, control_, root_}) {
    if (fd >= 0) close(fd);
  }
}

Status DataDir::prepare(const char* path, const DataDir* before) {
  path_ = path;
  if (is_read_only_) return prepare_read_only();
  const bool is_new = before == nullptr && mkdir(path, 0755) == 0;
  if (before == nullptr && !is_new && errno != EEXIST) return bad_dir("mkdir", errno);
  root_ = ::open(path, kDirFlags);
  if (root_ < 0) return bad_dir("open", errno);
  if (is_new) {
    // What is published here is only as durable as DATA's own name. Without the right to open the
    // parent this is left to its time.
    const Fd above(openat(root_, "..", kDirFlags));
    if (above.get() >= 0) {
      if (Status synced = sync_fd(above.get()); !synced.ok()) {
        return bad_dir(synced.what, synced.sys_errno);
      }
    }
  }
  if (Status writable = check_writable(); !writable.ok()) return writable;
  // The versions of trees are in it.
  if (Status made = open_private(root_, kReservedName.data(), &control_, 0011); !made.ok()) {
    return made;
  }
  if (Status locked = lock(before); !locked.ok()) return locked;
  if (Status made = open_private(control_, "partials", &partials_); !made.ok()) return made;
  // Publishing is a rename from partials to DATA: both on one file system, or nothing would work.
  struct stat root, partials;
  if (fstat(root_, &root) != 0 || fstat(partials_, &partials) != 0) return bad_dir("fstat", errno);
  return root.st_dev == partials.st_dev ? kOkStatus : bad_dir("rename", EXDEV);
}

Status DataDir::prepare_read_only() {
  root_ = ::open(path_.c_str(), kDirFlags);
  if (root_ < 0) return bad_dir("open", errno);
  control_ = openat(root_, kReservedName.data(), kDirFlags | O_NOFOLLOW);
  if (control_ >= 0) partials_ = openat(control_, "partials", kDirFlags | O_NOFOLLOW);
  return partials_ >= 0 || errno == ENOENT ? kOkStatus : bad_dir("open", errno);
}

Status DataDir::check_writable() const {
  return faccessat(root_, ".", W_OK | X_OK, AT_EACCESS) == 0 ? kOkStatus : bad_dir("access", errno);
}

Status DataDir::lock(const DataDir* before) {
  lock_ = openat(control_, kLock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (lock_ < 0) return bad_dir("open", errno);
  if (before != nullptr && is_same_inode(lock_, before->lock_)) {
    // The lock that is held already would refuse a second description of its file.
    close(lock_);
    lock_ = fcntl(before->lock_, F_DUPFD_CLOEXEC, 0);
    return lock_ < 0 ? bad_dir("fcntl", errno) : kOkStatus;
  }
  while (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    return errno == EWOULDBLOCK ? Status{Code::ERR_FR_DATA_DIR_LOCKED, errno, "flock"}
                                : bad_dir("flock", errno);
  }
  return kOkStatus;
}

Status DataDir::check_path(bool* is_ours) const {
  struct stat named, ours;
  if (stat(path_.c_str(), &named) != 0) {
    const bool is_lost = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
    return is_lost ? gone("stat", errno) : status_of_errno(errno, "stat");
  }
  if (!S_ISDIR(named.st_mode)) return gone("something else is at its path", ENOTDIR);
  if (fstat(root_, &ours) != 0) return status_of_errno(errno, "fstat");
  *is_ours = named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
  if (*is_ours || named.st_dev == ours.st_dev) return kOkStatus;
  // A disk that was unmounted shows the directory below it, which nobody meant to fill.
  struct stat above;
  const bool is_mount = stat((path_ + "/..").c_str(), &above) == 0 && above.st_dev != named.st_dev;
  return is_mount ? kOkStatus : gone("another file system is at its path: is it unmounted?");
}

Status DataDir::refresh(bool* was_replaced) noexcept {
  *was_replaced = false;
  bool is_ours = false;
  if (Status found = check_path(&is_ours); !found.ok()) return found;
  if (is_ours && is_read_only_) return kOkStatus;
  if (is_ours) {
    if (Status writable = check_writable(); !writable.ok()) return writable;
    if (is_at(root_, kReservedName.data(), control_) && is_at(control_, "partials", partials_) &&
        is_at(control_, kLock, lock_)) {
      return kOkStatus;
    }
  }
  std::unique_ptr<DataDir> fresh(new DataDir);
  fresh->is_read_only_ = is_read_only_;
  if (Status made = fresh->prepare(path_.c_str(), this); !made.ok()) return made;
  // What lands in the old place can be published no more.
  for (const auto& [name, file] : in_use_) unlinkat(partials_, name.c_str(), 0);
  in_use_.clear();
  std::swap(root_, fresh->root_);
  std::swap(control_, fresh->control_);
  std::swap(partials_, fresh->partials_);
  std::swap(lock_, fresh->lock_);
  is_staging_clean_ = false;
  *was_replaced = true;
  return kOkStatus;
}

Status DataDir::free_bytes(uint64_t* out) const noexcept {
  struct statvfs found;
  while (fstatvfs(root_, &found) != 0) {
    if (errno != EINTR) return status_of_errno(errno, "statvfs");
  }
  *out = static_cast<uint64_t>(found.f_bavail) * found.f_frsize;
  return kOkStatus;
}

}  // namespace fr
