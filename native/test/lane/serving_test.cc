// Files on their way to connections of the host's, over real sockets.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <vector>

#include "test/engine_host.h"
#include "test/sockets.h"

using fr::Code;
using fr::Event;
using fr::EventType;
using fr::test::close_fd;
using fr::test::Host;
using fr::test::MemoryFile;
using fr::test::random_bytes;
using fr::test::TcpPair;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr int kPatientMs = 60'000;
constexpr size_t kServesAt = 9;  // of the counters
constexpr size_t kServedBytesAt = 10;
constexpr uint64_t kSize = 3'000'017;

struct Served {
  Host host;
  Bytes bytes = random_bytes(kSize);
  MemoryFile file{kSize, &bytes};
  TcpPair pair;

  Served() {
    const int little = 16 << 10;  // what is sent goes in parts
    setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  }
  fr::Answer serve(double operation, uint64_t offset, uint64_t length, int stalled_ms) {
    return host.engine.serve({operation, pair.a, file.handle, offset, length, stalled_ms});
  }
  // Of its kDone event; -1: there is none yet.
  int code_of(double operation) const {
    for (const Event& event : host.seen)
      if (event.v[0] == static_cast<double>(EventType::kDone) && event.v[1] == operation)
        return static_cast<int>(event.v[2]);
    return -1;
  }
  bool is_done(double operation) {
    return host.until([&] { return code_of(operation) >= 0; });
  }
  bool has(Code code, double operation) const {
    return code_of(operation) == static_cast<int>(code);
  }
  double counter(size_t at) const { return host.engine.counters()[at]; }
};

Bytes take(int fd, size_t count) {
  Bytes all(count);
  size_t have = 0;
  while (have < count) {
    const ssize_t got = recv(fd, &all[have], count - have, 0);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  all.resize(have);
  return all;
}

}  // namespace

TEST_CASE("a file goes out between what its host writes, and the connection stays the host's") {
  Served served;
  REQUIRE(send(served.pair.a, "<", 1, 0) == 1);
  Bytes got;
  std::thread reader([&] { got = take(served.pair.b, kSize - 5 + 2); });
  REQUIRE(served.serve(1, 5, kSize - 5, kPatientMs).ok());
  CHECK(served.is_done(1));
  CHECK(served.has(Code::kOk, 1));
  // The connection does not block any more.
  while (send(served.pair.a, ">", 1, 0) < 0 && errno == EAGAIN) usleep(1'000);
  reader.join();
  REQUIRE(got.size() == kSize - 5 + 2);
  CHECK(got.front() == '<');
  CHECK(got.back() == '>');
  CHECK(std::equal(got.begin() + 1, got.end() - 1, served.bytes.begin() + 5));
  CHECK(served.counter(kServesAt) == 0);
  CHECK(served.counter(kServedBytesAt) == static_cast<double>(kSize - 5));
}

TEST_CASE("one that nobody takes is over after its time, one that is stopped at once") {
  Served served;
  REQUIRE(served.serve(1, 0, kSize, 300).ok());
  CHECK(served.is_done(1));
  CHECK(served.has(Code::ERR_FR_NODE_LOST, 1));
  REQUIRE(served.serve(2, 0, kSize, kPatientMs).ok());
  REQUIRE(served.host.engine.stop_serving(2).ok());
  CHECK(served.is_done(2));
  CHECK(served.has(Code::ERR_FR_CLOSED, 2));
  CHECK(served.host.engine.stop_serving(2).ok());
  CHECK(served.counter(kServesAt) == 0);
}

TEST_CASE("a reader that is gone and a file that is cut off end it, each in its own words") {
  Served served;
  REQUIRE(ftruncate(served.file.file->fd, 1'000) == 0);
  REQUIRE(served.serve(1, 0, kSize, kPatientMs).ok());
  CHECK(served.is_done(1));
  CHECK(served.has(Code::ERR_FR_SOURCE_CHANGED, 1));
  REQUIRE(ftruncate(served.file.file->fd, static_cast<off_t>(kSize)) == 0);
  REQUIRE(served.serve(2, 0, kSize, kPatientMs).ok());
  close_fd(served.pair.b);
  CHECK(served.is_done(2));
  CHECK(served.has(Code::ERR_FR_NODE_LOST, 2));
}

TEST_CASE("what makes no sense is refused, and an engine ends with what it serves") {
  Served served;
  CHECK(served.serve(1, 0, 1, 0).misuse != nullptr);
  CHECK(served.host.engine.serve({2, served.pair.a, 999'999, 0, 1, kPatientMs}).misuse != nullptr);
  CHECK(served.host.engine.serve({3, -1, served.file.handle, 0, 1, kPatientMs}).status.code ==
        Code::ERR_FR_NODE_LOST);
  REQUIRE(served.serve(4, 0, kSize, kPatientMs).ok());
  served.host.engine.stop();
  CHECK(served.serve(5, 0, 1, kPatientMs).status.code == Code::ERR_FR_CLOSED);
  CHECK(served.counter(kServesAt) == 0);
}
