#include "core/file/disk.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace fr {

std::thread start_thread(const std::string& name, std::function<void()> body) {
  // Signals belong to the host's main thread; a thread inherits the mask it is born under.
  struct Mask {
    Mask() {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    ~Mask() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    sigset_t before;
  };
  std::thread thread;
  {
    const Mask mask;
    thread = std::thread(std::move(body));
  }
  pthread_setname_np(thread.native_handle(), name.substr(0, 15).c_str());
  return thread;
}

DiskThread::DiskThread(const std::string& name) {
  thread_ = start_thread(name, [this] { run(); });
}

DiskThread::~DiskThread() { stop(); }

bool DiskThread::submit(std::function<void()> work) {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    if (stopping_ || queue_.size() >= kQueueMax) return false;
    queue_.push_back(std::move(work));
  }
  some_.notify_one();
  return true;
}

void DiskThread::stop() {
  {
    std::lock_guard<std::mutex> hold(mutex_);
    stopping_ = true;
  }
  some_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void DiskThread::run() {
  for (;;) {
    std::function<void()> work;
    {
      std::unique_lock<std::mutex> hold(mutex_);
      some_.wait(hold, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

DiskThreads::Pair::Pair(uint32_t place)
    : names("fr-names" + (place == 0 ? "" : std::to_string(place))),
      bytes("fr-disk" + (place == 0 ? "" : std::to_string(place))) {}

DiskThreads::DiskThreads() {
  pairs_[0] = std::make_unique<Pair>(0);
  for (QueueRef& queue : queues_) queue = std::make_shared<DeviceQueue>();
}

uint32_t DiskThreads::take() {
  uint32_t best = 0;
  for (uint32_t place = 1; place < kPlacesMax; place++) {
    if (users_[place] < users_[best]) best = place;
  }
  return take(best);
}

uint32_t DiskThreads::take(uint32_t place) {
  if (pairs_[place] == nullptr) pairs_[place] = std::make_unique<Pair>(place);
  users_[place]++;
  return place;
}

void DiskThreads::give_back(uint32_t place) { users_[place]--; }

void DiskThreads::stop() {
  for (const auto& pair : pairs_) {
    if (pair == nullptr) continue;
    pair->names.stop();
    pair->bytes.stop();
  }
}

}  // namespace fr
