#include "core/lane/engine.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace fr {
namespace {

constexpr Answer kClosed{nullptr, {Code::ERR_FR_CLOSED, 0}};
constexpr Answer kFull{nullptr, {Code::ERR_FR_INBOX_FULL, 0}};
constexpr size_t kFeedsMax = 65'536;
constexpr size_t kTransfersMax = 4'096;
// How long a bridge lives while an end acknowledges nothing is bounded by those who talk over it.
constexpr int kNoUserTimeout = 0;

// A sparse file has fewer blocks than its size needs; only then is it worth asking for holes.
bool is_sparse(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return false;
  return static_cast<uint64_t>(st.st_blocks) * 512 < static_cast<uint64_t>(st.st_size);
}

DigestRef record_of(uint32_t stream, uint64_t offset, uint64_t length,
                    std::vector<uint8_t> payload) {
  return std::make_shared<const DigestRecord>(
      DigestRecord{stream, offset, offset + length, std::move(payload)});
}

}  // namespace

Engine::Engine(int lanes, std::function<void()> wake) : outbox_(std::move(wake)) {
  for (int i = 0; i < std::max(1, lanes); i++) {
    lanes_.push_back(std::make_unique<Lane>(i, &outbox_, &disks_, &counts_));
  }
}

Engine::~Engine() { stop(); }

void Engine::stop() {
  if (!running_) return;
  running_ = false;
  disks_.stop();
  for (PlaceLanes& own : of_place_) own.lanes.clear();
  lanes_.clear();  // joins each, and gives its descriptors back now, not when the object goes
  transfers_.clear();
  feeds_.clear();
}

Answer Engine::task(uint32_t transfer, std::function<void(Lane&)> work) {
  if (!running_) return kClosed;
  auto it = transfers_.find(transfer);
  if (it == transfers_.end()) return {"transfer: unknown handle", {}};
  if (!it->second.lane->submit(std::move(work))) return kFull;
  return {};
}

Lane* Engine::lane_for(uint32_t place) {
  Lane* const shared = lanes_[next_lane_ % lanes_.size()].get();
  if (place == 0 || place >= of_place_.size()) {
    next_lane_++;
    return shared;
  }
  PlaceLanes& own = of_place_[place];
  const size_t at = own.next++ % lanes_.size();
  if (at < own.lanes.size()) return own.lanes[at].get();
  try {
    const int index = static_cast<int>(place * lanes_.size() + at);
    own.lanes.push_back(std::make_unique<Lane>(index, &outbox_, &disks_, &counts_));
    return own.lanes.back().get();
  } catch (const std::system_error&) {
    // Better one that others have than none.
    return own.lanes.empty() ? shared : own.lanes.back().get();
  }
}

Answer Engine::open_transfer(int user_timeout_ms, uint32_t* out, uint32_t place) {
  if (!running_) return kClosed;
  if (transfers_.size() >= kTransfersMax) return {nullptr, {Code::ERR_FR_LIMIT, 0}};
  const uint32_t id = next_handle_++;
  Lane* const lane = lane_for(place);
  auto counters = std::make_shared<TransferCounters>();
  const auto up = up_.open();
  const auto down = down_.open();
  transfers_[id] = {lane, counters, up, down, user_timeout_ms, {}};
  *out = id;
  return task(id, [=](Lane& l) { l.open_transfer(id, counters, up, down); });
}

