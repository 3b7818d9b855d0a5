// Digest records that a node passes on.
//
// The bytes of a record are kept once, however many routes and feeds it has. A feed holds no list
// of them but its place in the log of each route whose table it stands in, so one that reads slowly
// or not at all costs nothing, and one that enters a table late starts at the beginning.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
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

// What a route brought, in the order it came. Records have numbers, also those that are forgotten.
class DigestLog {
 public:
  size_t end() const { return first_ + records_.size(); }
  void push_back(DigestRef record) { records_.push_back(std::move(record)); }

  // None: it is forgotten.
  DigestRef at(size_t number) const {
    return number < first_ ? nullptr : records_[number - first_];
  }

  // Forgets the records of a stream that end here or before.
  void forget(uint32_t stream, uint64_t before) {
    for (DigestRef& record : records_) {
      if (record != nullptr && record->stream == stream && record->end <= before) record.reset();
    }
    while (!records_.empty() && records_.front() == nullptr) {
      records_.pop_front();
      first_++;
    }
  }

 private:
  std::deque<DigestRef> records_;
  size_t first_ = 0;  // number of the first one that is kept
};

// The place of a feed in the log of a route.
struct DigestCursor {
  const DigestLog* log;
  uint16_t next;  // the route the records have beyond this feed
  size_t at;      // the first one that was not sent
  size_t past;    // none is sent from here on

  bool is_due() const { return at < std::min(past, log->end()); }
  void stop() { past = std::min(past, log->end()); }

  // The next record to be sent; none: it is forgotten, or there is none.
  DigestRef take() { return is_due() ? log->at(at++) : nullptr; }
};

// The records of one stream, each place with its first one and the routes that it was given. Of a
// stream that grows a place may have several: the last block is covered once more by the record
// that says that it is the last.
class RelayedDigests {
 public:
  // The record to be added to the log of this route; none where the log has it, or `most` bytes
  // would be exceeded.
  DigestRef take(const DigestRef& record, uint16_t route, uint64_t most, bool several = false) {
    const std::pair place{record->begin, record->end};
    auto it = kept_.find(place);
    while (several && it != kept_.end() && it->second.record->payload != record->payload) {
      if (++it != kept_.end() && it->first != place) it = kept_.end();
    }
    if (it == kept_.end()) {
      const uint64_t bytes = record->payload.size();
      if (bytes_ + bytes > most) return nullptr;
      bytes_ += bytes;
      it = kept_.emplace(place, Kept{record, {}});
    }
    Kept& kept = it->second;
    if (std::find(kept.routes.begin(), kept.routes.end(), route) != kept.routes.end())
      return nullptr;
    kept.routes.push_back(route);
    return kept.record;
  }

  // Forgets the records that end here or before.
  void forget(uint64_t before) {
    std::erase_if(kept_, [&](const auto& entry) {
      if (entry.first.second > before) return false;
      bytes_ -= entry.second.record->payload.size();
      return true;
    });
  }

 private:
  struct Kept {
    DigestRef record;
    std::vector<uint16_t> routes;
  };
  std::multimap<std::pair<uint64_t, uint64_t>, Kept> kept_;
  uint64_t bytes_ = 0;
};

}  // namespace fr
