// What comes of system calls, as the outcomes of a channel.
#pragma once

#include <unistd.h>

#include <cerrno>

#include "core/io/calls.h"
#include "core/io/channel.h"

namespace fr {

// Of a call on the socket; 0 is its end.
inline Moved moved(ssize_t result) {
  if (result > 0) return {Moved::How::kSome, static_cast<size_t>(result)};
  if (result == 0) return {Moved::How::kEof};
  if (errno == EAGAIN) return {Moved::How::kAgain};
  return {Moved::How::kFailed, 0, errno};
}

inline Moved failed_at_file(size_t lost, int error) {
  return {Moved::How::kFailed, lost, error, true};
}

// 0, or the errno of what failed.
inline int write_all(int file, const uint8_t* bytes, size_t count, uint64_t at) {
  while (count > 0) {
    const ssize_t put =
        uninterrupted([&] { return pwrite(file, bytes, count, static_cast<off_t>(at)); });
    if (put <= 0) return put < 0 ? errno : EIO;
    bytes += put;
    at += static_cast<uint64_t>(put);
    count -= static_cast<size_t>(put);
  }
  return 0;
}

}  // namespace fr
