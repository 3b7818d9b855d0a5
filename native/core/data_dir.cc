// The data directory: opening and locking it, its private corner for partials, its node id.
//
// The idea: a data directory is a descriptor, taken once; all that is done later starts at it, so
// a directory that is moved or replaced meanwhile changes nothing. One process owns it at a time,
// by a lock. What lies in the private corner must never be readable by others, and nothing here may
// follow a symlink out of it.
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "storage.h"
#include "storage_paths.h"

namespace fr {
namespace {

constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr const char* kNodeId = "node-id";
constexpr const char* kNodeIdNew = "node-id.new";
constexpr size_t kNodeIdDigits = 32;

Status bad_dir(int error) { return {Code::ERR_FR_DATA_DIR, error}; }

// A directory of our own, closed to others. A symlink in its place is refused.
Status open_private(int parent, const char* name, int* fd) {
  if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return bad_dir(errno);
  *fd = openat(parent, name, kDirFlags | O_NOFOLLOW);
  if (*fd < 0) return bad_dir(errno);
  struct stat found;
  if (fstat(*fd, &found) != 0) return bad_dir(errno);
  if ((found.st_mode & 0777) != 0700 && fchmod(*fd, 0700) != 0) return bad_dir(errno);
  if (faccessat(*fd, ".", W_OK | X_OK, AT_EACCESS) != 0) return bad_dir(errno);
  return kOkStatus;
}

bool is_same_inode(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool is_node_id(const char* text, size_t bytes) {
  if (bytes != kNodeIdDigits + 1 || text[kNodeIdDigits] != '\n') return false;
  for (size_t i = 0; i < kNodeIdDigits; ++i) {
    const bool is_digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (!is_digit) return false;
  }
  return true;
}

// Empty when there is no file or it does not hold an id.
Status read_node_id(int control, std::string* out) {
  out->clear();
  const Fd fd(openat(control, kNodeId, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd.get() < 0) {
    return errno == ENOENT || errno == ELOOP ? kOkStatus : bad_dir(errno);
  }
  char text[kNodeIdDigits + 2];
  ssize_t got;
  do {
    got = read(fd.get(), text, sizeof text);
  } while (got < 0 && errno == EINTR);
  if (got > 0 && is_node_id(text, static_cast<size_t>(got))) out->assign(text, kNodeIdDigits);
  return kOkStatus;
}

Status write_node_id(int control, const std::string& id) {
  if (unlinkat(control, kNodeIdNew, 0) != 0 && errno != ENOENT) return bad_dir(errno);
  const Fd fd(openat(control, kNodeIdNew, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return bad_dir(errno);
  const std::string text = id + '\n';
  const ssize_t written = write(fd.get(), text.data(), text.size());
  if (written < 0) return status_of_errno(errno);
  // So few bytes are cut short only by a full disk.
  if (written != static_cast<ssize_t>(text.size())) return status_of_errno(ENOSPC);
  if (Status synced = sync_fd(fd.get()); !synced.ok()) return synced;
  if (renameat(control, kNodeIdNew, control, kNodeId) != 0) return bad_dir(errno);
  return sync_fd(control);
}

Status random_id(std::string* out) {
  uint8_t bytes[kNodeIdDigits / 2];
  for (size_t have = 0; have < sizeof bytes;) {
    const ssize_t got = getrandom(bytes + have, sizeof bytes - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return bad_dir(errno);
    have += static_cast<size_t>(got);
  }
  out->clear();
  for (uint8_t byte : bytes) {
    *out += "0123456789abcdef"[byte >> 4];
    *out += "0123456789abcdef"[byte & 15];
  }
  return kOkStatus;
}

}  // namespace

Status DataDir::open(const char* path, std::unique_ptr<DataDir>* out) noexcept {
  std::unique_ptr<DataDir> made(new DataDir);
  if (Status status = made->prepare(path); !status.ok()) return status;
  *out = std::move(made);
  return kOkStatus;
}

DataDir::~DataDir() {
  for (const int fd : {lock_, partials_, control_, root_}) {
    if (fd >= 0) close(fd);
  }
}

Status DataDir::prepare(const char* path) {
  const bool is_new = mkdir(path, 0755) == 0;
  if (!is_new && errno != EEXIST) return bad_dir(errno);
  root_ = ::open(path, kDirFlags);
  if (root_ < 0) return bad_dir(errno);
  if (is_new) {
    // What is published here is only as durable as DATA's own name. Without the right to open the
    // parent this is left to its time.
    const Fd above(openat(root_, "..", kDirFlags));
    if (above.get() >= 0) {
      if (Status synced = sync_fd(above.get()); !synced.ok()) return bad_dir(synced.sys_errno);
    }
  }
  if (faccessat(root_, ".", W_OK | X_OK, AT_EACCESS) != 0) return bad_dir(errno);
  if (Status made = open_private(root_, kReservedName.data(), &control_); !made.ok()) return made;
  lock_ = openat(control_, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (lock_ < 0) return bad_dir(errno);
  while (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    return errno == EWOULDBLOCK ? Status{Code::ERR_FR_DATA_DIR_LOCKED, errno} : bad_dir(errno);
  }
  if (Status made = open_private(control_, "partials", &partials_); !made.ok()) return made;
  // Publishing is a rename from partials to DATA: both on one file system, or nothing would work.
  struct stat root, partials;
  if (fstat(root_, &root) != 0 || fstat(partials_, &partials) != 0) return bad_dir(errno);
  return root.st_dev == partials.st_dev ? kOkStatus : bad_dir(EXDEV);
}

Status DataDir::node_id(std::string* out) noexcept {
  if (Status read = read_node_id(control_, out); !read.ok() || !out->empty()) return read;
  if (Status made = random_id(out); !made.ok()) return made;
  return write_node_id(control_, *out);
}

Status DataDir::find_place(std::string_view name, bool no_clobber, bool create, int* parent,
                           std::string* last) const {
  if (Status status = check_name_bytes(name); !status.ok()) return status;
  Fd found;
  Status status = open_parent(root_, name, create, best_confine(root_), &found, last);
  if (!status.ok() || found.get() < 0) return status;
  // However the file system compares names, ours are out of reach.
  if (is_same_inode(found.get(), control_) || is_same_inode(found.get(), partials_)) {
    return {Code::ERR_FR_NAME, 0};
  }
  if (faccessat(found.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return {Code::ERR_FR_NAME, errno};
  }
  if (status = check_target(found.get(), *last, no_clobber); !status.ok()) return status;
  *parent = found.release();
  return kOkStatus;
}

Status DataDir::check_name(std::string_view name, bool no_clobber) noexcept {
  int parent = -1;
  std::string last;
  const Status status = find_place(name, no_clobber, false, &parent, &last);
  const Fd closed(parent);
  return status;
}

Status DataDir::create_partial(std::string_view id, uint64_t size, uint32_t* file) noexcept {
  if (Status status = check_partial_id(id); !status.ok()) return status;
  if (size > static_cast<uint64_t>(INT64_MAX)) return {Code::ERR_FR_IO, EFBIG};
  std::erase_if(in_use_, [](const auto& entry) { return entry.second.expired(); });
  const std::string name(id);
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  Fd fd(openat(partials_, name.c_str(), kFlags, 0600));
  if (fd.get() < 0) {
    if (errno == EEXIST) return {Code::ERR_FR_EXISTS, errno};
    if (errno == EMFILE || errno == ENFILE) return {Code::ERR_FR_LIMIT, errno};
    return status_of_errno(errno);
  }
  const int raw = fd.get();
  Status status = kOkStatus;
  while (ftruncate(raw, static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    status = status_of_errno(errno);
    break;
  }
  if (status.ok()) {
    const auto made = std::make_shared<File>(fd.release(), size);
    struct statfs system;
    if (fstatfs(raw, &system) == 0 && system.f_type == TMPFS_MAGIC) made->fallocate_ok = false;
    *file = file_table_add(made);
    if (*file == 0) {
      status = {Code::ERR_FR_LIMIT, 0};
    } else {
      in_use_.insert_or_assign(name, made);
    }
  }
  if (!status.ok()) unlinkat(partials_, name.c_str(), 0);
  return status;
}

Status DataDir::publish(const PublishRequest& request) noexcept {
  if (Status status = check_partial_id(request.id); !status.ok()) return status;
  const FileRef file = file_table_get(request.file);
  if (file == nullptr) return {Code::ERR_FR_CLOSED, 0};
  if (request.mtime_nanos > 999'999'999) return {Code::ERR_FR_IO, EINVAL};
  const std::string id(request.id);

  // The name is judged first: nothing is worth syncing for a name that cannot be.
  int raw = -1;
  std::string last;
  Status status = find_place(request.name, request.no_clobber, true, &raw, &last);
  const Fd parent(raw);
  if (!status.ok()) return status;

  // What is verified is the open file; what is renamed is a name. They must be one.
  struct stat open_file, named;
  if (fstat(file->fd, &open_file) != 0 ||
      fstatat(partials_, id.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    return status_of_errno(errno);
  }
  if (open_file.st_ino != named.st_ino || open_file.st_dev != named.st_dev) {
    return {Code::ERR_FR_IO, ESTALE};
  }
  // Owner and group stay those of this process; so bits that lend rights must not come along.
  if (fchmod(file->fd, request.mode & 0777) != 0) return status_of_errno(errno);
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = static_cast<time_t>(request.mtime_seconds);
  times[1].tv_nsec = static_cast<long>(request.mtime_nanos);
  if (futimens(file->fd, times) != 0) return status_of_errno(errno);
  // fsync, after mode and mtime: one commit makes all of it durable before the name appears.
  if (status = sync_fd(file->fd); !status.ok()) return status;

  const auto how = request.no_clobber ? Replace::kNever : Replace::kAllowed;
  status = move_file(partials_, id, parent.get(), last, how);
  if (!status.ok()) return status;
  in_use_.erase(id);
  if (status = sync_fd(parent.get()); !status.ok()) return status;
  return sync_fd(partials_);
}

Status DataDir::discard(std::string_view id) noexcept {
  if (Status status = check_partial_id(id); !status.ok()) return status;
  const std::string name(id);
  in_use_.erase(name);
  if (unlinkat(partials_, name.c_str(), 0) == 0 || errno == ENOENT) return kOkStatus;
  return status_of_errno(errno);
}

bool DataDir::is_in_use(const std::string& id) const {
  const auto found = in_use_.find(id);
  return found != in_use_.end() && !found->second.expired();
}

Status DataDir::expire(uint64_t older_than_seconds, uint64_t* removed) noexcept {
  *removed = 0;
  // A descriptor of its own: the position of a shared one would be shared too.
  const int fd = openat(partials_, ".", kDirFlags);
  DIR* const list = fd < 0 ? nullptr : fdopendir(fd);
  if (list == nullptr) {
    const Status status = status_of_errno(errno);
    if (fd >= 0) close(fd);
    return status;
  }
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  while (const dirent* const entry = readdir(list)) {
    const std::string name = entry->d_name;
    struct stat found;
    if (name == "." || name == ".." || is_in_use(name)) continue;
    if (fstatat(partials_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    // ctime, which nobody can set: every write, and publish's own futimens, moves it.
    const int64_t age = now.tv_sec - found.st_ctim.tv_sec;
    if (age < 0 || static_cast<uint64_t>(age) < older_than_seconds) continue;
    if (unlinkat(partials_, name.c_str(), 0) == 0) ++*removed;
  }
  closedir(list);
  return kOkStatus;
}

Status DataDir::free_bytes(uint64_t* out) const noexcept {
  struct statvfs found;
  while (fstatvfs(root_, &found) != 0) {
    if (errno != EINTR) return status_of_errno(errno);
  }
  *out = static_cast<uint64_t>(found.f_bavail) * found.f_frsize;
  return kOkStatus;
}

}  // namespace fr
