// The state of one data connection, as its lane sees it. Plain data: the lane is the only thread
// that touches it, except the counters, which JavaScript reads at any time.
//
// A feed is one connection, or several where one alone would not fill a long way: its *flows*. The
// first one is the feed that the host knows, with what is listed, asked for and limited; each other
// one has a record of its own under way and names the first as its `lead`. A record says where its
// bytes belong, so it goes on whichever flow has room, and no flow waits for another. All end
// together.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/interval_set.h"
#include "core/io/channel.h"
#include "core/lane/budget.h"
#include "core/lane/digests.h"
#include "core/wire/wire.h"

namespace fr {

struct Transfer;
struct Stream;

// Of one flow; what is listed counts at the first one.
struct FeedCounters {
  std::atomic<uint64_t> payload{0};      // out: accepted by the socket; in: taken from it
  std::atomic<uint64_t> queued{0};       // out: listed, not yet accepted
  std::atomic<uint64_t> unacked{0};      // out: accepted, not yet acknowledged
  std::atomic<uint64_t> round_trip{0};   // out: the shortest of late, in microseconds; 0: not known
  std::atomic<uint64_t> smoothed{0};     // out: the usual one, in microseconds
  std::atomic<uint64_t> retransmits{0};  // out: segments that were sent again
  std::atomic<uint64_t> window_limited{0};  // out: microseconds for which its window held it back
  std::atomic<uint64_t> duplicate{0};       // in: dropped, the range had landed before
  std::atomic<uint64_t> records{0};
  std::atomic<uint64_t> listed{0};        // out: ranges of its caller's that wait, landed or not
  std::atomic<uint64_t> digest_bytes{0};  // out: digest payload listed, not sent
};

struct Feed {
  Feed(int fd, ChannelCounts* counts) : channel(fd, counts) {}
  virtual ~Feed() = default;  // lanes own feeds of both kinds as Feed

  uint32_t id = 0;
  Channel channel;  // closed: the feed has ended
  bool is_out = false;
  bool is_bridge = false;   // bridge.h
  bool is_serving = false;  // serving.h
  Transfer* transfer = nullptr;
  uint64_t seed = 0;
  std::shared_ptr<FeedCounters> counters;

  Feed* lead = nullptr;      // none: this is the first flow
  std::vector<Feed*> flows;  // of the first one: the others
  // The peer has ended this flow as it should, and another one is still open. The first one only.
  bool is_over = false;

  Feed& first() { return lead == nullptr ? *this : *lead; }
  const Feed& first() const { return lead == nullptr ? *this : *lead; }
};

// What a feed was asked for in one file of a stream.
struct Asked {
  IntervalSet open;  // may land from this feed
  IntervalSet ever;
};

// in: header, then payload (landed, or drained where it has landed before), header, ... Beyond:
// what the header announces is further than its stream may come so far.
struct InFeed : Feed {
  using Feed::Feed;
  enum class State { kHeader, kBeyond, kPayload, kHole, kDigests, kEnded };
  State state = State::kHeader;
  uint8_t header_bytes[kHeaderBytes];
  size_t header_have = 0;
  Header header;
  Stream* stream = nullptr;
  uint64_t at = 0;        // next byte of the stream
  uint64_t left = 0;      // payload bytes of this record still to come
  uint64_t taken = 0;     // bytes of any kind that came off its connection
  bool is_noted = false;  // among those that have opened what they have not taken
  std::vector<uint8_t> digests;
  size_t digests_have = 0;
  // Busy: the kernel wakes us for chunks, not for segments, and the tick looks after the rest.
  bool is_batched = false;
  uint64_t batch_from = 0;  // payload count at which batching begins, or its chunk was last set
  uint64_t batch_at_ns = 0;
  int batch_bytes = 1;
  uint64_t came_at_ns = 0;
  bool relays = false;  // has brought bytes that others wait for
  // A limit keeps it from being read: the lane comes back to it, and epoll is not to tell of it.
  bool is_parked = false;
  bool is_watched = true;
  int window_bytes = 0;  // what its socket may hold; 0: what the system thinks right
  // Whether it counts among those that share the rate: it has brought something of late.
  bool is_counted = false;
  uint64_t came_ns = 0;  // when it last had, by a look at `counters`
  uint64_t had = 0;
  // Lands only what it was asked for, by (stream, scratch).
  bool is_asked = false;
  std::map<std::pair<uint32_t, bool>, Asked> asked;
  // This record brings what was not asked for as far as the lane knew in this turn: the word for it
  // may still be in the inbox.
  uint64_t doubted_in = 0;
  // Not read: what it brings has to be passed on, and somebody cannot take it now; or lies beyond
  // the size that its stream has so far.
  bool is_held_back = false;
  uint64_t beyond_ns = 0;  // since when it lies there
};

// One entry of an outgoing feed's list: bytes that are all in the file.
struct OutItem {
  uint32_t stream = 0;
  uint16_t flags = 0;
  uint16_t route = 0;
  uint64_t begin = 0;
  uint64_t end = 0;
  bool grows = false;  // filled by landing bytes: worth a short wait before a small record
};

// Digests of the caller's, sent in the order they were given.
struct DigestItem {
  DigestRef record;
  uint16_t route = 0;
};

struct OutFeed : Feed {
  using Feed::Feed;
  std::deque<OutItem> items;
  std::deque<DigestItem> digest_items;
  // Ranges asked for that have not landed yet.
  struct Wanted {
    uint32_t stream;
    uint16_t flags;
    uint16_t route;
    IntervalSet bytes;
  };
  std::vector<Wanted> wanted;
  // What its receiver has, by stream: no history brings it.
  std::map<uint32_t, IntervalSet> skipped;
  // What a route listed here before this feed was taken off its table, by (route, stream).
  std::map<std::pair<uint16_t, uint32_t>, IntervalSet> had;
  std::map<uint16_t, DigestCursor> cursors;  // by route, also of tables that it has left
  // The record that this feed has to pass on, with bytes that its channel holds already.
  std::optional<Header> passed;
  bool is_first = false;  // a route sends here before it sends elsewhere
  bool is_writable = true;
  bool is_finishing = false;
  bool end_sent = false;

  std::shared_ptr<Link> link;  // what limits it together with others; none: nothing does

  // The record being sent.
  bool in_record = false;
  uint8_t header_bytes[kHeaderBytes];
  size_t header_sent = 0;
  DigestRef digests;        // none: payload, a hole or the end
  bool is_passing = false;  // it is `passed`
  size_t digests_sent = 0;
  Stream* stream = nullptr;
  uint64_t at = 0;    // next byte of the stream that the socket has not accepted
  uint64_t left = 0;  // of the record, from there on

  // Pace: chunk and send budget follow the rate.
  uint64_t accepted = 0;
  uint64_t unacked = 0;
  uint64_t rate_mark = 0;
  double rate = 0;  // acknowledged bytes per second, smoothed
  size_t chunk = 64 << 10;
  size_t lowat = 0;
  uint64_t listed_at_ns = 0;
};

}  // namespace fr
