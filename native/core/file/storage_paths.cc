#include "core/file/storage_paths.h"

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

constexpr Status kNotHeld{Code::ERR_FR_NOT_HELD, 0};

constexpr Status bad_name(const char* why, int error = 0) {
  return {Code::ERR_FR_NAME, error, why};
}

// O_NONBLOCK: what is a pipe by now must not be waited for.
constexpr int kFileFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

// No component may be a symlink, a way out, or a mount point.
int open_beneath(int from, const char* path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (;;) {
    const long fd = syscall(SYS_openat2, from, path, &how, sizeof how);
    if (fd >= 0 || errno != EINTR) return static_cast<int>(fd);
  }
}

// Without openat2: one openat with O_NOFOLLOW per component. As the name holds no `..`, every step
// ends in a child of the directory before it, so this confines as well; a mount point is seen by
// its device number, which misses bind mounts of the same file system (rename then says EXDEV).
int open_step(int from, const char* component, int flags) {
  int fd;
  do {
    fd = openat(from, component, flags);
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

// Opens what is one component below, or, with openat2, any number of components.
int open_below(int from, const char* path, Confine confine, int flags = kDirFlags | O_NOFOLLOW) {
  return confine == Confine::kKernel ? open_beneath(from, path, flags)
                                     : open_step(from, path, flags);
}

Status make_child(int parent, const char* component) {
  if (mkdirat(parent, component, 0755) != 0) {
    // Somebody else made it meanwhile; what it is shows when it is opened.
    return errno == EEXIST ? kOkStatus : of_lookup(errno, "mkdir");
  }
  return sync_fd(parent);
}

// From directory to directory, making what is missing or stopping in front of it.
Status walk(int root, const std::string& path, bool create, Confine confine, NamePlace* place) {
  Fd here(open_below(root, ".", confine));
  if (here.get() < 0) return of_lookup(errno, "open");
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string component = path.substr(at, end - at);
    int fd = open_below(here.get(), component.c_str(), confine);
    if (fd < 0 && errno == ENOENT) {
      if (!create) {
        place->missing = path.substr(at);
        break;
      }
      if (Status made = make_child(here.get(), component.c_str()); !made.ok()) return made;
      fd = open_below(here.get(), component.c_str(), confine);
    }
    if (fd < 0) return of_lookup(errno, "open");
    here.reset(fd);
    at = end + 1;
  }
  place->parent = std::move(here);
  return kOkStatus;
}

// Asks the file system whether it could hold an entry of this name.
Status check_component(int parent, const std::string& component) {
  struct stat found;
  if (fstatat(parent, component.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT) {
    return kOkStatus;
  }
  return of_lookup(errno, "stat");
}

// In a directory with the sticky bit a file is replaced by its owner, the directory's, or root.
bool is_kept_by_sticky(const struct stat& parent, const struct statx& target) {
  const uid_t self = geteuid();
  return (parent.st_mode & S_ISVTX) != 0 && self != 0 && self != parent.st_uid &&
         self != target.stx_uid;
}

// In any letter case, for file systems that take one for the other.
bool is_reserved(std::string_view component) {
  return component.size() == kReservedName.size() &&
         strncasecmp(component.data(), kReservedName.data(), component.size()) == 0;
}

// `reserves`: the first component may not be ours.
Status check_components(std::string_view name, bool reserves) {
  if (name.empty()) return bad_name("it is empty");
  if (name.size() > kNameBytesMax) return bad_name("it is longer than 4096 bytes");
  if (name.find('\0') != std::string_view::npos) return bad_name("it holds a NUL");
  if (name.front() == '/') return bad_name("it is absolute");
  // A leading, doubled or trailing slash shows as an empty component.
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string_view component = name.substr(at, end - at);
    if (component.empty()) return bad_name("it has an empty component");
    if (component == "." || component == "..") {
      return bad_name("it has a component that is . or ..");
    }
    if (component.size() > kNameComponentBytesMax) {
      return bad_name("a component is longer than 255 bytes");
    }
    if (at == 0 && reserves && is_reserved(component)) {
      return bad_name(".fastreplica is reserved");
    }
    at = end + 1;
  }
  return kOkStatus;
}

// What a link at a place with so many directories above it leads to: the name of a version, or
// nothing.
std::string_view version_of(std::string_view target, size_t depth) {
  constexpr std::string_view kUp = "../";
  for (; depth > 0; depth--) {
    if (!target.starts_with(kUp)) return {};
    target.remove_prefix(kUp.size());
  }
  return version_bytes(target) == target.size() ? target : std::string_view();
}

}  // namespace

