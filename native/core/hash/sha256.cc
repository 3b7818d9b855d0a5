#include "core/hash/sha256.h"

#include <dlfcn.h>

#include <optional>

namespace fr {

// By their documented signatures (the same since 1.1.0), with OpenSSL's types opaque.
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
std::optional<Evp> look_up() {
  Evp evp{};
  const bool found = find(evp.context_new, "EVP_MD_CTX_new") &&
                     find(evp.context_free, "EVP_MD_CTX_free") && find(evp.sha256, "EVP_sha256") &&
                     find(evp.init, "EVP_DigestInit_ex") && find(evp.update, "EVP_DigestUpdate") &&
                     find(evp.final, "EVP_DigestFinal_ex");
  return found ? std::optional(evp) : std::nullopt;
}

constexpr Status kMissing{Code::ERR_FR_UNSUPPORTED, 0, "SHA-256 without OpenSSL"};

}  // namespace

const Evp* find_evp() noexcept {
  static const std::optional<Evp> found = look_up();
  return found ? &*found : nullptr;
}

Sha256::Sha256(const Evp* evp) noexcept : evp_(evp) {
  if (evp_ != nullptr) context_ = evp_->context_new();
}

Sha256::~Sha256() {
  if (context_ != nullptr) evp_->context_free(context_);
}

void Sha256::start(uint64_t) noexcept {
  // A library that refuses SHA-256 (a restricted provider) is as good as none.
  const bool begun = context_ != nullptr && evp_->init(context_, evp_->sha256(), nullptr) == 1;
  status_ = begun ? kOkStatus : kMissing;
}

void Sha256::update(const void* data, size_t bytes) noexcept {
  if (status_.ok() && evp_->update(context_, data, bytes) != 1) status_ = {Code::ERR_FR_IO, ENOMEM};
}

Status Sha256::finish(uint8_t* out) noexcept {
  if (status_.ok() && evp_->final(context_, out, nullptr) != 1) status_ = {Code::ERR_FR_IO, ENOMEM};
  return status_;
}

}  // namespace fr
