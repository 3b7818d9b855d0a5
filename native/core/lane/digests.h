// Digest records that a node passes on.
//
// The bytes of a record are kept once, however many routes and feeds it has. A feed holds no list
// of them but its place in the log of each route whose table it stands in, so one that reads slowly
// or not at all costs nothing, and one that enters a table late starts at the beginning.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace fr {

// Digests of [begin, end) of a stream; the payload is opaque.
struct DigestRecord {
  uint32_t stream = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
  std::vector<uint8_t> payload;
};

using DigestRef = std::shared_ptr<const DigestRecord>;

// What a route brought, in the order it came.
using DigestLog = std::vector<DigestRef>;

// The place of a feed in the log of a route.
struct DigestCursor {
  const DigestLog* log;
  uint16_t next;  // the route the records have beyond this feed
  size_t at;      // the first one that was not sent
  size_t past;    // none is sent from here on

  bool is_due() const { return at < std::min(past, log->size()); }
  void stop() { past = std::min(past, log->size()); }
};

// The records of one stream, each place with its first one and the routes that it was given.
class RelayedDigests {
 public:
  // The record to be added to the log of this route; none where the log has it, or `most` bytes
  // would be exceeded.
  DigestRef take(const DigestRef& record, uint16_t route, uint64_t most) {
    const std::pair place{record->begin, record->end};
    auto it = kept_.find(place);
    if (it == kept_.end()) {
      const uint64_t bytes = record->payload.size();
      if (bytes > most - bytes_) return nullptr;
      bytes_ += bytes;
      it = kept_.emplace(place, Kept{record, {}}).first;
    }
    Kept& kept = it->second;
    if (std::find(kept.routes.begin(), kept.routes.end(), route) != kept.routes.end())
      return nullptr;
    kept.routes.push_back(route);
    return kept.record;
  }

 private:
  struct Kept {
    DigestRef record;
    std::vector<uint16_t> routes;
  };
  std::map<std::pair<uint64_t, uint64_t>, Kept> kept_;
  uint64_t bytes_ = 0;
};

}  // namespace fr
