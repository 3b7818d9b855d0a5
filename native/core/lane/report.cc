// Telling JavaScript which blocks are whole, with their digests where those cost little.
#include <algorithm>

#include "core/lane/lane.h"

namespace fr {
namespace {

// Landed blocks are told in batches: JavaScript pays per batch, and a hash task per run. Nobody
// waits for the news but the last block of a file, which is told at once.
constexpr uint64_t kReportNs = 100'000'000;
constexpr uint64_t kReportSoonNs = 20'000'000;
constexpr uint64_t kReportBytes = 4u << 20;

}  // namespace

void Lane::report_landed() {
  if (unreported_ == 0 || is_deaf_) return;
  const uint64_t waited = now_ns_ - reported_ns_;
  const bool is_quiet = now_ns_ - landed_ns_ >= kReportSoonNs;
  if (waited < kReportNs && unreported_ < kReportBytes && !is_quiet && !is_whole_) return;
  unreported_ = 0;
  is_whole_ = false;
  reported_ns_ = now_ns_;
  for (auto& [id, transfer] : transfers_) {
    for (auto& [number, stream] : transfer->streams) report_stream(*transfer, stream);
  }
}

void Lane::report_stream(Transfer& transfer, Stream& stream) {
  for (const bool scratch : {false, true}) {
    stream.target(scratch).unreported.each([&](uint64_t begin, uint64_t end) {
      while (begin < end) {
        const Section in = stream.section(begin);
        const uint64_t upto = std::min(end, in.end);
        report_run(transfer, stream, scratch, {begin, upto}, in.block_bytes);
        begin = upto;
      }
    });
    stream.target(scratch).unreported.clear();
  }
}

void Lane::report_run(const Transfer& transfer, const Stream& stream, bool scratch, Interval run,
                      uint64_t block_bytes) {
  Event event{{static_cast<double>(EventType::kLanded), static_cast<double>(transfer.id),
               static_cast<double>(stream.id), scratch ? 1.0 : 0.0, static_cast<double>(run.begin),
               static_cast<double>(run.end - run.begin)}};
  const Target& target = scratch ? stream.scratch : stream.main;
  if (stream.hashes && block_bytes <= Stream::kHashedBlockMax) {
    hash_landed(stream, *target.file, run, block_bytes, event);
  }
  batch_.events.push_back(event);
}

// What cannot be hashed without waiting for a disk is told without digests.
void Lane::hash_landed(const Stream& stream, const File& file, Interval run, uint64_t block_bytes,
                       Event& event) {
  const uint64_t length = run.end - run.begin;
  const uint64_t blocks = (length + block_bytes - 1) / block_bytes;
  const size_t bytes = blocks * digest_bytes(*stream.hashes);
  const size_t at = batch_.side.size();
  batch_.side.resize(at + bytes);
  const Status done = hash_blocks(file, run.begin, length, block_bytes, *stream.hashes,
                                  batch_.side.data() + at, true);
  if (!done.ok()) return batch_.side.resize(at);
  event.v[kSideOffset] = static_cast<double>(at);
  event.v[kSideLength] = static_cast<double>(bytes);
}

}  // namespace fr