void Fd::reset(int fd) {
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

size_t version_bytes(std::string_view name) {
  constexpr size_t kKeyBytes = 32, kNumberBytesMax = 9;
  if (!name.starts_with(kVersions)) return 0;
  const size_t from = kVersions.size() + kKeyBytes;
  if (name.size() < from + 2 || name[from] != '/') return 0;
  for (const char c : name.substr(kVersions.size(), kKeyBytes)) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return 0;
  }
  const size_t end = std::min(name.find('/', from + 1), name.size());
  const std::string_view number = name.substr(from + 1, end - from - 1);
  if (number.empty() || number.size() > kNumberBytesMax || number.front() == '0') return 0;
  const bool is_number =
      std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? end : 0;
}

Status check_name_bytes(std::string_view name, Names names) {
  const size_t version = names == Names::kAlsoVersions ? version_bytes(name) : 0;
  if (version == 0) return check_components(name, /*reserves=*/true);
  // In a version nothing is reserved.
  if (version == name.size()) return kOkStatus;
  return check_components(name.substr(version + 1), /*reserves=*/false);
}

Status check_partial_id(std::string_view id) {
  const auto is_allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  };
  constexpr Status kBad = bad_name("no id of a partial file");
  if (id.empty() || id.size() > kPartialIdBytesMax || id.front() == '.') return kBad;
  return std::all_of(id.begin(), id.end(), is_allowed) ? kOkStatus : kBad;
}

Confine best_confine(int root) {
  // ENOSYS: a kernel before 5.6. EPERM: a container's system call filter of that age.
  static const bool has_openat2 = [root] {
    const Fd tried(open_beneath(root, ".", kDirFlags | O_NOFOLLOW));
    return tried.get() >= 0 || (errno != ENOSYS && errno != EPERM);
  }();
  return has_openat2 ? Confine::kKernel : Confine::kStepwise;
}

Status open_parent(int root, std::string_view name, bool create, Confine confine,
                   NamePlace* place) {
  const size_t slash = name.rfind('/');
  const std::string path(name.substr(0, slash == std::string_view::npos ? 0 : slash));
  place->last.assign(name.substr(slash == std::string_view::npos ? 0 : slash + 1));
  place->missing.clear();
  if (confine == Confine::kKernel) {
    place->parent.reset(open_below(root, path.empty() ? "." : path.c_str(), confine));
    if (place->parent.get() >= 0) return kOkStatus;
    if (errno != ENOENT) return of_lookup(errno, "open");
  }
  return walk(root, path, create, confine, place);
}

std::string through_version(int root, std::string_view name, bool follows_last, Confine confine) {
  Fd here(open_below(root, ".", confine));
  size_t depth = 0;
  for (size_t at = 0; at < name.size() && here.get() >= 0; depth++) {
    const size_t end = std::min(name.find('/', at), name.size());
    if (end == name.size() && !follows_last) break;
    const std::string component(name.substr(at, end - at));
    char target[kNameBytesMax];
    const ssize_t bytes = readlinkat(here.get(), component.c_str(), target, sizeof target);
    if (bytes >= 0) {
      const std::string_view given(target, static_cast<size_t>(bytes));
      std::string version(version_of(given, depth));
      if (!version.empty()) version += name.substr(end);
      return version;
    }
    if (errno != EINVAL) break;  // no link
    here.reset(open_below(here.get(), component.c_str(), confine));
    at = end + 1;
  }
  return {};
}

