// A file on its way to a connection that belongs to the host: the body of an answer that JavaScript
// has begun and will go on behind. Plain data, touched by its lane only.
#pragma once

#include <cstdint>

#include "core/file/file_table.h"
#include "core/lane/feed.h"

namespace fr {

struct ServeRequest {
  double operation = 0;  // answered by a kDone event
  int fd = -1;           // duplicated; the caller keeps and closes its own
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  int stalled_ms = 0;  // how long the connection may take nothing
};

// It is a feed of no transfer: lanes have one kind of thing in epoll.
struct Serving : Feed {
  Serving(int fd, ChannelCounts* counts) : Feed(fd, counts) { is_serving = true; }

  double operation = 0;
  FileRef file;
  uint64_t at = 0;
  uint64_t left = 0;
  uint64_t stalled_ns = 0;
  uint64_t moved_ns = 0;    // when it last took something
  bool is_watched = false;  // in epoll
  bool is_waiting = false;  // on the list of those to come back to
};

}  // namespace fr
