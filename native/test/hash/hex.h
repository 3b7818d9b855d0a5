// Digests as the published vectors have them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fr {

inline std::string hex(const uint8_t* bytes, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += "0123456789abcdef"[bytes[i] >> 4];
    text += "0123456789abcdef"[bytes[i] & 15];
  }
  return text;
}

}  // namespace fr
