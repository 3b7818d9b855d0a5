// The four outcomes of each way to move bytes, on real sockets and files; and what the kernel
// refuses: files that take no splice, pipes that are too small, files that end early.
#include "core/io/channel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "test/scratch.h"
#include "test/sockets.h"

using fr::Channel;
using fr::ChannelCounts;
using fr::Moved;
using fr::Transit;
using How = fr::Moved::How;

namespace {

// A channel and its peer's plain socket.
struct World {
  fr::test::TcpPair pair;
  ChannelCounts counts;
  Channel channel;
  Transit transit{&counts};
  World() : channel(Channel::prepare(pair.a, {}), &counts) {
    signal(SIGPIPE, SIG_IGN);
    REQUIRE(channel.is_open());
    fr::test::close_fd(pair.a);
  }

  void say(const std::vector<uint8_t>& bytes) const {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t put = ::send(pair.b, &bytes[at], bytes.size() - at, MSG_NOSIGNAL);
      REQUIRE(put > 0);
      at += static_cast<size_t>(put);
    }
  }
  // Everything up to the end, or `count` bytes.
  std::vector<uint8_t> heard(size_t count = SIZE_MAX) const {
    std::vector<uint8_t> bytes;
    uint8_t some[64 << 10];
    while (bytes.size() < count) {
      const ssize_t got = ::recv(pair.b, some, std::min(sizeof some, count - bytes.size()), 0);
      REQUIRE(got >= 0);
      if (got == 0) break;
      bytes.insert(bytes.end(), some, some + got);
    }
    return bytes;
  }
  void await_readable() const {
    pollfd readable{channel.fd(), POLLIN, 0};
    REQUIRE(poll(&readable, 1, 10'000) == 1);
  }
  // The peer drops the connection: what was not read is answered by a reset.
  void reset() {
    const linger now{1, 0};
    setsockopt(pair.b, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fr::test::close_fd(pair.b);
    await_readable();
  }
};

struct File {
  int fd;
  explicit File(const std::vector<uint8_t>& bytes = {}) : fd(memfd_create("t", MFD_CLOEXEC)) {
    REQUIRE(pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  ~File() { ::close(fd); }
  std::vector<uint8_t> read(uint64_t at, size_t count) const {
    std::vector<uint8_t> bytes(count);
    REQUIRE(pread(fd, bytes.data(), count, static_cast<off_t>(at)) == static_cast<ssize_t>(count));
    return bytes;
  }
};

using Take = std::function<Moved(World&, size_t)>;

// The three ways off the socket, each asked for at most that much.
const std::pair<const char*, Take> kTakes[] = {
    {"recv",
     [](World& w, size_t bytes) {
       std::vector<uint8_t> into(bytes);
       return w.channel.recv(into.data(), bytes);
     }},
    {"discard", [](World& w, size_t bytes) { return w.channel.discard(bytes); }},
    {"to_file spliced",
     [](World& w, size_t bytes) {
       const File file;
       bool copies = false;
       return w.channel.to_file(w.transit, file.fd, 0, bytes, &copies);
     }},
    {"to_file copied",
     [](World& w, size_t bytes) {
       const File file;
       bool copies = true;
       return w.channel.to_file(w.transit, file.fd, 0, bytes, &copies);
     }},
};

using Give = std::function<Moved(World&, const File&, const std::vector<uint8_t>&, size_t)>;

// The ways onto the socket, each from `at` of the same bytes on.
const std::pair<const char*, Give> kGives[] = {
    {"send", [](World& w, const File&, const std::vector<uint8_t>& bytes,
                size_t at) { return w.channel.send(&bytes[at], bytes.size() - at, false); }},
    {"from_file", [](World& w, const File& file, const std::vector<uint8_t>& bytes,
                     size_t at) { return w.channel.from_file(file.fd, at, bytes.size() - at); }},
    {"from_file in small pieces",
     [](World& w, const File& file, const std::vector<uint8_t>& bytes, size_t at) {
       return w.channel.from_file(file.fd, at, std::min<size_t>(10'000, bytes.size() - at));
     }},
};

}  // namespace

TEST_CASE("off the socket: bytes, nothing now, the end, a failure") {
  for (const auto& [name, take] : kTakes) {
    CAPTURE(name);
    World world;
    CHECK(take(world, 100).how == How::kAgain);
    world.say(fr::test::pattern(1000));
    world.await_readable();
    const Moved some = take(world, 600);
    CHECK(some.some());
    CHECK(some.bytes <= 600);
    size_t rest = 1000 - some.bytes;
    while (rest > 0) {
      world.await_readable();
      const Moved more = take(world, 4096);
      REQUIRE(more.some());
      REQUIRE(more.bytes <= rest);
      rest -= more.bytes;
    }
    CHECK(take(world, 100).how == How::kAgain);
    shutdown(world.pair.b, SHUT_WR);
    world.await_readable();
    CHECK(take(world, 100).how == How::kEof);
    CHECK(take(world, 100).how == How::kEof);
  }
  for (const auto& [name, take] : kTakes) {
    CAPTURE(name);
    World world;
    world.reset();
    const Moved failed = take(world, 100);
    CHECK(failed.how == How::kFailed);
    CHECK(failed.error == ECONNRESET);
    CHECK_FALSE(failed.at_file);
  }
}

TEST_CASE("onto the socket: bytes, nothing now, a failure") {
  const std::vector<uint8_t> bytes = fr::test::pattern(24 << 20);
  const File file(bytes);
  for (const auto& [name, give] : kGives) {
    CAPTURE(name);
    World world;
    size_t sent = 0;
    Moved moved = give(world, file, bytes, sent);
    while (moved.some()) {
      sent += moved.bytes;
      moved = give(world, file, bytes, sent);
    }
    CHECK(moved.how == How::kAgain);  // nobody reads
    CHECK(sent > 0);
    CHECK(sent < bytes.size());
    // What the channel holds already comes first, in its place, once the peer reads.
    size_t got = 0;
    while (got < 4 << 20) {
      // Of what has been sent, which may be little.
      const std::vector<uint8_t> piece = world.heard(std::min<size_t>(256 << 10, sent - got));
      REQUIRE(std::memcmp(piece.data(), &bytes[got], piece.size()) == 0);
      got += piece.size();
      while ((moved = give(world, file, bytes, sent)).some()) sent += moved.bytes;
    }
    uint64_t unacked = 0;
    CHECK(world.channel.unacked(&unacked));
    CHECK(unacked > 0);
    uint64_t micros = 0;
    CHECK(world.channel.round_trip(&micros));  // over loopback, once something was acknowledged
    CHECK(micros < 1'000'000);
    world.reset();
    Moved failed = give(world, file, bytes, sent);
    CHECK(failed.how == How::kFailed);
    CHECK((failed.error == ECONNRESET || failed.error == EPIPE));
    CHECK_FALSE(failed.at_file);
  }
}

TEST_CASE("a file that ends before what was asked of it is at its end") {
  const std::vector<uint8_t> bytes = fr::test::pattern(10'000);
  const File file(bytes);
  for (const uint64_t ask : {uint64_t{30'000}, uint64_t{1} << 20}) {  // by sendfile, by a pipe
    World world;
    CHECK(world.channel.from_file(file.fd, bytes.size(), ask).how == How::kEof);
    const Moved all = world.channel.from_file(file.fd, 0, ask);
    REQUIRE(all.some());
    CHECK(world.channel.from_file(file.fd, all.bytes, ask - all.bytes).how == How::kEof);
    world.channel.half_close();
    CHECK(world.heard() == bytes);
  }
}

TEST_CASE("a file that cannot be read or written fails as the file's") {
  const std::vector<uint8_t> bytes = fr::test::pattern(50'000);
  const int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (const uint64_t ask : {uint64_t{30'000}, uint64_t{1} << 20}) {
    World world;
    const Moved failed = world.channel.from_file(directory, 0, ask);
    CHECK(failed.how == How::kFailed);
    CHECK(failed.at_file);
    CHECK(world.channel.send("x", 1, false).some());  // the connection is fine
  }
  for (const bool by_hand : {false, true}) {
    World world;
    const int sealed = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    REQUIRE(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    world.say(bytes);
    world.await_readable();
    bool copies = by_hand;
    const Moved failed = world.channel.to_file(world.transit, sealed, 0, 1000, &copies);
    CHECK(failed.how == How::kFailed);
    CHECK(failed.at_file);
    CHECK(failed.error == EPERM);
    CHECK(failed.bytes > 0);  // they are off the socket, and lost
    // The next file gets the bytes behind them, and none of them.
    const File next;
    copies = by_hand;
    const Moved good = world.channel.to_file(world.transit, next.fd, 7, 1000, &copies);
    REQUIRE(good.some());
    const auto from = bytes.begin() + static_cast<ptrdiff_t>(failed.bytes);
    CHECK(next.read(7, good.bytes) ==
          std::vector<uint8_t>(from, from + static_cast<ptrdiff_t>(good.bytes)));
    ::close(sealed);
  }
  ::close(directory);
}

TEST_CASE("a file that takes no splice is written by hand from then on, and counted once") {
  const fr::test::Scratch scratch(fr::test::kDisk);
  const std::vector<uint8_t> bytes = fr::test::pattern(3000);
  // O_APPEND refuses splice; Linux appends then, whatever offset pwrite is given.
  const int file = open((scratch / "f").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  World world;
  bool copies = false;
  for (size_t at = 0; at < bytes.size();) {
    world.say({bytes.begin() + static_cast<ptrdiff_t>(at),
               bytes.begin() + static_cast<ptrdiff_t>(at + 1000)});
    world.await_readable();
    const Moved moved = world.channel.to_file(world.transit, file, at, 1000, &copies);
    REQUIRE(moved.some());
    REQUIRE(moved.bytes == 1000);
    at += moved.bytes;
    CHECK(copies);
  }
  CHECK(world.counts.landing_fallbacks == 1);
  std::vector<uint8_t> landed(bytes.size());
  CHECK(pread(file, landed.data(), landed.size(), 0) == 3000);
  CHECK(landed == bytes);
  ::close(file);
}

TEST_CASE("a discarded megabyte leaves what follows in place") {
  World world;
  std::vector<uint8_t> bytes = fr::test::pattern(300'000);
  world.say(bytes);
  size_t left = 299'000;
  while (left > 0) {
    world.await_readable();
    const Moved gone = world.channel.discard(left);
    REQUIRE(gone.some());
    left -= gone.bytes;
  }
  uint8_t tail[1000];
  size_t have = 0;
  while (have < sizeof tail) {
    world.await_readable();
    const Moved got = world.channel.recv(tail + have, sizeof tail - have);
    REQUIRE(got.some());
    have += got.bytes;
  }
  CHECK(std::memcmp(tail, &bytes[299'000], sizeof tail) == 0);
}

TEST_CASE("pipes are counted while they are open") {
  ChannelCounts counts;
  const std::vector<uint8_t> bytes = fr::test::pattern(1 << 20);
  const File file(bytes);
  {
    fr::test::TcpPair pair;
    Channel channel(Channel::prepare(pair.a, {}), &counts);
    CHECK(counts.open_pipes == 0);
    CHECK(channel.from_file(file.fd, 0, 1000).some());  // too little for a pipe
    CHECK(counts.open_pipes == 0);
    CHECK(channel.from_file(file.fd, 1000, bytes.size() - 1000).some());
    CHECK(counts.open_pipes + static_cast<int64_t>(counts.sending_fallbacks) == 1);
    channel.close();
    CHECK_FALSE(channel.is_open());
    CHECK(counts.open_pipes == 0);
  }
  const Channel gone(-1, &counts);
  CHECK_FALSE(gone.is_open());
  CHECK(Channel::prepare(-1, {}) == -1);
}
