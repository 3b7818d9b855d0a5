// Sealed bytes: what AES-256-GCM makes of known ones, that only the right bytes in the right order
// open, and a sealed channel on real sockets and files.
#include "core/io/seal.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <vector>

#include "core/io/channel.h"
#include "test/sockets.h"

using fr::Channel;
using fr::ChannelCounts;
using fr::kSealedBytes;
using fr::kSealOverhead;
using fr::Moved;
using fr::Seal;
using fr::SealSecret;
using fr::Transit;
using How = fr::Moved::How;
using Bytes = std::vector<uint8_t>;

namespace {

const fr::Gcm* gcm() {
  REQUIRE(dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL) != nullptr);
  const fr::Gcm* const found = fr::find_gcm();
  REQUIRE(found != nullptr);
  return found;
}

SealSecret secret_of(uint8_t first) {
  SealSecret secret{};
  for (size_t i = 0; i < secret.key.size(); i++) secret.key[i] = static_cast<uint8_t>(first + i);
  secret.salt = {1, 2, 3, 4};
  return secret;
}

Bytes some(size_t count, uint32_t seed = 1) {
  Bytes bytes(count);
  for (auto& byte : bytes) byte = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

Bytes sealed(Seal& seal, const Bytes& plain) {
  Bytes record(plain.size() + kSealOverhead);
  REQUIRE(seal.seal(plain.data(), plain.size(), record.data()));
  return record;
}

bool opens(Seal& seal, const Bytes& record, Bytes* plain) {
  plain->assign(record.size() - kSealOverhead, 0);
  return seal.open(record.data(), plain->size(), plain->data());
}

// Two channels over loopback, sealed one way; a wire in between that tests may bend.
struct SealedWorld {
  fr::test::TcpPair out_pair;
  fr::test::TcpPair in_pair;
  ChannelCounts counts;
  Channel out;
  Channel in;
  Transit transit{&counts};
  explicit SealedWorld(uint64_t records_max = fr::kSealRecordsMax)
      : out(Channel::prepare(out_pair.a, {true, 0, ""}), &counts),
        in(Channel::prepare(in_pair.a, {}), &counts) {
    signal(SIGPIPE, SIG_IGN);
    gcm();
    fr::test::close_fd(out_pair.a);
    fr::test::close_fd(in_pair.a);
    REQUIRE(out.seal(secret_of(7), true, records_max));
    REQUIRE(in.seal(secret_of(7), false, records_max));
  }

  // What is on the wire now goes over; `bend` may change it.
  size_t carry(const std::function<void(Bytes&)>& bend = nullptr) {
    Bytes bytes(4 << 20);
    const ssize_t got = ::recv(out_pair.b, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got == 0) shutdown(in_pair.b, SHUT_WR);
    if (got <= 0) return 0;
    bytes.resize(static_cast<size_t>(got));
    if (bend) bend(bytes);
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t put = ::send(in_pair.b, &bytes[at], bytes.size() - at, MSG_NOSIGNAL);
      REQUIRE(put > 0);
      at += static_cast<size_t>(put);
    }
    return static_cast<size_t>(got);
  }
  void await_readable() const {
    pollfd readable{in.fd(), POLLIN, 0};
    REQUIRE(poll(&readable, 1, 10'000) == 1);
  }
  Moved take(Bytes* into, size_t bytes) {
    into->resize(bytes);
    const Moved got = in.recv(into->data(), bytes);
    into->resize(got.bytes);
    return got;
  }
};

int file_of(const Bytes& bytes) {
  const int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return fd;
}

}  // namespace

TEST_CASE("a record is AES-256-GCM under the salt and its number, with its length beside it") {
  Seal seal(gcm(), Seal::Side::kSeals, secret_of(0));
  const Bytes plain{'a', 'b', 'c'};
  // Made with node:crypto: aes-256-gcm, nonce 01020304 and u64 0 then 1, AAD 03000000.
  CHECK(sealed(seal, plain) == Bytes{0x03, 0x00, 0x00, 0x00, 0x40, 0x37, 0xbe, 0xad,
                                     0xa8, 0x4a, 0x2e, 0xe6, 0x7f, 0xa5, 0xff, 0x6e,
                                     0x99, 0x68, 0x58, 0x32, 0x79, 0x08, 0xdc});
  CHECK(sealed(seal, plain) == Bytes{0x03, 0x00, 0x00, 0x00, 0xb0, 0x93, 0xa4, 0x15,
                                     0x2c, 0x4a, 0x9e, 0x28, 0x38, 0xf9, 0x76, 0x5c,
                                     0xe0, 0x85, 0x3a, 0x6b, 0x2b, 0x12, 0x18});
}

TEST_CASE("the next key is what a key makes of zeros under the last number") {
  Seal seal(gcm(), Seal::Side::kSeals, secret_of(0), 1);
  const Bytes plain{'a', 'b', 'c'};
  (void)sealed(seal, plain);
  // Made with node:crypto, too.
  CHECK(sealed(seal, plain) == Bytes{0x03, 0x00, 0x00, 0x00, 0x12, 0xda, 0x1d, 0x28,
                                     0x14, 0x82, 0x1f, 0xd6, 0xed, 0x81, 0xcb, 0x24,
                                     0x39, 0xf9, 0x57, 0x64, 0xe8, 0x5a, 0x00});
}

TEST_CASE("only the next record opens, unchanged") {
  const fr::Gcm* const evp = gcm();
  Seal seal(evp, Seal::Side::kSeals, secret_of(3));
  const Bytes plain = some(1000);
  const Bytes first = sealed(seal, plain);
  const Bytes second = sealed(seal, plain);
  CHECK(first != second);
  Bytes got;
  SUBCASE("both in their order") {
    Seal open(evp, Seal::Side::kOpens, secret_of(3));
    CHECK(opens(open, first, &got));
    CHECK(got == plain);
    CHECK(opens(open, second, &got));
    CHECK(got == plain);
  }
  SUBCASE("not the second first") {
    Seal open(evp, Seal::Side::kOpens, secret_of(3));
    CHECK_FALSE(opens(open, second, &got));
  }
  SUBCASE("not the first twice") {
    Seal open(evp, Seal::Side::kOpens, secret_of(3));
    CHECK(opens(open, first, &got));
    CHECK_FALSE(opens(open, first, &got));
  }
  SUBCASE("not under another key or salt") {
    Seal key(evp, Seal::Side::kOpens, secret_of(4));
    CHECK_FALSE(opens(key, first, &got));
    SealSecret other = secret_of(3);
    other.salt[3]++;
    Seal salt(evp, Seal::Side::kOpens, other);
    CHECK_FALSE(opens(salt, first, &got));
  }
  SUBCASE("not with any bit changed") {
    for (size_t bit = 0; bit < first.size() * 8; bit += 5) {
      if (bit < fr::kSealHeadBytes * 8) continue;  // the length: below, on a channel
      Seal open(evp, Seal::Side::kOpens, secret_of(3));
      Bytes changed = first;
      changed[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      CHECK_FALSE(opens(open, changed, &got));
    }
  }
}

TEST_CASE("a key is followed by the next one, at both ends before the same record") {
  const fr::Gcm* const evp = gcm();
  Seal seal(evp, Seal::Side::kSeals, secret_of(9), 3);
  Seal open(evp, Seal::Side::kOpens, secret_of(9), 3);
  Seal late(evp, Seal::Side::kOpens, secret_of(9), 4);
  const Bytes plain = some(100);
  Bytes got;
  std::vector<Bytes> records;
  for (int i = 0; i < 10; i++) records.push_back(sealed(seal, plain));
  for (const Bytes& record : records) {
    CHECK(opens(open, record, &got));
    CHECK(got == plain);
  }
  for (int i = 0; i < 3; i++) CHECK(opens(late, records[static_cast<size_t>(i)], &got));
  CHECK_FALSE(opens(late, records[3], &got));
  // The same number and bytes under another key are another record.
  CHECK(records[0] != records[3]);
  CHECK(records[3] != records[6]);
}

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
