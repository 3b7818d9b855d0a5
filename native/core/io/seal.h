// AES-256-GCM over the bytes of one connection, in one direction, by the OpenSSL of the process
// that loaded us (as in hash/sha256.h: nothing is linked).
//
// Bytes are cut into records of at most kSealedBytes:
//
//     u32 length (little endian) | ciphertext (length) | tag (16)
//
// and at least one: a record without any would be read for ever and bring nothing. The length is
// authenticated with them. The nonce is the salt and the number of the record, so a record that was
// changed, left out, repeated or put elsewhere does not open. The end of the bytes is not marked:
// whoever reads them knows where they end (the record kEnd of a feed).
//
// A key seals 2^24 records (RFC 8446, section 5.5, for a margin of 2^-57); the next one is what it
// makes of 32 zeros under the one number that no record has, and counting begins anew.
//
// Never: plaintext of a record that did not open, a number used twice under one key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace fr {

inline constexpr size_t kSealHeadBytes = 4;
inline constexpr size_t kSealTagBytes = 16;
inline constexpr size_t kSealOverhead = kSealHeadBytes + kSealTagBytes;
inline constexpr size_t kSealedBytes = 32u << 10;
inline constexpr uint64_t kSealRecordsMax = 1u << 24;

// Both ends of a connection have it, from its handshake; no other connection ever has.
struct SealSecret {
  std::array<uint8_t, 32> key;
  std::array<uint8_t, 4> salt;
};

// OpenSSL's calls.
struct Gcm;

// Those of this process, or nullptr.
const Gcm* find_gcm() noexcept;

// One direction at one end.
class Seal {
 public:
  enum class Side : uint8_t { kSeals, kOpens };
  // `records_max`: for tests; both ends have the same.
  Seal(const Gcm* gcm, Side side, const SealSecret& secret, uint64_t records_max = kSealRecordsMax);
  ~Seal();
  Seal(const Seal&) = delete;
  Seal& operator=(const Seal&) = delete;

  // The record of these bytes, at most kSealedBytes; `plain` may be its place in the record. False:
  // OpenSSL has failed, and the connection with it.
  bool seal(const uint8_t* plain, size_t bytes, uint8_t* record);
  // The bytes of a record of so many. False: it is not the next record of the other end.
  bool open(const uint8_t* record, size_t bytes, uint8_t* plain);

 private:
  bool begin(size_t bytes, uint8_t* head);
  bool next_key();

  const Gcm* const gcm_;
  const Side side_;
  const uint64_t records_max_;
  void* context_;  // an EVP_CIPHER_CTX, with the key
  SealSecret secret_;
  uint64_t number_ = 0;  // of the next record
};

// The bytes of one direction of a connection, while there are any: connections that are quiet hold
// nothing. Room for several records, so that a system call moves several, and for one each while
// buffers in this process have taken kMost. A thread keeps a few for whoever comes next.
class SealBuffer {
 public:
  static constexpr size_t kMost = 64u << 20;
  enum class Kind : uint8_t { kSealed, kOpened };  // records; or records, and as much of their text
  explicit SealBuffer(Kind kind) : kind_(kind) {}
  ~SealBuffer() { give_back(); }
  SealBuffer(const SealBuffer&) = delete;
  SealBuffer& operator=(const SealBuffer&) = delete;

  // Takes one unless there is one; nullptr: no memory.
  uint8_t* get() noexcept;
  uint8_t* data() const { return data_.get(); }
  // How many records it has room for; 0: it is not there.
  size_t records() const { return records_; }
  void give_back() noexcept;
  // Of all of this process.
  static size_t in_use() noexcept;

 private:
  size_t bytes() const;

  const Kind kind_;
  size_t records_ = 0;
  std::unique_ptr<uint8_t[]> data_;
};

// What leaves: bytes wait for a record to be whole, and records for the socket.
class SealedOut {
 public:
  explicit SealedOut(const Gcm* gcm, const SealSecret& secret, uint64_t records_max);

  // Where bytes of the record under way go, and how many fit; then how many there are. nullptr: no
  // memory.
  uint8_t* room(size_t* bytes);
  void filled(size_t bytes) { filling_ += bytes; }
  bool is_filling() const { return filling_ > 0; }
  // Seals what there is. False: see Seal.
  bool close_record();

  const uint8_t* unsent(size_t* bytes) const;
  void sent(size_t bytes);

 private:
  Seal seal_;
  SealBuffer wire_;
  size_t begin_ = 0;    // sealed, not sent: from here
  size_t end_ = 0;      // to here, where the record under way begins
  size_t filling_ = 0;  // its bytes so far
};

// What comes: parts of records wait until they are whole, and opened bytes for whoever takes them.
class SealedIn {
 public:
  explicit SealedIn(const Gcm* gcm, const SealSecret& secret, uint64_t records_max);

  // Where bytes of the socket go, and how many fit; then how many came. False: one of them is of no
  // record that follows, and what was opened before is all there will be. nullptr: no memory.
  uint8_t* room(size_t* bytes);
  bool came(size_t bytes);
  // Nothing comes for now.
  void rest();

  const uint8_t* opened(size_t* bytes) const;
  void taken(size_t bytes);

 private:
  uint8_t* plain() const;

  Seal seal_;
  SealBuffer buffer_;  // as it came, and behind that as it was opened
  size_t have_ = 0;    // of what came
  size_t begin_ = 0;   // of what was opened
  size_t end_ = 0;
};

}  // namespace fr
