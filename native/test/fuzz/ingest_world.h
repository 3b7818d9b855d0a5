// What ingest_fuzz feeds: one engine that is used again for every input, files in memory with a
// guard behind their end, and loopback connections.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <mutex>
#include <vector>

#include "core/file/file_table.h"
#include "core/lane/engine.h"

namespace fuzz {

inline void require(bool holds) {
  if (!holds) abort();
}

class Host {
 public:
  Host() : engine(1, [this] { wake(); }) {}

  // Waits until the disk thread has done what was asked of it.
  void settle() {
    std::promise<void> done;
    require(engine.on_disk(0, false, [&done] { done.set_value(); }));
    done.get_future().wait();
  }

  // Gives every event to `take`, in order, until that answers true; ten seconds are a hang.
  template <typename Take>
  void until(Take&& take) {
    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (bool enough = false; !enough;) {
      {
        std::unique_lock<std::mutex> hold(mutex_);
        require(some_.wait_until(hold, last, [this] { return woken_; }));
        woken_ = false;
      }
      const fr::EventBatch batch = engine.take_events();
      for (const fr::Event& event : batch.events) enough = take(event, batch.side) || enough;
      engine.forget_ended();
    }
  }

 private:
  void wake() {
    std::lock_guard<std::mutex> hold(mutex_);
    woken_ = true;
    some_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable some_;
  bool woken_ = false;

 public:
  fr::Engine engine;  // its threads call wake() until it is gone
};

// A file of `size` bytes as far as the engine knows; behind them lies what nobody may write.
class Memory {
 public:
  static constexpr size_t kGuard = 4096;

  explicit Memory(size_t bytes) : size(bytes) {
    fd_ = memfd_create("fr-fuzz", MFD_CLOEXEC);
    require(fd_ >= 0);
    handle = fr::file_table_add(std::make_shared<fr::File>(fd_, bytes));
    require(handle != 0);
  }
  void clear() {
    require(ftruncate(fd_, 0) == 0);
    require(ftruncate(fd_, static_cast<off_t>(size + kGuard)) == 0);
  }
  std::vector<uint8_t> read() const {
    std::vector<uint8_t> bytes(size + kGuard + 1);
    const ssize_t got = pread(fd_, bytes.data(), bytes.size(), 0);
    require(got == static_cast<ssize_t>(size + kGuard));  // neither grown nor cut
    bytes.resize(static_cast<size_t>(got));
    return bytes;
  }

  const size_t size;
  uint32_t handle = 0;

 private:
  int fd_ = -1;
};

// Makes connections; each comes from another address of 127.0.0.0/8, because closed ones keep their
// port busy for a minute.
class Loopback {
 public:
  Loopback() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at_.sin_family = AF_INET;
    at_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at_;
    require(bind(listener_, address(at_), sizeof at_) == 0 && listen(listener_, 1) == 0);
    require(getsockname(listener_, reinterpret_cast<sockaddr*>(&at_), &length) == 0);
  }

  void connect_pair(int* dialled, int* accepted) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + count_++ % 65'000);
    const int one = 1;
    *dialled = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(*dialled, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    require(bind(*dialled, address(from), sizeof from) == 0);
    require(connect(*dialled, address(at_), sizeof at_) == 0);
    *accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    require(*accepted >= 0);
  }

 private:
  static const sockaddr* address(const sockaddr_in& of) {
    return reinterpret_cast<const sockaddr*>(&of);
  }
  int listener_ = -1;
  sockaddr_in at_{};
  uint32_t count_ = 0;
};

}  // namespace fuzz
