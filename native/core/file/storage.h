// Files on this machine: the partial that is landed in, the name it gets. Sources: source.h.
//
// The idea: a node writes into a hidden file under DATA/.fastreplica/partials and a name appears
// under DATA in one rename, when every byte is verified and durable. What is killed in between
// leaves a partial and no lie. Names come from the network as raw bytes and are confined to DATA by
// the kernel, never by comparing strings.
//
// Everything here may block: it runs on the disk thread, never on a lane and never on the
// JavaScript thread. It must never follow a symlink below DATA and never throw (a process out of
// memory ends).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/status.h"
#include "core/file/file_table.h"

struct stat;

namespace fr {

// --- bytes of partials -------------------------------------------------------------------------

// Copies [offset, offset + length) of one file to the same place of another, in the kernel where
// it can. ERR_FR_IO when `from` ends earlier.
Status copy_in(uint32_t from, uint32_t to, uint64_t offset, uint64_t length, uint64_t at) noexcept;
inline Status copy_in(uint32_t from, uint32_t to, uint64_t offset, uint64_t length) noexcept {
  return copy_in(from, to, offset, length, offset);
}

// Allocates disk blocks for the range (clamped to the file's size), so that landing does not.
// Quietly does nothing where the file system cannot, and on tmpfs, where it only moves the cost.
// ERR_FR_NO_SPACE.
Status fallocate_range(File& file, uint64_t offset, uint64_t length) noexcept;

// Gives back the disk blocks of a range that holds zeros, where the file system can. A saving, so
// that nothing is reported.
void punch_range(File& file, uint64_t offset, uint64_t length) noexcept;

// Starts writing the range to disk without waiting for it.
Status writeback(File& file, uint64_t offset, uint64_t length) noexcept;

struct FlushedFile {
  uint64_t size = 0;
  uint64_t allocated = 0;    // bytes on the disk
  bool was_touched = false;  // size or mtime moved while the file was flushed
  bool was_lost = false;     // a part failed, and its units are zeros now; the rest is durable
};

// Makes the bytes of a partial durable, and says what the file is then.
Status flush(uint32_t file, FlushedFile* out) noexcept;

struct FileIdentity {
  uint64_t size = 0;
  uint64_t inode = 0;
  int64_t mtime_seconds = 0;
  int64_t mtime_nanos = 0;
  int64_t ctime_seconds = 0;
  int64_t ctime_nanos = 0;
};

// What tells whether a file is still the one that was looked at before.
Status identity_of(uint32_t file, FileIdentity* out) noexcept;

// Gives back what was allocated and never written; nothing is allocated ahead any more. A file that
// has grown gets the size that it was told last. Must run on the thread that allocates.
Status trim(uint32_t file) noexcept;

// Gives back the disk blocks of a file that hold nothing. A saving, so that nothing is reported.
void trim_holes(int fd) noexcept;

// Reads like pread, at most to the end of a piece; never stopped by a signal.
ssize_t read_some(const File& file, uint8_t* into, size_t bytes, uint64_t offset) noexcept;

// Writes all of it.
Status write_fully(File& file, const uint8_t* from, size_t bytes, uint64_t offset) noexcept;

// --- the data directory ------------------------------------------------------------------------

struct NamePlace;
enum class Names;  // its first: those that are published

// Attributes that a file system did not keep.
inline constexpr uint32_t kLostMode = 1;
inline constexpr uint32_t kLostTime = 2;
inline constexpr uint32_t kLostOwner = 4;
inline constexpr uint32_t kLostXattrs = 8;

struct PublishRequest {
  uint32_t file = 0;      // handle of the partial
  std::string_view id;    // under which the partial was created
  std::string_view name;  // raw bytes, relative to DATA
  uint32_t mode = 0;      // only the bits of 0777 are applied
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanos = 0;
  bool no_clobber = false;
};

// An opened, locked and prepared DATA. One thread at a time (the disk thread). Destroying it
// unlocks DATA; files made through it stay open until their handles go.
class DataDir {
 public:
  // Makes DATA (0755) when only it is missing, and DATA/.fastreplica (0700) with `partials` and
  // `lock`. ERR_FR_DATA_DIR when it is no directory or not writable, ERR_FR_DATA_DIR_LOCKED when
  // another opener holds the lock, in this process or another.
  // `is_read_only`: nothing is made, locked or written; DATA must be there. `disk`: place of the
  // threads that work on its files.
  static Status open(const char* path, std::unique_ptr<DataDir>* out, bool is_read_only = false,
                     uint32_t disk = 0) noexcept;
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  // Looks the path up again. Where another directory is there now, or ours has lost what is in
  // .fastreplica, goes over to what is there (`*was_replaced`): partials that are in use are lost,
  // and removed where they were. ERR_FR_DATA_DIR_GONE when no directory is at the path, or one of
  // another file system that is no mount; ERR_FR_DATA_DIR when it is not writable;
  // ERR_FR_DATA_DIR_LOCKED. After an error everything is as before.
  Status refresh(bool* was_replaced) noexcept;

  // Refuses now what publish would refuse later, as far as it can be known. ERR_FR_NAME: not a
  // relative path of plain components of at most 255 bytes and 4096 in all, the reserved
  // `.fastreplica`; a symlink, a non-directory, a closed directory or a mount point on the way; a
  // component that the file system does not take; something at the end that is no regular file or
  // may not be replaced. ERR_FR_IS_DIRECTORY: a directory is at the end. ERR_FR_EXISTS: anything
  // else is there and `no_clobber`.
  Status check_name(std::string_view name, bool no_clobber) noexcept;

