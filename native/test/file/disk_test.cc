#include "core/file/disk.h"

#include <doctest/doctest.h>

#include <chrono>
#include <future>

namespace fr {
namespace {

TEST_CASE("who takes a place has the first of the least used") {
  DiskThreads threads;
  CHECK(threads.take() == 0);
  CHECK(threads.take() == 1);
  CHECK(threads.take() == 2);
  threads.give_back(1);
  CHECK(threads.take() == 1);
  CHECK(threads.take(1) == 1);
  for (uint32_t place = 3; place < DiskThreads::kPlacesMax; place++) CHECK(threads.take() == place);
  // All are taken: one is shared, and not the one that two have already.
  CHECK(threads.take() == 0);
  CHECK(threads.take() == 2);
}

TEST_CASE("a place that hangs holds up no other") {
  DiskThreads threads;
  const uint32_t hung = threads.take();
  const uint32_t other = threads.take();
  std::promise<void> over;
  const std::shared_future<void> waits = over.get_future().share();
  REQUIRE(threads.names(hung).submit([waits] { waits.wait(); }));
  REQUIRE(threads.bytes(hung).submit([waits] { waits.wait(); }));
  std::promise<void> names, bytes;
  REQUIRE(threads.names(other).submit([&names] { names.set_value(); }));
  REQUIRE(threads.bytes(other).submit([&bytes] { bytes.set_value(); }));
  const auto long_enough = std::chrono::seconds(20);
  CHECK(names.get_future().wait_for(long_enough) == std::future_status::ready);
  CHECK(bytes.get_future().wait_for(long_enough) == std::future_status::ready);
  over.set_value();
  threads.stop();
  CHECK_FALSE(threads.names(hung).submit([] {}));
}

}  // namespace
}  // namespace fr
