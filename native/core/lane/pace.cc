// How a lane keeps to the limits of its transfers: it asks their accounts before it moves bytes,
// comes back to what it had to leave when time has brought more, and serves feeds in turn.
//
// A feed that is not read keeps its bytes in the socket, and TCP tells the sender. How much a
// socket may hold is kept in proportion to the limit: a first second would else bring that much
// more than the limit.
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "core/lane/lane.h"

namespace fr {
namespace {

// What a socket may hold is this much of the rate and what comes in two round trips, shared by the
// connections there are: all that may be saved up can be read from it. A smaller window than the
// least carries no whole segment.
constexpr double kWindowSeconds = 0.025;
constexpr double kWindowTrips = 2;
constexpr double kWindowLeast = 32 << 10;
constexpr double kWindowMost = 64 << 20;
// A feed that has brought nothing for so long has no share in that.
constexpr uint64_t kIdleNs = 1'000'000'000;

}  // namespace

bool Lane::is_paced(const OutFeed& feed) {
  return feed.transfer->up->is_paced() || feed.link != nullptr;
}

// Bytes of one record at most.
uint64_t Lane::record_bytes(const OutFeed& feed) {
  const Account& up = *feed.transfer->up;
  const uint64_t most = up.is_paced() ? up.record_bytes() : UINT64_MAX;
  return feed.link == nullptr ? most : std::min(most, feed.link->account->record_bytes());
}

// A feed that has nothing to send asks for nothing.
bool Lane::may_begin(OutFeed& feed) {
  if (!is_paced(feed)) return true;
  return has_work(feed) && may_send(feed, kHeaderBytes) > 0;
}

// Bytes of these that may be sent now. A turn may be long, so the clock is read anew.
uint64_t Lane::may_send(OutFeed& feed, uint64_t bytes) {
  if (!is_paced(feed)) return bytes;
  const uint64_t now_ns = clock_ns();
  Account& up = *feed.transfer->up;
  uint64_t most = feed.link == nullptr ? bytes : feed.link->account->allowance(now_ns);
  if (most > 0 && up.is_paced()) most = std::min(most, up.allowance(now_ns));
  if (most == 0) is_paced_ = true;
  return std::min(bytes, most);
}

void Lane::pay(OutFeed& feed, uint64_t bytes) {
  feed.transfer->up->pay(bytes);
  if (feed.link != nullptr) feed.link->account->pay(bytes);
}

// Feeds that were limited together stay so at another rate, with what they owe.
void Lane::limit_feeds(const std::vector<uint32_t>& ids, uint64_t rate) {
  std::shared_ptr<Link> link;
  std::vector<OutFeed*> feeds;
  for (const uint32_t id : ids) {
    Feed* const feed = find(id);
    if (feed == nullptr || !feed->is_out) continue;
    feeds.push_back(static_cast<OutFeed*>(feed));
    if (link == nullptr) link = feeds.back()->link;
  }
  if (rate == 0) {
    link = nullptr;
  } else {
    if (link == nullptr) link = std::make_shared<Link>();
    link->budget.set_rate(rate);
  }
  for (OutFeed* const feed : feeds) {
    feed->link = link;
    for (Feed* const flow : feed->flows) static_cast<OutFeed*>(flow)->link = link;
  }
}

// False: the feed is left for now, and read when the lane comes back to it.
bool Lane::may_receive(InFeed& feed) {
  if (feed.transfer->down->allowance(clock_ns()) > 0) return true;
  feed.is_parked = true;
  parked_.push_back(&feed);
  watch(feed, false);
  return false;
}

// Bytes to ask a socket for, at least one: what was there may have been taken back since, and a
// read of nothing would look like the end.
size_t Lane::readable(Account& down) const {
  return std::max<size_t>(1, down.allowance(clock_ns()));
}

// Those that are not served stay in front of those that are.
void Lane::resume_parked() {
  if (parked_.empty() || is_deaf_) return;
  std::vector<InFeed*> denied;
  for (InFeed* const feed : std::exchange(parked_, {})) {
    if (!feed->channel.is_open()) continue;  // gone with another flow, just now
    if (feed->transfer->down->is_paced() && feed->transfer->down->allowance(clock_ns()) == 0) {
      denied.push_back(feed);
      continue;
    }
    feed->is_parked = false;
    ingest(*feed);
    const bool is_left =
        feed->is_parked || feed->is_held_back || feed->is_over || !feed->channel.is_open();
    if (!is_left) watch(*feed, true);
  }
  std::erase_if(denied, [](const InFeed* feed) { return !feed->channel.is_open(); });
  parked_.insert(parked_.begin(), denied.begin(), denied.end());
}

// Level-triggered, a feed that is not read would wake the lane again and again, and so would its
// end, which is told once.
void Lane::watch(InFeed& feed, bool on) {
  if (feed.is_watched == on) return;
  feed.is_watched = on;
  epoll_event event{};
  event.data.ptr = static_cast<Feed*>(&feed);
  event.events = on ? EPOLLIN | EPOLLRDHUP : static_cast<uint32_t>(EPOLLET);
  epoll_ctl(epoll_, EPOLL_CTL_MOD, feed.channel.fd(), &event);
}

// Who brings nothing does not make the windows of the others smaller.
void Lane::count_busy(InFeed& feed) {
  const uint64_t had = feed.counters->payload.load(std::memory_order_relaxed) +
                       feed.counters->records.load(std::memory_order_relaxed);
  if (had != feed.had || feed.came_ns == 0) feed.came_ns = now_ns_;
  feed.had = had;
  count(feed, now_ns_ - feed.came_ns < kIdleNs);
}

void Lane::count(InFeed& feed, bool is_busy) {
  if (feed.is_counted == is_busy) return;
  feed.is_counted = is_busy;
  feed.transfer->down->count_feed(is_busy ? 1 : -1);
}

void Lane::fit_window(InFeed& feed) {
  Account& down = *feed.transfer->down;
  count_busy(feed);
  if (!down.is_paced()) {
    if (feed.window_bytes != 0) feed.channel.free_window();
    feed.window_bytes = 0;
    return;
  }
  uint64_t micros = 0;
  if (!feed.channel.round_trip(&micros)) micros = 0;
  const double seconds = kWindowSeconds + kWindowTrips * static_cast<double>(micros) / 1e6;
  const int sharers = down.feeds() + (feed.is_counted ? 0 : 1);
  const double shared = static_cast<double>(down.rate()) * seconds / sharers;
  const int bytes = static_cast<int>(std::clamp(shared, kWindowLeast, kWindowMost));
  if (bytes < feed.window_bytes * 2 && bytes * 2 > feed.window_bytes) return;
  feed.window_bytes = bytes;
  feed.channel.set_window(bytes);
}

// A paced feed that has sent a record goes behind the others of its kind: all get their turn,
// however little may be sent in one.
void Lane::to_the_end(OutFeed& feed) {
  const auto first_other = std::partition_point(out_feeds_.begin(), out_feeds_.end(),
                                                [](const OutFeed* one) { return one->is_first; });
  const auto here = std::find(out_feeds_.begin(), out_feeds_.end(), &feed);
  if (here == out_feeds_.end()) return;
  std::rotate(here, here + 1, feed.is_first ? first_other : out_feeds_.end());
}

}  // namespace fr
