// Threads for what may block on a disk. Work is done in order; the queues are bounded.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/file/joined.h"

namespace fr {

// Starts a thread that takes no signals and carries a name that top -H and perf show. Throws
// std::system_error when the system gives none.
std::thread start_thread(const std::string& name, std::function<void()> body);

class DiskThread {
 public:
  static constexpr size_t kQueueMax = 65'536;

  explicit DiskThread(const std::string& name);
  ~DiskThread();
  DiskThread(const DiskThread&) = delete;
  DiskThread& operator=(const DiskThread&) = delete;

  // False when the queue is full or the thread has been stopped; the work is then not done.
  bool submit(std::function<void()> work);
  // Finishes what is queued, then joins. Idempotent.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable some_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

// The disk threads of an engine: in each place one for names and one for bytes. A data directory
// has a place, so a disk that hangs holds up none that has another. Sources have the first place,
// and so has the first data directory. Threads are made when a place is first taken, and stay.
class DiskThreads {
 public:
  static constexpr uint32_t kPlacesMax = 16;

  // Throws std::system_error when the system gives no threads.
  DiskThreads();
  // The first of the least used places, or the one that is named. One thread may take. Throws like
  // the constructor.
  uint32_t take();
  uint32_t take(uint32_t place);
  // Any thread may.
  void give_back(uint32_t place);
  // What waits for the device of a place; any thread may ask.
  QueueRef queue(uint32_t place) { return queues_[place < kPlacesMax ? place : 0]; }
  // Of a place that was taken; of others, which files of another engine have, the first. Any thread
  // may ask.
  DiskThread& names(uint32_t place) { return pair(place).names; }
  DiskThread& bytes(uint32_t place) { return pair(place).bytes; }
  // Finishes what is queued, then joins. Idempotent.
  void stop();

 private:
  struct Pair {
    explicit Pair(uint32_t place);
    DiskThread names;
    DiskThread bytes;
  };

  Pair& pair(uint32_t place) { return pairs_[place] ? *pairs_[place] : *pairs_[0]; }

  std::array<std::unique_ptr<Pair>, kPlacesMax> pairs_;
  std::array<std::atomic<uint32_t>, kPlacesMax> users_{};
  std::array<QueueRef, kPlacesMax> queues_;
};

}  // namespace fr
