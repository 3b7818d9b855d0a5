// A file whose bytes are spread over several others, its parts, which lie on different devices.
//
// The idea: a part is a sparse file as long as the whole, and has the bytes of its units at their
// own offsets. So all that is known of the spread is a map, a byte for each unit: the number of its
// part, or 0. A unit gets a part when its first byte is to be written: the one whose device is
// soonest done with what waits for it, by what the device has written lately. Slow devices get few
// units so, and devices of equal speed fill evenly.
//
// The file that has the name, the head, is as long as the whole as well. It begins with a header of
// 64 bytes, written by whoever made it, and the map; behind that it is a hole. Bytes of units
// without a part are zeros.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/base/bounds.h"
#include "core/base/status.h"

namespace fr {

// Of one device, shared by all files that have a part on it. Any thread may use it.
struct DeviceQueue {
  std::atomic<uint64_t> waiting{0};  // bytes that it was given and has not written, as far as known
  std::atomic<uint64_t> speed{0};    // bytes a second while it is busy; 0: not known
  std::atomic<uint64_t> free{0};     // when it was asked last
  std::atomic<uint64_t> since_ns{0};  // when the write that is under way began; 0: there is none

  // Takes back what was given, at most what is there.
  void took(uint64_t bytes);
  // It was busy for so long with writing these.
  void measured(uint64_t bytes, uint64_t ns);

 private:
  std::mutex mutex_;
  uint64_t busy_ns_ = 0;
  uint64_t busy_bytes_ = 0;
};

using QueueRef = std::shared_ptr<DeviceQueue>;

// Where bytes are: at the same offset of this file, up to so many.
struct Piece {
  int fd = -1;
  uint64_t length = 0;
};

class Joined {
 public:
  static constexpr size_t kPartsMax = bounds::stripedParts;
  static constexpr uint64_t kMapOffset = 64;
  // Of the header: 1 once units have lost what was in them.
  static constexpr uint64_t kLostOffset = 48;

  // `map`: of the head, a byte for each unit. Of each device `reserve_bytes` stay free.
  Joined(int head, uint64_t size, uint64_t unit_bytes, uint64_t reserve_bytes,
         const std::string& map);
  ~Joined();
  Joined(const Joined&) = delete;
  Joined& operator=(const Joined&) = delete;

  // Opens a part, 1 to 32, before anybody else has the file; made where it is missing and
  // `is_written`. `place`: of the disk threads that work on it.
  Status add(uint32_t number, const std::string& path, bool is_written, uint32_t place,
             QueueRef queue);

  uint64_t unit_bytes() const { return unit_bytes_; }
  // Bytes to read; no descriptor: they are in no part, and zeros.
  Piece find(uint64_t at, uint64_t length) const;
  // Where to write; no descriptor: no device takes more.
  Piece give(uint64_t at, uint64_t length);
  // Writing there has failed. The unit has no part any more; where the device has failed rather
  // than filled up, no unit that it had.
  void failed(uint64_t at, int error);
  // The disk threads for a unit.
  uint32_t place(uint64_t unit) const;
  // All of a unit was written: waits until it is on its device.
  void settle(uint64_t unit);

  struct Synced {
    uint64_t allocated = 0;
    bool was_touched = false;
    bool was_lost = false;  // of a device that failed its units are gone
  };
  // Makes all that was written durable, then the map. Errors are of the head.
  Status sync(Synced* out);
  // Writes the map, if it has changed, without waiting for the disk.
  Status write_map();

 private:
  struct Part {
    int fd = -1;
    uint32_t place = 0;
    QueueRef queue;
    std::atomic<uint64_t> given{0};      // of what waits in the queue
    std::atomic<bool> is_closed{false};  // takes no more
  };

  uint64_t unit_of(uint64_t at) const { return at / unit_bytes_; }
  uint8_t part_of(uint64_t unit) const { return map_[unit].load(std::memory_order_acquire); }
  Piece piece(uint64_t at, uint64_t length, uint8_t part) const;
  uint8_t choose() const;
  void took(Part& part, uint64_t bytes);
  void lose(uint8_t number);
  void sync_part(Part& part, Synced* out, int* error);

  const int head_;
  const uint64_t size_;
  const uint64_t unit_bytes_;
  const uint64_t reserve_bytes_;
  const uint64_t units_;
  std::unique_ptr<std::atomic<uint8_t>[]> map_;
  std::array<Part, kPartsMax + 1> parts_;  // by number
  std::mutex mutex_;                       // for giving and losing units, and writing the map
  std::atomic<bool> is_changed_{false};    // the map, since it was written
  bool has_lost_ = false;
};

}  // namespace fr
