// Coded content: a file as frames, each of which is one range of it, and nothing but its own bytes
// (and those of the base of a patch, in the same place) is needed to have the range back.
//
// The idea: frames are small and of one size in the file, so any thread decodes any of them, in any
// order, in memory that is known before; what a frame says of sizes is compared with the range it
// stands for before a byte is written. docs/protocol.md, section 9, has the layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/status.h"
#include "core/coding/zstd_unit.h"

namespace fr {

// Numbers are part of the binding's contract and of the wire.
enum class Coding : int {
  kZstd = 1,
  kPatch = 2,  // against the base
};
inline constexpr int kCodings = 2;

// The largest range of one frame.
inline constexpr size_t kFrameMax = 16u << 20;

// Buffers of one thread.
class Coder {
 public:
  Coder() : zstd_(fr_zstd_new(), &fr_zstd_delete) {}
  // False: there is no memory.
  bool ok() const { return zstd_ != nullptr; }

  // Appends the frame of `bytes` bytes to `out`: nothing where they are those of the base, or,
  // without a base, zeros. `base` has as many. `width` 1, 2, 4 or 8: of the numbers in a patch.
  bool encode(Coding coding, unsigned width, const uint8_t* range, const uint8_t* base,
              size_t bytes, std::vector<uint8_t>* out);

  // `range` holds the base (of a patch) and becomes the range. False: that is no frame of so many
  // bytes; what `range` holds then is of no use.
  bool decode(Coding coding, const uint8_t* frame, size_t frame_bytes, uint8_t* range,
              size_t bytes);

 private:
  bool pack(const uint8_t* range, size_t bytes, std::vector<uint8_t>* out);
  bool patch(unsigned width, const uint8_t* range, const uint8_t* base, size_t bytes,
             std::vector<uint8_t>* out);
  bool section(const std::vector<uint8_t>& raw, std::vector<uint8_t>* out);
  const uint8_t* read_section(const uint8_t** at, const uint8_t* end, size_t most, size_t* bytes,
                              std::vector<uint8_t>* into);
  bool apply(bool is_sparse, const uint8_t* at, const uint8_t* end, uint8_t* range, size_t bytes);

  std::unique_ptr<fr_zstd, decltype(&fr_zstd_delete)> zstd_;
  std::vector<uint8_t> diff_, gaps_, plane_, packed_, patched_;
};

struct EncodeSpec {
  uint32_t file = 0;
  uint32_t base = 0;  // of a patch
  Coding coding = Coding::kZstd;
  unsigned width = 1;
  uint64_t offset = 0;
  uint64_t length = 0;
  size_t frame_bytes = 0;
};

// The frames of a range of an open file: the length of each, u32 little-endian, then all of them.
// Reads on the calling thread. ERR_FR_SOURCE_CHANGED where the file ends earlier; a base that does
// goes on with zeros. ERR_FR_CLOSED for an unknown handle, ERR_FR_LIMIT without memory.
Status encode_frames(const EncodeSpec& spec, std::vector<uint8_t>* out) noexcept;

struct DecodeSpec {
  uint32_t coded = 0;
  // Where the first of the frames is, and the length of each.
  uint64_t at = 0;
  const uint32_t* lengths = nullptr;
  size_t frames = 0;
  uint32_t to = 0;
  uint32_t base = 0;  // of a patch
  Coding coding = Coding::kZstd;
  // Of the first frame, in the file, which has `file_bytes`.
  uint64_t offset = 0;
  uint64_t file_bytes = 0;
  size_t frame_bytes = 0;
};

// Writes the ranges of these frames; what is zeros in a file without base stays as it is there.
// ERR_FR_PROTOCOL for what is no frame, ERR_FR_CLOSED, ERR_FR_LIMIT, ERR_FR_NO_SPACE, ERR_FR_IO.
Status decode_frames(const DecodeSpec& spec) noexcept;

}  // namespace fr
