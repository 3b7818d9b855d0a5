// A stream that stores nothing: what one feed brings goes to all feeds of its route, in lock-step,
// over real sockets.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "test/engine_host.h"
#include "test/sockets.h"

using fr::Channel;
using fr::ChannelCounts;
using fr::Event;
using fr::EventType;
using fr::Header;
using fr::Kind;
using fr::Moved;
using fr::Transit;
using fr::test::feed_of;
using fr::test::Host;
using fr::test::kBlock;
using fr::test::kSeed;
using fr::test::random_bytes;
using fr::test::TcpPair;

namespace {

using Bytes = std::vector<uint8_t>;

uint32_t passing(Host& host, uint64_t size) {
  uint32_t transfer = 0;
  REQUIRE(host.engine.open_transfer(0, &transfer).ok());
  REQUIRE(host.engine.add_stream({transfer, 0, 0, 0, size, kBlock, false}).ok());
  return transfer;
}

void put(int fd, const void* from, size_t count) {
  const auto* at = static_cast<const uint8_t*>(from);
  while (count > 0) {
    const ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);
    REQUIRE(sent > 0);
    at += sent;
    count -= static_cast<size_t>(sent);
  }
}

void put_header(int fd, Header header) {
  uint8_t bytes[fr::kHeaderBytes];
  fr::encode_header(header, kSeed, bytes);
  put(fd, bytes, sizeof bytes);
}

