// What must come of the bytes of a feed, however long it takes, byte by byte, by the rules of
// docs/protocol.md and src/ports.ts: the judge of ingest_fuzz.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "core/base/status.h"
#include "reference.h"

namespace fuzz {

constexpr uint64_t kSeed = 0x5eed'5eed'5eed'5eed;
constexpr size_t kBlock = 4096;
constexpr size_t kSectionBlock = 64 << 10;  // of a stream that grows

struct ModelTarget {
  explicit ModelTarget(size_t size) : bytes(size), landed(size) {}
  std::vector<uint8_t> bytes;
  std::vector<char> landed;
  std::map<size_t, size_t> counts;  // bytes landed in each block, by its offset
  std::set<size_t> blocks;          // told to be whole
};

struct ModelStream {
  ModelStream(size_t size, bool scratches, size_t block = kBlock)
      : main(size),
        scratch(scratches ? size : 0),
        has_scratch(scratches),
        block_bytes(block),
        routes(size) {}
  ModelTarget main;
  ModelTarget scratch;
  bool has_scratch;
  size_t block_bytes;
  size_t line = 0;               // what lies before it may have no route any more
  std::vector<uint16_t> routes;  // the first of each byte
};

struct ModelDigests {
  Record record;
  std::vector<uint8_t> payload;
};

struct Model {
  std::map<uint32_t, ModelStream> streams;
  std::vector<ModelDigests> digests;
  fr::Code code = fr::Code::kOk;  // how the feed ends
  uint64_t landed = 0;

  // The whole life of the feed: `wire` is all that ever comes, then the sender closes its side.
  void run(const std::vector<uint8_t>& wire) {
    size_t at = 0;
    for (;;) {
      Record record;
      if (wire.size() - at < kHeader) return finish(fr::Code::ERR_FR_NODE_LOST);
      if (!has_true_check(&wire[at], kSeed)) return finish(fr::Code::ERR_FR_SPOILT);
      if (!parse_header(&wire[at], kSeed, &record)) return finish(fr::Code::ERR_FR_PROTOCOL);
      at += kHeader;
      if (record.kind == kEnd) {
        return finish(at == wire.size() ? fr::Code::kOk : fr::Code::ERR_FR_PROTOCOL);
      }
      auto it = streams.find(record.stream);
      if (it == streams.end()) return finish(fr::Code::ERR_FR_PROTOCOL);
      ModelStream& stream = it->second;
      const size_t size = stream.main.bytes.size();
      // Only digests are of nothing, where a content that grows has no bytes.
      const bool grows = stream.block_bytes == kSectionBlock;
      if (record.length == 0 && !(grows && record.offset == 0)) {
        return finish(fr::Code::ERR_FR_PROTOCOL);
      }
      if (record.offset > size || record.length > size - record.offset ||
          (record.flags == kScratch && !stream.has_scratch)) {
        return finish(fr::Code::ERR_FR_PROTOCOL);
      }
      const size_t wanted = record.kind == kPayload ? record.length : record.extra;
      const size_t there = std::min(wanted, wire.size() - at);
      if (record.kind == kDigests) {
        if (there < wanted) return finish(fr::Code::ERR_FR_NODE_LOST);
        digests.push_back({record,
                           {wire.begin() + static_cast<ptrdiff_t>(at),
                            wire.begin() + static_cast<ptrdiff_t>(at + there)}});
      } else if (record.kind == kPayload) {
        for (size_t i = 0; i < there; i++) land(stream, record, record.offset + i, wire[at + i]);
      } else {
        for (size_t i = 0; i < record.length; i++) land(stream, record, record.offset + i, 0);
      }
      at += there;
      if (there < wanted) return finish(fr::Code::ERR_FR_NODE_LOST);
    }
  }

 private:
  void finish(fr::Code how) { code = how; }

  void land(ModelStream& stream, const Record& record, size_t at, uint8_t byte) {
    const bool is_scratch = record.flags == kScratch;
    if (stream.routes[at] == 0) stream.routes[at] = record.route;
    ModelTarget& to = is_scratch ? stream.scratch : stream.main;
    if (to.landed[at]) return;
    to.landed[at] = true;
    landed++;
    to.bytes[at] = byte;
    const size_t block = at / stream.block_bytes * stream.block_bytes;
    const size_t end = std::min(to.bytes.size(), block + stream.block_bytes);
    if (++to.counts[block] < end - block) return;
    to.blocks.insert(block);
    if (!is_scratch) return;
    to.counts[block] = 0;
    std::fill(to.landed.begin() + static_cast<ptrdiff_t>(block),
              to.landed.begin() + static_cast<ptrdiff_t>(end), false);
  }
};

}  // namespace fuzz
