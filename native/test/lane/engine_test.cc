// The engine without Node: real sockets, real files, real threads; what the sanitizers watch.
#include "core/lane/engine.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "test/engine_host.h"
#include "test/sockets.h"

using fr::Engine;
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

uint32_t transfer_with(Host& host, const MemoryFile& file, bool complete) {
  uint32_t transfer = 0;
  REQUIRE(host.engine.open_transfer(0, &transfer).ok());
  REQUIRE(host.engine.add_stream({transfer, 0, file.handle, 0, file.file->size, kBlock, complete})
              .ok());
  return transfer;
}

}  // namespace

TEST_CASE("a file crosses two engines through a relay") {
  const std::vector<uint8_t> bytes = random_bytes(9 * 1024 * 1024 + 77);
  MemoryFile source(bytes.size(), &bytes);
  MemoryFile middle(bytes.size());
  MemoryFile last(bytes.size());
  Host a;
  Host b(2);
  Host c;
  TcpPair ab;
  TcpPair bc;
  const uint32_t ta = transfer_with(a, source, true);
  const uint32_t tb = transfer_with(b, middle, false);
  const uint32_t tc = transfer_with(c, last, false);
  const uint32_t out = feed_of(a, ta, ab.a, true);
  feed_of(b, tb, ab.b, false);
  feed_of(c, tc, bc.b, false);
  ab.release();
  REQUIRE(a.engine.send(out, 0, 0, bytes.size(), 0, 1).ok());
  REQUIRE(a.engine.finish(out).ok());
  // The relay feed opens late: what has landed by then is caught up with.
  REQUIRE(b.until([&] { return b.landed() > 0; }));
  const uint32_t onward = feed_of(b, tb, bc.a, true);
  REQUIRE(b.engine.set_route(tb, 1, {{onward, 0, false}}).ok());
  bc.release();
  CHECK(b.until([&] { return b.landed() == bytes.size(); }));
  CHECK(c.until([&] { return c.landed() == bytes.size(); }));
  CHECK(middle.read() == bytes);
  CHECK(last.read() == bytes);
  REQUIRE(a.until([&] { return a.first(EventType::kFeedClosed) != nullptr; }));
  CHECK(a.first(EventType::kFeedClosed)->v[3] == 0);  // a clean end
  REQUIRE(b.engine.finish(onward).ok());
  REQUIRE(c.until([&] { return c.first(EventType::kFeedClosed) != nullptr; }));
  CHECK(c.first(EventType::kFeedClosed)->v[3] == 0);
}

TEST_CASE("digests that the host relays reach feeds of before and after, each once") {
  MemoryFile middle(4 * kBlock);
  MemoryFile last(4 * kBlock);
  Host b;
  Host c;
  TcpPair early;
  TcpPair late;
  TcpPair stuck;  // nobody reads
  const uint32_t tb = transfer_with(b, middle, false);
  const uint32_t tc = transfer_with(c, last, false);
  feed_of(c, tc, early.b, false);
  feed_of(c, tc, late.b, false);
  const uint32_t before = feed_of(b, tb, early.a, true);
  const uint32_t idle = feed_of(b, tb, stuck.a, true);
  const std::vector<uint8_t> digests(8, 'd');
  REQUIRE(b.engine.set_route(tb, 1, {{before, 3, false}, {idle, 3, false}}).ok());
  for (int again = 0; again < 2; again++) {
    for (uint64_t block = 0; block < 4; block++) {
      REQUIRE(b.engine.relay_digests(tb, 0, block * kBlock, kBlock, 1, digests).ok());
    }
  }
  const uint32_t after = feed_of(b, tb, late.a, true);
  REQUIRE(b.engine.set_route(tb, 1, {{before, 3, false}, {after, 3, false}}).ok());
  for (const uint32_t feed : {before, after}) REQUIRE(b.engine.finish(feed).ok());
  const auto count = [&](EventType type) {
    return std::count_if(c.seen.begin(), c.seen.end(), [&](const Event& event) {
      return event.v[0] == static_cast<double>(type);
    });
  };
  REQUIRE(c.until([&] { return count(EventType::kFeedClosed) == 2; }));
  CHECK(count(EventType::kDigests) == 8);
  for (const Event& event : c.seen) {
    if (event.v[0] == static_cast<double>(EventType::kDigests)) CHECK(event.v[4] == 3);
  }
  CHECK(b.engine.relay_digests(tb, 0, 0, kBlock, 0, digests).misuse != nullptr);
  CHECK(b.engine.relay_digests(tb, 0, 0, kBlock, 1, {}).misuse != nullptr);
  CHECK(b.engine.close_transfer(tb).ok());
}

