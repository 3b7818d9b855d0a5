// What tests of sealing share: OpenSSL, secrets, and two channels with a wire between them.
#pragma once

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <vector>

#include "core/io/channel.h"
#include "test/sockets.h"

namespace fr::test {

using Bytes = std::vector<uint8_t>;

inline const Gcm* gcm() {
  REQUIRE(dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL) != nullptr);
  const Gcm* const found = find_gcm();
  REQUIRE(found != nullptr);
  return found;
}

inline SealSecret secret_of(uint8_t first) {
  SealSecret secret{};
  for (size_t i = 0; i < secret.key.size(); i++) secret.key[i] = static_cast<uint8_t>(first + i);
  secret.salt = {1, 2, 3, 4};
  return secret;
}

inline Bytes some(size_t count, uint32_t seed = 1) {
  Bytes bytes(count);
  for (auto& byte : bytes) byte = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

inline Bytes sealed(Seal& seal, const Bytes& plain) {
  Bytes record(plain.size() + kSealOverhead);
  REQUIRE(seal.seal(plain.data(), plain.size(), record.data()));
  return record;
}

inline bool opens(Seal& seal, const Bytes& record, Bytes* plain) {
  plain->assign(record.size() - kSealOverhead, 0);
  return seal.open(record.data(), plain->size(), plain->data());
}

// Two channels over loopback, sealed one way; a wire in between that tests may bend.
struct SealedWorld {
  TcpPair out_pair;
  TcpPair in_pair;
  ChannelCounts counts;
  Channel out;
  Channel in;
  Transit transit{&counts};
  explicit SealedWorld(uint64_t records_max = kSealRecordsMax)
      : out(Channel::prepare(out_pair.a, {true, 0, ""}), &counts),
        in(Channel::prepare(in_pair.a, {}), &counts) {
    signal(SIGPIPE, SIG_IGN);
    gcm();
    close_fd(out_pair.a);
    close_fd(in_pair.a);
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

inline int file_of(const Bytes& bytes) {
  const int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  return fd;
}

}  // namespace fr::test
