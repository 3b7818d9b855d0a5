// Bridges: socket -> pipe -> socket, both ways, as fast as the slower side takes it. What the
// connections carry is not looked at and never leaves the kernel.
//
// An end of stream is passed on like a byte, so either side may still answer. Once one side has
// ended, also behind bytes that wait for the other, that one may leave nothing unacknowledged for
// kOutliveMs: else both end. A connection that breaks ends its other half at once.
#include "core/lane/bridge.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/lane/lane.h"

namespace fr {
namespace {

constexpr size_t kBridgeStepBytes = 256 << 10;
// What one way moves before others have their turn.
constexpr size_t kBridgeTurnBytes = 1 << 20;
// A pipe that the system gives everybody: a bridge has two of them.
constexpr int kPipeBytes = 64 << 10;
constexpr int kOutliveMs = 20'000;

}  // namespace

void Lane::add_bridge(std::unique_ptr<BridgeEnd> a, std::unique_ptr<BridgeEnd> b,
                      std::shared_ptr<Account> up, std::shared_ptr<Account> down) {
  bridge_up_ = std::move(up);
  bridge_down_ = std::move(down);
  if (crossing_ == nullptr) crossing_ = std::make_unique<Transit>(counts_);
  a->other = b.get();
  b->other = a.get();
  BridgeEnd* const ends[] = {a.get(), b.get()};
  bridges_.emplace(a->id, std::move(a));
  bridges_.emplace(b->id, std::move(b));
  for (BridgeEnd* const end : ends) {
    epoll_event event{};
    event.data.ptr = static_cast<Feed*>(end);
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    const bool is_watched = end->channel.can_hold(kPipeBytes) &&
                            epoll_ctl(epoll_, EPOLL_CTL_ADD, end->channel.fd(), &event) == 0;
    if (!is_watched) return drop_bridge(*end);
  }
}

// Its end is told once, and may be behind what the other has no room for: so is a break.
void Lane::on_bridge(BridgeEnd& end, uint32_t events) {
  if (events & EPOLLERR) return drop_bridge(end);
  if (events & (EPOLLRDHUP | EPOLLHUP)) end.other->channel.outlive(kOutliveMs);
  cross(end);
}

// Either of the two may take or bring something.
void Lane::cross(BridgeEnd& end) {
  if (!cross_to(end, *end.other) || !cross_to(*end.other, end)) return drop_bridge(end);
  if (end.is_shut && end.other->is_shut) drop_bridge(end);
}

// False: one of the connections is broken.
bool Lane::cross_to(BridgeEnd& from, BridgeEnd& to) {
  for (size_t moved = 0; moved < kBridgeTurnBytes;) {
    if (to.channel.held() > 0) {
      const Moved sent = to.channel.send_held();
      if (sent.how == Moved::How::kAgain) return true;
      if (!sent.some()) return false;
      moved += sent.bytes;
      continue;
    }
    if (from.has_ended) {
      if (!std::exchange(to.is_shut, true)) to.channel.half_close();
      return true;
    }
    size_t want = kBridgeStepBytes;
    if (bridge_up_->is_paced()) want = std::min(want, bridge_up_->allowance(now_ns_));
    if (bridge_down_->is_paced()) want = std::min(want, bridge_down_->allowance(now_ns_));
    if (want == 0) break;
    const Moved got = from.channel.to_channels(*crossing_, {&to.channel}, want);
    if (got.how == Moved::How::kAgain) return true;
    if (got.how == Moved::How::kFailed) return false;
    if (got.how == Moved::How::kEof) {
      from.has_ended = true;
      continue;
    }
    if (to.channel.held() != got.bytes) return false;
    bridge_up_->pay(got.bytes);
    bridge_down_->pay(got.bytes);
    counts_->bridged_bytes += got.bytes;
  }
  come_back(from);
  return true;
}

// Its turn is over, or a limit has ended it: epoll tells of it no more.
void Lane::come_back(BridgeEnd& end) {
  if (!std::exchange(end.is_waiting, true)) waiting_.push_back(end.id);
}

void Lane::resume_bridges() {
  for (const uint32_t id : std::exchange(waiting_, {})) {
    const auto found = bridges_.find(id);
    if (found == bridges_.end()) continue;
    found->second->is_waiting = false;
    cross(*found->second);
  }
}

void Lane::drop_bridge(BridgeEnd& end) {
  for (BridgeEnd* const one : {&end, end.other}) {
    // By hand, as in drop_feed: the host may still hold the same description.
    epoll_ctl(epoll_, EPOLL_CTL_DEL, one->channel.fd(), nullptr);
    one->channel.close();
    const auto found = bridges_.find(one->id);
    graveyard_.push_back(std::move(found->second));
    bridges_.erase(found);
  }
  counts_->open_bridges--;
}

void Lane::close_bridges() {
  while (!bridges_.empty()) drop_bridge(*bridges_.begin()->second);
}

}  // namespace fr
