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

}  // namespace

// A feed that has nothing to send asks for nothing.
bool Lane::may_begin(OutFeed& feed) {
  if (!feed.transfer->up->is_paced()) return true;
  return has_work(feed) && may_send(feed, kHeaderBytes) > 0;
}

// Bytes of these that may be sent now.
uint64_t Lane::may_send(OutFeed& feed, uint64_t bytes) {
  Account& up = *feed.transfer->up;
  if (!up.is_paced()) return bytes;
  const uint64_t most = up.allowance(now_ns_);
  if (most == 0) is_paced_ = true;
  return std::min(bytes, most);
}

// False: the feed is left for now, and read when the lane comes back to it.
bool Lane::may_receive(InFeed& feed) {
  if (feed.transfer->down->allowance(now_ns_) > 0) return true;
  feed.is_parked = true;
  parked_.push_back(&feed);
  watch(feed, false);
  return false;
}

// Bytes to ask a socket for, at least one: what was there may have been taken back since, and a
// read of nothing would look like the end.
size_t Lane::readable(Account& down) const { return std::max<size_t>(1, down.allowance(now_ns_)); }

// Those that are not served stay in front of those that are.
void Lane::resume_parked() {
  if (parked_.empty() || is_deaf_) return;
  std::vector<InFeed*> denied;
  for (InFeed* const feed : std::exchange(parked_, {})) {
    if (feed->transfer->down->is_paced() && feed->transfer->down->allowance(now_ns_) == 0) {
      denied.push_back(feed);
      continue;
    }
    feed->is_parked = false;
    ingest(*feed);
    const bool is_left = feed->is_parked || feed->is_held_back || !feed->channel.is_open();
    if (!is_left) watch(*feed, true);
  }
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

void Lane::fit_window(InFeed& feed) {
  const Account& down = *feed.transfer->down;
  if (!down.is_paced()) {
    if (feed.window_bytes != 0) feed.channel.free_window();
    feed.window_bytes = 0;
    return;
  }
  uint64_t micros = 0;
  if (!feed.channel.round_trip(&micros)) micros = 0;
  const double seconds = kWindowSeconds + kWindowTrips * static_cast<double>(micros) / 1e6;
  const double shared = static_cast<double>(down.rate()) * seconds / std::max(1, down.feeds());
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
