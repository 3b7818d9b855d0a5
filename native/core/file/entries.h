// Many entries of a data directory at once: looked at, listed, and put in their places. Internal to
// storage; what the calls promise is said in storage.h.
//
// The idea: a tree has so many small files that a call, a flush and a look-up of the way for each
// would cost more than their bytes. So one call takes a list of steps as one buffer and answers
// with one buffer; what is new is made out of sight, one flush makes all of it durable, and then
// each name appears in one rename. Directories on the way stay open from one step to the next.
//
// Numbers in the buffers are little-endian; rows have no padding. src/engine/native/entries.ts
// writes and reads them.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/file/file_table.h"
#include "core/file/storage_paths.h"

struct statx;

namespace fr::entries {

// What is at a name: a number of the binding's contract.
enum class Kind : uint8_t { kNone = 0, kFile = 1, kDirectory = 2, kSymlink = 3, kOther = 4 };

template <typename Number>
void append(Number number, std::string* out) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  char bytes[sizeof number];
  memcpy(bytes, &number, sizeof number);
  out->append(bytes, sizeof number);
}

// A row of 56 bytes: kind, 1 where it is the root of a mount, mode (u16), links (u32), size, inode
// (u64), seconds of mtime and ctime (i64), their nanoseconds, owner, group (u32).
inline constexpr size_t kLookBytes = 56;
void append_look(const struct statx& found, std::string* out);
void append_nothing(std::string* out);

// What is under `name` in a directory now, without following a link; `*is_there` false: nothing.
Status look(int parent, const char* name, struct statx* found, bool* is_there);

enum class StepKind : uint8_t {
  kDirectory = 1,   // is there, and open to its owner; its attributes come later
  kFile = 2,        // size bytes from `offset` of the open file `file`
  kPartial = 3,     // the partial whose id is `extra`
  kSymlink = 4,     // to `extra`
  kHardlink = 5,    // another name of the file, or symlink, `extra`
  kAttributes = 6,  // of what is there
  kRemove = 7,      // a directory only when it is empty
};

inline constexpr uint8_t kHasAttributes = 1;
inline constexpr uint8_t kHasOwner = 2;
inline constexpr uint8_t kIsSparse = 4;
// What is in the way, or is to be removed, may be a directory with all that is in it.
inline constexpr uint8_t kReplacesDirectories = 8;

struct Step {
  StepKind kind = StepKind::kDirectory;
  uint8_t flags = 0;
  uint32_t mode = 0;
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanos = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  std::string_view name;  // relative to DATA
  std::string_view extra;
  std::string_view xattrs;  // each: length of the name (u16), of the value (u32), name, value
};

// Takes the first step off a buffer; false when it holds no whole one.
bool next_step(std::string_view* buffer, Step* out);

// Reads an open file in large pieces, of which many small files are then made.
class BundleBytes {
 public:
  // Writes the bytes of a kFile step to the beginning of an empty file.
  Status copy(const Step& step, int to);

 private:
  // Bytes of [offset, offset + wanted) that are there in one piece; empty at the end of the file.
  Status at(uint32_t handle, uint64_t offset, uint64_t wanted, std::string_view* out);

  uint32_t handle_ = 0;
  FileRef file_;
  std::unique_ptr<char[]> buffer_;
  uint64_t from_ = 0;
  uint64_t bytes_ = 0;
};

// Mode, time, owner and extended attributes of an open file, or of what a name of an open directory
// stands for. `*lost`: kLost bits of storage.h of what the file system did not take.
Status set_attributes(int fd, const Step& step, uint32_t* lost);
Status set_attributes_at(int parent, const char* name, const Step& step, uint32_t* lost);
// Some file systems agree and do nothing: what was found afterwards tells.
void compare_attributes(const struct statx& found, const Step& step, uint32_t* lost);

// Removes what is under a name, a directory with all that is in it. Nothing at all is removed where
// something below is a mount: ERR_FR_NAME.
Status remove_all(int parent, const char* name);

// ERR_FR_NAME where what is under a name, or anything below it, is a mount.
Status check_no_mounts(int parent, const char* name);

// Removes what is in an open directory, as far as it can be.
void remove_contents(int directory);

// Directories that were opened on the way to names, by their paths.
class Parents {
 public:
  using Open = std::function<Status(std::string_view name, bool create, NamePlace* place)>;
  explicit Parents(Open open) : open_(std::move(open)) {}

  // The directory of a name and its last component, both valid until the next call. `*parent` is -1
  // where a directory on the way is missing and may not be made.
  Status find(std::string_view name, bool create, int* parent, std::string* last);
  // A directory was replaced or removed: what is below it is opened anew.
  void forget();

 private:
  static constexpr size_t kKept = 128;
  Open open_;
  std::map<std::string, Fd, std::less<>> opened_;
  // The last directory that was not there, until one is made.
  std::string missing_;
  bool is_missing_ = false;
};

}  // namespace fr::entries
