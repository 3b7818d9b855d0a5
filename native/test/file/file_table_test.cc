#include "core/file/file_table.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

namespace fr {
namespace {

FileRef open_null() { return std::make_shared<File>(open("/dev/null", O_RDONLY | O_CLOEXEC), 7); }

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0 || errno != EBADF; }

TEST_CASE("a handle leads to its file until it is removed, and is never used again") {
  const size_t before = file_table_size();
  const uint32_t first = file_table_add(open_null());
  CHECK(first > 0);
  CHECK(file_table_size() == before + 1);
  CHECK(file_table_get(first)->size == 7);
  file_table_remove(first);
  CHECK(file_table_get(first) == nullptr);
  CHECK(file_table_size() == before);
  const uint32_t second = file_table_add(open_null());
  CHECK(second > first);
  CHECK(file_table_get(first) == nullptr);
  file_table_remove(second);
}

TEST_CASE("unknown handles are nothing") {
  CHECK(file_table_get(0) == nullptr);
  CHECK(file_table_get(UINT32_MAX) == nullptr);
  const size_t before = file_table_size();
  file_table_remove(0);
  file_table_remove(UINT32_MAX);
  CHECK(file_table_size() == before);
}

TEST_CASE("the fd stays open as long as anybody holds the file") {
  const uint32_t handle = file_table_add(open_null());
  FileRef held = file_table_get(handle);
  const int fd = held->fd;
  file_table_remove(handle);
  CHECK(is_open(fd));
  held.reset();
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("the table is bounded") {
  // Without fds of their own: the bound is of the table, not of the process.
  std::vector<uint32_t> handles;
  while (file_table_size() < kFileTableMax) {
    handles.push_back(file_table_add(std::make_shared<File>(-1, 0)));
    REQUIRE(handles.back() != 0);
  }
  CHECK(file_table_add(std::make_shared<File>(-1, 0)) == 0);
  file_table_remove(handles.back());
  const uint32_t again = file_table_add(std::make_shared<File>(-1, 0));
  CHECK(again > handles.back());
  file_table_remove(again);
  handles.pop_back();
  for (const uint32_t handle : handles) file_table_remove(handle);
}

TEST_CASE("threads add, use and remove at the same time") {
  const size_t before = file_table_size();
  std::atomic<int> wrong{0};
  std::atomic<uint32_t> shared{file_table_add(open_null())};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const uint32_t mine = file_table_add(open_null());
        const FileRef seen = file_table_get(mine);
        if (seen == nullptr || fcntl(seen->fd, F_GETFD) < 0) ++wrong;
        // Somebody else's file may go at any moment; while it is held it must be usable.
        const uint32_t other = shared.exchange(mine);
        if (const FileRef theirs = file_table_get(other)) {
          file_table_remove(other);
          if (fcntl(theirs->fd, F_GETFD) < 0) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  file_table_remove(shared);
  CHECK(file_table_size() == before);
}

}  // namespace
}  // namespace fr
