// Any bytes as a frame: it becomes a range of exactly so many bytes, or is none; and what is coded
// comes back as it was.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/coding/frames.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const coder = new fr::Coder;
  if (size < 3) return 0;
  const auto coding = data[0] % 2 == 0 ? fr::Coding::kZstd : fr::Coding::kPatch;
  const unsigned width = 1u << (data[0] >> 1) % 4;
  const size_t bytes = 1 + (data[1] | size_t{data[2]} << 8);
  data += 3, size -= 3;
  std::vector<uint8_t> range(bytes, 3);
  coder->decode(coding, data, size, range.data(), bytes);
  if (size == 0) return 0;
  const std::vector<uint8_t> base(size, 3);
  std::vector<uint8_t> frame, back = base;
  if (!coder->encode(coding, width, data, base.data(), size, &frame)) abort();
  if (frame.size() > size + 1) abort();
  if (!coder->decode(coding, frame.data(), frame.size(), back.data(), size)) abort();
  if (back != std::vector<uint8_t>(data, data + size)) abort();
  return 0;
}
