// An engine without Node for tests: what it tells can be waited for, and files live in memory.
#pragma once

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "core/lane/engine.h"

namespace fr::test {

inline constexpr uint64_t kBlock = 64 << 10;
inline constexpr uint64_t kSeed = 42;

// An engine whose events can be waited for.
struct Host {
  std::mutex mutex;
  std::condition_variable some;
  bool woken = false;
  std::vector<Event> seen;
  Engine engine;

  explicit Host(int lanes = 1)
      : engine(lanes, [this] {
          std::lock_guard<std::mutex> hold(mutex);
          woken = true;
          some.notify_one();
        }) {
    signal(SIGPIPE, SIG_IGN);
  }

  // Waits until `enough(seen)`, at most ten seconds.
  template <typename Enough>
  bool until(Enough&& enough) {
    for (int rounds = 0; rounds < 1000; rounds++) {
      if (enough()) return true;
      {
        std::unique_lock<std::mutex> hold(mutex);
        some.wait_for(hold, std::chrono::milliseconds(10), [this] { return woken; });
        woken = false;
      }
      const EventBatch batch = engine.take_events();
      seen.insert(seen.end(), batch.events.begin(), batch.events.end());
      engine.forget_ended();
    }
    return false;
  }

  uint64_t landed() const {
    uint64_t bytes = 0;
    for (const Event& event : seen) {
      if (event.v[0] == static_cast<double>(EventType::kLanded)) {
        bytes += static_cast<uint64_t>(event.v[5]);
      }
    }
    return bytes;
  }

  const Event* first(EventType type) const {
    for (const Event& event : seen) {
      if (event.v[0] == static_cast<double>(type)) return &event;
    }
    return nullptr;
  }
};

// A file in memory with a handle in the file table.
struct MemoryFile {
  uint32_t handle;
  FileRef file;
  explicit MemoryFile(uint64_t size, const std::vector<uint8_t>* bytes = nullptr) {
    const int fd = memfd_create("fr-test", MFD_CLOEXEC);
    REQUIRE(ftruncate(fd, static_cast<off_t>(size)) == 0);
    if (bytes != nullptr) {
      REQUIRE(pwrite(fd, bytes->data(), bytes->size(), 0) == static_cast<ssize_t>(bytes->size()));
    }
    file = std::make_shared<File>(fd, size);
    handle = file_table_add(file);
  }
  ~MemoryFile() { file_table_remove(handle); }
  std::vector<uint8_t> read() const {
    std::vector<uint8_t> bytes(file->size);
    REQUIRE(pread(file->fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
};

inline std::vector<uint8_t> random_bytes(size_t count) {
  std::mt19937_64 random(count);
  // By words: instrumented, a byte at a time takes seconds.
  std::vector<uint64_t> words((count + 7) / 8);
  for (uint64_t& word : words) word = random();
  std::vector<uint8_t> bytes(count);
  if (count > 0) std::memcpy(bytes.data(), words.data(), count);
  return bytes;
}

inline uint32_t feed_of(Host& host, uint32_t transfer, int fd, bool out) {
  uint32_t feed = 0;
  REQUIRE(host.engine.adopt({fd, transfer, out, false, kSeed, ""}, &feed).ok());
  return feed;
}

}  // namespace fr::test
