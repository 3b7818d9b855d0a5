// Reads a tree for whoever sends it: what is in a directory, and the bytes of many small files.
//
// The idea: a tree of a million entries costs a few system calls for each and nothing else, so one
// call from JavaScript answers for a whole directory, or for some megabytes of files. Answers are
// packed; src/engine/native/tree-files.ts reads them. Nothing here follows a symlink in the last
// component of a path, and what is opened must still be what was looked at.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bounds.h"
#include "core/base/status.h"
#include "core/hash/hash.h"

namespace fr {

// u64 device | u64 inode | u64 size | i64 mtime, i64 ctime in seconds | u32 mtime, u32 ctime in
// nanoseconds: any change of content changes it.
inline constexpr size_t kTreeIdentityBytes = 48;
using TreeIdentity = std::array<uint8_t, kTreeIdentityBytes>;

struct TreeWants {
  // `user.*` and `security.capability`.
  bool xattrs = false;
  // `system.posix_acl_access` and `system.posix_acl_default`.
  bool acls = false;
};

// Entries that are looked at in one call.
inline constexpr size_t kTreeLooks = 1'024;

// Appends the names in a directory, sorted by bytes: u16 length | name each. `directory` must be
// the device and inode of `identity`. ERR_FR_SOURCE_CHANGED when it is another one, else as
// `open` says.
Status list_names(const std::string& directory, const TreeIdentity& identity, std::string* out,
                  size_t* count);

// Appends a record for each of these names (as `list_names` packs them):
//
//   u32 bytes of the record | u8 kind: 0 directory, 1 file, 2 symlink, 3 other | u8 0
//   | u16 bytes of the name | u32 mode (as st_mode) | u32 links | u32 uid | u32 gid
//   | u32 errno: it could not be looked at (then the rest is 0) | u32 bytes of attributes
//   | identity | u64 bytes that are no hole | u32 bytes of a link's target | u32 0
//   | name | target | attributes, each: u8 bytes of name | u32 bytes of value | name | value
Status look_at(const std::string& directory, const TreeIdentity& identity, std::string_view names,
               TreeWants wants, std::string* out);

// Reads files, one after the other: hashes each, and writes its bytes to a descriptor. `asked`:
//
//   identity | u64 where its bytes go | u32 bytes of the path | path
//
// Files are at most kTreeFileBytes; `into` -1: only hashed. Appends for each what became of it:
// u32 outcome (0 read, 1 changed, 2 failed) | u32 errno | 32 bytes, which begin with its file
// digest (docs/protocol.md, section 7) in blocks of `block_bytes`. The answer of the call itself is
// about `into`.
Status read_files(std::string_view asked, Algorithm algorithm, uint64_t block_bytes, int into,
                  std::string* out);

inline constexpr size_t kTreeFileBytes = bounds::bundledFileBytes;

}  // namespace fr
