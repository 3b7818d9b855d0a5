// Two connections joined into one, over real sockets.
#include <doctest/doctest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "test/engine_host.h"
#include "test/sockets.h"

using fr::Code;
using fr::test::close_fd;
using fr::test::Host;
using fr::test::random_bytes;
using fr::test::TcpPair;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kOpenAt = 7;  // of the counters
constexpr size_t kBytesAt = 8;

void put_all(int fd, const Bytes& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t step = std::min<size_t>(bytes.size() - at, 1 + at * 7 % 99'991);
    const ssize_t sent = send(fd, &bytes[at], step, MSG_NOSIGNAL);
    if (sent <= 0) return;
    at += static_cast<size_t>(sent);
  }
}

// All that comes until the other side says that nothing more does.
Bytes take_all(int fd) {
  Bytes all;
  Bytes some(77'777);
  for (;;) {
    const ssize_t got = recv(fd, some.data(), some.size(), 0);
    if (got <= 0) return all;
    all.insert(all.end(), some.begin(), some.begin() + got);
  }
}

// near.a <-> near.b = bridge = far.a <-> far.b
struct Joined {
  Host host;
  TcpPair near;
  TcpPair far;
  explicit Joined(bool is_open = true) {
    const int little = 16 << 10;  // what is sent goes in parts
    for (const int fd : {near.a, near.b, far.a, far.b})
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    if (!is_open) return;
    REQUIRE(host.engine.bridge(near.b, far.a).ok());
    close_fd(near.b);
    close_fd(far.a);
  }
  double counter(size_t at) const { return host.engine.counters()[at]; }
  bool is_over() {
    return host.until([&] { return counter(kOpenAt) == 0; });
  }
};

}  // namespace

TEST_CASE("what either side sends arrives, both ways at once, and so does its end") {
  Joined joined;
  CHECK(joined.counter(kOpenAt) == 1);
  const Bytes there = random_bytes(3'000'017);
  const Bytes back = random_bytes(1'234'567);
  Bytes got;
  std::thread near_writer([&] {
    put_all(joined.near.a, there);
    shutdown(joined.near.a, SHUT_WR);
  });
  std::thread far_writer([&] { put_all(joined.far.b, back); });
  std::thread near_reader([&] { got = take_all(joined.near.a); });
  CHECK(take_all(joined.far.b) == there);
  near_writer.join();
  far_writer.join();
  // The answer comes behind the end of the question.
  CHECK(joined.counter(kOpenAt) == 1);
  shutdown(joined.far.b, SHUT_WR);
  near_reader.join();
  CHECK(got == back);
  CHECK(joined.is_over());
  CHECK(joined.counter(kBytesAt) == static_cast<double>(there.size() + back.size()));
}

TEST_CASE("a side that takes nothing holds up the other, and costs no more than the kernel keeps") {
  Joined joined;
  const Bytes bytes = random_bytes(40 << 20);
  std::thread writer([&] {
    put_all(joined.near.a, bytes);
    shutdown(joined.near.a, SHUT_WR);
  });
  double before = -1;
  CHECK(joined.host.until([&] {
    poll(nullptr, 0, 100);
    const double now = joined.counter(kBytesAt);
    return std::exchange(before, now) == now && now > 0;
  }));
  CHECK(before < 20 << 20);
  CHECK(take_all(joined.far.b) == bytes);
  writer.join();
}

TEST_CASE("a side that breaks takes the other with it") {
  Joined joined;
  const linger hard{1, 0};
  setsockopt(joined.far.b, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close_fd(joined.far.b);
  CHECK(take_all(joined.near.a).empty());
  CHECK(joined.is_over());
}

TEST_CASE("a side that breaks is noticed while the other takes nothing") {
  Joined joined;
  const Bytes bytes = random_bytes(1 << 20);
  std::thread writer([&] {
    for (int i = 0; i < 40; i++) {
      if (send(joined.near.a, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        poll(nullptr, 0, 10);
    }
  });
  writer.join();
  CHECK(joined.counter(kOpenAt) == 1);
  const linger hard{1, 0};
  setsockopt(joined.near.a, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close_fd(joined.near.a);
  CHECK(joined.is_over());
}

TEST_CASE("the end of a side gives the other its time, also while that takes nothing") {
  Joined joined(false);
  REQUIRE(joined.host.engine.bridge(joined.near.b, joined.far.a).ok());
  const Bytes bytes = random_bytes(4 << 10);
  const auto waiting = [&] {
    int held = 0;
    ioctl(joined.near.b, FIONREAD, &held);
    return held;
  };
  // Until something waits before the bridge: what was sent has then all arrived there.
  for (int i = 0; i < 10'000 && waiting() == 0; i++) {
    REQUIRE(send(joined.near.a, bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0);
    if (waiting() > 0) poll(nullptr, 0, 50);
  }
  CHECK(waiting() > 0);
  int ms = 0;
  socklen_t length = sizeof ms;
  const auto patience = [&] {
    getsockopt(joined.far.a, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &length);
    return ms;
  };
  CHECK(patience() == 0);
  shutdown(joined.near.a, SHUT_WR);
  CHECK(joined.host.until([&] { return patience() == 20'000; }));
}

TEST_CASE("a bridge that is over is forgotten, though its host has not closed its descriptors") {
  Joined joined(false);
  REQUIRE(joined.host.engine.bridge(joined.near.b, joined.far.a).ok());
  shutdown(joined.near.a, SHUT_WR);
  shutdown(joined.far.b, SHUT_WR);
  CHECK(joined.is_over());
  // Wakes nobody: a lane that still had these sockets in epoll would look at what is freed.
  close_fd(joined.near.a);
  close_fd(joined.far.b);
  poll(nullptr, 0, 20);
  Joined other;
  close_fd(other.far.b);
  CHECK(take_all(other.near.a).empty());
}

TEST_CASE("both directions together keep to a limit of the engine") {
  Joined joined(false);
  joined.host.engine.limit(10 << 20, 0);
  REQUIRE(joined.host.engine.bridge(joined.near.b, joined.far.a).ok());
  close_fd(joined.near.b);
  close_fd(joined.far.a);
  const Bytes bytes = random_bytes(2 << 20);
  const auto begin = std::chrono::steady_clock::now();
  std::thread writer([&] {
    put_all(joined.near.a, bytes);
    shutdown(joined.near.a, SHUT_WR);
  });
  CHECK(take_all(joined.far.b) == bytes);
  writer.join();
  // 0.2 s less what may be saved up; a busy machine only takes longer.
  CHECK(std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(150));
}

TEST_CASE("a connection that is gone is refused, and so is any once the engine is stopped") {
  Host host;
  TcpPair pair;
  CHECK(host.engine.bridge(pair.a, -1).status.code == Code::ERR_FR_NODE_LOST);
  CHECK(host.engine.counters()[kOpenAt] == 0);
  host.engine.stop();
  CHECK(host.engine.bridge(pair.a, pair.b).status.code == Code::ERR_FR_CLOSED);
}
