// What an engine may move in one direction, and how its transfers share it.
//
// A budget has a rate, or none. Each transfer has an account in it, with a weight, and a rate of
// its own or none. What time brings goes to the accounts of those that ask, by their weights; what
// one of them has no room for goes to the others, and a transfer that does not ask has no share.
// A lane looks at its account before it moves bytes and pays for what it has moved, headers and
// digests included.
//
// No more than kBurstSeconds of a rate can be saved up, so in no second more is moved than the rate
// and that much. An account is used by the lane of its transfer alone; what it gets comes under the
// lock of the budget, from whichever lane asks first.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/base/bounds.h"

namespace fr {

class Budget;

class Account {
 public:
  // An asker that is told 0 comes back after this.
  static constexpr uint64_t kPaceNs = 4'000'000;

  explicit Account(Budget* budget) : budget_(budget) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  // False: nothing limits this transfer, and nobody has to ask or pay.
  bool is_paced() const { return rate_.load(std::memory_order_relaxed) != 0; }
  // Bytes a second that this transfer can have at most, all others at rest; 0: any number.
  uint64_t rate() const { return rate_.load(std::memory_order_relaxed); }

  // --- the lane of the transfer only ---
  // While it is paced: bytes that may be moved now. 0: none before kPaceNs have passed.
  uint64_t allowance(uint64_t now_ns);
  void pay(uint64_t bytes) {
    if (!is_paced()) return;
    left_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  }
  // Bytes of one record: as much as is worth a header, and soon sent.
  uint64_t record_bytes() const;
  // How many connections share the rate of the budget.
  void count_feed(int change);
  int feeds() const;

 private:
  friend class Budget;

  Budget* const budget_;
  std::atomic<uint64_t> rate_{0};
  std::atomic<int64_t> left_{0};   // below zero: more was moved than was left
  std::atomic<int64_t> least_{0};  // less than this is not worth moving
  std::atomic<uint64_t> asked_ns_{0};
  std::atomic<bool> is_denied_{false};  // was told 0 the last time it asked
  uint64_t ask_again_ns_ = 0;
  // Under the lock of the budget.
  double weight_ = static_cast<double>(bounds::priority);
  uint64_t own_rate_ = 0;
  double own_ = 0;   // what time has brought of the own rate
  double part_ = 0;  // of a byte, beside `left_`
  bool is_asking_ = false;
};

class Budget {
 public:
  Budget() = default;
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Bytes a second; 0: no limit.
  void set_rate(uint64_t rate);
  std::shared_ptr<Account> open();
  void set(Account& account, uint64_t own_rate, double weight);
  void close(const Account& account);

 private:
  friend class Account;
  static constexpr double kBurstSeconds = 0.025;
  // What an account may hold of that, however small its share: what comes in two turns of its lane,
  // or it could not use what others leave.
  static constexpr double kHeldSeconds = 0.008;
  // Who has not asked for so long has no share, and gives back what it has. One that was told 0
  // still waits, however late the turn of its lane comes.
  static constexpr uint64_t kIdleNs = 50'000'000;
  static constexpr uint64_t kLateNs = 1'000'000'000;

  // Never so little that it rounds to nothing: a byte, and what is counted of the next.
  static constexpr double kBurstLeast = 2;

  static double burst_of(uint64_t rate) {
    return rate == 0 ? 0 : std::max(kBurstLeast, static_cast<double>(rate) * kBurstSeconds);
  }
  void fill(uint64_t now_ns);
  bool is_waiting(const Account& account) const;
  void save(double seconds);
  void share();
  void bound(Account& account);
  double most(const Account& account, double weights) const;
  double least(const Account& account, double weights) const;

  std::mutex mutex_;
  std::atomic<int> feeds_{0};
  uint64_t rate_ = 0;
  double pool_ = 0;  // what time has brought and nobody had room for
  uint64_t filled_ns_ = 0;
  std::vector<std::shared_ptr<Account>> accounts_;
};

// What some feeds of one transfer may send together, beside what limits the transfer.
struct Link {
  Budget budget;
  std::shared_ptr<Account> account = budget.open();
};

}  // namespace fr