TEST_CASE("held blocks are served, kept from what arrives, and never told") {
  const uint64_t size = 4 * kBlock + 100;
  const std::vector<uint8_t> held = random_bytes(size);
  const std::vector<uint8_t> other(size, 'x');
  MemoryFile source(size, &other);
  MemoryFile middle(size, &held);
  MemoryFile last(size);
  Host a;
  Host b;
  Host c;
  TcpPair ab;
  TcpPair bc;
  const uint32_t ta = transfer_with(a, source, true);
  const uint32_t tb = transfer_with(b, middle, false);
  const uint32_t tc = transfer_with(c, last, false);
  // The last block is short, and whole all the same.
  REQUIRE(b.engine.hold(tb, 0, kBlock, 2 * kBlock).ok());
  REQUIRE(b.engine.hold(tb, 0, 4 * kBlock, 100).ok());
  const uint32_t out = feed_of(a, ta, ab.a, true);
  feed_of(b, tb, ab.b, false);
  const uint32_t onward = feed_of(b, tb, bc.a, true);
  feed_of(c, tc, bc.b, false);
  ab.release();
  bc.release();
  REQUIRE(b.engine.send(onward, 0, 0, size, 0, 0).ok());
  REQUIRE(a.engine.send(out, 0, 0, size, 0, 0).ok());
  CHECK(b.until([&] { return b.landed() == 2 * kBlock; }));
  CHECK(c.until([&] { return c.landed() == size; }));
  std::vector<uint8_t> expected = other;
  std::copy_n(held.begin() + kBlock, 2 * kBlock, expected.begin() + kBlock);
  std::copy_n(held.begin() + 4 * kBlock, 100, expected.begin() + 4 * kBlock);
  CHECK(middle.read() == expected);
  CHECK(last.read() == expected);
  std::vector<double> stats;
  REQUIRE(b.until([&] {
    return b.engine.stats(tb, &stats).ok() && stats[4] == static_cast<double>(2 * kBlock + 100);
  }));
  CHECK(stats[0] == static_cast<double>(size));
  CHECK(b.landed() == 2 * kBlock);
  const uint64_t bad[][2] = {{0, 0}, {0, size + 1}, {size, 1}};
  for (const auto& [offset, length] : bad) {
    CHECK(b.engine.hold(tb, 0, offset, length).misuse != nullptr);
  }
  CHECK(b.engine.hold(tb, 1, 0, kBlock).misuse != nullptr);
}

TEST_CASE("garbage closes the feed and lands nothing") {
  MemoryFile file(1 << 20);
  Host host;
  TcpPair pair;
  const uint32_t transfer = transfer_with(host, file, false);
  feed_of(host, transfer, pair.b, false);
  const std::vector<uint8_t> noise = random_bytes(4096);
  REQUIRE(write(pair.a, noise.data(), noise.size()) == static_cast<ssize_t>(noise.size()));
  REQUIRE(host.until([&] { return host.first(EventType::kFeedClosed) != nullptr; }));
  CHECK(host.first(EventType::kFeedClosed)->v[3] == static_cast<double>(fr::Code::ERR_FR_SPOILT));
  CHECK(host.landed() == 0);
  CHECK(file.read() == std::vector<uint8_t>(1 << 20, 0));
}

TEST_CASE("a source that shrinks fails by name") {
  const std::vector<uint8_t> bytes = random_bytes(1 << 20);
  MemoryFile source(bytes.size(), &bytes);
  Host host;
  TcpPair pair;
  const uint32_t transfer = transfer_with(host, source, true);
  const uint32_t out = feed_of(host, transfer, pair.a, true);
  REQUIRE(ftruncate(source.file->fd, 1000) == 0);
  REQUIRE(host.engine.send(out, 0, 0, bytes.size(), 0, 0).ok());
  REQUIRE(host.until([&] { return host.first(EventType::kFileFailed) != nullptr; }));
  CHECK(host.first(EventType::kFileFailed)->v[3] ==
        static_cast<double>(fr::Code::ERR_FR_SOURCE_CHANGED));
}

