// What an engine has counted, for the host's thread: lanes count, and nobody waits for them.
#include <algorithm>

#include "core/lane/engine.h"

namespace fr {
namespace {

constexpr size_t kTotals = 6;

double get(const std::atomic<uint64_t>& value) {
  return static_cast<double>(value.load(std::memory_order_acquire));
}

}  // namespace

void Engine::add_feed_stats(uint32_t id, const FeedEntry& feed, std::vector<double>* out) {
  struct {
    double payload, queued, unacked, duplicate, records, retransmits, window_limited;
  } sum = {};
  double trip = 0;   // the shortest that is known
  double queue = 0;  // what waits where least does
  const auto add = [&](const FeedCounters& c) {
    sum.payload += get(c.payload);
    sum.queued += get(c.queued);
    sum.unacked += get(c.unacked);
    sum.duplicate += get(c.duplicate);
    sum.records += get(c.records);
    sum.retransmits += get(c.retransmits);
    sum.window_limited += get(c.window_limited);
    const double shortest = get(c.round_trip);
    if (shortest == 0) return;
    const double waits = std::max(0.0, get(c.smoothed) - shortest);
    queue = trip == 0 ? waits : std::min(queue, waits);
    trip = trip == 0 ? shortest : std::min(trip, shortest);
  };
  add(*feed.counters);
  for (const auto& flow : feed.flows) add(*flow);
  for (const double value :
       {static_cast<double>(id), feed.is_out ? 1.0 : 0.0, sum.payload, sum.queued, sum.unacked,
        trip, sum.duplicate, sum.records, static_cast<double>(1 + feed.flows.size()), queue,
        sum.retransmits, sum.window_limited}) {
    out->push_back(value);
  }
}

Answer Engine::stats(uint32_t transfer, std::vector<double>* out) const {
  auto it = transfers_.find(transfer);
  if (it == transfers_.end()) return {"transfer: unknown handle", {}};
  // Parts before the whole they belong to, which grows first.
  const TransferCounters& all = *it->second.counters;
  out->resize(kTotals);
  for (const auto& [id, feed] : feeds_) {
    if (feed.transfer == transfer) add_feed_stats(id, feed, out);
  }
  double* const totals = out->data();
  totals[4] = get(all.duplicate);
  totals[1] = get(all.hole);
  totals[2] = get(all.scratch);
  totals[0] = get(all.landed);
  totals[3] = get(all.received);
  totals[5] = get(all.sent);
  return {};
}

std::vector<double> Engine::counters() const {
  uint64_t sent = sent_before_;
  uint64_t received = received_before_;
  for (const auto& [id, transfer] : transfers_) {
    sent += transfer.counters->sent.load(std::memory_order_relaxed);
    received += transfer.counters->received.load(std::memory_order_relaxed);
  }
  return {static_cast<double>(counts_.landing_fallbacks.load()),
          static_cast<double>(counts_.sending_fallbacks.load()),
          static_cast<double>(counts_.open_feeds.load()),
          static_cast<double>(counts_.open_pipes.load()),
          static_cast<double>(lanes_.size()),
          static_cast<double>(sent),
          static_cast<double>(received),
          static_cast<double>(counts_.open_bridges.load()),
          static_cast<double>(counts_.bridged_bytes.load()),
          static_cast<double>(counts_.open_serves.load()),
          static_cast<double>(counts_.served_bytes.load())};
}

}  // namespace fr