Answer Engine::add_stream(const StreamRequest& r) {
  auto it = transfers_.find(r.transfer);
  if (running_ && it != transfers_.end() && it->second.streams.contains(r.stream)) {
    return {"stream: added before", {}};
  }
  if (r.block_bytes == 0 || (r.block_bytes & (r.block_bytes - 1)) != 0) {
    return {"blockBytes: not a power of two", {}};
  }
  Stream stream;
  stream.id = r.stream;
  stream.size = r.size;
  stream.block_bytes = r.block_bytes;
  stream.growing = r.growing;
  if (r.growing && r.size > bounds::growingSpanBytes) return {"size: more than may grow", {}};
  stream.complete = r.complete;
  stream.passes = r.file == 0;
  if (stream.passes && (r.scratch != 0 || r.complete)) return {"file: none", {}};
  if (!stream.passes) stream.main.file = file_table_get(r.file);
  if (!stream.passes && stream.main.file == nullptr) return {"file: unknown handle", {}};
  if (r.scratch != 0) {
    stream.scratch.file = file_table_get(r.scratch);
    if (stream.scratch.file == nullptr) return {"scratch: unknown handle", {}};
  }
  const bool is_plain = !stream.passes && stream.main.file->joined == nullptr;
  stream.sparse = r.sparse || (r.complete && is_plain && is_sparse(stream.main.file->fd));
  if (stream.passes) stream.sparse = false;
  if (stream.sparse) stream.main.file->sparse = true;
  // A hole can be of any size, and whoever hashes it need not read it.
  const bool hashes = r.growing || r.block_bytes <= Stream::kHashedBlockMax;
  if (!stream.passes && !stream.sparse && hashes) stream.hashes = r.hashes;
  const Answer done =
      task(r.transfer, [id = r.transfer, stream](Lane& lane) { lane.add_stream(id, stream); });
  if (!done.ok()) return done;
  StreamEntry& entry = it->second.streams[r.stream];
  entry = {.size = r.size, .passes = stream.passes, .growing = r.growing};
  if (r.growing && !r.complete) entry.grown = {stream.main.file, stream.scratch.file};
  entry.size_files();
  return done;
}

Answer Engine::adopt(const FeedRequest& r, uint32_t* out) {
  if (!running_) return kClosed;
  const auto transfer = transfers_.find(r.transfer);
  if (transfer == transfers_.end()) return {"transfer: unknown handle", {}};
  FeedEntry* beside = nullptr;
  if (r.beside != 0) {
    const auto it = feeds_.find(r.beside);
    if (it == feeds_.end() || it->second.transfer != r.transfer)
      return {"beside: unknown handle", {}};
    beside = &it->second;
    if (beside->is_out != r.is_out) return {"beside: of the other direction", {}};
    if (r.fd < 0) return {nullptr, {Code::ERR_FR_NODE_LOST, 0}};
    if (beside->flows.size() + 1 >= bounds::flowsPerFeed) return {nullptr, {Code::ERR_FR_LIMIT, 0}};
  } else if (feeds_.size() >= kFeedsMax) {
    return {nullptr, {Code::ERR_FR_LIMIT, 0}};
  }
  int fd = -1;
  if (r.fd >= 0) {
    fd = Channel::prepare(r.fd, {r.is_out, transfer->second.user_timeout_ms, r.congestion});
    if (fd < 0) return {nullptr, {Code::ERR_FR_LIMIT, errno}};
  }
  const uint32_t id = next_handle_++;
  auto counters = std::make_shared<FeedCounters>();
  // A std::function must be copyable, so the feed travels in a shared holder.
  auto holder = std::make_shared<std::unique_ptr<Feed>>();
  if (r.is_out) {
    *holder = std::make_unique<OutFeed>(fd, &counts_);
  } else {
    auto in = std::make_unique<InFeed>(fd, &counts_);
    in->is_asked = r.is_asked;
    *holder = std::move(in);
  }
  Feed& feed = **holder;
  feed.id = id;
  feed.is_out = r.is_out;
  feed.seed = r.seed;
  feed.counters = counters;
  if (r.seal && !feed.channel.seal(*r.seal, r.is_out)) {
    return {nullptr, {Code::ERR_FR_UNSUPPORTED, 0, "AES-256-GCM without OpenSSL"}};
  }
  const Answer done = task(r.transfer, [holder, of = r.transfer, lead = r.beside](Lane& lane) {
    if (lead == 0) {
      lane.add_feed(of, std::move(*holder));
    } else {
      lane.add_flow(lead, std::move(*holder));
    }
  });
  if (!done.ok()) return done;
  if (beside == nullptr) {
    feeds_[id] = {r.transfer, r.is_out, counters, false, !r.is_out && r.is_asked, {}};
  } else {
    beside->flows.push_back(counters);
  }
  *out = beside == nullptr ? id : r.beside;
  return done;
}

