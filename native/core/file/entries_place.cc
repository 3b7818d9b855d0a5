// Steps become entries: staged out of sight, made durable at once, and given their names.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <set>
#include <vector>

#include "core/file/entries.h"
#include "core/file/storage.h"

namespace fr {
namespace {

using entries::append;
using entries::Parents;
using entries::Step;
using entries::StepKind;

constexpr const char* kStaging = "staging";
constexpr size_t kStepsMax = 65'536;
// Up to this many an fsync each costs less than one of the whole file system.
constexpr size_t kFewSyncs = 16;

Status sync_system(int fd) {
  while (syncfs(fd) != 0) {
    if (errno != EINTR) return status_of_errno(errno, "syncfs");
  }
  return kOkStatus;
}

class Placing {
 public:
  // `prefix` of names in `staging` that nothing there has.
  Placing(int root, int partials, int staging, std::string prefix, Parents* parents)
      : root_(root),
        partials_(partials),
        staging_(staging),
        prefix_(std::move(prefix)),
        parents_(parents) {}

  // One after the other: every step is taken first, then what was staged is made durable, then
  // every step gets its name.
  bool take(std::string_view steps);
  void stage();
  Status sync_staged();
  void settle();
  Status sync_directories();
  void answer(std::string* out) const;

 private:
  struct Placed {
    Step step;
    Status status{};
    uint32_t lost = 0;
    bool is_staged = false;
    std::string look{};
  };

  Status stage_file(Placed* placed, size_t index);
  Status stage_partial(Placed* placed);
  Status stage_symlink(Placed* placed, size_t index);
  void settle_one(Placed* placed, size_t index);
  Status directory(const Placed& placed, int parent, const std::string& last, size_t index);
  Status replace_by_directory(int parent, const std::string& last, mode_t mode, size_t index);
  Status hardlink(const Placed& placed, int parent, const std::string& last, size_t index);
  Status move_in(int from, const std::string& name, const Placed& placed, int parent,
                 const std::string& last);
  Status replace_directory(int from, const std::string& name, int parent, const std::string& last);
  Status remove(int parent, const std::string& last);
  Status remove_whole(int parent, const std::string& last);
  void touched(std::string_view name);

  std::string staged_name(size_t index) const { return prefix_ + std::to_string(index); }

