// SHA-256 of bytes that come in pieces, by the OpenSSL of the process that loaded us.
//
// The idea: node carries OpenSSL, whose SHA-256 uses the instructions the processor has. Its
// functions are looked up at run time, so that nothing is linked. A process without them gets a
// named refusal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/status.h"

namespace fr {

inline constexpr size_t kSha256Bytes = 32;

// OpenSSL's calls.
struct Evp;

// Those of this process, or nullptr.
const Evp* find_evp() noexcept;

class Sha256 {
 public:
  explicit Sha256(const Evp* evp = find_evp()) noexcept;
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  // At the beginning of a block, wherever it is in the file.
  void start(uint64_t) noexcept;
  void update(const void* data, size_t bytes) noexcept;
  // Writes the digest of everything since the start. ERR_FR_UNSUPPORTED without OpenSSL or where it
  // refuses SHA-256, ERR_FR_IO with ENOMEM when it failed on the way.
  Status finish(uint8_t* out) noexcept;

 private:
  const Evp* evp_;
  void* context_ = nullptr;  // its EVP_MD_CTX
  Status status_;
};

}  // namespace fr
