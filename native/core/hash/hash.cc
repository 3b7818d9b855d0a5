#include "core/hash/hash.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>
#include <type_traits>

#include "core/file/storage.h"
#include "core/hash/blake3.h"
#include "core/hash/sha256.h"

namespace fr {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4F;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5;
constexpr size_t kStripeBytes = 32;

inline uint64_t load64(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

inline uint32_t load32(const uint8_t* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
  return value;
}

inline uint64_t mix(uint64_t lane, uint64_t input) {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

void start(uint64_t (&lanes)[4], uint64_t seed) {
  lanes[0] = seed + kPrime1 + kPrime2;
  lanes[1] = seed + kPrime2;
  lanes[2] = seed;
  lanes[3] = seed - kPrime1;
}

// Takes whole stripes only; returns where it stopped. The lanes live in registers meanwhile.
const uint8_t* consume(uint64_t (&lanes)[4], const uint8_t* at, size_t stripes) {
  uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  for (; stripes > 0; --stripes, at += kStripeBytes) {
    a = mix(a, load64(at));
    b = mix(b, load64(at + 8));
    c = mix(c, load64(at + 16));
    d = mix(d, load64(at + 24));
  }
  lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
  return at;
}

uint64_t converge(const uint64_t (&lanes)[4]) {
  uint64_t hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
                  std::rotl(lanes[3], 18);
  for (uint64_t lane : lanes) hash = (hash ^ mix(0, lane)) * kPrime1 + kPrime4;
  return hash;
}

// The last 0 to 31 bytes, then the avalanche.
uint64_t finish(uint64_t hash, const uint8_t* at, size_t bytes) {
  for (; bytes >= 8; bytes -= 8, at += 8) {
    hash = std::rotl(hash ^ mix(0, load64(at)), 27) * kPrime1 + kPrime4;
  }
  if (bytes >= 4) {
    hash = std::rotl(hash ^ (load32(at) * kPrime1), 23) * kPrime2 + kPrime3;
    bytes -= 4, at += 4;
  }
  for (; bytes > 0; --bytes, ++at) hash = std::rotl(hash ^ (*at * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

}  // namespace

uint64_t xxh64(const void* data, size_t bytes, uint64_t seed) noexcept {
  const auto* at = static_cast<const uint8_t*>(data);
  uint64_t hash = seed + kPrime5;
  if (bytes >= kStripeBytes) {
    uint64_t lanes[4];
    start(lanes, seed);
    at = consume(lanes, at, bytes / kStripeBytes);
    hash = converge(lanes);
  }
  return finish(hash + bytes, at, bytes % kStripeBytes);
}

void Xxh64::reset(uint64_t seed) noexcept {
  start(lanes_, seed);
  seed_ = seed;
  total_ = 0;
  tail_bytes_ = 0;
}

void Xxh64::update(const void* data, size_t bytes) noexcept {
  if (bytes == 0) return;
  const auto* at = static_cast<const uint8_t*>(data);
  total_ += bytes;
  if (tail_bytes_ > 0) {
    const size_t taken = std::min(bytes, kStripeBytes - tail_bytes_);
    std::memcpy(tail_ + tail_bytes_, at, taken);
    tail_bytes_ += taken, at += taken, bytes -= taken;
    if (tail_bytes_ < kStripeBytes) return;
    consume(lanes_, tail_, 1);
  }
  at = consume(lanes_, at, bytes / kStripeBytes);
  tail_bytes_ = bytes % kStripeBytes;
  std::memcpy(tail_, at, tail_bytes_);
}

uint64_t Xxh64::digest() const noexcept {
  const uint64_t hash = total_ >= kStripeBytes ? converge(lanes_) : seed_ + kPrime5;
  return finish(hash + total_, tail_, tail_bytes_);
}

namespace {

// Measured on one core of the 2-core EPYC of bench/RESULTS.md's machine, -O2 without -march, a
// 1 GiB file in the page cache, XXH64 in blocks of 1 MiB, CPU-seconds per GB (tmpfs / ext4), of
// which the hash itself is 0.042:
//
//   pread into                 64K .100 / .081, 128K .094 / .076, 256K .091 / .072,
//                              512K .090 / .071, 1M .092 / .073
//   mmap, MADV_POPULATE_READ   windows of 1M .155 / .097, of 8M .149 / .091
//
// So the safe way is the fast way: copying into a buffer that stays in the second-level cache costs
// less than mapping pages. 256K is where the curve is flat.
constexpr size_t kBufferBytes = 256 * 1024;

// One per hashing thread, kept for its life: fresh pages for every task would cost more than
// reading.
uint8_t* thread_buffer() {
  thread_local const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(kBufferBytes);
  return buffer.get();  // NOLINT(clang-analyzer-cplusplus.NewDelete): thread_local, it outlives us
}

class Xxh64Block {
 public:
  void start(uint64_t) { hash_.reset(); }
  void update(const uint8_t* data, size_t bytes) { hash_.update(data, bytes); }
  Status finish(uint8_t* out) {
    uint64_t digest = hash_.digest();
    for (int i = 7; i >= 0; --i, digest >>= 8) out[i] = static_cast<uint8_t>(digest);
    return kOkStatus;
  }

 private:
  Xxh64 hash_;
};

// Whether the digest of a block depends on where it is.
template <typename Hasher>
constexpr bool kIsPositional = std::is_same_v<Hasher, Blake3Block>;

// Files of these systems are page cache and nothing else; they know no RWF_NOWAIT.
bool is_in_memory(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

// What is in the page cache; EAGAIN where that is not all, or cannot be told.
ssize_t read_cached(const File& file, uint8_t* into, size_t bytes, uint64_t offset) {
#ifdef RWF_NOWAIT
  const Piece from = file.to_read(offset, bytes);
  if (from.fd < 0) return read_some(file, into, bytes, offset);
  const iovec piece{into, static_cast<size_t>(std::min<uint64_t>(bytes, from.length))};
  const ssize_t got = preadv2(from.fd, &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (got < 0 && errno == EOPNOTSUPP) errno = EAGAIN;
  return got;
#else
  (void)file, (void)into, (void)bytes, (void)offset;
  errno = EAGAIN;
  return -1;
#endif
}

// Fills the buffer as far as the range goes; short only at the end of the file.
Status read_fully(const File& file, uint8_t* into, size_t bytes, uint64_t offset,
                  bool cached_only) {
  while (bytes > 0) {
    const ssize_t got =
        cached_only ? read_cached(file, into, bytes, offset) : read_some(file, into, bytes, offset);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (cached_only && errno == EAGAIN) return {Code::ERR_FR_IO, EAGAIN};
      return status_of_errno(errno, "read");
    }
    // The end of the file came early. Of a partial, which only we write, that is no change of a
    // source.
    if (got == 0) {
      if (file.is_source) return {Code::ERR_FR_SOURCE_CHANGED, 0};
      return {Code::ERR_FR_IO, 0, "the file is shorter than what was written to it"};
    }
    into += got, offset += static_cast<uint64_t>(got), bytes -= static_cast<size_t>(got);
  }
  return kOkStatus;
}

// Where data begin at or behind `offset`; past the end where there are none. `offset` itself when
// the system does not tell.
uint64_t next_data(int fd, uint64_t offset) {
  const off_t data = lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (data >= 0) return static_cast<uint64_t>(data);
  return errno == ENXIO ? UINT64_MAX : offset;
}

bool reaches(int fd, uint64_t end) {
  struct stat found;
  return fstat(fd, &found) == 0 && static_cast<uint64_t>(found.st_size) >= end;
}

// The digest of a block of zeros. A file has two lengths of blocks, so a few are kept; one that
// holds for its place only is made each time.
template <typename Hasher>
Status zeros_digest(uint64_t offset, uint64_t bytes, size_t digest_size, uint8_t* out) {
  struct Known {
    uint64_t bytes = 0;
    uint8_t digest[32];
  };
  constexpr size_t kKept = 8;
  thread_local Known kept[kKept];
  thread_local size_t next = 0;
  for (const Known& known : kept) {
    if (kIsPositional<Hasher> || known.bytes != bytes) continue;
    std::memcpy(out, known.digest, digest_size);
    return kOkStatus;
  }
  uint8_t* const buffer = thread_buffer();
  std::memset(buffer, 0, static_cast<size_t>(std::min<uint64_t>(bytes, kBufferBytes)));
  Hasher hasher;
  hasher.start(offset);
  for (uint64_t left = bytes; left > 0;) {
    const uint64_t piece = std::min<uint64_t>(left, kBufferBytes);
    hasher.update(buffer, static_cast<size_t>(piece));
    left -= piece;
  }
  const Status status = hasher.finish(out);
  if (!status.ok()) return status;
  Known& made = kept[next++ % kKept];
  made.bytes = bytes;
  std::memcpy(made.digest, out, digest_size);
  return kOkStatus;
}

// What is to be hashed still, and where its digests go.
struct Rest {
  uint64_t offset, length, block_bytes;
  uint8_t* out;
  size_t digest_size;

  uint64_t block() const { return std::min(block_bytes, length); }
  void pass(uint64_t bytes) { offset += bytes, length -= bytes; }
};

// Passes whole blocks that lie before `data`.
template <typename Hasher>
Status skip_hole(Rest& rest, uint64_t data) {
  while (rest.length > 0 && data - rest.offset >= rest.block()) {
    const uint64_t block = rest.block();
    const Status status = zeros_digest<Hasher>(rest.offset, block, rest.digest_size, rest.out);
    if (!status.ok()) return status;
    rest.out += rest.digest_size;
    rest.pass(block);
  }
  return kOkStatus;
}

template <typename Hasher>
Status run(const File& file, Rest rest, bool cached_only) {
  uint8_t* const buffer = thread_buffer();
  Hasher hasher;
  uint64_t block_left = 0;  // of the block that is hashed; 0 between two
  const bool sparse = file.joined == nullptr && file.sparse.load(std::memory_order_relaxed) &&
                      reaches(file.fd, rest.offset + rest.length);
  while (rest.length > 0) {
    if (sparse && block_left == 0) {
      const Status skipped = skip_hole<Hasher>(rest, next_data(file.fd, rest.offset));
      if (!skipped.ok()) return skipped;
      if (rest.length == 0) break;
    }
    const auto got = static_cast<size_t>(std::min<uint64_t>(rest.length, kBufferBytes));
    const Status status = read_fully(file, buffer, got, rest.offset, cached_only);
    if (!status.ok()) return status;
    for (size_t used = 0; used < got;) {
      if (block_left == 0) {
        block_left = rest.block();
        hasher.start(rest.offset);
      }
      const auto piece = static_cast<size_t>(std::min<uint64_t>(block_left, got - used));
      hasher.update(buffer + used, piece);
      used += piece, block_left -= piece;
      rest.pass(piece);
      if (block_left > 0) continue;
      const Status finished = hasher.finish(rest.out);
      if (!finished.ok()) return finished;
      rest.out += rest.digest_size;
    }
  }
  return kOkStatus;
}

template <typename Hasher>
Status run_holes(const File& file, Rest rest) {
  if (file.joined != nullptr) return {Code::ERR_FR_IO, EAGAIN};
  const uint64_t data = next_data(file.fd, rest.offset);
  const uint64_t end = rest.offset + rest.length;
  if (data < end || !reaches(file.fd, end)) return {Code::ERR_FR_IO, EAGAIN};
  return skip_hole<Hasher>(rest, data);
}

bool is_block_range(uint64_t offset, uint64_t length, uint64_t block_bytes, Algorithm algorithm) {
  constexpr auto kLast = static_cast<uint64_t>(INT64_MAX);
  if (block_bytes == 0 || offset % block_bytes != 0 || offset > kLast || length > kLast - offset) {
    return false;
  }
  if (algorithm == Algorithm::kBlake3File) return offset == 0 && length <= block_bytes;
  if (algorithm != Algorithm::kBlake3) return true;
  return std::has_single_bit(block_bytes) && block_bytes >= kBlake3ChunkBytes;
}

// Calls `act` with the hasher's type.
template <typename Act>
Status with_hasher(Algorithm algorithm, Act act) {
  switch (algorithm) {
    case Algorithm::kXxh64:
      return act(std::type_identity<Xxh64Block>());
    case Algorithm::kSha256:
      return act(std::type_identity<Sha256>());
    case Algorithm::kBlake3:
      return act(std::type_identity<Blake3Block>());
    case Algorithm::kBlake3File:
      return act(std::type_identity<Blake3File>());
    case Algorithm::kBlake3Page:
      return act(std::type_identity<Blake3Page>());
  }
  return {Code::ERR_FR_IO, EINVAL};
}

}  // namespace

Status read_range(const File& file, uint8_t* into, size_t bytes, uint64_t offset) noexcept {
  return read_fully(file, into, bytes, offset, false);
}

Status hash_holes(uint32_t file, uint64_t offset, uint64_t length, uint64_t block_bytes,
                  Algorithm algorithm, uint8_t* out) noexcept {
  if (!is_block_range(offset, length, block_bytes, algorithm)) return {Code::ERR_FR_IO, EINVAL};
  const FileRef held = file_table_get(file);
  if (held == nullptr) return {Code::ERR_FR_CLOSED, 0};
  const Rest rest{offset, length, block_bytes, out, digest_bytes(algorithm)};
  return with_hasher(algorithm, [&]<typename Hasher>(std::type_identity<Hasher>) {
    return run_holes<Hasher>(*held, rest);
  });
}

Status hash_blocks(uint32_t file, uint64_t offset, uint64_t length, uint64_t block_bytes,
                   Algorithm algorithm, uint8_t* out, bool cached_only) noexcept {
  if (!is_block_range(offset, length, block_bytes, algorithm)) return {Code::ERR_FR_IO, EINVAL};
  const FileRef held = file_table_get(file);
  if (held == nullptr) return {Code::ERR_FR_CLOSED, 0};
  return hash_blocks(*held, offset, length, block_bytes, algorithm, out, cached_only);
}

Status hash_blocks(const File& file, uint64_t offset, uint64_t length, uint64_t block_bytes,
                   Algorithm algorithm, uint8_t* out, bool cached_only) noexcept {
  if (!is_block_range(offset, length, block_bytes, algorithm)) return {Code::ERR_FR_IO, EINVAL};
  if (cached_only && file.joined == nullptr && is_in_memory(file.fd)) cached_only = false;
  const Rest rest{offset, length, block_bytes, out, digest_bytes(algorithm)};
  return with_hasher(algorithm, [&]<typename Hasher>(std::type_identity<Hasher>) {
    return run<Hasher>(file, rest, cached_only);
  });
}

Status file_digest(const uint8_t* data, size_t bytes, uint64_t block_bytes, Algorithm algorithm,
                   uint8_t* out) noexcept {
  // BLAKE3 of the file does not depend on blocks.
  if (algorithm == Algorithm::kBlake3) algorithm = Algorithm::kBlake3File;
  return with_hasher(algorithm, [&]<typename Hasher>(std::type_identity<Hasher>) {
    Hasher whole;
    whole.start(0);
    if constexpr (std::is_same_v<Hasher, Blake3File>) {
      whole.update(data, bytes);
    } else {
      uint8_t head[16];
      for (int i = 0; i < 8; ++i) {
        head[i] = static_cast<uint8_t>(bytes >> 8 * i);
        head[8 + i] = static_cast<uint8_t>(block_bytes >> 8 * i);
      }
      whole.update(head, sizeof head);
      Hasher block;
      for (uint64_t at = 0; at < bytes; at += block_bytes) {
        uint8_t digest[32];
        block.start(at);
        block.update(data + at, static_cast<size_t>(std::min<uint64_t>(block_bytes, bytes - at)));
        if (Status status = block.finish(digest); !status.ok()) return status;
        whole.update(digest, digest_bytes(algorithm));
      }
    }
    return whole.finish(out);
  });
}

}  // namespace fr
