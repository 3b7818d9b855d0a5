// Streams without a file: what an incoming feed brings goes to the feeds of its route while it
// arrives, and is kept nowhere.
//
// All feeds of a route go in lock-step: the next bytes are taken off the socket once each of them
// has sent the last ones, so the slowest holds back the others and, through TCP, the sender. What
// is passed on is cut into records anew, as it arrives: a feed never announces bytes that are not
// here, so one that breaks in mid-record, on either side, breaks no other. A route that has no
// table yet waits for one, with all that comes behind it on its feed.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/lane/lane.h"

namespace fr {
namespace {

constexpr size_t kPassStepBytes = 1u << 20;

}  // namespace

// Those who are to get what this record brings; each can take it now. False: one cannot, and the
// feed is held back until it can.
bool Lane::find_takers(InFeed& feed, std::vector<RouteTarget>* to) {
  if (feed.header.route == 0) return true;
  const auto found = feed.transfer->table.find(feed.header.route);
  if (found == feed.transfer->table.end()) {
    hold_back(feed);
    return false;
  }
  const std::vector<RouteTarget> row = found->second;  // a feed that ends leaves the table
  for (const RouteTarget& target : row) {
    if (target.feed->passed) {
      hold_back(feed);
      return false;
    }
    if (target.feed->is_finishing) continue;
    if (target.feed->channel.can_hold()) {
      to->push_back(target);
    } else {
      end_feed(target.feed, Code::ERR_FR_LIMIT, errno);
    }
  }
  return true;
}

bool Lane::pass_payload(InFeed& feed) {
  std::vector<RouteTarget> to;
  if (!find_takers(feed, &to)) return false;
  Account& down = *feed.transfer->down;
  size_t want = std::min<uint64_t>(feed.left, kPassStepBytes);
  // What is taken is sent in one go.
  for (const RouteTarget& target : to) want = std::min<uint64_t>(want, record_bytes(*target.feed));
  if (down.is_paced()) want = std::min(want, readable(down));
  std::vector<Channel*> channels;
  channels.reserve(to.size());
  for (const RouteTarget& target : to) channels.push_back(&target.feed->channel);
  Transit& via = *feed.transfer->passing;
  const Moved got =
      to.empty() ? feed.channel.discard(want) : feed.channel.to_channels(via, channels, want);
  if (got.at_file) {
    end_feed(&feed, Code::ERR_FR_LIMIT, got.error);
    return false;
  }
  if (stop_on(feed, got)) return false;
  down.pay(got.bytes);
  feed.taken += got.bytes;
  count_payload(feed, got.bytes, to.empty());
  Header header = feed.header;
  header.offset = feed.at;
  header.length = static_cast<uint32_t>(got.bytes);
  for (const RouteTarget& target : to) {
    if (target.feed->channel.held() != got.bytes) {
      end_feed(target.feed, Code::ERR_FR_LIMIT, 0);
      continue;
    }
    header.route = target.next;
    target.feed->passed = header;
    target.feed->counters->queued.fetch_add(got.bytes, std::memory_order_relaxed);
  }
  feed.at += got.bytes;
  feed.left -= got.bytes;
  if (feed.left == 0) feed.state = InFeed::State::kHeader;
  return true;
}

bool Lane::pass_hole(InFeed& feed) {
  std::vector<RouteTarget> to;
  if (!find_takers(feed, &to)) return false;
  for (const RouteTarget& target : to) {
    target.feed->passed = feed.header;
    target.feed->passed->route = target.next;
  }
  feed.state = InFeed::State::kHeader;
  return true;
}

void Lane::hold_back(InFeed& feed) {
  feed.is_held_back = true;
  watch(feed, false);
}

// Something has changed for what waits: it is looked at once more.
void Lane::let_go(Transfer& transfer) {
  if (transfer.passing == nullptr) return;
  for (Feed* const feed : transfer.feeds) {
    if (feed->is_out || !feed->channel.is_open()) continue;
    auto& in = *static_cast<InFeed*>(feed);
    if (!in.is_held_back) continue;
    in.is_held_back = false;
    watch(in, true);
    let_go_.push_back(in.id);
  }
}

// True when there may be something to send at once.
bool Lane::resume_passing() {
  if (let_go_.empty() || is_deaf_) return false;
  for (const uint32_t id : std::exchange(let_go_, {})) {
    Feed* const feed = find(id);
    if (feed != nullptr) ingest(*static_cast<InFeed*>(feed));
  }
  return true;
}

bool Lane::begin_passed(OutFeed& feed, Header* out) {
  if (!feed.passed) return false;
  *out = *feed.passed;
  feed.is_passing = true;
  feed.at = out->offset;
  feed.left = out->kind == Kind::kPayload ? out->length : 0;
  return true;
}

void Lane::passed_on(OutFeed& feed) {
  feed.is_passing = false;
  feed.passed.reset();
  let_go(*feed.transfer);
}

}  // namespace fr
