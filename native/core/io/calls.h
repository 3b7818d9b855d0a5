// A system call is made again where a signal has broken it off.
#pragma once

#include <sys/types.h>

#include <cerrno>

namespace fr {

template <typename Call>
ssize_t uninterrupted(Call&& call) {
  ssize_t result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace fr
