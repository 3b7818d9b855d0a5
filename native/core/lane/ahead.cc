// What is done for the disk beside the landing, on the disk threads: room is allocated ahead of it,
// and writing begins behind it.
#include <algorithm>

#include "core/file/storage.h"
#include "core/lane/lane.h"

namespace fr {

// Keeps the disk busy beside the landing: allocates ahead of it and starts writing behind it, in
// big steps, on the disk thread.
void Lane::ahead_of(Transfer& transfer, Stream& stream, uint64_t begin, uint64_t end) {
  if (stream.main.file->joined != nullptr) return settle_units(stream, begin, end);
  if (!stream.main.file->fallocate_ok) return;
  DiskThread& disk = disks_->bytes(stream.main.file->disk);
  const uint64_t step = begin / Stream::kAllocateStep;
  if (!stream.sparse && stream.allocated.insert(step).second) {
    const uint32_t id = transfer.id;
    const uint32_t number = stream.id;
    disk.submit([this, file = stream.main.file, step, id, number] {
      const Status done =
          fallocate_range(*file, step * Stream::kAllocateStep, Stream::kAllocateStep);
      if (done.ok()) return;
      submit([id, number, done](Lane& lane) {
        auto it = lane.transfers_.find(id);
        if (it == lane.transfers_.end()) return;
        auto found = it->second->streams.find(number);
        if (found != it->second->streams.end()) lane.fail_stream(*it->second, found->second, done);
      });
    });
  }
  for (uint64_t at = begin; at < end;) {
    const uint64_t index = at / Stream::kWritebackStep;
    const uint64_t upto = std::min(end, (index + 1) * Stream::kWritebackStep);
    uint64_t& bytes = stream.writeback_bytes[index];
    bytes += upto - at;
    if (bytes >= Stream::kWritebackStep) {
      stream.writeback_bytes.erase(index);
      disk.submit([file = stream.main.file, index] {
        (void)writeback(*file, index * Stream::kWritebackStep, Stream::kWritebackStep);
      });
    }
    at = upto;
  }
}

// Whole units of a file in parts are waited for on the threads of their devices: so it shows how
// much waits for each.
void Lane::settle_units(Stream& stream, uint64_t begin, uint64_t end) {
  const Joined& joined = *stream.main.file->joined;
  const uint64_t unit = joined.unit_bytes();
  for (uint64_t at = begin; at < end;) {
    const uint64_t index = at / unit;
    const uint64_t upto = std::min(end, (index + 1) * unit);
    uint64_t& bytes = stream.writeback_bytes[index];
    bytes += upto - at;
    if (bytes >= std::min(unit, stream.size - index * unit)) {
      stream.writeback_bytes.erase(index);
      disks_->bytes(joined.place(index)).submit([file = stream.main.file, index] {
        file->joined->settle(index);
      });
    }
    at = upto;
  }
}

}  // namespace fr
