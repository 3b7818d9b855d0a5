// A stream of a transfer: its file, what has landed in it, and what is to be said about that.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/base/bounds.h"
#include "core/base/interval_set.h"
#include "core/base/sections.h"
#include "core/base/status.h"
#include "core/file/file_table.h"
#include "core/hash/hash.h"
#include "core/lane/digests.h"
#include "core/lane/routes.h"

namespace fr {

struct Target {
  FileRef file;
  IntervalSet landed;
  IntervalSet unreported;  // whole blocks not yet told to JavaScript
};

struct Stream {
  uint32_t id = 0;
  uint64_t size = 0;
  uint64_t block_bytes = 0;
  // Still written: `size` is what may come so far, until that is final, and blocks are sections.
  bool growing = false;
  bool is_final = false;
  bool complete = false;
  bool failed = false;
  bool sparse = false;  // has holes: records are cut at their borders
  bool copies = false;  // its files take no splice: they are written by hand
  bool passes = false;  // has no files: what comes is passed on as it comes, and kept nowhere
  // Blocks are hashed with this when they are told, while they are in the cache of this processor.
  std::optional<Algorithm> hashes;
  Target main;
  Target scratch;
  RouteMap routes;  // of bytes that landed, or will
  RelayedDigests digests;
  // All before this has landed, and nothing is known of it any more: no route, no digest record.
  uint64_t line = 0;
  // The beginning of a block that is to be hashed once it has landed.
  std::optional<Interval> cut;

  // Pieces in which a stream may have landed (limits.landedPieces).
  static constexpr size_t kPiecesMax = bounds::landedPieces;
  // Larger blocks would keep the lane from its feeds for too long.
  static constexpr uint64_t kHashedBlockMax = 1ull << 20;
  static constexpr uint64_t kAllocateStep = 64ull << 20;
  static constexpr uint64_t kWritebackStep = 8ull << 20;
  std::unordered_set<uint64_t> allocated;                  // steps asked for
  std::unordered_map<uint64_t, uint64_t> writeback_bytes;  // step -> landed bytes, until full

  Target& target(bool is_scratch) { return is_scratch ? scratch : main; }

  // How blocks are cut at this offset.
  Section section(uint64_t at) const {
    return growing ? section_of(at) : Section{.block_bytes = block_bytes};
  }

  // Where a block may end that is shorter than others.
  uint64_t end() const { return growing && !is_final ? UINT64_MAX : size; }

  // Bytes of digest records that are kept to be passed on, at most.
  uint64_t digest_bytes_most() const {
    uint64_t blocks = 0;
    for (uint64_t at = line; at < size;) {
      const Section in = section(at);
      const uint64_t upto = std::min(size, in.end);
      blocks += (upto - in.floor(at) + in.block_bytes - 1) / in.block_bytes;
      at = upto;
    }
    return blocks * bounds::relayedDigestBytesPerBlock + (growing ? bounds::tailDigestBytes : 0);
  }

  // Bytes are in the main file; returns what had not landed of them. None is reported, but
  // for those that were queued for it before.
  IntervalSet hold(uint64_t begin, uint64_t end) {
    IntervalSet fresh;
    fresh.insert(begin, end);
    main.landed.each_inside(begin, end, [&](uint64_t from, uint64_t to) { fresh.erase(from, to); });
    main.landed.insert(begin, end);
    return fresh;
  }

  // Marks bytes as landed and queues the blocks that this completes for the next report.
  void land(bool is_scratch, uint64_t begin, uint64_t end) {
    Target& to = target(is_scratch);
    const Interval whole = to.landed.insert(begin, end);
    while (begin < end) {
      const Section in = section(begin);
      const uint64_t upto = std::min(end, in.end);
      const uint64_t past = std::min(whole.end, in.end);
      const uint64_t from = std::max(in.ceil(std::max(whole.begin, in.begin)), in.floor(begin));
      const uint64_t to_end = std::min(past == this->end() ? past : in.floor(past),
                                       std::min(this->end(), in.ceil(upto)));
      begin = upto;
      if (from >= to_end) continue;
      to.unreported.insert(from, to_end);
      // A repaired block is open again once it is whole, for the next repair.
      if (is_scratch) to.landed.erase(from, to_end);
    }
  }

  // The content ends here, and what has landed behind is no part of it. Returns how many bytes that
  // had landed before are a whole block by this, the last one, and how many are gone.
  std::pair<uint64_t, uint64_t> finish(uint64_t final_size) {
    size = final_size;
    is_final = true;
    const uint64_t before = main.landed.bytes();
    for (Target* of : {&main, &scratch}) {
      of->landed.erase(size, UINT64_MAX);
      of->unreported.erase(size, UINT64_MAX);
    }
    const uint64_t gone = before - main.landed.bytes();
    if (cut && cut->end > size) cut.reset();
    const uint64_t last = size == 0 ? 0 : section(size - 1).floor(size - 1);
    const bool is_short = section(last).ceil(size) != size;
    if (complete || !is_short || !main.landed.contains(last, size)) return {0, gone};
    main.unreported.insert(last, size);
    return {size - last, gone};
  }

  // Forgets what is kept of bytes before this, as far as all has landed. Returns the new line.
  uint64_t forget(uint64_t before) {
    before = std::min(before, main.landed.covered_to(0));
    if (before <= line) return line;
    line = before;
    routes.forget(before);
    digests.forget(before);
    scratch.landed.erase(0, before);
    std::erase_if(allocated, [=](uint64_t step) { return (step + 1) * kAllocateStep <= before; });
    std::erase_if(writeback_bytes,
                  [=](const auto& step) { return (step.first + 1) * kWritebackStep <= before; });
    return line;
  }
};

}  // namespace fr
