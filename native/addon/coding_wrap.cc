#include "addon/coding_wrap.h"

#include <cstring>
#include <string>
#include <vector>

#include "addon/engine_wrap.h"
#include "core/coding/frames.h"

namespace fr {
namespace {

// At most this much is coded in one call; the caller's thread waits for it.
constexpr double kCodeMax = 64u << 20;

Coding coding_at(const Napi::CallbackInfo& info, size_t index) {
  const uint64_t number = number_at(info, index, "coding", kCodings);
  if (number == 0) throw Napi::TypeError::New(info.Env(), "coding: zero");
  return static_cast<Coding>(number);
}

}  // namespace

Napi::Value encode_frames_js(const Napi::CallbackInfo& info) {
  EncodeSpec spec;
  spec.file = handle_at(info, 0, "file");
  spec.base = handle_at(info, 1, "base");
  spec.coding = coding_at(info, 2);
  spec.width = static_cast<unsigned>(number_at(info, 3, "width", 8));
  spec.offset = number_at(info, 4, "offset");
  spec.length = number_at(info, 5, "length", kCodeMax);
  spec.frame_bytes = static_cast<size_t>(number_at(info, 6, "frameBytes", kFrameMax));
  std::vector<uint8_t> frames;
  const Status done = encode_frames(spec, &frames);
  if (!done.ok()) throw_status(info.Env(), done);
  auto out = Napi::Uint8Array::New(info.Env(), frames.size());
  if (!frames.empty()) std::memcpy(out.Data(), frames.data(), frames.size());
  return out;
}

void decode_frames_js(const Napi::CallbackInfo& info) {
  DecodeSpec spec;
  spec.coded = handle_at(info, 0, "coded");
  spec.at = number_at(info, 1, "at");
  const std::string lengths = bytes_at(info, 2, "lengths");
  std::vector<uint32_t> numbers(lengths.size() / 4);
  for (size_t i = 0; i < numbers.size(); ++i) {
    for (int b = 3; b >= 0; --b) {
      numbers[i] = numbers[i] << 8 | static_cast<uint8_t>(lengths[i * 4 + static_cast<size_t>(b)]);
    }
  }
  spec.lengths = numbers.data();
  spec.frames = numbers.size();
  spec.to = handle_at(info, 3, "to");
  spec.base = handle_at(info, 4, "base");
  spec.coding = coding_at(info, 5);
  spec.offset = number_at(info, 6, "offset");
  spec.file_bytes = number_at(info, 7, "fileBytes");
  spec.frame_bytes = static_cast<size_t>(number_at(info, 8, "frameBytes", kFrameMax));
  const Status done = decode_frames(spec);
  if (!done.ok()) throw_status(info.Env(), done);
}

}  // namespace fr
