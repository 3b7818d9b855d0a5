#include "core/lane/budget.h"

#include <algorithm>
#include <cmath>

namespace fr {
namespace {

// Somewhat less than what comes until an asker is back.
constexpr double kLeastSeconds = 0.75 * static_cast<double>(Account::kPaceNs) / 1e9;
constexpr double kLeastBytes = 256;
constexpr double kLeastMost = 64 << 10;
constexpr uint64_t kRecordBytes = 4 << 10;
constexpr uint64_t kAskNs = 1'000'000;
// Each round gives all to those with room; what is left after these waits for the next time.
constexpr int kRounds = 4;

}  // namespace

uint64_t Account::allowance(uint64_t now_ns) {
  const auto left = [this] {
    const int64_t bytes = left_.load(std::memory_order_relaxed);
    const bool is_worth = bytes > 0 && bytes >= least_.load(std::memory_order_relaxed);
    return is_worth ? static_cast<uint64_t>(bytes) : 0;
  };
  asked_ns_.store(now_ns, std::memory_order_relaxed);
  uint64_t bytes = left();
  if (bytes == 0 && now_ns >= ask_again_ns_) {
    budget_->fill(now_ns);
    bytes = left();
    if (bytes == 0) ask_again_ns_ = now_ns + kAskNs;
  }
  is_denied_.store(bytes == 0, std::memory_order_relaxed);
  return bytes;
}

uint64_t Account::record_bytes() const {
  const auto least = static_cast<uint64_t>(least_.load(std::memory_order_relaxed));
  return std::max(kRecordBytes, 4 * least);
}

void Account::count_feed(int change) {
  budget_->feeds_.fetch_add(change, std::memory_order_relaxed);
}

int Account::feeds() const { return budget_->feeds_.load(std::memory_order_relaxed); }

std::shared_ptr<Account> Budget::open() {
  auto account = std::make_shared<Account>(this);
  const std::lock_guard<std::mutex> hold(mutex_);
  accounts_.push_back(account);
  bound(*account);
  return account;
}

void Budget::close(const Account& account) {
  const std::lock_guard<std::mutex> hold(mutex_);
  std::erase_if(accounts_, [&](const auto& one) { return one.get() == &account; });
}

void Budget::set_rate(uint64_t rate) {
  const std::lock_guard<std::mutex> hold(mutex_);
  rate_ = rate;
  pool_ = std::min(pool_, burst_of(rate));
  for (const auto& account : accounts_) bound(*account);
}

void Budget::set(Account& account, uint64_t own_rate, double weight) {
  const std::lock_guard<std::mutex> hold(mutex_);
  account.own_rate_ = own_rate;
  account.weight_ = weight;
  bound(account);
}

// What was saved under another rate counts only as far as it may be saved under this one.
void Budget::bound(Account& account) {
  const uint64_t own = account.own_rate_;
  const uint64_t rate = own == 0 || rate_ == 0 ? std::max(own, rate_) : std::min(own, rate_);
  const auto most_left = static_cast<int64_t>(burst_of(rate));
  const int64_t left = account.left_.load(std::memory_order_relaxed);
  if (left > most_left) account.left_.fetch_sub(left - most_left, std::memory_order_relaxed);
  account.own_ = std::min(account.own_, burst_of(own));
  account.part_ = 0;
  account.rate_.store(rate, std::memory_order_relaxed);
}

void Budget::fill(uint64_t now_ns) {
  const std::lock_guard<std::mutex> hold(mutex_);
  // Clocks of lanes differ by a turn of their loops.
  uint64_t passed_ns = now_ns > filled_ns_ ? now_ns - filled_ns_ : 0;
  // After a rest nothing is saved up: what a receiver's socket holds comes on top of the rate.
  const bool is_late = std::any_of(accounts_.begin(), accounts_.end(),
                                   [&](const auto& account) { return is_waiting(*account); });
  if (passed_ns > (is_late ? kLateNs : kIdleNs)) passed_ns = Account::kPaceNs;
  const double seconds = static_cast<double>(passed_ns) / 1e9;
  filled_ns_ = std::max(filled_ns_, now_ns);
  save(seconds);
  share();
}

// It was told 0 and has not asked since, or asks now.
bool Budget::is_waiting(const Account& account) const {
  const uint64_t asked_ns = account.asked_ns_.load(std::memory_order_relaxed);
  return account.is_denied_.load(std::memory_order_relaxed) && filled_ns_ < asked_ns + kLateNs;
}

// Adds what time has brought, and takes back what those have who ask no more.
void Budget::save(double seconds) {
  double held = 0;
  for (const auto& account : accounts_) {
    int64_t left = std::max<int64_t>(0, account->left_.load(std::memory_order_relaxed));
    const uint64_t asked_ns = account->asked_ns_.load(std::memory_order_relaxed);
    const bool is_asking = filled_ns_ < asked_ns + kIdleNs || is_waiting(*account);
    account->is_asking_ = account->is_paced() && is_asking;
    if (!account->is_asking_ && left > 0) {
      account->left_.fetch_sub(left, std::memory_order_relaxed);
      pool_ += static_cast<double>(left);
      left = 0;
    }
    held += static_cast<double>(left);
    const double burst = burst_of(account->own_rate_);
    const double own = account->own_ + seconds * static_cast<double>(account->own_rate_);
    account->own_ = std::clamp(own, 0.0, std::max(0.0, burst - static_cast<double>(left)));
  }
  pool_ += seconds * static_cast<double>(rate_);
  pool_ = std::clamp(pool_, 0.0, std::max(0.0, burst_of(rate_) - held));
}

// Bytes that an account may hold: its share, among those that ask, of what can be saved.
double Budget::most(const Account& account, double weights) const {
  const double own = burst_of(account.own_rate_);
  if (rate_ == 0) return own;
  const double share = std::max(kBurstSeconds * account.weight_ / weights, kHeldSeconds);
  const double shared = std::max(kBurstLeast, static_cast<double>(rate_) * share);
  return account.own_rate_ == 0 ? shared : std::min(own, shared);
}

// What is less than this is not worth a system call: most of what a share brings in a turn. All
// together may hold half of a burst and wait for more.
double Budget::least(const Account& account, double weights) const {
  double rate = static_cast<double>(rate_) * account.weight_ / weights;
  const auto own = static_cast<double>(account.own_rate_);
  if (own > 0) rate = rate_ == 0 ? own : std::min(own, rate);
  const double paced = std::clamp(rate * kLeastSeconds, kLeastBytes, kLeastMost);
  return std::max(1.0, std::min(paced, rate * kBurstSeconds / 2));
}

void Budget::share() {
  double weights = 0;
  for (const auto& account : accounts_) weights += account->is_asking_ ? account->weight_ : 0;
  const auto room = [&](const Account& account) {
    const auto left = static_cast<double>(account.left_.load(std::memory_order_relaxed));
    const double free = std::max(0.0, most(account, weights) - left - account.part_);
    return account.own_rate_ == 0 ? free : std::min(free, account.own_);
  };
  // Also of those who have all they may: it may be less than was worth moving at another rate.
  for (const auto& account : accounts_) {
    if (!account->is_asking_) continue;
    const auto worth = static_cast<int64_t>(least(*account, weights));
    account->least_.store(worth, std::memory_order_relaxed);
  }
  for (int round = 0; round < kRounds; round++) {
    double open = 0;  // weights of those with room
    for (const auto& account : accounts_) {
      if (account->is_asking_ && room(*account) >= 1) open += account->weight_;
    }
    if (open == 0) return;
    const double whole = pool_;
    for (const auto& account : accounts_) {
      const double free = account->is_asking_ ? room(*account) : 0;
      if (free < 1) continue;
      const double share = whole * account->weight_ / open;
      const double part = rate_ == 0 ? free : std::min(free, share);
      // A light one gets less than a byte at a time.
      const double bytes = std::floor(account->part_ + part);
      account->part_ += part - bytes;
      account->left_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
      if (account->own_rate_ != 0) account->own_ -= part;
      if (rate_ != 0) pool_ -= part;
    }
    if (rate_ == 0 || pool_ < 1) return;
  }
}

}  // namespace fr