// Little enough for the buffers of a connection that nobody reads: whoever looks, the others have
// nothing yet, or the first has all.
TEST_CASE("a feed that goes first is served before the others") {
  constexpr uint64_t kPieces = 60;
  constexpr uint64_t kPiece = 64;
  const std::vector<uint8_t> bytes = random_bytes(2 * kPieces * kPiece);
  MemoryFile file(bytes.size(), &bytes);
  for (int round = 0; round < 30; round++) {
    Host host;
    const uint32_t transfer = transfer_with(host, file, true);
    TcpPair pairs[2];
    const uint32_t other = feed_of(host, transfer, pairs[0].a, true);
    const uint32_t first = feed_of(host, transfer, pairs[1].a, true);
    const auto sent = [&](size_t index) {
      std::vector<double> stats;
      REQUIRE(host.engine.stats(transfer, &stats).ok());
      for (size_t at = 6; at < stats.size(); at += 12) {
        if (stats[at] == (index == 0 ? other : first)) return static_cast<uint64_t>(stats[at + 2]);
      }
      return UINT64_MAX;
    };
    for (uint64_t i = 0; i < kPieces; i++) {
      REQUIRE(host.engine.assign(transfer, 0, 2 * i * kPiece, kPiece, 1).ok());
    }
    REQUIRE(host.engine.set_route(transfer, 1, {{other, 0, false}, {first, 1, true}}).ok());
    for (uint64_t others = 0; others < kPieces * kPiece;) {
      others = sent(0);
      const uint64_t firsts = sent(1);
      // Its last piece is small, and waits a moment for more.
      if (others > 0) REQUIRE(firsts >= (kPieces - 1) * kPiece);
    }
  }
}

TEST_CASE("misuse is answered at once, in words") {
  MemoryFile file(1 << 20);
  Host host;
  TcpPair pair;
  const uint32_t transfer = transfer_with(host, file, true);
  const uint32_t in = feed_of(host, transfer, pair.b, false);
  const uint32_t out = feed_of(host, transfer, pair.a, true);
  CHECK(host.engine.send(in, 0, 0, 1, 0, 0).misuse != nullptr);
  CHECK(host.engine.send(out, 9, 0, 1, 0, 0).misuse != nullptr);
  CHECK(host.engine.send(out, 0, 0, 0, 0, 0).misuse != nullptr);
  CHECK(host.engine.send(out, 0, 1 << 20, 1, 0, 0).misuse != nullptr);
  CHECK(host.engine.send(12345, 0, 0, 1, 0, 0).misuse != nullptr);
  CHECK(host.engine.add_stream({transfer, 0, file.handle, 0, 1, kBlock, true}).misuse != nullptr);
  CHECK(host.engine.add_stream({transfer, 1, 99999, 0, 1, kBlock, true}).misuse != nullptr);
  CHECK(host.engine.add_stream({transfer, 1, file.handle, 0, 1, 1000, true}).misuse != nullptr);
  CHECK(host.engine.close(12345).ok());
  host.engine.stop();
  host.engine.stop();
  CHECK(host.engine.send(out, 0, 0, 1, 0, 0).status.code == fr::Code::ERR_FR_CLOSED);
}

TEST_CASE("engines start and stop in the middle of traffic, again and again") {
  const std::vector<uint8_t> bytes = random_bytes(4 << 20);
  for (int round = 0; round < 20; round++) {
    MemoryFile source(bytes.size(), &bytes);
    MemoryFile copy(bytes.size());
    Host a(2);
    Host b(2);
    TcpPair pair;
    const uint32_t ta = transfer_with(a, source, true);
    const uint32_t tb = transfer_with(b, copy, false);
    const uint32_t out = feed_of(a, ta, pair.a, true);
    feed_of(b, tb, pair.b, false);
    pair.release();
    REQUIRE(a.engine.send(out, 0, 0, bytes.size(), 0, 0).ok());
    if (round % 2 == 0) CHECK(b.until([&] { return b.landed() > 0; }));
    if (round % 3 == 0) CHECK(a.engine.close_transfer(ta).ok());
  }
}
