// SHA-256 of bytes that come in pieces: the fast one of the process that loaded us, or our own.
//
// The idea: node carries OpenSSL, whose SHA-256 uses the instructions the processor has (1.6 GB/s
// against 0.3 here). Its functions are looked up at run time, so that nothing is linked and a node
// built without OpenSSL still gets right digests, only slower.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fr {

inline constexpr size_t kSha256Bytes = 32;

struct Evp;

class Sha256 {
 public:
  enum class Backend { kFastest, kPortable };

  explicit Sha256(Backend backend = Backend::kFastest) noexcept;
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, size_t bytes) noexcept;
  // Writes the digest of everything since the start and starts anew. False when the library
  // failed on the way (out of memory); the digest is then worthless.
  [[nodiscard]] bool finish(uint8_t* out) noexcept;
  // True when OpenSSL's code is at work.
  bool is_accelerated() const { return evp_ != nullptr; }

 private:
  void start() noexcept;
  void consume(const uint8_t* at, size_t blocks) noexcept;

  const Evp* evp_ = nullptr;  // OpenSSL's calls, or nullptr: ours are in use
  void* context_ = nullptr;   // its EVP_MD_CTX
  bool failed_ = false;
  // Ours.
  uint32_t state_[8];
  uint64_t total_ = 0;
  uint8_t tail_[64];
};

}  // namespace fr
