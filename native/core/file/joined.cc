#include "core/file/joined.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <thread>
#include <vector>

#include "core/file/disk.h"

namespace fr {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
// A device is measured over so much at least: single writes say little.
constexpr uint64_t kMeasureNs = 50'000'000;
constexpr uint64_t kMeasureBytes = 16u << 20;
// Of the newest measurement in the speed.
constexpr double kNewest = 0.3;
// One that has been busy with one unit for longer most likely hangs.
constexpr uint64_t kLongNs = kSecondNs;
// Before anything has been measured all devices count as equally fast.
constexpr double kUsualSpeed = 128.0 * 1024 * 1024;

uint64_t clock_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * kSecondNs + static_cast<uint64_t>(t.tv_nsec);
}

void ask_free(int fd, DeviceQueue& queue) {
  struct statvfs system;
  if (fstatvfs(fd, &system) != 0) return;
  queue.free = static_cast<uint64_t>(system.f_bavail) * system.f_frsize;
}

// Takes at most what is there; how much that was.
uint64_t take_from(std::atomic<uint64_t>& count, uint64_t bytes) {
  uint64_t now = count.load();
  while (!count.compare_exchange_weak(now, now - std::min(now, bytes))) {
  }
  return std::min(now, bytes);
}

Status write_at(int fd, const uint8_t* from, size_t bytes, uint64_t at) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t put = pwrite(fd, from + done, bytes - done, static_cast<off_t>(at + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return status_of_errno(errno, "write");
    done += static_cast<size_t>(put);
  }
  return kOkStatus;
}

int sync_data(int fd) {
  while (fdatasync(fd) != 0) {
    if (errno == EINTR) continue;
    return errno == EINVAL ? 0 : errno;
  }
  return 0;
}

}  // namespace

void DeviceQueue::took(uint64_t bytes) { take_from(waiting, bytes); }

void DeviceQueue::measured(uint64_t bytes, uint64_t ns) {
  const std::lock_guard lock(mutex_);
  busy_bytes_ += bytes;
  busy_ns_ += ns;
  if (busy_ns_ < kMeasureNs && busy_bytes_ < kMeasureBytes) return;
  const double now = static_cast<double>(busy_bytes_) * kSecondNs /
                     static_cast<double>(std::max<uint64_t>(busy_ns_, 1));
  const auto before = static_cast<double>(speed.load());
  const double smooth = before == 0 ? now : (1 - kNewest) * before + kNewest * now;
  speed = std::max<uint64_t>(1, static_cast<uint64_t>(smooth));
  busy_bytes_ = busy_ns_ = 0;
}

Joined::Joined(int head, uint64_t size, uint64_t unit_bytes, uint64_t reserve_bytes,
               const std::string& map)
    : head_(head),
      size_(size),
      unit_bytes_(unit_bytes),
      reserve_bytes_(reserve_bytes),
      units_((size + unit_bytes - 1) / unit_bytes),
      map_(std::make_unique<std::atomic<uint8_t>[]>(units_)) {
  for (uint64_t unit = 0; unit < units_; unit++) {
    const auto part = unit < map.size() ? static_cast<uint8_t>(map[unit]) : uint8_t{0};
    map_[unit] = part <= kPartsMax ? part : uint8_t{0};
  }
}

Joined::~Joined() {
  for (Part& part : parts_) {
    if (part.fd < 0) continue;
    took(part, UINT64_MAX);
    close(part.fd);
  }
}

