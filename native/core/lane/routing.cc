// The table of a node's routes, and what it means for feeds that come and go: each gets every byte
// of a route once, whether it landed before or after the feed was put into the table.
#include <algorithm>

#include "core/lane/lane.h"

namespace fr {

void Lane::list_routed(const RouteTarget& target, Stream& stream, uint64_t begin, uint64_t end) {
  if (target.feed->is_finishing) return;
  target.feed->counters->queued.fetch_add(end - begin, std::memory_order_relaxed);
  list(*target.feed, stream, {stream.id, 0, target.next, begin, end, true});
}

void Lane::forward(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end,
                   uint16_t route) {
  const auto row = transfer.table.find(route);
  if (row == transfer.table.end()) return;
  for (const RouteTarget& target : row->second) list_routed(target, stream, begin, end);
}

// Bytes without a route get this one, and what is held of them is passed on.
void Lane::raise(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end, uint16_t route) {
  begin = std::max(begin, stream.line);
  if (route == 0 || begin >= end) return;
  for (const Interval& run : stream.routes.raise(begin, end, route)) {
    stream.main.landed.each_inside(run.begin, run.end, [&](uint64_t from, uint64_t to) {
      forward(transfer, stream, from, to, route);
    });
  }
}

void Lane::assign(uint32_t id, uint32_t number, uint64_t offset, uint64_t length, uint16_t route) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  auto found = it->second->streams.find(number);
  if (found == it->second->streams.end()) return;
  raise(*it->second, found->second, offset, offset + length, route);
}

// What is in the file already is passed on like what has just landed, but nobody is told.
void Lane::hold(uint32_t id, uint32_t number, uint64_t offset, uint64_t length) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  auto found = it->second->streams.find(number);
  if (found == it->second->streams.end() || found->second.failed) return;
  Transfer& transfer = *it->second;
  Stream& stream = found->second;
  const IntervalSet fresh = stream.hold(offset, offset + length);
  transfer.counters->landed.fetch_add(fresh.bytes(), std::memory_order_relaxed);
  fresh.each([&](uint64_t begin, uint64_t end) { offer(transfer, stream, begin, end, 0); });
  answer_cut(transfer, stream);
}

// The receiver of this feed has these bytes already.
void Lane::skip(uint32_t id, uint32_t number, uint64_t offset, uint64_t length) {
  Feed* const feed = find(id);
  if (feed == nullptr || !feed->is_out) return;
  auto found = feed->transfer->streams.find(number);
  if (found == feed->transfer->streams.end()) return;
  static_cast<OutFeed*>(feed)->skipped[number].insert(std::max(offset, found->second.line),
                                                      offset + length);
}

// The history of the route, less what the receiver has, and what the feed got while it was in the
// table before.
void Lane::enter_table(Transfer& transfer, const RouteTarget& target, uint16_t route) {
  const DigestLog* const log = &transfer.digests[route];
  DigestCursor& cursor =
      target.feed->cursors.try_emplace(route, DigestCursor{log, 0, 0, 0}).first->second;
  if (!target.feed->is_finishing) cursor.past = SIZE_MAX;
  for (auto& [number, of] : transfer.streams) {
    Stream& stream = of;  // clang 14 captures no structured binding
    IntervalSet history;
    stream.routes.each_of(route, [&](uint64_t begin, uint64_t end) {
      stream.main.landed.each_inside(begin, end,
                                     [&](uint64_t from, uint64_t to) { history.insert(from, to); });
    });
    const auto skipped = target.feed->skipped.find(number);
    if (skipped != target.feed->skipped.end()) {
      skipped->second.each([&](uint64_t begin, uint64_t end) { history.erase(begin, end); });
    }
    const auto had = target.feed->had.find({route, number});
    if (had != target.feed->had.end()) {
      had->second.each([&](uint64_t begin, uint64_t end) { history.erase(begin, end); });
      target.feed->had.erase(had);
    }
    history.each([&](uint64_t begin, uint64_t end) { list_routed(target, stream, begin, end); });
  }
}

void Lane::leave_table(Transfer& transfer, const RouteTarget& target, uint16_t route) {
  target.feed->cursors.at(route).stop();
  for (const auto& [number, stream] : transfer.streams) {
    IntervalSet& had = target.feed->had[{route, number}];
    const IntervalSet& landed = stream.main.landed;
    stream.routes.each_of(route, [&](uint64_t begin, uint64_t end) {
      landed.each_inside(begin, end, [&](uint64_t from, uint64_t to) { had.insert(from, to); });
    });
  }
}

// A record is passed on to those that stand in the table now and, from the log, to those that enter
// it later. The host has verified it: what the author has not signed could take a right one's
// place.
void Lane::relay_digests(uint32_t id, const DigestRef& record, uint16_t route) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  auto found = it->second->streams.find(record->stream);
  if (found == it->second->streams.end()) return;
  Stream& stream = found->second;
  if (DigestRef one =
          stream.digests.take(record, route, stream.digest_bytes_most(), stream.growing)) {
    it->second->digests[route].push_back(std::move(one));
  }
}

void Lane::set_route(uint32_t id, uint16_t route, const std::vector<RouteRequest>& targets) {
  auto it = transfers_.find(id);
  if (it == transfers_.end()) return;
  Transfer& transfer = *it->second;
  std::vector<RouteTarget> row;
  for (const RouteRequest& target : targets) {
    Feed* const feed = find(target.feed);  // it may have ended meanwhile
    if (feed != nullptr) row.push_back({static_cast<OutFeed*>(feed), target.next, target.first});
  }
  const auto stands_in = [](const std::vector<RouteTarget>& in, const RouteTarget& target) {
    return std::any_of(in.begin(), in.end(),
                       [&](const RouteTarget& it) { return it.feed == target.feed; });
  };
  const std::vector<RouteTarget> before = std::exchange(transfer.table[route], row);
  for (const RouteTarget& target : before) {
    if (!stands_in(row, target)) leave_table(transfer, target, route);
  }
  for (const RouteTarget& target : row) {
    if (!stands_in(before, target)) enter_table(transfer, target, route);
    target.feed->cursors.at(route).next = target.next;
  }
  // What is passed on waits for a table, and one without targets is a table.
  if (row.empty() && transfer.passing == nullptr) transfer.table.erase(route);
  let_go(transfer);
  order_feeds(transfer);
}

// Feeds that go first stand in front of the others of this lane.
void Lane::order_feeds(Transfer& transfer) {
  for (Feed* const feed : transfer.feeds) {
    if (feed->is_out) static_cast<OutFeed*>(feed)->is_first = false;
  }
  for (const auto& [route, row] : transfer.table) {
    for (const RouteTarget& target : row) target.feed->is_first |= target.first;
  }
  for (Feed* const feed : transfer.feeds) {
    if (!feed->is_out) continue;
    static_cast<OutFeed*>(feed)->is_first = lists(*static_cast<OutFeed*>(feed)).is_first;
  }
  std::stable_partition(out_feeds_.begin(), out_feeds_.end(),
                        [](const OutFeed* feed) { return feed->is_first; });
}

}  // namespace fr
