// What is asked of streams that grow.
#include "core/lane/engine.h"

namespace fr {

// Here and not in the lane, so that whoever trims a file after `grow` finds the size that it told.
void Engine::StreamEntry::size_files() const {
  for (const FileRef& file : grown) {
    if (file == nullptr) continue;
    file->size = size;
    file->has_end = is_final;
  }
}

Answer Engine::checked_growing(uint32_t transfer, uint32_t stream) {
  if (!running_) return {nullptr, {Code::ERR_FR_CLOSED, 0}};
  const auto it = transfers_.find(transfer);
  if (it == transfers_.end()) return {"transfer: unknown handle", {}};
  const auto found = it->second.streams.find(stream);
  if (found == it->second.streams.end()) return {"stream: unknown number", {}};
  if (!found->second.growing) return {"stream: does not grow", {}};
  return {};
}

Answer Engine::grow(uint32_t transfer, uint32_t stream, uint64_t size, bool is_final) {
  const Answer checked = checked_growing(transfer, stream);
  if (!checked.ok()) return checked;
  StreamEntry& entry = transfers_.at(transfer).streams.at(stream);
  if (entry.is_final) return {"stream: has its final size", {}};
  if (size > bounds::growingSpanBytes) return {"size: more than may grow", {}};
  if (!is_final && size <= entry.size) return {};
  const Answer done =
      task(transfer, [=](Lane& lane) { lane.grow(transfer, stream, size, is_final); });
  if (!done.ok()) return done;
  entry.size = size;
  entry.is_final = is_final;
  entry.size_files();
  return done;
}

Answer Engine::cut(uint32_t transfer, uint32_t stream, uint64_t offset, uint64_t length) {
  Answer checked = checked_growing(transfer, stream);
  if (checked.ok()) checked = checked_stored(transfer, stream, offset, length);
  if (!checked.ok()) return checked;
  const Section in = section_of(offset);
  if (in.floor(offset) != offset || length > in.block_bytes) {
    return {"offset, length: not the beginning of a block", {}};
  }
  return task(transfer, [=](Lane& lane) { lane.cut(transfer, stream, offset, length); });
}

Answer Engine::forget(uint32_t transfer, uint32_t stream, uint64_t before) {
  const Answer checked = checked_growing(transfer, stream);
  if (!checked.ok()) return checked;
  if (transfers_.at(transfer).streams.at(stream).passes) return {};
  return task(transfer, [=](Lane& lane) { lane.forget(transfer, stream, before); });
}

}  // namespace fr
