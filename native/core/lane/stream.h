// A stream of a transfer: its file, what has landed in it, and what is to be said about that.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/base/bounds.h"
#include "core/base/interval_set.h"
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

  // Pieces in which a stream may have landed (limits.landedPieces).
  static constexpr size_t kPiecesMax = bounds::landedPieces;
  // Larger blocks would keep the lane from its feeds for too long.
  static constexpr uint64_t kHashedBlockMax = 1ull << 20;
  static constexpr uint64_t kAllocateStep = 64ull << 20;
  static constexpr uint64_t kWritebackStep = 8ull << 20;
  std::unordered_set<uint64_t> allocated;                  // steps asked for
  std::unordered_map<uint64_t, uint64_t> writeback_bytes;  // step -> landed bytes, until full

  Target& target(bool is_scratch) { return is_scratch ? scratch : main; }

  // Bytes of digest records that are kept to be passed on, at most.
  uint64_t digest_bytes_most() const {
    return (size + block_bytes - 1) / block_bytes * bounds::relayedDigestBytesPerBlock;
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
    const uint64_t first =
        std::max((whole.begin + block_bytes - 1) / block_bytes, begin / block_bytes);
    const uint64_t past = whole.end == size ? size : whole.end / block_bytes * block_bytes;
    const uint64_t reach = std::min(size, (end + block_bytes - 1) / block_bytes * block_bytes);
    const uint64_t from = first * block_bytes;
    const uint64_t to_end = std::min(past, reach);
    if (from >= to_end) return;
    to.unreported.insert(from, to_end);
    // A repaired block is open again once it is whole, for the next repair.
    if (is_scratch) to.landed.erase(from, to_end);
  }
};

}  // namespace fr
