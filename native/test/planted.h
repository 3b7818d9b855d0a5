// Faults made on purpose, so that a sanitizer that sleeps is noticed: scripts/sanitize.mjs runs
// them and wants each one reported. Built only with FR_SANITIZE, never part of the product.
#pragma once

#include <string>
#include <thread>

namespace fr_planted {

// The compiler must not see that the faults have no effect.
inline volatile int* volatile sink = nullptr;

inline constexpr size_t kLeakBytes = 12345;

inline void race() {
  int counter = 0;
  std::thread other([&counter] {
    for (int i = 0; i < 10000; ++i) ++counter;
  });
  for (int i = 0; i < 10000; ++i) ++counter;
  other.join();
  sink = counter < 0 ? &counter : nullptr;
}

inline void leak() {
  sink = reinterpret_cast<volatile int*>(new char[kLeakBytes]);
  sink = nullptr;
}

inline int use_after_free() {
  sink = new int(1);
  delete sink;
  return *sink;
}

// False when there is no fault of that name.
inline bool plant(const std::string& fault) {
  if (fault == "race") {
    race();
  } else if (fault == "leak") {
    leak();
  } else if (fault == "uaf") {
    use_after_free();
  } else {
    return false;
  }
  return true;
}

}  // namespace fr_planted