Answer Engine::bridge(int a, int b) {
  if (!running_) return kClosed;
  if (counts_.open_bridges >= static_cast<int64_t>(bounds::bridgesPerNode))
    return {nullptr, {Code::ERR_FR_LIMIT, 0}};
  Lane* const lane = lanes_[next_lane_++ % lanes_.size()].get();
  auto& [up, down] = bridging_[lane];
  if (up == nullptr) {
    up = up_.open();
    down = down_.open();
  }
  // A std::function must be copyable, so the ends travel in a shared holder.
  auto ends = std::make_shared<std::vector<std::unique_ptr<BridgeEnd>>>();
  if (a < 0 || b < 0) return {nullptr, {Code::ERR_FR_NODE_LOST, 0}};
  for (const int fd : {a, b}) {
    const int own = Channel::prepare(fd, {true, kNoUserTimeout, ""});
    if (own < 0) return {nullptr, {Code::ERR_FR_LIMIT, errno}};
    ends->push_back(std::make_unique<BridgeEnd>(own, &counts_));
    ends->back()->id = next_handle_++;
  }
  counts_.open_bridges++;
  const bool is_taken = lane->submit([ends, up = up, down = down](Lane& l) {
    l.add_bridge(std::move(ends->at(0)), std::move(ends->at(1)), up, down);
  });
  if (is_taken) return {};
  counts_.open_bridges--;
  return kFull;
}

Answer Engine::checked_feed(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length,
                            bool may_be_empty) const {
  if (!running_) return kClosed;
  auto it = feeds_.find(feed);
  if (it == feeds_.end()) return {"feed: unknown handle", {}};
  if (!it->second.is_out) return {"feed: receives, cannot send", {}};
  if (it->second.is_finishing) return {"feed: finished", {}};
  return checked_range(it->second.transfer, stream, offset, length, may_be_empty);
}

Answer Engine::checked_range(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length,
                             bool may_be_empty) const {
  if (!running_) return kClosed;
  const auto it = transfers_.find(transfer);
  if (it == transfers_.end()) return {"transfer: unknown handle", {}};
  const auto& streams = it->second.streams;
  auto found = streams.find(stream);
  if (found == streams.end()) return {"stream: unknown number", {}};
  const bool is_nothing = may_be_empty && found->second.growing && offset == 0;
  if (length == 0 && !is_nothing) return {"length: zero", {}};
  const uint64_t size = found->second.size;
  if (offset > size || length > size - offset) {
    return {"offset, length: beyond the end of the stream", {}};
  }
  return {};
}

Answer Engine::checked_stored(uint32_t transfer, uint32_t stream, uint64_t offset,
                              uint64_t length) const {
  const Answer checked = checked_range(transfer, stream, offset, length);
  if (!checked.ok() || !transfers_.at(transfer).streams.at(stream).passes) return checked;
  return {"stream: nothing of it is stored", {}};
}

Answer Engine::checked_digests(uint64_t length, size_t payload_bytes) {
  if (payload_bytes == 0 || payload_bytes > kMaxDigestPayload) return {"payload: size", {}};
  if (length > UINT32_MAX) return {"length: more than one record covers", {}};
  return {};
}

Answer Engine::set_route(uint32_t transfer, uint16_t route, std::vector<RouteRequest> targets) {
  if (!running_) return kClosed;
  if (route == 0) return {"route: 0 is none", {}};
  for (const RouteRequest& target : targets) {
    const auto it = feeds_.find(target.feed);
    if (it == feeds_.end() || it->second.transfer != transfer) return {"feed: unknown handle", {}};
    if (!it->second.is_out) return {"feed: receives, cannot send", {}};
  }
  return task(transfer, [=, targets = std::move(targets)](Lane& lane) {
    lane.set_route(transfer, route, targets);
  });
}

