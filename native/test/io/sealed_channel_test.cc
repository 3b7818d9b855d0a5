// A sealed channel on real sockets and files: what it brings, what it refuses, what it holds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <thread>
#include <vector>

#include "core/io/channel.h"
#include "test/sealing.h"

using fr::Channel;
using fr::kSealedBytes;
using fr::kSealOverhead;
using fr::Moved;
using fr::Seal;
using fr::test::Bytes;
using fr::test::file_of;
using fr::test::gcm;
using fr::test::sealed;
using fr::test::SealedWorld;
using fr::test::secret_of;
using fr::test::some;
using How = fr::Moved::How;

TEST_CASE("a sealed channel brings the bytes of a file, and no byte of it is on the wire") {
  for (const size_t size : {size_t{1}, kSealedBytes - 1, kSealedBytes, kSealedBytes + 1,
                            3 * kSealedBytes + 77, size_t{400'000}}) {
    CAPTURE(size);
    SealedWorld w;
    const Bytes bytes = some(size, 42);
    const int from = file_of(bytes);
    const int to = file_of({});
    bool is_seen = false;
    const auto look = [&](Bytes& wire) {
      const size_t least = std::min<size_t>(16, size);
      if (size < 16) return;
      for (size_t at = 0; at + least <= size; at += 32 << 10) {
        const auto part = bytes.begin() + static_cast<ptrdiff_t>(at);
        is_seen = is_seen || std::search(wire.begin(), wire.end(), part,
                                         part + static_cast<ptrdiff_t>(least)) != wire.end();
      }
    };
    const uint8_t head[5] = {1, 2, 3, 4, 5};
    REQUIRE(w.out.send(head, sizeof head, true).bytes == sizeof head);
    uint64_t sent = 0;
    uint64_t landed = 0;
    bool has_head = false;
    while (landed < size) {
      if (w.out.has_unsent()) {
        const Moved flushed = w.out.flush();
        REQUIRE(flushed.how != How::kFailed);
      } else if (sent < size) {
        const Moved moved = w.out.from_file(from, sent, size - sent);
        REQUIRE(moved.some());
        sent += moved.bytes;
      }
      if (w.carry(look) > 0) w.await_readable();
      if (!has_head) {
        Bytes got;
        const Moved first = w.take(&got, sizeof head);
        if (!first.some()) continue;
        REQUIRE(got == Bytes{1, 2, 3, 4, 5});
        has_head = true;
      }
      bool copies = false;
      const Moved moved = w.in.to_file(w.transit, to, landed, size - landed, &copies);
      REQUIRE(moved.how != How::kFailed);
      landed += moved.bytes;
    }
    Bytes got(size);
    REQUIRE(pread(to, got.data(), size, 0) == static_cast<ssize_t>(size));
    CHECK(got == bytes);
    CHECK_FALSE(is_seen);
    CHECK_FALSE(w.in.has_opened());
    ::close(from);
    ::close(to);
  }
}

TEST_CASE("whatever is done to sealed bytes on their way, none of what follows is taken") {
  SealedWorld w;
  const Bytes first = some(1000, 5);
  const Bytes rest = some(2000, 6);
  REQUIRE(w.out.send(first.data(), first.size(), false).bytes == first.size());
  w.carry();
  REQUIRE(w.out.send(rest.data(), rest.size(), false).bytes == rest.size());
  SUBCASE("a bit of the text") {
    w.carry([](Bytes& wire) { wire[100] ^= 1; });
  }
  SUBCASE("a bit of the tag") {
    w.carry([](Bytes& wire) { wire.back() ^= 128; });
  }
  SUBCASE("a length that is too long") {
    w.carry([](Bytes& wire) { wire[3] = 1; });
  }
  SUBCASE("a length that is too short") {
    w.carry([](Bytes& wire) { wire[1]--; });
  }
  SUBCASE("bytes left out") {
    w.carry([](Bytes& wire) { wire.erase(wire.begin() + 4, wire.begin() + 14); });
    REQUIRE(w.out.send(first.data(), first.size(), false).bytes == first.size());
    w.carry();
  }
  SUBCASE("bytes of the sender that come first") {
    w.carry([](Bytes& wire) { wire.insert(wire.begin(), {3, 0, 0, 0, 9, 9, 9}); });
  }
  w.await_readable();
  Bytes got;
  Bytes all;
  Moved moved;
  while ((moved = w.take(&got, 4096)).some()) all.insert(all.end(), got.begin(), got.end());
  CHECK(all == first);
  CHECK(moved.how == How::kFailed);
  CHECK(moved.error == EBADMSG);
  // It stays so, whatever comes.
  CHECK(w.take(&got, 1).error == EBADMSG);
}

TEST_CASE("a record of nothing is none, whoever has sealed it") {
  SealedWorld w;
  Seal seal(gcm(), Seal::Side::kSeals, secret_of(7));
  const Bytes record = sealed(seal, {});
  REQUIRE(record.size() == kSealOverhead);
  REQUIRE(::send(w.in_pair.b, record.data(), record.size(), 0) > 0);
  w.await_readable();
  Bytes got;
  const Moved moved = w.take(&got, 1);
  CHECK(moved.how == How::kFailed);
  CHECK(moved.error == EBADMSG);
}

TEST_CASE("a call takes short records for so long and no longer, and says how often it has read") {
  SealedWorld w;
  Seal seal(gcm(), Seal::Side::kSeals, secret_of(7));
  const Bytes one = some(1);
  size_t wanted = 0;
  std::thread sender([&] {
    for (int i = 0; i < 200; i++) {
      Bytes wire;
      for (int k = 0; k < 1000; k++, wanted++) {
        const Bytes record = sealed(seal, one);
        wire.insert(wire.end(), record.begin(), record.end());
      }
      size_t at = 0;
      while (at < wire.size()) {
        const ssize_t put = ::send(w.in_pair.b, &wire[at], wire.size() - at, MSG_NOSIGNAL);
        if (put <= 0) return;
        at += static_cast<size_t>(put);
      }
    }
    shutdown(w.in_pair.b, SHUT_WR);
  });
  size_t all = 0;
  Bytes got;
  for (Moved moved; moved.how != How::kEof;) {
    const uint64_t before = w.in.fills();
    moved = w.take(&got, 1 << 20);
    REQUIRE(moved.how != How::kFailed);
    CHECK(w.in.fills() - before <= 17);
    all += got.size();
    if (moved.how == How::kAgain) w.await_readable();
  }
  sender.join();
  CHECK(all == wanted);
}

TEST_CASE("buffers are there while there are bytes, and small where there are too many") {
  const size_t before = fr::SealBuffer::in_use();
  {
    SealedWorld quiet;
    CHECK(fr::SealBuffer::in_use() == before);
    const Bytes bytes = some(100'000, 4);
    // Part of a record has come: it is kept, and nothing else.
    REQUIRE(quiet.out.send(bytes.data(), bytes.size(), false).bytes == bytes.size());
    CHECK(fr::SealBuffer::in_use() == before);
    Bytes rest;
    quiet.carry([&](Bytes& wire) {
      rest.assign(wire.end() - 7, wire.end());
      wire.resize(wire.size() - 7);
    });
    Bytes all;
    Bytes got;
    const auto take_all = [&] {
      quiet.await_readable();
      for (Moved moved = quiet.take(&got, 1 << 20); moved.some();
           moved = quiet.take(&got, 1 << 20)) {
        all.insert(all.end(), got.begin(), got.end());
      }
    };
    take_all();
    CHECK(all.size() == 3 * kSealedBytes);
    CHECK(fr::SealBuffer::in_use() > before);
    REQUIRE(::send(quiet.in_pair.b, rest.data(), rest.size(), 0) == 7);
    take_all();
    CHECK(all == bytes);
    CHECK(fr::SealBuffer::in_use() == before);
  }
  std::vector<std::unique_ptr<fr::SealBuffer>> many;
  while (many.empty() || many.back()->records() > 1) {
    many.push_back(std::make_unique<fr::SealBuffer>(fr::SealBuffer::Kind::kOpened));
    REQUIRE(many.back()->get() != nullptr);
    REQUIRE(many.size() < 1000);
  }
  CHECK(fr::SealBuffer::in_use() <= fr::SealBuffer::kMost + (64u << 10) + 64);
  {
    // What follows has little room, and brings the same.
    SealedWorld w;
    const Bytes bytes = some(300'000, 5);
    const int from = file_of(bytes);
    const uint8_t head[3] = {1, 2, 3};
    size_t sent = 0;
    REQUIRE(w.out.send(head, 3, true).bytes == 3);
    Bytes all;
    Bytes got;
    while (all.size() < bytes.size() + 3) {
      if (w.out.has_unsent()) REQUIRE(w.out.flush().how != How::kFailed);
      if (sent < bytes.size() && !w.out.has_unsent()) {
        const Moved moved = w.out.from_file(from, sent, bytes.size() - sent);
        REQUIRE(moved.some());
        sent += moved.bytes;
      }
      if (w.carry() > 0) w.await_readable();
      if (w.take(&got, 1 << 20).some()) all.insert(all.end(), got.begin(), got.end());
    }
    CHECK(Bytes(all.begin() + 3, all.end()) == bytes);
    ::close(from);
  }
  many.clear();
  CHECK(fr::SealBuffer::in_use() == before);
}

TEST_CASE("a record that is cut short is the end, and nothing of it is taken") {
  SealedWorld w;
  const Bytes bytes = some(1000);
  REQUIRE(w.out.send(bytes.data(), bytes.size(), false).some());
  w.carry([](Bytes& wire) { wire.pop_back(); });
  fr::test::close_fd(w.in_pair.b);
  w.await_readable();
  Bytes got;
  CHECK(w.take(&got, 4096).how == How::kEof);
  CHECK(got.empty());
}

TEST_CASE("what the socket does not take waits, and the end waits behind it") {
  SealedWorld w;
  const Bytes bytes = some(64 << 20 >> 4, 8);
  const int from = file_of(bytes);
  uint64_t sent = 0;
  Moved moved;
  while (sent < bytes.size() && (moved = w.out.from_file(from, sent, bytes.size() - sent)).some())
    sent += moved.bytes;
  REQUIRE(moved.how == How::kAgain);
  REQUIRE(w.out.has_unsent());
  uint64_t unacked = 0;
  CHECK(w.out.unacked(&unacked));
  CHECK(unacked + (1 << 20) > sent);
  w.out.half_close();
  Bytes all;
  bool is_over = false;
  while (!is_over) {
    if (w.out.has_unsent()) REQUIRE(w.out.flush().how != How::kFailed);
    w.carry();
    Bytes got;
    const Moved came = w.take(&got, 1 << 20);
    all.insert(all.end(), got.begin(), got.end());
    is_over = came.how == How::kEof;
    REQUIRE(came.how != How::kFailed);
  }
  CHECK(all == Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(sent)));
  ::close(from);
}

TEST_CASE("a file that ends early, or cannot be written, is said to be at fault") {
  SealedWorld w;
  const int file = file_of(some(10));
  CHECK(w.out.from_file(file, 0, 100).bytes == 10);
  CHECK(w.out.from_file(file, 10, 90).how == How::kEof);
  w.carry();
  w.await_readable();
  const int sealed_off = file_of({});
  REQUIRE(fcntl(sealed_off, F_ADD_SEALS, F_SEAL_WRITE) == 0);
  bool copies = false;
  const Moved moved = w.in.to_file(w.transit, sealed_off, 0, 10, &copies);
  CHECK(moved.how == How::kFailed);
  CHECK(moved.at_file);
  CHECK(moved.error == EPERM);
  ::close(file);
  ::close(sealed_off);
}

TEST_CASE("sealed bytes are passed on to those who seal and to those who do not") {
  SealedWorld w;
  SealedWorld onward;
  fr::test::TcpPair plain_pair;
  Channel plain(Channel::prepare(plain_pair.a, {true, 0, ""}), &w.counts);
  const Bytes bytes = some(100'000, 3);
  REQUIRE(w.out.send(bytes.data(), bytes.size(), false).bytes == bytes.size());
  while (w.carry() > 0) {
  }
  w.await_readable();
  REQUIRE(plain.can_hold());
  REQUIRE(onward.out.can_hold());
  size_t passed = 0;
  while (passed < bytes.size()) {
    const Moved moved = w.in.to_channels(w.transit, {&onward.out, &plain}, bytes.size() - passed);
    REQUIRE(moved.some());
    CHECK(plain.held() == moved.bytes);
    while (onward.out.held() > 0) REQUIRE(onward.out.send_held().how != How::kFailed);
    while (plain.held() > 0) REQUIRE(plain.send_held().how != How::kFailed);
    passed += moved.bytes;
  }
  while (onward.carry() > 0) {
  }
  onward.await_readable();
  Bytes got;
  CHECK(onward.take(&got, bytes.size()).bytes == bytes.size());
  CHECK(got == bytes);
  Bytes open(bytes.size());
  REQUIRE(::recv(plain_pair.b, open.data(), open.size(), MSG_WAITALL) ==
          static_cast<ssize_t>(open.size()));
  CHECK(open == bytes);
}
