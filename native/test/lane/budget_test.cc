// Budgets without sockets: the clock is an argument.
#include "core/lane/budget.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

using fr::Account;
using fr::Budget;

namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kStart = 5'000 * kMs;

// An asker that comes back every few milliseconds and takes what it may, at most `most` bytes.
struct Asker {
  std::shared_ptr<Account> account;
  uint64_t most = UINT64_MAX;
  uint64_t moved = 0;

  void turn(uint64_t now_ns) {
    const uint64_t bytes = std::min(most, account->allowance(now_ns));
    account->pay(bytes);
    moved += bytes;
  }
};

void run(std::vector<Asker*> askers, uint64_t from_ms, uint64_t to_ms) {
  for (uint64_t ms = from_ms; ms < to_ms; ms += 4) {
    for (Asker* const asker : askers) asker->turn(kStart + ms * kMs);
  }
}

// Whether a count is the expected one, within a percentage.
bool is_about(uint64_t count, double expected, double percent) {
  const double off = static_cast<double>(count) - expected;
  return off <= expected * percent / 100 && -off <= expected * percent / 100;
}

}  // namespace

TEST_CASE("nothing is paced without a rate") {
  Budget budget;
  const auto account = budget.open();
  CHECK(!account->is_paced());
  account->pay(1 << 20);  // costs nothing
  budget.set_rate(1'000'000);
  CHECK(account->is_paced());
  CHECK(account->rate() == 1'000'000);
  budget.set_rate(0);
  CHECK(!account->is_paced());
}

