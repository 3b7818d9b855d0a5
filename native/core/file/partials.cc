// The hidden files of a data directory in which transfers land, and what is left of them.
//
// The idea: a partial is one file under a name that nothing but its transfer knows. What nobody in
// this process holds open is a leftover: it keeps what landed and no more, and goes when it is old
// or in the way.
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "core/file/storage.h"
#include "core/file/storage_paths.h"

namespace fr {
namespace {

constexpr size_t kListedPartialsMax = 65'536;

}  // namespace

Status DataDir::create_partial(std::string_view id, uint64_t size, uint32_t* file) noexcept {
  if (Status status = check_partial_id(id); !status.ok()) return status;
  if (size > static_cast<uint64_t>(INT64_MAX)) return {Code::ERR_FR_IO, EFBIG, "ftruncate"};
  const std::string name(id);
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  Fd fd(openat(partials_, name.c_str(), kFlags, 0600));
  if (fd.get() < 0) {
    if (errno == EEXIST) return {Code::ERR_FR_EXISTS, errno, "open"};
    return status_of_errno(errno, "open");
  }
  Status status = kOkStatus;
  while (ftruncate(fd.get(), static_cast<off_t>(size)) != 0) {
    if (errno == EINTR) continue;
    status = status_of_errno(errno, "ftruncate");
    break;
  }
  if (status.ok()) status = use_partial(name, fd.release(), size, file);
  if (!status.ok()) unlinkat(partials_, name.c_str(), 0);
  return status;
}

Status DataDir::use_partial(const std::string& id, int fd, uint64_t size, uint32_t* file) {
  std::erase_if(in_use_, [](const auto& entry) { return entry.second.expired(); });
  const auto made = std::make_shared<File>(fd, size);
  made->disk = disk_;
  struct statfs system;
  if (fstatfs(fd, &system) == 0 && system.f_type == TMPFS_MAGIC) made->fallocate_ok = false;
  *file = file_table_add(made);
  if (*file == 0) return {Code::ERR_FR_LIMIT, 0};
  in_use_.insert_or_assign(id, made);
  return kOkStatus;
}

Status DataDir::open_partial(std::string_view id, uint32_t* file, uint64_t names) noexcept {
  if (Status status = check_partial_id(id); !status.ok()) return status;
  const std::string name(id);
  constexpr Status kNone{Code::ERR_FR_NOT_HELD, 0};
  struct stat found;
  if (fstatat(partials_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? kNone : status_of_errno(errno, "stat");
  }
  // One more name: a publication that makes links was cut short between its two steps.
  if (!S_ISREG(found.st_mode) || found.st_nlink > names) return kNone;
  // One that had just given the file its mode may have shut its owner out.
  constexpr mode_t kOwn = S_IRUSR | S_IWUSR;
  if ((found.st_mode & kOwn) != kOwn) {
    (void)fchmodat(partials_, name.c_str(), 0600, AT_SYMLINK_NOFOLLOW);
  }
  Fd fd(openat(partials_, name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0) return errno == ENOENT ? kNone : status_of_errno(errno, "open");
  if (fstat(fd.get(), &found) != 0) return status_of_errno(errno, "fstat");
  const auto size = static_cast<uint64_t>(found.st_size);
  return use_partial(name, fd.release(), size, file);
}

Status DataDir::discard(std::string_view id) noexcept {
  if (Status status = check_partial_id(id); !status.ok()) return status;
  const std::string name(id);
  in_use_.erase(name);
  if (unlinkat(partials_, name.c_str(), 0) == 0 || errno == ENOENT) return kOkStatus;
  return status_of_errno(errno, "unlink");
}

bool DataDir::is_in_use(const std::string& id) const {
  const auto found = in_use_.find(id);
  return found != in_use_.end() && !found->second.expired();
}

Status DataDir::each_partial(
    const std::function<void(const std::string&, const struct stat&)>& see) {
  if (partials_ < 0) return kOkStatus;
  // A descriptor of its own: the position of a shared one would be shared too.
  const int fd = openat(partials_, ".", kDirFlags);
  DIR* const list = fd < 0 ? nullptr : fdopendir(fd);
  if (list == nullptr) {
    const Status status = status_of_errno(errno, "open");
    if (fd >= 0) close(fd);
    return status;
  }
  while (const dirent* const entry = readdir(list)) {
    const std::string name = entry->d_name;
    struct stat found;
    if (fstatat(partials_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(found.st_mode)) see(name, found);
  }
  closedir(list);
  return kOkStatus;
}

Status DataDir::expire(uint64_t older_than_seconds, uint64_t* removed) noexcept {
  *removed = 0;
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return each_partial([&](const std::string& name, const struct stat& found) {
    if (is_in_use(name)) return;
    // ctime, which nobody can set: every write, and publish's own futimens, moves it.
    const int64_t age = now.tv_sec - found.st_ctim.tv_sec;
    if (age >= 0 && static_cast<uint64_t>(age) >= older_than_seconds) {
      if (unlinkat(partials_, name.c_str(), 0) == 0) ++*removed;
    } else {
      const Fd fd(openat(partials_, name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
      if (fd.get() >= 0) trim_holes(fd.get());
    }
  });
}

Status DataDir::list(std::string* out) noexcept {
  out->clear();
  size_t count = 0;
  return each_partial([&](const std::string& name, const struct stat& found) {
    if (is_in_use(name) || ++count > kListedPartialsMax) return;
    *out += name + ' ' + std::to_string(found.st_blocks * 512) + '\n';
  });
}

}  // namespace fr
