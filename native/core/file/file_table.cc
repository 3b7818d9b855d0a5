#include "core/file/file_table.h"

#include <unistd.h>

#include <mutex>
#include <unordered_map>

namespace fr {
namespace {

struct Table {
  std::mutex mutex;
  std::unordered_map<uint32_t, FileRef> files;
  uint32_t next = 1;  // 0 again after the last number was given out
};

Table& table() {
  static Table* const leaked = new Table;
  return *leaked;
}

}  // namespace

File::~File() {
  if (fd >= 0) close(fd);
}

uint32_t file_table_add(FileRef file) noexcept {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  if (all.next == 0 || all.files.size() >= kFileTableMax) return 0;
  all.files.emplace(all.next, std::move(file));
  return all.next++;
}

FileRef file_table_get(uint32_t handle) noexcept {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto found = all.files.find(handle);
  return found == all.files.end() ? nullptr : found->second;
}

void file_table_remove(uint32_t handle) noexcept {
  // Closing may block (the last reference to a deleted file frees its blocks): not under the lock.
  FileRef last;
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  const auto found = all.files.find(handle);
  if (found == all.files.end()) return;
  last = std::move(found->second);
  all.files.erase(found);
}

size_t file_table_size() noexcept {
  Table& all = table();
  const std::lock_guard lock(all.mutex);
  return all.files.size();
}

}  // namespace fr
