// The engine as the host's thread sees it: handles in, events out. Every call checks its handles
// and values here and returns at once; the work is a task on a lane.
//
// Not thread safe: one owner thread. States: running -> stopped (stop() joins every thread and is
// idempotent; the destructor calls it).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/events.h"
#include "core/lane/lane.h"

namespace fr {

struct StreamRequest {
  uint32_t transfer = 0;
  uint32_t stream = 0;
  uint32_t file = 0;     // 0: nothing is stored, what comes is passed on
  uint32_t scratch = 0;  // 0: none
  uint64_t size = 0;
  uint64_t block_bytes = 0;
  bool complete = false;
  bool sparse = false;              // most likely has holes: nothing is allocated ahead
  std::optional<Algorithm> hashes;  // blocks that land are hashed where that is cheap
  bool growing = false;             // `size` is what may come so far, and blocks are sections
};

struct FeedRequest {
  int fd = -1;  // duplicated; the caller keeps and closes its own
  uint32_t transfer = 0;
  bool is_out = false;
  bool is_asked = false;
  uint64_t seed = 0;
  std::string congestion;  // empty: cubic or reno on loopback, the system's choice elsewhere
  uint32_t beside = 0;     // a feed of which this is one more connection; 0: a new feed
  std::optional<SealSecret> seal;
};

// What a call answers: nothing, or why not. Misuse is the caller's mistake; a code is operational.
struct Answer {
  const char* misuse = nullptr;
  Status status;
  bool ok() const { return misuse == nullptr && status.ok(); }
};

class Engine {
 public:
  // Throws std::system_error when the system gives no descriptors or threads.
  Engine(int lanes, std::function<void()> wake);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // user_timeout_ms: how long its connections live while nothing is acknowledged on them.
  // `place`: of the disk threads of what it writes: transfers of another place have other lanes.
  Answer open_transfer(int user_timeout_ms, uint32_t* out, uint32_t place = 0);
  Answer add_stream(const StreamRequest& request);
  // The handle of the feed, also where this is one more connection of it.
  Answer adopt(const FeedRequest& request, uint32_t* out);
  // Replaces what is done with bytes of this route; no targets: nothing. Names each feed once.
  Answer set_route(uint32_t transfer, uint16_t route, std::vector<RouteRequest> targets);
  Answer assign(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length,
                uint16_t route);
  // These bytes are in the file already; see hold (ports.ts).
  Answer hold(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length);
  // The receiver of the feed has these bytes.
  Answer skip(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length);
  // See ports/growing.ts.
  Answer grow(uint32_t transfer, uint32_t stream, uint64_t size, bool is_final);
  Answer cut(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length);
  Answer forget(uint32_t transfer, uint32_t stream, uint64_t before);
  Answer ask(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length, bool scratch);
  Answer send(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length, uint16_t flags,
              uint16_t route);
  Answer send_digests(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length,
                      uint16_t route, std::vector<uint8_t> payload);
  // Passes a record on by the table of its route. It has been verified: see relayDigests
  // (ports.ts).
  Answer relay_digests(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length,
                       uint16_t route, std::vector<uint8_t> payload);
  // Joins two connections into one until either is gone; the caller closes its own descriptors.
  Answer bridge(int a, int b);
  // Sends bytes of a file on a connection that stays the caller's, who writes nothing on it before
  // the kDone event of this operation; see serve (ports/serving.ts).
  Answer serve(const ServeRequest& request);
  // Its event comes, too. Unknown operations are ignored.
  Answer stop_serving(double operation);
  Answer finish(uint32_t feed);
  Answer close(uint32_t feed);
  Answer close_transfer(uint32_t transfer);

  // What all transfers together may move, in bytes a second; 0: as much as they can.
  void limit(uint64_t up, uint64_t down);
  // The same of one of them, and its weight against the others.
  Answer limit_transfer(uint32_t transfer, uint64_t up, uint64_t down, double weight);
  // What these feeds of one transfer may send together; see limitFeeds (ports.ts).
  Answer limit_feeds(std::vector<uint32_t> feeds, uint64_t rate);