TEST_CASE("a rate is kept to from the first second on, however late and seldom it is asked") {
  for (const uint64_t rate : {65'536ull, 1'250'000ull, 250'000'000ull}) {
    Budget budget;
    budget.set_rate(rate);
    Asker asker{budget.open()};
    const double burst = static_cast<double>(rate) * 0.025;
    std::vector<uint64_t> at;  // moved by the end of each 4 ms
    for (uint64_t ms = 0; ms < 10'000; ms += 4) {
      const bool is_late = ms % 1'000 < 17;
      if (!is_late) asker.turn(kStart + ms * kMs);
      at.push_back(asker.moved);
      const double seconds = static_cast<double>(ms) / 1'000;
      CHECK(static_cast<double>(asker.moved) <= static_cast<double>(rate) * seconds + burst + 1);
    }
    for (size_t i = 250; i < at.size(); i++) {
      CHECK(static_cast<double>(at[i] - at[i - 250]) <= static_cast<double>(rate) * 1.03);
    }
    CHECK(is_about(asker.moved, static_cast<double>(rate) * 10, 1));
  }
}

TEST_CASE("who comes late to what it waits for has what time has brought, as far as is saved up") {
  for (const uint64_t late_ms : {30, 56, 100, 400}) {
    Budget budget;
    budget.set_rate(1'000'000);
    Asker asker{budget.open()};
    for (uint64_t ms = 0; ms < 20'000; ms += late_ms) {
      asker.turn(kStart + ms * kMs);
      asker.turn(kStart + ms * kMs);  // and is told that there is no more
      const double seconds = static_cast<double>(ms) / 1'000;
      CHECK(static_cast<double>(asker.moved) <= 1e6 * seconds + 25'001);
    }
    CHECK(is_about(asker.moved, 20e6 * 25 / static_cast<double>(late_ms), 5));
  }
}

TEST_CASE("what was not used is lost, but for a burst") {
  Budget budget;
  budget.set_rate(1'000'000);
  Asker asker{budget.open()};
  run({&asker}, 0, 1'000);
  const uint64_t before = asker.moved;
  asker.turn(kStart + 60'000 * kMs);
  CHECK(asker.moved - before <= 25'000);
}

TEST_CASE("transfers share by weight, and nobody keeps a share that it does not use") {
  Budget budget;
  budget.set_rate(10'000'000);
  Asker light{budget.open()};
  Asker heavy{budget.open()};
  budget.set(*light.account, 0, 10);
  budget.set(*heavy.account, 0, 30);
  run({&light, &heavy}, 0, 10'000);
  CHECK(is_about(light.moved, 25e6, 2));
  CHECK(is_about(heavy.moved, 75e6, 2));

  SUBCASE("one that is slow by itself") {
    heavy.most = 4'000;  // in 4 ms: 1 MB/s of its 7.5 MB/s
    light.moved = heavy.moved = 0;
    run({&light, &heavy}, 10'000, 20'000);
    CHECK(is_about(heavy.moved, 10e6, 2));
    CHECK(is_about(light.moved, 90e6, 2));
  }
  SUBCASE("one that has ended") {
    light.moved = 0;
    budget.close(*heavy.account);
    run({&light}, 10'000, 20'000);
    CHECK(is_about(light.moved, 100e6, 2));
  }
  SUBCASE("one that asks for nothing any more") {
    light.moved = 0;
    run({&light}, 10'000, 20'000);
    CHECK(is_about(light.moved, 100e6, 2));
  }
}

TEST_CASE("a transfer with a rate of its own keeps to both") {
  Budget budget;
  Asker own{budget.open()};
  Asker other{budget.open()};
  budget.set(*own.account, 1'000'000, 10);
  CHECK(own.account->is_paced());
  CHECK(!other.account->is_paced());
  run({&own}, 0, 10'000);
  CHECK(is_about(own.moved, 10e6, 1));

  budget.set_rate(4'000'000);
  own.moved = 0;
  run({&own, &other}, 10'000, 20'000);
  CHECK(is_about(own.moved, 10e6, 2));
  CHECK(is_about(other.moved, 30e6, 2));

  budget.set_rate(1'000'000);
  own.moved = other.moved = 0;
  run({&own, &other}, 20'000, 30'000);
  CHECK(is_about(own.moved, 5e6, 2));
  CHECK(is_about(other.moved, 5e6, 2));
}

TEST_CASE("a rate that is lowered leaves nothing saved under the old one") {
  Budget budget;
  budget.set_rate(100'000'000);
  Asker asker{budget.open()};
  asker.most = 1'000;
  run({&asker}, 0, 1'000);
  budget.set_rate(100'000);
  asker.most = UINT64_MAX;
  asker.moved = 0;
  run({&asker}, 1'000, 2'000);
  CHECK(asker.moved <= 103'000);
}

TEST_CASE("a rate that is lowered where all was saved that could be goes on at the new one") {
  Budget budget;
  budget.set_rate(16'000'000);
  Asker asker{budget.open()};
  run({&asker}, 0, 1'000);
  asker.most = 0;
  run({&asker}, 1'000, 2'000);
  budget.set_rate(1'000'000);
  asker.most = UINT64_MAX;
  asker.moved = 0;
  run({&asker}, 2'000, 12'000);
  CHECK(is_about(asker.moved, 10e6, 1));
}

TEST_CASE("what was moved beyond the allowance is a debt") {
  Budget budget;
  budget.set_rate(1'000'000);
  Asker asker{budget.open()};
  asker.turn(kStart);
  asker.account->pay(500'000);
  run({&asker}, 4, 400);
  CHECK(asker.moved <= 25'000);
  run({&asker}, 400, 1'500);
  CHECK(is_about(asker.moved, 1'000'000, 5));
}

TEST_CASE("the lightest has its share beside the heaviest, however little there is") {
  Budget budget;
  budget.set_rate(65'536);
  Asker light{budget.open()};
  Asker heavy{budget.open()};
  budget.set(*light.account, 0, 1);
  budget.set(*heavy.account, 0, 100);
  for (uint64_t ms = 0; ms < 60'000; ms++) {
    light.turn(kStart + ms * kMs);
    heavy.turn(kStart + ms * kMs);
  }
  CHECK(is_about(light.moved, 65'536.0 * 60 / 101, 10));
  CHECK(is_about(heavy.moved, 65'536.0 * 60 * 100 / 101, 3));
}

TEST_CASE("many transfers with little each all come to move something") {
  Budget budget;
  budget.set_rate(65'536);
  std::vector<std::unique_ptr<Asker>> askers;
  std::vector<Asker*> all;
  for (int i = 0; i < 128; i++) {
    askers.push_back(std::make_unique<Asker>(Asker{budget.open()}));
    all.push_back(askers.back().get());
  }
  run(all, 0, 4'000);
  uint64_t moved = 0;
  for (const Asker* const asker : all) {
    CHECK(is_about(asker->moved, 65'536.0 * 4 / 128, 20));
    moved += asker->moved;
  }
  CHECK(static_cast<double>(moved) <= 65'536 * 4.03);
}

TEST_CASE("a rate of less than a byte in a burst is kept to, and brings something") {
  for (const uint64_t rate : {1ull, 10ull, 39ull}) {
    Budget budget;
    Asker asker{budget.open()};
    budget.set_rate(rate);
    run({&asker}, 0, 100'000);
    CHECK(is_about(asker.moved, 100.0 * static_cast<double>(rate), 3));
  }
}

TEST_CASE("lanes ask at the same time while somebody changes the rate") {
  Budget budget;
  budget.set_rate(1'000'000'000);
  std::vector<std::thread> lanes;
  std::atomic<uint64_t> moved{0};
  for (int i = 0; i < 4; i++) {
    lanes.emplace_back([&budget, &moved] {
      Asker asker{budget.open()};
      for (uint64_t turn = 0; turn < 20'000; turn++) asker.turn(kStart + turn * 50'000);
      moved += asker.moved;
      budget.close(*asker.account);
    });
  }
  for (int i = 0; i < 1'000; i++) budget.set_rate(500'000'000 + 500'000 * (i % 2));
  for (std::thread& lane : lanes) lane.join();
  // One second of the highest rate, and a burst.
  CHECK(moved.load() <= 1'025'000'000);
}
