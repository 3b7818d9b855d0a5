// A set of bytes, kept as disjoint half-open intervals that never touch: what has landed, what was
// announced. All operations are O(log n) plus the intervals they swallow. Never allocates per byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>

namespace fr {

struct Interval {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool operator==(const Interval&) const = default;
};

class IntervalSet {
 public:
  // Adds [begin, end) and returns the whole interval that now holds it.
  Interval insert(uint64_t begin, uint64_t end) {
    if (begin >= end) return {begin, begin};
    auto it = map_.upper_bound(begin);
    if (it != map_.begin()) {
      auto before = std::prev(it);
      if (before->second >= begin) {
        begin = before->first;
        end = std::max(end, before->second);
        bytes_ -= before->second - before->first;
        it = map_.erase(before);
      }
    }
    while (it != map_.end() && it->first <= end) {
      end = std::max(end, it->second);
      bytes_ -= it->second - it->first;
      it = map_.erase(it);
    }
    map_.emplace_hint(it, begin, end);
    bytes_ += end - begin;
    return {begin, end};
  }

  void erase(uint64_t begin, uint64_t end) {
    if (begin >= end) return;
    auto it = map_.upper_bound(begin);
    if (it != map_.begin()) --it;
    while (it != map_.end() && it->first < end) {
      const Interval held{it->first, it->second};
      if (held.end <= begin) {
        ++it;
        continue;
      }
      bytes_ -= held.end - held.begin;
      it = map_.erase(it);
      if (held.begin < begin) add_raw(held.begin, begin);
      if (held.end > end) {
        add_raw(end, held.end);
        break;
      }
    }
  }

  // End of the interval that holds `at`, or `at` itself when the byte is not in the set.
  uint64_t covered_to(uint64_t at) const {
    auto it = map_.upper_bound(at);
    if (it == map_.begin()) return at;
    --it;
    return std::max(at, it->second);
  }

  // Start of the first interval after `at`, or `limit` when there is none below it.
  uint64_t next_begin(uint64_t at, uint64_t limit) const {
    auto it = map_.upper_bound(at);
    return it == map_.end() ? limit : std::min(limit, it->first);
  }

  bool contains(uint64_t begin, uint64_t end) const { return covered_to(begin) >= end; }
  bool empty() const { return map_.empty(); }
  uint64_t bytes() const { return bytes_; }
  size_t intervals() const { return map_.size(); }
  void clear() {
    map_.clear();
    bytes_ = 0;
  }

  // Calls fn(begin, end) for each part of the set inside [begin, end), in order.
  template <typename Fn>
  void each_inside(uint64_t begin, uint64_t end, Fn&& fn) const {
    auto it = map_.upper_bound(begin);
    if (it != map_.begin()) --it;
    for (; it != map_.end() && it->first < end; ++it) {
      const uint64_t from = std::max(begin, it->first);
      const uint64_t to = std::min(end, it->second);
      if (from < to) fn(from, to);
    }
  }

  template <typename Fn>
  void each(Fn&& fn) const {
    for (const auto& [begin, end] : map_) fn(begin, end);
  }

 private:
  void add_raw(uint64_t begin, uint64_t end) {
    map_.emplace(begin, end);
    bytes_ += end - begin;
  }

  std::map<uint64_t, uint64_t> map_;
  uint64_t bytes_ = 0;
};

}  // namespace fr
