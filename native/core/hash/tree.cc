#include "core/hash/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include "core/file/storage_paths.h"
#include "core/io/calls.h"

namespace fr {
namespace {

// Linux gives no longer list of names, and no longer value.
constexpr size_t kXattrBytes = 64 << 10;
// What has been read is written in pieces of this size, while it is in the cache.
constexpr size_t kWriteBytes = 1 << 20;

enum class Kind : uint8_t { kDirectory = 0, kFile = 1, kSymlink = 2, kOther = 3 };

template <typename Number>
void put(std::string* out, Number value) {
  char bytes[sizeof value];
  for (char& byte : bytes) byte = static_cast<char>(value & 0xff), value >>= 7, value >>= 1;
  out->append(bytes, sizeof bytes);
}

template <typename Number>
Number take(std::string_view* in) {
  Number value = 0;
  for (size_t at = sizeof value; at-- > 0;) {
    value = static_cast<Number>((value << 7 << 1) | static_cast<uint8_t>((*in)[at]));
  }
  in->remove_prefix(sizeof value);
  return value;
}

TreeIdentity identity_of(const struct stat& found) {
  std::string packed;
  packed.reserve(kTreeIdentityBytes);
  put<uint64_t>(&packed, found.st_dev);
  put<uint64_t>(&packed, found.st_ino);
  put<uint64_t>(&packed, static_cast<uint64_t>(found.st_size));
  put<uint64_t>(&packed, static_cast<uint64_t>(found.st_mtim.tv_sec));
  put<uint64_t>(&packed, static_cast<uint64_t>(found.st_ctim.tv_sec));
  put<uint32_t>(&packed, static_cast<uint32_t>(found.st_mtim.tv_nsec));
  put<uint32_t>(&packed, static_cast<uint32_t>(found.st_ctim.tv_nsec));
  TreeIdentity identity;
  std::memcpy(identity.data(), packed.data(), identity.size());
  return identity;
}

Status open_directory(const std::string& path, const TreeIdentity& identity, Fd* out) {
  const int fd = static_cast<int>(uninterrupted([&] {
    return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  }));
  if (fd < 0) return {code_of_errno(errno, Code::ERR_FR_SOURCE), errno, "open"};
  Fd held(fd);
  struct stat found;
  if (fstat(fd, &found) != 0) return {Code::ERR_FR_SOURCE, errno, "fstat"};
  constexpr size_t kDeviceAndInode = 16;
  const TreeIdentity now = identity_of(found);
  if (std::memcmp(now.data(), identity.data(), kDeviceAndInode) != 0) {
    return {Code::ERR_FR_SOURCE_CHANGED, 0};
  }
  *out = std::move(held);
  return kOkStatus;
}

Kind kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return Kind::kDirectory;
  if (S_ISREG(mode)) return Kind::kFile;
  return S_ISLNK(mode) ? Kind::kSymlink : Kind::kOther;
}

// The target of a link; empty where it cannot be read.
std::string target_of(int directory, const char* name, off_t size) {
  // Some systems tell no size.
  std::string target(static_cast<size_t>(std::clamp<off_t>(size, 255, PATH_MAX)) + 1, '\0');
  const ssize_t got = readlinkat(directory, name, target.data(), target.size());
  if (got < 0) return {};
  target.resize(static_cast<size_t>(got));
  return target;
}

bool is_wanted(std::string_view attribute, TreeWants wants) {
  if (attribute.starts_with("system.posix_acl_")) return wants.acls;
  return wants.xattrs && (attribute.starts_with("user.") || attribute == "security.capability");
}

// What cannot be read is left out, as on a system that keeps none.
std::string xattrs_of(const std::string& path, TreeWants wants) {
  thread_local const auto buffer = std::make_unique_for_overwrite<char[]>(2 * kXattrBytes);
  char* const names = buffer.get();  // NOLINT(clang-analyzer-cplusplus.NewDelete): thread_local
  char* const value = names + kXattrBytes;
  std::string out;
  const ssize_t listed = llistxattr(path.c_str(), names, kXattrBytes);
  for (ssize_t at = 0; at < listed;) {
    const std::string_view name(names + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    if (!is_wanted(name, wants) || name.size() > UINT8_MAX) continue;
    const ssize_t got = lgetxattr(path.c_str(), name.data(), value, kXattrBytes);
    if (got < 0) continue;
    put<uint8_t>(&out, static_cast<uint8_t>(name.size()));
    put<uint32_t>(&out, static_cast<uint32_t>(got));
    out.append(name).append(value, static_cast<size_t>(got));
  }
  return out;
}

void put_record(std::string* out, int directory, const std::string& path, const std::string& name,
                TreeWants wants) {
  struct stat found = {};
  const bool is_seen = fstatat(directory, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
  const int error = is_seen ? 0 : errno;
  const Kind kind = is_seen ? kind_of(found.st_mode) : Kind::kOther;
  std::string target;
  if (kind == Kind::kSymlink) target = target_of(directory, name.c_str(), found.st_size);
  std::string xattrs;
  if (is_seen && (wants.xattrs || wants.acls)) xattrs = xattrs_of(path + '/' + name, wants);
  const auto size = static_cast<uint64_t>(found.st_size);
  constexpr size_t kFixedBytes = 96;
  const size_t bytes = kFixedBytes + name.size() + target.size() + xattrs.size();
  put<uint32_t>(out, static_cast<uint32_t>(bytes));
  put<uint8_t>(out, static_cast<uint8_t>(kind));
  put<uint8_t>(out, 0);
  put<uint16_t>(out, static_cast<uint16_t>(name.size()));
  put<uint32_t>(out, found.st_mode);
  put<uint32_t>(out, static_cast<uint32_t>(std::min<uint64_t>(found.st_nlink, UINT32_MAX)));
  put<uint32_t>(out, found.st_uid);
  put<uint32_t>(out, found.st_gid);
  put<uint32_t>(out, static_cast<uint32_t>(error));
  put<uint32_t>(out, static_cast<uint32_t>(xattrs.size()));
  const TreeIdentity identity = identity_of(found);
  out->append(reinterpret_cast<const char*>(identity.data()), identity.size());
  put<uint64_t>(out, std::min<uint64_t>(size, static_cast<uint64_t>(found.st_blocks) * 512));
  put<uint32_t>(out, static_cast<uint32_t>(target.size()));
  put<uint32_t>(out, 0);
  out->append(name).append(target).append(xattrs);
}

// One file of those that `read_files` reads.
struct Asked {
  std::string_view identity;
  uint64_t at;
  std::string path;

  // False: these bytes are no such list.
  bool take_from(std::string_view* in) {
    constexpr size_t kHead = kTreeIdentityBytes + 8 + 4;
    if (in->size() < kHead) return false;
    identity = in->substr(0, kTreeIdentityBytes);
    in->remove_prefix(kTreeIdentityBytes);
    at = take<uint64_t>(in);
    const auto bytes = take<uint32_t>(in);
    if (in->size() < bytes) return false;
    path = in->substr(0, bytes);
    in->remove_prefix(bytes);
    return true;
  }
};

enum class Outcome : uint32_t { kRead = 0, kChanged = 1, kFailed = 2 };

struct FileRead {
  Outcome outcome = Outcome::kRead;
  int error = 0;
};

bool is_as_asked(int fd, std::string_view identity, struct stat* found) {
  if (fstat(fd, found) != 0) return false;
  const TreeIdentity now = identity_of(*found);
  return std::memcmp(now.data(), identity.data(), now.size()) == 0;
}

// Reads the whole file if it is, before and afterwards, what was looked at.
FileRead read_file(const Asked& asked, uint8_t* into, size_t room, size_t* bytes) {
  const int fd = static_cast<int>(uninterrupted([&] {
    return open(asked.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  }));
  if (fd < 0) {
    const bool is_other = errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO;
    return {is_other ? Outcome::kChanged : Outcome::kFailed, errno};
  }
  const Fd held(fd);
  struct stat found;
  if (!is_as_asked(fd, asked.identity, &found) || !S_ISREG(found.st_mode)) {
    return {Outcome::kChanged, 0};
  }
  *bytes = static_cast<size_t>(found.st_size);
  if (*bytes > room) return {Outcome::kFailed, EFBIG};
  for (size_t done = 0; done < *bytes;) {
    const ssize_t got = uninterrupted([&] { return read(fd, into + done, *bytes - done); });
    if (got < 0) return {Outcome::kFailed, errno};
    if (got == 0) return {Outcome::kChanged, 0};
    done += static_cast<size_t>(got);
  }
  if (!is_as_asked(fd, asked.identity, &found)) return {Outcome::kChanged, 0};
  return {};
}

// Bytes that wait to be written behind one another.
class Spool {
 public:
  explicit Spool(int fd) : fd_(fd) {}

  // Room for the bytes of the next file, which go to `at`.
  Status begin(uint64_t at) {
    if (at != at_ + used_ || used_ >= kWriteBytes || fd_ < 0) {
      if (Status status = flush(); !status.ok()) return status;
      at_ = at;
    }
    return kOkStatus;
  }
  uint8_t* room() { return buffer_.get() + used_; }
  void keep(size_t bytes) { used_ += bytes; }

  Status flush() {
    size_t done = 0;
    while (fd_ >= 0 && done < used_) {
      const ssize_t wrote = uninterrupted([&] {
        return pwrite(fd_, buffer_.get() + done, used_ - done, static_cast<off_t>(at_ + done));
      });
      if (wrote < 0) return status_of_errno(errno, "write");
      done += static_cast<size_t>(wrote);
    }
    at_ += used_;
    used_ = 0;
    return kOkStatus;
  }

 private:
  const int fd_;
  uint64_t at_ = 0;
  size_t used_ = 0;
  const std::unique_ptr<uint8_t[]> buffer_ =
      std::make_unique_for_overwrite<uint8_t[]>(kWriteBytes + kTreeFileBytes);
};

}  // namespace

Status list_names(const std::string& directory, const TreeIdentity& identity, std::string* out,
                  size_t* count) {
  Fd fd;
  if (Status status = open_directory(directory, identity, &fd); !status.ok()) return status;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(fd.get()), closedir);
  if (entries == nullptr) return {Code::ERR_FR_SOURCE, errno, "fdopendir"};
  fd.release();
  // One run of text and where each name begins: a directory may hold a million.
  std::string text;
  std::vector<size_t> starts;
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(entries.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    starts.push_back(text.size());
    text.append(name).push_back('\0');
  }
  if (errno != 0) return {Code::ERR_FR_SOURCE, errno, "readdir"};
  std::sort(starts.begin(), starts.end(),
            [&](size_t a, size_t b) { return std::strcmp(text.data() + a, text.data() + b) < 0; });
  out->reserve(out->size() + text.size() + starts.size());
  for (const size_t start : starts) {
    const std::string_view name = text.data() + start;
    put<uint16_t>(out, static_cast<uint16_t>(name.size()));
    out->append(name);
  }
  *count = starts.size();
  return kOkStatus;
}

Status look_at(const std::string& directory, const TreeIdentity& identity, std::string_view names,
               TreeWants wants, std::string* out) {
  Fd fd;
  if (Status status = open_directory(directory, identity, &fd); !status.ok()) return status;
  while (!names.empty()) {
    if (names.size() < 2) return {Code::ERR_FR_IO, EINVAL};
    const auto bytes = take<uint16_t>(&names);
    if (names.size() < bytes) return {Code::ERR_FR_IO, EINVAL};
    put_record(out, fd.get(), directory, std::string(names.substr(0, bytes)), wants);
    names.remove_prefix(bytes);
  }
  return kOkStatus;
}

Status read_files(std::string_view asked, Algorithm algorithm, uint64_t block_bytes, int into,
                  std::string* out) {
  Spool spool(into);
  Asked file;
  while (!asked.empty()) {
    if (!file.take_from(&asked)) return {Code::ERR_FR_IO, EINVAL};
    if (Status status = spool.begin(file.at); !status.ok()) return status;
    size_t bytes = 0;
    const FileRead done = read_file(file, spool.room(), kTreeFileBytes, &bytes);
    uint8_t digest[32] = {};
    if (done.outcome == Outcome::kRead) {
      const Status hashed = file_digest(spool.room(), bytes, block_bytes, algorithm, digest);
      if (!hashed.ok()) return hashed;
      spool.keep(bytes);
    }
    put<uint32_t>(out, static_cast<uint32_t>(done.outcome));
    put<uint32_t>(out, static_cast<uint32_t>(done.error));
    out->append(reinterpret_cast<const char*>(digest), sizeof digest);
  }
  return spool.flush();
}

}  // namespace fr
