#include "core/lane/lane.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

namespace fr {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kTickNs = 5 * kMs;
constexpr uint64_t kMeasureNs = 25 * kMs;
constexpr int kBatchEvents = 128;
constexpr int kBeyondMs = 50;
constexpr int kPaceMs = static_cast<int>(Account::kPaceNs / kMs);

void close_fd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

}  // namespace

uint64_t Lane::clock_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

Lane::Lane(int index, Outbox* outbox, DiskThreads* disks, EngineCounts* counts)
    : index_(index), outbox_(outbox), disks_(disks), counts_(counts), transit_(counts) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  try {
    if (epoll_ < 0 || wake_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
      throw std::system_error(errno, std::generic_category());
    }
    thread_ = start_thread("fr-lane-" + std::to_string(index_), [this] { run(); });
  } catch (...) {
    close_fd(epoll_);
    close_fd(wake_);
    throw;
  }
}

Lane::~Lane() {
  stop();
  close_fd(epoll_);
  close_fd(wake_);
}

bool Lane::submit(std::function<void(Lane&)> task) {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (stopping_ || inbox_.size() >= kInboxMax) return false;
    inbox_.push_back(std::move(task));
    if (inbox_.size() > 1) return true;  // the lane has been woken for the first
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  return true;
}

void Lane::stop() {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

// True while the lane shall go on.
bool Lane::take_inbox() {
  std::vector<std::function<void(Lane&)>> tasks;
  bool stopping;
  {
    std::lock_guard<std::mutex> hold(mutex_);
    tasks.swap(inbox_);
    stopping = stopping_;
  }
  for (auto& task : tasks) task(*this);
  turn_++;
  return !stopping;
}

void Lane::resume_doubted() {
  for (const uint32_t id : std::exchange(doubted_, {})) {
    Feed* const feed = find(id);
    if (feed != nullptr) ingest(*static_cast<InFeed*>(feed));
  }
}

// What a sealed feed has opened and not taken: epoll tells of nothing that is not in its socket.
void Lane::note_opened(InFeed& feed) {
  if (feed.is_noted || feed.is_parked || feed.is_held_back || !feed.channel.has_opened()) return;
  feed.is_noted = true;
  opened_.push_back(feed.id);
}

void Lane::resume_opened() {
  if (is_deaf_) return;
  for (const uint32_t id : std::exchange(opened_, {})) {
    auto* const feed = static_cast<InFeed*>(find(id));
    if (feed == nullptr) continue;
    feed->is_noted = false;
    ingest(*feed);
  }
}

void Lane::run() {
  epoll_event ready[kBatchEvents];
  bool is_pumping = false;
  now_ns_ = clock_ns();
  for (;;) {
    const int count = epoll_wait(epoll_, ready, kBatchEvents, is_pumping ? 0 : wait_ms());
    now_ns_ = clock_ns();
    is_deaf_ = outbox_->is_full();
    // What the host said before bytes were sent is known before they are read: that there is one
    // more flow, say, whose first one brings its end now.
    if (!take_inbox()) break;
    for (int i = 0; i < count; i++) {
      auto* feed = static_cast<Feed*>(ready[i].data.ptr);
      if (feed != nullptr) {
        on_ready(feed, ready[i].events);
        continue;
      }
      uint64_t drained;
      [[maybe_unused]] const ssize_t got = read(wake_, &drained, sizeof drained);
    }
    if (!take_inbox()) break;
    resume_doubted();
    resume_opened();
    resume_parked();
    resume_bridges();
    resume_serving();
    is_pumping = pump();
    is_pumping = resume_passing() || is_pumping;
    tick();
    report_landed();
    outbox_->post(batch_);
    graveyard_.clear();
  }
  close_bridges();
  close_serving();
  while (!transfers_.empty()) close_transfer(transfers_.begin()->first);
  graveyard_.clear();
}

int Lane::wait_ms() const {
  if (!doubted_.empty() || (!opened_.empty() && !is_deaf_)) return 0;
  if (poke_ns_ != 0) return 1;
  if (is_paced_ || !parked_.empty()) return kPaceMs;
  if (!waiting_.empty()) return bridge_up_->is_paced() || bridge_down_->is_paced() ? kPaceMs : 0;
  if (!serving_turns_.empty()) return serving_wait_ms();
  if (is_deaf_ || batched_ > 0) return 5;
  for (const OutFeed* feed : out_feeds_) {
    if (!feed->items.empty() || feed->in_record || feed->unacked > 0) return 5;
  }
  if (unreported_ > 0) return 5;
  return beyond_.empty() ? serving_wait_ms() : kBeyondMs;
}

void Lane::on_ready(Feed* feed, uint32_t events) {
  if (!feed->channel.is_open()) return;
  if (feed->is_bridge) return on_bridge(*static_cast<BridgeEnd*>(feed), events);
  if (feed->is_serving) return push_served(*static_cast<Serving*>(feed));
  if (!feed->is_out) {
    auto& in = *static_cast<InFeed*>(feed);
    if (in.is_held_back) {
      // Nothing but this is asked for.
      if (events & (EPOLLHUP | EPOLLERR)) end_feed(feed, Code::ERR_FR_NODE_LOST, ECONNRESET);
      return;
    }
    // Who has opened bytes left has its turn behind the others', once.
    if (!is_deaf_ && !in.is_noted) ingest(in);
    return;
  }
  auto& out = *static_cast<OutFeed*>(feed);
  if (events & EPOLLOUT) out.is_writable = true;
  if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return;
  // A receiver says nothing on a feed: whatever is readable is its end, or a violation.
  char byte;
  const Moved got = out.channel.recv(&byte, 1);
  if (got.how == Moved::How::kAgain) return;
  if (got.some()) return end_feed(feed, Code::ERR_FR_PROTOCOL, 0);
  const bool is_end = got.how == Moved::How::kEof;
  if (is_end && out.end_sent) return end_flow(feed);
  end_feed(feed, Code::ERR_FR_NODE_LOST, is_end ? ECONNRESET : got.error);
}

void Lane::tick() {
  if (now_ns_ - ticked_ns_ < kTickNs) return;
  ticked_ns_ = now_ns_;
  const bool measures = now_ns_ - measured_ns_ >= kMeasureNs;
  const double seconds = static_cast<double>(now_ns_ - measured_ns_) / 1e9;
  look_after_batched();
  look_beyond();
  for (OutFeed* feed : out_feeds_) {
    refresh_unacked(*feed);
    if (measures) measure(*feed, seconds);
  }
  if (!measures) return;
  measured_ns_ = now_ns_;
  for (auto& [id, feed] : feeds_) {
    if (!feed->is_out && !feed->is_over) fit_window(*static_cast<InFeed*>(feed.get()));
  }
}

void Lane::open_transfer(uint32_t id, std::shared_ptr<TransferCounters> counters,
                         std::shared_ptr<Account> up, std::shared_ptr<Account> down) {
  auto transfer = std::make_unique<Transfer>();
  transfer->id = id;
  transfer->counters = std::move(counters);
  transfer->up = std::move(up);
  transfer->down = std::move(down);
  transfers_.emplace(id, std::move(transfer));
}

void Lane::add_stream(uint32_t id, Stream stream) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  if (stream.complete && stream.size > 0) stream.main.landed.insert(0, stream.size);
  std::unique_ptr<Transit>& passing = it->second->passing;
  if (stream.passes && passing == nullptr) passing = std::make_unique<Transit>(counts_);
  it->second->streams.emplace(stream.id, std::move(stream));
}

