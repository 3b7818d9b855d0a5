// A lane: one thread, one epoll loop, and every transfer that was assigned to it. It lands what
// arrives, and lets each outgoing feed send what has landed.
//
// The page cache is the relay buffer: a feed's list names ranges of the file, never memory. A slow
// receiver holds a list entry and its socket buffer, nothing else, and stalls nobody.
// Only this thread touches feeds, streams and files of its transfers, so a byte has one writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/base/events.h"
#include "core/file/disk.h"
#include "core/lane/bridge.h"
#include "core/lane/budget.h"
#include "core/lane/feed.h"
#include "core/lane/serving.h"
#include "core/lane/stream.h"

namespace fr {

struct EngineCounts : ChannelCounts {
  std::atomic<int64_t> open_feeds{0};
  std::atomic<int64_t> open_bridges{0};
  std::atomic<uint64_t> bridged_bytes{0};  // both ways
  std::atomic<int64_t> open_serves{0};
  std::atomic<uint64_t> served_bytes{0};
};

// Of all feeds of a transfer, also of those that are closed.
struct TransferCounters {
  std::atomic<uint64_t> landed{0};     // bytes of files that are there, each once, with holes
  std::atomic<uint64_t> hole{0};       // of them, landed as holes
  std::atomic<uint64_t> scratch{0};    // payload landed in scratch files
  std::atomic<uint64_t> received{0};   // payload taken from sockets
  std::atomic<uint64_t> duplicate{0};  // of it, dropped: the range had landed before
  std::atomic<uint64_t> sent{0};       // payload accepted by sockets
};

struct Transfer {
  uint32_t id = 0;
  std::unordered_map<uint32_t, Stream> streams;
  std::vector<Feed*> feeds;
  std::unordered_map<uint16_t, std::vector<RouteTarget>> table;  // by route
  std::unordered_map<uint16_t, DigestLog> digests;               // by route
  std::shared_ptr<TransferCounters> counters;
  std::unique_ptr<Transit> passing;  // where a stream stores nothing
  std::shared_ptr<Account> up;
  std::shared_ptr<Account> down;
};

class Lane {
 public:
  // Throws std::system_error when the system gives no descriptor or thread.
  Lane(int index, Outbox* outbox, DiskThreads* disks, EngineCounts* counts);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Runs the task on the lane's thread, in order. False when the inbox is full or the lane stopped.
  bool submit(std::function<void(Lane&)> task);
  void stop();

  // --- tasks: on the lane's thread only ---------------------------------------------------------
  void open_transfer(uint32_t id, std::shared_ptr<TransferCounters> counters,
                     std::shared_ptr<Account> up, std::shared_ptr<Account> down);
  void add_stream(uint32_t transfer, Stream stream);
  void add_feed(uint32_t transfer, std::unique_ptr<Feed> feed);
  // One more connection of a feed of the same direction; closed where that is gone.
  void add_flow(uint32_t feed, std::unique_ptr<Feed> flow);
  void set_route(uint32_t transfer, uint16_t route, const std::vector<RouteRequest>& targets);
  void assign(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length, uint16_t route);
  void hold(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length);
  void skip(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length);
  // growing.cc
  void grow(uint32_t transfer, uint32_t stream, uint64_t size, bool is_final);
  void cut(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length);
  void forget(uint32_t transfer, uint32_t stream, uint64_t before);
  void ask(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length, bool scratch);
  void send(uint32_t feed, uint32_t stream, uint64_t offset, uint64_t length, uint16_t flags,
            uint16_t route);
  void send_digests(uint32_t feed, DigestRef record, uint16_t route);
  void relay_digests(uint32_t transfer, const DigestRef& record, uint16_t route);
  // These together; 0: nothing limits them.
  void limit_feeds(const std::vector<uint32_t>& feeds, uint64_t rate);
  void finish(uint32_t feed);
  void close(uint32_t feed);
  void close_transfer(uint32_t id);
  // The accounts are those of all bridges of this lane.
  void add_bridge(std::unique_ptr<BridgeEnd> a, std::unique_ptr<BridgeEnd> b,
                  std::shared_ptr<Account> up, std::shared_ptr<Account> down);
  // serving.cc. The account is that of all that this lane serves.
  void serve(std::unique_ptr<Serving> serving, std::shared_ptr<Account> account);
  void stop_serving(uint32_t id);