Answer Engine::assign(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length,
                      uint16_t route) {
  const Answer checked = checked_stored(transfer, stream, offset, length);
  if (!checked.ok()) return checked;
  if (route == 0) return {"route: 0 is none", {}};
  return task(transfer, [=](Lane& lane) { lane.assign(transfer, stream, offset, length, route); });
}

Answer Engine::hold(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length) {
  const Answer checked = checked_stored(transfer, stream, offset, length);
  if (!checked.ok()) return checked;
  return task(transfer, [=](Lane& lane) { lane.hold(transfer, stream, offset, length); });
}

Answer Engine::skip(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length) {
  Answer checked = checked_feed(feed, stream, offset, length);
  if (!checked.ok()) return checked;
  const uint32_t transfer = feeds_.at(feed).transfer;
  checked = checked_stored(transfer, stream, offset, length);
  if (!checked.ok()) return checked;
  return task(transfer, [=](Lane& lane) { lane.skip(feed, stream, offset, length); });
}

Answer Engine::ask(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length, bool scratch) {
  if (!running_) return kClosed;
  const auto it = feeds_.find(feed);
  if (it == feeds_.end()) return {"feed: unknown handle", {}};
  if (!it->second.is_asked) return {"feed: is not asked", {}};
  const Answer checked = checked_stored(it->second.transfer, stream, offset, length);
  if (!checked.ok()) return checked;
  return task(it->second.transfer,
              [=](Lane& lane) { lane.ask(feed, stream, offset, length, scratch); });
}

Answer Engine::send(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length,
                    uint16_t flags, uint16_t route) {
  Answer checked = checked_feed(feed, stream, offset, length);
  if (!checked.ok()) return checked;
  const FeedEntry& entry = feeds_.at(feed);
  checked = checked_stored(entry.transfer, stream, offset, length);
  if (!checked.ok()) return checked;
  if (entry.counters->listed.load(std::memory_order_relaxed) >= bounds::listedRanges) return kFull;
  entry.counters->queued.fetch_add(length, std::memory_order_relaxed);
  return task(entry.transfer,
              [=](Lane& lane) { lane.send(feed, stream, offset, length, flags, route); });
}

Answer Engine::send_digests(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length,
                            uint16_t route, std::vector<uint8_t> payload) {
  Answer checked = checked_feed(feed, stream, offset, length, true);
  if (checked.ok()) checked = checked_digests(length, payload.size());
  if (!checked.ok()) return checked;
  const FeedEntry& entry = feeds_.at(feed);
  const uint64_t waiting = entry.counters->digest_bytes.load(std::memory_order_relaxed);
  if (waiting + payload.size() > bounds::digestQueueBytes) return kFull;
  entry.counters->digest_bytes.fetch_add(payload.size(), std::memory_order_relaxed);
  const DigestRef record = record_of(stream, offset, length, std::move(payload));
  return task(entry.transfer, [=](Lane& lane) { lane.send_digests(feed, record, route); });
}

Answer Engine::relay_digests(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length,
                             uint16_t route, std::vector<uint8_t> payload) {
  Answer checked = checked_range(transfer, stream, offset, length, true);
  if (checked.ok()) checked = checked_digests(length, payload.size());
  if (!checked.ok()) return checked;
  if (route == 0) return {"route: 0 is none", {}};
  const DigestRef record = record_of(stream, offset, length, std::move(payload));
  const Answer done =
      task(transfer, [=](Lane& lane) { lane.relay_digests(transfer, record, route); });
  // A lane that is far behind passes it on to nobody.
  return done.status.code == Code::ERR_FR_INBOX_FULL ? Answer{} : done;
}