void Lane::add_feed(uint32_t id, std::unique_ptr<Feed> feed) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  begin(std::move(feed), *it->second);
}

void Lane::add_flow(uint32_t id, std::unique_ptr<Feed> flow) {
  Feed* const lead = find(id);
  if (lead == nullptr) return;
  flow->lead = lead;
  lead->flows.push_back(flow.get());
  if (flow->is_out) {
    static_cast<OutFeed&>(*flow).link = static_cast<OutFeed*>(lead)->link;
  } else {
    static_cast<InFeed&>(*flow).is_asked = static_cast<InFeed*>(lead)->is_asked;
  }
  const bool is_out = flow->is_out;
  begin(std::move(flow), *lead->transfer);
  if (is_out && lead->channel.is_open()) order_feeds(*lead->transfer);
}

void Lane::begin(std::unique_ptr<Feed> feed, Transfer& transfer) {
  feed->transfer = &transfer;
  epoll_event event{};
  event.data.ptr = feed.get();
  // Incoming: level-triggered, because a turn takes a bounded amount. Outgoing: edge-triggered,
  // because a feed with nothing to send is always writable.
  event.events = feed->is_out ? EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLET : EPOLLIN | EPOLLRDHUP;
  Feed* const raw = feed.get();
  counts_->open_feeds++;
  transfer.feeds.push_back(raw);
  feeds_.emplace(raw->id, std::move(feed));
  const Channel& channel = raw->channel;
  if (!channel.is_open()) return end_feed(raw, Code::ERR_FR_NODE_LOST, 0);  // gone before it came
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, channel.fd(), &event) != 0) {
    return end_feed(raw, Code::ERR_FR_IO, errno);
  }
  if (raw->is_out) {
    out_feeds_.push_back(static_cast<OutFeed*>(raw));
  } else {
    fit_window(*static_cast<InFeed*>(raw));
  }
}