// Records of odd lengths, all with route 1.
void put_records(int fd, const Bytes& bytes, uint64_t from, uint64_t to) {
  uint32_t length = 1;
  for (uint64_t at = from; at < to; at += length) {
    length = static_cast<uint32_t>(std::min<uint64_t>(to - at, length * 3 % 200'003 + 1));
    put_header(fd, {Kind::kPayload, 0, 0, 0, at, length, 1});
    put(fd, &bytes[at], length);
  }
}

// What comes at the other end of an outgoing feed.
struct Sink {
  TcpPair pair;
  Bytes raw;
  Bytes bytes;
  fr::IntervalSet have;
  bool is_over = false;
  std::vector<Header> others;  // holes, digests and ends
  explicit Sink(uint64_t size) : bytes(size) {
    const int little = 16 << 10;  // what is sent goes in parts
    setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    fcntl(pair.b, F_SETFL, O_NONBLOCK);
  }

  // Takes at most `most` of what is there.
  void read_some(size_t most) {
    Bytes some(most);
    const ssize_t got = recv(pair.b, some.data(), some.size(), 0);
    if (got == 0) is_over = true;
    if (got <= 0) return;
    raw.insert(raw.end(), some.begin(), some.begin() + got);
    size_t at = 0;
    for (Header header; raw.size() - at >= fr::kHeaderBytes;) {
      REQUIRE(fr::decode_header(&raw[at], kSeed, &header));
      const size_t body = header.kind == Kind::kPayload ? header.length : header.extra;
      if (raw.size() - at - fr::kHeaderBytes < body) break;
      at += fr::kHeaderBytes;
      if (header.kind == Kind::kPayload) {
        std::copy_n(&raw[at], body, &bytes[header.offset]);
        have.insert(header.offset, header.offset + body);
        CHECK(header.route == 7);
      } else {
        others.push_back(header);
      }
      at += body;
    }
    raw.erase(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(at));
  }
};

// A node that passes on what comes on `in` to these.
struct Gateway {
  Host host;
  TcpPair in;
  uint32_t transfer;
  uint32_t from;
  std::vector<std::unique_ptr<Sink>> sinks;
  std::vector<fr::RouteRequest> row;

  Gateway(uint64_t size, int count) : transfer(passing(host, size)) {
    from = feed_of(host, transfer, in.b, false);
    fr::test::close_fd(in.b);
    for (int i = 0; i < count; i++) {
      sinks.push_back(std::make_unique<Sink>(size));
      row.push_back({feed_of(host, transfer, sinks.back()->pair.a, true), 7, false});
      fr::test::close_fd(sinks.back()->pair.a);
    }
  }
  void open() { REQUIRE(host.engine.set_route(transfer, 1, row).ok()); }

  double stat(size_t at) const {
    std::vector<double> stats;
    REQUIRE(host.engine.stats(transfer, &stats).ok());
    return stats[at];
  }
  double received() const { return stat(3); }

  // Reads at these until each has `bytes`, those in front least at a time.
  bool read_until(const std::vector<Sink*>& at, uint64_t bytes) {
    for (int rounds = 0; rounds < 200'000; rounds++) {
      size_t most = 9'777;
      bool is_done = true;
      for (Sink* sink : at) {
        sink->read_some(most);
        most *= 2;
        is_done = is_done && sink->have.bytes() >= bytes;
      }
      if (is_done) return true;
      std::vector<pollfd> waits;
      for (const Sink* sink : at) {
        if (sink->have.bytes() < bytes) waits.push_back({sink->pair.b, POLLIN, 0});
      }
      poll(waits.data(), waits.size(), 1);
    }
    return false;
  }
  std::vector<Sink*> all() const {
    std::vector<Sink*> list;
    for (const auto& sink : sinks) list.push_back(sink.get());
    return list;
  }
};

template <typename Done>
bool soon(Done&& done) {
  for (int i = 0; i < 1000 && !done(); i++) poll(nullptr, 0, 5);
  return done();
}

}  // namespace

TEST_CASE("what comes is passed on to one to eight feeds, whole and alike") {
  const Bytes bytes = random_bytes(700'077);
  for (int count = 1; count <= 8; count++) {
    Gateway gateway(bytes.size(), count);
    gateway.open();
    std::thread writer([&] { put_records(gateway.in.a, bytes, 0, bytes.size()); });
    CHECK(gateway.read_until(gateway.all(), bytes.size()));
    writer.join();
    for (const auto& sink : gateway.sinks) CHECK(sink->bytes == bytes);
    CHECK(gateway.received() == static_cast<double>(bytes.size()));
    CHECK(gateway.stat(0) == 0);  // nothing has landed
    CHECK(soon([&] { return gateway.stat(5) == static_cast<double>(count * bytes.size()); }));
    // No byte was copied to user space: no pipe was refused, none is left beside those in use.
    const std::vector<double> counters = gateway.host.engine.counters();
    CHECK(counters[0] == 0);
    CHECK(counters[1] == 0);
    CHECK(counters[3] == count + 1);
  }
}

TEST_CASE("the slowest feed holds back the others, by what a pipe holds") {
  const Bytes bytes = random_bytes(12 << 20);
  Gateway gateway(bytes.size(), 3);
  gateway.open();
  std::thread writer([&] { put_records(gateway.in.a, bytes, 0, bytes.size()); });
  const std::vector<Sink*> quick{gateway.sinks[0].get(), gateway.sinks[1].get()};
  double before = -1;
  // Until nothing moves any more.
  CHECK(soon([&] {
    gateway.read_until(quick, 1);
    for (Sink* sink : quick) sink->read_some(1 << 20);
    return std::exchange(before, gateway.received()) == gateway.received() && before > 0;
  }));
  // What the sender's side of a connection and its pipe can hold, and no more.
  CHECK(quick[0]->have.bytes() < 6u << 20);
  CHECK(gateway.received() < 6 << 20);
  CHECK(gateway.read_until(gateway.all(), bytes.size()));
  writer.join();
  for (const auto& sink : gateway.sinks) CHECK(sink->bytes == bytes);
}

TEST_CASE("a receiver that goes in mid-record stops nobody") {
  const Bytes bytes = random_bytes(4 << 20);
  Gateway gateway(bytes.size(), 3);
  gateway.open();
  std::thread writer([&] { put_records(gateway.in.a, bytes, 0, bytes.size()); });
  CHECK(gateway.read_until({gateway.sinks[0].get()}, 10'000));
  fr::test::close_fd(gateway.sinks[0]->pair.b);  // with bytes unread, in the middle of a record
  const std::vector<Sink*> rest{gateway.sinks[1].get(), gateway.sinks[2].get()};
  CHECK(gateway.read_until(rest, bytes.size()));
  writer.join();
  for (const Sink* sink : rest) CHECK(sink->bytes == bytes);
  REQUIRE(
      gateway.host.until([&] { return gateway.host.first(EventType::kFeedClosed) != nullptr; }));
  const Event* closed = gateway.host.first(EventType::kFeedClosed);
  CHECK(closed->v[2] == gateway.row[0].feed);
  CHECK(closed->v[3] == static_cast<double>(fr::Code::ERR_FR_NODE_LOST));
}

TEST_CASE("a sender that goes in mid-record leaves whole records behind it") {
  const Bytes bytes = random_bytes(2 << 20);
  const uint64_t half = 1 << 20;
  Gateway gateway(bytes.size(), 2);
  gateway.open();
  put_header(gateway.in.a, {Kind::kPayload, 0, 0, 0, 0, static_cast<uint32_t>(half), 1});
  std::thread writer([&] { put(gateway.in.a, bytes.data(), 300'000); });
  CHECK(gateway.read_until(gateway.all(), 300'000));
  writer.join();
  fr::test::close_fd(gateway.in.a);
  REQUIRE(
      gateway.host.until([&] { return gateway.host.first(EventType::kFeedClosed) != nullptr; }));
  CHECK(gateway.host.first(EventType::kFeedClosed)->v[2] == gateway.from);
  // Another one brings the rest on the same feeds.
  TcpPair other;
  feed_of(gateway.host, gateway.transfer, other.b, false);
  std::thread next([&] { put_records(other.a, bytes, 300'000, bytes.size()); });
  CHECK(gateway.read_until(gateway.all(), bytes.size()));
  next.join();
  for (const auto& sink : gateway.sinks) CHECK(sink->bytes == bytes);
}

TEST_CASE("bytes wait for the table of their route, with all behind them") {
  const Bytes bytes = random_bytes(300'000);
  Gateway gateway(bytes.size(), 2);
  std::thread writer([&] {
    put_records(gateway.in.a, bytes, 0, 100'000);
    put_header(gateway.in.a, {Kind::kPayload, 0, 0, 0, 100'000, 50'000, 2});
    put(gateway.in.a, &bytes[100'000], 50'000);
    put_header(gateway.in.a, {Kind::kPayload, 0, 0, 0, 150'000, 50'000, 0});
    put(gateway.in.a, &bytes[150'000], 50'000);
    put_header(gateway.in.a, {Kind::kHole, 0, 0, 0, 200'000, 40'000, 1});
    put_records(gateway.in.a, bytes, 240'000, bytes.size());
  });
  poll(nullptr, 0, 50);
  CHECK(gateway.received() == 0);
  gateway.open();
  CHECK(gateway.read_until(gateway.all(), 100'000));
  poll(nullptr, 0, 50);
  CHECK(gateway.received() == 100'000);
  // Nobody is to get the bytes of the second route; nor what has none.
  REQUIRE(gateway.host.engine.set_route(gateway.transfer, 2, {}).ok());
  CHECK(gateway.read_until(gateway.all(), 160'000));
  writer.join();
  CHECK(gateway.stat(4) == 100'000);
  for (const auto& sink : gateway.sinks) {
    CHECK(sink->have.covered_to(0) == 100'000);
    CHECK(sink->have.covered_to(240'000) == bytes.size());
    REQUIRE(sink->others.size() == 1);
    CHECK(sink->others[0].kind == Kind::kHole);
    CHECK(sink->others[0].length == 40'000);
    CHECK(sink->others[0].route == 7);
  }
}

TEST_CASE("digests that the host relays go between what is passed on, and an end behind it") {
  const Bytes bytes = random_bytes(kBlock * 3);
  Gateway gateway(bytes.size(), 2);
  gateway.open();
  REQUIRE(gateway.host.engine.relay_digests(gateway.transfer, 0, 0, kBlock, 1, {1, 2, 3}).ok());
  std::thread writer([&] { put_records(gateway.in.a, bytes, 0, bytes.size()); });
  CHECK(gateway.read_until(gateway.all(), bytes.size()));
  writer.join();
  for (const fr::RouteRequest& target : gateway.row)
    REQUIRE(gateway.host.engine.finish(target.feed).ok());
  for (const auto& sink : gateway.sinks) {
    CHECK(soon([&] { return sink->read_some(1000), sink->is_over; }));
    REQUIRE(sink->others.size() == 2);
    CHECK(sink->others[0].kind == Kind::kDigests);
    CHECK(sink->others[1].kind == Kind::kEnd);
  }
}

TEST_CASE("what stores nothing has nothing to send, hold or assign") {
  Gateway gateway(1 << 20, 1);
  fr::Engine& engine = gateway.host.engine;
  const uint32_t transfer = gateway.transfer;
  CHECK(engine.send(gateway.row[0].feed, 0, 0, 1, 0, 0).misuse != nullptr);
  CHECK(engine.hold(transfer, 0, 0, kBlock).misuse != nullptr);
  CHECK(engine.assign(transfer, 0, 0, kBlock, 1).misuse != nullptr);
  CHECK(engine.add_stream({transfer, 1, 0, 0, 1, kBlock, true}).misuse != nullptr);
  put_header(gateway.in.a, {Kind::kPayload, fr::kFlagScratch, 0, 0, 0, 10, 0});
  REQUIRE(
      gateway.host.until([&] { return gateway.host.first(EventType::kFeedClosed) != nullptr; }));
  CHECK(gateway.host.first(EventType::kFeedClosed)->v[3] ==
        static_cast<double>(fr::Code::ERR_FR_PROTOCOL));
}

// An ordinary user who has used up the share of pipe pages gets pipes of a page or two.
TEST_CASE("pipes of any sizes give each receiver the same bytes") {
  const Bytes bytes = random_bytes(400'000);
  ChannelCounts counts;
  {
    TcpPair in;
    Channel from(Channel::prepare(in.b, {}), &counts);
    Transit via(&counts);
    std::vector<std::unique_ptr<TcpPair>> pairs;
    std::vector<std::unique_ptr<Channel>> channels;
    std::vector<Channel*> to;
    std::vector<Bytes> heard(3);
    for (const int pages : {1, 64, 4}) {
      pairs.push_back(std::make_unique<TcpPair>());
      fcntl(pairs.back()->b, F_SETFL, O_NONBLOCK);
      channels.push_back(
          std::make_unique<Channel>(Channel::prepare(pairs.back()->a, {true, 0, ""}), &counts));
      REQUIRE(channels.back()->can_hold(pages * 4096));
      to.push_back(channels.back().get());
    }
    std::thread writer([&] { put(in.a, bytes.data(), bytes.size()); });
    for (size_t done = 0; done < bytes.size();) {
      const Moved got = from.to_channels(via, to, bytes.size() - done);
      REQUIRE((got.some() || got.how == Moved::How::kAgain));
      done += got.bytes;
      for (size_t i = 0; i < to.size(); i++) {
        CHECK(to[i]->held() == got.bytes);
        while (to[i]->held() > 0) {
          const Moved sent = to[i]->send_held();
          REQUIRE((sent.some() || sent.how == Moved::How::kAgain));
          Bytes some(1 << 20);
          const ssize_t read = recv(pairs[i]->b, some.data(), some.size(), 0);
          if (read > 0) heard[i].insert(heard[i].end(), some.begin(), some.begin() + read);
        }
      }
    }
    writer.join();
    for (size_t i = 0; i < to.size(); i++) {
      CHECK(soon([&] {
        Bytes some(1 << 20);
        const ssize_t read = recv(pairs[i]->b, some.data(), some.size(), 0);
        if (read > 0) heard[i].insert(heard[i].end(), some.begin(), some.begin() + read);
        return heard[i].size() == bytes.size();
      }));
      CHECK(heard[i] == bytes);
    }
  }
  CHECK(counts.open_pipes == 0);
}
