// The sending half of a lane: each outgoing feed has a list of landed ranges and sends them in
// records, in turn with the others, one chunk a turn.
//
// A feed hands the kernel little more than a few milliseconds of its own rate (TCP_NOTSENT_LOWAT,
// chunk), so that one FIFO uplink is not filled by whoever came first.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/lane/lane.h"

namespace fr {
namespace {

constexpr size_t kMinChunk = 16u << 10;
constexpr size_t kMaxChunk = 1u << 20;
constexpr size_t kMaxLowat = 4u << 20;
// Of a feed's rate, unsent in the kernel. A slow feed gets more time, as long as that is few bytes:
// each record costs as much however short it is.
constexpr double kBudgetSeconds = 0.004;
constexpr double kSlowSeconds = 0.012;
constexpr size_t kSlowBytes = 128u << 10;
constexpr uint64_t kFirstBytes = 4u << 20;
constexpr size_t kGrowBytes = 8u << 10;
constexpr uint64_t kGrowWaitNs = 1'000'000;

}  // namespace

// --- lists ---------------------------------------------------------------------------------------

// Number of pieces of ranges that were asked for before they landed.
void Lane::count_wanted(OutFeed& feed, size_t before, size_t now) {
  // One step, modulo 2^64: the caller's thread reads it at any time.
  feed.counters->listed.fetch_add(now - before, std::memory_order_relaxed);
}

// The bytes are counted as queued already. What landing bytes list (`grows`) is not the caller's:
// however long it gets, calls on the feed are taken.
void Lane::list(OutFeed& feed, Stream& stream, OutItem item) {
  if (item.begin >= item.end) return;
  if (stream.failed) {
    feed.counters->queued.fetch_sub(item.end - item.begin, std::memory_order_relaxed);
    return;
  }
  feed.listed_at_ns = now_ns_;
  if (!feed.items.empty()) {
    OutItem& last = feed.items.back();
    if (last.stream == stream.id && last.flags == item.flags && last.route == item.route &&
        last.end == item.begin) {
      last.end = item.end;
      return;
    }
  }
  feed.items.push_back(item);
  if (!item.grows) feed.counters->listed.fetch_add(1, std::memory_order_relaxed);
}

// Bytes have landed: feeds of their route, and whoever waited for them, get them listed.
void Lane::offer(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end, uint16_t route) {
  if (route != 0) stream.routes.raise(begin, end, route);
  stream.routes.each_inside(begin, end, [&](uint64_t from, uint64_t to, uint16_t own) {
    forward(transfer, stream, from, to, own);
  });
  for (Feed* const feed : transfer.feeds) {
    if (!feed->is_out) continue;
    auto& out = *static_cast<OutFeed*>(feed);
    for (auto& want : out.wanted) {
      if (want.stream != stream.id || want.bytes.empty()) continue;
      want.bytes.each_inside(begin, end, [&](uint64_t from, uint64_t to) {
        list(out, stream, {stream.id, want.flags, want.route, from, to, true});
      });
      const size_t before = want.bytes.intervals();
      want.bytes.erase(begin, end);
      count_wanted(out, before, want.bytes.intervals());
    }
  }
}

void Lane::send(uint32_t id, uint32_t number, uint64_t offset, uint64_t length, uint16_t flags,
                uint16_t route) {
  Feed* const feed = find(id);
  if (feed == nullptr || !feed->is_out) return;
  auto it = feed->transfer->streams.find(number);
  if (it == feed->transfer->streams.end()) return;
  auto& out = *static_cast<OutFeed*>(feed);
  Stream& stream = it->second;
  if (stream.failed) {  // nothing of it will land any more
    out.counters->queued.fetch_sub(length, std::memory_order_relaxed);
    return;
  }
  IntervalSet missing;
  missing.insert(offset, offset + length);
  stream.main.landed.each_inside(offset, offset + length, [&](uint64_t begin, uint64_t end) {
    list(out, stream, {number, flags, route, begin, end, false});
    missing.erase(begin, end);
  });
  if (missing.empty()) return;
  for (auto& want : out.wanted) {
    if (want.stream != number || want.flags != flags || want.route != route) continue;
    const size_t before = want.bytes.intervals();
    missing.each([&](uint64_t begin, uint64_t end) { want.bytes.insert(begin, end); });
    return count_wanted(out, before, want.bytes.intervals());
  }
  count_wanted(out, 0, missing.intervals());
  out.wanted.push_back({number, flags, route, std::move(missing)});
}

void Lane::send_digests(uint32_t id, DigestRef record, uint16_t route) {
  Feed* const feed = find(id);
  if (feed == nullptr || !feed->is_out) return;
  static_cast<OutFeed*>(feed)->digest_items.push_back({std::move(record), route});
}

// --- the turn ------------------------------------------------------------------------------------

// One chunk for every feed that can take one; those that go first stand in front, and take several.
// True when another turn may do something at once.
bool Lane::pump() {
  poke_ns_ = 0;
  is_paced_ = false;
  bool again = false;
  size_t i = 0;
  for (size_t visits = out_feeds_.size(); visits > 0 && i < out_feeds_.size(); visits--) {
    OutFeed* const feed = out_feeds_[i];
    bool more = pump_feed(*feed);
    const uint64_t most = feed->accepted + kFirstBytes;
    while (more && feed->is_first && feed->accepted < most) more = pump_feed(*feed);
    again = more || again;
    if (more && is_paced(*feed)) to_the_end(*feed);
    if (i < out_feeds_.size() && out_feeds_[i] == feed) i++;  // else it left its place
  }
  return again;
}

bool Lane::pump_feed(OutFeed& feed) {
  if (!feed.is_writable) return false;
  if (feed.channel.has_unsent() && !is_sent(feed, feed.channel.flush())) return false;
  if (feed.end_sent) return false;
  if (!feed.in_record && !(may_begin(feed) && begin_record(feed))) return false;
  if (!push_header(feed)) return false;
  if (feed.digests != nullptr ? !push_digests(feed) : !push_payload(feed)) return false;
  feed.in_record = false;
  feed.counters->records.fetch_add(1, std::memory_order_relaxed);
  if (feed.is_passing) passed_on(feed);
  return feed.channel.is_open() && has_work(feed);
}

bool Lane::has_work(const OutFeed& feed) {
  const OutFeed& of = lists(feed);
  return !of.items.empty() || feed.passed || has_digests(of) || of.is_finishing;
}

bool Lane::begin_record(OutFeed& feed) {
  Header header;
  feed.digests = nullptr;
  feed.left = 0;
  // Digests go ahead of the payload: whoever holds the bytes can verify them at once.
  if (!begin_digests(feed, &header) && !begin_passed(feed, &header) &&
      !begin_payload(feed, &header) && !begin_end(feed, &header)) {
    return false;
  }
  encode_header(header, feed.seed, feed.header_bytes);
  feed.header_sent = 0;
  feed.in_record = true;
  return true;
}

bool Lane::has_digests(const OutFeed& feed) {
  return !feed.digest_items.empty() ||
         std::any_of(feed.cursors.begin(), feed.cursors.end(),
                     [](const auto& entry) { return entry.second.is_due(); });
}

// The caller's own first, then what is passed on. False: there is none.
bool Lane::begin_digests(OutFeed& feed, Header* out) {
  uint16_t route = 0;
  OutFeed& from = lists(feed);
  if (!from.digest_items.empty()) {
    route = from.digest_items.front().route;
    feed.digests = std::move(from.digest_items.front().record);
    from.digest_items.pop_front();
    from.counters->digest_bytes.fetch_sub(feed.digests->payload.size(), std::memory_order_relaxed);
  }
  for (auto& [of, cursor] : from.cursors) {
    if (feed.digests != nullptr) break;
    route = cursor.next;
    while (feed.digests == nullptr && cursor.is_due()) feed.digests = cursor.take();
  }
  if (feed.digests == nullptr) return false;
  const DigestRecord& record = *feed.digests;
  feed.digests_sent = 0;
  out->kind = Kind::kDigests;
  out->stream = record.stream;
  out->extra = static_cast<uint32_t>(record.payload.size());
  out->offset = record.begin;
  out->length = static_cast<uint32_t>(record.end - record.begin);
  out->route = route;
  return true;
}

// Each flow has its own, behind all that is sent on it.
bool Lane::begin_end(OutFeed& feed, Header* out) {
  const OutFeed& of = lists(feed);
  if (!of.is_finishing || !of.items.empty()) return false;
  for (const auto& want : of.wanted) {
    if (!want.bytes.empty()) return false;
  }
  out->kind = Kind::kEnd;
  return true;
}

bool Lane::begin_payload(OutFeed& feed, Header* out) {
  OutFeed& from = lists(feed);
  if (from.items.empty()) return false;
  OutItem& item = from.items.front();
  const uint64_t listed = item.end - item.begin;
  if (item.grows && listed < kGrowBytes && from.items.size() == 1 && !from.is_finishing &&
      now_ns_ - from.listed_at_ns < kGrowWaitNs) {
    poke_ns_ = now_ns_ + kGrowWaitNs;
    return false;
  }
  Stream& stream = feed.transfer->streams.at(item.stream);
  uint64_t length = std::min<uint64_t>({listed, feed.chunk, record_bytes(feed)});
  Header header{Kind::kPayload, item.flags, item.stream, 0, item.begin, 0, item.route};
  if (stream.main.file->joined != nullptr) {
    const Piece piece = stream.main.file->to_read(item.begin, listed);
    if (piece.fd < 0) header.kind = Kind::kHole;
    const uint64_t most = piece.fd < 0 ? std::min<uint64_t>(listed, kMaxHole) : length;
    length = std::min(most, piece.length);
  } else if (stream.sparse) {
    const int file = stream.main.file->fd;
    const off_t data = lseek(file, static_cast<off_t>(item.begin), SEEK_DATA);
    const bool to_the_end = data < 0 && errno == ENXIO;  // no data behind this offset
    const uint64_t data_at = data < 0 ? item.end : static_cast<uint64_t>(data);
    if ((data >= 0 || to_the_end) && data_at > item.begin) {
      header.kind = Kind::kHole;
      length = std::min<uint64_t>({data_at - item.begin, listed, kMaxHole});
    } else if (data >= 0) {
      const off_t hole = lseek(file, data, SEEK_HOLE);
      if (hole > data) length = std::min<uint64_t>(length, static_cast<uint64_t>(hole - data));
    }
  }
  header.length = static_cast<uint32_t>(length);
  feed.stream = &stream;
  feed.at = item.begin;
  if (header.kind == Kind::kPayload) {
    feed.left = length;
  } else {
    from.counters->queued.fetch_sub(length, std::memory_order_relaxed);
  }
  item.begin += length;
  if (item.begin == item.end) {
    if (!item.grows) from.counters->listed.fetch_sub(1, std::memory_order_relaxed);
    from.items.pop_front();
  }
  *out = header;
  return true;
}

// False: the feed has to wait, or has ended.
bool Lane::is_sent(OutFeed& feed, const Moved& moved) {
  if (moved.some()) return true;
  if (moved.how == Moved::How::kAgain) {
    feed.is_writable = false;
  } else {
    end_feed(&feed, Code::ERR_FR_NODE_LOST, moved.error);
  }
  return false;
}

bool Lane::push_header(OutFeed& feed) {
  while (feed.header_sent < kHeaderBytes) {
    const bool more = feed.left > 0 || feed.digests != nullptr;
    const Moved sent = feed.channel.send(feed.header_bytes + feed.header_sent,
                                         kHeaderBytes - feed.header_sent, more);
    if (!is_sent(feed, sent)) return false;
    pay(feed, sent.bytes);
    feed.header_sent += sent.bytes;
  }
  if (feed.header_bytes[3] == static_cast<uint8_t>(Kind::kEnd) && !feed.end_sent) {
    feed.end_sent = true;
    feed.channel.half_close();
  }
  return true;
}

bool Lane::push_digests(OutFeed& feed) {
  const std::vector<uint8_t>& payload = feed.digests->payload;
  while (feed.digests_sent < payload.size()) {
    const uint64_t most = may_send(feed, payload.size() - feed.digests_sent);
    if (most == 0) return false;
    const Moved sent = feed.channel.send(payload.data() + feed.digests_sent, most, false);
    if (!is_sent(feed, sent)) return false;
    pay(feed, sent.bytes);
    feed.digests_sent += sent.bytes;
  }
  feed.digests = nullptr;
  return true;
}

Moved Lane::send_piece(OutFeed& feed, uint64_t most) {
  const Piece from = feed.stream->main.file->to_read(feed.at, most);
  // What was in a part when it was announced has been lost since.
  if (from.fd < 0) return {Moved::How::kFailed, 0, EIO, true};
  return feed.channel.from_file(from.fd, feed.at, from.length);
}

bool Lane::push_payload(OutFeed& feed) {
  while (feed.left > 0) {
    const uint64_t most = may_send(feed, feed.left);
    if (most == 0) return false;
    const Moved sent = feed.is_passing ? feed.channel.send_held() : send_piece(feed, most);
    if (sent.how == Moved::How::kEof || sent.at_file) {
      // The end: the file is shorter than what was announced.
      const Status why =
          sent.at_file ? status_of_errno(sent.error, "read") : Status{Code::ERR_FR_SOURCE_CHANGED};
      fail_stream(*feed.transfer, *feed.stream, why);  // and with it the feed, in mid-record
      return false;
    }
    if (!is_sent(feed, sent)) return false;
    pay(feed, sent.bytes);
    feed.at += sent.bytes;
    feed.left -= sent.bytes;
    feed.accepted += sent.bytes;
    feed.counters->payload.fetch_add(sent.bytes, std::memory_order_relaxed);
    feed.transfer->counters->sent.fetch_add(sent.bytes, std::memory_order_relaxed);
    lists(feed).counters->queued.fetch_sub(sent.bytes, std::memory_order_relaxed);
  }
  return true;
}

// --- pace ----------------------------------------------------------------------------------------

void Lane::refresh_unacked(OutFeed& feed) {
  if (!feed.channel.unacked(&feed.unacked)) return;
  feed.counters->unacked.store(feed.unacked, std::memory_order_relaxed);
}

void Lane::measure(OutFeed& feed, double seconds) {
  PathInfo path;
  if (feed.channel.path(&path)) {
    FeedCounters& counters = *feed.counters;
    counters.round_trip.store(std::max<uint64_t>(path.shortest_us, 1), std::memory_order_relaxed);
    counters.smoothed.store(path.smoothed_us, std::memory_order_relaxed);
    counters.retransmits.store(path.retransmits, std::memory_order_relaxed);
    counters.window_limited.store(path.window_limited_us, std::memory_order_relaxed);
  }
  if (feed.unacked > 0) feed.channel.look_at_window();
  const uint64_t acked = feed.accepted - std::min(feed.accepted, feed.unacked);
  const uint64_t gained = acked > feed.rate_mark ? acked - feed.rate_mark : 0;
  feed.rate_mark = std::max(acked, feed.rate_mark);
  if (gained == 0 && lists(feed).items.empty()) return;  // idle says nothing about the link
  const double now = static_cast<double>(gained) / seconds;
  feed.rate = feed.rate == 0 ? now : 0.7 * feed.rate + 0.3 * now;
  const auto slow = std::min(static_cast<size_t>(feed.rate * kSlowSeconds), kSlowBytes);
  const auto budget = std::max(static_cast<size_t>(feed.rate * kBudgetSeconds), slow);
  feed.chunk = std::clamp(budget, kMinChunk, kMaxChunk);
  const size_t lowat = std::clamp(budget, kMinChunk, kMaxLowat);
  if (feed.lowat != 0 && lowat < feed.lowat * 2 && lowat * 2 > feed.lowat) return;
  feed.lowat = lowat;
  feed.channel.set_unsent_bytes(static_cast<int>(lowat));
}

}  // namespace fr