  // A sparse 0600 file of `size` bytes; handle into `*file`. `id`: 1 to 128 bytes of
  // [0-9a-zA-Z._-], not starting with a dot. ERR_FR_EXISTS when a partial of that id is there.
  Status create_partial(std::string_view id, uint64_t size, uint32_t* file) noexcept;

  // Opens a partial that was left behind, for reading and writing; from then on it is in use.
  // ERR_FR_NOT_HELD when there is no regular file of that id, or it has more names than `names`:
  // what is written there must be seen by nobody.
  Status open_partial(std::string_view id, uint32_t* file, uint64_t names = 1) noexcept;

  // Opens a published file for reading. ERR_FR_NOT_HELD when no regular file is under the name,
  // ERR_FR_NAME as of check_name for what is wrong with it or on the way to it.
  Status open_held(std::string_view name, uint32_t* file) noexcept;

  // Removes a published file, then the directories above it that are empty, never DATA, and syncs
  // the directory that has lost an entry. Errors as of open_held.
  Status remove(std::string_view name) noexcept;

  // Tries out on a partial what publish will do with it, and leaves it as it was. `*lost`: kLost
  // bits of what the file system will not keep.
  Status probe(const PublishRequest& request, uint32_t* lost) noexcept;

  // Makes the file durable with its mode and mtime, then lets it appear under its name: missing
  // parent directories are made (0755), the rename is atomic, the directories are synced. `*lost`
  // as of probe. Errors as of check_name, and ERR_FR_NO_SPACE, ERR_FR_IO, and ERR_FR_DATA_DIR_GONE
  // when the directory is not at its path. After an error the partial is still there, unless only
  // the final sync failed.
  Status publish(const PublishRequest& request, uint32_t* lost = nullptr) noexcept;

  // A tree that changes all at once is a link to a version of it, DATA/.fastreplica/versions/KEY/N
  // (storage_paths.h). All of these calls go through such a link to what is beneath its name, and
  // through no other. The three that follow also take names in a version.

  // What is at many names now, no link followed (entries.h has the buffers). `names`: each with its
  // length before it (u16). A row each; nothing is there where a name or its way is refused.
  Status look_at(std::string_view names, std::string* out) noexcept;

  // What is in a directory, or in the version that a link to one leads to: a row each, the length
  // of its name (u16), and the name. ERR_FR_NOT_HELD when no directory is there, ERR_FR_NAME when
  // it is a mount.
  Status list_entries(std::string_view name, std::string* out) noexcept;

  // Puts many entries in their places, in order. Each that is new or changed is whole and durable
  // before it gets its name in one rename, the directories are synced at the end; a step that fails
  // keeps no other from its place. Answers for each: code (u16), errno (u16), lost bits (u32), the
  // row of what is there now, length (u16) and text of Status::what. An error of the call itself:
  // nothing is in its place, or not all of it is durable.
  Status place_entries(std::string_view steps, std::string* out) noexcept;

  // Removes a partial; a missing one is no error.
  Status discard(std::string_view id) noexcept;

  // Removes partials that were not touched (ctime) for this long and that nobody in this process
  // holds open through a FileRef. Their number goes to `*removed`. Those that stay give back what
  // was allocated and never written.
  Status expire(uint64_t older_than_seconds, uint64_t* removed) noexcept;

  // Partials that nobody in this process holds open, a line each: id, space, bytes on the disk.
  Status list(std::string* out) noexcept;

  // Bytes an ordinary user may still write.
  Status free_bytes(uint64_t* out) const noexcept;

 private:
  DataDir() = default;
  // `before`: what was open for the path until now; nothing but its lock is taken over.
  Status prepare(const char* path, const DataDir* before);
  Status prepare_read_only();
  Status lock(const DataDir* before);
  Status check_writable() const;
  // What is at the path: this directory, or one that refresh may go over to.
  Status check_path(bool* is_ours) const;
  bool is_in_use(const std::string& id) const;
  Status each_partial(const std::function<void(const std::string&, const struct stat&)>& see);
  // Adds an open partial to the table of files, as one in use. Closes `fd` when there is no room.
  Status use_partial(const std::string& id, int fd, uint64_t size, uint32_t* file);
  Status find_place(std::string_view name, bool create, NamePlace* place,
                    Names names = Names{}) const;
  Status find_partial(const PublishRequest& request, FileRef* out) const;
  Status open_staging(int* out);

  bool is_read_only_ = false;
  uint32_t disk_ = 0;
  std::string path_;  // of DATA, as it was given
  int root_ = -1;     // DATA
  // Those below may be missing where nothing is written.
  int control_ = -1;   // DATA/.fastreplica
  int partials_ = -1;  // DATA/.fastreplica/partials
  int lock_ = -1;      // DATA/.fastreplica/lock, flock held
  // Whether DATA/.fastreplica/staging holds nothing that an earlier call left.
  bool is_staging_clean_ = false;
  uint64_t stagings_ = 0;
  // Partials made here; an expired pointer means that nobody lands in it any more.
  std::map<std::string, std::weak_ptr<File>, std::less<>> in_use_;
};

}  // namespace fr
