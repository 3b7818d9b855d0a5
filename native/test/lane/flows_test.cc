// Feeds of several connections: what the sanitizers see of them. The rules are in the conformance
// suite (test/engine/conformance-flows.test.ts).
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "core/base/bounds.h"
#include "core/lane/engine.h"
#include "test/engine_host.h"
#include "test/sockets.h"

using fr::Event;
using fr::EventType;
using fr::test::feed_of;
using fr::test::Host;
using fr::test::kBlock;
using fr::test::kSeed;
using fr::test::MemoryFile;
using fr::test::random_bytes;
using fr::test::TcpPair;

namespace {

constexpr size_t kTotals = 6;  // of stats, before the feeds
constexpr size_t kFlowsAt = kTotals + 8;

struct End {
  Host host;
  uint32_t transfer = 0;
  uint32_t feed = 0;

  End(const MemoryFile& file, bool is_origin, int fd) {
    REQUIRE(host.engine.open_transfer(0, &transfer).ok());
    REQUIRE(
        host.engine.add_stream({transfer, 0, file.handle, 0, file.file->size, kBlock, is_origin})
            .ok());
    feed = feed_of(host, transfer, fd, is_origin);
  }

  fr::Answer widen(int fd, bool is_out) {
    uint32_t again = 0;
    const fr::Answer done =
        host.engine.adopt({fd, transfer, is_out, false, kSeed, "", feed}, &again);
    if (done.ok()) CHECK(again == feed);
    return done;
  }

  size_t ends() const {
    return static_cast<size_t>(
        std::count_if(host.seen.begin(), host.seen.end(), [](const Event& event) {
          return event.v[0] == static_cast<double>(EventType::kFeedClosed);
        }));
  }

  bool has_ended(double code) {
    return host.until([&] { return ends() > 0; }) &&
           host.first(EventType::kFeedClosed)->v[3] == code;
  }
};

}  // namespace

TEST_CASE("a file crosses on several connections of one feed, which end together") {
  const std::vector<uint8_t> bytes = random_bytes(12 * 1024 * 1024 + 5);
  MemoryFile source(bytes.size(), &bytes);
  MemoryFile target(bytes.size());
  TcpPair pairs[4];
  End from(source, true, pairs[0].a);
  End to(target, false, pairs[0].b);
  for (size_t i = 1; i < 4; i++) {
    REQUIRE(from.widen(pairs[i].a, true).ok());
    REQUIRE(to.widen(pairs[i].b, false).ok());
  }
  for (TcpPair& pair : pairs) pair.release();
  REQUIRE(from.host.engine.send(from.feed, 0, 0, bytes.size(), 0, 0).ok());
  REQUIRE(from.host.engine.finish(from.feed).ok());
  REQUIRE(to.host.until([&] { return to.host.landed() == bytes.size(); }));
  CHECK(target.read() == bytes);
  for (End* const end : {&from, &to}) {
    CHECK(end->has_ended(0));
    CHECK(end->ends() == 1);
  }
}

TEST_CASE("one connection that breaks ends the feed, at both ends and once") {
  const std::vector<uint8_t> bytes = random_bytes(8 * 1024 * 1024);
  MemoryFile source(bytes.size(), &bytes);
  MemoryFile target(bytes.size());
  for (const size_t broken : {0, 2}) {
    TcpPair pairs[3];
    End from(source, true, pairs[0].a);
    End to(target, false, pairs[0].b);
    for (size_t i = 1; i < 3; i++) {
      REQUIRE(from.widen(pairs[i].a, true).ok());
      REQUIRE(to.widen(pairs[i].b, false).ok());
    }
    REQUIRE(from.host.engine.send(from.feed, 0, 0, bytes.size(), 0, 0).ok());
    REQUIRE(to.host.until([&] { return to.host.landed() > 0; }));
    shutdown(pairs[broken].b, SHUT_RDWR);
    for (TcpPair& pair : pairs) pair.release();
    const auto lost = static_cast<double>(fr::Code::ERR_FR_NODE_LOST);
    for (End* const end : {&from, &to}) {
      CHECK(end->has_ended(lost));
      CHECK(end->ends() == 1);
      REQUIRE(end->host.until([&] { return end->host.engine.counters()[2] == 0; }));
    }
  }
}

TEST_CASE("a feed has a bounded number of connections, of its direction") {
  MemoryFile file(kBlock);
  TcpPair pair;
  End end(file, true, pair.a);
  CHECK(end.widen(pair.b, false).misuse != nullptr);
  CHECK(end.widen(-1, true).status.code == fr::Code::ERR_FR_NODE_LOST);
  for (size_t i = 1; i < fr::bounds::flowsPerFeed; i++) REQUIRE(end.widen(pair.a, true).ok());
  CHECK(end.widen(pair.a, true).status.code == fr::Code::ERR_FR_LIMIT);
  std::vector<double> stats;
  REQUIRE(end.host.engine.stats(end.transfer, &stats).ok());
  CHECK(stats[kFlowsAt] == static_cast<double>(fr::bounds::flowsPerFeed));
  end.feed += 1000;
  CHECK(end.widen(pair.a, true).misuse != nullptr);
}