  int root_;
  int partials_;
  int staging_;
  std::string prefix_;
  Parents* parents_;
  // A directory has gone: what is open of it must not be used after the present step.
  bool is_stale_ = false;
  entries::BundleBytes bytes_;
  std::vector<Placed> all_;
  size_t files_ = 0;
  // Paths of the directories that have other entries now.
  std::set<std::string, std::less<>> touched_;
};

bool Placing::take(std::string_view steps) {
  Step step;
  while (!steps.empty()) {
    if (all_.size() >= kStepsMax || !entries::next_step(&steps, &step)) return false;
    all_.push_back({.step = step});
    if (step.kind == StepKind::kFile || step.kind == StepKind::kPartial) files_++;
  }
  return true;
}

void Placing::stage() {
  for (size_t index = 0; index < all_.size(); index++) {
    Placed& placed = all_[index];
    switch (placed.step.kind) {
      case StepKind::kFile:
        placed.status = stage_file(&placed, index);
        break;
      case StepKind::kPartial:
        placed.status = stage_partial(&placed);
        break;
      case StepKind::kSymlink:
        placed.status = stage_symlink(&placed, index);
        break;
      default:
        break;
    }
  }
}

Status Placing::stage_file(Placed* placed, size_t index) {
  const Step& step = placed->step;
  const std::string name = staged_name(index);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const Fd fd(openat(staging_, name.c_str(), kFlags, 0600));
  if (fd.get() < 0) return status_of_errno(errno, "open");
  placed->is_staged = true;
  if (Status status = bytes_.copy(step, fd.get()); !status.ok()) return status;
  Status status = entries::set_attributes(fd.get(), step, &placed->lost);
  return status.ok() && files_ <= kFewSyncs ? sync_fd(fd.get()) : status;
}

Status Placing::stage_partial(Placed* placed) {
  const Step& step = placed->step;
  if (Status status = check_partial_id(step.extra); !status.ok()) return status;
  const std::string id(step.extra);
  const Fd fd(openat(partials_, id.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (fd.get() < 0) return status_of_errno(errno, "open");
  struct stat found;
  if (fstat(fd.get(), &found) != 0) return status_of_errno(errno, "fstat");
  if (!S_ISREG(found.st_mode) || static_cast<uint64_t>(found.st_size) != step.size) {
    return {Code::ERR_FR_IO, ESTALE, "another file is in the place of the partial file"};
  }
  Status status = entries::set_attributes(fd.get(), step, &placed->lost);
  return status.ok() && files_ <= kFewSyncs ? sync_fd(fd.get()) : status;
}

Status Placing::stage_symlink(Placed* placed, size_t index) {
  const std::string target(placed->step.extra), name = staged_name(index);
  if (symlinkat(target.c_str(), staging_, name.c_str()) != 0) {
    return status_of_errno(errno, "symlink");
  }
  placed->is_staged = true;
  return entries::set_attributes_at(staging_, name.c_str(), placed->step, &placed->lost);
}

Status Placing::sync_staged() { return files_ > kFewSyncs ? sync_system(staging_) : kOkStatus; }

void Placing::settle() {
  for (size_t index = 0; index < all_.size(); index++) settle_one(&all_[index], index);
}

void Placing::settle_one(Placed* placed, size_t index) {
  const Step& step = placed->step;
  int parent = -1;
  std::string last;
  Status& status = placed->status;
  const bool creates = step.kind != StepKind::kAttributes && step.kind != StepKind::kRemove;
  if (status.ok()) status = parents_->find(step.name, creates, &parent, &last);
  if (status.ok() && parent < 0) {
    if (step.kind != StepKind::kRemove) status = {Code::ERR_FR_NOT_HELD, 0};
    return;
  }
  if (status.ok()) {
    switch (step.kind) {
      case StepKind::kDirectory:
        status = directory(*placed, parent, last, index);
        break;
      case StepKind::kFile:
      case StepKind::kSymlink:
        status = move_in(staging_, staged_name(index), *placed, parent, last);
        break;
      case StepKind::kPartial:
        status = move_in(partials_, std::string(step.extra), *placed, parent, last);
        break;
      case StepKind::kHardlink:
        status = hardlink(*placed, parent, last, index);
        break;
      case StepKind::kAttributes:
        status = entries::set_attributes_at(parent, last.c_str(), step, &placed->lost);
        break;
      case StepKind::kRemove:
        status = (step.flags & entries::kReplacesDirectories) != 0 ? remove_whole(parent, last)
                                                                   : remove(parent, last);
        break;
      default:
        status = {Code::ERR_FR_IO, EINVAL, "place"};
    }
  }
  if (!status.ok() && placed->is_staged) unlinkat(staging_, staged_name(index).c_str(), 0);
  if (status.ok()) {
    if (step.kind != StepKind::kAttributes) touched(step.name);
    // Looked at last: a rename changes the file's ctime.
    bool is_there = false;
    struct statx found;
    status = parents_->find(step.name, false, &parent, &last);
    if (status.ok()) status = entries::look(parent, last.c_str(), &found, &is_there);
    if (is_there) {
      entries::append_look(found, &placed->look);
      entries::compare_attributes(found, step, &placed->lost);
    }
  }
  if (is_stale_) parents_->forget();
  is_stale_ = false;
}

Status Placing::directory(const Placed& placed, int parent, const std::string& last, size_t index) {
  const mode_t mode = 0700 | placed.step.mode;
  if (mkdirat(parent, last.c_str(), mode) == 0) return kOkStatus;
  if (errno != EEXIST) return of_lookup(errno, "mkdir");
  struct statx found;
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (statx(parent, last.c_str(), kFlags, STATX_TYPE | STATX_MODE, &found) != 0) {
    return of_lookup(errno, "stat");
  }
  if (!S_ISDIR(found.stx_mode)) return replace_by_directory(parent, last, mode, index);
  if ((found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) return of_lookup(EXDEV, "open");
  if ((found.stx_mode & 0700) == 0700) return kOkStatus;
  const mode_t opened = (found.stx_mode & 0777) | 0700;
  if (fchmodat(parent, last.c_str(), opened, AT_SYMLINK_NOFOLLOW) == 0) return kOkStatus;
  return of_lookup(errno, "fchmod");
}

// What is there is no directory; at no moment is there nothing.
Status Placing::replace_by_directory(int parent, const std::string& last, mode_t mode,
                                     size_t index) {
  const std::string made = staged_name(index);
  if (mkdirat(staging_, made.c_str(), mode) != 0) return status_of_errno(errno, "mkdir");
  if (renameat2(staging_, made.c_str(), parent, last.c_str(), RENAME_EXCHANGE) == 0) {
    (void)unlinkat(staging_, made.c_str(), 0);
    return kOkStatus;
  }
  const int error = errno;
  Status status = of_lookup(error, "rename");
  if (error == EINVAL || error == ENOSYS) {
    // A file system that cannot exchange two names.
    const bool is_gone = unlinkat(parent, last.c_str(), 0) == 0;
    if (is_gone && renameat(staging_, made.c_str(), parent, last.c_str()) == 0) return kOkStatus;
    status = of_lookup(errno, is_gone ? "rename" : "unlink");
  }
  (void)unlinkat(staging_, made.c_str(), AT_REMOVEDIR);
  return status;
}

Status Placing::hardlink(const Placed& placed, int parent, const std::string& last, size_t index) {
  // The way to the other name may push this one out of what is kept open.
  const Fd here(openat(parent, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (here.get() < 0) return status_of_errno(errno, "open");
  int source = -1;
  std::string source_last;
  if (Status status = parents_->find(placed.step.extra, false, &source, &source_last);
      !status.ok() || source < 0) {
    return status.ok() ? Status{Code::ERR_FR_NOT_HELD, 0} : status;
  }
  struct stat found;
  if (fstatat(source, source_last.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Status{Code::ERR_FR_NOT_HELD, 0} : of_lookup(errno, "stat");
  }
  if (!S_ISREG(found.st_mode) && !S_ISLNK(found.st_mode)) return {Code::ERR_FR_NOT_HELD, 0};
  if (linkat(source, source_last.c_str(), here.get(), last.c_str(), 0) == 0) return kOkStatus;
  if (errno != EEXIST) return of_lookup(errno, "link");
  const std::string made = staged_name(index);
  if (linkat(source, source_last.c_str(), staging_, made.c_str(), 0) != 0) {
    return of_lookup(errno, "link");
  }
  Status status = move_in(staging_, made, placed, here.get(), last);
  // Where both names were one file already, the rename did nothing.
  (void)unlinkat(staging_, made.c_str(), 0);
  return status;
}

Status Placing::move_in(int from, const std::string& name, const Placed& placed, int parent,
                        const std::string& last) {
  if (renameat(from, name.c_str(), parent, last.c_str()) == 0) return kOkStatus;
  if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST) return of_lookup(errno, "rename");
  if (unlinkat(parent, last.c_str(), AT_REMOVEDIR) == 0) {
    if (renameat(from, name.c_str(), parent, last.c_str()) == 0) return kOkStatus;
    return of_lookup(errno, "rename");
  }
  if (errno == EBUSY) return of_lookup(EXDEV, "rename");
  if ((placed.step.flags & entries::kReplacesDirectories) == 0) {
    return {Code::ERR_FR_IS_DIRECTORY, EISDIR};
  }
  return replace_directory(from, name, parent, last);
}

Status Placing::replace_directory(int from, const std::string& name, int parent,
                                  const std::string& last) {
  const std::string aside = prefix_ + "old";
  // Nothing is moved that could not be removed: a mount in it would go along, and stay.
  Status status = entries::check_no_mounts(parent, last.c_str());
  if (!status.ok()) return status;
  if (renameat2(from, name.c_str(), parent, last.c_str(), RENAME_EXCHANGE) == 0) {
    is_stale_ = true;
    (void)entries::remove_all(from, name.c_str());
    return kOkStatus;
  }
  if (errno != EINVAL && errno != ENOSYS) return of_lookup(errno, "rename");
  if (renameat(parent, last.c_str(), staging_, aside.c_str()) != 0) {
    return of_lookup(errno, "rename");
  }
  is_stale_ = true;
  if (renameat(from, name.c_str(), parent, last.c_str()) != 0) return of_lookup(errno, "rename");
  (void)entries::remove_all(staging_, aside.c_str());
  return kOkStatus;
}

Status Placing::remove(int parent, const std::string& last) {
  if (unlinkat(parent, last.c_str(), 0) == 0 || errno == ENOENT) return kOkStatus;
  if (errno == EISDIR || errno == EPERM) {
    if (unlinkat(parent, last.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
      is_stale_ = true;
      return kOkStatus;
    }
  }
  if (errno == EBUSY) return of_lookup(EXDEV, "unlink");
  if (errno == ENOTEMPTY || errno == EEXIST) return {Code::ERR_FR_IS_DIRECTORY, errno};
  return of_lookup(errno, "unlink");
}

Status Placing::remove_whole(int parent, const std::string& last) {
  is_stale_ = true;
  struct stat found;
  if (fstatat(parent, last.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
    return kOkStatus;
  }
  return entries::remove_all(parent, last.c_str());
}

void Placing::touched(std::string_view name) {
  const size_t slash = name.rfind('/');
  const auto path = name.substr(0, slash == std::string_view::npos ? 0 : slash);
  if (touched_.size() <= kFewSyncs && !touched_.contains(path)) touched_.emplace(path);
}

Status Placing::sync_directories() {
  if (touched_.size() > kFewSyncs) return sync_system(root_);
  for (const std::string& path : touched_) {
    int parent = -1;
    std::string last;
    // A name in it finds the directory; one that was removed meanwhile needs no sync.
    const std::string below = path.empty() ? "x" : path + "/x";
    if (!parents_->find(below, false, &parent, &last).ok() || parent < 0) continue;
    const Fd directory(openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) return status_of_errno(errno, "open");
    if (Status status = sync_fd(directory.get()); !status.ok()) return status;
  }
  return kOkStatus;
}

void Placing::answer(std::string* out) const {
  for (const Placed& placed : all_) {
    const std::string_view what = placed.status.what == nullptr ? "" : placed.status.what;
    append(static_cast<uint16_t>(placed.status.code), out);
    append(static_cast<uint16_t>(placed.status.sys_errno), out);
    append(placed.lost, out);
    if (placed.look.empty()) entries::append_nothing(out);
    out->append(placed.look);
    append(static_cast<uint16_t>(what.size()), out);
    out->append(what);
  }
}

}  // namespace

// DATA/.fastreplica/staging; what an earlier process left in it goes when it is first opened.
Status DataDir::open_staging(int* out) {
  if (mkdirat(control_, kStaging, 0700) != 0 && errno != EEXIST) {
    return status_of_errno(errno, "mkdir");
  }
  Fd fd(openat(control_, kStaging, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0) return status_of_errno(errno, "open");
  if (!is_staging_clean_) entries::remove_contents(fd.get());
  is_staging_clean_ = true;
  *out = fd.release();
  return kOkStatus;
}

Status DataDir::place_entries(std::string_view steps, std::string* out) noexcept {
  out->clear();
  int opened = -1;
  if (Status status = open_staging(&opened); !status.ok()) return status;
  const Fd staging(opened);
  Parents parents([this](std::string_view name, bool create, NamePlace* place) {
    return find_place(name, create, place, Names::kAlsoVersions);
  });
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  std::string prefix = std::to_string(now.tv_sec) + '.' + std::to_string(now.tv_nsec) + '.' +
                       std::to_string(++stagings_) + '.';
  Placing placing(root_, partials_, staging.get(), std::move(prefix), &parents);
  if (!placing.take(steps)) return {Code::ERR_FR_IO, EINVAL, "place"};
  is_staging_clean_ = false;
  placing.stage();
  Status status = placing.sync_staged();
  // The user named a path: a directory that is not there any more is no place to succeed in.
  bool is_ours = false;
  if (status.ok()) status = check_path(&is_ours);
  if (status.ok() && !is_ours) {
    status = {Code::ERR_FR_DATA_DIR_GONE, 0, "another directory is at its path"};
  }
  if (!status.ok()) return status;
  placing.settle();
  is_staging_clean_ = true;
  if (status = placing.sync_directories(); !status.ok()) return status;
  placing.answer(out);
  return kOkStatus;
}

}  // namespace fr