Feed* Lane::find(uint32_t feed) {
  auto it = feeds_.find(feed);
  return it == feeds_.end() ? nullptr : it->second.get();
}

void Lane::finish(uint32_t id) {
  Feed* const feed = find(id);
  if (feed == nullptr || !feed->is_out) return;
  auto& out = *static_cast<OutFeed*>(feed);
  out.is_finishing = true;
  for (auto& [route, cursor] : out.cursors) cursor.stop();
}

void Lane::close(uint32_t id) {
  if (Feed* const feed = find(id)) drop_feed(feed);
}

void Lane::close_transfer(uint32_t id) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  while (!it->second->feeds.empty()) drop_feed(it->second->feeds.back());
  transfers_.erase(it);
}

void Lane::end_flow(Feed* flow) {
  Feed& first = flow->first();
  if (flow != &first) {
    drop_feed(flow);
  } else if (!first.is_over) {
    first.is_over = true;
    if (!first.is_out) {  // nothing is read of it any more
      auto& in = static_cast<InFeed&>(first);
      if (in.is_batched) batch(in, false);
      count(in, false);
      watch(in, false);
    }
  }
  if (first.is_over && first.flows.empty()) end_feed(&first, Code::kOk, 0);
}

void Lane::end_feed(Feed* flow, Code code, int sys_errno) {
  Feed* const feed = &flow->first();
  // What landed is said before the end is: JavaScript may act on the end.
  for (auto& [number, stream] : feed->transfer->streams) report_stream(*feed->transfer, stream);
  batch_.events.push_back(
      {{static_cast<double>(EventType::kFeedClosed), static_cast<double>(feed->transfer->id),
        static_cast<double>(feed->id), static_cast<double>(code), static_cast<double>(sys_errno)}});
  drop_feed(feed);
}

void Lane::drop_feed(Feed* feed) {
  Transfer& transfer = *feed->transfer;
  while (!feed->flows.empty()) drop_feed(feed->flows.back());
  if (feed->lead != nullptr) std::erase(feed->lead->flows, feed);
  std::erase(transfer.feeds, feed);
  if (feed->is_out) {
    auto& out = *static_cast<OutFeed*>(feed);
    std::erase(out_feeds_, &out);
    for (auto& entry : transfer.table) {
      std::erase_if(entry.second, [&](const RouteTarget& it) { return it.feed == &out; });
    }
    let_go(transfer);
  }
  if (!feed->is_out) {
    auto& in = *static_cast<InFeed*>(feed);
    count(in, false);
    if (in.is_batched) batched_--;
    if (in.is_parked) std::erase(parked_, &in);
  }
  // By hand: the host may still hold the same description, and only its last close leaves epoll.
  if (feed->channel.is_open()) epoll_ctl(epoll_, EPOLL_CTL_DEL, feed->channel.fd(), nullptr);
  feed->channel.close();
  counts_->open_feeds--;
  auto it = feeds_.find(feed->id);
  graveyard_.push_back(std::move(it->second));
  feeds_.erase(it);
}

void Lane::fail_stream(Transfer& transfer, Stream& stream, Status why) {
  if (stream.failed) return;
  stream.failed = true;
  report_stream(transfer, stream);
  Event event{{static_cast<double>(EventType::kFileFailed), static_cast<double>(transfer.id),
               static_cast<double>(stream.id), static_cast<double>(why.code),
               static_cast<double>(why.sys_errno)}};
  const std::string_view what = why.what == nullptr ? "" : why.what;
  event.v[kSideOffset] = static_cast<double>(batch_.side.size());
  event.v[kSideLength] = static_cast<double>(what.size());
  batch_.side.insert(batch_.side.end(), what.begin(), what.end());
  batch_.events.push_back(event);
  const std::vector<Feed*> feeds = transfer.feeds;
  for (Feed* feed : feeds) {
    if (!feed->is_out || !feed->channel.is_open()) continue;
    auto& out = *static_cast<OutFeed*>(feed);
    std::erase_if(out.items, [&](const OutItem& item) {
      if (item.stream != stream.id) return false;
      out.counters->queued -= item.end - item.begin;
      if (!item.grows) out.counters->listed--;
      return true;
    });
    for (auto& want : out.wanted) {
      if (want.stream != stream.id) continue;
      out.counters->queued -= want.bytes.bytes();
      count_wanted(out, want.bytes.intervals(), 0);
      want.bytes.clear();
    }
    // A record that was announced cannot be completed: the connection is lost with it.
    if (out.in_record && out.stream == &stream && out.left > 0) {
      end_feed(feed, why.code, why.sys_errno);
    }
  }
}

}  // namespace fr