Status Joined::add(uint32_t number, const std::string& path, bool is_written, uint32_t place,
                   QueueRef queue) {
  if (number == 0 || number > kPartsMax || parts_[number].fd >= 0) {
    return {Code::ERR_FR_IO, EINVAL, "a part has no number of its own"};
  }
  const int flags = (is_written ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW;
  int fd = open(path.c_str(), flags, 0600);
  // What a disk had that has become read-only is there.
  const bool is_kept = fd < 0 && errno == EROFS && is_written;
  if (is_kept) fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  is_written = is_written && !is_kept;
  if (fd < 0) return status_of_errno(errno, "open");
  struct stat found;
  Status status = kOkStatus;
  if (fstat(fd, &found) != 0) {
    status = status_of_errno(errno, "fstat");
  } else if (!S_ISREG(found.st_mode)) {
    status = {Code::ERR_FR_IO, 0, "a part is no regular file"};
  } else if (static_cast<uint64_t>(found.st_size) != size_ &&
             (!is_written || ftruncate(fd, static_cast<off_t>(size_)) != 0)) {
    status = is_written ? status_of_errno(errno, "ftruncate")
                        : Status{Code::ERR_FR_IO, 0, "a part has another size"};
  }
  if (!status.ok()) {
    close(fd);
    return status;
  }
  Part& part = parts_[number];
  part.fd = fd;
  part.place = place;
  part.queue = std::move(queue);
  part.is_closed = !is_written;
  ask_free(fd, *part.queue);
  return kOkStatus;
}

Piece Joined::piece(uint64_t at, uint64_t length, uint8_t part) const {
  const uint64_t end = std::min(at + length, size_);
  uint64_t upto = at;
  while (upto < end && part_of(unit_of(upto)) == part) upto = (unit_of(upto) + 1) * unit_bytes_;
  return {part == 0 ? -1 : parts_[part].fd, std::min(upto, end) - at};
}

Piece Joined::find(uint64_t at, uint64_t length) const {
  if (at >= size_ || length == 0) return {};
  return piece(at, length, part_of(unit_of(at)));
}

Piece Joined::give(uint64_t at, uint64_t length) {
  if (at >= size_ || length == 0) return {};
  const uint64_t unit = unit_of(at);
  uint8_t part = part_of(unit);
  if (part == 0) {
    const std::lock_guard lock(mutex_);
    part = part_of(unit);
    if (part == 0) part = choose();
    if (part == 0) return {};
    if (part_of(unit) == 0) {
      parts_[part].given += unit_bytes_;
      parts_[part].queue->waiting += unit_bytes_;
      map_[unit].store(part, std::memory_order_release);
      is_changed_ = true;
    }
  }
  // One unit at a time: what comes behind it is not given yet.
  return {parts_[part].fd, std::min({length, (unit + 1) * unit_bytes_ - at, size_ - at})};
}

// The one that is soonest done with one unit more; of equals the emptiest. 0: there is none.
uint8_t Joined::choose() const {
  uint64_t fastest = 0;
  for (const Part& part : parts_) {
    if (part.fd >= 0) fastest = std::max(fastest, part.queue->speed.load());
  }
  const uint64_t now = clock_ns();
  uint8_t best = 0;
  double best_seconds = 0;
  uint64_t best_free = 0;
  for (size_t number = 1; number <= kPartsMax; number++) {
    const Part& part = parts_[number];
    if (part.fd < 0 || part.is_closed) continue;
    const uint64_t waiting = part.queue->waiting, free = part.queue->free;
    if (free < waiting + reserve_bytes_ + unit_bytes_) continue;
    uint64_t speed = part.queue->speed;
    if (speed == 0) speed = fastest;
    double seconds = static_cast<double>(waiting + unit_bytes_) /
                     (speed == 0 ? kUsualSpeed : static_cast<double>(speed));
    const uint64_t since = part.queue->since_ns;
    if (since != 0 && now > since + kLongNs) {
      seconds += static_cast<double>(now - since) / static_cast<double>(kSecondNs);
    }
    if (best == 0 || seconds < best_seconds || (seconds == best_seconds && free > best_free)) {
      best = static_cast<uint8_t>(number);
      best_seconds = seconds;
      best_free = free;
    }
  }
  return best;
}

void Joined::took(Part& part, uint64_t bytes) { part.queue->took(take_from(part.given, bytes)); }

void Joined::failed(uint64_t at, int error) {
  const std::lock_guard lock(mutex_);
  const uint64_t unit = unit_of(at);
  const uint8_t number = part_of(unit);
  if (number == 0) return;
  Part& part = parts_[number];
  part.is_closed = true;
  // What a full disk, or one that is read-only now, had taken before is there.
  const bool is_there = error == ENOSPC || error == EDQUOT || error == EROFS || error == EFBIG;
  if (!is_there) return lose(number);
  map_[unit] = 0;
  took(part, unit_bytes_);
  is_changed_ = has_lost_ = true;
}

// Under the lock.
void Joined::lose(uint8_t number) {
  parts_[number].is_closed = true;
  for (uint64_t unit = 0; unit < units_; unit++) {
    if (part_of(unit) == number) map_[unit] = 0;
  }
  took(parts_[number], UINT64_MAX);
  is_changed_ = has_lost_ = true;
}

uint32_t Joined::place(uint64_t unit) const {
  return unit < units_ ? parts_[part_of(unit)].place : 0;
}

void Joined::settle(uint64_t unit) {
  const uint8_t number = unit < units_ ? part_of(unit) : uint8_t{0};
  if (number == 0) return;
  Part& part = parts_[number];
  DeviceQueue& queue = *part.queue;
  const uint64_t begin = clock_ns();
  queue.since_ns = begin;
  // What fails here fails the flush as well, where it counts.
  while (sync_file_range(
             part.fd, static_cast<off_t>(unit * unit_bytes_), static_cast<off_t>(unit_bytes_),
             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) !=
             0 &&
         errno == EINTR) {
  }
  queue.since_ns = 0;
  queue.measured(unit_bytes_, clock_ns() - begin);
  took(part, unit_bytes_);
  ask_free(part.fd, queue);
}

void Joined::sync_part(Part& part, Synced* out, int* error) {
  struct stat before, after;
  const uint64_t given = part.given;
  if (fstat(part.fd, &before) != 0) return void(*error = errno);
  if (*error = sync_data(part.fd); *error != 0) return;
  if (fstat(part.fd, &after) != 0) return void(*error = errno);
  out->allocated = static_cast<uint64_t>(after.st_blocks) * 512;
  out->was_touched = before.st_size != after.st_size ||
                     before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
                     before.st_mtim.tv_nsec != after.st_mtim.tv_nsec;
  took(part, given);
}

Status Joined::sync(Synced* out) {
  struct Work {
    uint8_t number;
    Synced done;
    int error = 0;
  };
  std::vector<Work> work;
  for (uint8_t number = 1; number <= kPartsMax; number++) {
    if (parts_[number].fd >= 0) work.push_back({number, {}});
  }
  // Beside each other: they lie on different devices.
  std::vector<std::thread> threads;
  for (size_t i = 1; i < work.size(); i++) {
    const auto run = [this, &one = work[i]] {
      sync_part(parts_[one.number], &one.done, &one.error);
    };
    try {
      threads.push_back(start_thread("fr-sync", run));
    } catch (const std::system_error&) {
      run();
    }
  }
  if (!work.empty()) sync_part(parts_[work[0].number], &work[0].done, &work[0].error);
  for (std::thread& thread : threads) thread.join();
  for (const Work& one : work) {
    out->allocated += one.done.allocated;
    out->was_touched = out->was_touched || one.done.was_touched;
    if (one.error == 0) continue;
    const std::lock_guard lock(mutex_);
    bool has_units = false;
    for (uint64_t unit = 0; unit < units_ && !has_units; unit++) {
      has_units = part_of(unit) == one.number;
    }
    lose(one.number);
    out->was_lost = out->was_lost || has_units;
  }
  if (const Status status = write_map(); !status.ok()) return status;
  const int error = sync_data(head_);
  return error == 0 ? kOkStatus : status_of_errno(error, "fdatasync");
}

Status Joined::write_map() {
  const std::lock_guard lock(mutex_);
  if (!is_changed_) return kOkStatus;
  std::vector<uint8_t> bytes(units_);
  for (uint64_t unit = 0; unit < units_; unit++) bytes[unit] = part_of(unit);
  const uint8_t lost = 1;
  Status status = kOkStatus;
  // Before the map: who sees the new one must not believe what was told of the old one.
  if (has_lost_) status = write_at(head_, &lost, 1, kLostOffset);
  if (status.ok()) status = write_at(head_, bytes.data(), bytes.size(), kMapOffset);
  if (status.ok()) is_changed_ = false;
  return status;
}

}  // namespace fr
