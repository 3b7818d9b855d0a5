// The file that is sent: opened once, read through its descriptor, looked at again at the end.
//
// The idea: content decides. A name, a mode, a link count and time stamps say nothing certain about
// the bytes; they only tell whether the bytes have to be read and compared once more. Only a size
// that differs is a change by itself.
//
// Everything here may block: it runs on the disk thread. It never waits for the writer of a fifo.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/status.h"
#include "core/file/file_table.h"

namespace fr {

// Bytes [begin, end).
struct Extent {
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SourceInfo {
  uint32_t file = 0;  // handle in the file table
  uint64_t size = 0;
  uint32_t mode = 0;  // permission bits with setuid, setgid and sticky: st_mode & 07777
  int64_t mtime_seconds = 0;
  uint32_t mtime_nanos = 0;
  uint64_t data_bytes = 0;  // what is no hole, as far as the file system tells
  // The large holes in order, at most kHolesMax: a hint for whoever plans, the file may be written.
  std::vector<Extent> holes;
};

// Holes of less than a 4096th of the file, or 64 KiB, are not worth a plan of their own.
inline constexpr uint64_t kHolesMax = 4096;
inline constexpr uint64_t kHoleMin = 64 * 1024;

// Opens a regular file for reading, without waiting for a fifo's writer or taking a terminal.
// ERR_FR_IS_DIRECTORY; ERR_FR_SOURCE for anything else that is no regular file, that holds more or
// less than the size it tells, or that cannot be opened; ERR_FR_LIMIT when no more files can be
// open.
Status open_source(const char* path, SourceInfo* out) noexcept;

struct SourceLook {
  bool is_touched = false;              // times, links or mode are not those of the opening
  bool is_removed = false;              // it had a name at the opening and has none now
  Writers writers = Writers::kUnknown;  // at the opening or now
};

// ERR_FR_SOURCE_CHANGED when the size is not that of the opening. ERR_FR_CLOSED for an unknown
// handle or a file that is no source.
Status check_source(uint32_t file, SourceLook* out) noexcept;

}  // namespace fr
