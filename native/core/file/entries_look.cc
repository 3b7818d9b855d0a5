// What is there: rows about names, and the names in a directory.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/file/entries.h"
#include "core/file/storage.h"

namespace fr {
namespace {

// Names in one directory, and bytes of the answer.
constexpr size_t kListedMax = 1'048'576;
constexpr size_t kListBytesMax = 256ull << 20;

}  // namespace

namespace entries {

void append_look(const struct statx& found, std::string* out) {
  const auto kind = S_ISREG(found.stx_mode)   ? Kind::kFile
                    : S_ISDIR(found.stx_mode) ? Kind::kDirectory
                    : S_ISLNK(found.stx_mode) ? Kind::kSymlink
                                              : Kind::kOther;
  append(static_cast<uint8_t>(kind), out);
  append<uint8_t>((found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 ? 1 : 0, out);
  append(static_cast<uint16_t>(found.stx_mode & 07777), out);
  append(found.stx_nlink, out);
  append(found.stx_size, out);
  append(found.stx_ino, out);
  append(found.stx_mtime.tv_sec, out);
  append(found.stx_ctime.tv_sec, out);
  append(found.stx_mtime.tv_nsec, out);
  append(found.stx_ctime.tv_nsec, out);
  append(found.stx_uid, out);
  append(found.stx_gid, out);
}

void append_nothing(std::string* out) { out->append(kLookBytes, '\0'); }

Status look(int parent, const char* name, struct statx* found, bool* is_there) {
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  *is_there = statx(parent, name, kFlags, STATX_BASIC_STATS, found) == 0;
  if (*is_there || errno == ENOENT || errno == ENAMETOOLONG) return kOkStatus;
  return of_lookup(errno, "stat");
}

Status Parents::find(std::string_view name, bool create, int* parent, std::string* last) {
  if (Status status = check_name_bytes(name, Names::kAlsoVersions); !status.ok()) return status;
  const size_t slash = name.rfind('/');
  const auto path = name.substr(0, slash == std::string_view::npos ? 0 : slash);
  last->assign(name.substr(slash == std::string_view::npos ? 0 : slash + 1));
  const auto known = opened_.find(path);
  if (known != opened_.end()) {
    *parent = known->second.get();
    return kOkStatus;
  }
  *parent = -1;
  if (create) is_missing_ = false;
  if (is_missing_ && missing_ == path) return kOkStatus;
  NamePlace place;
  if (Status status = open_(name, create, &place); !status.ok()) return status;
  is_missing_ = !place.missing.empty();
  if (is_missing_) missing_ = path;
  if (is_missing_) return kOkStatus;
  if (opened_.size() >= kKept) opened_.clear();
  *parent = place.parent.get();
  opened_.emplace(path, std::move(place.parent));
  return kOkStatus;
}

void Parents::forget() {
  opened_.clear();
  is_missing_ = false;
}

}  // namespace entries

Status DataDir::look_at(std::string_view names, std::string* out) noexcept {
  entries::Parents parents([this](std::string_view name, bool create, NamePlace* place) {
    return find_place(name, create, place, Names::kAlsoVersions);
  });
  out->clear();
  std::string last;
  while (!names.empty()) {
    uint16_t bytes = 0;
    if (names.size() < sizeof bytes) return {Code::ERR_FR_IO, EINVAL, "look_at"};
    memcpy(&bytes, names.data(), sizeof bytes);
    names.remove_prefix(sizeof bytes);
    if (names.size() < bytes) return {Code::ERR_FR_IO, EINVAL, "look_at"};
    int parent = -1;
    bool is_there = false;
    struct statx found;
    Status status = parents.find(names.substr(0, bytes), false, &parent, &last);
    names.remove_prefix(bytes);
    if (status.ok() && parent >= 0) status = entries::look(parent, last.c_str(), &found, &is_there);
    // What is in the way of a name shows when the name is used.
    if (!status.ok() && status.code != Code::ERR_FR_NAME) return status;
    if (is_there) {
      entries::append_look(found, out);
    } else {
      entries::append_nothing(out);
    }
  }
  return kOkStatus;
}

Status DataDir::list_entries(std::string_view name, std::string* out) noexcept {
  out->clear();
  NamePlace place;
  if (Status status = find_place(name, false, &place, Names::kAlsoVersions); !status.ok()) {
    return status;
  }
  const Confine confine = best_confine(root_);
  Fd directory;
  Status status = open_directory(place, confine, &directory);
  if (!status.ok() && status.sys_errno != EXDEV) {
    const std::string version = through_version(root_, name, true, confine);
    if (!version.empty()) status = open_parent(root_, version, false, confine, &place);
    if (!version.empty() && status.ok()) status = open_directory(place, confine, &directory);
  }
  if (!status.ok()) return status;
  DIR* const list = fdopendir(dup(directory.get()));
  if (list == nullptr) return status_of_errno(errno, "open");
  size_t count = 0;
  while (const dirent* const entry = readdir(list)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (++count > kListedMax || out->size() > kListBytesMax) {
      status = {Code::ERR_FR_LIMIT, 0, "the directory has too many entries"};
      break;
    }
    bool is_there = false;
    struct statx found;
    status = entries::look(directory.get(), entry->d_name, &found, &is_there);
    if (!status.ok()) break;
    // It may go between the two calls.
    if (!is_there) continue;
    entries::append_look(found, out);
    const size_t bytes = strlen(entry->d_name);
    entries::append(static_cast<uint16_t>(bytes), out);
    out->append(entry->d_name, bytes);
  }
  closedir(list);
  return status;
}

}  // namespace fr
