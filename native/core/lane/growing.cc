// Streams that grow while they are sent.
//
// What lands is bounded by the size that the host has named last: a record that goes beyond waits
// unread, since the word that lets it in may still be on its way. Behind a line that the host draws
// all has landed everywhere, and a stream keeps nothing of it, so that memory follows what is under
// way and not how long the stream has become.
#include <algorithm>
#include <utility>

#include "core/hash/blake3.h"
#include "core/lane/lane.h"

namespace fr {
namespace {

constexpr uint64_t kBeyondNs = bounds::beyondMs * 1'000'000;

}  // namespace

Stream* Lane::stream_of(uint32_t id, uint32_t number) {
  const auto it = transfers_.find(id);
  if (it == transfers_.end()) return nullptr;
  const auto found = it->second->streams.find(number);
  return found == it->second->streams.end() ? nullptr : &found->second;
}

void Lane::grow(uint32_t id, uint32_t number, uint64_t size, bool is_final) {
  Stream* const stream = stream_of(id, number);
  if (stream == nullptr) return;
  Transfer& transfer = *transfers_.at(id);
  if (!is_final) {
    if (stream->complete) stream->main.landed.insert(stream->size, size);
    stream->size = size;
  } else {
    if (stream->complete && size > stream->size) stream->main.landed.insert(stream->size, size);
    const auto [whole, gone] = stream->finish(size);
    if (!stream->complete) transfer.counters->landed.fetch_sub(gone, std::memory_order_relaxed);
    unreported_ += whole;
    is_whole_ = is_whole_ || whole > 0;
  }
  const std::vector<Feed*> feeds = transfer.feeds;
  for (Feed* const feed : feeds) {
    if (feed->is_out || !feed->channel.is_open()) continue;
    auto& in = *static_cast<InFeed*>(feed);
    if (in.state == InFeed::State::kBeyond && in.header.stream == number) {
      in.is_held_back = false;
      watch(in, true);
      let_go_.push_back(in.id);
    }
    // The rest of this record is no part of the content.
    const bool lands = in.state == InFeed::State::kPayload || in.state == InFeed::State::kHole;
    if (lands && in.stream == stream && in.at + in.left > stream->size) {
      end_feed(feed, Code::ERR_FR_PROTOCOL, 0);
    }
  }
}

// The record is looked at again when its stream has grown.
void Lane::wait_beyond(InFeed& feed) {
  if (feed.state != InFeed::State::kBeyond) {
    feed.state = InFeed::State::kBeyond;
    feed.beyond_ns = now_ns_;
    beyond_.push_back(feed.id);
  }
  hold_back(feed);
}

// Who waits for longer than a word may be on its way has sent what nobody may send.
void Lane::look_beyond() {
  if (beyond_.empty()) return;
  std::vector<uint32_t> late;
  std::erase_if(beyond_, [&](uint32_t id) {
    const Feed* const feed = find(id);
    if (feed == nullptr) return true;
    const auto& in = *static_cast<const InFeed*>(feed);
    if (in.state != InFeed::State::kBeyond) return true;
    if (now_ns_ - in.beyond_ns < kBeyondNs) return false;
    late.push_back(id);
    return true;
  });
  for (const uint32_t id : late) {
    if (Feed* const feed = find(id)) end_feed(feed, Code::ERR_FR_PROTOCOL, 0);
  }
}

void Lane::cut(uint32_t id, uint32_t number, uint64_t offset, uint64_t length) {
  Stream* const stream = stream_of(id, number);
  if (stream == nullptr || stream->failed) return;
  stream->cut = Interval{offset, offset + length};
  answer_cut(*transfers_.at(id), *stream);
}

// What is in the page cache is hashed at once, the rest where waiting for a disk holds up nobody.
void Lane::answer_cut(Transfer& transfer, Stream& stream) {
  if (!stream.cut || stream.failed) return;
  const Interval cut = *stream.cut;
  if (!stream.main.landed.contains(cut.begin, cut.end)) return;
  const uint64_t block_bytes = stream.section(cut.begin).block_bytes;
  const uint64_t length = cut.end - cut.begin;
  std::vector<uint8_t> value(kBlake3Bytes);
  if (length <= Stream::kHashedBlockMax &&
      hash_blocks(*stream.main.file, cut.begin, length, block_bytes, Algorithm::kBlake3,
                  value.data(), true)
          .ok()) {
    stream.cut.reset();
    return tell_cut(transfer.id, stream.id, cut, value);
  }
  const bool is_taken = disks_->bytes(stream.main.file->disk)
                            .submit([this, cut, block_bytes, file = stream.main.file,
                                     id = transfer.id, number = stream.id] {
                              std::vector<uint8_t> value(kBlake3Bytes);
                              const Status done =
                                  hash_blocks(*file, cut.begin, cut.end - cut.begin, block_bytes,
                                              Algorithm::kBlake3, value.data(), false);
                              submit([=](Lane& lane) {
                                if (done.ok()) return lane.tell_cut(id, number, cut, value);
                                Stream* const stream = lane.stream_of(id, number);
                                if (stream != nullptr)
                                  lane.fail_stream(*lane.transfers_.at(id), *stream, done);
                              });
                            });
  if (is_taken) stream.cut.reset();  // else it is tried again when more has landed
}

void Lane::tell_cut(uint32_t id, uint32_t number, Interval cut, const std::vector<uint8_t>& value) {
  if (stream_of(id, number) == nullptr) return;
  Event event{{static_cast<double>(EventType::kLanded), static_cast<double>(id),
               static_cast<double>(number), 0.0, static_cast<double>(cut.begin),
               static_cast<double>(cut.end - cut.begin)}};
  event.v[kSideOffset] = static_cast<double>(batch_.side.size());
  event.v[kSideLength] = static_cast<double>(value.size());
  batch_.side.insert(batch_.side.end(), value.begin(), value.end());
  batch_.events.push_back(event);
}

void Lane::forget(uint32_t id, uint32_t number, uint64_t before) {
  Stream* const stream = stream_of(id, number);
  if (stream == nullptr) return;
  Transfer& transfer = *transfers_.at(id);
  const uint64_t line = stream->forget(before);
  for (auto& [route, log] : transfer.digests) log.forget(number, line);
  for (Feed* const feed : transfer.feeds) {
    if (feed->is_out) {
      auto& out = *static_cast<OutFeed*>(feed);
      if (const auto it = out.skipped.find(number); it != out.skipped.end()) {
        it->second.erase(0, line);
      }
      for (auto& [key, had] : out.had) {
        if (key.second == number) had.erase(0, line);
      }
    } else {
      auto& in = *static_cast<InFeed*>(feed);
      for (const bool scratch : {false, true}) {
        const auto it = in.asked.find({number, scratch});
        if (it == in.asked.end()) continue;
        it->second.open.erase(0, line);
        it->second.ever.erase(0, line);
      }
    }
  }
}

}  // namespace fr
