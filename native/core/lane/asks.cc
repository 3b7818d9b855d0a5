// Feeds that bring what they were asked for, and nothing else.
#include <algorithm>
#include <utility>

#include "core/lane/lane.h"

namespace fr {

// How much of this record, from where it is, may land as one piece, or may not. False: nobody knows
// before the inbox was taken once more, or the feed is over.
bool Lane::is_welcome(InFeed& feed, uint64_t* step, bool* welcome) {
  *welcome = true;
  if (!feed.is_asked) return true;
  const bool scratch = (feed.header.flags & kFlagScratch) != 0;
  // Nothing is known any more of what was asked for there.
  if (!scratch && feed.at < feed.stream->line) {
    *step = std::min(*step, feed.stream->line - feed.at);
    *welcome = false;
    return true;
  }
  const Asked& asked = asked_of(feed, feed.stream->id, scratch);
  const uint64_t open_to = asked.open.covered_to(feed.at);
  if (open_to > feed.at) {
    *step = std::min(*step, open_to - feed.at);
    return true;
  }
  if (feed.doubted_in == 0) {
    feed.doubted_in = turn_;
    doubted_.push_back(feed.id);
  }
  if (feed.doubted_in == turn_) return false;
  const uint64_t ever_to = asked.ever.covered_to(feed.at);
  if (ever_to == feed.at) {
    end_feed(&feed, Code::ERR_FR_PROTOCOL, 0);
    return false;
  }
  *welcome = false;
  *step = std::min(*step, asked.open.next_begin(feed.at, ever_to) - feed.at);
  return true;
}

// Whichever flow brings it.
Asked& Lane::asked_of(InFeed& flow, uint32_t stream, bool scratch) {
  return static_cast<InFeed&>(flow.first()).asked[{stream, scratch}];
}

void Lane::ask(uint32_t id, uint32_t number, uint64_t offset, uint64_t length, bool scratch) {
  auto* const feed = static_cast<InFeed*>(find(id));
  if (feed == nullptr) return;
  auto it = feed->transfer->streams.find(number);
  if (it == feed->transfer->streams.end()) return;
  const uint64_t end = offset + length;
  offset = std::max(offset, it->second.line);
  const std::pair<uint32_t, bool> key{number, scratch};
  for (Feed* const other : feed->transfer->feeds) {
    if (other->is_out || other->lead != nullptr) continue;
    static_cast<InFeed*>(other)->asked[key].open.erase(offset, end);
  }
  feed->asked[key].open.insert(offset, end);
  feed->asked[key].ever.insert(offset, end);
  if (scratch) it->second.scratch.landed.erase(offset, end);
}

}  // namespace fr