Status of_lookup(int error, const char* call) {
  switch (error) {
    case ELOOP:
      return bad_name("a symlink is in its way", error);
    case ENOTDIR:  // with O_NOFOLLOW|O_DIRECTORY also a symlink
      return bad_name("what should be a directory is none", error);
    case EXDEV:
      return bad_name("another file system is mounted in its way", error);
    case ENAMETOOLONG:
      return bad_name("it is too long for the file system", error);
    case EINVAL:
    case EILSEQ:
      return bad_name("it has characters that the file system does not take", error);
    case EACCES:
    case EPERM:
      return bad_name("the system does not allow it there", error);
    default:
      return status_of_errno(error, call);
  }
}

Status check_file(const NamePlace& place) {
  if (!place.missing.empty()) return kNotHeld;
  struct stat found;
  if (fstatat(place.parent.get(), place.last.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? kNotHeld : of_lookup(errno, "stat");
  }
  return S_ISREG(found.st_mode) ? kOkStatus : kNotHeld;
}

Status open_file(const NamePlace& place, Confine confine, Fd* out) {
  // Before its type is known nothing is opened: to open a device may do something.
  if (Status status = check_file(place); !status.ok()) return status;
  out->reset(open_below(place.parent.get(), place.last.c_str(), confine, kFileFlags));
  if (out->get() < 0) {
    if (errno == EXDEV) return of_lookup(errno, "open");
    // Something else came into its place.
    const bool is_gone = errno == ENOENT || errno == ELOOP || errno == ENXIO;
    return is_gone ? kNotHeld : status_of_errno(errno, "open");
  }
  struct stat found;
  if (fstat(out->get(), &found) != 0) return status_of_errno(errno, "fstat");
  return S_ISREG(found.st_mode) ? kOkStatus : kNotHeld;
}

Status open_directory(const NamePlace& place, Confine confine, Fd* out) {
  if (!place.missing.empty()) return kNotHeld;
  out->reset(open_below(place.parent.get(), place.last.c_str(), confine));
  if (out->get() >= 0) return kOkStatus;
  return errno == ENOENT || errno == ENOTDIR ? kNotHeld : of_lookup(errno, "open");
}

Status check_place(const NamePlace& place, bool no_clobber) {
  const int parent = place.parent.get();
  if (faccessat(parent, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return bad_name("the directory for it cannot be written to", errno);
  }
  if (place.missing.empty()) return check_target(parent, place.last, no_clobber);
  for (size_t at = 0; at < place.missing.size();) {
    const size_t end = std::min(place.missing.find('/', at), place.missing.size());
    const std::string component = place.missing.substr(at, end - at);
    if (Status status = check_component(parent, component); !status.ok()) return status;
    at = end + 1;
  }
  return check_component(parent, place.last);
}

Status check_target(int parent, const std::string& last, bool no_clobber) {
  struct statx found;
  struct stat above;
  constexpr unsigned kWanted = STATX_TYPE | STATX_UID;
  if (statx(parent, last.c_str(), AT_SYMLINK_NOFOLLOW, kWanted, &found) != 0) {
    return errno == ENOENT ? kOkStatus : of_lookup(errno, "stat");
  }
  if (S_ISDIR(found.stx_mode)) return {Code::ERR_FR_IS_DIRECTORY, EISDIR};
  if (no_clobber) return {Code::ERR_FR_EXISTS, EEXIST};
  if (!S_ISREG(found.stx_mode)) return bad_name("what is there is no regular file");
  const uint64_t attributes = found.stx_attributes;
  if ((attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0) {
    return bad_name("the file there is marked as unchangeable", EPERM);
  }
  if ((attributes & STATX_ATTR_MOUNT_ROOT) != 0)
    return bad_name("the file there is a mount", EBUSY);
  if (fstat(parent, &above) == 0 && is_kept_by_sticky(above, found)) {
    return bad_name("the file there belongs to another user", EPERM);
  }
  return kOkStatus;
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
  return of_lookup(errno, "rename");
}

Status sync_fd(int fd) {
  while (fsync(fd) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL) break;
    return status_of_errno(errno, "fsync");
  }
  return kOkStatus;
}

}  // namespace fr