Answer Engine::finish(uint32_t feed) {
  auto it = feeds_.find(feed);
  if (!running_) return kClosed;
  if (it == feeds_.end()) return {"feed: unknown handle", {}};
  if (!it->second.is_out) return {"feed: receives, cannot finish", {}};
  if (it->second.is_finishing) return {"feed: finished", {}};
  it->second.is_finishing = true;
  return task(it->second.transfer, [=](Lane& lane) { lane.finish(feed); });
}

Answer Engine::close(uint32_t feed) {
  auto it = feeds_.find(feed);
  if (it == feeds_.end() || !running_) return {};
  const uint32_t transfer = it->second.transfer;
  feeds_.erase(it);
  return task(transfer, [=](Lane& lane) { lane.close(feed); });
}

Answer Engine::close_transfer(uint32_t transfer) {
  if (!running_) return {};
  const Answer done = task(transfer, [=](Lane& lane) { lane.close_transfer(transfer); });
  if (done.misuse != nullptr) return done;
  const TransferEntry& entry = transfers_.at(transfer);
  sent_before_ += entry.counters->sent.load(std::memory_order_relaxed);
  received_before_ += entry.counters->received.load(std::memory_order_relaxed);
  up_.close(*entry.up);
  down_.close(*entry.down);
  transfers_.erase(transfer);
  std::erase_if(feeds_, [&](const auto& entry) { return entry.second.transfer == transfer; });
  return done;
}

void Engine::limit(uint64_t up, uint64_t down) {
  up_.set_rate(up);
  down_.set_rate(down);
}

Answer Engine::limit_transfer(uint32_t transfer, uint64_t up, uint64_t down, double weight) {
  if (!running_) return kClosed;
  const auto it = transfers_.find(transfer);
  if (it == transfers_.end()) return {"transfer: unknown handle", {}};
  up_.set(*it->second.up, up, weight);
  down_.set(*it->second.down, down, weight);
  return {};
}

Answer Engine::limit_feeds(std::vector<uint32_t> feeds, uint64_t rate) {
  if (!running_) return kClosed;
  if (feeds.empty()) return {};
  const auto first = feeds_.find(feeds.front());
  for (const uint32_t feed : feeds) {
    const auto it = feeds_.find(feed);
    if (it == feeds_.end()) return {"feed: unknown handle", {}};
    if (!it->second.is_out) return {"feed: receives, cannot send", {}};
    if (it->second.transfer != first->second.transfer) return {"feed: of another transfer", {}};
  }
  return task(first->second.transfer,
              [=, feeds = std::move(feeds)](Lane& lane) { lane.limit_feeds(feeds, rate); });
}

bool Engine::on_disk(uint32_t place, bool names, std::function<void()> work) {
  return running_ && (names ? disks_.names(place) : disks_.bytes(place)).submit(std::move(work));
}

EventBatch Engine::take_events() {
  EventBatch batch = outbox_.take();
  std::vector<Event> kept;
  kept.reserve(batch.events.size());
  for (const Event& event : batch.events) {
    const auto type = static_cast<EventType>(static_cast<int>(event.v[0]));
    if (type == EventType::kDone) servings_.erase(event.v[1]);
    // What a lane said before it saw the host close a transfer or feed is of no interest.
    if (type != EventType::kDone && !transfers_.contains(static_cast<uint32_t>(event.v[1])))
      continue;
    const bool of_feed = type == EventType::kFeedClosed || type == EventType::kDigests;
    const auto feed = static_cast<uint32_t>(event.v[2]);
    if (of_feed && !feeds_.contains(feed)) continue;
    if (type == EventType::kFeedClosed) ended_.push_back(feed);
    kept.push_back(event);
  }
  batch.events = std::move(kept);
  return batch;
}

void Engine::forget_ended() {
  for (const uint32_t feed : ended_) feeds_.erase(feed);
  ended_.clear();
}

}  // namespace fr
