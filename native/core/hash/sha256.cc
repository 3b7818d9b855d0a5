#include "core/hash/sha256.h"

#include <dlfcn.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

namespace fr {

// OpenSSL's calls by their documented signatures (the same since 1.1.0), with its types opaque.
struct Evp {
  void* (*context_new)();
  void (*context_free)(void*);
  const void* (*sha256)();
  int (*init)(void*, const void*, void*);
  int (*update)(void*, const void*, size_t);
  int (*final)(void*, unsigned char*, unsigned*);
};

namespace {

template <typename Function>
bool find(Function*& into, const char* name) {
  into = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  return into != nullptr;
}

// Empty when one is missing.
std::optional<Evp> find_evp() {
  Evp evp{};
  const bool found = find(evp.context_new, "EVP_MD_CTX_new") &&
                     find(evp.context_free, "EVP_MD_CTX_free") && find(evp.sha256, "EVP_sha256") &&
                     find(evp.init, "EVP_DigestInit_ex") && find(evp.update, "EVP_DigestUpdate") &&
                     find(evp.final, "EVP_DigestFinal_ex");
  return found ? std::optional(evp) : std::nullopt;
}

const Evp* evp() {
  static const std::optional<Evp> found = find_evp();
  return found ? &*found : nullptr;
}

constexpr uint32_t kStart[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

uint32_t load_big32(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
}

void store_big32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

inline void round(uint32_t a, uint32_t b, uint32_t c, uint32_t& d, uint32_t e, uint32_t f,
                  uint32_t g, uint32_t& h, uint32_t input) {
  h += (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + input;
  d += h;
  h += (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

}  // namespace

Sha256::Sha256(Backend backend) noexcept {
  if (backend == Backend::kFastest) evp_ = evp();
  if (evp_ != nullptr) {
    context_ = evp_->context_new();
    if (context_ != nullptr && evp_->init(context_, evp_->sha256(), nullptr) == 1) return;
    // A library that refuses SHA-256 (a restricted provider) is as good as none.
    evp_->context_free(context_);
    evp_ = nullptr;
  }
  start();
}

Sha256::~Sha256() {
  if (evp_ != nullptr) evp_->context_free(context_);
}

void Sha256::start() noexcept {
  std::copy_n(kStart, 8, state_);
  total_ = 0;
}

void Sha256::update(const void* data, size_t bytes) noexcept {
  if (bytes == 0) return;
  if (evp_ != nullptr) {
    if (evp_->update(context_, data, bytes) != 1) failed_ = true;
    return;
  }
  const auto* at = static_cast<const uint8_t*>(data);
  const size_t held = total_ % 64;
  total_ += bytes;
  if (held > 0) {
    const size_t taken = std::min(bytes, 64 - held);
    std::memcpy(tail_ + held, at, taken);
    at += taken, bytes -= taken;
    if (held + taken < 64) return;
    consume(tail_, 1);
  }
  consume(at, bytes / 64);
  std::memcpy(tail_, at + bytes / 64 * 64, bytes % 64);
}

bool Sha256::finish(uint8_t* out) noexcept {
  if (evp_ != nullptr) {
    unsigned written = 0;
    const bool done = evp_->final(context_, out, &written) == 1 && written == kSha256Bytes;
    const bool good = done && !failed_;
    failed_ = evp_->init(context_, evp_->sha256(), nullptr) != 1;
    return good;
  }
  size_t held = total_ % 64;
  tail_[held++] = 0x80;
  if (held > 56) {
    std::memset(tail_ + held, 0, 64 - held);
    consume(tail_, 1);
    held = 0;
  }
  std::memset(tail_ + held, 0, 56 - held);
  store_big32(tail_ + 56, static_cast<uint32_t>(total_ >> 29));
  store_big32(tail_ + 60, static_cast<uint32_t>(total_ << 3));
  consume(tail_, 1);
  for (int i = 0; i < 8; ++i) store_big32(out + 4 * i, state_[i]);
  start();
  return true;
}

void Sha256::consume(const uint8_t* at, size_t blocks) noexcept {
  for (; blocks > 0; --blocks, at += 64) {
    uint32_t w[64];
    for (int i = 0; i < 16; ++i) w[i] = load_big32(at + 4 * i);
    for (int i = 16; i < 64; ++i) {
      const uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    // The eight words change places every round: eight calls bring each home, and nothing moves.
    for (int i = 0; i < 64; i += 8) {
      round(a, b, c, d, e, f, g, h, kRound[i] + w[i]);
      round(h, a, b, c, d, e, f, g, kRound[i + 1] + w[i + 1]);
      round(g, h, a, b, c, d, e, f, kRound[i + 2] + w[i + 2]);
      round(f, g, h, a, b, c, d, e, kRound[i + 3] + w[i + 3]);
      round(e, f, g, h, a, b, c, d, kRound[i + 4] + w[i + 4]);
      round(d, e, f, g, h, a, b, c, kRound[i + 5] + w[i + 5]);
      round(c, d, e, f, g, h, a, b, kRound[i + 6] + w[i + 6]);
      round(b, c, d, e, f, g, h, a, kRound[i + 7] + w[i + 7]);
    }
    const uint32_t added[8] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i) state_[i] += added[i];
  }
}

}  // namespace fr
