// The receiving half of a lane: records come off a socket and land in the file at their offset.
//
// A byte lands once. What has landed before is drained and counted, so that no range at or below a
// watermark is ever rewritten: pages queued on other sockets are references to the page cache.

#include <algorithm>
#include <cerrno>

#include "core/file/storage.h"
#include "core/lane/lane.h"

namespace fr {
namespace {

// Bytes of any kind that one feed may take in one turn of the loop, so that no feed starves the
// others; and, where it is sealed, how often its socket is read: short records cost far more than
// what they bring.
constexpr size_t kTurnBytes = 2u << 20;
constexpr uint64_t kTurnFills = 64;
constexpr size_t kStepBytes = 1u << 20;
// A feed that has brought this much is worth waking for only when a chunk has come.
constexpr uint64_t kBatchAfterBytes = 64u << 10;
constexpr int kBatchBytes = 16 << 10;
constexpr int kBatchBytesMax = 256 << 10;
// The tick leaves a feed alone for so long: what is to be relayed is waited for, the rest is not,
// until little is missing.
constexpr uint64_t kRelayedNs = 10'000'000;
constexpr uint64_t kLandedNs = 20'000'000;
constexpr uint64_t kLittleBytes = 2u << 20;
// A chunk is what comes in this time more: on links that are slower than this machine all feeds are
// read together, at the tick.
constexpr uint64_t kBatchMarginNs = 5'000'000;
constexpr uint64_t kBatchIdleNs = 50'000'000;
constexpr uint64_t kBatchRateNs = 25'000'000;

uint64_t tick_ns(const InFeed& feed) { return feed.relays ? kRelayedNs : kLandedNs; }

}  // namespace

void Lane::ingest(InFeed& feed) {
  if (feed.is_held_back || feed.is_parked || feed.is_over) return;
  const uint64_t before = feed.counters->payload.load(std::memory_order_relaxed);
  const uint64_t taken = feed.taken;
  const uint64_t fills = feed.channel.fills();
  bool more = true;
  while (more && feed.channel.is_open() && !feed.is_over && feed.taken - taken < kTurnBytes &&
         feed.channel.fills() - fills < kTurnFills) {
    if (feed.transfer->down->is_paced() && !may_receive(feed)) break;
    switch (feed.state) {
      case InFeed::State::kHeader:
      case InFeed::State::kEnded:
        more = read_header(feed);
        break;
      case InFeed::State::kBeyond:
        more = enter_record(feed);
        break;
      case InFeed::State::kPayload:
        more = read_payload(feed);
        break;
      case InFeed::State::kHole:
        more = read_hole(feed);
        break;
      case InFeed::State::kDigests:
        more = read_digests(feed);
        break;
    }
  }
  if (!feed.channel.is_open() || feed.is_over) return;
  note_opened(feed);
  const uint64_t now = feed.counters->payload.load(std::memory_order_relaxed);
  if (now == before) return;
  feed.came_at_ns = now_ns_;
  if (!feed.is_batched && now - feed.batch_from >= kBatchAfterBytes) batch(feed, true);
}

// On a shaped link segments come one by one; a wake for each costs more than moving it (a node on a
// 200 Mbit/s link: 17,000 a second). SO_RCVLOWAT makes epoll wait for a chunk or the end.
void Lane::batch(InFeed& feed, bool on) {
  if (on != feed.is_batched) batched_ += on ? 1 : -1;
  feed.is_batched = on;
  feed.batch_from = feed.counters->payload.load(std::memory_order_relaxed);
  feed.batch_at_ns = now_ns_;
  set_batch(feed, on ? kBatchBytes : 1);
}

void Lane::set_batch(InFeed& feed, int bytes) {
  feed.batch_bytes = bytes;
  feed.channel.set_wake_bytes(bytes);
}

// Lets the chunk follow the rate.
void Lane::resize_batch(InFeed& feed) {
  if (now_ns_ - feed.batch_at_ns < kBatchRateNs) return;
  const uint64_t now = feed.counters->payload.load(std::memory_order_relaxed);
  const double rate = static_cast<double>(now - feed.batch_from) /
                      (static_cast<double>(now_ns_ - feed.batch_at_ns) / 1e9);
  feed.batch_from = now;
  feed.batch_at_ns = now_ns_;
  const uint64_t wait_ns = tick_ns(feed) + kBatchMarginNs;
  const int bytes = static_cast<int>(
      std::clamp<double>(rate * static_cast<double>(wait_ns) / 1e9, kBatchBytes, kBatchBytesMax));
  if (bytes < feed.batch_bytes * 2 && bytes * 2 > feed.batch_bytes) return;
  set_batch(feed, bytes);
}

// How long what is less than a chunk may wait; at the end of a file only for what is relayed.
uint64_t Lane::patience_ns(const InFeed& feed) {
  if (feed.relays) return tick_ns(feed);
  for (const auto& [id, stream] : feed.transfer->streams) {
    if (stream.size - stream.main.landed.bytes() > kLittleBytes) return tick_ns(feed);
  }
  return 0;
}

// What is less than a chunk waits for a tick; a feed that has gone quiet wakes us by itself.
void Lane::look_after_batched() {
  if (batched_ == 0 || is_deaf_) return;
  std::vector<InFeed*> feeds;
  for (auto& [id, feed] : feeds_) {
    if (!feed->is_out && static_cast<InFeed*>(feed.get())->is_batched) {
      feeds.push_back(static_cast<InFeed*>(feed.get()));
    }
  }
  for (InFeed* const feed : feeds) {
    if (!feed->channel.is_open() || !feed->is_batched) continue;  // gone with another flow
    // Ticks come a little early, too.
    if (now_ns_ - feed->came_at_ns + kBatchMarginNs / 2 >= patience_ns(*feed)) {
      ingest(*feed);
      if (!feed->channel.is_open() || !feed->is_batched) continue;
      if (now_ns_ - feed->came_at_ns > kBatchIdleNs) {
        batch(*feed, false);
        continue;
      }
    }
    resize_batch(*feed);
  }
}

// Handles "nothing now", the end and errors of a read. True when the turn is over.
bool Lane::stop_on(InFeed& feed, const Moved& moved) {
  switch (moved.how) {
    case Moved::How::kSome:
      return false;
    case Moved::How::kAgain:
      return true;
    case Moved::How::kEof: {
      const bool is_clean = feed.state == InFeed::State::kEnded && feed.header_have == 0;
      if (is_clean) {
        end_flow(&feed);
      } else {
        end_feed(&feed, Code::ERR_FR_NODE_LOST, 0);
      }
      return true;
    }
    case Moved::How::kFailed:  // EBADMSG: sealed bytes that do not open
      end_feed(&feed, moved.error == EBADMSG ? Code::ERR_FR_SPOILT : Code::ERR_FR_NODE_LOST,
               moved.error);
      return true;
  }
  return true;
}

bool Lane::read_header(InFeed& feed) {
  const Moved got =
      feed.channel.recv(feed.header_bytes + feed.header_have, kHeaderBytes - feed.header_have);
  if (stop_on(feed, got)) return false;
  feed.transfer->down->pay(got.bytes);
  feed.taken += got.bytes;
  feed.header_have += got.bytes;
  if (feed.state == InFeed::State::kEnded) {  // nothing may follow the end
    end_feed(&feed, Code::ERR_FR_PROTOCOL, 0);
    return false;
  }
  if (feed.header_have < kHeaderBytes) return true;
  feed.header_have = 0;
  return start_record(feed);
}

bool Lane::start_record(InFeed& feed) {
  Header& h = feed.header;
  if (!decode_header(feed.header_bytes, feed.seed, &h)) {
    const bool intact = is_intact(feed.header_bytes, feed.seed);
    end_feed(&feed, intact ? Code::ERR_FR_PROTOCOL : Code::ERR_FR_SPOILT, 0);
    return false;
  }
  feed.counters->records.fetch_add(1, std::memory_order_relaxed);
  if (h.kind == Kind::kEnd) {
    feed.state = InFeed::State::kEnded;
    return true;
  }
  return enter_record(feed);
}

// False: it has to wait, or the feed is over.
bool Lane::enter_record(InFeed& feed) {
  const Header& h = feed.header;
  auto it = feed.transfer->streams.find(h.stream);
  const bool scratch = (h.flags & kFlagScratch) != 0;
  const bool is_known = it != feed.transfer->streams.end();
  const bool is_beyond =
      is_known && (h.offset > it->second.size || h.length > it->second.size - h.offset);
  if (is_beyond && it->second.end() == UINT64_MAX) {
    wait_beyond(feed);
    return false;
  }
  // Digests of nothing end a content that has no bytes.
  const bool is_nothing = h.length == 0 && !(is_known && it->second.growing && h.offset == 0);
  if (!is_known || is_beyond || is_nothing || (scratch && it->second.scratch.file == nullptr)) {
    end_feed(&feed, Code::ERR_FR_PROTOCOL, 0);
    return false;
  }
  feed.stream = &it->second;
  feed.at = h.offset;
  feed.doubted_in = 0;
  if (h.route != 0) feed.relays = true;
  switch (h.kind) {
    case Kind::kPayload:
      feed.left = h.length;
      feed.state = InFeed::State::kPayload;
      break;
    case Kind::kDigests:
      feed.digests.resize(h.extra);
      feed.digests_have = 0;
      feed.state = InFeed::State::kDigests;
      break;
    case Kind::kHole:
      feed.left = h.length;
      feed.state = InFeed::State::kHole;
      if (feed.stream->passes) break;
      feed.stream->sparse = true;
      feed.stream->hashes.reset();  // zeros without end take this thread longer than data would
      feed.stream->main.file->sparse.store(true, std::memory_order_relaxed);
      break;
    case Kind::kEnd:
      break;
  }
  return true;
}

bool Lane::read_hole(InFeed& feed) {
  if (feed.stream->passes) return pass_hole(feed);
  while (feed.left > 0 && feed.channel.is_open()) {
    uint64_t step = feed.left;
    bool welcome = true;
    if (!is_welcome(feed, &step, &welcome)) return false;
    if (welcome) land_hole(feed, feed.at, feed.at + step);
    feed.at += step;
    feed.left -= step;
  }
  feed.state = InFeed::State::kHeader;
  return true;
}

// A partial is born sparse: a hole has landed by being announced.
void Lane::land_hole(InFeed& feed, uint64_t begin, uint64_t end) {
  const IntervalSet& held = feed.stream->main.landed;
  while (begin < end && feed.channel.is_open()) {
    const uint64_t covered = std::min(end, held.covered_to(begin));
    const uint64_t past = covered > begin ? covered : held.next_begin(begin, end);
    if (covered > begin) {
      raise(*feed.transfer, *feed.stream, begin, past, feed.header.route);
    } else {
      landed(feed, begin, past);
      give_back(*feed.stream, begin, past);
    }
    begin = past;
  }
  bound_pieces(feed);
}

// What was allocated ahead of the landing before the first hole came is given back where holes are.
// Nothing is written there any more but repairs, and those wait behind this on the disk thread.
void Lane::give_back(Stream& stream, uint64_t begin, uint64_t end) {
  while (begin < end) {
    const uint64_t step = begin / Stream::kAllocateStep;
    const uint64_t past = std::min(end, (step + 1) * Stream::kAllocateStep);
    if (stream.allocated.count(step) != 0) {
      disks_->bytes(stream.main.file->disk).submit([file = stream.main.file, begin, past] {
        punch_range(*file, begin, past - begin);
      });
    }
    begin = past;
  }
}

void Lane::bound_pieces(InFeed& feed) {
  const Stream& stream = *feed.stream;
  if (stream.main.landed.intervals() + stream.routes.runs() <= Stream::kPiecesMax) return;
  if (feed.channel.is_open()) end_feed(&feed, Code::ERR_FR_LIMIT, 0);
}

bool Lane::read_digests(InFeed& feed) {
  Account& down = *feed.transfer->down;
  size_t want = feed.digests.size() - feed.digests_have;
  if (down.is_paced()) want = std::min(want, readable(down));
  const Moved got = feed.channel.recv(feed.digests.data() + feed.digests_have, want);
  if (stop_on(feed, got)) return false;
  down.pay(got.bytes);
  feed.taken += got.bytes;
  feed.digests_have += got.bytes;
  if (feed.digests_have < feed.digests.size()) return true;
  const Header& h = feed.header;
  Event event{{static_cast<double>(EventType::kDigests), static_cast<double>(feed.transfer->id),
               static_cast<double>(feed.first().id), static_cast<double>(h.stream),
               static_cast<double>(h.route), static_cast<double>(h.offset),
               static_cast<double>(h.length)}};
  event.v[kSideOffset] = static_cast<double>(batch_.side.size());
  event.v[kSideLength] = static_cast<double>(feed.digests.size());
  batch_.events.push_back(event);
  batch_.side.insert(batch_.side.end(), feed.digests.begin(), feed.digests.end());
  feed.state = InFeed::State::kHeader;
  return true;
}

// The whole before its parts: whoever reads them in the other order never sees a part exceed it.
void Lane::count_payload(InFeed& feed, uint64_t bytes, bool is_duplicate) {
  TransferCounters& all = *feed.transfer->counters;
  all.received.fetch_add(bytes, std::memory_order_relaxed);
  feed.counters->payload.fetch_add(bytes, std::memory_order_release);
  if (!is_duplicate) return;
  all.duplicate.fetch_add(bytes, std::memory_order_release);
  feed.counters->duplicate.fetch_add(bytes, std::memory_order_release);
}

bool Lane::read_payload(InFeed& feed) {
  Stream& stream = *feed.stream;
  if (stream.passes) return pass_payload(feed);
  const bool scratch = (feed.header.flags & kFlagScratch) != 0;
  Target& target = stream.target(scratch);
  Account& down = *feed.transfer->down;
  uint64_t step = std::min<uint64_t>(feed.left, kStepBytes);
  if (down.is_paced()) step = std::min<uint64_t>(step, readable(down));
  bool welcome = true;
  if (!stream.failed && !is_welcome(feed, &step, &welcome)) return false;
  const uint64_t covered = target.landed.covered_to(feed.at);
  const bool is_new = welcome && covered == feed.at && !stream.failed;
  if (is_new) {
    step = target.landed.next_begin(feed.at, feed.at + step) - feed.at;
  } else if (!stream.failed && covered > feed.at) {
    step = std::min(step, covered - feed.at);
  }
  const Piece to = is_new ? target.file->to_write(feed.at, step) : Piece{-1, step};
  if (is_new && to.fd < 0) {
    fail_stream(*feed.transfer, stream, status_of_errno(ENOSPC, "write"));
    return true;  // the record is drained
  }
  step = to.length;
  const auto want = static_cast<size_t>(step);
  const Moved got = is_new ? feed.channel.to_file(transit_, to.fd, feed.at, want, &stream.copies)
                           : feed.channel.discard(want);
  if (got.at_file) {
    if (target.file->joined != nullptr) target.file->joined->failed(feed.at, got.error);
    fail_stream(*feed.transfer, stream, status_of_errno(got.error, "write"));
  } else if (stop_on(feed, got)) {
    return false;
  }
  down.pay(got.bytes);
  feed.taken += got.bytes;
  const uint64_t begin = feed.at;
  feed.at += got.bytes;
  feed.left -= got.bytes;
  if (feed.left == 0) feed.state = InFeed::State::kHeader;
  if (got.at_file) return true;  // the rest of the record is drained
  count_payload(feed, got.bytes, !is_new && !stream.failed);
  if (stream.failed) return true;
  if (is_new) {
    if (scratch && feed.is_asked) asked_of(feed, stream.id, true).open.erase(begin, feed.at);
    landed(feed, begin, feed.at);
  } else if (!scratch && welcome) {
    // Held already, and still to be passed on.
    raise(*feed.transfer, stream, begin, feed.at, feed.header.route);
  }
  bound_pieces(feed);
  // Most likely there was no more (unless the pipe is a small one): asking again would cost as much
  // as it brings.
  const bool is_short = got.bytes < step;
  return !is_short || !feed.is_batched || !transit_.is_full_size();
}

void Lane::landed(InFeed& feed, uint64_t begin, uint64_t end) {
  Transfer& transfer = *feed.transfer;
  Stream& stream = *feed.stream;
  const bool scratch = (feed.header.flags & kFlagScratch) != 0;
  stream.land(scratch, begin, end);
  TransferCounters& counters = *transfer.counters;
  (scratch ? counters.scratch : counters.landed).fetch_add(end - begin, std::memory_order_relaxed);
  if (feed.header.kind == Kind::kHole) {
    counters.hole.fetch_add(end - begin, std::memory_order_release);
  }
  unreported_ += end - begin;
  landed_ns_ = now_ns_;
  is_whole_ = is_whole_ || scratch || stream.main.landed.bytes() == stream.size;
  if (scratch) return;
  if (feed.header.kind == Kind::kPayload) ahead_of(transfer, stream, begin, end);
  offer(transfer, stream, begin, end, feed.header.route);
  answer_cut(transfer, stream);
}

}  // namespace fr
