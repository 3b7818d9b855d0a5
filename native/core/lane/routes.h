// Routes: which feeds get the bytes that land here, and which bytes have which route.
//
// A record brings a route, a number; this node's table says which feeds the bytes of that route go
// to, and under which number they are sent on. The first route of a byte counts. 0 is none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

#include "core/base/interval_set.h"

namespace fr {

struct OutFeed;

// What the host asks for: the same with a handle.
struct RouteRequest {
  uint32_t feed;
  uint16_t next;
  bool first;
};

struct RouteTarget {
  OutFeed* feed;
  uint16_t next;  // the route the bytes have beyond this feed
  bool first;     // sent before the bytes of other feeds
};

// The routes of the bytes of a stream: disjoint runs, as many as there are gaps and changes.
class RouteMap {
 public:
  // Gives the bytes of [begin, end) that have no route this one, and returns them.
  std::vector<Interval> raise(uint64_t begin, uint64_t end, uint16_t route) {
    std::vector<Interval> fresh;
    each_inside(begin, end, [&](uint64_t from, uint64_t to, uint16_t) {
      if (begin < from) fresh.push_back({begin, from});
      begin = to;
    });
    if (begin < end) fresh.push_back({begin, end});
    for (const Interval& run : fresh) add(run, route);
    return fresh;
  }

  // Calls fn(begin, end, route) for each run inside [begin, end), in order.
  template <typename Fn>
  void each_inside(uint64_t begin, uint64_t end, Fn&& fn) const {
    auto it = map_.upper_bound(begin);
    if (it != map_.begin()) --it;
    for (; it != map_.end() && it->first < end; ++it) {
      const uint64_t from = std::max(begin, it->first);
      const uint64_t to = std::min(end, it->second.end);
      if (from < to) fn(from, to, it->second.route);
    }
  }

  // Calls fn(begin, end) for each run of this route, in order.
  template <typename Fn>
  void each_of(uint16_t route, Fn&& fn) const {
    for (const auto& [begin, run] : map_) {
      if (run.route == route) fn(begin, run.end);
    }
  }

  // Bytes before this have no route any more.
  void forget(uint64_t before) {
    while (!map_.empty() && map_.begin()->first < before) {
      const Run run = map_.begin()->second;
      map_.erase(map_.begin());
      if (run.end > before) map_.emplace_hint(map_.begin(), before, run);
    }
  }

  size_t runs() const { return map_.size(); }

 private:
  struct Run {
    uint64_t end;
    uint16_t route;
  };

  // The bytes have no route. Neighbours of the same route become one run.
  void add(Interval bytes, uint16_t route) {
    auto after = map_.lower_bound(bytes.begin);
    if (after != map_.end() && after->first == bytes.end && after->second.route == route) {
      bytes.end = after->second.end;
      after = map_.erase(after);
    }
    if (after != map_.begin()) {
      Run& before = std::prev(after)->second;
      if (before.end == bytes.begin && before.route == route) {
        before.end = bytes.end;
        return;
      }
    }
    map_.emplace_hint(after, bytes.begin, Run{bytes.end, route});
  }

  std::map<uint64_t, Run> map_;
};

}  // namespace fr
