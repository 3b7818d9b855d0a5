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
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "file_table.h"
#include "status.h"

namespace fr {

// --- bytes of partials -------------------------------------------------------------------------

// Copies [offset, offset + length) of one file to the same place of another, in the kernel where
// it can. ERR_FR_IO when `from` ends earlier.
Status copy_in(uint32_t from, uint32_t to, uint64_t offset, uint64_t length) noexcept;

// Allocates disk blocks for the range (clamped to the file's size), so that landing does not.
// Quietly does nothing where the file system cannot, and on tmpfs, where it only moves the cost.
// ERR_FR_NO_SPACE.
Status fallocate_range(File& file, uint64_t offset, uint64_t length) noexcept;

// Gives back the disk blocks of a range that holds zeros, where the file system can. A saving, so
// that nothing is reported.
void punch_range(File& file, uint64_t offset, uint64_t length) noexcept;

// Starts writing the range to disk without waiting for it.
Status writeback(File& file, uint64_t offset, uint64_t length) noexcept;

// --- the data directory ------------------------------------------------------------------------

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
  static Status open(const char* path, std::unique_ptr<DataDir>* out) noexcept;
  ~DataDir();
  DataDir(const DataDir&) = delete;
  DataDir& operator=(const DataDir&) = delete;

  // 128 random bits kept in .fastreplica/node-id, made on first use and made again when the file
  // does not hold them; 32 lower-case hex digits.
  Status node_id(std::string* out) noexcept;

  // Refuses now what publish would refuse later. ERR_FR_NAME: not a relative path of plain
  // components of at most 255 bytes and 4096 in all, the reserved `.fastreplica`; a symlink, a
  // non-directory, a closed directory or a mount point on the way; something at the end that is no
  // regular file. ERR_FR_IS_DIRECTORY: a directory is at the end. ERR_FR_EXISTS: anything else is
  // there and `no_clobber`.
  Status check_name(std::string_view name, bool no_clobber) noexcept;

  // A sparse 0600 file of `size` bytes; handle into `*file`. `id`: 1 to 128 bytes of
  // [0-9a-zA-Z._-], not starting with a dot. ERR_FR_EXISTS when a partial of that id is there.
  Status create_partial(std::string_view id, uint64_t size, uint32_t* file) noexcept;

  // Makes the file durable with its mode and mtime, then lets it appear under its name: missing
  // parent directories are made (0755), the rename is atomic, the directories are synced. Errors
  // as of check_name, and ERR_FR_NO_SPACE, ERR_FR_IO. After an error the partial is still there,
  // unless only the final sync failed.
  Status publish(const PublishRequest& request) noexcept;

  // Removes a partial; a missing one is no error.
  Status discard(std::string_view id) noexcept;

  // Removes partials that were not touched (ctime) for this long and that nobody in this process
  // holds open through a FileRef. Their number goes to `*removed`.
  Status expire(uint64_t older_than_seconds, uint64_t* removed) noexcept;

  // Bytes an ordinary user may still write.
  Status free_bytes(uint64_t* out) const noexcept;

 private:
  DataDir() = default;
  Status prepare(const char* path);
  bool is_in_use(const std::string& id) const;
  Status find_place(std::string_view name, bool no_clobber, bool create, int* parent,
                    std::string* last) const;

  int root_ = -1;      // DATA
  int control_ = -1;   // DATA/.fastreplica
  int partials_ = -1;  // DATA/.fastreplica/partials
  int lock_ = -1;      // DATA/.fastreplica/lock, flock held
  // Partials made here; an expired pointer means that nobody lands in it any more.
  std::map<std::string, std::weak_ptr<File>, std::less<>> in_use_;
};

}  // namespace fr