 private:
  static constexpr size_t kInboxMax = 65'536;

  static uint64_t clock_ns();
  void run();
  bool take_inbox();
  void resume_doubted();
  void note_opened(InFeed& feed);
  void resume_opened();
  int wait_ms() const;
  void on_ready(Feed* feed, uint32_t events);
  void tick();
  void report_landed();
  void report_stream(Transfer& transfer, Stream& stream);
  void report_run(const Transfer& transfer, const Stream& stream, bool scratch, Interval run,
                  uint64_t block_bytes);
  void hash_landed(const Stream& stream, const File& file, Interval run, uint64_t block_bytes,
                   Event& event);

  // Ends a feed with all its flows, of its own accord: event, then gone. `code` kOk is the clean
  // end.
  void end_feed(Feed* feed, Code code, int sys_errno);
  // The peer has ended this flow as it should; the feed is over with the last of them.
  void end_flow(Feed* flow);
  void begin(std::unique_ptr<Feed> feed, Transfer& transfer);
  void drop_feed(Feed* feed);
  void fail_stream(Transfer& transfer, Stream& stream, Status why);
  Feed* find(uint32_t feed);

  // The flow that has the lists of this one.
  static OutFeed& lists(OutFeed& flow) { return static_cast<OutFeed&>(flow.first()); }
  static const OutFeed& lists(const OutFeed& flow) {
    return static_cast<const OutFeed&>(flow.first());
  }

  // pace.cc
  static bool is_paced(const OutFeed& feed);
  static uint64_t record_bytes(const OutFeed& feed);
  bool may_begin(OutFeed& feed);
  bool may_receive(InFeed& feed);
  size_t readable(Account& down) const;
  uint64_t may_send(OutFeed& feed, uint64_t bytes);
  static void pay(OutFeed& feed, uint64_t bytes);
  void resume_parked();
  void watch(InFeed& feed, bool on);
  void fit_window(InFeed& feed);
  void count_busy(InFeed& feed);
  static void count(InFeed& feed, bool is_busy);
  void to_the_end(OutFeed& feed);

  // ingest.cc
  void ingest(InFeed& feed);
  void batch(InFeed& feed, bool on);
  void set_batch(InFeed& feed, int bytes);
  static Asked& asked_of(InFeed& flow, uint32_t stream, bool scratch);
  void resize_batch(InFeed& feed);
  static uint64_t patience_ns(const InFeed& feed);
  void look_after_batched();
  bool read_header(InFeed& feed);
  bool start_record(InFeed& feed);
  bool enter_record(InFeed& feed);
  bool read_payload(InFeed& feed);
  bool read_hole(InFeed& feed);
  bool is_welcome(InFeed& feed, uint64_t* step, bool* welcome);
  static void count_payload(InFeed& feed, uint64_t bytes, bool is_duplicate);
  bool read_digests(InFeed& feed);
  void land_hole(InFeed& feed, uint64_t begin, uint64_t end);
  void give_back(Stream& stream, uint64_t begin, uint64_t end);
  void bound_pieces(InFeed& feed);
  bool stop_on(InFeed& feed, const Moved& moved);
  void landed(InFeed& feed, uint64_t begin, uint64_t end);
  void ahead_of(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end);
  void settle_units(Stream& stream, uint64_t begin, uint64_t end);

  // growing.cc
  Stream* stream_of(uint32_t transfer, uint32_t stream);
  void wait_beyond(InFeed& feed);
  void look_beyond();
  void answer_cut(Transfer& transfer, Stream& stream);
  void tell_cut(uint32_t transfer, uint32_t stream, Interval cut,
                const std::vector<uint8_t>& value);

  // pass.cc
  bool pass_payload(InFeed& feed);
  bool pass_hole(InFeed& feed);
  bool find_takers(InFeed& feed, std::vector<RouteTarget>* to);
  void hold_back(InFeed& feed);
  void let_go(Transfer& transfer);
  bool resume_passing();
  bool begin_passed(OutFeed& feed, Header* out);
  void passed_on(OutFeed& feed);

  // bridge.cc
  void on_bridge(BridgeEnd& end, uint32_t events);
  void cross(BridgeEnd& end);
  bool cross_to(BridgeEnd& from, BridgeEnd& to);
  void come_back(BridgeEnd& end);
  void resume_bridges();
  void drop_bridge(BridgeEnd& end);
  void close_bridges();

