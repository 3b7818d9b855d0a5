// What the lanes and the disk threads tell the host: fixed-size records of numbers plus one buffer
// of bytes (digest payloads, ids). One mutex, one wake per batch; nothing waits here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace fr {

enum class EventType : int {
  kLanded = 1,      // transfer, stream, scratch, offset, length; bytes: digests, if they are made
  kDigests = 2,     // transfer, feed, stream, route, offset, length; bytes: the payload
  kFeedClosed = 3,  // transfer, feed, code (0: clean end), errno
  kFileFailed = 4,  // transfer, stream, code, errno; bytes: the system call
  kDone = 5,        // operation, code, errno, result[0..4]; bytes: a text result, or Status::what
};

// The last two numbers are offset and length in the side buffer, for the types that have bytes.
inline constexpr int kEventNumbers = 12;
inline constexpr int kSideOffset = kEventNumbers - 2;
inline constexpr int kSideLength = kEventNumbers - 1;

struct Event {
  double v[kEventNumbers] = {};
};

struct EventBatch {
  std::vector<Event> events;
  std::vector<uint8_t> side;
  bool empty() const { return events.empty(); }
};

class Outbox {
 public:
  explicit Outbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Moves the batch in and wakes the host unless it has been woken already.
  void post(EventBatch& batch) {
    if (batch.empty()) return;
    bool wake = false;
    {
      std::lock_guard<std::mutex> hold(mutex_);
      const double side_base = static_cast<double>(held_.side.size());
      for (Event& event : batch.events) {
        const auto type = static_cast<EventType>(static_cast<int>(event.v[0]));
        if (type != EventType::kFeedClosed) event.v[kSideOffset] += side_base;
        held_.events.push_back(event);
      }
      held_.side.insert(held_.side.end(), batch.side.begin(), batch.side.end());
      load_.store(held_.events.size() + held_.side.size() / kSideBytesPerEvent,
                  std::memory_order_relaxed);
      wake = !std::exchange(woken_, true);
    }
    batch.events.clear();
    batch.side.clear();
    if (wake) wake_();
  }

  EventBatch take() {
    std::lock_guard<std::mutex> hold(mutex_);
    woken_ = false;
    load_.store(0, std::memory_order_relaxed);
    return std::exchange(held_, {});
  }

  // The host is far behind: lanes stop reading sockets until it has caught up.
  bool is_full() const { return load_.load(std::memory_order_relaxed) > kFullEvents; }

 private:
  static constexpr size_t kFullEvents = 16384;
  static constexpr size_t kSideBytesPerEvent = 1024;
  std::function<void()> wake_;
  std::mutex mutex_;
  EventBatch held_;
  std::atomic<size_t> load_{0};
  bool woken_ = false;
};

}  // namespace fr
