// Two connections joined into one: what either brings goes out on the other, unread. Plain data,
// touched by its lane only.
#pragma once

#include "core/lane/feed.h"

namespace fr {

// One of the two. It is a feed of no transfer: lanes have one kind of thing in epoll.
struct BridgeEnd : Feed {
  BridgeEnd(int fd, ChannelCounts* counts) : Feed(fd, counts) { is_bridge = true; }

  BridgeEnd* other = nullptr;
  bool has_ended = false;   // sends nothing more
  bool is_shut = false;     // is sent nothing more
  bool is_waiting = false;  // on the list of those to come back to
};

}  // namespace fr
