// From a partial to a name: what is asked when a file is offered, and done when it is whole.
//
// The idea: whatever would refuse the file after its last byte is asked before its first. The name
// appears in one rename, in the directory that is at the path the user named, and only when all of
// the file is durable. Mode and time are kept where the file system can; that it cannot is an
// answer, not a failure.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/file/storage.h"
#include "core/file/storage_paths.h"

namespace fr {
namespace {

// Coarser clocks than this lose the time; vfat keeps every second second.
constexpr int64_t kTimeGrainSeconds = 2;

bool is_attribute_refusal(int error) {
  return error == EPERM || error == EACCES || error == EOPNOTSUPP || error == ENOSYS ||
         error == EINVAL;
}

bool is_one_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Gives an open file its mode and time. `*lost`: what the file system did not take.
Status set_attributes(int fd, const PublishRequest& request, uint32_t* lost) {
  *lost = 0;
  // Owner and group stay those of this process; so bits that lend rights must not come along.
  const mode_t mode = request.mode & 0777;
  if (fchmod(fd, mode) != 0) {
    if (!is_attribute_refusal(errno)) return status_of_errno(errno, "fchmod");
    *lost |= kLostMode;
  }
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = static_cast<time_t>(request.mtime_seconds);
  times[1].tv_nsec = static_cast<long>(request.mtime_nanos);
  if (futimens(fd, times) != 0) {
    if (!is_attribute_refusal(errno)) return status_of_errno(errno, "futimens");
    *lost |= kLostTime;
  }
  // Some file systems agree and do nothing.
  struct stat found;
  if (fstat(fd, &found) != 0) return status_of_errno(errno, "fstat");
  if ((found.st_mode & 0777) != mode) *lost |= kLostMode;
  if (std::abs(found.st_mtim.tv_sec - request.mtime_seconds) > kTimeGrainSeconds) {
    *lost |= kLostTime;
  }
  return kOkStatus;
}

// With O_NOFOLLOW and O_DIRECTORY a link is no directory.
bool is_link_in_way(const Status& status) {
  return status.code == Code::ERR_FR_NAME &&
         (status.sys_errno == ELOOP || status.sys_errno == ENOTDIR);
}

}  // namespace

Status DataDir::find_place(std::string_view name, bool create, NamePlace* place,
                           Names names) const {
  if (Status status = check_name_bytes(name, names); !status.ok()) return status;
  const Confine confine = best_confine(root_);
  Status status = open_parent(root_, name, create, confine, place);
  if (is_link_in_way(status)) {
    const std::string inside = through_version(root_, name, false, confine);
    if (!inside.empty()) status = open_parent(root_, inside, create, confine, place);
  }
  if (!status.ok()) return status;
  // However the file system compares names, ours are out of reach.
  struct stat parent, own;
  if (fstat(place->parent.get(), &parent) != 0) return status_of_errno(errno, "fstat");
  for (const int fd : {control_, partials_}) {
    if (fd < 0) continue;
    if (fstat(fd, &own) != 0) return status_of_errno(errno, "fstat");
    if (is_one_file(parent, own)) return {Code::ERR_FR_NAME, 0, ".fastreplica is reserved"};
  }
  return kOkStatus;
}

Status DataDir::check_name(std::string_view name, bool no_clobber) noexcept {
  NamePlace place;
  if (Status status = find_place(name, false, &place); !status.ok()) return status;
  return check_place(place, no_clobber);
}

Status DataDir::find_partial(const PublishRequest& request, FileRef* out) const {
  if (Status status = check_partial_id(request.id); !status.ok()) return status;
  if (request.mtime_nanos > 999'999'999) return {Code::ERR_FR_IO, EINVAL, "futimens"};
  const FileRef file = file_table_get(request.file);
  if (file == nullptr) return {Code::ERR_FR_CLOSED, 0};
  // What is verified is the open file; what is renamed is a name. They must be one.
  struct stat open_file, named;
  if (fstat(file->fd, &open_file) != 0) return status_of_errno(errno, "fstat");
  if (fstatat(partials_, std::string(request.id).c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0) {
    return status_of_errno(errno, "stat");
  }
  if (!is_one_file(open_file, named)) {
    return {Code::ERR_FR_IO, ESTALE, "another file is in the place of the partial file"};
  }
  if (static_cast<uint64_t>(open_file.st_size) != file->size) {
    return {Code::ERR_FR_IO, 0, "somebody else has changed the size of the partial file"};
  }
  *out = file;
  return kOkStatus;
}

Status DataDir::probe(const PublishRequest& request, uint32_t* lost) noexcept {
  FileRef file;
  if (Status status = find_partial(request, &file); !status.ok()) return status;
  if (Status status = set_attributes(file->fd, request, lost); !status.ok()) return status;
  // Hidden again. Who refuses this has refused the other mode as well.
  if (fchmod(file->fd, 0600) != 0 && !is_attribute_refusal(errno)) {
    return status_of_errno(errno, "fchmod");
  }
  const std::string id(request.id), moved = id + ".probe";
  const auto how = request.no_clobber ? Replace::kNever : Replace::kAllowed;
  if (Status status = move_file(partials_, id, partials_, moved, how); !status.ok()) return status;
  return move_file(partials_, moved, partials_, id, how);
}

Status DataDir::publish(const PublishRequest& request, uint32_t* lost) noexcept {
  // The name is judged first: nothing is worth syncing for a name that cannot be.
  NamePlace place;
  Status status = find_place(request.name, true, &place);
  if (status.ok()) status = check_place(place, request.no_clobber);
  if (!status.ok()) return status;
  FileRef file;
  if (status = find_partial(request, &file); !status.ok()) return status;
  uint32_t not_kept = 0;
  if (file->joined != nullptr) {
    // Before the attributes: the map moves the time of the head.
    Joined::Synced synced;
    if (status = file->joined->sync(&synced); !status.ok()) return status;
    if (synced.was_lost) return {Code::ERR_FR_IO, EIO, "fdatasync"};
  }
  if (status = set_attributes(file->fd, request, &not_kept); !status.ok()) return status;
  if (lost != nullptr) *lost = not_kept;
  // fsync, after mode and mtime: one commit makes all of it durable before the name appears.
  if (status = sync_fd(file->fd); !status.ok()) return status;

  // The user named a path: a directory that is not there any more is no place to succeed in.
  bool is_ours = false;
  if (status = check_path(&is_ours); !status.ok()) return status;
  if (!is_ours) return {Code::ERR_FR_DATA_DIR_GONE, 0, "another directory is at its path"};
  const std::string id(request.id);
  const auto how = request.no_clobber ? Replace::kNever : Replace::kAllowed;
  status = move_file(partials_, id, place.parent.get(), place.last, how);
  if (!status.ok()) return status;
  in_use_.erase(id);
  if (status = sync_fd(place.parent.get()); !status.ok()) return status;
  return sync_fd(partials_);
}

}  // namespace fr
