// A thread for what may block on a disk. Work is done in order; the queue is bounded.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

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

}  // namespace fr
