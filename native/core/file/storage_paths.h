// Names below a directory, confined by the kernel. Internal to storage.
//
// The idea: a name is checked as bytes once (no `..`, no empty component, within bounds), and then
// never turned into a path that is looked up from the root again: the parent is an open directory,
// reached without a symlink, and only the last component is used with it.
#pragma once

#include <fcntl.h>

#include <string>
#include <string_view>

#include "core/base/bounds.h"
#include "core/base/status.h"

namespace fr {

// An fd that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(-1); }
  Fd(Fd&& from) noexcept : fd_(from.release()) {}
  Fd& operator=(Fd&& from) noexcept {
    reset(from.release());
    return *this;
  }

  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd);

 private:
  int fd_ = -1;
};

inline constexpr int kDirFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
inline constexpr size_t kNameBytesMax = bounds::nameBytes;
inline constexpr size_t kNameComponentBytesMax = bounds::nameComponentBytes;
inline constexpr size_t kPartialIdBytesMax = 128;
inline constexpr std::string_view kReservedName = ".fastreplica";
inline constexpr std::string_view kVersions = ".fastreplica/versions/";

// Which names lead somewhere: those that are published, or also those of versions of trees.
enum class Names { kPublished, kAlsoVersions };

// ERR_FR_NAME unless the bytes are a name as check_name of storage.h describes it, or, with
// kAlsoVersions, one in a version (or that of the version). Looks at nothing but the bytes.
Status check_name_bytes(std::string_view name, Names names = Names::kPublished);

// Bytes of `.fastreplica/versions/KEY/N` at the beginning of a name: KEY 32 lower-case hexadecimal
// digits, N a number without leading zeros. 0: it does not lead into a version.
size_t version_bytes(std::string_view name);

// ERR_FR_NAME unless the bytes are a partial's id.
Status check_partial_id(std::string_view id);

// How directories are kept below the root: openat2 and its RESOLVE_ flags, or, where that is
// missing, component by component with O_NOFOLLOW.
enum class Confine { kKernel, kStepwise };

// What this process can do; asked of the kernel once.
Confine best_confine(int root);

// Where a checked name belongs: an open directory, and the last component, to be used in it.
// `missing`: directories that still have to be made below `parent`, separated by slashes.
struct NamePlace {
  Fd parent;
  std::string last;
  std::string missing;
};

// Opens the directory that is to hold the last component of a checked name. With `create`, missing
// directories are made and their parents synced; without, `parent` is the last directory that is
// there. ERR_FR_NAME: a symlink, a non-directory, a closed directory or a mount point on the way.
Status open_parent(int root, std::string_view name, bool create, Confine confine, NamePlace* place);

// A tree that changes all at once is a link to its present version. For a checked name that goes
// through such a link, or with `follows_last` is one: the same place as a name in that version.
// Empty: it is no such name. The link has to lead from its own place, by as many `..` as it has
// directories above it, to a version, and by nothing else.
std::string through_version(int root, std::string_view name, bool follows_last, Confine confine);

// ERR_FR_NOT_HELD unless a regular file is there now.
Status check_file(const NamePlace& place);

// Opens the regular file that is there for reading. ERR_FR_NAME when it is a mount.
Status open_file(const NamePlace& place, Confine confine, Fd* out);

// Opens the directory that is there. ERR_FR_NOT_HELD when there is none, ERR_FR_NAME when it is a
// mount.
Status open_directory(const NamePlace& place, Confine confine, Fd* out);

// What a look-up, a rename or the making of an entry met, as it is said of a name.
Status of_lookup(int error, const char* call);

// Whether the name could be published at this place now: the directory is writable, the file
// system takes the components, and what is there (check_target) may be replaced.
Status check_place(const NamePlace& place, bool no_clobber);

// Judges what is under `last` in `parent` now; see check_name of storage.h.
Status check_target(int parent, const std::string& last, bool no_clobber);

// What a move does about a name that exists. kNeverByLink: for file systems without
// RENAME_NOREPLACE; a hard link refuses an existing name as well, and the old name goes afterwards.
// kNever falls back to it by itself.
enum class Replace { kAllowed, kNever, kNeverByLink };

// Gives `name` of one directory its new name in another, at once. A symlink that came to be at
// the target after check_target is replaced, not followed. ERR_FR_EXISTS, ERR_FR_IS_DIRECTORY,
// ERR_FR_NAME (another mount).
Status move_file(int from, const std::string& name, int to, const std::string& new_name,
                 Replace replace);

// fsync of a file or directory. Only EINVAL is forgiven: the file system has no fsync for it.
Status sync_fd(int fd);

}  // namespace fr
