// Frames of coded content, for worker threads.
#pragma once

#include <napi.h>

namespace fr {

// encodeFrames(file, base, coding, width, offset, length, frameBytes) -> Uint8Array, as
// encode_frames
Napi::Value encode_frames_js(const Napi::CallbackInfo& info);

// decodeFrames(coded, at, lengths: Uint8Array, to, base, coding, offset, fileBytes, frameBytes)
void decode_frames_js(const Napi::CallbackInfo& info);

}  // namespace fr
