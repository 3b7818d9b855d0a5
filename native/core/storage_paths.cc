#include "storage_paths.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace fr {
namespace {

constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;

constexpr Status kBadName{Code::ERR_FR_NAME, 0};

// No component may be a symlink, a way out, or a mount point.
int open_beneath(int from, const char* path) {
  open_how how{};
  how.flags = kDirFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (;;) {
    const long fd = syscall(SYS_openat2, from, path, &how, sizeof how);
    if (fd >= 0 || errno != EINTR) return static_cast<int>(fd);
  }
}

// Without openat2: one openat with O_NOFOLLOW per component. As the name holds no `..`, every step
// ends in a child of the directory before it, so this confines as well; a mount point is seen by
// its device number, which misses bind mounts of the same file system (rename then says EXDEV).
int open_step(int from, const char* component) {
  int fd;
  do {
    fd = openat(from, component, kDirFlags);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return fd;
  struct stat parent, child;
  int error = 0;
  if (fstat(from, &parent) != 0 || fstat(fd, &child) != 0) {
    error = errno;
  } else if (parent.st_dev != child.st_dev) {
    error = EXDEV;
  }
  if (error == 0) return fd;
  close(fd);
  errno = error;
  return -1;
}

// Opens a directory one component below, or, with openat2, any number of components.
int open_below(int from, const char* path, Confine confine) {
  return confine == Confine::kKernel ? open_beneath(from, path) : open_step(from, path);
}

Status of_lookup(int error) {
  switch (error) {
    case ELOOP:         // a symlink
    case ENOTDIR:       // a file in the middle; with O_NOFOLLOW|O_DIRECTORY also a symlink
    case EXDEV:         // a mount point
    case ENAMETOOLONG:  // a file system with shorter names than we allow
    case EINVAL:        // or with fewer characters
    case EILSEQ:
    case EACCES:  // a directory that is closed to us
      return {Code::ERR_FR_NAME, error};
    default:
      return status_of_errno(error);
  }
}

Status make_child(int parent, const char* component) {
  if (mkdirat(parent, component, 0755) != 0) {
    // Somebody else made it meanwhile; what it is shows when it is opened.
    return errno == EEXIST ? kOkStatus : of_lookup(errno);
  }
  return sync_fd(parent);
}

// From directory to directory, making what is missing.
Status walk(int root, const std::string& path, bool create, Confine confine, Fd* parent) {
  Fd here;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string component = path.substr(at, end - at);
    const int from = at == 0 ? root : here.get();
    int fd = open_below(from, component.c_str(), confine);
    if (fd < 0 && errno == ENOENT) {
      if (!create) return kOkStatus;
      if (Status made = make_child(from, component.c_str()); !made.ok()) return made;
      fd = open_below(from, component.c_str(), confine);
    }
    if (fd < 0) return of_lookup(errno);
    here.reset(fd);
    at = end + 1;
  }
  *parent = std::move(here);
  return kOkStatus;
}

}  // namespace

// In any letter case, for file systems that take one for the other.
bool is_reserved(std::string_view component) {
  return component.size() == kReservedName.size() &&
         strncasecmp(component.data(), kReservedName.data(), component.size()) == 0;
}

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

Status check_name_bytes(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return kBadName;
  if (name.find('\0') != std::string_view::npos) return kBadName;
  // A leading, doubled or trailing slash shows as an empty component.
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string_view component = name.substr(at, end - at);
    if (component.empty() || component == "." || component == "..") return kBadName;
    if (component.size() > kNameComponentBytesMax) return kBadName;
    if (at == 0 && is_reserved(component)) return kBadName;
    at = end + 1;
  }
  return kOkStatus;
}

Status check_partial_id(std::string_view id) {
  const auto is_allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  };
  if (id.empty() || id.size() > kPartialIdBytesMax || id.front() == '.') return kBadName;
  return std::all_of(id.begin(), id.end(), is_allowed) ? kOkStatus : kBadName;
}

Confine best_confine(int root) {
  // ENOSYS: a kernel before 5.6. EPERM: a container's system call filter of that age.
  static const bool has_openat2 = [root] {
    const Fd tried(open_beneath(root, "."));
    return tried.get() >= 0 || (errno != ENOSYS && errno != EPERM);
  }();
  return has_openat2 ? Confine::kKernel : Confine::kStepwise;
}

Status open_parent(int root, std::string_view name, bool create, Confine confine, Fd* parent,
                   std::string* last) {
  const size_t slash = name.rfind('/');
  const std::string path(name.substr(0, slash == std::string_view::npos ? 0 : slash));
  last->assign(name.substr(slash == std::string_view::npos ? 0 : slash + 1));
  parent->reset(-1);
  if (confine == Confine::kKernel || path.empty()) {
    parent->reset(open_below(root, path.empty() ? "." : path.c_str(), confine));
    if (parent->get() >= 0) return kOkStatus;
    if (errno != ENOENT) return of_lookup(errno);
    if (!create) return kOkStatus;
  }
  return walk(root, path, create, confine, parent);
}

Status check_target(int parent, const std::string& last, bool no_clobber) {
  struct stat found;
  if (fstatat(parent, last.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? kOkStatus : of_lookup(errno);
  }
  if (S_ISDIR(found.st_mode)) return {Code::ERR_FR_IS_DIRECTORY, EISDIR};
  if (no_clobber) return {Code::ERR_FR_EXISTS, EEXIST};
  return S_ISREG(found.st_mode) ? kOkStatus : kBadName;
}

Status move_file(int from, const std::string& name, int to, const std::string& new_name,
                 Replace replace) {
  int result;
  if (replace == Replace::kNeverByLink) {
    result = linkat(from, name.c_str(), to, new_name.c_str(), 0);
    if (result == 0) result = unlinkat(from, name.c_str(), 0);
  } else {
    const unsigned flags = replace == Replace::kNever ? RENAME_NOREPLACE : 0;
    result = renameat2(from, name.c_str(), to, new_name.c_str(), flags);
    if (result != 0 && flags != 0 && (errno == EINVAL || errno == ENOSYS)) {
      return move_file(from, name, to, new_name, Replace::kNeverByLink);
    }
  }
  if (result == 0) return kOkStatus;
  if (errno == EEXIST) return {Code::ERR_FR_EXISTS, errno};
  if (errno == EISDIR) return {Code::ERR_FR_IS_DIRECTORY, errno};
  return of_lookup(errno);
}

Status sync_fd(int fd) {
  while (fsync(fd) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == EROFS) break;
    return status_of_errno(errno);
  }
  return kOkStatus;
}

}  // namespace fr
