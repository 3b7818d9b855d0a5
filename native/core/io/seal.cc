#include "core/io/seal.h"

#include <dlfcn.h>
#include <strings.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

namespace fr {

// By their documented signatures (the same since 1.1.0), with OpenSSL's types opaque.
struct Gcm {
  void* (*context_new)();
  void (*context_free)(void*);
  const void* (*aes_256_gcm)();
  int (*control)(void*, int, int, void*);
  int (*seal_init)(void*, const void*, void*, const uint8_t*, const uint8_t*);
  int (*seal_update)(void*, uint8_t*, int*, const uint8_t*, int);
  int (*seal_final)(void*, uint8_t*, int*);
  int (*open_init)(void*, const void*, void*, const uint8_t*, const uint8_t*);
  int (*open_update)(void*, uint8_t*, int*, const uint8_t*, int);
  int (*open_final)(void*, uint8_t*, int*);
};

namespace {

constexpr int kGetTag = 0x10;  // EVP_CTRL_AEAD_GET_TAG
constexpr int kSetTag = 0x11;  // EVP_CTRL_AEAD_SET_TAG
constexpr size_t kNonceBytes = 12;
// No record has this number: keys end long before.
constexpr uint64_t kKeyNumber = UINT64_MAX;
// So many records wait, out or in: what was read or sealed is still in the cache when it is sent or
// written, and a system call moves several.
constexpr size_t kRecordsHeld = 4;
constexpr size_t kWireRecord = kSealedBytes + kSealOverhead;

std::atomic<size_t> buffers_in_use{0};

template <typename Function>
bool find(Function*& into, const char* name) {
  into = reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  return into != nullptr;
}

// Empty when one is missing.
std::optional<Gcm> look_up() {
  Gcm gcm{};
  const bool found =
      find(gcm.context_new, "EVP_CIPHER_CTX_new") &&
      find(gcm.context_free, "EVP_CIPHER_CTX_free") && find(gcm.aes_256_gcm, "EVP_aes_256_gcm") &&
      find(gcm.control, "EVP_CIPHER_CTX_ctrl") && find(gcm.seal_init, "EVP_EncryptInit_ex") &&
      find(gcm.seal_update, "EVP_EncryptUpdate") && find(gcm.seal_final, "EVP_EncryptFinal_ex") &&
      find(gcm.open_init, "EVP_DecryptInit_ex") && find(gcm.open_update, "EVP_DecryptUpdate") &&
      find(gcm.open_final, "EVP_DecryptFinal_ex");
  return found ? std::optional(gcm) : std::nullopt;
}

using Nonce = std::array<uint8_t, kNonceBytes>;

Nonce nonce_of(const SealSecret& secret, uint64_t number) {
  Nonce nonce;
  std::copy(secret.salt.begin(), secret.salt.end(), nonce.begin());
  for (size_t i = 0; i < 8; i++) nonce[4 + i] = static_cast<uint8_t>(number >> (56 - 8 * i));
  return nonce;
}

void put_length(size_t bytes, uint8_t* head) {
  for (size_t i = 0; i < kSealHeadBytes; i++) head[i] = static_cast<uint8_t>(bytes >> (8 * i));
}

size_t length_in(const uint8_t* head) {
  size_t bytes = 0;
  for (size_t i = 0; i < kSealHeadBytes; i++) bytes |= static_cast<size_t>(head[i]) << (8 * i);
  return bytes;
}

}  // namespace

const Gcm* find_gcm() noexcept {
  static const std::optional<Gcm> found = look_up();
  return found ? &*found : nullptr;
}

// --- one direction -------------------------------------------------------------------------------

Seal::Seal(const Gcm* gcm, Side side, const SealSecret& secret, uint64_t records_max)
    : gcm_(gcm),
      side_(side),
      records_max_(records_max),
      context_(gcm->context_new()),
      secret_(secret) {
  if (context_ == nullptr) return;
  const auto init = side == Side::kSeals ? gcm->seal_init : gcm->open_init;
  if (init(context_, gcm->aes_256_gcm(), nullptr, secret.key.data(), nullptr) == 1) return;
  gcm->context_free(context_);
  context_ = nullptr;
}

Seal::~Seal() {
  if (context_ != nullptr) gcm_->context_free(context_);
  explicit_bzero(&secret_, sizeof secret_);
}

// The nonce of this record, and its length as what is authenticated with it.
bool Seal::begin(size_t bytes, uint8_t* head) {
  if (context_ == nullptr || (number_ == records_max_ && !next_key())) return false;
  const Nonce nonce = nonce_of(secret_, number_++);
  const bool seals = side_ == Side::kSeals;
  if (seals) put_length(bytes, head);
  int count = 0;
  return (seals ? gcm_->seal_init : gcm_->open_init)(context_, nullptr, nullptr, nullptr,
                                                     nonce.data()) == 1 &&
         (seals ? gcm_->seal_update : gcm_->open_update)(context_, nullptr, &count, head,
                                                         kSealHeadBytes) == 1;
}

bool Seal::seal(const uint8_t* plain, size_t bytes, uint8_t* record) {
  int count = 0;
  uint8_t* const text = record + kSealHeadBytes;
  return begin(bytes, record) &&
         gcm_->seal_update(context_, text, &count, plain, static_cast<int>(bytes)) == 1 &&
         gcm_->seal_final(context_, text + bytes, &count) == 1 &&
         gcm_->control(context_, kGetTag, kSealTagBytes, text + bytes) == 1;
}

bool Seal::open(const uint8_t* record, size_t bytes, uint8_t* plain) {
  std::array<uint8_t, kSealHeadBytes> head;
  std::copy_n(record, kSealHeadBytes, head.begin());
  std::array<uint8_t, kSealTagBytes> tag;
  const uint8_t* const text = record + kSealHeadBytes;
  std::copy_n(text + bytes, kSealTagBytes, tag.begin());
  int count = 0;
  return begin(bytes, head.data()) &&
         gcm_->open_update(context_, plain, &count, text, static_cast<int>(bytes)) == 1 &&
         gcm_->control(context_, kSetTag, kSealTagBytes, tag.data()) == 1 &&
         gcm_->open_final(context_, plain + bytes, &count) == 1;
}

// Both ends do it before the same record.
bool Seal::next_key() {
  const Nonce nonce = nonce_of(secret_, kKeyNumber);
  std::array<uint8_t, sizeof secret_.key> next{};
  int count = 0;
  void* const context = gcm_->context_new();
  const bool is_made =
      context != nullptr &&
      gcm_->seal_init(context, gcm_->aes_256_gcm(), nullptr, secret_.key.data(), nonce.data()) ==
          1 &&
      gcm_->seal_update(context, next.data(), &count, next.data(), next.size()) == 1;
  if (context != nullptr) gcm_->context_free(context);
  if (!is_made) return false;
  secret_.key = next;
  explicit_bzero(next.data(), next.size());
  number_ = 0;
  const auto init = side_ == Side::kSeals ? gcm_->seal_init : gcm_->open_init;
  return init(context_, nullptr, nullptr, secret_.key.data(), nullptr) == 1;
}

// --- buffers -------------------------------------------------------------------------------------

namespace {

struct Spares {
  std::array<std::unique_ptr<uint8_t[]>, 4> buffers;
  size_t count = 0;
};
thread_local std::array<Spares, 2> spares;  // by kind; whole ones

}  // namespace

size_t SealBuffer::bytes() const {
  return records_ * (kind_ == Kind::kSealed ? kWireRecord : kWireRecord + kSealedBytes);
}

uint8_t* SealBuffer::get() noexcept {
  if (data_ != nullptr) return data_.get();
  records_ = kRecordsHeld;
  if (buffers_in_use.load(std::memory_order_relaxed) + bytes() > kMost) records_ = 1;
  Spares& kept = spares[static_cast<size_t>(kind_)];
  if (records_ > 1 && kept.count > 0) {
    data_ = std::move(kept.buffers[--kept.count]);
  } else {
    data_.reset(new (std::nothrow) uint8_t[bytes()]);
  }
  if (data_ == nullptr) records_ = 0;
  buffers_in_use.fetch_add(bytes(), std::memory_order_relaxed);
  return data_.get();
}

void SealBuffer::give_back() noexcept {
  if (data_ == nullptr) return;
  buffers_in_use.fetch_sub(bytes(), std::memory_order_relaxed);
  Spares& kept = spares[static_cast<size_t>(kind_)];
  if (records_ > 1 && kept.count < kept.buffers.size()) {
    kept.buffers[kept.count++] = std::move(data_);
  }
  records_ = 0;
  data_.reset();
}

size_t SealBuffer::in_use() noexcept { return buffers_in_use.load(std::memory_order_relaxed); }

// --- what leaves ---------------------------------------------------------------------------------

SealedOut::SealedOut(const Gcm* gcm, const SealSecret& secret, uint64_t records_max)
    : seal_(gcm, Seal::Side::kSeals, secret, records_max), wire_(SealBuffer::Kind::kSealed) {}

uint8_t* SealedOut::room(size_t* bytes) {
  if (wire_.get() == nullptr) return nullptr;
  const size_t at = end_ + kSealHeadBytes + filling_;
  const size_t size = wire_.records() * kWireRecord;
  const size_t left = size - std::min(size, at + kSealTagBytes);
  *bytes = std::min(left, kSealedBytes - filling_);
  return wire_.data() + at;
}

bool SealedOut::close_record() {
  if (filling_ == 0) return true;
  uint8_t* const record = wire_.data() + end_;
  if (!seal_.seal(record + kSealHeadBytes, filling_, record)) return false;
  end_ += filling_ + kSealOverhead;
  filling_ = 0;
  return true;
}

const uint8_t* SealedOut::unsent(size_t* bytes) const {
  *bytes = end_ - begin_;
  return wire_.data() + begin_;
}

void SealedOut::sent(size_t bytes) {
  begin_ += bytes;
  if (begin_ < end_ || filling_ > 0) return;
  begin_ = end_ = 0;
  wire_.give_back();
}

// --- what comes ----------------------------------------------------------------------------------

SealedIn::SealedIn(const Gcm* gcm, const SealSecret& secret, uint64_t records_max)
    : seal_(gcm, Seal::Side::kOpens, secret, records_max), buffer_(SealBuffer::Kind::kOpened) {}

uint8_t* SealedIn::plain() const { return buffer_.data() + buffer_.records() * kWireRecord; }

uint8_t* SealedIn::room(size_t* bytes) {
  if (buffer_.get() == nullptr) return nullptr;
  *bytes = buffer_.records() * kWireRecord - have_;
  return buffer_.data() + have_;
}

// Called when all that was opened is taken. There is always room for what opens, and in the end for
// more of what came: a record that is not whole is smaller than the buffer.
bool SealedIn::came(size_t bytes) {
  have_ += bytes;
  begin_ = end_ = 0;
  size_t at = 0;
  bool is_right = true;
  uint8_t* const wire = buffer_.data();
  while (have_ - at >= kSealHeadBytes) {
    const size_t length = length_in(wire + at);
    is_right = length > 0 && length <= kSealedBytes;
    if (!is_right || have_ - at < length + kSealOverhead) break;
    is_right = seal_.open(wire + at, length, plain() + end_);
    if (!is_right) break;
    at += length + kSealOverhead;
    end_ += length;
  }
  std::memmove(wire, wire + at, have_ - at);
  have_ -= at;
  return is_right;
}

void SealedIn::rest() {
  if (have_ == 0 && begin_ == end_) buffer_.give_back();
}

const uint8_t* SealedIn::opened(size_t* bytes) const {
  *bytes = end_ - begin_;
  return plain() + begin_;
}

void SealedIn::taken(size_t bytes) { begin_ += bytes; }

}  // namespace fr