  // serving.cc
  void push_served(Serving& serving);
  void watch(Serving& serving);
  void come_back(Serving& serving);
  void resume_serving();
  int serving_wait_ms() const;
  void end_serving(Serving& serving, Status status);
  void drop_serving(Serving& serving);
  void close_serving();

  // egress.cc
  bool pump();
  bool pump_feed(OutFeed& feed);
  bool begin_record(OutFeed& feed);
  bool begin_digests(OutFeed& feed, Header* out);
  static bool has_digests(const OutFeed& feed);
  static bool has_work(const OutFeed& feed);
  bool begin_payload(OutFeed& feed, Header* out);
  static bool begin_end(OutFeed& feed, Header* out);
  bool push_header(OutFeed& feed);
  bool push_digests(OutFeed& feed);
  bool push_payload(OutFeed& feed);
  static Moved send_piece(OutFeed& feed, uint64_t most);
  bool is_sent(OutFeed& feed, const Moved& moved);
  void list(OutFeed& feed, Stream& stream, OutItem item);
  void count_wanted(OutFeed& feed, size_t before, size_t now);
  void offer(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end, uint16_t route);
  // routing.cc
  void raise(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end, uint16_t route);
  void forward(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end, uint16_t route);
  void list_routed(const RouteTarget& target, Stream& stream, uint64_t begin, uint64_t end);
  void enter_table(Transfer& transfer, const RouteTarget& target, uint16_t route);
  void leave_table(Transfer& transfer, const RouteTarget& target, uint16_t route);
  void order_feeds(Transfer& transfer);
  void measure(OutFeed& feed, double seconds);
  void refresh_unacked(OutFeed& feed);

  const int index_;
  Outbox* const outbox_;
  DiskThreads* const disks_;
  EngineCounts* const counts_;
  int epoll_ = -1;
  int wake_ = -1;
  Transit transit_;

  std::mutex mutex_;
  std::vector<std::function<void(Lane&)>> inbox_;
  bool stopping_ = false;

  std::unordered_map<uint32_t, std::unique_ptr<Transfer>> transfers_;
  std::unordered_map<uint32_t, std::unique_ptr<Feed>> feeds_;
  std::vector<OutFeed*> out_feeds_;
  std::unordered_map<uint32_t, std::unique_ptr<BridgeEnd>> bridges_;
  std::vector<uint32_t> waiting_;      // ends of bridges to come back to
  std::unique_ptr<Transit> crossing_;  // of all bridges
  std::shared_ptr<Account> bridge_up_;
  std::shared_ptr<Account> bridge_down_;
  std::unordered_map<uint32_t, std::unique_ptr<Serving>> servings_;
  std::vector<uint32_t> serving_turns_;  // to come back to
  std::shared_ptr<Account> serving_up_;
  uint64_t served_look_ns_ = 0;
  std::vector<std::unique_ptr<Feed>> graveyard_;  // dropped while an epoll batch may name them
  EventBatch batch_;
  uint64_t now_ns_ = 0;
  uint64_t ticked_ns_ = 0;
  uint64_t measured_ns_ = 0;
  uint64_t reported_ns_ = 0;
  uint64_t turn_ = 1;              // how often the inbox was taken
  std::vector<uint32_t> doubted_;  // feeds whose record waits for the inbox
  std::vector<uint32_t> opened_;   // sealed feeds that stopped before what they have opened
  std::vector<uint32_t> let_go_;   // feeds that were held back and may be read
  uint64_t poke_ns_ = 0;           // a feed holds a small record back until then; 0: none
  uint64_t landed_ns_ = 0;
  uint64_t unreported_ = 0;       // landed bytes since the last report
  bool is_whole_ = false;         // a stream has all its bytes: worth saying at once
  bool is_paced_ = false;         // a limit keeps a feed from sending
  std::vector<InFeed*> parked_;   // a limit keeps these from being read
  std::vector<uint32_t> beyond_;  // feeds whose record waits for its stream to grow
  size_t batched_ = 0;            // incoming feeds that the tick has to look after
  bool is_deaf_ = false;          // the host is behind: sockets are not read
  std::thread thread_;
};

}  // namespace fr