  // Bytes landed, hole, scratch, received, duplicate, sent; then per feed:
  // handle, is_out, payload, queued, unacked, round trip (us), duplicate, records, flows, queueing
  // (us), retransmits, window limited (us): sums, but for the shortest round trip and queue of all
  Answer stats(uint32_t transfer, std::vector<double>* out) const;
  // landing fallbacks, sending fallbacks, feeds, pipes, lanes, payload sent, payload received,
  // bridges, bytes over bridges, answers that are served, bytes served
  std::vector<double> counters() const;

  // Runs work on a disk thread of a place: `names` does short work on names, in order; the other
  // moves bytes.
  bool on_disk(uint32_t place, bool names, std::function<void()> work);
  DiskThreads& disks() { return disks_; }
  Outbox& outbox() { return outbox_; }
  // Takes what has happened. Feeds that have ended stay known until forget_ended, so that the host
  // may still name them while it works through the batch.
  EventBatch take_events();
  void forget_ended();

  void stop();
  bool is_running() const { return running_; }

 private:
  struct FeedEntry {
    uint32_t transfer;
    bool is_out;
    std::shared_ptr<FeedCounters> counters;
    bool is_finishing = false;
    bool is_asked = false;
    std::vector<std::shared_ptr<FeedCounters>> flows;  // of its further connections, ended or not
  };
  struct StreamEntry {
    uint64_t size;
    bool passes;
    bool growing;
    bool is_final = false;
    std::array<FileRef, 2> grown{};  // what lands in a stream that grows: its size is theirs

    void size_files() const;
  };
  struct TransferEntry {
    Lane* lane;
    std::shared_ptr<TransferCounters> counters;
    std::shared_ptr<Account> up;
    std::shared_ptr<Account> down;
    int user_timeout_ms = 0;
    std::unordered_map<uint32_t, StreamEntry> streams;  // by number
  };

  Lane* lane_for(uint32_t place);
  static void add_feed_stats(uint32_t id, const FeedEntry& feed, std::vector<double>* out);
  Answer task(uint32_t transfer, std::function<void(Lane&)> work);
  Answer checked_feed(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length,
                      bool may_be_empty = false) const;
  Answer checked_growing(uint32_t transfer, uint32_t stream);
  // `may_be_empty`: nothing is what a record of digests covers of a growing content without bytes.
  Answer checked_range(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length,
                       bool may_be_empty = false) const;
  // The same, of a stream that has a file.
  Answer checked_stored(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length) const;
  static Answer checked_digests(uint64_t length, size_t payload_bytes);

  Outbox outbox_;
  EngineCounts counts_;
  DiskThreads disks_;
  Budget up_;
  Budget down_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // stopped before what they use
  // A disk that hangs holds the lane that writes to it, and so none of another disk. Those of the
  // first place are above; of the others each is made when it is first needed.
  struct PlaceLanes {
    std::vector<std::unique_ptr<Lane>> lanes;
    size_t next = 0;
  };
  std::array<PlaceLanes, DiskThreads::kPlacesMax> of_place_;
  // Of the bridges of each lane that has had one.
  std::unordered_map<Lane*, std::pair<std::shared_ptr<Account>, std::shared_ptr<Account>>>
      bridging_;
  std::unordered_map<Lane*, std::shared_ptr<Account>> serving_;
  std::unordered_map<double, std::pair<Lane*, uint32_t>> servings_;  // by operation
  std::unordered_map<uint32_t, TransferEntry> transfers_;
  std::unordered_map<uint32_t, FeedEntry> feeds_;
  std::vector<uint32_t> ended_;
  uint64_t sent_before_ = 0;  // payload of transfers that are closed
  uint64_t received_before_ = 0;
  uint32_t next_handle_ = 1;
  size_t next_lane_ = 0;
  bool running_ = true;
};

}  // namespace fr
